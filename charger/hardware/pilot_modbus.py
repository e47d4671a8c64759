"""A control pilot that an EVSE board makes (EVSE-WB, EVSE-DIN; openWB sells them), reached by Modbus.

The board owns the 1 kHz and the reactions within 100 ms; here its registers are read every 100 ms. All are
holding registers, read by function 3 and written by function 16.

====  =======================================================================================  =======
1000  A to offer, 6 to 80; 0: none, steady +12 V                                               a b c d
1001  A that the PWM says now                                                                  a b c
1002  the car: 1 none (A), 2 connected (B), 3 asks (C), 4 wants ventilation too (D),           a b c d
      5 failure
1003  A that the cable carries by its proximity resistor; without a plug any number that is    a b c
      no rating (5 was seen)
1004  commands: bit 0 turn off now, 1 test the residual-current monitor, 2 clear its error     a b c
1005  version of the firmware                                                                  a b c d
1006  1 steady +12 V, 2 PWM, 3 off, which is steady +12 V too                                  a b c
1007  bit 0 relay, 1 diode missing, 2 ventilation wanted, 3 waits after an error; 4 and 5      a b c
      residual current, on which they do not agree
2000  A offered after its own start, before it hears of us                                     a b c
2005  settings; bit 7 (firmware 17 and later): 1000 and 1001 count in 0.01 A                   a c d
2007  0: the cable is measured; else it is not, and 1003 says this                             b c
====  =======================================================================================  =======

Agreed on by programs that drive it, which were read: a) an ESP8266 firmware with the datasheet's text in its
comments, b) a diagnostic script, c) notes and an ESPHome component of its users, d) openWB's core. Nothing of
it was tried on a board. Not verified: that 2000 takes 0; what 1002 says while 1006 is 3; whether 2005
survives a power cut, for which it is only read here; that a board answers every 100 ms (openWB waits 100 ms
before each request).

The board has no state F and no watchdog: `offer(None)` is steady +12 V as well, and after a crash of this
program it offers on. The contactor is not its business then, but the guard's.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from math import floor
from typing import Final

from charger.board import ModbusPilot as ModbusPilotPlan
from charger.hardware.modbus import Bus
from charger.hardware.parts import PilotSaid, PilotState, Registers
from charger.hardware.pilot import LEAST, MOST
from charger.hardware.pilot_voice import PilotVoice

PERIOD: Final = 0.1
"""s between two looks."""
PATIENCE: Final = 0.8
"""s without an answer before the board counts as silent; with the watcher's step it is told within 1 s."""

_STATUS: Final = 1000
_SETTINGS: Final = 2000
_BLOCKS: Final = {_STATUS: 8, _SETTINGS: 10}
"""First register → how many are read. Two numbers: by them a late answer is told from another one (`Bus`)."""
_TOLD: Final = 3
"""Failures in a row that are worth a line in the log; a disturbed line loses one now and then."""
_VEHICLE: Final[dict[int, PilotState]] = {1: "A", 2: "B", 3: "C", 4: "D", 5: "E"}
_RATINGS: Final = frozenset({13, 20, 32, 63, 70})
"""A; 70 is what 100 ohm means on one phase."""
_DIODE: Final = 1 << 1
_VENTILATION: Final = 1 << 2
_FINE: Final = 1 << 7

_log = logging.getLogger(__name__)


