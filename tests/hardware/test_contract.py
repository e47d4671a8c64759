"""The contract of the port `Hardware`, held against every kind of hardware (benches.py).

Times are generous: a bench may run in real time, in another machine.
"""

import pytest
from benches import BENCHES

from charger.ports import (
    CloseContactor,
    EngageLock,
    OfferCurrent,
    OpenContactor,
    ReleaseLock,
    ShowLight,
    ShowText,
    SwitchOutput,
    TestResidualCurrent,
)

INTERLOCKS = ("emergency", "residual_current")
WORD = {"emergency": "emergency_stop", "residual_current": "residual_current"}


@pytest.fixture(params=BENCHES)
def bench(request):
    bench = BENCHES[request.param]()
    yield bench
    bench.end()


@pytest.fixture
def started(bench):
    bench.start()
    bench.events.clear()
    return bench


@pytest.fixture
def closed(started):
    started.hardware.perform(CloseContactor(1))
    started.wait(0.4)
    assert names(started) == ["contactor.closed"]
    assert started.coil()
    return started


@pytest.fixture(params=INTERLOCKS)
def interlock(request, bench):
    needs(bench, request.param)
    return request.param


def needs(bench, act):
    if act not in bench.can:
        pytest.skip(f"this bench cannot: {act}")


def names(bench):
    """What was told of contactor and guard since the last time."""
    told = [event.name for event in bench.events if event.name.startswith(("contactor", "interlock"))]
    bench.events.clear()
    return told


def told(bench):
    events = [(event.name, event.connector) for event in bench.events]
    bench.events.clear()
    return events


# -- start ---------------------------------------------------------------------------------------------------


def test_the_situation_is_told_at_the_start_and_nothing_has_closed(bench):
    assert not bench.coil()
    bench.start()
    assert {("contactor.opened", 1), ("lock.released", 1)} <= set(told(bench))
    assert not bench.coil()


def test_it_can_be_started_again_for_another_station(started):
    """After a defect a new station hears what there is, from the hardware that there is."""
    started.plug()
    started.wait(1)
    started.hardware.perform(EngageLock(1))
    started.wait(1)
    before = told(started)
    assert ("cable.plugged", 1) in before
    other = []
    started.hardware.start(other.append)
    assert {(event.name, event.connector) for event in other} >= {
        ("contactor.opened", 1),
        ("lock.engaged", 1),
        ("cable.plugged", 1),
    }
    started.hardware.perform(CloseContactor(1))
    started.wait(0.4)
    assert "contactor.closed" in [event.name for event in other]
    assert told(started) == [], "the old station hears nothing any more"


def test_a_button_that_is_pressed_already_is_told_and_forbids(bench, interlock):
    bench.lose(interlock)
    bench.start()
    assert {"emergency": "emergency.pressed", "residual_current": "residual_current.tripped"}[interlock] in [
        event.name for event in bench.events
    ]
    bench.hardware.perform(CloseContactor(1))
    bench.wait(1)
    assert not bench.coil()


# -- the contactor -------------------------------------------------------------------------------------------


def test_it_is_closed_only_between_the_two_commands(started):
    started.plug()
    started.hardware.perform(OfferCurrent(1, 16.0))
    started.hardware.perform(EngageLock(1))
    started.wait(2)
    assert not started.coil(), "nobody asked for it"
    started.events.clear()
    started.hardware.perform(CloseContactor(1))
    started.wait(0.4)
    assert started.coil()
    assert names(started) == ["contactor.closed"]
    started.hardware.perform(OpenContactor(1))
    assert not started.coil(), "at once"
    started.wait(0.4)
    assert names(started) == ["contactor.opened"]
    started.wait(3)
    assert not started.coil()


def test_opening_what_is_open_is_answered(started):
    started.hardware.perform(OpenContactor(1))
    started.wait(0.4)
    assert names(started) == ["contactor.opened"]


def test_opened_before_it_has_closed_it_stays_open(started):
    started.hardware.perform(CloseContactor(1))
    started.hardware.perform(OpenContactor(1))
    assert not started.coil()
    started.wait(2)
    assert not started.coil()
    assert "contactor.closed" not in names(started)


def test_what_happened_is_told_not_what_was_commanded(started):
    needs(started, "block")
    started.block()
    started.hardware.perform(CloseContactor(1))
    started.wait(0.3)
    assert names(started) == []


@pytest.mark.parametrize("state", ["open", "closing", "closed", "opening"])
def test_make_safe_opens_at_once_from_any_state(started, state):
    if state in ("closing", "closed", "opening"):
        started.hardware.perform(CloseContactor(1))
    if state in ("closed", "opening"):
        started.wait(0.4)
    if state == "opening":
        started.hardware.perform(OpenContactor(1))
    started.hardware.make_safe()
    assert not started.coil()
    started.wait(2)
    assert not started.coil()


def test_make_safe_does_not_raise_whatever_is_broken(closed):
    needs(closed, "chip")
    closed.cut_chip()
    closed.deafen()
    closed.hardware.make_safe()
    assert not closed.coil()


def test_after_make_safe_it_closes_when_asked_again(closed):
    closed.hardware.make_safe()
    closed.wait(1)
    names(closed)
    closed.hardware.perform(CloseContactor(1))
    closed.wait(0.4)
    assert closed.coil()


