"""Simulated hardware: contactors, locks, meters, and the cars and people in front of them.

For each connector it plays both sides of the cable, on a `Clock`, so it runs in real and in virtual time.
The world starts afresh with the process, only the meter goes on where it was. It decides nothing, knows no
chart and no Central System; what it is told to do from outside comes through `SimulatedHardware.simulate`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Any, Final

from charger.functions.situation import ConnectorPlan
from charger.hardware.mishaps import Mishaps, Outlet, nobody, timer
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

VOLTAGES: Final = {1: (230.0,), 3: (230.4, 229.9, 229.7)}
"""V to neutral by number of phases; 230 on average, so that power is the sum of the phases."""
NOMINAL: Final = 230.0
SAMPLE_PERIOD: Final = 1.0
"""Seconds between two reports of a meter while power flows."""
TEST_TIME: Final = 0.3
"""Seconds that the self-test of the residual-current monitor takes."""
_FIELD: Final = 25
"""Bytes per connector in the register file; the longest ``repr`` of a float has 24."""

_log = logging.getLogger(__name__)


class SimulatedHardware(Mishaps):
    """The port `Hardware` without a wire. Use it on one thread."""

    simulated = True

    def __init__(
        self,
        plans: Sequence[ConnectorPlan],
        *,
        power: float,
        contactor_delay: float,
        lock_delay: float,
        car_delay: float,
        plugged: Collection[int],
        register: Path | None,
        clock: Clock,
        inputs: Mapping[str, str] | None = None,
    ) -> None:
        """Build the world; nothing is reported before `start`.

        Args:
            plans: One per connector, numbered from 1.
            power: W that a car draws if the offer allows it.
            contactor_delay: Seconds from the coil to the mirror contact.
            lock_delay: Seconds that the lock moves.
            car_delay: Seconds a car takes to react to the control pilot.
            plugged: Connectors with a car from the beginning.
            register: File in which the meters keep their registers; None: they begin at 0.
            clock: Also runs the timers, under keys that begin with ``simulated/``.
            inputs: Those that charts/index.yaml declares, and the scope of each.
        """
        self._power = power
        self._contactor_delay = contactor_delay
        self._lock_delay = lock_delay
        self._car_delay = car_delay
        self._register = register
        self._kept = ""
        self._inputs = dict(inputs or {})
        energies = _read(register, len(plans)) if register else [0.0] * len(plans)
        outlets = {
            number: Outlet(number, plan, energy, plug=number in plugged, car=number in plugged)
            for number, (plan, energy) in enumerate(zip(plans, energies, strict=True), start=1)
        }
        super().__init__(outlets, clock)
        self.text = ""
        """What the display says."""
        self.outputs: dict[tuple[str, int], str] = {}
        """Name and connector of an output → ``on``, ``off`` or ``blink``, once it was switched."""

    # -- the port ------------------------------------------------------------------------------------------

    def start(self, post: Post, known: Callable[[], None] = lambda: None) -> None:
        """Report the present situation as events, then every change of it."""
        self._post = post
        for outlet in self._outlets.values():
            outlet.since = self._clock.now().monotonic
            self._sample(outlet)
            self._report("contactor.closed" if outlet.closed else "contactor.opened", outlet)
            if not outlet.plan.fixed:
                self._report("lock.engaged" if outlet.locked else "lock.released", outlet)
            if outlet.plug:
                self._report("cable.plugged", outlet)
            if outlet.asks:
                self._report("ev.ready", outlet)
        known()

    def perform(self, command: HardwareCommand) -> None:
        """Carry out one command; returns at once, the outcome comes as an event."""
        match command:
            case CloseContactor(number):
                self._outlets[number].coil = True
                self._after(self._contactor_delay, self._outlets[number], "contactor", self._close)
            case OpenContactor(number):
                outlet = self._outlets[number]
                outlet.closed = (
                    outlet.stuck == "closed"
                )  # the current ends at once, the mirror contact tells later
                self._adjust(outlet)
                self._after(self._contactor_delay, outlet, "contactor", self._opened)
            case EngageLock(number):
                self._move_lock(self._outlets[number], self._engage)
            case ReleaseLock(number):
                self._move_lock(self._outlets[number], self._release)
            case OfferCurrent(number, amps):
                outlet = self._outlets[number]
                outlet.offered = amps
                self._adjust(outlet)
                self._let_car_react(outlet)
            case TestResidualCurrent(number):
                self._after(TEST_TIME, self._outlets[number], "test", self._test)
            case ShowLight(number, look):
                self._outlets[number].light = look
            case ShowText(text):
                self.text = text
            case _:
                self.outputs[command.name, command.connector] = command.state

    def make_safe(self) -> None:
        """Open every contactor. Never raises."""
        for outlet in self._outlets.values():
            outlet.coil, outlet.closed = False, outlet.closed and outlet.stuck == "closed"
        for outlet in self._outlets.values():
            try:
                self._clock.cancel(timer(outlet, "contactor"))
                self._opened(outlet)
            except Exception:  # noqa: BLE001 - the contract: whatever it is, the next one is reported too
                _log.exception("connector %d is open, but that could not be reported", outlet.number)

    def alive(self) -> bool:
        """Nothing here can die alone."""
        return True

    def describe(self, connector: int) -> Mapping[str, Any]:
        """What the wires say now, for `/status`."""
        outlet = self._outlets[connector]
        return {
            "contactor": "closed" if outlet.closed else "open",
            "lock": None if outlet.plan.fixed else "engaged" if outlet.locked else "released",
            "cable": {"present": outlet.plug, "fixed": outlet.plan.fixed},
            "ev": None if not outlet.car else "ready" if outlet.willing else "suspended",
            "light": outlet.light,
            "pilot_amps": outlet.offered,
            "meter": {"energy_wh": outlet.energy, "power_w": outlet.power},
        }

    async def close(self) -> None:
        """Make safe, and end every timer. Nothing is reported any more."""
        self.make_safe()
        self._post = nobody
        for outlet in self._outlets.values():
            for what in ("contactor", "lock", "car", "meter", "silence", "test"):
                self._clock.cancel(timer(outlet, what))

    # -- what people and cars do ---------------------------------------------------------------------------

    def simulate(self, act: str, connector: int | None, body: Mapping[str, Any]) -> None:
        """Let something happen in the world.

        ====================  ==========================================================================
        ``plug``              a car is plugged in, and asks for energy once it is offered; a plug that is
                              still in our socket is connected to the car again
        ``unplug``            the driver unplugs at the car and takes the cable, as soon as the lock lets
                              it go; with ``{"side": "ev"}`` the plug stays in our socket
        ``ev``                ``{"state": "ready"}`` or ``"suspended"``: the car wants energy, or none
        ``lock``              ``{"fail": true}``: from now on the lock does not move; ``false``: it does
        ``fault``             ``{"error_code": …, "info": …}``; connector 0: the station as a whole
        ``clear_fault``       somebody repairs all that is wrong there, and says so
        ``swipe``             ``{"id_tag": …}``: a card at the reader of that connector, or of all
        ``input``             ``{"name": …, "on": true}`` or ``false``: an input of charts/index.yaml; one of
                              a connector at that connector
        others                see `charger.hardware.mishaps`
        ====================  ==========================================================================

        Raises:
            ValueError: it cannot happen now; the sentence says why.
        """
        match act:
            case "plug":
                self._plug(self._outlet(connector))
            case "unplug":
                self._unplug(self._outlet(connector), only_at_car=body.get("side") == "ev")
            case "ev":
                self._tell_car(self._outlet(connector), willing=body["state"] == "ready")
            case "lock":
                self._break_lock(self._outlet(connector), fails=bool(body["fail"]))
            case "fault":
                fields = {"error": body["error_code"], "info": body.get("info", "")}
                self._post(Event("fault.raised", self._place(connector), fields))
            case "clear_fault":
                self.repair(self._place(connector))
            case "swipe":
                place = body.get("connector", connector)
                if place is not None:
                    self._outlet(place)
                elif all(outlet.plan.own_reader for outlet in self._outlets.values()):
                    raise ValueError("every connector has a reader of its own: name the connector")
                self._post(Event("card.presented", None, {"tag": body["id_tag"], "connector": place}))
            case "input":
                self._switch(body["name"], body.get("connector", connector), on=bool(body["on"]))
            case _:
                self.happen(act, connector, body)

    def _plug(self, outlet: Outlet) -> None:
        if outlet.car:
            raise ValueError(f"connector {outlet.number}: a car is plugged in already")
        # A lock that moved while the socket was empty does not keep a plug out: nobody waits for it here.
        arrives = not outlet.plug
        outlet.plug = outlet.car = outlet.willing = True
        outlet.leaving = False
        if arrives:
            self._report("cable.plugged", outlet)
        self._let_car_react(outlet)

    def _unplug(self, outlet: Outlet, *, only_at_car: bool) -> None:
        if not outlet.plug:
            raise ValueError(f"connector {outlet.number}: nothing is plugged in")
        only_at_car = only_at_car and not outlet.plan.fixed  # of a fixed cable, that is the plug
        if only_at_car and not outlet.car:
            raise ValueError(f"connector {outlet.number}: the cable is not connected to a car")
        connected = outlet.car
        outlet.car = outlet.asks = False
        self._clock.cancel(timer(outlet, "car"))
        self._adjust(outlet)
        if only_at_car or outlet.locked:
            if connected:
                self._report("ev.unplugged", outlet)
                self.gone(outlet)
            outlet.leaving = not only_at_car
        else:
            self._take_plug(outlet)

    def _take_plug(self, outlet: Outlet) -> None:
        outlet.plug = outlet.leaving = False
        self._report("cable.unplugged", outlet)
        self.gone(outlet)

    def _tell_car(self, outlet: Outlet, *, willing: bool) -> None:
        if not outlet.car:
            raise ValueError(f"connector {outlet.number}: no car is plugged in")
        outlet.willing = willing
        self._clock.cancel(timer(outlet, "car"))
        self._car_reacts(outlet)  # the car does as it likes, it does not react to anything

    def _break_lock(self, outlet: Outlet, *, fails: bool) -> None:
        if outlet.plan.fixed:
            raise ValueError(f"connector {outlet.number} has a fixed cable, and so no lock")
        outlet.lock_fails = fails

    def _switch(self, name: str, number: int | None, *, on: bool) -> None:
        if name not in self._inputs:
            known = f"; there are {', '.join(sorted(self._inputs))}" if self._inputs else ""
            raise ValueError(f"charts/index.yaml declares no input '{name}'{known}")
        local = self._inputs[name] == "connector"
        if local and number is None:
            raise ValueError(f"every connector has an input '{name}': name the connector")
        if not local and number:
            raise ValueError(f"'{name}' is an input of the station: name no connector")
        place = self._outlet(number).number if local else None
        self._post(Event(f"{name}.{'on' if on else 'off'}", place))

    # -- contactor and lock --------------------------------------------------------------------------------

    def _close(self, outlet: Outlet) -> None:
        if outlet.stuck == "open":
            return
        self._sample(outlet)
        outlet.closed = True
        self._report("contactor.closed", outlet)
        self._adjust(outlet)

    def _opened(self, outlet: Outlet) -> None:
        self._sample(outlet)
        if not outlet.closed:
            self._report("contactor.opened", outlet)

    def _move_lock(self, outlet: Outlet, move: Callable[[Outlet], None]) -> None:
        if not outlet.plan.fixed:
            self._after(self._lock_delay, outlet, "lock", move)

    def _engage(self, outlet: Outlet) -> None:
        if not outlet.lock_fails:
            outlet.locked = True
        self._report("lock.failed" if outlet.lock_fails else "lock.engaged", outlet)

    def _release(self, outlet: Outlet) -> None:
        if outlet.lock_fails:
            self._report("lock.failed", outlet)
            return
        outlet.locked = False
        self._report("lock.released", outlet)
        if outlet.leaving:
            self._take_plug(outlet)

    # -- car -----------------------------------------------------------------------------------------------

    def _let_car_react(self, outlet: Outlet) -> None:
        if outlet.wants == outlet.asks:
            self._clock.cancel(timer(outlet, "car"))
        else:
            self._after(self._car_delay, outlet, "car", self._car_reacts)

    def _car_reacts(self, outlet: Outlet) -> None:
        if outlet.wants == outlet.asks:
            return
        outlet.asks = outlet.wants
        if outlet.asks:
            self._report("ev.ready", outlet)
            self._adjust(outlet)
        else:
            self._adjust(outlet)
            self._report("ev.paused", outlet)

    # -- meter ---------------------------------------------------------------------------------------------

    def _drawn(self, outlet: Outlet) -> float:
        """W that flow now."""
        if not (outlet.closed and outlet.asks):
            return 0.0
        offered = (outlet.offered or 0.0) * outlet.plan.phases * NOMINAL
        return offered * outlet.percent / 100 if outlet.percent else min(self._power, offered)

    def _adjust(self, outlet: Outlet) -> None:
        """Report the meter if another power flows now."""
        if self._drawn(outlet) != outlet.power:
            self._sample(outlet)

    def _sample(self, outlet: Outlet) -> None:
        """Bring the register up to date, keep it, report it; again after a while as long as power flows."""
        now = self._clock.now().monotonic
        outlet.energy += outlet.power * (now - outlet.since) / 3600
        outlet.since = now
        outlet.power = self._drawn(outlet)
        self._keep_registers()
        if not outlet.silent:
            phases = outlet.plan.phases
            amps = round(outlet.power / phases / NOMINAL, 3)
            self._report(
                "meter.sampled",
                outlet,
                energy=outlet.energy,
                power=outlet.power,
                currents=(amps,) * phases,
                voltages=VOLTAGES[phases] if outlet.volts is None else (outlet.volts,) * phases,
            )
        if outlet.power:
            self._after(SAMPLE_PERIOD, outlet, "meter", self._sample)
        else:
            self._clock.cancel(timer(outlet, "meter"))

    def _keep_registers(self) -> None:
        """Before anyone hears of a reading it is where a killed process leaves it.

        One write over the same bytes: the kernel has it whole or not at all, and it needs no new room on a
        full disk. A power cut may lose it; the station's own facts are in the database.
        """
        if self._register is None:
            return
        text = "".join(f"{outlet.energy!r:>{_FIELD - 1}}\n" for outlet in self._outlets.values())
        if text == self._kept:
            return
        try:
            file = os.open(self._register, os.O_WRONLY | os.O_CREAT, 0o644)
            try:
                os.pwrite(file, text.encode(), 0)
            finally:
                os.close(file)
            self._kept = text
        except OSError as error:
            _log.warning("the simulated meters cannot keep their registers: %s", error)


def _read(register: Path, count: int) -> list[float]:
    """The registers in the file; 0 for a connector that has none yet, or none that can be read."""
    try:
        lines = register.read_text("ascii", "replace").splitlines()
    except FileNotFoundError:
        lines = []
    except OSError as error:
        _log.warning("%s: the simulated meters begin at 0 Wh: %s", register, error.strerror)
        lines = []
    lines += ["0"] * (count - len(lines))
    return [_number(text, f"{register}:{number}") for number, text in enumerate(lines[:count], start=1)]


def _number(text: str, place: str) -> float:
    with suppress(ValueError):
        energy = float(text)
        if 0 <= energy < inf:
            return energy
    _log.warning("%s: %r is no register; this simulated meter begins at 0 Wh", place, text)
    return 0.0
