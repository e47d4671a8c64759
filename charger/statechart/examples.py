"""Three lines that show a word in use, made from its declaration: for words that no chart uses yet.

A test puts every one of them into a chart and checks it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from charger.statechart.words import ActionWord, AnswerWord, EventWord, FactWord, Field, KeyWord

_COMPARED = {
    "bool": "",
    "number": " > 0",
    "duration": " > 0",
    "instant": " > 0",
    "connector": " != none",
    "text": " != none",
    "word": " != none",
    "any": " != none",
}
_VALUES = {"bool": "true", "number": "1", "duration": "1", "instant": "1", "connector": "1"}


def event(word: EventWord, made: Sequence[str] = ()) -> str:
    """A transition on it; a call is answered, by the answer `made` for it if there is one."""
    if word.replies is None:
        return f"Waiting:\n  on:\n    {word.name}: Next"
    reply = min(word.replies, default="") or (f"{{{made[0]}: {{}}}}" if made else "{error: NotSupported}")
    return f"Waiting:\n  on:\n    {word.name}: {{reply: {reply}}}"


def fact(word: FactWord) -> str:
    """A guard, or a delay where it is one."""
    if word.type == "duration":
        return f"Waiting:\n  after: {{{word.name}: Next}}"
    if word.type == "instant":
        return f"Waiting:\n  at: {{{word.name}: Next}}"
    return f"Waiting:\n  always: {{guard: {compared(word)}, target: Next}}"


def action(word: ActionWord) -> str:
    """Performed on entering a state, with the arguments that it needs."""
    arguments = _arguments(word.arguments)
    return f"Waiting:\n  entry: [{f'{word.name}: {arguments}' if arguments else word.name}]"


def answer(word: AnswerWord) -> str:
    """Given as a reply."""
    arguments = _arguments(word.arguments) or "{}"
    return f"Waiting:\n  on:\n    {min(word.calls)}: {{reply: {{{word.name}: {arguments}}}}}"


def key(word: KeyWord) -> str:
    """As a delay when it is a time, else in a guard."""
    if word.unit == "s":
        return f"Waiting:\n  after: {{{word.name}: Next}}"
    return f"Waiting:\n  always: {{guard: {compared(word)}, target: Next}}"


def compared(word: FactWord | KeyWord) -> str:
    """A condition about it: the word itself when it is true or false."""
    words = word.words if isinstance(word, FactWord) else ()
    if words:
        one = min(words)
        return f"{word.name} == {one if one[0].isupper() else repr(one)}"  # a bare small word is a fact
    return f"{word.name}{_COMPARED[word.type]}"


def _arguments(fields: Mapping[str, Field]) -> str:
    needed = {name: one for name, one in fields.items() if one.required}
    values = (f"{name}: {_value(one)}" for name, one in needed.items())
    return f"{{{', '.join(values)}}}" if needed else ""


def _value(one: Field) -> str:
    words = one.phrase[0] if one.phrase else one.words
    return min(words, default=_VALUES.get(one.type, "x"))
