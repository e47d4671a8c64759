"""The step: who hears what, in which order, and what must never happen.

The charts are tiny and made for one question each; `play.py` gives them every word they use.
"""

import random
import textwrap
from pathlib import Path
from typing import Any

import pytest
from play import Play

from charger.statechart import ensemble, model
from charger.statechart.ensemble import BrokenPromiseError, Moved
from charger.statechart.event import Event


@pytest.fixture
def play(tmp_path: Path) -> Any:
    """Charts given as text, running. A chart `a` is in a file of that name."""
    count = iter(range(100))

    def make(*texts: str, **more: Any) -> Play:
        charts = {text.split("chart: ")[1].split()[0]: text for text in texts}
        return Play(tmp_path / str(next(count)), charts, **more)

    return make


def chart(name: str, body: str, scope: str = "station") -> str:
    return f"chart: {name}\nscope: {scope}\ninitial: A\n" + textwrap.dedent(body)


def listener(name: str, scope: str = "station", event: str = "bell") -> str:
    return chart(name, f"states: {{A: {{on: {{{event}: {{actions: [{name}.heard]}}}}}}}}", scope)


# -- starting ------------------------------------------------------------------------------------------


def test_every_chart_begins_at_its_initial_state_and_comes_to_rest(play: Any) -> None:
    made = play(
        chart("a", "states: {A: {always: {guard: is.ready, target: B}}, B: {entry: [b.entered]}}"),
        chart("c", "states: {A: {entry: [a.entered]}}", "connector"),
        facts={"is.ready": True},
        connectors=2,
    )
    assert made.world.log == ["a.entered@1", "a.entered@2", "b.entered@0"]
    assert (made.state("a"), made.state("c", 1), made.state("c", 2)) == ("B", "A", "A")


def test_states_are_told_from_the_outermost(play: Any) -> None:
    made = play(chart("a", "states: {A: {initial: B, states: {B: {}}}}"), listener("c", "connector"))
    assert list(made.ensemble.states()) == [("a", 0, ("A", "B")), ("c", 1, ("A",))]


def test_a_big_station_starts_too(play: Any) -> None:
    """The budget of a step is for each connector."""
    made = play(*(listener(f"c{number}", "connector") for number in range(10)), connectors=60)
    assert len(made.ensemble.moves) == 600
    assert len(made.send("bell")) == 600


# -- the order of a step -------------------------------------------------------------------------------

TWO_WAYS = """
states:
  A:
    always: {guard: is.ready, target: ByItself}
    on: {ready.came: ByEvent}
  ByEvent:
  ByItself:
"""


def test_the_event_changes_its_facts_first_and_is_heard_before_always(play: Any) -> None:
    made = play(chart("a", TWO_WAYS), reports={"ready.came": "is.ready"})
    made.send("ready.came")
    assert made.world.facts["is.ready"] is True
    assert made.state("a") == "ByEvent"


def test_without_a_transition_for_the_event_always_sees_the_fact(play: Any) -> None:
    made = play(
        chart("a", TWO_WAYS.replace("on: {ready.came", "on: {other")), reports={"ready.came": "is.ready"}
    )
    made.send("ready.came")
    assert made.state("a") == "ByItself"


def test_a_chart_comes_to_rest_before_another_one_looks_at_it(play: Any) -> None:
    passing = """
    states:
      A: {on: {go: Junction}}
      Junction: {tags: [passing], always: {target: B}}
      B:
    """
    watcher = """
    states:
      A:
        on: {go: {guard: in(passing), target: Saw}}
        always: {guard: in(passing), target: Saw}
      Saw:
    """
    for texts in ([chart("a", passing), chart("w", watcher)], [chart("w", watcher), chart("a", passing)]):
        made = play(*texts)
        made.send("go")
        assert (made.state("a"), made.state("w")) == ("B", "A")


