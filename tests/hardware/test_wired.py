"""Wires: contacts that are polled as well, the self-test, the monitor's test, and what parts report."""

import inspect
import logging
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from board_kit import BOARD, World, socket

from charger.board import (
    Contact,
    KernelPilot,
    LightPlan,
    LockPlan,
    MeterPlan,
    ModbusBus,
    ModbusPilot,
    OutletPlan,
    ReaderPlan,
    SimulatedPilot,
    TemperaturePlan,
)
from charger.errors import HardwareError
from charger.hardware import build as building
from charger.hardware import guard
from charger.hardware.parts import MeterSaid, PilotSaid
from charger.ports import (
    CloseContactor,
    EngageLock,
    OfferCurrent,
    OpenContactor,
    ReleaseLock,
    ShowLight,
    ShowText,
    SwitchOutput,
    TestResidualCurrent,
)


class Started(World):
    """A board that runs, and what it has told."""

    def __init__(self, plan=BOARD, **given):
        super().__init__(plan, **given)
        self.events = []
        self.hardware.start(self.events.append)
        self.first = self.told()
        self.wait(1)
        self.events.clear()

    def told(self, *prefixes):
        """The events since the last time, each as its name, or with its fields."""
        events = [event for event in self.events if not prefixes or event.name.startswith(prefixes)]
        self.events.clear()
        return [(event.name, *event.fields.values()) if event.fields else event.name for event in events]

    def wait(self, seconds):
        self.clock.advance(seconds)

    def do(self, command, seconds=0.4):
        self.hardware.perform(command)
        self.wait(seconds)
        return self.told()


# -- contacts ------------------------------------------------------------------------------------------------


def test_the_emergency_stop_is_believed_at_once_and_its_release_after_half_a_second():
    world = Started()
    world.touch(BOARD.emergency_stop, active=True)
    world.wait(0.05)
    assert world.told() == ["emergency.pressed"]
    world.touch(BOARD.emergency_stop, active=False)
    world.wait(0.4)
    assert world.told() == []
    world.wait(0.2)
    assert world.told() == ["emergency.released"]


def test_what_is_active_at_the_start_is_told_as_the_situation():
    def prepare(world):
        world.touch(BOARD.emergency_stop, active=True)
        world.leak()

    world = Started(prepare=prepare)
    assert {"emergency.pressed", "residual_current.tripped"} <= set(world.first)
    world.do(CloseContactor(1))
    assert not world.coil()


def test_door_and_declared_inputs_are_told():
    world = Started(replace(BOARD, outlets=(replace(socket(1), inputs={"button": Contact(25)}),)))
    world.touch(BOARD.door, active=True)
    world.touch(BOARD.inputs["key_switch"], active=True)
    world.touch(Contact(25), active=True)
    world.wait(0.2)
    assert sorted((event.name, event.connector) for event in world.events) == [
        ("button.on", 1),
        ("door.opened", None),
        ("key_switch.on", None),
    ]
    world.told()
    world.touch(BOARD.door, active=False)
    world.wait(0.2)
    assert world.told() == ["door.closed"]


def test_a_door_is_no_interlock_of_the_guard():
    """Whether it stops charging is for the charts to decide."""
    world = Started()
    world.do(CloseContactor(1))
    world.touch(BOARD.door, active=True)
    world.wait(0.3)
    assert world.coil()


def test_a_lost_edge_is_seen_by_the_poll_and_the_board_has_failed():
    world = Started()
    world.do(CloseContactor(1))
    world.pin(BOARD.emergency_stop.pin).silent = True
    world.touch(BOARD.emergency_stop, active=True)
    assert world.coil(), "no edge was heard"
    world.wait(0.1)
    assert not world.coil(), "the guard looks every 50 ms"
    world.wait(0.4)
    assert world.told("emergency", "hardware") == ["emergency.pressed"]
    world.wait(2)
    assert world.told() == [("hardware.failed", "no edge from emergency stop")]
    world.wait(5)
    assert world.told() == [], "once"


