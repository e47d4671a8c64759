"""Words for what has wires: plug, car, control pilot, contactor, lock, interlocks, faults, lamp, display."""

from __future__ import annotations

from dataclasses import replace

from charger import ports
from charger.functions.faults import Fault
from charger.functions.metering import Reading
from charger.functions.situation import EMERGENCY, Situation
from charger.functions.status import WARNINGS
from charger.statechart.event import Event
from charger.statechart.words import Field
from charger.vocabulary.declare import (
    BOTH,
    CONNECTOR,
    NUMBER,
    OPTIONAL_TEXT,
    STATION,
    TEXT,
    Report,
    Words,
    one_of,
)

WORDS = Words()

ERRORS = (
    *("ConnectorLockFailure", "EVCommunicationError", "GroundFailure", "HighTemperature", "InternalError"),
    *("LocalListConflict", "NoError", "OtherError", "OverCurrentFailure", "OverVoltage", "PowerMeterFailure"),
    *("PowerSwitchFailure", "ReaderFailure", "ResetFailure", "UnderVoltage", "WeakSignal"),
)
"""errorCode of StatusNotification (OCPP 1.6 §7.6)."""
ERROR = one_of(*ERRORS)
FAULT = one_of(*(error for error in ERRORS if error not in WARNINGS and error != "NoError"))
_COLOURS = frozenset(
    {"off", "red", "orange", "yellow", "green", "cyan", "blue", "purple", "magenta", "white"}
)
LOOK = Field("text", phrase=(_COLOURS, frozenset({"blinking", "breathing", "flashing"}), frozenset()))
"""`colour [pattern [period]]` of a lamp."""


# -- reports -------------------------------------------------------------------------------------------


def _cable(present: bool) -> Report:
    def report(at: Situation, event: Event) -> None:
        connector = at.connectors[event.connector or 0]
        connector.cable = connector.ev_connected = present
        if not present:
            connector.ev_asks, connector.cable_amps = False, None

    return report


def _ev(connected: bool, *, asks: bool) -> Report:
    def report(at: Situation, event: Event) -> None:
        connector = at.connectors[event.connector or 0]
        connector.ev_connected, connector.ev_asks = connected, asks

    return report


def _contactor_closed(at: Situation, event: Event) -> None:
    at.connectors[event.connector or 0].contactor = "closed"


def _contactor_opened(at: Situation, event: Event) -> None:
    at.connectors[event.connector or 0].contactor = "open"


def _lock_engaged(at: Situation, event: Event) -> None:
    at.connectors[event.connector or 0].lock = "engaged"


def _lock_released(at: Situation, event: Event) -> None:
    at.connectors[event.connector or 0].lock = "released"


def _emergency(pressed: bool) -> Report:
    def report(at: Situation, _event: Event) -> None:
        at.emergency = pressed

    return report


def _fault_raised(at: Situation, event: Event) -> None:
    given = event.fields
    service = given.get("until") == "service"
    fault = Fault(
        str(given["error"]), str(given.get("info") or ""), str(given.get("vendorErrorCode") or ""), service
    )
    if given.get("latched"):
        at.latched.add(event.connector or 0, fault)  # once more: it may have been cleared in between
        return
    faults = at.connectors[event.connector].faults if event.connector else at.faults
    faults[fault.key] = fault


def _fault_cleared(at: Situation, event: Event) -> None:
    number = event.connector or 0
    error, vendor = event.fields.get("error"), event.fields.get("vendorErrorCode") or ""
    if event.fields.get("latched"):
        at.latched.clear(number, error, vendor)
        return
    faults = at.connectors[number].faults if number else at.faults
    for fault in list(faults.values()):
        if error in (None, fault.error) and vendor in ("", fault.vendor):
            del faults[fault.key]


def _service_cleared(at: Situation, event: Event) -> None:
    places = [0, *at.connectors] if event.connector is None else [event.connector]
    error = event.fields.get("error")
    for number in places:
        at.latched.clear(number, error, service=True)
        if error in (None, "GroundFailure"):
            at.latched.forgive(number)


def _sampled(at: Situation, event: Event) -> None:
    connector = at.connectors[event.connector or 0]
    given = event.fields
    connector.reading = Reading(
        float(given["energy"]),
        float(given["power"]),
        tuple(given.get("currents", ())),
        tuple(given.get("voltages", ())),
        connector.offered or 0.0,
    )
    connector.meter_silent = False


