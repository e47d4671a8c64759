"""The page of the demo Central System: one HTML file, and one WebSocket that carries everything it shows.

The page asks ``{"id", "identity", "action", "payload"}``, answered by ``{"id", "payload"}`` or
``{"id", "error"}``. Unasked it gets pictures: ``{"stations", "transactions", "lines"}``, the lines being
those that are new. The module looks and shows; what is answered and allowed is for `demo`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from websockets.asyncio.server import broadcast
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request, Response

    from charger.central.demo import DemoCentralSystem

CONTROL: Final = Subprotocol("demo-control")
PATH: Final = "/control"
SHOWN: Final = 200
"""Frames a page gets when it opens."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One frame of the conversation. ``str()`` of it is a line to print."""

    time: float
    """Seconds since 1970."""
    identity: str
    direction: Literal["in", "out"]
    """As the Central System sees it."""
    frame: str
    action: str
    """Of the CALL, or of the CALL that is answered; empty when nobody knows."""

    def __str__(self) -> str:
        clock = datetime.fromtimestamp(self.time, UTC).astimezone().isoformat(timespec="milliseconds")[11:23]
        arrow = "→" if self.direction == "in" else "←"
        return f"{clock} {self.identity} {arrow} {self.action or '?'} {self._content()}"

    def _content(self) -> str:
        try:
            frame = json.loads(self.frame)
        except (ValueError, RecursionError):
            return repr(self.frame[:200])
        match frame:
            case [2, str(), str(), payload]:
                return json.dumps(payload, ensure_ascii=False)
            case [3, str(), payload]:
                return f"answer {json.dumps(payload, ensure_ascii=False)}"
            case [4, str(), code, description, *_]:
                return f"error {code} {description}"
        return repr(self.frame[:200])


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction under way."""

    id: int
    identity: str
    connector: int
    id_tag: str
    meter_start: int
    energy: int = 0
    """Wh since the start, as far as the charge point has told."""


@dataclass(slots=True)
class Board:
    """What is known of the charge points from what they have said."""

    boots: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """Last BootNotification, by identity."""
    connectors: dict[str, dict[int, str]] = field(default_factory=dict)
    """Last status, by identity and connector."""
    transactions: dict[int, Transaction] = field(default_factory=dict)

    def note(self, identity: str, action: str, payload: Mapping[str, Any], answer: object) -> None:
        """Take in a CALL that obeys its schema, and what it was answered."""
        if action == "BootNotification":
            self.boots[identity] = payload
        elif action == "StatusNotification":
            self.connectors.setdefault(identity, {})[payload["connectorId"]] = payload["status"]
        elif action == "StartTransaction":
            match answer:  # a test may answer anything
                case {"transactionId": int(number)}:
                    self.transactions[number] = Transaction(
                        id=number,
                        identity=identity,
                        connector=payload["connectorId"],
                        id_tag=payload["idTag"],
                        meter_start=payload["meterStart"],
                    )
        elif action == "StopTransaction":
            self.transactions.pop(payload["transactionId"], None)
        elif action == "MeterValues" and payload.get("transactionId") in self.transactions:
            transaction = self.transactions[payload["transactionId"]]
            register = _register(payload)
            if register is not None:
                energy = register - transaction.meter_start
                self.transactions[transaction.id] = replace(transaction, energy=energy)


class Pages:
    """The pages that are open."""

    def __init__(self, central: DemoCentralSystem, board: Board) -> None:
        self._central = central
        self._board = board
        self._open: set[ServerConnection] = set()

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer a request for the page; None lets its WebSocket in.

        Whoever can open the page can start and stop charging, so a foreign web page must not: it may
        reach this port under a name of its own (DNS rebinding: the Host differs) or open the WebSocket
        from elsewhere (the Origin differs).
        """
        host = request.headers.get("Host", "")
        port = self._central.port
        if host not in {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]", self._central.host)}:
            return connection.respond(HTTPStatus.FORBIDDEN, "This page is for this machine only.\n")
        if request.path == PATH:
            if request.headers.get("Origin") != f"{self._central.page.partition(':')[0]}://{host}":
                return connection.respond(HTTPStatus.FORBIDDEN, "Only the page of this server may do this.\n")
            return None
        if request.path != "/":
            return connection.respond(HTTPStatus.NOT_FOUND, "There is / and /ocpp/<identity>.\n")
        response = connection.respond(HTTPStatus.OK, Path(__file__).with_name("demo.html").read_text("utf-8"))
        del response.headers["Content-Type"]  # headers may stand twice
        response.headers["Content-Type"] = "text/html; charset=utf-8"
        response.headers["Cache-Control"] = "no-store"
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
            f"connect-src 'self' ws://{host} wss://{host}; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        return response

    async def serve(self, connection: ServerConnection) -> None:
        """Show one page everything that happens, and do what its buttons say, until it is closed."""
        self._open.add(connection)
        broadcast([connection], self._picture([*self._central.conversation][-SHOWN:]))
        tasks: set[asyncio.Task[None]] = set()
        try:
            async for text in connection:
                # A task each: a charge point that does not answer must not block the other buttons.
                task = asyncio.create_task(self._obey(connection, text))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        except ConnectionClosed:
            pass  # a closed tab
        finally:
            self._open.discard(connection)
            for task in tasks:
                task.cancel()

    def show(self, entries: Sequence[Entry]) -> None:
        """Tell every page what is new."""
        if self._open:
            broadcast(self._open, self._picture(entries))

    async def _obey(self, connection: ServerConnection, text: str | bytes) -> None:
        answer: dict[str, Any]
        try:
            command = json.loads(text)
        except (ValueError, RecursionError):
            command = None
        match command:
            case {"id": int(number), "identity": str(identity), "action": str(action), "payload": payload}:
                answer = {"id": number, **await self._central.command(identity, action, payload)}
            case _:
                answer = {"error": "a command has id, identity, action and payload"}
        broadcast([connection], json.dumps(answer))

    def _picture(self, entries: Sequence[Entry]) -> str:
        return json.dumps(
            {
                "stations": [
                    {
                        "identity": identity,
                        "boot": self._board.boots.get(identity, {}),
                        "connectors": self._board.connectors.get(identity, {}),
                    }
                    for identity in self._central.stations
                ],
                "transactions": [
                    {
                        "id": transaction.id,
                        "identity": transaction.identity,
                        "connector": transaction.connector,
                        "idTag": transaction.id_tag,
                        "energy": transaction.energy,
                    }
                    for transaction in self._board.transactions.values()
                ],
                "lines": [{"in": entry.direction == "in", "text": str(entry)} for entry in entries],
            }
        )


def _register(payload: Mapping[str, Any]) -> int | None:
    """The last energy register in a MeterValues.req, in Wh."""
    for meter_value in reversed(payload["meterValue"]):
        for sample in meter_value["sampledValue"]:
            if sample.get("measurand", "Energy.Active.Import.Register") == "Energy.Active.Import.Register":
                try:
                    return round(float(sample["value"]) * (1000 if sample.get("unit") == "kWh" else 1))
                except (ValueError, OverflowError):
                    return None  # signed data, perhaps
    return None
