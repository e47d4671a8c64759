"""The durable facts in memory, and the list of what a step changed.

A record is a frozen value under a subject and a key. What changed in a step leaves as one `Store` command
and is on disk before anything else of that step is visible. Knows no SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from charger.ports import Change


def as_fact(record: Any) -> dict[str, Any]:
    """The fields of a flat frozen record, as they are stored."""
    return {name: getattr(record, name) for name in record.__slots__}


class Records:
    """Durable facts by subject and key; every value is JSON-able."""

    def __init__(self, stored: Iterable[Change] = ()) -> None:
        self._facts: dict[str, dict[str, Any]] = {}
        self._changed: dict[tuple[str, str], Any] = {}
        self.restore(stored)

    def restore(self, stored: Iterable[Change]) -> None:
        """Know these facts and no others; nothing of that is a change."""
        self._facts.clear()
        self._changed.clear()
        for change in stored:
            self._facts.setdefault(change.subject, {})[change.key] = change.value

    def get(self, subject: str, key: str) -> Any:
        """The value, or None."""
        return self._facts.get(subject, {}).get(key)

    def put(self, subject: str, key: str, value: Any) -> None:
        """Write a value; None deletes it. What is the same already changes nothing."""
        if self.get(subject, key) == value:
            return
        if value is None:
            del self._facts[subject][key]
        else:
            self._facts.setdefault(subject, {})[key] = value
        self._changed[subject, key] = value

    def keys(self, subject: str) -> list[str]:
        """The keys of a subject, sorted."""
        return sorted(self._facts.get(subject, {}))

    def items(self, subject: str) -> Iterator[tuple[str, Any]]:
        """Key and value, sorted by key."""
        for key in self.keys(subject):
            yield key, self._facts[subject][key]

    def first(self, subject: str) -> str | None:
        """The key written first of those that are left, or None. Constant time, however many there are."""
        return next(iter(self._facts.get(subject, {})), None)

    def size(self, subject: str) -> int:
        """How many keys a subject has."""
        return len(self._facts.get(subject, {}))

    def count(self, name: str) -> int:
        """The next number of a sequence that never repeats, from 1."""
        number = int(self.get("sequence", name) or 0) + 1
        self.put("sequence", name, number)
        return number

    def all(self) -> list[Change]:
        """Every fact, by subject, and in a subject in the order in which they were first written."""
        return [
            Change(subject, key, value)
            for subject in sorted(self._facts)
            for key, value in self._facts[subject].items()
        ]

    def take_changes(self) -> tuple[Change, ...]:
        """What was changed since the last call."""
        changes = tuple(Change(subject, key, value) for (subject, key), value in self._changed.items())
        self._changed.clear()
        return changes
