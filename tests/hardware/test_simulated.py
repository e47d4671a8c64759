"""The simulated world in virtual time: what is told to it, and what it reports."""

import asyncio
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charger.clock import VirtualClock
from charger.functions.situation import ConnectorPlan
from charger.hardware.simulated import SimulatedHardware
from charger.ports import (
    CloseContactor,
    EngageLock,
    OfferCurrent,
    OpenContactor,
    ReleaseLock,
    ShowLight,
    ShowText,
    SwitchOutput,
)
from charger.vocabulary.hardware import WORDS

SOCKET = ConnectorPlan(fixed=False, phases=3, max_current=32)
FIXED = ConnectorPlan(fixed=True, phases=1, max_current=32)

CONTACTOR, LOCK, CAR = 0.1, 0.3, 0.2
SOON = 0.001


class World:
    """Simulated hardware, its clock, and the events it reported."""

    def __init__(self, *plans, register=None, power=7200.0, plugged=(), inputs=None):
        self.clock = VirtualClock()
        self.events = []
        self.hardware = SimulatedHardware(
            plans or (SOCKET,),
            power=power,
            contactor_delay=CONTACTOR,
            lock_delay=LOCK,
            car_delay=CAR,
            plugged=plugged,
            register=register,
            clock=self.clock,
            inputs=inputs,
        )
        self.hardware.start(self.events.append)
        self.started_with = self.told()

    def told(self):
        """The names of what was reported since the last time."""
        names = [event.name for event in self.events]
        self.heard, self.events[:] = list(self.events), []
        return names

    def do(self, *commands):
        for command in commands:
            self.hardware.perform(command)
        return self.told()

    def act(self, act, connector=1, **body):
        self.hardware.simulate(act, connector, body)
        return self.told()

    def wait(self, seconds):
        self.clock.advance(seconds)
        return self.told()

    def here(self, connector=1):
        return self.hardware.describe(connector)

    def charging(self, amps=32.0, connector=1):
        """Plug in, lock, offer, close; a car draws current afterwards."""
        self.act("plug", connector)
        self.do(EngageLock(connector), OfferCurrent(connector, amps))
        self.wait(LOCK + SOON)
        self.do(CloseContactor(connector))
        self.wait(CONTACTOR)
        assert self.here(connector)["contactor"] == "closed"
        return self


@pytest.fixture
def world():
    return World(SOCKET, FIXED)


# -- start -------------------------------------------------------------------------------------------------


def test_the_start_reports_the_situation(world):
    assert world.started_with == [
        *("meter.sampled", "contactor.opened", "lock.released"),
        *("meter.sampled", "contactor.opened"),
    ]
    assert [event.connector for event in world.heard] == [1, 1, 1, 2, 2]
    assert world.here(1) == {
        "contactor": "open",
        "lock": "released",
        "cable": {"present": False, "fixed": False},
        "ev": None,
        "light": "off",
        "pilot_amps": 0.0,
        "meter": {"energy_wh": 0.0, "power_w": 0.0},
    }
    assert world.here(2)["lock"] is None
    assert world.here(2)["cable"] == {"present": False, "fixed": True}
    assert world.hardware.simulated


def test_a_car_that_is_plugged_in_from_the_beginning_is_reported():
    world = World(SOCKET, FIXED, plugged=[2])
    assert [(event.name, event.connector) for event in world.heard][-1] == ("cable.plugged", 2)
    assert world.started_with.count("cable.plugged") == 1
    assert world.here(2)["ev"] == "ready"
    world.do(OfferCurrent(2, 16))
    assert world.wait(CAR) == ["ev.ready"]


def test_every_event_is_in_the_vocabulary_with_its_fields(world):
    world.charging()
    world.act("fault", 0, error_code="OtherError")
    seen = {}
    world.hardware.start(lambda event: seen.setdefault(event.name, event))
    world.hardware.simulate("fault", 1, {"error_code": "OtherError", "info": "x"})
    for act in ("clear_fault", "unplug"):
        world.hardware.simulate(act, 1, {})
    for name, event in seen.items():
        fields = WORDS.events[name].fields
        assert name == "meter.sampled" or set(event.fields) <= set(fields), name


# -- cable, car, pilot -------------------------------------------------------------------------------------