def test_an_edge_that_is_late_is_no_failure():
    world = Started()
    pin = world.pin(BOARD.door.pin)
    pin.silent = True
    world.touch(BOARD.door, active=True)
    world.wait(0.8)
    pin.silent = False
    pin._call_when_changed()
    world.wait(5)
    assert world.told() == ["door.opened"]
    pin.silent = True
    world.touch(BOARD.door, active=False)
    world.wait(0.8)
    world.touch(BOARD.door, active=True)
    world.wait(5)
    assert world.told("hardware") == [], "it came back before anybody missed the edge"


def test_what_moves_between_building_and_watching_is_no_lost_edge():
    world = World()
    world.touch(BOARD.emergency_stop, active=True)
    events = []
    world.hardware.start(events.append)
    world.clock.advance(3)
    names = [event.name for event in events]
    assert "emergency.pressed" in names
    assert "hardware.failed" not in names


def test_a_contact_that_cannot_be_read_is_active_and_the_board_has_failed():
    world = Started()
    world.pin(BOARD.door.pin).broken = True
    world.wait(0.2)
    assert world.told() == [("hardware.failed", "door: GPIO 4: the chip does not answer"), "door.opened"]


def test_without_a_thread_for_edges_the_board_has_failed_once():
    world = Started()
    world.factory.threads = (Dead(),)
    assert not world.hardware.alive()
    world.wait(3)
    assert world.told() == [("hardware.failed", "no edges are reported any more")]


class Dead:
    def is_alive(self):
        return False


def test_a_guard_that_sleeps_is_noticed_by_the_event_loop():
    world = Started()
    world.do(CloseContactor(1))
    world.awake = False
    world.wait(1.8)
    assert world.coil()
    assert world.hardware.alive()
    world.wait(0.5)
    assert not world.coil()
    assert not world.hardware.alive()
    assert world.told("hardware") == [("hardware.failed", "the guard does not look")]


def test_what_cannot_be_relied_on_is_told_to_a_station_that_begins_later():
    world = Started()
    world.pin(BOARD.door.pin).broken = True
    world.wait(1)
    world.told()
    world.hardware.start(world.events.append)
    assert ("hardware.failed", "door: GPIO 4: the chip does not answer") in world.told()


def test_charts_begin_when_every_pilot_has_spoken_and_hear_then_what_cannot_be_relied_on():
    world, heard = World(), []
    world.pin(14).broken = True
    world.hardware._outlets[1].pilot.plug()
    world.hardware.start(lambda event: heard.append(event.name), lambda: heard.append("known"))
    assert "known" not in heard
    world.clock.advance(0.1)
    assert heard.count("known") == 1
    assert heard.index("cable.plugged") < heard.index("known") < heard.index("hardware.failed")


# -- the self-test -------------------------------------------------------------------------------------------


def test_the_self_test_is_told(caplog):
    caplog.set_level(logging.INFO)
    world = Started()
    assert "self-test passed: 1 contactors" in caplog.text
    assert world.told("hardware") == []


@pytest.mark.parametrize(
    ("breaks", "info"),
    [
        (lambda world: world.pin(3), "self-test of connector 1: emergency_stop"),
        (lambda world: world.pin(11), "self-test of connector 1: mirror"),
        (lambda world: world.pin(15), "self-test of connector 1: residual_current"),
        (lambda world: world.pin(6), "self-test: GPIO 6 is not low"),
    ],
)
def test_a_self_test_that_fails_is_told_and_nothing_closes(breaks, info):
    world = World()
    events = []
    breaks(world).broken = True
    world.hardware.start(events.append)
    world.clock.advance(0)
    assert {"info": info} in [event.fields for event in events if event.name == "hardware.failed"]
    breaks(world).broken = False
    world.clock.advance(1)
    world.hardware.perform(CloseContactor(1))
    assert world.coil() is ("connector" not in info)


def test_an_output_that_is_not_low_is_found():
    world = World()
    events = []
    world.pin(BOARD.life)._state = True
    world.pin(socket(1).contactor)._state = True
    world.hardware.start(events.append)
    world.clock.advance(0)
    told = [event.fields["info"] for event in events if event.name == "hardware.failed"]
    assert told == [
        "self-test of connector 1: coil",
        "self-test: GPIO 2 is not low",
        "self-test: GPIO 10 is not low",
    ]
    world.hardware.perform(CloseContactor(1))
    assert not world.coil()


