"""OCPP-J 1.6 frames: text in, checked values out, and back.

Pure: no socket, no clock, no knowledge of what a message means. Payloads stay camelCase, as on the wire.
The JSON schemas are those of the `ocpp` package. They use a dozen keywords of JSON Schema only, so each is
compiled once into a checker of plain functions: some 30 times faster than `jsonschema`, which stays out of
the process (80 ms and 7 MB that a small board feels). The tests prove that both agree, `LARGEST` apart.

Sources: OCPP-J 1.6 §4; error codes as in §4.2.3 with the spelling mistakes of the standard.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, NoReturn

import ocpp

# -- CALLERROR codes -------------------------------------------------------------------------------

NOT_IMPLEMENTED: Final = "NotImplemented"
INTERNAL_ERROR: Final = "InternalError"
FORMATION: Final = "FormationViolation"
PROPERTY: Final = "PropertyConstraintViolation"
OCCURRENCE: Final = "OccurenceConstraintViolation"  # one r: OCPP-J errata 5.1 keeps the mistake
TYPE: Final = "TypeConstraintViolation"
GENERIC: Final = "GenericError"

# -- actions ---------------------------------------------------------------------------------------

SCHEMAS: Final = Path(ocpp.__file__).parent / "v16" / "schemas"

FROM_CHARGE_POINT: Final = frozenset(
    {
        "Authorize",
        "BootNotification",
        "DataTransfer",
        "DiagnosticsStatusNotification",
        "FirmwareStatusNotification",
        "Heartbeat",
        "LogStatusNotification",
        "MeterValues",
        "SecurityEventNotification",
        "SignCertificate",
        "SignedFirmwareStatusNotification",
        "StartTransaction",
        "StatusNotification",
        "StopTransaction",
    }
)
"""What a charge point may ask (OCPP 1.6 §4, security white paper)."""

FROM_CENTRAL_SYSTEM: Final = frozenset(
    {
        "CancelReservation",
        "CertificateSigned",
        "ChangeAvailability",
        "ChangeConfiguration",
        "ClearCache",
        "ClearChargingProfile",
        "DataTransfer",
        "DeleteCertificate",
        "ExtendedTriggerMessage",
        "GetCompositeSchedule",
        "GetConfiguration",
        "GetDiagnostics",
        "GetInstalledCertificateIds",
        "GetLocalListVersion",
        "GetLog",
        "InstallCertificate",
        "RemoteStartTransaction",
        "RemoteStopTransaction",
        "ReserveNow",
        "Reset",
        "SendLocalList",
        "SetChargingProfile",
        "SignedUpdateFirmware",
        "TriggerMessage",
        "UnlockConnector",
        "UpdateFirmware",
    }
)
"""What a Central System may ask (OCPP 1.6 §5, security white paper)."""

ACTIONS: Final = FROM_CHARGE_POINT | FROM_CENTRAL_SYSTEM


# -- frames ----------------------------------------------------------------------------------------


class FrameError(ValueError):
    """Nobody can be answered: not JSON, not an array, no usable id, or an unknown message type."""


@dataclass(frozen=True, slots=True)
class Call:
    """A CALL that obeys its schema."""

    id: str
    action: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BadCall:
    """A CALL that deserves a CALLERROR: its id is usable, its content is not."""

    id: str
    code: str
    description: str


@dataclass(frozen=True, slots=True)
class Result:
    """A CALLRESULT. Its payload is not checked yet: only the sender of the CALL knows the action."""

    id: str
    payload: Any


@dataclass(frozen=True, slots=True)
class Failure:
    """A CALLERROR, or an answer so broken that it can be nothing else for the caller."""

    id: str
    code: str
    description: str


Frame = Call | BadCall | Result | Failure


def parse(text: str, actions: frozenset[str], *, tolerant: bool = False) -> Frame:
    """Read one text frame.

    Args:
        text: The frame.
        actions: What the other side may ask; anything else is NotImplemented.
        tolerant: Drop unknown properties, and optional ones that are null, instead of refusing the CALL
            (OCPP-J errata 3.2 forbids them, Central Systems in the field send them).

    Raises:
        FrameError: There is nobody to answer. The link stays up (OCPP-J gives no rule).
    """
    try:
        frame = _decode(text)
    except (ValueError, RecursionError) as problem:
        raise FrameError(f"not JSON: {type(problem).__name__}") from problem
    if not isinstance(frame, list) or len(frame) < 2:
        raise FrameError("not an array with a message type and an id")
    kind, unique_id, *rest = frame
    # Half a surrogate pair survives JSON but neither a database nor a web page.
    sound = "\\u" not in text or _is_text(frame)
    if not isinstance(unique_id, str) or not unique_id or not (sound or _is_text(unique_id)):
        raise FrameError("no usable message id")
    if kind == 2:
        if len(rest) != 2 or not isinstance(rest[0], str) or not sound:
            return BadCall(unique_id, FORMATION, 'a CALL is [2, "id", "action", {payload}]')
        action, payload = rest[0], {} if rest[1] is None else rest[1]
        if action not in actions:
            return BadCall(unique_id, NOT_IMPLEMENTED, f"unknown action {action[:50]}")
        fault = _checker(action, tolerant)(payload)
        if fault is not None:
            return BadCall(unique_id, fault.code, str(fault))
        return Call(unique_id, action, payload)
    if kind == 3:
        if len(rest) != 1 or not sound:
            return Failure(unique_id, FORMATION, 'a CALLRESULT is [3, "id", {payload}]')
        return Result(unique_id, {} if rest[0] is None else rest[0])
    if kind == 4:
        code, description, *_ = [*rest, "", ""]
        if not isinstance(code, str) or not isinstance(description, str) or not sound:
            return Failure(unique_id, FORMATION, 'a CALLERROR is [4, "id", "code", "description", {details}]')
        return Failure(unique_id, code, description)
    raise FrameError("unknown message type")


def call(unique_id: str, action: str, payload: Mapping[str, Any]) -> str:
    """Write a CALL. The payload was checked before."""
    return _encode([2, unique_id, action, payload])


def result(unique_id: str, payload: Mapping[str, Any]) -> str:
    """Write a CALLRESULT. The payload was checked before."""
    return _encode([3, unique_id, payload])


def error(unique_id: str, code: str, description: str = "") -> str:
    """Write a CALLERROR; the description is cut at 255 characters (OCPP-J §4.2.3)."""
    return _encode([4, unique_id, code, description[:255], {}])


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


# Built once: json.loads and json.dumps with arguments build theirs anew for each frame.
_decode = json.JSONDecoder(parse_constant=_no_number).decode
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def _is_text(value: object) -> bool:
    """Whether every string inside can be written as UTF-8."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return True


