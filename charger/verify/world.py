"""The world of a walk: facts that are true, false or unknown, and an oracle for what nobody can know.

Whoever asks for something unknown gets every answer, one after the other: a step is run again from the same
situation until the oracle has given them all. A fact that was answered is known from then on. An answer about
data holds until something changes the data, one about charts outside of the view may turn once in a step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from charger.statechart import model
from charger.statechart.effects import DEBTS, Effect
from charger.statechart.event import Event, Moment
from charger.statechart.expressions import parse_guard
from charger.statechart.findings import Mark
from charger.statechart.words import Vocabulary
from charger.verify.abstraction import NOWHERE, OTHER, Abstraction, Atom

UNKNOWN = 2
NO_MOMENT = Moment()


class Broken(Exception):
    """A promise is broken in this step."""

    def __init__(self, rule: str, text: str, mark: Mark) -> None:
        self.rule = rule
        self.text = text
        self.mark = mark
        super().__init__(text)


class _Reach(NamedTuple):
    """An effect at one place, ready to be applied."""

    debts: bool
    value: int
    sure: bool
    argument: tuple[str, str] | None
    atoms: frozenset[str]
    """Questions that may be answered another way afterwards."""
    places: tuple[tuple[int, int | None], ...]
    """Which facts, and where the fact is that must have held before (-1: not known here)."""


class World:
    """The host of the charts in a walk."""

    def __init__(self, abstraction: Abstraction, vocabulary: Vocabulary, numbers: Sequence[int]) -> None:
        self.abstraction = abstraction
        self.numbers = tuple(numbers)
        """The connectors that the view has, and 0 for the station."""
        self._vocabulary = vocabulary
        self.names = [(fact, number) for fact in abstraction.tracked for number in self._places(fact)]
        """What a situation knows, in the order of `values`."""
        self.index = {name: position for position, name in enumerate(self.names)}
        self.values: list[int] = [UNKNOWN] * len(self.names)
        self._laws = self._clauses()
        self._free: dict[tuple[str, int], bool] = {}
        self._turns: dict[tuple[str, int], tuple[bool, int, bool]] = {}
        self._stale = self._staleness()
        self._plans: dict[tuple[tuple[Effect, ...], int | None], list[_Reach]] = {}
        self.changes: Callable[[], int] = lambda: 0
        """Counts moves and events of this step."""
        self.forget_debts: Callable[[], None] = lambda: None
        self.script: list[int] = []
        self._options: list[int] = []
        self._position = 0
        self.looked: dict[int, None] = {}
        """The places in `values` that were looked at, in order."""
        self.set_to: set[int] = set()
        """Those that this step has set, looked at or not."""
        self.told: list[tuple[str, int, Any]] = []
        """What the oracle was asked in this step, about which connector, and what it said."""
        self.replies: list[str] = []
        self.asked: dict[int, str] = {}
        """Token → the action that asks the Central System."""

    def _places(self, fact: str) -> tuple[int, ...]:
        scope = self._vocabulary.facts[fact].scope.value
        if scope == "station":
            return (0,)
        return tuple(number for number in self.numbers if number or scope == "both")

    def _clauses(self) -> list[list[list[tuple[int, int]]]]:
        """For each fact the laws it is in: of each the facts, and the value that satisfies it."""
        clauses: list[list[list[tuple[int, int]]]] = [[] for _ in self.names]
        for law in self._vocabulary.laws:
            literals = list(_literals(parse_guard(law, Mark("", 1, 1))))
            for number in self.numbers:
                places = [(self.index.get((name, number)), wanted) for name, wanted in literals]
                known = [(place, wanted) for place, wanted in places if place is not None]
                if len(known) == len(places):
                    for place, _ in known:
                        clauses[place].append(known)
        return clauses

    def _staleness(self) -> dict[str, list[str]]:
        stale: dict[str, list[str]] = {}
        for text, atom in self.abstraction.atoms.items():
            for fact in atom.facts:
                stale.setdefault(fact, []).append(text)
        return stale

    # -- the oracle --------------------------------------------------------------------------------------

    def begin(self, script: list[int]) -> None:
        """Run a step with these answers first."""
        self.script = script
        self._options = []
        self.set_to.clear()
        self._position = 0
        self._free.clear()
        self._turns.clear()
        self.told = []
        self.replies = []
        self.asked = {}

    def choose(self, options: int) -> int:
        """One of so many."""
        position = self._position
        self._position += 1
        self._options.append(options)
        if position == len(self.script):
            self.script.append(0)
        return self.script[position]

    def following(self) -> list[int] | None:
        """The next script to run this step with; None when it has been run with all."""
        script = self.script[: self._position]
        while script:
            last = script.pop() + 1
            if last < self._options[len(script)]:
                return [*script, last]
        return None

    # -- facts -------------------------------------------------------------------------------------------

    def look(self, position: int) -> int:
        """What is known of a fact; and keep that somebody wanted to know."""
        self.looked[position] = None
        return self.values[position]

    def ask(self, position: int) -> bool:
        """A fact."""
        value = self.look(position)
        if value == UNKNOWN:
            options = [value for value in (0, 1) if self._lawful(position, value)]
            value = options[self.choose(2)] if len(options) == 2 else options[0]
            self.values[position] = value
            name, number = self.names[position]
            self.told.append((name, number, bool(value)))
        return value == 1

    def _lawful(self, position: int, value: int) -> bool:
        for clause in self._laws[position]:
            if not any(
                (value if place == position else self.look(place)) in (wanted, UNKNOWN)
                for place, wanted in clause
            ):
                return False
        return True

    def ask_atom(self, atom: Atom, number: int) -> bool:
        """Something about data, or about charts outside of the view."""
        key = (atom.text, number)
        if atom.stranger:
            return self._ask_stranger(key)
        known = self._free.get(key)
        if known is None:
            known = self._free[key] = bool(self.choose(2))
            self.told.append((*key, known))
        return known

    def _ask_stranger(self, key: tuple[str, int]) -> bool:
        before = self._turns.get(key)
        now = self.changes()
        if before is None:
            value, turned = bool(self.choose(2)), False
        elif before[2] or before[1] == now:
            return before[0]
        else:
            turned = bool(self.choose(2))
            value = before[0] != turned
        self._turns[key] = (value, now, turned)
        if before is None or turned:
            self.told.append((*key, value))
        return value

    def hearing(self) -> None:
        """Another event: what was known about the one before is no longer of interest."""
        for key in [key for key in self._free if self.abstraction.atoms[key[0]].event]:
            del self._free[key]

    def apply(self, effects: tuple[Effect, ...], number: int | None, arguments: Mapping[str, Any]) -> None:
        """What a word does, performed at a connector (0 or None: everywhere)."""
        if not effects:
            return
        plan = self._plans.get((effects, number))
        if plan is None:
            plan = self._plans[effects, number] = [self._reach(effect, number) for effect in effects]
        before = self.values
        after = self.values = list(before)
        for reach in plan:
            sure = reach.sure
            if reach.argument is not None:
                given = arguments.get(reach.argument[0])
                if given is not None and given != reach.argument[1]:
                    continue
                sure = sure and given is not None
            if reach.debts:
                self.forget_debts()
            if self._free:
                for key in [key for key in self._free if key[0] in reach.atoms]:
                    del self._free[key]
            for position, condition in reach.places:
                held = 1 if condition is None else before[condition] if condition >= 0 else UNKNOWN
                if condition is not None and condition >= 0:
                    self.looked[condition] = None
                if held == 0:
                    continue
                self.set_to.add(position)
                if sure and held == 1:
                    after[position] = reach.value
                else:
                    after[position] = reach.value if self.look(position) == reach.value else UNKNOWN

    def _reach(self, effect: Effect, number: int | None) -> _Reach:
        places: list[tuple[int, int | None]] = []
        for position, (name, place) in enumerate(self.names):
            if not effect.concerns(name) or (number and place and place != number):
                continue
            if place == 0 and number and self._vocabulary.facts[name].scope.value == "both":
                continue
            places.append((position, self._condition(effect.fact_before, place or number or 0)))
        atoms = frozenset(
            text for fact, texts in self._stale.items() if effect.concerns(fact) for text in texts
        )
        value = {"true": 1, "perhaps true": 1, "false": 0, "perhaps false": 0, "any": UNKNOWN}[effect.kind]
        sure = not effect.kind.startswith("perhaps")
        return _Reach(effect.fact == DEBTS, value, sure, effect.argument, atoms, tuple(places))

    def _condition(self, fact: str | None, number: int) -> int | None:
        """Where the fact is that must have held before: None if none must, -1 if it is not known here."""
        if fact is None:
            return None
        return self.index.get((fact, number), self.index.get((fact, 0), -1))

    # -- what the ensemble wants of its host ---------------------------------------------------------------

    def start_timer(self, key: str, due: float) -> None:
        """A timer may run out whenever its state is active."""

    def cancel_timer(self, key: str) -> None:
        """See `start_timer`."""

    def reply(self, call: str, _name: str, _payload: dict[str, Any]) -> None:
        """An answer."""
        self.replies.append(call)

    def reply_error(self, call: str, code: str) -> None:
        """A refusal; the ensemble's own means that nobody answered."""
        self.replies.append(f"!{call}" if code == "InternalError" else call)

    def status_changed(self, number: int, status: str, event: Event) -> None:
        """The walker looks at statuses itself."""

    def rested(self) -> None:
        """Nothing to add."""

    def wall(self, moment: Moment) -> Moment:
        """There is no clock."""
        return moment

    def random(self) -> float:
        """There is no chance."""
        return 0.0


