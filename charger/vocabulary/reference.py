"""The vocabulary as a page for people: docs/vocabulary.md is generated from here, and checked by a test.

`charger explain` and the help in editors tell the same, from the same declarations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from charger.statechart import language
from charger.statechart.reader import RESERVED
from charger.statechart.words import ActionWord, Field, KeyWord, Scope, Vocabulary, shown

_SCOPES = {Scope.STATION: "station", Scope.CONNECTOR: "connector", Scope.BOTH: "both"}


def render(vocabulary: Vocabulary) -> str:
    """The whole page, Markdown."""
    return "\n".join(_page(vocabulary)) + "\n"


def _page(vocabulary: Vocabulary) -> Iterator[str]:
    yield "# Vocabulary"
    yield ""
    yield "Every word that a chart may use. Generated from charger/vocabulary/ by `make accept`."
    yield ""
    yield "`charger explain NAME` tells the same of one word, and where the charts use it."
    yield "A chart of the station may not use what is *connector*; a chart of a connector may use everything."
    yield "A field is written `name: type`; `name?` may be absent. A type is bool, number, text, connector"
    yield "(a number or none), duration (s), instant (s since 1970), any, or the words that it may be."
    yield from _table(
        *("Events", ("Event", "Scope", "Fields", "When")),
        (
            (f"`{word.name}`", _SCOPES[word.scope], shown(word.fields), word.description)
            for word in vocabulary.events.values()
            if word.replies is None
        ),
    )
    yield from _table(
        *("Calls of the Central System", ("Event", "Fields", "Answers", "What for")),
        (
            (f"`{name}`", shown(word.fields), ", ".join(sorted(word.replies or ())), word.description)
            for name, word in vocabulary.calls().items()
        ),
    )
    yield from _table(
        *("Facts", ("Fact", "Type", "Scope", "True when, or what")),
        (
            (
                *(f"`{word.name}`", ", ".join(sorted(word.words)) or word.type),
                *(_SCOPES[word.scope], word.description),
            )
            for word in vocabulary.facts.values()
        ),
    )
    yield from _table(
        *("Actions", ("Action", "Scope", "Arguments", "Does", "Answered by")),
        (
            (
                *(f"`{word.name}`", _SCOPES[word.scope], shown(_arguments(word)), word.description),
                ", ".join(f"`{answer}`" for answer in word.answers),
            )
            for word in vocabulary.actions.values()
        ),
    )
    yield from _table(
        *("Answers made by the program", ("Answer", "For", "Arguments", "Gives")),
        (
            (f"`{name}`", ", ".join(sorted(word.calls)), shown(word.arguments), word.description)
            for name, word in vocabulary.answers.items()
        ),
    )
    yield from _table(
        *("Configuration keys", ("Key", "Type", "Range", "Default", "Access", "Meaning")),
        (
            (
                *(f"`{key.name}`", f"{key.type}{f', {key.unit}' if key.unit else ''}", _range(key)),
                *(key.default or "-", "RW" if key.writable else "R", key.description),
            )
            for key in vocabulary.keys.values()
        ),
    )
    yield from _table(
        *("Words of the language", ("Word", "Is", "Means")),
        ((f"`{word.name}`", word.place, word.description) for word in language.WORDS.values()),
    )
    yield from _table(
        *("Words of other statechart languages", ("Word", "Here")),
        ((f"`{name}`", instead) for name, instead in RESERVED.items()),
    )


def _arguments(word: ActionWord) -> dict[str, Field]:
    return {**word.arguments, **({"(any name)": word.open_arguments} if word.open_arguments else {})}


def _range(key: KeyWord) -> str:
    if key.low is None:
        return ""
    return f"{key.low} to {key.high}" if key.high is not None else f"from {key.low}"


def _table(title: str, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""
    yield _row(head)
    yield _row(("---",) * len(head))
    yield from map(_row, sorted(rows, key=lambda row: row[0].strip("`")))


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
