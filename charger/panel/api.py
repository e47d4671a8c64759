"""The HTTP API: what can be asked, what can be done to simulated hardware, and what a body must look like.

Every answer but the page, the pictures and the stream is JSON; an error is ``{"error": "a sentence"}``.
Bodies are checked against the tables of `acts` before anything happens. Knows the `PanelSource` it was given
and nothing of what stands behind it.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from charger.panel.acts import ACTS, AT_CONNECTOR, AT_STATION, CLEAR, bad, checked
from charger.panel.stream import Subscriber, Subscribers
from charger.statechart.event import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from charger.panel.server import PanelSource

    Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]

MAX_BODY = 64 * 1024
"""Bytes."""

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
            Route("/service/clear", self.clear, methods=["POST"]),
        ]
        if self._source.simulated:
            routes += [
                Route(f"/sim/connectors/{{number}}/{act}", self.act(act), methods=["POST"])
                for act in AT_CONNECTOR
            ]
            routes += [
                Route("/sim/connectors/{number}/fault", self.fault, methods=["POST", "DELETE"]),
                *(Route(f"/sim/{act}", self.somewhere(act), methods=["POST"]) for act in AT_STATION),
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

    async def clear(self, request: Request) -> Response:
        """Say that somebody has looked at what was wrong: at a connector, the station (0), or everywhere."""
        body = checked(await _body(request), CLEAR)
        place, error = body.get("connector"), body.get("error")
        if place is not None:
            place = self._connector(str(place), lowest=0)
        self._source.post(Event("service.cleared", place, {"error": error} if error else {}))
        return JSONResponse({"ok": True})

    def act(self, act: str) -> Endpoint:
        """Return the endpoint of one act at a connector."""

        async def endpoint(request: Request) -> Response:
            connector = self._connector(request.path_params["number"])
            return self._done(act, connector, checked(await _body(request), ACTS[act]))

        return endpoint

    async def fault(self, request: Request) -> Response:
        """Raise a fault, or clear them all, at a connector or (number 0) at the station as a whole."""
        connector = self._connector(request.path_params["number"], lowest=0)
        act = "clear_fault" if request.method == "DELETE" else "fault"
        return self._done(act, connector, checked(await _body(request), ACTS[act]))

    def somewhere(self, act: str) -> Endpoint:
        """Return the endpoint of an act at the connector that its body names, or at none."""

        async def endpoint(request: Request) -> Response:
            body = checked(await _body(request), ACTS[act])
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
            raise bad(str(error)) from error
        return JSONResponse({"ok": True})


async def _body(request: Request) -> bytes:
    body = bytearray()
    async with aclosing(request.stream()) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > MAX_BODY:
                raise bad(f"the body is longer than {MAX_BODY // 1024} KiB")
    return bytes(body)


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
