"""What holds of every message of a station, whatever the story: schema, ids, transactions, samples.

Knows no story and no stage: it is told messages in the order in which they came.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from charger.central import messages

FIRST: Final = 1001
"""The id of the first transaction."""
UNRESOLVED: Final = -1
"""What a transaction is called whose StartTransaction was given up (errata 3.18)."""
TOLERANCE: Final = 1.5
"""s by which a clock, or a process on a busy machine, may be off."""
_ENERGY: Final = "Energy.Active.Import.Register"
_LOCATIONS: Final = ("Body", "Cable", "Inlet", "Outlet", None)
"""All but EV, where nothing but SoC is measured."""


class Record:
    """Everything that one station has said. Saying the same again is no breach."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}
        """Message id → the first thing that was said under it."""
        self._begun: dict[str, int] = {}
        """StartTransaction → the id it was given, which a repetition gets again."""
        self._running: dict[int, Mapping[str, Any]] = {}
        self._stopped: set[str] = set()

    def breach(self, unique_id: str, action: str, payload: Mapping[str, Any]) -> str | None:
        """What is wrong with the message, to be read after it; None when nothing is."""
        if fault := messages.find_fault(action, dict(payload)):
            return f" breaks its schema: {fault}"
        content = _content(action, payload)
        if self._seen.setdefault(unique_id, content) != content:
            return f" has the id of an earlier message: {unique_id}"
        if action == "StartTransaction":
            self._running.setdefault(self.number(payload), payload)
        if action == "StopTransaction" and content not in self._stopped:
            self._stopped.add(content)
            return self._stop_breach(payload)
        return None

    def number(self, start: Mapping[str, Any]) -> int:
        """The id of the transaction that a StartTransaction begins."""
        return self._begun.setdefault(_content("StartTransaction", start), FIRST + len(self._begun))

    def _stop_breach(self, stop: Mapping[str, Any]) -> str | None:
        begun = self._running.pop(stop["transactionId"], None)
        if begun is None:
            known = stop["transactionId"] == UNRESOLVED
            return None if known else " stops a transaction that does not run"
        if stop["meterStop"] < begun["meterStart"]:
            return f": the meter ran backwards from {begun['meterStart']} Wh"
        if stop["timestamp"] < begun["timestamp"]:
            return f" is stamped before its start, {begun['timestamp']}"
        return None


def _content(action: str, payload: Mapping[str, Any]) -> str:
    """What is said; a repetition may know the id of its transaction by now (errata 3.18)."""
    said = {key: value for key, value in payload.items() if key != "transactionId"}
    return f"{action} {json.dumps(said, sort_keys=True)}"


def sample_breach(
    values: Sequence[Mapping[str, Any]], measurands: str | None, contexts: Sequence[str] | None
) -> str | None:
    """What is wrong with the sampled values of one MeterValue; None when nothing is.

    Args:
        values: they.
        measurands: those that must be there, comma separated; None: the register.
        contexts: those allowed; None: Sample.Periodic, which is also meant when none is given.
    """
    named = {value.get("measurand", _ENERGY) for value in values}
    wanted = [measurand.strip() for measurand in (measurands or _ENERGY).split(",")]
    if missing := [measurand for measurand in wanted if measurand not in named]:
        return f"{', '.join(missing)} is missing"
    right: dict[str, Sequence[str | None]] = {
        "context": contexts or ("Sample.Periodic", None),
        "format": ("Raw", None),
        "location": _LOCATIONS,
    }
    for value in values:
        for what, known in right.items():
            anywhere = what == "location" and value.get("measurand") == "SoC"
            if value.get(what) not in known and not anywhere:
                return f"the {what} is {value.get(what)}"
    return None


def spacing_breach(stamps: Sequence[float], every: float, *, aligned: bool) -> str | None:
    """What is wrong with the times of samples, epoch s; None when nothing is."""
    gaps = [later - earlier for earlier, later in pairwise(stamps)]
    if any(abs(gap - every) > TOLERANCE for gap in gaps):
        return f"the samples are {', '.join(f'{gap:.1f}' for gap in gaps)} s apart, not {every:g}"
    if aligned and any(stamp % every for stamp in stamps):
        return f"the samples are not aligned to {every:g} s"
    return None
