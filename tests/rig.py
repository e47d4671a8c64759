"""A whole station in virtual time: charts, facts, simulated hardware and a Central System played by the test.

`Rig` puts the real parts together with the virtual clock; only the WebSocket is missing. Tests act
(`plug`, `swipe`, `call`, `after`) and look (`sent`, `status`, `state`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from charger import ports
from charger.clock import VirtualClock
from charger.driver import Driver
from charger.functions.situation import ConnectorPlan, Identity
from charger.functions.times import to_text
from charger.hardware.simulated import SimulatedHardware
from charger.ports import Change
from charger.statechart import checks
from charger.statechart.event import Event
from charger.statechart.model import Transition
from charger.station import Station
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
SEEN: dict[tuple[str, int, int], set[bool | None]] = {}
"""Chart, line and column of a transition → what happened to it in all tests: taken (None), guard true, false."""


def observe(chart: str, transition: Transition, what: bool | None) -> None:
    """Chart coverage."""
    SEEN.setdefault((chart, transition.mark.line, transition.mark.column), set()).add(what)


@cache
def checked(folder: Path = CHARTS) -> checks.Checked:
    """Charts, read once."""
    found = checks.check(folder, build)
    assert not found.findings, found.findings
    return found


class MemoryStorage:
    """Durable as long as the test holds it; `broken` makes it refuse."""

    def __init__(self) -> None:
        self.facts: dict[tuple[str, str], Any] = {}
        self.commits = 0
        self.broken: Exception | None = None

    def load(self) -> list[Change]:
        return [Change(subject, key, value) for (subject, key), value in sorted(self.facts.items())]

    def commit(self, changes: tuple[Change, ...]) -> None:
        if self.broken:
            raise self.broken
        self.commits += 1
        for change in changes:
            if change.value is None:
                self.facts.pop((change.subject, change.key), None)
            else:
                self.facts[change.subject, change.key] = change.value

    def close(self) -> None:
        pass


@dataclass
class CentralSystem:
    """The Central System's end of a link without wires."""

    clock: VirtualClock
    post: ports.Post = lambda _event: None
    reachable: bool = True
    linked: bool = False
    delay: float = 0.02
    answers: dict[str, Any] = field(default_factory=dict)
    """Action → payload, or a function of the request giving one; "error", "timeout" or None for silence."""
    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    replies: dict[str, Any] = field(default_factory=dict)
    pings: int = 0
    _pending: list[ports.Call] = field(default_factory=list)
    _calls: int = 0
    _transactions: int = 0

    def perform(self, command: ports.CentralCommand) -> None:
        match command:
            case ports.Connect():
                self._later(self.delay, self._open)
            case ports.Disconnect():
                self.lose()
            case ports.Ping():
                self.pings += 1
            case ports.Call() if not self.linked:
                self._answered(command, "offline", {})
            case ports.Call():
                self._pending.append(command)
                if len(self._pending) == 1:
                    self._transmit()
            case ports.Reply():
                self.replies[command.call] = dict(command.payload)
            case ports.ReplyError():
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
        answer = self.answers.get(call.action, self._usual(call.action))
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
        now = to_text(self.clock.now().wall)
        match action:
            case "BootNotification":
                return {"status": "Accepted", "currentTime": now, "interval": 300}
            case "Heartbeat":
                return {"currentTime": now}
            case "Authorize":
                return {"idTagInfo": {"status": "Accepted"}}
            case "StartTransaction":
                self._transactions += 1
                return {"transactionId": 100 + self._transactions, "idTagInfo": {"status": "Accepted"}}
            case _:
                return {}


class Rig:
    """A station of so many connectors, running."""

    def __init__(
        self,
        connectors: int = 2,
        *,
        fixed: bool = False,
        charts: Path = CHARTS,
        storage: MemoryStorage | None = None,
        clock: VirtualClock | None = None,
        start: bool = True,
        simulation: dict[str, Any] | None = None,
        **configuration: str | None,
    ) -> None:
        self.clock = clock or VirtualClock()
        self.storage = storage or MemoryStorage()
        self.plans = tuple(ConnectorPlan(fixed=fixed) for _ in range(connectors))
        self.charts = checked(charts)
        self.configuration = configuration
        self.cs = CentralSystem(self.clock)
        self.steps: list[Any] = []
        self.hardware = SimulatedHardware(self.plans, clock=self.clock, **SIMULATION | (simulation or {}))
        self.driver = Driver(
            self._station, self.storage, self.hardware, self._central, self.clock, self.steps.append
        )
        if start:
            self.driver.start()
            self.after(5)

    def _station(self, stored: list[Change]) -> Station:
        return Station(
            self.charts.charts,
            self.charts.vocabulary,
            Identity("Vendor", "Model"),
            self.plans,
            stored,
            self.configuration,
            observe,
        )

    def _central(self, post: ports.Post) -> CentralSystem:
        self.cs.post = post
        return self.cs

    # -- acts --------------------------------------------------------------------------------------------

    def after(self, seconds: float) -> None:
        """Let time pass."""
        end = self.clock.now().monotonic + seconds
        self.driver.pump()
        while (due := self.clock.next_due()) is not None and due <= end:
            self.clock.advance(max(0.0, due - self.clock.now().monotonic))
            self.driver.pump()
        self.clock.advance(end - self.clock.now().monotonic)

    def act(self, act: str, connector: int | None = None, **body: Any) -> None:
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
        identifier = f"call-{len(self.cs.replies)}-{self.clock.now().monotonic}-{len(self.steps)}"
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

    def power_cut(self, seconds: float = 60.0, **changes: Any) -> Rig:
        """The power goes, and comes back: what is left is what was stored."""
        self.clock = VirtualClock(self.clock.now().wall + seconds)
        plugged = [n for n in range(1, len(self.plans) + 1) if self.hardware.describe(n)["cable"]["present"]]
        simulation = {"plugged": tuple(plugged)} | changes.pop("simulation", {})
        rig = Rig(
            len(self.plans),
            fixed=self.plans[0].fixed,
            storage=self.storage,
            clock=self.clock,
            simulation=simulation,
            **{**self.configuration, **changes},
        )
        return rig

    # -- looks -------------------------------------------------------------------------------------------

    def sent(self, *actions: str) -> list[dict[str, Any]]:
        """The payloads of what was sent, of these actions."""
        return [payload for action, payload in self.cs.sent if action in actions]

    def told(self, connector: int = 1) -> list[str]:
        """The statuses told of a connector, in order."""
        notices = self.sent("StatusNotification")
        return [notice["status"] for notice in notices if notice["connectorId"] == connector]

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
