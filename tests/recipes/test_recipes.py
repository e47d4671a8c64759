"""Every recipe applies, checks, and does what it says; the page and its pictures are current.

``--accept`` (``make accept``) brings the diffs to today's line numbers and writes the page and its pictures.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from pathlib import Path

import pytest
import recipe_kit
import recipe_page
import yaml
from recipe_kit import ROOT, Recipe, apply, difference, recipes
from rig import CHARTS, checked

from charger.clock import VirtualClock
from charger.settings import Settings, load
from charger.statechart import checks, diagram
from charger.statechart.checks import Checked
from charger.stories.certify import read_stories
from charger.stories.language import Story, read_story
from charger.stories.needs import keys_of, why_not
from charger.stories.play import Played, play
from charger.stories.virtual import VirtualStage
from charger.vocabulary import build

pytestmark = pytest.mark.no_cover  # looking at every line would take longer than the test

RECIPES = recipes()
EACH = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
PROOFS = [
    pytest.param(recipe, path, id=f"{recipe.name}/{path.stem}")
    for recipe in RECIPES
    for path in recipe.stories
]
DECLARATIONS = ("+inputs:", "+outputs:")
SETTING = re.compile(r"^\+(  [A-Z]\w*: .*\n)", re.MULTILINE)
CERTIFICATION = read_stories(["Core", "RemoteTrigger"])
FEW = set(
    """
    TC_001 TC_003 TC_004_1 TC_005_1 TC_010 TC_012 TC_013 TC_016 TC_018_1 TC_023_4 TC_024 TC_026 TC_030 TC_032_2
    TC_034 TC_037_1 TC_040_1 TC_041 TC_054 TC_062 TC_069 TC_070 X_001 X_009 X_011
    """.split()
)
"""Of the certification stories: something of everything. With ``--accept`` all of them are played."""


@pytest.fixture(scope="module", autouse=True)
def _utc() -> Iterator[None]:
    """`clock.between` is local time; stories tell it in UTC."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Recipe], Checked]:
    """The charts with the change of a recipe."""

    @cache
    def charts(name: str) -> Checked:
        folder = tmp_path_factory.mktemp(name)
        recipe = next(one for one in RECIPES if one.name == name)
        told = apply(recipe, folder)
        assert told.returncode == 0, told.stderr
        return checked(folder / "charts")

    return lambda recipe: charts(recipe.name)


@pytest.fixture(scope="module")
def unchanged(
    tmp_path_factory: pytest.TempPathFactory, changed: Callable[[Recipe], Checked]
) -> Callable[[Recipe], Checked]:
    """The shipped charts with what a recipe declares, and nothing that it does: its story fails for the right reason."""

    @cache
    def charts(settings: str, declarations: str) -> Checked:
        folder = tmp_path_factory.mktemp("declared") / "charts"
        shutil.copytree(CHARTS, folder)
        index = folder / "index.yaml"
        text = index.read_text(encoding="utf-8").replace("settings:\n", f"settings:\n{settings}")
        index.write_text(text + declarations, encoding="utf-8")
        found = checks.check(folder, build)
        assert found.errors == []
        return found

    def declared(recipe: Recipe) -> Checked:
        added = [line[1:] for line in recipe.diff.splitlines(keepends=True) if line.startswith(DECLARATIONS)]
        index = recipe.diff.partition("+++ b/charts/index.yaml\n")[2].partition("\n--- ")[0] + "\n"
        settings = "".join(SETTING.findall(index))
        return charts(settings, "".join(added)) if added or settings else checked(CHARTS)

    return declared


def station(recipe: Recipe, folder: Path, **configuration: str) -> Settings:
    """What `charger init` writes, with what the recipe changes in it."""
    written = yaml.safe_load((ROOT / "stations" / "simulated.yaml").read_text(encoding="utf-8"))
    written |= recipe.station
    written["configuration"] |= configuration
    file = folder / "station.yaml"
    file.write_text(json.dumps(written), encoding="utf-8")
    settings, findings, _ = load(file, {})
    assert settings, findings
    return settings


def played(story: Story, settings: Settings, charts: Checked, folder: Path, at: str = "08:00") -> Played:
    """Play a story that begins at this time of day, UTC."""
    stage = VirtualStage(settings, charts, folder)
    stage.clock = VirtualClock(datetime.fromisoformat(f"2027-01-15T{at}+00:00").timestamp())
    return play(story, stage)


def test_there_are_enough_of_them() -> None:
    assert len(RECIPES) >= 24
    assert all(recipe.stories and recipe.by for recipe in RECIPES)
    names = [read_story(path).name for recipe in RECIPES for path in recipe.stories]
    assert len(set(names)) == len(names)


