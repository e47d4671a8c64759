"""One chart as a python-statemachine class, and one shared engine for all its instances.

The library decides which transition is taken and in which order states are left and entered; what it decides
is recorded once per situation (leaf, trigger, answers of the guards asked) and replayed from then on. An
instance is therefore nothing but the name of its leaf. Slots only write down what should happen; `Ensemble`
performs it. Eventless transitions are compiled to an ordinary event that the ensemble sends, since the
library takes them before an event and the language wants them after. Only importer of python-statemachine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from statemachine import StateChart
from statemachine.io import create_machine_class_from_definition
from statemachine.orderedset import OrderedSet

from charger.statechart import model

_ROOT = "root"


@dataclass(frozen=True, slots=True)
class Exited:
    """A state was left."""

    state: str


@dataclass(frozen=True, slots=True)
class Entered:
    """A state was entered."""

    state: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A transition was taken."""

    transition: model.Transition


@dataclass(frozen=True)
class Move:
    """What one microstep does: the parts in order, and where it ends."""

    parts: tuple[Exited | Entered | Taken, ...]
    leaf: str

    @cached_property
    def transition(self) -> model.Transition | None:
        """The transition taken; None for the very first entry."""
        return next((part.transition for part in self.parts if isinstance(part, Taken)), None)


Asked: TypeAlias = Callable[[model.Transition], bool]
"""Answers the guard of a transition."""
Path: TypeAlias = tuple[tuple[model.Transition, bool], ...]
"""Guards asked, in order, and what they answered."""


@dataclass(slots=True)
class _Question:
    """A node of a plan: one guard, and what follows either answer (None: not seen yet)."""

    transition: model.Transition
    asked: Path
    """The guards before this one, and their answers."""
    branches: dict[bool, _Question | _End | None]


@dataclass(frozen=True, slots=True)
class _End:
    move: Move | None


@dataclass(slots=True)
class _Recorder:
    """What the slots talk to while the engine runs."""

    ask: Asked = lambda _transition: False
    script: Path = ()
    asked: list[tuple[model.Transition, bool]] = field(default_factory=list)
    parts: list[Exited | Entered | Taken] = field(default_factory=list)

    def begin(self, ask: Asked, script: Path) -> None:
        self.ask, self.script, self.asked, self.parts = ask, script, [], []

    def answer(self, transition: model.Transition) -> bool:
        """Guards already answered on this path are not asked again: an answer may not change in between."""
        position = len(self.asked)
        if position < len(self.script):
            scripted, answer = self.script[position]
            if scripted is not transition:
                raise RuntimeError(f"the engine asked line {transition.mark.line} out of order")
        else:
            answer = self.ask(transition)
        self.asked.append((transition, answer))
        return answer


class _Slot:
    """A place where the library calls us. A class, because it caches signatures by qualified name."""

    def __init__(self, recorder: _Recorder, part: Exited | Entered | Taken) -> None:
        self._recorder = recorder
        self._part = part

    def run(self) -> None:
        self._recorder.parts.append(self._part)

    def ask(self) -> bool:
        return self._recorder.answer(self._part.transition)  # type: ignore[union-attr]


