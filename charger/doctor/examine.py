"""All checks of a station in turn."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import chdir
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from charger.board import Board
from charger.doctor import board as wires
from charger.doctor import instruments, system
from charger.doctor.check import Check, fail, ok, warn
from charger.doctor.link import check_link
from charger.errors import StorageError
from charger.hardware.parts import Lines
from charger.loading import Loaded
from charger.settings import Settings
from charger.storage import peek


@dataclass(frozen=True, slots=True)
class Machine:
    """What is looked at: this board, or one that tests make up."""

    open_lines: Callable[[str], Lines]
    """The GPIO chip with this label."""
    root: Path = Path("/")
    wait: Callable[[float], None] = time.sleep


def examine(loaded: Loaded, machine: Machine, *, simulated: bool) -> Iterator[Check]:
    """Every check that this station allows; nothing is switched on, and what is written is taken away again.

    Args:
        loaded: the station.
        machine: what it runs on.
        simulated: whether it is meant to have no board.
    """
    root, settings = machine.root, loaded.settings
    yield check_station(loaded)
    yield system.check_program()
    yield system.check_clock(root, datetime.now(UTC))
    yield system.check_memory(root)
    yield from system.check_wear(root)
    if settings is None:
        return
    yield from system.check_disk(root, settings.data)
    runs = _runs(settings)
    if settings.board:
        yield system.check_watchdog(root)
        yield from _examine_board(settings.board, settings, machine, runs=runs)
    elif not simulated:
        remedy = (
            "write `hardware: gpio` and a `board`; or say that it is meant so: charger doctor --simulated"
        )
        yield fail("board", "the hardware is simulated: no wire was looked at", remedy)
    if runs:
        yield ok("link", "the station runs and has it: see its page, or /status")
    else:
        yield from check_link(settings.central, settings.id)


def check_station(loaded: Loaded) -> Check:
    """Whether station.yaml and its charts are what `charger run` takes."""
    if loaded.settings is None or loaded.checked is None or loaded.errors:
        first = loaded.errors[0]
        fact = f"{len(loaded.errors)} errors; the first: {first}" if len(loaded.errors) > 1 else str(first)
        return fail("station", fact, "charger check names all of them, with the place and the remedy")
    settings, summary = loaded.settings, loaded.checked.summary()
    return ok("station", f"{settings.file}: {settings.id}, hardware {settings.hardware}; {summary}")


def _runs(settings: Settings) -> bool:
    """Whether a station runs on this data."""
    try:
        return peek(settings.data) is None
    except (StorageError, PermissionError):
        return False  # that it cannot be read was told with the disk


def _examine_board(board: Board, settings: Settings, machine: Machine, *, runs: bool) -> Iterator[Check]:
    yield from wires.check_plan(board)
    yield system.check_groups(system.groups_wanted(board), *system.service_user())
    yield wires.check_library()
    yield wires.check_strict(machine.root)
    yield from wires.check_devices(board, machine.root)
    if runs:
        remedy = "sudo systemctl stop charger, then look again"
        yield warn("pins", "the station runs and has pins and buses: they were not looked at", remedy)
        return
    with tempfile.TemporaryDirectory() as scratch, chdir(scratch):  # lgpio leaves a pipe where it works
        yield from wires.check_pins(board, machine.open_lines, machine.wait)
    yield from instruments.check_pilots(board, settings.plans)
    yield from instruments.check_meters(board, settings.plans)
