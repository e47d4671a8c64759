"""Plays a story on a stage, and says where it went another way than told.

The stage is the world: a whole station in virtual time (`virtual.py`) or a process behind a socket
(`real.py`). The player is the laboratory: it acts, answers as the Central System, and looks at every frame.
Beyond what a story expects it holds each frame against what always holds (schema, ids, transactions).
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from charger.functions import times
from charger.statechart.expressions import LONGEST, TOO_LONG
from charger.statechart.findings import Mark
from charger.stories import mishaps
from charger.stories.always import TOLERANCE, Record, sample_breach, spacing_breach
from charger.stories.language import PATIENCE, Duration, Frame, Step, Story
from charger.stories.match import UnknownNameError, filled, mismatch
from charger.stories.stage import SILENCE, Answered, Heard, Refusal, Stage, usual_answer

HAND: Final = 0.1
"""s before each act: nobody is so quick that an answer on its way does not arrive."""
WATCHING: Final = frozenset(
    {"central", "expect", "boots", "statuses", "nothing", "wait", "samples", "output", "light", "display"}
    | {"state", "left"}
)
"""Verbs that do nothing to the station."""
UNASKED: Final = frozenset({"Heartbeat", "MeterValues"})
"""May come at any time; looked at only where a story asks for them."""
BOOT_PATIENCE: Final = 20.0
"""s from power to BootNotification, and from there to the last StatusNotification."""
QUIET: Final = 1.0
"""s after the last step in which nothing may be said that the story does not tell."""
NAMES: Final = {"tag": "04A1B2C3", "other": "04D4E5F6", "stranger": "04FFFFFF", "group": "GROUP-1"}
"""What ``$tag`` and the others are, unless a story learns otherwise."""


@dataclass(frozen=True, slots=True)
class Done:
    """A step that did something to the station, and when, in s on the stage's clock."""

    step: Step
    begun: float
    ended: float


Tell = Callable[[str], None]


class StoryFailed(Exception):
    """It went another way. The text says where, what and how."""


@dataclass(slots=True)
class Measured:
    """Times of one story, s."""

    triggered: float = 0.0
    """The longest from an act, or a frame, to a message that had to follow; restarts not counted."""
    response: float = 0.0
    """The longest from a CALL to its answer."""
    remote_start: float | None = None
    """The longest of RemoteStartTransaction."""


@dataclass(slots=True)
class Played:
    """How a story went."""

    story: Story
    failure: str | None = None
    skipped: str | None = None
    """Why it says nothing about this station."""
    duration: float = 0.0
    """s on the stage's clock."""
    measured: Measured = field(default_factory=Measured)
    log: list[str] = field(default_factory=list)
    """Acts and frames, line by line."""


def play(story: Story, stage: Stage, tell: Tell = lambda _text: None) -> Played:
    """Play one story on a fresh stage."""
    return Player(story, stage, tell).play()


