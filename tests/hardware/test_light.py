"""The lamp on mock pins, in virtual time."""

import pytest
from gpiozero.pins.mock import MockFactory

from charger.board import LightPlan
from charger.clock import VirtualClock
from charger.hardware.gpio import GpioLines
from charger.hardware.light import COLOURS, PATTERNS, Lamp
from charger.vocabulary.hardware import LOOK


class Bench:
    def __init__(self):
        self.clock, self.factory = VirtualClock(), MockFactory()
        self.lamp = Lamp(LightPlan(19, 20, 21), GpioLines(self.factory), self.clock, "lamp/1")

    @property
    def seen(self):
        letters = zip("RGB", (19, 20, 21), strict=True)
        return "".join(letter for letter, pin in letters if self.factory.pin(pin).state) or "-"

    def watch(self, seconds):
        """What is seen from now on, as (s, colour) at every change."""
        start, found = self.clock.now().monotonic, [(0, self.seen)]
        while (due := self.clock.next_due()) is not None and round(due - start, 6) <= seconds:
            self.clock.advance(due - self.clock.now().monotonic)
            found.append((round(due - start, 6), self.seen))
        return found


@pytest.fixture
def bench():
    return Bench()


def test_every_look_that_a_chart_may_name_is_known():
    colours, patterns, _ = LOOK.phrase
    assert set(COLOURS) == colours
    assert set(PATTERNS) == patterns


@pytest.mark.parametrize(
    ("look", "seen"),
    [("red", "R"), ("orange", "RG"), ("yellow", "RG"), ("green", "G"), ("cyan", "GB"), ("blue", "B"),
     ("purple", "RB"), ("magenta", "RB"), ("white", "RGB"), ("off", "-")],
)  # fmt: skip
def test_a_colour_is_shown_at_once_and_stays(bench, look, seen):
    assert bench.seen == "-"
    bench.lamp.show(look)
    assert bench.watch(10) == [(0.0, seen)]
    assert bench.clock.next_due() is None


def test_a_pattern_has_a_period_of_its_own(bench):
    bench.lamp.show("red blinking")
    assert bench.watch(2) == [(0, "R"), (0.5, "-"), (1.0, "R"), (1.5, "-"), (2.0, "R")]
    bench.lamp.show("blue breathing")
    assert bench.watch(8) == [(0, "B"), (3.0, "-"), (4.0, "B"), (7.0, "-"), (8.0, "B")]
    bench.lamp.show("white flashing")
    assert bench.watch(1) == [(0, "RGB"), (0.1, "-"), (1.0, "RGB")]


def test_a_look_may_name_the_period(bench):
    bench.lamp.show("red blinking 200ms")
    assert bench.watch(0.4) == [(0, "R"), (0.1, "-"), (0.2, "R"), (0.3, "-"), (0.4, "R")]
    bench.lamp.show("yellow blinking 2s")
    assert bench.watch(2) == [(0, "RG"), (1.0, "-"), (2.0, "RG")]


def test_a_period_that_nobody_sees_is_not_played(bench):
    bench.lamp.show("red blinking 1ms")
    assert bench.watch(0.1) == [(0, "R"), (0.05, "-"), (0.1, "R")]


def test_a_new_look_begins_anew(bench):
    bench.lamp.show("red blinking")
    bench.clock.advance(0.7)
    assert bench.seen == "-"
    bench.lamp.show("green")
    assert bench.watch(5) == [(0, "G")]


@pytest.mark.parametrize("look", ["", "mauve", "red pulsing"])
def test_what_is_no_look_is_dark_and_logged(bench, caplog, look):
    bench.lamp.show("red blinking")
    bench.lamp.show(look)
    assert bench.watch(3) == [(0, "-")]
    assert f"lamp/1: '{look}' is no look of a lamp" in caplog.text


def test_a_period_that_is_none_is_the_usual_one(bench):
    bench.lamp.show("red blinking soon")
    assert bench.watch(0.5) == [(0, "R"), (0.5, "-")]


def test_nothing_blinks_that_is_off(bench):
    bench.lamp.show("off blinking")
    assert bench.seen == "-"
    assert bench.clock.next_due() is None


def test_closed_it_is_dark(bench):
    bench.lamp.show("white blinking")
    bench.lamp.close()
    assert bench.watch(3) == [(0, "-")]


def test_a_lamp_that_does_not_answer_is_logged_and_blinks_on(bench, caplog):
    pin = bench.factory.pin(19)
    switch = pin._set_state

    def dead(_value):
        raise ValueError("bad handle")

    pin._set_state = dead
    bench.lamp.show("red blinking")
    assert "lamp/1: the lamp does not answer: GPIO 19: bad handle" in caplog.text
    pin._set_state = switch
    assert bench.watch(1)[-1] == (1.0, "R")
