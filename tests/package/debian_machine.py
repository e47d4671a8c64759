"""A Debian of its own, with systemd as its process 1: namespaces on this kernel, no container program needed.

Needs root, debootstrap (once: the system is kept in build/) and the right to make namespaces. It has its own
processes, mounts, network and control groups; a board it has not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SUITES = {"bookworm": "3.11", "trixie": "3.13"}
"""Release of Debian → its Python."""
SUITE = os.environ.get("SUITE") or "bookworm"
PACKAGES = "python3,adduser,ca-certificates,systemd,systemd-sysv,dbus,procps"
PATIENCE = 90.0
"""s for whatever takes time, on a machine that is busy."""

BOOT = """
set -e
cd "$1"
mount --make-rprivate /
mount --bind . .
cd "$1"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
    touch dev/$device
    mount --bind /dev/$device dev/$device
done
ln -s /proc/self/fd dev/fd
mkdir dev/shm dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
touch dev/console
mount --bind "$2" dev/console
mkdir -p old
pivot_root . old
exec env -i container=charger-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    chroot . sh -c 'umount -l /old && exec /lib/systemd/systemd --system' >/dev/null 2>&1 </dev/null
"""


class Debian:
    """A machine that runs."""

    def __init__(self, root: Path, process: int) -> None:
        self.root = root
        self._process = process

    def run(self, *command: str, check: bool = True, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command as root; what it says comes as one text."""
        done = subprocess.run(
            [
                *("nsenter", "-t", str(self._process), "-m", "-u", "-i", "-n", "-p", "-C", "--root", "--wd"),
                *(
                    "env",
                    "-i",
                    "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                    "LC_ALL=C.UTF-8",
                    "DEBIAN_FRONTEND=noninteractive",
                ),
                *(f"{name}={value}" for name, value in environ.items()),
                *command,
            ],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=PATIENCE * 4,
        )
        if check and done.returncode:
            raise AssertionError(
                f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{self.journal()}"
            )
        return done

    def say(self, *command: str) -> str:
        """As `run`; what it says."""
        return self.run(*command).stdout.strip()

    def unit(self, name: str) -> str:
        """A property of the service."""
        return self.say("systemctl", "show", "--value", "-p", name, "charger.service")

    def until(self, name: str, value: str) -> None:
        """Wait until a property of the service has this value."""
        end = time.monotonic() + PATIENCE
        while self.unit(name) != value:
            assert time.monotonic() < end, f"{name} is {self.unit(name)}, not {value}\n{self.journal()}"
            time.sleep(0.2)

    def journal(self) -> str:
        done = self.run("journalctl", "-u", "charger", "--no-pager", "-o", "cat", "-n", "60", check=False)
        return f"\n-- journal --\n{done.stdout}"

    def put(self, file: Path) -> str:
        """Copy a file into it; its path there."""
        shutil.copy(file, self.root / "root")
        return f"/root/{file.name}"


def base() -> Path:
    """The bare system, made once and kept."""
    tar = ROOT / "build" / f"{SUITE}.tar"
    if not tar.exists():
        tar.parent.mkdir(exist_ok=True)
        folder = tar.with_suffix("")
        shutil.rmtree(folder, ignore_errors=True)
        command = ("debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(folder))
        subprocess.run([*command, "http://deb.debian.org/debian"], check=True, stdout=subprocess.DEVNULL)
        part = tar.with_suffix(".part")
        subprocess.run(["tar", "-C", folder, "-cf", part, "."], check=True)
        part.rename(tar)
        shutil.rmtree(folder)
    return tar


def why_not() -> str:
    """Why there can be none here; empty: there can."""
    if os.geteuid():
        return "only root can make a machine"
    if not shutil.which("debootstrap") and not (ROOT / "build" / f"{SUITE}.tar").exists():
        return "apt install debootstrap"
    flags = ("--mount", "--pid", "--fork", "--net", "--cgroup")
    if subprocess.run(["unshare", *flags, "true"], capture_output=True, check=False).returncode:
        return "no namespaces here"
    return ""


@contextmanager
def booted(folder: Path) -> Iterator[Debian]:
    """A machine that has come up; ended with everything in it."""
    root, console = folder / "root", folder / "console.txt"
    root.mkdir()
    console.touch()
    subprocess.run(["tar", "-C", root, "-xf", base()], check=True)
    groups = folder / "cgroup"
    groups.mkdir()
    subprocess.run(["mount", "-t", "cgroup2", "cgroup2", groups], check=True)
    own = groups / f"charger-test-{os.getpid()}"
    own.mkdir()
    flags = ("--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc", "--net", "--cgroup")
    boot = ("sh", "-c", BOOT, "boot", str(root), str(console))
    enter = ("sh", "-c", f'echo $$ > {own}/cgroup.procs && exec "$@"', "enter")
    outer = subprocess.Popen([*enter, "unshare", *flags, *boot])
    try:
        machine = Debian(root, _child(outer))
        end = time.monotonic() + PATIENCE
        while machine.run("systemctl", "is-system-running", check=False).stdout.strip() not in (
            "running",
            "degraded",
        ):
            assert outer.poll() is None, f"it does not boot: {console.read_text()}"
            assert time.monotonic() < end, console.read_text()
            time.sleep(0.2)
        yield machine
    finally:
        outer.kill()  # and with it process 1, and with that everything in its namespace
        outer.wait()
        _remove(own)
        subprocess.run(["umount", groups], check=True)


def _child(outer: subprocess.Popen[bytes]) -> int:
    """Process 1 of the machine, as this one counts."""
    children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
    end = time.monotonic() + PATIENCE
    while not (found := children.read_text().split()):
        assert time.monotonic() < end
        assert outer.poll() is None, "no namespace could be made"
        time.sleep(0.05)
    return int(found[0])


def _remove(group: Path) -> None:
    """A control group and those that systemd made in it, once their processes have gone."""
    end = time.monotonic() + PATIENCE
    for folder in [*sorted(group.rglob("*/"), reverse=True), group]:
        while True:
            try:
                folder.rmdir()
                break
            except OSError:
                if time.monotonic() > end:
                    pytest.fail(f"{folder} is not empty")
                time.sleep(0.05)
