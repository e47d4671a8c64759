"""Time in charts: `after`, `every`, `at`, and when they are armed anew.

`after(n)` of a play lets time pass and gives what was done, each line with the second it was done at.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from play import T0, Play

from charger.statechart.event import Event, Moment


@pytest.fixture(autouse=True)
def _local_time_is_utc() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


@pytest.fixture
def play(tmp_path: Path) -> Any:
    """One chart `a` for the station, given as its body; more charts by name."""

    def make(body: str, *, scope: str = "station", **more: Any) -> Play:
        text = f"chart: a\nscope: {scope}\ninitial: A\n{body}"
        return Play(tmp_path / "charts", {"a": text}, **more)

    return make


# -- after ---------------------------------------------------------------------------------------------


def test_after_fires_once_so_long_after_entry(play: Any) -> None:
    made = play("states: {A: {after: {500ms: {actions: [it.rang]}}}}")
    assert made.after(100) == ["0.5 it.rang@0"]


def test_a_timer_stops_when_its_state_is_left_and_starts_anew_when_it_is_entered(play: Any) -> None:
    made = play("states: {A: {after: {10s: {actions: [it.rang]}}, on: {go: B, own: A}}, B: {on: {back: A}}}")
    made.after(9)
    made.send("go")
    assert made.world.timers == {}
    assert made.after(20) == []
    made.send("back")
    assert made.after(9) == []
    made.send("own")
    assert made.after(20) == ["48 it.rang@0"]


def test_a_transition_without_target_leaves_the_timer_alone(play: Any) -> None:
    made = play("states: {A: {after: {10s: {actions: [it.rang]}}, on: {stay: {actions: [stayed.here]}}}}")
    made.after(9)
    made.send("stay")
    assert made.after(5) == ["10 it.rang@0"]


def test_a_timer_of_a_compound_state_goes_on_while_the_states_inside_change(play: Any) -> None:
    made = play(
        "states: {A: {initial: B, after: {10s: D}, states: {B: {on: {go: C}}, C: }}, D: {entry: [came.here]}}"
    )
    made.after(9)
    made.send("go")
    assert made.after(2) == ["10 came.here@0"]


def test_transitions_of_one_timer_compete(play: Any) -> None:
    body = "states: {A: {after: {1s: [{guard: is.x, target: B}, {target: C}]}}, B: , C: }"
    for fact, leaf in ((True, "B"), (False, "C")):
        made = play(body, facts={"is.x": fact})
        made.after(1)
        assert made.state("a") == leaf


def test_after_is_asked_once_even_when_its_guard_says_no(play: Any) -> None:
    made = play("states: {A: {after: {1s: {guard: is.x, target: B}}}, B: }")
    made.after(5)
    made.set(is__x=True)
    made.after(100)
    assert made.state("a") == "A"


def test_every_connector_has_its_own_timers(play: Any) -> None:
    made = play(
        "states: {A: {on: {go: B}}, B: {after: {1s: {actions: [it.rang]}}}}", scope="connector", connectors=2
    )
    made.send("go", 2)
    made.after(0.5)
    made.send("go", 1)
    assert made.after(5) == ["1 it.rang@2", "1.5 it.rang@1"]


def test_an_expiry_that_was_on_its_way_when_the_state_was_left_is_nothing(play: Any) -> None:
    made = play("states: {A: {after: {1s: {actions: [it.rang]}}, on: {go: B}}, B: }")
    (key,) = made.world.timers
    made.send("go")
    assert made.send("timer.expired", key=key) == []


# -- keys and facts ------------------------------------------------------------------------------------


def test_a_key_counts_in_seconds_and_zero_is_never(play: Any) -> None:
    body = "states: {A: {after: {Patience: {actions: [it.rang]}}}}"
    assert play(body, keys={"Patience": 3}).after(10) == ["3 it.rang@0"]
    assert play(body, keys={"Patience": 0}).after(10_000) == []


WRITABLE = """
states:
  A:
    %s: {Patience: {actions: [it.rang]}}
    on: {write: {actions: [key.write: {key: Patience, value: event.value}]}}
