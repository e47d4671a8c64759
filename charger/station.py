"""The core: an event in, commands out.

Synchronous, no I/O, no clock: the same code runs in the field, in the simulator and in tests in virtual time.
The charts decide; this module only brings events to them, turns answers of the Central System into the events
they are named by, and puts the commands of a step in order. Before the charts start, events only change
facts, so that the charts find the world as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from charger import ports
from charger.errors import Defect
from charger.functions import times
from charger.functions.configuration import Configuration
from charger.functions.faults import Fault
from charger.functions.records import Records
from charger.functions.situation import ConnectorPlan, Identity, Situation
from charger.statechart.ensemble import Ensemble, Moved, Observer
from charger.statechart.event import Event
from charger.statechart.model import ChartSet
from charger.statechart.words import Vocabulary


@dataclass(frozen=True, slots=True)
class Step:
    """What one event brought about."""

    event: Event
    moves: tuple[Moved, ...]
    commands: tuple[ports.Command, ...]


class Station:
    """One charging station.

    Args:
        chart_set: checked charts.
        vocabulary: built for these charts.
        identity: for BootNotification.
        plans: one per connector.
        stored: the durable facts.
        initial: configuration values of station.yaml.
        observer: told of every guard answered and transition taken.
        seed: of the random numbers that spread reconnects.
    """

    def __init__(
        self,
        chart_set: ChartSet,
        vocabulary: Vocabulary,
        identity: Identity,
        plans: tuple[ConnectorPlan, ...],
        stored: Iterable[ports.Change] = (),
        initial: Mapping[str, str | None] | None = None,
        observer: Observer | None = None,
        seed: int = 0,
    ) -> None:
        records = Records(stored)
        self.configuration = configuration_of(chart_set, plans, records, initial)
        self.situation = Situation(identity, plans, records, self.configuration, seed)
        self.ensemble = Ensemble(chart_set, vocabulary, len(plans), self.situation, observer)
        self.situation.charts = self.ensemble
        self.chart_set = chart_set
        self.initial = dict(initial or {})
        self.seed = seed
        self._vocabulary = vocabulary
        self._started = False

    # -- the step ----------------------------------------------------------------------------------------

    def handle(self, event: Event) -> Step:
        """Take one event and come to rest.

        Raises:
            Defect: a guard, an action or an invariant misbehaved. This object is of no use afterwards: open
                the contactors, and build another from the durable facts.
        """
        situation = self.situation
        situation.begin(event.moment)
        try:
            event, moves = self._moves(event)
        except Exception as error:
            raise Defect(f"{event.name}: {error}") from error
        commands = [*situation.outbox]
        situation.outbox.clear()
        changes = situation.records.take_changes()
        if changes:
            commands.append(ports.Store(changes))
        return Step(event, tuple(moves), tuple(sorted(commands, key=_rank)))

    def _moves(self, event: Event) -> tuple[Event, list[Moved]]:
        """The event as the charts know it, and what moved."""
        if not self._started:
            return event, self._before_start(event)
        if event.name in ("ocpp.answered", "ocpp.answered_late"):
            late = event.name == "ocpp.answered_late"
            answer = self._answer_late(event) if late else self._answer(event)
            return (answer, self.ensemble.step(answer)) if answer else (event, [])
        if event.call is not None:
            if self.situation.ignoring_calls:
                return event, []
            if event.name == "call.unreadable":
                self.situation.reply_error(event.call, **event.fields)
                return event, []
            if event.name not in self._vocabulary.events:
                self.situation.reply_error(event.call, "NotImplemented")
                return event, []
            event = replace(event, connector=self._addressed(event))
        return event, self.ensemble.step(event)

    def _before_start(self, event: Event) -> list[Moved]:
        if event.name == "station.started":
            self._started = True
            return self.ensemble.start(event)
        word = self._vocabulary.events.get(event.name)
        if word and word.report:
            word.report(self.situation, event)
        return []

    def _addressed(self, call: Event) -> int | None:
        """The connector that a CALL names, by itself or by its running transaction."""
        if call.name == "ocpp.RemoteStopTransaction":
            wanted = call.fields["transactionId"]
            queue, running = self.situation.queue, self.situation.transactions.all()
            return next((one.connector for one in running if queue.bound(one.number) == wanted), None)
        number = call.fields.get("connectorId")
        return number if number in self.situation.connectors else None

    def _answer(self, event: Event) -> Event | None:
        """What the Central System answered, by the name that charts know it under."""
        token, outcome = event.fields["token"], event.fields["outcome"]
        payload: Mapping[str, Any] = event.fields.get("payload") or {}
        action = self.situation.asked.pop(token, None)
        if action is None:
            return None  # asked by a station that is no more
        if action == "queue":
            name, fields = ("answered", payload) if outcome == "result" else ("failed", {"cause": outcome})
            return Event(f"queue.{name}", None, fields, token=token, moment=event.moment)
        if outcome != "result":
            fields = {"cause": outcome}
            return Event(f"ocpp.{action}.failed", None, fields, token=token, moment=event.moment)
        status = payload.get("status") or (payload.get("idTagInfo") or {}).get("status")
        name = "accepted" if status in (None, "Accepted") else "refused"
        fields = {**payload, "status": status}
        return Event(f"ocpp.{action}.{name}", None, fields, token=token, moment=event.moment)

    def _answer_late(self, event: Event) -> Event | None:
        """An answer after its time, to the message that would be sent again."""
        message = self.situation.queue.first()
        if message is None or message.id != event.fields["id"]:
            return None
        return Event("queue.answered", None, event.fields["payload"], moment=event.moment)

    def noted(self, facts: Iterable[ports.Change]) -> list[ports.Change]:
        """Stored transactions with the time and the register of now, which outlive a defect."""
        situation = self.situation
        return [
            replace(
                fact,
                value={
                    **fact.value,
                    "last_time": situation.time,
                    "last_energy": situation.connectors[int(fact.key)].reading.energy,
                },
            )
            for fact in facts
            if fact.subject == "transaction" and int(fact.key) in situation.connectors
        ]

    # -- checkpoint --------------------------------------------------------------------------------------

    def checkpoint(self) -> dict[str, Any]:
        """Everything that is so between two steps, as JSON has it. Cheap: values are shared, not copied."""
        situation, charts = self.situation.checkpoint(), self.ensemble.checkpoint()
        return {"started": self._started, "situation": situation, "charts": charts}

    def restore(self, saved: Mapping[str, Any]) -> list[str]:
        """Go on from a checkpoint that JSON has seen, on a new station with its facts as `stored`.

        With other charts than those of the checkpoint it goes on as well as it can; what is given names the
        charts that begin anew.
        """
        self.situation.restore(saved["situation"])
        self._started = saved["started"]
        return self.ensemble.restore(saved["charts"], self.situation.now) if self._started else []

    # -- what people see ---------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """The whole station as the charts and the facts have it."""
        situation = self.situation
        charts: dict[int, dict[str, Any]] = {number: {} for number in situation.notices}
        for name, number, path in self.ensemble.states():
            charts[number][name] = {"state": path[-1] if path else "", "path": list(path)}
        message = situation.queue.first()
        return {
            "time": times.to_text(situation.time),
            "status": self.ensemble.status(0),
            "charts": charts[0],
            "faults": _faults(situation.faults_at(0)),
            "queue": {
                "waiting": situation.queue.length(),
                "transmissions": message.transmissions if message else 0,
            },
            "display": situation.display,
            **self._pins(0),
            "connectors": [self._connector(number, charts[number]) for number in situation.connectors],
        }

    def _connector(self, number: int, charts: dict[str, Any]) -> dict[str, Any]:
        situation = self.situation
        wires = situation.connectors[number]
        running = situation.transactions.on(number)
        return {
            "number": number,
            "status": self.ensemble.status(number),
            "charts": charts,
            "transaction": running
            and {
                "id": situation.queue.bound(running.number),
                "id_tag": running.tag,
                "started": times.to_text(running.started),
                "meter_start_wh": running.meter_start,
                "energy_wh": round(max(0.0, wires.reading.energy - running.meter_start), 1),
            },
            "meter": {"energy_wh": round(wires.reading.energy, 1), "power_w": wires.reading.power},
            "cable": {"present": wires.cable, "fixed": wires.plan.fixed},
            "contactor": wires.contactor,
            "lock": None if wires.plan.fixed else wires.lock,
            "light": wires.look,
            "interlocks": situation.interlocks(number),
            "offer_amps": wires.offered,
            "faults": _faults([*situation.latched.at(number).values(), *wires.faults.values()]),
            **self._pins(number),
        }

    def _pins(self, number: int) -> dict[str, Any]:
        """What index.yaml declares for a connector, or for the station (0), and how it is."""
        scope = "connector" if number else "station"
        inputs, outputs = self.situation.inputs, self.situation.outputs
        charts = self.chart_set
        return {
            "inputs": {
                pin.name: inputs.get((pin.name, number), False)
                for pin in charts.inputs.values()
                if pin.scope == scope
            },
            "outputs": {
                pin.name: outputs.get((pin.name, number), "off")
                for pin in charts.outputs.values()
                if pin.scope == scope
            },
        }


def configuration_of(
    chart_set: ChartSet,
    plans: tuple[ConnectorPlan, ...],
    records: Records,
    initial: Mapping[str, str | None] | None,
) -> Configuration:
    """The configuration keys of a station: OCPP's, those of its charts, and what its hardware fixes."""
    fixed = {"NumberOfConnectors": str(len(plans))}
    if all(plan.fixed for plan in plans):
        fixed["UnlockConnectorOnEVSideDisconnect"] = "false"  # errata 3.84: there is nothing to unlock
    phases = max(plan.phases for plan in plans)
    return Configuration(records, chart_set.settings, initial, fixed, phases)


def _faults(faults: Iterable[Fault]) -> list[dict[str, Any]]:
    return [
        {
            "error_code": fault.error,
            "info": fault.info,
            **({"vendor_error_code": fault.vendor} if fault.vendor else {}),
            **({"service": True} if fault.service else {}),
        }
        for fault in faults
    ]


_ORDER: tuple[tuple[type, ...], ...] = (
    (ports.OpenContactor,),
    (ports.Store,),
    (
        *(ports.CloseContactor, ports.EngageLock, ports.ReleaseLock, ports.OfferCurrent),
        ports.TestResidualCurrent,
    ),
    (ports.ShowLight, ports.ShowText, ports.SwitchOutput),
    (ports.Reply, ports.ReplyError),
    (ports.Connect, ports.Disconnect, ports.Ping, ports.Call),
    (ports.StartTimer, ports.CancelTimer),
    (ports.Restart, ports.End),
)


_RANKS = {kind: rank for rank, kinds in enumerate(_ORDER) for kind in kinds}


def _rank(command: ports.Command) -> int:
    return _RANKS[type(command)]
