"""Benches: whatever performs the acts of the world on one kind of hardware, and looks at the coil from outside.

The contract (test_contract.py) is held against each. Another kind needs a class with the same methods, and a line
in `BENCHES`. A bench that cannot do an act says so by leaving its word out of `can`.
"""

from __future__ import annotations

import asyncio
import os

from board_kit import World

from charger.clock import VirtualClock
from charger.functions.situation import ConnectorPlan
from charger.hardware.simulated import SimulatedHardware

ACTS = frozenset({"weld", "block", "emergency", "residual_current", "edges", "chip", "jam"})
"""
weld, block     the contactor stays closed, or open
emergency, residual_current      an interlock, which `lose` and `hold` move
edges           the thread that reports edges dies
chip            the chip does not answer
jam             the lock does not move
"""


class Simulated:
    """`SimulatedHardware` in virtual time. It has no interlocks."""

    can = frozenset({"jam"})

    def __init__(self):
        self.clock = VirtualClock()
        self.hardware = SimulatedHardware(
            (ConnectorPlan(fixed=False),) * 1,
            power=7400,
            contactor_delay=0.05,
            lock_delay=0.2,
            car_delay=0.2,
            plugged=(),
            register=None,
            clock=self.clock,
        )
        self.events = []

    def start(self):
        self.hardware.start(self.events.append)
        self.wait(0.2)

    def wait(self, seconds):
        self.clock.advance(seconds)

    def coil(self):
        return self.hardware.describe(1)["contactor"] == "closed"

    def plug(self):
        self.hardware.simulate("plug", 1, {})

    def unplug(self):
        self.hardware.simulate("unplug", 1, {})

    def jam(self):
        self.hardware.simulate("lock", 1, {"fail": True})

    def end(self):
        asyncio.run(self.hardware.close())


class Mock(Simulated):
    """`WiredHardware` on gpiozero's mock pins in virtual time."""

    can = ACTS

    def __init__(self):
        self.world = World()
        self.clock, self.hardware = self.world.clock, self.world.hardware
        self.events = []

    def coil(self):
        return self.world.coil()

    def weld(self):
        self.world.stuck[1] = True

    def block(self):
        self.world.stuck[1] = False

    def jam(self):
        self.world.jammed.add(1)

    def lose(self, interlock):
        if interlock == "emergency":
            self.world.touch(self.world.board.emergency_stop, active=True)
        else:
            self.world.leak()

    def hold(self, interlock):
        if interlock == "emergency":
            self.world.touch(self.world.board.emergency_stop, active=False)
        else:
            self.world.leak(on=False)

    def deafen(self):
        self.world.factory.threads = (Dead(),)

    def cut_chip(self):
        self.world.pin(self.world.board.emergency_stop.pin).broken = True


class Dead:
    """A thread that is not alive."""

    def is_alive(self):
        return False


def _benches():
    if "CHARGER_LINES" not in os.environ:
        return {"simulated": Simulated, "mock": Mock}
    from kernel_bench import Kernel  # in the virtual machine of `make gpio-test`

    return {"kernel": Kernel}


BENCHES = _benches()
