"""Contacts that are watched for the charts: by their edges, and by polls because edges can be lost.

Everything here runs on the event loop's thread, except what an edge does at once: that is the guard's. A
contact that cannot be read counts as active.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from charger.hardware.debounce import Debounced
from charger.hardware.parts import Input, Output
from charger.ports import Clock

DEAF: Final = 1.0
"""s for which a poll may see a level that no edge has told: a busy system delays edges by tenths of it."""
TRIP: Final = 0.75
"""s in which a residual-current monitor must trip by its test."""
RECOVER: Final = 1.1
"""s in which it must recover then, the debouncing included; the chart waits longer than for both."""

Soon = Callable[[Callable[[], None]], object]
"""Runs a function on the event loop, from any thread: ``loop.call_soon_threadsafe``."""


class Contact:
    """One of them, debounced."""

    def __init__(
        self,
        name: str,
        wire: Input,
        times: tuple[float, float],
        changed: Callable[[bool], None],
        *,
        clock: Clock,
        soon: Soon,
        failed: Callable[[str], None],
        at_once: Callable[[], None] | None = None,
    ) -> None:
        """Do not watch yet.

        Args:
            name: what people call it; also of its timer.
            wire: the pin.
            times: s until it is believed to be active, and not to be.
            changed: told what is believed, at every change.
            clock: runs the timer.
            soon: takes an edge to the loop.
            failed: told why the contact cannot be relied on, whenever it is so.
            at_once: called first at an edge, on the thread of the GPIO library; it must not raise.
        """
        self.name = name
        self._wire = wire
        self._clock = clock
        self._soon = soon
        self._failed = failed
        self._at_once = at_once
        self._level = self._heard = self.now()
        self._differs: float | None = None
        """Since when polls have seen a level that no edge has told."""
        self._debounced = Debounced(clock, f"board/{name}", times, self._level, changed)

    @property
    def active(self) -> bool:
        """What is believed."""
        return self._debounced.active

    def now(self) -> bool:
        """Read it, undebounced."""
        try:
            return self._wire.active()
        except OSError as error:
            self._failed(f"{self.name}: {error}")
            return True

    def watch(self) -> None:
        """Hear of edges from now on; one that came before is seen by the next poll, and nobody's failure."""
        self._wire.watch(self._edge)
        self._heard = self.now()

    def poll(self) -> None:
        """Look, and complain if no edge has told what is to be seen."""
        level = self.now()
        now = self._clock.now().monotonic
        if level is self._heard:
            self._differs = None
        elif self._differs is None:
            self._differs = now
        elif now - self._differs > DEAF:
            self._differs, self._heard = None, level
            self._failed(f"no edge from {self.name}")
        self._debounced.see(level)

    def seen(self) -> None:
        """The guard has opened because it was active: that is so, even if nothing of it is left to be seen.

        A monitor whose current ends with the contactor's may be well again within the debouncing. Were nobody
        told, charts would close again, on the same fault, and again.
        """
        self._debounced.believe()

    def close(self) -> None:
        """End the timer."""
        self._debounced.close()

    def _edge(self) -> None:
        """On the thread of the GPIO library."""
        if self._at_once:
            self._at_once()
        self._soon(self._hear)

    def _hear(self) -> None:
        self._heard = self.now()
        self._debounced.see(self._heard)


class ResidualCurrent:
    """A residual-current monitor and its self-test. To be polled; what the test provokes is not reported."""

    def __init__(
        self, contact: Contact | None, test: Output | None, clock: Clock, tell: Callable[[str], None]
    ) -> None:
        """Rest.

        Args:
            contact: active while it has tripped; None: there is no monitor. Its changes come to `changed`.
            test: asks for the test; None: it has none.
            clock: the time.
            tell: takes the second word of the event.
        """
        self._contact = contact
        self._test = test
        self._clock = clock
        self._tell = tell
        self._due: float | None = None
        """Until when the next step of the test must be seen; None: no test runs."""
        self._tripped = False
        """By the test."""
        self.told = contact is not None and contact.active
        """That it has tripped."""

    def test(self) -> None:
        """Begin the self-test."""
        if self._contact is None:
            self._tell("test_passed")
        elif self._contact.now():
            self._tell("test_failed")  # it has tripped already
        elif self._test is None:
            self._tell("test_passed")
        elif self._ask(True):
            self._due, self._tripped = self._clock.now().monotonic + TRIP, False

    def seen(self) -> None:
        """The guard has seen it tripped."""
        if self._contact:
            self._contact.seen()

    def changed(self) -> None:
        """The contact is believed to be otherwise."""
        if self._due is None and self._contact and self._contact.active is not self.told:
            self.told = self._contact.active
            self._tell("tripped" if self.told else "cleared")

    def poll(self) -> None:
        """See how far the test is."""
        if self._due is None or self._contact is None:
            return
        now = self._clock.now().monotonic
        active = self._contact.now()
        if not self._tripped and active:
            self._tripped, self._due = True, now + RECOVER
            self._ask(False)
        elif self._tripped and not (active or self._contact.active):
            self._end("test_passed")
        elif now > self._due:
            self._ask(False)
            self._end("test_failed")

    def _ask(self, on: bool) -> bool:
        try:
            self._test.switch(on)  # type: ignore[union-attr]  # there is no test without
        except OSError:
            self._end("test_failed")
            return False
        return True

    def _end(self, word: str) -> None:
        self._due = None
        self._tell(word)
        self.changed()
