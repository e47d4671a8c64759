"""What a station promises whatever happens to it: watched at every step, message and answer.

A `Watch` is put on a `Rig` and taken along through power cuts. It knows what went in and what came out; of the
inside it asks only which queued message a CALL is (OCPP does not say), and the facts of the wires. It decides
nothing and does nothing to the station.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from rig import ORDER, Rig

from charger import ports
from charger.central import messages
from charger.errors import Defect
from charger.functions.status import may_follow

STATION = {"Available", "Unavailable", "Faulted"}
CODES = {
    *("NotImplemented", "NotSupported", "InternalError", "ProtocolError", "SecurityError", "GenericError"),
    *("FormationViolation", "PropertyConstraintViolation", "OccurenceConstraintViolation"),
    "TypeConstraintViolation",
}
PATIENCE = 15.0
"""s in which a CALL is answered: the car has 6 s to stop drawing, the lock 3 s to move, and a little each."""
PACE = 10.0
"""s at least between two BootNotifications when the Central System names no interval."""


class Watch:
    """Everything said on both sides since the station was new."""

    def __init__(self, numbers: tuple[int, ...]) -> None:
        self.numbers = numbers
        self.contents: dict[str, str] = {}
        """Unique id → action and payload."""
        self.starts: dict[int, tuple[str, dict[str, Any]]] = {}
        """Our number of a transaction → unique id and payload of its StartTransaction; `stops` likewise."""
        self.stops: dict[int, tuple[str, dict[str, Any]]] = {}
        self.given: dict[int, int | None] = {}
        """→ its id of StartTransaction.conf, as the station last heard it."""
        self.newest = ""
        """Key of the newest queued message that was transmitted."""
        self.answered = 0

    def attach(self, rig: Rig) -> None:
        """Watch a program from its first step."""
        self.rig = rig
        self.accepted = self.rejected = False
        self.next_boot = 0.0
        self.triggered: set[str] = set()
        """What the Central System was promised by TriggerMessage, in Pending (§5.17)."""
        self.statuses = dict.fromkeys((0, *self.numbers), "")
        self.told = dict(self.statuses)
        self.calls: dict[str, tuple[str, float]] = {}
        """CALLs → action, and by when they must be answered (inf: need not be)."""
        self.ignored: set[str] = set()
        """CALLs that came while we were rejected. What came before may still be paid, as when the disk was full."""
        self.wishes: dict[str, str] = {}
        self.answers: dict[str, int] = {}
        cs = rig.cs
        cs._transmit = _before(cs._transmit, lambda: self._transmitted(cs._pending[0]))
        cs._answered = _before(cs._answered, self._heard)
        cs.perform = _before(cs.perform, self._performed)
        rig.driver._on_step = self._stepped
        rig.driver._recover = _broken

    # -- what goes in --------------------------------------------------------------------------------------

    def called(self, identifier: str, action: str, fields: dict[str, Any]) -> None:
        """The Central System calls; it may be refused an answer unless it has accepted us."""
        if action == "TriggerMessage":
            self.wishes[identifier] = fields["requestedMessage"]
        if self.rejected:
            self.ignored.add(identifier)
        limit = self.now + PATIENCE if self.accepted else float("inf")
        self.calls[identifier] = (action, limit)

    def cut_off(self) -> None:
        """The link is gone: nobody can be answered, and statuses may have been passed over."""
        self.calls = {identifier: (action, float("inf")) for identifier, (action, _) in self.calls.items()}
        self.told = dict.fromkeys(self.told, "")

    def _heard(self, call: ports.Call, outcome: str, payload: Any) -> None:
        if call.action == "BootNotification" and outcome == "result":
            self.triggered.clear()
            self.accepted = payload["status"] == "Accepted"
            self.rejected = payload["status"] == "Rejected"
            self.next_boot = self.now + (payload["interval"] if payload["interval"] > 0 else PACE)
        if call.action == "StartTransaction" and outcome == "result":
            self.given[self._transaction(call)] = payload["transactionId"]

    # -- what comes out ------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        return self.rig.clock.now().monotonic

    def _transmitted(self, call: ports.Call) -> None:
        payload = dict(call.payload)
        said = (call.action, payload)
        assert messages.find_fault(call.action, payload) is None, (said, _fault(call.action, payload))
        text = json.dumps(said, allow_nan=False, sort_keys=True)
        if call.id is not None:
            assert len(call.id) <= 36
            assert self.contents.setdefault(call.id, text) == text, "one id for two messages"
        asked_for = call.action in self.triggered
        assert self.accepted or asked_for or call.action == "BootNotification", ("not accepted", said)
        if call.action == "BootNotification":
            assert asked_for or self.now >= self.next_boot, "earlier than the Central System wanted"
            self.rejected = False
        assert not self.rejected, ("rejected, and speaks", said)
        if call.action == "StatusNotification":
            self._tells(payload)
        if self.rig.facts.asked.get(call.token) == "queue":
            self._queued(call, payload)

    def _tells(self, payload: dict[str, Any]) -> None:
        number, status = payload["connectorId"], payload["status"]
        assert number or status in STATION, payload
        if number:
            assert may_follow(self.told[number], status), (number, self.told[number], status)
            self.told[number] = status if self.accepted else ""  # in Pending only what is asked for

    def _queued(self, call: ports.Call, payload: dict[str, Any]) -> None:
        key = self.rig.facts.records.first("message")
        assert key >= self.newest, "out of order"
        self.newest = key
        message = self.rig.facts.queue.first()
        assert message.id == call.id, "another message than the oldest"
        number = message.transaction
        if call.action == "StartTransaction":
            self._starts(number, call.id, payload)
        elif number is not None:
            assert number in self.starts, ("before its start", payload)
            given = self.given.get(number)
            assert payload["transactionId"] == (-1 if given is None else given), (given, payload)
            if call.action == "StopTransaction":
                self._stops(number, call.id, payload)
            else:
                assert number not in self.stops, ("after its stop", payload)

    def _starts(self, number: int, identifier: str, payload: dict[str, Any]) -> None:
        assert number not in self.stops, ("after its stop", payload)
        assert self.starts.setdefault(number, (identifier, payload)) == (identifier, payload), "started twice"
        self.given[number] = None

    def _stops(self, number: int, identifier: str, payload: dict[str, Any]) -> None:
        assert self.stops.setdefault(number, (identifier, payload)) == (identifier, payload), "stopped twice"
        start = self.starts[number][1]
        assert start["meterStart"] <= payload["meterStop"], (start, payload)
        begun, ended = (datetime.fromisoformat(one["timestamp"]).timestamp() for one in (start, payload))
        assert begun <= ended, (start, payload)

    def _transaction(self, call: ports.Call) -> int:
        return next(number for number, (identifier, _) in self.starts.items() if identifier == call.id)

    def _performed(self, command: ports.CentralCommand) -> None:
        match command:
            case ports.Disconnect():
                self.cut_off()
            case ports.Reply() | ports.ReplyError():
                action, _ = self.calls[command.call]
                count = self.answers[command.call] = self.answers.get(command.call, 0) + 1
                assert count == 1, ("answered twice", command)
                self.answered += 1
                assert command.call not in self.ignored, ("rejected, and answers", command)
                if isinstance(command, ports.ReplyError):
                    assert command.code in CODES, command
                    return
                assert command.action == action, command
                if command.call in self.wishes and command.payload["status"] == "Accepted":
                    self.triggered.add(self.wishes[command.call])
                fault = messages.find_fault(action, dict(command.payload), response=True)
                assert fault is None, (command, str(fault))

    # -- at rest -------------------------------------------------------------------------------------------

    def _stepped(self, step: Any) -> None:
        rig, here = self.rig, step.event
        if rig.facts.configuration.value("MinimumStatusDuration"):
            self.told = dict.fromkeys(self.told, "")  # short ones are left out
        for number, before in self.statuses.items():
            now = rig.status(number)
            assert may_follow(before, now), (number, before, now, here)
            assert number or now in STATION | {""}
            self.statuses[number] = now
        ranks = [next(n for n, kind in enumerate(ORDER) if isinstance(c, kind)) for c in step.commands]
        assert ranks == sorted(ranks), (here, step.commands)
        for number, wires in rig.facts.connectors.items():
            if rig.hardware.describe(number)["contactor"] == "closed":
                assert wires.plan.fixed or wires.lock == "engaged", (number, here)
                assert all(rig.facts.interlocks(number).values()), (number, here)
                assert rig.facts.transactions.on(number), (number, here)

    def look(self) -> None:
        """Between two acts: nobody waits too long, and the disk has what the memory has."""
        rig = self.rig
        if rig.driver._held is not None:  # what may not leave yet is not late
            for identifier, (action, limit) in self.calls.items():
                self.calls[identifier] = (action, max(limit, self.now + PATIENCE))
            return
        for identifier, (action, limit) in self.calls.items():
            assert identifier in self.answers or self.now <= limit, f"{action}: no answer in time"
        held = {
            (subject, key): value
            for subject, facts in rig.facts.records._facts.items()
            for key, value in facts.items()
        }
        assert held == rig.storage.facts, "memory and disk differ"


def _before(act: Callable[..., None], look: Callable[..., None]) -> Callable[..., None]:
    def both(*given: Any) -> None:
        look(*given)
        act(*given)

    return both


def _broken(error: Defect) -> None:
    raise AssertionError(f"defect: {error}") from error


def _fault(action: str, payload: dict[str, Any]) -> str:
    return str(messages.find_fault(action, payload))
