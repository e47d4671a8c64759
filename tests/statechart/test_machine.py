"""One chart as a machine: its moves, and that what it remembers is what the library would decide anew.

Random charts are stepped with random answers of their guards, and every step is compared with two oracles: a
stock machine of the same class that is only ever sent events, and a small interpreter of the language written
here from docs/charts.md.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from chart_kit import read_charts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain import move_by

from charger.statechart import model
from charger.statechart.findings import Mark
from charger.statechart.machine import (
    Entered,
    Exited,
    Machine,
    Move,
    Taken,
    _compile,
    _event_id,
    _leaf_of,
    _Question,
    _Recorder,
)
from charger.statechart.model import Chart, State, Transition

Answers = Callable[[Transition], bool]

# -- the oracles ---------------------------------------------------------------------------------------


def by_the_book(chart: Chart, leaf: str, key: str, ask: Answers) -> Move | None:
    """The semantics of docs/charts.md, without remembering anything."""
    for state in chart.lineage(leaf):
        for transition in state.transitions:
            if transition.key == key and (transition.guard is None or ask(transition)):
                return move_by(chart, leaf, transition)
    return None


class Stock:
    """The same class as the machine's, never restored, never replayed: only sent events."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self.recorder = _Recorder()
        self.engine = _compile(chart, self.recorder)()

    def step(self, key: str, ask: Answers) -> Move | None:
        self.recorder.begin(ask, [])
        self.engine.send(_event_id(key))
        parts = tuple(self.recorder.parts)
        return Move(parts, _leaf_of(self.engine, self.chart)) if parts else None


# -- random charts -------------------------------------------------------------------------------------

EVENTS = ("x", "y", "ocpp.z")
NAMES = "ABCDEFGH"


@st.composite
def charts(draw: st.DrawFn) -> Chart:
    """Up to eight states in each other, with all kinds of transitions."""
    names = NAMES[: draw(st.integers(1, len(NAMES)))]
    parents = {name: draw(st.sampled_from(["", *names[:number]])) for number, name in enumerate(names)}
    places: list[str] = ["", *names]
    written: dict[str, list[Transition]] = {place: [] for place in places}
    for line in range(draw(st.integers(1, 14))):
        mark = Mark("random.yaml", line + 1, 1)
        source = draw(st.sampled_from(places))
        written[source].append(
            Transition(
                *(mark, "on", draw(st.sampled_from(EVENTS)), mark, source),
                guard=draw(st.sampled_from([None, model.Name(mark, "guard")])),
                target=draw(st.sampled_from([None, *names])),
            )
        )
    states: dict[str, State] = {}

    def add(name: str) -> None:
        children = tuple(child for child in names if parents[child] == name)
        states[name] = State(
            *(Mark("random.yaml", 1, 1), name, parents.get(name) or None),
            children=children,
            initial=draw(st.sampled_from(children)) if children else None,
            transitions=tuple(written[name]),
        )
        for child in children:
            add(child)

    add("")
    return Chart(Mark("random.yaml", 1, 1), "random", ("station",), "", states)


Script = list[tuple[str, int]]
SCRIPTS = st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 2**14 - 1)), min_size=1, max_size=20)
"""Events, each with the answers of all guards as bits by line."""


def answers(bits: int, asked: list[int] | None = None) -> Answers:
    def ask(transition: Transition) -> bool:
        if asked is not None:
            asked.append(transition.mark.line)
        return bool(bits >> (transition.mark.line - 1) & 1)

    return ask


FAST = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@FAST
@given(charts(), SCRIPTS)
def test_every_step_is_what_the_book_and_the_stock_machine_say(chart: Chart, script: Script) -> None:
    machine, stock = Machine(chart), Stock(chart)
    leaf = machine.initial().leaf
    for event, bits in script:
        key, in_book, in_stock, in_machine = f"on {event}", list[int](), list[int](), list[int]()
        expected = by_the_book(chart, leaf, key, answers(bits, in_book))
        assert stock.step(key, answers(bits, in_stock)) == expected
        assert machine.step(leaf, key, answers(bits, in_machine)) == expected
        assert in_machine == in_stock == in_book, "other guards were asked, or in another order"
        assert machine.hears(leaf, key) or expected is None
        leaf = expected.leaf if expected else leaf


