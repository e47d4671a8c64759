"""Words for the link, registration, the clock, availability, configuration, statuses and restarts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from charger import ports
from charger.functions import metering, times
from charger.functions.configuration import Key
from charger.functions.faults import Fault
from charger.functions.situation import Situation
from charger.functions.status import Notice
from charger.statechart import timing
from charger.statechart.evaluate import MINUTE_OF_DAY
from charger.statechart.event import Event
from charger.statechart.words import EventWord, Field
from charger.vocabulary.declare import (
    BOTH,
    CONNECTOR,
    OPTIONAL_TEXT,
    STATION,
    TEXT,
    Report,
    Words,
    one_of,
)
from charger.vocabulary.hardware import ERROR

WORDS = Words()

DEFAULT_INTERVAL = 60.0
"""Until the next BootNotification when the Central System names no interval, s (§4.2: our choice)."""
RESTARTS = ("HardReset", "SoftReset", "Reboot")


# -- link and registration -----------------------------------------------------------------------------


def _link_lost(at: Situation, _event: Event) -> None:
    at.charts.forget_debts()


def _stopping(at: Situation, _event: Event) -> None:
    if at.records.get("station", "restart") is None:
        at.records.put("station", "restart", "Reboot")
    for number in at.connectors:
        at.note(number)


def _restart_refused(at: Situation, _event: Event) -> None:
    at.records.put("station", "restart", None)


def _storage(failed: bool) -> Report:
    def report(at: Situation, _event: Event) -> None:
        at.storage_failed = failed

    return report


WORDS.event("link.opened", "The WebSocket to the Central System is open.")
WORDS.event("link.refused", "It could not be opened.", reason=OPTIONAL_TEXT)
WORDS.event(
    "link.lost",
    "It is closed, or no pong came.",
    STATION,
    _link_lost,
    reason=OPTIONAL_TEXT,
    effects="not debts",
)
WORDS.event("link.settings_changed", "URL, password or security profile are others now.")
WORDS.event(
    *("station.stopping", "The program is told to end.", STATION, _stopping),
    promises=frozenset({"station.end"}),
)
WORDS.event(
    *("restart.refused", "A new program could not start: what it reads is wrong.", STATION, _restart_refused),
    reason=OPTIONAL_TEXT,
)
WORDS.event(
    *("storage.failed", "The disk takes nothing; nothing is acknowledged.", STATION, _storage(True)),
    effects="fault.present, not interlocks.hold, station.faulty",
)
WORDS.event(
    *("storage.recovered", "It does again.", STATION, _storage(False)),
    effects="perhaps not fault.present, perhaps interlocks.hold, perhaps not station.faulty",
)
WORDS.event(
    "status.changed",
    "The status of a connector, or of the station, is another one.",
    BOTH,
    status=TEXT,
    effects="any status.unreported",
)


@WORDS.fact("registration.interval", "duration", STATION)
def registration_interval(at: Situation, _here: int, _event: Event) -> float:
    """What the Central System asked for in BootNotification.conf, s; when it named none, our own choice."""
    return at.interval if at.interval > 0 else DEFAULT_INTERVAL


@WORDS.fact("registration.accepted_once", scope=STATION)
def registration_accepted_once(at: Situation, _here: int, _event: Event) -> bool:
    """The Central System has accepted this station at least once; over restarts (§4.2.1)."""
    return bool(at.records.get("station", "accepted"))


@WORDS.fact(MINUTE_OF_DAY, "number", STATION, nature="drifts")
def minute_of_day(at: Situation, _here: int, _event: Event) -> int:
    """Minutes since local midnight; `clock.between` is the readable form."""
    return timing.minute_of_day(at.time)


@WORDS.action("link.connect", STATION, answers=("link.opened", "link.refused"), lost="link.lost")
def link_connect(at: Situation, _here: int, _event: Event) -> None:
    """Open the WebSocket."""
    at.send(ports.Connect())


@WORDS.action("link.close", STATION)
def link_close(at: Situation, _here: int, _event: Event) -> None:
    """Close it."""
    at.send(ports.Disconnect())


@WORDS.action("link.ping", STATION)
def link_ping(at: Situation, _here: int, _event: Event) -> None:
    """Send a ping; no pong within 5 s means `link.lost`."""
    at.send(ports.Ping())


@WORDS.action(
    "clock.set", STATION, effects="any clock.*, any tag.*, perhaps not queue.waiting, any queue.transmissions"
)
def clock_set(at: Situation, _here: int, event: Event) -> None:
    """Take the time from the answer at hand; a text that is no time changes nothing."""
    seconds = times.to_clock(event.fields.get("currentTime"))
    if seconds is not None:
        at.set_time(seconds)


@WORDS.action("registration.take_interval", STATION, effects="any keys")
def registration_take_interval(at: Situation, _here: int, event: Event) -> None:
    """HeartbeatInterval becomes the interval of the BootNotification.conf at hand; 0 changes nothing."""
    interval = int(event.fields.get("interval") or 0)
    key = at.configuration.find("HeartbeatInterval")
    if interval > 0 and key and at.configuration.value("HeartbeatInterval") != interval:
        at.configuration.write(key, str(interval))
        at.charts.key_written(key.name)


@WORDS.action("ocpp.ignore_calls", STATION, steers="calls")
def ocpp_ignore_calls(at: Situation, _here: int, _event: Event) -> None:
    """From now on the Central System's calls are not answered (registration Rejected, §4.2)."""
    at.ignoring_calls = True


