"""What station.yaml and the environment say of one station: read, checked, and frozen.

Every mistake is a finding with its place and its remedy, all of them at once. Every value knows where it came
from. Some can be given from outside; an empty variable counts as none, and relative paths are relative to the
folder of station.yaml in both places:

CHARGER_ID, CHARGER_CENTRAL_URL, CHARGER_PASSWORD, CHARGER_DATA, CHARGER_PANEL
    win over id, central.url, central.password, data and panel.
CHARGER_PANEL_TOKEN
    what a client of a panel must know that others than this machine can reach. Not for files.

Knows what a right value looks like, and builds nothing from it: that is for `app.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from charger import settings_values as values
from charger.board import Board, SimulatedPilot
from charger.folders import shipped
from charger.functions.configuration import KEYS, Configuration, Key
from charger.functions.metering import MEASURANDS
from charger.functions.records import Records
from charger.functions.situation import ConnectorPlan, Identity
from charger.settings_board import read_board, show
from charger.settings_board_rules import check_pins_of_charts
from charger.settings_reader import SECRETS, Reader, Section
from charger.statechart.findings import Finding, Mark, nearest, tidy
from charger.statechart.model import ChartSet
from charger.statechart.reader import read_set
from charger.statechart.source import Mapping as MappingNode
from charger.statechart.source import Node, Scalar, Sequence, read_file

IDENTITY: Final[Mapping[str, tuple[str, int]]] = {
    "vendor": ("chargePointVendor", 20),
    "model": ("chargePointModel", 20),
    "serial_number": ("chargePointSerialNumber", 25),
    "firmware_version": ("firmwareVersion", 50),
    "iccid": ("iccid", 20),
    "imsi": ("imsi", 20),
    "meter_type": ("meterType", 25),
    "meter_serial_number": ("meterSerialNumber", 25),
    "charge_box_serial_number": ("chargeBoxSerialNumber", 25),
}
"""Key → its name in BootNotification.req and the characters that it may have (OCPP 1.6 §6.3)."""
KEYS_OF_STATION: Final = (
    *("id", *IDENTITY, "central", "charts", "data", "panel", "hardware", "board", "connectors"),
    "simulation",
    "configuration",
)
KEYS_OF_CENTRAL: Final = ("url", "password", "ca_file", "verify_hostname", "tolerant")
KEYS_OF_CONNECTOR: Final = ("cable", "phases", "max_current", "reader")
POWER: Final = 7400.0
DELAYS: Final[Mapping[str, float]] = {"contactor_delay": 0.1, "lock_delay": 0.3, "car_delay": 0.2}
KEYS_OF_SIMULATION: Final = ("power", *DELAYS, "plugged", "seed")
HIDDEN: Final = "********"
MOST_CONNECTORS: Final = 99


T = TypeVar("T")
Extra = Mapping[str, str | int | float | bool]


# -- what is known afterwards ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CentralSettings:
    """The way to the Central System."""

    url: str
    """``ws://`` or ``wss://``; the id is still to be appended."""
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    verify_hostname: bool = True
    tolerant: bool = True
    """Overlook what a Central System says too much: members that OCPP does not know, and null."""


@dataclass(frozen=True, slots=True)
class PanelSettings:
    """Where the panel listens."""

    host: str
    """Without the brackets of an IPv6 address."""
    port: int
    """0: any that is free."""
    token: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Simulation:
    """How the simulated hardware behaves; times in s."""

    power: float
    """W that a car draws."""
    contactor_delay: float
    lock_delay: float
    car_delay: float
    plugged: tuple[int, ...]
    seed: int | None
    """Of the station's random numbers; None: another one for every station."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One station."""

    file: Path
    id: str
    identity: Identity
    central: CentralSettings
    charts: Path
    data: Path
    panel: PanelSettings | None
    """None: off."""
    hardware: str
    """``simulated`` or ``gpio``."""
    board: Board | None
    """What is wired to what; None with simulated hardware."""
    plans: tuple[ConnectorPlan, ...]
    simulation: Simulation
    """Of simulated hardware, and of simulated pilots on a board."""
    configuration: dict[str, str | None]
    """OCPP keys and settings of the charts: values at first boot; None: not offered."""
    origins: Mapping[str, str] = field(repr=False)
    """Setting (``central.url``) → ``station.yaml:4``, ``environment CHARGER_PASSWORD`` or ``default``."""
    marks: Mapping[str, tuple[Mark, Mark]] = field(repr=False)
    """Where the name and the value of each key of `configuration` stand."""
    board_marks: Mapping[str, Mark] = field(repr=False)
    """Where each part of the board stands."""


