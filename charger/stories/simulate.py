"""Somebody plays with a station in virtual time: `charger simulate`.

The stage and the player are those of the stories; a line that is typed is a step of a story. What was done
is a list of lines, so `undo` plays all of them but the last anew, and `save` writes them as a story with what
the station said. Prints nothing: it gives `Line`s.
"""

from __future__ import annotations

import tempfile
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, Self

from charger.errors import UsageError
from charger.functions import times
from charger.replay import run, text, why
from charger.settings import Settings
from charger.statechart.checks import Checked
from charger.statechart.findings import Mark
from charger.station import Step as CoreStep
from charger.stories.language import Duration, Step, Story, StoryError, read_line, read_story
from charger.stories.play import QUIET, UNASKED, WATCHING, Player, StoryFailed
from charger.stories.saving import as_story
from charger.stories.virtual import VirtualStage
from charger.trace import Part, TraceFile, parse, step_as_record

SETTLING: Final = 1.0
"""s that pass after each act, so that one sees what comes of it."""
MOST_WAITING: Final = 60
"""Times `QUIET` that a story may go on being told after its last act."""
MOST_TIMERS: Final = 6
"""Shown of those that run."""
Kind = Literal["act", "said", "told", "moved", "plain", "wrong"]
_SIGNS: Final[dict[str, Kind]] = {"<-": "said", "<=": "said", "->": "told", "=>": "told"}
_UNTOLD: Final = (WATCHING - {"central"}) | {"call"}
"""Steps that are not shown: they do nothing, or what they do is shown as a message."""
HELP: Final = """\
plug 1 · unplug 1 · swipe $tag · ev suspended at 1 · fault GroundFailure at 1 · repair 1 · lock stuck at 1
network down · power off · call Reset {type: Soft} · central Authorize {idTagInfo: {status: Invalid}}
                      any act of a story (docs/stories.md)
+30s                  time passes; also +2m, +ConnectionTimeOut
?                     the situation, and what can happen now, with numbers
3                     do what has this number in the last list
steps                 every step since the last act, with its number
why                   why the last act came to what it did
why 12 connector/1    why step 12 did; all that one chart was asked in it
undo                  as if the last act, or the last +30s, had not been
save FILE             all of it as a story, with what the station said
trace FILE            all of it as a trace, for charger replay and charger why
quit"""


@dataclass(frozen=True, slots=True)
class Line:
    """Something to be seen."""

    kind: Kind
    text: str


class _Teller:
    """Brings what happens at one instant into the order in which people tell it: act, moves, messages."""

    def __init__(self, show: Callable[[Line], None], now: Callable[[], float]) -> None:
        self._show = show
        self._now = now
        self._at = 0.0
        self._lines: list[tuple[int, Line]] = []

    def tell(self, rank: int, kind: Kind, told: str) -> None:
        """Something happened now."""
        if self._now() != self._at:
            self.flush()
            self._at = self._now()
        self._lines.append((rank, Line(kind, text.cut(f"{self._at:9.2f}  {told}"))))

    def flush(self) -> None:
        """Nothing more happens at that instant."""
        for _, line in sorted(self._lines, key=lambda one: one[0]):
            self._show(line)
        self._lines.clear()


