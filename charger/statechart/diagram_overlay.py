"""What is said on top of a chart's picture: of its states, transitions, guards and promises.

One mechanism for every tool that talks about a chart: what changed, what the tests took.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from charger.statechart import model
from charger.statechart.diagram_sheet import Accent, Line, Run, wrap


@dataclass(frozen=True, slots=True)
class Note:
    """An accent, and what is written below the thing."""

    accent: Accent
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Overlay:
    """The notes on one chart."""

    caption: str = ""
    """Behind the title."""
    accents: tuple[Accent, ...] = ()
    """What the legend explains. The last one is that of an arrow whose transitions have different ones."""
    chart: tuple[Note, ...] = ()
    """On the chart itself, in its heading."""
    states: Mapping[str, Note] = field(default_factory=dict)
    transitions: Mapping[int, Note] = field(default_factory=dict)
    """By identity: a transition is often equal to another one."""
    initials: Mapping[str, Accent] = field(default_factory=dict)
    """Of the arrow to the first state inside; the root has the empty name."""
    guards: Mapping[str, Note] = field(default_factory=dict)
    promises: Mapping[str, Note] = field(default_factory=dict)
    """By their text."""
    before: model.Chart | None = None
    """The chart whose picture readers know: what is an arrow there is one here, too."""
    homes: Mapping[int, model.State] = field(default_factory=dict)
    """The state in which a transition competes, by identity, where that is not the one it is drawn in."""

    def legend(self, width: int) -> Iterator[Line]:
        """The accents in words."""
        for accent in self.accents:
            yield from noted(Note(replace(accent, struck=False)), wrap((Run(accent.meaning),), width))

    def home(self, state: model.State, one: model.Transition) -> model.State:
        """The state in which a transition competes."""
        return self.homes.get(id(one), state)

    def of_ways(self, ways: Iterable[model.Transition]) -> Accent | None:
        """The accent of an arrow that stands for several transitions."""
        notes = [self.transitions.get(id(one)) for one in ways]
        accents = dict.fromkeys(note.accent if note else None for note in notes)
        return next(iter(accents)) if len(accents) == 1 else self.accents[-1]

    def state_accent(self, name: str) -> Accent | None:
        """The accent of a state."""
        note = self.states.get(name)
        return note.accent if note else None


def noted(note: Note | None, lines: Iterable[Line], edge: str = "", limit: float = 0) -> Iterator[Line]:
    """Lines in the accent of a note, its remarks below them."""
    if note is None:
        yield from lines
        return
    accent = note.accent
    sign = (Run(f"{accent.sign} ", "strong"),) if accent.sign else ()
    for line in lines:
        yield replace(line, accent=accent, runs=(*sign, *line.runs))
        sign = ()
    for remark in note.remarks:
        for line in wrap((Run(remark, "note"),), limit, edge, hang=0):
            yield replace(line, accent=replace(accent, struck=False), indent=line.indent + 10)
