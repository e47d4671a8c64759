"""The port `Central` for the field: one WebSocket to the Central System, OCPP-J 1.6.

Knows connections, frames and ids; knows no OCPP message by name. It decides nothing that a chart could
decide: it neither reconnects nor repeats, it reports and waits for the next command.

Frames leave inside `perform`, so their order is the order of the commands, and a CALL's time runs from the
moment at which it was handed to the socket. One task per connection reads; it ends with the connection.
"""

from __future__ import annotations

import asyncio
import base64
import errno
import logging
import os
import socket
import ssl
import uuid
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.connection import broadcast
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.protocol import State
from websockets.typing import Subprotocol

from charger.central import messages
from charger.ports import Call, CentralCommand, Connect, Disconnect, Ping, Post, Reply, ReplyError
from charger.statechart.event import Event

SUBPROTOCOL: Final = Subprotocol("ocpp1.6")
OPEN_TIMEOUT: Final = 10.0
"""Seconds for name, TCP, TLS and upgrade together."""
CLOSE_TIMEOUT: Final = 1.0
"""Seconds a peer gets to answer our Close before the socket is cut."""
MAX_FRAME: Final = 64 * 1024
"""Characters; a longer frame is logged and ignored. Over `MAX_MESSAGE` the link is lost (code 1009)."""
MAX_MESSAGE: Final = 1024 * 1024
MAX_UNSENT: Final = 1024 * 1024
"""Bytes waiting in the socket; beyond, the peer does not read and the link is lost."""
MAX_OVERDUE: Final = 8
"""Messages whose late answer would still be taken."""
MAX_OWED: Final = 100
"""Calls of the Central System left unanswered; beyond, the oldest is forgotten (it may have one, §4.1.1)."""
FRAMES_PER_TURN: Final = 32
"""Buffered frames taken in a row before the rest of the station gets its turn."""

OnFrame = Callable[[Literal["in", "out"], str], None]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Pending:
    """Our CALL that is under way."""

    id: str
    call: Call
    timer: asyncio.TimerHandle


