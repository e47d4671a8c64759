"""Playing with a station: lines in, lines out; what was done can be undone, explained, and saved as a story."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from rig import checked

from charger.replay.other import run_other
from charger.replay.run import charts_of, replay
from charger.settings import Settings, load
from charger.statechart.event import Event
from charger.stories.language import StoryError, read_line, read_story
from charger.stories.play import play
from charger.stories.simulate import HELP, Line, Simulation
from charger.stories.virtual import VirtualStage
from charger.trace import read

STATION = """\
id: SIM
vendor: V
model: M
central: {url: 'ws://127.0.0.1:9/'}
data: ./data
hardware: simulated
connectors: 2
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "station.yaml").write_text(STATION)
    found, findings, _ = load(tmp_path / "station.yaml", {})
    assert found, findings
    return found


class Table:
    """A simulation, and what it said."""

    def __init__(self, settings: Settings) -> None:
        self.lines: list[Line] = []
        self.simulation = Simulation(settings, checked(), self.lines.append)

    def __call__(self, command: str) -> list[str]:
        """Type a line; gives what was said, without the times."""
        self.lines.clear()
        assert self.simulation.command(command)
        return [re.sub(r"^ *\d+\.\d\d  ", "", line.text) for line in self.lines]


@pytest.fixture
def table(settings: Settings) -> Iterator[Table]:
    found = Table(settings)
    with found.simulation:
        found.simulation.begin()
        yield found


def menu(table: Table) -> list[str]:
    """What can happen now, without the numbers."""
    found = (re.match(r" +\d+  (.+)", line) for line in table("?"))
    return [match[1] for match in found if match]


def status(table: Table) -> dict[int, str]:
    """The statuses in the situation."""
    found = (re.match(r"  connector (\d)  (\w+)", line) for line in table("?"))
    return {int(match[1]): match[2] for match in found if match}


# -- acts ------------------------------------------------------------------------------------------------


def test_an_act_is_told_before_what_moves_and_that_before_what_is_said(table: Table) -> None:
    lines = table("plug 1")
    assert lines[:4] == [
        "plug 1",
        "   connector 1: Available → Preparing/Plugged",
        "   current 1: Empty → Plugged/Moderate",
        "   notification 1: Quiet → Settling → Sending",
    ]
    assert lines[4].startswith(
        '<- StatusNotification {"connectorId": 1, "errorCode": "NoError", "status": "Prep'
    )
    assert lines[5] == "=> StatusNotification {}"
    assert [line.kind for line in table.lines[:6]] == ["act", "moved", "moved", "moved", "said", "told"]


def test_a_call_is_shown_with_its_answer(table: Table) -> None:
    lines = table("call ChangeAvailability {connectorId: 1, type: Inoperative}")
    assert lines[0] == '-> ChangeAvailability {"connectorId": 1, "type": "Inoperative"}'
    assert '<= {"status": "Accepted"}' in lines
    assert status(table) == {1: "Unavailable", 2: "Available"}


def test_the_central_system_answers_as_it_is_told(table: Table) -> None:
    assert table("central Authorize {idTagInfo: {status: Invalid}}") == [
        'central {"Authorize": {"idTagInfo": {"status": "Invalid"}}}'
    ]
    table("plug 1")
    assert '=> Authorize {"idTagInfo": {"status": "Invalid"}}' in table("swipe $tag")
    assert status(table)[1] == "Preparing"
    table("central {Authorize: {error: InternalError}}")
    assert "=> Authorize InternalError" in table("swipe $other")


