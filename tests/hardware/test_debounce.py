"""Contacts that chatter, in virtual time."""

import pytest

from charger.clock import VirtualClock
from charger.hardware.debounce import CONTACT, SAFETY, Debounce, Debounced


def levels(debounce, *seen):
    """What is believed after each (ms, level)."""
    return [(debounce.see(bool(level), ms / 1000), debounce.active)[1] for ms, level in seen]


def test_a_safety_input_is_believed_within_20_ms_and_back_after_500():
    assert SAFETY[0] <= 0.02
    assert SAFETY[1] >= 0.5
    stop = Debounce(SAFETY, active=False)
    assert levels(stop, (0, 0), (100, 1), (119, 1), (121, 1)) == [False, False, False, True]
    assert levels(stop, (1000, 0), (1499, 0), (1501, 0)) == [True, True, False]


def test_without_a_time_one_look_is_enough():
    stop = Debounce((0, 0.5), active=False)
    assert stop.see(active=True, now=7.0)
    assert stop.active
    assert not stop.see(active=True, now=7.1)


def test_whatever_chatters_on_its_way_back_stays_active():
    stop = Debounce(SAFETY, active=True)
    seen = [(ms, ms // 10 % 2) for ms in range(0, 3000, 10)]
    assert set(levels(stop, *seen)) == {True}
    # The last look was active, the first of the quiet time is at 3 s.
    assert levels(stop, (3000, 0), (3499, 0), (3500, 0)) == [True, True, False]


def test_a_spike_shorter_than_the_time_is_none():
    stop = Debounce(SAFETY, active=False)
    assert levels(stop, (0, 1), (19, 0), (20, 1), (39, 1), (40, 1)) == [False, False, False, False, True]


def test_it_says_when_to_look_again():
    stop = Debounce((0.25, 0.5), active=False)
    assert stop.due is None
    stop.see(active=True, now=10.0)
    assert stop.due == 10.25
    stop.see(active=True, now=10.125)  # a poll in between puts nothing off
    assert stop.due == 10.25
    assert not stop.pass_time(10.125)
    assert stop.pass_time(10.25)
    assert (stop.active, stop.due) == (True, None)
    assert not stop.pass_time(11.0)


@pytest.fixture
def clock():
    return VirtualClock()


def test_on_the_clock_the_last_level_is_believed_without_another_look(clock):
    told = []
    door = Debounced(
        clock, "door", (0.02, 0.5), False, lambda active: told.append((clock.now().monotonic, active))
    )
    clock.advance(1)
    door.see(active=True)
    clock.advance(0.02)
    assert told == [(1.02, True)]
    assert door.active
    door.see(active=False)
    clock.advance(0.25)
    door.see(active=True)  # bounces
    assert clock.next_due() is None
    door.see(active=False)
    clock.advance(0.5)
    assert told == [(1.02, True), (1.77, False)]
    assert clock.next_due() is None


def test_a_poll_on_the_clock_does_not_put_the_moment_off(clock):
    told = []
    door = Debounced(clock, "door", CONTACT, False, told.append)
    for _ in range(6):
        door.see(active=True)
        clock.advance(0.01)
    assert told == [True]


def test_a_loop_that_was_late_believes_at_the_next_look(clock):
    told = []
    door = Debounced(clock, "door", (0, 0.5), False, told.append)
    door.see(active=True)
    assert told == [True]
    door.see(active=False)
    clock.cancel("door")  # as if its timer had not had its turn yet
    clock.advance(0.5)
    door.see(active=False)
    assert told == [True, False]
    door._expired("door")  # now it has: nothing is left to believe
    assert told == [True, False]


def test_closed_it_believes_nothing_any_more(clock):
    told = []
    door = Debounced(clock, "door", CONTACT, False, told.append)
    door.see(active=True)
    door.close()
    clock.advance(1)
    assert told == []
