"""The pilot on the processor's own PWM: sysfs as the kernel plays it, and a wire with a car behind an ADC."""

import errno
import logging
import queue
import random
import threading
from itertools import cycle, groupby
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charger.board import KernelPilot as Plan
from charger.errors import HardwareError
from charger.hardware.parts import PilotSaid
from charger.hardware.pilot_kernel import CYCLE, PERIOD, KernelPilot, Pwm
from charger.hardware.pilot_voice import SILENT

PATIENCE = 10.0
HIGH, LOW, PROXIMITY = 0, 1, 2
LEVEL = {"A": 12.0, "B": 9.0, "C": 6.0, "D": 3.0, "E": 0.0}


class Sysfs(type(Path())):
    """/sys/class/pwm as the kernel plays it: what it refuses, and what appears when a channel is exported."""

    writes: list[tuple[str, str]]
    """(file, text), shared by the whole tree."""
    late: list[OSError]
    """What opening a file of the channel ends with, one after the other, before udev has been there."""

    def write_text(self, text, *_encoding):
        if self.name != "export" and Sysfs.late:
            raise Sysfs.late.pop(0)
        folder = self.parent
        if self.name == "export":
            if (folder / f"pwm{text}").is_dir():
                raise OSError(errno.EBUSY, "Device or resource busy", str(self))
            (folder / f"pwm{text}").mkdir()
            for name, value in (
                ("period", "0"),
                ("duty_cycle", "0"),
                ("polarity", "normal"),
                ("enable", "0"),
            ):
                Path(folder / f"pwm{text}" / name).write_text(value + "\n")
        else:
            now = {path.name: Path(path).read_text().strip() for path in folder.iterdir()}
            later = now | {self.name: text}
            if int(later["duty_cycle"]) > int(later["period"]) or (
                self.name == "enable" and later["period"] == "0"
            ):
                raise OSError(errno.EINVAL, "Invalid argument", str(self))
            if self.name == "polarity" and now["enable"] == "1":
                raise OSError(errno.EBUSY, "Device or resource busy", str(self))
        Sysfs.writes.append((self.name, text))
        Path(self).write_text(text + "\n")
        return len(text)


@pytest.fixture
def chip(tmp_path):
    Sysfs.writes, Sysfs.late = [], []
    (tmp_path / "pwmchip2").mkdir()
    return Sysfs(tmp_path)


def on_wire(chip):
    return {
        name: Path(chip / "pwmchip2" / "pwm1" / name).read_text().strip()
        for name in ("period", "duty_cycle", "enable", "polarity")
    }


STEADY = {"period": "1000000", "duty_cycle": "1000000", "enable": "1", "polarity": "normal"}


# -- PWM ----------------------------------------------------------------------------------------------------


def test_a_channel_begins_with_steady_12_v(chip):
    Pwm(2, 1, chip)
    assert on_wire(chip) == STEADY
    assert Sysfs.writes.index(("duty_cycle", "1000000")) < Sysfs.writes.index(("enable", "1"))


def test_a_channel_that_runs_already_keeps_running(chip):
    """The program was restarted: the car must not see an interruption."""
    Pwm(2, 1, chip).set(CYCLE // 3)
    Sysfs.writes.clear()
    Pwm(2, 1, chip)
    assert on_wire(chip) == STEADY
    assert Sysfs.writes == [("duty_cycle", "1000000"), ("enable", "1")]


def test_a_channel_that_somebody_left_otherwise_is_set_right(chip):
    Pwm(2, 1, chip)
    folder = chip / "pwmchip2" / "pwm1"
    for name, value in (
        ("enable", "0"),
        ("polarity", "inversed"),
        ("period", "20000000"),
        ("duty_cycle", "15000000"),
        ("enable", "1"),
    ):
        (folder / name).write_text(value, "ascii")
    Pwm(2, 1, chip)
    assert on_wire(chip) == STEADY


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(errno.EACCES, "Permission denied", "f"),
        FileNotFoundError(errno.ENOENT, "No such file", "f"),
    ],
)
def test_udev_takes_a_moment(chip, error):
    Sysfs.late = [error] * 3
    waited = []
    Pwm(2, 1, chip, waited.append)
    assert on_wire(chip) == STEADY
    assert sum(waited) < 2


def test_a_channel_that_may_not_be_written(chip):
    Sysfs.late = [PermissionError(errno.EACCES, "Permission denied", "/sys/class/pwm/x")] * 99
    with pytest.raises(HardwareError, match=r"PWM chip 2, channel 1: Permission denied \(/sys/class/pwm/x\)"):
        Pwm(2, 1, chip, lambda _seconds: None)


def test_a_chip_that_there_is_not(chip):
    with pytest.raises(
        HardwareError, match=r"there is no .*pwmchip0; there is pwmchip2; `dtoverlay=pwm-2chan`"
    ):
        Pwm(0, 1, chip)
    with pytest.raises(HardwareError, match=r"there is none"):
        Pwm(0, 1, chip / "nowhere")


# -- the wire -----------------------------------------------------------------------------------------------


