"""Charts in the formats of other tools, and from two of them back: `charger convert`.

Each format is a module with `write`, and `read` where it is read. What a format has no word for is said as a
finding, never dropped in silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from charger.statechart import diagram
from charger.statechart.exchange import mermaid, plain, plantuml, scxml, scxml_read, xstate
from charger.statechart.findings import Finding, tidy
from charger.statechart.model import Chart, ChartSet
from charger.statechart.source import open_file

ENDINGS = {"xstate": "json", "scxml": "scxml", "mermaid": "mmd", "plantuml": "puml", "dot": "dot"}
"""Format → the ending of its files."""


@dataclass(frozen=True)
class Converted:
    """Texts by file name, and what could not be carried."""

    texts: Mapping[str, str]
    findings: Sequence[Finding]


def write(to: str, chart_set: ChartSet, charts: Sequence[Chart]) -> Converted:
    """Charts of a set in another format."""
    texts, findings = {}, list[Finding]()
    for chart in charts:
        text, lost = _written(to, chart, chart_set)
        texts[f"{chart.name}.{ENDINGS[to]}"] = text
        findings += lost
    return Converted(texts, tidy(findings))


def _written(to: str, chart: Chart, chart_set: ChartSet) -> tuple[str, list[Finding]]:
    match to:
        case "xstate":
            return xstate.write(chart)
        case "scxml":
            return scxml.write(chart)
        case "mermaid":
            return mermaid.write(chart), []
        case "plantuml":
            return plantuml.write(chart), []
        case _:
            return diagram.chart_dot(chart, chart_set), []


def read(origin: str, path: Path, shown: str) -> Converted:
    """A chart of ours, in YAML, out of a file in another format.

    Args:
        origin: xstate or scxml.
        path: the file.
        shown: how to name it in findings.
    """
    opened = open_file(path, shown)
    if opened.findings:
        return Converted({}, opened.findings)
    chart, findings = (xstate.read if origin == "xstate" else scxml_read.read)(opened.text, shown)
    texts = {f"{chart['chart']}.yaml": plain.yaml_text(chart)} if chart else {}
    return Converted(texts, tidy(findings))
