"""How a word is declared: a decorated function whose docstring is its description.

One `Words` per module; `charger.vocabulary` puts them together. A fact is answered by looking, an action
does one thing, a report changes the facts that an event is about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from charger.functions.situation import Situation
from charger.statechart.event import Event
from charger.statechart.words import ActionWord, AnswerWord, EventWord, FactWord, Field, Nature, Scope, Type

STATION = Scope.STATION
CONNECTOR = Scope.CONNECTOR
BOTH = Scope.BOTH

Read = Callable[[Situation, int, Event], Any]
Perform = Callable[..., None]
Report = Callable[[Situation, Event], None]

TEXT = Field("text")
OPTIONAL_TEXT = Field("text", required=False)
NUMBER = Field("number")
PLACE = Field("connector", required=False)


def one_of(*words: str, required: bool = True) -> Field:
    """A field with a closed list of words."""
    return Field("word", frozenset(words), required)


def _line(function: Callable[..., Any]) -> str:
    return " ".join((function.__doc__ or "").split())


class Words:
    """The words of one subject."""

    def __init__(self) -> None:
        self.events: dict[str, EventWord] = {}
        self.facts: dict[str, FactWord] = {}
        self.actions: dict[str, ActionWord] = {}
        self.answers: dict[str, AnswerWord] = {}
        self.laws: list[str] = []

    def fact(
        self,
        name: str,
        kind: Type = "bool",
        scope: Scope = CONNECTOR,
        words: tuple[str, ...] = (),
        *,
        nature: Nature = "told",
        means: str = "",
    ) -> Callable[[Read], Read]:
        """Declare a fact."""

        def declare(read: Read) -> Read:
            self.facts[name] = FactWord(name, _line(read), read, kind, scope, frozenset(words), nature, means)
            return read

        return declare

    def action(
        self,
        name: str,
        scope: Scope = CONNECTOR,
        *,
        answers: tuple[str, ...] = (),
        correlated: bool = False,
        open_arguments: Field | None = None,
        by_status: bool = False,
        steers: str = "",
        watches: tuple[str, ...] = (),
        lost: str = "",
        effects: str = "",
        **arguments: Field,
    ) -> Callable[[Perform], Perform]:
        """Declare an action."""

        def declare(perform: Perform) -> Perform:
            self.actions[name] = ActionWord(
                *(name, _line(perform), perform, scope, arguments, open_arguments, by_status, answers),
                *(correlated, steers, watches, lost, effects),
            )
            return perform

        return declare

    def event(
        self,
        name: str,
        description: str,
        scope: Scope = STATION,
        report: Report | None = None,
        replies: frozenset[str] | None = None,
        *,
        promises: frozenset[str] = frozenset(),
        effects: str = "",
        **fields: Field,
    ) -> None:
        """Declare an event."""
        self.events[name] = EventWord(
            *(name, description, scope, fields, report, replies),
            *(promises, effects),
        )

    def law(self, *laws: str) -> None:
        """Declare what always holds between facts."""
        self.laws += laws

    def answer(self, name: str, *calls: str, **arguments: Field) -> Callable[[Any], Any]:
        """Declare an answer made by the program."""

        def declare(make: Callable[..., Mapping[str, Any]]) -> Callable[..., Mapping[str, Any]]:
            self.answers[name] = AnswerWord(name, _line(make), make, frozenset(calls), arguments)
            return make

        return declare
