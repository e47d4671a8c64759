"""Pictures of charts."""

from __future__ import annotations

import hashlib
from html import escape

import graphviz

from charger.statechart import model
from charger.statechart.diagram_chart import chart_sheet
from charger.statechart.diagram_draw import PAD_X, PAD_Y, draw
from charger.statechart.diagram_sheet import LOOKS, Box, Edge, Group, Line, Run, Sheet, Text

DRAWING = "1"


def sheet_dot(sheet: Sheet) -> str:
    graph = graphviz.Digraph(
        name=sheet.root.id,
        graph_attr={
            "id": sheet.root.id, "comment": f"drawing {DRAWING}", "tooltip": graphviz.escape(sheet.root.tooltip),
            "label": _html(sheet.root.text), "labelloc": "t", "labeljust": "l",
            "compound": "true", "mclimit": "8",  "fontname": "Helvetica", "nodesep": "0.3", "ranksep": "0.22", "newrank": "true",
        },
        node_attr={"shape": "box", "style": "rounded,filled", "fontname": "Helvetica", "margin": "0", "height": "0", "width": "0"},
        edge_attr={"fontname": "Helvetica", "arrowsize": "0.7"},
    )
    _fill(graph, sheet.root)
    for edge in sheet.edges:
        attributes = {"id": edge.id}
        if edge.text.lines:
            attributes["label"] = _html(edge.text, 3, 0)
        if edge.tail_group:
            attributes["ltail"] = f"cluster_{edge.tail_group}"
        if edge.head_group:
            attributes["lhead"] = f"cluster_{edge.head_group}"
        if edge.initial:
            attributes["weight"] = "20"
        if edge.dashed:
            attributes["style"] = "dashed"
        if edge.upwards:
            attributes["dir"] = "back"
            attributes["ltail"], attributes["lhead"] = attributes.get("lhead", ""), attributes.get("ltail", "")
            graph.edge(edge.head, edge.tail, **attributes)
        else:
            graph.edge(edge.tail, edge.head, **attributes)
    for upper, lower in sheet.above:
        graph.edge(upper, lower, style="invis", weight="1" if lower.startswith("exit") else "0", minlen="0" if lower.startswith("exit") else "1")
    return graph.source


def _fill(graph: graphviz.Digraph, group: Group) -> None:
    for part in group.inside:
        if isinstance(part, Group):
            with graph.subgraph(name=f"cluster_{part.name}") as inner:
                inner.attr(id=part.id, label=_html(part.text), tooltip=graphviz.escape(part.tooltip), style="rounded,filled", fillcolor=part.fill)
                _fill(inner, part)
        elif part.kind == "exit":
            graph.node(part.name, label="", shape="point", width="0.01", style="invis")
        elif part.kind == "initial":
            graph.node(part.name, label="", shape="point", width="0.12", style="filled")
        else:
            graph.node(part.name, id=part.id, label=_html(part.text, PAD_X, PAD_Y), fillcolor=part.fill, tooltip=graphviz.escape(part.tooltip))


def _html(text: Text, pad_x=0, pad_y=0) -> str:
    width, height = text.width + 2 * pad_x, text.height + 2 * pad_y
    rows = "".join(f'<TR><TD ALIGN="LEFT">{_line(line)}</TD></TR>' for line in text.lines)
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLPADDING="0" CELLSPACING="0" FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{height}">{rows}</TABLE>>'


def _line(line: Line) -> str:
    return "".join(map(_run, line.runs))

def _run(run: Run) -> str:
    look = LOOKS[run.style]
    words = escape(run.text)
    if look.bold: words = f"<B>{words}</B>"
    if look.italic: words = f"<I>{words}</I>"
    return f'<FONT POINT-SIZE="{look.size}" COLOR="{look.colour}">{words}</FONT>'

def sheet_svg(sheet: Sheet) -> str:
    dot = sheet_dot(sheet)
    layout = graphviz.Source(dot).pipe(format="json0", encoding="utf-8", quiet=True)
    return draw(sheet, layout, "sha256:" + hashlib.sha256(dot.encode()).hexdigest())
