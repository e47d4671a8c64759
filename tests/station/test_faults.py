"""Faults: what they stop, what survives them, what clears them (OCPP 1.6 §4.9, §7.6; digest §7.5)."""

from __future__ import annotations

import pytest
from rig import Rig


def closed(rig: Rig, connector: int = 1) -> bool:
    return bool(rig.hardware.describe(connector)["contactor"] == "closed")


def error(rig: Rig, connector: int = 1) -> tuple[str, str]:
    notice = rig.notices(connector)[-1]
    return notice["status"], notice["errorCode"]


# -- faults that come and go -------------------------------------------------------------------------------


def test_a_fault_opens_the_contactor_in_the_same_step() -> None:
    """DESIGN §1: a contactor is closed only while every interlock holds."""
    rig = Rig()
    rig.session()
    rig.hardware.simulate("fault", 1, {"error_code": "GroundFailure"})
    assert closed(rig)
    rig.driver.pump()
    assert not closed(rig)
    step = next(step for step in rig.steps if step.event.name == "fault.raised")
    assert type(step.commands[0]).__name__ == "OpenContactor"


def test_another_fault_is_told_while_faulted() -> None:
    """§4.9: the errorCode of now; and once the first is well again, the one that is left."""
    rig = Rig()
    for code in ("GroundFailure", "HighTemperature"):
        rig.act("fault", 1, error_code=code)
    assert error(rig) == ("Faulted", "GroundFailure")
    rig.wires("fault.cleared", 1, error="GroundFailure")
    rig.after(1)
    assert error(rig) == ("Faulted", "HighTemperature")
    assert rig.told()[-2:] == ["Faulted", "Faulted"]


def test_a_transaction_survives_a_fault() -> None:
    """C9, I3: nothing says that it ends; it goes on when the fault is over."""
    rig = Rig()
    rig.session()
    rig.act("fault", 1, error_code="HighTemperature")
    assert error(rig) == ("Faulted", "HighTemperature")
    assert rig.hardware.describe(1)["pilot_amps"] is None
    assert rig.hardware.describe(1)["lock"] == "engaged"
    rig.act("clear_fault", 1)
    rig.after(10)
    assert rig.told()[-2:] == ["Faulted", "Charging"]
    assert rig.log("StopTransaction") == []


def test_a_transaction_may_end_during_a_fault() -> None:
    """§4.10: the card stops it; afterwards the plug is still in."""
    rig = Rig()
    rig.session()
    rig.act("fault", 1, error_code="HighTemperature")
    rig.swipe()
    rig.after(3)
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["Local"]
    assert rig.status() == "Faulted"
    assert rig.hardware.describe(1)["lock"] == "released"
    rig.act("clear_fault", 1)
    assert rig.told()[-2:] == ["Faulted", "Preparing"]


def test_a_fault_of_the_whole_station_stops_every_connector() -> None:
    """§4.9: a fault of connector 0 prevents charging everywhere; C9, I3."""
    rig = Rig()
    rig.session(1)
    rig.act("fault", 0, error_code="HighTemperature")
    assert not closed(rig)
    assert [error(rig, number) for number in range(3)] == [("Faulted", "HighTemperature")] * 3
    rig.act("clear_fault", 0)
    rig.after(10)
    assert [rig.told(number)[-1] for number in range(3)] == ["Available", "Charging", "Available"]
    assert closed(rig)


def test_a_fault_raised_for_everyone_is_one_of_the_whole_station() -> None:
    """The same, of an event without connector."""
    rig = Rig()
    rig.session(1)
    rig.wires("fault.raised", error="InternalError", info="self test")
    assert not closed(rig)
    rig.after(1)
    assert [error(rig, number) for number in range(3)] == [("Faulted", "InternalError")] * 3
    rig.wires("fault.cleared", error="InternalError")
    rig.after(10)
    assert [rig.told(number)[-1] for number in range(3)] == ["Available", "Charging", "Available"]


