"""Time: the port `Clock`, real and virtual.

Durations count on the monotonic clock, which never jumps. The wall clock is told as the operating system
believes it; that the Central System knows it better is the core's business (`Situation.wall`). Knows neither
charts nor chargers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from charger.statechart.event import Moment

Expired = Callable[[str], None]


class MonotonicClock:
    """The clock of the machine. Timers run on the event loop that is running when they are started."""

    def __init__(self) -> None:
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def now(self) -> Moment:
        """Both clocks, read together."""
        return Moment(time.monotonic(), time.time())

    def start(self, key: str, due: float, expired: Expired) -> None:
        """Call ``expired(key)`` on the loop, never before monotonic `due`; replaces a timer of the key."""
        self.cancel(key)
        # asyncio's own clock is time.monotonic too.
        self._timers[key] = asyncio.get_running_loop().call_at(due, self._ring, key, due, expired)

    def cancel(self, key: str) -> None:
        """Forget the timer; nothing when it is not running."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def _ring(self, key: str, due: float, expired: Expired) -> None:
        if time.monotonic() < due:  # asyncio may be early by the resolution of its clock
            self.start(key, due, expired)
            return
        del self._timers[key]
        expired(key)


@dataclass(frozen=True, slots=True, order=True)
class _Timer:
    due: float
    order: int
    key: str


class VirtualClock:
    """A clock that stands still until it is told to go on: for tests, stories and the simulator.

    Timers run inside `advance`, in the order in which they are due; those due together in the order in which
    they were started. A timer that is due already runs at the next `advance`, be it by 0 s, never in `start`.
    """

    def __init__(self, wall: float = 1_800_000_000.0, monotonic: float = 0.0) -> None:
        """Start at the wall time `wall` (epoch s) and the monotonic time `monotonic` (s)."""
        self._monotonic = monotonic
        self._offset = wall - monotonic
        self._timers: dict[str, tuple[_Timer, Expired]] = {}
        self._started = 0

    def now(self) -> Moment:
        """Both clocks, read together."""
        return Moment(self._monotonic, self._monotonic + self._offset)

    def start(self, key: str, due: float, expired: Expired) -> None:
        """Call ``expired(key)`` once monotonic time reaches `due`; replaces a timer of the same key."""
        self._started += 1
        self._timers[key] = _Timer(due, self._started, key), expired

    def cancel(self, key: str) -> None:
        """Forget the timer; nothing when it is not running."""
        self._timers.pop(key, None)

    def advance(self, seconds: float) -> None:
        """Let time pass, and run every timer that gets due, also those started meanwhile.

        Raises:
            ValueError: time does not go back.
        """
        if seconds < 0:
            raise ValueError(f"time does not go back: {seconds} s")
        target = self._monotonic + seconds
        while (due := self.next_due()) is not None and due <= target:
            timer, expired = min(self._timers.values(), key=lambda entry: entry[0])
            del self._timers[timer.key]
            self._monotonic = max(self._monotonic, timer.due)
            expired(timer.key)
        self._monotonic = target

    def next_due(self) -> float | None:
        """The monotonic time at which the next timer is due; None when none runs."""
        return min((timer.due for timer, _ in self._timers.values()), default=None)

    def jump_wall(self, seconds: float) -> None:
        """Set the wall clock forward, or back, as somebody setting the machine's clock does."""
        self._offset += seconds
