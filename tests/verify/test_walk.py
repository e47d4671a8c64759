"""Walks through small sets of charts: what is found, what is not, and going on later."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from charger.cli import run_command
from charger.cli.say import Bar
from charger.errors import UsageError
from charger.statechart.checks import Checked, check
from charger.verify import verify
from charger.verify.abstraction import View, abstract, text_of
from charger.verify.report import bar
from charger.verify.views import views
from charger.vocabulary import build

sys.path.append(str(Path(__file__).parent.parent / "statechart"))
from chart_kit import write_set

REQUESTS = """
chart: requests
scope: station
initial: Ready
on: {ocpp.*: {reply: {error: NotSupported}}}
states: {Ready: {}}
"""


def checked(folder: Path, index: str = "", **charts: str) -> Checked:
    """A set of these charts of a connector, and one of the station that refuses every call."""
    head = "scope: connector\non:\n  ocpp.*: {reply: {error: NotSupported}}\n"
    texts = {
        name: f"chart: {name}\n{head if not n else 'scope: connector' + chr(10)}{text}"
        for n, (name, text) in enumerate(charts.items())
    }
    return check(write_set(folder / "charts", {"requests": REQUESTS, **texts}, index), build, "charts")


def rules(found: Checked) -> list[str]:
    """The rules of what is broken."""
    result = verify.verify(found, workers=0)
    assert result.complete
    return sorted(breach.rule for _, _, breach in result.breaches())


PING = """
initial: A
states:
  A: {always: {guard: in(pong.Y), target: B}}
  B: {always: {guard: in(pong.X), target: A}}
"""
PONG = """
initial: X
states:
  X: {always: {guard: in(ping.A), target: Y}}
  Y: {always: {guard: in(ping.B), target: X}}
"""


def test_a_step_that_never_rests(tmp_path: Path) -> None:
    """Two charts chase each other; each alone would rest."""
    assert "endless-step" in rules(checked(tmp_path, ping=PING, pong=PONG))


def test_a_step_without_end_is_given_up_though_every_question_has_two_answers(tmp_path: Path) -> None:
    """Each move makes the offer another one, and each guard asks for it: 2²⁰⁰ sequences of answers."""
    chased = PING.replace("always:", "entry: [pilot.withdraw], always:")
    for state in "XY":
        other = f"in(pong.{state})"
        chased = chased.replace(other, f"{other} and (offer.changed or not offer.changed)")
    assert "endless-step" in rules(checked(tmp_path, ping=chased, pong=PONG))


CALLER = """
initial: A
states:
  A: {on: {ev.ready: {actions: [raise: caller.call]}, echo.back: {actions: [raise: caller.call]}}}
"""
ECHO = """
initial: X
states:
  X: {on: {caller.call: {guard: GUARD, actions: [raise: echo.back]}}}
"""


def test_signals_that_bring_about_each_other_for_ever(tmp_path: Path) -> None:
    found = checked(tmp_path, caller=CALLER, echo=ECHO.replace("guard: GUARD, ", ""))
    result = verify.verify(found, workers=0)
    ((seen, number, breach),) = list(result.breaches())
    assert breach.rule == "endless-step"
    assert breach.text == "the step does not come to rest: caller.call → echo.back → caller.call → …"
    assert (breach.mark.file, breach.mark.line) == ("charts/caller.yaml", 8)
    assert [str(told) for told in seen.told[number]] == [
        "station.started   caller: start → A  echo: start → X",
        "ev.ready at connector 1",
        "then the signal caller.call",
        "then the signal echo.back",
    ]


def test_signals_without_end_are_shown_on_a_real_station(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checked(tmp_path, caller=CALLER, echo=ECHO.replace("GUARD", "fault.present"))
    monkeypatch.chdir(tmp_path)
    assert run_command(["verify"]) == 1
    said = capsys.readouterr().out
    assert "BROKEN  every step comes to rest" in said
    assert "a defect, contactors opened: ev.ready: the step does not come to rest" in said
    (story,) = Path("verify").iterdir()
    assert "  - report: ev.ready\n    at: 1\n" in story.read_text(encoding="utf-8")


def test_signals_go_round_as_long_as_a_fact_is_so(tmp_path: Path) -> None:
    """No signal changes the fact; a queue, that gets shorter, may end it at any time."""
    fact = checked(tmp_path / "1", caller=CALLER, echo=ECHO.replace("GUARD", "fault.present"))
    assert rules(fact) == ["endless-step"]
    data = checked(tmp_path / "2", caller=CALLER, echo=ECHO.replace("GUARD", "offer.amps > 6"))
    assert rules(data) == []


BOOKS = """
initial: Starting
states:
  Starting:
    always: [{guard: transaction.open, target: Ending, actions: [transaction.ending: {reason: Other}]}, Idle]
  Idle: {on: {ev.ready: {target: Running, actions: [session.open: {tag: a}, transaction.begin]}}}
  Running: {on: {ev.paused: {target: Ending, actions: [transaction.ending: {reason: Local}]}}}
  Ending:
    END
