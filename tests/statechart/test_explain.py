"""Why a guard says what it says: every part with its value, what was not asked, and where the charts are."""

from typing import Any

import pytest
from chart_kit import HERE
from test_evaluate import VOCABULARY, WORLD, charts, leaves

from charger.statechart.evaluate import Evaluator, Scene
from charger.statechart.event import Event
from charger.statechart.explain import Explainer
from charger.statechart.expressions import parse_guard
from charger.statechart.model import ChartSet
from charger.statechart.wording import expression_text

__all__ = ["charts"]


def explained(charts: ChartSet, text: str, chart: str | None = "socket", **scene: Any) -> list[str]:
    fields = {"leaves": leaves(), "here": 1, "event": Event("x"), "tries": {}} | scene
    explainer = Explainer(charts, Evaluator(charts, VOCABULARY))
    guard = explainer.guard(
        parse_guard(text, HERE), charts.charts[chart] if chart else None, Scene(WORLD, **fields)
    )
    return list(guard.lines())


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("cable.present", ["cable.present: yes"]),
        ("not fault.present", ["not fault.present: yes"]),
        (
            "fault.present and cable.present",
            [
                "fault.present and cable.present: no",
                "  fault.present: no",
                "  cable.present: not asked",
            ],
        ),
        (
            "fault.present or cable.present or fault.present",
            [
                "fault.present or cable.present or fault.present: yes",
                "  fault.present: no",
                "  cable.present: yes",
                "  fault.present: not asked",
            ],
        ),
        (
            "not (cable.present and fault.present)",
            [
                "not (cable.present and fault.present): yes",
                "  cable.present and fault.present: no",
                "    cable.present: yes",
                "    fault.present: no",
            ],
        ),
        ("offer.amps >= 6", ["offer.amps >= 6: yes  (offer.amps is 16)"]),
        (
            "offer.amps < HeartbeatInterval",
            ["offer.amps < HeartbeatInterval: yes  (offer.amps is 16, HeartbeatInterval is 300)"],
        ),
        (
            "session.reason == Local",
            ["session.reason == Local: no  (session.reason is DeAuthorized)"],
        ),
        ("nothing.here == none", ["nothing.here == none: yes  (nothing.here is none)"]),
        ("event.x != 'a b'", ["event.x != 'a b': yes  (event.x is none)"]),
        ("named", ["named: yes", "  cable.present: yes"]),
        ("shared", ["shared: no", "  not cable.present: no"]),
        ("in(busy)", None),
    ],
)
def test_every_part_has_its_value(charts: ChartSet, text: str, lines: list[str] | None) -> None:
    if lines:
        assert explained(charts, text) == lines


def test_a_named_guard_means_what_it_means_where_it_is_written(charts: ChartSet) -> None:
    assert explained(charts, "named", None) == ["named: no", "  fault.present: no"]


@pytest.mark.parametrize(
    ("text", "chart", "line"),
    [
        ("in(link.Two)", "socket", "in(link.Two): no  (link is in Group/One)"),
        ("in(Two)", "socket", "in(Two): yes  (socket 1 is in Group/Two)"),
        ("in(socket.Two, 2)", "link", "in(socket.Two, 2): no  (socket 2 is in Idle)"),
        ("in(socket.Two, event.x)", "link", "in(socket.Two, event.x): no  (event.x is none)"),
        ("in(socket.Two, 9)", "link", "in(socket.Two, 9): no"),
        (
            "any(socket.Two)",
            "link",
            "any(socket.Two): yes  (socket 1 is in Group/Two, socket 2 is in Idle, socket 3 is in Idle)",
        ),
        (
            "first(socket.Two)",
            "link",
            "first(socket.Two): 1  (socket 1 is in Group/Two, socket 2 is in Idle, socket 3 is in Idle)",
        ),
    ],
)
def test_where_charts_are_is_told(charts: ChartSet, text: str, chart: str, line: str) -> None:
    where = leaves(link=["One"] * 4, socket=["", "Two", "Idle", "Idle"])
    assert explained(charts, text, chart, leaves=where, here=1 if chart == "socket" else 0) == [line]


def test_numbers_are_short(charts: ChartSet) -> None:
    event = Event("x", fields={"small": 0.1 + 0.2, "large": 12345678.9})
    assert explained(charts, "event.small < event.large", event=event) == [
        "event.small < event.large: yes  (event.small is 0.3, event.large is 12345678.900)"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "cable.present and (fault.present or not cable.present)",
        "not (cable.present or fault.present)",
        "in(busy) or any(busy) or in(busy, event.connector)",
        "tries(One) > 2 and clock.between(22:00, 06:00)",
    ],
)
def test_a_guard_reads_as_it_was_written(text: str) -> None:
    assert expression_text(parse_guard(text, HERE)) == text
