"""The guard: closes only while every interlock holds, opens at once and by itself, and tells.

No fixtures, so that test_guard_mutants.py can call every test with another guard in `module`.
"""

import threading

import pytest
from guard_kit import Bench as TheBench
from guard_kit import Coil, Wire
from hypothesis import given, settings
from hypothesis import strategies as st

from charger.hardware import guard as module


def Bench(**given):  # noqa: N802 - stands for the class, with the guard that is tested now
    return TheBench(module, **given)


# -- closing -------------------------------------------------------------------------------------------------


def test_it_closes_when_asked_and_opens_when_asked():
    bench = Bench().closed()
    bench.guard.open()
    assert not bench.coil.on
    bench.wait(0.2)
    assert bench.told() == ["opened"]


def test_it_does_not_close_unasked():
    bench = Bench()
    bench.wait(5)
    assert True not in bench.coil.levels
    assert bench.told() == []


def test_to_close_what_is_closed_changes_nothing():
    bench = Bench().closed()
    bench.guard.close()
    bench.wait(3)
    assert bench.coil.on
    assert bench.coil.levels.count(True) == 1
    assert bench.told() == []


def test_to_close_what_is_closed_looks_all_the_same():
    bench = Bench().closed()
    bench.stop.on = True
    bench.guard.close()
    assert not bench.coil.on
    assert bench.told() == ["emergency_stop"]


def test_without_a_mirror_contact_the_coil_is_believed():
    bench = Bench(mirror=False)
    bench.follows = False
    bench.guard.close()
    bench.wait(5)
    assert bench.coil.on
    assert bench.told() == ["closed"]
    bench.guard.open()
    bench.wait(5)
    assert bench.told() == ["opened"]
    bench.guard.close()
    assert bench.coil.on


def press(bench):
    bench.stop.on = True


def trip(bench):
    bench.residual.on = True


def cut_stop(bench):
    bench.stop.broken = True


def cut_residual(bench):
    bench.residual.broken = True


def cut_mirror(bench):
    bench.mirror.broken = True


def deafen(bench):
    bench.edges = False


def hush(bench):
    bench.time += 2.01
    bench.patrol._own.give()


def doze(bench):
    bench.time += 2.01
    bench.patrol._core.give()


def stick(bench):
    bench.coil.refuses = {True}


def mend(bench):
    """Everything is as it should be again."""
    for wire in (bench.stop, bench.residual, bench.mirror):
        wire.broken = False
    bench.stop.on = bench.residual.on = False
    bench.edges = bench.follows = True
    bench.coil.refuses = set()
    bench.wait(0.2)


LOST = [
    (press, "emergency_stop"),
    (trip, "residual_current"),
    (cut_stop, "emergency_stop"),
    (cut_residual, "residual_current"),
    (cut_mirror, "mirror"),
    (deafen, "deaf"),
    (hush, "silent"),
    (doze, "asleep"),
]
"""The rows of the fault table that the guard sees: what happens, and the word for it."""


@pytest.mark.parametrize(("happens", "word"), [*LOST, (stick, "coil")])
def test_it_does_not_close_while_something_is_lost(happens, word):
    bench = Bench()
    happens(bench)
    bench.guard.close()
    assert True not in bench.coil.levels
    assert bench.told() == [word]
    mend(bench)
    assert not bench.coil.on, "it closed by itself"
    bench.closed()


@pytest.mark.parametrize(("happens", "word"), LOST)
def test_it_opens_at_the_first_look_when_something_is_lost(happens, word):
    bench = Bench().closed()
    happens(bench)
    bench.guard.look()
    assert not bench.coil.on
    assert bench.told() == [word]
    mend(bench)
    bench.wait(5)
    assert not bench.coil.on, "it closed by itself"
    assert bench.told() == ["opened"]
    bench.closed()


def test_it_opens_before_it_tells():
    bench = Bench().closed()
    levels = []
    bench.guard._told = lambda word: levels.append(bench.coil.on)
    bench.edge(bench.stop)
    assert levels == [False]