def test_a_car_asks_a_moment_after_current_is_offered_and_pauses_after_it_is_withdrawn(world):
    assert world.act("plug") == ["cable.plugged"]
    assert world.wait(10) == []
    assert world.do(OfferCurrent(1, 16.0)) == []
    assert world.wait(CAR - SOON) == []
    assert world.wait(SOON) == ["ev.ready"]
    assert world.here()["pilot_amps"] == 16.0
    assert world.do(OfferCurrent(1, None)) == []
    assert world.wait(CAR) == ["ev.paused"]
    assert world.here()["pilot_amps"] is None


def test_a_car_that_is_plugged_in_where_current_is_offered_already_asks(world):
    world.do(OfferCurrent(1, 6.0))
    assert world.act("plug") == ["cable.plugged"]
    assert world.wait(CAR) == ["ev.ready"]


def test_an_offer_that_is_withdrawn_at_once_goes_unnoticed(world):
    world.act("plug")
    assert world.do(OfferCurrent(1, 16.0), OfferCurrent(1, 0)) == []
    assert world.wait(10) == []


def test_a_car_does_as_it_is_told(world):
    world.act("plug")
    world.do(OfferCurrent(1, 16.0))
    assert world.act("ev", state="suspended") == []
    assert world.wait(10) == []
    assert world.here()["ev"] == "suspended"
    assert world.act("ev", state="ready") == ["ev.ready"]
    assert world.act("ev", state="ready") == []
    assert world.act("ev", state="suspended") == ["ev.paused"]
    assert world.here()["ev"] == "suspended"


def test_the_next_car_is_not_suspended(world):
    world.act("plug")
    world.act("ev", state="suspended")
    world.act("unplug")
    assert world.here()["ev"] is None
    world.act("plug")
    assert world.here()["ev"] == "ready"


def test_unplugging_before_the_car_reacts_ends_its_wish(world):
    world.act("plug")
    world.do(OfferCurrent(1, 16.0))
    assert world.act("unplug") == ["cable.unplugged"]
    assert world.wait(10) == []


def test_a_released_plug_leaves_at_once_and_a_locked_one_with_the_lock(world):
    world.act("plug")
    assert world.act("unplug") == ["cable.unplugged"]
    world.act("plug")
    world.do(EngageLock(1))
    assert world.wait(LOCK) == ["lock.engaged"]
    assert world.act("unplug") == ["ev.unplugged"]
    assert world.here()["cable"]["present"]
    assert world.here()["ev"] is None
    assert world.act("unplug") == []  # pulling at it again
    world.do(ReleaseLock(1))
    assert world.wait(LOCK) == ["lock.released", "cable.unplugged"]
    assert not world.here()["cable"]["present"]


def test_unplugging_at_the_car_leaves_the_plug_in_our_socket(world):
    world.act("plug")
    assert world.act("unplug", side="ev") == ["ev.unplugged"]
    world.do(EngageLock(1), OfferCurrent(1, 16.0))
    assert world.wait(LOCK) == ["lock.engaged"]
    world.do(ReleaseLock(1))
    assert world.wait(LOCK) == ["lock.released"]
    assert world.here()["cable"]["present"]
    assert world.act("plug") == []  # the same cable, back into the car
    assert world.wait(CAR) == ["ev.ready"]


def test_a_driver_who_plugs_in_again_does_not_want_the_cable_any_more(world):
    world.act("plug")
    world.do(EngageLock(1))
    world.wait(LOCK)
    assert world.act("unplug") == ["ev.unplugged"]
    assert world.act("plug") == []
    world.do(ReleaseLock(1))
    assert world.wait(LOCK) == ["lock.released"]
    assert world.act("unplug", side="ev") == ["ev.unplugged"]
    assert world.act("unplug") == ["cable.unplugged"]


def test_a_locked_plug_whose_car_left_before_is_taken_when_the_lock_opens(world):
    world.act("plug")
    world.do(EngageLock(1))
    world.wait(LOCK)
    world.act("unplug", side="ev")
    assert world.act("unplug") == []
    world.do(ReleaseLock(1))
    assert world.wait(LOCK) == ["lock.released", "cable.unplugged"]


@pytest.mark.parametrize("body", [{}, {"side": "ev"}])
def test_a_fixed_cable_leaves_the_car_whatever_is_said(world, body):
    assert world.act("plug", 2) == ["cable.plugged"]
    world.do(EngageLock(2), ReleaseLock(2))
    assert world.wait(10) == []  # there is no lock
    assert world.act("unplug", 2, **body) == ["cable.unplugged"]
    assert world.heard[0].connector == 2