@WORDS.action("ocpp.answer_calls", STATION, steers="calls")
def ocpp_answer_calls(at: Situation, _here: int, _event: Event) -> None:
    """They are answered again."""
    at.ignoring_calls = False


@WORDS.action(
    "station.restart", STATION, answers=("restart.refused",), reason=one_of(*RESTARTS, required=False)
)
def station_restart(at: Situation, _here: int, _event: Event, *, reason: str = "") -> None:
    """End the program and start it anew; the reason is on record. Without one: for the same as last time."""
    at.restart_wanted = reason or at.restart_wanted
    at.records.put("station", "restart", at.restart_wanted)
    at.send(ports.Restart(hard=at.restart_wanted == "HardReset"))


@WORDS.action("station.end", STATION)
def station_end(at: Situation, _here: int, _event: Event) -> None:
    """End the program."""
    at.send(ports.End())


# -- outgoing calls ------------------------------------------------------------------------------------


def _boot_answered(at: Situation, event: Event) -> None:
    at.interval = float(event.fields.get("interval") or 0)
    if event.fields.get("status") == "Accepted":
        at.records.put("station", "accepted", value=True)


_ASKERS = {"StatusNotification": BOTH, "MeterValues": CONNECTOR}


def _outgoing(
    action: str, *, has_status: bool, report: Any = None, effects: str = "", refusal: str = ""
) -> tuple[str, ...]:
    """Declare the answers of a CALL of ours."""
    name = f"ocpp.{action}"
    good = "status Accepted" if has_status else "the answer"
    WORDS.event(
        f"{name}.accepted",
        f"{action}.conf: {good}.",
        _ASKERS.get(action, STATION),
        report,
        effects=effects,
    )
    if has_status:
        told = f"{action}.conf: another status."
        WORDS.event(f"{name}.refused", told, STATION, report, effects=refusal, status=TEXT)
    WORDS.event(
        f"{name}.failed",
        f"{action}: CALLERROR, unreadable answer, no answer in MessageTimeout, or no link.",
        _ASKERS.get(action, STATION),
        cause=one_of("error", "timeout", "offline"),
    )
    kinds = ("accepted", "refused", "failed") if has_status else ("accepted", "failed")
    return tuple(f"{name}.{kind}" for kind in kinds)


@WORDS.action(
    "ocpp.BootNotification",
    STATION,
    answers=_outgoing(
        "BootNotification",
        has_status=True,
        report=_boot_answered,
        effects="registration.accepted_once, any registration.interval",
        refusal="any registration.interval",
    ),
    correlated=True,
)
def boot_notification(at: Situation, _here: int, _event: Event, *, token: int) -> None:
    """Who we are (§4.2)."""
    at.call(token, "BootNotification", at.identity.payload())


@WORDS.action("ocpp.Heartbeat", STATION, answers=_outgoing("Heartbeat", has_status=False), correlated=True)
def heartbeat(at: Situation, _here: int, _event: Event, *, token: int) -> None:
    """We live; what time is it (§4.6)?"""
    at.call(token, "Heartbeat", {})


