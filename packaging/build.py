"""Build dist/charger_VERSION_ARCH.deb: our wheel and its locked requirements in /opt/charger.

A virtual environment is unpacked wheels, a link to the system's Python and a pyvenv.cfg. Nothing of
the target is executed, so a package for arm64 is built on any machine. What is built twice from one commit is
the same, byte for byte.

    packaging/build.py [--arch arm64|amd64] [--python 3.11] [--out dist]
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
DEBIAN = ROOT / "packaging" / "debian"
sys.path.insert(0, str(ROOT))

from charger import __version__  # noqa: E402 - what is packed is what lies here

MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
"""Debian's name of an architecture → the wheels'. No 32 bit: PyYAML has no wheel for it."""
PLATFORMS = ("manylinux2014", "manylinux_2_28", "manylinux_2_34")
"""Wheels that work from glibc 2.34 on; Debian 12 has 2.36."""
PYTHONS = ("3.11", "3.12", "3.13")
"""Of Debian 12 and 13, and of what is between them."""
LEFT_OUT = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
"""Of pip: dpkg is the installer, and where the wheel lay is nobody's business."""
HOME = "opt/charger"
CONFIGURATION = "etc/charger"


def main() -> None:
    """Build it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arch", choices=MACHINES, default=said("dpkg", "--print-architecture"))
    parser.add_argument(
        "--python", choices=PYTHONS, default=None, help="of the target; left out: of this Debian"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    arguments = parser.parse_args()
    python = arguments.python or debian_python()
    os.umask(0o022)
    os.environ.setdefault("SOURCE_DATE_EPOCH", said("git", "-C", str(ROOT), "log", "-1", "--format=%ct"))
    arguments.out.mkdir(parents=True, exist_ok=True)
    file = arguments.out / f"charger_{debian_version()}_{arguments.arch}.deb"
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "tree"
        install_environment(tree / HOME, python, MACHINES[arguments.arch], Path(scratch))
        install_system(tree)
        install_configuration(tree / CONFIGURATION)
        make_plain(tree)
        write_control(tree, arguments.arch, python)
        run("dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(tree), str(file))


def debian_version() -> str:
    """Our version as Debian sorts it: 1.0rc1 and 1.0.dev1 come before 1.0."""
    return re.sub(r"\.?(a|b|rc|dev)(?=\d)", r"~\1", __version__)


def debian_python() -> str:
    """The Python of this Debian, whatever else is on the PATH."""
    version = said("/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    if version not in PYTHONS:
        sys.exit(
            f"this Debian has Python {version}, for which lgpio has no wheel: --python {' or '.join(PYTHONS)}"
        )
    return version


# -- what goes where ---------------------------------------------------------------------------------------


def install_environment(home: Path, python: str, machine: str, scratch: Path) -> None:
    """The virtual environment: libraries, the link to Python, and `charger`."""
    pip = (sys.executable, "-m", "pip", "-q", "--disable-pip-version-check")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(scratch), str(ROOT))
    (wheel,) = scratch.glob("charger-*.whl")
    lock = scratch / "requirements.lock"
    lock.write_text(runtime_lock(python, machine), encoding="utf-8")
    libraries = home / "lib" / f"python{python}" / "site-packages"
    platforms = [word for name in PLATFORMS for word in ("--platform", f"{name}_{machine}")]
    into = ("--no-deps", "--no-compile", "--target", str(libraries), "--only-binary=:all:")
    target = ("--python-version", python, "--implementation", "cp", *platforms)
    for what in (("--require-hashes", "-r", str(lock)), (str(wheel),)):
        run(*pip, "install", *into, *target, *what)
        shutil.rmtree(libraries / "bin", ignore_errors=True)  # scripts that name our Python, not the target's
    for file in libraries.glob("*.dist-info/*"):
        if file.name in LEFT_OUT:
            file.unlink()
    outside = "false" if has_lgpio(python) else "true"
    (home / "pyvenv.cfg").write_text(f"home = /usr/bin\ninclude-system-site-packages = {outside}\n")
    (home / "bin").mkdir()
    (home / "bin" / "python3").symlink_to("/usr/bin/python3")
    program = home / "bin" / "charger"
    program.write_text(
        f"#!/{HOME}/bin/python3\nfrom charger.cli import main\n\nif __name__ == '__main__':\n    main()\n"
    )
    program.chmod(0o755)


def has_lgpio(python: str) -> bool:
    """Whether lgpio has a wheel for it. If not, requirements.lock leaves it out, and the system's is used."""
    return int(python.split(".")[1]) < 13


