"""Loops of `always`: the search says what trying out every answer of every condition says."""

import itertools
from pathlib import Path
from typing import Any

import pytest
from chart_kit import read_charts
from hypothesis import given, settings
from hypothesis import strategies as st

from charger.statechart import checks_guards, model
from charger.statechart.evaluate import Evaluator, Scene
from charger.statechart.event import Event
from charger.statechart.expressions import parse_guard
from charger.statechart.findings import Mark
from charger.statechart.model import Chart, ChartSet, State, Transition
from charger.statechart.words import FactWord, Vocabulary

AT = Mark("random.yaml", 1, 1)
FACTS = ("is.a", "is.b", "is.c")
VOCABULARY = Vocabulary(
    facts={name: FactWord(name, "", lambda world, _here, _event, name=name: world[name]) for name in FACTS}
)
LEAVES = "ABCD"
GUARDS = st.recursive(
    st.sampled_from([*FACTS, "shared", "true", "false", "in(A)", "in(random.P)", "not in(B)"]),
    lambda inner: st.one_of(
        inner.map(lambda text: f"not ({text})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda parts: f"({' '.join(parts)})"),
    ),
    max_leaves=4,
)


def chart_of(edges: list[tuple[str, str | None, str]]) -> ChartSet:
    """A(B) and P(C, D), with `always` transitions (source, guard, target)."""
    written: dict[str, list[Transition]] = {}
    for line, (source, guard, target) in enumerate(edges, 2):
        mark = Mark("random.yaml", line, 1)
        expr = parse_guard(guard, mark) if guard else None
        transition = Transition(mark, "always", "", mark, source, expr, target, guard_text=guard or "")
        written.setdefault(source, []).append(transition)
    parents = {"A": None, "B": None, "P": None, "C": "P", "D": "P"}
    states = {
        "": State(AT, "", None, initial="A", children=("A", "B", "P"), transitions=tuple(written.get("", ())))
    }
    for name, parent in parents.items():
        children = ("C", "D") if name == "P" else ()
        inside = tuple(written.get(name, ()))
        states[name] = State(
            AT, name, parent, initial="C" if children else None, children=children, transitions=inside
        )
    chart = Chart(AT, "random", ("station",), "", states, {"shared": parse_guard("is.a and is.b", AT)})
    return ChartSet(AT, "", {"random": chart})


def goes_round(charts: ChartSet) -> bool:
    """Try everything: are there answers of the facts, and a state, from where `always` does not rest?"""
    chart = charts.charts["random"]
    evaluator = Evaluator(charts, VOCABULARY)
    asks = {id(t): evaluator.expression(t.guard, chart) for t in chart.transitions() if t.guard is not None}
    for values in itertools.product((True, False), repeat=len(FACTS)):
        world = dict(zip(FACTS, values, strict=True))
        for leaf in chart.leaves:
            for _ in range(len(chart.leaves) + 1):
                scene = Scene(world, {"random": [leaf]}, 0, Event("x"), {})
                taken = (
                    transition
                    for transition in chart.candidates(leaf, "always")
                    if transition.guard is None or asks[id(transition)](scene)
                )
                target = next((transition.target for transition in taken), None)
                if target is None:
                    break
                leaf = chart.initial_leaf(target)  # noqa: PLW2901
            else:
                return True
    return False


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "P", *LEAVES]), st.one_of(st.none(), GUARDS), st.sampled_from(["P", *LEAVES])
        ),
        max_size=7,
    )
)
def test_a_loop_is_found_if_and_only_if_there_is_one(edges: list[tuple[str, str | None, str]]) -> None:
    charts = chart_of(edges)
    assert bool(list(checks_guards.loops(charts, VOCABULARY))) == goes_round(charts)


HEAD = """\
chart: a
scope: station
initial: A
guards: {by_day: "clock.between(06:00, 22:00)"}
states: """


def loops_in(folder: Path, states: str) -> list[str]:
    charts = read_charts(folder, {"a": HEAD + states})
    return [finding.message for finding in checks_guards.loops(charts, Vocabulary())]


def test_the_loop_is_told_from_state_to_state(tmp_path: Path) -> None:
    assert loops_in(tmp_path, "{A: {always: B}, B: {always: {guard: is.x, target: C}}, C: {always: A}}") == [
        "`always` goes round without an event: A → B → C → A"
    ]


@pytest.mark.parametrize(
    "states",
    [
        "{A: {always: {guard: is.x, target: B}}, B: {always: {guard: not is.x, target: A}}}",
        "{A: {always: {guard: x.y >= 6, target: B}}, B: {always: {guard: not x.y >= 6, target: A}}}",
        "{A: {always: {guard: in(b.On_), target: B}}, B: {always: {guard: not in(b.On_), target: A}}}",
        "{A: {always: {guard: tries(A) > 2, target: B}}, B: {always: {guard: not tries(A) > 2, target: A}}}",
        "{A: {always: {guard: by_day, target: B}}, B: {always: {guard: not by_day, target: A}}}",
        "{A: {always: {guard: here == 1, target: B}}, B: {always: {guard: not here == 1, target: A}}}",
        "{A: {always: {guard: event.x == 1, target: B}}, B: {always: {guard: not event.x == 1, target: A}}}",
        "{A: {always: {guard: Key, target: B}}, B: {always: {guard: not Key, target: A}}}",
    ],
)
def test_conditions_that_exclude_each_other_make_no_loop(tmp_path: Path, states: str) -> None:
    assert loops_in(tmp_path, states.replace("On_", "On1")) == []


def test_the_number_of_conditions_does_not_matter(tmp_path: Path) -> None:
    """The connector chart has 14 and more; trying out all answers of 40 would never end."""
    many = " and ".join(f"is.c{number}" for number in range(20))
    more = " and ".join(f"is.d{number}" for number in range(20))
    states = "{A: {always: {guard: %s, target: B}}, B: {always: {guard: %s, target: A}}}"
    assert loops_in(tmp_path / "1", states % (many, more)) == [
        "`always` goes round without an event: A → B → A"
    ]
    assert loops_in(tmp_path / "2", states % (many, f"{more} and not is.c7")) == []


def test_a_search_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks_guards, "MOST_LOOKS", 3)
    guard = " and ".join(f"is.c{number}" for number in range(10))
    assert loops_in(tmp_path, f"{{A: {{always: {{guard: {guard}, target: B}}}}, B: {{always: A}}}}") == []


def test_a_transition_to_nowhere_is_not_followed() -> None:
    charts = chart_of([("A", None, "B"), ("B", None, "A")])
    chart = charts.charts["random"]
    broken: Any = {
        **chart.states,
        "B": State(AT, "B", transitions=(Transition(AT, "always", "", AT, "B", target="X"),)),
    }
    charts = ChartSet(AT, "", {"random": Chart(AT, "random", ("station",), "", broken)})
    assert list(checks_guards.loops(charts, VOCABULARY)) == []
    assert isinstance(chart, model.Chart)