@WORDS.action(
    "ocpp.Authorize", STATION, answers=_outgoing("Authorize", has_status=True), correlated=True, idTag=TEXT
)
def authorize(at: Situation, _here: int, _event: Event, *, token: int, idTag: str) -> None:  # noqa: N803
    """May this tag charge (§4.1)?"""
    at.call(token, "Authorize", {"idTag": idTag})


@WORDS.action(
    "ocpp.StatusNotification",
    BOTH,
    answers=_outgoing("StatusNotification", has_status=False),
    correlated=True,
)
def status_notification(at: Situation, here: int, _event: Event, *, token: int) -> None:
    """The oldest status not told yet (§4.9)."""
    notice = at.notices[here].tell() or at.notice(here)
    at.call(token, "StatusNotification", status_payload(here, notice))


@WORDS.action(
    "ocpp.MeterValues",
    CONNECTOR,
    answers=_outgoing("MeterValues", has_status=False),
    correlated=True,
)
def meter_values(at: Situation, here: int, _event: Event, *, token: int) -> None:
    """What the meter says now, because the Central System asks; past the queue (§5.17, errata 3.46)."""
    running = at.transactions.on(here)
    identifier = at.queue.bound(running.number) if running else None
    measurands = at.configuration.value("MeterValuesSampledData")
    value = metering.sampled_or_register(at.connectors[here].reading, measurands, "Trigger", at.time)
    payload: dict[str, Any] = {"connectorId": here, "meterValue": [value]}
    if identifier is not None:
        payload["transactionId"] = identifier
    at.call(token, "MeterValues", payload)


def status_payload(number: int, notice: Notice) -> dict[str, Any]:
    """A notice as StatusNotification.req."""
    payload: dict[str, Any] = {
        "connectorId": number,
        "errorCode": notice.error,
        "status": notice.status,
        "timestamp": times.to_text(notice.time),
    }
    if notice.info:
        payload["info"] = notice.info[:50]
    if notice.vendor:
        payload["vendorErrorCode"] = notice.vendor
    return payload


# -- status --------------------------------------------------------------------------------------------


@WORDS.fact("status.unreported", scope=BOTH, nature="drifts")
def status_unreported(at: Situation, here: int, _event: Event) -> bool:
    """There is a change of status that the Central System has not been told."""
    return bool(at.notices[here].waiting)


@WORDS.action("status.info", BOTH, info=TEXT, status=OPTIONAL_TEXT)
def status_info(at: Situation, here: int, _event: Event, *, info: str, status: str = "") -> None:
    """A text that goes with the next change of status, or with none unless that is a change to `status`."""
    at.notices[here].info, at.notices[here].info_for = info, status


@WORDS.action("status.tell", BOTH, info=TEXT)
def status_tell(at: Situation, here: int, _event: Event, *, info: str) -> None:
    """Tell a text now: with the change of status in this step, or with the present one if there is none."""
    at.notices[here].info, at.notices[here].info_for, at.notices[here].urgent = info, "", True


@WORDS.action("warning.raise", BOTH, error=ERROR, info=OPTIONAL_TEXT, vendorErrorCode=OPTIONAL_TEXT)
def warning_raise(
    at: Situation,
    here: int,
    _event: Event,
    *,
    error: str,
    info: str = "",
    vendorErrorCode: str = "",  # noqa: N803
) -> None:
    """Tell of an error that does not prevent charging beside every status, until it is cleared (§4.9)."""
    fault = Fault(error, info, vendorErrorCode)
    at.warnings[here][fault.key] = fault


@WORDS.action("warning.clear", BOTH, error=ERROR, vendorErrorCode=OPTIONAL_TEXT)
def warning_clear(
    at: Situation,
    here: int,
    _event: Event,
    *,
    error: str,
    vendorErrorCode: str = "",  # noqa: N803
) -> None:
    """It is well again; told if it was."""
    at.warnings[here].pop(Fault(error, vendor=vendorErrorCode).key, None)


@WORDS.action("status.ask", BOTH, effects="status.unreported")
def status_ask(at: Situation, here: int, _event: Event) -> None:
    """Tell the present status once more: somebody asked."""
    at.notices[here].add(replace(at.notice(here), asked=True))


