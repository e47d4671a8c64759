"""Rules about what no state may ignore. Which events these are, and since which action, the vocabulary says.

A state reacts to an event when it, or a state around it, has a transition for it, or an `always` whose guard
comes true with a fact that the event changes. Two detours count as well: another chart hears the event and
tells of it (by a signal, or by an action that changes a fact); or the state only waits for something else,
and every state after it asks for the fact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from charger.statechart import model
from charger.statechart.checks_status import shown
from charger.statechart.findings import Finding
from charger.statechart.logic import Logic, Where
from charger.statechart.model import Chart, ChartSet, Transition, Use
from charger.statechart.words import ActionWord, Vocabulary


def ignored_in_status(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """event-ignored: a state shows a status in which it may not ignore a fault or a plug that is pulled."""
    logic = Logic(charts, vocabulary)
    for chart in charts.charts.values():
        statuses = shown(chart)
        if not any(statuses.values()):
            continue
        ignored: dict[str, list[str]] = {leaf: [] for leaf in chart.leaves}
        for event, watched in vocabulary.watches.items():
            if _hears(chart, event, vocabulary):
                for leaf in _ignoring(
                    logic, chart, event, {one: statuses[one] & watched for one in statuses}
                ):
                    ignored[leaf].append(event)
        yield from _grouped(chart, ignored, vocabulary)


def _ignoring(logic: Logic, chart: Chart, event: str, needed: Mapping[str, frozenset[str]]) -> Iterator[str]:
    told = _told(logic.charts, logic.vocabulary, chart, event)
    fine = {leaf for leaf, watched in needed.items() if not watched}
    fine.update(leaf for leaf in chart.leaves if _reacts(logic, chart, leaf, told, leaving=True))
    for leaf in chart.leaves:
        if leaf not in fine and logic.rests(chart, leaf) and not _asks_next(chart, leaf, fine):
            yield leaf


def _grouped(chart: Chart, ignored: Mapping[str, list[str]], vocabulary: Vocabulary) -> Iterator[Finding]:
    """One finding for the outermost state in which all leaves ignore the same."""
    told: set[str] = set()
    for leaf, events in ignored.items():
        if not events or leaf in told:
            continue
        alike = (
            name for name in chart.path(leaf) if all(ignored[one] == events for one in chart.inside(name))
        )
        name = next(alike)
        told.update(chart.inside(name))
        message = f"'{name}' ignores {' and '.join(events)}: {_remedy(events[0], vocabulary)}"
        yield Finding(chart.states[name].mark, "event-ignored", message, "warning")


def ignored_by_command(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """hazard-ignored: since an action (contactor.close) a state may not ignore some events, and does."""
    logic = Logic(charts, vocabulary)
    for chart in charts.charts.values():
        for word in _commands(chart, vocabulary):
            leaves = [leaf for leaf in _in_force(chart, word, vocabulary) if logic.rests(chart, leaf)]
            for event in word.watches:
                told = {event: vocabulary.events[event].makes}
                for leaf in leaves:
                    if not _reacts(logic, chart, leaf, told, leaving=True):
                        remedy = _remedy(event, vocabulary)
                        message = f"'{leaf}' ignores '{event}', though '{word.name}' is in force: {remedy}"
                        yield Finding(chart.states[leaf].mark, "hazard-ignored", message)


def loss_ignored(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """loss-ignored: what was done and confirmed may come undone by itself, and the state does not notice."""
    logic = Logic(charts, vocabulary)
    for chart in charts.charts.values():
        for state in chart.states.values():
            for use in state.entry:
                word = None if use.raises else vocabulary.actions.get(use.name)
                lost = vocabulary.events.get(word.lost) if word else None
                if word is None or lost is None:
                    continue
                confirmed = {
                    chart.initial_leaf(t.target): None
                    for leaf in chart.inside(state.name)
                    for one in chart.lineage(leaf)
                    for t in one.transitions
                    if t.key == f"on {word.answers[0]}" and t.target
                }
                for leaf in confirmed:
                    if logic.rests(chart, leaf) and not _reacts(logic, chart, leaf, {lost.name: lost.makes}):
                        message = (
                            f"'{leaf}' does not notice '{lost.name}': what '{use.name}' did may come undone"
                        )
                        yield Finding(chart.states[leaf].mark, "loss-ignored", message, "warning")


# -- who reacts ----------------------------------------------------------------------------------------

Told = Mapping[str, Mapping[str, bool | None]]
"""Triggers by which a chart may learn of an event, and the facts that change with each."""


def _told(charts: ChartSet, vocabulary: Vocabulary, chart: Chart, event: str) -> Told:
    """The event itself; and what other charts that hear it raise, or do to facts that no event changes."""
    told: dict[str, dict[str, bool | None]] = {event: dict(vocabulary.events[event].makes)}
    by_events = {fact for word in vocabulary.events.values() for fact in word.makes}
    others = (other for other in charts.charts.values() if other is not chart)
    for transition in (t for other in others for t in other.transitions() if t.key == f"on {event}"):
        for use in transition.actions:
            if use.raises:
                told[use.name] = {}
            else:
                makes = vocabulary.actions[use.name].makes
                told[event] |= {fact: value for fact, value in makes.items() if fact not in by_events}
    return told


def _reacts(logic: Logic, chart: Chart, leaf: str, told: Told, *, leaving: bool = False) -> bool:
    for transition in (t for state in chart.lineage(leaf) for t in state.transitions):
        if transition.kind == "on" and transition.trigger in told and (transition.target or not leaving):
            return True
        if transition.kind == "always" and transition.guard is not None:
            guard = logic.written_out(transition.guard, chart)
            asked = {part.name for part in model.parts(guard) if isinstance(part, model.Name)}
            for makes in told.values():
                if any(
                    _comes_true(logic, chart, leaf, guard, name, makes[name]) for name in asked & set(makes)
                ):
                    return True
    return False


def _comes_true(
    logic: Logic, chart: Chart, leaf: str, guard: model.Expr, fact: str, value: bool | None
) -> bool:
    """Whether a guard may hold with the fact as it has become."""
    if value is None:
        return True
    name = model.Name(guard.mark, fact)
    return logic.find(Where(chart, (leaf,)), [(name, value), (guard, True)]) is not None


def _asks_next(chart: Chart, leaf: str, fine: set[str]) -> bool:
    """A state with nothing but `always` waits for something else; the states after it may react."""
    after = {
        chart.initial_leaf(t.target) if t.kind == "always" else None
        for state in chart.lineage(leaf)
        for t in state.transitions
        if t.target
    }
    return bool(after) and after <= fine


def _hears(chart: Chart, event: str, vocabulary: Vocabulary) -> bool:
    """A chart of the station knows nothing of a single connector."""
    word = vocabulary.events.get(event)
    return word is not None and ("connector" in chart.scopes or word.scope.value != "connector")


def _remedy(event: str, vocabulary: Vocabulary) -> str:
    facts = list(vocabulary.events[event].makes)
    return f"add `on: {event}`" + (f", or an `always` that asks {facts[0]}" if facts else "")


# -- since a command -----------------------------------------------------------------------------------


def _commands(chart: Chart, vocabulary: Vocabulary) -> Iterator[ActionWord]:
    names = dict.fromkeys(use.name for use in model.uses(chart) if not use.raises)
    words = (vocabulary.actions.get(name) for name in names)
    yield from (word for word in words if word and word.watches)


def _in_force(chart: Chart, action: ActionWord, vocabulary: Vocabulary) -> list[str]:
    """The leaves from this action on, until another one steers the same."""

    def steering(uses: Iterable[Use]) -> str | None:
        """The last of these actions that steers the same thing."""
        words = (vocabulary.actions.get(use.name) for use in uses if not use.raises)
        names = [word.name for word in words if word and word.steers == action.steers]
        return names[-1] if names else None

    found: set[str] = set()
    todo = []
    for transition in chart.transitions():
        if transition.target:
            if steering(_done(chart, transition)) == action.name:
                todo.append(chart.initial_leaf(transition.target))
        elif steering(transition.actions) == action.name:
            todo += chart.inside(transition.source)
    while todo:
        leaf = todo.pop()
        if leaf in found:
            continue
        found.add(leaf)
        todo += [
            chart.initial_leaf(transition.target)
            for state in chart.lineage(leaf)
            for transition in state.transitions
            if transition.target and steering(_done(chart, transition)) in (None, action.name)
        ]
    return [leaf for leaf in chart.leaves if leaf in found]


def _done(chart: Chart, transition: Transition) -> Iterator[Use]:
    yield from transition.actions
    for state in chart.entered(transition):
        yield from state.entry


RULES: tuple[Callable[[ChartSet, Vocabulary], Iterator[Finding]], ...] = (
    *(ignored_in_status, ignored_by_command, loss_ignored),
)
