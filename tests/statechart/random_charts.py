"""Sets of charts by chance, as texts, and what may happen to them: for the differential tests.

Everything of the language is in them that has a part in the step: nested states, self and targetless
transitions, `always`, timers of every kind but times of day, signals with fields, tags, questions across charts,
calls with answers now and later, statuses, invariants. The actions change the facts and keys that the guards
read, so a wrong order shows at once.
"""

from __future__ import annotations

import re
from random import Random
from typing import Any

CHARTS = ("a", "b", "c")
STATES = "ABCDE"
EVENTS = ("x", "y", "up")
REPORTS = {"up": "is.p"}
SIGNALS = ("a.s", "b.s")
CALLS = ("ocpp.Reset", "ocpp.Other")
TAGS = ("red", "blue")
KEYS = {"Wait": 3, "Limit": 2}
INDEX = "guards: {shared: is.p and not in(red)}\ninvariants: [{never: all(red) and is.q and Limit == 5}]\n"

ATOMS = (
    *("is.p", "is.q", "is.p", "is.q", "named", "shared", "in(red)", "in(blue)", "any(red)", "all(blue)"),
    *(
        "one(red)",
        "first(blue) == here",
        "in(A)",
        "in(a.B)",
        "in(b.A)",
        "in(c.C)",
        "any(a.A)",
        "tries(B) > 1",
    ),
    *("tries(C) < 3", "event.n == 1", "event.n > 0", "event.connector == here", "in(red, event.connector)"),
    *(
        "in(a.A, event.n)",
        "Limit > 2",
        "Limit == event.n",
        "event.kind == Soft",
        "event.kind != none",
        "here == 1",
    ),
)
WAITING = (
    *("is.p", "is.q", "event.n == 1", "event.n > 1", "in(blue) and is.q", "named and event.n > 0"),
    *("in(b.B)", "in(b.C)", "in(b.D)", "in(c.B)", "in(c.C)", "any(c.D)"),  # one chart waits for another
)
ACTIONS: tuple[Any, ...] = (
    *("note.one", "note.two", {"note.with": {"n": "event.n", "at": "here", "of": "first(red)", "p": "is.p"}}),
    *({"fact.set": {"fact": "'is.p'"}}, {"fact.clear": {"fact": "'is.p'"}}),
    *({"fact.set": {"fact": "'is.q'"}}, {"fact.clear": {"fact": "'is.q'"}}),
    *({"raise": "a.s"}, {"raise": {"b.s": {"n": "event.n", "connector": 2}}}, {"raise": {"b.s": {"n": 1}}}),
    *({"post.it": {"event": "y"}}, "ask.it", {"key.write": {"key": "Limit", "value": 3}}),
    *({"key.write": {"key": "Wait", "value": 7}}, {"key.write": {"key": "Wait", "value": 0}}, "debts.forget"),
    {"clock.set": {"ahead": 40}},
)
TIMERS = (
    *(("after", "5s"), ("after", "Wait"), ("after", "Wait * many.times"), ("after", "long.time")),
    *(("after", "backoff(1s, 4s, 2s)"), ("every", "4s"), ("every", "Wait"), ("at", "1m"), ("at", "Wait")),
)


def written(value: Any) -> str:
    """YAML on one line. A text in single quotes stays in them."""
    match value:
        case dict():
            return "{" + ", ".join(f"{written(key)}: {written(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(written, value)) + "]"
        case str() if not re.fullmatch(r"'[\w.]+'|[\w. ()*]+", value):
            return f'"{value}"'
    return str(value)


def guard(rng: Random, deep: int = 2) -> str:
    """A condition, of up to three questions."""
    match rng.randrange(5) if deep else 0:
        case 3:
            return f"not ({guard(rng, deep - 1)})"
        case 4:
            return f"({guard(rng, deep - 1)} {rng.choice(['and', 'or'])} {guard(rng, deep - 1)})"
    return rng.choice(ATOMS)


def actions(rng: Random) -> list[Any]:
    return [rng.choice(ACTIONS) for _ in range(rng.choice([0, 0, 0, 1, 1, 2]))]