"""


@pytest.mark.parametrize(
    ("end", "broken"),
    [
        ("after: {5s: {target: Idle, actions: [transaction.close]}}", []),
        ("on: {cable.unplugged: {target: Idle, actions: [transaction.close]}}", ["left-open"]),
        ("after: {5s: {guard: not ev.asks, target: Idle, actions: [transaction.close]}}", ["left-open"]),
        ("after: {5s: {guard: offer.amps > 6, target: Idle, actions: [transaction.close]}}", ["left-open"]),
        (
            "after: {5s: [{guard: not ev.asks, target: Idle, actions: [transaction.close]}, Ending]}",
            ["left-open"],
        ),
    ],
)
def test_an_ending_transaction_is_closed_though_nobody_does_anything(
    end: str, broken: list[str], tmp_path: Path
) -> None:
    found = checked(tmp_path, books=BOOKS.replace("END", end))
    result = verify.verify(found, workers=0)
    assert [breach.rule for _, _, breach in result.breaches()] == broken
    for seen, number, _ in result.breaches():
        assert [told.name for told in seen.told[number]][-1] in ("ev.paused", "station.started")


@pytest.mark.parametrize(
    ("failed", "broken"), [("{target: Idle, actions: [transaction.close]}", False), ("{}", True)]
)
def test_the_central_system_answers_or_does_not(failed: str, broken: bool, tmp_path: Path) -> None:
    """One answer comes; which one, it chooses."""
    end = f"""entry: [ocpp.MeterValues]
    on:
      ocpp.MeterValues.accepted: {{target: Idle, actions: [transaction.close]}}
      ocpp.MeterValues.failed: {failed}"""
    assert ("left-open" in rules(checked(tmp_path, books=BOOKS.replace("END", end)))) == broken


def test_who_closes_transactions_must_be_walked_with_all_it_waits_for(tmp_path: Path) -> None:
    """A chart outside of the view may be in any state for ever; nothing is said of what waits for it."""
    end = "always: {guard: in(other.Y), target: Idle, actions: [transaction.close]}"
    other = "\ninitial: X\nstates:\n  X: {after: {5s: Y}}\n  Y: {after: {5s: X}}\n"
    found = checked(tmp_path, books=BOOKS.replace("END", end), other=other)
    assert rules(found) == []
    together = View("both", {"books": ("connector",), "other": ("connector",)})
    alone = View("books", {"books": ("connector",)})
    told = [verify.look(found, view, 1000, lambda _done, _known: None) for view in (together, alone)]
    assert [seen.finishes for seen in told] == [True, False]


def test_a_state_that_cannot_be_left(tmp_path: Path) -> None:
    charts = """
initial: Open
states:
  Open: {on: {ev.ready: Stuck}}
  Stuck: {always: {guard: lock.is_faulty and not fault.present, target: Open}}
"""
    assert rules(checked(tmp_path, power=charts)) == ["no-way-out"]  # a faulty lock is a fault


def test_a_home_that_cannot_be_reached(tmp_path: Path) -> None:
    charts = """
initial: Open
states:
  Open: {on: {ev.ready: Here}}
  Here: {on: {ev.paused: There}}
  There: {on: {ev.paused: Here}}
invariants: [{home: Open}]
"""
    result = verify.verify(checked(tmp_path, power=charts), workers=0)
    ((seen, number, breach),) = list(result.breaches())
    assert (breach.rule, breach.mark.line) == ("home", 11)
    assert [told.name for told in seen.told[number]] == ["station.started", "ev.ready"]


def test_the_shortest_way_is_told(tmp_path: Path) -> None:
    charts = """
