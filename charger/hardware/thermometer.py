"""A one-wire thermometer (DS18B20), as the kernel's driver w1_therm shows it.

The sensor measures when its file is read, which takes 750 ms: so that is done on a thread. Knows nothing of
what is too hot.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Final

from charger.board import TemperaturePlan

DEVICES: Final = Path("/sys/bus/w1/devices")
PERIOD: Final = 5.0
"""s between two readings."""
STEP: Final = 0.5
"""K that is a change worth reporting."""
MISSES: Final = 3
"""Readings in a row that give nothing until the sensor does not answer: one is a disturbed wire."""
COLDEST, HOTTEST = -55.0, 125.0
POWER_UP: Final = 85.0
"""What the sensor's memory holds until it has measured: after a power cut, and on a bad supply always."""
NEAR: Final = 10.0
"""K around `POWER_UP` in which a reading before it makes it a temperature."""

_log = logging.getLogger(__name__)

Said = Callable[[float | None], None]


class OneWireThermometer:
    """The part `charger.hardware.parts.Thermometer`."""

    def __init__(self, plan: TemperaturePlan, devices: Path = DEVICES, period: float = PERIOD) -> None:
        """Read nothing yet.

        Args:
            plan: which sensor.
            devices: the folder of the kernel, with a folder for every sensor.
            period: s between two readings.
        """
        self._file = devices / plan.sensor / "temperature"
        self._period = period
        self._lock = Lock()
        self._end = Event()
        self._reported: float | None = None
        self._seen: float | None = None
        self._misses = 0

    def start(self, said: Said) -> None:
        """Report on a thread of its own."""
        Thread(
            target=self._run, args=(said,), name=f"thermometer {self._file.parent.name}", daemon=True
        ).start()

    def close(self) -> None:
        """Report nothing from now on; a reading that is under way ends by itself."""
        with self._lock:
            self._end.set()

    def _run(self, said: Said) -> None:
        while not self._end.is_set():
            try:
                celsius = self._read()
            except (OSError, ValueError) as error:
                report = self._missed(error)
            else:
                report = self._measured(celsius)
            with self._lock:
                if report and not self._end.is_set():
                    said(self._reported)
            self._end.wait(self._period)

    def _read(self) -> float:
        celsius = int(self._file.read_text("ascii")) / 1000
        if not COLDEST <= celsius <= HOTTEST:
            raise ValueError(f"{celsius:g} °C is beyond what the sensor can measure")
        if celsius == POWER_UP and (self._seen is None or abs(self._seen - POWER_UP) > NEAR):
            raise ValueError(f"{celsius:g} °C is what the sensor says before it has measured")
        return celsius

    def _measured(self, celsius: float) -> bool:
        if self._misses >= MISSES:
            _log.warning("%s: answers again", self._file)
        self._seen, self._misses = celsius, 0
        if self._reported is not None and abs(celsius - self._reported) < STEP:
            return False
        self._reported = celsius
        return True

    def _missed(self, error: Exception) -> bool:
        self._misses += 1
        if self._misses != MISSES:
            return False
        _log.warning("%s: does not answer: %s", self._file, error)
        self._reported = None
        return True