@EACH
def test_the_diff_fits_the_shipped_charts(
    recipe: Recipe, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    accepting = request.config.getoption("--accept")
    told = apply(recipe, tmp_path, *(["-C1"] if accepting else []))
    assert told.returncode == 0, f"{told.stderr}take it again: see tests/recipes/recipe_kit.py"
    if accepting:
        (recipe.folder / "change.diff").write_text(difference(tmp_path), encoding="utf-8")
    assert difference(tmp_path) == recipe.diff, "its line numbers are of other charts: make accept"


@EACH
def test_the_changed_charts_have_no_findings(recipe: Recipe, changed: Callable[[Recipe], Checked]) -> None:
    assert changed(recipe).findings == []


@pytest.mark.parametrize(("recipe", "path"), PROOFS)
def test_the_story_fails_before_and_passes_after(
    recipe: Recipe,
    path: Path,
    changed: Callable[[Recipe], Checked],
    unchanged: Callable[[Recipe], Checked],
    tmp_path: Path,
) -> None:
    story, settings = read_story(path), station(recipe, tmp_path)
    charts = changed(recipe)
    assert why_not(story, settings, keys_of(settings, charts)) is None
    after = played(story, settings, charts, tmp_path)
    assert after.failure is None, after.failure
    before = played(story, settings, unchanged(recipe), tmp_path)
    assert before.failure is not None, "it says nothing: the shipped charts do so too"
    assert "cannot be" not in before.failure.splitlines()[0]


@EACH
def test_what_a_recipe_does_not_mean_to_change_is_as_it_was(
    recipe: Recipe, changed: Callable[[Recipe], Checked], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Certification stories pass, but for those that the recipe names; and these fail."""
    chosen = FEW | recipe.breaks.keys()
    if request.config.getoption("--accept"):
        chosen = {story.name for story in CERTIFICATION}
    charts, settings = changed(recipe), station(recipe, tmp_path, **recipe.disarm)
    keys = keys_of(settings, charts)
    stories = [
        story for story in CERTIFICATION if story.name in chosen and not why_not(story, settings, keys)
    ]
    failed = {
        story.name: ended.failure
        for story in stories
        if (ended := played(story, settings, charts, tmp_path, recipe.certified_at)).failure
    }
    told = {name: failure for name, failure in failed.items() if name not in recipe.breaks}
    assert not told, "\n\n".join(map(str, told.values()))
    assert failed.keys() == recipe.breaks.keys()


# -- when the shipped charts change ------------------------------------------------------------------------


def test_a_change_is_merged_word_by_word(tmp_path: Path) -> None:
    """Two changes of one line meet only where they change the same words; then both are kept, and it is told."""
    now, old, new = (tmp_path / f"{name}.yaml" for name in ("now", "old", "new"))
    old.write_text("charts:\n  [link, lamp]\nguards:\n  a: b\n")
    new.write_text("charts:\n  [link, lamp, fan]\nguards:\n  a: b\n")
    now.write_text("charts:   # in this order\n  [net, link, lamp]\nguards:\n  a: b and c\n")
    merged = "charts:   # in this order\n  [net, link, lamp, fan]\nguards:\n  a: b and c\n"
    assert recipe_kit.merged(now, old, new) == (merged, False)
    now.write_text("charts:\n  [link, lamp, horn]\nguards:\n  a: b\n")
    assert recipe_kit.merged(now, old, new) == (
        "charts:\n  [link, lamp, horn, fan]\nguards:\n  a: b\n",
        True,
    )


# -- the page ----------------------------------------------------------------------------------------------


@EACH
def test_the_picture_is_current(
    recipe: Recipe, changed: Callable[[Recipe], Checked], request: pytest.FixtureRequest
) -> None:
    sheets = recipe_page.sheet(recipe, checked(CHARTS), changed(recipe))
    outdated = diagram.outdated_sheets(sheets, recipe_page.PICTURES)
    if outdated and request.config.getoption("--accept"):
        diagram.write_sheets(sheets, recipe_page.PICTURES)
        outdated = diagram.outdated_sheets(sheets, recipe_page.PICTURES)
    assert not outdated, "make accept"


def test_there_is_no_picture_of_a_recipe_that_is_gone() -> None:
    pictures = {path.name for path in recipe_page.PICTURES.iterdir()}
    assert pictures == {recipe_page.picture(recipe) for recipe in RECIPES}


def test_the_page_is_current(request: pytest.FixtureRequest) -> None:
    """The commands at its top are done here, so what it shows of them is what they print."""
    text = recipe_page.render(recipes())
    if request.config.getoption("--accept"):
        recipe_page.PAGE.write_text(text, encoding="utf-8")
    assert recipe_page.PAGE.read_text(encoding="utf-8") == text, "docs/recipes.md is stale: make accept"


def test_the_links_of_the_page_lead_somewhere() -> None:
    text = recipe_page.PAGE.read_text(encoding="utf-8")
    headings = {recipe_page.anchor(line.lstrip("# ")) for line in text.splitlines() if line.startswith("#")}
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target.removeprefix("#") in headings, target
        elif not target.startswith("https://"):
            assert (recipe_page.PAGE.parent / target).exists(), target
