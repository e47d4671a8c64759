"""Our station beside a minimal charge point and beside bare frames: one table, measured in one run.

Each subject is a process of its own and holds the same conversation with the same Central System process
(central.py: SESSION says which). Machines are shared and noisy, so the subjects take turns, the numbers are
medians, and what counts are the ratios within one run. Everything happens on the loopback, on ports that
were free, in a temporary folder; whatever happens, every process is ended.

    python bench/run.py [--quick] [--against OTHER/CHECKOUT] [--only charger,minimal]
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import queue
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
TICK = os.sysconf("SC_CLK_TCK")
MIB = 1024.0
"""KiB."""
PATIENCE = 20.0
"""s for a process to say the next thing."""
IDLE = 10.0
"""s from BootNotification to the look at the memory."""
PACED = 30
"""Sessions with a pause between them, for the latency; they warm up as well."""
PAUSE = 0.03

WAITS = (
    ("pilot.yaml", "after: {3s: Silent}", "after: {1ms: Silent}"),  # state x1 lasts 3 s before a new offer
    ("connector.yaml", "after: {1s: Locking}", "after: {1ms: Locking}"),  # Preparing is shown for 1 s
)
"""Where the shipped charts let time pass between two sessions on a connector. The copy of them that is measured
does not: what counts is the work, not the waiting."""
FEWEST = 20
"""Sessions in a measurement. With less, a clock tick of 10 ms and cold caches are most of a session's CPU."""

STATION = """\
id: {name}
vendor: Bench
model: Charger
central: {{url: "ws://127.0.0.1:{central}/ocpp"}}
charts: {charts}
data: {data}
panel: 127.0.0.1:{panel}
hardware: simulated
connectors: [{{cable: fixed, phases: 3, max_current: 32}}]
simulation: {{power: 7400, contactor_delay: 0, lock_delay: 0, car_delay: 0}}
"""

Samples = dict[str, list[float]]


class BenchError(Exception):
    """A number cannot be had."""


BYTECODE = tempfile.TemporaryDirectory(prefix="charger-bench-pyc-")


def environment() -> dict[str, str]:
    """Compiled modules are kept, as they are where software is installed, but not in anybody's checkout."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("CHARGER_")}
    own.pop("PYTHONDONTWRITEBYTECODE", None)
    return own | {"PYTHONPYCACHEPREFIX": BYTECODE.name}


# -- processes -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def process(words: list[str], log: Path, cwd: Path, **pipes: int) -> Iterator[subprocess.Popen]:
    """A process that is gone afterwards; what it says, unless through a pipe, is in `log`."""
    with log.open("ab") as said:
        out = pipes.pop("stdout", said)
        one = subprocess.Popen(words, cwd=cwd, env=environment(), stderr=said, stdout=out, **pipes)
    try:
        yield one
    except BenchError as error:
        raise BenchError(f"{error}\n{' '.join(words)}:\n{log.read_text()[-2000:]}") from error
    finally:
        if one.poll() is None:
            one.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                one.wait(5)
        one.kill()
        one.wait()
        for pipe in (one.stdin, one.stdout):
            if pipe:
                pipe.close()


class Central:
    """The Central System process: orders in, results out."""

    def __init__(self, running: subprocess.Popen) -> None:
        self._running = running
        self._said: queue.Queue[dict] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.port = int(self.hear("port")["port"])

    def _read(self) -> None:
        for line in self._running.stdout:
            self._said.put(json.loads(line))

    def hear(self, what: str, patience: float = PATIENCE) -> dict:
        """The next thing it says, which must be this."""
        try:
            said = self._said.get(timeout=patience)
        except queue.Empty:
            raise BenchError(f"the Central System did not say '{what}' within {patience:.0f} s") from None
        if what not in said:
            raise BenchError(str(said.get("error", said)))
        return said

    def sessions(self, subject: str, *, seconds: float = 60.0, most: int = 10**6, pause: float = 0.0) -> dict:
        """Let a subject charge, time after time."""
        order = {"subject": subject, "seconds": seconds, "most": most, "pause": pause}
        self._running.stdin.write(json.dumps(order).encode() + b"\n")
        self._running.stdin.flush()
        return self.hear("count", seconds + PATIENCE)


@dataclass
class Subject:
    """What is measured, and how to start it."""

    name: str
    prepare: Callable[[str, Path, int], tuple[list[str], Path, int | None]]
    """From name, folder and the Central System's port to command, working directory and port of the page."""


def script(file: str) -> Callable[[str, Path, int], tuple[list[str], Path, int | None]]:
    """A subject that is a script beside this one."""

    def prepare(name: str, folder: Path, central: int) -> tuple[list[str], Path, int | None]:
        return [sys.executable, str(HERE / file), f"ws://127.0.0.1:{central}/ocpp/{name}"], folder, None

    return prepare


