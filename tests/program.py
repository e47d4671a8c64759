"""A station as a real process: command line, SQLite, WebSocket, HTTP. Nothing of it is in this process.

Waiting is done on the station's event stream and on the Central System's conversation, never by the clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from charger.central.demo import DemoCentralSystem

ROOT = Path(__file__).parent.parent
PATIENCE = 30.0
"""s; for a slow machine. Nothing here takes longer than a second or two."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Program:
    """One station folder, and the process that runs on it."""

    def __init__(self, folder: Path, central: DemoCentralSystem, **settings: Any) -> None:
        self.folder = folder
        self.central = central
        self.port = free_port()
        self.process: asyncio.subprocess.Process | None = None
        self.output = folder / "output.txt"
        station = {
            "id": "CP001",
            "vendor": "Vendor",
            "model": "Model",
            "central": {"url": central.url},
            "panel": f"127.0.0.1:{self.port}",
            "connectors": 2,
            "data": str(folder / "data"),
        } | settings
        folder.mkdir(exist_ok=True)
        self.file = folder / "station.yaml"
        self.file.write_text(json.dumps(station, indent=1), encoding="utf-8")

    async def start(self) -> None:
        """Run until the Central System has accepted it and knows all its statuses."""
        seen = len(self.said("BootNotification"))
        with self.output.open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "charger", "run", str(self.file)),
                cwd=ROOT,
                stdout=output,
                stderr=output,
            )
        await self.until(lambda: len(self.said("BootNotification")) > seen)
        await self.status_until(lambda status: status["registration"] == "Accepted")

    async def kill(self, number: int = signal.SIGKILL) -> int:
        assert self.process
        self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), PATIENCE)

    async def close(self) -> None:
        if self.process and self.process.returncode is None:
            await self.kill()

    # -- acts --------------------------------------------------------------------------------------------

    async def http(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        data = json.dumps(body).encode() if body is not None else b""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", f"Content-Length: {len(data)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()] + ["Connection: close", "", ""]
        writer.write("\r\n".join(lines).encode() + data)
        answer = await asyncio.wait_for(reader.read(), PATIENCE)
        writer.close()
        await writer.wait_closed()
        head, _, text = answer.partition(b"\r\n\r\n")
        code = int(head.split()[1])
        return code, json.loads(text) if b"application/json" in head else text.decode()

    async def act(self, act: str, connector: int | None = 1, **body: Any) -> None:
        path = f"/sim/connectors/{connector}/{act}" if connector else f"/sim/{act}"
        code, answer = await self.http("POST", path, body or None)
        assert code == 200, answer

    async def swipe(self, tag: str) -> None:
        await self.act("swipe", None, id_tag=tag)

    async def call(self, action: str, **payload: Any) -> dict[str, Any]:
        return await self.central.call("CP001", action, payload)

    async def session(self, tag: str = "TAG", connector: int = 1) -> None:
        """Plug and card, until it charges."""
        await self.act("plug", connector)
        await self.connector_until("Preparing", connector)
        await self.swipe(tag)
        await self.connector_until("Charging", connector)

    # -- looks -------------------------------------------------------------------------------------------

    def said(self, action: str) -> list[Any]:
        return self.central.said("CP001", action)

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until the conversation makes it true."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self.central.until(condition)
        except TimeoutError:
            raise AssertionError(self.output.read_text()[-3000:]) from None

    async def status(self) -> dict[str, Any]:
        code, status = await self.http("GET", "/status")
        assert code == 200, status
        return dict(status)

    async def status_until(self, condition: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """Wait until `/status` makes it true; looked at anew after every step of the station."""
        try:
            async with asyncio.timeout(PATIENCE), self._steps() as step:
                while True:
                    status = await self.status()
                    if condition(status):
                        return status
                    await step()
        except TimeoutError:
            raise AssertionError(f"{status}\n{self.output.read_text()[-3000:]}") from None

    async def connector_until(self, status: str, connector: int = 1) -> dict[str, Any]:
        found = await self.status_until(lambda all_: all_["connectors"][connector - 1]["status"] == status)
        return dict(found["connectors"][connector - 1])

    @contextlib.asynccontextmanager
    async def _steps(self) -> AsyncIterator[Callable[[], Any]]:
        reader, writer = await self._connected()
        writer.write(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        try:
            yield reader.readline
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The page comes up a moment after the link."""
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", self.port)
            except ConnectionRefusedError:
                assert self.process
                assert self.process.returncode is None, self.output.read_text()
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def running(folder: Path, **settings: Any) -> AsyncIterator[Program]:
    """A Central System and a station that it has accepted."""
    os.environ.pop("CHARGER_ID", None)
    async with DemoCentralSystem(port=0) as central:
        program = Program(folder, central, **settings)
        try:
            await program.start()
            yield program
        finally:
            await program.close()
