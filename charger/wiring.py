"""What goes to which pin of the header: a table and a drawing of the board in station.yaml.

For the person with the screwdriver. Says what station.yaml says and what hangs on it electrically; whether it
is right, `charger check` and `charger doctor` say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from charger.board import Board, Contact, KernelPilot, ModbusBus, ModbusPilot, OutletPlan

HEADER: Final[tuple[tuple[str | int, str | int], ...]] = (
    *(("3.3 V", "5 V"), (2, "5 V"), (3, "GND"), (4, 14), ("GND", 15), (17, 18), (27, "GND"), (22, 23)),
    *(("3.3 V", 24), (10, "GND"), (9, 25), (11, 8), ("GND", 7), (0, 1), (5, "GND"), (6, 12), (13, "GND")),
    *((19, 16), (26, 20), ("GND", 21)),
)
"""The 40 places of the header of a Raspberry Pi, two a row: a GPIO (BCM number), or a supply."""
PLACES: Final = {
    name: 2 * row + side + 1
    for row, both in enumerate(HEADER)
    for side, name in enumerate(both)
    if isinstance(name, int)
}
"""GPIO → its place on the header, 1 to 40."""
COIL: Final = "driver of the coil, 10 kΩ to GND: high closes"


@dataclass(frozen=True, slots=True)
class Wire:
    """One GPIO in use."""

    pin: int
    """BCM number."""
    part: str
    output: bool
    how: str
    """What is between the pin and the part."""
    rest: str
    """Level while nothing happens: ``low`` or ``high``."""
    contact: Contact | None = None

    @property
    def place(self) -> str:
        """On the header."""
        return str(PLACES[self.pin]) if self.pin in PLACES else "-"


def wires(board: Board) -> list[Wire]:
    """Every GPIO in use, in the order of the header."""
    found = [*_station(board)]
    for number, outlet in enumerate(board.outlets, start=1):
        found += _outlet(outlet, f" {number}" if len(board.outlets) > 1 else "")
    return sorted(found, key=lambda wire: (PLACES.get(wire.pin, 99), wire.pin))


def _station(board: Board) -> Iterator[Wire]:
    if board.emergency_stop:
        yield _input("emergency stop", board.emergency_stop, "; a second contact in series with the coils")
    if board.door:
        yield _input("door", board.door)
    if board.life is not None:
        yield _output("sign of life", board.life, "monostable that enables the coils")
    if board.buzzer is not None:
        yield _output("buzzer", board.buzzer, "transistor")
    for name, contact in board.inputs.items():
        yield _input(name, contact)
    for name, pin in board.outputs.items():
        yield _output(name, pin, "driver")
    if board.temperature:
        yield Wire(4, "1-wire", output=False, how=f"{board.temperature.sensor}, 4.7 kΩ to 3.3 V", rest="high")


def _outlet(outlet: OutletPlan, which: str) -> Iterator[Wire]:
    yield _output(f"contactor{which}", outlet.contactor, COIL)
    if outlet.mirror:
        yield _input(f"mirror contact{which}", outlet.mirror)
    if outlet.residual_current:
        yield _input(f"residual current{which}", outlet.residual_current.contact)
        if outlet.residual_current.test is not None:
            yield _output(f"residual current test{which}", outlet.residual_current.test, "test input")
    if outlet.lock:
        yield _output(f"lock{which}, engage", outlet.lock.engage, "H-bridge, input 1; 10 kΩ to GND")
        yield _output(f"lock{which}, release", outlet.lock.release, "H-bridge, input 2; 10 kΩ to GND")
        if outlet.lock.feedback:
            yield _input(f"bolt of lock{which}", outlet.lock.feedback)
    if outlet.light:
        for colour in ("red", "green", "blue"):
            yield _output(f"lamp{which}, {colour}", getattr(outlet.light, colour), "transistor")
    for name, contact in outlet.inputs.items():
        yield _input(f"{name}{which}", contact)
    for name, pin in outlet.outputs.items():
        yield _output(f"{name}{which}", pin, "driver")


def _output(part: str, pin: int, how: str) -> Wire:
    return Wire(pin, part, output=True, how=how, rest="low")


def _input(part: str, contact: Contact, more: str = "") -> Wire:
    kind = "NC" if contact.normally == "closed" else "NO"
    where = "3.3 V" if contact.pull == "down" else "GND"
    pull = "resistor to 3.3 V on the board" if contact.pull == "none" else f"pull-{contact.pull}"
    rest = "high" if contact.active_low else "low"
    return Wire(
        contact.pin,
        part,
        output=False,
        how=f"{kind} contact to {where}, {pull}{more}",
        rest=rest,
        contact=contact,
    )


def elsewhere(board: Board) -> list[str]:
    """What is connected otherwise than by a GPIO, a line each."""
    return [
        *(f"bus {name}: {_bus(bus)}" for name, bus in board.buses.items()),
        *(line for number, outlet in enumerate(board.outlets, start=1) for line in _devices(number, outlet)),
        *(
            f"card reader ({reader.type}): {reader.device}"
            + (f", connector {reader.connector}" if reader.connector else "")
            for reader in board.readers
        ),
    ]


def _bus(bus: ModbusBus) -> str:
    return (
        f"{bus.host} port {bus.tcp_port}"
        if bus.host
        else f"{bus.port}, {bus.baud} baud, 8{bus.parity}{bus.stop_bits}"
    )


def _devices(number: int, outlet: OutletPlan) -> Iterator[str]:
    match outlet.pilot:
        case ModbusPilot(bus, unit):
            yield f"control pilot {number}: board on bus {bus}, unit {unit}"
        case KernelPilot(chip=chip, channel=channel, adc=adc):
            yield f"control pilot {number}: PWM {channel} of pwmchip{chip}, MCP3008 on chip select {adc}"
        case _:
            yield f"control pilot {number}: simulated, for trying things without a car"
    if outlet.meter:
        yield f"meter {number}: {outlet.meter.map} on bus {outlet.meter.bus}, unit {outlet.meter.unit}"


# -- as text ---------------------------------------------------------------------------------------------


def as_text(board: Board) -> str:
    """A table for a terminal."""
    rows = [("place", "GPIO", "", "part", "rest", "how")]
    rows += [
        (wire.place, str(wire.pin), "out" if wire.output else "in", wire.part, wire.rest, wire.how)
        for wire in wires(board)
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = ["  ".join([*map(str.ljust, row[:5], widths), row[5]]) for row in rows]
    return "\n".join([*lines, "", *elsewhere(board)]) + "\n"


# -- as a drawing ----------------------------------------------------------------------------------------

_PITCH, _TOP, _WIDTH, _BOX, _MIDDLE = 40, 90, 1180, 400, 590
_LEGEND = (
    "Blue: input. Orange: output, high switches. Red: the coil of a contactor."
    " Below a pin: its level while nothing happens."
)
_STYLE = """
text { font: 13px "DejaVu Sans", Verdana, sans-serif; fill: #1f2933 }
.title { font-size: 18px; font-weight: bold }
.part { font-weight: bold }
.how, .foot { font-size: 11px; fill: #52606d }
.place { font-size: 10px; fill: #7b8794 }
.free { fill: #9aa5b1 }
.in { stroke: #0b69a3; fill: #e3f2fd } .out { stroke: #b44d12; fill: #fff3e6 }
.coil { stroke: #ba2525; fill: #ffe3e3; stroke-width: 2 }
.wire { fill: none; stroke-width: 2 }
"""


def draw(board: Board, title: str) -> str:
    """The header with everything that hangs on it, as an SVG picture. The same board gives the same bytes."""
    by_pin = {wire.pin: wire for wire in wires(board)}
    notes = [
        *elsewhere(board),
        *(
            f"not on the header: GPIO {wire.pin}, {wire.part}: {wire.how}"
            for wire in by_pin.values()
            if wire.pin not in PLACES
        ),
    ]
    height = _TOP + 20 * _PITCH + 40 + 20 * len(notes)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        f'<text class="title" x="20" y="32">{escape(title)}</text>',
        f'<text class="foot" x="20" y="54">{_LEGEND}</text>',
        f'<rect x="{_MIDDLE - 48}" y="{_TOP - 14}" width="96" height="{20 * _PITCH + 8}" fill="#243b53"/>',
    ]
    for row, both in enumerate(HEADER):
        for side, name in enumerate(both):
            parts += _place(row, side, name, by_pin.get(name) if isinstance(name, int) else None)
    bottom = _TOP + 20 * _PITCH + 30
    parts += [
        f'<text x="20" y="{bottom + 20 * number}">{escape(note)}</text>' for number, note in enumerate(notes)
    ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _place(row: int, side: int, name: str | int, wire: Wire | None) -> Iterator[str]:
    y = _TOP + row * _PITCH + _PITCH // 2 - 10
    x = _MIDDLE + (34 if side else -34)
    outside, anchor = (_MIDDLE + 58, "start") if side else (_MIDDLE - 58, "end")
    supply = isinstance(name, str)
    fill = {"GND": "#1f2933", "3.3 V": "#f7c948", "5 V": "#e12d39"}.get(str(name), "#cbd2d9")
    yield f'<circle cx="{x}" cy="{y}" r="8" fill="{fill}" stroke="white"/>'
    yield (
        f'<text class="place" x="{_MIDDLE + (13 if side else -13)}" y="{y + 4}" text-anchor="middle"'
        f' style="fill: white">{2 * row + side + 1}</text>'
    )
    if wire is None:
        label = name if supply else f"GPIO {name}"
        yield f'<text class="free" x="{outside}" y="{y + 4}" text-anchor="{anchor}">{label}</text>'
        return
    kind = "coil" if wire.how == COIL else "out" if wire.output else "in"
    left = _MIDDLE + 168 if side else _MIDDLE - 168 - _BOX
    near = left if side else left + _BOX
    yield f'<path class="wire {kind}" d="M{x + (8 if side else -8)} {y} H{near}"/>'
    yield f'<text x="{outside}" y="{y - 5}" text-anchor="{anchor}">GPIO {name}</text>'
    yield f'<text class="how" x="{outside}" y="{y + 14}" text-anchor="{anchor}">{wire.rest}</text>'
    yield f'<rect class="{kind}" x="{left}" y="{y - 16}" width="{_BOX}" height="32" rx="5"/>'
    yield f'<text class="part" x="{left + 10}" y="{y - 3}">{escape(wire.part)}</text>'
    yield f'<text class="how" x="{left + 10}" y="{y + 11}">{escape(wire.how)}</text>'