@pytest.mark.parametrize(
    ("before", "act", "body", "sentence"),
    [
        (["plug"], "plug", {}, "connector 1: a car is plugged in already"),
        ([], "unplug", {}, "connector 1: nothing is plugged in"),
        ([], "ev", {"state": "ready"}, "connector 1: no car is plugged in"),
        ([], "dance", {}, "nobody knows how to dance"),
    ],
)
def test_acts_that_make_no_sense_are_refused(world, before, act, body, sentence):
    for earlier in before:
        world.act(earlier)
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        world.act(act, **body)
    assert world.told() == []


def test_a_car_is_unplugged_once_and_a_fixed_cable_has_no_lock(world):
    world.act("plug")
    world.act("unplug", side="ev")
    with pytest.raises(ValueError, match="the cable is not connected to a car"):
        world.act("unplug", side="ev")
    with pytest.raises(ValueError, match="fixed cable, and so no lock"):
        world.act("lock", 2, fail=True)
    for act in ("plug", "fault"):
        with pytest.raises(ValueError, match="there is no connector 3"):
            world.act(act, 3, error_code="OtherError")
    with pytest.raises(ValueError, match="there is no connector 3"):
        world.act("swipe", 3, id_tag="A")


def test_where_every_connector_has_a_reader_a_card_needs_a_place():
    own = World(ConnectorPlan(own_reader=True), ConnectorPlan(own_reader=True))
    with pytest.raises(ValueError, match="every connector has a reader of its own: name the connector"):
        own.hardware.simulate("swipe", None, {"id_tag": "A"})
    own.hardware.simulate("swipe", 2, {"id_tag": "A"})
    assert [event.fields["connector"] for event in own.events] == [2]


def test_inputs_of_the_charts_are_switched_where_they_are():
    world = World(SOCKET, SOCKET, inputs={"door": "station", "button": "connector"})
    assert world.act("input", None, name="door", on=True) == ["door.on"]
    assert world.act("input", None, name="door", on=False) == ["door.off"]
    assert world.act("input", 2, name="button", on=True) == ["button.on"]
    assert world.heard[0].connector == 2
    world.hardware.simulate("input", None, {"name": "button", "on": True, "connector": 1})
    assert world.told() == ["button.on"]
    for place, name, sentence in (
        (None, "dor", "declares no input 'dor'; there are button, door"),
        (None, "button", "every connector has an input 'button': name the connector"),
        (3, "button", "there is no connector 3"),
        (1, "door", "'door' is an input of the station: name no connector"),
    ):
        with pytest.raises(ValueError, match=sentence):
            world.act("input", place, name=name, on=True)
    with pytest.raises(ValueError, match=r"declares no input 'door'$"):
        World().act("input", None, name="door", on=True)


# -- lock --------------------------------------------------------------------------------------------------


def test_the_lock_takes_its_time_and_the_last_command_counts(world):
    world.do(EngageLock(1))
    assert world.wait(LOCK - SOON) == []
    world.do(ReleaseLock(1))
    assert world.wait(LOCK) == ["lock.released"]
    world.do(EngageLock(1))
    assert world.wait(LOCK) == ["lock.engaged"]
    assert world.here()["lock"] == "engaged"


def test_a_lock_that_fails_stays_where_it_is_until_it_is_well(world):
    world.act("plug")
    world.act("lock", fail=True)
    world.do(EngageLock(1))
    assert world.wait(LOCK) == ["lock.failed"]
    assert world.here()["lock"] == "released"
    world.act("lock", fail=False)
    world.do(EngageLock(1))
    assert world.wait(LOCK) == ["lock.engaged"]
    world.act("lock", fail=True)
    world.act("unplug")
    world.do(ReleaseLock(1))
    assert world.wait(LOCK) == ["lock.failed"]
    assert world.here()["lock"] == "engaged"
    world.act("lock", fail=False)
    world.do(ReleaseLock(1))
    assert world.wait(LOCK) == ["lock.released", "cable.unplugged"]


# -- contactor and meter -----------------------------------------------------------------------------------


def test_the_mirror_contact_tells_a_moment_after_the_coil(world):
    assert world.do(CloseContactor(1)) == []
    assert world.here()["contactor"] == "open"
    assert world.wait(CONTACTOR - SOON) == []
    assert world.wait(SOON) == ["meter.sampled", "contactor.closed"]
    assert world.here()["contactor"] == "closed"
    assert world.do(OpenContactor(1)) == []
    assert world.here()["contactor"] == "open"
    assert world.wait(CONTACTOR) == ["meter.sampled", "contactor.opened"]


