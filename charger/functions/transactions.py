"""Transactions: one per connector, durable from the first moment to the last (OCPP 1.6 §4.8, §4.10).

A transaction has a number of our own; the id of the Central System is bound to it when it comes. Times are
epoch seconds, energies Wh of the meter's register.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from charger.functions import times
from charger.functions.records import Records, as_fact


@dataclass(frozen=True, slots=True)
class Transaction:
    """One open transaction."""

    number: int
    connector: int
    tag: str
    started: float
    meter_start: int
    run: int
    """Which run of the program began it."""
    parent: str | None = None
    refused: str | None = None
    """The status with which the Central System refused its tag."""
    energy_when_refused: float = 0.0
    ending: str | None = None
    """The reason, once its end has begun; the first one stays."""
    stop_tag: str | None = None
    last_time: float = 0.0
    """When the register was last noted."""
    last_energy: float = 0.0


class Transactions:
    """Records under ``transaction`` (open ones), ``session`` (the last one) and ``reading``."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._read: dict[int, tuple[Any, Transaction | None]] = {}
        """Connector → the stored value last seen and what it says; guards ask for it all the time."""

    def on(self, connector: int) -> Transaction | None:
        """The open transaction of a connector."""
        stored = self._records.get("transaction", str(connector))
        seen, transaction = self._read.get(connector, (None, None))
        if stored is not seen:
            transaction = Transaction(**stored) if stored else None
            self._read[connector] = (stored, transaction)
        return transaction

    def all(self) -> list[Transaction]:
        """Every open one."""
        return [Transaction(**value) for _, value in self._records.items("transaction")]

    def numbered(self, number: int | None) -> Transaction | None:
        """The open transaction of that number."""
        return next((one for one in self.all() if one.number == number), None)

    def put(self, transaction: Transaction) -> None:
        """Write it."""
        self._records.put("transaction", str(transaction.connector), as_fact(transaction))

    def close(self, transaction: Transaction) -> None:
        """It is over; its reason and tag stay known until the next one ends here."""
        key = str(transaction.connector)
        self._records.put("transaction", key, None)
        tag = transaction.tag
        self._records.put(
            "session", key, {"reason": transaction.ending, "tag": tag, "parent": transaction.parent}
        )

    def restamp(self, run: int, by: float, unheard: Collection[int]) -> None:
        """What that run stamped was stamped by a clock that was so many s slow.

        Args:
            run: it.
            by: s.
            unheard: transactions whose beginning may still be told anew. Of the others nothing is put before
                the beginning that the Central System knows.
        """
        for running in self.all():
            if running.run != run:
                continue
            if by > 0 or running.number in unheard:
                for key in self._notes(running):
                    self._records.put("reading", key, times.shifted(self._records.get("reading", key), by))
            started = running.started + (by if running.number in unheard else 0)
            self.put(replace(running, started=started, last_time=running.last_time + by))

    def hold(self, connector: int, held: bool) -> None:
        """The plug of the last transaction stays locked in, or no longer."""
        last = {key: value for key, value in self.last(connector).items() if key != "held"}
        if last:
            self._records.put("session", str(connector), last | ({"held": True} if held else {}))

    def last(self, connector: int) -> dict[str, Any]:
        """Reason, tag and parent of the transaction that ended last there; empty if none did.

        With ``held`` while its plug is kept locked in.
        """
        found: dict[str, Any] = self._records.get("session", str(connector)) or {}
        return found

    def note(self, transaction: Transaction, value: dict[str, Any] | None, most: int) -> None:
        """Keep a MeterValue for transactionData; of more than twice `most` every second one goes."""
        if not value:
            return
        key = f"{transaction.number:09}/{self._records.count('reading'):09}"
        self._records.put("reading", key, value)
        if self._records.size("reading") <= 2 * max(2, most):
            return  # asked at every sample: look at them one by one only when there may be too many
        kept = {key: self._records.get("reading", key) for key in self._notes(transaction)}
        if len(kept) > 2 * max(2, most):
            left = [id(one) for one in _thinned(list(kept.values()))]
            for key in [key for key, one in kept.items() if id(one) not in left]:
                self._records.put("reading", key, None)

    def _notes(self, transaction: Transaction) -> list[str]:
        prefix = f"{transaction.number:09}/"
        return [key for key in self._records.keys("reading") if key.startswith(prefix)]

    def take_notes(self, transaction: Transaction, most: int) -> list[dict[str, Any]]:
        """The MeterValues kept, at most so many: every second one of each series goes first (errata 3.91)."""
        keys = self._notes(transaction)
        values = [self._records.get("reading", key) for key in keys]
        for key in keys:
            self._records.put("reading", key, None)
        while len(values) > most and (thinner := _thinned(values)) != values:
            values = thinner
        return values


def _thinned(values: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every second sample of each series is gone; begin and end of the transaction stay (errata 3.14)."""
    seen: Counter[str] = Counter()
    left = []
    for value in values:
        context = str(value["sampledValue"][0]["context"])
        seen[context] += 1
        if not context.startswith("Sample.") or seen[context] % 2 == 0:
            left.append(value)
    return left
