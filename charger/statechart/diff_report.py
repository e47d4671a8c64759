"""A difference as text for a terminal, as Markdown for a pull request, as JSON for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from charger.statechart.diff import Fact, Kind, SetDiff
from charger.statechart.diff_words import Told, plain, tell

SIGNS: Mapping[Kind, str] = {"added": "+", "removed": "-", "changed": "~"}
FOLDED = 8
"""A chart with more facts than this is folded in Markdown."""
NOTHING = "No change in behaviour."
INDEX = "index.yaml"


def as_text(diff: SetDiff) -> str:
    """A heading per chart, a line per fact, what belongs to it indented."""
    lines = []
    for chart, facts in _by_chart(diff):
        lines.append(chart)
        for fact, told in facts:
            lines.append(f"  {SIGNS[fact.kind]} {plain(told.text)}")
            lines += (f"      {plain(detail)}" for detail in told.details)
    return "\n".join([*lines, _summary(diff)])


def as_markdown(diff: SetDiff, old: str, new: str, pictures: Mapping[str, str]) -> str:
    """A section for a pull request.

    Args:
        diff: what differs.
        old: how the old side was named.
        new: how the new side was named.
        pictures: chart → where its picture is, as a link in the same repository sees it.
    """
    blocks = [f"### Behaviour: `{old}` → `{new}`", _summary(diff)]
    shown = set()
    for chart, facts in _by_chart(diff):
        lines = []
        for fact, told in facts:
            lines.append(f"- **{SIGNS[fact.kind]}** {_markdown(told.text)}")
            lines += (f"  - {_markdown(detail)}" for detail in told.details)
        picture = [f"![{chart}: what changed]({pictures[chart]})"] if chart in pictures else []
        shown.add(chart)
        body = "\n\n".join(["\n".join(lines), *picture])
        if len(facts) > FOLDED:
            title = f"<summary><b>{chart}</b>: {len(facts)} changes</summary>"
            blocks.append(f"<details>{title}\n\n{body}\n\n</details>")
        else:
            blocks.append(f"**{chart}**\n\n{body}")
    blocks += (f"![{chart}: what changed]({link})" for chart, link in pictures.items() if chart not in shown)
    return "\n\n".join(blocks)


def as_json(diff: SetDiff, old: str, new: str, pictures: Mapping[str, str]) -> str:
    """An object with one entry per fact; a chart of null is index.yaml."""
    facts = []
    for chart, fact in diff.facts:
        told = tell(diff, chart, fact)
        entry: dict[str, Any] = {"chart": chart or None, "kind": fact.kind, "subject": fact.subject}
        entry |= {"name": fact.name, "text": plain(told.text), "details": list(map(plain, told.details))}
        facts.append(entry)
    found = {"old": old, "new": new, "changes": facts, "pictures": dict(pictures)}
    return json.dumps(found, indent=2, ensure_ascii=False)


def _by_chart(diff: SetDiff) -> Iterator[tuple[str, list[tuple[Fact, Told]]]]:
    for chart, facts in groupby(diff.facts, key=lambda pair: pair[0]):
        yield chart or INDEX, [(fact, tell(diff, chart, fact)) for _, fact in facts]


def _summary(diff: SetDiff) -> str:
    facts = diff.facts
    if not facts:
        return NOTHING
    parts = [name for name, _ in groupby(chart or INDEX for chart, _ in facts)]
    return f"{len(facts)} {'change' if len(facts) == 1 else 'changes'} in behaviour, in {', '.join(parts)}."


def _markdown(text: str) -> str:
    """Nothing outside of code may be taken for markup."""
    pieces = text.split("`")
    pieces[::2] = (re.sub(r"([*_<>\[\]\\|])", r"\\\1", piece) for piece in pieces[::2])
    return "`".join(pieces)
