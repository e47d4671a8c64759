"""Power cuts and kills: one truth afterwards, whenever they come (OCPP 1.6 §3.7; digest §2.15, DESIGN §1)."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from rig import MemoryStorage, Rig

from charger.clock import VirtualClock
from charger.functions.times import to_seconds
from charger.ports import Change

# -- one cut -----------------------------------------------------------------------------------------------


def test_a_transaction_cut_off_ends_with_power_loss() -> None:
    """Test TC_032_2: StopTransaction(PowerLoss) after BootNotification; Preparing while the plug is in."""
    rig = Rig(MeterValueSampleInterval="60")
    rig.session()
    rig.after(130)
    last = rig.sent("MeterValues")[-1]["meterValue"][0]
    rig = rig.power_cut(3600)
    stop = rig.sent("StopTransaction")[0]
    assert (stop["transactionId"], stop["reason"]) == (101, "PowerLoss")
    assert "idTag" not in stop
    assert stop["timestamp"] == last["timestamp"]  # the last moment that is known
    assert rig.log()[0] == "BootNotification"
    assert rig.told() == ["Preparing"]


def test_the_register_after_the_cut_is_the_meter_stop() -> None:
    """Digest §2.15: the meter does not forget what was drawn since the last note."""
    rig = Rig(MeterValueSampleInterval="60")
    rig.session()
    rig.after(100)
    energy = rig.hardware.describe(1)["meter"]["energy_wh"]
    assert energy > rig.facts.transactions.on(1).last_energy
    rig = rig.power_cut()
    assert rig.sent("StopTransaction")[0]["meterStop"] == int(energy)


def test_a_meter_that_did_forget_does_not_go_back() -> None:
    """Errata 3.78: meterStop is never below what was reported already."""
    rig = Rig(MeterValueSampleInterval="60")
    rig.session()
    rig.after(100)
    known = rig.facts.transactions.on(1).last_energy
    for number in (1, 2):
        rig.hardware._outlets[number].energy = 0.0
    rig = rig.power_cut()
    assert rig.sent("StopTransaction")[0]["meterStop"] == int(known)


def test_transaction_data_survives() -> None:
    """Errata 3.14: Transaction.Begin from before the cut, Transaction.End from after it."""
    rig = Rig(StopTxnSampledData="Energy.Active.Import.Register,Voltage", MeterValueSampleInterval="60")
    rig.session()
    rig.after(100)
    rig = rig.power_cut()
    data = rig.sent("StopTransaction")[0]["transactionData"]
    contexts = [value["sampledValue"][0]["context"] for value in data]
    assert contexts == ["Transaction.Begin", "Sample.Periodic", "Transaction.End"]


def test_both_connectors() -> None:
    """Each open transaction gets its end."""
    rig = Rig()
    rig.session(1, "ONE")
    rig.session(2, "TWO")
    rig = rig.power_cut()
    assert {stop["transactionId"] for stop in rig.sent("StopTransaction")} == {101, 102}


def test_a_stop_that_was_queued_is_not_made_again() -> None:
    """Digest §2.15: guard against sending the stop twice."""
    rig = Rig()
    rig.session()
    rig.cut()
    rig.swipe()
    rig.after(5)
    rig = rig.power_cut().power_cut()
    assert [stop["reason"] for name, stop in [*rig.before, *rig.cs.sent] if name == "StopTransaction"] == [
        "Local"
    ]


def test_a_reason_that_was_known_stays() -> None:
    """§7.36: the transaction was ending for another reason when the power went."""
    rig = Rig(simulation={"car_delay": 3.0})
    rig.plug()
    rig.swipe()
    rig.after(10)
    rig.call("RemoteStopTransaction", transactionId=101)
    rig = rig.power_cut()
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["Remote"]


def test_unplugged_while_the_power_was_away() -> None:
    """Digest §2.15: the world is as it is found."""
    rig = Rig()
    rig.session()
    rig = rig.power_cut(simulation={"plugged": ()})
    assert rig.told() == ["Available"]
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["PowerLoss"]


def test_the_car_charges_again_after_a_new_card() -> None:
    """A new transaction; numbers never repeat."""
    rig = Rig()
    rig.session()
    rig = rig.power_cut()
    rig.swipe()
    rig.after(5)
    assert rig.status() == "Charging"
    assert rig.facts.transactions.on(1).number == 2


def test_a_connector_that_is_no_more_loses_no_transaction() -> None:
    """DESIGN §1: nothing is lost, though station.yaml has fewer connectors after the power cut."""
    before = Rig(2)
    before.session(2)
    rig = Rig(1, storage=before.storage)
    assert [stop["transactionId"] for stop in rig.sent("StopTransaction")] == [101]
    rig.session(1)


def test_a_connector_that_is_no_more_does_not_hinder_the_recovery_from_a_defect() -> None:
    """DESIGN §1: a defect ends in a station that runs, whatever is stored."""
    before = Rig(2)
    before.session(2)
    rig = Rig(1, storage=before.storage)
    rig.wires("meter.sampled", 1)
    rig.after(5)
    assert rig.log("BootNotification") == ["BootNotification"] * 2


# -- a cut at every step -----------------------------------------------------------------------------------


class CentralMemory:
    """The Central System's side: the same StartTransaction again gets the same id."""

    def __init__(self, status: str = "Accepted") -> None:
        self.ids: dict[str, int] = {}
        self.status = status

    def start(self, request: dict[str, Any]) -> dict[str, Any]:
        identifier = self.ids.setdefault(repr(sorted(request.items())), 100 + len(self.ids))
        return {"transactionId": identifier, "idTagInfo": {"status": self.status}}


