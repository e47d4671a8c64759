"""What a word does to facts, as it is declared beside the word.

``effects="cable.present, not ev.asks, perhaps fault.present, any tag.*"``: the fact is true from now on, it
is false, it may become true (``perhaps not``: false) or stay as it was, nobody knows. ``X if
transaction.open`` and ``X if error == GroundFailure`` hold back an effect until a fact held before, or an
argument is that word. Two names are no facts: ``keys`` are all configuration keys, ``debts`` all answers
owed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Literal

Kind = Literal["true", "false", "perhaps true", "perhaps false", "any"]
KEYS, DEBTS = "keys", "debts"
_EFFECT = re.compile(
    r"(?:(perhaps not|perhaps|not|any) )?([\w.*]+)(?: if ([\w.]+)(?: == (\w+))?)?\Z", re.ASCII
)
_KINDS: dict[str | None, Kind] = {
    None: "true",
    "not": "false",
    "perhaps": "perhaps true",
    "perhaps not": "perhaps false",
    "any": "any",
}


@dataclass(frozen=True, slots=True)
class Effect:
    """One fact, and what becomes of it."""

    fact: str
    """A name, or a pattern like ``tag.*``."""
    kind: Kind
    fact_before: str | None = None
    """Only if this fact held before."""
    argument: tuple[str, str] | None = None
    """Only if this argument is this word."""

    def concerns(self, fact: str) -> bool:
        """Whether it is about that fact."""
        return fnmatchcase(fact, self.fact)


@cache
def parse_effects(text: str) -> tuple[Effect, ...]:
    """The effects that a declaration names.

    Raises:
        ValueError: it cannot be read; that is a mistake in the vocabulary.
    """
    effects = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _EFFECT.match(part)
        if match is None:
            raise ValueError(f"'{part}' is no effect: x, not x, perhaps x, perhaps not x, any x")
        kind, fact, condition, word = match.groups()
        argument = (condition, word) if word else None
        effects.append(Effect(fact, _KINDS[kind], None if word else condition, argument))
    return tuple(effects)


@cache
def makes(text: str) -> Mapping[str, bool | None]:
    """The facts that a declaration names, patterns left out: what they are then, None where that depends.

    That a fact held before is taken for granted: who closes a transaction has one.
    """
    told: dict[str, bool | None] = {}
    for effect in parse_effects(text):
        if "*" not in effect.fact:
            certain = effect.kind in ("true", "false") and not effect.argument
            told[effect.fact] = effect.kind == "true" if certain else None
    return told


def allowed_values(
    effects: Iterable[Effect],
    fact: str,
    before: bool,
    held: Callable[[str], bool],
    argument: Callable[[str], object],
) -> set[bool]:
    """What the fact may be afterwards.

    Args:
        effects: of one word.
        fact: that is asked about.
        before: what it was.
        held: whether a fact held before.
        argument: the value of an argument, or field, of that name.
    """
    values = {before}
    for effect in effects:
        if not effect.concerns(fact):
            continue
        if effect.fact_before and not held(effect.fact_before):
            continue
        if effect.argument and argument(effect.argument[0]) != effect.argument[1]:
            continue
        match effect.kind:
            case "true":
                values = {True}
            case "false":
                values = {False}
            case "perhaps true":
                values |= {True}
            case "perhaps false":
                values |= {False}
            case _:
                values = {True, False}
    return values
