"""Frames and payloads. The compiled checkers are held against jsonschema on every schema of OCPP 1.6."""

import copy
import json
import subprocess
import sys
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator

from charger.central import messages
from charger.central.messages import (
    ACTIONS,
    FROM_CENTRAL_SYSTEM,
    FROM_CHARGE_POINT,
    SCHEMAS,
    BadCall,
    Call,
    Failure,
    FrameError,
    Result,
    find_fault,
    parse,
)

# -- the schemas -----------------------------------------------------------------------------------

NAMES = sorted(path.stem for path in SCHEMAS.glob("*.json"))


def schema(name, **options):
    return json.loads((SCHEMAS / f"{name}.json").read_text("utf-8-sig"), **options)


def test_every_schema_file_belongs_to_a_known_action():
    assert sorted([*ACTIONS, *(f"{action}Response" for action in ACTIONS)]) == NAMES


def test_only_data_transfer_goes_both_ways():
    assert set(FROM_CHARGE_POINT & FROM_CENTRAL_SYSTEM) == {"DataTransfer"}


@pytest.mark.parametrize(
    "broken",
    [
        {"type": "object", "patternProperties": {}, "additionalProperties": False},
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {"x": {"type": "number", "multipleOf": 0.5}}},
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {"x": {"type": "string", "pattern": "a"}},
        },
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {"x": {"type": "number", "multipleOf": 2}},
        },
        {"type": "array", "items": {"type": "string"}},
    ],
)
def test_a_schema_in_words_not_understood_is_refused(broken, tmp_path, monkeypatch):
    monkeypatch.setattr(messages, "SCHEMAS", tmp_path)
    (tmp_path / "New.json").write_text(json.dumps(broken))
    with pytest.raises(NotImplementedError, match=r"JSON Schema|no object"):
        messages._checker.__wrapped__("New", tolerant=False)


# -- agreement with jsonschema ---------------------------------------------------------------------

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(-1e15, 1e15)  # beyond, Decimal gives up
    | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def resolve(part, root):
    return root["definitions"][part["$ref"].rsplit("/", 1)[1]] if "$ref" in part else part


def valid(part, root):
    """Payloads that obey a schema, as a strategy."""
    part = resolve(part, root)
    kind = part["type"]
    if kind == "object":
        properties = part.get("properties", {})
        required = part.get("required", [])
        return st.fixed_dictionaries(
            {name: valid(properties[name], root) for name in required},
            optional={name: valid(inner, root) for name, inner in properties.items() if name not in required},
        )
    if kind == "array":
        return st.lists(valid(part["items"], root), min_size=part.get("minItems", 0), max_size=3)
    if "enum" in part:
        return st.sampled_from(part["enum"])
    return {
        "string": st.text(max_size=min(part.get("maxLength", 40), 40)),
        "integer": st.integers(-(2**63) + 1, 2**63 - 1),
        "number": st.integers(-(10**9), 10**9) | st.integers(-(10**9), 10**9).map(lambda tenths: tenths / 10),
        "boolean": st.booleans(),
    }[kind]


