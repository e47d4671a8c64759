"""`charger doctor` and `charger outputs-off` as their users meet them."""

import json
import re
import shutil
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory
from rig import CHARTS

from charger.cli import board as commands
from charger.cli import run_command
from charger.hardware.gpio import GpioLines
from charger.loading import read_station
from charger.settings import shipped
from charger.storage import SqliteStorage
from charger.wiring import wires


@pytest.fixture
def station(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A simulated one, whose Central System is not there."""
    monkeypatch.chdir(tmp_path)
    text = (shipped("stations") / "simulated.yaml").read_text().replace(":9000/", ":1/")
    file = tmp_path / "station.yaml"
    file.write_text(f"charts: {CHARTS}\n{text}")
    return file


@pytest.fixture
def wired(tmp_path: Path, station: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One with a board: the shipped one, on a mock chip with every contact at rest."""
    text = (shipped("stations") / "raspberry-pi.yaml").read_text().replace(":9000/", ":1/")
    station.write_text(f"charts: {CHARTS}\n{text}")
    settings = read_station(station, {}).settings
    assert settings
    assert settings.board
    chip = MockFactory()
    for wire in wires(settings.board):
        if wire.contact:
            pin = chip.pin(wire.pin)
            monkeypatch.setattr(pin, "_set_pull", lambda _value: None)
            pin.drive_high() if wire.contact.active_low else pin.drive_low()
    monkeypatch.setattr(commands, "_lines", lambda _label: GpioLines(chip))
    return station


def subjects(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Subject → the worst that was said of it."""
    order = ["ok", "warn", "fail"]
    found: dict[str, str] = {}
    for check in json.loads(capsys.readouterr().out):
        before = found.get(check["subject"], "ok")
        found[check["subject"]] = max(before, check["verdict"], key=order.index)
        assert bool(check["remedy"]) == (check["verdict"] != "ok"), check
    return found


def test_a_simulated_station_that_is_meant_so(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["doctor", "--simulated"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("ok    station  station.yaml: CP001, hardware simulated; ")
    assert (
        "warn  link     TCP: 127.0.0.1 port 1: Connection refused\n               → does the Central" in told
    )
    assert told.rstrip().endswith("0 wrong.")


def test_a_simulated_station_that_should_have_a_board(
    station: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["doctor"]) == 1
    told = capsys.readouterr().out
    assert "fail  board    the hardware is simulated: no wire was looked at" in told
    assert told.rstrip().endswith("1 wrong: do not connect the mains.")


def test_a_station_of_the_package_is_found(
    station: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = station.rename(station.with_name("packaged.yaml"))
    monkeypatch.setattr(commands, "PACKAGED", other)
    assert run_command(["doctor", "--simulated"]) == 0
    assert "packaged.yaml: CP001" in capsys.readouterr().out


def test_a_station_that_cannot_be_read(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (station.parent / "broken.yaml").write_text("id: [")
    assert run_command(["doctor", "broken.yaml", "--format", "json"]) == 1
    assert subjects(capsys)["station"] == "fail"
    assert run_command(["doctor", "nowhere.yaml"]) == 2
    assert capsys.readouterr().err == "charger: nowhere.yaml: there is no such file or folder\n"


def test_a_station_is_named_by_its_folder_too(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["doctor", ".", "--simulated", "--format", "json"]) == 0
    assert subjects(capsys)["station"] == "ok"
    assert run_command(["outputs-off", "."]) == 0


def test_the_first_of_several_mistakes_is_named(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    station.write_text(station.read_text().replace("vendor:", "vendro:").replace("model:", "modle:"))
    assert run_command(["doctor", "--simulated"]) == 1
    assert "errors; the first: station.yaml:" in " ".join(capsys.readouterr().out.split())


def test_a_station_that_runs_is_left_alone(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    storage = SqliteStorage(station.parent / "data")
    assert run_command(["doctor", "--simulated"]) == 0
    storage.close()
    assert "the station runs and has it" in capsys.readouterr().out


def test_a_folder_that_may_not_be_looked_into(
    station: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_folder: Path) -> None:
        raise PermissionError

    monkeypatch.setattr("charger.doctor.examine.peek", refused)
    assert run_command(["doctor", "--simulated"]) == 0


def test_a_board_is_looked_at_whole(
    wired: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_command(["doctor", "--format", "json"]) == 1  # the reader and the bus are not on this machine
    found = subjects(capsys)
    assert {name for name, verdict in found.items() if verdict == "fail"} == {"devices", "meter", "pilot"}
    assert {"outputs", "contacts", "meter", "strict", "user", "watchdog", "gpio"} <= set(found)


def test_pins_of_a_station_that_runs_are_left_alone(wired: Path, capsys: pytest.CaptureFixture[str]) -> None:
    storage = SqliteStorage(wired.parent / "data")
    run_command(["doctor", "--format", "json"])
    storage.close()
    found = subjects(capsys)
    assert found["pins"] == "warn"
    assert "contacts" not in found
    assert "meter" not in found


def test_a_board_is_not_simulated(wired: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["doctor", "--simulated"]) == 2
    assert "leave --simulated out" in capsys.readouterr().err


# -- outputs-off -------------------------------------------------------------------------------------------


def test_outputs_off_drives_all_of_them_low(
    wired: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = read_station(wired, {}).settings
    assert settings
    assert settings.board
    pins = [wire.pin for wire in wires(settings.board) if wire.output]
    driven: list[int] = []

    class Lines(GpioLines):
        def output(self, pin: int):
            driven.append(pin)
            return super().output(pin)

    monkeypatch.setattr(commands, "_lines", lambda _label: Lines(MockFactory()))
    assert run_command(["outputs-off", "station.yaml"]) == 0
    assert driven == pins


def test_mistakes_elsewhere_in_the_file_keep_no_output_on(
    wired: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = read_station(wired, {}).settings
    assert settings
    assert settings.board
    contactors = {outlet.contactor for outlet in settings.board.outlets}
    text = wired.read_text().replace("hardware: gpio", "hardware: gpio\nlicence: none")
    wired.write_text(re.sub(r"(engage|test): *[0-9]+", r"\1: seventeen", text))
    assert read_station(wired, {}).settings is None
    driven: list[int] = []

    class Lines(GpioLines):
        def output(self, pin: int):
            driven.append(pin)
            return super().output(pin)

    monkeypatch.setattr(commands, "_lines", lambda _label: Lines(MockFactory()))
    assert run_command(["outputs-off", "station.yaml"]) == 0
    assert contactors <= set(driven)
    assert min(driven) >= 0


def test_outputs_off_tells_what_it_cannot_have(
    wired: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    chip = MockFactory()
    other = GpioLines(chip).output(17)
    monkeypatch.setattr(commands, "_lines", lambda _label: GpioLines(chip))
    assert run_command(["outputs-off", "station.yaml"]) == 1
    assert capsys.readouterr().err == "contactor: GPIO 17 has another use in this program\n"
    assert other


def test_outputs_off_of_a_simulated_station_has_nothing_to_do(station: Path) -> None:
    assert run_command(["outputs-off", "station.yaml"]) == 0


def test_outputs_off_needs_a_station(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (station.parent / "broken.yaml").write_text("id: [")
    assert run_command(["outputs-off", "broken.yaml"]) == 2
    assert "nobody knows which pins are outputs" in capsys.readouterr().err


def test_charts_that_are_wrong_keep_no_output_on(wired: Path) -> None:
    folder = wired.parent / "charts"
    shutil.copytree(CHARTS, folder)
    (folder / "power.yaml").write_text("chart: [")
    wired.write_text(wired.read_text().replace(str(CHARTS), "charts"))
    assert run_command(["outputs-off", "station.yaml"]) == 0
