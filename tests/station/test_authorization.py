"""Who may charge, and where: cards, cache, offline, groups (OCPP 1.6 §3.4, §3.5, §4.1)."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig

from charger.functions.times import to_text

REFUSALS = ["Blocked", "Expired", "Invalid", "ConcurrentTx"]


def info(status: str = "Accepted", **more: str) -> dict[str, Any]:
    return {"idTagInfo": {"status": status, **more}}


def knowing(tag: str, answer: dict[str, Any], connectors: int = 2, **configuration: str) -> Rig:
    """A station whose cache has that word about a tag, with nobody in front of it."""
    rig = Rig(connectors, **configuration)
    rig.cs.answers["Authorize"] = answer
    rig.swipe(tag, 1)
    if rig.status() == "Preparing":
        rig.swipe(tag, 1)
    assert rig.status() == "Available"
    del rig.cs.answers["Authorize"]
    rig.forget()
    return rig


# -- asking --------------------------------------------------------------------------------------------


def test_an_unknown_tag_is_asked_for() -> None:
    """§4.1: Authorize.req before energy is delivered."""
    rig = Rig()
    rig.session(tag="04A2B3")
    assert rig.sent("Authorize") == [{"idTag": "04A2B3"}]
    assert rig.log("Authorize", "StartTransaction") == ["Authorize", "StartTransaction"]


@pytest.mark.parametrize("status", REFUSALS)
def test_a_refused_tag_does_not_start(status: str) -> None:
    """§4.1, test TC_023: Preparing, no StartTransaction; the display says why."""
    rig = Rig()
    rig.cs.answers["Authorize"] = info(status)
    rig.plug()
    rig.swipe()
    assert rig.facts.display == "refused"
    rig.after(20)
    assert rig.facts.display == ""
    assert rig.status() == "Preparing"
    assert rig.log("StartTransaction") == []


def test_a_refused_tag_before_the_plug_does_not_start() -> None:
    """Test TC_023: after Invalid, plugging in yields Preparing and nothing else."""
    rig = Rig(1)
    rig.cs.answers["Authorize"] = info("Invalid")
    rig.swipe()
    assert rig.status() == "Available"
    rig.plug()
    rig.after(10)
    assert rig.told() == ["Available", "Preparing"]
    assert rig.log("StartTransaction") == []


def test_a_known_tag_is_asked_for_all_the_same() -> None:
    """§9.1.13: with LocalPreAuthorize false the Central System is asked."""
    rig = knowing("TAG", info())
    rig.session()
    assert rig.log("Authorize") == ["Authorize"]


def test_a_known_tag_starts_at_once_with_local_pre_authorize() -> None:
    """§3.5, TC_007: no Authorize.req needed."""
    rig = knowing("TAG", info(), LocalPreAuthorize="true")
    rig.session()
    assert rig.log("Authorize") == []


def test_case_does_not_tell_tags_apart() -> None:
    """§3.9, errata 3.74: compared without regard to case, kept on the wire as presented."""
    rig = knowing("TaG", info(), LocalPreAuthorize="true")
    rig.session(tag="tAg")
    assert rig.log("Authorize") == []
    assert rig.sent("StartTransaction")[0]["idTag"] == "tAg"
    rig.swipe("TAG")
    rig.after(5)
    assert rig.sent("StopTransaction")[0]["idTag"] == "TAG"


@pytest.mark.parametrize("status", REFUSALS)
def test_a_tag_known_as_not_valid_is_asked_for(status: str) -> None:
    """§3.5.1: the cache never refuses while the Central System can be asked."""
    rig = knowing("TAG", info(status), LocalPreAuthorize="true")
    rig.session()
    assert rig.log("Authorize") == ["Authorize"]


def test_a_tag_expired_by_time_is_asked_for() -> None:
    """§3.5.1: an accepted tag becomes Expired when its expiryDate passes."""
    rig = Rig()
    expiry = to_text(rig.clock.now().wall + 60)
    rig = knowing("TAG", info(expiryDate=expiry), LocalPreAuthorize="true")
    rig.after(60)
    rig.session()
    assert rig.log("Authorize") == ["Authorize"]


def test_without_cache_nothing_is_known() -> None:
    """Errata 3.4: with AuthorizationCacheEnabled false it is neither used nor filled."""
    rig = knowing("TAG", info(), LocalPreAuthorize="true", AuthorizationCacheEnabled="false")
    rig.session()
    assert rig.log("Authorize") == ["Authorize"]
    rig.call("ChangeConfiguration", key="AuthorizationCacheEnabled", value="true")
    rig.swipe()
    rig.after(5)
    rig.unplug()
    rig.session()
    assert rig.log("Authorize") == ["Authorize", "Authorize"]


# -- offline -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "local", "unknown", "starts"),
    [
        ("Accepted", "true", "false", True),
        ("Accepted", "true", "true", True),
        ("Accepted", "false", "false", False),
        ("Accepted", "false", "true", False),  # known: AllowOfflineTxForUnknownId is not about it
        ("Blocked", "true", "true", False),
        ("Invalid", "true", "false", False),
        ("expired", "true", "false", False),
        ("expired", "true", "true", False),  # §3.5.4: even then
        (None, "true", "false", False),
        (None, "false", "false", False),
        (None, "true", "true", True),
        (None, "false", "true", True),
    ],
)
def test_offline_what_is_known_here_decides(
    known: str | None, local: str, unknown: str, *, starts: bool
) -> None:
    """§3.5.2-§3.5.4: LocalAuthorizeOffline for known tags, AllowOfflineTxForUnknownId for others."""
    keys = {"LocalAuthorizeOffline": local, "AllowOfflineTxForUnknownId": unknown}
    expiry = to_text(Rig().clock.now().wall + 60)
    answer = info(expiryDate=expiry) if known == "expired" else info(known or "Accepted")
    rig = knowing("TAG" if known else "OTHER", answer, **keys)
    rig.cut()
    rig.after(100)
    rig.plug()
    rig.swipe()
    rig.after(5)
    assert rig.status() == ("Charging" if starts else "Preparing")
    assert rig.facts.display == ("" if starts else "refused")


@pytest.mark.parametrize("answer", ["error", "timeout"])
def test_an_authorize_without_answer_is_decided_here(answer: str) -> None:
    """Digest §2.4: CALLERROR and silence are treated like offline."""
    rig = knowing("TAG", info(), MessageTimeout="10")
    rig.cs.answers["Authorize"] = answer
    rig.plug()
    rig.swipe()
    rig.after(12)
    assert rig.status() == "Charging"


def test_an_authorize_that_loses_its_link_is_decided_here() -> None:
    """§3.5: offline from now on."""
    rig = knowing("TAG", info())
    rig.cs.answers["Authorize"] = "timeout"
    rig.plug()
    rig.swipe()
    rig.cut()
    rig.after(3)
    assert rig.status() == "Charging"


def test_while_one_card_is_asked_for_another_is_not_heard() -> None:
    """One reader: the second card has to be shown again."""
    rig = Rig(MessageTimeout="10")
    rig.cs.answers["Authorize"] = "timeout"
    rig.plug()
    rig.swipe("ONE")
    rig.swipe("TWO")
    assert rig.sent("Authorize") == [{"idTag": "ONE"}]


# -- cache ---------------------------------------------------------------------------------------------


def test_the_cache_survives_a_power_cut() -> None:
    """§3.5.1: stored in non-volatile memory."""
    rig = knowing("TAG", info(), LocalPreAuthorize="true").power_cut()
    rig.session()
    assert rig.log("Authorize") == []


def test_clear_cache_forgets_every_tag() -> None:
    """§5.4: Accepted, and the cache is empty."""
    rig = knowing("TAG", info(), LocalPreAuthorize="true")
    assert rig.call("ClearCache") == {"status": "Accepted"}
    rig.session()
    assert rig.log("Authorize") == ["Authorize"]


def test_clear_cache_without_cache_is_rejected() -> None:
    """Errata 3.23: there is no cache."""
    assert Rig(AuthorizationCacheEnabled=None).call("ClearCache") == {"status": "Rejected"}


def test_a_cache_that_is_not_in_use_can_be_cleared() -> None:
    """Digest §2.4."""
    assert Rig(AuthorizationCacheEnabled="false").call("ClearCache") == {"status": "Accepted"}


def test_the_cache_learns_from_start_transaction() -> None:
    """§3.5.1: updated with each IdTagInfo, also that of StartTransaction.conf."""
    rig = knowing("TAG", info(), LocalPreAuthorize="true", StopTransactionOnInvalidId="false")
    rig.cs.answers["StartTransaction"] = {"transactionId": 7, **info("Blocked")}
    rig.plug()
    rig.swipe()
    rig.after(5)
    rig.swipe()
    rig.after(10)
    rig.unplug()
    rig.forget()
    rig.plug()
    rig.swipe()
    assert rig.log("Authorize") == ["Authorize"]


def test_the_cache_learns_from_stop_transaction() -> None:
    """§3.5.1: StopTransaction.conf may say something of the tag that stopped; or it does not."""
    rig = Rig(LocalPreAuthorize="true")
    rig.session()
    rig.cs.answers["StopTransaction"] = info("Blocked")
    rig.swipe()
    rig.after(10)
    rig.unplug()
    rig.forget()
    rig.session()
    assert rig.log("Authorize") == ["Authorize"]
    del rig.cs.answers["StopTransaction"]
    rig.swipe()
    rig.after(10)
    rig.unplug()
    rig.forget()
    rig.session()
    assert rig.log("Authorize") == []


def test_stop_transaction_without_a_tag_teaches_nothing() -> None:
    """§3.5.1: a remote stop presents no tag, so an idTagInfo in its answer is about nobody."""
    rig = Rig(LocalPreAuthorize="true")
    rig.session()
    rig.cs.answers["StopTransaction"] = info("Blocked")
    assert rig.call("RemoteStopTransaction", transactionId=101) == {"status": "Accepted"}
    rig.after(10)
    rig.unplug()
    rig.forget()
    rig.session()
    assert rig.log("Authorize") == []


# -- one reader, several connectors ----------------------------------------------------------------------


def test_the_plugged_connector_is_meant() -> None:
    """§4.9: a tag goes to the connector where a plug waits."""
    rig = Rig()
    rig.plug(2)
    rig.swipe()
    rig.after(3)
    assert (rig.status(1), rig.status(2)) == ("Available", "Charging")


def test_a_tag_without_a_plug_waits_for_the_next_plug() -> None:
    """§4.9: one reader for several connectors: the connector plugged next."""
    rig = Rig()
    rig.swipe()
    assert rig.facts.display == "plug in"
    assert (rig.status(1), rig.status(2)) == ("Available", "Available")
    rig.plug(2)
    rig.after(3)
    assert (rig.status(1), rig.status(2)) == ("Available", "Charging")


def test_a_tag_waits_for_a_plug_as_long_as_connection_time_out() -> None:
    """§9.1.6: then it counts no longer."""
    rig = Rig(ConnectionTimeOut="20")
    rig.swipe()
    rig.after(21)
    rig.plug()
    rig.after(5)
    assert rig.status() == "Preparing"
    assert rig.log("StartTransaction") == []


def test_the_same_card_again_takes_it_back() -> None:
    """B1: a second presentation before plugging cancels."""
    rig = Rig()
    rig.swipe("TAG")
    rig.swipe("tag")
    rig.plug()
    rig.after(5)
    assert rig.log("StartTransaction") == []


def test_the_first_plug_is_of_the_card_that_came_first() -> None:
    """One reader, two people in front of it: each is billed for one plug."""
    rig = Rig()
    rig.swipe("ONE")
    rig.swipe("TWO")
    rig.plug(2)
    rig.plug(1)
    rig.after(5)
    started = [(start["connectorId"], start["idTag"]) for start in rig.sent("StartTransaction")]
    assert started == [(2, "ONE"), (1, "TWO")]


def test_a_card_that_is_refused_takes_nobody_s_place() -> None:
    """Whoever waits for a plug goes on waiting."""
    rig = Rig()
    rig.swipe("ONE")
    rig.cs.answers["Authorize"] = info("Blocked")
    rig.swipe("TWO")
    assert rig.facts.display == "refused"
    rig.plug()
    rig.after(5)
    assert [start["idTag"] for start in rig.sent("StartTransaction")] == ["ONE"]


def test_each_card_waits_for_its_own_connection_time_out() -> None:
    """§9.1.6: from the acceptance of each; also after the key was written meanwhile."""
    rig = Rig(3, ConnectionTimeOut="20")
    rig.swipe("ONE")
    rig.after(15)
    rig.swipe("TWO")
    rig.after(6)
    rig.plug(1)
    rig.after(5)
    assert [start["idTag"] for start in rig.sent("StartTransaction")] == ["TWO"]
    rig.swipe("SIX")
    rig.call("ChangeConfiguration", key="ConnectionTimeOut", value="0")
    rig.after(500)
    rig.plug(2)
    rig.after(5)
    assert rig.sent("StartTransaction")[-1]["idTag"] == "SIX"


def test_the_last_free_connector_is_of_whoever_waits_for_it() -> None:
    """Two waited for any of two connectors, and one was taken from afar."""
    rig = Rig()
    rig.swipe("ONE")
    assert rig.call("RemoteStartTransaction", idTag="FAR", connectorId=2) == {"status": "Accepted"}
    rig.after(1)
    rig.swipe("TWO")
    assert rig.facts.display == "occupied"
    rig.plug(2)
    rig.plug(1)
    rig.after(5)
    started = {start["connectorId"]: start["idTag"] for start in rig.sent("StartTransaction")}
    assert started == {1: "ONE", 2: "FAR"}


def test_the_parent_of_a_card_that_waited_is_known() -> None:
    """§3.10: another card of the group may stop, though the cache is off and others were asked about since."""
    rig = Rig(AuthorizationCacheEnabled="false")
    family = {"idTagInfo": {"status": "Accepted", "parentIdTag": "FAMILY"}}
    rig.cs.answers["Authorize"] = family
    rig.swipe("ONE")
    rig.cs.answers["Authorize"] = info("Invalid")
    rig.swipe("STRANGER")
    rig.plug(1)
    rig.after(5)
    rig.cs.answers["Authorize"] = family
    rig.swipe("OTHER")
    rig.after(5)
    assert [stop["idTag"] for stop in rig.sent("StopTransaction")] == ["OTHER"]


def test_while_a_tag_waits_another_card_may_stop_its_transaction() -> None:
    """§4.10: the card that started may stop at any time."""
    rig = Rig(3)
    rig.session(1, "ONE")
    rig.swipe("TWO")
    rig.swipe("ONE")
    rig.after(5)
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["Local"]
    rig.plug(2)
    rig.after(5)
    assert rig.sent("StartTransaction")[-1]["idTag"] == "TWO"


def test_the_only_free_connector_is_meant() -> None:
    """With one connector left nobody needs to wait for the plug to know which."""
    rig = Rig()
    rig.session(1, "ONE")
    rig.swipe("TWO")
    assert rig.status(2) == "Preparing"
    rig.plug(2)
    rig.after(3)
    assert rig.status(2) == "Charging"


def test_a_connector_where_somebody_may_start_again_is_taken_last() -> None:
    """F2: a new transaction where the plug was left in."""
    rig = Rig(1)
    rig.session(tag="ONE")
    rig.swipe("ONE")
    rig.after(5)
    assert rig.status() == "Finishing"
    rig.swipe("TWO")
    rig.after(3)
    assert rig.status() == "Charging"
    assert rig.told()[-3:] == ["Finishing", "Preparing", "Charging"]


def test_a_reader_of_one_connector_speaks_for_that_connector() -> None:
    """A card presented for a certain connector starts there and nowhere else."""
    rig = Rig()
    rig.plug(1)
    rig.plug(2)
    rig.swipe("TAG", 2)
    rig.after(3)
    assert (rig.status(1), rig.status(2)) == ("Preparing", "Charging")


def test_another_tag_while_all_are_occupied_is_not_asked_for() -> None:
    """Test TC_068: neither StopTransaction nor Authorize.req."""
    rig = Rig(1)
    rig.session()
    rig.forget()
    rig.swipe("OTHER")
    rig.after(5)
    assert rig.log() == []
    assert rig.facts.display == "occupied"
    assert rig.status() == "Charging"


def test_a_connector_taken_while_the_central_system_thought() -> None:
    """Accepted, but nothing is free any more."""
    rig = Rig(1)
    rig.cs.delay = 3
    rig.swipe("TAG")
    rig.call("ChangeAvailability", connectorId=1, type="Inoperative")
    rig.after(4)
    assert rig.facts.display == "occupied"
    assert rig.state("authorization") == "Idle"


def test_an_authorization_for_a_connector_that_failed_meanwhile_starts_nothing() -> None:
    """§4.1: nothing starts where a fault forbids it."""
    rig = Rig()
    rig.cs.delay = 3
    rig.plug()
    rig.swipe("TAG", 1)
    rig.wires("fault.raised", 1, error="GroundFailure")
    rig.after(10)
    assert rig.status() == "Faulted"
    assert rig.log("StartTransaction") == []


# -- stop by card, and by group --------------------------------------------------------------------------


def test_the_card_that_started_stops_without_being_asked_for() -> None:
    """§3.4: Authorize.req for stopping only if another tag is presented."""
    rig = Rig()
    rig.session()
    rig.forget()
    rig.swipe()
    rig.after(5)
    assert rig.log("Authorize", "StopTransaction") == ["StopTransaction"]
    assert rig.sent("StopTransaction")[0] | {"timestamp": ""} == {
        "transactionId": 101,
        "reason": "Local",
        "idTag": "TAG",
        "meterStop": rig.sent("StopTransaction")[0]["meterStop"],
        "timestamp": "",
    }


def test_another_card_of_the_group_stops() -> None:
    """§3.10, test TC_069: same parentIdTag; StopTransaction carries the tag presented."""
    rig = Rig(1)
    rig.cs.answers["Authorize"] = info(parentIdTag="Family")
    rig.session(tag="ONE")
    rig.cs.answers["Authorize"] = info(parentIdTag="FAMILY")
    rig.swipe("TWO")
    rig.after(5)
    assert [request["idTag"] for request in rig.sent("Authorize")] == ["ONE", "TWO"]
    assert [(stop["idTag"], stop["reason"]) for stop in rig.sent("StopTransaction")] == [("TWO", "Local")]


def test_a_card_of_another_group_does_not_stop() -> None:
    """§3.10: parents are compared with parents."""
    rig = Rig(1)
    rig.cs.answers["Authorize"] = info(parentIdTag="Family")
    rig.session(tag="ONE")
    for parent in ("Neighbours", None):
        rig.cs.answers["Authorize"] = info(parentIdTag=parent) if parent else info()
        rig.swipe("TWO" if parent else "FAMILY")
        rig.after(5)
        assert rig.status() == "Charging"
    assert rig.log("StopTransaction") == []


def test_the_group_may_be_learnt_from_start_transaction() -> None:
    """Digest §2.4: the parent of the starting tag comes with Authorize.conf or StartTransaction.conf."""
    rig = Rig(1)
    rig.cs.answers["StartTransaction"] = {"transactionId": 9, **info(parentIdTag="Family")}
    rig.session(tag="ONE")
    rig.cs.answers["Authorize"] = info(parentIdTag="Family")
    rig.swipe("TWO")
    rig.after(5)
    assert [stop["idTag"] for stop in rig.sent("StopTransaction")] == ["TWO"]


def test_offline_a_group_known_here_stops() -> None:
    """Digest §2.4: offline only if the parents are known locally, from the cache."""
    rig = knowing("ONE", info(parentIdTag="Family"), 1)
    rig.cs.answers["Authorize"] = info(parentIdTag="Family")
    rig.swipe("TWO")
    rig.swipe("TWO")
    rig.cut()
    rig.session(tag="ONE")
    rig.swipe("TWO")
    rig.after(5)
    rig.mend()
    assert [(stop["idTag"], stop["reason"]) for stop in rig.sent("StopTransaction")] == [("TWO", "Local")]


def test_a_pre_authorized_tag_brings_its_group_from_the_cache() -> None:
    """§3.5 with §3.10: no Authorize.req at the start, the parent is known all the same."""
    rig = knowing("ONE", info(parentIdTag="Family"), 1, LocalPreAuthorize="true")
    rig.session(tag="ONE")
    assert rig.log("Authorize") == []
    rig.cs.answers["Authorize"] = info(parentIdTag="Family")
    rig.swipe("TWO")
    rig.after(5)
    assert [stop["idTag"] for stop in rig.sent("StopTransaction")] == ["TWO"]


def test_a_disabled_cache_brings_no_group() -> None:
    """Errata 3.4: a cache that is switched off is not used, not even for the group."""
    rig = knowing("ONE", info(parentIdTag="Family"), 1, AllowOfflineTxForUnknownId="true")
    rig.call("ChangeConfiguration", key="AuthorizationCacheEnabled", value="false")
    rig.cut()
    rig.session(tag="ONE")
    assert rig.facts.transactions.on(1).parent is None


def test_a_transaction_without_group_is_not_stopped_by_others() -> None:
    """No parent known: another tag is not even asked for when nothing is free."""
    rig = Rig(1)
    rig.session(tag="ONE")
    rig.cs.answers["Authorize"] = info(parentIdTag="Family")
    rig.swipe("TWO")
    assert rig.log("Authorize") == ["Authorize"]
    assert rig.status() == "Charging"


def test_a_remote_start_does_not_stop_the_group() -> None:
    """§5.11: RemoteStartTransaction starts; it never ends somebody else's transaction."""
    rig = Rig()
    rig.cs.answers["Authorize"] = info(parentIdTag="Family")
    rig.session(1, "ONE")
    assert rig.call("RemoteStartTransaction", connectorId=2, idTag="TWO") == {"status": "Accepted"}
    rig.plug(2)
    rig.after(5)
    assert rig.log("StopTransaction") == []
    assert (rig.status(1), rig.status(2)) == ("Charging", "Charging")


