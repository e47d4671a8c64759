"""How the charts of a set meet, as a sheet: one box per chart, what it answers, hears, sends and does.

Solid arrows are signals, from the chart that raises to the one that hears. Dashed arrows are tags and states
that another chart asks for with `in(…)`, from the chart that has them to the one that asks. Knows nothing of
layout.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from charger.statechart import model
from charger.statechart.diagram_chart import HEADING, invariant_lines
from charger.statechart.diagram_sheet import Box, Edge, Group, Line, Run, Sheet, Text, wrap
from charger.statechart.words import Vocabulary

WIDTH = 235
"""Px that a line in a box may have."""
_SCOPES = {
    ("station",): "one for the station",
    ("connector",): "one for each connector",
}


def scope_text(scopes: tuple[str, ...]) -> str:
    """How many instances a chart has, in words."""
    return _SCOPES.get(scopes, "one for the station and one for each connector")


def overview_sheet(chart_set: model.ChartSet, vocabulary: Vocabulary) -> Sheet:
    """All charts of a set, arranged for drawing."""
    groups: dict[tuple[str, ...], list[Box]] = {}
    for chart in chart_set.charts.values():
        lines = tuple(_box_lines(chart, chart_set, vocabulary))
        box = Box(chart.name, f"chart-{chart.name}", "chart", Text(lines), "#f6f8fa", chart.description)
        groups.setdefault(tuple(sorted(chart.scopes)), []).append(box)
    inside = tuple(
        Group(
            "-".join(scopes), f"scope-{'-'.join(scopes)}", "scope", Text((Line((Run(scope_text(scopes), "grey"),)),)), tuple(boxes)
        )
        for scopes, boxes in groups.items()
    )
    root = Group("", "overview", "sheet", Text(tuple(_heading(chart_set))), inside)
    edges = tuple(_edges(chart_set))
    return Sheet(root, edges, tuple(_above(groups, edges)))


def _above(groups: Mapping[tuple[str, ...], list[Box]], edges: tuple[Edge, ...]) -> Iterator[tuple[str, str]]:
    joined = {name for edge in edges for name in (edge.tail, edge.head)}
    for scopes, boxes in groups.items():
        loose = [box.name for box in boxes if box.name not in joined]
        tied = [box.name for box in boxes if box.name in joined]
        for one in loose:
            for other in tied:
                yield (other, one) if "connector" in scopes else (one, other)
    for one in groups.get(("station",),()):
      for other in groups.get(("connector",),()):
        if one.name in joined and other.name in joined:
          yield one.name, other.name


def _heading(chart_set: model.ChartSet) -> Iterator[Line]:
    yield Line((Run("How the charts meet", "title"),))
    if chart_set.description:
        yield from wrap((Run(chart_set.description, "note"),), HEADING, hang=0)
    yield Line()
    solid = "solid: a signal, from the chart that raises it. dashed: a tag or a state, to the chart that asks for it."
    yield Line((Run(solid, "grey"),))
    for name, text in chart_set.guard_texts.items():
        yield from wrap((Run(name, "strong"), Run(f" := {text}")), HEADING)
    for name, value in chart_set.settings.items():
        yield from wrap((Run("setting ", "grey"), Run(f"{name}: {model_text(value)}")), HEADING)
    for kind, pins in (("input", chart_set.inputs), ("output", chart_set.outputs)):
        for pin in pins.values():
            words = (Run(f"{kind} ", "grey"), Run(f"{pin.name} ({pin.scope})"), Run(f"  {pin.description}", "note"))
            yield from wrap(words, HEADING)
    yield from invariant_lines(chart_set.invariants, HEADING)


def model_text(value: object) -> str:
    """A value as YAML has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


# -- boxes -------------------------------------------------------------------------------------------


