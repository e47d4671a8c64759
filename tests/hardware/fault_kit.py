"""A whole station on a board whose every part is real down to its wire, bus or file; in virtual time.

The parts are those that `build` makes. What they listen to is played here: registers of an EVSE board and of a
meter, a pilot wire with a car at its end, a keyboard that is a FIFO, the file of a one-wire sensor. What has a
thread of its own in the program is a timer here, except readers and thermometers: those are waited for (`hear`).
"""

from __future__ import annotations

import itertools
import os
import queue
import random
import struct
import threading
from dataclasses import replace
from functools import partial
from typing import ClassVar
from unittest.mock import patch

from board_kit import BOARD, MOVES, World
from board_rig import BoardRig
from meter_kit import at, words

from charger import board
from charger.board import MeterPlan, ModbusBus, ReaderPlan, TemperaturePlan
from charger.clock import VirtualClock
from charger.hardware.keyboard import KEYS, Keyboard
from charger.hardware.pilot_kernel import CYCLE, PERIOD
from charger.hardware.reader import DeviceReader
from charger.hardware.thermometer import OneWireThermometer

PATIENCE = 20.0
"""s that a test waits for a thread, on a machine however slow."""
EVSE, METER = 1, 2
"""Units on the bus."""
SENSOR = "28-0417a2f4c1ff"
ANSWER = 0.005
"""s that a bus takes for an urgent job."""


class Bus:
    """`modbus.Bus` on a `Clock`: jobs run when they are due."""

    def __init__(self, clock, units):
        self._clock, self._units = clock, units
        self._keys = itertools.count()

    def every(self, period, job, failed):
        key = f"bus/{next(self._keys)}"

        def run(_key):
            self._clock.start(key, self._clock.now().monotonic + period, run)
            self._perform(job, failed)

        self._clock.start(key, self._clock.now().monotonic, run)
        return partial(self._clock.cancel, key)

    def soon(self, job, failed):
        due = self._clock.now().monotonic + ANSWER
        self._clock.start(f"bus/{next(self._keys)}", due, lambda _key: self._perform(job, failed))

    def close(self):
        """Nothing is held."""

    def _perform(self, job, failed):
        try:
            job(self)
        except Exception as error:  # noqa: BLE001 - as `modbus.Bus`
            failed(error)

    def read_holding(self, unit, address, count):
        return self._unit(unit).read(3, address, count)

    def read_input(self, unit, address, count):
        return self._unit(unit).read(4, address, count)

    def write(self, unit, address, value):
        self._unit(unit).write(address, value)

    def _unit(self, unit):
        if self._units[unit].silent:
            raise OSError(f"unit {unit} does not answer")
        return self._units[unit]


class Car:
    """A car, its cable, and whoever plugs it in."""

    def __init__(self):
        self.plug = self.connected = False
        self.willing = True
        self.rating = 32
        """A of the cable; None: its resistor is none."""
        self.wrong = ""
        """``diode``, ``short`` or ``ventilation``."""

    def arrive(self):
        self.plug = self.connected = True

    def state(self, offered):
        """Of the control pilot, while so many A are offered."""
        if self.wrong == "short":
            return "E"
        if not self.connected:
            return "A"
        return "B" if not (self.willing and offered) else "D" if self.wrong == "ventilation" else "C"


class EvseBoard:
    """The registers of `pilot_modbus`, with a firmware that counts in 0.01 A."""

    def __init__(self, car, fixed):
        self.car, self.fixed = car, fixed
        self.silent = False
        self.offered = 0.0

    def read(self, function, address, count):
        assert function == 3
        state = "E" if self.car.wrong == "diode" and self.car.connected else self.car.state(self.offered)
        diode = 2 if self.car.wrong == "diode" and self.car.connected else 0
        cable = 5 if self.fixed or not self.car.plug else 0 if self.car.rating is None else self.car.rating
        found = {
            1000: round(self.offered * 100),
            1002: "ABCDE".index(state) + 1,
            1003: cable,
            1007: diode,
            2005: 1 << 7,
            2007: 1 if self.fixed else 0,
        }
        return [found.get(place, 0) for place in range(address, address + count)]

    def write(self, address, value):
        assert address == 1000
        self.offered = value / 100


