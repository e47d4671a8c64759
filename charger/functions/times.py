"""Times on the wire: seconds since 1970 to and from RFC 3339 text (OCPP 1.6 §3.15)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

EARLIEST, LATEST = 946_684_800.0, 4_102_444_800.0
"""Years 2000 to 2100: a time outside is somebody's mistake, and would stop our clock from being written."""


def to_text(seconds: float) -> str:
    """UTC with milliseconds and ``Z``."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_seconds(text: object) -> float | None:
    """Any offset and any number of decimals are accepted, none means UTC; None when it is no time."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def to_clock(text: object) -> float | None:
    """What a clock may be set to; None when it is no time of ours."""
    seconds = to_seconds(text)
    return seconds if seconds is not None and EARLIEST <= seconds < LATEST else None


def shifted(payload: Any, by: float) -> Any:
    """A payload of ours with every ``timestamp`` in it so many s later; whatever year it says."""
    match payload:
        case Mapping():
            return {
                key: _later(value, by) if key == "timestamp" else shifted(value, by)
                for key, value in payload.items()
            }
        case list():
            return [shifted(item, by) for item in payload]
        case _:
            return payload


def _later(text: str, by: float) -> str:
    return to_text((datetime.fromisoformat(text) + timedelta(seconds=by)).timestamp())