# -- readers of their own, fleets ---------------------------------------------------------------------------


def test_a_card_at_another_reader_stops_nothing() -> None:
    """TC_068: a reader serves its connector; the same card may start at another one."""
    rig = Rig(2)
    rig.plug(1)
    rig.swipe("TAG", 1)
    rig.after(3)
    rig.plug(2)
    rig.swipe("TAG", 2)
    rig.after(5)
    assert (rig.status(1), rig.status(2)) == ("Charging", "Charging")
    assert rig.log("StopTransaction") == []


def test_two_cars_of_one_fleet_charge_together() -> None:
    """§4.9: a connector that waits for a card gets it, before a card of the same group stops another one."""
    rig = Rig(2)
    rig.cs.answers["Authorize"] = {"idTagInfo": {"status": "Accepted", "parentIdTag": "FLEET"}}
    rig.session(1, "A")
    rig.plug(2)
    rig.swipe("B")
    rig.after(5)
    assert (rig.status(1), rig.status(2)) == ("Charging", "Charging")
    rig.swipe("C")
    rig.after(5)
    assert [stop["idTag"] for stop in rig.sent("StopTransaction")] == ["C"]


def test_a_group_card_at_its_own_reader_stops_what_runs_there() -> None:
    rig = Rig(2)
    rig.cs.answers["Authorize"] = {"idTagInfo": {"status": "Accepted", "parentIdTag": "FLEET"}}
    for number, tag in ((1, "A"), (2, "B")):
        rig.plug(number)
        rig.swipe(tag, number)
        rig.after(3)
    rig.swipe("C", 2)
    rig.after(5)
    assert (rig.status(1), rig.status(2)) == ("Charging", "Finishing")
    assert [stop["transactionId"] for stop in rig.sent("StopTransaction")] == [102]


def test_a_stranger_of_another_group_stops_nothing_at_a_reader_of_its_own() -> None:
    rig = Rig(2)
    rig.cs.answers["Authorize"] = lambda request: {
        "idTagInfo": {"status": "Accepted", "parentIdTag": f"G{request['idTag']}"}
    }
    rig.plug(1)
    rig.swipe("A", 1)
    rig.after(3)
    rig.swipe("C", 1)
    rig.after(3)
    assert rig.status(1) == "Charging"
    assert rig.log("StopTransaction") == []
