"""UnlockConnector and the cable lock (OCPP 1.6 §5.18, §4.10; digest §2.11, §7.4)."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig

UNLOCKED, FAILED, NOT_SUPPORTED = (
    {"status": status} for status in ("Unlocked", "UnlockFailed", "NotSupported")
)


def unlock(rig: Rig, connector: int = 1, seconds: float = 10) -> Any:
    rig.call("UnlockConnector", connectorId=connector)
    rig.after(seconds)
    return rig.answer()


def lock(rig: Rig, connector: int = 1) -> Any:
    return rig.hardware.describe(connector)["lock"]


@pytest.mark.parametrize("connector", [3, 0, -1])
def test_an_unknown_connector(connector: int) -> None:
    """Errata 3.87, tests TC_017_2, TC_031: NotSupported."""
    assert unlock(Rig(), connector) == NOT_SUPPORTED


def test_a_fixed_cable() -> None:
    """Test TC_018_2: NotSupported, and the transaction goes on."""
    rig = Rig(1, fixed=True)
    assert unlock(rig) == NOT_SUPPORTED
    rig.session()
    assert unlock(rig) == NOT_SUPPORTED
    assert rig.status() == "Charging"


def test_an_idle_socket() -> None:
    """Test TC_017_1: Unlocked."""
    rig = Rig()
    assert unlock(rig) == UNLOCKED
    assert rig.status() == "Available"


def test_a_running_transaction_ends_first() -> None:
    """Test TC_018_1: Unlocked, then StopTransaction(UnlockCommand), Finishing, plug out, Available."""
    rig = Rig()
    rig.session()
    rig.forget()
    assert rig.call("UnlockConnector", connectorId=1) is None
    rig.until(lambda: rig.answer() is not None, step=0.01)
    assert rig.answer() == UNLOCKED
    names = [type(command).__name__ for command in rig.steps[-1].commands]
    assert names.index("Reply") < names.index("Call")
    rig.after(5)
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["UnlockCommand"]
    assert lock(rig) == "released"
    rig.unplug()
    assert rig.told() == ["Finishing", "Available"]


def test_the_contactor_opens_before_the_lock() -> None:
    """Digest §7.4: never under load."""
    rig = Rig()
    rig.session()
    rig.call("UnlockConnector", connectorId=1)
    rig.until(lambda: lock(rig) == "released", step=0.01)
    assert rig.hardware.describe(1)["contactor"] == "open"
    opened = next(s.event.moment for s in reversed(rig.steps) if s.event.name == "contactor.opened")
    released = next(s.event.moment for s in reversed(rig.steps) if s.event.name == "lock.released")
    assert opened.monotonic < released.monotonic


def test_a_lock_that_says_it_failed() -> None:
    """Test TC_030: UnlockFailed, and a warning with the present status."""
    rig = Rig()
    rig.act("lock", 1, fail=True)
    rig.forget()
    assert unlock(rig) == FAILED
    warning = rig.notices()[-1]
    assert (warning["status"], warning["errorCode"]) == ("Available", "ConnectorLockFailure")


def test_a_lock_that_says_nothing() -> None:
    """Digest §7.4: the motor has 3 s."""
    rig = Rig(simulation={"lock_delay": 10.0})
    assert unlock(rig, seconds=2.9) is None
    rig.after(0.2)
    assert rig.answer() == FAILED


def test_a_jammed_lock_is_tried_again_on_demand() -> None:
    """§5.18."""
    rig = Rig()
    rig.act("lock", 1, fail=True)
    assert unlock(rig) == FAILED
    assert unlock(rig) == FAILED
    rig.act("lock", 1, fail=False)
    assert unlock(rig) == UNLOCKED


def test_a_jammed_lock_freed_by_hand() -> None:
    """It is where it should be: nothing to warn of any more."""
    rig = Rig()
    rig.act("lock", 1, fail=True)
    unlock(rig)
    assert rig.state("lock", 1) == "Jammed"
    rig.wires("lock.released", 1)
    assert rig.state("lock", 1) == "Released"


def test_a_jammed_lock_locks_again_when_it_can() -> None:
    """The next session tries it."""
    rig = Rig()
    rig.act("lock", 1, fail=True)
    unlock(rig)
    rig.act("lock", 1, fail=False)
    rig.session()
    assert lock(rig) == "engaged"


def test_a_transaction_ends_though_the_lock_does_not_open() -> None:
    """Digest §2.11: UnlockFailed; StopTransaction(UnlockCommand); Finishing with a warning, not Faulted."""
    rig = Rig()
    rig.session()
    rig.act("lock", 1, fail=True)
    rig.forget()
    assert unlock(rig) == FAILED
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["UnlockCommand"]
    assert rig.status() == "Finishing"
    assert "ConnectorLockFailure" in {notice["errorCode"] for notice in rig.notices()}


def test_a_lock_that_does_not_open_at_the_end_is_a_warning() -> None:
    """Digest §7.4: Finishing, with ConnectorLockFailure; the cable can be unlocked later."""
    rig = Rig()
    rig.session()
    rig.act("lock", 1, fail=True)
    rig.swipe()
    rig.after(10)
    last = rig.notices()[-1]
    assert (last["status"], last["errorCode"]) == ("Finishing", "ConnectorLockFailure")
    rig.act("lock", 1, fail=False)
    assert unlock(rig) == UNLOCKED
    rig.unplug()
    assert rig.status() == "Available"


def test_a_lock_that_says_nothing_at_the_end_is_a_warning() -> None:
    """The same after 3 s of silence."""
    rig = Rig(simulation={"lock_delay": 2.0})
    rig.plug()
    rig.swipe()
    rig.after(5)
    rig.hardware._lock_delay = 10.0
    rig.swipe()
    rig.after(5)
    assert rig.state("lock", 1) == "Jammed"


def test_while_the_lock_moves_there_is_no_second_answer() -> None:
    """OCPP-J §4.1: each CALL is answered once; the second one at once."""
    rig = Rig(simulation={"lock_delay": 1.0})
    rig.call("UnlockConnector", connectorId=1)
    first = rig._last
    assert rig.call("UnlockConnector", connectorId=1) == FAILED
    rig.after(2)
    assert rig.cs.replies[first] == UNLOCKED


def test_a_session_that_begins_while_the_lock_opens() -> None:
    """The lock closes again after a moment to pull the plug, and only then the transaction begins."""
    rig = Rig(simulation={"lock_delay": 2.0})
    rig.plug()
    rig.call("UnlockConnector", connectorId=1)
    rig.swipe()
    assert rig.log("StartTransaction") == []
    rig.after(3)
    assert rig.answer() == UNLOCKED
    assert rig.state("lock", 1) == "Unlocked"
    assert rig.log("StartTransaction") == []
    rig.after(8)
    assert rig.status() == "Charging"
    assert lock(rig) == "engaged"


def test_pulled_out_after_unlocking() -> None:
    """The session that wanted the lock is over."""
    rig = Rig(simulation={"lock_delay": 2.0})
    rig.plug()
    rig.call("UnlockConnector", connectorId=1)
    rig.swipe()
    rig.after(3)
    assert rig.state("lock", 1) == "Unlocked"
    rig.unplug()
    assert rig.state("lock", 1) == "Released"
    assert rig.status() == "Available"


def test_asked_to_unlock_while_the_contactor_is_being_looked_at() -> None:
    """Digest §7.4: a session that begins meanwhile waits for the lock, and no voltage comes before it."""
    rig = Rig(simulation={"contactor_delay": 0.45, "car_delay": 0.01})
    rig.plug()
    rig.wires("contactor.closed", 1)
    rig.after(2)
    rig.hardware.simulate("clear_fault", 1, {})
    rig.after(0.01)
    assert rig.state("power", 1) == "Opening"
    rig.call("UnlockConnector", connectorId=1)
    rig.hardware.simulate("swipe", None, {"id_tag": "TAG"})
    rig.after(0.3)
    assert rig.facts.transactions.on(1) is None
    rig.after(2)
    assert rig.answer() == UNLOCKED
    rig.after(8)
    assert rig.status() == "Charging"
    assert rig.facts.faults == {}


def test_a_lock_that_opens_before_the_car_has_stopped() -> None:
    """Digest §7.4: asked to unlock, the station lets the car stop first; without the lock it cannot."""
    rig = Rig()
    rig.session()
    rig.hardware._car_delay = 100.0
    rig.call("UnlockConnector", connectorId=1)
    rig.after(1)
    rig.wires("lock.released", 1)
    assert rig.hardware.describe(1)["contactor"] == "open"
    rig.after(5)
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["UnlockCommand"]


def test_a_held_cable() -> None:
    """Test TC_005_2: the Central System may free it."""
    rig = Rig()
    rig.cs.answers["StartTransaction"] = {"transactionId": 5, "idTagInfo": {"status": "Invalid"}}
    rig.plug()
    rig.swipe()
    rig.after(10)
    assert rig.state("connector", 1) == "Held"
    assert unlock(rig) == UNLOCKED
    assert rig.state("connector", 1) == "Released"
    assert lock(rig) == "released"


def test_a_lock_that_cannot_close_prevents_the_session() -> None:
    """Test TC_024: Faulted with ConnectorLockFailure, no transaction; pulling the plug clears it."""
    rig = Rig()
    rig.act("lock", 1, fail=True)
    rig.plug()
    rig.swipe()
    rig.after(5)
    last = rig.notices()[-1]
    assert (last["status"], last["errorCode"]) == ("Faulted", "ConnectorLockFailure")
    assert rig.log("StartTransaction") == []
    rig.call("UnlockConnector", connectorId=1)
    rig.after(1)
    assert rig.answer() == FAILED
    rig.act("lock", 1, fail=False)
    rig.unplug()
    assert rig.told()[-1] == "Available"
    rig.session()


def test_a_lock_that_does_not_answer_prevents_the_session() -> None:
    """The same after three times 3 s."""
    rig = Rig(simulation={"lock_delay": 10.0})
    rig.plug()
    rig.swipe()
    rig.after(12)
    assert rig.status() == "Faulted"
    assert rig.log("StartTransaction") == []


def test_a_lock_fault_ends_with_the_plug_also_after_a_power_cut() -> None:
    """Pulling the plug clears it, so that the next try starts clean: nobody has to come for it."""
    rig = Rig()
    rig.act("lock", 1, fail=True)
    rig.plug()
    rig.swipe()
    rig.after(5)
    rig = rig.power_cut()
    assert rig.status() == "Faulted"
    rig.unplug()
    assert rig.status() == "Available"


def test_a_lock_fault_whose_plug_was_pulled_while_the_power_was_away() -> None:
    """The same: the station finds an empty socket."""
    rig = Rig()
    rig.act("lock", 1, fail=True)
    rig.plug()
    rig.swipe()
    rig.after(5)
    rig = rig.power_cut(simulation={"plugged": ()})
    assert rig.status() == "Available"
    rig.session()


def test_another_fault_cleared_does_not_clear_that_of_the_lock() -> None:
    """Each fault is cleared by itself; the plug still clears the one of the lock."""
    rig = Rig()
    rig.act("lock", 1, fail=True)
    rig.plug()
    rig.swipe()
    rig.after(5)
    rig.wires("fault.raised", 1, error="GroundFailure")
    rig.wires("fault.cleared", 1, error="GroundFailure")
    rig.after(5)
    assert rig.status() == "Faulted"
    rig.unplug()
    assert rig.status() == "Available"


def test_a_lock_that_opens_by_itself_while_charging() -> None:
    """Digest §7.4: without the lock no energy; the contactor opens at once."""
    rig = Rig()
    rig.session()
    rig.wires("lock.released", 1)
    assert rig.hardware.describe(1)["contactor"] == "open"
    rig.after(1)
    assert rig.notices()[-1]["errorCode"] == "ConnectorLockFailure"
    assert rig.status() == "Faulted"
    rig.act("clear_fault", 1)
    rig.after(10)
    assert rig.status() == "Charging"


def test_a_weld_keeps_the_plug() -> None:
    """Digest §7.5: a plug under voltage is not released, whoever asks."""
    rig = Rig()
    rig.session()
    rig.swipe()
    rig.wires("contactor.closed", 1)  # the mirror contact contradicts
    rig.after(2)
    assert rig.state("power", 1) == "Welded"
    assert unlock(rig) == FAILED
    assert lock(rig) == "engaged"


def test_a_weld_found_by_unlocking() -> None:
    """UnlockFailed, the transaction ends, the plug stays locked."""
    rig = Rig()
    rig.session()
    rig.call("UnlockConnector", connectorId=1)
    rig.after(0.22)  # the car stops drawing first
    rig.clock.cancel("simulated/1/contactor")  # the mirror contact stays closed
    rig.after(3)
    assert rig.answer() == FAILED
    assert rig.state("power", 1) == "Welded"
    assert lock(rig) == "engaged"
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["UnlockCommand"]


def test_after_a_power_cut_the_plug_is_free() -> None:
    """Digest §7.4: with the transaction over, nothing keeps the cable."""
    rig = Rig()
    rig.session()
    rig = rig.power_cut()
    assert rig.state("lock", 1) == "Released"


@pytest.mark.parametrize("moving", ["Engaging", "Releasing"])
def test_a_lock_that_moves_is_waited_for(moving: str) -> None:
    """§5.18: UnlockFailed is for a lock that did not open, not for one that is on its way."""
    rig = Rig(simulation={"lock_delay": 1.0})
    rig.plug()
    rig.hardware.simulate("swipe", None, {"id_tag": "TAG"})
    rig.until(lambda: rig.state("lock", 1) == "Engaging")
    if moving == "Releasing":
        rig.after(5)
        rig.swipe()
        rig.until(lambda: rig.state("lock", 1) == "Releasing")
    rig.call("UnlockConnector", connectorId=1)
    rig.after(5)
    assert rig.answer() == {"status": "Unlocked"}


def test_a_lock_that_was_just_opened_is_open() -> None:
    rig = Rig()
    rig.session()
    for _ in range(2):
        rig.call("UnlockConnector", connectorId=1)
        rig.after(2)
        assert rig.answer() == {"status": "Unlocked"}


def test_right_after_a_start_the_lock_is_waited_for() -> None:
    """The lock goes to where it should be, and that is told."""
    rig = Rig(start=False, simulation={"lock_delay": 2.0, "contactor_delay": 1.0})
    rig.driver.start()
    rig.until(lambda: rig.state("registration") == "Accepted", step=0.01)
    rig.call("UnlockConnector", connectorId=1)
    rig.after(10)
    assert rig.answer() == {"status": "Unlocked"}


def test_a_session_about_to_begin_waits_while_the_plug_may_be_pulled() -> None:
    """Unlocked on its way to being locked; asked again, it is still open. Then the session begins."""
    rig = Rig(simulation={"lock_delay": 1.0})
    rig.plug()
    rig.hardware.simulate("swipe", None, {"id_tag": "TAG"})
    rig.until(lambda: rig.state("lock", 1) == "Engaging")
    rig.call("UnlockConnector", connectorId=1)
    rig.until(lambda: rig.answer() is not None)
    assert rig.answer() == {"status": "Unlocked"}
    assert rig.call("UnlockConnector", connectorId=1) == {"status": "Unlocked"}
    rig.after(10)
    assert rig.status() == "Charging"


def test_a_transaction_whose_lock_has_failed_ends_too() -> None:
    """Digest §2.11: finish it first, whatever state the lock is in."""
    rig = Rig(1)
    rig.session()
    rig.wires("lock.released", 1)
    rig.after(2)
    assert rig.state("lock", 1) == "Failed"
    rig.call("UnlockConnector", connectorId=1)
    rig.after(5)
    assert rig.answer() == {"status": "Unlocked"}
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["UnlockCommand"]
