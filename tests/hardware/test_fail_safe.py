"""What must open the contactor although the program cannot: a blocked event loop, a chart that raises, SIGSTOP.

The boards are of mock pins (board_kit.py). The first two rows run on real threads; nothing sleeps, and every wait
is for something that happens.
"""

import asyncio
import os
import select
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from board_kit import BOARD, PLAIN, World, mock_pins
from board_rig import BoardRig

from charger.app import App
from charger.board import Board, Contact
from charger.clock import MonotonicClock, VirtualClock
from charger.functions.situation import ConnectorPlan
from charger.hardware import gpio
from charger.hardware.build import build
from charger.loading import read_station
from charger.ports import CloseContactor
from charger.settings import shipped
from charger.statechart.event import Event

SOON = 20.0
"""s of patience with a slow machine. Nothing takes so long."""


# -- a blocked event loop ------------------------------------------------------------------------------------


def test_a_blocked_event_loop_opens_and_an_interlock_needs_none():
    """The loop stands in the middle of a callback; guard and GPIO callbacks have threads of their own."""
    world = Threads(PLAIN)
    loop = threading.Thread(target=world.run)
    loop.start()
    try:
        assert world.closed.wait(SOON), world.events
        assert world.blocked.wait(SOON)
        assert world.opened.wait(SOON), "the guard waited for the loop"
        assert not world.go_on.is_set(), "the loop was still blocked"
        assert not any(event.name == "interlock.lost" for event in world.events), "nobody could be told yet"
    finally:
        world.go_on.set()
        loop.join(SOON)
    assert {"interlock": "silent"} in [event.fields for event in world.events]
    assert not world.coil._state, "and it stays open"


def test_an_edge_opens_while_the_event_loop_is_blocked():
    world = Threads(replace(PLAIN, patience=10.0))
    loop = threading.Thread(target=world.run)
    loop.start()
    try:
        assert world.closed.wait(SOON)
        assert world.blocked.wait(SOON)
        world.stop.drive_high()
        assert not world.coil._state, "in the thread of the edge, before it returned"
    finally:
        world.go_on.set()
        loop.join(SOON)
    assert {"interlock": "emergency_stop"} in [event.fields for event in world.events]


class Threads:
    """A board in real time: an event loop that closes the contactor and then stands still until `go_on`."""

    def __init__(self, plan):
        self.closed, self.blocked, self.opened, self.go_on = (threading.Event() for _ in range(4))
        self.events = []
        self.plan = plan
        self.factory = mock_pins()
        self.coil, self.mirror, self.stop = (self.factory.pin(f"GPIO{n}") for n in (10, 11, 3))
        self.coil.driven = self._contactor
        self.mirror.drive_low()
        self.stop.drive_low()

    def _contactor(self, high):
        self.mirror.drive(high)
        (self.closed if high else self.opened).set()

    def run(self):
        asyncio.run(self._live())

    async def _live(self):
        loop = asyncio.get_running_loop()
        hardware = build(
            self.plan,
            (ConnectorPlan(fixed=True),),
            self.factory,
            clock=MonotonicClock(),
            soon=loop.call_soon_threadsafe,
            car_delay=0.2,
        )
        told = asyncio.Event()

        def post(event):
            self.events.append(event)
            if event.name == "interlock.lost":
                told.set()

        hardware.start(post)
        hardware.perform(CloseContactor(1))
        loop.call_soon(self._block)
        async with asyncio.timeout(SOON):
            await told.wait()
        await hardware.close()

    def _block(self):
        self.blocked.set()
        self.go_on.wait(SOON)


# -- a chart that raises -------------------------------------------------------------------------------------


def test_an_exception_in_a_chart_opens_and_the_new_station_finds_its_wires():
    rig = BoardRig()
    rig.session()
    assert rig.world.coil()
    rig.driver.post(Event("meter.sampled", 1))  # its report raises: the fields are missing
    rig.driver.pump()
    assert not rig.world.coil(), "before anything else is done"
    rig.after(10)
    assert not rig.world.coil(), "InternalError forbids"
    assert "InternalError" in rig.driver.station.situation.faults
    assert rig.driver.station.situation.connectors[1].cable, "told again"
    assert rig.driver.station.situation.connectors[1].contactor == "open"