# -- interlocks ----------------------------------------------------------------------------------------------


def test_a_lost_interlock_opens_before_anybody_is_told(closed, interlock):
    """No event is taken, no time passes: whoever saw the edge opened."""
    closed.lose(interlock)
    assert not closed.coil()
    closed.wait(0.4)
    first = closed.events[0]
    assert (first.name, first.connector, dict(first.fields)) == (
        "interlock.lost",
        1,
        {"interlock": WORD[interlock]},
    )
    assert names(closed) == ["interlock.lost", "contactor.opened"]


def test_it_does_not_close_by_itself_when_the_interlock_holds_again(closed, interlock):
    closed.lose(interlock)
    closed.wait(1)
    closed.hold(interlock)
    closed.wait(3)
    assert not closed.coil()
    names(closed)
    closed.hardware.perform(CloseContactor(1))
    closed.wait(0.4)
    assert closed.coil(), "asked anew"


def test_it_does_not_close_while_the_interlock_is_lost_and_says_why(started, interlock):
    started.lose(interlock)
    started.wait(1)
    names(started)
    started.hardware.perform(CloseContactor(1))
    assert not started.coil()
    started.wait(0.4)
    assert started.events[0].fields == {"interlock": WORD[interlock]}
    assert names(started) == ["interlock.lost"]


def test_a_welded_contactor_is_told_and_does_not_close_again(closed):
    needs(closed, "weld")
    closed.weld()
    closed.hardware.perform(OpenContactor(1))
    closed.wait(1)
    assert [dict(event.fields) for event in closed.events if event.name == "interlock.lost"] == [
        {"interlock": "welded"}
    ]
    assert names(closed) == ["interlock.lost"], "it has not opened"
    closed.hardware.perform(CloseContactor(1))
    assert not closed.coil()


def test_a_contactor_that_does_not_close_is_given_up(started):
    needs(started, "block")
    started.block()
    started.hardware.perform(CloseContactor(1))
    assert started.coil()
    started.wait(1)
    assert not started.coil()
    assert [dict(event.fields) for event in started.events if event.name == "interlock.lost"] == [
        {"interlock": "dry"}
    ]


def test_without_edges_nothing_stays_closed_and_the_board_has_failed(closed):
    needs(closed, "edges")
    assert closed.hardware.alive()
    closed.deafen()
    assert not closed.hardware.alive()
    closed.wait(0.3)
    assert not closed.coil()
    heard = [event.name for event in closed.events]
    assert "hardware.failed" in heard
    assert "interlock.lost" in heard


def test_a_chip_that_does_not_answer_is_a_lost_interlock(closed):
    needs(closed, "chip")
    closed.cut_chip()
    closed.wait(0.3)
    assert not closed.coil()
    assert "hardware.failed" in [event.name for event in closed.events]


# -- the rest ------------------------------------------------------------------------------------------------


def test_the_lock_answers(started):
    started.hardware.perform(EngageLock(1))
    assert told(started) == [], "it takes its time"
    started.wait(3)
    assert told(started) == [("lock.engaged", 1)]
    assert started.hardware.describe(1)["lock"] == "engaged"
    started.hardware.perform(ReleaseLock(1))
    started.wait(3)
    assert told(started) == [("lock.released", 1)]
    assert started.hardware.describe(1)["lock"] == "released"


def test_a_lock_that_does_not_move_says_so(started):
    needs(started, "jam")
    started.jam()
    started.hardware.perform(EngageLock(1))
    started.wait(4)
    assert told(started) == [("lock.failed", 1)]


def test_the_monitor_answers_its_test_and_the_trip_is_not_told(started):
    started.hardware.perform(TestResidualCurrent(1))
    started.wait(2)
    assert told(started) == [("residual_current.test_passed", 1)]


def test_a_plug_and_a_car(started):
    started.plug()
    started.wait(0.1)
    assert ("cable.plugged", 1) in told(started)
    assert started.hardware.describe(1)["cable"]["present"]
    started.hardware.perform(OfferCurrent(1, 16.0))
    started.wait(1)
    assert ("ev.ready", 1) in told(started)
    assert started.hardware.describe(1)["ev"] == "ready"
    assert started.hardware.describe(1)["pilot_amps"] == 16
    started.hardware.perform(OfferCurrent(1, 0.0))
    started.wait(1)
    assert ("ev.paused", 1) in told(started)
    started.unplug()
    started.wait(1)
    assert ("cable.unplugged", 1) in told(started)
    assert not started.hardware.describe(1)["cable"]["present"]


def test_what_people_see_is_answered_by_nothing(started):
    for command in (
        ShowLight(1, "red blinking 200ms"),
        ShowText("hello"),
        SwitchOutput("fan", 0, "blink"),
        SwitchOutput("fan", 0, "off"),
        SwitchOutput("not wired", 1, "on"),
    ):
        started.hardware.perform(command)
    started.wait(2)
    assert told(started) == []
    assert started.hardware.describe(1)["light"] == "red blinking 200ms"


def test_closed_it_is_safe_and_says_nothing_any_more(closed):
    closed.end()
    assert not closed.coil()
    closed.events.clear()
    closed.wait(2)
    assert told(closed) == []
    assert not closed.coil()
