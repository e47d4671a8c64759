"""Checks of the wires. Every output is driven low and nothing is switched on; the station must not run.

`root` is the root of the file system, or a folder that plays it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from charger.board import Board, KernelPilot, SimulatedPilot
from charger.doctor.check import Check, fail, ok, warn
from charger.errors import HardwareError
from charger.hardware.parts import Lines
from charger.wiring import Wire, wires

SETTLE: Final = 0.5
"""s until a contactor that somebody had left on has opened."""
STUB: Final = "0.0.0.2"
"""The version of lgpio that package indexes have for a Python without a wheel: it does nothing."""
POWER_ON: Final = 85_000
"""m°C that a DS18B20 says when it was asked too early."""
PERSIST: Final = "sys/module/pinctrl_bcm2835/parameters/persist_gpio_outputs"
STRICT: Final = (
    "add dtparam=strict_gpiod to /boot/firmware/config.txt,"
    " or pinctrl_bcm2835.persist_gpio_outputs=n to cmdline.txt, and reboot"
)
AT_REST: Final = {
    "emergency stop": ("it is pressed", "pull it out"),
    "door": ("it stands open", "close it"),
    "mirror contact": (
        "it says that the contactor is closed, though the coil is off",
        "a welded contactor, or the wrong contact: it must be closed while the contactor is open",
    ),
    "residual current": ("the monitor has tripped", "reset it, and look for its supply"),
    "bolt of lock": ("the bolt is in", "it is drawn when the station starts"),
}
"""Contact → what it means that it is not as it is normally, and what to do."""
HARMLESS: Final = ("door", "bolt of lock")


# -- what is planned ---------------------------------------------------------------------------------------


def check_plan(board: Board) -> list[Check]:
    """What the board does not have, and somebody else must."""
    found = []
    if board.life is None:
        found.append(
            warn(
                "plan",
                "no `life` pin: should the processor stop, nothing in hardware opens the contactors",
                "wire a monostable or a watchdog board, see docs/hardware.md",
            )
        )
    if board.emergency_stop is None:
        found.append(
            warn("plan", "no emergency stop", "wire one, in series with the coils and as `emergency_stop`")
        )
    for number, outlet in enumerate(board.outlets, start=1):
        if isinstance(outlet.pilot, SimulatedPilot):
            fact = "the control pilot is simulated: whoever has the page closes the contactor"
            found.append(
                fail(
                    "plan",
                    f"connectors.{number}: {fact}",
                    "wire a pilot, see docs/hardware.md; until then no mains",
                )
            )
        if outlet.mirror is None:
            remedy = "wire the mirror contact of the contactor, and name it as `mirror`"
            found.append(warn("plan", f"connectors.{number}: no mirror contact: nobody sees a weld", remedy))
        if outlet.residual_current is None:
            remedy = "the installation needs a type B residual-current device for this connector"
            found.append(warn("plan", f"connectors.{number}: no residual-current monitor", remedy))
    return found


# -- GPIO --------------------------------------------------------------------------------------------------


def check_strict(root: Path) -> Check:
    """Whether lines are let go when their program ends. Otherwise a crash leaves contactors as they are."""
    try:
        kept = (root / PERSIST).read_text().strip().upper()
    except OSError:
        return warn(
            "strict",
            "the kernel does not say whether it keeps the outputs of a program that was killed",
            "try it: switch a lamp on, kill -9 the station, look; and wire the `life` pin",
        )
    if kept in ("Y", "1"):
        return fail("strict", "outputs stay on when the program is killed: a contactor stays closed", STRICT)
    return ok("strict", "outputs are let go when the program ends")


def check_library(name: str = "lgpio") -> Check:
    """Whether lgpio is there, and more than a name."""
    try:
        found = version(name)
    except PackageNotFoundError:
        return fail("gpio", f"{name} is missing", "sudo apt install python3-lgpio (Raspberry Pi OS has it)")
    if found == STUB:
        remedy = "sudo apt install python3-lgpio (Raspberry Pi OS has it), or use Python 3.11 or 3.12"
        return fail("gpio", f"{name} {found} is an empty shell, which indexes have for newer Pythons", remedy)
    return ok("gpio", f"{name} {found}")


def check_pins(
    board: Board,
    open_lines: Callable[[str], Lines],
    wait: Callable[[float], None] = time.sleep,
) -> list[Check]:
    """Claim every pin, outputs low first; then ask every contact what it says while nothing happens."""
    try:
        lines = open_lines(board.chip)
    except HardwareError as error:
        return [fail("gpio", str(error), "name the chip by its label as `board.chip`, see `gpiodetect`")]
    try:
        return list(_pins(board, lines, wait))
    finally:
        lines.close()


def _pins(board: Board, lines: Lines, wait: Callable[[float], None]) -> Iterator[Check]:
    trouble = claim_outputs(board, lines)
    yield from (_not_had(line) for line in trouble)
    outputs = sum(wire.output for wire in wires(board))
    yield ok("outputs", f"{outputs - len(trouble)} of {outputs} are ours, and low")
    wait(SETTLE)
    for wire in wires(board):
        if wire.contact:
            try:
                yield _contact(wire, active=lines.input(wire.contact).active())
            except (HardwareError, OSError) as error:
                yield _not_had(f"{wire.part}: {error}")


def claim_outputs(board: Board, lines: Lines) -> list[str]:
    """Claim all outputs, which drives them low; gives what cannot be had, and claims the rest."""
    trouble = []
    for wire in wires(board):
        try:
            if wire.output and wire.pin >= 0:
                lines.output(wire.pin)
        except HardwareError as error:
            trouble.append(f"{wire.part}: {error}")
    return trouble


def _not_had(trouble: str) -> Check:
    return fail("pins", trouble, "end what has it (`sudo gpioinfo` names it), or use another pin")


def _contact(wire: Wire, *, active: bool) -> Check:
    place = f"{wire.part} (GPIO {wire.pin})"
    known = next((words for part, words in AT_REST.items() if wire.part.startswith(part)), None)
    if known is None:
        return ok("contacts", f"{place} is {'active' if active else 'at rest'}")
    normally = wire.contact.normally if wire.contact else ""
    if not active:
        return ok("contacts", f"{place} is {normally}, as it should be")
    means, remedy = known
    fact = f"{place} is {'open' if normally == 'closed' else 'closed'}: {means}"
    if wire.part.startswith(HARMLESS):
        return warn("contacts", fact, remedy)
    return fail("contacts", fact, f"{remedy}; else a wire is broken, or `normally: {normally}` is wrong")


# -- devices -----------------------------------------------------------------------------------------------


def check_devices(board: Board, root: Path) -> list[Check]:
    """Whether every device that station.yaml names is there and may be opened."""
    named = {f"readers.{number}": reader.device for number, reader in enumerate(board.readers, start=1)}
    named |= {f"buses.{name}": bus.port for name, bus in board.buses.items() if bus.port}
    for number, outlet in enumerate(board.outlets, start=1):
        if isinstance(outlet.pilot, KernelPilot):
            named[f"connectors.{number}.pilot"] = f"/dev/spidev0.{outlet.pilot.adc}"
    found = [_device(name, device, root) for name, device in named.items()]
    for number, outlet in enumerate(board.outlets, start=1):
        if isinstance(outlet.pilot, KernelPilot):
            found.append(_pwm(f"connectors.{number}.pilot", outlet.pilot, root))
    if board.temperature:
        found.append(_temperature(board.temperature.sensor, root))
    return found


def _device(name: str, device: str, root: Path) -> Check:
    path = root / device.lstrip("/")
    if not path.exists():
        folder = path.parent
        there = sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []
        seen = (
            f"{Path(device).parent} has {', '.join(there[:8])}" if there else "is it plugged in and powered?"
        )
        remedy = "dtparam=spi=on in config.txt, and reboot" if "spidev" in device else seen
        return fail("devices", f"{name}: there is no {device}", remedy)
    if not os.access(path, os.R_OK):
        return fail("devices", f"{name}: {device} may not be read", "see the groups of the user above")
    return ok("devices", f"{name}: {device} is there")


def _pwm(name: str, pilot: KernelPilot, root: Path) -> Check:
    chip = root / f"sys/class/pwm/pwmchip{pilot.chip}"
    try:
        channels = int((chip / "npwm").read_text())
    except (OSError, ValueError):
        remedy = "dtoverlay=pwm-2chan in config.txt, and reboot; ls /sys/class/pwm names the chips"
        return fail("devices", f"{name}: there is no /sys/class/pwm/pwmchip{pilot.chip}", remedy)
    if pilot.channel >= channels:
        remedy = f"`channel` is 0 to {channels - 1}"
        return fail("devices", f"{name}: pwmchip{pilot.chip} has {channels} channels", remedy)
    return ok("devices", f"{name}: pwmchip{pilot.chip} has channel {pilot.channel}")


def _temperature(sensor: str, root: Path) -> Check:
    folder = root / "sys/bus/w1/devices"
    try:
        reading = int((folder / sensor / "temperature").read_text())
    except (OSError, ValueError):
        there = sorted(one.name for one in folder.glob("28-*"))
        known = (
            f"there are {', '.join(there)}" if there else "there is none: dtoverlay=w1-gpio in config.txt?"
        )
        return fail("devices", f"temperature: {sensor} does not answer", known)
    if reading == POWER_ON:
        return warn(
            "devices", "temperature: 85.0 °C is what it says before it measures", "look again; its supply?"
        )
    return ok("devices", f"temperature: {reading / 1000:.1f} °C")
