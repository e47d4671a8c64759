"""`charger verify`: every view of a set of charts walked, and what became of every promise.

Views are walked side by side, one process each. Says what was abstracted and how far it came; prints nothing.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import multiprocessing
import os
import signal
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from charger import __version__
from charger.errors import UsageError
from charger.functions.status import may_follow
from charger.statechart import model
from charger.statechart.checks import Checked
from charger.statechart.expressions import parse_guard
from charger.verify.abstraction import View, abstract
from charger.verify.alone import Finish, applies, unfinished
from charger.verify.explore import Breach, Exploration
from charger.verify.judge import goals, judge
from charger.verify.views import views
from charger.verify.walker import Walker

LIMIT: Final = 400_000
"""Situations of one view."""
EVENTUALLY: Final = {"transaction.open": "a transaction that was begun can always be closed"}
FINISH: Final = Finish(
    "transaction.ending",
    "transaction.open",
    "a transaction that is ending is closed on every path, once timers have run out",
)
BEGIN: Final = "transaction.begin"
BUILT_IN: Final = {
    "call-unanswered": "every call is answered exactly once",
    "call-unpaid": "an answer that is owed can be given",
    "status-matrix": "statuses change along the matrix of OCPP 1.6 §4.9",
    "endless-step": "every step comes to rest",
    "no-way-out": "every state can be left, unless it is final",
    "always-over": EVENTUALLY["transaction.open"],
    "left-open": FINISH.text,
    "begun-twice": "a transaction begins only where none is open",
}


WHAT: Final = {
    "timer": "time passes: ",
    "elsewhere": "elsewhere: ",
    "answer": "answer: ",
    "next": "then the signal ",
}


class StoppedError(Exception):
    """Somebody does not want to wait for the rest of a walk."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One line of the result."""

    rule: str
    text: str
    place: str
    """``file:line``; empty for what is promised of all charts."""


@dataclass
class Seen:
    """What one view showed."""

    view: View
    situations: int = 0
    steps: int = 0
    seconds: float = 0.0
    complete: bool = False
    breaches: list[Breach] = field(default_factory=list)
    questions: tuple[str, ...] = ()
    """About data and strangers: answered either way."""
    facts: tuple[str, ...] = ()
    told: dict[int, list[Told]] = field(default_factory=dict)
    """For each breach what happens, readable."""
    finishes: bool = False
    """The view shows whether a transaction that is ending is closed."""
    data: dict[str, Any] | None = None
    """Of a walk that was stopped."""


@dataclass(frozen=True, slots=True)
class Told:
    """One step of a way, for people and for whoever plays it."""

    kind: str
    name: str
    connector: int | None
    fields: tuple[tuple[str, Any], ...]
    answers: tuple[tuple[str, int, Any], ...]
    moves: tuple[str, ...]

    def __str__(self) -> str:
        place = f" at connector {self.connector}" if self.connector else ""
        because = ", ".join(
            f"{name} = {value}" if name.startswith("event.") else f"{'' if value else 'not '}{name}"
            for name, _, value in self.answers
        )
        what = WHAT.get(self.kind, "")
        moved = "  ".join(self.moves)
        return (
            f"{what}{self.name}{place}{f'  [{because}]' if because else ''}{f'   {moved}' if moved else ''}"
        )


@dataclass
class Result:
    """All of it."""

    checked: Checked
    seen: list[Seen]
    seconds: float
    promises: list[Promise]

    @property
    def complete(self) -> bool:
        """Nothing was left out for want of room."""
        return all(one.complete for one in self.seen)

    def breaches(self) -> Iterator[tuple[Seen, int, Breach]]:
        """Every broken promise once, with the shortest of its ways."""
        shortest: dict[tuple[str, str, int], tuple[Seen, int, Breach]] = {}
        for seen in self.seen:
            for number, breach in enumerate(seen.breaches):
                key = (breach.rule, breach.mark.file, breach.mark.line)
                if key not in shortest or len(breach.way) < len(shortest[key][2].way):
                    shortest[key] = (seen, number, breach)
        yield from shortest.values()


def with_promises(charts: model.ChartSet) -> model.ChartSet:
    """The charts, with what is promised of every charger written into them."""
    used = [use for chart in charts.charts.values() for use in model.uses(chart) if use.name == BEGIN]
    if not used:
        return charts
    mark = used[0].mark
    invariant = model.Invariant(
        mark,
        whenever=((BEGIN, mark),),
        then=parse_guard("not transaction.open", mark),
        text=BUILT_IN["begun-twice"],
    )
    return replace(charts, invariants=(*charts.invariants, invariant))


