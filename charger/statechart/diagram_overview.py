"""How the charts of a set meet, as a sheet: one box per chart, what it answers, sends, hears and does.

Solid arrows are signals, from the chart that raises to the one that hears. Dashed arrows are tags and states
that a chart asks for with `in(…)`, from the chart that has them to the one that asks. What is named in
index.yaml and may be used anywhere is a word in the box, not an arrow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product

from charger.statechart import model
from charger.statechart.diagram_chart import HEADING, guard_lines, invariant_lines, scope_text, shared_guards
from charger.statechart.diagram_sheet import Box, Edge, Group, Line, Run, Sheet, Text, wrap
from charger.statechart.words import Vocabulary

_WIDTH = 235
"""Px that a line in a box may have."""
_LEGEND = (
    "A solid arrow is a signal, from the chart that raises it.",
    "A dashed arrow is a #tag or a State, to the chart that asks for it.",
)


def overview_sheet(chart_set: model.ChartSet, vocabulary: Vocabulary) -> Sheet:
    """All charts of a set, arranged for drawing: those of the station above, those of connectors below."""
    scopes = sorted({_scope(chart) for chart in chart_set.charts.values()}, reverse=True)
    groups = []
    for scope in scopes:
        boxes = tuple(
            Box(chart.name, "chart", f"chart-{chart.name}", text, "#f6f8fa", chart.description)
            for chart in chart_set.charts.values()
            if _scope(chart) == scope
            for text in (Text(tuple(_box(chart, chart_set, vocabulary))),)
        )
        heading = Text((Line((Run(scope_text(scope), "grey"),)),))
        groups.append(Group("-".join(scope), "scope", f"scope-{'-'.join(scope)}", heading, boxes, "#ffffff"))
    root = Group("", "sheet", "overview", Text(tuple(_heading(chart_set))), tuple(groups))
    edges = tuple(_edges(chart_set))
    return Sheet(root, edges, tuple(dict.fromkeys(_above(chart_set, edges))))


def _scope(chart: model.Chart) -> tuple[str, ...]:
    return tuple(sorted(set(chart.scopes)))


def _above(chart_set: model.ChartSet, edges: Sequence[Edge]) -> Iterator[tuple[str, str]]:
    """What meets nobody at the far ends: charts of the station on top, those of connectors at the bottom."""
    tied = {name for edge in edges for name in (edge.tail, edge.head)}
    rows: list[list[str]] = [[], [], [], []]
    for chart in chart_set.charts.values():
        station = "station" in chart.scopes
        row = (1 if station else 2) if chart.name in tied else (0 if station else 3)
        rows[row].append(chart.name)
    yield from product(rows[0], rows[1])
    yield from product(rows[2], rows[3])


def _heading(chart_set: model.ChartSet) -> Iterator[Line]:
    yield Line((Run("How the charts meet", "title"),))
    yield from wrap((Run(chart_set.description, "note"),), HEADING, hang=0)
    yield Line()
    for sentence in _LEGEND:
        yield Line((Run(sentence, "grey"),))
    yield from guard_lines(chart_set.guard_texts)
    for name, value in chart_set.settings.items():
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        yield from wrap((Run("setting ", "grey"), Run(name, "strong"), Run(f": {shown}")), HEADING)
    for kind, pins in (("input", chart_set.inputs), ("output", chart_set.outputs)):
        for pin in pins.values():
            what = (Run(pin.name, "strong"), Run(f" ({pin.scope})"), Run(f"  {pin.description}", "note"))
            yield from wrap((Run(f"{kind} ", "grey"), *what), HEADING)
    yield from invariant_lines(chart_set.invariants)


# -- boxes -------------------------------------------------------------------------------------------


def _box(chart: model.Chart, chart_set: model.ChartSet, vocabulary: Vocabulary) -> Iterator[Line]:
    yield Line((Run(chart.name, "name"),))
    yield from wrap((Run(chart.description, "note"),), _WIDTH, hang=0)
    rows = [(word, text) for word, text in _rows(chart, chart_set, vocabulary) if text]
    if rows:
        yield Line()
    for word, text in rows:
        yield from wrap((Run(f"{word} ", "grey"), Run(text)), _WIDTH)


def _rows(chart: model.Chart, chart_set: model.ChartSet, vocabulary: Vocabulary) -> Iterator[tuple[str, str]]:
    heard = [one for one in chart.transitions() if one.kind == "on"]
    calls = {*vocabulary.calls(), "ocpp.*"}
    answered = dict.fromkeys(one.trigger for one in heard if one.trigger in calls and one.reply)
    done = dict.fromkeys(use.name for use in model.uses(chart) if not use.raises)
    sent = [name for name in done if _is_ocpp(name)]
    apart = {*answered, *chart_set.signals()}
    yield "answers", ", ".join("any other call" if one == "ocpp.*" else _bare(one) for one in answered)
    yield "sends", ", ".join(_bare(name) for name in sent)
    yield (
        "hears",
        _by_subject(one.trigger for one in heard if one.trigger not in apart and not _is_answer(one)),
    )
    yield "does", _by_subject(name for name in done if name not in sent)
    yield "asks", ", ".join(shared_guards(chart, chart_set))


def _bare(word: str) -> str:
    return word.removeprefix("ocpp.")


def _is_ocpp(word: str) -> bool:
    """Whether it is a message: ocpp.Heartbeat, not ocpp.ignore_calls."""
    return word.startswith("ocpp.") and _bare(word)[:1].isupper()


def _is_answer(one: model.Transition) -> bool:
    """Whether it is what became of a message that was sent: ocpp.Heartbeat.accepted."""
    return _is_ocpp(one.trigger) and "." in _bare(one.trigger)


def _by_subject(words: Iterable[str]) -> str:
    """`cable.plugged, cable.unplugged` is `cable.plugged/unplugged`."""
    subjects: dict[str, list[str]] = {}
    for word in dict.fromkeys(words):
        subject, dot, rest = word.partition(".")
        subjects.setdefault(subject + dot, []).append(rest)
    return ", ".join(subject + "/".join(rest) for subject, rest in subjects.items())


# -- edges -------------------------------------------------------------------------------------------


def _edges(chart_set: model.ChartSet) -> Iterator[Edge]:
    for tail in chart_set.charts.values():
        raised = dict.fromkeys(use.name for use in model.uses(tail) if use.raises)
        for head in chart_set.charts.values():
            if tail is head:
                continue
            heard = {one.trigger for one in head.transitions()}
            signals = [f"^ {name}" for name in raised if name in heard]
            asked = dict.fromkeys(_shown(ref) for ref in _references(head) if _has(tail, ref))
            if signals:
                yield _edge(f"{tail.name}-{head.name}", tail, head, signals)
            if asked:
                yield _edge(f"{tail.name}-{head.name}-asked", tail, head, asked, asked=True)


def _edge(
    name: str, tail: model.Chart, head: model.Chart, words: Iterable[str], *, asked: bool = False
) -> Edge:
    text = Text(tuple(Line((Run(word),), name) for word in words))
    upwards = _scope(tail) == ("connector",) and _scope(head) == ("station",)
    return Edge(name, tail.name, head.name, text, kind="asked" if asked else "edge", upwards=upwards)


def _shown(ref: str) -> str:
    return ref.partition(".")[2] or f"#{ref}"


def _expressions(chart: model.Chart) -> Iterator[model.Expr]:
    yield from chart.guards.values()
    yield from (one.guard for one in chart.transitions() if one.guard)
    yield from (value for use in model.uses(chart) for _, value in use.arguments)


def _references(chart: model.Chart) -> Iterator[str]:
    for expr in _expressions(chart):
        yield from (part.ref for part in model.parts(expr) if isinstance(part, model.In))


def _has(chart: model.Chart, ref: str) -> bool:
    """Whether `power.Closed` or `energy` is a state or a tag of the chart."""
    name, _, state = ref.partition(".")
    if state:
        return name == chart.name and state in chart.states
    return any(tag == ref for one in chart.states.values() for tag, _ in one.tags)
