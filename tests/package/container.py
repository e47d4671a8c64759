"""The package in a clean Debian, under systemd: installed, started, confined, frozen, upgraded, removed, purged.

Not part of the ordinary run: `make deb-test`. The tests are one story and rely on the ones above.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from debian_machine import ROOT, SUITE, SUITES, Debian, booted, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

TARGET = ("--python", SUITES[SUITE])
STATION = "/etc/charger/station.yaml"
ASK = "import json, urllib.request as r; print(json.load(r.urlopen('http://127.0.0.1:8016/status'))[{!r}])"
PICTURE = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8016/diagrams/connector.svg').read().decode())"


def build(out: Path, *arguments: str) -> Path:
    """The package, of what lies here now."""
    subprocess.run([sys.executable, ROOT / "packaging" / "build.py", "--out", out, *arguments], check=True)
    (found,) = out.glob("*.deb")
    return found


def unpacked(deb: Path, folder: Path) -> Path:
    subprocess.run(["dpkg-deb", "-R", deb, folder], check=True)
    return folder


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("deb"), *TARGET)


@pytest.fixture(scope="module")
def newer(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The next version: other defaults in station.yaml, and in a chart."""
    folder = tmp_path_factory.mktemp("newer")
    tree = unpacked(package, folder / "tree")
    control = tree / "DEBIAN" / "control"
    control.write_text(re.sub(r"(?m)^(Version: .*)$", r"\1+next", control.read_text()))
    for name in ("station.yaml", "charts/indicator.yaml"):
        file = tree / "etc/charger" / name
        file.write_text(f"# the next version\n{file.read_text()}")
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, folder / "charger_next.deb"], check=True
    )
    return folder / "charger_next.deb"


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debian]:
    with booted(tmp_path_factory.mktemp("debian")) as machine:
        for group in ("gpio", "input"):  # spi and i2c are missing
            machine.run("groupadd", "--system", group)
        yield machine


def files(machine: Debian) -> set[str]:
    """What is on the disk, but for what dpkg, users and logs leave behind."""
    prune = [
        "/proc",
        "/sys",
        "/dev",
        "/run",
        "/tmp",
        "/old",
        "/root",
        "/var/lib/dpkg",
        "/var/log",
        "/var/cache",
    ]
    words = [word for folder in prune for word in ("-path", folder, "-prune", "-o")]
    return set(machine.say("find", "/", *words, "-print").splitlines())


def test_it_is_installed(debian: Debian, package: Path) -> None:
    debian.before = files(debian)  # type: ignore[attr-defined]
    said = debian.say("dpkg", "-i", debian.put(package))
    assert "no findings" in said  # the charts are checked
    assert debian.say("dpkg-query", "-W", "-f", "${Status}", "charger") == "install ok installed"
    assert debian.say("dpkg", "--verify", "charger") == ""
    assert debian.say("charger", "--version").startswith("charger ")
    groups = debian.say("id", "-Gn", "charger").split()
    assert sorted(groups) == ["charger", "dialout", "gpio", "input"]  # the others are not there
    assert debian.say("stat", "-c", "%U:%G %a", STATION) == "root:charger 640"
    assert debian.say("stat", "-c", "%U:%G %a", "/var/lib/charger") == "charger:charger 750"


def test_it_runs_from_its_own_environment(debian: Debian) -> None:
    told = debian.say("/opt/charger/bin/python3", "-c", "import sys, yaml; print(sys.prefix, yaml.__file__)")
    assert told.startswith(f"/opt/charger /opt/charger/lib/python{SUITES[SUITE]}/site-packages/yaml/")
    missing = debian.run("/usr/bin/python3", "-c", "import yaml", check=False)
    assert "ModuleNotFoundError" in missing.stdout


def test_it_starts_by_itself(debian: Debian) -> None:
    debian.until("ActiveState", "active")  # READY=1 has come: Type=notify
    assert debian.unit("Type") == "notify"
    assert debian.unit("NRestarts") == "0"
    assert debian.unit("UnitFileState") == "enabled"
    assert debian.say("python3", "-c", ASK.format("id")) == "CP001"
    assert debian.run("which", "dot", check=False).returncode == 1
    assert "</svg>" in debian.say("python3", "-c", PICTURE)  # the shipped one, of exactly this chart
    assert debian.say("stat", "-c", "%U", f"/proc/{debian.unit('MainPID')}") == "charger"
    assert debian.say("ls", "/var/lib/charger")


def test_it_is_confined(debian: Debian) -> None:
    process = debian.unit("MainPID")
    status = dict(
        line.split(":\t")
        for line in debian.say("cat", f"/proc/{process}/status").splitlines()
        if ":\t" in line
    )
    assert (status["NoNewPrivs"], status["Seccomp"].strip(), int(status["CapEff"], 16)) == ("1", "2", 0)
    inside = ("nsenter", "-t", process, "-m", "touch")
    for place in ("/etc/charger", "/opt/charger", "/usr", "/sys/kernel"):
        refused = debian.run(*inside, f"{place}/written", check=False)
        assert "Read-only file system" in refused.stdout, place
    debian.run(*inside, "/var/lib/charger/written", "/run/charger/written")
    debian.run("rm", "/var/lib/charger/written")


@contextmanager
def override(machine: Debian, line: str) -> Iterator[None]:
    """The unit with another line, as an administrator would have it."""
    target = machine.root / "etc/systemd/system/charger.service.d"
    target.mkdir(parents=True)
    (target / "test.conf").write_text(f"[Service]\n{line}\n")
    machine.run("systemctl", "daemon-reload")
    yield
    shutil.rmtree(target)
    machine.run("systemctl", "daemon-reload")


