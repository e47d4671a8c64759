"""The bench of the contract (tests/hardware/benches.py) for real lines: in the machine, with hands outside of it."""

from __future__ import annotations

import asyncio
import os
import socket
import time

from charger import board
from charger.clock import MonotonicClock
from charger.functions.situation import ConnectorPlan
from charger.hardware.build import build
from charger.hardware.gpio import open_chip

EDGE = 0.5
"""s that an edge may take into the guest, and what comes of it out again; no event is taken meanwhile."""


def contact(pin):
    return board.Contact(pin, pull="none")


BOARD = board.Board(
    outlets=(
        board.OutletPlan(
            contactor=0,
            mirror=contact(1),
            pilot=board.SimulatedPilot(),
            lock=board.LockPlan(6, 7),
            residual_current=board.ResidualCurrentPlan(contact(4), test=5),
        ),
    ),
    chip="9030000.pl061",
    patience=5.0,
    emergency_stop=contact(2),
)


class _OnLoop:
    """Hardware whose methods run on the event loop, as its contract wants; the loop stands still in between."""

    def __init__(self, hardware, loop):
        self._hardware, self._loop = hardware, loop

    def __getattr__(self, name):
        method = getattr(self._hardware, name)

        async def call(*words):
            return method(*words)

        return lambda *words: self._loop.run_until_complete(call(*words))


class Kernel:
    """`WiredHardware` on a chip of the kernel, in real time.

    The chip stays open from bench to bench: an edge that is on its way while gpiozero closes it ends lgpio's
    thread, which a program that ends does not mind.
    """

    can = frozenset({"weld", "block", "emergency", "residual_current"})
    chip = loop = outside = None

    def __init__(self):
        if Kernel.loop is None:
            host, port = os.environ["CHARGER_LINES"].split(":")
            Kernel.outside = socket.create_connection((host, int(port)), timeout=60).makefile("rw")
            Kernel.loop = asyncio.new_event_loop()
            Kernel.chip = open_chip(BOARD.chip)
            Kernel.chip.close = lambda: None
        self._ask("reset")
        self.events = []
        self._hardware = self.loop.run_until_complete(self._build())
        self.hardware = _OnLoop(self._hardware, self.loop)

    async def _build(self):
        return build(
            BOARD,
            (ConnectorPlan(fixed=False),),
            self.chip,
            clock=MonotonicClock(),
            soon=self.loop.call_soon_threadsafe,
            car_delay=0.2,
        )

    def _ask(self, command):
        self.outside.write(f"{command}\n")
        self.outside.flush()
        return self.outside.readline().strip()

    def start(self):
        self.hardware.start(self.events.append)
        self.wait(1)

    def wait(self, seconds):
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def coil(self):
        return self._ask("coil") == "1"

    def plug(self):
        self.hardware.simulate("plug", 1, {})

    def unplug(self):
        self.hardware.simulate("unplug", 1, {})

    def weld(self):
        self._ask("stuck 1")

    def block(self):
        self._ask("stuck 0")

    def lose(self, interlock):
        self._ask({"emergency": "stop 1", "residual_current": "trip 1"}[interlock])
        time.sleep(EDGE)

    def hold(self, interlock):
        self._ask({"emergency": "stop 0", "residual_current": "trip 0"}[interlock])
        time.sleep(EDGE)

    def end(self):
        self.loop.run_until_complete(self._hardware.close())
