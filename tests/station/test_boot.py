"""BootNotification and registration (OCPP 1.6 §4.2)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from rig import Rig

from charger.functions.situation import Identity
from charger.functions.times import to_seconds
from charger.statechart.event import Event


def boot(status: str, interval: int = 120) -> dict[str, Any]:
    return {"status": status, "currentTime": "2027-01-15T08:00:00Z", "interval": interval}


def rig_answered(answer: Any, **configuration: str) -> Rig:
    rig = Rig(start=False, **configuration)
    rig.cs.answers["BootNotification"] = answer
    rig.driver.start()
    rig.after(5)
    return rig


def answered_again(answer: Any, **configuration: str) -> Rig:
    """A station that was accepted once, and is answered so after a power cut."""
    rig = Rig(**configuration).power_cut(start=False)
    rig.before.clear()
    rig.cs.answers["BootNotification"] = answer
    rig.driver.start()
    rig.after(5)
    return rig


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times)]


def test_before_the_answer_only_bootnotification_is_sent() -> None:
    """§4.2: no queued message, no status, no Heartbeat before the Central System has answered."""
    rig = answered_again("timeout", AllowOfflineTxForUnknownId="true")
    rig.plug()
    rig.swipe()
    rig.after(20)
    assert rig.status() == "Charging"
    assert rig.log() == ["BootNotification"]


def test_accepted_tells_the_status_of_connector_0_and_of_every_connector() -> None:
    """Errata 3.22: StatusNotification for connector 0 and all others, after the acceptance."""
    rig = Rig(3)
    assert rig.log() == ["BootNotification", *["StatusNotification"] * 4]
    told = [(notice["connectorId"], notice["status"]) for notice in rig.sent("StatusNotification")]
    assert told == [(number, "Available") for number in range(4)]


def test_accepted_flushes_what_was_queued() -> None:
    """§4.2: a transaction that ran before the acceptance is delivered after it."""
    rig = answered_again("timeout", AllowOfflineTxForUnknownId="true", MessageTimeout="10")
    rig.plug()
    rig.swipe()
    rig.after(2)
    del rig.cs.answers["BootNotification"]
    rig.after(40)
    assert rig.log("BootNotification", "StartTransaction") == [*["BootNotification"] * 2, "StartTransaction"]


def test_accepted_takes_the_interval_for_heartbeats() -> None:
    """§4.2: HeartbeatInterval is set to the interval of BootNotification.conf."""
    rig = rig_answered(boot("Accepted", 40))
    rig.after(120)
    assert rig.facts.configuration.text("HeartbeatInterval") == "40"
    assert gaps(rig.when("Heartbeat")) == pytest.approx([40, 40])


def test_accepted_with_interval_0_keeps_the_configured_one() -> None:
    """§4.2: an interval of 0 leaves the choice to the station."""
    rig = rig_answered(boot("Accepted", 0), HeartbeatInterval="50")
    rig.after(110)
    assert gaps(rig.when("Heartbeat")) == pytest.approx([50])


def test_accepted_sets_the_clock_before_the_first_status_is_stamped() -> None:
    """§4.2: currentTime is the time from then on."""
    rig = rig_answered(boot("Accepted") | {"currentTime": "2031-02-03T04:05:06Z"})
    stamped = to_seconds(rig.notices(1)[0]["timestamp"])
    assert stamped == to_seconds("2031-02-03T04:05:06Z")


def test_a_current_time_that_is_no_time_changes_nothing() -> None:
    """§3.15: what cannot be read is not taken."""
    rig = rig_answered(boot("Accepted") | {"currentTime": "soon"})
    rig.plug()
    assert to_seconds(rig.notices()[-1]["timestamp"]) == pytest.approx(rig.clock.now().wall - 1, abs=0.1)


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
def test_not_accepted_waits_for_the_interval(status: str) -> None:
    """§4.2: the next BootNotification is not sent before the interval has passed."""
    rig = rig_answered(boot(status, 90))
    rig.after(300)
    assert gaps(rig.when("BootNotification"))[0] == pytest.approx(90, abs=0.1)
    assert set(rig.log()) == {"BootNotification"}


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
def test_not_accepted_without_interval_waits_a_minute(status: str) -> None:
    """§4.2: the station chooses a delay of its own that does not flood the Central System."""
    rig = rig_answered(boot(status, 0))
    rig.after(200)
    assert gaps(rig.when("BootNotification"))[0] == pytest.approx(60, abs=0.1)


def test_not_accepted_waits_for_the_link_too() -> None:
    """§4.2: the interval passes without a link; BootNotification goes out when there is one."""
    rig = rig_answered(boot("Pending", 30))
    rig.cut()
    rig.after(60)
    assert rig.log() == ["BootNotification"]
    del rig.cs.answers["BootNotification"]
    rig.mend()
    assert rig.log()[:3] == ["BootNotification", "BootNotification", "StatusNotification"]


def test_pending_answers_calls_and_sends_nothing_of_its_own() -> None:
    """§4.2: the Central System may read and write the configuration meanwhile."""
    rig = rig_answered(boot("Pending"))
    assert rig.call("ChangeConfiguration", key="ConnectionTimeOut", value="20") == {"status": "Accepted"}
    assert rig.call("GetConfiguration", key=["ConnectionTimeOut"])["configurationKey"][0]["value"] == "20"
    rig.plug()
    assert rig.log() == ["BootNotification"]


@pytest.mark.parametrize("named", [{}, {"connectorId": 1}])
def test_pending_refuses_remote_starts(named: dict[str, int]) -> None:
    """§4.2: RemoteStart and RemoteStop are not allowed in Pending."""
    rig = rig_answered(boot("Pending"))
    assert rig.call("RemoteStartTransaction", idTag="TAG", **named) == {"status": "Rejected"}
    assert rig.call("RemoteStopTransaction", transactionId=1) == {"status": "Rejected"}


def test_rejected_neither_sends_nor_answers() -> None:
    """§4.2: while Rejected the station is silent; afterwards it answers again."""
    rig = rig_answered(boot("Rejected", 30))
    assert rig.call("GetConfiguration") is None
    rig.plug()
    assert rig.log() == ["BootNotification"]
    del rig.cs.answers["BootNotification"]
    rig.after(40)
    assert rig.answer() is None
    assert rig.call("GetConfiguration") is not None
    assert rig.told(1) == ["Preparing"]


@pytest.mark.parametrize("answer", ["error", "timeout"])
def test_a_failed_bootnotification_is_repeated_more_and_more_patiently(answer: str) -> None:
    """§4.2: CALLERROR and silence are no answer; our back-off doubles from 10 s to 300 s, plus up to 5 s."""
    rig = rig_answered(answer, MessageTimeout="1")
    rig.after(1200)
    waits = [gap - (1.0 if answer == "timeout" else 0.02) for gap in gaps(rig.when("BootNotification"))]
    assert len(waits) >= 6
    for number, wait in enumerate(waits):
        least = min(300, 10 * 2**number)
        assert least - 0.01 <= wait <= least + 5.01


def test_a_link_lost_while_booting_is_no_answer() -> None:
    """§4.2: BootNotification goes out again as soon as the link is back, which is after 5 s at most."""
    rig = rig_answered("timeout")
    rig.cs.lose()
    del rig.cs.answers["BootNotification"]
    rig.after(5.1)
    assert rig.log()[:3] == ["BootNotification", "BootNotification", "StatusNotification"]


def test_a_reconnect_is_no_boot() -> None:
    """OCPP-J §5.4: no BootNotification after a mere reconnect."""
    rig = Rig()
    for _ in range(3):
        rig.cs.lose()
        rig.after(30)
    assert rig.cs.linked
    assert rig.log("BootNotification") == ["BootNotification"]


def test_every_start_is_a_boot() -> None:
    """§4.2: after each boot, BootNotification and all statuses anew."""
    rig = Rig().power_cut()
    assert rig.log() == ["BootNotification", *["StatusNotification"] * 3]


def test_no_heartbeat_without_a_link() -> None:
    """§4.6: Heartbeats are for a Central System that listens."""
    rig = Rig(HeartbeatInterval="300")
    rig.cut()
    rig.after(1000)
    rig.mend()
    assert rig.log("Heartbeat") == []
    rig.after(300)
    assert rig.log("Heartbeat") == ["Heartbeat"]


def test_heartbeat_interval_0_means_none() -> None:
    """§9.1.10 read with the language's rule that a zero key is never."""
    rig = Rig()
    assert rig.call("ChangeConfiguration", key="HeartbeatInterval", value="0") == {"status": "Accepted"}
    rig.after(5000)
    assert rig.log("Heartbeat") == []


