"""All instances of a set of charts, and the step that moves them.

One step: the event changes its facts, then it is offered to the charts in index order, and a chart that
moved takes its own ``always`` until it rests; then every chart's ``always`` until all rest; then the first
waiting signal, as the event. Facts, timers, replies and actions belong to the `Host`. A step that does not
come to rest, and a broken invariant, raise: the host fails safe.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

from charger.statechart import model, timing
from charger.statechart.evaluate import Ask, Evaluator, Scene
from charger.statechart.event import Event, Moment
from charger.statechart.findings import Mark
from charger.statechart.machine import Asked, Entered, Exited, Machine, Move
from charger.statechart.words import Vocabulary

STEP_BUDGET = 200
"""Moves in one step for every connector; more is a loop."""
WAKE = "wake"
"""Timers of ``clock.between``: a step without an event at both edges."""


class BrokenPromiseError(RuntimeError):
    """A step does not end, or an invariant of the charts does not hold.

    Args:
        rule: ``never``, ``whenever`` or ``endless-step``.
        text: the promise as written, or a sentence.
        mark: where it is written.
        number: the connector it is about; None when the text says enough.
    """

    def __init__(self, rule: str, text: str, mark: Mark, number: int | None = None) -> None:
        self.rule = rule
        self.text = text
        self.mark = mark
        where = "" if number is None else f" (connector {number})"
        super().__init__(f"{text}{where} [{mark.file}:{mark.line}]")


class Host(Protocol):
    """What the ensemble runs in."""

    def start_timer(self, key: str, due: float) -> None:
        """Expire `key` at `due` (monotonic s), by an event ``timer.expired`` with the field ``key``."""

    def cancel_timer(self, key: str) -> None:
        """Forget it."""

    def reply(self, call: str, name: str, payload: dict[str, Any]) -> None:
        """Answer the CALL `name` of that id."""

    def reply_error(self, call: str, code: str) -> None:
        """Refuse it."""

    def status_changed(self, number: int, status: str, event: Event) -> None:
        """The status of connector `number` (0: the station) is another one."""

    def rested(self) -> None:
        """Nothing moves any more in this step, unless something is posted now."""

    def wall(self, moment: Moment) -> Moment:
        """The moment with the station's own idea of the time."""

    def random(self) -> float:
        """From 0 to 1."""


@dataclass(slots=True)
class Instance:
    """One chart, for one connector or the station."""

    chart: model.Chart
    machine: Machine
    number: int
    scene: Scene
    """What its guards look at."""
    ask: Asked
    """Answers its guards about the scene."""
    tries: Counter[str]
    leaf: str = ""
    visit: int = 0
    """Counts how often the leaf was left: an answer is for one visit."""
    rested: int = -1
    """The count of changes at which it was last asked and did not move."""


class Moved(NamedTuple):
    """One move of one instance, for traces."""

    chart: str
    number: int
    source: str
    target: str
    transition: model.Transition | None


class _Watched(Machine):
    """The machine of an instance, and somebody who looks on."""

    def __init__(self, instance: Instance, told: Callable[[Instance, str], None]) -> None:
        self._instance = instance
        self._machine = instance.machine
        self._told = told
        self.chart = instance.chart
        self.restless = instance.machine.restless

    def hears(self, leaf: str, key: str) -> bool:
        """See `Machine`."""
        return self._machine.hears(leaf, key)

    def initial(self) -> Move:
        """See `Machine`."""
        return self._machine.initial()

    def step(self, leaf: str, key: str, ask: Asked) -> Move | None:
        """See `Machine`."""
        self._told(self._instance, key)
        return self._machine.step(leaf, key, ask)


Observer = Callable[[str, model.Transition, bool | None], None]
"""Told ``(chart, transition, what)``: a guard answered True or False, or a transition taken (None)."""


