"""Our semantics beside SCXML's: the W3C's tests that use only what both have, written anew as small charts.

Numbers are those of the W3C's SCXML 1.0 implementation report plan. Each document in scxml/ is run by a small
interpreter of the Recommendation, and, read by `charger convert --from scxml`, by our ensemble; both must take
the expected way. Where ours differs on purpose, the reading says so. Then charts by chance, the other way round.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from chart_kit import write_set
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scxml_reference import Document, LoopError, matches

from charger.statechart import exchange, model, reader
from charger.statechart.ensemble import BrokenPromiseError, Ensemble
from charger.statechart.event import Event, Moment
from charger.statechart.exchange import plain, scxml, scxml_read
from charger.statechart.findings import Finding, Mark
from charger.statechart.model import Chart, ChartSet
from charger.statechart.source import read_text
from charger.statechart.words import ActionWord, Vocabulary

HERE = Path(__file__).parent / "scxml"

SAME = {
    # W3C number: (events from outside, the way that is taken)
    "144": ("", "+Start -Start +Between -Between +Pass"),
    "158": ("", "+Start /do.one /do.two -Start /do.three /do.four +Pass"),
    "355": ("", "+First -First +Pass"),
    "364": (
        "x.next x.next x.next",
        (
            "+ByAttribute +Two -Two -ByAttribute +ByElement +Four -Four -ByElement "
            "+ByOrder +Five +Six -Six -Five -ByOrder +Pass"
        ),
    ),
    "375": ("", "+Start /do.one /do.two -Start +Between -Between +Pass"),
    "377": ("", "+Start -Start /do.one /do.two +Between -Between +Last -Last +Pass"),
    "396": ("x.this", "+Start -Start +Pass"),
    "403a": ("x.a x.b", "+Outer +Inner -Inner +Other -Other -Outer +Pass"),
    "404": (
        "x.go",
        "+Outer +Middle +Inner -Inner /do.inner -Middle /do.middle -Outer /do.outer /do.transition +Pass",
    ),
    "405": ("x.go", "+Start -Start +Next -Next +Second -Second +Third -Third +Pass"),
    "406": ("x.go", "+Start -Start /do.transition +Outer /do.outer +Inner /do.inner -Inner -Outer +Pass"),
    "407": ("", "+Start -Start +Next -Next +Pass"),
    "411": ("", "+Outer +Inner -Inner -Outer +Pass"),
    "413": ("", "+Second +Two -Two -Second +Pass"),
    "419": ("", "+Start -Start +Pass"),
    "421": ("x.go x.outside", "+Start -Start +Waiting -Waiting +Between -Between +Last -Last +Pass"),
    "423": ("x.one x.two x.heard", "+Start -Start +Pass"),
    "436": ("x.go", "+Start -Start +Pass"),
    "503": ("x.stay x.go", "+Start /do.entry /do.stay -Start /do.exit +Pass"),
    "504": (
        "x.self x.side x.back x.end",
        (
            "+Around +Outer +Inner -Inner -Outer +Outer +Inner -Inner -Outer +Side "
            "-Side +Outer +Inner -Inner -Outer -Around +Pass"
        ),
    ),
    "505": (
        "x.in x.in x.end",
        (
            "+Outer +One -One /do.transition +Two -Two /do.two /do.transition +Two "
            "-Two /do.two -Outer /do.outer +Pass"
        ),
    ),
    "506": ("x.self x.end", "+Outer +Inner -Inner -Outer /do.transition +Outer +Inner -Inner -Outer +Pass"),
    "533": ("x.self x.end", "+Start -Start /do.exit +Start -Start /do.exit +Pass"),
}

DIFFERENT = {
    # W3C number: (events, SCXML's way, ours, what the reading says)
    "399": (
        "x.long.name x.other.name x.any",
        "+Start -Start +Second -Second +Third -Third +Pass",
        "+Start -Start +Fail",
        {
            "an event is heard by its whole name, not by the beginning 'x.other.*'",
            "no state hears every event; name those it should",
        },
    ),
    "412": (
        "x.go",
        "+Start /do.start /do.initial +Inner /do.inner -Inner -Start +Pass",
        "+Start /do.start +Inner /do.inner -Inner -Start +Pass",
        {"entering what comes first does nothing of its own"},
    ),
    "416": (
        "x.go x.late",
        "+Outer +Inner -Inner +Ended -Ended -Outer +Pass",
        "+Outer +Inner -Inner +Ended -Ended -Outer +Fail",
        {"no event tells that a final state was entered: 'done.state.Outer'"},
    ),
    "504b": (
        "x.in x.end",
        "+Outer +One -One -Outer +Outer +Two -Two -Outer +Pass",
        "+Outer +One -One +Two -Two -Outer +Pass",
        {'a way inside does not leave the state that declares it: write type="internal"'},
    ),
}


# -- running them --------------------------------------------------------------------------------------


class Host:
    """An ensemble's surroundings, where nothing happens."""

    trace: list[str]

    def start_timer(self, key: str, due: float) -> None: ...
    def cancel_timer(self, key: str) -> None: ...
    def rested(self) -> None: ...

    def wall(self, moment: Moment) -> Moment:
        return moment


