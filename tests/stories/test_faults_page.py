"""docs/faults.md: every row names its chart and its stories, and no story is missing."""

import re
from pathlib import Path

from rig import CHARTS, checked

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
STORIES = {
    path.name.partition("-")[0]: path.read_text() for path in (Path(__file__).parent / "faults").iterdir()
}
ROWS = [
    [cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.read_text().splitlines() if "F_" in line
]


def test_every_story_is_in_one_row_of_the_page():
    told = [name for row in ROWS for name in row[5].split()]
    assert sorted(told) == sorted(STORIES)


def test_the_stories_expect_the_codes_of_their_row_and_its_chart_raises_them():
    for _, _, codes, _, chart, names in ROWS:
        text = (CHARTS / f"{chart.strip('`')}.yaml").read_text()
        stories = "".join(STORIES[name] for name in names.split())
        for word in re.findall(r"CX\d{3}|[A-Z][a-zA-Z]+(?:Failure|Error|Temperature|Voltage)", codes):
            assert word in text, (chart, word)
            assert word in stories, (names, word)


def test_the_settings_of_the_page_are_those_of_the_charts():
    page = PAGE.read_text()
    assert [name for name in checked().charts.settings if name not in page] == []