def test_all_libraries_work_in_confinement(debian: Debian) -> None:
    program = "import gpiozero, pymodbus.client, serial, ocpp, websockets, rpds, yaml, sqlite3, ssl"
    if SUITE == "bookworm":  # Debian 13 has none
        program += "; import os, lgpio; os.stat('.lgd-nfy0')"  # the pipe of lgpio, where it works
    with override(debian, f'ExecStartPre=/opt/charger/bin/python3 -c "{program}"'):
        debian.run("systemctl", "restart", "charger")
        assert "status=0" in debian.unit("ExecStartPre")


def test_its_doctor_is_content(debian: Debian) -> None:
    told = debian.say("charger", "doctor", "--simulated")
    assert f"{STATION}: CP001, hardware simulated" in told
    assert "the station runs and has it" in told
    debian.run("systemctl", "stop", "charger")
    debian.run("systemd-run", "--unit=central", "charger", "csms", "--quiet")
    debian.run("systemctl", "start", "charger")
    debian.until("ActiveState", "active")
    debian.run("systemctl", "stop", "charger")
    told = debian.say("charger", "doctor", "--simulated")
    assert "WebSocket: ws://127.0.0.1:9000/ocpp/CP001 takes us" in told
    assert "0 wrong" in told
    assert (
        debian.run("charger", "doctor", check=False).returncode == 1
    )  # without a board nothing is said to be good


def test_what_freezes_is_killed_and_comes_again(debian: Debian) -> None:
    with override(debian, "WatchdogSec=3"):
        debian.run("systemctl", "start", "charger")
        first = debian.unit("MainPID")
        debian.run("kill", "-STOP", first)
        debian.until("NRestarts", "1")
        debian.until("ActiveState", "active")
        assert debian.unit("MainPID") != first
        assert "Watchdog timeout" in debian.journal()


def test_what_crashes_leaves_no_output_on(debian: Debian) -> None:
    with override(debian, "RestartSec=100"):
        debian.run("kill", "-KILL", debian.unit("MainPID"))
        debian.until("SubState", "auto-restart")
        after = debian.unit("ExecStopPost")
        assert "charger outputs-off /etc/charger/station.yaml" in after
        assert "code=exited ; status=0" in after
    debian.run("systemctl", "restart", "charger")


def test_it_stops_in_due_form(debian: Debian) -> None:
    debian.run("systemctl", "stop", "charger")
    assert debian.unit("ActiveState") == "inactive"
    assert debian.unit("Result") == "success"
    debian.run("systemctl", "start", "charger")


def test_an_upgrade_keeps_what_was_edited(debian: Debian, newer: Path) -> None:
    station = debian.root / STATION[1:]
    station.write_text(station.read_text().replace("id: CP001", "id: CP777"))
    debian.run("dpkg", "--force-confold", "-i", debian.put(newer))
    assert "id: CP777" in station.read_text()
    assert (station.with_suffix(".yaml.dpkg-dist")).read_text().startswith("# the next version")
    chart = debian.root / "etc/charger/charts/indicator.yaml"  # nobody had touched it
    assert chart.read_text().startswith("# the next version")
    assert debian.say("stat", "-c", "%U:%G %a", STATION) == "root:charger 640"
    debian.until("ActiveState", "active")
    assert debian.say("python3", "-c", ASK.format("id")) == "CP777"


def test_a_station_that_is_wrong_is_told_at_the_upgrade(debian: Debian, package: Path) -> None:
    chart = debian.root / "etc/charger/charts/indicator.yaml"
    right = chart.read_text()
    chart.write_text(right.replace("initial: ", "initial: Nowhere", 1))
    said = debian.say("dpkg", "--force-confold", "-i", debian.put(package))
    assert "indicator.yaml" in said
    assert "put the above right" in said
    chart.write_text(right)
    debian.run("systemctl", "restart", "charger")


def test_removed_it_leaves_what_is_somebodys(debian: Debian) -> None:
    debian.run("dpkg", "-r", "charger")
    assert debian.unit("ActiveState") in ("inactive", "failed")
    left = {path.split("/charger")[0] for path in files(debian) - debian.before}  # type: ignore[attr-defined]
    assert {"/etc", "/var/lib"} <= left
    assert not any(path.startswith(("/opt", "/usr")) for path in left), left
    debian.run("dpkg", "--force-confold", "-i", "/root/charger_next.deb")
    debian.until("ActiveState", "active")
    assert debian.say("python3", "-c", ASK.format("id")) == "CP777"


def test_purged_it_leaves_nothing_but_its_user(debian: Debian) -> None:
    debian.run("dpkg", "-P", "charger")
    left = files(debian) - debian.before  # type: ignore[attr-defined]
    assert {
        path
        for path in left
        if not path.startswith(("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"))
    } == set()
    assert debian.say("id", "-un", "charger") == "charger"


# -- without a machine -------------------------------------------------------------------------------------


def test_the_same_commit_gives_the_same_bytes(package: Path, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        assert build(tmp_path, *TARGET).read_bytes() == package.read_bytes()
    finally:
        os.umask(before)


def test_a_package_for_arm64_is_built_anywhere(tmp_path: Path) -> None:
    deb = build(tmp_path, "--arch", "arm64", *TARGET)
    tree = unpacked(deb, tmp_path / "tree")
    assert "Architecture: arm64" in (tree / "DEBIAN/control").read_text()
    libraries = list((tree / "opt").rglob("*.so*"))
    names = {file.name.split(".")[0] for file in libraries}
    assert names >= {"_yaml", "rpds", "speedups"}
    assert ("_lgpio" in names) == (SUITE == "bookworm")
    aarch64 = 183  # EM_AARCH64, in elf.h
    for file in libraries:
        head = file.read_bytes()[:20]
        assert head[:4] == b"\x7fELF", file
        assert int.from_bytes(head[18:20], "little") == aarch64, file