class Machine:
    """A compiled chart."""

    def __init__(self, chart: model.Chart) -> None:
        self.chart = chart
        self._recorder = _Recorder()
        self._class = _compile(chart, self._recorder)
        self._engine: StateChart[Any] | None = None
        self._plans: dict[tuple[str, str], _Question | _End] = {}
        self._heard = {
            leaf: frozenset(t.key for state in chart.lineage(leaf) for t in state.transitions)
            for leaf in chart.leaves
        }
        self.restless = frozenset(leaf for leaf in chart.leaves if self.hears(leaf, "always"))
        """The leaves that have an ``always``."""

    def hears(self, leaf: str, key: str) -> bool:
        """Whether any transition competes for `key` in `leaf`."""
        return key in self._heard[leaf]

    def initial(self) -> Move:
        """The first entry."""
        self._recorder.begin(lambda _transition: False, ())
        self._engine = self._class()
        return Move(tuple(self._recorder.parts), self.chart.initial_leaf())

    def step(self, leaf: str, key: str, ask: Asked) -> Move | None:
        """Offer one trigger to an instance resting in `leaf`; None when nothing is taken.

        An exception of `ask` passes through; nothing is remembered of such a step.
        """
        node = self._plans.get((leaf, key))
        if node is None:
            return self._record(leaf, key, (), ask).move
        while isinstance(node, _Question):
            answer = ask(node.transition)
            following = node.branches[answer]
            if following is None:
                return self._record(leaf, key, (*node.asked, (node.transition, answer)), ask).move
            node = following
        return node.move

    def _record(self, leaf: str, key: str, path: Path, ask: Asked) -> _End:
        """Let the engine decide a situation not seen before, and remember what it decided."""
        engine = self._engine or self._class()
        self._engine = None  # an engine that raised is thrown away
        engine.current_state_value = OrderedSet([_ROOT, *map(_state_id, self.chart.path(leaf))])
        self._recorder.begin(ask, path)
        engine.send(_event_id(key))
        self._engine = engine
        parts = tuple(self._recorder.parts)
        ended = _leaf_of(engine, self.chart)
        end = _End(Move(parts, ended) if parts else None)
        self._graft((leaf, key), end)
        return end

    def _graft(self, situation: tuple[str, str], end: _End) -> None:
        holder: dict[Any, Any] = self._plans
        slot: Any = situation
        for position, (transition, answer) in enumerate(self._recorder.asked):
            if holder.get(slot) is None:
                before = tuple(self._recorder.asked[:position])
                holder[slot] = _Question(transition, before, {True: None, False: None})
            holder, slot = holder[slot].branches, answer
        holder[slot] = end


def _leaf_of(engine: StateChart[Any], chart: model.Chart) -> str:
    active = {value.removeprefix("s_") for value in engine.configuration_values}
    return next(leaf for leaf in chart.leaves if leaf in active)


def _state_id(name: str) -> str:
    return f"s_{name}" if name else _ROOT


def _event_id(key: str) -> str:
    """Events of the library may not be named like states, nor with dots, blanks or its own words."""
    return "e_" + "".join(char if char.isalnum() else f"_{ord(char):x}_" for char in key)


def _compile(chart: model.Chart, recorder: _Recorder) -> type[StateChart[Any]]:
    def state(name: str) -> dict[str, Any]:
        written = chart.states[name]
        definition: dict[str, Any] = {
            "enter": [_Slot(recorder, Entered(name)).run],
            "exit": [_Slot(recorder, Exited(name)).run],
            "on": {},
        }
        if written.children:
            first = written.initial or written.children[0]
            definition["states"] = {_state_id(child): state(child) for child in written.children}
            definition["states"][_state_id(first)]["initial"] = True
        for transition in written.transitions:
            competing = definition["on"].setdefault(_event_id(transition.key), [])
            competing.append(_transition(chart, transition, recorder))
        return definition

    return create_machine_class_from_definition(
        f"Chart_{chart.name}",
        {_ROOT: state("") | {"initial": True}},  # type: ignore[dict-item]
        catch_errors_as_events=False,
        validate_disconnected_states=False,
        validate_trap_states=False,
        validate_final_reachability=False,
    )


def _transition(chart: model.Chart, transition: model.Transition, recorder: _Recorder) -> dict[str, Any]:
    slot = _Slot(recorder, Taken(transition))
    compiled: dict[str, Any] = {"target": None, "on": [slot.run]}
    if transition.target is not None:
        compiled["target"] = _state_id(transition.target)
        compiled["internal"] = transition.target != transition.source and transition.source in (
            "",
            *chart.path(transition.target),
        )
    if transition.guard is not None:
        compiled["cond"] = [slot.ask]
    return compiled
