"""A control pilot made by the processor's own PWM (kernel, sysfs), and seen through an ADC.

The PWM is as exact as the processor's crystal, and goes on whatever this program does. What the wire says is
sampled on a thread of its own, in bursts at no particular phase, of which the upper and the lower level are
taken (`pilot.peaks`). A burst of MCP3008 readings takes about 13 ms; with the debouncing of `pilot.Sight` the
car's leaving of state C is reported after 40 to 90 ms. A system that is not real-time does not warrant that;
a pilot board does (docs/hardware.md).

Not tried: a real PWM, a real ADC, a real car.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from random import random
from statistics import median
from threading import Event, Lock, Thread
from typing import Final

from charger.board import KernelPilot as KernelPilotPlan
from charger.errors import HardwareError
from charger.hardware.adc import Adc
from charger.hardware.parts import PilotSaid, Wrong
from charger.hardware.pilot import Cable, Lasting, Peaks, Sight, cable, ohms, peaks, ticks
from charger.hardware.pilot_voice import PilotVoice

PERIOD: Final = 0.025
"""s between two looks."""
PATIENCE: Final = 0.25
"""s without a look before the wire counts as silent."""
CYCLE: Final = 1_000_000
"""ns: 1 kHz."""
GROUPS: Final = 8
READINGS: Final = 10
"""Readings in a group, one after the other: a cycle or so."""
PAUSE: Final = 0.001
"""s between two groups at most. It is left to chance: at a pace of its own, say five readings a cycle, a
burst would see the same phases again and again, and never a short half between them."""

_log = logging.getLogger(__name__)


class Pwm:
    """One channel of a PWM chip in sysfs, with the period of a control pilot."""

    def __init__(
        self,
        chip: int,
        channel: int,
        root: Path = Path("/sys/class/pwm"),
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        """Take the channel, and put steady +12 V on it.

        A channel that has been running since the last start of the program keeps running.

        Args:
            chip: of pwmchipN.
            channel: of the chip.
            root: where the chips are.
            wait: s; udev takes a moment to hand a new channel over.

        Raises:
            HardwareError: it cannot be had; the sentence says why.
        """
        home = root / f"pwmchip{chip}"
        self._folder = home / f"pwm{channel}"
        place = f"PWM chip {chip}, channel {channel}"
        if not home.is_dir():
            there = ", ".join(sorted(path.name for path in root.glob("pwmchip*"))) or "none"
            remedy = "`dtoverlay=pwm-2chan` in config.txt gives one"
            raise HardwareError(f"{place}: there is no {home}; there is {there}; {remedy}")
        try:
            if not self._folder.is_dir():
                (home / "export").write_text(str(channel), "ascii")
            self._prepare_patiently(wait)
        except OSError as error:
            why = error.strerror or str(error)
            raise HardwareError(f"{place}: {why} ({error.filename}); see docs/hardware.md, PWM") from error

    def _prepare_patiently(self, wait: Callable[[float], object]) -> None:
        for _ in range(20):
            try:
                self._prepare()
            except (PermissionError, FileNotFoundError):
                wait(0.1)
            else:
                return
        self._prepare()

    def _prepare(self) -> None:
        if self._read("period") != str(CYCLE):
            self._write("duty_cycle", 0)  # a period shorter than that is refused
            self._write("period", CYCLE)
        if self._read("polarity") != "normal":  # refused while it runs
            self._write("enable", 0)
            self._write("polarity", "normal")
        self.set(CYCLE)
        self._write("enable", 1)

    def set(self, nanoseconds: int) -> None:
        """How long the wire is at +12 V in each period.

        Raises:
            OSError: the kernel refuses.
        """
        self._write("duty_cycle", nanoseconds)

    def _read(self, name: str) -> str:
        return (self._folder / name).read_text("ascii").strip()

    def _write(self, name: str, value: object) -> None:
        (self._folder / name).write_text(str(value), "ascii")


class KernelPilot:
    """The contract `parts.Pilot`."""

    def __init__(
        self,
        plan: KernelPilotPlan,
        pwm: Pwm,
        adc: Adc,
        *,
        now: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        """Nothing is sampled before `start`.

        Args:
            plan: which inputs of the ADC, and what they see.
            pwm: at steady +12 V.
            adc: may serve others too; closed by whoever made it.
            now: monotonic s.
            wait: s.
        """
        self._plan = plan
        self._pwm = pwm
        self._adc = adc
        self._now = now
        self._wait = wait
        self._voice = PilotVoice(PATIENCE, now)
        self._sight = Sight()
        self._cable: Lasting[Cable] = Lasting("none")
        self._lock = Lock()
        self._wanted = CYCLE
        """ns at +12 V."""
        self._driven: int | None = CYCLE
        """What the PWM was told; None when that failed."""
        self._changes = 0
        self._failing = False
        self._end = Event()
        self._thread = Thread(target=self._run, name="pilot", daemon=True)

    def start(self, said: Callable[[PilotSaid], None]) -> None:
        """Report what the wire says, every change of it, and its silence, on the thread that samples."""
        self._voice.start(said)
        self._thread.start()

    def offer(self, amps: float | None) -> None:
        """Put so many A on the wire. What the kernel refuses is tried again at every look, and is silence."""
        with self._lock:
            self._wanted = ticks(amps, CYCLE)
            try:
                self._drive()
            except OSError as error:
                self._complain(error)

    def close(self) -> None:
        """Steady +12 V, which the kernel keeps there."""
        self._voice.close()
        self._end.set()
        self.offer(0)
        if self._thread.is_alive():
            self._thread.join(
                PATIENCE
            )  # whoever closes the ADC then finds nobody reading; if it hangs, so be it

    def look(self) -> None:
        """Sample the wire once, and report what is believed. For the thread, and for tests.

        Raises:
            OSError: PWM or ADC do not answer.
        """
        with self._lock:
            if self._driven != self._wanted:
                self._drive()
            changes, driven = self._changes, self._wanted
        wire = self._sample()
        plug = self._proximity()
        with self._lock:
            if changes != self._changes:
                return  # half of it was seen under another duty cycle
        now = self._now()
        self._sight.see(wire, now, pulses=0 < driven < CYCLE)
        held = self._cable.see(plug, now)
        if held == "none" and self._sight.state == "F" and self._plan.proximity is not None:
            self._sight.diode = True  # the car without one has gone, and nothing else shows that in F
        if self._sight.state is None:
            return
        amps = held if isinstance(held, float) else None
        wrong: Wrong = "diode" if not self._sight.diode else "cable" if held == "wrong" else ""
        self._voice.hear(PilotSaid(self._sight.state, amps, wrong))

    def _drive(self) -> None:
        self._changes += 1
        self._driven = None
        self._pwm.set(self._wanted)
        self._driven = self._wanted

    def _sample(self) -> Peaks:
        high = peaks(self._burst(self._plan.high))
        if self._plan.low == self._plan.high:
            return high
        return Peaks(high.high, peaks(self._burst(self._plan.low)).low)

    def _burst(self, channel: int) -> list[float]:
        full, zero = self._plan.divider
        found: list[float] = []
        for _ in range(GROUPS):
            found += [zero + self._adc.read(channel) * (full - zero) for _ in range(READINGS)]
            self._wait(random() * PAUSE)  # noqa: S311 - nobody has an interest in guessing it
        return found

    def _proximity(self) -> Cable:
        channel = self._plan.proximity
        return "none" if channel is None else cable(ohms(median(self._adc.read(channel) for _ in range(3))))

    def _run(self) -> None:
        due = self._now()
        while not self._end.wait(max(0.0, due - self._now())):
            due = max(due + PERIOD, self._now())
            try:
                self.look()
                self._failing = False
            except OSError as error:
                self._complain(error)

    def _complain(self, error: OSError) -> None:
        if not self._failing:
            self._failing = True
            _log.warning("control pilot: %s", error)
