"""Words for cards, authorization, transactions, their messages and their meter values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from charger.functions import authorization, metering, times
from charger.functions.authorization import same
from charger.functions.delivery import GIVEN_UP, Message
from charger.functions.metering import Reading
from charger.functions.situation import STOP_DATA, Considered, Situation
from charger.functions.transactions import Transaction
from charger.statechart.event import Event
from charger.statechart.words import Field
from charger.vocabulary.declare import (
    CONNECTOR,
    OPTIONAL_TEXT,
    PLACE,
    STATION,
    TEXT,
    Words,
    one_of,
)

WORDS = Words()

REASONS = (
    *("DeAuthorized", "EVDisconnected", "EmergencyStop", "HardReset", "Local", "Other", "PowerLoss"),
    *("Reboot", "Remote", "SoftReset", "UnlockCommand"),
)
"""Why a transaction ends (OCPP 1.6 §7.36)."""
CONTEXTS = ("Sample.Periodic", "Sample.Clock", "Trigger", "Interruption.Begin", "Interruption.End", "Other")


# -- cards and tags ------------------------------------------------------------------------------------

WORDS.event(*("card.presented", "Somebody held a card to the reader."), tag=TEXT, connector=PLACE)


def _served(event: Event, number: int) -> bool:
    """Whether the reader at which the card is serves that connector."""
    return event.fields.get("connector") in (None, number)


def _running_with(at: Situation, event: Event) -> Transaction | None:
    tag = str(event.fields.get("tag"))
    running = (one for one in at.transactions.all() if same(one.tag, tag))
    return next((one for one in running if _served(event, one.connector)), None)


def _pending_with(at: Situation, event: Event) -> int | None:
    tag = str(event.fields.get("tag"))
    pending = (number for number, one in at.connectors.items() if same(one.tag, tag))
    return next((number for number in pending if _served(event, number)), None)


def _locked_in(at: Situation) -> Iterator[int]:
    """Where the plug of a transaction that has ended is kept."""
    yield from (number for number in at.connectors if at.transactions.last(number).get("held"))


def _held_for(at: Situation, event: Event) -> int | None:
    last, tag = at.transactions.last, str(event.fields.get("tag"))
    held = (number for number in _locked_in(at) if same(last(number).get("tag"), tag))
    return next((number for number in held if _served(event, number)), None)


@WORDS.fact("card.runs_transaction", scope=STATION, nature="event")
def card_runs_transaction(at: Situation, _here: int, event: Event) -> bool:
    """A transaction was started with the card at the reader."""
    return _running_with(at, event) is not None


@WORDS.fact("card.waits_for_plug", scope=STATION, nature="event")
def card_waits_for_plug(at: Situation, _here: int, event: Event) -> bool:
    """The card at the reader is authorized for a connector where no transaction has begun."""
    return _pending_with(at, event) is not None


@WORDS.fact("card.held_cable", scope=STATION, nature="event")
def card_held_cable(at: Situation, _here: int, event: Event) -> bool:
    """A plug is kept locked in whose transaction has ended, and was started with the card at the reader."""
    return _held_for(at, event) is not None


@WORDS.fact("card.connector", "connector", STATION, nature="event")
def card_connector(at: Situation, _here: int, event: Event) -> int | None:
    """The connector that the card at the reader has to do with: running, waiting, or still locked."""
    running = _running_with(at, event)
    return running.connector if running else _pending_with(at, event) or _held_for(at, event)


@WORDS.fact("group.runs_transaction", scope=STATION, nature="event")
def group_runs_transaction(at: Situation, _here: int, event: Event) -> bool:
    """A transaction that the reader serves has a parentIdTag: another card of its group might stop it."""
    return any(one.parent and _served(event, one.connector) for one in at.transactions.all())


def _parent(at: Situation, tag: str | None) -> str | None:
    """The parentIdTag of a tag: as Authorize.conf has told it, else as it is known here."""
    for told in (at.considered, at.taken):
        if told.parent and same(told.tag, tag):
            return told.parent
    known = at.known(tag)
    return known.parent if known else None


def _group(at: Situation) -> Transaction | None:
    parent, place = _parent(at, at.considered.tag), at.considered.connector
    group = (one for one in at.transactions.all() if same(one.parent, parent))
    return next((one for one in group if place in (None, one.connector)), None)


@WORDS.fact("tag.id", "text", STATION)
def tag_id(at: Situation, _here: int, _event: Event) -> str | None:
    """The tag under consideration."""
    return at.considered.tag


@WORDS.fact("tag.known", scope=STATION)
def tag_known(at: Situation, _here: int, _event: Event) -> bool:
    """The tag under consideration is in the Authorization Cache, whatever it says."""
    return at.known(at.considered.tag) is not None


@WORDS.fact("tag.known_valid", scope=STATION, nature="drifts")
def tag_known_valid(at: Situation, _here: int, _event: Event) -> bool:
    """The tag under consideration is in the Authorization Cache as Accepted, and has not expired."""
    known = at.known(at.considered.tag)
    return known is not None and known.status == "Accepted"


@WORDS.fact("tag.stops_group", scope=STATION)
def tag_stops_group(at: Situation, _here: int, _event: Event) -> bool:
    """The tag under consideration has the same parentIdTag as a running transaction."""
    return _group(at) is not None


@WORDS.fact("tag.group_connector", "connector", STATION)
def tag_group_connector(at: Situation, _here: int, _event: Event) -> int | None:
    """The connector of that transaction."""
    group = _group(at)
    return group.connector if group else None


@WORDS.fact("tag.for_connector", scope=STATION)
def tag_for_connector(at: Situation, _here: int, _event: Event) -> bool:
    """The tag under consideration was presented for one certain connector."""
    return at.considered.connector is not None


@WORDS.fact("tag.connector", "connector", STATION)
def tag_connector(at: Situation, _here: int, _event: Event) -> int | None:
    """The connector that the tag under consideration was presented for."""
    return at.considered.connector


@WORDS.fact("tag.remote", scope=STATION)
def tag_remote(at: Situation, _here: int, _event: Event) -> bool:
    """The Central System named the tag under consideration; nobody is at the reader."""
    return at.considered.remote


@WORDS.fact("tag.held_connector", "connector", STATION)
def tag_held_connector(at: Situation, _here: int, _event: Event) -> int | None:
    """Where a plug is kept locked in after a transaction of the group of the tag under consideration."""
    parent, last = _parent(at, at.considered.tag), at.transactions.last
    return next((number for number in _locked_in(at) if same(last(number).get("parent"), parent)), None)


@WORDS.action(
    "tag.consider",
    STATION,
    tag=TEXT,
    connector=PLACE,
    remote=Field("bool", required=False),
    effects="any tag.*",
)
def tag_consider(
    at: Situation, _here: int, _event: Event, *, tag: str, connector: int | None = None, remote: bool = False
) -> None:
    """Take a tag under consideration: for one connector if one is given; `remote` if nobody presented it."""
    at.considered = Considered(tag, connector, remote=remote)


@WORDS.action("plug.await", STATION, effects="plug.awaited, any plug.awaited_for, any card.*")
def plug_await(at: Situation, _here: int, _event: Event) -> None:
    """The tag under consideration waits for a plug, at whichever connector the next one comes."""
    at.awaiting.append((at.considered, at.now.monotonic))


@WORDS.fact("plug.awaited", scope=STATION)
def plug_awaited(at: Situation, _here: int, _event: Event) -> bool:
    """An accepted tag waits for the next plug."""
    return bool(at.awaiting)


@WORDS.fact("plug.awaited_for", "number", STATION, nature="drifts")
def plug_awaited_for(at: Situation, _here: int, _event: Event) -> float:
    """How many s the tag that has waited longest for the next plug has waited; 0 when none does."""
    return at.now.monotonic - at.awaiting[0][1] if at.awaiting else 0.0


@WORDS.action(
    "plug.take",
    STATION,
    effects="perhaps not plug.awaited, any plug.awaited_for, any plug.tag, any card.*",
)
def plug_take(at: Situation, _here: int, _event: Event) -> None:
    """The tag that has waited longest waits no longer: it is `plug.tag` now."""
    at.taken, _ = at.awaiting.popleft()


@WORDS.fact("plug.tag", "text", STATION)
def plug_tag(at: Situation, _here: int, _event: Event) -> str | None:
    """The tag that waited last for a plug and got it, or gave up."""
    return at.taken.tag


@WORDS.fact("card.awaits_plug", scope=STATION, nature="event")
def card_awaits_plug(at: Situation, _here: int, event: Event) -> bool:
    """The card at the reader is accepted and waits for the next plug."""
    return any(same(one.tag, str(event.fields.get("tag"))) for one, _ in at.awaiting)


@WORDS.action(
    "plug.give_up",
    STATION,
    effects="perhaps not plug.awaited, any plug.awaited_for, any card.*",
    tag=TEXT,
)
def plug_give_up(at: Situation, _here: int, _event: Event, *, tag: str) -> None:
    """That tag waits no longer."""
    for waiting in [waiting for waiting in at.awaiting if same(waiting[0].tag, tag)]:
        at.awaiting.remove(waiting)


@WORDS.fact("tag.waiting", scope=STATION)
def tag_waiting(at: Situation, _here: int, _event: Event) -> bool:
    """Somebody came while another tag was under consideration."""
    return bool(at.waiting)


@WORDS.action(
    "tag.wait",
    STATION,
    tag=TEXT,
    connector=PLACE,
    remote=Field("bool", required=False),
    effects="tag.waiting",
)
def tag_wait(
    at: Situation, _here: int, _event: Event, *, tag: str, connector: int | None = None, remote: bool = False
) -> None:
    """Consider a tag after those that came before it."""
    at.waiting.append(Considered(tag, connector, remote=remote))


@WORDS.action("tag.next", STATION, effects="any tag.*")
def tag_next(at: Situation, _here: int, _event: Event) -> None:
    """Take the tag that has waited longest under consideration."""
    at.considered = at.waiting.popleft()


@WORDS.action("tag.learn", STATION, effects="any tag.*")
def tag_learn(at: Situation, _here: int, event: Event) -> None:
    """Keep what the Authorize.conf at hand says of the tag under consideration."""
    if at.considered.tag is None:
        return
    info = authorization.from_wire(at.considered.tag, event.fields.get("idTagInfo") or {})
    at.considered = replace(at.considered, parent=info.parent)
    at.learn(info)


# -- session and transaction ---------------------------------------------------------------------------

WORDS.law("transaction.open or not transaction.ending", "transaction.open or not transaction.valid")


def _start_answered(at: Situation, message: Message, payload: dict[str, Any], event: Event) -> None:
    """A StartTransaction.conf: the id is bound, the tag learnt, a running transaction accepted or refused."""
    info = authorization.from_wire(str(message.payload["idTag"]), payload["idTagInfo"])
    at.learn(info)
    if message.transaction is None:
        return
    at.queue.bind(message.transaction, int(payload["transactionId"]))
    running = at.transactions.numbered(message.transaction)
    if running is None:
        return
    at.transactions.put(replace(running, parent=running.parent or info.parent))
    name = "transaction.accepted" if info.status == "Accepted" else "transaction.refused"
    at.charts.post(Event(name, running.connector, {"status": info.status}, moment=event.moment))


def _refused(at: Situation, event: Event) -> None:
    """With the event, not before: no chart may see a refused tag that nobody has told it of."""
    connector = at.connectors[event.connector or 0]
    running = at.transactions.on(event.connector or 0)
    if running:
        status, energy = str(event.fields["status"]), connector.reading.energy
        at.transactions.put(replace(running, refused=status, energy_when_refused=energy))


def _answered(at: Situation, event: Event) -> None:
    message = at.queue.first()
    payload = dict(event.fields)
    if message and message.action == "StartTransaction":
        _start_answered(at, message, payload, event)
    elif (
        message
        and message.action == "StopTransaction"
        and payload.get("idTagInfo")
        and message.payload.get("idTag")
    ):
        at.learn(authorization.from_wire(str(message.payload["idTag"]), payload["idTagInfo"]))


WORDS.event(
    *("transaction.accepted", "The Central System accepted the tag of a running transaction.", CONNECTOR),
    status=TEXT,
)
WORDS.event(
    *(
        "transaction.refused",
        "The Central System refused the tag of a running transaction.",
        CONNECTOR,
        _refused,
    ),
    status=one_of("Blocked", "Expired", "Invalid", "ConcurrentTx"),
    effects="not transaction.valid, any transaction.energy, any transaction.energy_since_refused",
)
WORDS.event(
    "queue.answered",
    "The Central System took the message that was sent.",
    STATION,
    _answered,
    effects="any tag.*, any card.*, any group.*",
)
WORDS.event(*("queue.failed", "It did not."), cause=one_of("error", "timeout", "offline"))


@WORDS.fact("session.reason", "word", words=REASONS)
def session_reason(at: Situation, here: int, _event: Event) -> str | None:
    """Why the last transaction here ended."""
    return at.transactions.last(here).get("reason")


@WORDS.fact("session.holds_cable")
def session_holds_cable(at: Situation, here: int, _event: Event) -> bool:
    """The plug of the last transaction is kept locked in until somebody may take it; over restarts."""
    return bool(at.transactions.last(here).get("held"))


@WORDS.action(
    "session.hold_cable",
    effects="session.holds_cable, any tag.*, any card.*",
)
def session_hold_cable(at: Situation, here: int, _event: Event) -> None:
    """Keep the plug of the last transaction locked in from now on, over restarts too."""
    at.transactions.hold(here, held=True)


@WORDS.action(
    "session.release_cable",
    effects="not session.holds_cable, any tag.*, any card.*",
)
def session_release_cable(at: Situation, here: int, _event: Event) -> None:
    """Whoever comes may take it."""
    at.transactions.hold(here, held=False)


@WORDS.fact("transaction.open")
def transaction_open(at: Situation, here: int, _event: Event) -> bool:
    """A transaction is on record here."""
    return at.transactions.on(here) is not None


@WORDS.fact("transaction.ending")
def transaction_ending(at: Situation, here: int, _event: Event) -> bool:
    """It is marked to end."""
    running = at.transactions.on(here)
    return running is not None and running.ending is not None


@WORDS.fact("transaction.valid")
def transaction_valid(at: Situation, here: int, _event: Event) -> bool:
    """The Central System has not refused its tag."""
    running = at.transactions.on(here)
    return running is not None and running.refused is None


@WORDS.fact("transaction.tag", "text")
def transaction_tag(at: Situation, here: int, _event: Event) -> str | None:
    """The tag that started it."""
    running = at.transactions.on(here)
    return running.tag if running else None


@WORDS.fact("transaction.energy", "number", nature="drifts")
def transaction_energy(at: Situation, here: int, _event: Event) -> float:
    """Wh delivered since it began; 0 when none is on record."""
    running = at.transactions.on(here)
    return at.connectors[here].reading.energy - running.meter_start if running else 0.0


@WORDS.fact("transaction.energy_since_refused", "number", nature="drifts")
def transaction_energy_since_refused(at: Situation, here: int, _event: Event) -> float:
    """Wh delivered since the Central System refused its tag; 0 when it did not."""
    running = at.transactions.on(here)
    if running is None or running.refused is None:
        return 0.0
    return at.connectors[here].reading.energy - running.energy_when_refused


@WORDS.fact(
    "restart.reason", "word", STATION, words=("PowerLoss", "Reboot", "HardReset", "SoftReset"), nature="fixed"
)
def restart_reason(at: Situation, _here: int, _event: Event) -> str:
    """Why the program started: nothing on record means that the power went."""
    return at.restart_reason


@WORDS.action("session.open", tag=TEXT, effects="any card.*")
def session_open(at: Situation, here: int, _event: Event, *, tag: str) -> None:
    """A tag is authorized for this connector."""
    connector = at.connectors[here]
    connector.tag, connector.parent = tag, _parent(at, tag)


@WORDS.action("session.forget", effects="any card.*")
def session_forget(at: Situation, here: int, _event: Event) -> None:
    """It is no longer; nothing to do once a transaction runs."""
    at.connectors[here].tag = at.connectors[here].parent = None


@WORDS.action(
    "transaction.begin",
    effects="transaction.open, not transaction.ending, transaction.valid, queue.waiting,"
    " any transaction.tag, any transaction.energy, any transaction.energy_since_refused,"
    " any queue.transmissions,"
    " any card.*, any group.*, any tag.*",
)
def transaction_begin(at: Situation, here: int, _event: Event) -> None:
    """Put a transaction on record, and its StartTransaction into the queue; a defect where one is open."""
    if at.transactions.on(here):
        raise RuntimeError(f"transaction.begin on connector {here}, where a transaction is open")
    connector = at.connectors[here]
    start = metering.whole(connector.reading.energy)
    begun = Transaction(
        number=at.records.count("transaction"),
        connector=here,
        tag=connector.tag or "",
        started=at.time,
        meter_start=start,
        run=at.run,
        parent=connector.parent,
        last_time=at.time,
        last_energy=connector.reading.energy,
    )
    at.transactions.put(begun)
    payload = {
        "connectorId": here,
        "idTag": begun.tag,
        "meterStart": start,
        "timestamp": times.to_text(begun.started),
    }
    at.queue.append(Message("StartTransaction", payload, begun.number, here, run=at.run), at.time)
    for key in STOP_DATA:
        at.keep(begun, _value(at, connector.reading, key, "Transaction.Begin", begun.started))
    connector.tag = connector.parent = None


@WORDS.action("transaction.resume")
def transaction_resume(at: Situation, here: int, _event: Event) -> None:
    """Let a transaction from before the start go on; once the time is known, and it ends like any other."""
    running = at.transactions.on(here)
    if running:
        at.transactions.put(replace(running, run=at.run))


@WORDS.action("transaction.note")
def transaction_note(at: Situation, here: int, _event: Event) -> None:
    """Keep the time and the register: what is known of its end should the power go now."""
    at.note(here)


@WORDS.action(
    "transaction.ending",
    reason=one_of(*REASONS),
    tag=OPTIONAL_TEXT,
    effects="transaction.ending if transaction.open",
)
def transaction_mark(at: Situation, here: int, _event: Event, *, reason: str, tag: str | None = None) -> None:
    """Mark its end; the first reason stays. A tag is that of whoever presented it to stop."""
    running = at.transactions.on(here)
    if running and running.ending is None:
        at.transactions.put(replace(running, ending=reason, stop_tag=tag))


@WORDS.action(
    "transaction.close",
    effects="queue.waiting if transaction.open, not session.holds_cable if transaction.open,"
    " not transaction.open, not transaction.ending, not transaction.valid,"
    " any session.reason, any transaction.tag, any transaction.energy, any transaction.energy_since_refused,"
    " any queue.transmissions, any card.*, any group.*, any tag.*",
)
def transaction_close(at: Situation, here: int, _event: Event) -> None:
    """Put its StopTransaction into the queue, and take it off the record."""
    running = at.transactions.on(here)
    if running is None:
        return
    reading = at.connectors[here].reading
    if running.run == at.run:
        at.stop(running, reading, at.time)
    else:  # the power went: nobody knows better than the last note
        at.stop(running, Reading(reading.energy, voltages=reading.voltages), running.last_time)


def _value(at: Situation, reading: Reading, key: str, context: str, time: float) -> dict[str, Any] | None:
    return metering.sampled(reading, at.configuration.value(key), context, time)


@WORDS.action("meter.report", context=one_of(*CONTEXTS), effects="queue.waiting, any queue.transmissions")
def meter_report(at: Situation, here: int, event: Event, *, context: str) -> None:
    """Queue MeterValues, and keep them for transactionData when a transaction runs."""
    aligned = context == "Sample.Clock"
    reading = at.connectors[here].reading
    running = at.transactions.on(here)
    time = float(event.fields["time"]) if aligned else at.time  # stamped with the boundary (§3.16.4)
    if running and not aligned:
        time = max(time, running.started)
    sampled_key = "MeterValuesAlignedData" if aligned else "MeterValuesSampledData"
    value = metering.sampled_or_register(reading, at.configuration.value(sampled_key), context, time)
    payload = {"connectorId": here, "meterValue": [value]}
    number = running.number if running else None
    at.queue.append(Message("MeterValues", payload, number, here, run=at.run), at.time)
    if running:
        kept = "StopTxnAlignedData" if aligned else "StopTxnSampledData"
        at.keep(running, _value(at, reading, kept, context, time))
        at.note(here)


# -- delivery ------------------------------------------------------------------------------------------


@WORDS.fact("queue.waiting", scope=STATION)
def queue_waiting(at: Situation, _here: int, _event: Event) -> bool:
    """A transaction message waits to be delivered."""
    return at.queue.length() > 0


@WORDS.fact("queue.transmissions", "number", STATION)
def queue_transmissions(at: Situation, _here: int, _event: Event) -> int:
    """How often the oldest message was transmitted in vain."""
    message = at.queue.first()
    return message.transmissions if message else 0


@WORDS.action("queue.send", STATION, answers=("queue.answered", "queue.failed"), correlated=True)
def queue_send(at: Situation, _here: int, _event: Event, *, token: int) -> None:
    """Transmit the oldest message; the transactionId is filled in now."""
    message = at.queue.first()
    if message:
        at.call(token, message.action, at.queue.payload(message), "queue", message.id)


@WORDS.action("queue.remove", STATION, effects="perhaps not queue.waiting, any queue.transmissions")
def queue_remove(at: Situation, _here: int, _event: Event) -> None:
    """The oldest message is done."""
    at.queue.remove()


@WORDS.action("queue.count", STATION, effects="any queue.transmissions")
def queue_count(at: Situation, _here: int, _event: Event) -> None:
    """The oldest message was transmitted in vain."""
    at.queue.count_transmission()


@WORDS.action("queue.give_up", STATION, effects="perhaps not queue.waiting, any queue.transmissions")
def queue_give_up(at: Situation, _here: int, _event: Event) -> None:
    """Drop the oldest message; a start never answered makes its transactionId -1 (errata 3.18)."""
    message = at.queue.first()
    if message and message.action == "StartTransaction" and message.transaction is not None:
        at.queue.bind(message.transaction, GIVEN_UP)
    at.queue.remove()