initial: Open
states:
  Open: {on: {ev.ready: Half, cable.plugged: Closed}}
  Half: {on: {ev.paused: Closed}}
  Closed: {on: {ev.unplugged: Open}}
invariants: [{never: in(Closed)}]
"""
    result = verify.verify(checked(tmp_path, power=charts), workers=0)
    ((seen, number, breach),) = list(result.breaches())
    assert breach.rule == "never"
    assert [str(told) for told in seen.told[number]] == [
        "station.started   power: start → Open",
        "cable.plugged at connector 1   power: Open → Closed",
    ]


def test_a_promise_over_other_charts_is_judged_where_they_are_walked(tmp_path: Path) -> None:
    one = "\ninitial: A\nstates:\n  A: {on: {ev.ready: B}}\n  B: {on: {ev.paused: A}}\n"
    other = "\ninitial: X\nstates:\n  X: {on: {ev.ready: Y}}\n  Y: {on: {ev.paused: X}}\n"
    same = other + "invariants: [{never: in(one.B) and in(X)}]\n"
    assert rules(checked(tmp_path / "1", one=one, two=same)) == []
    wrong = other + "invariants: [{never: in(one.B) and in(Y)}]\n"
    assert rules(checked(tmp_path / "2", one=one, two=wrong)) == ["never"]


def test_a_signal_of_a_stranger_may_come_at_any_time(tmp_path: Path) -> None:
    one = "\ninitial: A\nstates:\n  A: {on: {two.word: B}}\n  B: {on: {ev.paused: A}}\ninvariants: [{never: in(B)}]\n"
    two = "\ninitial: X\nstates:\n  X: {on: {ev.ready: {actions: [raise: two.word]}}}\n"
    found = checked(tmp_path, one=one, two=two)
    view = View("one", {"one": ("connector",)})
    seen = verify.look(found, view, 1000, lambda _done, _known: None)
    assert [told.kind for told in seen.told[0]] == ["start", "signal"]


def test_guards_are_written_anew(tmp_path: Path) -> None:
    charts = """
initial: A
states:
  A: {on: {ev.ready: {guard: interlocks.hold and ConnectionTimeOut > 5 and any(busy) and tries(A) >= 2, target: B}}}
  B: {tags: [busy], on: {ev.paused: A}}
"""
    found = checked(tmp_path, one=charts)
    abstraction = abstract(found.charts, found.vocabulary, View("one", {"one": ("connector",)}))
    guard = next(t.guard for t in abstraction.charts.charts["one"].transitions() if t.guard)
    assert (
        text_of(guard)
        == "(not fault.present) and ConnectionTimeOut > 5 and (any(busy) or any(busy)) and tries(A) >= 2".replace(
            "(not fault.present)", "not fault.present"
        )
    )
    assert abstraction.tracked == ("fault.present",)
    assert sorted(abstraction.atoms) == ["ConnectionTimeOut > 5", "any(busy)", "tries(A) >= 2"]


def test_a_walk_that_was_stopped_goes_on(tmp_path: Path) -> None:
    charts = """
initial: A
states:
  A: {on: {ev.ready: B, cable.plugged: C}}
  B: {on: {ev.paused: C}, always: {guard: fault.present, target: A}}
  C: {after: {5s: A}, on: {ocpp.Reset: {target: B, reply: Accepted}}}
