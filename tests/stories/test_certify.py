"""`charger certify`: the report, the command, and the stage with a real process.

``report.txt`` is the report of a self-test that was made up; ``--accept`` writes it anew.
"""

import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import test_virtual
from test_language import written

from charger import cli
from charger.settings import Settings, load
from charger.statechart.checks import Checked, check
from charger.stories import certify, report
from charger.stories.certify import Asked
from charger.stories.language import Story, read_story
from charger.stories.play import NAMES, Measured, Played, play
from charger.stories.real import RealStage
from charger.stories.stage import Heard
from charger.vocabulary import build

ROOT = Path(__file__).parent.parent.parent
IMKEV7 = ROOT / "stations/imkev7.yaml"
PATIENCE = 30.0
"""s; for a slow machine."""


def settings_of(path: Path = IMKEV7) -> Settings:
    settings, findings, _ = load(path, {})
    assert settings, findings
    return settings


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def station(tmp_path: Path) -> Path:
    """A copy of the certified product with charts of its own."""
    shutil.copytree(ROOT / "charts", tmp_path / "charts")
    file = tmp_path / "station.yaml"
    file.write_text(f"charts: charts\n{IMKEV7.read_text()}", encoding="utf-8")
    return file


# -- the report --------------------------------------------------------------------------------------------

STORIES = [
    Story("core/TC_003.yaml", "TC_003", "Regular charging session, plug-in first", "Core", "OCPP 1.6 §4.8"),
    Story("core/TC_012.yaml", "TC_012", "Remote stop", "Core", "OCPP 1.6 §5.12"),
    Story("core/TC_017.yaml", "TC_017", "Unlock", "Core", "OCPP 1.6 §5.18"),
    Story("remote-trigger/TC_054.yaml", "TC_054", "Trigger message", "RemoteTrigger", "OCPP 1.6 §5.17"),
]
FAILURE = """core/TC_012.yaml:8: expected StopTransaction {"reason": "Remote"} (reason is 'Local', not 'Remote')
  and got StopTransaction {"reason": "Local"}
  what happened before:
         4.01  <- StopTransaction {"reason": "Local"}"""
LOG = [
    "     0.00  power on",
    f"     0.61  <- BootNotification {json.dumps({'chargePointVendor': 'V' * 20, 'chargePointModel': 'M' * 20})}",
    '     4.01  <- StopTransaction {"reason": "Local"}',
]
TOLD = Asked({"ConnectionTimeOut": "60", "SupportedFeatureProfiles": "Core", "StopTxnSampledData": ""})


def played(**changes: Any) -> list[Played]:
    third = {"skipped": "It needs a socket, and connector 1 has a fixed."} | changes
    return [
        Played(STORIES[0], duration=63.26, measured=Measured(60.4, 0.02, 0.0104)),
        Played(STORIES[1], failure=FAILURE, duration=4.0, measured=Measured(1.2, 1.5), log=LOG),
        Played(STORIES[2], **third),
        Played(STORIES[3], skipped="The station does not offer RemoteTrigger."),
    ]


def made(entries: list[Played], asked: Asked = TOLD, settings: Settings | None = None) -> report.Report:
    day = date(2026, 11, 22)
    return report.make_report(entries, STORIES, settings or settings_of(), asked, virtual=False, day=day)