def test_an_open_command_overtakes_a_close_command(world):
    world.do(CloseContactor(1), OpenContactor(1))
    assert world.wait(10) == ["meter.sampled", "contactor.opened"]


def test_power_flows_from_the_closing_of_the_contactor_to_its_opening(world):
    world.act("plug")
    world.do(OfferCurrent(1, 32.0))
    world.wait(CAR)
    world.do(CloseContactor(1))
    assert world.wait(CONTACTOR) == ["meter.sampled", "contactor.closed", "meter.sampled"]
    before, _, flowing = world.heard
    assert before.fields == {
        "energy": 0.0,
        "power": 0.0,
        "currents": (0.0, 0.0, 0.0),
        "voltages": (230.4, 229.9, 229.7),
    }
    assert flowing.fields["power"] == 7200.0
    assert flowing.fields["currents"] == (10.435, 10.435, 10.435)
    assert world.wait(3) == ["meter.sampled"] * 3
    assert [event.fields["energy"] for event in world.heard] == pytest.approx([2.0, 4.0, 6.0])
    world.wait(0.5)
    assert world.do(OpenContactor(1)) == ["meter.sampled"]
    assert world.heard[0].fields["energy"] == pytest.approx(7.0)
    assert world.heard[0].fields["power"] == 0.0
    assert world.wait(60) == ["meter.sampled", "contactor.opened"]
    assert world.heard[0].fields["energy"] == pytest.approx(7.0)
    assert world.here()["meter"] == {"energy_wh": pytest.approx(7.0), "power_w": 0.0}


@pytest.mark.parametrize(
    ("plan", "amps", "power"),
    [(SOCKET, 6.0, 6 * 3 * 230.0), (SOCKET, 32.0, 7200.0), (FIXED, 10.0, 2300.0), (FIXED, 32.0, 7200.0)],
)
def test_the_offer_limits_the_power(plan, amps, power):
    world = World(plan).charging(amps)
    assert world.here()["meter"]["power_w"] == power
    sample = next(event.fields for event in reversed(world.heard) if event.name == "meter.sampled")
    assert max(sample["currents"]) <= amps
    assert len(sample["currents"]) == plan.phases
    together = sum(a * v for a, v in zip(sample["currents"], sample["voltages"], strict=True))
    assert together == pytest.approx(power, abs=1)


def test_another_offer_changes_the_power_at_once(world):
    world.charging(32.0)
    assert world.do(OfferCurrent(1, 6.0)) == ["meter.sampled"]
    assert world.here()["meter"]["power_w"] == 4140.0
    assert world.do(OfferCurrent(1, 6.0)) == []
    assert world.do(OfferCurrent(1, 0)) == ["meter.sampled"]
    assert world.wait(CAR) == ["ev.paused"]
    assert world.do(OfferCurrent(1, 32)) == []
    assert world.wait(CAR) == ["ev.ready", "meter.sampled"]


def test_the_last_reading_comes_before_the_reason_for_it(world):
    world.charging()
    world.wait(0.5)
    assert world.act("ev", state="suspended") == ["meter.sampled", "ev.paused"]
    assert world.heard[0].fields["power"] == 0.0
    assert world.act("ev", state="ready") == ["ev.ready", "meter.sampled"]
    assert world.act("unplug") == ["meter.sampled", "ev.unplugged"]
    assert world.wait(10) == []


def test_pulling_a_fixed_cable_out_of_a_charging_car_ends_the_current(world):
    world.charging(connector=2)
    world.wait(10)
    assert world.act("unplug", 2) == ["meter.sampled", "cable.unplugged"]
    assert world.heard[0].fields["power"] == 0.0
    assert world.here(2)["contactor"] == "closed"  # that is for the charts
    assert world.wait(10) == []


def test_make_safe_opens_everything_at_once_and_reports_it(world):
    world.charging(connector=1)
    world.wait(1.5)
    world.do(CloseContactor(2))
    world.hardware.make_safe()
    assert world.told() == ["meter.sampled", "contactor.opened"] * 2
    assert world.heard[0].fields["power"] == 0.0
    assert [world.here(number)["contactor"] for number in (1, 2)] == ["open", "open"]
    assert world.wait(10) == []  # the pending close was forgotten