def test_the_event_is_offered_in_index_order_and_always_afterwards_to_all(play: Any) -> None:
    first = """
    states:
      A: {on: {go: B}}
      B: {always: {guard: in(second.B), target: C}}
      C: {entry: [first.c]}
    """
    second = "states: {A: {on: {go: {target: B, actions: [second.go]}}}, B: }"
    made = play(chart("first", first), chart("second", second))
    assert made.send("go") == ["second.go@0", "first.c@0"]
    assert [move.target for move in made.ensemble.moves] == ["B", "B", "C"]


def test_always_goes_round_until_nobody_moves_any_more(play: Any) -> None:
    made = play(
        chart("a", "states: {A: {always: {guard: in(b.B), target: B}}, B: }"),
        chart("b", "states: {A: {always: {guard: in(c.B), target: B}}, B: }"),
        chart("c", "states: {A: {on: {go: B}}, B: }"),
    )
    made.send("go")
    assert [made.state(name) for name in "abc"] == ["B", "B", "B"]


def test_signals_wait_until_all_rest_and_come_one_after_the_other(play: Any) -> None:
    raiser = """
    states:
      A: {on: {go: {target: B, actions: [raise: a.one, raise: a.two, said.both]}}}
      B: {always: {target: C}}
      C: {entry: [came.to_rest]}
    """
    hearer = """
    states:
      A:
        on:
          a.one: {actions: [heard.one, raise: b.three]}
          a.two: {actions: [heard.two]}
          b.three: {actions: [heard.three]}
    """
    made = play(chart("a", raiser), chart("b", hearer))
    assert made.send("go") == ["said.both@0", "came.to_rest@0", "heard.one@0", "heard.two@0", "heard.three@0"]


def test_actions_run_in_the_order_exit_transition_entry(play: Any) -> None:
    body = """
    states:
      A:
        exit: [left.outer]
        initial: B
        states: {B: {exit: [left.inner], on: {go: {target: C, actions: [first.action, second.action]}}}}
      C: {entry: [entered.outer], initial: D, states: {D: {entry: [entered.inner]}}}
    """
    assert play(chart("a", body)).send("go") == [
        *("left.inner@0", "left.outer@0"),
        *("first.action@0", "second.action@0"),
        *("entered.outer@0", "entered.inner@0"),
    ]


def test_arguments_are_taken_from_facts_the_event_and_the_place(play: Any) -> None:
    body = """
    states:
      A:
        on:
          go:
            actions:
              - show.it: {tag: event.tag, at: here, fact: is.fact, word: Local, free: first(a.A)}
    """
    made = play(chart("a", body, "connector"), facts={("is.fact", 2): 7}, connectors=2)
    assert made.send("go", 2, tag="T") == ["show.it@2 tag=T at=2 fact=7 word=Local free=1"]


def test_every_move_is_told_for_traces(play: Any) -> None:
    made = play(chart("a", "states: {A: {on: {go: B}}, B: {always: {guard: is.x, target: A}}}"))
    moves = made.ensemble.step(Event("go", moment=made.moment()))
    (transition,) = made.charts.charts["a"].states["A"].transitions
    assert moves == [Moved("a", 0, "A", "B", transition)]


def test_the_moves_of_the_start_have_no_transition(play: Any) -> None:
    made = play(listener("a"))
    assert made.ensemble.moves == [Moved("a", 0, "", "A", None)]


def test_what_nobody_hears_is_counted_and_no_error(play: Any) -> None:
    made = play(chart("a", "states: {A: {on: {go: {guard: is.x, target: A}}}}"))
    made.send("go")
    made.send("no.such_event")
    assert made.ensemble.unheard == {"go": 1, "no.such_event": 1}


def test_an_event_that_the_present_state_does_not_wait_for_moves_nothing(play: Any) -> None:
    made = play(chart("a", "states: {A: {on: {go: B}}, B: {on: {back: A}}}"))
    assert made.ensemble.step(Event("back")) == []
    assert made.ensemble.unheard == {"back": 1}


