"""Mermaid: a state diagram (stateDiagram-v2) that many wikis and forges draw from text."""

from __future__ import annotations

from collections.abc import Iterator

from charger.statechart.exchange import sketch
from charger.statechart.model import Chart

_CODES = {char: f"#{ord(char)};" for char in '#;:"<>{}%`\\'}
"""Characters that would end a text, or mean something in it."""


def write(chart: Chart) -> str:
    """The diagram; everything that is no arrow is text in a box."""
    return "\n".join(_lines(chart)) + "\n"


def _lines(chart: Chart) -> Iterator[str]:
    yield "---"
    yield f"title: {chart.name}"
    yield "---"
    yield "stateDiagram-v2"
    root = chart.root
    if root.description:
        yield f"  %% {root.description}"
    yield f"  [*] --> {root.initial}"
    for child in root.children:
        yield from _state(chart, child, "  ")
    for arrow in sketch.arrows(chart):
        yield f"  {arrow.source} --> {arrow.target} : {_text(arrow.text)}"
    whole = list(sketch.of_chart(chart))
    if whole:
        yield from _note(root.children[0], whole)


def _state(chart: Chart, name: str, indent: str) -> Iterator[str]:
    state, inside = chart.states[name], list(sketch.lines(chart, name))
    if not state.children:
        yield f"{indent}{name} : {name}"
        yield from (f"{indent}{name} : {_text(line)}" for line in inside)
        if state.final:
            yield f"{indent}{name} --> [*]"
        return
    yield f"{indent}state {name} {{"
    yield f"{indent}  [*] --> {state.initial}"
    for child in state.children:
        yield from _state(chart, child, f"{indent}  ")
    yield f"{indent}}}"
    if inside:
        yield from _note(name, inside)


def _note(state: str, inside: list[str]) -> Iterator[str]:
    yield f"  note right of {state}"
    yield from (f"    {_text(line)}" for line in inside)
    yield "  end note"


def _text(text: str) -> str:
    return "".join(_CODES.get(char, char) for char in text)
