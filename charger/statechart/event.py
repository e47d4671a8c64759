"""What a chart can hear: an event, stamped with the moment at which it was taken from the queue.

The core reads no clock. Whatever needs the time takes it from the event at hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant on both clocks."""

    monotonic: float = 0.0
    """Seconds since an arbitrary start; never jumps. Durations are computed from this only."""
    wall: float = 0.0
    """Seconds since 1970-01-01T00:00:00Z as the operating system believes them; may jump."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, in the past tense: ``cable.plugged``, ``ocpp.Reset``."""

    name: str
    connector: int | None = None
    """The connector it happened at, from 1; None: it concerns everyone; 0: the station alone."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """What a guard reads as ``event.x``."""
    call: str | None = None
    """Unique id of the CALL from the Central System that waits for an answer; None otherwise."""
    token: int | None = None
    """Of an answer: which request it answers. Only the instance that asked hears it, while it still waits."""
    moment: Moment = Moment()
    """Stamped by the consumer of the queue, so that order and time agree."""

    def at(self, moment: Moment) -> Event:
        """The same at another moment."""
        return Event(self.name, self.connector, self.fields, self.call, self.token, moment)
