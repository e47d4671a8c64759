"""`charger explain`: every word is explained on one screen, by the charts' own lines or a declared example."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from chart_kit import SHIPPED, read_charts, shipped_copy, write_set

from charger.cli import run_command
from charger.statechart import examples, language
from charger.statechart.checks import check
from charger.statechart.lookup import Lookup
from charger.statechart.lookup_text import SCREEN, WIDTH
from charger.statechart.model import ChartSet
from charger.statechart.reader import read_set
from charger.statechart.source import read_text
from charger.statechart.words import FactWord, Vocabulary
from charger.vocabulary import build

HERE = Path(__file__).parent


def explainer(folder: Path) -> Lookup:
    charts, _ = read_set(folder, "charts")
    return Lookup(charts, build(charts))


shipped = explainer(SHIPPED)
everything = explainer(HERE / "ok" / "everything")


def blocks(text: str) -> dict[str, list[str]]:
    """Title → lines, of an explanation."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and not line.startswith(" "):
            found[line] = []
        else:
            found[list(found)[-1]].append(line.strip())
    return found


# -- every name ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [shipped, everything], ids=["shipped", "everything"])
def test_every_name_is_explained_on_one_screen(known: Lookup) -> None:
    names = known.names()
    assert len(names) > 400
    for name in names:
        lines = known.explain(name).splitlines()
        assert 2 <= len(lines) <= SCREEN, name
        assert max(map(len, lines)) <= WIDTH, name
        assert lines[0].startswith(f"{name}: "), name


def test_every_word_of_the_vocabulary_has_an_example_of_at_most_three_lines() -> None:
    vocabulary = build()
    kinds = (vocabulary.events, vocabulary.facts, vocabulary.actions, vocabulary.answers, vocabulary.keys)
    for name in (name for kind in kinds for name in kind):
        text = shipped.explain(name).partition("\n\n" + name)[0]
        example = [line for line in text.splitlines() if line.startswith("    ")]
        assert any(name in line for line in example), f"no example of {name}"


def declared(vocabulary: Vocabulary) -> Iterator[tuple[str, str]]:
    for event in vocabulary.events.values():
        made = [answer.name for answer in vocabulary.answers.values() if event.name in answer.calls]
        yield event.name, examples.event(event, made)
    for fact in vocabulary.facts.values():
        yield fact.name, examples.fact(fact)
    for action in vocabulary.actions.values():
        yield action.name, examples.action(action)
    for answer in vocabulary.answers.values():
        yield answer.name, examples.answer(answer)
    for key in vocabulary.keys.values():
        yield key.name, examples.key(key)


WORDING = (
    "unknown-",
    "missing-",
    "wrong-",
    "bad-",
    "empty-",
    "yaml-",
    "guard-not-boolean",
    "reply-without-call",
)
"""Rules about how something is written; of a chart with nothing but an example in it, the others say much."""


@pytest.mark.parametrize(("name", "example"), list(declared(build())))
def test_a_declared_example_may_be_written_so(name: str, example: str, tmp_path: Path) -> None:
    assert name in example
    inside = "".join(f"  {line}\n" for line in example.splitlines())
    chart = f"chart: c\nscope: connector\ninitial: Waiting\nstates:\n{inside}  Next: {{}}\n"
    findings = check(write_set(tmp_path, {"c": chart}), build).findings
    assert [str(finding) for finding in findings if finding.rule.startswith(WORDING)] == []


def test_an_instant_is_for_the_clock() -> None:
    fact = FactWord("reservation.expiry", "", lambda *_: None, "instant")
    assert examples.fact(fact).endswith("at: {reservation.expiry: Next}")


def test_the_examples_of_the_language_are_yaml_of_at_most_three_lines() -> None:
    for word in language.WORDS.values():
        source = read_text(word.example, "x.yaml")
        assert not source.findings, word.name
        assert source.root, word.name
        assert word.name in word.example
        assert word.example.count("\n") <= 2


def test_the_page_of_the_language_has_every_word_of_it() -> None:
    page = (SHIPPED.parent / "docs" / "charts.md").read_text(encoding="utf-8")
    assert [name for name in language.WORDS if name not in page] == []


