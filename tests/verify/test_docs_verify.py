"""docs/verify.md: its charts are charts, and its examples are what the program prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from charger.cli import run_command

PAGE = Path(__file__).parent.parent.parent / "docs" / "verify.md"
BLOCK = re.compile(r"```(yaml|console)\n(.*?)```", re.DOTALL)
TIME = re.compile(r", \d+ s$", re.MULTILINE)


def test_the_examples_are_what_the_program_prints(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.chdir(tmp_path)
    page = PAGE.read_text(encoding="utf-8")

    def follow(match: re.Match[str]) -> str:
        kind, text = match.groups()
        if kind == "yaml":
            name, _, content = text.partition("\n")
            file = tmp_path / name.removeprefix("# ")
            file.parent.mkdir(exist_ok=True)
            file.write_text(content, encoding="utf-8")
            return match[0]
        command = text.splitlines()[0]
        if not (tmp_path / "charts").exists():
            return match[0]  # only named, before there are charts
        _, *words = shlex.split(command)
        if words[0] == "cat":
            printed = Path(words[1]).read_text(encoding="utf-8")
        else:
            run_command(words[1:])
            printed = TIME.sub(", 0 s", capsys.readouterr().out)
        return f"```console\n{command}\n{printed}```"

    followed = BLOCK.sub(follow, page)
    if request.config.getoption("--accept"):
        PAGE.write_text(followed, encoding="utf-8")
    assert followed == PAGE.read_text(encoding="utf-8")
