"""Pictures: complete, searchable, the same everywhere, and honest about being out of date."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charger.statechart import diagram, diagram_draw, model, reader
from charger.statechart.diagram_chart import FAN_IN, chart_sheet
from charger.statechart.diagram_sheet import LOOKS, Run, wrap
from charger.statechart.diagram_words import arrow, number, transition
from charger.statechart.wording import value_text
from charger.statechart.words import EventWord, Vocabulary

SHIPPED = Path(__file__).parents[2] / "charts"
VOCABULARY = Vocabulary(
    events={
        "ocpp.Reset": EventWord("ocpp.Reset", "", replies=frozenset({"Accepted"})),
        "door.opened": EventWord("door.opened", ""),
        "door.closed": EventWord("door.closed", ""),
    }
)
needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="apt install graphviz")

DOOR = """
    chart: door
    scope: connector
    description: A door & its <lock> "as is".
    initial: Deciding
    guards: {safe: not in(busy) and level < 3}
    on:
      ocpp.Reset: {reply: Accepted, actions: [raise: {lamp.blink: {times: 3}}]}
    states:
      Deciding:
        always:
          - {guard: door.closed, target: Closed}
          - {target: Open}
      Open:
        description: Somebody may pass.
        status: Available
        tags: [free]
        entry: [door.light]
        on:
          door.closed: {target: Closed, actions: [door.count: {who: event.who}]}
          ocpp.Reset: [{guard: level < 3 and name != 'a&b', reply: Rejected}, {reply: later}]
      Closed:
        status: Unavailable
        initial: Locked
        on: {door.opened: {target: Open, reply: {ocpp.Reset: Accepted}}}
        states:
          Locked:
            after: {5s: Bolted}
            every: {1m: {actions: [door.check]}}
          Bolted:
            status: Faulted
            exit: [door.light: {text: two words}]
            on: {door.opened: Locked, door.pulled: Bolted, door.hit: Closed}
          Gone: {type: final}
    invariants:
      - {never: in(free) and not safe, description: An open door is safe.}
"""
LAMP = """
    chart: lamp
    scope: station
    initial: Dark
    states:
      Dark: {always: {guard: any(free) and calm, target: Bright}}
      Bright:
        entry: [ocpp.Heartbeat]
        on: {lamp.blink: Dark, ocpp.Heartbeat.accepted: Dark, 'ocpp.*': {reply: {error: NotSupported}}}
"""
INDEX = """
    language: 1
    charts: [door, lamp]
    guards: {calm: level < 9}
    settings: {Loud: true}
    inputs: {bell: {description: beside the door}}
"""
CROWD = """
    chart: crowd
    scope: station
    initial: Home
    states:
      Home: {on: {go: A}}
      A: {on: {back: Home, go: B}}
      B: {on: {back: Home, go: C, far: Hub}}
      C: {on: {back: Home, go: D, far: Hub}}
      D: {on: {go: E, far: Hub}}
      E: {on: {far: {target: Hub, actions: [wave]}, near: Home}}
      Hub: {type: final}
