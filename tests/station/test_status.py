"""StatusNotification: what is told, when, and in which order (OCPP 1.6 §4.9; digest §2.9)."""

from __future__ import annotations

import pytest
from rig import Rig

from charger.functions.status import Notice, Notices
from charger.functions.times import to_seconds


def test_every_change_is_told_in_order() -> None:
    """Errata 3.19: each change; one at a time."""
    rig = Rig()
    rig.cs.delay = 3
    rig.hardware.simulate("plug", 1, {})
    rig.after(0.1)
    rig.hardware.simulate("unplug", 1, {})
    rig.after(0.1)
    rig.hardware.simulate("plug", 1, {})
    rig.after(20)
    assert rig.told() == ["Available", "Preparing", "Available", "Preparing"]


def test_a_status_is_stamped_with_the_moment_of_the_change() -> None:
    """§6.47: the time at which the status changed."""
    rig = Rig()
    rig.cs.delay = 3
    at = rig.clock.now().wall
    rig.hardware.simulate("plug", 1, {})
    rig.after(1)
    rig.hardware.simulate("unplug", 1, {})
    rig.after(10)
    stamps = [to_seconds(notice["timestamp"]) for notice in rig.notices()[1:]]
    assert stamps == pytest.approx([at, at + 1], abs=0.05)


def test_minimum_status_duration_tells_only_what_lasts() -> None:
    """§9.1.27: a status is told once it has been stable so long."""
    rig = Rig(MinimumStatusDuration="5")
    rig.after(5)
    rig.forget()
    rig.plug()
    rig.after(3)
    assert rig.told() == []
    rig.after(1.1)
    assert rig.told() == ["Preparing"]


def test_minimum_status_duration_counts_anew_with_every_change() -> None:
    """§9.1.27: and what has gone back is not told at all."""
    rig = Rig(MinimumStatusDuration="8")
    rig.after(8)
    rig.forget()
    rig.plug()
    rig.after(3)
    rig.swipe()
    rig.after(7.2)
    assert rig.told() == []
    rig.after(1)
    assert rig.told() == ["Charging"]
    rig.act("ev", 1, state="suspended")
    rig.act("ev", 1, state="ready")
    rig.after(20)
    assert rig.told() == ["Charging"]


def test_minimum_status_duration_written_as_0_tells_at_once() -> None:
    """§9.1.27."""
    rig = Rig(MinimumStatusDuration="50")
    rig.after(50)
    rig.plug()
    rig.call("ChangeConfiguration", key="MinimumStatusDuration", value="0")
    rig.after(0.1)
    assert rig.told()[-1] == "Preparing"


def test_a_link_lost_while_a_status_settles() -> None:
    """Offline changes are told after the reconnect."""
    rig = Rig(MinimumStatusDuration="5")
    rig.after(5)
    rig.forget()
    rig.plug()
    rig.cut()
    rig.after(60)
    assert rig.told() == []
    rig.mend()
    assert rig.told() == ["Finishing"]


def test_after_a_reconnect_only_the_present_status_is_told() -> None:
    """§4.9, tests TC_037, TC_038: no replay of history; stamped with the time of the report."""
    rig = Rig()
    rig.cut()
    rig.plug()
    rig.after(70)
    rig.forget()
    rig.mend()
    assert rig.told() == ["Finishing"]
    stamp = to_seconds(rig.notices()[0]["timestamp"]) or 0.0
    assert stamp == pytest.approx(1_800_000_000 + rig.when("StatusNotification")[0], abs=0.1)


def test_after_a_reconnect_what_has_not_changed_is_not_told() -> None:
    """§4.9: only if it changed."""
    rig = Rig()
    rig.cut()
    rig.plug()
    rig.unplug()
    rig.forget()
    rig.mend()
    assert rig.log() == []


def test_a_status_that_lost_its_link_is_told_again() -> None:
    """§4.9: it has not been told."""
    rig = Rig()
    rig.cs.answers["StatusNotification"] = "timeout"
    rig.plug()
    rig.cs.lose()
    del rig.cs.answers["StatusNotification"]
    rig.after(10)
    assert rig.told() == ["Available", "Preparing", "Preparing"]


@pytest.mark.parametrize("answer", ["error", "timeout"])
def test_a_status_that_the_central_system_did_not_take_is_not_repeated(answer: str) -> None:
    """Not transaction-related: no retry (§3.7)."""
    rig = Rig(MessageTimeout="5")
    rig.cs.answers["StatusNotification"] = answer
    rig.plug()
    rig.after(100)
    assert rig.told() == ["Available", "Preparing", "Finishing"]


def test_a_fault_names_itself() -> None:
    """§6.47: errorCode and info with Faulted; NoError afterwards."""
    rig = Rig()
    rig.act("fault", 1, error_code="OverVoltage", info="L2 262 V")
    rig.act("clear_fault", 1)
    told = [(notice["status"], notice["errorCode"], notice.get("info")) for notice in rig.notices()]
    assert told[-2:] == [("Faulted", "OverVoltage", "L2 262 V"), ("Available", "NoError", None)]


@pytest.mark.parametrize("duration", ["0", "5"])
def test_a_warning_is_told_beside_the_status_until_it_is_over(duration: str) -> None:
    """§4.9, §7.6: an errorCode without Faulted is a warning; a level, so MinimumStatusDuration loses nothing."""
    rig = Rig(MinimumStatusDuration=duration)
    rig.after(6)
    rig.forget()
    rig.act("fault", 1, error_code="WeakSignal", info="-112 dBm")
    rig.after(6)
    rig.plug()
    rig.after(6)
    rig.act("clear_fault", 1)
    rig.after(6)
    told = [(notice["status"], notice["errorCode"], notice.get("info")) for notice in rig.notices()]
    assert told == [
        ("Available", "WeakSignal", "-112 dBm"),
        ("Preparing", "WeakSignal", "-112 dBm"),
        ("Preparing", "NoError", None),
    ]


