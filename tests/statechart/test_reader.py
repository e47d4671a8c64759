"""From YAML to the model: every key of the language arrives where it belongs, with its place."""

from pathlib import Path
from typing import Any

import pytest
from chart_kit import SHIPPED, read_charts

from charger.statechart import model, reader
from charger.statechart.model import Chart, ChartSet, Transition

INDEX = """\
description: Everything   the language has.
guards:
  open_day: clock.between(06:00, 22:00)
settings: {FreeVending: true, Limit: 32, Name: "007", Share: 0.5}
inputs: {door: {scope: connector, description: cabinet door}, key_switch: }
outputs:
  fan: {description: cabinet fan}
invariants:
  - description: Never both.
    never: in(a.Left) and in(a.Right)
  - {whenever: "door.open, door.shut", then: open_day}
"""
CHART = """\
chart: a
scope: [station, connector]
description: >
  Two lines
  of text.
initial: Outer
guards:
  quiet: [not loud, x.y or x.z, "true"]
  loud: x.loud
on:
  ocpp.Reset: {reply: Rejected}
  ocpp.GetConfiguration: {reply: {configuration.read: {key: event.key}}}
  ocpp.*: {reply: {error: NotSupported}}
always: {guard: loud, target: Left, description: Away.}
after: {10s: Left}
every: {Key * x.count: {actions: [beep]}}
at: {"22:00": Left}
states:
  Outer:
    description: Around.
    status: Available
    tags: [free, easy]
    initial: Inner
    entry: [lamp.on, lamp.show: {look: red, "no": 2}]
    exit: [raise: a.bell, raise: {a.told: {tag: event.tag, connector: here}}]
    states:
      Inner:
        tags: [deep]
        on:
          cable.plugged: Left
          ocpp.Reset:
            - {guard: event.type == Soft, target: Right, reply: later}
            - {guard: [quiet, open_day], reply: Accepted, actions: [stop]}
            - {target: Left, reply: Rejected}
      Other:
  Left:
    type: final
  Right:
    after:
      "backoff(1s, 2s, 0s)": {target: Left, reply: {ocpp.Reset: Accepted}}
      x.wait: {target: Left, reply: {ocpp.Reset: {error: InternalError}}}
invariants:
  - home: Outer
  - never: [quiet, loud]
  - {whenever: [lamp.on, lamp.off], then: quiet}
"""


@pytest.fixture(scope="module")
def chart_set(tmp_path_factory: pytest.TempPathFactory) -> ChartSet:
    return read_charts(tmp_path_factory.mktemp("set"), {"a": CHART}, INDEX)


@pytest.fixture(scope="module")
def chart(chart_set: ChartSet) -> Chart:
    return chart_set.charts["a"]


def only(state: model.State, key: str) -> list[Transition]:
    return [transition for transition in state.transitions if transition.key == key]


# -- index ---------------------------------------------------------------------------------------------


def test_the_index_gives_what_the_whole_set_shares(chart_set: ChartSet) -> None:
    assert chart_set.description == "Everything the language has."
    assert list(chart_set.charts) == ["a"]
    assert chart_set.guard_texts == {"open_day": "clock.between(06:00, 22:00)"}
    assert chart_set.settings == {"FreeVending": True, "Limit": 32, "Name": "007", "Share": 0.5}
    assert chart_set.unread == frozenset()


def test_inputs_and_outputs_have_a_scope_and_a_description(chart_set: ChartSet) -> None:
    door, switch = chart_set.inputs["door"], chart_set.inputs["key_switch"]
    assert (door.scope, door.description) == ("connector", "cabinet door")
    assert (switch.scope, switch.description) == ("station", "")
    assert chart_set.outputs["fan"].description == "cabinet fan"


def test_invariants_keep_their_words(chart_set: ChartSet, chart: Chart) -> None:
    texts = [invariant.text for invariant in (*chart_set.invariants, *chart.invariants)]
    assert texts == [
        "never in(a.Left) and in(a.Right)",
        "whenever door.open, door.shut then open_day",
        "home Outer",
        "never quiet and loud",
        "whenever lamp.on, lamp.off then quiet",
    ]
    assert chart_set.invariants[0].description == "Never both."
    assert chart.invariants[0].home == "Outer"


def test_every_action_of_an_invariant_has_its_own_place(chart_set: ChartSet) -> None:
    places = [(name, mark.line, mark.column) for name, mark in chart_set.invariants[1].whenever]
    assert places == [("door.open", 13, 17), ("door.shut", 13, 28)]


