"""The machine below: a folder plays /sys and /proc."""

import errno
import os
import pwd
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from charger.board import Board, KernelPilot, ModbusBus, OutletPlan, ReaderPlan, SimulatedPilot
from charger.doctor import system
from charger.doctor.check import Check

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
Put = Callable[[str, str], Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    def put(name: str, text: str) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    return put


def test_the_program_says_what_it_is_and_on_what() -> None:
    found = system.check_program()
    assert found.verdict == "ok"
    assert "on Python 3." in found.fact


def test_on_32_bits_it_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.maxsize", 2**31 - 1)
    found = system.check_program()
    assert (found.verdict, "32 bit" in found.fact) == ("warn", True)


# -- user --------------------------------------------------------------------------------------------------


def outlet(pilot: SimulatedPilot | KernelPilot) -> OutletPlan:
    return OutletPlan(contactor=17, mirror=None, pilot=pilot)


@pytest.mark.parametrize(
    ("board", "groups"),
    [
        (Board((outlet(SimulatedPilot()),)), {"gpio"}),
        (Board((outlet(KernelPilot(0, 0, 0, 0, 1)),)), {"gpio", "spi"}),
        (Board((), buses={"a": ModbusBus(port="/dev/ttyUSB0")}), {"gpio", "dialout"}),
        (Board((), buses={"a": ModbusBus(host="gateway")}), {"gpio"}),
        (Board((), readers=(ReaderPlan("pn532", "/dev/ttyS0"),)), {"gpio", "dialout"}),
        (Board((), readers=(ReaderPlan("keyboard", "/dev/input/x"),)), {"gpio", "input"}),
    ],
)
def test_the_groups_follow_from_the_board(board: Board, groups: set[str]) -> None:
    assert system.groups_wanted(board) == groups


def test_a_user_must_be_in_them() -> None:
    assert system.check_groups({"gpio"}, "charger", {"gpio", "audio"}).verdict == "ok"
    found = system.check_groups({"gpio", "spi", "input"}, "charger", {"gpio"})
    assert found == Check(
        "user",
        "fail",
        "charger is not in input, spi",
        "sudo adduser charger input; sudo adduser charger spi; then restart the station",
    )
    assert system.check_groups({"gpio"}, "root", ()).verdict == "warn"


def test_the_service_runs_as_the_user_of_the_package_or_else_as_whoever_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(system, "USER", "nobody")
    assert system.service_user()[0] == "nobody"
    monkeypatch.setattr(system, "USER", "there-is-no-such-user")
    me = pwd.getpwuid(os.getuid()).pw_name
    user, groups = system.service_user()
    assert user == me
    assert groups


# -- clock -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "kept", "verdict", "words"),
    [
        (NOON, True, "ok", "2026-11-25 12:00:00 UTC; no real-time clock on the board; synchronised"),
        (NOON, False, "warn", "not synchronised"),
        (datetime(1970, 1, 1, tzinfo=UTC), True, "fail", "1970-01-01"),
        (datetime(2106, 2, 7, tzinfo=UTC), True, "fail", "2106-02-07"),
    ],
)
def test_a_clock_must_be_right_and_kept_right(
    tmp_path: Path, now: datetime, kept: bool, verdict: str, words: str
) -> None:
    found = system.check_clock(tmp_path, now, lambda: kept)
    assert found.verdict == verdict
    assert words in found.fact
    assert bool(found.remedy) == (verdict != "ok")


def test_a_real_time_clock_is_told(tmp_path: Path, put: Put) -> None:
    put("sys/class/rtc/rtc0/name", "ds3231")
    assert "a real-time clock on the board" in system.check_clock(tmp_path, NOON, lambda: True).fact


def test_the_kernel_is_asked_whether_the_clock_is_kept() -> None:
    assert system.synchronised() in (True, False)


# -- memory and disk ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("free", "verdict"), [(400_000, "ok"), (90_000, "warn")])
def test_memory(tmp_path: Path, put: Put, free: int, verdict: str) -> None:
    put("proc/meminfo", f"MemTotal:  435672 kB\nMemFree: 1 kB\nMemAvailable: {free} kB\nHugePages_Total: 0\n")
    found = system.check_memory(tmp_path)
    assert found.verdict == verdict
    assert found.fact == f"{free // 1024} MB of 425 MB are free"


def test_a_kernel_that_does_not_tell_its_memory(tmp_path: Path) -> None:
    assert system.check_memory(tmp_path).verdict == "warn"