@WORDS.action("status.collapse", BOTH, effects="perhaps not status.unreported")
def status_collapse(at: Situation, here: int, _event: Event) -> None:
    """Of the changes not told yet only the newest counts; none when it is what was told last."""
    at.notices[here].collapse(at.time)


@WORDS.action("status.reported", BOTH, effects="perhaps not status.unreported")
def status_reported(at: Situation, here: int, _event: Event) -> None:
    """The oldest change not told yet has been told."""
    at.notices[here].told_one()


# -- availability --------------------------------------------------------------------------------------


@WORDS.fact("availability.inoperative", scope=BOTH)
def availability_inoperative(at: Situation, here: int, _event: Event) -> bool:
    """ChangeAvailability said Inoperative, for this connector or for the station; over restarts."""
    return at.inoperative(here)


@WORDS.action(
    "availability.set",
    BOTH,
    type=one_of("Inoperative", "Operative"),
    effects="availability.inoperative if type == Inoperative,"
    " perhaps not availability.inoperative if type == Operative",
)
def availability_set(at: Situation, here: int, _event: Event, **given: str) -> None:
    """Keep what ChangeAvailability said; Operative for the station is Operative for all its connectors."""
    inoperative = given["type"] == "Inoperative"
    places = at.notices if here == 0 and not inoperative else (here,)
    for place in places:
        at.records.put("availability", str(place), inoperative or None)


# -- configuration -------------------------------------------------------------------------------------


def _key(at: Situation, event: Event) -> Key | None:
    return at.configuration.find(str(event.fields.get("key") or ""))


@WORDS.fact("configuration.known", scope=STATION, nature="event")
def configuration_known(at: Situation, _here: int, event: Event) -> bool:
    """`event.key` is a configuration key of this station."""
    return _key(at, event) is not None


@WORDS.fact("configuration.readonly", scope=STATION, nature="event")
def configuration_readonly(at: Situation, _here: int, event: Event) -> bool:
    """The Central System may not write it."""
    key = _key(at, event)
    return key is not None and not at.configuration.writable(key)


@WORDS.fact("configuration.valid", scope=STATION, nature="event")
def configuration_valid(at: Situation, _here: int, event: Event) -> bool:
    """`event.value` may be its value: type, range, items."""
    key = _key(at, event)
    return key is not None and at.configuration.valid(key, str(event.fields.get("value")))


@WORDS.fact("configuration.needs_restart", scope=STATION, nature="event")
def configuration_needs_restart(at: Situation, _here: int, event: Event) -> bool:
    """A new value takes effect after a restart only."""
    key = _key(at, event)
    return key is not None and key.reboot


@WORDS.action(
    "configuration.set", STATION, key=TEXT, value=TEXT, effects="any keys, any configuration.*, any tag.*"
)
def configuration_set(at: Situation, _here: int, _event: Event, *, key: str, value: str) -> None:
    """Keep a valid value; timers named after the key run anew from their beginning."""
    found = at.configuration.find(key)
    if found:
        at.configuration.write(found, value)
        at.charts.key_written(found.name)


@WORDS.fact("cache.offered", scope=STATION, nature="fixed")
def cache_offered(at: Situation, _here: int, _event: Event) -> bool:
    """There is an Authorization Cache, in use or not: the key AuthorizationCacheEnabled is offered."""
    return at.configuration.find("AuthorizationCacheEnabled") is not None


@WORDS.action("cache.clear", STATION, effects="any tag.*")
def cache_clear(at: Situation, _here: int, _event: Event) -> None:
    """Empty the Authorization Cache (§5.4)."""
    at.cache.clear()


@WORDS.answer("configuration.read", "ocpp.GetConfiguration", key=OPTIONAL_TEXT)
def configuration_read(
    at: Situation, _here: int, _event: Event, *, key: list[str] | None = None
) -> Mapping[str, Any]:
    """The keys asked for, all when none is; names that do not exist are unknownKey (§5.8)."""
    configuration = at.configuration
    found = [configuration.find(name) for name in key] if key else list(configuration.offered())
    payload: dict[str, Any] = {
        "configurationKey": [
            {
                "key": one.name,
                "readonly": not configuration.writable(one),
                "value": configuration.text(one.name)[:500],
            }
            for one in found
            if one
        ]
    }
    unknown = [name for name in key or () if configuration.find(name) is None]
    if unknown:
        payload["unknownKey"] = unknown
    return payload


