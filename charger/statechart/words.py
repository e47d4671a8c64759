"""The vocabulary: every word a chart may use, declared by the program that runs the charts.

A word is a frozen declaration with a one-line description. What it does is a function beside it: a fact is
answered by looking, without wanting anything; an action does one thing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

from charger.statechart.effects import makes
from charger.statechart.event import Event

Type = Literal["bool", "number", "text", "word", "connector", "duration", "instant", "any"]
"""``word`` is one of an enumeration; ``connector`` a number or none; ``duration`` s; ``instant`` epoch s."""


Nature = Literal["told", "drifts", "event", "fixed"]
"""How a fact changes: when a word tells (`effects`), by itself (meter, clock, limits of the site), with
the event at hand, or never while the program runs."""


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
    phrase: tuple[frozenset[str], ...] = ()
    """A text of so many words at most, each one of its set; an empty set is for a duration."""


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
    promises: frozenset[str] = frozenset()
    """Of these actions one has to follow some time; to a CALL when it was answered with Accepted."""
    effects: str = ""
    """What it does to facts, in the language of `effects`: ``cable.present, not ev.asks``."""

    @property
    def makes(self) -> Mapping[str, bool | None]:
        """Facts that the report changes, by name: to what, or None where that depends."""
        return makes(self.effects)


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
    nature: Nature = "told"
    means: str = ""
    """The same in other facts, as a guard: ``not fault.present``; empty: it is a fact of its own."""


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
    by_status: bool = False
    """Whether the free names are statuses."""
    answers: tuple[str, ...] = ()
    """Events of which exactly one follows, some time later."""
    correlated: bool = False
    """Whether an answer is for the acting chart alone (an OCPP call), or heard by everyone (a contactor)."""
    steers: str = ""
    """What it sets, wholly (`contactor`): the next action that steers the same undoes it."""
    watches: tuple[str, ...] = ()
    """Events that no state may ignore from this action until another one steers the same."""
    lost: str = ""
    """The event that says that what was done and confirmed is so no longer."""
    effects: str = ""
    """As of an event."""

    @property
    def makes(self) -> Mapping[str, bool | None]:
        """Facts that it changes, by name: to what, or None where that depends."""
        return makes(self.effects)


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
    default: str = ""
    unit: str = ""
    low: int | None = None
    high: int | None = None
    """The range of a number; None: no limit of its own."""
    writable: bool = True
    """By the Central System."""
    optional: bool = False
    """A station need not offer it."""
    reboot: bool = False
    """A new value takes effect after a restart."""

    @property
    def least(self) -> int | None:
        """The lowest that it may read: a key that is not offered is 0, whatever its lowest value."""
        return None if self.low is None else min(self.low, 0)


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
    follows: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Status → those that may come next; one that is not in here may be followed by any."""
    watches: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Event → the statuses in which no state may ignore it."""
    errors: frozenset[str] = frozenset()
    """Codes that ``reply: {error: …}`` may name."""
    laws: tuple[str, ...] = ()
    """What always holds between facts of one connector: ``transaction.open or not transaction.ending``."""
    subjects: frozenset[str] = frozenset()
    """Words before the first dot that no chart may have as its name, beyond those of the words here."""

    def calls(self) -> dict[str, EventWord]:
        """The events that owe an answer."""
        return {name: word for name, word in self.events.items() if word.replies is not None}


def shown(fields: Mapping[str, Field]) -> str:
    """``tag: text; connector?: connector; type: Hard, Soft``; a question mark: may be absent."""
    return "; ".join(
        f"{name}{'' if one.required else '?'}: {', '.join(sorted(one.words)) or one.type}"
        for name, one in fields.items()
    )
