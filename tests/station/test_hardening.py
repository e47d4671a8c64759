"""What an independent review broke, so that it stays mended."""

import pytest
from rig import MemoryStorage, Rig

from charger.errors import StorageError, StorageFull
from charger.functions.times import to_clock, to_seconds
from charger.statechart.event import Event


@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:58Z", "1970-01-01T00:00:00Z", "soon"]
)
def test_a_time_that_cannot_be_ours_changes_no_clock(time: str) -> None:
    """§4.2: the clock is set from BootNotification.conf, but not to nonsense."""
    assert to_clock(time) is None
    rig = Rig(start=False)
    rig.cs.answers["BootNotification"] = {"status": "Accepted", "currentTime": time, "interval": 300}
    rig.driver.start()
    rig.after(5)
    assert rig.state("registration") == "Accepted"
    assert rig.sent("StatusNotification")[0]["timestamp"].startswith("2027-")


@pytest.mark.parametrize("interval", [-1, 0])
def test_a_nonsensical_interval_is_replaced_by_our_own(interval: int) -> None:
    """§4.2: without flooding the Central System."""
    rig = Rig(start=False)
    rig.cs.answers["BootNotification"] = lambda _payload: {
        "status": "Rejected",
        "currentTime": "2027-01-15T08:00:00Z",
        "interval": interval,
    }
    rig.driver.start()
    rig.after(59)
    assert len(rig.sent("BootNotification")) == 1
    rig.after(5)
    assert len(rig.sent("BootNotification")) == 2


def test_the_end_of_the_program_ends_transactions_with_the_time_and_register_of_now() -> None:
    rig = Rig(MeterValueSampleInterval="0")
    rig.session()
    rig.after(600)
    rig.driver.post(Event("station.stopping"))
    rig.after(2)
    assert rig.driver.ended
    [start], [stop] = rig.sent("StartTransaction"), rig.sent("StopTransaction")
    assert stop["reason"] == "Reboot"
    assert 600 < to_seconds(stop["timestamp"]) - to_seconds(start["timestamp"]) < 620
    assert rig.hardware.describe(1)["contactor"] == "open"


def test_a_power_cut_costs_a_minute_of_knowledge_at_most() -> None:
    """§2.15 of the digest: whatever the sampling interval."""
    rig = Rig(MeterValueSampleInterval="0")
    rig.session()
    rig.after(600)
    rig = rig.power_cut()
    rig.after(5)
    [stop] = rig.sent("StopTransaction")
    assert stop["reason"] == "PowerLoss"
    assert to_seconds(stop["timestamp"]) > 1_800_000_000 + 540


def test_a_scheduled_inoperative_lets_nobody_start() -> None:
    """§5.2: what is running may end; nothing new begins."""
    rig = Rig(1)
    rig.session()
    assert rig.call("ChangeAvailability", connectorId=1, type="Inoperative") == {"status": "Scheduled"}
    rig.swipe()
    rig.after(5)
    assert rig.status() == "Unavailable"
    rig.swipe("OTHER")
    rig.after(5)
    assert rig.call("RemoteStartTransaction", connectorId=1, idTag="REMOTE") == {"status": "Rejected"}
    assert len(rig.sent("StartTransaction")) == 1
    rig.unplug()
    rig.after(2)
    assert rig.status() == "Unavailable"


def test_a_double_tap_is_one_tap() -> None:
    """The second one comes while the plug is being locked; the next driver's car is not charged to it."""
    rig = Rig()
    rig.plug(1)
    rig.hardware.simulate("swipe", None, {"id_tag": "TAG"})
    rig.after(0.2)
    assert rig.state("connector", 1) == "Locking"
    rig.swipe("TAG")
    rig.after(5)
    rig.plug(2)
    rig.after(5)
    assert (rig.status(1), rig.status(2)) == ("Charging", "Preparing")


def test_a_card_stops_while_another_one_is_being_authorized() -> None:
    rig = Rig()
    rig.session(1, "ONE")
    rig.cs.answers["Authorize"] = "timeout"
    rig.swipe("TWO")
    assert rig.state("authorization") == "Asking"
    rig.swipe("ONE")
    rig.after(2)
    assert rig.status(1) == "Finishing"


def test_a_lock_that_was_jammed_lets_the_plug_go_when_asked_again() -> None:
    """§5.18: UnlockConnector is a real attempt, also in a fault."""
    rig = Rig()
    rig.act("lock", 1, fail=True)
    rig.plug()
    rig.swipe()
    rig.after(5)
    assert rig.state("lock", 1) == "Failed"
    rig.act("lock", 1, fail=False)
    rig.call("UnlockConnector", connectorId=1)
    rig.after(1)
    assert rig.answer() == {"status": "Unlocked"}


def test_unlocking_asks_the_car_to_stop_before_the_contactor_opens() -> None:
    """Digest §7.2: never under load on purpose."""
    rig = Rig()
    rig.session()
    rig.call("UnlockConnector", connectorId=1)
    assert rig.state("pilot", 1) == "Withdrawing"
    assert rig.hardware.describe(1)["contactor"] == "closed"
    rig.after(2)
    assert rig.answer() == {"status": "Unlocked"}


def test_clearing_the_faults_of_the_station_does_not_fill_a_full_disk() -> None:
    storage = MemoryStorage()
    rig = Rig(storage=storage)
    rig.session()
    storage.broken = StorageFull("no room")
    rig.swipe()
    rig.after(1)
    assert rig.status() == "Faulted"
    rig.act("clear_fault", 0)
    assert rig.status() == "Faulted"
    storage.broken = None
    rig.after(10)
    assert rig.facts.latched.at(1) == {}
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["Local"]


def test_a_disk_that_breaks_for_good_ends_the_program() -> None:
    """A service manager sees it, and somebody comes."""
    storage = MemoryStorage()
    rig = Rig(storage=storage)
    rig.session()
    storage.broken = StorageFull("no room")
    rig.swipe()
    rig.after(1)
    storage.broken = StorageError("no disk")
    with pytest.raises(StorageError, match="no disk"):
        rig.after(10)
