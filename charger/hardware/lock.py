"""The lock of a socket: a motor on an H-bridge, and a switch that says where the bolt is.

Runs on the event loop's thread. Reads the switch when told that it may have moved (`look`), and believes it
once it has been steady. A bolt that moves without being asked is reported like one that was: what that means,
charts say.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from charger.board import LockPlan
from charger.hardware.debounce import CONTACT, Debounced
from charger.hardware.parts import Input, Lines, Output
from charger.ports import Clock

LockSaid: TypeAlias = Literal["engaged", "released", "failed"]
"""Where the bolt is, or that it did not get where it should."""

PATIENCE: Final = 2.0
"""s after the pulse in which the switch must say that the bolt has arrived."""
REST: Final = 0.1
"""s without current between two pulses, so that a bridge never has both directions."""

_log = logging.getLogger(__name__)


class Lock:
    """One lock."""

    def __init__(self, plan: LockPlan, lines: Lines, clock: Clock, key: str) -> None:
        """Claim its pins; nothing moves.

        Args:
            plan: which pins, and for how long.
            lines: the chip.
            clock: runs its timers.
            key: what the keys of those timers begin with.

        Raises:
            HardwareError: a pin cannot be had.
        """
        self._outputs: dict[bool, Output] = {
            True: lines.output(plan.engage),
            False: lines.output(plan.release),
        }
        self._pulse = plan.pulse
        self._clock = clock
        self._key = key
        self._said: Callable[[LockSaid], None] = _nobody
        self._goal: bool | None = None
        """Where the bolt is going, True being engaged; None: nowhere."""
        self._current = False
        self._free = 0.0
        """Monotonic s from which current may flow again."""
        self._arriving = False
        """The pulse is over, and the switch has not said so yet."""
        self.feedback: Input | None = lines.input(plan.feedback) if plan.feedback else None
        """The switch. Whoever watches it calls `look` on the loop."""
        self._bolt = Debounced(clock, f"{key}/bolt", CONTACT, False, self._moved)

    def start(self, said: Callable[[LockSaid], None]) -> None:
        """Report where the bolt is, then every arrival and failure. Without a switch it is released."""
        self._said = said
        if self.feedback:
            engaged = self.feedback.active()
            self._bolt = Debounced(self._clock, f"{self._key}/bolt", CONTACT, engaged, self._moved)
        said(self._place())

    def engage(self) -> None:
        """Drive the bolt in; answered by ``engaged`` or ``failed``."""
        self._go(True)

    def release(self) -> None:
        """Drive the bolt out; answered by ``released`` or ``failed``."""
        self._go(False)

    def look(self) -> None:
        """Read the switch: at every edge of it, and now and then.

        Raises:
            OSError: the chip does not answer.
        """
        if self.feedback:
            self._bolt.see(self.feedback.active())

    def close(self) -> None:
        """No current, no timers, no reports."""
        self._said = _nobody
        self._goal = None
        self._bolt.close()
        self._clock.cancel(f"{self._key}/motor")
        self._stop()

    # -- the motor -----------------------------------------------------------------------------------------

    def _go(self, goal: bool) -> None:
        """Whatever it did before, it does not any more."""
        self._goal, self._arriving = goal, False
        if not self._stop():
            self._fail()
        elif self._clock.now().monotonic < self._free:
            self._clock.start(f"{self._key}/motor", self._free, self._drive)
        else:
            self._drive(self._key)

    def _drive(self, _key: str) -> None:
        try:
            self._outputs[self._goal is True].switch(on=True)
        except OSError as error:
            _log.error("%s: no current: %s", self._key, error)
            self._stop()
            self._fail()
            return
        self._current = True
        self._after(self._pulse, self._driven)

    def _driven(self, _key: str) -> None:
        self._arriving = True
        if not self._stop():
            self._fail()
        elif self.feedback is None or self._bolt.active is self._goal:
            self._arrive()
        else:
            self._after(PATIENCE, self._late)

    def _late(self, _key: str) -> None:
        self._fail()

    def _stop(self) -> bool:
        """Switch both directions off; gives whether that is certain."""
        fine = True
        for output in self._outputs.values():
            try:
                output.switch(on=False)
            except OSError as error:
                _log.error("%s: may be under current: %s", self._key, error)
                fine = False
        if self._current and fine:
            self._current = False
            self._free = self._clock.now().monotonic + REST
        return fine

    def _fail(self) -> None:
        self._goal, self._arriving = None, False
        self._clock.cancel(f"{self._key}/motor")
        self._said("failed")

    # -- the switch ----------------------------------------------------------------------------------------

    def _moved(self, _engaged: bool) -> None:
        if self._goal is None:
            self._said(self._place())
        elif self._arriving and self._bolt.active is self._goal:
            self._arrive()

    def _arrive(self) -> None:
        goal, self._goal, self._arriving = self._goal, None, False
        self._clock.cancel(f"{self._key}/motor")
        self._said("engaged" if goal else "released")

    def _place(self) -> LockSaid:
        return "engaged" if self._bolt.active else "released"

    def _after(self, seconds: float, then: Callable[[str], None]) -> None:
        self._clock.start(f"{self._key}/motor", self._clock.now().monotonic + seconds, then)


def _nobody(_said: LockSaid) -> None:
    """Listens before the start and after the end."""
