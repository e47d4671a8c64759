"""An analogue-to-digital converter: the port `Adc`, and an MCP3008 on the SPI of the GPIO header.

10 bits, and about 0.1 ms a reading. Knows nothing of what is measured. What an input sees is a part of the
reference, which is the 3.3 V that the dividers of docs/hardware.md hang on as well.
"""

from __future__ import annotations

import warnings
from threading import Lock
from typing import Any, Final, Protocol

from gpiozero import MCP3008
from gpiozero.exc import SPISoftwareFallback

from charger.errors import HardwareError


class Adc(Protocol):
    """A converter with several inputs."""

    def read(self, channel: int) -> float:
        """Measure now, as a part of the reference, 0 to 1. Any thread.

        Raises:
            OSError: it does not answer.
        """

    def close(self) -> None:
        """Let go."""


class Mcp3008:
    """An MCP3008 on SPI bus 0. It cannot be told from a missing one, which reads as zeros or ones."""

    CHANNELS: Final = range(8)

    def __init__(self, select: int, factory: Any) -> None:
        """Open it.

        Args:
            select: the chip select that it is on, 0 or 1.
            factory: the pin factory of gpiozero.

        Raises:
            HardwareError: there is no SPI by hardware; by software it would be too slow to see a pulse.
        """
        self._lock = Lock()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", SPISoftwareFallback)
                self._inputs = [
                    MCP3008(channel, port=0, device=select, pin_factory=factory) for channel in self.CHANNELS
                ]
        except HardwareError:
            raise
        except Exception as error:
            remedy = "`dtparam=spi=on` in config.txt switches it on"
            raise HardwareError(f"SPI bus 0, device {select} cannot be opened: {error}; {remedy}") from error

    def read(self, channel: int) -> float:
        """Measure now."""
        try:
            with self._lock:
                return float(self._inputs[channel].raw_value) / 1023
        except Exception as error:
            # Those of lgpio have no class in common with anything.
            raise OSError(f"ADC channel {channel} does not answer: {error}") from error

    def close(self) -> None:
        """Let go of the bus."""
        with self._lock:
            for device in self._inputs:
                device.close()