class Simulation:
    """One station, its world, and what was done so far. `close` it, or use it in a ``with``."""

    def __init__(self, settings: Settings, checked: Checked, show: Callable[[Line], None]) -> None:
        self._settings = settings
        self._checked = checked
        self._show = show
        self._story: Story | None = None
        self._groups: list[tuple[Step, ...]] = []
        self._menu: list[str] = []
        self._since = 0.0
        """When the last act was done, or time began to pass; s on the stage's clock."""
        self._stage_anew(show)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def _stage_anew(self, show: Callable[[Line], None]) -> None:
        """A station without power and without a past."""
        self._folder = tempfile.TemporaryDirectory(prefix="charger-simulate-")
        world = replace(self._settings.simulation, plugged=())
        self._stage = VirtualStage(
            replace(self._settings, simulation=world), self._checked, Path(self._folder.name)
        )
        self._teller = _Teller(show, self._stage.now)
        self._stage.stepped = self._stepped
        self._stage.broke_down = self._broke_down
        story = self._story or Story("simulate", "simulate")
        self._player = Player(story, self._stage, self._noted)

    # -- what happens --------------------------------------------------------------------------------------

    def _noted(self, told: str) -> None:
        if told.split(maxsplit=1)[0] in _UNTOLD:
            return
        kind = _SIGNS.get(told[:2], "act")
        self._teller.tell({"act": 0, "->": 0, "=>": 3}.get(told[:2], 2 if kind != "act" else 0), kind, told)

    def _stepped(self, step: CoreStep) -> None:
        record = step_as_record(step.event, step)
        whole = step.event.name == "station.started"
        for move in ["every chart begins"] if whole else text.moves(record, self._checked.charts):
            if "stays in" not in move:
                self._teller.tell(1, "moved", f"   {move}")

    def _broke_down(self, why: str) -> None:
        self._teller.tell(1, "wrong", f"   DEFECT, contactors open, the station is built anew: {why}")

    def play(self, story: Story) -> str | None:
        """Play a story, showing what happens; why it failed, or None."""
        return self._again(story, [], self._show)

    def _again(
        self,
        story: Story | None,
        groups: Sequence[tuple[Step, ...]],
        show: Callable[[Line], None],
        file: TraceFile | None = None,
    ) -> str | None:
        """A story, if there is one, and what was typed after it, from the beginning."""
        self._story, self._groups = story, list(groups)
        self._folder.cleanup()
        self._stage_anew(show)
        self._stage.trace_file = file
        failure = self._player.play().failure if story else None
        for group in groups:
            for step in group:
                self._player.step(step)
        self._teller.flush()
        self._teller = _Teller(self._show, self._stage.now)
        return failure

    def begin(self) -> None:
        """Power, and the time to boot."""
        self._do("power on", (*read_line("power on"), _pause(SETTLING)))

    # -- what people type ----------------------------------------------------------------------------------

    def command(self, line: str) -> bool:
        """Do what a line says; False when it says that it is over."""
        words = line.split()
        match words:
            case []:
                self._show_situation()
            case ["?" | "help" | "h"]:
                if words[0] != "?":
                    self._tell(HELP)
                self._show_situation()
            case ["quit" | "exit" | "q"]:
                return False
            case ["undo"]:
                self._undo()
            case ["steps"]:
                self._steps()
            case ["why", *rest]:
                self._why(rest)
            case ["save", *rest]:
                self._save(rest)
            case ["trace", file]:
                self._write_trace(Path(file))
            case [word] if (number := text.number_in(word)) is not None:
                self._choose(number)
            case _:
                self._perform(line.strip())
        return True

    def _choose(self, number: int) -> None:
        if not 1 <= number <= len(self._menu):
            self._wrong(f"there is no {number} in the list" if self._menu else "type ? for a list first")
            return
        self._tell(f"> {self._menu[number - 1]}")
        self._perform(self._menu[number - 1])

    def _perform(self, line: str) -> None:
        try:
            if line.startswith("+"):
                steps = read_line(f"wait {line[1:].strip()}")
            else:
                steps = read_line(line)
                if steps and steps[0].verb not in ("central", "wait"):
                    steps = (*steps, _pause(SETTLING))
        except StoryError as error:
            self._wrong(f"{'; '.join(one.message for one in error.findings)} (type help for the words)")
            return
        if any(step.verb in WATCHING - {"central", "wait"} for step in steps):
            told = f"only acts can be typed, and +30s; '{steps[0].verb}' is for files"
            self._wrong(f"{told} (type help for the words)")
            return
        self._do(line, steps)

    def _do(self, line: str, steps: tuple[Step, ...]) -> None:
        since = self._stage.now()
        self._groups.append(steps)
        lines: list[Line] = []
        self._teller = _Teller(lines.append, self._stage.now)
        try:
            for step in steps:
                self._player.step(step)
        except StoryFailed as failed:  # what went before the act belongs to the next one
            self._wrong(str(failed).splitlines()[0].partition(": ")[2] or line)
            self._again(self._story, self._groups[:-1], _nobody)
            return
        self._teller.flush()
        acted = steps[0].verb not in WATCHING  # before an act the player waits a little
        self._since = self._player.done[-1].begun if acted else since
        for one in lines:
            self._show(one)

    def _undo(self) -> None:
        """Everything anew, without the last line."""
        if len(self._groups) <= (0 if self._story else 1):
            self._wrong("there is nothing to undo")
            return
        self._again(self._story, self._groups[:-1], _nobody)
        self._since = min(self._since, self._stage.now())
        self._tell("undone")
        self._show_status()

    # -- what is so ----------------------------------------------------------------------------------------

    def _show_situation(self) -> None:
        self._show_status()
        self._menu = [what for what, _ in self._possible()]
        for number, (what, remark) in enumerate(self._possible(), start=1):
            self._tell(f"{number:>4}  {what}{f'   {remark}' if remark else ''}")

    def _show_status(self) -> None:
        driver = self._stage.driver
        self._tell(f"{times.to_text(self._stage.wall())}  {self._stage.now():.2f} s")
        if driver is None:
            self._tell("  without power")
            return
        status = driver.station.status()
        link = "connected" if self._stage.linked else "not connected"
        waiting = status["queue"]["waiting"]
        queue = f", {waiting} transaction message{'s' if waiting > 1 else ''} waiting" if waiting else ""
        shown = f", display '{status['display']}'" if status["display"] else ""
        self._tell(f"  station      {status['status']}, {link}{queue}{shown}")
        self._tell(_charts(status["charts"]))
        for connector in status["connectors"]:
            running = connector["transaction"]
            told = f", transaction {running['id']} of {running['id_tag']}" if running else ""
            told += f", {connector['meter']['power_w']:g} W" if connector["meter"]["power_w"] else ""
            self._tell(f"  connector {connector['number']}  {connector['status']}{told}")
            self._tell(_charts(connector["charts"]))
        asked = driver.station.situation.asked.values()
        if asked:
            self._tell(f"  under way    {', '.join(asked)}")

    def _possible(self) -> Iterator[tuple[str, str]]:
        """What may happen now, and a remark to it."""
        driver = self._stage.driver
        if driver is None:
            yield "power on", ""
            return
        status = driver.station.status()
        yield from self._acts(status)
        if self._stage.linked:
            yield from _calls(status)
        yield "network down" if self._stage.reachable else "network up", ""
        yield "power off", ""
        now = self._stage.now()
        due = sorted(driver.station.ensemble.due().items(), key=lambda one: one[1])
        for key, at in due[:MOST_TIMERS]:
            chart, number, timer = key.split("/", 2) if key.count("/") >= 2 else (key, "0", key)
            place = f" {number}" if number != "0" else ""
            yield f"+{max(0.001, at - now):.3f}s", f"until {chart}{place}: {timer}"

    def _acts(self, status: dict[str, Any]) -> Iterator[tuple[str, str]]:
        for connector in status["connectors"]:
            number, wires = connector["number"], self._stage.describe(connector["number"])
            if wires["ev"] is None:
                yield f"plug {number}", "a car comes"
            if wires["cable"]["present"]:
                yield (
                    f"unplug {number}",
                    "" if connector["lock"] != "engaged" else "as soon as the lock lets it go",
                )
            if wires["ev"]:
                other = "suspended" if wires["ev"] == "ready" else "ready"
                yield (
                    f"ev {other} at {number}",
                    "the car pauses" if other == "suspended" else "it wants energy",
                )
            if connector["faults"]:
                yield f"repair {number}", ""
            else:
                yield f"fault GroundFailure at {number}", "or another errorCode"
            if not wires["cable"]["fixed"]:
                stuck = self._lock_is_stuck(number)
                yield f"lock {'free' if stuck else 'stuck'} at {number}", ""
        places = [f" at {one['number']}" for one in status["connectors"]] if self._stage.own_readers else [""]
        for place in places:
            yield f"swipe $tag{place}", "or $other, $stranger, any idTag"

    def _lock_is_stuck(self, number: int) -> bool:
        moves = [
            done.step.what
            for done in self._player.done
            if done.step.verb == "lock" and done.step.options.get("at", 1) == number
        ]
        return moves[-1:] == ["stuck"]

    # -- why -----------------------------------------------------------------------------------------------

    def _parts(self) -> list[Part]:
        """What the station remembers; nothing without power."""
        driver = self._stage.driver
        if driver is None:
            self._wrong("the station has no power")
            return []
        return parse(driver.trace.lines(), "the trace")

    def _fresh(self, moment: float) -> bool:
        """Whether that is since the last act; the clock of the stage counts in sums of fractions."""
        return moment > self._since - 1e-6

    def _steps(self) -> None:
        for part in self._parts():
            steps = [
                step for step in run.replay(part, self._checked) if self._fresh(step.event.moment.monotonic)
            ]
            for line in text.course(steps, self._checked.charts):
                self._tell(line)

    def _why(self, words: Sequence[str]) -> None:
        parts = self._parts()
        if not parts:
            return
        about = next((word for word in words if text.number_in(word) is None), None)
        numbers = (number for word in words if (number := text.number_in(word)) is not None)
        number = next(numbers, self._latest(parts))
        try:
            part, step = why.find(parts, number)
            for line in why.why(part, self._checked, step, about):
                self._tell(line)
        except UsageError as error:
            self._wrong(str(error))

    def _latest(self, parts: Sequence[Part]) -> int:
        """The step of the last act; of time that passed the first in which anything happened."""
        waited = bool(self._groups) and self._groups[-1][0].verb == "wait"
        return next(
            (
                step.number
                for part in parts
                for step in part.steps
                if self._fresh(step.event.moment.monotonic)
                if not waited or text.lines_of(step.record, self._checked.charts)
            ),
            sum(len(part.steps) for part in parts),
        )

    def write_trace(self, path: Path) -> None:
        """All of it, done once more, as a trace for `charger replay`; a file that is there is replaced.

        Raises:
            UsageError: it cannot be written.
        """
        if path.exists() and not path.is_file():
            raise UsageError(f"{path} cannot be written: that is no regular file")
        path.unlink(missing_ok=True)
        file = TraceFile(path)
        with Simulation(self._settings, self._checked, _nobody) as again:
            again._again(self._story, self._groups, _nobody, file)
        file.close()

    # -- saving --------------------------------------------------------------------------------------------

    def _write_trace(self, path: Path) -> None:
        try:
            self.write_trace(path)
            self._tell(f"written: charger replay {path}")
        except UsageError as error:
            self._wrong(str(error))
        except (OSError, ValueError) as error:  # ValueError: a name that no file can have
            self._wrong(f"{path} cannot be written: {getattr(error, 'strerror', error)}")

    def _save(self, words: Sequence[str]) -> None:
        if len(words) != 1:
            self._wrong("save FILE: name the file, like tests/mine/walk.yaml")
            return
        path = Path(words[0])
        path = path if path.suffix == ".yaml" else path.with_name(f"{path.name}.yaml")
        with Simulation(self._settings, self._checked, _nobody) as trial:
            trial._again(self._story, self._groups, _nobody)
            story = trial._until_quiet(path.stem)
            try:
                path.write_text(story, encoding="utf-8")
            except (OSError, ValueError) as error:
                self._wrong(f"{path} cannot be written: {getattr(error, 'strerror', error)}")
                return
            failure = trial.play(read_story(path))
        if failure:
            self._wrong(f"saved {path}; played once, it fails: {failure}")
        else:
            self._tell(f"saved {path}; played once, it passes")

    def _until_quiet(self, name: str) -> str:
        """All of it as a story, up to a moment after which nothing is said for a while."""
        player, stage = self._player, self._stage
        for _ in range(MOST_WAITING):
            end, before = stage.now(), len(player.heard)
            player.step(_pause(QUIET))
            if all(heard.action in UNASKED for heard in player.heard[before:]):
                break
        return as_story(name, player.done, player.heard, end)

    def _tell(self, told: str) -> None:
        for line in told.splitlines() or [""]:
            self._show(Line("plain", line))

    def _wrong(self, told: str) -> None:
        self._show(Line("wrong", told))