def promises(charts: model.ChartSet) -> list[Promise]:
    """What is held against the charts."""
    without = set()
    if not any(use.name == BEGIN for chart in charts.charts.values() for use in model.uses(chart)):
        without |= {"always-over", "left-open", "begun-twice"}
    replies = (t.reply for chart in charts.charts.values() for t in chart.transitions() if t.reply)
    if not any(reply.kind == "later" for reply in replies):
        without.add("call-unpaid")
    found = [Promise(rule, text, "") for rule, text in BUILT_IN.items() if rule not in without]
    for chart in (None, *charts.charts.values()):
        for one in chart.invariants if chart else charts.invariants:
            rule = "never" if one.never else "home" if one.home else "whenever"
            found.append(Promise(rule, one.text or f"home: {one.home}", f"{one.mark.file}:{one.mark.line}"))
    return found


def explorer(checked: Checked, view: View) -> Exploration:
    """A walk through one view that has not begun."""
    charts = with_promises(checked.charts)
    uses = (use for name in view.scopes for use in model.uses(charts.charts[name]) if not use.raises)
    closes = any(checked.vocabulary.actions[use.name].makes.get(FINISH.until) is False for use in uses)
    abstraction = abstract(charts, checked.vocabulary, view, follow=[FINISH.begun] * closes)
    return Exploration(Walker(charts, abstraction, checked.vocabulary, may_follow))


def look(
    checked: Checked,
    view: View,
    limit: int,
    progress: Callable[[int, int], object],
    *,
    until: str | None = None,
    before: dict[str, Any] | None = None,
) -> Seen:
    """Walk one view; a `progress` that raises `StoppedError` ends it unfinished."""
    begun = time.monotonic()
    exploration = explorer(checked, view)
    if before:
        exploration.go_on(before)
        limit += len(exploration.order)
    with suppress(StoppedError):
        exploration.walk(limit, progress, until)
    breaches = list(exploration.breaches.values())
    if exploration.complete:
        breaches += [*judge(exploration, EVENTUALLY), *unfinished(exploration, FINISH)]
    seen = Seen(view, len(exploration.order) - 1, exploration.steps, 0.0, exploration.complete, breaches)
    seen.finishes = applies(exploration.walker, FINISH)
    abstraction = exploration.walker.world.abstraction
    seen.questions = tuple(sorted(abstraction.atoms))
    seen.facts = abstraction.tracked
    seen.told = {number: tell(exploration, breach) for number, breach in enumerate(breaches)}
    seen.data = None if exploration.complete else exploration.as_data()
    seen.seconds = time.monotonic() - begun
    return seen


def tell(exploration: Exploration, breach: Breach) -> list[Told]:
    """Walk the way once more, and write down what happens."""
    walker, told = exploration.walker, []
    situation = exploration.order[0]
    for step in breach.way:
        walker.put_into(situation)
        waiting = walker.waiting(situation)
        walker.world.begin(list(step.script))
        try:
            walker.run(step.happening)
        except Exception:  # noqa: BLE001 - this is the step that breaks the promise
            situation = b""
        else:
            situation = walker.situation()
        happening = step.happening
        moves = tuple(
            f"{move.chart}: {move.source or 'start'} → {move.target}"
            for move in walker.moves
            if move.source != move.target
        )
        answers = tuple(walker.world.told)
        name = waiting[0] if waiting else happening.name
        told.append(Told(happening.kind, name, happening.connector, happening.fields, answers, moves))
    return told


# -- all views -------------------------------------------------------------------------------------------


