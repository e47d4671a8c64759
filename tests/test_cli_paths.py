"""Paths at the command line: what they mean, and what is said of those that cannot be read or written.

Exit code 2 is for whoever typed something; 1 is for what was found in files that could be read.
"""

import io
import os
import stat
from pathlib import Path

import pytest

from charger.cli import run_command


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A folder with ``mine``, made by `charger init`, and some files that are none of ours."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert run_command(["init", "mine"]) == 0
    Path("empty").mkdir()
    Path("latin.yaml").write_bytes("id: Säule".encode("latin-1"))
    os.mkfifo("pipe")
    capsys.readouterr()
    return tmp_path


def break_link(folder: Path) -> None:
    file = folder / "mine" / "charts" / "link.yaml"
    file.write_text(file.read_text().replace("initial: Down", "initial: Dwn"))


# -- what check takes ------------------------------------------------------------------------------------


def test_a_folder_of_a_station_is_the_station(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["check", "mine"]) == 0
    assert capsys.readouterr().out.endswith(" transitions: no findings.\n")
    station = here / "mine" / "station.yaml"
    station.write_text(station.read_text().replace("HeartbeatInterval:", "HeartbeatIntervall:"))
    break_link(here)
    assert run_command(["check", "mine"]) == 1
    out = capsys.readouterr().out
    assert "did you mean 'HeartbeatInterval'" in out
    assert "did you mean 'Down'" in out


