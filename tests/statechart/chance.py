"""Charts by chance, as they are written: every key and every form of the language, and nothing wrong in them."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import quoteattr

from hypothesis import strategies as st

NAMES = st.sampled_from(["Aa", "Bb"])
TEXTS = st.sampled_from(["a text", "why: because", 5, True])
GUARDS = st.sampled_from(["cable.present", "online and not in(energy)", True, ["ev.asks", "cable.fixed"]])
ACTIONS = st.lists(
    st.sampled_from(
        [
            *("lock.engage", {"fault.raise": {"error": "GroundFailure"}}, {"raise": "lock.word"}),
            *({"raise": {"lock.word": {"tag": "event.tag"}}}, {"light.follow": {"Available": "green"}}),
            {"transaction.ending": {"reason": "Remote"}},
        ]
    ),
    max_size=2,
)
REPLIES = ["Unlocked", "later", {"error": "NotSupported"}]
PAYMENT = [{"ocpp.UnlockConnector": "Unlocked"}]
READING = [{"configuration.read": {"key": "event.key"}}, {"configuration.read": None}]


def some(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=parts)


TARGETED = st.fixed_dictionaries(
    {"target": NAMES}, optional={"guard": GUARDS, "actions": ACTIONS, "description": TEXTS}
)


def transitions(replies: list[Any]) -> st.SearchStrategy[Any]:
    one = some(actions=ACTIONS, reply=st.sampled_from(replies), guard=GUARDS).filter(bool)
    return NAMES | TARGETED | one | st.lists(NAMES | TARGETED | one, min_size=1, max_size=2)


PAYING = transitions(PAYMENT)
DELAYS = st.sampled_from(["500ms", "1.5h", "ConnectionTimeOut", "registration.interval"])
BACKOFF = st.sampled_from(["backoff(1s, 10s, 0s)", "ConnectionTimeOut * queue.transmissions"])
BEHAVIOUR = {
    "on": st.fixed_dictionaries(
        {},
        optional={
            "cable.plugged": PAYING,
            "lock.word": PAYING,
            "ocpp.UnlockConnector": transitions(REPLIES),
            "ocpp.GetConfiguration": transitions(READING),
        },
    ),
    "always": NAMES | TARGETED | st.lists(TARGETED, min_size=1, max_size=2),
    "after": st.dictionaries(DELAYS | BACKOFF, PAYING, max_size=2),
    "every": st.dictionaries(DELAYS, PAYING, max_size=1),
    "at": st.dictionaries(DELAYS | st.just("22:00"), PAYING, max_size=1),
}
LEAF = some(
    description=TEXTS,
    status=st.sampled_from(["Available", "Faulted"]),
    tags=st.lists(st.sampled_from(["free", "other_tag"]), max_size=2),
    type=st.just("final"),
    entry=ACTIONS,
    exit=ACTIONS,
    **BEHAVIOUR,
)
INVARIANTS = st.sampled_from(
    [
        {"never": "in(Aa)", "description": "x"},
        {"whenever": "lock.engage, lock.release", "then": ["ev.asks"]},
        {"whenever": ["lock.engage"], "then": "ev.asks"},
        {"home": "Aa"},
    ]
)


@st.composite
def charts(draw: st.DrawFn) -> dict[str, Any]:
    written = draw(some(description=TEXTS, invariants=st.lists(INVARIANTS, max_size=2), **BEHAVIOUR))
    written |= {"chart": "lock", "scope": draw(st.sampled_from(["station", ["station", "connector"]]))}
    if draw(st.booleans()):
        written["guards"] = draw(st.dictionaries(st.just("one_guard"), GUARDS))
    states: dict[str, Any] = {name: draw(st.none() | LEAF) for name in ("Aa", "Bb")}
    if draw(st.booleans()):
        states["Bb"] = (states["Bb"] or {}) | {"initial": "Cc", "states": {"Cc": draw(LEAF)}}
    return written | {"initial": "Aa", "states": states}


# -- what other tools might write, right and wrong -----------------------------------------------------

_ODD = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False)
_TEXT = st.sampled_from(
    ["a", "b", "#a", "#b.a", ".a", "final", "parallel", "history", "x: y", "", "{", "é\n", "in(A)", "'"]
)
_KEYS = st.sampled_from(
    [
        *("id", "initial", "states", "type", "on", "always", "after", "entry", "exit", "target", "guard"),
        *("actions", "meta", "params", "tags", "description", "reply", "guards", "reenter", "status"),
        *("a", "b", "On", "x.y", "1000", "*", "raise x"),
    ]
)
_JSON: st.SearchStrategy[Any] = st.recursive(
    _ODD | _TEXT, lambda inside: st.lists(inside, max_size=3) | st.dictionaries(_KEYS, inside, max_size=4)
)
MACHINES = st.fixed_dictionaries(
    {"states": st.dictionaries(st.sampled_from(["a", "b", "on", "A", "é", "1"]), _JSON, max_size=4)},
    optional={"initial": _TEXT, "on": _JSON, "meta": _JSON, "id": _ODD | _TEXT},
)
"""Configurations of XState, more or less."""

_TAGS = st.sampled_from(
    [
        *("state", "final", "parallel", "history", "initial", "onentry", "onexit", "transition", "raise"),
        *("send", "cancel", "log", "datamodel"),
    ]
)
_ATTRIBUTES = st.dictionaries(
    st.sampled_from(
        ["id", "initial", "event", "cond", "target", "type", "name", "delay", "sendid", "delayexpr"]
    ),
    st.sampled_from(
        ["a", "b", "a b", "", "*", "x.*", "In('a')", "!(", "1s", "2.5ms", "internal", "on", "é", "x.y", "--"]
    ),
    max_size=4,
)


def _element(parts: tuple[str, dict[str, str], list[str]]) -> str:
    tag, attributes, inside = parts
    shown = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
    return f"<{tag}{shown}>{''.join(inside)}</{tag}>"


_ELEMENTS: st.SearchStrategy[str] = st.recursive(
    st.tuples(_TAGS, _ATTRIBUTES, st.just([])).map(_element),
    lambda inside: st.tuples(_TAGS, _ATTRIBUTES, st.lists(inside, max_size=4)).map(_element),
)
DOCUMENTS = st.lists(_ELEMENTS, max_size=5).map(
    lambda inside: f'<scxml xmlns="http://www.w3.org/2005/07/scxml">{"".join(inside)}</scxml>'
)
"""Documents of SCXML, more or less."""
