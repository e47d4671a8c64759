"""What systemd hears: a real datagram socket, and periods of a few milliseconds."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from program import running

from charger.notify import feed, tell, watchdog_period

PERIOD = {"WATCHDOG_USEC": "4000"}


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listener


def heard(listener: socket.socket) -> list[str]:
    """What has arrived and was not taken yet."""
    listener.setblocking(False)
    found = []
    while True:
        try:
            found.append(listener.recv(100).decode())
        except BlockingIOError:
            return found


def test_a_datagram_arrives(systemd: socket.socket) -> None:
    tell("READY=1")
    assert heard(systemd) == ["READY=1"]


def test_a_socket_may_be_abstract() -> None:
    name = f"charger-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name}")
        tell("READY=1", {"NOTIFY_SOCKET": f"@{name}"})
        assert heard(listener) == ["READY=1"]


def test_without_systemd_nothing_is_told() -> None:
    tell("READY=1", {})


def test_a_socket_that_has_gone_is_no_reason_to_fail(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tell("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "gone")})
    assert "systemd cannot be told READY=1: No such file or directory" in caplog.text


@pytest.mark.parametrize(
    ("environ", "period"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "20000000"}, 20.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": str(os.getpid())}, 20.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_watches_this_process_or_none(environ: dict[str, str], period: float | None) -> None:
    assert watchdog_period(environ) == period


def test_the_watchdog_is_fed_only_while_the_wires_are_watched(
    systemd: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    answers = iter([True, True, False, False, True, False])

    def alive() -> bool:
        answer = next(answers, None)
        if answer is None:
            raise asyncio.CancelledError
        return answer

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(feed(alive, {**os.environ, **PERIOD}))
    assert heard(systemd) == ["WATCHDOG=1"] * 3
    assert [record.message for record in caplog.records] == [
        "nobody watches the wires: the watchdog is not fed any more, 0.004 s until it bites"
    ] * 2


def test_a_loop_that_is_blocked_feeds_no_watchdog(systemd: socket.socket) -> None:
    async def station() -> None:
        fed = asyncio.create_task(feed(lambda: True, {**os.environ, **PERIOD}))
        for _ in range(3):
            await asyncio.get_running_loop().run_in_executor(None, systemd.recv, 100)
        heard(systemd)
        systemd.settimeout(0.1)  # 50 meals; and this waiting is what blocks the loop
        with pytest.raises(TimeoutError):
            systemd.recv(100)
        fed.cancel()

    asyncio.run(station())


def test_a_station_is_ready_then_alive_then_stopping(
    tmp_path: Path, systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "200000")

    async def hear(what: str) -> None:
        while (await asyncio.get_running_loop().run_in_executor(None, systemd.recv, 100)).decode() != what:
            pass

    async def story() -> None:
        async with running(tmp_path / "station") as station:
            await hear("READY=1")
            await station.status()  # ready: the page answers
            await hear("WATCHDOG=1")
            await station.call("Reset", type="Soft")  # another program in the same process
            await hear("READY=1")
            await hear("WATCHDOG=1")
            await station.kill(signal.SIGTERM)
            await hear("STOPPING=1")

    asyncio.run(story())
