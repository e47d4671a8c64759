"""When a timer is due: from what is written in a chart to a moment on the monotonic clock.

Durations count on the monotonic clock; only ``at`` looks at the wall clock, and is asked again when that
is set. Nothing here reads a clock.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from charger.statechart import model
from charger.statechart.event import Moment

DAY = 86_400


@dataclass(slots=True)
class Running:
    """A timer between start and expiry."""

    kind: model.Kind
    delay: model.Delay
    started: float
    """Monotonic s at which its state was entered."""
    seconds: float | None = None
    """The delay when last asked; for ``at`` of a fact the instant itself. None: never."""
    due: float | None = None
    """Monotonic s; None: not running now."""
    boundary: float | None = None
    """Of ``at``: the wall time (epoch s) it is for."""
    fired: float | None = None
    """Of ``at``: the last boundary (epoch s) at which it ran out."""
    spent: bool = False
    """It ran out, and is of a kind that does so once."""


def arm(timer: Running, seconds: float | None, now: Moment) -> None:
    """Set `due` (and `boundary`) for a delay of so many seconds; 0 or None means never."""
    timer.seconds = seconds
    timer.due = timer.boundary = None
    timer.spent = False
    match timer.kind:
        case "at":
            _arm_at(timer, seconds, now)
        case "every":
            if seconds:
                periods = max(1, math.floor((now.monotonic - timer.started) / seconds + 1e-9) + 1)
                timer.due = timer.started + periods * seconds
        case _:
            if seconds:
                timer.due = max(now.monotonic, timer.started + seconds)


def _arm_at(timer: Running, seconds: float | None, now: Moment) -> None:
    match timer.delay:
        case model.DayTime(minutes=minutes):
            timer.boundary = _following(timer, lambda wall: next_local(minutes, wall), DAY, now)
        case model.OfFact():
            timer.boundary = seconds
        case _:
            if seconds:
                timer.boundary = _following(timer, lambda wall: next_multiple(seconds, wall), seconds, now)
    if timer.boundary is not None:
        timer.due = now.monotonic + max(0.0, timer.boundary - now.wall)


def _following(timer: Running, after: Callable[[float], float], period: float, now: Moment) -> float:
    """The next boundary. A clock that is corrected by a little does not bring the last one back."""
    boundary = after(now.wall)
    if timer.fired is not None and boundary <= timer.fired < now.wall + period:
        return after(timer.fired)
    return boundary


def next_multiple(period: float, wall: float) -> float:
    """The first multiple of `period` from midnight UTC after `wall`; every midnight starts anew."""
    midnight = math.floor(wall / DAY) * DAY
    following = midnight + (math.floor((wall - midnight) / period + 1e-9) + 1) * period
    return min(following, midnight + DAY)


def next_local(minutes: int, wall: float) -> float:
    """The first moment after `wall` at which local clocks show so many minutes after midnight."""
    today = time.localtime(wall)
    time_of_day = (minutes // 60, minutes % 60, 0, 0, 0, -1)
    days = (
        time.mktime((today.tm_year, today.tm_mon, today.tm_mday + day, *time_of_day)) for day in (0, 1, 2)
    )
    return next(moment for moment in days if moment > wall)


def minute_of_day(wall: float) -> int:
    """Minutes since local midnight."""
    local = time.localtime(wall)
    return local.tm_hour * 60 + local.tm_min
