"""A whole station in virtual time: charts, facts, simulated hardware and a Central System played by the test.

`Rig` puts the real parts together with the virtual clock; only the WebSocket is missing. Tests act
(`plug`, `swipe`, `call`, `after`) and look (`sent`, `status`, `state`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from itertools import count
from pathlib import Path
from typing import Any

from charger import ports
from charger.clock import VirtualClock
from charger.driver import Driver
from charger.functions.situation import ConnectorPlan, Identity
from charger.functions.status import may_follow
from charger.hardware.simulated import SimulatedHardware
from charger.ports import Change
from charger.statechart import checks, ensemble
from charger.statechart.coverage import Coverage
from charger.statechart.event import Event
from charger.statechart.machine import Machine, Move
from charger.statechart.model import Transition
from charger.station import Station
from charger.stories.stage import usual_answer
from charger.stories.virtual import Memory
from charger.vocabulary import build

CHARTS = Path(__file__).parent.parent / "charts"
SIMULATION = {
    "power": 7400.0,
    "contactor_delay": 0.1,
    "lock_delay": 0.3,
    "car_delay": 0.2,
    "plugged": (),
    "register": None,
}
_IDENTIFIERS = count(1)
COVERAGE = Coverage()
"""What all tests have shown of the shipped charts."""
OF_STORIES = Coverage()
"""What the stories alone have."""


def observe(chart: str, transition: Transition, what: bool | None) -> None:
    """Chart coverage."""
    COVERAGE.observe(chart, transition, what)


def observe_story(chart: str, transition: Transition, what: bool | None) -> None:
    """Chart coverage, by a story."""
    COVERAGE.observe(chart, transition, what)
    OF_STORIES.observe(chart, transition, what)


def _nobody(_chart: str, _transition: Transition, _what: bool | None) -> None:
    """Other charts are not counted."""


class _Shared(Machine):
    """A compiled chart for every station of a test run: what it remembers depends on the chart alone."""

    def initial(self) -> Move:
        return self._initial

    @cached_property
    def _initial(self) -> Move:
        return super().initial()


_SHARED: dict[int, Machine] = {}
"""By identity of the chart; compiling one takes longer than most tests."""
ensemble.Machine = lambda chart: _SHARED.get(id(chart)) or Machine(chart)  # type: ignore[assignment,misc]


@cache
def checked(folder: Path = CHARTS) -> checks.Checked:
    """Charts, read and compiled once."""
    found = checks.check(folder, build)
    assert not found.findings, found.findings
    for chart in found.charts.charts.values():
        _SHARED[id(chart)] = _Shared(chart)
    return found


class MemoryStorage(Memory):
    """Durable as long as the test holds it; `broken` makes it refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.commits = 0
        self.broken: Exception | None = None

    def commit(self, changes: tuple[Change, ...]) -> None:
        if self.broken:
            raise self.broken
        self.commits += 1
        super().commit(changes)


@dataclass
class CentralSystem:
    """The Central System's end of a link without wires."""

    clock: VirtualClock
    post: ports.Post = lambda _event: None
    reachable: bool = True
    deaf: bool = False
    """Attempts to connect are not even refused."""
    linked: bool = False
    delay: float = 0.02
    answers: dict[str, Any] = field(default_factory=dict)
    """Action → payload, "error" or "timeout"; or a function of the request giving one of them."""
    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    replies: dict[str, Any] = field(default_factory=dict)
    answered: Counter[str] = field(default_factory=Counter)
    """How often each CALL was answered."""
    attempts: list[float] = field(default_factory=list)
    """When the station tried to connect, monotonic s."""
    pings: list[float] = field(default_factory=list)
    """When it pinged."""
    times: list[float] = field(default_factory=list)
    """When each of `sent` came, monotonic s."""
    _pending: list[ports.Call] = field(default_factory=list)
    _calls: int = 0
    _transactions: int = 0

    def perform(self, command: ports.CentralCommand) -> None:
        match command:
            case ports.Connect():
                self.attempts.append(self.clock.now().monotonic)
                if not self.deaf:
                    self._later(self.delay, self._open)
            case ports.Disconnect():
                self.lose()
            case ports.Ping():
                self.pings.append(self.clock.now().monotonic)
            case ports.Call() if not self.linked:
                self._answered(command, "offline", {})
            case ports.Call():
                self._pending.append(command)
                if len(self._pending) == 1:
                    self._transmit()
            case ports.Reply():
                self.answered[command.call] += 1
                self.replies[command.call] = dict(command.payload)
            case ports.ReplyError():
                self.answered[command.call] += 1
                self.replies[command.call] = command.code

    async def close(self) -> None:
        pass

    def lose(self) -> None:
        """The link breaks."""
        if not self.linked:
            return
        self.linked = False
        self.post(Event("link.lost", fields={"reason": "cut"}))
        pending, self._pending = self._pending, []
        for call in pending:
            self._answered(call, "offline", {})

    def _open(self) -> None:
        if self.linked:
            return
        self.linked = self.reachable
        self.post(Event("link.opened" if self.linked else "link.refused"))

    def _later(self, delay: float, act: Callable[[], None]) -> None:
        self._calls += 1
        self.clock.start(f"central/{self._calls}", self.clock.now().monotonic + delay, lambda _key: act())

    def _transmit(self) -> None:
        call = self._pending[0]
        self.sent.append((call.action, dict(call.payload)))
        self.times.append(self.clock.now().monotonic)
        answer = self.answers[call.action] if call.action in self.answers else self._usual(call.action)
        if callable(answer):
            answer = answer(call.payload)
        delay = call.timeout if answer == "timeout" else self.delay
        self._later(delay, lambda: self._answer(call, answer))

    def _answer(self, call: ports.Call, answer: Any) -> None:
        if call not in self._pending:
            return
        self._pending.remove(call)
        outcome = answer if isinstance(answer, str) else "result"
        self._answered(call, outcome, {} if isinstance(answer, str) else answer)
        if self._pending:
            self._transmit()

    def _answered(self, call: ports.Call, outcome: str, payload: Any) -> None:
        fields = {"token": call.token, "outcome": outcome, "payload": payload}
        self.post(Event("ocpp.answered", fields=fields))

    def _usual(self, action: str) -> Any:
        return usual_answer(action, self.clock.now().wall, self._next_transaction)

    def _next_transaction(self) -> int:
        self._transactions += 1
        return 100 + self._transactions


