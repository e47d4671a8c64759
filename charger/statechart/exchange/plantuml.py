"""PlantUML: a state diagram as text."""

from __future__ import annotations

from collections.abc import Iterator

from charger.statechart.exchange import sketch
from charger.statechart.model import Chart


def write(chart: Chart) -> str:
    """The diagram; everything that is no arrow is text in a box, or in the legend."""
    return "\n".join(_lines(chart)) + "\n"


def _lines(chart: Chart) -> Iterator[str]:
    root = chart.root
    yield f"@startuml {chart.name}"
    yield "hide empty description"
    yield f"title {chart.name}" + (f"\\n{_text(root.description)}" if root.description else "")
    yield f"[*] --> {root.initial}"
    for child in root.children:
        yield from _state(chart, child, "")
    for arrow in sketch.arrows(chart):
        yield f"{arrow.source} --> {arrow.target} : {_text(arrow.text)}"
    whole = list(sketch.of_chart(chart))
    if whole:
        yield "legend"
        yield from (f"  {_text(line)}" for line in whole)
        yield "end legend"
    yield "@enduml"


def _state(chart: Chart, name: str, indent: str) -> Iterator[str]:
    state = chart.states[name]
    if state.children:
        yield f"{indent}state {name} {{"
        yield f"{indent}  [*] --> {state.initial}"
        for child in state.children:
            yield from _state(chart, child, f"{indent}  ")
        yield f"{indent}}}"
    else:
        yield f"{indent}state {name}"
    yield from (f"{indent}{name} : {_text(line)}" for line in sketch.lines(chart, name))
    if state.final:
        yield f"{indent}{name} --> [*]"


def _text(text: str) -> str:
    """Without the marks that PlantUML takes for formats (Creole), and its line break."""
    for mark in ("~", "\\", "**", "//", "__", "--", '""', "<"):
        text = text.replace(mark, "".join(f"~{char}" for char in mark))
    return text
