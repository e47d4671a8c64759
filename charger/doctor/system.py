"""Checks of the machine: program, user, clock, memory, disk, watchdog.

`root` is the root of the file system, or a folder that plays it.
"""

from __future__ import annotations

import ctypes
import grp
import os
import pwd
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final, Literal

from charger import __version__
from charger.board import Board, KernelPilot
from charger.doctor.check import Check, fail, ok, warn

USER: Final = "charger"
"""Of the Debian package."""
YEARS: Final = range(2025, 2100)
MEGABYTE: Final = 1024 * 1024
MEMORY: Final = 100
"""MB that the station wants: a heap of 45 to 60, and its page."""
ROOM: Final = (50, 200)
"""MB on the disk of the data: too little, and little."""
SYNCS: Final = 20
SLOW: Final = 0.25
"""s for one commit; every step that changes a fact waits for one."""
FILE_SYSTEMS: Final[dict[str, tuple[Literal["warn", "fail"], str]]] = {
    "tmpfs": ("warn", "what is written is gone with the power"),
    "overlay": ("warn", "what is written may be gone at the next start"),
    "vfat": ("warn", "a power cut may damage it"),
    "exfat": ("warn", "a power cut may damage it"),
    "nfs": ("fail", "SQLite's log does not work there"),
    "nfs4": ("fail", "SQLite's log does not work there"),
    "cifs": ("fail", "SQLite's log does not work there"),
}
OWN_FOLDER: Final = "name a folder on ext4 as `data` in station.yaml"


# -- program and user --------------------------------------------------------------------------------------


def check_program() -> Check:
    """Which program on which Python."""
    bits = 64 if sys.maxsize > 2**32 else 32
    python = ".".join(map(str, sys.version_info[:3]))
    fact = f"charger {__version__} on Python {python}, {bits} bit, in {sys.prefix}"
    if bits == 32:
        return warn("program", fact, "use a 64-bit system: some libraries are not made for 32 bit")
    return ok("program", fact)


def groups_wanted(board: Board) -> set[str]:
    """The groups whose devices this board uses, as Raspberry Pi OS has them."""
    wanted = {"gpio"}
    kinds = {reader.type for reader in board.readers}
    if "pn532" in kinds or any(bus.port for bus in board.buses.values()):
        wanted.add("dialout")
    if "keyboard" in kinds:
        wanted.add("input")
    if any(isinstance(outlet.pilot, KernelPilot) for outlet in board.outlets):
        wanted.add("spi")
    return wanted


def service_user() -> tuple[str, set[str]]:
    """Whom the station runs as, the user of the package or else whoever asks; and his groups."""
    try:
        user = pwd.getpwnam(USER)
    except KeyError:
        user = pwd.getpwuid(os.getuid())
    numbers = os.getgrouplist(user.pw_name, user.pw_gid)
    return user.pw_name, {group.gr_name for group in grp.getgrall() if group.gr_gid in numbers}


def check_groups(wanted: Collection[str], user: str, has: Collection[str]) -> Check:
    """Whether he may open what the board uses."""
    missing = sorted(set(wanted) - set(has))
    if user == "root":
        return warn("user", "root: may open everything, and break it", f"run the station as the user {USER}")
    if not missing:
        return ok("user", f"{user} is in {', '.join(sorted(wanted))}")
    remedy = "".join(f"sudo adduser {user} {group}; " for group in missing)
    return fail("user", f"{user} is not in {', '.join(missing)}", f"{remedy}then restart the station")


# -- time --------------------------------------------------------------------------------------------------


def synchronised() -> bool:
    """Whether anybody keeps the clock right, as the kernel knows (adjtimex(2))."""
    empty = ctypes.create_string_buffer(256)  # modes = 0: only look
    out_of_order = 5  # TIME_ERROR
    state: int = ctypes.CDLL(None).adjtimex(empty)
    return 0 <= state != out_of_order


def check_clock(root: Path, now: datetime, kept: Callable[[], bool] = synchronised) -> Check:
    """A clock that goes wrong dates transactions wrongly, and rejects certificates."""
    has_rtc = any((root / "sys/class/rtc").glob("rtc*"))
    fact = f"{now:%Y-%m-%d %H:%M:%S} UTC; {'a' if has_rtc else 'no'} real-time clock on the board"
    if now.year not in YEARS:
        return fail(
            "clock", fact, "set it: sudo timedatectl set-ntp true, or sudo date -s '2026-11-25 12:00'"
        )
    if not kept():
        return warn(
            "clock",
            f"{fact}; not synchronised",
            "sudo timedatectl set-ntp true; until then the time comes from the Central System",
        )
    return ok("clock", f"{fact}; synchronised")


# -- memory and disk ---------------------------------------------------------------------------------------


