"""A laid-out sheet as SVG text.

Takes the places from `dot` (its JSON) and draws everything itself: runs of text flow in whatever font the
viewer has, and groups carry ids and classes that stay the same from picture to picture, so that a page can
light the active state and overlays can colour edges. Knows nothing of charts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import combinations, groupby
from typing import Any, TypeAlias

from charger.statechart.diagram_sheet import LOOKS, Accent, Box, Edge, Group, Line, Run, Sheet, Text

PAD_X, PAD_Y = 8, 5
"""Px between the border of a box and its text."""
_MARGIN = 8
"""Px around the whole picture."""
_FONTS = "Helvetica, Arial, 'Liberation Sans', sans-serif"
_INK = "#4a5159"
_BORDER = {
    "state": "#3d444d",
    "chart": "#3d444d",
    "junction": "#8c959f",
    "compound": "#8c959f",
    "scope": "#c4cad1",
}

Point: TypeAlias = tuple[float, float]
Place: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass(frozen=True, slots=True)
class _Route:
    points: tuple[Point, ...]
    """Control points of Bézier curves."""
    tip: Point
    label: Point | None
    """Centre of the label."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where `dot` put things; y grows downwards."""

    width: float
    height: float
    boxes: dict[str, Place]
    groups: dict[str, Place]
    headings: dict[str, Point]
    """Centre of a group's heading."""
    routes: dict[str, _Route]
    """By id of the edge."""


