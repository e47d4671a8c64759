"""docs/charts.md, "The step", written down plainly: the ensemble without anything that makes it fast.

Nothing is remembered, nothing is compiled, every chart is asked for its `always` again and again, guards are
read from the model. Slow, and the reference that `Ensemble` is held against in test_step.py. Times of day
(``at: "22:00"``, ``clock.between``) are left to test_timing.py.
"""

from __future__ import annotations

import math
import operator
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from charger.statechart import model
from charger.statechart.ensemble import STEP_BUDGET, BrokenPromiseError, Moved, Observer
from charger.statechart.event import Event
from charger.statechart.machine import Entered, Exited, Move, Taken
from charger.statechart.words import Vocabulary

OPERATORS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
DAY = 86_400


def move_by(chart: model.Chart, leaf: str, transition: model.Transition) -> Move:
    """What is left and entered when a transition is taken."""
    target, source = transition.target, transition.source
    if target is None:
        return Move((Taken(transition),), leaf)
    around_target = ("", *chart.path(target))[:-1]
    if source in around_target:  # inside the state that declares it: that one is not left
        stays = source
    else:  # everything up to the innermost state around both
        around_source = ("", *chart.path(source))[:-1]
        stays = next(name for name in reversed(around_source) if name in around_target)
    depth = len(chart.path(stays))
    end = chart.initial_leaf(target)
    left = [Exited(name) for name in reversed(chart.path(leaf)[depth:])]
    entered = [Entered(name) for name in chart.path(end)[depth:]]
    return Move((*left, Taken(transition), *entered), end)


@dataclass
class Timer:
    """What waits for its time."""

    one: One
    transition: model.Transition
    started: float
    due: float | None = None
    boundary: float | None = None
    """Of `at`: the moment on the wall clock that it is for."""
    seconds: float | None = None
    over: bool = False
    """It has run out, and does so once."""


class One:
    """An instance of a chart."""

    def __init__(self, chart: model.Chart, number: int) -> None:
        self.chart, self.number = chart, number
        self.tries: Counter[str] = Counter()
        self.visits = 0
        """States left so far."""

    @property
    def station_only(self) -> bool:
        return self.chart.scopes == ("station",)


