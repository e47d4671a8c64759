"""Commands about a board: wiring, doctor, outputs-off."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING

from charger.cli.paths import station_file
from charger.cli.say import FINDINGS, FINE, load_station, write_text
from charger.errors import UsageError

if TYPE_CHECKING:
    from charger.hardware.parts import Lines

PACKAGED = Path("/etc/charger/station.yaml")


def examine_board(arguments: argparse.Namespace) -> int:
    """`charger doctor`."""
    import logging

    from charger.doctor.check import as_json, as_text
    from charger.doctor.examine import Machine, examine
    from charger.loading import read_station

    here = Path("station.yaml").exists()
    path = (
        PACKAGED if not (arguments.station or here) and PACKAGED.exists() else station_file(arguments.station)
    )
    loaded = read_station(path)
    if arguments.simulated and loaded.settings and loaded.settings.board:
        raise UsageError(
            f"{path} has `hardware: gpio`: leave --simulated out, so that its wires are looked at"
        )
    logging.disable(logging.CRITICAL)  # what does not work is told by the checks
    try:
        checks = list(examine(loaded, Machine(_lines), simulated=arguments.simulated))
    finally:
        logging.disable(logging.NOTSET)
    print(as_json(checks) if arguments.format == "json" else as_text(checks))
    return FINDINGS if any(check.verdict == "fail" for check in checks) else FINE


def switch_off(arguments: argparse.Namespace) -> int:
    """`charger outputs-off STATION`: whatever was left on."""
    from charger.doctor.board import claim_outputs
    from charger.settings import readable_board

    # An edit that went wrong, and then a crash: just then it is needed.
    board, findings = readable_board(station_file(arguments.station), os.environ)
    if findings:
        raise UsageError(f"nobody knows which pins are outputs: {findings[0]}")
    if board is None:
        return FINE
    with tempfile.TemporaryDirectory() as scratch, chdir(scratch):  # lgpio leaves a pipe where it works
        lines = _lines(board.chip)
        trouble = claim_outputs(board, lines)
        lines.close()
    for line in trouble:
        print(line, file=sys.stderr)
    return FINDINGS if trouble else FINE


def _lines(chip: str) -> Lines:
    from charger.hardware.gpio import GpioLines, open_chip

    return GpioLines(open_chip(chip))


def show_wiring(arguments: argparse.Namespace) -> int:
    """`charger wiring`: which pin goes where."""
    from charger import wiring

    path = station_file(arguments.station)
    settings, _ = load_station(path)
    if settings.board is None:
        raise UsageError(f"{path}: nothing is wired: hardware is simulated")
    if arguments.out:
        write_text("--out", arguments.out, wiring.draw(settings.board, f"{settings.id}: {path.name}"))
    else:
        print(wiring.as_text(settings.board), end="")
    return FINE