def test_the_page_names_every_word_of_the_guard():
    page = (Path(__file__).parents[2] / "docs" / "hardware.md").read_text(encoding="utf-8")
    table = page.partition("## The guard")[2].partition("The sign of life")[0]
    rows = [line.split("|")[3].strip(" `") for line in table.splitlines() if line.startswith("| ")][1:]
    text = inspect.getsource(guard)
    assert set(rows) == {
        *("emergency_stop", "residual_current", "silent", "asleep", "deaf"),
        *("welded", "dry", "mirror", "coil", "moving", "untested"),
    }
    assert all(f'"{word}"' in text for word in rows if word not in ("emergency_stop", "residual_current"))


def test_a_contactor_that_closes_for_a_moment_is_not_told_open_before():
    """Else the charts, with a contactor that is closed after they heard it is open, would call it welded."""
    world = Started()
    world.hardware.perform(CloseContactor(1))
    world.wait(0.005)
    world.stuck[1] = True  # it is on its way
    world.hardware.perform(OpenContactor(1))
    world.wait(0.1)
    world.contactor(1, closed=False)
    world.wait(1)
    assert world.told() == ["contactor.closed", "contactor.opened"]


# -- the residual-current monitor ----------------------------------------------------------------------------


def test_a_trip_is_told_and_when_it_is_over():
    world = Started()
    world.leak()
    world.wait(0.1)
    assert world.told() == ["residual_current.tripped"]
    world.leak(on=False)
    world.wait(1)
    assert world.told() == ["residual_current.cleared"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda world: None, ["test_passed"]),
        (lambda world: world.mute.add(1), ["test_failed"]),
        (lambda world: world.leaks.add(1), ["test_failed", "tripped"]),
        (lambda world: setattr(world.pin(16), "broken", True), ["test_failed"]),
    ],
    ids=["well", "does not trip", "does not recover", "cannot be asked"],
)
def test_the_test_of_the_monitor(spoil, words):
    world = Started()
    spoil(world)
    assert world.do(TestResidualCurrent(1), 1.95) == [f"residual_current.{word}" for word in words]
    assert not world.pin(16)._state, "the test is not asked for any more"


def test_a_trip_after_the_test_is_told():
    world = Started()
    assert world.do(TestResidualCurrent(1), 2) == ["residual_current.test_passed"]
    world.leak()
    world.wait(0.1)
    assert world.told() == ["residual_current.tripped"]


@pytest.mark.parametrize("plan", [None, replace(socket(1).residual_current, test=None)])
def test_a_monitor_that_has_no_test_passes(plan):
    world = Started(replace(BOARD, outlets=(replace(socket(1), residual_current=plan),)))
    assert world.do(TestResidualCurrent(1)) == ["residual_current.test_passed"]


@pytest.mark.parametrize("test", [None, 16], ids=["no test", "a test"])
def test_a_monitor_that_has_tripped_passes_nothing(test):
    monitor = replace(socket(1).residual_current, test=test)
    world = Started(replace(BOARD, outlets=(replace(socket(1), residual_current=monitor),)))
    world.leak()
    world.wait(1)
    world.told()
    assert world.do(TestResidualCurrent(1), 2) == ["residual_current.test_failed"]


# -- outputs -------------------------------------------------------------------------------------------------


def test_an_output_is_on_off_or_blinks():
    world = Started()
    fan = world.pin(6)
    world.do(SwitchOutput("fan", 0, "on"))
    assert fan._state
    fan.states.clear()
    world.do(SwitchOutput("fan", 0, "blink"), 2.1)
    assert [state.state for state in fan.states] == [False, True, False, True]
    world.do(SwitchOutput("fan", 0, "off"), 2)
    assert not fan._state
    assert len(fan.states) == 5
    assert world.do(SwitchOutput("nothing", 0, "on")) == []
    world.do(SwitchOutput("buzzer", 0, "on"))
    assert world.pin(7)._state


def test_an_output_that_does_not_answer_is_a_failure():
    world = Started()
    world.pin(6).broken = True
    assert world.do(SwitchOutput("fan", 0, "on")) == [
        ("hardware.failed", "output fan: GPIO 6: the chip does not answer")
    ]


def test_the_lamp_shows_what_it_is_told():
    world = Started(replace(BOARD, outlets=(replace(socket(1), light=LightPlan(20, 21, 22)),)))
    world.do(ShowLight(1, "magenta"))
    assert [world.pin(pin)._state for pin in (20, 21, 22)] == [True, False, True]
    world.do(ShowText("hello"))
    assert world.hardware.text == "hello"


