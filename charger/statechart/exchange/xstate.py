"""XState v5: a machine as the JSON of its configuration.

Guards, actions and delays are names there, whose meaning is given elsewhere: a guard's name is its
expression, a delay's what is written, an action has its arguments as `params`. What XState has no word for
stands under `meta`, where it does nothing, and is said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from charger.statechart import model
from charger.statechart.exchange import plain
from charger.statechart.exchange.findings import lost
from charger.statechart.exchange.names import Names, as_name, decimal, delay_text
from charger.statechart.findings import Finding, Mark
from charger.statechart.model import Chart
from charger.statechart.source import Mapping, Node, Scalar, Sequence, read_text

_UNKNOWN = {
    "context": "what must be remembered is a fact of the vocabulary",
    "invoke": "perform an action in `entry` and hear its answers in `on`",
    "onDone": "no event tells that a final state was entered",
    "onError": "an exception is a defect: contactors open",
    "output": "a final state gives nothing",
    "input": "a chart asks facts",
    "history": "write a state with only `always` that asks facts",
}
_STATE_KEYS = (
    "id",
    "key",
    "initial",
    "states",
    "type",
    "tags",
    "description",
    "entry",
    "exit",
    "on",
    "always",
    "after",
    "meta",
)


# -- to XState -----------------------------------------------------------------------------------------


def write(chart: Chart) -> tuple[str, list[Finding]]:
    """The configuration as JSON, and what is under `meta` only."""
    writer = _Writer(chart)
    config = writer.state("")
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n", writer.findings


class _Writer:
    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self.findings: list[Finding] = []

    def state(self, name: str) -> dict[str, Any]:
        state, meta = self._chart.states[name], dict[str, Any]()
        written: dict[str, Any] = {"id": name or self._chart.name}
        written["description"] = state.description
        if state.children:
            written["initial"] = state.initial
        if state.final:
            written["type"] = "final"
        written["tags"] = [tag for tag, _ in state.tags]
        written["entry"] = self._actions(state.entry)
        written["exit"] = self._actions(state.exit)
        if state.status is not None:
            meta["status"] = state.status
            self._say(state.status_mark or state.mark, f"a state has no status: {state.status}")
        for kind in ("on", "after"):
            of_kind = [t for t in state.transitions if t.kind == kind]
            keyed: dict[str, list[Any]] = {}
            for one in of_kind:
                keyed.setdefault(_milliseconds(one), []).append(self._transition(one))
            written[kind] = keyed
        written["always"] = [self._transition(t) for t in state.transitions if t.kind == "always"]
        for kind in ("every", "at"):
            timers = [t for t in state.transitions if t.kind == kind]
            for one in timers:
                self._say(one.trigger_mark, f"there is no `{kind}`: {one.trigger}")
            if timers:
                meta[kind] = plain.state(self._chart, name)[kind]
        if not name:
            meta |= self._of_chart()
        written["meta"] = meta
        written["states"] = {child: self.state(child) for child in state.children}
        return {key: value for key, value in written.items() if value not in (None, "", [], {})}

    def _of_chart(self) -> dict[str, Any]:
        chart, whole = self._chart, plain.whole(self._chart)
        for ended in (chart.states[name] for name in chart.root.children):
            if ended.final and chart.root.transitions:
                what = f"the machine ends in '{ended.name}', and nothing is heard there any more"
                self.findings.append(lost(ended.mark, f"XState: {what}"))
        if chart.scopes != ("station",):
            self._say(chart.mark, "there is one machine, not one for each connector")
        for invariant in chart.invariants:
            self._say(invariant.mark, f"there are no invariants: {invariant.text}")
        return {key: whole[key] for key in ("scope", "guards", "invariants") if key in whole}

    def _transition(self, one: model.Transition) -> dict[str, Any]:
        written: dict[str, Any] = {"description": one.description}
        if one.target:
            written["target"] = f"#{one.target}"
            written["reenter"] = one.target == one.source or None
        written["guard"] = one.guard_text
        written["actions"] = self._actions(one.actions)
        if one.trigger == "ocpp.*":
            what = "`ocpp.*` hears every event that begins so, heard elsewhere or not"
            self.findings.append(lost(one.trigger_mark, f"XState: {what}"))
        if one.reply:
            reply = plain.reply(one.reply)
            self._say(one.reply.mark, f"nothing is answered: {plain.flat(reply)}")
            written["meta"] = {"reply": reply}
        return {key: value for key, value in written.items() if value not in (None, "", [], {})}

    def _actions(self, uses: tuple[model.Use, ...]) -> list[dict[str, Any]]:
        written: list[dict[str, Any]] = []
        for use in uses:
            params = {name: plain.argument(value) for name, value in use.arguments}
            if any(isinstance(value, plain.Quoted) for value in params.values()):
                self.findings.append(lost(use.mark, "XState: a quoted text is one like any other"))
            action = {"type": f"raise {use.name}" if use.raises else use.name}
            written.append(action | ({"params": params} if params else {}))
        return written

    def _say(self, mark: Mark, what: str) -> None:
        self.findings.append(lost(mark, f"XState: {what}; kept under `meta`"))


def _milliseconds(one: model.Transition) -> str:
    return decimal(one.delay.seconds * 1000) if isinstance(one.delay, model.Fixed) else one.trigger


# -- from XState ---------------------------------------------------------------------------------------


def read(text: str, file: str) -> tuple[dict[str, Any], list[Finding]]:
    """A chart as it is written in YAML, and what it does not have."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        told = f"not readable as JSON: {error.msg}"
        return {}, [Finding(Mark(file, error.lineno, error.colno), "unreadable-file", told)]
    except (ValueError, RecursionError):
        told = "not readable as JSON: an endless number, or nested too deep"
        return {}, [Finding(Mark(file, 1, 1), "unreadable-file", told)]
    # JSON is YAML, and our YAML has places; only tabs are no indentation there.
    source = read_text(re.sub(r"(?m)^\t+", lambda tabs: " " * len(tabs[0]), text), file)
    if source.findings or not isinstance(source.root, Mapping):
        wrong = Finding(Mark(file, 1, 1), "unreadable-file", "a machine is an object")
        return {}, source.findings or [wrong]
    if not _pairs(source.root.get("states")):
        wrong = Finding(
            source.root.mark, "unreadable-file", "there are no `states` in it: this is no machine"
        )
        return {}, [wrong]
    reader = _Reader(source.root)
    return reader.chart(), reader.findings


