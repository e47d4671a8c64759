"""The law of the control pilot: digest §7.1 to §7.3, and the study of what others do."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charger.hardware.pilot import (
    DIODE,
    MISSED,
    QUICK,
    SLOW,
    Lasting,
    Peaks,
    Sight,
    cable,
    diode_conducts,
    duty,
    offered,
    ohms,
    peaks,
    state_of,
    ticks,
)

CYCLE = 1_000_000

# -- duty cycle ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amps", "percent"),
    [
        (6, 10),
        (10, 16.667),
        (13, 21.667),
        (16, 26.667),
        (20, 33.333),
        (32, 53.333),
        (51, 85),
        (52, 85),  # no duty cycle says 52: 85 % is 51 A, and a hair more 52.5 A
        (52.5, 85),
        (55, 86),
        (63, 89.2),
        (80, 96),
        (125, 96),  # more cannot be said
        (0, 100),
        (5.9, 100),  # less cannot be said: nothing is offered
        (math.nan, 100),
        (None, 0),
    ],
)
def test_amps_as_duty_cycle(amps, percent):
    assert duty(amps) == pytest.approx(percent, abs=0.001)


@pytest.mark.parametrize(
    ("percent", "amps"),
    [
        (0, 0),
        (2.9, 0),
        (5, 0),  # digital communication
        (7.5, 0),
        (8, 6),
        (9.9, 6),
        (10, 6),
        (26.667, 16),
        (85, 51),
        (85.2, 53),
        (96, 80),
        (96.5, 80),
        (97.1, 0),
        (100, 0),
    ],
)
def test_duty_cycle_as_amps(percent, amps):
    assert offered(percent) == pytest.approx(amps, abs=0.001)


@given(st.floats(6, 80), st.sampled_from([1_000, 4_096, 65_536, CYCLE]))
def test_what_is_offered_is_never_more_than_allowed(amps, period):
    """Up to the 1e-6 of a tick that rounding forgives: 0.6 µA at 1000 ticks a period."""
    got = offered(ticks(amps, period) / period * 100)
    assert got <= amps + 100 / period * 2.5e-6


@given(st.floats(6, 80))
def test_what_is_offered_is_hardly_less_than_allowed(amps):
    got = offered(ticks(amps, CYCLE) / CYCLE * 100)
    assert got >= (51 if 51 < amps <= 52.5 else amps) - 0.001


@given(st.one_of(st.floats(max_value=5.999), st.just(math.nan)))
def test_what_no_duty_cycle_says_is_not_offered(amps):
    assert ticks(amps, CYCLE) == CYCLE


def test_state_f_is_no_pulse_at_all():
    assert ticks(None, CYCLE) == 0


@pytest.mark.parametrize("amps", range(6, 52))
def test_whole_amps_come_through_exactly(amps):
    assert ticks(amps, CYCLE) == amps * CYCLE * 10 // 600


# -- volts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("volts", "state"),
    [
        *[(12 + off, "A") for off in (-1, 0, 1)],
        *[(9 + off, "B") for off in (-1, 0, 1)],
        *[(6 + off, "C") for off in (-1, 0, 1)],
        *[(3 + off, "D") for off in (-1, 0, 1)],
        *[(0 + off, "E") for off in (-1, 0, 1)],
        *[(-12 + off, "F") for off in (-1, 0, 1)],
        (-6, "E"),  # no level at all: nothing that may be charged on
    ],
)
def test_levels(volts, state):
    assert state_of(volts) == state
    for before in "ABCDEF":
        assert state_of(volts, before) == state


@given(st.floats(-14, 14), st.floats(-0.25, 0.25))
def test_noise_of_a_quarter_of_a_volt_does_not_toggle(volts, noise):
    """Hysteresis: what was decided stays as long as the level stays within 0.3 V of the border."""
    decided = state_of(volts)
    nearest = min((10.5, 7.5, 4.5, 1.5, -10.0), key=lambda border: abs(border - volts))
    if abs(volts - nearest) <= 0.05:
        assert state_of(volts + noise, decided) == decided


def test_no_voltage_is_an_error():
    with pytest.raises(ValueError, match="nan is no voltage"):
        state_of(math.nan)


def test_the_negative_half_shows_the_diode():
    assert diode_conducts(-11.5)
    assert not diode_conducts(-8.6)  # a bare resistor loads both halves


@given(
    st.integers(1, 19),
    st.integers(1, 19),
    st.lists(st.floats(-0.1, 0.1), min_size=40, max_size=40),
    st.sampled_from([12, 9, 6, 3, 0]),
)
def test_levels_are_found_in_samples_of_any_phase(upper, lower, noise, high):
    clean = [high] * upper + [-12.0] * lower
    found = peaks([volts + off for volts, off in zip(clean, noise, strict=False)])
    assert found.high == pytest.approx(high, abs=0.1)
    assert found.low == pytest.approx(-12, abs=0.1)


def test_one_sample_on_an_edge_does_not_matter():
    assert peaks([6.0] * 10 + [-1.3] + [-12.0] * 10) == Peaks(6, -12)


def test_without_pwm_there_is_one_level():
    assert peaks([9.02, 8.98, 9.0]) == Peaks(9.0, 9.0)


# -- debouncing ---------------------------------------------------------------------------------------------

LEVEL = {"A": 12.0, "B": 9.0, "C": 6.0, "D": 3.0, "E": 0.0, "F": -12.0}
STEP = 0.025


class Wire:
    """A wire that is looked at every 25 ms."""

    def __init__(self):
        self.sight = Sight()
        self.now = 100.0

    def be(self, state, *, low=-12.0, pulses=True, seconds=0.0):
        """Look at least once; the time from the first look until the state is believed, or None."""
        first, believed = self.now, None
        while True:
            self.sight.see(Peaks(LEVEL[state], low), self.now, pulses=pulses)
            if believed is None and self.sight.state == state:
                believed = self.now - first
            self.now += STEP
            if self.now - first > seconds:
                return believed


def test_what_is_there_at_the_beginning_is_told_soon():
    wire = Wire()
    assert wire.be("C", seconds=1) <= QUICK + STEP


@pytest.mark.parametrize(
    ("before", "after", "patience"),
    [
        ("A", "B", SLOW),
        ("B", "C", SLOW),
        ("B", "D", SLOW),
        ("F", "B", SLOW),
        ("B", "A", QUICK),
        ("B", "E", QUICK),
        ("C", "B", QUICK),
        ("C", "A", QUICK),
        ("C", "D", QUICK),
        ("D", "C", QUICK),
        ("D", "B", QUICK),
        ("C", "E", QUICK),
        ("C", "F", MISSED),
    ],
)
def test_patience(before, after, patience):
    wire = Wire()
    wire.be(before, seconds=1)
    took = wire.be(after, seconds=1)
    assert patience - 1e-9 <= took <= patience + STEP


def test_state_f_that_we_put_there_is_believed_soon():
    wire = Wire()
    wire.be("C", seconds=1)
    assert wire.be("F", pulses=False, low=-12, seconds=1) <= QUICK + STEP


def test_one_look_after_a_long_pause_is_not_enough_to_stop_a_car():
    """The thread that looks may have been held up."""
    wire = Wire()
    wire.be("C", seconds=1)
    wire.now += 0.2
    assert wire.be("B") is None
    assert wire.be("C") == 0


def test_a_spike_is_not_believed():
    wire = Wire()
    wire.be("C", seconds=1)
    assert wire.be("A") is None
    assert wire.be("C", seconds=0.2) == 0
    wire.be("B", seconds=1)
    assert wire.be("C", seconds=0.2) is None
    wire.be("B")
    assert wire.be("C", seconds=0.2) is None


@given(st.lists(st.sampled_from("ABDEF"), min_size=3, max_size=30))
def test_a_wire_that_flickers_is_not_a_car_that_charges(flicker):
    """Whatever comes instead of C: within 100 ms and a look it is not C any more."""
    wire = Wire()
    wire.be("C", seconds=1)
    gone = wire.now
    for state in flicker:
        wire.be(state)
        if wire.now - STEP - gone >= MISSED + STEP:
            assert wire.sight.state != "C"


@given(st.lists(st.tuples(st.sampled_from("ABCDEF"), st.integers(0, 30)), max_size=12))
def test_what_lasts_is_believed(past):
    """After any past, any level that stays for a quarter of a second and a look is the state."""
    wire = Wire()
    for state, looks in past:
        wire.be(state, seconds=looks * STEP)
    for state in "ABCDEF":
        wire.be(state, seconds=SLOW + STEP)
        assert wire.sight.state == state


def test_a_missing_diode_is_told_within_100_ms_and_stays_until_the_car_is_gone():
    wire = Wire()
    wire.be("B", seconds=1)
    assert wire.sight.diode
    wire.be("B", low=-8.6, seconds=DIODE - STEP)
    assert wire.sight.diode
    wire.be("B", low=-8.6, seconds=0.1 - DIODE)
    assert not wire.sight.diode
    wire.be("B", low=9.0, pulses=False, seconds=5)  # without pulses nobody can see it
    assert not wire.sight.diode
    wire.be("A", pulses=False, low=12.0, seconds=0.1)
    assert wire.sight.diode


def test_a_diode_that_conducts_again_is_believed_slowly():
    wire = Wire()
    wire.be("C", low=-6.0, seconds=1)
    assert not wire.sight.diode
    wire.be("C", seconds=SLOW - STEP)
    assert not wire.sight.diode
    wire.be("C", seconds=2 * STEP)
    assert wire.sight.diode


def test_one_bad_negative_half_is_none():
    wire = Wire()
    wire.be("C", seconds=1)
    wire.be("C", low=6.0)
    wire.be("C")
    wire.be("C", low=6.0)
    assert wire.sight.diode


def test_without_a_car_there_is_no_diode_to_miss():
    wire = Wire()
    wire.be("A", low=-6.0, seconds=2)
    assert wire.sight.diode


# -- proximity ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resistor", "amps"),
    [(1500, 13), (680, 20), (220, 32), (100, 63)],
)
@pytest.mark.parametrize("off", [-0.1, -0.03, 0, 0.03, 0.1])
def test_cables(resistor, amps, off):
    assert cable(resistor * (1 + off)) == amps


@pytest.mark.parametrize(
    ("resistor", "means"),
    [(0, "wrong"), (59, "wrong"), (150, "wrong"), (350, "wrong"), (1000, "wrong"), (3000, "wrong")],
)
def test_a_resistor_that_is_none_of_them(resistor, means):
    assert cable(resistor) == means


@pytest.mark.parametrize("resistor", [4501, 1e6, math.inf])
def test_without_a_plug(resistor):
    assert cable(resistor) == "none"


@pytest.mark.parametrize("resistor", [1500, 680, 220, 100])
def test_the_resistor_is_found_below_the_pull_up(resistor):
    seen = resistor / (resistor + 1000)
    assert ohms(seen) == pytest.approx(resistor)
    assert cable(ohms(round(seen * 1023) / 1023)) == cable(resistor)


def test_an_open_contact_is_no_plug():
    assert cable(ohms(1.0)) == "none"
    assert cable(ohms(1020 / 1023)) == "none"


def test_a_plug_that_goes_in_is_judged_when_it_is_in():
    held = Lasting("none")
    assert held.see("wrong", 1.0) == "none"
    assert held.see(32.0, 1.1) == "none"
    assert held.see(32.0, 1.34) == "none"
    assert held.see(32.0, 1.36) == 32.0
