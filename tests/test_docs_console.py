"""Pages with a console in them: every command is run, and says what the page says. `make accept` writes them anew.

``` ```console ``` holds commands after ``$`` and what they print; a line ``[...]`` stands for any number of lines. A block whose first line is
``# name`` is that file. The blocks of a page share one folder.
"""

from __future__ import annotations

import io
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from charger.cli import run_command

DOCS = Path(__file__).parent.parent / "docs"
PAGES = ["meters.md", "trace.md", "simulate.md"]
BLOCK = re.compile(r"```(?P<kind>\w+)\n(?P<text>.*?)```\n", re.DOTALL)
GAP = "[...]"


class Console:
    """A folder, and commands run in it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._patch = monkeypatch
        self._capsys = capsys

    def run(self, command: str) -> str:
        words, _, given = command.partition(" < ")
        if not words.startswith("charger "):
            return subprocess.run(words, shell=True, check=True, capture_output=True, text=True).stdout
        self._patch.setattr("sys.stdin", io.StringIO(Path(given).read_text() if given else ""))
        run_command(shlex.split(words)[1:])
        out = self._capsys.readouterr()
        return out.out + out.err


def commands(text: str) -> list[tuple[str, str]]:
    """Each command of a console, and what it prints."""
    parts = re.split(r"^\$ (.*)\n", text, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def agrees(printed: str, shown: str) -> bool:
    pieces = [re.escape(piece) for piece in re.split(r"^\[\.\.\.\]\n", shown, flags=re.MULTILINE)]
    return re.fullmatch(r"(?:.*\n)*?".join(pieces), printed) is not None


def gapped(printed: str, shown: str) -> str:
    """What was printed, with the gaps of what was shown: where the lines around one are still there, but for numbers."""

    def place(line: str, start: int) -> int | None:
        wanted = re.sub(r"\d+", "0", line)
        return next((at for at in range(start, len(left)) if re.sub(r"\d+", "0", left[at]) == wanted), None)

    left, lines, end = printed.splitlines(keepends=True), shown.splitlines(keepends=True), 0
    for position, line in enumerate(lines):
        if line.strip() != GAP:
            continue
        begin = place(lines[position - 1], end) if position else -1
        if begin is None:
            continue
        end = place(lines[position + 1], begin + 1) if position + 1 < len(lines) else len(left)
        if end is None:
            return "".join(left)
        left[begin + 1 : end] = [line]
        end = begin + 2
    return "".join(left)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_what_commands_print(
    page: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.chdir(tmp_path)
    console = Console(monkeypatch, capsys)
    text = (DOCS / page).read_text(encoding="utf-8")
    new = text
    for block in BLOCK.finditer(text):
        content = block["text"]
        name, _, rest = content.partition("\n")
        if name.startswith("# "):
            Path(name[2:]).write_text(rest)
        if block["kind"] != "console":
            continue
        for command, shown in commands(content):
            printed = console.run(command)
            if request.config.getoption("--accept") and not agrees(printed, shown):
                new = new.replace(f"$ {command}\n{shown}", f"$ {command}\n{gapped(printed, shown)}")
            else:
                assert agrees(printed, shown), f"{page}: $ {command}\n{printed}"
    if new != text:
        (DOCS / page).write_text(new, encoding="utf-8")


def test_a_gap_stands_for_lines() -> None:
    assert agrees("a\nb\nc\n", "a\n[...]\nc\n")
    assert agrees("a\nc\n", "a\n[...]\nc\n")
    assert not agrees("a\nb\nc\n", "a\nc\n")
    assert not agrees("a\nb\n", "[...]\nc\n")


def test_gaps_stay_when_the_rest_is_written_anew() -> None:
    shown = "at 1\n[...]\nend 1\n[...]\n"
    assert gapped("at 2\nx\ny\nend 2\nz\n", shown) == "at 2\n[...]\nend 2\n[...]\n"
    assert gapped("another\nx\nend 2\n", shown) == "another\nx\nend 2\n[...]\n"
    assert gapped("x\ny\n", "[...]\ny\n") == "[...]\ny\n"
    assert gapped("at 2\nx\n", shown) == "at 2\nx\n"
