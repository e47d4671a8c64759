"""What a check says."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

WIDTH = 100


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    subject: str
    verdict: Literal["ok", "warn", "fail"]
    """Fail: do not connect the mains, or it cannot work. Warn: it works, but somebody should know."""
    fact: str
    remedy: str = ""


def ok(subject: str, fact: str) -> Check:
    """All is well."""
    return Check(subject, "ok", fact)


def warn(subject: str, fact: str, remedy: str) -> Check:
    """It works, but."""
    return Check(subject, "warn", fact, remedy)


def fail(subject: str, fact: str, remedy: str) -> Check:
    """It does not work, or is not safe."""
    return Check(subject, "fail", fact, remedy)


def as_text(checks: Sequence[Check]) -> str:
    """For people: a line each, the remedy below, and what follows from all of it."""
    wide = max(len(check.subject) for check in checks)
    before = " " * (wide + 8)
    lines = []
    for check in checks:
        lines += textwrap.wrap(
            check.fact,
            WIDTH,
            initial_indent=f"{check.verdict:<4}  {check.subject:<{wide}}  ",
            subsequent_indent=before,
            break_on_hyphens=False,
            break_long_words=False,
        )
        if check.remedy:
            lines += textwrap.wrap(
                check.remedy,
                WIDTH,
                initial_indent=f"{before}→ ",
                subsequent_indent=f"{before}  ",
                break_on_hyphens=False,
                break_long_words=False,
            )
    counts = {
        verdict: sum(check.verdict == verdict for check in checks) for verdict in ("ok", "warn", "fail")
    }
    told = f"{counts['ok']} fine, {counts['warn']} to know, {counts['fail']} wrong"
    return "\n".join([*lines, "", f"{told}: do not connect the mains." if counts["fail"] else f"{told}."])


def as_json(checks: Sequence[Check]) -> str:
    """For programs."""
    return json.dumps([asdict(check) for check in checks], indent=1, ensure_ascii=False)
