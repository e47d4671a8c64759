"""What the tests of the link share: a mailbox for events and a peer that says what it is told to say."""

import asyncio
import json
from contextlib import asynccontextmanager, suppress

from tls_kit import certificates, server_context
from websockets.asyncio.server import serve

from charger.central.link import CentralLink
from charger.ports import Call, Connect

__all__ = ["certificates", "server_context"]

PATIENCE = 10.0


def run(scenario):
    """Run a scenario on a fresh loop; whatever task it leaves behind is a failure."""

    async def watched():
        async with asyncio.timeout(3 * PATIENCE):
            await scenario
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"left behind: {left}"

    asyncio.run(watched())


class Mailbox:
    """Takes what the link posts."""

    def __init__(self):
        self.events = []
        self._taken = 0
        self._news = asyncio.Event()

    def post(self, event):
        self.events.append(event)
        self._news.set()

    async def next(self):
        """The next event, in the order posted."""
        async with asyncio.timeout(PATIENCE):
            while self._taken == len(self.events):
                self._news.clear()
                await self._news.wait()
        event = self.events[self._taken]
        self._taken += 1
        return event

    async def expect(self, name):
        event = await self.next()
        assert event.name == name, event
        return event

    def rest(self):
        """What was posted and not yet taken."""
        events = self.events[self._taken :]
        self._taken = len(self.events)
        return events


class Peer:
    """The other end: every text that came in, and whatever the test wants to say."""

    def __init__(self):
        self.received = asyncio.Queue()
        self.connections = asyncio.Queue()
        self.connection = None
        self.opened = 0

    async def handle(self, connection):
        self.opened += 1
        self.connection = connection
        self.connections.put_nowait(connection)
        async for text in connection:
            self.received.put_nowait(text)

    async def heard(self):
        """The next frame, decoded."""
        async with asyncio.timeout(PATIENCE):
            return json.loads(await self.received.get())

    async def say(self, frame):
        await self.connection.send(frame if isinstance(frame, (str, bytes)) else json.dumps(frame))

    async def asks(self, unique_id, action="GetConfiguration", payload=None):
        await self.say([2, unique_id, action, payload or {}])


@asynccontextmanager
async def peer(**options):
    """A WebSocket server on a free port of the loopback interface."""
    options.setdefault("subprotocols", ["ocpp1.6"])
    it = Peer()
    async with serve(it.handle, "127.0.0.1", 0, ping_interval=None, close_timeout=0.2, **options) as server:
        it.port = server.sockets[0].getsockname()[1]
        it.url = f"ws://127.0.0.1:{it.port}/ocpp"
        yield it


@asynccontextmanager
async def tcp(handle):
    """A bare TCP server, for peers that misbehave below WebSocket."""
    writers, tasks = [], []

    async def keep(reader, writer):
        writers.append(writer)
        tasks.append(asyncio.current_task())
        with suppress(ConnectionError):
            await handle(reader, writer)

    server = await asyncio.start_server(keep, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()
        await asyncio.gather(*tasks)


@asynccontextmanager
async def link_to(url, **options):
    """A link that is closed at the end, and its mailbox."""
    mailbox = Mailbox()
    options.setdefault("identity", "CP001")
    link = CentralLink(url=url, post=mailbox.post, **options)
    try:
        yield link, mailbox
    finally:
        await link.close()


@asynccontextmanager
async def linked(**options):
    """A peer and a link that is open."""
    async with peer() as it, link_to(it.url, **options) as (link, mailbox):
        link.perform(Connect())
        await mailbox.expect("link.opened")
        async with asyncio.timeout(PATIENCE):
            await it.connections.get()
        yield it, link, mailbox


def heartbeat(token, timeout=PATIENCE):
    return Call(token=token, action="Heartbeat", payload={}, timeout=timeout)


NOW = {"currentTime": "2026-01-01T00:00:00Z"}