# -- a whole session on a board ------------------------------------------------------------------------------


def test_a_session_with_the_shipped_charts_on_a_board():
    rig = BoardRig()
    rig.session()
    assert rig.world.coil()
    assert rig.hardware.describe(1)["lock"] == "engaged"
    rig.swipe()
    rig.after(10)
    assert not rig.world.coil()
    rig.hardware.simulate("unplug", 1, {})
    rig.after(10)
    assert rig.status() == "Available"
    assert rig.hardware._failures == []


def _without_mirror(world):
    world.pin(11).broken = True


def _without_edges(world):
    world.factory.threads = (threading.Thread(),)


@pytest.mark.parametrize("breaks", [_without_mirror, _without_edges])
def test_a_board_that_cannot_be_relied_on_at_the_start_is_no_station_that_is_available(breaks):
    rig = BoardRig(breaks=breaks)
    rig.after(3)
    assert rig.status() == "Faulted"
    assert [fault["error_code"] for fault in rig.driver.station.status()["faults"]] == ["InternalError"]
    rig.after(90)
    assert rig.driver.restart, "the next start may find it well"


def test_the_emergency_stop_ends_the_current_before_the_charts_hear_of_it():
    rig = BoardRig()
    rig.session()
    rig.world.touch(rig.world.board.emergency_stop, active=True)
    assert not rig.world.coil()
    assert rig.status() == "Charging", "the charts know nothing yet"
    rig.after(2)
    assert rig.status() == "Faulted"
    rig.world.touch(rig.world.board.emergency_stop, active=False)
    rig.world.hardware.perform(CloseContactor(1))
    assert rig.world.coil(), "the guard itself has nothing against it: that is the charts' business"


def test_a_trip_that_is_over_before_it_is_believed_is_no_reason_to_close_again():
    """Without voltage nothing leaks, so the monitor is well within the debouncing of its contact."""
    rig = BoardRig()
    rig.session()
    rig.world.leak()
    rig.after(0.01)
    rig.world.leak(on=False)
    rig.after(10)
    assert not rig.world.coil()
    assert rig.state("residual_current", 1) == "Latched"
    assert not rig.driver.station.situation.connectors[1].residual_current, "it is told that it is over, too"


def test_an_emergency_stop_that_was_touched_for_a_moment_is_no_reason_to_close_again():
    rig = BoardRig()
    rig.session()
    rig.world.touch(rig.world.board.emergency_stop, active=True)
    rig.after(0.01)
    rig.world.touch(rig.world.board.emergency_stop, active=False)
    rig.after(10)
    assert not rig.world.coil()
    assert rig.state("emergency", 1) == "Stopped"


# -- SIGSTOP -------------------------------------------------------------------------------------------------

PROGRAM = """
import asyncio, os, sys
sys.path[:0] = [{here!r}]
from board_kit import PLAIN, mock_pins
from charger.clock import MonotonicClock, VirtualClock
from charger.functions.situation import ConnectorPlan
from charger.hardware.build import build
from charger.ports import CloseContactor

async def live():
    factory = mock_pins()
    coil, mirror, stop, life = (factory.pin(f"GPIO{{n}}") for n in (10, 11, 3, 2))
    mirror.drive_low(); stop.drive_low()
    def contactor(high):
        os.write(1, b"C" if high else b"c")
        mirror.drive(high)
    coil.driven = contactor
    life.driven = lambda high: os.write(1, b".")
    hardware = build(PLAIN, (ConnectorPlan(fixed=True),), factory, clock=MonotonicClock(),
                     soon=asyncio.get_running_loop().call_soon_threadsafe, car_delay=0.2)
    hardware.start(lambda event: None)
    hardware.perform(CloseContactor(1))
    await asyncio.Event().wait()

asyncio.run(live())
"""


