"""A part of the charts over facts that are true, false or unknown: what the walker walks.

The charts of a view keep their states and transitions, and are compiled as always. Their guards are written
anew: facts that words declare (`effects`) stay; every comparison of data, every key and every
question about a chart outside of the view becomes a question of its own, which may be answered either way.
What is written anew admits every run of the real charts, and perhaps some more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from charger.statechart import model
from charger.statechart.effects import parse_effects
from charger.statechart.evaluate import MINUTE_OF_DAY, Evaluator
from charger.statechart.expressions import parse_guard
from charger.statechart.words import FactWord, Vocabulary

OTHER = "another"
"""A text, or a word, that no guard compares with."""
NOWHERE = 99
"""A number that no guard compares with, and no connector has."""
WHICH = "?which connector"
"""The fact that tells which connector a signal is for, when data decide."""


@dataclass(frozen=True, slots=True)
class View:
    """Charts that are walked together."""

    name: str
    scopes: Mapping[str, tuple[str, ...]]
    """Chart → which of its scopes take part."""
    given: Mapping[str, bool] = field(default_factory=dict)
    """Facts that are so from the beginning: ``{"cable.fixed": False}``."""

    @property
    def station(self) -> bool:
        """Some chart of the station takes part."""
        return any("station" in scopes for scopes in self.scopes.values())

    @property
    def connector(self) -> bool:
        """Some chart of a connector takes part."""
        return any("connector" in scopes for scopes in self.scopes.values())

    def has(self, chart: str, scope: str) -> bool:
        """Whether the chart takes part for that scope."""
        return scope in self.scopes.get(chart, ())


@dataclass(frozen=True, slots=True)
class Atom:
    """A question that may be answered either way."""

    text: str
    facts: frozenset[str]
    """It may be answered another way once a word changes one of these; `KEYS` for configuration keys."""
    event: bool = False
    """It is about the event at hand."""
    stranger: bool = False
    """It is about charts outside of the view, which move whenever they like."""


@dataclass(frozen=True)
class Abstraction:
    """A view of a set of charts."""

    view: View
    charts: model.ChartSet
    """Only the charts of the view, with guards over facts and atoms."""
    atoms: Mapping[str, Atom]
    tracked: tuple[str, ...]
    """The facts that a situation knows."""
    fields: Mapping[str, tuple[Any, ...]]
    """Field of an event → the values that guards compare it with."""


def abstract(
    chart_set: model.ChartSet, vocabulary: Vocabulary, view: View, *, follow: Iterable[str] = ()
) -> Abstraction:
    """Write the charts of a view anew; `follow` these facts, too, though no guard asks for them."""
    return _Writer(chart_set, vocabulary, view).write(follow)


class _Writer:
    def __init__(self, chart_set: model.ChartSet, vocabulary: Vocabulary, view: View) -> None:
        self._set = chart_set
        self._vocabulary = vocabulary
        self._view = view
        self._evaluator = Evaluator(chart_set, vocabulary)
        self._atoms: dict[str, Atom] = {}
        self._tracked: dict[str, None] = {}
        self._fields: dict[str, dict[Any, None]] = {}

    def write(self, follow: Iterable[str]) -> Abstraction:
        charts = {
            name: self._chart(self._set.charts[name])
            for name in self._set.charts
            if name in self._view.scopes
        }
        guards = {name: self._expression(guard, None) for name, guard in self._set.guards.items()}
        invariants = tuple(self._invariants(self._set.invariants, None))
        written = replace(self._set, charts=charts, guards=guards, invariants=invariants)
        self._tracked |= dict.fromkeys(follow)
        fields = {name: tuple(values) for name, values in self._fields.items()}
        return Abstraction(self._view, written, self._atoms, tuple(self._tracked), fields)

    def _chart(self, chart: model.Chart) -> model.Chart:
        states = {name: self._state(state, chart) for name, state in chart.states.items()}
        guards = {name: self._expression(guard, chart) for name, guard in chart.guards.items()}
        invariants = tuple(self._invariants(chart.invariants, chart))
        scopes = self._view.scopes[chart.name]
        return replace(chart, scopes=scopes, states=states, guards=guards, invariants=invariants)

    def _state(self, state: model.State, chart: model.Chart) -> model.State:
        return replace(
            state,
            entry=tuple(map(self._use, state.entry)),
            exit=tuple(map(self._use, state.exit)),
            transitions=tuple(self._transition(one, chart) for one in state.transitions),
        )

    def _transition(self, transition: model.Transition, chart: model.Chart) -> model.Transition:
        reply = transition.reply and replace(transition.reply, arguments=(), argument_marks=())
        guard = transition.guard and self._expression(transition.guard, chart)
        return replace(
            transition, guard=guard, reply=reply, actions=tuple(map(self._use, transition.actions))
        )

    def _use(self, use: model.Use) -> model.Use:
        """Arguments that no guard can tell apart are left out; a signal's place is a question."""
        arguments: list[tuple[str, model.Value]] = []
        for name, value in use.arguments:
            if isinstance(value, model.Const | model.Here):
                arguments.append((name, value))
            elif use.raises and name == "connector":
                arguments.append((name, model.Name(use.mark, WHICH)))
            elif not use.raises and isinstance(value, model.EventField):
                arguments.append((name, value))
        return replace(use, arguments=tuple(arguments), argument_marks=())

    def _invariants(
        self, invariants: tuple[model.Invariant, ...], chart: model.Chart | None
    ) -> Iterator[model.Invariant]:
        """Those that this view can judge: a ``never`` is, where all that it speaks of takes part."""
        for invariant in invariants:
            before = dict(self._atoms)
            never = invariant.never and self._expression(invariant.never, chart)
            then = invariant.then and self._expression(invariant.then, chart)
            if never and any(self._atoms[text].stranger for text in self._atoms.keys() - before.keys()):
                self._atoms = before
            else:
                yield replace(invariant, never=never, then=then)

    # -- expressions -------------------------------------------------------------------------------------

    def _expression(self, expr: model.Expr, chart: model.Chart | None) -> model.Expr:
        match expr:
            case model.And(parts=parts) | model.Or(parts=parts):
                return replace(expr, parts=tuple(self._expression(part, chart) for part in parts))
            case model.Not(part=part):
                return replace(expr, part=self._expression(part, chart))
            case model.Compare():
                return self._compare(expr)
            case model.Name(name=name):
                return self._name(expr, name, chart)
            case model.In():
                return self._inside(expr, chart)
            case model.Const() | model.Here():
                return expr
            case _:
                return self._atom(expr)

    def _name(self, expr: model.Name, name: str, chart: model.Chart | None) -> model.Expr:
        if (chart and name in chart.guards) or name in self._set.guards:
            return expr
        fact = self._vocabulary.facts[name]
        if fact.means:
            return self._expression(parse_guard(fact.means, expr.mark), None)
        if not is_tracked(fact, self._vocabulary):
            return self._atom(expr)
        self._tracked[name] = None
        return expr

    def _compare(self, expr: model.Compare) -> model.Expr:
        sides = (expr.left, expr.right)
        if not all(self._is_plain(side) for side in sides):
            return self._atom(expr)
        for side, other in (sides, sides[::-1]):
            if isinstance(side, model.EventField):
                value = None if isinstance(other, model.Here | model.EventField) else _plain_value(other)
                self._fields.setdefault(side.name, {})[value] = None
        if all(isinstance(side, model.EventField) for side in sides):
            return self._atom(expr)
        return expr

    def _is_plain(self, value: model.Value) -> bool:
        match value:
            case model.Const() | model.Here() | model.EventField():
                return True
            case model.Capital(name=name):
                return name not in self._vocabulary.keys
            case model.Name(name=name):
                return name not in self._vocabulary.facts
            case _:
                return False

    def _inside(self, expr: model.In, chart: model.Chart | None) -> model.Expr:
        if expr.at is not None or expr.how in ("all", "one", "first"):
            return self._atom(expr, stranger=True)
        here, away = False, expr.how == "any"  # any other connector, too
        for name, _, local in self._evaluator.places(expr.ref, chart):
            scopes = self._set.charts[name].scopes
            asked = self._asked(scopes, chart, local=local, every=expr.how == "any")
            known = [self._view.has(name, scope) for scope in asked]
            here = here or any(known)
            away = away or not all(known)
        if not away:
            return expr
        atom = self._atom(expr, stranger=True)
        return model.Or(expr.mark, (expr, atom)) if here else atom

    def _asked(
        self, scopes: tuple[str, ...], chart: model.Chart | None, *, local: bool, every: bool
    ) -> set[str]:
        """Which instances of a chart with these scopes the question is about."""
        if not local:
            return {"station"}
        if every:
            return {"connector"}
        asking = self._view.scopes.get(chart.name, ()) if chart else ("station",)
        return {scope for scope in asking if scope in scopes}

    def _atom(self, expr: model.Expr, *, stranger: bool = False) -> model.Name:
        text = text_of(expr)
        if text not in self._atoms:
            facts: set[str] = set()
            event = False
            for part in model.parts(expr):
                match part:
                    case model.Name(name=name) if name in self._vocabulary.facts:
                        facts.add(name)
                        event = event or self._vocabulary.facts[name].nature == "event"
                    case model.Capital(name=name) if name in self._vocabulary.keys:
                        facts.add("keys")
                    case model.EventField():
                        event = True
                    case model.Between():
                        facts.add(MINUTE_OF_DAY)
                    case _:
                        pass
            self._atoms[text] = Atom(text, frozenset(facts), event, stranger)
        return model.Name(expr.mark, f"?{text}")


