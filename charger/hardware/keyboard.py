"""Card readers that are USB keyboards: they type the number of a card and press Enter.

Read as the kernel gives it (``struct input_event``, linux/input.h, on a 64-bit system), and grabbed, so that
card numbers are typed into no login prompt.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import struct
import time
from collections.abc import Callable, Mapping
from typing import Final

_EVENT: Final = struct.Struct("@llHHi")
"""Seconds, microseconds, type, code, value."""
_KEY, _DOWN, _ENTER = 1, 1, {28, 96}
_GRAB: Final = 0x40044590
"""EVIOCGRAB."""
_ROWS: Final = {
    2: "1234567890",
    16: "QWERTYUIOP",
    30: "ASDFGHJKL",
    44: "ZXCVBNM",
    71: "789",
    75: "456",
    79: "1230",
}
KEYS: Final[Mapping[int, str]] = {
    first + at: key for first, row in _ROWS.items() for at, key in enumerate(row)
}
"""Key code → character, as on a US keyboard; letters are capitals."""
PAUSE: Final = 1.0
"""s after which what was typed without Enter belongs to no card."""


def _grab(device: int) -> None:
    try:
        fcntl.ioctl(device, _GRAB, 1)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise OSError(errno.EBUSY, "another program has grabbed it") from None
        raise OSError(error.errno, "it is no keyboard (EVIOCGRAB is refused)") from None


class Keyboard:
    """One open device. Give it to `charger.hardware.reader.DeviceReader`."""

    def __init__(
        self,
        path: str,
        grab: Callable[[int], None] = _grab,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open and grab.

        Raises:
            OSError: there is no such device, it may not be read, or it is no keyboard.
        """
        self._now = now
        self._typed = ""
        self._since = 0.0
        self._device = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            grab(self._device)
        except OSError:
            os.close(self._device)
            raise

    def read(self, seconds: float) -> str | None:
        """One line, or None when none came for so long."""
        if not select.select([self._device], [], [], seconds)[0]:
            return None
        found = os.read(self._device, _EVENT.size)
        if len(found) < _EVENT.size:
            raise OSError(errno.ENODEV, "the device is gone")
        _, _, kind, code, value = _EVENT.unpack(found)
        return self._press(code) if (kind, value) == (_KEY, _DOWN) else None

    def _press(self, code: int) -> str | None:
        now = self._now()
        if now - self._since > PAUSE:
            self._typed = ""
        self._since = now
        if code not in _ENTER:
            self._typed += KEYS.get(code, "")
            return None
        line, self._typed = self._typed, ""
        return line or None

    def close(self) -> None:
        """Let go; the kernel ends the grab."""
        os.close(self._device)
