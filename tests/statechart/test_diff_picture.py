"""A difference as a picture: everything of both charts, with what came, went and changed set apart."""

import json
import shutil
from xml.etree import ElementTree as ET

import pytest
from chart_kit import SHIPPED, read_charts, shipped_copy
from hypothesis import given, settings
from test_diagram import charts
from test_diff import HALL, read

from charger.statechart import diagram, model, reader
from charger.statechart.diagram_chart import chart_sheet
from charger.statechart.diagram_draw import likeness
from charger.statechart.diff import compare
from charger.statechart.diff_picture import ADDED, CHANGED, REMOVED, diff_sheets
from charger.statechart.diff_words import tell

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="apt install graphviz")
SVG = "{http://www.w3.org/2000/svg}"


def sheets(tmp_path, *edits, **more):
    return diff_sheets(
        compare(read(tmp_path / "old", **more), read(tmp_path / "new", *edits, **more)), "main", "charts"
    )


def parts(sheet):
    """Accent and text of every box, group and edge, by name."""
    found = {part.name: part for part in (*sheet.root.boxes(), *sheet.root.groups())}
    return {**found, **{edge.name: edge for edge in sheet.edges}}


def marked(text):
    """The lines that have an accent, each with its name."""
    return [(line.accent.name, str(line)) for line in text.lines if line.accent]


def heading(sheet):
    return marked(sheet.root.text)


def test_the_heading_says_what_is_compared_and_what_the_signs_mean(tmp_path):
    sheet = sheets(tmp_path, ("{2s: Fast}", "{3s: Fast}"))["gate"]
    assert str(sheet.root.text.lines[0]).endswith("main → charts")
    assert heading(sheet) == [
        ("added", "+ new"),
        ("removed", "- gone: dashed, struck through"),
        ("changed", "~ changed, or an arrow of which only a part is new or gone"),
    ]


def test_a_way_to_another_state_is_drawn_beside_the_old_one(tmp_path):
    found = parts(sheets(tmp_path, ("{OpenTime: Shut}", "{OpenTime: Opening}"))["gate"])
    assert (found["Open-Opening"].accent, found["Open-Shut"].accent) == (CHANGED, REMOVED)
    assert marked(found["Open-Opening"].text) == [("changed", "~ after OpenTime"), ("changed", "was → Shut")]
    assert marked(found["Open-Shut"].text) == [("removed", "- after OpenTime")]
    assert found["Open-Held"].accent is None


def test_an_arrow_that_stands_for_old_and_new_ways_is_a_changed_one(tmp_path):
    edit = ("{bulb.changed: Dark}", "{bulb.changed: Dark, bulb.glued: {guard: dry, target: Dark}}")
    arrow = parts(sheets(tmp_path, edit)["lamp"])["Broken-Dark"]
    assert arrow.accent == CHANGED
    assert marked(arrow.text) == [("added", "+ bulb.glued [dry]")]


def test_a_state_that_came_and_one_that_went(tmp_path):
    edits = (
        (
            "          Fast: {on: {gate.at_end: Open}}",
            "          Ajar: {on: {gate.at_end: Open, stop: Held}}",
        ),
        ("after: {2s: Fast}", "after: {2s: Ajar}"),
    )
    sheet = sheets(tmp_path, *edits)["gate"]
    found = parts(sheet)
    assert (found["Ajar"].accent, found["Fast"].accent) == (ADDED, REMOVED)
    assert (found["Fast-Open"].accent, found["Ajar-Open"].accent) == (REMOVED, ADDED)
    assert (found["Slow-Ajar"].accent, found["Slow-Fast"].accent) == (CHANGED, REMOVED)
    [opening] = [group for group in sheet.root.groups() if group.name == "Opening"]
    assert [box.name for box in opening.boxes() if box.id] == ["Slow", "Fast", "Ajar"]


def test_a_state_that_went_with_all_in_it(tmp_path):
    text = "chart: c\nscope: station\ninitial: A\nstates: {A: {on: {e: B}}, B: {}%s}"
    inner = ", Z: {initial: Y, states: {X: {on: {e: Y}}, Y: {initial: W, states: {W: {on: {e: A}}}}}}"
    old = read_charts(tmp_path / "old", {"c": text % inner})
    new = read_charts(tmp_path / "new", {"c": (text % "").replace("B: {}", "B: {on: {f: A}}")})
    for one, other, accent in ((old, new, REMOVED), (new, old, ADDED)):
        sheet = diff_sheets(compare(one, other), "a", "b")["c"]
        found = parts(sheet)
        assert {name for name in "ABWXYZ" if found[name].accent == accent} == set("WXYZ")
        assert [edge.accent for edge in sheet.edges if edge.kind == "initial"] == [None, accent, accent]