def test_it_tells_once():
    bench = Bench().closed()
    bench.edge(bench.stop)
    bench.wait(5)
    assert bench.told() == ["emergency_stop", "opened"]


def test_what_is_lost_while_it_is_open_is_nobodys_business():
    bench = Bench()
    bench.edge(bench.stop)
    bench.wait(1)
    assert bench.told() == []


def test_an_interlock_that_was_lost_for_a_moment_keeps_it_open():
    bench = Bench().closed()
    bench.edge(bench.stop)
    bench.edge(bench.stop, on=False)
    bench.wait(5)
    assert not bench.coil.on
    assert bench.told() == ["emergency_stop", "opened"]


def test_a_listener_that_raises_keeps_nobody_from_work():
    bench = Bench().closed()

    def raises(word):
        raise RuntimeError("the loop is closed")

    bench.guard._told = raises
    bench.edge(bench.stop)
    assert not bench.coil.on
    bench.wait(1)
    assert len(bench.life.levels) > 20


# -- life ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("patience", [0.5, 2.0, 10.0])
def test_a_silent_core_is_opened_after_the_declared_time(patience):
    bench = Bench(patience=patience).closed()
    bench.wait(patience - 0.05, core=False)
    assert bench.coil.on
    bench.wait(0.15, core=False)
    assert not bench.coil.on
    assert bench.told() == ["silent"]
    bench.wait(5)
    assert not bench.coil.on
    assert bench.told() == ["opened"]
    bench.closed()


def test_a_core_that_never_lived_closes_nothing():
    bench = Bench(started=False)
    bench.patrol.round()
    bench.guard.close()
    assert bench.told() == ["silent"]
    assert not bench.coil.on


def test_a_patrol_that_never_went_closes_nothing():
    bench = Bench(started=False)
    bench.patrol.alive()
    bench.guard.close()
    assert bench.told() == ["asleep"]
    assert not bench.coil.on


def test_a_core_that_wakes_up_does_not_cover_its_silence():
    bench = Bench().closed()
    bench.time += 2.01
    bench.patrol._own.give()
    bench.patrol.alive()
    assert not bench.coil.on
    assert bench.told() == ["silent"]


def test_a_patrol_that_died_is_noticed_by_the_core():
    bench = Bench().closed()
    bench.wait(1.9, patrol=False)
    assert bench.coil.on
    bench.wait(0.3, patrol=False)
    assert not bench.coil.on
    assert "asleep" in bench.told()


def test_a_patrol_that_wakes_up_does_not_cover_its_sleep():
    bench = Bench().closed()
    bench.time += 1.9
    bench.patrol.alive()
    bench.time += 0.15
    bench.patrol.round()
    assert not bench.coil.on
    assert bench.told() == ["asleep"]


@pytest.mark.parametrize("first", ["round", "alive"])
def test_after_a_pause_of_the_whole_process_it_opens_before_the_life_output_pulses(first):
    bench = Bench().closed()
    bench.time += 2.01
    pulses = len(bench.life.levels)
    seen = []
    bench.life.call = lambda: seen.append(bench.coil.on)
    getattr(bench.patrol, first)()
    assert not bench.coil.on
    assert len(bench.life.levels) == pulses or seen[0] is False
    bench.wait(1)
    assert not bench.coil.on
    assert not any(seen)


def test_after_a_pause_in_the_middle_of_a_round_there_is_no_pulse_either():
    bench = Bench().closed()
    pulses = len(bench.life.levels)
    give = bench.patrol._own.give

    def stopped():
        give()
        bench.time += 2.01

    bench.patrol._own.give = stopped
    bench.patrol.round()
    assert len(bench.life.levels) == pulses
    bench.patrol._own.give = give
    bench.patrol.round()
    assert not bench.coil.on


