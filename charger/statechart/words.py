"""The vocabulary: every word a chart may use, declared by the program that runs the charts.

A word is a frozen declaration with a one-line description. What it does is a function beside it: a fact is
answered by looking, without wanting anything; an action does one thing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

from charger.statechart.event import Event

Type = Literal["bool", "number", "text", "word", "connector", "duration", "instant", "any"]
"""``word`` is one of an enumeration; ``connector`` a number or none; ``duration`` s; ``instant`` epoch s."""


class Scope(Enum):
    """What a word is about: each connector, the station, or either."""

    STATION = "station"
    CONNECTOR = "connector"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an event, or an argument of an action or answer."""

    type: Type = "any"
    words: frozenset[str] = frozenset()
    """What a ``word`` may be; empty: not enumerated."""
    required: bool = True


@dataclass(frozen=True, slots=True)
class EventWord:
    """Something that happens."""

    name: str
    description: str
    scope: Scope = Scope.STATION
    fields: Mapping[str, Field] = field(default_factory=dict)
    report: Callable[[Any, Event], None] | None = None
    """Changes the facts that the event reports; runs before any chart hears of it."""
    replies: frozenset[str] | None = None
    """For a CALL: the statuses its answer may have (empty: the answer has none). None: no answer is owed."""


@dataclass(frozen=True, slots=True)
class FactWord:
    """Something that can be answered by looking."""

    name: str
    description: str
    read: Callable[[Any, int, Event], Any]
    """``read(world, here, event)``; `here` is the number of the asking connector, 0 for the station."""
    type: Type = "bool"
    scope: Scope = Scope.STATION
    words: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ActionWord:
    """One thing that can be done."""

    name: str
    description: str
    perform: Callable[..., None]
    """``perform(world, here, event, **arguments)``"""
    scope: Scope = Scope.STATION
    arguments: Mapping[str, Field] = field(default_factory=dict)
    open_arguments: Field | None = None
    """The type of arguments with free names (``light.follow: {Available: green}``); None: none."""
    answers: tuple[str, ...] = ()
    """Events of which exactly one follows, some time later."""
    correlated: bool = False
    """Whether an answer is for the acting chart alone (an OCPP call), or heard by everyone (a contactor)."""


@dataclass(frozen=True, slots=True)
class AnswerWord:
    """A .conf made by the program: ``reply: {configuration.read: {key: event.key}}``."""

    name: str
    description: str
    make: Callable[..., Mapping[str, Any]]
    """``make(world, here, event, **arguments)`` gives the payload."""
    calls: frozenset[str] = frozenset()
    """The CALLs it can answer."""
    arguments: Mapping[str, Field] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeyWord:
    """A configuration key: its value is a fact too."""

    name: str
    description: str
    type: Type
    words: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All words together. Names are unique within a kind."""

    events: Mapping[str, EventWord] = field(default_factory=dict)
    facts: Mapping[str, FactWord] = field(default_factory=dict)
    actions: Mapping[str, ActionWord] = field(default_factory=dict)
    answers: Mapping[str, AnswerWord] = field(default_factory=dict)
    keys: Mapping[str, KeyWord] = field(default_factory=dict)
    read_key: Callable[[Any, str], Any] = lambda _world, _name: None
    """``read_key(world, name)`` gives the value of a configuration key, typed."""
    statuses: Mapping[Scope, tuple[str, ...]] = field(default_factory=dict)
    """The statuses of the station and of a connector."""
    errors: frozenset[str] = frozenset()
    """Codes that ``reply: {error: …}`` may name."""
    subjects: frozenset[str] = frozenset()
    """Words before the first dot that no chart may have as its name, beyond those of the words here."""

    def calls(self) -> dict[str, EventWord]:
        """The events that owe an answer."""
        return {name: word for name, word in self.events.items() if word.replies is not None}
