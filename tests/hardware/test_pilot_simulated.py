"""A car without a wire, in virtual time; and how pilots report."""

import queue

import pytest

from charger.clock import VirtualClock
from charger.hardware.parts import PilotSaid
from charger.hardware.pilot_simulated import SimulatedPilot
from charger.hardware.pilot_voice import SILENT, PilotVoice


class World:
    def __init__(self, *, fixed=False):
        self.clock = VirtualClock()
        self.pilot = SimulatedPilot("1", self.clock, fixed=fixed, delay=0.2)
        self.said = []
        self.pilot.start(self.said.append)

    @property
    def states(self):
        return "".join(said.state for said in self.said)


@pytest.fixture
def world():
    return World()


def test_a_session(world):
    world.pilot.plug(cable=20.0)
    world.clock.advance(10)
    assert world.said == [PilotSaid("A"), PilotSaid("B", 20.0)]
    world.pilot.offer(16)
    world.clock.advance(0.19)
    assert world.states == "AB"
    world.clock.advance(0.02)
    world.pilot.offer(20)
    world.clock.advance(1)
    assert world.said[2:] == [PilotSaid("C", 20.0)]
    world.pilot.offer(0)
    world.clock.advance(0.2)
    world.pilot.unplug()
    world.clock.advance(1)
    assert world.said[3:] == [PilotSaid("B", 20.0), PilotSaid("A")]


def test_a_fixed_cable_has_no_rating():
    world = World(fixed=True)
    world.pilot.plug(cable=20.0)
    world.pilot.unplug(at_car=True)
    assert world.said == [PilotSaid("A"), PilotSaid("B"), PilotSaid("A")]


def test_a_cable_may_stay_in_our_socket(world):
    world.pilot.plug(cable=13.0)
    world.pilot.unplug(at_car=True)
    world.pilot.plug(cable=32.0)
    assert world.said == [PilotSaid("A"), PilotSaid("B", 13.0), PilotSaid("A", 13.0), PilotSaid("B", 13.0)]
    world.pilot.unplug(at_car=True)
    world.pilot.unplug()
    assert world.said[-1] == PilotSaid("A")


def test_a_car_does_as_it_likes(world):
    world.pilot.plug()
    world.pilot.suspended()
    world.pilot.offer(16)
    world.clock.advance(10)
    assert world.states == "AB"
    world.pilot.ready()
    assert world.states == "ABC"
    world.pilot.suspended()
    assert world.states == "ABCB"


def test_what_is_too_little_is_not_offered(world):
    world.pilot.plug()
    world.pilot.offer(5.9)
    world.clock.advance(10)
    assert world.states == "AB"


def test_state_f(world):
    world.pilot.plug()
    world.pilot.offer(16)
    world.clock.advance(1)
    world.pilot.offer(None)
    world.clock.advance(1)
    world.pilot.offer(16)
    assert world.states == "ABCFB"
    world.clock.advance(1)
    assert world.states == "ABCFBC"


def test_an_offer_taken_back_before_the_car_followed(world):
    world.pilot.plug()
    world.pilot.offer(16)
    world.pilot.offer(0)
    world.clock.advance(10)
    assert world.states == "AB"


@pytest.mark.parametrize(
    ("what", "said"),
    [("diode", PilotSaid("B", 32.0, "diode")), ("cable", PilotSaid("B", None, "cable")), ("silent", SILENT)],
)
def test_what_is_wrong(world, what, said):
    world.pilot.plug()
    world.pilot.wrong(what)
    assert world.said[-1] == said
    world.pilot.wrong("")
    assert world.said[-1] == PilotSaid("B", 32.0)


def test_what_cannot_happen(world):
    with pytest.raises(ValueError, match="nothing is plugged in"):
        world.pilot.unplug()
    for tell in (world.pilot.ready, world.pilot.suspended):
        with pytest.raises(ValueError, match="no car is plugged in"):
            tell()
    with pytest.raises(ValueError, match="a pilot cannot be wrong by 'paint': diode, cable, silent"):
        world.pilot.wrong("paint")
    world.pilot.plug()
    with pytest.raises(ValueError, match="a car is plugged in already"):
        world.pilot.plug()
    world.pilot.unplug(at_car=True)
    with pytest.raises(ValueError, match="nothing is plugged in"):
        world.pilot.unplug(at_car=True)


def test_after_the_end_nothing_is_said(world):
    world.pilot.plug()
    world.pilot.offer(16)
    world.pilot.close()
    world.clock.advance(10)
    world.pilot.unplug()
    assert world.states == "AB"
    assert world.clock.next_due() is None


# -- how pilots report --------------------------------------------------------------------------------------


class Told:
    def __init__(self):
        self.now = 0.0
        self.said = []
        self.voice = PilotVoice(8000.0, lambda: self.now)  # its own thread asks too late for any test
        self.voice.start(self.said.append)


def test_each_change_is_told_once():
    told = Told()
    told.voice.hear(PilotSaid("A"))
    told.voice.hear(PilotSaid("A"))
    told.voice.hear(PilotSaid("B"))
    assert told.said == [PilotSaid("A"), PilotSaid("B")]
    told.voice.close()


def test_silence_is_told_once_and_ends_with_a_word():
    told = Told()
    told.voice.hear(PilotSaid("C"))
    told.now = 8000
    told.voice.check()
    assert told.said == [PilotSaid("C")]
    told.now = 8001
    told.voice.check()
    told.voice.check()
    assert told.said == [PilotSaid("C"), SILENT]
    told.voice.hear(PilotSaid("C"))
    assert told.said == [PilotSaid("C"), SILENT, PilotSaid("C")]
    told.voice.close()


def test_silence_from_the_beginning_is_told_too():
    told = Told()
    told.now = 8001
    told.voice.check()
    assert told.said == [SILENT]
    told.voice.close()


def test_after_the_end_it_is_quiet():
    told = Told()
    told.voice.close()
    told.voice.hear(PilotSaid("A"))
    told.now = 9000
    told.voice.check()
    assert told.said == []


def test_a_thread_of_its_own_notices():
    said = queue.Queue()
    voice = PilotVoice(0.05)
    voice.start(said.put)
    assert said.get(timeout=10) == SILENT
    voice.close()
