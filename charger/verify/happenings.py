"""What may happen around a view: hardware, people, the Central System, and charts that are not walked.

Nothing is believed of any of them: an event may come at any time, with any of the fields that guards can tell
apart. Happenings that nobody in the view could tell from each other are one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from charger.statechart import model
from charger.statechart.effects import DEBTS, Effect, parse_effects
from charger.statechart.words import EventWord, Vocabulary
from charger.verify.abstraction import Abstraction, strangers

ELSEWHERE: Final = "elsewhere"
"""The name of a move outside of the view that is no word."""
OTHER: Final = 2
"""The number of the connectors that are not walked."""
LATE: Final = "queue.answered"
"""The answer that may come after its time, and is for nobody in particular then."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that may happen in a situation."""

    kind: str
    """``start``, ``event``, ``call``, ``timer``, ``answer``, ``signal``, ``elsewhere``; or ``next``: the step
    goes on with the signal that waits."""
    name: str
    """The event, the key of the timer, or the word that was performed elsewhere."""
    connector: int | None = None
    fields: tuple[tuple[str, Any], ...] = ()
    asker: tuple[int, str] | None = None
    """Of an answer: which instance asked, with which action."""


NEXT: Final = Happening("next", "next")


class Surroundings:
    """Everything that may happen to a view, other than its own timers and answers."""

    def __init__(
        self, original: model.ChartSet, abstraction: Abstraction, vocabulary: Vocabulary, heard: set[str]
    ) -> None:
        self._original = original
        self._view = abstraction.view
        self._words = vocabulary
        self._heard = heard
        self._tracked = abstraction.tracked
        self._told = abstraction.fields
        self._effects = {name: parse_effects(word.effects) for name, word in vocabulary.events.items()}
        self._acts = {name: parse_effects(word.effects) for name, word in vocabulary.actions.items()}
        self._elsewhere: dict[str, tuple[Effect, ...]] = {ELSEWHERE: ()}

    def effects(self, happening: Happening) -> tuple[Effect, ...]:
        """What it does to facts."""
        if happening.kind == "elsewhere":
            return self._elsewhere[happening.name]
        return self.effects_of_event(happening.name)

    def effects_of_event(self, name: str) -> tuple[Effect, ...]:
        """What an event reports."""
        return self._effects.get(name, ())

    def effects_of_action(self, name: str) -> tuple[Effect, ...]:
        """What an action does."""
        return self._acts[name]

    def answered_here(self, call: str, scope: str) -> bool:
        """Whether a chart of the view is asked for the answer to that call."""
        within = [chart for chart in self._original.charts.values() if scope in chart.scopes]
        named = any(t.key == f"on {call}" for chart in within for t in chart.transitions())
        key = f"on {call}" if named else "on ocpp.*"
        return any(
            self._view.has(chart.name, scope)
            for chart in within
            if any(t.key == key and t.reply is not None for t in chart.transitions())
        )

    def everything(self) -> Iterator[Happening]:
        """All of it, in an order that is always the same."""
        correlated = {
            answer for word in self._words.actions.values() if word.correlated for answer in word.answers
        }
        yield Happening("elsewhere", ELSEWHERE)
        for name, word in self._words.events.items():
            effects = self._effects[name]
            touches = any(effect.fact == DEBTS for effect in effects) or bool(self._touched(effects))
            if word.replies is not None:
                yield from self._calls(name)
            elif name in correlated:  # for nobody, and still it changes facts
                if name == LATE and name in self._heard:
                    yield Happening("event", name)
                if touches:
                    self._elsewhere[name] = effects
                    yield Happening("elsewhere", name)
            elif name in self._heard or touches:
                yield from (Happening("event", name, number) for number in self._numbers_of(word))
        yield from self._strangers()

    def _touched(self, effects: Iterable[Effect]) -> list[str]:
        return [fact for fact in self._tracked if any(effect.concerns(fact) for effect in effects)]

    def _numbers_of(self, word: EventWord) -> Iterator[int | None]:
        if word.scope.value == "station":
            yield None
        else:
            yield from [1] * self._view.connector + [OTHER] * self._view.station
            yield from [0] * (word.scope.value == "both")

    def _calls(self, name: str) -> Iterator[Happening]:
        if name not in self._heard:
            return
        if self._view.station:
            yield Happening("call" if self.answered_here(name, "station") else "event", name, 0)
        if self._view.connector:
            kind = "call" if self.answered_here(name, "connector") else "event"
            yield Happening(kind, name, 1, (("connectorId", 1),))

    def _strangers(self) -> Iterator[Happening]:
        seen: set[Happening] = set()
        for chart, scope in strangers(self._original, self._view):
            other = scope == "connector" and self._view.has(chart.name, scope)
            for use in model.uses(chart):
                told = self._told if use.raises else self._words.actions[use.name].arguments
                fields = tuple(
                    (name, value.value)
                    for name, value in use.arguments
                    if isinstance(value, model.Const) and name in told
                )
                if use.raises:
                    places = self._signal_places(use, scope, other=other) if use.name in self._heard else ()
                    seen |= {Happening("signal", use.name, number, fields) for number in places}
                elif touched := self._touched(self._acts[use.name]):
                    self._elsewhere[use.name] = self._acts[use.name]
                    acts = self._act_places(scope, touched, other=other)
                    seen |= {Happening("elsewhere", use.name, number, fields) for number in acts}
        yield from sorted(seen, key=repr)

    def _signal_places(self, use: model.Use, scope: str, *, other: bool) -> Iterable[int | None]:
        addressed = any(name == "connector" for name, _ in use.arguments)
        if scope == "station" and not addressed:
            return (None,)
        return [1] * (self._view.connector and not other) + [OTHER] * self._view.station

    def _act_places(self, scope: str, touched: list[str], *, other: bool) -> Iterable[int]:
        if scope == "station":
            return (0,)
        if self._view.connector and not other:
            return (1,)
        station = any(self._words.facts[fact].scope.value == "station" for fact in touched)
        return (OTHER,) * station
