"""The JSON Schema for editors knows every key of the reader, with help, and accepts the shipped charts."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from chart_kit import SHIPPED

from charger.statechart import reader
from charger.statechart.schema import chart_schema
from charger.statechart.source import Mapping, Node, Scalar, Sequence, read_file, read_text
from charger.vocabulary import build

VOCABULARY = build()
SCHEMA = chart_schema(VOCABULARY)
CHARTS = sorted(path for path in SHIPPED.glob("*.yaml") if path.stem != "index")


def objects(schema: Any = SCHEMA) -> Iterator[dict[str, Any]]:
    """Every part of the schema that describes an object with named keys."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            yield schema
        for value in schema.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value)


def keys_of(definition: str) -> list[str]:
    alternatives = SCHEMA["definitions"][definition]["anyOf"]
    return list(next(one for one in alternatives if "properties" in one)["properties"])


def plain(node: Node | None) -> Any:
    match node:
        case Mapping(items=items):
            return {key.raw: plain(value) for key, value in items}
        case Sequence(items=items):
            return [plain(item) for item in items]
        case Scalar(value=value):
            return value
    return None


def fits(value: Any, schema: Any) -> bool:
    """Whether a value is valid: as much of draft-07 as the schema uses."""
    if schema is True:
        return True
    known = {"type", "enum", "const", "anyOf", "allOf", "properties", "additionalProperties", "items"}
    notes = {"$ref", "description", "title", "definitions", "$schema"}
    assert set(schema) <= known | notes, f"{set(schema) - known - notes} is not understood by this test"
    types = schema.get("type", [])
    named = schema.get("properties", {})
    checks = [
        "$ref" not in schema
        or fits(value, SCHEMA["definitions"][schema["$ref"].removeprefix("#/definitions/")]),
        not types or any(_is(value, one) for one in ([types] if isinstance(types, str) else types)),
        "enum" not in schema or value in schema["enum"],
        "const" not in schema or value == schema["const"],
        "anyOf" not in schema or any(fits(value, one) for one in schema["anyOf"]),
        all(fits(value, one) for one in schema.get("allOf", [])),
        not isinstance(value, list) or all(fits(item, schema.get("items", True)) for item in value),
    ]
    if isinstance(value, dict):
        others = schema.get("additionalProperties", True)
        checks += [
            others is not False
            if key not in named and others in (True, False)
            else fits(item, named.get(key, others))
            for key, item in value.items()
        ]
    return all(checks)


def _is(value: Any, name: str) -> bool:
    kinds = {"string": str, "boolean": bool, "array": list, "object": dict, "null": type(None)}
    return isinstance(value, kinds[name])


def test_the_schema_is_json() -> None:
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"


def test_its_keys_are_those_of_the_reader() -> None:
    assert set(SCHEMA["properties"]) == set(reader.CHART_KEYS)
    assert set(keys_of("state")) == set(reader.STATE_KEYS)
    assert set(keys_of("transition")) == set(reader.TRANSITION_KEYS)
    assert set(SCHEMA["properties"]["invariants"]["items"]["properties"]) == set(reader.INVARIANT_KEYS)


def test_it_refuses_keys_that_the_reader_refuses() -> None:
    for part in (SCHEMA, SCHEMA["properties"]["invariants"]["items"]):
        assert part["additionalProperties"] is False
    for name in ("state", "transition"):
        described = next(one for one in SCHEMA["definitions"][name]["anyOf"] if "properties" in one)
        assert described["additionalProperties"] is False


def test_every_key_has_help_that_an_editor_shows() -> None:
    """Draft-07 ignores everything beside a `$ref`: help beside one would never be seen."""
    for part in objects():
        for key, value in part["properties"].items():
            assert value.get("description"), f"no help for '{key}'"
            assert "$ref" not in value, f"help for '{key}' is hidden by its $ref"


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(SCHEMA)
    used = {part.split('"')[0] for part in text.split('"$ref": "#/definitions/')[1:]}
    assert used <= set(SCHEMA["definitions"])


def test_events_actions_and_statuses_of_the_vocabulary_are_completed() -> None:
    assert set(SCHEMA["definitions"]["on"]["properties"]) == set(VOCABULARY.events)
    items = SCHEMA["definitions"]["actions"]["items"]["anyOf"]
    names = {one["const"]: one["description"] for one in items[0]["anyOf"] if "const" in one}
    assert names == {name: word.description for name, word in VOCABULARY.actions.items()}
    state = next(one for one in SCHEMA["definitions"]["state"]["anyOf"] if "properties" in one)
    assert {"Available", "SuspendedEVSE", "Faulted"} <= set(state["properties"]["status"]["enum"])


@pytest.mark.parametrize("path", CHARTS, ids=lambda path: path.stem)
def test_the_shipped_charts_are_valid(path: Any) -> None:
    assert fits(plain(read_file(path).root), SCHEMA)


@pytest.mark.parametrize(
    "text",
    [
        "chart: [a]",
        "scope: conector",
        "sttes: {}",
        "states: {A: {status: Chargin}}",
        "states: {A: {type: parallel}}",
        "states: {A: {on: {x: {taget: B}}}}",
        "states: {A: {entry: lock.engage}}",
        "after: {10s: {guards: x}}",
        "invariants: [{nevr: x}]",
    ],
)
def test_mistakes_are_underlined_while_typing(text: str) -> None:
    assert not fits(plain(read_text(text, "a.yaml").root), SCHEMA)
