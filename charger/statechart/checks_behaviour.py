"""Rules about the way through a chart: states are reached and left, timers and commands make sense."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from charger.statechart import model
from charger.statechart.findings import Finding
from charger.statechart.model import Chart, ChartSet, Transition, Use
from charger.statechart.wording import value_text
from charger.statechart.words import Vocabulary


def ways(charts: ChartSet, _vocabulary: Vocabulary) -> Iterator[Finding]:
    """unreachable-state, no-way-out, timer-may-be-off, final-left: every state is entered, and left."""
    for chart in charts.charts.values():
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
            elif away and all(isinstance(t.delay, model.OfKey) for t in away):
                key = away[0].delay.key if isinstance(away[0].delay, model.OfKey) else ""
                message = (
                    f"the only way out of '{leaf}' is this timer, which a {key} of 0 stops: add a way for 0"
                )
                yield Finding(away[0].trigger_mark, "timer-may-be-off", message, "warning")


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


# -- timers --------------------------------------------------------------------------------------------


def timers(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """timer-not-cancelled: an `after` that runs out whatever happens, since nothing else leaves its state."""
    for chart in charts.charts.values():
        for state in chart.states.values():
            for timer in state.transitions:
                if timer.kind == "after" and timer.target not in (None, state.name):
                    why = _never_cancelled(chart, state, vocabulary)
                    if why:
                        yield Finding(timer.trigger_mark, "timer-not-cancelled", why, "warning")


def _never_cancelled(chart: Chart, state: model.State, vocabulary: Vocabulary) -> str | None:
    if not state.name:
        return "the timer of the chart itself runs once, from the start of the program: give it to a state"
    inside = chart.inside(state.name)
    leaving = [
        t
        for leaf in inside
        for one in chart.lineage(leaf)
        for t in one.transitions
        if t.kind != "after" and t.target and state.name not in chart.kept(t)
    ]
    if state.children and not leaving:
        return f"nothing else leads out of '{state.name}', so this runs out whatever happens inside"
    asked = {answer: use.name for use in state.entry for answer in answers_of(use, vocabulary)}
    heard = [t for one in chart.lineage(state.name) for t in one.transitions if t.trigger in asked]
    if heard and not any(t.kind == "always" or t.trigger in asked for t in leaving):
        use = asked[heard[0].trigger]
        return f"no answer to '{use}' leads out of '{state.name}', so this runs out all the same"
    return None


def answers_of(use: Use, vocabulary: Vocabulary) -> tuple[str, ...]:
    """The events of which one will answer an action."""
    word = None if use.raises else vocabulary.actions.get(use.name)
    return word.answers if word else ()


# -- commands ------------------------------------------------------------------------------------------


def undone(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """action-undone: an action that another one undoes in the same step."""
    for chart in charts.charts.values():
        for state in chart.states.values():
            yield from _undone(state.entry, (), vocabulary)
            yield from _undone(state.exit, (), vocabulary)
        for transition in chart.transitions():
            # What a state does on entry may be refined by a state inside it; what a transition does may not.
            entered = chart.entered(transition) if transition.target else ()
            yield from _undone(
                transition.actions, [use for state in entered for use in state.entry], vocabulary
            )


def _undone(uses: Sequence[Use], after: Sequence[Use], vocabulary: Vocabulary) -> Iterator[Finding]:
    last: dict[str, Use] = {}
    for use in (*uses, *after):
        word = None if use.raises else vocabulary.actions.get(use.name)
        if word is None or not word.steers:
            continue
        first = last.get(word.steers)
        if first and (first.name, _said(first)) != (use.name, _said(use)):
            another = "another " if first.name == use.name else ""
            by = f"{another}'{use.name}' (line {use.mark.line})"
            message = f"'{first.name}' is undone at once by {by}: leave one of them out"
            yield Finding(first.mark, "action-undone", message)
        if use not in after:
            last[word.steers] = use


def _said(use: Use) -> list[tuple[str, str]]:
    return [(name, value_text(value)) for name, value in use.arguments]


Asked = tuple[str, Use]
"""A leaf, and what was asked of the world on the way into it."""


def command_loops(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """command-loop: an action whose answer leads straight back to it, without a wait or a condition."""
    for chart in charts.charts.values():
        told: set[int] = set()
        for start in _first_asked(chart, vocabulary):
            loop = _back_to(chart, start, vocabulary)
            if loop and not told & {id(use) for (_, use), _ in loop}:
                told.update(id(use) for (_, use), _ in loop)
                (leaf, use), answer = loop[0]
                way = " → ".join([*(leaf for (leaf, _), _ in loop), leaf])
                message = (
                    f"when '{answer}' comes, '{use.name}' is done again at once ({way}): wait in between"
                )
                yield Finding(use.mark, "command-loop", message)


def _first_asked(chart: Chart, vocabulary: Vocabulary) -> Iterator[Asked]:
    for leaf in chart.leaves:
        for state in chart.lineage(leaf):
            yield from ((leaf, use) for use in state.entry if answers_of(use, vocabulary))
        for transition in (t for state in chart.lineage(leaf) for t in state.transitions):
            ended, uses = _taken(chart, leaf, transition, vocabulary)
            yield from ((ended, use) for use in uses if answers_of(use, vocabulary))


def _back_to(chart: Chart, start: Asked, vocabulary: Vocabulary) -> list[tuple[Asked, str]] | None:
    """What was asked, with the answer that leads on from each, from `start` back to it."""
    todo: list[list[tuple[Asked, str]]] = [[(start, answer)] for answer in answers_of(start[1], vocabulary)]
    seen = {(start[0], id(start[1]))}
    while todo:
        path = todo.pop()
        (leaf, _), answer = path[-1]
        for transition in _sure(chart, leaf, f"on {answer}", vocabulary):
            ended, uses = _taken(chart, leaf, transition, vocabulary)
            for use in uses:
                if ended == start[0] and use is start[1]:
                    return path
                if (ended, id(use)) not in seen:
                    seen.add((ended, id(use)))
                    todo += [[*path, ((ended, use), one)] for one in answers_of(use, vocabulary)]
    return None


def _taken(chart: Chart, leaf: str, taken: Transition, vocabulary: Vocabulary) -> tuple[str, tuple[Use, ...]]:
    """Where a transition surely ends, `always` included, and what is done on the way."""
    uses, seen = taken.actions, set[str]()
    while taken.target:
        leaf = chart.initial_leaf(taken.target)
        uses = (*uses, *(use for state in chart.entered(taken) for use in state.entry))
        following = _sure(chart, leaf, "always", vocabulary)
        if not following or leaf in seen:
            break
        seen.add(leaf)
        taken = following[0]
    return leaf, uses


def _sure(chart: Chart, leaf: str, key: str, vocabulary: Vocabulary) -> list[Transition]:
    """What is taken on a trigger, whatever the facts: no guard but about the event itself comes before it."""
    found: list[Transition] = []
    for transition in chart.candidates(leaf, key):
        if transition.guard is None:
            return [*found, transition]
        if key == "always" or not _about_the_event(transition.guard, vocabulary):
            break
        found.append(transition)
    return found


def _about_the_event(guard: model.Expr, vocabulary: Vocabulary) -> bool:
    words = (model.And, model.Or, model.Not, model.Compare, model.EventField, model.Const)
    return all(
        isinstance(part, words)
        or (isinstance(part, model.Name) and "." not in part.name and part.name not in vocabulary.facts)
        or (isinstance(part, model.Capital) and part.name not in vocabulary.keys)
        for part in model.parts(guard)
    )


RULES: tuple[Callable[[ChartSet, Vocabulary], Iterator[Finding]], ...] = (
    *(ways, timers, undone, command_loops),
)
