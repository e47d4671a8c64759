"""How a pilot part reports: each change once, and `silent` when nothing is heard from the wire for too long.

A thread of its own watches that, since the one that listens may be the one that hangs. Knows no wire.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Final

from charger.hardware.parts import PilotSaid

SILENT: Final = PilotSaid("F", wrong="silent")
"""Nothing is known; least of all that there is no car."""


def _nobody(_said: PilotSaid) -> None:
    """Listens before the start and after the end."""


class PilotVoice:
    """Between the thread that looks at a wire and whoever wants to know."""

    def __init__(self, patience: float, now: Callable[[], float] = time.monotonic) -> None:
        """Be `silent` after `patience` s without a word; `now` is monotonic."""
        self._patience = patience
        self._now = now
        self._lock = Lock()
        self._say: Callable[[PilotSaid], None] = _nobody
        self._last: PilotSaid | None = None
        self._heard = 0.0
        self._end = Event()
        self._watcher = Thread(target=self._watch, name="pilot watcher", daemon=True)

    def start(self, said: Callable[[PilotSaid], None]) -> None:
        """Report to `said` from now on; it is called on the thread that hears, or on the watcher's."""
        self._say = said
        self._heard = self._now()
        self._watcher.start()

    def hear(self, what: PilotSaid) -> None:
        """The wire says this now."""
        with self._lock:
            self._heard = self._now()
            self._tell(what)

    def check(self) -> None:
        """Say that it is silent if it is; the watcher asks several times within the patience."""
        with self._lock:
            if self._now() - self._heard > self._patience:
                self._tell(SILENT)

    def close(self) -> None:
        """Say nothing any more."""
        with self._lock:
            self._say = _nobody
        self._end.set()

    def _tell(self, what: PilotSaid) -> None:
        if what != self._last:
            self._last = what
            self._say(what)

    def _watch(self) -> None:
        while not self._end.wait(self._patience / 8):
            self.check()
