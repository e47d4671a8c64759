"""Going on from where an ensemble was: with its own charts exactly, with others as well as they can."""

import json
import random
import textwrap
from pathlib import Path
from typing import Any

import pytest
from play import Play

from charger.statechart.event import Event


@pytest.fixture
def play(tmp_path: Path) -> Any:
    count = iter(range(100))

    def make(*texts: str, **more: Any) -> Play:
        charts = {text.split("chart: ")[1].split()[0]: text for text in texts}
        return Play(tmp_path / str(next(count)), charts, **more)

    return make


def chart(name: str, body: str, scope: str = "station") -> str:
    return f"chart: {name}\nscope: {scope}\ninitial: A\n" + textwrap.dedent(body)


def saved(made: Play) -> Any:
    """A checkpoint as a file has it."""
    return json.loads(json.dumps(made.ensemble.checkpoint()))


def gone_on(play: Any, made: Play, *texts: str, **more: Any) -> tuple[Play, list[str]]:
    """Another ensemble where the first one is, in the same world."""
    other = play(*texts, start=False, **more)
    world = made.world
    other.world.facts, other.world.keys = dict(world.facts), dict(world.keys)
    other.world.timers, other.now = dict(world.timers), made.now
    return other, other.ensemble.restore(saved(made), made.moment())


BUSY = """
states:
  A:
    status: Idle
    after: {10s: B, Wait: {actions: [late.one]}}
    every: {3s: {actions: [beat.it]}}
    on: {go: B, ask: Asking, ocpp.Unlock: {target: Owing, reply: later}}
  B:
    initial: Try
    at: {15m: {actions: [by.clock]}}
    on: {back: A}
    states:
      Try: {after: {"backoff(1s, 60s, 5s)": Pause}}
      Pause: {after: {1s: Try}}
  Asking:
    entry: [ask.it]
    on: {ask.it_accepted: B, back: A}
  Owing:
    on: {pay: {target: A, reply: {ocpp.Unlock: Unlocked}}}
"""


@pytest.mark.parametrize("seed", range(6))
def test_with_its_own_charts_it_goes_on_exactly(play: Any, seed: int) -> None:
    chance = random.Random(seed)
    texts = (chart("a", BUSY, "connector"), chart("b", "states: {A: {on: {go: {actions: [heard.it]}}}}"))
    more = {"connectors": 2, "keys": {"Wait": 7.0}}
    made = play(*texts, **more)
    for _ in range(40):
        made.send(chance.choice(["go", "back", "ask", "pay"]), chance.choice([None, 1, 2]))
        made.send("ocpp.Unlock", 1, call=f"call-{_}", connectorId=1)
        made.after(chance.choice([0.5, 2, 9]))
    other, lost = gone_on(play, made, *texts, **more)
    assert lost == []
    assert saved(other) == saved(made)
    for token in made.world.tokens[-2:]:
        asked = {"token": token}
        assert made.send("ask.it_accepted", **asked) == other.send("ask.it_accepted", **asked)
    for name in ("go", "back", "pay", "ask"):
        assert made.send(name, 1) == other.send(name, 1)
        assert made.after(8) == other.after(8)
    assert saved(other) == saved(made)


def test_the_running_timers_are_told(play: Any) -> None:
    made = play(chart("a", "states: {A: {after: {10s: B, Never: B}}, B: {}}"), keys={"Never": 0})
    assert made.ensemble.due() == {"a/0/after A:10s": 10.0}


def test_a_chart_without_that_state_begins_anew_and_is_named(play: Any) -> None:
    old = play(chart("a", "states: {A: {on: {go: B}}, B: {after: {5s: A}}}"), chart("b", "states: {A: {}}"))
    old.send("go")
    renamed = chart("a", "states: {A: {entry: [a.entered], on: {go: C}}, C: {}}")
    new, lost = gone_on(play, old, renamed, chart("c", "states: {A: {entry: [c.entered]}}", "connector"))
    assert lost == ["a B", "c 1"]
    assert new.world.log == ["a.entered@0", "c.entered@1"]
    assert (new.state("a"), new.state("c", 1)) == ("A", "A")


def test_a_timer_that_was_not_there_starts_now(play: Any) -> None:
    old = play(chart("a", "states: {A: {after: {10s: B}}, B: {}}"))
    old.after(4)
    new, lost = gone_on(
        play, old, chart("a", "states: {A: {after: {10s: B, 3s: {actions: [new.one]}}}, B: {}}")
    )
    assert lost == []
    assert new.after(20) == ["7 new.one@0"]
    assert new.state("a") == "B"


def test_an_answer_to_a_chart_that_is_gone_moves_nobody(play: Any) -> None:
    asking = chart("b", "states: {A: {entry: [ask.it], on: {ask.it_accepted: A}}}")
    old = play(chart("a", "states: {A: {}}"), asking)
    [token] = old.world.tokens
    new, _ = gone_on(play, old, chart("a", "states: {A: {on: {ask.it_accepted: A}}}"))
    assert new.send("ask.it_accepted", token=token) == []


def test_edges_of_the_clock_go_on(play: Any) -> None:
    text = chart("a", "states: {A: {always: {guard: 'clock.between(02:00, 03:00)', target: B}}, B: {}}")
    old = play(text)
    old.after(3600)
    new, _ = gone_on(play, old, text)
    assert new.world.timers == old.world.timers
    new.after(3700)
    assert new.state("a") == "B"


def test_somebody_may_watch_what_everyone_is_asked(play: Any) -> None:
    made = play(
        chart("a", "states: {A: {on: {go: B}}, B: {always: {guard: is.x, target: A}}}", "connector"),
        connectors=2,
        start=False,
    )
    seen: list[Any] = []
    made.ensemble.watch(lambda one, key: seen.append((one.chart.name, one.number, one.leaf, key)))
    made.ensemble.start(Event("station.started", moment=made.moment()))
    made.send("go", 2)
    assert seen == [("a", 2, "A", "on go"), ("a", 2, "B", "always")]
    assert made.state("a", 2) == "B"
