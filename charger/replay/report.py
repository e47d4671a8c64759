"""What `charger replay` says: the course of a trace, and a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from charger import __version__
from charger.replay.other import Entry, run_other
from charger.replay.parting import differing, honesty, parting
from charger.replay.run import Replayed, charts_of, replay
from charger.replay.text import clock, course, day
from charger.statechart.checks import Checked
from charger.trace import Part


@dataclass(slots=True)
class Report:
    """Lines for people, and whether all is as it was."""

    lines: list[str] = field(default_factory=list)
    same: bool = True


def as_recorded(parts: Sequence[Part]) -> Report:
    """Run a trace on its own charts.

    Raises:
        SourceError: this program finds fault with them.
    """
    report, steps = Report(), 0
    differences: list[tuple[Replayed, Checked]] = []
    for part in parts:
        checked = charts_of(part)
        replayed = list(replay(part, checked))
        report.lines += _head(part)
        report.lines += course(replayed, checked.charts)
        steps += len(part.steps)
        differences += [(one, checked) for one in replayed if not one.same]
    report.lines.append("")
    if differences:
        report.same = False
        report.lines += _first(*differences[0])
        count = f"{len(differences)} of {steps} steps differ"
        versions = (
            ""
            if parts[0].program == __version__
            else f"; recorded by {parts[0].program}, this is {__version__}"
        )
        report.lines.append(f"Not bit-exact: {count}{versions}.")
    else:
        report.lines.append(f"Bit-exact: {_steps(steps)} gave the recorded moves, commands and facts.")
    return report


def with_charts(parts: Sequence[Part], new: Checked) -> Report:
    """Put other charts in front of a trace.

    Raises:
        SourceError: this program finds fault with the charts of the trace.
    """
    report = Report()
    for part in parts:
        old = charts_of(part)
        report.lines += _head(part)
        exact = next((one.recorded.number for one in replay(part, old) if not one.same), None)
        if exact is not None:
            report.lines.append(
                f"Not bit-exact with its own charts from step {exact} on: the program differs too."
            )
        run = run_other(part, new)
        if run.lost:
            report.lines.append(
                f"These cannot go on where the trace begins, and begin anew: {', '.join(run.lost)}."
            )
        told = list(parting(run, old.charts, new.charts))
        report.same = report.same and not told
        report.lines += told or [f"The new charts do the same in all of {_steps(len(part.steps))}."]
        report.lines += ["", *honesty(run)] if told else []
    return report


def _first(one: Replayed, checked: Checked) -> Iterator[str]:
    yield "The first difference; - is recorded, + is now:"
    entry = Entry(one.event, one.recorded.number, one.recorded.record, one.record)
    yield from differing(entry, checked.charts, checked.charts)


def _head(part: Part) -> Iterator[str]:
    name = part.name or "a station"
    if not part.steps:
        yield f"{name}, charger {part.program}: nothing happened."
        return
    first, last = part.steps[0].event.moment.wall, part.steps[-1].event.moment.wall
    begins = "a checkpoint" if part.checkpoint else "the start of the station"
    until = clock(last) if day(last) == day(first) else f"{day(last)} {clock(last)}"
    when = f"{day(first)} {clock(first)} to {until} UTC"
    yield f"{name}, charger {part.program}, from {begins}: {when}, {_steps(len(part.steps))}"


def _steps(count: int) -> str:
    return "1 step" if count == 1 else f"{count} steps"