class Plain:
    """To the outside an `Ensemble`."""

    def __init__(
        self,
        charts: model.ChartSet,
        vocabulary: Vocabulary,
        connectors: int,
        host: Any,
        observer: Observer | None = None,
    ) -> None:
        self.charts, self.words, self.host = charts, vocabulary, host
        self.observer = observer or (lambda _chart, _transition, _what: None)
        self.connectors = connectors
        self.all = [
            One(chart, number)
            for chart in charts.charts.values()
            for number in range(connectors + 1)
            if ("connector" if number else "station") in chart.scopes
        ]
        self.leaves = {name: [""] * (connectors + 1) for name in charts.charts}
        self.statuses = dict.fromkeys(range(connectors + 1), "")
        self.told = dict(self.statuses)
        self.signals: list[Event] = []
        self.timers: dict[str, Timer] = {}
        self.debts: dict[tuple[str, int], str] = {}
        self.asking: list[tuple[int, One]] = []
        self.awaited: dict[int, tuple[One, int]] = {}
        self.tokens = 0
        self.written: set[str] = set()
        self.clock_was_set = False
        self.unheard: Counter[str] = Counter()
        self.moves: list[Moved] = []

    def leaf(self, one: One) -> str:
        return self.leaves[one.chart.name][one.number]

    def status(self, number: int) -> str:
        return self.statuses[number]

    def post(self, event: Event) -> None:
        self.signals.append(event)

    def key_written(self, key: str) -> None:
        self.written.add(key)

    def clock_set(self) -> None:
        self.clock_was_set = True

    def forget_debts(self) -> None:
        self.debts.clear()

    # -- the step --------------------------------------------------------------------------------------

    def start(self, event: Event) -> list[Moved]:
        self.begin(event)
        for one in self.all:
            path = ("", *one.chart.path(one.chart.initial_leaf()))
            self.take(one, Move(tuple(Entered(name) for name in path), path[-1]))
        return self.finish()

    def step(self, event: Event) -> list[Moved]:
        self.begin(event)
        if event.name == "timer.expired":
            self.ring(event.fields["key"])
        else:
            self.hear(event)
        return self.finish()

    def begin(self, event: Event) -> None:
        self.event, self.moves = event, []

    def finish(self) -> list[Moved]:
        while True:
            moved = True
            while moved:
                moved = any(self.round())
            self.tell_statuses()
            if not self.signals:
                self.host.rested()
            if not self.signals:
                break
            self.hear(replace(self.signals.pop(0), moment=self.event.moment))
        self.awaited |= {token: (one, one.visits) for token, one in self.asking}
        self.asking = []
        self.arm_anew()
        self.watch()
        return self.moves

    def round(self) -> list[bool]:
        """Every chart has its turn."""
        return [self.settle(one) for one in self.all]

    def hear(self, event: Event) -> None:
        self.event = event
        word = self.words.events.get(event.name)
        if word and word.report:
            word.report(self.host, event)
        self.unanswered = event.call
        listeners = [(one, key) for one in self.all for key in self.heard_as(one, event)]
        if event.token is not None:
            asked, visits = self.awaited.pop(event.token, (None, 0))
            listeners = [pair for pair in listeners if pair[0] is asked and asked.visits == visits]
        took = [self.offer(one, key) for one, key in listeners]
        if not any(took):
            self.unheard[event.name] += 1
        if self.unanswered is not None:
            self.host.reply_error(self.unanswered, "InternalError")

    def heard_as(self, one: One, event: Event) -> list[str]:
        """Under which name an instance hears the event, if it does."""
        at = event.connector
        if event.token is None:
            if event.call is not None:
                if one.number != (at or 0):
                    return []
            elif at is not None and one.number != at and not one.station_only:
                return []
        mentioned = {t.trigger for t in one.chart.transitions() if t.kind == "on"}
        if event.name in mentioned:
            return [f"on {event.name}"]
        of_scope = [other for other in self.all if (other.number > 0) == (one.number > 0)]
        nobody = not any(t.trigger == event.name for other in of_scope for t in other.chart.transitions())
        wild = event.name in self.words.calls() and "ocpp.*" in mentioned and nobody
        return ["on ocpp.*"] if wild else []

    def offer(self, one: One, key: str) -> bool:
        transition = self.enabled(one, key)
        if transition is None:
            return False
        self.take(one, move_by(one.chart, self.leaf(one), transition))
        self.settle(one)
        return True

    def settle(self, one: One) -> bool:
        moved = False
        while transition := self.enabled(one, "always"):
            self.take(one, move_by(one.chart, self.leaf(one), transition))
            moved = True
        return moved

    def enabled(self, one: One, key: str) -> model.Transition | None:
        """The innermost transition, the first in the file, whose guard is true."""
        for state in one.chart.lineage(self.leaf(one)):
            for transition in state.transitions:
                if transition.key == key and self.allowed(one, transition):
                    return transition
        return None

    def allowed(self, one: One, transition: model.Transition) -> bool:
        if transition.guard is None:
            return True
        answer = self.holds(transition.guard, one.chart, one.number, one.tries)
        self.observer(one.chart.name, transition, answer)
        return answer

    # -- one move --------------------------------------------------------------------------------------

    def take(self, one: One, move: Move) -> None:
        """In `in()` the instance is where it goes to from the beginning of the move."""
        budget = STEP_BUDGET * max(1, self.connectors)
        if len(self.moves) == budget:
            raise BrokenPromiseError("endless-step", "the step does not come to rest", one.chart.mark)
        name, number = one.chart.name, one.number
        self.moves.append(Moved(name, number, self.leaf(one), move.leaf, move.transition))
        self.leaves[name][number] = move.leaf
        for part in move.parts:
            match part:
                case Exited(state=left):
                    one.visits += 1
                    self.leave(one, one.chart.states[left])
                case Entered(state=entered):
                    self.enter(one, one.chart.states[entered])
                case Taken(transition=transition):
                    self.observer(name, transition, None)
                    self.perform(one, transition.actions)
                    if transition.reply:
                        self.reply(one, transition.reply)

    def leave(self, one: One, state: model.State) -> None:
        for key, timer in list(self.timers.items()):
            if timer.one is one and timer.transition.source == state.name:
                del self.timers[key]
                self.host.cancel_timer(key)
        self.perform(one, state.exit)

    def enter(self, one: One, state: model.State) -> None:
        one.tries[state.name] += 1
        for child in state.children:
            one.tries[child] = 0
        for transition in state.transitions:
            key = f"{one.chart.name}/{one.number}/{transition.key}"
            if transition.delay is not None and key not in self.timers:
                self.timers[key] = Timer(one, transition, self.event.moment.monotonic)
                self.arm(key)
        self.perform(one, state.entry)

    def perform(self, one: One, uses: tuple[model.Use, ...]) -> None:
        for use in uses:
            given = self.given(one, use.arguments)
            if use.raises:
                at = given.pop("connector", None)
                self.post(Event(use.name, (one.number or None) if at is None else at, given))
                continue
            for invariant, chart in self.invariants():
                if any(name == use.name for name, _ in invariant.whenever):
                    assert invariant.then
                    if not self.holds(invariant.then, chart, one.number, Counter()):
                        raise BrokenPromiseError("whenever", invariant.text, invariant.mark, one.number)
            word = self.words.actions[use.name]
            if word.correlated:
                self.tokens += 1
                self.asking.append((self.tokens, one))
                given["token"] = self.tokens
            word.perform(self.host, one.number, self.event, **given)

    def given(self, one: One, arguments: tuple[tuple[str, model.Value], ...]) -> dict[str, Any]:
        return {name: self.value(value, one.chart, one.number, one.tries) for name, value in arguments}

    def reply(self, one: One, reply: model.Reply) -> None:
        name, call = self.event.name, self.event.call
        if reply.pays:
            name, call = reply.pays, self.debts.pop((reply.pays, one.number), None)
        if call is None:
            return
        if call == self.unanswered:
            self.unanswered = None
        match reply.kind:
            case "later":
                self.debts[name, one.number] = call
            case "status":
                self.host.reply(call, name, {"status": reply.name})
            case "error":
                self.host.reply_error(call, reply.name)
            case _:
                make = self.words.answers[reply.name].make
                payload = make(self.host, one.number, self.event, **self.given(one, reply.arguments))
                self.host.reply(call, name, dict(payload))

    # -- at rest ---------------------------------------------------------------------------------------

    def tell_statuses(self) -> None:
        for one in self.all:
            written = [state.status for state in one.chart.lineage(self.leaf(one)) if state.status]
            if written:
                self.statuses[one.number] = written[0]
        for number, status in self.statuses.items():
            if status != self.told[number]:
                self.told[number] = status
                self.host.status_changed(number, status, self.event)

    def watch(self) -> None:
        for invariant, chart in self.invariants():
            numbers = [0] if chart is None else [one.number for one in self.all if one.chart is chart]
            for number in numbers:
                if invariant.never and self.holds(invariant.never, chart, number, Counter()):
                    raise BrokenPromiseError("never", invariant.text, invariant.mark, number)

    def invariants(self) -> list[tuple[model.Invariant, model.Chart | None]]:
        return [(invariant, None) for invariant in self.charts.invariants] + [
            (invariant, chart) for chart in self.charts.charts.values() for invariant in chart.invariants
        ]

    # -- timers ----------------------------------------------------------------------------------------

    def ring(self, key: str) -> None:
        timer = self.timers.get(key)
        if timer is None:
            return
        if timer.boundary is not None:
            self.event = replace(self.event, fields={"key": key, "time": timer.boundary})
        if timer.transition.kind == "after":
            timer.due, timer.over = None, True
        else:
            self.arm(key)
        self.offer(timer.one, timer.transition.key)

    def arm(self, key: str) -> None:
        timer = self.timers[key]
        was, timer.over = timer.due, False
        timer.due = timer.boundary = None
        now, wall = self.event.moment.monotonic, self.host.wall(self.event.moment).wall
        seconds = timer.seconds = self.seconds(timer.one, timer.transition)
        if seconds:
            match timer.transition.kind:
                case "after":
                    timer.due = max(now, timer.started + seconds)
                case "every":
                    turns = math.floor((now - timer.started) / seconds) + 1
                    timer.due = timer.started + max(1, turns) * seconds
                case _:
                    midnight = wall // DAY * DAY
                    turns = math.floor((wall - midnight) / seconds) + 1
                    timer.boundary = min(midnight + turns * seconds, midnight + DAY)
                    timer.due = now + timer.boundary - wall
        if timer.due is not None:
            self.host.start_timer(key, timer.due)
        elif was is not None:
            self.host.cancel_timer(key)

    def seconds(self, one: One, transition: model.Transition) -> float | None:
        match transition.delay:
            case model.Fixed(seconds=seconds):
                return seconds
            case model.OfKey(key=key, factor=factor):
                many = self.fact(factor, one.number) if factor else 1
                return float(self.words.read_key(self.host, key)) * many
            case model.OfFact(fact=fact):
                return self.fact(fact, one.number)
            case model.Backoff(first=first, limit=limit, jitter=jitter):
                doubled = first * 2 ** (one.tries[transition.source] - 1)
                return min(doubled, limit) + jitter * self.host.random()
        raise NotImplementedError(transition.delay)

    def arm_anew(self) -> None:
        for key, timer in list(self.timers.items()):
            delay = timer.transition.delay
            written = isinstance(delay, model.OfKey) and delay.key in self.written
            by_clock = timer.transition.kind == "at" and self.clock_was_set
            if (written or by_clock) and not timer.over:
                self.arm(key)
        self.written, self.clock_was_set = set(), False

    # -- what guards and arguments say -----------------------------------------------------------------

    def holds(self, expr: model.Expr, chart: model.Chart | None, here: int, tries: Counter[str]) -> bool:
        match expr:
            case model.And(parts=parts):
                return all(self.holds(part, chart, here, tries) for part in parts)
            case model.Or(parts=parts):
                return any(self.holds(part, chart, here, tries) for part in parts)
            case model.Not(part=part):
                return not self.holds(part, chart, here, tries)
            case model.Compare():
                left = self.value(expr.left, chart, here, tries)
                right = self.value(expr.right, chart, here, tries)
                if isinstance(left, str) and isinstance(right, str):
                    left, right = left.lower(), right.lower()
                if expr.operator not in {"==", "!="} and None in (left, right):
                    return False
                return OPERATORS[expr.operator](left, right)
        return bool(self.value(expr, chart, here, tries))

    def value(self, value: model.Value, chart: model.Chart | None, here: int, tries: Counter[str]) -> Any:
        match value:
            case model.Const(value=const):
                return const
            case model.Here():
                return here
            case model.EventField(name=name):
                own = {"connector": self.event.connector}
                return (own | dict(self.event.fields)).get(name)
            case model.Tries(state=state):
                return tries[state]
            case model.Capital(name=name):
                return self.words.read_key(self.host, name) if name in self.words.keys else name
            case model.Name(name=name):
                if chart and name in chart.guards:
                    return self.holds(chart.guards[name], chart, here, tries)
                if name in self.charts.guards:
                    return self.holds(self.charts.guards[name], None, here, tries)
                return self.fact(name, here) if name in self.words.facts else name
            case model.In(how=how, ref=ref, at=at):
                if chart and ref[0].isupper():
                    ref = f"{chart.name}.{ref}"
                if how == "in":
                    asked = here if at is None else self.value(at, chart, here, tries)
                    return asked in range(self.connectors + 1) and self.inside(ref, asked)
                numbers = [number for number in range(1, self.connectors + 1) if self.inside(ref, number)]
                match how:
                    case "any":
                        return bool(numbers)
                    case "all":
                        return len(numbers) == self.connectors
                    case "one":
                        return len(numbers) == 1
                return numbers[0] if numbers else None
        raise NotImplementedError(value)

    def inside(self, ref: str, number: int) -> bool:
        """Whether a chart of that connector, or one of the station, is in the state or has the tag."""
        name, _, state = ref.partition(".")
        for one in self.all:
            if one.number == number or one.station_only:
                leaf = self.leaf(one)
                if state and name == one.chart.name and state in one.chart.path(leaf):
                    return True
                if not state and leaf and ref in one.chart.tags(leaf):
                    return True
        return False

    def fact(self, name: str, here: int) -> Any:
        return self.words.facts[name].read(self.host, here, self.event)
