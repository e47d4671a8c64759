"""Clocks: timers run when they are due, never before, in the right order."""

import asyncio
import time

import pytest

from charger.clock import MonotonicClock, VirtualClock
from charger.statechart.event import Moment

PATIENCE = 10


def run(scenario):
    asyncio.run(asyncio.wait_for(scenario, PATIENCE))


# -- real --------------------------------------------------------------------------------------------------


def test_now_is_both_clocks_of_the_machine():
    before = Moment(time.monotonic(), time.time())
    now = MonotonicClock().now()
    assert before.monotonic <= now.monotonic <= time.monotonic()
    assert before.wall - 1 <= now.wall <= time.time() + 1


def test_a_timer_calls_back_with_its_key_and_not_before_its_time():
    async def scenario():
        clock, rung = MonotonicClock(), asyncio.Queue()
        due = time.monotonic() + 0.02
        clock.start("a", due, rung.put_nowait)
        assert await rung.get() == "a"
        assert time.monotonic() >= due

    run(scenario())


def test_a_loop_that_is_early_does_not_make_the_timer_early():
    async def scenario():
        loop = asyncio.get_running_loop()
        loop._clock_resolution = 0.05  # once awake, asyncio runs what is due within it
        loop.call_soon(lambda: None)
        clock, rung = MonotonicClock(), asyncio.Queue()
        due = time.monotonic() + 0.02
        clock.start("a", due, rung.put_nowait)
        await rung.get()
        assert time.monotonic() >= due

    run(scenario())


def test_timers_ring_in_the_order_in_which_they_are_due():
    async def scenario():
        clock, rung = MonotonicClock(), asyncio.Queue()
        now = time.monotonic()
        for key, delay in (("c", 0.03), ("a", 0.0), ("b", 0.015)):
            clock.start(key, now + delay, rung.put_nowait)
        assert [await rung.get() for _ in range(3)] == ["a", "b", "c"]

    run(scenario())


def test_a_second_start_replaces_the_first_and_cancel_forgets():
    async def scenario():
        clock, rung = MonotonicClock(), asyncio.Queue()
        now = time.monotonic()
        clock.start("twice", now, lambda key: rung.put_nowait((key, "first")))
        clock.start("twice", now, lambda key: rung.put_nowait((key, "second")))
        clock.start("never", now, rung.put_nowait)
        clock.cancel("never")
        clock.cancel("nobody")
        clock.start("last", now + 0.02, rung.put_nowait)
        assert [await rung.get() for _ in range(2)] == [("twice", "second"), "last"]

    run(scenario())


def test_a_timer_may_start_itself_again():
    async def scenario():
        clock, rung = MonotonicClock(), asyncio.Queue()

        def again(key):
            rung.put_nowait(key)
            clock.start(key, time.monotonic(), again)

        clock.start("a", 0.0, again)
        assert [await rung.get() for _ in range(3)] == ["a", "a", "a"]
        clock.cancel("a")

    run(scenario())


# -- virtual -----------------------------------------------------------------------------------------------


@pytest.fixture
def clock():
    return VirtualClock(wall=1000.0, monotonic=50.0)


@pytest.fixture
def rung(clock):
    """What rang, and when; `rung.note` is the callback."""

    class Rung(list):
        def note(self, key):
            self.append((key, clock.now().monotonic))

    return Rung()


def test_virtual_time_stands_still_until_told(clock, rung):
    clock.start("past", 0.0, rung.note)
    clock.start("now", 50.0, rung.note)
    assert clock.now() == Moment(50.0, 1000.0)
    assert rung == []
    clock.advance(0)
    assert rung == [("past", 50.0), ("now", 50.0)]
    clock.advance(2.5)
    assert clock.now() == Moment(52.5, 1002.5)


def test_virtual_timers_run_as_they_are_due_and_then_as_they_were_started(clock, rung):
    for key, due in (("d", 53.0), ("b", 52.0), ("c", 52.0), ("a", 51.0), ("z", 60.1)):
        clock.start(key, due, rung.note)
    clock.start("b", 52.0, rung.note)  # replaced: it queues up again
    clock.advance(10)
    assert rung == [("a", 51.0), ("c", 52.0), ("b", 52.0), ("d", 53.0)]
    assert clock.next_due() == 60.1


def test_virtual_timers_started_while_time_passes_count(clock, rung):
    def every_second(key):
        rung.note(key)
        clock.start(key, clock.now().monotonic + 1, every_second)

    clock.start("tick", 51.0, every_second)
    clock.start("stop", 53.5, lambda _key: clock.cancel("tick"))
    clock.advance(10)
    assert rung == [("tick", 51.0), ("tick", 52.0), ("tick", 53.0)]
    assert clock.next_due() is None
    assert clock.now().monotonic == 60.0


def test_virtual_timers_are_forgotten(clock, rung):
    clock.start("a", 51.0, rung.note)
    clock.cancel("a")
    clock.cancel("nobody")
    clock.advance(5)
    assert rung == []


def test_the_virtual_wall_clock_jumps_and_timers_do_not_care(clock, rung):
    clock.start("a", 51.0, rung.note)
    clock.jump_wall(-3600)
    assert clock.now() == Moment(50.0, -2600.0)
    clock.advance(1)
    assert rung == [("a", 51.0)]
    assert clock.now() == Moment(51.0, -2599.0)


def test_virtual_time_does_not_go_back(clock):
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1)
