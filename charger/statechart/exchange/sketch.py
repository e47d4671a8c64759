"""A chart as boxes with lines of text and arrows between them: what Mermaid and PlantUML draw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from charger.statechart import diagram_words, model
from charger.statechart.model import Chart


@dataclass(frozen=True, slots=True)
class Arrow:
    """A way from one state to another."""

    source: str
    target: str
    text: str


def lines(chart: Chart, name: str) -> Iterator[str]:
    """What stands in a state: all there is but the ways that are arrows."""
    state = chart.states[name]
    if state.description and name:
        yield state.description
    if state.status:
        yield f"status {state.status}"
    if state.tags:
        yield f"tags {', '.join(tag for tag, _ in state.tags)}"
    for moment, uses in (("entry", state.entry), ("exit", state.exit)):
        if uses:
            yield f"{moment} / {diagram_words.acts(uses)}"
    for one in state.transitions:
        if not _drawn(chart, one):
            yield text(state, one) + (f" → {one.target}" if one.target else "")


def of_chart(chart: Chart) -> Iterator[str]:
    """What is said of the chart as a whole: named guards, invariants, and what every state does."""
    yield from (f"guard {name}: {text}" for name, text in chart.guard_texts.items())
    yield from (f"in every state: {line}" for line in lines(chart, ""))
    yield from (f"invariant: {invariant.text}" for invariant in chart.invariants)


def arrows(chart: Chart) -> Iterator[Arrow]:
    """Every way that is drawn, in the order of the file."""
    for state in chart.states.values():
        for one in state.transitions:
            if _drawn(chart, one):
                yield Arrow(state.name, one.target or "", text(state, one))


def text(state: model.State, one: model.Transition) -> str:
    """A transition in one line."""
    runs = (*diagram_words.number(state, one), *diagram_words.transition(state, one))
    return "".join(run.text for run in runs).strip()


def _drawn(chart: Chart, one: model.Transition) -> bool:
    """From box to box; a way into or out of one's own inside is a line, which every tool can draw."""
    if not one.source or not one.target:
        return False
    nested = one.target in chart.path(one.source) or one.source in chart.path(one.target)
    return one.source == one.target or not nested