def load(
    path: Path, environ: Mapping[str, str], extra_keys: Extra | None = None
) -> tuple[Settings | None, list[Finding], dict[str, str]]:
    """Read a station.

    Args:
        path: station.yaml.
        environ: the variables of the process.
        extra_keys: the settings of the charts, if they are known already; otherwise the keys of
            `configuration` are still to be judged, by `check_configuration`. What is wired for the charts'
            inputs and outputs always is, by `check_board`.

    Returns:
        the settings, None if anything is wrong; what is wrong; the texts that it is wrong in.
    """
    source = read_file(path)
    sources = {source.file: source.text}
    if source.root is None and source.findings:
        return None, source.findings, sources
    reader = _Reader(path, environ, source.findings, sources)
    settings = reader.station(source.root, Mark(source.file, 1, 1))
    findings = reader.findings
    if extra_keys is None and findings:
        # Nobody will ask again, so ask the charts now: people want to hear of all mistakes at once.
        there = (settings.charts / "index.yaml").is_file()
        charts = read_set(settings.charts)[0] if there else None
        findings += check_configuration(settings, charts.settings if charts else None)
        findings += check_board(settings, charts) if charts else []
    elif extra_keys is not None:
        findings += check_configuration(settings, extra_keys)
    findings = tidy(findings)
    return None if findings else settings, findings, sources


def readable_board(path: Path, environ: Mapping[str, str]) -> tuple[Board | None, list[Finding]]:
    """The board as far as it can be read, whatever else is wrong in the file: to switch it off.

    Pins that cannot be read are below 0. None: hardware is simulated, or nothing can be read at all, as the
    findings then say.
    """
    source = read_file(path)
    if source.root is None:
        return None, source.findings
    reader = _Reader(path, environ, source.findings, {source.file: source.text})
    return reader.station(source.root, Mark(source.file, 1, 1)).board, []


def check_configuration(settings: Settings, extra_keys: Extra | None) -> list[Finding]:
    """Judge the keys of `configuration`: each known, each with a value that it may have.

    Args:
        settings: of the station.
        extra_keys: the settings of the charts with their defaults; None: they cannot be had, so a name that
            OCPP does not know may be one of them.
    """
    fixed = {"NumberOfConnectors": str(len(settings.plans))}
    names = {key.name for key in Configuration(Records(), extra_keys).offered()}
    right: dict[str, str | None] = {}
    findings = []
    # Lists are checked against the lengths that go with them, so those come first.
    for name in sorted(
        settings.configuration, key=lambda name: name in KEYS and KEYS[name].check is not None
    ):
        value = settings.configuration[name]
        configuration = Configuration(Records(), extra_keys, right, fixed)
        at_name, at_value = settings.marks[name]
        key = configuration.find(name) if name in names else None
        if key is None:
            if extra_keys is not None:
                hint = nearest(name, names) or ": OCPP 1.6 §9 and the settings of the charts have none"
                findings.append(
                    Finding(at_name, "unknown-key", f"there is no configuration key '{name}'{hint}")
                )
        elif value is None and not key.optional:
            message = f"{name}: every station has this key; null is for optional ones"
            findings.append(Finding(at_value, "bad-setting", message))
        elif name in fixed and value != fixed[name]:
            message = f"{name}: follows from `connectors`, {fixed[name]} here: remove the line"
            findings.append(Finding(at_value, "bad-setting", message))
        elif value is not None and not configuration.valid(key, value):
            message = f"{name}: '{value}' is not {_expected(key, configuration)}"
            findings.append(Finding(at_value, "bad-setting", message))
        else:
            right[name] = value
    return findings


