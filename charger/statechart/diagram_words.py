"""A transition in words, as the pictures say it.

`[guard]`, `/ action`, `^ signal`, `↩ reply`, `→ target`, and a number in front of those that compete: words
are those of the YAML, so that what is seen can be searched for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from charger.statechart import model
from charger.statechart.diagram_sheet import Run
from charger.statechart.wording import value_text


def number(state: model.State, one: model.Transition) -> tuple[Run, ...]:
    """Its place in the order of trial, when several compete for a trigger; else nothing."""
    rivals = _rivals(state, one)
    return (Run(f"{rivals.index(one) + 1} ", "grey"),) if len(rivals) > 1 else ()


def arrow(one: model.Transition) -> tuple[Run, ...]:
    """Where it leads."""
    return (Run(f"→ {one.target}  ", "strong"),) if one.target else ()


def transition(state: model.State, one: model.Transition) -> tuple[Run, ...]:
    """Everything about it but number and target, side by side."""
    first, *rest = parts(state, one)
    return (*first, *(run for part in rest for run in (Run("  "), *part)))


def parts(state: model.State, one: model.Transition) -> Iterator[tuple[Run, ...]]:
    """Trigger and guard; then the reply, the actions and each signal."""
    yield (Run(_trigger(state, one)),)
    if one.reply:
        yield (Run(f"↩ {reply_text(one.reply)}", "strong"),)
    actions = [use for use in one.actions if not use.raises]
    if actions:
        yield (Run(f"/ {acts(actions)}"),)
    for use in one.actions:
        if use.raises:
            yield (Run(acts([use])),)


def acts(uses: Sequence[model.Use]) -> str:
    """Actions, and signals behind a `^`."""
    return ", ".join(("^ " if use.raises else "") + use_text(use) for use in uses)


def _rivals(state: model.State, one: model.Transition) -> list[model.Transition]:
    return [other for other in state.transitions if other.key == one.key]


def _trigger(state: model.State, one: model.Transition) -> str:
    match one.kind:
        case "on":
            words = one.trigger
        case "always" if one.guard:
            words = ""
        case "always":
            words = "otherwise" if len(_rivals(state, one)) > 1 else "at once"
        case _:
            words = f"{one.kind} {one.trigger}"
    return " ".join(part for part in (words, f"[{one.guard_text}]" if one.guard else "") if part)


def use_text(use: model.Use) -> str:
    """An action with its arguments."""
    return f"{use.name}({_arguments(use.arguments)})" if use.arguments else use.name


def _arguments(arguments: Sequence[tuple[str, model.Value]]) -> str:
    """`name: value`; the name is left out where the value ends with it (`event.tag`)."""
    texts = ((name, value_text(value)) for name, value in arguments)
    return ", ".join(text if text.endswith(f".{name}") else f"{name}: {text}" for name, text in texts)


def reply_text(reply: model.Reply) -> str:
    """What is answered; behind the name of the call, if that came earlier."""
    arguments = f"({_arguments(reply.arguments)})" if reply.arguments else ""
    words = {"later": "later", "error": f"error {reply.name}"}.get(reply.kind, reply.name + arguments)
    return f"{reply.pays}: {words}" if reply.pays else words
