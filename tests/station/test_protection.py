"""What protects people and the board: what tests/stories/faults does not tell."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig

from charger import ports
from charger.functions.faults import Fault, Latched
from charger.functions.records import Records
from charger.statechart.event import Event


def faults(rig: Rig, connector: int = 1) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = rig.driver.station.status()["connectors"][connector - 1]["faults"]
    return told


# -- latched faults ----------------------------------------------------------------------------------------


def test_faults_with_another_vendor_code_are_others() -> None:
    latched = Latched(Records())
    latched.add(1, Fault("OtherError", "stop", "CX008"))
    latched.add(1, Fault("OtherError", "short", "CX014"))
    latched.clear(1, "OtherError", "CX014")
    assert list(latched.at(1)) == ["OtherError/CX008"]
    latched.clear(1, "OtherError")
    assert latched.at(1) == {}


def test_what_waits_for_service_is_cleared_by_nothing_else() -> None:
    latched = Latched(Records())
    latched.add(1, Fault("PowerSwitchFailure", "welded", "CX017", service=True))
    latched.add(1, Fault("PowerSwitchFailure", "did not close", "CX017"))
    latched.clear(1, None)
    assert latched.at(1)["PowerSwitchFailure/CX017"].info == "welded"
    latched.clear(1, "GroundFailure", service=True)
    assert latched.at(1)
    latched.clear(1, "PowerSwitchFailure", service=True)
    assert latched.at(1) == {}


def test_a_fault_of_version_0_1_is_understood() -> None:
    records = Records([ports.Change("fault", "1/ConnectorLockFailure", "jammed")])
    assert Latched(records).at(1) == {"ConnectorLockFailure": Fault("ConnectorLockFailure", "jammed")}


def test_trips_are_counted_for_a_day_and_forgiven_by_service() -> None:
    latched = Latched(Records())
    for at in (0.0, 80_000.0):
        latched.tripped(1, at)
    assert latched.trips(1, 86_000.0) == [0.0, 80_000.0]
    assert latched.trips(1, 90_000.0) == [80_000.0]
    latched.forgive(1)
    assert latched.trips(1, 90_000.0) == []


def test_service_at_one_connector_leaves_the_other_alone_and_without_one_clears_all() -> None:
    rig = Rig()
    for number in (1, 2):
        rig.wires("contactor.closed", number)
    assert [rig.status(number) for number in (1, 2)] == ["Faulted", "Faulted"]
    for number in (1, 2):
        rig.wires("contactor.opened", number)
    rig.wires("service.cleared", 1, error="GroundFailure")
    assert rig.status(1) == "Faulted"
    rig.wires("service.cleared", 1)
    assert [rig.status(number) for number in (1, 2)] == ["Available", "Faulted"]
    rig.wires("service.cleared")
    assert rig.status(2) == "Available"


def test_a_fault_that_is_still_so_is_raised_again() -> None:
    rig = Rig(1)
    rig.act("voltage", 1, volts=150)
    rig.after(3)
    assert rig.status() == "Faulted"
    rig.wires("service.cleared", 1)
    rig.after(3)
    assert [fault["error_code"] for fault in faults(rig)] == ["UnderVoltage"]


def test_an_emergency_stop_is_not_cleared_with_something_else() -> None:
    """Who has looked at the contactor has not looked at why somebody pressed the button."""
    rig = Rig(1)
    rig.session()
    rig.act("emergency", pressed=True)
    rig.after(1)
    rig.act("emergency", pressed=False)
    rig.after(1)
    rig.wires("service.cleared", 1, error="PowerSwitchFailure")
    rig.after(5)
    assert rig.status() == "Faulted"
    assert [fault["info"] for fault in faults(rig)] == ["emergency stop"]
    rig.wires("service.cleared", 1, error="OtherError")
    assert faults(rig) == []


def test_service_leaves_those_alone_who_charge() -> None:
    """A self-test of the residual-current monitor would open their contactors under load."""
    rig = Rig()
    rig.session()
    rig.wires("service.cleared")
    assert rig.state("power", 1) == "Closed"
    rig.after(5)
    assert (rig.state("power", 1), rig.state("residual_current", 1)) == ("Closed", "Sound")


def test_service_does_not_make_a_thermometer_answer() -> None:
    rig = Rig(1)
    rig.act("temperature", celsius=None)
    assert rig.state("temperature", 1) == "Unknown"
    rig.wires("service.cleared")
    rig.after(5)
    assert rig.state("temperature", 1) == "Unknown"
    rig.act("temperature", celsius=20)
    assert rig.state("temperature", 1) == "Cool"


@pytest.mark.parametrize(("volts", "error"), [(150, "UnderVoltage"), (290, "OverVoltage")])
def test_service_closes_nothing_while_the_voltage_is_wrong(volts: float, error: str) -> None:
    rig = Rig(1)
    rig.session()
    rig.act("voltage", 1, volts=volts)
    rig.after(3)
    closings = len([step for step in rig.steps if ports.CloseContactor(1) in step.commands])
    rig.wires("service.cleared", 1)
    rig.after(5)
    assert [fault["error_code"] for fault in faults(rig)] == [error]
    assert len([step for step in rig.steps if ports.CloseContactor(1) in step.commands]) == closings


def test_a_car_that_waits_for_its_next_try_is_not_given_up_by_service_for_something_else() -> None:
    rig = Rig(1)
    rig.session()
    rig.act("current", 1, percent=130)
    rig.after(5)
    assert rig.state("current", 1) == "Tripped"
    rig.act("current", 1, percent=None)
    rig.wires("service.cleared", 1, error="OverVoltage")
    rig.after(90)
    assert rig.status() == "Charging"


# -- the contactor -----------------------------------------------------------------------------------------


def test_a_contactor_that_did_not_close_and_a_car_that_left_while_the_power_was_off() -> None:
    """It clears with the plug, whoever has seen that."""
    stored = (
        ports.Change("fault", "1/PowerSwitchFailure/CX017", {"info": "did not close", "service": False}),
    )
    storage = Rig(1, start=False).storage
    storage.commit(stored)
    rig = Rig(1, storage=storage)
    assert rig.status() == "Available"


@pytest.mark.parametrize("plugged", [True, False])
def test_a_weld_outlives_a_restart_whatever_the_mirror_contact_says(plugged: bool) -> None:
    rig = Rig(1)
    rig.wires("contactor.closed", 1)
    if plugged:
        rig.plug()
    rig = rig.power_cut()
    assert rig.hardware.describe(1)["contactor"] == "open"
    assert rig.status() == "Faulted"
    assert faults(rig) == [
        {
            "error_code": "PowerSwitchFailure",
            "info": "welded",
            "vendor_error_code": "CX017",
            "service": True,
        }
    ]


@pytest.mark.parametrize("state", ["Closing", "Closed"])
def test_what_the_guard_opened_is_closed_again_after_a_moment(state: str) -> None:
    rig = Rig(1, simulation={"contactor_delay": 0.3})
    rig.plug()
    rig.hardware.simulate("swipe", None, {"id_tag": "TAG"})
    rig.until(lambda: rig.state("power", 1) == state)
    rig.wires("interlock.lost", 1, interlock="residual_current")
    assert rig.state("power", 1) == "Interrupted"
    rig.until(lambda: rig.status() == "Charging" and rig.state("power", 1) == "Closed")
    assert "Faulted" not in rig.told()


def test_a_guard_that_heard_nothing_of_the_program_ends_it() -> None:
    """The control loop was late: whatever else it may be, it is started anew."""
    rig = Rig(1)
    rig.session()
    rig.wires("interlock.lost", 1, interlock="silent")
    assert (rig.status(0), rig.status(1)) == ("Faulted", "Faulted")
    rig.after(70)
    assert rig.driver.restart == ports.Restart(hard=False)


@pytest.mark.parametrize("after", [0, 60])
def test_service_does_not_clear_a_board_that_cannot_be_relied_on(after: float) -> None:
    """A start finds out; and it is tried again when it was refused."""
    rig = Rig(1)
    rig.driver._obstacle = lambda: "connector.yaml:3: no event 'x'"
    rig.wires("hardware.failed", info="chip silent")
    rig.after(after)
    rig.wires("service.cleared")
    assert rig.status(0) == rig.status(1) == "Faulted"
    rig.wires("service.cleared", 1)
    assert rig.status(1) == "Faulted"
    rig.after(300)
    assert rig.driver.restart is None
    rig.driver._obstacle = lambda: None
    rig.after(180)
    assert rig.driver.restart == ports.Restart(hard=False)


def test_a_board_that_cannot_be_relied_on_does_not_wait_for_a_deaf_central_system_for_ever() -> None:
    rig = Rig(1)
    rig.session()
    rig.cs.answers["StopTransaction"] = "timeout"
    rig.wires("hardware.failed", info="chip silent")
    rig.after(65)
    assert rig.state("hardware") == "Ending"
    rig.after(10)
    assert rig.driver.restart == ports.Restart(hard=False)


def test_whoever_ends_the_program_meanwhile_ends_it() -> None:
    rig = Rig(1)
    rig.session()
    rig.cs.answers["StopTransaction"] = "timeout"
    rig.wires("hardware.failed")
    rig.after(65)
    rig.wires("station.stopping")
    assert rig.state("reset") == "Stopping"


# -- pilot and cable ---------------------------------------------------------------------------------------


def test_with_a_fixed_cable_the_pilot_shows_when_the_car_leaves_an_outlet_out_of_order() -> None:
    """In state F nobody can see it."""
    rig = Rig(1, fixed=True)
    rig.plug()
    rig.wires("fault.raised", 1, error="OverVoltage")
    assert rig.hardware.describe(1)["pilot_amps"] is None
    rig.after(6)
    assert rig.hardware.describe(1)["pilot_amps"] == 0
    rig.unplug()
    assert rig.hardware.describe(1)["pilot_amps"] is None
    rig.plug()
    rig.after(6)
    rig.wires("fault.cleared", 1)
    assert rig.status() == "Preparing"


def test_a_socket_stays_in_state_f() -> None:
    rig = Rig(1)
    rig.plug()
    rig.wires("fault.raised", 1, error="OverVoltage")
    rig.after(6)
    assert rig.hardware.describe(1)["pilot_amps"] is None


def test_a_cable_limits_the_offer_as_long_as_it_is_there() -> None:
    rig = Rig(1)
    rig.session()
    rig.act("cable", 1, amps=20)
    rig.after(6)
    assert rig.hardware.describe(1)["pilot_amps"] == 20
    rig.act("cable", 1, amps=13)
    rig.after(6)
    assert rig.hardware.describe(1)["pilot_amps"] == 13
    rig.swipe()
    rig.after(5)
    rig.unplug()
    assert rig.facts.connectors[1].limits == {}


def test_half_of_the_current_while_it_is_warm() -> None:
    rig = Rig(1)
    rig.session()
    rig.after(6)
    rig.act("temperature", None, celsius=66)
    assert rig.hardware.describe(1)["pilot_amps"] == 16
    rig.after(6)
    rig.act("temperature", None, celsius=59)
    assert rig.hardware.describe(1)["pilot_amps"] == 32


def test_hot_at_once() -> None:
    rig = Rig(1)
    rig.session()
    rig.act("temperature", None, celsius=90)
    assert rig.state("temperature", 1) == "Hot"
    assert rig.notices()[-1]["errorCode"] == "HighTemperature"


@pytest.mark.parametrize("first", ["pilot.recovered", "ev.unplugged"])
def test_state_a_and_a_pilot_that_is_well_again_may_come_in_either_order(first: str) -> None:
    rig = Rig(1)
    rig.plug()
    rig.wires("pilot.failed", 1, reason="diode")
    for event in sorted(("pilot.recovered", "ev.unplugged"), key=lambda name: name != first):
        assert rig.status() == "Faulted"
        rig.wires(event, 1)
    assert rig.status() == "Preparing"


# -- the monitor -------------------------------------------------------------------------------------------


def test_no_voltage_during_the_self_test() -> None:
    rig = Rig(1)
    rig.plug()
    rig.unplug()
    rig.hardware.simulate("plug", 1, {})
    rig.wires("residual_current.tripped", 1)
    rig.wires("residual_current.cleared", 1)
    assert rig.state("power", 1) == "Open"
    assert rig.status() == "Faulted"


def test_a_monitor_that_does_not_answer_its_test_has_failed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(1)
    monkeypatch.setattr(rig.hardware, "_test", lambda _outlet: None)
    rig.plug()
    rig.unplug()
    rig.after(6)
    assert faults(rig)[0]["info"] == "self-test failed"


def test_a_monitor_that_stays_tripped_is_tested_all_the_same() -> None:
    """Some come back by their self-test only; a car that comes meanwhile has to leave again."""
    rig = Rig(1)
    rig.act("residual_current", 1, tripped=True)
    assert rig.state("residual_current", 1) == "Unplugged"
    rig.plug()
    assert rig.state("residual_current", 1) == "Latched"
    rig.unplug()
    rig.after(11)
    assert faults(rig)[0]["info"] == "self-test failed"
    rig.act("residual_current", 1, tripped=False)
    rig.plug()
    rig.unplug()
    assert rig.status() == "Available"


def test_a_monitor_that_is_tripped_when_the_program_starts() -> None:
    rig = Rig(1, start=False)
    rig.driver.post(Event("residual_current.tripped", 1))
    rig.driver.start()
    rig.after(1)
    assert rig.status() == "Faulted"
