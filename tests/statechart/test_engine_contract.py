"""What `machine.py` relies on in python-statemachine 3.2.2, each point alone, with the library alone.

A new version of the library is fit for use when this file passes. Points that are traps rather than promises
say what `machine.py` does about them.
"""

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pytest
from statemachine import StateChart
from statemachine.exceptions import InvalidDefinition
from statemachine.io import create_machine_class_from_definition
from statemachine.orderedset import OrderedSet

Definition = dict[str, Any]


class Slot:
    """A place where the library calls us."""

    def __init__(self, log: list[str], text: str, answer: bool = True) -> None:
        self.log, self.text, self.answer = log, text, answer

    def run(self) -> None:
        self.log.append(self.text)

    def ask(self) -> bool:
        self.log.append(f"{self.text}?")
        return self.answer


@pytest.fixture
def log() -> list[str]:
    """What was called, in order."""
    return []


def machine_class(states: Definition, **flags: Any) -> type[StateChart[Any]]:
    flags = {
        "catch_errors_as_events": False,
        "validate_disconnected_states": False,
        "validate_trap_states": False,
        "validate_final_reachability": False,
    } | flags
    return create_machine_class_from_definition("Tested", states, **flags)


def machine(states: Definition, **flags: Any) -> StateChart[Any]:
    return machine_class(states, **flags)()


def noted(log: list[str], name: str, **more: Any) -> Definition:
    """A state that notes when it is entered and left."""
    return {"enter": [Slot(log, f"+{name}").run], "exit": [Slot(log, f"-{name}").run], **more}


def to(target: str | None, **more: Any) -> list[Definition]:
    return [{"target": target, **more}]


def nested(log: list[str]) -> StateChart[Any]:
    """root(a, outer(b, c)), entered, with an empty log."""

    def did(name: str) -> list[Callable[[], None]]:
        return [Slot(log, name).run]

    outer = noted(
        *(log, "outer"),
        states={
            "b": noted(log, "b", initial=True, on={"to_parent": to("outer", on=did("to_parent"))}),
            "c": noted(log, "c", on={"away": to("a", on=did("away"))}),
        },
        on={
            "inside": to("c", internal=True, on=did("inside")),
            "outside": to("c", on=did("outside")),
        },
    )
    a = noted(
        *(log, "a"),
        initial=True,
        on={
            "go": to("outer", on=did("go")),
            "again": to("a", on=did("again")),
            "stay": to(None, on=did("stay")),
        },
    )
    made = machine({"root": noted(log, "root", initial=True, states={"a": a, "outer": outer}, on={})})
    assert log == ["+root", "+a"]
    log.clear()
    return made


def test_the_version_is_the_one_this_was_measured_with() -> None:
    assert version("python-statemachine") == "3.2.2"


# -- order ---------------------------------------------------------------------------------------------


def test_construction_enters_the_initial_states_outer_first(log: list[str]) -> None:
    states = {"root": noted(log, "root", initial=True, states={"a": noted(log, "a", initial=True)})}
    made = machine(states)
    assert log == ["+root", "+a"]
    assert set(made.configuration_values) == {"root", "a"}


@pytest.mark.parametrize(
    ("before", "event", "expected", "leaf"),
    [
        ([], "go", ["-a", "go", "+outer", "+b"], "b"),
        ([], "again", ["-a", "again", "+a"], "a"),
        ([], "stay", ["stay"], "a"),
        (["go"], "inside", ["-b", "inside", "+c"], "c"),
        (["go"], "outside", ["-b", "-outer", "outside", "+outer", "+c"], "c"),
        (["go"], "to_parent", ["-b", "-outer", "to_parent", "+outer", "+b"], "b"),
        (["go", "inside"], "away", ["-c", "-outer", "away", "+a"], "a"),
    ],
)
def test_exit_inner_first_then_the_transition_then_entry_outer_first(
    log: list[str], before: list[str], event: str, expected: list[str], leaf: str
) -> None:
    """A transition to a child leaves the parent unless it is marked `internal`; one to itself always does."""
    made = nested(log)
    for one in before:
        made.send(one)
    log.clear()
    made.send(event)
    assert log == expected
    assert leaf in made.configuration_values


