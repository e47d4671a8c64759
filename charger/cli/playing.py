"""Commands that play: simulate, replay, why."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from charger.cli.paths import charts_folder, station_file, writable
from charger.cli.say import (
    FINDINGS,
    FINE,
    count,
    load_station,
    paint,
    refusal,
)
from charger.errors import UsageError

if TYPE_CHECKING:
    from charger.stories.language import Story


def simulate_station(arguments: argparse.Namespace) -> int:
    """`charger simulate`."""
    from charger.stories.needs import keys_of, why_not
    from charger.stories.simulate import Simulation

    if arguments.trace:
        writable("--trace", arguments.trace)
    story = _story(arguments.story) if arguments.story else None
    settings, checked = load_station(station_file(arguments.station))
    if story and (why := why_not(story, settings, keys_of(settings, checked))):
        print(f"N/A  {story.name}  {why}")
        return FINE
    with _silent("charger.driver"), Simulation(settings, checked, paint) as simulation:
        failure = None
        if story is None:
            print(f"{settings.id}, {checked.summary()}; virtual time. Type help, ? or quit.\n")
            simulation.begin()
        else:
            failure = simulation.play(story)
            print(f"\nFail  {failure}" if failure else f"\nPass  {story.name}  {story.title}")
        if story is None or arguments.interactive:
            simulation.command("?")
            with suppress(KeyboardInterrupt):  # time may be long
                for line in _typed():
                    if not simulation.command(line):
                        break
        if arguments.trace:
            simulation.write_trace(arguments.trace)
    return FINDINGS if failure else FINE


def _story(path: Path) -> Story:
    from charger.statechart.findings import as_text
    from charger.stories.language import StoryError, read_story

    if not path.exists():
        raise UsageError(f"there is no story {path}")
    try:
        return read_story(path)
    except StoryError as error:
        print(as_text(error.findings, error.sources), file=sys.stderr)
        raise refusal(error.findings, f"{count(len(error.findings), 'mistake')}: this is no story") from error


def _typed() -> Iterator[str]:
    """Lines that somebody types; from a file or a pipe they are shown as if."""
    if sys.stdin.isatty():
        import readline  # noqa: F401 - lets people edit what they type, and repeat it
    while True:
        try:
            line = input("> ")
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if not sys.stdin.isatty():
            print(line)
        yield line


@contextmanager
def _silent(name: str) -> Iterator[None]:
    """What that part would log is told in another way."""
    log = logging.getLogger(name)
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(before)


def replay_trace(arguments: argparse.Namespace) -> int:
    """`charger replay`."""
    from charger.loading import check_charts_in
    from charger.replay import report
    from charger.statechart.findings import as_text
    from charger.trace import read

    parts = read(arguments.trace)
    if arguments.charts:
        checked = check_charts_in(charts_folder(arguments.charts))
        if checked.errors:
            print(as_text(checked.findings, checked.charts.sources), file=sys.stderr)
            raise refusal(checked.findings, f"{count(len(checked.errors), 'error')}: these charts do not run")
        told = report.with_charts(parts, checked)
    else:
        told = report.as_recorded(parts)
    for line in told.lines[-1:] if arguments.quiet else told.lines:
        print(line)
    return FINE if told.same else FINDINGS


def explain_step(arguments: argparse.Namespace) -> int:
    """`charger why`."""
    from charger.replay import run, why
    from charger.replay.text import number_in
    from charger.trace import read

    file, _, number = arguments.step.rpartition("@")
    if not file or (step_number := number_in(number)) is None:
        raise UsageError(
            f"'{arguments.step}': write the trace, an @, and the number of a step: trace.jsonl@12"
        )
    part, step = why.find(read(Path(file)), step_number)
    for line in why.why(part, run.charts_of(part), step, arguments.chart):
        print(line)
    return FINE