ORDER: tuple[Any, ...] = (
    ports.OpenContactor,
    ports.Store,
    ports.HardwareCommand,
    (ports.Reply, ports.ReplyError),
    (ports.Call, ports.Connect, ports.Disconnect, ports.Ping),
    (ports.StartTimer, ports.CancelTimer),
    (ports.Restart, ports.End),
)
"""Of the commands of a step: what is safe first, what is durable before what is visible."""


class Rig:
    """A station of so many connectors, running."""

    def __init__(
        self,
        connectors: int = 2,
        *,
        fixed: bool = False,
        phases: int = 3,
        charts: Path = CHARTS,
        storage: MemoryStorage | None = None,
        clock: VirtualClock | None = None,
        start: bool = True,
        simulation: dict[str, Any] | None = None,
        **configuration: str | None,
    ) -> None:
        self.clock = clock or VirtualClock()
        self.storage = storage or MemoryStorage()
        self.plans = tuple(ConnectorPlan(fixed=fixed, phases=phases) for _ in range(connectors))
        self.folder = charts
        self.charts = checked(charts)
        self.configuration = configuration
        self.cs = CentralSystem(self.clock)
        self.steps: list[Any] = []
        self._shown: dict[int, str] = {}
        self.before: list[tuple[str, dict[str, Any]]] = []
        """What the Central System got before the last power cut."""
        self._observer = observe if charts == CHARTS else _nobody
        self.simulation = SIMULATION | (simulation or {})
        self.hardware = self._hardware()
        self.driver = Driver(
            self._station, self.storage, self.hardware, self._central, self.clock, self._stepped
        )
        if start:
            self.driver.start()
            self.after(5)

    def _hardware(self) -> Any:
        return SimulatedHardware(self.plans, clock=self.clock, **self.simulation)

    def _station(self, stored: list[Change]) -> Station:
        return Station(
            self.charts.charts,
            self.charts.vocabulary,
            Identity("Vendor", "Model"),
            self.plans,
            stored,
            self.configuration,
            self._observer,
        )

    def _central(self, post: ports.Post) -> CentralSystem:
        self.cs.post = post
        return self.cs

    def _stepped(self, step: Any) -> None:
        """Whatever a test is about, statuses change along the matrix (§4.9); other charts may do as they like."""
        self.steps.append(step)
        if self._observer is observe:
            for number in range(1, len(self.plans) + 1):
                now = self.status(number)  # empty while a station is built anew
                assert not now or may_follow(self._shown.get(number, ""), now), (
                    self._shown[number],
                    now,
                    step.event,
                )
                self._shown[number] = now

    # -- acts --------------------------------------------------------------------------------------------

    def after(self, seconds: float) -> None:
        """Let time pass."""
        end = self.clock.now().monotonic + seconds
        self.driver.pump()
        while (due := self.clock.next_due()) is not None and due <= end:
            self.clock.advance(max(0.0, due - self.clock.now().monotonic))
            self.driver.pump()
        self.clock.advance(max(0.0, end - self.clock.now().monotonic))

    def until(self, happened: Callable[[], bool], most: float = 60, step: float = 0.05) -> None:
        """Let time pass until something has happened."""
        end = self.clock.now().monotonic + most
        while not happened():
            assert self.clock.now().monotonic < end, self.states()
            self.after(step)

    def act(self, act: str, connector: int | None = None, /, **body: Any) -> None:
        """Something a person does, and the second after."""
        self.hardware.simulate(act, connector, body)
        self.after(1)

    def plug(self, connector: int = 1) -> None:
        self.act("plug", connector)

    def unplug(self, connector: int = 1) -> None:
        self.act("unplug", connector)

    def swipe(self, tag: str = "TAG", connector: int | None = None) -> None:
        body = {"id_tag": tag} | ({"connector": connector} if connector else {})
        self.act("swipe", None, **body)

    def call(self, action: str, **payload: Any) -> Any:
        """The Central System calls; gives the answer, an error code, or None while it is owed."""
        identifier = f"call-{next(_IDENTIFIERS)}"
        self.driver.post(Event(f"ocpp.{action}", fields=payload, call=identifier))
        self.after(0.01)
        self._last = identifier
        return self.cs.replies.get(identifier)

    def answer(self) -> Any:
        """The answer to the last `call`, by now."""
        return self.cs.replies.get(self._last)

    def session(self, connector: int = 1, tag: str = "TAG") -> None:
        """Plug and card, until it charges."""
        self.plug(connector)
        self.swipe(tag)
        self.after(2)
        assert self.status(connector) == "Charging", self.states(connector)

    def power_cut(self, seconds: float = 60.0, *, start: bool = True, **changes: Any) -> Rig:
        """The power goes, and comes back: what is left is what was stored, and the world."""
        clock = VirtualClock(self.clock.now().wall + seconds)
        numbers = range(1, len(self.plans) + 1)
        plugged = tuple(n for n in numbers if self.hardware.describe(n)["cable"]["present"])
        rig = Rig(
            len(self.plans),
            fixed=self.plans[0].fixed,
            phases=self.plans[0].phases,
            charts=self.folder,
            storage=self.storage,
            clock=clock,
            start=False,
            simulation=self.simulation | {"plugged": plugged} | changes.pop("simulation", {}),
            **{**self.configuration, **changes},
        )
        for number in numbers:  # a meter does not forget
            rig.hardware._outlets[number].energy = self.hardware.describe(number)["meter"]["energy_wh"]
        rig.before = self.before + self.cs.sent
        rig.cs._transactions = self.cs._transactions
        if start:
            rig.driver.start()
            rig.after(5)
        return rig

    def wires(self, name: str, connector: int | None = None, **fields: Any) -> None:
        """The hardware reports something that the simulated world would not do by itself."""
        self.driver.post(Event(name, connector, fields))
        self.after(0.01)

    def cut(self) -> None:
        """The link breaks, and cannot be opened again."""
        self.cs.reachable = False
        self.cs.lose()
        self.after(0.01)

    def mend(self) -> None:
        """It can; the longest wait between two attempts passes."""
        self.cs.reachable = True
        self.after(64)

    def limit(self, connector: int, amps: float) -> None:
        """The installation allows so much from now on, A per phase."""
        outlet = self.facts.connectors[connector]
        outlet.plan = replace(outlet.plan, max_current=amps)
        self.wires("ev.ready" if outlet.ev_asks else "ev.paused", connector)

    # -- looks -------------------------------------------------------------------------------------------

    def sent(self, *actions: str) -> list[dict[str, Any]]:
        """The payloads of what was sent, of these actions."""
        return [payload for action, payload in self.cs.sent if action in actions]

    def told(self, connector: int = 1) -> list[str]:
        """The statuses told of a connector, in order."""
        return [notice["status"] for notice in self.notices(connector)]

    def notices(self, connector: int = 1) -> list[dict[str, Any]]:
        """The StatusNotifications of a connector, in order."""
        return [notice for notice in self.sent("StatusNotification") if notice["connectorId"] == connector]

    def when(self, *actions: str) -> list[float]:
        """When these were sent, monotonic s."""
        return [at for at, (action, _) in zip(self.cs.times, self.cs.sent, strict=True) if action in actions]

    def log(self, *actions: str) -> list[str]:
        """The names of what was sent, of these actions, in order; all without any."""
        return [action for action, _ in self.cs.sent if not actions or action in actions]

    def forget(self) -> None:
        """What was sent so far is of no interest."""
        self.cs.sent.clear()
        self.cs.times.clear()

    def status(self, connector: int = 1) -> str:
        return self.driver.station.ensemble.status(connector)

    def state(self, chart: str, connector: int = 0) -> str:
        return self.driver.station.ensemble.leaves[chart][connector]

    def states(self, connector: int = 1) -> dict[str, str]:
        leaves = self.driver.station.ensemble.leaves
        return {chart: here[connector] or here[0] for chart, here in leaves.items()}

    @property
    def facts(self) -> Any:
        return self.driver.station.situation
