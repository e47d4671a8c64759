"""What differs between two sets of charts, in words. A case is an edit, and the lines that a reviewer reads."""

import json
from dataclasses import replace

import pytest
from chart_kit import HERE, SHIPPED, read_charts

from charger.statechart import model, reader
from charger.statechart.diff import compare
from charger.statechart.diff_report import NOTHING, as_json, as_markdown, as_text
from charger.statechart.expressions import parse_guard
from charger.statechart.findings import Mark
from charger.statechart.wording import expression_text

GATE = """
    chart: gate
    scope: connector
    description: A gate.
    initial: Shut
    guards:
      safe: (path.clear or forced) and not in(lamp.Broken)
      may_open: safe and paid
    on:
      ocpp.Reset: [{guard: busy, reply: Rejected}, {reply: Accepted, actions: [gate.forget]}]
      ocpp.*: {reply: {error: NotSupported}}
    states:
      Shut:
        status: Available
        tags: [free]
        entry: [motor.stop, lamp.show: {colour: red}]
        on:
          card.shown: {guard: may_open, target: Opening, actions: [fee.take: {tag: event.tag}]}
          hand.waved: [{guard: staff, target: Opening}, {guard: paid, target: Held}, {target: Shut}]
      Opening:
        initial: Slow
        after: {30s: Held}
        states:
          Slow: {after: {2s: Fast}}
          Fast: {on: {gate.at_end: Open}}
      Open:
        status: Charging
        exit: [fee.close]
        always: {guard: not safe, target: Held}
        every: {1m: {actions: [fee.take]}}
        after: {OpenTime: Shut}
      Held:
        on: {key.turned: Shut}
    invariants:
      - {never: in(Open) and not safe}
      - {whenever: motor.run, then: path.clear}
"""
LAMP = """
    chart: lamp
    scope: connector
    initial: Dark
    states:
      Dark: {always: {guard: in(free) and calm, target: Bright}}
      Bright: {on: {bulb.blown: Broken}, always: {guard: not in(free), target: Dark}}
      Broken: {on: {bulb.changed: Dark}}
"""
INDEX = """
    guards: {calm: level < 9 or in(gate.Held)}
    settings: {Fee: 3}
    inputs: {bell: {scope: station}}
    outputs: {horn: {scope: station}}
    invariants: [{description: Quiet at night., whenever: horn.on, then: level < 5}]
"""


def read(folder, *edits, charts=("gate", "lamp"), extra=""):
    """The set above after some edits: (old text, new text)."""
    texts = {"gate": GATE, "lamp": LAMP, "index": INDEX, "hall": extra}
    for old, new in edits:
        holders = [name for name, text in texts.items() if old in text]
        assert len(holders) == 1, f"{old!r} is in {holders}"
        texts[holders[0]] = texts[holders[0]].replace(old, new)
    return read_charts(folder, {name: texts[name] for name in charts}, texts["index"])


def lines(old, new):
    return as_text(compare(old, new)).splitlines()[:-1]


