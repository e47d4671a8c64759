"""What goes wrong in the simulated world: what it reports, and that a repair makes it well."""

import pytest
from test_simulated import FIXED, SOCKET, SOON, World

from charger.hardware.mishaps import SILENCE
from charger.ports import CloseContactor, OfferCurrent, OpenContactor, TestResidualCurrent


@pytest.fixture
def world():
    return World(SOCKET, FIXED)


def last(world):
    return dict(world.heard[-1].fields)


def test_the_self_test_passes_unless_current_leaks_or_the_monitor_is_broken(world):
    def tested():
        world.do(TestResidualCurrent(1))
        return world.wait(0.4)

    assert tested() == ["residual_current.test_passed"]
    assert world.act("residual_current", tripped=True) == ["residual_current.tripped"]
    assert world.act("residual_current", tripped=True) == []
    assert tested() == ["residual_current.test_failed"]
    assert world.act("residual_current", tripped=False) == ["residual_current.cleared"]
    assert world.act("residual_current", test_fails=True) == []
    assert tested() == ["residual_current.test_failed"]


def test_a_welded_contactor_stays_closed_and_energy_flows_on(world):
    world.charging()
    assert world.act("contactor", fails="closed") == []
    assert world.do(OpenContactor(1)) == []
    assert "contactor.opened" not in world.wait(1)
    assert world.here()["contactor"] == "closed"
    assert world.here()["meter"]["power_w"] > 0
    world.hardware.make_safe()
    assert world.here()["contactor"] == "closed"
    assert "contactor.opened" in world.act("contactor", fails=None)
    assert world.here()["meter"]["power_w"] == 0


def test_a_contactor_welds_in_the_moment_it_closes(world):
    assert world.act("contactor", fails="closed") == []
    assert world.here()["contactor"] == "open"
    world.do(CloseContactor(1))
    assert "contactor.closed" in world.wait(0.2)
    world.do(OpenContactor(1))
    world.wait(0.2)
    assert world.here()["contactor"] == "closed"


def test_a_weld_that_comes_loose_while_it_should_be_closed_changes_nothing(world):
    world.do(CloseContactor(1))
    world.wait(0.2)
    world.act("contactor", fails="closed")
    assert world.act("contactor", fails=None) == []
    assert world.here()["contactor"] == "closed"


def test_a_stuck_contactor_does_not_close_and_falls_off(world):
    world.act("contactor", fails="open")
    world.do(CloseContactor(1))
    assert world.wait(1) == []
    world.act("contactor", fails=None)
    world.do(CloseContactor(1))
    world.wait(1)
    assert "contactor.opened" in world.act("contactor", fails="open")


def test_a_greedy_car_draws_more_than_it_is_offered(world):
    world.charging(amps=16)
    world.act("current", percent=125)
    assert last(world)["currents"] == (20.0,) * 3
    world.act("current", percent=None)
    assert last(world)["currents"][0] < 16


def test_voltage_is_told_on_every_phase(world):
    assert world.act("voltage", volts=190) == ["meter.sampled"]
    assert last(world)["voltages"] == (190,) * 3
    world.act("voltage", volts=None)
    assert last(world)["voltages"] == (230.4, 229.9, 229.7)


def test_a_silent_meter_is_missed_after_a_while(world):
    world.charging()
    assert world.act("meter", silent=True) == []
    assert world.wait(SILENCE - SOON) == []
    assert world.wait(2 * SOON) == ["meter.failed"]
    assert world.act("meter", silent=False) == ["meter.sampled"]
    world.act("meter", silent=True)
    world.wait(5)
    world.act("meter", silent=False)
    assert "meter.failed" not in world.wait(20)


def test_what_is_wrong_with_the_pilot_goes_with_the_car_unless_it_is_the_board(world):
    world.act("plug")
    assert world.act("pilot", wrong="diode") == ["pilot.failed"]
    assert last(world) == {"reason": "diode"}
    assert world.act("pilot", wrong="diode") == []
    assert world.act("unplug", side="ev") == ["ev.unplugged", "pilot.recovered"]
    world.act("pilot", wrong="silent")
    assert world.act("unplug") == ["cable.unplugged"]
    assert world.act("pilot", wrong=None) == ["pilot.recovered"]


def test_a_cable_is_rated_or_is_not(world):
    assert world.act("cable", amps=20) == ["cable.rated"]
    assert last(world) == {"amps": 20}


@pytest.mark.parametrize(
    ("act", "body", "told", "back", "then"),
    [
        ("emergency", {"pressed": True}, "emergency.pressed", {"pressed": False}, "emergency.released"),
        ("door", {"open": True}, "door.opened", {"open": False}, "door.closed"),
        ("reader", {"dead": True}, "reader.failed", {"dead": False}, "reader.recovered"),
    ],
)
def test_at_the_station_a_change_is_told_once(world, act, body, told, back, then):
    assert world.act(act, None, **body) == [told]
    assert world.act(act, None, **body) == []
    assert world.act(act, None, **back) == [then]
    assert world.act(act, None, **back) == []


def test_the_reader_of_a_connector_and_temperatures(world):
    assert world.act("reader", 2, dead=True) == ["reader.failed"]
    assert last(world) == {"connector": 2}
    assert world.act("temperature", None, celsius=70) == ["temperature.sampled"]
    assert last(world) == {"celsius": 70}
    assert world.act("temperature", None, celsius=None) == ["temperature.failed"]
    assert world.act("hardware", None, info="chip silent") == ["hardware.failed"]
    assert last(world) == {"info": "chip silent"}
    with pytest.raises(ValueError, match="there is no connector 3"):
        world.act("reader", 3, dead=True)
    with pytest.raises(ValueError, match="nobody knows how to dance"):
        world.act("dance", None)


def test_a_repair_makes_everything_well_and_says_so(world):
    world.charging()
    broken = (
        ("residual_current", {"tripped": True}),
        ("contactor", {"fails": "open"}),
        ("current", {"percent": 200}),
        ("voltage", {"volts": 300}),
        ("meter", {"silent": True}),
        ("pilot", {"wrong": "short"}),
    )
    for act, body in broken:
        world.act(act, **body)
    told = world.act("clear_fault")
    assert told == [
        *("residual_current.cleared", "pilot.recovered", "meter.sampled"),
        *("fault.cleared", "service.cleared"),
    ]
    world.do(OfferCurrent(1, 16.0), CloseContactor(1))
    world.wait(2)
    assert world.here()["meter"]["power_w"] == 7200
    for act, body in (
        *(("emergency", {"pressed": True}), ("door", {"open": True}), ("temperature", {"celsius": 90})),
        ("reader", {"dead": True}),
    ):
        world.act(act, None, **body)
    world.act("reader", 2, dead=True)
    told = world.act("clear_fault", 0)
    assert told[:3] == ["emergency.released", "door.closed", "temperature.sampled"]
    assert told[3:] == ["reader.recovered"] * 2 + ["fault.cleared", "service.cleared"]
