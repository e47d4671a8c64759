"""What systemd is told: ready, alive, stopping (sd_notify(3)). Nothing when nobody listens."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping

LOG = logging.getLogger(__name__)


def tell(state: str, environ: Mapping[str, str] = os.environ) -> None:
    """Send one datagram, such as ``READY=1``. One that cannot be sent is logged: the watchdog judges."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as out:
            out.sendto(state.encode(), f"\0{address[1:]}" if address.startswith("@") else address)
    except OSError as error:
        LOG.warning("systemd cannot be told %s: %s", state, error.strerror)


def watchdog_period(environ: Mapping[str, str] = os.environ) -> float | None:
    """Seconds after which systemd gives us up; None: it does not watch, or watches another process."""
    period, process = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", str(os.getpid()))
    if not period.isdigit() or not int(period) or process != str(os.getpid()):
        return None
    return int(period) / 1e6


async def feed(alive: Callable[[], bool], environ: Mapping[str, str] = os.environ) -> None:
    """Feed the watchdog, twice in its period, while this loop turns and `alive` says so; for ever."""
    period = watchdog_period(environ)
    silent = False
    while period is not None:
        if alive():
            silent = False
            tell("WATCHDOG=1", environ)
        elif not silent:
            silent = True
            LOG.error(
                "nobody watches the wires: the watchdog is not fed any more, %g s until it bites", period
            )
        await asyncio.sleep(period / 2)
