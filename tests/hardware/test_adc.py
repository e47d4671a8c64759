"""The converter: an MCP3008 played below gpiozero, at the SPI."""

import warnings

import pytest
from gpiozero.exc import SPISoftwareFallback

from charger.errors import HardwareError
from charger.hardware.adc import Mcp3008


class Spi:
    """The wire protocol of an MCP3008 (datasheet, section 6.1): start bit, single-ended, channel; 10 bits back."""

    bits_per_word = 8

    def __init__(self, levels):
        self.levels = levels
        self.broken = False
        self.closed = False

    def transfer(self, words):
        if self.broken:
            raise RuntimeError("bad SPI handle")  # what lgpio raises is no OSError
        start, command, _ = words
        assert start == 1
        assert command & 0x80
        value = self.levels[command >> 4 & 7]
        return [0, 0xF8 | value >> 8, value & 0xFF]

    def close(self):
        self.closed = True


class Factory:
    """What gpiozero wants of a pin factory here."""

    def __init__(self, *, error=None, software=False):
        self.error = error
        self.software = software
        self.buses = []
        self.asked = []

    def spi(self, **wanted):
        self.asked.append(wanted)
        if self.error:
            raise self.error
        if self.software:
            warnings.warn(
                SPISoftwareFallback("failed to initialize hardware SPI, falling back to software"),
                stacklevel=2,
            )
        self.buses.append(Spi([0, 1023, 512, 3, 4, 5, 6, 7]))
        return self.buses[-1]

    def release_pins(self, *_args):
        """Nothing is reserved here."""

    reserve_pins = release_pins


def test_a_reading_is_a_part_of_the_reference():
    adc = Mcp3008(1, Factory())
    assert adc.read(0) == 0.0
    assert adc.read(1) == 1.0
    assert adc.read(2) == pytest.approx(0.5, abs=0.001)
    adc.close()


def test_all_channels_share_one_device():
    factory = Factory()
    Mcp3008(1, factory)
    assert {(asked["port"], asked["device"], asked["shared"]) for asked in factory.asked} == {(0, 1, True)}


def test_spi_by_software_is_refused():
    with pytest.raises(
        HardwareError,
        match=r"SPI bus 0, device 0 cannot be opened: .*falling back to software; `dtparam=spi=on`",
    ):
        Mcp3008(0, Factory(software=True))


def test_what_the_chip_says_of_its_spi_is_kept():
    with pytest.raises(HardwareError, match=r"^SPI does not answer$"):
        Mcp3008(0, Factory(error=HardwareError("SPI does not answer")))


def test_a_bus_that_fails_is_an_oserror():
    factory = Factory()
    adc = Mcp3008(0, factory)
    factory.buses[3].broken = True
    with pytest.raises(OSError, match="ADC channel 3 does not answer: bad SPI handle"):
        adc.read(3)
    assert adc.read(1) == 1.0


def test_at_the_end_the_bus_is_let_go():
    factory = Factory()
    Mcp3008(0, factory).close()
    assert all(bus.closed for bus in factory.buses)