"""


def rings(made: Play, seconds: float) -> list[str]:
    return [line.split()[0] for line in made.after(seconds) if "it.rang" in line]


@pytest.mark.parametrize(
    ("first", "written", "at"),
    [
        (60, 30, ["30"]),  # both count from the beginning
        (60, 100, ["100"]),
        (60, 5, ["10"]),  # already over: at once
        (60, 0, []),
        (0, 30, ["30"]),
    ],
)
def test_after_a_key_is_armed_anew_from_its_start_when_the_key_is_written(
    play: Any, first: int, written: int, at: list[str]
) -> None:
    made = play(WRITABLE % "after", keys={"Patience": first})
    made.after(10)
    made.send("write", value=written)
    assert rings(made, 500) == at


def test_after_a_key_does_not_ring_twice_because_the_key_is_written(play: Any) -> None:
    made = play(WRITABLE % "after", keys={"Patience": 10})
    assert rings(made, 20) == ["10"]
    made.send("write", value=30)
    assert rings(made, 100) == []


def test_another_key_changes_nothing(play: Any) -> None:
    body = (WRITABLE % "after").replace("{key: Patience, value: event.value}", "{key: Other, value: 1}")
    made = play(body, keys={"Patience": 60, "Other": 0})
    before = dict(made.world.timers)
    made.send("write")
    assert made.world.timers == before


def test_a_key_may_be_multiplied_with_a_fact(play: Any) -> None:
    body = "states: {A: {after: {Interval * queue.transmissions: {actions: [it.rang]}}}}"
    assert play(body, keys={"Interval": 20}, facts={"queue.transmissions": 3}).after(500) == ["60 it.rang@0"]
    assert play(body, keys={"Interval": 20}, facts={"queue.transmissions": 0}).after(500) == []


def test_a_duration_fact_is_asked_when_the_state_is_entered(play: Any) -> None:
    body = "states: {A: {after: {registration.interval: {actions: [it.rang]}}}}"
    assert play(body, facts={"registration.interval": 7}).after(500) == ["7 it.rang@0"]
    assert play(body, facts={"registration.interval": None}).after(500) == []


def test_backoff_doubles_with_every_try_up_to_its_limit(play: Any) -> None:
    body = """
states:
  A:
    initial: B
    on: {anew: A}
    states:
      B: {entry: [try.it], on: {failed: C}}
      C: {after: {"backoff(3s, 20s, 4s)": B}}
