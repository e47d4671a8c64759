"""Random walks: whatever people, cars, faults, links, disks and the Central System do, in any order.

What is promised always is watched after every single step (OCPP 1.6 §4.9 matrix, one answer per CALL, no
voltage without lock, transaction and interlocks, one stop per start); at the end everything is unplugged,
cleared and connected, and the station has to find home.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from rig import Rig, allowed

from charger import ports
from charger.errors import Defect, StorageFull
from charger.functions.times import to_seconds

STEPS = 150
STATION = {"Available", "Unavailable", "Faulted"}
TAGS = ("ONE", "TWO", "three")
ERRORS = ("GroundFailure", "OverVoltage", "HighTemperature")
ORDER: tuple[Any, ...] = (
    ports.OpenContactor,
    ports.Store,
    ports.HardwareCommand,
    (ports.Reply, ports.ReplyError),
    (ports.Call, ports.Connect, ports.Disconnect, ports.Ping),
    (ports.StartTimer, ports.CancelTimer),
    ports.Restart,
)


class Walk:
    """One station, and chance."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        pick = self.chance.choice
        self.rig = Rig(
            pick((1, 2, 2, 3)),
            fixed=pick((False, False, True)),
            start=False,
            simulation={"car_delay": pick((0.2, 2.0, 8.0)), "lock_delay": pick((0.3, 1.0, 2.5))},
            AllowOfflineTxForUnknownId=pick(("true", "false")),
            AuthorizeRemoteTxRequests=pick(("true", "false")),
            ClockAlignedDataInterval=pick(("0", "60")),
            ConnectionTimeOut=pick(("0", "5", "30")),
            LocalPreAuthorize=pick(("true", "false")),
            MaxEnergyOnInvalidId=pick(("0", "20")),
            MessageTimeout="5",
            MeterValueSampleInterval=pick(("0", "20")),
            MinimumStatusDuration=pick(("0", "0", "3")),
            StopTransactionOnEVSideDisconnect=pick(("true", "false")),
            StopTransactionOnInvalidId=pick(("true", "false")),
            TransactionMessageAttempts="30",
            TransactionMessageRetryInterval=pick(("0", "1", "5")),
            UnlockConnectorOnEVSideDisconnect=pick(("true", "false")),
        )
        self.numbers = tuple(range(1, len(self.rig.plans) + 1))
        self.done: list[str] = []
        self.called: dict[str, bool] = {}
        """CALL → whether its answer may get lost with its link."""
        self.answered: Counter[str] = Counter()
        self.ids: dict[str, int] = {}
        self.values: list[dict[str, Any]] = []
        self.acts: list[tuple[int, Callable[[], None]]] = [
            (10, self.time),
            (8, self.person),
            (6, self.card),
            (8, self.call),
            (2, self.car),
            (2, self.fault),
            (1, self.wires),
            (1, self.emergency),
            (1, self.lock),
            (2, self.link),
            (1, self.limit),
            (1, self.central),
            (1, self.disk),
            (1, self.power),
            (9, self.heal),
        ]
        self.live()
        self.rig.driver.start()
        self.rig.after(2)

    def live(self) -> None:
        """Watch a station from its first step."""
        rig = self.rig
        self.statuses = dict.fromkeys((0, *self.numbers), "")
        rig.cs.answers["StartTransaction"] = self.started
        rig.cs.answers["Authorize"] = lambda _: self.chance.choice(
            [{"idTagInfo": {"status": "Accepted"}}] * 3
            + [{"idTagInfo": {"status": "Accepted", "parentIdTag": "Family"}}]
            + [{"idTagInfo": {"status": "Blocked"}}, "error", "timeout"]
        )
        rig.driver._on_step = self.stepped
        rig.driver._recover = self.broken

    def started(self, request: dict[str, Any]) -> Any:
        if self.chance.random() < 0.2:
            return "error"
        identifier = self.ids.setdefault(repr(sorted(request.items())), 500 + len(self.ids))
        status = "Accepted" if identifier % 4 else "Invalid"
        return {"transactionId": identifier, "idTagInfo": {"status": status}}

    # -- promises ------------------------------------------------------------------------------------------

    def broken(self, error: Defect) -> None:
        raise AssertionError(f"after {self.done[-5:]}: {error}") from error

    def stepped(self, step: Any) -> None:
        rig, here = self.rig, (self.done[-5:], step.event)
        rig.steps.append(step)
        for number, before in self.statuses.items():
            now = rig.status(number)
            assert allowed(before, now), (number, before, now, here)
            assert number or now in STATION | {""}
            self.statuses[number] = now
        ranks = [next(n for n, kind in enumerate(ORDER) if isinstance(c, kind)) for c in step.commands]
        assert ranks == sorted(ranks), here
        for number, wires in rig.facts.connectors.items():
            if rig.hardware.describe(number)["contactor"] == "closed":
                assert wires.plan.fixed or wires.lock == "engaged", (number, here)
                assert all(rig.facts.interlocks(number).values()), (number, here)
                assert rig.facts.transactions.on(number), (number, here)

    # -- acts ----------------------------------------------------------------------------------------------

    def go(self) -> None:
        for _ in range(STEPS):
            (act,) = self.chance.choices([act for _, act in self.acts], [weight for weight, _ in self.acts])
            self.done.append(act.__name__)
            act()
            self.rig.driver.pump()
            if self.rig.driver.restart:
                self.cut(3)

    def world(self, act: str, connector: int | None = None, /, **body: Any) -> None:
        """The world refuses what cannot be, such as plugging in twice."""
        try:
            self.rig.hardware.simulate(act, connector, body)
        except ValueError:
            self.done[-1] += " (not now)"

    def time(self) -> None:
        self.rig.after(self.chance.choice((0.02, 0.1, 0.3, 1, 3, 3, 10, 40)))

    def person(self) -> None:
        number = self.chance.choice(self.numbers)
        if self.rig.hardware.describe(number)["cable"]["present"]:
            self.world("unplug", number, side=self.chance.choice(("ev", "both")))
        else:
            self.world("plug", number)
        self.rig.after(self.chance.choice((0, 0.5, 2)))

    def card(self) -> None:
        place = self.chance.choice((None, None, self.chance.choice(self.numbers)))
        self.world("swipe", None, id_tag=self.chance.choice(TAGS), connector=place)
        self.rig.after(self.chance.choice((0, 0.1, 2)))

    def car(self) -> None:
        state = self.chance.choice(("ready", "suspended"))
        self.world("ev", self.chance.choice(self.numbers), state=state)

    def fault(self) -> None:
        place = self.chance.choice((0, *self.numbers))
        if self.chance.random() < 0.6:
            self.world("clear_fault", place)
        else:
            self.world("fault", place, error_code=self.chance.choice(ERRORS), info="walk")

    def wires(self) -> None:
        name = self.chance.choice(("contactor.closed", "contactor.opened", "lock.released", "lock.failed"))
        number = self.chance.choice(self.numbers)
        if not (name.startswith("lock") and self.rig.plans[0].fixed):
            self.done[-1] += f" {name}"
            self.rig.wires(name, number)

    def emergency(self) -> None:
        self.rig.wires(self.chance.choice(("emergency.pressed", "emergency.released", "emergency.released")))

    def lock(self) -> None:
        self.world("lock", self.chance.choice(self.numbers), fail=self.chance.random() < 0.3)

    def link(self) -> None:
        if self.rig.cs.reachable:
            self.owed()
            self.rig.cs.reachable = self.chance.random() < 0.3
            self.rig.cs.lose()
        else:
            self.rig.cs.reachable = True
            self.rig.after(5)

    def heal(self) -> None:
        """What is broken is repaired after a while, or there would be little to see."""
        rig = self.rig
        rig.storage.broken = None
        rig.cs.reachable = True
        for number in self.numbers:
            rig.limit(number, 32)
            if not rig.plans[0].fixed:
                self.world("lock", number, fail=False)
        rig.wires("emergency.released")
        for place in (0, *self.numbers):
            self.world("clear_fault", place)
        if self.chance.random() < 0.3:
            self.ask("ChangeAvailability", connectorId=0, type="Operative")

    def limit(self) -> None:
        self.rig.limit(self.chance.choice(self.numbers), self.chance.choice((0, 6, 16, 32, 32)))

    def central(self) -> None:
        answers = self.rig.cs.answers
        for action in ("StopTransaction", "MeterValues", "StatusNotification", "BootNotification"):
            answers.pop(action, None)
            if self.chance.random() < 0.2:
                answers[action] = self.chance.choice(("error", "timeout"))

    def disk(self) -> None:
        self.rig.storage.broken = StorageFull("walk") if self.chance.random() < 0.4 else None

    def power(self) -> None:
        self.cut(self.chance.choice((1, 60)))

    def cut(self, seconds: float) -> None:
        self.owed()
        self.answered += self.rig.cs.answered
        self.values += [payload for name, payload in self.rig.cs.sent if name == "MeterValues"]
        old = self.rig
        old.storage.broken = None
        self.rig = old.power_cut(seconds, start=False)
        self.rig.cs.reachable = old.cs.reachable
        self.live()
        self.rig.driver.start()
        self.rig.after(self.chance.choice((0, 1, 5)))

    def owed(self) -> None:
        """What is not answered now need not be any more."""
        for call in self.called:
            self.called[call] = True

    def call(self) -> None:
        name, fields = self.chance.choice(self.calls())
        self.done[-1] += f" {name} {fields}"
        self.ask(name, **fields)

    def ask(self, name: str, **fields: Any) -> None:
        if self.rig.cs.linked:
            self.rig.call(name, **fields)
            self.called[self.rig._last] = False

    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        pick = self.chance.choice
        places = (0, *self.numbers, *self.numbers, 9)
        named = {"connectorId": pick((*self.numbers, 0, 9))} if self.chance.random() < 0.8 else {}
        ids = [*self.ids.values(), 1]
        key, value = pick(
            (
                ("MeterValueSampleInterval", pick(("0", "7", "20"))),
                ("ClockAlignedDataInterval", pick(("0", "30"))),
                ("ConnectionTimeOut", pick(("0", "4", "30"))),
                ("MinimumStatusDuration", pick(("0", "2"))),
                ("HeartbeatInterval", pick(("0", "30"))),
                ("TransactionMessageRetryInterval", pick(("0", "2"))),
                ("StopTransactionOnInvalidId", pick(("true", "false"))),
                ("StopTxnSampledData", "Energy.Active.Import.Register"),
                ("NumberOfConnectors", "5"),
                ("Nonsense", "1"),
            )
        )
        return [
            *[("RemoteStartTransaction", {"idTag": pick(TAGS), **named})] * 3,
            *[("RemoteStopTransaction", {"transactionId": pick(ids[-3:])})] * 3,
            *[("UnlockConnector", {"connectorId": pick(places)})] * 3,
            *[
                (
                    "ChangeAvailability",
                    {"connectorId": pick(places), "type": pick(("Inoperative", "Operative", "Operative"))},
                )
            ]
            * 3,
            *[("ChangeConfiguration", {"key": key, "value": value})] * 2,
            ("Reset", {"type": pick(("Hard", "Soft"))}),
            ("GetConfiguration", {}),
            ("ClearCache", {}),
            ("DataTransfer", {"vendorId": "x"}),
            ("TriggerMessage", {"requestedMessage": "Heartbeat"}),
            ("ReserveNow", {"connectorId": pick(places)}),
            ("MakeCoffee", {}),
        ]

    # -- home ----------------------------------------------------------------------------------------------

    def home(self) -> None:
        """Everything is unplugged, cleared, connected, in operation; and a while passes."""
        for _ in range(2):
            rig = self.rig
            rig.storage.broken = None
            rig.cs.reachable = True
            for action in ("StopTransaction", "MeterValues", "StatusNotification", "BootNotification"):
                rig.cs.answers.pop(action, None)
            rig.wires("emergency.released")
            rig.after(120)
            if rig.driver.restart:
                self.cut(3)
        quiet = {"ConnectionTimeOut": "5", "MinimumStatusDuration": "0", "ClockAlignedDataInterval": "0"}
        for key, value in quiet.items():
            rig.call("ChangeConfiguration", key=key, value=value)
        for number in self.numbers:
            rig.limit(number, 32)
            if not rig.plans[0].fixed:
                rig.hardware.simulate("lock", number, {"fail": False})
        for place in (*self.numbers, 0):
            rig.hardware.simulate("clear_fault", place, {})
        rig.after(5)
        rig.call("ChangeAvailability", connectorId=0, type="Operative")
        for identifier in self.ids.values():
            rig.call("RemoteStopTransaction", transactionId=identifier)
            if rig.answer() == {"status": "Accepted"}:
                rig.after(15)
        for number in self.numbers:
            if not rig.plans[0].fixed:
                rig.call("UnlockConnector", connectorId=number)
                rig.after(15)
                assert rig.answer() == {"status": "Unlocked"}, (number, rig.states(number))
            if rig.hardware.describe(number)["cable"]["present"]:
                rig.hardware.simulate("unplug", number, {})
        rig.after(100)

    def judge(self) -> None:
        rig = self.rig
        assert rig.driver.restart is None
        for number in (0, *self.numbers):
            assert rig.status(number) == "Available", (number, rig.states(number))
        for number in self.numbers:
            states = rig.states(number)
            expected = {
                "link": "Up",
                "registration": "Accepted",
                "authorization": "Idle",
                "reset": "Idle",
                "delivery": "Idle",
                "transaction": "Idle",
                "connector": "Available",
                "pilot": "Silent",
                "power": "Open",
                "lock": "Fixed" if rig.plans[0].fixed else "Released",
                "metering": "Idle",
                "notification": "Quiet",
            }
            assert {chart: states[chart] for chart in expected} == expected
        assert rig.facts.queue.length() == 0
        answered = self.answered + rig.cs.answered
        for call, may_be_lost in self.called.items():
            assert answered[call] == 1 or (may_be_lost and answered[call] == 0), call
        self.judge_transactions()

    def judge_transactions(self) -> None:
        sent = [*self.rig.before, *self.rig.cs.sent]
        stops: dict[int, dict[str, Any]] = {}
        for name, payload in sent:
            if name == "StopTransaction":
                assert stops.setdefault(payload["transactionId"], payload) == payload
        assert sorted(stops) == sorted(self.ids.values())
        for name, start in sent:
            if name != "StartTransaction":
                continue
            stop = stops[self.ids[repr(sorted(start.items()))]]
            assert start["meterStart"] <= stop["meterStop"]
            assert (to_seconds(start["timestamp"]) or 0) <= (to_seconds(stop["timestamp"]) or 0)
        told = [payload for name, payload in self.rig.cs.sent if name == "StatusNotification"]
        assert {notice["connectorId"] for notice in told} == {0, *self.numbers}