# -- calls from the Central System ---------------------------------------------------------------------

ACCEPT = frozenset({"Accepted", "Rejected"})
NONE: frozenset[str] = frozenset()
_CALL = {
    "RemoteStartTransaction": (ACCEPT, "Start a transaction (§5.11).", "idTag connectorId? chargingProfile?"),
    "RemoteStopTransaction": (ACCEPT, "Stop one (§5.12).", "transactionId"),
    "UnlockConnector": (
        frozenset({"Unlocked", "UnlockFailed", "NotSupported"}),
        *("Release the cable lock (§5.18).", "connectorId"),
    ),
    "ChangeConfiguration": (
        frozenset({"Accepted", "Rejected", "RebootRequired", "NotSupported"}),
        *("Write a key (§5.3).", "key value"),
    ),
    "GetConfiguration": (NONE, "Read keys (§5.8).", "key?"),
    "ClearCache": (ACCEPT, "Empty the Authorization Cache (§5.4).", ""),
    "DataTransfer": (
        frozenset({"Accepted", "Rejected", "UnknownMessageId", "UnknownVendorId"}),
        *("Something of a vendor's own (§5.6).", "vendorId messageId? data?"),
    ),
    "CancelReservation": (ACCEPT, "End a reservation (§5.1).", "reservationId"),
    "ReserveNow": (
        frozenset({"Accepted", "Faulted", "Occupied", "Rejected", "Unavailable"}),
        *("Keep a connector for a tag (§5.13).", "connectorId expiryDate idTag parentIdTag? reservationId"),
    ),
    "ClearChargingProfile": (
        frozenset({"Accepted", "Unknown"}),
        *("Remove charging profiles (§5.5).", "id? connectorId? chargingProfilePurpose? stackLevel?"),
    ),
    "SetChargingProfile": (
        frozenset({"Accepted", "Rejected", "NotSupported"}),
        *("Limit the current over time (§5.16).", "connectorId csChargingProfiles"),
    ),
    "GetCompositeSchedule": (
        ACCEPT,
        "What will be allowed (§5.7).",
        "connectorId duration chargingRateUnit?",
    ),
    "GetDiagnostics": (NONE, "Upload logs (§5.9).", "location retries? retryInterval? startTime? stopTime?"),
    "UpdateFirmware": (NONE, "Load new firmware (§5.19).", "location retries? retrieveDate retryInterval?"),
    "GetLocalListVersion": (NONE, "Which local list is here (§5.10).", ""),
    "SendLocalList": (
        frozenset({"Accepted", "Failed", "NotSupported", "VersionMismatch"}),
        *("Change the local list (§5.15).", "listVersion localAuthorizationList? updateType"),
    ),
}

for _name, (_replies, _description, _written) in _CALL.items():
    _fields = {field.rstrip("?"): Field(required=not field.endswith("?")) for field in _written.split()}
    # What names no connector and no transaction never reaches a connector's chart (Station._addressed).
    _scope = BOTH if {"connectorId", "transactionId"} & set(_fields) else STATION
    WORDS.events[f"ocpp.{_name}"] = EventWord(f"ocpp.{_name}", _description, _scope, _fields, None, _replies)
WORDS.event(
    *("ocpp.Reset", "Restart (§5.14).", STATION, None, ACCEPT),
    promises=frozenset({"station.restart", "station.end"}),
    type=one_of("Hard", "Soft"),
)
WORDS.event(
    *("ocpp.TriggerMessage", "Send a message now (§5.17).", BOTH, None),
    frozenset({"Accepted", "Rejected", "NotImplemented"}),
    requestedMessage=one_of(
        *("BootNotification", "DiagnosticsStatusNotification", "FirmwareStatusNotification", "Heartbeat"),
        *("MeterValues", "StatusNotification"),
    ),
    connectorId=Field("number", required=False),
)
WORDS.event(
    *("ocpp.ChangeAvailability", "Take into or out of operation (§5.2).", BOTH, None),
    frozenset({"Accepted", "Rejected", "Scheduled"}),
    connectorId=Field("number"),
    type=one_of("Inoperative", "Operative"),
)
