"""Words for what protects people and the board: residual current, current, voltage, pilot, door, heat."""

from __future__ import annotations

from typing import Any

from charger import ports
from charger.functions.situation import Connector, Situation
from charger.statechart.event import Event
from charger.statechart.words import Field
from charger.vocabulary.declare import (
    BOTH,
    CONNECTOR,
    NUMBER,
    OPTIONAL_TEXT,
    PLACE,
    STATION,
    Report,
    Words,
    one_of,
)

WORDS = Words()

NOMINAL = 230.0
"""V to neutral."""
FOLLOWS_WITHIN = 5.0
"""s that a car has to follow another offer (IEC 61851-1)."""
PILOT_WRONG = ("cable", "diode", "short", "silent", "ventilation")


# -- reports -------------------------------------------------------------------------------------------


def _wire(name: str, value: Any) -> Report:
    """It is so at the connector of the event."""

    def report(at: Situation, event: Event) -> None:
        setattr(at.connectors[event.connector or 0], name, value)

    return report


def _pilot_failed(at: Situation, event: Event) -> None:
    at.connectors[event.connector or 0].pilot_wrong = str(event.fields["reason"])


def _cable_rated(at: Situation, event: Event) -> None:
    at.connectors[event.connector or 0].cable_amps = event.fields.get("amps")


def _door(is_open: bool) -> Report:
    def report(at: Situation, _event: Event) -> None:
        at.door = is_open

    return report


def _temperature(at: Situation, event: Event) -> None:
    at.temperature = float(event.fields["celsius"])


def _no_temperature(at: Situation, _event: Event) -> None:
    at.temperature = None


def _reader(dead: bool) -> Report:
    def report(at: Situation, event: Event) -> None:
        others = [number for number in at.dead_readers if number != (event.fields.get("connector") or 0)]
        at.dead_readers = [*others, *[event.fields.get("connector") or 0] * dead]

    return report


# -- events --------------------------------------------------------------------------------------------

_event = WORDS.event
_event(
    *("interlock.lost", "The guard opened the contactor by itself; told before `contactor.opened`."),
    CONNECTOR,
    interlock=Field("word"),
)
_event(
    *("residual_current.tripped", "The residual-current monitor has tripped, outside of its self-test."),
    *(CONNECTOR, _wire("residual_current", value=True)),
    effects="residual_current.is_tripped",
)
_event(
    *("residual_current.cleared", "It sees no residual current any more.", CONNECTOR),
    report=_wire("residual_current", value=False),
    effects="not residual_current.is_tripped",
)
_event("residual_current.test_passed", "Its self-test tripped it, and it recovered.", CONNECTOR)
_event("residual_current.test_failed", "Its self-test did not.", CONNECTOR)
_event(
    *("pilot.failed", "The control pilot, or the proximity contact, is as it must not be.", CONNECTOR),
    report=_pilot_failed,
    reason=one_of(*PILOT_WRONG),
    effects="pilot.is_wrong, any pilot.wrong",
)
_event(
    *("pilot.recovered", "It is as it should be.", CONNECTOR, _wire("pilot_wrong", value="")),
    effects="not pilot.is_wrong, any pilot.wrong",
)
_event(
    *("cable.rated", "What the plugged cable carries, by its proximity contact.", CONNECTOR, _cable_rated),
    amps=Field("number", required=False),
    effects="any cable.is_rated, any cable.amps",
)
_event(
    *("meter.failed", "Nothing plausible from the meter for 10 s; `meter.sampled` means it is well again."),
    *(CONNECTOR, _wire("meter_silent", value=True)),
    effects="meter.is_silent",
)
_event(
    *("door.opened", "The door of the housing is open.", STATION, _door(is_open=True)), effects="door.is_open"
)
_event(
    *("door.closed", "It is closed again.", STATION, _door(is_open=False)),
    effects="not door.is_open",
)
_event(
    *("temperature.sampled", "The temperature inside of the housing is another one.", STATION, _temperature),
    celsius=NUMBER,
    effects="temperature.is_known, any temperature.celsius",
)
_event(
    *("temperature.failed", "The thermometer does not answer.", STATION, _no_temperature),
    effects="not temperature.is_known, any temperature.celsius",
)
_event(
    *("reader.failed", "A card reader does not answer: that of a connector, or the one that serves all."),
    *(STATION, _reader(dead=True)),
    connector=PLACE,
    effects="perhaps reader.is_dead",
)
_event(
    *("reader.recovered", "It answers again.", STATION, _reader(dead=False)),
    connector=PLACE,
    effects="perhaps not reader.is_dead",
)
_event(
    *("hardware.failed", "The board cannot be relied on: a chip does not answer, pins contradict edges."),
    info=OPTIONAL_TEXT,
)


# -- facts ---------------------------------------------------------------------------------------------