def test_time_passes(table: Table) -> None:
    table("plug 1")
    assert "   connector 1: Preparing/Plugged → Finishing/Released" in table("+ConnectionTimeOut")
    assert status(table)[1] == "Finishing"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("plug", "a whole number should stand here (type help for the words)"),
        ("plugg 1", "no step begins with 'plugg' — did you mean 'plug'? (type help for the words)"),
        ("plug 7", "'plug' cannot be done: there is no connector 7"),
        ("unplug 1", "'unplug' cannot be done: connector 1: nothing is plugged in"),
        ("ev ready at 1", "'ev' cannot be done: connector 1: no car is plugged in"),
        (
            "+soon",
            "'soon' is no duration: 10s, ConnectionTimeOut, or 3 * ConnectionTimeOut + 5s (type help for the words)",
        ),
        (
            "+99999999999999999999h",
            "'99999999999999999999h' is more than 366 days, the longest time that can be waited for (type help for the words)",
        ),
        (
            "+999999999 * ConnectionTimeOut",
            "'wait' cannot be done: ConnectionTimeOut makes it more than 366 days, the longest time that can be waited for",
        ),
        (
            f"+{'9' * 400} * ConnectionTimeOut",
            "'wait' cannot be done: ConnectionTimeOut makes it more than 366 days, the longest time that can be waited for",
        ),
        (
            "+8000h + 8000h",
            "'wait' cannot be done: the sum makes it more than 366 days, the longest time that can be waited for",
        ),
        ("plug -1", "-1 is out of range: from 0 to 9999 (type help for the words)"),
        ("swipe $nobody", "'swipe' cannot be done: $nobody"),
        ("1", "type ? for a list first"),
        ("save", "save FILE: name the file, like tests/mine/walk.yaml"),
        ("save /nowhere/at/all", "/nowhere/at/all.yaml cannot be written: No such file or directory"),
        ("trace /nowhere/at/all", "/nowhere/at/all cannot be written: No such file or directory"),
        ("trace /dev/null", "/dev/null cannot be written: that is no regular file"),
        ("trace /tmp", "/tmp cannot be written: that is no regular file"),
        ("trace a\0b", "a\0b cannot be written: embedded null byte"),
        ("save a\0b", "a\0b.yaml cannot be written: embedded null byte"),
        ("²", "no step begins with '²' (type help for the words)"),
        ("why " + "9" * 20, f"there is no chart '{'9' * 20}'"),
        ("why 9999", "there is no step 9999: the trace has 1 to 20"),
        ("why conector", "there is no chart 'conector' — did you mean 'connector'?"),
        ("undo", "there is nothing to undo"),
        (
            "expect Heartbeat",
            "only acts can be typed, and +30s; 'expect' is for files (type help for the words)",
        ),
    ],
)
def test_what_cannot_be_done_is_told_and_nothing_happened(table: Table, command: str, told: str) -> None:
    before = status(table) if command != "1" else None
    assert table(command) == [told]
    assert table.lines[0].kind == "wrong"
    assert before in (None, status(table))


def test_without_power_there_is_one_thing_to_do(table: Table) -> None:
    table("power off")
    assert table("?")[1:] == ["  without power", "   1  power on"]
    assert table("steps") == ["the station has no power"]
    assert table("why") == ["the station has no power"]
    assert "'plug' cannot be done: the station has no power" in table("plug 1")
    assert any("BootNotification" in line for line in table("1"))


# -- what is so, and what can happen ---------------------------------------------------------------------


def test_the_situation_in_a_few_lines(table: Table) -> None:
    table("plug 1")
    table("swipe $tag")
    lines = table("?")
    assert lines[0] == "2027-01-15T08:00:03.300Z  3.30 s"
    assert lines[1] == "  station      Available, connected"
    assert "  connector 1  Charging, transaction 1001 of 04A1B2C3, 7400 W" in lines
    assert any("connector Charging/Energised" in line for line in lines)
    assert all(len(line) <= 112 for line in lines)
    assert table("") == lines
    assert table("help")[: len(HELP.splitlines())] == HELP.splitlines()


def test_what_is_under_way_is_told(table: Table) -> None:
    table("central {Authorize: silence, StartTransaction: silence}")
    table("plug 1")
    table("swipe $tag")
    assert "  under way    Authorize" in table("?")
    table("central {Authorize: null}")
    table("network down")
    assert any("not connected" in line for line in table("?"))


def test_what_can_happen_now_is_numbered_and_done_by_number(table: Table) -> None:
    items = menu(table)
    assert items[:2] == ["plug 1   a car comes", "fault GroundFailure at 1   or another errorCode"]
    assert any(item.startswith("call RemoteStartTransaction {connectorId: 1, idTag: $tag}") for item in items)
    assert table("1")[:2] == ["> plug 1", "plug 1"]
    now = menu(table)
    assert "unplug 1" in now
    assert "plug 1   a car comes" not in now
    assert "ev suspended at 1   the car pauses" in now
    timers = [item for item in now if item.startswith("+")]
    assert any(item.endswith("until connector 1: after Plugged:ConnectionTimeOut") for item in timers)
    assert table("99") == ["there is no 99 in the list"]


def test_everything_in_the_list_can_be_done(table: Table) -> None:
    """Whatever the situation: no entry of a list is refused by the stage."""
    for command in ("plug 1", "swipe $tag", "fault GroundFailure at 2", "lock stuck at 1", "network down"):
        table("?")
        for number in range(1, len(table.simulation._menu) + 1):
            said = table(str(number))
            assert not any("cannot be done" in line or "type help" in line for line in said), said
            table("undo")
            table("?")
        table(command)


