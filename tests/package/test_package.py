"""What of the package can be judged without building it: the unit, the scripts, what goes in."""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from charger import __version__

ROOT = Path(__file__).parent.parent.parent
DEBIAN = ROOT / "packaging" / "debian"
UNIT = DEBIAN / "charger.service"
WORST = 2.0
"""Exposure that `systemd-analyze security` may find, of 10; what it is with Debian 12's is in docs/install.md."""

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")


@pytest.fixture(scope="module")
def build() -> ModuleType:
    specification = importlib.util.spec_from_file_location("build_deb", ROOT / "packaging" / "build.py")
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def analyzed(*words: str) -> str:
    done = subprocess.run(
        ["systemd-analyze", "--no-pager", *words], capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout + done.stderr


# -- the unit ----------------------------------------------------------------------------------------------


@needs_systemd
def test_the_unit_is_as_confined_as_the_page_says() -> None:
    told = analyzed("security", "--offline=true", str(UNIT))
    score = re.search(r"Overall exposure level for charger.service: ([\d.]+)", told)
    assert score, told
    assert float(score[1]) <= WORST
    if "systemd 252" in analyzed("--version"):
        page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
        assert f"exposure **{score[1]}** of 10" in page


@needs_systemd
def test_the_unit_is_understood(tmp_path: Path) -> None:
    program = tmp_path / "charger"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/usr/bin/charger", str(program)))
    assert analyzed("verify", str(copy)) == ""


def test_what_the_unit_must_not_lose() -> None:
    lines = UNIT.read_text().splitlines()
    for line in (
        "Type=notify",
        "NotifyAccess=main",
        "WatchdogSec=20",
        "WatchdogSignal=SIGKILL",
        "Restart=always",
        "StartLimitIntervalSec=0",
        "ExecStopPost=/usr/bin/charger outputs-off /etc/charger/station.yaml",
        "WorkingDirectory=%t/charger",
    ):
        assert line in lines
    assert not any(line.startswith("PrivateDevices=") for line in lines)  # it would hide the GPIO chip
    assert not any(
        line.startswith("SupplementaryGroups=") for line in lines
    )  # one that is missing fails the start


# -- the scripts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["postinst", "prerm", "postrm"])
def test_scripts_are_scripts(name: str) -> None:
    text = (DEBIAN / name).read_text()
    assert text.startswith("#!/bin/sh\nset -e\n")
    subprocess.run(["sh", "-n", DEBIAN / name], check=True)


# -- what goes in ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "debian"),
    [
        ("1.2.3", "1.2.3"),
        ("1.2.3rc1", "1.2.3~rc1"),
        ("1.2.3.dev4", "1.2.3~dev4"),
        ("1.2a1", "1.2~a1"),
        ("1.2.post1", "1.2.post1"),
    ],
)
def test_a_version_sorts_as_it_should(
    build: ModuleType, monkeypatch: pytest.MonkeyPatch, version: str, debian: str
) -> None:
    monkeypatch.setattr(build, "__version__", version)
    assert build.debian_version() == debian


def test_our_version_is_the_package_s(build: ModuleType) -> None:
    assert build.debian_version().startswith(__version__.split(".dev")[0][:3])


def test_the_lock_is_cut_down_to_what_the_program_needs(build: ModuleType) -> None:
    lock = build.runtime_lock("3.11", "aarch64")
    names = set(re.findall(r"(?m)^([a-z0-9-]+)==", lock))
    whole = set(re.findall(r"(?m)^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text()))
    assert {"ocpp", "websockets", "pyyaml", "gpiozero", "lgpio", "rpds-py", "colorzero"} <= names < whole
    assert whole - names <= {
        *("hatchling", "editables", "pathspec", "pluggy", "tomlkit", "trove-classifiers", "packaging"),
    }
    assert lock.count("==") <= lock.count("--hash=sha256:")


def test_the_station_of_the_package_lives_in_its_folders(build: ModuleType, tmp_path: Path) -> None:
    build.install_configuration(tmp_path / "etc")
    text = (tmp_path / "etc" / "station.yaml").read_text()
    assert "\ncharts: charts " in text
    assert "\ndata: /var/lib/charger " in text
    assert "\nhardware: simulated " in text
    ours = {file.name for file in (ROOT / "charts").iterdir()}
    assert {file.name for file in (tmp_path / "etc" / "charts").iterdir()} == ours


def test_modes_do_not_depend_on_who_builds(build: ModuleType, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "program"
    program.parent.mkdir(mode=0o700)
    program.touch(mode=0o600)
    (tmp_path / "library.so").touch(mode=0o700)
    build.make_plain(tmp_path)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert modes == {"bin": 0o755, "program": 0o755, "library.so": 0o644}