def test_the_life_output_has_an_edge_every_round_while_all_is_well():
    bench = Bench()
    bench.life.levels.clear()
    bench.wait(1)
    assert bench.life.levels == [False, True] * 10


@pytest.mark.parametrize(
    "happens",
    [deafen, hush, lambda bench: bench.coil.refuses.add(False)],
    ids=["deaf", "silent", "the coil does not answer"],
)
def test_without_the_means_to_open_there_is_no_pulse(happens):
    bench = Bench().closed()
    happens(bench)
    bench.guard.open()
    bench.life.levels.clear()
    bench.wait(1, core=happens is not hush)
    assert bench.life.levels == []
    mend(bench)
    bench.life.levels.clear()
    bench.wait(1)
    assert len(bench.life.levels) == 20


def test_a_lost_interlock_is_no_reason_to_cut_the_other_contactors():
    bench = Bench()
    bench.edge(bench.stop)
    bench.life.levels.clear()
    bench.wait(1)
    assert len(bench.life.levels) == 20


def test_an_untested_guard_has_no_pulse():
    bench = Bench(tested=False)
    bench.wait(1)
    assert bench.life.levels == []


def test_a_life_output_that_does_not_answer_harms_nobody():
    bench = Bench()
    bench.life.refuses = {True, False}
    bench.closed()
    bench.life.refuses = set()
    bench.life.levels.clear()
    bench.wait(1)
    assert len(bench.life.levels) == 20


def test_there_need_be_no_life_output():
    bench = Bench(life=False).closed()
    bench.wait(1)
    assert bench.life.levels == []


def test_one_patrol_looks_after_all():
    bench = Bench()
    coil, mirror, words = Coil(), Wire(), []
    other = bench.patrol.guard(coil, mirror, {"residual_current": bench.residual.active}, words.append)
    bench.life.levels.clear()
    bench.wait(1)
    assert bench.life.levels == [], "one of them is not tested"
    assert other.self_test() == ()
    other.close()
    bench.guard.close()
    mirror.on = True
    bench.wait(0.2)
    assert coil.on
    assert bench.coil.on
    bench.stop.on = True
    bench.patrol.look()
    assert coil.on, "it has no emergency stop"
    assert not bench.coil.on
    bench.wait(2.1, core=False)
    assert not coil.on
    assert words == ["closed", "silent"]


def test_who_is_dead():
    bench = Bench(started=False)
    assert bench.patrol.dead == "asleep"
    bench.patrol.round()
    assert bench.patrol.dead == "", "the core is another matter"
    deafen(bench)
    assert bench.patrol.dead == "deaf"


def test_it_rests_when_nothing_will_be_told():
    bench = Bench()
    assert bench.guard.rests
    bench.guard.close()
    assert not bench.guard.rests
    bench.wait(0.05)
    bench.guard.open()
    assert not bench.guard.rests, "the mirror contact has been seen closed"
    bench.wait(0.2)
    assert bench.guard.rests
    bench.told()
    bench.closed().guard.open()
    bench.mirror.on = False
    bench.guard.look()
    assert not bench.guard.rests, "not told yet"
    bench.wait(0.2)
    assert bench.guard.rests
    bench.mirror.on = True
    bench.guard.look()
    assert not bench.guard.rests, "somebody pushes it in: seen, and not told yet"


def _emergency(bench):
    bench.stop.on = True
    bench.guard.look()


@pytest.mark.parametrize("opens", [lambda bench: bench.guard.open(), _emergency])
def test_a_contactor_that_may_be_moving_does_not_rest(opens):
    """Opened before its mirror contact has moved, it may still close for as long as its drop-out takes."""
    bench = Bench()
    bench.guard.close()
    opens(bench)
    assert not bench.coil.on
    assert not bench.guard.rests
    bench.time += module.SETTLE
    assert not bench.guard.rests
    bench.time += 0.001
    assert bench.guard.rests


