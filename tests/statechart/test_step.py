"""The whole step, held against two references over random charts and random happenings.

`Ensemble` with everything that makes it fast, beside `Plain`, which is docs/charts.md written down (several
charts, connectors, timers, signals, calls); and one chart alone beside `Scxml`, the algorithm of the W3C.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from plain import Plain
from play import Play
from random_charts import INDEX, KEYS, REPORTS, chart_set, chart_text, event, script
from scxml import Scxml

from charger.statechart.ensemble import STEP_BUDGET, BrokenPromiseError, Ensemble, Moved
from charger.statechart.event import Event
from charger.statechart.machine import Entered, Exited, Taken
from charger.statechart.model import Transition

pytestmark = pytest.mark.no_cover  # looking at every line would take longer than the test

FACTS = {"long.time": 6, "many.times": 2}
TIMERS_OF_THE_PAST = ("a/1/after A:5s", "a/0/every :4s", "b/2/after B:Wait", "nobody/0/after A:1s")


class Watched:
    """A play, and what its guards were asked."""

    def __init__(self, texts: Mapping[str, str], connectors: int, engine: Any, folder: Path) -> None:
        self.asked: list[tuple[str, Transition, bool | None]] = []
        self.play = Play(
            *(folder, texts, INDEX),
            connectors=connectors,
            facts=FACTS,
            keys=KEYS,
            reports=REPORTS,
            observer=lambda chart, transition, what: self.asked.append((chart, transition, what)),
            start=False,
            engine=engine,
        )
        self.play.world.luck = 0.5

    def go(self, happening: tuple[Any, ...] | None) -> dict[str, Any]:
        """Let it happen; gives everything that can be seen of it."""
        play, world = self.play, self.play.world
        self.asked.clear()
        done: list[str] = []
        moves: list[Moved] = []
        broken = False
        try:
            match happening:
                case None:
                    play.begin()
                case ("event", name, number, fields):
                    done = play.send(name, number, **fields)
                case ("call", name, number, fields):
                    done = play.send(name, number, call=f"call {len(world.log)}", **fields)
                case ("time", seconds):
                    done = play.after(seconds)
                case ("answer", number):
                    if number < len(world.tokens):
                        done = play.send("ask.done", token=world.tokens[number], n=number)
                case ("late", number):
                    done = play.send("timer.expired", key=TIMERS_OF_THE_PAST[number])
                case ("fact", name, number, value):
                    world.facts[name, number] = value
        except BrokenPromiseError:
            broken = True
        moves = play.ensemble.moves
        return {
            "broken": broken,
            "done": done,
            "log": world.log[:],
            "moves": [move[:4] for move in moves],
            "taken": [move.transition and move.transition.mark for move in moves],
            "leaves": {name: leaves[:] for name, leaves in play.ensemble.leaves.items()},
            "timers": dict(world.timers),
            "facts": dict(world.facts),
            # How often `always` is asked in vain is nobody's business: facts are answered by looking.
            "asked": [
                (chart, transition.mark, what)
                for chart, transition, what in self.asked
                if what is None or transition.kind != "always"
            ],
            "unheard": +play.ensemble.unheard,
            "statuses": [play.ensemble.status(number) for number in (0, 1)],
        }


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_the_ensemble_does_what_the_language_says(seed: int) -> None:
    rng = Random(seed)
    texts, happenings = chart_set(rng), script(rng)
    note("\n\n".join(texts.values()))
    connectors = rng.randint(1, 2)
    with tempfile.TemporaryDirectory() as folder:
        ours, book = (
            Watched(texts, connectors, engine, Path(folder) / engine.__name__) for engine in (Ensemble, Plain)
        )
        for happening in (None, *happenings, *happenings):  # the second time everything is remembered
            expected = book.go(happening)
            assert ours.go(happening) == expected, happening
            if expected["broken"]:
                break  # the station would be built anew


class W3C(Plain):
    """The algorithm of the W3C moves the one chart; words, guards and actions are those of `Plain`."""

    def start(self, event: Event) -> list[Moved]:
        self.begin(event)
        self.scxml = Scxml(self.all[0].chart, self)
        self.scxml.interpret()
        return self.finish()

    def step(self, event: Event) -> list[Moved]:
        self.begin(event)
        self.scxml.external(event)
        return self.finish()

    def finish(self) -> list[Moved]:
        self.watch()
        return self.moves

    def set_event(self, event: Event) -> None:
        self.event = event
        if event.name in REPORTS:
            self.words.events[event.name].report(self.host, event)

    def condition_match(self, transition: Transition) -> bool:
        return self.allowed(self.all[0], transition)

    def execute_content(self, part: Exited | Taken | Entered) -> None:
        one = self.all[0]
        self.leaves["a"][0] = next(filter(self.scxml.is_atomic, self.scxml.configuration), "")
        match part:
            case Exited(state=name):
                self.leave(one, one.chart.states[name])
            case Entered(state=name):
                self.enter(one, one.chart.states[name])
            case Taken(transition=transition):
                if len(self.moves) == STEP_BUDGET:
                    raise BrokenPromiseError("endless-step", "", one.chart.mark)
                self.moves.append(Moved("a", 0, "", "", transition))
                self.observer("a", transition, None)
                self.perform(one, transition.actions)

    def post(self, event: Event) -> None:
        self.scxml.internal_queue.append(event)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_one_chart_does_what_the_w3c_says(seed: int) -> None:
    rng = Random(seed)
    text = chart_text(rng, "a", "station").replace(
        "of: first(red), ", ""
    )  # which looks into the middle of a move
    happenings = [event(rng) for _ in range(15)]
    note(text)
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = (
            Watched({"a": text}, 1, engine, Path(folder) / engine.__name__) for engine in (Ensemble, W3C)
        )
        for happening in (None, *happenings, *happenings):
            seen, expected = ours.go(happening), theirs.go(happening)
            assert seen["broken"] == expected["broken"]
            if expected["broken"]:
                break
            for what in ("facts", "leaves", "asked"):
                assert seen[what] == expected[what], happening
            assert [line for line in seen["log"] if not line.startswith("status")] == expected["log"]
