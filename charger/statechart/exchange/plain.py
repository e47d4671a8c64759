"""A chart as the plain values it is written with in YAML, and such values as YAML text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from charger.statechart import model
from charger.statechart.expressions import parse_argument
from charger.statechart.source import Scalar
from charger.statechart.wording import value_text

WIDTH = 100
_FLOW = re.compile(r"[A-Za-z0-9_][\w .()/*<>=-]*\Z")
_BLOCK = re.compile(r"[A-Za-z0-9_](?:[\w .()/*<>=,;?!'`§→-]|:(?! |\Z))*\Z")
_ODD = re.compile(r"[0-9:.]+\Z|(?:true|false|null)\Z")
"""What the reader, or another YAML tool, takes for no text."""


def state(chart: model.Chart, name: str) -> dict[str, Any]:
    """A state, or with an empty name the chart itself, as it is written."""
    one = chart.states[name]
    written: dict[str, Any] = {
        "description": one.description,
        "status": one.status,
        "tags": [tag for tag, _ in one.tags],
        "initial": one.initial,
        "type": "final" if one.final else None,
        "entry": actions(one.entry),
        "exit": actions(one.exit),
    }
    for kind in ("on", "always", "after", "every", "at"):
        written[kind] = _transitions([t for t in one.transitions if t.kind == kind])
    written["states"] = {child: state(chart, child) for child in one.children}
    return {key: value for key, value in written.items() if value not in (None, "", [], {})}


def whole(chart: model.Chart) -> dict[str, Any]:
    """A chart as it is written."""
    written = state(chart, "")
    head: dict[str, Any] = {
        "chart": chart.name,
        "scope": chart.scopes[0] if len(chart.scopes) == 1 else list(chart.scopes),
    }
    head |= {key: written.pop(key) for key in ("description", "initial") if key in written}
    if chart.guards:
        head["guards"] = dict(chart.guard_texts)
    if chart.invariants:
        written["invariants"] = [invariant(one) for one in chart.invariants]
    return head | written


def _transitions(written: Sequence[model.Transition]) -> Any:
    found: dict[str, list[Any]] = {}
    for one in written:
        found.setdefault(one.trigger, []).append(transition(one))
    compact = {key: values[0] if len(values) == 1 else values for key, values in found.items()}
    return compact.get("", compact)


def transition(one: model.Transition) -> Any:
    """A transition: the name of its target when that is all."""
    written = {
        "guard": one.guard_text,
        "target": one.target,
        "reply": reply(one.reply) if one.reply else None,
        "actions": actions(one.actions),
        "description": one.description,
    }
    return compact(written)


def compact(written: dict[str, Any]) -> Any:
    """A transition of these parts: its target if that is all, a list of no actions if there is nothing."""
    written = {key: value for key, value in written.items() if value}
    return written.get("target") if list(written) == ["target"] else written or {"actions": []}


def reply(one: model.Reply) -> Any:
    """A reply."""
    arguments = {name: argument(value) for name, value in one.arguments}
    answer = {
        "later": "later",
        "status": one.name,
        "error": {"error": one.name},
        "answer": {one.name: arguments},
    }
    return {one.pays: answer[one.kind]} if one.pays else answer[one.kind]


def actions(uses: Sequence[model.Use]) -> list[Any]:
    """A list of actions."""
    return [action(use) for use in uses]


def action(use: model.Use) -> Any:
    """One action, or a signal raised."""
    arguments = {name: argument(value) for name, value in use.arguments}
    named = {use.name: arguments} if arguments else use.name
    return {"raise": named} if use.raises else named


def argument(value: model.Value) -> Any:
    """The value of an argument: what is asked for as text, a text that would be taken for that in quotes."""
    if not isinstance(value, model.Const) or value.value is None:
        return value_text(value)
    text = value.value
    if isinstance(text, str) and not isinstance(parse_argument(Scalar(value.mark, text, text)), model.Const):
        return Quoted(text)
    return text


class Quoted(str):
    """A text that is just what it says, although it looks like something to ask."""

    __slots__ = ()


def invariant(one: model.Invariant) -> dict[str, Any]:
    """An invariant."""
    kind, _, rest = one.text.partition(" ")
    first, _, then = rest.partition(" then ") if one.whenever else (rest, "", "")
    written = {"description": one.description, kind: first, "then": then}
    return {key: value for key, value in written.items() if value}


# -- YAML ----------------------------------------------------------------------------------------------


def yaml_text(value: dict[str, Any]) -> str:
    """YAML that the reader takes: what fits into a line is written in one."""
    return "".join(f"{line}\n" for line in _lines(value))


def _lines(value: dict[str, Any], indent: str = "", *, states: bool = False) -> Iterator[str]:
    for key, item in value.items():
        head = f"{indent}{_scalar(key, block=True)}:"
        leaf = not isinstance(item, dict | list) or not item
        line = _scalar(item, block=True) if leaf and isinstance(item, str) else flat(item)
        if leaf or (not states and key != "states" and len(head) + len(line) < WIDTH and _short(item)):
            yield f"{head} {line}"
        elif isinstance(item, dict):
            yield head
            yield from _lines(item, f"{indent}  ", states=key == "states")
        else:
            yield head
            yield from (f"{indent}  - {flat(one)}" for one in item)


def _short(item: Any) -> bool:
    """Whether it reads well in one line: no list of transitions, no state with several keys."""
    return not (isinstance(item, list) and any(isinstance(one, dict) and "target" in one for one in item))


def flat(value: Any) -> str:
    """A value in one line."""
    if isinstance(value, dict):
        return f"{{{_pairs(value)}}}"
    if isinstance(value, list):
        return f"[{', '.join(_pairs(one) if _pair(one) else flat(one) for one in value)}]"
    return _scalar(value)


def _pair(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1


def _pairs(value: dict[str, Any]) -> str:
    return ", ".join(f"{_scalar(key)}: {flat(item)}" for key, item in value.items())


def _scalar(value: Any, *, block: bool = False) -> str:
    """A text is quoted where it would be something else; commas and brackets only count inside brackets."""
    if not isinstance(value, str):
        return json.dumps(value)
    plain = (_BLOCK if block else _FLOW).match(value) and not _ODD.match(value) and value == value.strip()
    return value if plain and not isinstance(value, Quoted) else json.dumps(value, ensure_ascii=False)
