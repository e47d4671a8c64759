"""Generated files are what their sources say now; `make accept` writes them anew.

So are the outputs of the commands that pages show: a block of `console` begins with ``$ charger …``, is run in
the folder of the project, and shows everything that is printed.
"""

import re
import shlex
from pathlib import Path

import pytest

from charger.cli import run_command
from charger.settings import load
from charger.statechart import checks_reference
from charger.statechart.model import ChartSet
from charger.statechart.reader import read_set
from charger.statechart.schema import schema_text
from charger.statechart.words import Vocabulary
from charger.vocabulary import build
from charger.vocabulary.reference import render
from charger.wiring import draw

ROOT = Path(__file__).parent.parent


def shipped_charts() -> tuple[ChartSet, Vocabulary]:
    charts, _ = read_set(ROOT / "charts", "charts")
    return charts, build(charts)


def wiring_of_the_example() -> str:
    settings, findings, _ = load(ROOT / "stations" / "raspberry-pi.yaml", {})
    assert settings, findings
    assert settings.board
    return draw(settings.board, f"{settings.id}: raspberry-pi.yaml")


GENERATED = {
    "charts/chart.schema.json": lambda: schema_text(*shipped_charts()),
    "docs/raspberry-pi.svg": wiring_of_the_example,
    "docs/vocabulary.md": lambda: render(build()),
    "docs/checks.md": lambda: checks_reference.render(ROOT / "tests" / "statechart" / "err"),
}


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_file_is_current(name: str, request: pytest.FixtureRequest) -> None:
    path, text = ROOT / name, GENERATED[name]()
    if request.config.getoption("--accept"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, f"{name} is stale: make accept"


PAGES = ("docs/explain.md", "docs/convert.md", "docs/hardware.md")
EXAMPLE = re.compile(r"(?<=```console\n)\$ charger (?P<words>.*)\n(?P<printed>(?:.*\n)*?)(?=```)")


@pytest.mark.parametrize("name", PAGES)
def test_the_examples_of_a_page_print_what_it_shows(
    name: str,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)

    def run(example: re.Match[str]) -> str:
        run_command(shlex.split(example["words"]))
        printed = capsys.readouterr()
        return f"$ charger {example['words']}\n{printed.out}{printed.err}"

    path = ROOT / name
    text = path.read_text(encoding="utf-8")
    assert EXAMPLE.search(text), "no example is left"
    now = EXAMPLE.sub(run, text)
    if request.config.getoption("--accept"):
        path.write_text(now, encoding="utf-8")
        text = now
    assert now == text, f"{name} is stale: make accept"
