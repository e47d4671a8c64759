"""A set of charts as frozen data, every part with the place it was written at.

The reader builds it; checks, compiler, diagram and every other tool read it. Nothing here has behaviour
beyond looking things up in its own tree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

from charger.statechart.findings import Mark

# -- expressions -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class And:
    """Every part holds."""

    mark: Mark
    parts: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Some part holds."""

    mark: Mark
    parts: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    mark: Mark
    part: Expr


@dataclass(frozen=True, slots=True)
class Compare:
    """Two values, one operator."""

    mark: Mark
    left: Value
    operator: Literal["==", "!=", "<", "<=", ">", ">="]
    right: Value


@dataclass(frozen=True, slots=True)
class Name:
    """A lower-case word: a fact, an input or a named guard."""

    mark: Mark
    name: str


@dataclass(frozen=True, slots=True)
class Capital:
    """A capital word: a configuration key, a setting, or a word of the protocol in a comparison."""

    mark: Mark
    name: str


@dataclass(frozen=True, slots=True)
class EventField:
    """``event.x``."""

    mark: Mark
    name: str


@dataclass(frozen=True, slots=True)
class Const:
    """A number, a text, true, false or none."""

    mark: Mark
    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Here:
    """The number of this connector; 0 in a station chart."""

    mark: Mark


@dataclass(frozen=True, slots=True)
class In:
    """``in(ref)``, and its forms over all connectors."""

    mark: Mark
    how: Literal["in", "any", "all", "one", "first"]
    ref: str
    at: Value | None = None
    """The connector that is asked about, in ``in(ref, connector)``; None: the one that asks."""


@dataclass(frozen=True, slots=True)
class Tries:
    """How often a state was entered since its parent was."""

    mark: Mark
    state: str


@dataclass(frozen=True, slots=True)
class Between:
    """``clock.between(22:00, 06:00)``: local time in minutes from midnight."""

    mark: Mark
    start: int
    end: int


Value: TypeAlias = Name | Capital | EventField | Const | Here | In | Tries | Between
Expr: TypeAlias = And | Or | Not | Compare | Value


# -- delays ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fixed:
    """So many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class OfKey:
    """The value of a configuration key in seconds (0: never), times a number fact if there is one."""

    key: str
    factor: str | None = None


@dataclass(frozen=True, slots=True)
class OfFact:
    """A fact of type duration (s), or instant (epoch s) in ``at``."""

    fact: str


@dataclass(frozen=True, slots=True)
class Backoff:
    """`first` seconds, doubled with every try of the state up to `limit`, plus up to `jitter` at random."""

    first: float
    limit: float
    jitter: float


@dataclass(frozen=True, slots=True)
class DayTime:
    """So many minutes after local midnight, every day."""

    minutes: int


Delay: TypeAlias = Fixed | OfKey | OfFact | Backoff | DayTime


# -- transitions and states --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Use:
    """An action used in a chart, or a signal raised (``raises`` set)."""

    mark: Mark
    name: str
    arguments: tuple[tuple[str, Value], ...] = ()
    argument_marks: tuple[Mark, ...] = ()
    """Where the names of the arguments stand."""
    raises: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What a transition answers. Exactly one of the kinds, `pays` naming the CALL a payment is for."""

    mark: Mark
    kind: Literal["status", "answer", "error", "later"]
    name: str
    """The status, the answer word or the error code; empty for ``later``."""
    arguments: tuple[tuple[str, Value], ...] = ()
    argument_marks: tuple[Mark, ...] = ()
    pays: str | None = None
    pays_mark: Mark | None = None


Kind: TypeAlias = Literal["on", "always", "after", "every", "at"]


@dataclass(frozen=True, slots=True)
class Transition:
    """One way a state reacts."""

    mark: Mark
    kind: Kind
    trigger: str
    """The event for ``on``; the delay as written for timers; empty for ``always``."""
    trigger_mark: Mark
    source: str
    """The state that declares it; empty: the chart itself."""
    guard: Expr | None = None
    target: str | None = None
    target_mark: Mark | None = None
    reply: Reply | None = None
    actions: tuple[Use, ...] = ()
    description: str = ""
    delay: Delay | None = None
    guard_text: str = ""
    """The guard as written, a list joined by ``and``."""

    @property
    def key(self) -> str:
        """Names the trigger: transitions of one key compete. A timer belongs to its state."""
        match self.kind:
            case "on":
                return f"on {self.trigger}"
            case "always":
                return "always"
            case _:
                return f"{self.kind} {self.source}:{self.trigger}"


@dataclass(frozen=True, slots=True)
class State:
    """A state with what is written in it; the root of a chart is one too, with an empty name."""

    mark: Mark
    name: str
    parent: str | None = None
    description: str = ""
    status: str | None = None
    status_mark: Mark | None = None
    tags: tuple[tuple[str, Mark], ...] = ()
    initial: str | None = None
    initial_mark: Mark | None = None
    children: tuple[str, ...] = ()
    final: bool = False
    entry: tuple[Use, ...] = ()
    exit: tuple[Use, ...] = ()
    transitions: tuple[Transition, ...] = ()


