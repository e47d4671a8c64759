"""What is remembered of a step is what the step does: situation by situation, made again without a memory."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import rig as rigs
from test_mistakes import MISTAKES, charts_with, view_of
from test_walk import checked

from charger.statechart.checks import Checked
from charger.verify.abstraction import View
from charger.verify.happenings import Happening
from charger.verify.outcomes import START, Outcomes
from charger.verify.verify import explorer
from charger.verify.walker import Walker
from charger.verify.world import Broken

pytestmark = pytest.mark.no_cover  # looking at every line would take longer than the test

Found = list[tuple[Happening, tuple[int, ...], str | None, bytes]]
"""What happens, the first answers of the oracle that lead there, the promise that is broken, the situation."""


def made(walker: Walker, blank: bytes, situation: bytes) -> tuple[int, Found]:
    """Every step from a situation, one by one: how many, and each that leads elsewhere than those before."""
    steps, found = 0, {}
    walker.put_into(situation)
    happenings = [START] if situation == blank else list(walker.may_happen())
    for happening in happenings:
        walker.put_into(situation)
        script: list[int] | None = None if walker.changes_nothing(happening) else []
        while script is not None:
            walker.put_into(situation)
            walker.world.begin(script)
            try:
                broken = walker.run(happening)
                after = walker.situation()
            except Broken as fatal:
                broken, after = fatal, blank
            steps += 1
            text = broken and f"{broken.rule} {broken.mark}"
            found.setdefault((happening, text, after), (happening, tuple(walker.world.script), text, after))
            script = walker.world.following()
    return steps, list(found.values())


def compare(charts: Checked, view: View, *, looked_at: int | None = None) -> float:
    """Hold what a walk remembers against the steps made again, from some of its situations or from all.

    Returns:
        how many steps had to be made, for each of those that were compared.
    """
    exploration = explorer(charts, view)
    exploration.walk(60_000)
    walker, order = exploration.walker, exploration.order
    outcomes, steps = Outcomes(walker), 0
    chosen: Any = range(len(order))
    if looked_at:
        chosen = sorted(random.Random(1).sample(chosen, looked_at))
        for situation in order:  # so that what is compared was seldom worked out in the situation itself
            list(outcomes.of(situation))
    for number in chosen:
        remembered = 0
        told: dict[Any, Any] = {}
        for happening, one, after in outcomes.of(order[number]):
            remembered += one.steps
            text = one.broken and f"{one.broken.rule} {one.broken.mark}"
            told.setdefault((happening, text, after), (happening, one.script, text, after))
        assert (remembered, list(told.values())) == made(walker, order[0], order[number])
        steps += remembered
    return outcomes.worked_out / steps


@pytest.mark.parametrize("names", ["availability@", "power", "transaction power", "link@ registration@"])
def test_all_steps_of_a_small_view(names: str) -> None:
    compare(rigs.checked(), view_of(names))


@pytest.mark.parametrize("names", ["transaction lock", "pilot connector"])
def test_some_steps_of_a_larger_view(names: str) -> None:
    compare(rigs.checked(), view_of(names), looked_at=40)


@pytest.mark.parametrize("name", ["a contactor that closes whenever the car asks"])
def test_steps_that_break_a_promise(name: str, tmp_path: Path) -> None:
    edits, charts, _, _ = MISTAKES[name]
    compare(charts_with(tmp_path, *edits), view_of(charts))


def test_a_law_is_a_look_at_all_its_facts(tmp_path: Path) -> None:
    """Who asks whether the transaction is ending gets one answer or two, by whether one is known to be open."""
    charts = """
initial: A
states:
  A: {on: {ev.ready: {guard: transaction.ending, target: B}, ev.paused: {guard: transaction.open, target: C}}}
  B: {on: {ev.paused: A}}
  C: {on: {ev.paused: A}}
"""
    found = checked(tmp_path, one=charts)
    assert compare(found, View("one", {"one": ("connector",)})) < 1
