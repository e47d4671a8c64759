"""Why each rule is there, and docs/checks.md: generated from here and from the examples of the tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

WHY: Mapping[str, Mapping[str, str]] = {
    "Files and YAML": {
        "unreadable-file": "A file that cannot be opened, or is not UTF-8, says nothing.",
        "yaml-syntax": "The text is no YAML. What other charts say of this one waits until it can be read.",
        "yaml-alias": "`&x` and `*x` make one place mean another, which no reader of one file expects.",
        "yaml-merge": "`<<` changes keys that stand elsewhere. Write them out.",
        "yaml-tag": "`!x` asks a YAML library for something of its own; charts are plain data.",
        "yaml-documents": "One file is one chart; whatever follows `---` would be ignored.",
        "yaml-too-large": (
            "A chart is read by people. The limit also keeps a hostile file from filling the memory."
        ),
        "duplicate-key": "YAML keeps the second of two equal keys and drops the first without a word.",
        "key-not-text": "`1:` or `true:` as a key is a number or a switch to YAML. Quote it.",
        "odd-number": "`010` is 8 to some YAML readers and 10 to others; `1_000` and `0x10` are no better.",
    },
    "The shape of a chart": {
        "unknown-language": "A chart of another version of the language may mean something else.",
        "unknown-chart": "index.yaml lists a chart for which there is no file.",
        "chart-not-listed": "A file that index.yaml does not list would silently do nothing.",
        "duplicate-chart": "A chart that is listed twice would run twice.",
        "wrong-chart-name": "A chart is found by its file; another name inside leads people astray.",
        "missing-key": "Without it the chart cannot run.",
        "unknown-key": "A misspelt key would be ignored, and with it what was meant.",
        "wrong-kind": "A list where a mapping is expected, or the other way round.",
        "unknown-scope": "A chart is for the station, for each connector, or for both.",
        "bad-name": (
            "Names are looked for in guards and pictures, so they keep to letters, digits and underscores."
        ),
        "reserved-word": (
            "A word of XState that this language does not have; the message says what to write instead."
        ),
        "duplicate-state": "State names are unique in a chart, so that a target needs no path.",
        "empty-transition": "A transition that does nothing is a thought that was not finished.",
        "missing-target": "An `always` that stays where it is would be taken for ever.",
        "bad-expression": "A guard or a delay that the grammar does not know.",
        "bad-invariant": "An invariant is `never`, or `whenever` with `then`, or `home`.",
        "circular-guard": "A named guard that asks itself has no answer.",
    },
    "Names": {
        "unknown-target": "A transition to nowhere.",
        "unknown-state": "`in(…)` asks for a state that does not exist: it would never be true.",
        "unknown-tag": "`in(tag)` asks for a tag that no state has: it would never be true.",
        "unknown-event": "A transition that waits for something that never happens.",
        "unknown-signal": "A signal that nobody raises, or that is not named after a chart.",
        "unheard-signal": "A signal that is raised and heard by nobody: a wish that falls on the floor.",
        "signal-is-event": "A chart that raises `cable.unplugged` would lie to all the others.",
        "unknown-action": "An action that the vocabulary does not have.",
        "unknown-argument": "An argument that the action does not take would be ignored.",
        "missing-argument": "An action without what it needs.",
        "missing-field": (
            "A signal has whatever fields it is raised with. Where one raiser leaves out a field that the "
            "hearer hands to an action, the action gets nothing: a defect, while the station runs."
        ),
        "unknown-fact": "A fact that the vocabulary does not have.",
        "unknown-guard": "A named guard that neither this chart nor index.yaml declares.",
        "unknown-configuration-key": "A configuration key that neither OCPP nor `settings` declares.",
        "unknown-field": "A field that the event does not have would always be `none`.",
        "unknown-word": "A word that can never stand there: a reason, an error code, a colour of the lamp.",
        "unknown-status": "A status that OCPP does not have, in `status` or in what the lamp follows.",
        "unknown-reply": "A status, an answer or an error code that this call cannot be answered with.",
        "wrong-scope": (
            "A chart of the station asks about a connector without saying which, or does something at one."
        ),
        "guard-not-boolean": "A number or a text where something true or false is expected.",
        "mixed-kinds": (
            "`ev.asks == 1` is never true, and `offer.amps < 'six'` ends the step with an exception. Kinds "
            "of facts, keys, fields and constants are known, so this need not wait for the field."
        ),
        "wrong-delay": "A delay named after something that is no duration.",
        "tries-not-reset": (
            "Tries are counted since the state around was entered; without one they only grow."
        ),
        "two-status-charts": "Two charts that both say what the status is would contradict each other.",
        "unused-tag": "Nobody asks for it: a leftover, or the guard that should ask is misspelt elsewhere.",
        "unused-guard": "Nobody asks for it.",
        "unused-setting": "The Central System could write it, and nothing would change.",
        "unused-input": "Something is wired, and no chart looks at it.",
        "unused-output": "Something is wired, and no chart switches it.",
    },
    "Calls and answers": {
        "call-without-owner": (
            "A call that no chart answers blocks the Central System until its timeout; `ocpp.*` answers the "
            "rest."
        ),
        "call-with-two-owners": "Two charts that answer the same call answer it twice.",
        "call-unanswered": (
            "Every call is answered in every state and every situation. The guards are tried out against "
            "each other, and the message names a situation in which none of them holds."
        ),
        "call-elsewhere": (
            "Only a call that names a connector, or a transaction on one, goes to a connector's charts. A "
            "Reset that is written there is never heard."
        ),
        "reply-without-call": "A reply to something that is no call.",
        "debt-without-state": "`reply: later` needs a state that remembers the debt.",
        "debt-unpaid": "`reply: later` is a promise: every way out of the state that owes has to pay.",
        "debt-paid-twice": (
            "The debt is paid, the state that owes it is not left, and the way out pays again."
        ),
        "debt-owed-twice": (
            "A second call of the kind while the first is owed: one of them would never be answered."
        ),
        "debt-not-owed": "A payment in a state in which nothing is ever owed does nothing.",
        "unheard-answer": (
            "Who asks on entry hears every answer, in every situation, or has a timer: otherwise the state "
            "waits for ever for something that has already come."
        ),
        "unasked-answer": (
            "The answer to a call of ours comes to the instance that asked, and to no other chart."
        ),
        "promise-not-kept": (
            "A Reset that was answered with Accepted has to end in a restart, whichever way the chart goes."
        ),
    },
    "Guards": {
        "guard-never-true": (
            "A transition that can never be taken. The message names the fewest parts that exclude each "
            "other; what the event has just changed, the states of each chart, words and numbers are taken "
            "into account."
        ),
        "guard-always-true": (
            "A guard that says nothing. `event.type != Hard or event.type != Soft` is the classic: `and` "
            "was meant."
        ),
        "never-taken": (
            "Of competing transitions the first that holds is taken, inner states first. This one holds "
            "only where an earlier one does, or its state is left before anything can be heard. Guards that "
            "merely overlap are no finding: the order in the list says which one wins."
        ),
        "same-moment": (
            "The one overlap whose order is written nowhere: two timers that start together and end together."
        ),
        "eventless-loop": "`always` transitions that go round would never let the step end.",
    },
    "The way through a chart": {
        "unreachable-state": "No way leads there.",
        "no-way-out": "Once in, never out. If that is meant, `type: final` or `home` says so.",
        "final-left": "`type: final` says that nothing leads out, and something does.",
        "timer-may-be-off": (
            "A delay named after a key is off when the Central System writes 0, and then this state is a "
            "trap."
        ),
        "timer-not-cancelled": (
            "Leaving a state cancels its timers. Where nothing but time leaves it, whatever was waited for "
            "may come, and the timer still runs out."
        ),
        "action-undone": "Two actions of one step that contradict each other: only the second has an effect.",
        "command-loop": (
            "An action whose answer leads straight back to it commands as fast as the hardware or the "
            "Central System answers: thousands of attempts in an hour."
        ),
    },
    "Safety and statuses": {
        "hazard-ignored": (
            "From `contactor.close` until `contactor.open`, every state has to lead out on a fault, on the "
            "emergency stop and on a plug that is pulled: by a transition of its own or of a state around "
            "it, or by an `always` that comes true with a fact the event changes. A tag of another chart is "
            "not enough: a tag can lie."
        ),
        "loss-ignored": (
            "What was done and confirmed may come undone by itself: the link is lost, the lock opens, the "
            "contactor falls off. The state that was entered on the confirmation has to notice."
        ),
        "event-ignored": (
            "While a connector shows Preparing, it has to notice that the plug is pulled; whatever it shows "
            "but Faulted, it has to notice a fault and the emergency stop (A9 to H9 of OCPP 1.6 §4.9). Two "
            "detours count: another chart hears the event and tells of it, by a signal or by a fact; or the "
            "state has only `always`, and every state after it asks."
        ),
        "forbidden-status": (
            "The matrix of OCPP 1.6 §4.9 does not have every change: nothing leads from Preparing to "
            "Unavailable. Every step of the chart is played: only where a step rests its status is told, "
            "and a state without one goes on showing the last. A warning, since the way may need facts that "
            "never come together."
        ),
    },
}
"""Group → rule → why it is there."""

PLAIN_INDEX = ("language: 1\ncharts: [socket]\n", "language: 1\ncharts: [station]\n")
"""An index.yaml that is not shown: it only lists the one chart."""


_INTRODUCTION = """\
Every rule with its reason, a broken example, and what is printed for it, word for word. Generated by
`make accept` from charger/statechart/checks_reference.py and tests/statechart/err/, and run by the tests.