_event = WORDS.event
_event(
    *("cable.plugged", "A plug came into our socket, or the fixed cable into a car."),
    *(CONNECTOR, _cable(True)),
    effects="cable.present, ev.connected",
)
_event(
    *("cable.unplugged", "The plug left our socket, or the fixed cable the car.", CONNECTOR, _cable(False)),
    effects="not cable.present, not ev.connected, not ev.asks, not cable.is_rated, any cable.amps",
)
_event(
    *(
        "ev.unplugged",
        "The cable left the car; the plug is still in our socket.",
        CONNECTOR,
        _ev(False, asks=False),
    ),
    effects="not ev.connected, not ev.asks",
)
_event(
    *("ev.ready", "The car asks for energy (control pilot state C or D).", CONNECTOR, _ev(True, asks=True)),
    effects="ev.connected, ev.asks",
)
_event(
    *("ev.paused", "The car asks for no energy (control pilot state B).", CONNECTOR, _ev(True, asks=False)),
    effects="ev.connected, not ev.asks",
)
_event(
    *("contactor.closed", "The mirror contact says closed.", CONNECTOR, _contactor_closed),
    effects="contactor.is_closed",
)
_event(
    *("contactor.opened", "The mirror contact says open.", CONNECTOR, _contactor_opened),
    effects="not contactor.is_closed",
)
_event(
    *("lock.engaged", "The plug is locked in.", CONNECTOR, _lock_engaged),
    effects="lock.is_engaged",
)
_event(
    *("lock.released", "The plug is free.", CONNECTOR, _lock_released),
    effects="not lock.is_engaged",
)
_event("lock.failed", "The lock did not move.", CONNECTOR)
_event(
    *("emergency.pressed", "The emergency stop is pressed.", STATION, _emergency(True)),
    effects="emergency.is_pressed, fault.present, not interlocks.hold, station.faulty",
)
_event(
    *("emergency.released", "The emergency stop is pulled out again.", STATION, _emergency(False)),
    effects="not emergency.is_pressed, perhaps not fault.present, perhaps interlocks.hold,"
    " perhaps not station.faulty",
)
_event(
    *("fault.raised", "Something is wrong, here or with the station.", BOTH, _fault_raised),
    error=ERROR,
    info=OPTIONAL_TEXT,
    vendorErrorCode=OPTIONAL_TEXT,
    effects="perhaps fault.present, perhaps not interlocks.hold, perhaps station.faulty",
)
WELL = (
    "perhaps not fault.present, perhaps interlocks.hold, perhaps not station.faulty,"
    " perhaps not lock.is_faulty, perhaps not contactor.is_faulty, perhaps not current.is_faulty,"
    " perhaps not residual_current.is_faulty, perhaps not emergency.is_latched"
)
_event(
    *("fault.cleared", "It is well again; without `error`: everything that the hardware reported.", BOTH),
    report=_fault_cleared,
    error=one_of(*ERRORS, required=False),
    vendorErrorCode=OPTIONAL_TEXT,
    effects=WELL,
)
_event(
    *(
        "service.cleared",
        "Somebody has looked at what was wrong: nothing is latched here any more, or no `error`.",
    ),
    *(BOTH, _service_cleared),
    error=one_of(*ERRORS, required=False),
    effects=f"{WELL}, any residual_current.trips",
)
_event(
    *("meter.sampled", "The meter said something new.", CONNECTOR, _sampled),
    effects="not meter.is_silent, any transaction.energy, any transaction.energy_since_refused",
)


# -- facts ---------------------------------------------------------------------------------------------

WORDS.law(
    "fault.present or not lock.is_faulty",
    "fault.present or not contactor.is_faulty",
    "fault.present or not current.is_faulty",
    "fault.present or not residual_current.is_faulty",
    "fault.present or not emergency.is_latched",
    "fault.present or not emergency.is_pressed",
)


@WORDS.fact("cable.present")
def cable_present(at: Situation, here: int, _event: Event) -> bool:
    """A plug is in our socket; with a fixed cable: in the car."""
    return at.connectors[here].cable


@WORDS.fact("cable.fixed", nature="fixed")
def cable_fixed(at: Situation, here: int, _event: Event) -> bool:
    """The cable belongs to the charger: there is no lock."""
    return at.connectors[here].plan.fixed


@WORDS.fact("ev.asks")
def ev_asks(at: Situation, here: int, _event: Event) -> bool:
    """The car asks for energy: control pilot in state C or D (IEC 61851-1)."""
    return at.connectors[here].ev_asks


@WORDS.fact("ev.communicates")
def ev_communicates(at: Situation, here: int, _event: Event) -> bool:
    """The hardware reports no EVCommunicationError."""
    reported = at.connectors[here].faults.values()
    return all(fault.error != "EVCommunicationError" for fault in reported)


@WORDS.fact("contactor.is_closed")
def contactor_is_closed(at: Situation, here: int, _event: Event) -> bool:
    """The mirror contact said closed last."""
    return at.connectors[here].contactor == "closed"


