"""Rules about answers: every call is answered once, in every situation, and what is asked for is heard."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from charger.statechart import model
from charger.statechart.findings import Finding
from charger.statechart.logic import Logic, Where
from charger.statechart.model import Chart, ChartSet
from charger.statechart.words import Scope, Vocabulary

# -- calls and replies ---------------------------------------------------------------------------------


def owners(charts: ChartSet, vocabulary: Vocabulary) -> dict[tuple[str, str], list[Chart]]:
    """(CALL, scope) → the charts that answer it: those that mention it, else those with ``ocpp.*``."""
    table: dict[tuple[str, str], list[Chart]] = {}
    for call, word in vocabulary.calls().items():
        for scope in ("station", "connector") if word.scope is Scope.BOTH else (word.scope.value,):
            within = [chart for chart in charts.charts.values() if scope in chart.scopes]
            named = [chart for chart in within if _replies(chart, f"on {call}")]
            mentioned = any(t.key == f"on {call}" for chart in within for t in chart.transitions())
            wild = [] if mentioned else [chart for chart in within if _replies(chart, "on ocpp.*")]
            table[call, scope] = named or wild
    return table


def _replies(chart: Chart, key: str) -> bool:
    return any(t.key == key and t.reply is not None for t in chart.transitions())


def calls(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """call-without-owner, call-with-two-owners, call-unanswered: every call is answered, in every state."""
    scopes = {scope for chart in charts.charts.values() for scope in chart.scopes}
    logic = Logic(charts, vocabulary)
    unowned: dict[str, list[str]] = {}
    for (call, scope), found in owners(charts, vocabulary).items():
        if scope in scopes and not found:
            unowned.setdefault(scope, []).append(call)
        for chart in found[1:]:
            first = next(t for t in chart.transitions() if t.key in (f"on {call}", "on ocpp.*") and t.reply)
            message = f"'{first.trigger}' is answered to the {scope} by chart '{found[0].name}' already"
            yield Finding(first.trigger_mark, "call-with-two-owners", message)
        for chart in found[:1]:
            yield from _answered_everywhere(logic, chart, call)
    for scope, missing in unowned.items():
        yield from _without_owner(charts, scope, missing)


def _without_owner(charts: ChartSet, scope: str, missing: list[str]) -> Iterator[Finding]:
    whom = "a connector" if scope == "connector" else "the station"
    heard = {
        t.trigger: t.trigger_mark
        for chart in charts.charts.values()
        for t in chart.transitions()
        if scope in chart.scopes and t.trigger in missing
    }
    for call, mark in heard.items():
        message = f"{call} to {whom} is heard, and no chart answers it: add `reply`"
        yield Finding(mark, "call-without-owner", message)
    rest = [call for call in missing if call not in heard]
    if rest:
        names = ", ".join(rest[:3]) + (f" and {len(rest) - 3} more" if len(rest) > 3 else "")
        message = f"no chart answers {names} to {whom}; add it, or `ocpp.*`, to a chart of the {scope}"
        yield Finding(charts.mark, "call-without-owner", message)


def _answered_everywhere(logic: Logic, chart: Chart, call: str) -> Iterator[Finding]:
    key = f"on {call}" if any(t.key == f"on {call}" for t in chart.transitions()) else "on ocpp.*"
    silent: dict[tuple[int, ...], list[str]] = {}
    for leaf in chart.leaves:
        candidates = chart.candidates(leaf, key)
        mute = [t for t in candidates if t.reply is None or t.reply.pays]
        for transition in mute:
            message = f"{call} is not answered by this transition: add `reply`"
            yield Finding(transition.mark, "call-unanswered", message)
        where = Where(chart, (leaf,), next(iter(candidates), None))
        if not mute and logic.uncovered(where, candidates) is not None and logic.rests(chart, leaf):
            silent.setdefault(tuple(map(id, candidates)), []).append(leaf)
    for leaves in silent.values():
        yield _unanswered(logic, chart, call, key, leaves)


def _unanswered(logic: Logic, chart: Chart, call: str, key: str, leaves: list[str]) -> Finding:
    """One for all leaves that have the same transitions to answer with."""
    candidates = chart.candidates(leaves[0], key)
    others = f" and {len(leaves) - 1} more" if leaves[1:] else ""
    if not candidates:
        message = f"{call} stays unanswered in '{leaves[0]}'{others}: add it"
        return Finding(chart.states[leaves[0]].mark, "call-unanswered", message)
    when = logic.situation(Where(chart, (leaves[0],), candidates[0]), candidates)
    message = f"{call} stays unanswered in '{leaves[0]}'{others} when {when}: end with one that has no guard"
    return Finding(candidates[-1].mark, "call-unanswered", message)


def misplaced(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """call-elsewhere: a call that names no connector is offered to charts of the station only."""
    calls = vocabulary.calls()
    for chart in charts.charts.values():
        for transition in chart.transitions():
            word = calls.get(transition.trigger)
            if word and word.scope is Scope.STATION and chart.scopes == ("connector",):
                message = f"{word.name} names no connector, so this is never heard: it belongs to the station"
                yield Finding(transition.trigger_mark, "call-elsewhere", message)


def debts(charts: ChartSet, _vocabulary: Vocabulary) -> Iterator[Finding]:
    """debt-unpaid, debt-without-state: `reply: later` goes to a state, and every way out of it pays."""
    for chart in charts.charts.values():
        for transition in chart.transitions():
            if transition.reply is None or transition.reply.kind != "later" or transition.reply.pays:
                continue
            if transition.target is None:
                message = "`reply: later` goes to a state that owes the answer: add `target`"
                yield Finding(transition.reply.mark, "debt-without-state", message)
            else:
                yield from _unpaid(chart, transition.trigger, transition.target)


def _unpaid(chart: Chart, call: str, debtor: str) -> Iterator[Finding]:
    inside = chart.inside(debtor)
    for leaf in inside:
        for transition in (t for state in chart.lineage(leaf) for t in state.transitions):
            reply, target = transition.reply, transition.target
            pays = reply is not None and reply.pays == call
            stays = target is None or (target in chart.states and chart.initial_leaf(target) in inside)
            if stays and pays:
                message = f"{call} is paid here, and '{debtor}' still owes it: pay on the way out of it"
                yield Finding(transition.mark, "debt-paid-twice", message)
            if stays and transition.trigger == call and reply and reply.kind == "later" and not reply.pays:
                message = f"'{debtor}' owes the answer to an earlier {call} already: answer this one now"
                yield Finding(transition.mark, "debt-owed-twice", message)
            if not stays and not pays and target in chart.states:
                message = (
                    f"'{debtor}' owes the answer to {call}, and this way out does not pay: "
                    f"add `reply: {{{call}: …}}`"
                )
                yield Finding(transition.mark, "debt-unpaid", message)


def strange_payments(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """debt-not-owed: a payment in a state that no `reply: later` leads to."""
    calls = vocabulary.calls()
    for chart in charts.charts.values():
        owing: set[str] = set()
        for transition in chart.transitions():
            reply = transition.reply
            if reply and reply.kind == "later" and not reply.pays and transition.target:
                owing.update(chart.inside(transition.target))
        for transition in chart.transitions():
            reply = transition.reply
            if reply and reply.pays in calls and owing.isdisjoint(chart.inside(transition.source)):
                message = (
                    f"nobody owes the answer to {reply.pays} here: no `reply: later` leads to this state"
                )
                yield Finding(reply.pays_mark or reply.mark, "debt-not-owed", message)


# -- answers to us -------------------------------------------------------------------------------------


def answers(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """unheard-answer: what an entry action asks for is heard by its state or one around it, always."""
    logic = Logic(charts, vocabulary)
    for chart in charts.charts.values():
        for state in chart.states.values():
            for use in state.entry if state.name else ():
                word = vocabulary.actions.get(use.name)
                for answer in word.answers if word and not use.raises else ():
                    when = _unheard(logic, chart, state.name, answer)
                    if when is not None:
                        message = (
                            f"'{use.name}' may be answered by '{answer}', "
                            f"which '{state.name}' does not hear{when}"
                        )
                        yield Finding(use.mark, "unheard-answer", message)


def _unheard(logic: Logic, chart: Chart, name: str, answer: str) -> str | None:
    """When a state does not hear an answer; None when it does, or does not wait for ever."""
    hearing = [t for state in chart.lineage(name) for t in state.transitions if t.key == f"on {answer}"]
    if not hearing:
        return ""
    timers = [t for state in chart.lineage(name) for t in state.transitions if t.kind == "after"]
    where = Where(chart, chart.inside(name), hearing[0])
    if timers or logic.uncovered(where, hearing) is None:
        return None
    return f" when {logic.situation(where, hearing)}"


def unasked(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """unasked-answer: an answer that only the chart that asked can hear, in one that never asks."""
    asking = {
        answer: [name for name, other in vocabulary.actions.items() if answer in other.answers]
        for word in vocabulary.actions.values()
        if word.correlated
        for answer in word.answers
    }
    for chart in charts.charts.values():
        used = {use.name for use in model.uses(chart)}
        for transition in chart.transitions():
            asked_by = asking.get(transition.trigger, ())
            if asked_by and not used & set(asked_by):
                message = (
                    f"'{transition.trigger}' comes to the chart that performed '{asked_by[0]}' only, "
                    "and this one never does"
                )
                yield Finding(transition.trigger_mark, "unasked-answer", message)


def kept_promises(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """promise-not-kept: what was accepted (a Reset) is some time done, whatever happens in between."""
    promising = {word.name for word in vocabulary.events.values() if word.promises}
    for chart in charts.charts.values():
        for transition in chart.transitions():
            word = vocabulary.events.get(transition.trigger) if transition.kind == "on" else None
            if word is None or not word.promises:
                continue
            reply = transition.reply
            if word.replies is not None and (reply is None or reply.name != "Accepted"):
                continue
            stuck = _stuck(chart, transition, word.promises, promising)
            if stuck is not None:
                doing = " or ".join(f"'{name}'" for name in sorted(word.promises))
                message = f"{word.name} is taken on here, and nothing performs {doing}{stuck}"
                yield Finding(transition.mark, "promise-not-kept", message)


def _stuck(chart: Chart, taken: model.Transition, wanted: frozenset[str], promising: set[str]) -> str | None:
    """Where no way leads on to one of these actions; None when it is performed in the end."""
    if wanted & {use.name for use in taken.actions}:
        return None
    if taken.target is None:
        return ""
    kept = _kept(chart, wanted, promising)
    todo, seen = [chart.initial_leaf(taken.target)] if taken.target else [], set()
    while todo:
        leaf = todo.pop()
        if leaf in seen or wanted & {use.name for one in chart.lineage(leaf) for use in one.entry}:
            continue
        seen.add(leaf)
        if leaf not in kept:
            return f" in '{leaf}' or after it"
        todo += [
            chart.initial_leaf(t.target)
            for state in chart.lineage(leaf)
            for t in state.transitions
            if t.target and not wanted & {use.name for use in t.actions}
        ]
    return None


def _kept(chart: Chart, wanted: frozenset[str], promising: set[str]) -> set[str]:
    """Leaves from which some way, but a new promise, leads to one of these actions, or that perform it."""
    kept = {
        leaf
        for leaf in chart.leaves
        if wanted & {use.name for one in chart.lineage(leaf) for use in one.entry}
    }
    while True:
        more = {
            leaf
            for leaf in chart.leaves
            for state in chart.lineage(leaf)
            for t in state.transitions
            if t.trigger not in promising
            and (
                wanted & {use.name for use in t.actions}
                or (t.target and chart.initial_leaf(t.target) in kept)
            )
        }
        if more <= kept:
            return kept
        kept |= more


RULES: tuple[Callable[[ChartSet, Vocabulary], Iterator[Finding]], ...] = (
    *(calls, misplaced, debts, strange_payments, answers, unasked, kept_promises),
)