CASES = {
    # -- states
    "a new state is told with its ways in and out": (
        [
            ("          Fast: {on: {gate.at_end: Open}}", "          Fast: {on: {gate.at_end: Ajar}}"),
            (
                "      Open:\n",
                (
                    "      Ajar:\n"
                    "        status: Preparing\n"
                    "        tags: [free, warm]\n"
                    "        entry: [lamp.show: {colour: blue}]\n"
                    "        exit: [raise: gate.moved]\n"
                    "        on: {push: {guard: paid, target: Open}}\n"
                    "      Open:\n"
                ),
            ),
        ],
        [
            "gate",
            "  ~ Fast: on gate.at_end now goes to Ajar (was Open)",
            "  + new state Ajar, status Preparing, tagged free, warm, reached from Fast on gate.at_end",
            "      on entry does lamp.show(colour: blue)",
            "      on exit does ^ gate.moved",
            "      on push if [paid] goes to Open",
        ],
    ),
    "one inside another, that it begins with": (
        [
            ("initial: Slow\n", "initial: Still\n"),
            ("          Slow:", "          Still: {type: final}\n          Slow:"),
        ],
        [
            "gate",
            "  ~ Opening begins in Still now (was Slow)",
            "  + new state Still in Opening, final, reached from the beginning of Opening",
        ],
    ),
    "a state that is gone, and where its ways lead now": (
        [("          Fast: {on: {gate.at_end: Open}}\n", ""), ("after: {2s: Fast}", "after: {2s: Open}")],
        [
            "gate",
            "  ~ Slow: after 2s now goes to Open (was Fast)",
            "  - state Fast of Opening is gone (was reached from Slow after 2s)",
        ],
    ),
    "a state that nothing is said about": (
        [("      Broken: {on: {bulb.changed: Dark}}", "      Broken: {}\n      Spare: {}")],
        ["lamp", "  - Broken: on bulb.changed is gone (went to Dark)", "  + new state Spare"],
    ),
    "another name, and nothing else": (
        [
            ("{guard: paid, target: Held}", "{guard: paid, target: Stuck}"),
            ("{30s: Held}", "{30s: Stuck}"),
            ("{guard: not safe, target: Held}", "{guard: not safe, target: Stuck}"),
            ("      Held:", "      Stuck:"),
            ("gate.Held", "gate.Stuck"),
        ],
        ["gate", "  ~ state Held is now named Stuck"],
    ),
    "another name, and a condition more where another chart asks for it": (
        [
            ("      Broken:", "      Burnt:"),
            ("bulb.blown: Broken", "bulb.blown: Burnt"),
            ("not in(lamp.Broken)", "not in(lamp.Burnt) and dry"),
        ],
        [
            "gate",
            "  ~ guard safe needs [dry] now",
            "      concerns Shut on card.shown [may_open] → Opening",
            "      concerns Open always [not safe] → Held",
            "lamp",
            "  ~ state Broken is now named Burnt",
        ],
    ),
    "another parent": (
        [
            ("          Slow: {after: {2s: Fast}}\n", ""),
            ("initial: Slow", "initial: Fast"),
            ("      Open:\n", "      Slow: {after: {2s: Fast}}\n      Open:\n"),
        ],
        [
            "gate",
            "  ~ Opening begins in Fast now (was Slow)",
            "  ~ Slow is now on the outside (was inside Opening)",
        ],
    ),
    "status": (
        [
            ("status: Charging", "status: Finishing"),
            ("        status: Available\n", ""),
            ("      Held:\n", "      Held:\n        status: Faulted\n"),
        ],
        [
            "gate",
            "  ~ Shut: shows no status of its own any more (was Available)",
            "  ~ Open: status is now Finishing (was Charging)",
            "  ~ Held: status is now Faulted (had none)",
        ],
    ),
    "tags, and who asks for them": (
        [("tags: [free]", "tags: [idle]")],
        ["gate", "  ~ Shut: now tagged idle; no longer tagged free (asked by lamp)"],
    ),
    "a tag that index.yaml asks for": (
        [("or in(gate.Held)", "or in(warm)"), ("      Held:\n", "      Held:\n        tags: [warm]\n")],
        [
            "index.yaml",
            "  ~ guard calm is now [level < 9 or in(warm)] (was [level < 9 or in(gate.Held)])",
            "      concerns lamp: Dark always [in(free) and calm] → Bright",
            "gate",
            "  ~ Held: now tagged warm (asked by index.yaml)",
        ],
    ),
    "final": (
        [("      Held:\n        on: {key.turned: Shut}", "      Held: {type: final}")],
        ["gate", "  ~ Held is final now", "  - Held: on key.turned is gone (went to Shut)"],
    ),
    "where the chart begins, and what it is one for": (
        [
            ("initial: Shut", "initial: Held"),
            ("scope: connector\n    description", "scope: [station, connector]\n    description"),
        ],
        [
            "gate",
            "  ~ is now one for the station, one for each connector (was one for each connector)",
            "  ~ begins in Held now (was Shut)",
        ],
    ),
    "entry and exit": (
        [
            (
                "entry: [motor.stop, lamp.show: {colour: red}]",
                "entry: [lamp.show: {colour: blue}, motor.brake, raise: gate.shut]",
            ),
            ("        exit: [fee.close]\n", ""),
        ],
        [
            "gate",
            (
                "  ~ Shut: on entry does lamp.show(colour: blue) (was lamp.show(colour: red)); also does motor.brake;"
                " also does ^ gate.shut; no longer does motor.stop"
            ),
            "  ~ Open: on exit no longer does fee.close",
        ],
    ),
    "one action of several": (
        [("[motor.stop, lamp.show: {colour: red}]", "[motor.brake, lamp.show: {colour: red}]")],
        ["gate", "  ~ Shut: on entry also does motor.brake; no longer does motor.stop"],
    ),
    "a transition that only keeps others from being taken": (
        [("{key.turned: Shut}", "{key.turned: [{guard: stuck}, {target: Shut}]}")],
        ["gate", "  + Held: new: on key.turned if [stuck] stays (tried 1st of 2)"],
    ),
    "actions in another order": (
        [("entry: [motor.stop, lamp.show: {colour: red}]", "entry: [lamp.show: {colour: red}, motor.stop]")],
        [
            "gate",
            "  ~ Shut: on entry does lamp.show(colour: red), motor.stop in this order (was motor.stop, lamp.show(colour: red))",
        ],
    ),
    # -- transitions
    "another target": (
        [("{OpenTime: Shut}", "{OpenTime: Held}")],
        ["gate", "  ~ Open: after OpenTime now goes to Held (was Shut)"],
    ),
    "a target where there was none, and none where there was one": (
        [
            ("{1m: {actions: [fee.take]}}", "{1m: {actions: [fee.take], target: Held}}"),
            ("{OpenTime: Shut}", "{OpenTime: {actions: [fee.take]}}"),
        ],
        [
            "gate",
            "  ~ Open: after OpenTime now stays (was Shut), also does fee.take",
            "  ~ Open: every 1m now goes to Held (stayed)",
        ],
    ),
    "another delay": ([("{2s: Fast}", "{5s: Fast}")], ["gate", "  ~ Slow: after 5s (was 2s) goes to Fast"]),
    "the same delay in other words": (
        [("every: {1m:", "every: {60s:"), ("{2s: Fast}", "{2000ms: Fast}")],
        [],
    ),
    "one timer of two with another delay": (
        [("{30s: Held}", "{30s: Held, 10s: Shut}")],
        ["gate", "  + Opening: new: after 10s goes to Shut"],
    ),
    "an event more": (
        [
            (
                "{bulb.changed: Dark}",
                "{bulb.changed: Dark, lamp.kicked: {target: Bright, actions: [bulb.hope]}}",
            )
        ],
        ["lamp", "  + Broken: new: on lamp.kicked goes to Bright, does bulb.hope"],
    ),
    "an event less": (
        [("{bulb.changed: Dark}", "{bulb.glued: {actions: [bulb.hope]}}")],
        [
            "lamp",
            "  + Broken: new: on bulb.glued does bulb.hope",
            "  - Broken: on bulb.changed is gone (went to Dark)",
        ],
    ),
    "one more that competes": (
        [("{guard: paid, target: Held}, ", "{guard: paid, target: Held}, {guard: late, target: Open}, ")],
        ["gate", "  + Shut: new: on hand.waved if [late] goes to Open (tried 3rd of 4)"],
    ),
    "one less": (
        [("{guard: paid, target: Held}, ", "")],
        ["gate", "  - Shut: on hand.waved [paid] is gone (went to Held)"],
    ),
    "the order in which they are tried": (
        [
            (
                "[{guard: staff, target: Opening}, {guard: paid, target: Held}, {target: Shut}]",
                "[{guard: paid, target: Held}, {guard: late, target: Open}, {guard: staff, target: Opening}, {target: Shut}]",
            )
        ],
        [
            "gate",
            "  + Shut: new: on hand.waved if [late] goes to Open (tried 2nd of 4)",
            "  ~ Shut: on hand.waved is tried in another order",
            "      1st [paid] goes to Held (was 2nd)",
            "      2nd [late] goes to Open (new)",
            "      3rd [staff] goes to Opening (was 1st)",
            "      4th otherwise goes to Shut (was 3rd)",
        ],
    ),
    "arguments": (
        [("[fee.take: {tag: event.tag}]", "[fee.take: {tag: event.other}]")],
        [
            "gate",
            "  ~ Shut: on card.shown goes to Opening, does fee.take(tag: event.other) (was fee.take(event.tag))",
        ],
    ),
    # -- guards
    "a guard where there was none": (
        [("{key.turned: Shut}", "{key.turned: {guard: staff, target: Shut}}")],
        ["gate", "  ~ Held: on key.turned goes to Shut, now only if [staff]"],
    ),
    "no guard any more": (
        [("{guard: not safe, target: Held}", "{target: Held}")],
        ["gate", "  ~ Open: always goes to Held, no longer asks [not safe]"],
    ),
    "a guard with one condition more": (
        [("guard: in(free) and calm", "guard: in(free) and calm and (dark or late)")],
        ["lamp", "  ~ Dark: always goes to Bright, now only if also [dark or late]"],
    ),
    "with two less": (
        [
            ("guard: in(free) and calm", "guard: calm"),
            ("guard: not in(free), target: Dark", "guard: not in(free) or late, target: Dark"),
        ],
        [
            "lamp",
            "  ~ Dark: always goes to Bright, no longer asks [in(free)]",
            "  ~ Bright: always goes to Dark, now also if [late]",
        ],
    ),
    "with another one": (
        [
            ("guard: in(free) and calm", "guard: in(free) and dark"),
            ("{guard: not in(free), target: Dark}", "{guard: in(gate.Open), target: Dark}"),
        ],
        [
            "lamp",
            "  ~ Dark: always goes to Bright, now asks [dark] instead of [calm]",
            "  ~ Bright: always goes to Dark, now if [in(gate.Open)] (was [not in(free)])",
        ],
    ),
    "a named guard is told once, with the transitions it concerns": (
        [("safe: (path.clear or forced) and", "safe: (path.clear or forced) and door.shut and")],
        [
            "gate",
            "  ~ guard safe needs [door.shut] now",
            "      concerns Shut on card.shown [may_open] → Opening",
            "      concerns Open always [not safe] → Held",
        ],
    ),
    "a named guard of index.yaml": (
        [("level < 9 or in(gate.Held)", "level < 9")],
        [
            "index.yaml",
            "  ~ guard calm is no longer true with [in(gate.Held)]",
            "      concerns lamp: Dark always [in(free) and calm] → Bright",
        ],
    ),
    "one that has moved to a chart, and changed": (
        [
            ("guards: {calm: level < 9 or in(gate.Held)}", ""),
            ("initial: Dark", "guards: {calm: level < 8}\n    initial: Dark"),
        ],
        [
            "lamp",
            "  ~ guard calm is now [level < 8] (was [level < 9 or in(gate.Held)])",
            "      concerns Dark always [in(free) and calm] → Bright",
        ],
    ),
    "one that was a fact": (
        [("guards: {calm: level < 9 or in(gate.Held)}", "")],
        ["lamp", "  ~ Dark: always goes to Bright, now asks [calm] instead of [calm]"],
    ),
    "one written out": (
        [("guard: in(free) and calm", "guard: (level < 9 or in(gate.Held)) and in(free)")],
        [],
    ),
    "one that nobody asks": ([("guards: {calm:", "guards: {odd: bell, calm:")], []),
    # -- replies
    "another answer": (
        [("{guard: busy, reply: Rejected}", "{guard: busy, reply: Scheduled}")],
        ["gate", "  ~ everywhere: on ocpp.Reset [busy] is now answered Scheduled (was Rejected)"],
    ),
    "none any more, and one for what nobody answered": (
        [
            ("{guard: busy, reply: Rejected}", "{guard: busy, actions: [gate.beep]}"),
            ("{key.turned: Shut}", "{key.turned: {target: Shut, reply: {ocpp.Unlock: Unlocked}}}"),
        ],
        [
            "gate",
            "  ~ everywhere: on ocpp.Reset [busy] is no longer answered (was Rejected), also does gate.beep",
            "  ~ Held: on key.turned goes to Shut, is now answered ocpp.Unlock: Unlocked (was not)",
        ],
    ),
    "a call that was answered by whoever answers the rest": (
        [("      ocpp.*: {reply:", "      ocpp.ReserveNow: {reply: Accepted}\n      ocpp.*: {reply:")],
        [
            "gate",
            "  + everywhere: new: on ocpp.ReserveNow answers Accepted; so far error NotSupported, by ocpp.* of gate",
        ],
    ),
    "a call that a state answers itself": (
        [("{key.turned: Shut}", "{key.turned: Shut, ocpp.Reset: {reply: Rejected}}")],
        ["gate", "  + Held: new: on ocpp.Reset answers Rejected; so far Accepted"],
    ),
    "a call that another chart has taken over": (
        [
            (
                "      ocpp.Reset: [{guard: busy, reply: Rejected}, {reply: Accepted, actions: [gate.forget]}]\n",
                "",
            ),
            ("initial: Dark\n", "initial: Dark\n    on: {ocpp.Reset: {reply: Accepted}}\n"),
        ],
        [
            "gate",
            "  - everywhere: on ocpp.Reset [busy] is gone (answered Rejected)",
            "  - everywhere: on ocpp.Reset otherwise is gone (answered Accepted, did gate.forget); now Accepted, by ocpp.Reset of lamp",
            "lamp",
            "  + everywhere: new: on ocpp.Reset answers Accepted; so far Accepted, by ocpp.Reset of gate",
        ],
    ),
    "a call that nobody answered": (
        [
            ("      ocpp.*: {reply: {error: NotSupported}}\n", ""),
            ("on: {bulb.changed: Dark}", "on: {bulb.changed: Dark, ocpp.Get: {reply: later}}"),
        ],
        [
            "gate",
            "  - everywhere: on ocpp.* is gone (answered error NotSupported)",
            "lamp",
            "  + Broken: new: on ocpp.Get answers later; so far error NotSupported, by ocpp.* of gate",
        ],
    ),
    # -- promises
    "promises": (
        [
            ("      - {never: in(Open) and not safe}\n", ""),
            ("then: path.clear", "then: path.clear and power"),
            ("then: level < 5", "then: level < 4"),
            ("initial: Dark", "invariants: [{home: Dark}]\n    initial: Dark"),
        ],
        [
            "index.yaml",
            "  ~ promise is now whenever horn.on then level < 4 (was whenever horn.on then level < 5)",
            "gate",
            "  ~ promise is now whenever motor.run then path.clear and power (was whenever motor.run then path.clear)",
            "  - promise is gone: never in(Open) and not safe",
            "lamp",
            "  + new promise: home Dark",
        ],
    ),
    # -- index.yaml
    "settings": (
        [("settings: {Fee: 3}", "settings: {Fee: 4, Free: true}")],
        ["index.yaml", "  + new setting Free: true", "  ~ setting Fee is now 4 (was 3)"],
    ),
    "a setting less": ([("settings: {Fee: 3}", "")], ["index.yaml", "  - setting Fee is gone (was 3)"]),
    "a number is no truth": (
        [("{Fee: 3}", "{Fee: 3.0}")],
        ["index.yaml", "  ~ setting Fee is now 3.0 (was 3)"],
    ),
    "inputs and outputs": (
        [
            ("{bell: {scope: station}}", "{bell: {scope: connector}, door: {}}"),
            ("outputs: {horn: {scope: station}}", ""),
        ],
        [
            "index.yaml",
            "  + new input door, one for the station",
            "  ~ input bell is now one for each connector (was one for the station)",
            "  - output horn is gone, one for the station",
        ],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_difference_in_words(case, tmp_path):
    edits, expected = CASES[case]
    assert lines(read(tmp_path / "old"), read(tmp_path / "new", *edits)) == expected


HALL = """
    chart: hall
    scope: station
    initial: Calm
    guards: {calm: level < 3}
    states: {Calm: {on: {noise: {guard: calm, target: Loud}}}, Loud: {}}
"""


def test_charts_that_come_and_go(tmp_path):
    two = read(tmp_path / "two")
    three = read(tmp_path / "three", charts=("hall", "gate", "lamp"), extra=HALL)
    assert lines(two, three) == [
        "index.yaml",
        "  + new chart hall, one for the station, offered events first",
        "      states: Calm, Loud",
        "      Calm: on noise if [calm] goes to Loud",
    ]
    assert lines(three, two) == [
        "index.yaml",
        "  - chart hall is gone, one for the station",
        "      states: Calm, Loud",
        "      Calm: on noise if [calm] goes to Loud",
    ]
    assert compare(two, three).changed_charts() == ["hall"]


def test_charts_in_another_order(tmp_path):
    one = read(tmp_path / "one", charts=("hall", "gate", "lamp"), extra=HALL)
    other = read(tmp_path / "other", charts=("gate", "lamp", "hall"), extra=HALL)
    assert lines(one, other) == [
        "index.yaml",
        "  ~ charts are offered events in another order: hall after lamp (was first)",
    ]


def test_a_chart_that_has_a_guard_of_that_name_is_not_concerned_by_the_shared_one(tmp_path):
    one = read(tmp_path / "one", charts=("gate", "lamp", "hall"), extra=HALL)
    other = read(tmp_path / "other", ("level < 9", "level < 8"), charts=("gate", "lamp", "hall"), extra=HALL)
    [(chart, fact)] = compare(one, other).facts
    assert (chart, [name for name, _ in fact.concerned]) == ("", ["lamp"])
    assert compare(one, other).changed_charts() == ["lamp"]


# -- no difference -----------------------------------------------------------------------------------------

REWRITTEN = GATE.replace("description: A gate.", "description: Another text.   # and a remark").replace(
    "safe: (path.clear or forced) and not in(lamp.Broken)",
    "safe: [not  in(lamp.Broken), forced or path.clear]",
)


def test_places_comments_texts_and_brackets_are_no_difference(tmp_path):
    old = read(tmp_path / "old")
    charts = {"gate": "\n\n" + REWRITTEN, "lamp": LAMP}
    diff = compare(old, read_charts(tmp_path / "new", charts, INDEX))
    assert as_text(diff) == NOTHING == "No change in behaviour."
    assert diff.changed_charts() == []


@pytest.fixture(scope="module")
def shipped():
    return reader.read_set(SHIPPED)[0]


def alone(shipped, chart):
    """A set of this chart, with what index.yaml gives it."""
    return replace(shipped, charts={chart.name: chart})


def elsewhere(part):
    return replace(part, mark=Mark("elsewhere", part.mark.line + 7, 1))


def test_the_order_of_states_and_of_what_does_not_compete_is_no_difference(shipped):
    for chart in shipped.charts.values():
        states = {}
        for name, state in reversed(chart.states.items()):
            groups = {}
            for one in state.transitions:
                groups.setdefault(one.key, []).append(elsewhere(one))
            ways = tuple(one for key in reversed(groups) for one in groups[key])
            states[name] = replace(elsewhere(state), transitions=ways, children=state.children[::-1])
        other = replace(chart, states={"": states.pop("")} | states)
        assert compare(alone(shipped, chart), alone(shipped, other)).facts == []


def test_the_order_of_two_with_the_same_effect_is_no_difference(tmp_path):
    text = "chart: c\nscope: station\ninitial: A\nstates: {A: {on: {e: [WAYS]}}, B: {}}"
    ways = ["{guard: x, target: B}", "{guard: y, target: B}", "{guard: z, target: A}"]
    first, second, third = (
        read_charts(tmp_path / name, {"c": text.replace("WAYS", ", ".join(order))})
        for name, order in {
            "1": ways,
            "2": [ways[1], ways[0], ways[2]],
            "3": [ways[0], ways[2], ways[1]],
        }.items()
    )
    assert compare(first, second).facts == []
    [(_, fact)] = compare(first, third).facts
    assert (fact.subject, fact.old) == ("order", (1, 3, 2))


def with_transitions(chart, name, ways):
    state = replace(chart.states[name], transitions=tuple(ways))
    return replace(chart, states=dict(chart.states) | {name: state})


def test_whatever_is_taken_out_of_a_shipped_chart_is_told_and_nothing_else(shipped):
    """Every transition, guard, reply and list of actions in turn; both ways round."""
    for chart in shipped.charts.values():
        for one in chart.transitions():
            ways = chart.states[one.source].transitions
            place = next(number for number, other in enumerate(ways) if other is one)
            without = [with_transitions(chart, one.source, (*ways[:place], *ways[place + 1 :]))]
            for nothing in ({"guard": None}, {"reply": None}, {"actions": ()}):
                if any(getattr(one, key) != value for key, value in nothing.items()):
                    changed = (*ways[:place], replace(one, **nothing), *ways[place + 1 :])
                    without.append(with_transitions(chart, one.source, changed))
            for other in without:
                for pair in ((chart, other), (other, chart)):
                    diff = compare(*(alone(shipped, side) for side in pair))
                    assert len(diff.facts) == 1, as_text(diff)
                    [(name, fact)] = diff.facts
                    assert (name, fact.subject, fact.name) == (chart.name, "transition", one.source)
                    assert as_text(diff).splitlines()[1][4:].startswith(one.source or "everywhere")


def test_every_state_of_a_shipped_chart_can_get_another_name(shipped):
    for chart in shipped.charts.values():
        for name in filter(None, chart.states):
            other = read_again(shipped, chart, name)
            facts = compare(shipped, other).facts
            assert [(where, fact.subject, fact.old, fact.new) for where, fact in facts] == [
                (chart.name, "name", name, "Renamed")
            ]


def read_again(shipped, chart, name):
    """The shipped charts with one state named otherwise."""

    def ref(part, here):
        if isinstance(part, model.In):
            names = {f"{chart.name}.{name}": f"{chart.name}.Renamed"} | ({name: "Renamed"} if here else {})
            return replace(part, ref=names.get(part.ref, part.ref))
        if isinstance(part, model.Tries):
            return replace(part, state="Renamed" if here and part.state == name else part.state)
        return part

    def expr(part, here):
        match part:
            case model.And() | model.Or():
                return replace(part, parts=tuple(expr(inner, here) for inner in part.parts))
            case model.Not():
                return replace(part, part=expr(part.part, here))
            case model.Compare():
                return replace(part, left=ref(part.left, here), right=ref(part.right, here))
            case None:
                return None
        return ref(part, here)

    def state_name(one):
        return "Renamed" if one == name else one

    def uses(them, here):
        return tuple(
            replace(use, arguments=tuple((key, ref(value, here)) for key, value in use.arguments))
            for use in them
        )

    def transition(one, here):
        return replace(
            one,
            guard=expr(one.guard, here),
            actions=uses(one.actions, here),
            **({"source": state_name(one.source), "target": state_name(one.target)} if here else {}),
        )

    charts = {}
    for other in shipped.charts.values():
        here = other is chart
        states = {}
        for one in other.states.values():
            changed = replace(
                one,
                transitions=tuple(transition(way, here) for way in one.transitions),
                entry=uses(one.entry, here),
                exit=uses(one.exit, here),
            )
            if here:
                changed = replace(
                    changed,
                    name=state_name(one.name),
                    parent=state_name(one.parent),
                    initial=state_name(one.initial),
                    children=tuple(map(state_name, one.children)),
                )
            states[changed.name] = changed
        charts[other.name] = replace(
            other,
            states=states,
            guards={key: expr(guard, here) for key, guard in other.guards.items()},
            invariants=tuple(
                replace(
                    one,
                    never=expr(one.never, here),
                    then=expr(one.then, here),
                    home=state_name(one.home) if here else one.home,
                )
                for one in other.invariants
            ),
        )
    guards = {key: expr(guard, here=False) for key, guard in shipped.guards.items()}
    invariants = tuple(
        replace(one, never=expr(one.never, here=False), then=expr(one.then, here=False))
        for one in shipped.invariants
    )
    return replace(shipped, charts=charts, guards=guards, invariants=invariants)


# -- conditions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "a and (b or not c) and not (d and e)",
        "x == 'a b' or tries(S) < 3 or in(A, event.connector) == here",
        "clock.between(22:00, 06:30) and Key >= 2 and event.x != none",
    ],
)
def test_a_condition_is_shown_as_it_is_written(text):
    assert expression_text(parse_guard(text, HERE)) == text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a and b", "a or b"),
        ("a == 1", "a == '1'"),
        ("a == true", "a == 1"),
        ("in(A)", "any(A)"),
        ("tries(A) < 2", "tries(B) < 2"),
        ("clock.between(22:00, 06:00)", "clock.between(22:00, 07:00)"),
        ("in(A, here)", "in(A)"),
        ("a == b", "a != b"),
        ("event.a", "a"),
    ],
)
def test_conditions_that_are_not_the_same(one, other, tmp_path):
    text = "chart: c\nscope: station\ninitial: A\nstates: {A: {on: {e: {guard: GUARD, target: B}}}, B: {}}"
    sides = [
        read_charts(tmp_path / name, {"c": text.replace("GUARD", f'"{guard}"')})
        for name, guard in (("one", one), ("other", other))
    ]
    [(_, fact)] = compare(*sides).facts
    assert fact.subject == "transition"


