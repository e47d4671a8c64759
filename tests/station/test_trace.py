"""The trace: bounded, bit-exact from wherever it begins, without passwords, kept after a defect (DESIGN §2)."""

from __future__ import annotations

import io
import json
import logging
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rig import Rig

from charger import ports, trace
from charger.app import App
from charger.errors import UsageError
from charger.functions.situation import Situation
from charger.replay import run
from charger.replay.text import headline
from charger.settings import load
from charger.statechart.event import Event
from charger.station import Station
from charger.trace import Trace, TraceFile, keep, parse, read


def recorded(rig: Rig) -> list[trace.Part]:
    return parse(rig.driver.trace.lines(), "trace")


def assert_exact(rig: Rig) -> None:
    """Run again it gives every move, command and fact, and ends where the station is."""
    parts = recorded(rig)
    for part in parts:
        station, lost = run.station_of(part, rig.charts)
        assert lost == []
        for step in part.steps:
            _, record = run.taken(station, step.event)
            assert record == step.record, step.number
    if "defect" not in parts[-1].steps[-1].record:
        assert as_json(station.checkpoint()) == as_json(rig.driver.station.checkpoint())


def as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


# -- bit-exact -----------------------------------------------------------------------------------------


def test_a_day_is_replayed_from_its_start() -> None:
    rig = Rig()
    rig.session()
    rig.after(200)
    rig.swipe()
    rig.after(5)
    rig.unplug()
    rig.cut()
    rig.after(200)
    rig.mend()
    rig.call("Reset", type="Soft")
    [part] = recorded(rig)
    assert part.checkpoint is None
    assert_exact(rig)


ACTS = (
    lambda rig: rig.plug(1),
    lambda rig: rig.plug(2),
    lambda rig: rig.unplug(1),
    lambda rig: rig.unplug(2),
    lambda rig: rig.swipe(),
    lambda rig: rig.swipe("OTHER"),
    lambda rig: rig.after(90),
    lambda rig: rig.after(0.3),
    lambda rig: rig.cut(),
    lambda rig: rig.mend(),
    lambda rig: rig.act("fault", 1, error_code="GroundFailure"),
    lambda rig: rig.act("clear_fault", 1),
    lambda rig: rig.act("lock", 2, fail=True),
    lambda rig: rig.act("lock", 2, fail=False),
    lambda rig: rig.call("UnlockConnector", connectorId=2),
    lambda rig: rig.call("RemoteStartTransaction", connectorId=2, idTag="REMOTE"),
    lambda rig: rig.call("ChangeAvailability", connectorId=1, type="Inoperative"),
    lambda rig: rig.call("ChangeAvailability", connectorId=1, type="Operative"),
    lambda rig: rig.call("ChangeConfiguration", key="ConnectionTimeOut", value="20"),
    lambda rig: rig.call("ChangeConfiguration", key="MeterValueSampleInterval", value="10"),
    lambda rig: rig.wires("emergency.pressed"),
    lambda rig: rig.wires("emergency.released"),
    lambda rig: rig.cs.answers.update(Authorize="timeout"),
    lambda rig: rig.cs.answers.update(StatusNotification="error", StartTransaction="timeout"),
    lambda rig: rig.cs.answers.clear(),
)


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_is_replayed_from_any_checkpoint(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment of a few steps, so that checkpoints fall into the midst of everything."""
    chance = random.Random(seed)
    monkeypatch.setattr(trace, "SEGMENT", chance.randint(5, 60))
    rig = Rig(ClockAlignedDataInterval="60", StopTxnSampledData="Energy.Active.Import.Register")
    rig.cs.answers["Authorize"] = {"idTagInfo": {"status": "Accepted", "parentIdTag": "GROUP"}}
    for _ in range(60):
        try:
            chance.choice(ACTS)(rig)
        except ValueError:
            continue  # not possible now
        if chance.random() < 0.1:
            assert_exact(rig)
    assert recorded(rig)[0].checkpoint is not None
    assert_exact(rig)


def test_a_checkpoint_has_everything_that_a_situation_knows() -> None:
    """Whoever gives a situation something new to remember hears of it here."""
    derived = {"identity", "records", "configuration", "transactions", "queue", "cache", "charts", "outbox"}
    derived.add("latched")
    random_numbers = {"_random", "_drawn"}
    station = Rig().driver.station
    known = {name.lstrip("_") for name in vars(station.situation) if name not in derived | random_numbers}
    assert known == set(station.situation.checkpoint()) - {"facts", "drawn"}
    assert isinstance(station.situation, Situation)


def test_the_random_numbers_go_on() -> None:
    """They spread reconnects: a replay waits as long as the station did."""
    rig = Rig()
    rig.cut()
    rig.after(300)
    checkpoint = as_json(rig.driver.station.checkpoint())
    facts = [ports.Change(*fact) for fact in checkpoint["situation"]["facts"]]
    station = rig.driver.station
    other = Station(rig.charts.charts, rig.charts.vocabulary, station.situation.identity, rig.plans, facts)
    other.restore(checkpoint)
    assert checkpoint["situation"]["drawn"] > 3
    assert other.situation.random() == station.situation.random()


# -- bounded -------------------------------------------------------------------------------------------


def test_two_segments_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A station runs for years."""
    monkeypatch.setattr(trace, "SEGMENT", 100)
    rig = Rig()
    rig.session()
    rig.after(1000)
    [part] = recorded(rig)
    assert part.checkpoint is not None
    assert 100 <= len(part.steps) < 200
    assert part.steps[-1].event.moment == rig.steps[-1].event.moment
    assert_exact(rig)


def test_what_a_hostile_central_system_sends_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "HEAVY", 10_000)
    rig = Rig()
    for _ in range(50):
        rig.call("DataTransfer", vendorId="v", data="x" * 4000)
    assert len("".join(rig.driver.trace.lines()).partition('"checkpoint"')[2]) < 40_000


