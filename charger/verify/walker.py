"""The charts of a view, walked: something happens in a situation, and where it comes to rest is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from charger.statechart import model, timing
from charger.statechart.effects import DEBTS
from charger.statechart.ensemble import BrokenPromiseError, Instance, Moved
from charger.statechart.event import Event
from charger.statechart.words import Vocabulary
from charger.verify.abstraction import Abstraction
from charger.verify.happenings import ELSEWHERE, NEXT, Happening
from charger.verify.situations import Situated
from charger.verify.world import NO_MOMENT, Broken, Fields, field_domain


class _Standing(dict[str, Any]):
    """Timers that are never forgotten: which of them run follows from the states that are active."""

    def __delitem__(self, key: str) -> None:
        pass


class Walker(Situated):
    """What is put into a situation goes on from there."""

    def __init__(
        self,
        original: model.ChartSet,
        abstraction: Abstraction,
        vocabulary: Vocabulary,
        allowed: Callable[[str, str], bool],
    ) -> None:
        super().__init__(original, abstraction, vocabulary)
        self._allowed = allowed
        self._in_both = {name for name, chart in original.charts.items() if len(chart.scopes) == 2}
        self._domains: dict[str, dict[str, tuple[Any, ...]]] = {}
        self._timers = _Standing()
        self._timers_in: list[dict[str, list[str]]] = []
        self._set_timers()
        self._idle: dict[tuple[int, str, str, bool], bool] = {}
        self._listening: dict[Happening, tuple[tuple[Instance, str], ...]] = {}
        self._timer_happenings = {key: Happening("timer", key) for key in self._timers}
        self.happenings = _told_apart(list(self._around.everything()), self._likeness)

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

    # -- one step ------------------------------------------------------------------------------------------

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
        return self.moves if self._waiting else self._at_rest()

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
            if not self._allowed(before[number], status):
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
        """Whether it is like any moment in the situation at hand: nobody hears it, no fact changes."""
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

    def may_happen(self) -> Iterator[Happening]:
        """What may happen in the situation at hand, even if it changes nothing."""
        if self._waiting:
            yield NEXT
            return
        yield from self.happenings
        for position, instance in enumerate(self._instances):
            for key in self._timers_in[position].get(instance.leaf, ()):
                yield self._timer_happenings[key]
        for ask in self._open_asks:
            for answer in self._words.actions[ask[1]].answers:
                yield Happening("answer", answer, asker=ask)


def _told_apart(happenings: list[Happening], likeness: Callable[[Happening], object]) -> list[Happening]:
    """One of those that bring about the same."""
    seen: dict[object, Happening] = {}
    for happening in happenings:
        seen.setdefault(likeness(happening), happening)
    return list(seen.values())