class Wire:
    """A control pilot with the processor's PWM at one end and a car at the other, as an ADC sees it."""

    HIGH, PROXIMITY = 0, 2
    LEVEL: ClassVar = {"A": 12.0, "B": 9.0, "C": 6.0, "D": 3.0, "E": 0.0}

    def __init__(self, car, fixed):
        self.car, self.fixed = car, fixed
        self.silent = False
        self._phase = random.Random(7)
        self.set(CYCLE)

    @property
    def offered(self):
        return self._duty * 60 if 0.08 <= self._duty <= 0.85 else 0.0

    def set(self, nanoseconds):
        self._duty = nanoseconds / CYCLE

    def read(self, channel):
        if self.silent:
            raise OSError("the ADC does not answer")
        if channel == self.PROXIMITY:
            if not self.car.plug:
                return 1.0
            ohms = {32: 220, 20: 680, None: 3000}[self.car.rating]
            return ohms / (ohms + 1000)
        full, zero = board.DIVIDER
        return (self._volts() - zero) / (full - zero)

    def _volts(self):
        state = self.car.state(self.offered)
        if self._phase.random() < self._duty:
            return self.LEVEL[state]
        loaded = state == "E" or (self.car.wrong == "diode" and state != "A")
        return -self.LEVEL[state] if loaded else -12.0

    def close(self):
        """Nothing is held."""


class Sdm630:
    """The registers of a meter, through which the car's current flows while the contactor is closed."""

    def __init__(self, world):
        self.world = world
        self.silent = False
        self.volts = 230.0
        self.percent = 100.0
        """Of what is offered the car draws so much."""
        self._energy, self._power, self._since = 100_000.0, 0.0, 0.0

    def read(self, function, address, count):
        assert function == 4
        world, now = self.world, self.world.clock.now().monotonic
        self._energy += self._power * (now - self._since) / 3600
        asks = world.car.state(world.wire.offered) in "CD"
        amps = world.wire.offered * self.percent / 100 if world.coil() and asks else 0.0
        self._power, self._since = 3 * amps * self.volts, now
        found = at(
            (0x00, words("f", *[self.volts] * 3)),
            (0x06, words("f", *[amps] * 3)),
            (0x34, words("f", self._power)),
            (0x48, words("f", self._energy / 1000)),
        )
        return [found.get(place, 0) for place in range(address, address + count)]


class Timer:
    """Instead of a thread: does something again and again."""

    def __init__(self, world, period, act):
        self._world, self._period, self._act = world, period, act

    def start(self):
        self._run()

    def is_alive(self):
        return False

    def _run(self):
        if not self._world.ended:
            self._act()
            self._world._later(self._period, self._run)


def plan_of(*, pilot, fixed, folder, reader):
    """A board with everything on it; thermometer and reader, of a connector or of all, only with their devices."""
    proximity = None if fixed else Wire.PROXIMITY
    kinds = {
        "modbus": board.ModbusPilot("bus", EVSE),
        "kernel": board.KernelPilot(0, 0, adc=0, high=Wire.HIGH, low=Wire.HIGH, proximity=proximity),
    }
    outlet = replace(
        BOARD.outlets[0],
        pilot=kinds[pilot],
        meter=MeterPlan("sdm630", "bus", METER),
        **({"lock": None} if fixed else {}),
    )
    parts = {}
    if folder:
        parts = {
            "readers": (ReaderPlan("keyboard", str(folder / "reader"), reader),),
            "temperature": TemperaturePlan(SENSOR),
        }
    return replace(BOARD, outlets=(outlet,), buses={"bus": ModbusBus(port="/dev/none")}, **parts)


