"""Pictures of charts: DOT text, SVG text, and the folder they are kept in.

The DOT text is ours and the same everywhere; what `dot` makes of it may differ from version to version. So
an SVG carries the hash of the DOT text it was made of: whether a picture is current is a comparison of
hashes, needs no `dot`, and a newer `dot` changes no file by itself. Only importer of `graphviz`.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html import escape
from pathlib import Path

import graphviz

from charger.statechart.diagram_chart import chart_sheet
from charger.statechart.diagram_draw import PAD_X, PAD_Y, draw, likeness
from charger.statechart.diagram_overview import overview_sheet
from charger.statechart.diagram_sheet import LOOKS, Edge, Group, Line, Run, Sheet, Text
from charger.statechart.model import Chart, ChartSet
from charger.statechart.words import Vocabulary

DRAWING = 1
"""Raise it when the drawing of an unchanged sheet changes: every picture is stale then."""
OVERVIEW = "overview"
"""File name of the overview; no chart can have it."""

_GRAPH = {
    "labelloc": "t",
    "labeljust": "l",
    "compound": "true",
    "newrank": "true",
    "mclimit": "8",
    "nodesep": "0.3",
    "ranksep": "0.22",
    "fontname": "Helvetica",
}
DRAWING = 2
"""Counts up when the same DOT text is drawn in another way, so that pictures are drawn anew."""
_NODE = {"shape": "box", "style": "rounded,filled", "margin": "0", "width": "0", "height": "0"}


class DotMissingError(Exception):
    """The program `dot` is not installed, and it lays out the pictures."""

    def __init__(self) -> None:
        super().__init__("there is no program `dot`, which lays out the pictures: apt install graphviz")


def chart_dot(chart: Chart, chart_set: ChartSet) -> str:
    """The DOT text of a chart; the same for the same chart, wherever it is made."""
    return _dot(chart_sheet(chart, chart_set))


def chart_svg(chart: Chart, chart_set: ChartSet) -> str:
    """The SVG of a chart.

    A state is a ``<g id="state-Name">``, a transition from state to state is in ``<g id="edge-From-To">``
    and has ``data-edge="From-To"`` on everything that tells about it.

    Raises:
        DotMissingError: `dot` is not installed.
    """
    return _svg(chart_sheet(chart, chart_set))


def write_sheets(sheets: Mapping[str, Sheet], folder: Path) -> list[Path]:
    """Draw sheets, and write each as an SVG of its name; makes the folder.

    Raises:
        DotMissingError: `dot` is not installed; nothing was changed.
    """
    with ThreadPoolExecutor() as pool:
        drawn = list(pool.map(_svg, sheets.values()))
    folder.mkdir(parents=True, exist_ok=True)
    files = [_file(folder, name) for name in sheets]
    for file, svg in zip(files, drawn, strict=True):
        file.write_text(svg, encoding="utf-8", newline="\n")
    return files


def outdated_sheets(sheets: Mapping[str, Sheet], folder: Path) -> list[str]:
    """The names of those of which the folder has no picture, or that of another sheet. Needs no `dot`."""

    def current(name: str) -> bool:
        file = _file(folder, name)
        return file.exists() and is_current(file.read_text(encoding="utf-8"), _dot(sheets[name]))

    return [name for name in sheets if not current(name)]


def overview_dot(chart_set: ChartSet, vocabulary: Vocabulary) -> str:
    """The DOT text of the picture that shows how the charts meet."""
    return _dot(overview_sheet(chart_set, vocabulary))


def overview_svg(chart_set: ChartSet, vocabulary: Vocabulary) -> str:
    """The SVG of the picture that shows how the charts meet.

    Raises:
        DotMissingError: `dot` is not installed.
    """
    return _svg(overview_sheet(chart_set, vocabulary))


# -- the folder --------------------------------------------------------------------------------------


def source_hash(dot_text: str) -> str:
    """What an SVG says it was made of, and by which drawing."""
    return "sha256:" + hashlib.sha256(f"{DRAWING}\n{dot_text}".encode()).hexdigest()


def is_current(svg_text: str, dot_text: str) -> bool:
    """Whether an SVG was made of this DOT text."""
    return f'data-source="{source_hash(dot_text)}"' in svg_text


def stale(chart_set: ChartSet, vocabulary: Vocabulary, folder: Path) -> list[str]:
    """Names of the pictures that are missing, out of date, or of no chart any more, sorted.

    Needs no `dot`.
    """
    sheets = _sheets(chart_set, vocabulary)
    return sorted([*outdated_sheets(sheets, folder), *_orphans(sheets, folder)])


def write(chart_set: ChartSet, vocabulary: Vocabulary, folder: Path) -> list[str]:
    """Bring a folder up to date; a picture that is current is not touched.

    Returns:
        The names of the pictures that were written or removed, sorted.

    Raises:
        DotMissingError: a picture has to be drawn and `dot` is not installed; nothing was changed.
    """
    sheets = _sheets(chart_set, vocabulary)
    outdated, orphans = outdated_sheets(sheets, folder), _orphans(sheets, folder)
    write_sheets({name: sheets[name] for name in outdated}, folder)
    for name in orphans:
        _file(folder, name).unlink()
    return sorted([*outdated, *orphans])


def _sheets(chart_set: ChartSet, vocabulary: Vocabulary) -> dict[str, Sheet]:
    sheets = {name: chart_sheet(chart, chart_set) for name, chart in chart_set.charts.items()}
    return sheets | {OVERVIEW: overview_sheet(chart_set, vocabulary)}


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.svg"


def _orphans(sheets: Mapping[str, Sheet], folder: Path) -> list[str]:
    """Pictures of ours that no chart is behind; drawings of other hands stay."""
    others = (file for file in folder.glob("*.svg") if file.stem not in sheets)
    return [file.stem for file in others if 'data-source="sha256:' in file.read_text(encoding="utf-8")]


# -- DOT ---------------------------------------------------------------------------------------------


def _svg(sheet: Sheet) -> str:
    dot = _dot(sheet)
    layout = _laid_out(dot)
    if sheet.known:
        firm = _dot(replace(sheet, edges=tuple(replace(edge, loose=False) for edge in sheet.edges)))
        known = _laid_out(_dot(sheet.known))
        layout = max(layout, _laid_out(firm), key=lambda one: likeness(one, known))
    return draw(sheet, layout, source_hash(dot))


def _laid_out(dot: str) -> str:
    try:
        return _layout(dot)
    except subprocess.CalledProcessError:
        # `dot` 2.43 may lose an edge between boxes side by side (1 random chart in 400): put exits lower.
        return _layout(dot.replace("minlen=0", "minlen=1"))


def _layout(dot: str) -> str:
    try:
        # What it would say is that our sizes are not those of its fonts.
        return str(graphviz.Source(dot).pipe(format="json0", encoding="utf-8", quiet=True))
    except graphviz.ExecutableNotFound as error:
        raise DotMissingError from error


def _dot(sheet: Sheet) -> str:
    root = sheet.root
    graph = graphviz.Digraph(
        name=root.id,
        comment=f"drawing {DRAWING}",
        graph_attr={**_GRAPH, "id": root.id, "label": _label(root.text)},
        node_attr=_NODE,
        edge_attr={"arrowsize": "0.7"},
    )
    _add(graph, root)
    for edge in sheet.edges:
        _add_edge(graph, edge)
    for upper, lower in sheet.above:
        # An exit may lie beside the lowest box, and pulls itself towards the middle.
        to_exit = lower.startswith("exit ")
        graph.edge(upper, lower, style="invis", weight=str(int(to_exit)), minlen=str(int(not to_exit)))
    return str(graph.source)


def _add(graph: graphviz.Digraph, group: Group) -> None:
    for part in group.inside:
        tooltip = graphviz.escape(part.tooltip)
        if isinstance(part, Group):
            with graph.subgraph(name=f"cluster_{part.name}") as inner:
                inner.attr(id=part.id, label=_label(part.text), tooltip=tooltip, style="rounded,filled")
                inner.attr(fillcolor=part.fill)
                _add(inner, part)
        elif part.kind == "initial":
            graph.node(part.name, label="", style="invis", width="0.12", height=f"{(9 + part.room) / 72:.3f}")
        elif part.kind == "exit":
            graph.node(part.name, label="", style="invis", width="0.01", height="0.01")
        else:
            style = "rounded,filled,dashed" if part.kind == "junction" else "rounded,filled"
            label = _label(part.text, PAD_X, PAD_Y)
            graph.node(part.name, label, id=part.id, tooltip=tooltip, fillcolor=part.fill, style=style)


def _add_edge(graph: graphviz.Digraph, edge: Edge) -> None:
    ends = [(edge.tail, edge.tail_group), (edge.head, edge.head_group)]
    attributes = {"id": edge.id}
    if edge.text.lines:
        attributes["label"] = _label(edge.text, 3)
    if edge.kind == "initial":
        attributes["weight"] = "20"
    if edge.loose:
        attributes["constraint"] = "false"
    if edge.kind == "asked":
        attributes["style"] = "dashed"
    if edge.upwards:
        ends.reverse()
        attributes["dir"] = "back"
    for end, (_, group) in zip(("ltail", "lhead"), ends, strict=True):
        if group:
            attributes[end] = f"cluster_{group}"
    graph.edge(ends[0][0], ends[1][0], **attributes)


def _label(text: Text, pad_x: int = 0, pad_y: int = 0) -> str:
    """An HTML label of a size that we say: `dot` does not have to know any font."""
    size = f'WIDTH="{text.width + 2 * pad_x}" HEIGHT="{text.height + 2 * pad_y}"'
    rows = "".join(f'<TR><TD ALIGN="LEFT">{_row(line)}</TD></TR>' for line in text.lines)
    frame = 'BORDER="0" CELLBORDER="0" CELLPADDING="0" CELLSPACING="0" FIXEDSIZE="TRUE"'
    return f"<<TABLE {frame} {size}>{rows}</TABLE>>"


def _row(line: Line) -> str:
    return "\N{NO-BREAK SPACE}" * (line.indent // 3) + "".join(_markup(run) for run in line.runs)


def _markup(run: Run) -> str:
    look = LOOKS[run.style]
    words = escape(run.text).replace("]", "&#93;")  # `dot` 2.43 chokes on a text that is only a bracket
    words = f"<B>{words}</B>" if look.bold else words
    words = f"<I>{words}</I>" if look.italic else words
    return f'<FONT POINT-SIZE="{look.size}" COLOR="{look.colour}">{words}</FONT>'