def test_what_is_said_about_a_state_stands_in_it(tmp_path):
    edits = (
        ("tags: [free]", "tags: [idle]"),
        ("initial: Slow", "initial: Fast"),
        ("exit: [fee.close]", "exit: [fee.void]"),
    )
    sheet = sheets(tmp_path, *edits)["gate"]
    found = parts(sheet)
    assert marked(found["Shut"].text)[:2] == [
        ("changed", "~ Shut  #idle"),
        ("changed", "now tagged idle; no longer tagged free (asked by"),
    ]
    assert marked(found["Open"].text)[1] == ("changed", "on exit also does fee.void; no longer does")
    assert marked(found["Opening"].text) == [
        ("changed", "~ Opening"),
        ("changed", "begins in Fast now (was Slow)"),
    ]
    assert found["Opening-initial"].accent == CHANGED
    assert (found["Shut"].fill, found["Held"].fill) == (CHANGED.fill, "#ffffff")


def test_another_name_is_one_state(tmp_path):
    edits = (
        ("{guard: paid, target: Held}", "{guard: paid, target: Stuck}"),
        ("{30s: Held}", "{30s: Stuck}"),
        ("{guard: not safe, target: Held}", "{guard: not safe, target: Stuck}"),
        ("      Held:", "      Stuck:"),
        ("gate.Held", "gate.Stuck"),
    )
    found = parts(sheets(tmp_path, *edits)["gate"])
    assert "Held" not in found
    assert marked(found["Stuck"].text) == [("changed", "~ Stuck"), ("changed", "Held is now named Stuck")]
    assert found["Stuck-Shut"].accent is None


def test_a_state_that_moved_is_drawn_where_it_is_now(tmp_path):
    edits = (
        ("          Slow: {after: {2s: Fast}}\n", ""),
        ("initial: Slow", "initial: Fast"),
        ("      Open:\n", "      Slow: {after: {2s: Fast}}\n      Open:\n"),
    )
    sheet = sheets(tmp_path, *edits)["gate"]
    [opening] = sheet.root.groups()
    assert [box.name for box in opening.boxes() if box.id] == ["Fast"]
    assert marked(parts(sheet)["Slow"].text)[1] == ("changed", "is now on the outside (was inside Opening)")


def test_a_shared_guard_is_marked_in_every_chart_that_asks_it(tmp_path):
    edits = (("{key.turned: Shut}", "{key.turned: {guard: calm, target: Shut}}"),)
    old = read(tmp_path / "old", *edits)
    found = diff_sheets(compare(old, read(tmp_path / "new", *edits, ("level < 9", "level < 8"))), "a", "b")
    assert parts(found["gate"])["Held-Shut"].accent == parts(found["lamp"])["Dark-Bright"].accent == CHANGED


def test_numbers_of_what_competes_are_those_of_its_own_chart(tmp_path):
    edit = (
        "[{guard: staff, target: Opening}, {guard: paid, target: Held}, {target: Shut}]",
        "[{guard: paid, target: Held}, {guard: staff, target: Opening}, {target: Held}]",
    )
    found = parts(sheets(tmp_path, edit)["gate"])
    assert marked(found["Shut-Held"].text) == [
        ("changed", "~ 1 hand.waved [paid]"),
        ("changed", "was 2"),
        ("changed", "~ 3 hand.waved"),
        ("changed", "was → Shut"),
    ]
    assert marked(found["Shut"].text) == [("removed", "- 3 → Shut  hand.waved")]