def test_make_safe_opens_everything_even_if_nobody_can_be_told(world, caplog):
    world.charging(connector=1).charging(connector=2)
    told = []

    def refuse(event):
        told.append(event.connector)
        raise RuntimeError("the queue is gone")

    world.hardware._post = refuse
    world.hardware.make_safe()
    assert [world.here(number)["contactor"] for number in (1, 2)] == ["open", "open"]
    assert told == [1, 2]
    assert "connector 2 is open, but that could not be reported" in caplog.text


def test_close_makes_safe_and_ends_every_timer(world):
    world.charging(connector=1)
    world.do(EngageLock(1), OfferCurrent(1, 0))
    asyncio.run(world.hardware.close())
    assert world.told()[-2:] == ["meter.sampled", "contactor.opened"]
    assert world.here(1)["contactor"] == "open"
    assert world.clock.next_due() is None
    world.hardware.make_safe()
    assert world.told() == []


# -- the rest of the world ---------------------------------------------------------------------------------


def test_a_card_is_presented_for_a_connector_or_for_none(world):
    assert world.act("swipe", None, id_tag="CARD-1") == ["card.presented"]
    assert (world.heard[0].connector, dict(world.heard[0].fields)) == (
        None,
        {"tag": "CARD-1", "connector": None},
    )
    world.act("swipe", 2, id_tag="CARD-1")
    assert world.heard[0].fields["connector"] == 2
    world.hardware.simulate("swipe", None, {"id_tag": "CARD-1", "connector": 1})
    world.told()
    assert world.heard[0].fields["connector"] == 1


def test_faults_come_and_go_at_a_connector_and_at_the_station(world):
    assert world.act("fault", 1, error_code="GroundFailure", info="RCD") == ["fault.raised"]
    assert dict(world.heard[0].fields) == {"error": "GroundFailure", "info": "RCD"}
    assert world.act("clear_fault", 1) == ["fault.cleared", "service.cleared"]
    assert (world.heard[0].connector, dict(world.heard[0].fields)) == (1, {})
    world.act("fault", 0, error_code="OtherError")
    assert (world.heard[0].connector, dict(world.heard[0].fields)) == (0, {"error": "OtherError", "info": ""})
    world.act("clear_fault", 0)
    assert world.heard[0].connector == 0


def test_lamp_display_and_outputs_show_what_they_are_told(world):
    assert world.do(ShowLight(2, "green"), ShowText("Hello"), SwitchOutput("fan", 0, "blink")) == []
    assert world.here(2)["light"] == "green"
    assert world.here(1)["light"] == "off"
    assert world.hardware.text == "Hello"
    assert world.hardware.outputs == {("fan", 0): "blink"}


# -- the register ------------------------------------------------------------------------------------------


def energy(world, connector=1):
    return world.here(connector)["meter"]["energy_wh"]


def test_the_register_goes_on_where_it_was(tmp_path):
    register = tmp_path / "meters"
    first = World(SOCKET, FIXED, register=register)
    assert energy(first) == 0.0
    first.charging(connector=2)
    first.wait(5.3)
    reported = energy(first, 2)
    assert reported > 0
    second = World(SOCKET, FIXED, register=register)  # the first was not closed: as after kill -9
    assert energy(second, 1) == 0.0
    assert energy(second, 2) == reported
    second.charging(connector=2)
    second.wait(2)
    assert energy(second, 2) > reported


def test_another_number_of_connectors_does_not_lose_a_register(tmp_path):
    register = tmp_path / "meters"
    two = World(SOCKET, SOCKET, register=register).charging(connector=2)
    two.wait(5)
    one = World(SOCKET, register=register).charging()
    one.wait(3)
    three = World(SOCKET, SOCKET, SOCKET, register=register)
    assert [energy(three, number) for number in (1, 2, 3)] == [energy(one), energy(two, 2), 0.0]


@pytest.mark.parametrize("text", ["nonsense\n", "nan\n", "-1.0\n", "inf\n", "\n", b"\xff\xfe\n"])
def test_a_register_that_cannot_be_read_begins_at_0(tmp_path, caplog, text):
    register = tmp_path / "meters"
    register.write_bytes(text if isinstance(text, bytes) else text.encode())
    world = World(SOCKET, register=register)
    assert energy(world) == 0.0
    assert f"{register}:1" in caplog.text
    world.charging().wait(2)
    assert energy(World(SOCKET, register=register)) == energy(world) > 0


def test_a_register_that_is_no_file_does_not_stop_the_charger(tmp_path, caplog):
    world = World(SOCKET, register=tmp_path).charging()
    world.wait(1)
    assert energy(world) > 0
    assert "the simulated meters begin at 0 Wh: Is a directory" in caplog.text
    assert "cannot keep their registers" in caplog.text


