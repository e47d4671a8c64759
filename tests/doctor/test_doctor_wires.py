"""The wires: the shipped board on gpiozero's mock chip, a folder that plays /dev and /sys."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory

from charger.board import Board, Contact, KernelPilot, SimulatedPilot
from charger.doctor import board as wires
from charger.doctor.check import Check, as_text
from charger.errors import HardwareError
from charger.hardware.gpio import GpioLines
from charger.loading import read_station
from charger.settings import shipped
from charger.wiring import wires as all_wires


@pytest.fixture(scope="module")
def board() -> Board:
    settings = read_station(shipped("stations") / "raspberry-pi.yaml", {}).settings
    assert settings
    assert settings.board
    return settings.board


@pytest.fixture
def factory(board: Board) -> Iterator[MockFactory]:
    """A chip on which every contact is as it should be while nothing happens."""
    chip = MockFactory()
    for wire in all_wires(board):
        if wire.contact:
            rest(chip, wire.contact)
    yield chip
    chip.reset()


def rest(chip: MockFactory, contact: Contact, *, active: bool = False) -> None:
    """Connect it; a pull of the chip must not win."""
    pin = chip.pin(contact.pin)
    low = contact.active_low is active
    pin._set_pull = lambda _value: None
    pin.drive_low() if low else pin.drive_high()


def told(board: Board, factory: MockFactory) -> list[Check]:
    waits: list[float] = []
    found = wires.check_pins(board, lambda _label: GpioLines(factory), waits.append)
    assert waits in ([], [wires.SETTLE])
    return found


def bad(checks: list[Check]) -> list[Check]:
    return [check for check in checks if check.verdict != "ok"]


# -- pins --------------------------------------------------------------------------------------------------


def test_a_board_at_rest_is_fine(board: Board, factory: MockFactory) -> None:
    found = told(board, factory)
    assert bad(found) == []
    assert found[0].fact == "9 of 9 are ours, and low"
    assert "mirror contact (GPIO 27) is closed, as it should be" in [check.fact for check in found]
    assert "bolt of lock (GPIO 5) is open, as it should be" in [check.fact for check in found]


def test_nothing_is_ever_switched_on(board: Board, factory: MockFactory) -> None:
    told(board, factory)
    for wire in all_wires(board):
        if wire.output:
            states = [state.state for state in factory.pin(wire.pin).states]
            assert not any(states), wire.part


@pytest.mark.parametrize(
    ("part", "verdict", "fact", "remedy"),
    [
        ("emergency stop", "fail", "emergency stop (GPIO 6) is open: it is pressed", "pull it out"),
        ("door", "warn", "door (GPIO 13) is open: it stands open", "close it"),
        (
            "mirror contact",
            "fail",
            "mirror contact (GPIO 27) is open: it says that the contactor is closed, though the coil is off",
            "a welded contactor",
        ),
        (
            "residual current",
            "fail",
            "residual current (GPIO 22) is open: the monitor has tripped",
            "reset it",
        ),
        ("bolt of lock", "warn", "bolt of lock (GPIO 5) is closed: the bolt is in", "it is drawn"),
    ],
)
def test_a_contact_that_is_not_as_it_is_normally(
    board: Board, factory: MockFactory, part: str, verdict: str, fact: str, remedy: str
) -> None:
    (wire,) = (wire for wire in all_wires(board) if wire.part == part)
    assert wire.contact
    rest(factory, wire.contact, active=True)
    [found] = bad(told(board, factory))
    assert (found.verdict, found.fact) == (verdict, fact)
    assert remedy in found.remedy


def test_an_input_of_the_charts_may_be_as_it_likes(board: Board, factory: MockFactory) -> None:
    switch = Contact(12, "open")
    rest(factory, switch, active=True)
    found = told(replace(board, inputs={"main_switch": switch}), factory)
    assert bad(found) == []
    assert "main_switch (GPIO 12) is active" in [check.fact for check in found]


def test_a_pin_that_somebody_else_has_is_told_and_the_rest_is_looked_at(
    board: Board, factory: MockFactory
) -> None:
    other = GpioLines(factory)
    theirs = other.output(23), other.input(Contact(13))
    found = bad(told(board, factory))
    assert [check.fact for check in found if check.verdict == "fail"] == [
        "residual current test: GPIO 23 has another use in this program",
        "door: GPIO 13 has another use in this program",
    ]
    assert theirs


def test_a_chip_that_is_not_there_is_told(board: Board) -> None:
    def none(label: str) -> GpioLines:
        raise HardwareError(f"board.chip: no GPIO chip is labelled '{label}'")

    [found] = wires.check_pins(replace(board, chip="x"), none)
    assert (found.verdict, found.fact) == ("fail", "board.chip: no GPIO chip is labelled 'x'")


def test_outputs_are_let_go_low(board: Board, factory: MockFactory) -> None:
    lines = GpioLines(factory)
    assert wires.claim_outputs(board, lines) == []
    assert not any(factory.pin(wire.pin).state for wire in all_wires(board) if wire.output)


# -- plan, kernel, library ---------------------------------------------------------------------------------


def test_what_a_board_does_not_have_is_told(board: Board) -> None:
    assert wires.check_plan(board) == []
    bare = replace(board.outlets[0], mirror=None, residual_current=None, pilot=SimulatedPilot())
    found = wires.check_plan(replace(board, life=None, emergency_stop=None, outlets=(bare,)))
    assert [(check.verdict, check.fact.split(":")[0]) for check in found] == [
        ("warn", "no `life` pin"),
        ("warn", "no emergency stop"),
        ("fail", "connectors.1"),
        ("warn", "connectors.1"),
        ("warn", "connectors.1"),
    ]


@pytest.mark.parametrize(
    ("said", "verdict"), [("Y\n", "fail"), ("1\n", "fail"), ("N\n", "ok"), (None, "warn")]
)
def test_lines_must_be_let_go_when_their_program_ends(tmp_path: Path, said: str | None, verdict: str) -> None:
    file = tmp_path / wires.PERSIST
    if said:
        file.parent.mkdir(parents=True)
        file.write_text(said)
    found = wires.check_strict(tmp_path)
    assert found.verdict == verdict
    assert ("dtparam=strict_gpiod" in found.remedy) == (verdict == "fail")


def test_lgpio_must_be_there_and_more_than_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wires.check_library().verdict == "ok"
    assert wires.check_library("there-is-no-such-library").verdict == "fail"
    monkeypatch.setattr(wires, "version", lambda _name: "0.0.0.2")
    assert "an empty shell" in wires.check_library().fact


# -- devices -------------------------------------------------------------------------------


def put(root: Path, name: str, text: str = "") -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def device(board: Board, place: str, root: Path) -> Check:
    (found,) = (check for check in wires.check_devices(board, root) if check.fact.startswith(place))
    return found


def test_devices_must_be_there(board: Board, tmp_path: Path) -> None:
    found = wires.check_devices(board, tmp_path)
    assert [(check.verdict, check.fact.split(":")[0]) for check in found] == [
        ("fail", "readers.1"),
        ("fail", "buses.rs485"),
        ("fail", "temperature"),
    ]
    put(tmp_path, board.readers[0].device[1:])
    put(tmp_path, board.buses["rs485"].port[1:])
    put(tmp_path, "sys/bus/w1/devices/28-0123456789ab/temperature", "21437\n")
    assert bad(wires.check_devices(board, tmp_path)) == []
    assert device(board, "temperature", tmp_path).fact == "temperature: 21.4 °C"


def test_what_is_there_instead_is_told(board: Board, tmp_path: Path) -> None:
    put(tmp_path, "dev/input/by-id/usb-Another_Reader-event-kbd")
    assert device(board, "readers", tmp_path).remedy == "/dev/input/by-id has usb-Another_Reader-event-kbd"
    put(tmp_path, "sys/bus/w1/devices/28-ffffffffffff/temperature", "20000")
    assert device(board, "temperature", tmp_path).remedy == "there are 28-ffffffffffff"


def test_a_device_that_may_not_be_opened(
    board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, board.readers[0].device[1:])
    monkeypatch.setattr("os.access", lambda *_: False)
    found = device(board, "readers", tmp_path)
    assert (found.verdict, "may not be read" in found.fact) == ("fail", True)


def test_a_sensor_that_has_not_measured_yet(board: Board, tmp_path: Path) -> None:
    put(tmp_path, "sys/bus/w1/devices/28-0123456789ab/temperature", "85000\n")
    assert device(board, "temperature", tmp_path).verdict == "warn"


def test_a_pilot_of_the_kernel_needs_its_pwm_and_its_spi(board: Board, tmp_path: Path) -> None:
    pilot = KernelPilot(chip=0, channel=1, adc=0, high=0, low=1)
    own = replace(board, outlets=(replace(board.outlets[0], pilot=pilot),))

    def verdicts() -> list[tuple[str, str]]:
        found = wires.check_devices(own, tmp_path)
        return [(check.verdict, check.remedy[:8]) for check in found if "pilot" in check.fact]

    assert verdicts() == [("fail", "dtparam="), ("fail", "dtoverla")]
    put(tmp_path, "dev/spidev0.0")
    put(tmp_path, "sys/class/pwm/pwmchip0/npwm", "1\n")
    assert verdicts() == [("ok", ""), ("fail", "`channel")]
    put(tmp_path, "sys/class/pwm/pwmchip0/npwm", "2\n")
    assert verdicts() == [("ok", ""), ("ok", "")]


def test_the_page_shows_what_the_doctor_says(board: Board, factory: MockFactory) -> None:
    (stop,) = (wire for wire in all_wires(board) if wire.part == "emergency stop")
    assert stop.contact
    rest(factory, stop.contact, active=True)
    page = (Path(__file__).parent.parent.parent / "docs" / "install.md").read_text(encoding="utf-8")
    assert f"```\n{as_text(told(board, factory))}\n```" in page
