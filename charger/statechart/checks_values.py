"""Rules about values: what is compared is of one kind, and signals and answers carry what they must."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from charger.statechart import model
from charger.statechart.findings import Finding, nearest
from charger.statechart.logic import Logic
from charger.statechart.model import ChartSet, Expr, Transition
from charger.statechart.wording import value_text
from charger.statechart.words import EventWord, Vocabulary

Kind = Literal["true or false", "a number", "a text"]
_KINDS: dict[str, Kind] = {
    "bool": "true or false",
    **dict.fromkeys(("number", "connector", "duration", "instant"), "a number"),
    **dict.fromkeys(("text", "word"), "a text"),
}


def comparisons(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """mixed-kinds: a number compared with a text, a switch with a number; one is never the other."""
    logic = Logic(charts, vocabulary)
    for trigger, expr in _conditions(charts):
        for part in model.parts(expr):
            if not isinstance(part, model.Compare):
                continue
            left, right = (_kind(logic, trigger, side) for side in (part.left, part.right))
            if left and right and left != right:
                one, other = value_text(part.left), value_text(part.right)
                message = f"'{one}' is {left} and '{other}' {right}: neither is the other, nor more or less"
                yield Finding(part.mark, "mixed-kinds", message)


def _conditions(charts: ChartSet) -> Iterator[tuple[Transition | None, Expr]]:
    for chart in charts.charts.values():
        for transition in chart.transitions():
            if transition.guard is not None:
                yield transition, transition.guard
        yield from ((None, guard) for guard in chart.guards.values())
    yield from ((None, guard) for guard in charts.guards.values())
    owners = [charts.invariants, *(chart.invariants for chart in charts.charts.values())]
    for invariant in (one for invariants in owners for one in invariants):
        yield from ((None, expr) for expr in (invariant.never, invariant.then) if expr is not None)


def _kind(logic: Logic, trigger: Transition | None, value: model.Value) -> Kind | None:
    """What a value is; None where that is not declared."""
    vocabulary = logic.vocabulary
    match value:
        case model.Const(value=bool()) | model.Between():
            return "true or false"
        case model.Const(value=int() | float()) | model.Here() | model.Tries() | model.In(how="first"):
            return "a number"
        case model.Const(value=str()):
            return "a text"
        case model.In():
            return "true or false"
        case model.Name(name=name) if name in vocabulary.facts:
            return _KINDS.get(vocabulary.facts[name].type)
        case model.Capital(name=name) if name in vocabulary.keys:
            return _KINDS.get(vocabulary.keys[name].type)
        case model.EventField(name=name):
            return _KINDS.get(logic.field(trigger, name).type)
        case _:
            return None


def signal_fields(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """missing-field: a signal raised without a field that a chart hearing it cannot do without."""
    needed: dict[str, list[tuple[str, str]]] = {}
    for chart in charts.charts.values():
        for transition in chart.transitions():
            for use in transition.actions if transition.kind == "on" else ():
                word = None if use.raises else vocabulary.actions.get(use.name)
                for name, value in use.arguments if word else ():
                    field = word.arguments.get(name) if word else None
                    if field and field.required and isinstance(value, model.EventField):
                        place = f"'{use.name}' in chart '{chart.name}' (line {use.mark.line})"
                        needed.setdefault(transition.trigger, []).append((value.name, place))
    raised = charts.signals()
    for chart in charts.charts.values():
        for use in (use for use in model.uses(chart) if use.raises):
            given = {"connector", *dict(use.arguments)}
            for name, place in needed.get(use.name, ()):
                if name not in given and name in raised[use.name]:
                    message = f"'{use.name}' is raised without '{name}', which {place} needs"
                    yield Finding(use.mark, "missing-field", message)


def replies(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """unknown-reply, reply-without-call: a reply is one that the call may have."""
    for chart in charts.charts.values():
        for transition in chart.transitions():
            reply = transition.reply
            if reply is None:
                continue
            call = reply.pays or transition.trigger
            word = vocabulary.events.get(call)
            if call == "ocpp.*" and reply.kind == "error" and not reply.pays:
                word = EventWord(call, "", replies=frozenset())
            if word is None or word.replies is None:
                known = sorted(vocabulary.calls())
                message = f"'{call or transition.kind}' is no call that owes an answer{nearest(call, known)}"
                yield Finding(reply.pays_mark or reply.mark, "reply-without-call", message)
            else:
                yield from _fits(reply, word, vocabulary)


def _fits(reply: model.Reply, word: EventWord, vocabulary: Vocabulary) -> Iterator[Finding]:
    known: Iterable[str]
    match reply.kind:
        case "later" if reply.pays:
            known, message = (), f"the debt of {word.name} is paid with an answer, not with `later`"
        case "status" if reply.name not in (word.replies or ()):
            known = word.replies or ()
            message = f"{word.name} cannot be answered with '{reply.name}'"
        case "error" if reply.name not in vocabulary.errors:
            known, message = vocabulary.errors, f"no CALLERROR code '{reply.name}'"
        case "answer":
            answer = vocabulary.answers.get(reply.name)
            if answer and word.name in answer.calls:
                for (key, _), mark in zip(reply.arguments, reply.argument_marks, strict=True):
                    if key not in answer.arguments:
                        message = f"'{reply.name}' takes no argument '{key}'{nearest(key, answer.arguments)}"
                        yield Finding(mark, "unknown-argument", message)
                return
            known = tuple(name for name, one in vocabulary.answers.items() if word.name in one.calls)
            message = f"no answer '{reply.name}' for {word.name}"
        case _:
            return
    yield Finding(reply.mark, "unknown-reply", f"{message}{nearest(reply.name, known)}")


RULES: tuple[Callable[[ChartSet, Vocabulary], Iterator[Finding]], ...] = (comparisons, signal_fields, replies)
