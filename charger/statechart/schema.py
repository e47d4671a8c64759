"""A JSON Schema (draft-07) of chart files: completion and hover in editors, for every word a set may use.

The words are the vocabulary's and the set's own: settings, inputs, outputs, signals, tags and named guards.
Names stay open wherever another chart may add one, so that an older schema never underlines what is right;
structure, statuses, replies and arguments are closed. The reader and the checks decide: a test holds the two
against each other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from charger.statechart import describe, examples, language, reader
from charger.statechart.model import ChartSet
from charger.statechart.words import ActionWord, AnswerWord, Field, Vocabulary

FILE = "chart.schema.json"
"""Its name in a folder of charts; the first line of every chart names it."""
MODELINE = f"# yaml-language-server: $schema={FILE}"

_VALUE = {"type": ["string", "number", "boolean"]}
"""What the reader takes as text."""
_FIELDS = {"type": ["object", "null"], "additionalProperties": _VALUE | {"type": [*_VALUE["type"], "null"]}}
"""Arguments of an action, or fields of a signal, of which nothing is known."""
_NAME = {"type": "string", "minLength": 1}
_STATE = {
    "type": "string",
    "pattern": "^[A-Z][A-Za-z0-9]*$",
    "not": {"enum": sorted(reader.YAML_WORDS)},
}
_DURATION = {r"^(?!0+([.]0+)?[a-z])[0-9]+([.][0-9]+)?(ms|s|m|h)$": "500ms, 30s, 2m, 1h"}
_KEY = {r"^[A-Z][A-Za-z0-9_]*$": "A key, in seconds; 0 is never."}
_FACT_NAME = r"[a-z][a-z0-9_]*([.][a-z][a-z0-9_]*)+"
_FACT = {f"^{_FACT_NAME}$": "A fact."}
_PRODUCT = {f"^[A-Z][A-Za-z0-9_]* *[*] *{_FACT_NAME}$": "A key in seconds, times a fact."}
_BACKOFF = {r"^backoff[(][^,]+,[^,]+,[^,]+[)]$": language.WORDS["backoff"].description}
_TIME = {r"^([01]?[0-9]|2[0-3]):[0-5][0-9]$": "Local time, every day."}
_AFTER = _DURATION | _KEY | _PRODUCT | _FACT | _BACKOFF
_AT = _DURATION | _KEY | _FACT | _TIME
_REFERENCE = rf"^(event[.].+|here|none|first[(].+[)]|{_FACT_NAME})$"
"""An argument that is asked for, and not what it says."""

Words = Mapping[str, tuple[str, ...]]
"""Name → what it is, its description, and what else there is to know."""


def schema_text(charts: ChartSet, vocabulary: Vocabulary) -> str:
    """The file."""
    return json.dumps(chart_schema(charts, vocabulary), indent=1, ensure_ascii=False) + "\n"


def chart_schema(charts: ChartSet, vocabulary: Vocabulary) -> dict[str, Any]:
    """The schema of one chart file of a set."""
    state = {
        "description": _VALUE,
        "status": _one_of(_statuses(vocabulary)),
        "tags": _list(_suggested(_tags(charts), {"type": "string", "pattern": "^[a-z][a-z0-9_]*$"})),
        "initial": _STATE,
        "type": {"enum": ["final"]},
        "states": _ref("states"),
        "entry": _ref("actions"),
        "exit": _ref("actions"),
        "on": _ref("on"),
        "always": {"anyOf": [_with_target(), _list(_with_target(), 1)]},
        "after": _ref("timers"),
        "every": _ref("timers"),
        "at": _ref("clock"),
    }
    together = {"states": ["initial"], "initial": ["states"]}
    scopes = ["station", "connector"]
    chart = {
        "chart": {"type": "string", "pattern": "^[a-z][a-z0-9_]*$"},
        "scope": {"anyOf": [{"enum": scopes}, _list({"enum": scopes}, 1)]},
        "guards": {"anyOf": [{"type": "object", "additionalProperties": _ref("guard")}, {"type": "null"}]},
        "invariants": _list(_invariant(vocabulary)),
    }
    chart |= {key: state[key] for key in reader.CHART_KEYS if key in state}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A chart of the charger",
        **_object(chart),
        "required": ["chart", "scope", "initial", "states"],
        "definitions": {
            "guard": _guard(charts, vocabulary),
            "state": {"anyOf": [_object(state) | {"dependencies": together}, {"type": "null"}]},
            "states": {
                "type": "object",
                "minProperties": 1,
                "propertyNames": _STATE,
                "additionalProperties": _ref("state"),
            },
            "transition": {"anyOf": [_STATE, _transition()]},
            "T": {"anyOf": [_ref("transition"), _list(_ref("transition"), 1)]},
            "on": _transitions(_events(charts, vocabulary), others=True),
            "timers": _transitions(_delays(vocabulary, "duration"), _AFTER),
            "clock": _transitions(_delays(vocabulary, "instant"), _AT),
            "actions": _list(_action(charts, vocabulary)),
            "reply": _reply(vocabulary),
        },
    }


# -- what names mean -----------------------------------------------------------------------------------


def _statuses(vocabulary: Vocabulary) -> Words:
    known: dict[str, list[str]] = {}
    for scope, statuses in vocabulary.statuses.items():
        for status in statuses:
            known.setdefault(status, []).append(describe.SCOPES[scope])
    return {name: (f"an OCPP status {' and '.join(sorted(of))}",) for name, of in sorted(known.items())}


def _tags(charts: ChartSet) -> Words:
    had: dict[str, list[str]] = {}
    for chart in charts.charts.values():
        for state in chart.states.values():
            for tag, _ in state.tags:
                had.setdefault(tag, []).append(f"{chart.name}.{state.name}")
    return {tag: (f"a tag of {', '.join(states)}",) for tag, states in sorted(had.items())}


def _events(charts: ChartSet, vocabulary: Vocabulary) -> Words:
    words: dict[str, tuple[str, ...]] = {
        name: describe.event(word, vocabulary) for name, word in vocabulary.events.items()
    }
    words["ocpp.*"] = ("an event", language.WORDS["ocpp.*"].description)
    return dict(sorted((words | _signals(charts)).items()))


def _signals(charts: ChartSet) -> dict[str, tuple[str, ...]]:
    return {
        name: ("a signal", f"fields: {', '.join(sorted(fields))}" if fields else "")
        for name, fields in sorted(charts.signals().items())
    }


def _conditions(charts: ChartSet, vocabulary: Vocabulary) -> Words:
    """Conditions of one word, and the beginning of those that compare."""
    words: dict[str, tuple[str, ...]] = {}
    for fact in vocabulary.facts.values():
        words[examples.compared(fact)] = describe.fact(fact)
    for key in vocabulary.keys.values():
        words[examples.compared(key)] = describe.key(key)
    for chart in charts.charts.values():
        words |= {
            name: (f"a named guard of chart {chart.name}", text) for name, text in chart.guard_texts.items()
        }
    words |= {name: ("a named guard of all charts", text) for name, text in charts.guard_texts.items()}
    for tag, what in _tags(charts).items():
        words[f"in({tag})"] = what
    return dict(sorted(words.items()))


def _delays(vocabulary: Vocabulary, kind: str) -> Words:
    words: dict[str, tuple[str, ...]] = {
        key.name: describe.key(key) for key in vocabulary.keys.values() if key.unit == "s"
    }
    words |= {fact.name: describe.fact(fact) for fact in vocabulary.facts.values() if fact.type == kind}
    return dict(sorted(words.items()))


# -- parts of a chart ----------------------------------------------------------------------------------


def _guard(charts: ChartSet, vocabulary: Vocabulary) -> dict[str, Any]:
    free = {"type": ["string", "boolean"], "minLength": 1, "description": language.WORDS["guard"].description}
    condition = _suggested(_conditions(charts, vocabulary), free)
    return {"anyOf": [condition, _list(_ref("guard"), 1)]}


def _transition() -> dict[str, Any]:
    keys = {
        "guard": _ref("guard"),
        "target": _STATE,
        "reply": _ref("reply"),
        "actions": _ref("actions"),
        "description": _VALUE,
    }
    return {**_object(keys), "minProperties": 1}


def _with_target() -> dict[str, Any]:
    return {"anyOf": [_STATE, {**_transition(), "required": ["target"]}]}


def _invariant(vocabulary: Vocabulary) -> dict[str, Any]:
    watched = {name: describe.action(word) for name, word in sorted(vocabulary.actions.items())}
    keys = {
        "description": _VALUE,
        "never": _ref("guard"),
        "whenever": {"anyOf": [_suggested(watched, {"type": "string"}), _list({"type": "string"})]},
        "then": _ref("guard"),
        "home": _STATE,
    }
    forms = (("never",), ("whenever", "then"), ("home",))
    one = [
        {
            "required": list(form),
            "not": {"anyOf": [{"required": [key]} for key in keys if key not in form][1:]},
        }
        for form in forms
    ]
    return {**_object(keys), "oneOf": one}


def _action(charts: ChartSet, vocabulary: Vocabulary) -> dict[str, Any]:
    words = {name: describe.action(word) for name, word in sorted(vocabulary.actions.items())}
    calls = {name: _documented(_arguments(vocabulary.actions[name]), what) for name, what in words.items()}
    calls["raise"] = _help("raise", _raised(charts))
    return {"anyOf": [_suggested(words, _NAME), _single(calls, others=_FIELDS)]}


def _raised(charts: ChartSet) -> dict[str, Any]:
    words = _signals(charts)
    signals = {name: _documented(_FIELDS, what) for name, what in words.items()}
    return {"anyOf": [_suggested(words, _NAME), _single(signals, others=_FIELDS)]}


def _arguments(word: ActionWord | AnswerWord) -> dict[str, Any]:
    others = (
        _FIELDS["additionalProperties"] if isinstance(word, ActionWord) and word.open_arguments else False
    )
    properties = {name: _argument(one) for name, one in word.arguments.items()}
    required = [name for name, one in word.arguments.items() if one.required]
    arguments: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": others}
    return arguments | ({"required": required} if required else {"type": ["object", "null"]})


def _argument(one: Field) -> dict[str, Any]:
    may_be = f"{', '.join(sorted(one.words)) or one.type}, a fact, or `event.x`"
    if not one.words:
        return {"type": [*_VALUE["type"], "null"], "description": may_be}
    words = {"enum": sorted(one.words)}
    return {"anyOf": [words, {"type": "string", "pattern": _REFERENCE}], "description": may_be}


def _reply(vocabulary: Vocabulary) -> dict[str, Any]:
    statuses: dict[str, list[str]] = {}
    for call in vocabulary.calls().values():
        for status in call.replies or ():
            statuses.setdefault(status, []).append(call.name)
    words: dict[str, tuple[str, ...]] = {
        name: (f"answers {', '.join(calls)}",) for name, calls in sorted(statuses.items())
    }
    words["later"] = ("a reply", language.WORDS["later"].description)
    made = {
        name: _documented(_arguments(word), describe.answer(word))
        for name, word in sorted(vocabulary.answers.items())
    }
    made["error"] = _help("error", {"enum": sorted(vocabulary.errors)})
    for name, call in sorted(vocabulary.calls().items()):
        made[name] = _documented(_ref("reply"), (f"pays {name}", call.description))
    return {"anyOf": [_one_of(words), _single(made, others=False)]}


# -- forms ---------------------------------------------------------------------------------------------


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/definitions/{name}"}


def _list(item: dict[str, Any], least: int = 0) -> dict[str, Any]:
    return {"type": "array", "items": item, **({"minItems": least} if least else {})}


def _object(keys: Mapping[str, Any]) -> dict[str, Any]:
    described = {key: _help(key, value) for key, value in keys.items()}
    return {"type": "object", "properties": described, "additionalProperties": False}


def _help(word: str, value: dict[str, Any]) -> dict[str, Any]:
    """With the help of a word of the language."""
    known = language.WORDS[word]
    shown = f"{known.description}\n\n```yaml\n{known.example}\n```"
    return {**_wrapped(value), "description": known.description, "markdownDescription": shown}


def _documented(value: dict[str, Any], what: Iterable[str]) -> dict[str, Any]:
    """With the help of a word of the vocabulary: a sentence, and all of it for editors that show Markdown."""
    kind, *notes = what
    notes = [note for note in notes if note]
    shown = "\n\n".join([f"*{kind}*", *notes])
    return {**_wrapped(value), "description": notes[0] if notes else kind, "markdownDescription": shown}


def _wrapped(value: dict[str, Any]) -> dict[str, Any]:
    """Draft-07 ignores whatever stands beside a `$ref`."""
    return {"allOf": [value]} if "$ref" in value else value


def _transitions(
    words: Words, patterns: Mapping[str, str] | None = None, *, others: bool = False
) -> dict[str, Any]:
    """What `on` and timers are: known keys are completed; others fit a pattern, or are open."""
    to = _ref("T")
    return {
        "type": ["object", "null"],
        "properties": {name: _documented(to, what) for name, what in words.items()},
        "patternProperties": {
            one: {**_wrapped(to), "description": text} for one, text in (patterns or {}).items()
        },
        "additionalProperties": to if others else False,
    }


def _single(properties: Mapping[str, Any], *, others: Any) -> dict[str, Any]:
    """An object with exactly one key."""
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": others,
        "minProperties": 1,
        "maxProperties": 1,
    }


def _suggested(words: Words, form: dict[str, Any]) -> dict[str, Any]:
    """Known words with their help, and whatever else has the form."""
    return {"anyOf": [*_one_of(words)["anyOf"], form]}


def _one_of(words: Words) -> dict[str, Any]:
    return {"anyOf": [_documented({"const": name}, what) for name, what in words.items()]}
