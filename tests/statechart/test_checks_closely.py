"""What the rules say of less usual charts, and what they leave alone."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from chart_kit import write_set

from charger.statechart import checks
from charger.vocabulary import build

OWNER = """\
chart: socket
scope: connector
initial: Free
on: {ocpp.*: {reply: {error: NotSupported}}}
"""
DESK = """\
chart: desk
scope: station
initial: Idle
on: {ocpp.*: {reply: {error: NotSupported}}}
"""


def said(folder: Path, states: str, *, index: str = "", **more: str) -> list[str]:
    """The findings about a socket with these states, without file and column."""
    head = OWNER + textwrap.dedent(states)
    charts = {"socket": head, **{name: DESK + textwrap.dedent(text) for name, text in more.items()}}
    found = checks.check(write_set(folder, charts, index), build, "charts").findings
    return [
        f"{finding.mark.file[7:-5]}:{finding.mark.line} {finding.message} [{finding.rule}]"
        for finding in found
    ]


# -- left alone ----------------------------------------------------------------------------------------

FINE = {
    "a call that two guards answer between them": """\
        states:
          Free:
            on:
              cable.plugged: Taken
              ocpp.UnlockConnector: [{guard: ev.asks, reply: Unlocked}, {guard: not ev.asks, reply: UnlockFailed}]
          Taken: {on: {cable.unplugged: Free, ocpp.UnlockConnector: {reply: UnlockFailed}}}
        """,
    "a junction that leaves a call to whoever comes to rest": """\
        states:
          Free: {on: {cable.plugged: Asking, ocpp.UnlockConnector: {reply: Unlocked}}}
          Asking: {always: [{guard: ev.asks, target: Taken}, {target: Free}]}
          Taken: {on: {cable.unplugged: Free, ocpp.UnlockConnector: {reply: UnlockFailed}}}
        """,
    "guards that overlap, in the order in which they stand": """\
        states:
          Free: {on: {ev.ready: [{guard: offer.amps > 6, target: Taken}, {guard: cable.present, target: Free}]}}
          Taken: {on: {cable.unplugged: Free}}
        """,
    "an inner state that reacts before the one around it": """\
        states:
          Free: {on: {cable.plugged: Taken}}
          Taken:
            initial: Waiting
            on: {ev.paused: {guard: cable.present, target: Free}, cable.unplugged: Free}
            states:
              Waiting: {on: {ev.ready: Ready}}
              Ready: {on: {ev.paused: {guard: lock.is_engaged, target: Waiting}}}
        """,
    "a command that is repeated after a while": """\
        states:
          Free: {on: {cable.plugged: Locking}}
          Locking: {entry: [lock.engage], on: {lock.engaged: Locked, lock.failed: Pausing}}
          Pausing: {after: {1s: Locking}}
          Locked: {on: {lock.released: Free}}
        """,
    "a command that is repeated under a condition": """\
        states:
          Free: {on: {cable.plugged: Locking}}
          Locking:
            entry: [lock.engage]
            on: {lock.engaged: Locked, lock.failed: [{guard: cable.present, target: Locking}, {target: Free}]}
          Locked: {on: {lock.released: Free}}
        """,
    "a state that refines what the one around it does on entry": """\
        states:
          Free: {on: {cable.plugged: Taken}}
          Taken:
            entry: [light.show: {look: white}]
            initial: Fresh
            on: {cable.unplugged: Free}
            states:
              Fresh: {entry: [light.show: {look: green}], after: {2s: Old}}
              Old: {on: {ev.ready: Fresh}}
        """,
    "the same command twice": """\
        states:
          Free: {on: {cable.plugged: {target: Taken, actions: [pilot.offer]}}}
          Taken: {entry: [pilot.offer], on: {cable.unplugged: Free}}
        """,
    "a poll that starts itself anew": """\
        states:
          Free:
            entry: [lock.release]
            on: {lock.released: {actions: [pilot.offer]}, lock.failed: {actions: [pilot.withdraw]}}
            after: {1m: Free}
        """,
    "a state that waits for the books before it looks at the plug": """\
        always: {guard: fault.present and not in(Broken), target: Broken}
        states:
          Free: {status: Available, on: {ev.ready: Ending}}
          Ending: {status: Preparing, always: {guard: not transaction.open, target: Leaving}}
          Leaving: {always: [{guard: not cable.present, target: Free}, {target: Broken}]}
          Broken: {status: Faulted, always: {guard: not fault.present, target: Free}}
        """,
    "a debt that is paid on every way": """\
        states:
          Free: {on: {ocpp.UnlockConnector: {target: Unlocking, reply: later}}}
          Unlocking:
            entry: [lock.release]
            on:
              ocpp.UnlockConnector: {reply: UnlockFailed}
              lock.released: {target: Free, reply: {ocpp.UnlockConnector: Unlocked}}
              lock.failed: {target: Free, reply: {ocpp.UnlockConnector: UnlockFailed}}
        """,
}


@pytest.mark.parametrize("what", FINE)
def test_what_is_meant_so_is_left_alone(tmp_path: Path, what: str) -> None:
    assert said(tmp_path, FINE[what]) == []


# -- told ----------------------------------------------------------------------------------------------

TOLD = {
    "a command loop in a transition": (
        """\
        states:
          Free: {on: {cable.plugged: {actions: [lock.engage]}, lock.failed: {actions: [lock.engage]}}}
        """,
        [
            "socket:6 when 'lock.failed' comes, 'lock.engage' is done again at once (Free → Free): wait in between"
        ],
    ),
    "a command loop by way of always": (
        """\
        states:
          Free: {on: {cable.plugged: Locking}}
          Locking: {entry: [lock.engage], on: {lock.engaged: Locked, lock.failed: Failed}}
          Failed: {always: Again}
          Again: {always: Locking}
          Locked: {on: {lock.released: Free}}
        """,
        ["(Locking → Locking): wait in between"],
    ),
    "a call answered here and there": (
        """\
        states:
          Free: {on: {cable.plugged: Taken, ocpp.UnlockConnector: {reply: Unlocked}}}
          Taken: {on: {cable.unplugged: Free}}
          Other: {on: {cable.unplugged: Free}}
        """,
        [
            "socket:7 ocpp.UnlockConnector stays unanswered in 'Taken' and 1 more: add it",
            "no way leads to 'Other'",
        ],
    ),
    "one that is beaten by several": (
        """\
        states:
          Free:
            on:
              ev.ready:
                - {guard: cable.present, target: Taken}
                - {guard: not cable.present, target: Free}
                - {guard: ev.asks, target: Taken}
          Taken: {on: {cable.unplugged: Free}}
        """,
        [
            "socket:11 never taken: whenever it could be, one of those at lines 9 and 10 is, and they come first"
        ],
    ),
    "one that every state inside answers under conditions": (
        """\
        states:
          Free: {on: {cable.plugged: Taken}}
          Taken:
            initial: Inner
            on: {ev.paused: {guard: cable.present and ev.asks, target: Free}, cable.unplugged: Free}
            states: {Inner: {on: {ev.paused: {guard: cable.present, target: Inner}}}}
        """,
        ["'ev.asks' is never true on 'ev.paused'"],
    ),
    "a guard that always holds inside": (
        """\
        states:
          Free: {on: {cable.plugged: Taken}}
          Taken:
            initial: Inner
            on: {ev.ready: {guard: cable.present, target: Free}, cable.unplugged: Free}
            states: {Inner: {on: {ev.ready: {guard: cable.present or lock.is_engaged, target: Inner}}}}
        """,
        ["socket:9 never taken: every state inside answers 'ev.ready' itself"],
    ),
    "always in a state that is always left": (
        """\
        states:
          Free: {on: {cable.plugged: Asking}}
          Asking:
            after: {3s: Free}
            always: [{guard: ev.asks, target: Taken}, {guard: not ev.asks, target: Free}]
          Taken: {on: {cable.unplugged: Free}}
        """,
        ["socket:8 never taken: `always` leaves 'Asking' at once in every situation"],
    ),
    "a command that is in force before any state knows": (
        """\
        states:
          Free: {on: {ev.ready: {actions: [contactor.close]}, ev.paused: {actions: [contactor.open]}}}
        """,
        ["'Free' ignores 'fault.raised', though 'contactor.close' is in force"],
    ),
    "a fault that is noticed, and not acted upon": (
        """\
        states:
          Free:
            on:
              ev.ready: {target: On1, actions: [contactor.close]}
              lock.engaged: {target: On1, actions: [contactor.close]}
          On1:
            on:
              fault.raised: {actions: [light.show: {look: red}]}
              cable.unplugged: {target: Free, actions: [contactor.open]}
              emergency.pressed: {target: Free, actions: [contactor.open]}
        """,
        ["'On1' ignores 'fault.raised'"],
    ),
    "a boolean of several parts, told in full": (
        """\
        states:
          Free:
            on:
              lock.failed:
                guard: (cable.present or ev.asks and offer.amps > 6) and not (cable.present or ev.asks)
                target: Taken
          Taken: {on: {cable.unplugged: Free}}
        """,
        [
            "'cable.present or ev.asks and offer.amps > 6' and 'not cable.present' and 'not ev.asks' never hold together"
        ],
    ),
    "clocks and states compared with numbers": (
        """\
        guards: {odd: "clock.between(06:00, 22:00) == 3 and in(Free) == 1 and event.tag == 3 and none == ev.asks"}
        states:
          Free: {on: {cable.plugged: {guard: odd, target: Taken}}}
          Taken: {on: {cable.unplugged: Free}}
        """,
        [
            "'clock.between(06:00, 22:00)' is true or false and '3' a number",
            "'in(Free)' is true or false and '1'",
        ],
    ),
    "an order of texts and nothing": (
        """\
        states:
          Free: {on: {cable.plugged: {guard: event.x < 'a' and event.x > 3, target: Taken}}}
          Taken: {on: {cable.unplugged: Free}}
        """,
        ["'cable.plugged' has no field 'x'"],
    ),
}


@pytest.mark.parametrize("what", TOLD)
def test_what_is_wrong_is_told(tmp_path: Path, what: str) -> None:
    states, expected = TOLD[what]
    found = said(tmp_path, states)
    for sentence in expected:
        assert any(sentence in line for line in found), found


def test_who_only_takes_a_reset_on_has_to_do_it_at_once(tmp_path: Path) -> None:
    desk = "states: {Idle: {on: {ocpp.Reset: [{guard: event.type == Soft, reply: Accepted}, {reply: Rejected}]}}}"
    (found,) = said(tmp_path, "states: {Free: {}}", desk=desk)
    assert "ocpp.Reset is taken on here, and nothing performs 'station.end' or 'station.restart' [" in found


def test_a_reset_may_be_done_on_entry(tmp_path: Path) -> None:
    desk = """\
        states:
          Idle:
            on:
              ocpp.Reset:
                - {guard: event.type == Soft, target: Waiting, reply: Accepted}
                - {target: Going, reply: Accepted}
          Waiting: {on: {queue.failed: Going, queue.answered: Going, ocpp.Reset: {reply: Rejected}}, after: {10s: Going}, entry: [queue.send]}
          Going: {on: {ocpp.Reset: {reply: Rejected}, restart.refused: Idle}, entry: [station.restart: {reason: SoftReset}]}
        """
    assert said(tmp_path, "states: {Free: {}}", desk=desk) == []


def test_a_detour_by_a_signal_counts_as_a_reaction(tmp_path: Path) -> None:
    socket = """\
        states:
          Free: {status: Available, on: {socket.trouble: Broken, fault.raised: Broken}}
          Broken: {status: Faulted, after: {1m: Free}}
        """
    desk = "states: {Idle: {on: {emergency.pressed: {actions: [raise: socket.trouble]}}}}"
    assert said(tmp_path / "1", socket, desk=desk) == []
    (found,) = said(tmp_path / "2", socket.replace("socket.trouble: Broken, ", ""))
    assert "'Free' ignores emergency.pressed: add `on: emergency.pressed`" in found


def test_statuses_that_no_step_can_bring_together_are_not_told(tmp_path: Path) -> None:
    """A transaction that is not open does not open by itself: nobody leads from Finishing to Charging."""
    socket = """\
        always: {guard: fault.present and not in(Broken), target: Broken}
        states:
          Free:
            status: Available
            always: {guard: cable.present, target: Taken}
          Taken:
            status: Preparing
            on: {cable.unplugged: Choosing, ev.ready: {target: Charging, actions: [transaction.begin]}}
          Charging:
            status: Charging
            on: {cable.unplugged: Closing, ev.paused: Closing}
          Closing:
            always: {guard: not transaction.open, target: Finishing}
            on: {cable.unplugged: {actions: [transaction.close]}, ev.paused: {actions: [transaction.close]}}
          Finishing:
            status: Finishing
            on: {cable.unplugged: Choosing}
          Choosing:
            always: [{guard: transaction.open, target: Charging}, {target: Free}]
          Broken:
            status: Faulted
            always: {guard: not fault.present, target: Choosing}
        """
    assert said(tmp_path / "1", socket) == []
    (found,) = said(
        tmp_path / "2", socket.replace("{guard: transaction.open, target", "{guard: lock.is_engaged, target")
    )
    assert "Charging may not follow Finishing (Finishing → Choosing → Charging)" in found


def test_a_step_that_goes_round_does_not_hang_the_search(tmp_path: Path) -> None:
    found = said(
        tmp_path,
        """\
        always: {guard: fault.present and not in(Broken), target: Broken}
        states:
          Free: {status: Available, on: {cable.plugged: One}, always: {guard: ev.asks, target: Free}}
          One: {always: [{guard: ev.asks, target: Two}, {target: Free}]}
          Two: {always: One}
          Broken: {status: Faulted, always: {guard: not fault.present, target: Free}}
        """,
    )
    assert [line.rpartition(" ")[2] for line in found] == ["[eventless-loop]", "[eventless-loop]"]