class Traced(Ensemble):
    """An ensemble that writes down what is left, done and entered."""

    def _leave(self, instance: Any, state: model.State) -> None:
        if state.name:
            self._host.trace.append(f"-{state.name}")
        super()._leave(instance, state)

    def _enter(self, instance: Any, state: model.State) -> None:
        if state.name:
            self._host.trace.append(f"+{state.name}")
        super()._enter(instance, state)


def words(charts: ChartSet) -> Vocabulary:
    """Every action there is writes its name down."""

    def written_down(name: str) -> ActionWord:
        return ActionWord(name, "", lambda host, _here, _event: host.trace.append(f"/{name}"))

    names = {use.name for chart in charts.charts.values() for use in model.uses(chart) if not use.raises}
    return Vocabulary(actions={name: written_down(name) for name in names})


def our_way(charts: ChartSet, events: list[str]) -> list[str]:
    host = Host()
    host.trace = []
    ensemble = Traced(charts, words(charts), 0, host)
    ensemble.start(Event("station.started", moment=Moment(0.0, 0.0)))
    for event in events:
        ensemble.step(Event(event, moment=Moment(0.0, 0.0)))
    return host.trace


def their_way(document: str, events: list[str]) -> list[str]:
    session = Document(document)
    for event in events:
        session.send(event)
    return session.trace


def imported(path: Path, folder: Path) -> tuple[ChartSet, set[str]]:
    """A document as a set of charts, through the YAML that the command prints."""
    converted = exchange.read("scxml", path, path.name)
    ((file, text),) = converted.texts.items()
    charts, findings = reader.read_set(write_set(folder, {Path(file).stem: text}), "charts")
    assert not findings, [*map(str, findings)]
    return charts, {finding.message for finding in converted.findings}


@pytest.mark.parametrize("number", SAME)
def test_both_take_the_expected_way(number: str, tmp_path: Path) -> None:
    events, way = SAME[number][0].split(), SAME[number][1].split()
    path = HERE / f"{number}.scxml"
    assert their_way(path.read_text(encoding="utf-8"), events) == way
    charts, said = imported(path, tmp_path)
    assert our_way(charts, events) == way
    assert way[-1] == "+Pass"
    assert said == set()


@pytest.mark.parametrize("number", DIFFERENT)
def test_where_ours_differs_on_purpose_the_reading_says_so(number: str, tmp_path: Path) -> None:
    events, theirs, ours, says = DIFFERENT[number]
    path = HERE / f"{number}.scxml"
    assert their_way(path.read_text(encoding="utf-8"), events.split()) == theirs.split()
    charts, said = imported(path, tmp_path)
    assert our_way(charts, events.split()) == ours.split()
    assert said == says


def test_every_document_is_run() -> None:
    assert {path.stem for path in HERE.glob("*.scxml")} == {*SAME, *DIFFERENT}


