"""The pilot on an EVSE board, against real servers of pymodbus, over TCP and over a serial line."""

import logging
import queue
import threading
import time

import pytest
from modbus_kit import PATIENCE, Device, served
from pymodbus.constants import ExcCodes

from charger.board import ModbusPilot as Plan
from charger.hardware.modbus import Bus
from charger.hardware.parts import PilotSaid
from charger.hardware.pilot_modbus import ModbusPilot, understood
from charger.hardware.pilot_voice import SILENT

UNIT = 1


def board(*, offered=0, settings=0, detection=0, at_start=0):
    """An EVSE-WB as it stands after its own start, without a plug: 1003 says 5."""
    status = dict(zip(range(1000, 1008), (offered, 0, 1, 5, 0, 18, 1, 0), strict=True))
    config = dict(
        zip(range(2000, 2010), (at_start, UNIT, 5, 1, 0, settings, 0, detection, 0, 3), strict=True)
    )
    return Device(UNIT, holding=status | config)


class Session:
    """A pilot on a bus, and what it said in its order."""

    def __init__(self, plan, *, fixed=False):
        self.bus = Bus(plan)
        self.pilot = ModbusPilot(Plan("rs485", UNIT), self.bus, fixed=fixed)
        self.said = queue.Queue()

    def __enter__(self):
        self.pilot.start(self.said.put)
        return self

    def __exit__(self, *_error):
        self.pilot.close()
        self.bus.close()

    def next(self):
        return self.said.get(timeout=PATIENCE)


def eventually(true):
    """The other end is a thread as well."""
    late = time.monotonic() + PATIENCE
    tick = threading.Event()
    while not true():
        assert time.monotonic() < late
        tick.wait(0.005)


@pytest.fixture(params=["tcp", "rtu"])
def kind(request):
    return request.param


# -- what the registers mean --------------------------------------------------------------------------------


def block(vehicle, limit=5, status=0):
    return [0, 0, vehicle, limit, 0, 18, 1, status]


@pytest.mark.parametrize(
    ("vehicle", "limit", "status", "said"),
    [
        (1, 5, 0, PilotSaid("A")),
        (1, 32, 0, PilotSaid("A", 32.0)),  # a plug, but no car
        (2, 13, 0, PilotSaid("B", 13.0)),
        (3, 20, 0, PilotSaid("C", 20.0)),
        (3, 70, 0, PilotSaid("C", 63.0)),
        (4, 63, 0, PilotSaid("D", 63.0)),
        (3, 5, 0, PilotSaid("C", None, "cable")),  # a car, but no resistor
        (3, 6, 0, PilotSaid("C", None, "cable")),
        (5, 32, 0, PilotSaid("E", 32.0)),
        (5, 5, 0, PilotSaid("E")),
        (5, 32, 0b10, PilotSaid("B", 32.0, "diode")),
        (3, 32, 0b11, PilotSaid("C", 32.0, "diode")),
        (5, 5, 0b10, PilotSaid("B", None, "diode")),
        (5, 32, 0b100, PilotSaid("D", 32.0)),
        (5, 32, 0b1000, PilotSaid("E", 32.0)),
    ],
)
def test_registers_of_a_board_that_measures_the_cable(vehicle, limit, status, said):
    assert understood(block(vehicle, limit, status), fixed=False, measured=True) == said


@pytest.mark.parametrize(
    ("vehicle", "limit", "said"),
    [
        (1, 32, PilotSaid("A")),
        (2, 32, PilotSaid("B", 32.0)),
        (3, 25, PilotSaid("C", 25.0)),
        (5, 32, PilotSaid("E")),
    ],
)
def test_a_constant_limit_is_no_plug(vehicle, limit, said):
    assert understood(block(vehicle, limit), fixed=False, measured=False) == said


@pytest.mark.parametrize("limit", [5, 32])
def test_a_fixed_cable_has_no_resistor(limit):
    assert understood(block(3, limit), fixed=True, measured=True) == PilotSaid("C")


@pytest.mark.parametrize("vehicle", [0, 6, 65535])
def test_a_vehicle_state_that_there_is_not(vehicle):
    with pytest.raises(OSError, match=f"vehicle state {vehicle} in register 1002"):
        understood(block(vehicle), fixed=False, measured=True)


# -- a session ----------------------------------------------------------------------------------------------


def test_a_session(kind):
    device = board()
    registers = device.registers[3]
    with served(kind, device) as server, Session(server.plan) as session:
        assert session.next() == PilotSaid("A")
        registers.update({1002: 2, 1003: 20})
        assert session.next() == PilotSaid("B", 20.0)
        session.pilot.offer(16)
        eventually(lambda: registers[1000] == 16)
        registers[1002] = 3
        assert session.next() == PilotSaid("C", 20.0)
        session.pilot.offer(0)
        eventually(lambda: registers[1000] == 0)
        registers[1002] = 2
        assert session.next() == PilotSaid("B", 20.0)
        registers.update({1002: 1, 1003: 5})
        assert session.next() == PilotSaid("A")
        assert session.said.empty()


@pytest.mark.parametrize(
    ("settings", "amps", "written"),
    [
        (0, 13.7, 13),  # whole amps, never more than allowed
        (0, 63.999, 63),
        (1 << 7, 13.7, 1370),
        (1 << 7, 6.019, 601),
        (1 << 7 | 1 << 5, 16, 1600),
        (1 << 7, 90, 8000),
        (0, 90, 80),
        (0, 5.9, 0),
        (1 << 7, None, 0),  # there is no state F
    ],
)
def test_an_offer_in_the_unit_of_the_board(settings, amps, written):
    device = board(settings=settings, offered=7)
    with served("tcp", device) as server, Session(server.plan) as session:
        session.pilot.offer(amps)
        eventually(lambda: (1000, written) in device.written)
    assert {value for place, value in device.written} <= {0, written}
    assert device.registers[3][1000] == 0  # the end withdraws


