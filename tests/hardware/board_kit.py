"""A board of gpiozero's mock pins, and what is wired to it: contactors that follow their coils, bolts, buttons.

Everything happens on a VirtualClock: the thread of the guard is a timer here, and so is what other threads
hand to the event loop.
"""

from __future__ import annotations

import asyncio
import itertools

from gpiozero.pins.mock import MockFactory, MockPin

from charger import board
from charger.board import Board, Contact, OutletPlan
from charger.clock import VirtualClock
from charger.functions.situation import ConnectorPlan
from charger.hardware.build import build
from charger.hardware.guard import ROUND

MOVES = 0.03
"""s that a contactor takes."""
TURNS = 0.2
"""s that a bolt takes, under current."""
TRIPS = 0.1
"""s that a residual-current monitor takes to trip by its test, and to recover."""


class Wire(MockPin):
    """A pin with something at its other end: the level is the world's, whatever is pulled; and may be broken."""

    def __init__(self, factory, info):
        super().__init__(factory, info)
        self.broken = False
        self.silent = False
        """Edges are lost."""
        self.driven = lambda high: None
        """What hangs on an output."""

    def _set_pull(self, value):
        self._pull = value

    def _get_state(self):
        if self.broken:
            raise RuntimeError("the chip does not answer")
        return self._state

    def _set_state(self, value):
        if self.broken:
            raise RuntimeError("the chip does not answer")
        changes = bool(value) is not self._state
        super()._set_state(value)
        if changes:
            self.driven(bool(value))

    def _call_when_changed(self):
        if not self.silent:
            super()._call_when_changed()

    def drive(self, high):
        (self.drive_high if high else self.drive_low)()


def socket(number):
    """The wires of one connector with a socket; pins from 10 or from 20."""
    tens = 10 * number
    return OutletPlan(
        contactor=tens,
        mirror=Contact(tens + 1),
        pilot=board.SimulatedPilot(),
        lock=board.LockPlan(tens + 2, tens + 3, Contact(tens + 4, normally="open")),
        residual_current=board.ResidualCurrentPlan(Contact(tens + 5), test=tens + 6),
    )


BOARD = Board(
    outlets=(socket(1),),
    life=2,
    emergency_stop=Contact(3),
    door=Contact(4),
    inputs={"key_switch": Contact(5, normally="open")},
    outputs={"fan": 6},
    buzzer=7,
)


PLAIN = Board(
    outlets=(OutletPlan(contactor=10, mirror=Contact(11), pilot=board.SimulatedPilot()),),
    life=2,
    emergency_stop=Contact(3),
)
"""What is needed to close a contactor."""


def mock_pins():
    return MockFactory(pin_class=Wire)


class World:
    """What is wired to the board, and the hands of people."""

    def __init__(self, plan=BOARD, *, clock=None, fixed=False, prepare=lambda world: None):
        self.clock = clock or VirtualClock()
        self.board = plan
        self.factory = mock_pins()
        self._keys = itertools.count()
        self.stuck = {}
        """Connector → where its contactor stays."""
        self.jammed = set()
        """Connectors whose bolt does not move."""
        self.leaks = set()
        """Connectors whose monitor does not recover."""
        self.mute = set()
        """Connectors whose monitor does not trip by its test."""
        contacts = [plan.emergency_stop, plan.door, *plan.inputs.values()]
        for number, outlet in enumerate(plan.outlets, start=1):
            contacts += [outlet.mirror, outlet.residual_current and outlet.residual_current.contact]
            contacts += [outlet.lock and outlet.lock.feedback, *outlet.inputs.values()]
            self.pin(outlet.contactor).driven = lambda high, number=number: self._later(
                MOVES, self._contactor, number
            )
            if outlet.lock:
                for pin, into in ((outlet.lock.engage, True), (outlet.lock.release, False)):
                    self.pin(pin).driven = lambda high, n=number, into=into: (
                        high and self._later(TURNS, self._bolt, n, into)
                    )
            if outlet.residual_current and outlet.residual_current.test is not None:
                self.pin(outlet.residual_current.test).driven = lambda high, n=number: self._later(
                    TRIPS, self._tested, n
                )
        for contact in contacts:
            if contact:
                self.touch(contact, active=False)
        prepare(self)
        self.plans = tuple(ConnectorPlan(fixed=fixed) for _ in plan.outlets)
        self.hardware = build(
            plan,
            self.plans,
            self.factory,
            clock=self.clock,
            soon=lambda then: self._later(0, then),
            car_delay=0.2,
            now=lambda: self.clock.now().monotonic,
        )
        self.patrol = self.hardware._station.patrol
        self.patrol.start = self._patrol
        self.awake = True

    def pin(self, number):
        return self.factory.pin(f"GPIO{number}")

    def touch(self, contact, *, active):
        """Move a contact."""
        self.pin(contact.pin).drive(active is not contact.active_low)

    def coil(self, number=1):
        return self.pin(self.board.outlets[number - 1].contactor)._state

    def mirror(self, number=1):
        return self.board.outlets[number - 1].mirror

    def residual(self, number=1):
        return self.board.outlets[number - 1].residual_current.contact

    def contactor(self, number, *, closed):
        """Somebody, or heat, moves it."""
        if mirror := self.mirror(number):
            self.touch(mirror, active=closed)

    def leak(self, number=1, *, on=True):
        (self.leaks.add if on else self.leaks.discard)(number)
        self.touch(self.residual(number), active=on)

    def _contactor(self, number):
        self.contactor(number, closed=self.stuck.get(number, self.coil(number)))

    def _bolt(self, number, into):
        lock = self.board.outlets[number - 1].lock
        under_current = self.pin(lock.engage if into else lock.release)._state
        if number not in self.jammed and under_current and lock.feedback:
            self.touch(lock.feedback, active=into)

    def _tested(self, number):
        plan = self.board.outlets[number - 1].residual_current
        asked = self.pin(plan.test)._state
        self.touch(plan.contact, active=(asked and number not in self.mute) or number in self.leaks)

    def _patrol(self):
        if self.awake:
            self.patrol.round()
        self._later(ROUND, self._patrol)

    def _later(self, seconds, then, *given):
        due = self.clock.now().monotonic + seconds
        self.clock.start(f"world/{next(self._keys)}", due, lambda _key: then(*given))

    def end(self):
        asyncio.run(self.hardware.close())
