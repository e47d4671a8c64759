"""Can these conditions hold together? One small procedure that every rule about guards asks.

A condition is about a handful of variables: facts, configuration keys, fields of the event, the leaf a chart
is in. Each has few values that differ for the conditions at hand: the words a word may be, true and false,
one number below, at, between and above those it is compared with. The search gives a variable a value when a
condition needs it, and the next value when one fails. What nobody declares is taken to be possible (any two
facts may hold together), so "never" means never, and "may" means that no condition says otherwise.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, TypeAlias

from charger.statechart import model
from charger.statechart.evaluate import MINUTE_OF_DAY, OPERATORS, Evaluator
from charger.statechart.findings import Mark
from charger.statechart.model import Chart, ChartSet, Expr, Transition
from charger.statechart.wording import value_text
from charger.statechart.words import Field, Scope, Vocabulary

MOST_LOOKS = 5_000
"""At combinations of values in one search; then it is given up, and the conditions may hold together."""
OTHER = "something else"
"""Stands for all texts that no condition names."""


class Variable(NamedTuple):
    """Something that has one value at a time."""

    kind: Literal["fact", "key", "field", "here", "tries", "first", "many", "leaf"]
    name: str
    place: str = ""
    """Of a leaf: the connector it is asked about, as written; empty: the one that asks."""


Values: TypeAlias = Mapping[Variable, Any]
Part: TypeAlias = tuple[Expr, bool]
"""A condition, and whether it is to hold."""
HERE = Variable("here", "here")
_NOWHERE = Mark("", 0, 0)
_MINUTE = Variable("fact", MINUTE_OF_DAY)


@dataclass(frozen=True, slots=True)
class Where:
    """Where a guard is asked: in which chart, in which of its leaves (none: any), on hearing what."""

    chart: Chart | None
    leaves: tuple[str, ...] = ()
    trigger: Transition | None = None
    """One with the trigger at hand; with None or an ``always`` nothing is known of the event."""


class Logic:
    """Conditions of one set of charts."""

    def __init__(self, charts: ChartSet, vocabulary: Vocabulary) -> None:
        self.charts = charts
        self.vocabulary = vocabulary
        self.places = Evaluator(charts, vocabulary).places
        self._raised = charts.signals()

    def written_out(self, expr: Expr, chart: Chart | None) -> Expr:
        """Named guards replaced by what they stand for."""
        match expr:
            case model.Name(name=name) if chart and name in chart.guards:
                return self.written_out(chart.guards[name], chart)
            case model.Name(name=name) if name in self.charts.guards:
                return self.written_out(self.charts.guards[name], None)
            case model.And(parts=parts) | model.Or(parts=parts):
                return replace(expr, parts=tuple(self.written_out(part, chart) for part in parts))
            case model.Not(part=part):
                return replace(expr, part=self.written_out(part, chart))
            case _:
                return expr

    def search(self, where: Where, exprs: Iterable[Expr]) -> Search:
        """A search about these conditions, named guards written out."""
        return Search(self, where, [self.written_out(expr, where.chart) for expr in exprs])

    def find(self, where: Where, parts: Iterable[Part]) -> Values | None:
        """Values with which all parts are as wanted; None when there are none."""
        wanted = [(self.written_out(expr, where.chart), truth) for expr, truth in parts]
        search = Search(self, where, [expr for expr, _ in wanted])
        return search.solve([*wanted, *search.laws], search.given)

    def uncovered(
        self, where: Where, transitions: Iterable[Transition], wanted: Sequence[Part] = ()
    ) -> Values | None:
        """Values with which none of these is taken, and `wanted` holds; None when one always is."""
        parts = list(wanted)
        for transition in transitions:
            if transition.guard is None:
                return None
            parts.append((transition.guard, False))
        return self.find(where, parts)

    def situation(self, where: Where, transitions: Iterable[Transition]) -> str:
        """A situation in which none of these is taken, as a guard would ask for it."""
        parts = [(t.guard, False) for t in transitions if t.guard is not None]
        search = self.search(where, [expr for expr, _ in parts])
        found = self.find(where, parts) or {}
        return " and ".join(
            search.asked(variable, value)
            for variable, value in found.items()
            if variable.kind != "here"
            and variable != Variable("leaf", where.chart.name if where.chart else "")
        )

    def rests(self, chart: Chart, leaf: str) -> bool:
        """Whether a chart may stay in a leaf: no ``always`` leads out of it in every situation."""
        return self.uncovered(Where(chart, (leaf,)), chart.candidates(leaf, "always")) is not None

    def field(self, trigger: Transition | None, name: str) -> Field:
        """What is declared of a field of the event at hand."""
        anything = Field(required=False)
        word = self.vocabulary.events.get(trigger.trigger) if trigger and trigger.kind == "on" else None
        if word is None or word.name in self._raised:
            return anything
        if name == "connector" and name not in word.fields:
            return Field("connector", required=word.scope is Scope.CONNECTOR)
        return word.fields.get(name, anything)

    def made(self, trigger: Transition | None) -> dict[Variable, Any]:
        """The facts that the event at hand has just set."""
        word = self.vocabulary.events.get(trigger.trigger) if trigger and trigger.kind == "on" else None
        makes = word.makes if word else {}
        return {Variable("fact", name): value for name, value in makes.items() if value is not None}


class Search:
    """The values that matter to some conditions, and the way through them."""

    def __init__(self, logic: Logic, where: Where, exprs: Sequence[Expr]) -> None:
        self._logic = logic
        self._where = where
        self._looks = MOST_LOOKS
        self._alike: dict[Variable, set[Variable]] = {}
        """Variables compared with each other: they need common values."""
        self._tests: dict[Variable, list[tuple[str, Any]]] = {}
        """Operators and constants that a variable is compared with."""
        self._refs: dict[str, model.In] = {}
        self._terms: dict[int, tuple[Expr, Any]] = {}
        """By identity, with the expression, so that the identity stays its own."""
        for part in (part for expr in exprs for part in model.parts(expr)):
            match part:
                case model.Compare(left=left, operator=sign, right=right):
                    self._compared(self._term(left), sign, self._term(right))
                case model.Between(start=start, end=end):
                    self._tests.setdefault(_MINUTE, []).extend((("<", start), ("<", end)))
                case model.In():
                    self._refs[value_text(part)] = part
                case _:
                    pass
        self._domains: dict[Variable, tuple[Any, ...]] = {}
        self.given = logic.made(where.trigger)
        """What is known before any value is tried."""
        self.laws = list(self._laws())
        """What holds of `any`, `all` and `one`, whatever they ask for."""

    def _compared(self, one: Any, sign: str, other: Any) -> None:
        match one, other:
            case Variable(), Variable():
                together = {one, other} | self._alike.get(one, set()) | self._alike.get(other, set())
                self._alike.update(dict.fromkeys(together, together))
            case Variable(), _:
                self._tests.setdefault(one, []).append((sign, other))
            case _, Variable():
                self._tests.setdefault(other, []).append((_TURNED.get(sign, sign), one))
            case _:
                pass

    def _laws(self) -> Iterator[Part]:
        asked = [part for part in self._refs.values() if part.how in ("any", "all", "one") or part.at]
        for one, other in itertools.permutations(asked, 2):
            inner, outer = self._leaves(one), self._leaves(other)
            if inner <= outer and (other.how == "any" or one.how == other.how == "all"):
                yield model.Or(one.mark, (model.Not(one.mark, one), other)), True
            elif one.how == "all" and other.how != "in" and not inner & outer:
                yield model.And(one.mark, (one, other)), False

    def _leaves(self, part: model.In) -> set[tuple[str, str]]:
        places = self._logic.places(part.ref, self._where.chart)
        return {(name, leaf) for name, leaves, _ in places for leaf in leaves}

    # -- values ------------------------------------------------------------------------------------------

    def values(self, variable: Variable) -> tuple[Any, ...]:
        """Those that differ for the conditions of this search."""
        if variable not in self._domains:
            found: dict[Any, Any] = {}
            tests = self._tests.get(variable, ())
            for value in self._values(variable):
                answers = tuple(compare(sign, value, constant) for sign, constant in tests)
                lone = variable not in self._alike and variable.kind != "leaf"
                found.setdefault((bool(value), *answers) if lone else value, value)
            self._domains[variable] = tuple(found.values())
        return self._domains[variable]

    def _values(self, variable: Variable) -> Iterable[Any]:
        vocabulary, chart = self._logic.vocabulary, self._where.chart
        match variable:
            case Variable(kind="leaf", name=name, place=place):
                return self._leaves_that_differ(name, place)
            case Variable(kind="many"):
                return (False, True)
            case Variable(kind="here"):
                scopes = chart.scopes if chart else ("station",)
                least = 0 if "station" in scopes else 1
                return self._typed(variable, Field("connector"), least) if "connector" in scopes else (0,)
            case _ if variable == _MINUTE:
                return self._typed(variable, Field("connector"), 0)
            case Variable(kind="tries"):
                return self._typed(variable, Field("connector"), 0)
            case Variable(kind="first"):
                return self._typed(variable, Field("connector", required=False), 1)
            case Variable(kind="key", name=name):
                key = vocabulary.keys[name]
                return self._typed(variable, Field(key.type), key.least)
            case Variable(kind="fact", name=name) if name in vocabulary.facts:
                fact = vocabulary.facts[name]
                return self._typed(
                    variable,
                    Field(fact.type, fact.words, required=fact.type in ("bool", "number", "duration")),
                )
            case Variable(kind="field", name=name):
                return self._typed(variable, self._logic.field(self._where.trigger, name))
            case _:
                return self._typed(variable, Field(required=False))

    def _typed(self, variable: Variable, field: Field, least: float | None = None) -> Iterator[Any]:
        together = self._alike.get(variable, {variable})
        constants = {one for other in together for _, one in self._tests.get(other, ())}
        numbers = sorted(
            one for one in constants if isinstance(one, (int, float)) and not isinstance(one, bool)
        )
        if not field.required:
            yield None
        match field.type:
            case "bool":
                yield from (False, True)
            case "word" if field.words:
                yield from sorted(field.words)
            case "number" | "duration" | "instant" | "connector":
                whole = field.type == "connector" or variable.kind == "key"
                yield from points(numbers, len(together), least, whole=whole)
            case "text" | "word":
                yield from self._texts(constants, len(together))
            case _:
                yield from self._texts(constants, len(together))
                yield from points(numbers, len(together))
                yield from (False, True)

    def _texts(self, constants: set[Any], several: int) -> Iterator[str]:
        yield from sorted({one.casefold(): one for one in constants if isinstance(one, str)}.values())
        yield from (OTHER + "'" * number for number in range(several))

    def _leaves_that_differ(self, name: str, place: str) -> Iterator[str | None]:
        """One leaf for every answer to what is asked about the leaves of a chart."""
        chart = self._logic.charts.charts[name]
        own = () if place or chart is not self._where.chart else self._where.leaves
        sets = [
            leaves
            for part in self._refs.values()
            for other, leaves, _ in self._logic.places(part.ref, self._where.chart)
            if other == name
        ]
        found: dict[tuple[bool, ...], str] = {}
        for leaf in own or chart.leaves:
            found.setdefault(tuple(leaf in leaves for leaves in sets), leaf)
        yield from found.values()
        if place:
            yield None  # there is no such connector

    # -- answers -----------------------------------------------------------------------------------------

    def solve(self, parts: Sequence[Part], known: Values) -> Values | None:
        """Values, beyond those known, with which all parts are as wanted; None when there are none."""
        self._looks -= 1
        missing: Variable | None = None
        for expr, wanted in parts:
            answer = self.decide(expr, known)
            if isinstance(answer, Variable):
                missing = missing or answer
            elif answer is not wanted:
                return None
        if missing is None or self._looks < 0:
            return known
        tried = (self.solve(parts, {**known, missing: value}) for value in self.values(missing))
        return next((found for found in tried if found is not None), None)

    def decide(self, expr: Expr, known: Values) -> bool | Variable:
        """True, False, or what has to be known first."""
        match expr:
            case model.And(parts=parts) | model.Or(parts=parts):
                ends = isinstance(expr, model.Or)
                missing: Variable | None = None
                for part in parts:
                    answer = self.decide(part, known)
                    if answer is ends:
                        return ends
                    if missing is None and isinstance(answer, Variable):
                        missing = answer
                return missing or not ends
            case model.Not(part=part):
                answer = self.decide(part, known)
                return answer if isinstance(answer, Variable) else not answer
            case _:
                value = self._value(expr, known)
                return value if isinstance(value, Variable) else bool(value)

    def _value(self, value: Expr, known: Values) -> Any:
        match value:
            case model.Compare(left=left, operator=sign, right=right):
                one, other = self._value(left, known), self._value(right, known)
                if isinstance(one, Variable):
                    return one
                return other if isinstance(other, Variable) else compare(sign, one, other)
            case model.Between(start=start, end=end):
                now = known.get(_MINUTE, _MINUTE)
                if isinstance(now, Variable):
                    return now
                return start <= now < end if start <= end else now >= start or now < end
            case model.In(how="in"):
                return self._inside(value, known)
            case _:
                term = self._term(value)
                return known.get(term, term) if isinstance(term, Variable) else term

    def asked(self, variable: Variable, value: Any) -> str:
        """How a guard would ask whether a variable has this value."""
        name = variable.name
        match variable:
            case Variable(kind="leaf", place=place):
                return self._asked_leaf(name, place, value)
            case Variable(kind="field"):
                name = f"event.{name}"
            case Variable(kind="tries" | "first" as how):
                name = f"{how}({name})"
            case _:
                pass
        if isinstance(value, bool):
            return name if value else f"not {name}"
        other = isinstance(value, str) and value.startswith(OTHER)
        return f"{name} is {OTHER}" if other else f"{name} == {value_text(model.Const(_NOWHERE, value))}"

    def _asked_leaf(self, name: str, place: str, leaf: str | None) -> str:
        answers = {
            written: leaf in leaves
            for written, part in self._refs.items()
            for other, leaves, _ in self._logic.places(part.ref, self._where.chart)
            if other == name and part.how == "in" and (value_text(part.at) if part.at else "") == place
        }
        inside = [written for written, answer in answers.items() if answer]
        return inside[0] if inside else " and ".join(f"not {written}" for written in answers)

    def _inside(self, part: model.In, known: Values) -> bool | Variable:
        if part.at and self._value(part.at, known) is None:
            return False
        missing: Variable | None = None
        for name, leaves, _ in self._logic.places(part.ref, self._where.chart):
            variable = Variable("leaf", name, value_text(part.at) if part.at else "")
            if variable not in known:
                missing = missing or variable
            elif known[variable] in leaves:
                return True
        return missing or False

    def _term(self, value: Expr) -> Any:
        """A variable, or what the value is."""
        key = id(value)
        if key not in self._terms:
            self._terms[key] = value, self._new_term(value)
        return self._terms[key][1]

    def _new_term(self, value: Expr) -> Any:
        match value:
            case model.Const(value=const):
                return const
            case model.Name(name=name):
                fact = "." in name or name in self._logic.vocabulary.facts
                return Variable("fact", name) if fact else name
            case model.Capital(name=name):
                known = name in self._logic.vocabulary.keys
                return Variable("key", name) if known else name
            case model.EventField(name=name):
                return Variable("field", name)
            case model.Here():
                return HERE
            case model.Tries(state=state):
                return Variable("tries", state)
            case model.In(how="first", ref=ref):
                return Variable("first", ref)
            case model.In(how=how) if how != "in":
                return Variable("many", value_text(value))
            case _:
                return None


_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def compare(sign: str, one: Any, other: Any) -> bool:
    """As a running chart does it; what cannot be ordered at all is a finding of its own."""
    if isinstance(one, str) and isinstance(other, str):
        one, other = one.casefold(), other.casefold()
    try:
        return bool(OPERATORS[sign](one, other))
    except TypeError:
        return False


def points(
    constants: Sequence[float], several: int, least: float | None = None, *, whole: bool = False
) -> list[float]:
    """Numbers that differ in how they compare with these constants, and `several` of them with each other."""
    if not constants:
        start = least or 0
        return [start + number for number in range(several + 1)]
    found = [constants[0] - several + number for number in range(several)]
    for low, high in itertools.pairwise([*constants, constants[-1] + several + 1]):
        step = 1 if whole else (high - low) / (several + 1)
        between = (low + step * (number + 1) for number in range(several))
        found += [low, *(number for number in between if number < high)]
    return [number for number in found if least is None or number >= least]