"""


def write_charts(folder, **texts):
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(textwrap.dedent(text))
    return folder


def read(folder):
    chart_set, findings = reader.read_set(folder)
    assert not findings
    return chart_set


@pytest.fixture
def doors(tmp_path):
    return read(write_charts(tmp_path / "charts", index=INDEX, door=DOOR, lamp=LAMP))


@pytest.fixture
def crowd(tmp_path):
    index = "language: 1\ncharts: [crowd]"
    return read(write_charts(tmp_path / "crowd", index=index, crowd=CROWD))


def svg_of(chart_set, name):
    return ET.fromstring(diagram.chart_svg(chart_set.charts[name], chart_set))


def group(svg, identity):
    found = svg.findall(f".//*[@id='{identity}']")
    assert len(found) == 1, identity
    return found[0]


def own_shape(element):
    return element.find("{*}rect")


def words(element):
    lines = ("".join(line.itertext()) for line in element.iter("{http://www.w3.org/2000/svg}text"))
    return " ".join(" ".join(lines).replace("\N{NO-BREAK SPACE}", " ").split())


def said_of(svg, name):
    """What is written about one edge, in all places."""
    return " ".join(filter(None, map(words, svg.findall(f".//*[@data-edge='{name}']"))))


# -- complete ------------------------------------------------------------------------------------------


@needs_dot
@pytest.mark.parametrize("name", sorted(path.stem for path in SHIPPED.glob("*.yaml") if path.stem != "index"))
def test_every_state_and_transition_of_a_shipped_chart_is_there_once(name):
    chart_set, _ = reader.read_set(SHIPPED)
    chart = chart_set.charts[name]
    svg = svg_of(chart_set, name)
    identities = Counter(element.get("id") for element in svg.iter() if element.get("id"))
    assert set(identities.values()) == {1}
    for state in filter(None, chart.states):
        assert f"state-{state}" in identities
    ways = {}
    for one in chart.transitions():
        key = f"{one.source or 'everywhere'}-{one.target or 'stay'}"
        ways.setdefault(key, []).append(one)
    shown = {element.get("data-edge") for element in svg.iter() if element.get("data-edge")}
    assert {edge for edge in shown if not edge.endswith("-initial")} == set(ways)
    for key, transitions in ways.items():
        drawn = group(svg, f"edge-{key}").find("{*}path") is not None
        expected = []
        for one in transitions:
            state = chart.states[one.source]
            lead = "" if one.source else "everywhere "
            runs = (*number(state, one), *(() if drawn else arrow(one)), *transition(state, one))
            expected.append(f"{lead}{''.join(run.text for run in runs)} {one.description}")
        assert said_of(svg, key) == " ".join(" ".join(expected).split())


@needs_dot
def test_words_on_an_edge(doors):
    svg = svg_of(doors, "door")
    assert said_of(svg, "Deciding-Open") == "2 otherwise"
    assert said_of(svg, "Open-Closed") == "door.closed / door.count(event.who)"
    assert said_of(svg, "Closed-Open") == "door.opened ↩ ocpp.Reset: Accepted"
    assert said_of(svg, "Locked-Bolted") == "after 5s"


@needs_dot
def test_words_in_a_box(doors):
    svg = svg_of(doors, "door")
    assert words(group(svg, "state-Open")) == (
        "Open #free status Available Somebody may pass. entry door.light"
        " 1 ocpp.Reset [level < 3 and name != 'a&b'] ↩ Rejected 2 ocpp.Reset ↩ later"
    )
    assert words(group(svg, "state-Bolted")) == (
        "Bolted status Faulted exit door.light(text: 'two words') → Bolted door.pulled → Closed door.hit"
    )
    assert said_of(svg, "Locked-stay") == "every 1m / door.check"
    assert words(group(svg, "state-Gone")) == "Gone final"


@needs_dot
def test_heading_has_what_holds_everywhere(doors):
    said = words(svg_of(doors, "door"))
    assert said.startswith(
        'door one for each connector A door & its <lock> "as is".'
        " everywhere ocpp.Reset ↩ Accepted ^ lamp.blink(times: 3)"
        " safe := not in(busy) and level < 3"
        " promise never in(free) and not safe An open door is safe."
    )
    assert "calm := level < 9 of index.yaml" in words(svg_of(doors, "lamp"))


@needs_dot
def test_classes_and_colours(doors):
    svg = svg_of(doors, "door")
    kinds = {name: group(svg, f"state-{name}").get("class") for name in ("Deciding", "Open", "Closed")}
    assert kinds == {"Deciding": "junction", "Open": "state", "Closed": "compound"}
    assert group(svg, "edge-Open-Closed").get("class") == "edge"
    fills = {
        name: own_shape(group(svg, f"state-{name}")).get("fill") for name in ("Open", "Locked", "Bolted")
    }
    assert fills == {"Open": "#d4f2d4", "Locked": "#d2d2d2", "Bolted": "#ffcaca"}
    plain = svg_of(doors, "lamp")
    assert own_shape(group(plain, "state-Dark")).get("fill") == "#ffffff"
    assert group(svg, "state-Open").find("{*}title").text == "Somebody may pass."


@needs_dot
def test_ways_into_a_crowded_state_are_written(crowd):
    svg = svg_of(crowd, "crowd")
    ways = Counter(one.target for one in crowd.charts["crowd"].transitions())
    assert ways["Hub"] == ways["Home"] == FAN_IN
    for source in "BCD":
        assert group(svg, f"edge-{source}-Hub").find("{*}path") is None
        assert "→ Hub far" in words(group(svg, f"state-{source}"))
    assert "also from B, C, D" in words(group(svg, "state-Hub"))
    assert "from A, B, C, E" in words(group(svg, "state-Home"))
    # The sibling right before it is joined to it, and says nothing in its box.
    assert group(svg, "edge-E-Hub").find("{*}path") is not None
    assert said_of(svg, "E-Hub") == "far / wave"
    assert "Hub" not in words(group(svg, "state-E"))
    assert group(svg, "edge-A-B").find("{*}path") is not None


@st.composite
def charts(draw):
    """Any tree of states, any transitions."""
    count = draw(st.integers(1, 12))
    parents = [""] + [draw(st.sampled_from(["", *(f"S{n}" for n in range(one))])) for one in range(1, count)]
    names = [f"S{one}" for one in range(count)]
    line = iter(range(1, 1000))
    states = {}
    for name, parent in [("", None), *zip(names, parents, strict=True)]:
        children = tuple(one for one, around in zip(names, parents, strict=True) if around == name)
        ways = []
        for target in draw(st.lists(st.sampled_from(["", *names]), max_size=3)):
            mark = reader.Mark("x", next(line), 1)
            ways.append(
                model.Transition(mark, "on", "some.event", mark, name, target=target or None, guard_text="x")
            )
        states[name] = model.State(
            reader.Mark("x", next(line), 1),
            name,
            parent or None,
            children=children,
            initial=draw(st.sampled_from(children)) if children else None,
            transitions=tuple(ways),
        )
    return model.Chart(reader.Mark("x", 1, 1), "any", ("station",), "", states)


@needs_dot
@settings(max_examples=30, deadline=None)
@given(charts())
def test_any_chart_can_be_drawn(chart):
    chart_set = model.ChartSet(chart.mark, "", {"any": chart})
    svg = ET.fromstring(diagram.chart_svg(chart, chart_set))
    for state in filter(None, chart.states):
        group(svg, f"state-{state}")
    for one in chart.transitions():
        group(svg, f"edge-{one.source or 'everywhere'}-{one.target or 'stay'}")


def test_values_are_shown_as_they_are_written():
    mark = reader.Mark("x", 1, 1)
    shown = {
        value_text(value)
        for value in (
            model.Const(mark, None),
            model.Const(mark, value=True),
            model.Const(mark, ""),
            model.EventField(mark, "tag"),
            model.Here(mark),
            model.In(mark, "first", "free"),
            model.Tries(mark, "Open"),
            model.Between(mark, 22 * 60, 6 * 60 + 5),
            model.Name(mark, "tag.id"),
        )
    }
    clock = "clock.between(22:00, 06:05)"
    assert shown == {"none", "true", "''", "event.tag", "here", "first(free)", "tries(Open)", clock, "tag.id"}


# -- lines ---------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.text("ab [].", max_size=30), st.sampled_from(sorted(LOOKS))), max_size=4),
    st.integers(40, 300),
)
def test_wrapping_loses_nothing_and_keeps_to_the_width(parts, limit):
    runs = [Run(" ".join(text.split()), style) for text, style in parts]
    lines = list(wrap(runs, limit))
    assert "".join(map(str, lines)).replace(" ", "") == "".join(run.text for run in runs).replace(" ", "")
    assert all(line.width <= limit for line in lines if " " in str(line))


def test_operators_stay_with_what_follows():
    lines = [str(line) for line in wrap([Run("[session.reason == Other and not cable.present]")], 100)]
    assert lines == ["[session.reason", "== Other", "and not cable.present]"]


# -- the same everywhere -------------------------------------------------------------------------------


def test_dot_text_is_the_same_in_every_process(tmp_path):
    folder = write_charts(tmp_path / "charts", index=INDEX, door=DOOR, lamp=LAMP)
    chart_set = read(folder)
    texts = [diagram.chart_dot(chart, chart_set) for chart in chart_set.charts.values()]
    expected = "".join([*texts, diagram.overview_dot(chart_set, Vocabulary())])
    program = (
        "import sys, pathlib\n"
        "from charger.statechart import diagram, reader\n"
        "from charger.statechart.words import Vocabulary\n"
        "charts, _ = reader.read_set(pathlib.Path(sys.argv[1]))\n"
        "for chart in charts.charts.values():\n"
        "    sys.stdout.write(diagram.chart_dot(chart, charts))\n"
        "sys.stdout.write(diagram.overview_dot(charts, Vocabulary()))\n"
    )
    for seed in ("1", "2"):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": str(SHIPPED.parent),
            "PYTHONUTF8": "1",
        }
        command = [sys.executable, "-c", program, str(folder)]
        done = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60)
        assert done.stdout.decode() == expected


@needs_dot
def test_picture_does_not_depend_on_the_fonts_of_the_machine(doors, tmp_path, monkeypatch):
    with_fonts = diagram.chart_svg(doors.charts["door"], doors)
    nothing = tmp_path / "fonts.conf"
    nothing.write_text('<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig/>')
    monkeypatch.setenv("FONTCONFIG_FILE", str(nothing))
    assert diagram.chart_svg(doors.charts["door"], doors) == with_fonts


@needs_dot
def test_picture_tells_nothing_about_its_maker(doors):
    svg = diagram.chart_svg(doors.charts["door"], doors)
    assert not re.search(r"graphviz|version|generated|0x[0-9a-f]+|20\d\d-", svg, re.IGNORECASE)


def test_a_changed_shared_guard_changes_the_charts_that_use_it(doors, tmp_path):
    calmer = INDEX.replace("level < 9", "level < 8")
    changed = read(write_charts(tmp_path / "changed", index=calmer, door=DOOR, lamp=LAMP))
    same = {
        name: diagram.chart_dot(chart, doors) == diagram.chart_dot(changed.charts[name], changed)
        for name, chart in doors.charts.items()
    }
    assert same == {"door": True, "lamp": False}


# -- overview ------------------------------------------------------------------------------------------


@needs_dot
def test_overview_shows_how_charts_meet(doors):
    svg = ET.fromstring(diagram.overview_svg(doors, VOCABULARY))
    assert said_of(svg, "door-lamp") == "^ lamp.blink"
    assert said_of(svg, "door-lamp-asked") == "#free"
    assert group(svg, "edge-door-lamp-asked").find("{*}path").get("stroke-dasharray")
    assert group(svg, "edge-door-lamp").find("{*}path").get("stroke-dasharray") is None
    assert words(group(svg, "chart-door")).endswith(
        "answers Reset hears door.closed/opened/pulled/hit does door.light/count/check"
    )
    assert words(group(svg, "chart-lamp")) == "lamp answers any other call sends Heartbeat asks calm"
    assert words(group(svg, "scope-station")) == "one for the station"
    heading = words(svg)
    assert "calm := level < 9" in heading
    assert "setting Loud: true input bell (station) beside the door" in heading


@needs_dot
def test_a_chart_that_meets_nobody_is_a_box_with_its_name(tmp_path):
    """One state, no words: there is nothing to say of it but that it exists."""
    index = "language: 1\ncharts: [rest]"
    rest = "chart: rest\nscope: station\ninitial: A\nstates: {A: {}}"
    svg = ET.fromstring(
        diagram.overview_svg(read(write_charts(tmp_path / "rest", index=index, rest=rest)), VOCABULARY)
    )
    assert words(group(svg, "chart-rest")) == "rest"


@needs_dot
def test_a_sheet_that_dot_cannot_lay_out_is_drawn_with_its_exits_lower(doors, monkeypatch):
    """`dot` 2.43 fails on about one chart in 400 whose exits lie beside the lowest box."""
    laid_out = []

    def moody(text, real=diagram._layout):
        laid_out.append(text)
        if len(laid_out) == 1:
            raise subprocess.CalledProcessError(1, "dot")
        return real(text)

    monkeypatch.setattr(diagram, "_layout", moody)
    svg = svg_of(doors, "door")
    assert group(svg, "state-Closed") is not None
    assert len(laid_out) == 2
    assert "minlen=0" not in laid_out[1]


# -- the folder ----------------------------------------------------------------------------------------


@needs_dot
def test_only_what_changed_is_written(doors, tmp_path):
    folder = tmp_path / "diagrams"
    assert diagram.stale(doors, VOCABULARY, folder) == ["door", "lamp", "overview"]
    assert diagram.write(doors, VOCABULARY, folder) == ["door", "lamp", "overview"]
    assert diagram.stale(doors, VOCABULARY, folder) == []
    # Another version of `dot` may have drawn it otherwise: the hash decides.
    lamp = folder / "lamp.svg"
    lamp.write_text(lamp.read_text() + "<!-- drawn elsewhere -->")
    assert diagram.write(doors, VOCABULARY, folder) == []
    assert lamp.read_text().endswith("<!-- drawn elsewhere -->")
    longer = DOOR.replace("5s: Bolted", "6s: Bolted")
    changed = read(write_charts(tmp_path / "changed", index=INDEX, door=longer, lamp=LAMP))
    assert diagram.stale(changed, VOCABULARY, folder) == ["door"]
    assert diagram.write(changed, VOCABULARY, folder) == ["door"]
    assert "after 6s" in (folder / "door.svg").read_text()


@needs_dot
def test_pictures_of_charts_that_are_gone_are_removed(doors, crowd, tmp_path):
    folder = tmp_path / "diagrams"
    diagram.write(doors, VOCABULARY, folder)
    (folder / "wiring.svg").write_text("<svg/>")
    assert diagram.stale(crowd, VOCABULARY, folder) == ["crowd", "door", "lamp", "overview"]
    assert diagram.write(crowd, VOCABULARY, folder) == ["crowd", "door", "lamp", "overview"]
    assert sorted(path.name for path in folder.iterdir()) == ["crowd.svg", "overview.svg", "wiring.svg"]


def test_hash_says_what_a_picture_was_made_of(doors):
    dot = diagram.chart_dot(doors.charts["door"], doors)
    svg = f'<svg data-source="{diagram.source_hash(dot)}"/>'
    assert diagram.is_current(svg, dot)
    assert not diagram.is_current(svg, dot + " ")


def test_without_dot_the_remedy_is_named_and_nothing_is_touched(doors, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(diagram.DotMissingError, match="apt install graphviz"):
        diagram.chart_svg(doors.charts["door"], doors)
    folder = tmp_path / "diagrams"
    with pytest.raises(diagram.DotMissingError):
        diagram.write(doors, VOCABULARY, folder)
    assert not folder.exists()
    assert diagram.stale(doors, VOCABULARY, folder) == ["door", "lamp", "overview"]


def test_no_chart_can_be_named_like_the_overview(tmp_path):
    index = "language: 1\ncharts: [overview]"
    chart = CROWD.replace("chart: crowd", "chart: overview")
    _, findings = reader.read_set(write_charts(tmp_path / "charts", index=index, overview=chart))
    assert [finding.rule for finding in findings] == ["bad-name"]


def test_junctions_are_small(doors):
    boxes = {box.name: box for box in chart_sheet(doors.charts["door"], doors).root.boxes()}
    assert boxes["Deciding"].kind == "junction"
    assert [run.style for run in boxes["Deciding"].text.lines[0].runs] == ["junction"]


def test_of_two_ways_that_dot_offers_for_an_edge_the_first_is_drawn():
    """graphviz, attribute `pos`: splines are separated by semicolons. Random charts met one."""
    one = "s,87.5,35 94.7,35 110.5,35 148.3,35 185.3,35"
    two = "s,87.3,34.4 91.4,28.5 94.2,25 98.3,20.9 103,19"
    assert diagram_draw._route(f"{one};{two}", None, 50) == diagram_draw._route(one, None, 50)
