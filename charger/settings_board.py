"""The section `board` of station.yaml: read, and shown again as it is understood.

The keys are the field names of `charger.board`; only its outlets are called `connectors`, as elsewhere.
What the parts may look like together is judged by `settings_board_rules.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Final, TypeVar

from charger import board as plan
from charger import settings_values as values
from charger.functions import tags
from charger.functions.situation import ConnectorPlan
from charger.meter_map import read_map
from charger.settings_board_rules import PILOTS, judge
from charger.settings_reader import Reader, Section
from charger.statechart.findings import Mark
from charger.statechart.source import Mapping as MappingNode
from charger.statechart.source import Node, Scalar
from charger.statechart.source import Sequence as SequenceNode

T = TypeVar("T")

NOWHERE: Final = -1
"""The pin of what has none, or a wrong one: that was told when it was read."""
BAUDS: Final = ("1200", "2400", "4800", "9600", "19200", "38400", "57600", "115200")


def read_board(
    reader: Reader, node: Node, plans: Sequence[ConnectorPlan]
) -> tuple[plan.Board, dict[str, Mark]]:
    """Read and judge the section.

    Args:
        reader: takes what is wrong, and where values come from.
        node: the value of the key `board`.
        plans: of the connectors of the station.

    Returns:
        the board, and where each of its parts stands (``board.connectors.1.lock``).
    """
    reading = _BoardReader(reader)
    board = reading.board(node)
    reader.findings += judge(board, plans, reading.marks)
    return board, reading.marks


def show(part: Any, name: str = "board") -> Iterator[tuple[str, object]]:
    """What is wired, as people read it: the names and values of all settings of a part."""
    match part:
        case plan.Contact():
            yield name, f"GPIO {part.pin}, normally {part.normally}, pull {part.pull}"
        case Mapping():
            for key, value in part.items():
                yield from show(value, f"{name}.{key}")
        case tuple() if any(map(is_dataclass, part)):
            for number, item in enumerate(part, start=1):
                yield from show(item, f"{name}.{number}")
        case _ if is_dataclass(part):
            if type(part) in PILOTS.values():
                yield f"{name}.type", next(word for word, kind in PILOTS.items() if kind is type(part))
            for entry in fields(part):
                if entry.name != "folder":
                    key = "connectors" if entry.name == "outlets" else entry.name
                    yield from show(getattr(part, entry.name), f"{name}.{key}")
        case _:
            yield name, part


def _template(node: Node, kind: str) -> str:
    """How an idTag is made of what a reader says."""
    if isinstance(node, MappingNode):
        raise values.WrongError(f'quote it, like "{tags.USUAL[kind]}"', "wrong-kind")
    template = values.text(100)(node)
    wrong = tags.wrong(template, kind)
    if wrong:
        raise values.WrongError(wrong)
    return template


def _keys(*kinds: type) -> tuple[str, ...]:
    return tuple(entry.name for kind in kinds for entry in fields(kind))


class _BoardReader:
    def __init__(self, reader: Reader) -> None:
        self.marks: dict[str, Mark] = {}
        self._reader = reader

    # -- helpers -------------------------------------------------------------------------------------------

    def _section(self, node: Node, name: str, known: tuple[str, ...]) -> Section:
        self.marks[name] = node.mark
        if isinstance(node, MappingNode):
            polar = {key.raw: key.mark for key, _ in node.items if key.raw in values.POLARITY}
            told = values.CONTACT_POLARITY if "normally" in known else values.ACTIVE_LOW
            for mark in polar.values():
                self._reader.report(mark, f"{name}: {told}")
            node = MappingNode(node.mark, tuple(item for item in node.items if item[0].raw not in polar))
        section = self._reader.section(node, name, known, node.mark)
        self.marks |= {section.prefix + key: value.mark for key, value in section.nodes.items()}
        return section

    def _part(self, above: Section, key: str, kind: type, read: Callable[[Section], T]) -> T | None:
        """A part that may be left out."""
        node = above.nodes.get(key)
        name = above.prefix + key
        if node is None:
            self._reader.origins[name] = "default"
            return None
        if isinstance(node, Scalar) and node.value is None:
            self._reader.report(node.mark, f"{name}: no value: write one, or remove the line", "wrong-kind")
            return None
        return read(self._section(node, name, _keys(kind)))

    def _need(self, section: Section, key: str, parse: Callable[[Node], T], default: T, example: str) -> T:
        return self._reader.need(section, key, parse, default, example)

    def _words(self, section: Section, key: str, words: tuple[str, ...], default: str) -> Any:
        return self._reader.take(section, key, lambda node: values.one_of(node, words), default)

    def _items(self, section: Section, key: str, known: tuple[str, ...]) -> list[Section]:
        """The sections of a list."""
        node = section.nodes.get(key)
        name = section.prefix + key
        if node is None:
            self._reader.origins[name] = "default"
            return []
        self._reader.origins[name] = self._reader.origin(node.mark)
        if not isinstance(node, SequenceNode):
            self._reader.report(node.mark, f"{name} is written as a list, each item with a '-'", "wrong-kind")
            return []
        return [
            self._section(item, f"{name}.{number}", known) for number, item in enumerate(node.items, start=1)
        ]

    def _named(self, above: Section, key: str, read: Callable[[Section, str], T]) -> dict[str, T]:
        """Things that have names of their own."""
        node = above.nodes.get(key)
        if node is None:
            return {}
        names = tuple(name.raw for name, _ in node.items) if isinstance(node, MappingNode) else ()
        section = self._reader.section(node, above.prefix + key, names, above.mark)
        self.marks |= {section.prefix + name: value.mark for name, value in section.nodes.items()}
        return {name: read(section, name) for name in names}

    # -- pins ----------------------------------------------------------------------------------------------

    def _output(self, section: Section, key: str) -> int | None:
        return self._reader.take(section, key, values.pin, None)

    def _driver(self, section: Section, key: str) -> int:
        """An output that must not be left out."""
        return self._need(section, key, values.pin, NOWHERE, "17")

    def _contact(self, section: Section) -> plan.Contact:
        return plan.Contact(
            pin=self._need(section, "pin", values.pin, NOWHERE, "17"),
            normally=self._words(section, "normally", ("closed", "open"), "closed"),
            pull=self._words(section, "pull", ("up", "down", "none"), "up"),
        )

    def _contact_at(self, above: Section, key: str) -> plan.Contact | None:
        return self._part(above, key, plan.Contact, self._contact)

    def _named_contact(self, above: Section, key: str) -> plan.Contact:
        return self._contact(self._section(above.nodes[key], above.prefix + key, _keys(plan.Contact)))

    # -- the station ---------------------------------------------------------------------------------------

    def board(self, node: Node) -> plan.Board:
        known = tuple({"outlets": "connectors"}.get(key, key) for key in _keys(plan.Board) if key != "folder")
        board = self._section(node, "board", known)
        take = self._reader.take
        return plan.Board(
            outlets=tuple(map(self._outlet, self._items(board, "connectors", _keys(plan.OutletPlan)))),
            chip=take(board, "chip", values.text(32), ""),
            patience=take(board, "patience", values.number(0.5, 10, "s"), 2.0),
            life=self._output(board, "life"),
            emergency_stop=self._contact_at(board, "emergency_stop"),
            door=self._contact_at(board, "door"),
            temperature=self._part(board, "temperature", plan.TemperaturePlan, self._temperature),
            buzzer=self._output(board, "buzzer"),
            buses=self._named(board, "buses", self._bus),
            readers=tuple(map(self._card_reader, self._items(board, "readers", _keys(plan.ReaderPlan)))),
            inputs=self._named(board, "inputs", self._named_contact),
            outputs=self._named(board, "outputs", self._driver),
            folder=self._reader.path.parent,
        )

    def _temperature(self, section: Section) -> plan.TemperaturePlan:
        example = "28-0123456789ab"
        return plan.TemperaturePlan(self._need(section, "sensor", values.one_wire, "", example))

    def _bus(self, above: Section, key: str) -> plan.ModbusBus:
        section = self._section(above.nodes[key], above.prefix + key, _keys(plan.ModbusBus))
        take = self._reader.take
        return plan.ModbusBus(
            port=take(section, "port", values.device, ""),
            baud=int(self._words(section, "baud", BAUDS, "9600")),
            parity=self._words(section, "parity", ("N", "E", "O"), "N"),
            stop_bits=take(section, "stop_bits", values.whole(1, 2), 1),
            host=take(section, "host", values.text(255), ""),
            tcp_port=take(section, "tcp_port", values.whole(1, 65535), 502),
        )

    def _card_reader(self, section: Section) -> plan.ReaderPlan:
        kinds = tuple(tags.USUAL)
        kind = self._need(section, "type", lambda node: values.one_of(node, kinds), "keyboard", "keyboard")
        example = "/dev/input/by-id/usb-reader-event-kbd"
        return plan.ReaderPlan(
            type="pn532" if kind == "pn532" else "keyboard",
            device=self._need(section, "device", values.device, "", example),
            connector=self._reader.take(section, "connector", values.whole(1, 99), None),
            id_tag=self._reader.take(section, "id_tag", lambda node: _template(node, kind), ""),
        )

    # -- a connector ---------------------------------------------------------------------------------------

    def _outlet(self, section: Section) -> plan.OutletPlan:
        return plan.OutletPlan(
            contactor=self._driver(section, "contactor"),
            mirror=self._mirror(section),
            pilot=self._pilot(section),
            meter=self._part(section, "meter", plan.MeterPlan, self._meter),
            lock=self._part(section, "lock", plan.LockPlan, self._lock),
            residual_current=self._part(
                section, "residual_current", plan.ResidualCurrentPlan, self._residual_current
            ),
            light=self._part(section, "light", plan.LightPlan, self._light),
            inputs=self._named(section, "inputs", self._named_contact),
            outputs=self._named(section, "outputs", self._driver),
        )

    def _mirror(self, section: Section) -> plan.Contact | None:
        """That there is none must be said: without it a welded contactor is not noticed."""
        node = section.nodes.get("mirror")
        if node is None:
            self._need(section, "mirror", values.name, "", "{pin: 27}`, or `mirror: none")
            return None
        if isinstance(node, Scalar) and node.value == "none":
            self._reader.origins[f"{section.prefix}mirror"] = self._reader.origin(node.mark)
            return None
        return self._contact_at(section, "mirror")

    def _pilot(self, above: Section) -> plan.PilotPlan:
        node = above.nodes.get("pilot")
        name = above.prefix + "pilot"
        if node is None:
            self._need(above, "pilot", values.name, "", "{type: modbus, bus: rs485, unit: 1}")
            return plan.SimulatedPilot()
        entry = node.get("type") if isinstance(node, MappingNode) else None
        # The type says which keys there are. Of one that is wrong or missing, any key of any type will do.
        kind = PILOTS.get(entry.raw) if isinstance(entry, Scalar) else None
        section = self._section(node, name, ("type", *_keys(*([kind] if kind else PILOTS.values()))))
        words = tuple(PILOTS)
        self._need(section, "type", lambda node: values.one_of(node, words), "", "modbus")
        if kind is plan.ModbusPilot:
            return plan.ModbusPilot(*self._on_bus(section))
        if kind is plan.KernelPilot:
            return self._kernel_pilot(section)
        return plan.SimulatedPilot()

    def _kernel_pilot(self, section: Section) -> plan.KernelPilot:
        channel = values.whole(0, 7)
        return plan.KernelPilot(
            chip=self._need(section, "chip", values.whole(0, 99), 0, "0"),
            channel=self._need(section, "channel", channel, 0, "0"),
            adc=self._need(section, "adc", values.whole(0, 1), 0, "0"),
            high=self._need(section, "high", channel, 0, "0"),
            low=self._need(section, "low", channel, 1, "1"),
            proximity=self._reader.take(section, "proximity", channel, None),
            divider=self._reader.take(section, "divider", values.pair, plan.DIVIDER),
        )

    def _on_bus(self, section: Section) -> tuple[str, int]:
        return (
            self._need(section, "bus", values.name, "", "rs485"),
            self._need(section, "unit", values.whole(1, 247), 0, "1"),
        )

    def _meter(self, section: Section) -> plan.MeterPlan:
        bus, unit = self._on_bus(section)
        return plan.MeterPlan(
            map=self._need(section, "map", self._map, "", "sdm630"),
            bus=bus,
            unit=unit,
            period=self._reader.take(section, "period", values.number(0.2, 5, "s"), 1.0),
        )

    def _map(self, node: Node) -> str:
        """The name of a register map, which is judged too."""
        name = values.text(255)(node)
        _, findings, sources = read_map(name, self._reader.path.parent)
        self._reader.findings += findings
        self._reader.sources |= sources
        return name

    def _lock(self, section: Section) -> plan.LockPlan:
        return plan.LockPlan(
            engage=self._driver(section, "engage"),
            release=self._driver(section, "release"),
            feedback=self._contact_at(section, "feedback"),
            pulse=self._reader.take(section, "pulse", values.number(0.1, 2, "s"), 0.5),
        )

    def _residual_current(self, section: Section) -> plan.ResidualCurrentPlan:
        if "contact" not in section.nodes:
            self._need(section, "contact", values.name, "", "{pin: 22}")
        contact = self._contact_at(section, "contact") or plan.Contact(NOWHERE)
        return plan.ResidualCurrentPlan(contact, self._output(section, "test"))

    def _light(self, section: Section) -> plan.LightPlan:
        return plan.LightPlan(*(self._driver(section, colour) for colour in ("red", "green", "blue")))
