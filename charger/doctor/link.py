"""Checks of the link, one step after the other: name, TCP, TLS, upgrade. The first that fails is named.

What cannot be reached is a warning: it may be there in a minute, and charts say what is charged without it.
What was reached and refused us will refuse us tomorrow.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from charger.central.link import CentralLink
from charger.doctor.check import Check, fail, ok, warn
from charger.ports import Connect
from charger.settings import CentralSettings
from charger.statechart.event import Event

PATIENCE: Final = 10.0
"""s for a step."""
SOON: Final = 14
"""days before a certificate of the Central System ends."""
REMEDIES: Final = {
    "HTTP 401": "are id and password what the operator has? Only the service knows /etc/charger/environment:"
    " sudo sh -c 'set -a; . /etc/charger/environment; charger doctor'",
    "HTTP 403": "the Central System does not want this id: ask the operator",
    "HTTP 404": "the path of central.url is wrong, or the Central System does not know this id",
    "the server does not speak": "central.url is of something else, or of another version of OCPP",
}
"""How a refusal begins → what to do."""


class _EndError(Exception):
    """The step after which there is no other."""

    def __init__(self, check: Check) -> None:
        self.check = check
        super().__init__(check.fact)


@dataclass(frozen=True, slots=True)
class _Peer:
    host: str
    port: int
    secure: bool


def check_link(central: CentralSettings, identity: str) -> list[Check]:
    """As far as it comes. Nothing of OCPP is said, and the connection is closed again."""
    parts = urlsplit(central.url)
    secure = parts.scheme == "wss"
    peer = _Peer(parts.hostname or "", parts.port or (443 if secure else 80), secure)
    found: list[Check] = []
    try:
        if not _is_address(peer.host):
            found.append(_name(peer))
        found.append(_tcp(peer))
        if secure:
            found.append(_tls(peer, central))
        found.append(asyncio.run(_upgrade(central, identity)))
    except _EndError as end:
        found.append(end.check)
    return found


def _is_address(host: str) -> bool:
    with suppress(ValueError):
        return bool(ipaddress.ip_address(host))
    return False


def _name(peer: _Peer) -> Check:
    try:
        found = {place[4][0] for place in socket.getaddrinfo(peer.host, peer.port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no name of a host"
        remedy = "is there a network (`ip route`), a name server, a typing error?"
        raise _EndError(warn("link", f"DNS: {peer.host}: {reason}", remedy)) from error
    return ok("link", f"DNS: {peer.host} is {', '.join(sorted(map(str, found)))}")


def _tcp(peer: _Peer) -> Check:
    begun = time.perf_counter()
    try:
        socket.create_connection((peer.host, peer.port), PATIENCE).close()
    except OSError as error:
        reason = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
        remedy = "does the Central System run, is the port right, does a firewall let us out?"
        raise _EndError(warn("link", f"TCP: {peer.host} port {peer.port}: {reason}", remedy)) from error
    took = (time.perf_counter() - begun) * 1000
    return ok("link", f"TCP: port {peer.port} answers in {took:.0f} ms")


def _tls(peer: _Peer, central: CentralSettings) -> Check:
    try:
        context = ssl.create_default_context(cafile=central.ca_file)
        context.check_hostname = central.verify_hostname
        with (
            socket.create_connection((peer.host, peer.port), PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname=peer.host) as secured,
        ):
            version = secured.version()
            certificate = secured.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        remedy = (
            "is the clock right? Is ca_file the root of this Central System? Is the host name the one it has?"
        )
        raise _EndError(fail("link", f"TLS: {error.verify_message}", remedy)) from error
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or str(error)
        remedy = "is it wss that is spoken on this port, and ca_file a PEM file?"
        raise _EndError(fail("link", f"TLS: {reason}", remedy)) from error
    days = (ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()) / 86400
    fact = f"TLS: {version}, certificate good for {days:.0f} days"
    if days < SOON:
        return warn("link", fact, "tell the operator: afterwards nobody will get a link")
    return ok("link", fact)


async def _upgrade(central: CentralSettings, identity: str) -> Check:
    said: asyncio.Queue[Event] = asyncio.Queue()
    link = CentralLink(
        url=central.url,
        identity=identity,
        password=central.password,
        ca_file=central.ca_file,
        verify_hostname=central.verify_hostname,
        post=said.put_nowait,
    )
    link.perform(Connect())
    event = await said.get()  # it has a limit of its own
    await link.close()
    if event.name == "link.opened":
        having = "with a password" if central.password else "without a password"
        return ok("link", f"WebSocket: {link.url} takes us, {having}")
    reason = str(event.fields["reason"])
    remedy = next(
        (text for begins, text in REMEDIES.items() if reason.startswith(begins)), "ask the operator"
    )
    return fail("link", f"WebSocket: {link.url}: {reason}", remedy)
