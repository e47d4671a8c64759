"""Debouncing: what to believe of a contact that chatters. Knows no pin, and no clock but the given one.

A level is believed once it has been seen all the time for a while, and the while may differ by direction:
that an emergency stop is pressed is believed at once, that it is released after half a second only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from charger.ports import Clock

SAFETY: Final = (0.02, 0.5)
"""s until a safety input is believed to be active, and not to be active any more."""
CONTACT: Final = (0.05, 0.05)
"""The same for a contact on which nothing depends at once."""


class Debounce:
    """One contact, wherever its levels and the time come from: edges, polls, or both."""

    def __init__(self, times: tuple[float, float], active: bool) -> None:
        """Begin with a level that is believed.

        Args:
            times: s for which `active` must be seen to be believed, and s for `not active`.
            active: what is believed at first. For a safety input True, until the contrary has been
                seen for long enough.
        """
        self.active = active
        """What is believed."""
        self.due: float | None = None
        """When the level seen last will be believed, if nothing else is seen; None: it is already."""
        self._times = times

    def see(self, active: bool, now: float) -> bool:
        """Take a level, seen at the monotonic time `now` (s); gives whether another one is believed since."""
        if active is self.active:
            self.due = None
            return False
        if self.due is None:
            self.due = now + self._times[0 if active else 1]
        return self.pass_time(now)

    def pass_time(self, now: float) -> bool:
        """Nothing else has been seen until `now`; gives whether another level is believed since."""
        if self.due is None or now < self.due:
            return False
        self.active = not self.active
        self.due = None
        return True


class Debounced:
    """A contact that is debounced on the clock of the event loop. Use it on the loop's thread only."""

    def __init__(
        self,
        clock: Clock,
        key: str,
        times: tuple[float, float],
        active: bool,
        changed: Callable[[bool], None],
    ) -> None:
        """Believe `active` at first.

        Args:
            clock: runs one timer.
            key: of the timer.
            times: as of `Debounce`.
            active: what is believed at first.
            changed: told what is believed from now on, at every change.
        """
        self._clock, self._key, self._changed = clock, key, changed
        self._debounce = Debounce(times, active)

    @property
    def active(self) -> bool:
        """What is believed."""
        return self._debounce.active

    def see(self, active: bool) -> None:
        """Take the level that the contact has now."""
        if self._debounce.see(active, self._clock.now().monotonic):
            self._believed()
        elif self._debounce.due is None:
            self._clock.cancel(self._key)
        else:
            self._clock.start(self._key, self._debounce.due, self._expired)

    def believe(self) -> None:
        """Somebody has seen it active who is to be believed, for however short a time."""
        if not self._debounce.active:
            self._debounce.active, self._debounce.due = True, None
            self._believed()

    def close(self) -> None:
        """End the timer."""
        self._clock.cancel(self._key)

    def _expired(self, _key: str) -> None:
        if self._debounce.pass_time(self._clock.now().monotonic):
            self._believed()

    def _believed(self) -> None:
        self._clock.cancel(self._key)
        self._changed(self._debounce.active)