def test_it_rests_once_the_mirror_contact_has_been_seen_to_open():
    bench = Bench()
    bench.guard.close()
    bench.guard.open()
    bench.mirror.on = True
    bench.guard.look()
    bench.mirror.on = False
    bench.guard.look()
    assert bench.guard.rests


# -- the mirror contact --------------------------------------------------------------------------------------


def test_welded_is_told_half_a_second_after_the_coil_went_off_and_nothing_closes_then():
    bench = Bench().closed()
    bench.follows = False
    bench.guard.open()
    bench.wait(0.45)
    assert bench.told() == []
    bench.guard.close()
    assert bench.told() == ["moving"]
    assert not bench.coil.on
    bench.wait(0.1)
    assert bench.told() == ["welded"]
    bench.guard.close()
    bench.wait(5)
    assert bench.told() == ["welded"]
    assert not bench.coil.on


def test_to_open_again_and_again_does_not_put_off_welded():
    bench = Bench().closed()
    bench.follows = False
    bench.guard.open()
    for _ in range(3):
        bench.wait(0.2)
        bench.guard.open()
    assert bench.told() == ["welded"]


def test_a_contactor_that_welded_when_the_guard_opened_it_is_told_too():
    bench = Bench().closed()
    bench.follows = False
    bench.edge(bench.stop)
    bench.wait(0.45)
    assert bench.told() == ["emergency_stop"]
    bench.wait(0.1)
    assert bench.told() == ["welded"]


def test_a_contactor_that_somebody_pushes_in_is_welded():
    bench = Bench()
    bench.follows = False
    bench.wait(5)
    bench.mirror.on = True
    bench.wait(0.45)
    assert bench.told() == ["closed"]
    bench.wait(0.1)
    assert bench.told() == ["welded"]


def test_a_weld_that_broke_is_told_anew_when_it_comes_back():
    bench = Bench().closed()
    bench.follows = False
    bench.guard.open()
    bench.wait(1)
    bench.mirror.on = False
    bench.wait(1)
    assert bench.told() == ["welded", "opened"]
    bench.mirror.on = True
    bench.wait(1)
    assert bench.told() == ["closed", "welded"]


def test_dry_is_told_half_a_second_after_the_coil_went_on_and_opens():
    bench = Bench()
    bench.follows = False
    bench.guard.close()
    bench.wait(0.45)
    assert bench.coil.on
    assert bench.told() == []
    bench.wait(0.1)
    assert not bench.coil.on
    assert bench.told() == ["dry"]
    bench.wait(5)
    assert not bench.coil.on
    assert bench.told() == []
    bench.follows = True
    bench.closed()


def test_exactly_half_a_second_is_not_too_long_and_neither_is_exactly_the_patience():
    bench = Bench()
    bench.follows = False
    bench.guard.close()
    bench.time += 0.5
    bench.guard.look()
    assert bench.coil.on
    bench.mirror.on = True
    bench.time = 102.0
    bench.guard.look()
    assert bench.coil.on
    bench.time = 102.001
    bench.guard.look()
    assert not bench.coil.on


def test_it_can_close_before_anybody_looked():
    for closed, word in ((False, []), (True, ["moving"])):
        bench = Bench(started=False)
        bench.patrol._core.give()
        bench.patrol._own.give()
        bench.mirror.on = closed
        assert bench.guard.well
        bench.guard.close()
        assert bench.told() == word
        assert bench.coil.on is not closed


def test_the_time_in_which_nobody_looked_counts_for_nothing():
    bench = Bench()
    bench.time += 1
    bench.guard.close()
    assert bench.coil.on, "dry before it could move"
    bench.wait(0.1)
    bench.told()
    bench.time += 1
    bench.guard.open()
    bench.time += 0.1
    bench.guard.look()
    assert bench.told() == [], "welded before it could move"
    bench.wait(0.1)
    assert bench.told() == ["opened"]
    bench.closed()
    bench.time += 1
    cut_mirror(bench)
    bench.guard.look()
    bench.mirror.broken = False
    bench.time += 0.1
    bench.guard.look()
    assert bench.told() == ["mirror"], "welded before it could move"


