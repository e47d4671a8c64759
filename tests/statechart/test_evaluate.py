"""Guards as closures: what they see of facts, keys, the event at hand and the states of other charts."""

from typing import Any

import pytest
from chart_kit import HERE, read_charts

from charger.statechart import model
from charger.statechart.evaluate import MINUTE_OF_DAY, Evaluator, Scene
from charger.statechart.event import Event
from charger.statechart.expressions import parse_guard
from charger.statechart.model import ChartSet
from charger.statechart.words import FactWord, KeyWord, Vocabulary

WORLD: dict[str, Any] = {
    "cable.present": True,
    "fault.present": False,
    "offer.amps": 16,
    "session.reason": "DeAuthorized",
    "nothing.here": None,
    MINUTE_OF_DAY: 0,
    "HeartbeatInterval": 300,
    "LocalPreAuthorize": True,
}
VOCABULARY = Vocabulary(
    facts={
        **{
            name: FactWord(name, "", lambda world, _here, _event, name=name: world[name])
            for name in WORLD
            if "." in name
        },
        "which.connector": FactWord("which.connector", "", lambda _world, here, _event: here),
        "card.tag": FactWord("card.tag", "", lambda _world, _here, event: event.fields.get("tag")),
    },
    keys={name: KeyWord(name, "", "number") for name in WORLD if "." not in name},
    read_key=lambda world, name: world[name],
)
SCOPES = {"link": "station", "socket": "connector", "lamp": "connector", "both": "[station, connector]"}
STATES = """
chart: {name}
scope: {scope}
initial: Off_
guards: {{named: cable.present, offline: fault.present}}
states:
  Off_:
  Group:
    tags: [busy]
    initial: One
    states:
      One:
      Two: {{tags: [{name}_only]}}
"""


@pytest.fixture(scope="module")
def charts(tmp_path_factory: pytest.TempPathFactory) -> ChartSet:
    texts = {
        name: STATES.format(name=name, scope=scope).replace("Off_", "Idle") for name, scope in SCOPES.items()
    }
    guards = "guards: {shared: not cable.present, named: fault.present}"
    return read_charts(tmp_path_factory.mktemp("charts"), texts, guards)


def leaves(**given: list[str]) -> dict[str, list[str]]:
    """The leaf of every instance, station first; Idle where nothing is given. Three connectors."""
    return {name: given.get(name, ["Idle"] * 4) for name in SCOPES}


def ask(charts: ChartSet, text: str, chart: str | None = "socket", **scene: Any) -> Any:
    world = WORLD | scene.pop("world", {})
    fields = {"leaves": leaves(), "here": 1, "event": Event("x"), "tries": {}} | scene
    evaluator = Evaluator(charts, VOCABULARY)
    closure = evaluator.expression(parse_guard(text, HERE), charts.charts[chart] if chart else None)
    return closure(Scene(world, **fields))


# -- logic and comparisons -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("cable.present", True),
        ("not cable.present", False),
        ("cable.present and fault.present", False),
        ("cable.present or fault.present", True),
        ("cable.present and not fault.present", True),
        ("fault.present or fault.present or cable.present", True),
        ("true", True),
        ("offer.amps >= 6", True),
        ("offer.amps < 16", False),
        ("offer.amps <= 16", True),
        ("offer.amps > 6.5", True),
        ("offer.amps != 16", False),
        ("offer.amps < HeartbeatInterval", True),
        ("LocalPreAuthorize", True),
        ("session.reason == DeAuthorized", True),
        ("session.reason == Local", False),
        ("'deauthorized' == session.reason", True),
        ("nothing.here == none", True),
        ("nothing.here != none", False),
        ("which.connector == here", True),
    ],
)
def test_a_guard_is_true_or_false(charts: ChartSet, text: str, value: bool) -> None:
    assert ask(charts, text) is value


def test_text_compares_without_regard_to_case_as_ocpp_does(charts: ChartSet) -> None:
    event = Event("card.presented", fields={"tag": "AbC"})
    assert ask(charts, "event.tag == 'aBc'", event=event)
    assert not ask(charts, "event.tag != 'aBc'", event=event)
    assert ask(charts, "event.tag < 'abd'", event=event)


@pytest.mark.parametrize("operator", ["<", "<=", ">", ">="])
def test_what_is_not_there_is_neither_less_nor_more(charts: ChartSet, operator: str) -> None:
    assert not ask(charts, f"nothing.here {operator} 3")
    assert not ask(charts, f"3 {operator} nothing.here")


def test_later_parts_are_not_asked_when_the_answer_is_known(charts: ChartSet) -> None:
    assert not ask(charts, "fault.present and event.text > 3", event=Event("x", fields={"text": "three"}))


# -- the event at hand ---------------------------------------------------------------------------------


def test_fields_of_the_event_are_read_and_missing_ones_are_none(charts: ChartSet) -> None:
    event = Event("ocpp.Reset", fields={"type": "Soft"})
    assert ask(charts, "event.type == Soft", event=event)
    assert ask(charts, "event.other == none", event=event)


def test_a_fact_may_look_at_the_event(charts: ChartSet) -> None:
    assert ask(charts, "card.tag == 'T'", event=Event("card.presented", fields={"tag": "T"}))


def test_the_connector_of_an_event_is_a_field_of_its_own_unless_the_event_names_one(
    charts: ChartSet,
) -> None:
    assert ask(charts, "event.connector == 2", event=Event("cable.plugged", 2))
    assert ask(charts, "event.connector == 1", event=Event("raised", 2, {"connector": 1}))
    assert ask(charts, "event.connector == none", event=Event("card.presented"))


def test_a_small_word_beside_a_field_is_a_word(charts: ChartSet) -> None:
    assert ask(charts, "event.cause == timeout", event=Event("x", fields={"cause": "timeout"}))


