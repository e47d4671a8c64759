"""Why a step of a trace went as it did: who was asked, which transitions competed, what every guard said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from charger.errors import UsageError
from charger.replay.run import local_time, station_of, taken
from charger.replay.text import clock, headline, lines_of, number_in, path
from charger.statechart.checks import Checked
from charger.statechart.ensemble import Instance
from charger.statechart.evaluate import Evaluator
from charger.statechart.explain import Explainer
from charger.statechart.explain import Part as Guard
from charger.statechart.findings import nearest
from charger.statechart.model import Transition
from charger.trace import Part, Recorded


@dataclass(frozen=True, slots=True)
class Competitor:
    """One transition that might have been taken."""

    transition: Transition
    guard: Guard | None
    """What its guard said; None when it has none, or was not asked."""
    fate: str
    """``taken``, ``no``, or ``not asked: an earlier one was taken``."""

    def lines(self) -> Iterator[str]:
        """Where it stands, its fate, and its guard part by part."""
        mark, target = self.transition.mark, self.transition.target
        where = f"→ {target}" if target else "stays"
        yield f"  {mark.file}:{mark.line}  {where}  {self.fate}"
        if self.guard:
            yield from (f"      {line}" for line in self.guard.lines())


@dataclass(frozen=True, slots=True)
class Asked:
    """One chart that was offered one trigger."""

    chart: str
    number: int
    state: str
    key: str
    """``on cable.plugged``, ``always``, ``after Plugged:30s``."""
    competitors: tuple[Competitor, ...]

    @property
    def moved(self) -> bool:
        """Whether one of them was taken."""
        return any(one.fate == "taken" for one in self.competitors)

    def lines(self) -> Iterator[str]:
        """All of it."""
        place = f" {self.number}" if self.number else ""
        kind, _, about = self.key.partition(" ")
        told = {"on": f"hears {about}", "always": "is asked its `always`"}
        yield f"{self.chart}{place} in {self.state} {told.get(kind, f'hears its timer {self.key}')}"
        for one in self.competitors:
            yield from one.lines()


def find(parts: list[Part], number: int) -> tuple[Part, Recorded]:
    """The step of that number.

    Raises:
        UsageError: there is none.
    """
    for part in parts:
        for step in part.steps:
            if step.number == number:
                return part, step
    last = max((step.number for part in parts for step in part.steps), default=0)
    raise UsageError(f"there is no step {number}: the trace has 1 to {last}")


def why(part: Part, checked: Checked, step: Recorded, about: str | None = None) -> Iterator[str]:
    """The step in words.

    Args:
        part: where it is.
        checked: the charts.
        step: it.
        about: ``connector`` or ``connector/1``: everything that this chart was asked; None: whoever heard
            the event, and whoever moved.

    Raises:
        UsageError: there is no such chart.
    """
    chart, number = _about(about, part, checked)
    seen: list[Asked] = []
    with local_time(part.zone):
        station, _ = station_of(part, checked)
        for before in part.steps[: part.steps.index(step)]:
            taken(station, before.event)
        states = {(name, place): "/".join(way) for name, place, way in station.ensemble.states() if way}
        explainer = Explainer(checked.charts, Evaluator(checked.charts, checked.vocabulary))

        def told(instance: Instance, key: str) -> None:
            state = path(checked.charts, instance.chart.name, instance.leaf)
            competitors = tuple(_competitors(explainer, instance, key))
            seen.append(Asked(instance.chart.name, instance.number, state, key, competitors))

        station.ensemble.watch(told)
        event, record = taken(station, step.event)
    yield headline(step.number, event)
    if not states and event.name != "station.started":
        yield "The charts have not started yet: the event only changes facts."
        return
    shown = [one for one in seen if _concerns(one, chart, number)]
    for position, one in enumerate(shown):
        if one not in shown[:position]:
            yield ""
            yield from one.lines()
    if not any(one.key != "always" for one in shown):
        yield ""
        yield from _unheard(event.name, chart, number, states, checked)
    yield ""
    yield f"What came of it, at {clock(event.moment.wall)}:"
    yield from (f"  {line}" for line in lines_of(record, checked.charts, books=True) or ["nothing"])


def _about(about: str | None, part: Part, checked: Checked) -> tuple[str | None, int | None]:
    if about is None:
        return None, None
    name, slash, place = about.partition("/")
    if name not in checked.charts.charts:
        raise UsageError(f"there is no chart '{name}'{nearest(name, checked.charts.charts)}")
    if not slash:
        return name, None
    connector, last = number_in(place), len(part.plans)
    if connector is None:
        raise UsageError(f"'{about}': after the / stands the number of a connector, like {name}/1")
    if connector > last:
        raise UsageError(f"there is no connector {place}: the station has {last}")
    return name, connector


def _concerns(one: Asked, chart: str | None, number: int | None) -> bool:
    if chart is None:
        return one.moved or one.key != "always"
    return one.chart == chart and number in (None, one.number)


def _competitors(explainer: Explainer, instance: Instance, key: str) -> Iterator[Competitor]:
    won = False
    for transition in instance.chart.candidates(instance.leaf, key):
        if won:
            yield Competitor(transition, None, "not asked: an earlier one was taken")
            continue
        if transition.guard is None:
            won = True
            yield Competitor(transition, None, "taken")
            continue
        guard = explainer.guard(transition.guard, instance.chart, instance.scene)
        won = bool(guard.value)
        yield Competitor(transition, guard, "taken" if won else "no")


def _unheard(
    event: str, chart: str | None, number: int | None, states: dict[tuple[str, int], str], checked: Checked
) -> Iterator[str]:
    """Why nobody, or not this chart, heard it."""
    for (name, place), here in states.items():
        if name == chart and number in (None, place):
            told = f"{name}{f' {place}' if place else ''} was in {here}"
            yield f"{told}: it does not hear {event} there, or it was not for this one."
    hearing = [
        (one.mark, path(checked.charts, name, one.source) or name)
        for name, found in checked.charts.charts.items()
        for one in found.transitions()
        if one.kind == "on" and one.trigger == event and chart in (None, name)
    ]
    if not hearing:
        yield f"{f'No transition of {chart}' if chart else 'No chart'} mentions {event}."
    for mark, state in hearing:
        yield f"  {mark.file}:{mark.line}  hears it in {state}"
