"""Two sets of charts compared by what they do: facts as data, in no words.

States are matched by name, and by all that is in them when only the name is another one; transitions that
compete for one trigger by guard and effect; named guards are looked through, so that writing one out is no
difference, and changing one is a single fact with the transitions it concerns. Pure: no files, no text.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import combinations
from typing import Any, Literal

from charger.statechart import model
from charger.statechart.meaning import Meaning, Renamed, named

Kind = Literal["added", "removed", "changed"]
OfStates = Literal["state", "name", "parent", "initial", "status", "tags", "final", "entry", "exit"]
OfCharts = Literal["transition", "order", "guard", "invariant", "scope"]
OfIndex = Literal["chart", "charts", "setting", "input", "output"]
Subject = OfStates | OfCharts | OfIndex


@dataclass(frozen=True, slots=True)
class Fact:
    """One difference. What `old` and `new` are depends on the subject; None: there is none on that side.

    For an order `new` are the transitions that compete, and `old` the place that each had before, if any.
    """

    kind: Kind
    subject: Subject
    name: str
    """The state, by its new name if it has one (empty: the chart itself); else what the fact is about."""
    old: Any = None
    new: Any = None
    concerned: tuple[tuple[str, model.Transition], ...] = ()
    """For a guard: chart and transitions that ask it, of the new set."""


@dataclass(frozen=True, slots=True)
class ChartDiff:
    """What differs in a chart that both sets have."""

    old: model.Chart
    new: model.Chart
    renamed: Mapping[str, str]
    """Old name of a state → its new one."""
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class SetDiff:
    """What differs between two sets of charts."""

    old: model.ChartSet
    new: model.ChartSet
    index: tuple[Fact, ...]
    """Of index.yaml, charts that came or went included."""
    charts: Mapping[str, ChartDiff]
    """Charts of both sets, in the order of the new one; those without a difference have no facts."""

    @property
    def facts(self) -> list[tuple[str, Fact]]:
        """Everything, each with the name of its chart; empty: index.yaml."""
        of_charts = [(name, fact) for name, chart in self.charts.items() for fact in chart.facts]
        return [("", fact) for fact in self.index] + of_charts

    @property
    def renamed(self) -> Renamed:
        """Chart → old name of a state → its new one."""
        return {name: chart.renamed for name, chart in self.charts.items()}

    def changed_charts(self) -> list[str]:
        """Charts that came, went, differ, or ask a shared guard that differs; those that went come last."""
        moved = [fact.name for fact in self.index if fact.subject == "chart"]
        asking = {chart for fact in self.index for chart, _ in fact.concerned}
        changed = {name for name, chart in self.charts.items() if chart.facts} | asking | set(moved)
        return [name for name in dict.fromkeys((*self.new.charts, *self.old.charts)) if name in changed]


def compare(old: model.ChartSet, new: model.ChartSet) -> SetDiff:
    """What `new` does otherwise than `old`."""
    both = {name: (old.charts[name], chart) for name, chart in new.charts.items() if name in old.charts}
    renamed = {name: _renamed(*pair, old, new) for name, pair in both.items()}
    charts = {
        name: ChartDiff(*pair, renamed[name], tuple(_Charts(old, new, *pair, renamed).facts()))
        for name, pair in both.items()
    }
    return SetDiff(old, new, tuple(_index(old, new, renamed)), charts)


# -- names ---------------------------------------------------------------------------------------------


def _renamed(
    old: model.Chart, new: model.Chart, old_set: model.ChartSet, new_set: model.ChartSet
) -> dict[str, str]:
    """States of which nothing but the name is another one. Names that one side lacks count as one name."""
    gone = [name for name in old.states if name not in new.states]
    came = [name for name in new.states if name not in old.states]
    before = _by_meaning(old, gone, Meaning(old, named(old, old_set), {old.name: dict.fromkeys(gone, "")}))
    after = _by_meaning(new, came, Meaning(new, named(new, new_set), {new.name: dict.fromkeys(came, "")}))
    return {before[key]: after[key] for key in before if key in after}


def _by_meaning(chart: model.Chart, names: Iterable[str], meaning: Meaning) -> dict[Hashable, str]:
    """States by their meaning, without those that share it."""
    found: dict[Hashable, list[str]] = {}
    for name in names:
        found.setdefault(meaning.state_itself(chart.states[name]), []).append(name)
    return {key: same[0] for key, same in found.items() if len(same) == 1}


# -- one chart -------------------------------------------------------------------------------------------


class _Charts:
    """Compares one chart with its successor."""

    def __init__(
        self,
        old_set: model.ChartSet,
        new_set: model.ChartSet,
        old: model.Chart,
        new: model.Chart,
        renamed: Renamed,
    ) -> None:
        self._old, self._new = old, new
        self._names = renamed[new.name]
        self._before = Meaning(old, named(old, old_set), renamed)
        self._after = Meaning(new, named(new, new_set))

    def facts(self) -> Iterator[Fact]:
        old, new = self._old, self._new
        if set(old.scopes) != set(new.scopes):
            yield Fact("changed", "scope", "", old.scopes, new.scopes)
        yield from _guards(self._before, self._after, (*new.guards, *old.guards), [new])
        for before, after in self._names.items():
            yield Fact("changed", "name", after, before, after)
        was = {self._names.get(name, name): state for name, state in old.states.items()}
        for name, state in new.states.items():
            if name in was:
                yield from self._state(was[name], state)
            else:
                yield Fact("added", "state", name, None, state)
        for name, state in was.items():
            if name not in new.states:
                yield Fact("removed", "state", name, state, None)
        yield from _invariants(self._before, self._after, old.invariants, new.invariants)

    def _state(self, old: model.State, new: model.State) -> Iterator[Fact]:
        before, after, name = self._before, self._after, new.name
        parent, initial = before.state(old.parent), before.state(old.initial)
        if parent != new.parent:
            yield Fact("changed", "parent", name, parent, new.parent)
        if initial != new.initial:
            yield Fact("changed", "initial", name, initial, new.initial)
        if old.status != new.status:
            yield Fact("changed", "status", name, old.status, new.status)
        had, has = ({tag for tag, _ in state.tags} for state in (old, new))
        if had != has:
            yield Fact("changed", "tags", name, tuple(sorted(had - has)), tuple(sorted(has - had)))
        if old.final != new.final:
            yield Fact("changed", "final", name, old.final, new.final)
        if before.uses(old.entry) != after.uses(new.entry):
            yield Fact("changed", "entry", name, old.entry, new.entry)
        if before.uses(old.exit) != after.uses(new.exit):
            yield Fact("changed", "exit", name, old.exit, new.exit)
        yield from self._transitions(old, new)

    # -- transitions -------------------------------------------------------------------------------------

    def _transitions(self, old: model.State, new: model.State) -> Iterator[Fact]:
        before, after = _rivals(self._before, old), _rivals(self._after, new)
        self._match_timers(before, after)
        for trigger in dict.fromkeys((*after, *before)):
            olds, news = before.get(trigger, []), after.get(trigger, [])
            pairs = self._pairs(olds, news)
            for one in news:
                was = next((first for first, second in pairs if second is one), None)
                if was is None:
                    yield Fact("added", "transition", new.name, None, one)
                elif not self._same(was, one):
                    yield Fact("changed", "transition", new.name, was, one)
            kept = [first for first, _ in pairs]
            for one in olds:
                if not any(one is first for first in kept):
                    yield Fact("removed", "transition", new.name, one, None)
            if self._other_order(olds, pairs):
                places = {id(second): place_of(first, olds) for first, second in pairs}
                yield Fact(
                    "changed", "order", new.name, tuple(places.get(id(one)) for one in news), tuple(news)
                )

    def _match_timers(
        self, before: dict[Hashable, list[model.Transition]], after: dict[Hashable, list[model.Transition]]
    ) -> None:
        """A timer with another delay is the same timer: if it does the same, or if there is no other."""
        for kind in ("after", "every", "at"):
            olds = [key for key, ones in before.items() if key not in after and ones[0].kind == kind]
            news = [key for key, ones in after.items() if key not in before and ones[0].kind == kind]
            for key in olds:
                body = [self._before.transition(one) for one in before[key]]
                same = [
                    other for other in news if body == [self._after.transition(one) for one in after[other]]
                ]
                match = next(iter(same or (news if len(olds) == len(news) == 1 else ())), None)
                if match is not None:
                    news.remove(match)
                    before[match] = before.pop(key)

    def _pairs(
        self, olds: Sequence[model.Transition], news: Sequence[model.Transition]
    ) -> list[tuple[model.Transition, model.Transition]]:
        """Which of the new ones is which of the old ones, the most alike first; in the new order.

        What stayed in line comes before all, since a change may have made one equal to another one.
        """
        before, after = self._before, self._after
        lists = list(map(before.transition, olds)), list(map(after.transition, news))
        blocks = SequenceMatcher(None, *lists, autojunk=False).get_matching_blocks()
        found = [(olds[one + n], news[other + n]) for one, other, size in blocks for n in range(size)]
        alike = (
            lambda one, other: before.transition(one) == after.transition(other),
            lambda one, other: self._same_guard(one, other) and before.state(one.target) == other.target,
            self._same_guard,
            lambda one, other: before.effect(one) == after.effect(other),
            lambda one, other: before.state(one.target) == other.target,
            lambda _one, _other: len(olds) == len(news) == 1,
        )
        old_left = [one for one in olds if not any(one is first for first, _ in found)]
        new_left = [one for one in news if not any(one is second for _, second in found)]
        for test in alike:
            for other in list(new_left):
                one = next((one for one in old_left if test(one, other)), None)
                if one is not None:
                    found.append((one, other))
                    old_left = [left for left in old_left if left is not one]
                    new_left = [left for left in new_left if left is not other]
        return sorted(found, key=lambda pair: place_of(pair[1], news))

    def _same(self, one: model.Transition, other: model.Transition) -> bool:
        timing = self._before.trigger(one) == self._after.trigger(other)
        return (
            timing and self._same_guard(one, other) and self._before.effect(one) == self._after.effect(other)
        )

    def _same_guard(self, one: model.Transition, other: model.Transition) -> bool:
        """Also when a guard they both name has changed: that is a fact of its own."""
        return same_condition(self._before, self._after, one.guard, other.guard)

    def _other_order(
        self,
        olds: Sequence[model.Transition],
        pairs: Sequence[tuple[model.Transition, model.Transition]],
    ) -> bool:
        """Whether two of different effect are tried the other way round."""
        return any(
            place_of(first[0], olds) > place_of(second[0], olds)
            and self._after.effect(first[1]) != self._after.effect(second[1])
            for first, second in combinations(pairs, 2)
        )


def same_condition(before: Meaning, after: Meaning, old: model.Expr | None, new: model.Expr | None) -> bool:
    """Whether two conditions mean the same, or name the same guards in the same way."""
    if before.expression(old) == after.expression(new):
        return True
    return before.as_written().expression(old) == after.as_written().expression(new)


def place_of(one: model.Transition, rivals: Sequence[model.Transition]) -> int:
    """The place in which it is tried, from 1; by identity, since two may be equal."""
    return next(number for number, other in enumerate(rivals, 1) if other is one)


def _rivals(meaning: Meaning, state: model.State) -> dict[Hashable, list[model.Transition]]:
    found: dict[Hashable, list[model.Transition]] = {}
    for one in state.transitions:
        found.setdefault(meaning.trigger(one), []).append(one)
    return found


# -- what charts and index.yaml have in common -----------------------------------------------------------


def _guards(
    before: Meaning, after: Meaning, names: Iterable[str], charts: Sequence[model.Chart]
) -> Iterator[Fact]:
    """Named guards that mean something else by themselves, with the transitions that ask them."""
    for name in dict.fromkeys(names):
        was, now = before.guards.get(name), after.guards.get(name)
        if was is None or now is None or same_condition(before, after, was, now):
            continue
        users = tuple(
            (chart.name, one)
            for chart in charts
            if after.chart is chart or name not in chart.guards
            for one in chart.transitions()
            if one.guard is not None and _asks(one.guard, name, {**after.guards, **chart.guards})
        )
        yield Fact("changed", "guard", name, was, now, users)


def _asks(expr: model.Expr, name: str, guards: Mapping[str, model.Expr]) -> bool:
    """Whether a condition asks a named guard, itself or through another one."""
    names = {part.name for part in model.parts(expr) if isinstance(part, model.Name)}
    return name in names or any(_asks(guards[other], name, guards) for other in names if other in guards)


def _invariants(
    before: Meaning, after: Meaning, old: Sequence[model.Invariant], new: Sequence[model.Invariant]
) -> Iterator[Fact]:
    """Promises; one that is worded as before is the same, even if a guard it names has changed."""
    had = {meaning.invariant(one) for meaning in (before, before.as_written()) for one in old}
    has = {meaning.invariant(one) for meaning in (after, after.as_written()) for one in new}
    gone = [one for one in old if not _means_one_of(before, one, has)]
    for one in new:
        if _means_one_of(after, one, had):
            continue
        was = next((other for other in gone if _same_promise(other, one)), None)
        gone = [other for other in gone if other is not was]
        yield Fact("changed" if was else "added", "invariant", "", was, one)
    for one in gone:
        yield Fact("removed", "invariant", "", one, None)


def _means_one_of(meaning: Meaning, one: model.Invariant, others: set[Hashable]) -> bool:
    return not others.isdisjoint((meaning.invariant(one), meaning.as_written().invariant(one)))


def _same_promise(one: model.Invariant, other: model.Invariant) -> bool:
    """One that was rewritten: of the same description, or about the same actions."""
    about = [{name for name, _ in invariant.whenever} for invariant in (one, other)]
    return bool(one.description and one.description == other.description) or bool(
        about[0] and about[0] == about[1]
    )


def _index(old: model.ChartSet, new: model.ChartSet, renamed: Renamed) -> Iterator[Fact]:
    yield from _members("chart", old.charts, new.charts)
    kept = [[name for name in one.charts if name in other.charts] for one, other in ((old, new), (new, old))]
    if kept[0] != kept[1]:
        yield Fact("changed", "charts", "", tuple(kept[0]), tuple(kept[1]))
    before, after = Meaning(None, old.guards, renamed), Meaning(None, new.guards)
    yield from _guards(before, after, new.guards, tuple(new.charts.values()))
    yield from _members("setting", old.settings, new.settings)
    for name in [name for name, value in new.settings.items() if name in old.settings]:
        values = old.settings[name], new.settings[name]
        if (type(values[0]), values[0]) != (type(values[1]), values[1]):
            yield Fact("changed", "setting", name, *values)
    yield from _pins("input", old.inputs, new.inputs)
    yield from _pins("output", old.outputs, new.outputs)
    yield from _invariants(before, after, old.invariants, new.invariants)


def _pins(subject: Subject, old: Mapping[str, model.Pin], new: Mapping[str, model.Pin]) -> Iterator[Fact]:
    yield from _members(subject, old, new)
    for name, pin in new.items():
        if name in old and old[name].scope != pin.scope:
            yield Fact("changed", subject, name, old[name], pin)


def _members(subject: Subject, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Fact]:
    """What came and what went."""
    for name, value in new.items():
        if name not in old:
            yield Fact("added", subject, name, None, value)
    for name, value in old.items():
        if name not in new:
            yield Fact("removed", subject, name, value, None)
