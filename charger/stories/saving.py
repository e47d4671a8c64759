"""What was done to a station, and what it said, as a story that says so.

After each act comes what the station said, and the rest of the pause. Heartbeats and MeterValues are left
out: they may come at any time.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from charger.stories.language import PATIENCE, Duration, Frame, Step
from charger.stories.play import HAND, NAMES, UNASKED, Done
from charger.stories.stage import Heard

MATTERS: Final = ("connectorId", "status", "errorCode", "info", "idTag", "transactionId", "reason")
"""What of a message is expected again; times and readings are not."""
_CARDS: Final = {value: f"${name}" for name, value in NAMES.items()}
_PLAIN: Final = re.compile(r"[A-Za-z$][\w$.-]*\Z")
_WORDS: Final = frozenset({"true", "false", "null"})
"""Texts that would be read as something else."""


def as_story(name: str, done: Sequence[Done], heard: Sequence[Heard], now: float) -> str:
    """The text of the file.

    Args:
        name: of the story.
        done: acts, in order.
        heard: messages, in order.
        now: where it ends, s on the stage's clock.
    """
    head = (f"story: {_flow(name)}", "title: Saved by charger simulate", "given: []", "steps:")
    return "\n".join((*head, *_steps(done, heard, now))) + "\n"


def _steps(done: Sequence[Done], heard: Sequence[Heard], now: float) -> Iterator[str]:
    waiting = list(heard)
    for position, one in enumerate(done):
        yield from _act(one.step)
        last = position == len(done) - 1
        until = now if last else done[position + 1].begun - _hand(done[position + 1].step)
        came = [message for message in waiting if message.at <= until]
        waiting = waiting[len(came) :]
        expected = [message for message in came if message.action not in UNASKED]
        yield from _expected(expected, one.begun)
        yield from _pause(until - max([one.ended, *(message.at for message in expected)]))


def _hand(step: Step) -> float:
    """What the player waits before an act by itself."""
    return 0.0 if step.verb == "central" else HAND


def _pause(seconds: float) -> Iterator[str]:
    if seconds > 1e-6:
        yield f"  - wait: {_duration(seconds)}"


def _duration(seconds: float) -> str:
    return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"


def _expected(messages: Sequence[Heard], since: float) -> Iterator[str]:
    if messages:
        yield "  - expect:"
        yield from (f"      - {_flow({message.action: _pattern(message.payload)})}" for message in messages)
        if (late := messages[-1].at - since) > PATIENCE:
            yield f"    within: {_duration(math.ceil(late) + 1)}"


def _pattern(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {name: payload[name] for name in MATTERS if name in payload and payload[name] != "NoError"}


def _act(step: Step) -> Iterator[str]:
    what = step.what
    if isinstance(what, Frame):
        what = {what.action: dict(what.pattern)} if what.pattern else what.action
    yield f"  - {step.verb}: {_flow(what)}"
    for name, value in step.options.items():
        if name != "answer":
            yield f"    {name}: {_flow(value)}"


def _flow(value: Any) -> str:
    """YAML on one line."""
    match value:
        case Mapping():
            return "{" + ", ".join(f"{key}: {_flow(inner)}" for key, inner in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_flow, value)) + "]"
        case Duration(seconds, key, times):
            parts = [f"{times:g} * {key}"] * bool(key) + [_duration(seconds)] * bool(seconds or not key)
            return " + ".join(parts)
        case str() if value in _CARDS:
            return _CARDS[value]
        case str() if _PLAIN.match(value) and value.casefold() not in _WORDS:
            return value
        case _:
            return json.dumps(value, ensure_ascii=False)
