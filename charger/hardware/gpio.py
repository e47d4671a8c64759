"""GPIO: the contract `parts.Lines` on gpiozero, and the search for the chip.

The chip is found by its label, since its number depends on the kernel and on the board. The pin factory is
built by name and handed on: gpiozero's own choice would go from one library to the next, with a warning only.
Nothing is debounced here (`debounce.py`), and nothing knows what a pin is for.
"""

from __future__ import annotations

import fcntl
import logging
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gpiozero import DigitalInputDevice, DigitalOutputDevice
from gpiozero.exc import GPIOPinInUse, PinInvalidPin, PinUnknownPi

from charger.board import PI_CHIPS, Contact
from charger.errors import HardwareError

_log = logging.getLogger(__name__)

_CHIP_INFO: Final = 0x8044B401
"""GPIO_GET_CHIPINFO_IOCTL of linux/gpio.h: name and label, 32 bytes each, and the number of lines."""
_LAYOUT: Final = "32s32sI"
_PI_4B: Final = 0xC03115
"""The revision that gpiozero is told of a board that is no Raspberry Pi: lines 0 to 27 are GPIO 0 to 27."""


# -- the chip ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChipFound:
    """A GPIO chip of this machine."""

    number: int
    """Of /dev/gpiochipN."""
    label: str
    lines: int
    trouble: str = ""
    """Why it cannot be asked."""

    def __str__(self) -> str:
        return f"gpiochip{self.number} " + (self.trouble or f"'{self.label}' ({self.lines} lines)")


def chips(folder: Path = Path("/dev")) -> list[ChipFound]:
    """The GPIO chips of this machine. A link is another name of a chip, as a Pi 5 has for older programs."""
    found = [
        _ask(path, int(path.name.removeprefix("gpiochip")))
        for path in folder.glob("gpiochip*")
        if path.name.removeprefix("gpiochip").isdecimal() and not path.is_symlink()
    ]
    return sorted(found, key=lambda chip: chip.number)


def _ask(path: Path, number: int) -> ChipFound:
    try:
        with path.open("rb") as file:
            answer = fcntl.ioctl(file, _CHIP_INFO, bytes(struct.calcsize(_LAYOUT)))
    except PermissionError:
        return ChipFound(number, "", 0, "may not be opened: add the user to the group gpio")
    except OSError as error:
        return ChipFound(number, "", 0, f"does not answer: {error.strerror}")
    _, label, lines = struct.unpack(_LAYOUT, answer)
    return ChipFound(number, label.rstrip(b"\0").decode("utf-8", "replace"), lines)


def choose(label: str, there: Sequence[ChipFound]) -> ChipFound:
    """The chip with this label; with none given, the one of a Raspberry Pi.

    Raises:
        HardwareError: none, or several; the sentence lists the chips there are.
    """
    labels = (label,) if label else PI_CHIPS
    fitting = [chip for chip in there if chip.label in labels]
    if len(fitting) == 1:
        return fitting[0]
    wanted = f"labelled '{label}'" if label else f"of a Raspberry Pi ({', '.join(PI_CHIPS)})"
    known = ", ".join(map(str, there)) if there else "no /dev/gpiochip*"
    if fitting:
        raise HardwareError(f"board.chip: several GPIO chips are {wanted}: there are {known}")
    raise HardwareError(f"board.chip: no GPIO chip is {wanted}: there is {known}")


def open_chip(label: str) -> Any:
    """A pin factory of gpiozero for the chip with this label; with none given, for the one of a Raspberry Pi.

    Raises:
        HardwareError: there is no such chip, it may not be opened, or lgpio does not work here.
    """
    chip = choose(label, chips())
    try:
        # Starts a thread, and leaves a pipe in the working directory: not before a pin is really wanted.
        import lgpio  # noqa: PLC0415
        from gpiozero.pins.lgpio import LGPIOFactory  # noqa: PLC0415
    except ImportError as error:
        raise HardwareError(f"lgpio is missing: {error}; Raspberry Pi OS has it as python3-lgpio") from error
    except OSError as error:
        raise HardwareError(f"lgpio must write to the working directory {Path.cwd()}: {error}") from error

    class ChipFactory(LGPIOFactory):  # type: ignore[misc]
        """lgpio on exactly this chip, whatever board it is on."""

        lines = chip.lines
        threads = (lgpio._notify_thread,)  # noqa: SLF001 - nothing else tells whether it lives

        def _get_revision(self) -> int:
            try:
                revision: int = super()._get_revision()
            except PinUnknownPi:
                revision = _PI_4B
            return revision

        def _get_spi_class(self, shared: bool, hardware: bool) -> Any:
            """Hardware, or none: SPI by software would be slow and late, and only a warning would tell."""
            if not hardware:
                raise HardwareError("SPI does not answer: `dtparam=spi=on` in config.txt switches it on")
            return super()._get_spi_class(shared, hardware)

        def user(self, pin: int) -> str:
            """Who has a line, as the kernel knows it."""
            return str(lgpio.gpio_get_line_info(self._handle, pin)[4])

    try:
        return ChipFactory(chip=chip.number)
    except lgpio.error as error:
        raise HardwareError(f"{chip}: cannot be opened: {_text(error)}") from error