def test_the_sources_are_kept_for_the_carets(chart_set: ChartSet) -> None:
    assert set(chart_set.sources) == {"charts/index.yaml", "charts/a.yaml"}
    assert chart_set.sources["charts/a.yaml"] == CHART


# -- chart ---------------------------------------------------------------------------------------------


def test_a_chart_has_scopes_and_a_one_line_description(chart: Chart) -> None:
    assert chart.scopes == ("station", "connector")
    assert chart.description == "Two lines of text."
    assert chart.mark.file == "charts/a.yaml"


def test_a_list_of_conditions_means_all_of_them(chart: Chart) -> None:
    assert chart.guard_texts["quiet"] == "not loud and (x.y or x.z) and true"
    assert isinstance(chart.guards["quiet"], model.And)
    assert isinstance(chart.guards["loud"], model.Name)


def test_states_come_in_the_order_of_the_file_with_the_root_first(chart: Chart) -> None:
    assert list(chart.states) == ["", "Outer", "Inner", "Other", "Left", "Right"]
    assert chart.root is chart.states[""]
    assert chart.leaves == ("Inner", "Other", "Left", "Right")


def test_a_state_has_what_is_written_in_it(chart: Chart) -> None:
    outer, inner = chart.states["Outer"], chart.states["Inner"]
    assert (outer.parent, outer.children, outer.initial) == (None, ("Inner", "Other"), "Inner")
    assert (outer.description, outer.status, outer.final) == ("Around.", "Available", False)
    assert (inner.parent, inner.children, inner.status) == ("Outer", (), None)
    assert chart.states["Left"].final
    assert chart.states["Other"] == model.State(chart.states["Other"].mark, "Other", "Outer")


def test_marks_point_at_names(chart: Chart) -> None:
    inner = chart.states["Inner"]
    assert (inner.mark.line, inner.mark.column, inner.mark.length) == (27, 7, 5)
    soft = only(inner, "on ocpp.Reset")[0]
    assert (soft.trigger_mark.line, soft.trigger_mark.column) == (31, 11)
    assert soft.target_mark is not None
    assert (soft.target_mark.line, soft.target_mark.column) == (32, 51)
    assert chart.states["Outer"].status_mark is not None


def test_children_have_the_tags_of_the_states_around_them(chart: Chart) -> None:
    assert chart.tags("Inner") == {"free", "easy", "deep"}
    assert chart.tags("Outer") == {"free", "easy"}
    assert chart.tags("Left") == set()


def test_a_path_leads_from_the_outermost_state_and_lineage_back_to_the_root(chart: Chart) -> None:
    assert chart.path("Inner") == ("Outer", "Inner")
    assert [state.name for state in chart.lineage("Inner")] == ["Inner", "Outer", ""]


def test_entering_a_compound_state_ends_in_its_initial_leaf(chart: Chart) -> None:
    assert chart.initial_leaf() == "Inner"
    assert chart.initial_leaf("Outer") == "Inner"
    assert chart.initial_leaf("Right") == "Right"


@pytest.mark.parametrize("wrong", ["Outer", "Nowhere", "Left"])
def test_a_wrong_initial_is_reported_elsewhere_and_leads_nobody_astray(chart: Chart, wrong: str) -> None:
    outer = model.State(chart.mark, "Outer", None, initial=wrong, children=("Inner", "Other"))
    astray = Chart(chart.mark, "a", ("station",), "", {**chart.states, "Outer": outer})
    assert astray.initial_leaf("Outer") == "Inner"


# -- transitions ---------------------------------------------------------------------------------------


def test_transitions_of_a_state_are_keyed_by_their_trigger(chart: Chart) -> None:
    keys = [transition.key for transition in chart.root.transitions]
    assert keys == [
        "on ocpp.Reset",
        "on ocpp.GetConfiguration",
        "on ocpp.*",
        "always",
        "after :10s",
        "every :Key * x.count",
        "at :22:00",
    ]
    assert [transition.key for transition in chart.states["Right"].transitions] == [
        "after Right:backoff(1s, 2s, 0s)",
        "after Right:x.wait",
    ]


def test_a_name_alone_is_a_target(chart: Chart) -> None:
    (plugged,) = only(chart.states["Inner"], "on cable.plugged")
    assert (plugged.target, plugged.guard, plugged.actions) == ("Left", None, ())