An **error** keeps the charts from running. A **warning** does not, but `charger check` ends with exit code 1
all the same. Warnings are told when no error is left, and behaviour is judged when every word is understood:
a misspelt target would make states unreachable, and the cause would be buried. Likewise what other charts say
of one that cannot be read whole is held back, and counted in the last line. Charts are right or wrong
together, so `charger check charts/lock.yaml` checks all of them. A file that cannot be read at all is exit
code 2. The language is described in [charts.md](charts.md), every word in [vocabulary.md](vocabulary.md).
`--format json` and `--format github` print the same findings for programs and for pull requests.
"""


def render(examples: Path) -> str:
    """docs/checks.md, Markdown; `examples` holds a folder for each rule, with `expected.txt`."""
    return "\n".join(_page(examples)) + "\n"


def _page(examples: Path) -> Iterator[str]:
    yield "# What `charger check` finds"
    yield ""
    yield _INTRODUCTION
    yield "| Subject | Rules |"
    yield "|---|---|"
    for group, rules in WHY.items():
        links = ", ".join(f"[{rule}](#{rule})" for rule in rules)
        yield f"| [{group}](#{group.lower().replace(' ', '-')}) | {links} |"
    for group, rules in WHY.items():
        yield ""
        yield f"## {group}"
        for rule, why in rules.items():
            yield from _section(rule, why, examples / rule)


def _section(rule: str, why: str, example: Path) -> Iterator[str]:
    printed = (example / "expected.txt").read_text(encoding="utf-8")
    yield ""
    yield f"### {rule}"
    yield ""
    yield ("**Warning.** " if ": warning: " in printed.partition("\n")[0] else "") + why
    for path in sorted(example.glob("*.yaml")):
        text = path.read_bytes().decode("utf-8", errors="replace")
        if text in PLAIN_INDEX and f"charts/{path.name}:" not in printed:
            continue
        yield ""
        yield f"`{path.name}`"
        yield "```yaml"
        yield text.rstrip("\n")
        yield "```"
    yield ""
    yield "```"
    yield printed.rstrip("\n")
    yield "```"
