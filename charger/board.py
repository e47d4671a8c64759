"""What station.yaml says of a real board: which pin, bus and device is what. Frozen data; knows no hardware.

Pins are BCM numbers, which are the line offsets of the chip. `settings_board.py` reads and judges it,
`charger/hardware/` builds from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

PI_CHIPS: Final = ("pinctrl-bcm2711", "pinctrl-bcm2835", "pinctrl-rp1")
"""Labels of the GPIO chip of a Raspberry Pi: 4; up to 3 and Zero; 5. Lines 0 to 27 are on the header."""


@dataclass(frozen=True, slots=True)
class Contact:
    """An input: a contact between the pin and ground (`pull` up) or 3.3 V (`pull` down)."""

    pin: int
    normally: Literal["closed", "open"] = "closed"
    """What the contact is while nothing happens. Closed is fail-safe: a broken wire reads as active."""
    pull: Literal["up", "down", "none"] = "up"
    """Of the chip; ``none``: there is a resistor on the board, to 3.3 V."""

    @property
    def active_low(self) -> bool:
        """Whether the pin is low while the contact is other than it is normally."""
        return (self.pull == "down") is (self.normally == "closed")


@dataclass(frozen=True, slots=True)
class ModbusBus:
    """A serial line, or a gateway on the network. Exactly one of `port` and `host` is set."""

    port: str = ""
    """A serial device such as ``/dev/ttyUSB0``; a path under ``/dev/serial/by-id`` survives replugging."""
    baud: int = 9600
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: int = 1
    host: str = ""
    tcp_port: int = 502


@dataclass(frozen=True, slots=True)
class MeterPlan:
    """An energy meter on a bus."""

    map: str
    """The name of a register map of ours, or a path from station.yaml to one of one's own (``….yaml``)."""
    bus: str
    unit: int
    """1 to 247."""
    period: float = 1.0
    """s between two reads."""


@dataclass(frozen=True, slots=True)
class SimulatedPilot:
    """No car, no wire: what the car does comes from the page, as with simulated hardware."""


@dataclass(frozen=True, slots=True)
class ModbusPilot:
    """An EVSE board with the register map of docs/hardware.md."""

    bus: str
    unit: int


DIVIDER: Final = (14.3, -15.0)
"""100 kΩ from the pilot, 22 kΩ to 3.3 V, 30 kΩ to ground: see `KernelPilot.divider`, and docs/hardware.md."""


@dataclass(frozen=True, slots=True)
class KernelPilot:
    """The processor's own PWM, and an ADC that sees the pilot and the proximity contact."""

    chip: int
    """Of /sys/class/pwm/pwmchipN."""
    channel: int
    adc: int
    """Chip select of an MCP3008 on SPI bus 0: 0 or 1."""
    high: int
    """ADC channel of the pilot, or of its positive peak if the board holds it."""
    low: int
    """ADC channel of the negative peak; the same one where nothing is held."""
    proximity: int | None = None
    """ADC channel of the proximity contact; None with a fixed cable."""
    divider: tuple[float, float] = DIVIDER
    """Volts of the pilot at the full scale and at the zero of the ADC."""


PilotPlan = SimulatedPilot | ModbusPilot | KernelPilot


@dataclass(frozen=True, slots=True)
class LockPlan:
    """A motor that turns one way or the other, and a switch that says where the bolt is."""

    engage: int
    """Pin that drives the bolt in."""
    release: int
    feedback: Contact | None = None
    """Active while the bolt is in. None: there is no switch, so the pulse is believed."""
    pulse: float = 0.5
    """s of current, 0.1 to 2."""


@dataclass(frozen=True, slots=True)
class ResidualCurrentPlan:
    """A residual-current monitor (6 mA DC, IEC 62955)."""

    contact: Contact
    test: int | None = None
    """Pin that asks for its self-test; None: it has none."""


@dataclass(frozen=True, slots=True)
class LightPlan:
    """An RGB lamp, each colour a pin."""

    red: int
    green: int
    blue: int


@dataclass(frozen=True, slots=True)
class ReaderPlan:
    """A card reader."""

    type: Literal["keyboard", "pn532"]
    device: str
    """``/dev/input/by-id/…-event-kbd``, or a serial device."""
    connector: int | None = None
    """The one that it serves; None: all."""
    id_tag: str = ""
    """A template of `charger.functions.tags`; empty: the usual one of the type."""


@dataclass(frozen=True, slots=True)
class TemperaturePlan:
    """A one-wire sensor (DS18B20)."""

    sensor: str
    """As under /sys/bus/w1/devices: ``28-…``."""


@dataclass(frozen=True, slots=True)
class OutletPlan:
    """The wires of one connector."""

    contactor: int
    """Pin of the coil's driver: high closes. Pulled down on the board."""
    mirror: Contact | None
    """The mirror contact (IEC 60947-4-1 annex F), closed while the contactor is open. None: there is none."""
    pilot: PilotPlan
    meter: MeterPlan | None = None
    lock: LockPlan | None = None
    """None with a fixed cable."""
    residual_current: ResidualCurrentPlan | None = None
    light: LightPlan | None = None
    inputs: Mapping[str, Contact] = field(default_factory=dict)
    """Those that charts/index.yaml declares for every connector."""
    outputs: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Board:
    """A whole board."""

    outlets: tuple[OutletPlan, ...]
    """One per connector, from 1."""
    chip: str = ""
    """Label of the GPIO chip; empty: the one of a Raspberry Pi."""
    patience: float = 2.0
    """s without a sign of life from the core after which the guard opens, 0.5 to 10."""
    life: int | None = None
    """Pin that is toggled while all is well, for a monostable that cuts the coils."""
    emergency_stop: Contact | None = None
    door: Contact | None = None
    temperature: TemperaturePlan | None = None
    buzzer: int | None = None
    buses: Mapping[str, ModbusBus] = field(default_factory=dict)
    readers: tuple[ReaderPlan, ...] = ()
    inputs: Mapping[str, Contact] = field(default_factory=dict)
    """Those that charts/index.yaml declares for the station."""
    outputs: Mapping[str, int] = field(default_factory=dict)
    folder: Path = field(default_factory=Path)
    """Of station.yaml, where register maps of one's own may lie."""