def check_memory(root: Path) -> Check:
    """Whether the station fits."""
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.endswith("kB")}
        total, free = kilobytes["MemTotal"] // 1024, kilobytes["MemAvailable"] // 1024
    except (OSError, KeyError, ValueError):
        return warn("memory", "the kernel does not tell", f"look yourself: it wants {MEMORY} MB")
    fact = f"{free} MB of {total} MB are free"
    if free < MEMORY:
        return warn("memory", fact, f"the station wants {MEMORY} MB: end what is not needed, desktops first")
    return ok("memory", fact)


def check_disk(root: Path, data: Path) -> list[Check]:
    """The folder of the data: there, writable, with room, on a file system that keeps what it was given."""
    there = next(folder for folder in (data, *data.parents) if folder.exists())
    if not os.access(there, os.W_OK | os.X_OK) or not there.is_dir():
        user = pwd.getpwuid(os.geteuid()).pw_name
        remedy = (
            "ask as root or as the user of the station: sudo charger doctor; or name another folder as `data`"
        )
        return [fail("disk", f"{user} cannot write to {there}", remedy)]
    if others := _of_others(there) if there == data else []:
        remedy = f"sudo chown -R --reference={there} {there}: the station cannot write what root once made"
        return [fail("disk", f"{', '.join(others)} in {there}: of another owner than the folder", remedy)]
    free = shutil.disk_usage(there).free // MEGABYTE
    kind = file_system(root, there)
    fact = f"{data}: {kind or 'unknown file system'}, {free} MB free"
    if kind in FILE_SYSTEMS:
        verdict, why = FILE_SYSTEMS[kind]
        found = [Check("disk", verdict, f"{fact}; {why}", OWN_FOLDER)]
    elif free < ROOM[0]:
        found = [fail("disk", fact, "make room: with a full disk nobody can charge")]
    elif free < ROOM[1]:
        found = [warn("disk", fact, "make room: with a full disk nobody can charge")]
    else:
        found = [ok("disk", fact)]
    return [*found, check_sync(there)]


def _of_others(folder: Path) -> list[str]:
    owner = folder.stat().st_uid
    return sorted(file.name for file in folder.iterdir() if file.stat().st_uid != owner)


def file_system(root: Path, folder: Path) -> str:
    """The type of what is mounted there; empty: the kernel does not tell."""
    try:
        mounts = [line.split() for line in (root / "proc/self/mounts").read_text().splitlines()]
    except OSError:
        return ""
    holds = [
        (len(where), position, kind)
        for position, (_, where, kind, *_) in enumerate(mounts)
        if folder.resolve().is_relative_to(where)
    ]
    return max(holds)[2] if holds else ""


def check_sync(folder: Path, now: Callable[[], float] = time.perf_counter) -> Check:
    """How long the disk takes to have something: every transaction waits for it."""
    took = []
    try:
        with TemporaryFile(dir=folder) as file:
            for _ in range(SYNCS):
                begun = now()
                file.write(bytes(4096))
                file.flush()
                os.fsync(file.fileno())
                took.append(now() - begun)
    except OSError as error:
        return fail("disk", f"{folder}: {error.strerror}", "put a disk right that does not take a file")
    fact = f"fsync takes {statistics.median(took) * 1000:.1f} ms, {max(took) * 1000:.1f} ms at worst"
    if max(took) > SLOW:
        return warn("disk", fact, "a worn or slow card: use an industrial card, eMMC or an SSD")
    return ok("disk", fact)


def check_wear(root: Path) -> list[Check]:
    """What cards and eMMC tell of their wear (JEDEC eMMC 5.0: EXT_CSD 267 to 269)."""
    cards = sorted((root / "sys/block").glob("mmcblk[0-9]"))
    return [_wear(card) for card in cards]


def _wear(card: Path) -> Check:
    try:
        tenths = max(int(word, 16) for word in (card / "device/life_time").read_text().split())
        reserve = int((card / "device/pre_eol_info").read_text(), 16)
    except (OSError, ValueError):
        return ok("wear", f"{card.name} does not tell: SD cards do not")
    used = "its life is used up" if tenths > 10 else f"at most {tenths * 10} % of its life is used"
    fact = f"{card.name}: {used}; reserve {('not told', 'normal', 'low', 'urgent')[min(reserve, 3)]}"
    if tenths > 10 or reserve >= 3:
        return fail("wear", fact, "replace it now, and take /etc/charger and the data along")
    if tenths >= 9 or reserve == 2:
        return warn("wear", fact, "plan to replace it")
    return ok("wear", fact)


def check_watchdog(root: Path) -> Check:
    """Whether the processor is started anew when the kernel hangs."""
    for device in sorted((root / "sys/class/watchdog").glob("watchdog*")):
        try:
            name, state = ((device / word).read_text().strip() for word in ("identity", "state"))
            seconds = (device / "timeout").read_text().strip()
        except OSError:
            continue
        if state == "active":
            return ok("watchdog", f"{name} restarts the board when nobody feeds it for {seconds} s")
    return warn(
        "watchdog",
        "no hardware watchdog is fed: a kernel that hangs stays so",
        "write [Manager] RuntimeWatchdogSec=15 into /etc/systemd/system.conf.d/watchdog.conf, and reboot",
    )