def test_a_list_competes_in_its_order(chart: Chart) -> None:
    soft, quiet, rest = only(chart.states["Inner"], "on ocpp.Reset")
    assert (soft.guard_text, soft.target) == ("event.type == Soft", "Right")
    assert (quiet.guard_text, quiet.target) == ("quiet and open_day", None)
    assert (rest.guard, rest.target) == (None, "Left")


def test_inner_states_compete_before_outer_ones(chart: Chart) -> None:
    competing = chart.candidates("Inner", "on ocpp.Reset")
    assert [(transition.source, transition.target) for transition in competing] == [
        ("Inner", "Right"),
        ("Inner", None),
        ("Inner", "Left"),
        ("", None),
    ]


def test_replies_have_their_kinds(chart: Chart) -> None:
    def reply(transition: Transition) -> Any:
        assert transition.reply is not None
        return (transition.reply.kind, transition.reply.name, transition.reply.pays)

    reset, read, wild = chart.root.transitions[:3]
    assert reply(reset) == ("status", "Rejected", None)
    assert reply(read) == ("answer", "configuration.read", None)
    assert read.reply is not None
    assert [name for name, _ in read.reply.arguments] == ["key"]
    assert reply(wild) == ("error", "NotSupported", None)
    assert reply(only(chart.states["Inner"], "on ocpp.Reset")[0]) == ("later", "", None)
    paid, failed = chart.states["Right"].transitions
    assert reply(paid) == ("status", "Accepted", "ocpp.Reset")
    assert reply(failed) == ("error", "InternalError", "ocpp.Reset")


def test_timers_have_their_delays(chart: Chart) -> None:
    delays = {transition.key: transition.delay for transition in chart.transitions() if transition.delay}
    assert delays == {
        "after :10s": model.Fixed(10),
        "every :Key * x.count": model.OfKey("Key", "x.count"),
        "at :22:00": model.DayTime(22 * 60),
        "after Right:backoff(1s, 2s, 0s)": model.Backoff(1, 2, 0),
        "after Right:x.wait": model.OfFact("x.wait"),
    }


def test_actions_have_arguments_and_signals_are_raised(chart: Chart, chart_set: ChartSet) -> None:
    uses = [(use.name, [name for name, _ in use.arguments], use.raises) for use in model.uses(chart)]
    assert uses == [
        ("beep", [], False),
        ("lamp.on", [], False),
        ("lamp.show", ["look", "no"], False),
        ("a.bell", [], True),
        ("a.told", ["tag", "connector"], True),
        ("stop", [], False),
    ]
    assert chart_set.signals() == {"a.bell": set(), "a.told": {"tag", "connector"}}


def test_all_guards_of_a_chart_can_be_walked(chart: Chart) -> None:
    assert len(list(model.guards_of(chart))) == 2 + 3 + 2  # named, of transitions, of invariants


# -- the shipped set -----------------------------------------------------------------------------------


def test_the_shipped_charts_are_read_without_a_word() -> None:
    chart_set, findings = reader.read_set(SHIPPED)
    assert findings == []
    assert list(chart_set.charts) == sorted(
        (path.stem for path in SHIPPED.glob("*.yaml") if path.stem != "index"),
        key=list(chart_set.charts).index,
    )


def test_findings_name_the_folder_as_it_was_given(tmp_path: Path) -> None:
    _, findings = reader.read_set(tmp_path)
    assert [(finding.mark.file, finding.rule) for finding in findings] == [
        (f"{tmp_path}/index.yaml", "unreadable-file")
    ]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("2", "language '2' is not known here: write `language: 1`"),
        ('"1"', "language '1' is a text: write `language: 1`"),
        ("[1]", "language of this kind is not known here: write `language: 1`"),
    ],
)
def test_another_language_is_refused(tmp_path: Path, written: str, told: str) -> None:
    (tmp_path / "index.yaml").write_text(f"language: {written}\ncharts: []\n")
    _, (finding,) = reader.read_set(tmp_path)
    assert (finding.rule, finding.message) == ("unknown-language", told)


@pytest.mark.parametrize("written", ["", "[]", '", "', "[[]]", "[{}]"])
def test_whenever_names_actions_in_a_flat_list(tmp_path: Path, written: str) -> None:
    text = f"language: 1\ncharts: []\ninvariants: [{{whenever: {written}, then: x.y}}]\n"
    (tmp_path / "index.yaml").write_text(text)
    _, (finding,) = reader.read_set(tmp_path)
    assert finding.rule == ("wrong-kind" if "[[" in written or "{" in written else "bad-invariant")