@settings(FAST, max_examples=60)
@given(charts(), SCRIPTS, st.integers(0, 2**32))
def test_guards_may_answer_otherwise_each_time_they_are_asked(
    chart: Chart, script: Script, seed: int
) -> None:
    def changing() -> Answers:
        chance = Random(seed)
        return lambda _transition: chance.random() < 0.5

    machine, stock = Machine(chart), Stock(chart)
    leaf = chart.initial_leaf()
    in_book, in_stock, in_machine = changing(), changing(), changing()
    for event, _ in script * 3:
        key = f"on {event}"
        expected = by_the_book(chart, leaf, key, in_book)
        assert stock.step(key, in_stock) == expected
        assert machine.step(leaf, key, in_machine) == expected
        leaf = expected.leaf if expected else leaf


@FAST
@given(charts(), SCRIPTS, st.sets(st.integers(0, 19)))
def test_it_does_not_matter_what_is_remembered(chart: Chart, script: Script, forgets: set[int]) -> None:
    cold, warm, mixed = Machine(chart), Machine(chart), Machine(chart)
    for _ in range(2):  # the second round finds everything remembered
        leaf = chart.initial_leaf()
        for number, (event, bits) in enumerate(script):
            key = f"on {event}"
            expected = by_the_book(chart, leaf, key, answers(bits))
            cold._plans.clear()
            if number in forgets:
                mixed._plans.clear()
            for machine in (cold, warm, mixed):
                assert machine.step(leaf, key, answers(bits)) == expected
            leaf = expected.leaf if expected else leaf


@FAST
@given(charts(), SCRIPTS, st.integers(1, 14))
def test_a_guard_that_raises_leaves_nothing_behind(chart: Chart, script: Script, broken: int) -> None:
    machine = Machine(chart)
    leaf = chart.initial_leaf()
    for event, bits in script:
        key = f"on {event}"

        def failing(transition: Transition, bits: int = bits) -> bool:
            if transition.mark.line == broken:
                raise ZeroDivisionError
            return answers(bits)(transition)

        try:
            before = repr(machine._plans)
            machine.step(leaf, key, failing)
        except ZeroDivisionError:
            assert repr(machine._plans) == before
        expected = by_the_book(chart, leaf, key, answers(bits))
        assert machine.step(leaf, key, answers(bits)) == expected
        leaf = expected.leaf if expected else leaf


# -- the moves, one by one -----------------------------------------------------------------------------

CHART = """
chart: c
scope: station
initial: A
on:
  root_to_c: C
  everywhere: {actions: [note]}
states:
  A:
    on:
      sibling: B
      own: A
      nothing: {actions: [note]}
      choose: [{guard: first, target: B}, {guard: second, target: D}, {target: A}]
      far: D
  B:
    initial: C
    on:
      inside: D
      own_compound: B
      own_b: B
    always: {guard: first, target: A}
    after: {10s: A}
    states:
      C:
        on: {to_parent: B, sibling: D}
      D:
        on: {everywhere: A}
"""


def fresh(folder: Path) -> Machine:
    return Machine(read_charts(folder, {"c": CHART}).charts["c"])


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return fresh(tmp_path_factory.mktemp("charts"))


def written(move: Move | None) -> str:
    """``-A / +B``: left, transition, entered."""
    signs = {Exited: "-", Entered: "+"}
    assert move is not None
    return " ".join("/" if isinstance(part, Taken) else signs[type(part)] + part.state for part in move.parts)


@pytest.mark.parametrize(
    ("leaf", "event", "parts"),
    [
        ("A", "sibling", "-A / +B +C"),
        ("A", "own", "-A / +A"),
        ("A", "nothing", "/"),
        ("A", "far", "-A / +B +D"),
        ("A", "everywhere", "/"),
        ("A", "root_to_c", "-A / +B +C"),
        ("C", "root_to_c", "-C -B / +B +C"),
        ("C", "inside", "-C / +D"),
        ("D", "inside", "-D / +D"),
        ("C", "own_compound", "-C -B / +B +C"),
        ("C", "to_parent", "-C -B / +B +C"),
        ("C", "sibling", "-C / +D"),
        ("D", "everywhere", "-D -B / +A"),
    ],
)
def test_a_move_has_its_parts_in_order(machine: Machine, leaf: str, event: str, parts: str) -> None:
    for _ in ("recorded", "replayed"):
        assert written(machine.step(leaf, f"on {event}", lambda _transition: True)) == parts


def test_the_first_entry_is_a_move_without_a_transition(machine: Machine) -> None:
    move = machine.initial()
    assert written(move) == "+ +A"
    assert move.leaf == "A"
    assert move.transition is None


