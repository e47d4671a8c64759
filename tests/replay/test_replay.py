"""A trace run again: on its own charts it is the same, on others it is said where they part ways, and honestly."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from replay_kit import Edit, parts_of
from rig import Rig

from charger import trace
from charger.errors import SourceError, UsageError
from charger.replay import report, run, text
from charger.replay.other import run_other
from charger.statechart.event import Event
from charger.trace import Part


@pytest.fixture(scope="module")
def evening() -> list[Part]:
    """A car comes, and a card after 70 s: too late, since ConnectionTimeOut is 60."""
    rig = Rig(1)
    rig.plug()
    rig.after(69)
    rig.swipe()
    rig.after(20)
    return parts_of(rig)


@pytest.fixture(scope="module")
def session() -> list[Part]:
    """A whole session, with a network that goes and comes back."""
    rig = Rig(1)
    rig.session()
    rig.after(30)
    rig.cut()
    rig.after(10)
    rig.mend()
    rig.swipe()
    rig.after(10)
    rig.unplug()
    rig.after(20)
    return parts_of(rig)


def entries(parts: list[Part], charts: Any) -> Any:
    return run_other(parts[0], charts).entries


# -- on its own charts -----------------------------------------------------------------------------------


def test_it_is_bit_exact_and_shows_what_happened(session: list[Part]) -> None:
    told = report.as_recorded(session)
    assert told.same
    steps = len(session[0].steps)
    assert told.lines[-1] == f"Bit-exact: {steps} steps gave the recorded moves, commands and facts."
    assert "       connector 1: Preparing/Plugged → Preparing/Locking" in told.lines
    assert any(line.startswith("       calls StartTransaction") for line in told.lines)
    assert all(len(line) <= text.WIDE for line in told.lines[1:])


def tampered(part: Part, number: int, change: Callable[[dict[str, Any]], object]) -> list[Part]:
    step = part.steps[number - 1]
    record = json.loads(json.dumps(step.record))
    change(record)
    steps = list(part.steps)
    steps[number - 1] = trace.Recorded(number, step.event, record)
    return [trace.Part(**{name: getattr(part, name) for name in Part.__slots__} | {"steps": steps})]


def plugged(part: Part) -> int:
    return next(step.number for step in part.steps if step.event.name == "cable.plugged")


def test_the_first_difference_is_proven_and_shown(evening: list[Part]) -> None:
    [part] = evening
    number = plugged(part)

    def change(record: dict[str, Any]) -> None:
        record["moves"][0][3] = "Locking"

    told = report.as_recorded(tampered(part, number, change))
    assert not told.same
    assert told.lines[-1] == f"Not bit-exact: 1 of {len(part.steps)} steps differ."
    tail = told.lines[told.lines.index("The first difference; - is recorded, + is now:") :]
    assert tail[1].endswith("cable.plugged 1")
    assert "     - connector 1: Available → Preparing/Locking" in tail
    assert "     + connector 1: Available → Preparing/Plugged" in tail


def test_a_difference_in_a_single_fact_is_one(session: list[Part]) -> None:
    [part] = session
    number = next(
        step.number
        for step in part.steps
        if any(kind == "Store" for kind, _ in step.record.get("commands", ()))
        and step.event.name == "lock.engaged"
    )

    def change(record: dict[str, Any]) -> None:
        [store] = [fields for kind, fields in record["commands"] if kind == "Store"]
        store["changes"][0][2] = {"another": "value"}

    told = report.as_recorded(tampered(part, number, change))
    assert not told.same
    assert any('{"another": "value"}' in line for line in told.lines[-8:])


def test_a_defect_is_replayed_and_the_station_after_it_too() -> None:
    rig = Rig(1)
    rig.driver.post(Event("meter.sampled", 1))
    rig.after(2)
    told = report.as_recorded(parts_of(rig))
    assert told.same
    assert "       DEFECT meter.sampled: 'energy'" in told.lines


def test_charts_that_this_program_does_not_understand_are_told(evening: list[Part]) -> None:
    [part] = evening
    files = {**part.files, "lock.yaml": part.files["lock.yaml"].replace("on:", "onn:")}
    other = trace.Part(**{name: getattr(part, name) for name in Part.__slots__} | {"files": files})
    with pytest.raises(SourceError, match="onn"):
        run.charts_of(other)


def test_the_time_of_day_is_that_of_the_station(edited: Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    with run.local_time("Asia/Tokyo"):
        assert time.localtime(0).tm_hour == 9
    assert (os.environ["TZ"], time.localtime(0).tm_hour) == ("UTC", 0)
    monkeypatch.delenv("TZ")
    with run.local_time("Asia/Tokyo"):
        pass
    assert "TZ" not in os.environ
    time.tzset()


def test_a_trace_in_which_nothing_happened_yet() -> None:
    told = report.as_recorded(parts_of(Rig(1, start=False)))
    assert told.lines[0] == "a station, charger 0.1.0: nothing happened."


# -- on other charts -------------------------------------------------------------------------------------


def test_the_same_charts_do_the_same(session: list[Part], edited: Edit) -> None:
    """Their own timers, their own questions: and still every step is alike."""
    same = edited("connector")
    told = report.with_charts(session, same)
    assert told.same
    assert told.lines[-1] == f"The new charts do the same in all of {len(session[0].steps)} steps."
    assert all(entry.same and not entry.note for entry in entries(session, same))


def test_what_a_longer_wait_would_have_done(evening: list[Part], edited: Edit) -> None:
    """The card after 70 s would have been in time: the whole session that never was is played."""
    new = edited("connector", ("after: {ConnectionTimeOut: Released}", "after: {2m: Released}"))
    told = report.with_charts(evening, new)
    assert not told.same
    assert told.lines[1] == (
        "They part ways at 08:00:05.000 on 2027-01-15 (UTC), first in timers, and in what they do at 08:01:05.000:"
    )
    moved = [line.strip() for line in told.lines]
    assert "- timer connector/1/after Plugged:ConnectionTimeOut in 60 s" in moved
    assert "+ timer connector/1/after Plugged:2m in 120 s" in moved
    assert "- connector 1: Preparing/Plugged → Finishing/Released" in moved
    assert any(line.startswith("+ connector 1: Preparing/Plugged → Preparing/Locking") for line in moved)
    assert any(line.endswith("lock.engaged 1   (supposed)") for line in moved)
    assert any("  From here on the recorded world answers questions" in line for line in told.lines)


def test_what_is_made_up_is_counted(evening: list[Part], edited: Edit) -> None:
    new = edited("connector", ("after: {ConnectionTimeOut: Released}", "after: {2m: Released}"))
    course = run_other(evening[0], new)
    assert course.supposed["EngageLock"] == 1
    assert course.unasked["StatusNotification"] >= 1
    end = report.with_charts(evening, new).lines[-3:]
    assert any(line.startswith("Asked by the new charts only: ") for line in end)
    assert any(line.startswith("Answered in the recording, but not asked") for line in end)


def test_a_question_of_a_kind_that_was_never_asked_stays_without_an_answer(
    evening: list[Part], edited: Edit
) -> None:
    """Nobody knows what the Central System would have said: MessageTimeout passes."""
    new = edited("registration", ("every: {HeartbeatInterval:", "every: {40s:"))
    course = run_other(evening[0], new)
    assert course.unanswered == {"Heartbeat": 2}
    [failed] = [entry for entry in course.entries if entry.note == "nobody answers"]
    assert failed.event.name == "ocpp.Heartbeat.failed"
    asked = next(entry for entry in course.entries if "40s" in str(entry.event.fields.get("key")))
    assert failed.event.moment.monotonic == asked.event.moment.monotonic + 30
    line = "Never asked in the recording at all, and so without an answer: Heartbeat 2."
    assert line in report.with_charts(evening, new).lines


def test_a_timer_of_the_recording_that_the_new_charts_do_not_have_is_left_out(
    evening: list[Part], edited: Edit
) -> None:
    new = edited("link", ("    every: {WebSocketPingInterval: {actions: [link.ping]}}\n", ""))
    left = [entry for entry in entries(evening, new) if entry.new is None]
    assert [(entry.note, entry.event.fields["key"]) for entry in left] == [
        ("no such timer runs", "link/0/every Up:WebSocketPingInterval")
    ] * 3


def test_a_timer_of_the_new_charts_runs_out_when_it_is_due(evening: list[Part], edited: Edit) -> None:
    new = edited("link", ("every: {WebSocketPingInterval:", "every: {7s:"))
    own = [entry for entry in entries(evening, new) if entry.old is None]
    opened = next(step.event.moment for step in evening[0].steps if step.event.name == "link.opened")
    assert own[0].event.fields == {"key": "link/0/every Up:7s"}
    assert own[0].event.moment.monotonic == opened.monotonic + 7
    assert own[0].event.moment.wall == pytest.approx(opened.wall + 7)


def test_a_difference_in_timers_alone_is_called_that(edited: Edit) -> None:
    rig = Rig(1)
    rig.plug()
    new = edited("connector", ("after: {ConnectionTimeOut: Released}", "after: {2m: Released}"))
    told = report.with_charts(parts_of(rig), new)
    assert told.lines[1].endswith(" (UTC), in nothing but timers:")


def test_what_is_done_otherwise_is_no_matter_of_timers(session: list[Part], edited: Edit) -> None:
    told = report.with_charts(session, edited("connector", ("offer.amps >= 6 ", "offer.amps >= 40 ")))
    assert told.lines[1].endswith(" on 2027-01-15 (UTC):")


def test_without_a_link_nobody_answers(edited: Edit) -> None:
    rig = Rig(1, LocalAuthorizeOffline="true")
    rig.session()
    rig.swipe()
    rig.after(10)
    rig.cut()
    rig.swipe("OTHER")
    rig.after(10)
    new = edited(
        "authorization",
        ("      - {guard: online, target: Asking}\n      - {target: Offline}", "      - {target: Asking}"),
    )
    course = run_other(parts_of(rig)[0], new)
    own = [entry for entry in course.entries if entry.note == "no link"]
    assert [entry.event.name for entry in own] == ["ocpp.Authorize.failed"]
    assert own[0].event.fields == {"cause": "offline"}


def test_with_the_link_goes_what_waits_for_an_answer(edited: Edit) -> None:
    """The new charts ask for a Heartbeat that nobody answers; then the link of the recording breaks."""
    rig = Rig(1)
    rig.after(20)
    rig.cut()
    rig.after(10)
    new = edited("registration", ("every: {HeartbeatInterval:", "every: {20s:"))
    course = run_other(parts_of(rig)[0], new)
    [failed] = [entry for entry in course.entries if entry.event.name == "ocpp.Heartbeat.failed"]
    assert (failed.note, failed.event.fields) == ("no link", {"cause": "offline"})


def test_a_step_that_both_answer_differently_shows_both(edited: Edit) -> None:
    rig = Rig(1)
    rig.call("DataTransfer", vendorId="v")
    new = edited(
        "requests", ("DataTransfer: {reply: UnknownVendorId}", "DataTransfer: {reply: {error: NotSupported}}")
    )
    told = [line.strip() for line in report.with_charts(parts_of(rig), new).lines]
    assert '- answers DataTransfer {"status": "UnknownVendorId"}' in told
    assert "+ refuses the call: NotSupported" in told


def test_new_charts_may_end_before_the_recording(evening: list[Part], edited: Edit) -> None:
    new = edited(
        "connector",
        (
            "after: {ConnectionTimeOut: Released}",
            "after: {ConnectionTimeOut: {target: Released, actions: [station.end]}}",
        ),
    )
    told = report.with_charts(evening, new)
    assert told.lines[-1].startswith("The new charts end before the recording does: the program would have")


def test_new_charts_may_have_a_defect(evening: list[Part], edited: Edit) -> None:
    new = edited("connector", ("  - home: Available", "  - home: Available\n  - never: in(Finishing)"))
    told = report.with_charts(evening, new)
    assert any(line.strip().startswith("+ DEFECT timer.expired: never") for line in told.lines)
    assert told.lines[-1].endswith("a defect: the station would have been built anew.")


def test_a_trace_that_begins_in_mid_life_is_put_in_front_of_other_charts(
    edited: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """States of the same name go on, timers too; a chart without such a state begins anew, and that is said."""
    monkeypatch.setattr(trace, "SEGMENT", 30)
    rig = Rig(1)
    rig.session()
    rig.after(60)
    parts = parts_of(rig)
    assert parts[0].checkpoint is not None
    assert report.with_charts(parts, edited("pilot")).same


def test_a_renamed_state_begins_anew(edited: Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "SEGMENT", 30)
    rig = Rig(1)
    rig.session()
    rig.after(60)
    parts = parts_of(rig)
    new = edited("metering", *_renamed(rig, "metering", "Sampling"))
    told = report.with_charts(parts, new)
    assert "These cannot go on where the trace begins, and begin anew: metering 1 Sampling." in told.lines


def _renamed(rig: Rig, chart: str, state: str) -> list[tuple[str, str]]:
    [source] = [text for name, text in rig.charts.charts.sources.items() if name.endswith(f"{chart}.yaml")]
    return [(source, source.replace(state, f"{state}Now"))]


def test_a_program_that_differs_is_told_too(evening: list[Part], edited: Edit) -> None:
    [part] = evening
    number = plugged(part)
    told = report.with_charts(tampered(part, number, lambda record: record.pop("moves")), edited("pilot"))
    assert (
        told.lines[1] == f"Not bit-exact with its own charts from step {number} on: the program differs too."
    )


# -- a trace that is damaged -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        lambda checkpoint: checkpoint.pop("charts"),
        lambda checkpoint: checkpoint["situation"].pop("facts"),
        lambda checkpoint: checkpoint["charts"].update(instances=[[1]]),
        lambda checkpoint: checkpoint["charts"].update(timers=5),
        lambda checkpoint: checkpoint["situation"].update(drawn=10**30),
    ],
)
def test_a_checkpoint_that_is_damaged_is_told(session: list[Part], damage: Callable[[Any], Any]) -> None:
    (part,) = session
    station, _ = run.station_of(part, run.charts_of(part))
    for step in part.steps[:20]:
        station.handle(step.event)
    checkpoint = json.loads(json.dumps(station.checkpoint(), default=repr))
    whole = replace(part, checkpoint=checkpoint, facts=(), steps=[])
    assert run.station_of(whole, run.charts_of(whole))
    damage(checkpoint)
    with pytest.raises(
        UsageError, match="no station can begin with the checkpoint of this trace: it is damaged"
    ):
        run.station_of(whole, run.charts_of(whole))
