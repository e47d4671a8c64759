"""What the parts of a board may not be together: pins, fail-safe contacts, buses, readers, the charts' own.

Each rule looks at the board as it was read; a part that could not be read has pin -1 or an empty name, and is
left in peace. Reasons are in the sentences: whoever has wired it otherwise wants to know why.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from charger.board import (
    PI_CHIPS,
    Board,
    Contact,
    KernelPilot,
    ModbusPilot,
    OutletPlan,
    SimulatedPilot,
)
from charger.functions.situation import ConnectorPlan
from charger.meter_map import read_map
from charger.statechart.findings import Finding, Mark, nearest
from charger.statechart.model import ChartSet

PILOTS: Final[Mapping[str, type]] = {
    "simulated": SimulatedPilot,
    "modbus": ModbusPilot,
    "kernel": KernelPilot,
}
"""The word for each kind of control pilot."""
Marks: TypeAlias = Mapping[str, Mark]
"""Where each part stands (``board.connectors.1.lock``)."""
Told: TypeAlias = Iterator[tuple[str, str]]
"""What a rule has to say: the name of a part or of a value, and what is wrong with it."""

UARTS: Final = ("/dev/serial0", "/dev/ttyAMA0", "/dev/ttyS0")
PULLED_UP: Final = range(9)
"""Pins of a Raspberry Pi that have a pull-up from power-on until somebody claims them (BCM2835 6.2)."""
FIXED_PULL: Final = (2, 3)
"""Pins of a Raspberry Pi that have a resistor of 1.8 kΩ to 3.3 V on its board."""


def judge(board: Board, plans: Sequence[ConnectorPlan], marks: Marks) -> list[Finding]:
    """What is wrong with a board.

    Args:
        board: as it was read.
        plans: of the connectors of the station.
        marks: where its parts stand.
    """
    told = [found for rule in _RULES for found in rule(board, marks)]
    told += [found for rule in _RULES_OF_PLANS for found in rule(board, plans)]
    return [Finding(_place(name, marks), "bad-wiring", f"{name}: {message}") for name, message in told]


def check_pins_of_charts(board: Board, charts: ChartSet, marks: Marks) -> list[Finding]:
    """Hold the inputs and outputs that charts/index.yaml declares against those that are wired."""
    findings = []
    parts: dict[str, Board | OutletPlan] = {"board": board}
    parts |= {f"board.connectors.{number}": outlet for number, outlet in _numbered(board)}
    for name, part in parts.items():
        scope = "station" if part is board else "connector"
        for kind, declared, wired in (
            ("inputs", charts.inputs, part.inputs),
            ("outputs", charts.outputs, part.outputs),
        ):
            place = f"{name}.{kind}"
            own = {pin.name for pin in declared.values() if pin.scope == scope}
            for word in own - set(wired):
                message = f"{place}: charts/index.yaml declares '{word}', and it is wired to no pin here"
                findings.append(Finding(_place(place, marks), "missing-pin", message))
            for word in set(wired) - own:
                message = f"{place}.{word}: {_unknown(word, kind[:-1], scope, own, word in declared)}"
                findings.append(Finding(_place(f"{place}.{word}", marks), "unknown-pin", message))
    return findings


def _unknown(word: str, kind: str, scope: str, own: Collection[str], elsewhere: bool) -> str:
    if elsewhere and scope == "station":
        return f"charts/index.yaml declares this {kind} for every connector: move it to `board.connectors`"
    if elsewhere:
        return f"charts/index.yaml declares this {kind} for the station: move it to `board`"
    known = f": there are {', '.join(sorted(own))}" if own else ""
    return f"charts/index.yaml declares no such {kind}{nearest(word, own) or known}"


def _place(name: str, marks: Marks) -> Mark:
    """Where a part stands, or else what it is part of."""
    while name not in marks:
        name = name.rpartition(".")[0]
    return marks[name]


def _on_a_pi(board: Board) -> bool:
    return not board.chip or board.chip in PI_CHIPS


def _numbered(board: Board) -> list[tuple[int, OutletPlan]]:
    return list(enumerate(board.outlets, start=1))


# -- pins --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Wire:
    """The use of one pin."""

    name: str
    pin: int
    kind: Literal["contact", "driver", "output"]
    """A driver moves something that must not move by itself."""
    contact: Contact | None = None
    hides: str = ""
    """What nobody would notice behind a broken wire, if its contact were normally open."""


def _wires(board: Board) -> list[_Wire]:
    found = [
        *_contact("board.emergency_stop", board.emergency_stop, "a pressed button"),
        *_contact("board.door", board.door, "an open door"),
        *_outputs("board", life=board.life, buzzer=board.buzzer),
        *_pins("board", board.inputs, board.outputs),
    ]
    for number, outlet in _numbered(board):
        name = f"board.connectors.{number}"
        found.append(_Wire(f"{name}.contactor", outlet.contactor, "driver"))
        found += _contact(f"{name}.mirror", outlet.mirror, "a welded contactor")
        if outlet.lock:
            found.append(_Wire(f"{name}.lock.engage", outlet.lock.engage, "driver"))
            found.append(_Wire(f"{name}.lock.release", outlet.lock.release, "driver"))
            found += _contact(f"{name}.lock.feedback", outlet.lock.feedback)
        if outlet.residual_current:
            guard = outlet.residual_current
            found += _contact(f"{name}.residual_current.contact", guard.contact, "a residual current")
            found += _outputs(f"{name}.residual_current", test=guard.test)
        if outlet.light:
            light = outlet.light
            found += _outputs(f"{name}.light", red=light.red, green=light.green, blue=light.blue)
        found += _pins(name, outlet.inputs, outlet.outputs)
    return [wire for wire in found if wire.pin >= 0]


def _contact(name: str, contact: Contact | None, hides: str = "") -> list[_Wire]:
    return [_Wire(name, contact.pin, "contact", contact, hides)] if contact else []


def _outputs(place: str, **pins: int | None) -> list[_Wire]:
    return [_Wire(f"{place}.{name}", pin, "output") for name, pin in pins.items() if pin is not None]


def _pins(place: str, inputs: Mapping[str, Contact], outputs: Mapping[str, int]) -> list[_Wire]:
    found = [wire for name, pin in inputs.items() for wire in _contact(f"{place}.inputs.{name}", pin)]
    return found + _outputs(f"{place}.outputs", **outputs)


def _a_pin_has_one_use(board: Board, marks: Marks) -> Told:
    # In the order of the file, so that the second one is the one that is told.
    wires = sorted(_wires(board), key=lambda wire: _place(wire.name, marks))
    yield from _twice(((wire.name, wire.pin) for wire in wires), marks, "GPIO {}")


def _twice(uses: Iterator[tuple[str, object]], marks: Marks, what: str) -> Told:
    """Whatever may be used once only, and is used again."""
    first: dict[object, str] = {}
    for name, thing in uses:
        if thing in first:
            mark = _place(first[thing], marks)
            place = f"line {mark.line}, column {mark.column}"
            yield name, f"{what.format(thing)} is {first[thing]} already ({place})"
        else:
            first[thing] = name


def _pins_are_free(board: Board, _marks: Marks) -> Told:
    """A pin that something else of the Pi needs."""
    if not _on_a_pi(board):
        return
    reserved: dict[int, str] = dict.fromkeys((0, 1), "the EEPROM that tells the Pi what is plugged on it")
    for name, path in _devices(board):
        if path in UARTS:
            reserved |= dict.fromkeys((14, 15), f"the serial line of {name}, {path}")
    for number, outlet in _numbered(board):
        if isinstance(outlet.pilot, KernelPilot):
            name = f"board.connectors.{number}.pilot"
            reserved |= dict.fromkeys(range(7, 12), f"the SPI bus, on which the ADC of {name} is")
            reserved |= dict.fromkeys((12, 13, 18, 19), f"the PWM of {name}")
    if board.temperature:
        reserved[4] = "the one-wire bus, on which board.temperature is"
    for wire in _wires(board):
        if wire.pin in reserved:
            yield wire.name, f"GPIO {wire.pin} is for {reserved[wire.pin]}: take another one"


def _nothing_moves_at_power_on(board: Board, _marks: Marks) -> Told:
    if not _on_a_pi(board):
        return
    for wire in _wires(board):
        if wire.kind == "driver" and wire.pin in PULLED_UP:
            why = "is pulled up from power-on until it is claimed, so what it drives may switch on by itself"
            yield wire.name, f"GPIO {wire.pin} {why}: take one of GPIO 9 to 27, which are pulled down"
        if wire.contact and wire.contact.pull != "up" and wire.pin in FIXED_PULL:
            why = "has a resistor to 3.3 V on the Pi's board"
            yield f"{wire.name}.pull", f"GPIO {wire.pin} {why}: write `pull: up`, with the contact to ground"


def _a_broken_wire_is_noticed(board: Board, _marks: Marks) -> Told:
    for wire in _wires(board):
        if wire.hides and wire.contact and wire.contact.normally == "open":
            why = f"with a broken wire nobody would notice {wire.hides}"
            yield (
                f"{wire.name}.normally",
                f"open is refused here: {why}; take a contact that is normally closed",
            )
    for number, outlet in _numbered(board):
        if outlet.lock and outlet.lock.feedback and outlet.lock.feedback.normally == "closed":
            why = "with a broken wire a plug that is free would count as locked"
            remedy = "take a contact that closes when the bolt is in, and write `normally: open`"
            yield f"board.connectors.{number}.lock.feedback", f"{why}: {remedy}"


# -- buses and devices -------------------------------------------------------------------------------------


def _devices(board: Board) -> list[tuple[str, str]]:
    found = [(f"board.buses.{name}", bus.port) for name, bus in board.buses.items()]
    found += [(f"board.readers.{number}", one.device) for number, one in enumerate(board.readers, start=1)]
    return [(name, path) for name, path in found if path]


def _a_device_has_one_use(board: Board, marks: Marks) -> Told:
    yield from _twice(iter(_devices(board)), marks, "{}")
    hosts = ((name, f"{bus.host}:{bus.tcp_port}") for name, bus in board.buses.items() if bus.host)
    yield from _twice(((f"board.buses.{name}", where) for name, where in hosts), marks, "{}")


def _a_bus_is_a_line_or_a_gateway(board: Board, marks: Marks) -> Told:
    for name, bus in board.buses.items():
        place = f"board.buses.{name}"
        if bool(bus.port) == bool(bus.host) and not (f"{place}.port" in marks and not bus.port):
            yield place, "write either `port`, a serial line, or `host`, a gateway on the network"


def _on_buses(board: Board) -> list[tuple[str, str, int]]:
    """Name, bus and unit of what is on one."""
    found = []
    for number, outlet in _numbered(board):
        for key, part in (("pilot", outlet.pilot), ("meter", outlet.meter)):
            if part is not None and not isinstance(part, SimulatedPilot | KernelPilot):
                found.append((f"board.connectors.{number}.{key}", part.bus, part.unit))
    return found


def _a_bus_is_declared(board: Board, _marks: Marks) -> Told:
    for name, bus, _ in _on_buses(board):
        if bus and bus not in board.buses:
            known = f": there are {', '.join(board.buses)}" if board.buses else ": declare it below `buses`"
            yield f"{name}.bus", f"there is no bus '{bus}'{nearest(bus, board.buses) or known}"


def _a_unit_is_one_device(board: Board, marks: Marks) -> Told:
    units = ((f"{name}.unit", (unit, bus)) for name, bus, unit in _on_buses(board) if unit)
    yield from _twice(((name, f"unit {unit} of {bus}") for name, (unit, bus) in units), marks, "{}")


def _a_channel_has_one_use(board: Board, marks: Marks) -> Told:
    pilots = [
        (f"board.connectors.{number}.pilot", outlet.pilot)
        for number, outlet in _numbered(board)
        if isinstance(outlet.pilot, KernelPilot)
    ]
    pwm = ((f"{name}.channel", f"channel {pilot.channel} of pwmchip{pilot.chip}") for name, pilot in pilots)
    yield from _twice(pwm, marks, "{}")
    adc = (
        (f"{name}.{key}", f"channel {channel} of ADC {pilot.adc}")
        for name, pilot in pilots
        for key, channel in (("high", pilot.high), ("low", pilot.low), ("proximity", pilot.proximity))
        if channel is not None and not (key == "low" and channel == pilot.high)  # where nothing is held
    )
    yield from _twice(adc, marks, "{}")


# -- against the connectors of the station -----------------------------------------------------------------


def _every_connector_is_wired(board: Board, plans: Sequence[ConnectorPlan]) -> Told:
    if len(board.outlets) != len(plans):
        wired = f"{len(board.outlets)} {'is' if len(board.outlets) == 1 else 'are'} wired here"
        yield "board.connectors", f"{wired}, and `connectors` has {len(plans)}"


def _sockets_lock(board: Board, plans: Sequence[ConnectorPlan]) -> Told:
    for (number, outlet), of_station in zip(_numbered(board), plans, strict=False):
        name = f"board.connectors.{number}"
        if of_station.fixed and outlet.lock:
            yield f"{name}.lock", f"connector {number} has a fixed cable, and so no lock: remove it"
        if not of_station.fixed and not outlet.lock:
            why = "a socket needs a lock, since a plug must not be pulled under load"
            yield name, f"{why}: add `lock`, or write `cable: fixed` below `connectors`"


def _meters_have_every_phase(board: Board, plans: Sequence[ConnectorPlan]) -> Told:
    for (number, outlet), of_station in zip(_numbered(board), plans, strict=False):
        meter = read_map(outlet.meter.map, board.folder)[0] if outlet.meter and outlet.meter.map else None
        if meter and meter.phases < of_station.phases:
            says = f"{meter.meter} measures one phase, and the connector has {of_station.phases}"
            yield f"board.connectors.{number}.meter.map", says


def _plugs_are_seen(board: Board, plans: Sequence[ConnectorPlan]) -> Told:
    for (number, outlet), of_station in zip(_numbered(board), plans, strict=False):
        if not isinstance(outlet.pilot, KernelPilot):
            continue
        name = f"board.connectors.{number}.pilot"
        seen = outlet.pilot.proximity is not None
        if of_station.fixed and seen:
            yield f"{name}.proximity", "a fixed cable has no proximity contact here: remove the line"
        if not of_station.fixed and not seen:
            why = "the plug in a socket is seen by its proximity contact"
            yield name, f"{why}: add `proximity`, a channel of the ADC"


def _readers_serve_connectors(board: Board, plans: Sequence[ConnectorPlan]) -> Told:
    for number, reader in enumerate(board.readers, start=1):
        name, at = f"board.readers.{number}", reader.connector
        if at is None:
            if all(of_station.own_reader for of_station in plans):
                yield name, "every connector has `reader: own`: say whose it is, like `connector: 1`"
        elif at > len(plans):
            yield f"{name}.connector", f"there is no connector {at}; they are numbered 1 to {len(plans)}"
        elif not plans[at - 1].own_reader:
            why = f"connector {at} shares its reader"
            yield f"{name}.connector", f"{why}: write `reader: own` below `connectors`, or remove this line"
    served = {reader.connector for reader in board.readers}
    for at, of_station in enumerate(plans, start=1):
        if of_station.own_reader and not served & {at, None}:
            yield "board.readers", f"connector {at} has `reader: own`, and none of these serves it"


_RULES: Final[tuple[Callable[[Board, Marks], Told], ...]] = (
    _a_pin_has_one_use,
    _pins_are_free,
    _nothing_moves_at_power_on,
    _a_broken_wire_is_noticed,
    _a_device_has_one_use,
    _a_bus_is_a_line_or_a_gateway,
    _a_bus_is_declared,
    _a_unit_is_one_device,
    _a_channel_has_one_use,
)
_RULES_OF_PLANS: Final[tuple[Callable[[Board, Sequence[ConnectorPlan]], Told], ...]] = (
    _every_connector_is_wired,
    _sockets_lock,
    _meters_have_every_phase,
    _plugs_are_seen,
    _readers_serve_connectors,
)
