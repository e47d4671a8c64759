"""Every rule has an example: a folder of charts with one kind of mistake, and the findings word for word.

``err/<rule>/expected.txt`` is what `charger check` prints for ``err/<rule>/``; ``make accept``
(``--accept``) writes these files anew, and the review of the difference is the test. Sets in ``ok/`` have no
findings, nor have the shipped charts; changes that people ask for are in tests/recipes/.
"""

import random
import re
from pathlib import Path

import pytest
from chart_kit import SHIPPED, shipped_copy

from charger.statechart import checks
from charger.statechart.checks_reference import WHY
from charger.statechart.findings import Finding, Mark, as_text
from charger.vocabulary import build

HERE = Path(__file__).parent
RULES = Path(checks.__file__).parent
EXAMPLES = sorted(path for path in (HERE / "err").iterdir() if path.is_dir())
CORRECT = sorted(path for path in (HERE / "ok").iterdir() if path.is_dir())
SOURCES = (
    "source",
    "reader",
    *(path.stem for path in RULES.glob("checks_*.py") if "reference" not in path.stem),
)
NAMED_BY_A_VARIABLE = {"unknown-guard"}
"""Rules whose name is put together at run time."""


def findings_of(folder: Path) -> list[Finding]:
    return checks.check(folder, build, "charts").findings


def lines_of(folder: Path) -> list[str]:
    """The findings as one line each, without the folder."""
    return [str(finding).removeprefix("charts/") for finding in findings_of(folder)]


# -- one example per rule ------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_the_findings_are_the_expected_ones_word_for_word(
    folder: Path, request: pytest.FixtureRequest
) -> None:
    checked = checks.check(folder, build, "charts")
    printed = as_text(checked.findings, checked.charts.sources) + "\n"
    expected = folder / "expected.txt"
    if request.config.getoption("--accept"):
        expected.write_text(printed, encoding="utf-8")
    assert printed == expected.read_text(encoding="utf-8"), "other findings: is it better? then `make accept`"


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_a_mistake_is_told_by_its_own_rule_alone(folder: Path) -> None:
    assert {finding.rule for finding in findings_of(folder)} == {folder.name}


def test_every_rule_has_an_example_and_every_example_a_rule() -> None:
    text = "".join((Path(checks.__file__).parent / f"{name}.py").read_text("utf-8") for name in SOURCES)
    kinds = set(re.findall(r'_unknown\(\s*"([a-z-]+)"', text))
    rest = re.sub(r'_unknown\(\s*"[a-z-]+"', "", text)
    rules = set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"', rest)) | {f"unknown-{kind}" for kind in kinds}
    assert rules | NAMED_BY_A_VARIABLE == {folder.name for folder in EXAMPLES}


def test_every_rule_has_a_reason_and_every_reason_a_rule() -> None:
    """And a section in docs/checks.md, which is made of these."""
    reasons = [rule for group in WHY.values() for rule in group]
    assert sorted(reasons) == [folder.name for folder in EXAMPLES]
    page = (HERE.parents[1] / "docs" / "checks.md").read_text(encoding="utf-8")
    assert re.findall(r"^### (.*)$", page, re.MULTILINE) == reasons


@pytest.mark.parametrize("folder", CORRECT, ids=lambda folder: folder.name)
def test_correct_charts_have_no_findings(folder: Path) -> None:
    assert lines_of(folder) == []


# -- the shipped charts --------------------------------------------------------------------------------


def test_the_shipped_charts_have_no_findings() -> None:
    assert lines_of(SHIPPED) == []


def test_a_check_says_how_much_it_looked_at() -> None:
    checked = checks.check(SHIPPED, build)
    charts = checked.charts.charts.values()
    states = sum(len(chart.states) - 1 for chart in charts)
    assert checked.summary().startswith(f"{len(charts)} charts, {states} states, ")
    assert checked.errors == []


def test_findings_name_files_as_the_caller_does(tmp_path: Path) -> None:
    folder = shipped_copy(tmp_path, ("link.yaml", "initial: Down", "initial: Dwn"))
    assert checks.check(folder, build).findings[0].mark.file == f"{folder}/link.yaml"
    assert checks.check(folder, build, "my charts").findings[0].mark.file == "my charts/link.yaml"


TEN_MISTAKES = {
    # file: (what is written, the mistake in it, its rule, the right word)
    "link.yaml": ("link.lost: Down", "link.lsot: Down", "unknown-event", "link.lost"),
    "registration.yaml": ("[ocpp.answer_calls]", "[ocpp.answer_cals]", "unknown-action", "ocpp.answer_calls"),
    "requests.yaml": (
        "not configuration.known",
        "not configuration.knwon",
        "unknown-fact",
        "configuration.known",
    ),
    "reset.yaml": ("target: Soft", "target: Sotf", "unknown-target", "Soft"),
    "availability.yaml": ("status: Faulted", "status: Faultd", "unknown-status", "Faulted"),
    "metering.yaml": (
        *("MeterValueSampleInterval:", "MeterValueSampleIntervall:"),
        *("unknown-configuration-key", "MeterValueSampleInterval"),
    ),
    "pilot.yaml": ("{guard: in(refused)", "{gaurd: in(refused)", "unknown-key", "guard"),
    "power.yaml": ("in(secured)", "in(secured_)", "unknown-tag", "secured"),
    "transaction.yaml": ("reason: Remote", "reason: Remot", "unknown-word", "Remote"),
    "lock.yaml": ("UnlockConnector: Unlocked", "UnlockConnector: Unlokced", "unknown-reply", "Unlocked"),
}