def test_an_observer_is_told_of_guards_answered_and_transitions_taken(play: Any) -> None:
    seen: list[Any] = []
    body = "states: {A: {on: {go: [{guard: is.x, target: A}, {guard: is.y, target: A}]}}}"
    made = play(
        chart("a", body),
        facts={"is.y": True},
        observer=lambda name, transition, what: seen.append((name, transition.guard_text, what)),
    )
    made.send("go")
    assert seen == [("a", "is.x", False), ("a", "is.y", True), ("a", "is.y", None)]


def test_what_an_action_brings_about_is_heard_later_in_the_same_step(play: Any) -> None:
    body = """
    states:
      A:
        on:
          go: {actions: [post.it: {event: "came.of_it"}, then.this]}
          came.of_it: {actions: [saw.it: {by: event.by}]}
    """
    assert play(chart("a", body)).send("go") == [
        "post.it@0 event=came.of_it",
        "then.this@0",
        "saw.it@0 by=go",
    ]


def test_what_the_situation_brings_about_at_rest_is_heard_in_the_same_step(play: Any) -> None:
    made = play(chart("a", "states: {A: {on: {go: B}}, B: {on: {one: {actions: [heard.one]}, two: A}}}"))
    made.world.posts_at_rest = ["one", "two"]
    assert made.send("go") == ["heard.one@0"]
    assert made.state("a") == "A"


# -- who hears what ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("connector", "heard"),
    [
        (None, ["s.heard@0", "c.heard@1", "c.heard@2", "both.heard@0", "both.heard@1", "both.heard@2"]),
        (1, ["s.heard@0", "c.heard@1", "both.heard@1"]),
        (2, ["s.heard@0", "c.heard@2", "both.heard@2"]),
        (0, ["s.heard@0", "both.heard@0"]),
    ],
)
def test_an_event_is_heard_at_its_connector_and_by_the_station(
    play: Any, connector: int | None, heard: list[str]
) -> None:
    made = play(
        listener("s"), listener("c", "connector"), listener("both", "[station, connector]"), connectors=2
    )
    assert made.send("bell", connector) == heard


@pytest.mark.parametrize(
    ("scope", "number", "raised", "heard"),
    [
        ("connector", 2, "s.bell", ["s.heard@0", "c.heard@2"]),
        ("connector", 2, "{s.bell: {connector: 1}}", ["s.heard@0", "c.heard@1"]),
        ("station", None, "s.bell", ["s.heard@0", "c.heard@1", "c.heard@2"]),
        ("station", None, "{s.bell: {connector: 2}}", ["s.heard@0", "c.heard@2"]),
    ],
)
def test_a_signal_of_a_connector_carries_its_number_unless_told_otherwise(
    play: Any, scope: str, number: int | None, raised: str, heard: list[str]
) -> None:
    raiser = chart("r", f"states: {{A: {{on: {{go: {{actions: [raise: {raised}]}}}}}}}}", scope)
    made = play(
        listener("s", event="s.bell"), listener("c", "connector", event="s.bell"), raiser, connectors=2
    )
    assert made.send("go", number) == heard


def test_a_signal_carries_its_fields(play: Any) -> None:
    raiser = chart("r", "states: {A: {on: {go: {actions: [raise: {r.told: {tag: event.tag}}]}}}}")
    hearer = chart("h", "states: {A: {on: {r.told: {actions: [heard.it: {tag: event.tag}]}}}}")
    assert play(raiser, hearer).send("go", tag="T") == ["heard.it@0 tag=T"]


def test_one_transition_per_chart_is_taken_for_one_event(play: Any) -> None:
    made = play(chart("a", "states: {A: {on: {go: B}}, B: {on: {go: A}}}"))
    made.send("go")
    assert made.state("a") == "B"


# -- calls ---------------------------------------------------------------------------------------------


