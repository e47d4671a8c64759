"""A session on real lines of a real kernel: plug, card, charge, emergency stop, and a program that dies.

``make gpio-test`` runs it; see `machine.py`. The physics around the board are here: what the coil does to the
mirror contact, what the car does to the pilot board, what the meter counts.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "hardware")]

from machine import Machine  # noqa: E402
from modbus_kit import Device, Gateway  # noqa: E402
from physics import STOP, LineServer, Physics  # noqa: E402

from charger.central.demo import DemoCentralSystem  # noqa: E402

OFFER, CAR, CABLE = 1000, 1002, 1003
"""Registers of the pilot board."""
PATIENCE = 240.0
"""s; everything is emulated, on a machine that does other things too."""
PANEL = 18016


class World:
    """The board, and what is around it."""

    def __init__(self) -> None:
        holding = dict.fromkeys((*range(1000, 1008), *range(2000, 2018)), 0)
        self.pilot = Device(1, holding=holding | {CAR: 1, CABLE: 32, 1005: 17, 1006: 1, 2007: 32})
        self.meter = Device(2, inputs=dict.fromkeys(range(0x60), 0))
        self.energy = 1000.0
        self.modbus = Gateway(self.pilot, self.meter)
        self.central = _Central()
        self.machine = Machine({PANEL: 8016})
        self.physics = Physics(self.machine)
        self._ended = threading.Event()
        self._read(0.0)
        self._counting = threading.Thread(target=self._count)
        self._counting.start()

    def close(self) -> None:
        self._ended.set()
        self._counting.join()
        self.physics.close()
        self.machine.close()
        self.central.close()
        self.modbus.close()

    @property
    def coil(self) -> bool:
        return self.physics.coil

    def _count(self) -> None:
        while not self._ended.wait(0.5):
            self._read(0.5)

    def _read(self, seconds: float) -> None:
        """The meter: 230 V, and 16 A while the contactor is closed and the car asks."""
        amps = 16.0 if self.coil and self.pilot.registers[3][CAR] == 3 else 0.0
        self.energy += 3 * 230 * amps * seconds / 3600
        shown = {0: 230, 2: 230, 4: 230, 6: amps, 8: amps, 0xA: amps, 0xC: 230 * amps, 0xE: 230 * amps}
        shown |= {0x10: 230 * amps, 0x34: 690 * amps, 0x46: 50, 0x48: self.energy / 1000, 0x4A: 0}
        for address, value in shown.items():
            self.meter.registers[4].update(
                enumerate(struct.unpack(">HH", struct.pack(">f", value)), start=address)
            )

    # -- acts and looks ------------------------------------------------------------------------------------

    def start(self) -> None:
        text = (HERE / "station.yaml").read_text().replace(":9000/", f":{self.central.port}/")
        text = text.replace("tcp_port: 502", f"tcp_port: {self.modbus.plan.tcp_port}")
        self.machine.write("/opt/charger/tests/vm/own.yaml", text)
        self.machine.say("start /opt/charger/tests/vm/own.yaml")

    def car(self, state: int) -> None:
        """1: no car, 2: connected, 3: it asks."""
        self.pilot.registers[3][CAR] = state

    def status(self) -> dict[str, Any]:
        address = f"http://127.0.0.1:{PANEL}/status"
        headers = {"Authorization": "Bearer vm", "Host": "10.0.2.15:8016"}
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def connector(self) -> str:
        try:
            found: str = self.status()["connectors"][0]["status"]
        except (OSError, ValueError):
            return "(nobody answers)"
        return found

    def until(self, holds: Callable[[], bool], what: str) -> None:
        due = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < due, f"not yet: {what}; the console says\n" + "\n".join(
                self.machine.said[-60:]
            )
            time.sleep(0.02)

    def until_status(self, status: str) -> None:
        self.until(lambda: self.connector() == status, f"{status}, but {self.connector()}")


class _Central:
    """The demo Central System on a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._thread.start()
        self._ready.wait(PATIENCE)

    async def _serve(self) -> None:
        self._end = asyncio.Event()
        async with DemoCentralSystem(port=0) as system:
            self.system, self.port = system, system.port
            self._ready.set()
            await self._end.wait()

    def calls(self, action: str) -> list[dict[str, Any]]:
        """What the station has asked, by action."""
        return self.system.said("VM001", action)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._loop.close()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    world = World()
    try:
        world.machine.hear("ready")
        world.start()
        yield world
    finally:
        world.close()