"""
    made = play(body)

    def wait() -> float:
        made.send("failed")
        began = made.now
        (line,) = made.after(100)
        return float(line.split()[0]) - began

    assert [wait(), wait(), wait(), wait(), wait()] == [3, 6, 12, 20, 20]
    made.send("anew")
    assert wait() == 3
    made.world.luck = 0.5
    assert wait() == 6 + 0.5 * 4


# -- every ---------------------------------------------------------------------------------------------


def test_every_counts_its_periods_from_entry(play: Any) -> None:
    made = play("states: {A: {every: {10s: {actions: [it.rang]}}}}")
    assert rings(made, 35) == ["10", "20", "30"]


def test_every_does_not_drift_and_skips_what_it_missed(play: Any) -> None:
    made = play("states: {A: {every: {10s: {actions: [it.rang]}}}}")
    made.now = 10.4  # the loop was late
    assert rings(made, 0) == ["10.4"]
    assert rings(made, 9.6) == ["20"]
    made.now = 57
    assert rings(made, 0) == ["57"]
    assert rings(made, 3) == ["60"]


def test_every_ends_with_its_state(play: Any) -> None:
    made = play("states: {A: {every: {10s: {guard: is.x, target: B}}}, B: }")
    made.after(25)
    made.set(is__x=True)
    made.after(10)
    assert made.state("a") == "B"
    assert made.world.timers == {}


@pytest.mark.parametrize(
    ("first", "written", "at"),
    [(60, 25, ["50", "75"]), (60, 0, []), (0, 25, ["50", "75"]), (25, 30, ["60", "90"])],
)
def test_every_key_keeps_its_start_when_the_key_is_written(
    play: Any, first: int, written: int, at: list[str]
) -> None:
    made = play(WRITABLE % "every", keys={"Patience": first})
    made.after(40)
    made.send("write", value=written)
    assert rings(made, 50) == at


def test_every_key_that_became_zero_in_silence_stops_at_its_next_turn(play: Any) -> None:
    made = play("states: {A: {every: {Patience: {actions: [it.rang]}}}}", keys={"Patience": 10})
    made.world.keys["Patience"] = 0
    assert rings(made, 100) == ["10"]


# -- at ------------------------------------------------------------------------------------------------

AT_PERIOD = "at: {900s: {actions: [it.rang: {boundary: event.time}]}}\nstates: {A: {on: {go: B}}, B: }"


def test_at_a_period_rings_at_its_multiples_whatever_the_states_do(play: Any) -> None:
    made = play(AT_PERIOD)
    made.after(1000)
    made.send("go")
    assert made.after(1000) == [f"1800 it.rang@0 boundary={T0 + 1800}"]


def test_at_a_boundary_it_rings_once_though_the_wall_clock_is_a_little_behind(play: Any) -> None:
    made = play(AT_PERIOD)
    made.world.ahead = -0.004
    made.after(899.9)
    assert made.after(0.2) == [f"900 it.rang@0 boundary={T0 + 900}"]
    assert list(made.world.timers.values()) == [pytest.approx(1800)]


def test_at_follows_the_clock_when_that_is_set(play: Any) -> None:
    body = """
at: {900s: {actions: [it.rang]}}
states: {A: {on: {set: {actions: [clock.set: {ahead: event.ahead}]}}}}
"""
    made = play(body)
    made.after(100)
    made.send("set", ahead=600.0)
    assert rings(made, 1000) == ["300"]


def test_a_running_duration_does_not_follow_the_clock(play: Any) -> None:
    made = play(
        "states: {A: {after: {60s: {actions: [it.rang]}}, on: {set: {actions: [clock.set: {ahead: 3600}]}}}}"
    )
    made.after(10)
    made.send("set")
    assert rings(made, 100) == ["60"]


def test_at_a_time_of_day_rings_every_day(play: Any) -> None:
    made = play('states: {A: {at: {"22:00": {actions: [it.rang]}}}}')
    assert rings(made, 3 * 86400) == ["79200", "165600", "252000"]


def test_at_a_key_of_zero_never_rings(play: Any) -> None:
    made = play("at: {Aligned: {actions: [it.rang]}}\nstates: {A: }", keys={"Aligned": 0})
    assert made.after(86400) == []


def test_at_a_key_is_armed_anew_when_the_key_is_written(play: Any) -> None:
    made = play(WRITABLE % "at", keys={"Patience": 900})
    made.after(100)
    made.send("write", value=120)
    assert rings(made, 200) == ["120", "240"]


def test_at_a_key_that_is_written_when_it_rings_is_armed_from_that_moment(play: Any) -> None:
    body = "at: {Aligned: {actions: [it.rang, key.write: {key: Aligned, value: 700}]}}\nstates: {A: }"
    made = play(body, keys={"Aligned": 300})
    assert rings(made, 1500) == ["300", "700", "1400"]


INSTANT = """
states:
  A:
    at: {reservation.expiry: {%sactions: [it.rang]}}
    on: {set: {actions: [clock.set: {ahead: event.ahead}]}, tick: {actions: [ticked.on]}}
