"""Strict YAML: what is read, what is refused, and where the finger points."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from charger.statechart import source
from charger.statechart.source import Mapping, Node, Scalar, Sequence, Source, read_file, read_text

PARSERS = [yaml.CSafeLoader, yaml.SafeLoader]


def plain(node: Node | None) -> Any:
    """The tree without marks."""
    match node:
        case Mapping(items=items):
            return {key.value: plain(value) for key, value in items}
        case Sequence(items=items):
            return [plain(item) for item in items]
        case Scalar(value=value):
            return value
    return None


def rules(read: Source) -> list[tuple[str, int, int]]:
    return [(finding.rule, finding.mark.line, finding.mark.column) for finding in read.findings]


def value_of(text: str) -> Any:
    read = read_text(f"x: {text}", "a.yaml")
    assert not read.findings, read.findings
    return plain(read.root)["x"]


@pytest.fixture(params=PARSERS, ids=["libyaml", "pure"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A board may have PyYAML without libyaml: both must read and complain alike."""
    monkeypatch.setattr(source, "_FAST", request.param)


# -- values --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("0", 0),
        ("42", 42),
        ("-7", -7),
        ("1.10", 1.1),
        ("-0.5", -0.5),
        ("null", None),
        ("~", None),
        ("", None),
    ],
)
def test_booleans_plain_numbers_and_null_are_values(text: str, value: object) -> None:
    assert value_of(text) == value
    assert type(value_of(text)) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        *("on", "off", "yes", "no", "On", "True", "FALSE", "Null"),  # booleans and null of YAML 1.1
        *("22:00", "12:30:00", "2026-01-02"),  # sexagesimal numbers and dates
        *("1_000", "1e3", "0x1F", "+5", ".5", "5.", ".inf", ".nan", "="),
        *("30s", "cable.plugged", "backoff(3s"),
    ],
)
def test_everything_else_is_text(text: str) -> None:
    assert value_of(text) == text


@pytest.mark.parametrize("text", ["'42'", '"42"', '"true"', "'null'", '""'])
def test_quoted_text_is_text_whatever_it_looks_like(text: str) -> None:
    read = read_text(text, "a.yaml")
    assert isinstance(read.root, Scalar)
    assert read.root.quoted
    assert read.root.value == text[1:-1]


def test_block_text_is_text() -> None:
    assert value_of("|\n  42\n") == "42\n"
    assert value_of(">\n  one\n  two\n") == "one two\n"


@pytest.mark.parametrize("text", ["010", "-007", "+01", "00"])
def test_leading_zeros_are_refused_since_yaml_counts_them_in_eights(text: str) -> None:
    assert rules(read_text(f"x: {text}", "a.yaml")) == [("odd-number", 1, 4)]


@pytest.mark.usefixtures("parser")
def test_keys_are_text_and_keep_their_order() -> None:
    read = read_text("on: 1\noff: 2\n3: 4\ntrue: 5\nnull: 6\n", "a.yaml")
    assert not read.findings
    assert list(plain(read.root)) == ["on", "off", "3", "true", "null"]


def test_lists_and_mappings_nest_in_either_style() -> None:
    read = read_text("a:\n  - {b: [1, 2]}\n  - c\nd: {}\ne: []\n", "a.yaml")
    assert plain(read.root) == {"a": [{"b": [1, 2]}, "c"], "d": {}, "e": []}


def test_a_mapping_gives_a_value_by_its_key() -> None:
    root = read_text("a: 1\nb: 2\n", "a.yaml").root
    assert isinstance(root, Mapping)
    assert plain(root.get("b")) == 2
    assert root.get("c") is None


@pytest.mark.parametrize("text", ["", "# only a comment\n", "\n\n"])
def test_an_empty_file_has_no_tree_and_no_finding(text: str) -> None:
    read = read_text(text, "a.yaml")
    assert read.root is None
    assert not read.findings


# -- places --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("parser")
def test_every_node_knows_its_line_column_and_length() -> None:
    root = read_text("a: one\nbb:\n  - 'two'\n  - [x]\n", "f.yaml").root
    assert isinstance(root, Mapping)
    (a, one), (bb, items) = root.items
    assert isinstance(items, Sequence)
    two, flow = items.items
    places = [(node.mark.line, node.mark.column, node.mark.length) for node in (a, one, bb, items, two, flow)]
    assert places == [(1, 1, 1), (1, 4, 3), (2, 1, 2), (3, 3, 1), (3, 6, 3), (4, 5, 1)]
    assert {node.mark.file for node in (a, one, bb, items, two, flow)} == {"f.yaml"}