def test_a_call_is_answered_by_the_transition_that_takes_it(play: Any) -> None:
    body = """
    states:
      A:
        on:
          ocpp.Reset:
            - {guard: event.type == Soft, target: B, reply: Accepted}
            - {reply: {error: NotSupported}}
          ocpp.Other: {reply: {answer.make: {key: event.key}}}
      B:
    """
    made = play(chart("a", body))
    assert made.send("ocpp.Other", call="c1", key="K") == ["c1: ocpp.Other {'made': 0, 'key': 'K'}"]
    assert made.send("ocpp.Reset", call="c2", type="Hard") == ["c2: NotSupported!"]
    assert made.send("ocpp.Reset", call="c3", type="Soft") == ["c3: ocpp.Reset {'status': 'Accepted'}"]


def test_a_call_to_a_connector_is_not_heard_by_the_station_nor_the_other_way_round(play: Any) -> None:
    def answering(name: str, scope: str) -> str:
        body = f"states: {{A: {{on: {{ocpp.Unlock: {{reply: Accepted, actions: [{name}.did]}}}}}}}}"
        return chart(name, body, scope)

    made = play(answering("s", "station"), answering("c", "connector"), connectors=2)
    assert made.send("ocpp.Unlock", 2, call="c1") == ["c.did@2", "c1: ocpp.Unlock {'status': 'Accepted'}"]
    assert made.send("ocpp.Unlock", call="c2") == ["s.did@0", "c2: ocpp.Unlock {'status': 'Accepted'}"]


def test_the_wildcard_takes_the_calls_that_no_chart_of_its_scope_mentions(play: Any) -> None:
    named = "states: {A: {on: {ocpp.Unlock: {reply: Accepted}}}}"
    wild = "states: {A: {on: {ocpp.*: {reply: {error: NotSupported}}}}}"
    made = play(chart("c", named, "connector"), chart("w", wild, "[station, connector]"))
    assert made.send("ocpp.Unlock", 1, call="c1") == ["c1: ocpp.Unlock {'status': 'Accepted'}"]
    assert made.send("ocpp.Unlock", call="c2") == ["c2: NotSupported!"]
    assert made.send("ocpp.Reset", 1, call="c3") == ["c3: NotSupported!"]


def test_a_call_left_unanswered_gets_an_internal_error(play: Any) -> None:
    """The checks prove that it cannot happen; the Central System would wait for ever all the same."""
    made = play(chart("a", "states: {A: {on: {ocpp.Reset: {guard: is.x, reply: Accepted}}}}"))
    assert made.send("ocpp.Reset", call="c1") == ["c1: InternalError!"]
    assert made.send("ocpp.Other", call="c2") == ["c2: InternalError!"]


DEBTOR = """
states:
  A: {on: {ocpp.Unlock: {target: Owing, reply: later}}}
  Owing:
    on:
      paid: {target: A, reply: {ocpp.Unlock: Accepted}}
      failed: {target: A, reply: {ocpp.Unlock: {error: InternalError}}}
      made: {target: A, reply: {ocpp.Unlock: {answer.make: {key: event.key}}}}
      ocpp.Unlock: {target: Owing, reply: later}
      link.lost: {actions: [debts.forget]}
"""


@pytest.mark.parametrize(
    ("event", "answer"),
    [
        ("paid", "c1: ocpp.Unlock {'status': 'Accepted'}"),
        ("failed", "c1: InternalError!"),
        ("made", "c1: ocpp.Unlock {'made': 1, 'key': 'K'}"),
    ],
)
def test_an_answer_owed_is_paid_later_with_the_id_of_its_call(play: Any, event: str, answer: str) -> None:
    made = play(chart("a", DEBTOR, "connector"))
    assert made.send("ocpp.Unlock", 1, call="c1") == []
    assert made.send(event, 1, key="K") == [answer]


def test_every_connector_has_its_own_debts(play: Any) -> None:
    made = play(chart("a", DEBTOR, "connector"), connectors=2)
    made.send("ocpp.Unlock", 1, call="c1")
    made.send("ocpp.Unlock", 2, call="c2")
    assert made.send("paid", 2) == ["c2: ocpp.Unlock {'status': 'Accepted'}"]
    assert made.send("paid", 1) == ["c1: ocpp.Unlock {'status': 'Accepted'}"]


