"""A finding has a place, a rule, a sentence; three ways to print it."""

import json

from charger.statechart.findings import (
    Finding,
    Mark,
    as_github,
    as_json,
    as_text,
    closest,
    nearest,
    tidy,
)

TEXT = "chart: lock\ninitial: Relesed\n\ton: x\n"
ERROR = Finding(Mark("charts/lock.yaml", 2, 10, 7), "unknown-target", "no state 'Relesed'")
WARNING = Finding(Mark("charts/lock.yaml", 1, 1), "unused-tag", "nobody asks for it", "warning")


def test_a_finding_reads_as_one_line_with_place_severity_and_rule() -> None:
    assert str(ERROR) == "charts/lock.yaml:2:10: error: no state 'Relesed' [unknown-target]"


def test_a_part_of_a_mark_is_so_many_characters_further() -> None:
    assert Mark("a", 3, 10, 20).part(4, 2) == Mark("a", 3, 14, 2)


def test_text_shows_the_line_with_a_caret_under_the_word() -> None:
    assert as_text([ERROR], {"charts/lock.yaml": TEXT}).splitlines() == [
        str(ERROR),
        "  |",
        "2 | initial: Relesed",
        "  |          ^~~~~~~",
    ]


def test_a_caret_after_a_tab_stands_where_the_word_is_on_the_screen() -> None:
    finding = Finding(Mark("a.yaml", 3, 2, 2), "rule", "m")
    assert as_text([finding], {"a.yaml": TEXT}).splitlines()[-1] == "  | \t^~"


def test_the_gutter_is_as_wide_as_the_line_number() -> None:
    finding = Finding(Mark("a.yaml", 12, 1), "rule", "m")
    shown = as_text([finding], {"a.yaml": "\n" * 11 + "x: y"}).splitlines()[1:]
    assert shown == ["   |", "12 | x: y", "   | ^"]


def test_a_caret_never_runs_over_the_end_of_its_line() -> None:
    long = Finding(Mark("a.yaml", 1, 8, 500), "rule", "m")
    beyond = Finding(Mark("a.yaml", 1, 500), "rule", "m")
    text = as_text([long, beyond], {"a.yaml": "chart: lock"}).splitlines()
    assert text[3] == "  |        ^~~~"
    assert text[7].endswith("^")


def test_a_place_that_no_source_has_is_one_line() -> None:
    assert as_text([ERROR], {}) == str(ERROR)
    assert as_text([Finding(Mark("a.yaml", 9, 1), "rule", "m")], {"a.yaml": "x"}).count("\n") == 0


def test_several_findings_are_several_blocks() -> None:
    assert as_text([ERROR, WARNING], {}).splitlines() == [str(ERROR), str(WARNING)]


def test_json_is_an_array_of_objects() -> None:
    assert json.loads(as_json([ERROR])) == [
        {
            "file": "charts/lock.yaml",
            "line": 2,
            "column": 10,
            "length": 7,
            "severity": "error",
            "rule": "unknown-target",
            "message": "no state 'Relesed'",
        }
    ]
    assert json.loads(as_json([])) == []


def test_json_keeps_letters_of_any_language() -> None:
    assert "…" in as_json([Finding(Mark("a", 1, 1), "rule", "und so weiter …")])


def test_github_gets_one_command_per_finding() -> None:
    assert as_github([ERROR, WARNING]).splitlines() == [
        "::error file=charts/lock.yaml,line=2,col=10,title=unknown-target::no state 'Relesed'",
        "::warning file=charts/lock.yaml,line=1,col=1,title=unused-tag::nobody asks for it",
    ]


def test_github_gets_no_line_breaks_and_no_bare_percent_signs() -> None:
    assert as_github([Finding(Mark("a", 1, 1), "rule", "100 %\r\nof it")]).endswith("::100 %25%0D%0Aof it")


def test_tidy_sorts_by_place_and_says_nothing_twice() -> None:
    later = Finding(Mark("charts/lock.yaml", 10, 1), "rule", "m")
    assert tidy([later, ERROR, later]) == [ERROR, later]


def test_warnings_wait_until_the_errors_are_gone() -> None:
    assert tidy([WARNING, ERROR]) == [ERROR]
    assert tidy([WARNING]) == [WARNING]


def test_nearest_finds_a_misspelt_word_whatever_its_case() -> None:
    assert nearest("Cable.Pluged", ["cable.plugged", "link.lost"]) == " — did you mean 'cable.plugged'?"


def test_nearest_keeps_quiet_when_nothing_is_near() -> None:
    assert nearest("zebra", ["cable.plugged"]) == ""
    assert nearest("zebra", []) == ""
    assert closest("zebra", []) is None


def test_closest_gives_the_word_as_it_is_written() -> None:
    assert closest("suspendedev", ["SuspendedEVSE", "SuspendedEV"]) == "SuspendedEV"


def test_of_two_words_that_differ_in_case_only_the_choice_does_not_depend_on_their_order() -> None:
    assert closest("lock", ["Lock", "lock"]) == closest("lock", ["lock", "Lock"]) == "Lock"