invariants: [{never: in(B) and lock.is_engaged}]
"""
    found = checked(tmp_path, one=charts)
    whole = verify.verify(found, workers=0)
    file = tmp_path / "walk.gz"
    stopped = verify.verify(found, limit=3, workers=0)
    assert not stopped.complete
    for _ in range(50):
        verify.save(stopped, file)
        stopped = verify.verify(found, limit=2, workers=0, before=verify.load(found, file))
        if stopped.complete:
            break
    assert [one.situations for one in stopped.seen] == [one.situations for one in whole.seen]
    assert [one.steps for one in stopped.seen if one.steps] == [one.steps for one in whole.seen]
    assert [b.way for _, _, b in stopped.breaches()] == [b.way for _, _, b in whole.breaches()]


def test_a_walk_goes_on_through_the_same_charts_only(tmp_path: Path) -> None:
    found = checked(tmp_path / "1", one="\ninitial: A\nstates: {A: {}}\n")
    other = checked(tmp_path / "2", one="\ninitial: B\nstates: {B: {}}\n")
    verify.save(verify.verify(found, workers=0), tmp_path / "walk.gz")
    with pytest.raises(UsageError, match="other charts"):
        verify.load(other, tmp_path / "walk.gz")
    (tmp_path / "none.gz").write_text("nothing")
    with pytest.raises(UsageError, match="no walk can be read"):
        verify.load(found, tmp_path / "none.gz")


def test_every_shipped_chart_is_in_a_view() -> None:
    found = check(Path(__file__).parent.parent.parent / "charts", build)
    parts = views(found.charts, found.vocabulary)
    walked = {(chart, scope) for view in parts for chart, scopes in view.scopes.items() for scope in scopes}
    assert walked == {(c.name, scope) for c in found.charts.charts.values() for scope in c.scopes}
    core = [view for view in parts if "connector" in view.scopes]
    assert [view.given for view in core] == [{"cable.fixed": False}, {"cable.fixed": True}]


def test_the_bar() -> None:
    assert bar([("a", 50, 100), ("b", 0, 0)]) == (
        f"[{'#' * 15}{'.' * 15}] 50 of 100 known situations, 1 views under way"
    )


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    charts = "\ninitial: A\nstates:\n  A: {on: {ev.ready: B}}\n  B: {on: {ev.paused: A}}\n"
    checked(tmp_path, one=charts)
    monkeypatch.chdir(tmp_path)
    assert run_command(["verify"]) == 0
    assert "kept    every call is answered exactly once" in capsys.readouterr().out
    assert run_command(["verify", "charts", "--format", "json", "--limit", "1"]) == 1
    assert json.loads(capsys.readouterr().out)["complete"] is False
    assert run_command(["verify", "charts", "--limit", "0"]) == 2
    (tmp_path / "charts" / "one.yaml").write_text("chart: one\n", encoding="utf-8")
    assert run_command(["verify", "charts"]) == 1


TWO = "\ninitial: A\nstates:\n  A: {on: {ev.ready: B}}\n  B: {on: {ev.paused: A}}\n"


@pytest.mark.parametrize("workers", [0, 2])
def test_a_walk_that_is_stopped_goes_on_where_it_was(tmp_path: Path, workers: int) -> None:
    found = checked(tmp_path, one=TWO)
    stopped = verify.verify(found, workers=workers, stopped=lambda: True)
    assert not stopped.complete
    assert [one.situations for one in stopped.seen] == [0] * len(stopped.seen)
    verify.save(stopped, tmp_path / "walk")
    after = verify.verify(found, workers=0, before=verify.load(found, tmp_path / "walk"))
    whole = verify.verify(found, workers=0)
    assert [one.situations for one in after.seen] == [one.situations for one in whole.seen]
    assert after.complete


def press_ctrl_c(monkeypatch: pytest.MonkeyPatch, times: int = 1) -> None:
    """As soon as the walk, in one process, says how far it is."""
    left = list(range(times))

    def pressed(*_given: object) -> None:
        while left:
            left.pop()
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    monkeypatch.setattr(Bar, "shows", pressed)


def test_ctrl_c_tells_how_far_it_came_and_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checked(tmp_path, one=TWO)
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGINT)
    press_ctrl_c(monkeypatch)
    told = r"interrupted: 0 situations seen, 0 of \d views to the end, no promises broken so far; "
    assert run_command(["verify", "--format", "json"]) == 130
    printed = capsys.readouterr()
    assert re.fullmatch(told + r"--resume FILE keeps a walk\n", printed.err)
    assert printed.out == ""
    press_ctrl_c(monkeypatch)
    assert run_command(["verify", "--resume", "walk.gz"]) == 130
    error = capsys.readouterr().err
    assert re.fullmatch(told + r"kept in walk.gz, the same command goes on from there\n", error)
    assert signal.getsignal(signal.SIGINT) is before
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert run_command(["verify", "--resume", "walk.gz"]) == 0


def test_ctrl_c_pressed_again_ends_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checked(tmp_path, one=TWO)
    monkeypatch.chdir(tmp_path)
    press_ctrl_c(monkeypatch, times=2)
    assert run_command(["verify"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize("content", [b"", b"x", gzip.compress(b"[]"), gzip.compress(b"[" * 100_000)])
def test_a_file_that_holds_no_walk_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "walk").write_bytes(content)
    with pytest.raises(UsageError, match=r"no walk can be read|that walk was through other charts"):
        verify.load(checked(tmp_path, one=TWO), tmp_path / "walk")
