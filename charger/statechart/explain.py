"""Why a guard says what it says: its parts, each asked by the evaluator, in words.

No second evaluator: every value is what `Evaluator` answers about the same scene. Only which parts are asked
is decided here, and that is the rule of ``and`` and ``or``: from the left, until the answer is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from charger.statechart import model
from charger.statechart.evaluate import Evaluator, Scene
from charger.statechart.wording import expression_text, value_text


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a guard, and what it said."""

    text: str
    value: Any
    """None when `asked` is False."""
    asked: bool = True
    why: str = ""
    """What is behind the value: where a chart is, or the two sides of a comparison."""
    parts: tuple[Part, ...] = ()

    def lines(self, depth: int = 0) -> Iterator[str]:
        """The part and everything in it, a line each."""
        said = _value(self.value) if self.asked else "not asked"
        yield f"{'  ' * depth}{self.text}: {said}{f'  ({self.why})' if self.why else ''}"
        for part in self.parts:
            yield from part.lines(depth + 1)


class Explainer:
    """Explains the guards of one set of charts."""

    def __init__(self, chart_set: model.ChartSet, evaluator: Evaluator) -> None:
        self._set = chart_set
        self._evaluator = evaluator

    def guard(self, expr: model.Expr, chart: model.Chart | None, scene: Scene) -> Part:
        """One guard, or part of one; `chart` is where it is written."""
        value = self._evaluator.expression(expr, chart)(scene)
        text = expression_text(expr)
        match expr:
            case model.And(parts=several):
                return Part(text, bool(value), parts=self._until(several, False, chart, scene))
            case model.Or(parts=several):
                return Part(text, bool(value), parts=self._until(several, True, chart, scene))
            case model.Not(part=part):
                inner = self.guard(part, chart, scene)
                return Part(text, value, why=inner.why, parts=(inner,) if inner.parts else ())
            case model.Compare(left=left, right=right):
                return Part(text, value, why=self._sides((left, right), chart, scene))
            case model.Name(name=name) if (named := self._named(name, chart)) is not None:
                where = chart if chart and name in chart.guards else None
                inside = self.guard(named, where, scene)
                return Part(text, value, parts=inside.parts or (inside,))
            case model.In():
                return Part(text, value, why=", ".join(self._places(expr, chart, scene)))
            case _:
                return Part(text, value)

    def _until(
        self, parts: tuple[model.Expr, ...], decides: bool, chart: model.Chart | None, scene: Scene
    ) -> tuple[Part, ...]:
        """Every part up to the one that decides; those behind it were not asked."""
        found: list[Part] = []
        decided = False
        for part in parts:
            if decided:
                found.append(Part(expression_text(part), None, asked=False))
                continue
            found.append(self.guard(part, chart, scene))
            decided = bool(found[-1].value) is decides
        return tuple(found)

    def _named(self, name: str, chart: model.Chart | None) -> model.Expr | None:
        return (chart.guards.get(name) if chart else None) or self._set.guards.get(name)

    def _sides(self, sides: tuple[model.Value, ...], chart: model.Chart | None, scene: Scene) -> str:
        told = []
        for side in sides:
            value = self._evaluator.value(side, chart)(scene)
            if not isinstance(side, model.Const) and value != value_text(side):
                told.append(f"{value_text(side)} is {_value(value)}")
        return ", ".join(told)

    def _places(self, expr: model.In, chart: model.Chart | None, scene: Scene) -> Iterator[str]:
        """Where the charts are that it is about."""
        at = None if expr.at is None else self._evaluator.value(expr.at, chart)(scene)
        if expr.at is not None and not isinstance(expr.at, model.Const):
            yield f"{value_text(expr.at)} is {_value(at)}"
        for name, _, local in self._evaluator.places(expr.ref, chart):
            leaves = scene.leaves[name]
            numbers: list[Any] = [0]
            if local:
                everywhere = list(range(1, len(leaves)))
                numbers = [scene.here] if expr.how == "in" else everywhere
                numbers = [at] if expr.at is not None else numbers
            for number in numbers:
                if isinstance(number, int) and 0 <= number < len(leaves) and leaves[number]:
                    place = f" {number}" if number else ""
                    yield f"{name}{place} is in {'/'.join(self._set.charts[name].path(leaves[number]))}"


def _value(value: Any) -> str:
    match value:
        case True:
            return "yes"
        case False:
            return "no"
        case None:
            return "none"
        case float():
            return f"{value:g}" if abs(value) < 1e6 else f"{value:.3f}"
        case _:
            return str(value)