# -- lines -------------------------------------------------------------------------------------------------


class GpioLines:
    """The contract `parts.Lines`."""

    def __init__(self, factory: Any) -> None:
        """Use the pins of a factory: of `open_chip`, or gpiozero's MockFactory in tests."""
        self._factory = factory
        self._inputs: list[GpioInput] = []
        self._outputs: list[GpioOutput] = []

    def input(self, contact: Contact) -> GpioInput:
        """Claim a pin.

        Raises:
            HardwareError: it cannot be had; the sentence says why.
        """
        with self._claiming(contact.pin):
            found = GpioInput(contact, self._factory)
        self._inputs.append(found)
        return found

    def output(self, pin: int) -> GpioOutput:
        """Claim a pin, and drive it low.

        Raises:
            HardwareError: it cannot be had; the sentence says why.
        """
        with self._claiming(pin):
            found = GpioOutput(pin, self._factory)
        self._outputs.append(found)
        return found

    def alive(self) -> bool:
        """Whether edges are still reported. A mock reports them by itself."""
        return all(thread.is_alive() for thread in getattr(self._factory, "threads", ()))

    def close(self) -> None:
        """Drive every output low, and let go of all, whatever does not answer."""
        for output in self._outputs:
            try:
                output.switch(on=False)
            except OSError as error:
                _log.error("while closing: %s", error)
        claimed: list[GpioOutput | GpioInput] = [*self._outputs, *self._inputs]
        for line in claimed:
            try:
                line.close()
            except OSError as error:
                _log.error("while closing: %s", error)
        self._outputs.clear()
        self._inputs.clear()
        with _answering("the chip"):
            self._factory.close()

    @contextmanager
    def _claiming(self, pin: int) -> Iterator[None]:
        try:
            yield
        except PinInvalidPin as error:
            raise HardwareError(f"GPIO {pin}: there are GPIO 0 to 27") from error
        except GPIOPinInUse as error:
            raise HardwareError(f"GPIO {pin} has another use in this program") from error
        except Exception as error:
            raise HardwareError(f"GPIO {pin}: {self._why(pin, _text(error))}") from error

    def _why(self, pin: int, text: str) -> str:
        if text == "GPIO busy":
            return f"'{self._factory.user(pin)}' has it: another program (a second charger?), or the kernel"
        # lgpio says of such a line that the operation is not permitted, as of some others.
        last = getattr(self._factory, "lines", 28) - 1
        return f"the chip has lines 0 to {last}" if pin > last else text


class GpioInput:
    """The contract `parts.Input`."""

    def __init__(self, contact: Contact, factory: Any) -> None:
        self._contact = contact
        pull = {"up": True, "down": False, "none": None}[contact.pull]
        # gpiozero takes its polarity from the pull; ours is the contact's, so only the level is asked of it.
        # Its bounce time would delay an edge or lose it, depending on the library below.
        self._device = DigitalInputDevice(
            contact.pin,
            pull_up=pull,
            active_state=True if pull is None else None,
            bounce_time=None,
            pin_factory=factory,
        )

    def active(self) -> bool:
        """Read the pin now."""
        with _answering(f"GPIO {self._contact.pin}"):
            level = bool(self._device.pin.state)
        return level is not self._contact.active_low

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` at every edge, on lgpio's thread; a mock calls it on the one that drives it."""

        def edge() -> None:
            # Whatever comes through here would end lgpio's only thread, and with it every edge of every pin.
            try:
                changed()
            except Exception:  # noqa: BLE001 - whatever it is
                _log.exception("GPIO %d: an edge was not heard", self._contact.pin)

        self._device.when_activated = edge
        self._device.when_deactivated = edge

    def close(self) -> None:
        """Let go of the pin."""
        with _answering(f"GPIO {self._contact.pin}"):
            self._device.close()


class GpioOutput:
    """The contract `parts.Output`."""

    def __init__(self, pin: int, factory: Any) -> None:
        self._pin = pin
        # Claimed low, then written low: with active_high=False it would be claimed low as well, which is ON.
        self._device = DigitalOutputDevice(pin, active_high=True, initial_value=False, pin_factory=factory)

    def switch(self, on: bool) -> None:
        """Drive it."""
        with _answering(f"GPIO {self._pin}"):
            if on:
                self._device.on()
            else:
                self._device.off()

    def driven(self) -> bool:
        """Read the pin back."""
        with _answering(f"GPIO {self._pin}"):
            return bool(self._device.pin.state)

    def close(self) -> None:
        """Let go of the pin, which then is an input."""
        with _answering(f"GPIO {self._pin}"):
            self._device.close()


@contextmanager
def _answering(what: str) -> Iterator[None]:
    """Errors of lgpio and gpiozero have no class in common with anything: here they become an OSError."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{what}: {_text(error)}") from error


def _text(error: BaseException) -> str:
    return str(error).strip("'")
