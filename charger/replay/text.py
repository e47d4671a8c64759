"""Steps of a trace as people read them: time, event, what moved, what was commanded."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from charger.replay.run import Replayed
from charger.statechart.event import Event
from charger.statechart.model import ChartSet

WIDE: Final = 110
"""Characters of a line; what is longer is cut."""
_BOOKS: Final = ("StartTimer", "CancelTimer", "Store")
"""Commands that are compared, and shown only where they differ."""


def number_in(word: str) -> int | None:
    """The number of a step or a connector as people type it; None: it is none."""
    return int(word) if re.fullmatch(r"[0-9]{1,9}", word) else None


def clock(wall: float) -> str:
    """The time of day, UTC."""
    return datetime.fromtimestamp(wall, UTC).strftime("%H:%M:%S.%f")[:-3]


def day(wall: float) -> str:
    """The date, UTC."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%d")


def headline(number: int | None, event: Event) -> str:
    """Number, time and event of a step."""
    place = f" {event.connector}" if event.connector is not None else ""
    fields = {name: value for name, value in event.fields.items() if value is not None}
    if event.name == "timer.expired":
        fields = {}
        place = f" {event.fields['key']}"
    told = f"  {compact(fields)}" if fields else ""
    return cut(f"{number or '':>5}  {clock(event.moment.wall)}  {event.name}{place}{told}")


def moves(record: Mapping[str, Any], charts: ChartSet) -> Iterator[str]:
    """Where each chart went, from where it was to where it came to rest."""
    ways: dict[tuple[str, int], list[str]] = {}
    for name, number, source, target in record.get("moves", ()):
        ways.setdefault((name, number), [source]).append(target)
    for (name, number), way in ways.items():
        seen = [path(charts, name, leaf) for leaf in way if leaf]
        distinct = [leaf for leaf, before in zip(seen, [None, *seen], strict=False) if leaf != before]
        stays = f"stays in {distinct[0]}" if len(distinct) == 1 else " → ".join(distinct)
        told = f"begins in {' → '.join(distinct)}" if not way[0] else stays
        yield f"{name}{f' {number}' if number else ''}: {told}"


def path(charts: ChartSet, name: str, leaf: str) -> str:
    """A leaf with the states around it; just the leaf if these charts do not have it."""
    chart = charts.charts.get(name)
    return "/".join(chart.path(leaf)) if chart and leaf in chart.states else leaf


def commands(record: Mapping[str, Any], *, books: bool = False) -> Iterator[str]:
    """What was commanded; timers and what was stored only with `books`."""
    now = record["at"][0]
    for kind, fields in record.get("commands", ()):
        if kind == "Store" and books:
            yield from (
                f"stores {subject}/{key} = {compact(fact)}" for subject, key, fact in fields["changes"]
            )
        elif books or kind not in _BOOKS:
            yield _command(kind, fields, now)


def _command(kind: str, fields: Mapping[str, Any], now: float) -> str:
    match kind:
        case "Call":
            return f"calls {fields['action']} {compact(fields['payload'])}"
        case "Reply":
            return f"answers {fields['action']} {compact(fields['payload'])}"
        case "ReplyError":
            return f"refuses the call: {fields['code']}"
        case "StartTimer":
            return f"timer {fields['key']} in {round(fields['due'] - now, 3):g} s"
        case "CancelTimer":
            return f"timer {fields['key']} is off"
        case _:
            told = " ".join(f"{name}={json.dumps(value)}" for name, value in fields.items())
            return f"{kind} {told}".rstrip()


def lines_of(record: Mapping[str, Any], charts: ChartSet, *, books: bool = False) -> list[str]:
    """Everything that a step did, a line each."""
    defect = [f"DEFECT {record['defect']}"] if "defect" in record else []
    return [*defect, *moves(record, charts), *commands(record, books=books)]


def course(steps: Iterable[Replayed], charts: ChartSet) -> Iterator[str]:
    """One step after the other; those in which nothing is to be seen are counted."""
    quiet: list[Replayed] = []
    date = ""
    for one in steps:
        lines = lines_of(one.record, charts)
        if not lines:
            quiet.append(one)
            continue
        yield from uneventful([step.event.name for step in quiet])
        quiet.clear()
        if (today := day(one.event.moment.wall)) != date:
            date = today
            yield f"       {date} (UTC)"
        yield headline(one.recorded.number, one.event)
        if one.event.name == "station.started":
            lines = ["every chart begins", *(line for line in lines if ": begins in " not in line)]
        yield from (indented(line) for line in lines)
    yield from uneventful([step.event.name for step in quiet])


def uneventful(names: Sequence[str]) -> Iterator[str]:
    """A line for steps that are not shown."""
    if names:
        counted = (f"{name} {count}" if count > 1 else name for name, count in Counter(names).items())
        steps = "1 step" if len(names) == 1 else f"{len(names)} steps"
        yield cut(f"       … {steps} without a move: {', '.join(counted)}")


def indented(line: str, sign: str = " ") -> str:
    """A line below a headline."""
    return cut(f"     {sign} {line}")


def compact(value: Any) -> str:
    """JSON on one line."""
    text = json.dumps(value, ensure_ascii=False, default=list)
    return text.encode("utf-8", "backslashreplace").decode()  # half a character, which JSON may hold


def cut(line: str) -> str:
    """A line that is not too long."""
    return line if len(line) <= WIDE else f"{line[: WIDE - 2]} …"
