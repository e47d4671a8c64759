"""`charger diff` on the command line. docs/diff.md is executed: its edits are made, its commands run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from charger.cli import run_command

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "diff.md"
needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="apt install graphviz")


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped charts in a repository."""
    if shutil.which("git") is None:
        pytest.skip("apt install git")
    folder = tmp_path_factory.mktemp("committed")
    shutil.copytree(ROOT / "charts", folder / "charts")
    (folder / "docs").mkdir()
    (folder / "docs" / "read.me").write_text("no charts here")
    git(folder, "init", "-q", "-b", "main", "--template=")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "Charts")
    return folder


@pytest.fixture
def repository(committed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it; the working directory."""
    copy = tmp_path / "station"
    shutil.copytree(committed, copy)
    monkeypatch.chdir(copy)
    return copy


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path.name}: {old!r}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def slower(folder: Path) -> None:
    """One difference."""
    edit(folder / "power.yaml", "{500ms: Dry}", "{800ms: Dry}")


SLOWER = "power\n  ~ Closing: after 800ms (was 500ms) goes to Dry\n1 change in behaviour, in power.\n"


# -- the page ----------------------------------------------------------------------------------------------


def apply_edit(block: str) -> None:
    """An edit as the page shows it: the file, then lines with `-`, `+` or a blank in front."""
    file, *lines = block.splitlines()
    old, new = ("".join(f"{line[1:]}\n" for line in lines if line[0] in signs) for signs in (" -", " +"))
    edit(Path(file), old, new)


def run(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command prints, on either stream."""
    program, *words = re.findall(r'"[^"]*"|\S+', line)
    if program == "git":
        git(Path(), *(word.strip('"') for word in words))
        return ""
    capsys.readouterr()
    run_command(words)
    printed = capsys.readouterr()
    return printed.out + printed.err


@needs_dot
def test_the_page_shows_what_the_command_prints(
    repository: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    text = PAGE.read_text(encoding="utf-8")
    pieces = re.split(r"(^```\w*\n.*?^```$)", text, flags=re.MULTILINE | re.DOTALL)
    for number, piece in enumerate(pieces):
        kind, _, body = piece.removesuffix("```").partition("\n")
        if kind == "```diff":
            apply_edit(body)
        elif kind == "```console":
            commands = [line for line in body.splitlines() if line.startswith("$ ")]
            pieces[number] = (
                "```console\n" + "".join(f"{line}\n{run(line[2:], capsys)}" for line in commands) + "```"
            )
    if request.config.getoption("--accept"):
        PAGE.write_text("".join(pieces), encoding="utf-8")
    assert "".join(pieces) == PAGE.read_text(encoding="utf-8"), "is it better? then `make accept`"
    assert (repository / "changes" / "connector.diff.svg").exists()


# -- sides -------------------------------------------------------------------------------------------------


def test_two_folders(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree("charts", "other")
    assert run_command(["diff", "charts", "other"]) == 0
    assert capsys.readouterr().out == "No change in behaviour.\n"
    slower(repository / "other")
    assert run_command(["diff", "charts", "other"]) == 1
    assert capsys.readouterr().out == SLOWER


def test_revisions(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    slower(repository / "charts")
    git(repository, "commit", "-qam", "Slower")
    git(repository, "mv", "charts", "behaviour")
    git(repository, "commit", "-qm", "Another place")
    for words in (["HEAD~2", "HEAD~1"], ["main~2:charts", "behaviour"], ["HEAD~2:charts", "HEAD:behaviour"]):
        assert run_command(["diff", *words]) == 1
        assert capsys.readouterr().out == SLOWER
    assert run_command(["diff", "HEAD", "behaviour"]) == 0
    monkeypatch.chdir(repository / "docs")
    assert run_command(["diff", "HEAD", "../behaviour"]) == 0
    assert run_command(["diff", "HEAD:./../behaviour", "HEAD:behaviour"]) == 0


def test_a_revision_is_looked_for_where_the_folder_is(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert run_command(["diff", "HEAD", str(repository / "charts")]) == 0


WRONG = {
    ("nothing",): "'nothing' is neither a folder nor a revision",
    ("mian",): "'mian' is neither a folder nor a revision — did you mean 'main'?",
    (":charts",): "':charts' is neither a folder nor a revision",
    ("HEAD:nowhere",): "no charts in HEAD: there is no folder nowhere; name it: HEAD:path/of/charts",
    ("HEAD:docs",): "no charts in HEAD:docs: there is no index.yaml",
    (
        "HEAD:docs/read.me",
    ): "no charts in HEAD: there is no folder docs/read.me; name it: HEAD:path/of/charts",
    ("docs",): "no charts in docs: there is no index.yaml",
    ("charts/power.yaml",): "charts/power.yaml is a file: name the folder of charts it is in",
    ("HEAD", "nowhere"): "'nowhere' is neither a folder nor a revision",
}


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_what_is_no_side(
    words: tuple[str, ...], repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["diff", *words]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"charger: {WRONG[words]}\n")


def test_no_repository(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert run_command(["diff", "HEAD"]) == 2
    assert (
        "'HEAD' is no folder, and no revision either, since git says: fatal: not a git"
        in capsys.readouterr().err
    )


def test_no_git(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert run_command(["diff", "HEAD"]) == 2
    assert "there is no program `git`" in capsys.readouterr().err


def test_only_charts_are_taken_out_of_a_revision(repository: Path) -> None:
    """A file of another kind, a folder and a link beside the charts are of no interest."""
    (repository / "charts" / "old").mkdir()
    (repository / "charts" / "old" / "more.yaml").write_text("x: 1\n")
    (repository / "charts" / "notes.txt").write_text("x")
    (repository / "charts" / "link.txt").symlink_to("notes.txt")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "More")
    assert run_command(["diff", "HEAD"]) == 0


# -- findings ----------------------------------------------------------------------------------------------


def test_a_side_that_leads_nowhere_is_named_with_its_findings(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree("charts", "other")
    edit(repository / "other" / "power.yaml", "{500ms: Dry}", "{500ms: Dyr}")
    assert run_command(["diff", "charts", "other"]) == 2
    error = capsys.readouterr().err.splitlines()
    assert error[0] == "NEW, other, has findings:"
    assert error[1].startswith("other/power.yaml:23:20: error: no state 'Dyr' — did you mean 'Dry'?")
    assert error[-1] == "charger: NEW, other, cannot be compared before that is mended"


def test_words_that_the_program_does_not_know_are_told_and_compared(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree("charts", "other")
    edit(repository / "other" / "power.yaml", "entry: [contactor.close]", "entry: [contactor.shut]")
    assert run_command(["diff", "other", "charts"]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(
        "OLD, other, has findings:\nother/power.yaml:21:13: error: no action 'contactor.shut'"
    )
    assert (
        printed.out.splitlines()[1]
        == "  ~ Closing: on entry also does contactor.close; no longer does contactor.shut"
    )


# -- pictures ----------------------------------------------------------------------------------------------


@needs_dot
def test_pictures_of_what_differs_and_nothing_otherwise(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree("charts", "other")
    assert run_command(["diff", "charts", "other", "--out", "out"]) == 0
    assert not Path("out").exists()
    slower(repository / "other")
    assert run_command(["diff", "charts", "other", "--out", "out", "--format", "json"]) == 1
    printed = capsys.readouterr().out.removeprefix("No change in behaviour.\n")
    assert json.loads(printed)["pictures"] == {"power": "out/power.diff.svg"}
    assert [file.name for file in Path("out").iterdir()] == ["power.diff.svg"]


def test_pictures_need_dot(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree("charts", "other")
    slower(repository / "other")
    monkeypatch.setenv("PATH", "")
    assert run_command(["diff", "charts", "other", "--out", "out"]) == 2
    assert "apt install graphviz" in capsys.readouterr().err


# -- coverage ----------------------------------------------------------------------------------------------


@needs_dot
def test_what_stories_took_can_be_drawn(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--virtual", "--story", "TC_012", "--coverage", "record/coverage.json"]
    Path("record").mkdir()
    assert run_command(["certify", *words]) == 0
    capsys.readouterr()
    assert run_command(["diagram", "charts", "--coverage", "record/coverage.json"]) == 0
    drawn = len(list(Path("record").glob("*.svg")))
    assert drawn == len(list(Path("charts").glob("*.yaml"))) - 1
    assert capsys.readouterr().out == f"record: {drawn} pictures\n"
    assert 'class="edge taken"' in Path("record/connector.svg").read_text(encoding="utf-8")
    assert not Path("diagrams").exists()
    slower(repository / "charts")
    assert run_command(["diagram", "charts", "--coverage", "record/coverage.json", "--out", "more"]) == 2
    error = "record/coverage.json was recorded with other charts: it does not know the transition at charts/power.yaml:23:20"
    assert capsys.readouterr().err == f"charger: {error}\n"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["diagram", "charts", "--coverage", "nowhere.json"], "nowhere.json: No such file or directory"),
        (["diagram", "charts", "--coverage", "docs/read.me"], "docs/read.me is no record of coverage, as the tests write it"),
        (["certify", "--coverage", "x.json"], "--coverage needs --virtual: nobody can look into a process that runs"),
        (["certify", "--virtual", "--story", "TC_012", "--coverage", "no/x.json"], "--coverage no/x.json: there is no folder no"),
    ],
)  # fmt: skip
def test_coverage_that_cannot_be(
    words: list[str], error: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(words) == 2
    assert capsys.readouterr().err == f"charger: {error}\n"


def test_pictures_of_coverage_need_dot(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_command(["certify", "--virtual", "--story", "TC_012", "--coverage", "c.json"])
    monkeypatch.setenv("PATH", "")
    assert run_command(["diagram", "charts", "--coverage", "c.json"]) == 2
    assert "apt install graphviz" in capsys.readouterr().err