@dataclass(frozen=True, slots=True)
class Invariant:
    """What may not happen."""

    mark: Mark
    description: str = ""
    never: Expr | None = None
    whenever: tuple[tuple[str, Mark], ...] = ()
    then: Expr | None = None
    home: str | None = None
    text: str = ""
    """As written."""


@dataclass(frozen=True)
class Chart:
    """One file."""

    mark: Mark
    name: str
    scopes: tuple[str, ...]
    description: str
    states: Mapping[str, State]
    """By name, in the order of the file; the root under the empty name."""
    guards: Mapping[str, Expr] = field(default_factory=dict)
    guard_texts: Mapping[str, str] = field(default_factory=dict)
    invariants: tuple[Invariant, ...] = ()

    @property
    def root(self) -> State:
        """The chart itself as a state."""
        return self.states[""]

    @cached_property
    def leaves(self) -> tuple[str, ...]:
        """States without children, in the order of the file."""
        return tuple(name for name, state in self.states.items() if name and not state.children)

    def path(self, name: str) -> tuple[str, ...]:
        """From the outermost state to this one, without the root."""
        path: list[str] = []
        current: str | None = name
        while current:
            path.append(current)
            current = self.states[current].parent
        return tuple(reversed(path))

    def inside(self, name: str) -> tuple[str, ...]:
        """The leaves inside a state; of a leaf: itself; of the root: all."""
        return tuple(leaf for leaf in self.leaves if not name or name in self.path(leaf))

    def lineage(self, name: str) -> Iterator[State]:
        """The state, the states around it, the root: the order in which transitions are tried."""
        for ancestor in reversed(self.path(name)):
            yield self.states[ancestor]
        yield self.root

    def tags(self, name: str) -> frozenset[str]:
        """The tags of a state: its own and those of the states around it."""
        return frozenset(tag for state in self.lineage(name) for tag, _ in state.tags)

    def candidates(self, leaf: str, key: str) -> tuple[Transition, ...]:
        """What competes in a leaf for a trigger, in the order it is tried."""
        return tuple(t for state in self.lineage(leaf) for t in state.transitions if t.key == key)

    def transitions(self) -> Iterator[Transition]:
        """Every transition, in the order of the file."""
        for state in self.states.values():
            yield from state.transitions

    def kept(self, transition: Transition) -> frozenset[str]:
        """The states that a transition neither leaves nor enters: those around both its ends."""
        source, target = self.path(transition.source), self.path(transition.target or "")
        if transition.target != transition.source and set(source) <= set(target):
            return frozenset(source)
        return frozenset(source[:-1]) & frozenset(target[:-1])

    def entered(self, transition: Transition) -> tuple[State, ...]:
        """The states that a transition enters, from the outermost."""
        kept = self.kept(transition)
        path = self.path(self.initial_leaf(transition.target or ""))
        return tuple(self.states[name] for name in path if name not in kept)

    def initial_leaf(self, name: str = "") -> str:
        """Where entering a state ends up."""
        state = self.states[name]
        while state.children:
            first = state.initial if state.initial in state.children else state.children[0]
            state = self.states[first]
        return state.name


@dataclass(frozen=True)
class Pin:
    """An input or output declared in index.yaml."""

    mark: Mark
    name: str
    scope: str
    description: str = ""


@dataclass(frozen=True)
class ChartSet:
    """A folder of charts."""

    mark: Mark
    description: str
    charts: Mapping[str, Chart]
    """By name, in the order in which an event is offered."""
    guards: Mapping[str, Expr] = field(default_factory=dict)
    guard_texts: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    setting_marks: Mapping[str, Mark] = field(default_factory=dict)
    inputs: Mapping[str, Pin] = field(default_factory=dict)
    outputs: Mapping[str, Pin] = field(default_factory=dict)
    invariants: tuple[Invariant, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    """Text by file name, for carets."""
    unread: frozenset[str] = frozenset()
    """Charts listed in index.yaml of which nothing could be read."""

    def signals(self) -> dict[str, set[str]]:
        """Every signal raised, with the names of its fields."""
        raised: dict[str, set[str]] = {}
        for chart in self.charts.values():
            for use in uses(chart):
                if use.raises:
                    raised.setdefault(use.name, set()).update(name for name, _ in use.arguments)
        return raised


def uses(chart: Chart) -> Iterator[Use]:
    """Every action a chart may perform, in the order of the file."""
    for state in chart.states.values():
        yield from state.entry
        yield from state.exit
        for transition in state.transitions:
            yield from transition.actions


def guards_of(chart: Chart) -> Iterator[Expr]:
    """Every guard expression written in a chart, named ones included."""
    yield from chart.guards.values()
    for transition in chart.transitions():
        if transition.guard is not None:
            yield transition.guard
    for invariant in chart.invariants:
        yield from (expr for expr in (invariant.never, invariant.then) if expr is not None)


def parts(expr: Expr) -> Iterator[Expr]:
    """The expression and everything in it."""
    yield expr
    match expr:
        case And(parts=inner) | Or(parts=inner):
            for part in inner:
                yield from parts(part)
        case Not(part=part):
            yield from parts(part)
        case Compare(left=left, right=right):
            yield from parts(left)
            yield from parts(right)
        case In(at=place) if place is not None:
            yield place
        case _:
            pass
