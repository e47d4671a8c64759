"""The folders that come with the program."""

from __future__ import annotations

from pathlib import Path


def shipped(name: str) -> Path:
    """The folder ``charts``, ``diagrams``, ``meters``, ``stations`` or ``stories``."""
    package = Path(__file__).parent
    installed = package / "shipped" / name
    return installed if installed.exists() else package.parent / name