def test_whatever_json_can_hold_can_be_kept(tmp_path: Path) -> None:
    """Half a surrogate pair is a text to JSON, and none to a file."""
    rig = Rig()
    rig.call("DataTransfer", vendorId="v\ud800", data="\x00\u2028 é")
    assert_exact(rig)
    [part] = read(keep(tmp_path, rig.driver.trace.lines()))
    [call] = [step for step in part.steps if step.event.name == "ocpp.DataTransfer"]
    assert call.event.fields == {"vendorId": "v\ud800", "data": "\x00\u2028 é"}
    assert '"v\\ud800"' in headline(1, call.event)
    headline(1, call.event).encode()


# -- secrets -------------------------------------------------------------------------------------------


def test_passwords_are_not_in_it() -> None:
    rig = Rig()
    rig.call("ChangeConfiguration", key="authorizationKey", value="s3cret")
    rig.call("GetDiagnostics", location="ftp://user:s3cret@example.com/up")
    rig.call("DataTransfer", vendorId="v", data='{"list": "ftp://user:s3cret@example.com"}')
    text = "".join(rig.driver.trace.lines())
    assert "s3cret" not in text
    assert "//***@example.com/up" in text
    assert_exact(rig)


def test_a_stored_password_is_not_in_it_either() -> None:
    """Charts may declare the key of the security white paper as a setting."""
    rig = Rig(start=False)
    facts = [ports.Change("configuration", "AuthorizationKey", "s3cret")]
    rig.driver.trace.begin(rig.driver.station, facts)
    rig.driver.trace.add(Event("x"), trace.Step(Event("x"), (), (ports.Store(tuple(facts)),)))
    assert "s3cret" not in "".join(rig.driver.trace.lines())
    rig.driver.station.situation.records.restore(facts)
    line = "".join(rig.driver.trace._head(trace._from_here(rig.driver.station)))
    assert '["configuration","AuthorizationKey","***"]' in line


# -- a defect ------------------------------------------------------------------------------------------


