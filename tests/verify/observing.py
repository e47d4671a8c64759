"""A vocabulary that watches itself: every word is held against what it declares to do to facts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from charger.functions.situation import Situation
from charger.statechart.effects import Effect, allowed_values, parse_effects
from charger.statechart.event import Event
from charger.statechart.expressions import parse_guard
from charger.statechart.findings import Mark
from charger.statechart.model import Name, Not, Or
from charger.statechart.words import ActionWord, EventWord, FactWord, Vocabulary

SEEN: dict[str, set[str]] = {}
"""Word → the facts that it was seen to change."""
Values = dict[tuple[str, int], Any]


class Observer:
    """Looks at every fact before and after a word."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._facts = {
            name: fact
            for name, fact in vocabulary.facts.items()
            if fact.type not in ("text",) and name not in ("clock.minute_of_day",)
        }
        self._laws = [_literals(law) for law in vocabulary.laws]
        self.words = replace(
            vocabulary,
            events={name: self._event(word) for name, word in vocabulary.events.items()},
            actions={name: self._action(word) for name, word in vocabulary.actions.items()},
        )

    def _values(self, at: Situation, event: Event) -> Values:
        return {
            (name, number): fact.read(at, number, event)
            for name, fact in self._facts.items()
            for number in self._numbers(at, fact)
        }

    def _numbers(self, at: Situation, fact: FactWord) -> list[int]:
        own = [] if fact.scope.value == "connector" else [0]
        return own if fact.scope.value == "station" else [*own, *at.connectors]

    def _event(self, word: EventWord) -> EventWord:
        effects, report = parse_effects(word.effects), word.report
        if report is None:
            return word

        def watched(at: Situation, event: Event) -> None:
            before = self._values(at, event)
            report(at, event)
            self._judge(
                word.name, effects, event.connector, before, self._values(at, event), event.fields.get
            )

        return replace(word, report=watched)

    def _action(self, word: ActionWord) -> ActionWord:
        effects = parse_effects(word.effects)

        def watched(at: Situation, here: int, event: Event, **arguments: Any) -> None:
            before = self._values(at, event)
            word.perform(at, here, event, **arguments)
            self._judge(word.name, effects, here, before, self._values(at, event), arguments.get)

        return replace(word, perform=watched)

    def _judge(
        self,
        word: str,
        effects: tuple[Effect, ...],
        place: int | None,
        before: Values,
        after: Values,
        argument: Callable[[str], Any],
    ) -> None:
        for (name, number), value in after.items():
            fact, old = self._facts[name], before[name, number]
            if value != old:
                SEEN.setdefault(word, set()).add(name)
            elsewhere = place and number != place and fact.scope.value != "station"
            concerned = [] if elsewhere else effects
            if fact.means:
                continue
            if fact.type == "bool" and fact.nature in ("told", "fixed"):

                def held(other: str, at: int = number or place or 0) -> bool:
                    return bool(before[other, at])

                allowed = allowed_values(concerned, name, bool(old), held, argument)
                assert value in allowed, f"{word} made {name} {value} at {number}, which it does not declare"
            elif value != old and fact.nature != "drifts":
                assert any(e.concerns(name) for e in concerned), (
                    f"{word} changed {name}, which it does not declare"
                )
        self._hold_laws(after)

    def _hold_laws(self, values: Values) -> None:
        for law in self._laws:
            for number in {number for _, number in values}:
                known = [(values.get((name, number)), wanted) for name, wanted in law]
                if all(value is not None for value, _ in known):
                    assert any(value == wanted for value, wanted in known), (law, number)
        for name, fact in self._facts.items():
            if fact.means:
                for (other, number), value in values.items():
                    if other == name:
                        ((meant, wanted),) = _literals(fact.means)
                        assert value == (values[meant, number] == wanted), name


def _literals(text: str) -> list[tuple[str, bool]]:
    expr = parse_guard(text, Mark("", 1, 1))
    parts = expr.parts if isinstance(expr, Or) else (expr,)
    found = []
    for part in parts:
        inner = part.part if isinstance(part, Not) else part
        assert isinstance(inner, Name)
        found.append((inner.name, not isinstance(part, Not)))
    return found