def test_one_chart_is_its_set_and_that_is_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake in one shows in others: `in(lock.Engagd)` is wrong when somebody renames Engaged."""
    break_link(here)
    assert run_command(["check", "mine/charts/lock.yaml"]) == 1
    printed = capsys.readouterr()
    assert "mine/charts/link.yaml:5:10: error: " in printed.out
    told = "mine/charts/lock.yaml is one of the charts in mine/charts: all of them are checked\n"
    assert printed.err == told


def test_what_is_held_back_is_counted(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = here / "mine" / "charts" / "lock.yaml"
    lock.write_text(lock.read_text().replace("states:", "states: ["))
    assert run_command(["check", "mine"]) == 1
    *_, last = capsys.readouterr().out.splitlines()
    assert last == "1 error, 0 warnings; 4 more held back, which may only come of these."


def test_check_without_a_path(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["check"]) == 2
    assert capsys.readouterr().err == (
        "charger: nothing to check here, neither ./station.yaml nor ./charts: name one of them,"
        " or make both with `charger init DIR`\n"
    )
    monkeypatch.chdir(here / "mine" / "charts")
    assert run_command(["check"]) == 0
    monkeypatch.chdir(here / "mine")
    assert run_command(["check"]) == 0
    Path("station.yaml").write_text("id: CP1\n")
    assert run_command(["check"]) == 1
    assert "station.yaml:1:1: error: the key 'vendor' is missing" in capsys.readouterr().out
    Path("station.yaml").unlink()
    assert run_command(["check"]) == 0


# -- what is refused -------------------------------------------------------------------------------------

GONE = "nowhere: there is no such file or folder"
NO_STATION = "no station in empty: there is no station.yaml; `charger init DIR` makes one"
A_CHART = "mine/charts/lock.yaml is a chart: name a station.yaml; `charger init DIR` makes one"
NO_CHARTS = "no charts in mine: there is no index.yaml; you may mean mine/charts"
A_FILE = "mine/charts/lock.yaml is a file: name a folder of charts; you may mean mine/charts"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        *((f"{command} nowhere", GONE) for command in ("check", "config", "certify", "run", "wiring")),
        *((f"{command} nowhere", GONE) for command in ("verify", "diagram", "schema", "convert --to dot")),
        ("simulate --station nowhere", GONE),
        ("explain plug --charts nowhere", GONE),
        *((f"{command} empty", NO_STATION) for command in ("config", "certify", "run")),
        ("config mine/charts/lock.yaml", A_CHART),
        *((f"{command} mine", NO_CHARTS) for command in ("verify", "diagram", "schema", "convert --to dot")),
        ("verify mine/charts/lock.yaml", A_FILE),
        ("check empty", "nothing to check in empty: there is neither station.yaml nor index.yaml"),
        ("verify --resume mine", "--resume mine: that is no regular file"),
        ("verify --resume no/walk", "--resume no/walk: there is no folder no"),
        ("certify --report no/report.md", "--report no/report.md: there is no folder no"),
        ("certify --virtual --coverage pipe", "--coverage pipe: that is no regular file"),
        ("simulate --trace pipe", "--trace pipe: that is no regular file"),
        ("replay pipe", "pipe cannot be read: that is no regular file"),
        ("replay mine", "mine cannot be read: that is a folder"),
        ("diagram mine/charts --coverage pipe", "pipe: that is no regular file"),
        ("diagram mine/charts --out latin.yaml", "latin.yaml: File exists"),
        ("schema mine/charts/lock.yaml", A_FILE),
        ("verify --out latin.yaml", "--out latin.yaml: that is a file; stories go into a folder"),
    ],
)
def test_wrong_paths_are_exit_code_2(
    here: Path, words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(words.split()) == 2
    assert capsys.readouterr().err == f"charger: {told}\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("check pipe", "pipe:1:1: error: cannot be read: that is no regular file [unreadable-file]"),
        ("check /dev/zero", "/dev/zero:1:1: error: cannot be read: that is no regular file"),
        ("check latin.yaml", "latin.yaml:1:6: error: cannot be read: not UTF-8 from here on"),
        ("config pipe", "pipe:1:1: error: cannot be read: that is no regular file"),
        ("simulate pipe", "pipe:1:1: error: cannot be read: that is no regular file"),
        ("convert --from xstate pipe", "pipe:1:1: error: cannot be read: that is no regular file"),
        ("convert --from scxml latin.yaml", "latin.yaml:1:6: error: cannot be read: not UTF-8 from here on"),
    ],
)
def test_what_cannot_be_read_is_exit_code_2(
    here: Path, words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(words.split()) == 2
    printed = capsys.readouterr()
    assert told in printed.out + printed.err


def test_a_chart_that_cannot_be_read_is_exit_code_2_everywhere(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pipe among the charts would be waited for for ever."""
    lock = here / "mine" / "charts" / "lock.yaml"
    lock.unlink()
    os.mkfifo(lock)
    for words in ("check mine", "check mine/charts", "verify mine/charts", "config mine", "run mine"):
        assert run_command(words.split()) == 2, words
        printed = capsys.readouterr()
        assert "mine/charts/lock.yaml:1:1: error: cannot be read: that is no" in printed.out + printed.err
    assert run_command("convert --to dot --out out mine/charts".split()) == 2
    assert stat.S_ISFIFO(lock.stat().st_mode)


def test_a_huge_file_is_not_read(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (here / "mine" / "charts" / "lock.yaml").open("r+b") as file:
        file.truncate(5_000_000_000)
    assert run_command(["check", "mine"]) == 2
    assert "cannot be read: 5,000,000,000 bytes; at most 1,000,000 are read" in capsys.readouterr().out


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_takes_nothing_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty").chmod(0o500)
    assert run_command(["simulate", "--trace", "empty/t.jsonl"]) == 2
    assert capsys.readouterr().err == "charger: --trace empty/t.jsonl: Permission denied\n"


@pytest.mark.parametrize("words", [["diagram", "mine/charts"], ["init", "new"], ["check"]])
def test_whatever_else_the_system_refuses_is_told_with_its_path(
    here: Path, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One place for all commands, so that none has to foresee it."""

    def denied(path: Path, *_given: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", denied)
    monkeypatch.setattr(Path, "is_file", denied)
    assert run_command(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("charger: ")
    assert error.endswith(": Permission denied\n")


def test_an_error_that_is_nobodys_path_is_not_hidden(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "cwd", broken)
    with pytest.raises(OSError, match="Input/output"):
        run_command(["check", "mine"])
