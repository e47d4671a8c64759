"""SCXML as its Recommendation says (appendix D), for documents without parallel states, history and data.

Written from the text of the algorithm, on the standard library's XML; it knows nothing of our charts. The only
executable content is <raise> and actions of another namespace, which are written down.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import deque

S = "{http://www.w3.org/2005/07/scxml}"
STATES = (f"{S}state", f"{S}final")
MOST = 300
"""Microsteps of one macrostep; more is a loop."""


class LoopError(Exception):
    """The document does not come to rest."""


class Document:
    """A running session."""

    def __init__(self, text: str) -> None:
        self.root = ET.fromstring(text)
        self.parents = {child: parent for parent in self.root.iter() for child in parent}
        self.by_id = {state.get("id"): state for state in self.root.iter() if state.tag in STATES}
        self.order = {state: number for number, state in enumerate(self.root.iter())}
        self.configuration: set[ET.Element] = set()
        self.internal: deque[str] = deque()
        self.running = True
        self.trace: list[str] = []
        self._enter(self._initial(self.root), self.root)
        self._macrostep()

    def send(self, event: str) -> None:
        """Take one event out of the external queue."""
        if self.running:
            chosen = self._select(event)
            if chosen is not None:
                self._microstep(chosen)
            self._macrostep()

    def leaf(self) -> str:
        """The active atomic state."""
        (atomic,) = (one for one in self.configuration if not self._children(one))
        return atomic.get("id") or ""

    # -- algorithm -------------------------------------------------------------------------------------

    def _macrostep(self) -> None:
        for _ in range(MOST):
            if not self.running:
                return
            chosen = self._select(None)
            if chosen is None:
                if not self.internal:
                    return
                chosen = self._select(self.internal.popleft())
            if chosen is not None:
                self._microstep(chosen)
        raise LoopError

    def _select(self, event: str | None) -> ET.Element | None:
        """Innermost state first, then document order."""
        state: ET.Element | None = next(one for one in self.configuration if not self._children(one))
        while state is not None and state is not self.root:
            for transition in state.findall(f"{S}transition"):
                descriptors = transition.get("event")
                hears = descriptors is None if event is None else matches(descriptors, event)
                if hears and self._holds(transition.get("cond")):
                    return transition
            state = self.parents.get(state)
        return None

    def _holds(self, cond: str | None) -> bool:
        if cond is None:
            return True
        named = re.fullmatch(r"In\(['\"](\w+)['\"]\)", cond)
        assert named, f"the data model null has In() only, not {cond}"
        return self.by_id[named[1]] in self.configuration

    def _microstep(self, transition: ET.Element) -> None:
        target = self.by_id[transition.get("target")] if transition.get("target") else None
        domain = self._domain(transition, target)
        if domain is not None:
            inside = [one for one in self.configuration if self._within(one, domain)]
            for state in sorted(inside, key=self.order.__getitem__, reverse=True):
                self.trace.append(f"-{state.get('id')}")
                self._run(state, "onexit")
                self.configuration.remove(state)
        self._content(transition)
        if domain is not None and target is not None:
            self._enter(target, domain)

    def _domain(self, transition: ET.Element, target: ET.Element | None) -> ET.Element | None:
        if target is None:
            return None
        source = self.parents[transition]
        if transition.get("type") == "internal" and self._children(source) and self._within(target, source):
            return source
        ancestor = self.parents[source]
        while not self._within(target, ancestor):
            ancestor = self.parents[ancestor]
        return ancestor

    def _enter(self, target: ET.Element, domain: ET.Element) -> None:
        path = [target]
        while (above := self.parents[path[0]]) is not domain:
            path.insert(0, above)
        for state in path:
            self._enter_one(state)
        while self._children(path[-1]):
            below = self._initial(path[-1])
            first = path[-1].find(f"{S}initial/{S}transition")
            if first is not None:
                self._content(first)
            path.append(below)
            self._enter_one(below)

    def _enter_one(self, state: ET.Element) -> None:
        self.configuration.add(state)
        self.trace.append(f"+{state.get('id')}")
        self._run(state, "onentry")
        if state.tag == f"{S}final":
            if self.parents[state] is self.root:
                self.running = False
            else:
                self.internal.append(f"done.state.{self.parents[state].get('id')}")

    def _initial(self, state: ET.Element) -> ET.Element:
        """A state directly inside; the tests have no deeper one."""
        named = state.get("initial")
        element = state.find(f"{S}initial/{S}transition")
        if element is not None:
            named = element.get("target")
        return self.by_id[named] if named else self._children(state)[0]

    def _run(self, state: ET.Element, block: str) -> None:
        for one in state.findall(f"{S}{block}"):
            self._content(one)

    def _content(self, block: ET.Element) -> None:
        for one in block:
            if one.tag == f"{S}raise":
                self.internal.append(one.get("event") or "")
            else:
                assert one.tag == "{urn:charger}action", one.tag
                self.trace.append(f"/{one.get('name')}")

    def _children(self, state: ET.Element) -> list[ET.Element]:
        return [child for child in state if child.tag in STATES]

    def _within(self, state: ET.Element, around: ET.Element) -> bool:
        above = self.parents.get(state)
        return above is not None and (above is around or self._within(above, around))


def matches(descriptors: str | None, event: str) -> bool:
    """Any of the descriptors is the event, or its beginning, token by token."""
    for descriptor in (descriptors or "").split():
        prefix = descriptor.removesuffix(".*")
        if prefix in ("*", event) or event.startswith(f"{prefix}."):
            return True
    return False
