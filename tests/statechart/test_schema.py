"""The JSON Schema for editors: help for every word, and the reader's opinion of what may be written.

Charts made by chance, whole and with one mistake, are given to both; so are the golden broken examples. Where
the two differ on purpose is listed by name.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import chance
import jsonschema
import pytest
from chart_kit import SHIPPED, shipped_copy
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from charger.cli import run_command
from charger.statechart import reader
from charger.statechart.checks import WORDS
from charger.statechart.findings import Finding, Mark
from charger.statechart.model import ChartSet
from charger.statechart.reader import read_set
from charger.statechart.schema import FILE, MODELINE, chart_schema
from charger.statechart.source import Mapping, Node, Scalar, Sequence, read_file, read_text
from charger.statechart.words import Scope
from charger.vocabulary import build

HERE = Path(__file__).parent


def schema_of(folder: Path) -> dict[str, Any]:
    charts, _ = read_set(folder, "charts")
    return chart_schema(charts, build(charts))


SCHEMA = schema_of(SHIPPED)
VOCABULARY = build()
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.yaml") if path.stem != "index")


def plain(node: Node | None) -> Any:
    match node:
        case Mapping(items=items):
            return {key.raw: plain(value) for key, value in items}
        case Sequence(items=items):
            return [plain(item) for item in items]
        case Scalar(value=value):
            return value
    return None


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


def definition(name: str) -> dict[str, Any]:
    return SCHEMA["definitions"][name]


def keys_of(name: str) -> list[str]:
    return list(next(one for one in definition(name)["anyOf"] if "properties" in one)["properties"])


def suggested(part: dict[str, Any]) -> dict[str, str]:
    """Words that are completed, with the help that an editor shows beside them."""
    return {one["const"]: one["markdownDescription"] for one in part["anyOf"] if "const" in one}


# -- what it is ----------------------------------------------------------------------------------------


def test_it_is_a_schema_of_draft_07() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"


def test_its_keys_are_those_of_the_reader() -> None:
    assert set(SCHEMA["properties"]) == set(reader.CHART_KEYS)
    assert set(keys_of("state")) == set(reader.STATE_KEYS)
    assert set(keys_of("transition")) == set(reader.TRANSITION_KEYS)
    assert set(SCHEMA["properties"]["invariants"]["items"]["properties"]) == set(reader.INVARIANT_KEYS)


def test_every_key_has_help_that_an_editor_shows() -> None:
    """Draft-07 ignores everything beside a `$ref`: help beside one would never be seen."""
    for part in objects():
        for key, value in part["properties"].items():
            assert value.get("description"), f"no help for '{key}'"
            assert "$ref" not in value, f"help for '{key}' is hidden by its $ref"


def test_every_reference_leads_somewhere() -> None:
    used = {part.split('"')[0] for part in json.dumps(SCHEMA).split('"$ref": "#/definitions/')[1:]}
    assert used == set(SCHEMA["definitions"])


# -- every word is completed, and explained ------------------------------------------------------------


def test_events_calls_and_signals_under_on() -> None:
    known = definition("on")["properties"]
    charts, _ = read_set(SHIPPED, "charts")
    assert set(known) == {*VOCABULARY.events, *charts.signals(), "ocpp.*"}
    assert known["lock.engaged"]["description"] == "The plug is locked in."
    assert "*an event of a connector*" in known["lock.engaged"]["markdownDescription"]
    assert "answers lock.engage" in known["lock.engaged"]["markdownDescription"]


def test_actions_with_their_arguments() -> None:
    names, with_arguments = definition("actions")["items"]["anyOf"]
    assert set(suggested(names)) == set(VOCABULARY.actions)
    assert set(with_arguments["properties"]) == {*VOCABULARY.actions, "raise"}
    error = with_arguments["properties"]["fault.raise"]["properties"]["error"]
    assert "ConnectorLockFailure" in error["anyOf"][0]["enum"]


def test_facts_keys_guards_and_tags_in_conditions() -> None:
    conditions = suggested(definition("guard")["anyOf"][0])
    for name in (*VOCABULARY.facts, *VOCABULARY.keys, "online", "energy_allowed"):
        assert any(condition.split()[0] == name for condition in conditions), name
    assert "connector.Energising, connector.Energised*" in conditions["in(energy)"]
    assert "number, s" not in conditions["ConnectionTimeOut > 0"]
    assert "number in s; from 0; default 60" in conditions["ConnectionTimeOut > 0"]
    assert "in(link.Up) and registered" in conditions["online"]


def test_keys_and_facts_as_delays() -> None:
    timed = {key.name for key in VOCABULARY.keys.values() if key.unit == "s"}
    assert set(definition("timers")["properties"]) == {*timed, "registration.interval"}
    assert set(definition("clock")["properties"]) == timed


def test_statuses_tags_and_replies() -> None:
    state = next(one for one in definition("state")["anyOf"] if "properties" in one)["properties"]
    assert set(suggested(state["status"])) == set(VOCABULARY.statuses[Scope.CONNECTOR])
    assert {"free", "locked", "secured", "energy"} <= set(suggested(state["tags"]["items"]))
    statuses, made = definition("reply")["anyOf"]
    assert "answers ocpp.TriggerMessage" in suggested(statuses)["NotImplemented"]
    assert {"error", "configuration.read", *VOCABULARY.calls()} == set(made["properties"])


def test_what_index_yaml_declares() -> None:
    own = schema_of(HERE / "ok" / "everything")["definitions"]
    assert {"door.on", "hood.off", "socket.told"} <= set(own["on"]["properties"])
    assert {"fan.blink", "ring.on"} <= set(suggested(own["actions"]["items"]["anyOf"][0]))
    assert {"FreeVending", "Patience > 0", "door", "open_now"} <= set(suggested(own["guard"]["anyOf"][0]))


# -- beside the reader ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", files(SHIPPED), ids=lambda path: path.stem)
def test_the_shipped_charts_are_valid(path: Path) -> None:
    VALIDATOR.validate(plain(read_file(path).root))


@pytest.mark.parametrize("folder", sorted((HERE / "ok").iterdir()), ids=lambda folder: folder.name)
def test_correct_charts_are_valid(folder: Path) -> None:
    validator = jsonschema.Draft7Validator(schema_of(folder))
    for path in files(folder):
        validator.validate(plain(read_file(path).root))


NOT_YAML = {
    *("yaml-syntax", "yaml-tag", "yaml-alias", "yaml-merge", "yaml-documents", "yaml-too-large"),
    *("duplicate-key", "key-not-text", "odd-number", "unreadable-file"),
}
"""Mistakes in the text, which the editor's YAML parser reports itself, or which are gone in JSON."""
OF_THE_SET = {
    *("chart-not-listed", "duplicate-chart", "unknown-chart", "unknown-language", "wrong-chart-name"),
    *("unused-setting", "unused-input", "unused-output", "two-status-charts"),
}
"""About files and index.yaml: a schema sees one chart."""
OF_BEHAVIOUR = {
    *("call-unanswered", "call-with-two-owners", "call-without-owner", "debt-unpaid", "debt-without-state"),
    *("eventless-loop", "final-left", "never-taken", "no-way-out", "unheard-answer"),
    *("unreachable-state", "unheard-signal", "unused-guard", "unused-tag", "tries-not-reset", "wrong-scope"),
    *("circular-guard", "duplicate-state", "missing-field", "call-elsewhere", "unasked-answer"),
    *("debt-not-owed", "debt-owed-twice", "debt-paid-twice", "promise-not-kept", "action-undone"),
    *("command-loop", "same-moment", "timer-may-be-off", "timer-not-cancelled"),
    *("event-ignored", "hazard-ignored", "loss-ignored", "forbidden-status"),
}
"""What follows from how the parts of a chart go together."""
OPEN_NAMES = {
    *("unknown-event", "unknown-signal", "signal-is-event", "unknown-action"),
    *("unknown-configuration-key", "wrong-delay"),
}
"""Names are completed, and stay open: another chart, or index.yaml, may add one before the schema is written anew."""
IN_A_GUARD = {
    *("unknown-fact", "unknown-field", "unknown-guard", "unknown-state", "unknown-tag"),
    *("mixed-kinds", "guard-never-true", "guard-always-true"),
}
"""A guard is a text to a schema."""
NOT_SEEN = NOT_YAML | OF_THE_SET | OF_BEHAVIOUR | OPEN_NAMES | IN_A_GUARD