def test_a_coil_or_a_mirror_contact_that_does_not_answer_is_a_failure():
    world = Started()
    world.do(CloseContactor(1))
    world.pin(11).broken = True
    world.wait(0.2)
    assert not world.coil()
    assert world.told("interlock", "hardware") == [
        ("interlock.lost", "mirror"),
        ("hardware.failed", "connector 1: the mirror does not answer"),
    ]
    world.pin(10).broken = True
    world.wait(0.2)
    assert world.told("interlock", "hardware") == [
        ("interlock.lost", "coil"),
        ("hardware.failed", "connector 1: the coil does not answer"),
    ]


def test_while_a_coil_does_not_answer_there_is_no_pulse():
    world = Started()
    world.pin(10).broken = True
    world.wait(0.2)
    world.pin(2).states.clear()
    world.wait(2)
    assert world.pin(2).states == []


# -- lock ----------------------------------------------------------------------------------------------------


def test_a_bolt_that_moves_by_itself_is_told():
    world = Started()
    world.touch(socket(1).lock.feedback, active=True)
    world.wait(0.3)
    assert world.told() == ["lock.engaged"]


def test_a_bolt_whose_edge_was_lost_is_polled():
    world = Started()
    world.pin(14).silent = True
    world.touch(socket(1).lock.feedback, active=True)
    world.wait(0.3)
    assert world.told() == ["lock.engaged"]


def test_a_bolt_that_cannot_be_read_is_a_failure():
    world = Started()
    world.pin(14).broken = True
    world.wait(0.3)
    assert world.told() == [("hardware.failed", "lock of connector 1: GPIO 14: the chip does not answer")]


def test_a_bolt_that_cannot_be_read_at_the_start_is_a_failure():
    world, events = World(), []
    world.pin(14).broken = True
    world.hardware.start(events.append)
    world.clock.advance(0)
    told = [(event.name, *event.fields.values()) for event in events]
    assert ("hardware.failed", "lock of connector 1: GPIO 14: the chip does not answer") in told
    assert not [one for one in told if one[0].startswith("lock")], "where it is, nobody knows"


def test_a_lock_without_a_switch_is_believed():
    world = Started(replace(BOARD, outlets=(replace(socket(1), lock=LockPlan(12, 13)),)))
    assert world.do(EngageLock(1), 2) == ["lock.engaged"]


def test_a_fixed_cable_has_no_lock():
    world = Started(replace(BOARD, outlets=(replace(socket(1), lock=None),)), fixed=True)
    assert not [one for one in world.first if str(one).startswith("lock")]
    assert world.do(EngageLock(1)) == []
    assert world.do(ReleaseLock(1)) == []
    assert world.hardware.describe(1)["lock"] is None


def test_the_lock_that_is_engaged_at_the_start_is_told():
    world = Started(prepare=lambda world: world.touch(socket(1).lock.feedback, active=True))
    assert "lock.engaged" in world.first


# -- what parts report ---------------------------------------------------------------------------------------


class Part:
    """A meter, a reader, a thermometer: reports what the test says, on a thread that is not the loop's."""

    def start(self, *listeners):
        self.listeners = listeners

    def say(self, *said, to=0):
        self.listeners[to](*said)

    def close(self):
        self.closed = True
        raise OSError("gone already")


def with_parts():
    world = World()
    station, outlet = world.hardware._station, world.hardware._outlets[1]
    outlet.meter, station.thermometer = Part(), Part()
    reader, own = Part(), Part()
    station.readers = [(reader, None), (own, 1)]
    world.events = []
    world.hardware.start(world.events.append)
    world.events.clear()
    return world, outlet.meter, station.thermometer, reader, own


def took(world):
    world.clock.advance(0.01)
    return Started.told(world)


def test_the_meter():
    world, meter, *_ = with_parts()
    said = MeterSaid(1200.0, 7000.0, (10.0, 10.1, 9.9), (230.0, 231.0, 229.0))
    meter.say(said)
    assert world.events == [], "not on the part's thread"
    assert took(world) == [("meter.sampled", 1200.0, 7000.0, said.currents, said.voltages)]
    assert world.hardware.describe(1)["meter"] == {"energy_wh": 1200.0, "power_w": 7000.0}
    world.hardware.start(world.events.append)
    assert ("meter.sampled", 1200.0, 7000.0, said.currents, said.voltages) in took(world)
    meter.say(None)
    assert took(world) == ["meter.failed"]
    world.hardware.start(world.events.append)
    assert "meter.failed" in took(world)


