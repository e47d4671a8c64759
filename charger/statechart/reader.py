"""From YAML nodes to the model: structure only.

Every key is known or reported, every value has its kind. Whether a name exists is not asked here: that is
for `checks.py`, which sees the whole set and the vocabulary.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from charger.statechart import expressions, model
from charger.statechart.findings import Finding, Mark, closest, nearest
from charger.statechart.source import Mapping, Node, Scalar, Sequence, read_file

LANGUAGE = 1

INDEX_KEYS = ("language", "description", "charts", "guards", "settings", "inputs", "outputs", "invariants")
CHART_KEYS = (
    *("chart", "scope", "description", "initial", "guards"),
    *("on", "always", "after", "every", "at", "states", "invariants"),
)
STATE_KEYS = (
    *("description", "status", "tags", "initial", "type", "states", "entry", "exit"),
    *("on", "always", "after", "every", "at"),
)
TRANSITION_KEYS = ("guard", "target", "reply", "actions", "description")
INVARIANT_KEYS = ("description", "never", "whenever", "then", "home")
PIN_KEYS = ("scope", "description")

RESERVED = {
    "invoke": "perform the action in `entry` and hear its answers in `on`",
    "context": "what must be remembered is a fact of the vocabulary, and tries(State) counts",
    "include": "write it out, or share it as a named guard in index.yaml",
    "parallel": "charts are the parallel regions: write the second region as a chart of its own",
    "history": "write a state with only `always` transitions that asks facts where to go on, like Choosing",
    "cond": "write `guard`",
    "do": "write `actions`",
    "transitions": "write `on`, with the event as the key",
}
"""What to write instead of words that other statechart languages have."""

_STATE_NAME = re.compile(r"[A-Z][A-Za-z0-9]*\Z")
_LOWER_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
YAML_WORDS = {"On", "Off", "Yes", "No", "None", "True", "False", "Null"}
_SCOPES = ("station", "connector")
_FILES_OF_OTHERS = {
    "index": "index.yaml lists the charts",
    "overview": "that is the picture of how the charts meet",
}

_T = TypeVar("_T")


def read_set(folder: Path, shown_as: str | None = None) -> tuple[model.ChartSet, list[Finding]]:
    """Read index.yaml and every chart it lists; what is wrong comes beside what could be read.

    Args:
        folder: holds index.yaml.
        shown_as: how to name the folder in findings; as given when left out.
    """
    return _SetReader(folder, shown_as or str(folder)).read()


class _SetReader:
    def __init__(self, folder: Path, shown: str) -> None:
        self._folder = folder
        self._shown = shown
        self._findings: list[Finding] = []
        self._sources: dict[str, str] = {}

    def read(self) -> tuple[model.ChartSet, list[Finding]]:
        root, name = self._load("index.yaml")
        mark = Mark(name, 1, 1)
        reader = _Reader(self._findings)
        fields = reader.fields(root, INDEX_KEYS, "index.yaml") if root else {}
        if root:
            reader.language(fields.get("language"), mark)
        guards, texts = reader.guards(fields.get("guards"))
        listed = self._listed(reader, fields.get("charts"), mark) if root else {}
        found = (self._chart(name, at) for name, at in listed.items())
        charts = {chart.name: chart for chart in found if chart}
        chart_set = model.ChartSet(
            mark=mark,
            description=reader.text(fields.get("description")),
            charts=charts,
            guards=guards,
            guard_texts=texts,
            settings=reader.settings(fields.get("settings")),
            setting_marks={key.raw: key.mark for key, _ in reader.pairs(fields.get("settings"), "settings")},
            inputs=reader.pins(fields.get("inputs")),
            outputs=reader.pins(fields.get("outputs")),
            invariants=tuple(reader.invariants(fields.get("invariants"))),
            sources=self._sources,
            unread=frozenset(listed) - charts.keys(),
        )
        return chart_set, self._findings

    def _load(self, file: str) -> tuple[Node | None, str]:
        source = read_file(self._folder / file, f"{self._shown}/{file}")
        self._findings += source.findings
        self._sources[source.file] = source.text
        if source.root is None and not source.findings:
            self._findings.append(Finding(Mark(source.file, 1, 1), "wrong-kind", "the file is empty"))
        return source.root, source.file

    def _listed(self, reader: _Reader, node: Node | None, index: Mark) -> dict[str, Mark]:
        listed: dict[str, Mark] = {}
        for item in reader.sequence(node, "charts", index):
            name = reader.word(item, _LOWER_NAME, "a chart", "a word in lower case")
            if name in _FILES_OF_OTHERS:
                reader.report(item.mark, "bad-name", f"'{name}' is no chart: {_FILES_OF_OTHERS[name]}")
            elif name in listed:
                reader.report(item.mark, "duplicate-chart", f"'{name}' is listed twice")
            elif name:
                listed[name] = item.mark
        for path in sorted(self._folder.glob("*.yaml")) if listed else ():
            if path.stem != "index" and path.stem not in listed:
                reader.report(
                    Mark(f"{self._shown}/{path.name}", 1, 1),
                    "chart-not-listed",
                    "this file is not listed in index.yaml: add it to `charts`, or remove it",
                )
        return listed

    def _chart(self, name: str, listed_at: Mark) -> model.Chart | None:
        if not (self._folder / f"{name}.yaml").exists():
            known = [path.stem for path in self._folder.glob("*.yaml") if path.stem != "index"]
            self._findings.append(
                Finding(listed_at, "unknown-chart", f"there is no file {name}.yaml{nearest(name, known)}")
            )
            return None
        root, file = self._load(f"{name}.yaml")
        return _Reader(self._findings).chart(root, name, Mark(file, 1, 1)) if root else None


class _Reader:
    """Reads the parts of one file; shares the list of findings with the others."""

    def __init__(self, findings: list[Finding]) -> None:
        self._findings = findings
        self._states: dict[str, model.State] = {}

    def report(self, mark: Mark, rule: str, message: str) -> None:
        self._findings.append(Finding(mark, rule, message))

    # -- kinds of values -------------------------------------------------------------------------------

    def fields(self, node: Node | None, known: tuple[str, ...], what: str) -> dict[str, Node]:
        if node is None or (isinstance(node, Scalar) and node.value is None):
            return {}
        if not isinstance(node, Mapping):
            self.report(node.mark, "wrong-kind", f"{what} is written as `key: value` pairs")
            return {}
        fields: dict[str, Node] = {}
        for key, value in node.items:
            if key.raw in known:
                fields[key.raw] = value
            elif key.raw in RESERVED:
                self.report(
                    key.mark, "reserved-word", f"'{key.raw}' is not in the language: {RESERVED[key.raw]}"
                )
            else:
                cut_off = isinstance(value, Scalar) and value.value is None
                hint = nearest(key.raw, known) or ("; quote a text that has commas in it" if cut_off else "")
                self.report(key.mark, "unknown-key", f"{what} has no key '{key.raw}'{hint}")
        return fields

    def sequence(self, node: Node | None, what: str, missing_at: Mark | None = None) -> tuple[Node, ...]:
        if node is None:
            if missing_at:
                self.report(missing_at, "missing-key", f"the key '{what}' is missing")
            return ()
        if not isinstance(node, Sequence):
            self.report(node.mark, "wrong-kind", f"`{what}` is a list: [a, b]")
            return ()
        return node.items

    def text(self, node: Node | None) -> str:
        if node is None:
            return ""
        if not isinstance(node, Scalar) or node.value is None:
            self.report(node.mark, "wrong-kind", "a text should stand here; quote it if it has a colon in it")
            return ""
        return " ".join(node.raw.split())

    def word(self, node: Node, shape: re.Pattern[str], what: str, form: str) -> str:
        if isinstance(node, Scalar) and isinstance(node.value, str) and shape.match(node.value):
            return node.value
        shown = f"'{node.raw}'" if isinstance(node, Scalar) else "this"
        self.report(node.mark, "bad-name", f"{shown} does not name {what}: {form}")
        return ""

    def pairs(self, node: Node | None, what: str) -> tuple[tuple[Scalar, Node], ...]:
        if node is None or (isinstance(node, Scalar) and node.value is None):
            return ()
        if not isinstance(node, Mapping):
            self.report(node.mark, "wrong-kind", f"`{what}` is written as `key: value` pairs")
            return ()
        return node.items

    def _parsed(self, parse: Callable[[], _T]) -> _T | None:
        try:
            return parse()
        except expressions.ExpressionError as error:
            self.report(error.mark, "bad-expression", str(error))
            return None

    # -- index -----------------------------------------------------------------------------------------

    def language(self, node: Node | None, mark: Mark) -> None:
        if node is None:
            self.report(mark, "missing-key", f"the key 'language' is missing: write `language: {LANGUAGE}`")
        elif not isinstance(node, Scalar) or type(node.value) is not int or node.value != LANGUAGE:
            shown = f"'{node.raw}'" if isinstance(node, Scalar) else "of this kind"
            quoted = isinstance(node, Scalar) and node.raw == str(LANGUAGE)
            told = "is a text" if quoted else "is not known here"
            self.report(
                node.mark, "unknown-language", f"language {shown} {told}: write `language: {LANGUAGE}`"
            )

    def settings(self, node: Node | None) -> dict[str, str | int | float | bool]:
        settings: dict[str, str | int | float | bool] = {}
        for key, value in self.pairs(node, "settings"):
            name = self.word(key, _STATE_NAME, "a setting", "a CapitalWord like FreeVending")
            if not isinstance(value, Scalar) or value.value is None:
                self.report(value.mark, "wrong-kind", "a setting is true, false, a number or a text")
            elif name:
                settings[name] = value.value
        return settings

    def pins(self, node: Node | None) -> dict[str, model.Pin]:
        pins: dict[str, model.Pin] = {}
        for key, value in self.pairs(node, "inputs and outputs"):
            name = self.word(key, _LOWER_NAME, "an input or output", "a word in lower case")
            fields = self.fields(value, PIN_KEYS, "an input or output")
            scope = self._scope(fields.get("scope")) or ("station",)
            if len(scope) > 1:
                self.report(fields["scope"].mark, "bad-name", "an input or output has one scope")
            if name:
                pins[name] = model.Pin(key.mark, name, scope[0], self.text(fields.get("description")))
        return pins

    # -- parts -----------------------------------------------------------------------------------------

    def guards(self, node: Node | None) -> tuple[dict[str, model.Expr], dict[str, str]]:
        guards: dict[str, model.Expr] = {}
        texts: dict[str, str] = {}
        for key, value in self.pairs(node, "guards"):
            name = self.word(key, _LOWER_NAME, "a guard", "a word in lower case without dots")
            expr, text = self.guard(value)
            if name and expr:
                guards[name], texts[name] = expr, text
        for name in [name for name in guards if _asks_itself(name, guards)]:
            mark = guards[name].mark
            self.report(mark, "circular-guard", f"the guard '{name}' asks for itself")
            guards[name] = _anything(mark)
        return guards, texts

    def guard(self, node: Node | None) -> tuple[model.Expr | None, str]:
        if node is None:
            return None, ""
        if isinstance(node, Sequence):
            if not node.items:
                self.report(node.mark, "bad-expression", "a list of conditions has at least one")
                return _anything(node.mark), ""
            read = [self.guard(item) for item in node.items]
            exprs = tuple(expr for expr, _ in read if expr)
            joined = " and ".join(f"({text})" if " or " in text else text for _, text in read)
            return (exprs[0] if len(exprs) == 1 else model.And(node.mark, exprs)), joined
        if not isinstance(node, Scalar) or node.value is None:
            self.report(node.mark, "bad-expression", "a condition should stand here")
            return _anything(node.mark), ""
        expr = self._parsed(lambda: expressions.parse_guard(node.raw, node.mark))
        return expr or _anything(node.mark), " ".join(node.raw.split())

    def invariants(self, node: Node | None) -> Iterator[model.Invariant]:
        for item in self.sequence(node, "invariants"):
            fields = self.fields(item, INVARIANT_KEYS, "an invariant")
            kinds = [kind for kind in ("never", "whenever", "home") if kind in fields]
            if len(kinds) != 1 or ("then" in fields) != ("whenever" in fields):
                self.report(
                    item.mark,
                    "bad-invariant",
                    "an invariant is `never:`, `whenever:` with `then:`, or `home:`",
                )
                continue
            never, never_text = self.guard(fields.get("never"))
            then, then_text = self.guard(fields.get("then"))
            whenever = tuple(self._names(fields.get("whenever")))
            home = self.text(fields.get("home")) or None
            names = ", ".join(name for name, _ in whenever)
            texts = {
                "never": f"never {never_text}",
                "whenever": f"whenever {names} then {then_text}",
                "home": f"home {home}",
            }
            description = self.text(fields.get("description"))
            mark = fields[kinds[0]].mark
            yield model.Invariant(mark, description, never, whenever, then, home, texts[kinds[0]])

    def _names(self, node: Node | None) -> Iterator[tuple[str, Mark]]:
        items = node.items if isinstance(node, Sequence) else (node,) if node else ()
        if node and not any(not isinstance(item, Scalar) or item.raw.strip(", ") for item in items):
            self.report(node.mark, "bad-invariant", "`whenever` names at least one action")
        for item in items:
            if isinstance(item, Scalar):
                for match in re.finditer(r"[^,\s]+", item.raw):
                    yield match[0], item.mark.part(match.start(), len(match[0]))
            else:
                self.report(
                    item.mark, "wrong-kind", "`whenever` has the names of actions, with commas between"
                )

    def _scope(self, node: Node | None) -> tuple[str, ...]:
        items = node.items if isinstance(node, Sequence) else (node,) if node else ()
        scopes = []
        for item in items:
            name = item.raw if isinstance(item, Scalar) else ""
            if name in _SCOPES:
                scopes.append(name)
            else:
                hint = nearest(name, _SCOPES)
                self.report(
                    item.mark, "unknown-scope", f"a scope is station or connector, not '{name}'{hint}"
                )
        return tuple(dict.fromkeys(scopes))

    # -- charts ----------------------------------------------------------------------------------------

    def chart(self, node: Node, name: str, mark: Mark) -> model.Chart | None:
        fields = self.fields(node, CHART_KEYS, "a chart")
        if not isinstance(node, Mapping):
            if isinstance(node, Scalar) and node.value is None:
                self.report(mark, "wrong-kind", "the file is empty")
            return None
        self.name_of(fields.get("chart"), name, mark)
        scope = fields.get("scope")
        scopes = self._scope(scope)
        if scope is None or (isinstance(scope, Sequence) and not scope.items):
            self.report(mark, "missing-key", "the key 'scope' is missing: station or connector")
        guards, texts = self.guards(fields.get("guards"))
        children = tuple(self._children(fields.get("states"), ""))
        states = fields.get("states")
        if not children and not (isinstance(states, Sequence) or (isinstance(states, Scalar) and states.raw)):
            self.report(mark, "missing-key", "a chart has `states`")
        root = self._state_of("", None, mark, fields, children)
        ordered = {"": root} | {key: self._states[key] for key in self._file_order(children)}
        return model.Chart(
            mark=mark,
            name=name,
            scopes=scopes,
            description=root.description,
            states=ordered,
            guards=guards,
            guard_texts=texts,
            invariants=tuple(self.invariants(fields.get("invariants"))),
        )

    def name_of(self, node: Node | None, name: str, mark: Mark) -> None:
        if node is None:
            self.report(mark, "missing-key", f"the key 'chart' is missing: write `chart: {name}`")
        elif self.text(node) != name:
            self.report(node.mark, "wrong-chart-name", f"the chart in {name}.yaml is named '{name}'")

    def _file_order(self, names: Iterable[str]) -> Iterator[str]:
        for name in names:
            yield name
            yield from self._file_order(self._states[name].children)

    def _children(self, node: Node | None, parent: str) -> Iterator[str]:
        for key, value in self.pairs(node, "states"):
            name = self.word(key, _STATE_NAME, "a state", "a CapitalWord of letters and digits")
            if name in YAML_WORDS:
                self.report(
                    key.mark, "bad-name", f"'{name}' is read as a value by other YAML tools: rename it"
                )
            if name in self._states:
                first = self._states[name].mark.line
                self.report(
                    key.mark,
                    "duplicate-state",
                    f"state '{name}' is already defined at line {first}; names are unique within a chart",
                )
            elif name:
                self._states[name] = model.State(key.mark, name)  # reserves the name for its line number
                fields = self.fields(value, STATE_KEYS, "a state")
                children = tuple(self._children(fields.get("states"), name))
                self._states[name] = self._state_of(name, parent or None, key.mark, fields, children)
                yield name

    def _state_of(
        self, name: str, parent: str | None, mark: Mark, fields: dict[str, Node], children: tuple[str, ...]
    ) -> model.State:
        initial = fields.get("initial")
        if children and initial is None:
            self.report(
                mark, "missing-key", f"`initial` is missing: which of {', '.join(children)} comes first?"
            )
        if initial is not None and not children:
            self.report(initial.mark, "unknown-target", "`initial` names a state inside, and there is none")
            initial = None
        status = fields.get("status")
        kind = self.text(fields.get("type"))
        if kind in RESERVED:
            self.report(
                fields["type"].mark, "reserved-word", f"'{kind}' is not in the language: {RESERVED[kind]}"
            )
        elif kind not in ("", "final"):
            self.report(fields["type"].mark, "wrong-kind", f"the only type is `final`, not '{kind}'")
        tags = []
        for item in self.sequence(fields.get("tags"), "tags"):
            tag = self.word(item, _LOWER_NAME, "a tag", "a word in lower case")
            if tag:
                tags.append((tag, item.mark))
        return model.State(
            mark=mark,
            name=name,
            parent=parent,
            description=self.text(fields.get("description")),
            status=self.text(status) or None,
            status_mark=status.mark if status else None,
            tags=tuple(tags),
            initial=self.text(initial) or None,
            initial_mark=initial.mark if initial else None,
            children=children,
            final=kind == "final",
            entry=tuple(self._uses(fields.get("entry"), "entry")),
            exit=tuple(self._uses(fields.get("exit"), "exit")),
            transitions=tuple(self._transitions(fields, name)),
        )

    # -- transitions -----------------------------------------------------------------------------------

    def _transitions(self, fields: dict[str, Node], source: str) -> Iterator[model.Transition]:
        for key, value in self.pairs(fields.get("on"), "on"):
            yield from self._competing("on", key.raw, key.mark, value, source, None)
        always = fields.get("always")
        if always is not None:
            yield from self._competing("always", "", always.mark, always, source, None)
        timers: tuple[model.Kind, ...] = ("after", "every", "at")
        for kind in timers:
            for key, value in self.pairs(fields.get(kind), kind):
                delay = self._parsed(partial(expressions.parse_delay, key.raw, key.mark, clock=kind == "at"))
                if delay is not None:
                    yield from self._competing(kind, key.raw, key.mark, value, source, delay)

    def _competing(
        self, kind: model.Kind, trigger: str, mark: Mark, node: Node, source: str, delay: model.Delay | None
    ) -> Iterator[model.Transition]:
        if isinstance(node, Sequence) and not node.items:
            self.report(node.mark, "empty-transition", "a list of transitions has at least one")
        for item in node.items if isinstance(node, Sequence) else (node,):
            yield self._transition(kind, trigger, mark, item, source, delay)

    def _transition(
        self, kind: model.Kind, trigger: str, mark: Mark, node: Node, source: str, delay: model.Delay | None
    ) -> model.Transition:
        fields = (
            {"target": node}
            if isinstance(node, Scalar) and node.value is not None
            else self.fields(node, TRANSITION_KEYS, "a transition")
        )
        guard, guard_text = self.guard(fields.get("guard"))
        written = [key.raw for key, _ in node.items] if isinstance(node, Mapping) else []
        if guard is None and any(_means_guard(key) for key in written):
            guard = _anything(node.mark)
        target = fields.get("target")
        if isinstance(node, Scalar) or (isinstance(node, Mapping) and len(fields) == len(written)):
            if not fields:
                self.report(
                    node.mark, "empty-transition", "a transition does something: target, reply or actions"
                )
            elif kind == "always" and target is None:
                self.report(
                    node.mark, "missing-target", "`always` needs a target, or it would never come to rest"
                )
        return model.Transition(
            mark=node.mark,
            kind=kind,
            trigger=trigger,
            trigger_mark=mark,
            source=source,
            guard=guard,
            target=(self.text(target) or None) if target is not None and fields.get("target") else None,
            target_mark=target.mark if target else None,
            reply=self._reply(fields.get("reply")),
            actions=tuple(self._uses(fields.get("actions"), "actions")),
            description=self.text(fields.get("description")),
            delay=delay,
            guard_text=guard_text,
        )

    def _reply(self, node: Node | None) -> model.Reply | None:
        if node is None:
            return None
        if isinstance(node, Scalar):
            word = self.text(node)
            return model.Reply(
                node.mark, "later" if word == "later" else "status", "" if word == "later" else word
            )
        if not isinstance(node, Mapping) or len(node.items) != 1:
            self.report(
                node.mark,
                "wrong-kind",
                "a reply is a status, `later`, {error: Code}, {answer: {…}} or {ocpp.X: …}",
            )
            return None
        key, value = node.items[0]
        if key.raw == "error":
            return model.Reply(value.mark, "error", self.text(value))
        if key.raw.startswith("ocpp."):
            paid = self._reply(value)
            return paid and replace(paid, pays=key.raw, pays_mark=key.mark)
        return model.Reply(key.mark, "answer", key.raw, **self._arguments(value))

    def _uses(self, node: Node | None, what: str) -> Iterator[model.Use]:
        for item in self.sequence(node, what):
            if isinstance(item, Scalar):
                yield model.Use(item.mark, self.text(item))
            elif isinstance(item, Mapping) and len(item.items) == 1:
                key, value = item.items[0]
                if key.raw == "raise":
                    yield from self._raised(value)
                else:
                    yield model.Use(key.mark, key.raw, **self._arguments(value))
            else:
                self.report(item.mark, "wrong-kind", "an action is a name, or {name: {argument: value}}")

    def _raised(self, node: Node) -> Iterator[model.Use]:
        if isinstance(node, Scalar):
            yield model.Use(node.mark, self.text(node), raises=True)
        elif isinstance(node, Mapping) and len(node.items) == 1:
            key, value = node.items[0]
            yield model.Use(key.mark, key.raw, raises=True, **self._arguments(value))
        else:
            self.report(node.mark, "wrong-kind", "a signal is raised as {raise: chart.word}, or with fields")

    def _arguments(self, node: Node) -> dict[str, Any]:
        """The fields `arguments` and `argument_marks` of an action or a reply."""
        pairs = self.pairs(node, "arguments")
        return {
            "arguments": tuple((key.raw, self._argument(key, value)) for key, value in pairs),
            "argument_marks": tuple(key.mark for key, _ in pairs),
        }

    def _argument(self, key: Scalar, value: Node) -> model.Value:
        if isinstance(value, Scalar):
            return expressions.parse_argument(value)
        self.report(value.mark, "wrong-kind", f"the argument '{key.raw}' is one value")
        return _anything(value.mark)


def _anything(mark: Mark) -> model.EventField:
    """Stands for what could not be read, so that it is neither missing nor, as a guard, always true."""
    return model.EventField(mark, "connector")


def _means_guard(key: str) -> bool:
    return key == "cond" or closest(key, TRANSITION_KEYS) == "guard"


def _asks_itself(name: str, guards: dict[str, model.Expr]) -> bool:
    todo, seen = [name], {name}
    while todo:
        asked = {part.name for part in model.parts(guards[todo.pop()]) if isinstance(part, model.Name)}
        if name in asked:
            return True
        todo += [one for one in asked - seen if one in guards]
        seen |= asked
    return False
