"""A difference in words, in the charts' own terms: one sentence per fact, and what belongs to it below.

Words of a chart stand in backticks, so that Markdown can show them as code; states stand as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from charger.statechart import model
from charger.statechart.diagram_chart import scope_text
from charger.statechart.diagram_words import acts, reply_text, use_text
from charger.statechart.diff import Fact, SetDiff, place_of
from charger.statechart.findings import Mark
from charger.statechart.meaning import Meaning, named
from charger.statechart.wording import expression_text, value_text

EVERYWHERE = "everywhere"
"""What the chart itself is called, where a state would be named."""


@dataclass(frozen=True, slots=True)
class Told:
    """A fact in words."""

    text: str
    details: tuple[str, ...] = ()


def tell(diff: SetDiff, chart: str, fact: Fact) -> Told:
    """A fact of a chart (empty: of index.yaml) in words."""
    if not chart:
        return _IndexWords(diff).tell(fact)
    return _ChartWords(diff, chart).tell(fact)


def plain(text: str) -> str:
    """Without backticks."""
    return text.replace("`", "")


def change_note(old: model.Transition, new: model.Transition) -> tuple[str, ...]:
    """What a changed transition was, in the words of the pictures."""
    was = []
    if old.trigger != new.trigger:
        was.append(f"{old.kind} {old.trigger}")
    if old.guard_text != new.guard_text:
        was.append(f"[{old.guard_text}]" if old.guard else "without guard")
    if old.target != new.target:
        was.append(f"→ {old.target}" if old.target else "stayed")
    replies = [reply_text(one.reply) if one.reply else "" for one in (old, new)]
    if replies[0] != replies[1]:
        was.append(f"↩ {replies[0] or 'nothing'}")
    if acts(old.actions) != acts(new.actions):
        was.append(f"/ {acts(old.actions) or 'nothing'}")
    return (f"was {'  '.join(was)}",) if was else ()


class _ChartWords:
    def __init__(self, diff: SetDiff, chart: str) -> None:
        self._diff = diff
        self._chart = diff.charts[chart]
        self._old, self._new = self._chart.old, self._chart.new
        self._before = Meaning(self._old, named(self._old, diff.old), diff.renamed).as_written()
        self._after = Meaning(self._new, named(self._new, diff.new)).as_written()

    def tell(self, fact: Fact) -> Told:
        where, old, new = fact.name or EVERYWHERE, fact.old, fact.new
        match fact.subject, fact.kind:
            case "state", "added":
                return self._new_state(new)
            case "state", _:
                inside = f" of {old.parent}" if old.parent else ""
                said = _join(self._about(self._old, old))
                return Told(f"state {where}{inside} is gone{f' (was {said})' if said else ''}")
            case "name", _:
                return Told(f"state {old} is now named {new}")
            case "parent", _:
                places = [f"inside {name}" if name else "on the outside" for name in (new, old)]
                return Told(f"{where} is now {places[0]} (was {places[1]})")
            case "initial", _:
                begins = f"{fact.name} begins" if fact.name else "begins"
                return Told(f"{begins} in {new or 'no state'} now (was {old or 'none'})")
            case "status", _:
                return Told(f"{where}: {_status(old, new)}")
            case "tags", _:
                return Told(f"{where}: {'; '.join(self._tags(old, new))}")
            case "final", _:
                return Told(f"{where} is {'final now' if new else 'not final any more'}")
            case (("entry" | "exit"), _):
                return Told(f"{where}: on {fact.subject} {'; '.join(_uses(old, new))}")
            case "transition", "added":
                return Told(f"{where}: new: {_whole(new, self._new)}{self._otherwise(fact)}")
            case "transition", "removed":
                went = _join(_effects(old, past=True))
                return Told(f"{where}: {self._head(old, self._old)} is gone ({went}){self._otherwise(fact)}")
            case "transition", _:
                return Told(f"{where}: {self._change(old, new)}")
            case "order", _:
                return _order(where, old, new)
            case "guard", _:
                return _guard_change(fact, self._before, self._after)
            case "invariant", _:
                return _promise(fact)
            case _:
                return Told(f"is now {scope_text(new)} (was {scope_text(old)})")

    # -- states ------------------------------------------------------------------------------------------

    def _new_state(self, state: model.State) -> Told:
        inside = f" in {state.parent}" if state.parent else ""
        said = "".join(f", {part}" for part in self._about(self._new, state))
        return Told(f"new state {state.name}{inside}{said}", tuple(_content(state, self._new)))

    def _about(self, chart: model.Chart, state: model.State) -> Iterator[str]:
        """What is said about a state, and how it is reached."""
        if state.status:
            yield f"status {state.status}"
        if state.tags:
            yield f"tagged {_codes(tag for tag, _ in state.tags)}"
        if state.final:
            yield "final"
        around = chart.states[state.parent or ""]
        ways = [
            f"{_name(one)} {_trigger(one)}"
            for one in chart.transitions()
            if one.target == state.name != one.source
        ]
        ways += [f"the beginning of {around.name or 'the chart'}"] * (around.initial == state.name)
        if ways:
            yield f"reached from {_join(dict.fromkeys(ways))}"

    def _tags(self, lost: Iterable[str], gained: Iterable[str]) -> Iterator[str]:
        for tag in gained:
            yield f"now tagged `{tag}`{_askers(self._diff.new, tag)}"
        for tag in lost:
            yield f"no longer tagged `{tag}`{_askers(self._diff.old, tag)}"

    # -- transitions -------------------------------------------------------------------------------------

    def _head(self, one: model.Transition, chart: model.Chart, *, guard: bool = True) -> str:
        """What it reacts to; if others compete with it its guard too, or with `guard` off its place."""
        rivals = _rivals(one, chart)
        if len(rivals) == 1:
            return _trigger(one)
        which = (
            (_guard(one) or "otherwise") if guard else f"({_ordinal(place_of(one, rivals))} of {len(rivals)})"
        )
        return f"{_trigger(one)} {which}"

    def _change(self, old: model.Transition, new: model.Transition) -> str:
        before, after = self._before, self._after
        changes = []
        stays = before.state(old.target) == new.target
        if not stays:
            now = f"goes to {new.target}" if new.target else "stays"
            changes.append(
                f"now {now} (was {before.state(old.target) or 'stayed'})".replace("was stayed", "stayed")
            )
        asked = before.expression(old.guard), after.expression(new.guard)
        if asked[0] != asked[1]:
            changes.append(_condition_change(old.guard, new.guard, before, after, _TRANSITION_ASKS))
        if before.reply(old.reply) != after.reply(new.reply):
            said = [reply_text(reply) if reply else "" for reply in (old.reply, new.reply)]
            now = f"is now answered {_code(said[1])}" if said[1] else "is no longer answered"
            changes.append(f"{now} ({f'was {_code(said[0])}' if said[0] else 'was not'})")
        changes += (
            _uses(old.actions, new.actions) if before.uses(old.actions) != after.uses(new.actions) else []
        )
        head = self._head(new, self._new, guard=asked[0] == asked[1])
        if before.trigger(old) != after.trigger(new):
            head += f" (was `{old.trigger}`)"
        goes = f" goes to {new.target}" if stays and new.target else ""
        return f"{head}{goes}{', ' if goes and changes else ' ' if changes else ''}{', '.join(changes)}"

    def _otherwise(self, fact: Fact) -> str:
        """What a call is answered on the side that lacks this: further out, or by another chart."""
        one = fact.new or fact.old
        if one.kind != "on" or not one.reply or one.reply.pays or one.guard:
            return ""
        side, chart = (self._diff.old, self._old) if fact.new else (self._diff.new, self._new)
        back = {new: old for old, new in self._chart.renamed.items()} if fact.new else {}
        state = back.get(fact.name, fact.name)
        around = chart.lineage(state) if state in chart.states else iter(())
        found = [(chart.name, way) for outer in around for way in outer.transitions if way.key == one.key]
        found = [pair for pair in (found or _default(side, chart, one.trigger)) if pair[1].guard is None]
        if not found or (
            found[0][0] == chart.name and found[0][1].source == state and found[0][1].key == one.key
        ):
            return ""
        name, way = found[0]
        by = "" if name == chart.name and way.key == one.key else f", by `{way.trigger}` of `{name}`"
        said = _code(reply_text(way.reply)) if way.reply else "nothing"
        return f"; {'so far' if fact.new else 'now'} {said}{by}"


class _IndexWords:
    def __init__(self, diff: SetDiff) -> None:
        self._diff = diff

    def tell(self, fact: Fact) -> Told:
        name, old, new = fact.name, fact.old, fact.new
        match fact.subject, fact.kind:
            case "chart", "added":
                order = list(self._diff.new.charts)
                head = f"new chart `{name}`, {scope_text(new.scopes)}, offered events {_behind(name, order)}"
                return Told(head, tuple(_inside(new)))
            case "chart", _:
                return Told(f"chart `{name}` is gone, {scope_text(old.scopes)}", tuple(_inside(old)))
            case "charts", _:
                moved = [f"`{one}` {_behind(one, new)} (was {_behind(one, old)})" for one in _moved(old, new)]
                return Told(f"charts are offered events in another order: {_join(moved)}")
            case "guard", _:
                before = Meaning(None, self._diff.old.guards, self._diff.renamed).as_written()
                after = Meaning(None, self._diff.new.guards).as_written()
                return _guard_change(fact, before, after, charts=True)
            case "invariant", _:
                return _promise(fact)
            case "setting", "added":
                return Told(f"new setting `{name}`: {_setting(new)}")
            case "setting", "removed":
                return Told(f"setting `{name}` is gone (was {_setting(old)})")
            case "setting", _:
                return Told(f"setting `{name}` is now {_setting(new)} (was {_setting(old)})")
            case _:
                return self._pin(fact)

    def _pin(self, fact: Fact) -> Told:
        """An input or an output."""
        old, new = (pin and scope_text([pin.scope]) for pin in (fact.old, fact.new))
        what = f"{fact.subject} `{fact.name}`"
        if fact.kind == "added":
            return Told(f"new {what}, {new}")
        return Told(f"{what} is now {new} (was {old})" if new else f"{what} is gone, {old}")


# -- whole states and charts ---------------------------------------------------------------------------------


def _inside(chart: model.Chart) -> Iterator[str]:
    """All that a chart does; who adds or drops one adds or drops all of it."""
    yield f"states: {_join(filter(None, chart.states))}"
    for state in chart.states.values():
        yield from (f"{state.name or EVERYWHERE}: {line}" for line in _content(state, chart))


def _content(state: model.State, chart: model.Chart) -> Iterator[str]:
    for kind, uses in (("entry", state.entry), ("exit", state.exit)):
        if uses:
            yield f"on {kind} does {_acts(uses)}"
    yield from (_whole(one, chart) for one in state.transitions)


def _whole(one: model.Transition, chart: model.Chart) -> str:
    rivals = _rivals(one, chart)
    tried = f" (tried {_ordinal(place_of(one, rivals))} of {len(rivals)})" if len(rivals) > 1 else ""
    condition = f" if {_guard(one)}" if one.guard else ""
    return f"{_trigger(one)}{condition} {_join(_effects(one))}{tried}"


# -- phrases ---------------------------------------------------------------------------------------------


def _join(words: Iterable[str]) -> str:
    return ", ".join(words)


def _code(text: str) -> str:
    return f"`{text}`"


def _codes(words: Iterable[str]) -> str:
    return _join(map(_code, words))


def _ordinal(number: int) -> str:
    return {1: "1st", 2: "2nd", 3: "3rd"}.get(number, f"{number}th")


def _name(one: model.Transition) -> str:
    return one.source or EVERYWHERE


def _trigger(one: model.Transition) -> str:
    return f"{one.kind} `{one.trigger}`" if one.trigger else one.kind


def _guard(one: model.Transition) -> str:
    return f"`[{one.guard_text}]`" if one.guard else ""


def _condition(expr: model.Expr) -> str:
    return f"`[{expression_text(expr)}]`"


def _rivals(one: model.Transition, chart: model.Chart) -> list[model.Transition]:
    return [other for other in chart.states[one.source].transitions if other.key == one.key]


def _acts(uses: Iterable[model.Use]) -> str:
    return _codes(f"^ {use_text(use)}" if use.raises else use_text(use) for use in uses)


def _effects(one: model.Transition, *, past: bool = False) -> Iterator[str]:
    """What a transition does; where it does nothing else, that it stays."""
    goes, answers, does, stays = (
        ("went to", "answered", "did", "stayed") if past else ("goes to", "answers", "does", "stays")
    )
    if one.target:
        yield f"{goes} {one.target}"
    if one.reply:
        yield f"{answers} {_code(reply_text(one.reply))}"
    if one.actions:
        yield f"{does} {_acts(one.actions)}"
    if not (one.target or one.reply or one.actions):
        yield stays


def _uses(old: Sequence[model.Use], new: Sequence[model.Use]) -> list[str]:
    """How a list of actions changed."""
    before, after = ([_acts([use]) for use in uses] for uses in (old, new))
    lost, gained = Counter(before) - Counter(after), Counter(after) - Counter(before)
    if not lost and not gained:
        return [f"does {_join(after)} in this order (was {_join(before)})"]
    said = []
    for use, text in zip(new, after, strict=True):
        if not gained[text]:
            continue
        gained[text] -= 1
        was = next((one for one in old if one.name == use.name and lost[_acts([one])]), None)
        if was:
            lost[_acts([was])] -= 1
        said.append(f"does {text} (was {_acts([was])})" if was else f"also does {text}")
    return [*said, *(f"no longer does {text}" for text in lost.elements())]


_TRANSITION_ASKS = {
    "more": "now only if also {}",
    "new": "now only if {}",
    "fewer": "no longer asks {}",
    "wider": "now also if {}",
    "narrower": "no longer if {}",
    "instead": "now asks {} instead of {}",
    "other": "now if {} (was {})",
}
_GUARD_IS = {
    "more": "needs {} now",
    "fewer": "no longer needs {}",
    "wider": "is also true with {} now",
    "narrower": "is no longer true with {}",
    "instead": "asks {} now instead of {}",
    "other": "is now {} (was {})",
}


def _condition_change(
    old: model.Expr | None, new: model.Expr | None, before: Meaning, after: Meaning, words: Mapping[str, str]
) -> str:
    """How a condition changed: by what was added to it or taken away, if that is all."""
    if old is None:
        return words["new"].format(_condition(new) if new else "")
    if new is None:
        return words["fewer"].format(_condition(old))
    kinds: tuple[tuple[type[model.And | model.Or], str, str], ...] = (
        (model.And, "more", "fewer"),
        (model.Or, "wider", "narrower"),
    )
    for kind, more, less in kinds:
        had, has = before.parts(old, kind), after.parts(new, kind)
        lost = tuple(part for key, part in had.items() if key not in has)
        gained = tuple(part for key, part in has.items() if key not in had)
        if bool(lost) != bool(gained):
            return words[more if gained else less].format(_joined(kind, gained or lost))
        if kind is model.And and len(gained) < len(has):
            return words["instead"].format(_joined(kind, gained), _joined(kind, lost))
    return words["other"].format(_condition(new), _condition(old))


def _joined(kind: type[model.And | model.Or], parts: tuple[model.Expr, ...]) -> str:
    return _condition(kind(parts[0].mark, parts) if len(parts) > 1 else parts[0])


def _order(where: str, old: Sequence[int | None], new: Sequence[model.Transition]) -> Told:
    lines = []
    for place, (before, one) in enumerate(zip(old, new, strict=True), 1):
        was = "" if before == place else f" (was {_ordinal(before)})" if before else " (new)"
        lines.append(f"{_ordinal(place)} {_guard(one) or 'otherwise'} {_join(_effects(one))}{was}")
    return Told(f"{where}: {_trigger(new[0])} is tried in another order", tuple(lines))


def _guard_change(fact: Fact, before: Meaning, after: Meaning, *, charts: bool = False) -> Told:
    said = _condition_change(fact.old, fact.new, before, after, _GUARD_IS)
    users = []
    for chart, one in fact.concerned:
        lead, goes = f"{chart}: " if charts else "", f" → {one.target}" if one.target else ""
        users.append(f"concerns {lead}{_name(one)} {_trigger(one)} {_guard(one)}{goes}")
    return Told(f"guard `{fact.name}` {said}", tuple(users))


def _status(old: str | None, new: str | None) -> str:
    if new is None:
        return f"shows no status of its own any more (was {old})"
    return f"status is now {new} ({f'was {old}' if old else 'had none'})"


def _promise(fact: Fact) -> Told:
    old, new = (one and f"`{one.text}`" for one in (fact.old, fact.new))
    if fact.kind == "added":
        return Told(f"new promise: {new}")
    return Told(f"promise is now {new} (was {old})" if new else f"promise is gone: {old}")


def _setting(value: str | float) -> str:
    return f"`{value_text(model.Const(Mark('', 1, 1), value))}`"


def _behind(name: str, order: Sequence[str]) -> str:
    place = list(order).index(name)
    return f"after `{order[place - 1]}`" if place else "first"


def _moved(old: Sequence[str], new: Sequence[str]) -> list[str]:
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    kept = {name for block in blocks for name in old[block.a : block.a + block.size]}
    return [name for name in new if name not in kept]


def _askers(charts: model.ChartSet, tag: str) -> str:
    """Which charts ask for a tag."""
    shared = list(charts.guards.values())
    asking = [chart.name for chart in charts.charts.values() if _asks_tag(model.guards_of(chart), tag)]
    asking += ["index.yaml"] * _asks_tag(shared, tag)
    return f" (asked by {_codes(asking)})" if asking else ""


def _asks_tag(exprs: Iterable[model.Expr], tag: str) -> bool:
    return any(isinstance(part, model.In) and part.ref == tag for expr in exprs for part in model.parts(expr))


def _default(charts: model.ChartSet, chart: model.Chart, call: str) -> list[tuple[str, model.Transition]]:
    """Who answers a call where this chart does not: what mentions it in its scope, else ``ocpp.*``."""
    others = [one for one in charts.charts.values() if set(one.scopes) & set(chart.scopes)]
    ways = [(one.name, way) for one in others for way in one.transitions() if way.kind == "on"]
    mentioned = [pair for pair in ways if pair[1].trigger == call]
    return mentioned or [pair for pair in ways if pair[1].trigger == "ocpp.*"]
