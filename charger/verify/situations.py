"""The real ensemble, put into a situation and told from it.

A situation is the leaf of every instance, what is known of the facts, the statuses, the answers owed, the
questions under way, and the signals that wait. Timers are not in it: one may run out whenever its state is
active.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from charger.statechart import model
from charger.statechart.ensemble import Ensemble, Instance
from charger.statechart.event import Event
from charger.statechart.findings import Mark
from charger.statechart.words import ActionWord, AnswerWord, FactWord, Vocabulary
from charger.verify.abstraction import WHICH, Abstraction, Atom
from charger.verify.happenings import Surroundings
from charger.verify.world import NO_MOMENT, World


class Situated(Ensemble):
    """All instances of a view, and one connector of them if there are any."""

    def __init__(self, original: model.ChartSet, abstraction: Abstraction, vocabulary: Vocabulary) -> None:
        view = abstraction.view
        self.view = view
        self.world = World(abstraction, vocabulary, [0, *([1] if view.connector else [])])
        self._words = vocabulary
        self._original = original
        heard = {t.trigger for chart in abstraction.charts.charts.values() for t in chart.transitions()}
        if "ocpp.*" in heard:
            heard |= set(vocabulary.calls())
        self._around = Surroundings(original, abstraction, vocabulary, heard)
        super().__init__(
            abstraction.charts, self._abstract_words(abstraction), int(view.connector), self.world
        )
        self.world.changes = lambda: self._changes
        self.world.forget_debts = self.forget_debts
        self._positions = {id(instance): position for position, instance in enumerate(self._instances)}
        self._codes = [
            {leaf: position for position, leaf in enumerate(("", *instance.chart.leaves))}
            for instance in self._instances
        ]
        self._leaf_names = [("", *instance.chart.leaves) for instance in self._instances]
        self._status_words = ("", *dict.fromkeys(s for words in vocabulary.statuses.values() for s in words))
        self._status_codes = {word: code for code, word in enumerate(self._status_words)}
        self._asks_of = [
            (position, name)
            for position, instance in enumerate(self._instances)
            for name in dict.fromkeys(u.name for u in model.uses(instance.chart) if self._is_correlated(u))
        ]
        self._owed = sorted(
            {
                (t.trigger, instance.number)
                for instance in self._instances
                for t in instance.chart.transitions()
                if t.reply and t.reply.kind == "later"
            }
        )
        self._length_at_rest = (
            self.facts_at[1] + len(self._statuses) + len(self._owed) + 2 * len(self._asks_of)
        )
        self._signals: list[Event] = []
        self._signal_codes: dict[tuple[str, int | None, tuple[tuple[str, Any], ...]], int] = {}
        self._open_asks: list[tuple[int, str]] = []
        self._asked_now: list[tuple[int, str]] = []

    def _is_correlated(self, use: model.Use) -> bool:
        return not use.raises and self._words.actions[use.name].correlated

    # -- words -------------------------------------------------------------------------------------------

    def _abstract_words(self, abstraction: Abstraction) -> Vocabulary:
        world, words = self.world, self._words
        facts = {name: self._fact(name) for name in abstraction.tracked}
        for text, atom in abstraction.atoms.items():
            facts[f"?{text}"] = FactWord(f"?{text}", "", _reads(world, atom))
        several = self.view.connector
        facts[WHICH] = FactWord(
            WHICH, "", lambda _world, _here, _event: 1 + world.choose(2) if several else 1
        )
        here = {
            name: any(self._around.answered_here(name, scope) for scope in ("station", "connector"))
            for name in words.calls()
        }
        events = {
            name: replace(word, report=None, replies=word.replies if here.get(name) else None)
            for name, word in words.events.items()
        }
        actions = {name: self._action(word) for name, word in words.actions.items()}
        answers = {
            name: AnswerWord(name, "", lambda *_given, **_arguments: {}, word.calls)
            for name, word in words.answers.items()
        }
        return Vocabulary(events, facts, actions, answers, read_key=lambda _world, _name: 1)

    def _fact(self, name: str) -> FactWord:
        index, world = self.world.index, self.world
        positions = {number: index[name, number] for number in (0, 1) if (name, number) in index}
        if len(positions) == 1:
            (only,) = positions.values()
            return FactWord(name, "", lambda _world, _here, _event: world.ask(only))
        return FactWord(name, "", lambda _world, here, _event: world.ask(positions[here]))

    def _action(self, word: ActionWord) -> ActionWord:
        world, effects, name = self.world, self._around.effects_of_action(word.name), word.name

        def perform(_world: Any, here: int, _event: Event, **arguments: Any) -> None:
            if "token" in arguments:
                world.asked[arguments["token"]] = name
            world.apply(effects, here, arguments)

        return replace(word, perform=perform)

    # -- situations --------------------------------------------------------------------------------------

    def blank(self) -> bytes:
        """Before the start: nothing is known but what the view takes for granted."""
        self.world.values = [
            int(self.view.given[name]) if name in self.view.given else 2 for name, _ in self.world.names
        ]
        for instance in self._instances:
            instance.leaf = self.leaves[instance.chart.name][instance.number] = ""
        for number in self._statuses:
            self._statuses[number] = self._reported[number] = ""
        self._debts.clear()
        self._awaited.clear()
        return self.situation()

    def situation(self) -> bytes:
        """The situation: at rest, or with signals that still wait to be heard."""
        under_way = {
            self._ask(token, one) for token, (one, visit) in self._awaited.items() if one.visit == visit
        }
        begun = {self._ask(token, one) for token, one in self._asking}
        return bytes(
            [
                *[code[one.leaf] for code, one in zip(self._codes, self._instances, strict=True)],
                *self.world.values,
                *[self._status_codes[status] for status in self._statuses.values()],
                *[owed in self._debts for owed in self._owed],
                *[ask in under_way for ask in self._asks_of],
                *[ask in begun for ask in self._asks_of],
                *[self._signal_code(event) for event in self._waiting],
            ]
        )

    def _ask(self, token: int, instance: Instance) -> tuple[int, str]:
        return self._positions[id(instance)], self.world.asked[token]

    def _signal_code(self, event: Event) -> int:
        told = tuple((n, v) for n, v in event.fields.items() if n in self.world.abstraction.fields)
        signal = (event.name, event.connector, told)
        code = self._signal_codes.get(signal)
        if code is None:
            code = self._signal_codes[signal] = len(self._signals)
            self._signals.append(Event(event.name, event.connector, dict(told), moment=NO_MOMENT))
        return code

    def put_into(self, situation: bytes) -> None:
        """Put everything back."""
        position = len(self._instances)
        for code, names, instance in zip(situation, self._leaf_names, self._instances, strict=False):
            instance.leaf = self.leaves[instance.chart.name][instance.number] = names[code]
        end = position + len(self.world.values)
        self.world.values = list(situation[position:end])
        for offset, number in enumerate(self._statuses):
            status = self._status_words[situation[end + offset]]
            self._statuses[number] = self._reported[number] = status
        rest = iter(situation[end + len(self._statuses) :])
        self._debts = {owed: "owed" for owed, so in zip(self._owed, rest, strict=False) if so}
        self._awaited = {}
        self._open_asks = [ask for ask, so in zip(self._asks_of, rest, strict=False) if so]
        self._asked_now = [ask for ask, so in zip(self._asks_of, rest, strict=False) if so]
        self._asking.clear()
        self._waiting.clear()
        self._waiting.extend(self._signals[code] for code in rest)

    # -- what others look at -------------------------------------------------------------------------------

    def places(self) -> Iterator[tuple[model.Chart, int, int]]:
        """Every instance: its chart as it was written, its number, and where its leaf is in a situation."""
        for position, instance in enumerate(self._instances):
            yield self._original.charts[instance.chart.name], instance.number, position

    def leaf_code(self, position: int, leaf: str) -> int:
        """How a situation writes a leaf."""
        return self._codes[position][leaf]

    def leaf_name(self, position: int, code: int) -> str:
        """The leaf that a situation writes so."""
        return self._leaf_names[position][code]

    @property
    def facts_at(self) -> tuple[int, int]:
        """Where in a situation the facts begin, and what is not a fact goes on."""
        return len(self._instances), len(self._instances) + len(self.world.names)

    def debt_position(self, call: str, number: int) -> int:
        """Where in a situation stands whether the answer to a call is owed."""
        return self.facts_at[1] + len(self._statuses) + self._owed.index((call, number))

    def fact_positions(self, fact: str) -> list[int]:
        """Where in a situation a fact is, for each connector."""
        return [len(self._instances) + place for (name, _), place in self.world.index.items() if name == fact]

    def mark_of(self, fact: str) -> Mark:
        """Where an action stands that effects the fact true."""
        return next(
            use.mark
            for chart in self._original.charts.values()
            for use in model.uses(chart)
            if self._effects(use, "true", fact)
        )

    def mark_of_signal(self, name: str) -> Mark:
        """Where a signal is raised."""
        uses = (use for chart in self._original.charts.values() for use in model.uses(chart))
        return next(use.mark for use in uses if use.raises and use.name == name)

    def _effects(self, use: model.Use, kind: str, fact: str) -> bool:
        if use.raises:
            return False
        return any(e.kind == kind and e.concerns(fact) for e in self._around.effects_of_action(use.name))

    def decides(self, fact: str) -> bool:
        """Whether a chart of the view makes the fact false, and asks nobody outside of the view when."""
        deciding = [
            chart
            for chart in self._set.charts.values()
            if any(self._effects(use, "false", fact) for use in model.uses(chart))
        ]
        return bool(deciding) and not any(
            self._asks_strangers(transition.guard, chart)
            for chart in deciding
            for transition in chart.transitions()
            if transition.guard is not None
        )

    def _asks_strangers(self, expr: model.Expr, chart: model.Chart) -> bool:
        atoms, guards = self.world.abstraction.atoms, {**self._set.guards, **chart.guards}
        for name in (part.name for part in model.parts(expr) if isinstance(part, model.Name)):
            atom = atoms.get(name.removeprefix("?"))
            if atom.stranger if atom else name in guards and self._asks_strangers(guards[name], chart):
                return True
        return False

    def waiting(self, situation: bytes) -> list[str]:
        """The signals that wait to be heard; none at rest."""
        return [self._signals[code].name for code in situation[self._length_at_rest :]]

    def signals(self) -> list[Any]:
        """The signals that situations speak of, in the order of their codes."""
        return [[event.name, event.connector, list(event.fields.items())] for event in self._signals]

    def know_signals(self, signals: list[Any]) -> None:
        """Give signals the codes that they had in an earlier walk."""
        for name, connector, told in signals:
            fields = tuple((field, value) for field, value in told)
            self._signal_codes[name, connector, fields] = len(self._signals)
            self._signals.append(Event(name, connector, dict(fields), moment=NO_MOMENT))


def _reads(world: World, atom: Atom) -> Callable[[Any, int, Event], bool]:
    return lambda _world, here, _event: world.ask_atom(atom, here)
