"""The words of the language itself: what each means, where it stands, and an example.

`charger explain` and the help of the JSON Schema are made of these; docs/charts.md tells them at length.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LanguageWord:
    """A word that the language gives a meaning."""

    name: str
    place: str
    """What it is a key or a part of."""
    description: str
    example: str
    """At most three lines of YAML."""


INDEX, CHART, STATE = "a key of index.yaml", "a key of a chart", "a key of a state"
EITHER = "a key of a chart or a state"
TRANSITION, INVARIANT = "a key of a transition", "a key of an invariant"
CONDITION, DELAY, VALUE = "part of a condition", "a delay", "a value"

_WORDS = (
    LanguageWord("language", INDEX, "Version of the language.", "language: 1"),
    LanguageWord("charts", INDEX, "The charts, in the order an event is offered.", "charts: [link, lock]"),
    LanguageWord(
        "settings",
        INDEX,
        "Own configuration keys with their defaults; the Central System reads and writes them.",
        "settings: {FreeVending: true}",
    ),
    LanguageWord(
        "inputs",
        INDEX,
        "Inputs by name: each gives the events `name.on`, `name.off` and the fact `name`.",
        "inputs:\n  door: {scope: station, description: cabinet door}",
    ),
    LanguageWord(
        "outputs",
        INDEX,
        "Outputs by name: each gives the actions `name.on`, `name.off` and `name.blink`.",
        "outputs:\n  fan: {scope: station, description: cabinet fan}",
    ),
    LanguageWord("chart", CHART, "Name of the chart; the name of its file.", "chart: lock"),
    LanguageWord(
        "scope", CHART, "What there is one of for each: station, connector, or both.", "scope: connector"
    ),
    LanguageWord(
        "description",
        EITHER,
        "One sentence: why. Shown in the diagram.",
        "Jammed:\n  description: Will not open.",
    ),
    LanguageWord("initial", EITHER, "The first state inside.", "initial: Idle"),
    LanguageWord(
        "guards",
        "a key of a chart or of index.yaml",
        "Named conditions; a list means all of them.",
        "guards:\n  online: in(link.Up) and registered",
    ),
    LanguageWord("on", EITHER, "Transitions on an event.", "on:\n  lock.engaged: Engaged"),
    LanguageWord(
        "always",
        EITHER,
        "Transitions whenever the guard is true; asked after the event, until all rest. Needs a target.",
        "always: {guard: cable.present, target: Preparing}",
    ),
    LanguageWord(
        "after",
        EITHER,
        "Once, that long after the state was entered: 500ms, 30s, 2m, 1h, a key (s; 0 is never), "
        "Key * fact, backoff(…), or a duration fact.",
        "after: {3s: Failed}",
    ),
    LanguageWord(
        "every",
        EITHER,
        "Again and again, counted from entry, without drift; delays as in `after`.",
        "every: {MeterValueSampleInterval: {actions: [meter.report: {context: Sample.Periodic}]}}",
    ),
    LanguageWord(
        "at",
        EITHER,
        'By the clock: "22:00" local time; a duration or key: all its multiples from midnight UTC; '
        "a fact of type instant.",
        'at: {"22:00": Night}',
    ),
    LanguageWord(
        "states", EITHER, "The states inside; the chart is in exactly one leaf.", "states:\n  Idle: {}"
    ),
    LanguageWord(
        "invariants",
        "a key of a chart or of index.yaml",
        "What may not happen; watched while the station runs.",
        "invariants:\n  - {never: in(power.Closed) and not transaction.open}",
    ),
    LanguageWord(
        "status",
        STATE,
        "The OCPP status while the chart rests here, and in all states inside.",
        "status: Charging",
    ),
    LanguageWord("tags", STATE, "Properties that other charts ask for with `in(tag)`.", "tags: [energy]"),
    LanguageWord("type", STATE, "`final`: nothing leaves it.", "Ended:\n  type: final"),
    LanguageWord("entry", STATE, "Actions on entering.", "entry: [lock.engage]"),
    LanguageWord("exit", STATE, "Actions on leaving.", "exit: [status.collapse]"),
    LanguageWord(
        "guard",
        TRANSITION,
        "A condition; of a list, the first transition whose guard is true is taken.",
        "always: {guard: cable.present, target: Preparing}",
    ),
    LanguageWord(
        "target",
        TRANSITION,
        "The state to go to; without it the state is not left, with its own name it is left and entered.",
        "on:\n  cable.plugged: {target: Preparing}",
    ),
    LanguageWord(
        "reply",
        TRANSITION,
        "What the call is answered: a status, {answer: …}, {error: Code}, `later`, or {ocpp.X: …} to pay.",
        "on:\n  ocpp.Reset: {reply: Rejected}",
    ),
    LanguageWord(
        "actions",
        TRANSITION,
        "What is done, in this order: after what is left, before what is entered.",
        "on:\n  queue.failed: {target: Failed, actions: [queue.count]}",
    ),
    LanguageWord(
        "never",
        INVARIANT,
        "A condition that is true at no rest.",
        "- {never: in(Closed) and in(lock.Released)}",
    ),
    LanguageWord(
        "whenever",
        INVARIANT,
        "Actions, separated by commas, that are performed only while `then` holds.",
        "- {whenever: lock.release, then: not contactor.is_closed}",
    ),
    LanguageWord(
        "then",
        INVARIANT,
        "The condition that belongs to `whenever`.",
        "- {whenever: lock.release, then: not contactor.is_closed}",
    ),
    LanguageWord(
        "home",
        INVARIANT,
        "A state to which there is always a way back; it may be the end.",
        "- home: Available",
    ),
    LanguageWord(
        "raise",
        "an action",
        "Raises a signal `chart.word` for the other charts, with fields if there are any.",
        "actions: [raise: {transaction.stop: {reason: Local}}]",
    ),
    LanguageWord(
        "later",
        "a reply",
        "Nothing is sent yet: the target state owes the answer, and every way out of it pays.",
        "ocpp.UnlockConnector: {target: Unlocking, reply: later}",
    ),
    LanguageWord("error", "a reply", "A CALLERROR with that code.", "ocpp.*: {reply: {error: NotSupported}}"),
    LanguageWord(
        "ocpp.*",
        "an event",
        "Any call that no chart of the scope mentions.",
        "ocpp.*: {reply: {error: NotSupported}}",
    ),
    LanguageWord(
        "in",
        CONDITION,
        "Whether a state is active, or one that has the tag: of this connector, or of the station. "
        "With a second value: of that connector.",
        "guard: in(power.Closed) and in(energy)",
    ),
    LanguageWord(
        "any", CONDITION, "Whether the state or tag is active at any connector.", "guard: any(busy)"
    ),
    LanguageWord(
        "all", CONDITION, "Whether the state or tag is active at all connectors.", "guard: all(free)"
    ),
    LanguageWord(
        "one",
        CONDITION,
        "Whether the state or tag is active at exactly one connector.",
        "guard: one(connector.Available)",
    ),
    LanguageWord(
        "first",
        VALUE,
        "Number of the first connector at which the state or tag is active; none if there is none.",
        "raise: {connector.release: {connector: first(connector.Held)}}",
    ),
    LanguageWord(
        "tries",
        VALUE,
        "How often the state was entered since the state around it was.",
        "always: {guard: tries(Engaging) >= 3, target: Failed}",
    ),
    LanguageWord(
        "clock.between",
        CONDITION,
        "Whether the local time is between the two; looked at again at both.",
        'always: {guard: "clock.between(22:00, 06:00)", target: Charging}',
    ),
    LanguageWord("and", CONDITION, "Both hold. Binds closer than `or`.", "guard: online and queue.waiting"),
    LanguageWord("or", CONDITION, "One of them holds.", "guard: in(locked) or transaction.open"),
    LanguageWord("not", CONDITION, "It does not hold. Binds closest.", "guard: not cable.present"),
    LanguageWord(
        "here", VALUE, "The number of this connector; 0 in a chart of the station.", "guard: here == 0"
    ),
    LanguageWord(
        "none",
        VALUE,
        "What an absent field is, and a fact without a value.",
        "guard: event.connectorId == none",
    ),
    LanguageWord(
        "event", VALUE, "`event.x` is the field x of the event at hand.", "guard: event.type == Soft"
    ),
    LanguageWord(
        "backoff",
        DELAY,
        "backoff(first, limit, jitter): doubling with the tries of its state, plus up to jitter at random.",
        'after: {"backoff(3s, 60s, 10s)": Connecting}',
    ),
    LanguageWord("final", "a type", "Nothing leaves the state.", "Ended:\n  type: final"),
    LanguageWord("station", "a scope", "One instance for the whole station.", "scope: station"),
    LanguageWord("connector", "a scope", "One instance for each connector.", "scope: connector"),
)

WORDS = {word.name: word for word in _WORDS}
"""By name, in the order of docs/charts.md."""