def test_an_interlock_is_told_rather_than_dry():
    bench = Bench()
    bench.follows = False
    bench.guard.close()
    bench.time += 0.6
    bench.edge(bench.stop)
    assert bench.told() == ["emergency_stop"]


def test_a_contactor_that_fell_off_is_dry():
    bench = Bench().closed()
    bench.wait(5)
    bench.follows = bench.mirror.on = False
    bench.wait(0.45)
    assert bench.coil.on
    bench.wait(0.1)
    assert not bench.coil.on
    assert bench.told() == ["opened", "dry"]


def test_a_contact_that_bounces_is_not_told():
    bench = Bench()
    bench.follows = False
    bench.guard.close()
    for level in (True, False, True, False, True):
        bench.time += 0.01
        bench.edge(bench.mirror, on=level)
    assert bench.told() == []
    bench.time += 0.019
    bench.guard.look()
    assert bench.told() == []
    bench.time += 0.002
    bench.guard.look()
    assert bench.told() == ["closed"]
    assert bench.guard.says_closed
    bench.edge(bench.mirror, on=False)
    bench.time += 0.01
    bench.edge(bench.mirror, on=True)
    bench.wait(2)
    assert bench.told() == []
    assert bench.coil.on


def test_a_mirror_contact_that_cannot_be_read_for_a_moment_was_not_closed_meanwhile():
    bench = Bench()
    bench.follows = False
    bench.mirror.broken = True
    bench.wait(5)
    assert bench.told() == []
    bench.mirror.broken = False
    bench.wait(5)
    assert bench.told() == []


# -- the coil ------------------------------------------------------------------------------------------------


def test_a_coil_that_raises_when_it_closes_is_switched_off():
    bench = Bench()
    bench.coil.refuses = {True}
    bench.guard.close()
    assert bench.coil.levels[-1] is False
    assert bench.told() == ["coil"]
    assert bench.guard.well
    bench.coil.refuses = set()
    bench.wait(5)
    assert not bench.coil.on
    bench.closed()


def test_a_coil_that_cannot_be_switched_off_is_tried_again_and_not_closed():
    bench = Bench().closed()
    bench.coil.refuses = {False}
    bench.edge(bench.stop)
    assert bench.told() == ["coil", "emergency_stop"]
    assert not bench.guard.well
    bench.wait(5)
    bench.edge(bench.stop, on=False)
    bench.told()
    bench.coil.on = bench.mirror.on = bench.follows = False  # the monostable has cut it
    bench.guard.close()
    assert bench.told() == ["coil"]
    bench.coil.on, bench.follows, bench.coil.refuses = True, True, set()
    bench.guard.look()
    assert not bench.coil.on
    assert bench.guard.well
    bench.wait(1)
    bench.told()
    bench.closed()


def test_a_coil_that_cannot_be_switched_off_is_told_once():
    bench = Bench().closed()
    bench.coil.refuses = {False}
    bench.guard.open()
    bench.wait(5)
    assert bench.told() == ["coil", "welded"]


def test_an_open_contactor_is_driven_open_at_every_look():
    bench = Bench()
    bench.coil.on = True
    bench.guard.look()
    assert not bench.coil.on


# -- the self-test -------------------------------------------------------------------------------------------


def test_untested_it_does_not_close():
    bench = Bench(tested=False)
    bench.guard.close()
    assert bench.told() == ["untested"]
    assert not bench.coil.on
    assert not bench.guard.well


def live(bench):
    bench.coil.on = True


def cut_coil(bench):
    bench.coil.refuses = {"read"}


