"""What a walk has not visited does not happen: every situation of real runs is among those that were walked."""

from __future__ import annotations

import random
from typing import Any

import pytest
import rig as rigs
from rig import Rig
from test_effects import CALLS, HARDWARE
from test_mistakes import view_of

from charger.verify.explore import Exploration
from charger.verify.verify import explorer
from charger.verify.world import UNKNOWN

pytestmark = pytest.mark.no_cover  # looking at every line would take longer than the test

VIEWS = ("link@ registration@", "availability@", "transaction", "power lock", "pilot", "connector")


def walked(names: str, fixed: bool) -> Exploration:
    exploration = explorer(rigs.checked(), view_of(names, fixed=fixed))
    exploration.walk(100_000)
    assert exploration.complete
    return exploration


class Visited:
    """The situations of a walk, to be compared with a station."""

    def __init__(self, exploration: Exploration) -> None:
        self._walker = exploration.walker
        self._places = list(self._walker.places())
        self._names = self._walker.world.names
        self._known: dict[tuple[Any, ...], list[bytes]] = {}
        many = len(self._places)
        for situation in exploration.order:
            facts = situation[many : many + len(self._names)]
            self._known.setdefault(tuple(situation[:many]), []).append(facts)

    def lacks(self, rig: Rig) -> object:
        """What the station is like, if no situation is like it."""
        ensemble, situation = rig.driver.station.ensemble, rig.facts
        leaves = {(name, number): path[-1] for name, number, path in ensemble.states()}
        here = tuple(
            self._walker.leaf_code(position, leaves[chart.name, number])
            for chart, number, position in self._places
        )
        facts = rigs.checked().vocabulary.facts
        event = rig.steps[-1].event
        values = [int(bool(facts[name].read(situation, number, event))) for name, number in self._names]
        for known in self._known.get(here, ()):
            if all(one in (UNKNOWN, value) for one, value in zip(known, values, strict=True)):
                return None
        return [leaves[chart.name, number] for chart, number, _ in self._places], dict(
            zip(self._names, values, strict=True)
        )


@pytest.mark.parametrize("fixed", [False, True])
def test_every_situation_of_real_runs_was_walked(fixed: bool) -> None:
    visited = {names: Visited(walked(names, fixed)) for names in VIEWS}
    chance = random.Random(int(fixed))
    rig = Rig(1, fixed=fixed)
    stepped = rig._stepped

    def compare(step: Any) -> None:
        stepped(step)
        for names, one in visited.items():
            lacks = one.lacks(rig)
            assert lacks is None, (names, step.event, lacks)

    rig.driver._on_step = compare
    for _ in range(250):
        match chance.randrange(9):
            case 0 | 1:
                act = chance.choice(["plug", "unplug"])
                if (act == "plug") == (rig.hardware.describe(1)["ev"] is None) and (
                    act == "plug" or rig.hardware.describe(1)["cable"]["present"]
                ):
                    rig.act(act, 1)
            case 2 | 3:
                rig.swipe()
            case 4:
                rig.wires(chance.choice(HARDWARE), 1)
            case 5:
                rig.act(chance.choice(["fault", "clear_fault"]), 1, error_code="GroundFailure")
            case 6 | 7:
                action, payload = chance.choice(CALLS)
                rig.call(action, **payload)
            case _:
                rig.cut() if chance.random() < 0.5 else rig.mend()
        rig.after(chance.choice([0.1, 1.0, 8.0]))
    assert len(rig.steps) > 300
