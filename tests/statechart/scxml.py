"""The algorithm of the W3C (SCXML 1.0, appendix D), for documents without parallel, history, final or invoke.

Procedures have their names from there. A chart is read as a document whose outermost state stands for the
chart itself; a transition whose target lies inside its state is ``type="internal"``, as docs/charts.md says.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from charger.statechart.event import Event
from charger.statechart.machine import Entered, Exited, Taken
from charger.statechart.model import Chart, State, Transition


class Datamodel(Protocol):
    """What the algorithm leaves to others."""

    def set_event(self, event: Event) -> None:
        """``datamodel["_event"] = event``"""

    def condition_match(self, transition: Transition) -> bool:
        """Evaluate the guard."""

    def execute_content(self, part: Exited | Taken | Entered) -> None:
        """Run what is written there."""


class Scxml:
    """One session of the interpreter."""

    def __init__(self, chart: Chart, datamodel: Datamodel) -> None:
        self.chart, self.datamodel = chart, datamodel
        self.configuration: set[str] = set()
        self.internal_queue: deque[Event] = deque()
        self.document_order = list(chart.states)

    def interpret(self) -> None:
        """Enter the initial state, and the first macrostep."""
        self.enter_states(["", *self.descendants_entered("")])
        self.macrostep()

    def external(self, event: Event) -> None:
        """What ``mainEventLoop`` does with one event of the external queue."""
        self.datamodel.set_event(event)
        self.microstep(self.select_transitions(event))
        self.macrostep()

    def macrostep(self) -> None:
        """As in ``mainEventLoop``: eventless transitions first, then the internal queue."""
        while True:
            enabled = self.select_transitions(None)
            if not enabled:
                if not self.internal_queue:
                    return
                event = self.internal_queue.popleft()
                self.datamodel.set_event(event)
                enabled = self.select_transitions(event)
            self.microstep(enabled)

    def select_transitions(self, event: Event | None) -> list[Transition]:
        enabled: list[Transition] = []
        for atomic in sorted(filter(self.is_atomic, self.configuration), key=self.document_order.index):
            for state in [atomic, *self.proper_ancestors(atomic)[:-1]]:
                found = next((t for t in self.transitions(state) if self.matches(t, event)), None)
                if found:
                    enabled.append(found)
                    break
        return enabled  # one atomic state is active: nothing to remove as conflicting

    def matches(self, transition: Transition, event: Event | None) -> bool:
        key = f"on {event.name}" if event else "always"
        return transition.key == key and (
            transition.guard is None or self.datamodel.condition_match(transition)
        )

    def microstep(self, enabled: list[Transition]) -> None:
        for transition in enabled:
            left = self.compute_exit_set(transition)
            for state in sorted(left, key=self.document_order.index, reverse=True):
                self.datamodel.execute_content(Exited(state))
                self.configuration.remove(state)
            self.datamodel.execute_content(Taken(transition))
            self.enter_states(sorted(self.compute_entry_set(transition), key=self.document_order.index))

    def enter_states(self, states: list[str]) -> None:
        for state in states:
            self.configuration.add(state)
            self.datamodel.execute_content(Entered(state))

    def compute_exit_set(self, transition: Transition) -> set[str]:
        if transition.target is None:
            return set()
        domain = self.transition_domain(transition, transition.target)
        return {state for state in self.configuration if domain in self.proper_ancestors(state)}

    def compute_entry_set(self, transition: Transition) -> set[str]:
        if transition.target is None:
            return set()
        domain = self.transition_domain(transition, transition.target)
        ancestors = self.proper_ancestors(transition.target)
        between = ancestors[: ancestors.index(domain)]
        return {transition.target, *between, *self.descendants_entered(transition.target)}

    def descendants_entered(self, state: str) -> list[str]:
        """``addDescendantStatesToEnter`` for compound states."""
        children = self.state(state).children
        if not children:
            return []
        first = self.state(state).initial or children[0]
        return [first, *self.descendants_entered(first)]

    def transition_domain(self, transition: Transition, target: str) -> str | None:
        """None is the ``<scxml>`` element."""
        source = transition.source
        internal = target != source and source in self.proper_ancestors(target)
        if internal and not self.is_atomic(source):
            return source
        around_target = self.proper_ancestors(target)
        return next(state for state in self.proper_ancestors(source) if state in around_target)  # the LCCA

    # -- the document ----------------------------------------------------------------------------------

    def state(self, name: str) -> State:
        return self.chart.states[name]

    def transitions(self, name: str) -> tuple[Transition, ...]:
        return self.state(name).transitions

    def is_atomic(self, name: str) -> bool:
        return not self.state(name).children

    def proper_ancestors(self, name: str | None) -> list[str | None]:
        found: list[str | None] = []
        while name:
            name = self.state(name).parent or ""
            found.append(name)
        return [*found, None]
