"""Everything the charts can look at and act on: the durable facts, the wires, and the outbox of a step.

Events change it, guards look at it, actions leave commands in it. It decides nothing. `station.py` owns it
and hands its commands out; the vocabulary is written against it.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from charger import ports
from charger.functions import faults, metering, times
from charger.functions.authorization import Cache, TagInfo
from charger.functions.configuration import Configuration
from charger.functions.delivery import Message, Queue
from charger.functions.faults import Fault, Faults, Latched
from charger.functions.metering import Reading
from charger.functions.records import Records, as_fact
from charger.functions.status import WARNINGS, Notice, Notices, beside
from charger.functions.transactions import Transaction, Transactions
from charger.statechart.event import Event, Moment

MOST_WAITING = 16
"""Tags that wait to be considered; the oldest goes, for nobody waits so long."""
STOP_DATA = ("StopTxnSampledData", "StopTxnAlignedData")
"""The keys that say what transactionData holds."""
MOST_DRAWN = 10_000_000
"""Random numbers of one run: a checkpoint that says more is damaged, and they would be drawn for ever."""
BOGUS = 60.0
"""s by which a clock must be wrong for its timestamps to be corrected."""
EMERGENCY = Fault("OtherError", "emergency stop", "CX008")
"""What is told while no chart has said it."""


@dataclass(frozen=True, slots=True)
class ConnectorPlan:
    """What station.yaml says of one connector."""

    fixed: bool = False
    """The cable belongs to the charger; otherwise a socket with a lock."""
    phases: int = 3
    max_current: float = 32.0
    """A per phase that the installation allows."""
    own_reader: bool = False
    """It has a card reader of its own, as all the others have then; otherwise they share one."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What BootNotification tells (OCPP 1.6 §6.3), camelCase as on the wire."""

    vendor: str
    model: str
    extra: Mapping[str, str] = field(default_factory=dict)

    def payload(self) -> dict[str, str]:
        """The request."""
        return {"chargePointVendor": self.vendor, "chargePointModel": self.model, **self.extra}


@dataclass(slots=True)
class Connector:
    """The wires of one connector, as last reported. Starts afresh with the program."""

    plan: ConnectorPlan
    cable: bool = False
    """A plug is in our socket; with a fixed cable: in the car."""
    ev_connected: bool = False
    """A car is at the other end of the cable, as far as anybody told."""
    ev_asks: bool = False
    """Control pilot in state C or D."""
    pilot_wrong: str = ""
    """What is wrong with the control pilot or the proximity contact; empty: nothing."""
    cable_amps: float | None = None
    """A that the plugged cable carries, by its proximity contact; None: nobody said."""
    residual_current: bool = False
    """The monitor has tripped."""
    meter_silent: bool = False
    contactor: Literal["open", "closed", "unknown"] = "unknown"
    lock: Literal["engaged", "released", "unknown"] = "unknown"
    reading: Reading = field(default_factory=Reading)
    faults: Faults = field(default_factory=dict)
    """As the hardware reports them; warnings too."""
    tag: str | None = None
    """Authorized here, transaction not begun yet."""
    parent: str | None = None
    offered: float | None = 0.0
    """What the control pilot says now, A; None: state F."""
    offered_before: float = 0.0
    """What it said before."""
    offered_since: float = 0.0
    """Monotonic s at which it changed."""
    limits: dict[str, float] = field(default_factory=dict)
    """The most that the charts allow, A per phase, by the name that each gave its limit."""
    looks: Mapping[str, str] = field(default_factory=dict)
    """Status → look of the lamp; empty: the look was set by hand."""
    look: str = ""


@dataclass(frozen=True, slots=True)
class Considered:
    """The tag that is being decided upon."""

    tag: str | None = None
    connector: int | None = None
    """The connector it was presented for, if any."""
    parent: str | None = None
    remote: bool = False
    """By the Central System, not at a reader."""


