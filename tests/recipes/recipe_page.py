"""docs/recipes.md and its pictures, out of the folders of the recipes."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from recipe_kit import GROUPS, ROOT, Recipe

from charger import cli
from charger.statechart.checks import Checked
from charger.statechart.diagram_sheet import Sheet
from charger.statechart.diff import compare
from charger.statechart.diff_picture import diff_sheets

PAGE = ROOT / "docs" / "recipes.md"
PICTURES = ROOT / "docs" / "recipes"
EXAMPLE = "free-vending"
INTRO = """\
# Recipes

{count} changes of the shipped charts that people ask for, each with its diff, its diagram before and after (changes in colour), and a story that
proves it. None needs Python. Every one is tested: it applies, it checks, its story fails on the shipped charts and passes on the changed
ones, and the certification stories still pass, but for those that it makes wrong on purpose.

## Carry one out

Five minutes, in the folder of this repository (`make run` once before; then `. .venv/bin/activate`):

```console
{console}```

Editing the charts by hand is as good: the diff says where. (So it is with a second recipe, which may change the same line of `index.yaml`.) What
`check` says about a slip of the pen has line, column and the nearest right word. `charger schema` tells your editor the names that are new, here
`FreeVending`: write it anew whenever charts gain a setting, a signal, a tag, an input or an output.

Then see it: `charger csms` in one terminal, `charger run mine/station.yaml` in another, and the page <http://127.0.0.1:8016/>. *Charge* below means:
plug in and swipe a card there. A button or a contact that a recipe declares is a box to tick. The Central System has a page too, <http://127.0.0.1:9000/>.
Or watch a story, step by step, in no time: `charger simulate --station mine/station.yaml tests/recipes/{example}/no-card.yaml`.

Stories that tell the time of day mean UTC: write `TZ=UTC` before the command. A recipe is a beginning: change its numbers, its names, its
story. [charts.md](charts.md) is the language, [vocabulary.md](vocabulary.md) has all words, [stories.md](stories.md) says how a story is told.

## What people ask

In our words; who asked, and where, stands with each recipe.
"""
COMMANDS = (
    "charger init mine",
    f"git apply --directory=mine tests/recipes/{EXAMPLE}/change.diff",
    "charger check mine/station.yaml",
    "charger schema mine/charts",
    "charger diff charts mine/charts",
    f"charger certify mine/station.yaml --virtual --story tests/recipes/{EXAMPLE}/no-card.yaml",
    "charger diagram mine/charts",
)
"""What the page tells people to type. It is done, and what it printed is shown."""


def render(recipes: list[Recipe]) -> str:
    """The page."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(_page(recipes))) + "\n"


def _page(recipes: list[Recipe]) -> Iterator[str]:
    yield INTRO.format(count=len(recipes), console=_console(), example=EXAMPLE).rstrip("\n")
    for group in GROUPS:
        yield f"\n**{group}**\n"
        for recipe in recipes:
            if recipe.group == group:
                yield f"* *{recipe.asked}* → [{recipe.title}](#{anchor(recipe.title)})"
    for group in GROUPS:
        yield f"\n## {group}"
        for recipe in recipes:
            if recipe.group == group:
                yield from _recipe(recipe)


def _recipe(recipe: Recipe) -> Iterator[str]:
    chart = main_chart(recipe)
    new = not (ROOT / "charts" / f"{chart}.yaml").exists()
    before = "a new chart" if new else f"[before](../diagrams/{chart}.svg)"
    change = "it" if new else "before and after in one"
    counted = Counter(
        line[0] for line in recipe.diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")
    )
    yield f"\n### {recipe.title}\n"
    yield f"> {recipe.asked}\n"
    yield f"Asked for by {'; '.join(recipe.by)}.\n"
    yield recipe.text.rstrip("\n")
    yield f"\n```diff\n{recipe.diff}```\n"
    yield f"+{counted['+']} −{counted['-']} lines · diagram of `{chart}`: {before}, [{change}](recipes/{picture(recipe)})\n"
    if recipe.station:
        told = "; ".join(f"`{key}: {_flow(value)}`" for key, value in recipe.station.items())
        yield f"*In mine/station.yaml:* {told}\n"
    yield f"*See it:* {recipe.hint}\n"
    if recipe.breaks:
        yield f"*Certification stories that are no longer true:* {_broken(recipe)}.\n"
    for path in recipe.stories:
        place = path.relative_to(ROOT)
        yield f"<details><summary>The story that proves it: <code>{place}</code></summary>\n"
        yield f"```yaml\n{path.read_text(encoding='utf-8')}```\n\n</details>\n"


def _broken(recipe: Recipe) -> str:
    reasons: dict[str, list[str]] = {}
    for story, why in recipe.breaks.items():
        reasons.setdefault(why, []).append(story)
    return "; ".join(f"{', '.join(names)} ({why})" for why, names in reasons.items())


def _flow(value: object) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {_flow(inner)}" for key, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_flow, value)) + "]"
        case _:
            return str(value)


def anchor(title: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def _console() -> str:
    """The commands of the introduction and what they print, done in a folder of their own."""
    shown = ""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("charts", "tests"):
            (Path(folder) / name).symlink_to(ROOT / name)
        os.chdir(folder)
        try:
            for command in COMMANDS:
                shown += f"$ {command}\n{_printed(command)}"
        finally:
            os.chdir(before)
    return shown


def _printed(command: str) -> str:
    program, *words = command.split()
    if program == "git":
        subprocess.run(
            [program, *words],
            check=True,
            env={**os.environ, "GIT_CEILING_DIRECTORIES": str(Path.cwd().parent)},
        )
        return ""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        status = cli.run_command(words)
    assert status == (words[0] == "diff"), printed.getvalue()
    return printed.getvalue()


# -- pictures ------------------------------------------------------------------------------------------


def main_chart(recipe: Recipe) -> str:
    """The chart that a picture of the change has to show: a new one, or that with the most changed lines."""
    lines: Counter[str] = Counter()
    name = ""
    for line in recipe.diff.splitlines():
        if line.startswith("+++ "):
            name = Path(line).stem
        elif line.startswith(("+", "-")) and not line.startswith("---") and name != "index":
            lines[name] += 1
    return lines.most_common(1)[0][0]


def picture(recipe: Recipe) -> str:
    """The file with the diagram of the changed chart."""
    return f"{recipe.name}.svg"


def sheet(recipe: Recipe, shipped: Checked, changed: Checked) -> dict[str, Sheet]:
    """The picture of a change by its name: the chart before and after in one, coloured."""
    differences = diff_sheets(compare(shipped.charts, changed.charts), "shipped", recipe.name)
    return {recipe.name: differences[main_chart(recipe)]}