@pytest.mark.parametrize("folder", sorted((HERE / "err").iterdir()), ids=lambda folder: folder.name)
def test_broken_examples_are_refused_by_both_unless_listed(folder: Path) -> None:
    validator = jsonschema.Draft7Validator(schema_of(folder))
    roots = {path.name: root for path in files(folder) if (root := read_file(path).root)}
    refused = [name for name, root in roots.items() if not validator.is_valid(plain(root))]
    assert bool(refused) == (folder.name not in NOT_SEEN), refused


# -- charts by chance ----------------------------------------------------------------------------------

CLOSED = {
    *("unknown-status", "unknown-reply", "unknown-word", "unknown-argument", "missing-argument"),
    *("unknown-target", "guard-not-boolean", "reply-without-call"),
}
"""Rules about names that the schema knows too."""


def read(value: Any) -> list[str]:
    """What the reader and these rules say of a chart; JSON is YAML."""
    findings: list[Finding] = []
    source = read_text(json.dumps(value), "lock.yaml")
    assert source.root
    assert not source.findings
    mark = Mark("lock.yaml", 1, 1)
    chart = reader._Reader(findings).chart(source.root, "lock", mark)
    if chart and not findings:
        chart_set = ChartSet(mark, "", {"lock": chart})
        said = (finding for rule in WORDS for finding in rule(chart_set, VOCABULARY))
        findings += [finding for finding in said if finding.rule in CLOSED]
    return [str(finding) for finding in findings]


