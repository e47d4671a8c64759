"""Rules about names: everything that is written exists, fits where it stands, and is used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from charger.statechart import model
from charger.statechart.evaluate import Evaluator
from charger.statechart.expressions import LONGEST, seconds
from charger.statechart.findings import Finding, Mark, closest, nearest
from charger.statechart.model import Chart, ChartSet
from charger.statechart.words import Field, Scope, Vocabulary

_ALWAYS_THERE = ("connector",)
_TIMED = ("key", "time")


def targets(charts: ChartSet, _vocabulary: Vocabulary) -> Iterator[Finding]:
    """unknown-target: `target`, `initial` and `home` name states; `initial` one directly inside."""
    for chart in charts.charts.values():
        for transition in chart.transitions():
            if transition.target is not None and transition.target not in chart.states:
                mark = transition.target_mark or transition.mark
                yield _unknown(
                    "target", mark, f"no state '{transition.target}'", transition.target, chart.states
                )
        for state in chart.states.values():
            if state.initial and state.initial not in state.children:
                mark = state.initial_mark or state.mark
                message = f"`initial` names a state directly inside; '{state.initial}' is none"
                yield _unknown("target", mark, message, state.initial, state.children)
        for invariant in chart.invariants:
            if invariant.home and invariant.home not in chart.states:
                message = f"no state '{invariant.home}'"
                yield _unknown("target", invariant.mark, message, invariant.home, chart.states)


def events(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """unknown-event, unknown-signal: what is waited for can happen."""
    signals = charts.signals()
    known = [*vocabulary.events, *signals, "ocpp.*"]
    known_charts = charts.charts.keys() | charts.unread
    for chart in charts.charts.values():
        for transition in chart.transitions():
            name = transition.trigger
            if transition.kind != "on" or name in known:
                continue
            subject, near = name.partition(".")[0], closest(name, known)
            like_an_event = near in vocabulary.events and near is not None and near.startswith(f"{subject}.")
            if subject in known_charts and name.count(".") == 1 and not like_an_event:
                message = f"nobody raises the signal '{name}'"
                yield _unknown("signal", transition.trigger_mark, message, name, known)
            else:
                yield _unknown("event", transition.trigger_mark, f"no event '{name}'", name, known)


def signals(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """unknown-signal, signal-is-event, unheard-signal: a signal is `chart.word`, and somebody hears it."""
    heard = {t.trigger for chart in charts.charts.values() for t in chart.transitions() if t.kind == "on"}
    for chart in charts.charts.values():
        for use in model.uses(chart):
            if not use.raises:
                continue
            subject, _, word = use.name.partition(".")
            if use.name in vocabulary.events:
                message = f"'{use.name}' is an event of the vocabulary; a signal needs a name of its own"
                yield Finding(use.mark, "signal-is-event", message)
            elif subject not in charts.charts or not word or "." in word:
                message = "a signal is named `chart.word`"
                message += f"; there is no chart '{subject}'" if subject not in charts.charts else ""
                yield _unknown("signal", use.mark, message, use.name, heard)
            elif use.name not in heard:
                hint = nearest(use.name, (name for name in heard if name not in vocabulary.events))
                yield Finding(use.mark, "unheard-signal", f"nobody hears the signal '{use.name}'{hint}")


def actions(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """unknown-action, unknown-argument, missing-argument, unknown-word, unknown-status, wrong-scope."""
    for chart in charts.charts.values():
        for use in model.uses(chart):
            if use.raises:
                continue
            word = vocabulary.actions.get(use.name)
            if word is None:
                yield _unknown("action", use.mark, f"no action '{use.name}'", use.name, vocabulary.actions)
                continue
            yield from _arguments(use, word.arguments, word.open_arguments)
            if word.by_status:
                yield from _by_status(chart, use, word.arguments, vocabulary)
            if word.scope is Scope.CONNECTOR and "station" in chart.scopes:
                message = f"'{use.name}' is done at a connector, and this is a chart of the station"
                yield Finding(use.mark, "wrong-scope", message)
        for invariant in chart.invariants:
            yield from _whenever(invariant, vocabulary)
    for invariant in charts.invariants:
        yield from _whenever(invariant, vocabulary)


def _whenever(invariant: model.Invariant, vocabulary: Vocabulary) -> Iterator[Finding]:
    for name, mark in invariant.whenever:
        if name not in vocabulary.actions:
            yield _unknown("action", mark, f"no action '{name}'", name, vocabulary.actions)


def _arguments(
    use: model.Use, declared: Mapping[str, Field], open_arguments: Field | None
) -> Iterator[Finding]:
    name = use.name
    for (key, value), mark in zip(use.arguments, use.argument_marks, strict=True):
        field = declared.get(key, open_arguments)
        if field is None:
            yield _unknown("argument", mark, f"'{name}' takes no argument '{key}'", key, declared)
        elif isinstance(value, model.Const):
            for word, known in _wrong_words(str(value.value), field):
                message = f"'{word}' cannot be {'in ' if field.phrase else ''}the {key} of '{name}'"
                yield _unknown("word", value.mark, message, word, known)
    for key, field in declared.items():
        if field.required and key not in dict(use.arguments):
            yield Finding(use.mark, "missing-argument", f"'{name}' needs the argument '{key}'")


def _wrong_words(text: str, field: Field) -> Iterator[tuple[str, frozenset[str]]]:
    """What may not stand there, and what might instead."""
    if field.words and text not in field.words:
        yield text, field.words
    for place, word in enumerate(text.split() if field.phrase else ()):
        known = field.phrase[place] if place < len(field.phrase) else frozenset()
        if not (word in known or (not known and place < len(field.phrase) and seconds(word))):
            yield word, known


def _by_status(
    chart: Chart, use: model.Use, declared: Mapping[str, Field], vocabulary: Vocabulary
) -> Iterator[Finding]:
    for (key, _), mark in zip(use.arguments, use.argument_marks, strict=True):
        for scope in chart.scopes if key not in declared else ():
            known = vocabulary.statuses.get(Scope(scope), ())
            if key not in known:
                yield _unknown("status", mark, f"the {scope} has no status '{key}'", key, known)


def facts(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """unknown-fact, -guard, -configuration-key, -word, -tag, -state; guard-not-boolean, wrong-scope."""
    for where, expr in _expressions(charts):
        yield from _expression(charts, vocabulary, where, expr)
    for chart, value in _values(charts):
        match value:
            case model.Name(name=name) if name not in vocabulary.facts:
                yield _unknown("fact", value.mark, f"no fact '{name}'", name, vocabulary.facts)
            case model.Name() | model.In():
                yield from _reference(charts, vocabulary, chart, value)
            case _:
                pass


def _expression(
    charts: ChartSet, vocabulary: Vocabulary, chart: Chart | None, expr: model.Expr
) -> Iterator[Finding]:
    own = chart.guards if chart else {}
    words = _words(expr)
    for part in model.parts(expr):
        match part:
            case model.Name() if id(part) in words:
                pass  # checked with the event
            case model.Name(name=name) if name in own or name in charts.guards:
                pass
            case model.Name(name=name) if name not in vocabulary.facts:
                known = [*own, *charts.guards, *vocabulary.facts]
                kind, what = ("fact", "fact") if "." in name else ("guard", "fact or guard")
                yield _unknown(kind, part.mark, f"no {what} '{name}'", name, known)
            case model.Compare():
                yield from _comparison(vocabulary, part)
            case model.Name() | model.In() | model.Tries():
                yield from _reference(charts, vocabulary, chart, part)
            case _:
                pass
    yield from _tests(charts, vocabulary, chart, expr)


def _tests(
    charts: ChartSet, vocabulary: Vocabulary, chart: Chart | None, expr: model.Expr
) -> Iterator[Finding]:
    """Where a condition is expected, something true or false stands."""
    match expr:
        case model.And(parts=inner) | model.Or(parts=inner):
            for part in inner:
                yield from _tests(charts, vocabulary, chart, part)
        case model.Not(part=part):
            yield from _tests(charts, vocabulary, chart, part)
        case model.Name(name=name):
            fact = vocabulary.facts.get(name)
            if fact and fact.type != "bool" and name not in charts.guards:
                message = f"'{name}' is a {fact.type}: compare it with something"
                yield Finding(expr.mark, "guard-not-boolean", message)
        case model.Capital(name=name):
            key = vocabulary.keys.get(name)
            if key is None:
                yield _unknown_key(expr.mark, name, vocabulary)
            elif key.type != "bool":
                message = f"'{name}' is a {key.type}: compare it with something"
                yield Finding(expr.mark, "guard-not-boolean", message)
        case model.Const(value=value) if not isinstance(value, bool):
            yield Finding(expr.mark, "guard-not-boolean", f"'{value}' is no condition")
        case model.In(how="first") | model.Here() | model.Tries():
            yield Finding(
                expr.mark, "guard-not-boolean", "a number is no condition: compare it with something"
            )
        case _:
            pass


def _comparison(vocabulary: Vocabulary, part: model.Compare) -> Iterator[Finding]:
    for one, other in ((part.left, part.right), (part.right, part.left)):
        if not isinstance(one, model.Capital) or one.name in vocabulary.keys:
            continue
        fact = vocabulary.facts.get(other.name) if isinstance(other, model.Name) else None
        if fact and fact.words:
            if one.name not in fact.words:
                yield _unknown("word", one.mark, f"'{fact.name}' is never '{one.name}'", one.name, fact.words)
        elif not isinstance(other, model.EventField) and (fact is None or fact.type not in ("text", "any")):
            yield _unknown_key(one.mark, one.name, vocabulary)


def _words(expr: model.Expr) -> set[int]:
    """Identities of the words that a field of the event is compared with: ``event.cause == offline``."""
    found = set()
    for part in model.parts(expr):
        if isinstance(part, model.Compare):
            for one, other in ((part.left, part.right), (part.right, part.left)):
                if (
                    isinstance(one, model.EventField)
                    and isinstance(other, model.Name)
                    and "." not in other.name
                ):
                    found.add(id(other))
    return found


def _unknown_key(mark: Mark, name: str, vocabulary: Vocabulary) -> Finding:
    return _unknown("configuration-key", mark, f"no configuration key '{name}'", name, vocabulary.keys)


def _reference(
    charts: ChartSet,
    vocabulary: Vocabulary,
    chart: Chart | None,
    part: model.Name | model.Tries | model.In,
) -> Iterator[Finding]:
    station = chart is None or "station" in chart.scopes
    match part:
        case model.Name(name=name):
            fact = vocabulary.facts[name]
            if fact.scope is Scope.CONNECTOR and station:
                message = f"'{name}' is about a connector, and this is asked for the station"
                yield Finding(part.mark, "wrong-scope", message)
        case model.Tries(state=state):
            yield from _tries(chart, part.mark, state)
        case _:
            how, ref = part.how, part.ref
            places = Evaluator(charts, vocabulary).places(ref, chart)
            if not places:
                yield _unknown_ref(charts, chart, part.mark, ref)
            elif (
                part.at is None
                and how == "in"
                and station
                and all(local for _, _, local in places)
                and not _both(charts, places)
            ):
                message = f"'{ref}' is of the connectors: ask any({ref}), all({ref}) or one({ref})"
                yield Finding(part.mark, "wrong-scope", message)
            elif how != "in" and not any(local for _, _, local in places):
                yield Finding(part.mark, "wrong-scope", f"'{ref}' is of the station: ask in({ref})")


def _both(charts: ChartSet, places: list[tuple[str, frozenset[str], bool]]) -> bool:
    return any("station" in charts.charts[name].scopes for name, _, _ in places)


def _unknown_ref(charts: ChartSet, chart: Chart | None, mark: Mark, ref: str) -> Finding:
    name, _, state = ref.partition(".")
    if state and name in charts.charts:
        known = [f"{name}.{one}" for one in charts.charts[name].states if one]
        return _unknown("state", mark, f"chart '{name}' has no state '{state}'", ref, known)
    if state:
        known = [f"{one}.{state}" for one in charts.charts]
        return _unknown("state", mark, f"there is no chart '{name}'", ref, known)
    if ref[0].isupper():
        own = [one for one in chart.states if one] if chart else []
        everywhere = [f"{c.name}.{s}" for c in charts.charts.values() for s in c.states if s == ref]
        hint = f" — did you mean '{everywhere[0]}'?" if everywhere else nearest(ref, own)
        return Finding(mark, "unknown-state", f"no state '{ref}' here{hint}")
    return _unknown("tag", mark, f"no state has the tag '{ref}'", ref, _all_tags(charts))


def _tries(chart: Chart | None, mark: Mark, state: str) -> Iterator[Finding]:
    found = chart.states.get(state) if chart else None
    if chart is None or found is None:
        yield _unknown("state", mark, f"no state '{state}' to count", state, chart.states if chart else ())
    elif found.parent is None:
        message = (
            f"'{state}' sits in no other state, so the count would never be set back: put a state around it"
        )
        yield Finding(mark, "tries-not-reset", message)


def delays(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """unknown-configuration-key, unknown-fact, wrong-delay, tries-not-reset: what timers are named after."""
    for chart in charts.charts.values():
        for transition in chart.transitions():
            mark = transition.trigger_mark
            match transition.delay:
                case model.OfKey(key=key, factor=factor):
                    if key not in vocabulary.keys:
                        yield _unknown_key(mark, key, vocabulary)
                    elif vocabulary.keys[key].type != "number":
                        yield Finding(mark, "wrong-delay", f"'{key}' is no number of seconds")
                    else:
                        yield from _delay_setting(charts, key)
                    if factor:
                        yield from _delay_fact(mark, factor, ("number",), vocabulary)
                case model.OfFact(fact=fact):
                    kinds = ("instant",) if transition.kind == "at" else ("duration",)
                    yield from _delay_fact(mark, fact, kinds, vocabulary)
                case model.Backoff():
                    yield from _tries(chart, mark, transition.source)
                case _:
                    pass


def _delay_setting(charts: ChartSet, key: str) -> Iterator[Finding]:
    default = charts.settings.get(key)
    if isinstance(default, int) and not 0 <= default <= LONGEST:
        message = f"a delay is named after '{key}', which cannot be {default}: 0 (never) to {LONGEST} s"
        yield Finding(charts.setting_marks[key], "wrong-delay", message)


def _delay_fact(mark: Mark, name: str, kinds: tuple[str, ...], vocabulary: Vocabulary) -> Iterator[Finding]:
    fact = vocabulary.facts.get(name)
    if fact is None:
        known = [one for one, word in vocabulary.facts.items() if word.type in kinds]
        yield _unknown("fact", mark, f"no fact '{name}'", name, known)
    elif fact.type not in kinds:
        yield Finding(mark, "wrong-delay", f"'{name}' has the type {fact.type}; here {kinds[0]} is wanted")


def fields(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """unknown-field: `event.x` is a field of the event at hand."""
    raised = charts.signals()
    for chart in charts.charts.values():
        for transition in chart.transitions():
            known = _fields_of(transition, raised, vocabulary)
            if known is None:
                continue
            for part in _fields_used(transition):
                if part.name not in known:
                    message = f"'{transition.trigger or transition.kind}' has no field '{part.name}'"
                    yield _unknown("field", part.mark, message, part.name, known)
                elif transition.kind == "on":
                    yield from _field_words(transition, part.name, vocabulary)


def _field_words(transition: model.Transition, name: str, vocabulary: Vocabulary) -> Iterator[Finding]:
    word = vocabulary.events.get(transition.trigger)
    declared = word.fields.get(name) if word else None
    if declared is None or not declared.words or transition.guard is None:
        return
    for part in model.parts(transition.guard):
        if not isinstance(part, model.Compare) or part.left != model.EventField(part.left.mark, name):
            continue
        right = part.right
        text = right.value if isinstance(right, model.Const) else getattr(right, "name", None)
        if isinstance(text, str) and text not in vocabulary.facts and text not in declared.words:
            yield _unknown("word", right.mark, f"'event.{name}' is never '{text}'", text, declared.words)


def _fields_of(
    transition: model.Transition, raised: dict[str, set[str]], vocabulary: Vocabulary
) -> set[str] | None:
    """The fields of the event that takes this transition; None when they are not declared."""
    name = transition.trigger
    if transition.kind != "on":
        return None if transition.kind == "always" else {*_ALWAYS_THERE, *_TIMED}
    if name in raised:
        return {*_ALWAYS_THERE, *raised[name]}
    word = vocabulary.events.get(name)
    if word is None or name == "ocpp.*" or (name.startswith("ocpp.") and word.replies is None):
        return None  # the fields of a .conf are the schema's
    return {*_ALWAYS_THERE, *word.fields}


def _fields_used(transition: model.Transition) -> Iterator[model.EventField]:
    values = [value for use in transition.actions for _, value in use.arguments]
    if transition.reply:
        values += [value for _, value in transition.reply.arguments]
    exprs: list[model.Expr] = [*values, *([transition.guard] if transition.guard else [])]
    for expr in exprs:
        yield from (part for part in model.parts(expr) if isinstance(part, model.EventField))


def statuses(charts: ChartSet, vocabulary: Vocabulary) -> Iterator[Finding]:
    """unknown-status, two-status-charts: statuses are OCPP's, and one chart per scope has them."""
    owners: dict[str, str] = {}
    for chart in charts.charts.values():
        for state in chart.states.values():
            if state.status is None:
                continue
            mark = state.status_mark or state.mark
            for scope in chart.scopes:
                known = vocabulary.statuses.get(Scope(scope), ())
                if state.status not in known:
                    message = f"the {scope} has no status '{state.status}'"
                    yield _unknown("status", mark, message, state.status, known)
                owner = owners.setdefault(scope, chart.name)
                if owner != chart.name:
                    message = f"chart '{owner}' has the statuses of the {scope} already; they have one chart"
                    yield Finding(mark, "two-status-charts", message)


