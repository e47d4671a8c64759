"""One chart as a sheet: what a reviewer has to see, where it is written, and in which words.

An edge is drawn where it helps the eye. Of the ways into a state that many others lead to (`FAN_IN`) only
that from the sibling before it is: the others say `→ Choosing` in their own boxes, because nobody follows ten
lines into one point. Nothing is left out, nothing stands twice. Knows of layout only what lies above what.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from charger.statechart import model
from charger.statechart.diagram_overlay import Overlay, noted
from charger.statechart.diagram_sheet import Box, BoxKind, Edge, Group, Line, Run, Sheet, Text, wrap
from charger.statechart.diagram_words import acts, arrow, number, parts, transition

FAN_IN = 4
"""So many states that lead to one are a crowd: their ways are written and not drawn."""
WIDTHS = (215, 300, 400)
"""Px that a line may have: the first for which `LINES` suffice, or the last."""
LINES = 9
HEADING = 640
"""Px that a line of the heading may have."""

STATUS_COLOURS = {
    "Available": "#d4f2d4",
    "Preparing": "#fff2b3",
    "Charging": "#c5deff",
    "SuspendedEV": "#e4f0ff",
    "SuspendedEVSE": "#e4f0ff",
    "Finishing": "#ececec",
    "Reserved": "#ffdf9e",
    "Unavailable": "#d2d2d2",
    "Faulted": "#ffcaca",
}
"""Fill of a state by its OCPP status; a state without one is white."""


def chart_sheet(chart: model.Chart, chart_set: model.ChartSet, overlay: Overlay | None = None) -> Sheet:
    """Everything that is written in a chart, and what it uses of index.yaml, arranged for drawing.

    With an overlay the accents are the only colours.
    """
    return _Arranger(chart, chart_set, overlay).sheet()


def is_junction(state: model.State) -> bool:
    """Whether a state only decides where to go on: nobody ever sees it active."""
    ways = state.transitions
    plain = not (state.children or state.entry or state.exit or state.status or state.final)
    return plain and bool(ways) and all(one.kind == "always" for one in ways) and ways[-1].guard is None


def shared_guards(chart: model.Chart, chart_set: model.ChartSet) -> dict[str, str]:
    """The named guards of index.yaml that a chart relies on, and their texts."""
    found: set[str] = set()
    waiting = [(expr, set(chart.guards)) for expr in model.guards_of(chart)]
    while waiting:
        expr, own = waiting.pop()
        names = {part.name for part in model.parts(expr) if isinstance(part, model.Name)}
        new = (names & set(chart_set.guards)) - own - found
        waiting += ((chart_set.guards[name], set()) for name in new)
        found |= new
    return {name: text for name, text in chart_set.guard_texts.items() if name in found}


def scope_text(scopes: Iterable[str]) -> str:
    """How many instances a chart has, in words."""
    words = {"station": "one for the station", "connector": "one for each connector"}
    return ", ".join(words[scope] for scope in ("station", "connector") if scope in scopes)


def invariant_lines(invariants: Sequence[model.Invariant]) -> Iterator[Line]:
    """What may never happen, as it is written."""
    for one in invariants:
        why = (Run(f"  {one.description}", "note"),) if one.description else ()
        yield from wrap((Run("promise ", "grey"), Run(one.text), *why), HEADING)


def guard_lines(texts: Mapping[str, str], remark: str = "") -> Iterator[Line]:
    """Named guards."""
    for name, text in texts.items():
        yield from wrap((Run(name, "strong"), Run(f" := {text}"), Run(f"  {remark}", "note")), HEADING)


def _fitted(lines: Callable[[int], Iterable[Line]]) -> Text:
    texts = [Text(tuple(lines(width))) for width in WIDTHS]
    return next((text for text in texts if len(text.lines) <= LINES), texts[-1])


class _Arranger:
    def __init__(self, chart: model.Chart, chart_set: model.ChartSet, overlay: Overlay | None) -> None:
        self._chart = chart
        self._chart_set = chart_set
        self._coloured = overlay is None
        self._overlay = overlay or Overlay()
        self._shared = shared_guards(chart, chart_set)
        self._states = chart.states
        self._order = {name: place for place, name in enumerate(self._downwards(chart.root))}
        known = self._overlay.before or chart
        counts = Counter(target for _, target in self._ways(known))
        crowded = {target for target, count in counts.items() if target and count >= FAN_IN}
        self._before = {
            target: self._nearest(target, {source for source, to in self._ways(chart) if to == target})
            for target in crowded
        }
        """States with a crowd before them, and the sibling whose way is drawn nevertheless."""

    def sheet(self) -> Sheet:
        chart = self._chart
        edges = tuple(self._edges())
        held = {name for edge in edges for name in (edge.tail, edge.head)}
        inside = tuple(self._inside(chart.root, held))
        root = Group("", "sheet", f"chart-{chart.name}", Text(tuple(self._heading())), inside)
        joined = {(edge.tail, edge.head) for edge in edges}
        above = tuple(pair for pair in dict.fromkeys(self._above(held)) if pair not in joined)
        known = self._overlay.before
        return Sheet(root, edges, above, chart_sheet(known, self._chart_set) if known else None)

    def _downwards(self, parent: model.State) -> Iterator[str]:
        """The states in the order of the file, but initial ones first."""
        for name in self._children(parent):
            yield name
            yield from self._downwards(self._states[name])

    def _children(self, parent: model.State) -> list[str]:
        return sorted(parent.children, key=lambda name: name != parent.initial)

    # -- what is drawn, what is written ----------------------------------------------------------------

    def _ways(self, chart: model.Chart) -> set[tuple[str, str | None]]:
        """Pairs of states of which one leads to the other."""
        return {(one.source, one.target) for one in chart.transitions() if self._between_two(one)}

    def _between_two(self, one: model.Transition) -> bool:
        """Not from the chart itself, not to oneself, and not between a state and one around it."""
        if not one.source or one.target is None:
            return False
        path, other = self._chart.path(one.source), self._chart.path(one.target)
        return one.source not in other and one.target not in path

    def _is_drawn(self, one: model.Transition) -> bool:
        crowded = one.target in self._before and self._before[one.target] != one.source
        return self._between_two(one) and not crowded

    def _nearest(self, target: str, sources: set[str]) -> str:
        """The last sibling above it that leads there; empty: none."""
        parent = self._states[self._states[target].parent or ""]
        siblings = self._children(parent)
        before = siblings[: siblings.index(target)]
        return next((name for name in reversed(before) if name in sources), "")

    def _edges(self) -> Iterator[Edge]:
        for state in self._states.values():
            if state.children:
                first = state.initial or state.children[0]
                group = first if self._states[first].children else ""
                yield Edge(
                    f"{state.name or 'start'}-initial",
                    f"initial {state.name}",
                    self._end(first, lower=False),
                    head_group=group,
                    kind="initial",
                    accent=self._overlay.initials.get(state.name),
                )
            ways: dict[str, list[model.Transition]] = {}
            for one in state.transitions:
                if one.target and self._is_drawn(one):
                    ways.setdefault(one.target, []).append(one)
            yield from (self._edge(state, self._states[target], way) for target, way in ways.items())

    def _edge(self, source: model.State, target: model.State, ways: Sequence[model.Transition]) -> Edge:
        """Parallel transitions are one edge; at a group it ends at the side that faces the other state."""
        name = f"{source.name}-{target.name}"
        back = self._order[source.name] > self._order[target.name]
        return Edge(
            name,
            self._end(source.name, lower=not back),
            self._end(target.name, lower=back),
            _fitted(partial(self._label, source, ways, name)),
            tail_group=source.name if source.children else "",
            head_group=target.name if target.children else "",
            upwards=back and bool(source.children or target.children),
            accent=self._overlay.of_ways(ways),
            loose=self._is_new(source, target),
        )

    def _is_new(self, source: model.State, target: model.State) -> bool:
        """An arrow between states of a picture that readers know, which is not in that picture."""
        known = self._overlay.before
        if known is None or not {source.name, target.name} <= known.states.keys():
            return False
        return (source.name, target.name) not in self._ways(known)

    def _end(self, name: str, *, lower: bool) -> str:
        """The box at the upper or lower end of a state."""
        if not self._states[name].children:
            return name
        return f"exit {name}" if lower else f"initial {name}"

    def _above(self, held: set[str]) -> Iterator[tuple[str, str]]:
        """Dots on top, exits at the bottom."""
        for parent in self._states.values():
            for name in parent.children:
                upper = self._end(name, lower=False)
                yield f"initial {parent.name}", upper
                if f"exit {parent.name}" in held:
                    yield upper, f"exit {parent.name}"

    # -- boxes -----------------------------------------------------------------------------------------

    def _inside(self, parent: model.State, held: set[str]) -> Iterator[Box | Group]:
        yield Box(f"initial {parent.name}", "initial", room=21 if self._is_entered(parent) else 0)
        if f"exit {parent.name}" in held:
            yield Box(f"exit {parent.name}", "exit")
        for name in self._children(parent):
            state = self._states[name]
            text = _fitted(partial(self._box, state))
            identity, fill, why = f"state-{name}", self._fill(state), state.description
            accent = self._overlay.state_accent(name)
            if state.children:
                inside = tuple(self._inside(state, held))
                yield Group(name, "compound", identity, text, inside, fill, why, accent)
            else:
                kind: BoxKind = "junction" if is_junction(state) else "state"
                yield Box(name, kind, identity, text, fill, why, accent=accent)

    def _is_entered(self, state: model.State) -> bool:
        """Whether an edge passes the dot on its way to a state within: its label is beside the dot."""
        ways = ((one.source, one.target) for one in self._chart.transitions() if self._is_drawn(one))
        path = self._chart.path
        return any(
            target and target != state.name and state.name in path(target) and state.name not in path(source)
            for source, target in ways
        )

    def _fill(self, state: model.State) -> str:
        if state.children:
            return "#fafbfc"
        accent = self._overlay.state_accent(state.name)
        if accent:
            return accent.fill
        if is_junction(state) or not self._coloured:
            return "#ffffff"
        statuses = (around.status for around in self._chart.lineage(state.name) if around.status)
        return STATUS_COLOURS.get(next(statuses, ""), "#ffffff")

    def _box(self, state: model.State, width: int) -> Iterator[Line]:
        tags = "".join(f"  #{tag}" for tag, _ in state.tags)
        title = Run(state.name, "junction" if is_junction(state) else "name")
        note = self._overlay.states.get(state.name)
        yield from noted(note, wrap((title, Run(tags, "grey")), width), limit=width)
        if state.status and state.status != state.name:
            yield Line((Run(f"status {state.status}", "grey"),))
        if state.final:
            yield Line((Run("final", "grey"),))
        yield from wrap((Run(state.description, "note"),), width, hang=0)
        if state.name in self._before:
            lead = "also from" if self._before[state.name] else "from"
            yield from wrap((Run(f"{lead} {', '.join(self._sources(state))}", "grey"),), width)
        below = [
            *_acts_lines("entry", state.entry, width),
            *_acts_lines("exit", state.exit, width),
            *self._written_lines(state, width),
        ]
        if below:
            yield Line()
            yield from below

    def _sources(self, state: model.State) -> Iterable[str]:
        ways = (one for one in self._chart.transitions() if one.target == state.name)
        return dict.fromkeys(one.source for one in ways if self._between_two(one) and not self._is_drawn(one))

    def _written_lines(self, state: model.State, width: int) -> Iterator[Line]:
        """The transitions that are not drawn; those with the same target together."""
        groups: dict[str, list[model.Transition]] = {}
        for one in state.transitions:
            if not self._is_drawn(one):
                groups.setdefault(one.target or "stay", []).append(one)
        for target, ways in groups.items():
            name = f"{state.name or 'everywhere'}-{target}"
            for one in ways:
                lead = () if state.name else (Run("everywhere  ", "grey"),)
                home = self._overlay.home(state, one)
                lines = [
                    *wrap((*lead, *number(home, one), *arrow(one), *transition(home, one)), width, name),
                    *wrap((Run(one.description, "note"),), width, name, hang=0),
                ]
                yield from noted(self._overlay.transitions.get(id(one)), lines, name, width)

    def _label(
        self, state: model.State, ways: Sequence[model.Transition], name: str, width: int
    ) -> Iterator[Line]:
        """Transitions beside their edge: trigger and guard, then each thing it does on lines of its own."""
        before: list[Line] = []
        for one in ways:
            home = self._overlay.home(state, one)
            trigger, *done = parts(home, one)
            lines = list(wrap((*number(home, one), *trigger), width, name))
            for part in done:
                lines += (replace(line, indent=line.indent + 10) for line in wrap(part, width - 10, name))
            lines += wrap((Run(one.description, "note"),), width, name, hang=0)
            lines = list(noted(self._overlay.transitions.get(id(one)), lines, name, width))
            if before and len(before) + len(lines) > 2:
                lines[0] = replace(lines[0], gap=3)
            yield from lines
            before = lines

    # -- heading ---------------------------------------------------------------------------------------

    def _heading(self) -> Iterator[Line]:
        chart = self._chart
        overlay = self._overlay
        caption = f"   {overlay.caption}" if overlay.caption else ""
        yield Line((Run(chart.name, "title"), Run(f"   {scope_text(chart.scopes)}{caption}", "grey")))
        yield from wrap((Run(chart.description, "note"),), HEADING, hang=0)
        yield from overlay.legend(HEADING)
        for note in overlay.chart:
            yield from noted(replace(note, remarks=()), wrap(map(Run, note.remarks), HEADING))
        guards = [(name, text, "") for name, text in chart.guard_texts.items()]
        guards += [(name, text, "of index.yaml") for name, text in self._shared.items()]
        below = list(self._written_lines(chart.root, HEADING))
        for name, text, remark in guards:
            below += noted(overlay.guards.get(name), guard_lines({name: text}, remark), limit=HEADING)
        for one in chart.invariants:
            below += noted(overlay.promises.get(one.text), invariant_lines([one]), limit=HEADING)
        if below:
            yield Line()
            yield from below


def _acts_lines(word: str, uses: Sequence[model.Use], width: int) -> Iterator[Line]:
    if uses:
        yield from wrap((Run(f"{word} ", "grey"), Run(acts(uses))), width)
