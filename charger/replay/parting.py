"""Where two sets of charts part ways on the same trace, for people: `-` is then, `+` is with the new ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from charger.replay.other import NO_TIMER, Course, Entry
from charger.replay.text import clock, cut, day, headline, indented, lines_of, uneventful
from charger.statechart.model import ChartSet

BEFORE: int = 3
"""Steps shown before the first difference, of those that did anything."""


def parting(course: Course, old: ChartSet, new: ChartSet) -> Iterator[str]:
    """The first difference, and how both go on. Nothing when there is none."""
    entries = course.entries
    first = next((position for position, entry in enumerate(entries) if not entry.same), None)
    if first is None:
        return
    event, seen = entries[first].event, next((entry.event for entry in entries if entry.seen), None)
    when = f"They part ways at {clock(event.moment.wall)} on {day(event.moment.wall)} (UTC)"
    if seen is None:
        yield f"{when}, in nothing but timers:"
    elif seen is not event:
        yield f"{when}, first in timers, and in what they do at {clock(seen.moment.wall)}:"
    else:
        yield f"{when}:"
    eventful = [entry for entry in entries[:first] if entry.old and lines_of(entry.old, old)]
    for entry in eventful[-BEFORE:]:
        yield headline(entry.number, entry.event)
        yield from (indented(line) for line in lines_of(entry.old or {}, old))
    alike: list[str] = []
    warned = False
    for entry in entries[first:]:
        if entry.same:
            alike.append(entry.event.name)
            continue
        yield from _alike(alike)
        alike.clear()
        if entry.note not in ("", NO_TIMER) and not warned:
            warned = True
            yield "  From here on the recorded world answers questions that were never asked."
        yield from differing(entry, old, new)
    yield from _alike(alike)


def _alike(names: list[str]) -> Iterator[str]:
    if names:
        yield next(iter(uneventful(names))).replace("without a move", "alike")


def differing(entry: Entry, old: ChartSet, new: ChartSet) -> Iterator[str]:
    """One step, then and now. Timers and facts are shown where they differ."""
    then = lines_of(entry.old, old, books=True) if entry.old else []
    now = lines_of(entry.new, new, books=True) if entry.new else []
    sign = "-" if entry.new is None else "+" if entry.old is None else " "
    event = entry.event
    if event.name == "ocpp.answered":  # left out: the note says to what
        event = replace(event, fields={})
    line = headline(entry.number, event)
    note = f"   ({entry.note})" if entry.note else ""
    yield cut(f"{sign}{line[1:]}{note}")
    if entry.new is None:
        then = [line for line in then if not line.startswith("timer ")]
    left = Counter(now)
    for text in then:
        both = left[text] > 0
        left[text] -= both
        if not (both and text.startswith(("timer ", "stores "))):
            yield indented(text, " " if both else "-")
    for text in now:
        if left[text] > 0:
            left[text] -= 1
            yield indented(text, "+")


def honesty(course: Course) -> Iterator[str]:
    """What of it was made up, and what was left out."""
    if course.supposed:
        yield (
            f"Asked by the new charts only: {_counted(course.supposed)}. The recording has no answer to"
            " these; they were given that of the last like question, or success."
        )
    if course.unanswered:
        yield f"Never asked in the recording at all, and so without an answer: {_counted(course.unanswered)}."
    if course.unasked:
        yield f"Answered in the recording, but not asked by the new charts: {_counted(course.unasked)}."
    if course.ended:
        yield f"The new charts end before the recording does: {course.ended}."


def _counted(names: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(names.items()))
