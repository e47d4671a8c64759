"""Builds a board out of what station.yaml says: every part, and who hears of which contact."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from charger import board as plans_of
from charger.board import Board, MeterPlan, OutletPlan
from charger.errors import HardwareError
from charger.functions.situation import ConnectorPlan
from charger.functions.tags import USUAL
from charger.hardware.adc import Mcp3008
from charger.hardware.car import Car
from charger.hardware.contacts import Contact, ResidualCurrent, Soon
from charger.hardware.debounce import CONTACT, SAFETY
from charger.hardware.gpio import GpioLines
from charger.hardware.guard import Guard, Patrol
from charger.hardware.keyboard import Keyboard
from charger.hardware.light import Lamp
from charger.hardware.lock import Lock
from charger.hardware.meter import ModbusMeter
from charger.hardware.modbus import Bus
from charger.hardware.parts import Input, Lines, Meter, Output, Pilot, Reader
from charger.hardware.pilot_kernel import KernelPilot, Pwm
from charger.hardware.pilot_modbus import ModbusPilot
from charger.hardware.pilot_simulated import SimulatedPilot
from charger.hardware.pn532 import Pn532
from charger.hardware.reader import DeviceReader
from charger.hardware.thermometer import OneWireThermometer
from charger.hardware.wired import Outlet, Station, WiredHardware
from charger.meter_map import read_map
from charger.ports import Clock


def build(
    board: Board,
    plans: Sequence[ConnectorPlan],
    factory: Any,
    *,
    clock: Clock,
    soon: Soon,
    car_delay: float,
    now: Callable[[], float] = time.monotonic,
) -> WiredHardware:
    """Claim every pin, and open every bus.

    Args:
        board: what is wired to what.
        plans: what the station says of its connectors, one for each of the board.
        factory: the pins: of `gpio.open_chip`, or gpiozero's MockFactory in tests.
        clock: of the event loop.
        soon: runs a function on the event loop, from any thread.
        car_delay: s that simulated cars take to react.
        now: monotonic s, for other threads.

    Raises:
        HardwareError: a part cannot be had; nothing is claimed then.
    """
    builder = _Builder(board, factory, clock, soon, car_delay, now)
    try:
        return builder.build(plans)
    except BaseException:
        builder.let_go()
        raise


class _Lines:
    """The chip, and which outputs it was asked for."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.outputs: dict[int, Output] = {}
        self.alive = lines.alive
        self.close = lines.close
        self.input = lines.input

    def output(self, pin: int) -> Output:
        """Claim a pin, and drive it low."""
        self.outputs[pin] = self._lines.output(pin)
        return self.outputs[pin]


