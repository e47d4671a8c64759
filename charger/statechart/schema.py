"""A JSON Schema (draft-07) of chart files: completion and hover in editors, for every word of the vocabulary.

Only a help for typing: the reader and the checks decide. A test holds its keys against the reader's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from charger.statechart import reader
from charger.statechart.words import Scope, Vocabulary

_TEXT: dict[str, Any] = {"type": "string"}
_HELP = {
    "chart": "Name of the chart; the name of its file.",
    "scope": "What there is one of for each: station, connector, or both.",
    "description": "One sentence: why. Shown in the diagram.",
    "initial": "The first state.",
    "guards": "Named conditions; a list means all of them.",
    "on": "Transitions on an event.",
    "always": "Transitions whenever the guard is true.",
    "after": "Once, that long after the state was entered.",
    "every": "Again and again, counted from entry.",
    "at": "By the clock.",
    "states": "The states inside.",
    "invariants": "What may not happen.",
    "status": "The OCPP status from here on.",
    "tags": "Properties that other charts ask for.",
    "type": "final: nothing leaves it.",
    "entry": "Actions on entering.",
    "exit": "Actions on leaving.",
    "guard": "A condition; the first transition whose guard is true is taken.",
    "target": "The state to go to; without it the state is not left.",
    "reply": "What the CALL is answered.",
    "actions": "What is done, in this order.",
    "never": "A condition that is true at no rest.",
    "whenever": "Actions, separated by commas, that are performed only while `then` holds.",
    "then": "The condition that belongs to `whenever`.",
    "home": "A state to which there is always a way back.",
}


def chart_schema(vocabulary: Vocabulary) -> dict[str, Any]:
    """The schema of one chart file."""
    statuses = sorted({status for known in vocabulary.statuses.values() for status in known})
    transition = {
        "guard": {"$ref": "#/definitions/guard"},
        "target": _TEXT,
        "reply": {},
        "actions": {"$ref": "#/definitions/actions"},
        "description": _TEXT,
    }
    state = {
        "description": _TEXT,
        "status": {"enum": statuses},
        "tags": {"type": "array", "items": _TEXT},
        "initial": _TEXT,
        "type": {"enum": ["final"]},
        "states": {"$ref": "#/definitions/states"},
        "entry": {"$ref": "#/definitions/actions"},
        "exit": {"$ref": "#/definitions/actions"},
        "on": {"$ref": "#/definitions/on"},
        "always": {"$ref": "#/definitions/T"},
        "after": {"$ref": "#/definitions/timers"},
        "every": {"$ref": "#/definitions/timers"},
        "at": {"$ref": "#/definitions/timers"},
    }
    scopes = [scope.value for scope in (Scope.STATION, Scope.CONNECTOR)]
    chart = {
        "chart": _TEXT,
        "scope": {"anyOf": [{"enum": scopes}, {"type": "array", "items": {"enum": scopes}}]},
        "guards": {"type": "object", "additionalProperties": {"$ref": "#/definitions/guard"}},
        "invariants": {"type": "array", "items": _object({key: {} for key in reader.INVARIANT_KEYS})},
    }
    chart |= {key: state[key] for key in reader.CHART_KEYS if key in state}
    events = {name: word.description for name, word in vocabulary.events.items()}
    actions = {name: word.description for name, word in vocabulary.actions.items()}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A chart of the charger",
        **_object(chart),
        "definitions": {
            "guard": {"anyOf": [{"type": ["string", "boolean"]}, {"type": "array", "items": _TEXT}]},
            "state": {"anyOf": [_object(state), {"type": "null"}]},
            "states": {"type": "object", "additionalProperties": {"$ref": "#/definitions/state"}},
            "transition": {"anyOf": [_TEXT, _object(transition)]},
            "T": {
                "anyOf": [
                    {"$ref": "#/definitions/transition"},
                    {"type": "array", "items": {"$ref": "#/definitions/transition"}},
                ]
            },
            "on": _open(events, {"$ref": "#/definitions/T"}),
            "timers": {"type": "object", "additionalProperties": {"$ref": "#/definitions/T"}},
            "actions": {
                "type": "array",
                "items": {"anyOf": [{"anyOf": _named(actions)}, _open(actions, {})]},
            },
        },
    }


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    described = {key: _described(value, _HELP[key]) for key, value in properties.items()}
    return {"type": "object", "properties": described, "additionalProperties": False}


def _described(value: dict[str, Any], text: str) -> dict[str, Any]:
    """Draft-07 ignores whatever stands beside a `$ref`, so that one is wrapped."""
    return {**({"allOf": [value]} if "$ref" in value else value), "description": text}


def _open(words: Mapping[str, str], value: dict[str, Any]) -> dict[str, Any]:
    """An object whose known keys are completed, and which may have others (signals, inputs, outputs)."""
    properties = {name: _described(value, text) for name, text in sorted(words.items())}
    return {"type": "object", "properties": properties, "additionalProperties": value or True}


def _named(words: Mapping[str, str]) -> list[dict[str, Any]]:
    names: Iterable[tuple[str, str]] = sorted(words.items())
    return [*({"const": name, "description": text} for name, text in names), _TEXT]
