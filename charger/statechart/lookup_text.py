"""An explanation as text: blocks of sentences, places and an example, for one screen."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from charger.statechart import usage
from charger.statechart.usage import Place

WIDTH = 110
SCREEN = 40
"""Lines; what a name that is many things must fit into."""
_MOST = {1: 7, 2: 4, 3: 2}
"""Places shown of one kind, by how many things a name is; of more things one."""


@dataclass
class Block:
    """One thing that a name is."""

    title: str
    notes: list[str] = field(default_factory=list)
    at: Place | None = None
    """Where it is written, if the charts declare it; shown as the example when nothing else is."""
    places: dict[str, list[Place]] = field(default_factory=dict)
    """By what the word is used for there."""
    example: str = ""
    """Of our own, for what no chart uses."""
    shows: tuple[str, ...] = ()
    """The kinds of places whose lines may be the example; empty: all."""


def layout(blocks: Sequence[Block], sources: Mapping[str, str]) -> str:
    """All blocks, on at most a screen.

    Args:
        blocks: what a name is.
        sources: text by file name, which the examples are taken from.
    """
    most = _MOST.get(len(blocks), 1)
    few = len(blocks) in _MOST
    texts = (_lines(one, sources, most, few or one is blocks[0]) for one in blocks)
    return "\n\n".join("\n".join(text) for text in texts)


def _lines(block: Block, sources: Mapping[str, str], most: int, with_example: bool) -> Iterator[str]:
    yield block.title + (f"  ({_shown(block.at)})" if block.at else "")
    for note in filter(None, block.notes):
        yield from textwrap.wrap(note, WIDTH, initial_indent="  ", subsequent_indent="    ")
    rows = []
    for label, places in block.places.items():
        found = _once(places)
        rows += [(label, _shown(place), place.where, "") for place in found[:most]]
        if len(found) > most:
            rows[-1] = (*rows[-1][:3], f"  and {len(found) - most} more")
    if rows and with_example:
        yield ""
    yield from _table(rows)
    sample = _sample(block, sources) if with_example else []
    if sample:
        name = block.title.partition(":")[0]
        yield from ("", *(_cut(f"    {line}", name) for line in sample))


def _sample(block: Block, sources: Mapping[str, str]) -> list[str]:
    kinds = block.shows or tuple(block.places)
    candidates = [place for kind in kinds for place in block.places.get(kind, ())]
    if not candidates and block.at:
        candidates = [block.at]
    found = [excerpt(sources[place.mark.file], place) for place in candidates]
    real = min(found, key=lambda lines: (len(lines) < 2, max(map(len, lines))), default=[])
    return real or block.example.splitlines()


def _once(places: Sequence[Place]) -> list[Place]:
    """One place per line of a file."""
    return list({(place.mark.file, place.mark.line): place for place in reversed(places)}.values())[::-1]


def _table(rows: Sequence[tuple[str, str, str, str]]) -> Iterator[str]:
    wide, wider = (max((len(row[column]) for row in rows), default=0) for column in (0, 1))
    before = ""
    for label, at, where, more in rows:
        head = f"  {'' if label == before else label:<{wide}}  {at:<{wider}}  "
        yield f"{head}{_fitted(where, WIDTH - len(head) - len(more))}{more}".rstrip()
        before = label


def _fitted(where: str, room: int) -> str:
    """A place in words, shortened before its target."""
    if len(where) <= room:
        return where
    start, arrow, target = where.rpartition(" → ")
    end = f"…{arrow}{target}" if arrow else "…"
    return (start if arrow else where)[: room - len(end)] + end


def _cut(line: str, name: str = "") -> str:
    """A long line without its end; without its beginning when `name` would be lost."""
    end = line.find(name) + len(name)
    if end >= WIDTH:
        indent = len(line) - len(line.lstrip())
        line = f"{line[:indent]}… {line[max(indent, end - WIDTH // 2) :]}"
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"


def _shown(place: Place) -> str:
    return f"{place.mark.file}:{place.mark.line}"


def excerpt(text: str, place: Place) -> list[str]:
    """At most three lines of a file: the one of the place, with what it is under, or what is under it."""
    lines = text.splitlines()
    at = place.mark.line - 1
    below = _below(lines, at)
    if place.role == usage.WRITTEN and place.name[:1].isupper():
        chosen = [lines[at], *below[:2]]
    else:
        chosen = [lines[at], *(below[:1] if lines[at].partition("#")[0].rstrip().endswith(":") else [])]
        for line in reversed(lines[:at]):
            above = _says(line) and _depth(line) < _depth(chosen[0])
            if len(chosen) == 3 or (above and line.strip() == "states:"):
                break
            if above:
                chosen.insert(0, line)
    indent = len(chosen[0]) - len(chosen[0].lstrip())
    return [line[indent:].rstrip() for line in chosen]


def _below(lines: Sequence[str], at: int) -> list[str]:
    """The lines that are indented under a line."""
    inside = takewhile(lambda line: not _says(line) or _depth(line) > _depth(lines[at]), lines[at + 1 :])
    return [line for line in inside if _says(line)]


def _says(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _depth(line: str) -> int:
    """Indentation; the items of a list are inside the key above them."""
    spaces = len(line) - len(line.lstrip())
    return spaces + 1 if line.lstrip().startswith("- ") else spaces
