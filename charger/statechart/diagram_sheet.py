"""What a picture consists of before it is laid out: boxes, groups, edges, and measured lines of text.

Widths are counted with a table of glyph widths, never asked of the fonts of the machine: a picture is the
same wherever it is made. Knows nothing of charts, of DOT or of SVG.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

Style = Literal["title", "name", "junction", "plain", "strong", "grey", "note"]


@dataclass(frozen=True, slots=True)
class Look:
    """How a style is set: size and line height in px."""

    size: float
    leading: int
    bold: bool = False
    italic: bool = False
    colour: str = "#1b1f24"


LOOKS: dict[Style, Look] = {
    "title": Look(15, 20, bold=True),
    "name": Look(12, 16, bold=True),
    "junction": Look(11, 16, italic=True),
    "plain": Look(10, 13),
    "strong": Look(10, 13, bold=True),
    "grey": Look(10, 13, colour="#57606a"),
    "note": Look(9.5, 12, italic=True, colour="#4b535c"),
}
RULE = 7
"""Height of a line that separates, px."""

_EM = {
    191: "'",
    222: "ijl",
    278: " !,./:;I[]\\ft|",
    333: "r()-`{}",
    355: '"',
    389: "*",
    469: "^",
    500: "cksvxyzJ",
    584: "+<=>~",
    611: "FTZ",
    667: "ABEKPSVXY&",
    722: "CDHNRUw",
    778: "GOQ",
    833: "Mm",
    889: "%",
    944: "W",
    1000: "→↩…—",
    1015: "@",
}
"""Advance widths of Helvetica and Arial in 1/1000 em; what is missing is as wide as a digit."""
_WIDTHS = {char: width / 1000 for width, chars in _EM.items() for char in chars}
_DIGIT = 0.556
_BOLD = 1.07
_GLUE = {"and", "or", "not", "==", "!=", "<", "<=", ">", ">=", "/", "^", "↩", "→"}
"""Words that do not end a line: they belong to what follows."""


@dataclass(frozen=True, slots=True)
class Accent:
    """How parts of a picture are set apart of which something is said: never by colour alone."""

    name: str
    """A class of the SVG."""
    sign: str
    """Stands before its lines."""
    meaning: str
    """For the legend."""
    colour: str
    fill: str
    dashed: bool = False
    struck: bool = False
    """Its lines are struck through."""


@dataclass(frozen=True, slots=True)
class Run:
    """Characters of one style."""

    text: str
    style: Style = "plain"

    @property
    def width(self) -> float:
        """Px."""
        look = LOOKS[self.style]
        em = sum(_WIDTHS.get(char, _DIGIT) for char in self.text)
        return em * look.size * (_BOLD if look.bold else 1)


@dataclass(frozen=True, slots=True)
class Line:
    """Runs side by side; without runs a rule across the box."""

    runs: tuple[Run, ...] = ()
    edge: str = ""
    """The edge it tells about, `Source-Target`; empty: none."""
    indent: int = 0
    gap: int = 0
    """Px left free above."""
    accent: Accent | None = None

    @property
    def width(self) -> float:
        """Px, indent included."""
        return self.indent + sum(run.width for run in self.runs)

    @property
    def height(self) -> int:
        """Px, gap included."""
        return self.gap + max((LOOKS[run.style].leading for run in self.runs), default=RULE)

    def __str__(self) -> str:
        return "".join(run.text for run in self.runs)


@dataclass(frozen=True, slots=True)
class Text:
    """Lines below each other."""

    lines: tuple[Line, ...] = ()

    @property
    def width(self) -> int:
        """Px, rounded up."""
        return math.ceil(max((line.width for line in self.lines), default=0))

    @property
    def height(self) -> int:
        """Px."""
        return sum(line.height for line in self.lines)


def wrap(runs: Iterable[Run], limit: float, edge: str = "", *, hang: int = 10) -> Iterator[Line]:
    """Break at blanks into lines of at most `limit` px; all but the first are indented by `hang` px.

    A word that is longer than that has a line of its own.
    """
    row: list[Run] = []
    width, indent = 0.0, 0
    for word in _words(runs):
        if row and indent + width + Run(word.text.rstrip(), word.style).width > limit:
            yield Line(_joined(row), edge, indent)
            row, width, indent = [], 0.0, hang
        row.append(word)
        width += word.width
    if row:
        yield Line(_joined(row), edge, indent)


def _words(runs: Iterable[Run]) -> Iterator[Run]:
    """Every word with the blanks behind it."""
    for run in runs:
        start = 0
        for end in (position + 1 for position, char in enumerate(run.text) if char == " "):
            word = run.text[start:end]
            glued = word.split()[-1:] and word.split()[-1] in _GLUE
            if not glued and not run.text[end:].startswith(" "):
                yield Run(word, run.style)
                start = end
        if start < len(run.text):
            yield Run(run.text[start:], run.style)


def _joined(row: Sequence[Run]) -> tuple[Run, ...]:
    joined: list[Run] = []
    for run in row:
        if joined and joined[-1].style == run.style:
            joined[-1] = Run(joined[-1].text + run.text, run.style)
        else:
            joined.append(run)
    while joined and not joined[-1].text.strip():
        joined.pop()
    return (*joined[:-1], Run(joined[-1].text.rstrip(), joined[-1].style))


# -- boxes, groups, edges ----------------------------------------------------------------------------

BoxKind = Literal["state", "junction", "chart", "initial", "exit"]
"""``initial`` is the dot an initial state is marked by. ``exit`` is not seen: edges hold on to it at the
lower end of a group."""
GroupKind = Literal["sheet", "compound", "scope"]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle with text."""

    name: str
    kind: BoxKind
    id: str = ""
    text: Text = field(default_factory=Text)
    fill: str = "#ffffff"
    tooltip: str = ""
    room: int = 0
    """Px left free above a dot, for the label of an edge that passes."""
    accent: Accent | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A rectangle around boxes and groups, with a heading; the sheet itself is one, without a name."""

    name: str
    kind: GroupKind
    id: str
    text: Text
    inside: tuple[Box | Group, ...]
    fill: str = "#ffffff"
    tooltip: str = ""
    accent: Accent | None = None

    def groups(self) -> Iterator[Group]:
        """Every group in it, outer ones first."""
        for part in self.inside:
            if isinstance(part, Group):
                yield part
                yield from part.groups()

    def boxes(self) -> Iterator[Box]:
        """Every box in it."""
        for group in (self, *self.groups()):
            yield from (part for part in group.inside if isinstance(part, Box))


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow between two boxes, or between the borders of groups around them."""

    name: str
    """`Source-Target`."""
    tail: str
    head: str
    text: Text = field(default_factory=Text)
    tail_group: str = ""
    head_group: str = ""
    kind: Literal["edge", "initial", "asked"] = "edge"
    upwards: bool = False
    """The head is to lie above the tail."""
    accent: Accent | None = None
    loose: bool = False
    """If that helps, the boxes lie as if it were not there."""

    @property
    def id(self) -> str:
        """Unique in its sheet."""
        return f"edge-{self.name}"


@dataclass(frozen=True, slots=True)
class Sheet:
    """One picture."""

    root: Group
    edges: tuple[Edge, ...]
    above: tuple[tuple[str, str], ...] = ()
    """Pairs of boxes of which the first is to lie above the second, or for an exit not below it."""
    known: Sheet | None = None
    """A picture that readers know: where it can be, things lie as they do there."""