def test_a_newer_call_of_the_same_kind_takes_the_place_of_the_debt(play: Any) -> None:
    made = play(chart("a", DEBTOR))
    made.send("ocpp.Unlock", call="c1")
    assert made.send("ocpp.Unlock", call="c2") == []
    assert made.send("paid") == ["c2: ocpp.Unlock {'status': 'Accepted'}"]


def test_a_lost_link_cancels_what_is_owed(play: Any) -> None:
    made = play(chart("a", DEBTOR))
    made.send("ocpp.Unlock", call="c1")
    made.send("link.lost")
    assert made.send("paid") == []
    assert made.state("a") == "A"


# -- answers to what was asked -------------------------------------------------------------------------

ASKING = """
states:
  A: {on: {go: Asking}}
  Asking:
    entry: [ask.card]
    on:
      card.accepted: {target: Accepted}
      again: Asking
      stay: {actions: [stayed.here]}
      away: A
  Accepted:
"""


def test_an_answer_comes_to_the_instance_that_asked_and_to_nobody_else(play: Any) -> None:
    made = play(chart("a", ASKING, "connector"), connectors=2)
    made.send("go")
    first, second = made.world.tokens
    made.send("card.accepted", token=second)
    assert (made.state("a", 1), made.state("a", 2)) == ("Asking", "Accepted")
    made.send("card.accepted", token=first)
    assert made.state("a", 1) == "Accepted"


def test_an_answer_counts_while_the_state_has_not_been_left(play: Any) -> None:
    made = play(chart("a", ASKING))
    made.send("go")
    assert made.send("stay") == ["stayed.here@0"]
    made.send("card.accepted", token=made.world.tokens[-1])
    assert made.state("a") == "Accepted"


@pytest.mark.parametrize("event", ["again", "away"])
def test_an_answer_that_comes_too_late_is_not_heard(play: Any, event: str) -> None:
    made = play(chart("a", ASKING))
    made.send("go")
    token = made.world.tokens[-1]
    made.send(event)
    before = made.state("a")
    made.send("card.accepted", token=token)
    assert made.state("a") == before
    assert made.ensemble.unheard["card.accepted"] == 1


def test_an_answer_comes_once(play: Any) -> None:
    made = play(
        chart("a", ASKING.replace("card.accepted: {target: Accepted}", "card.accepted: {actions: [got.it]}"))
    )
    made.send("go")
    token = made.world.tokens[-1]
    assert made.send("card.accepted", token=token) == ["got.it@0"]
    assert made.send("card.accepted", token=token) == []
    assert made.send("card.accepted", token=99) == []


def test_an_answer_is_for_the_state_in_which_the_asking_step_came_to_rest(play: Any) -> None:
    body = """
    states:
      A: {on: {go: {target: B, actions: [ask.card]}}}
      B: {always: {target: C}}
      C: {on: {card.accepted: {actions: [got.it]}}}
    """
    made = play(chart("a", body))
    made.send("go")
    assert made.send("card.accepted", token=made.world.tokens[-1]) == ["got.it@0"]


# -- statuses ------------------------------------------------------------------------------------------


def test_the_status_is_read_when_all_charts_rest(play: Any) -> None:
    body = """
    states:
      A: {status: Available, on: {go: B}}
      B: {status: Preparing, always: {target: C}}
      C: {status: Charging, on: {on: D, back: A}}
      D: {on: {on: C}}
    """
    made = play(chart("a", body, "connector"), connectors=2)
    assert made.world.log == ["status 1 Available (station.started)", "status 2 Available (station.started)"]
    assert made.send("go", 1) == ["status 1 Charging (go)"]
    assert made.send("on", 1) == [], "a state without a status leaves it as it was"
    assert (made.ensemble.status(1), made.ensemble.status(2), made.ensemble.status(0)) == (
        "Charging",
        "Available",
        "",
    )


