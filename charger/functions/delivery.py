"""The queue of transaction messages (OCPP 1.6 §3.7): first in, first out, durable.

StartTransaction, StopTransaction and periodic or clock-aligned MeterValues wait here. A transactionId is
filled in when a message leaves, not when it is queued, since the Central System gives it late or never.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from charger.functions import times
from charger.functions.records import Records, as_fact

MOST_SAMPLES = 5000
"""MeterValues that may wait: three days of one a minute. Beyond, every second one goes (errata 3.14)."""
GIVEN_UP = -1
"""The transactionId of a transaction whose start was never answered (errata 3.18)."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message, with its original timestamps and readings."""

    action: str
    payload: Mapping[str, Any]
    transaction: int | None = None
    """Our own number of the transaction it belongs to."""
    connector: int = 0
    transmissions: int = 0
    """How often it was transmitted in vain."""
    run: int = 0
    """Which run of the program stamped it."""
    id: str | None = None
    """The unique id of its CALL, the same however often it is sent (OCPP-J errata 3.1)."""


class Queue:
    """Messages in the order in which they came about (records under ``message``)."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._samples = sum(value["action"] == "MeterValues" for _, value in records.items("message"))

    def append(self, message: Message, time: float = 0.0) -> None:
        """Put it at the end. The time (epoch s) makes its id one of its own should the database be lost."""
        number = self._records.count("message")
        message = replace(message, id=str(uuid5(NAMESPACE_OID, f"{number}/{time!r}")))
        self._records.put("message", f"{number:012}", as_fact(message))
        self._samples += message.action == "MeterValues"
        if self._samples > MOST_SAMPLES:
            self._thin()

    def _thin(self) -> None:
        """Drop every second MeterValues, never a start or a stop, nor what may be under way."""
        _, *behind = self._records.items("message")
        samples = [key for key, value in behind if value["action"] == "MeterValues"]
        for key in samples[::2]:
            self._records.put("message", key, None)
        self._samples -= len(samples[::2])

    def first(self) -> Message | None:
        """The oldest, or None."""
        key = self._first_key()
        return Message(**self._records.get("message", key)) if key else None

    def length(self) -> int:
        """How many wait."""
        return self._records.size("message")

    def count_transmission(self) -> None:
        """The oldest was transmitted in vain."""
        key, message = self._first_key(), self.first()
        if key and message:
            counted = replace(message, transmissions=message.transmissions + 1)
            self._records.put("message", key, as_fact(counted))

    def remove(self) -> None:
        """Drop the oldest: answered or given up."""
        key, message = self._first_key(), self.first()
        if key and message:
            self._records.put("message", key, None)
            self._samples -= message.action == "MeterValues"
            if message.action == "StopTransaction":
                self._records.put("bound", str(message.transaction), None)

    def bind(self, transaction: int, transaction_id: int) -> None:
        """From now on messages of that transaction carry this id."""
        self._records.put("bound", str(transaction), transaction_id)

    def bound(self, transaction: int) -> int | None:
        """The id of a transaction; None while the Central System has not given one."""
        found = self._records.get("bound", str(transaction))
        return None if found is None else int(found)

    def payload(self, message: Message) -> dict[str, Any]:
        """What to send now."""
        payload = dict(message.payload)
        if message.transaction is not None and message.action != "StartTransaction":
            identifier = self.bound(message.transaction)
            payload["transactionId"] = GIVEN_UP if identifier is None else identifier
        return payload

    def unheard(self, *, under_way: bool) -> set[int]:
        """Transactions whose StartTransaction waits and was never transmitted.

        Args:
            under_way: the oldest message is being transmitted.
        """
        first = self._first_key() if under_way else None
        return {
            value["transaction"]
            for key, value in self._records.items("message")
            if value["action"] == "StartTransaction" and not value["transmissions"] and key != first
        }

    def restamp(self, run: int, by: float, unheard: Collection[int]) -> None:
        """What that run stamped was stamped by a clock that was so many s slow.

        A StartTransaction that was heard stays what it was, and nothing of its transaction is put before it.
        Clock-aligned values were not aligned to any clock then: they go.
        """
        for key, value in list(self._records.items("message")):
            heard = value["transaction"] is not None and value["transaction"] not in unheard
            if value.get("run") != run or (heard and (by < 0 or value["action"] == "StartTransaction")):
                continue
            if _context(value) == "Sample.Clock":
                self._records.put("message", key, None)
                self._samples -= 1
            else:
                self._records.put("message", key, {**value, "payload": times.shifted(value["payload"], by)})

    def _first_key(self) -> str | None:
        return self._records.first("message")


def _context(message: Mapping[str, Any]) -> str | None:
    """Why a MeterValues was taken; None for another message."""
    if message["action"] != "MeterValues":
        return None
    return str(message["payload"]["meterValue"][0]["sampledValue"][0]["context"])