def test_a_warning_of_the_station_is_one_of_connector_0() -> None:
    rig = Rig()
    rig.forget()
    rig.act("fault", 0, error_code="LocalListConflict")
    told = {number: [notice["errorCode"] for notice in rig.notices(number)] for number in range(3)}
    assert told == {0: ["LocalListConflict"], 1: [], 2: []}
    assert rig.status(0) == "Available"


def test_a_car_that_cannot_be_talked_to_suspends() -> None:
    """§7.6: EVCommunicationError is no fault: SuspendedEVSE; it goes on when the car can be talked to again."""
    rig = Rig()
    rig.session()
    rig.forget()
    rig.act("fault", 1, error_code="EVCommunicationError")
    rig.after(10)
    assert rig.hardware.describe(1)["contactor"] == "open"
    rig.act("clear_fault", 1)
    rig.after(10)
    told = [(notice["status"], notice["errorCode"]) for notice in rig.notices()]
    assert told == [
        ("SuspendedEVSE", "EVCommunicationError"),
        ("SuspendedEVSE", "NoError"),
        ("Charging", "NoError"),
    ]
    assert rig.log("StopTransaction") == []


@pytest.mark.parametrize("status", ["Available", "Preparing"])
def test_an_ev_communication_error_stands_beside_the_statuses_that_can_have_it(status: str) -> None:
    """§7.6: only with Preparing, SuspendedEV, SuspendedEVSE and Finishing."""
    rig = Rig()
    if status == "Preparing":
        rig.plug()
    rig.forget()
    rig.act("fault", 1, error_code="EVCommunicationError")
    rig.after(2)
    assert [notice["errorCode"] for notice in rig.notices()] == (
        ["EVCommunicationError"] if status == "Preparing" else []
    )


def test_a_text_goes_with_its_status_or_not_at_all() -> None:
    """§4.9: 'EV side disconnected' belongs to Finishing, not to what comes after a fault."""
    rig = Rig()
    rig.session()
    rig.act("fault", 1, error_code="GroundFailure")
    rig.act("unplug", 1, side="ev")
    rig.after(2)
    rig.act("clear_fault", 1)
    rig.after(20)
    assert rig.told()[-1] != "Faulted"
    assert [notice for notice in rig.notices() if "disconnected" in notice.get("info", "")] == []


def test_a_text_is_cut_to_what_the_field_holds() -> None:
    """§6.47: info is CiString50."""
    rig = Rig()
    rig.act("fault", 1, error_code="OtherError", info="x" * 70)
    assert rig.notices()[-1]["info"] == "x" * 50


def test_the_station_itself_is_connector_0() -> None:
    """§4.9: Available, Unavailable, Faulted; a fault of the station is one of every connector."""
    rig = Rig()
    rig.act("fault", 0, error_code="HighTemperature")
    assert [rig.told(number)[-1] for number in range(3)] == ["Faulted"] * 3
    rig.act("clear_fault", 0)
    assert [rig.told(number)[-1] for number in range(3)] == ["Available"] * 3


def test_a_fault_of_a_connector_is_not_one_of_the_station() -> None:
    """§4.9: connector 0 is independent of the others."""
    rig = Rig()
    rig.act("fault", 1, error_code="GroundFailure")
    assert (rig.status(0), rig.status(1), rig.status(2)) == ("Available", "Faulted", "Available")


def test_a_charging_station_at_rest_sends_nothing_but_heartbeats() -> None:
    """Errata 3.19: changes, and nothing else."""
    rig = Rig()
    rig.after(10_000)
    assert set(rig.log()) == {"BootNotification", "StatusNotification", "Heartbeat"}
    assert len(rig.log("StatusNotification")) == 3


def test_the_light_follows_the_status() -> None:
    """charts/indicator.yaml: one look per status; the same look is not commanded twice."""
    rig = Rig()
    looks = [rig.hardware.describe(1)["light"]]
    for act in (rig.plug, rig.swipe):
        act()
        rig.after(1)
        looks.append(rig.hardware.describe(1)["light"])
    rig.act("ev", 1, state="suspended")
    looks.append(rig.hardware.describe(1)["light"])
    rig.act("fault", 1, error_code="GroundFailure")
    looks.append(rig.hardware.describe(1)["light"])
    assert looks == ["green", "yellow", "blue breathing", "blue", "red"]


def test_notices_collapse_to_the_newest() -> None:
    """Digest §2.9: after a pause only the newest counts, and only if it says something new."""
    notices = Notices()
    notices.collapse(1.0)
    assert notices.tell() is None
    notices.told_one()
    assert notices.told is None
    notices.info = "with the next"
    notices.add(Notice("Available", time=1.0))
    notices.told_one()
    assert notices.told == Notice("Available", info="with the next", time=1.0)
    notices.add(Notice("Preparing", time=2.0))
    notices.add(Notice("Available", info="with the next", time=3.0))
    notices.collapse(4.0)
    assert notices.waiting == []
    notices.add(Notice("Preparing", time=5.0))
    notices.add(Notice("Faulted", "OtherError", time=6.0))
    notices.collapse(7.0)
    assert notices.waiting == [Notice("Faulted", "OtherError", time=7.0)]
