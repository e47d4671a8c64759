"""Guards, delays and argument values: text in, model out.

The grammar is the one of docs/charts.md. Every part knows its place, so that a caret can stand under one
word of a long guard.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from charger.statechart import model
from charger.statechart.findings import Mark
from charger.statechart.source import MAX_DIGITS, Scalar

_TOKEN = re.compile(
    r"\s*(?:(?P<time>\d{1,2}:\d{2})|(?P<number>-?\d+(?:\.\d+)?)|(?P<text>'[^']*')"
    r"|(?P<operator>==|!=|<=|>=|<|>)|(?P<punctuation>[(),])|(?P<word>[A-Za-z_][\w-]*(?:\.[\w-]+)*)|(?P<bad>\S))"
)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)\Z")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
LONGEST: Final = 366 * 86_400
"""s; of every time that people write. What takes longer is a slip, and virtual time would not get there."""
TOO_LONG: Final = f"more than {LONGEST // 86_400} days, the longest time that can be waited for"
_DEEPEST = 50
"""Of brackets and ``not`` in each other; nobody can read more."""
_QUANTIFIERS = ("in", "any", "all", "one", "first")
_FACT = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+\Z")
_KEY = re.compile(r"[A-Z]\w*\Z")
_FIRST = re.compile(r"first\(([\w.]+)\)\Z")


class ExpressionError(Exception):
    """A text that is no expression; carries the place within it."""

    def __init__(self, mark: Mark, message: str) -> None:
        self.mark = mark
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    mark: Mark


def parse_guard(text: str, mark: Mark) -> model.Expr:
    """Parse a guard.

    Raises:
        ExpressionError: it is not one.
    """
    return _Parser(text, mark).whole()


class _Parser:
    def __init__(self, text: str, mark: Mark) -> None:
        self._mark = mark
        self._tokens: list[_Token] = []
        for match in _TOKEN.finditer(text):
            kind = cast("str", match.lastgroup)
            start = match.start(kind)
            token = _Token(kind, match[kind], mark.part(start, match.end(kind) - start))
            if kind == "bad":
                raise ExpressionError(token.mark, f"'{token.text}' has no meaning in a guard")
            if kind == "number" and len(token.text) > MAX_DIGITS:
                raise ExpressionError(token.mark, f"a number has at most {MAX_DIGITS} digits")
            self._tokens.append(token)
        self._next = 0
        self._depth = 0

    def whole(self) -> model.Expr:
        expr = self._or()
        token = self._peek()
        if token:
            raise ExpressionError(
                token.mark, f"'{token.text}' is not expected here: and, or, or a comparison"
            )
        return expr

    def _peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _take(self, what: str) -> _Token:
        token = self._peek()
        if token is None:
            end = self._tokens[-1].mark if self._tokens else self._mark
            hint = "; quote a guard that has commas in it" if what == "','" else ""
            raise ExpressionError(end, f"the guard ends where {what} should stand{hint}")
        self._next += 1
        return token

    def _accept(self, *texts: str) -> _Token | None:
        token = self._peek()
        if token and token.text in texts and token.kind != "text":
            self._next += 1
            return token
        return None

    def _expect(self, text: str) -> _Token:
        token = self._take(f"'{text}'")
        if token.text != text:
            raise ExpressionError(token.mark, f"'{text}' should stand here, not '{token.text}'")
        return token

    def _or(self) -> model.Expr:
        return self._joined("or", self._and, model.Or)

    def _and(self) -> model.Expr:
        return self._joined("and", self._not, model.And)

    def _joined(
        self, word: str, inner: Callable[[], model.Expr], make: type[model.And | model.Or]
    ) -> model.Expr:
        items = [inner()]
        while self._accept(word):
            items.append(inner())
        return items[0] if len(items) == 1 else make(items[0].mark, tuple(items))

    def _not(self) -> model.Expr:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ExpressionError(self._mark, f"nested more than {_DEEPEST} levels deep: name parts of it")
        expr = self._negated()
        self._depth -= 1
        return expr

    def _negated(self) -> model.Expr:
        token = self._accept("not")
        if token:
            return model.Not(token.mark, self._not())
        if self._accept("("):
            expr = self._or()
            self._expect(")")
            return expr
        left = self._value()
        operator = self._peek()
        if operator is None or operator.kind != "operator":
            return left
        self._next += 1
        right = self._value()
        return model.Compare(left.mark, left, operator.text, right)  # type: ignore[arg-type]

    def _value(self) -> model.Value:
        token = self._take("a fact, a key or a number")
        match token.kind:
            case "number":
                number = float(token.text) if "." in token.text else int(token.text)
                return model.Const(token.mark, number)
            case "text":
                return model.Const(token.mark, token.text[1:-1])
            case "word":
                return self._word(token)
            case _:
                raise ExpressionError(token.mark, f"'{token.text}' is not a fact, a key or a number")

    def _word(self, token: _Token) -> model.Value:
        word = token.text
        if word in ("and", "or"):
            raise ExpressionError(token.mark, f"'{word}' stands between two conditions")
        if self._accept("("):
            value = self._function(token)
            self._expect(")")
            return value
        return named_value(word, token.mark)

    def _function(self, token: _Token) -> model.Value:
        if token.text in _QUANTIFIERS:
            ref = self._reference("a state or a tag")
            at = self._value() if token.text == "in" and self._accept(",") else None
            return model.In(ref.mark, token.text, ref.text, at)  # type: ignore[arg-type]
        if token.text == "tries":
            ref = self._reference("a state")
            return model.Tries(ref.mark, ref.text)
        if token.text == "clock.between":
            start = self._time()
            self._expect(",")
            return model.Between(token.mark, start, self._time())
        known = "in, any, all, one, first, tries, clock.between"
        raise ExpressionError(token.mark, f"no function '{token.text}'; there are {known}")

    def _reference(self, what: str) -> _Token:
        token = self._take(what)
        if token.kind != "word":
            raise ExpressionError(token.mark, f"'{token.text}' is not {what}")
        return token

    def _time(self) -> int:
        token = self._take("a time like 22:00")
        minutes = day_minutes(token.text)
        if minutes is None:
            raise ExpressionError(token.mark, f"'{token.text}' is not a time of day like 22:00")
        return minutes


def named_value(word: str, mark: Mark) -> model.Value:
    """One word as a value."""
    if word in ("true", "false", "none"):
        return model.Const(mark, {"true": True, "false": False, "none": None}[word])
    if word == "here":
        return model.Here(mark)
    if word.startswith("event."):
        return model.EventField(mark, word.removeprefix("event."))
    if word[0].isupper():
        return model.Capital(mark, word)
    return model.Name(mark, word)


def parse_argument(node: Scalar) -> model.Value:
    """The value of an argument: a fact, a field of the event, `here`, `first(…)`, or just what it says."""
    if node.quoted or not isinstance(node.value, str):
        return model.Const(node.mark, node.value)
    first = _FIRST.match(node.value)
    if first:
        return model.In(node.mark.part(first.start(1), len(first[1])), "first", first[1])
    if node.value in ("here", "none") or node.value.startswith("event.") or _FACT.match(node.value):
        return named_value(node.value, node.mark)
    return model.Const(node.mark, node.value)


def day_minutes(text: str) -> int | None:
    """``22:00`` as minutes after midnight."""
    match = re.match(r"(\d{1,2}):(\d{2})\Z", text)
    if not match or int(match[1]) > 23 or int(match[2]) > 59:
        return None
    return int(match[1]) * 60 + int(match[2])


def seconds(text: str) -> float | None:
    """``500ms``, ``30s``, ``2m``, ``1h`` in seconds; None when it is none of these, or beyond `LONGEST`."""
    match = _DURATION.match(text)
    value = float(match[1]) * _SECONDS[match[2]] if match else math.inf
    return round(value, 6) if value <= LONGEST else None


def too_long(text: str) -> str:
    """What is said of a time beyond `LONGEST`; nothing of what is no time."""
    if not _DURATION.match(text):
        return ""
    return f"'{text}' is {TOO_LONG}"


def parse_delay(text: str, mark: Mark, *, clock: bool = False) -> model.Delay:
    """Parse what stands before the colon in ``after``, ``every`` and, with `clock`, in ``at``.

    Raises:
        ExpressionError: it is no delay.
    """
    if text.count("(") != text.count(")"):
        raise ExpressionError(mark, 'quote a delay that has commas in it: "backoff(3s, 60s, 10s)"')
    fixed = seconds(text)
    if fixed is not None:
        if fixed == 0:
            raise ExpressionError(mark, "a delay of nothing: use `always`")
        return model.Fixed(fixed)
    if clock:
        minutes = day_minutes(text)
        if minutes is not None:
            return model.DayTime(minutes)
    if text.startswith("backoff(") and text.endswith(")") and not clock:
        parts = [part.strip() for part in text[8:-1].split(",")]
        values = [seconds(part) for part in parts]
        if len(values) != 3 or None in values:
            unread = (part for part, value in zip(parts, values, strict=True) if value is None)
            told = "backoff takes three durations: backoff(first, limit, jitter)"
            raise ExpressionError(mark, next(filter(None, map(too_long, unread)), told))
        first, limit, jitter = cast("list[float]", values)
        if not 0 < first <= limit:
            raise ExpressionError(mark, "backoff: first is more than nothing and at most limit")
        return model.Backoff(first, limit, jitter)
    key, star, factor = (part.strip() for part in text.partition("*"))
    if _KEY.match(key) and (not star or (_FACT.match(factor) and not clock)):
        return model.OfKey(key, factor or None)
    if _FACT.match(text):
        return model.OfFact(text)
    example = '"22:00", 15m, a Key, or a fact' if clock else "500ms, 30s, 2m, 1h, a Key, or backoff(…)"
    raise ExpressionError(mark, too_long(text) or f"'{text}' is no delay; write {example}")
