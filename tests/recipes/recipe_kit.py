"""Recipes: changes of the shipped charts that people ask for. A folder each, with

* ``recipe.yaml``: what was asked and by whom, how it works, what to mind;
* ``change.diff``: the change, against ``charts/``;
* one or more stories that fail on the shipped charts and pass on the changed ones.

To work on one, edit a copy and take the difference. When the shipped charts have changed, bring all diffs over
from the commit that they were made for::

    python tests/recipes/recipe_kit.py edit free-vending /tmp/copy     # what does not fit any more is left as *.rej
    python tests/recipes/recipe_kit.py take free-vending /tmp/copy
    python tests/recipes/recipe_kit.py rebase v0.1.0                   # tells where both changed the same words

``make accept`` then brings line numbers, the page and its pictures up to date.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CHARTS = ROOT / "charts"
GROUPS = (
    "Starting and stopping",
    "When, how much, how fast",
    "Cards and cable",
    "Lamp, display and buzzer",
    "Faults and service",
    "The link, and power cuts",
)
"""Headings of the page, in its order."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One of them, as its folder tells it."""

    folder: Path
    title: str
    group: str
    asked: str
    """The wish, in our words."""
    by: tuple[str, ...]
    """Who asked, Markdown."""
    text: str
    """How it works and what to mind, Markdown."""
    hint: str
    """How to see it with `charger run`, Markdown."""
    station: Mapping[str, Any] = field(default_factory=dict)
    """What stands in station.yaml otherwise than `charger init` writes it."""
    disarm: Mapping[str, str] = field(default_factory=dict)
    """Settings with which the change does nothing: so the certification stories are played."""
    certified_at: str = "08:00"
    """UTC, when they are played."""
    breaks: Mapping[str, str] = field(default_factory=dict)
    """Certification stories that the change makes wrong on purpose, and why."""

    @property
    def name(self) -> str:
        """That of the folder."""
        return self.folder.name

    @property
    def diff(self) -> str:
        """The change."""
        return (self.folder / "change.diff").read_text(encoding="utf-8")

    @property
    def stories(self) -> list[Path]:
        """What proves it."""
        return sorted(path for path in self.folder.glob("*.yaml") if path.name != "recipe.yaml")

    @property
    def charts(self) -> list[str]:
        """The charts that it changes or adds, without index.yaml."""
        files = [
            line.removeprefix("+++ b/charts/") for line in self.diff.splitlines() if line.startswith("+++ ")
        ]
        return [Path(file).stem for file in files if file != "index.yaml"]


def recipes() -> list[Recipe]:
    """All of them, in the order of the page."""
    found = [read(path.parent) for path in HERE.glob("*/recipe.yaml")]
    return sorted(found, key=lambda recipe: (GROUPS.index(recipe.group), recipe.title))


def read(folder: Path) -> Recipe:
    """One of them."""
    told = yaml.safe_load((folder / "recipe.yaml").read_text(encoding="utf-8"))
    return Recipe(folder, **{**told, "by": tuple(told["by"])})


def apply(recipe: Recipe, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Put the changed charts into ``folder/charts``; the files that `git apply` cannot change stay as they are."""
    shutil.copytree(CHARTS, folder / "charts", ignore=shutil.ignore_patterns("*.json"))
    return subprocess.run(
        ["git", "apply", *options, str(recipe.folder / "change.diff")],
        cwd=folder,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.resolve().parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def difference(folder: Path) -> str:
    """What the charts in ``folder/charts`` have otherwise than the shipped ones."""
    names = sorted({path.name for place in (CHARTS, folder / "charts") for path in place.glob("*.yaml")})
    lines: list[str] = []
    for name in names:
        before, after = _lines(CHARTS / name), _lines(folder / "charts" / name)
        old = f"a/charts/{name}" if before else "/dev/null"
        lines += difflib.unified_diff(before, after, old, f"b/charts/{name}")
    return "".join(lines)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []


# -- when the shipped charts change ------------------------------------------------------------------------


def rebase(recipe: Recipe, commit: str) -> list[str]:
    """Merge the change that was made for the charts of a commit into those of today, word by word.

    Returns:
        The files in which both changed the same words, and now have both: to be looked at.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        old, new, now = (folder / name for name in ("old", "new", "now"))
        _checkout(commit, old)
        shutil.copytree(old, new)
        _git("apply", str(recipe.folder / "change.diff"), cwd=new)
        shutil.copytree(CHARTS, now / "charts", ignore=shutil.ignore_patterns("*.json"))
        both = []
        for path in sorted((new / "charts").glob("*.yaml")):
            texts = [side / "charts" / path.name for side in (now, old, new)]
            if not texts[1].exists():
                shutil.copy(path, texts[0])
            elif texts[1].read_bytes() != path.read_bytes():
                text, twice = merged(*texts)
                texts[0].write_text(text, encoding="utf-8")
                both += [path.name] if twice else []
        (recipe.folder / "change.diff").write_text(difference(now), encoding="utf-8")
        return both


WORDS = r"\s+|[,\[\]{}]|[^\s,\[\]{}]+"
ITEMS = r"[\s,]*(?:[\[\]{}]|[^\s,\[\]{}]+)|[\s,]+"
"""Words with the comma before them, so that two that were added to one list stay two."""


def merged(now: Path, old: Path, new: Path) -> tuple[str, bool]:
    """A three-way merge word by word, and whether both changed the same ones; then both are kept."""
    text, clean = _merge(WORDS, now, old, new)
    return (text, False) if clean else (_merge(ITEMS, now, old, new)[0], True)


def _merge(token: str, *paths: Path) -> tuple[str, bool]:
    """The merged text, and whether no change meets another; every token has a line of its own for `git`."""
    lines = []
    for path in paths:
        lines.append(path.with_suffix(".words"))
        words = re.findall(token, path.read_text(encoding="utf-8"))
        lines[-1].write_text("".join(f"{json.dumps(word)}\n" for word in words), encoding="utf-8")
    command = ("merge-file", "-p", *map(str, lines))
    clean = _git(*command, cwd=paths[0].parent, check=False).returncode == 0
    union = _git(*command, "--union", cwd=paths[0].parent, check=False).stdout
    return "".join(map(json.loads, union.splitlines())), clean


def _checkout(commit: str, folder: Path) -> None:
    (folder / "charts").mkdir(parents=True)
    for name in _git("ls-tree", "--name-only", commit, "charts/", cwd=ROOT).stdout.split():
        if name.endswith(".yaml"):
            text = _git("show", f"{commit}:{name}", cwd=ROOT).stdout
            (folder / name).write_text(text, encoding="utf-8")


def _git(*words: str, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *words], cwd=cwd, check=check, capture_output=True, text=True)


def main(what: str, name: str, place: str = "") -> None:
    """`edit NAME FOLDER`, `take NAME FOLDER`, `rebase COMMIT`."""
    match what:
        case "edit":
            sys.stderr.write(apply(read(HERE / name), Path(place), "--reject", "-C1").stderr)
        case "take":
            (HERE / name / "change.diff").write_text(difference(Path(place)), encoding="utf-8")
        case "rebase":
            for recipe in recipes():
                for file in rebase(recipe, name):
                    sys.stdout.write(f"look at {recipe.name}: {file}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