@pytest.mark.parametrize("seed", range(30))
def test_a_walk(seed: int) -> None:
    """Everything at once, in any order."""
    walk = Walk(seed)
    walk.go()
    walk.home()
    walk.judge()


def test_statuses_are_told_along_the_matrix() -> None:
    """§4.9: what the Central System hears while the link holds, over a day of ordinary use."""
    rig = Rig(StopTransactionOnEVSideDisconnect="false")
    chance = random.Random(4716)
    for _ in range(150):
        number = chance.choice((1, 2))
        present = rig.hardware.describe(number)["cable"]["present"]
        act = chance.choice(("card", "card", "plug", "car", "fault", "availability", "limit"))
        if act == "plug":
            rig.hardware.simulate("unplug" if present else "plug", number, {})
        elif act == "card":
            rig.hardware.simulate("swipe", None, {"id_tag": chance.choice(TAGS), "connector": number})
        elif act == "car" and present and rig.hardware.describe(number)["ev"]:
            rig.hardware.simulate("ev", number, {"state": chance.choice(("ready", "suspended"))})
        elif act == "fault":
            name = chance.choice(("fault", "clear_fault"))
            rig.hardware.simulate(name, number, {"error_code": "GroundFailure"})
        elif act == "availability":
            kind = chance.choice(("Operative", "Inoperative"))
            rig.call("ChangeAvailability", connectorId=number, type=kind)
        elif act == "limit":
            rig.limit(number, chance.choice((0, 16)))
        rig.after(chance.choice((0.1, 1, 15, 70)))
    for number in (1, 2):
        told = rig.told(number)
        assert len(set(told)) >= 7
        for earlier, later in pairwise(told):
            assert allowed(earlier, later), (number, earlier, later)