def station(root: Path) -> Callable[[str, Path, int], tuple[list[str], Path, int | None]]:
    """Our station, from a checkout."""

    def prepare(name: str, folder: Path, central: int) -> tuple[list[str], Path, int | None]:
        charts = folder / "charts"
        shutil.copytree(root / "charts", charts)
        for file, waiting, at_once in WAITS:
            (charts / file).write_text((charts / file).read_text().replace(waiting, at_once))
        panel = free_port()
        text = STATION.format(name=name, central=central, charts=charts, data=folder / "data", panel=panel)
        (folder / "station.yaml").write_text(text)
        return [sys.executable, "-m", "charger", "run", str(folder / "station.yaml")], root, panel

    return prepare


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def plug(panel: int) -> None:
    """Through the API of our station, which may not listen yet."""
    address = f"http://127.0.0.1:{panel}/sim/connectors/1/plug"
    end = time.monotonic() + PATIENCE
    while True:
        try:
            urllib.request.urlopen(urllib.request.Request(address, b"", method="POST"), timeout=5).close()
        except urllib.error.HTTPError as error:
            raise BenchError(f"plug: {error} {error.read()!r}") from error
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            return


# -- what /proc says -----------------------------------------------------------------------------------


def cpu_seconds(pid: int) -> float:
    """User and system time of all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory(pid: int) -> tuple[float, float]:
    """PSS and RSS, MiB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    pss, rss = (int(re.search(rf"^{what}:\s+(\d+) kB", text, re.M)[1]) for what in ("Pss", "Rss"))
    return pss / MIB, rss / MIB


# -- measuring -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def started(subject: Subject, central: Central, samples: Samples) -> Iterator[tuple[int, int | None]]:
    """A running subject that has just said BootNotification."""
    with tempfile.TemporaryDirectory(prefix="charger-bench-") as name:
        folder = Path(name)
        words, cwd, panel = subject.prepare(subject.name, folder, central.port)
        begun = time.monotonic()
        with process(words, folder / "log", cwd) as running:
            samples["start"].append(central.hear("boot")["at"] - begun)
            yield running.pid, panel


def measure(subject: Subject, central: Central, samples: Samples, seconds: float) -> None:
    """Everything about one subject, once."""
    with started(subject, central, samples) as (pid, panel):
        time.sleep(IDLE)
        pss, rss = memory(pid)
        samples["pss"].append(pss)
        samples["rss"].append(rss)
        if panel:
            plug(panel)
        paced = central.sessions(subject.name, most=PACED, pause=PAUSE)
        latencies = sorted(1000 * latency for latency in paced["latencies"][5:])
        samples["p50"].append(statistics.median(latencies))
        samples["p95"].append(latencies[int(len(latencies) * 0.95)])
        before = cpu_seconds(pid)
        done = central.sessions(subject.name, seconds=seconds)
        if done["count"] < FEWEST:
            raise BenchError(
                f"{subject.name}: {done['count']} sessions in {seconds} s: a wait that is not in WAITS?"
            )
        samples["cpu"].append(1000 * (cpu_seconds(pid) - before) / done["count"])
        samples["rate"].append(done["count"] / done["seconds"])
        samples["pss later"].append(memory(pid)[0])


def chart_events(root: Path, samples: Samples, seconds: float) -> None:
    """The charts alone, in virtual time."""
    words = [sys.executable, str(HERE / "charts.py"), str(root / "charts"), str(seconds)]
    told = subprocess.run(
        words, cwd=root, env=environment() | {"PYTHONPATH": str(root)}, capture_output=True, check=False
    )
    if told.returncode:
        raise BenchError(told.stderr.decode())
    result = json.loads(told.stdout)
    for what in ("cold", "warm"):
        samples[what].append(result[what])


def fsync_ms() -> float:
    """What making 4 KiB durable costs where the stations keep their facts."""
    with tempfile.TemporaryFile(buffering=0) as file:
        times = []
        for _ in range(50):
            file.write(b"x" * 4096)
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(1000 * (time.perf_counter() - begun))
    return statistics.median(times)


# -- telling -------------------------------------------------------------------------------------------

ROWS = (
    ("start", "exec → BootNotification received, s", 2),
    ("pss", "PSS idle, 10 s after BootNotification, page enabled, MiB", 1),
    ("rss", "RSS then, MiB", 1),
    ("pss later", "PSS after all sessions, MiB", 1),
    ("p50", "RemoteStartTransaction → answer, p50, ms", 2),
    ("p95", "RemoteStartTransaction → answer, p95, ms", 2),
    ("rate", "sessions/s, back to back", 1),
    ("cpu", "CPU per session, ms", 2),
    ("cold", "chart events/s, cold", 0),
    ("warm", "chart events/s, warm", 0),
)


