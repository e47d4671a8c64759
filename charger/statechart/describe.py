"""What a word of the vocabulary is, in sentences: for `charger explain` and for the help in editors.

Each function gives what kind of word it is, then its description, then what else there is to know; empty
where there is nothing.
"""

from __future__ import annotations

from charger.statechart.words import (
    ActionWord,
    AnswerWord,
    EventWord,
    FactWord,
    KeyWord,
    Scope,
    Vocabulary,
    shown,
)

SCOPES = {
    Scope.STATION: "of the station",
    Scope.CONNECTOR: "of a connector",
    Scope.BOTH: "of a connector, or of the station",
}


def event(word: EventWord, vocabulary: Vocabulary) -> tuple[str, ...]:
    """An event or a call."""
    asked_by = [name for name, one in vocabulary.actions.items() if word.name in one.answers]
    made = made_for(word, vocabulary)
    return (
        f"an event {SCOPES[word.scope]}"
        if word.replies is None
        else "a call of the Central System, an event",
        word.description,
        f"fields: {shown(word.fields)}" if word.fields else "",
        f"answered with {', '.join(sorted(word.replies))}" if word.replies else "",
        f"answered by {', '.join(made)}" if made else "",
        f"answers {', '.join(asked_by)}" if asked_by else "",
    )


def made_for(word: EventWord, vocabulary: Vocabulary) -> list[str]:
    """The answers that the program can make to a call."""
    return [name for name, one in vocabulary.answers.items() if word.name in one.calls]


def fact(word: FactWord) -> tuple[str, ...]:
    """A fact."""
    kind = {"bool": "true or false"}.get(word.type, word.type)
    return (
        f"a fact {SCOPES[word.scope]}, {kind}",
        word.description,
        f"one of {', '.join(sorted(word.words))}" if word.words else "",
    )


def action(word: ActionWord) -> tuple[str, ...]:
    """An action."""
    more = word.open_arguments
    whose = f"; answers come {'to whoever asked' if word.correlated else 'to everyone'}"
    return (
        f"an action {SCOPES[word.scope]}",
        word.description,
        f"arguments: {shown(word.arguments)}" if word.arguments else "",
        f"arguments of any name: {more.type}" if more else "",
        f"answered by one of {', '.join(word.answers)}{whose}" if word.answers else "",
    )


def answer(word: AnswerWord) -> tuple[str, ...]:
    """An answer made by the program."""
    return (
        f"an answer made by the program, to {', '.join(sorted(word.calls))}",
        word.description,
        f"arguments: {shown(word.arguments)}" if word.arguments else "",
    )


def key(word: KeyWord) -> tuple[str, ...]:
    """A configuration key, or a setting of the charts."""
    limits = [
        f"from {word.low}" if word.low is not None else "",
        f"to {word.high}" if word.high is not None else "",
    ]
    facts = [
        f"{word.type}{f' in {word.unit}' if word.unit else ''}",
        " ".join(filter(None, limits)),
        f"default {word.default or 'empty'}",
        "read and written by the Central System" if word.writable else "only read by the Central System",
        "a station need not offer it" if word.optional else "",
        "takes effect after a restart" if word.reboot else "",
    ]
    return "a configuration key", word.description, "; ".join(filter(None, facts))
