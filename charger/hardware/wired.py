"""Real wires: the port `Hardware` over the parts of a board.

The contactors belong to the guard; what is here asks it, shows it that the event loop lives, and turns what
parts report into events. Decides nothing. Runs on the event loop's thread; what parts report on others is
taken there first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from charger.hardware.car import Car
from charger.hardware.contacts import Contact, ResidualCurrent, Soon
from charger.hardware.guard import Guard, Patrol
from charger.hardware.light import Lamp
from charger.hardware.lock import Lock, LockSaid
from charger.hardware.parts import (
    Meter,
    MeterSaid,
    Output,
    Pilot,
    PilotSaid,
    Reader,
    Thermometer,
)
from charger.hardware.pilot_simulated import SimulatedPilot
from charger.ports import (
    Clock,
    CloseContactor,
    EngageLock,
    HardwareCommand,
    OfferCurrent,
    OpenContactor,
    Post,
    ReleaseLock,
    ShowLight,
    ShowText,
    TestResidualCurrent,
)
from charger.statechart.event import Event

TICK: Final = 0.1
"""s between two signs of life of the event loop, and two polls of the contacts."""
BLINK: Final = 0.5
"""s for which a blinking output is on, and off."""
_TICK: Final = "board/tick"

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Outlet:
    """One connector: its parts, and what they said last."""

    number: int
    guard: Guard
    pilot: Pilot
    car: Car
    monitor: ResidualCurrent
    meter: Meter | None = None
    lock: Lock | None = None
    lamp: Lamp | None = None
    bolt: str = ""
    """What the lock said last."""
    told: bool = False
    """The pilot has said something, were it that it sees nothing."""
    leaving: bool = False
    """Somebody pulls at the plug of a simulated car."""
    offered: float | None = 0.0
    look: str = "off"
    reading: MeterSaid | None = None
    meter_failed: bool = False


@dataclass(slots=True, kw_only=True)
class Station:
    """What serves the station as a whole."""

    patrol: Patrol
    contacts: list[Contact] = field(default_factory=list)
    """All that are polled, also those of connectors."""
    reports: list[tuple[Contact, str, int | None]] = field(default_factory=list)
    """Contact, the event that says it is active, and the connector."""
    outputs: dict[tuple[str, int], Output] = field(default_factory=dict)
    """By name and connector, as `SwitchOutput` has them."""
    stop: Contact | None = None
    """The emergency stop, one of `contacts`."""
    claimed: Mapping[int, Output] = field(default_factory=dict)
    """Every output of the board by its pin, for the self-test."""
    readers: list[tuple[Reader, int | None]] = field(default_factory=list)
    thermometer: Thermometer | None = None


class WiredHardware:
    """The port `Hardware`."""

    def __init__(self, clock: Clock, soon: Soon, let_go: Callable[[], None]) -> None:
        """Have no parts yet: `build` hands them over with `take`.

        Args:
            clock: runs the timers, under keys that begin with ``board/``.
            soon: runs a function on the event loop, from any thread.
            let_go: lets go of chip and buses, at the very end.
        """
        self._clock = clock
        self._soon = soon
        self._let_go = let_go
        self._post: Post = _nobody
        self._outlets: dict[int, Outlet] = {}
        self.simulated = False
        """Whether there are cars without a wire, to which the page may do something."""
        self._started = self._ended = False
        self._known: Callable[[], None] | None = None
        """To be called when the situation is known; None: it was."""
        self._failures: list[str] = []
        """What cannot be relied on, told once each."""
        self._latest: dict[str, tuple[str, Mapping[str, Any]]] = {}
        """Who of the station's readers and thermometers said what last: name and fields of the event."""
        self.text = ""
        """What a display would say."""

    def take(self, outlets: Sequence[Outlet], station: Station) -> None:
        """Take the parts."""
        self._outlets = {outlet.number: outlet for outlet in outlets}
        self._station = station
        self.simulated = any(isinstance(outlet.pilot, SimulatedPilot) for outlet in outlets)

    # -- the port ------------------------------------------------------------------------------------------

    def start(self, post: Post, known: Callable[[], None] = lambda: None) -> None:
        """Report the present situation as events, then every change of it. After a defect, once more."""
        first, self._started = not self._started, True
        if first:
            self._test()
            self._watch()
            self._station.patrol.start()
        self._post = post
        for contact, on, number in self._station.reports:
            if contact.active:
                self._tell(on, number)
        for outlet in self._outlets.values():
            self._report(outlet)
        self._known = known
        self._begin()
        if first:
            self._tick(_TICK)

    def _begin(self) -> None:
        """Let the charts start once every pilot has spoken; what they cannot look up they are told then."""
        if self._known is None or not all(outlet.told for outlet in self._outlets.values()):
            return
        self._known()
        self._known = None
        for info in self._failures:
            self._tell("hardware.failed", None, info=info)
        for name, fields in self._latest.values():
            self._tell(name, None, **fields)

    def perform(self, command: HardwareCommand) -> None:
        """Carry out one command; returns at once, the outcome comes as an event."""
        match command:
            case CloseContactor(number):
                self._outlets[number].guard.close()
            case OpenContactor(number):
                guard = self._outlets[number].guard
                rested = guard.rests
                guard.open()
                if rested:  # nothing will move, so nothing will be told
                    self.soon(partial(self._tell, "contactor.opened", number))
            case EngageLock(number):
                if lock := self._outlets[number].lock:
                    lock.engage()
            case ReleaseLock(number):
                if lock := self._outlets[number].lock:
                    lock.release()
            case OfferCurrent(number, amps):
                self._outlets[number].offered = amps
                self._outlets[number].pilot.offer(amps)
            case TestResidualCurrent(number):
                self._outlets[number].monitor.test()
            case ShowLight(number, look):
                outlet = self._outlets[number]
                outlet.look = look
                if outlet.lamp:
                    outlet.lamp.show(look)
            case ShowText(text):
                self.text = text
            case _:
                name, number, state = command.name, command.connector, command.state
                self._clock.cancel(_blinking(name, number))
                self._switch(name, number, on=state != "off", again=state == "blink")

    def make_safe(self) -> None:
        """Open every contactor. Never raises: no guard does. After `close` they are open, and nobody's."""
        if self._ended:
            return
        for outlet in self._outlets.values():
            outlet.guard.open()

    def alive(self) -> bool:
        """Whether those who watch the wires still do."""
        return not self._station.patrol.dead

    def describe(self, connector: int) -> Mapping[str, Any]:
        """What the wires say now, for `/status`."""
        outlet = self._outlets[connector]
        reading = outlet.reading
        return {
            "contactor": "closed" if outlet.guard.says_closed else "open",
            "lock": outlet.bolt if outlet.lock else None,
            "cable": {"present": outlet.car.plug, "fixed": outlet.car.fixed},
            "ev": None if not outlet.car.connected else "ready" if outlet.car.asks else "suspended",
            "light": outlet.look,
            "pilot": outlet.car.said.state,
            "pilot_amps": outlet.offered,
            "meter": {
                "energy_wh": reading.energy if reading else 0.0,
                "power_w": reading.power if reading else 0.0,
            },
        }

    def simulate(self, act: str, connector: int | None, body: Mapping[str, Any]) -> None:
        """Let a car without a wire do something, or somebody show a card: acts as of `SimulatedHardware`.

        Raises:
            ValueError: it cannot happen now; the sentence says why.
        """
        if act == "swipe":
            self._shown(body.get("connector", connector), body["id_tag"])
            return
        if connector not in self._outlets:
            raise ValueError(f"there is no connector {connector}")
        car = self._outlets[connector].pilot
        if not isinstance(car, SimulatedPilot):
            raise ValueError(f"connector {connector} has a real control pilot")  # noqa: TRY004 - of the world
        match act:
            case "plug":
                car.plug()
            case "unplug":
                self._unplug(self._outlets[connector], car, only_at_car=body.get("side") == "ev")
            case "ev":
                (car.ready if body["state"] == "ready" else car.suspended)()
            case "pilot":
                car.wrong(body["wrong"] or "")
            case _:
                raise ValueError(f"on a board nobody knows how to {act}: wires are real")

    def _unplug(self, outlet: Outlet, car: SimulatedPilot, *, only_at_car: bool) -> None:
        if only_at_car or outlet.bolt != "engaged":
            car.unplug(at_car=only_at_car)
            return
        outlet.leaving = True  # the driver pulls until the lock lets go
        if outlet.car.connected:
            car.unplug(at_car=True)

    async def close(self) -> None:
        """Make safe and let go of every wire, whatever does not answer."""
        self.make_safe()
        self._post = _nobody
        self._clock.cancel(_TICK)
        for name, number in self._station.outputs:
            self._clock.cancel(_blinking(name, number))
        await asyncio.to_thread(self._station.patrol.close)
        for close in self._timed():
            _safely(close)
        for close in self._threaded():
            await asyncio.to_thread(_safely, close)
        await asyncio.to_thread(_safely, self._let_go)
        self._ended = True

    def _timed(self) -> Iterator[Callable[[], None]]:
        """What runs on the loop's timers, or ends by itself."""
        for outlet in self._outlets.values():
            yield from (part.close for part in (outlet.pilot, outlet.meter, outlet.lock, outlet.lamp) if part)
        yield from (contact.close for contact in self._station.contacts)

    def _threaded(self) -> Iterator[Callable[[], None]]:
        """What waits for a thread of its own to end."""
        yield from (reader.close for reader, _ in self._station.readers)
        if self._station.thermometer:
            yield self._station.thermometer.close

    # -- starting ------------------------------------------------------------------------------------------

    def _test(self) -> None:
        """What can be tried before anything moves. A guard that fails closes nothing until the next start."""
        failed = {outlet.number: outlet.guard.self_test() for outlet in self._outlets.values()}
        for number, words in failed.items():
            if words:
                self._note(f"self-test of connector {number}: {', '.join(words)}")
        for pin, output in self._station.claimed.items():
            with suppress(OSError):
                if not output.driven():
                    continue
            self._note(f"self-test: GPIO {pin} is not low")
        if not self._failures:
            _log.info("self-test passed: %d contactors", len(self._outlets))

    def _watch(self) -> None:
        for contact in self._station.contacts:
            contact.watch()
        for outlet in self._outlets.values():
            outlet.pilot.start(self._on_loop(partial(self._heard, outlet)))
            if outlet.meter:
                outlet.meter.start(self._on_loop(partial(self._metered, outlet)))
            if outlet.lock:
                self._start_lock(outlet, outlet.lock)
        for reader, number in self._station.readers:
            reader.start(
                self._on_loop(partial(self._shown, number)), self._on_loop(partial(self._works, number))
            )
        if self._station.thermometer:
            self._station.thermometer.start(self._on_loop(self._measured))

    def _start_lock(self, outlet: Outlet, lock: Lock) -> None:
        try:
            lock.start(partial(self._bolted, outlet))
        except OSError as error:
            self._note(f"lock of connector {outlet.number}: {error}")
        if lock.feedback:
            lock.feedback.watch(self._on_loop(partial(self._look_at_lock, outlet)))

    def _report(self, outlet: Outlet) -> None:
        """The situation of one connector."""
        number = outlet.number
        self._tell("contactor.closed" if outlet.guard.says_closed else "contactor.opened", number)
        if outlet.bolt in ("engaged", "released"):
            self._tell(f"lock.{outlet.bolt}", number)
        for name, fields in outlet.car.situation():
            self._tell(name, number, **fields)
        if outlet.monitor.told:
            self._tell("residual_current.tripped", number)
        if outlet.meter_failed:
            self._tell("meter.failed", number)
        elif outlet.reading:
            self._metered(outlet, outlet.reading)

    # -- again and again -----------------------------------------------------------------------------------

    def _tick(self, _key: str) -> None:
        """The event loop lives. What hangs it keeps this from being said."""
        self._station.patrol.alive()
        for contact in self._station.contacts:
            contact.poll()
        for outlet in self._outlets.values():
            outlet.monitor.poll()
            self._look_at_lock(outlet)
        if word := self._station.patrol.dead:
            self.failed({"deaf": "no edges are reported any more", "asleep": "the guard does not look"}[word])
        self._clock.start(_TICK, self._clock.now().monotonic + TICK, self._tick)

    def _look_at_lock(self, outlet: Outlet) -> None:
        try:
            if outlet.lock:
                outlet.lock.look()
        except OSError as error:
            self.failed(f"lock of connector {outlet.number}: {error}")

    def _switch(self, name: str, number: int, *, on: bool, again: bool) -> None:
        output = self._station.outputs.get((name, number))
        if output is None:
            return
        try:
            output.switch(on)
        except OSError as error:
            self.failed(f"output {name}: {error}")
        if again:
            due = self._clock.now().monotonic + BLINK
            other = partial(self._blink, name, number, not on)
            self._clock.start(_blinking(name, number), due, other)

    def _blink(self, name: str, number: int, on: bool, _key: str) -> None:
        self._switch(name, number, on=on, again=True)

    # -- what parts report, on the loop --------------------------------------------------------------------

    def guarded(self, number: int, word: str) -> None:
        """What a guard tells, on any thread."""
        self.soon(partial(self._guarded, number, word))

    def _guarded(self, number: int, word: str) -> None:
        if word in ("closed", "opened"):
            self._tell(f"contactor.{word}", number)
            return
        _log.warning("connector %d: the guard says %s", number, word)
        self._tell("interlock.lost", number, interlock=word)
        if word == "residual_current":
            self._outlets[number].monitor.seen()
        if word == "emergency_stop" and self._station.stop:
            self._station.stop.seen()
        if word in ("coil", "mirror"):
            self.failed(f"connector {number}: the {word} does not answer")

    def changed(self, on: str, off: str, number: int | None, active: bool) -> None:
        """A contact is believed to be active, or not any more."""
        self._tell(on if active else off, number)

    def failed(self, info: str) -> None:
        """The board cannot be relied on."""
        if info not in self._failures:
            self._note(info)
            self._tell("hardware.failed", None, info=info)

    def monitored(self, number: int, word: str) -> None:
        """What a residual-current monitor tells."""
        self._tell(f"residual_current.{word}", number)

    def _note(self, info: str) -> None:
        _log.error("%s", info)
        self._failures.append(info)

    def _heard(self, outlet: Outlet, said: PilotSaid) -> None:
        outlet.told = True
        for name, fields in outlet.car.hear(said):
            self._tell(name, outlet.number, **fields)
        self._begin()

    def _metered(self, outlet: Outlet, said: MeterSaid | None) -> None:
        outlet.meter_failed = said is None
        if said is None:
            self._tell("meter.failed", outlet.number)
            return
        outlet.reading = said
        self._tell(
            "meter.sampled",
            outlet.number,
            energy=said.energy,
            power=said.power,
            currents=said.currents,
            voltages=said.voltages,
        )

    def _bolted(self, outlet: Outlet, word: LockSaid) -> None:
        outlet.bolt = word
        self._tell(f"lock.{word}", outlet.number)
        if word == "released" and outlet.leaving and isinstance(outlet.pilot, SimulatedPilot):
            outlet.leaving = False
            outlet.pilot.unplug()

    def _shown(self, number: int | None, tag: str) -> None:
        self._tell("card.presented", None, tag=tag, connector=number)

    def _works(self, number: int | None, works: bool) -> None:
        self._remember(f"reader {number}", f"reader.{'recovered' if works else 'failed'}", connector=number)

    def _measured(self, celsius: float | None) -> None:
        if celsius is None:
            self._remember("thermometer", "temperature.failed")
        else:
            self._remember("thermometer", "temperature.sampled", celsius=celsius)

    def _remember(self, who: str, name: str, **fields: Any) -> None:
        self._latest[who] = name, fields
        self._tell(name, None, **fields)

    def _tell(self, name: str, number: int | None, **fields: Any) -> None:
        self._post(Event(name, number, fields))

    def _on_loop(self, then: Callable[..., None]) -> Callable[..., None]:
        """The same function, to be called on any thread."""
        return lambda *said: self.soon(partial(then, *said))

    def soon(self, then: Callable[[], None]) -> None:
        """Call it on the loop. At the end of the program nobody is there to do it."""
        with suppress(RuntimeError):
            self._soon(then)


def _safely(close: Callable[[], None]) -> None:
    try:
        close()
    except Exception:  # noqa: BLE001 - the next one has to be closed too
        _log.exception("while letting go of the wires")


def _nobody(_event: Event) -> None:
    """Listens before the start and after the end."""


def _blinking(name: str, number: int) -> str:
    return f"board/{number}/{name}"