"""


def test_at_an_instant_rings_once(play: Any) -> None:
    made = play(INSTANT % "", facts={"reservation.expiry": T0 + 500})
    assert rings(made, 10_000) == ["500"]
    made.send("set", ahead=-1000.0)
    assert rings(made, 10_000) == []


def test_at_an_instant_whose_guard_says_no_is_not_asked_again(play: Any) -> None:
    made = play(INSTANT % "guard: is.x, ", facts={"reservation.expiry": T0 + 500})
    assert rings(made, 10_000) == []
    assert made.world.timers == {}


def test_at_an_instant_in_the_past_rings_at_once(play: Any) -> None:
    assert rings(play(INSTANT % "", facts={"reservation.expiry": T0 - 500}), 1) == ["0"]


def test_at_an_instant_that_is_not_known_waits_until_it_is(play: Any) -> None:
    made = play(INSTANT % "", facts={"reservation.expiry": None})
    made.after(100)
    made.set(reservation__expiry=T0 + 300)
    made.send("tick")
    assert rings(made, 1000) == ["300"]


def test_at_an_instant_that_changed_rings_at_the_new_one(play: Any) -> None:
    made = play(INSTANT % "", facts={"reservation.expiry": T0 + 300})
    made.set(reservation__expiry=T0 + 600)
    made.send("tick")
    assert rings(made, 1000) == ["600"]
    made.set(reservation__expiry=T0 + 1500)
    made.send("tick")
    assert rings(made, 1000) == ["1500"]


def test_at_an_instant_follows_the_clock(play: Any) -> None:
    made = play(INSTANT % "", facts={"reservation.expiry": T0 + 500})
    made.send("set", ahead=200.0)
    assert rings(made, 1000) == ["300"]


# -- clock.between -------------------------------------------------------------------------------------


def test_charts_that_ask_for_the_time_of_day_are_woken_at_both_edges(play: Any) -> None:
    body = """
states:
  A: {always: {guard: "clock.between(22:00, 06:00)", target: Night}}
  Night:
    entry: [night.fell]
    always: {guard: "not clock.between(22:00, 06:00)", target: A}
    exit: [day.came]
"""
    made = play(body)
    assert made.world.log == ["night.fell@0"]
    assert made.after(2 * 86400) == [
        *("21600 day.came@0", "79200 night.fell@0"),
        *("108000 day.came@0", "165600 night.fell@0"),
    ]


def test_edges_in_named_guards_and_beside_other_guards_count_too(play: Any) -> None:
    made = play(
        "guards: {by_day: 'clock.between(06:00, 22:00)'}\n"
        "states: {A: {always: {guard: in(A) and not by_day and late, target: B}}, B: }",
        index="guards: {late: 'clock.between(23:00, 23:30)'}",
    )
    assert sorted(made.world.timers) == ["wake/1320", "wake/1380", "wake/1410", "wake/360"]
    made.after(86400)
    assert made.state("a") == "B"


def test_the_edges_follow_the_clock_when_it_is_set(play: Any) -> None:
    body = """
states:
  A:
    always: {guard: "clock.between(06:00, 22:00)", target: Day}
    on: {set: {actions: [clock.set: {ahead: 3600}]}}
  Day: {entry: [day.came]}
"""
    made = play(body)
    made.send("set")
    assert made.after(86400) == ["18000 day.came@0"]


def test_moments_come_from_the_event_and_from_nowhere_else(play: Any) -> None:
    made = play("states: {A: {on: {go: B}}, B: {after: {10s: {actions: [it.rang]}}}}")
    made.ensemble.step(Event("go", moment=Moment(123.0, T0)))
    assert list(made.world.timers.values()) == [133.0]


def test_a_signal_happens_at_the_moment_of_the_event_that_led_to_it(play: Any) -> None:
    made = play(
        "states: {A: {on: {go: {actions: [raise: a.on_with_it]}, a.on_with_it: B}}, B: {after: {10s: A}}}"
    )
    made.now = 50.0
    made.send("go")
    assert list(made.world.timers.values()) == [60.0]
