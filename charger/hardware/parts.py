"""The parts of a board as contracts: what a contact, a pilot, a meter or a reader must do, whoever makes it.

`wired.py` puts parts together to the port `charger.ports.Hardware`. Safety clauses are part of the contract.
Parts report by the callable they are started with, and in no other way; a report may come on any thread,
and `wired.py` takes it to the loop. Commands come on the loop's thread and return within a millisecond: what
is slow works on a thread of its own. Nothing a part reports is an opinion: what it means, charts say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from charger.board import Contact


class Input(Protocol):
    """One contact."""

    def active(self) -> bool:
        """Read the pin now: whether the contact is other than it is normally. Any thread; not debounced.

        Raises:
            OSError: the chip does not answer.
        """

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` at every edge.

        It comes on the thread of the GPIO library, which serves all pins: it must neither raise nor wait.
        A level that is there already makes no edge, so read after this.
        """


class Output(Protocol):
    """One pin that drives something. Low from the moment it is claimed: no output is ever active-low."""

    def switch(self, on: bool) -> None:
        """Drive it. Any thread; returns at once.

        Raises:
            OSError: the chip does not answer.
        """

    def driven(self) -> bool:
        """Read the pin back: whether it is high now. Any thread.

        Raises:
            OSError: the chip does not answer.
        """


class Lines(Protocol):
    """The GPIO chip. One process has a pin, and a pin has one use."""

    def input(self, contact: Contact) -> Input:
        """Claim a pin."""

    def output(self, pin: int) -> Output:
        """Claim a pin, and drive it low."""

    def alive(self) -> bool:
        """Whether edges are still reported; polled, since the library's thread dies in silence."""

    def close(self) -> None:
        """Drive every output low, and let go of all."""


PilotState = Literal["A", "B", "C", "D", "E", "F"]
Wrong = Literal["", "diode", "cable", "silent"]


@dataclass(frozen=True, slots=True)
class PilotSaid:
    """What the pilot wire of one connector says (IEC 61851-1 Annex A), debounced by the part."""

    state: PilotState
    """A: no car; B: connected; C: asks for energy; D: asks, and wants ventilation; E: short; F: no pilot."""
    cable: float | None = None
    """A that the cable carries by its proximity contact: 13, 20, 32, 63; None: no plug, or a fixed cable."""
    wrong: Wrong = ""
    """The car's diode is missing; the proximity resistor is none; the board does not answer."""


class Pilot(Protocol):
    """The control pilot of one connector, and its proximity contact.

    While the part cannot see the wire it says so (``silent``): it never repeats an old state. Leaving C or D,
    E, F and a missing diode are reported within 100 ms of the edge, as far as the part can.
    """

    def start(self, said: Callable[[PilotSaid], None]) -> None:
        """Report what the wire says now, then every change."""

    def offer(self, amps: float | None) -> None:
        """As `charger.ports.OfferCurrent`: PWM for so many A, 0 for steady +12 V, None for state F."""

    def close(self) -> None:
        """Steady +12 V, and let go."""


@dataclass(frozen=True, slots=True)
class MeterSaid:
    """One plausible reading."""

    energy: float
    """Wh, imported; never less than the one before, unless None came in between (a meter was replaced)."""
    power: float
    """W."""
    currents: tuple[float, ...] = ()
    """A, per phase that the meter has."""
    voltages: tuple[float, ...] = ()
    """V to neutral, per phase that the meter has."""


class Meter(Protocol):
    """An energy meter. What is implausible is not reported; nothing good for 10 s is None, once."""

    def start(self, said: Callable[[MeterSaid | None], None]) -> None:
        """Report readings as they come."""

    def close(self) -> None:
        """Let go."""


class Reader(Protocol):
    """A card reader. One that does not answer is reported, and tried again until it does."""

    def start(self, shown: Callable[[str], None], works: Callable[[bool], None]) -> None:
        """Report the idTag of every card once when it comes; and whether the reader works, if it changes."""

    def close(self) -> None:
        """Let go."""


class Thermometer(Protocol):
    """A temperature inside the housing."""

    def start(self, said: Callable[[float | None], None]) -> None:
        """Report °C when it has changed by half a degree, and None when the sensor does not answer."""

    def close(self) -> None:
        """Let go."""


class Registers(Protocol):
    """What a job on a Modbus bus gets: the devices' registers, as long as the job runs.

    Addresses are those on the wire, from 0. A job ends at the first error: an answer that comes too late
    must find nobody who waits for another one.
    """

    def read_holding(self, unit: int, address: int, count: int) -> list[int]:
        """Read `count` registers, 1 to 125, by function code 3.

        Raises:
            OSError: no answer, not the right one, or an exception code; its text says who and what.
        """

    def read_input(self, unit: int, address: int, count: int) -> list[int]:
        """As `read_holding`, by function code 4."""

    def write(self, unit: int, address: int, value: int) -> None:
        """Write one holding register, by function code 16, as programs for EVSE boards do.

        Raises:
            OSError: as `read_holding`.
        """
