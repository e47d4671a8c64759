"""A trace run again on its own charts, and held against what was recorded.

The core is pure: the same charts, facts and events give the same moves and commands. Where they do not, the
program is another one, or the trace was changed by hand.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charger.errors import Defect, SourceError, UsageError
from charger.statechart.checks import Checked, check
from charger.statechart.event import Event
from charger.station import Station, Step
from charger.trace import Part, Recorded, step_as_record
from charger.vocabulary import build


@dataclass(frozen=True, slots=True)
class Replayed:
    """One step, then and now."""

    recorded: Recorded
    event: Event
    """As the charts know it: an answer has the name of what was asked."""
    record: Mapping[str, Any]
    """What it is now, as a trace has it."""

    @property
    def same(self) -> bool:
        """Whether every move, command and fact is the recorded one."""
        return self.record == self.recorded.record


def charts_of(part: Part) -> Checked:
    """The charts of a trace.

    Raises:
        SourceError: this program finds fault with them.
    """
    with tempfile.TemporaryDirectory(prefix="charger-trace-") as folder:
        for name, text in part.files.items():
            (Path(folder) / Path(name).name).write_text(text, encoding="utf-8")
        checked = check(Path(folder), build, part.folder)
    if checked.errors:
        raise SourceError(checked.errors)
    return checked


def station_of(part: Part, checked: Checked) -> tuple[Station, list[str]]:
    """The station with which a trace begins, and which of these charts could not go on where they were.

    Raises:
        UsageError: the trace is damaged there.
    """
    try:
        station = Station(
            checked.charts,
            checked.vocabulary,
            part.identity,
            part.plans,
            part.facts,
            part.configuration,
            seed=part.seed,
        )
        return station, station.restore(part.checkpoint) if part.checkpoint else []
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        begins = "checkpoint" if part.checkpoint else "start"
        told = f"no station can begin with the {begins} of this trace: it is damaged, or of another program"
        raise UsageError(told) from error


def replay(part: Part, checked: Checked) -> Iterator[Replayed]:
    """Run it; ends where the recording ends, or at a defect that it does not have."""
    with local_time(part.zone):
        station, _ = station_of(part, checked)
        for recorded in part.steps:
            event, record = taken(station, recorded.event)
            yield Replayed(recorded, event, record)
            if "defect" in record:
                return


def taken(station: Station, event: Event) -> tuple[Event, dict[str, Any]]:
    """What a station does with an event: the event as the charts know it, and the step as a trace has it."""
    outcome: Step | Defect
    try:
        outcome = station.handle(event)
    except Defect as error:
        outcome = error
    record: dict[str, Any] = json.loads(json.dumps(step_as_record(event, outcome), default=repr))
    return (outcome.event if isinstance(outcome, Step) else event), record


@contextmanager
def local_time(zone: str) -> Iterator[None]:
    """The time zone of the station, for charts that ask for the time of day."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    time.tzset()
    try:
        yield
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()