def unused(charts: ChartSet, _vocabulary: Vocabulary) -> Iterator[Finding]:
    """unused-tag, unused-guard, unused-setting, unused-input, unused-output: written and asked by nobody."""
    refs, names, capitals = set(), set(), set()
    for _, expr in [*_expressions(charts), *_values(charts)]:
        for part in model.parts(expr):
            match part:
                case model.In(ref=ref):
                    refs.add(ref)
                case model.Name(name=name):
                    names.add(name)
                case model.Capital(name=name):
                    capitals.add(name)
                case _:
                    pass
    for chart in charts.charts.values():
        capitals |= {t.delay.key for t in chart.transitions() if isinstance(t.delay, model.OfKey)}
        for state in chart.states.values():
            for tag, mark in state.tags:
                if tag not in refs:
                    yield Finding(mark, "unused-tag", f"nobody asks for the tag '{tag}'", "warning")
        for name, expr in chart.guards.items():
            if name not in names:
                yield Finding(expr.mark, "unused-guard", f"nobody asks for the guard '{name}'", "warning")
    for name, expr in charts.guards.items():
        if name not in names:
            yield Finding(expr.mark, "unused-guard", f"nobody asks for the guard '{name}'", "warning")
    for name in charts.settings:
        if name not in capitals:
            mark = charts.setting_marks[name]
            yield Finding(mark, "unused-setting", f"nobody asks for the setting '{name}'", "warning")
    triggers = {t.trigger for chart in charts.charts.values() for t in chart.transitions()}
    used = {use.name for chart in charts.charts.values() for use in model.uses(chart)}
    for pin in charts.inputs.values():
        if pin.name not in names and not triggers & {f"{pin.name}.on", f"{pin.name}.off"}:
            yield Finding(pin.mark, "unused-input", f"nobody asks for the input '{pin.name}'", "warning")
    for pin in charts.outputs.values():
        if not used & {f"{pin.name}.{state}" for state in ("on", "off", "blink")}:
            yield Finding(pin.mark, "unused-output", f"nobody switches the output '{pin.name}'", "warning")