def runtime_lock(python: str, machine: str) -> str:
    """The part of requirements.lock that the program needs on the target, to build it left out."""
    target = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": machine,
        "extra": "",
    }
    needed: set[str] = set()
    names = ["charger"]
    while names:
        for text in requires(names.pop()) or []:
            requirement = Requirement(text)
            name = canonicalize_name(requirement.name)
            if name not in needed and (requirement.marker is None or requirement.marker.evaluate(target)):
                needed.add(name)
                names.append(name)
    blocks = re.split(r"(?m)^(?=[a-z0-9])", (ROOT / "requirements.lock").read_text(encoding="utf-8"))
    return "".join(block for block in blocks if canonicalize_name(block.split("==")[0]) in needed)


def install_system(tree: Path) -> None:
    """The unit, the rules for devices, and the command."""
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/bin/charger").symlink_to(f"/{HOME}/bin/charger")
    for name, place in {
        "charger.service": "usr/lib/systemd/system/charger.service",
        "charger.rules": "usr/lib/udev/rules.d/60-charger.rules",
    }.items():
        (tree / place).parent.mkdir(parents=True)
        shutil.copy(DEBIAN / name, tree / place)
    pages = tree / "usr/share/doc/charger"
    shutil.copytree(ROOT / "stations", pages / "examples", ignore=shutil.ignore_patterns("data"))
    for page in ("docs/install.md", "docs/hardware.md", "CHANGELOG.md"):
        shutil.copy(ROOT / page, pages)


def install_configuration(folder: Path) -> None:
    """station.yaml and the charts, as files that an upgrade does not overwrite."""
    folder.mkdir(parents=True)
    shutil.copytree(ROOT / "charts", folder / "charts")
    text = (ROOT / "stations" / "simulated.yaml").read_text(encoding="utf-8")
    for pattern, line in (
        (r"(?m)^data: .*", "data: /var/lib/charger                # database and meter registers"),
        (r"(?m)^# charts: .*", "charts: charts                        # the behaviour: /etc/charger/charts"),
    ):
        text, found = re.subn(pattern, line, text)
        if found != 1:
            sys.exit(f"stations/simulated.yaml has no line like {pattern}")
    (folder / "station.yaml").write_text(text, encoding="utf-8")


def make_plain(tree: Path) -> None:
    """The modes that files have everywhere, whatever the umask of whoever builds."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.parent.name == "bin"
            path.chmod(0o755 if executable else 0o644)


def write_control(tree: Path, arch: str, python: str) -> None:
    """What dpkg wants to know."""
    folder = tree / "DEBIAN"
    folder.mkdir()
    minor = int(python.split(".")[1])
    size = sum(path.lstat().st_size for path in tree.rglob("*")) // 1024
    fields = {
        "VERSION": debian_version(),
        "ARCH": arch,
        "SIZE": str(size),
        "PYTHON": f"python3 (>= 3.{minor}), python3 (<< 3.{minor + 1})",
        "LGPIO": "" if has_lgpio(python) else ", python3-lgpio",
    }
    text = (DEBIAN / "control").read_text(encoding="utf-8")
    (folder / "control").write_text(re.sub(r"@(\w+)@", lambda word: fields[word[1]], text), encoding="utf-8")
    kept = sorted(path for path in (tree / CONFIGURATION).rglob("*") if path.is_file())
    (folder / "conffiles").write_text("".join(f"/{path.relative_to(tree)}\n" for path in kept))
    for script in ("postinst", "prerm", "postrm"):
        shutil.copy(DEBIAN / script, folder)
        (folder / script).chmod(0o755)


def said(*command: str) -> str:
    """What a command says."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()  # noqa: S603


def run(*command: str) -> None:
    """Run a command that must not fail."""
    subprocess.run(command, check=True)  # noqa: S603


if __name__ == "__main__":
    main()