def test_it_comes_up_with_the_contactor_open(world: World) -> None:
    world.until_status("Available")
    assert not world.coil
    world.until(lambda: world.physics.pulses > 10, "a sign of life")


def charge(world: World) -> None:
    """Plug, card, charging."""
    world.car(2)
    world.until_status("Preparing")
    world.machine.type("04a1b2c3")
    world.until(lambda: world.pilot.registers[3][OFFER] > 0, "an offer")
    world.car(3)
    world.until_status("Charging")
    assert world.coil


def test_a_session_from_the_plug_to_the_bill(world: World) -> None:
    charge(world)
    (start,) = world.central.calls("StartTransaction")
    assert start["idTag"] == "04A1B2C3"
    world.until(lambda: len(world.central.calls("MeterValues")) > 1, "meter values")
    world.machine.type("04a1b2c3")
    world.until(lambda: world.pilot.registers[3][OFFER] == 0, "the offer is withdrawn")
    world.car(2)
    world.until_status("Finishing")
    assert not world.coil
    world.until(lambda: bool(world.central.calls("StopTransaction")), "StopTransaction")
    (stop,) = world.central.calls("StopTransaction")
    assert stop["meterStop"] > start["meterStart"]
    world.car(1)
    world.until_status("Available")


def test_the_whole_program_with_lines_buses_and_page_has_at_most_60_mib(world: World) -> None:
    world.machine.say("memory")
    kib = int(world.machine.hear("memory: ").split()[1])
    assert kib < 60 * 1024, kib


def test_the_emergency_stop_opens_at_once(world: World) -> None:
    charge(world)
    pressed = time.monotonic()
    world.machine.set(STOP, 1)
    world.until(lambda: not world.coil, "the coil falls")
    assert world.physics.coil_fell - pressed < 2
    world.until_status("Faulted")
    world.machine.set(STOP, 0)
    world.car(1)
    world.until_status("Available")


def test_a_residual_current_opens_at_once_and_is_over_after_unplugging_and_a_self_test(world: World) -> None:
    charge(world)
    tripped = time.monotonic()
    world.physics.trip(True)
    world.until(lambda: not world.coil, "the coil falls")
    assert world.physics.coil_fell - tripped < 2
    world.until_status("Faulted")
    notices = [one for one in world.central.calls("StatusNotification") if one["status"] == "Faulted"]
    assert notices[-1]["errorCode"] == "GroundFailure"
    world.physics.trip(False)
    world.car(1)
    world.until_status("Available")


def test_a_program_that_stands_still_gives_no_sign_of_life(world: World) -> None:
    """Software can do no more: the monostable behind the line cuts the coils, systemd kills and starts anew."""
    charge(world)
    world.machine.say("freeze")
    seen = [-1]

    def still() -> bool:
        seen.append(world.physics.pulses)
        time.sleep(0.5)
        return seen[-1] == world.physics.pulses

    world.until(still, "the sign of life ends")
    world.machine.say("kill")
    world.machine.hear("station ended: -9")
    world.machine.hear("outputs off: 0")
    world.until(lambda: not world.coil, "the coil falls")


def test_what_was_charged_before_it_died_is_billed_after_the_next_start(world: World) -> None:
    before = len(world.central.calls("StopTransaction"))
    world.start()
    world.until(lambda: len(world.central.calls("StopTransaction")) > before, "StopTransaction")
    stop, start = world.central.calls("StopTransaction")[-1], world.central.calls("StartTransaction")[-1]
    assert stop["reason"] == "PowerLoss"
    assert stop["meterStop"] >= start["meterStart"]
    assert not world.coil
    world.car(1)
    world.until_status("Available")


def test_a_program_that_is_killed_leaves_the_contactor_open(world: World) -> None:
    charge(world)
    world.machine.say("kill")
    world.machine.hear("outputs off: 0")
    world.until(lambda: not world.coil, "the coil falls")


def test_the_contract_of_hardware_holds_on_real_lines(world: World) -> None:
    """tests/hardware/test_contract.py, run in there; the program is not running any more."""
    lines = LineServer(world.physics)
    try:
        world.machine.say(f"contract 10.0.2.2:{lines.port}")
        ended = world.machine.hear("contract ended", seconds=600)
    finally:
        lines.shutdown()
        lines.server_close()
    assert ended == "contract ended: 0", "\n".join(world.machine.said[-150:])
