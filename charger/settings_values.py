"""What a value in station.yaml must look like: a node in, a right value out, or a sentence that says why not.

Knows no setting by its place; `settings.py` says which value stands where.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Final, TypeGuard
from urllib.parse import urlsplit

from charger.statechart.findings import nearest
from charger.statechart.source import Mapping, Node, Scalar, Sequence

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):([0-9]{1,5})\Z")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\Z")
_DS18B20 = re.compile(r"28-[0-9a-f]{12}\Z")

ACTIVE_LOW: Final = (
    "an output is the number of a pin, and high switches it on. Active-low drivers are refused: a pin is low "
    "as it is claimed, which would be ON; take a driver that high switches on, pulled down on the board"
)
CONTACT_POLARITY: Final = (
    "write what the contact is while nothing happens, `normally: closed` or `open`, and `pull: up` if its "
    "other end is at ground, or `pull: down` if it is at 3.3 V; the level follows from that"
)
POLARITY: Final = ("active", "active_low", "active_high", "inverted", "invert", "polarity")
"""Keys that people look for; none is needed."""


class WrongError(Exception):
    """A value that cannot stand there; `rule` names the rule."""

    def __init__(self, message: str, rule: str = "bad-setting") -> None:
        self.rule = rule
        super().__init__(message)


def scalar(node: Node, what: str) -> Scalar:
    """One value, neither a list nor pairs."""
    if not isinstance(node, Scalar):
        raise WrongError(f"{what} should stand here", "wrong-kind")
    return node


def text(longest: int) -> Callable[[Node], str]:
    """One line of printable characters, at most so many, as it was written."""

    def parse(node: Node) -> str:
        found = scalar(node, "a text")
        if isinstance(found.value, bool):
            raise WrongError(f"a text should stand here; quote it if you mean '{found.raw}'", "wrong-kind")
        written = found.raw  # as it was written: 1.10 is a version, not a number
        if not written.strip():
            raise WrongError("empty: write a value, or remove the line")
        if not written.isprintable():
            raise WrongError("one line of printable characters, please")
        if len(written) > longest:
            raise WrongError(f"{len(written)} characters; at most {longest} are allowed")
        return written

    return parse


def number(low: float, high: float, unit: str) -> Callable[[Node], float]:
    """A number within limits."""

    def parse(node: Node) -> float:
        value = scalar(node, "a number").value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise WrongError(f"a number should stand here, in {unit} and without the unit", "wrong-kind")
        if not low <= value <= high:
            raise WrongError(f"{value:g} {unit} is out of range: from {low:g} to {high:g} {unit}")
        return float(value)

    return parse


def whole(low: int, high: int) -> Callable[[Node], int]:
    """A whole number within limits."""

    def parse(node: Node) -> int:
        value = scalar(node, "a whole number").value
        if isinstance(value, bool) or not isinstance(value, int):
            raise WrongError("a whole number should stand here", "wrong-kind")
        if not low <= value <= high:
            raise WrongError(f"{value} is out of range: from {low} to {high}")
        return value

    return parse


def boolean(node: Node) -> bool:
    """True or false."""
    value = scalar(node, "true or false").value
    if not isinstance(value, bool):
        raise WrongError("true or false should stand here", "wrong-kind")
    return value


def one_of(node: Node, words: tuple[str, ...]) -> str:
    """One of a few words."""
    word = text(500)(node)
    if word not in words:
        raise WrongError(f"'{word}' is neither {' nor '.join(words)}{nearest(word, words)}")
    return word


def cable(node: Node) -> bool:
    """Whether the cable is fixed."""
    return one_of(node, ("fixed", "socket")) == "fixed"


def own_reader(node: Node) -> bool:
    """Whether the card reader serves this connector alone."""
    return one_of(node, ("own", "shared")) == "own"


def phases(node: Node) -> int:
    """1 or 3."""
    return int(one_of(node, ("1", "3")))


def hardware(node: Node) -> str:
    """Which adapter."""
    return one_of(node, ("simulated", "gpio"))


def station_id(node: Node) -> str:
    """The identity: the last part of the URL."""
    identity = text(255)(node)
    if "/" in identity or identity in (".", ".."):
        raise WrongError(f"'{identity}' cannot be the last part of a URL: no '/', no '.' alone")
    return identity


def url(node: Node) -> str:
    """A WebSocket address without user, query or fragment."""
    found = text(2000)(node)
    try:
        parts = urlsplit(found)
        port = parts.port
    except ValueError:
        raise WrongError(
            f"'{found}': the host or the port is wrong; a port is a number up to 65535"
        ) from None
    if parts.scheme not in ("ws", "wss"):
        raise WrongError(f"'{found}' is no WebSocket address: it begins with ws:// or wss://")
    if not parts.hostname or port == 0 or " " in found:
        raise WrongError(f"'{found}' is no address: write it like ws://127.0.0.1:9000/ocpp")
    if parts.username is not None:
        raise WrongError("no user or password in it: the id is the user, the password is central.password")
    if parts.query or parts.fragment:
        raise WrongError(f"'{found}': nothing after '?' or '#', since the id is appended to it")
    return found


def address(node: Node) -> tuple[str, int] | None:
    """Host and port; None for `off`."""
    where = text(300)(node)
    if where == "off":
        return None
    match = _ADDRESS.match(where)
    if not match or int(match[2]) > 65535:
        raise WrongError(f"'{where}' is no address with a port: write it like 127.0.0.1:8016, or off")
    return match[1].strip("[]"), int(match[2])


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def configured(node: Node) -> str | None:
    """A configuration value as the text that OCPP knows."""
    if isinstance(node, Scalar):
        return None if node.value is None else node.raw
    if isinstance(node, Sequence):
        items = [item.raw for item in node.items if isinstance(item, Scalar) and item.value is not None]
        if len(items) == len(node.items):
            return ",".join(items)
    raise WrongError("true, false, a number, a text or a list of them should stand here", "wrong-kind")


def pin(node: Node) -> int:
    """The BCM number of a pin."""
    if isinstance(node, Mapping) and any(key.raw in POLARITY for key, _ in node.items):
        raise WrongError(ACTIVE_LOW)
    return whole(0, 27)(node)


def name(node: Node) -> str:
    """A word that names a thing: a bus, a register map."""
    word = text(64)(node)
    if not _NAME.match(word):
        raise WrongError(f"'{word}' is no name: write letters, digits, '-' and '_'")
    return word


def device(node: Node) -> str:
    """The path of a device."""
    path = text(255)(node)
    if not path.startswith("/dev/"):
        raise WrongError(f"'{path}' is no device: write it like /dev/serial/by-id/… or /dev/input/by-id/…")
    return path


def one_wire(node: Node) -> str:
    """The id of a DS18B20."""
    sensor = text(40)(node)
    if not _DS18B20.match(sensor):
        raise WrongError(f"'{sensor}' is no DS18B20: `ls /sys/bus/w1/devices` shows it as 28-0123456789ab")
    return sensor


def pair(node: Node) -> tuple[float, float]:
    """Two different numbers."""
    found = (
        [item.value for item in node.items if isinstance(item, Scalar)] if isinstance(node, Sequence) else []
    )
    first, second = found if len(found) == 2 else (None, None)
    if not (_is_number(first) and _is_number(second)):
        raise WrongError("two numbers should stand here, like [14.3, -15]", "wrong-kind")
    if first == second:
        raise WrongError("two different numbers, please")
    return float(first), float(second)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