@pytest.mark.parametrize(
    ("happens", "word"),
    [
        (cut_stop, "emergency_stop"),
        (cut_residual, "residual_current"),
        (cut_mirror, "mirror"),
        (live, "coil"),
        (cut_coil, "coil"),
    ],
)
def test_what_fails_the_test_does_not_close(happens, word):
    bench = Bench(tested=False)
    happens(bench)
    assert bench.guard.self_test() == (word,)
    mend(bench)
    bench.coil.on = False
    bench.guard.close()
    assert bench.told() == ["untested"]
    assert not bench.coil.on
    assert bench.guard.self_test() == ()
    bench.closed()


def test_everything_that_fails_is_named():
    bench = Bench(tested=False)
    for happens in (cut_stop, cut_mirror, live):
        happens(bench)
    assert bench.guard.self_test() == ("emergency_stop", "mirror", "coil")


def test_an_interlock_that_is_lost_can_be_read():
    bench = Bench(tested=False)
    press(bench)
    assert bench.guard.self_test() == ()


@pytest.mark.parametrize("welded", [True, False])
def test_a_contactor_that_is_closed_at_the_start_opens_or_is_welded(welded):
    bench = Bench(tested=False, started=False)
    bench.mirror.on = True
    assert bench.guard.self_test() == ()
    assert bench.guard.says_closed
    bench.patrol.alive()
    bench.patrol.round()
    bench.guard.close()
    assert bench.told() == ["moving"]
    bench.follows = not welded
    bench.wait(1)
    assert bench.told() == ["welded" if welded else "opened"]
    assert bench.guard.says_closed is welded


# -- other threads -------------------------------------------------------------------------------------------


class Ending:
    """In the place of the event for which the patrol waits: lets it go round three times."""

    def __init__(self):
        self.waited = []

    def wait(self, seconds):
        self.waited.append(seconds)
        return len(self.waited) > 3

    def set(self):
        self.waited = None


class Joined:
    """In the place of the patrol's thread, while it runs."""

    ident = 1
    joined = 0.0

    def join(self, seconds):
        self.joined = seconds


def test_the_patrol_goes_round_every_50_ms_until_it_is_closed():
    bench = Bench()
    bench.life.levels.clear()
    bench.patrol._ended = ending = Ending()
    bench.patrol._run()
    assert ending.waited == [0.05] * 4
    assert len(bench.life.levels) == 3
    bench.patrol.close()
    assert ending.waited is None


def test_closing_waits_for_a_round_that_is_under_way_but_not_for_ever():
    bench = Bench()
    bench.patrol._thread = Joined()
    bench.patrol.close()
    assert bench.patrol._thread.joined == 1


def test_the_patrol_has_a_thread_of_its_own_that_holds_up_no_end_of_the_program():
    rounds, names = threading.Event(), set()
    bench = Bench(started=False)

    def call():
        names.add(threading.current_thread().name)
        if len(bench.life.levels) >= 4:
            rounds.set()

    bench.life.call = call
    bench.patrol.alive()
    bench.patrol.start()
    bench.guard.close()
    assert bench.coil.on, "the first round is gone before anybody may close"
    assert bench.patrol._thread.daemon
    assert rounds.wait(20)
    bench.patrol.close()
    assert names - {threading.current_thread().name} == {"guard"}


def blip(bench):
    """The emergency stop, pressed and let go again."""
    bench.edge(bench.stop)
    bench.edge(bench.stop, on=False)


