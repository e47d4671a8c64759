"""Payloads by the schemas' own constraints, for a Central System that means no good.

Every enumeration value, lengths at the limits, optional members present or absent, connectors that are not
there, ids nobody gave, integers as large as they may be. Nothing here breaks a schema; what breaks one is
made in `frames.py`. Knows no station.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from hypothesis import strategies as st

from charger.central import messages
from charger.functions.configuration import KEYS

TAGS = ("ONE", "TWO", "three", "T" * 20)
LARGE = (2**31 - 1, 2**31, -(2**31) - 1, messages.LARGEST, -messages.LARGEST)
INTERVALS = (0, 1, 5, 60, -1, 86_400, *LARGE)
TIMES = (
    *("2000-01-01T00:00:00Z", "2099-12-31T23:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
    *("2027-01-15T08:00:00.123456789+05:30", "2027-01-15T07:59:60Z", "yesterday", "", "2027-02-30T00:00:00Z"),
)
"""Possible, past, far off, and none at all."""
VALUES = (
    *("0", "1", "5", "20", "60", "true", "False", "yes", "-1", "2147483647", "2147483648", "1e3", " 7 "),
    *("", "Energy.Active.Import.Register", "Current.Import.L1, Voltage", "SoC", "0.RST,1.RST", "x" * 500),
)

characters = st.sampled_from(("a", "Z", "9", " ", '"', "\\", "é", "€", "\x00", "\n", "😀", "<"))


def lengths(most: int | None) -> st.SearchStrategy[int]:
    return st.sampled_from((1, 0, 2000) if most is None else (1, 0, most, most - 1))


def texts(most: int | None) -> st.SearchStrategy[str]:
    return st.builds(lambda character, length: character * length, characters, lengths(most))


SPECIAL: dict[str, st.SearchStrategy[Any]] = {
    "connectorId": st.sampled_from((1, 1, 2, 3, 0, 4, -1, *LARGE)),
    "currentTime": st.sampled_from(TIMES),
    "expiryDate": st.sampled_from(TIMES),
    "idTag": st.one_of(st.sampled_from(TAGS), texts(20)),
    "interval": st.sampled_from(INTERVALS),
    "parentIdTag": st.one_of(st.sampled_from(("Family", "", TAGS[0])), texts(20)),
    "transactionId": st.sampled_from((0, 1, 2, 3, -1, *LARGE)),
    "value": st.one_of(st.sampled_from(VALUES), texts(500)),
}
"""By the name of the member, where chance alone would rarely find what matters."""
KEY = st.one_of(st.sampled_from([*sorted(KEYS), "heartbeatinterval", "Nonsense"]), texts(50))


@cache
def of(action: str, *, response: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    """Payloads of an action that obey its schema."""
    name = f"{action}Response" if response else action
    schema = json.loads((messages.SCHEMAS / f"{name}.json").read_text("utf-8-sig"))
    return _strategy(schema, schema, "")


def _strategy(node: dict[str, Any], root: dict[str, Any], name: str) -> st.SearchStrategy[Any]:
    if "$ref" in node:
        return _strategy(root["definitions"][node["$ref"].removeprefix("#/definitions/")], root, name)
    if "enum" in node:
        return st.sampled_from(node["enum"])
    kind = node["type"]
    if name == "key":
        return KEY if kind == "string" else st.lists(KEY, max_size=3)
    if name in SPECIAL and kind in ("string", "integer"):
        return SPECIAL[name]
    match kind:
        case "object":
            members = {
                member: _strategy(inner, root, member) for member, inner in node.get("properties", {}).items()
            }
            required = {member: members.pop(member) for member in node.get("required", ())}
            return st.fixed_dictionaries(required, optional=members)
        case "array":
            least = node.get("minItems", 0)
            return st.lists(_strategy(node["items"], root, name), min_size=least, max_size=least + 2)
        case "string" if node.get("format") == "date-time":
            return st.sampled_from(TIMES)
        case "string":
            return texts(node.get("maxLength"))
        case "integer":
            return st.sampled_from((0, 1, 2, 60, -1, *LARGE))
        case "number":
            return st.sampled_from((0, 0.1, 16, 32.5, -1, 1e9))
        case _:
            return st.booleans()
