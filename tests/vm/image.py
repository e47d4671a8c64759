"""What the virtual machine boots: Debian's own arm64 kernel, and a small system around Python, all from packages.

Nothing foreign is executed here and nobody needs to be root: Debian packages and wheels are only unpacked. What
was downloaded is kept in ``build/vm``.
"""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
BUILD = ROOT / "build" / "vm"
PACKAGES = ("python3.11", "busybox-static", "libyaml-0-2")
MODULES = (*("virtio_mmio", "failover", "net_failover", "virtio_net", "evdev", "virtio_input"),)
"""Of the kernel, in the order in which they are loaded; those built in are left out."""
TESTING = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")
"""What the suite of the contract needs in there, besides what the program needs."""


def kernel() -> Path:
    """The kernel's image."""
    return next((_unpacked_kernel() / "boot").glob("vmlinuz-*"))


def initramfs() -> Path:
    """Everything else: built anew each time, from what was downloaded."""
    system = Path(tempfile.mkdtemp(dir=_made(BUILD)))
    try:
        for package in sorted(_packages().glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", package, system], check=True)
        _prune(system)
        for wheel in sorted(_wheels().glob("*.whl")):
            shutil.unpack_archive(wheel, system / "opt" / "python", "zip")
        for folder in ("charger", "charts", "meters", "stations", "tests"):
            if (ROOT / folder).exists():
                ignored = shutil.ignore_patterns("__pycache__", "data", "*.svg")
                shutil.copytree(ROOT / folder, system / "opt" / "charger" / folder, ignore=ignored)
        modules = _made(system / "modules")
        for number, name in enumerate(MODULES):
            for found in _unpacked_kernel().rglob(f"{name}.ko"):
                shutil.copy(found, modules / f"{number:02}-{name}.ko")
        for folder in ("proc", "sys", "dev", "tmp", "run", "root"):
            _made(system / folder)
        (system / "init").write_text(
            "#!/bin/busybox sh\nexec /usr/bin/python3.11 -B /opt/charger/tests/vm/guest.py\n"
        )
        (system / "init").chmod(0o755)
        return _archive(system)
    finally:
        shutil.rmtree(system)


def _archive(system: Path) -> Path:
    names = b"\0".join(bytes(path.relative_to(system)) for path in sorted(system.rglob("*")))
    packed = subprocess.run(
        ["cpio", "--null", "--create", "--quiet", "--format=newc", "--owner=0:0"],
        input=names, cwd=system, stdout=subprocess.PIPE, check=True,
    ).stdout  # fmt: skip
    image = BUILD / "initramfs.gz"
    image.write_bytes(gzip.compress(packed, 1))
    return image


def _prune(system: Path) -> None:
    for folder in ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/lib/python3.11/test"):
        shutil.rmtree(system / folder, ignore_errors=True)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


# -- downloads -----------------------------------------------------------------------------------------


def _apt(*command: str) -> str:
    """Apt for another architecture than ours, with lists and an empty status of its own."""
    state = _made(BUILD / "apt")
    _made(state / "lists" / "partial")
    _made(state / "cache" / "archives" / "partial")
    (state / "status").touch()
    configuration = state / "apt.conf"
    configuration.write_text(
        'APT::Architecture "arm64";\nAPT::Architectures { "arm64"; };\nDebug::NoLocking "1";\n'
        f'Dir::State "{state}";\nDir::State::Lists "{state}/lists";\nDir::State::status "{state}/status";\n'
        f'Dir::Cache "{state}/cache";\nAPT::Sandbox::User "";\n'
    )
    environment = {**os.environ, "APT_CONFIG": str(configuration), "LC_ALL": "C"}
    done = subprocess.run(
        command, env=environment, cwd=state / "cache", check=True, capture_output=True, text=True
    )
    return done.stdout


def _packages() -> Path:
    archives = BUILD / "apt" / "cache" / "archives"
    if not any(archives.glob("python3.11_*.deb")):
        _apt("apt-get", "update", "-qq")
        _apt("apt-get", "install", "-y", "-qq", "--no-install-recommends", "--download-only", *PACKAGES)
    return archives


def _unpacked_kernel() -> Path:
    folder = BUILD / "kernel"
    if not folder.exists():
        _packages()
        newest = _apt("apt-cache", "depends", "linux-image-arm64").split("Depends: ")[1].split()[0]
        _apt("apt-get", "download", "-qq", newest)
        (package,) = (BUILD / "apt" / "cache").glob("linux-image-*.deb")
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
    return folder


def _wheels() -> Path:
    """Of requirements.lock as they are on an arm64 machine, hashes and all."""
    folder = BUILD / "wheels"
    lock = (ROOT / "requirements-dev.lock").read_text()
    if not (folder / "lock").exists() or (folder / "lock").read_text() != lock:
        shutil.rmtree(folder, ignore_errors=True)
        _made(folder)
        wanted = folder / "wanted.lock"
        base = (ROOT / "requirements.lock").read_text()
        blocks = [block for block in lock.split("\n") if block]
        wanted.write_text(base + "".join(_entry(blocks, name) for name in TESTING))
        platforms = ("manylinux_2_34_aarch64", "manylinux_2_28_aarch64", "manylinux2014_aarch64")
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps",
             "--only-binary=:all:", "--python-version", "311", "--implementation", "cp",
             *(f"--platform={one}" for one in platforms), "-d", folder, "-r", wanted],
            check=True,
        )  # fmt: skip
        (folder / "lock").write_text(lock)
    return folder


def _entry(lines: list[str], name: str) -> str:
    """The lines of one requirement in a lock."""
    at = next(number for number, line in enumerate(lines) if line.startswith(f"{name}=="))
    end = at
    while lines[end].endswith("\\"):
        end += 1
    return "\n".join(lines[at : end + 1]) + "\n"
