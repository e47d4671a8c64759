"""The first process of the virtual machine: brings the system up, and does what the other side of its console says.

A line on the console is a command: ``start FILE`` (a station, as systemd would: what is to be done after it
ended is done), ``kill``, ``stop``, ``pytest ARGUMENTS``, ``off``. What happens is printed there.
"""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

PYTHON = "/usr/bin/python3.11"
HOME = "/opt/charger"
ENVIRONMENT = {
    "PATH": "/bin:/usr/bin",
    "PYTHONPATH": f"{HOME}:/opt/python",
    "PYTHONDONTWRITEBYTECODE": "1",
    "LANG": "C.UTF-8",
    "HOME": "/root",
    "MALLOC_ARENA_MAX": "1",  # as the unit of the package has it
    "CHARGER_PANEL_TOKEN": "vm",
}


def busybox(*words: str) -> None:
    subprocess.run(["/bin/busybox", *words], check=True)


def say(text: str) -> None:
    print(text, flush=True)


def come_up() -> None:
    busybox("--install", "-s", "/bin")
    for kind, place in (("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev"), ("tmpfs", "/tmp")):
        busybox("mount", "-t", kind, kind, place)
    console = os.open("/dev/console", os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(console, stream)
    for module in sorted(Path("/modules").iterdir()):
        busybox("insmod", str(module))
    for words in (
        "ip link set lo up", "ip link set eth0 up", "ip addr add 10.0.2.15/24 dev eth0",
        "ip route add default via 10.0.2.2",
    ):  # fmt: skip
        busybox(*words.split())


class Service:
    """The station, and what systemd does around it."""

    def __init__(self, station: str) -> None:
        self.station = station
        self.process = self.program("run", station)
        threading.Thread(target=self._watch, daemon=True).start()

    def program(self, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([PYTHON, "-m", "charger", *words], cwd=HOME, env=ENVIRONMENT)

    def _watch(self) -> None:
        say(f"station ended: {self.process.wait()}")
        say(f"outputs off: {self.program('outputs-off', self.station).wait()}")


def contract(place: str) -> int:
    """The suite of the contract of hardware, with whoever listens at `place` for hands."""
    folders = f"{HOME}/tests/hardware:{HOME}/tests/vm"
    environment = {**ENVIRONMENT, "CHARGER_LINES": place}
    environment["PYTHONPATH"] += f":{folders}"
    words = "-m pytest -v --tb=short -o faulthandler_timeout=60 -p no:cacheprovider --rootdir tests/hardware --confcutdir tests/hardware"
    suite = "tests/hardware/test_contract.py"
    return subprocess.run([PYTHON, *words.split(), suite], cwd=HOME, env=environment, check=False).returncode


def main() -> None:
    come_up()
    service: Service | None = None
    say("ready")
    for line in sys.stdin:
        match line.split():
            case ["start", station]:
                service = Service(station)
            case ["kill"] if service:
                service.process.kill()
            case ["freeze"] if service:
                service.process.send_signal(signal.SIGSTOP)
            case ["memory"] if service:
                lines = Path(f"/proc/{service.process.pid}/smaps_rollup").read_text().splitlines()
                say("memory: " + next(line.split()[1] for line in lines if line.startswith("Rss")))
            case ["stop"] if service:
                service.process.terminate()
            case ["write", name, text]:
                Path(name).write_bytes(base64.b64decode(text))
                say(f"written {name}")
            case ["contract", place]:
                say(f"contract ended: {contract(place)}")
            case ["python", *words]:
                done = subprocess.run([PYTHON, *words], cwd=HOME, env=ENVIRONMENT, check=False)
                say(f"python ended: {done.returncode}")
            case ["off"]:
                busybox("poweroff", "-f")
            case _:
                say(f"cannot: {line.strip()}")


main()