def check_board(settings: Settings, charts: ChartSet) -> list[Finding]:
    """Judge whether the inputs and outputs that the charts declare are wired, and no others."""
    return check_pins_of_charts(settings.board, charts, settings.board_marks) if settings.board else []


def _expected(key: Key, configuration: Configuration) -> str:
    if key.type == "bool":
        return "true or false"
    if key.type == "int":
        return f"a whole number from {key.low} to {min(key.high, 999_999_999)}"
    if key.name == "ConnectorPhaseRotation":
        last = configuration.number("NumberOfConnectors", 1)
        return f"a list of items like NotApplicable or 1.RST, for connectors up to {last}"
    return f"a list of at most {configuration.number(f'{key.name}MaxLength', 1)} of {', '.join(MEASURANDS)}"


def effective(settings: Settings, configuration: Configuration | None = None) -> list[tuple[str, str, str]]:
    """Every setting: its name, its value as shown to people (no secrets), and where it came from.

    Args:
        settings: of the station.
        configuration: of the station, with the values that the Central System wrote; left out: as at first
            boot, without the defaults of the charts.
    """
    payload = settings.identity.payload()
    central, panel = settings.central, settings.panel
    shown: dict[str, object] = {
        "id": settings.id,
        **{key: payload.get(wire) for key, (wire, _) in IDENTITY.items()},
        "central.url": central.url,
        "central.password": central.password,
        "central.ca_file": central.ca_file,
        "central.verify_hostname": central.verify_hostname,
        "central.tolerant": central.tolerant,
        "charts": settings.charts,
        "data": settings.data,
        "panel": panel or "off",
        "panel_token": panel.token if panel else None,
        "hardware": settings.hardware,
    }
    for number, plan in enumerate(settings.plans, start=1):
        cable = "fixed cable" if plan.fixed else "socket with a lock"
        phases = "1 phase" if plan.phases == 1 else f"{plan.phases} phases"
        reader = ", a reader of its own" if plan.own_reader else ""
        shown[f"connectors.{number}"] = f"{cable}, {phases}, {plan.max_current:g} A{reader}"
    shown |= dict(show(settings.board)) if settings.board else {}
    if _simulates(settings.board):
        shown |= {f"simulation.{name}": getattr(settings.simulation, name) for name in KEYS_OF_SIMULATION}
    origins = settings.origins
    rows = [
        # Of connectors that were only counted, the count is the origin.
        (name, _shown(name, value), origins.get(name) or origins[name.partition(".")[0]])
        for name, value in shown.items()
    ]
    fixed = {"NumberOfConnectors": str(len(settings.plans))}
    registry = configuration or Configuration(Records(), None, settings.configuration, fixed)
    offered = {key.name: (registry.text(key.name), registry.origin(key.name)) for key in registry.offered()}
    for name, text in settings.configuration.items():
        offered.setdefault(name, ("not offered" if text is None else text, "station.yaml"))
    for name in sorted(offered):
        text, origin = offered[name]
        place = settings.origins.get(f"configuration.{name}", origin)
        rows.append((f"configuration.{name}", text, place if origin == "station.yaml" else origin))
    return rows


def _simulates(board: Board | None) -> bool:
    """Whether any of its cars are simulated."""
    return board is None or any(isinstance(outlet.pilot, SimulatedPilot) for outlet in board.outlets)


def _shown(name: str, value: object) -> str:
    if value in (None, ""):
        return "not set"
    if name in SECRETS:
        return HIDDEN
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


