"""Charts in other formats and back: nothing changes on the way, and what cannot be carried is said with its place."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import chance
import pytest
from chart_kit import SHIPPED, shipped_copy, write_set
from hypothesis import HealthCheck, given, settings

from charger.cli import run_command
from charger.statechart import exchange, reader
from charger.statechart.exchange import mermaid, plain, plantuml, scxml, scxml_read, sketch, xstate
from charger.statechart.exchange.names import Names, as_name, delay_text
from charger.statechart.exchange.xml import parse
from charger.statechart.expressions import seconds
from charger.statechart.findings import Finding, Mark
from charger.statechart.model import Chart
from charger.statechart.reader import read_set
from charger.statechart.source import read_text

HERE = Path(__file__).parent
SETS = {"shipped": SHIPPED, "everything": HERE / "ok" / "everything"}
CHARTS = [
    (name, chart) for name, folder in SETS.items() for chart in read_set(folder, "charts")[0].charts.values()
]
EACH = pytest.mark.parametrize(
    "chart", [chart for _, chart in CHARTS], ids=[f"{n}-{c.name}" for n, c in CHARTS]
)
CHANCE = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def read(text: str, name: str = "lock") -> Chart:
    """A chart that must be readable."""
    findings: list[Finding] = []
    source = read_text(text, f"{name}.yaml")
    assert source.root, source.findings
    assert not source.findings
    chart = reader._Reader(findings).chart(source.root, name, Mark(f"{name}.yaml", 1, 1))
    assert chart
    assert not findings, [*map(str, findings)]
    return chart


def whole(chart: Chart) -> Any:
    """A chart as it is written, with 60s and 1m as one delay."""
    return _with_seconds(plain.whole(chart))


def _with_seconds(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_seconds(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _with_seconds(item) for key, item in value.items()}
    if isinstance(kept.get("after"), dict):
        kept["after"] = {str(seconds(key) or key): item for key, item in kept["after"].items()}
    return kept


def one(states: str, more: str = "") -> Chart:
    return read(f"chart: lock\nscope: station\ninitial: A\n{more}\nstates: {states}\n")


def says(findings: list[Finding]) -> list[str]:
    """Line, column and message."""
    return [f"{finding.mark.line}:{finding.mark.column} {finding.message}" for finding in findings]


# -- YAML ----------------------------------------------------------------------------------------------


@EACH
def test_what_is_written_is_read_as_the_same(chart: Chart) -> None:
    written = plain.whole(chart)
    assert plain.whole(read(plain.yaml_text(written), chart.name)) == written


@CHANCE
@given(chance.charts())
def test_any_chart_is_written_as_it_was(written: dict[str, Any]) -> None:
    chart = read(json.dumps(written))
    assert plain.whole(read(plain.yaml_text(plain.whole(chart)))) == plain.whole(chart)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "5",
            "1.5",
            "true",
            "null",
            "22:00",
            "",
            " x",
            "- x",
            "a: b",
            "a #b",
            "#a",
            "{a}",
            "[a]",
            "'a'",
            '"a"',
        ),
        *(
            "a, b",
            "here",
            "event.tag",
            "a.b",
            "Ärger",
            "?",
            "*a",
            "&a",
            "a:",
            "~",
            "a\\b",
            "@a",
            "first(free)",
        ),
    ],
)
@pytest.mark.parametrize("place", ["block", "flow"])
def test_a_text_stays_a_text(text: str, place: str) -> None:
    value: Any = {"k": text} if place == "block" else {"k": [text, {"k": text, "l": text}]}
    source = read_text(plain.yaml_text(value), "x.yaml")
    assert source.findings == []
    assert _plain(source.root) == value


def _plain(node: Any) -> Any:
    if hasattr(node, "value"):
        return node.value
    items = [
        _plain(item) if not isinstance(item, tuple) else (item[0].raw, _plain(item[1])) for item in node.items
    ]
    return dict(items) if items and isinstance(items[0], tuple) else items


def test_an_argument_that_only_looks_like_a_fact_stays_in_quotes() -> None:
    chart = one('{A: {entry: [panel.show: {text: "event.tag"}, panel.show: {text: event.tag}]}}')
    text = plain.yaml_text(plain.whole(chart))
    assert 'entry: [panel.show: {text: "event.tag"}, panel.show: {text: event.tag}]' in text


# -- XState --------------------------------------------------------------------------------------------


@EACH
def test_xstate_brings_a_whole_chart_back(chart: Chart) -> None:
    written, findings = xstate.read(xstate.write(chart)[0], "x.json")
    assert findings == []
    assert whole(read(plain.yaml_text(written), chart.name)) == whole(chart)


@CHANCE
@given(chance.charts())
def test_xstate_brings_any_chart_back(written: dict[str, Any]) -> None:
    chart = read(json.dumps(written))
    text, lost = xstate.write(chart)
    again, findings = xstate.read(text, "x.json")
    assert findings == []
    if not any("quoted text" in finding.message for finding in lost):
        assert whole(read(plain.yaml_text(again))) == whole(chart)


def test_xstate_says_what_does_nothing_there() -> None:
    chart = read(
        """\
