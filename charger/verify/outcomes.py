"""What comes of a situation, worked out once for all situations that a step cannot tell apart.

A step looks at some of the facts, one after the other; which it looks at next follows from what it has seen
so far, and from all that is not a fact. So what came of a happening is kept in a tree: at each node a fact,
below it the values that it had, at the end what came. A situation that differs in nothing but facts, and
leads down the same branches, has the same outcomes; the facts that nobody looked at stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias

from charger.verify.happenings import Happening
from charger.verify.walker import Walker
from charger.verify.world import Broken

START: Final = Happening("start", "station.started")


class Outcome(NamedTuple):
    """What a sequence of the oracle's answers brings about."""

    script: tuple[int, ...]
    broken: Broken | None
    """A promise that is broken in this step."""
    steps: int
    """As many sequences bring it about; the script is the first of them."""
    head: bytes
    """Of the situation afterwards: what stands before the facts."""
    kept: int
    """Which bits of the facts are as they were."""
    facts: int
    """The other ones."""
    tail: bytes
    """What stands behind the facts."""


@dataclass(slots=True)
class _Look:
    """A fact that was looked at, and what follows each value (None: not seen yet)."""

    fact: int
    branches: list[_Tree | None] = field(default_factory=lambda: [None, None, None])


_Tree: TypeAlias = _Look | tuple[Outcome, ...]


class Outcomes:
    """What may come of the situations of one walker."""

    def __init__(self, walker: Walker) -> None:
        self._walker = walker
        self._start, self._end = walker.facts_at
        self._blank = walker.blank()
        self._trees: dict[tuple[bytes, bytes], list[tuple[Happening, list[_Tree | None]]]] = {}
        self.worked_out = 0
        """How many steps had to be made."""

    def of(self, situation: bytes) -> Iterator[tuple[Happening, Outcome, bytes]]:
        """All that may happen, what may come of it, and the situation afterwards."""
        head, facts, tail = self._parts(situation)
        many, number = len(facts), int.from_bytes(facts, "big")
        for happening, root in self._trees_of(situation, head, tail):
            node = root[0]
            while isinstance(node, _Look):
                node = node.branches[facts[node.fact]]
            for outcome in self._work_out(situation, happening, root) if node is None else node:
                after = (number & outcome.kept | outcome.facts).to_bytes(many, "big")
                yield happening, outcome, outcome.head + after + outcome.tail

    def _parts(self, situation: bytes) -> tuple[bytes, bytes, bytes]:
        return situation[: self._start], situation[self._start : self._end], situation[self._end :]

    def _trees_of(
        self, situation: bytes, head: bytes, tail: bytes
    ) -> list[tuple[Happening, list[_Tree | None]]]:
        trees = self._trees.get((head, tail))
        if trees is None:
            self._walker.put_into(situation)
            happenings = self._walker.may_happen() if any(head) else [START]
            trees = self._trees[head, tail] = [(happening, [None]) for happening in happenings]
        return trees

    def _work_out(
        self, situation: bytes, happening: Happening, root: list[_Tree | None]
    ) -> tuple[Outcome, ...]:
        """Let it happen with all answers of the oracle."""
        walker, world = self._walker, self._walker.world
        walker.put_into(situation)
        world.looked.clear()
        found: dict[Any, Outcome] = {}
        script: list[int] | None = None if walker.changes_nothing(happening) else []
        while script is not None:
            walker.put_into(situation)
            world.begin(script)
            kept = 0
            try:
                broken = walker.run(happening)
            except Broken as fatal:  # the station starts anew
                broken, after = fatal.with_traceback(None), self._blank
            else:
                after, kept = walker.situation(), self._kept()
            head, facts, tail = self._parts(after)
            told = (head, kept, int.from_bytes(facts, "big") & ~kept, tail)
            key = (told, broken and (broken.rule, broken.mark))
            first = found.get(key) or Outcome(tuple(world.script), broken, 0, *told)
            found[key] = first._replace(steps=first.steps + 1)
            self.worked_out += 1
            endless = broken is not None and broken.rule == "endless-step"
            script = None if endless else world.following()  # nor would it end with most other answers
        outcomes = tuple(found.values())
        self._graft(situation, root, outcomes)
        return outcomes

    def _kept(self) -> int:
        """The bits of the facts that were neither looked at nor set."""
        world = self._walker.world
        touched = world.looked.keys() | world.set_to
        return int.from_bytes(bytes(0 if n in touched else 255 for n in range(len(world.values))), "big")

    def _graft(self, situation: bytes, root: list[_Tree | None], end: tuple[Outcome, ...]) -> None:
        holder, slot = root, 0
        for fact in self._walker.world.looked:
            node = holder[slot]
            if node is None:
                node = holder[slot] = _Look(fact)
            if not isinstance(node, _Look) or node.fact != fact:
                raise RuntimeError(f"a step looked at fact {fact} out of order")
            holder, slot = node.branches, situation[self._start + fact]
        holder[slot] = end