def _expressions(charts: ChartSet) -> Iterator[tuple[Chart | None, model.Expr]]:
    for expr in charts.guards.values():
        yield None, expr
    for invariant in charts.invariants:
        for part in (invariant.never, invariant.then):
            if part is not None:
                yield None, part
    for chart in charts.charts.values():
        for expr in model.guards_of(chart):
            yield chart, expr


def _values(charts: ChartSet) -> Iterator[tuple[Chart, model.Value]]:
    for chart in charts.charts.values():
        for use in model.uses(chart):
            for _, value in use.arguments:
                yield chart, value
        for transition in chart.transitions():
            if transition.reply:
                for _, value in transition.reply.arguments:
                    yield chart, value


def _all_tags(charts: ChartSet) -> list[str]:
    states = (state for chart in charts.charts.values() for state in chart.states.values())
    return sorted({tag for state in states for tag, _ in state.tags})


def _unknown(kind: str, mark: Mark, message: str, word: str, known: object) -> Finding:
    names = [name for name in known if name]  # type: ignore[attr-defined]
    return Finding(mark, f"unknown-{kind}", f"{message}{nearest(word, names)}")


RULES: tuple[Callable[[ChartSet, Vocabulary], Iterator[Finding]], ...] = (
    *(targets, events, signals, actions, facts, delays, fields, statuses, unused),
)
