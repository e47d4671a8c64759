"""Why a transition was taken, or was not, guard by guard."""

from __future__ import annotations

import pytest
from replay_kit import parts_of
from rig import Rig

from charger.errors import UsageError
from charger.replay.run import charts_of
from charger.replay.why import find, why
from charger.statechart.checks import Checked
from charger.trace import Part


@pytest.fixture(scope="module")
def evening() -> Part:
    """A session, and a fault in the middle of it."""
    rig = Rig(2)
    rig.session()
    rig.wires("emergency.pressed")
    rig.after(2)
    rig.call("UnlockConnector", connectorId=9)
    [part] = parts_of(rig)
    return part


@pytest.fixture(scope="module")
def charts(evening: Part) -> Checked:
    return charts_of(evening)


def told(evening: Part, charts: Checked, event: str, about: str | None = None) -> list[str]:
    """Of the last step with that event."""
    step = [step for step in evening.steps if step.event.name == event][-1]
    lines = list(why(evening, charts, step, about))
    folder = f"{charts.charts.mark.file.rpartition('/')[0]}/"
    return [line.replace(folder, "") for line in lines]


def block(lines: list[str], begins: str) -> list[str]:
    """A paragraph, without the numbers of lines, which change with the charts."""
    text = "\n".join(lines).split("\n\n")
    [found] = [one for one in text if one.startswith(begins)]
    return [line.strip() for line in found.splitlines()]


def test_the_one_that_was_taken_and_those_behind_it(evening: Part, charts: Checked) -> None:
    lines = block(told(evening, charts, "card.presented"), "authorization in Idle hears card.presented")
    fates = [line.partition("  ")[2] for line in lines if line.startswith("authorization.yaml")]
    taken = fates.index("→ Deciding  taken")
    assert {fate.partition("  ")[2] for fate in fates[:taken]} == {"no"}
    assert {fate.partition("  ")[2] for fate in fates[taken + 1 :]} == {"not asked: an earlier one was taken"}
    assert 0 < taken < len(fates) - 1


def test_every_part_of_a_guard_has_its_value(evening: Part, charts: Checked) -> None:
    lines = block(told(evening, charts, "card.presented"), "authorization in Idle hears")
    start = lines.index("in(reset.Idle) and (for_a_start or group.runs_transaction): yes")
    assert lines[start + 1 : start + 6] == [
        "in(reset.Idle): yes  (reset is in Idle)",
        "for_a_start or group.runs_transaction: yes",
        "for_a_start: yes",
        "event.connector == none and (any(free) or any(connector.Held)): yes",
        "event.connector == none: yes  (event.connector is none)",
    ]


def test_the_rounds_of_always_show_who_moved(evening: Part, charts: Checked) -> None:
    lines = told(evening, charts, "emergency.pressed")
    lines = block(lines, "connector 1 in Charging/Energised is asked its `always`")
    assert [line.partition("  ")[2] for line in lines if ".yaml:" in line] == [
        "→ SuspendedEVSE  no",
        "→ SuspendedEV  no",
        "→ Ending  taken",
        "→ Faulted  not asked: an earlier one was taken",
    ]
    assert "transaction.ending: yes" in lines
    lines = block(told(evening, charts, "emergency.pressed"), "connector 1 in Ending is asked its `always`")
    assert lines[-1] == "not in(Faulted): yes  (connector 1 is in Ending)"


def test_whoever_did_not_move_is_shown_when_asked_for(evening: Part, charts: Checked) -> None:
    everyone = told(evening, charts, "emergency.pressed")
    assert not any(line.startswith("registration") for line in everyone)
    lines = told(evening, charts, "emergency.pressed", "connector/2")
    assert block(lines, "connector 2 in Available is asked its `always`")
    assert not any(line.startswith("connector 1 in") for line in lines)
    assert "No transition of connector mentions emergency.pressed." in lines


def test_who_does_not_hear_an_event_is_told_where_it_would(evening: Part, charts: Checked) -> None:
    lines = told(evening, charts, "cable.plugged", "connector/2")
    start = next(i for i, line in enumerate(lines) if line.startswith("connector 2 was in Available"))
    assert lines[start].endswith("it does not hear cable.plugged there, or it was not for this one.")
    assert [line.partition("hears it in ")[2] for line in lines[start + 1 : start + 3]] == [
        "Available",
        "Preparing/Authorized",
    ]


def test_a_timer_is_an_event_too(evening: Part, charts: Checked) -> None:
    rig = Rig(1, ConnectionTimeOut="5")
    rig.plug()
    rig.after(8)
    [part] = parts_of(rig)
    step = next(step for step in part.steps if "Plugged" in str(step.event.fields.get("key")))
    lines = list(why(part, charts, step))
    assert "connector 1 in Preparing/Plugged hears its timer after Plugged:ConnectionTimeOut" in lines
    assert "  connector 1: Preparing/Plugged → Finishing/Released" in lines


def test_what_came_of_it_is_told_with_timers_and_facts(evening: Part, charts: Checked) -> None:
    lines = told(evening, charts, "lock.engaged")
    end = lines[lines.index(next(line for line in lines if line.startswith("What came of it"))) :]
    assert any(line.startswith("  stores message/000000000001 = {") for line in end)
    assert "  timer connector/1/after Beginning:10s in 10 s" in end


def test_before_the_charts_start_an_event_only_changes_facts(evening: Part, charts: Checked) -> None:
    assert list(why(evening, charts, evening.steps[0]))[1:] == [
        "The charts have not started yet: the event only changes facts."
    ]


def test_the_start_itself(evening: Part, charts: Checked) -> None:
    lines = told(evening, charts, "station.started")
    assert block(lines, "connector 1 in Choosing is asked its `always`")[-2].endswith("→ Available  taken")


def test_nothing_came_of_it(evening: Part, charts: Checked) -> None:
    assert told(evening, charts, "meter.sampled")[-1] == "  nothing"
    assert "No chart mentions meter.sampled." in told(evening, charts, "meter.sampled")


@pytest.mark.parametrize(
    ("about", "error"),
    [
        ("conector", "there is no chart 'conector' — did you mean 'connector'?"),
        ("connector/3", "there is no connector 3: the station has 2"),
        ("connector/x", "'connector/x': after the / stands the number of a connector, like connector/1"),
        ("connector/²", "'connector/²': after the / stands the number of a connector, like connector/1"),
        ("connector/", "'connector/': after the / stands the number of a connector, like connector/1"),
    ],
)
def test_what_is_not_there_is_told(evening: Part, charts: Checked, about: str, error: str) -> None:
    with pytest.raises(UsageError) as caught:
        told(evening, charts, "cable.plugged", about)
    assert str(caught.value) == error


def test_a_step_is_found_by_its_number(evening: Part) -> None:
    assert find([evening], 3) == (evening, evening.steps[2])
    with pytest.raises(UsageError, match=rf"there is no step 0: the trace has 1 to {len(evening.steps)}"):
        find([evening], 0)