def test_a_status_is_read_before_the_next_signal_is_heard(play: Any) -> None:
    body = """
    states:
      A: {status: Available, on: {go: {target: B, actions: [raise: a.next]}}}
      B: {status: Preparing, on: {a.next: C}}
      C: {status: Charging}
    """
    assert play(chart("a", body)).send("go") == ["status 0 Preparing (go)", "status 0 Charging (a.next)"]


def test_there_is_no_status_before_the_first_step(play: Any) -> None:
    made = play(chart("a", "states: {A: {status: Available}}"), start=False)
    assert made.ensemble.status(0) == ""


# -- tries ---------------------------------------------------------------------------------------------


def test_tries_count_entries_since_the_state_around_was_entered(play: Any) -> None:
    body = """
    states:
      A:
        initial: Trying
        on: {anew: A}
        states:
          Trying: {on: {failed: Waiting}}
          Waiting:
            on:
              again: [{guard: tries(Trying) >= 3, target: GivenUp}, {target: Trying}]
          GivenUp:
    """
    made = play(chart("a", body))

    def try_once() -> str:
        made.send("failed")
        made.send("again")
        return str(made.state("a"))

    assert [try_once(), try_once(), try_once()] == ["Trying", "Trying", "GivenUp"]
    made.send("anew")
    assert [try_once(), try_once(), try_once()] == ["Trying", "Trying", "GivenUp"]


def test_every_instance_counts_its_own_tries(play: Any) -> None:
    body = """
    states:
      A:
        initial: B
        states:
          B: {on: {go: [{guard: tries(B) >= 2, target: C}, {target: B}]}}
          C:
    """
    made = play(chart("a", body, "connector"), connectors=2)
    made.send("go", 1)
    made.send("go", 1)
    made.send("go", 2)
    assert (made.state("a", 1), made.state("a", 2)) == ("C", "B")


# -- promises ------------------------------------------------------------------------------------------


def test_a_step_that_does_not_come_to_rest_is_broken_off(play: Any) -> None:
    body = "states: {A: {on: {go: B}}, B: {always: {target: C}}, C: {always: {target: B}}}"
    made = play(chart("a", body))
    with pytest.raises(
        BrokenPromiseError,
        match=r"the step does not come to rest: 'a' still moves in '[BC]' \[charts/a.yaml:4\]",
    ):
        made.send("go")
    assert len(made.ensemble.moves) == ensemble.STEP_BUDGET


def test_signals_that_chase_each_other_are_broken_off_too(play: Any) -> None:
    body = "states: {A: {on: {go: {actions: [raise: a.ping]}, a.ping: {actions: [raise: a.ping]}}}}"
    with pytest.raises(BrokenPromiseError, match="does not come to rest"):
        play(chart("a", body)).send("go")


NEVER = "invariants: [{never: in(B) and is.dangerous}]"


def test_what_may_never_be_is_watched_at_every_rest(play: Any) -> None:
    made = play(chart("a", "states: {A: {on: {go: B}}, B: }\n" + NEVER, "connector"), connectors=2)
    made.send("go", 2)
    made.world.facts["is.dangerous", 1] = True
    made.send("tick")
    made.world.facts["is.dangerous", 2] = True
    with pytest.raises(
        BrokenPromiseError, match=r"never in\(B\) and is.dangerous \(connector 2\) \[charts/a.yaml:5\]"
    ):
        made.send("tick")


def test_what_may_never_be_may_be_in_between(play: Any) -> None:
    body = "states: {A: {on: {go: B}}, B: {always: {target: C}}, C: }\n" + NEVER
    made = play(chart("a", body), facts={"is.dangerous": True})
    made.send("go")
    assert made.state("a") == "C"


