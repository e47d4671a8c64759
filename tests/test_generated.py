"""Generated files are what their sources say now; `make accept` writes them anew."""

import json
from pathlib import Path

import pytest

from charger.statechart import checks_reference
from charger.statechart.schema import chart_schema
from charger.vocabulary import build
from charger.vocabulary.reference import render

ROOT = Path(__file__).parent.parent
GENERATED = {
    "charts/chart.schema.json": lambda: json.dumps(chart_schema(build()), indent=1) + "\n",
    "docs/vocabulary.md": lambda: render(build()),
    "docs/checks.md": lambda: checks_reference.render(ROOT / "tests" / "statechart" / "err"),
}


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_file_is_current(name: str, request: pytest.FixtureRequest) -> None:
    path, text = ROOT / name, GENERATED[name]()
    if request.config.getoption("--accept"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, f"{name} is stale: make accept"