def is_tracked(fact: FactWord, vocabulary: Vocabulary) -> bool:
    """Whether a situation knows it: yes or no, changed by nothing but words, and some word says how."""
    if fact.type != "bool" or fact.means or fact.nature not in ("told", "fixed"):
        return False
    return fact.nature == "fixed" or fact.name in _decided(vocabulary)


@cache
def _declared(effects: tuple[str, ...]) -> frozenset[str]:
    return frozenset(
        effect.fact for text in effects for effect in parse_effects(text) if effect.kind != "any"
    )


def _decided(vocabulary: Vocabulary) -> frozenset[str]:
    effects = [word.effects for word in vocabulary.events.values()]
    effects += [word.effects for word in vocabulary.actions.values()]
    return _declared(tuple(dict.fromkeys(effects)))


def _plain_value(value: model.Value) -> Any:
    match value:
        case model.Const(value=const):
            return const
        case model.Name(name=name) | model.Capital(name=name):
            return name
        case _:
            return None


def text_of(expr: model.Expr) -> str:
    """An expression as it would be written."""
    match expr:
        case model.And(parts=parts):
            return " and ".join(_within(part) for part in parts)
        case model.Or(parts=parts):
            return " or ".join(_within(part) for part in parts)
        case model.Not(part=part):
            return f"not {_within(part)}"
        case model.Compare(left=left, operator=operator, right=right):
            return f"{text_of(left)} {operator} {text_of(right)}"
        case model.Name(name=name) | model.Capital(name=name):
            return name.removeprefix("?")
        case model.EventField(name=name):
            return f"event.{name}"
        case model.Const(value=value):
            return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        case model.Here():
            return "here"
        case model.In(how=how, ref=ref, at=at):
            return f"{how}({ref}{'' if at is None else ', ' + text_of(at)})"
        case model.Tries(state=state):
            return f"tries({state})"
        case model.Between(start=start, end=end):
            return f"clock.between({start // 60}:{start % 60:02}, {end // 60}:{end % 60:02})"


def _within(expr: model.Expr) -> str:
    text = text_of(expr)
    return f"({text})" if isinstance(expr, model.And | model.Or) else text


def strangers(chart_set: model.ChartSet, view: View) -> Iterator[tuple[model.Chart, str]]:
    """Every chart, with a scope, that does not take part; of connectors, the others are strangers as well."""
    for chart in chart_set.charts.values():
        for scope in chart.scopes:
            if scope == "connector" or not view.has(chart.name, scope):
                yield chart, scope