@pytest.mark.usefixtures("parser")
def test_columns_count_letters_not_bytes() -> None:
    root = read_text("ä: 'ö ü'\n", "a.yaml").root
    assert isinstance(root, Mapping)
    value = root.items[0][1]
    assert (value.mark.column, value.mark.length) == (5, 3)


def test_text_over_several_lines_is_marked_where_it_begins() -> None:
    root = read_text("a: one\n  two\n", "a.yaml").root
    assert isinstance(root, Mapping)
    mark = root.items[0][1].mark
    assert (mark.line, mark.column, mark.length) == (1, 4, len("one two"))


# -- refused -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", [("duplicate-key", 3, 1)]),
        ("a: 1\n'a': 3\n", [("duplicate-key", 2, 2)]),
        ("a: &x 1\nb: *x\n", [("yaml-alias", 1, 4), ("yaml-alias", 2, 4)]),
        ("a: &x {b: 1}\n", [("yaml-alias", 1, 4)]),
        ("a: &x [1]\n", [("yaml-alias", 1, 4)]),
        ("<<: {a: 1}\n", [("yaml-merge", 1, 1)]),
        ("a: !!python/name:os.system x\n", [("yaml-tag", 1, 4)]),
        ("a: !!str 1\n", [("yaml-tag", 1, 4)]),
        ("? [a]\n: 1\n", [("key-not-text", 1, 3)]),
        ("? {a: b}\n: 1\n", [("key-not-text", 1, 3)]),
        ("? \n: 1\n", [("key-not-text", 1, 2)]),
        ("a: 1\n---\nb: 2\n", [("yaml-documents", 2, 1)]),
    ],
)
def test_what_yaml_has_and_charts_have_not(text: str, expected: list[tuple[str, int, int]]) -> None:
    assert rules(read_text(text, "a.yaml")) == expected


def test_a_duplicate_key_names_the_first_one_which_counts() -> None:
    read = read_text("a: 1\na: 2\n", "a.yaml")
    assert read.findings[0].message == "key 'a' is already defined at line 1"
    assert plain(read.root) == {"a": 1}


def test_a_second_document_is_not_read() -> None:
    assert plain(read_text("a: 1\n---\na: &x 2\n", "a.yaml").root) == {"a": 1}


def test_several_mistakes_are_found_at_once() -> None:
    read = read_text("a: 010\nb: *c\na: !x 1\n", "a.yaml")
    assert [rule for rule, _, _ in rules(read)] == ["odd-number", "yaml-alias", "yaml-tag", "duplicate-key"]


# -- syntax --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "line", "column", "what"),
    [
        ("a: [1, 2\nb: 3\n", 2, 2, "expected ',' or ']'"),
        ("a: {b: 1\n", 2, 1, "expected ',' or '}'"),
        ("a: 'one\n", 2, 1, "found unexpected end of stream"),
        ("a: b: c\n", 1, 5, "mapping values are not allowed here"),
        ("a: 1\n b: 2\n", 2, 3, "mapping values are not allowed here"),
        ("a:\n\tb: 1\n", 2, 1, "found character '\\t' that cannot start any token; indent with spaces"),
        ("a: @x\n", 1, 4, "found character '@' that cannot start any token"),
        ("a: *\n", 1, 5, "expected alphabetic or numeric character"),
        ("a: 1\nb: x\x07y\n", 2, 5, "a character that YAML does not allow"),
        ("\x00", 1, 1, "a character that YAML does not allow"),
        ("a: !x!y 1\n", 1, 4, "found undefined tag handle '!x!'"),
    ],
)
def test_broken_yaml_is_one_finding_at_the_place_where_reading_stopped(
    text: str, line: int, column: int, what: str
) -> None:
    read = read_text(text, "a.yaml")
    assert rules(read) == [("yaml-syntax", line, column)]
    assert what in read.findings[0].message
    assert read.root is None


def test_what_libyaml_alone_refuses_is_a_finding_too() -> None:
    """Half a character; the pure parser lets it pass."""
    read = read_text('a: "\\ud800"\n', "a.yaml")
    assert rules(read) == [("yaml-syntax", 1, 7)]
    assert "found invalid Unicode character escape code" in read.findings[0].message


