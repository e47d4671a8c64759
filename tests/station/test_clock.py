"""The clock of the Central System (OCPP 1.6 §4.2, §4.6), and ours that may jump."""

from __future__ import annotations

import pytest
from rig import Rig

from charger.functions.times import to_seconds, to_text


def test_heartbeat_sets_the_clock() -> None:
    """§4.6: the station takes the time from Heartbeat.conf."""
    rig = Rig()
    rig.cs.answers["Heartbeat"] = {"currentTime": "2030-01-01T00:00:00+02:00"}
    rig.after(300.02)
    assert rig.facts.time == pytest.approx(to_seconds("2029-12-31T22:00:00Z"), abs=0.1)
    rig.plug()
    assert rig.notices()[-1]["timestamp"].startswith("2029-12-31T22:00:0")


def test_durations_do_not_follow_the_wall_clock() -> None:
    """Digest §2.3: durations are never computed from wall time."""
    rig = Rig(ConnectionTimeOut="60")
    rig.plug()
    rig.clock.jump_wall(3600)
    rig.after(30)
    assert rig.status() == "Preparing"
    rig.clock.jump_wall(-7200)
    rig.after(30)
    assert rig.status() == "Finishing"


def test_clock_aligned_values_follow_a_clock_that_is_set() -> None:
    """Digest §2.3: after a jump the next boundary counts from the new time."""
    rig = Rig(1, ClockAlignedDataInterval="900")
    rig.cs.answers["Heartbeat"] = {"currentTime": "2030-01-01T00:14:50Z"}
    rig.after(320)
    stamps = [value["meterValue"][0]["timestamp"] for value in rig.sent("MeterValues")]
    assert stamps == ["2030-01-01T00:15:00.000Z"]


def test_a_clock_set_back_over_a_boundary_does_not_report_it_again() -> None:
    """TC_071: consecutive stamps differ by the interval, whatever small corrections the Heartbeats bring."""
    rig = Rig(1, ClockAlignedDataInterval="100")
    rig.cs.answers["Heartbeat"] = lambda _: {"currentTime": to_text(rig.clock.now().wall - 30)}
    rig.after(450)
    stamps = [to_seconds(value["meterValue"][0]["timestamp"]) for value in rig.sent("MeterValues")]
    assert [stamp and stamp - 1_800_000_000 for stamp in stamps] == [100, 200, 300, 400]
    times = rig.when("MeterValues")
    assert times == pytest.approx([100.0, 200.0, 300.0, 430.0], abs=0.1)


def test_a_clock_set_back_by_hours_reports_the_boundaries_of_those_hours() -> None:
    """Digest §2.3: boundaries are those of the clock that is right."""
    rig = Rig(1, ClockAlignedDataInterval="100")
    rig.cs.answers["Heartbeat"] = lambda _: {"currentTime": to_text(rig.clock.now().wall - 3600)}
    rig.after(450)
    stamps = [to_seconds(value["meterValue"][0]["timestamp"]) for value in rig.sent("MeterValues")]
    assert [stamp and stamp - 1_800_000_000 for stamp in stamps] == [100, 200, 300, -3200]


def test_expiry_of_a_card_is_judged_by_the_time_of_the_central_system() -> None:
    """§3.5.1: expiryDate passes on the clock that the Central System has set."""
    rig = Rig(LocalPreAuthorize="true")
    info = {"status": "Accepted", "expiryDate": to_text(rig.clock.now().wall + 1000)}
    rig.cs.answers["Authorize"] = {"idTagInfo": info}
    rig.swipe("TAG", 1)
    rig.swipe("TAG", 1)  # cancels
    rig.cs.answers["Heartbeat"] = {"currentTime": to_text(rig.clock.now().wall + 2000)}
    rig.after(300)
    rig.forget()
    rig.swipe("TAG", 1)
    assert rig.log("Authorize") == ["Authorize"]


def test_times_are_read_with_any_offset_and_any_decimals() -> None:
    """§3.15: fractional seconds and offsets are legal; a text that is no time is None."""
    expected = 1_800_000_000.0
    for text in ("2027-01-15T08:00:00Z", "2027-01-15T10:00:00.000000+02:00", " 2027-01-15T08:00:00 "):
        assert to_seconds(text) == expected
    assert to_seconds("yesterday") is None
    assert to_seconds(17) is None
    assert to_text(expected + 0.0625) == "2027-01-15T08:00:00.062Z"


def without_battery(wall: float, **configuration: str) -> Rig:
    """A station that was accepted once, and now boots offline at a time of its own."""
    rig = Rig(1, AllowOfflineTxForUnknownId="true", **configuration).power_cut(start=False)
    rig.clock.jump_wall(wall - rig.clock.now().wall)
    rig.cs.reachable = False
    return rig