def places(value, path=()):
    """The path of every value inside a payload, the payload itself included."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


@st.composite
def payloads(draw, name):
    """Payloads that obey the schema, and payloads broken in one to three places."""
    payload = draw(valid(schema(name), schema(name)))
    for _ in range(draw(st.integers(0, 3))):
        payload = mutate(draw, payload)
    return payload


def mutate(draw, payload):
    payload = copy.deepcopy(payload)
    path = draw(st.sampled_from(list(places(payload))))
    *way, last = path or (None,)
    holder = payload
    for step in way:
        holder = holder[step]
    target = holder[last] if path else payload
    how = draw(st.sampled_from(["replace", "remove", "add", "lengthen", "scale", "empty"]))
    if how == "remove" and path:
        del holder[last]
        return payload
    if how == "add" and isinstance(target, dict):
        target[draw(st.text(max_size=5))] = draw(ANYTHING)
        return payload
    new = draw(st.sampled_from([True, 1, 1.0, 4.11, "1", None, [], {}]) | ANYTHING)
    if how == "lengthen" and isinstance(target, str):
        new = target + "x" * draw(st.sampled_from([1, 20, 50, 255, 500, 10000]))
    elif how == "scale" and type(target) in (int, float):
        new = target * draw(st.sampled_from([0.1, 0.01, 1.0, 3.3]))
    elif how == "empty" and isinstance(target, (dict, list, str)):
        new = type(target)()
    if not path:
        return new
    holder[last] = new
    return payload


# Numbers are compared as they are written, as `ocpp` does: in binary 21.4 is no multiple of 0.1.
JUDGES = {name: Draft4Validator(schema(name, parse_float=Decimal)) for name in NAMES}


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(data=st.data())
@pytest.mark.parametrize("name", NAMES)
def test_checker_and_jsonschema_agree(name, data):
    payload = data.draw(payloads(name))
    action, response = (name.removesuffix("Response"), True) if name.endswith("Response") else (name, False)
    as_written = json.loads(json.dumps(payload), parse_float=Decimal)
    errors = {(tuple(error.absolute_path), error.validator) for error in JUDGES[name].iter_errors(as_written)}

    fault = find_fault(action, payload, response=response)

    if fault is None:
        assert not errors
    elif fault.keyword == "range":
        assert any(isinstance(each, (int, float)) and abs(each) >= 2**63 for each in leaves(payload))
    else:
        assert (fault.path, fault.keyword) in errors
        assert str(fault)


@given(
    st.floats(-1e15, 1e15)
    | st.integers(-(10**6), 10**6).map(lambda n: n / 10)
    | st.integers().map(lambda n: n / 100)
)
def test_checker_and_jsonschema_agree_on_decimals(limit):
    fault = find_fault("SetChargingProfile", profile(limit))
    as_written = json.loads(json.dumps(profile(limit)), parse_float=Decimal)
    if abs(limit) <= 1e15:
        assert (fault is None) == JUDGES["SetChargingProfile"].is_valid(as_written)


def leaves(value):
    if isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from leaves(item)
    else:
        yield value


@settings(max_examples=10, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("name", sorted(FROM_CENTRAL_SYSTEM))
def test_tolerant_drops_extra_properties_at_every_level_and_nothing_else(name, data):
    payload = data.draw(valid(schema(name), schema(name)))
    padded = copy.deepcopy(payload)
    for path in list(places(padded)):
        inner = padded
        for step in path:
            inner = inner[step]
        if isinstance(inner, dict):
            inner["x-extra"] = [1]

    assert find_fault(name, padded).code == "FormationViolation"
    assert find_fault(name, padded, tolerant=True) is None
    assert padded == payload


# -- codes -----------------------------------------------------------------------------------------

PROFILE = {
    "chargingProfileId": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Relative",
}


def profile(limit):
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}
    return {"connectorId": 1, "csChargingProfiles": {**PROFILE, "chargingSchedule": schedule}}


@pytest.mark.parametrize(
    ("action", "payload", "code", "words"),
    [
        (
            "UnlockConnector",
            {"connectorId": "1"},
            "TypeConstraintViolation",
            "connectorId: must be an integer",
        ),
        (
            "UnlockConnector",
            {"connectorId": True},
            "TypeConstraintViolation",
            "connectorId: must be an integer",
        ),
        (
            "UnlockConnector",
            {"connectorId": 1.0},
            "TypeConstraintViolation",
            "connectorId: must be an integer",
        ),
        (
            "UnlockConnector",
            {"connectorId": 2**63},
            "PropertyConstraintViolation",
            "connectorId: beyond 64 bits",
        ),
        ("UnlockConnector", {}, "OccurenceConstraintViolation", "connectorId is missing"),
        ("Reset", {"type": "Warm"}, "PropertyConstraintViolation", "type: must be one of Hard, Soft"),
        ("Reset", {"type": 1}, "TypeConstraintViolation", "type: must be a string"),
        ("Reset", {"type": "Hard", "now": 1}, "FormationViolation", "unknown property now"),
        ("Reset", {"type": "Hard", 5: 1}, "FormationViolation", "unknown property 5"),
        ("Reset", [], "FormationViolation", "the payload must be an object"),
        ("Reset", None, "FormationViolation", "the payload must be an object"),
        ("GetConfiguration", {"key": "a"}, "TypeConstraintViolation", "key: must be an array"),
        ("GetConfiguration", {"key": ["a", 1]}, "TypeConstraintViolation", "key.1: must be a string"),
        (
            "RemoteStartTransaction",
            {"idTag": "x" * 21},
            "PropertyConstraintViolation",
            "idTag: longer than 20",
        ),
        ("SetChargingProfile", profile("6"), "TypeConstraintViolation", "limit: must be a number"),
        ("SetChargingProfile", profile(4.11), "PropertyConstraintViolation", "limit: more than one decimal"),
        ("SetChargingProfile", profile(float("inf")), "PropertyConstraintViolation", "limit: beyond 64 bits"),
        ("SetChargingProfile", profile(float("nan")), "PropertyConstraintViolation", "limit: beyond 64 bits"),
        ("SetChargingProfile", profile(10**400), "PropertyConstraintViolation", "limit: beyond 64 bits"),
        (
            "SetChargingProfile",
            {"connectorId": 1, "csChargingProfiles": 2},
            "TypeConstraintViolation",
            "an object",
        ),
        ("Teleport", {}, "NotImplemented", "unknown action Teleport"),
        ("ResetResponse", {}, "NotImplemented", "unknown action"),
        ("../Reset", {}, "NotImplemented", "unknown action"),
    ],
)
def test_a_fault_has_the_code_of_the_standard(action, payload, code, words):
    fault = find_fault(action, payload)
    assert fault.code == code
    assert words in str(fault)


def test_an_empty_list_where_one_is_needed_is_an_occurrence():
    fault = find_fault(
        "GetInstalledCertificateIds", {"status": "Accepted", "certificateHashData": []}, response=True
    )
    assert (fault.code, str(fault)) == (
        "OccurenceConstraintViolation",
        "certificateHashData: needs at least 1",
    )


def test_a_boolean_must_be_one():
    answer = {"configurationKey": [{"key": "a", "readonly": 1}]}
    fault = find_fault("GetConfiguration", answer, response=True)
    assert str(fault) == "configurationKey.0.readonly: must be true or false"


@pytest.mark.parametrize("limit", [21.4, 0.1, 0.3, 1.1, 16, 16.0, 1e15, -3.7, 32.0])
def test_one_decimal_is_one_decimal(limit):
    assert find_fault("SetChargingProfile", profile(limit)) is None
    assert find_fault("SetChargingProfile", json.loads(json.dumps(profile(limit)))) is None


def test_a_tuple_will_do_for_an_array_of_ours():
    assert find_fault("GetConfiguration", {"unknownKey": ("a", "b")}, response=True) is None


# -- frames ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ('[2,"a","Reset",{"type":"Soft"}]', Call("a", "Reset", {"type": "Soft"})),
        (' [ 2 , "a" , "ClearCache" , null ] ', Call("a", "ClearCache", {})),
        ('[2,"Grüße","ClearCache",{}]', Call("Grüße", "ClearCache", {})),
        (
            '[2,"\\u00e9","DataTransfer",{"vendorId":"\\ud83d\\ude00"}]',
            Call("é", "DataTransfer", {"vendorId": "😀"}),
        ),
        (f'[2,"{"x" * 37}","ClearCache",{{}}]', Call("x" * 37, "ClearCache", {})),
        ('[3,"a",{"x":1}]', Result("a", {"x": 1})),
        ('[3,"a",null]', Result("a", {})),
        ('[3,"a",7]', Result("a", 7)),
        ('[4,"a","GenericError","no",{}]', Failure("a", "GenericError", "no")),
        ('[4,"a","GenericError","no"]', Failure("a", "GenericError", "no")),
        ('[4,"a","GenericError"]', Failure("a", "GenericError", "")),
        ('[4,"a"]', Failure("a", "", "")),
    ],
)
def test_frames(text, frame):
    assert parse(text, FROM_CENTRAL_SYSTEM) == frame


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "{}",
        '"[]"',
        "null",
        "7",
        "[]",
        "[2]",
        '[2,"a","Reset",{"type":"Soft"}',
        '[2,"a","ClearCache",{}] x',
        '[2,7,"ClearCache",{}]',
        '[2,null,"ClearCache",{}]',
        '[2,"","ClearCache",{}]',
        '[2,["a"],"ClearCache",{}]',
        '[2,"\\ud800","ClearCache",{}]',
        '[3,"\\udfff",{}]',
        '[5,"a",{}]',
        '["2","a","ClearCache",{}]',
        '[null,"a","ClearCache",{}]',
        '[{},"a","ClearCache",{}]',
        '[true,"a","ClearCache",{}]',
        '[2,"a","SetChargingProfile",{"connectorId":NaN}]',
        '[2,"a","SetChargingProfile",{"connectorId":-Infinity}]',
        '[2,"a","UnlockConnector",{"connectorId":' + "9" * 5000 + "}]",
        "[" * 100_000,
        '[2,"a","ClearCache",' + '{"a":' * 100_000,
        '\ufeff[2,"a","ClearCache",{}]',
        "\x00",
    ],
)
def test_frames_that_nobody_can_be_answered_for(text):
    with pytest.raises(FrameError) as raised:
        parse(text, FROM_CENTRAL_SYSTEM)
    assert len(str(raised.value)) < 100


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('[2,"a"]', "FormationViolation"),
        ('[2,"a","Reset"]', "FormationViolation"),
        ('[2,"a","Reset",{"type":"Soft"},{}]', "FormationViolation"),
        ('[2,"a",7,{}]', "FormationViolation"),
        ('[2,"a",null,{}]', "FormationViolation"),
        ('[2,"a","Reset",[]]', "FormationViolation"),
        ('[2,"a","Reset","Soft"]', "FormationViolation"),
        ('[2,"a","DataTransfer",{"vendorId":"\\ud800"}]', "FormationViolation"),
        ('[2,"a","DataTransfer",{"vendorId":"x","data":"\\uDFFF"}]', "FormationViolation"),
        ('[2,"a","\\ud800",{}]', "FormationViolation"),
        ('[2,"a","reset",{"type":"Soft"}]', "NotImplemented"),
        ('[2,"a","",{}]', "NotImplemented"),
        ('[2,"a","BootNotification",{"chargePointVendor":"v","chargePointModel":"m"}]', "NotImplemented"),
        ('[2,"a","Reset",{}]', "OccurenceConstraintViolation"),
        ('[2,"a","Reset",null]', "OccurenceConstraintViolation"),
        ('[2,"a","Reset",{"type":"Cold"}]', "PropertyConstraintViolation"),
        ('[2,"a","Reset",{"type":{}}]', "TypeConstraintViolation"),
        ('[2,"a","UnlockConnector",{"connectorId":' + "9" * 4000 + "}]", "PropertyConstraintViolation"),
        ('[2,"a","UnlockConnector",{"connectorId":1e999}]', "TypeConstraintViolation"),
        (
            '[2,"a","DataTransfer",{"vendorId":"x","data":' + "[" * 400 + "]" * 400 + "}]",
            "TypeConstraintViolation",
        ),
    ],
)
def test_calls_that_deserve_an_error(text, code):
    frame = parse(text, FROM_CENTRAL_SYSTEM)
    assert isinstance(frame, BadCall)
    assert (frame.id, frame.code) == ("a", code)
    json.loads(messages.error(frame.id, frame.code, frame.description))


@pytest.mark.parametrize(
    "text",
    [
        '[3,"a"]',
        '[3,"a",{},{}]',
        '[3,"a",{"x":"\\ud800"}]',
        '[4,"a",7,"",{}]',
        '[4,"a","GenericError",null,{}]',
        '[4,"a","GenericError","\\udc00",{}]',
    ],
)
def test_a_broken_answer_is_a_failure_of_its_call(text):
    assert parse(text, FROM_CENTRAL_SYSTEM) == Failure(
        "a", "FormationViolation", parse(text, ACTIONS).description
    )


@pytest.mark.parametrize(
    ("action", "payload", "left"),
    [
        (
            "StartTransaction",
            {"transactionId": 1, "idTagInfo": {"status": "Accepted", "parentIdTag": None}},
            {"transactionId": 1, "idTagInfo": {"status": "Accepted"}},
        ),
        ("StopTransaction", {"idTagInfo": None}, {}),
    ],
)
def test_tolerant_drops_what_is_null_where_nothing_has_to_be(action, payload, left):
    """Many serialisers write every member they know."""
    assert find_fault(action, copy.deepcopy(payload), response=True).code == "TypeConstraintViolation"
    assert find_fault(action, payload, response=True, tolerant=True) is None
    assert payload == left


def test_tolerant_does_not_do_without_what_is_required():
    answer = {"transactionId": None, "idTagInfo": {"status": "Accepted"}}
    assert find_fault("StartTransaction", answer, response=True, tolerant=True) is not None


def test_tolerant_parsing_drops_extra_properties():
    text = '[2,"a","Reset",{"type":"Soft","why":"because"}]'
    assert parse(text, FROM_CENTRAL_SYSTEM).code == "FormationViolation"
    assert parse(text, FROM_CENTRAL_SYSTEM, tolerant=True) == Call("a", "Reset", {"type": "Soft"})


JSONISH = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.sampled_from([2, 3, 4]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(deadline=None)
@given(st.text() | JSONISH.map(json.dumps) | st.lists(JSONISH).map(lambda rest: json.dumps([2, "a", *rest])))
def test_no_text_breaks_the_parser(text):
    for tolerant in (False, True):
        try:
            frame = parse(text, FROM_CENTRAL_SYSTEM, tolerant=tolerant)
        except FrameError:
            continue
        messages.error(frame.id, "GenericError").encode()


@settings(deadline=None)
@given(data=st.data())
@pytest.mark.parametrize(
    "action", ["MeterValues", "StatusNotification", "SetChargingProfile", "DataTransfer"]
)
def test_what_we_write_can_be_read(action, data):
    payload = data.draw(valid(schema(action), schema(action)))
    assert parse(messages.call("a", action, payload), ACTIONS) == Call("a", action, payload)
    assert parse(messages.result("a", payload), ACTIONS) == Result("a", payload)


def test_frames_are_written_without_waste_and_in_ascii():
    assert messages.call("a", "Heartbeat", {}) == '[2,"a","Heartbeat",{}]'
    assert messages.result("a", {"status": "Grüße"}) == '[3,"a",{"status":"Gr\\u00fc\\u00dfe"}]'
    assert messages.error("a", "GenericError", "x" * 300) == f'[4,"a","GenericError","{"x" * 255}",{{}}]'


def test_validation_needs_no_jsonschema_in_the_process():
    code = (
        "import sys; from charger.central import messages as m; "
        "assert m.find_fault('Reset', {}); assert not {'jsonschema', 'ocpp.v16'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
