"""A Central System small enough to try a charge point against: on a desk, in tests, under load.

It says yes to everything, except to idTags that begin with BAD, and writes down every word. Tests replace
single answers and speak for the operator; people open its page and press buttons. It is no product: it has
no users, keeps nothing, and listens on the loopback interface only.

On one port: ``/ocpp/<identity>`` for charge points, ``/`` for the page, ``/control`` for its WebSocket.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import ipaddress
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar
from urllib.parse import unquote
from uuid import uuid4

from websockets.asyncio.server import serve as listen
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from charger.central import messages
from charger.central.demo_page import CONTROL, PATH, Board, Entry, Pages, Transaction
from charger.errors import UsageError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence
    from types import TracebackType

    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request, Response

OCPP: Final = Subprotocol("ocpp1.6")
REMEMBERED: Final = 5000
"""Frames kept in the conversation."""
PATIENCE: Final = 30.0
"""Seconds that `call` waits for an answer."""

T = TypeVar("T")


class CallError(Exception):
    """A CALLERROR: raised by `call`, raised or returned by an answer."""

    def __init__(self, code: str, description: str = "") -> None:
        self.code = code
        self.description = description
        super().__init__(f"{code} {description}".strip())


NO_ANSWER: Final = object()
"""Returned by an answer that leaves the charge point waiting."""

Answer = Callable[[Mapping[str, Any]], Any]
"""Payload of a CALL to the payload of its CALLRESULT, a `CallError`, or `NO_ANSWER`."""


@dataclass(slots=True)
class Station:
    """A charge point that is connected."""

    identity: str
    connection: ServerConnection
    asked: dict[str, tuple[str, asyncio.Future[dict[str, Any]]]] = field(default_factory=dict)
    """Our CALLs under way: id → action and answer."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One CALL at a time (OCPP-J §4.1.1)."""