def test_tabs_are_blamed_only_where_they_indent() -> None:
    assert "tabs" in read_text("a:\n\tb: 1\n", "a.yaml").findings[0].message
    assert "tabs" not in read_text("a: @\t1\n", "a.yaml").findings[0].message
    assert "tabs" not in read_text("a: [1\n", "a.yaml").findings[0].message


# -- sizes ---------------------------------------------------------------------------------------------


def test_too_many_values_are_refused_before_they_fill_the_memory() -> None:
    read = read_text("[" + "x," * source.MAX_NODES + "]", "a.yaml")
    assert [rule for rule, _, _ in rules(read)] == ["yaml-too-large"]
    assert str(source.MAX_NODES) in read.findings[0].message


def test_nesting_too_deep_is_refused() -> None:
    read = read_text("[" * 10_000, "a.yaml")
    assert rules(read) == [("yaml-too-large", 1, source.MAX_DEPTH + 2)]
    assert not read_text("[" * source.MAX_DEPTH + "]" * source.MAX_DEPTH, "a.yaml").findings


# -- files ---------------------------------------------------------------------------------------------


def test_a_file_is_named_as_asked(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("x: 010", encoding="utf-8")
    assert read_file(tmp_path / "a.yaml", "charts/a.yaml").findings[0].mark.file == "charts/a.yaml"
    assert read_file(tmp_path / "a.yaml").findings[0].mark.file == str(tmp_path / "a.yaml")


def test_a_file_keeps_its_text_for_the_carets(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("x: y\n", encoding="utf-8")
    assert read_file(tmp_path / "a.yaml").text == "x: y\n"


def test_a_byte_order_mark_does_not_become_part_of_the_first_key(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfx: y\n")
    assert plain(read_file(tmp_path / "a.yaml").root) == {"x": "y"}


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda _path: None, "there is no such file"),
        (lambda path: path.mkdir(), "that is a folder"),
        (os.mkfifo, "that is no regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "that is no regular file"),
        (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
        (lambda path: path.write_bytes(b" " * 1_000_001), "1,000,001 bytes; at most 1,000,000 are read"),
    ],
)
def test_an_unreadable_file_is_a_finding(tmp_path: Path, make: Any, why: str) -> None:
    make(tmp_path / "a.yaml")
    read = read_file(tmp_path / "a.yaml", "a.yaml")
    assert rules(read) == [("unreadable-file", 1, 1)]
    assert why in read.findings[0].message


def test_a_file_that_is_not_utf_8_is_shown_with_the_place(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes("x: y\nz: Größe".encode("latin-1"))
    read = read_file(tmp_path / "a.yaml", "a.yaml")
    assert rules(read) == [("unreadable-file", 2, 6)]
    assert read.text == "x: y\nz: Gr\ufffd\ufffde"


# -- whatever is in the file ---------------------------------------------------------------------------

_BITS = st.sampled_from(
    [
        *"abx01-?:,[]{}&*!|>'\"%@#\t\n ",
        "\n  ",
        ": ",
        "- ",
        "<<: ",
        "---\n",
        "...\n",
        "&a ",
        "*a",
        "!!int ",
        "é",
    ]
)


@settings(max_examples=400, deadline=None)
@example("a: b\n\x85c: [")
@given(st.one_of(st.lists(_BITS, max_size=25).map("".join), st.text(max_size=30)))
def test_any_text_gives_a_tree_or_a_finding_but_never_an_exception(text: str) -> None:
    read = read_text(text, "a.yaml")
    lines = len(text.splitlines()) + 1
    assert read.root is not None or read.findings or not _content(text)
    assert all(1 <= finding.mark.line <= lines and finding.mark.column >= 1 for finding in read.findings)


def _content(text: str) -> bool:
    """Whether a parser finds any node in it."""
    try:
        return any(isinstance(event, yaml.NodeEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError:
        return True


@pytest.mark.parametrize("digits", ["8949020000123456789", "1" * 5000, f"{'1' * 20}.5"])
def test_more_digits_than_a_number_has_are_text(digits: str) -> None:
    assert plain(read_text(f"iccid: {digits}", "a.yaml").root) == {"iccid": digits}