def test_a_fault_that_was_not_there_clears_nothing() -> None:
    """One fault is cleared by its own name."""
    rig = Rig()
    rig.wires("fault.raised", 1, error="GroundFailure")
    rig.wires("fault.cleared", 1, error="OverVoltage")
    assert rig.status() == "Faulted"
    rig.wires("fault.raised", 1, error="OverVoltage")
    rig.wires("fault.cleared", 1, error="GroundFailure")
    assert rig.status() == "Faulted"
    rig.wires("fault.cleared", 1)
    assert rig.status() == "Available"


@pytest.mark.parametrize(
    ("before", "after"),
    [("Available", "Available"), ("Preparing", "Preparing"), ("Finishing", "Preparing")],
)
def test_afterwards_the_present_situation_counts(before: str, after: str) -> None:
    """I1, I2: a session that was being prepared has to be authorized again."""
    rig = Rig()
    if before != "Available":
        rig.plug()
    if before == "Finishing":
        rig.after(70)
    assert rig.status() == before
    rig.act("fault", 1, error_code="GroundFailure")
    rig.act("clear_fault", 1)
    assert rig.status() == after


def test_a_tag_that_waited_for_its_plug_is_forgotten() -> None:
    """B9: nobody starts by plugging in after the fault."""
    rig = Rig(1)
    rig.swipe()
    rig.act("fault", 1, error_code="GroundFailure")
    rig.act("clear_fault", 1)
    rig.plug()
    rig.after(10)
    assert rig.status() == "Preparing"
    assert rig.log("StartTransaction") == []


def test_unplugged_during_a_fault() -> None:
    """§4.10: the transaction ends; Available when the fault is over."""
    rig = Rig()
    rig.session()
    rig.act("fault", 1, error_code="GroundFailure")
    rig.unplug()
    rig.after(3)
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["EVDisconnected"]
    rig.act("clear_fault", 1)
    assert rig.told()[-2:] == ["Faulted", "Available"]


def test_during_the_last_seconds_of_a_transaction() -> None:
    """A fault while it is ending: the books are closed all the same."""
    rig = Rig(simulation={"car_delay": 2.0})
    rig.plug()
    rig.swipe()
    rig.after(10)
    rig.swipe()
    assert rig.state("connector", 1) == "Ending"
    rig.act("fault", 1, error_code="GroundFailure")
    rig.after(3)
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["Local"]


# -- the contactor -----------------------------------------------------------------------------------------


def weld(rig: Rig) -> None:
    """The contactor stays closed: its mirror contact says nothing after the command to open."""
    rig.clock.cancel("simulated/1/contactor")
    rig.hardware._outlets[1].closed = True


def test_a_contactor_that_does_not_close() -> None:
    """Digest §7.5: no mirror contact within 500 ms: PowerSwitchFailure, latched."""
    rig = Rig(simulation={"contactor_delay": 2.0})
    rig.plug()
    rig.swipe()
    rig.after(3)
    assert rig.state("power", 1) == "Dry"
    assert error(rig) == ("Faulted", "PowerSwitchFailure")
    assert "Charging" not in rig.told()


def test_a_contactor_that_closes_too_late_is_open_all_the_same() -> None:
    """Digest §7.5: what was given up is not left closed."""
    rig = Rig(simulation={"contactor_delay": 0.6})
    rig.plug()
    rig.swipe()
    rig.after(10)
    assert not closed(rig)


def test_a_contactor_that_falls_off() -> None:
    """Digest §7.5: opened without a command."""
    rig = Rig()
    rig.session()
    rig.wires("contactor.opened", 1)
    assert rig.state("power", 1) == "Dry"
    rig.after(1)
    assert error(rig) == ("Faulted", "PowerSwitchFailure")


def test_a_contactor_that_does_not_open() -> None:
    """Digest §7.5: welded; no further charging, state F, the plug stays locked in."""
    rig = Rig()
    rig.session()
    rig.hardware.simulate("swipe", None, {"id_tag": "TAG"})
    rig.until(lambda: rig.state("power", 1) == "Opening", step=0.01)
    weld(rig)
    rig.after(3)
    assert rig.state("power", 1) == "Welded"
    assert error(rig) == ("Faulted", "PowerSwitchFailure")
    assert rig.hardware.describe(1)["pilot_amps"] is None
    assert rig.hardware.describe(1)["lock"] == "engaged"
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["Local"]


