"""Times on the wire: seconds since 1970 to and from RFC 3339 text (OCPP 1.6 §3.15)."""

from __future__ import annotations

from datetime import UTC, datetime


def to_text(seconds: float) -> str:
    """UTC with milliseconds and ``Z``."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_seconds(text: object) -> float | None:
    """Any offset and any number of decimals are accepted, none means UTC; None when it is no time."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
