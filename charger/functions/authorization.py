"""Who may charge, as far as this station knows: the Authorization Cache (OCPP 1.6 §3.5.1, errata 3.4).

idTags are compared without regard to case and kept as they were written (§3.9, errata 3.74).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from charger.functions import times
from charger.functions.records import Records, as_fact

CACHE_SIZE = 500
"""Tags remembered; beyond it the oldest not valid ones go first, then the oldest."""


@dataclass(frozen=True, slots=True)
class TagInfo:
    """What the Central System said about a tag (IdTagInfo)."""

    tag: str
    status: str
    """Accepted, Blocked, Expired, Invalid or ConcurrentTx."""
    parent: str | None = None
    expiry: float | None = None
    """Epoch s."""
    order: int = 0
    """Counts up with every tag learnt."""

    def at(self, now: float) -> TagInfo:
        """As it stands at epoch `now`: an accepted tag expires."""
        past = self.expiry is not None and self.expiry <= now
        return replace(self, status="Expired") if past and self.status == "Accepted" else self


def from_wire(tag: str, info: Mapping[str, Any]) -> TagInfo:
    """An ``idTagInfo`` as it came."""
    return TagInfo(
        tag, str(info.get("status")), info.get("parentIdTag"), times.to_seconds(info.get("expiryDate"))
    )


def same(one: str | None, other: str | None) -> bool:
    """Whether two tags are the same one; nothing is the same as no tag."""
    return one is not None and other is not None and one.casefold() == other.casefold()


class Cache:
    """The Authorization Cache (records under ``cache``)."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def find(self, tag: str | None, now: float) -> TagInfo | None:
        """What is known about a tag at epoch `now`."""
        found = self._records.get("cache", tag.casefold()) if tag else None
        return TagInfo(**found).at(now) if found else None

    def learn(self, info: TagInfo, now: float) -> None:
        """Remember the newest word of the Central System, heard at epoch `now`."""
        key = info.tag.casefold()
        known = self._records.get("cache", key)
        if known and TagInfo(**known | {"order": 0}) == replace(info, order=0):
            return  # nothing new: nothing to write
        if not known and self._records.size("cache") >= CACHE_SIZE:
            self._evict(now)
        self._records.put("cache", key, as_fact(replace(info, order=self._records.count("cache"))))

    def clear(self) -> None:
        """Forget every tag."""
        for key in self._records.keys("cache"):
            self._records.put("cache", key, None)

    def _evict(self, now: float) -> None:
        entries = [(key, TagInfo(**value).at(now)) for key, value in self._records.items("cache")]
        key, _ = min(entries, key=lambda entry: (entry[1].status == "Accepted", entry[1].order))
        self._records.put("cache", key, None)
