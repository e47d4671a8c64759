"""Where a set of charts uses a word: every place, with what it is used for.

A name may be an event here and a state there: the role says which. Nothing is checked; a name that does not
exist is used all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass

from charger.statechart import language, model
from charger.statechart.findings import Mark
from charger.statechart.model import Chart, ChartSet, Transition
from charger.statechart.source import Mapping, Node, Scalar, Sequence, read_text

HEARD, RAISED, PERFORMED, ASKED, DELAY = "heard", "raised", "performed", "asked", "delay"
TARGET, TAGGED, STATUS, REPLIED, WRITTEN = "target", "tagged", "status", "replied", "written"
ARGUMENT, WATCHED = "argument", "watched"
_INSIDE_ARE_NAMES = ("actions", "entry", "exit", "reply", "guards", "settings", "inputs", "outputs")
"""Keys inside which a key is a name of the author's, or an argument."""


@dataclass(frozen=True, slots=True)
class Place:
    """A use of a word."""

    name: str
    role: str
    mark: Mark
    where: str = ""
    """State, trigger and target, in words."""
    chart: str = ""
    """Empty: index.yaml."""


def places(charts: ChartSet) -> list[Place]:
    """Every use of every word, by file in the order of index.yaml."""
    found = list(_expressions(None, charts.guards, charts.invariants))
    for chart in charts.charts.values():
        found += _chart(chart)
    for file, text in charts.sources.items():
        root = read_text(text, file).root
        found += _keys(root) if root else ()
    return found


def way(transition: Transition) -> str:
    """A transition in one line: ``Engaging, on lock.engaged → Engaged``."""
    return f"{trigger(transition)}{f' → {transition.target}' if transition.target else ''}"


def trigger(transition: Transition) -> str:
    """State and trigger of a transition."""
    what = transition.kind if transition.kind == "always" else f"{transition.kind} {transition.trigger}"
    return f"{transition.source or 'any state'}, {what}"


def _chart(chart: Chart) -> Iterator[Place]:
    for state in chart.states.values():
        for tag, mark in state.tags:
            yield Place(tag, TAGGED, mark, state.name, chart.name)
        if state.status is not None and state.status_mark:
            yield Place(state.status, STATUS, state.status_mark, state.name, chart.name)
        for moment, uses in (("entry", state.entry), ("exit", state.exit)):
            yield from _uses(chart, uses, f"{state.name}, {moment}")
        for transition in state.transitions:
            yield from _transition(chart, transition)
    yield from _expressions(chart, chart.guards, chart.invariants)


def _transition(chart: Chart, transition: Transition) -> Iterator[Place]:
    where = way(transition)
    if transition.kind == "on":
        heard = (transition.source or "any state") + (f" → {transition.target}" if transition.target else "")
        yield Place(transition.trigger, HEARD, transition.trigger_mark, heard, chart.name)
    match transition.delay:
        case model.OfKey(key=key, factor=factor):
            for name in filter(None, (key, factor)):
                yield Place(name, DELAY, transition.trigger_mark, where, chart.name)
        case model.OfFact(fact=fact):
            yield Place(fact, DELAY, transition.trigger_mark, where, chart.name)
        case model.Backoff():
            yield Place("backoff", DELAY, transition.trigger_mark, where, chart.name)
        case _:
            pass
    if transition.target and transition.target_mark:
        yield Place(transition.target, TARGET, transition.target_mark, where, chart.name)
    if transition.guard is not None:
        yield from _parts(chart, transition.guard, where)
    if transition.reply:
        yield from _reply(chart, transition.reply, where)
    yield from _uses(chart, transition.actions, where)


def _reply(chart: Chart, reply: model.Reply, where: str) -> Iterator[Place]:
    if reply.pays and reply.pays_mark:
        yield Place(reply.pays, REPLIED, reply.pays_mark, where, chart.name)
    if reply.kind in ("later", "error"):
        yield Place(reply.kind, REPLIED, reply.mark, where, chart.name)
    yield Place(reply.name, REPLIED, reply.mark, where, chart.name)
    for _, value in reply.arguments:
        yield from _parts(chart, value, where)


def _uses(chart: Chart, uses: tuple[model.Use, ...], where: str) -> Iterator[Place]:
    for use in uses:
        yield Place(use.name, RAISED if use.raises else PERFORMED, use.mark, where, chart.name)
        if use.raises:
            yield Place("raise", PERFORMED, use.mark, where, chart.name)
        for (name, value), mark in zip(use.arguments, use.argument_marks, strict=True):
            yield Place(name, ARGUMENT, mark, where, chart.name)
            yield from _parts(chart, value, where)
            if isinstance(value, model.Const) and isinstance(value.value, str):
                yield Place(value.value, ARGUMENT, value.mark, where, chart.name)


def _expressions(
    chart: Chart | None,
    guards: MappingOf[str, model.Expr],
    invariants: tuple[model.Invariant, ...],
) -> Iterator[Place]:
    owner = chart.name if chart else ""
    for name, expr in guards.items():
        yield from _parts(chart, expr, f"guard {name}")
    for invariant in invariants:
        where = f"invariant: {invariant.text}"
        for condition in (invariant.never, invariant.then):
            if condition is not None:
                yield from _parts(chart, condition, where)
        for name, mark in invariant.whenever:
            yield Place(name, WATCHED, mark, where, owner)
        if invariant.home:
            yield Place(f"{owner}.{invariant.home}", ASKED, invariant.mark, where, owner)


def _parts(chart: Chart | None, expr: model.Expr, where: str) -> Iterator[Place]:
    owner = chart.name if chart else ""
    for part in model.parts(expr):
        match part:
            case model.Name(name=name) | model.Capital(name=name):
                yield Place(name, ASKED, part.mark, where, owner)
            case model.Tries(state=name):
                yield Place("tries", ASKED, part.mark, where, owner)
                yield Place(f"{owner}.{name}", ASKED, part.mark, where, owner)
            case model.In(how=how, ref=ref):
                yield Place(how, ASKED, part.mark, where, owner)
                own = f"{owner}.{ref}" if ref[0].isupper() else ref
                yield Place(own, ASKED, part.mark, where, owner)
            case model.Between():
                yield Place("clock.between", ASKED, part.mark, where, owner)
            case model.EventField(name=name):
                for word in ("event", f"event.{name}"):
                    yield Place(word, ASKED, part.mark, where, owner)
            case model.Here():
                yield Place("here", ASKED, part.mark, where, owner)
            case model.Const(value=None):
                yield Place("none", ASKED, part.mark, where, owner)
            case model.And():
                yield Place("and", ASKED, part.mark, where, owner)
            case model.Or():
                yield Place("or", ASKED, part.mark, where, owner)
            case model.Not():
                yield Place("not", ASKED, part.mark, where, owner)
            case _:
                pass


def _keys(node: Node) -> Iterator[Place]:
    """Keys of the language, where the language has them: not among the arguments of an action."""
    if isinstance(node, Sequence):
        for item in node.items:
            yield from _keys(item)
    elif isinstance(node, Mapping):
        for key, value in node.items:
            if key.raw in language.WORDS and not key.raw.startswith("ocpp."):
                yield Place(key.raw, WRITTEN, key.mark)
            if key.raw not in _INSIDE_ARE_NAMES:
                yield from _keys(value)
            if key.raw in ("type", "scope"):
                yield from (
                    Place(item.raw, WRITTEN, item.mark)
                    for item in (value.items if isinstance(value, Sequence) else (value,))
                    if isinstance(item, Scalar)
                )
