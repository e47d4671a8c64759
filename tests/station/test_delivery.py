"""The queue of transaction messages: order, retries, offline, -1 (OCPP 1.6 §3.7; digest §1.5)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from rig import Rig

from charger.statechart.event import Event

QUEUED = ("StartTransaction", "MeterValues", "StopTransaction")


def offline_session(rig: Rig, seconds: float = 5, tag: str = "TAG") -> None:
    rig.session(tag=tag)
    rig.after(seconds)
    rig.swipe(tag)
    rig.after(5)
    rig.unplug()
    rig.after(2)


def test_offline_transactions_are_delivered_in_order_with_their_own_times() -> None:
    """§3.7: chronological; what is re-sent keeps its timestamps and readings."""
    rig = Rig(AllowOfflineTxForUnknownId="true", MeterValueSampleInterval="60")
    rig.cut()
    offline_session(rig, 130, "ONE")
    offline_session(rig, 10, "TWO")
    assert rig.log(*QUEUED) == []
    rig.mend()
    assert rig.log(*QUEUED) == [
        *("StartTransaction", "MeterValues", "MeterValues", "StopTransaction"),
        *("StartTransaction", "StopTransaction"),
    ]
    stamps = [p.get("timestamp") or p["meterValue"][0]["timestamp"] for p in rig.sent(*QUEUED)]
    assert stamps == sorted(stamps)


def test_the_transaction_id_is_bound_when_the_message_leaves() -> None:
    """Digest §1.5: each StopTransaction queued behind its StartTransaction carries the id of its .conf."""
    rig = Rig(AllowOfflineTxForUnknownId="true", MeterValueSampleInterval="60")
    rig.cut()
    offline_session(rig, 70, "ONE")
    offline_session(rig, 70, "TWO")
    rig.mend()
    ids = [payload.get("transactionId") for payload in rig.sent(*QUEUED)]
    assert ids == [None, 101, 101, None, 102, 102]


def test_a_transaction_begun_offline_goes_on_online() -> None:
    """§3.7 with §4.8: the rest of it is delivered as it comes."""
    rig = Rig(AllowOfflineTxForUnknownId="true", MeterValueSampleInterval="60")
    rig.cut()
    rig.session()
    rig.mend()
    rig.after(60)
    rig.swipe()
    rig.after(5)
    assert {payload.get("transactionId", 101) for payload in rig.sent(*QUEUED)} == {101}
    assert rig.log("StopTransaction") == ["StopTransaction"]


def test_one_at_a_time() -> None:
    """§3.7: the next transaction message waits until the one before is answered."""
    rig = Rig(simulation={"lock_delay": 2.0})
    rig.plug()
    rig.swipe()
    rig.cs.delay = 20
    rig.after(5)
    rig.swipe()
    rig.after(5)
    assert rig.facts.queue.length() == 2
    rig.after(60)
    start, stop = rig.when("StartTransaction")[0], rig.when("StopTransaction")[0]
    assert stop >= start + 20


@pytest.mark.parametrize("answer", ["error", "timeout"])
def test_a_failed_message_is_repeated_after_interval_times_transmissions(answer: str) -> None:
    """§3.7.1: attempts 3 and interval 60: send, wait 60, send, wait 120, send, discard; CALLERROR too."""
    rig = Rig(TransactionMessageAttempts="3", TransactionMessageRetryInterval="60", MessageTimeout="10")
    rig.cs.answers["StartTransaction"] = answer
    rig.session()
    rig.after(600)
    spent = 10 if answer == "timeout" else rig.cs.delay
    gaps = [later - earlier - spent for earlier, later in pairwise(rig.when("StartTransaction"))]
    assert gaps == pytest.approx([60, 120], abs=0.1)
    sent = rig.sent("StartTransaction")
    assert sent[0] == sent[1] == sent[2]


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_so_many_attempts_and_no_more(attempts: int) -> None:
    """§3.7.1: TransactionMessageAttempts counts transmissions."""
    rig = Rig(TransactionMessageAttempts=str(attempts), TransactionMessageRetryInterval="10")
    rig.cs.answers["StartTransaction"] = "error"
    rig.session()
    rig.after(400)
    assert len(rig.log("StartTransaction")) == attempts
    assert rig.state("delivery") == "Idle"


def test_a_retry_interval_of_0_repeats_at_once() -> None:
    """§3.7.1: 0 times anything is no wait."""
    rig = Rig(TransactionMessageAttempts="4", TransactionMessageRetryInterval="0")
    rig.cs.answers["StartTransaction"] = "error"
    rig.session()
    assert len(rig.log("StartTransaction")) == 4


def test_a_retry_interval_written_as_0_ends_the_wait() -> None:
    """§9.1.33: a new value counts at once."""
    rig = Rig(TransactionMessageAttempts="2", TransactionMessageRetryInterval="600")
    rig.cs.answers["StartTransaction"] = "error"
    rig.session()
    rig.call("ChangeConfiguration", key="TransactionMessageRetryInterval", value="0")
    rig.after(1)
    assert len(rig.log("StartTransaction")) == 2


def test_while_a_message_waits_others_go_out() -> None:
    """Digest §1.5: StatusNotification, Authorize and Heartbeat overtake a stuck queue."""
    rig = Rig(TransactionMessageRetryInterval="1000")
    rig.cs.answers["StartTransaction"] = "error"
    rig.session(1, "ONE")
    rig.forget()
    rig.after(300)
    rig.plug(2)
    rig.swipe("TWO")
    rig.after(3)
    assert set(rig.log()) == {"Heartbeat", "StatusNotification", "Authorize"}


def test_being_offline_is_no_failure() -> None:
    """Digest §1.5: a lost link puts the message back at the head and does not count."""
    rig = Rig(TransactionMessageAttempts="2", TransactionMessageRetryInterval="600")
    rig.cs.answers["StartTransaction"] = "timeout"
    rig.session()
    for _ in range(5):
        rig.cs.lose()
        rig.after(8)
    assert len(rig.log("StartTransaction")) == 6
    assert rig.driver.station.status()["queue"] == {"waiting": 1, "transmissions": 0}
    del rig.cs.answers["StartTransaction"]
    rig.cs.lose()
    rig.after(8)
    assert rig.facts.queue.length() == 0


def test_the_wait_for_a_retry_goes_on_over_a_reconnect() -> None:
    """Digest §1.5: the retry timer survives."""
    rig = Rig(TransactionMessageRetryInterval="60")
    rig.cs.answers["StartTransaction"] = "error"
    rig.session()
    rig.cs.lose()
    rig.after(70)
    gaps = [later - earlier for earlier, later in pairwise(rig.when("StartTransaction"))]
    assert gaps == pytest.approx([60], abs=0.1)


def test_transmissions_are_counted_over_a_power_cut() -> None:
    """Digest §1.5: the queue is persistent, with the transmissions made."""
    rig = Rig(TransactionMessageAttempts="3", TransactionMessageRetryInterval="60")
    rig.cs.answers["StartTransaction"] = "error"
    rig.session()
    rig.after(70)
    assert len(rig.log("StartTransaction")) == 2
    rig = rig.power_cut()
    rig.cs.answers["StartTransaction"] = "error"
    rig.after(400)
    assert len(rig.log("StartTransaction")) <= 1


@pytest.mark.parametrize("answer", ["error", "timeout"])
def test_a_start_given_up_makes_the_id_minus_1(answer: str) -> None:
    """Errata 3.18: the rest of the transaction is sent with transactionId -1."""
    rig = Rig(
        TransactionMessageAttempts="2",
        TransactionMessageRetryInterval="10",
        MeterValueSampleInterval="60",
        MessageTimeout="5",
    )
    rig.cs.answers["StartTransaction"] = answer
    rig.session()
    rig.after(70)
    rig.swipe()
    rig.after(5)
    rest = rig.sent("MeterValues", "StopTransaction")
    assert [payload["transactionId"] for payload in rest] == [-1, -1]
    assert rig.state("connector", 1) == "Released"
    assert ("bound", "1") not in rig.storage.facts


def test_a_given_up_stop_is_dropped_and_the_next_one_comes() -> None:
    """§3.7.1: discard and go on with the next message."""
    rig = Rig(TransactionMessageAttempts="1", AllowOfflineTxForUnknownId="true")
    rig.cut()
    offline_session(rig, tag="ONE")
    offline_session(rig, tag="TWO")

    def answer(request: dict[str, Any]) -> Any:
        return "error" if request["transactionId"] == 101 else {}

    rig.cs.answers["StopTransaction"] = answer
    rig.mend()
    assert [stop["transactionId"] for stop in rig.sent("StopTransaction")] == [101, 102]
    assert rig.facts.queue.length() == 0


def test_meter_values_that_fail_are_repeated_too() -> None:
    """§3.7: they are transaction-related."""
    rig = Rig(MeterValueSampleInterval="100", TransactionMessageRetryInterval="10")
    rig.cs.answers["MeterValues"] = "error"
    rig.session()
    rig.after(99)
    assert len(rig.log("MeterValues")) == 1
    rig.after(40)
    sent = rig.sent("MeterValues")
    assert sent[0] == sent[1] == sent[2]


def test_many_messages_wait_in_order() -> None:
    """§3.7: first in, first out, however many there are."""
    rig = Rig(AllowOfflineTxForUnknownId="true", MeterValueSampleInterval="10")
    rig.cut()
    rig.session()
    rig.after(1500)
    rig.mend()
    stamps = [payload["meterValue"][0]["timestamp"] for payload in rig.sent("MeterValues")]
    assert len(stamps) >= 150
    assert stamps == sorted(set(stamps))


def test_a_late_answer_counts_as_long_as_the_message_would_be_sent_again() -> None:
    """Digest §1.2: a Central System that is slower than MessageTimeout gives no transaction the id -1."""
    rig = Rig(TransactionMessageAttempts="2", TransactionMessageRetryInterval="600", MessageTimeout="5")
    rig.cs.answers["StartTransaction"] = "timeout"
    rig.session()
    rig.after(10)
    payload = {"transactionId": 77, "idTagInfo": {"status": "Accepted"}}
    rig.driver.post(Event("ocpp.answered_late", fields={"id": "of another", "payload": payload}))
    rig.after(1)
    assert rig.facts.queue.length() == 1
    late = {"id": rig.facts.queue.first().id, "payload": payload}
    rig.driver.post(Event("ocpp.answered_late", fields=late))
    rig.after(1)
    assert rig.facts.queue.length() == 0
    rig.swipe()
    rig.after(5)
    assert [stop["transactionId"] for stop in rig.sent("StopTransaction")] == [77]
    rig.driver.post(Event("ocpp.answered_late", fields=late))  # once more: nothing waits for it
    rig.after(1)
