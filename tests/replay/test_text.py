"""Steps in words."""

from __future__ import annotations

from typing import Any

import pytest
from rig import checked

from charger.replay import text
from charger.statechart.event import Event, Moment


def lines(*commands: Any, **more: Any) -> list[str]:
    record = {"at": [10.0, 0.0], "commands": list(commands), **more}
    return text.lines_of(record, checked().charts, books=True)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["Call", {"action": "Heartbeat", "payload": {}, "token": 1}], "calls Heartbeat {}"),
        (
            ["Reply", {"call": "x", "action": "Reset", "payload": {"status": "Accepted"}}],
            'answers Reset {"status": "Accepted"}',
        ),
        (["ReplyError", {"call": "x", "code": "NotSupported"}], "refuses the call: NotSupported"),
        (["StartTimer", {"key": "a/0/after A:5s", "due": 15.0}], "timer a/0/after A:5s in 5 s"),
        (["CancelTimer", {"key": "a/0/after A:5s"}], "timer a/0/after A:5s is off"),
        (["Store", {"changes": [["cache", "tag", None]]}], "stores cache/tag = null"),
        (["OfferCurrent", {"connector": 1, "amps": None}], "OfferCurrent connector=1 amps=null"),
        (["Connect", {}], "Connect"),
    ],
)
def test_a_command(command: Any, told: str) -> None:
    assert lines(command) == [told]


def test_moves_of_one_chart_are_one_way() -> None:
    moved = [
        ["connector", 1, "Available", "Plugged"],
        ["pilot", 1, "", "Silent"],
        ["connector", 1, "Plugged", "Locking"],
        ["authorization", 0, "Idle", "Idle"],
        ["connector", 1, "Locking", "NoSuchState"],
    ]
    assert lines(moves=moved) == [
        "connector 1: Available → Preparing/Plugged → Preparing/Locking → NoSuchState",
        "pilot 1: begins in Silent",
        "authorization: stays in Idle",
    ]


def test_a_headline_is_one_line() -> None:
    event = Event("card.presented", 2, {"tag": "T" * 200, "connector": None}, moment=Moment(1.0, 0.5))
    line = text.headline(7, event)
    assert line.startswith('    7  00:00:00.500  card.presented 2  {"tag": "TTT')
    assert len(line) == text.WIDE
