"""Meter readings as OCPP writes them (OCPP 1.6 §3.16, §7.31 ff.).

A reading is what the meter said at one moment; `sampled` picks the measurands that a key asks for. Registers
are never rebased: they count from the meter's own beginning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from charger.functions import times

ENERGY = "Energy.Active.Import.Register"
_PHASES = ("L1", "L2", "L3")


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of one meter."""

    energy: float = 0.0
    """Energy.Active.Import.Register, Wh."""
    power: float = 0.0
    """Power.Active.Import, W, all phases together."""
    currents: tuple[float, ...] = ()
    """A, per phase."""
    voltages: tuple[float, ...] = ()
    """V to neutral, per phase."""
    offered: float = field(default=0.0)
    """Current.Offered, A per phase."""


def _per_phase(values: tuple[float, ...], suffix: str, decimals: int, unit: str) -> list[dict[str, str]]:
    return [
        {"value": f"{value:.{decimals}f}", "phase": f"{phase}{suffix}", "unit": unit}
        for phase, value in zip(_PHASES, values, strict=False)
    ]


_MEASURES = {
    ENERGY: lambda r: [{"value": str(whole(r.energy)), "unit": "Wh"}],
    "Power.Active.Import": lambda r: [{"value": f"{r.power:.1f}", "unit": "W"}],
    "Current.Import": lambda r: _per_phase(r.currents, "", 2, "A"),
    "Voltage": lambda r: _per_phase(r.voltages, "-N", 1, "V"),
    "Current.Offered": lambda r: [{"value": f"{r.offered:.1f}", "unit": "A"}],
}
MEASURANDS = tuple(_MEASURES)
"""What can be measured."""


def whole(energy: float) -> int:
    """Wh as OCPP's integer; always rounded down, so that stop never falls below a later start."""
    return int(energy)


def supported(measurand: str, phases: int = 3) -> bool:
    """Whether a meter of so many phases has it; ``Current.Import.L1`` asks for one (OCPP 1.6 §9.1.17)."""
    name, phase = _split_phase(measurand)
    return name in _MEASURES and (
        not phase or (name in ("Current.Import", "Voltage") and phase in _PHASES[:phases])
    )


def _split_phase(measurand: str) -> tuple[str, str]:
    name, _, last = measurand.rpartition(".")
    return (name, last) if last in _PHASES else (measurand, "")


def sampled(
    reading: Reading, measurands: Iterable[str], context: str, seconds: float
) -> dict[str, Any] | None:
    """A MeterValue; None when nothing of it is asked for.

    Args:
        reading: what the meter said.
        measurands: items of a …Data key.
        context: ``Sample.Periodic``, ``Sample.Clock``, ``Transaction.Begin`` …
        seconds: its timestamp, epoch s.
    """
    values = _values(reading, measurands, context)
    return {"timestamp": times.to_text(seconds), "sampledValue": values} if values else None


def sampled_or_register(
    reading: Reading, measurands: Iterable[str], context: str, seconds: float
) -> dict[str, Any]:
    """A MeterValue; of the energy register when this meter has nothing of what is asked for."""
    values = _values(reading, measurands, context) or _values(reading, [ENERGY], context)
    return {"timestamp": times.to_text(seconds), "sampledValue": values}


def _values(reading: Reading, measurands: Iterable[str], context: str) -> list[Mapping[str, str]]:
    values: list[Mapping[str, str]] = []
    for measurand in measurands:
        name, phase = _split_phase(measurand)
        values += [
            {"measurand": name, "context": context, "location": "Outlet", **value}
            for value in _MEASURES[name](reading)
            if not phase or value.get("phase", "").startswith(phase)
        ]
    return values
