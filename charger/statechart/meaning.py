"""What a part of a chart says, without where and how it is written: two parts that behave the same are equal.

Places, comments, order of keys, blanks, brackets, `60s` for `1m`, the order of conditions joined by `and` or
`or`, and whether a condition is named or written out make no difference. Everything here is a value that can
be compared and hashed; nobody else looks inside.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from charger.statechart import model

Renamed = Mapping[str, Mapping[str, str]]
"""Chart → name of a state → the name it is to be compared by."""


def named(chart: model.Chart | None, chart_set: model.ChartSet) -> Mapping[str, model.Expr]:
    """The named guards that can be used in a chart, or with None in index.yaml."""
    return {**chart_set.guards, **chart.guards} if chart else chart_set.guards


@dataclass(frozen=True)
class Meaning:
    """Of the parts of one chart; None: of index.yaml."""

    chart: model.Chart | None
    guards: Mapping[str, model.Expr] = field(default_factory=dict)
    """Named guards."""
    renamed: Renamed = field(default_factory=dict)
    through: bool = True
    """Named guards are looked through: taken for what they stand for."""

    def as_written(self) -> Meaning:
        """One that takes the names of guards as names."""
        return replace(self, through=False)

    def state(self, name: str | None) -> str | None:
        """A state by the name it is compared by."""
        return self._state(self.chart.name, name) if self.chart and name else name

    def expression(self, expr: model.Expr | None) -> Hashable:
        """A condition."""
        match expr:
            case model.And(parts=parts):
                return self._joined("and", model.And, parts)
            case model.Or(parts=parts):
                return self._joined("or", model.Or, parts)
            case model.Not(part=part):
                return "not", self.expression(part)
            case model.Compare(left=left, operator=operator, right=right):
                return operator, self.expression(left), self.expression(right)
            case model.Name(name=name) if name in self.guards:
                return self.expression(self.guards[name]) if self.through else ("guard", name)
            case model.Name(name=name) | model.Capital(name=name):
                return type(expr).__name__, name
            case model.EventField(name=name):
                return "event", name
            case model.Const(value=value):
                return type(value).__name__, value
            case model.In(how=how, ref=ref, at=at):
                return how, self._ref(ref), self.expression(at)
            case model.Tries(state=state):
                return "tries", self.state(state)
            case model.Between(start=start, end=end):
                return "between", start, end
            case model.Here():
                return "here"
            case _:
                return None

    def parts(self, expr: model.Expr, kind: type[model.And | model.Or]) -> dict[Hashable, model.Expr]:
        """What is joined by `and` (or by `or`), each by its meaning."""
        inner = expr.parts if isinstance(expr, kind) else (expr,)
        return {self.expression(part): part for part in inner}

    def use(self, use: model.Use) -> Hashable:
        """An action, or a signal raised."""
        return use.name, use.raises, self._arguments(use.arguments)

    def uses(self, uses: Iterable[model.Use]) -> tuple[Hashable, ...]:
        """Actions in their order."""
        return tuple(map(self.use, uses))

    def reply(self, reply: model.Reply | None) -> Hashable:
        """What is answered."""
        return reply and (reply.kind, reply.name, self._arguments(reply.arguments), reply.pays)

    def trigger(self, one: model.Transition) -> tuple[Hashable, ...]:
        """What a transition competes for: the event, the timer, or nothing for ``always``."""
        return one.kind, one.delay or one.trigger

    def effect(self, one: model.Transition) -> Hashable:
        """What happens when a transition is taken."""
        return self.state(one.target), self.reply(one.reply), self.uses(one.actions)

    def transition(self, one: model.Transition) -> Hashable:
        """Guard and effect."""
        return self.expression(one.guard), self.effect(one)

    def state_itself(self, state: model.State) -> Hashable:
        """All of a state but its name and its children's insides."""
        rivals: dict[Hashable, list[Hashable]] = {}
        for one in state.transitions:
            rivals.setdefault(self.trigger(one), []).append(self.transition(one))
        return (
            (self.state(state.parent), self.state(state.initial), state.status, state.final),
            frozenset(tag for tag, _ in state.tags),
            tuple(sorted(self.state(child) or "" for child in state.children)),
            (self.uses(state.entry), self.uses(state.exit)),
            frozenset((trigger, tuple(ones)) for trigger, ones in rivals.items()),
        )

    def invariant(self, one: model.Invariant) -> Hashable:
        """A promise."""
        actions = frozenset(name for name, _ in one.whenever)
        return self.expression(one.never), actions, self.expression(one.then), self.state(one.home)

    def _joined(self, word: str, kind: type[model.And | model.Or], parts: Iterable[model.Expr]) -> Hashable:
        """Order and nesting of what is joined by one word do not matter."""
        flat: set[Hashable] = set()
        waiting = list(parts)
        while waiting:
            part = waiting.pop()
            while self.through and isinstance(part, model.Name) and part.name in self.guards:
                part = self.guards[part.name]
            if isinstance(part, kind):
                waiting += part.parts
            else:
                flat.add(self.expression(part))
        return (word, frozenset(flat)) if len(flat) > 1 else flat.pop()

    def _arguments(self, arguments: Iterable[tuple[str, model.Value]]) -> Hashable:
        return frozenset((name, self.expression(value)) for name, value in arguments)

    def _state(self, chart: str, name: str) -> str:
        return self.renamed.get(chart, {}).get(name, name)

    def _ref(self, ref: str) -> str:
        """``Waiting`` of this chart, ``power.Closed`` of another one, or a tag."""
        chart, dot, name = ref.rpartition(".")
        if not dot and self.chart and ref[0].isupper():
            chart = self.chart.name
            name = ref
        return f"{chart}.{self._state(chart, name)}" if chart else ref
