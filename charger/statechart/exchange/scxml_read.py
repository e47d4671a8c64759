"""SCXML that is read: a document becomes a chart as it is written in YAML.

A state that stands alone in the document and has its name is the chart itself. An event that a state sends
with a delay on entry, cancels on exit and hears is an `after`. What the language has no word for is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from charger.statechart import expressions, model
from charger.statechart.exchange import plain
from charger.statechart.exchange.findings import lost
from charger.statechart.exchange.names import Names, as_name, delay_text
from charger.statechart.exchange.scxml import OURS, SCXML
from charger.statechart.exchange.xml import Element, parse
from charger.statechart.findings import Finding
from charger.statechart.source import Scalar

_S = f"{{{SCXML}}}"
_IN = re.compile(r"""In\(\s*(['"])(?P<state>[^'"]*)\1\s*\)""")
_DELAY = re.compile(r"(?P<number>\d*\.?\d+)(?P<unit>ms|s)\Z")


def read(text: str, file: str) -> tuple[dict[str, Any], list[Finding]]:
    """A chart as it is written in YAML, and what it does not have."""
    root, findings = parse(text, file)
    if root is None:
        return {}, findings
    if root.name != f"{_S}scxml":
        return {}, [Finding(root.mark, "unreadable-file", f"the root is <scxml> of {SCXML}")]
    if not list(_states(root)):
        return {}, [Finding(root.mark, "unreadable-file", "there is no <state> in it: this is no machine")]
    reader = _Reader(root)
    return reader.chart(), reader.findings


class _Reader:
    def __init__(self, root: Element) -> None:
        self.findings: list[Finding] = []
        self._root = root
        self._name = as_name(root.get("name") or "machine")
        self._names = Names()
        self._paths: dict[str, tuple[str, ...]] = {}
        self._top = self._unwrapped(root)
        self._index(self._top, ())

    def chart(self) -> dict[str, Any]:
        written = self._state(self._top, ())
        if self._top is not self._root:
            self._inside(self._root, ("state",))
        head: dict[str, Any] = {"chart": self._name, "scope": "station"}
        return (
            head | {key: written.pop(key) for key in ("description", "initial") if key in written} | written
        )

    def _unwrapped(self, root: Element) -> Element:
        """The state that stands for the chart itself, if there is one; else the document."""
        states = list(_states(root))
        alone = len(states) == 1 and states[0].get("id") == root.get("name") != ""
        return states[0] if alone and list(_states(states[0])) else root

    def _index(self, element: Element, path: tuple[str, ...]) -> None:
        for number, child in enumerate(_states(element), 1):
            own = child.get("id") or f"State{number}"
            inner = (*path, own)
            self._names.add(inner)
            self._paths[own] = inner
            self._index(child, inner)

    def _state(self, element: Element, path: tuple[str, ...]) -> dict[str, Any]:
        known = ("state", "final", "initial", "onentry", "onexit", "transition")
        self._inside(element, known)
        timers = self._timers(element)
        written: dict[str, Any] = {
            "initial": self._initial(element, path),
            "type": "final" if element.name == f"{_S}final" else None,
            "entry": self._blocks(element, "onentry", timers),
            "exit": self._blocks(element, "onexit", timers),
            **self._transitions(element, path, timers),
        }
        written["states"] = {}
        for number, child in enumerate(_states(element), 1):
            inner = (*path, child.get("id") or f"State{number}")
            if child.name == f"{_S}parallel":
                self._say(child, "there is no <parallel>: charts are the regions")
                written["states"][self._names.of(inner)] = {}
            else:
                written["states"][self._names.of(inner)] = self._state(child, inner)
        return {key: value for key, value in written.items() if value not in (None, "", [], {})} | (
            {} if path else {"states": written["states"]}
        )

    def _inside(self, element: Element, known: tuple[str, ...]) -> None:
        for child in element.children:
            name = child.name.removeprefix(_S)
            if name not in (*known, "parallel"):
                why = {
                    "history": ": write a state with only `always` that asks facts",
                    "datamodel": ": what must be remembered is a fact of the vocabulary",
                    "invoke": ": perform an action in `entry` and hear its answers in `on`",
                }.get(name, "")
                self._say(child, f"there is no <{name}>{why}")

    def _initial(self, element: Element, path: tuple[str, ...]) -> str | None:
        children = [(*path, child.get("id") or f"State{n}") for n, child in enumerate(_states(element), 1)]
        if not children:
            return None
        target = element.get("initial")
        for initial in element.every(f"{_S}initial"):
            for transition in initial.every(f"{_S}transition"):
                target = transition.get("target")
                if transition.children:
                    self._say(transition, "entering what comes first does nothing of its own")
        names = target.split()
        found = self._paths.get(names[0]) if names else children[0]
        if found not in children or len(names) > 1:
            self._say(element, f"`initial` names one state directly inside, not '{target}'")
            found = next((one for one in children if found and found[: len(one)] == one), children[0])
        return self._names.of(found)

    def _timers(self, element: Element) -> dict[str, str]:
        """Delay by event and by id, of the events that this state sends on entry and cancels on exit."""
        cancelled = {
            cancel.get("sendid")
            for block in element.every(f"{_S}onexit")
            for cancel in block.every(f"{_S}cancel")
        }
        heard = {event for one in element.every(f"{_S}transition") for event in one.get("event").split()}
        found: dict[str, str] = {}
        for block in element.every(f"{_S}onentry"):
            for send in block.every(f"{_S}send"):
                delay = _DELAY.match(send.get("delay"))
                event = send.get("event")
                if send.get("id") in cancelled - {""} and event in heard:
                    if delay:
                        seconds = float(delay["number"]) * (0.001 if delay["unit"] == "ms" else 1)
                        found[event] = delay_text(round(seconds, 6))
                    elif send.get("delayexpr"):
                        found[event] = send.get("delayexpr")
                    if event in found:
                        found[send.get("id")] = found[event]
        return found

    def _transitions(self, element: Element, path: tuple[str, ...], timers: dict[str, str]) -> dict[str, Any]:
        keyed: dict[str, dict[str, list[Any]]] = {"on": {}, "always": {}, "after": {}}
        for one in element.every(f"{_S}transition"):
            written = self._transition(one, path)
            events = one.get("event").split()
            if not events and isinstance(written, dict) and "target" not in written:
                self._say(one, "a transition without an event needs a target")
                continue
            for event in events or [""]:
                if event in timers:
                    keyed["after"].setdefault(timers[event], []).append(written)
                elif not event:
                    keyed["always"].setdefault("", []).append(written)
                elif event == "*":
                    self._say(one, "no state hears every event; name those it should")
                elif event.startswith("done."):
                    self._say(one, f"no event tells that a final state was entered: '{event}'")
                else:
                    keyed["on"].setdefault(self._event(event, one), []).append(written)
        compact = {
            kind: {event: values[0] if len(values) == 1 else values for event, values in found.items()}
            for kind, found in keyed.items()
        }
        return {**compact, "always": compact["always"].get("")}

    def _event(self, event: str, at: Element) -> str:
        if event != "ocpp.*" and event.endswith((".*", ".")):
            self._say(at, f"an event is heard by its whole name, not by the beginning '{event}'")
            return event.rstrip(".*")
        return event

    def _transition(self, one: Element, path: tuple[str, ...]) -> Any:
        targets = [self._paths.get(name) for name in one.get("target").split()]
        target = targets[0] if targets else None
        if len(targets) > 1:
            self._say(one, "a transition has one target")
        elif targets and target is None:
            self._say(one, f"no state '{one.get('target')}'")
        inside = target is not None and len(target) > len(path) and target[: len(path)] == path
        if inside and path and one.get("type") != "internal":
            self._say(one, 'a way inside does not leave the state that declares it: write type="internal"')
        written = {
            "guard": self._guard(one),
            "target": self._names.of(target) if target else None,
            "actions": self._actions(one, {}),
        }
        return plain.compact(written)

    def _guard(self, one: Element) -> str:
        cond = one.get("cond")
        if not cond:
            return ""
        text = _IN.sub(lambda match: f"in({self._state_named(match['state'])})", cond)
        text = text.replace("&&", " and ").replace("||", " or ").replace("!=", "\0")
        text = " ".join(text.replace("!", " not ").replace("\0", "!=").split())
        try:
            expressions.parse_guard(text, one.mark)
        except expressions.ExpressionError:
            self._say(one, f"the condition is in another language: {cond}")
            return f"condition_of_line_{one.mark.line}"
        return text

    def _state_named(self, name: str) -> str:
        return self._names.of(self._paths[name]) if name in self._paths else name

    def _blocks(self, element: Element, name: str, timers: dict[str, str]) -> list[Any]:
        return [action for block in element.every(f"{_S}{name}") for action in self._actions(block, timers)]

    def _actions(self, block: Element, timers: dict[str, str]) -> list[Any]:
        written: list[Any] = []
        for child in block.children:
            name, event = child.name.removeprefix(_S).removeprefix(f"{{{OURS}}}"), child.get("event")
            given = {one.get("name"): _given(one) for one in child.every(f"{{{OURS}}}argument")}
            named = {child.get("name"): given} if given else child.get("name")
            if child.name == f"{_S}raise":
                written.append({"raise": event})
            elif child.name == f"{{{OURS}}}raise":
                written.append({"raise": named})
            elif child.name == f"{{{OURS}}}action":
                written.append(named)
            elif not (name == "send" and event in timers) and not (
                name == "cancel" and child.get("sendid") in timers
            ):
                self._say(child, f"there is no <{name}>: what is done is an action of the vocabulary")
        return written

    def _say(self, at: Element, what: str) -> None:
        self.findings.append(lost(at.mark, what))


def _states(element: Element) -> Iterator[Element]:
    return (
        child for child in element.children if child.name in (f"{_S}state", f"{_S}final", f"{_S}parallel")
    )


def _given(argument: Element) -> Any:
    if "text" in argument.attributes:
        text = argument.get("text")
        asked = not isinstance(expressions.parse_argument(Scalar(argument.mark, text, text)), model.Const)
        return plain.Quoted(text) if asked else text
    if "value" in argument.attributes:
        value = argument.get("value")
        return value == "true" if value in ("true", "false") else float(value) if "." in value else int(value)
    return argument.get("expr")
