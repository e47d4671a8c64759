"""Rules about behaviour: every call is answered once, every state can be reached and left, nothing loops."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from charger.statechart import model
from charger.statechart.findings import Finding, nearest
from charger.statechart.model import Chart, ChartSet, Transition
from charger.statechart.words import EventWord, Vocabulary

MOST_LOOKS = 20_000
"""At the states of one knot of ``always`` transitions in the search for loops; then it is given up."""


# -- calls and replies ---------------------------------------------------------------------------------


def owners(charts: ChartSet, vocabulary: Vocabulary) -> dict[tuple[str, str], list[Chart]]:
    """(CALL, scope) → the charts that answer it: those that mention it, else those with ``ocpp.*``."""
    table: dict[tuple[str, str], list[Chart]] = {}
    for call in vocabulary.calls():
        for scope in ("station", "connector"):
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
    unowned: dict[str, list[str]] = {}
    for (call, scope), found in owners(charts, vocabulary).items():
        if scope in scopes and not found:
            unowned.setdefault(scope, []).append(call)
        for chart in found[1:]:
            first = next(t for t in chart.transitions() if t.key in (f"on {call}", "on ocpp.*") and t.reply)
            message = f"'{first.trigger}' is answered to the {scope} by chart '{found[0].name}' already"
            yield Finding(first.trigger_mark, "call-with-two-owners", message)
        for chart in found[:1]:
            yield from _answered_everywhere(chart, call)
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


def _answered_everywhere(chart: Chart, call: str) -> Iterator[Finding]:
    key = f"on {call}" if any(t.key == f"on {call}" for t in chart.transitions()) else "on ocpp.*"
    for leaf in chart.leaves:
        open_to_all = False
        for transition in chart.candidates(leaf, key):
            if transition.reply is None or transition.reply.pays:
                message = f"{call} is not answered by this transition: add `reply`"
                yield Finding(transition.mark, "call-unanswered", message)
                open_to_all = True
            if transition.guard is None:
                open_to_all = True
                break
        if not open_to_all:
            message = f"in '{leaf}' {call} may stay unanswered: end with a transition without a guard"
            yield Finding(chart.states[leaf].mark, "call-unanswered", message)


def replies(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """unknown-reply, reply-without-call: a reply is one that the call may have."""
    for chart in charts.charts.values():
        for transition in chart.transitions():
            reply = transition.reply
            if reply is None:
                continue
            call = reply.pays or transition.trigger
            word = vocabulary.events.get(call)
            if call == "ocpp.*" and reply.kind == "error" and not reply.pays:
                word = EventWord(call, "", replies=frozenset())
            if word is None or word.replies is None:
                known = sorted(vocabulary.calls())
                message = f"'{call or transition.kind}' is no call that owes an answer{nearest(call, known)}"
                yield Finding(reply.pays_mark or reply.mark, "reply-without-call", message)
            else:
                yield from _fits(reply, word, vocabulary)


def _fits(reply: model.Reply, word: EventWord, vocabulary: Vocabulary) -> Iterator[Finding]:
    known: Iterable[str]
    match reply.kind:
        case "later" if reply.pays:
            known, message = (), f"the debt of {word.name} is paid with an answer, not with `later`"
        case "status" if reply.name not in (word.replies or ()):
            known = word.replies or ()
            message = f"{word.name} cannot be answered with '{reply.name}'"
        case "error" if reply.name not in vocabulary.errors:
            known, message = vocabulary.errors, f"no CALLERROR code '{reply.name}'"
        case "answer":
            answer = vocabulary.answers.get(reply.name)
            if answer and word.name in answer.calls:
                for (key, _), mark in zip(reply.arguments, reply.argument_marks, strict=True):
                    if key not in answer.arguments:
                        message = f"'{reply.name}' takes no argument '{key}'{nearest(key, answer.arguments)}"
                        yield Finding(mark, "unknown-argument", message)
                return
            known = tuple(name for name, one in vocabulary.answers.items() if word.name in one.calls)
            message = f"no answer '{reply.name}' for {word.name}"
        case _:
            return
    yield Finding(reply.mark, "unknown-reply", f"{message}{nearest(reply.name, known)}")


def debts(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """debt-unpaid, debt-without-state: `reply: later` goes to a state, and every way out of it pays."""
    calls = vocabulary.calls()
    for chart in charts.charts.values():
        for transition in chart.transitions():
            if transition.reply is None or transition.reply.kind != "later" or transition.reply.pays:
                continue
            if transition.trigger not in calls:
                continue
            if transition.target is None:
                message = "`reply: later` goes to a state that owes the answer: add `target`"
                yield Finding(transition.reply.mark, "debt-without-state", message)
            elif transition.target in chart.states:
                yield from _unpaid(chart, transition.trigger, transition.target)


def _unpaid(chart: Chart, call: str, debtor: str) -> Iterator[Finding]:
    inside = [leaf for leaf in chart.leaves if debtor in chart.path(leaf)]
    for leaf in inside:
        for state in chart.lineage(leaf):
            for transition in state.transitions:
                target = transition.target
                if target is None or target not in chart.states or chart.initial_leaf(target) in inside:
                    continue
                if transition.reply is None or transition.reply.pays != call:
                    message = (
                        f"'{debtor}' owes the answer to {call}, and this way out does not pay: "
                        f"add `reply: {{{call}: …}}`"
                    )
                    yield Finding(transition.mark, "debt-unpaid", message)


def answers(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """unheard-answer: what an entry action asks for is heard by its state or one around it."""
    for chart in charts.charts.values():
        for state in chart.states.values():
            if not state.name:
                continue
            heard = {t.trigger for one in chart.lineage(state.name) for t in one.transitions}
            for use in state.entry:
                word = vocabulary.actions.get(use.name)
                for answer in word.answers if word and not use.raises else ():
                    if answer not in heard:
                        message = (
                            f"'{use.name}' may be answered by '{answer}', which '{state.name}' does not hear"
                        )
                        yield Finding(use.mark, "unheard-answer", message)


# -- reachability --------------------------------------------------------------------------------------


def competition(charts: ChartSet, _vocabulary: Vocabulary) -> Iterator[Finding]:
    """never-taken: a transition that an earlier one always beats."""
    for chart in charts.charts.values():
        for state in chart.states.values():
            by_key: dict[str, list[Transition]] = {}
            for transition in state.transitions:
                by_key.setdefault(transition.key, []).append(transition)
            for key, competing in by_key.items():
                yield from _beaten(competing)
                yield from _overridden(chart, state, key, competing[0])


def _beaten(competing: list[Transition]) -> Iterator[Finding]:
    seen: dict[str, Transition] = {}
    for transition in competing:
        if transition.guard is not None and not transition.guard_text:
            continue  # it could not be read
        winner = seen.get("") or seen.get(transition.guard_text)
        if winner:
            why = "has no guard" if winner.guard is None else "has the same guard"
            message = f"never taken: the one at line {winner.mark.line} {why} and comes first"
            yield Finding(transition.mark, "never-taken", message)
        seen.setdefault(transition.guard_text, transition)


def _overridden(chart: Chart, state: model.State, key: str, first: Transition) -> Iterator[Finding]:
    """All states inside have an unguarded transition of their own for the same trigger."""
    if not state.children or first.kind not in ("on", "always"):
        return
    inside = [leaf for leaf in chart.leaves if not state.name or state.name in chart.path(leaf)]

    def reaches(leaf: str) -> bool:
        return next(t for t in chart.candidates(leaf, key) if t is first or t.guard is None) is first

    if not any(reaches(leaf) for leaf in inside):
        message = (
            f"never taken: every state inside answers '{first.trigger or 'always'}' itself, without a guard"
        )
        yield Finding(first.mark, "never-taken", message)


def ways(charts: ChartSet, _vocabulary: Vocabulary) -> Iterator[Finding]:
    """unreachable-state, no-way-out, final-left: every state can be entered, and left unless it is final."""
    for chart in charts.charts.values():
        if not chart.leaves or any(t.target not in chart.states for t in chart.transitions() if t.target):
            continue
        if any(state.initial and state.initial not in state.children for state in chart.states.values()):
            continue
        reached = _reached(chart)
        homes = {invariant.home for invariant in chart.invariants}
        for leaf in chart.leaves:
            state = chart.states[leaf]
            away = [
                t for one in chart.lineage(leaf) for t in one.transitions if t.target and t.target != leaf
            ]
            if leaf not in reached:
                yield Finding(state.mark, "unreachable-state", f"no way leads to '{leaf}'")
            elif state.final and away:
                message = f"'{leaf}' is final, and this transition would leave it"
                yield Finding(away[0].mark, "final-left", message)
            elif not (state.final or away or leaf in homes) and len(chart.leaves) > 1:
                message = f"no way leads out of '{leaf}': add a transition, or `type: final`"
                yield Finding(state.mark, "no-way-out", message)


def _reached(chart: Chart) -> set[str]:
    reached: set[str] = set()
    todo = [chart.initial_leaf()]
    while todo:
        leaf = todo.pop()
        if leaf in reached:
            continue
        reached.add(leaf)
        for state in chart.lineage(leaf):
            todo += [chart.initial_leaf(t.target) for t in state.transitions if t.target]
    return reached


def home_states(charts: ChartSet, _vocabulary: Vocabulary) -> Iterator[Finding]:
    """unknown-target: `home` names a state of its chart."""
    for chart in charts.charts.values():
        for invariant in chart.invariants:
            if invariant.home and invariant.home not in chart.states:
                hint = nearest(invariant.home, (name for name in chart.states if name))
                yield Finding(invariant.mark, "unknown-target", f"no state '{invariant.home}'{hint}")


# -- loops ---------------------------------------------------------------------------------------------


def loops(charts: ChartSet, _vocabulary: Vocabulary) -> Iterator[Finding]:
    """eventless-loop: `always` transitions that chase each other without an event."""
    for chart in charts.charts.values():
        edges = {leaf: _eventless(chart, leaf) for leaf in chart.leaves}
        for knot in _knots(edges):
            loop = _loop_in(charts, chart, edges, knot)
            if loop:
                first = edges[loop[0]][0][0]
                message = f"`always` goes round without an event: {' → '.join([*loop, loop[0]])}"
                yield Finding(first.mark, "eventless-loop", message)


def _eventless(chart: Chart, leaf: str) -> list[tuple[Transition, str]]:
    return [
        (transition, chart.initial_leaf(transition.target))
        for transition in chart.candidates(leaf, "always")
        if transition.target in chart.states and transition.target
    ]


def _knots(edges: dict[str, list[tuple[Transition, str]]]) -> list[frozenset[str]]:
    """Sets of leaves that can reach each other by ``always`` alone."""

    def reach(start: str) -> set[str]:
        seen: set[str] = set()
        todo = [target for _, target in edges[start]]
        while todo:
            leaf = todo.pop()
            if leaf not in seen:
                seen.add(leaf)
                todo += [target for _, target in edges[leaf]]
        return seen

    reached = {leaf: reach(leaf) for leaf in edges}
    cyclic = [leaf for leaf in edges if leaf in reached[leaf]]
    knots = {frozenset(b for b in cyclic if b in reached[a] and a in reached[b]) for a in cyclic}
    return sorted(knots, key=sorted)


def _loop_in(
    charts: ChartSet, chart: Chart, edges: dict[str, list[tuple[Transition, str]]], knot: frozenset[str]
) -> list[str] | None:
    """A loop for some answers of the conditions in a knot; states of this chart are known, not free.

    Conditions are decided only when a guard on the way asks for them: few do, however many there are.
    """
    guards = {
        id(transition): _resolved(charts, chart, transition.guard)
        for leaf in knot
        for transition, _ in edges[leaf]
        if transition.guard is not None
    }
    looks = MOST_LOOKS

    def follow(path: list[str], known: dict[str, bool]) -> list[str] | None:
        nonlocal looks
        looks -= 1
        leaf = path[-1]
        for transition, target in edges[leaf]:
            guard = guards.get(id(transition))
            answer = guard is None or _holds(guard, known, chart, leaf)
            if isinstance(answer, str):
                decided = ({**known, answer: value} for value in (True, False))
                return next(filter(None, (follow(path, one) for one in decided)), None) if looks > 0 else None
            if answer:
                if target == path[0]:
                    return path
                inside = target in knot and target not in path
                return follow([*path, target], known) if inside else None
        return None

    return next(filter(None, (follow([leaf], {}) for leaf in sorted(knot))), None)


def _resolved(charts: ChartSet, chart: Chart, expr: model.Expr) -> model.Expr:
    """Named guards written out, so that equal conditions are one."""
    match expr:
        case model.Name(name=name) if name in chart.guards:
            return _resolved(charts, chart, chart.guards[name])
        case model.Name(name=name) if name in charts.guards:
            return _resolved(charts, chart, charts.guards[name])
        case model.And(mark=mark, parts=parts):
            return model.And(mark, tuple(_resolved(charts, chart, part) for part in parts))
        case model.Or(mark=mark, parts=parts):
            return model.Or(mark, tuple(_resolved(charts, chart, part) for part in parts))
        case model.Not(mark=mark, part=part):
            return model.Not(mark, _resolved(charts, chart, part))
        case _:
            return expr


def _atom(expr: model.Expr) -> str:
    match expr:
        case model.Compare(left=left, operator=operator, right=right):
            return f"{_atom(left)} {operator} {_atom(right)}"
        case model.In(how=how, ref=ref, at=at):
            return f"{how}({ref}, {_atom(at)})" if at else f"{how}({ref})"
        case model.Tries(state=state):
            return f"tries({state})"
        case model.Between(start=start, end=end):
            return f"between({start},{end})"
        case model.Const(value=value):
            return repr(value)
        case model.Here():
            return "here"
        case _:
            return str(getattr(expr, "name", expr))


def _own_state(expr: model.Expr, chart: Chart) -> str | None:
    """The state of this very chart that a condition asks for."""
    if not isinstance(expr, model.In) or expr.how != "in" or expr.at is not None:
        return None
    name, _, state = expr.ref.rpartition(".")
    return state if state in chart.states and name in ("", chart.name) else None


def _holds(expr: model.Expr, known: dict[str, bool], chart: Chart, leaf: str) -> bool | str:
    """True, False, or the condition that has to be decided first."""
    match expr:
        case model.And(parts=parts) | model.Or(parts=parts):
            ends = isinstance(expr, model.Or)
            answers = [_holds(part, known, chart, leaf) for part in parts]
            undecided = (one for one in answers if isinstance(one, str))
            return ends if ends in answers else next(undecided, not ends)
        case model.Not(part=part):
            answer = _holds(part, known, chart, leaf)
            return answer if isinstance(answer, str) else not answer
        case model.Const(value=bool(value)):
            return value
        case _:
            own, atom = _own_state(expr, chart), _atom(expr)
            return own in chart.path(leaf) if own else known.get(atom, atom)


RULES: tuple[Callable[[ChartSet, Vocabulary], Iterator[Finding]], ...] = (
    *(calls, replies, debts, answers, competition, ways, home_states, loops),
)