def test_the_innermost_state_is_asked_first_and_the_first_true_guard_wins(log: list[str]) -> None:
    def guarded(name: str, answer: bool) -> Definition:
        slot = Slot(log, name, answer)
        return {"target": None, "cond": [slot.ask], "on": [slot.run]}

    leaf = {"initial": True, "on": {"x": [guarded("inner no", False), guarded("inner yes", True)]}}
    root = {"initial": True, "states": {"leaf": leaf}, "on": {"x": [guarded("outer", True)]}}
    machine({"root": root}).send("x")
    assert log == ["inner no?", "inner yes?", "inner yes"]


def test_the_outer_state_has_its_turn_when_all_inner_guards_say_no(log: list[str]) -> None:
    inner, outer = Slot(log, "inner", False), Slot(log, "outer")
    leaf = {"initial": True, "on": {"x": to(None, cond=[inner.ask])}}
    machine(
        {"root": {"initial": True, "states": {"leaf": leaf}, "on": {"x": to(None, on=[outer.run])}}}
    ).send("x")
    assert log == ["inner?", "outer"]


def test_without_eventless_transitions_a_guard_is_asked_once_per_event(log: list[str]) -> None:
    slot = Slot(log, "g", False)
    made = machine({"a": {"initial": True, "on": {"x": to(None, cond=[slot.ask])}}})
    made.send("x")
    assert log == ["g?"]


def test_eventless_transitions_are_taken_before_the_event(log: list[str]) -> None:
    """The trap for which `always` is compiled to an ordinary event that the ensemble sends afterwards."""
    ready = Slot(log, "ready", False)
    states = {
        "a": {
            "initial": True,
            "transitions": [],
            "on": {None: to("b", cond=[ready.ask]), "x": to("c")},
        },
        "b": noted(log, "b", on={"x": to("d")}),
        "c": noted(log, "c"),
        "d": noted(log, "d"),
    }
    made = machine(states)
    ready.answer = True
    log.clear()
    made.send("x")
    assert log == ["ready?", "+b", "-b", "+d"]


def test_eventless_loops_go_on_for_ever() -> None:
    """The trap for which the ensemble has a budget and the checks search for loops."""
    turns = iter(range(1000))

    def turn() -> None:
        if next(turns, None) is None:
            raise OverflowError

    states = {
        "a": {"initial": True, "on": {"x": to("b")}},
        "b": {"on": {None: to("c", on=[turn])}},
        "c": {"on": {None: to("b", on=[turn])}},
    }
    with pytest.raises(OverflowError):
        machine(states).send("x")


# -- errors and unknown events -------------------------------------------------------------------------


def _raising(where: str, **flags: Any) -> StateChart[Any]:
    def fail() -> bool:
        raise ZeroDivisionError

    return machine({"a": {"initial": True, "on": {"x": to("b", **{where: [fail]})}}, "b": {}}, **flags)


@pytest.mark.parametrize("where", ["cond", "on"])
def test_exceptions_are_hidden_unless_told_otherwise(where: str) -> None:
    _raising(where, catch_errors_as_events=True).send("x")
    with pytest.raises(ZeroDivisionError):
        _raising(where).send("x")


def test_a_machine_that_raised_may_be_half_way(log: list[str]) -> None:
    """Only the microstep that failed is undone: such an engine is thrown away."""

    def fail() -> None:
        raise ZeroDivisionError

    states = {
        "a": {"initial": True, "on": {"x": to("b")}},
        "b": noted(log, "b", on={None: to("c", on=[fail])}),
        "c": {},
    }
    made = machine(states)
    with pytest.raises(ZeroDivisionError):
        made.send("x")
    assert list(made.configuration_values) == ["b"]


def test_an_event_that_nobody_waits_for_is_ignored_without_a_word(log: list[str]) -> None:
    made = nested(log)
    made.send("inside")
    made.send("no_such_event")
    assert log == []


# -- restoring -----------------------------------------------------------------------------------------


def test_a_configuration_is_restored_by_assignment_without_entry_actions(log: list[str]) -> None:
    made = nested(log)
    made.current_state_value = OrderedSet(["root", "outer", "c"])
    assert log == []
    assert list(made.configuration_values) == ["root", "outer", "c"]
    made.send("away")
    assert log == ["-c", "-outer", "away", "+a"]


