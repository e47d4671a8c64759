"""A card reader on a device that may come and go: a thread that opens it, listens, and opens it again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Final, Protocol

from charger.functions import tags

RETRY: Final = 2.0
"""s between two attempts to open a device."""
PATIENCE: Final = 0.2
"""s that a session may take before it looks up."""
_log = logging.getLogger(__name__)


class Session(Protocol):
    """An open device."""

    def read(self, seconds: float) -> bytes | str | None:
        """One card: its UID, or the line that was typed. None when nothing came for about so long.

        Raises:
            OSError: the device is gone, or does not answer.
        """

    def close(self) -> None:
        """Let go of it."""


class DeviceReader:
    """`charger.hardware.parts.Reader` over any device.

    Args:
        device: as station.yaml names it, for the log.
        connect: opens the device; OSError when it cannot.
        template: how an idTag is made (`charger.functions.tags`).
        retry: s between two attempts.
    """

    def __init__(
        self, device: str, connect: Callable[[], Session], template: str, retry: float = RETRY
    ) -> None:
        self._device = device
        self._connect = connect
        self._template = template
        self._retry = retry
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"reader {device}", daemon=True)
        self._works = True
        """Nobody is told of a reader that is well from the beginning."""

    def start(self, shown: Callable[[str], None], works: Callable[[bool], None]) -> None:
        """Report the idTag of every card once when it comes; and whether the reader works, if it changes."""
        self._shown, self._tell = shown, works
        self._thread.start()

    def close(self) -> None:
        """End the thread, which looks up several times a second."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                with closing(self._connect()) as session:
                    self._say(works=True)
                    self._listen(session)
            except OSError as error:
                self._say(works=False, reason=str(error))
                self._ended.wait(self._retry)

    def _say(self, *, works: bool, reason: str = "") -> None:
        if works == self._works:
            return
        self._works = works
        if works:
            _log.warning("reader %s: works again", self._device)
        else:
            _log.error("reader %s: %s; trying again every %g s", self._device, reason, self._retry)
        self._tell(works)

    def _listen(self, session: Session) -> None:
        while not self._ended.is_set():
            uid = session.read(PATIENCE)
            if uid is None:
                continue
            try:
                made = tags.id_tag(self._template, uid)
            except ValueError as error:
                _log.error("reader %s: card not used: %s", self._device, error)
            else:
                self._shown(made)
