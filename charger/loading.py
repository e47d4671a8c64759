"""A station and its charts, as its files have them now, with everything that is wrong with them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from charger.settings import Settings, check_board, check_configuration, load
from charger.statechart.checks import Checked, check
from charger.statechart.findings import Finding, tidy
from charger.vocabulary import build


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was read."""

    settings: Settings | None
    """None: station.yaml could not be understood."""
    checked: Checked | None
    """None: where the charts are is not known."""
    findings: list[Finding]
    sources: Mapping[str, str]
    held_back: int = 0
    """As in `Checked`."""

    @property
    def errors(self) -> list[Finding]:
        """What keeps it from starting."""
        return [finding for finding in self.findings if finding.severity == "error"]


def read_station(path: Path, environ: Mapping[str, str] = os.environ) -> Loaded:
    """A station.yaml and its charts, whatever is wrong with them."""
    settings, findings, sources = load(path, environ, None)
    if settings is None:
        return Loaded(None, None, tidy(findings), sources)
    checked = check_charts_in(settings.charts)
    findings = [
        *findings,
        *check_configuration(settings, checked.charts.settings),
        *check_board(settings, checked.charts),
        *checked.findings,
    ]
    sources = {**sources, **checked.charts.sources}
    return Loaded(settings, checked, tidy(findings), sources, checked.held_back)


def check_charts_in(folder: Path) -> Checked:
    """The charts of a folder, named as a person would type it here."""
    return check(folder, build, shown(folder))


def shown(path: Path) -> str:
    """A path as a person would type it here."""
    path = path.resolve()
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