class Wire:
    """A pilot wire with a car at its end, behind the divider of the documentation; time goes by in readings."""

    def __init__(self, chip, *, reading=0.00011, plan=None, held=False):
        self.plan = plan or Plan(chip=2, channel=1, adc=0, high=HIGH, low=HIGH, proximity=PROXIMITY)
        self.now = 1000.0
        self.car = "A"
        self.diode = True
        self.resistor = None
        self.reading = reading
        self.held = held
        """The board holds the peaks."""
        self.error = None
        self.noise = random.Random(7)
        self.pwm = Pwm(2, 1, chip)
        self.folder = chip / "pwmchip2" / "pwm1"
        self.said = []
        self.at = []
        self.written, self.duty = 0, 0.0
        self.pilot = KernelPilot(self.plan, self.pwm, self, now=lambda: self.now, wait=self.wait)
        # What `start` does, without the threads: time is this test's.
        self.pilot._voice._say = self.hear
        self.pilot._voice._heard = self.now

    def hear(self, said):
        self.said.append(said)
        self.at.append(self.now)

    def wait(self, seconds):
        self.now += seconds

    def read(self, channel):
        if self.error:
            raise self.error
        self.now += self.reading
        if channel == PROXIMITY:
            ratio = 1.0 if self.resistor is None else self.resistor / (self.resistor + 1000)
        else:
            full, zero = self.plan.divider
            volts = self.volts(channel) + self.noise.uniform(-0.15, 0.15)
            ratio = min(max((volts - zero) / (full - zero), 0), 1)
        return round(ratio * 1023) / 1023

    def volts(self, channel):
        if self.written != len(Sysfs.writes):
            self.written, self.duty = len(Sysfs.writes), int((self.folder / "duty_cycle").read_text()) / CYCLE
        duty = self.duty
        high = LEVEL[self.car]
        low = 0.0 if self.car == "E" else -12.0 if self.diode or self.car == "A" else -high
        upper = self.now * 1000 % 1 < duty
        if self.held and 0 < duty < 1:
            upper = channel == HIGH
        return high if upper else low

    def look(self, seconds=0.4):
        """Look for so long."""
        until = self.now + seconds
        while self.now < until:
            started = self.now
            self.pilot.look()
            self.now = max(self.now, started + PERIOD)
        return self.said[-1] if self.said else None

    def close(self):
        """Let go."""


def test_a_session(chip):
    wire = Wire(chip)
    assert wire.look() == PilotSaid("A")
    wire.car, wire.resistor = "B", 220
    assert wire.look() == PilotSaid("B", 32.0)
    wire.pilot.offer(16)
    assert on_wire(chip)["duty_cycle"] == "266666"
    assert wire.look() == PilotSaid("B", 32.0)
    wire.car = "C"
    assert wire.look() == PilotSaid("C", 32.0)
    wire.pilot.offer(20)
    assert wire.look() == PilotSaid("C", 32.0)
    wire.pilot.offer(0)
    assert wire.look() == PilotSaid("C", 32.0)
    wire.car = "B"
    assert wire.look() == PilotSaid("B", 32.0)
    wire.pilot.offer(None)
    assert on_wire(chip)["duty_cycle"] == "0"
    assert wire.look() == PilotSaid("F", 32.0)
    wire.pilot.offer(0)
    wire.car, wire.resistor = "A", None
    assert wire.look() == PilotSaid("A")
    assert "".join(state for state, _ in groupby(said.state for said in wire.said)) == "ABCBFA"
    assert not any(said.wrong for said in wire.said)


@pytest.mark.parametrize("after", ["A", "B", "E"])
def test_leaving_c_is_told_within_100_ms(chip, after):
    wire = Wire(chip)
    wire.car = "B"
    wire.pilot.offer(16)
    wire.look()
    wire.car = "C"
    wire.look()
    gone = wire.now
    wire.car = after
    assert wire.look().state == after
    assert wire.at[-1] - gone < 0.1


def test_a_missing_diode_goes_with_the_plug_though_the_pilot_is_in_state_f(chip):
    """A fault puts it there, and would never be over otherwise."""
    wire = Wire(chip)
    wire.car, wire.resistor, wire.diode = "B", 220, False
    wire.pilot.offer(16)
    assert wire.look() == PilotSaid("B", 32.0, "diode")
    wire.pilot.offer(None)
    wire.car = "A"
    assert wire.look() == PilotSaid("F", 32.0, "diode")
    wire.resistor = None
    assert wire.look() == PilotSaid("F")


def test_a_missing_diode_is_told_within_100_ms_of_the_pulses(chip):
    wire = Wire(chip)
    wire.car, wire.diode = "B", False
    assert wire.look() == PilotSaid("B")
    wire.pilot.offer(16)
    since = wire.now
    assert wire.look() == PilotSaid("B", None, "diode")
    assert wire.at[-1] - since < 0.1
    wire.pilot.offer(0)
    assert wire.look() == PilotSaid("B", None, "diode")
    wire.car = "A"
    assert wire.look() == PilotSaid("A")