class Fields(Mapping[str, Any]):
    """The fields of an event: those given, and for any other every value that guards can tell apart."""

    def __init__(
        self, world: World, event: str, given: Mapping[str, Any], domains: Mapping[str, tuple[Any, ...]]
    ) -> None:
        self._world = world
        self._event = event
        self.known = dict(given)
        self._domains = domains

    def get(self, name: str, default: Any = None) -> Any:
        """The value; the oracle chooses it when it is asked for first."""
        if name in self.known:
            return self.known[name]
        domain = self._domains.get(name)
        if domain is None:
            return default
        value = domain[self._world.choose(len(domain))] if len(domain) > 1 else domain[0]
        self.known[name] = value
        self._world.told.append((f"event.{name}", 0, value))
        return value

    def __getitem__(self, name: str) -> Any:
        return self.get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.known)

    def __len__(self) -> int:
        return len(self.known)


def field_domain(values: tuple[Any, ...], words: frozenset[str], *, required: bool) -> tuple[Any, ...]:
    """Values of a field that guards can tell apart: those they compare it with, one more, and none."""
    compared = [value for value in values if value is not None]
    if words:
        domain: list[Any] = [word for word in sorted(words) if word in compared]
        domain += [word for word in sorted(words) if word not in compared][:1]
    else:
        numeric = any(isinstance(value, int) and not isinstance(value, bool) for value in compared)
        domain = [*compared, NOWHERE if numeric else OTHER]
    return tuple(domain) if required else (*domain, None)


def _literals(expr: model.Expr) -> Iterator[tuple[str, int]]:
    match expr:
        case model.Or(parts=parts):
            for part in parts:
                yield from _literals(part)
        case model.Not(part=model.Name(name=name)):
            yield name, 0
        case model.Name(name=name):
            yield name, 1
        case _:
            raise ValueError("a law is facts, or their contrary, joined by `or`")
