"""What is wrong with a YAML file: plain data, and three ways to print it.

A finding names the place, the fact and, where there is one, the nearest right word. Position is data from
the parser on; nothing here knows how a finding was found.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in a source file, both numbers from 1."""

    file: str
    line: int
    column: int
    length: int = 1

    def part(self, offset: int, length: int) -> Mark:
        """The place `offset` characters into this one (single-line text only)."""
        return Mark(self.file, self.line, self.column + offset, length)


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One mistake. Sorts by place."""

    mark: Mark
    rule: str
    """Kebab-case name of the rule."""
    message: str
    severity: Severity = "error"

    def __str__(self) -> str:
        mark = self.mark
        return f"{mark.file}:{mark.line}:{mark.column}: {self.severity}: {self.message} [{self.rule}]"


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like this one, if any is."""
    candidates = {name.lower(): name for name in sorted(known, reverse=True)}
    found = difflib.get_close_matches(word.lower(), candidates, n=1, cutoff=0.6)
    return candidates[found[0]] if found else None


def nearest(word: str, known: Iterable[str]) -> str:
    """`` — did you mean 'x'?``, or nothing when no known word is near."""
    found = closest(word, known)
    return f" — did you mean '{found}'?" if found else ""


def tidy(findings: Iterable[Finding]) -> list[Finding]:
    """Sorted, without repetitions; warnings wait until the errors are gone.

    A broken transition makes states unreachable and words unused: reporting those too would bury the cause.
    """
    unique = sorted(set(findings))
    errors = [finding for finding in unique if finding.severity == "error"]
    return errors or unique


def as_text(findings: Sequence[Finding], sources: Mapping[str, str]) -> str:
    """One block per finding: the sentence, the line, a caret under the word."""
    return "\n".join(_block(finding, sources) for finding in findings)


def _block(finding: Finding, sources: Mapping[str, str]) -> str:
    mark = finding.mark
    lines = sources.get(mark.file, "").splitlines()
    if not 1 <= mark.line <= len(lines):
        return str(finding)
    text = lines[mark.line - 1]
    gutter = " " * len(str(mark.line))
    room = max(1, len(text) - mark.column + 1)
    caret = "^" + "~" * (min(mark.length, room) - 1)
    pad = "".join("\t" if char == "\t" else " " for char in text[: mark.column - 1])
    return f"{finding}\n{gutter} |\n{mark.line} | {text}\n{gutter} | {pad}{caret}"


def as_json(findings: Sequence[Finding]) -> str:
    """A JSON array, one object per finding."""
    return json.dumps(
        [
            {
                "file": finding.mark.file,
                "line": finding.mark.line,
                "column": finding.mark.column,
                "length": finding.mark.length,
                "severity": finding.severity,
                "rule": finding.rule,
                "message": finding.message,
            }
            for finding in findings
        ],
        indent=2,
        ensure_ascii=False,
    )


def as_github(findings: Sequence[Finding]) -> str:
    """Workflow commands that GitHub shows beside the line of a pull request."""
    return "\n".join(
        f"::{finding.severity} file={_escape(finding.mark.file)},line={finding.mark.line},"
        f"col={finding.mark.column},title={finding.rule}::{_escape(finding.message)}"
        for finding in findings
    )


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
