"""The lock on mock pins, in virtual time."""

import pytest
from gpiozero.pins.mock import MockFactory

from charger.board import Contact, LockPlan
from charger.clock import VirtualClock
from charger.hardware.gpio import GpioLines
from charger.hardware.lock import PATIENCE, REST, Lock

PLAN = LockPlan(engage=24, release=25, feedback=Contact(5, "open"), pulse=0.5)


class Bench:
    """A lock, its switch, and what is seen of both."""

    def __init__(self, plan=PLAN, bolt_in=False):
        self.clock = VirtualClock()
        self.factory = MockFactory()
        self.lines = GpioLines(self.factory)
        self.lock = Lock(plan, self.lines, self.clock, "lock/1")
        self.engage, self.release = self.factory.pin(plan.engage), self.factory.pin(plan.release)
        self.currents = []
        """Monotonic s, and the direction in which current flows from then on: 1, -1, 0."""
        for pin in (self.engage, self.release):
            self._watch(pin)
        self.said = []
        if plan.feedback:
            self.bolt(bolt_in)
            self.lock.feedback.watch(self.lock.look)
        self.lock.start(lambda word: self.said.append((round(self.clock.now().monotonic, 3), word)))

    def _watch(self, pin):
        switch = pin._set_state

        def switched(value):
            switch(value)
            assert not (self.engage.state and self.release.state), "both directions at once"
            flows = int(self.engage.state) - int(self.release.state)
            if not self.currents or self.currents[-1][1] != flows:
                self.currents.append((round(self.clock.now().monotonic, 3), flows))

        pin._set_state = switched

    def bolt(self, is_in):
        pin = self.factory.pin(5)
        if is_in:  # the switch is closed, to ground
            pin.drive_low()
        else:
            pin.drive_high()


def test_at_the_start_it_says_where_the_bolt_is():
    assert Bench(bolt_in=False).said == [(0, "released")]
    assert Bench(bolt_in=True).said == [(0, "engaged")]


def test_a_pulse_then_off_and_the_switch_is_believed():
    bench = Bench()
    bench.clock.advance(10)
    bench.lock.engage()
    bench.clock.advance(0.3)
    bench.bolt(True)
    bench.clock.advance(5)
    assert bench.currents == [(10, 0), (10, 1), (10.5, 0)]
    assert bench.said[1:] == [(10.5, "engaged")]  # not before the motor rests
    bench.lock.release()
    bench.bolt(False)
    bench.clock.advance(5)
    assert bench.currents[-2:] == [(15.3, -1), (15.8, 0)]
    assert bench.said[2:] == [(15.8, "released")]
    assert bench.clock.next_due() is None


def test_a_bolt_that_takes_longer_than_the_pulse_is_waited_for():
    bench = Bench()
    bench.lock.engage()
    bench.clock.advance(1.5)
    bench.bolt(True)
    bench.clock.advance(5)
    assert bench.said[1:] == [(1.55, "engaged")]
    assert bench.clock.next_due() is None


def test_a_bolt_that_does_not_arrive_has_failed():
    bench = Bench()
    bench.lock.engage()
    bench.clock.advance(0.5 + PATIENCE - 0.001)
    assert bench.said[1:] == []
    bench.clock.advance(0.001)
    assert bench.said[1:] == [(2.5, "failed")]
    assert bench.clock.next_due() is None


def test_a_switch_that_only_chatters_is_no_arrival():
    bench = Bench()
    bench.lock.engage()
    for _ in range(120):
        bench.bolt(True)
        bench.clock.advance(0.01)
        bench.bolt(False)
        bench.clock.advance(0.01)
    bench.clock.advance(1)
    assert bench.said[1:] == [(2.5, "failed")]


def test_a_bolt_that_comes_after_all_is_told():
    bench = Bench()
    bench.lock.engage()
    bench.clock.advance(3)
    bench.bolt(True)
    bench.clock.advance(1)
    assert bench.said[1:] == [(2.5, "failed"), (3.05, "engaged")]


def test_a_bolt_that_moves_unasked_is_told():
    bench = Bench(bolt_in=True)
    bench.clock.advance(60)
    bench.bolt(False)
    bench.clock.advance(1)
    assert bench.said[1:] == [(60.05, "released")]
    assert [flows for _, flows in bench.currents if flows] == []