def header(load: tuple[float, ...]) -> str:
    """Where and when this was measured."""
    words = [f"{name} {importlib.metadata.version(name)}" for name in ("ocpp", "websockets")]
    return "\n".join(
        (
            f"# Bench, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            "",
            f"- machine: {cpu_model()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
            f"- {platform.python_implementation()} {platform.python_version()}, {', '.join(words)}",
            f"- load average {load[0]:.2f} before, {os.getloadavg()[0]:.2f} after; fdatasync {fsync_ms():.2f} ms",
        )
    )


def cpu_model() -> str:
    """As /proc/cpuinfo names it; on a small board the board."""
    found = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    return found[1].strip() if found else platform.machine()


def table(results: dict[str, Samples], baseline: str) -> str:
    """Medians, the spread where there is one, and the ratio to the baseline."""
    names = list(results)
    ours = [name for name in names if name.startswith("charger")]
    ratios = [name for name in ours if baseline in results]
    lines = [
        " | ".join(["", *names, *(f"{name} ÷ {baseline}" for name in ratios)]),
        "|".join(["---"] + ["---:"] * (len(names) + len(ratios))),
    ]
    for key, label, digits in ROWS:
        cells = [cell(results[name].get(key), digits) for name in names]
        for name in ratios:
            ours, theirs = results[name].get(key), results[baseline].get(key)
            comparable = ours and theirs
            cells.append(f"{statistics.median(ours) / statistics.median(theirs):.2f}" if comparable else "–")
        lines.append(" | ".join([label, *cells]))
    return "\n".join(f"| {line.strip()} |" if "---" not in line else f"|{line}|" for line in lines)


def cell(values: list[float] | None, digits: int) -> str:
    """``median (least–most)``."""
    if not values:
        return "–"
    shown = f"{statistics.median(values):.{digits}f}"
    return f"{shown} ({min(values):.{digits}f}–{max(values):.{digits}f})" if len(values) > 1 else shown


NOTES = """\
raw: prepared frames over websockets and json, no charge point. minimal: PyPI ocpp's ChargePoint, validation on, \
no page, no database. A session is 16 frames: RemoteStart, Authorize, Preparing, StartTransaction, Charging, \
RemoteStop, Finishing, StopTransaction, each with its answer; the cable stays in. Our station also writes its \
facts to disk (5 commits per session, each an fsync: its sessions/s are the disk's too; `TMPDIR=/dev/shm` leaves \
the disk out), logs every step, serves its page, and runs the shipped charts without their \
waits between two sessions (3 s of state x1, 1 s of Preparing). \
Chart events/s are measured without all that. PSS shares the pages of Python among the processes that run: \
alone, a process has up to its RSS. Brackets: least and most."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="less than a minute; otherwise less than five")
    parser.add_argument("--against", type=Path, help="another checkout of ours, measured beside this one")
    parser.add_argument("--only", help="some of the subjects, comma-separated")
    arguments = parser.parse_args()
    rounds, starts, seconds = (1, 2, 2.5) if arguments.quick else (3, 4, 8.0)

    roots = {"charger": ROOT}
    if arguments.against:
        roots["charger-other"] = arguments.against.resolve()
    subjects = [Subject("raw", script("raw.py")), Subject("minimal", script("minimal.py"))]
    subjects += [Subject(name, station(root)) for name, root in roots.items()]
    if arguments.only:
        subjects = [subject for subject in subjects if subject.name in arguments.only.split(",")]

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that `finally` ends the processes
    load = os.getloadavg()
    results: dict[str, Samples] = {subject.name: defaultdict(list) for subject in subjects}
    with tempfile.TemporaryDirectory(prefix="charger-bench-") as folder:
        words = [sys.executable, str(HERE / "central.py")]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with process(words, Path(folder) / "log", HERE, **pipes) as running:
            central = Central(running)
            for subject in subjects:  # not measured: compiles what is not compiled, fills the page cache
                with started(subject, central, defaultdict(list)):
                    pass
            for turn in range(max(rounds, starts)):
                order = subjects[turn % len(subjects) :] + subjects[: turn % len(subjects)]
                for subject in order:
                    if turn < starts:
                        with started(subject, central, results[subject.name]):
                            pass
                    if turn < rounds:
                        print(f"{subject.name}, round {turn + 1} of {rounds}", file=sys.stderr)
                        measure(subject, central, results[subject.name], seconds)
                if turn < rounds:
                    for name, root in roots.items():
                        if name in results:
                            chart_events(root, results[name], 2.0)
    print(header(load), table(results, "minimal"), NOTES, sep="\n\n")


if __name__ == "__main__":
    try:
        main()
    except BenchError as problem:
        sys.exit(f"bench: {problem}")