def test_the_report_reads_like_a_certificate(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "__version__", "1.2.3")
    text, golden = report.as_text(made(played())), Path(__file__).parent / "report.txt"
    if request.config.getoption("--accept"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
    assert max(map(len, text.splitlines())) <= report.WIDTH


def test_the_configuration_has_the_rows_of_the_certificate() -> None:
    """In its order; names as in OCPP 1.6 §9, where its print is blurred."""
    rows = list(made([]).configuration)
    assert rows[:6] == [*report.KEYS[:6]]
    assert (rows[0], rows[35], rows[-1]) == (
        "AllowOfflineTxForUnknownId",
        "WebSocketPingInterval",
        "SupportedFileTransferProtocols",
    )
    assert len(rows) == len(set(rows)) == 46
    assert set(settings_of().configuration) <= set(rows)
    assert made([]).configuration["BlinkRepeat"] == "-"
    assert made([], Asked({}, "no answer")).configuration["BlinkRepeat"] == "?"


def test_markdown_and_json_say_the_same() -> None:
    found = made(played())
    markdown, data = report.as_markdown(found), json.loads(report.as_json(found))
    assert "| TC_012 | Remote stop | Fail | 4.0 s | see Failures |" in markdown
    assert "| OCPP triggered function timeout | 90 s | 00:01:00.400 | Pass |" in markdown
    assert "### TC_012 Remote stop\n\n```\nRequired by OCPP 1.6 §5.12." in markdown
    assert data["passed"] is False
    assert [case["result"] for case in data["cases"]] == ["Pass", "Fail", "N/A", "N/A"]
    assert data["cases"][1]["log"] == LOG
    assert data["performance"][2] | {"description": ""} == {
        "name": "Response time RemoteStartTransaction",
        "pics": 5.0,
        "measured": 0.0104,
        "description": "",
        "result": "Pass",
    }


@pytest.mark.parametrize(
    ("measured", "at_fault"),
    [
        (Measured(triggered=90.1), "OCPP triggered function timeout"),
        (Measured(response=20.1), "OCPP response timeout"),
        (Measured(remote_start=5.1), "Response time RemoteStartTransaction"),
    ],
)
def test_a_time_above_its_pics_value_is_a_failure(measured: Measured, at_fault: str) -> None:
    found = made([Played(STORIES[0], measured=measured)])
    assert [time.name for time in found.performance if time.result == "Fail"] == [at_fault]
    assert not found.passed
    assert found.functionalities[0].result == "Fail"
    assert f"\n{at_fault}\n  It took 00:" in report.as_text(found)


def test_a_longer_connection_timeout_gives_more_room() -> None:
    found = made([Played(STORIES[0], measured=Measured(120.5))], Asked({"ConnectionTimeOut": "120"}))
    assert (found.performance[0].pics, found.passed) == (150.0, True)


@pytest.mark.parametrize(
    ("entries", "result", "stories"),
    [
        (played()[:1], "Incomplete", "1 passed, 2 not played"),
        (played()[:2], "Fail", "1 passed, 1 failed, 1 not played"),
        (played(skipped=None)[0:1] + played(skipped=None)[2:3] * 2, "Pass", "3 passed"),
        ([], "Incomplete", "3 not played"),
    ],
)
def test_a_functionality_passes_when_all_its_stories_do(
    entries: list[Played], result: str, stories: str
) -> None:
    core = made(entries).functionalities[0]
    assert (core.result, core.stories) == (result, stories)


def test_hardware_is_told_as_the_certificate_does() -> None:
    settings = settings_of()
    [plan] = settings.plans
    two = replace(settings, plans=(plan, replace(plan, fixed=False)))
    assert made([], settings=settings).hardware["Socket(s) / connector(s)"] == "Single"
    assert made([], settings=settings).hardware["Fixed cable"] == "yes"
    assert made([], settings=two).hardware["Socket(s) / connector(s)"] == "2"
    assert made([], settings=two).hardware["Fixed cable"] == "1: yes, 2: no"
    assert made([], settings=two).hardware["RFID readers"] == "Single (simulated)"


def test_readers_of_their_own_are_counted() -> None:
    settings = settings_of()
    [plan] = settings.plans
    own = replace(plan, own_reader=True)
    for plans, told in (((own,), "Single"), ((own, own), "2"), ((plan, plan), "Single")):
        hardware = made([], settings=replace(settings, plans=plans)).hardware
        assert hardware["RFID readers"] == f"{told} (simulated)"


def test_the_process_gets_the_connectors_of_the_station() -> None:
    """What a story is played on is what station.yaml says: cable, phases, current, reader."""
    settings = settings_of()
    [plan] = settings.plans
    plans = (
        replace(plan, own_reader=True),
        replace(plan, own_reader=True, fixed=False, phases=3, max_current=16.0),
    )
    with RealStage(replace(settings, plans=plans), check(settings.charts, build)) as stage:
        stage._write_station()
        found, findings, _ = load(stage._place / "station.yaml", {})
    assert not findings
    assert found is not None
    assert found.plans == plans


# -- the command -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--story", "TC_0012"], "there is no story 'TC_0012' — did you mean 'TC_012'?"),
        (["--report", "report.pdf"], "--report report.pdf: name a file that ends in .md, .json, .txt"),
        (["--report", "nowhere/report.md"], "--report nowhere/report.md: there is no folder nowhere"),
        (["--profile", "RemoteTrigger", "--story", "TC_012"], "there is no story 'TC_012'"),
    ],
)
def test_wrong_usage(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_command(["certify", "--virtual", *words, str(IMKEV7)]) == 2
    assert told in capsys.readouterr().err


def test_a_report_that_can_no_longer_be_written_is_printed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """At the beginning that is tried; the disk may be another one at the end."""
    (tmp_path / "report.md").mkdir()
    monkeypatch.setattr(cli.station, "writable", lambda _what, _file: None)
    words = [
        "certify",
        "--virtual",
        "--story",
        "TC_012",
        "--report",
        str(tmp_path / "report.md"),
        str(IMKEV7),
    ]
    assert cli.run_command(words) == 2
    printed = capsys.readouterr()
    assert "Test Result Summary" in printed.out
    assert printed.err.endswith("report.md: Is a directory\n")


def test_a_profile_without_stories(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.run_command(["certify", "--profile", "Reservation"])
    assert ended.value.code == 2
    assert "choose from" in capsys.readouterr().err


def test_real_hardware_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded: Callable[[Path], tuple[Settings, Checked]] = cli.station.load_station

    def with_pins(path: Path) -> tuple[Settings, Checked]:
        settings, checked = loaded(path)
        return replace(settings, hardware="gpio"), checked

    monkeypatch.setattr(cli.station, "load_station", with_pins)
    assert cli.run_command(["certify", "--story", "TC_012", str(IMKEV7)]) == 2
    assert "which works with `hardware: simulated` only" in capsys.readouterr().err


def test_findings_are_told_as_by_run(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(station.parent / "charts/link.yaml", "initial: Down", "initial: Dwn")
    assert cli.run_command(["certify", "--virtual", "--story", "TC_012", str(station)]) == 1
    assert "did you mean 'Down'" in capsys.readouterr().err


def test_in_virtual_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "report.md"
    stories = ["--story", "TC_003", "--story", "TC_012", "--story", "TC_054"]
    assert cli.run_command(["certify", "--virtual", *stories, "--report", str(file), str(IMKEV7)]) == 0
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert lines[0].startswith("1/3  TC_003  Regular charging session, plug-in first  Pass  ")
    assert lines[1].startswith("2/3  TC_012  Remote stop  Pass  ")
    assert lines[2].endswith("N/A  The station does not offer RemoteTrigger.")
    assert "in virtual time, without process, socket and database" in printed
    assert "| Product designation | IMKEV7 |" in file.read_text(encoding="utf-8")


def test_a_story_of_ones_own_is_no_certificate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right, wrong = tmp_path / "right.yaml", tmp_path / "wrong.yaml"
    right.write_text("story: MINE\ntitle: it charges\ngiven: charging\nsteps: [{light: blue breathing}]\n")
    wrong.write_text("story: HIS\ntitle: it burns\ngiven: charging\nsteps: [{light: red}]\n")
    words = ["certify", "--virtual", str(IMKEV7)]
    assert cli.run_command([*words, "--story", str(right)]) == 0
    assert re.fullmatch(r"1/1  MINE  it charges  Pass  \d\.\d s\n", capsys.readouterr().out)
    assert cli.run_command([*words, "--story", str(right), "--story", str(wrong)]) == 1
    printed = capsys.readouterr().out
    assert f"{wrong}:4: the light is 'blue breathing', not 'red', after 10 s\n  what happened" in printed
    assert "Self-Test Report" not in printed
    assert cli.run_command([*words, "--story", str(tmp_path / "none.yaml")]) == 2
    assert "there is no such file" in capsys.readouterr().err


def test_the_station_says_what_its_configuration_is() -> None:
    """Every row that the certificate has is read from the station, one key at a time (its maximum is 1)."""
    settings = settings_of()
    asked = certify.ask_keys(certify.Theatre(settings, check(settings.charts, build), True), report.KEYS)
    assert asked.failure is None
    offered = {key: value for key, value in settings.configuration.items() if value is not None}
    assert asked.values == offered


def test_a_chart_that_is_wrong_fails_its_story(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(station.parent / "charts/transaction.yaml", "[transaction.ending: {reason: Remote}]",
         "[transaction.ending: {reason: Local}]")  # fmt: skip
    words = ["certify", "--virtual", "--story", "TC_003", "--story", "TC_012", str(station)]
    assert cli.run_command(words) == 1
    printed = capsys.readouterr().out
    assert "2/2  TC_012  Remote stop  Fail  core/TC_012-remote-stop.yaml:" in printed
    failure = printed.partition("\nFailures\n")[2]
    assert "reason is 'Local', not 'Remote'" in failure
    assert "-> RemoteStopTransaction" in failure
    assert "TC_003" not in failure


def test_a_terminal_shows_the_story_in_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert cli.run_command(["certify", "--virtual", "--story", "TC_012", str(IMKEV7)]) == 0
    shown = capsys.readouterr().out.partition("\nOCPP 1.6 Self-Test Report")[0]
    assert shown.split(cli.say.CLEAR) == [
        "",
        "0/1  the configuration of the station …",
        "0/1  TC_012  Remote stop …",
        "",
    ]


def test_ctrl_c_still_prints_what_was_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plays = certify.Theatre.play

    def play(theatre: certify.Theatre, story: Story) -> Played:
        if story.name == "TC_012":
            signal.raise_signal(signal.SIGTERM)  # `kill` is Ctrl-C here
        return plays(theatre, story)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(certify.Theatre, "play", play)
    words = ["certify", "--virtual", "--story", "TC_003", "--story", "TC_012", str(IMKEV7)]
    assert cli.run_command(words) == 1
    printed = capsys.readouterr().out
    assert "interrupted: 1 of 2 stories played" in printed
    assert "\nTC_003   Regular charging session, plug-in first   Pass " in printed
    assert signal.getsignal(signal.SIGTERM) == before


# -- a real process ----------------------------------------------------------------------------------------


def test_for_real(station: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(station, "central:\n", "central:\n  password: open sesame\n")
    file = tmp_path / "report.json"
    words = ["certify", "--story", "TC_012", "--report", str(file), str(station)]
    assert cli.run_command(words) == 0, capsys.readouterr().out
    found = json.loads(file.read_text(encoding="utf-8"))
    assert [(case["id"], case["result"]) for case in found["cases"]] == [("TC_012", "Pass")]
    assert found["configuration"]["ConnectionTimeOut"] == "60"
    assert found["hardware"]["Communication technology"] == "WebSocket, OCPP-J 1.6, Basic authentication"
    assert 0 < found["performance"][1]["measured"] < 20
    assert "open sesame" not in file.read_text() + capsys.readouterr().out


def test_inputs_outputs_and_lamp_for_real(tmp_path: Path) -> None:
    """The same steps as in virtual time, through the local API of the process."""
    charts = test_virtual.with_pins(tmp_path)
    settings = replace(settings_of(), charts=tmp_path / "charts")
    path = written(tmp_path, f"story: X_1\nsteps:\n{test_virtual.SWITCHED}")
    with RealStage(settings, charts) as stage:
        with pytest.raises(ValueError, match="the station has no power"):
            stage.status()
        played = play(read_story(path), stage)
    assert played.failure is None, played.failure


def test_the_laboratory_demands_the_password() -> None:
    settings = settings_of()
    central = replace(settings.central, password="open sesame")
    checked = check(settings.charts, build)
    with RealStage(replace(settings, central=central), checked) as stage:
        lines = [
            "GET /ocpp/IMKEV7-0001 HTTP/1.1",
            "Host: x",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: ocpp1.6",
        ]
        with socket.create_connection(("127.0.0.1", stage._central.port), PATIENCE) as client:
            client.sendall("\r\n".join([*lines, "", ""]).encode())
            assert client.recv(1000).startswith(b"HTTP/1.1 401 ")


def test_the_network_comes_back_and_a_dead_station_is_told(station: Path) -> None:
    """The link is cut and can be had again on the same port; what dies is noticed at once, with its last words."""
    edit(station.parent / "charts/link.yaml", "backoff(2s, 60s, 3s)", "backoff(100ms, 1s, 100ms)")
    settings = settings_of(station)
    heard: list[str] = []

    def ears(call: Heard) -> Any:
        heard.append(call.action)
        if call.action == "BootNotification":
            return {"status": "Accepted", "currentTime": "2026-11-22T12:00:00Z", "interval": 300}
        return {}

    with RealStage(settings, check(settings.charts, build)) as stage:
        stage.ears = ears
        stage.power(on=True)
        assert stage.wait(PATIENCE, lambda: heard.count("StatusNotification") == 2)
        port = stage._central.port
        stage.network(up=False)
        assert not stage._central.stations
        with pytest.raises(ConnectionError, match="not connected"):
            stage.call("GetConfiguration", {})
        stage.act("plug", 1, {})
        stage.network(up=True)
        assert stage.wait(PATIENCE, lambda: heard.count("StatusNotification") == 3)
        assert stage._central.port == port
        with pytest.raises(ValueError, match="plug"):
            stage.act("plug", 1, {})
        assert stage._process
        os.kill(stage._process.pid, signal.SIGKILL)
        with pytest.raises(
            ConnectionError, match=r"exit code -9; its last output:\n(?s:.*)link Connecting -> Up"
        ):
            stage.wait(PATIENCE, lambda: False)
        stage.power(on=False)
        with pytest.raises(ValueError, match="no power"):
            stage.act("unplug", 1, {})


def test_answers_are_heard_in_order_and_what_a_player_does_wrong_is_not_lost() -> None:
    """An answer counts from its arrival; an exception in the Central System's thread arrives where one waits."""
    settings = settings_of()
    heard: list[Heard] = []

    def ears(call: Heard) -> Any:
        heard.append(call)
        if call.action == "BootNotification":
            return {"status": "Accepted", "currentTime": "2026-11-22T12:00:00Z", "interval": 300}
        return {}

    def wrong(_call: Heard) -> Any:
        return {"transactionId": NAMES["nobody"]}

    with RealStage(settings, check(settings.charts, build)) as stage:
        stage.ears = ears
        stage.power(on=True)
        assert stage.wait(PATIENCE, lambda: len(heard) == 3)
        answer_of = stage.call("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"})
        assert stage.wait(PATIENCE, lambda: len(heard) == 4 and answer_of() is not None)
        answer = answer_of()
        assert answer
        assert answer.payload == {"status": "Accepted"}
        assert answer.at < heard[3].at
        assert stage.setting("HeartbeatInterval") == 300
        stage.ears = wrong
        stage.call("ChangeAvailability", {"connectorId": 1, "type": "Operative"})
        with pytest.raises(KeyError, match="nobody"):
            stage.wait(PATIENCE, lambda: False)


ALONE = """
import sys
from pathlib import Path
from charger.settings import load
from charger.statechart.checks import check
from charger.stories.real import RealStage
from charger.stories.stage import SILENCE
from charger.vocabulary import build

settings, heard = load(Path(sys.argv[1]), {})[0], []
with RealStage(settings, check(settings.charts, build)) as stage:
    stage.ears = lambda call: heard.append(call) or SILENCE
    stage.power(on=True)
    stage.wait(60, lambda: bool(heard))  # it speaks, so setpriv has done its work
    print(stage._process.pid, flush=True)
    stage.wait(600, lambda: False)
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="Linux only")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_station_outlives_its_laboratory(number: signal.Signals, tmp_path: Path) -> None:
    if number == signal.SIGKILL and not shutil.which("setpriv"):
        pytest.skip("no setpriv on this machine")
    words = [sys.executable, "-c", ALONE, str(IMKEV7)]
    environment = os.environ | {"TMPDIR": str(tmp_path)}  # who is killed leaves its folder behind
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT, env=environment
    ) as laboratory:
        assert laboratory.stdout
        pid = os.pidfd_open(int(laboratory.stdout.readline()))
        try:
            laboratory.send_signal(number)
            ended, _, _ = select.select([pid], [], [], PATIENCE)
            assert ended
        finally:
            os.close(pid)