def test_a_running_timer_is_one_of_the_things_that_happen(table: Table) -> None:
    table("plug 1")
    [line] = [line for line in table("?") if "ConnectionTimeOut" in line and "until" in line]
    number = line.split()[0]
    assert "   connector 1: Preparing/Plugged → Finishing/Released" in table(number)


def test_readers_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "station.yaml").write_text(
        STATION.replace("connectors: 2", "connectors: [{reader: own}, {reader: own}]")
    )
    settings, _, _ = load(tmp_path / "station.yaml", {})
    assert settings
    own = Table(settings)
    with own.simulation:
        own.simulation.begin()
        own("?")
        assert {"swipe $tag at 1", "swipe $tag at 2"} <= set(own.simulation._menu)


# -- undo and why ----------------------------------------------------------------------------------------


def test_undo_is_as_if_it_had_not_been(table: Table) -> None:
    table("plug 1")
    before = table("?")
    table("swipe $tag")
    table("+30s")
    assert table("undo")[0] == "undone"
    table("undo")
    assert table("?") == before
    table("undo")
    assert table("undo") == ["there is nothing to undo"]


def test_why_explains_the_last_act(table: Table) -> None:
    table("plug 1")
    lines = table("why")
    assert lines[0].endswith("cable.plugged 1")
    assert "connector 1 in Available hears cable.plugged" in lines
    number = lines[0].split()[0]
    assert table(f"why {number}") == lines
    assert "connector 1 in Preparing/Plugged is asked its `always`" in table(f"why {number} connector/1")


def test_why_explains_what_time_brought(table: Table) -> None:
    table("plug 1")
    table("+70s")
    assert "authorization in Idle hears its timer after Idle:10s" in table("why")


def test_the_steps_since_the_last_act_have_numbers(table: Table) -> None:
    table("plug 1")
    lines = table("steps")
    assert re.match(r" +\d+  08:00:01\.200  cable\.plugged 1", lines[1])
    assert "ocpp.StatusNotification.accepted" in "\n".join(lines)


def test_a_defect_is_told(table: Table) -> None:
    driver = table.simulation._stage.driver
    assert driver
    driver.post(Event("meter.sampled", 1))
    lines = table("+1s")
    assert "   DEFECT, contactors open, the station is built anew: meter.sampled: 'energy'" in lines
    assert "wrong" in [line.kind for line in table.lines]
    assert "  DEFECT meter.sampled: 'energy'" in table("why")
    assert "       DEFECT meter.sampled: 'energy'" in table("steps")
    assert "       every chart begins" in table("steps")


def test_why_works_on_when_the_beginning_is_forgotten(table: Table) -> None:
    table("plug 1")
    table("swipe $tag")
    table("+2h")
    table("swipe $tag")
    lines = table("why")
    assert "card.presented" in lines[0]
    assert "authorization in Idle hears card.presented" in lines
    assert "card.presented" in "\n".join(table("steps"))


# -- saving ----------------------------------------------------------------------------------------------


def saved(table: Table, path: Path) -> str:
    assert table(f"save {path}") == [f"saved {path}; played once, it passes"]
    return path.read_text()


def test_what_was_done_is_saved_as_a_story_that_passes(
    table: Table, tmp_path: Path, settings: Settings
) -> None:
    for command in (
        "plug 1",
        "swipe $tag",
        "+65s",
        "call ChangeAvailability {connectorId: 0, type: Inoperative}",
        "swipe $tag",
        "network down",
        "+5s",
        "unplug 1",
        "network up",
        "+90s",
        "power off",
        "power on",
    ):
        table(command)
    text = saved(table, tmp_path / "walk.yaml")
    assert "  - expect:\n      - {StatusNotification: {connectorId: 1, status: Preparing}}\n" in text
    assert "{StopTransaction: {idTag: $tag, transactionId: 1001, reason: Local}}" in text
    story = read_story(tmp_path / "walk.yaml")
    assert play(story, VirtualStage(settings, checked(), tmp_path)).failure is None


def test_a_saved_story_fails_when_the_station_says_something_else(
    table: Table, tmp_path: Path, settings: Settings
) -> None:
    table("plug 1")
    path = tmp_path / "walk.yaml"
    path.write_text(saved(table, path).replace("Preparing", "Charging"))
    assert "status is 'Preparing'" in str(
        play(read_story(path), VirtualStage(settings, checked(), tmp_path)).failure
    )


