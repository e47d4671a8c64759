"""The HTTP API: what can be asked, what can be done to simulated hardware, and what a body must look like.

Every answer but the page, the pictures and the stream is JSON; an error is ``{"error": "a sentence"}``.
Bodies are checked against the table `ACTS` before anything happens. Knows the `PanelSource` it was given
and nothing of what stands behind it.
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from charger.panel.stream import Subscriber, Subscribers

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from charger.panel.server import PanelSource

    Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]

MAX_BODY = 64 * 1024
"""Bytes."""

FAULTS = (
    "ConnectorLockFailure",
    "EVCommunicationError",
    "GroundFailure",
    "HighTemperature",
    "InternalError",
    "LocalListConflict",
    "OtherError",
    "OverCurrentFailure",
    "OverVoltage",
    "PowerMeterFailure",
    "PowerSwitchFailure",
    "ReaderFailure",
    "ResetFailure",
    "UnderVoltage",
    "WeakSignal",
)
"""ChargePointErrorCode (OCPP 1.6 §7.6) without NoError, which is what DELETE is for."""

# -- what a body must look like --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Field:
    """One member of a request body."""

    holds: Callable[[Any], bool]
    must_be: str
    """Ends the sentence "<name> must be …"."""
    optional: bool = False


def _is_text(value: Any, shortest: int, longest: int) -> bool:
    return isinstance(value, str) and shortest <= len(value) <= longest and value.isprintable()


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool)


# IdToken (OCPP 1.6 §7.28) has at most 20 characters, StatusNotification.info (§6.47) at most 50.
ACTS: Mapping[str, Mapping[str, Field]] = {
    "plug": {},
    "unplug": {"side": Field(lambda value: value == "ev", '"ev", for the car\'s end only', optional=True)},
    "ev": {"state": Field(lambda value: value in ("ready", "suspended"), '"ready" or "suspended"')},
    "fault": {
        "error_code": Field(lambda value: value in FAULTS, f"one of {', '.join(FAULTS)}"),
        "info": Field(
            lambda value: _is_text(value, 0, 50), "a text of at most 50 printable characters", optional=True
        ),
    },
    "clear_fault": {},
    "lock": {"fail": Field(_is_truth, "true or false")},
    "swipe": {
        "id_tag": Field(lambda value: _is_text(value, 1, 20), "a text of 1 to 20 printable characters"),
        "connector": Field(_is_whole, "a whole number", optional=True),
    },
    "input": {
        "name": Field(lambda value: _is_text(value, 1, 50), "the name of an input of charts/index.yaml"),
        "on": Field(_is_truth, "true or false"),
        "connector": Field(_is_whole, "a whole number", optional=True),
    },
}
"""Every act of the simulated world and the members of its body."""


def checked(body: bytes, fields: Mapping[str, Field]) -> dict[str, Any]:
    """Read a request body and return its members; an empty body is an empty object.

    Raises:
        HTTPException: 400, with a sentence that names what is wrong.
    """
    found = _read(body)
    if not isinstance(found, dict):
        raise _bad(f"the body must be a JSON object, not {_shown(found)}")
    for name in found:
        if name not in fields:
            known = f"known are: {', '.join(fields)}" if fields else "none is needed here"
            raise _bad(f"unknown member {json.dumps(name[:60])}; {known}")
    for name, field in fields.items():
        if name in found:
            if not field.holds(found[name]):
                raise _bad(f"{name} must be {field.must_be}, not {_shown(found[name])}")
        elif not field.optional:
            raise _bad(f"{name} is missing; it must be {field.must_be}")
    return found


def _read(body: bytes) -> Any:
    try:
        return json.loads(body.decode()) if body.strip() else {}
    except UnicodeDecodeError:
        raise _bad("the body is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise _bad(f"the body is not JSON: line {error.lineno} column {error.colno}: {error.msg}") from None
    except (ValueError, RecursionError):  # a number of thousands of digits, a thousand brackets
        raise _bad("the body is JSON of a size or depth that nobody needs") from None


def _bad(sentence: str) -> HTTPException:
    return HTTPException(400, sentence)


def _shown(value: Any) -> str:
    """Name the type of a JSON value, and the value itself when it is short."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value)
    if len(text) > 60:
        return f"something of {len(text)} characters"
    kind = {bool: "the truth value", str: "the text", int: "the number", float: "the number"}.get(type(value))
    return f"{kind} {text}" if kind else text


# -- what can be asked and done --------------------------------------------------------------------


