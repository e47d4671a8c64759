"""What was done, written as a story: every kind of act and of value reads back as what it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from charger.stories.language import read_line, read_story
from charger.stories.play import Done
from charger.stories.saving import as_story
from charger.stories.stage import Heard

LINES = (
    "power on",
    "plug 1",
    "unplug 1 side ev",
    "swipe $tag at 2",
    "swipe 'true'",
    "swipe '{0}'",
    "fault GroundFailure at 0 info 'wet: very'",
    "central {Authorize: {idTagInfo: {status: Invalid}}, Heartbeat: null, StatusNotification: silence}",
    "call ClearCache",
    "call GetConfiguration {key: [ConnectionTimeOut, X]} within '2 * ConnectionTimeOut + 1.5s'",
    "call ChangeConfiguration {key: ConnectionTimeOut, value: '30'} within 20s",
    "network down",
)


@pytest.mark.parametrize("line", LINES)
def test_an_act_reads_back_as_what_it_was(line: str, tmp_path: Path) -> None:
    [step] = read_line(line)
    path = tmp_path / "s.yaml"
    path.write_text(as_story("s", [Done(step, 1.0, 1.0)], [], 1.0))
    [again] = read_story(path).steps
    assert (again.verb, again.options) == (step.verb, step.options)
    assert getattr(again.what, "pattern", again.what) == getattr(step.what, "pattern", step.what)


def story(*heard: Heard) -> str:
    [plug] = read_line("plug 1")
    return as_story("s", [Done(plug, 1.0, 1.0)], heard, 60.0).partition("  - plug: 1\n")[2]


def test_what_comes_late_may_come_so_late() -> None:
    message = Heard(
        42.3, "1", "StatusNotification", {"connectorId": 1, "status": "Finishing", "timestamp": "T"}
    )
    assert story(message) == (
        "  - expect:\n"
        "      - {StatusNotification: {connectorId: 1, status: Finishing}}\n"
        "    within: 43s\n"
        "  - wait: 17.7s\n"
    )


def test_what_may_come_at_any_time_is_not_expected() -> None:
    assert story(Heard(42.3, "1", "Heartbeat", {})) == "  - wait: 59s\n"