CHANCE = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


@CHANCE
@given(chance.charts())
def test_what_is_right_is_accepted_by_both(chart: dict[str, Any]) -> None:
    assert read(chart) == []
    VALIDATOR.validate(chart)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


NOT_COMPARED = {"whenever", "chart", "light.follow"}
"""The reader takes lists in lists as `whenever`, and none at all; a schema does not know the file's name, nor what
a lamp can show."""
JUNK = st.sampled_from([None, [], {}, [[]], {"junk": 1}, [None], "On", "lowerword"])


@st.composite
def with_a_mistake(draw: st.DrawFn) -> tuple[dict[str, Any], tuple[Any, ...]]:
    """A chart with one value replaced, or one key misspelt or removed."""
    chart = deepcopy(draw(chance.charts()))
    path = draw(st.sampled_from(list(places(chart))))
    holder = chart
    for key in path[:-1]:
        holder = holder[key]
    value = holder[path[-1]]
    names = "states" in path[-2:-1] or str(path[-1]).startswith("ocpp.")  # others go with them
    match "value" if names else draw(st.sampled_from(["value", "key", "gone"])):
        case "key" if isinstance(holder, dict):
            del holder[path[-1]]
            holder[f"{path[-1]}_x"] = value
        case "gone":
            del holder[path[-1]]
        case _:
            holder[path[-1]] = draw(JUNK)
    return chart, path


@CHANCE
@given(with_a_mistake())
def test_a_mistake_is_refused_by_both_or_by_neither(wrong: tuple[dict[str, Any], tuple[Any, ...]]) -> None:
    chart, path = wrong
    assume(not NOT_COMPARED & {*map(str, path)})
    said = read(chart)
    assert VALIDATOR.is_valid(chart) == (not said), (path, said)


# -- where it stands -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", files(SHIPPED), ids=lambda path: path.stem)
def test_the_modeline_stands_in_every_chart(path: Path) -> None:
    assert path.read_text(encoding="utf-8").splitlines()[0] == MODELINE


def test_a_new_station_gets_the_schema_of_its_charts(tmp_path: Path) -> None:
    assert run_command(["init", str(tmp_path / "mine")]) == 0
    written = tmp_path / "mine" / "charts" / FILE
    assert json.loads(written.read_text(encoding="utf-8")) == SCHEMA


def test_the_schema_follows_index_yaml(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shipped_copy(
        tmp_path, ("index.yaml", "language: 1", "language: 1\nsettings: {FreeVending: true}")
    )
    assert run_command(["schema", str(folder), "--check"]) == 1
    assert f"write it again: charger schema {folder}" in capsys.readouterr().out
    assert "FreeVending" not in (folder / FILE).read_text(encoding="utf-8")
    assert run_command(["schema", str(folder)]) == 0
    assert capsys.readouterr().out.endswith(f"{FILE}: changed\n")
    assert "FreeVending" in (folder / FILE).read_text(encoding="utf-8")
    assert run_command(["schema", str(folder), "--check"]) == 0
    assert capsys.readouterr().out.endswith(f"{FILE}: nothing changed\n")


def test_a_folder_without_charts_gets_no_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["schema", str(tmp_path)]) == 2
    assert "there is no index.yaml" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