class EventStream(StreamingResponse):
    """Everything the subscriber is offered, for as long as its connection lasts."""

    def __init__(self, subscribers: Subscribers) -> None:
        self._subscribers = subscribers
        self._subscriber = Subscriber()
        super().__init__(self._subscriber, media_type="text/event-stream")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Join before the headers leave, so that a client that sees the stream open misses nothing."""
        with self._subscribers.joined(self._subscriber):
            await super().__call__(scope, receive, send)


class Api:
    """The endpoints, each a coroutine on the loop thread: the acts happen in the order of arrival."""

    def __init__(
        self, source: PanelSource, frames: Iterable[Mapping[str, str]], subscribers: Subscribers
    ) -> None:
        self._source = source
        self._frames = frames
        self._subscribers = subscribers

    def application(self) -> Starlette:
        """Build the ASGI application."""
        here = Path(__file__).parent
        routes = [
            Route("/", _static((here / "page.html").read_bytes(), "text/html")),
            Route("/page.css", _static((here / "page.css").read_bytes(), "text/css")),
            Route("/page.js", _static((here / "page.js").read_bytes(), "text/javascript")),
            Route("/status", self.status),
            Route("/events", self.events),
            Route("/trace", self.trace),
            Route("/diagrams/{name}.svg", self.diagram),
        ]
        if self._source.simulated:
            acts = ("plug", "unplug", "ev", "lock")
            routes += [
                Route(f"/sim/connectors/{{number}}/{act}", self.act(act), methods=["POST"]) for act in acts
            ]
            routes += [
                Route("/sim/connectors/{number}/fault", self.fault, methods=["POST", "DELETE"]),
                *(Route(f"/sim/{act}", self.somewhere(act), methods=["POST"]) for act in ("swipe", "input")),
            ]
        app = Starlette(routes=routes, exception_handlers={HTTPException: _refusal, Exception: _failure})
        app.router.redirect_slashes = False
        return app

    async def status(self, _request: Request) -> Response:
        """Answer with the whole station as it is now, and the last OCPP frames."""
        return JSONResponse(
            {**self._source.status(), "simulated": self._source.simulated, "frames": list(self._frames)}
        )

    async def events(self, request: Request) -> Response:
        """Stream every step of the core and every OCPP frame."""
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        return EventStream(self._subscribers)

    async def trace(self, _request: Request) -> Response:
        """Answer with everything that happened lately, for `charger replay`."""
        # Up to a few megabytes of text: not on the loop.
        text = await asyncio.to_thread("".join, self._source.trace())
        time = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        headers = {"content-disposition": f'attachment; filename="trace-{time}.jsonl"'}
        return Response(text, media_type="application/x-ndjson", headers=headers)

    async def diagram(self, request: Request) -> Response:
        """Answer with the picture of one chart."""
        name = request.path_params["name"]
        # The name ends up in a file name somewhere.
        known = re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name)
        # Drawing takes long on a small board, and the loop has contactors to switch.
        svg = await asyncio.to_thread(self._source.diagram, name) if known else None
        if svg is None:
            raise HTTPException(404, f"there is no picture of a chart named {name[:64]}")
        return Response(svg, media_type="image/svg+xml")

    def act(self, act: str) -> Endpoint:
        """Return the endpoint of one act at a connector."""

        async def endpoint(request: Request) -> Response:
            connector = self._connector(request.path_params["number"])
            return self._done(act, connector, await _body(request, act))

        return endpoint

    async def fault(self, request: Request) -> Response:
        """Raise a fault, or clear them all, at a connector or (number 0) at the station as a whole."""
        connector = self._connector(request.path_params["number"], lowest=0)
        act = "clear_fault" if request.method == "DELETE" else "fault"
        return self._done(act, connector, await _body(request, act))

    def somewhere(self, act: str) -> Endpoint:
        """Return the endpoint of an act at the connector that its body names, or at none."""

        async def endpoint(request: Request) -> Response:
            body = await _body(request, act)
            connector = body.pop("connector", None)
            if connector is not None:
                connector = self._connector(str(connector))
            return self._done(act, connector, body)

        return endpoint

    def _connector(self, text: str, lowest: int = 1) -> int:
        number = int(text) if re.fullmatch("[0-9]{1,9}", text) else -1
        if not lowest <= number <= self._source.connectors:
            have = self._source.connectors
            count = "1 connector, number 1" if have == 1 else f"{have} connectors, numbered from 1"
            raise HTTPException(404, f"there is no connector {text[:20]}; this station has {count}")
        return number

    def _done(self, act: str, connector: int | None, body: Mapping[str, Any]) -> Response:
        if self._source.simulate is None:
            raise HTTPException(404, "this station has no simulated hardware")
        try:
            self._source.simulate(act, connector, body)
        except ValueError as error:
            raise _bad(str(error)) from error
        return JSONResponse({"ok": True})


async def _body(request: Request, act: str) -> dict[str, Any]:
    body = bytearray()
    async with aclosing(request.stream()) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > MAX_BODY:
                raise _bad(f"the body is longer than {MAX_BODY // 1024} KiB")
    return checked(bytes(body), ACTS[act])


def _static(content: bytes, media_type: str) -> Endpoint:
    async def endpoint(_request: Request) -> Response:
        return Response(content, media_type=media_type)

    return endpoint


async def _refusal(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    text = error.detail
    if error.status_code == 404 and text == "Not Found":  # from the router
        text = f"there is nothing at {request.url.path}"
    if error.status_code == 405:
        text = f"{request.method} is not possible at {request.url.path}"
    return JSONResponse({"error": text}, error.status_code, headers=error.headers)


async def _failure(_request: Request, _error: Exception) -> Response:
    # Starlette raises the error again after this answer, and uvicorn logs it with its traceback.
    return JSONResponse({"error": "the station could not answer; its log says why"}, 500)
