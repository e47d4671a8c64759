"""Control pilot and contactor: IEC 61851-1 timing (digest §7.1, §7.2, §7.4)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from rig import Rig

from charger import ports
from charger.statechart.event import Event


def commands(rig: Rig, kind: type, connector: int = 1) -> list[tuple[float, Any]]:
    return [
        (step.event.moment.monotonic, command)
        for step in rig.steps
        for command in step.commands
        if isinstance(command, kind) and command.connector == connector
    ]


def offers(rig: Rig) -> list[tuple[float, float | None]]:
    return [(at, command.amps) for at, command in commands(rig, ports.OfferCurrent)]


def closed(rig: Rig, connector: int = 1) -> bool:
    return bool(rig.hardware.describe(connector)["contactor"] == "closed")


def test_nothing_is_offered_without_a_transaction() -> None:
    """Digest §7.1: x1, steady +12 V."""
    rig = Rig()
    rig.plug()
    rig.after(100)
    assert rig.hardware.describe(1)["pilot_amps"] == 0


def test_what_the_installation_allows_is_offered() -> None:
    """Digest §7.3: the smallest of all limits."""
    rig = Rig()
    rig.limit(1, 13)
    rig.session()
    assert rig.hardware.describe(1)["pilot_amps"] == 13


def test_the_contactor_closes_within_3_s_after_the_car_asked() -> None:
    """Table A.6, sequence 4."""
    rig = Rig()
    rig.session()
    asked = next(s.event.moment.monotonic for s in rig.steps if s.event.name == "ev.ready")
    shut = next(s.event.moment.monotonic for s in rig.steps if s.event.name == "contactor.closed")
    assert 0 <= shut - asked <= 3


def test_the_contactor_opens_at_once_when_the_car_stops() -> None:
    """Sequence 8.1: within 100 ms; the command leaves in the same step."""
    rig = Rig()
    rig.session()
    rig.hardware.simulate("ev", 1, {"state": "suspended"})
    rig.driver.pump()
    assert not closed(rig)


def test_the_contactor_opens_at_once_when_the_plug_is_out() -> None:
    """Sequence 2.x: within 100 ms."""
    rig = Rig()
    rig.session()
    rig.driver.post(rig.steps[-1].event.__class__("cable.unplugged", 1))
    rig.driver.pump()
    assert not closed(rig)


def test_the_contactor_opens_at_once_when_the_lock_is_open() -> None:
    """Digest §7.4: closing with an unconfirmed lock is forbidden, staying closed as well."""
    rig = Rig()
    rig.session()
    rig.driver.post(rig.steps[-1].event.__class__("lock.released", 1))
    rig.driver.pump()
    assert not closed(rig)


def test_at_the_end_the_car_stops_first() -> None:
    """Sequence 10: the offer is withdrawn, the car stops drawing, then the contactor opens."""
    rig = Rig(simulation={"car_delay": 1.5})
    rig.plug()
    rig.swipe()
    rig.after(5)
    at = rig.clock.now().monotonic
    rig.swipe()
    assert rig.hardware.describe(1)["pilot_amps"] == 0
    assert closed(rig)
    rig.after(5)
    opened = [when for when, _ in commands(rig, ports.OpenContactor) if when > at]
    assert opened[0] == pytest.approx(at + 1.5, abs=0.1)


def test_a_car_that_does_not_stop_is_cut_off_after_6_s() -> None:
    """Sequence 10.2: still in C1 after 6 s: open under load."""
    rig = Rig()
    rig.session()
    rig.hardware._car_delay = 100.0
    at = rig.clock.now().monotonic
    rig.swipe()
    rig.after(4.9)
    assert closed(rig)
    rig.after(0.2)
    assert not closed(rig)
    opened = [when for when, _ in commands(rig, ports.OpenContactor) if when > at]
    assert opened[0] == pytest.approx(at + 6, abs=0.01)
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] in ([], ["Local"])
    rig.after(2)
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["Local"]


def test_a_pause_by_the_station_stops_the_car_first_too() -> None:
    """SuspendedEVSE: the contactor opens when the car has stopped, or after 6 s."""
    rig = Rig()
    rig.session()
    rig.hardware._car_delay = 100.0
    rig.limit(1, 0)
    rig.after(5.9)
    assert closed(rig)
    rig.after(0.2)
    assert not closed(rig)


def test_x1_lasts_at_least_3_s_before_the_next_offer() -> None:
    """Digest §7.2: minimum time in x1 before PWM again."""
    rig = Rig()
    rig.session()
    rig.limit(1, 0)
    rig.after(1)
    rig.limit(1, 16)
    rig.after(10)
    (_, first), (gone, nothing), (again, amps) = offers(rig)[-4:-2] + offers(rig)[-1:]
    assert (first, nothing, amps) == (32, 0, 16)
    assert again - gone >= 3
    assert rig.status() == "Charging"


def test_the_duty_cycle_changes_at_most_every_5_s() -> None:
    """Digest §7.2: and the last value wins."""
    rig = Rig()
    rig.session()
    for amps in (20, 10, 25, 16):
        rig.limit(1, amps)
        rig.after(1)
    rig.after(20)
    changed = [(at, amps) for at, amps in offers(rig) if amps]
    assert all(later - earlier >= 5 for (earlier, _), (later, _) in pairwise(changed))
    assert changed[-1][1] == 16
    assert rig.told()[-1] == "Charging"


def test_the_last_value_wins_while_the_car_draws() -> None:
    """Digest §7.2, from a duty cycle that has been steady for long."""
    rig = Rig()
    rig.session()
    rig.after(60)
    assert rig.state("pilot", 1) == "Steady"
    at = rig.clock.now().monotonic
    rig.limit(1, 20)
    rig.limit(1, 10)
    rig.after(6)
    assert offers(rig)[-2:] == [(at, 20), (at + 5, 10)]


def test_a_car_that_changes_its_mind_all_the_time_does_not_wear_out_the_contactor() -> None:
    """Study 5, WARP: 5 s between two times in state C; PWM goes on."""
    rig = Rig()
    rig.session()
    for _ in range(20):
        rig.hardware.simulate("ev", 1, {"state": "suspended"})
        rig.after(0.5)
        rig.hardware.simulate("ev", 1, {"state": "ready"})
        rig.after(0.5)
    rig.after(10)
    shut = [at for at, _ in commands(rig, ports.CloseContactor)]
    opened = [at for at, _ in commands(rig, ports.OpenContactor)]
    assert len(shut) == 5
    for at in shut[1:]:
        assert at - max(moment for moment in opened if moment < at) >= 5
    assert [amps for _, amps in offers(rig) if not amps][1:] == []
    assert rig.status() == "Charging"


def test_an_ev_that_says_again_that_it_asks_for_nothing_has_not_paused() -> None:
    """Hardware may tell state B anew, after state F for instance: the car is still taken for asleep."""
    rig = Rig()
    sleeping(rig)
    rig.driver.post(Event("ev.paused", 1))
    rig.after(85)
    assert rig.state("pilot", 1) == "Calling"
    rig.after(6)
    assert rig.state("pilot", 1) == "Waking"


def test_the_end_of_the_transaction_in_such_a_pause() -> None:
    """Withdrawn at once."""
    rig = Rig()
    rig.session()
    rig.act("ev", 1, state="suspended")
    assert rig.state("pilot", 1) == "Pausing"
    rig.swipe()
    assert rig.hardware.describe(1)["pilot_amps"] == 0


def test_a_fault_in_such_a_pause_shows_state_f() -> None:
    """Digest §7.1."""
    rig = Rig()
    rig.session()
    rig.act("ev", 1, state="suspended")
    assert rig.state("pilot", 1) == "Pausing"
    rig.act("fault", 1, error_code="GroundFailure")
    assert rig.hardware.describe(1)["pilot_amps"] is None


def sleeping(rig: Rig) -> float:
    """A car that does not answer to the offer; the moment of the offer."""
    rig.plug()
    rig.act("ev", 1, state="suspended")
    rig.swipe()
    rig.until(lambda: rig.state("pilot", 1) == "Fresh")
    return offers(rig)[-1][0]


def test_a_car_that_sleeps_is_woken_up_twice() -> None:
    """Study 5, WARP: state F for 4 s after 90 s in B2, and once more after 30 s."""
    rig = Rig()
    at = sleeping(rig)
    rig.after(600)
    told = [(round(when - at, 3), amps) for when, amps in offers(rig) if when >= at]
    assert told == [(0, 32), (90, None), (94, 32), (124, None), (128, 32)]
    assert rig.status() == "SuspendedEV"


def test_a_car_that_wakes_up_charges() -> None:
    """What it is for."""
    rig = Rig()
    sleeping(rig)
    rig.until(lambda: rig.state("pilot", 1) == "Waking", most=100, step=0.5)
    rig.hardware.simulate("ev", 1, {"state": "ready"})
    rig.after(3)
    assert not closed(rig)
    rig.after(3)
    assert rig.status() == "Charging"
    assert closed(rig)


def test_limits_that_change_do_not_keep_a_car_asleep() -> None:
    """It is 90 s of the offer, not of one value of it."""
    rig = Rig()
    at = sleeping(rig)
    for amps in (10, 11, 12, 13, 14, 15):
        rig.limit(1, amps)
        rig.after(20)
    assert (round(offers(rig)[-1][0] - at), rig.state("pilot", 1)) != (0, "Fresh")
    assert any(amps is None and round(when - at) == 90 for when, amps in offers(rig))


def test_a_car_that_has_charged_is_left_alone() -> None:
    """It is full, or waits for its own time."""
    rig = Rig()
    rig.session()
    rig.act("ev", 1, state="suspended")
    at = rig.clock.now().monotonic
    rig.after(3600)
    assert [amps for when, amps in offers(rig) if when > at] == []


def test_a_car_that_has_answered_is_left_alone_at_a_new_limit_too() -> None:
    """It is known to be awake as long as the offer lasts."""
    rig = Rig()
    rig.session()
    rig.after(10)
    rig.act("ev", 1, state="suspended")
    rig.after(10)
    rig.limit(1, 10)
    at = rig.clock.now().monotonic
    rig.after(3600)
    assert [amps for when, amps in offers(rig) if when > at] == []


def test_after_a_pause_by_the_station_a_car_is_woken_up_again() -> None:
    """A car that was kept waiting for the sun sleeps in the morning."""
    rig = Rig()
    rig.session()
    rig.limit(1, 0)
    rig.after(3600)
    rig.act("ev", 1, state="suspended")
    rig.limit(1, 16)
    at = rig.clock.now().monotonic
    rig.after(200)
    assert [round(when - at) for when, amps in offers(rig) if when > at and amps is None] == [90, 124]


def test_a_car_that_is_being_woken_up_when_the_transaction_ends() -> None:
    """Steady +12 V at once."""
    rig = Rig()
    sleeping(rig)
    rig.until(lambda: rig.state("pilot", 1) == "Waking", most=100, step=0.5)
    rig.swipe()
    assert rig.hardware.describe(1)["pilot_amps"] == 0


def test_a_fault_shows_state_f_at_once_and_for_300_ms_at_least() -> None:
    """Table A.5: the pulse tells the car."""
    rig = Rig()
    rig.session()
    rig.hardware.simulate("fault", 1, {"error_code": "GroundFailure"})
    rig.driver.pump()
    assert rig.hardware.describe(1)["pilot_amps"] is None
    rig.hardware.simulate("clear_fault", 1, {})
    rig.after(0.29)
    assert rig.hardware.describe(1)["pilot_amps"] is None
    rig.after(5)
    assert rig.hardware.describe(1)["pilot_amps"] == 32
    assert rig.status() == "Charging"


def test_state_f_stays_as_long_as_the_fault() -> None:
    """Digest §7.1: EVSE not available."""
    rig = Rig()
    rig.act("fault", 1, error_code="GroundFailure")
    rig.after(100)
    assert rig.hardware.describe(1)["pilot_amps"] is None


def test_a_fault_while_the_car_is_being_stopped_shows_state_f() -> None:
    """Digest §7.2: no 6 s of patience with a fault."""
    rig = Rig(simulation={"car_delay": 4.0})
    rig.plug()
    rig.swipe()
    rig.after(10)
    rig.swipe()
    assert rig.state("pilot", 1) == "Withdrawing"
    rig.hardware.simulate("fault", 1, {"error_code": "GroundFailure"})
    rig.driver.pump()
    assert rig.hardware.describe(1)["pilot_amps"] is None
    assert not closed(rig)


def test_a_fault_in_the_rest_after_a_pause_shows_state_f() -> None:
    """After the 3 s of x1."""
    rig = Rig()
    rig.session()
    rig.limit(1, 0)
    rig.after(1)
    assert rig.state("pilot", 1) == "Resting"
    rig.act("fault", 1, error_code="GroundFailure")
    rig.after(3)
    assert rig.hardware.describe(1)["pilot_amps"] is None


def test_an_outlet_out_of_operation_shows_state_f() -> None:
    """Digest §7.1."""
    rig = Rig()
    rig.call("ChangeAvailability", connectorId=1, type="Inoperative")
    assert rig.hardware.describe(1)["pilot_amps"] is None
    rig.call("ChangeAvailability", connectorId=1, type="Operative")
    rig.after(1)
    assert rig.hardware.describe(1)["pilot_amps"] == 0


def test_a_car_that_changes_its_mind_while_the_contactor_closes() -> None:
    """It opens again; nothing is faulty."""
    rig = Rig(simulation={"contactor_delay": 0.4})
    rig.plug()
    rig.hardware.simulate("swipe", None, {"id_tag": "TAG"})
    rig.until(lambda: rig.state("power", 1) == "Closing")
    rig.hardware.simulate("ev", 1, {"state": "suspended"})
    rig.after(1)
    assert rig.state("power", 1) == "Open"
    rig.act("ev", 1, state="ready")
    rig.after(4)  # the coil was energised: it rests
    assert closed(rig)


def test_the_contactor_is_opened_at_every_start() -> None:
    """Nobody knows what the crash left behind."""
    rig = Rig()
    assert [command for _, command in commands(rig, ports.OpenContactor)] == [ports.OpenContactor(1)]


def test_the_contactor_never_closes_without_a_locked_plug() -> None:
    """Digest §7.4, watched over a session with every hardware delay doubled."""
    rig = Rig(simulation={"lock_delay": 1.0, "car_delay": 0.01, "contactor_delay": 0.2})
    rig.plug()
    rig.hardware.simulate("swipe", None, {"id_tag": "TAG"})
    while rig.status() != "Charging":
        rig.after(0.01)
        here = rig.hardware.describe(1)
        assert here["contactor"] == "open" or here["lock"] == "engaged"
