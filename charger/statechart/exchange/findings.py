"""What a conversion says of what it could not carry."""

from __future__ import annotations

from charger.statechart.findings import Finding, Mark

RULE = "not-carried"


def lost(mark: Mark, what: str) -> Finding:
    """Something that is in one format and not in the other."""
    return Finding(mark, RULE, what, "warning")
