"""What the bodies of requests must look like: a table of every act, and the check.

Bodies are checked before anything happens; what is wrong is said in a sentence.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FAULTS = (
    "ConnectorLockFailure",
    "EVCommunicationError",
    "GroundFailure",
    "HighTemperature",
    "InternalError",
    "LocalListConflict",
    "OtherError",
    "OverCurrentFailure",
    "OverVoltage",
    "PowerMeterFailure",
    "PowerSwitchFailure",
    "ReaderFailure",
    "ResetFailure",
    "UnderVoltage",
    "WeakSignal",
)
"""ChargePointErrorCode (OCPP 1.6 §7.6) without NoError, which is what DELETE is for."""


@dataclass(frozen=True, slots=True)
class Field:
    """One member of a request body."""

    holds: Callable[[Any], bool]
    must_be: str
    """Ends the sentence "<name> must be …"."""
    optional: bool = False


def _is_text(value: Any, shortest: int, longest: int) -> bool:
    return isinstance(value, str) and shortest <= len(value) <= longest and value.isprintable()


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool)


def _number_or_null(least: float, most: float) -> Field:
    def holds(value: Any) -> bool:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return value is None or (number and least <= value <= most)

    return Field(holds, f"a number from {least:g} to {most:g}, or null")


PILOT = ("cable", "diode", "short", "silent", "ventilation")
_INFO = Field(
    lambda value: _is_text(value, 0, 50), "a text of at most 50 printable characters", optional=True
)
# IdToken (OCPP 1.6 §7.28) has at most 20 characters, StatusNotification.info (§6.47) at most 50.
ACTS: Mapping[str, Mapping[str, Field]] = {
    "plug": {},
    "unplug": {"side": Field(lambda value: value == "ev", '"ev", for the car\'s end only', optional=True)},
    "ev": {"state": Field(lambda value: value in ("ready", "suspended"), '"ready" or "suspended"')},
    "fault": {
        "error_code": Field(lambda value: value in FAULTS, f"one of {', '.join(FAULTS)}"),
        "info": _INFO,
    },
    "clear_fault": {},
    "residual_current": {
        "tripped": Field(_is_truth, "true or false", optional=True),
        "test_fails": Field(_is_truth, "true or false", optional=True),
    },
    "contactor": {
        "fails": Field(lambda value: value in ("open", "closed", None), '"open", "closed" or null')
    },
    "current": {"percent": _number_or_null(0, 1000)},
    "voltage": {"volts": _number_or_null(0, 500)},
    "meter": {"silent": Field(_is_truth, "true or false")},
    "pilot": {"wrong": Field(lambda value: value in (*PILOT, None), f"one of {', '.join(PILOT)}, or null")},
    "cable": {"amps": _number_or_null(0, 100)},
    "emergency": {"pressed": Field(_is_truth, "true or false")},
    "door": {"open": Field(_is_truth, "true or false")},
    "temperature": {"celsius": _number_or_null(-100, 200)},
    "reader": {
        "dead": Field(_is_truth, "true or false"),
        "connector": Field(_is_whole, "a whole number", optional=True),
    },
    "hardware": {"info": _INFO},
    "lock": {"fail": Field(_is_truth, "true or false")},
    "swipe": {
        "id_tag": Field(lambda value: _is_text(value, 1, 20), "a text of 1 to 20 printable characters"),
        "connector": Field(_is_whole, "a whole number", optional=True),
    },
    "input": {
        "name": Field(lambda value: _is_text(value, 1, 50), "the name of an input of charts/index.yaml"),
        "on": Field(_is_truth, "true or false"),
        "connector": Field(_is_whole, "a whole number", optional=True),
    },
}
"""Every act of the simulated world and the members of its body."""
AT_CONNECTOR = (
    *(
        "plug",
        "unplug",
        "ev",
        "lock",
        "residual_current",
        "contactor",
        "current",
        "voltage",
        "meter",
        "pilot",
    ),
    "cable",
)
"""Those that have a connector in their address; `fault` and `clear_fault` have one that may be 0."""
AT_STATION = ("swipe", "input", "emergency", "door", "temperature", "reader", "hardware")
CLEAR: Mapping[str, Field] = {
    "connector": Field(_is_whole, "a whole number, 0 for the station", optional=True),
    "error": Field(lambda value: value in FAULTS, f"one of {', '.join(FAULTS)}", optional=True),
}
"""The body of ``POST /service/clear``."""


def checked(body: bytes, fields: Mapping[str, Field]) -> dict[str, Any]:
    """Read a request body and return its members; an empty body is an empty object.

    Raises:
        HTTPException: 400, with a sentence that names what is wrong.
    """
    found = _read(body)
    if not isinstance(found, dict):
        raise bad(f"the body must be a JSON object, not {_shown(found)}")
    for name in found:
        if name not in fields:
            known = f"known are: {', '.join(fields)}" if fields else "none is needed here"
            raise bad(f"unknown member {json.dumps(name[:60])}; {known}")
    for name, field in fields.items():
        if name in found:
            if not field.holds(found[name]):
                raise bad(f"{name} must be {field.must_be}, not {_shown(found[name])}")
        elif not field.optional:
            raise bad(f"{name} is missing; it must be {field.must_be}")
    return found


def _read(body: bytes) -> Any:
    try:
        return json.loads(body.decode()) if body.strip() else {}
    except UnicodeDecodeError:
        raise bad("the body is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise bad(f"the body is not JSON: line {error.lineno} column {error.colno}: {error.msg}") from None
    except (ValueError, RecursionError):  # a number of thousands of digits, a thousand brackets
        raise bad("the body is JSON of a size or depth that nobody needs") from None


def bad(sentence: str) -> HTTPException:
    """A request that cannot be understood, or cannot be done now."""
    return HTTPException(400, sentence)


def _shown(value: Any) -> str:
    """Name the type of a JSON value, and the value itself when it is short."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value)
    if len(text) > 60:
        return f"something of {len(text)} characters"
    kind = {bool: "the truth value", str: "the text", int: "the number", float: "the number"}.get(type(value))
    return f"{kind} {text}" if kind else text
