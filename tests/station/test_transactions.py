"""StartTransaction and StopTransaction (OCPP 1.6 §4.8, §4.10, §7.36; digest §2.5, §2.6)."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig

from charger.functions.times import to_seconds
from charger.statechart.event import Event

ENERGY = "Energy.Active.Import.Register"


def data(stop: dict[str, Any]) -> list[tuple[str, str]]:
    """Context and measurand of every value in transactionData."""
    return [
        (value["context"], value["measurand"])
        for meter_value in stop.get("transactionData", [])
        for value in meter_value["sampledValue"]
    ]


def stopped(rig: Rig, tag: str = "TAG") -> dict[str, Any]:
    rig.swipe(tag)
    rig.after(5)
    return rig.sent("StopTransaction")[-1]


def test_of_two_transactions_each_keeps_its_values() -> None:
    """Errata 3.91: the most that one may have is counted for each."""
    rig = Rig(StopTxnSampledData=ENERGY, MeterValueSampleInterval="10", StopTransactionMaxMeterValues="4")
    rig.session(2, "TWO")
    rig.after(45)
    rig.session(1, "ONE")
    rig.after(18)
    rig.swipe("ONE")
    rig.after(5)
    assert [context for context, _ in data(rig.sent("StopTransaction")[0])] == [
        *("Transaction.Begin", "Sample.Periodic", "Sample.Periodic", "Transaction.End")
    ]


def test_lists_emptied_in_a_transaction_leave_no_transaction_data() -> None:
    """§3.16.5: both are empty when it stops, whatever was kept before; a change counts at once."""
    rig = Rig(StopTxnSampledData=ENERGY, StopTxnAlignedData=ENERGY, MeterValueSampleInterval="10")
    rig.session()
    rig.after(25)
    for key in ("StopTxnSampledData", "StopTxnAlignedData"):
        assert rig.call("ChangeConfiguration", key=key, value="") == {"status": "Accepted"}
    assert "transactionData" not in stopped(rig)
    assert "reading" not in {subject for subject, _ in rig.storage.facts}


# -- the start ---------------------------------------------------------------------------------------------


def test_start_transaction_tells_the_real_moment_and_the_register() -> None:
    """§4.8, errata 3.9: timestamp of the start; meterStart in whole Wh from the register, never rebased."""
    rig = Rig()
    rig.hardware._outlets[1].energy = 12_345.9
    rig.wires("meter.sampled", 1, energy=12_345.9, power=0)
    rig.plug()
    before = rig.clock.now().wall
    rig.swipe()
    rig.after(3)
    start = rig.sent("StartTransaction")[0]
    assert start | {"timestamp": ""} == {
        "connectorId": 1,
        "idTag": "TAG",
        "meterStart": 12_345,
        "timestamp": "",
    }
    assert before <= (to_seconds(start["timestamp"]) or 0) <= before + 1


def test_no_start_before_the_plug_is_locked() -> None:
    """§4.8: when all preconditions hold; test TC_024: the lock among them."""
    rig = Rig(simulation={"lock_delay": 2.0})
    rig.plug()
    rig.swipe()
    assert rig.log("StartTransaction") == []
    rig.after(1.5)
    assert rig.log("StartTransaction") == ["StartTransaction"]


def test_no_energy_before_the_tag_is_accepted() -> None:
    """§4.1: energy only after authorization."""
    rig = Rig()
    rig.plug()
    rig.after(30)
    assert rig.hardware.describe(1)["contactor"] == "open"
    assert rig.hardware.describe(1)["pilot_amps"] == 0


@pytest.mark.parametrize("identifier", [0, -1, -2_147_483_648, 2_147_483_647])
def test_any_integer_is_a_transaction_id(identifier: int) -> None:
    """Errata 3.54: no value has a meaning of its own."""
    rig = Rig()
    rig.cs.answers["StartTransaction"] = {"transactionId": identifier, "idTagInfo": {"status": "Accepted"}}
    rig.session()
    assert rig.call("RemoteStopTransaction", transactionId=identifier) == {"status": "Accepted"}
    rig.after(5)
    assert rig.sent("StopTransaction")[0]["transactionId"] == identifier


@pytest.mark.parametrize("status", ["Blocked", "Expired", "Invalid", "ConcurrentTx"])
def test_any_other_status_than_accepted_refuses(status: str) -> None:
    """§4.8: ConcurrentTx is just another one."""
    rig = Rig()
    rig.cs.answers["StartTransaction"] = {"transactionId": 5, "idTagInfo": {"status": status}}
    rig.plug()
    rig.swipe()
    rig.after(10)
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["DeAuthorized"]


def test_an_answer_that_comes_after_the_end_binds_the_id_all_the_same() -> None:
    """Digest §1.5: the StopTransaction queued behind the start carries the id of its .conf."""
    rig = Rig(simulation={"lock_delay": 2.0})
    rig.plug()
    rig.swipe()
    rig.cs.delay = 20
    rig.after(5)
    rig.swipe()
    rig.after(3)
    assert rig.status() == "Finishing"
    assert rig.facts.queue.bound(1) is None
    rig.after(60)
    assert [stop["transactionId"] for stop in rig.sent("StopTransaction")] == [101]


def test_a_refusal_that_comes_after_the_end_changes_nothing() -> None:
    """The transaction is over; its reason stays."""
    rig = Rig(AllowOfflineTxForUnknownId="true")
    rig.cut()
    rig.session()
    rig.swipe()
    rig.after(5)
    rig.cs.answers["StartTransaction"] = {"transactionId": 5, "idTagInfo": {"status": "Invalid"}}
    rig.mend()
    assert [(stop["transactionId"], stop["reason"]) for stop in rig.sent("StopTransaction")] == [(5, "Local")]
    assert rig.status() == "Finishing"


# -- the end -----------------------------------------------------------------------------------------------


def test_meter_stop_is_not_less_than_meter_start() -> None:
    """Errata 3.78: registers count up; a session without energy ends where it began."""
    rig = Rig()
    rig.wires("meter.sampled", 1, energy=99.9, power=0)
    rig.hardware._outlets[1].energy = 99.9
    rig.plug()
    rig.act("ev", 1, state="suspended")
    rig.swipe()
    stop = stopped(rig)
    assert (rig.sent("StartTransaction")[0]["meterStart"], stop["meterStop"]) == (99, 99)


def test_stop_transaction_is_sent_after_the_contactor_opened() -> None:
    """§4.10 with digest §7.4: the last Wh is in it."""
    rig = Rig()
    rig.session()
    rig.after(60)
    stop = stopped(rig)
    assert stop["meterStop"] == int(rig.hardware.describe(1)["meter"]["energy_wh"])
    assert rig.hardware.describe(1)["contactor"] == "open"


def test_a_normal_end_unlocks_the_socket() -> None:
    """§4.10: the cable is released."""
    rig = Rig()
    rig.session()
    assert rig.hardware.describe(1)["lock"] == "engaged"
    stopped(rig)
    assert rig.hardware.describe(1)["lock"] == "released"


def test_without_configured_measurands_there_is_no_transaction_data() -> None:
    """§3.16.5: both lists empty."""
    rig = Rig()
    rig.session()
    rig.after(130)
    assert "transactionData" not in stopped(rig)


def test_transaction_data_has_begin_samples_and_end() -> None:
    """Errata 3.14: Transaction.Begin and Transaction.End always, Sample.Periodic in between."""
    rig = Rig(StopTxnSampledData=ENERGY, MeterValueSampleInterval="60")
    rig.session()
    rig.after(130)
    stop = stopped(rig)
    contexts = ["Transaction.Begin", "Sample.Periodic", "Sample.Periodic", "Transaction.End"]
    assert data(stop) == [(context, ENERGY) for context in contexts]
    values = [int(one["sampledValue"][0]["value"]) for one in stop["transactionData"]]
    assert values == sorted(values)
    assert values[0] == rig.sent("StartTransaction")[0]["meterStart"]
    assert values[-1] == stop["meterStop"]
    stamps = [one["timestamp"] for one in stop["transactionData"]]
    assert stamps[0] == rig.sent("StartTransaction")[0]["timestamp"]
    assert stamps[-1] == stop["timestamp"]


def test_transaction_data_of_aligned_values() -> None:
    """§3.16.5: StopTxnAlignedData at the boundaries of ClockAlignedDataInterval."""
    rig = Rig(StopTxnAlignedData="Voltage", ClockAlignedDataInterval="60", MeterValueSampleInterval="0")
    rig.session()
    rig.after(120)
    contexts = [context for context, measurand in data(stopped(rig)) if measurand == "Voltage"]
    assert contexts == [
        *["Transaction.Begin"] * 3,
        *["Sample.Clock"] * 6,
        *["Transaction.End"] * 3,
    ]


def test_transaction_data_is_thinned_out_but_keeps_its_ends() -> None:
    """Errata 3.91: intermediate values go first, every second one; never the first and the last."""
    rig = Rig(
        StopTxnSampledData=ENERGY,
        MeterValueSampleInterval="10",
        StopTransactionMaxMeterValues="8",
    )
    rig.session()
    rig.after(305)
    stop = stopped(rig)
    contexts = [context for context, _ in data(stop)]
    assert len(contexts) <= 8
    assert (contexts[0], contexts[-1]) == ("Transaction.Begin", "Transaction.End")
    assert set(contexts[1:-1]) == {"Sample.Periodic"}
    values = [int(one["sampledValue"][0]["value"]) for one in stop["transactionData"]]
    assert values == sorted(values)


def test_transaction_data_of_two_transactions_is_not_mixed() -> None:
    """Each transaction has its own."""
    rig = Rig(StopTxnSampledData=ENERGY, MeterValueSampleInterval="50")
    rig.session(1, "ONE")
    rig.after(60)
    rig.session(2, "TWO")
    rig.after(60)
    assert len(data(stopped(rig, "ONE"))) == 4
    assert len(data(stopped(rig, "TWO"))) == 3


def test_nothing_of_an_ended_transaction_stays_behind() -> None:
    """Facts that nobody needs any more are gone: ids, readings, messages."""
    rig = Rig(StopTxnSampledData=ENERGY)
    rig.session()
    rig.after(100)
    stopped(rig)
    rig.after(5)
    left = {subject for subject, _ in rig.storage.facts}
    assert left <= {"session", "cache", "sequence", "configuration", "station"}


def test_a_transaction_without_a_reason_on_record_ends_for_another() -> None:
    """§7.36: Other is anything else. Only a chart that closes without marking the end comes here."""
    rig = Rig()
    rig.session()
    close = rig.charts.vocabulary.actions["transaction.close"].perform
    close(rig.facts, 1, Event("x"))
    close(rig.facts, 2, Event("x"))  # none is open there: nothing happens
    message = [m for _, m in rig.facts.records.items("message")][-1]
    assert message["payload"]["reason"] == "Other"


def test_a_transaction_that_begins_in_a_transaction_is_a_defect() -> None:
    """A chart that does so would bill somebody twice: contactors open, and what is open is closed."""
    rig = Rig(1)
    rig.session()
    with pytest.raises(RuntimeError, match=r"transaction\.begin on connector 1, where a transaction is open"):
        rig.charts.vocabulary.actions["transaction.begin"].perform(rig.facts, 1, Event("x"))
    assert len(rig.sent("StartTransaction")) == 1


def test_a_meter_that_is_replaced_during_a_transaction_takes_nothing_back() -> None:
    rig = Rig(1, MeterValueSampleInterval="60")
    rig.plug()
    rig.swipe("TAG")
    rig.after(3600)
    (start,) = rig.sent("StartTransaction")
    known = rig.facts.transactions.all()[0].last_energy
    assert known > start["meterStart"] + 5000
    rig.hardware._outlets[1].energy = 0.0  # the register of the new one
    rig.after(600)
    rig.swipe("TAG")
    rig.after(20)
    (stop,) = rig.sent("StopTransaction")
    assert stop["meterStop"] >= int(known)
