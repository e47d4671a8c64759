"""Server-sent events: what `/events` sends, and what happens to a client that does not read.

The station never waits for a browser. Each subscriber has a bounded queue; when it is full the oldest
message goes and the client is told to fetch `/status` again (event `resync`). Knows nothing of HTTP and
nothing of what the messages mean.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

QUEUE = 200
"""Messages that wait for one subscriber before the oldest is dropped."""
KEEP_ALIVE = 15.0
"""Seconds of silence after which a comment is sent, so that a dead connection is noticed."""
RETRY = "retry: 2000\n\n"
"""How long a browser waits before it connects again, in ms; the first thing that is sent."""


class Subscriber:
    """One reader of the stream: an async iterator over blocks of text ready to be sent."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque([RETRY], maxlen=QUEUE)
        self._lost = False
        self._ended = False
        self._wake = asyncio.Event()
        self._wake.set()

    def offer(self, message: str) -> None:
        """Queue a message; drops the oldest one when the reader is too slow."""
        self._lost = self._lost or len(self._waiting) == QUEUE
        self._waiting.append(message)
        self._wake.set()

    def end(self) -> None:
        """Let the reader finish at once; what still waits is not sent."""
        self._ended = True
        self._wake.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        try:
            async with asyncio.timeout(KEEP_ALIVE):
                await self._wake.wait()
        except TimeoutError:
            return ": still here\n\n"
        if self._ended:
            raise StopAsyncIteration
        self._wake.clear()
        text = "".join(self._waiting)
        self._waiting.clear()
        if self._lost:
            self._lost = False
            return _message("resync", {}) + text
        return text


class Subscribers:
    """Everybody who listens right now."""

    def __init__(self) -> None:
        self._present: set[Subscriber] = set()
        self._ended = False

    def __len__(self) -> int:
        return len(self._present)

    @contextmanager
    def joined(self, subscriber: Subscriber) -> Iterator[None]:
        """Deliver to this subscriber while the block runs."""
        self._present.add(subscriber)
        if self._ended:
            subscriber.end()
        try:
            yield
        finally:
            self._present.discard(subscriber)

    def send(self, event: str, data: Mapping[str, Any]) -> None:
        """Offer one event to everybody; costs nothing while nobody listens."""
        if self._present:
            message = _message(event, data)
            for subscriber in self._present:
                subscriber.offer(message)

    def end(self) -> None:
        """End every stream, now and from now on."""
        self._ended = True
        for subscriber in self._present:
            subscriber.end()


def _message(event: str, data: Mapping[str, Any]) -> str:
    # JSON has no line breaks, so one `data:` line is enough.
    return f"event: {event}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"
