"""Charging sessions from plug-in to plug-out (OCPP 1.6 §4.8-§4.10, digest §2.5-§2.9)."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig

REFUSED = {"transactionId": 5, "idTagInfo": {"status": "Invalid"}}


def changes(rig: Rig, connector: int = 1) -> list[tuple[str, str]]:
    """Status and info of every StatusNotification."""
    return [(notice["status"], notice.get("info", "")) for notice in rig.notices(connector)]


# -- by card ---------------------------------------------------------------------------------------------


def test_plug_card_card_unplug() -> None:
    """Test TC_003: cable first; every status and message in order."""
    rig = Rig()
    rig.plug()
    rig.swipe()
    rig.after(60)
    rig.swipe()
    rig.after(5)
    rig.unplug()
    rig.after(2)
    assert rig.told() == ["Available", "Preparing", "Charging", "Finishing", "Available"]
    assert rig.log("Authorize", "StartTransaction", "StopTransaction") == [
        *("Authorize", "StartTransaction", "StopTransaction"),
    ]
    assert {notice["errorCode"] for notice in rig.notices()} == {"NoError"}


def test_card_plug_card_unplug() -> None:
    """Test TC_004_1: tag first; Preparing begins with the tag where one connector only can be meant."""
    rig = Rig(1)
    rig.swipe()
    assert rig.told() == ["Available", "Preparing"]
    rig.plug()
    rig.after(3)
    rig.swipe()
    rig.after(5)
    rig.unplug()
    rig.after(2)
    assert rig.told() == ["Available", "Preparing", "Charging", "Finishing", "Available"]


def test_card_without_plug_goes_back_after_connection_time_out() -> None:
    """Test TC_004_2, B1: back to Available."""
    rig = Rig(1, ConnectionTimeOut="30")
    rig.swipe()
    rig.after(28.9)
    assert rig.status() == "Preparing"
    rig.after(2)
    assert rig.told() == ["Available", "Preparing", "Available"]
    rig.plug()
    rig.after(5)
    assert rig.log("StartTransaction") == []


def test_the_same_card_before_the_plug_cancels() -> None:
    """B1: same tag again."""
    rig = Rig(1)
    rig.swipe("TAG")
    rig.swipe("tag")
    assert rig.told() == ["Available", "Preparing", "Available"]


def test_another_card_before_the_plug_is_turned_away() -> None:
    """The connector is taken by the first one."""
    rig = Rig(1)
    rig.swipe("ONE")
    rig.swipe("TWO")
    assert rig.facts.display == "occupied"
    rig.plug()
    rig.after(3)
    assert rig.sent("StartTransaction")[0]["idTag"] == "ONE"


def test_plug_without_card_is_finishing_after_connection_time_out() -> None:
    """B6, errata 3.20: a later tag for another connector cannot start here."""
    rig = Rig(ConnectionTimeOut="30")
    rig.plug(1)
    rig.after(31)
    assert rig.told() == ["Available", "Preparing", "Finishing"]
    rig.plug(2)
    rig.swipe()
    rig.after(3)
    assert (rig.status(1), rig.status(2)) == ("Finishing", "Charging")
    rig.unplug(1)
    assert rig.told() == ["Available", "Preparing", "Finishing", "Available"]


def test_connection_time_out_0_waits_for_ever() -> None:
    """Digest §2.9: 0 means no timeout."""
    rig = Rig(1, ConnectionTimeOut="0")
    rig.plug()
    rig.after(100_000)
    assert rig.status() == "Preparing"


def test_plug_and_unplug_without_card() -> None:
    """B1: the intended use ended."""
    rig = Rig()
    rig.plug()
    rig.unplug()
    assert rig.told() == ["Available", "Preparing", "Available"]


def test_pulled_out_while_the_lock_moves() -> None:
    """B1: no transaction has begun, none begins."""
    rig = Rig(simulation={"lock_delay": 2.0})
    rig.plug()
    rig.swipe()
    assert rig.state("connector", 1) == "Locking"
    rig.unplug()
    rig.after(5)
    assert rig.told() == ["Available", "Preparing", "Available"]
    assert rig.log("StartTransaction") == []
    assert rig.state("lock", 1) == "Released"


def test_plugged_in_again_after_finishing_is_a_new_session() -> None:
    """F1 and A2."""
    rig = Rig()
    for _ in range(3):
        rig.session()
        rig.swipe()
        rig.after(5)
        rig.unplug()
        rig.after(1)
    assert [start["idTag"] for start in rig.sent("StartTransaction")] == ["TAG"] * 3
    assert [stop["transactionId"] for stop in rig.sent("StopTransaction")] == [101, 102, 103]
    assert rig.told()[1:] == ["Preparing", "Charging", "Finishing", "Available"] * 3


def test_two_connectors_at_once() -> None:
    """§3.8: connectors are independent of each other."""
    rig = Rig()
    rig.session(1, "ONE")
    rig.session(2, "TWO")
    rig.after(30)
    rig.swipe("ONE")
    rig.after(5)
    assert (rig.status(1), rig.status(2)) == ("Finishing", "Charging")
    rig.swipe("TWO")
    rig.after(5)
    stops = {stop["transactionId"]: stop["idTag"] for stop in rig.sent("StopTransaction")}
    starts = {start["connectorId"]: start["idTag"] for start in rig.sent("StartTransaction")}
    assert (starts, stops) == ({1: "ONE", 2: "TWO"}, {101: "ONE", 102: "TWO"})
    assert rig.told(2) == ["Available", "Preparing", "Charging", "Finishing"]


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize(("amps", "then"), [(16, "Charging"), (0, "SuspendedEVSE")])
def test_a_new_transaction_where_the_plug_was_left_in_shows_preparing(
    *, fixed: bool, amps: float, then: str
) -> None:
    """F2: the matrix has no other way from Finishing into a transaction."""
    rig = Rig(1, fixed=fixed)
    rig.session()
    rig.swipe()
    rig.after(10)
    rig.limit(1, amps)
    rig.call("RemoteStartTransaction", idTag="TAG", connectorId=1)
    rig.after(15)
    assert rig.told()[-3:] == ["Finishing", "Preparing", then]


def test_stopped_and_started_again_while_the_lock_is_still_closed() -> None:
    """F2, though nothing has to move for it."""
    rig = Rig()
    rig.session(tag="ONE")
    rig.hardware.simulate("swipe", None, {"id_tag": "ONE"})
    rig.until(lambda: rig.status() == "Finishing", step=0.01)
    rig.limit(1, 0)
    rig.hardware.simulate("swipe", None, {"id_tag": "TWO", "connector": 1})
    rig.after(15)
    assert rig.told()[-3:] == ["Finishing", "Preparing", "SuspendedEVSE"]


# -- fixed cable -------------------------------------------------------------------------------------------


def test_a_fixed_cable_needs_no_lock() -> None:
    """§4.10: the cable belongs to the charger; pulled out of the car the session ends, Finishing is shown."""
    rig = Rig(1, fixed=True)
    rig.session()
    rig.unplug()
    rig.after(5)
    assert rig.told() == ["Available", "Preparing", "Charging", "Finishing", "Available"]
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["EVDisconnected"]


def test_a_fixed_cable_is_never_held() -> None:
    """Errata 3.84: there is nothing to hold."""
    rig = Rig(1, fixed=True)
    rig.cs.answers["StartTransaction"] = REFUSED
    rig.plug()
    rig.swipe()
    rig.after(10)
    assert rig.state("connector", 1) == "Released"


def test_plugged_in_again_within_the_second_in_which_finishing_is_shown() -> None:
    """F2: the car comes back at once."""
    rig = Rig(1, fixed=True)
    rig.session()
    rig.hardware.simulate("unplug", 1, {})
    rig.after(0.5)
    rig.hardware.simulate("plug", 1, {})
    rig.after(2)
    assert rig.told()[-2:] == ["Finishing", "Preparing"]


# -- who pauses --------------------------------------------------------------------------------------------


def test_the_car_pauses_and_resumes() -> None:
    """C4, D3."""
    rig = Rig()
    rig.session()
    rig.act("ev", 1, state="suspended")
    assert rig.status() == "SuspendedEV"
    rig.act("ev", 1, state="ready")
    rig.after(5)  # the contactor rests that long
    assert rig.told()[-3:] == ["Charging", "SuspendedEV", "Charging"]
    assert rig.log("StopTransaction") == []


def test_a_car_that_does_not_ask_is_suspended_ev_after_10_s() -> None:
    """B4: Preparing until then, so that no Suspended flickers by."""
    rig = Rig()
    rig.plug()
    rig.act("ev", 1, state="suspended")
    rig.swipe()
    rig.after(9)
    assert rig.told()[-1] == "Preparing"
    rig.after(2)
    assert rig.told()[-1] == "SuspendedEV"
    rig.act("ev", 1, state="ready")
    assert rig.told()[-1] == "Charging"


def test_a_car_that_asks_and_changes_its_mind_before_the_contactor_closed() -> None:
    """B4 by a car that pauses while the contactor moves."""
    rig = Rig(simulation={"contactor_delay": 0.4})
    rig.plug()
    rig.hardware.simulate("swipe", None, {"id_tag": "TAG"})
    rig.until(lambda: rig.state("power", 1) == "Closing")
    rig.hardware.simulate("ev", 1, {"state": "suspended"})
    rig.after(2)
    assert rig.status() == "SuspendedEV"
    assert "Charging" not in rig.told()
    assert rig.hardware.describe(1)["contactor"] != "closed"


def test_less_than_6_a_suspends() -> None:
    """C5, E3: IEC 61851-1 cannot express less; the station pauses and resumes."""
    rig = Rig()
    rig.session()
    rig.limit(1, 5.9)
    rig.after(10)
    assert rig.status() == "SuspendedEVSE"
    assert rig.hardware.describe(1)["pilot_amps"] == 0
    rig.limit(1, 6)
    rig.after(10)
    assert rig.told()[-3:] == ["Charging", "SuspendedEVSE", "Charging"]
    assert rig.hardware.describe(1)["pilot_amps"] == 6


def test_no_current_from_the_beginning() -> None:
    """B5."""
    rig = Rig()
    rig.limit(1, 0)
    rig.plug()
    rig.swipe()
    rig.after(3)
    assert rig.told() == ["Available", "Preparing", "SuspendedEVSE"]


def test_a_limit_that_falls_while_the_contactor_closes() -> None:
    """B5, without a Charging in between."""
    rig = Rig(simulation={"contactor_delay": 0.4})
    rig.plug()
    rig.hardware.simulate("swipe", None, {"id_tag": "TAG"})
    rig.until(lambda: rig.state("power", 1) == "Closing")
    rig.limit(1, 0)
    rig.after(10)
    assert rig.told() == ["Available", "Preparing", "SuspendedEVSE"]


def test_suspended_evse_wins_when_both_pause() -> None:
    """§4.9: D5, and E4 when the station would but the car still does not."""
    rig = Rig()
    rig.session()
    rig.act("ev", 1, state="suspended")
    rig.limit(1, 0)
    rig.after(5)
    assert rig.told()[-2:] == ["SuspendedEV", "SuspendedEVSE"]
    rig.limit(1, 16)
    rig.after(20)
    assert rig.told()[-2:] == ["SuspendedEVSE", "SuspendedEV"]


def test_a_limit_that_falls_again_while_the_car_wakes_up() -> None:
    """SuspendedEVSE stays; nothing flickers."""
    rig = Rig()
    rig.session()
    rig.limit(1, 0)
    rig.after(10)
    rig.act("ev", 1, state="suspended")
    rig.limit(1, 16)
    rig.after(5)
    assert rig.state("connector", 1) == "Resuming"
    rig.limit(1, 0)
    rig.after(20)
    assert rig.told()[-2:] == ["Charging", "SuspendedEVSE"]


# -- the EV side (digest §2.6) -----------------------------------------------------------------------------


def test_ev_side_true_true_ends_and_unlocks() -> None:
    """StopTransaction(EVDisconnected), Finishing with info, the socket unlocks, Available at plug-out."""
    rig = Rig()
    rig.session()
    rig.forget()
    rig.act("unplug", 1, side="ev")
    rig.after(2)
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["EVDisconnected"]
    assert changes(rig) == [("Finishing", "EV side disconnected")]
    assert rig.hardware.describe(1)["lock"] == "released"
    rig.unplug()
    assert changes(rig)[1:] == [("Available", "")]


def test_ev_side_true_false_ends_and_stays_locked() -> None:
    """The same, but locked until the card is shown."""
    rig = Rig(UnlockConnectorOnEVSideDisconnect="false")
    rig.session()
    rig.act("unplug", 1, side="ev")
    rig.after(20)
    assert rig.status() == "Finishing"
    assert rig.hardware.describe(1)["lock"] == "engaged"
    rig.swipe("tag")
    assert rig.hardware.describe(1)["lock"] == "released"
    assert rig.log("StopTransaction") == ["StopTransaction"]


def test_ev_side_true_false_may_be_unlocked_by_the_central_system() -> None:
    """Test TC_005_2: UnlockConnector instead of the card."""
    rig = Rig(UnlockConnectorOnEVSideDisconnect="false")
    rig.session()
    rig.act("unplug", 1, side="ev")
    rig.after(5)
    rig.call("UnlockConnector", connectorId=1)
    rig.after(1)
    assert rig.answer() == {"status": "Unlocked"}
    rig.unplug()
    assert rig.status() == "Available"


@pytest.mark.parametrize("unlock", ["true", "false"])
def test_ev_side_false_goes_on(unlock: str) -> None:
    """The transaction continues, the cable stays locked, charging resumes when the cable is back."""
    rig = Rig(StopTransactionOnEVSideDisconnect="false", UnlockConnectorOnEVSideDisconnect=unlock)
    rig.session()
    rig.forget()
    rig.act("unplug", 1, side="ev")
    rig.after(10)
    assert changes(rig) == [("SuspendedEV", "EV side disconnected")]
    assert rig.hardware.describe(1)["lock"] == "engaged"
    rig.act("plug", 1)
    rig.after(10)
    assert changes(rig)[1:] == [("Charging", "")]
    assert rig.log("StopTransaction") == []


def test_ev_side_false_of_a_car_that_had_paused_is_told_too() -> None:
    """Digest §2.6: SuspendedEV with info; what is told later does not carry it."""
    rig = Rig(StopTransactionOnEVSideDisconnect="false")
    rig.session()
    rig.act("ev", 1, state="suspended")
    rig.forget()
    rig.act("unplug", 1, side="ev")
    rig.after(5)
    assert changes(rig) == [("SuspendedEV", "EV side disconnected")]
    rig.act("plug", 1)
    rig.after(10)
    assert changes(rig)[1:] == [("Charging", "")]


def test_ev_side_false_of_a_fixed_cable_goes_on() -> None:
    """Digest §2.6: StopTransactionOnEVSideDisconnect false means that the transaction continues."""
    rig = Rig(1, fixed=True, StopTransactionOnEVSideDisconnect="false")
    rig.session()
    rig.forget()
    rig.unplug()
    rig.after(10)
    assert changes(rig) == [("SuspendedEV", "EV side disconnected")]
    rig.plug()
    rig.after(10)
    assert changes(rig)[1:] == [("Charging", "")]
    assert rig.log("StopTransaction") == []


def test_a_plug_torn_out_of_our_socket_ends_the_transaction() -> None:
    """§4.10: without a cable in our socket there is nothing to continue, whatever the keys say."""
    rig = Rig(StopTransactionOnEVSideDisconnect="false")
    rig.session()
    rig.wires("cable.unplugged", 1)
    rig.after(3)
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["EVDisconnected"]
    assert rig.status() == "Available"


# -- refused after the start -------------------------------------------------------------------------------


def refused(**configuration: str) -> Rig:
    """A session that charges offline and is refused when the link is back."""
    rig = Rig(AllowOfflineTxForUnknownId="true", **configuration)
    rig.cut()
    rig.session()
    rig.cs.answers["StartTransaction"] = REFUSED
    rig.forget()
    rig.mend()
    return rig


def test_stop_transaction_on_invalid_id_ends_and_holds_the_cable() -> None:
    """Errata 3.5, 3.17: reason DeAuthorized; locked until the same tag is presented."""
    rig = refused()
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["DeAuthorized"]
    assert rig.told() == ["Charging", "Finishing"]
    assert rig.hardware.describe(1)["lock"] == "engaged"
    rig.swipe("OTHER")
    rig.after(5)
    assert rig.hardware.describe(1)["lock"] == "engaged"
    rig.swipe("TAG")
    assert rig.hardware.describe(1)["lock"] == "released"
    rig.unplug()
    assert rig.told()[-1] == "Available"
    assert rig.log("StartTransaction") == ["StartTransaction"]


def test_a_refusal_at_the_start_shows_nothing_but_finishing() -> None:
    """§4.8: refused before any current flowed; no Suspended flickers by."""
    rig = Rig()
    rig.cs.answers["StartTransaction"] = REFUSED
    rig.plug()
    rig.swipe()
    rig.after(20)
    assert rig.told() == ["Available", "Preparing", "Finishing"]


def test_a_held_cable_is_released_to_the_group() -> None:
    """Errata 3.5: the same tag, or one with the same parentIdTag."""
    rig = Rig(1)
    family = {"status": "Accepted", "parentIdTag": "Family"}
    rig.cs.answers["Authorize"] = {"idTagInfo": family}
    rig.cs.answers["StartTransaction"] = {"transactionId": 5, "idTagInfo": family | {"status": "Invalid"}}
    rig.plug()
    rig.swipe("ONE")
    rig.after(10)
    assert rig.state("connector", 1) == "Held"
    rig.swipe("TWO")
    rig.after(2)
    assert rig.hardware.describe(1)["lock"] == "released"


def test_a_held_cable_is_released_though_the_card_was_used_elsewhere_too() -> None:
    """Errata 3.5: its owner shows the card; another plug of his is still in another socket."""
    rig = Rig()
    rig.session(1)
    rig.swipe()
    rig.after(5)
    assert rig.status(1) == "Finishing"
    rig.cs.answers["StartTransaction"] = REFUSED
    rig.plug(2)
    rig.swipe()
    rig.after(10)
    assert rig.state("connector", 2) == "Held"
    rig.swipe()
    assert rig.hardware.describe(2)["lock"] == "released"


@pytest.mark.parametrize("known", [True, False])
def test_a_held_cable_is_released_to_the_group_though_it_has_another_plug_elsewhere(*, known: bool) -> None:
    """Errata 3.5: the right one, whether the group is told by Authorize.conf or known from the cache."""
    rig = Rig(LocalPreAuthorize="true")
    family = {"status": "Accepted", "parentIdTag": "Family"}
    rig.cs.answers["Authorize"] = {"idTagInfo": family}
    if known:
        rig.swipe("TWO", 1)
        rig.swipe("TWO", 1)
    rig.session(1, "ONE")
    rig.swipe("ONE")
    rig.after(5)
    assert rig.status(1) == "Finishing"
    rig.cs.answers["StartTransaction"] = {"transactionId": 5, "idTagInfo": family | {"status": "Invalid"}}
    rig.plug(2)
    rig.swipe("ONE", 2)
    rig.after(10)
    assert rig.state("connector", 2) == "Held"
    rig.forget()
    rig.swipe("TWO")
    assert rig.log("Authorize") == ([] if known else ["Authorize"])
    assert rig.hardware.describe(2)["lock"] == "released"


@pytest.mark.parametrize("fixed", [True, False])
def test_a_card_ends_what_goes_on_after_an_ev_side_disconnect(*, fixed: bool) -> None:
    """Digest §2.6: the transaction continues until somebody stops it."""
    rig = Rig(1, fixed=fixed, StopTransactionOnEVSideDisconnect="false")
    rig.session()
    rig.unplug()
    rig.after(20)
    assert rig.status() == "SuspendedEV"
    rig.swipe()
    rig.after(5)
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["Local"]
    assert rig.told()[-3:] == ["SuspendedEV", "Finishing", "Available"]


def test_a_fault_does_not_end_the_hold() -> None:
    """Errata 3.5: until the same card is shown, whatever happens meanwhile; also in the middle of a fault."""
    rig = refused()
    rig.act("fault", 1, error_code="GroundFailure")
    assert rig.hardware.describe(1)["lock"] == "engaged"
    rig.act("clear_fault", 1)
    rig.after(1)
    assert (rig.status(), rig.state("connector", 1)) == ("Finishing", "Held")
    rig.act("fault", 1, error_code="GroundFailure")
    rig.swipe()
    rig.after(1)
    assert rig.hardware.describe(1)["lock"] == "released"
    rig.act("clear_fault", 1)
    assert rig.status() == "Preparing"


def test_a_power_cut_does_not_end_the_hold() -> None:
    """Errata 3.5; nor does it hold whoever comes after the car that was held."""
    rig = refused().power_cut()
    rig.after(3)
    assert (rig.status(), rig.state("connector", 1)) == ("Finishing", "Held")
    assert rig.hardware.describe(1)["lock"] == "engaged"
    rig = rig.power_cut(simulation={"plugged": ()})
    rig.after(3)
    assert rig.status() == "Available"
    rig.plug()
    assert rig.state("connector", 1) == "Plugged"
    rig.after(3)
    assert rig.hardware.describe(1)["lock"] == "released"


def test_without_stop_transaction_on_invalid_id_only_the_energy_ends() -> None:
    """Errata 3.17, C5: SuspendedEVSE, the transaction stays open."""
    rig = refused(StopTransactionOnInvalidId="false")
    assert rig.told() == ["Charging", "SuspendedEVSE"]
    assert rig.log("StopTransaction") == []
    rig.swipe()
    rig.after(10)
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["Local"]
    assert rig.told()[-1] == "Finishing"


def test_max_energy_on_invalid_id_is_still_delivered() -> None:
    """§9.1.25: so many Wh, counted from the refusal, then SuspendedEVSE."""
    rig = refused(StopTransactionOnInvalidId="false", MaxEnergyOnInvalidId="100")
    at_refusal = rig.facts.transactions.on(1).energy_when_refused
    assert at_refusal > 0
    rig.until(lambda: rig.status() != "Charging", 120, 1)
    rig.after(20)
    delivered = rig.hardware.describe(1)["meter"]["energy_wh"] - at_refusal
    assert 100 <= delivered < 100 + 7400 / 3600 * 3
    assert rig.status() == "SuspendedEVSE"
    assert rig.log("StopTransaction") == []


def test_an_accepted_start_is_not_limited() -> None:
    """MaxEnergyOnInvalidId concerns refused tags only."""
    rig = Rig(MaxEnergyOnInvalidId="10")
    rig.session()
    rig.after(600)
    assert rig.status() == "Charging"


# -- emergency stop ----------------------------------------------------------------------------------------


def test_the_emergency_stop_ends_every_transaction() -> None:
    """§7.36: reason EmergencyStop; every connector and the station are Faulted until it is released, and the car gone."""
    rig = Rig()
    rig.session(1, "ONE")
    rig.session(2, "TWO")
    rig.wires("emergency.pressed")
    assert rig.hardware.describe(1)["contactor"] == rig.hardware.describe(2)["contactor"] == "open"
    rig.after(2)
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["EmergencyStop"] * 2
    for number in range(3):
        notice = rig.notices(number)[-1]
        assert (notice["status"], notice["errorCode"], notice["info"]) == (
            *("Faulted", "OtherError", "emergency stop"),
        )
    rig.wires("emergency.released")
    rig.after(2)
    assert (rig.status(0), rig.status(1), rig.status(2)) == ("Available", "Faulted", "Faulted")
    rig.unplug(1)
    rig.wires("service.cleared", 2)
    rig.after(2)
    assert (rig.status(1), rig.status(2)) == ("Available", "Preparing")


def test_the_emergency_stop_of_an_idle_station() -> None:
    """Nobody starts while it is pressed."""
    rig = Rig()
    rig.wires("emergency.pressed")
    rig.plug()
    rig.swipe()
    rig.after(3)
    assert rig.status() == "Faulted"
    assert rig.call("RemoteStartTransaction", idTag="TAG", connectorId=1) == {"status": "Rejected"}
    assert rig.log("StartTransaction") == []


def spoken(rig: Rig) -> list[Any]:
    return [stop["reason"] for stop in rig.sent("StopTransaction")]


def test_the_first_reason_stays() -> None:
    """§7.36: a transaction that is ending already ends for its first reason."""
    rig = Rig(simulation={"car_delay": 3.0})
    rig.plug()
    rig.swipe()
    rig.after(10)
    rig.hardware.simulate("swipe", None, {"id_tag": "TAG"})
    rig.after(0.1)
    assert rig.state("transaction", 1) == "Ending"
    rig.wires("emergency.pressed")
    rig.after(5)
    assert spoken(rig) == ["Local"]


# -- while the contactor closes ------------------------------------------------------------------------


def closing(*, again: bool) -> Rig:
    """A session whose contactor is about to close: for the first time, or after the car had paused."""
    rig = Rig(1, simulation={"contactor_delay": 0.4})
    rig.plug()
    if again:
        rig.swipe()
        rig.after(5)
        rig.act("ev", 1, state="suspended")
        rig.after(5)
        rig.hardware.simulate("ev", 1, {"state": "ready"})
    else:
        rig.hardware.simulate("swipe", None, {"id_tag": "TAG"})
    rig.until(lambda: rig.state("connector", 1) == ("Energising" if again else "Starting"))
    rig.forget()
    return rig


@pytest.mark.parametrize("again", [False, True])
def test_a_car_that_stops_asking_while_the_contactor_closes_is_suspended(*, again: bool) -> None:
    """B4, or D again; no Charging in between."""
    rig = closing(again=again)
    rig.wires("ev.paused", 1)
    rig.after(2)
    assert rig.status() == "SuspendedEV"
    assert "Charging" not in rig.told()


@pytest.mark.parametrize("again", [False, True])
def test_an_offer_that_is_taken_back_while_the_contactor_closes_suspends(*, again: bool) -> None:
    """B5, or D5."""
    rig = closing(again=again)
    rig.limit(1, 0)
    rig.after(2)
    assert rig.status() == "SuspendedEVSE"
    assert "Charging" not in rig.told()


def test_who_plugs_in_again_at_once_is_seen_preparing() -> None:
    """F2: Finishing, then Preparing, whatever follows."""
    rig = Rig(1, fixed=True)
    rig.session()
    rig.hardware.simulate("unplug", 1, {})
    rig.until(lambda: rig.state("connector", 1) == "Gone")
    rig.plug()
    rig.after(3)
    assert rig.told()[-2:] == ["Finishing", "Preparing"]
    assert rig.state("connector", 1) == "Plugged"


def held_and_unavailable() -> Rig:
    """A plug that is held for its owner, on a connector taken out of operation while it had a fault."""
    rig = Rig(1)
    rig.cs.answers["StartTransaction"] = REFUSED
    rig.plug()
    rig.swipe()
    rig.after(10)
    assert rig.state("connector", 1) == "Held"
    rig.act("fault", 1, error_code="GroundFailure")
    rig.call("ChangeAvailability", connectorId=1, type="Inoperative")
    rig.wires("fault.cleared", 1, error="GroundFailure")
    rig.after(1)
    assert rig.status() == "Unavailable"
    rig.forget()
    rig.call("ChangeAvailability", connectorId=1, type="Operative")
    return rig


def test_a_plug_still_held_when_it_is_operative_again_reaches_finishing_through_preparing() -> None:
    """H2, B6: the matrix has no way from Unavailable to Finishing. Found by `forbidden-status`."""
    rig = held_and_unavailable()
    rig.after(5)
    assert rig.told() == ["Preparing", "Finishing"]
    assert rig.state("connector", 1) == "Held"


def test_a_plug_pulled_while_it_is_about_to_be_held_again_is_free() -> None:
    rig = held_and_unavailable()
    rig.wires("cable.unplugged", 1)
    rig.after(5)
    assert rig.told() == ["Preparing", "Available"]
    assert not rig.facts.transactions.last(1).get("held")
