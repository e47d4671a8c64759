"""Energy meters on Modbus: what their registers say, as long as it can be true.

A reading must lie within what the meter measures, and its energy must follow from the one before: a register
that goes back, or forward faster than the meter counts, is a mistake somewhere, and the last good value
holds. A meter that was replaced, or whose register was set anew, looks the same. So it fails first, which is
told; when it then goes on from its new value for `SETTLING`, that is what it says from now on.

Knows neither transactions nor what a failure means for them.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable
from threading import Lock
from typing import Final

from charger.board import MeterPlan, ModbusBus
from charger.hardware.modbus import Bus
from charger.hardware.parts import MeterSaid, Registers
from charger.meter_map import MeterMap
from charger.ports import Clock

PATIENCE: Final = 10.0
"""s without anything good after which a meter has failed; at least three of its periods."""
SETTLING: Final = 10.0
"""s for which a register must go on from a new value to be believed."""
SLACK: Final = 60.0
"""s in which a meter may add to its register what it has counted."""
MOST_VOLTS: Final = 500.0
"""V to neutral. Far too much is plausible: it is a fault of the grid, and charts must hear of it."""
MOST_ENERGY: Final = 1e11
"""Wh, ten times as much as any of these meters can show."""
NOMINAL: Final = 300.0
"""V, for the power that belongs to a current."""
SOON, SELDOM = 0.9, 60.0
"""s after which a reading is reported though it has hardly changed: while power flows a second, less what a
bus is late; else seldom, since every report is a step of the core, of which a trace holds not many.
"""
FLOWS: Final = 10.0
"""W from which on power flows."""

_log = logging.getLogger(__name__)

Said = Callable[[MeterSaid | None], None]


class ImplausibleError(Exception):
    """A reading that cannot be true; its text says why."""


def read(registers: Registers, unit: int, meter: MeterMap, phases: int) -> MeterSaid:
    """Read a meter once.

    Args:
        registers: of its bus.
        unit: its number there.
        meter: what it is.
        phases: how many of its phases are of interest.

    Raises:
        OSError: it does not answer, or not as its map says.
        ImplausibleError: it answers, with what cannot be true.
    """
    found: dict[tuple[str, int], float | None] = {}
    for request in meter.requests(phases):
        fetch = registers.read_holding if request.function == 3 else registers.read_input
        found |= request.values(fetch(unit, request.address, request.count))
    said = MeterSaid(
        energy=_number(found, "energy"),
        power=_number(found, "power"),
        # The sign of a current, if a meter gives it one, is its direction, which the power has too.
        currents=tuple(map(abs, _per_phase(found, "currents"))),
        voltages=_per_phase(found, "voltages"),
    )
    _check(said, meter)
    return said


def _number(found: dict[tuple[str, int], float | None], quantity: str) -> float:
    value = found[quantity, 0]
    if value is None:
        raise ImplausibleError(f"{quantity}: the meter says that it has no value")
    return value


def _per_phase(found: dict[tuple[str, int], float | None], quantity: str) -> tuple[float, ...]:
    """The values up to the last phase that is connected: the others have none."""
    values = [found[quantity, phase] for phase in (1, 2, 3) if (quantity, phase) in found]
    while values and values[-1] is None:
        values.pop()
    given = tuple(value for value in values if value is not None)
    if len(given) < len(values):
        raise ImplausibleError(
            f"{quantity}: L{values.index(None) + 1} has no value, and L{len(values)} has one"
        )
    return given


def _check(said: MeterSaid, meter: MeterMap) -> None:
    most = _most_power(meter)
    if not 0 <= said.energy <= MOST_ENERGY:
        raise ImplausibleError(f"energy: {said.energy:.0f} Wh cannot be")
    if abs(said.power) > most:
        raise ImplausibleError(f"power: {said.power:.0f} W, of a meter for {most:.0f} W at most")
    for phase, current in enumerate(said.currents, start=1):
        if current > meter.max_current:
            raise ImplausibleError(
                f"currents: {current:.1f} A at L{phase}, of a meter for {meter.max_current:g} A"
            )
    for phase, voltage in enumerate(said.voltages, start=1):
        if not 0 <= voltage <= MOST_VOLTS:
            raise ImplausibleError(f"voltages: {voltage:.1f} V at L{phase} cannot be")


def _most_power(meter: MeterMap) -> float:
    return meter.phases * NOMINAL * meter.max_current


class Register:
    """The energy register of one meter in time."""

    def __init__(self, meter: MeterMap) -> None:
        self._speed = _most_power(meter) / 3600
        self._last: tuple[float, float] | None = None
        """When it said what; None: nothing yet."""
        self._other: tuple[float, float, float] | None = None
        """Since when it has gone on from another value; when it said what last."""

    def check(self, energy: float, now: float, failed: bool) -> None:
        """Judge a new value, and keep it if it follows.

        Args:
            energy: Wh.
            now: monotonic s.
            failed: the failure of the meter has been told, so it may begin anew.

        Raises:
            ImplausibleError: it does not follow from the last one.
        """
        wrong = self._break(self._last, energy, now)
        if not wrong:
            self._last, self._other = (now, energy), None
            return
        since = now
        if self._other and not self._break(self._other[1:], energy, now):
            since = self._other[0]
        if failed and now - since >= SETTLING:
            _log.warning("%s; it has gone on from there for %.0f s, and is believed", wrong, now - since)
            self._last, self._other = (now, energy), None
            return
        self._other = (since, now, energy)
        raise ImplausibleError(wrong)

    def _break(self, before: tuple[float, float] | None, energy: float, now: float) -> str:
        if before is None:
            return ""
        when, value = before
        if energy < value:
            return f"energy: went back from {value:.1f} to {energy:.1f} Wh"
        if energy - value > self._speed * (now - when + SLACK):
            return f"energy: jumped from {value:.1f} to {energy:.1f} Wh in {now - when:.0f} s"
        return ""


class ModbusMeter:
    """The part `charger.hardware.parts.Meter`, on a bus."""

    def __init__(self, bus: Bus, plan: MeterPlan, meter: MeterMap, phases: int, clock: Clock) -> None:
        """Read nothing yet.

        Args:
            bus: that it is on.
            plan: how it is called there, and how often it is read.
            meter: its register map.
            phases: of its connector.
            clock: `start` runs on its loop.
        """
        self._bus, self._plan, self._meter, self._phases, self._clock = bus, plan, meter, phases, clock
        self._name = f"{meter.meter}, unit {plan.unit} of bus {plan.bus}"
        self._patience = max(PATIENCE, 3.5 * plan.period)
        self._register = Register(meter)
        self._lock = Lock()
        self._good = self._reported = 0.0
        self._last: MeterSaid | None = None
        """What was reported last; None: nothing, or that it has failed."""
        self._failed = False
        self._why = "it was never read"
        self._said: Said = _nobody
        self._stop: Callable[[], None] = _nothing

    def start(self, said: Said) -> None:
        """Report readings as they come, and once when nothing good has come for 10 s."""
        self._said = said
        self._good = self._clock.now().monotonic
        self._stop = self._bus.every(self._plan.period, self._read, self._missed)
        self._watch()

    def close(self) -> None:
        """Report nothing from now on."""
        self._stop()
        self._clock.cancel(self._name)
        with self._lock:
            self._said = _nobody

    def _read(self, registers: Registers) -> None:
        said = read(registers, self._plan.unit, self._meter, self._phases)
        with self._lock:
            now = self._clock.now().monotonic
            self._register.check(said.energy, now, self._failed)
            self._good = now
            if self._failed:
                _log.warning("%s: works again", self._name)
            self._failed = False
            if self._last is None or _differs(said, self._last, now - self._reported):
                self._last, self._reported = said, now
                self._said(said)

    def _missed(self, error: Exception) -> None:
        self._why = str(error)

    def _watch(self, _key: str = "") -> None:
        """On the loop, so that a failure is told even if the bus never comes back to us."""
        with self._lock:
            now = self._clock.now().monotonic
            if not self._failed and now - self._good >= self._patience:
                _log.warning("%s: nothing good for %.0f s: %s", self._name, now - self._good, self._why)
                self._failed, self._last = True, None
                self._said(None)
            due = now + 1.0 if self._failed else self._good + self._patience
        self._clock.start(self._name, due, self._watch)


def _differs(one: MeterSaid, other: MeterSaid, age: float) -> bool:
    """Whether somebody should hear of `one`, `age` s after the `other`."""
    flows = one.energy != other.energy or abs(one.power) >= FLOWS
    return (
        age >= (SOON if flows else SELDOM)
        or abs(one.power - other.power) >= 100
        or len(one.currents) != len(other.currents)
        or any(abs(a - b) >= 0.5 for a, b in zip(one.currents, other.currents, strict=True))
        or len(one.voltages) != len(other.voltages)
        or any(abs(a - b) >= 5 for a, b in zip(one.voltages, other.voltages, strict=True))
    )


def read_once(bus: ModbusBus, plan: MeterPlan, meter: MeterMap, phases: int) -> MeterSaid | str:
    """Open a bus, read a meter, and close it again: for whoever has just wired it. Takes seconds at most.

    Returns:
        what it says, or a sentence of what is wrong.
    """
    answers: queue.Queue[MeterSaid | Exception] = queue.Queue()
    opened = Bus(bus)
    opened.soon(lambda registers: answers.put(read(registers, plan.unit, meter, phases)), answers.put)
    opened.close()
    answer = answers.get()
    if isinstance(answer, MeterSaid):
        return answer
    return str(answer) + (_hint(bus, meter) if isinstance(answer, OSError) else "")


def _hint(bus: ModbusBus, meter: MeterMap) -> str:
    if bus.host or meter.factory is None or _line(bus) == _line(meter.factory):
        return ""
    return f"; a new {meter.meter} is set to {_line(meter.factory)}, and the bus to {_line(bus)}"


def _line(bus: ModbusBus) -> str:
    return f"{bus.baud} baud 8{bus.parity}{bus.stop_bits}"


def _nobody(_said: MeterSaid | None) -> None:
    """Listens before the start and after the end."""


def _nothing() -> None:
    """Is to be ended before the start."""