class WholeWorld(World):
    """`World`, with buses and devices."""

    def __init__(
        self,
        *,
        pilot="modbus",
        fixed=False,
        folder=None,
        reader=None,
        car=None,
        clock=None,
        prepare=None,
    ):
        self.clock = clock
        self.ended = False
        self.mail = queue.Queue()
        """What threads report, until somebody hears it."""
        self._test = threading.current_thread()
        self.car = car or Car()
        self.wire = (EvseBoard if pilot == "modbus" else Wire)(self.car, fixed)
        self.meter = Sdm630(self)
        units = {EVSE: self.wire, METER: self.meter}
        with patch.multiple(
            "charger.hardware.build",
            Bus=lambda plan: Bus(clock, units),
            Pwm=lambda chip, channel: self.wire,
            Mcp3008=lambda select, factory: self.wire,
            Keyboard=partial(Keyboard, grab=lambda device: None),
            DeviceReader=partial(DeviceReader, retry=0.01),
            OneWireThermometer=partial(OneWireThermometer, devices=folder, period=0.01),
        ):
            super().__init__(
                plan_of(pilot=pilot, fixed=fixed, folder=folder, reader=reader),
                clock=clock,
                fixed=fixed,
                prepare=prepare or (lambda world: None),
            )
        part = self.hardware._outlets[1].pilot
        part._voice._watcher = Timer(self, part._voice._patience / 8, part._voice.check)
        if pilot == "kernel":
            part._wait = lambda seconds: None
            part._thread = Timer(self, PERIOD, partial(self._look, part))

    def _look(self, part):
        try:
            part.look()
        except OSError as error:
            part._complain(error)

    def _later(self, seconds, then, *given):
        if threading.current_thread() is self._test:
            super()._later(seconds, then, *given)
        else:
            self.mail.put(partial(then, *given))

    def end(self):
        self.ended = True
        super().end()


class FaultRig(BoardRig):
    """One connector, charts as shipped, and everything that may break."""

    def __init__(self, *, folder=None, reader=None, car=None, prepare=None, pilot="modbus", **given):
        self._of_world = {
            "folder": folder,
            "reader": reader,
            "car": car,
            "prepare": prepare,
            "pilot": pilot,
        }
        super().__init__(**given)

    def _hardware(self):
        self.world = WholeWorld(clock=self.clock, fixed=self.plans[0].fixed, **self._of_world)
        return self.world.hardware

    def plug(self, connector=1):
        self.world.car.arrive()
        self.after(1)

    def unplug(self, connector=1):
        """The driver takes the cable out of the car, and out of our socket when the lock lets go."""
        self.world.car.connected = False
        if self.hardware.describe(1)["lock"]:
            self.until(lambda: self.hardware.describe(1)["lock"] == "released")
        self.world.car.plug = False
        self.after(1)

    def hear(self):
        """Wait for what a reader or a thermometer reports, and let it be taken."""
        self.world.mail.get(timeout=PATIENCE)()
        self.after(1)

    def anew(self, prepare=None):
        """The program has ended, and starts again: what is left is what was stored, and the car."""
        self.world.end()
        given = {**self._of_world, "car": self.world.car, "prepare": prepare}
        clock = VirtualClock(self.clock.now().wall + 60)
        again = FaultRig(
            storage=self.storage, clock=clock, fixed=self.plans[0].fixed, **given, **self.configuration
        )
        again.cs._transactions = self.cs._transactions
        return again

    def opens(self, within):
        """The contactor opens within so many s, and what it takes to move."""
        self.until(lambda: not self.world.coil(), within, step=0.02)
        self.after(MOVES)

    def history(self, connector=1):
        """What was told: status, errorCode, vendorErrorCode, info of each."""
        keys = ("status", "errorCode", "vendorErrorCode", "info")
        return [tuple(notice.get(key) for key in keys) for notice in self.notices(connector)]

    def last(self, connector=1):
        return self.history(connector)[-1]

    def works(self):
        """The next session does: it charges, ends, and leaves nothing behind."""
        if self.world.car.connected:
            self.unplug()
        self.after(5)
        assert self.status() == "Available", self.states()
        assert self.last()[1] == "NoError", self.last()
        self.session(tag="NEXT")
        assert self.world.coil()
        self.swipe("NEXT")
        self.until(lambda: not self.world.coil())
        self.unplug()
        self.after(5)
        assert self.status() == "Available"
        assert self.hardware._failures == []


class Keys:
    """A keyboard that is a FIFO: it can be pulled out, and plugged in again."""

    _PRESS = struct.Struct("@llHHi")

    def __init__(self, folder):
        self._path = folder / "reader"
        self._codes = {key: code for code, key in KEYS.items()}
        self._device = -1
        self.insert()

    def insert(self):
        os.mkfifo(self._path)

    def pull(self):
        device = self._open()
        self._path.unlink()
        os.close(device)
        self._device = -1

    def type(self, text):
        device = self._open()
        for code in [self._codes[key] for key in text] + [28]:
            os.write(device, self._PRESS.pack(0, 0, 1, code, 1))

    def _open(self):
        """Once somebody reads; opening waits for that."""
        if self._device < 0:
            self._device = os.open(self._path, os.O_WRONLY)
        return self._device
