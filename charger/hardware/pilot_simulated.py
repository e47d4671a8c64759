"""A control pilot without a wire: a car that is told what to do, on the `Clock` port.

It lets a board be tried that has contactor, lock and meter, but no pilot yet. It answers to offers as a car
does: after a moment it asks for energy while current is offered, and stops when it no longer is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from charger.hardware.parts import PilotSaid, PilotState
from charger.hardware.pilot import LEAST
from charger.hardware.pilot_voice import SILENT
from charger.ports import Clock

WRONGS: Final = ("", "diode", "cable", "silent")


def _nobody(_said: PilotSaid) -> None:
    """Listens before the start and after the end."""


class SimulatedPilot:
    """The contract `parts.Pilot`, and a car. Use it on one thread."""

    def __init__(self, name: str, clock: Clock, *, fixed: bool, delay: float) -> None:
        """No car is there.

        Args:
            name: makes the timer's key: ``simulated/NAME/pilot``.
            clock: on which the car takes its time.
            fixed: the cable belongs to the charger: it has no rating that is measured.
            delay: s until the car follows the pilot.
        """
        self._key = f"simulated/{name}/pilot"
        self._clock = clock
        self._fixed = fixed
        self._delay = delay
        self._say: Callable[[PilotSaid], None] = _nobody
        self._last: PilotSaid | None = None
        self._amps: float | None = 0.0
        self._cable: float | None = None
        self._plug = False
        """In our socket; with a fixed cable: in the car."""
        self._car = False
        self._willing = True
        self._asks = False
        self._wrong = ""

    def start(self, said: Callable[[PilotSaid], None]) -> None:
        """Report what the wire says now, then every change."""
        self._say, self._last = said, None
        self._tell()

    def offer(self, amps: float | None) -> None:
        """PWM for so many A, 0 for steady +12 V, None for state F."""
        self._amps = amps
        self._let_car_follow()
        self._tell()

    def close(self) -> None:
        """Steady +12 V; nothing is reported any more."""
        self._say = _nobody
        self._clock.cancel(self._key)
        self._amps = 0.0

    # -- what people and cars do ---------------------------------------------------------------------------

    def plug(self, *, cable: float = 32.0) -> None:
        """A car is connected, by a cable that carries `cable` A; one that is in our socket still stays.

        Raises:
            ValueError: a car is plugged in already.
        """
        if self._car:
            raise ValueError("a car is plugged in already")
        if not self._plug:
            self._cable = None if self._fixed else cable
        self._plug = self._car = self._willing = True
        self._let_car_follow()
        self._tell()

    def unplug(self, *, at_car: bool = False) -> None:
        """The driver takes the cable; `at_car`: leaves it in our socket.

        Raises:
            ValueError: nothing is plugged in.
        """
        if not self._plug or (at_car and not self._car):
            raise ValueError("nothing is plugged in")
        self._car = self._asks = False
        if self._fixed or not at_car:
            self._plug, self._cable = False, None
        self._clock.cancel(self._key)
        self._tell()

    def ready(self) -> None:
        """The car wants energy.

        Raises:
            ValueError: there is no car.
        """
        self._decide(willing=True)

    def suspended(self) -> None:
        """The car wants none.

        Raises:
            ValueError: there is no car.
        """
        self._decide(willing=False)

    def wrong(self, what: str) -> None:
        """From now on the wire says that this is wrong; an empty text: nothing is.

        Raises:
            ValueError: nothing like that can be wrong.
        """
        if what not in WRONGS:
            raise ValueError(f"a pilot cannot be wrong by '{what}': {', '.join(WRONGS[1:])}")
        self._wrong = what
        self._tell()

    # -- the car -------------------------------------------------------------------------------------------

    def _decide(self, *, willing: bool) -> None:
        if not self._car:
            raise ValueError("no car is plugged in")
        self._willing = willing
        self._clock.cancel(self._key)
        self._follow(self._key)  # the car does as it likes, it does not react to anything

    def _wants(self) -> bool:
        return self._car and self._willing and self._amps is not None and self._amps >= LEAST

    def _let_car_follow(self) -> None:
        if self._wants() == self._asks:
            self._clock.cancel(self._key)
        else:
            self._clock.start(self._key, self._clock.now().monotonic + self._delay, self._follow)

    def _follow(self, _key: str) -> None:
        self._asks = self._wants()
        self._tell()

    def _state(self) -> PilotState:
        if self._amps is None:
            return "F"
        return "A" if not self._car else "C" if self._asks else "B"

    def _tell(self) -> None:
        match self._wrong:
            case "silent":
                said = SILENT
            case "cable":
                said = PilotSaid(self._state(), None, "cable")
            case "diode":
                said = PilotSaid(self._state(), self._cable, "diode")
            case _:
                said = PilotSaid(self._state(), self._cable)
        if said != self._last:
            self._last = said
            self._say(said)
