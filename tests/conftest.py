"""Options of the whole test suite, and the coverage of the charts.

``--chart-coverage`` prints which transitions of the shipped charts the tests took, and which guards they saw
both ways; the run fails when one is missing, other than answers of guards that are listed in `ONE_WAY`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

ONE_WAY: dict[tuple[str, str], str] = {}
"""Chart and guard as it is written → why it has one answer only wherever it is asked."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("charger")
    group.addoption("--accept", action="store_true", help="write generated files and expected findings anew")
    group.addoption("--chart-coverage", action="store_true", help="fail unless every transition was taken")


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("--chart-coverage") and any(_missing()) and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if not config.getoption("--chart-coverage"):
        return
    terminalreporter.section("chart coverage")
    terminalreporter.write_line(f"{'chart':<16}{'transitions':>14}{'guards both ways':>20}")
    sums = [0, 0, 0, 0]
    for chart in _charts():
        seen = [(transition, _seen(chart, transition)) for transition in chart.transitions()]
        guarded = [what for transition, what in seen if transition.guard is not None]
        row = [
            sum(None in what for _, what in seen),
            len(seen),
            sum({True, False} <= what for what in guarded),
            len(guarded),
        ]
        sums = [before + here for before, here in zip(sums, row, strict=True)]
        terminalreporter.write_line(_row(chart.name, row))
    terminalreporter.write_line(_row("all", sums))
    for line in _missing():
        terminalreporter.write_line(line)


def _row(name: str, row: list[int]) -> str:
    return f"{name:<16}{row[0]:>8} /{row[1]:>4}{row[2]:>14} /{row[3]:>4}"


def _missing() -> Iterator[str]:
    for chart in _charts():
        for transition in chart.transitions():
            seen, mark = _seen(chart, transition), transition.mark
            where = f"charts/{chart.name}.yaml:{mark.line}:{mark.column}: {transition.source or '(chart)'}"
            where += f" on {transition.trigger}" if transition.kind == "on" else f" {transition.key}"
            where += f" -> {transition.target}" if transition.target else ""
            if None not in seen:
                yield f"{where}: never taken"
            elif transition.guard is not None:
                text = str(transition.guard_text)
                for answer in (True, False):
                    if answer not in seen and (chart.name, text) not in ONE_WAY:
                        yield f"{where}: guard never {str(answer).lower()}: {text}"


def _charts() -> list[Any]:
    from rig import CHARTS, checked

    return list(checked(CHARTS).charts.charts.values())


def _seen(chart: Any, transition: Any) -> set[bool | None]:
    from rig import SEEN

    return SEEN.get((chart.name, transition.mark.line, transition.mark.column), set())