class Player:
    """Plays a story, or whatever steps it is given.

    Args:
        story: it.
        stage: a fresh one.
        tell: told of acts, and of messages as `<- -> => <=` say: from the station, to it, and the answers.
    """

    def __init__(self, story: Story, stage: Stage, tell: Tell = lambda _text: None) -> None:
        self.done: list[Done] = []
        """What was done to the station, in order."""
        self.heard: list[Heard] = []
        """What it said."""
        self._tell = tell
        self._story = story
        self._stage = stage
        self._played = Played(story)
        self._names: dict[str, Any] = dict(NAMES)
        self._waiting: deque[Heard] = deque()
        self._answers: dict[str, Any] = {}
        self._record = Record()
        self._sampled: dict[int, float] = {}
        """Connector → the stamp of the last of its samples that was looked at."""
        self._wrong: str | None = None
        self._since = 0.0
        """When the last act was done, or the last expected frame came."""
        self._restarted = False
        self._whole = False
        """The whole story is played, and a defect is a failure of it."""
        stage.ears = self._hear

    def play(self) -> Played:
        """All of the story, and the silence after it."""
        stage, played = self._stage, self._played
        begun = self._since = stage.now()
        self._whole = True
        configured = not self._story.configuration
        try:
            for step in self._story.steps:
                self.step(step)
                if step.verb == "boots" and not configured:
                    configured = True
                    self._configure(step.mark)
            end = Mark(self._story.file, 1, 1)
            if not configured:
                self._configure(end)
            self._silence(end, QUIET, None)
        except StoryFailed as failed:
            played.failure = str(failed)
        played.duration = stage.now() - begun
        return played

    def step(self, step: Step) -> None:
        """One step.

        Raises:
            StoryFailed: it went another way, or cannot be done.
        """
        if step.verb not in WATCHING:
            self._stage.wait(HAND, lambda: False)
        self._note(f"{step.verb} {_about(step)}".rstrip())
        begun = self._stage.now()
        try:
            getattr(self, f"_{step.verb}")(step)
        except (ValueError, ConnectionError, UnknownNameError) as error:
            self._fail(step.mark, f"'{step.verb}' cannot be done: {error}")
        if step.verb not in WATCHING or step.verb == "central":
            self.done.append(Done(step, begun, self._stage.now()))
        self._check(step.mark)

    def _fail(self, mark: Mark, why: str) -> NoReturn:
        recent = "\n".join(f"    {line}" for line in self._played.log[-12:])
        raise StoryFailed(f"{mark.file}:{mark.line}: {why}\n  what happened before:\n{recent}")

    def _check(self, mark: Mark) -> None:
        if self._stage.defect and self._whole:
            self._fail(mark, f"a defect, contactors opened: {self._stage.defect}")
        if self._wrong:
            self._fail(mark, self._wrong)

    def _note(self, text: str) -> None:
        self._played.log.append(f"{self._stage.now():9.2f}  {text}")
        self._tell(text)

    def _configure(self, mark: Mark) -> None:
        for name, value in self._story.configuration.items():
            key = name.removesuffix("?")
            begun, payload = self._stage.now(), {"key": key, "value": value}
            answer = self._ask("ChangeConfiguration", payload, mark)
            call = Step(mark, "call", Frame(mark, "ChangeConfiguration", payload))
            self.done.append(Done(call, begun, self._stage.now()))
            status = (answer.payload or {}).get("status")
            left_out = status == "NotSupported" and key != name
            if status != "Accepted" and not left_out and not self._is_so_already(key, value, mark):
                self._fail(mark, f"{key} cannot be set to '{value}': {_answer(answer)}")
        self._since = self._stage.now()

    def _is_so_already(self, key: str, value: str, mark: Mark) -> bool:
        """A key that cannot be written, because it is always so."""
        answer = self._ask("GetConfiguration", {"key": [key]}, mark)
        wanted = {"configurationKey": [{"key": key, "readonly": True, "value": value}]}
        return answer.payload is not None and mismatch(wanted, answer.payload, {}) is None

    # -- the Central System ------------------------------------------------------------------------------

    def _hear(self, heard: Heard) -> Any:
        self._note(f"<- {heard}")
        self.heard.append(heard)
        answer = self._answer_to(heard)
        if answer is not SILENCE:
            told = answer.code if isinstance(answer, Refusal) else json.dumps(answer, ensure_ascii=False)
            self._tell(f"=> {heard.action} {told}")
        return answer

    def _answer_to(self, heard: Heard) -> Any:
        breach = self._record.breach(heard.id, heard.action, heard.payload)
        self._wrong = self._wrong or (breach and f"{heard}{breach}")
        self._waiting.append(heard)
        scripted = self._answers.get(heard.action, {})
        if scripted == "silence":
            return SILENCE
        if isinstance(scripted, dict) and set(scripted) == {"error"}:
            return Refusal(str(scripted["error"]))
        return {**self._usual(heard), **filled(scripted, self._names)}

    def _usual(self, heard: Heard) -> dict[str, Any]:
        answer = usual_answer(heard.action, self._stage.wall(), lambda: self._record.number(heard.payload))
        self._names |= {"tx": answer["transactionId"]} if "transactionId" in answer else {}
        return answer

    def _ask(self, action: str, payload: Mapping[str, Any], mark: Mark, within: float = PATIENCE) -> Answered:
        self._note(f"-> {action} {json.dumps(dict(payload), ensure_ascii=False)}")
        asked, before = self._stage.now(), len(self._waiting)
        answer_of = self._stage.call(action, payload)
        self._stage.wait(within, lambda: answer_of() is not None)
        answer = answer_of()
        if answer is None:
            self._fail(mark, f"no answer to {action} within {within:g} s")
        self._note(f"<= {_answer(answer)}")
        for heard in list(self._waiting)[before:]:
            if heard.at < answer.at and heard.action not in UNASKED:
                self._fail(mark, f"{heard.action} came before the answer to {action}")
        measured, took = self._played.measured, answer.at - asked
        measured.response = max(measured.response, took)
        if action == "RemoteStartTransaction":
            measured.remote_start = max(measured.remote_start or 0.0, took)
        return answer

    # -- acts --------------------------------------------------------------------------------------------

    def _act(self, act: str, place: int | None, /, **body: Any) -> None:
        self._since, self._restarted = self._stage.now(), False
        self._stage.act(act, place, body)

    def _plug(self, step: Step) -> None:
        self._act("plug", step.what)

    def _unplug(self, step: Step) -> None:
        self._act("unplug", step.what, **({"side": "ev"} if step.options.get("side") == "ev" else {}))

    def _ev(self, step: Step) -> None:
        self._act("ev", step.options.get("at", 1), state=step.what)

    def _swipe(self, step: Step) -> None:
        place = step.options.get("at", 1 if self._stage.own_readers else None)
        reader = {} if place is None else {"connector": place}
        self._act("swipe", None, id_tag=filled(step.what, self._names), **reader)

    def _fault(self, step: Step) -> None:
        body = {"error_code": step.what, "info": step.options.get("info", "")}
        self._act("fault", step.options.get("at", 1), **body)

    def _repair(self, step: Step) -> None:
        self._act("clear_fault", step.what)

    def _lock(self, step: Step) -> None:
        self._act("lock", step.options.get("at", 1), fail=step.what == "stuck")

    def _mishap(self, step: Step) -> None:
        nowhere = None if step.verb in mishaps.OF_STATION else 1
        place = step.options.get("at", nowhere)
        body = mishaps.body(step.verb, step.what)
        if step.verb == "reader" and place is not None:  # as with a card
            place, body = None, {**body, "connector": place}
        self._act(step.verb, place, **body)

    _residual_current = _contactor = _current = _voltage = _meter = _pilot = _cable = _mishap
    _emergency = _door = _temperature = _reader = _hardware = _mishap

    def _service(self, step: Step) -> None:
        named = {"error": step.options["error"]} if "error" in step.options else {}
        self._act("service", None, connector=step.what, **named)

    def _input(self, step: Step) -> None:
        name, state = step.what
        place = {"connector": step.options["at"]} if "at" in step.options else {}
        self._act("input", None, name=name, on=state == "on", **place)

    def _report(self, step: Step) -> None:
        self._since, self._restarted = self._stage.now(), False
        self._stage.report(step.what, step.options.get("at"))

    def _network(self, step: Step) -> None:
        self._since, self._restarted = self._stage.now(), True
        self._stage.network(step.what == "up")

    def _power(self, step: Step) -> None:
        self._since, self._restarted = self._stage.now(), True
        self._stage.power(step.what == "on")

    def _central(self, step: Step) -> None:
        for action, answer in step.what.items():
            if answer is None:
                self._answers.pop(action, None)
            else:
                self._answers[action] = answer

    def _call(self, step: Step) -> None:
        frame: Frame = step.what
        within = self._seconds(step.options.get("within"), PATIENCE)
        answer = self._ask(frame.action, filled(dict(frame.pattern), self._names), step.mark, within)
        self._since, self._restarted = answer.at, frame.action == "Reset"
        wanted = step.options.get("answer", ())
        if wanted and not any(self._suits(one, answer) for one in wanted):
            told = " or ".join(json.dumps(one, ensure_ascii=False) for one in wanted)
            self._fail(step.mark, f"{frame.action} was answered {_answer(answer)}, not {told}")

    def _suits(self, wanted: Any, answer: Answered) -> bool:
        if isinstance(wanted, dict) and set(wanted) == {"error"}:
            return answer.error is not None and wanted["error"] in ("any", answer.error)
        return answer.payload is not None and mismatch(wanted, answer.payload, self._names) is None

    # -- what the station says ---------------------------------------------------------------------------

    def _seconds(self, duration: Duration | None, missing: float) -> float:
        if duration is None:
            return missing
        value = self._stage.setting(duration.key) if duration.key else 0.0
        total = duration.seconds + duration.times * value
        if not total <= LONGEST:  # what overflowed is not a number, and neither less nor more
            raise ValueError(f"{duration.key or 'the sum'} makes it {TOO_LONG}")
        return total

    def _expect(self, step: Step) -> None:
        self._await(step, list(step.what), self._limits(step, PATIENCE), list(step.options.get("maybe", ())))

    def _boots(self, step: Step) -> None:
        """BootNotification and every status; what is told in `also` may come before, between or after."""
        self._restarted = True
        also, maybe = list(step.options.get("also", ())), list(step.options.get("maybe", ()))
        boot = [Frame(step.mark, "BootNotification")]
        self._await(step, boot, self._limits(step, BOOT_PATIENCE), also, maybe)
        self._await(step, [*self._every_status(step), *also], (0.0, BOOT_PATIENCE), maybe)

    def _statuses(self, step: Step) -> None:
        self._await(step, self._every_status(step), self._limits(step, PATIENCE))

    def _every_status(self, step: Step) -> list[Frame]:
        told = step.what if isinstance(step.what, dict) else {"others": step.what}
        patterns = [
            {"connectorId": number, "status": told.get(str(number), told.get("others", "Available"))}
            for number in range(self._stage.connectors + 1)
        ]
        return [Frame(step.mark, "StatusNotification", pattern) for pattern in patterns]

    def _limits(self, step: Step, patience: float) -> tuple[float, float]:
        after, within = step.options.get("after"), step.options.get("within")
        return self._seconds(after, 0.0), self._seconds(within, patience)

    def _await(
        self, step: Step, wanted: list[Frame], limits: tuple[float, float], *allowed: list[Frame]
    ) -> None:
        """These frames and no other, in any order; those allowed may come among them, each once."""
        after, within = limits
        began, earliest, until = self._since, self._since + after, self._since + within
        while wanted:
            self._stage.wait(max(0.0, until - self._stage.now()), lambda: bool(self._waiting))
            self._check(step.mark)
            if not self._waiting or self._waiting[0].at > until:
                names = ", ".join(_told(frame) for frame in wanted)
                self._fail(step.mark, f"expected {names} within {within:g} s, and nothing came")
            heard = self._waiting.popleft()
            if heard.action in UNASKED and heard.at < began:
                continue  # from before; nobody asked then
            if any(self._one_of(frames, heard) for frames in allowed):
                continue
            if not self._one_of(wanted, heard):
                if heard.action not in UNASKED:
                    self._fail(step.mark, f"expected {self._why(wanted, heard)}\n  and got {heard}")
                continue
            if heard.at < earliest - TOLERANCE:
                early = earliest - heard.at
                self._fail(step.mark, f"{heard.action} came {early:.1f} s too early")
            self._took(heard.at)

    def _took(self, at: float) -> None:
        if not self._restarted:
            measured = self._played.measured
            measured.triggered = max(measured.triggered, at - self._since)
        self._since = max(self._since, at)

    def _one_of(self, frames: list[Frame], heard: Heard) -> bool:
        for frame in frames:
            same = frame.action == heard.action
            if same and mismatch(dict(frame.pattern), heard.payload, self._names) is None:
                frames.remove(frame)
                return True
        return False

    def _why(self, wanted: list[Frame], heard: Heard) -> str:
        def told(frame: Frame) -> str:
            if frame.action != heard.action:
                return _told(frame)
            return f"{_told(frame)} ({mismatch(dict(frame.pattern), heard.payload, dict(self._names))})"

        return ", ".join(map(told, wanted))

    def _output(self, step: Step) -> None:
        name, state = step.what
        self._becomes(step, f"the output '{name}'", lambda here: here["outputs"].get(name), state)

    def _light(self, step: Step) -> None:
        self._becomes(step, "the light", lambda here: here["light"], step.what)

    def _display(self, step: Step) -> None:
        self._becomes(step, "the display", lambda here: here["display"], step.what)

    def _becomes(self, step: Step, what: str, read: Callable[[Any], Any], wanted: str) -> None:
        """What people see is so before long; told `after`, not before."""
        after, within = self._limits(step, PATIENCE)
        began = self._since
        number = step.options.get("at", 1 if step.verb == "light" else None)

        def shown() -> Any:
            status = self._stage.status()
            return read(status if number is None else status["connectors"][number - 1])

        left = max(0.0, began + within - self._stage.now())
        if not self._stage.wait(left, lambda: shown() == wanted):
            self._fail(step.mark, f"{what} is '{shown()}', not '{wanted}', after {within:g} s")
        if self._stage.now() < began + after - TOLERANCE:
            early = began + after - self._stage.now()
            self._fail(step.mark, f"{what} is '{wanted}' {early:.1f} s too early")
        self._since = max(self._since, self._stage.now())

    def _nothing(self, step: Step) -> None:
        forbidden = step.options.get("of")
        self._silence(step.mark, self._seconds(step.what, 0.0), forbidden)
        if forbidden:
            self._waiting.clear()  # whatever else came was of no interest
        self._since = self._stage.now()

    def _silence(self, mark: Mark, seconds: float, forbidden: tuple[str, ...] | None) -> None:
        """Nothing is said for so long; nothing of those actions, if some are given."""

        def unwanted() -> Heard | None:
            return next((heard for heard in list(self._waiting) if _matters(heard, forbidden)), None)

        self._stage.wait(seconds, lambda: unwanted() is not None)
        self._check(mark)
        if heard := unwanted():
            self._fail(mark, f"nothing was expected, and {heard} came")

    def _wait(self, step: Step) -> None:
        self._stage.wait(self._seconds(step.what, 0.0), lambda: False)
        self._since = self._stage.now()

    def _state(self, step: Step) -> None:
        """A chart is in a state, or gets there."""
        self._wait_for_state(step, step.what, inside=True)

    def _left(self, step: Step) -> None:
        """A chart is not in a state, or leaves it."""
        self._wait_for_state(step, step.what, inside=False)

    def _wait_for_state(self, step: Step, what: str, *, inside: bool) -> None:
        chart, _, state = what.partition(".")
        number, within = step.options.get("at", 1), self._seconds(step.options.get("within"), 0.0)

        def path() -> tuple[str, ...]:
            states = self._stage.states(number)
            if chart not in states:
                raise ValueError(f"there is no chart '{chart}' at connector {number}")
            return states[chart]

        if not self._stage.wait(within, lambda: (state in path()) == inside):
            told = f"{chart} is in '{'.'.join(path())}'"
            self._fail(step.mark, f"{told}, not in '{state}'" if inside else f"{told} still")

    def _samples(self, step: Step) -> None:
        """So many MeterValues of a connector, evenly spaced."""
        options = step.options
        every = self._seconds(options["every"], 0.0)
        number = options.get("at", 1)
        begun = [self._sampled[number]] if options.get("follows") and number in self._sampled else []
        stamps: list[float] = []
        until = self._stage.now() + self._seconds(options.get("within"), (step.what + 1) * every + PATIENCE)
        while len(stamps) < step.what:
            self._stage.wait(max(0.0, until - self._stage.now()), lambda: bool(self._waiting))
            self._check(step.mark)
            if not self._waiting:
                self._fail(step.mark, f"expected {step.what} MeterValues, and {len(stamps)} came")
            heard = self._waiting.popleft()
            if heard.action not in UNASKED:
                self._fail(step.mark, f"expected MeterValues, and got {heard}")
            if heard.action != "MeterValues" or heard.payload["connectorId"] != number:
                continue
            if heard.at < self._since and not begun:
                continue  # from before; nobody asked then
            if why := self._sample_breach(heard, options):
                self._fail(step.mark, f"{heard}: {why}")
            stamps.append(times.to_seconds(heard.payload["meterValue"][0]["timestamp"]) or 0.0)
        if why := spacing_breach([*begun, *stamps], every, aligned=options.get("aligned", False)):
            self._fail(step.mark, why)
        self._sampled[number] = stamps[-1]
        self._since = self._stage.now()

    def _sample_breach(self, heard: Heard, options: Mapping[str, Any]) -> str | None:
        values = heard.payload["meterValue"][0]["sampledValue"]
        return mismatch(options.get("each", {}), heard.payload, self._names) or sample_breach(
            values, options.get("measurands"), options.get("context")
        )


def _about(step: Step) -> str:
    match step.what:
        case (str() as name, str() as state):
            place = f" at {step.options['at']}" if "at" in step.options else ""
            return f"{name} {state}{place}"
        case str() | int():
            place = f" at {step.options['at']}" if "at" in step.options else ""
            return f"{step.what}{place}"
        case dict():
            return json.dumps(step.what, ensure_ascii=False)
        case Duration(seconds, key, times_):
            return " + ".join([f"{times_:g} * {key}"] * bool(key) + [f"{seconds:g} s"] * bool(seconds))
        case _:
            return ""


def _told(frame: Frame) -> str:
    if not frame.pattern:
        return frame.action
    return f"{frame.action} {json.dumps(dict(frame.pattern), ensure_ascii=False)}"


def _answer(answer: Answered) -> str:
    return answer.error or json.dumps(dict(answer.payload or {}), ensure_ascii=False)


def _matters(heard: Heard, forbidden: tuple[str, ...] | None) -> bool:
    return heard.action in forbidden if forbidden else heard.action not in UNASKED
