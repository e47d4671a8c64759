"""Rules about guards: what can never be taken, what always is, what goes round. `logic` does the thinking."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

from charger.statechart import model
from charger.statechart.findings import Finding
from charger.statechart.logic import Logic, Part, Values, Variable, Where
from charger.statechart.model import Chart, ChartSet, Expr, Transition
from charger.statechart.wording import expression_text
from charger.statechart.words import Vocabulary

MOST_LOOKS = 20_000
"""At the states of one knot of ``always`` transitions in the search for loops; then it is given up."""


# -- never and always ----------------------------------------------------------------------------------


def never_true(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """guard-never-true: parts of a guard that exclude each other, or what is never so where it is asked."""
    logic = Logic(charts, vocabulary)
    for chart, transition, guard in _guards(charts):
        where = Where(chart, chart.inside(transition.source), transition)
        if logic.find(where, [(guard, True)]) is None:
            yield Finding(guard.mark, "guard-never-true", _never(logic, where, guard))
    for where, invariant in _invariants(charts):
        if invariant.never and logic.find(where, [(invariant.never, True)]) is None:
            message = _never(logic, where, invariant.never) + ": this invariant promises nothing"
            yield Finding(invariant.never.mark, "guard-never-true", message)


def _never(logic: Logic, where: Where, guard: Expr) -> str:
    """Why: the fewest parts that cannot hold together."""
    parts = _conjuncts(logic.written_out(guard, where.chart))
    for part in tuple(parts):
        others = [one for one in parts if one is not part]
        if others and logic.find(where, [(one, True) for one in others]) is None:
            parts = others
    texts = [f"'{expression_text(part)}'" for part in parts]
    if len(texts) > 1:
        return f"{' and '.join(texts)} never hold together"
    trigger = where.trigger
    after = trigger is not None and trigger.kind == "on" and bool(logic.made(trigger))
    place = f" on '{trigger.trigger}'" if after and trigger else ""
    inside = f" in '{trigger.source}'" if trigger and trigger.source and not place else ""
    return f"{texts[0]} is never true{place}{inside}"


def _conjuncts(expr: Expr) -> list[Expr]:
    match expr:
        case model.And(parts=parts):
            return [one for part in parts for one in _conjuncts(part)]
        case model.Not(part=model.Or(parts=parts)):
            return [one for part in parts for one in _conjuncts(model.Not(part.mark, part))]
        case _:
            return [expr]


def always_true(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """guard-always-true: a guard that says nothing, as `event.type != Hard or event.type != Soft`."""
    logic = Logic(charts, vocabulary)
    for chart, transition, guard in _guards(charts):
        where = Where(chart, chart.inside(transition.source), transition)
        if logic.find(where, [(guard, False)]) is None:
            message = "this guard is true in every situation: leave it out, or say what is meant"
            yield Finding(guard.mark, "guard-always-true", message, "warning")


def _guards(charts: ChartSet) -> Iterator[tuple[Chart, Transition, Expr]]:
    for chart in charts.charts.values():
        for transition in chart.transitions():
            if transition.guard is not None:
                yield chart, transition, transition.guard


def _invariants(charts: ChartSet) -> Iterator[tuple[Where, model.Invariant]]:
    for invariant in charts.invariants:
        yield Where(None), invariant
    for chart in charts.charts.values():
        for invariant in chart.invariants:
            yield Where(chart), invariant


# -- competition ---------------------------------------------------------------------------------------


def never_taken(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """never-taken: whenever it could be, an earlier one is; or its state is left before it is heard."""
    logic = Logic(charts, vocabulary)
    for chart in charts.charts.values():
        resting = {leaf for leaf in chart.leaves if logic.rests(chart, leaf)}
        for transition in chart.transitions():
            if transition.kind != "always" and resting.isdisjoint(chart.inside(transition.source)):
                message = f"never taken: `always` leaves '{transition.source}' at once in every situation"
                yield Finding(transition.mark, "never-taken", message)
                continue
            finding = _beaten(logic, chart, transition, resting)
            if finding:
                yield finding


def _beaten(logic: Logic, chart: Chart, transition: Transition, resting: set[str]) -> Finding | None:
    """Only if it is beaten in every leaf in which it is heard."""
    wanted = [(transition.guard, True)] if transition.guard else []
    winners: list[Transition] = []
    for leaf in chart.inside(transition.source):
        if transition.kind != "always" and leaf not in resting:
            continue
        candidates = chart.candidates(leaf, transition.key)
        earlier = list(itertools.takewhile(lambda one: one is not transition, candidates))
        where = Where(chart, (leaf,), transition)
        if not earlier or _free(logic, where, earlier, wanted):
            return None
        if logic.find(where, wanted) is not None:
            fewest = _fewest(logic, where, earlier, wanted)
            winners += [one for one in fewest if all(one is not other for other in winners)]
    if not winners:
        return None  # its guard is never true, which is another finding
    return Finding(transition.mark, "never-taken", f"never taken: {_why(transition, winners)}")


def _free(logic: Logic, where: Where, earlier: Sequence[Transition], wanted: Sequence[Part]) -> bool:
    return logic.uncovered(where, earlier, wanted) is not None


def _fewest(
    logic: Logic, where: Where, earlier: Sequence[Transition], wanted: Sequence[Part]
) -> Sequence[Transition]:
    """Those that beat it, without those that need not be there."""
    for one in earlier:
        others = [other for other in earlier if other is not one]
        if others and not _free(logic, where, others, wanted):
            earlier = others
    return earlier


def _why(beaten: Transition, winners: Sequence[Transition]) -> str:
    lines = sorted({winner.mark.line for winner in winners})
    numbers = " and ".join(
        [", ".join(map(str, lines[:-1])), str(lines[-1])] if lines[1:] else [str(lines[0])]
    )
    if any(winner.source != beaten.source for winner in winners):
        own = "" if any(winner.guard for winner in winners) else ", without a guard"
        return f"every state inside answers '{beaten.trigger or 'always'}' itself{own}"
    if len(winners) > 1:
        return f"whenever it could be, one of those at lines {numbers} is, and they come first"
    (winner,) = winners
    if winner.guard is None:
        return f"the one at line {numbers} has no guard and comes first"
    if winner.guard_text == beaten.guard_text:
        return f"the one at line {numbers} has the same guard and comes first"
    return f"whenever its guard holds, so does that of the one at line {numbers}, which comes first"


def same_moment(charts: ChartSet, _vocabulary: Vocabulary) -> Iterator[Finding]:
    """same-moment: two timers started together for the same time, of which one leaves the state."""
    for chart in charts.charts.values():
        for state in chart.states.values():
            timers = [one for one in _entered_with(chart, state.name) if one.kind in ("after", "every")]
            for one, other in itertools.combinations(timers, 2):
                if state.name not in (one.source, other.source) or one.key == other.key:
                    continue
                leaving = any(timer.kind == "after" and timer.target for timer in (one, other))
                if leaving and one.delay == other.delay and not isinstance(one.delay, model.Backoff):
                    message = (
                        f"runs out together with the one at line {one.mark.line}, and nothing says which is "
                        "first: give them different times, or make them one"
                    )
                    yield Finding(other.trigger_mark, "same-moment", message, "warning")


def _entered_with(chart: Chart, name: str) -> Iterator[Transition]:
    """What a state and the first states inside it start together."""
    state: model.State | None = chart.states[name]
    while state is not None:
        yield from state.transitions
        state = (
            chart.states.get(state.initial or next(iter(state.children), ""), None)
            if state.children
            else None
        )


# -- loops ---------------------------------------------------------------------------------------------


def loops(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """eventless-loop: `always` transitions that chase each other without an event."""
    logic = Logic(charts, vocabulary)
    for chart in charts.charts.values():
        edges = {leaf: _eventless(chart, leaf) for leaf in chart.leaves}
        for knot in _knots(edges):
            loop = _loop_in(logic, chart, edges, knot)
            if loop:
                first = edges[loop[0]][0][0]
                message = f"`always` goes round without an event: {' → '.join([*loop, loop[0]])}"
                yield Finding(first.mark, "eventless-loop", message)


Edges = dict[str, list[tuple[Transition, str]]]


def _eventless(chart: Chart, leaf: str) -> list[tuple[Transition, str]]:
    return [
        (transition, chart.initial_leaf(transition.target))
        for transition in chart.candidates(leaf, "always")
        if transition.target in chart.states and transition.target
    ]


def _knots(edges: Edges) -> list[frozenset[str]]:
    """Sets of leaves that can reach each other by ``always`` alone."""

    def reach(start: str) -> set[str]:
        seen: set[str] = set()
        todo = [target for _, target in edges[start]]
        while todo:
            leaf = todo.pop()
            if leaf not in seen:
                seen.add(leaf)
                todo += [target for _, target in edges[leaf]]
        return seen

    reached = {leaf: reach(leaf) for leaf in edges}
    cyclic = [leaf for leaf in edges if leaf in reached[leaf]]
    knots = {frozenset(b for b in cyclic if b in reached[a] and a in reached[b]) for a in cyclic}
    return sorted(knots, key=sorted)


def _loop_in(logic: Logic, chart: Chart, edges: Edges, knot: frozenset[str]) -> list[str] | None:
    """A loop for some situation in a knot: nothing but the state of this chart changes on the way.

    It is looked for from the first of its leaves, in the order of their names.
    """
    guards = {
        id(transition): logic.written_out(transition.guard, chart)
        for leaf in knot
        for transition, _ in edges[leaf]
        if transition.guard is not None
    }
    search = logic.search(Where(chart), guards.values())
    own = Variable("leaf", chart.name)
    looks = MOST_LOOKS

    def follow(path: list[str], known: Values) -> list[str] | None:
        nonlocal looks
        looks -= 1
        leaf = path[-1]
        here = {**known, own: leaf}
        for transition, target in edges[leaf]:
            guard = guards.get(id(transition))
            answer = guard is None or search.decide(guard, here)
            if isinstance(answer, Variable):
                decided = ({**known, answer: value} for value in search.values(answer))
                return next(filter(None, (follow(path, one) for one in decided)), None) if looks > 0 else None
            if answer:
                if target == path[0]:
                    return path
                inside = target in knot and target not in path and target > path[0]
                return follow([*path, target], known) if inside else None
        return None

    return next(filter(None, (follow([leaf], search.given) for leaf in sorted(knot))), None)


RULES: tuple[Callable[[ChartSet, Vocabulary], Iterator[Finding]], ...] = (
    *(never_true, always_true, never_taken, same_moment, loops),
)