def test_a_stopped_process_has_no_pulse_and_opens_before_the_next_one():
    """What a monostable on the life output sees: it is what opens while the process is stopped.

    Software that does not run does nothing. What it can do is to end its pulses with itself, and not to let them
    begin again, which would close the monostable, before the coil is off.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(here=str(Path(__file__).parent))], stdout=subprocess.PIPE
    )
    try:
        seen = b""
        while seen.count(b".") < 4 or b"C" not in seen:
            seen += read(process)
        assert b"c" not in seen
        os.kill(process.pid, signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        while ready(process, 0):
            read(process)
        assert not ready(process, PLAIN.patience + 0.1), "a stopped process has a pulse"
        os.kill(process.pid, signal.SIGCONT)
        after = read(process)
        while b"." not in after:
            after += read(process)
        assert after.startswith(b"c"), f"it pulsed before it opened: {after!r}"
        assert b"C" not in after
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def ready(process, seconds):
    return bool(select.select([process.stdout], [], [], seconds)[0])


def read(process):
    assert ready(process, SOON), "the program does not go on"
    found = os.read(process.stdout.fileno(), 4096)
    assert found, "the program has ended"
    return found


# -- the program ---------------------------------------------------------------------------------------------

STATION = """
id: CP001
vendor: Example
model: Board
central: {url: "ws://127.0.0.1:1/ocpp"}
panel: off
hardware: gpio
connectors: [{cable: fixed}]
board:
  life: 16
  emergency_stop: {pin: 6}
  connectors:
    - contactor: 17
      mirror: {pin: 27}
      pilot: {type: simulated}
"""


@pytest.mark.parametrize("ends", ["told to", "by a failure"])
def test_the_program_builds_the_board_and_leaves_it_dark(tmp_path, monkeypatch, ends):
    (tmp_path / "station.yaml").write_text(STATION)
    factory = mock_pins()
    pins = {number: factory.pin(f"GPIO{number}") for number in (6, 16, 17, 27)}
    pins[6].drive_low()
    pins[27].drive_low()
    pins[17].driven = pins[27].drive
    factory.closed = []
    monkeypatch.setattr(factory, "close", lambda: factory.closed.append(True))
    monkeypatch.setattr(gpio, "open_chip", lambda label: factory)
    read_ = read_station(tmp_path / "station.yaml")
    app = App(read_.settings, read_.checked)
    pulses = threading.Event()
    pins[16].driven = lambda high: pulses.set()

    async def live():
        run = asyncio.create_task(app.run())
        assert await asyncio.to_thread(pulses.wait, SOON)
        app._hardware.perform(CloseContactor(1))
        assert pins[17]._state
        if ends == "told to":
            app._stop()
        else:
            app._failure = RuntimeError("the page cannot come up")
            app._wake.set()
        async with asyncio.timeout(SOON):
            await run

    if ends == "told to":
        asyncio.run(live())
    else:
        with pytest.raises(RuntimeError, match="the page"):
            asyncio.run(live())
    assert factory.closed
    assert not pins[17]._state
    assert True in [state.state for state in pins[17].states]


def test_the_station_that_is_shipped_for_a_raspberry_pi_is_built():
    """All of its parts, although none of its devices is there. Its contacts are closed, as mock pins are low."""
    read_ = read_station(shipped("stations") / "raspberry-pi.yaml")
    plan, factory, clock = read_.settings.board, mock_pins(), VirtualClock()
    events = []
    hardware = build(
        plan,
        read_.settings.plans,
        factory,
        clock=clock,
        soon=lambda then: clock.start(str(id(then)), 0, lambda _key: then()),
        car_delay=0.2,
    )
    assert not hardware.simulated
    hardware.start(events.append)
    hardware.perform(CloseContactor(1))
    assert factory.pin("GPIO17")._state
    assert [event.name for event in events] == ["contactor.opened", "lock.engaged"]
    asyncio.run(hardware.close())
    assert not factory.pin("GPIO17")._state
    assert not any(holders for holders in factory._reservations.values())


def test_a_board_that_cannot_be_had_lets_go_of_what_it_had():
    """Two parts on one pin: settings refuse that; here it shows that nothing is left claimed."""
    world = World()
    world.end()
    wrong = Board(outlets=BOARD.outlets, emergency_stop=Contact(10))
    factory = mock_pins()
    with pytest.raises(gpio.HardwareError, match="GPIO 10"):
        build(
            wrong,
            (ConnectorPlan(),),
            factory,
            clock=world.clock,
            soon=lambda then: None,
            car_delay=0.2,
        )
    assert not any(holders for holders in factory._reservations.values())
