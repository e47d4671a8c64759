"""Faults: what is wrong, and who may say that it is well again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from charger.functions.records import Records, as_fact

DAY = 86400.0
SUBJECT, TRIPS = "fault", "trips"
"""Of the records: latched faults by ``connector/errorCode[/vendorErrorCode]``; when the residual-current
monitor of a connector tripped."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. With another vendorErrorCode it is another one."""

    error: str
    """errorCode of StatusNotification (OCPP 1.6 §7.6)."""
    info: str = ""
    vendor: str = ""
    """vendorErrorCode: the code of the Minimum Required Error Codes (MRECS, ChargeX), such as ``CX017``."""
    service: bool = False
    """Somebody has to look at it: only `service.cleared` clears it."""

    @property
    def key(self) -> str:
        """What tells it from others at the same place."""
        return f"{self.error}/{self.vendor}" if self.vendor else self.error


Faults = dict[str, Fault]
"""By key."""


def of(found: Iterable[Mapping[str, Any]]) -> Faults:
    """Faults that `as_facts` wrote."""
    return {fault.key: fault for fault in (Fault(**fields) for fields in found)}


def as_facts(faults: Faults) -> list[dict[str, Any]]:
    """As JSON has them."""
    return [as_fact(fault) for fault in faults.values()]


class Latched:
    """Faults that stay, over restarts, until they are cleared."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def at(self, number: int) -> Faults:
        """Those of a connector, or of the station (0)."""
        if not self._records.size(SUBJECT):
            return {}
        found: Faults = {}
        for key, value in self._records.items(SUBJECT):
            place, _, identity = key.partition("/")
            if int(place) == number:
                error, _, vendor = identity.partition("/")
                fields = {"info": value} if isinstance(value, str) else value  # a text: of version 0.1
                found[identity] = Fault(error, vendor=vendor, **fields)
        return found

    def add(self, number: int, fault: Fault) -> None:
        """Latch it. What waits for service goes on waiting for it."""
        waits = self.at(number).get(fault.key)
        if not (waits and waits.service and not fault.service):
            value = {"info": fault.info, "service": fault.service}
            self._records.put(SUBJECT, f"{number}/{fault.key}", value)

    def clear(self, number: int, error: str | None, vendor: str = "", *, service: bool = False) -> None:
        """Forget those of that errorCode (None: all), with that vendorErrorCode if one is given.

        Args:
            number: of the connector, or 0.
            error: errorCode.
            vendor: vendorErrorCode.
            service: whether those that wait for service are meant too.
        """
        for fault in self.at(number).values():
            named = error in (None, fault.error) and vendor in ("", fault.vendor)
            if named and (service or not fault.service):
                self._records.put(SUBJECT, f"{number}/{fault.key}", None)

    def trips(self, number: int, now: float) -> list[float]:
        """When the residual-current monitor tripped in the last 24 h before `now`; epoch s."""
        times = self._records.get(TRIPS, str(number)) or []
        return [time for time in times if now - time < DAY]

    def tripped(self, number: int, now: float) -> None:
        """It did so now."""
        self._records.put(TRIPS, str(number), [*self.trips(number, now), now])

    def forgive(self, number: int) -> None:
        """Somebody has looked at it: counted from 0 again."""
        self._records.put(TRIPS, str(number), None)
