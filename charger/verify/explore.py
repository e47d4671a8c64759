"""Breadth first through every situation of a view: the first way to a broken promise is a shortest one.

Kept for each situation: the step that led to it first, and where steps lead from it. Promises about ways back
are judged at the end, on that graph (`charger.verify.judge`). A walk that was stopped can go on later.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from charger.statechart.findings import Mark
from charger.verify.happenings import Happening
from charger.verify.outcomes import Outcomes
from charger.verify.walker import Walker
from charger.verify.world import Broken

REPORT_EVERY: Final = 200
"""Situations between two reports of progress."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happens, and what the oracle says to what is asked meanwhile."""

    happening: Happening
    script: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Breach:
    """A promise that is broken, and the shortest way there from the start of the program."""

    rule: str
    text: str
    mark: Mark
    way: tuple[Step, ...]


class Exploration:
    """One walk through one view."""

    def __init__(self, walker: Walker) -> None:
        self.walker = walker
        self.order: list[bytes] = [walker.blank()]
        """Every situation, as it was found; the first is the one before the start."""
        self.came: list[tuple[int, int, tuple[int, ...]]] = [(0, 0, ())]
        """For each: from which it was reached first, by which happening, with which answers."""
        self.following: list[array[int]] = []
        """For each that was looked at: those that may come next, perhaps itself."""
        self.happened: list[Happening] = []
        self.breaches: dict[tuple[str, str, int], Breach] = {}
        self.steps = 0
        self._outcomes = Outcomes(walker)
        self._known = {self.order[0]: 0}
        self._happening_numbers: dict[Happening, int] = {}

    @property
    def complete(self) -> bool:
        """Every situation was looked at."""
        return len(self.following) == len(self.order)

    def walk(
        self,
        limit: int,
        progress: Callable[[int, int], object] = lambda _done, _known: None,
        until: str | None = None,
    ) -> None:
        """Look at situations until there are none left.

        Args:
            limit: of situations; beyond it the walk stops unfinished.
            progress: told how many were looked at, and how many are known.
            until: stop when a promise of this rule is broken.
        """
        while not self.complete and len(self.order) < limit and not self._broke(until):
            here = len(self.following)
            if here % REPORT_EVERY == 0:
                progress(here, len(self.order))
            reached: set[int] = set()
            for happening, outcome, after in self._outcomes.of(self.order[here]):
                self.steps += outcome.steps
                reached.add(self._reached(after, here, happening, outcome.script))
                if outcome.broken:
                    self._broken(outcome.broken, here, Step(happening, outcome.script))
            self.following.append(array("I", sorted(reached)))
        progress(len(self.following), len(self.order))

    def _broke(self, rule: str | None) -> bool:
        return any(broken == rule for broken, _, _ in self.breaches)

    def _reached(self, after: bytes, here: int, happening: Happening, script: tuple[int, ...]) -> int:
        number = self._known.get(after)
        if number is None:
            number = self._known[after] = len(self.order)
            self.order.append(after)
            self.came.append((here, self._number(happening), script))
        return number

    def _broken(self, broken: Broken, here: int, last: Step) -> None:
        key = (broken.rule, broken.mark.file, broken.mark.line)
        if key not in self.breaches:
            self.breaches[key] = Breach(broken.rule, broken.text, broken.mark, (*self.way(here), last))

    def _number(self, happening: Happening) -> int:
        number = self._happening_numbers.get(happening)
        if number is None:
            number = self._happening_numbers[happening] = len(self.happened)
            self.happened.append(happening)
        return number

    def way(self, situation: int) -> tuple[Step, ...]:
        """The shortest way to a situation."""
        way = []
        while situation:
            situation, happening, script = self.came[situation]
            way.append(Step(self.happened[happening], script))
        return tuple(reversed(way))

    def ahead(self, situation: int) -> Iterator[tuple[Happening, tuple[int, ...], int]]:
        """What may happen in a situation that was looked at, with which answers, and where that leads."""
        for happening, outcome, after in self._outcomes.of(self.order[situation]):
            yield happening, outcome.script, self._known[after]

    # -- going on later ----------------------------------------------------------------------------------

    def as_data(self) -> dict[str, Any]:
        """The walk as it stands, for JSON."""
        return {
            "order": [situation.hex() for situation in self.order],
            "came": self.came,
            "following": [list(numbers) for numbers in self.following],
            "happened": [_plain(happening) for happening in self.happened],
            "steps": self.steps,
            "signals": self.walker.signals(),
            "breaches": [
                [b.rule, b.text, [b.mark.file, b.mark.line, b.mark.column, b.mark.length], _plain_way(b.way)]
                for b in self.breaches.values()
            ],
        }

    def go_on(self, data: dict[str, Any]) -> None:
        """Take up a walk where it was stopped."""
        self.walker.know_signals(data["signals"])
        self.order = [bytes.fromhex(text) for text in data["order"]]
        self.came = [(before, happening, tuple(script)) for before, happening, script in data["came"]]
        self.following = [array("I", numbers) for numbers in data["following"]]
        self.happened = [_happening(one) for one in data["happened"]]
        self.steps = data["steps"]
        self._known = {situation: number for number, situation in enumerate(self.order)}
        self._happening_numbers = {happening: number for number, happening in enumerate(self.happened)}
        for rule, text, mark, way in data["breaches"]:
            steps = tuple(Step(_happening(one), tuple(script)) for one, script in way)
            breach = Breach(rule, text, Mark(*mark), steps)
            self.breaches[rule, breach.mark.file, breach.mark.line] = breach


def _plain(happening: Happening) -> list[Any]:
    return [happening.kind, happening.name, happening.connector, happening.fields, happening.asker]


def _plain_way(way: tuple[Step, ...]) -> list[Any]:
    return [[_plain(step.happening), step.script] for step in way]


def _happening(data: list[Any]) -> Happening:
    kind, name, connector, fields, asker = data
    told = tuple((field, value) for field, value in fields)
    return Happening(kind, name, connector, told, asker and (asker[0], asker[1]))
