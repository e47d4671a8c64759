"""What is checked before a set of charts may run: one entry, small named rules.

`check` reads a folder and applies the rules; `charger check` and `charger run` both call it. A rule is a
function from the set and the vocabulary to findings. What is written comes first: behaviour is judged when
every word is understood, since a misspelt guard would only make other transitions look wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from charger.statechart import (
    checks_behaviour,
    checks_calls,
    checks_guards,
    checks_names,
    checks_safety,
    checks_status,
    checks_values,
)
from charger.statechart.findings import Finding, tidy
from charger.statechart.model import ChartSet
from charger.statechart.reader import read_set
from charger.statechart.words import Vocabulary

Rule = Callable[[ChartSet, Vocabulary], Iterator[Finding]]

_NEED_EVERY_CHART = (
    *("unknown-state", "unknown-tag", "unknown-signal", "unheard-signal", "unknown-field"),
    "call-without-owner",
)
_NEED_INDEX = (
    *("unknown-guard", "unknown-fact", "unknown-configuration-key", "unknown-event", "unknown-action"),
    "circular-guard",
)
_NEED_EVERY_SCOPE = ("wrong-scope", "call-without-owner")

WORDS: tuple[Rule, ...] = (*checks_names.RULES, *checks_values.RULES)
BEHAVIOUR: tuple[Rule, ...] = (
    *checks_calls.RULES,
    *checks_guards.RULES,
    *checks_behaviour.RULES,
    *checks_safety.RULES,
    *checks_status.RULES,
)


@dataclass(frozen=True)
class Checked:
    """A set of charts and what is wrong with it."""

    charts: ChartSet
    vocabulary: Vocabulary
    findings: list[Finding]
    held_back: int = 0
    """Errors that are not told: they may only come of what could not be read."""

    @property
    def errors(self) -> list[Finding]:
        """Findings that keep the charts from running."""
        return [finding for finding in self.findings if finding.severity == "error"]

    @property
    def sources(self) -> Mapping[str, str]:
        """The texts that findings point into."""
        return self.charts.sources

    def summary(self) -> str:
        """One line: how much was looked at."""
        charts = self.charts.charts.values()
        states = sum(len(chart.states) - 1 for chart in charts)
        transitions = sum(1 for chart in charts for _ in chart.transitions())
        return f"{len(charts)} charts, {states} states, {transitions} transitions"


def check(
    folder: Path, vocabulary_of: Callable[[ChartSet], Vocabulary], shown_as: str | None = None
) -> Checked:
    """Read and check a folder of charts.

    Args:
        folder: holds index.yaml.
        vocabulary_of: the vocabulary for a set, with the words that the set declares itself.
        shown_as: how to name the folder in findings.
    """
    charts, findings = read_set(folder, shown_as)
    half_read = {finding.mark.file for finding in findings if finding.rule == "wrong-kind"}
    vocabulary = vocabulary_of(charts)
    for rules in (WORDS, BEHAVIOUR):
        if rules is WORDS or not any(finding.severity == "error" for finding in findings):
            findings.extend(finding for rule in rules for finding in rule(charts, vocabulary))
    rules_held = _held_back(charts, half_read)
    held = {
        finding
        for finding in findings
        if finding.rule in rules_held or (finding.rule == "unknown-target" and finding.mark.file in half_read)
    }
    told = [finding for finding in findings if finding not in held]
    return Checked(charts, vocabulary, tidy(told), sum(finding.severity == "error" for finding in held))


def _held_back(charts: ChartSet, half_read: set[str]) -> tuple[str, ...]:
    """Rules that may find fault only because a chart, its scope, or index.yaml could not be read whole."""
    everything = not charts.unread and bool(charts.charts) and not half_read
    scopes = all(chart.scopes for chart in charts.charts.values())
    index = charts.mark.file not in half_read
    return (
        *(() if everything else _NEED_EVERY_CHART),
        *(() if scopes else _NEED_EVERY_SCOPE),
        *(() if index else _NEED_INDEX),
    )