class CentralLink:
    """The link of one station.

    Use it on one event loop; `perform` needs that loop running.
    """

    def __init__(
        self,
        *,
        url: str,
        identity: str,
        post: Post,
        password: str | bytes | None = None,
        ca_file: str | Path | None = None,
        verify_hostname: bool = True,
        tolerant: bool = False,
        on_frame: OnFrame | None = None,
    ) -> None:
        """Do not connect yet.

        Args:
            url: Endpoint, ``ws://`` or ``wss://``; the percent-encoded identity is appended (OCPP-J §3.1.1).
            identity: Also the user name of Basic authentication, un-encoded (white paper, A00.FR.204).
            post: Where events go.
            password: Bytes are sent as they are, a string as UTF-8; None sends no Authorization header.
            ca_file: PEM; for wss the only roots trusted. Left out: those of the system.
            verify_hostname: Whether the server's certificate must carry the host name of the URL.
            tolerant: Drop unknown and null properties of incoming payloads instead of refusing them.
            on_frame: Sees every frame that is handled, for the panel.
        """
        self.url = f"{url.rstrip('/')}/{quote(identity, safe='')}"
        self.password = password
        """Taken at each `Connect`, so a new AuthorizationKey counts from the next one."""
        self._identity = identity
        self._ca_file = ca_file
        self._verify_hostname = verify_hostname
        self._tolerant = tolerant
        self._post = post
        self._on_frame = on_frame
        self._opening: asyncio.Task[None] | None = None
        self._connection: ClientConnection | None = None
        self._waiting: deque[Call] = deque()
        self._pending: _Pending | None = None
        self._owed: dict[str, None] = {}  # ids of CALLs we have not answered, oldest first
        self._overdue: dict[str, Call] = {}  # unanswered in time, but may be sent again: oldest first
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    # -- commands ----------------------------------------------------------------------------------

    def perform(self, command: CentralCommand) -> None:
        """Carry out one command; returns at once."""
        match command:
            case Call():
                self._waiting.append(command)
                self._send_next()
            case Reply():
                self._reply(command)
            case ReplyError():
                self._pay(command.call, messages.error(command.call, command.code, command.description))
            case Ping():
                if self._connection is not None:
                    self._spawn(self._ping(self._connection, command.timeout))
            case Connect():
                if self._connection is None and self._opening is None and not self._closed:
                    self._opening = self._spawn(self._live())
            case Disconnect():
                self._disconnect()

    async def close(self) -> None:
        """Close the link, if any, and end every task. A later `Connect` does nothing."""
        self._closed = True
        self._disconnect()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _disconnect(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
            self._post(Event("link.refused", fields={"reason": "disconnected"}))
        elif self._connection is not None:
            self._spawn(_say_goodbye(self._connection))
            self._lose(self._connection, "disconnected")

    # -- the life of a connection ------------------------------------------------------------------

    async def _live(self) -> None:
        try:
            connection = await self._open()
        except (OSError, InvalidHandshake, InvalidURI, ValueError) as problem:
            self._refused(_reason(problem))
            return
        if connection.subprotocol != SUBPROTOCOL:
            await _say_goodbye(connection)
            self._refused(f"the server does not speak {SUBPROTOCOL}")
            return
        self._opening = None
        self._connection = connection
        self._post(Event("link.opened"))
        try:
            await self._read(connection)
        except ConnectionClosed as closed:
            self._lose(connection, _farewell(closed))

    async def _open(self) -> ClientConnection:
        headers = {}
        if self.password is not None:
            password = self.password.encode() if isinstance(self.password, str) else self.password
            user = self._identity.encode()
            # Pre-emptively: a charge point never waits for a 401 (white paper, A00.FR.203).
            headers["Authorization"] = "Basic " + base64.b64encode(user + b":" + password).decode()
        return await connect(
            self.url,
            subprotocols=[SUBPROTOCOL],
            additional_headers=headers,
            user_agent_header=None,
            compression=None,
            proxy=None,
            open_timeout=OPEN_TIMEOUT,
            close_timeout=CLOSE_TIMEOUT,
            ping_interval=None,
            max_size=MAX_MESSAGE,
            ssl=self._trust() if self.url.startswith("wss:") else None,
        )

    def _trust(self) -> ssl.SSLContext:
        # Read anew for each connection: InstallCertificate may have changed the file.
        try:
            context = ssl.create_default_context(cafile=self._ca_file)
        except OSError as problem:
            raise ValueError(f"TLS: no root certificates in {self._ca_file}: {_reason(problem)}") from problem
        context.check_hostname = self._verify_hostname
        return context

    def _refused(self, reason: str) -> None:
        self._opening = None
        self._post(Event("link.refused", fields={"reason": reason}))

    async def _read(self, connection: ClientConnection) -> None:
        taken = 0
        while True:
            text = await connection.recv()
            if self._connection is not connection:
                return  # what arrives while we say goodbye is for nobody
            self._receive(connection, text)
            taken += 1
            if taken % FRAMES_PER_TURN == 0:
                await asyncio.sleep(0)  # recv does not wait while frames are buffered

    def _lose(self, connection: ClientConnection, reason: str) -> None:
        """Report the end of a link, once, and answer whatever waits for it."""
        if connection is not self._connection:
            return
        self._connection = None
        unanswered = list(self._waiting)
        self._waiting.clear()
        if self._pending is not None:
            self._pending.timer.cancel()
            unanswered.insert(0, self._pending.call)
            self._pending = None
        self._owed.clear()
        self._post(Event("link.lost", fields={"reason": reason}))
        for call in unanswered:
            self._answered(call, "offline")

    def _cut(self, connection: ClientConnection, reason: str) -> None:
        """End a link whose peer cannot be trusted to close it."""
        self._lose(connection, reason)
        connection.transport.abort()

    async def _ping(self, connection: ClientConnection, timeout: float) -> None:  # noqa: ASYNC109
        # A ConnectionClosed here is the reader's to report.
        with suppress(ConnectionClosed):
            try:
                async with asyncio.timeout(timeout):
                    await (await connection.ping())
            except TimeoutError:
                self._cut(connection, f"no pong within {timeout:g} s")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        defect = task.exception()
        if defect is not None:
            _log.error("The link to the Central System failed", exc_info=defect)
            if task is self._opening:
                self._refused("internal error")
            elif self._connection is not None:
                self._cut(self._connection, "internal error")

    # -- outgoing ----------------------------------------------------------------------------------

    def _send_next(self) -> None:
        while self._waiting and self._pending is None:
            call = self._waiting.popleft()
            if self._connection is None:
                self._answered(call, "offline")
                continue
            payload = dict(call.payload)
            fault = messages.find_fault(call.action, payload)
            if fault is not None:
                _log.error("Defect: our %s breaks its schema: %s", call.action, fault)
                self._answered(call, "error")
                continue
            # Never the same for two messages, not even across restarts (OCPP-J errata 3.1).
            unique_id = call.id or str(uuid.uuid4())
            self._overdue.pop(unique_id, None)
            timer = asyncio.get_running_loop().call_later(call.timeout, self._expired, call)
            self._pending = _Pending(unique_id, call, timer)
            self._write(self._connection, messages.call(unique_id, call.action, payload))

    def _expired(self, call: Call) -> None:
        self._pending = None
        if call.id is not None:
            self._overdue[call.id] = call
            if len(self._overdue) > MAX_OVERDUE:
                del self._overdue[next(iter(self._overdue))]
        self._answered(call, "timeout")
        self._send_next()

    def _reply(self, reply: Reply) -> None:
        payload = dict(reply.payload)
        fault = messages.find_fault(reply.action, payload, response=True)
        if fault is None:
            self._pay(reply.call, messages.result(reply.call, payload))
        else:
            _log.error("Defect: our answer to %s breaks its schema: %s", reply.action, fault)
            self._pay(reply.call, messages.error(reply.call, messages.INTERNAL_ERROR))

    def _pay(self, unique_id: str, text: str) -> None:
        """Answer a CALL of the Central System, once and on the link it came from."""
        if self._connection is None or unique_id not in self._owed:
            _log.debug("dropped our answer to %.50r: nobody waits for it", unique_id)
            return
        del self._owed[unique_id]
        self._write(self._connection, text)

    def _write(self, connection: ClientConnection, text: str) -> None:
        if connection.state is not State.OPEN:
            # The peer has said Close; should it keep TCP open, the reader would wait for ever.
            connection.transport.abort()
            return
        if self._on_frame is not None:
            self._on_frame("out", text)
        # The one synchronous way of sending that the library offers: for a single connection that is open and
        # never fragments it is a plain write. A socket that fails is reported to the reader by its transport.
        broadcast([connection], text)
        if connection.transport.get_write_buffer_size() > MAX_UNSENT:
            self._cut(connection, "the Central System does not read")

    # -- incoming ----------------------------------------------------------------------------------

    def _receive(self, connection: ClientConnection, text: str | bytes) -> None:
        if isinstance(text, bytes):
            _log.warning("ignored a binary frame of %d bytes", len(text))
            return
        if len(text) > MAX_FRAME:
            _log.warning("ignored a frame of %d characters: %.80r …", len(text), text[:80])
            return
        if self._on_frame is not None:
            self._on_frame("in", text)
        try:
            frame = messages.parse(text, messages.FROM_CENTRAL_SYSTEM, tolerant=self._tolerant)
        except messages.FrameError as problem:
            _log.warning("ignored a frame: %s: %.80r", problem, text[:80])
            return
        match frame:
            case messages.Call():
                self._called(connection, Event(f"ocpp.{frame.action}", call=frame.id, fields=frame.payload))
            case messages.BadCall():
                _log.warning("a CALL that cannot be read: %s: %s", frame.code, frame.description)
                fields = {"code": frame.code, "description": frame.description}
                self._called(connection, Event("call.unreadable", call=frame.id, fields=fields))
            case _:
                self._concluded(frame)

    def _called(self, connection: ClientConnection, event: Event) -> None:
        unique_id = str(event.call)
        if unique_id in self._owed:
            self._write(
                connection, messages.error(unique_id, messages.GENERIC, "this id is still unanswered")
            )
            return
        self._owed[unique_id] = None
        if len(self._owed) > MAX_OWED:
            del self._owed[next(iter(self._owed))]
        self._post(event)

    def _concluded(self, frame: messages.Result | messages.Failure) -> None:
        pending = self._take(frame.id)
        if pending is None:
            self._concluded_late(frame)
            return
        action = pending.call.action
        if isinstance(frame, messages.Failure):
            _log.info("%s: %.50s %.200s", action, frame.code, frame.description)
            self._answered(pending.call, "error")
        elif fault := messages.find_fault(action, frame.payload, response=True, tolerant=self._tolerant):
            _log.warning("the answer to %s breaks its schema: %s: %s", action, fault.code, fault)
            self._answered(pending.call, "error")
        else:
            self._answered(pending.call, "result", frame.payload)
        self._send_next()

    def _concluded_late(self, frame: messages.Result | messages.Failure) -> None:
        """An answer that nobody waits for counts as long as its message might be sent again."""
        call = self._overdue.pop(frame.id, None)
        if (
            call is None
            or not isinstance(frame, messages.Result)
            or messages.find_fault(call.action, frame.payload, response=True, tolerant=self._tolerant)
        ):
            _log.warning("dropped an answer to %.50r: late, repeated or never asked", frame.id)
            return
        self._post(Event("ocpp.answered_late", fields={"id": frame.id, "payload": frame.payload}))

    def _take(self, unique_id: str) -> _Pending | None:
        """Give out the pending CALL when it is this one."""
        pending = self._pending
        if pending is None or pending.id != unique_id:
            return None
        pending.timer.cancel()
        self._pending = None
        return pending

    def _answered(self, call: Call, outcome: str, payload: Mapping[str, Any] | None = None) -> None:
        fields = {"token": call.token, "outcome": outcome, "payload": payload or {}}
        self._post(Event("ocpp.answered", fields=fields))


async def _say_goodbye(connection: ClientConnection) -> None:
    """Close in due form, but not at any price: a dead peer is cut off."""
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await connection.close()
    finally:
        connection.transport.abort()


def _reason(problem: Exception) -> str:
    """Say in a few words why there is no link."""
    match problem:
        case InvalidStatus():
            return f"HTTP {problem.response.status_code} {problem.response.reason_phrase}".strip()
        case ssl.SSLCertVerificationError():
            return f"TLS: {problem.verify_message}"
        case ssl.SSLError():
            return f"TLS: {getattr(problem, 'reason', None) or problem}"
        case socket.gaierror():
            return f"DNS: {problem.strerror}"
        case TimeoutError():
            return f"no answer within {OPEN_TIMEOUT:g} s"
        case OSError(errno=int(number)):
            return os.strerror(number)  # asyncio writes addresses into the exception's own words
        case ConnectionError():
            return "the server hung up"
        case OSError() if f"[Errno {errno.ECONNREFUSED}]" in str(problem):
            return os.strerror(errno.ECONNREFUSED)  # each address of the host refused
    return str(problem)


def _farewell(closed: ConnectionClosed) -> str:
    """Say in a few words why a link has ended."""
    if closed.sent is not None and not closed.rcvd_then_sent:
        return f"closed by us: {closed.sent.code} {closed.sent.reason}".strip()
    if closed.rcvd is not None:
        return f"closed by the Central System: {closed.rcvd.code} {closed.rcvd.reason}".strip()
    return f"connection lost: {closed.__cause__ or 'the socket was closed'}"
