"""The panel as a part of the station: what it is given, when it listens, what it is told, how it ends.

Runs inside the station's own event loop. uvicorn gets a socket that already listens and neither a signal
handler nor a logging configuration nor a ticking task. starlette and uvicorn are imported by `start`, so
that a station without a panel does not pay for them.
"""

from __future__ import annotations

import asyncio
import errno
import re
import socket
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from charger.errors import UsageError
from charger.panel.stream import Subscribers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from uvicorn import Server

    from charger.ports import Post

FRAMES = 50
"""OCPP frames that `/status` remembers."""
LONGEST_FRAME = 8192
"""Characters of one frame that are kept; a local authorization list can have hundreds of thousands."""
PATIENCE = 0.5
"""Seconds that `close` leaves a client to read what it was sent."""
CONNECTIONS = 64
"""More at a time are answered with 503; a browser takes one per page for the stream, and up to five more."""


@dataclass(frozen=True, slots=True)
class PanelSource:
    """Everything the panel may know and do."""

    status: Callable[[], Mapping[str, Any]]
    """The whole station as values that JSON can hold."""
    diagram: Callable[[str], str | None]
    """Chart name → SVG, None if there is none. A state is a ``<g>`` with the id ``state-<Name>``."""
    post: Post
    """Into the queue of the station."""
    simulated: bool
    """Whether the /sim endpoints exist."""
    connectors: int
    simulate: Callable[[str, int | None, Mapping[str, Any]], None] | None
    """``(act, connector, body)`` with an act of `charger.panel.api.ACTS` and a body that fits its table
    there; an optional member that was not sent is not filled in. The connector is the number in the address,
    0 for a fault of the station as a whole; for `swipe` and `input` it is taken out of the body, None if it
    was not there. Raises ValueError with a sentence for people when the act is not possible."""
    trace: Callable[[], Iterable[str]]
    """What happened lately, line by line; what is given may be read on another thread."""


class Panel:
    """The page and the API of one station."""

    def __init__(self, source: PanelSource, *, host: str, port: int, token: str | None = None) -> None:
        self._source = source
        self._host = host.strip("[]")
        self._port = port
        self._token = token or None
        self._frames: deque[Mapping[str, str]] = deque(maxlen=FRAMES)
        self._subscribers = Subscribers()
        self._server: Server | None = None
        self._listener: socket.socket | None = None

    @property
    def url(self) -> str:
        """Address of the page. After `start` with the real port, if 0 was asked for."""
        return f"http://{_bracketed(self._host)}:{self._port}/"

    async def start(self) -> None:
        """Listen; requests are answered from the moment at which this returns.

        Raises:
            UsageError: no token although others can reach `host`, or this address cannot be had.
        """
        # Together about 0.1 s and 8 MB.
        from uvicorn import Config, Server  # noqa: PLC0415

        from charger.panel.api import Api  # noqa: PLC0415
        from charger.panel.gate import Gate, is_loopback  # noqa: PLC0415

        if self._token is None and not is_loopback(self._host):
            raise UsageError(
                f"panel: {self._host} can be reached by others, so a token is needed; or use 127.0.0.1"
            )
        listener = _listening(self._host, self._port)
        try:
            self._port = listener.getsockname()[1]
            api = Api(self._source, self._frames, self._subscribers)
            gate = Gate(api.application(), host=self._host, port=self._port, token=self._token)
            config = Config(
                gate,
                http="h11",
                ws="none",
                lifespan="off",
                interface="asgi3",
                workers=1,
                proxy_headers=False,
                access_log=False,
                log_config=None,
                log_level="warning",  # it would tell people to press Ctrl+C
                limit_concurrency=CONNECTIONS,
                timeout_keep_alive=60,
            )
            config.load()
            # `Server.serve` would take over the signals, and wake up ten times a second to see whether it
            # should exit; startup and shutdown are all we need of it.
            server = Server(config)
            server.lifespan = config.lifespan_class(config)
            await server.startup(sockets=[listener])
        except BaseException:
            listener.close()
            raise
        self._server, self._listener = server, listener

    @property
    def watched(self) -> bool:
        """Whether anybody listens to the steps just now; else nobody need write them out."""
        return len(self._subscribers) > 0

    def published(self, step: Mapping[str, Any]) -> None:
        """Show one step of the core to everybody who listens. On the loop thread."""
        self._subscribers.send("step", step)

    def frame(self, direction: str, text: str) -> None:
        """Keep and show one OCPP frame, ``in`` or ``out``. On the loop thread.

        A frame that is too long is cut, and a password that the Central System sets is masked.
        """
        time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        frame = {"direction": direction, "text": _shown(text), "time": time}
        self._frames.append(frame)
        self._subscribers.send("frame", frame)

    async def close(self) -> None:
        """End every stream and every connection, in about half a second; nothing when it is not running."""
        server, listener = self._server, self._listener
        self._server = self._listener = None
        self._subscribers.end()
        if server is None or listener is None:
            return
        hurry = asyncio.get_running_loop().call_later(PATIENCE, _abort, server)
        try:
            await server.shutdown(sockets=[listener])
        finally:
            hurry.cancel()


def _abort(server: Server) -> None:
    """Cut the connections that are still there: clients that do not read, or never finish their request."""
    for connection in list(server.server_state.connections):
        connection.transport.abort()


def _listening(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise UsageError(f"panel: there is no port {port}; the highest is 65535")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except socket.gaierror as error:
        raise UsageError(f"panel: {host} is not the name of an address ({error.strerror})") from error
    except OSError as error:
        where = f"panel: cannot listen on port {port} of {host}"
        match error.errno:
            case errno.EADDRINUSE:
                raise UsageError(
                    f"{where}: another program does already; choose another port, or off"
                ) from error
            case errno.EADDRNOTAVAIL:
                raise UsageError(f"{where}: this machine has no such address") from error
            case errno.EACCES:
                raise UsageError(
                    f"{where}: ports below 1024 need the right to; choose a higher one"
                ) from error
            case _:
                raise UsageError(f"{where}: {error.strerror}") from error


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _shown(text: str) -> str:
    """Return a frame as it may be shown to people."""
    if "ChangeConfiguration" in text and "authorizationkey" in text.lower():
        text = re.sub(r'("value"\s*:\s*)"(?:[^"\\]|\\.)*"', r'\1"***"', text)
    if len(text) > LONGEST_FRAME:
        return f"{text[:LONGEST_FRAME]} … ({len(text)} characters)"
    return text
