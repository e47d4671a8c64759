"""The exceptions of the charger. The class says who is at fault.

* ChargerError: anything below, so that the command line can catch what it can explain
    * UsageError: the person at the command line
    * SourceError: the author of a YAML file; carries findings with file, line and column
    * StorageError: the disk
        * StorageFull: no room, or the disk refuses to write; nothing was changed
        * FolderInUse: another station runs on the same data folder
    * HardwareError: the board, or what station.yaml says of it: a chip, a pin or a bus cannot be had
    * Defect: us: a guard, an action or an invariant of the core misbehaved; contactors open
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from charger.statechart.findings import Finding


class ChargerError(Exception):
    """Anything the charger itself raises."""


class UsageError(ChargerError):
    """A command was given something it cannot work with: exit code 2."""


class SourceError(ChargerError):
    """A YAML file is wrong. ``findings`` says where and how, all of them at once."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


class StorageError(ChargerError):
    """The durable facts cannot be read or written."""


class StorageFull(StorageError):
    """The disk has no room (or refuses writes); the facts on it are unchanged."""


class FolderInUse(StorageError):
    """Another station runs on the same data folder."""


class HardwareError(ChargerError):
    """A chip, a pin or a bus cannot be had. Later on, what does not answer is an OSError."""


class Defect(ChargerError):
    """A guard, an action or an invariant misbehaved. Never swallowed: contactors open."""
