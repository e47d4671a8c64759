"""Every row of docs/faults.md on a board: the wire that goes wrong, the coil, what is told, and how it is well again.

The stories F_01… play the same rows on simulated hardware. Here everything below the charts is what a charger runs:
guard, contacts, pilots, meter, readers (fault_kit.py). All rows can be shown on a board, so none is left out.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from benches import Dead
from fault_kit import PATIENCE, SENSOR, FaultRig, Keys

from charger.hardware import pilot_kernel
from charger.statechart.event import Event

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
ROWS = {
    line.split("|")[1].strip(): line.split("|")[3] for line in PAGE.read_text().splitlines() if "F_" in line
}
"""What goes wrong → errorCode and vendorErrorCode."""
SHOWN: dict[str, list] = {}
"""What goes wrong → its tests."""
AT_ONCE = 0.3
"""s for charts to hear of a contact that is debounced, or a register that is polled, and to open."""


def row(what):
    """Of the page: this test shows it."""

    def shows(test):
        SHOWN.setdefault(what, []).append(test)
        return test

    return shows


@pytest.fixture
def wired(monkeypatch):
    """Makes stations."""
    monkeypatch.setattr(
        pilot_kernel, "GROUPS", 3
    )  # each reading has a phase of its own here: fewer say as much
    rigs = []

    def make(**given):
        rigs.append(FaultRig(**given))
        return rigs[-1]

    def anew(rig, **given):
        rigs.remove(rig)
        rigs.append(rig.anew(**given))
        return rigs[-1]

    make.anew = anew
    yield make
    for rig in rigs:
        rig.world.end()


def charging(rig):
    rig.session()
    rig.after(6)  # a car may take 5 s to follow an offer, and is not judged meanwhile
    assert rig.world.coil()
    return rig


# -- the page ----------------------------------------------------------------------------------------------------


def test_every_row_of_the_page_is_shown():
    assert set(SHOWN) == set(ROWS)


@pytest.mark.parametrize("what", ROWS)
def test_the_tests_of_a_row_expect_its_codes(what):
    texts = "".join(
        f"{inspect.getsource(test)} {inspect.getclosurevars(test).globals}" for test in SHOWN[what]
    )
    words = re.findall(r"CX\d{3}|[A-Z][a-zA-Z]+(?:Failure|Error|Temperature|Voltage)", ROWS[what])
    assert [word for word in words if word not in texts] == []


# -- residual current --------------------------------------------------------------------------------------------

TRIPPED = ("Faulted", "GroundFailure", "CX002", "residual current")


@row("Residual-current monitor trips")
def test_residual_current_opens_in_the_edge_and_clears_by_unplugging_and_a_self_test(wired):
    rig = charging(wired())
    rig.world.leak()
    assert not rig.world.coil(), "in the thread of the edge"
    assert rig.status() == "Charging", "before the charts hear of it"
    rig.after(1)
    assert rig.last() == TRIPPED
    rig.world.leak(on=False)
    rig.after(15)
    assert rig.last() == TRIPPED
    assert self_tests(rig) == 1, "that of the start"
    rig.works()
    assert self_tests(rig) == 3, "before the session, and after"
    assert rig.sent("StopTransaction")[0]["reason"] == "EVDisconnected"


@row("Residual-current monitor trips")
def test_residual_current_for_the_third_time_waits_for_service(wired):
    rig = wired()
    for _ in range(3):
        charging(rig)
        rig.world.leak()
        assert not rig.world.coil()
        rig.after(1)
        rig.world.leak(on=False)
        rig.unplug()
        rig.after(5)
    condemned = ("Faulted", "GroundFailure", "CX002", "residual current again and again")
    assert rig.last() == condemned
    rig = wired.anew(rig)
    assert rig.last() == condemned, "over a restart"
    rig.wires("service.cleared", 1)
    rig.works()


@row("Residual-current monitor trips")
def test_residual_current_that_stays_after_unplugging(wired):
    rig = charging(wired())
    rig.world.leak()
    rig.after(1)
    rig.unplug()
    rig.after(30)
    assert rig.last() == ("Faulted", "GroundFailure", "CX002", "self-test failed")
    rig.world.leak(on=False)
    rig.after(301)
    rig.works()


def self_tests(rig):
    plan = rig.world.board.outlets[0].residual_current
    return sum(state.state for state in rig.world.pin(plan.test).states)


@row("It does not pass its self-test, made at every start and after every unplugging")
@pytest.mark.parametrize("when", ["at the start", "after unplugging"])
def test_a_monitor_that_does_not_trip_by_its_test(wired, when):
    rig = wired(prepare=lambda world: world.mute.update({1} if when == "at the start" else ()))
    if when == "after unplugging":
        rig.world.mute.add(1)
        rig.plug()
        rig.unplug()
        rig.after(5)
    failed = ("Faulted", "GroundFailure", "CX002", "self-test failed")
    assert rig.last() == failed
    rig.plug()
    rig.swipe()
    rig.after(10)
    assert not ever_closed(rig)
    rig.world.mute.clear()
    rig.unplug()
    rig.works()


@row("It does not pass its self-test, made at every start and after every unplugging")
def test_a_monitor_that_fails_its_test_is_tested_again_5_min_later(wired):
    rig = wired(prepare=lambda world: world.mute.add(1))
    rig.world.mute.clear()
    rig.after(280)
    assert rig.last() == ("Faulted", "GroundFailure", "CX002", "self-test failed")
    rig.after(20)
    assert rig.last()[:2] == ("Available", "NoError")
    rig.works()


def ever_closed(rig):
    """How often."""
    return sum(state.state for state in rig.world.pin(rig.world.board.outlets[0].contactor).states)


# -- the contactor -----------------------------------------------------------------------------------------------


@row("Contactor welded: mirror contact closed 500 ms after opening")
def test_a_welded_contactor_waits_for_service(wired):
    rig = charging(wired())
    rig.world.stuck[1] = True
    rig.swipe()
    rig.until(lambda: not rig.world.coil())
    rig.after(1)
    welded = ("Faulted", "PowerSwitchFailure", "CX017", "welded")
    assert rig.last() == welded
    rig.after(15)
    assert rig.hardware.describe(1)["lock"] == "engaged", "there may be voltage"
    rig.wires("service.cleared", 1)
    rig.after(2)
    assert rig.last() == welded, "it is still"
    rig.world.stuck.clear()
    rig.world.contactor(1, closed=False)
    rig.after(15)
    assert rig.last() == welded
    rig = wired.anew(rig)
    assert rig.last() == welded, "over a restart, with a contact that has come loose"
    rig.unplug()
    rig.after(5)
    assert rig.last() == welded
    rig.wires("service.cleared", 1)
    rig.works()


@row("Contactor welded: mirror contact closed 500 ms after opening")
def test_a_contactor_that_is_welded_when_the_program_starts(wired):
    rig = wired(prepare=lambda world: world.contactor(1, closed=True))
    rig.after(1)
    assert rig.last() == ("Faulted", "PowerSwitchFailure", "CX017", "welded")
    rig.plug()
    rig.swipe()
    rig.after(10)
    assert not ever_closed(rig)
    assert not rig.sent("StartTransaction")


DRY = ("Faulted", "PowerSwitchFailure", "CX017", "did not close")


@row("Contactor does not close within 500 ms, or falls off")
def test_a_contactor_that_does_not_close(wired):
    rig = wired()
    rig.world.stuck[1] = False
    rig.plug()
    rig.hardware.simulate("swipe", None, {"id_tag": "TAG"})
    rig.until(rig.world.coil, step=0.02)
    rig.after(0.45)
    assert rig.world.coil()
    rig.opens(0.1)
    rig.after(1)
    assert rig.last() == DRY
    rig.world.stuck.clear()
    rig.after(15)
    assert rig.last() == DRY
    rig.works()


@row("Contactor does not close within 500 ms, or falls off")
def test_a_contactor_that_falls_off(wired):
    rig = charging(wired())
    rig.world.contactor(1, closed=False)
    rig.opens(AT_ONCE)
    rig.after(1)
    assert rig.last() == DRY
    rig.works()


@row("The guard has opened by itself")
@pytest.mark.parametrize("what", ["emergency stop", "residual current"])
def test_a_contact_that_was_lost_for_a_moment_opens_and_counts(wired, what):
    """Shorter than the debouncing, but the guard has opened for it: nothing closes again."""
    rig = charging(wired())
    board = rig.world.board
    contact = board.emergency_stop if what == "emergency stop" else board.outlets[0].residual_current.contact
    rig.world.touch(contact, active=True)
    rig.world.touch(contact, active=False)
    assert not rig.world.coil()
    rig.after(10)
    assert not rig.world.coil()
    assert rig.status() == "Faulted"
    assert rig.last()[3] == what


# -- emergency stop and door -------------------------------------------------------------------------------------

STOPPED = ("Faulted", "OtherError", "CX008", "emergency stop")


@row("Emergency stop")
def test_the_emergency_stop_opens_in_the_edge_and_waits_for_unplugging(wired):
    rig = charging(wired())
    rig.world.touch(rig.world.board.emergency_stop, active=True)
    assert not rig.world.coil(), "in the thread of the edge"
    assert rig.status() == "Charging", "before the charts hear of it"
    rig.after(1)
    assert (rig.last(0), rig.last(1)) == (STOPPED, STOPPED)
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["EmergencyStop"]
    rig.world.touch(rig.world.board.emergency_stop, active=False)
    rig.after(1)
    assert rig.last(0)[:2] == ("Available", "NoError")
    rig.after(15)
    assert rig.last() == STOPPED
    assert not rig.world.coil()
    rig.works()


@row("Emergency stop")
def test_the_emergency_stop_is_cleared_by_service_but_not_while_it_is_pressed(wired):
    rig = charging(wired())
    rig.world.touch(rig.world.board.emergency_stop, active=True)
    rig.after(1)
    rig.wires("service.cleared")
    rig.after(1)
    assert rig.last() == STOPPED
    rig = wired.anew(rig, prepare=lambda world: world.touch(world.board.emergency_stop, active=True))
    assert (rig.last(0), rig.last(1)) == (STOPPED, STOPPED), "pressed when the program starts"
    rig.world.touch(rig.world.board.emergency_stop, active=False)
    rig.after(1)
    assert rig.last() == STOPPED
    rig.wires("service.cleared", 1)
    rig.after(1)
    assert rig.last()[:2] == ("Preparing", "NoError")
    rig.works()


DOOR = ("OtherError", None, "door open")


@row("Door open")
def test_an_open_door_opens_and_closed_it_goes_on(wired):
    rig = charging(wired())
    rig.world.touch(rig.world.board.door, active=True)
    rig.opens(AT_ONCE)
    rig.after(1)
    assert (rig.last(0), rig.last(1)) == (("Faulted", *DOOR), ("Faulted", *DOOR))
    rig.world.touch(rig.world.board.door, active=False)
    rig.after(20)
    assert (rig.last(0)[:2], rig.last(1)[:2]) == (("Available", "NoError"), ("Charging", "NoError"))
    assert rig.world.coil()
    rig.works()


@row("Door open")
def test_an_open_door_that_only_warns(wired):
    rig = charging(wired(StopOnOpenDoor="false"))
    rig.world.touch(rig.world.board.door, active=True)
    rig.after(10)
    assert rig.last(0) == ("Available", *DOOR)
    assert rig.last(1)[:2] == ("Charging", "NoError")
    assert rig.world.coil()
    rig.world.touch(rig.world.board.door, active=False)
    rig.after(1)
    assert rig.last(0)[:2] == ("Available", "NoError")
    rig.works()


# -- control pilot and proximity contact -------------------------------------------------------------------------

WIRINGS = pytest.mark.parametrize(
    ("pilot", "fixed"),
    [("modbus", False), ("modbus", True), ("kernel", False), ("kernel", True)],
    ids=["EVSE board, socket", "EVSE board, fixed cable", "own PWM, socket", "own PWM, fixed cable"],
)


@row("Control pilot: no diode, short circuit")
@WIRINGS
@pytest.mark.parametrize("wrong", ["diode", "short"])
def test_a_pilot_that_is_wrong_opens_until_it_is_back_in_state_a(wired, pilot, fixed, wrong):
    rig = charging(wired(pilot=pilot, fixed=fixed))
    rig.world.car.wrong = wrong
    rig.opens(AT_ONCE)
    rig.after(1)
    assert rig.last() == ("Faulted", "OtherError", "CX014", wrong)
    rig.world.car.wrong = ""
    rig.after(15)
    assert rig.last() == ("Faulted", "OtherError", "CX014", wrong)
    assert not rig.world.coil()
    leave(rig)
    rig.works()


def leave(rig):
    """In state F of a socket nobody sees the car leave, so the lock lets go when a card ends the transaction."""
    if rig.hardware.describe(1)["pilot"] == "F" and rig.hardware.describe(1)["lock"]:
        rig.swipe()
    rig.unplug()
    rig.after(10)


@row("The board that sees the pilot is silent")
@WIRINGS
def test_a_silent_pilot_opens_until_it_answers(wired, pilot, fixed):
    rig = charging(wired(pilot=pilot, fixed=fixed))
    rig.world.wire.silent = True
    rig.opens(1.2)
    rig.after(1)
    assert rig.last() == ("Faulted", "OtherError", "CX014", "pilot silent")
    rig.after(15)
    rig.world.wire.silent = False
    rig.after(20)
    assert rig.last()[:2] == ("Charging", "NoError")
    assert rig.world.coil()
    rig.works()


@row("The board that sees the pilot is silent")
@WIRINGS
def test_a_car_that_leaves_while_the_pilot_is_silent(wired, pilot, fixed):
    rig = charging(wired(pilot=pilot, fixed=fixed))
    rig.world.wire.silent = True
    rig.after(10)
    rig.world.car.connected = False
    rig.after(10)
    assert rig.last() == ("Faulted", "OtherError", "CX014", "pilot silent")
    rig.world.wire.silent = False
    rig.after(20)
    rig.unplug()
    rig.after(10)
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["EVDisconnected"]
    rig.works()


@row("State D: the car wants ventilation")
@WIRINGS
def test_a_car_that_wants_ventilation_gets_nothing_until_it_wants_none(wired, pilot, fixed):
    """In state F it asks for nothing; so after a while it is asked again."""
    rig = charging(wired(pilot=pilot, fixed=fixed))
    closed, wanted = ever_closed(rig), ("Faulted", "OtherError", "CX010", "ventilation needed")
    rig.world.car.wrong = "ventilation"
    rig.opens(AT_ONCE)
    rig.after(1)
    assert rig.last() == wanted
    commits = rig.storage.commits
    rig.after(120)
    assert rig.last() == wanted
    assert rig.history().count(wanted) == 1, "told once, whatever is tried"
    assert rig.storage.commits - commits < 20, "and the disk has its peace"
    assert ever_closed(rig) == closed
    rig.world.car.wrong = ""
    rig.after(60)
    assert rig.last()[:2] == ("Charging", "NoError")
    assert rig.world.coil()
    rig.works()


@row("State D: the car wants ventilation")
@WIRINGS
def test_a_car_that_wanted_ventilation_and_leaves(wired, pilot, fixed):
    rig = charging(wired(pilot=pilot, fixed=fixed))
    rig.world.car.wrong = "ventilation"
    rig.after(5)
    rig.world.car.wrong = ""
    leave(rig)
    rig.works()


@row("Proximity contact is no cable's")
@pytest.mark.parametrize("pilot", ["modbus", "kernel"])
def test_a_plug_that_is_no_cable(wired, pilot):
    rig = wired(pilot=pilot)
    rig.world.car.rating = None
    rig.plug()
    rig.swipe()
    rig.after(10)
    assert rig.last() == ("Faulted", "OtherError", "CX023", "cable not recognised")
    assert not rig.sent("StartTransaction")
    assert not ever_closed(rig)
    rig.world.car.rating = 32
    rig.after(10)
    assert rig.last() == ("Faulted", "OtherError", "CX023", "cable not recognised"), "a contact that is loose"
    rig.unplug()
    rig.works()


@row("Cable for less than the charger gives")
@pytest.mark.parametrize("pilot", ["modbus", "kernel"])
def test_a_cable_for_less_is_offered_that_and_another_one_what_there_is(wired, pilot):
    rig = wired(pilot=pilot)
    rig.world.car.rating = 20
    charging(rig)
    assert rig.world.wire.offered == pytest.approx(20, abs=0.001)
    assert {notice["errorCode"] for notice in rig.notices()} == {"NoError"}
    rig.swipe()
    rig.after(10)
    rig.unplug()
    rig.world.car.rating = 32
    charging(rig)
    assert rig.world.wire.offered == pytest.approx(32, abs=0.001)
    rig.works()


@row("Lock does not close")
def test_a_lock_that_jams_is_tried_three_times(wired):
    rig = wired()
    rig.world.jammed.add(1)
    rig.plug()
    rig.swipe()
    rig.after(20)
    pulses = rig.world.pin(rig.world.board.outlets[0].lock.engage).states
    assert sum(state.state for state in pulses) == 3
    assert rig.last()[:3] == ("Faulted", "ConnectorLockFailure", "CX001")
    assert not rig.sent("StartTransaction")
    assert not ever_closed(rig)
    rig.world.jammed.clear()
    rig.after(15)
    assert rig.status() == "Faulted"
    rig.world.car.connected = rig.world.car.plug = False  # nothing holds it
    rig.after(5)
    rig.works()


@row("Lock does not close")
def test_a_bolt_that_moves_out_by_itself_opens(wired):
    rig = charging(wired())
    rig.world.touch(rig.world.board.outlets[0].lock.feedback, active=False)
    rig.opens(AT_ONCE)
    rig.after(15)
    assert rig.last()[:3] == ("Faulted", "ConnectorLockFailure", "CX001")
    rig.works()


# -- what the meter says -----------------------------------------------------------------------------------------

TOO_MUCH = ("Faulted", "OverCurrentFailure", "CX004")


@row("Car draws more than OverCurrentPercent of the offer for 7 s, or OverCurrentHighPercent for 1 s")
@pytest.mark.parametrize(("percent", "least", "most"), [(115, 6.5, 9.0), (125, 0.9, 3.0)])
def test_a_car_that_draws_too_much(wired, percent, least, most):
    """A reading a second: so much later it may be seen."""
    rig = charging(wired())
    rig.world.meter.percent = percent
    rig.after(least)
    assert rig.world.coil()
    rig.opens(most - least)
    rig.after(1)
    assert rig.last()[:3] == TOO_MUCH
    rig.world.meter.percent = 100
    rig.after(50)
    assert rig.last()[:3] == TOO_MUCH
    rig.after(30)
    assert rig.last()[:2] == ("Charging", "NoError")
    assert rig.world.coil()
    rig.works()


@row("Car draws more than OverCurrentPercent of the offer for 7 s, or OverCurrentHighPercent for 1 s")
def test_a_car_that_draws_too_much_again_and_again(wired):
    rig = charging(wired())
    rig.world.meter.percent = 130
    rig.after(300)
    assert rig.told().count("Faulted") == 4, "it may try again three times"
    assert rig.last()[:3] == TOO_MUCH
    rig.world.meter.percent = 100
    rig.after(120)
    assert rig.last()[:3] == TOO_MUCH
    rig.works()


@row("Voltage below UnderVoltagePercent, or above OverVoltagePercent, of 230 V for 2 s")
@pytest.mark.parametrize(
    ("volts", "error", "vendor"), [(190, "UnderVoltage", "CX006"), (270, "OverVoltage", "CX005")]
)
def test_a_voltage_beyond_its_limits(wired, volts, error, vendor):
    rig = charging(wired())
    rig.world.meter.volts = volts
    rig.after(1.9)
    assert rig.world.coil()
    rig.opens(2)
    rig.after(1)
    assert rig.last()[:3] == ("Faulted", error, vendor)
    rig.world.meter.volts = 230.0
    rig.after(55)
    assert rig.last()[:3] == ("Faulted", error, vendor)
    rig.after(20)
    assert rig.last()[:2] == ("Charging", "NoError")
    assert rig.world.coil()
    rig.works()


@row("Meter silent for 10 s")
def test_a_silent_meter_opens_until_its_next_reading(wired):
    rig = charging(wired())
    rig.world.meter.silent = True
    rig.after(8.9)
    assert rig.world.coil()
    rig.opens(2)
    rig.after(1)
    assert rig.last()[:2] == ("Faulted", "PowerMeterFailure")
    rig.after(15)
    rig.world.meter.silent = False
    rig.after(20)
    assert rig.last()[:2] == ("Charging", "NoError")
    assert rig.world.coil()
    rig.works()


@row("Meter silent for 10 s")
def test_a_silent_meter_where_nothing_is_billed(wired):
    rig = charging(wired(ChargeWithoutMeter="true"))
    rig.world.meter.silent = True
    rig.after(15)
    assert rig.last()[:2] == ("Charging", "PowerMeterFailure")
    assert rig.world.coil()
    rig.world.meter.silent = False
    rig.after(5)
    assert rig.last()[:2] == ("Charging", "NoError")
    rig.works()


# -- thermometer and reader --------------------------------------------------------------------------------------


@pytest.fixture
def devices(tmp_path):
    """A folder with a one-wire sensor at 25 °C and a keyboard."""
    (tmp_path / SENSOR).mkdir()
    heat(tmp_path, 25)
    return tmp_path


def heat(folder, celsius):
    """To °C, at once for whoever reads meanwhile."""
    fresh = folder / "fresh"
    fresh.write_text(f"{celsius * 1000}\n")
    fresh.rename(folder / SENSOR / "temperature")


@pytest.fixture
def keys(devices):
    return Keys(devices)


@pytest.fixture
def housed(wired, devices, keys):
    """A station that charges, with a thermometer and a reader."""
    rig = wired(folder=devices)
    rig.hear()
    assert rig.facts.temperature == 25
    return charging(rig)


WARM = ("Charging", "HighTemperature", "CX003", "half the current")


@row("Housing at TemperatureDerate")
def test_a_warm_housing_halves_the_offer(housed, devices):
    heat(devices, 65)
    housed.hear()
    housed.after(6)
    assert housed.last() == WARM
    assert (housed.world.coil(), housed.world.wire.offered) == (True, 16)
    heat(devices, 61)
    housed.hear()
    assert housed.last() == WARM
    heat(devices, 60)
    housed.hear()
    housed.after(6)
    assert housed.last()[:2] == ("Charging", "NoError")
    assert (housed.world.coil(), housed.world.wire.offered) == (True, 32)
    housed.works()


@row("Housing at TemperatureStop")
def test_a_hot_housing_opens(housed, devices):
    heat(devices, 80)
    housed.world.mail.get(timeout=PATIENCE)()
    housed.opens(AT_ONCE)
    housed.after(1)
    assert housed.last()[:3] == ("Faulted", "HighTemperature", "CX003")
    heat(devices, 71)
    housed.hear()
    housed.after(20)
    assert housed.last()[:3] == ("Faulted", "HighTemperature", "CX003")
    heat(devices, 70)
    housed.hear()
    housed.after(20)
    assert housed.last() == WARM
    assert (housed.world.coil(), housed.world.wire.offered) == (True, 16)
    heat(devices, 30)
    housed.hear()
    housed.works()


@row("Thermometer does not answer")
def test_a_dead_thermometer_counts_as_warm(housed, devices):
    (devices / SENSOR / "temperature").unlink()
    housed.hear()
    housed.after(6)
    assert housed.last() == ("Charging", "OtherError", None, "no temperature")
    assert (housed.world.coil(), housed.world.wire.offered) == (True, 16)
    heat(devices, 25)
    housed.hear()
    housed.after(6)
    assert housed.last()[:2] == ("Charging", "NoError")
    assert housed.world.wire.offered == 32
    housed.works()


@row("Card reader silent")
def test_a_reader_that_is_pulled_out(housed, keys):
    keys.pull()
    housed.hear()
    assert housed.last(0)[:2] == ("Available", "ReaderFailure")
    assert housed.last(1)[:2] == ("Charging", "NoError")
    assert housed.world.coil()
    keys.insert()
    housed.hear()
    assert housed.last(0)[:2] == ("Available", "NoError")
    housed.works()
    housed.plug()
    keys.type("0009012345")
    housed.hear()
    housed.after(5)
    assert housed.status() == "Charging"
    assert housed.sent("StartTransaction")[-1]["idTag"] == "0009012345"


@row("Card reader silent")
def test_a_reader_of_one_connector_that_is_pulled_out(wired, devices, keys):
    rig = wired(folder=devices, reader=1)
    rig.hear()
    keys.pull()
    rig.hear()
    assert rig.last(1)[:2] == ("Available", "ReaderFailure")
    assert rig.last(0)[:2] == ("Available", "NoError")
    keys.insert()
    rig.hear()
    assert rig.last(1)[:2] == ("Available", "NoError")
    rig.works()


# -- the board itself --------------------------------------------------------------------------------------------


def deaf(world):
    world.factory.threads = (Dead(),)


def asleep(world):
    world.awake = False


def hung(world):
    """The event loop does not come round to the sign of life."""
    world.clock.cancel("board/tick")


def cut(world):
    world.pin(world.board.emergency_stop.pin).broken = True


def unheard(world):
    """A level that no edge has told."""
    contact = world.board.emergency_stop
    world.pin(contact.pin).silent = True
    world.touch(contact, active=True)


@row("The board cannot be relied on, or the guard heard nothing of the program")
@pytest.mark.parametrize(
    ("breaks", "within", "info"),
    [
        (deaf, 0.1, "no edges are reported any more"),
        (asleep, 2.2, "the guard does not look"),
        (hung, 2.2, "no sign of life"),
        (cut, 0.1, "emergency stop: GPIO 3: the chip does not answer"),
        (unheard, 0.1, "no edge from emergency stop"),
    ],
)
def test_a_board_that_cannot_be_relied_on(wired, breaks, within, info):
    rig = charging(wired())
    breaks(rig.world)
    rig.opens(within)
    rig.after(2)
    assert ("Faulted", "InternalError", None, info) in rig.history(0)
    assert rig.last()[0] == "Faulted"
    rig.after(55)
    assert rig.driver.restart is None
    rig.wires("service.cleared")
    rig.after(1)
    assert rig.last()[0] == "Faulted", "until the next start"
    rig.after(10)
    assert rig.driver.restart is not None
    assert not rig.world.coil()
    assert len(rig.sent("StopTransaction")) == 1
    rig = wired.anew(rig)
    assert rig.last(0)[:2] == ("Available", "NoError")
    rig.works()


@row("The board cannot be relied on, or the guard heard nothing of the program")
def test_a_self_test_that_fails_closes_nothing(wired):
    rig = wired(start=False)
    rig.world.pin(rig.world.board.outlets[0].mirror.pin).broken = True
    rig.driver.start()
    rig.after(5)
    assert rig.last(0) == ("Faulted", "InternalError", None, "self-test of connector 1: mirror")
    rig.plug()
    rig.swipe()
    rig.after(10)
    assert not ever_closed(rig)
    rig.after(60)
    assert rig.driver.restart is not None
    rig = wired.anew(rig)
    rig.works()


# -- a start, with a car that is there ---------------------------------------------------------------------------


def leaks(rig):
    rig.world.leak()
    rig.after(1)
    rig.world.leak(on=False)
    return TRIPPED


def falls_off(rig):
    rig.world.contactor(1, closed=False)
    return DRY


def is_stopped(rig):
    rig.world.touch(rig.world.board.emergency_stop, active=True)
    rig.after(1)
    rig.world.touch(rig.world.board.emergency_stop, active=False)
    return STOPPED


def draws_too_much(rig):
    rig.world.meter.percent = 130
    rig.after(300)
    return (*TOO_MUCH, None)


@pytest.mark.parametrize(
    ("fails", "pilot"),
    [
        (leaks, "modbus"),
        (leaks, "kernel"),
        (falls_off, "modbus"),
        (is_stopped, "modbus"),
        (draws_too_much, "modbus"),
    ],
)
def test_what_is_over_after_unplugging_is_not_over_after_a_restart(wired, fails, pilot):
    """A pilot that has to be asked has not answered yet when the program starts."""
    rig = charging(wired(pilot=pilot))
    told = fails(rig)
    rig.after(5)
    assert rig.last() == told
    rig = wired.anew(rig)
    rig.after(120)
    assert rig.history() == [told]
    rig.works()


# -- what is wrong already when the program starts ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "place", "told"),
    [
        (lambda world: world.leak(), 1, TRIPPED),
        (lambda world: world.touch(world.board.emergency_stop, active=True), 1, STOPPED),
        (lambda world: world.touch(world.board.door, active=True), 0, ("Faulted", *DOOR)),
        (
            lambda world: setattr(world.wire, "silent", True),
            1,
            ("Faulted", "OtherError", "CX014", "pilot silent"),
        ),
        (lambda world: setattr(world.meter, "silent", True), 1, ("Faulted", "PowerMeterFailure", None, None)),
        (lambda world: setattr(world.car, "wrong", "short"), 1, ("Faulted", "OtherError", "CX014", "short")),
    ],
    ids=["residual current", "emergency stop", "door", "pilot silent", "meter silent", "pilot short"],
)
def test_what_is_wrong_at_the_start_is_told(wired, wrong, place, told):
    rig = wired(prepare=wrong)
    rig.after(10)
    assert told in rig.history(place)
    assert rig.last(place)[0] == "Faulted"
    assert not ever_closed(rig)


def test_a_thermometer_and_a_reader_that_are_not_there_at_the_start(wired, devices):
    (devices / SENSOR / "temperature").unlink()
    rig = wired(folder=devices)
    rig.hear()
    rig.hear()
    assert rig.last(0)[:2] == ("Available", "ReaderFailure")
    assert rig.last(1)[1:] == ("OtherError", None, "no temperature")


@pytest.mark.parametrize("celsius", [80, None])
def test_heat_and_a_dead_reader_are_told_again_to_a_station_that_is_built_anew(
    housed, devices, keys, celsius
):
    keys.pull()
    housed.hear()
    heat(devices, celsius) if celsius else (devices / SENSOR / "temperature").unlink()
    housed.hear()
    housed.driver.post(Event("meter.sampled", 1))  # a defect: its report raises
    housed.after(1)
    assert "InternalError" in housed.facts.faults
    assert housed.facts.temperature == celsius
    assert housed.state("temperature", 1) == ("Hot" if celsius else "Unknown")
    assert housed.state("reader") == "Dead"