def test_every_rule_with_an_example_is_explained() -> None:
    names = {folder.name for folder in (HERE / "err").iterdir() if folder.is_dir()}
    assert {name for name in names if "a rule of `charger check`" not in shipped.explain(name)} == set()


# -- what is said --------------------------------------------------------------------------------------


def test_an_event_says_who_answers_what_and_who_hears_it() -> None:
    ((title, lines),) = blocks(shipped.explain("lock.engaged")).items()
    assert title == "lock.engaged: an event of a connector"
    assert lines[0] == "The plug is locked in."
    assert "answers lock.engage" in lines
    assert next(line for line in lines if line.startswith("heard")).endswith("Engaging → Engaged")
    assert lines[-2:] == ["Engaging:", "on: {lock.engaged: Engaged, lock.failed: Refused}"]


def test_a_call_that_no_chart_mentions_is_heard_as_any() -> None:
    text = shipped.explain("ocpp.ReserveNow")
    assert "answered with Accepted, Faulted, Occupied, Rejected, Unavailable" in text
    assert "heard as ocpp.*  charts/requests.yaml:" in text
    assert "ocpp.ReserveNow: {reply: Accepted}" in text


def test_a_call_may_be_answered_by_the_program() -> None:
    assert "answered by configuration.read" in shipped.explain("ocpp.GetConfiguration")


def test_a_state_shows_ways_in_and_out_with_those_it_inherits() -> None:
    ((title, lines),) = blocks(everything.explain("socket.Locked")).items()
    assert title.startswith("Locked: a state of chart socket  (charts/socket.yaml:")
    assert lines[0] == "status Preparing; tags taken; inside Taken"
    ways = [" ".join(line.split()).partition("socket.yaml:")[2].partition(" ")[2] for line in lines]
    assert ways.index("Locking, on lock.engaged → Locked") < ways.index("Taken, on cable.unplugged → Free")
    assert "Taken, after Patience → Free" in ways
    assert any(re.match(r"Locked, on ev.ready \[session.reason == DeAuth.*… → Free", way) for way in ways)
    assert lines[-3] == "Locked:"


def test_a_name_may_be_a_state_and_a_status() -> None:
    state, status = blocks(shipped.explain("SuspendedEV"))
    assert state.startswith("SuspendedEV: a state of chart connector  (charts/connector.yaml:")
    assert status == "SuspendedEV: an OCPP status of a connector"


def test_a_state_may_be_asked_for_with_its_chart() -> None:
    assert len(blocks(shipped.explain("Idle"))) > 3
    (title,) = blocks(shipped.explain("reset.Idle"))
    assert title.startswith("Idle: a state of chart reset")


def test_a_word_may_be_a_state_a_guard_and_a_word_of_the_protocol_at_once() -> None:
    titles = [title.partition(": ")[2].split("  ")[0] for title in blocks(shipped.explain("Accepted"))]
    assert titles == ["a state of chart registration", "a word of the protocol"]
    titles = [title.partition(": ")[2].split("  ")[0] for title in blocks(shipped.explain("wanted"))]
    assert titles == ["a named guard of chart power", "a named guard of chart lock"]


def test_a_guard_of_the_index_is_asked_everywhere() -> None:
    text = shipped.explain("online")
    assert text.startswith("online: a named guard of all charts  (charts/index.yaml:")
    assert "  in(link.Up) and registered\n" in text
    assert len(set(re.findall(r"charts/(\w+)\.yaml", text))) > 2


def test_a_guard_that_nobody_asks_shows_itself(tmp_path: Path) -> None:
    chart = "chart: c\nscope: station\ninitial: A\nguards:\n  late: clock.between(22:00, 06:00)\nstates: {A: {}}\n"
    charts = read_charts(tmp_path, {"c": chart})
    text = Lookup(charts, build(charts)).explain("late")
    assert text.endswith("    guards:\n      late: clock.between(22:00, 06:00)")