ONE = {
    "closes": lambda bench: bench.guard.close(),
    "opens": lambda bench: bench.guard.open(),
    "looks": lambda bench: bench.guard.look(),
}
OTHER = {
    **ONE,
    "presses": lambda bench: bench.edge(bench.stop),
    "presses and lets go": blip,
    "cuts": cut_residual,
    "goes round": lambda bench: bench.patrol.round(),
}


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("other", OTHER)
@pytest.mark.parametrize("one", ONE)
def test_at_whatever_moment_another_thread_comes_in_between_the_coil_is_right_in_the_end(one, other, closed):
    """Every call out of the guard is a moment at which any other thread may run, for the lock is free then."""
    for moment in range(100):
        bench = Bench().closed() if closed else Bench()
        calls = 0

        def meanwhile(bench=bench, moment=moment):
            nonlocal calls
            calls += 1
            if calls == moment + 1:
                hook, bench.hook = bench.hook, None
                OTHER[other](bench)
                bench.hook = hook

        bench.hook = meanwhile
        ONE[one](bench)
        bench.hook = None
        if calls <= moment:
            break
        assert bench.coil.on is bench.guard._closed, moment
        if "closes" in (one, other) and {one, other} <= {"closes", "looks", "goes round"}:
            assert bench.coil.on, moment
        bench.guard.look()
        if bench.stop.on or bench.residual.broken or other == "opens" or "emergency_stop" in bench.words:
            assert not bench.coil.on or other == "opens" != one, moment
    assert moment > 1, "the guard called nobody"


# -- the sentence of the contract ----------------------------------------------------------------------------

WIRES = st.sampled_from(["stop", "residual", "mirror"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("close")),
        st.tuples(st.just("open")),
        st.tuples(st.just("wire"), WIRES, st.booleans()),
        st.tuples(st.just("break"), WIRES, st.booleans()),
        st.tuples(st.just("refuse"), st.sets(st.booleans())),
        st.tuples(st.just("edges"), st.sampled_from([True, True, True, False])),
        st.tuples(st.just("follow"), st.booleans()),
        st.tuples(st.just("wait"), st.sampled_from([0.001, 0.02, 0.05, 0.3, 0.6, 1.9, 2.1])),
        st.tuples(st.just("alive")),
        st.tuples(st.just("round")),
        st.tuples(st.just("well"), st.sampled_from([0.1, 0.7])),
    ),
    max_size=40,
)


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_it_is_closed_only_while_all_interlocks_hold_and_the_core_asks_and_lives(steps):
    bench = Bench()
    asked = False
    lived = went = bench.time
    contradicted = 0.0
    for word, *given_ in steps:
        before, levels = bench.coil.on, len(bench.coil.levels)
        held = holds(bench, min(lived, went))
        match word, given_:
            case "close", []:
                asked = True
                bench.guard.close()
                if held and not bench.mirror.on and not bench.coil.refuses and not before:
                    assert bench.coil.on, "nothing was in the way"
            case "open", []:
                bench.guard.open()
            case "wire", [name, on]:
                bench.edge(getattr(bench, name), on=on)
            case "break", [name, broken]:
                getattr(bench, name).broken = broken
                bench.guard.look()
            case "refuse", [levels_]:
                bench.coil.refuses = levels_
                bench.guard.look()
            case "edges", [work]:
                bench.edges = work
                bench.guard.look()
            case "follow", [follows]:
                bench.follows = follows
            case "wait", [seconds]:
                bench.time += seconds
                bench.guard.look()
            case "alive", []:
                bench.patrol.alive()
                lived = bench.time
            case "round", []:
                bench.patrol.round()
                went = bench.time
            case "well", [seconds]:
                bench.wait(seconds)
                lived = went = bench.time
        if bench.coil.on and False not in bench.coil.refuses:
            assert holds(bench, min(lived, went)), "closed although an interlock is lost"
            assert asked, "closed although nobody asked"
        if word != "close":
            assert True not in bench.coil.levels[levels:], "closed by itself"
        if not bench.coil.on and word != "close":
            asked = False
        if bench.coil.on and bench.mirror.on is False:
            contradicted = contradicted or bench.time
            assert bench.time - contradicted <= 0.5 or False in bench.coil.refuses, "dry, and still closed"
        else:
            contradicted = 0.0


def holds(bench, lived):
    """The interlocks, written down once more."""
    readable = not (bench.stop.broken or bench.residual.broken or bench.mirror.broken)
    lost = bench.stop.on or bench.residual.on or not bench.edges
    return readable and not lost and bench.time - lived <= 2.0