@pytest.mark.parametrize("state", ["Open", "Dry"])
def test_a_contactor_that_closes_without_a_command(state: str) -> None:
    """Digest §7.5: voltage where none should be."""
    rig = Rig()
    if state == "Dry":
        rig.session()
        rig.wires("contactor.opened", 1)
    assert rig.state("power", 1) == state
    rig.wires("contactor.closed", 1)
    rig.after(1)
    assert rig.state("power", 1) == "Welded"
    assert error(rig) == ("Faulted", "PowerSwitchFailure")


def test_a_mirror_contact_that_never_said_anything_counts_as_open() -> None:
    """At the start: after half a second without contradiction."""
    rig = Rig(start=False, simulation={"contactor_delay": 0.9})
    rig.driver.start()
    rig.after(0.4)
    assert rig.state("power", 1) == "Opening"
    rig.after(0.2)
    assert rig.state("power", 1) == "Open"


def test_a_weld_is_remembered_over_a_power_cut() -> None:
    """Digest §7.5: latched until service."""
    rig = Rig()
    rig.wires("contactor.closed", 1)
    rig.after(1)
    rig = rig.power_cut()
    assert error(rig) == ("Faulted", "PowerSwitchFailure")
    rig.act("clear_fault", 1)
    rig.session()


@pytest.mark.parametrize("state", ["Dry", "Welded"])
def test_service_clears_a_contactor_fault_and_looks_again(state: str) -> None:
    """Digest §7.5: opened and checked anew; charging is possible again."""
    rig = Rig()
    rig.session()
    if state == "Dry":
        rig.wires("contactor.opened", 1)
    else:
        rig.swipe()
        rig.after(3)
        rig.unplug()
        rig.wires("contactor.closed", 1)
    assert rig.state("power", 1) == state
    rig.act("clear_fault", 1)
    if state == "Dry":
        rig.until(lambda: rig.status() == "Charging")
    else:
        rig.session()


def test_a_contactor_that_is_still_welded_after_service() -> None:
    """Digest §7.5: found at once, and latched again."""
    rig = Rig()
    rig.wires("contactor.closed", 1)
    rig.hardware.simulate("clear_fault", 1, {})
    rig.after(0.05)
    assert rig.state("power", 1) == "Opening"
    rig.clock.cancel("simulated/1/contactor")
    rig.after(1)
    assert rig.state("power", 1) == "Welded"
    assert error(rig) == ("Faulted", "PowerSwitchFailure")


@pytest.mark.parametrize("state", ["Dry", "Welded"])
@pytest.mark.parametrize("other", ["emergency", "station", "fault"])
def test_a_contactor_is_looked_at_again_whatever_is_cleared_last(state: str, other: str) -> None:
    """Digest §7.5: it must not be forgotten as Dry or Welded under a connector that is well."""
    rig = Rig()
    rig.session()
    if state == "Welded":
        rig.swipe()
        rig.after(3)
        rig.unplug()
    rig.wires("contactor.opened" if state == "Dry" else "contactor.closed", 1)
    assert rig.state("power", 1) == state
    raised, cleared, connector = {
        "emergency": ("emergency.pressed", "emergency.released", None),
        "station": ("fault.raised", "fault.cleared", 0),
        "fault": ("fault.raised", "fault.cleared", 1),
    }[other]
    fields = {} if other == "emergency" else {"error": "OverVoltage"}
    rig.wires(raised, connector, **fields)
    rig.wires("service.cleared", 1, error="PowerSwitchFailure")
    rig.wires(cleared, connector, **fields)
    rig.wires("service.cleared", 1)
    rig.after(2)
    if rig.facts.transactions.on(1):
        rig.until(lambda: rig.status() == "Charging")
    else:
        if rig.facts.connectors[1].cable:
            rig.unplug()
        rig.session()


def test_a_fault_of_one_connector_leaves_the_other_alone() -> None:
    """§3.8."""
    rig = Rig()
    rig.session(1, "ONE")
    rig.session(2, "TWO")
    rig.wires("contactor.opened", 1)
    rig.after(5)
    assert (rig.status(1), rig.status(2)) == ("Faulted", "Charging")
    assert closed(rig, 2)