def test_a_folder_that_is_yet_to_be_made_is_judged_by_the_one_it_will_be_in(tmp_path: Path, put: Put) -> None:
    put("proc/self/mounts", "/dev/mmcblk0p2 / ext4 rw 0 0\nproc /proc proc rw 0 0\n")
    found, sync = system.check_disk(tmp_path, tmp_path / "yet" / "to" / "make")
    assert (found.verdict, sync.verdict) == ("ok", "ok")
    assert "ext4" in found.fact
    assert "fsync takes" in sync.fact
    assert sorted(tmp_path.iterdir()) == [tmp_path / "proc"]  # nothing is left behind


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [("ext4", "ok"), ("f2fs", "ok"), ("tmpfs", "warn"), ("overlay", "warn"), ("nfs4", "fail")],
)
def test_a_file_system_must_keep_what_it_was_given(tmp_path: Path, put: Put, kind: str, verdict: str) -> None:
    put(
        "proc/self/mounts",
        f"/dev/root / ext4 rw 0 0\nwhat {tmp_path} {kind} rw 0 0\nproc /proc proc rw 0 0\n",
    )
    found = system.check_disk(tmp_path, tmp_path)[0]
    assert found.verdict == verdict
    assert kind in found.fact


def test_what_is_mounted_over_something_counts(tmp_path: Path, put: Put) -> None:
    put("proc/self/mounts", f"a {tmp_path} ext4 rw 0 0\nb {tmp_path} tmpfs rw 0 0\n")
    assert system.file_system(tmp_path, tmp_path) == "tmpfs"
    assert system.file_system(tmp_path / "nowhere", tmp_path) == ""


@pytest.mark.parametrize(("megabytes", "verdict"), [(30, "fail"), (100, "warn"), (1000, "ok")])
def test_a_disk_needs_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, megabytes: int, verdict: str
) -> None:
    usage = type("usage", (), {"free": megabytes * 1024 * 1024})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    assert system.check_disk(tmp_path, tmp_path)[0].verdict == verdict


def test_a_file_where_the_folder_should_be(tmp_path: Path, put: Put) -> None:
    [found] = system.check_disk(tmp_path, put("data", ""))
    assert found.verdict == "fail"
    assert "cannot write to" in found.fact


def test_files_that_root_has_left_in_the_folder_of_the_station(
    tmp_path: Path, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = put("data/station.db", "").parent
    assert system.check_disk(tmp_path, data)[0].verdict == "ok"
    stat = Path.stat

    def other(path: Path, **more: bool) -> os.stat_result:
        found = stat(path, **more)
        return (
            os.stat_result((*found[:4], found.st_uid + 1, *found[5:])) if path.name == "station.db" else found
        )

    monkeypatch.setattr(Path, "stat", other)
    [found] = system.check_disk(tmp_path, data)
    assert (found.verdict, found.fact) == ("fail", f"station.db in {data}: of another owner than the folder")


def test_a_disk_that_takes_long_is_told(tmp_path: Path) -> None:
    times = iter([0.0, 0.001] * (system.SYNCS - 1) + [0.0, 0.4])
    found = system.check_sync(tmp_path, lambda: next(times))
    assert (found.verdict, found.fact) == ("warn", "fsync takes 1.0 ms, 400.0 ms at worst")


def test_a_disk_that_takes_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    found = system.check_sync(tmp_path)
    assert (found.verdict, "No space left on device" in found.fact) == ("fail", True)


@pytest.mark.parametrize(
    ("life", "reserve", "verdict", "words"),
    [
        ("0x01 0x02", "0x01", "ok", "at most 20 % of its life is used; reserve normal"),
        ("0x09 0x01", "0x01", "warn", "90 %"),
        ("0x02 0x02", "0x02", "warn", "reserve low"),
        ("0x02 0x02", "0x03", "fail", "reserve urgent"),
        ("0x0b 0x02", "0x00", "fail", "its life is used up; reserve not told"),
        (None, None, "ok", "mmcblk0 does not tell"),
        ("?", "0x01", "ok", "mmcblk0 does not tell"),
    ],
)
def test_a_card_tells_its_wear(
    tmp_path: Path, put: Put, life: str | None, reserve: str | None, verdict: str, words: str
) -> None:
    put("sys/block/mmcblk0/size", "1")
    put("sys/block/mmcblk0boot0/size", "1")  # a part of it
    if life and reserve:
        put("sys/block/mmcblk0/device/life_time", f"{life}\n")
        put("sys/block/mmcblk0/device/pre_eol_info", f"{reserve}\n")
    [found] = system.check_wear(tmp_path)
    assert found.verdict == verdict
    assert words in found.fact


def test_a_board_without_cards_has_no_wear_to_tell(tmp_path: Path) -> None:
    assert system.check_wear(tmp_path) == []


# -- watchdog ----------------------------------------------------------------------------------------------


def test_a_watchdog_counts_only_when_somebody_feeds_it(tmp_path: Path, put: Put) -> None:
    assert system.check_watchdog(tmp_path).verdict == "warn"
    put("sys/class/watchdog/watchdog0/identity", "Broadcom BCM2835 Watchdog timer\n")
    put("sys/class/watchdog/watchdog0/timeout", "15\n")
    assert system.check_watchdog(tmp_path).verdict == "warn"  # an older kernel: no state
    state = put("sys/class/watchdog/watchdog0/state", "inactive\n")
    assert system.check_watchdog(tmp_path).verdict == "warn"
    state.write_text("active\n")
    found = system.check_watchdog(tmp_path)
    assert found.verdict == "ok"
    assert found.fact == "Broadcom BCM2835 Watchdog timer restarts the board when nobody feeds it for 15 s"