@WORDS.fact("residual_current.is_tripped")
def residual_current_is_tripped(at: Situation, here: int, _event: Event) -> bool:
    """The residual-current monitor said tripped last."""
    return at.connectors[here].residual_current


@WORDS.fact("residual_current.trips", "number", nature="drifts")
def residual_current_trips(at: Situation, here: int, _event: Event) -> int:
    """How often it tripped in the last 24 h, by `residual_current.count`, since service; over restarts."""
    return len(at.latched.trips(here, at.time))


@WORDS.fact("current.percent", "number", nature="drifts")
def current_percent(at: Situation, here: int, _event: Event) -> float:
    """The largest phase current, in per cent of what the control pilot offers, or did 5 s ago; else 0."""
    connector = at.connectors[here]
    offered = connector.offered or 0.0
    if at.now.monotonic - connector.offered_since < FOLLOWS_WITHIN:
        offered = max(offered, connector.offered_before)
    return 100 * max(connector.reading.currents, default=0.0) / offered if offered else 0.0


def _voltages(connector: Connector) -> tuple[float, ...]:
    """In per cent of 230 V, of the phases that are connected; without a meter that knows all is well."""
    known = () if connector.meter_silent else connector.reading.voltages[: connector.plan.phases]
    return tuple(100 * volts / NOMINAL for volts in known) or (100.0,)


@WORDS.fact("voltage.lowest", "number", nature="drifts")
def voltage_lowest(at: Situation, here: int, _event: Event) -> float:
    """The lowest phase voltage, in per cent of 230 V; 100 when no meter says."""
    return min(_voltages(at.connectors[here]))


@WORDS.fact("voltage.highest", "number", nature="drifts")
def voltage_highest(at: Situation, here: int, _event: Event) -> float:
    """The highest phase voltage, in per cent of 230 V; 100 when no meter says."""
    return max(_voltages(at.connectors[here]))


@WORDS.fact("ev.connected")
def ev_connected(at: Situation, here: int, _event: Event) -> bool:
    """A car is at the other end of the cable, as far as the control pilot told."""
    return at.connectors[here].ev_connected


@WORDS.fact("pilot.is_wrong")
def pilot_is_wrong(at: Situation, here: int, _event: Event) -> bool:
    """The control pilot or the proximity contact is as it must not be."""
    return bool(at.connectors[here].pilot_wrong)


@WORDS.fact("pilot.wrong", "word", words=PILOT_WRONG)
def pilot_wrong(at: Situation, here: int, _event: Event) -> str | None:
    """What is wrong with it; none: nothing."""
    return at.connectors[here].pilot_wrong or None


@WORDS.fact("cable.is_rated")
def cable_is_rated(at: Situation, here: int, _event: Event) -> bool:
    """The proximity contact says what the plugged cable carries."""
    return at.connectors[here].cable_amps is not None


@WORDS.fact("cable.amps", "number")
def cable_amps(at: Situation, here: int, _event: Event) -> float | None:
    """What it carries, A per phase: 13, 20, 32 or 63."""
    return at.connectors[here].cable_amps


@WORDS.fact("meter.is_silent")
def meter_is_silent(at: Situation, here: int, _event: Event) -> bool:
    """Nothing plausible has come from the meter for 10 s."""
    return at.connectors[here].meter_silent


@WORDS.fact("door.is_open", scope=STATION)
def door_is_open(at: Situation, _here: int, _event: Event) -> bool:
    """The door of the housing is open."""
    return at.door


@WORDS.fact("temperature.is_known", scope=STATION)
def temperature_is_known(at: Situation, _here: int, _event: Event) -> bool:
    """The thermometer answers."""
    return at.temperature is not None


@WORDS.fact("temperature.celsius", "number", STATION, nature="drifts")
def temperature_celsius(at: Situation, _here: int, _event: Event) -> float | None:
    """Inside of the housing, °C; none while nobody knows."""
    return at.temperature


@WORDS.fact("reader.is_dead", scope=BOTH)
def reader_is_dead(at: Situation, here: int, _event: Event) -> bool:
    """The card reader of this connector does not answer; at the station: the one that serves all."""
    return here in at.dead_readers


# -- actions -------------------------------------------------------------------------------------------


@WORDS.action(
    "residual_current.test", answers=("residual_current.test_passed", "residual_current.test_failed")
)
def residual_current_test(at: Situation, here: int, _event: Event) -> None:
    """Let the residual-current monitor test itself; one that cannot passes."""
    at.send(ports.TestResidualCurrent(here))


@WORDS.action("residual_current.count", effects="any residual_current.trips")
def residual_current_count(at: Situation, here: int, _event: Event) -> None:
    """Remember, over restarts, that it has tripped."""
    at.latched.tripped(here, at.time)