def _nobody(_line: Line) -> None:
    """Looks on while everything is done again."""


def _pause(seconds: float) -> Step:
    return Step(Mark("simulate", 1, 1), "wait", Duration(seconds))


def _charts(charts: dict[str, Any]) -> str:
    told = " · ".join(f"{name}\xa0{'/'.join(state['path'])}" for name, state in charts.items())
    indent = " " * 15
    lines = textwrap.wrap(told, text.WIDE, initial_indent=indent, subsequent_indent=indent)
    return "\n".join(lines).replace("\xa0", " ")


def _calls(status: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Calls of the Central System with sensible arguments."""
    for connector in status["connectors"]:
        number, running = connector["number"], connector["transaction"]
        if running is None:
            yield f"call RemoteStartTransaction {{connectorId: {number}, idTag: $tag}}", ""
        elif running["id"] is not None:
            yield f"call RemoteStopTransaction {{transactionId: {running['id']}}}", ""
        yield f"call UnlockConnector {{connectorId: {number}}}", ""
        other = "Operative" if connector["status"] == "Unavailable" else "Inoperative"
        yield f"call ChangeAvailability {{connectorId: {number}, type: {other}}}", ""
    yield "call TriggerMessage {requestedMessage: StatusNotification}", ""
    yield "call ChangeConfiguration {key: ConnectionTimeOut, value: '30'}", ""
    yield "call Reset {type: Soft}", "or Hard"