def test_a_bolt_that_falls_out_while_the_pulse_lasts_has_not_arrived():
    bench = Bench()
    bench.lock.engage()
    bench.bolt(True)
    bench.clock.advance(0.2)
    bench.bolt(False)
    bench.clock.advance(3)
    assert bench.said[1:] == [(2.5, "failed")]


def test_a_bolt_that_is_there_already_is_driven_and_told_again():
    bench = Bench(bolt_in=True)
    bench.lock.engage()
    bench.clock.advance(1)
    assert bench.said[1:] == [(0.5, "engaged")]


def test_the_last_command_counts_and_between_two_directions_the_bridge_rests():
    bench = Bench()
    bench.lock.engage()
    bench.clock.advance(0.2)
    bench.lock.release()
    bench.clock.advance(REST / 2)
    bench.lock.engage()  # once more, in the rest
    bench.lock.release()
    bench.clock.advance(3)
    flows = [entry for entry in bench.currents if entry[0] > 0 or entry[1]]
    assert flows == [(0, 1), (0.2, 0), (0.3, -1), (0.8, 0)]
    assert bench.said[1:] == [(0.8, "released")]


def test_the_bridge_rests_after_a_pulse_too():
    bench = Bench(plan=LockPlan(24, 25, None, 0.5))
    bench.lock.engage()
    bench.clock.advance(0.5)
    bench.lock.release()
    bench.clock.advance(3)
    flows = [entry for entry in bench.currents if entry[0] > 0 or entry[1]]
    assert flows == [(0, 1), (0.5, 0), (0.6, -1), (1.1, 0)]


def test_a_command_while_it_waits_for_the_bolt_begins_anew():
    bench = Bench()
    bench.lock.engage()
    bench.clock.advance(2)
    bench.lock.release()
    bench.clock.advance(3)
    assert bench.said[1:] == [(2.5, "released")]


def test_without_a_switch_the_pulse_is_believed():
    bench = Bench(plan=LockPlan(24, 25, None, 0.3))
    assert bench.lock.feedback is None
    bench.lock.look()  # nothing to see
    bench.lock.engage()
    bench.clock.advance(1)
    bench.lock.release()
    bench.clock.advance(1)
    assert bench.said == [(0, "released"), (0.3, "engaged"), (1.3, "released")]


def test_a_missed_edge_is_found_by_looking():
    bench = Bench()
    bench.lock.feedback.watch(lambda: None)
    bench.lock.engage()
    bench.bolt(True)
    bench.clock.advance(1)
    bench.lock.look()
    bench.clock.advance(0.1)
    assert bench.said[1:] == [(1.05, "engaged")]


def broken(pin, level):
    """The pin cannot be driven to this level any more."""
    switch = pin._set_state

    def refuses(value):
        if bool(value) is level:
            raise ValueError("bad handle")
        switch(value)

    pin._set_state = refuses


def test_a_pin_that_cannot_be_switched_on_is_a_failure(caplog):
    bench = Bench()
    broken(bench.engage, True)
    bench.lock.engage()
    assert bench.said[1:] == [(0, "failed")]
    assert "lock/1: no current: GPIO 24: bad handle" in caplog.text
    assert bench.clock.next_due() is None


def test_a_pin_that_cannot_be_switched_off_is_a_failure_and_the_other_way_is_not_driven(caplog):
    bench = Bench()
    bench.lock.engage()
    broken(bench.engage, False)
    bench.clock.advance(1)
    assert bench.said[1:] == [(0.5, "failed")]
    assert "lock/1: may be under current: GPIO 24: bad handle" in caplog.text
    bench.lock.release()
    bench.clock.advance(1)
    assert bench.said[2:] == [(1.0, "failed")]
    assert not bench.release.state


def test_closed_there_is_no_current_and_nothing_is_told():
    bench = Bench()
    bench.lock.engage()
    bench.lock.close()
    assert not bench.engage.state
    bench.bolt(True)
    bench.clock.advance(5)
    assert bench.said == [(0, "released")]


def test_a_switch_that_cannot_be_read_is_an_error():
    bench = Bench()
    pin = bench.factory.pin(5)

    def dead():
        raise ValueError("bad handle")

    pin._get_state = dead
    with pytest.raises(OSError, match="GPIO 5: bad handle"):
        bench.lock.look()