chart: lock
scope: connector
initial: A
on: {ocpp.Reset: {reply: Rejected}, ocpp.*: {reply: {error: NotSupported}}}
states:
  A:
    status: Available
    every: {1m: {actions: [clock.set]}}
    at: {"22:00": B}
    entry: [panel.show: {text: "event.tag"}]
  B:
    type: final
invariants:
  - home: A
"""
    )
    _, findings = xstate.write(chart)
    assert says(sorted(findings)) == [
        "1:1 XState: there is one machine, not one for each connector; kept under `meta`",
        "4:26 XState: nothing is answered: Rejected; kept under `meta`",
        "4:37 XState: `ocpp.*` hears every event that begins so, heard elsewhere or not",
        "4:61 XState: nothing is answered: {error: NotSupported}; kept under `meta`",
        "7:13 XState: a state has no status: Available; kept under `meta`",
        "8:13 XState: there is no `every`: 1m; kept under `meta`",
        "9:11 XState: there is no `at`: 22:00; kept under `meta`",
        "10:13 XState: a quoted text is one like any other",
        "11:3 XState: the machine ends in 'B', and nothing is heard there any more",
        "14:11 XState: there are no invariants: home A; kept under `meta`",
    ]


def test_xstate_has_ids_targets_and_milliseconds() -> None:
    chart = one(
        "{A: {after: {2m: A, ConnectionTimeOut: B}, on: {x.y: {guard: in(A), actions: [raise: x.z]}}}, B: {}}"
    )
    config = json.loads(xstate.write(chart)[0])
    assert config["states"]["A"]["after"] == {
        "120000": [{"target": "#A", "reenter": True}],
        "ConnectionTimeOut": [{"target": "#B"}],
    }
    assert config["states"]["A"]["on"] == {"x.y": [{"guard": "in(A)", "actions": [{"type": "raise x.z"}]}]}


FOREIGN = {
    "id": "Traffic light",
    "version": "1",
    "context": {"count": 0},
    "initial": "red",
    "states": {
        "red": {
            "entry": "count",
            "tags": "stop",
            "after": {"1000": "green", "90500": {"target": "green"}, "LONG": "green"},
            "on": {"*": "green", "POWER.OFF": [{"target": "off", "guard": "broken"}, ".walk"], "SELF": "red"},
            "initial": "walk",
            "states": {
                "walk": {"on": {"X": "#wait"}},
                "wait": {"id": "wait", "always": {"target": "#Traffic light.green"}},
            },
            "onDone": "green",
        },
        "green": {
            "on": {
                "A": {"target": "green"},
                "B": {"target": ["red", "off"], "reenter": True, "guard": {"type": "ok", "params": {"a": 1}}},
                "C": {"actions": [{"type": "go", "params": {"to": "x"}}, {}], "in": "x"},
                "D": "nowhere",
                "E": {},
                "F": {"target": "red.walk", "guard": {"type": "fine"}},
                "G": 5,
                "H": [[1]],
                "I": "#nobody.red",
            },
        },
        "off": {
            "type": "parallel",
            "initial": "x",
            "states": {"red": {"type": "final"}, "2": {"type": "history"}},
        },
        "odd": 5,
        "loop": {
            "initial": "one",
            "states": {"one": {}},
            "on": {"A": {"target": "loop"}, "B": {"target": ".one", "reenter": True}},
        },
    },
}


def test_xstate_of_others_is_read_and_what_is_not_carried_is_said() -> None:
    written, findings = xstate.read(json.dumps(FOREIGN, indent=1), "x.json")
    assert written == {
        "chart": "traffic_light",
        "scope": "station",
        "initial": "Red",
        "states": {
            "Red": {
                "tags": ["stop"],
                "initial": "Walk",
                "entry": ["count"],
                "on": {"POWER.OFF": [{"guard": "broken", "target": "Off2"}, "Walk"], "SELF": "Walk"},
                "after": {"1s": "Green", "90.5s": "Green", "LONG": "Green"},
                "states": {"Walk": {"on": {"X": "Wait"}}, "Wait": {"always": "Green"}},
            },
            "Green": {
                "on": {
                    "A": {"actions": []},
                    "B": {"guard": "ok", "target": "Red"},
                    "C": {"actions": [{"go": {"to": "x"}}]},
                    "D": {"actions": []},
                    "E": {"actions": []},
                    "F": {"guard": "fine", "target": "Walk"},
                    "G": {"actions": []},
                    "I": {"actions": []},
                },
            },
            "Off2": {"initial": "OffRed", "states": {"OffRed": {"type": "final"}, "S2": {}}},
            "Odd": {},
            "Loop": {"initial": "One", "on": {"A": "One", "B": "One"}, "states": {"One": {}}},
        },
    }
    assert [finding.message for finding in findings] == [
        "there is no `context`: what must be remembered is a fact of the vocabulary",
        "there is no `onDone`: no event tells that a final state was entered",
        "no state hears every event; name those it should",
        "a transition has one target",
        "a guard has no `params`",
        "a transition has no `in`",
        "no state 'nowhere'",
        "no state '5'",
        "no state '#nobody.red'",
        "there is no `parallel`: charts are the regions",
        "`initial` names a state directly inside: red is taken",
        "there is no `history`: write a state with only `always` that asks facts",
        "a way inside does not leave the state that declares it: `reenter`",
    ]
    text = json.dumps(FOREIGN, indent=1).splitlines()
    assert all(finding.mark.line > 1 for finding in findings)
    assert '"context"' in text[findings[0].mark.line - 1]
    read(plain.yaml_text(written), "traffic_light")


def test_a_file_indented_with_tabs_is_read() -> None:
    written, findings = xstate.read('{\n\t"initial": "a",\n\t"states": {\n\t\t"a": {}\n\t}\n}', "x.json")
    assert findings == []
    assert written == {"chart": "machine", "scope": "station", "initial": "A", "states": {"A": {}}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{\n x", "2:2 not readable as JSON"),
        ("[1]", "1:1 a machine is an object"),
        ("{}", "1:1 there are no `states` in it: this is no machine"),
        ('{"id": "a", "states": {}}', "1:1 there are no `states` in it: this is no machine"),
        ('{"a":' * 5000, "1:1 not readable as JSON: an endless number, or nested too deep"),
        (f'{{"a": {"9" * 5000}}}', "1:1 not readable as JSON: an endless number, or nested too deep"),
        ('{"states": {"a": ' * 13 + "{}" + "}}" * 13, "1:206 nested more than 24 levels deep"),
        ('{"a": 1, "a": 2}', "1:11 key 'a' is already defined at line 1"),
    ],
)
def test_what_is_no_machine_is_said(text: str, said: str) -> None:
    written, findings = xstate.read(text, "x.json")
    assert written == {}
    assert says(findings)[0].startswith(said)


# -- SCXML ---------------------------------------------------------------------------------------------

S = "{http://www.w3.org/2005/07/scxml}"
ALLOWED = {
    "scxml": {"state", "final"},
    "state": {"onentry", "onexit", "transition", "state", "final"},
    "final": {"onentry", "onexit"},
    "onentry": {"raise", "send"},
    "onexit": {"raise", "cancel"},
    "transition": {"raise"},
    "raise": set[str](),
    "send": set[str](),
    "cancel": set[str](),
}
"""What may stand in what, of the elements that are written (SCXML 3.2 to 3.9, 4.2, 6.2, 6.3)."""


@EACH
def test_a_written_document_keeps_the_rules_of_scxml(chart: Chart) -> None:
    text, _ = scxml.write(chart)
    root = ET.fromstring(text)
    states = [state for state in root.iter() if state.tag in (f"{S}state", f"{S}final")]
    ids = [state.get("id") for state in states]
    assert len(set(ids)) == len(ids)
    assert {name for name in chart.states if name} <= set(ids)
    assert (root.get("version"), root.get("name")) == ("1.0", chart.name)
    for element in root.iter():
        if element.tag.startswith(S):
            inside = {child.tag.removeprefix(S) for child in element if child.tag.startswith(S)}
            assert inside <= ALLOWED[element.tag.removeprefix(S)]
        if element.get("initial"):
            assert element.get("initial") in [child.get("id") for child in element]
    for transition in root.iter(f"{S}transition"):
        assert transition.get("target") in (None, *ids)
        assert transition.attrib.keys() & {"event", "cond", "target"}
    sent = [send.get("id") for send in root.iter(f"{S}send")]
    assert sent == [cancel.get("sendid") for cancel in root.iter(f"{S}cancel")] or len(set(sent)) == len(sent)


@EACH
def test_everything_in_it_comes_back_but_what_was_said(chart: Chart) -> None:
    text, _ = scxml.write(chart)
    again, findings = scxml_read.read(text, "x.scxml")
    assert findings == []
    assert _without(whole(read(plain.yaml_text(again), chart.name))) == _without(whole(chart))


LOST = ("description", "scope", "status", "tags", "reply", "every", "at", "guards", "invariants")


def _without(value: Any) -> Any:
    """A chart without what SCXML has no word for; transitions that did nothing else are gone."""
    if isinstance(value, list):
        return [_without(item) for item in value if _without(item) not in ({}, [])]
    if not isinstance(value, dict):
        return value
    kept = {key: _without(item) for key, item in value.items() if key not in LOST}
    if "states" not in value:
        kept.pop("type", None)  # a final state that still hears something is none there
    kept = {key: item for key, item in kept.items() if item not in ({}, []) or key in ("A",)}
    return kept.get("target") if list(kept) == ["target"] else kept


def test_scxml_says_what_stands_in_a_comment_only() -> None:
    chart = read(
        """\
