"""Who may talk to the panel; asked before any route is looked at.

A station has no users to log in, but every web page in a browser on the same network can send requests to
it. So: the Host header must name this panel (a name rebound to our address does not), an Origin header must
be our own (no other site's page may post), and off the loopback a token is needed. Knows no routes.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import socket
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = (
    (
        b"content-security-policy",
        # `data:` is the empty icon. Everything else, inline styles included, comes from our own files.
        (
            b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
            b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),  # the address of the page may carry the token
    (b"cache-control", b"no-store"),
)
"""Sent with every answer."""

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^:\[\]]+)(:(?P<port>[0-9]{1,5}))?")
_HTTP_PORT = 80


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach `host`. A name other than ``localhost`` cannot promise that."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def names_us(header: str, host: str, port: int) -> bool:
    """Say whether the Host header `header` names the panel that is bound to `host` and `port`.

    Bound to every address (0.0.0.0 or ::) any literal address will do, since rebinding needs a name, and so
    will the name of this machine.
    """
    match = _HOST.fullmatch(header.lower())
    if match is None or int(match["port"] or _HTTP_PORT) != port:
        return False
    name = match["name"].strip("[]")
    if is_loopback(host):
        return name in {host.lower(), "localhost", "127.0.0.1", "::1"}
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        machine = socket.gethostname().lower()
        return name in {"localhost", machine, f"{machine}.local"} or _is_address(name)
    return name == host.lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Gate:
    """ASGI middleware: refuses what does not belong here, and puts the safe headers on every answer."""

    def __init__(self, app: ASGIApp, *, host: str, port: int, token: str | None) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._token = token
        self._cookie = f"charger_{port}"  # cookies ignore the port; several stations may share a machine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request pass, or answer it."""
        headers = Headers(scope=scope)
        extra = list(HEADERS)

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        app = self._app
        if (trouble := self._foreign(headers)) is not None:
            app = JSONResponse({"error": trouble}, 403)
        elif self._token is not None and not self._knows(headers, self._token):
            if _is_page(scope) and _same(_asked(scope), self._token):
                value = quote(self._token, safe="")
                cookie = f"{self._cookie}={value}; Path=/; HttpOnly; SameSite=Strict"
                extra.append((b"set-cookie", cookie.encode()))
            else:
                trouble = (
                    "a token is needed: send Authorization: Bearer TOKEN, or open /?token=TOKEN in a browser"
                )
                app = JSONResponse({"error": trouble}, 401, headers={"WWW-Authenticate": "Bearer"})
        await app(scope, receive, send_safely)

    def _foreign(self, headers: Headers) -> str | None:
        """Say why this request does not come from our own page or from a plain client; None if it does."""
        host = headers.get("host", "")
        if not names_us(host, self._host, self._port):
            return (
                f"the Host header {host!s} does not name this panel, which is {self._host} port {self._port}"
            )
        if any(origin != f"http://{host}" for origin in headers.getlist("origin")):
            return "requests from the pages of other sites are refused"
        return None

    def _knows(self, headers: Headers, token: str) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(given.strip().encode("latin-1"), token):
            return True
        cookies = (cookie_parser(line) for line in headers.getlist("cookie"))
        return any(
            _same(jar.get(self._cookie, "").encode("latin-1"), quote(token, safe="")) for jar in cookies
        )


def _is_page(scope: Scope) -> bool:
    return (scope["method"], scope["path"]) == ("GET", "/")


def _asked(scope: Scope) -> bytes:
    """Return the token in the query string."""
    query: bytes = scope["query_string"]
    return parse_qs(query.decode("latin-1")).get("token", [""])[0].encode()


def _same(given: bytes, token: str) -> bool:
    # Bytes, because compare_digest refuses text that is not ASCII.
    return hmac.compare_digest(given, token.encode())
