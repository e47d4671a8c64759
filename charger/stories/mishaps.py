"""What goes wrong with the hardware, as stories write it: ``contactor: welded``, ``voltage: 190``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

WORDS: Final[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {
    "residual_current": {
        "tripped": {"tripped": True},
        "gone": {"tripped": False},
        "untestable": {"test_fails": True},
        "testable": {"test_fails": False},
    },
    "contactor": {"welded": {"fails": "closed"}, "stuck": {"fails": "open"}, "free": {"fails": None}},
    "meter": {"silent": {"silent": True}, "talking": {"silent": False}},
    "pilot": {
        **{wrong: {"wrong": wrong} for wrong in ("cable", "diode", "short", "silent", "ventilation")},
        "good": {"wrong": None},
    },
    "emergency": {"pressed": {"pressed": True}, "released": {"pressed": False}},
    "door": {"open": {"open": True}, "closed": {"open": False}},
    "reader": {"dead": {"dead": True}, "alive": {"dead": False}},
    "hardware": {"dead": {"info": "chip silent"}},
}
"""Act → word → its body, as in `charger.hardware.mishaps`."""
NUMBERS: Final[Mapping[str, tuple[str, str]]] = {
    "current": ("percent", "usual"),
    "voltage": ("volts", "usual"),
    "cable": ("amps", "unknown"),
    "temperature": ("celsius", "unknown"),
}
"""Act → what its number is, and the word for none."""
OF_STATION: Final = ("emergency", "door", "temperature", "reader", "hardware")
"""These happen to the whole station; a reader at a connector if one is named."""


def body(act: str, what: str | int) -> dict[str, Any]:
    """The body of an act as it is written."""
    if act in WORDS:
        return dict(WORDS[act][str(what)])
    name, none = NUMBERS[act]
    return {name: None if what == none else what}