# -- payloads --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing wrong with a payload."""

    code: str
    """The CALLERROR code that says so."""
    keyword: str
    """The word of the schema that is broken: type, required, enum …"""
    what: str
    path: tuple[str | int, ...] = ()

    def below(self, step: str | int) -> Fault:
        """Say the same, seen from one level further out."""
        return replace(self, path=(step, *self.path))

    def __str__(self) -> str:
        where = ".".join(str(step) for step in self.path)
        return f"{where}: {self.what}" if where else self.what


Check = Callable[[Any], Fault | None]

LARGEST: Final = 2**63 - 1
"""Beyond this a number is refused, although its schema allows it: nobody can compute or store it."""


def find_fault(
    action: str, payload: object, *, response: bool = False, tolerant: bool = False
) -> Fault | None:
    """Check a payload against the schema of its action; None when it is fine.

    With `tolerant`, unknown properties, and optional ones that are null, are deleted from `payload` instead
    of being a fault.
    """
    if action not in ACTIONS:
        return Fault(NOT_IMPLEMENTED, "action", f"unknown action {action[:50]}")
    return _checker(f"{action}Response" if response else action, tolerant)(payload)


@cache
def _checker(name: str, tolerant: bool) -> Check:
    """Compile the schema file `name`."""
    schema = json.loads((SCHEMAS / f"{name}.json").read_text("utf-8-sig"))
    if schema["type"] != "object":
        raise NotImplementedError(f"{name}: a payload that is no object")
    inner = _compile(schema, schema, tolerant=tolerant)

    def check(payload: Any) -> Fault | None:
        if not isinstance(payload, dict):
            return Fault(FORMATION, "type", "the payload must be an object")
        return inner(payload)

    return check


IGNORED: Final = frozenset(
    {
        "$schema",
        "$id",
        "title",
        "javaType",
        "definitions",
        "format",  # an annotation in draft 4; what a date means is for those who use it
        "additionalItems",  # without effect beside `items` as one schema
    }
)
UNDERSTOOD: Final = {
    "object": {"type", "properties", "required", "additionalProperties"},
    "array": {"type", "items", "minItems"},
    "string": {"type", "enum", "maxLength", "additionalProperties"},
    "integer": {"type"},
    "number": {"type", "multipleOf"},
    "boolean": {"type"},
}


