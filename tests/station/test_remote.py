"""RemoteStartTransaction and RemoteStopTransaction (OCPP 1.6 §5.11, §5.12; digest §2.8)."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig

ACCEPTED, REJECTED = {"status": "Accepted"}, {"status": "Rejected"}


def start(rig: Rig, tag: str = "TAG", **more: Any) -> Any:
    return rig.call("RemoteStartTransaction", idTag=tag, **more)


def test_cable_first() -> None:
    """Test TC_010: Preparing, Accepted, Authorize, StartTransaction, Charging."""
    rig = Rig()
    rig.plug()
    assert start(rig, connectorId=1) == ACCEPTED
    rig.after(3)
    assert rig.log("Authorize", "StartTransaction") == ["Authorize", "StartTransaction"]
    assert rig.told() == ["Available", "Preparing", "Charging"]


def test_remote_first() -> None:
    """Test TC_011_1: Accepted, Authorize, Preparing, plug, StartTransaction."""
    rig = Rig()
    assert start(rig, connectorId=2) == ACCEPTED
    rig.after(1)
    assert rig.told(2) == ["Available", "Preparing"]
    rig.plug(2)
    rig.after(3)
    assert rig.told(2) == ["Available", "Preparing", "Charging"]


def test_remote_first_without_plug() -> None:
    """Test TC_011_2: ConnectionTimeOut, then Available."""
    rig = Rig(ConnectionTimeOut="20")
    start(rig, connectorId=1)
    rig.after(21)
    assert rig.told() == ["Available", "Preparing", "Available"]
    assert rig.log("StartTransaction") == []


def test_a_remote_start_does_not_wait_for_the_authorization_to_answer() -> None:
    """Errata 3.32: the answer means that it will be tried; a refused tag simply does not start."""
    rig = Rig()
    rig.plug()
    rig.cs.answers["Authorize"] = {"idTagInfo": {"status": "Blocked"}}
    assert start(rig, connectorId=1) == ACCEPTED
    rig.after(5)
    assert rig.log("StartTransaction") == []
    assert rig.status() == "Preparing"


def test_without_authorize_remote_tx_requests_nobody_is_asked() -> None:
    """§9.1.2: the Central System judges in StartTransaction.conf."""
    rig = Rig(AuthorizeRemoteTxRequests="false")
    rig.plug()
    assert start(rig, connectorId=1) == ACCEPTED
    rig.after(3)
    assert rig.log("Authorize", "StartTransaction") == ["StartTransaction"]


def test_authorize_remote_tx_requests_uses_the_cache() -> None:
    """§9.1.2 with §3.5: a known tag starts without Authorize.req if LocalPreAuthorize says so."""
    rig = Rig(LocalPreAuthorize="true")
    rig.session(1)
    rig.forget()
    start(rig, connectorId=2)
    rig.plug(2)
    rig.after(3)
    assert rig.log("Authorize", "StartTransaction") == ["StartTransaction"]


def test_without_connector_the_plugged_one_is_taken() -> None:
    """Digest §2.8: plugged first, else a free one bound at plug-in."""
    rig = Rig()
    rig.plug(2)
    assert start(rig) == ACCEPTED
    rig.after(3)
    assert rig.status(2) == "Charging"


def test_without_connector_and_plug_the_next_plug_is_taken() -> None:
    """Digest §2.8."""
    rig = Rig()
    assert start(rig) == ACCEPTED
    rig.plug(2)
    rig.after(3)
    assert rig.status(2) == "Charging"


def test_without_connector_and_nothing_free() -> None:
    """§5.11: Rejected."""
    rig = Rig(1)
    rig.session()
    assert start(rig) == REJECTED


@pytest.mark.parametrize("connector", [0, 3, -1])
def test_a_connector_that_is_none(connector: int) -> None:
    """Test TC_027 for 0; unknown ones likewise."""
    assert start(Rig(), connectorId=connector) == REJECTED


def test_a_connector_with_a_transaction() -> None:
    """Test TC_026."""
    rig = Rig()
    rig.session()
    assert start(rig, connectorId=1) == REJECTED


def test_a_connector_out_of_operation() -> None:
    """Digest §2.8."""
    rig = Rig()
    rig.call("ChangeAvailability", connectorId=1, type="Inoperative")
    assert start(rig, connectorId=1) == REJECTED


def test_a_connector_with_a_fault() -> None:
    """Digest §2.8."""
    rig = Rig()
    rig.act("fault", 1, error_code="GroundFailure")
    assert start(rig, connectorId=1) == REJECTED


def test_a_connector_that_somebody_is_authorized_for() -> None:
    """The first one has it until ConnectionTimeOut."""
    rig = Rig()
    start(rig, connectorId=1)
    rig.after(1)
    assert start(rig, "OTHER", connectorId=1) == REJECTED


def test_while_another_tag_is_decided_upon_the_next_one_waits() -> None:
    """Digest §2.8: none of the reasons to reject applies."""
    rig = Rig()
    rig.cs.delay = 5
    assert start(rig, connectorId=1) == ACCEPTED
    assert start(rig, "OTHER") == ACCEPTED
    rig.after(30)
    assert rig.told(1)[-1] == rig.told(2)[-1] == "Preparing"


def test_finishing_with_the_cable_still_in() -> None:
    """F2: a new transaction."""
    rig = Rig()
    rig.session()
    rig.swipe()
    rig.after(5)
    assert start(rig, "OTHER", connectorId=1) == ACCEPTED
    rig.after(3)
    assert rig.told()[-3:] == ["Finishing", "Preparing", "Charging"]


def test_a_charging_profile_is_ignored_without_smart_charging() -> None:
    """§5.11: a station without smart charging ignores the profile."""
    rig = Rig()
    rig.plug()
    profile = {"chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxProfile"}
    assert start(rig, connectorId=1, chargingProfile=profile) == ACCEPTED


def test_stop() -> None:
    """Test TC_012: Accepted, StopTransaction with reason Remote and no tag, unlocked, Finishing."""
    rig = Rig()
    rig.session()
    assert rig.call("RemoteStopTransaction", transactionId=101) == ACCEPTED
    rig.after(5)
    stop = rig.sent("StopTransaction")[0]
    assert (stop["reason"], stop["transactionId"], "idTag" in stop) == ("Remote", 101, False)
    assert rig.hardware.describe(1)["lock"] == "released"
    assert rig.told()[-1] == "Finishing"


def test_stop_of_the_right_one() -> None:
    """§5.12: by transactionId, wherever it runs."""
    rig = Rig()
    rig.session(1, "ONE")
    rig.session(2, "TWO")
    assert rig.call("RemoteStopTransaction", transactionId=102) == ACCEPTED
    rig.after(5)
    assert (rig.status(1), rig.status(2)) == ("Charging", "Finishing")


def test_stop_of_an_unknown_one() -> None:
    """Errata 3.33: only if it is running."""
    rig = Rig()
    rig.session()
    assert rig.call("RemoteStopTransaction", transactionId=999) == REJECTED
    rig.swipe()
    rig.after(5)
    assert rig.call("RemoteStopTransaction", transactionId=101) == REJECTED


def test_stop_of_one_that_is_ending() -> None:
    """It ends already, and for another reason."""
    rig = Rig(simulation={"car_delay": 3.0})
    rig.plug()
    rig.swipe()
    rig.after(10)
    rig.swipe()
    assert rig.state("transaction", 1) == "Ending"
    assert rig.call("RemoteStopTransaction", transactionId=101) == REJECTED
    rig.after(10)
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["Local"]


def test_stop_before_the_start_was_answered() -> None:
    """Digest §2.8: without StartTransaction.conf nothing can match, also not -1."""
    rig = Rig()
    rig.cs.answers["StartTransaction"] = "timeout"
    rig.session()
    assert rig.call("RemoteStopTransaction", transactionId=101) == REJECTED
    assert rig.call("RemoteStopTransaction", transactionId=-1) == REJECTED


def test_no_start_while_the_station_resets() -> None:
    """§5.14: nothing new begins."""
    rig = Rig(simulation={"car_delay": 3.0})
    rig.plug()
    rig.swipe()
    rig.after(10)
    assert rig.call("Reset", type="Soft") == ACCEPTED
    assert start(rig, connectorId=2) == REJECTED
    assert start(rig) == REJECTED


def test_a_card_that_waits_for_its_plug_does_not_keep_a_remote_start_away() -> None:
    """§5.11: connector 2 is free, whoever stands at the reader; that card waits for the other one."""
    rig = Rig(2)
    rig.swipe("CARD")
    assert start(rig, "REMOTE", connectorId=2) == ACCEPTED
    rig.after(1)
    rig.plug(2)
    rig.after(3)
    rig.plug(1)
    rig.after(3)
    assert [begun["idTag"] for begun in rig.sent("StartTransaction")] == ["REMOTE", "CARD"]


def test_a_card_that_waits_and_a_remote_start_for_any_connector() -> None:
    rig = Rig(2)
    rig.swipe("CARD")
    assert start(rig, "REMOTE") == ACCEPTED


def test_two_remote_starts_at_once() -> None:
    """Digest §2.8: both connectors are free; one tag is asked about after the other."""
    rig = Rig(2)
    rig.cs.delay = 2
    assert start(rig, "ONE", connectorId=1) == ACCEPTED
    assert start(rig, "TWO", connectorId=2) == ACCEPTED
    rig.after(10)
    assert (rig.status(1), rig.status(2)) == ("Preparing", "Preparing")
    rig.plug(1)
    rig.plug(2)
    rig.after(10)
    assert [begun["idTag"] for begun in rig.sent("StartTransaction")] == ["ONE", "TWO"]


def test_a_card_at_one_reader_and_a_card_at_another_one() -> None:
    """Each reader serves its connector; the second card is asked about after the first."""
    rig = Rig(2)
    rig.plug(1)
    rig.plug(2)
    rig.cs.delay = 2
    rig.swipe("ONE", 1)
    rig.swipe("TWO", 2)
    rig.after(15)
    assert [begun["idTag"] for begun in rig.sent("StartTransaction")] == ["ONE", "TWO"]


def test_a_remote_start_that_waited_comes_before_a_card_that_waits_for_its_plug() -> None:
    """The card was asked about first, and could be for either connector."""
    rig = Rig(2)
    rig.cs.delay = 2
    rig.hardware.simulate("swipe", None, {"id_tag": "CARD"})
    rig.until(lambda: rig.state("authorization") == "Asking")
    assert start(rig, "REMOTE", connectorId=2) == ACCEPTED
    rig.after(10)
    assert (rig.status(1), rig.status(2)) == ("Available", "Preparing")