class Charts(Protocol):
    """What the situation asks of the running charts."""

    def post(self, event: Event) -> None:
        """Hear it later in this step."""

    def key_written(self, key: str) -> None:
        """A configuration key has a new value."""

    def clock_set(self) -> None:
        """The wall clock was set."""

    def status(self, number: int) -> str:
        """The OCPP status of a connector, 0 for the station."""

    def forget_debts(self) -> None:
        """No owed answer can be given any more."""


class Situation:
    """All facts of one station."""

    def __init__(
        self,
        identity: Identity,
        plans: tuple[ConnectorPlan, ...],
        records: Records,
        configuration: Configuration,
        seed: int = 0,
    ) -> None:
        self.identity = identity
        self.records = records
        self.configuration = configuration
        self.connectors = {number: Connector(plan) for number, plan in enumerate(plans, start=1)}
        self.faults: Faults = {}
        """Faults of the station as a whole, as the hardware reports them."""
        self.warnings: dict[int, Faults] = {number: {} for number in (0, *self.connectors)}
        """As the charts have it: what does not prevent charging."""
        self.latched = Latched(records)
        self.emergency = False
        self.door = False
        """The door of the housing is open."""
        self.temperature: float | None = None
        """Inside the housing, °C; None: nobody knows."""
        self.dead_readers: list[int] = []
        """By connector; 0: the one that serves all."""
        self.storage_failed = False
        self.inputs: dict[tuple[str, int], bool] = {}
        self.outputs: dict[tuple[str, int], str] = {}
        self.transactions = Transactions(records)
        self.queue = Queue(records)
        self.cache = Cache(records)
        self.notices = {number: Notices() for number in (0, *self.connectors)}
        self.considered = Considered()
        self.waiting: deque[Considered] = deque(maxlen=MOST_WAITING)
        """Tags that will be considered next."""
        self.awaiting: deque[tuple[Considered, float]] = deque(maxlen=MOST_WAITING)
        """Accepted tags that wait for a plug, whichever it will be, and since when (monotonic s)."""
        self.taken = Considered()
        """The one that has just got its plug."""
        self.interval = 0.0
        """From the last BootNotification.conf, s."""
        self.display = ""
        self.ignoring_calls = False
        self.run = records.count("run")
        self.restart_reason = str(records.get("station", "restart") or "PowerLoss")
        records.put("station", "restart", None)
        self.restart_wanted = ""
        """Why the program was to start anew when it last was."""
        self.asked: dict[int, str] = {}
        """Token → the action of a CALL without an answer yet; ``queue`` for a queued message."""
        self.outbox: list[ports.Command] = []
        self.charts: Charts
        self.now = Moment()
        self._midnight: float | None = None
        """Epoch s at which our monotonic clock was 0, once the Central System has told the time."""
        self._random = random.Random(seed)  # noqa: S311 - spreads reconnects, hides nothing
        self._drawn = 0
        for running in self.transactions.all():
            if running.connector not in self.connectors:  # no chart is there any more to end it
                reason = running.ending or self.restart_reason
                self.stop(replace(running, ending=reason), Reading(), running.last_time)

    # -- checkpoint --------------------------------------------------------------------------------------

    def checkpoint(self) -> dict[str, Any]:
        """All facts between two steps, as JSON has them. Shares values, copies what changes in place."""
        return {
            "facts": [[fact.subject, fact.key, fact.value] for fact in self.records.all()],
            "connectors": {number: _wires(one) for number, one in self.connectors.items()},
            "inputs": [[name, number, on] for (name, number), on in self.inputs.items()],
            "outputs": [[name, number, state] for (name, number), state in self.outputs.items()],
            "notices": {number: _notices(one) for number, one in self.notices.items()},
            "considered": as_fact(self.considered),
            "taken": as_fact(self.taken),
            "waiting": [as_fact(one) for one in self.waiting],
            "awaiting": [[as_fact(one), since] for one, since in self.awaiting],
            "asked": list(self.asked.items()),
            "faults": faults.as_facts(self.faults),
            "warnings": {number: faults.as_facts(found) for number, found in self.warnings.items()},
            "now": [self.now.monotonic, self.now.wall],
            "midnight": self._midnight,
            "drawn": self._drawn,
            **{name: getattr(self, name) for name in _PLAIN},
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Be what a checkpoint says; on a situation that was built from its facts, and with the same seed."""
        self.records.restore(ports.Change(*fact) for fact in saved["facts"])
        for number, connector in self.connectors.items():
            _restore_wires(connector, saved["connectors"][str(number)])
            self.notices[number] = _notices_of(saved["notices"][str(number)])
        self.notices[0] = _notices_of(saved["notices"]["0"])
        self.inputs = {(name, number): on for name, number, on in saved["inputs"]}
        self.outputs = {(name, number): state for name, number, state in saved["outputs"]}
        self.considered, self.taken = Considered(**saved["considered"]), Considered(**saved["taken"])
        self.waiting.extend(Considered(**one) for one in saved["waiting"])
        self.awaiting.extend((Considered(**one), since) for one, since in saved["awaiting"])
        self.asked = {token: action for token, action in saved["asked"]}  # noqa: C416 - pairs of a list
        self.faults = faults.of(saved["faults"])
        self.warnings = {int(number): faults.of(found) for number, found in saved["warnings"].items()}
        self.now = Moment(*saved["now"])
        self._midnight = saved["midnight"]
        if not 0 <= saved["drawn"] <= MOST_DRAWN:
            raise ValueError("the checkpoint is damaged: nobody draws so many random numbers")
        for _ in range(saved["drawn"] - self._drawn):
            self.random()
        for name in _PLAIN:
            setattr(self, name, saved[name])

    # -- time --------------------------------------------------------------------------------------------

    def wall(self, moment: Moment) -> Moment:
        """The moment with the time of the Central System, once that is known.

        From then on it is counted on the monotonic clock: the machine may be set as anybody likes.
        """
        if self._midnight is None:
            return moment
        return Moment(moment.monotonic, moment.monotonic + self._midnight)

    @property
    def time(self) -> float:
        """Epoch s at the event at hand."""
        return self.wall(self.now).wall

    def set_time(self, seconds: float) -> None:
        """From now on the wall clock says so.

        A board without a clock battery boots with a time of its own. What it stamped before anybody told it
        better is stamped anew: how long ago that was is known.
        """
        slow = seconds - self.time
        if self._midnight is None and abs(slow) >= BOGUS:
            self._restamp(slow)
        self._midnight = seconds - self.now.monotonic
        self.charts.clock_set()

    def begin(self, moment: Moment) -> None:
        """The time of the event at hand. Until we are told the time, somebody may set the machine's clock."""
        before, self.now = self.now, moment
        jump = (moment.wall - moment.monotonic) - (before.wall - before.monotonic)
        if self._midnight is None and abs(jump) >= BOGUS:
            self._restamp(jump)
            self.charts.clock_set()

    def _restamp(self, slow: float) -> None:
        unheard = self.queue.unheard(under_way="queue" in self.asked.values())
        self.queue.restamp(self.run, slow, unheard)
        self.transactions.restamp(self.run, slow, unheard)

    def random(self) -> float:
        """From 0 to 1; the same sequence for the same seed, so that a run can be replayed."""
        self._drawn += 1
        return self._random.random()

    # -- what others command through the ensemble ----------------------------------------------------------

    def send(self, command: ports.Command) -> None:
        """Into the outbox of this step."""
        self.outbox.append(command)

    def start_timer(self, key: str, due: float) -> None:
        """See `ports.StartTimer`."""
        self.send(ports.StartTimer(key, due))

    def cancel_timer(self, key: str) -> None:
        """See `ports.CancelTimer`."""
        self.send(ports.CancelTimer(key))

    def reply(self, call: str, name: str, payload: dict[str, Any]) -> None:
        """Answer a CALL."""
        self.send(ports.Reply(call, name.removeprefix("ocpp."), payload))

    def reply_error(self, call: str, code: str, description: str = "") -> None:
        """Refuse a CALL."""
        self.send(ports.ReplyError(call, code, description))

    def call(
        self,
        token: int,
        action: str,
        payload: Mapping[str, Any],
        kind: str | None = None,
        unique_id: str | None = None,
    ) -> None:
        """Send a CALL; its answer comes back under the token."""
        self.asked[token] = kind or action
        timeout = self.configuration.number("MessageTimeout", 30)
        self.send(ports.Call(token, action, payload, float(timeout), unique_id))

    # -- facts that several words share ---------------------------------------------------------------------

    def faults_at(self, number: int) -> list[Fault]:
        """What is wrong with a connector (or the station, 0) and prevents charging: reported and latched."""
        own = self.connectors[number].faults if number else {}
        latched = self.latched.at(number) | (self.latched.at(0) if number else {})
        disk = {"": Fault("InternalError", "storage")} if self.storage_failed else {}
        found = {**disk, **self.faults, **own, **latched}
        return [fault for fault in found.values() if fault.error not in WARNINGS]

    def warnings_at(self, number: int) -> list[Fault]:
        """What is wrong there and prevents nothing: raised by charts, or reported and never a fault."""
        reported = self.connectors[number].faults if number else self.faults
        return [
            *self.warnings[number].values(),
            *(fault for fault in reported.values() if fault.error in WARNINGS),
        ]

    def interlocks(self, number: int) -> dict[str, bool]:
        """What must hold before voltage may be switched on here, by name."""
        return {"no_fault": not self.faults_at(number), "no_emergency_stop": not self.emergency}

    def note(self, number: int) -> None:
        """Keep time and register of a running transaction. A meter that was replaced takes nothing back."""
        running = self.transactions.on(number)
        if running and running.run == self.run:
            energy = max(self.connectors[number].reading.energy, running.last_energy)
            self.transactions.put(replace(running, last_time=self.time, last_energy=energy))

    def keep(self, running: Transaction, value: dict[str, Any] | None) -> None:
        """Keep a MeterValue, if there is one, for the transactionData of a transaction."""
        self.transactions.note(running, value, self._most_notes)

    @property
    def _most_notes(self) -> int:
        return self.configuration.number("StopTransactionMaxMeterValues", 100)

    def stop(self, running: Transaction, reading: Reading, time: float) -> None:
        """Put the StopTransaction of a transaction into the queue, and take it off the record.

        A clock that was set back does not let it end before it began.
        """
        time = max(time, running.started)
        energy = max(reading.energy, running.last_energy)
        final = replace(reading, energy=energy)
        for key in STOP_DATA:
            value = metering.sampled(final, self.configuration.value(key), "Transaction.End", time)
            self.keep(running, value)
        payload: dict[str, Any] = {
            "meterStop": metering.whole(energy),
            "timestamp": times.to_text(time),
            "reason": running.ending or "Other",
        }
        if running.stop_tag:
            payload["idTag"] = running.stop_tag
        notes = self.transactions.take_notes(running, self._most_notes)
        if notes and any(
            self.configuration.value(key) for key in STOP_DATA
        ):  # written empty meanwhile (§3.16.5)
            payload["transactionData"] = notes
        message = Message("StopTransaction", payload, running.number, running.connector, run=running.run)
        self.queue.append(message, time)
        self.transactions.close(running)

    def inoperative(self, number: int) -> bool:
        """ChangeAvailability said so, for this connector or for the station (§5.2)."""
        return any(self.records.get("availability", str(place)) for place in {0, number})

    def known(self, tag: str | None) -> TagInfo | None:
        """What is known here about a tag."""
        if not self.configuration.value("AuthorizationCacheEnabled"):
            return None
        return self.cache.find(tag, self.time)

    def learn(self, info: TagInfo) -> None:
        """The Central System said something about a tag."""
        if self.configuration.value("AuthorizationCacheEnabled"):
            self.cache.learn(info, self.time)

    # -- status and light --------------------------------------------------------------------------------

    def notice(self, number: int) -> Notice:
        """The present status as a notice; a fault names itself, and so does a warning."""
        status = self.charts.status(number)
        if status == "Faulted":
            wrong = self.faults_at(number) or [EMERGENCY] * self.emergency
            told = next(iter(wrong), Fault("InternalError"))
        else:
            beside_it = (fault for fault in self.warnings_at(number) if beside(fault.error, status))
            told = next(beside_it, Fault("NoError"))
        return Notice(status, told.error, told.info, told.vendor, self.time)

    def status_changed(self, number: int, status: str, event: Event) -> None:
        """To be told, and to be shown."""
        self.notices[number].add(self.notice(number))
        self.charts.post(Event("status.changed", number, {"status": status}, moment=event.moment))
        if number:
            connector = self.connectors[number]
            if connector.looks:
                self.show(number, connector.looks.get(status, connector.look))

    def rested(self) -> None:
        """A text, or another error, without a change of status to go with is told by itself."""
        for number, notices in self.notices.items():
            if notices.urgent or (notices.latest and self._another_error(number, notices.latest)):
                notices.add(self.notice(number))
                fields = {"status": self.charts.status(number)}
                self.charts.post(Event("status.changed", number, fields, moment=self.now))

    def _another_error(self, number: int, latest: Notice) -> bool:
        now = self.notice(number)
        if now.status == "Faulted" and not self.faults_at(number) and not self.emergency:
            return False  # well again; a status of its own follows
        other = (now.error, now.vendor) != (latest.error, latest.vendor) or now.info not in ("", latest.info)
        return other and now.status == latest.status

    def show(self, number: int, look: str) -> None:
        """Light the lamp of a connector; nothing when it looks so already."""
        connector = self.connectors[number]
        if connector.look != look:
            connector.look = look
            self.send(ports.ShowLight(number, look))


_PLAIN = (
    *(
        "emergency",
        "door",
        "temperature",
        "dead_readers",
        "storage_failed",
        "interval",
        "display",
        "ignoring_calls",
        "run",
    ),
    *("restart_reason", "restart_wanted"),
)
"""Of a situation: what a checkpoint has as it is."""


def _copied(value: Any) -> Any:
    return dict(value) if isinstance(value, dict) else value


def _wires(connector: Connector) -> dict[str, Any]:
    wires = {name: _copied(getattr(connector, name)) for name in Connector.__slots__ if name != "plan"}
    return {**wires, "reading": as_fact(connector.reading), "faults": faults.as_facts(connector.faults)}


def _restore_wires(connector: Connector, saved: Mapping[str, Any]) -> None:
    for name, value in saved.items():
        setattr(connector, name, _copied(value))
    reading = saved["reading"]
    phases = {name: tuple(reading[name]) for name in ("currents", "voltages")}
    connector.reading = Reading(**{**reading, **phases})
    connector.faults = faults.of(saved["faults"])


def _notices(notices: Notices) -> dict[str, Any]:
    told, latest = (notice and as_fact(notice) for notice in (notices.told, notices.latest))
    waiting = [as_fact(notice) for notice in notices.waiting]
    return {**as_fact(notices), "waiting": waiting, "told": told, "latest": latest}


def _notices_of(saved: Mapping[str, Any]) -> Notices:
    told, latest = (saved[name] and Notice(**saved[name]) for name in ("told", "latest"))
    waiting = [Notice(**notice) for notice in saved["waiting"]]
    return Notices(**{**saved, "waiting": waiting, "told": told, "latest": latest})


Report = Callable[[Situation, Event], None]
"""What an event does to the facts before a chart hears of it."""
