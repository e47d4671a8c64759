"""Register maps: where in its registers an energy meter has what, as data of a file (docs/meters.md).

Read and judged here with a place for every mistake, and applied: which requests fetch the registers, and what
their words mean. Knows no bus; what is plausible is for `hardware/meter.py` to say.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar

from charger import settings_values as values
from charger.board import ModbusBus
from charger.folders import shipped
from charger.settings_reader import Reader, Section
from charger.statechart.findings import Finding, Mark, nearest, tidy
from charger.statechart.source import Mapping as MappingNode
from charger.statechart.source import Node, Scalar, read_file
from charger.statechart.source import Sequence as SequenceNode

TYPES: Final[Mapping[str, str]] = {
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
}
"""Type → its letter in `struct`."""
UNITS: Final[Mapping[str, Mapping[str, float]]] = {
    "energy": {"Wh": 1.0, "kWh": 1000.0, "MWh": 1_000_000.0},
    "power": {"W": 1.0, "kW": 1000.0},
    "currents": {"A": 1.0, "mA": 0.001},
    "voltages": {"V": 1.0, "mV": 0.001},
}
"""Quantity → its units, and how much of Wh, W, A or V each is."""
PARITIES: Final[Mapping[str, Literal["N", "E", "O"]]] = {"none": "N", "even": "E", "odd": "O"}
PER_PHASE: Final = ("currents", "voltages")
NEEDED: Final = {"energy": "{address: 0x0048, unit: kWh}", "power": "{address: 0x0034, unit: W}"}
MOST: Final = 125
"""Registers that one request can ask for (Modbus Application Protocol 1.1b3 §6.3)."""
KEYS: Final = ("meter", "phases", "max_current", "factory", "registers_per_request", "registers")
KEYS_OF_FACTORY: Final = ("baud", "parity", "stop_bits")
KEYS_OF_LAYOUT: Final = ("function", "type", "word_order")
"""Those that stand at the top for all registers, and at one of them for this one."""
KEYS_OF_REGISTER: Final = ("address", "unit", "scale", *KEYS_OF_LAYOUT)

_HEXADECIMAL = re.compile(r"0x[0-9A-Fa-f]{1,4}\Z")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Register:
    """One number of the meter, in one register or several."""

    quantity: str
    """A key of `UNITS`."""
    phase: int
    """1 to 3; 0: of all phases together."""
    function: int
    """3: holding registers, 4: input registers."""
    address: int
    """Of the first, as on the wire, from 0."""
    type: str
    """A key of `TYPES`."""
    high_first: bool
    """Whether the first register holds the most significant word."""
    factor: float
    """Wh, W, A or V of 1."""

    @property
    def count(self) -> int:
        """How many registers it is in."""
        return struct.calcsize(TYPES[self.type]) // 2

    def value(self, words: Sequence[int]) -> float | None:
        """The number in Wh, W, A or V; None when the meter says that it has none.

        It says so by NaN, and by the largest and the smallest of integers (ABB: FFFF…, signed 7FFF…).
        """
        letter = TYPES[self.type]
        data = struct.pack(f">{len(words)}H", *(words if self.high_first else reversed(words)))
        (raw,) = struct.unpack(f">{letter}", data)
        if letter in "fd":
            return raw * self.factor if math.isfinite(raw) else None
        bits = 8 * len(data)
        extremes = (2**bits - 1,) if letter.isupper() else (2 ** (bits - 1) - 1, -(2 ** (bits - 1)))
        return None if raw in extremes else raw * self.factor


@dataclass(frozen=True, slots=True)
class Request:
    """Registers that are fetched together."""

    function: int
    address: int
    count: int
    registers: tuple[Register, ...]

    def values(self, words: Sequence[int]) -> dict[tuple[str, int], float | None]:
        """What the words of the answer say: quantity and phase → value."""
        found = {}
        for register in self.registers:
            start = register.address - self.address
            found[register.quantity, register.phase] = register.value(words[start : start + register.count])
        return found


@dataclass(frozen=True, slots=True)
class MeterMap:
    """One kind of meter."""

    meter: str
    """Make and model."""
    phases: int
    max_current: float
    """A per phase that it measures at most."""
    factory: ModbusBus | None
    """The line that it is set to when it is new; None: not known."""
    registers_per_request: int
    registers: tuple[Register, ...]

    def requests(self, phases: int) -> tuple[Request, ...]:
        """Those that fetch everything of the first so many phases.

        Only registers without a gap between them go together: many meters refuse to read over one.
        """
        wanted = [register for register in self.registers if register.phase <= phases]
        groups: list[list[Register]] = []
        for register in sorted(wanted, key=lambda register: (register.function, register.address)):
            last = groups[-1] if groups else []
            if (
                last
                and last[0].function == register.function
                and last[-1].address + last[-1].count == register.address
                and register.address + register.count - last[0].address <= self.registers_per_request
            ):
                last.append(register)
            else:
                groups.append([register])
        return tuple(
            Request(
                function=group[0].function,
                address=group[0].address,
                count=group[-1].address + group[-1].count - group[0].address,
                registers=tuple(group),
            )
            for group in groups
        )


# -- reading -----------------------------------------------------------------------------------------------


def shipped_maps() -> list[str]:
    """The names of those that come with the program."""
    return sorted(path.stem for path in shipped("meters").glob("*.yaml"))


def read_map(name: str, folder: Path) -> tuple[MeterMap | None, list[Finding], dict[str, str]]:
    """Read a register map.

    Args:
        name: of one that comes with the program, or a path that ends in ``.yaml``.
        folder: that the path is relative to: the one of station.yaml.

    Returns:
        the map, None if anything is wrong with it; what is wrong in its file; the texts that it is wrong in.

    Raises:
        WrongError: there is no such map: wrong is the place that names it.
    """
    own = name.endswith(".yaml")
    path = folder / name if own else shipped("meters") / f"{name}.yaml"
    if own and not path.is_file():
        raise values.WrongError(f"there is no file {path}", "missing-file")
    if not own and name not in shipped_maps():
        hint = nearest(name, shipped_maps()) or f": there are {', '.join(shipped_maps())}"
        raise values.WrongError(f"no register map '{name}'{hint}; the file of one of your own ends in .yaml")
    source = read_file(path)
    sources = {source.file: source.text}
    if source.root is None and source.findings:
        return None, source.findings, sources
    reader = _MapReader(path, {}, source.findings, sources, "a register map")
    found = reader.map(source.root, Mark(source.file, 1, 1))
    findings = tidy(reader.findings)
    return None if findings else found, findings, sources


class _MapReader(Reader):
    def map(self, root: Node | None, top: Mark) -> MeterMap:
        whole = self.section(root, "", (*KEYS, *KEYS_OF_LAYOUT), top)
        phases = self.need(whole, "phases", values.phases, 1, "3")
        found = MeterMap(
            meter=self.need(whole, "meter", values.text(60), "", "Eastron SDM630"),
            phases=phases,
            max_current=self.need(whole, "max_current", values.number(1, 10_000, "A"), 1.0, "100"),
            factory=self._factory(whole),
            registers_per_request=self.take(whole, "registers_per_request", values.whole(1, MOST), MOST),
            registers=self._registers(whole, phases),
        )
        if not self.findings:
            self._judge(whole, found)
        return found

    def _factory(self, whole: Section) -> ModbusBus | None:
        if "factory" not in whole.nodes:
            return None
        section = self.section(whole.nodes["factory"], "factory", KEYS_OF_FACTORY, whole.mark)
        return ModbusBus(
            baud=self.need(section, "baud", values.whole(300, 1_000_000), 9600, "9600"),
            parity=self.take(section, "parity", _parity, "N"),
            stop_bits=self.take(section, "stop_bits", values.whole(1, 2), 1),
        )

    def _registers(self, whole: Section, phases: int) -> tuple[Register, ...]:
        section = self.section(whole.nodes.get("registers"), "registers", tuple(UNITS), whole.mark)
        for quantity, example in NEEDED.items():
            if quantity not in section.nodes:
                message = (
                    f"the key 'registers.{quantity}' is missing: add for example `{quantity}: {example}`"
                )
                self.report(section.mark, message, "missing-key")
        return tuple(
            register
            for quantity, node in section.nodes.items()
            for register in self._quantity(whole, node, quantity, phases)
        )

    def _quantity(self, whole: Section, node: Node, quantity: str, phases: int) -> list[Register]:
        section = self.section(node, f"registers.{quantity}", KEYS_OF_REGISTER, node.mark)
        units = UNITS[quantity]
        unit = self.need(
            section, "unit", lambda node: values.one_of(node, tuple(units)), "", next(iter(units))
        )
        scale = self.take(section, "scale", _scale, 1.0)
        function = self._layout(whole, section, "function", _function, 4, "4")
        kind = self._layout(whole, section, "type", _type, "float32", "float32")
        order = self._layout(whole, section, "word_order", _word_order, "high", "high")
        nowhere: tuple[int, ...] = ()
        places = self.need(
            section,
            "address",
            lambda node: _addresses(node, quantity, phases),
            nowhere,
            "0x0000" if quantity not in PER_PHASE or phases == 1 else "[0x0000, 0x0002, 0x0004]",
        )
        return [
            Register(
                quantity=quantity,
                phase=number if quantity in PER_PHASE else 0,
                function=function,
                address=address,
                type=kind,
                high_first=order == "high",
                factor=scale * units.get(unit, 1.0),
            )
            for number, address in enumerate(places, start=1)
        ]

    def _layout(
        self, whole: Section, section: Section, key: str, parse: Callable[[Node], T], default: T, example: str
    ) -> T:
        """A key of one quantity, or else of the whole map."""
        if key in section.nodes:
            return self.take(section, key, parse, default)
        if key in whole.nodes or key != "word_order":
            return self.need(whole, key, parse, default, example)
        return default

    def _judge(self, whole: Section, found: MeterMap) -> None:
        """What only all registers together show."""
        node = whole.nodes.get("registers")
        marks = {key.raw: key.mark for key, _ in node.items} if isinstance(node, MappingNode) else {}
        before: Register | None = None
        for register in sorted(found.registers, key=lambda register: (register.function, register.address)):
            mark = marks[register.quantity]
            end = register.address + register.count
            if end > 0x10000:
                self.report(
                    mark,
                    f"{register.quantity}: {register.type} at {register.address:#06x} ends beyond 0xffff",
                )
            if register.count > found.registers_per_request:
                message = f"{register.quantity}: {register.type} is in {register.count} registers"
                self.report(mark, f"{message}, and a request asks for {found.registers_per_request}")
            if (
                before
                and before.function == register.function
                and register.address < before.address + before.count
            ):
                message = (
                    f"{register.quantity}: {register.address:#06x} is a register of {before.quantity} already"
                )
                self.report(mark, f"{message}, whose {before.type} begins at {before.address:#06x}")
            before = register


def _parity(node: Node) -> Literal["N", "E", "O"]:
    return PARITIES[values.one_of(node, tuple(PARITIES))]


def _function(node: Node) -> int:
    if values.whole(0, 255)(node) not in (3, 4):
        raise values.WrongError("3 (holding registers) or 4 (input registers) should stand here")
    return values.whole(3, 4)(node)


def _type(node: Node) -> str:
    return values.one_of(node, tuple(TYPES))


def _word_order(node: Node) -> str:
    return values.one_of(node, ("high", "low"))


def _scale(node: Node) -> float:
    scale = values.number(-1_000_000, 1_000_000, "units")(node)
    if not scale:
        raise values.WrongError("0 would make nothing of everything")
    return scale


def _addresses(node: Node, quantity: str, phases: int) -> tuple[int, ...]:
    """One, or one for each phase."""
    items = node.items if isinstance(node, SequenceNode) else (node,)
    wanted = phases if quantity in PER_PHASE else 1
    if len(items) != wanted:
        which = f"one of each of {phases} phases" if wanted > 1 else "one address"
        raise values.WrongError(f"{len(items)} addresses stand here; {which} should")
    return tuple(_address(item) for item in items)


def _address(node: Node) -> int:
    if isinstance(node, Scalar) and isinstance(node.value, str) and _HEXADECIMAL.match(node.value):
        return int(node.value, 16)
    return values.whole(0, 0xFFFF)(node)