@dataclass
class Moment:
    """What is left when the power goes now."""

    facts: dict[tuple[str, str], Any]
    sent: list[tuple[str, dict[str, Any]]]
    wall: float
    energies: list[float]
    plugged: tuple[int, ...]
    open_transaction: bool

    @classmethod
    def of(cls, rig: Rig) -> Moment:
        numbers = range(1, len(rig.plans) + 1)
        described = [rig.hardware.describe(number) for number in numbers]
        return cls(
            dict(rig.storage.facts),
            [*rig.before, *rig.cs.sent],
            rig.clock.now().wall,
            [here["meter"]["energy_wh"] for here in described],
            tuple(number for number in numbers if described[number - 1]["cable"]["present"]),
            ("transaction", "1") in rig.storage.facts,
        )


def moments(rig: Rig, session: Callable[[Rig], None]) -> list[Moment]:
    """After every commit, before anyone saw its effects; and after every event."""
    found: list[Moment] = []
    commit, handled = rig.storage.commit, rig.driver._on_step

    def committed(changes: tuple[Change, ...]) -> None:
        commit(changes)
        found.append(Moment.of(rig))

    def stepped(step: Any) -> None:
        handled(step)
        if step.event.name != "meter.sampled":
            found.append(Moment.of(rig))

    rig.storage.commit = committed  # type: ignore[method-assign]
    rig.driver._on_step = stepped
    session(rig)
    return found


def life_after(moment: Moment, central: CentralMemory) -> Rig:
    storage = MemoryStorage()
    storage.facts = dict(moment.facts)
    rig = Rig(
        storage=storage,
        clock=VirtualClock(moment.wall + 60),
        start=False,
        simulation={"plugged": moment.plugged},
        TransactionMessageRetryInterval="1",
    )
    for number, energy in enumerate(moment.energies, start=1):
        rig.hardware._outlets[number].energy = energy
    rig.before = moment.sent
    rig.cs.answers["StartTransaction"] = central.start
    rig.driver.start()
    rig.after(5)
    for number in moment.plugged:
        rig.unplug(number)
    rig.after(10)
    return rig


def distinct(rig: Rig, action: str) -> list[dict[str, Any]]:
    """A message that was sent twice in the same words is one message."""
    found: list[dict[str, Any]] = []
    for name, payload in [*rig.before, *rig.cs.sent]:
        if name == action and payload not in found:
            found.append(payload)
    return found


