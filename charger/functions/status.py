"""What the Central System has not been told yet about statuses (OCPP 1.6 §4.9).

Changes wait in order; `collapse` keeps only the newest, which is what a Central System wants to know after a
pause. Not durable: after a start everything is told anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

WARNINGS: Mapping[str, frozenset[str]] = {
    "EVCommunicationError": frozenset({"Preparing", "SuspendedEV", "SuspendedEVSE", "Finishing"}),
    "LocalListConflict": frozenset(),
    "WeakSignal": frozenset(),
}
"""errorCodes that make no connector Faulted whoever reports them, and the statuses they may stand beside;
none: any (§7.6). With every other one a chart says which it is: `fault.raise` or `warning.raise`."""


def beside(error: str, status: str) -> bool:
    """Whether a warning may be told together with that status."""
    return status in WARNINGS.get(error, ()) or not WARNINGS.get(error)


FOLLOWS: Mapping[str, frozenset[str]] = {
    status: frozenset(later.split())
    for status, later in {
        "Available": "Preparing Charging SuspendedEV SuspendedEVSE Reserved Unavailable Faulted",
        "Preparing": "Available Charging SuspendedEV SuspendedEVSE Finishing Faulted",
        "Charging": "Available SuspendedEV SuspendedEVSE Finishing Unavailable Faulted",
        "SuspendedEV": "Available Charging SuspendedEVSE Finishing Unavailable Faulted",
        "SuspendedEVSE": "Available Charging SuspendedEV Finishing Unavailable Faulted",
        "Finishing": "Available Preparing Unavailable Faulted",
        "Reserved": "Available Preparing Unavailable Faulted",
        "Unavailable": "Available Preparing Charging SuspendedEV SuspendedEVSE Faulted",
        "Faulted": "Available Preparing Charging SuspendedEV SuspendedEVSE Finishing Reserved Unavailable",
    }.items()
}
"""The matrix of §4.9, for connectors: from a status to those that may follow it."""


def may_follow(earlier: str, later: str) -> bool:
    """Whether a connector may go from one status to the other; the first one after a start may be any."""
    return earlier in ("", later) or later in FOLLOWS[earlier]


@dataclass(frozen=True, slots=True)
class Notice:
    """One StatusNotification to be sent."""

    status: str
    error: str = "NoError"
    info: str = ""
    vendor: str = ""
    """vendorErrorCode."""
    time: float = 0.0
    """Epoch s."""
    asked: bool = False
    """Told though it is known: the Central System asked for it."""


@dataclass(slots=True)
class Notices:
    """The notices of one connector, or of the station (0)."""

    waiting: list[Notice] = field(default_factory=list)
    told: Notice | None = None
    """The last one that the Central System has taken."""
    info: str = ""
    """Goes with the next change."""
    info_for: str = ""
    """If that is a change to this status; empty: to any."""
    latest: Notice | None = None
    """The last one added."""
    urgent: bool = False
    """The info is told in this step, with a change or without one."""

    def add(self, notice: Notice) -> None:
        """Something to tell."""
        info = self.info if self.info_for in ("", notice.status) else ""
        self.waiting.append(replace(notice, info=notice.info or info))
        self.info, self.info_for, self.urgent = "", "", False
        self.latest = self.waiting[-1]

    def collapse(self, now: float) -> None:
        """Only the newest counts, as of `now` (epoch s); nothing when it was told already."""
        if not self.waiting:
            return
        newest = replace(self.waiting[-1], time=now)
        known = self.told and replace(self.told, time=now) == newest
        self.waiting = [] if known else [newest]

    def tell(self) -> Notice | None:
        """The one to send next. Until it is taken, nobody knows what the Central System knows."""
        self.told = None
        return self.waiting[0] if self.waiting else None

    def told_one(self) -> None:
        """It has been taken."""
        if self.waiting:
            self.told = replace(self.waiting.pop(0), asked=False)
