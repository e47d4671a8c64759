"""The law of the control pilot (IEC 61851-1 Annex A and B): amps and duty cycle, volts and states, cables.

Pure: knows no wire, no thread and no clock; whoever samples the wire passes the time in. The standard itself
was not at hand: the duty law, the levels and the diode check are those of the sources named in
docs/hardware.md, the ranges of the proximity resistors are of Table B.2 as it is commonly quoted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, inf
from statistics import median
from typing import Final, Generic, Literal, TypeVar

from charger.hardware.parts import PilotState

_T = TypeVar("_T")

LEAST: Final = 6.0
MOST: Final = 80.0
"""A that a duty cycle can express."""
STEADY: Final = 100.0
"""% of steady +12 V: connected, nothing offered (x1)."""
OFF: Final = 0.0
"""% of steady -12 V: state F."""

SLOW: Final = 0.25
"""s that a state must be seen before it is believed."""
QUICK: Final = 0.025
"""s, where somebody has to hurry: towards A, E and F, and out of C and D."""
DIODE: Final = 0.05
"""s that the negative half must be wrong before the diode counts as missing; well again after `SLOW`."""
MISSED: Final = 0.1
"""s that the positive half may hide from us under PWM: between two samples it is shorter than it looks."""


# -- duty cycle ----------------------------------------------------------------------------------------


def duty(amps: float | None) -> float:
    """% of the period at +12 V that offer `amps`; of less than 6 A `STEADY`, of None `OFF`.

    Never more than 96, which is 80 A. 5 % (digital communication) is not used. The two laws do not meet: what
    lies between 51 and 52.5 A is offered as 51 A, since no duty cycle says it.
    """
    if amps is None:
        return OFF
    if not amps >= LEAST:
        return STEADY
    if amps <= 51:
        return amps / 0.6
    return max(85.0, min(amps, MOST) / 2.5 + 64)


def ticks(amps: float | None, period: int) -> int:
    """As `duty`, of a timer that counts to `period`; rounded so that never more is offered than `amps`."""
    whole = duty(amps) * period / 100
    # An exact value may have become a hair less: 1e-6 of a tick is no current, but costs a whole one.
    return floor(whole + 1e-6)


def offered(percent: float) -> float:
    """A that a car may draw per phase at this duty cycle; 0 where it may not, or has to ask digitally."""
    if 8 <= percent < 10:
        return LEAST
    if 10 <= percent <= 85:
        return percent * 0.6
    if 85 < percent <= 96:
        return (percent - 64) * 2.5
    return MOST if 96 < percent <= 97 else 0.0


# -- volts ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Peaks:
    """The two levels of the wire, V. Without PWM they are the same."""

    high: float
    low: float


def peaks(volts: Sequence[float]) -> Peaks:
    """Find the two levels in samples taken at any phase: the middle of the upper and of the lower ones.

    A sample on an edge belongs to one of them, and does not matter: of many the median is taken.
    """
    middle = (min(volts) + max(volts)) / 2
    if max(volts) - min(volts) < 3:  # noise, one level
        level = median(volts)
        return Peaks(level, level)
    return Peaks(median(v for v in volts if v > middle), median(v for v in volts if v <= middle))


_FLOORS: Final[tuple[tuple[float, PilotState], ...]] = (
    (10.5, "A"),
    (7.5, "B"),
    (4.5, "C"),
    (1.5, "D"),
    (-10.0, "E"),
    (-inf, "F"),
)
"""From which voltage on the positive half means which state: half-way between 12, 9, 6, 3 and 0 V."""
HYSTERESIS: Final = 0.3
"""V beyond the border at which one state becomes another; the levels themselves may be 1 V off."""


def state_of(high: float, before: PilotState | None = None) -> PilotState:
    """Which state the positive half shows, V; near a border it stays what it was."""
    for floor_, state in _FLOORS:
        margin = 0.0 if before is None else HYSTERESIS if before > state else -HYSTERESIS
        if high >= floor_ + margin:
            return state
    raise ValueError(f"{high} is no voltage")


def diode_conducts(low: float) -> bool:
    """Whether the negative half, V, is as the diode in the car leaves it: with the car not loading it."""
    return low <= -10


# -- debouncing ----------------------------------------------------------------------------------------


class Sight:
    """What one wire says, made of peaks: hysteresis, debouncing, and the diode.

    In C and D it counts since when the state has not been seen, whatever came instead: a wire that flickers
    is not a car that charges.
    """

    def __init__(self) -> None:
        self.state: PilotState | None = None
        """What is believed; None before it is known."""
        self.diode = True
        """Whether the car has one, as far as that can be said: judged under PWM, forgotten in A."""
        self._seen: PilotState | None = None
        self._since = 0.0
        """When `_seen` was seen first."""
        self._left: float | None = None
        """When something else than `state` was seen first, since it was seen last."""
        self._agreed = 0.0
        """When the negative half last looked as `diode` says."""

    def see(self, wire: Peaks, now: float, *, pulses: bool) -> None:
        """Take one look at the wire at `now` (monotonic s); `pulses`: PWM is what we put on it."""
        seen = state_of(wire.high, self._seen)
        if seen != self._seen:
            self._seen, self._since = seen, now
        if seen == self.state:
            self._left = None
        else:
            self._left = now if self._left is None else self._left
            if self._settled(seen, now - self._since, now - self._left, pulses=pulses):
                self.state, self._left = seen, None
        self._look_at_diode(wire, seen, now, pulses=pulses)

    def _settled(self, seen: PilotState, lasts: float, left: float, *, pulses: bool) -> bool:
        if seen == "F" and pulses:
            return lasts >= MISSED
        if self.state in ("C", "D"):
            return left >= QUICK
        return lasts >= (QUICK if seen in ("A", "E", "F") or self.state is None else SLOW)

    def _look_at_diode(self, wire: Peaks, seen: PilotState, now: float, *, pulses: bool) -> None:
        if self.state == "A":
            self.diode, self._agreed = True, now
        if not pulses or seen not in ("B", "C", "D") or diode_conducts(wire.low) is self.diode:
            self._agreed = now
        elif now - self._agreed >= (DIODE if self.diode else SLOW):
            self.diode, self._agreed = not self.diode, now


class Lasting(Generic[_T]):
    """What has been seen for `SLOW` without a break; before that, what was believed."""

    def __init__(self, first: _T) -> None:
        self.value = first
        self._seen = first
        self._since = 0.0

    def see(self, seen: _T, now: float) -> _T:
        """Take one look at `now` (monotonic s), and say what is believed."""
        if seen != self._seen:
            self._seen, self._since = seen, now
        if now - self._since >= SLOW:
            self.value = seen
        return self.value


# -- proximity -----------------------------------------------------------------------------------------

PULL_UP: Final = 1000.0
"""Ohm from the proximity contact to the reference of the ADC."""
_CABLES: Final = ((80.0, 140.0, 63.0), (164.0, 308.0, 32.0), (400.0, 936.0, 20.0), (1100.0, 2460.0, 13.0))
"""From, to (ohm), A: around 100, 220, 680 and 1500 ohm."""
_OPEN: Final = 4500.0

Cable = float | Literal["none", "wrong"]


def cable(ohms: float) -> Cable:
    """A that the plugged cable carries; ``none`` without a plug, ``wrong`` for a resistor that is none."""
    if ohms > _OPEN:
        return "none"
    return next((amps for least, most, amps in _CABLES if least <= ohms <= most), "wrong")


def ohms(ratio: float) -> float:
    """The resistor of the cable from what the ADC sees, 0 to 1 of its reference, below `PULL_UP`."""
    return inf if ratio >= 1 else PULL_UP * ratio / (1 - ratio)