def verify(
    checked: Checked,
    *,
    limit: int = LIMIT,
    workers: int | None = None,
    progress: Callable[[Sequence[tuple[str, int, int]]], object] = lambda _views: None,
    before: dict[str, Any] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Result:
    """Walk every view.

    Args:
        checked: charts without errors.
        limit: of situations in each view.
        workers: processes; as many as there are cores when None, none at all when 0.
        progress: told now and then of every view its name, how many situations were looked at and are known.
        before: a walk that was stopped (`load`).
        stopped: asked now and then whether to leave the rest unfinished.
    """
    begun = time.monotonic()
    parts = views(checked.charts, checked.vocabulary)
    jobs = _Jobs(checked, parts, limit, (before or {}).get("views", {}), stopped)
    wanted = min(len(parts), os.cpu_count() or 1) if workers is None else workers
    seen = jobs.in_processes(wanted, progress) if wanted > 1 else jobs.here(progress)
    promised = [
        one
        for one in promises(checked.charts)
        if one.rule != "left-open" or any(view.finishes for view in seen)
    ]
    return Result(checked, seen, time.monotonic() - begun, promised)


_FORKED: list[_Jobs] = []
"""What the processes work on: it is forked with them, since charts hold functions."""


class _Jobs:
    def __init__(
        self,
        checked: Checked,
        parts: list[View],
        limit: int,
        before: dict[str, Any],
        stopped: Callable[[], bool],
    ) -> None:
        self.checked = checked
        self.parts = parts
        self.limit = limit
        self.before = before
        self.stopped = stopped
        self.counts: Any = [0] * (2 * len(parts))
        self.stop: Any = [0]
        """Not 0: every process shall leave its view as it is."""
        self._watching: Callable[[Sequence[tuple[str, int, int]]], object] | None = None

    def run(self, number: int) -> Seen:
        """One view."""
        view = self.parts[number]

        def progress(done: int, known: int) -> None:
            self.counts[2 * number], self.counts[2 * number + 1] = done, known
            if self._watching:
                self._watching(self.shown())
                self.stop[0] = self.stopped()
            if self.stop[0]:
                raise StoppedError

        before = self.before.get(view.name)
        return look(self.checked, view, self.limit, progress, before=before)

    def shown(self) -> list[tuple[str, int, int]]:
        """Views, how many situations were looked at, and how many are known."""
        counts = self.counts
        return [(view.name, counts[2 * n], counts[2 * n + 1]) for n, view in enumerate(self.parts)]

    def here(self, progress: Callable[[Sequence[tuple[str, int, int]]], object]) -> list[Seen]:
        self._watching = progress
        return [self.run(number) for number in range(len(self.parts))]

    def in_processes(
        self, workers: int, progress: Callable[[Sequence[tuple[str, int, int]]], object]
    ) -> list[Seen]:
        context = multiprocessing.get_context("fork")
        self.counts = context.Array("L", 2 * len(self.parts), lock=False)
        self.stop = context.Array("b", [self.stopped()], lock=False)
        _FORKED[:] = [self]
        # The largest first, so that no core is idle at the end.
        order = sorted(range(len(self.parts)), key=lambda n: -len(self.parts[n].given))
        # Ctrl-C goes to all of them; it is for the first one to say what becomes of it.
        with context.Pool(workers, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
            pending = {number: pool.apply_async(_run_forked, (number,)) for number in order}
            while not all(one.ready() for one in pending.values()):
                progress(self.shown())
                self.stop[0] = self.stopped()
                time.sleep(0.2)
            found = {number: one.get() for number, one in pending.items()}
        progress(self.shown())
        return [found[number] for number in range(len(self.parts))]


def _run_forked(number: int) -> Seen:
    return _FORKED[0].run(number)


# -- going on later --------------------------------------------------------------------------------------


def digest(checked: Checked) -> str:
    """Of the charts and the program: a walk goes on only through the same ones."""
    told = json.dumps([__version__, sorted(checked.charts.sources.items())])
    return hashlib.sha256(told.encode()).hexdigest()


def save(result: Result, file: Path) -> None:
    """Keep walks that were stopped."""
    stopped = {one.view.name: one.data for one in result.seen if one.data}
    with gzip.open(file, "wt", encoding="utf-8") as out:
        json.dump({"digest": digest(result.checked), "views": stopped}, out)


def load(checked: Checked, file: Path) -> dict[str, Any]:
    """A walk that was stopped.

    Raises:
        UsageError: there is none, or it was through other charts.
    """
    try:
        with gzip.open(file, "rt", encoding="utf-8") as text:
            data: dict[str, Any] = json.load(text)
    except (OSError, ValueError, EOFError, RecursionError, zlib.error) as error:
        raise UsageError(f"--resume {file}: no walk can be read from it; name a new file") from error
    if not isinstance(data, dict) or data.get("digest") != digest(checked):
        raise UsageError(f"--resume {file}: that walk was through other charts, or by another program")
    return data


__all__ = ["LIMIT", "Result", "explorer", "goals", "load", "look", "save", "verify"]