def test_a_full_disk_does_not_turn_the_register_back(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting needs root")
    try:
        world = World(SOCKET, register=disk / "meters")
        room = os.statvfs(disk)
        filler = disk / "filler"
        filler.write_bytes(bytes(room.f_bavail * room.f_frsize))
        with pytest.raises(OSError) as refusal:
            (disk / "more").write_bytes(b"x")
        assert refusal.value.errno == errno.ENOSPC
        world.charging().wait(3)
        assert energy(World(SOCKET, register=disk / "meters")) == energy(world) > 0
    finally:
        subprocess.run(["umount", str(disk)], check=True)


ENDLESS = """
import sys
from pathlib import Path
from charger.clock import VirtualClock
from charger.functions.situation import ConnectorPlan
from charger.hardware.simulated import SimulatedHardware
from charger.ports import CloseContactor, OfferCurrent
def post(event):
    if event.name == "meter.sampled":
        print(repr(event.fields["energy"]), flush=True)
clock = VirtualClock()
hardware = SimulatedHardware(
    [ConnectorPlan()], power=22000, contactor_delay=0, lock_delay=0, car_delay=0, plugged=[1],
    register=Path(sys.argv[1]), clock=clock,
)
hardware.start(post)
hardware.perform(OfferCurrent(1, 32))
hardware.perform(CloseContactor(1))
while True:
    clock.advance(1)
"""


@pytest.mark.parametrize("lines", [5, 50, 400])  # the first three are 0 Wh
def test_kill_9_never_turns_the_register_back(tmp_path, lines):
    register = tmp_path / "meters"
    command = [sys.executable, "-c", ENDLESS, str(register)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        told = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        told += process.stdout.read().splitlines(keepends=True)
    last = float([line for line in told if line.endswith("\n")][-1])
    assert last > 0
    assert energy(World(SOCKET, register=register)) >= last


# -- anything, in any order --------------------------------------------------------------------------------

ANYTHING = st.lists(
    st.one_of(
        st.builds(CloseContactor, st.integers(1, 2)),
        st.builds(OpenContactor, st.integers(1, 2)),
        st.builds(EngageLock, st.integers(1, 2)),
        st.builds(ReleaseLock, st.integers(1, 2)),
        st.builds(OfferCurrent, st.integers(1, 2), st.sampled_from([None, 0, 6.0, 32.0])),
        st.tuples(st.sampled_from(["plug", "unplug"]), st.integers(1, 2), st.just({})),
        st.tuples(st.just("unplug"), st.integers(1, 2), st.just({"side": "ev"})),
        st.tuples(
            st.just("ev"), st.integers(1, 2), st.sampled_from([{"state": "ready"}, {"state": "suspended"}])
        ),
        st.tuples(st.just("lock"), st.just(1), st.sampled_from([{"fail": True}, {"fail": False}])),
        st.just("make_safe"),
        st.sampled_from([0.05, 0.1, 0.25, 1.0, 3.0]),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(ANYTHING)
def test_whatever_happens_the_contract_holds(steps):
    world = World(SOCKET, FIXED)
    commanded = {1: False, 2: False}
    register = {1: 0.0, 2: 0.0}
    cable = {1: False, 2: False}
    for step in steps:
        match step:
            case float():
                world.clock.advance(step)
            case "make_safe":
                commanded = {1: False, 2: False}
                world.hardware.make_safe()
            case (act, number, body):
                try:
                    world.hardware.simulate(act, number, body)
                except ValueError:
                    assert world.told() == []
            case command:
                if isinstance(command, CloseContactor | OpenContactor):
                    commanded[command.connector] = isinstance(command, CloseContactor)
                world.hardware.perform(command)
        world.told()
        for event in world.heard:
            number = event.connector
            match event.name:
                case "contactor.closed":
                    assert commanded[number]
                case "meter.sampled":
                    assert event.fields["energy"] >= register[number]
                    register[number] = event.fields["energy"]
                case "cable.plugged" | "cable.unplugged":
                    assert cable[number] == (event.name == "cable.unplugged")
                    cable[number] = event.name == "cable.plugged"
        for number in (1, 2):
            here = world.here(number)
            assert here["contactor"] == "open" or commanded[number]
            assert cable[number] == here["cable"]["present"]
            if here["meter"]["power_w"]:
                assert here["contactor"] == "closed"
                assert here["ev"] == "ready"
                assert here["pilot_amps"]
