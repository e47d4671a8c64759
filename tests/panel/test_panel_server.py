"""When the panel listens, what it streams, and how it ends."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
import subprocess
import sys
import time

import pytest
from panel_fake import FakeStation, address, ask, listening, running

from charger.errors import UsageError
from charger.panel import stream
from charger.panel.server import Panel

STEP = {
    "time": "2026-11-22T12:00:00.000Z",
    "event": "cable.plugged",
    "connector": 1,
    "moves": [],
    "commands": [],
}


def test_importing_the_panel_does_not_import_the_web_server():
    code = (
        "import sys, charger.panel.server; sys.exit(bool({'uvicorn', 'starlette', 'h11'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_it_leaves_signals_and_logging_alone():
    async def main():
        def outside():
            root = logging.getLogger()
            return (
                signal.getsignal(signal.SIGINT),
                signal.getsignal(signal.SIGTERM),
                root.level,
                list(root.handlers),
            )

        before = outside()
        async with running(FakeStation()) as panel:
            assert (await ask(panel, "GET", "/status"))[0] == 200
            assert outside() == before
            assert logging.getLogger("uvicorn").handlers == []
        assert outside() == before

    asyncio.run(main())


def test_it_answers_as_soon_as_it_has_started_and_not_after_it_was_closed():
    async def main():
        panel = Panel(FakeStation().source(), host="127.0.0.1", port=0)
        await panel.start()
        host, port = address(panel)
        assert port > 0
        assert (await ask(panel, "GET", "/status"))[0] == 200
        await panel.close()
        await panel.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(host, port)

    asyncio.run(main())


def test_a_port_that_is_taken_is_explained():
    async def main():
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            panel = Panel(FakeStation().source(), host="127.0.0.1", port=port)
            with pytest.raises(
                UsageError, match=f"cannot listen on port {port} of 127.0.0.1: another program"
            ):
                await panel.start()
            await panel.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("host", "port", "sentence"),
    [("192.0.2.1", 0, "this machine has no such address"), ("127.0.0.1", 70000, "the highest is 65535")],
)
def test_an_address_that_cannot_be_had_is_explained(host, port, sentence):
    async def main():
        with pytest.raises(UsageError, match=sentence):
            await Panel(FakeStation().source(), host=host, port=port, token="x").start()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), "ports below 1024 need the right to"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "is not the name of an address"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files"),
    ],
)
def test_what_the_system_refuses_is_explained(monkeypatch, error, sentence):
    def refuse(*args, **options):
        raise error

    async def main():
        monkeypatch.setattr(socket, "create_server", refuse)
        with pytest.raises(UsageError, match=sentence):
            await Panel(FakeStation().source(), host="127.0.0.1", port=80).start()

    asyncio.run(main())


def test_a_start_that_fails_gives_the_port_back(monkeypatch):
    async def main():
        panel = Panel(FakeStation().source(), host="127.0.0.1", port=0)
        with monkeypatch.context() as broken:
            broken.setattr("charger.panel.api.Api.application", lambda api: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                await panel.start()
        await panel.start()  # on the port that it had
        assert (await ask(panel, "GET", "/status"))[0] == 200
        await panel.close()

    asyncio.run(main())


def test_the_port_can_be_had_again_at_once():
    async def main():
        async with running(FakeStation()) as panel, listening(panel):
            _, port = address(panel)
        async with running(FakeStation(), port=port) as panel:
            assert (await ask(panel, "GET", "/status"))[0] == 200

    asyncio.run(main())


# -- the stream ------------------------------------------------------------------------------------


def test_steps_and_frames_reach_everybody_in_order():
    async def main():
        async with running(FakeStation()) as panel, listening(panel) as one, listening(panel) as other:
            panel.published(STEP)
            panel.frame("in", '[3,"1",{}]\n')
            panel.published({**STEP, "event": "cable.unplugged"})
            for client in (one, other):
                assert await client.event() == ("step", STEP)
                name, frame = await client.event()
                assert (name, frame["direction"], frame["text"]) == ("frame", "in", '[3,"1",{}]\n')
                assert await client.event() == ("step", {**STEP, "event": "cable.unplugged"})

    asyncio.run(main())


def test_nobody_has_to_listen():
    async def main():
        panel = Panel(FakeStation().source(), host="127.0.0.1", port=0)
        panel.published(STEP)
        panel.frame("in", "before the start")
        await panel.start()
        panel.published(STEP)
        _, _, answer = await ask(panel, "GET", "/status")
        assert answer["frames"][0]["text"] == "before the start"
        await panel.close()
        panel.published(STEP)
        panel.frame("in", "after the end")

    asyncio.run(main())


def test_a_slow_subscriber_loses_the_oldest_and_is_told_to_ask_again():
    async def main():
        async with running(FakeStation()) as panel, listening(panel) as client:
            assert await client.block() == "retry: 2000"
            for number in range(stream.QUEUE + 50):  # no await: the subscriber cannot keep up
                panel.published({"number": number})
            assert await client.event() == ("resync", {})
            for number in range(50, stream.QUEUE + 50):
                assert await client.event() == ("step", {"number": number})
            panel.published({"number": "next"})
            assert await client.event() == ("step", {"number": "next"})

    asyncio.run(main())


def test_a_silent_stream_is_kept_alive(monkeypatch):
    monkeypatch.setattr(stream, "KEEP_ALIVE", 0.02)

    async def main():
        async with running(FakeStation()) as panel, listening(panel) as client:
            assert await client.block() == "retry: 2000"
            assert await client.block() == ": still here"
            panel.published(STEP)
            assert await client.event() == ("step", STEP)

    asyncio.run(main())


def test_a_subscriber_that_goes_is_forgotten(monkeypatch):
    async def main():
        gone = asyncio.Event()

        class Watched(stream.Subscribers):
            def joined(self, subscriber):
                manager = super().joined(subscriber)

                class Told:
                    def __enter__(self):
                        manager.__enter__()

                    def __exit__(self, *error):
                        manager.__exit__(*error)
                        gone.set()

                return Told()

        monkeypatch.setattr("charger.panel.server.Subscribers", Watched)
        async with running(FakeStation()) as panel:
            async with listening(panel):
                assert len(panel._subscribers) == 1
            await asyncio.wait_for(gone.wait(), 10)
            assert len(panel._subscribers) == 0

    asyncio.run(main())


def test_whoever_comes_while_it_closes_is_sent_away():
    async def main():
        everybody, late = stream.Subscribers(), stream.Subscriber()
        everybody.end()
        with everybody.joined(late):
            assert [text async for text in late] == []

    asyncio.run(main())


def test_head_of_the_stream_ends():
    async def main():
        async with running(FakeStation()) as panel:
            status, headers, content = await ask(panel, "HEAD", "/events")
            assert (status, content) == (200, b"")
            assert headers["content-type"].startswith("text/event-stream")

    asyncio.run(main())


# -- the end ---------------------------------------------------------------------------------------


async def closes_promptly(panel):
    began = time.monotonic()
    await asyncio.wait_for(panel.close(), 10)
    assert time.monotonic() - began < 3


def test_close_ends_the_streams():
    async def main():
        async with running(FakeStation()) as panel, listening(panel) as one, listening(panel) as other:
            await closes_promptly(panel)
            for client in (one, other):
                assert await client.block() == "retry: 2000"
                assert await client.block() == ""

    asyncio.run(main())


def test_close_does_not_wait_for_a_client_that_does_not_read():
    async def main():
        async with running(FakeStation()) as panel, listening(panel) as client:
            panel.published({"much": "x" * 50_000_000})
            assert await client.block() == "retry: 2000"
            await client._reader.readuntil(
                b"event: step\n"
            )  # it is under way, and more than any buffer holds
            panel.published(STEP)
            await closes_promptly(panel)
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await client._reader.readexactly(60_000_000)

    asyncio.run(main())


def test_close_does_not_wait_for_a_request_that_never_ends():
    async def main():
        station = FakeStation()
        async with running(station) as panel:
            host, port = address(panel)
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(f"POST /sim/swipe HTTP/1.1\r\nHost: {host}:{port}\r\n".encode())
            writer.write(b"Content-Length: 30\r\nExpect: 100-continue\r\n\r\n")
            assert b"100" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            await closes_promptly(panel)
            writer.close()
        assert station.acts == []

    asyncio.run(main())


def test_close_ends_idle_connections():
    async def main():
        async with running(FakeStation()) as panel:
            host, port = address(panel)
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(f"GET /status HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            await asyncio.wait_for(reader.readuntil(b'"frames":[]}'), 10)
            await closes_promptly(panel)
            assert await asyncio.wait_for(reader.read(), 10) == b""
            writer.close()

    asyncio.run(main())
