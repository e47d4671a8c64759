"""Charts that differ from the shipped ones in a line."""

from __future__ import annotations

from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from replay_kit import Edit
from rig import CHARTS

from charger.statechart.checks import Checked, check
from charger.vocabulary import build


@pytest.fixture
def edited(tmp_path: Path) -> Edit:
    """The shipped charts with a text of one of them replaced by another."""

    def make(chart: str, *pairs: Any) -> Checked:
        folder = tmp_path / "charts"
        copytree(CHARTS, folder)
        file = folder / f"{chart}.yaml"
        text = file.read_text()
        for old, new in pairs:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        file.write_text(text)
        checked = check(folder, build, "charts")
        assert not checked.errors, checked.errors
        return checked

    return make