def test_restoring_again_forgets_where_the_machine_was(log: list[str]) -> None:
    made = nested(log)
    made.send("go")
    made.current_state_value = OrderedSet(["root", "a"])
    log.clear()
    made.send("again")
    assert log == ["-a", "again", "+a"]


# -- slots ---------------------------------------------------------------------------------------------


def test_signatures_are_cached_by_qualified_name_and_variables() -> None:
    """The trap for which all slots are methods of one class: closures of one factory get confused."""

    def factory(kind: int) -> Callable[..., None]:
        if kind == 1:

            def act() -> None:
                word = "local variable"
                assert word

            return act

        def act(word: str) -> None:  # type: ignore[misc]
            assert word

        return act

    on = {"first": to(None, on=[factory(1)]), "second": to(None, on=[factory(2)])}
    made = machine({"a": {"initial": True, "on": on}})
    made.send("first")
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'word'"):
        made.send("second", word="given")


def test_bound_methods_of_one_class_are_told_apart(log: list[str]) -> None:
    on = {name: to(None, on=[Slot(log, name).run], cond=[Slot(log, name).ask]) for name in ("x", "y")}
    made = machine({"a": {"initial": True, "on": on}})
    made.send("y")
    made.send("x")
    assert log == ["y?", "y", "x?", "x"]


# -- definitions ---------------------------------------------------------------------------------------


def test_the_definition_is_used_up() -> None:
    """So `_compile` builds it anew every time."""
    states: Definition = {"a": {"initial": True, "on": {"x": to("b")}}, "b": {}}
    machine_class(states)
    assert states == {"a": {"initial": True}, "b": {}}


def test_a_transition_without_target_says_so_and_is_not_internal() -> None:
    with pytest.raises(KeyError, match="target"):
        machine_class({"a": {"initial": True, "on": {"x": [{}]}}})
    with pytest.raises(InvalidDefinition, match="Not a valid internal transition"):
        machine_class({"a": {"initial": True, "on": {"x": to(None, internal=True)}}})


def test_an_unknown_target_is_a_bare_key_error() -> None:
    """Targets are checked before anything is compiled."""
    with pytest.raises(KeyError, match="nowhere"):
        machine_class({"a": {"initial": True, "on": {"x": to("nowhere")}}})


def test_an_event_named_like_a_top_level_state_deletes_the_state() -> None:
    """The reason for the prefixes `s_` and `e_`."""
    made = machine_class({"faulted": {"initial": True, "on": {"faulted": to("b")}}, "b": {}})
    assert [state.id for state in made.states] == ["b"]


@pytest.mark.parametrize("name", ["model", "states", "configuration"])
def test_some_state_ids_break_the_machine(name: str) -> None:
    with pytest.raises(Exception, match=r"overriding is not allowed|not iterable"):
        machine({name: {"initial": True}})


@pytest.mark.parametrize(("written", "sent"), [("a b", "a b"), ("model", "model")])
def test_some_event_ids_are_not_heard(written: str, sent: str) -> None:
    """The reason why `_event_id` spells out everything but letters and digits."""
    try:
        made = machine({"s": {"initial": True, "on": {written: to("t")}}, "t": {}})
        made.send(sent)
    except AttributeError:
        return
    assert list(made.configuration_values) == ["s"]


def test_a_dot_makes_an_event_match_longer_ones() -> None:
    """The reason why dots are spelt out: `ocpp.Reset` must not be heard as `ocpp`."""
    made = machine({"s": {"initial": True, "on": {"tx": to("t")}}, "t": {}})
    made.send("tx.start")
    assert list(made.configuration_values) == ["t"]


def test_no_structure_is_refused_with_the_validations_off() -> None:
    """Unreachable states, traps and missing final states are for `checks_behaviour.py` to judge."""
    states = {
        "root": {
            "initial": True,
            "states": {"a": {"initial": True}, "unreachable": {}, "island": {"on": {"x": to("unreachable")}}},
        }
    }
    assert set(machine(states).configuration_values) == {"root", "a"}