def test_all_that_a_way_was_is_written_below_it(tmp_path):
    edits = (
        (
            "{bulb.changed: Dark}",
            "{bulb.changed: {guard: dry, reply: {ocpp.Mend: Done}, target: Dark, actions: [lamp.wipe]}}",
        ),
        ("always: {guard: not in(free), target: Dark}", "always: {target: Dark}"),
        ("{key.turned: Shut}", "{key.turned: {actions: [gate.beep]}}"),
        ("{1m: {actions: [fee.take]}}", "{1m: Held}"),
    )
    found = sheets(tmp_path, *edits)
    lamp, gate = parts(found["lamp"]), parts(found["gate"])
    assert ("changed", "was without guard  ↩ nothing  / nothing") in marked(lamp["Broken-Dark"].text)
    assert ("changed", "was [not in(free)]") in marked(lamp["Bright-Dark"].text)
    assert ("changed", "was → Shut  / nothing") in marked(gate["Held"].text)
    assert ("changed", "was stayed  / fee.take") in marked(gate["Open-Held"].text)


def test_guards_and_promises_in_the_heading(tmp_path):
    edits = (
        ("safe: (path.clear or forced) and", "safe: forced and"),
        ("level < 9", "level < 8"),
        (
            "      - {never: in(Open) and not safe}\n",
            "      - {never: in(Held) and in(Shut)}\n      - {home: Shut}\n",
        ),
        ("then: path.clear", "then: dry"),
        ("scope: connector\n    description", "scope: station\n    description"),
    )
    found = sheets(tmp_path, *edits)
    assert heading(found["gate"])[3:] == [
        ("changed", "~ is now one for the station (was one for each connector)"),
        ("changed", "~ safe := forced and not in(lamp.Broken)"),
        ("changed", "was (path.clear or forced) and not in(lamp.Broken)"),
        ("added", "+ promise never in(Held) and in(Shut)"),
        ("added", "+ promise home Shut"),
        ("changed", "~ promise whenever motor.run then dry"),
        ("changed", "was whenever motor.run then path.clear"),
        ("removed", "- promise never in(Open) and not safe"),
    ]
    assert heading(found["lamp"])[3:] == [
        ("changed", "~ calm := level < 8 or in(gate.Held)  of index.yaml"),
        ("changed", "was level < 9 or in(gate.Held)"),
    ]
    assert parts(found["lamp"])["Dark-Bright"].accent == CHANGED
    assert parts(found["gate"])["Open-Held"].accent == CHANGED


def test_where_a_chart_begins(tmp_path):
    sheet = sheets(tmp_path, ("initial: Shut", "initial: Held"))["gate"]
    assert heading(sheet)[3] == ("changed", "~ begins in Held now (was Shut)")
    assert parts(sheet)["start-initial"].accent == CHANGED


def test_charts_that_came_and_went_are_drawn_whole(tmp_path):
    two = read(tmp_path / "two")
    three = read(
        tmp_path / "three",
        charts=("gate", "lamp", "hall"),
        extra=f"{HALL}    invariants: [home: Calm]\n",
    )
    for pair, accent in (((two, three), ADDED), ((three, two), REMOVED)):
        found = diff_sheets(compare(*pair), "a", "b")
        assert list(found) == ["hall"]
        assert {part.accent for name, part in parts(found["hall"]).items() if "initial " not in name} == {
            accent
        }
        assert len(heading(found["hall"])) == 5


def test_what_did_not_change_stays_where_it_was(tmp_path):
    """A way more into a state would make a crowd of them; in the picture of a difference they stay arrows."""
    text = "chart: c\nscope: station\ninitial: A\nstates: {A: {on: {e: Z, f: B}}, B: {on: {e: Z, f: C}}, C: {on: {e: Z, f: D}}, D: {on: {DDD}}, Z: {}}"
    old, new = (
        read_charts(tmp_path / name, {"c": text.replace("DDD", ways)})
        for name, ways in (("old", "f: A"), ("new", "f: A, e: Z"))
    )
    drawn = {edge.name for edge in chart_sheet(new.charts["c"], new).edges}
    assert {"A-Z", "B-Z"}.isdisjoint(drawn)
    compared = {edge.name for edge in diff_sheets(compare(old, new), "a", "b")["c"].edges}
    assert {"A-Z", "B-Z", "C-Z", "D-Z"} <= compared


