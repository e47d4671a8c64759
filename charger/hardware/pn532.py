"""Card readers with the chip PN532 on a serial line.

NXP UM0701-02 (PN532 User Manual): frames §6.2.1, HSU wake-up §7.2.11, SAMConfiguration §7.2.10,
RFConfiguration §7.3.1, InListPassiveTarget §7.3.5.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import Final, Protocol

import serial

BAUD: Final = 115_200
WAKE: Final = bytes.fromhex("5555000000000000000000000000")
START: Final = b"\x00\xff"
ACK: Final = bytes.fromhex("0000ff00ff00")
TO_CHIP, FROM_CHIP = 0xD4, 0xD5
SAM_CONFIGURATION: Final = bytes([0x14, 0x01, 0x14, 0x01])
"""Normal mode, no SAM."""
FEW_RETRIES: Final = bytes([0x32, 0x05, 0xFF, 0x01, 0x02])
"""Look for a card three times (about 0.1 s), then say that there is none."""
LOOK: Final = bytes([0x4A, 0x01, 0x00])
"""One card of ISO 14443 type A."""
ANSWER: Final = 1.0
"""s within which the chip answers anything."""
GONE: Final = 0.6
"""s without a card after which the same one is a new one."""


class Port(Protocol):
    """What is used of a serial port; reads end after a timeout with fewer bytes."""

    def write(self, data: bytes, /) -> int | None:
        """Send."""

    def read(self, size: int, /) -> bytes:
        """Receive up to so many."""

    def close(self) -> None:
        """Let go."""


def frame(data: bytes) -> bytes:
    """A command as it goes over the line."""
    body = bytes([TO_CHIP]) + data
    return b"\x00" + START + bytes([len(body), -len(body) & 255]) + body + bytes([-sum(body) & 255, 0])


def _open(path: str) -> Port:
    port: Port = serial.Serial(path, BAUD, timeout=0.05, write_timeout=ANSWER, exclusive=True)
    return port


class Pn532:
    """One open chip. Give it to `charger.hardware.reader.DeviceReader`."""

    def __init__(
        self,
        path: str,
        connect: Callable[[str], Port] = _open,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open the line and make the chip ready.

        Raises:
            OSError: there is no such line, or no chip answers on it.
        """
        self._now = now
        self._present: bytes | None = None
        self._seen = 0.0
        self._port = connect(path)
        try:
            self._port.write(WAKE)
            self._ask(SAM_CONFIGURATION)
            self._ask(FEW_RETRIES)
        except OSError:
            self._port.close()
            raise

    def read(self, seconds: float) -> bytes | None:
        """The UID of a card that has come, or None; takes as long as the chip looks, whatever `seconds`."""
        del seconds
        found = _uid(self._ask(LOOK))
        now = self._now()
        if found is None:
            if now - self._seen > GONE:
                self._present = None
            return None
        self._seen = now
        if found == self._present:
            return None
        self._present = found
        return found

    def close(self) -> None:
        """Let go."""
        self._port.close()

    def _ask(self, data: bytes) -> bytes:
        self._port.write(frame(data))
        due = self._now() + ANSWER
        body = b""
        while body[:2] != bytes(
            [FROM_CHIP, data[0] + 1]
        ):  # an acknowledgement, or the answer to something older
            body = self._frame(due)
        return body[2:]

    def _frame(self, due: float) -> bytes:
        """The content of the next frame; empty for an acknowledgement."""
        last = b""
        while last != START:
            last = last[-1:] + self._take(1, due)
        length, check = self._take(2, due)
        if (length + check) & 255:
            return b""  # an acknowledgement to the other side, or noise: look for the next start
        body = self._take(length, due) if length else b""
        if length and (sum(body) + self._take(1, due)[0]) & 255:
            raise OSError(errno.EIO, "a frame of the PN532 is damaged")
        return body

    def _take(self, size: int, due: float) -> bytes:
        found = b""
        while len(found) < size:
            if self._now() > due:
                raise TimeoutError(errno.ETIMEDOUT, "no PN532 answers")
            found += self._port.read(size - len(found))
        return found


def _uid(answer: bytes) -> bytes | None:
    """Out of the answer to `LOOK`: count, number, SENS_RES (2), SEL_RES, length, UID."""
    if not answer or answer[0] == 0:
        return None
    if len(answer) < 6 or not answer[5] or len(answer) < 6 + answer[5]:
        raise OSError(errno.EIO, "the PN532 tells of a card without a number")
    return answer[6 : 6 + answer[5]]
