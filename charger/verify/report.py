"""What `charger verify` says: one screen, then each broken promise with its story."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from charger.settings import Settings
from charger.statechart.findings import Finding, as_github, as_json
from charger.verify.explore import Breach
from charger.verify.laboratory import Laboratory
from charger.verify.story import find_course, plays_as_told, story_text, watch_of
from charger.verify.verify import BUILT_IN, Result, Seen, Told, with_promises

BAR: Final = 30


@dataclass(frozen=True, slots=True)
class Broken:
    """One broken promise."""

    breach: Breach
    view: str
    told: tuple[Told, ...]
    story: Path | None
    """Where the story is; None: no try on a real station broke the promise."""
    failure: str = ""
    """What the station did, in the words of the player."""


def replay(result: Result, settings: Settings, out: Path | None) -> list[Broken]:
    """Try every broken promise on a real station, and write the stories that show it.

    Args:
        result: of the walk.
        settings: of the station that the stories are played on.
        out: a folder for the stories; None: none is tried.
    """
    found = []
    for number, (seen, position, breach) in enumerate(result.breaches(), start=1):
        told = tuple(seen.told[position])
        story, failure = (
            (None, "") if out is None else _story(result, settings, out, seen, breach, told, number)
        )
        found.append(Broken(breach, seen.view.name, told, story, failure))
    return found


def _story(
    result: Result,
    settings: Settings,
    out: Path,
    seen: Seen,
    breach: Breach,
    told: Sequence[Told],
    number: int,
) -> tuple[Path | None, str]:
    fixed = seen.view.given.get("cable.fixed", False)
    checked = replace(result.checked, charts=with_promises(result.checked.charts))
    laboratory = Laboratory(settings, checked, fixed=fixed)
    course = find_course(laboratory, breach, told, watch_of(breach, seen))
    if course is None:
        return None, ""
    out.mkdir(parents=True, exist_ok=True)
    name = f"{number:02}-{breach.rule}-{Path(breach.mark.file).stem}-{breach.mark.line}"
    file = out / f"{name}.yaml"
    file.write_text(story_text(name, breach, course, fixed=fixed), encoding="utf-8")
    failure = plays_as_told(file, laboratory.settings, checked)
    return file, (failure or "").splitlines()[0] if failure else ""


def as_text(result: Result, broken: Sequence[Broken], shown: str) -> str:
    """The whole report."""
    lines = [*_walked(result, shown), "", *_promises(result, broken), "", *_abstracted(result)]
    for one in broken:
        lines += ["", *_broken(one)]
    return "\n".join(lines) + "\n"


def _walked(result: Result, shown: str) -> Iterable[str]:
    situations, steps = (sum(getattr(one, name) for one in result.seen) for name in ("situations", "steps"))
    yield (
        f"{shown}: {situations:,} situations, {steps:,} steps, {len(result.seen)} views,"
        f" {result.seconds:.0f} s"
    )
    for one in result.seen:
        told = "" if one.complete else "   NOT FINISHED: more situations than --limit"
        yield f"  {one.situations:>9,}  {one.view.name}{told}"


def _promises(result: Result, broken: Sequence[Broken]) -> Iterable[str]:
    keys = {(one.breach.rule, f"{one.breach.mark.file}:{one.breach.mark.line}") for one in broken}
    rules = {one.breach.rule for one in broken}
    twice = any(one.breach.text == BUILT_IN["begun-twice"] for one in broken)
    kept = "kept" if result.complete else "kept so far"
    for promise in result.promises:
        hurt = (promise.rule, promise.place) in keys if promise.place else promise.rule in rules
        hurt = twice if promise.rule == "begun-twice" else hurt
        place = f"  {promise.place}" if promise.place else ""
        yield f"  {'BROKEN' if hurt else kept:<7} {promise.text}{place}"


def _abstracted(result: Result) -> Iterable[str]:
    facts = {fact for one in result.seen for fact in one.facts}
    questions = {question for one in result.seen for question in one.questions}
    yield "What was abstracted:"
    asked = f"{len(questions)} questions about data, keys, or charts outside of a view are"
    yield f"  {len(facts)} facts are followed. {asked}"
    yield "  answered either way at every step. Timers run out at any moment, in any order. Of several"
    yield "  connectors one is walked; the others, and charts outside of a view, may do anything at any time."
    yield "  Hardware reports anything, the Central System says anything, and a start finds any facts."
    yield "  Ways back are looked for with the help of others: what has one may need it."


def _broken(one: Broken) -> Iterable[str]:
    breach = one.breach
    yield f"{breach.mark.file}:{breach.mark.line}:{breach.mark.column}: {breach.text} [{breach.rule}]"
    yield f"  in {one.view}:"
    for number, told in enumerate(one.told, start=1):
        yield f"  {number:>3}. {told}"
    if one.story is None:
        yield "  No try brought a real station there: perhaps only the abstraction goes this way."
    else:
        yield f"  story: {one.story}"
        if one.failure:
            yield f"    {one.failure}"


def as_findings(broken: Sequence[Broken]) -> list[Finding]:
    """For `--format github`, and for those who know `charger check`."""
    return [
        Finding(
            one.breach.mark,
            one.breach.rule,
            f"broken: {one.breach.text}" + (f" (story: {one.story})" if one.story else " (not replayed)"),
            "error" if one.story else "warning",
        )
        for one in broken
    ]


def as_machine_readable(result: Result, broken: Sequence[Broken], form: str) -> str:
    """JSON or GitHub's workflow commands."""
    findings = as_findings(broken)
    if form == "github":
        return as_github(findings)
    return json.dumps(
        {
            "complete": result.complete,
            "seconds": round(result.seconds, 1),
            "views": [
                {
                    "name": one.view.name,
                    "situations": one.situations,
                    "steps": one.steps,
                    "complete": one.complete,
                }
                for one in result.seen
            ],
            "findings": json.loads(as_json(findings)),
            "ways": [[str(told) for told in one.told] for one in broken],
        },
        indent=2,
        ensure_ascii=False,
    )


def how_far(result: Result, kept: Path | None) -> str:
    """One line about a walk that somebody interrupted; `kept` is the file that it goes on from."""
    seen = sum(one.situations for one in result.seen)
    whole = sum(one.complete for one in result.seen)
    broken = len(list(result.breaches()))
    goes_on = f"kept in {kept}, the same command goes on from there" if kept else "--resume FILE keeps a walk"
    told = f"{seen:,} situations seen, {whole} of {len(result.seen)} views to the end"
    promises = "promise" if broken == 1 else "promises"
    return f"interrupted: {told}, {broken or 'no'} {promises} broken so far; {goes_on}"


def bar(views: Sequence[tuple[str, int, int]]) -> str:
    """One line: how much of what is known was looked at."""
    done, known = sum(one[1] for one in views), sum(one[2] for one in views)
    full = BAR * done // max(1, known)
    open_views = sum(0 < looked < found for _, looked, found in views)
    drawn = f"[{'#' * full}{'.' * (BAR - full)}]"
    return f"{drawn} {done:,} of {known:,} known situations, {open_views} views under way"