@needs_dot
def test_of_two_layouts_the_one_most_like_the_picture_before_is_taken(tmp_path, monkeypatch):
    """Arrows that were not there pull at the boxes, or do not: neither is the better way for every chart."""
    edits = (
        ("pilot.yaml", "not ev.asks, target: Resting", "not ev.asks, target: Silent"),
        ("pilot.yaml", "after: {6s: Resting}", "after: {6s: Silent}"),
    )
    old, new = reader.read_set(SHIPPED)[0], reader.read_set(shipped_copy(tmp_path, *edits))[0]
    sheet = diff_sheets(compare(old, new), "a", "b")["pilot"]
    assert [edge.name for edge in sheet.edges if edge.loose] == ["Withdrawing-Silent"]
    laid_out = []
    monkeypatch.setattr(
        diagram, "likeness", lambda layout, known: laid_out.append(layout) or len(laid_out) == 2
    )
    monkeypatch.setattr(diagram, "draw", lambda _sheet, layout, _source: layout)
    assert diagram._svg(sheet) == laid_out[1] != laid_out[0]


def test_how_alike_two_layouts_are():
    def layout(**places):
        objects = [
            {"name": name, "pos": f"{x},{y}", "width": 1, "height": 1} for name, (x, y) in places.items()
        ]
        return json.dumps({"bb": "0,0,9,9", "lp": "0,0", "objects": objects})

    known = layout(a=(0, 0), b=(1, 1), c=(2, 2))
    assert likeness(layout(a=(5, 1), b=(6, 2), c=(9, 9), d=(0, 0)), known) == 1
    assert likeness(layout(a=(2, 0), b=(1, 1), c=(0, 2)), known) == 0.5
    assert likeness(layout(a=(2, 2), b=(1, 1), c=(0, 0)), known) == 0
    assert likeness(layout(d=(0, 0)), known) == 1


@needs_dot
def test_the_svg_has_a_class_a_colour_and_dashes_for_every_accent(tmp_path):
    edits = (
        ("{OpenTime: Shut}", "{OpenTime: Opening}"),
        ("          Fast: {on: {gate.at_end: Open}}\n", ""),
        ("{2s: Fast}", "{2s: Open}"),
    )
    [file] = diagram.write_sheets({"gate.diff": sheets(tmp_path, *edits)["gate"]}, tmp_path / "out")
    assert file == tmp_path / "out" / "gate.diff.svg"
    svg = ET.fromstring(file.read_text(encoding="utf-8"))
    things = {element.get("id"): element for element in svg.iter(f"{SVG}g") if element.get("id")}
    fast, gone, changed = (things[name] for name in ("state-Fast", "edge-Open-Shut", "edge-Open-Opening"))
    assert (fast.get("class"), gone.get("class"), changed.get("class")) == (
        "state removed",
        "edge removed",
        "edge changed",
    )
    assert fast.find(f"{SVG}rect").get("stroke-dasharray")
    assert fast.find(f"{SVG}rect").get("stroke") == REMOVED.colour
    assert gone.find(f"{SVG}path").get("stroke-dasharray")
    assert changed.find(f"{SVG}path").get("stroke-dasharray") is None
    assert fast.find(f".//{SVG}text").get("text-decoration") == "line-through"
    assert things["edge-Shut-Held"].get("class") == "edge"


@needs_dot
def test_every_shipped_chart_can_be_drawn_as_new_and_as_gone(tmp_path):
    shipped = reader.read_set(SHIPPED)[0]
    nothing = read(tmp_path / "nothing")
    found = diff_sheets(compare(shipped, nothing), "a", "b")
    assert set(found) == {*shipped.charts, "gate", "lamp"}
    assert len(diagram.write_sheets(found, tmp_path / "out")) == len(found)


@needs_dot
@settings(max_examples=30, deadline=None)
@given(charts(), charts())
def test_any_two_charts_can_be_compared_and_drawn(one, other):
    """All states and all transitions of both are in the picture, and what is only in one has an accent."""
    old, new = (model.ChartSet(chart.mark, "", {"any": chart}) for chart in (one, other))
    assert compare(old, old).facts == []
    diff = compare(old, new)
    for chart, fact in diff.facts:
        assert tell(diff, chart, fact).text
    renamed = diff.charts["any"].renamed
    for sheet in diff_sheets(diff, "a", "b").values():
        found = {name for name in parts(sheet) if " " not in name and "-" not in name}
        assert found == {*other.states, *(renamed.get(name, name) for name in one.states)} - {""}
        said = "".join(str(line) for part in parts(sheet).values() for line in part.text.lines)
        gone = [fact.name for _, fact in diff.facts if fact.subject == "state" and fact.kind == "removed"]
        assert all(f"- {name}" in said for name in gone)
        ET.fromstring(diagram._svg(sheet))