def test_an_invariant_of_the_whole_set_asks_for_the_station(play: Any) -> None:
    made = play(
        chart("a", "states: {A: {on: {go: B}}, B: }", "connector"),
        index="invariants: [{never: any(a.B) and is.dangerous}]",
        facts={"is.dangerous": True},
        connectors=2,
    )
    with pytest.raises(BrokenPromiseError, match=r"\(connector 0\) \[charts/index.yaml:3\]"):
        made.send("go", 2)


@pytest.mark.parametrize("where", ["chart", "index"])
def test_an_action_may_be_done_only_while_its_condition_holds(play: Any, where: str) -> None:
    promise = "invariants: [{whenever: contactor.close, then: is.locked}]"
    text = chart("a", "states: {A: {on: {go: {actions: [lamp.on, contactor.close]}}}}\n", "connector")
    made = play(text + promise) if where == "chart" else play(text, index=promise)
    made.world.facts["is.locked", 1] = True
    assert made.send("go", 1) == ["lamp.on@1", "contactor.close@1"]
    made.world.facts["is.locked", 1] = False
    with pytest.raises(BrokenPromiseError, match=r"whenever contactor.close then is.locked \(connector 1\)"):
        made.send("go", 1)
    assert made.world.log[-1] == "lamp.on@1", "the action itself was not done"


def test_home_is_for_verify_and_costs_nothing_at_run_time(play: Any) -> None:
    made = play(chart("a", "states: {A: {on: {go: B}}, B: }\ninvariants: [{home: A}]"))
    made.send("go")
    assert made.state("a") == "B"


def test_exceptions_of_actions_pass_through(play: Any) -> None:
    made = play(chart("a", "states: {A: {on: {go: {actions: [raise.error]}}}}"))
    with pytest.raises(ZeroDivisionError):
        made.send("go")


def test_exceptions_of_guards_pass_through(play: Any) -> None:
    made = play(chart("a", "states: {A: {on: {go: {guard: event.x > 3, target: A}}}}"))
    with pytest.raises(TypeError):
        made.send("go", x="three")


# -- order of the charts -------------------------------------------------------------------------------

HOUSE = {
    "plug": """
        states:
          A: {on: {plugged: Plugged}}
          Plugged: {tags: [wants], on: {unplugged: A}}
    """,
    "lock": """
        states:
          A: {always: {guard: in(wants), target: Engaging}}
          Engaging: {entry: [lock.engage], on: {engaged: Engaged}}
          Engaged: {tags: [secured], always: {guard: not in(wants) and in(dead), target: A}}
    """,
    "power": """
        states:
          A: {tags: [dead], always: {guard: in(wants) and in(secured), target: Closed}}
          Closed: {entry: [power.close], exit: [power.open], always: {guard: not in(wants), target: A}}
    """,
}


def test_charts_that_meet_by_tags_do_not_depend_on_their_order(play: Any) -> None:
    outcomes = []
    for seed in range(6):
        names = list(HOUSE)
        random.Random(seed).shuffle(names)
        made = play(*(chart(name, HOUSE[name], "connector") for name in names), connectors=2)
        done = [sorted(made.send(event, 1)) for event in ("plugged", "engaged", "unplugged")]
        outcomes.append((done, {name: made.ensemble.leaves[name] for name in sorted(HOUSE)}))
    assert all(outcome == outcomes[0] for outcome in outcomes)
    assert outcomes[0][0] == [["lock.engage@1"], ["power.close@1"], ["power.open@1"]]


def test_the_chart_first_in_the_index_hears_an_event_first(play: Any) -> None:
    texts = [listener("a"), listener("b")]
    assert play(*texts).send("bell") == ["a.heard@0", "b.heard@0"]
    assert play(*reversed(texts)).send("bell") == ["b.heard@0", "a.heard@0"]


def test_a_set_without_charts_hears_nothing(play: Any) -> None:
    made = play(listener("a"))
    empty = ensemble.Ensemble(model.ChartSet(made.charts.mark, "", {}), made.vocabulary, 1, made.world)
    assert empty.start(Event("station.started")) == []
    assert empty.step(Event("bell")) == []
