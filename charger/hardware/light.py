"""The lamp of a connector: looks such as ``blue breathing`` or ``red blinking 200ms`` on three outputs.

Each colour of the lamp is on or off, so there are seven colours; one that needs a shade is shown as its
neighbour. A pattern is a share of its period in which the lamp is on. Runs on the event loop's thread.
"""

from __future__ import annotations

import logging
from typing import Final

from charger.board import LightPlan
from charger.hardware.parts import Lines
from charger.ports import Clock
from charger.statechart.expressions import seconds

COLOURS: Final = {
    "off": (False, False, False),
    "red": (True, False, False),
    "orange": (True, True, False),
    "yellow": (True, True, False),
    "green": (False, True, False),
    "cyan": (False, True, True),
    "blue": (False, False, True),
    "purple": (True, False, True),
    "magenta": (True, False, True),
    "white": (True, True, True),
}
"""Colour → whether red, green and blue are on."""
PATTERNS: Final = {"blinking": (0.5, 1.0), "breathing": (0.75, 4.0), "flashing": (0.1, 1.0)}
"""Pattern → share of its period in which the lamp is on, and the period in s if the look names none."""
SHORTEST: Final = 0.1
"""s; a shorter period is shown as this one: nobody sees it, and the loop has better things to do."""

_log = logging.getLogger(__name__)


class Lamp:
    """One lamp."""

    def __init__(self, plan: LightPlan, lines: Lines, clock: Clock, key: str) -> None:
        """Claim its pins, dark.

        Args:
            plan: which pins.
            lines: the chip.
            clock: runs its timer.
            key: of that timer.

        Raises:
            HardwareError: a pin cannot be had.
        """
        self._outputs = tuple(lines.output(pin) for pin in (plan.red, plan.green, plan.blue))
        self._clock = clock
        self._key = key
        self._colour = COLOURS["off"]
        self._lit = False
        self._times = (0.0, 0.0)
        """s on and s off."""

    def show(self, look: str) -> None:
        """Look like this from now on: ``colour [pattern [period]]``, or dark if that is no look."""
        self._clock.cancel(self._key)
        colour, pattern, period = (*look.split(), "", "", "")[:3]
        if colour not in COLOURS or (pattern and pattern not in PATTERNS):
            _log.warning("%s: '%s' is no look of a lamp", self._key, look)
            colour, pattern = "off", ""
        self._colour = COLOURS[colour]
        self._light(on=True)
        if pattern and any(self._colour):
            share, usual = PATTERNS[pattern]
            whole = max(seconds(period) or usual, SHORTEST)
            self._times = (whole * share, whole * (1 - share))
            self._wait()

    def close(self) -> None:
        """Dark."""
        self._clock.cancel(self._key)
        self._light(on=False)

    def _wait(self) -> None:
        due = self._clock.now().monotonic + self._times[0 if self._lit else 1]
        self._clock.start(self._key, due, self._turn)

    def _turn(self, _key: str) -> None:
        self._light(on=not self._lit)
        self._wait()

    def _light(self, on: bool) -> None:
        """A lamp that does not answer is no reason to stop anything."""
        self._lit = on
        try:
            for output, part in zip(self._outputs, self._colour, strict=True):
                output.switch(on=on and part)
        except OSError as error:
            _log.warning("%s: the lamp does not answer: %s", self._key, error)