# -- forms -------------------------------------------------------------------------------------------------


def test_markdown_for_a_pull_request(tmp_path):
    old, new = (
        read(tmp_path / "old"),
        read(tmp_path / "new", ("level < 9", "level < 8"), ("{2s: Fast}", "{3s: Fast}")),
    )
    links = {"gate": "out/gate.diff.svg", "lamp": "out/lamp.diff.svg"}
    assert as_markdown(compare(old, new), "main:charts", "charts", links).split("\n") == [
        "### Behaviour: `main:charts` → `charts`",
        "",
        "2 changes in behaviour, in index.yaml, gate.",
        "",
        "**index.yaml**",
        "",
        "- **~** guard `calm` is now `[level < 8 or in(gate.Held)]` (was `[level < 9 or in(gate.Held)]`)",
        "  - concerns lamp: Dark always `[in(free) and calm]` → Bright",
        "",
        "**gate**",
        "",
        "- **~** Slow: after `3s` (was `2s`) goes to Fast",
        "",
        "![gate: what changed](out/gate.diff.svg)",
        "",
        "![lamp: what changed](out/lamp.diff.svg)",
    ]


def test_markdown_folds_what_is_long(tmp_path):
    reds = ", ".join(f"e{number}: Dark" for number in range(9))
    old, new = (
        read(tmp_path / "old"),
        read(tmp_path / "new", ("{bulb.changed: Dark}", f"{{bulb.changed: Dark, {reds}}}")),
    )
    text = as_markdown(compare(old, new), "a", "b", {})
    assert (
        "<details><summary><b>lamp</b>: 9 changes</summary>\n\n- **+** Broken: new: on `e0` goes to Dark\n"
        in text
    )
    assert text.endswith("on `e8` goes to Dark\n\n</details>")


def test_json_has_what_the_text_has(tmp_path):
    old, new = (
        read(tmp_path / "old"),
        read(tmp_path / "new", ("{2s: Fast}", "{3s: Fast}"), ("{Fee: 3}", "{Fee: 4}")),
    )
    found = json.loads(as_json(compare(old, new), "a", "b", {"gate": "x.svg"}))
    assert found == {
        "old": "a",
        "new": "b",
        "changes": [
            {
                "chart": None,
                "kind": "changed",
                "subject": "setting",
                "name": "Fee",
                "text": "setting Fee is now 4 (was 3)",
                "details": [],
            },
            {
                "chart": "gate",
                "kind": "changed",
                "subject": "transition",
                "name": "Slow",
                "text": "Slow: after 3s (was 2s) goes to Fast",
                "details": [],
            },
        ],
        "pictures": {"gate": "x.svg"},
    }
