"""A virtual machine with real lines: QEMU emulates an arm64 board with a PL061, whose lines are moved from here.

``-qtest`` sets levels of input lines and reads the chip's registers, QMP presses keys of a keyboard, the console
takes commands (`guest.py`).
"""

from __future__ import annotations

import base64
import json
import queue
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import image

GPIODATA, GPIODIR = 0x090303FC, 0x09030400
"""Registers of the PL061 of the board ``virt`` (Arm DDI 0190)."""
PATIENCE = 300.0


class _Line:
    """A socket that speaks lines."""

    def __init__(self, path: Path) -> None:
        due = time.monotonic() + PATIENCE
        self._socket = socket.socket(socket.AF_UNIX)
        while True:
            try:
                self._socket.connect(str(path))
                break
            except OSError:
                if time.monotonic() > due:
                    raise
                time.sleep(0.05)
        self._socket.settimeout(PATIENCE)
        self._file = self._socket.makefile("rw", encoding="ascii", newline="\n")
        self._lock = threading.Lock()

    def ask(self, text: str, answer: str = "OK") -> str:
        with self._lock:
            self.write(text)
            while not (line := self._file.readline()).startswith(answer):
                assert line, "the machine is gone"
            return line.strip()

    def write(self, text: str) -> None:
        self._file.write(text + "\n")
        self._file.flush()

    def read(self) -> str:
        return self._file.readline()

    def close(self) -> None:
        self._file.close()
        self._socket.close()


class Machine:
    """One running machine."""

    def __init__(self, ports: dict[int, int] | None = None) -> None:
        """Boot it.

        Args:
            ports: of ours → of the machine, to be forwarded.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="vm-"))
        self.said: list[str] = []
        self._news: queue.Queue[str] = queue.Queue()
        forwards = "".join(
            f",hostfwd=tcp:127.0.0.1:{ours}-:{theirs}" for ours, theirs in (ports or {}).items()
        )
        self._process = subprocess.Popen(
            [
                "qemu-system-aarch64", "-M", "virt", "-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "1024",
                "-kernel", image.kernel(), "-initrd", image.initramfs(),
                "-append", "console=ttyAMA0 quiet panic=-1", "-nographic", "-no-reboot", "-serial", "stdio",
                "-monitor", "none", "-nodefaults",
                "-qtest", f"unix:{self._folder}/qtest,server=on,wait=off", "-qtest-log", "/dev/null",
                "-qmp", f"unix:{self._folder}/qmp,server=on,wait=off",
                "-netdev", f"user,id=net{forwards}", "-device", "virtio-net-device,netdev=net",
                "-global", "virtio-mmio.force-legacy=false",
                "-device", "virtio-keyboard-device",
            ],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._listening = threading.Thread(target=self._listen)
        self._listening.start()
        self._qtest = _Line(self._folder / "qtest")
        self._qmp = _Line(self._folder / "qmp")
        self._qmp.read()
        self.monitor("qmp_capabilities")
        self._chip = self._find_chip()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._listening.join()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            pipe.close()
        self._qtest.close()
        self._qmp.close()
        shutil.rmtree(self._folder)

    # -- console -------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            text = line.decode(errors="replace").rstrip()
            self.said.append(text)
            self._news.put(text)
        self._news.put("(the machine has ended)")

    def say(self, command: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(command.encode() + b"\n")
        self._process.stdin.flush()

    def write(self, path: str, text: str) -> None:
        """Write a file in there."""
        self.say(f"write {path} {base64.b64encode(text.encode()).decode()}")
        self.hear(f"written {path}")

    def hear(self, part: str, seconds: float = PATIENCE) -> str:
        """The next line of the console with that in it."""
        due = time.monotonic() + seconds
        while True:
            try:
                line = self._news.get(timeout=max(0.0, due - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {part!r} on the console:\n" + "\n".join(self.said[-40:])) from None
            if part in line:
                return line
            assert line != "(the machine has ended)", "\n".join(self.said[-40:])

    # -- keyboard and lines --------------------------------------------------------------------------------

    def monitor(self, command: str, **arguments: object) -> object:
        text = self._qmp.ask(json.dumps({"execute": command, "arguments": arguments}), '{"return"')
        return json.loads(text)["return"]

    def _find_chip(self) -> str:
        found = self.monitor("qom-list", path="/machine/unattached")
        assert isinstance(found, list)
        name = next(one["name"] for one in found if one["type"] == "child<pl061>")
        return f"/machine/unattached/{name}"

    def type(self, text: str) -> None:
        """Type on the keyboard."""
        for key in (*text, "ret"):
            self.monitor("send-key", keys=[{"type": "qcode", "data": key}])

    def set(self, line: int, level: int) -> None:
        """Move an input line."""
        self._qtest.ask(f"set_irq_in {self._chip} unnamed-gpio-in {line} {level}")

    def driven(self) -> int:
        """The lines that are driven high. One that nobody drives is low: on a board there is a resistor to ground."""
        data, outputs = (
            int(self._qtest.ask(f"readl {one:#x}").split()[1], 16) for one in (GPIODATA, GPIODIR)
        )
        return data & outputs