def test_the_thermometer():
    world, _, thermometer, *_ = with_parts()
    thermometer.say(41.5)
    thermometer.say(None)
    assert took(world) == [("temperature.sampled", 41.5), "temperature.failed"]


def test_readers():
    world, _, _, reader, own = with_parts()
    reader.say("04A1")
    own.say("04B2")
    reader.say(False, to=1)
    own.say(False, to=1)
    reader.say(True, to=1)
    assert took(world) == [
        ("card.presented", "04A1", None),
        ("card.presented", "04B2", 1),
        ("reader.failed", None),
        ("reader.failed", 1),
        ("reader.recovered", None),
    ]


def test_what_does_not_let_go_keeps_nobody_else(caplog):
    world, *parts = with_parts()
    world.hardware.perform(CloseContactor(1))
    world.end()
    assert all(part.closed for part in parts)
    assert "while letting go of the wires" in caplog.text
    assert not world.coil()


def test_to_make_safe_what_was_let_go_is_no_failure(caplog):
    """The program does so at its very end, whatever ended it."""
    world = Started()
    world.do(CloseContactor(1))
    world.end()
    world.awake = False  # its thread has ended
    world.hardware.make_safe()
    world.wait(1)
    assert not world.coil()
    assert caplog.text == ""


def test_a_report_after_the_end_of_the_loop_is_lost():
    world = Started()

    def closed(then):
        raise RuntimeError("Event loop is closed")

    world.hardware._soon = closed
    world.touch(BOARD.emergency_stop, active=True)
    assert world.told() == []


def test_the_pilot_on_any_thread():
    world = Started()
    world.hardware._outlets[1].pilot._say(PilotSaid("B", 20.0))
    assert world.events == []
    world.wait(0.01)
    assert world.told() == ["cable.plugged", ("cable.rated", 20.0)]
    assert world.hardware.describe(1)["pilot"] == "B"
    world.hardware.start(world.events.append)
    assert {"cable.plugged", ("cable.rated", 20.0)} <= set(world.told())


# -- people at a board without a car -------------------------------------------------------------------------


def test_acts_on_a_simulated_car():
    world = Started()
    assert world.hardware.simulated
    act = world.hardware.simulate
    act("plug", 1, {})
    world.do(OfferCurrent(1, 16.0), 1)
    assert world.hardware.describe(1)["ev"] == "ready"
    act("ev", 1, {"state": "suspended"})
    world.wait(0.1)
    assert world.told() == ["ev.paused"]
    assert world.hardware.describe(1)["ev"] == "suspended"
    act("ev", 1, {"state": "ready"})
    act("pilot", 1, {"wrong": "diode"})
    world.wait(0.1)
    assert world.told() == ["ev.ready", ("pilot.failed", "diode")]
    act("pilot", 1, {"wrong": None})
    act("swipe", None, {"id_tag": "TAG"})
    act("swipe", 1, {"id_tag": "TAG"})
    world.wait(0.1)
    assert sorted(map(str, world.told())) == [
        "('card.presented', 'TAG', 1)",
        "('card.presented', 'TAG', None)",
        "pilot.recovered",
    ]
    world.do(EngageLock(1), 2)
    act("unplug", 1, {})
    world.wait(0.1)
    assert world.told() == ["ev.unplugged"], "the lock holds the plug"
    act("unplug", 1, {})
    assert world.do(ReleaseLock(1), 2) == ["lock.released", "cable.unplugged", ("cable.rated", None)]
    act("plug", 1, {})
    act("unplug", 1, {"side": "ev"})
    act("unplug", 1, {})
    world.wait(0.1)
    assert world.told() == [
        *("cable.plugged", ("cable.rated", 32.0), "ev.unplugged", "cable.unplugged", ("cable.rated", None))
    ]