def test_a_defect_is_the_end_of_a_part_and_is_replayed(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    told = []
    rig.driver._on_defect = lambda: told.append(list(rig.driver.trace.lines()))
    rig.session()
    rig.driver.post(Event("meter.sampled", 1))
    rig.after(5)
    rig.swipe()
    [first] = parse(told[0], "kept")
    assert first.steps[-1].defect == "meter.sampled: 'energy'"
    before, after = recorded(rig)
    assert before.steps[-1].defect
    assert after.checkpoint is None
    assert any(fact.subject == "transaction" for fact in after.facts)
    assert_exact(rig)


def test_the_newest_five_traces_of_defects_stay(tmp_path: Path) -> None:
    kept = [keep(tmp_path, [f"{number}\n"]) for number in range(7)]
    assert sorted(tmp_path.iterdir()) == kept[2:]
    assert kept[-1].read_text() == "6\n"


def test_the_program_keeps_it_beside_the_database(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "station.yaml").write_text(
        "id: CP7\nvendor: V\nmodel: M\ncentral: {url: 'ws://127.0.0.1:9/'}\ndata: ./data\n"
    )
    settings, findings, _ = load(tmp_path / "station.yaml", {})
    assert settings, findings
    app, rig = App(settings, Rig().charts), Rig(1, start=False)
    app._trace.begin(rig.driver.station, [])
    app._keep_trace()
    assert "the trace cannot be kept: No such file or directory" in caplog.text
    settings.data.mkdir()
    app._keep_trace()
    [file] = settings.data.iterdir()
    assert f"the trace is kept: {file}" in caplog.text
    assert read(file)[0].name == "CP7"


# -- a file that takes every step ------------------------------------------------------------------------


@pytest.fixture
def files() -> Iterator[list[TraceFile]]:
    """Closed after the test."""
    found: list[TraceFile] = []
    yield found
    for file in found:
        file.close()


def followed(files: list[TraceFile], path: Path, most: int = 1_000_000) -> Rig:
    rig = Rig(start=False)
    files.append(TraceFile(path, most))
    rig.driver.trace = Trace("CP1", files[-1])
    rig.driver.trace.begin(rig.driver.station, rig.storage.load())
    rig.driver.start()
    rig.after(5)
    return rig


def test_a_file_has_every_step_as_it_happens(files: list[TraceFile], tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    rig = followed(files, path)
    rig.session()
    [part] = read(path)
    assert (part.name, part.checkpoint) == ("CP1", None)
    assert len(part.steps) == len(rig.steps)
    rig = followed(files, path)
    assert [len(part.steps) > 10 for part in read(path)] == [True, True]


def test_a_full_file_makes_room_and_the_next_begins_with_a_checkpoint(
    files: list[TraceFile], tmp_path: Path
) -> None:
    path = tmp_path / "all.jsonl"
    rig = followed(files, path, most=90_000)
    rig.session()
    rig.after(600)
    [old], [new] = read(tmp_path / "all.jsonl.1"), read(path)
    assert new.checkpoint is not None
    for part in (old, new):
        assert all(one.same for one in run.replay(part, rig.charts))
    assert set(tmp_path.iterdir()) == {path, tmp_path / "all.jsonl.1"}


def test_a_disk_that_takes_nothing_ends_the_file_and_not_the_station(
    files: list[TraceFile], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = followed(files, tmp_path / "all.jsonl")
    [file] = files

    class Full(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(28, "No space left on device")

    file.close()
    file._file = Full()
    with caplog.at_level(logging.ERROR):
        rig.session()
    assert caplog.text.count("takes nothing any more, the trace ends there: No space left on device") == 1
    assert not file.full


def test_a_file_that_cannot_be_turned_ends_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = TraceFile(tmp_path / "all.jsonl", most=1)
    file.write(["xx\n"])
    assert file.full
    (tmp_path / "all.jsonl.1").mkdir()
    (tmp_path / "all.jsonl.1" / "in-the-way").touch()
    file.turn(["yy\n"])
    assert "takes nothing any more" in caplog.text
    assert (tmp_path / "all.jsonl").read_text() == "xx\n"


def test_a_file_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be written: Is a directory"):
        TraceFile(tmp_path)


# -- reading -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return list(Rig().driver.trace.lines())


def test_a_line_that_was_cut_off_is_left_out(lines: list[str]) -> None:
    """A power cut takes the last bytes of a file."""
    [part] = parse([*lines[:-1], lines[-1][:20]], "x")
    assert len(part.steps) == len(lines) - 5


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda lines: [], "x is no trace: nothing begins in it"),
        (lambda lines: ['{"a": 1}\n'], "x:1: this is no line of a trace: 'trace' is missing"),
        (lambda lines: ["hello\n"], "x:1: .*: it cannot be read as JSON from column 1 on"),
        (lambda lines: ['{"a": 1, b}\n'], "x:1: .*: it cannot be read as JSON from column 10 on"),
        (lambda lines: ["[" * 100_000 + "\n"], "x:1: .*: it holds an endless number, or is nested too deep"),
        (lambda lines: [f'{{"a": {"9" * 5000}}}\n'], "x:1: .*: it holds an endless number"),
        *(
            (
                (lambda lines, odd=odd: [*lines[:6], f"{odd}\n"]),
                "x:7: .*: an object with members should stand",
            )
            for odd in ("[]", "[1]", "{}", "null", "1", '"event"')
        ),
        (lambda lines: ['{"trace": true}\n'], "x:1: .*: 'trace' should be a whole number"),
        (lambda lines: ['{"trace": 1}\n'], "x:1: a trace of version 1, and this program reads version 2"),
        (lambda lines: lines[:3] + lines[4:], "x:4: .*: a step, before a station begins"),
        (lambda lines: [lines[0], lines[1], lines[3]], r"x:3: .*'station' is missing"),
        (lambda lines: [*lines[:5], "{\n", *lines[5:]], "x:6: this is no line of a trace"),
    ],
)
def test_what_is_no_trace_is_told_with_its_place(change: Any, told: str, lines: list[str]) -> None:
    with pytest.raises(UsageError, match=told):
        parse(change(lines), "x")


@pytest.mark.parametrize(
    ("line", "member", "value", "told"),
    [
        (0, "zone", 5, "x:4: .*: 'zone' should be a text"),
        (1, "files", {"link.yaml": 1}, "x:4: .*: 'link.yaml' should be a text"),
        (2, "seed", "x", "x:4: .*: 'seed' should be a whole number"),
        (2, "station", {"colour": "red"}, "x:4: .*: 'station', 'connectors' or the facts have other members"),
        (2, "connectors", [5], "x:4: .*: 'station', 'connectors' or the facts have other members"),
        (3, "start", {}, "x:4: .*: 'start' should be a list"),
        (3, "start", [[1]], "x:4: .*: 'station', 'connectors' or the facts have other members"),
        (3, "checkpoint", {}, "x:4: .*: 'situation' is missing"),
        (
            3,
            "checkpoint",
            {"situation": {"facts": [], "now": ["a", 1]}},
            "x:4: .*: 'now' should be two times",
        ),
        (4, "event", 1, "x:5: .*: 'event' should be a text"),
        (4, "at", [1], "x:5: .*: 'at' should be two times in s"),
        (4, "at", [1, -1], "x:5: .*: 'at' should be two times in s"),
        (4, "at", [float("nan"), 1], "x:5: .*: 'at' should be two times in s"),
        (4, "at", [1, 1e15], "x:5: .*: 'at' should be two times in s"),
        (4, "connector", True, "x:5: .*: 'connector' should be a whole number"),
        (4, "fields", [], "x:5: .*: 'fields' should be an object"),
        (4, "call", 1, "x:5: .*: 'call' should be a text"),
        (4, "defect", 1, "x:5: .*: 'defect' should be a text"),
        (4, "moves", [[1]], "x:5: .*: 'moves' holds something else"),
        (4, "commands", [1], "x:5: .*: 'commands' holds something else"),
        (4, "commands", [["Store", {"changes": [1]}]], "x:5: .*: 'commands' holds something else"),
        (4, "commands", [["Call", {}]], "x:5: .*: 'commands' holds something else"),
    ],
)
def test_what_is_damaged_in_a_line_is_told(
    line: int, member: str, value: Any, told: str, lines: list[str]
) -> None:
    damaged = json.dumps(json.loads(lines[line]) | {member: value}) + "\n"
    with pytest.raises(UsageError, match=told):
        parse([*lines[:line], damaged, *lines[line + 1 :]], "x")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read(tmp_path / "nowhere")
    (tmp_path / "odd").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="it is not UTF-8"):
        read(tmp_path / "odd")


def test_the_time_zone_is_that_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """clock.between asks for the time of day."""
    monkeypatch.setenv("TZ", ":Europe/Berlin")
    assert trace.zone() == "Europe/Berlin"
    monkeypatch.delenv("TZ")
    monkeypatch.setattr(trace.os.path, "realpath", lambda _path: "/usr/share/zoneinfo/Asia/Tokyo")
    assert trace.zone() == "Asia/Tokyo"
    monkeypatch.setattr(trace.os.path, "realpath", lambda path: path)
    assert trace.zone() == "UTC"