@WORDS.fact("lock.is_engaged")
def lock_is_engaged(at: Situation, here: int, _event: Event) -> bool:
    """The lock said engaged last."""
    return at.connectors[here].lock == "engaged"


def _latched(at: Situation, here: int, error: str) -> bool:
    return any(fault.error == error for fault in at.latched.at(here).values())


@WORDS.fact("lock.is_faulty")
def lock_is_faulty(at: Situation, here: int, _event: Event) -> bool:
    """A ConnectorLockFailure is latched here."""
    return _latched(at, here, "ConnectorLockFailure")


@WORDS.fact("contactor.is_faulty")
def contactor_is_faulty(at: Situation, here: int, _event: Event) -> bool:
    """A PowerSwitchFailure is latched here."""
    return _latched(at, here, "PowerSwitchFailure")


@WORDS.fact("current.is_faulty")
def current_is_faulty(at: Situation, here: int, _event: Event) -> bool:
    """An OverCurrentFailure is latched here."""
    return _latched(at, here, "OverCurrentFailure")


@WORDS.fact("residual_current.is_faulty")
def residual_current_is_faulty(at: Situation, here: int, _event: Event) -> bool:
    """A GroundFailure is latched here."""
    return _latched(at, here, "GroundFailure")


@WORDS.fact("emergency.is_latched")
def emergency_is_latched(at: Situation, here: int, _event: Event) -> bool:
    """A fault with the vendorErrorCode of the emergency stop, CX008, is latched here."""
    return any(fault.vendor == EMERGENCY.vendor for fault in at.latched.at(here).values())


@WORDS.fact("emergency.is_pressed", scope=STATION)
def emergency_is_pressed(at: Situation, _here: int, _event: Event) -> bool:
    """The emergency stop is pressed."""
    return at.emergency


@WORDS.fact("interlocks.hold", means="not fault.present")
def interlocks_hold(at: Situation, here: int, _event: Event) -> bool:
    """No fault forbids voltage here, and the emergency stop is not pressed."""
    return all(at.interlocks(here).values())


@WORDS.fact("fault.present")
def fault_present(at: Situation, here: int, _event: Event) -> bool:
    """Something forbids charging here: a fault of this connector or of the station, or the emergency stop."""
    return not all(at.interlocks(here).values())


@WORDS.fact("station.faulty", scope=STATION)
def station_faulty(at: Situation, _here: int, _event: Event) -> bool:
    """Something is wrong with the station as a whole."""
    return bool(at.faults_at(0)) or at.emergency


@WORDS.fact("offer.amps", "number", nature="drifts")
def offer_amps(at: Situation, here: int, _event: Event) -> float:
    """What may be drawn here per phase, A: the smallest of all limits."""
    connector = at.connectors[here]
    return min((connector.plan.max_current, *connector.limits.values()))


@WORDS.fact("offer.changed", nature="drifts")
def offer_changed(at: Situation, here: int, event: Event) -> bool:
    """The control pilot says something else than `offer.amps`."""
    return bool(at.connectors[here].offered != offer_amps(at, here, event))


# -- actions -------------------------------------------------------------------------------------------


@WORDS.action(
    "contactor.close",
    answers=("contactor.closed",),
    steers="contactor",
    watches=("fault.raised", "emergency.pressed", "cable.unplugged"),
    lost="contactor.opened",
)
def contactor_close(at: Situation, here: int, _event: Event) -> None:
    """Energise the coil; how long to wait for the mirror contact is the chart's business."""
    at.send(ports.CloseContactor(here))


@WORDS.action("contactor.open", steers="contactor")
def contactor_open(at: Situation, here: int, _event: Event) -> None:
    """De-energise the coil."""
    at.send(ports.OpenContactor(here))


@WORDS.action("lock.engage", answers=("lock.engaged", "lock.failed"), steers="lock", lost="lock.released")
def lock_engage(at: Situation, here: int, _event: Event) -> None:
    """Lock the plug in."""
    at.send(ports.EngageLock(here))


@WORDS.action("lock.release", answers=("lock.released", "lock.failed"), steers="lock")
def lock_release(at: Situation, here: int, _event: Event) -> None:
    """Unlock the plug."""
    at.send(ports.ReleaseLock(here))


def _offer(at: Situation, here: int, amps: float | None) -> None:
    connector = at.connectors[here]
    if amps != connector.offered:
        connector.offered_before, connector.offered_since = connector.offered or 0.0, at.now.monotonic
    connector.offered = amps
    connector.reading = replace(connector.reading, offered=amps or 0.0)
    at.send(ports.OfferCurrent(here, amps))


