"""Checks of what has a voice of its own: meters, and pilot boards on Modbus. Each is heard once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from queue import Empty, Queue
from typing import Final

from charger.board import Board, MeterPlan, ModbusBus, ModbusPilot
from charger.doctor.check import Check, fail, ok, warn
from charger.functions.situation import ConnectorPlan
from charger.hardware.meter import read_once
from charger.hardware.modbus import Bus
from charger.hardware.parts import MeterSaid, PilotSaid
from charger.hardware.pilot_modbus import ModbusPilot as PilotBoard
from charger.meter_map import MeterMap, read_map

ReadMeter = Callable[[ModbusBus, MeterPlan, MeterMap, int], MeterSaid | str]
"""Bus, meter, map, phases → what it says, or a sentence of what is wrong."""
HearPilot = Callable[[ModbusBus, ModbusPilot, bool], PilotSaid]
"""Bus, board, whether the cable is fixed → what it says."""
PATIENCE: Final = 5.0
"""s; a pilot tells its silence within one."""
SILENT: Final = PilotSaid("F", None, "silent")
IDLE: Final = 100.0
"""W that nobody draws through an open contactor."""
BUS: Final = "is it powered? A and B swapped? baud, parity, stop bits and unit as it has them?"


def check_meters(board: Board, plans: Sequence[ConnectorPlan], read: ReadMeter = read_once) -> list[Check]:
    """One reading of each."""
    return [
        _meter(f"connectors.{number}", outlet.meter, _reading(board, outlet.meter, plan.phases, read))
        for number, (outlet, plan) in enumerate(zip(board.outlets, plans, strict=True), start=1)
        if outlet.meter
    ]


def _reading(board: Board, plan: MeterPlan, phases: int, read: ReadMeter) -> MeterSaid | str:
    meter, findings, _ = read_map(plan.map, board.folder)
    return read(board.buses[plan.bus], plan, meter, phases) if meter else str(findings[0])


def _meter(name: str, plan: MeterPlan, said: MeterSaid | str) -> Check:
    place = f"{name}: {plan.map}, unit {plan.unit} of bus {plan.bus}"
    if isinstance(said, str):
        return fail("meter", f"{place}: {said}", f"{BUS} Is it this kind of meter?")
    volts = "".join(f", {value:.1f} V" for value in said.voltages)
    fact = f"{place}: {said.energy / 1000:.3f} kWh, {said.power:.0f} W{volts}"
    if said.power > IDLE:
        return fail("meter", fact, "the contactor is off: does the meter measure another circuit?")
    return ok("meter", fact)


def check_pilots(board: Board, plans: Sequence[ConnectorPlan], hear: HearPilot | None = None) -> list[Check]:
    """What each board of a control pilot sees; nothing is offered. The kernel's pilot is not tried."""
    return [
        _pilot(
            f"connectors.{number}: unit {outlet.pilot.unit} of bus {outlet.pilot.bus}",
            (hear or hear_once)(board.buses[outlet.pilot.bus], outlet.pilot, plan.fixed),
        )
        for number, (outlet, plan) in enumerate(zip(board.outlets, plans, strict=True), start=1)
        if isinstance(outlet.pilot, ModbusPilot)
    ]


def hear_once(bus: ModbusBus, plan: ModbusPilot, fixed: bool) -> PilotSaid:
    """Open a bus, hear a pilot, and close both again."""
    said: Queue[PilotSaid] = Queue()
    opened = Bus(bus)
    pilot = PilotBoard(plan, opened, fixed=fixed)
    pilot.start(said.put)
    try:
        return said.get(timeout=PATIENCE)
    except Empty:
        return SILENT
    finally:
        pilot.close()
        opened.close()


def _pilot(place: str, said: PilotSaid) -> Check:
    cable = f", cable for {said.cable:g} A" if said.cable else ""
    match said:
        case PilotSaid(wrong="silent"):
            return fail("pilot", f"{place} does not answer", BUS)
        case PilotSaid(wrong="diode"):
            return fail(
                "pilot", f"{place}: no diode in the car", "a tester without one, or a wrong wire to PE?"
            )
        case PilotSaid(wrong="cable"):
            return fail("pilot", f"{place}: a plug without a resistor", "is the proximity contact wired?")
        case PilotSaid(state="E"):
            return fail("pilot", f"{place}: pilot and earth are shorted", "unplug; then look for the short")
        case PilotSaid(state="A"):
            return ok("pilot", f"{place}: no car{cable}")
    fact = f"{place}: a car, state {said.state}{cable}"
    return warn("pilot", fact, "unplug it until everything was looked at")
