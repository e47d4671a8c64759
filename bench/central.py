"""The Central System of the benchmark: websockets and json, no validation, as fast as these two are.

A process of its own, so that its work does not count for the subjects. It takes orders as JSON lines on
standard input and tells results as JSON lines on standard output; it ends when its input does. The
conversation of a session is the same for every subject, and a subject that says anything else, or leaves
something out, is told on: numbers of different conversations must not be compared.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

SESSION = {
    "RemoteStartTransaction": 2,
    "Authorize": 2,
    "StatusNotification Preparing": 2,
    "StartTransaction": 2,
    "StatusNotification Charging": 2,
    "RemoteStopTransaction": 2,
    "StatusNotification Finishing": 2,
    "StopTransaction": 2,
}
"""A session's frames, requests and answers: 16. It begins plugged in and in Finishing, by a remote start, so
that sessions follow one another without a person at the plug; AuthorizeRemoteTxRequests is true, as by default."""
SESSION_LIMIT = 20.0
"""s for a session; the slowest subject takes a few hundredths."""
ALWAYS = {"BootNotification", "Heartbeat", "MeterValues"}
"""May come at any time and is not counted."""


def say(**what: object) -> None:
    """Tell the one who runs us."""
    print(json.dumps(what), flush=True)


@dataclass
class Subject:
    """One charge point that is connected."""

    connection: ServerConnection
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    frames: Counter[str] = field(default_factory=Counter)
    answers: dict[str, tuple[float, object]] = field(default_factory=dict)
    transaction: int = 0
    done: int = 0
    """Sessions."""
    numbers: itertools.count = field(default_factory=lambda: itertools.count(1))

    # -- what it says ------------------------------------------------------------------------------------

    async def listen(self, name: str) -> None:
        """Answer every CALL at once until the connection ends."""
        async for text in self.connection:
            now = time.monotonic()
            kind, identifier, *rest = json.loads(text)
            if kind != 2:
                self.answers[identifier] = now, rest[0]
                self.heard.set()
                continue
            action, payload = rest
            if action == "BootNotification":
                say(boot=name, at=now)
            await self.connection.send(json.dumps([3, identifier, self.answer(action, payload)]))
            if action not in ALWAYS:
                what = f"{action} {payload['status']}" if action == "StatusNotification" else action
                self.frames[what] += 2
                self.heard.set()

    def answer(self, action: str, payload: dict) -> dict:
        match action:
            case "BootNotification":
                now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
                return {"status": "Accepted", "currentTime": now, "interval": 3600}
            case "Heartbeat":
                return {"currentTime": datetime.now(UTC).isoformat().replace("+00:00", "Z")}
            case "Authorize":
                return {"idTagInfo": {"status": "Accepted"}}
            case "StartTransaction":
                self.transaction += 1
                return {"transactionId": self.transaction, "idTagInfo": {"status": "Accepted"}}
            case _:
                return {}

    # -- what it is asked --------------------------------------------------------------------------------

    async def ask(self, action: str, payload: dict) -> float:
        """Send a CALL that must be accepted; gives the seconds until its answer."""
        identifier = f"cs-{next(self.numbers)}"
        begun = time.monotonic()
        await self.connection.send(json.dumps([2, identifier, action, payload]))
        while identifier not in self.answers:
            self.heard.clear()
            await self.heard.wait()
        at, answer = self.answers.pop(identifier)
        if answer != {"status": "Accepted"}:
            raise RuntimeError(f"{action} was answered {answer}")
        self.frames[action] += 2
        return at - begun

    async def until(self, *whats: str) -> None:
        while not all(self.frames[what] for what in whats):
            self.heard.clear()
            await self.heard.wait()

    async def session(self) -> float:
        """One session; gives the seconds from RemoteStartTransaction to its answer."""
        self.frames.clear()
        async with asyncio.timeout(SESSION_LIMIT):
            latency = await self.ask("RemoteStartTransaction", {"idTag": "BENCH", "connectorId": 1})
            await self.until("StartTransaction", "StatusNotification Charging")
            await self.ask("RemoteStopTransaction", {"transactionId": self.transaction})
            await self.until("StopTransaction", "StatusNotification Finishing")
        if self.done and self.frames != SESSION:  # the first one begins in Preparing, not in Finishing
            raise RuntimeError(f"another conversation than agreed: {dict(self.frames)}")
        self.done += 1
        return latency

    async def sessions(self, seconds: float, most: int, pause: float) -> dict:
        """Sessions one after the other for so long, or so many."""
        latencies: list[float] = []
        begun = time.monotonic()
        while len(latencies) < most and time.monotonic() - begun < seconds:
            latencies.append(await self.session())
            if pause:
                await asyncio.sleep(pause)
        return {"count": len(latencies), "seconds": time.monotonic() - begun, "latencies": latencies}


async def main() -> None:
    subjects: dict[str, Subject] = {}

    async def handler(connection: ServerConnection) -> None:
        name = connection.request.path.rpartition("/")[2]
        subject = subjects[name] = Subject(connection)
        try:
            await subject.listen(name)
        except ConnectionClosed:
            pass  # the end of a subject is no news

    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    server = serve(handler, "127.0.0.1", 0, subprotocols=["ocpp1.6"], compression=None, ping_interval=None)
    async with server as listening:
        say(port=listening.sockets[0].getsockname()[1])
        while line := await orders.readline():
            order = json.loads(line)
            subject = subjects[order["subject"]]
            try:
                say(**await subject.sessions(order["seconds"], order["most"], order["pause"]))
            except (RuntimeError, TimeoutError, ConnectionClosed) as error:
                say(error=f"{order['subject']}: {type(error).__name__} {error}; heard {dict(subject.frames)}")


if __name__ == "__main__":
    asyncio.run(main())
