"""SCXML 1.0 (W3C Recommendation, 2015): a state machine as XML.

Guards are the chart's own conditions, so the data model is named `charger`, which other processors do not
have; a chart whose conditions are only `in(State)` has the data model `null`, which they all have. Actions
are elements of our namespace, a timer is a delayed event that is cancelled on leaving. What SCXML has no word
for stands in a comment, and is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from charger.statechart import model
from charger.statechart.exchange import plain
from charger.statechart.exchange.findings import lost
from charger.statechart.exchange.names import decimal
from charger.statechart.findings import Finding, Mark
from charger.statechart.model import Chart
from charger.statechart.wording import value_text

SCXML = "http://www.w3.org/2005/07/scxml"
OURS = "urn:charger"
"""The namespace of our actions and their arguments."""


def write(chart: Chart) -> tuple[str, list[Finding]]:
    """The document, and what is in its comments only."""
    writer = _Writer(chart)
    lines = list(writer.document())
    return "\n".join(lines) + "\n", writer.findings


class _Writer:
    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self.findings: list[Finding] = []
        guards = [t.guard for t in chart.transitions() if t.guard is not None]
        delays = [t.delay for t in chart.transitions() if t.kind == "after"]
        self._null = all(_only_states(chart, guard) for guard in guards) and all(
            isinstance(delay, model.Fixed) for delay in delays
        )

    def document(self) -> Iterator[str]:
        chart, root = self._chart, self._chart.root
        wrapped = bool(root.transitions or root.entry or root.exit)
        first = chart.name if wrapped else root.initial
        yield '<?xml version="1.0" encoding="UTF-8"?>'
        yield (
            f'<scxml xmlns="{SCXML}" xmlns:charger="{OURS}" version="1.0" name={quoteattr(chart.name)}'
            f' initial="{first}" datamodel="{"null" if self._null else "charger"}">'
        )
        yield from _comment(root.description, "  ")
        if chart.scopes != ("station",):
            yield from self._lost(
                chart.mark, "there is one machine, not one for each connector", "scope: connector", "  "
            )
        for name, text in chart.guard_texts.items():
            what = "conditions have no names of their own"
            yield from self._lost(chart.guards[name].mark, what, f"guard {name}: {text}", "  ")
        for invariant in chart.invariants:
            yield from self._lost(
                invariant.mark, "there are no invariants", f"invariant: {invariant.text}", "  "
            )
        self._beginnings()
        if wrapped:
            yield from self._state("", "  ")
        else:
            for child in root.children:
                yield from self._state(child, "  ")
        yield "</scxml>"

    def _beginnings(self) -> None:
        """SCXML hears an event by any beginning of its name."""
        heard = {t.trigger: t.trigger_mark for t in self._chart.transitions() if t.kind == "on"}
        for name, mark in heard.items():
            longer = [other for other in heard if other.startswith(f"{name}.")]
            if longer:
                self.findings.append(lost(mark, f"SCXML: '{name}' hears {', '.join(longer)}, too"))

    def _state(self, name: str, indent: str) -> Iterator[str]:
        state, inner = self._chart.states[name], f"{indent}  "
        element = "final" if state.final and not state.transitions else "state"
        if state.final and state.transitions:
            self.findings.append(lost(state.mark, f"SCXML: <final> hears nothing, so '{name}' is a <state>"))
        initial = f' initial="{state.initial}"' if state.children else ""
        yield f'{indent}<{element} id="{name or self._chart.name}"{initial}>'
        yield from _comment(state.description if name else "", inner)
        if state.status is not None:
            mark = state.status_mark or state.mark
            yield from self._lost(mark, "a state has no status", f"status: {state.status}", inner)
        for tag, mark in state.tags:
            yield from self._lost(mark, "a state has no tags", f"tag: {tag}", inner)
        timers = [t for t in state.transitions if t.kind == "after"]
        delays = {_timer_event(t): t for t in timers}
        sends = [_send(event, one) for event, one in delays.items()]
        yield from self._block("onentry", [*sends, *self._actions(state.entry)], inner)
        cancels = [f'<cancel sendid="{event}"/>' for event in delays]
        yield from self._block("onexit", [*cancels, *self._actions(state.exit)], inner)
        for one in state.transitions:
            yield from self._transition(one, inner)
        for child in state.children:
            yield from self._state(child, inner)
        yield f"{indent}</{element}>"

    def _transition(self, one: model.Transition, indent: str) -> Iterator[str]:
        if one.kind in ("every", "at"):
            text = f"{one.kind} {one.trigger}: {plain.flat(plain.transition(one))}"
            yield from self._lost(one.trigger_mark, f"there is no `{one.kind}`", text, indent)
            return
        if one.trigger == "ocpp.*":
            what = "`ocpp.*` hears every event that begins so, heard elsewhere or not"
            self.findings.append(lost(one.trigger_mark, f"SCXML: {what}"))
        attributes = {
            "event": {"on": one.trigger, "after": _timer_event(one)}.get(one.kind, ""),
            "cond": self._condition(one),
            "target": one.target or "",
            "type": "internal" if self._internal(one) else "",
        }
        shown = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items() if value)
        if one.reply:
            text = f"reply: {plain.flat(plain.reply(one.reply))}"
            yield from self._lost(one.reply.mark, "nothing is answered", text, indent)
        yield from _comment(one.description, indent)
        inside = list(self._actions(one.actions))
        if not inside:
            yield f"{indent}<transition{shown}/>"
            return
        yield f"{indent}<transition{shown}>"
        yield from (f"{indent}  {line}" for line in inside)
        yield f"{indent}</transition>"

    def _internal(self, one: model.Transition) -> bool:
        inside = one.target is not None and one.target != one.source
        return inside and one.source in ("", *self._chart.path(one.target or ""))

    def _condition(self, one: model.Transition) -> str:
        if one.guard is None or not self._null:
            return one.guard_text
        return re.sub(r"in\((?:\w+\.)?(\w+)\)", r"In('\1')", one.guard_text)

    def _actions(self, uses: tuple[model.Use, ...]) -> Iterator[str]:
        for use in uses:
            arguments = [
                f"<charger:argument name={quoteattr(name)} {_argument(value)}/>"
                for name, value in use.arguments
            ]
            if use.raises and use.name.partition(".")[0] != self._chart.name:
                self.findings.append(lost(use.mark, f"SCXML: '{use.name}' is heard by this machine only"))
            if use.raises and not arguments:
                yield f'<raise event="{use.name}"/>'
                continue
            kind = "raise" if use.raises else "action"
            end = f">{''.join(arguments)}</charger:{kind}>" if arguments else "/>"
            yield f'<charger:{kind} name="{use.name}"{end}'

    def _block(self, name: str, inside: list[str], indent: str) -> Iterator[str]:
        if inside:
            yield f"{indent}<{name}>"
            yield from (f"{indent}  {line}" for line in inside)
            yield f"{indent}</{name}>"

    def _lost(self, mark: Mark, what: str, text: str, indent: str) -> Iterator[str]:
        self.findings.append(lost(mark, f"SCXML: {what}; in a comment: {text}"))
        yield from _comment(text, indent)


def _only_states(chart: Chart, guard: model.Expr) -> bool:
    """Whether it asks for one state of the chart itself: the whole of the data model `null`."""
    own = {f"{chart.name}.{name}" for name in chart.states if name} | set(chart.states)
    return isinstance(guard, model.In) and guard.how == "in" and guard.at is None and guard.ref in own


def _comment(text: str, indent: str) -> Iterator[str]:
    if text:
        yield f"{indent}<!-- {escape(text).replace('--', '- -')} -->"


def _timer_event(one: model.Transition) -> str:
    return f"after.{one.source or 'chart'}.{re.sub(r'[^A-Za-z0-9]+', '_', one.trigger).strip('_')}"


def _send(event: str, one: model.Transition) -> str:
    if isinstance(one.delay, model.Fixed):
        delay = f'delay="{decimal(one.delay.seconds)}s"'
    else:
        delay = f"delayexpr={quoteattr(one.trigger)}"
    return f'<send id="{event}" event="{event}" {delay}/>'


def _argument(value: model.Value) -> str:
    text = plain.argument(value)
    if isinstance(value, model.Const) and value.value is not None:
        shown = text if isinstance(text, str) else plain.flat(text)
        return f"{'text' if isinstance(text, str) else 'value'}={quoteattr(shown)}"
    return f"expr={quoteattr(value_text(value))}"
