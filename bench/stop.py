"""From the edge of the emergency stop to the coil, while the program has other things to do.

The whole program (`App`) on mock pins, in this process; around it, in processes of their own, a Central System that
sends frames as fast as it is told, and a Modbus meter. Twice a second a thread presses the emergency stop, as
lgpio's thread would, and sees when the pin of the coil goes low. Between two presses the contactor is closed again.
While the disk is stalled a commit takes half a second, in which the event loop stands still.

Mock pins leave out lgpio and the kernel: on a Raspberry Pi some hundred µs come on top.

    python bench/stop.py [--presses 200]
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "hardware"))

from board_kit import mock_pins  # noqa: E402

from charger.app import App  # noqa: E402
from charger.hardware import gpio  # noqa: E402
from charger.loading import read_station  # noqa: E402
from charger.ports import CloseContactor  # noqa: E402
from charger.storage import SqliteStorage  # noqa: E402

STATION = """
id: CP001
vendor: Example
model: Board
central: {url: "ws://127.0.0.1:CENTRAL/ocpp"}
panel: 127.0.0.1:0
hardware: gpio
connectors: [{cable: fixed}]
configuration: {HeartbeatInterval: 1}
board:
  life: 16
  emergency_stop: {pin: 6}
  buses: {lan: {host: 127.0.0.1, tcp_port: MODBUS}}
  connectors:
    - contactor: 17
      mirror: {pin: 27}
      pilot: {type: simulated}
      meter: {map: sdm630, bus: lan, unit: 1, period: 0.2}
"""
CENTRAL = """
import asyncio, sys
from charger.central.demo import DemoCentralSystem
async def main():
    async with DemoCentralSystem(port=0) as system:
        print(system.port, flush=True)
        await system.until(lambda: "CP001" in system.stations)
        while True:
            if float(sys.argv[1]):
                await system.call("CP001", "GetConfiguration", {"key": ["HeartbeatInterval"]})
                await asyncio.sleep(1 / float(sys.argv[1]))
            else:
                await asyncio.sleep(1)
asyncio.run(main())
"""
METER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from modbus_kit import Device, Gateway
gateway = Gateway(Device(1, inputs=dict.fromkeys(range(0x60), 0)))
print(gateway.plan.tcp_port, flush=True)
time.sleep(3600)
"""
LOADS = (
    ("nothing else", 0, False),
    ("100 frames/s, a meter read 5 times a second", 100, False),
    ("the same, and a stalled disk", 100, True),
)


def started(program: str, *words: str) -> tuple[subprocess.Popen[str], str]:
    """A process, and the port that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout
    return process, process.stdout.readline().strip()


def measure(presses: int, rate: int, stalls: bool, folder: Path) -> list[float]:
    """Seconds from each press to the coil."""
    central, port = started(CENTRAL, str(rate))
    meter, modbus = started(METER, str(ROOT / "tests" / "hardware"))
    try:
        file = folder / f"{rate}-{stalls}" / "station.yaml"
        file.parent.mkdir()
        file.write_text(STATION.replace("CENTRAL", port).replace("MODBUS", modbus))
        return asyncio.run(_live(file, presses, stalls))
    finally:
        for process in (central, meter):
            process.kill()
            process.wait()


async def _live(file: Path, presses: int, stalls: bool) -> list[float]:
    factory = mock_pins()
    coil, mirror, stop = (factory.pin(f"GPIO{number}") for number in (17, 27, 6))
    for pin in (mirror, stop):
        pin.drive_low()
    fell = [0.0]

    def driven(high: bool) -> None:
        if not high:
            fell[0] = time.perf_counter()
        mirror.drive(high)

    coil.driven = driven
    gpio.open_chip = lambda _label: factory
    found = read_station(file)
    assert found.settings, found.errors
    app: Any = App(found.settings, found.checked)
    run = asyncio.create_task(app.run())
    await asyncio.sleep(3)
    times: list[float] = []
    if stalls:
        _stall(app._driver._storage, app)  # noqa: SLF001
    hand = threading.Thread(target=_press, args=(stop, fell, times, presses, asyncio.get_running_loop(), app))
    hand.start()
    await asyncio.to_thread(hand.join)
    app._stop()  # noqa: SLF001
    app._stop()  # noqa: SLF001
    await run
    return times


def _press(stop: Any, fell: list[float], times: list[float], presses: int, loop: Any, app: Any) -> None:
    while len(times) < presses:
        stop.drive_low()
        fell[0] = 0.0
        closed = threading.Event()
        loop.call_soon_threadsafe(_close, app, closed)
        closed.wait()
        time.sleep(0.2 + 0.1 * (len(times) % 7) / 7)
        if not stop._factory.pin("GPIO17")._state:  # noqa: SLF001 - the charts were quicker: nothing was closed
            continue
        pressed = time.perf_counter()
        stop.drive_high()
        if fell[0]:
            times.append(fell[0] - pressed)


def _close(app: Any, done: threading.Event) -> None:
    app._hardware.perform(CloseContactor(1))  # noqa: SLF001
    done.set()


def _stall(storage: SqliteStorage, app: Any) -> None:
    commit: Callable[[Any], None] = storage.commit

    def slow(changes: Any) -> None:
        time.sleep(0.5)
        commit(changes)

    storage.commit = slow  # type: ignore[method-assign]

    async def wear() -> None:
        from charger.ports import Change

        while True:
            slow((Change("bench", "stall", time.time()),))
            await asyncio.sleep(0.5)

    app.wear = asyncio.create_task(wear())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--presses", type=int, default=200)
    presses = parser.parse_args().presses
    logging.disable()
    print("| Besides | p50 | p99 | most |\n|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as name:
        for what, rate, stalls in LOADS:
            times = [1000 * one for one in measure(presses, rate, stalls, Path(name))]
            p99 = statistics.quantiles(times, n=100, method="inclusive")[98]
            print(
                f"| {what} | {statistics.median(times):.3f} ms | {p99:.3f} ms | {max(times):.3f} ms |",
                flush=True,
            )


if __name__ == "__main__":
    main()
