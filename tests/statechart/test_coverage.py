"""What runs have shown of charts: counted, told, kept in a file, drawn."""

import json
import shutil

import pytest
from chart_kit import read_charts

from charger.statechart import diagram
from charger.statechart.coverage import NEVER, PARTLY, TAKEN, Coverage, OtherChartsError, total

TEXT = """
    chart: door
    scope: station
    initial: Shut
    on: {bell: {actions: [ring]}}
    states:
      Shut:
        on: {push: [{guard: locked, actions: [rattle]}, {target: Open}]}
      Open:
        initial: Ajar
        after: {5s: [{guard: blocked, target: Held}, {target: Shut}]}
        every: {1m: {actions: [beep]}}
        states: {Ajar: {}, Wide: {}}
      Held: {always: {guard: free, target: Shut}}
"""
LAMP = "chart: lamp\nscope: station\ninitial: Dark\nstates: {Dark: {on: {push: Dark, pull: [{target: Dark, guard: x}, {target: Dark, guard: x}]}}}"


@pytest.fixture
def charts(tmp_path):
    return read_charts(tmp_path / "charts", {"door": TEXT, "lamp": LAMP})


def ways(charts, name="door"):
    """Every transition of a chart, in the order of the file."""
    return list(charts.charts[name].transitions())


def observed(charts, *what):
    """Coverage after (number of a transition of the door, what happened to it)."""
    coverage = Coverage()
    for number, happened in what:
        coverage.observe("door", ways(charts)[number], happened)
    return coverage


BELL, LOCKED, PUSH, BLOCKED, TIMEOUT, BEEP, FREE = range(7)


def missing(coverage, charts):
    door = charts.charts["door"]
    return [list(coverage.missing(door, one)) for one in ways(charts)]


def test_nothing_seen(charts):
    assert missing(Coverage(), charts) == [
        ["never taken"],
        ["never taken"],
        ["never taken"],
        ["never fired"],
        ["never fired"],
        ["never fired"],
        ["never taken"],
    ]
    row = Coverage().rows(charts)[0]
    assert (row.taken, row.transitions, row.both_ways, row.guards, row.fired, row.timers) == (
        0,
        7,
        0,
        3,
        0,
        2,
    )


def test_a_guard_is_to_be_seen_both_ways(charts):
    assert missing(observed(charts, (LOCKED, False)), charts)[LOCKED] == ["never taken: guard never true"]
    assert missing(observed(charts, (LOCKED, True), (LOCKED, None)), charts)[LOCKED] == ["guard never false"]
    both = observed(charts, (LOCKED, True), (LOCKED, None), (LOCKED, False))
    assert missing(both, charts)[LOCKED] == []
    assert both.rows(charts)[0].both_ways == 1


def test_a_timer_has_fired_when_its_guard_was_asked(charts):
    coverage = observed(charts, (BLOCKED, False), (TIMEOUT, None))
    assert missing(coverage, charts)[BLOCKED] == ["never taken: guard never true"]
    assert missing(coverage, charts)[TIMEOUT] == []
    assert missing(coverage, charts)[BEEP] == ["never fired"]
    assert coverage.rows(charts)[0].fired == 1


def test_rows_add_up(charts):
    rows = observed(charts, (BELL, None)).rows(charts)
    assert [row.chart for row in rows] == ["door", "lamp"]
    assert (total(rows).taken, total(rows).transitions, total(rows).timers) == (1, 10, 2)


# -- the file ----------------------------------------------------------------------------------------------


def test_the_file_has_a_line_per_transition(charts):
    entries = json.loads(observed(charts, (BELL, None), (BELL, None), (BLOCKED, False)).as_json(charts))
    assert entries[BELL] == {
        "chart": "door", "state": "", "trigger": "on bell", "guard": "", "target": "", "taken": 2, "true": 0, "false": 0,
    }  # fmt: skip
    assert entries[BLOCKED] == {
        "chart": "door", "state": "Open", "trigger": "after 5s", "guard": "blocked", "target": "Held",
        "taken": 0, "true": 0, "false": 1,
    }  # fmt: skip
    assert entries[FREE]["trigger"] == "always"


def test_a_record_is_of_transitions_not_of_lines(charts, tmp_path):
    coverage = observed(charts, (BELL, None), (BLOCKED, False))
    coverage.observe("lamp", ways(charts, "lamp")[2], True)
    moved = read_charts(tmp_path / "moved", {"lamp": LAMP, "door": "\n\n" + TEXT})
    again = Coverage.from_json(coverage.as_json(charts), moved)
    assert missing(again, moved) == missing(coverage, charts)
    assert [again.count("lamp", one, True) for one in ways(moved, "lamp")] == [0, 0, 1]


def test_a_record_of_other_charts_is_refused(charts, tmp_path):
    other = read_charts(tmp_path / "other", {"door": TEXT.replace("5s:", "6s:"), "lamp": LAMP})
    with pytest.raises(OtherChartsError, match=r"the transition at charts/door.yaml:11:18"):
        Coverage.from_json(Coverage().as_json(charts), other)


@pytest.mark.parametrize(
    "text", ["", "{}x", "[1]", "3", '[{"chart": "door"}]', '[{"taken": [], "true": 0, "false": 0}]']
)
def test_what_is_no_record_is_refused(text, charts):
    with pytest.raises(ValueError):
        Coverage.from_json(text, charts)


# -- pictures ----------------------------------------------------------------------------------------------


def test_accents_tell_what_was_seen(charts):
    seen = [(BELL, None), (LOCKED, True), (LOCKED, None), (PUSH, None), (BLOCKED, False), (TIMEOUT, None)]
    sheet = observed(charts, *seen).sheets(charts)["door"]
    edges = {edge.name: edge for edge in sheet.edges}
    boxes = {part.name: part for part in (*sheet.root.boxes(), *sheet.root.groups())}
    assert edges["Shut-Open"].accent == TAKEN
    assert edges["Open-Shut"].accent == TAKEN
    assert edges["Open-Held"].accent == NEVER
    assert [str(line) for line in edges["Open-Held"].text.lines] == [
        "× 1 after 5s [blocked]",
        "never taken: guard never true",
    ]
    said = {str(line): line.accent for line in boxes["Shut"].text.lines if line.accent}
    assert said == {"½ 1 push [locked]  / rattle": PARTLY, "guard never false": PARTLY}
    assert {name for name, box in boxes.items() if box.accent} == {"Wide", "Held"}
    assert str(sheet.root.text.lines[0]).endswith("transitions 4/7, guards both ways 0/3, timers 1/2")


@pytest.mark.skipif(shutil.which("dot") is None, reason="apt install graphviz")
def test_every_chart_is_drawn(charts, tmp_path):
    files = diagram.write_sheets(Coverage().sheets(charts), tmp_path / "out")
    assert [file.name for file in files] == ["door.svg", "lamp.svg"]
    assert 'class="edge never"' in files[0].read_text(encoding="utf-8")