def test_acts_that_a_board_does_not_know():
    world = Started()
    with pytest.raises(ValueError, match="nobody knows how to input"):
        world.hardware.simulate("input", 1, {})
    with pytest.raises(ValueError, match="there is no connector 7"):
        world.hardware.simulate("plug", 7, {})
    with pytest.raises(ValueError, match="there is no connector None"):
        world.hardware.simulate("plug", None, {})
    world.hardware._outlets[1].pilot = Part()
    with pytest.raises(ValueError, match="a real control pilot"):
        world.hardware.simulate("plug", 1, {})


# -- building ------------------------------------------------------------------------------------------------


def test_the_smallest_board():
    plan = replace(
        BOARD,
        outlets=(OutletPlan(contactor=10, mirror=None, pilot=SimulatedPilot()),),
        life=None,
        emergency_stop=None,
        door=None,
        inputs={},
        outputs={},
        buzzer=None,
    )
    world = Started(plan, fixed=True)
    assert world.do(CloseContactor(1)) == ["contactor.closed"]
    assert world.coil()
    assert world.do(OpenContactor(1)) == ["contactor.opened"]


def test_two_connectors_have_a_guard_each():
    world = Started(replace(BOARD, outlets=(socket(1), socket(2))))
    world.do(CloseContactor(1))
    world.do(CloseContactor(2))
    world.leak(2)
    assert world.coil(1)
    assert not world.coil(2)
    world.touch(BOARD.emergency_stop, active=True)
    assert not world.coil(1)


BUS = {"rs485": ModbusBus(host="127.0.0.1", tcp_port=1)}


def test_meters_and_pilots_on_one_bus_share_it():
    outlets = (
        replace(socket(1), meter=MeterPlan("sdm630", "rs485", unit=1)),
        replace(socket(2), pilot=ModbusPilot("rs485", unit=2)),
    )
    world = World(replace(BOARD, outlets=outlets, buses=BUS))
    first, second = world.hardware._outlets[1].meter, world.hardware._outlets[2].pilot
    assert first._bus is second._bus
    world.hardware.start(lambda event: None)
    world.end()
    assert not first._bus._thread.is_alive()


def test_a_register_map_that_is_wrong_by_now(tmp_path):
    (tmp_path / "own.yaml").write_text("meter: Own\n")
    plan = replace(socket(1), meter=MeterPlan("own.yaml", "rs485", unit=1))
    with pytest.raises(HardwareError, match=r"the register map own\.yaml: "):
        World(replace(BOARD, outlets=(plan,), buses=BUS, folder=tmp_path))


def test_what_was_had_is_let_go_when_a_later_part_cannot_be_had():
    before = threading.active_count()
    outlets = (
        replace(socket(1), meter=MeterPlan("sdm630", "rs485", unit=1)),
        replace(socket(2), pilot=KernelPilot(chip=999, channel=0, adc=0, high=0, low=1)),
    )
    with pytest.raises(HardwareError, match="pwmchip999"):
        World(replace(BOARD, outlets=outlets, buses=BUS))
    assert threading.active_count() == before


def test_a_reader_and_a_thermometer_are_built():
    readers = (ReaderPlan("keyboard", "/dev/input/none"), ReaderPlan("pn532", "/dev/none", connector=1))
    world = World(replace(BOARD, readers=readers, temperature=TemperaturePlan("28-0")))
    assert [number for _, number in world.hardware._station.readers] == [None, 1]
    assert world.hardware._station.thermometer
    world.end()


def test_pilots_by_the_kernel_share_an_adc(monkeypatch):
    opened, closed = [], []

    class Adc:
        def __init__(self, select, factory):
            opened.append(select)

        def close(self):
            closed.append(self)

    monkeypatch.setattr(building, "Mcp3008", Adc)
    monkeypatch.setattr(building, "Pwm", lambda chip, channel: (chip, channel))
    pilots = [KernelPilot(chip=0, channel=n, adc=0, high=2 * n, low=2 * n + 1) for n in (0, 1)]
    outlets = tuple(replace(socket(n), pilot=pilot) for n, pilot in enumerate(pilots, start=1))
    world = World(replace(BOARD, outlets=outlets))
    assert opened == [0]
    assert [world.hardware._outlets[n].pilot._pwm for n in (1, 2)] == [(0, 0), (0, 1)]
    assert not world.hardware.simulated
    world.hardware._let_go()
    assert len(closed) == 1
