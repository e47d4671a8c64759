"""Whether conditions may hold together: what the search says, and that it says what trying everything says."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from chart_kit import read_charts
from hypothesis import given, settings
from hypothesis import strategies as st

from charger.statechart import logic as module
from charger.statechart import model
from charger.statechart.evaluate import MINUTE_OF_DAY, Evaluator, Scene
from charger.statechart.event import Event
from charger.statechart.expressions import parse_guard
from charger.statechart.findings import Mark
from charger.statechart.logic import Logic, Variable, Where, points
from charger.statechart.words import EventWord, FactWord, Field, KeyWord, Scope, Vocabulary

AT = Mark("x.yaml", 1, 1)


def _fact(name: str, kind: Any = "bool", words: tuple[str, ...] = ()) -> FactWord:
    return FactWord(name, "", lambda world, _here, _event: world.get(name), kind, words=frozenset(words))


VOCABULARY = Vocabulary(
    facts={
        word.name: word
        for word in (
            *(_fact("is.a"), _fact("is.b"), _fact("amps.now", "number"), _fact("amps.most", "number")),
            *(
                _fact("why", "word", ("Local", "Remote")),
                _fact("tag.id", "text"),
                _fact("place", "connector"),
            ),
            _fact(MINUTE_OF_DAY, "number"),
        )
    },
    keys={"Many": KeyWord("Many", "", "number", low=0), "Free": KeyWord("Free", "", "bool")},
    read_key=lambda world, name: world.get(name),
    events={
        "car.came": EventWord("car.came", "", Scope.CONNECTOR, effects="is.a, any is.b"),
        "ocpp.Reset": EventWord(
            "ocpp.Reset", "", fields={"type": Field("word", frozenset({"Hard", "Soft"}))}
        ),
        "card.shown": EventWord("card.shown", "", fields={"tag": Field("text"), "at": Field(required=False)}),
    },
)
CHARTS = {
    "socket": """\
        chart: socket
        scope: connector
        initial: Free
        guards: {busy: in(Taken) or is.b}
        states:
          Free: {tags: [empty]}
          Taken: {initial: Plugged, states: {Plugged: {tags: [empty]}, Locked: {}}}
        """,
    "station": """\
        chart: station
        scope: station
        initial: Idle
        guards: {}
        states: {Idle: {}, Asking: {}}
        """,
}


@pytest.fixture
def logic(tmp_path: Path) -> Logic:
    charts = read_charts(tmp_path, CHARTS, "guards: {online: is.a and Free}\n")
    return Logic(charts, VOCABULARY)


def where(logic: Logic, chart: str | None = "socket", leaves: tuple[str, ...] = (), on: str = "") -> Where:
    trigger = model.Transition(AT, "on", on, AT, "") if on else None
    return Where(logic.charts.charts[chart] if chart else None, leaves, trigger)


def may_hold(logic: Logic, text: str, place: Where) -> bool:
    return logic.find(place, [(parse_guard(text, AT), True)]) is not None


NEVER = [
    "is.a and not is.a",
    "not (is.a or not is.a)",
    "amps.now < 6 and amps.now > 32",
    "amps.now >= 6 and 6 > amps.now",
    "amps.now > 6 and amps.now <= 6",
    "amps.now < amps.most and amps.most < amps.now",
    "amps.now < amps.most and amps.most < 6 and amps.now > 6",
    "why == Local and why == Remote",
    "why != Local and why != Remote and why != none",
    "why == 'locall'",
    "tag.id == 'a' and tag.id == 'B'",
    "Many < 0",
    "Many > 3 and Many < 4",
    "Many > 3 and Many < 3",
    "tries(Locked) < 0",
    "here == 0",
    "in(Free) and in(Taken)",
    "in(empty) and in(Locked)",
    "in(socket.Plugged) and not in(socket.Taken)",
    "in(Locked, event.connector) and event.connector == none",
    "in(Free, place) and in(Taken, place)",
    "one(empty) and not any(empty)",
    "all(Locked) and any(Free)",
    "any(socket.Plugged) and not any(empty)",
    "all(Plugged) and not all(Taken)",
    "in(Free, place) and not any(Free)",
    "clock.between(06:00, 08:00) and clock.between(20:00, 22:00)",
    "clock.between(22:00, 06:00) and clock.minute_of_day == 720",
    "in(station.Idle) and in(station.Asking)",
    "online and not Free",
    "busy and not is.b and in(Free)",
    "first(empty) == 0",
    "event.x == 'a' and event.x == 'b'",
    "event.x == 1 and event.x == 'b'",
    "event.x == true and event.x == 1.5",
    "amps.now > 'six'",
    "false",
]


@pytest.mark.parametrize("text", NEVER)
def test_what_excludes_each_other_never_holds(logic: Logic, text: str) -> None:
    assert not may_hold(logic, text, where(logic))


@pytest.mark.parametrize(
    "text",
    [
        "is.a and is.b",
        "amps.now > 6 and amps.now < 6.5",
        "amps.now < amps.most and amps.most < 6",
        "why == none",
        "why == local",
        "tag.id == 'a' and tag.id == 'A'",
        "tag.id != 'a' and tag.id != event.tag and event.tag != 'a'",
        "Many > 3 and Many < 5",
        "here == 7 and place != here",
        "in(Free) and in(Taken, place)",
        "in(empty) and in(Taken)",
        "any(Free) and any(Locked) and not one(Free)",
        "one(Free) and all(Free)",
        "clock.between(22:00, 06:00) and clock.between(05:00, 07:00)",
        "not in(Free, place) and not in(Taken, place)",
        "first(empty) == none",
        "event.x != none and event.x != 'a' and event.x != 1",
        "busy and in(Free)",
        "in(Free) == true and 1 == 1",
        "is.a == in(Free)",
        "tries(Locked) >= 3",
    ],
)
def test_what_does_not_may_hold(logic: Logic, text: str) -> None:
    assert may_hold(logic, text, where(logic))


@pytest.mark.parametrize(
    ("text", "place", "answer"),
    [
        ("in(Free)", {"leaves": ("Plugged", "Locked")}, False),
        ("in(empty)", {"leaves": ("Plugged", "Locked")}, True),
        ("not is.a", {"on": "car.came"}, False),
        ("not is.b", {"on": "car.came"}, True),
        ("event.connector == none", {"on": "car.came"}, False),
        ("event.connector == none", {"on": "card.shown"}, True),
        ("event.type != Hard and event.type != Soft", {"on": "ocpp.Reset"}, False),
        ("event.tag == none", {"on": "card.shown"}, False),
        ("event.at == none", {"on": "card.shown"}, True),
        ("here != 0", {"chart": "station"}, False),
        ("here == 0", {"chart": None}, True),
        ("one(socket.Free) and not any(socket.Free)", {"chart": None}, False),
    ],
)
def test_where_a_guard_is_asked_matters(logic: Logic, text: str, place: dict[str, Any], answer: bool) -> None:
    assert may_hold(logic, text, where(logic, **place)) is answer


@pytest.mark.parametrize(
    ("guard", "says"),
    [
        ("is.a or not is.b", "not is.a and is.b"),
        ("event.type == Soft", "event.type == Hard"),
        ("in(station.Idle)", "not in(station.Idle)"),
        ("not in(station.Idle)", "in(station.Idle)"),
        ("in(Free, place) or place == none", "not in(Free, place) and place == 0"),
        ("event.tag == 'a' or event.tag == none", "event.tag is something else"),
        ("tries(Locked) < 3", "tries(Locked) == 3"),
        ("first(empty) == none or first(empty) > 1", "first(empty) == 1"),
        ("any(empty) or here > 0", "not any(empty)"),
    ],
)
def test_a_situation_is_told_as_a_guard_would_ask_for_it(logic: Logic, guard: str, says: str) -> None:
    trigger = "ocpp.Reset" if "type" in guard else ""
    transition = model.Transition(AT, "on", "", AT, "", parse_guard(guard, AT))
    chart = "station" if "here" in guard else "socket"
    assert logic.situation(where(logic, chart, on=trigger), [transition]) == says


def test_a_search_without_end_is_given_up(logic: Logic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_LOOKS", 2)
    assert may_hold(logic, "is.a and is.b and amps.now > 3 and amps.now < 2", where(logic))


def test_points_lie_around_and_between() -> None:
    assert points([], 1) == [0, 1]
    assert points([6], 1) == [5, 6, 7]
    assert points([1, 2], 1, whole=True) == [0, 1, 2, 3]
    assert points([0], 1, 0, whole=True) == [0, 1]
    assert points([0, 3], 2) == [-2, -1, 0, 1, 2, 3, 4, 5]


# -- against trying everything -------------------------------------------------------------------------

NUMBERS = (-1.0, 0.0, 1.0, 1.2, 1.3, 1.5, 1.7, 1.8, 2.0, 3.0, 4.0)
"""Two in every gap between the numbers that `ATOMS` name, so that two facts may lie there in either order."""
WORLD: dict[str, tuple[Any, ...]] = {
    **{"is.a": (False, True), "is.b": (False, True), "Free": (False, True)},
    **{"amps.now": NUMBERS, "amps.most": NUMBERS, "why": (None, "Local", "Remote")},
}
ATOMS = st.sampled_from(
    [
        *("is.a", "is.b", "Free", "why == Local", "why != Remote", "why == none", "true", "in(station.Idle)"),
        *("amps.now < 1", "amps.now >= 2", "amps.now == 1.5", "amps.now < amps.most", "amps.most == 2"),
        *("amps.now == amps.most", "amps.most > amps.now", "is.a == is.b", "not in(station.Asking)"),
    ]
)
GUARDS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        inner.map(lambda text: f"not ({text})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda parts: f"({' '.join(parts)})"),
    ),
    max_leaves=6,
)
_SET: list[Logic] = []


@settings(max_examples=300, deadline=None)
@given(GUARDS)
def test_the_search_says_what_trying_everything_says(tmp_path_factory: Any, text: str) -> None:
    if not _SET:
        charts = read_charts(tmp_path_factory.mktemp("logic"), CHARTS, "guards: {online: is.a and Free}\n")
        _SET.append(Logic(charts, VOCABULARY))
    logic, guard = _SET[0], parse_guard(text, AT)
    used = {part.name for part in model.parts(guard) if isinstance(part, model.Name | model.Capital)}
    names = sorted(used & set(WORLD))
    ask = Evaluator(logic.charts, VOCABULARY).expression(guard, logic.charts.charts["socket"])
    truths = {
        bool(ask(Scene(dict(zip(names, values, strict=True)), leaves, 1, Event("x"), {})))
        for values in itertools.product(*(WORLD[name] for name in names))
        for leaves in ({"socket": ["", "Free"], "station": [leaf, ""]} for leaf in ("Idle", "Asking"))
    }
    for truth in (True, False):
        found = logic.find(where(logic), [(guard, truth)])
        assert (found is not None) is (truth in truths), (text, truth, found)
    assert all(isinstance(one, Variable) for one in logic.find(where(logic), [(guard, truths.pop())]) or {})
