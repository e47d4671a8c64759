"""The whole station in virtual time: charts, driver, simulated hardware. Clock, link and disk are played.

Hours pass in milliseconds, and always in the same way. What it leaves out is the socket, SQLite and the
process; `real.py` has those.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from charger import ports
from charger.app import simulated_hardware
from charger.central import messages
from charger.clock import VirtualClock
from charger.driver import Driver
from charger.hardware.simulated import SimulatedHardware
from charger.ports import Change
from charger.settings import Settings
from charger.statechart.checks import Checked
from charger.statechart.ensemble import Observer
from charger.statechart.event import Event
from charger.station import Station, Step
from charger.stories.needs import keys_of
from charger.stories.stage import SILENCE, Answered, Ears, Heard, Refusal
from charger.trace import Trace, TraceFile

DELAY: Final = 0.02
"""s that a frame takes."""
RESTART: Final = 3.0
"""s that a restart of the program takes."""


class Memory:
    """Storage that survives the power, as long as somebody holds it."""

    def __init__(self) -> None:
        self.facts: dict[tuple[str, str], Any] = {}

    def load(self) -> list[Change]:
        """Every fact."""
        return [Change(subject, key, value) for (subject, key), value in sorted(self.facts.items())]

    def commit(self, changes: tuple[Change, ...]) -> None:
        """Keep them."""
        for change in changes:
            self.facts[change.subject, change.key] = change.value
            if change.value is None:
                del self.facts[change.subject, change.key]

    def close(self) -> None:
        """Nothing to let go of."""


class VirtualStage:
    """A station as its settings say, without power yet."""

    def __init__(
        self, settings: Settings, checked: Checked, folder: Path, observer: Observer | None = None
    ) -> None:
        """Set it up.

        Args:
            settings: the station.
            checked: its charts.
            folder: where its meters keep their registers.
            observer: told of guards and transitions.
        """
        self.connectors = len(settings.plans)
        self.own_readers = all(plan.own_reader for plan in settings.plans)
        self.defect: str | None = None
        self.ears: Ears = lambda _heard: SILENCE
        self.storage = Memory()
        self.steps: deque[Step] = deque(maxlen=1000)
        self.clock = VirtualClock()
        self.stepped: Callable[[Step], None] = lambda _step: None
        """Told of every step, after its commands were performed."""
        self.broke_down: Callable[[str], None] = lambda _why: None
        """Told of every defect."""
        self.trace_file: TraceFile | None = None
        """Takes every step as it happens, over all starts of the station."""
        self._settings = settings
        self._checked = checked
        self._observer = observer
        self._reachable = True
        self._plugged = set(settings.simulation.plugged)
        self._inputs: dict[tuple[str, int | None], Mapping[str, Any]] = {}
        """The inputs that were switched: a door stays open while the power is off."""
        self._register = folder / "meters"
        self._driver: Driver | None = None
        self._hardware: SimulatedHardware | None = None
        self._link: _Link | None = None
        self._serial = 0

    # -- time --------------------------------------------------------------------------------------------

    def now(self) -> float:
        """See `Stage`."""
        return self.clock.now().monotonic

    def wall(self) -> float:
        """See `Stage`."""
        return self.clock.now().wall

    def wait(self, seconds: float, done: Callable[[], bool]) -> bool:
        """See `Stage`."""
        end = self.now() + seconds
        self._pump()
        while not done():
            due = self.clock.next_due()
            if due is None or due > end:
                self.clock.advance(max(0.0, end - self.now()))
                return done()
            self.clock.advance(max(0.0, due - self.now()))
            self._pump()
        return True

    def _pump(self) -> None:
        if self._driver is None:
            return
        self._driver.pump()
        if self._driver.restart is not None:
            self.power(on=False)
            self.clock.start("stage/restart", self.now() + RESTART, lambda _key: self.power(on=True))

    # -- the world ---------------------------------------------------------------------------------------

    def setting(self, key: str) -> float:
        """See `Stage`."""
        return float(keys_of(self._settings, self._checked, self.storage.load()).value(key))

    def power(self, on: bool) -> None:
        """See `Stage`."""
        if on:
            self._start()
        elif self._hardware is not None:
            self._hardware.make_safe()
            self._driver = self._hardware = self._link = None
            self.clock = VirtualClock(self.wall(), self.now())  # nobody is left to hear the old timers

    def _start(self) -> None:
        world = replace(self._settings.simulation, plugged=tuple(sorted(self._plugged)))
        settings = replace(self._settings, simulation=world)
        self._hardware = simulated_hardware(settings, self._checked.charts, self._register, self.clock)
        self._driver = Driver(
            self._station,
            self.storage,
            self._hardware,
            self._central,
            self.clock,
            self._stepped,
            trace=Trace(self._settings.id, self.trace_file),
            on_defect=self._met_defect,
        )
        self._driver.start()
        for body in self._inputs.values():
            self._hardware.simulate("input", None, body)

    def _met_defect(self) -> None:
        if self._driver is not None:
            self.defect = self.defect or self._driver.trace.defect
            self.broke_down(self._driver.trace.defect)

    def _stepped(self, step: Step) -> None:
        self.steps.append(step)
        self.stepped(step)

    # -- what people see ---------------------------------------------------------------------------------

    @property
    def driver(self) -> Driver | None:
        """The station at work; None without power."""
        return self._driver

    @property
    def linked(self) -> bool:
        """Whether the station is connected to the Central System."""
        return self._link is not None and self._link.open

    def report(self, event: str, connector: int | None) -> None:
        """See `Stage`."""
        if self._driver is None:
            raise ValueError("the station has no power")
        self._driver.post(Event(event, connector))
        self._pump()

    def states(self, number: int) -> dict[str, tuple[str, ...]]:
        """See `Stage`."""
        if self._driver is None:
            raise ValueError("the station has no power")
        return {name: path for name, at, path in self._driver.station.ensemble.states() if at == number}

    def describe(self, connector: int) -> Mapping[str, Any]:
        """What the wires say; nothing without power."""
        return self._hardware.describe(connector) if self._hardware else {}

    def _station(self, stored: list[Change]) -> Station:
        settings = self._settings
        return Station(
            self._checked.charts,
            self._checked.vocabulary,
            settings.identity,
            settings.plans,
            stored,
            settings.configuration,
            self._observer,
        )

    def _central(self, post: ports.Post) -> _Link:
        self._link = _Link(self, post)
        return self._link

    def network(self, up: bool) -> None:
        """See `Stage`."""
        self._reachable = up
        if not up and self._link is not None:
            self._link.lose()
            self._pump()

    @property
    def reachable(self) -> bool:
        """Whether the Central System can be reached."""
        return self._reachable

    def act(self, act: str, connector: int | None, body: Mapping[str, Any]) -> None:
        """See `Stage`."""
        if self._hardware is None:
            raise ValueError("the station has no power")
        if act == "service" and self._driver is not None:
            named = {"error": body["error"]} if "error" in body else {}
            self._driver.post(Event("service.cleared", body["connector"], named))
        else:
            self._hardware.simulate(act, connector, body)
        if connector is not None and act in ("plug", "unplug"):
            (self._plugged.add if act == "plug" else self._plugged.discard)(connector)
        if act == "input":
            self._inputs[body["name"], body.get("connector")] = body
        self._pump()

    def status(self) -> Mapping[str, Any]:
        """See `Stage`."""
        if self._driver is None:
            raise ValueError("the station has no power")
        return self._driver.station.status()

    def call(self, action: str, payload: Mapping[str, Any]) -> Callable[[], Answered | None]:
        """See `Stage`."""
        if self._link is None or not self._link.open:
            raise ConnectionError("the station is not connected")
        return self._link.receive(f"call-{self.serial()}", action, payload)

    def serial(self) -> int:
        """A number that nothing had before."""
        self._serial += 1
        return self._serial

    def settle(self) -> None:
        """Let the station take what waits for it."""
        self._pump()


class _Link:
    """The Central System's end of a link without wires: the port `Central`."""

    def __init__(self, stage: VirtualStage, post: ports.Post) -> None:
        self.open = False
        self._stage = stage
        self._post = post
        self._waiting: deque[ports.Call] = deque()
        self._answers: dict[str, Answered] = {}

    def perform(self, command: ports.CentralCommand) -> None:
        """See `ports.Central`."""
        match command:
            case ports.Connect():
                self._later(DELAY, self._connect)
            case ports.Disconnect():
                self.lose()
            case ports.Call() if not self.open:
                self._answered(command, "offline")
            case ports.Call():
                self._waiting.append(command)
                if len(self._waiting) == 1:
                    self._send()
            case ports.Reply():
                found = Answered(self._stage.now(), dict(command.payload))
                fault = messages.find_fault(command.action, dict(command.payload), response=True)
                error = f"its answer breaks the schema: {fault}"
                self._answers[command.call] = Answered(found.at, None, error) if fault else found
            case ports.ReplyError():
                self._answers[command.call] = Answered(self._stage.now(), None, command.code)
            case _:
                pass  # a ping is answered

    async def close(self) -> None:
        """See `ports.Central`."""

    def lose(self) -> None:
        """The link breaks."""
        if not self.open:
            return
        self.open = False
        self._post(Event("link.lost", fields={"reason": "cut"}))
        waiting, self._waiting = self._waiting, deque()
        for call in waiting:
            self._answered(call, "offline")

    def receive(
        self, unique_id: str, action: str, payload: Mapping[str, Any]
    ) -> Callable[[], Answered | None]:
        """A CALL of the Central System arrives."""
        text = json.dumps([2, unique_id, action, dict(payload)])
        frame = messages.parse(text, messages.FROM_CENTRAL_SYSTEM)
        if isinstance(frame, messages.BadCall):
            self._answers[unique_id] = Answered(self._stage.now(), None, frame.code)
        else:
            self._post(Event(f"ocpp.{action}", call=unique_id, fields=dict(payload)))
        return lambda: self._answers.get(unique_id)

    def _connect(self) -> None:
        if not self.open:
            self.open = self._stage.reachable
            self._post(Event("link.opened" if self.open else "link.refused"))

    def _send(self) -> None:
        call = self._waiting[0]
        unique_id = call.id or f"frame-{self._stage.serial()}"
        heard = Heard(self._stage.now(), unique_id, call.action, call.payload)
        answer = self._stage.ears(heard)
        delay = call.timeout if answer is SILENCE else DELAY
        self._later(delay, lambda: self._answer(call, answer))

    def _answer(self, call: ports.Call, answer: Any) -> None:
        if call not in self._waiting:
            return
        self._waiting.remove(call)
        if answer is SILENCE:
            self._answered(call, "timeout")
        elif isinstance(answer, Refusal) or messages.find_fault(call.action, answer, response=True):
            self._answered(call, "error")
        else:
            self._answered(call, "result", answer)
        if self._waiting:
            self._send()

    def _answered(self, call: ports.Call, outcome: str, payload: Mapping[str, Any] | None = None) -> None:
        fields = {"token": call.token, "outcome": outcome, "payload": payload or {}}
        self._post(Event("ocpp.answered", fields=fields))

    def _later(self, delay: float, act: Callable[[], None]) -> None:
        stage = self._stage
        stage.clock.start(f"link/{stage.serial()}", stage.now() + delay, lambda _key: act())
