"""A trace in front of other charts: what would they have done, and where do they part ways?

What came from outside comes again: plugs, cards, calls, faults, meter readings. What only answers a command
does so when the command is given: timers are those of the new charts; an answer of the Central System, a
contactor or a lock comes when the new charts asked the same in the same step, else it is left out. What was
never asked in the recording is answered from it as well as it can be (`_Questions.borrowed`), and counted.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from charger.replay.run import local_time, station_of, taken
from charger.replay.text import clock
from charger.statechart.checks import Checked
from charger.statechart.event import Event, Moment
from charger.trace import Part, Recorded

LATE: Final = 1.0
"""s after it was due in which a timer of the recording is the same one: a busy machine takes it later."""
LINGER: Final = 10.0
"""s after the end of the recording in which the new charts still get their answers."""
NO_TIMER: Final = "no such timer runs"
"""Why an expiry is left out: nothing of the world is made up by that."""
_TIMERS: Final = ("StartTimer", "CancelTimer")
_MOVES: Final = {
    "CloseContactor": 0.1,
    "OpenContactor": 0.1,
    "EngageLock": 0.5,
    "ReleaseLock": 0.5,
    "TestResidualCurrent": 0.5,
}
"""Commands that wires answer, and the seconds that this takes when the recording has no example."""
_SUCCESS: Final = {
    "CloseContactor": "contactor.closed",
    "OpenContactor": "contactor.opened",
    "EngageLock": "lock.engaged",
    "ReleaseLock": "lock.released",
    "TestResidualCurrent": "residual_current.test_passed",
    "Connect": "link.opened",
}
_ANSWERED_BY: Final = {
    "contactor.closed": ("CloseContactor",),
    "contactor.opened": ("OpenContactor",),
    "lock.engaged": ("EngageLock",),
    "lock.released": ("ReleaseLock",),
    "lock.failed": ("EngageLock", "ReleaseLock"),
    "residual_current.test_passed": ("TestResidualCurrent",),
    "residual_current.test_failed": ("TestResidualCurrent",),
    "link.opened": ("Connect",),
    "link.refused": ("Connect",),
}


@dataclass(slots=True)
class Question:
    """A command that something answers."""

    kind: str
    """That of the command; of a CALL the action."""
    place: int | None
    asked: float
    """Monotonic s."""
    token: int | None = None
    answer: Recorded | None = None

    @property
    def key(self) -> tuple[str, int | None]:
        """Two of the same key in the same step are the same question."""
        return self.kind, self.place


@dataclass(slots=True)
class Entry:
    """One step, in the recording, with the new charts, or in both."""

    event: Event
    number: int | None
    """Of the recorded step; None: only the new charts have it."""
    old: Mapping[str, Any] | None
    new: Mapping[str, Any] | None
    """None: it was left out, since it answers what was not asked."""
    note: str = ""

    @property
    def same(self) -> bool:
        """Whether the same happened, but for the numbering of questions."""
        return self.old is not None and self.new is not None and _essence(self.old) == _essence(self.new)

    @property
    def seen(self) -> bool:
        """Whether anything but a timer differs."""
        old, new = (
            _essence(record, _TIMERS) if record else [[], [], None] for record in (self.old, self.new)
        )
        return old != new


@dataclass(slots=True)
class Course:
    """How the new charts went, step by step."""

    lost: list[str] = field(default_factory=list)
    """Charts that could not go on where the trace begins."""
    entries: list[Entry] = field(default_factory=list)
    supposed: Counter[str] = field(default_factory=Counter)
    """Questions that the recording never heard, by kind: their answers are made up from others."""
    unanswered: Counter[str] = field(default_factory=Counter)
    """Those it has no example for."""
    unasked: Counter[str] = field(default_factory=Counter)
    """Answers in the recording to what the new charts did not ask, by event."""
    ended: str = ""
    """Why it ends before the recording does."""


def run_other(part: Part, checked: Checked) -> Course:
    """Put other charts in front of a recording."""
    with local_time(part.zone):
        return _Run(part, checked).course()


def _essence(record: Mapping[str, Any], without: tuple[str, ...] = ()) -> list[Any]:
    commands = [
        [kind, {name: value for name, value in fields.items() if name != "token"}]
        for kind, fields in record.get("commands", ())
        if kind not in without
    ]
    return [record.get("moves", []), commands, record.get("defect")]


def _question(kind: str, fields: Mapping[str, Any], now: float) -> Question | None:
    if kind == "Call":
        place = fields["payload"].get("connectorId")
        return Question(fields["action"], place, now, fields["token"])
    return Question(kind, fields.get("connector"), now) if kind in _SUCCESS else None


class _Questions:
    """Who asked what in a recording, and what answered it."""

    def __init__(self, steps: list[Recorded]) -> None:
        self.of_step: dict[int, list[Question]] = {}
        self.answered: dict[int, Question] = {}
        """Number of a step → what its event answers."""
        self._of_kind: dict[str, list[Question]] = {}
        waiting: deque[Question] = deque()
        for step in steps:
            found = self._answered(step.event, waiting)
            if found:
                waiting.remove(found)
                found.answer = step
                self.answered[step.number] = found
            asked = questions(step.record)
            self.of_step[step.number] = asked
            waiting.extend(asked)
            for one in asked:
                self._of_kind.setdefault(one.kind, []).append(one)

    def _answered(self, event: Event, waiting: deque[Question]) -> Question | None:
        if event.name == "ocpp.answered":
            return next((one for one in waiting if one.token == event.fields["token"]), None)
        kinds = _ANSWERED_BY.get(event.name, ())
        place = None if event.name.startswith("link.") else event.connector
        return next((one for one in reversed(waiting) if one.kind in kinds and one.place == place), None)

    def borrowed(self, question: Question) -> tuple[float, Event] | None:
        """What such a question was answered, last time or else next time, and after how many s."""
        like = [one for one in self._of_kind.get(question.kind, ()) if one.answer]
        before = [one for one in like if one.asked <= question.asked]
        for found in (*before[-1:], *like[:1]):
            if found.answer:
                return found.answer.event.moment.monotonic - found.asked, found.answer.event
        return None


def questions(record: Mapping[str, Any]) -> list[Question]:
    """What a step asks."""
    now = record["at"][0]
    found = (_question(kind, fields, now) for kind, fields in record.get("commands", ()))
    return [question for question in found if question]


class _Run:
    def __init__(self, part: Part, checked: Checked) -> None:
        self._steps = part.steps
        self._recorded = _Questions(part.steps)
        self._expiries: dict[str, list[float]] = {}
        for step in part.steps:
            if step.event.name == "timer.expired":
                key = step.event.fields["key"]
                self._expiries.setdefault(key, []).append(step.event.moment.monotonic)
        self._course = Course()
        self._station, self._course.lost = station_of(part, checked)
        self._timers = self._station.ensemble.due() if part.checkpoint else {}
        self._own: list[tuple[float, Event, str]] = []
        """Answers to what only the new charts asked: when, what, and a note for people."""
        self._deliver: dict[int, int | None] = {}
        """Number of a recorded answer → the token under which the new charts asked for it."""
        self._linked = True
        self._offset = 0.0

    def course(self) -> Course:
        for step in self._steps:
            moment = step.event.moment
            for event, note in self._due(moment.monotonic):
                self._enter(event, None, note)
                if self._course.ended:
                    return self._course
            self._offset = moment.wall - moment.monotonic
            again, note = self._again(step)
            if again is None:
                self._course.entries.append(Entry(step.event, step.number, step.record, None, note))
            else:
                self._enter(again, step, note)
            if self._course.ended:
                break
        self._linger()
        return self._course

    def _linger(self) -> None:
        """The recording is over, and an answer to what only the new charts asked is still on its way."""
        if not self._own or self._course.ended:
            return
        for event, note in self._due(self._steps[-1].event.moment.monotonic + LINGER):
            self._enter(event, None, note)
            if not self._own or self._course.ended:
                return

    # -- what comes --------------------------------------------------------------------------------------

    def _again(self, step: Recorded) -> tuple[Event | None, str]:
        """A recorded event as the new charts hear it; None: they do not."""
        event = step.event
        if event.name == "timer.expired":
            key = event.fields["key"]
            if self._timers.get(key, event.moment.monotonic + 1) > event.moment.monotonic:
                return None, NO_TIMER
            del self._timers[key]
        elif (question := self._recorded.answered.get(step.number)) is not None:
            if step.number not in self._deliver:
                self._course.unasked[event.name if question.token is None else question.kind] += 1
                return None, f"nobody asked: {question.kind}"
            if question.token is not None:
                event = replace(event, fields={**event.fields, "token": self._deliver[step.number]})
        if event.name.startswith("link."):
            self._linked = event.name == "link.opened"
            if event.name == "link.lost":
                self._go_offline(event.moment.monotonic)
        return event, ""

    def _due(self, until: float) -> Iterator[tuple[Event, str]]:
        """What the new charts alone wait for, as long as it is due by then."""
        while True:
            timers = [
                (due, key) for key, due in self._timers.items() if due < until and self._alone(key, due)
            ]
            own = min(self._own, key=lambda one: one[0], default=None)
            timer = min(timers, default=None)
            if own and own[0] < until and (timer is None or own[0] <= timer[0]):
                self._own.remove(own)
                yield own[1].at(Moment(own[0], own[0] + self._offset)), own[2]
            elif timer:
                del self._timers[timer[1]]
                moment = Moment(timer[0], timer[0] + self._offset)
                yield Event("timer.expired", fields={"key": timer[1]}, moment=moment), ""
            else:
                return

    def _alone(self, key: str, due: float) -> bool:
        """Whether the recording has no such expiry, perhaps a little late: else that one is waited for."""
        expiries = self._expiries.get(key, [])
        following = bisect_left(expiries, due)
        return following == len(expiries) or expiries[following] > due + LATE

    # -- what is asked -----------------------------------------------------------------------------------

    def _enter(self, event: Event, step: Recorded | None, note: str) -> None:
        known, record = taken(self._station, event)
        old = step.record if step else None
        self._course.entries.append(Entry(known, step.number if step else None, old, record, note))
        if "defect" in record:
            if old is None or "defect" not in old:
                self._course.ended = "a defect: the station would have been built anew"
            return
        open_questions = list(self._recorded.of_step[step.number]) if step else []
        for kind, fields in record.get("commands", ()):
            match kind:
                case "StartTimer":
                    self._timers[fields["key"]] = fields["due"]
                case "CancelTimer":
                    self._timers.pop(fields["key"], None)
                case "Disconnect":
                    self._go_offline(record["at"][0])
                case "Restart" | "End":
                    old_kinds = [one for one, _ in (old or {}).get("commands", ())]
                    if kind not in old_kinds:
                        self._course.ended = "the program would have ended here"
                case _:
                    self._ask(_question(kind, fields, record["at"][0]), fields, open_questions)

    def _ask(
        self, question: Question | None, fields: Mapping[str, Any], open_questions: list[Question]
    ) -> None:
        if question is None:
            return
        same = next((one for one in open_questions if one.key == question.key), None)
        if same:
            open_questions.remove(same)
            if same.answer:
                self._deliver[same.answer.number] = question.token
            return
        delay, event, note = self._supposed(question, fields)
        self._own.append((question.asked + delay, event, note))

    def _supposed(self, question: Question, fields: Mapping[str, Any]) -> tuple[float, Event, str]:
        """An answer to what was never asked in the recording, s later, and how it came about."""
        found = self._recorded.borrowed(question)
        counted = self._course.supposed
        if question.token is None:
            counted[question.kind] += 1
            delay = found[0] if found else _MOVES.get(question.kind, LATE)
            name = _SUCCESS[question.kind]
            if question.kind == "Connect" and found:
                name = found[1].name
            return delay, Event(name, question.place), "supposed"
        answer: dict[str, Any] = {"token": question.token, "payload": {}}
        if not self._linked:
            counted[question.kind] += 1
            return 0.0, Event("ocpp.answered", fields={**answer, "outcome": "offline"}), "no link"
        if found is None:
            self._course.unanswered[question.kind] += 1
            late = float(fields["timeout"])
            return late, Event("ocpp.answered", fields={**answer, "outcome": "timeout"}), "nobody answers"
        counted[question.kind] += 1
        outcome = {name: found[1].fields[name] for name in ("outcome", "payload")}
        note = f"the answer of {clock(found[1].moment.wall)}"
        return found[0], Event("ocpp.answered", fields={**answer, **outcome}), note

    def _go_offline(self, now: float) -> None:
        """With the link goes what waits for an answer."""
        for position, (_, event, _) in enumerate(self._own):
            if event.name == "ocpp.answered":
                fields = {**event.fields, "outcome": "offline", "payload": {}}
                self._own[position] = (now, replace(event, fields=fields), "no link")