def test_ten_mistakes_are_found_in_one_run_each_at_its_place_and_with_the_right_word(tmp_path: Path) -> None:
    folder = shipped_copy(tmp_path, *((file, old, new) for file, (old, new, _, _) in TEN_MISTAKES.items()))
    found = {Path(finding.mark.file).name: finding for finding in findings_of(folder)}
    assert len(findings_of(folder)) == 10
    for file, (old, new, rule, right) in TEN_MISTAKES.items():
        finding, text = found[file], (folder / file).read_text("utf-8")
        wrong = _different_word(old, new)
        before = text[: text.index(new) + new.index(wrong)]
        line, column = before.count("\n") + 1, len(before) - before.rindex("\n")
        assert finding.rule == rule
        assert finding.mark == Mark(f"charts/{file}", line, column, len(wrong))
        assert finding.message.endswith(f"— did you mean '{right}'?")


def _different_word(old: str, new: str) -> str:
    words = zip(re.findall(r"[\w.]+", old), re.findall(r"[\w.]+", new), strict=True)
    return next(right for left, right in words if left != right)


def test_a_chart_that_cannot_be_read_is_not_blamed_on_the_others(tmp_path: Path) -> None:
    """What other charts say of it (`in(link.Up)`) waits until it can be read; their own mistakes do not."""
    edits = [
        ("link.yaml", "states:", "states: ["),
        ("reset.yaml", "target: Soft, reply", "target: Sotf, reply"),
    ]
    assert [line.split()[-1] for line in lines_of(shipped_copy(tmp_path, *edits))] == [
        "[yaml-syntax]",
        "[unknown-target]",
    ]


@pytest.mark.parametrize("damage", ["syntax", "no chart", "states", "tags"])
def test_one_chart_that_cannot_be_read_whole_is_told_alone(tmp_path: Path, damage: str) -> None:
    """Whichever it is. What it would have said is missing everywhere, which is counted and waits."""
    folder, held_back = shipped_copy(tmp_path), 0
    for path in sorted(folder.glob("*.yaml")):
        whole = path.read_text("utf-8")
        if path.stem == "index" or (damage == "tags" and "tags: [" not in whole):
            continue
        damaged = {
            "syntax": whole.replace("states:", "states: [", 1),
            "no chart": "to be written\n",
            "states": whole.partition("\nstates:")[0] + "\nstates: [Free]\n",
            "tags": re.sub(r"tags: \[([^\]]*)\]", r"tags: \1", whole),
        }[damage]
        path.write_text(damaged, "utf-8")
        checked = checks.check(folder, build, "charts")
        held_back += checked.held_back
        assert {finding.mark.file for finding in checked.findings} == {f"charts/{path.name}"}
        assert {finding.rule for finding in checked.findings} <= {"yaml-syntax", "wrong-kind"}
        path.write_text(whole, "utf-8")
    assert held_back > 10
    assert checks.check(folder, build).held_back == 0


def test_an_index_that_cannot_be_read_whole_is_told_alone(tmp_path: Path) -> None:
    folder = shipped_copy(tmp_path, ("index.yaml", "guards:", "guards: []\nold_guards:"))
    found = checks.check(folder, build, "charts")
    assert {(finding.mark.file, finding.rule) for finding in found.findings} == {
        ("charts/index.yaml", "wrong-kind"),
        ("charts/index.yaml", "unknown-key"),
    }
    assert found.held_back > 0


@pytest.mark.parametrize(
    ("file", "old", "new", "rule"),
    [
        ("index.yaml", "guards:", "guards: [", "yaml-syntax"),
        ("index.yaml", "charts:", "description_of_charts:", "missing-key"),
        ("connector.yaml", "scope: connector", "scope: conector", "unknown-scope"),
        ("index.yaml", "requests, trigger", "reqests, trigger", "unknown-chart"),
    ],
)
def test_one_mistake_that_hides_much_is_not_a_flood(
    tmp_path: Path, file: str, old: str, new: str, rule: str
) -> None:
    found = findings_of(shipped_copy(tmp_path, (file, old, new)))
    assert rule in {finding.rule for finding in found} <= {rule, "chart-not-listed", "unknown-key"}
    assert len(found) <= 2


def test_all_calls_that_one_missing_line_leaves_without_owner_are_one_finding(tmp_path: Path) -> None:
    wild = "  ocpp.*: {reply: {error: NotSupported}}"
    (found,) = lines_of(shipped_copy(tmp_path, ("connector.yaml", wild, "  ")))
    assert re.search(r"no chart answers ocpp\.\w+, ocpp\.\w+, ocpp\.\w+ and \d+ more to a connector", found)


# -- whatever is in the files --------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_charts_damaged_at_random_give_findings_and_never_an_exception(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    folder = shipped_copy(tmp_path)
    files = sorted(folder.glob("*.yaml"))
    words = sorted({word for path in files for word in re.findall(r"[\w.]+", path.read_text("utf-8"))})
    for path in dice.sample(files, 8):
        lines = path.read_text("utf-8").splitlines()
        for _ in range(2):
            line = dice.randrange(len(lines))
            match dice.randrange(4):
                case 0:
                    lines.insert(dice.randrange(len(lines)), lines.pop(line))
                case 1:
                    lines[line] = lines[line][2:]
                case 2:
                    position = dice.randrange(len(lines[line]) + 1)
                    lines[line] = (
                        lines[line][:position] + dice.choice("{}[]:,()'-*&") + lines[line][position:]
                    )
                case _:
                    lines[line] = re.sub(r"[\w.]+$", dice.choice(words), lines[line])
        path.write_text("\n".join(lines), encoding="utf-8")
    checked = checks.check(folder, build, "charts")
    assert checked.findings
    assert as_text(checked.findings, checked.charts.sources)
