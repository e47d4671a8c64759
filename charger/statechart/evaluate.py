"""Expressions as closures: what the model says, ready to be asked.

A closure takes a `Scene`: who asks, about which connector, with which event at hand. Nothing here changes
anything, and names are expected to exist: the checks have seen to that.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from charger.statechart import model
from charger.statechart.event import Event
from charger.statechart.words import Vocabulary


@dataclass(slots=True)
class Scene:
    """What a guard looks at."""

    world: Any
    """Handed to every fact."""
    leaves: Mapping[str, list[str]]
    """Chart name → the leaf of each instance; index 0 is the station's, n connector n's."""
    here: int
    """The connector of the asking instance; 0 for a station chart."""
    event: Event
    tries: Mapping[str, int]
    """State → how often the asking instance entered it since it entered the state around it."""


Ask: TypeAlias = Callable[[Scene], Any]

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
MINUTE_OF_DAY = "clock.minute_of_day"
"""The fact (number) that ``clock.between`` asks: minutes since local midnight."""


class Evaluator:
    """Builds closures for the expressions of one set of charts."""

    def __init__(self, chart_set: model.ChartSet, vocabulary: Vocabulary) -> None:
        self._set = chart_set
        self._vocabulary = vocabulary
        self._places: dict[str, list[tuple[str, frozenset[str], bool]]] = {}

    def expression(self, expr: model.Expr, chart: model.Chart | None) -> Ask:
        """The closure of a guard; `chart` is where it is written, None for index.yaml."""
        match expr:
            case model.And(parts=inner):
                return _both([self.expression(part, chart) for part in inner])
            case model.Or(parts=inner):
                return _either([self.expression(part, chart) for part in inner])
            case model.Not(part=part):
                negated = self.expression(part, chart)
                return lambda scene: not negated(scene)
            case model.Compare():
                return self._compare(expr, chart)
            case _:
                return self.value(expr, chart)

    def value(self, value: model.Value, chart: model.Chart | None) -> Ask:
        """The closure of a single value."""
        match value:
            case model.Const(value=const):
                return lambda _scene: const
            case model.Here():
                return lambda scene: scene.here
            case model.EventField(name="connector"):
                return lambda scene: scene.event.fields.get("connector", scene.event.connector)
            case model.EventField(name=field):
                return lambda scene: scene.event.fields.get(field)
            case model.Name(name=name):
                return self._named(name, chart)
            case model.Capital(name=name):
                return self._capital(name)
            case model.Tries(state=state):
                return lambda scene: scene.tries.get(state, 0)
            case model.Between(start=start, end=end):
                return self._between(start, end)
            case _:
                place = None if value.at is None else self.value(value.at, chart)
                return self._inside(value.how, value.ref, chart, place)

    def _compare(self, expr: model.Compare, chart: model.Chart | None) -> Ask:
        left, right = self.value(expr.left, chart), self.value(expr.right, chart)
        compare = OPERATORS[expr.operator]
        ordering = expr.operator not in ("==", "!=")

        def ask(scene: Scene) -> bool:
            one, other = left(scene), right(scene)
            if isinstance(one, str) and isinstance(other, str):
                one, other = one.casefold(), other.casefold()
            elif ordering and (one is None or other is None):
                return False
            return compare(one, other)

        return ask

    def _named(self, name: str, chart: model.Chart | None) -> Ask:
        if chart and name in chart.guards:
            return self.expression(chart.guards[name], chart)
        if name in self._set.guards:
            return self.expression(self._set.guards[name], None)
        if name not in self._vocabulary.facts:
            return lambda _scene: name  # a word: event.cause == offline
        read = self._vocabulary.facts[name].read
        return lambda scene: read(scene.world, scene.here, scene.event)

    def _capital(self, name: str) -> Ask:
        if name in self._vocabulary.keys:
            read = self._vocabulary.read_key
            return lambda scene: read(scene.world, name)
        return lambda _scene: name

    def _between(self, start: int, end: int) -> Ask:
        read = self._vocabulary.facts[MINUTE_OF_DAY].read

        def ask(scene: Scene) -> bool:
            now = read(scene.world, scene.here, scene.event)
            within = start <= now < end if start <= end else now >= start or now < end
            return bool(within)

        return ask

    # -- in(…) -----------------------------------------------------------------------------------------

    def places(self, ref: str, chart: model.Chart | None) -> list[tuple[str, frozenset[str], bool]]:
        """Where a reference points: chart, its leaves, and whether it has connectors.

        ``power.Closed`` is a state of a chart, ``Waiting`` one of the asking chart, ``energy`` a tag.
        """
        if ref[0].isupper() and chart:
            ref = f"{chart.name}.{ref}"
        known = self._places.get(ref)
        if known is None:
            known = self._places[ref] = list(self._find(ref))
        return known

    def _find(self, ref: str) -> list[tuple[str, frozenset[str], bool]]:
        name, _, state = ref.partition(".")
        found = []
        for chart in self._set.charts.values():
            leaves = frozenset(
                leaf
                for leaf in chart.leaves
                if (chart.name == name and state in chart.path(leaf) if state else ref in chart.tags(leaf))
            )
            if leaves:
                found.append((chart.name, leaves, "connector" in chart.scopes))
        return found

    def _inside(self, how: str, ref: str, chart: model.Chart | None, place: Ask | None) -> Ask:
        places = self.places(ref, chart)

        def inside(scene: Scene, number: int) -> bool:
            return any(
                scene.leaves[name][number if local else 0] in leaves
                for name, leaves, local in places
                if number or not local or "station" in self._set.charts[name].scopes
            )

        def numbers(scene: Scene) -> list[int]:
            connectors = max((len(scene.leaves[name]) for name, _, _ in places), default=1)
            return [number for number in range(1, connectors) if inside(scene, number)]

        def there(scene: Scene, number: Any) -> bool:
            known = isinstance(number, int) and 0 <= number < max(
                len(scene.leaves[name]) for name, _, _ in places
            )
            return known and inside(scene, number)

        match how:
            case "in" if place is not None:
                return lambda scene: there(scene, place(scene))
            case "in" if len(places) == 1 and not places[0][2]:
                ((name, leaves, _),) = places
                return lambda scene: scene.leaves[name][0] in leaves
            case "in" if len(places) == 1 and chart and "station" not in chart.scopes:
                ((name, leaves, _),) = places
                return lambda scene: scene.leaves[name][scene.here] in leaves
            case "in":
                return lambda scene: inside(scene, scene.here)
            case "any":
                return lambda scene: bool(numbers(scene))
            case "all":
                return lambda scene: (
                    len(numbers(scene)) == max(len(leaf) for leaf in scene.leaves.values()) - 1
                )
            case "one":
                return lambda scene: len(numbers(scene)) == 1
            case _:
                return lambda scene: next(iter(numbers(scene)), None)


def _both(asks: list[Ask]) -> Ask:
    """All of them, asked from the left until one says no. Nested, since a loop costs more than its guards."""
    first, *others = asks
    if not others:
        return first
    rest = _both(others)
    return lambda scene: first(scene) and rest(scene)


def _either(asks: list[Ask]) -> Ask:
    """Any of them, asked from the left until one says yes."""
    first, *others = asks
    if not others:
        return first
    rest = _either(others)
    return lambda scene: first(scene) or rest(scene)