def test_a_move_knows_its_transition(machine: Machine) -> None:
    move = machine.step("A", "on sibling", lambda _transition: True)
    assert move is not None
    assert move.transition is machine.chart.states["A"].transitions[0]


@pytest.mark.parametrize(
    ("first", "second", "leaf"),
    [(True, True, "C"), (True, False, "C"), (False, True, "D"), (False, False, "A")],
)
def test_the_first_true_guard_wins(machine: Machine, first: bool, second: bool, leaf: str) -> None:
    def ask(transition: Transition) -> bool:
        return {"first": first, "second": second}[transition.guard_text]

    move = machine.step("A", "on choose", ask)
    assert move is not None
    assert move.leaf == leaf


def test_always_and_timers_are_triggers_like_events(machine: Machine) -> None:
    assert written(machine.step("C", "always", lambda _transition: True)) == "-C -B / +A"
    assert machine.step("C", "always", lambda _transition: False) is None
    assert written(machine.step("D", "after B:10s", lambda _transition: True)) == "-D -B / +A"


def test_what_a_state_does_not_wait_for_moves_nothing(machine: Machine) -> None:
    assert machine.step("A", "on inside", lambda _transition: True) is None
    assert not machine.hears("A", "on inside")
    assert machine.hears("C", "on inside")
    assert machine.hears("C", "on everywhere")


# -- remembering ---------------------------------------------------------------------------------------


def test_a_situation_seen_before_does_not_need_the_library(machine: Machine) -> None:
    seen = machine.step("A", "on choose", lambda _transition: False)
    machine._engine, made = None, machine._class
    machine._class = None  # type: ignore[assignment]
    try:
        assert machine.step("A", "on choose", lambda _transition: False) == seen
        with pytest.raises(TypeError):
            machine.step("B", "on never_seen", lambda _transition: False)
    finally:
        machine._class = made


def test_one_answer_never_seen_is_decided_by_the_library_without_asking_again(tmp_path: Path) -> None:
    machine = fresh(tmp_path)
    machine.step("A", "on choose", lambda _transition: False)
    asked: list[str] = []

    def ask(transition: Transition) -> bool:
        asked.append(transition.guard_text)
        return transition.guard_text == "second"

    move = machine.step("A", "on choose", ask)
    assert move is not None
    assert (asked, move.leaf) == (["first", "second"], "D")


def test_an_engine_whose_guard_raised_is_not_used_again(tmp_path: Path) -> None:
    machine = fresh(tmp_path)
    machine.initial()
    engine = machine._engine
    with pytest.raises(ZeroDivisionError):
        machine.step("A", "on choose", lambda _transition: 1 // 0 == 1)
    assert machine._engine is None
    machine.step("A", "on choose", lambda _transition: True)
    assert machine._engine is not engine


def test_a_memory_that_contradicts_the_library_is_a_defect(machine: Machine) -> None:
    other = replace(machine.chart.states["A"].transitions[0], description="of no chart")
    machine._plans["A", "on choose"] = _Question(other, (), {True: None, False: None})
    try:
        with pytest.raises(RuntimeError, match=r"the engine asked line \d+ out of order"):
            machine.step("A", "on choose", lambda _transition: True)
    finally:
        machine._plans.clear()


# -- compiled names ------------------------------------------------------------------------------------


@given(st.text(max_size=12), st.text(max_size=12))
def test_no_two_triggers_get_the_same_compiled_name(one: str, other: str) -> None:
    assert (_event_id(one) == _event_id(other)) == (one == other)


def test_compiled_names_have_no_dots_and_no_blanks() -> None:
    assert _event_id("on ocpp.Reset") == "e_on_20_ocpp_2e_Reset"
    assert _event_id("after Up:backoff(1s, 2s, 0s)").replace("_", "").isalnum()


def test_states_may_have_the_names_of_events_and_of_the_library(tmp_path: Path) -> None:
    text = """
    chart: c
    scope: station
    initial: Model
    states:
      Model: {on: {Model: States}}
      States: {on: {States: Model, model: Model, send: Model, configuration: Model}}
    """
    machine = Machine(read_charts(tmp_path, {"c": text}).charts["c"])
    assert machine.initial().leaf == "Model"
    for leaf, event, end in (
        ("Model", "Model", "States"),
        ("States", "send", "Model"),
        ("States", "model", "Model"),
    ):
        move = machine.step(leaf, f"on {event}", lambda _transition: True)
        assert move is not None
        assert move.leaf == end