def test_keys_say_type_unit_range_default_and_access() -> None:
    assert "number in s; from 0; default 60; read and written" in shipped.explain("ConnectionTimeOut")
    assert "number in %; from 0 to 100; default 100" in shipped.explain("LightIntensity")
    assert "text; default empty; read and written" in shipped.explain("StopTxnSampledData")
    assert "only read by the Central System" in shipped.explain("NumberOfConnectors")
    assert "a station need not offer it" in shipped.explain("MinimumStatusDuration")


def test_what_the_charts_declare_themselves_is_explained() -> None:
    assert everything.explain("FreeVending").startswith("FreeVending: a configuration key  (charts/index.")
    assert "bool; default true" in everything.explain("FreeVending")
    assert "an event of the station" in everything.explain("door.on")
    assert "actions: ring.on, ring.off, ring.blink" in everything.explain("ring")
    assert "performed  charts/socket.yaml" in everything.explain("ring.blink")
    assert "fields: at, connector, tag" in everything.explain("socket.told")


def test_actions_say_arguments_and_answers() -> None:
    text = " ".join(shipped.explain("ocpp.Authorize").split())
    assert "arguments: idTag: text" in text
    assert "answers come to whoever asked" in text
    assert "watched charts/index.yaml" in text
    assert "answers come to everyone" in shipped.explain("lock.engage")
    assert "arguments of any name: text" in shipped.explain("light.follow")


def test_a_field_says_in_which_events_it_is() -> None:
    text = shipped.explain("event.cause")
    assert "queue.failed: cause: error, offline, timeout" in text
    assert shipped.explain("event.nothing") == ""


def test_words_of_other_languages_say_what_to_write() -> None:
    assert shipped.explain("history").startswith("history: not in the language\n  write a state with only")


def test_places_on_one_line_are_told_once(tmp_path: Path) -> None:
    chart = "chart: c\nscope: station\ninitial: A\nstates:\n  A: {entry: [clock.set, clock.set]}\n"
    charts = read_charts(tmp_path, {"c": chart})
    assert Lookup(charts, build(charts)).explain("clock.set").count("charts/c.yaml") == 1


def test_comments_and_empty_lines_are_no_example(tmp_path: Path) -> None:
    chart = """\
        chart: c
        scope: station
        initial: A
        states:
          A:

            # why
            on:     # this is it

              # another
              link.opened: A
        """
    charts = read_charts(tmp_path, {"c": chart})
    known = Lookup(charts, build(charts))
    assert known.explain("link.opened").endswith("    A:\n      on:     # this is it\n        link.opened: A")
    assert known.explain("on").endswith("    A:\n      on:     # this is it\n        link.opened: A")


def test_charts_with_mistakes_are_explained_too(tmp_path: Path) -> None:
    folder = shipped_copy(tmp_path, ("link.yaml", "link.lost: Down", "link.lsot: Down"))
    charts, _ = read_set(folder, "charts")
    assert isinstance(charts, ChartSet)
    assert Lookup(charts, build(charts)).explain("Down")


# -- names that do not exist ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        *(
            ("lock.engagd", "lock.engaged"),
            ("suspendedev", "SuspendedEV"),
            ("ConectionTimeout", "ConnectionTimeOut"),
        ),
        *(
            ("unknwon-target", "unknown-target"),
            ("alway", "always"),
            ("transaction.stopp", "transaction.stop"),
        ),
    ],
)
def test_the_nearest_name_comes_first(wrong: str, right: str) -> None:
    assert shipped.explain(wrong) == ""
    assert shipped.nearest(wrong)[0] == right


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(HERE / "ok" / "everything")
    assert run_command(["explain", "Patience", "--charts", folder]) == 0
    assert capsys.readouterr().out.startswith("Patience: a configuration key  (")
    assert run_command(["explain", "Patienec", "--charts", folder]) == 2
    assert "; nearest is 'Patience'" in capsys.readouterr().err
    assert run_command(["explain", "qqqqqqq"]) == 2
    assert capsys.readouterr().err.endswith("or charts\n")
    assert run_command(["explain", "on", "--charts", str(tmp_path)]) == 2
    assert "there is no index.yaml" in capsys.readouterr().err
