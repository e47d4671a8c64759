"""A difference as pictures: both charts in one, in the order of the new one; what went is where it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from charger.statechart import model
from charger.statechart.diagram_chart import chart_sheet
from charger.statechart.diagram_overlay import Note, Overlay
from charger.statechart.diagram_sheet import Accent, Sheet
from charger.statechart.diff import ChartDiff, Fact, SetDiff
from charger.statechart.diff_words import change_note, plain, tell

ADDED = Accent("added", "+", "new", "#1a7f37", "#e6f6ea")
REMOVED = Accent(
    "removed", "-", "gone: dashed, struck through", "#cf222e", "#fff3f2", dashed=True, struck=True
)
CHANGED = Accent(
    "changed", "~", "changed, or an arrow of which only a part is new or gone", "#9a6700", "#fff8dc"
)
ACCENTS = {"added": ADDED, "removed": REMOVED, "changed": CHANGED}


def diff_sheets(diff: SetDiff, old: str, new: str) -> dict[str, Sheet]:
    """A sheet for every chart that differs; `old` and `new` are how the sides were named."""
    both = replace(diff.new, guards={**diff.old.guards, **diff.new.guards})
    both = replace(both, guard_texts={**diff.old.guard_texts, **diff.new.guard_texts})
    return {name: _sheet(diff, name, both, f"{old} → {new}") for name in diff.changed_charts()}


def _sheet(diff: SetDiff, name: str, both: model.ChartSet, caption: str) -> Sheet:
    if name in diff.charts:
        union = _Union(diff, diff.charts[name])
        return chart_sheet(union.chart, both, replace(union.overlay, caption=caption))
    chart, accent = (
        (diff.new.charts[name], ADDED) if name in diff.new.charts else (diff.old.charts[name], REMOVED)
    )
    note = Note(accent)
    overlay = Overlay(
        caption,
        (ADDED, REMOVED, CHANGED),
        states=dict.fromkeys(chart.states, note),
        transitions={id(one): note for one in chart.transitions()},
        initials=dict.fromkeys(chart.states, accent),
        guards=dict.fromkeys(chart.guards, note),
        promises={one.text: note for one in chart.invariants},
    )
    return chart_sheet(chart, both, overlay)


@dataclass
class _Parts:
    """The parts of an overlay, as they are found."""

    chart: list[Note] = field(default_factory=list)
    states: dict[str, Note] = field(default_factory=dict)
    transitions: dict[int, Note] = field(default_factory=dict)
    initials: dict[str, Accent] = field(default_factory=dict)
    guards: dict[str, Note] = field(default_factory=dict)
    promises: dict[str, Note] = field(default_factory=dict)
    homes: dict[int, model.State] = field(default_factory=dict)


class _Union:
    """Old and new chart in one."""

    def __init__(self, diff: SetDiff, chart: ChartDiff) -> None:
        self._diff, self._chart = diff, chart
        self._old = _by_new_names(chart.old, chart.renamed)
        self._parts = _Parts()
        self._gone: dict[str, list[model.Transition]] = {}
        """Transitions to be drawn in a state though they are not there any more."""
        for fact in chart.facts:
            self._note(fact)
        for fact in diff.index:
            if fact.subject == "guard" and any(name == chart.new.name for name, _ in fact.concerned):
                self._guard(fact)
        self.chart = self._joined()
        parts = self._parts
        self.overlay = Overlay(
            "",
            (ADDED, REMOVED, CHANGED),
            tuple(parts.chart),
            parts.states,
            parts.transitions,
            parts.initials,
            parts.guards,
            parts.promises,
            self._old,
            parts.homes,
        )

    # -- notes -------------------------------------------------------------------------------------------

    def _note(self, fact: Fact) -> None:
        parts = self._parts
        match fact.subject:
            case "state":
                self._whole(fact)
            case "transition":
                self._transition(fact)
            case "guard":
                self._guard(fact)
            case "invariant":
                self._promise(fact)
            case "order":
                for place, (before, one) in enumerate(zip(fact.old, fact.new, strict=True), 1):
                    if before not in (None, place):
                        self._add(one, f"was {before}")
            case _ if fact.name:
                self._state(fact.name, self._said(fact))
                if fact.subject == "initial":
                    parts.initials[fact.name] = CHANGED
            case _:
                parts.chart.append(Note(CHANGED, (self._said(fact),)))
                if fact.subject == "initial":
                    parts.initials[""] = CHANGED

    def _said(self, fact: Fact) -> str:
        """The sentence, without the name of the state that it is written in."""
        text = plain(tell(self._diff, self._chart.new.name, fact).text)
        return text.removeprefix(f"{fact.name}: ").removeprefix(f"{fact.name} ").removeprefix("state ")

    def _state(self, name: str, remark: str) -> None:
        note = self._parts.states.get(name, Note(CHANGED))
        self._parts.states[name] = replace(note, remarks=(*note.remarks, remark))

    def _add(self, one: model.Transition, *remarks: str) -> None:
        note = self._parts.transitions.get(id(one), Note(CHANGED))
        self._parts.transitions[id(one)] = replace(note, remarks=(*note.remarks, *remarks))

    def _whole(self, fact: Fact) -> None:
        """A state that came or went, with its transitions."""
        accent = ACCENTS[fact.kind]
        self._parts.states[fact.name] = Note(accent)
        chart = self._chart.new if fact.new else self._old
        for one in chart.states[fact.name].transitions:
            self._parts.transitions[id(one)] = Note(accent)
        self._parts.initials[fact.name] = accent

    def _transition(self, fact: Fact) -> None:
        old, new = fact.old, fact.new
        if new is None:
            self._keep(fact.name, old)
        elif old is None:
            self._parts.transitions[id(new)] = Note(ADDED)
        else:
            remarks = change_note(old, new)
            target = self._chart.renamed.get(old.target, old.target)
            if target != new.target:
                self._keep(fact.name, old)
            self._add(new, *remarks)

    def _keep(self, name: str, old: model.Transition) -> None:
        """Draw a transition that is not there any more: in its state, after those that are."""
        places = self._chart.old.states[old.source].transitions
        place = next(number for number, one in enumerate(places) if one is old)
        kept = self._old.states[name].transitions[place]
        self._gone.setdefault(name, []).append(kept)
        self._parts.transitions[id(kept)] = Note(REMOVED)
        self._parts.homes[id(kept)] = self._old.states[name]
        new = self._chart.new.states[name]
        self._parts.homes |= {id(one): new for one in new.transitions}

    def _guard(self, fact: Fact) -> None:
        was = {**self._diff.old.guard_texts, **self._chart.old.guard_texts}[fact.name]
        self._parts.guards[fact.name] = Note(CHANGED, (f"was {was}",))
        for chart, one in fact.concerned:
            if chart == self._chart.new.name:
                self._add(one)

    def _promise(self, fact: Fact) -> None:
        if fact.new is None:
            self._parts.promises[fact.old.text] = Note(REMOVED)
        elif fact.old is None:
            self._parts.promises[fact.new.text] = Note(ADDED)
        else:
            self._parts.promises[fact.new.text] = Note(CHANGED, (f"was {fact.old.text}",))

    # -- the chart ---------------------------------------------------------------------------------------

    def _joined(self) -> model.Chart:
        old, new = self._old, self._chart.new
        removed = {name: old.states[name] for name in old.states if name not in new.states}
        states: dict[str, model.State] = {}
        for name in dict.fromkeys((*new.states, *removed)):
            state = new.states.get(name) or removed[name]
            mine = [child for child in state.children if child in new.states or child in removed]
            if name in new.states and name in old.states:
                mine = list(_merged(new.states[name].children, old.states[name].children, removed))
            elif name in removed:
                mine = [child for child in state.children if child in removed]
            ways = (*state.transitions, *self._gone.get(name, ()))
            initial = state.initial if state.initial in mine else None
            states[name] = replace(state, children=tuple(mine), transitions=ways, initial=initial)
        promises = [fact.old for fact in self._chart.facts if fact.subject == "invariant" and not fact.new]
        ordered = {"": states[""]} | {name: states[name] for name in _downwards(states, "")}
        return replace(new, states=ordered, invariants=(*new.invariants, *promises))


def _merged(new: tuple[str, ...], old: tuple[str, ...], removed: Mapping[str, model.State]) -> Iterator[str]:
    """The new order; what was removed stays behind the one it stood behind."""
    behind: dict[str, list[str]] = {}
    anchor = ""
    for name in old:
        if name in removed:
            behind.setdefault(anchor, []).append(name)
        elif name in new:
            anchor = name
    yield from behind.get("", ())
    for name in new:
        yield name
        yield from behind.get(name, ())


def _downwards(states: Mapping[str, model.State], name: str) -> Iterator[str]:
    for child in states[name].children:
        yield child
        yield from _downwards(states, child)


def _by_new_names(chart: model.Chart, renamed: Mapping[str, str]) -> model.Chart:
    """The old chart with the names that states have now."""

    def now(name: str | None) -> str | None:
        return renamed.get(name, name) if name else name

    states = {}
    for name, state in chart.states.items():
        ways = tuple(
            replace(one, source=now(one.source) or "", target=now(one.target)) for one in state.transitions
        )
        children = tuple(renamed.get(child, child) for child in state.children)
        states[renamed.get(name, name)] = replace(
            state,
            name=renamed.get(name, name),
            parent=now(state.parent),
            initial=now(state.initial),
            children=children,
            transitions=ways,
        )
    return replace(chart, states=states)
