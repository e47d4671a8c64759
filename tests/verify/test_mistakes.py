"""Mistakes sown into the shipped charts: each breaks its promise, at its place, and on the real station too.

Views are small here, so that every walk takes a second; what is left out of a view may do anything, so a
promise that is kept in a small view is kept in a large one.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
from rig import CHARTS

from charger.folders import shipped
from charger.settings import load
from charger.statechart.checks import Checked, check
from charger.verify import report
from charger.verify.abstraction import View
from charger.verify.verify import Result, look, promises
from charger.vocabulary import build

pytestmark = pytest.mark.no_cover  # looking at every line would take longer than the test


def charts_with(folder: Path, *edits: tuple[str, str, str]) -> Checked:
    """The shipped charts, edited: file, old text, new text."""
    copy = folder / "charts"
    shutil.copytree(CHARTS, copy)
    for name, old, new in edits:
        path = copy / f"{name}.yaml"
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{name}.yaml has no {old!r} any more"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return check(copy, build, "charts")


MOST = 120_000
"""Situations of the largest view here, and some more."""


def view_of(names: str, *, fixed: bool | None = None) -> View:
    """Charts of connector 1; of the station where ``@`` stands behind the name; ``fixed``: with such a cable."""
    scopes: dict[str, Any] = {
        name.removesuffix("@"): ("station",) if name.endswith("@") else ("connector",)
        for name in names.replace(" fixed", "").split()
    }
    fixed = True if names.endswith(" fixed") else fixed
    return View(names, scopes, {} if fixed is None else {"cable.fixed": fixed})


def broken(checked: Checked, view: View, rule: str, out: Path) -> list[report.Broken]:
    """The promises of that rule that are broken in the view, tried on a real station."""
    seen = look(checked, view, MOST, lambda _done, _known: None, until=rule)
    chosen = [number for number, breach in enumerate(seen.breaches) if breach.rule == rule]
    seen.told = {position: seen.told[number] for position, number in enumerate(chosen)}
    seen.breaches = [seen.breaches[number] for number in chosen]
    settings, _, _ = load(shipped("stations") / "simulated.yaml", {})
    assert settings
    logging.disable(logging.CRITICAL)
    try:
        return report.replay(Result(checked, [seen], 0.0, promises(checked.charts)), settings, out)
    finally:
        logging.disable(logging.NOTSET)


MISTAKES = {
    "a contactor that closes whenever the car asks": (
        [("power", "always: {guard: wanted, target: Closing}", "always: {guard: ev.asks, target: Closing}")],
        "power",
        "whenever",
        "charts/power.yaml:54",
    ),
    "a lock that opens under load": (
        [
            (
                "lock",
                "- {guard: in(dead), target: Moving}",
                "- {guard: not in(dead) or in(dead), target: Moving}",
            )
        ],
        "lock power",
        "whenever",
        "charts/lock.yaml:87",
    ),
    "books closed before the contactor is open": (
        [("transaction", "guard: in(settled) and not in(lock.Unlocking)", "guard: transaction.ending")],
        "transaction power",
        "never",
        "charts/transaction.yaml:34",
    ),
    "a transaction that no end ever closes": (
        [("transaction", "target: Idle, actions: [transaction.close]}\n", "target: Idle}\n")],
        "transaction",
        "always-over",
        "charts/connector.yaml:70",
    ),
    "books that stay open until the plug is out": (
        [
            (
                "transaction",
                "not in(lock.Unlocking), target",
                "not in(lock.Unlocking) and not cable.present, target",
            )
        ],
        "transaction connector pilot power lock fixed",
        "left-open",
        "charts/transaction.yaml:12",
    ),
    "Unavailable that becomes Finishing": (
        [
            (
                "connector",
                "      - {guard: not availability.inoperative, target: Choosing}\n",
                "      - {guard: not availability.inoperative, target: Finishing}\n",
            )
        ],
        "connector",
        "status-matrix",
        "charts/connector.yaml:138",
    ),
    "a transaction begun in a transaction": (
        [
            (
                "connector",
                "tags: [locked]\n    initial: Beginning\n",
                "tags: [locked]\n    initial: Beginning\n    on: {cable.plugged: Locking}\n",
            )
        ],
        "connector transaction",
        "whenever",
        "charts/connector.yaml:70",
    ),
    "a call that nobody answers": (
        [
            (
                "requests",
                "        - {reply: Accepted, actions: [configuration.set: {key: event.key, value: event.value}]}\n",
                "",
            )
        ],
        "requests@",
        "call-unanswered",
        "charts/requests.yaml:7",
    ),
    "a pilot that never rests enough": (
        [
            (
                "pilot",
                "after: {3s: Silent}",
                "after: {3s: {guard: lock.is_faulty and not fault.present, target: Silent}}",
            )
        ],
        "pilot",
        "no-way-out",
        "charts/pilot.yaml:59",
    ),
    "a station that is rejected for ever": (
        [
            (
                "registration",
                "after: {registration.interval: Unregistered}\n    on:",
                "after: {registration.interval: Rejected}\n    on:",
            ),
            ("registration", "registration.boot: Unregistered", "registration.boot: Rejected"),
            (
                "registration",
                "exit: [ocpp.answer_calls]\n    after: {registration.interval: Unregistered}",
                "exit: [ocpp.answer_calls]\n    after: {registration.interval: Pending}",
            ),
        ],
        "link@ registration@",
        "home",
        "charts/registration.yaml:42",
    ),
    "messages sent before anybody accepted us": (
        [("delivery", "guard: online and queue.waiting", "guard: in(link.Up) and queue.waiting")],
        "link@ registration@ delivery@",
        "whenever",
        "charts/index.yaml:24",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found_and_shown_on_a_real_station(name: str, tmp_path: Path) -> None:
    edits, charts, rule, place = MISTAKES[name]
    checked = charts_with(tmp_path, *edits)
    (found,) = broken(checked, view_of(charts), rule, tmp_path / "stories")
    assert f"{found.breach.mark.file}:{found.breach.mark.line}" == place
    assert found.told
    assert found.story, f"no story: {[str(told) for told in found.told]}"
    assert found.failure, found.story.read_text(encoding="utf-8")
    assert "cannot be done" not in found.failure


@pytest.mark.parametrize("name", sorted(set(MISTAKES) - {"books closed before the contactor is open"}))
def test_without_the_mistake_the_promise_is_kept(name: str, tmp_path: Path) -> None:
    """In the same view; where the view is too small for that, somebody outside of it is believed to break it."""
    _, charts, rule, place = MISTAKES[name]
    checked = charts_with(tmp_path)
    seen = look(checked, view_of(charts), MOST, lambda _done, _known: None)
    places = {f"{b.mark.file}:{b.mark.line}" for b in seen.breaches if b.rule == rule}
    assert place not in places