class DemoCentralSystem:
    """A Central System on the loopback interface; ``async with`` starts and stops it.

    ``answers`` maps an action to its `Answer`; replace what a test wants different.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 9000,
        interval: int = 300,
        refused: Callable[[str], bool] = lambda id_tag: id_tag.upper().startswith("BAD"),
        passwords: Mapping[str, str | bytes] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Do not listen yet.

        Args:
            host: A loopback address.
            port: 0 takes a free one; `port` tells which, once started.
            interval: Seconds between heartbeats, told in BootNotification.conf.
            refused: Which idTags are Invalid.
            passwords: Per identity; with it, Basic authentication is demanded.
            tls: Serve wss and https.

        Raises:
            UsageError: The host is not a loopback address.
        """
        if host != "localhost" and not _is_loopback(host):
            raise UsageError(f"the demo Central System listens on loopback addresses only, not on {host}")
        self.host = host
        self.port = port
        self.stations: dict[str, Station] = {}
        self.conversation: deque[Entry] = deque(maxlen=REMEMBERED)
        self.listeners: list[Callable[[Entry], None]] = []
        """Told of every entry."""
        self._interval = interval
        self._refused = refused
        self._passwords = passwords
        self._tls = tls
        self._server: Server | None = None
        self._board = Board()
        self._pages = Pages(self, self._board)
        self._changed = asyncio.Event()
        self._next_transaction = count(1)
        self.answers: dict[str, Answer] = {
            **dict.fromkeys(messages.FROM_CHARGE_POINT, lambda _: {}),
            "Authorize": lambda payload: {"idTagInfo": self._judge(payload["idTag"])},
            "BootNotification": lambda _: {
                "status": "Accepted",
                "currentTime": _now(),
                "interval": self._interval,
            },
            "DataTransfer": lambda _: {"status": "Accepted"},
            "Heartbeat": lambda _: {"currentTime": _now()},
            "SignCertificate": lambda _: {"status": "Accepted"},
            "StartTransaction": lambda payload: {
                "transactionId": next(self._next_transaction),
                "idTagInfo": self._judge(payload["idTag"]),
            },
            "StopTransaction": lambda payload: (
                {"idTagInfo": self._judge(payload["idTag"])} if "idTag" in payload else {}
            ),
        }

    # -- life --------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: The port is taken.
        """
        self._server = await listen(
            self._serve,
            self.host,
            self.port,
            process_request=self._admit,
            select_subprotocol=_choose,
            compression=None,
            ping_interval=None,
            close_timeout=1,
            ssl=self._tls,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """What belongs into ``central.url``; valid once started."""
        scheme = "ws" if self._tls is None else "wss"
        return f"{scheme}://{self._authority}/ocpp"

    @property
    def page(self) -> str:
        """Where people look; valid once started."""
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{self._authority}/"

    @property
    def _authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def transactions(self) -> Mapping[int, Transaction]:
        """The transactions under way, by id."""
        return self._board.transactions

    # -- speaking to charge points -----------------------------------------------------------------

    async def call(
        self, identity: str, action: str, payload: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Send a CALL and return the payload of its CALLRESULT, unchecked.

        Raises:
            CallError: The charge point answered with a CALLERROR.
            ConnectionError: It is not connected, or went away before it answered.
            TimeoutError: No answer within `PATIENCE` seconds.
        """
        station = self._station(identity)
        async with station.turn:
            unique_id = str(uuid4())
            future = asyncio.get_running_loop().create_future()
            station.asked[unique_id] = action, future
            try:
                await self._send(station, messages.call(unique_id, action, payload or {}), action)
                async with asyncio.timeout(PATIENCE):
                    answer: dict[str, Any] = await future
                return answer
            finally:
                station.asked.pop(unique_id, None)
                future.cancel()

    async def command(self, identity: str, action: str, payload: Any) -> dict[str, Any]:
        """Do the same for the page: ``{"payload": …}`` or ``{"error": …}``, for people to read."""
        try:
            return {"payload": await self.call(identity, action, payload)}
        except (CallError, ConnectionError, TimeoutError, ValueError) as problem:
            return {"error": str(problem) or "no answer"}

    async def send(self, identity: str, text: str, action: str = "") -> None:
        """Send any text, well-formed or not. `action` is for the record.

        Raises:
            ConnectionError: The charge point is not connected.
        """
        await self._send(self._station(identity), text, action)

    def said(self, identity: str, action: str) -> list[Any]:
        """Payloads of the CALLs a charge point has sent, as far as the conversation reaches back."""
        return [
            json.loads(entry.frame)[3]
            for entry in self.conversation
            if entry.identity == identity
            and entry.action == action
            and entry.direction == "in"
            and entry.frame.lstrip("[ ").startswith("2")
        ]

    async def until(self, condition: Callable[[], T]) -> T:
        """Wait until the condition holds, and return what it says. Asked anew whenever something happened."""
        while not (value := condition()):
            await self._changed.wait()
        return value

    async def _send(self, station: Station, text: str, action: str) -> None:
        self._record(station.identity, "out", text, action)
        try:
            await station.connection.send(text)
        except ConnectionClosed as closed:
            raise ConnectionError(f"{station.identity} has gone") from closed

    def _station(self, identity: str) -> Station:
        if identity not in self.stations:
            raise ConnectionError(f"{identity} is not connected")
        return self.stations[identity]

    # -- connections -------------------------------------------------------------------------------

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Let charge points and our own page in, nobody else; the page itself is an HTTP answer."""
        if request.path.startswith("/ocpp/") and len(request.path) > len("/ocpp/"):
            if request.headers.get("Origin") is not None:
                return connection.respond(HTTPStatus.FORBIDDEN, "A browser is no charge point.\n")
            if not self._knows(_identity(request.path), request.headers.get("Authorization", "")):
                response = connection.respond(HTTPStatus.UNAUTHORIZED, "Wrong password.\n")
                response.headers["WWW-Authenticate"] = 'Basic realm="OCPP"'
                return response
            return None
        return self._pages.admit(connection, request)

    def _knows(self, identity: str, header: str) -> bool:
        if self._passwords is None:
            return True
        password = self._passwords.get(identity)
        if password is None:
            return False
        secret = password.encode() if isinstance(password, str) else password
        wanted = b"Basic " + base64.b64encode(identity.encode() + b":" + secret)
        return hmac.compare_digest(wanted, header.encode("ascii", "replace"))

    async def _serve(self, connection: ServerConnection) -> None:
        request = connection.request
        if request is None or connection.subprotocol is None:
            await connection.close(1002, "no common subprotocol")
        elif connection.subprotocol == CONTROL:
            await self._pages.serve(connection)
        else:
            await self._serve_station(Station(_identity(request.path), connection))

    async def _serve_station(self, station: Station) -> None:
        before = self.stations.get(station.identity)
        if before is not None:  # it lost the link without our noticing
            before.connection.transport.abort()
        self.stations[station.identity] = station
        self._tell()
        try:
            async for text in station.connection:
                if isinstance(text, str):
                    reply, action = self._hear(station, text)
                    if reply is not None:
                        self._record(station.identity, "out", reply, action)
                        await station.connection.send(reply)
        except ConnectionClosed:
            pass  # without a Close, as charge points do when the power fails
        finally:
            if self.stations.get(station.identity) is station:
                del self.stations[station.identity]
            for _, future in station.asked.values():
                if not future.done():
                    future.set_exception(ConnectionError(f"{station.identity} has gone"))
            self._tell()

    def _hear(self, station: Station, text: str) -> tuple[str | None, str]:
        """Take in one frame; what to answer, and to which action."""
        try:
            frame = messages.parse(text, messages.FROM_CHARGE_POINT)
        except messages.FrameError:
            self._record(station.identity, "in", text, "")
            return None, ""
        if isinstance(frame, messages.Call):
            answer = self.answer(frame)
            self._board.note(station.identity, frame.action, frame.payload, answer)
            self._record(station.identity, "in", text, frame.action)
            if answer is NO_ANSWER:
                return None, frame.action
            if isinstance(answer, CallError):
                return messages.error(frame.id, answer.code, answer.description), frame.action
            return messages.result(frame.id, answer), frame.action
        if isinstance(frame, messages.BadCall):
            self._record(station.identity, "in", text, "")
            return messages.error(frame.id, frame.code, frame.description), ""
        action, future = station.asked.get(frame.id, ("", None))
        self._record(station.identity, "in", text, action)
        if future is not None and not future.done():
            if isinstance(frame, messages.Result):
                future.set_result(frame.payload)
            else:
                future.set_exception(CallError(frame.code, frame.description))
        return None, ""

    def answer(self, call: messages.Call) -> Any:
        """What to say to a CALL: a payload, a `CallError`, or `NO_ANSWER`. A laboratory has its own."""
        if call.action not in self.answers:
            return CallError(messages.NOT_IMPLEMENTED)
        try:
            return self.answers[call.action](call.payload)
        except CallError as refusal:
            return refusal

    def _judge(self, id_tag: str) -> dict[str, str]:
        return {"status": "Invalid" if self._refused(id_tag) else "Accepted"}

    def _record(self, identity: str, direction: Literal["in", "out"], text: str, action: str) -> None:
        entry = Entry(time.time(), identity, direction, text, action)
        self.conversation.append(entry)
        for listener in self.listeners:
            listener(entry)
        self._tell(entry)

    def _tell(self, *entries: Entry) -> None:
        """Wake those who wait, and show the pages what is new."""
        self._changed.set()
        self._changed = asyncio.Event()
        self._pages.show(entries)


async def serve(host: str, port: int, print_line: Callable[[str], None]) -> None:
    """Run until cancelled and print the conversation, line by line.

    Raises:
        UsageError: The host is not a loopback address.
        OSError: The port is taken.
    """
    async with DemoCentralSystem(host=host, port=port) as central:
        print_line(f"Central System at {central.url}/<identity>, page at {central.page}")
        central.listeners.append(lambda entry: print_line(str(entry)))
        await asyncio.get_running_loop().create_future()


def _choose(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Take the one that belongs to the path; None still opens the WebSocket (OCPP-J §3.2), to be closed."""
    request = connection.request
    wanted = CONTROL if request is not None and request.path == PATH else OCPP
    return wanted if wanted in offered else None


def _identity(path: str) -> str:
    return unquote(path.partition("?")[0].removeprefix("/ocpp/"))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