def test_an_offer_before_the_start_is_written():
    device = board(settings=1 << 7)
    with served("tcp", device) as server:
        session = Session(server.plan)
        session.pilot.offer(10)
        eventually(lambda: device.registers[3][1000] == 1000)
        session.pilot.close()
        session.bus.close()
    assert device.written == [(1000, 1000), (1000, 0)]


def test_of_many_offers_only_wishes_that_still_hold_are_written():
    """A board that is slow gets what is wanted now, never what was wanted before."""
    device = board()
    hold, held = threading.Event(), threading.Event()
    with served("tcp", device) as server, Session(server.plan) as session:
        session.next()
        device.before = lambda: (held.set(), hold.wait(0.5))
        held.clear()
        held.wait(PATIENCE)
        for amps in (32, 20, 16, 0):
            session.pilot.offer(amps)
        hold.set()
        device.before = None
        session.pilot.offer(0)
        session.bus.close()
    assert {value for _, value in device.written} == {0}


def test_a_withdrawn_offer_goes_before_any_poll():
    device = board()
    log = []
    with served("tcp", device) as server, Session(server.plan) as session:
        session.next()
        session.pilot.offer(16)
        eventually(lambda: device.registers[3][1000] == 16)
        inside, goes_on = threading.Event(), threading.Event()

        def other(registers):
            inside.set()
            goes_on.wait(PATIENCE)
            log.append("other")

        session.bus.every(3600, other, log.append)
        assert inside.wait(PATIENCE)
        asked = len(device.asked)
        session.pilot.offer(0)
        goes_on.set()
        eventually(lambda: device.registers[3][1000] == 0)
        assert len(device.asked) <= asked + 1
    assert log == ["other"]


# -- silence ------------------------------------------------------------------------------------------------


def test_silence_is_told_within_a_second_and_ends_with_an_answer(kind, caplog):
    caplog.set_level(logging.INFO, "charger")
    device = board()
    with served(kind, device) as server, Session(server.plan) as session:
        assert session.next() == PilotSaid("A")
        session.pilot.offer(16)
        eventually(lambda: device.registers[3][1000] == 16)
        device.refuses = ExcCodes.DEVICE_BUSY
        since = time.monotonic()
        assert session.next() == SILENT
        assert 0.7 < time.monotonic() - since < 1 + 0.5  # the half second is this machine's
        device.refuses = None
        assert session.next() == PilotSaid("A")
        assert session.said.empty()
    (gone,) = [record.message for record in caplog.records if "silent" in record.message]
    assert gone.startswith("the EVSE board, unit 1, is silent: unit 1 is busy")
    assert [record.message for record in caplog.records][-1] == "the EVSE board, unit 1, answers again"


def test_one_lost_answer_is_no_silence():
    device = board()
    losses = [2]

    def lose():
        device.refuses = ExcCodes.DEVICE_BUSY if losses[0] > 0 else None
        losses[0] -= 1

    with served("tcp", device) as server, Session(server.plan) as session:
        session.next()
        device.before = lose
        eventually(lambda: losses[0] < -2)
        device.registers[3][1002] = 2
        device.registers[3][1003] = 32
        assert session.next() == PilotSaid("B", 32.0)


def test_a_board_that_was_switched_off_and_on_gets_the_last_offer_again(kind):
    device = board()
    registers = device.registers[3]
    with served(kind, device) as server, Session(server.plan) as session:
        session.next()
        session.pilot.offer(16)
        eventually(lambda: registers[1000] == 16)
        server.stop()
        assert session.next() == SILENT
        registers.update({1000: 32, 2005: 1 << 7})  # its own value, and another unit
        server.start()
        assert session.next() == PilotSaid("A")
        assert registers[1000] == 1600


def test_a_withdrawal_during_a_silence_holds_after_it():
    device = board()
    with served("tcp", device) as server, Session(server.plan) as session:
        session.next()
        session.pilot.offer(16)
        eventually(lambda: device.registers[3][1000] == 16)
        server.stop()
        assert session.next() == SILENT
        session.pilot.offer(None)
        server.start()
        assert session.next() == PilotSaid("A")
        assert device.registers[3][1000] == 0


def test_somebody_who_turns_the_boards_own_knob_is_overruled():
    device = board()
    with served("tcp", device) as server, Session(server.plan) as session:
        session.next()
        device.registers[3][1000] = 32
        eventually(lambda: device.registers[3][1000] == 0)


def test_a_vehicle_state_that_there_is_not_is_silence():
    """Never an old state instead."""
    device = board()
    with served("tcp", device) as server, Session(server.plan) as session:
        session.next()
        device.registers[3][1002] = 9
        assert session.next() == SILENT


def test_a_board_that_is_not_there_is_silent():
    with served("tcp", board()) as server:
        server.stop()
        with Session(server.plan) as session:
            assert session.next() == SILENT


def test_a_board_that_offers_by_itself_after_its_start_is_named(caplog):
    device = board(at_start=32)
    with served("tcp", device) as server, Session(server.plan) as session:
        session.next()
    assert (
        "offers 32 A after its own start, before it hears of us; write 0 to its register 2000" in caplog.text
    )


def test_nothing_is_said_after_the_end():
    device = board()
    with served("tcp", device) as server:
        with Session(server.plan) as session:
            session.next()
            session.pilot.offer(16)
        assert device.registers[3][1000] == 0
        device.registers[3][1002] = 2
        assert session.said.empty()