class Ensemble:
    """The running charts."""

    def __init__(
        self,
        chart_set: model.ChartSet,
        vocabulary: Vocabulary,
        connectors: int,
        host: Any,
        observer: Observer | None = None,
    ) -> None:
        self._set = chart_set
        self._vocabulary = vocabulary
        self._host: Host = host
        self._observer = observer
        self._evaluator = Evaluator(chart_set, vocabulary)
        self.leaves: dict[str, list[str]] = {name: [""] * (connectors + 1) for name in chart_set.charts}
        # Keyed by identity: hashing a transition would walk its whole tree.
        self._asks = {
            id(transition): self._evaluator.expression(transition.guard, chart)
            for chart in chart_set.charts.values()
            for transition in chart.transitions()
            if transition.guard is not None
        }
        self._event = Event("station.started")
        self._changes = 0
        """Counts moves and events heard: while it stands still, no guard has another answer."""
        self._instances = [
            self._instance(machine, number)
            for chart in chart_set.charts.values()
            for machine in [Machine(chart)]
            for number in _numbers(chart, connectors)
        ]
        self._values = {
            id(value): self._evaluator.value(value, chart)
            for chart in chart_set.charts.values()
            for value in _argument_values(chart)
        }
        status_of = {
            name: {leaf: _status(chart, leaf) for leaf in chart.leaves}
            for name, chart in chart_set.charts.items()
        }
        self._shown = [
            (instance, status_of[instance.chart.name])
            for instance in self._instances
            if any(status_of[instance.chart.name].values())
        ]
        self._hearing = self._who_hears()
        self._statuses = {0: "", **dict.fromkeys(range(1, connectors + 1), "")}
        self._reported = dict(self._statuses)
        self._invariants = list(self._live_invariants(connectors))
        self._whenever = self._conditions()
        self._timers: dict[str, tuple[Instance | None, model.State, timing.Running]] = {}
        self._waiting: deque[Event] = deque()
        self._debts: dict[tuple[str, int], str] = {}
        self._awaited: dict[int, tuple[Instance, int]] = {}
        self._asking: list[tuple[int, Instance]] = []
        self._next_token = 1
        self._unanswered: str | None = None
        self._most_moves = self._budget = STEP_BUDGET * max(1, connectors)
        self._written: set[str] = set()
        self._clock_set = False
        self.moves: list[Moved] = []
        self.unheard: Counter[str] = Counter()

    def _instance(self, machine: Machine, number: int) -> Instance:
        tries: Counter[str] = Counter()
        scene = Scene(self._host, self.leaves, number, self._event, tries)
        return Instance(machine.chart, machine, number, scene, self._answering(machine.chart, scene), tries)

    def watch(self, told: Callable[[Instance, str], None]) -> None:
        """From now on tell of every trigger that an instance is offered, before it answers."""
        for instance in self._instances:
            instance.machine = _Watched(instance, told)

    # -- what others may ask -----------------------------------------------------------------------------

    def states(self) -> Iterator[tuple[str, int, tuple[str, ...]]]:
        """Chart, number, and the active states from the outermost."""
        for instance in self._instances:
            yield instance.chart.name, instance.number, instance.chart.path(instance.leaf)

    def status(self, number: int) -> str:
        """The OCPP status; empty before the first step."""
        return self._statuses[number]

    def post(self, event: Event) -> None:
        """Hear `event` later in this step: what an action or a report brings about."""
        self._waiting.append(event)

    def key_written(self, key: str) -> None:
        """A configuration key has a new value: timers named after it are re-armed at the end of the step."""
        self._written.add(key)

    def clock_set(self) -> None:
        """The wall clock was set: timers by the clock are re-armed at the end of the step."""
        self._clock_set = True

    def forget_debts(self) -> None:
        """The link is gone, and with it every answer owed."""
        self._debts.clear()

    # -- the step ----------------------------------------------------------------------------------------

    def start(self, event: Event) -> list[Moved]:
        """Enter the initial states. Call once, first."""
        self._begin(event)
        for instance in self._instances:
            self._take(instance, instance.machine.initial())
        for minute in self._edges():
            running = timing.Running("at", model.DayTime(minute), event.moment.monotonic)
            self._timers[f"{WAKE}/{minute}"] = (None, self._instances[0].chart.root, running)
            self._arm(f"{WAKE}/{minute}")
        return self._finish()

    def step(self, event: Event) -> list[Moved]:
        """Hear one event and come to rest.

        Raises:
            BrokenPromiseError: the step does not end, or an invariant does not hold.
        """
        self._begin(event)
        if event.name == "timer.expired":
            self._expire(str(event.fields["key"]))
        else:
            self._hear(event)
        return self._finish()

    def _begin(self, event: Event) -> None:
        self.moves = []
        self._budget = self._most_moves
        self._event = event
        self._changes += 1

    def _finish(self) -> list[Moved]:
        while True:
            self._rest()
            self._read_statuses()
            if not self._waiting:
                self._host.rested()
            if not self._waiting:
                break
            self._hear(self._waiting.popleft())
        return self._at_rest()

    def _at_rest(self) -> list[Moved]:
        """The step is over, if every promise is kept."""
        for token, instance in self._asking:
            self._awaited[token] = (instance, instance.visit)
        self._asking.clear()
        self._rearm()
        for invariant, ask, number in self._invariants:
            if ask(self._scene(number)):
                raise BrokenPromiseError("never", invariant.text, invariant.mark, number)
        return self.moves

    def _hear(self, event: Event) -> None:
        if event.moment is not self._event.moment:
            event = event.at(self._event.moment)
        self._event = event
        self._changes += 1
        word = self._vocabulary.events.get(event.name)
        if word and word.report:
            word.report(self._host, event)
        self._unanswered = event.call
        heard = False
        for instance, key in self._listeners(event):
            heard = self._offer(instance, key) or heard
        if not heard:
            self.unheard[event.name] += 1
        if self._unanswered is not None:
            # The checks prove that this cannot happen; silence would block the Central System all the same.
            self._host.reply_error(self._unanswered, "InternalError")

    def _listeners(self, event: Event) -> list[tuple[Instance, str]]:
        if event.token is not None:
            asked = self._awaited.pop(event.token, None)
            current = asked is not None and asked[0].visit == asked[1]
            return [(asked[0], f"on {event.name}")] if asked and current else []
        hearing = self._hearing.get(event.name, ())
        here = event.connector
        if event.call is not None:
            return [(one, key) for key, ones in hearing for one in ones if one.number == (here or 0)]
        if here is None:
            return [(one, key) for key, ones in hearing for one in ones]
        return [
            (one, key)
            for key, ones in hearing
            for one in ones
            if one.number == here or (one.number == 0 and len(one.chart.scopes) == 1)
        ]

    def _offer(self, instance: Instance, key: str) -> bool:
        if not instance.machine.hears(instance.leaf, key):
            return False
        instance.scene.event = self._event
        move = instance.machine.step(instance.leaf, key, instance.ask)
        if move is None:
            return False
        self._take(instance, move)
        self._settle(instance)
        return True

    def _settle(self, instance: Instance) -> bool:
        """Take this instance's own ``always`` until it rests."""
        moved = False
        instance.scene.event = self._event
        while instance.rested != self._changes and instance.leaf in instance.machine.restless:
            move = instance.machine.step(instance.leaf, "always", instance.ask)
            if move is None:
                instance.rested = self._changes
            else:
                self._take(instance, move)
                moved = True
        return moved

    def _rest(self) -> None:
        """Rounds over all instances, until none moves any more."""
        moved = True
        while moved:
            moved = False
            for instance in self._instances:
                if instance.rested != self._changes and instance.leaf in instance.machine.restless:
                    moved = self._settle(instance) or moved

    def _read_statuses(self) -> None:
        """The status of whoever rests in a state that has one; those passed through show nothing."""
        for instance, status_in in self._shown:
            status = status_in[instance.leaf]
            if status is not None:
                self._statuses[instance.number] = status
        for number, status in self._statuses.items():
            if status != self._reported[number]:
                self._reported[number] = status
                self._host.status_changed(number, status, self._event)

    # -- checkpoint --------------------------------------------------------------------------------------

    def due(self) -> dict[str, float]:
        """The timers that run, and when each is due (monotonic s)."""
        return {key: timer.due for key, (_, _, timer) in self._timers.items() if timer.due is not None}

    def checkpoint(self) -> dict[str, Any]:
        """Where every chart is between two steps, as JSON has it."""
        return {
            "instances": [
                [one.chart.name, one.number, one.leaf, one.visit, dict(one.tries)] for one in self._instances
            ],
            "statuses": [[number, now, self._reported[number]] for number, now in self._statuses.items()],
            "timers": {
                key: {name: getattr(timer, name) for name in _OF_TIMER}
                for key, (_, _, timer) in self._timers.items()
            },
            "debts": [[name, number, call] for (name, number), call in self._debts.items()],
            "awaited": [
                [token, one.chart.name, one.number, visit] for token, (one, visit) in self._awaited.items()
            ],
            "next_token": self._next_token,
        }

    def restore(self, saved: Mapping[str, Any], moment: Moment) -> list[str]:
        """Be where a checkpoint was, on an ensemble that was not started; gives what it cannot be.

        A chart that has no such state, or was not there, begins at its first one. A timer that was not there
        starts now. With the charts of the checkpoint neither happens.
        """
        self._begin(Event("station.started", moment=moment))
        known = {(name, number): rest for name, number, *rest in saved["instances"]}
        lost = []
        for one in self._instances:
            leaf, visit, tries = known.get((one.chart.name, one.number), ("", 0, {}))
            if leaf in one.chart.leaves:
                one.leaf = self.leaves[one.chart.name][one.number] = leaf
                one.visit = visit
                one.tries.update(tries)
            else:
                lost.append(f"{one.chart.name}{f' {one.number}' if one.number else ''} {leaf}".rstrip())
        for number, now, reported in saved["statuses"]:
            self._statuses[number], self._reported[number] = now, reported
        self._restore_timers(saved["timers"], moment)
        instances = {(one.chart.name, one.number): one for one in self._instances}
        for token, name, number, visit in saved["awaited"]:
            if (name, number) in instances:
                self._awaited[token] = (instances[name, number], visit)
        self._debts = {(name, number): call for name, number, call in saved["debts"]}
        self._next_token = saved["next_token"]
        for one in self._instances:
            if not one.leaf:
                self._take(one, one.machine.initial())
        return lost

    def _restore_timers(self, saved: Mapping[str, Mapping[str, Any]], moment: Moment) -> None:
        """In the order in which they were started: it is the order in which they are re-armed."""
        root = self._instances[0].chart.root
        timers: dict[str, tuple[Instance | None, model.State, timing.Running]] = {
            f"{WAKE}/{minute}": (None, root, timing.Running("at", model.DayTime(minute), moment.monotonic))
            for minute in self._edges()
        }
        for one in self._instances:
            for state in one.chart.lineage(one.leaf) if one.leaf else ():
                for transition in state.transitions:
                    if transition.delay is not None:
                        running = timing.Running(transition.kind, transition.delay, moment.monotonic)
                        timers[_timer(one, transition)] = (one, state, running)
        for key, values in saved.items():
            if key in timers:
                self._timers[key] = timers.pop(key)
                for name, value in values.items():
                    setattr(self._timers[key][2], name, value)
        for key, timer in timers.items():
            self._timers[key] = timer
            self._arm(key)

    # -- one move ----------------------------------------------------------------------------------------

    def _take(self, instance: Instance, move: Move) -> None:
        self._changes += 1
        self._budget -= 1
        if self._budget < 0:
            chart = instance.chart
            text = f"the step does not come to rest: '{chart.name}' still moves in '{instance.leaf}'"
            raise BrokenPromiseError("endless-step", text, chart.states[instance.leaf].mark)
        self.moves.append(
            Moved(instance.chart.name, instance.number, instance.leaf, move.leaf, move.transition)
        )
        instance.leaf = self.leaves[instance.chart.name][instance.number] = move.leaf
        for part in move.parts:
            match part:
                case Exited(state=name):
                    instance.visit += 1
                    self._leave(instance, instance.chart.states[name])
                case Entered(state=name):
                    self._enter(instance, instance.chart.states[name])
                case _:
                    transition = part.transition
                    if self._observer:
                        self._observer(instance.chart.name, transition, None)
                    self._perform_all(instance, transition.actions)
                    if transition.reply:
                        self._reply(instance, transition.reply)

    def _leave(self, instance: Instance, state: model.State) -> None:
        for transition in state.transitions:
            if transition.delay is not None and (key := _timer(instance, transition)) in self._timers:
                del self._timers[key]
                self._host.cancel_timer(key)
        if state.exit:
            self._perform_all(instance, state.exit)

    def _enter(self, instance: Instance, state: model.State) -> None:
        instance.tries[state.name] += 1
        for child in state.children:
            instance.tries[child] = 0
        for transition in state.transitions:
            if transition.delay is not None and (key := _timer(instance, transition)) not in self._timers:
                running = timing.Running(transition.kind, transition.delay, self._event.moment.monotonic)
                self._timers[key] = (instance, state, running)
                self._arm(key)
        if state.entry:
            self._perform_all(instance, state.entry)

    def _scene(self, number: int) -> Scene:
        return Scene(self._host, self.leaves, number, self._event, {})

    def _answering(self, chart: model.Chart, scene: Scene) -> Asked:
        asks, observer = self._asks, self._observer
        if observer is None:
            return lambda transition: bool(asks[id(transition)](scene))

        def ask(transition: model.Transition) -> bool:
            answer = bool(asks[id(transition)](scene))
            observer(chart.name, transition, answer)
            return answer

        return ask

    # -- actions and replies -----------------------------------------------------------------------------

    def _perform_all(self, instance: Instance, uses: tuple[model.Use, ...]) -> None:
        for use in uses:
            arguments = self._arguments(instance, use.arguments)
            if use.raises:
                number = arguments.pop("connector", None)
                if number is None:
                    number = instance.number or None
                self.post(Event(use.name, number, arguments))
                continue
            for invariant, ask in self._whenever.get(use.name, ()):
                if not ask(self._scene(instance.number)):
                    raise BrokenPromiseError("whenever", invariant.text, invariant.mark, instance.number)
            word = self._vocabulary.actions[use.name]
            if word.correlated:
                self._asking.append((self._next_token, instance))
                arguments["token"] = self._next_token
                self._next_token += 1
            word.perform(self._host, instance.number, self._event, **arguments)

    def _arguments(self, instance: Instance, written: tuple[tuple[str, model.Value], ...]) -> dict[str, Any]:
        if not written:
            return {}
        scene = instance.scene
        scene.event = self._event
        return {name: self._values[id(value)](scene) for name, value in written}

    def _reply(self, instance: Instance, reply: model.Reply) -> None:
        name, call = self._event.name, self._event.call
        if reply.pays:
            name = reply.pays
            call = self._debts.pop((name, instance.number), None)
        if call is None:
            return  # the debt went with its link
        if call == self._unanswered:
            self._unanswered = None
        match reply.kind:
            case "later":
                self._debts[name, instance.number] = call
            case "status":
                self._host.reply(call, name, {"status": reply.name})
            case "error":
                self._host.reply_error(call, reply.name)
            case _:
                make = self._vocabulary.answers[reply.name].make
                arguments = self._arguments(instance, reply.arguments)
                self._host.reply(
                    call, name, dict(make(self._host, instance.number, self._event, **arguments))
                )

    # -- timers ------------------------------------------------------------------------------------------

    def _expire(self, key: str) -> None:
        found = self._timers.get(key)
        if found is None:
            return  # its state was left while the expiry was on its way
        instance, state, running = found
        fields = {"key": key} if running.boundary is None else {"key": key, "time": running.boundary}
        self._event = replace(self._event, fields=fields)
        running.fired = running.boundary
        if running.kind == "after" or (running.kind == "at" and isinstance(running.delay, model.OfFact)):
            running.due, running.spent = None, True
        else:
            self._arm(key, running.boundary)
        if instance:
            transition = next(t for t in state.transitions if _timer(instance, t) == key)
            self._offer(instance, transition.key)

    def _arm(self, key: str, rung: float | None = None) -> None:
        """`rung`: of ``at``, the boundary (epoch s) for which the timer has just run out."""
        instance, state, running = self._timers[key]
        moment = self._host.wall(self._event.moment)
        if rung is not None and rung > moment.wall:
            # The monotonic clock ran ahead of the wall clock by a little: the boundary has passed.
            moment = replace(moment, wall=rung)
        before = running.due
        timing.arm(running, self._seconds(running.delay, instance, state), moment)
        if running.due is not None:
            self._host.start_timer(key, running.due)
        elif before is not None:
            self._host.cancel_timer(key)

    def _seconds(self, delay: model.Delay, instance: Instance | None, state: model.State) -> float | None:
        number = instance.number if instance else 0
        facts = self._vocabulary.facts
        match delay:
            case model.Fixed(seconds=seconds):
                return seconds
            case model.OfKey(key=key, factor=factor):
                value = float(self._vocabulary.read_key(self._host, key))
                return value * facts[factor].read(self._host, number, self._event) if factor else value
            case model.OfFact(fact=fact):
                value = facts[fact].read(self._host, number, self._event)
                return None if value is None else float(value)
            case model.Backoff(first=first, limit=limit, jitter=jitter):
                tries = instance.tries[state.name] if instance else 1
                return float(min(limit, first * 2 ** min(tries - 1, 30)) + jitter * self._host.random())
            case _:
                return None  # a time of day

    def _rearm(self) -> None:
        for key, (instance, state, running) in list(self._timers.items()):
            delay, by_clock = running.delay, running.kind == "at"
            written = isinstance(delay, model.OfKey) and delay.key in self._written
            instant = by_clock and isinstance(delay, model.OfFact)
            another = instant and self._seconds(delay, instance, state) != running.seconds
            if another or (not running.spent and (written or (by_clock and self._clock_set))):
                self._arm(key)
        self._written.clear()
        self._clock_set = False

    def _edges(self) -> list[int]:
        exprs = list(self._set.guards.values())
        for chart in self._set.charts.values():
            exprs += model.guards_of(chart)
        betweens = [part for expr in exprs for part in model.parts(expr) if isinstance(part, model.Between)]
        return sorted({minute for part in betweens for minute in (part.start, part.end)})

    # -- wiring ------------------------------------------------------------------------------------------

    def _who_hears(self) -> dict[str, list[tuple[str, list[Instance]]]]:
        """Event name → under which key it is offered to whom, in index order."""
        hearing: dict[str, list[tuple[str, list[Instance]]]] = {}
        for chart in self._set.charts.values():
            ones = [instance for instance in self._instances if instance.chart is chart]
            for name in dict.fromkeys(t.trigger for t in chart.transitions() if t.kind == "on"):
                hearing.setdefault(name, []).append((f"on {name}", ones))
        wildcard = hearing.pop("ocpp.*", [])
        for call in self._vocabulary.calls():
            scopes = {one.number > 0 for _, ones in hearing.get(call, ()) for one in ones}
            for key, ones in wildcard:
                others = [one for one in ones if (one.number > 0) not in scopes]
                hearing.setdefault(call, []).append((key, others))
        return hearing

    def _live_invariants(self, connectors: int) -> Iterator[tuple[model.Invariant, Ask, int]]:
        for invariant in self._set.invariants:
            if invariant.never:
                yield invariant, self._evaluator.expression(invariant.never, None), 0
        for chart in self._set.charts.values():
            for invariant in chart.invariants:
                if invariant.never:
                    ask = self._evaluator.expression(invariant.never, chart)
                    for number in _numbers(chart, connectors):
                        yield invariant, ask, number

    def _conditions(self) -> dict[str, list[tuple[model.Invariant, Ask]]]:
        conditions: dict[str, list[tuple[model.Invariant, Ask]]] = {}
        owners: list[tuple[model.Chart | None, tuple[model.Invariant, ...]]] = [(None, self._set.invariants)]
        owners += [(chart, chart.invariants) for chart in self._set.charts.values()]
        for chart, invariants in owners:
            for invariant in invariants:
                if invariant.then:
                    ask = self._evaluator.expression(invariant.then, chart)
                    for name, _ in invariant.whenever:
                        conditions.setdefault(name, []).append((invariant, ask))
        return conditions


_OF_TIMER = ("started", "seconds", "due", "boundary", "fired", "spent")
"""Of a running timer: what a checkpoint has; the rest is written in the chart."""


def _numbers(chart: model.Chart, connectors: int) -> list[int]:
    numbers = [0] if "station" in chart.scopes else []
    return numbers + (list(range(1, connectors + 1)) if "connector" in chart.scopes else [])


def _argument_values(chart: model.Chart) -> Iterator[model.Value]:
    for use in model.uses(chart):
        yield from (value for _, value in use.arguments)
    for transition in chart.transitions():
        if transition.reply:
            yield from (value for _, value in transition.reply.arguments)


def _status(chart: model.Chart, leaf: str) -> str | None:
    return next((state.status for state in chart.lineage(leaf) if state.status is not None), None)


def _timer(instance: Instance, transition: model.Transition) -> str:
    return f"{instance.chart.name}/{instance.number}/{transition.key}"
