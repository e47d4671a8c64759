"""Asks the API of a station that runs, from another process on the same machine."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, Final

from charger.errors import UsageError

PATIENCE: Final = 10.0
"""s."""
_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to ask who listens everywhere
_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def post(host: str, port: int, token: str | None, path: str, body: Mapping[str, Any]) -> None:
    """POST something to the station.

    Args:
        host: where it listens, without brackets.
        port: likewise.
        token: that it wants, if any.
        path: of the request.
        body: its members.

    Raises:
        UsageError: it does not run, or refuses; the sentence says so.
    """
    host = _ANYWHERE.get(host, host)
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(f"http://{place}{path}", json.dumps(body).encode(), headers)
    try:
        with _DIRECT.open(request, timeout=PATIENCE):
            return
    except urllib.error.HTTPError as error:
        with error:
            raise UsageError(f"the station refuses: {_reason(error)}") from error
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise UsageError(f"nobody answers at http://{place}/ ({reason}); does the station run?") from error


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["error"])
    except (ValueError, KeyError, TypeError, OSError):
        return f"HTTP status {error.code}; is this another program?"