class _Reader:
    def __init__(self, root: Mapping) -> None:
        self.findings: list[Finding] = []
        self._root = root
        self._names = Names()
        self._by_id: dict[str, tuple[str, ...]] = {}
        self._initials: dict[tuple[str, ...], str] = {}
        self._index(root, ())

    def chart(self) -> dict[str, Any]:
        meta = _plain(self._root.get("meta"))
        meta = meta if isinstance(meta, dict) else {}
        name = as_name(_text(self._root.get("id")) or "machine")
        head: dict[str, Any] = {"chart": name, "scope": meta.get("scope", "station")}
        written = self._state(self._root, ())
        head |= {key: written.pop(key) for key in ("description", "initial") if key in written}
        if "guards" in meta:
            head["guards"] = meta["guards"]
        if "invariants" in meta:
            written["invariants"] = meta["invariants"]
        return head | written

    def _index(self, node: Node | None, path: tuple[str, ...]) -> None:
        """Names of all states first: a target may come before its state."""
        if path:
            self._names.add(path)
        self._initials[path] = ""
        if not isinstance(node, Mapping):
            return
        self._by_id[_text(node.get("id"))] = path
        for key, child in _pairs(node.get("states")):
            self._index(child, (*path, key.raw))
        self._initials[path] = _text(node.get("initial"))

    def _state(self, node: Node, path: tuple[str, ...]) -> dict[str, Any]:
        if not isinstance(node, Mapping):
            return {}
        self._refuse(node, path)
        meta = _plain(node.get("meta"))
        meta = meta if isinstance(meta, dict) else {}
        kind = _text(node.get("type"))
        written: dict[str, Any] = {
            "description": _text(node.get("description")),
            "status": meta.get("status"),
            "tags": [_text(tag) for tag in _items(node.get("tags"))],
            "initial": self._initial(node, path),
            "type": "final" if kind == "final" else None,
            "entry": self._actions(node.get("entry")),
            "exit": self._actions(node.get("exit")),
            "on": self._keyed(node.get("on"), path),
            "always": _compact(list(self._transitions(node.get("always"), path))),
            "after": self._keyed(node.get("after"), path, timed=True),
            "every": meta.get("every"),
            "at": meta.get("at"),
        }
        written["states"] = {
            self._names.of((*path, key.raw)): self._state(child, (*path, key.raw))
            for key, child in _pairs(node.get("states"))
        }
        return {key: value for key, value in written.items() if value not in (None, "", [], {})}

    def _initial(self, node: Mapping, path: tuple[str, ...]) -> str | None:
        children = [key.raw for key, _ in _pairs(node.get("states"))]
        if not children:
            return None
        first = _text(node.get("initial"))
        if first not in children:
            mark = (node.get("initial") or node).mark
            self._say(mark, f"`initial` names a state directly inside: {children[0]} is taken")
            first = children[0]
        return self._names.of((*path, first))

    def _refuse(self, node: Mapping, path: tuple[str, ...]) -> None:
        for key, value in node.items:
            if key.raw == "type" and _text(value) in ("parallel", "history"):
                instead = "charts are the regions" if _text(value) == "parallel" else _UNKNOWN["history"]
                self._say(value.mark, f"there is no `{_text(value)}`: {instead}")
            elif key.raw not in _STATE_KEYS and not (not path and key.raw in ("version", "$schema")):
                why = _UNKNOWN.get(key.raw)
                self._say(key.mark, f"there is no `{key.raw}`" + (f": {why}" if why else ""))

    def _keyed(self, node: Node | None, path: tuple[str, ...], *, timed: bool = False) -> dict[str, Any]:
        written: dict[str, Any] = {}
        for key, value in _pairs(node):
            if key.raw == "*":
                self._say(key.mark, "no state hears every event; name those it should")
                continue
            milliseconds = timed and re.fullmatch(r"[0-9]+([.][0-9]+)?", key.raw)
            name = delay_text(float(key.raw) / 1000) if milliseconds else key.raw
            written[name] = _compact(list(self._transitions(value, path)))
        return {key: value for key, value in written.items() if value}

    def _transitions(self, node: Node | None, path: tuple[str, ...]) -> Iterator[Any]:
        for one in _items(node):
            if isinstance(one, Scalar):
                yield plain.compact({"target": self._target(one, path, reenter=False)})
                continue
            if not isinstance(one, Mapping):
                continue
            reenter = _text(one.get("reenter")) == "true"
            targets = _items(one.get("target"))
            meta = _plain(one.get("meta"))
            for key, _ in one.items:
                if key.raw not in ("target", "guard", "actions", "reenter", "description", "meta"):
                    self._say(key.mark, f"a transition has no `{key.raw}`")
            if len(targets) > 1:
                self._say(targets[1].mark, "a transition has one target")
            written = {
                "guard": self._guard(one.get("guard")),
                "target": self._target(targets[0], path, reenter=reenter) if targets else None,
                "reply": meta.get("reply") if isinstance(meta, dict) else None,
                "actions": self._actions(one.get("actions")),
                "description": _text(one.get("description")),
            }
            yield plain.compact(written)

    def _guard(self, node: Node | None) -> str:
        if isinstance(node, Mapping):
            if node.get("params"):
                self._say(node.mark, "a guard has no `params`")
            node = node.get("type")
        return " ".join(_text(node).split())

    def _target(self, node: Node, source: tuple[str, ...], *, reenter: bool) -> str | None:
        path = self._resolve(_text(node), source)
        if path is None:
            self._say(node.mark, f"no state '{_text(node)}'")
            return None
        if path == source and not reenter:
            # Not left there: the same as no target, or as entering what comes first inside.
            first = self._initials.get(path)
            return self._names.of((*path, first)) if first else None
        if reenter and path[: len(source)] == source and path != source:
            self._say(node.mark, "a way inside does not leave the state that declares it: `reenter`")
        return self._names.of(path)

    def _resolve(self, target: str, source: tuple[str, ...]) -> tuple[str, ...] | None:
        if target.startswith("#"):
            head, *rest = target[1:].split(".")
            whole = self._by_id.get(target[1:])
            base = self._by_id.get(head)
            path = whole if whole is not None else None if base is None else (*base, *rest)
        elif target.startswith("."):
            path = (*source, *target[1:].split("."))
        else:
            path = (*source[:-1], *target.split("."))
        return path if path is not None and path in self._initials else None

    def _actions(self, node: Node | None) -> list[Any]:
        written: list[Any] = []
        for one in _items(node):
            name, params = _text(one), None
            if isinstance(one, Mapping):
                name, params = _text(one.get("type")), _plain(one.get("params"))
            raised = name.startswith("raise ")
            name = name.removeprefix("raise ")
            named = {name: params} if params else name
            if name:
                written.append({"raise": named} if raised else named)
        return written

    def _say(self, mark: Mark, what: str) -> None:
        self.findings.append(lost(mark, what))


def _compact(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def _pairs(node: Node | None) -> tuple[tuple[Scalar, Node], ...]:
    return node.items if isinstance(node, Mapping) else ()


def _items(node: Node | None) -> tuple[Node, ...]:
    return node.items if isinstance(node, Sequence) else () if node is None else (node,)


def _text(node: Node | None) -> str:
    return node.raw if isinstance(node, Scalar) and node.value is not None else ""


def _plain(node: Node | None) -> Any:
    match node:
        case Mapping(items=items):
            return {key.raw: _plain(value) for key, value in items}
        case Sequence(items=items):
            return [_plain(item) for item in items]
        case Scalar(value=value):
            return value
    return None
