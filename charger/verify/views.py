"""Which charts are walked together.

Charts of one scope that influence each other, directly or in a circle, are one knot and are never parted. A
knot takes in what influences it, nearest first, as long as the product of their states stays small; whatever
is left out is a stranger, of which anything is believed. Two connectors never share a view.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from math import prod
from typing import Final, TypeAlias

from charger.statechart import model
from charger.statechart.effects import Effect, parse_effects
from charger.statechart.evaluate import Evaluator
from charger.statechart.words import Vocabulary
from charger.verify.abstraction import View, is_tracked

MOST_STATES: Final = 600
"""Product of the states of a view beyond which a knot takes in no other chart."""

Part: TypeAlias = tuple[str, str]
"""Chart and scope."""


def views(charts: model.ChartSet, vocabulary: Vocabulary) -> list[View]:
    """The views in which every chart, and every promise, is walked."""
    influence = _Influence(charts, vocabulary)
    knots = influence.knots()
    found: dict[frozenset[Part], None] = {}
    for knot in knots:
        found[_widened(knot, knots, influence)] = None
    for mentioned in influence.mentioned():
        if not any(mentioned <= members for members in found):
            joined = frozenset(part for knot in knots if knot & mentioned for part in knot)
            found[_widened(joined, knots, influence)] = None
    largest = [members for members in found if not any(members < other for other in found)]
    return [view for members in largest for view in _split(members, charts, influence)]


def _widened(knot: frozenset[Part], knots: list[frozenset[Part]], influence: _Influence) -> frozenset[Part]:
    members, looked_at = set(knot), set(knot)
    todo = influence.sources(knot)
    while todo:
        near = next((other for other in knots if todo[0] in other), frozenset())
        todo = todo[1:]
        if near <= looked_at:
            continue
        looked_at |= near
        if influence.size(members | near) <= MOST_STATES:
            members |= near
            todo += influence.sources(near)
    return frozenset(members)


def _split(members: frozenset[Part], charts: model.ChartSet, influence: _Influence) -> Iterator[View]:
    """One view for each way in which a large view may have been built: with a fixed cable, with a socket."""
    scopes: dict[str, tuple[str, ...]] = {}
    for name, chart in charts.charts.items():
        taking = tuple(scope for scope in chart.scopes if (name, scope) in members)
        if taking:
            scopes[name] = taking
    both = {scope for taking in scopes.values() for scope in taking}
    name = ", ".join(
        chart
        if len(both) < 2 or len(charts.charts[chart].scopes) < 2 or len(taking) == 2
        else f"{chart} ({taking[0]})"
        for chart, taking in scopes.items()
    )
    fixed = influence.fixed(members) if influence.size(members) > MOST_STATES else []
    for values in product((False, True), repeat=len(fixed)):
        given = dict(zip(fixed, values, strict=True))
        told = ", ".join(fact if value else f"not {fact}" for fact, value in given.items())
        yield View(f"{name}; {told}" if told else name, scopes, given)


class _Influence:
    """Who influences whom."""

    def __init__(self, charts: model.ChartSet, vocabulary: Vocabulary) -> None:
        self._charts = charts
        self._vocabulary = vocabulary
        self._evaluator = Evaluator(charts, vocabulary)
        self.parts = [(chart.name, scope) for chart in charts.charts.values() for scope in chart.scopes]
        self._sources = {part: self._sources_of(part) for part in self.parts}

    def sources(self, parts: Iterable[Part]) -> list[Part]:
        """What influences them directly, in index order."""
        inside = set(parts)
        near = {source for part in inside for source in self._sources[part]} - inside
        return [part for part in self.parts if part in near]

    def size(self, parts: Iterable[Part]) -> int:
        """The product of their states."""
        return prod(len(self._charts.charts[name].leaves) for name, _ in parts)

    def fixed(self, parts: Iterable[Part]) -> list[str]:
        """Facts that never change while the program runs, and that they ask for."""
        asked = {fact for part in parts for fact in self._facts_read(self._charts.charts[part[0]])}
        return sorted(fact for fact in asked if self._vocabulary.facts[fact].nature == "fixed")

    def knots(self) -> list[frozenset[Part]]:
        """Parts of one scope that influence each other in circles, in index order."""
        reach = {part: self._reached(part) for part in self.parts}
        knots: dict[frozenset[Part], None] = {}
        for part in self.parts:
            knots[frozenset({part, *(other for other in reach[part] if part in reach[other])})] = None
        return list(knots)

    def _reached(self, part: Part) -> set[Part]:
        reached: set[Part] = set()
        todo = [part]
        while todo:
            for source in self._sources[todo.pop()]:
                if source[1] == part[1] and source not in reached:
                    reached.add(source)
                    todo.append(source)
        return reached

    def mentioned(self) -> Iterator[frozenset[Part]]:
        """For each ``never`` the parts that it speaks of."""
        for chart in (None, *self._charts.charts.values()):
            invariants = chart.invariants if chart else self._charts.invariants
            for scope in chart.scopes if chart else ("station",):
                for invariant in invariants:
                    if invariant.never:
                        own = {(chart.name, scope)} if chart else set()
                        parts = frozenset(own | self._asked(invariant.never, chart, scope))
                        if parts:
                            yield parts

    def _sources_of(self, part: Part) -> set[Part]:
        chart, scope = self._charts.charts[part[0]], part[1]
        performed = {use.name for use in model.uses(chart) if not use.raises}
        exprs: list[tuple[model.Expr, model.Chart | None]] = [(e, chart) for e in model.guards_of(chart)]
        exprs += [(guard, None) for guard in self._charts.guards.values() if self._names(chart, guard)]
        for owner in (None, *self._charts.charts.values()):
            for invariant in owner.invariants if owner else self._charts.invariants:
                if invariant.then and performed & {name for name, _ in invariant.whenever}:
                    exprs.append((invariant.then, owner))
                    exprs += [
                        (g, None) for n, g in self._charts.guards.items() if n in _words(invariant.then)
                    ]
        sources = {source for expr, owner in exprs for source in self._asked(expr, owner, scope)}
        heard = {t.trigger for t in chart.transitions() if t.kind == "on"}
        facts = self._facts_read(chart)
        for other in self._charts.charts.values():
            if self._tells(other, heard, facts):
                sources |= {(other.name, one) for one in other.scopes}
        return sources - {part}

    def _tells(self, other: model.Chart, heard: set[str], facts: set[str]) -> bool:
        for use in model.uses(other):
            if use.raises and use.name in heard:
                return True
            if not use.raises:
                effects = parse_effects(self._vocabulary.actions[use.name].effects)
                done = [effect for effect in effects if effect.kind != "any" and _possible(effect, use)]
                if any(effect.concerns(fact) for effect in done for fact in facts):
                    return True
        return False

    def _names(self, chart: model.Chart, guard: model.Expr) -> bool:
        used = {word for expr in model.guards_of(chart) for word in _words(expr)}
        named = {name for name, one in self._charts.guards.items() if one is guard}
        while True:
            more = {
                word for name in used & set(self._charts.guards) for word in _words(self._charts.guards[name])
            }
            if more <= used:
                return bool(used & named)
            used |= more

    def _asked(self, expr: model.Expr, chart: model.Chart | None, scope: str) -> set[Part]:
        """Whom an expression asks about."""
        asked = set()
        for part in model.parts(expr):
            if isinstance(part, model.In):
                for name, _, local in self._evaluator.places(part.ref, chart):
                    there = self._charts.charts[name].scopes
                    if not local:
                        asked.add((name, "station"))
                    elif part.how != "in" or scope not in there:
                        asked.add((name, "connector"))
                    else:
                        asked.add((name, scope))
        return asked

    def _facts_read(self, chart: model.Chart) -> set[str]:
        words = {word for expr in model.guards_of(chart) for word in _words(expr)}
        facts = set()
        for word in words & set(self._vocabulary.facts):
            fact = self._vocabulary.facts[word]
            facts |= {word} if is_tracked(fact, self._vocabulary) else set()
            facts |= {name for name in self._vocabulary.facts if fact.means and name in fact.means}
        return facts


def _possible(effect: Effect, use: model.Use) -> bool:
    """Whether the arguments that are written there leave it open that the word has that effect."""
    if effect.argument is None:
        return True
    name, word = effect.argument
    given = dict(use.arguments).get(name)
    return given.value == word if isinstance(given, model.Const) else given is not None


def _words(expr: model.Expr) -> set[str]:
    return {part.name for part in model.parts(expr) if isinstance(part, model.Name)}
