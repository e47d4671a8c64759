"""Conditions and values as text, the way a chart writes them."""

from __future__ import annotations

import re

from charger.statechart import model

_PLAIN = re.compile(r"[\w.:+-]+\Z")
"""What is seen to be one value without quotes."""


def value_text(value: model.Value) -> str:
    """A value as it is written in a chart."""
    match value:
        case model.Const(value=None):
            return "none"
        case model.Const(value=bool(truth)):
            return str(truth).lower()
        case model.Const(value=const):
            text = str(const)
            return text if _PLAIN.match(text) else f"'{text}'"
        case model.EventField(name=name):
            return f"event.{name}"
        case model.Here():
            return "here"
        case model.In(how=how, ref=ref, at=at):
            return f"{how}({ref}, {value_text(at)})" if at else f"{how}({ref})"
        case model.Tries(state=state):
            return f"tries({state})"
        case model.Between(start=start, end=end):
            clock = (f"{minutes // 60:02}:{minutes % 60:02}" for minutes in (start, end))
            return f"clock.between({', '.join(clock)})"
        case _:
            return value.name


def expression_text(expr: model.Expr) -> str:
    """A condition as it is written in a chart."""
    match expr:
        case model.And(parts=parts):
            return " and ".join(_bracketed(part, model.Or) for part in parts)
        case model.Or(parts=parts):
            return " or ".join(map(expression_text, parts))
        case model.Not(part=part):
            return f"not {_bracketed(part, (model.And, model.Or))}"
        case model.Compare(left=left, operator=operator, right=right):
            return f"{value_text(left)} {operator} {value_text(right)}"
        case _:
            return value_text(expr)


def _bracketed(expr: model.Expr, weaker: type | tuple[type, ...]) -> str:
    text = expression_text(expr)
    return f"({text})" if isinstance(expr, weaker) else text
