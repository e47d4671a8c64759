"""A real station in virtual time that is watched for one broken promise.

What a walk has found is tried here: with the real facts, the simulated hardware and a kind Central System.
Acts are steps of a story (docs/stories.md); one that cannot be done now is left out.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from charger import ports
from charger.errors import Defect
from charger.functions.status import may_follow
from charger.settings import Settings
from charger.statechart.checks import Checked
from charger.statechart.ensemble import BrokenPromiseError
from charger.statechart.event import Event
from charger.statechart.findings import Mark
from charger.station import Station, Step
from charger.stories.match import filled
from charger.stories.play import HAND, NAMES
from charger.stories.stage import Answered, Heard, Refusal, usual_answer
from charger.stories.virtual import VirtualStage

Act = dict[str, Any]
"""One step of a story, as it is written."""
FRIENDLY: Final[tuple[Act, ...]] = (
    {"central": {"Authorize": {}, "BootNotification": {}, "StartTransaction": {}}},
    {"network": "up"},
    {"repair": 1},
    {"repair": 0},
    {"report": "emergency.released"},
    {"lock": "free", "at": 1},
    {"wait": "2m"},
    {"call": {"ChangeAvailability": {"connectorId": 0, "type": "Operative"}}},
    {"call": {"ChangeAvailability": {"connectorId": 1, "type": "Operative"}}},
    {"ev": "suspended", "at": 1},
    {"swipe": "$tag", "at": 1},
    {"wait": "2m"},
    {"unplug": 1},
    {"wait": "10m"},
)
"""What everybody does who wants to end well."""
ALONE: Final[tuple[Act, ...]] = ({"wait": "10m"},)
"""What happens when nobody does anything."""


@dataclass
class Watch:
    """What is looked for."""

    rule: str
    mark: Mark
    stuck: Mapping[str, Any] = field(default_factory=dict)
    """For promises about ways: the situation that must not last, see `Laboratory.is_stuck`."""
    found: str | None = None
    """What was broken, in a sentence."""
    after: str = ""
    """The status before, of one that may not follow."""
    now: str = ""
    """That status."""
    connector: int = 0


class _Watched(Station):
    """A station whose every step is looked at."""

    watch: Watch

    def handle(self, event: Event) -> Step:
        before = {n: self.ensemble.status(n) for n in (0, *self.situation.connectors)}
        try:
            step = super().handle(event)
        except Defect as defect:
            cause = defect.__cause__
            if isinstance(cause, BrokenPromiseError):
                mark, place = self.watch.mark, (cause.mark.file, cause.mark.line)
                there = cause.rule == "endless-step" or place == (mark.file, mark.line)
                if cause.rule == self.watch.rule and there:  # a step without end is given up at any place
                    self.watch.found = self.watch.found or str(cause)
            raise
        if self.watch.rule == "status-matrix":
            self._statuses(before)
        if self.watch.rule == "call-unanswered" and event.call:
            self._answers(event, step)
        return step

    def _statuses(self, before: Mapping[int, str]) -> None:
        for number, earlier in before.items():
            now = self.ensemble.status(number)
            if not may_follow(earlier, now) and not self.watch.found:
                self.watch.found = f"{earlier} → {now} (connector {number})"
                self.watch.after, self.watch.now, self.watch.connector = earlier, now, number

    def _answers(self, event: Event, step: Step) -> None:
        for command in step.commands:
            if isinstance(command, ports.ReplyError) and command.code == "InternalError":
                self.watch.found = f"{event.name} is not answered"


class _Stage(VirtualStage):
    """The world, with the watched station in it."""

    def __init__(self, settings: Settings, checked: Checked, folder: Path, watch: Watch) -> None:
        super().__init__(settings, checked, folder)
        self._watch = watch
        self.station: _Watched | None = None

    def _station(self, stored: list[ports.Change]) -> Station:
        settings, checked = self._settings, self._checked
        self.station = _Watched(
            checked.charts,
            checked.vocabulary,
            settings.identity,
            settings.plans,
            stored,
            settings.configuration,
        )
        self.station.watch = self._watch
        return self.station


@dataclass
class Course:
    """One try: the acts that could be done, and what the station said after each."""

    watch: Watch
    acts: list[Act] = field(default_factory=list)
    said: list[list[Heard]] = field(default_factory=list)
    booted: bool = False
    """Whether it has sent BootNotification."""
    friendly: list[Act] = field(default_factory=list)
    """What was done at the end to get out of there."""
    found: str | None = None
    answers: dict[int, Answered | None] = field(default_factory=dict)
    ends: list[float] = field(default_factory=list)
    """When each act was done, s."""


class Laboratory:
    """Tries acts on stations of one kind."""

    def __init__(self, settings: Settings, checked: Checked, *, fixed: bool) -> None:
        plans = tuple(replace(plan, fixed=fixed) for plan in settings.plans)
        self.settings = replace(settings, plans=plans, simulation=replace(settings.simulation, plugged=()))
        self._checked = checked
        self._names: dict[str, Any] = dict(NAMES)
        self._scripted: dict[str, Any] = {}
        self._transactions = 1000
        self._heard: list[Heard] = []

    def run(self, acts: Sequence[Act], watch: Watch) -> Course:
        """Boot a station and do these things to it."""
        watch = replace(watch, found=None)
        course = Course(watch)
        self._names, self._scripted, self._transactions, self._heard = dict(NAMES), {}, 1000, []
        with tempfile.TemporaryDirectory(prefix="charger-verify-") as folder:
            stage = _Stage(self.settings, self._checked, Path(folder), watch)
            stage.ears = lambda heard: self._answer(stage, heard)
            stage.power(on=True)
            stage.wait(6.0, lambda: watch.found is not None)
            course.booted = any(heard.action == "BootNotification" for heard in self._heard)
            for act in acts:
                if watch.found:
                    break
                self._heard = []
                with suppress(ValueError, ConnectionError, KeyError, Defect):
                    course.answers[len(course.acts)] = self._do(stage, act)
                    course.acts.append(act)
                    course.said.append(self._heard)
                    course.ends.append(stage.now())
            if watch.stuck and watch.found is None:
                self._ends_badly(stage, watch, course)
        course.found = watch.found
        return course

    def _ends_badly(self, stage: _Stage, watch: Watch, course: Course) -> None:
        if not is_stuck(stage.station, watch.stuck):
            return
        for act in ALONE if "ending" in watch.stuck else FRIENDLY:
            with suppress(ValueError, ConnectionError, KeyError, Defect):
                self._do(stage, act)
                course.friendly.append(act)
            if not is_stuck(stage.station, watch.stuck):
                return
        watch.found = str(watch.stuck["text"])

    def _answer(self, stage: _Stage, heard: Heard) -> Any:
        self._heard.append(heard)
        scripted = self._scripted.get(heard.action, {})
        if set(scripted) == {"error"}:
            return Refusal(str(scripted["error"]))
        answer = usual_answer(heard.action, stage.wall(), self._number)
        if "transactionId" in answer:
            self._names["tx"] = answer["transactionId"]
        return {**answer, **scripted}

    def _number(self) -> int:
        self._transactions += 1
        return self._transactions

    def _do(self, stage: _Stage, act: Act) -> Answered | None:
        (verb, what), *_ = act.items()
        if verb not in ("wait", "central"):
            stage.wait(HAND, lambda: False)
        place = act.get("at", 1)
        match verb:
            case "wait":
                stage.wait(seconds(stage, what), lambda: False)
            case "plug" | "unplug":
                stage.act(verb, what, {"side": "ev"} if act.get("side") == "ev" else {})
            case "ev":
                stage.act("ev", place, {"state": what})
            case "swipe":
                stage.act("swipe", None, {"id_tag": filled(what, self._names), "connector": place})
            case "fault":
                stage.act("fault", place, {"error_code": what, "info": ""})
            case "repair":
                stage.act("clear_fault", what, {})
            case "lock":
                stage.act("lock", place, {"fail": what == "stuck"})
            case "report":
                stage.report(what, act.get("at"))
            case "network":
                stage.network(what == "up")
            case "power":
                stage.power(what == "on")
            case "central":
                self._scripted |= what
            case "call":
                ((action, payload),) = what.items()
                answer_of = stage.call(action, filled(payload, self._names))
                stage.wait(10.0, lambda: answer_of() is not None)
                return answer_of()
        return None


def seconds(stage: VirtualStage, text: str) -> float:
    """``10s``, ``2m``, or the value of a key."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    for unit, factor in units.items():
        number = text.removesuffix(unit)
        if number != text and number.replace(".", "", 1).isdigit():
            return float(number) * factor
    return stage.setting(text) + 1.0


def is_stuck(station: Station | None, stuck: Mapping[str, Any]) -> bool:
    """Whether the station is where it must not stay: outside of a home, in a trap, in a transaction."""
    if station is None:
        return False
    if "open" in stuck:
        return any(
            running.ending or "ending" not in stuck for running in station.situation.transactions.all()
        )
    for chart, number, path in station.ensemble.states():
        if chart == stuck["chart"] and number == stuck["number"]:
            inside = stuck["state"] in path
            return inside if stuck["kind"] == "trap" else not inside
    return False