def test_identity_is_told_as_configured() -> None:
    """§6.3: only the fields that station.yaml names."""
    identity = Identity("JS Tech", "IMKEV7", {"chargePointSerialNumber": "0001"})
    assert identity.payload() == {
        "chargePointVendor": "JS Tech",
        "chargePointModel": "IMKEV7",
        "chargePointSerialNumber": "0001",
    }
    assert Rig().sent("BootNotification") == [{"chargePointVendor": "Vendor", "chargePointModel": "Model"}]


@pytest.mark.parametrize("duration", ["0", "30"])
def test_statuses_are_told_before_the_queue_leaves(duration: str) -> None:
    """Errata 3.22, digest §2.2: connector 0 and every connector, then what was queued."""
    rig = Rig(MinimumStatusDuration=duration)
    rig.session()
    rig.cut()
    rig.swipe()
    rig.after(10)
    rig = rig.power_cut()
    rig.after(5)
    sent = [action for action in rig.log() if action != "Heartbeat"]
    assert sent[:5] == ["BootNotification", *["StatusNotification"] * 3, "StopTransaction"]


@pytest.mark.parametrize("status", ["Rejected", "Pending"])
def test_a_call_that_cannot_be_read_is_refused_where_calls_are_answered(status: str) -> None:
    """§4.2: nothing is answered while Rejected."""
    rig = rig_answered(boot(status, 30))
    fields = {"code": "FormationViolation", "description": "payload: not an object"}
    rig.driver.post(Event("call.unreadable", call="a", fields=fields))
    rig.after(1)
    assert rig.cs.replies == ({} if status == "Rejected" else {"a": "FormationViolation"})


@pytest.mark.parametrize("answer", ["Rejected", "Pending", None])
def test_who_was_never_accepted_charges_nobody(answer: str | None) -> None:
    """§4.2.1: an operator's choice; ours is in authorization.yaml."""
    rig = Rig(1, start=False, AllowOfflineTxForUnknownId="true")
    rig.cs.reachable = answer is not None
    rig.cs.answers["BootNotification"] = boot(str(answer), 600)
    rig.driver.start()
    rig.after(10)
    rig.plug()
    rig.swipe()
    rig.after(10)
    assert rig.status() == "Preparing"
    assert rig.facts.queue.length() == 0


def test_who_was_accepted_once_charges_offline_after_a_power_cut() -> None:
    """§4.2.1, §3.5."""
    rig = Rig(1, AllowOfflineTxForUnknownId="true").power_cut(start=False)
    rig.cs.reachable = False
    rig.driver.start()
    rig.after(10)
    rig.session()