# -- reading -----------------------------------------------------------------------------------------------


class _Reader(Reader):
    """The station as a whole."""

    # -- the station ---------------------------------------------------------------------------------------

    def station(self, root: Node | None, top: Mark) -> Settings:
        station = self.section(root, "", KEYS_OF_STATION, top)
        plans = self._plans(station)
        identity = self.need(station, "id", values.station_id, "", "CP001")
        central = self._central(station)
        node = self.node(station, "id")
        if node is not None and ":" in identity and central.password is not None:
            self.report(node.mark, "id: no ':' together with a password, whose user name it is (RFC 7617)")
        configuration, marks = self._configuration(station)
        hardware = self.take(station, "hardware", values.hardware, "simulated")
        board, board_marks = self._board(station, hardware, plans)
        return Settings(
            file=self.path,
            id=identity,
            identity=self._identity(station),
            central=central,
            charts=self._charts(station, top),
            data=self.take(station, "data", self._data, self.path.parent / "data"),
            panel=self._panel(station),
            hardware=hardware,
            board=board,
            plans=plans,
            simulation=self._simulation(station, len(plans), board),
            configuration=configuration,
            origins=self.origins,
            marks=marks,
            board_marks=board_marks,
        )

    def _identity(self, station: Section) -> Identity:
        vendor = self.need(station, "vendor", values.text(20), "", "Example Inc.")
        model = self.need(station, "model", values.text(20), "", "Model 1")
        extra = {}
        for key, (wire, length) in IDENTITY.items():
            value = self.take(station, key, values.text(length), "") if key not in ("vendor", "model") else ""
            if value:
                extra[wire] = value
        return Identity(vendor, model, extra)

    def _central(self, station: Section) -> CentralSettings:
        central = self.section(station.nodes.get("central"), "central", KEYS_OF_CENTRAL, station.mark)
        return CentralSettings(
            url=self.need(central, "url", values.url, "", "ws://127.0.0.1:9000/ocpp"),
            password=self.take(central, "password", values.text(500), None),
            ca_file=self.take(central, "ca_file", self._existing_file, None),
            verify_hostname=self.take(central, "verify_hostname", values.boolean, default=True),
            tolerant=self.take(central, "tolerant", values.boolean, default=True),
        )

    def _charts(self, station: Section, top: Mark) -> Path:
        folder = self.take(station, "charts", self._path_in, shipped("charts"))
        if not (folder / "index.yaml").is_file():
            node = station.nodes.get("charts")
            message = f"charts: there is no {folder / 'index.yaml'}: name the folder that holds it"
            self.report(node.mark if node else top, message, "missing-file")
        return folder

    def _panel(self, station: Section) -> PanelSettings | None:
        default: tuple[str, int] | None = ("127.0.0.1", 8016)
        panel = self.take(station, "panel", values.address, default)
        token = self.take(station, "panel_token", values.text(500), None)
        if panel is None:
            return None
        node = self.node(station, "panel")
        if node is not None and token is None and not values.is_loopback(panel[0]):
            message = f"panel: others can reach {panel[0]}: set CHARGER_PANEL_TOKEN, or use 127.0.0.1"
            self.report(node.mark, message)
        return PanelSettings(*panel, token)

    def _plans(self, station: Section) -> tuple[ConnectorPlan, ...]:
        node = station.nodes.get("connectors")
        if not isinstance(node, Sequence):
            return (ConnectorPlan(),) * self.take(station, "connectors", values.whole(1, MOST_CONNECTORS), 1)
        self.origins["connectors"] = self.origin(node.mark)
        if not 1 <= len(node.items) <= MOST_CONNECTORS:
            self.report(node.mark, f"connectors: a station has 1 to {MOST_CONNECTORS}")
        plans = tuple(self._plan(item, number) for number, item in enumerate(node.items, start=1))
        if len({plan.own_reader for plan in plans}) > 1:
            self.report(
                node.mark, "connectors: give each of them `reader: own`, or none: they share one reader"
            )
        return plans

    def _plan(self, node: Node, number: int) -> ConnectorPlan:
        section = self.section(node, f"connectors.{number}", KEYS_OF_CONNECTOR, node.mark)
        plan = ConnectorPlan()
        return ConnectorPlan(
            fixed=self.take(section, "cable", values.cable, plan.fixed),
            phases=self.take(section, "phases", values.phases, plan.phases),
            max_current=self.take(section, "max_current", values.number(6, 80, "A"), plan.max_current),
            own_reader=self.take(section, "reader", values.own_reader, plan.own_reader),
        )

    def _board(
        self, station: Section, hardware: str, plans: tuple[ConnectorPlan, ...]
    ) -> tuple[Board | None, dict[str, Mark]]:
        node = station.nodes.get("board")
        at = station.nodes.get("hardware", node)
        if hardware == "gpio" and node is None and at is not None:
            message = "hardware: gpio needs to know what is wired to what: add a section `board`"
            self.report(at.mark, message, "missing-key")
        if node is None:
            return None, {}
        board, marks = read_board(self, node, plans)
        if hardware != "gpio":
            self.report(
                node.mark, "board: only for real wires: write `hardware: gpio`, or remove the section"
            )
        return board, marks

    def _simulation(self, station: Section, connectors: int, board: Board | None) -> Simulation:
        node = station.nodes.get("simulation")
        if node is not None and not _simulates(board):
            message = "simulation: nothing is simulated here, since every connector of the board has a pilot"
            self.report(node.mark, f"{message}: remove the section")
        section = self.section(node, "simulation", KEYS_OF_SIMULATION, station.mark)
        delays = {
            name: self.take(section, name, values.number(0, 60, "s"), default)
            for name, default in DELAYS.items()
        }
        return Simulation(
            power=self.take(section, "power", values.number(0, 1_000_000, "W"), POWER),
            plugged=self.take(section, "plugged", lambda node: self._plugged(node, connectors), ()),
            seed=self.take(section, "seed", values.whole(0, 2**31), None),
            **delays,
        )

    def _plugged(self, node: Node, connectors: int) -> tuple[int, ...]:
        if not isinstance(node, Sequence):
            raise values.WrongError("a list of connectors, like [1]", "wrong-kind")
        numbers = []
        for item in node.items:
            number = item.value if isinstance(item, Scalar) else None
            if isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= connectors:
                numbers.append(number)
            else:
                self.report(
                    item.mark, f"simulation.plugged: no connector; they are numbered 1 to {connectors}"
                )
        return tuple(numbers)

    def _configuration(self, station: Section) -> tuple[dict[str, str | None], dict[str, tuple[Mark, Mark]]]:
        node = station.nodes.get("configuration")
        # Any name will do for now: the charts have a say in which ones there are.
        names = {key.raw: key.mark for key, _ in node.items} if isinstance(node, MappingNode) else {}
        section = self.section(node, "configuration", tuple(names), station.mark)
        found: dict[str, str | None] = {}
        for name, value in section.nodes.items():
            self.origins[f"configuration.{name}"] = self.origin(value.mark)
            try:
                found[name] = values.configured(value)
            except values.WrongError as wrong:
                self.report(value.mark, f"{name}: {wrong}", wrong.rule)
        return found, {name: (names[name], section.nodes[name].mark) for name in found}

    # -- paths ---------------------------------------------------------------------------------------------

    def _path_in(self, node: Node) -> Path:
        return self.path.parent / values.text(4000)(node)

    def _existing_file(self, node: Node) -> Path:
        path = self._path_in(node)
        if not path.is_file():
            raise values.WrongError(f"there is no file {path}", "missing-file")
        return path

    def _data(self, node: Node) -> Path:
        path = self._path_in(node)
        if path.exists() and not path.is_dir():
            raise values.WrongError(f"{path} is a file; a folder is needed")
        return path
