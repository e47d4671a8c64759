"""The driver: one queue, durable before visible, a full disk, a defect (DESIGN §1, §2)."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from rig import ORDER, CentralSystem, MemoryStorage, Rig

from charger import ports
from charger.driver import DEFECT_WINDOW, MOST_DEFECTS, RETRY_STORAGE
from charger.errors import Defect, StorageError, StorageFull
from charger.statechart.event import Event

FULL = StorageFull("no room")


def closed(rig: Rig, connector: int = 1) -> bool:
    return bool(rig.hardware.describe(connector)["contactor"] == "closed")


def break_down(rig: Rig) -> None:
    """A report that raises: `meter.sampled` without its fields."""
    rig.driver.post(Event("meter.sampled", 1))
    rig.driver.pump()


# -- the queue ---------------------------------------------------------------------------------------------


def test_events_are_taken_in_order_and_stamped_when_taken() -> None:
    """One queue, one consumer."""
    rig = Rig()
    rig.steps.clear()
    rig.driver.post(Event("cable.plugged", 1))
    rig.driver.post(Event("cable.unplugged", 1))
    assert rig.steps == []
    assert rig.driver.pump(1) is True
    assert rig.driver.pump(1) is False
    assert rig.driver.pump() is False
    assert [step.event.name for step in rig.steps] == ["cable.plugged", "cable.unplugged"]
    assert {step.event.moment for step in rig.steps} == {rig.clock.now()}


def test_the_owner_is_woken() -> None:
    """For every event posted, and for a restart."""
    woken: list[str] = []
    rig = Rig(start=False)
    rig.driver._wake = lambda: woken.append("")
    rig.driver.start()
    assert woken
    rig.after(1)
    count = len(woken)
    rig.call("Reset", type="Soft")
    assert rig.driver.restart == ports.Restart(hard=False)
    assert len(woken) >= count + 2


def test_the_commands_of_a_step_leave_in_order() -> None:
    """ports.py: OpenContactor, Store, other hardware, replies, messages, timers."""
    rig = Rig(ClockAlignedDataInterval="60")
    rig.session()
    rig.call("ChangeAvailability", connectorId=0, type="Inoperative")
    rig.after(100)
    rig.call("UnlockConnector", connectorId=1)
    rig.after(10)
    for step in rig.steps:
        ranks = [next(n for n, kind in enumerate(ORDER) if isinstance(c, kind)) for c in step.commands]
        assert ranks == sorted(ranks), step.event
        assert sum(isinstance(command, ports.Store) for command in step.commands) <= 1


def test_what_a_step_changed_is_stored_before_anyone_sees_its_effects() -> None:
    """DESIGN §2: one step, one commit."""
    rig = Rig()
    seen: list[str] = []
    commit, perform = rig.storage.commit, rig.cs.perform

    def committed(changes: tuple[ports.Change, ...]) -> None:
        seen.append("commit")
        commit(changes)

    def performed(command: ports.CentralCommand) -> None:
        seen.append(type(command).__name__)
        perform(command)

    rig.storage.commit, rig.cs.perform = committed, performed  # type: ignore[method-assign]
    rig.call("ChangeConfiguration", key="BlinkRepeat", value="8")
    assert seen == ["commit", "Reply"]


def test_a_step_that_changes_nothing_writes_nothing() -> None:
    """SD cards wear out."""
    rig = Rig()
    commits = rig.storage.commits
    rig.call("GetConfiguration")
    rig.after(2000)
    assert rig.storage.commits == commits


# -- a disk that takes nothing -----------------------------------------------------------------------------


def test_with_a_full_disk_nothing_is_acknowledged() -> None:
    """DESIGN §1: nothing leaves that says something which is not on disk; it leaves when it is."""
    rig = Rig()
    rig.storage.broken = FULL
    facts = dict(rig.storage.facts)
    assert rig.call("ChangeConfiguration", key="BlinkRepeat", value="8") is None
    rig.after(20)
    assert rig.answer() is None
    assert rig.storage.facts == facts
    rig.storage.broken = None
    rig.after(RETRY_STORAGE)
    assert rig.answer() == {"status": "Accepted"}
    assert rig.storage.facts["configuration", "BlinkRepeat"] == "8"


def test_with_a_full_disk_charging_stops_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """DESIGN §1: a transaction survives a full disk; contactors open, all connectors say why."""
    rig = Rig(MeterValueSampleInterval="10")
    rig.session()
    rig.storage.broken = FULL
    with caplog.at_level(logging.WARNING):
        rig.after(12)
    assert "nothing can be stored: no room" in caplog.text
    assert not closed(rig)
    assert rig.status() == "Faulted"
    assert rig.log("MeterValues") == []
    rig.storage.broken = None
    with caplog.at_level(logging.WARNING):
        rig.after(20)
    assert "storing works again" in caplog.text
    assert rig.status() == "Charging"
    assert closed(rig)
    rig.swipe()
    rig.after(5)
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["Local"]
    assert rig.log("MeterValues")[0] == "MeterValues"


def test_with_a_full_disk_the_station_says_so_to_people_and_then_to_the_central_system() -> None:
    """StatusNotification(Faulted, InternalError) waits for the disk like all messages; the light does not."""
    rig = Rig()
    rig.storage.broken = FULL
    rig.call("ChangeConfiguration", key="BlinkRepeat", value="8")
    rig.after(1)
    assert rig.hardware.describe(1)["light"] == "red"
    assert rig.told() == ["Available"]
    rig.storage.broken = None
    rig.after(RETRY_STORAGE)
    assert rig.told()[0] == "Available"
    assert rig.status() == "Available"
    told = [(notice["status"], notice["errorCode"]) for notice in rig.notices()]
    assert ("Faulted", "InternalError") in told
    assert told[-1] == ("Available", "NoError")


def test_a_contactor_is_not_closed_later_than_it_was_decided() -> None:
    """What waited for the disk does not switch on power by surprise."""
    rig = Rig()
    rig.storage.broken = FULL
    rig.plug()
    rig.swipe()
    rig.after(20)
    assert not closed(rig)
    assert rig.log("StartTransaction") == []
    rig.storage.broken = None
    rig.driver._retry_storage("storage.retry")
    assert not closed(rig)
    rig.driver.pump()
    assert not closed(rig)


def test_a_disk_that_fails_in_the_step_that_closes_the_contactor() -> None:
    """The command to close, in the very step whose facts could not be written, is dropped."""
    rig = Rig(start=False)
    commands = (
        ports.Store((ports.Change("a", "b", 1),)),
        ports.CloseContactor(1),
        ports.EngageLock(1),
        ports.Reply("1", "Reset", {}),
    )
    rig.storage.broken = FULL
    rig.driver._perform(commands)
    rig.after(2)
    assert not closed(rig)
    assert rig.hardware.describe(1)["lock"] == "engaged"
    assert rig.cs.replies == {}
    rig.storage.broken = None
    rig.after(RETRY_STORAGE)
    assert rig.cs.replies == {"1": {}}
    assert rig.storage.facts["a", "b"] == 1
    assert not closed(rig)


def test_the_last_word_about_a_fact_is_written() -> None:
    """Several steps wait for the disk: what they changed is written together, all or nothing."""
    rig = Rig()
    rig.storage.broken = FULL
    calls = [rig.call("ChangeConfiguration", key="BlinkRepeat", value=str(value)) for value in (4, 5, 6)]
    assert calls == [None] * 3
    commits = rig.storage.commits
    rig.storage.broken = None
    rig.after(RETRY_STORAGE)
    assert rig.storage.facts["configuration", "BlinkRepeat"] == "6"
    assert list(rig.cs.replies.values())[-3:] == [{"status": "Accepted"}] * 3
    assert rig.storage.commits == commits + 1


def test_a_restart_waits_for_the_disk_too() -> None:
    """Else the reason of the restart would be lost."""
    rig = Rig()
    rig.storage.broken = FULL
    rig.call("Reset", type="Hard")
    rig.after(20)
    assert rig.driver.restart is None
    rig.storage.broken = None
    rig.after(RETRY_STORAGE)
    assert rig.driver.restart == ports.Restart(hard=True)


def test_the_end_of_the_program_does_not_wait_for_the_disk() -> None:
    """Whoever stops the program to make room on the disk must be able to."""
    rig = Rig()
    rig.session()
    rig.storage.broken = FULL
    rig.wires("station.stopping")
    rig.after(15)
    assert rig.driver.ended
    assert not closed(rig)


def test_a_full_disk_at_the_start() -> None:
    """The station starts, and says Faulted to people; nothing is sent but what says nothing."""
    rig = Rig(start=False)
    rig.storage.broken = FULL
    rig.driver.start()
    rig.after(20)
    assert rig.status() == "Faulted"
    assert rig.cs.sent == []
    rig.storage.broken = None
    rig.after(10)
    assert rig.status() == "Available"
    assert rig.log()[0] == "BootNotification"


def test_a_disk_that_fails_for_good_ends_the_program() -> None:
    """errors.py: only a full disk is waited for; anything else is for the owner, also out of a timer."""
    rig = Rig()
    rig.storage.broken = StorageError("the database is gone")
    with pytest.raises(StorageError, match="gone"):
        rig.call("ChangeConfiguration", key="BlinkRepeat", value="8")
    rig = Rig()
    rig.storage.broken = FULL
    rig.call("ChangeConfiguration", key="BlinkRepeat", value="8")
    rig.storage.broken = StorageError("the database is gone")
    with pytest.raises(StorageError, match="gone"):
        rig.after(RETRY_STORAGE)
    assert rig.answer() is None


# -- a defect ----------------------------------------------------------------------------------------------


def test_after_a_defect_the_contactors_are_open_and_the_station_is_built_anew() -> None:
    """DESIGN §1: fail safe; the transaction ends with reason Reboot, the fault shows until it is cleared."""
    rig = Rig()
    rig.session()
    before = rig.driver.station
    break_down(rig)
    assert not closed(rig)
    assert rig.driver.station is not before
    rig.after(10)
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["Reboot"]
    assert [rig.told(number)[-1] for number in range(3)] == ["Faulted"] * 3
    notice = rig.notices(0)[-1]
    assert notice["errorCode"] == "InternalError"
    assert notice["info"].startswith("meter.sampled")
    assert rig.log("BootNotification") == ["BootNotification"] * 2
    rig.wires("fault.cleared")
    rig.after(5)
    assert rig.status() == "Preparing"
    assert rig.hardware.describe(1)["lock"] == "released"


def test_after_a_defect_nothing_of_the_old_station_is_left() -> None:
    """Its timers, its events and its pending calls are for nobody."""
    rig = Rig()
    rig.session()
    rig.cs.delay = 5
    rig.swipe("OTHER")  # an Authorize is on its way
    rig.driver.post(Event("meter.sampled", 1))
    rig.driver.post(Event("cable.unplugged", 1))
    rig.driver.pump()
    rig.after(30)
    assert rig.facts.connectors[1].cable is True
    assert rig.log("Authorize") == ["Authorize"] * 2
    assert rig.state("authorization") == "Idle"


def test_a_defect_with_a_full_disk() -> None:
    """The reason of the restart is lost, the restart is not; what waited for the disk never happened."""
    rig = Rig()
    rig.session()
    rig.storage.broken = FULL
    assert rig.call("ChangeConfiguration", key="BlinkRepeat", value="8") is None
    break_down(rig)
    rig.after(3)
    rig.storage.broken = None
    rig.after(20)
    assert rig.answer() is None
    assert rig.facts.configuration.text("BlinkRepeat") == "3"
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["PowerLoss"]


def test_the_third_defect_within_ten_minutes_ends_the_program() -> None:
    """Building anew does not help: contactors open, and the owner decides."""
    rig = Rig()
    for _ in range(MOST_DEFECTS - 1):
        break_down(rig)
        rig.after(5)
    rig.wires("fault.cleared")
    rig.session()
    with pytest.raises(Defect, match=r"^meter\.sampled: "):
        break_down(rig)
    assert not closed(rig)


def test_defects_far_apart_do_not_end_the_program() -> None:
    """Only so many in so short a time."""
    rig = Rig()
    for _ in range(MOST_DEFECTS * 2):
        break_down(rig)
        rig.after(DEFECT_WINDOW / 2)
    assert rig.status() == "Faulted"


def test_a_broken_invariant_is_a_defect() -> None:
    """A chart that would release the lock under voltage: stopped before the command leaves."""
    rig = Rig()
    rig.session()
    lock = next(i for i in rig.driver.station.ensemble._instances if (i.chart.name, i.number) == ("lock", 1))
    release = next(use for use in lock.chart.states["Releasing"].entry)
    ensemble = rig.driver.station.ensemble

    def misbehave(_event: Event) -> Any:
        ensemble._perform_all(lock, (release,))

    rig.driver.station.ensemble.step = misbehave  # type: ignore[method-assign]
    rig.driver.post(Event("ev.ready", 1))
    rig.driver.pump()
    assert rig.hardware.describe(1)["lock"] == "engaged"
    assert not closed(rig)
    assert "whenever lock.release then not" in rig.driver.station.situation.faults["InternalError"].info


def test_an_answer_to_a_question_of_another_life_is_for_nobody() -> None:
    """A late answer changes nothing."""
    rig = Rig()
    rig.steps.clear()
    rig.wires("ocpp.answered", token=4711, outcome="result", payload={})
    assert rig.steps[0].moves == ()


def test_storage_and_central_system_of_the_rig_hold_what_they_promise() -> None:
    """The fakes of these tests: a broken disk changes nothing; without a link a call is offline at once."""
    storage = MemoryStorage()
    storage.commit((ports.Change("a", "b", 1), ports.Change("a", "c", 2)))
    storage.commit((ports.Change("a", "b", None), ports.Change("x", "y", None)))
    storage.broken = FULL
    with pytest.raises(StorageFull):
        storage.commit((ports.Change("a", "c", 3),))
    assert storage.load() == [ports.Change("a", "c", 2)]
    posted: list[Event] = []
    central = CentralSystem(Rig(start=False).clock, posted.append)
    central.perform(ports.Call(1, "Heartbeat", {}, 30))
    assert [event.fields["outcome"] for event in posted] == ["offline"]