@WORDS.action("pilot.offer", steers="pilot", effects="not offer.changed")
def pilot_offer(at: Situation, here: int, event: Event) -> None:
    """Offer `offer.amps` by PWM (IEC 61851-1: the car may draw)."""
    _offer(at, here, offer_amps(at, here, event))


@WORDS.action("pilot.withdraw", steers="pilot", effects="any offer.changed")
def pilot_withdraw(at: Situation, here: int, _event: Event) -> None:
    """Steady +12 V level: connected, nothing offered; the car stops drawing within 3 s."""
    _offer(at, here, 0.0)


@WORDS.action("pilot.refuse", steers="pilot", effects="any offer.changed")
def pilot_refuse(at: Situation, here: int, _event: Event) -> None:
    """State F, steady -12 V: this outlet is not available."""
    _offer(at, here, None)


@WORDS.action(
    "fault.raise",
    BOTH,
    error=FAULT,
    info=OPTIONAL_TEXT,
    vendorErrorCode=OPTIONAL_TEXT,
    until=one_of("cleared", "service", required=False),
    effects="fault.present, not interlocks.hold, perhaps station.faulty,"
    " lock.is_faulty if error == ConnectorLockFailure, contactor.is_faulty if error == PowerSwitchFailure,"
    " current.is_faulty if error == OverCurrentFailure, residual_current.is_faulty if error == GroundFailure,"
    " emergency.is_latched if vendorErrorCode == CX008",
)
def fault_raise(
    at: Situation,
    here: int,
    event: Event,
    *,
    error: str,
    info: str = "",
    vendorErrorCode: str = "",  # noqa: N803
    until: str = "cleared",
) -> None:
    """Latch a fault, over restarts too, until `fault.clear`; or until `service.cleared` and nothing else."""
    at.latched.add(here, Fault(error, info, vendorErrorCode, until == "service"))
    fields = {
        "error": error,
        "info": info,
        "vendorErrorCode": vendorErrorCode,
        "until": until,
        "latched": True,
    }
    at.charts.post(Event("fault.raised", here, fields, moment=event.moment))


@WORDS.action("fault.clear", BOTH, error=FAULT, vendorErrorCode=OPTIONAL_TEXT)
def fault_clear(
    at: Situation,
    here: int,
    event: Event,
    *,
    error: str,
    vendorErrorCode: str = "",  # noqa: N803
) -> None:
    """Clear a latched fault; without a vendorErrorCode all of that errorCode. Not what waits for service."""
    found = (fault for fault in at.latched.at(here).values() if fault.error == error and not fault.service)
    if any(vendorErrorCode in ("", fault.vendor) for fault in found):
        fields = {"error": error, "vendorErrorCode": vendorErrorCode, "latched": True}
        at.charts.post(Event("fault.cleared", here, fields, moment=event.moment))


@WORDS.action("offer.limit", effects="any offer.amps, any offer.changed", by=TEXT, amps=NUMBER)
def offer_limit(at: Situation, here: int, _event: Event, *, by: str, amps: float) -> None:
    """Allow at most so much per phase, A; of several limits the smallest counts. Below 6 A it is nothing."""
    at.connectors[here].limits[by] = amps


@WORDS.action("offer.reduce", effects="any offer.amps, any offer.changed", by=TEXT, percent=NUMBER)
def offer_reduce(at: Situation, here: int, _event: Event, *, by: str, percent: float) -> None:
    """`offer.limit` to so many per cent of what the installation allows."""
    connector = at.connectors[here]
    connector.limits[by] = connector.plan.max_current * percent / 100


@WORDS.action("offer.unlimit", effects="any offer.amps, any offer.changed", by=TEXT)
def offer_unlimit(at: Situation, here: int, _event: Event, *, by: str) -> None:
    """Take back the limit by that one."""
    at.connectors[here].limits.pop(by, None)


@WORDS.action("light.follow", open_arguments=LOOK, by_status=True, steers="lamp")
def light_follow(at: Situation, here: int, _event: Event, **looks: str) -> None:
    """The lamp follows the status: `Status: colour [pattern [period]]`."""
    connector = at.connectors[here]
    connector.looks = looks
    at.show(here, looks.get(at.charts.status(here), "off"))


@WORDS.action("light.show", steers="lamp", look=LOOK)
def light_show(at: Situation, here: int, _event: Event, *, look: str) -> None:
    """The lamp shows this until something else is said: `colour [pattern [period]]`."""
    at.connectors[here].looks = {}
    at.show(here, look)


@WORDS.action("panel.show", STATION, steers="display", text=TEXT)
def panel_show(at: Situation, _here: int, _event: Event, *, text: str) -> None:
    """One line for the person in front of the station; an empty one clears it."""
    if at.display != text:
        at.display = text
        at.send(ports.ShowText(text))