@pytest.mark.parametrize(("resistor", "amps"), [(1500, 13), (680, 20), (220, 32), (100, 63)])
def test_cables(chip, resistor, amps):
    wire = Wire(chip)
    wire.resistor = resistor
    assert wire.look() == PilotSaid("A", float(amps))


@pytest.mark.parametrize("resistor", [30, 350, 3000])
def test_a_plug_that_carries_nothing(chip, resistor):
    wire = Wire(chip)
    wire.car, wire.resistor = "B", resistor
    assert wire.look() == PilotSaid("B", None, "cable")


def test_a_fixed_cable_has_no_proximity(chip):
    wire = Wire(chip, plan=Plan(chip=2, channel=1, adc=0, high=HIGH, low=HIGH))
    wire.car = "C"
    assert wire.look() == PilotSaid("C")


def test_peaks_that_the_board_holds(chip):
    wire = Wire(chip, plan=Plan(chip=2, channel=1, adc=0, high=HIGH, low=LOW), held=True)
    wire.car = "B"
    wire.pilot.offer(6)
    assert wire.look() == PilotSaid("B")
    wire.diode = False
    assert wire.look() == PilotSaid("B", None, "diode")


@settings(max_examples=40, deadline=None)
@given(
    amps=st.sampled_from([6, 10, 16, 32, 51, 63]), reading=st.integers(50, 260), offset=st.integers(0, 999)
)
def test_whatever_the_phase_a_steady_car_is_steady(tmp_path_factory, amps, reading, offset):
    """A burst at the wrong pace would always see the same phases, and miss a short half: it must not matter."""
    Sysfs.writes, Sysfs.late = [], []
    root = tmp_path_factory.mktemp("sysfs")
    (root / "pwmchip2").mkdir()
    wire = Wire(Sysfs(root), reading=reading * 1e-6)
    wire.now += offset * 1e-6
    wire.car = "C"
    wire.pilot.offer(amps)
    wire.look(0.8)
    assert wire.said == [PilotSaid("C")]


# -- what does not work -------------------------------------------------------------------------------------


def test_a_look_across_a_change_of_the_offer_counts_for_nothing(chip):
    wire = Wire(chip)
    wire.look()
    pauses = cycle([None])
    wire.pilot._wait = lambda _seconds: (next(pauses), wire.pilot.offer(None))
    wire.pilot.look()
    wire.pilot.look()
    assert wire.said == [PilotSaid("A")]


def test_an_offer_that_the_kernel_refuses_is_tried_again(chip, caplog):
    wire = Wire(chip)
    wire.look()
    Sysfs.late = [OSError(errno.EIO, "Input/output error", "duty_cycle")] * 2
    wire.pilot.offer(16)
    assert on_wire(chip)["duty_cycle"] == "1000000"
    assert "control pilot: [Errno 5] Input/output error" in caplog.text
    with pytest.raises(OSError, match="Input/output error"):
        wire.pilot.look()
    wire.pilot.look()
    assert on_wire(chip)["duty_cycle"] == "266666"


def test_an_adc_that_does_not_answer_ends_a_look(chip):
    wire = Wire(chip)
    wire.look()
    wire.error = OSError("ADC channel 0 does not answer")
    with pytest.raises(OSError, match="does not answer"):
        wire.pilot.look()
    wire.now += 0.3
    wire.pilot._voice.check()
    assert wire.said[-1] == SILENT


def test_an_end_without_a_beginning(chip):
    wire = Wire(chip)
    wire.pilot.offer(16)
    wire.pilot.close()
    assert on_wire(chip) == STEADY


class Steady:
    """An ADC that sees 9 V, or an error, or hangs."""

    def __init__(self):
        self.error = None
        self.hangs = threading.Event()
        self.hangs.set()

    def read(self, channel):
        self.hangs.wait()
        if self.error:
            raise self.error
        return (9.0 + 15.0) / 29.3

    def close(self):
        """Let go."""


def test_on_its_own_thread(chip, caplog):
    """Real time: it reports, tells silence when the ADC fails or hangs, and reports again."""
    caplog.set_level(logging.WARNING)
    adc, said = Steady(), queue.Queue()
    pilot = KernelPilot(Plan(chip=2, channel=1, adc=0, high=HIGH, low=HIGH), Pwm(2, 1, chip), adc)
    pilot.start(said.put)
    assert said.get(timeout=PATIENCE) == PilotSaid("B")
    adc.error = OSError("ADC channel 0 does not answer")
    assert said.get(timeout=PATIENCE) == SILENT
    adc.error = None
    assert said.get(timeout=PATIENCE) == PilotSaid("B")
    adc.hangs.clear()
    assert said.get(timeout=PATIENCE) == SILENT
    adc.hangs.set()
    assert said.get(timeout=PATIENCE) == PilotSaid("B")
    pilot.offer(16)
    pilot.close()
    assert not pilot._thread.is_alive()
    assert on_wire(chip) == STEADY
    assert [record.message for record in caplog.records] == ["control pilot: ADC channel 0 does not answer"]
