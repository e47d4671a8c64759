"""What the charts bring to an end by themselves, on every path.

Left alone means: signals are heard, timers run out, the Central System answers or fails to, in any order; the
hardware may keep silent, and nobody does anything new. The oracle is nobody's friend here: its answers are
those that would keep the end away.

A situation is sure to end if something under way leads, with each answer, to one that is over or sure to end.
Where every situation on the way is sure, every path ends: what is under way happens some time, each time that
happens the end is nearer, and whatever comes in between leads to a situation that is sure to end as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from charger.verify.explore import Breach, Exploration
from charger.verify.walker import Walker

UNDER_WAY = ("next", "timer", "answer")
"""What happens though nobody does anything."""


@dataclass(frozen=True, slots=True)
class Finish:
    """Something that has to end by itself once it is ending."""

    begun: str
    """The fact that it is ending."""
    until: str
    """The fact that is false when it is over."""
    text: str


def applies(walker: Walker, finish: Finish) -> bool:
    """Whether the view shows it: what brings the end about is walked, with all that it waits for."""
    return bool(walker.fact_positions(finish.begun)) and walker.decides(finish.until)


def unfinished(exploration: Exploration, finish: Finish) -> Iterator[Breach]:
    """The first situation that was found from which it may last for ever, with the shortest way there."""
    walker, order = exploration.walker, exploration.order
    if not applies(walker, finish):
        return
    mark = walker.mark_of(finish.begun)
    for begun, until in zip(
        walker.fact_positions(finish.begun), walker.fact_positions(finish.until), strict=True
    ):
        ending = [number for number, one in enumerate(order) if number and one[begun] and one[until]]
        sure = _sure_to_leave(exploration, ending)
        for number in ending:
            if order[number][begun] == 1 and number not in sure:
                yield Breach("left-open", finish.text, mark, exploration.way(number))
                return


def _sure_to_leave(exploration: Exploration, inside: list[int]) -> set[int]:
    """Those of the situations from which each path leads outside when all are left alone."""
    members = set(inside)
    waiting: list[tuple[int, set[int]]] = []
    """What may come about, of which situation, and where inside it may lead."""
    leading: dict[int, list[int]] = {number: [] for number in inside}
    """Situation → what leads there."""
    for number in inside:
        ways: dict[object, set[int]] = {}
        for happening, _, after in exploration.ahead(number):
            if happening.kind in UNDER_WAY:
                ways.setdefault(happening.asker or happening, set()).add(after)
        for ends in ways.values():
            for end in ends & members:
                leading[end].append(len(waiting))
            waiting.append((number, ends & members))
    sure = {number for number, ends in waiting if not ends}
    todo = list(sure)
    while todo:
        left = todo.pop()
        for way in leading[left]:
            number, ends = waiting[way]
            ends.discard(left)
            if not ends and number not in sure:
                sure.add(number)
                todo.append(number)
    return sure