def _box_lines(chart: model.Chart, chart_set: model.ChartSet, vocabulary: Vocabulary) -> Iterator[Line]:
    yield Line((Run(chart.name, "name"),))
    yield from wrap((Run(chart.description, "note"),), WIDTH, hang=0)
    rows = [(word, text) for word, text in _rows(chart, chart_set, vocabulary) if text]
    if rows:
        yield Line()
    for word, text in rows:
        yield from wrap((Run(f"{word} ", "grey"), Run(text)), WIDTH)


def _rows(chart: model.Chart, chart_set: model.ChartSet, vocabulary: Vocabulary) -> Iterator[tuple[str, str]]:
    transitions = list(chart.transitions())
    calls = {*vocabulary.calls(), "ocpp.*"}
    triggers = dict.fromkeys(one.trigger for one in transitions if one.kind == "on")
    answered = [one for one in triggers if one in calls]
    signals = chart_set.signals()
    heard = [one for one in triggers if one not in signals and not one.startswith("ocpp.")]
    acts = list(dict.fromkeys(use.name for use in model.uses(chart) if not use.raises))
    sent = [one for one in acts if one.startswith("ocpp.") and one[5].isupper()]
    shared = [name for name in _names(chart) if name in chart_set.guards and name not in chart.guards]
    yield "answers", ", ".join(one.removeprefix("ocpp.") if one != "ocpp.*" else "any other call" for one in answered)
    yield "sends", ", ".join(one.removeprefix("ocpp.") for one in sent)
    yield "hears", by_subject(heard)
    yield "does", by_subject(one for one in acts if one not in sent)
    yield "asks", ", ".join(dict.fromkeys(shared))


def by_subject(words: Iterable[str]) -> str:
    """`cable.plugged, cable.unplugged` is `cable.plugged/unplugged`."""
    subjects: dict[str, list[str]] = {}
    for word in words:
        subject, _, rest = word.partition(".")
        subjects.setdefault(subject, []).append(rest)
    return ", ".join(f"{subject}.{'/'.join(rest)}" for subject, rest in subjects.items())


# -- edges -------------------------------------------------------------------------------------------


def _edges(chart_set: model.ChartSet) -> Iterator[Edge]:
    signals: dict[tuple[str, str], list[str]] = {}
    asked: dict[tuple[str, str], list[str]] = {}
    for chart in chart_set.charts.values():
        raised = dict.fromkeys(use.name for use in model.uses(chart) if use.raises)
        for other in chart_set.charts.values():
            heard = {one.trigger for one in other.transitions()}
            for name in raised:
                if name in heard and other is not chart:
                    signals.setdefault((chart.name, other.name), []).append(f"^ {name}")
            for ref in _references(chart):
                if other is not chart and _has(other, ref):
                    words = asked.setdefault((other.name, chart.name), [])
                    text = ref.partition(".")[2] or f"#{ref}"
                    if text not in words:
                        words.append(text)
    for dashed, ways in ((False, signals), (True, asked)):
        for (tail, head), words in ways.items():
            text = Text(tuple(Line((Run(word),)) for word in words))
            kind = "asked" if dashed else "signal"
            upwards = chart_set.charts[tail].scopes==("connector",) and chart_set.charts[head].scopes==("station",)
            yield Edge(f"{kind}-{tail}-{head}", tail, head, text, dashed=dashed, upwards=upwards)


def _expressions(chart: model.Chart) -> Iterator[model.Expr]:
    yield from chart.guards.values()
    for one in chart.transitions():
        if one.guard:
            yield one.guard
    for use in model.uses(chart):
        yield from (value for _, value in use.arguments)


def _references(chart: model.Chart) -> Iterator[str]:
    for expr in _expressions(chart):
        yield from (part.ref for part in model.parts(expr) if isinstance(part, model.In))


def _names(chart: model.Chart) -> Iterator[str]:
    for expr in _expressions(chart):
        yield from (part.name for part in model.parts(expr) if isinstance(part, model.Name))


def _has(chart: model.Chart, ref: str) -> bool:
    name, _, state = ref.partition(".")
    if state:
        return name == chart.name and state in chart.states
    return any(tag == ref for one in chart.states.values() for tag, _ in one.tags)
