"""The vocabulary as a page for people: docs/vocabulary.md is generated from here, and checked by a test."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from charger.functions.configuration import KEYS
from charger.statechart.words import Field, Scope, Vocabulary

_SCOPES = {Scope.STATION: "station", Scope.CONNECTOR: "connector", Scope.BOTH: "both"}


def render(vocabulary: Vocabulary) -> str:
    """The whole page, Markdown."""
    return "\n".join(_page(vocabulary)) + "\n"


def _page(vocabulary: Vocabulary) -> Iterator[str]:
    yield "# Vocabulary"
    yield ""
    yield "Every word that a chart may use. Generated from charger/vocabulary/ by `make accept`."
    yield ""
    yield "A chart of the station may not use what is *connector*; a chart of a connector may use everything."
    yield from _table(
        *("Events", ("Event", "Scope", "Fields", "When")),
        (
            (f"`{word.name}`", _SCOPES[word.scope], _fields(word.fields), word.description)
            for word in vocabulary.events.values()
            if word.replies is None
        ),
    )
    yield from _table(
        *("Calls of the Central System", ("Event", "Fields", "Answers", "What for")),
        (
            (f"`{name}`", _fields(word.fields), ", ".join(sorted(word.replies or ())), word.description)
            for name, word in vocabulary.calls().items()
        ),
    )
    yield from _table(
        *("Facts", ("Fact", "Type", "Scope", "True when, or what")),
        (
            (f"`{word.name}`", word.type, _SCOPES[word.scope], word.description)
            for word in vocabulary.facts.values()
        ),
    )
    yield from _table(
        *("Actions", ("Action", "Scope", "Arguments", "Does", "Answered by")),
        (
            (
                *(f"`{word.name}`", _SCOPES[word.scope], _fields(word.arguments), word.description),
                ", ".join(f"`{answer}`" for answer in word.answers),
            )
            for word in vocabulary.actions.values()
        ),
    )
    yield from _table(
        *("Answers made by the program", ("Answer", "For", "Arguments", "Gives")),
        (
            (f"`{name}`", ", ".join(sorted(word.calls)), _fields(word.arguments), word.description)
            for name, word in vocabulary.answers.items()
        ),
    )
    yield from _table(
        *("Configuration keys", ("Key", "Type", "Default", "Access", "Meaning")),
        (
            (f"`{name}`", key.type, key.default or "-", "RW" if key.writable else "R", key.description)
            for name, key in KEYS.items()
        ),
    )


def _table(title: str, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""
    yield _row(head)
    yield _row(("---",) * len(head))
    yield from map(_row, sorted(rows))


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _fields(fields: Mapping[str, Field]) -> str:
    return ", ".join(name if field.required else f"{name}?" for name, field in fields.items())