chart: lock
scope: connector
initial: A
guards: {shut: in(B) and in(other.X)}
on: {ocpp.Reset: {reply: Rejected}, ocpp.*: {reply: {error: NotSupported}}}
states:
  A:
    description: Why -- because.
    status: Available
    tags: [free]
    every: {1m: {actions: [clock.set]}}
    at: {"22:00": {guard: shut, target: B}}
    entry: [raise: lock.own, raise: other.word]
  B:
    type: final
    on: {x.y: {actions: [clock.set]}}
invariants:
  - home: A
"""
    )
    text, findings = scxml.write(chart)
    assert says(sorted(findings)) == [
        "1:1 SCXML: there is one machine, not one for each connector; in a comment: scope: connector",
        "4:19 SCXML: conditions have no names of their own; in a comment: guard shut: in(B) and in(other.X)",
        "5:26 SCXML: nothing is answered; in a comment: reply: Rejected",
        "5:37 SCXML: `ocpp.*` hears every event that begins so, heard elsewhere or not",
        "5:61 SCXML: nothing is answered; in a comment: reply: {error: NotSupported}",
        "9:13 SCXML: a state has no status; in a comment: status: Available",
        "10:12 SCXML: a state has no tags; in a comment: tag: free",
        "11:13 SCXML: there is no `every`; in a comment: every 1m: {actions: [clock.set]}",
        "12:11 SCXML: there is no `at`; in a comment: at 22:00: {guard: shut, target: B}",
        "13:37 SCXML: 'other.word' is heard by this machine only",
        "14:3 SCXML: <final> hears nothing, so 'B' is a <state>",
        "18:11 SCXML: there are no invariants; in a comment: invariant: home A",
    ]
    assert "<!-- Why - - because. -->" in text
    assert ET.fromstring(text).get("datamodel") == "charger"


def test_scxml_hears_beginnings_of_names() -> None:
    chart = one("{A: {on: {x.y: A, x.y.z: A, x.yz: A, x.y.w: A}}}")
    assert says(scxml.write(chart)[1]) == ["5:19 SCXML: 'x.y' hears x.y.z, x.y.w, too"]


def test_scxml_takes_the_data_model_null_where_it_does() -> None:
    def model_of(states: str) -> str | None:
        return ET.fromstring(scxml.write(one(states))[0]).get("datamodel")

    assert model_of("{A: {on: {x.y: {guard: in(A), target: A}}}}") == "null"
    assert model_of("{A: {after: {3s: A}}}") == "null"
    assert model_of("{A: {after: {ConnectionTimeOut: A}}}") == "charger"
    assert model_of("{A: {on: {x.y: {guard: in(energy), target: A}}}}") == "charger"
    assert model_of("{A: {on: {x.y: {guard: not in(A), target: A}}}}") == "charger"


def test_scxml_keeps_arguments_of_every_kind() -> None:
    chart = one(
        '{A: {entry: [do.it: {a: text, b: "event.x", c: event.x, d: 5, e: 1.5, f: true, g: here, h: none, i: first(free)},'
        " raise: {lock.x: {tag: event.tag}}]}}"
    )
    again, findings = scxml_read.read(scxml.write(chart)[0], "x.scxml")
    assert findings == []
    assert whole(read(plain.yaml_text(again))) == whole(chart)


FOREIGN_SCXML = """\
<scxml xmlns="http://www.w3.org/2005/07/scxml" version="1.0" name="Other's" initial="s1 s2">
  <datamodel><data id="x" expr="1"/></datamodel>
  <script>x = 2</script>
  <state id="s1" initial="deep">
    <onentry>
      <send id="t1" event="late" delay="1.5s"/>
      <send id="t2" event="later" delay="500ms"/>
      <send id="t3" event="named" delayexpr="Patience"/>
      <send id="t4" event="odd" delay="soon"/>
      <send event="out" target="http://elsewhere/"/>
      <assign location="x" expr="3"/>
      <log expr="x"/>
    </onentry>
    <onexit>
      <cancel sendid="t1"/>
      <cancel sendid="t2"/>
      <cancel sendid="t3"/>
      <cancel sendid="t4"/>
    </onexit>
    <transition event="late later" target="s2"/>
    <transition event="named odd" target="s2"/>
    <transition event="a.b b." cond="x == 1 &amp;&amp; !In('s2') || In('nobody')" target="s2"/>
    <transition event="c" cond="x['a']" target="s1"/>
    <transition event="d" target="nobody"/>
    <transition event="e" target="s2 s1"/>
    <transition event="f"/>
    <transition cond="x != 1"/>
    <transition><log expr="x"/></transition>
    <invoke src="other"/>
    <state id="s11"><state id="deep"/></state>
    <history id="h"/>
    <state/>
  </state>
  <parallel id="s2"><state id="p1"/></parallel>
  <final id="on"><donedata/></final>
