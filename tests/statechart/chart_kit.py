"""What the tests of this folder share: chart sets out of text, and edited copies of the shipped one."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping
from pathlib import Path

from charger.statechart import model, reader
from charger.statechart.findings import Mark

SHIPPED = Path(__file__).parent.parent.parent / "charts"
HERE = Mark("x.yaml", 1, 1)


def write_set(folder: Path, charts: Mapping[str, str], index: str = "") -> Path:
    """Write `charts` (name → text) and an index.yaml that lists them, with `index` appended."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ", ".join(charts)
    (folder / "index.yaml").write_text(
        f"language: 1\ncharts: [{names}]\n{textwrap.dedent(index)}", encoding="utf-8"
    )
    for name, text in charts.items():
        (folder / f"{name}.yaml").write_text(textwrap.dedent(text), encoding="utf-8")
    return folder


def read_charts(folder: Path, charts: Mapping[str, str], index: str = "") -> model.ChartSet:
    """A set of charts that must be readable."""
    chart_set, findings = reader.read_set(write_set(folder, charts, index), "charts")
    assert not findings, [str(finding) for finding in findings]
    return chart_set


def shipped_copy(folder: Path, *edits: tuple[str, str, str]) -> Path:
    """A copy of the shipped charts; an edit is (file, old text, new text), old text empty for a new file."""
    copy = folder / "charts"
    shutil.copytree(SHIPPED, copy)
    for file, old, new in edits:
        path = copy / file
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        assert old in before, f"{file} has no line {old!r} any more"
        path.write_text(before.replace(old, new, 1), encoding="utf-8")
    return copy
