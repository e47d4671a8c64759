"""Rules about the statuses a chart shows: which may follow which.

A chart shows the status of the leaf it rests in; a leaf without one leaves it as it was. So a change is a
pair of statuses: that which was shown, and that of the leaf where the next step ends. The search plays every
step of a chart: from a leaf, on a trigger, by way of `always` to where it rests, with every answer of the
guards that the answers before, the event and what is known of the facts allow.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from charger.statechart import model
from charger.statechart.findings import Finding
from charger.statechart.logic import Logic, Search, Values, Variable, Where
from charger.statechart.model import Chart, ChartSet, Transition
from charger.statechart.words import Vocabulary

Facts: TypeAlias = frozenset[tuple[Variable, bool]]


def shown(chart: Chart) -> dict[str, frozenset[str]]:
    """The statuses that each leaf may show, if every guard may have any answer."""
    own = {leaf: status_of(chart, leaf) for leaf in chart.leaves}
    found = {leaf: frozenset({status} if status else ()) for leaf, status in own.items()}
    changed = True
    while changed:
        changed = False
        for leaf in chart.leaves:
            for transition in (t for state in chart.lineage(leaf) for t in state.transitions):
                if transition.target:
                    ended = chart.initial_leaf(transition.target)
                    if own[ended] is None and not found[leaf] <= found[ended]:
                        found[ended] |= found[leaf]
                        changed = True
    return found


def status_of(chart: Chart, leaf: str) -> str | None:
    """The status of a leaf: its own, or that of the nearest state around it that has one."""
    return next((state.status for state in chart.lineage(leaf) if state.status is not None), None)


class _Rest(NamedTuple):
    """Where a chart may rest."""

    leaf: str
    status: str
    """The one shown."""
    facts: Facts
    """What is known of the facts that only charts change."""


class _Step(NamedTuple):
    """One way in which a step may go."""

    taken: Transition
    """The first transition; ``always`` ones follow."""
    path: tuple[str, ...]
    """The leaves it comes to, the last of which it rests in."""
    facts: Facts


_End: TypeAlias = tuple[Transition | None, tuple[str, ...], Facts]
"""The same, where perhaps nothing is taken."""
_Way: TypeAlias = tuple[_Step, ...]
"""Steps that follow each other."""


def forbidden(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """forbidden-status: a step that changes the status as the protocol does not allow."""
    for chart in charts.charts.values():
        if "connector" in chart.scopes and any(state.status for state in chart.states.values()):
            yield from _findings(_Steps(charts, vocabulary, chart))


def _findings(steps: _Steps) -> Iterator[Finding]:
    follows = steps.vocabulary.follows
    todo = deque(_Rest(leaf, "", facts) for leaf, facts in steps.first())
    came: dict[_Rest, _Way] = dict.fromkeys(todo, ())
    bad: dict[tuple[str, int], tuple[str, _Way]] = {}
    while todo:
        rest = todo.popleft()
        after = {rest._replace(facts=facts): came[rest] for facts in steps.changed_elsewhere(rest.facts)}
        for step in steps.of(rest.leaf, rest.facts):
            own = steps.status[step.path[-1]]
            status = own or rest.status
            # Since the status was shown by the leaf that has it; those without one only kept it.
            way = (*(() if steps.status[rest.leaf] else came[rest]), step)
            if rest.status in follows and status not in follows[rest.status] | {rest.status}:
                cause = (rest.status, id(way[0].taken))  # the shortest of the many ways on from there
                if cause not in bad or len(way) < len(bad[cause][1]):
                    bad[cause] = status, way
            else:
                after.setdefault(_Rest(step.path[-1], status, step.facts), way)
        todo += [following for following in after if following not in came]
        for following, way in after.items():
            came.setdefault(following, way)
    for (before, _), (status, way) in bad.items():
        mark = way[-1].taken.mark
        yield Finding(mark, "forbidden-status", _message(before, status, way, follows), "warning")


def _message(before: str, status: str, way: _Way, follows: Mapping[str, frozenset[str]]) -> str:
    between = [one for one in sorted(follows[before]) if status in follows.get(one, ()) and one != "Faulted"]
    remedy = f": show {between[0]} in between" if between else ""
    leaves = " → ".join((way[0].path[0], *(leaf for step in way for leaf in step.path[1:])))
    return f"{status} may not follow {before} ({leaves}){remedy}"


class _Steps:
    """The steps of one chart."""

    def __init__(self, charts: ChartSet, vocabulary: Vocabulary, chart: Chart) -> None:
        self.chart = chart
        self.vocabulary = vocabulary
        self.status = {leaf: status_of(chart, leaf) for leaf in chart.leaves}
        self._logic = Logic(charts, vocabulary)
        self._own = Variable("leaf", chart.name)
        self._guards = {
            id(t): self._logic.written_out(t.guard, chart) for t in chart.transitions() if t.guard is not None
        }
        self._always = [self._guards[id(t)] for t in chart.transitions() if t.kind == "always" and t.guard]
        self._searches: dict[str, Search] = {}
        self._facts = self._only_by_charts()
        elsewhere = (other for other in charts.charts.values() if other is not chart)
        self._elsewhere = {
            tuple(self._changes([use])) for other in elsewhere for use in model.uses(other)
        } - {()}
        """What other charts may do to them at any moment."""
        self._accounted = {fact for word in vocabulary.events.values() for fact in word.makes} | {
            fact for word in vocabulary.actions.values() for fact in word.makes
        }
        """The facts of which it is known what changes them."""
        self._changed: dict[str, set[str]] = {}
        self._steps: dict[tuple[str, Facts], list[_Step]] = {}

    def _only_by_charts(self) -> frozenset[str]:
        """Facts that only actions change, to a certain value: in between they stay as they are."""
        by_events = {fact for word in self.vocabulary.events.values() for fact in word.makes}
        by_actions = [item for word in self.vocabulary.actions.values() for item in word.makes.items()]
        vague = {fact for fact, value in by_actions if value is None}
        parts = (part for guard in self._guards.values() for part in model.parts(guard))
        asked = {part.name for part in parts if isinstance(part, model.Name)}
        return frozenset({fact for fact, _ in by_actions} & asked - by_events - vague)

    def _changes(self, uses: Iterable[model.Use]) -> Iterator[tuple[Variable, bool]]:
        for use in uses:
            word = None if use.raises else self.vocabulary.actions.get(use.name)
            for fact, value in word.makes.items() if word else ():
                if fact in self._facts and value is not None:
                    yield Variable("fact", fact), value

    # -- steps -------------------------------------------------------------------------------------------

    def first(self) -> Iterator[tuple[str, Facts]]:
        """Where the chart may rest at first, whatever the facts are."""
        leaf = self.chart.initial_leaf()
        search, variables = self._search(None), [Variable("fact", name) for name in sorted(self._facts)]
        for values in itertools.product((False, True), repeat=len(variables)):
            known = dict(zip(variables, values, strict=True))
            for _, path, facts in self._ways(search, (leaf,), self.chart.candidates(leaf, "always"), known):
                yield path[-1], facts

    def changed_elsewhere(self, facts: Facts) -> Iterator[Facts]:
        """The facts after an action of another chart."""
        for changes in self._elsewhere:
            yield frozenset({**dict(facts), **dict(changes)}.items())

    def of(self, leaf: str, facts: Facts) -> list[_Step]:
        """The ways that a step from a leaf may go, without those that stay in it."""
        if (leaf, facts) not in self._steps:
            found: dict[tuple[int, str, Facts], _Step] = {}
            for trigger in self._triggers(leaf):
                for taken, path, after in self._of_trigger(leaf, trigger, facts):
                    if taken is not None:
                        found.setdefault((id(taken), path[-1], after), _Step(taken, path, after))
            self._steps[leaf, facts] = list(found.values())
        return self._steps[leaf, facts]

    def _of_trigger(self, leaf: str, trigger: Transition, facts: Facts) -> Iterator[_End]:
        search = self._search(trigger)
        known = {**dict(facts), **search.given}
        # No `always` was taken when the chart came to rest; what cannot have changed since still says so.
        resting = [t for t in self.chart.candidates(leaf, "always") if self._still_false(t, trigger)]
        for start in self._at_rest(search, leaf, resting, known):
            yield from self._ways(search, (leaf,), self.chart.candidates(leaf, trigger.key), start)

    def _still_false(self, always: Transition, trigger: Transition) -> bool:
        """Whether what a guard asks is as it was when the chart came to rest."""
        if trigger.kind != "on":
            return trigger.kind != "always"  # a timer changes nothing
        same = self._accounted - self._changed_with(trigger)
        plain = (model.And, model.Or, model.Not)
        return all(
            isinstance(part, plain) or (isinstance(part, model.Name) and part.name in same)
            for part in model.parts(self._guards[id(always)])
        )

    def _changed_with(self, trigger: Transition) -> set[str]:
        """The facts that an event may change, by itself and by what the charts do that hear it before."""
        if trigger.key not in self._changed:
            word = self.vocabulary.events.get(trigger.trigger)
            hearing = (
                chart
                for chart in self._logic.charts.charts.values()
                if any(t.key == trigger.key for t in chart.transitions())
            )
            names = {use.name for chart in hearing for use in model.uses(chart)}
            actions = (self.vocabulary.actions[name] for name in names & set(self.vocabulary.actions))
            self._changed[trigger.key] = {
                *(word.makes if word else ()),
                *(fact for action in actions for fact in action.makes),
            }
        return self._changed[trigger.key]

    def _at_rest(
        self, search: Search, leaf: str, candidates: Sequence[Transition], known: Values
    ) -> Iterator[Values]:
        """What may be known where none of these is taken."""
        here = {**known, self._own: leaf}
        for position, transition in enumerate(candidates):
            guard = self._guards.get(id(transition))
            answer = guard is None or search.decide(guard, here)
            if isinstance(answer, Variable):
                for value in search.values(answer):
                    yield from self._at_rest(search, leaf, candidates[position:], {**known, answer: value})
            if answer:
                return
        yield known

    def _triggers(self, leaf: str) -> list[Transition]:
        """One transition for every trigger that may lead away."""
        found: dict[str, Transition] = {}
        for state in self.chart.lineage(leaf):
            for transition in state.transitions:
                if transition.target or any(self._changes(transition.actions)):
                    found.setdefault(transition.key, transition)
        return list(found.values())

    def _search(self, trigger: Transition | None) -> Search:
        key = trigger.trigger if trigger and trigger.kind == "on" else ""
        if key not in self._searches:
            own = [self._guards[id(t)] for t in self.chart.transitions() if t.trigger == key and t.guard]
            self._searches[key] = Search(self._logic, Where(self.chart, (), trigger), [*self._always, *own])
        return self._searches[key]

    def _ways(
        self,
        search: Search,
        path: tuple[str, ...],
        candidates: Sequence[Transition],
        known: Values,
        taken: Transition | None = None,
    ) -> Iterator[_End]:
        """One for every different answer of the guards that are asked on the way."""
        here = {**known, self._own: path[-1]}
        for position, transition in enumerate(candidates):
            guard = self._guards.get(id(transition))
            answer = guard is None or search.decide(guard, here)
            if isinstance(answer, Variable):
                for value in search.values(answer):
                    decided = {**known, answer: value}
                    yield from self._ways(search, path, candidates[position:], decided, taken)
                return
            if answer:
                yield from self._follow(search, path, transition, known, taken or transition)
                return
        yield self._rest(path, known, taken)

    def _follow(
        self,
        search: Search,
        path: tuple[str, ...],
        transition: Transition,
        known: Values,
        taken: Transition,
    ) -> Iterator[_End]:
        if not transition.target:
            yield self._rest(path, self._after(known, transition.actions), taken)
            return
        leaf = self.chart.initial_leaf(transition.target)
        if leaf not in path[1:]:  # going round is another rule's business
            entered = (use for state in self.chart.entered(transition) for use in state.entry)
            known = self._after(known, (*transition.actions, *entered))
            yield from self._ways(search, (*path, leaf), self.chart.candidates(leaf, "always"), known, taken)

    def _rest(self, path: tuple[str, ...], known: Values, taken: Transition | None) -> _End:
        facts = frozenset(
            item for item in known.items() if item[0].kind == "fact" and item[0].name in self._facts
        )
        return taken, path, facts

    def _after(self, known: Values, uses: Iterable[model.Use]) -> Values:
        """What is known after these actions: what they set, without what they may have changed."""
        changed = dict(known)
        for use in uses:
            word = None if use.raises else self.vocabulary.actions.get(use.name)
            for fact, value in word.makes.items() if word else ():
                changed.pop(Variable("fact", fact), None)
                if value is not None:
                    changed[Variable("fact", fact)] = value
        return changed


RULES: tuple[Callable[[ChartSet, Vocabulary], Iterator[Finding]], ...] = (forbidden,)