def test_the_page_lists_them_all() -> None:
    page = (HERE.parents[2] / "docs" / "convert.md").read_text(encoding="utf-8")
    for number in (*SAME, *DIFFERENT):
        assert f"{number}" in page, number


def test_how_descriptors_match() -> None:
    assert matches("a.b", "a.b.c")
    assert not matches("a.b", "a.bc")
    assert matches("x a.*", "a.c")
    assert matches("*", "a")


# -- charts by chance ----------------------------------------------------------------------------------

EVENTS = ("x.a", "x.b", "x.c")
NAMES = "ABCDEFG"


@st.composite
def charts(draw: st.DrawFn, *, timers: bool) -> Chart:
    """Up to seven states in each other, in the subset that both have."""
    names = NAMES[: draw(st.integers(1, len(NAMES)))]
    parents = {name: draw(st.sampled_from(["", *names[:number]])) for number, name in enumerate(names)}

    def actions(least: int = 0) -> list[Any]:
        return draw(
            st.lists(st.sampled_from(["do.a", "do.b", "do.c", {"raise": "x.c"}]), min_size=least, max_size=2)
        )

    def transition(kind: str) -> Any:
        one: dict[str, Any] = {"actions": actions(1)} if draw(st.booleans()) else {}
        if draw(st.booleans()):
            one["guard"] = f"in({draw(st.sampled_from(names))})"
        if kind == "always" or draw(st.booleans()) or not one:
            one["target"] = draw(st.sampled_from(names))
        return one if one.keys() != {"guard"} else {"target": names[0], **one}

    def state(name: str) -> dict[str, Any]:
        children = [child for child in names if parents[child] == name]
        written: dict[str, Any] = {}
        for moment in ("entry", "exit") if name else ():
            if done := actions():
                written[moment] = done
        heard = draw(
            st.dictionaries(
                st.sampled_from(EVENTS), st.lists(st.just("on"), min_size=1, max_size=2), max_size=2
            )
        )
        if heard:
            written["on"] = {event: [transition(kind) for kind in kinds] for event, kinds in heard.items()}
        if name and not children and draw(st.integers(0, 5)) == 5:
            written["always"] = [transition("always")]
        if timers and draw(st.integers(0, 3)) == 3:
            written["after"] = {draw(st.sampled_from(["500ms", "3s", "2m"])): transition("on")}
        if children:
            written |= {
                "initial": draw(st.sampled_from(children)),
                "states": {one: state(one) for one in children},
            }
        elif name and not written and draw(st.booleans()):
            written["type"] = "final"
        return written

    findings: list[Finding] = []
    root = read_text(json.dumps({"chart": "t", "scope": "station", **state("")}), "t.yaml").root
    assert root
    chart = reader._Reader(findings).chart(root, "t", Mark("t.yaml", 1, 1))
    assert chart
    assert not findings, [*map(str, findings)]
    return chart


def read_again(text: str) -> Chart:
    written, findings = scxml_read.read(text, "t.scxml")
    assert not findings, [*map(str, findings)]
    said: list[Finding] = []
    source = read_text(plain.yaml_text(written), "t.yaml")
    assert source.root
    chart = reader._Reader(said).chart(source.root, "t", Mark("t.yaml", 1, 1))
    assert chart
    assert not [*source.findings, *said]
    return chart


CHANCE = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@CHANCE
@given(charts(timers=True))
def test_a_chart_comes_back_as_it_was(chart: Chart) -> None:
    text, _ = scxml.write(chart)
    assert plain.whole(read_again(text)) == plain.whole(chart)


@CHANCE
@given(charts(timers=False), st.lists(st.sampled_from(EVENTS), min_size=4, max_size=12))
def test_a_written_chart_goes_the_same_way_by_the_rules_of_scxml(chart: Chart, events: list[str]) -> None:
    text, _ = scxml.write(chart)
    try:
        ours = our_way(ChartSet(chart.mark, "", {"t": chart}), events)
    except BrokenPromiseError:
        with pytest.raises(LoopError):
            their_way(text, events)
        return
    theirs = [part for part in their_way(text, events) if part[1:] != "t"]
    assert theirs == ours
