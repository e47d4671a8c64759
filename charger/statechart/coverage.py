"""What runs of a set of charts have shown of it: transitions taken, guards seen both ways, timers that fired.

An `Ensemble` tells `Coverage.observe`; the rest looks at what was counted: a row per chart, what is missing,
a JSON file, and an overlay for the pictures. A timer has fired when a transition of it was taken, or its
guard was asked.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields

from charger.statechart import model
from charger.statechart.diagram_chart import chart_sheet
from charger.statechart.diagram_overlay import Note, Overlay
from charger.statechart.diagram_sheet import Accent, Sheet

TAKEN = Accent("taken", "", "taken, its guard seen true and false", "#1a7f37", "#ffffff")
NEVER = Accent("never", "×", "never taken, never entered (dashed)", "#cf222e", "#fff3f2", dashed=True)  # noqa: RUF001
PARTLY = Accent("partly", "½", "taken, but not in every way", "#9a6700", "#fff8dc")

_WORDS = {None: "taken", True: "true", False: "false"}
"""What can be observed of a transition, as the file names it."""


class OtherChartsError(ValueError):
    """A record is of other charts; the message names a transition that it does not know."""


@dataclass(frozen=True, slots=True)
class Row:
    """One chart in numbers: how many of how many."""

    chart: str
    taken: int
    transitions: int
    both_ways: int
    guards: int
    fired: int
    timers: int


def total(rows: list[Row]) -> Row:
    """All charts."""
    sums = [sum(getattr(row, field.name) for row in rows) for field in fields(Row)[1:]]
    return Row("all", *sums)


class Coverage:
    """Counts what was observed. Transitions are known by their places, so that charts may be read again."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, int, int, bool | None]] = Counter()

    def observe(self, chart: str, transition: model.Transition, what: bool | None) -> None:
        """A guard answered True or False, or a transition was taken (None); an `Observer`."""
        mark = transition.mark
        self._counts[chart, mark.line, mark.column, what] += 1

    def count(self, chart: str, transition: model.Transition, what: bool | None) -> int:
        """How often that was observed."""
        mark = transition.mark
        return self._counts[chart, mark.line, mark.column, what]

    def fired(self, chart: model.Chart, timer: model.Transition) -> bool:
        """Whether the timer that a transition waits for ran out."""
        rivals = [one for one in chart.states[timer.source].transitions if one.key == timer.key]
        return any(self.count(chart.name, one, what) for one in rivals for what in _WORDS)

    def rows(self, charts: model.ChartSet) -> list[Row]:
        """A row per chart."""
        return [self._row(chart) for chart in charts.charts.values()]

    def _row(self, chart: model.Chart) -> Row:
        ways = list(chart.transitions())
        guarded = [one for one in ways if one.guard is not None]
        timers = {one.key: one for one in ways if one.delay is not None}
        name = chart.name
        return Row(
            name,
            sum(self.count(name, one, None) > 0 for one in ways),
            len(ways),
            sum(self.count(name, one, True) > 0 < self.count(name, one, False) for one in guarded),
            len(guarded),
            sum(self.fired(chart, one) for one in timers.values()),
            len(timers),
        )

    def missing(self, chart: model.Chart, one: model.Transition) -> Iterator[str]:
        """What was never seen of a transition."""
        true, false = (self.count(chart.name, one, answer) for answer in (True, False))
        if one.delay is not None and not self.fired(chart, one):
            yield "never fired"
        elif not self.count(chart.name, one, None):
            yield "never taken" + (": guard never true" if false and not true else "")
        elif one.guard is not None:
            yield from [
                f"guard never {word}" for word, seen in (("true", true), ("false", false)) if not seen
            ]

    # -- the file ----------------------------------------------------------------------------------------

    def as_json(self, charts: model.ChartSet) -> str:
        """A line per transition: chart, state, trigger, guard, target, and how often what was observed."""
        entries = [
            json.dumps(described | counted, ensure_ascii=False)
            for chart in charts.charts.values()
            for one, described in _described(chart)
            for counted in [{word: self.count(chart.name, one, what) for what, word in _WORDS.items()}]
        ]
        return "[\n" + ",\n".join(entries) + "\n]\n"

    @classmethod
    def from_json(cls, text: str, charts: model.ChartSet) -> Coverage:
        """Read what `as_json` wrote of these charts.

        Raises:
            ValueError: it is no such file.
            OtherChartsError: it does not know one of these transitions.
        """
        coverage = cls()
        try:
            known: dict[str, list[dict[str, int]]] = {}
            for entry in json.loads(text):
                counted = {word: int(entry.pop(word)) for word in _WORDS.values()}
                known.setdefault(json.dumps(entry), []).append(counted)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError("no record of coverage") from error
        for chart in charts.charts.values():
            for one, described in _described(chart):
                entries = known.get(json.dumps(described))
                if not entries:
                    where = f"{one.mark.file}:{one.mark.line}:{one.mark.column}"
                    raise OtherChartsError(f"it does not know the transition at {where}")
                counted = entries.pop(0)
                for what, word in _WORDS.items():
                    coverage._counts[chart.name, one.mark.line, one.mark.column, what] = counted[word]
        return coverage

    # -- pictures ----------------------------------------------------------------------------------------

    def sheets(self, charts: model.ChartSet) -> dict[str, Sheet]:
        """Every chart with what was taken of it, for drawing."""
        return {
            name: chart_sheet(chart, charts, self._overlay(chart)) for name, chart in charts.charts.items()
        }

    def _overlay(self, chart: model.Chart) -> Overlay:
        entered = set(chart.path(chart.initial_leaf()))
        notes = {}
        for one in chart.transitions():
            missing = tuple(self.missing(chart, one))
            if self.count(chart.name, one, None):
                notes[id(one)] = Note(PARTLY if missing else TAKEN, missing)
                entered |= set(chart.path(chart.initial_leaf(one.target))) if one.target else set()
            else:
                notes[id(one)] = Note(NEVER, missing)
        row = self._row(chart)
        numbers = f"transitions {row.taken}/{row.transitions}, guards both ways {row.both_ways}/{row.guards}"
        return Overlay(
            f"{numbers}, timers {row.fired}/{row.timers}",
            (TAKEN, NEVER, PARTLY),
            states={name: Note(NEVER) for name in chart.states if name and name not in entered},
            transitions=notes,
        )


def _described(chart: model.Chart) -> Iterator[tuple[model.Transition, dict[str, str]]]:
    """Every transition, and how the file tells it from others; equal ones come in the order of the chart."""
    for one in chart.transitions():
        trigger = f"{one.kind} {one.trigger}".rstrip()
        described = {"chart": chart.name, "state": one.source, "trigger": trigger}
        yield one, described | {"guard": one.guard_text, "target": one.target or ""}
