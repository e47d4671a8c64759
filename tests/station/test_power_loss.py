"""Power cuts, one at a time (OCPP 1.6 §3.7; digest §2.15). All of them: test_power_at_every_step.py."""

from __future__ import annotations

from rig import Rig


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