# -- named guards --------------------------------------------------------------------------------------


def test_a_named_guard_of_the_chart_comes_before_one_of_the_index(charts: ChartSet) -> None:
    assert ask(charts, "named")
    assert not ask(charts, "named", chart=None)
    assert not ask(charts, "shared")


# -- states and tags -----------------------------------------------------------------------------------


def test_in_asks_for_a_state_of_a_chart_and_of_the_states_around_it(charts: ChartSet) -> None:
    scene = {"leaves": leaves(link=["Two"])}
    assert ask(charts, "in(link.Two)", **scene)
    assert ask(charts, "in(link.Group)", **scene)
    assert not ask(charts, "in(link.One)", **scene)


def test_a_state_without_a_chart_is_of_the_asking_one(charts: ChartSet) -> None:
    scene = {"leaves": leaves(socket=["", "One", "Idle", "Idle"])}
    assert ask(charts, "in(One)", chart="socket", **scene)
    assert not ask(charts, "in(One)", chart="lamp", **scene)


def test_in_asks_the_same_connector_and_the_station(charts: ChartSet) -> None:
    second = leaves(socket=["", "Idle", "One", "Idle"])
    assert not ask(charts, "in(busy)", here=1, leaves=second)
    assert ask(charts, "in(busy)", here=2, leaves=second)
    assert ask(charts, "in(busy)", here=1, leaves=leaves(link=["One"]))


def test_asked_for_the_station_in_does_not_see_the_connectors(charts: ChartSet) -> None:
    assert not ask(charts, "in(busy)", here=0, leaves=leaves(socket=["", "One", "One", "One"]))
    assert ask(charts, "in(busy)", here=0, leaves=leaves(both=["One", "Idle", "Idle", "Idle"]))
    assert not ask(charts, "in(busy)", here=0, leaves=leaves(both=["Idle", "One", "One", "One"]))


@pytest.mark.parametrize(
    ("connectors", "some", "every", "just_one", "first"),
    [
        (["Idle", "Idle", "Idle"], False, False, False, None),
        (["Idle", "One", "Idle"], True, False, True, 2),
        (["Idle", "One", "Two"], True, False, False, 2),
        (["One", "One", "Two"], True, True, False, 1),
    ],
)
def test_a_station_chart_asks_about_all_connectors(
    charts: ChartSet, connectors: list[str], some: bool, every: bool, just_one: bool, first: int | None
) -> None:
    scene = {"here": 0, "leaves": leaves(socket=["", *connectors])}
    assert ask(charts, "any(socket.Group)", **scene) is some
    assert ask(charts, "all(socket.Group)", **scene) is every
    assert ask(charts, "one(socket.Group)", **scene) is just_one
    assert ask(charts, "first(socket.Group)", **scene) == first


def test_a_tag_may_be_given_by_several_charts(charts: ChartSet) -> None:
    scene = {
        "here": 0,
        "leaves": leaves(socket=["", "One", "Idle", "Idle"], lamp=["", "Idle", "Two", "Idle"]),
    }
    assert ask(charts, "any(busy)", **scene)
    assert not ask(charts, "one(busy)", **scene)
    assert not ask(charts, "all(busy)", **scene)
    assert ask(charts, "first(lamp_only)", **scene) == 2


def test_a_reference_to_nothing_has_no_place(charts: ChartSet) -> None:
    evaluator = Evaluator(charts, VOCABULARY)
    assert evaluator.places("socket.Nowhere", None) == []
    assert evaluator.places("no_tag", charts.charts["socket"]) == []


# -- counting and the clock ----------------------------------------------------------------------------


def test_tries_are_those_of_the_asking_instance(charts: ChartSet) -> None:
    assert ask(charts, "tries(One) >= 3", tries={"One": 3})
    assert not ask(charts, "tries(One) >= 3", tries={})


@pytest.mark.parametrize(
    ("text", "minute", "within"),
    [
        ("clock.between(06:00, 22:00)", 6 * 60 - 1, False),
        ("clock.between(06:00, 22:00)", 6 * 60, True),
        ("clock.between(06:00, 22:00)", 22 * 60 - 1, True),
        ("clock.between(06:00, 22:00)", 22 * 60, False),
        ("clock.between(22:00, 06:00)", 22 * 60, True),
        ("clock.between(22:00, 06:00)", 0, True),
        ("clock.between(22:00, 06:00)", 6 * 60 - 1, True),
        ("clock.between(22:00, 06:00)", 6 * 60, False),
        ("clock.between(22:00, 06:00)", 22 * 60 - 1, False),
    ],
)
def test_between_includes_its_start_and_may_go_over_midnight(
    charts: ChartSet, text: str, minute: int, within: bool
) -> None:
    assert ask(charts, text, world={MINUTE_OF_DAY: minute}) is within


# -- values --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (model.Const(HERE, "Local"), "Local"),
        (model.Here(HERE), 2),
        (model.EventField(HERE, "tag"), "T"),
        (model.Name(HERE, "offer.amps"), 16),
        (model.Capital(HERE, "HeartbeatInterval"), 300),
        (model.Capital(HERE, "Soft"), "Soft"),
        (model.Tries(HERE, "One"), 4),
        (model.In(HERE, "first", "socket.One"), 3),
    ],
)
def test_values_of_arguments_are_asked_like_guards(
    charts: ChartSet, value: model.Value, expected: object
) -> None:
    scene = Scene(
        WORLD, leaves(socket=["", "Idle", "Idle", "One"]), 2, Event("x", fields={"tag": "T"}), {"One": 4}
    )
    assert Evaluator(charts, VOCABULARY).value(value, charts.charts["socket"])(scene) == expected
