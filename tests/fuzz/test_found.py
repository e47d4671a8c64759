"""What the machines have found, each in as few steps as it takes."""

from __future__ import annotations

from datetime import datetime

import pytest
from rig import Rig

from charger.statechart.event import Event


def test_a_status_whose_answer_was_lost_is_told_again() -> None:
    """Available was confirmed, Faulted may have been taken, Available is the case: the middle one may not stay."""
    rig = Rig(1)
    rig.driver.post(Event("emergency.pressed"))
    rig.after(0.01)
    assert rig.told(0) == ["Available", "Faulted"]  # on the wire; its answer is not back yet
    rig.cut()
    rig.wires("emergency.released")
    rig.mend()
    assert rig.told(0) == ["Available", "Faulted", "Available"]


def test_a_transaction_does_not_end_before_it_began() -> None:
    rig = Rig(1)
    rig.session()
    rig.clock.jump_wall(-3600)
    rig.swipe()
    rig.after(10)
    (start,), (stop,) = rig.sent("StartTransaction"), rig.sent("StopTransaction")
    assert datetime.fromisoformat(start["timestamp"]) <= datetime.fromisoformat(stop["timestamp"])


@pytest.mark.parametrize("answered", [True, False])
def test_a_transaction_does_not_end_before_it_began_though_nobody_told_the_time(*, answered: bool) -> None:
    """The Central System has heard of its beginning, or may have; then somebody sets the clock back a day."""
    rig = Rig(
        1,
        start=False,
        StopTxnSampledData="Energy.Active.Import.Register",
        MeterValueSampleInterval="20",
        TransactionMessageRetryInterval="1",
    )
    rig.cs.answers["BootNotification"] = {"status": "Accepted", "interval": 300, "currentTime": ""}
    rig.driver.start()
    rig.after(5)
    if not answered:
        rig.cs.answers["StartTransaction"] = "timeout"
    rig.session()
    rig.clock.jump_wall(-86_400)
    rig.cs.answers.pop("StartTransaction", None)
    rig.after(50)
    rig.swipe()
    rig.after(20)
    (stop,) = rig.sent("StopTransaction")
    starts = {repr(start): start for start in rig.sent("StartTransaction")}
    assert len(starts) == 1
    (begun,) = (datetime.fromisoformat(start["timestamp"]) for start in starts.values())
    told = [stop["timestamp"], *(value["timestamp"] for value in stop["transactionData"])]
    told += [value["meterValue"][0]["timestamp"] for value in rig.sent("MeterValues")]
    assert len(told) >= 5
    assert all(begun <= datetime.fromisoformat(text) for text in told)


def test_a_card_that_is_accepted_while_the_station_restarts_opens_nothing() -> None:
    rig = Rig(2, TransactionMessageRetryInterval="60")
    rig.cs.answers["StopTransaction"] = "error"  # a soft reset waits for its delivery
    rig.session()
    rig.swipe()
    rig.after(10)
    rig.cs.delay = 5
    rig.swipe("OTHER", 2)
    assert rig.call("Reset", type="Soft") == {"status": "Accepted"}
    rig.after(6)
    assert rig.sent("Authorize")[-1] == {"idTag": "OTHER"}
    assert rig.status(2) == "Available"