def one_truth(rig: Rig, central: CentralMemory) -> None:
    """Every start has one stop, with its id, and registers that only count up."""
    starts, stops = distinct(rig, "StartTransaction"), distinct(rig, "StopTransaction")
    ids = [central.start(start)["transactionId"] for start in starts]
    assert sorted(stop["transactionId"] for stop in stops) == sorted(ids)
    for start, identifier in zip(starts, ids, strict=True):
        stop = next(stop for stop in stops if stop["transactionId"] == identifier)
        values = [
            int(value["meterValue"][0]["sampledValue"][0]["value"])
            for value in distinct(rig, "MeterValues")
            if value.get("transactionId") == identifier
        ]
        registers = [start["meterStart"], *values, stop["meterStop"]]
        assert registers == sorted(registers)
        assert (to_seconds(start["timestamp"]) or 0) <= (to_seconds(stop["timestamp"]) or 0)
    assert rig.facts.queue.length() == 0
    assert rig.facts.transactions.all() == []
    assert {rig.status(number) for number in range(3)} == {"Available"}


def by_card(rig: Rig) -> None:
    rig.plug()
    rig.swipe()
    rig.after(65)
    rig.swipe()
    rig.after(5)
    rig.unplug()
    rig.after(3)


def offline(rig: Rig) -> None:
    rig.cut()
    by_card(rig)
    rig.mend()


def remote_and_unlocked(rig: Rig) -> None:
    rig.call("RemoteStartTransaction", idTag="TAG", connectorId=1)
    rig.plug()
    rig.after(20)
    rig.call("UnlockConnector", connectorId=1)
    rig.after(5)
    rig.unplug()
    rig.after(3)


@pytest.mark.parametrize(
    ("session", "reason", "status"),
    [
        (by_card, "Local", "Accepted"),
        (by_card, "DeAuthorized", "Invalid"),
        (offline, "Local", "Accepted"),
        (remote_and_unlocked, "UnlockCommand", "Accepted"),
    ],
    ids=["card", "refused", "offline", "remote"],
)
def test_a_cut_at_every_step_of_a_session(session: Callable[[Rig], None], reason: str, status: str) -> None:
    """Started once, stopped once, for the right reason, registers monotonic: whenever the power goes."""
    central = CentralMemory(status)
    rig = Rig(
        AllowOfflineTxForUnknownId="true",
        MeterValueSampleInterval="30",
        StopTxnSampledData="Energy.Active.Import.Register",
    )
    rig.cs.answers["StartTransaction"] = central.start
    found = moments(rig, session)
    assert len(found) >= 20
    for moment in found:
        life = life_after(moment, central)
        one_truth(life, central)
        began = ("sequence", "transaction") in moment.facts
        ending = (moment.facts.get(("transaction", "1")) or {}).get("ending")
        expected = [] if not began else [(ending or "PowerLoss") if moment.open_transaction else reason]
        assert [stop["reason"] for stop in distinct(life, "StopTransaction")] == expected


@pytest.mark.parametrize("seed", range(6))
def test_cut_after_cut_after_cut(seed: int) -> None:
    """The same with several cuts in a row, also while the books of the last one are being closed."""
    chance = random.Random(seed)
    central = CentralMemory()
    rig = Rig(MeterValueSampleInterval="30")
    for _ in range(6):
        rig.cs.answers["StartTransaction"] = central.start
        if not rig.hardware.describe(1)["cable"]["present"]:
            rig.hardware.simulate("plug", 1, {})
        rig.hardware.simulate("swipe", None, {"id_tag": "TAG"})
        rig.after(chance.choice([0.05, 0.2, 0.5, 2, 40]))
        if chance.random() < 0.5:
            rig.hardware.simulate("swipe", None, {"id_tag": "TAG"})
            rig.after(chance.choice([0.05, 0.2, 0.5, 2]))
        rig = rig.power_cut(chance.choice([1, 5]))
    rig.cs.answers["StartTransaction"] = central.start
    rig.after(10)
    rig.unplug()
    rig.after(10)
    one_truth(rig, central)
    assert len(distinct(rig, "StartTransaction")) >= 3
