"""Builds a board out of what station.yaml says: every part, and who hears of which contact."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from charger import board as plans_of
from charger.board import Board, OutletPlan
from charger.errors import HardwareError
from charger.functions.situation import ConnectorPlan
from charger.hardware.car import Car
from charger.hardware.contacts import Contact, ResidualCurrent, Soon
from charger.hardware.debounce import CONTACT, SAFETY
from charger.hardware.gpio import GpioLines
from charger.hardware.guard import Guard, Patrol
from charger.hardware.keyboard import Keyboard
from charger.hardware.light import Lamp
from charger.hardware.lock import Lock
from charger.hardware.parts import Input, Lines, Meter, Output, Pilot, Reader, Thermometer
from charger.hardware.pilot_simulated import SimulatedPilot
from charger.hardware.pn532 import Pn532
from charger.hardware.reader import DeviceReader
from charger.hardware.wired import Outlet, Station, WiredHardware
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
    lines = _Lines(GpioLines(factory))
    try:
        return _Builder(board, lines, clock, soon, car_delay, now).build(plans)
    except BaseException:
        lines.close()
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
        lines: _Lines,
        clock: Clock,
        soon: Soon,
        car_delay: float,
        now: Callable[[], float],
    ) -> None:
        self._board = board
        self._lines = lines
        self._clock = clock
        self._car_delay = car_delay
        self._hardware = WiredHardware(clock, soon, lines.close)
        life = None if board.life is None else lines.output(board.life)
        self._station = Station(patrol=Patrol(board.patience, lines.alive, life, now), claimed=lines.outputs)

    def build(self, plans: Sequence[ConnectorPlan]) -> WiredHardware:
        board, patrol = self._board, self._station.patrol
        stop = self._lines.input(board.emergency_stop) if board.emergency_stop else None
        outlets = [
            self._outlet(number, plan, outlet, stop)
            for number, (plan, outlet) in enumerate(zip(plans, board.outlets, strict=True), start=1)
        ]
        if stop:
            self._contact(
                "emergency stop", stop, SAFETY, "emergency.pressed", "emergency.released", None, patrol.look
            )
        if board.door:
            wire = self._lines.input(board.door)
            self._contact("door", wire, CONTACT, "door.opened", "door.closed", None)
        self._declared(board.inputs, board.outputs, None)
        if board.buzzer is not None:
            self._station.outputs["buzzer", 0] = self._lines.output(board.buzzer)
        self._station.readers += [(_reader(plan), plan.connector) for plan in board.readers]
        self._station.thermometer = _thermometer(board)
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
            meter=_meter(wires),
            lock=Lock(wires.lock, self._lines, self._clock, f"board/{name}/lock") if wires.lock else None,
            lamp=Lamp(wires.light, self._lines, self._clock, f"board/{name}/lamp") if wires.light else None,
        )

    def _monitor(self, number: int, wires: OutletPlan, wire: Input | None, guard: Guard) -> ResidualCurrent:
        tell = partial(self._hardware.monitored, number)
        if wire is None or wires.residual_current is None:
            return ResidualCurrent(None, None, self._clock, tell)
        test = wires.residual_current.test
        contact = Contact(
            f"residual current of connector {number}",
            wire,
            SAFETY,
            lambda _active: monitor.changed(),
            clock=self._clock,
            soon=self._hardware.soon,
            failed=self._hardware.failed,
            at_once=guard.look,
        )
        monitor = ResidualCurrent(
            contact, None if test is None else self._lines.output(test), self._clock, tell
        )
        self._station.contacts.append(contact)
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
    ) -> None:
        contact = Contact(
            name,
            wire,
            times,
            partial(self._hardware.changed, on, off, number),
            clock=self._clock,
            soon=self._hardware.soon,
            failed=self._hardware.failed,
            at_once=at_once,
        )
        self._station.contacts.append(contact)
        self._station.reports.append((contact, on, number))

    def _pilot(self, number: int, plan: ConnectorPlan, wires: OutletPlan) -> Pilot:
        match wires.pilot:
            case plans_of.SimulatedPilot():
                return SimulatedPilot(str(number), self._clock, fixed=plan.fixed, delay=self._car_delay)
            case _:
                raise HardwareError(
                    f"board.connectors.{number}.pilot: only `type: simulated` is built in yet"
                )


def _meter(wires: OutletPlan) -> Meter | None:
    if wires.meter:
        raise HardwareError("board: meters are not built in yet: leave `meter` out")
    return None


def _thermometer(board: Board) -> Thermometer | None:
    if board.temperature:
        raise HardwareError("board: thermometers are not built in yet: leave `temperature` out")
    return None


def _reader(plan: plans_of.ReaderPlan) -> Reader:
    kind = {"keyboard": Keyboard, "pn532": Pn532}[plan.type]
    return DeviceReader(plan.device, partial(kind, plan.device), plan.id_tag)
