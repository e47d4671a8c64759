"""The picture of a chart that runs: a shipped one when it is of exactly this chart, else drawn now.

A board without `dot` shows the shipped pictures; charts edited there show none until somebody draws them.
"""

from __future__ import annotations

import logging
from pathlib import Path

from charger.statechart import diagram
from charger.statechart.model import ChartSet
from charger.statechart.words import Vocabulary

LOG = logging.getLogger(__name__)


class Pictures:
    """Finds the SVG of a chart, once for each."""

    def __init__(self, charts: ChartSet, vocabulary: Vocabulary, folders: list[Path]) -> None:
        self._charts = charts
        self._vocabulary = vocabulary
        self._folders = folders
        self._found: dict[str, str | None] = {}

    def find(self, name: str) -> str | None:
        """The SVG text; None when there is no such chart, or no way to draw it here."""
        if name not in self._found:
            self._found[name] = self._look(name)
        return self._found[name]

    def _look(self, name: str) -> str | None:
        chart = self._charts.charts.get(name)
        if chart is None and name != "overview":
            return None
        dot = (
            diagram.chart_dot(chart, self._charts)
            if chart
            else diagram.overview_dot(self._charts, self._vocabulary)
        )
        for folder in self._folders:
            path = folder / f"{name}.svg"
            if path.is_file():
                svg = path.read_text(encoding="utf-8")
                if diagram.is_current(svg, dot):
                    return svg
        try:
            if chart:
                return diagram.chart_svg(chart, self._charts)
            return diagram.overview_svg(self._charts, self._vocabulary)
        except diagram.DotMissingError as error:
            LOG.warning("no picture of '%s': %s", name, error)
            return None