def draw(sheet: Sheet, layout: str, source: str) -> str:
    """The SVG of a sheet.

    Args:
        sheet: what to draw.
        layout: what ``dot -Tjson0`` made of it.
        source: goes into the attribute ``data-source``.
    """
    places = _read(layout)
    width, height = _px(places.width + 2 * _MARGIN), _px(places.height + 2 * _MARGIN)
    root, plain = sheet.root, LOOKS["plain"]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" id="{root.id}" class="{root.kind}" data-source="{source}"'
        f' width="{width}" height="{height}" viewBox="{-_MARGIN} {-_MARGIN} {width} {height}"'
        f' font-family="{_FONTS}" font-size="{_px(plain.size)}" fill="{plain.colour}">'
    )
    lines = [
        head,
        f'<rect x="{-_MARGIN}" y="{-_MARGIN}" width="{width}" height="{height}" fill="#ffffff"/>',
        *_heading(root, places),
        *(line for group in root.groups() for line in _group(group, places)),
        *(line for edge in sheet.edges for line in _edge(edge, places.routes[edge.id])),
        *(line for box in root.boxes() for line in _box(box, places)),
        *(line for edge in sheet.edges for line in _label(edge, places.routes[edge.id])),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def likeness(layout: str, known: str) -> float:
    """How alike two layouts are, from 0 to 1: the share of pairs of boxes that lie the same way in both."""
    here, there = _read(layout).boxes, _read(known).boxes
    pairs = list(combinations(sorted(here.keys() & there.keys()), 2))
    same = sum(
        (here[one][axis] < here[other][axis]) == (there[one][axis] < there[other][axis])
        for one, other in pairs
        for axis in (0, 1)
    )
    return same / (2 * len(pairs)) if pairs else 1.0


# -- what dot says -----------------------------------------------------------------------------------


def _read(layout: str) -> _Layout:
    graph: dict[str, Any] = json.loads(layout)
    _, _, width, height = _floats(graph["bb"])
    places = _Layout(width, height, {}, {}, {}, {})
    places.headings[""] = _point(graph["lp"], height)
    for thing in graph.get("objects", ()):
        if "bb" in thing:
            name = thing["name"].removeprefix("cluster_")
            left, bottom, right, top = _floats(thing["bb"])
            places.groups[name] = (left, height - top, right, height - bottom)
            places.headings[name] = _point(thing["lp"], height)
        else:
            x, y = _point(thing["pos"], height)
            half_width, half_height = float(thing["width"]) * 36, float(thing["height"]) * 36
            places.boxes[thing["name"]] = (x - half_width, y - half_height, x + half_width, y + half_height)
    for edge in graph.get("edges", ()):
        if "id" in edge:
            label = _point(edge["lp"], height) if "lp" in edge else None
            places.routes[edge["id"]] = _route(edge["pos"], label, height)
    return places


def _route(text: str, label: Point | None, height: float) -> _Route:
    """`e,x,y` is the tip at the end of the points, `s,x,y` the one of an edge that was turned round.

    Where `dot` offers two ways for one edge, apart by a semicolon, the first is taken.
    """
    tip, *spots = text.partition(";")[0].split(" ")
    points = [_point(spot, height) for spot in spots]
    if tip.startswith("s,"):
        points.reverse()
    return _Route(tuple(points), _point(tip[2:], height), label)


def _point(text: str, height: float) -> Point:
    x, y = _floats(text)
    return x, height - y


def _floats(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _px(value: float) -> str:
    """One decimal, and none where it is zero."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


# -- shapes ------------------------------------------------------------------------------------------


def _open(identity: str, kind: str, *, edge: str = "", tooltip: str = "") -> str:
    attributes = {"id": identity, "class": kind, "data-edge": edge}
    said = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items() if value)
    return f"<g{said}>" + (f"<title>{escape(tooltip, quote=False)}</title>" if tooltip else "")


def _kind(kind: str, accent: Accent | None) -> str:
    return f"{kind} {accent.name}" if accent else kind


def _stroke(colour: str, accent: Accent | None, dash: str = "") -> str:
    """The attributes of a line."""
    if accent:
        colour, dash = accent.colour, "6 4" if accent.dashed else dash
    wide = ' stroke-width="2"' if accent else ""
    return f' stroke="{colour}"{wide}' + (f' stroke-dasharray="{dash}"' if dash else "")


def _rect(place: Place, fill: str, kind: str, accent: Accent | None) -> str:
    left, top, right, bottom = place
    stroke = _stroke(_BORDER[kind], accent, "3 3" if kind == "junction" else "")
    return (
        f'<rect x="{_px(left)}" y="{_px(top)}" width="{_px(right - left)}" height="{_px(bottom - top)}"'
        f' rx="6" fill="{fill}"{stroke}/>'
    )


def _group(group: Group, places: _Layout) -> Iterator[str]:
    yield _open(group.id, _kind(group.kind, group.accent), tooltip=group.tooltip)
    yield _rect(places.groups[group.name], group.fill, group.kind, group.accent)
    yield from _heading(group, places)
    yield "</g>"


def _heading(group: Group, places: _Layout) -> Iterator[str]:
    yield from _centred(group.text, places.headings[group.name])


def _box(box: Box, places: _Layout) -> Iterator[str]:
    place = places.boxes[box.name]
    left, top, right, bottom = place
    if box.kind == "exit":
        return
    yield _open(box.id, _kind(box.kind, box.accent), tooltip=box.tooltip)
    if box.kind == "initial":
        yield f'<circle cx="{_px((left + right) / 2)}" cy="{_px(bottom - 4)}" r="4" fill="{_INK}"/>'
    else:
        yield _rect(place, box.fill, box.kind, box.accent)
        if box.kind == "junction":
            diamond = f"M{_px(left - 7)},{_px(top + PAD_Y + 8)}l6,-6l6,6l-6,6z"
            yield f'<path d="{diamond}" fill="#ffffff" stroke="{_INK}"/>'
        yield from _text(box.text, left + PAD_X, top + PAD_Y, right - left - 2 * PAD_X)
    yield "</g>"


def _edge(edge: Edge, route: _Route) -> Iterator[str]:
    start, *rest = (f"{_px(x)},{_px(y)}" for x, y in route.points)
    stroke = _stroke(_INK, edge.accent, "5 3" if edge.kind == "asked" else "")
    yield _open(edge.id, _kind(edge.kind, edge.accent), edge=edge.name)
    yield f'<path d="M{start}C{" ".join(rest)}" fill="none"{stroke}/>'
    ink = edge.accent.colour if edge.accent else _INK
    yield f'<path d="{_arrow(route.points[-1], route.tip)}" fill="{ink}"/>'
    yield "</g>"


def _arrow(base: Point, tip: Point) -> str:
    along_x, along_y = tip[0] - base[0], tip[1] - base[1]
    side_x, side_y = -along_y * 0.36, along_x * 0.36
    corners = (tip, (base[0] + side_x, base[1] + side_y), (base[0] - side_x, base[1] - side_y))
    return "M" + "L".join(f"{_px(x)},{_px(y)}" for x, y in corners) + "z"


def _label(edge: Edge, route: _Route) -> Iterator[str]:
    """White around the letters keeps them legible where another edge passes."""
    if route.label and edge.text.lines:
        yield '<g stroke="#ffffff" stroke-width="3" stroke-linejoin="round" paint-order="stroke">'
        yield from _centred(edge.text, route.label, drawn=True)
        yield "</g>"


# -- text --------------------------------------------------------------------------------------------


def _centred(text: Text, centre: Point, *, drawn: bool = False) -> Iterator[str]:
    left, top = centre[0] - text.width / 2, centre[1] - text.height / 2
    return _text(text, left, top, text.width, drawn=drawn)


def _text(text: Text, left: float, top: float, width: float, *, drawn: bool = False) -> Iterator[str]:
    """Lines in groups that name their edge; of an edge that is not drawn the group has the id."""
    y = top
    for edge, lines in groupby(text.lines, key=lambda line: line.edge):
        written = edge and not drawn
        yield _open(f"edge-{edge}" if written else "", "edge" if written else "words", edge=edge)
        for line in lines:
            yield _words(line, left, y, struck=not drawn) if line.runs else _rule(left, y, width)
            y += line.height
        yield "</g>"


def _rule(left: float, top: float, width: float) -> str:
    return f'<path d="M{_px(left)},{_px(top + 3.5)}h{_px(width)}" stroke="#b8bfc7"/>'


def _words(line: Line, left: float, top: float, *, struck: bool) -> str:
    """On a label the white around the letters would cover them, if they were struck through."""
    baseline = top + line.gap + (line.height - line.gap) * 0.76
    accent = line.accent
    runs = "".join(_run(run, coloured=accent is None) for run in line.runs)
    said = f' class="{accent.name}" fill="{accent.colour}"' if accent else ""
    said += ' text-decoration="line-through"' if accent and accent.struck and struck else ""
    # A machine without these fonts has wider or narrower ones: the line keeps the room that was made for it.
    said += f' textLength="{_px(sum(run.width for run in line.runs))}" lengthAdjust="spacingAndGlyphs"'
    return f'<text x="{_px(left + line.indent)}" y="{_px(baseline)}"{said}>{runs}</text>'


def _run(run: Run, *, coloured: bool) -> str:
    look, plain = LOOKS[run.style], LOOKS["plain"]
    attributes = [
        f' font-size="{_px(look.size)}"' if look.size != plain.size else "",
        ' font-weight="bold"' if look.bold else "",
        ' font-style="italic"' if look.italic else "",
        f' fill="{look.colour}"' if coloured and look.colour != plain.colour else "",
    ]
    said = "".join(attributes)
    words = escape(run.text.replace("  ", "\N{NO-BREAK SPACE} "), quote=False)
    return f"<tspan{said}>{words}</tspan>" if said else words
