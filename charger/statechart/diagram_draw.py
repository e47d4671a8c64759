"""A laid-out sheet as SVG text.

Takes the places from `dot` (its JSON) and draws everything itself: text runs flow in whatever font the
viewer has, and the groups carry ids and classes that stay the same from picture to picture, so that a page
can light the active state and overlays can colour edges. Knows nothing of charts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import Any

from charger.statechart.diagram_sheet import LOOKS, Box, Edge, Group, Line, Run, Sheet, Text

PAD_X, PAD_Y = 8, 5
"""Px between the border of a box and its text."""
MARGIN = 8
"""Px around the whole picture."""
FONTS = "Helvetica, Arial, 'Liberation Sans', sans-serif"
INK = "#4a5159"

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Places:
    """Where `dot` put things, by name; y grows downwards."""

    width: float
    height: float
    boxes: dict[str, tuple[float, float, float, float]]
    """Left, top, right, bottom."""
    headings: dict[str, Point]
    """Centre of a group's heading."""
    routes: dict[str, tuple[list[Point], Point, Point | None]]
    """By edge id: control points, tip of the arrow, centre of the label."""


def draw(sheet: Sheet, layout: str, source: str) -> str:
    """The SVG of a sheet.

    Args:
        sheet: what to draw.
        layout: what ``dot -Tjson0`` made of it.
        source: goes into the attribute ``data-source``.
    """
    places = _read(layout)
    width, height = _number(places.width + 2 * MARGIN), _number(places.height + 2 * MARGIN)
    root = sheet.root
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" id="{root.id}" class="{root.kind}" data-source="{source}"'
        f' width="{width}" height="{height}" viewBox="{-MARGIN} {-MARGIN} {width} {height}"'
        f' font-family="{FONTS}" font-size="{_number(LOOKS["plain"].size)}" fill="{LOOKS["plain"].colour}">',
        *_tooltip(root.tooltip),
        f'<rect x="{-MARGIN}" y="{-MARGIN}" width="{width}" height="{height}" fill="#ffffff"/>',
        *_heading(root, places),
        *(line for group in list(root.groups())[1:] for line in _group(group, places)),
        *(line for edge in sheet.edges for line in _edge(edge, places)),
        *(line for box in root.boxes() for line in _box(box, places)),
        *(line for edge in sheet.edges for line in _label(edge, places)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _read(layout: str) -> _Places:
    graph: dict[str, Any] = json.loads(layout)
    _, _, width, height = _floats(graph["bb"])

    def flip(x: float, y: float) -> Point:
        return x, height - y

    boxes: dict[str, tuple[float, float, float, float]] = {}
    headings = {"": flip(*_floats(graph["lp"]))} if "lp" in graph else {}
    for thing in graph.get("objects", ()):
        name: str = thing["name"]
        if "bb" in thing:
            name = name.removeprefix("cluster_")
            left, bottom, right, top = _floats(thing["bb"])
            if "lp" in thing:
                headings[name] = flip(*_floats(thing["lp"]))
        else:
            x, y = _floats(thing["pos"])
            half_width, half_height = float(thing["width"]) * 36, float(thing["height"]) * 36
            left, bottom, right, top = x - half_width, y - half_height, x + half_width, y + half_height
        boxes[name] = (left, height - top, right, height - bottom)
    routes = {}
    for edge in graph.get("edges", ()):
        end, *spots = edge["pos"].split(" ")
        points = [flip(*_floats(spot)) for spot in spots]
        if end.startswith("s,"):
            points.reverse()
        label = flip(*_floats(edge["lp"])) if "lp" in edge else None
        if "id" not in edge: continue
        routes[edge["id"]] = (
            points,
            flip(*_floats(end[2:])),
            label,
        )
    return _Places(width, height, boxes, headings, routes)


def _floats(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0").replace("-0", "0") if abs(value) < 0.05 else f"{value:.1f}".removesuffix(".0")


# -- shapes ------------------------------------------------------------------------------------------


def _rect(place: tuple[float, float, float, float], fill: str, stroke: str, more: str = "") -> str:
    left, top, right, bottom = place
    return (
        f'<rect x="{_number(left)}" y="{_number(top)}" width="{_number(right - left)}"'
        f' height="{_number(bottom - top)}" rx="6" fill="{fill}" stroke="{stroke}"{more}/>'
    )


def _tooltip(text: str) -> Iterator[str]:
    if text:
        yield f"<title>{escape(text)}</title>"


def _open(identity: str, kind: str, tooltip: str = "") -> Iterator[str]:
    yield f'<g id="{identity}" class="{kind}">' if identity else f'<g class="{kind}">'
    yield from _tooltip(tooltip)


def _group(group: Group, places: _Places) -> Iterator[str]:
    yield from _open(group.id, group.kind, group.tooltip)
    yield _rect(places.boxes[group.name], group.fill, "#8c959f")
    yield from _heading(group, places)
    yield "</g>"


def _heading(group: Group, places: _Places) -> Iterator[str]:
    x, y = places.headings[group.name]
    left, top = x - group.text.width / 2, y - group.text.height / 2
    yield from _text(group.text, left, top, group.text.width)


def _box(box: Box, places: _Places) -> Iterator[str]:
    if box.kind == "exit":
        return
    place = places.boxes[box.name]
    left, top, right, bottom = place
    yield from _open(box.id, box.kind, box.tooltip)
    if box.kind == "initial":
        yield f'<circle cx="{_number((left + right) / 2)}" cy="{_number((top + bottom) / 2)}" r="4" fill="{box.fill}"/>'
    elif box.kind == "junction":
        yield _rect(place, box.fill, "#8c959f", ' stroke-dasharray="3 3"')
        x, y = left, top + PAD_Y + 8
        yield f'<path d="M{_number(x - 6)},{_number(y)}l6,-6l6,6l-6,6z" fill="#ffffff" stroke="{INK}"/>'
    else:
        yield _rect(place, box.fill, "#3d444d")
    yield from _text(box.text, left + PAD_X, top + PAD_Y, right - left - 2 * PAD_X)
    yield "</g>"


def _edge(edge: Edge, places: _Places) -> Iterator[str]:
    points, tip, _ = places.routes[edge.id]
    start, *rest = (f"{_number(x)},{_number(y)}" for x, y in points)
    dash = ' stroke-dasharray="5 3"' if edge.dashed else ""
    yield from _open(edge.id, "initial" if edge.initial else "edge")
    yield f'<path d="M{start}C{" ".join(rest)}" fill="none" stroke="{INK}"{dash}/>'
    yield f'<path d="{_arrow(points[-1], tip)}" fill="{INK}"/>'
    yield "</g>"


def _arrow(base: Point, tip: Point) -> str:
    along_x, along_y = tip[0] - base[0], tip[1] - base[1]
    side_x, side_y = -along_y * 0.36, along_x * 0.36
    corners = (tip, (base[0] + side_x, base[1] + side_y), (base[0] - side_x, base[1] - side_y))
    return "M" + "L".join(f"{_number(x)},{_number(y)}" for x, y in corners) + "z"


def _label(edge: Edge, places: _Places) -> Iterator[str]:
    _, _, centre = places.routes[edge.id]
    if centre is None or not edge.text.lines:
        return
    yield '<g stroke="#ffffff" stroke-width="3" stroke-linejoin="round" paint-order="stroke">'
    yield from _text(edge.text, centre[0] - edge.text.width / 2, centre[1] - edge.text.height / 2, edge.text.width)
    yield "</g>"


# -- text --------------------------------------------------------------------------------------------


def _text(text: Text, left: float, top: float, width: float) -> Iterator[str]:
    y = top
    for edge, lines in groupby(text.lines, key=lambda line: line.edge):
        if edge:
            yield f'<g class="words">'
        for line in lines:
            if line.runs:
                baseline = y + line.gap + (line.height - line.gap) * 0.76
                yield f'<text x="{_number(left + line.indent)}" y="{_number(baseline)}">{_runs(line)}</text>'
            else:
                middle = _number(y + line.height / 2)
                yield f'<path d="M{_number(left)},{middle}h{_number(width)}" stroke="#c4cad1"/>'
            y += line.height
        if edge:
            yield "</g>"


def _runs(line: Line) -> str:
    return "".join(_run(run) for run in line.runs)


def _run(run: Run) -> str:
    look, plain = LOOKS[run.style], LOOKS["plain"]
    attributes = [
        f'font-size="{_number(look.size)}"' if look.size != plain.size else "",
        'font-weight="bold"' if look.bold else "",
        'font-style="italic"' if look.italic else "",
        f'fill="{look.colour}"' if look.colour != plain.colour else "",
    ]
    said = " ".join(attribute for attribute in attributes if attribute)
    words = escape(run.text.replace("  ", "\N{NO-BREAK SPACE} "), quote=False)
    return f"<tspan {said}>{words}</tspan>" if said else words
