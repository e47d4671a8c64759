"""Whether a payload is as a story wants it.

A pattern names what matters; what it leaves out may be anything. ``$name`` stands for a value: the first
time it is learnt, from then on it must be the same. A text with an asterisk is a wildcard.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

ABSENT = "absent"
ANY = "any"


class UnknownNameError(Exception):
    """A ``$name`` that nothing has given a value."""


def mismatch(pattern: Any, found: Any, names: dict[str, Any], place: str = "") -> str | None:
    """Why it does not match, in a few words; None when it does. Learns names only when all of it matches."""
    learnt = dict(names)
    why = _compare(pattern, found, learnt, place)
    if why is None:
        names.update(learnt)
    return why


_NOTHING = object()


def _compare(pattern: Any, found: Any, names: dict[str, Any], place: str) -> str | None:
    match pattern:
        case dict():
            if not isinstance(found, Mapping):
                return f"{place or 'the payload'} is {found!r}"
            for key, inner in pattern.items():
                name = f"{place}.{key}" if place else key
                if why := _member(inner, found.get(key, _NOTHING), names, name):
                    return why
            return None
        case list() if isinstance(found, list):
            for inner in pattern:
                if all(mismatch(inner, item, names, place) for item in found):
                    return f"nothing in {place} is {inner!r}"
            return None
        case str() if pattern.startswith("$"):
            if names.setdefault(pattern[1:], found) != found:
                return f"{place} is {found!r}, not {names[pattern[1:]]!r}"
            return None
        case str() if isinstance(found, str) and fnmatchcase(found, pattern):
            return None
        case _ if pattern in (ANY, found):
            return None
    return f"{place or 'it'} is {found!r}, not {pattern!r}"


def _member(pattern: Any, found: Any, names: dict[str, Any], place: str) -> str | None:
    if isinstance(pattern, list) and not isinstance(found, list):  # one of these
        if any(_member(one, found, names, place) is None for one in pattern):
            return None
        wanted = " or ".join(map(str, pattern))
        return (
            f"{place} is absent, not {wanted}" if found is _NOTHING else f"{place} is {found!r}, not {wanted}"
        )
    if found is _NOTHING:
        return None if pattern == ABSENT else f"{place} is absent"
    if pattern == ABSENT:
        return f"{place} is {found!r}"
    return _compare(pattern, found, names, place)


def filled(pattern: Any, names: Mapping[str, Any]) -> Any:
    """The pattern with every ``$name`` replaced by its value.

    Raises:
        UnknownNameError: there is none.
    """
    match pattern:
        case dict():
            return {key: filled(value, names) for key, value in pattern.items()}
        case list():
            return [filled(value, names) for value in pattern]
        case str() if pattern.startswith("$"):
            if pattern[1:] not in names:
                raise UnknownNameError(pattern)
            return names[pattern[1:]]
        case _:
            return pattern