</scxml>
"""


def test_scxml_of_others_is_read_and_what_is_not_carried_is_said() -> None:
    written, findings = scxml_read.read(FOREIGN_SCXML, "x.scxml")
    assert written == {
        "chart": "other_s",
        "scope": "station",
        "initial": "S1",
        "states": {
            "S1": {
                "initial": "S11",
                "on": {
                    "odd": "S2",
                    "a.b": {"guard": "x == 1 and not in(S2) or in(nobody)", "target": "S2"},
                    "b": {"guard": "x == 1 and not in(S2) or in(nobody)", "target": "S2"},
                    "c": {"guard": "condition_of_line_23", "target": "S1"},
                    "d": {"actions": []},
                    "e": "S2",
                    "f": {"actions": []},
                },
                "after": {"1.5s": "S2", "500ms": "S2", "Patience": "S2"},
                "states": {"S11": {"initial": "Deep", "states": {"Deep": {}}}, "State2": {}},
            },
            "S2": {},
            "On2": {"type": "final"},
        },
    }
    assert says(sorted(findings)) == [
        "1:1 `initial` names one state directly inside, not 's1 s2'",
        "2:3 there is no <datamodel>: what must be remembered is a fact of the vocabulary",
        "3:3 there is no <script>",
        "4:3 `initial` names one state directly inside, not 'deep'",
        "9:7 there is no <send>: what is done is an action of the vocabulary",
        "10:7 there is no <send>: what is done is an action of the vocabulary",
        "11:7 there is no <assign>: what is done is an action of the vocabulary",
        "12:7 there is no <log>: what is done is an action of the vocabulary",
        "18:7 there is no <cancel>: what is done is an action of the vocabulary",
        "22:5 an event is heard by its whole name, not by the beginning 'b.'",
        "23:5 the condition is in another language: x['a']",
        "24:5 no state 'nobody'",
        "25:5 a transition has one target",
        "27:5 a transition without an event needs a target",
        "28:5 a transition without an event needs a target",
        "28:17 there is no <log>: what is done is an action of the vocabulary",
        "29:5 there is no <invoke>: perform an action in `entry` and hear its answers in `on`",
        "31:5 there is no <history>: write a state with only `always` that asks facts",
        "34:3 there is no <parallel>: charts are the regions",
        "35:18 there is no <donedata>",
    ]
    read(plain.yaml_text(written), "other_s")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<scxml", "1:1 not readable as XML: unclosed token"),
        ("", "1:1 not readable as XML: no element found"),
        ("<html/>", "1:1 the root is <scxml> of http://www.w3.org/2005/07/scxml"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a/>', "1:1 a DOCTYPE is not read"),
    ],
)
def test_what_is_no_document_is_said(text: str, said: str) -> None:
    written, findings = scxml_read.read(text, "x.scxml")
    assert written == {}
    assert says(findings) == [said]


def test_elements_know_their_place_and_their_attributes() -> None:
    root, findings = parse('<a xmlns="urn:x" xmlns:y="urn:y">\n <b y:c="d"/>\n</a>', "x.xml")
    assert findings == []
    assert root
    (child,) = root.children
    assert (child.name, child.mark, child.attributes) == ("{urn:x}b", Mark("x.xml", 2, 2), {"{urn:y}c": "d"})


# -- whatever there is to read -------------------------------------------------------------------------


def is_readable(written: dict[str, Any]) -> None:
    """What is printed is YAML of ours, with states in it, whatever is said of it then."""
    source = read_text(plain.yaml_text(written), "x.yaml")
    assert source.root
    assert source.findings == []
    reader._Reader([]).chart(source.root, "x", Mark("x.yaml", 1, 1))


@CHANCE
@given(chance.MACHINES)
def test_any_json_makes_a_chart_or_is_refused(machine: Any) -> None:
    written, findings = xstate.read(json.dumps(machine), "x.json")
    assert written or findings
    if written:
        is_readable(written)


@CHANCE
@given(chance.DOCUMENTS)
def test_any_xml_makes_a_chart_or_is_refused(document: str) -> None:
    written, findings = scxml_read.read(document, "x.scxml")
    assert written or findings
    if written:
        is_readable(written)


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ("", "1:1 there is no <state> in it: this is no machine"),
        ("<state>" * 5000, "1:1 nested more than 24 levels deep"),
    ],
)
def test_what_is_no_state_machine_is_said(inside: str, said: str) -> None:
    text = f'<scxml xmlns="http://www.w3.org/2005/07/scxml">{inside}</scxml>'
    written, findings = scxml_read.read(text, "x.scxml")
    assert written == {}
    assert says(findings) == [said]


# -- names and delays ----------------------------------------------------------------------------------


def test_states_get_capital_words_that_nobody_else_has() -> None:
    names = Names()
    paths = [("a",), ("b", "a"), ("on",), ("c d-e",), ("1",), ("b", "x", "a"), ("é",), ("A",), ("b.a",)]
    for path in paths:
        names.add(path)
    assert [names.of(path) for path in paths] == ["A", "BA", "On2", "CDE", "S1", "XA", "State", "A2", "BA2"]


@pytest.mark.parametrize(
    ("word", "name"), [("lock", "lock"), ("My Chart!", "my_chart"), ("1", "chart_1"), ("-", "chart")]
)
def test_a_chart_gets_a_name_in_lower_case(word: str, name: str) -> None:
    assert as_name(word) == name


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "500ms"), (0.0015, "1.5ms"), (1.5, "1.5s"), (90, "90s"), (120, "2m"), (5400, "90m"), (7200, "2h")],
)
def test_a_delay_is_written_as_people_do(value: float, text: str) -> None:
    assert delay_text(value) == text
    assert seconds(text) == value


# -- pictures ------------------------------------------------------------------------------------------


def texts_of(chart: Chart) -> list[str]:
    """All that a picture has to tell."""
    everything = [line for name in chart.states if name for line in sketch.lines(chart, name)]
    return [*everything, *sketch.of_chart(chart), *(arrow.text for arrow in sketch.arrows(chart))]


@EACH
def test_a_transition_is_an_arrow_or_a_line(chart: Chart) -> None:
    arrows = list(sketch.arrows(chart))
    lines = [line for name in chart.states for line in sketch.lines(chart, name)]
    for state in chart.states.values():
        for transition in state.transitions:
            text = sketch.text(state, transition)
            drawn = [arrow for arrow in arrows if (arrow.source, arrow.text) == (state.name, text)]
            assert drawn or any(line.startswith(text) for line in lines)
            assert all(arrow.target == transition.target for arrow in drawn) or len(drawn) > 1


@EACH
def test_mermaid_tells_all_of_it(chart: Chart) -> None:
    text = mermaid.write(chart)
    plainly = re.sub(r"#(\d+);", lambda code: chr(int(code[1])), text)
    assert text.startswith(f"---\ntitle: {chart.name}\n---\nstateDiagram-v2\n")
    assert text.count("{\n") == text.count("}\n")
    for told in texts_of(chart):
        assert told in plainly
    for arrow in sketch.arrows(chart):
        assert f"  {arrow.source} --> {arrow.target} : {arrow.text}\n" in plainly
    for line in text.splitlines()[4:]:
        if not line.strip().startswith("%%"):
            label = line.partition(" : ")[2]
            assert not set(re.sub(r"#\d+;", "", label)) & set(';:"<>{}#')


@EACH
def test_plantuml_tells_all_of_it(chart: Chart) -> None:
    text = plantuml.write(chart)
    assert text.startswith(f"@startuml {chart.name}\n")
    assert text.endswith("@enduml\n")
    assert text.count("{\n") == text.count("}\n")
    for told in texts_of(chart):
        assert told in text.replace("~", "")


def test_a_way_between_a_state_and_its_inside_is_a_line() -> None:
    chart = one(
        "{A: {initial: B, on: {x.in: B, x.self: A, x.out: C}, states: {B: {on: {x.up: A, x.own: B}}}}, C: {type: final}}",
        "on: {x.all: C}",
    )
    assert [(arrow.source, arrow.target) for arrow in sketch.arrows(chart)] == [
        ("A", "A"),
        ("A", "C"),
        ("B", "B"),
    ]
    assert list(sketch.lines(chart, "A")) == ["x.in → B"]
    assert list(sketch.lines(chart, "B")) == ["x.up → A"]
    assert list(sketch.of_chart(chart)) == ["in every state: x.all → C"]
    assert "  C --> [*]" in mermaid.write(chart)
    assert "C --> [*]" in plantuml.write(chart)


def test_plantuml_takes_no_text_for_a_format() -> None:
    text = plantuml.write(one("{A: {description: 'a ~ **b** //c// __d__ --e-- <f> \\n'}}"))
    assert r"A : a ~~ ~*~*b~*~* ~/~/c~/~/ ~_~_d~_~_ ~-~-e~-~- ~<f> ~\n" in text


# -- the command ---------------------------------------------------------------------------------------


def test_a_chart_goes_to_the_screen_and_what_is_lost_to_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answering = "chart: a\nscope: station\ninitial: A\non: {ocpp.*: {reply: {error: NotSupported}}}\nstates: {A: {}}\n"
    plainly = "chart: c\nscope: station\ninitial: A\nstates: {A: {}}\n"
    folder = write_set(tmp_path, {"a": answering, "c": plainly})
    assert run_command(["convert", "--to", "scxml", str(folder), "--chart", "c"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("<?xml")
    assert printed.err == ""
    assert run_command(["convert", "--to", "xstate", str(SHIPPED), "--chart", "metering"]) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["id"] == "metering"
    assert ": warning: XState: there is no `every`: 1m; kept under `meta` [not-carried]\n" in printed.err


@pytest.mark.parametrize(("form", "ending"), exchange.ENDINGS.items())
def test_a_folder_gets_a_file_per_chart(
    form: str, ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run_command(["convert", "--to", form, str(SHIPPED), "--out", str(tmp_path / "out")])
    assert code == (1 if form in ("xstate", "scxml") else 0)
    charts = sorted(path.stem for path in SHIPPED.glob("*.yaml") if path.stem != "index")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{name}.{ending}" for name in charts
    ]
    assert len(capsys.readouterr().out.splitlines()) == len(charts)


def test_a_chart_of_another_tool_is_printed_and_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_command(["convert", "--to", "scxml", str(SHIPPED), "--chart", "delivery"])
    file = tmp_path / "delivery.scxml"
    file.write_text(capsys.readouterr().out)
    assert run_command(["convert", "--from", "scxml", str(file)]) == 0
    text = capsys.readouterr().out
    assert plain.whole(read(text, "delivery")).keys() >= {"chart", "scope", "initial", "states"}
    folder = write_set(tmp_path / "set", {"delivery": text.replace("queue.send", "queue.sned")})
    assert run_command(["check", str(folder)]) == 1
    assert "no action 'queue.sned' — did you mean 'queue.send'?" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "dot", str(SHIPPED)], "several charts: name one with --chart, or a folder with --out"),
        (["--to", "dot", str(SHIPPED), "--chart", "lokc"], "no chart 'lokc' in"),
        (["--to", "dot", str(SHIPPED), "--out", str(SHIPPED / "lock.yaml" / "x")], "Not a directory"),
        (["--from", "scxml"], "--from takes a file"),
        (["--from", "scxml", "x", "--chart", "y"], "--from takes a file"),
        (["--from", "scxml", "nowhere.scxml"], "nowhere.scxml:1:1: error: cannot be read"),
    ],
)
def test_wrong_usage(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["convert", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_set_of_one_chart_needs_no_name(capsys: pytest.CaptureFixture[str]) -> None:
    folder = HERE / "ok" / "smallest"
    (chart,) = read_set(folder, "charts")[0].charts.values()
    assert run_command(["convert", "--to", "plantuml", str(folder)]) == 0
    assert capsys.readouterr().out == plantuml.write(chart)


def test_charts_with_mistakes_are_not_converted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shipped_copy(tmp_path, ("link.yaml", "initial: Down", "initial: Dwn"))
    assert run_command(["convert", "--to", "scxml", str(folder), "--chart", "link"]) == 1
    assert "[unknown-target]" in capsys.readouterr().out