def transition(rng: Random, kind: str, targets: str, replies: bool) -> dict[str, Any]:
    """What a trigger does."""
    made: dict[str, Any] = {"actions": actions(rng)}
    if kind == "always":  # mostly something to wait for, or nobody would ever rest there
        made["guard"] = rng.choice(WAITING) + (f" and {guard(rng)}" if rng.random() < 0.3 else "")
    elif rng.random() < 0.6:
        made["guard"] = guard(rng)
    if kind == "always" and rng.random() < 0.1:
        del made["guard"]
    if kind == "always" or rng.random() < 0.7:
        made["target"] = rng.choice(targets)
    if replies:
        made["reply"] = rng.choice(REPLIES)
    elif rng.random() < 0.1:
        made["reply"] = {rng.choice(CALLS): "Accepted"}  # pays, if anything is owed
    return made


def chart_text(rng: Random, name: str, scope: Any) -> str:
    """One chart. Its `always` mostly lead onwards in the file, so that most steps come to rest."""
    names = STATES[: rng.randint(2, len(STATES))]
    parents = {one: rng.choice(["", "", *names[:number]]) for number, one in enumerate(names)}

    def triggers(one: str) -> dict[str, Any]:
        made: dict[str, Any] = {}
        onwards = names[names.index(one) + 1 :] if one else ""
        for kind, trigger in (
            rng.choice(TRIGGERS) for _ in range(rng.randint(1, 5) if one else rng.randint(0, 2))
        ):
            targets = onwards if kind == "always" and rng.random() < 0.97 else names
            if targets:
                competing = [
                    transition(rng, kind, targets, trigger.startswith("ocpp."))
                    for _ in range(rng.randint(1, 2))
                ]
                made |= {kind: made.get(kind, {}) | {trigger: competing} if trigger else competing}
        return made

    def state(one: str) -> dict[str, Any]:
        made = triggers(one)
        inside = [child for child in names if parents[child] == one]
        if inside:
            made |= {"initial": rng.choice(inside), "states": {child: state(child) for child in inside}}
        if one:
            made |= {"entry": actions(rng), "exit": actions(rng)}
            tag = TAGS["AB".index(one)] if name == "a" and one in "AB" else rng.choice([*TAGS, None])
            made["tags"] = [tag] if tag else []
            if name == "a" and rng.random() < 0.5:
                made["status"] = rng.choice(["Available", "Charging"])
        return made

    whole = {"chart": name, "scope": scope, "guards": {"named": guard(rng).replace("named", "is.q")}}
    if rng.random() < 0.15:
        whole["invariants"] = [{"whenever": "note.two", "then": "not (is.p and is.q)"}]
    return "\n".join(f"{key}: {written(value)}" for key, value in (whole | state("")).items())


TRIGGERS = (
    *(("on", event) for event in (*EVENTS * 3, *SIGNALS, *CALLS * 2, "ask.done", "ocpp.*")),
    *[("always", "")] * 5,
    *TIMERS,
)
REPLIES = ("Accepted", "later", "later", {"error": "NotSupported"}, {"answer.make": {"n": "event.n"}})


def chart_set(rng: Random) -> dict[str, str]:
    """Texts by name, in the order of the index."""
    scopes = ("station", "connector", "connector", ["station", "connector"])
    return {name: chart_text(rng, name, rng.choice(scopes)) for name in CHARTS[: rng.choice([1, 2, 3, 3])]}


def event(rng: Random) -> tuple[Any, ...]:
    kind = rng.choice([{}, {}, {"kind": "soft"}, {"kind": "SOFT"}, {"kind": "Hard"}])
    name = rng.choice([*EVENTS, *EVENTS, *SIGNALS])
    return "event", name, rng.choice([None, 0, 1, 1, 2]), {"n": rng.choice([None, 0, 1, 1, 2, 3]), **kind}


def script(rng: Random) -> list[tuple[Any, ...]]:
    """What happens, one after the other."""
    made: list[tuple[Any, ...]] = []
    for _ in range(rng.randint(8, 25)):
        match rng.randrange(12):
            case 0 | 1:
                made.append(("fact", rng.choice(["is.p", "is.q"]), rng.randrange(3), rng.random() < 0.6))
            case 2 | 3:
                made.append(("time", rng.choice([0.5, 1.0, 3.0, 5.0, 61.0])))
            case 4:
                made.append(("answer", rng.randrange(4)))
            case 5:
                made.append(("late", rng.randrange(4)))
            case 6:
                _, _, number, fields = event(rng)
                made.append(("call", rng.choice(CALLS), number, fields))
            case _:
                made.append(event(rng))
    return made
