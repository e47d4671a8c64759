"""Promises about ways: from every situation there is a way back.

A graph that is finite ends in knots that nobody leaves any more. There is a way from everywhere to a goal
just if every such knot has it. Strangers are believed to help: what is found wanting here is wanting for
sure. A knot in which signals always wait is a step that never ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from charger.statechart.findings import Mark
from charger.verify.explore import Breach, Exploration, Step
from charger.verify.walker import Walker


@dataclass(frozen=True, slots=True)
class Goal:
    """Something to which there has to be a way from everywhere."""

    rule: str
    text: str
    mark: Mark
    reached: Callable[[bytes], bool]


def judge(exploration: Exploration, eventually: dict[str, str]) -> Iterator[Breach]:
    """Every goal that cannot be reached from some situation, with the shortest way to such a one.

    Args:
        exploration: a complete one.
        eventually: facts that can always become false again → the promise in words.
    """
    if len(exploration.order) == 1:
        return  # it does not even start, and that is told
    knots: list[list[int]] = []
    endless: list[list[int]] = []
    for knot in last_knots(exploration):
        restless = all(exploration.walker.waiting(exploration.order[number]) for number in knot)
        (endless if restless else knots).append(knot)
    if endless:
        yield _endless(exploration, {number for knot in endless for number in knot})
    for goal in goals(exploration.walker, eventually):
        if all(any(goal.reached(exploration.order[number]) for number in knot) for knot in knots):
            continue
        doomed = _doomed(exploration, goal)
        yield Breach(goal.rule, goal.text, goal.mark, exploration.way(doomed))
    for knot in knots:
        yield from _traps(exploration, knot)


def goals(walker: Walker, eventually: dict[str, str]) -> Iterator[Goal]:
    """What has to be reachable from everywhere."""
    for chart, number, position in walker.places():
        for invariant in chart.invariants:
            if invariant.home:
                codes = {
                    walker.leaf_code(position, leaf)
                    for leaf in chart.leaves
                    if invariant.home in chart.path(leaf)
                }
                where = f" (connector {number})" if number else ""
                text = f"from everywhere there is a way back to {chart.name}.{invariant.home}{where}"
                yield Goal("home", text, invariant.mark, _at(position, frozenset(codes)))
        for transition in chart.transitions():
            if transition.reply and transition.reply.kind == "later":
                owed = walker.debt_position(transition.trigger, number)
                text = f"the answer to {transition.trigger} that is owed can always be given"
                yield Goal("call-unpaid", text, transition.reply.mark, _at(owed, frozenset({0})))
    for fact, text in eventually.items():
        for position in walker.fact_positions(fact):
            yield Goal("always-over", text, walker.mark_of(fact), _at(position, frozenset({0, 2})))


def _at(position: int, codes: frozenset[int]) -> Callable[[bytes], bool]:
    return lambda situation: situation[position] in codes


def _endless(exploration: Exploration, knots: set[int]) -> Breach:
    """Signals that bring about each other, with the way once round."""
    order, walker = exploration.order, exploration.walker
    way, here = list(exploration.way(min(knots))), min(knots)
    seen: dict[int, str] = {}
    while here not in seen:
        seen[here] = walker.waiting(order[here])[0]
        happening, script, here = next(iter(exploration.ahead(here)))
        way.append(Step(happening, script))
    names = list(seen.values())[list(seen).index(here) :]
    text = f"the step does not come to rest: {' → '.join((*names, names[0]))} → …"
    return Breach("endless-step", text, walker.mark_of_signal(names[0]), tuple(way))


def _traps(exploration: Exploration, knot: list[int]) -> Iterator[Breach]:
    """States in which a chart stays for ever, and that are not final."""
    walker, order = exploration.walker, exploration.order
    for chart, _, position in walker.places():
        codes = {order[number][position] for number in knot}
        if len(codes) > 1 or len(chart.leaves) < 2:
            continue
        code = codes.pop()
        leaf = walker.leaf_name(position, code)
        homes = {invariant.home for invariant in chart.invariants}
        state = chart.states[leaf]
        if state.final or homes & set(chart.path(leaf)):
            continue
        text = f"'{chart.name}.{leaf}' can always be left"
        goal = Goal("no-way-out", text, state.mark, lambda s, p=position, c=code: s[p] != c)  # type: ignore[misc]
        yield Breach(goal.rule, text, state.mark, exploration.way(_doomed(exploration, goal)))


def _doomed(exploration: Exploration, goal: Goal) -> int:
    """The first situation that was found from which there is no way to the goal."""
    order, following = exploration.order, exploration.following
    before: list[list[int]] = [[] for _ in order]
    for number, ones in enumerate(following):
        for one in ones:
            before[one].append(number)
    saved = {number for number, situation in enumerate(order) if number and goal.reached(situation)}
    todo = list(saved)
    while todo:
        for number in before[todo.pop()]:
            if number not in saved:
                saved.add(number)
                todo.append(number)
    return next(number for number in range(1, len(order)) if number not in saved)


def last_knots(exploration: Exploration) -> list[list[int]]:
    """The strongly connected parts of the graph that nothing leads out of (Tarjan, without recursion)."""
    following = exploration.following
    index = [0] * len(following)
    low = [0] * len(following)
    on_stack = bytearray(len(following))
    stack: list[int] = []
    knots: list[list[int]] = []
    count = 0
    part_of = [-1] * len(following)
    parts = 0
    for root in range(len(following)):
        if index[root]:
            continue
        work = [(root, 0)]
        while work:
            node, child = work.pop()
            if child == 0:
                count += 1
                index[node] = low[node] = count
                stack.append(node)
                on_stack[node] = 1
            ones = following[node]
            if child:
                low[node] = min(low[node], low[ones[child - 1]])
            while child < len(ones):
                one = ones[child]
                child += 1
                if not index[one]:
                    work += [(node, child), (one, 0)]
                    break
                if on_stack[one]:
                    low[node] = min(low[node], index[one])
            else:
                if low[node] == index[node]:
                    members = []
                    while True:
                        one = stack.pop()
                        on_stack[one] = 0
                        part_of[one] = parts
                        members.append(one)
                        if one == node:
                            break
                    if all(part_of[one] == parts for member in members for one in following[member]):
                        knots.append(members)
                    parts += 1
    return knots
