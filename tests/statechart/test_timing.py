"""When timers are due: durations on the monotonic clock, `at` on the wall clock."""

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charger.statechart import model
from charger.statechart.event import Moment
from charger.statechart.timing import DAY, Running, arm, minute_of_day, next_local, next_multiple

MIDNIGHT = 1_700_006_400.0
"""2023-11-15T00:00:00Z"""


@pytest.fixture
def zone() -> Iterator[Callable[[str], None]]:
    """Set the time zone of this process."""
    before = os.environ.get("TZ")

    def put(name: str | None) -> None:
        os.environ.pop("TZ", None)
        if name:
            os.environ["TZ"] = name
        time.tzset()

    yield put
    put(before)


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def armed(
    kind: model.Kind, seconds: float | None, now: float, started: float = 0.0, **more: object
) -> Running:
    timer = Running(kind, model.Fixed(seconds or 0), started)
    arm(timer, seconds, Moment(now, MIDNIGHT + now))
    return timer


# -- after, every --------------------------------------------------------------------------------------


def test_after_is_due_so_long_after_its_start() -> None:
    assert armed("after", 30, now=100, started=100).due == 130


def test_after_armed_late_counts_from_its_start_but_is_never_due_in_the_past() -> None:
    assert armed("after", 30, now=110, started=100).due == 130
    assert armed("after", 30, now=200, started=100).due == 200


@pytest.mark.parametrize("kind", ["after", "every", "at"])
@pytest.mark.parametrize("never", [0, 0.0, None])
def test_a_delay_of_zero_or_none_means_never(kind: model.Kind, never: float | None) -> None:
    timer = armed(kind, never, now=100)
    assert (timer.due, timer.boundary, timer.seconds) == (None, None, never)


@pytest.mark.parametrize(
    ("now", "due"), [(100, 110), (109.9, 110), (110, 120), (115, 120), (119.999999999, 130), (163, 170)]
)
def test_every_keeps_its_phase_and_skips_what_was_missed(now: float, due: float) -> None:
    assert armed("every", 10, now=now, started=100).due == due


@given(
    period=st.floats(0.05, 100_000),
    started=st.floats(0, 1e7),
    turns=st.integers(0, 1000),
    late=st.floats(0, 0.5),
)
def test_every_never_drifts(period: float, started: float, turns: int, late: float) -> None:
    timer = Running("every", model.Fixed(period), started)
    arm(timer, period, Moment(started + (turns + late) * period))
    assert timer.due == pytest.approx(started + (turns + 1) * period)


def test_arming_anew_forgets_what_was() -> None:
    timer = armed("after", 30, now=100)
    timer.spent = True
    arm(timer, 60, Moment(110))
    assert (timer.due, timer.seconds, timer.spent) == (110, 60, False)


# -- at ------------------------------------------------------------------------------------------------


def test_at_a_period_is_due_at_its_multiples_from_midnight_utc() -> None:
    timer = armed("at", 900, now=1000)
    assert timer.boundary == MIDNIGHT + 1800
    assert timer.due == 1800


def test_at_a_boundary_the_next_one_is_due() -> None:
    assert next_multiple(900, MIDNIGHT) == MIDNIGHT + 900
    assert next_multiple(900, MIDNIGHT + 900) == MIDNIGHT + 1800
    assert next_multiple(900, MIDNIGHT + 899.5) == MIDNIGHT + 900


def test_every_midnight_starts_anew_when_the_day_is_no_multiple() -> None:
    hours_7 = 7 * 3600
    assert next_multiple(hours_7, MIDNIGHT + 20 * 3600) == MIDNIGHT + 21 * 3600
    assert next_multiple(hours_7, MIDNIGHT + 21 * 3600) == MIDNIGHT + DAY
    assert next_multiple(2 * DAY, MIDNIGHT + 1) == MIDNIGHT + DAY


@given(st.floats(1, 2 * DAY), st.floats(0, 4e9))
def test_the_next_multiple_is_later_and_at_most_one_period_away(period: float, wall: float) -> None:
    following = next_multiple(period, wall)
    assert wall < following <= wall + period * (1 + 1e-6)


def test_at_an_instant_is_due_then_or_at_once_when_it_has_passed() -> None:
    for instant, due in ((MIDNIGHT + 500, 500), (MIDNIGHT - 500, 100)):
        timer = Running("at", model.OfFact("reservation.expiry"), 0)
        arm(timer, instant, Moment(100, MIDNIGHT + 100))
        assert (timer.boundary, timer.due) == (instant, due)


def test_at_a_time_of_day_is_by_local_clocks(zone: Callable[[str], None]) -> None:
    zone("Europe/Berlin")
    timer = Running("at", model.DayTime(22 * 60), 0)
    arm(timer, None, Moment(50, utc("2023-11-15T20:59:00")))
    assert timer.boundary == utc("2023-11-15T21:00:00")
    assert timer.due == 110


@pytest.mark.parametrize(
    ("where", "minutes", "after", "expected"),
    [
        ("UTC", 0, "2023-12-31T23:59:59", "2024-01-01T00:00:00"),
        ("UTC", 22 * 60, "2023-11-15T22:00:00", "2023-11-16T22:00:00"),
        ("Europe/Berlin", 3 * 60, "2024-03-30T02:00:00", "2024-03-31T01:00:00"),  # a night of 23 hours
        ("Europe/Berlin", 3 * 60, "2024-10-26T01:00:00", "2024-10-27T02:00:00"),  # one of 25
        ("Asia/Kolkata", 6 * 60, "2023-11-15T00:00:00", "2023-11-15T00:30:00"),
    ],
)
def test_the_next_time_of_day(
    zone: Callable[[str], None], where: str, minutes: int, after: str, expected: str
) -> None:
    zone(where)
    assert next_local(minutes, utc(after)) == utc(expected)


@given(minutes=st.integers(0, 1439), hours=st.integers(0, 24 * 366))
def test_the_next_time_of_day_is_later_and_within_a_long_day(minutes: int, hours: int) -> None:
    wall = MIDNIGHT + hours * 3600
    assert wall < next_local(minutes, wall) <= wall + 26 * 3600


def test_an_hour_that_clocks_leave_out_does_not_stop_the_timer(zone: Callable[[str], None]) -> None:
    zone("Europe/Berlin")
    wall = utc("2024-03-30T12:00:00")
    night = next_local(2 * 60 + 30, wall)  # on the 31st clocks go from 02:00 to 03:00
    assert utc("2024-03-31T00:30:00") <= night <= utc("2024-03-31T01:30:00")
    assert next_local(2 * 60 + 30, utc("2024-03-31T12:00:00")) == utc("2024-04-01T00:30:00")


def test_minute_of_day_is_local(zone: Callable[[str], None]) -> None:
    zone("UTC")
    assert minute_of_day(MIDNIGHT + 3 * 3600 + 59) == 180
    zone("Europe/Berlin")
    assert minute_of_day(MIDNIGHT) == 60
