"""`charger simulate`, `replay` and `why` at the command line: exit codes, colours, what cannot be."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from charger.cli import run_command

STORY = """\
story: evening
given: []
steps:
  - power: on
  - boots: Available
  - plug: 1
  - expect: {StatusNotification: {status: STATUS}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A story, and a place of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    Path("evening.yaml").write_text(STORY.replace("STATUS", "Preparing"))
    return tmp_path


@pytest.fixture
def trace(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert run_command(["simulate", "evening.yaml", "--trace", "evening.jsonl"]) == 0
    capsys.readouterr()
    return "evening.jsonl"


# -- replay ----------------------------------------------------------------------------------------------


def test_a_replay_is_bit_exact(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["replay", trace, "--quiet"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Bit-exact: ")
    assert out.count("\n") == 1


def test_a_trace_that_was_edited_is_a_finding(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Path(trace).read_text().splitlines()
    record = json.loads(lines[-1])
    record["event"] = "cable.unplugged"
    Path(trace).write_text("\n".join([*lines[:-1], json.dumps(record)]) + "\n")
    assert run_command(["replay", trace]) == 1
    assert "Not bit-exact: 1 of " in capsys.readouterr().out


def test_the_own_charts_do_the_same(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    charts = run_command(["init", "mine"]) or "mine/charts"
    assert run_command(["replay", trace, "--charts", str(charts), "--quiet"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("The new charts do the same in all of ")


def test_charts_that_are_wrong_are_told_with_their_place(
    trace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run_command(["init", "mine"])
    file = Path("mine/charts/link.yaml")
    file.write_text(file.read_text().replace("initial: Down", "initial: Dwn"))
    assert run_command(["replay", trace, "--charts", "mine/charts"]) == 1
    error = capsys.readouterr().err
    assert "mine/charts/link.yaml:5:10: error: " in error
    assert "charger: 1 error: these charts do not run" in error


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (["replay", "nowhere.jsonl"], "nowhere.jsonl cannot be read: No such file or directory"),
        (["replay", "evening.yaml"], "evening.yaml:1: this is no line of a trace: it cannot be read as JSON"),
        (["why", "evening.jsonl"], "'evening.jsonl': write the trace, an @, and the number of a step"),
        (["why", "@12"], "'@12': write the trace, an @, and the number of a step: trace.jsonl@12"),
        (["why", "evening.jsonl@x"], "'evening.jsonl@x': write the trace"),
        (["why", "evening.jsonl@9999"], "there is no step 9999: the trace has 1 to "),
        (["why", "evening.jsonl@17", "conector"], "there is no chart 'conector' — did you mean 'connector'?"),
        (["simulate", "nowhere.yaml"], "there is no story nowhere.yaml"),
        (["simulate", "evening.yaml", "--trace", "no/where"], "--trace no/where: there is no folder no"),
        (["run", "--trace", "no/where"], "--trace no/where: there is no folder no"),
    ],
)
def test_wrong_usage_is_told(
    trace: str, command: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(command) == 2
    assert error in capsys.readouterr().err


# -- why -------------------------------------------------------------------------------------------------


def test_why_tells_of_a_step(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["why", f"{trace}@17", "connector/1"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].endswith("cable.plugged 1")
    assert "connector 1 in Available hears cable.plugged" in out
    assert "connector 2" not in out.partition("What came of it")[0]


# -- simulate --------------------------------------------------------------------------------------------


def test_a_story_that_fails_is_a_finding(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("evening.yaml").write_text(STORY.replace("STATUS", "Charging"))
    assert run_command(["simulate", "evening.yaml"]) == 1
    out = capsys.readouterr().out
    assert "\nFail  evening.yaml:7: expected StatusNotification" in out


def test_a_story_that_says_nothing_about_a_station_is_not_played(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("evening.yaml").write_text(STORY.replace("given:", "needs: {connectors: 5}\ngiven:"))
    assert run_command(["simulate", "evening.yaml"]) == 0
    assert capsys.readouterr().out == "N/A  evening  It needs 5 connectors, and the station has 2.\n"


def test_a_file_that_is_no_story_is_told_with_its_place(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("evening.yaml").write_text(STORY.replace("plug", "plugg"))
    assert run_command(["simulate", "evening.yaml"]) == 1
    error = capsys.readouterr().err
    assert "evening.yaml:6:5: error: no step begins with 'plugg' — did you mean 'plug'?" in error
    assert "  - plugg: 1\n" in error
    assert "charger: 1 mistake: this is no story" in error


def test_one_goes_on_where_a_story_ends(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("unplug 1\nquit\nplug 1\n"))
    assert run_command(["simulate", "evening.yaml", "--interactive"]) == 0
    out = capsys.readouterr().out
    assert (
        out.index("Pass  evening")
        < out.index("> unplug 1\n")
        < out.index("connector 1: Preparing/Plugged → ")
    )
    assert "plug 1" not in out.partition("> quit")[2]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colours_are_for_terminals_whose_owner_does_not_mind(
    folder: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], coloured: bool
) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    run_command(["simulate", "evening.yaml"])
    assert ("\033[1m     0.28  plug 1\033[0m" in screen.getvalue()) is coloured
    assert ("\033" in screen.getvalue()) is coloured


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_whatever_comes_in_and_goes_out_is_shown(folder: Path, encoding: str) -> None:
    """Bytes that are no text are a line like others, and an arrow on a terminal without one is a question mark."""
    command = [sys.executable, "-m", "charger", "simulate"]
    done = subprocess.run(
        command,
        input=b"plug 1\n\xff\xfe 1\nquit\n",
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"no step begins with" in done.stdout
    assert ("→" in done.stdout.decode("utf-8")) is (encoding == "utf-8")
