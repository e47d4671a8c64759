"""What happened to a station, bounded in memory, and written out so that it can be run again bit-exactly.

The core is pure, so events are enough: charts, settings, the facts at the start, and every event with its
moment give every guard, transition and command anew. Nothing is written out while the station works: the
steps are kept as they are, in two segments. When one is full the next begins, with a checkpoint of the
station, and the oldest is dropped. docs/trace.md has the format.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO, TypeVar

from charger import __version__, ports
from charger.errors import Defect, UsageError
from charger.functions.records import as_fact
from charger.functions.situation import ConnectorPlan, Identity
from charger.statechart.event import Event, Moment
from charger.statechart.source import read_bytes
from charger.station import Station, Step

LOG = logging.getLogger(__name__)

VERSION: Final = 2
"""Of the format."""
SEGMENT: Final = 1000
"""Steps in a segment; two are kept."""
FULL: Final = 20_000_000
"""Characters of a file that is written as things happen; two are kept."""
LATEST: Final = 253_402_300_799
"""The last second of the year 9999; no clock shows more."""
KEPT: Final = 5
"""Traces of defects that stay beside the database."""
HEAVY: Final = 1_000_000
"""Bytes of what the Central System sent that a segment holds, about; a hostile one may send anything."""
_PASSWORD_KEY: Final = "authorizationkey"  # noqa: S105 - its name, not its value
"""The configuration key that is a password (security white paper), in any case."""
_USER: Final = re.compile(r"//[^/@\s]*@")
"""In a URL (GetDiagnostics, UpdateFirmware): who logs in, and with what."""


@dataclass(slots=True)
class _Segment:
    """A station as it was, and what happened to it then."""

    station: Station
    begins: Mapping[str, Any]
    """``start`` with the facts, or ``checkpoint``."""
    steps: list[tuple[Event, Step | Defect]] = field(default_factory=list)
    weight: int = 0


class Trace:
    """The last 1000 to 2000 steps of a station, and of those built after a defect.

    Args:
        name: of the station.
        file: takes every step as it happens.
    """

    def __init__(self, name: str = "", file: TraceFile | None = None) -> None:
        self._name = name
        self._file = file
        self._segments: deque[_Segment] = deque(maxlen=2)

    def begin(self, station: Station, facts: Iterable[ports.Change]) -> None:
        """A station was built from these facts."""
        start = {"start": [[fact.subject, fact.key, fact.value] for fact in facts]}
        self._segments.append(_Segment(station, start))
        if self._file:
            self._file.write(self._head(self._segments[-1]))

    def add(self, event: Event, outcome: Step | Defect) -> None:
        """It took an event, after its commands were performed; or that event was the end of it."""
        segment = self._segments[-1]
        segment.steps.append((event, outcome))
        if event.name.startswith("ocpp."):
            segment.weight += len(repr(event.fields))
        if self._file:
            self._file.write([_step_line(event, outcome)])
        if isinstance(outcome, Defect):
            return
        if len(segment.steps) >= SEGMENT or segment.weight >= HEAVY:
            self._segments.append(_from_here(segment.station))
        if self._file and self._file.full:
            self._file.turn(self._head(_from_here(segment.station)))

    @property
    def defect(self) -> str:
        """What the station died of, if that was the last that happened to it; else nothing."""
        steps = self._segments[-1].steps
        return str(steps[-1][1]) if steps and isinstance(steps[-1][1], Defect) else ""

    def lines(self) -> Iterator[str]:
        """The trace as a file has it, up to now; what is given may be read on any thread."""
        segments = [(one, list(one.steps)) for one in self._segments]
        return self._written(segments)

    def _written(self, segments: list[tuple[_Segment, list[tuple[Event, Step | Defect]]]]) -> Iterator[str]:
        for position, (segment, steps) in enumerate(segments):
            if not position or "start" in segment.begins:
                yield from self._head(segment)
            for event, outcome in steps:
                yield _step_line(event, outcome)

    def _head(self, segment: _Segment) -> Iterator[str]:
        station = segment.station
        sources = station.chart_set.sources
        index = next(iter(sources))
        yield _line({"trace": VERSION, "program": __version__, "id": self._name, "zone": zone()})
        texts = {Path(name).name: text for name, text in sources.items()}
        yield _line({"charts": str(Path(index).parent), "files": texts})
        identity, connectors = station.situation.identity, station.situation.connectors
        yield _line(
            {
                "station": as_fact(identity),
                "connectors": [as_fact(connectors[number].plan) for number in sorted(connectors)],
                "configuration": station.initial,
                "seed": station.seed,
            }
        )
        yield _line(_hide_facts(segment.begins))


def _from_here(station: Station) -> _Segment:
    return _Segment(station, {"checkpoint": station.checkpoint()})


class TraceFile:
    """Every step on disk as it happens. A full file becomes FILE.1, instead of the one before.

    Nothing is synced: the kernel writes when it likes, and a power cut takes the last seconds. A disk that
    takes nothing ends it, with a line in the log; the station goes on.
    """

    def __init__(self, path: Path, most: int = FULL) -> None:
        """Go on at the end of what is there.

        Raises:
            UsageError: it cannot be written.
        """
        self._path = path
        self._most = most
        try:
            self._file: TextIO | None = self._opened()
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}") from error

    @property
    def full(self) -> bool:
        """Whether it is time to `turn`."""
        return self._file is not None and self._size >= self._most

    def write(self, lines: Iterable[str]) -> None:
        """Add them."""
        if self._file is None:
            return
        try:
            for line in lines:
                self._file.write(line)
                self._size += len(line)
            self._file.flush()
        except OSError as error:
            self._give_up(error)

    def turn(self, lines: Iterable[str]) -> None:
        """Begin another file with these."""
        try:
            self.close()
            self._path.replace(f"{self._path}.1")
            self._file = self._opened()
        except OSError as error:
            self._give_up(error)
        self.write(lines)

    def close(self) -> None:
        """Let go of it."""
        file, self._file = self._file, None
        if file:
            file.close()

    def _opened(self) -> TextIO:
        file = self._path.open("a", encoding="utf-8")
        self._size = self._path.stat().st_size
        return file

    def _give_up(self, error: OSError) -> None:
        with contextlib.suppress(OSError):
            self.close()
        LOG.error("%s takes nothing any more, the trace ends there: %s", self._path, error.strerror)


def keep(folder: Path, lines: Iterable[str]) -> Path:
    """Write a trace beside the database, for whoever looks into a defect; the newest five stay.

    Raises:
        OSError: it cannot be written.
    """
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    path = folder / f"defect-{now}.jsonl"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(lines)
    for old in sorted(folder.glob("defect-*.jsonl"))[:-KEPT]:
        old.unlink()
    return path


# -- lines -------------------------------------------------------------------------------------------------


def zone() -> str:
    """The local time zone of this machine, by its name; charts may ask for the time of day."""
    here = os.path.realpath("/etc/localtime").partition("zoneinfo/")[2]
    return os.environ.get("TZ", "").removeprefix(":") or here or "UTC"


def step_as_record(event: Event, outcome: Step | Defect) -> dict[str, Any]:
    """One step as a trace has it: plain values, secrets hidden, nothing empty."""
    record: dict[str, Any] = {"at": [event.moment.monotonic, event.moment.wall], "event": event.name}
    if event.connector is not None:
        record["connector"] = event.connector
    if event.fields:
        record["fields"] = hidden(event.fields)
    if event.call is not None:
        record["call"] = event.call
    if isinstance(outcome, Defect):
        return {**record, "defect": str(outcome)}
    if outcome.moves:
        record["moves"] = [[move.chart, move.number, move.source, move.target] for move in outcome.moves]
    if outcome.commands:
        record["commands"] = [_command(command) for command in outcome.commands]
    return record


def _command(command: ports.Command) -> list[Any]:
    if isinstance(command, ports.Store):
        return ["Store", {"changes": [_change(change) for change in command.changes]}]
    fields = {name: hidden(getattr(command, name)) for name in command.__slots__}
    return [type(command).__name__, fields]


def _change(change: ports.Change) -> list[Any]:
    secret = change.subject == "configuration" and change.key.casefold() == _PASSWORD_KEY
    return [change.subject, change.key, "***" if secret and change.value is not None else change.value]


def _hide_facts(begins: Mapping[str, Any]) -> Mapping[str, Any]:
    if "start" in begins:
        return {"start": [_change(ports.Change(*fact)) for fact in begins["start"]]}
    checkpoint = begins["checkpoint"]
    facts = [_change(ports.Change(*fact)) for fact in checkpoint["situation"]["facts"]]
    return {"checkpoint": {**checkpoint, "situation": {**checkpoint["situation"], "facts": facts}}}


def hidden(value: Any) -> Any:
    """The value without passwords: of ``AuthorizationKey``, and of URLs."""
    match value:
        case Mapping():
            secret = str(value.get("key")).casefold() == _PASSWORD_KEY
            return {
                name: "***" if secret and name == "value" else hidden(inner) for name, inner in value.items()
            }
        case list() | tuple():
            return [hidden(inner) for inner in value]
        case str():
            return _USER.sub("//***@", value)
        case _:
            return value


def _step_line(event: Event, outcome: Step | Defect) -> str:
    return _line(step_as_record(event, outcome))


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(record, separators=(",", ":"), default=repr) + "\n"


# -- reading -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recorded:
    """One step of a trace."""

    number: int
    """Its place in the file, from 1."""
    event: Event
    record: Mapping[str, Any]
    """All of it, as the file has it."""

    @property
    def defect(self) -> str | None:
        """What it died of, if it did."""
        return self.record.get("defect")


@dataclass(frozen=True, slots=True)
class Part:
    """A station as it was, and what happened to it from then on."""

    program: str
    """Its version."""
    name: str
    zone: str
    folder: str
    """Of the charts, as findings name it."""
    files: Mapping[str, str]
    """The charts: name and text."""
    identity: Identity
    plans: tuple[ConnectorPlan, ...]
    configuration: Mapping[str, str | None]
    seed: int
    facts: tuple[ports.Change, ...]
    """At the beginning."""
    checkpoint: Mapping[str, Any] | None
    """None: it begins with the start of the station."""
    steps: list[Recorded]


def read(path: Path) -> list[Part]:
    """A file, which may hold several starts of a station. A last line that was cut off is left out.

    Raises:
        UsageError: it is no trace, or one of a later program.
    """
    try:
        text = read_bytes(path).decode("utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no trace: it is not UTF-8") from error
    return parse(text.splitlines(keepends=True), str(path))


def parse(lines: Iterable[str], name: str) -> list[Part]:
    """The lines of a trace, which is called `name` in errors.

    Raises:
        UsageError: they are none.
    """
    parts: list[Part] = []
    head: dict[str, Any] = {}
    number = 0
    for position, line in enumerate(lines, start=1):
        try:
            record = _record(line)
            if "event" in record:
                number += 1
                step = Recorded(number, _event(record), record)
                if not parts:
                    raise _DamagedError("a step, before a station begins")
                parts[-1].steps.append(step)
            else:
                head |= record
                _understood(head)
            if "start" in record or "checkpoint" in record:
                parts.append(_part(record, head))
        except UsageError as error:
            raise UsageError(f"{name}:{position}: {error}") from error
        except _DamagedError as error:
            if not line.endswith("\n") and parts:
                break
            raise UsageError(f"{name}:{position}: this is no line of a trace: {error}") from error
    if not parts:
        raise UsageError(f"{name} is no trace: nothing begins in it")
    return parts


class _DamagedError(Exception):
    """What is wrong with a line, in words."""


def _record(line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise _DamagedError(f"it cannot be read as JSON from column {error.colno} on") from error
    except (ValueError, RecursionError) as error:
        raise _DamagedError("it holds an endless number, or is nested too deep") from error
    if not isinstance(record, dict) or not record:
        raise _DamagedError("an object with members should stand there")
    return record


_KINDS: Final[Mapping[type, str]] = {dict: "an object", list: "a list", str: "a text", int: "a whole number"}
_T = TypeVar("_T")


def _member(record: Mapping[str, Any], name: str, kind: type[_T]) -> _T:
    if name not in record:
        raise _DamagedError(f"'{name}' is missing")
    value = record[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _DamagedError(f"'{name}' should be {_KINDS[kind]}")
    return value


def _understood(head: Mapping[str, Any]) -> None:
    if _member(head, "trace", int) != VERSION:
        raise UsageError(
            f"a trace of version {head['trace']}, and this program reads version {VERSION}:"
            " use the program that wrote it, or a later one"
        )


def _event(record: Mapping[str, Any]) -> Event:
    moment = _moment(record, "at")
    name = _member(record, "event", str)
    connector = _member(record, "connector", int) if "connector" in record else None
    fields = _member(record, "fields", dict) if "fields" in record else {}
    call = _member(record, "call", str) if "call" in record else None
    for what, is_one in (("moves", _is_move), ("commands", _is_command)):
        if what in record and not all(map(is_one, _member(record, what, list))):
            raise _DamagedError(f"'{what}' holds something else")
    if "defect" in record:
        _member(record, "defect", str)
    return Event(name, connector, fields, call, moment=moment)


def _moment(record: Mapping[str, Any], name: str) -> Moment:
    match record.get(name):
        case [int() | float() as monotonic, int() | float() as wall]:
            if 0 <= monotonic <= LATEST and 0 <= wall <= LATEST:
                return Moment(monotonic, wall)
    raise _DamagedError(f"'{name}' should be two times in s: [monotonic, wall]")


def _is_move(value: Any) -> bool:
    match value:
        case [str(), int(), str(), str()]:
            return True
    return False


def _is_command(value: Any) -> bool:
    match value:
        case ["Store", {"changes": [*changes]}]:
            return all(isinstance(one, list) and len(one) == 3 for one in changes)
        case [str() as kind, dict() as fields]:
            known = getattr(getattr(ports, kind, None), "__slots__", ())
            return fields.keys() >= set(known) and isinstance(fields.get("due", 0), int | float)
    return False


def _part(record: Mapping[str, Any], head: Mapping[str, Any]) -> Part:
    checkpoint = _member(record, "checkpoint", dict) if "checkpoint" in record else None
    situation = _member(checkpoint, "situation", dict) if checkpoint is not None else {}
    facts = _member(situation, "facts", list) if checkpoint is not None else _member(record, "start", list)
    if checkpoint is not None:
        _moment(situation, "now")
    files = _member(head, "files", dict)
    try:
        return Part(
            program=_member(head, "program", str),
            name=_member(head, "id", str),
            zone=_member(head, "zone", str).replace("\0", ""),
            folder=_member(head, "charts", str),
            files={name: _member(files, name, str) for name in files},
            identity=Identity(**_member(head, "station", dict)),
            plans=tuple(ConnectorPlan(**plan) for plan in _member(head, "connectors", list)),
            configuration=_member(head, "configuration", dict),
            seed=_member(head, "seed", int),
            facts=tuple(ports.Change(*fact) for fact in facts),
            checkpoint=checkpoint,
            steps=[],
        )
    except TypeError as error:
        raise _DamagedError(
            "'station', 'connectors' or the facts have other members than they may"
        ) from error
