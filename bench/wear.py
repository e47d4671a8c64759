"""What a day writes to the SD card, and what an idle station costs: bytes, memory, CPU.

The day is one of ordinary use (see `SESSIONS`) in virtual time, with the whole station and its real database in a
temporary folder of the disk; the kernel counts what is written (``write_bytes`` of /proc/self/io, whole pages and
the log of SQLite included). The file system's own journal comes on top and is not counted. Idle is a real process
with its page open in a client, for `--seconds`.

    python bench/wear.py [--seconds 60] [--folder /var/tmp]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from rig import Rig  # noqa: E402
from run import cpu_seconds, memory  # noqa: E402

from charger.hardware import simulated  # noqa: E402
from charger.storage import SqliteStorage  # noqa: E402

DAY = 86_400.0
SESSIONS = (
    *((5.0, 2, 1.0), (7.0, 1, 2.5), (8.5, 2, 1.0), (11.0, 1, 3.0), (14.0, 2, 4.0), (15.5, 1, 2.0)),
    *((18.0, 1, 5.0), (19.5, 2, 4.0)),
)
"""Hour, connector, hours: a busy public station of two sockets, 22.5 hours of charging a day."""
CONFIGURATION = {
    "HeartbeatInterval": "300",
    "MeterValueSampleInterval": "60",
    "ClockAlignedDataInterval": "900",
    "StopTxnSampledData": "Energy.Active.Import.Register",
    "WebSocketPingInterval": "60",
}


def written() -> int:
    """Bytes that this process has caused to be written to a disk."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


def day(folder: Path) -> tuple[int, int]:
    """Bytes and commits of one day."""
    simulated.SAMPLE_PERIOD = 10.0
    store: Any = SqliteStorage(folder)
    commits = [0]
    commit = store.commit

    def counted(changes: Any) -> None:
        commits[0] += 1
        commit(changes)

    store.commit = counted
    rig = Rig(2, storage=store, **CONFIGURATION)
    os.sync()
    before, first = written(), commits[0]
    acts = [(hour * 3600, "plug", place) for hour, place, _ in SESSIONS]
    acts += [((hour + long) * 3600, "unplug", place) for hour, place, long in SESSIONS]
    passed = 0.0
    for moment, act, place in sorted(acts):
        rig.after(moment - passed)
        passed = moment
        if act == "plug":
            rig.plug(place)
            rig.after(2)
            rig.swipe(f"CARD{place}", None)
            passed += 2
        else:
            rig.swipe(f"CARD{place}", None)
            rig.after(15)
            passed += 15
            rig.unplug(place)
    rig.after(DAY - passed)
    assert len(rig.sent("StopTransaction")) == len(SESSIONS)
    store.close()
    os.sync()
    return written() - before, commits[0] - first


def idle(seconds: float, folder: Path) -> tuple[float, float, float]:
    """RSS and PSS in MiB, and CPU in percent of one core, of a station with its page open."""
    station = folder / "station.yaml"
    text = (ROOT / "stations" / "simulated.yaml").read_text()
    station.write_text(
        text.replace("data: ./data", f"data: {folder}/data")
        .replace(":9000/", ":19000/")
        .replace(":8016", ":18016")
    )
    charger = [sys.executable, "-m", "charger"]
    csms = subprocess.Popen([*charger, "csms", "--quiet", "--port", "19000"], cwd=ROOT)
    process = subprocess.Popen([*charger, "run", "--quiet", str(station)], cwd=ROOT)
    try:
        page = _open("http://127.0.0.1:18016/events")
        time.sleep(10)
        before = cpu_seconds(process.pid)
        time.sleep(seconds)
        used = cpu_seconds(process.pid) - before
        pss, rss = memory(process.pid)
        page.close()
        return rss, pss, 100 * used / seconds
    finally:
        for one in (process, csms):
            one.terminate()
            one.wait()


def _open(url: str) -> Any:
    due = time.monotonic() + 30
    while True:
        try:
            return urllib.request.urlopen(url, timeout=30)
        except OSError:
            if time.monotonic() > due:
                raise
            time.sleep(0.2)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="on the disk to be counted")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        bytes_, commits = day(Path(name) / "day")
        print(f"a day of {len(SESSIONS)} sessions: {bytes_ / 1e6:.1f} MB written, {commits} commits")
        rss, pss, cpu = idle(arguments.seconds, Path(name))
        print(f"idle with the page open: RSS {rss:.1f} MiB, PSS {pss:.1f} MiB, CPU {cpu:.2f} % of a core")


if __name__ == "__main__":
    main()