class _Builder:
    def __init__(
        self,
        board: Board,
        factory: Any,
        clock: Clock,
        soon: Soon,
        car_delay: float,
        now: Callable[[], float],
    ) -> None:
        self._board = board
        self._factory = factory
        self._lines = _Lines(GpioLines(factory))
        self._buses: dict[str, Bus] = {}
        self._adcs: dict[int, Mcp3008] = {}
        self._clock = clock
        self._car_delay = car_delay
        self._now = now
        self._hardware = WiredHardware(clock, soon, self.let_go)

    def let_go(self) -> None:
        """Of everything that several parts have together."""
        shared: tuple[Bus | Mcp3008, ...] = (*self._buses.values(), *self._adcs.values())
        for one in shared:
            one.close()
        self._lines.close()

    def build(self, plans: Sequence[ConnectorPlan]) -> WiredHardware:
        board = self._board
        life = None if board.life is None else self._lines.output(board.life)
        patrol = Patrol(board.patience, self._lines.alive, life, self._now)
        self._station = Station(patrol=patrol, claimed=self._lines.outputs)
        stop = self._lines.input(board.emergency_stop) if board.emergency_stop else None
        outlets = [
            self._outlet(number, plan, outlet, stop)
            for number, (plan, outlet) in enumerate(zip(plans, board.outlets, strict=True), start=1)
        ]
        if stop:
            self._station.stop = self._contact(
                "emergency stop", stop, SAFETY, "emergency.pressed", "emergency.released", None, patrol.look
            )
        if board.door:
            wire = self._lines.input(board.door)
            self._contact("door", wire, CONTACT, "door.opened", "door.closed", None)
        self._declared(board.inputs, board.outputs, None)
        if board.buzzer is not None:
            self._station.outputs["buzzer", 0] = self._lines.output(board.buzzer)
        self._station.readers += [(_reader(plan), plan.connector) for plan in board.readers]
        if board.temperature:
            self._station.thermometer = OneWireThermometer(board.temperature)
        self._hardware.take(outlets, self._station)
        return self._hardware

    def _outlet(self, number: int, plan: ConnectorPlan, wires: OutletPlan, stop: Input | None) -> Outlet:
        residual = self._lines.input(wires.residual_current.contact) if wires.residual_current else None
        interlocks = {}
        if stop:
            interlocks["emergency_stop"] = stop.active
        if residual:
            interlocks["residual_current"] = residual.active
        mirror = self._lines.input(wires.mirror) if wires.mirror else None
        guard = self._station.patrol.guard(
            self._lines.output(wires.contactor),
            mirror,
            interlocks,
            partial(self._hardware.guarded, number),
        )
        if mirror:
            mirror.watch(guard.look)
        self._declared(wires.inputs, wires.outputs, number)
        name = f"connector {number}"
        return Outlet(
            number=number,
            guard=guard,
            pilot=self._pilot(number, plan, wires),
            car=Car(plan.fixed),
            monitor=self._monitor(number, wires, residual, guard),
            meter=self._meter(wires.meter, plan) if wires.meter else None,
            lock=Lock(wires.lock, self._lines, self._clock, f"board/{name}/lock") if wires.lock else None,
            lamp=Lamp(wires.light, self._lines, self._clock, f"board/{name}/lamp") if wires.light else None,
        )

    def _monitor(self, number: int, wires: OutletPlan, wire: Input | None, guard: Guard) -> ResidualCurrent:
        tell = partial(self._hardware.monitored, number)
        if wire is None or wires.residual_current is None:
            return ResidualCurrent(None, None, self._clock, tell)
        test = wires.residual_current.test
        contact = self._watched(
            f"residual current of connector {number}",
            wire,
            SAFETY,
            lambda _active: monitor.changed(),
            guard.look,
        )
        monitor = ResidualCurrent(
            contact, None if test is None else self._lines.output(test), self._clock, tell
        )
        return monitor

    def _declared(
        self, inputs: Mapping[str, plans_of.Contact], outputs: Mapping[str, int], number: int | None
    ) -> None:
        """What charts/index.yaml declares."""
        for name, plan in inputs.items():
            label = name if number is None else f"{name} of connector {number}"
            self._contact(label, self._lines.input(plan), CONTACT, f"{name}.on", f"{name}.off", number)
        for name, pin in outputs.items():
            self._station.outputs[name, number or 0] = self._lines.output(pin)

    def _contact(
        self,
        name: str,
        wire: Input,
        times: tuple[float, float],
        on: str,
        off: str,
        number: int | None,
        at_once: Callable[[], None] | None = None,
    ) -> Contact:
        contact = self._watched(name, wire, times, partial(self._hardware.changed, on, off, number), at_once)
        self._station.reports.append((contact, on, number))
        return contact

    def _watched(
        self,
        name: str,
        wire: Input,
        times: tuple[float, float],
        changed: Callable[[bool], None],
        at_once: Callable[[], None] | None,
    ) -> Contact:
        contact = Contact(
            name,
            wire,
            times,
            changed,
            clock=self._clock,
            soon=self._hardware.soon,
            failed=self._hardware.failed,
            at_once=at_once,
        )
        self._station.contacts.append(contact)
        return contact

    def _pilot(self, number: int, plan: ConnectorPlan, wires: OutletPlan) -> Pilot:
        match wires.pilot:
            case plans_of.SimulatedPilot():
                return SimulatedPilot(str(number), self._clock, fixed=plan.fixed, delay=self._car_delay)
            case plans_of.KernelPilot() as pilot:
                pwm = Pwm(pilot.chip, pilot.channel)
                return KernelPilot(pilot, pwm, self._adc(pilot.adc), now=self._now)
            case pilot:
                return ModbusPilot(pilot, self._bus(pilot.bus), fixed=plan.fixed, now=self._now)

    def _meter(self, plan: MeterPlan, connector: ConnectorPlan) -> Meter:
        meter, findings, _ = read_map(plan.map, self._board.folder)
        if meter is None:  # it has changed since `charger check` read it
            raise HardwareError(f"the register map {plan.map}: {findings[0].message}")
        return ModbusMeter(self._bus(plan.bus), plan, meter, connector.phases, self._clock)

    def _bus(self, name: str) -> Bus:
        if name not in self._buses:
            self._buses[name] = Bus(self._board.buses[name])
        return self._buses[name]

    def _adc(self, select: int) -> Mcp3008:
        if select not in self._adcs:
            self._adcs[select] = Mcp3008(select, self._factory)
        return self._adcs[select]


def _reader(plan: plans_of.ReaderPlan) -> Reader:
    kind = {"keyboard": Keyboard, "pn532": Pn532}[plan.type]
    return DeviceReader(plan.device, partial(kind, plan.device), plan.id_tag or USUAL[plan.type])