class ModbusPilot:
    """The contract `parts.Pilot`."""

    def __init__(
        self,
        plan: ModbusPilotPlan,
        bus: Bus,
        *,
        fixed: bool,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is said to the board before `start`, or an offer.

        Args:
            plan: which board.
            bus: the one it is on; closed by whoever made it.
            fixed: the cable belongs to the charger, so it has no proximity resistor.
            now: monotonic s.
        """
        self._unit = plan.unit
        self._bus = bus
        self._fixed = fixed
        self._voice = PilotVoice(PATIENCE, now)
        self._end: Callable[[], None] = lambda: None
        self._wanted = 0.0
        """A; 0: none."""
        self._settings: Sequence[int] = ()
        """As read from the board; empty when it may have started anew since."""
        self._misses = 0
        """Failures without an answer in between."""

    def start(self, said: Callable[[PilotSaid], None]) -> None:
        """Report what the board says, every change of it, and its silence. It comes on the bus's thread."""
        self._voice.start(said)
        self._end = self._bus.every(PERIOD, self._look, self._failed)

    def offer(self, amps: float | None) -> None:
        """Offer so many A, or nothing. It goes before everybody's polls on the bus."""
        self._wanted = amps if amps and amps >= LEAST else 0.0
        # What is written is what is wanted when the bus has time for it: an older offer never overtakes.
        self._bus.soon(self._write, self._failed)

    def close(self) -> None:
        """Withdraw the offer, and let go."""
        self._end()
        self._voice.close()
        self.offer(0)

    # -- on the bus's thread -------------------------------------------------------------------------------

    def _look(self, registers: Registers) -> None:
        anew = not self._settings
        self._learn(registers)
        block = registers.read_holding(self._unit, _STATUS, _BLOCKS[_STATUS])
        said = understood(block, fixed=self._fixed, measured=self._settings[7] == 0)
        # A board that was switched off and on, or has a button, offers what it likes.
        if anew or block[0] != self._value():
            self._write(registers)
        self._voice.hear(said)
        if self._misses >= _TOLD:
            _log.info("the EVSE board, unit %d, answers again", self._unit)
        self._misses = 0

    def _learn(self, registers: Registers) -> None:
        if self._settings:
            return
        found = registers.read_holding(self._unit, _SETTINGS, _BLOCKS[_SETTINGS])
        if found[0]:
            _log.warning(
                "the EVSE board, unit %d, offers %d A after its own start, before it hears of us;"
                " write 0 to its register 2000",
                self._unit,
                found[0],
            )
        self._settings = found

    def _write(self, registers: Registers) -> None:
        if self._wanted:
            self._learn(registers)
        registers.write(self._unit, _STATUS, self._value())

    def _value(self) -> int:
        """What 1000 has to say; 0 says the same whatever it counts in."""
        if not self._wanted:
            return 0
        fine = self._settings[5] & _FINE
        return floor(min(self._wanted, MOST) * (100 if fine else 1) + 1e-6)

    def _failed(self, error: Exception) -> None:
        self._settings = ()
        self._misses += 1
        if self._misses == _TOLD:
            _log.warning("the EVSE board, unit %d, is silent: %s", self._unit, error)


def understood(block: Sequence[int], *, fixed: bool, measured: bool) -> PilotSaid:
    """What registers 1000 to 1007 say.

    Args:
        block: the eight registers.
        fixed: there is no proximity resistor.
        measured: 1003 is measured; else it is a constant, which counts while a car is connected.

    Raises:
        OSError: 1002 is none of the five states: this is no such board, or the line is disturbed.
    """
    vehicle, limit, status = block[2], block[3], block[7]
    if vehicle not in _VEHICLE:
        raise OSError(f"says vehicle state {vehicle} in register 1002; there are 1 to 5")
    state = _VEHICLE[vehicle]
    diode = bool(status & _DIODE)
    if state == "E" and (diode or status & _VENTILATION):
        state = "B" if diode else "D"  # it tells why it stopped, and is not short
    if diode:
        return PilotSaid(state, _carries(state, limit, fixed=fixed, measured=measured) or None, "diode")
    cable = _carries(state, limit, fixed=fixed, measured=measured)
    return PilotSaid(state, None, "cable") if cable == 0 else PilotSaid(state, cable)


def _carries(state: PilotState, limit: int, *, fixed: bool, measured: bool) -> float | None:
    """A; None without a plug, 0 for a plug that carries nothing."""
    connected = state in ("B", "C", "D")
    if fixed:
        return None
    if limit in _RATINGS and (measured or connected):
        return min(float(limit), 63.0)
    if not connected:
        return None
    return 0.0 if measured else float(limit)
