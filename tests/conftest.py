"""Options of the whole test suite, and the coverage of the charts.

``--chart-coverage`` prints what the tests and stories took of the shipped charts: transitions, guards both ways,
timers; and draws it into `FOLDER`. The run fails when anything is missing, other than answers of guards that
are listed in `ONE_WAY`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

ONE_WAY: dict[tuple[str, str], str] = {}
"""Chart and guard as it is written → why it has one answer only wherever it is asked."""
FOLDER = Path(__file__).parent.parent / "coverage"
collect_ignore = [] if os.environ.get("CHARGER_VM") else ["vm"]
"""`make gpio-test` boots a virtual machine."""


# Properties are tried with the same examples in every run, and by chance under `make fuzz`.
settings.register_profile("same", derandomize=True, database=None)
if not os.environ.get("CHARGER_FUZZ"):
    settings.load_profile("same")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("charger")
    group.addoption("--accept", action="store_true", help="write generated files and expected findings anew")
    group.addoption(
        "--chart-coverage", action="store_true", help="fail unless all of the charts was taken; draw it"
    )


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("--chart-coverage") and any(_missing()) and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if not config.getoption("--chart-coverage"):
        return
    from rig import COVERAGE, OF_STORIES

    from charger.statechart.coverage import total

    rows, by_stories = COVERAGE.rows(_charts()), OF_STORIES.rows(_charts())
    terminalreporter.section("chart coverage")
    columns = ("transitions", "by stories", "guards both ways", "timers fired")
    terminalreporter.write_line(f"{'chart':<16}" + "".join(f"{column:>18}" for column in columns))
    for row, stories in zip([*rows, total(rows)], [*by_stories, total(by_stories)], strict=True):
        cells = (
            (row.taken, row.transitions),
            (stories.taken, row.transitions),
            (row.both_ways, row.guards),
            (row.fired, row.timers),
        )
        numbers = "".join(f"{seen:>12} /{of:>4}" for seen, of in cells)
        terminalreporter.write_line(f"{row.chart:<16}{numbers}")
    for line in (*_missing(), _draw()):
        terminalreporter.write_line(line)


def _missing() -> Iterator[str]:
    from rig import COVERAGE

    for chart in _charts().charts.values():
        for one in chart.transitions():
            for what in COVERAGE.missing(chart, one):
                guard = f": {one.guard_text}" if what.startswith("guard") else ""
                if not guard or (chart.name, one.guard_text) not in ONE_WAY:
                    goes = f" -> {one.target}" if one.target else ""
                    place = f"charts/{chart.name}.yaml:{one.mark.line}:{one.mark.column}"
                    trigger = f"{one.kind} {one.trigger}".rstrip()
                    yield f"{place}: {one.source or '(chart)'} {trigger}{goes}: {what}{guard}"


def _draw() -> str:
    """Write the record and, where there is `dot`, the pictures."""
    from rig import COVERAGE

    from charger.statechart import diagram

    FOLDER.mkdir(exist_ok=True)
    record = FOLDER / "coverage.json"
    record.write_text(COVERAGE.as_json(_charts()), encoding="utf-8")
    try:
        diagram.write_sheets(COVERAGE.sheets(_charts()), FOLDER)
    except diagram.DotMissingError as error:
        return f"{record.parent.name}/{record.name} written; {error}"
    return f"{record.parent.name}/{record.name} and a picture of every chart beside it written"


def _charts() -> Any:
    from rig import CHARTS, checked

    return checked(CHARTS).charts
