"""What the machines have found, each in as few steps as it takes."""

from __future__ import annotations

from datetime import datetime

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