def test_a_board_without_a_clock_battery_that_boots_offline_is_right_in_the_end() -> None:
    """Digest §2.2: what was stamped with a bogus date is stamped anew once the time is known."""
    bogus, right = 12.0, to_seconds("2027-06-01T12:00:00Z") or 0.0
    rig = without_battery(
        bogus, MeterValueSampleInterval="60", StopTxnSampledData="Energy.Active.Import.Register"
    )
    rig.driver.start()
    rig.after(10)
    rig.session()
    begun = rig.clock.now().monotonic
    rig.after(130)
    rig.cs.answers["BootNotification"] = lambda _: {
        "status": "Accepted",
        "currentTime": to_text(right + rig.clock.now().monotonic),
        "interval": 300,
    }
    rig.mend()
    (start,) = rig.sent("StartTransaction")
    assert to_seconds(start["timestamp"]) == pytest.approx(right + begun, abs=5)
    stamps = [to_seconds(value["meterValue"][0]["timestamp"]) for value in rig.sent("MeterValues")]
    first = to_seconds(start["timestamp"]) or 0.0
    assert [stamp and round(stamp - first) for stamp in stamps][:3] == [60, 120, 180]
    rig.swipe()
    rig.after(5)
    (stop,) = rig.sent("StopTransaction")
    assert stop["timestamp"].startswith("2027-06-01T12:0")
    kept = [to_seconds(value["timestamp"]) for value in stop["transactionData"]]
    assert kept[0] == first
    assert kept == sorted(kept)


def test_a_session_that_ended_before_the_time_was_known() -> None:
    """Both of its messages were still in the queue."""
    rig = without_battery(0.0)
    rig.driver.start()
    rig.after(10)
    rig.session()
    rig.after(100)
    rig.swipe()
    rig.after(5)
    rig.cs.answers["BootNotification"] = {
        "status": "Accepted",
        "currentTime": "2027-06-01T12:00:00Z",
        "interval": 300,
    }
    rig.mend()
    (start,), (stop,) = rig.sent("StartTransaction"), rig.sent("StopTransaction")
    assert start["timestamp"].startswith("2027-06-01T11:5")
    assert stop["timestamp"].startswith("2027-06-01T11:5")
    assert start["timestamp"] < stop["timestamp"]


def test_a_clock_that_is_nearly_right_leaves_its_stamps_alone() -> None:
    """A message keeps its original timestamp (digest §1.5) when nothing was wrong with it."""
    rig = without_battery(1_800_001_000.0)
    rig.driver.start()
    rig.after(10)
    rig.session()
    stamped = rig.facts.queue.first().payload["timestamp"]
    rig.cs.answers["BootNotification"] = lambda _: {
        "status": "Accepted",
        "currentTime": to_text(rig.clock.now().wall + 30),
        "interval": 300,
    }
    rig.mend()
    assert [start["timestamp"] for start in rig.sent("StartTransaction")] == [stamped]


def test_what_an_earlier_run_stamped_is_not_touched() -> None:
    """Its clock may have been right."""
    rig = Rig(1, AllowOfflineTxForUnknownId="true")
    rig.cut()
    rig.session()
    stamped = rig.facts.queue.first().payload["timestamp"]
    rig = rig.power_cut(start=False)
    rig.clock.jump_wall(-1e9)
    rig.cs.answers["BootNotification"] = {
        "status": "Accepted",
        "currentTime": "2027-06-01T12:00:00Z",
        "interval": 300,
    }
    rig.driver.start()
    rig.after(60)
    assert [start["timestamp"] for start in rig.sent("StartTransaction")] == [stamped]


def test_once_the_time_is_told_the_machine_may_be_set_as_it_likes() -> None:
    """Digest §2.3: NTP steps the clock of a board long after BootNotification.conf."""
    rig = Rig(1, MeterValueSampleInterval="10")
    rig.session()
    rig.forget()
    rig.clock.jump_wall(20 * 365 * 86400)
    rig.after(15)
    rig.swipe()
    rig.after(5)
    stamps = [value["meterValue"][0]["timestamp"] for value in rig.sent("MeterValues")]
    stamps += [stop["timestamp"] for stop in rig.sent("StopTransaction")]
    assert len(stamps) >= 2
    assert {stamp[:4] for stamp in stamps} == {"2027"}


def test_a_machine_that_is_set_before_the_time_is_told() -> None:
    """NTP was there before the Central System: what was stamped until then is stamped anew."""
    rig = without_battery(12.0)
    rig.driver.start()
    rig.after(10)
    rig.session()
    rig.clock.jump_wall(1_800_000_000.0 - rig.clock.now().wall)
    rig.after(10)
    rig.cs.answers["BootNotification"] = lambda _: {
        "status": "Accepted",
        "currentTime": to_text(rig.clock.now().wall),
        "interval": 300,
    }
    rig.mend()
    (start,) = rig.sent("StartTransaction")
    assert to_seconds(start["timestamp"]) == pytest.approx(1_800_000_000.0, abs=10)


def test_values_that_were_aligned_to_a_bogus_clock_are_not_sent() -> None:
    """TC_071: a clock-aligned value is stamped with a boundary, or it is none."""
    rig = without_battery(7.0, ClockAlignedDataInterval="60")
    rig.driver.start()
    rig.after(200)
    assert rig.facts.queue.length() == 3
    rig.cs.answers["BootNotification"] = lambda _: {
        "status": "Accepted",
        "currentTime": to_text(1_800_000_000.0 + rig.clock.now().monotonic),
        "interval": 300,
    }
    rig.mend()
    rig.after(120)
    stamps = [to_seconds(value["meterValue"][0]["timestamp"]) for value in rig.sent("MeterValues")]
    assert len(stamps) >= 2
    assert {stamp and stamp % 60 for stamp in stamps} == {0}
