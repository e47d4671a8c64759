"""What the doctor hears of meters and pilot boards: made up, and of real servers of pymodbus."""

from dataclasses import replace
from pathlib import Path

import pytest
from meter_kit import EASTRON_3
from modbus_kit import Device, served

from charger.board import Board
from charger.doctor import instruments
from charger.doctor.check import Check
from charger.folders import shipped
from charger.functions.situation import ConnectorPlan
from charger.hardware.parts import MeterSaid, PilotSaid
from charger.loading import read_station


@pytest.fixture(scope="module")
def board() -> Board:
    settings = read_station(shipped("stations") / "raspberry-pi.yaml", {}).settings
    assert settings
    assert settings.board
    return settings.board


PLANS = (ConnectorPlan(phases=3),)


def meter(board: Board, said: MeterSaid | str) -> Check:
    [found] = instruments.check_meters(board, PLANS, lambda _bus, _plan, _map, _phases: said)
    return found


def test_a_meter_says_something(board: Board) -> None:
    found = meter(board, MeterSaid(energy=12_345.6, power=2.0, voltages=(230.1, 229.9, 231.0)))
    assert found.verdict == "ok"
    assert found.fact == (
        "connectors.1: sdm630, unit 2 of bus rs485: 12.346 kWh, 2 W, 230.1 V, 229.9 V, 231.0 V"
    )


def test_a_meter_that_is_silent(board: Board) -> None:
    found = meter(board, "unit 2 does not answer")
    assert (found.verdict, "unit 2 does not answer" in found.fact) == ("fail", True)


def test_a_meter_that_measures_something_else(board: Board) -> None:
    found = meter(board, MeterSaid(energy=1.0, power=3000.0))
    assert (found.verdict, "another circuit" in found.remedy) == ("fail", True)


def test_a_bus_that_is_not_there(board: Board) -> None:
    [found] = instruments.check_meters(board, PLANS)
    assert found.verdict == "fail"
    assert "/dev/serial/by-id/" in found.fact


def test_a_map_of_ones_own_that_is_wrong(board: Board, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("nothing: 1\n")
    plan = replace(board.outlets[0].meter, map="own.yaml")
    own = replace(board, outlets=(replace(board.outlets[0], meter=plan),), folder=tmp_path)
    [found] = instruments.check_meters(own, PLANS)
    assert found.verdict == "fail"
    assert "own.yaml:1:1" in found.fact


def test_a_connector_without_a_meter_is_not_asked(board: Board) -> None:
    bare = replace(board, outlets=(replace(board.outlets[0], meter=None),))
    assert instruments.check_meters(bare, PLANS) == []


# -- control pilots ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "verdict", "words"),
    [
        (PilotSaid("A"), "ok", "unit 1 of bus rs485: no car"),
        (PilotSaid("A", 32.0), "ok", "no car, cable for 32 A"),
        (PilotSaid("B", 20.0), "warn", "a car, state B, cable for 20 A"),
        (PilotSaid("C"), "warn", "a car, state C"),
        (PilotSaid("E"), "fail", "shorted"),
        (PilotSaid("B", None, "diode"), "fail", "no diode"),
        (PilotSaid("B", None, "cable"), "fail", "without a resistor"),
        (instruments.SILENT, "fail", "does not answer"),
    ],
)
def test_a_pilot_says_something(board: Board, said: PilotSaid, verdict: str, words: str) -> None:
    [found] = instruments.check_pilots(board, PLANS, lambda _bus, _plan, _fixed: said)
    assert found.verdict == verdict
    assert words in found.fact
    assert bool(found.remedy) == (verdict != "ok")


def test_a_pilot_that_never_says_anything_is_silent(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instruments, "PATIENCE", 0.001)
    [found] = instruments.check_pilots(board, PLANS)
    assert (found.verdict, "does not answer" in found.fact) == ("fail", True)


def test_a_pilot_on_a_bus_that_is_not_there(board: Board) -> None:
    [found] = instruments.check_pilots(board, PLANS)
    assert (found.verdict, "does not answer" in found.fact) == ("fail", True)


# -- real ones ---------------------------------------------------------------------------------------------


def test_a_real_bus_with_a_pilot_board_and_a_meter(board: Board) -> None:
    status = dict(zip(range(1000, 1008), (16, 0, 1, 5, 0, 18, 1, 0), strict=True))
    pilot = Device(1, holding=status | dict.fromkeys(range(2000, 2010), 0))
    with served("tcp", pilot, Device(2, inputs=EASTRON_3)) as server:
        wired = replace(board, buses={"rs485": server.plan})
        [seen] = instruments.check_pilots(wired, PLANS)
        [read] = instruments.check_meters(wired, PLANS)
        assert pilot.registers[3][1000] == 0  # whatever it offered, it does not any more
    assert (seen.verdict, seen.fact) == ("ok", "connectors.1: unit 1 of bus rs485: no car")
    assert read.verdict == "fail"  # 10.9 kW with the contactor off
    assert "12345.625 kWh, 10875 W, 230.2 V, 229.5 V, 231.0 V" in read.fact