def test_what_is_still_to_be_said_at_the_end_is_waited_for(table: Table, tmp_path: Path) -> None:
    table("call Reset {type: Soft}")
    table("+2s")  # the program is back in a moment
    assert table(f"save {tmp_path / 'walk'}") == [f"saved {tmp_path / 'walk.yaml'}; played once, it passes"]
    assert (tmp_path / "walk.yaml").read_text().count("BootNotification") == 2


def test_all_of_it_is_a_trace_too(table: Table, tmp_path: Path) -> None:
    table("plug 1")
    table("power off")
    table("power on")
    path = tmp_path / "walk.jsonl"
    path.write_text("what was there before")
    assert table(f"trace {path}") == [f"written: charger replay {path}"]
    parts = read(path)
    assert [part.name for part in parts] == ["SIM", "SIM"]
    assert all(one.same for part in parts for one in replay(part, charts_of(part)))


# -- stories ---------------------------------------------------------------------------------------------


def story(folder: Path, steps: str) -> Path:
    path = folder / "s.yaml"
    path.write_text(f"story: s\nconfiguration: {{ConnectionTimeOut: 20}}\nsteps:\n{steps}")
    return path


def test_a_story_is_shown_and_gone_on_with(settings: Settings, tmp_path: Path) -> None:
    """Situations that are not beside a story are ours."""
    table = Table(settings)
    with table.simulation:
        path = story(tmp_path, "  - plug: 1\n  - expect: {StatusNotification: {status: Preparing}}\n")
        assert table.simulation.play(read_story(path)) is None
        said = [line.text.partition("  ")[2].strip() for line in table.lines]
        assert any(line.endswith("plug 1") for line in said)
        assert table("undo") == ["there is nothing to undo"]
        assert "   connector 1: Preparing/Plugged → Finishing/Released" in table("+25s")
        table("undo")
        assert status(table)[1] == "Preparing"
        text = saved(table, tmp_path / "longer.yaml")
        assert '  - call: {ChangeConfiguration: {key: ConnectionTimeOut, value: "20"}}' in text


def test_a_story_that_fails_says_so(settings: Settings, tmp_path: Path) -> None:
    table = Table(settings)
    with table.simulation:
        failure = table.simulation.play(read_story(story(tmp_path, "  - plug: 1\n")))
        assert "nothing was expected, and StatusNotification" in str(failure)


# -- the line that people type ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "verb", "what", "options"),
    [
        ("plug 1", "plug", 1, {}),
        ("swipe $tag at 2", "swipe", "$tag", {"at": 2}),
        ("unplug 1 side ev", "unplug", 1, {"side": "ev"}),
        (
            "fault GroundFailure at 1 info 'water, everywhere'",
            "fault",
            "GroundFailure",
            {"at": 1, "info": "water, everywhere"},
        ),
        ("central {Authorize: null}", "central", {"Authorize": None}, {}),
    ],
)
def test_a_line_is_a_step(line: str, verb: str, what: object, options: dict[str, object]) -> None:
    [step] = read_line(line)
    assert (step.verb, step.what, dict(step.options)) == (verb, what, options)


def test_a_call_may_be_typed_with_the_answer_it_must_get() -> None:
    [step] = read_line("call Reset {type: Soft} answer {status: Accepted}")
    assert (step.what.action, step.what.pattern) == ("Reset", {"type": "Soft"})
    assert step.options == {"answer": ({"status": "Accepted"},)}


@pytest.mark.parametrize("line", ["fault {", "swipe a: b", "call", "call Rest {type: Soft}", "'"])
def test_a_line_that_is_no_step_is_told(line: str) -> None:
    with pytest.raises(StoryError):
        read_line(line)


# -- what holds of every story -------------------------------------------------------------------------------

TYPICAL = (
    "TC_004_1",
    "TC_005_2",
    "TC_016",
    "TC_032_2",
    "TC_037_2",
    "TC_039",
    "TC_041",
    "TC_071",
    "X_008",
    "X_017",
)
"""Sessions, restarts, power cuts, no link, faults, samples, two transactions."""


@pytest.mark.parametrize("name", TYPICAL)
def test_a_story_can_be_saved_anew_and_its_trace_is_exact_on_these_and_on_other_charts(
    name: str, settings: Settings, tmp_path: Path
) -> None:
    [path] = (Path(__file__).parent / "core").glob(f"{name}-*.yaml")
    table = Table(settings)
    with table.simulation:
        assert table.simulation.play(read_story(path)) is None
        saved(table, tmp_path / "again.yaml")
        table.simulation.write_trace(tmp_path / "t.jsonl")
    for part in read(tmp_path / "t.jsonl"):
        assert all(one.same for one in replay(part, checked()))
        assert all(entry.same for entry in run_other(part, checked()).entries)
