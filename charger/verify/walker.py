"""The real ensemble, walked: put into a situation, given an event, and looked at where it comes to rest.

A situation is the leaf of every instance, what is known of the facts, the statuses, the answers owed and the
questions under way. Timers are not in it: one may run out whenever its state is active.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from charger.statechart import model, timing
from charger.statechart.effects import DEBTS
from charger.statechart.ensemble import BrokenPromiseError, Ensemble, Instance, Moved
from charger.statechart.event import Event
from charger.statechart.findings import Mark
from charger.statechart.words import ActionWord, AnswerWord, FactWord, Vocabulary
from charger.verify.abstraction import WHICH, Abstraction, Atom
from charger.verify.happenings import ELSEWHERE, NEXT, Happening, Surroundings
from charger.verify.world import NO_MOMENT, Broken, Fields, World, field_domain


class _Standing(dict[str, Any]):
    """Timers that are never forgotten: which of them run follows from the states that are active."""

    def __delitem__(self, key: str) -> None:
        pass


class Walker(Ensemble):
    """All instances of a view, and one connector of them if there are any."""

    def __init__(
        self,
        original: model.ChartSet,
        abstraction: Abstraction,
        vocabulary: Vocabulary,
        allowed: Callable[[str, str], bool],
    ) -> None:
        view = abstraction.view
        self.view = view
        self.numbers = ([0] if view.station else []) + ([1] if view.connector else [])
        self.world = World(abstraction, vocabulary, [0, *([1] if view.connector else [])])
        self._words = vocabulary
        self._allowed = allowed
        heard = {t.trigger for chart in abstraction.charts.charts.values() for t in chart.transitions()}
        if "ocpp.*" in heard:
            heard |= set(vocabulary.calls())
        self._around = Surroundings(original, abstraction, vocabulary, heard)
        self._original = original
        self._in_both = {name for name, chart in original.charts.items() if len(chart.scopes) == 2}
        self._domains: dict[str, dict[str, tuple[Any, ...]]] = {}
        super().__init__(
            abstraction.charts, self._abstract_words(abstraction), int(view.connector), self.world
        )
        self.world.changes = lambda: self._changes
        self.world.forget_debts = self.forget_debts
        self._timers = _Standing()
        self._timers_in: list[dict[str, list[str]]] = []
        self._set_timers()
        self._codes = [
            {leaf: position for position, leaf in enumerate(("", *instance.chart.leaves))}
            for instance in self._instances
        ]
        self._leaf_names = [("", *instance.chart.leaves) for instance in self._instances]
        self._status_words = ("", *dict.fromkeys(s for words in vocabulary.statuses.values() for s in words))
        self._status_codes = {word: code for code, word in enumerate(self._status_words)}
        self._ask_names = [
            (position, name)
            for position, instance in enumerate(self._instances)
            for name in dict.fromkeys(u.name for u in model.uses(instance.chart) if self._is_correlated(u))
        ]
        self._ask_bits = {ask: bit for bit, ask in enumerate(self._ask_names)}
        self._owed = sorted(
            {
                (t.trigger, instance.number)
                for instance in self._instances
                for t in instance.chart.transitions()
                if t.reply and t.reply.kind == "later"
            }
        )
        self._signals: list[Event] = []
        self._signal_codes: dict[tuple[str, int | None, tuple[tuple[str, Any], ...]], int] = {}
        self._open_asks: list[tuple[int, str]] = []
        self._asked_now: list[tuple[int, str]] = []
        self._positions = {id(instance): position for position, instance in enumerate(self._instances)}
        self._idle: dict[tuple[int, str, str, bool], bool] = {}
        self._listening: dict[Happening, tuple[tuple[Instance, str], ...]] = {}
        self._timer_happenings = {key: Happening("timer", key) for key in self._timers}
        self.happenings = _told_apart(list(self._around.everything()), self._likeness)

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
        debts = sum(1 << bit for bit, owed in enumerate(self._owed) if owed in self._debts)
        asks = 0
        for token, (instance, visit) in self._awaited.items():
            if instance.visit == visit:
                asks |= 1 << self._ask_bits[self._positions[id(instance)], self.world.asked[token]]
        asking = 0
        for token, instance in self._asking:
            asking |= 1 << self._ask_bits[self._positions[id(instance)], self.world.asked[token]]
        return bytes(
            [
                *[code[one.leaf] for code, one in zip(self._codes, self._instances, strict=True)],
                *self.world.values,
                *[self._status_codes[status] for status in self._statuses.values()],
                debts,
                *divmod(asks, 256),
                *divmod(asking, 256),
                *[self._signal_code(event) for event in self._waiting],
            ]
        )

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
        end += len(self._statuses)
        debts, *asks = situation[end : end + 5]
        self._debts = {owed: "owed" for bit, owed in enumerate(self._owed) if debts >> bit & 1}
        self._awaited = {}
        self._open_asks = self._asks_in(asks[0] * 256 + asks[1])
        self._asked_now = self._asks_in(asks[2] * 256 + asks[3])
        self._asking.clear()
        self._waiting.clear()
        self._waiting.extend(self._signals[code] for code in situation[end + 5 :])

    def _asks_in(self, bits: int) -> list[tuple[int, str]]:
        return [ask for bit, ask in enumerate(self._ask_names) if bits >> bit & 1] if bits else []

    @property
    def resting(self) -> bool:
        """No signal waits to be heard."""
        return not self._waiting

    def _reopen(self) -> None:
        """Questions that were under way before this step stay so, unless their state is left."""
        for position, action in self._open_asks:
            instance = self._instances[position]
            self.world.asked[self._next_token] = action
            self._awaited[self._next_token] = (instance, instance.visit)
            self._next_token += 1
        for position, action in self._asked_now:
            self.world.asked[self._next_token] = action
            self._asking.append((self._next_token, self._instances[position]))
            self._next_token += 1

    def run(self, happening: Happening) -> Broken | None:
        """Let it happen, and come to rest; a signal that waits then is heard in a step of its own, `NEXT`.

        Returns:
            a promise that is broken, though the station goes on.

        Raises:
            Broken: a promise is broken on which the station starts anew.
        """
        self._reopen()
        before = dict(self._statuses)
        asked = [instance.leaf for instance in self._instances] if happening.kind == "call" else []
        try:
            self._run(happening)
        except BrokenPromiseError as error:
            raise Broken(error.rule, error.text, error.mark) from error
        unanswered = self._wrong_reply(happening, asked) if happening.kind == "call" else None
        return self._wrong_status(before) or unanswered

    def _run(self, happening: Happening) -> None:
        event = self._event_of(happening)
        if happening.kind == "start":
            self.start(event)
            return
        if happening.kind not in ("next", "elsewhere"):
            self.step(event)
            return
        self._begin(event)
        if happening.kind == "next":
            self._hear(self._waiting.popleft())
        else:
            self.world.apply(self._around.effects(happening), happening.connector, dict(happening.fields))
        self._finish()

    def _event_of(self, happening: Happening) -> Event:
        match happening.kind:
            case "start":
                return Event(happening.name, moment=NO_MOMENT)
            case "elsewhere" | "next":  # some event, whose fields nobody knows
                fields = Fields(self.world, happening.kind, {}, self._domains_of(happening.kind))
                return Event(happening.kind, None, fields, moment=NO_MOMENT)
            case "timer":
                return Event("timer.expired", fields={"key": happening.name}, moment=NO_MOMENT)
            case "call":
                return Event(
                    happening.name, happening.connector, dict(happening.fields), call="call", moment=NO_MOMENT
                )
            case "answer":
                token = next(
                    token
                    for token, (instance, _) in self._awaited.items()
                    if (self._positions[id(instance)], self.world.asked[token]) == happening.asker
                )
                return Event(happening.name, None, {}, token=token, moment=NO_MOMENT)
            case _:
                return Event(happening.name, happening.connector, dict(happening.fields), moment=NO_MOMENT)

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

    @property
    def debts_at(self) -> int:
        """Where in a situation the answers owed are."""
        return self.facts_at[1] + len(self._statuses)

    def debt_bit(self, call: str, number: int) -> int:
        """Which bit of them is that of a call."""
        return self._owed.index((call, number))

    def fact_positions(self, fact: str) -> list[int]:
        """Where in a situation a fact is, for each connector."""
        return [len(self._instances) + place for (name, _), place in self.world.index.items() if name == fact]

    def mark_of(self, fact: str) -> Mark:
        """Where an action stands that effects the fact true."""
        return next(
            use.mark
            for chart in self._original.charts.values()
            for use in model.uses(chart)
            if not use.raises
            and any(e.kind == "true" and e.concerns(fact) for e in self._around.effects_of_action(use.name))
        )

    def signals(self) -> list[Any]:
        """The signals that situations speak of, in the order of their codes."""
        return [[event.name, event.connector, list(event.fields.items())] for event in self._signals]

    def know_signals(self, signals: list[Any]) -> None:
        """Give signals the codes that they had in an earlier walk."""
        for name, connector, told in signals:
            fields = tuple((field, value) for field, value in told)
            self._signal_codes[name, connector, fields] = len(self._signals)
            self._signals.append(Event(name, connector, dict(fields), moment=NO_MOMENT))

    # -- what the step does otherwise than in the field ------------------------------------------------------

    def _listeners(self, event: Event) -> list[tuple[Instance, str]]:
        listeners = super()._listeners(event)
        if event.connector and event.call is None and event.token is None:
            # A chart with an instance for each connector and one for the station hears at its own place only.
            listeners = [
                (instance, key)
                for instance, key in listeners
                if instance.number == event.connector or instance.chart.name not in self._in_both
            ]
        return listeners

    def _finish(self) -> list[Moved]:
        """Come to rest; signals that wait are heard in steps of their own."""
        self._rest()
        self._read_statuses()
        if self._waiting:
            return self.moves
        for token, instance in self._asking:
            self._awaited[token] = (instance, instance.visit)
        self._asking.clear()
        for invariant, ask, number in self._invariants:
            if ask(self._scene(number)):
                raise BrokenPromiseError("never", invariant.text, invariant.mark, number)
        return self.moves

    def _hear(self, event: Event) -> None:
        fields = Fields(self.world, event.name, event.fields, self._domains_of(event.name))
        self.world.hearing()
        self.world.apply(self._around.effects_of_event(event.name), event.connector, fields.known)
        super()._hear(Event(event.name, event.connector, fields, event.call, event.token, event.moment))

    def _expire(self, key: str) -> None:
        self.world.hearing()
        super()._expire(key)

    def _arm(self, key: str, rung: float | None = None) -> None:
        pass

    def _rearm(self) -> None:
        pass

    def _domains_of(self, event: str) -> dict[str, tuple[Any, ...]]:
        known = self._domains.get(event)
        if known is None:
            known = self._domains[event] = {}
            word = self._words.events.get(event)
            for name, values in self.world.abstraction.fields.items():
                declared = word.fields.get(name) if word else None
                # What a word does not declare is not there; of a call or its answer nobody declares all.
                if word and not declared and (name == "connector" or not event.startswith("ocpp.")):
                    continue
                words = declared.words if declared else frozenset()
                required = declared.required if declared else False
                known[name] = field_domain(values, words, required=required)
        return known

    # -- what is held against every step ---------------------------------------------------------------------

    def _wrong_status(self, before: Mapping[int, str]) -> Broken | None:
        for number, status in self._statuses.items():
            if number and not self._allowed(before[number], status):
                for instance in self._instances:
                    for state in instance.chart.lineage(instance.leaf):
                        if instance.number == number and state.status == status:
                            text = f"no way from {before[number]} to {status} in the matrix of OCPP 1.6 §4.9"
                            return Broken("status-matrix", text, state.status_mark or state.mark)
        return None

    def _wrong_reply(self, happening: Happening, leaves: list[str]) -> Broken | None:
        replies = self.world.replies.count("call") + list(self._debts.values()).count("call")
        if replies == 1:
            return None
        for instance, leaf in zip(self._instances, leaves, strict=True):
            if any(t.trigger in (happening.name, "ocpp.*") for t in instance.chart.transitions()):
                state = instance.chart.states[leaf]
                many = "twice" if replies > 1 else "not"
                text = f"{happening.name} is {many} answered in {instance.chart.name}.{state.name}"
                return Broken("call-unanswered", text, state.mark)
        return None

    # -- what may happen -------------------------------------------------------------------------------------

    def changes_nothing(self, happening: Happening) -> bool:
        """Whether it is like any moment: nobody hears it, no fact changes."""
        if happening.kind in ("start", "next", "answer") or happening.name == ELSEWHERE:
            return False
        listeners = self._listening.get(happening)
        if listeners is None:
            listeners = self._listening[happening] = tuple(self._listeners_of(happening))
        owed = happening.kind == "call"
        for instance, key in listeners:
            if instance.machine.hears(instance.leaf, key):
                if not self._is_idle(instance, key, answers=owed):
                    return False
                owed = False
        if owed:
            return False
        effects = self._around.effects(happening)
        if self._debts and any(effect.fact == DEBTS for effect in effects):
            return False
        before = self.world.values
        self.world.set_to.clear()
        self.world.apply(effects, happening.connector, dict(happening.fields))
        after, self.world.values = self.world.values, before
        return all(after[place] == self.world.look(place) for place in sorted(self.world.set_to))

    def _is_idle(self, instance: Instance, key: str, *, answers: bool) -> bool:
        """Whether all that it can do with that trigger is to answer, or nothing."""
        known = self._idle.get((id(instance), instance.leaf, key, answers))
        if known is None:
            known = not answers
            for transition in instance.chart.candidates(instance.leaf, key):
                known = not transition.target and not any(map(self._matters, transition.actions))
                reply = transition.reply
                known = known and (reply is not None) == answers and not (reply and reply.kind == "later")
                if not known or transition.guard is None:
                    break
            else:
                known = known and not answers
            self._idle[id(instance), instance.leaf, key, answers] = known
        return known

    def _matters(self, use: model.Use) -> bool:
        """Whether an action can make a difference in this view."""
        if use.raises:
            return use.name in self._hearing
        if use.name in self._whenever or self._words.actions[use.name].correlated:
            return True
        effects = self._around.effects_of_action(use.name)
        return any(effect.concerns(fact) for effect in effects for fact in self.world.abstraction.tracked)

    def _listeners_of(self, happening: Happening) -> list[tuple[Instance, str]]:
        match happening.kind:
            case "elsewhere":
                return []
            case "timer":
                instance, _, _ = self._timers[happening.name]
                head = f"{instance.chart.name}/{instance.number}/" if instance else ""
                return [(instance, happening.name.removeprefix(head))] if instance else []
            case _:
                return self._listeners(self._event_of(happening))

    def _likeness(self, happening: Happening) -> object:
        """Two happenings that are alike in this bring about the same."""
        listeners = [(id(instance), key) for instance, key in self._listeners_of(happening)]
        keys = {key for _, key in listeners}
        if keys and keys != {"on ocpp.*"}:
            return happening
        effects = [
            effect
            for effect in self._around.effects(happening)
            if effect.fact == DEBTS or any(effect.concerns(fact) for fact, _ in self.world.names)
        ]
        number = happening.connector if self.view.station and effects else None
        return (happening.kind == "call", tuple(listeners), tuple(effects), number)

    def _set_timers(self) -> None:
        for instance in self._instances:
            active: dict[str, list[str]] = {}
            for leaf in instance.chart.leaves:
                for state in instance.chart.lineage(leaf):
                    for t in state.transitions:
                        if t.delay is not None:
                            key = f"{instance.chart.name}/{instance.number}/{t.key}"
                            running = timing.Running(t.kind, t.delay, 0.0)
                            self._timers[key] = (instance, state, running)
                            if key not in active.setdefault(leaf, []):
                                active[leaf].append(key)
            self._timers_in.append(active)

    def may_happen(self) -> Iterator[Happening]:
        """What may happen in the situation at hand, were it like nothing at all."""
        if not self.resting:
            yield NEXT
            return
        yield from self.happenings
        for position, instance in enumerate(self._instances):
            for key in self._timers_in[position].get(instance.leaf, ()):
                yield self._timer_happenings[key]
        for ask in self._open_asks:
            for answer in self._words.actions[ask[1]].answers:
                yield Happening("answer", answer, asker=ask)


def _reads(world: World, atom: Atom) -> Callable[[Any, int, Event], bool]:
    return lambda _world, here, _event: world.ask_atom(atom, here)


def _told_apart(happenings: list[Happening], likeness: Callable[[Happening], object]) -> list[Happening]:
    """One of those that bring about the same."""
    seen: dict[object, Happening] = {}
    for happening in happenings:
        seen.setdefault(likeness(happening), happening)
    return list(seen.values())