def _compile(schema: Mapping[str, Any], root: Mapping[str, Any], *, tolerant: bool) -> Check:
    """Turn one level of a schema into a function.

    Raises:
        NotImplementedError: A keyword that no schema of OCPP 1.6 uses. A new release of `ocpp` fails
            loudly here instead of being checked carelessly.
    """
    if "$ref" in schema:  # draft 4: what stands beside a $ref is ignored
        name = schema["$ref"].removeprefix("#/definitions/")
        return _compile(root["definitions"][name], root, tolerant=tolerant)
    kind = schema["type"]
    surplus = schema.keys() - IGNORED - UNDERSTOOD[kind]
    if surplus:
        raise NotImplementedError(f"JSON Schema keywords {sorted(surplus)}")
    if kind == "object":
        if schema.get("additionalProperties") is not False:
            raise NotImplementedError("JSON Schema with additionalProperties")
        properties = {
            name: _compile(inner, root, tolerant=tolerant)
            for name, inner in schema.get("properties", {}).items()
        }
        return _object(properties, frozenset(schema.get("required", ())), tolerant=tolerant)
    if kind == "array":
        return _array(_compile(schema["items"], root, tolerant=tolerant), schema.get("minItems", 0))
    if kind == "string":
        return _enum(frozenset(schema["enum"])) if "enum" in schema else _string(schema.get("maxLength"))
    if kind == "number":
        if schema.get("multipleOf", 0.1) != 0.1:
            raise NotImplementedError("JSON Schema with multipleOf other than 0.1")
        return _number(tenths="multipleOf" in schema)
    return _integer if kind == "integer" else _boolean


def _object(properties: Mapping[str, Check], required: frozenset[str], *, tolerant: bool) -> Check:
    known = properties.keys()

    def check(value: Any) -> Fault | None:
        if not isinstance(value, dict):
            return Fault(TYPE, "type", "must be an object")
        if not value.keys() <= known:
            if not tolerant:
                stranger = next(name for name in value if name not in known)
                return Fault(FORMATION, "additionalProperties", f"unknown property {str(stranger)[:50]}")
            for name in value.keys() - known:
                del value[name]
        if tolerant and None in value.values():
            for name in [name for name, item in value.items() if item is None and name not in required]:
                del value[name]
        for name, item in value.items():
            fault = properties[name](item)
            if fault is not None:
                return fault.below(name)
        if not required <= value.keys():
            return Fault(OCCURRENCE, "required", f"{min(required - value.keys())} is missing")
        return None

    return check


def _array(inner: Check, least: int) -> Check:
    def check(value: Any) -> Fault | None:
        # What the core hands out may hold a tuple where JSON has an array.
        if not isinstance(value, (list, tuple)):
            return Fault(TYPE, "type", "must be an array")
        if len(value) < least:
            return Fault(OCCURRENCE, "minItems", f"needs at least {least}")
        for index, item in enumerate(value):
            fault = inner(item)
            if fault is not None:
                return fault.below(index)
        return None

    return check


def _enum(words: frozenset[str]) -> Check:
    def check(value: Any) -> Fault | None:
        if not isinstance(value, str):
            return Fault(TYPE, "type", "must be a string")
        if value not in words:
            return Fault(PROPERTY, "enum", f"must be one of {', '.join(sorted(words))}")
        return None

    return check


def _string(longest: int | None) -> Check:
    def check(value: Any) -> Fault | None:
        if not isinstance(value, str):
            return Fault(TYPE, "type", "must be a string")
        if longest is not None and len(value) > longest:
            return Fault(PROPERTY, "maxLength", f"longer than {longest} characters")
        return None

    return check


def _integer(value: Any) -> Fault | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return Fault(TYPE, "type", "must be an integer")
    if not -LARGEST <= value <= LARGEST:
        return Fault(PROPERTY, "range", "beyond 64 bits")
    return None


def _number(*, tenths: bool) -> Check:
    def check(value: Any) -> Fault | None:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return Fault(TYPE, "type", "must be a number")
        if not -LARGEST <= value <= LARGEST:  # catches what JSON writes as 1e999, too
            return Fault(PROPERTY, "range", "beyond 64 bits")
        # 21.4 / 0.1 is not whole in binary; whether one decimal was written is what the schema asks.
        if tenths and round(value, 1) != value:
            return Fault(PROPERTY, "multipleOf", "more than one decimal")
        return None

    return check


def _boolean(value: Any) -> Fault | None:
    return None if isinstance(value, bool) else Fault(TYPE, "type", "must be true or false")
