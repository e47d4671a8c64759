"""Reset (OCPP 1.6 §5.14, errata 3.36; digest §2.13)."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig

from charger.functions.times import to_seconds
from charger.statechart.event import Event

ACCEPTED, REJECTED = {"status": "Accepted"}, {"status": "Rejected"}


def reset(rig: Rig, kind: str) -> Any:
    return rig.call("Reset", type=kind)


@pytest.mark.parametrize(("kind", "hard"), [("Soft", False), ("Hard", True)])
def test_an_idle_station_restarts_at_once(kind: str, *, hard: bool) -> None:
    """§5.14: Accepted, then the restart; no Unavailable flashes by."""
    rig = Rig()
    assert reset(rig, kind) == ACCEPTED
    assert rig.driver.restart is not None
    assert rig.driver.restart.hard is hard
    assert rig.told() == ["Available"]


@pytest.mark.parametrize("kind", ["Soft", "Hard"])
def test_transactions_end_first(kind: str) -> None:
    """§5.14: StopTransaction for each, with its reason, before the restart; the cable is free."""
    rig = Rig()
    rig.session(1, "ONE")
    rig.session(2, "TWO")
    assert reset(rig, kind) == ACCEPTED
    assert rig.driver.restart is None
    rig.after(10)
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == [f"{kind}Reset"] * 2
    assert rig.driver.restart is not None
    assert rig.hardware.describe(1)["contactor"] == "open"


def test_the_answer_comes_before_the_stop() -> None:
    """§5.14: .conf first."""
    rig = Rig()
    rig.session()
    reset(rig, "Soft")
    step = next(step for step in rig.steps if step.event.name == "ocpp.Reset")
    assert "Reply" in [type(command).__name__ for command in step.commands]
    assert rig.log("StopTransaction") == []


def test_soft_waits_for_the_delivery() -> None:
    """Digest §2.13: up to 60 s for the StopTransaction to be taken."""
    rig = Rig(MessageTimeout="20")
    rig.session()
    rig.cs.answers["StopTransaction"] = lambda _: "timeout"
    reset(rig, "Soft")
    rig.after(15)
    assert rig.driver.restart is None
    rig.after(46)
    assert rig.driver.restart is not None


def test_soft_does_not_wait_for_a_central_system_that_is_not_there() -> None:
    """Errata 3.36: what is not delivered stays queued."""
    rig = Rig()
    rig.session()
    reset(rig, "Soft")
    rig.cut()
    rig.after(5)
    assert rig.driver.restart is not None
    assert rig.facts.queue.length() == 1
    rig = rig.power_cut()
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["SoftReset"]


def test_hard_does_not_wait_for_the_delivery() -> None:
    """§5.14: StopTransaction(HardReset) goes out after the restart if need be."""
    rig = Rig()
    rig.session()
    rig.cs.answers["StopTransaction"] = "timeout"
    reset(rig, "Hard")
    rig.after(5)
    assert rig.driver.restart is not None
    rig = rig.power_cut(5)
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["HardReset"]
    assert rig.told() == ["Preparing"]


def test_hard_waits_for_a_stubborn_car() -> None:
    """§5.14: it need not, but a car that stops drawing late costs a few seconds only."""
    rig = Rig()
    rig.session()
    rig.hardware._car_delay = 100.0
    reset(rig, "Hard")
    rig.after(10)
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["HardReset"]
    assert rig.driver.restart is not None


@pytest.mark.parametrize("second", ["Soft", "Hard"])
def test_a_second_reset_is_rejected(second: str) -> None:
    """One is on its way."""
    rig = Rig(simulation={"car_delay": 3.0})
    rig.plug()
    rig.swipe()
    rig.after(10)
    reset(rig, "Soft")
    assert reset(rig, second) == REJECTED
    rig.after(20)
    assert reset(rig, second) == REJECTED


def test_after_the_restart_the_reason_is_told_once() -> None:
    """§7.36: a power cut later on is a power cut."""
    rig = Rig()
    reset(rig, "Soft")
    rig = rig.power_cut(5)
    rig.session()
    rig = rig.power_cut(5)
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["PowerLoss"]


def test_availability_survives() -> None:
    """Tests TC_013, TC_014: Unavailable before and after."""
    rig = Rig()
    rig.call("ChangeAvailability", connectorId=1, type="Inoperative")
    reset(rig, "Hard")
    rig = rig.power_cut(5)
    assert rig.told() == ["Unavailable"]


@pytest.mark.parametrize("kind", ["Soft", "Hard"])
@pytest.mark.parametrize("first", ["plug", "card"])
def test_nobody_starts_while_the_station_resets(kind: str, first: str) -> None:
    """§5.14: what is begun meanwhile would be cut off by the restart."""
    rig = Rig(MessageTimeout="20")
    rig.session(1, "ONE")
    rig.hardware._car_delay = 100.0  # it takes 6 s to end
    rig.cs.answers["StopTransaction"] = "timeout"
    if first == "card":
        rig.swipe("TWO", 2)
    reset(rig, kind)
    rig.plug(2)
    if first == "plug":
        rig.swipe("TWO", 2)
    rig.after(15)
    assert len(rig.sent("StartTransaction")) == 1
    assert rig.log("Authorize") == ["Authorize"] * (1 if first == "plug" else 2)


@pytest.mark.parametrize("kind", ["Hard", "Soft"])
def test_whatever_holds_it_up_the_restart_comes(kind: str) -> None:
    """§5.14: a transaction that cannot end, for a reason nobody thought of, does not keep the station."""
    rig = Rig()
    rig.session()
    reset(rig, kind)
    rig.driver.pump()
    for what in ("simulated/1/car", "pilot/1/after Withdrawing:6s"):
        rig.clock.cancel(what)
    rig.after(7)
    assert rig.driver.restart is None
    rig.after(4 if kind == "Hard" else 54)
    assert rig.driver.restart is not None
    rig = rig.power_cut(5)
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == [f"{kind}Reset"]


# -- the end of the program --------------------------------------------------------------------------------


def test_an_idle_program_ends_when_it_is_told_to() -> None:
    """No restart, no message."""
    rig = Rig()
    rig.forget()
    rig.wires("station.stopping")
    assert rig.driver.ended
    assert rig.driver.restart is None
    assert rig.log() == []


def test_a_program_told_to_end_ends_its_transactions() -> None:
    """§7.36: reason Reboot; the car stops first, the StopTransaction is delivered, then the program ends."""
    rig = Rig()
    rig.session()
    rig.hardware._car_delay = 100.0
    rig.wires("station.stopping")
    rig.after(5)
    assert not rig.driver.ended
    rig.after(5)
    assert rig.driver.ended
    assert rig.hardware.describe(1)["contactor"] == "open"
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["Reboot"]


def test_a_program_told_to_end_has_10_s() -> None:
    """A Central System that does not answer keeps nobody; the message stays queued."""
    rig = Rig(MessageTimeout="30")
    rig.session()
    rig.cs.answers["StopTransaction"] = "timeout"
    rig.wires("station.stopping")
    rig.after(9)
    assert not rig.driver.ended
    rig.after(1.1)
    assert rig.driver.ended
    rig = rig.power_cut(5)
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["Reboot"]


def test_a_transaction_that_the_end_of_the_program_cut_off() -> None:
    """§7.36: the next start knows that it was no power cut, and when it was."""
    rig = Rig(MeterValueSampleInterval="0")
    rig.session()
    rig.after(30)
    rig.driver.post(Event("station.stopping"))
    rig.driver.pump()
    at = rig.clock.now().wall
    rig = rig.power_cut(500)
    stop = rig.sent("StopTransaction")[0]
    assert stop["reason"] == "Reboot"
    assert to_seconds(stop["timestamp"]) == pytest.approx(at, abs=0.1)


@pytest.mark.parametrize("kind", ["Hard", "Soft"])
def test_told_to_end_during_a_reset(kind: str) -> None:
    """The program ends, and does not come back by itself; the reasons on record stay."""
    rig = Rig()
    rig.session()
    rig.hardware._car_delay = 100.0
    reset(rig, kind)
    rig.wires("station.stopping")
    rig.after(8)
    assert rig.driver.ended
    assert rig.driver.restart is None
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == [f"{kind}Reset"]


def test_told_to_end_when_the_restart_is_on_its_way() -> None:
    """The reason on record stays."""
    rig = Rig()
    reset(rig, "Hard")
    rig.wires("station.stopping")
    assert rig.storage.facts["station", "restart"] == "HardReset"


@pytest.mark.parametrize("state", ["Available", "Plugged", "Released"])
def test_whoever_is_authorized_while_a_reset_is_under_way_starts_nothing(state: str) -> None:
    """§5.14: the answer to Authorize comes when the restart is already waiting for another transaction."""
    rig = Rig(2, ConnectionTimeOut="20")
    rig.session(2, "OTHER")
    if state != "Available":
        rig.plug(1)
    rig.after(25 if state == "Released" else 1)
    assert rig.state("connector", 1) == state
    rig.cs.answers["StopTransaction"] = "timeout"
    rig.cs.delay = 3
    rig.swipe("TAG", 1)
    assert reset(rig, "Soft") == ACCEPTED
    rig.after(10)
    assert rig.driver.restart is None
    assert rig.state("authorization") == "Idle"
    assert [begun["idTag"] for begun in rig.sent("StartTransaction")] == ["OTHER"]


# -- a reset that does not work ----------------------------------------------------------------------------


def refuse(rig: Rig, times: int) -> list[float]:
    """A new program could not start so many times; gives when that was asked, virtual s."""
    asked: list[float] = []

    def obstacle() -> str | None:
        asked.append(rig.clock.now().monotonic)
        return "charts/lock.yaml:7: no state 'Loked'" if len(asked) <= times else None

    rig.driver._obstacle = obstacle
    return asked


@pytest.mark.parametrize("kind", ["Soft", "Hard"])
def test_a_restart_that_is_refused_is_tried_again(kind: str) -> None:
    """§9.1.30: ResetRetries is the number of retries of an unsuccessful reset."""
    rig = Rig(ResetRetries="2")
    asked = refuse(rig, 2)
    assert reset(rig, kind) == ACCEPTED
    rig.after(30)
    assert [round(later - asked[0]) for later in asked] == [0, 10, 20]
    assert rig.driver.restart is not None
    assert rig.driver.restart.hard is (kind == "Hard")
    assert rig.storage.facts["station", "restart"] == f"{kind}Reset"


@pytest.mark.parametrize("retries", [0, 1])
def test_a_reset_that_fails_is_told_and_the_station_goes_on(retries: int) -> None:
    """§7.6 ResetFailure: nobody is left with a station that does not come up."""
    rig = Rig(ResetRetries=str(retries))
    asked = refuse(rig, 9)
    rig.session()
    reset(rig, "Soft")
    rig.after(40)
    assert len(asked) == retries + 1
    notice = rig.notices(0)[-1]
    assert (notice["status"], notice["errorCode"]) == ("Available", "ResetFailure")
    assert notice["info"] == "charts/lock.yaml:7: no state 'Loked'"
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["SoftReset"]
    rig.unplug()
    rig.session(2, "TWO")
    assert rig.status(2) == "Charging"
    rig = rig.power_cut()
    assert rig.sent("StopTransaction")[-1]["reason"] == "PowerLoss"


def test_told_to_end_while_a_restart_is_refused() -> None:
    rig = Rig(ResetRetries="5")
    refuse(rig, 9)
    reset(rig, "Hard")
    rig.after(5)
    rig.wires("station.stopping")
    rig.after(1)
    assert rig.driver.ended
    assert rig.storage.facts["station", "restart"] == "Reboot"
