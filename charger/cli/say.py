"""What commands share: where things are, what is said of them, how far something has come."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from charger.errors import ChargerError, UsageError

if TYPE_CHECKING:
    from charger.loading import Loaded
    from charger.settings import Settings
    from charger.statechart.checks import Checked
    from charger.statechart.findings import Finding
    from charger.statechart.model import ChartSet
    from charger.statechart.words import Vocabulary
    from charger.stories.play import Played
    from charger.stories.simulate import Line

FINE, FINDINGS, WRONG, INTERRUPTED = 0, 1, 2, 130
"""Exit codes."""
CLEAR = "\r\033[K"
"""What empties a line of a terminal."""
LINES = 10.0
"""s between two lines that tell how far something has come."""
COLOURS = {"act": "1", "said": "32", "told": "36", "moved": "2", "plain": "", "wrong": "31"}
"""Kind of a line → how a terminal shows it."""


def read_charts(folder: Path) -> tuple[ChartSet, Vocabulary]:
    """Charts as they are, mistakes and all."""
    from charger.loading import shown
    from charger.statechart.reader import read_set
    from charger.vocabulary import build

    charts, findings = read_set(folder, shown(folder))
    if not charts.charts:
        raise UsageError(f"no chart can be read: {findings[0]}")
    return charts, build(charts)


def load_station(path: Path) -> tuple[Settings, Checked]:
    """A station and its charts, both without errors; prints every finding and refuses otherwise."""
    from charger.loading import read_station
    from charger.statechart.findings import as_text

    found = read_station(path)
    if found.findings:
        print(as_text(found.findings, found.sources), file=sys.stderr)
    if found.errors or found.settings is None or found.checked is None:
        told = f"{count(len(found.errors), 'error')}{_held(found)}"
        raise refusal(found.findings, f"{told}: the station does not start")
    return found.settings, found.checked


def exit_code(findings: Sequence[Finding]) -> int:
    """Of a command that found these: a file that cannot be read says nothing about what stands in it."""
    if any(finding.rule == "unreadable-file" for finding in findings):
        return WRONG
    return FINDINGS if findings else FINE


def refusal(findings: Sequence[Finding], told: str) -> ChargerError:
    """What a command raises that cannot go on with these."""
    return UsageError(told) if exit_code(findings) == WRONG else ChargerError(told)


def report_findings(found: Checked | Loaded, form: str, summary: str) -> int:
    """Print findings, or that there are none; gives the exit code."""
    from charger.statechart.findings import as_github, as_json, as_text, tidy

    findings = tidy(found.findings)
    match form:
        case "json":
            print(as_json(findings))
        case "github":
            print(as_github(findings), end="\n" if findings else "")
        case _:
            if findings:
                print(as_text(findings, found.sources))
                errors = sum(finding.severity == "error" for finding in findings)
                print(f"{count(errors, 'error')}, {count(len(findings) - errors, 'warning')}{_held(found)}.")
            else:
                print(f"{summary}: no findings.")
    return exit_code(findings)


def _held(found: Checked | Loaded) -> str:
    return f"; {found.held_back} more held back, which may only come of these" if found.held_back else ""


def count(number: int, what: str, several: str | None = None) -> str:
    """`1 error`, `2 errors`."""
    return f"{number} {what if number == 1 else several or f'{what}s'}"


def write_text(what: str, file: Path, text: str) -> None:
    """Write a text; `what` names the option, or the thing."""
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{what} {file}: {error.strerror}") from error


def make_folder(what: str, folder: Path) -> None:
    """Make a folder that somebody named; `what` is the option that named it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{what} {folder}: {error.strerror}") from error


def update_schema(folder: Path, *, only_look: bool = False) -> bool:
    """Bring the schema of a folder of charts up to date; tells whether it was not."""
    from charger.statechart.schema import FILE, schema_text

    text = schema_text(*read_charts(folder))
    file = folder / FILE
    changed = not file.exists() or file.read_text(encoding="utf-8") != text
    if changed and not only_look:
        write_text("the schema", file, text)
    return changed


@contextmanager
def told_to_stop() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed, for what can say how far it came; a second time ends at once."""
    asked: list[int] = []

    def note(number: int, _frame: object) -> None:
        asked.append(number)
        signal.signal(number, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)


def paint(line: Line) -> None:
    """Show a line of a simulation, in colour where a terminal is and nobody minds (no-color.org)."""
    colour = COLOURS[line.kind]
    plain = not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    print(line.text if plain or not colour else f"\033[{colour}m{line.text}\033[0m")


class Progress:
    """The story that is played, in place on a terminal; elsewhere a line for each that was."""

    def __init__(self, of: int) -> None:
        self._of = of
        self._done = 0
        self._in_place = sys.stdout.isatty()

    def begins(self, what: str) -> None:
        """Something is played now."""
        if self._in_place:
            told = f"{self._place()}  {what} …"[: shutil.get_terminal_size().columns - 1]
            print(f"{CLEAR}{told}", end="", flush=True)

    def ended(self, played: Played) -> None:
        """A story was played; a failure stays on the screen."""
        self._done += 1
        story = played.story
        told = f"{self._place()}  {story.name}  {story.title}  "
        if played.failure:
            told += f"Fail  {played.failure.splitlines()[0]}"
        else:
            told += f"N/A  {played.skipped}" if played.skipped else f"Pass  {played.duration:.1f} s"
        if played.failure or not self._in_place:
            print(f"{CLEAR if self._in_place else ''}{told}", flush=True)

    def clear(self) -> None:
        """Nothing is played any more."""
        if self._in_place:
            print(CLEAR, end="", flush=True)

    def _place(self) -> str:
        return f"{self._done:>{len(str(self._of))}}/{self._of}"


class Bar:
    """How far a walk has come: in place on a terminal, elsewhere a line every ten seconds."""

    def __init__(self, wanted: bool) -> None:
        self._in_place = wanted and sys.stdout.isatty()
        self._wanted = wanted
        self._next = time.monotonic() + LINES

    def shows(self, views: Sequence[tuple[str, int, int]]) -> None:
        """It has come so far."""
        from charger.verify.report import bar

        if self._in_place:
            print(f"{CLEAR}{bar(views)[: shutil.get_terminal_size().columns - 1]}", end="", flush=True)
        elif self._wanted and time.monotonic() >= self._next:
            self._next += LINES
            print(bar(views), flush=True)

    def clear(self) -> None:
        """It is over."""
        if self._in_place:
            print(CLEAR, end="", flush=True)
