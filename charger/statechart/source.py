"""Strict YAML: text in, a tree of nodes with marks out, and every mistake as a finding.

YAML has surprises that cost people nights: `on` is a boolean, `010` is eight, `12:30:00` a number, the
second of two equal keys wins, an alias bomb fills the memory. None of that is in the subset read here:
text keys, `true`/`false`, plain decimal numbers, `null`, everything else is text; no anchors, aliases,
merges, tags or duplicate keys. The only importer of PyYAML.
"""

from __future__ import annotations

import errno
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from charger.statechart.findings import Finding, Mark

MAX_DEPTH = 24
MAX_NODES = 20_000
MAX_BYTES = 1_000_000
"""Of one file."""
MAX_DIGITS = 15
"""Of a number: more of them a floating-point number does not keep, and an ICCID is text."""

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)\Z")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+\Z")
_ODD_NUMBER = re.compile(r"[-+]?0[0-9]+\Z")

# Built with libyaml nearly everywhere; the pure parser gives the same events eight times slower.
_FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value. `quoted` text is text whatever it looks like."""

    mark: Mark
    value: str | int | float | bool | None
    raw: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    mark: Mark
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys are text and unique; the order is the author's."""

    mark: Mark
    items: tuple[tuple[Scalar, Node], ...]

    def get(self, key: str) -> Node | None:
        """The value of `key`, or None."""
        return next((value for name, value in self.items if name.value == key), None)


Node: TypeAlias = Scalar | Sequence | Mapping


@dataclass(slots=True)
class Source:
    """One file: its text, its tree (None when it could not be read) and what is wrong so far."""

    file: str
    text: str
    root: Node | None = None
    findings: list[Finding] = field(default_factory=list)


def read_file(path: Path, shown_as: str | None = None) -> Source:
    """Read and parse a file; an unreadable one becomes a finding.

    Args:
        path: where it is.
        shown_as: how to name it in findings; the path as given when left out.
    """
    opened = open_file(path, shown_as)
    return opened if opened.findings else read_text(opened.text, opened.file)


def open_file(path: Path, shown_as: str | None = None) -> Source:
    """The text of a file that is no YAML, or not yet; otherwise as `read_file`."""
    name = shown_as or str(path)
    try:
        data = read_bytes(path, MAX_BYTES)
        return Source(name, data.decode("utf-8"))
    except FileNotFoundError:
        return _unreadable(Mark(name, 1, 1), "there is no such file")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8").split("\n")
        mark = Mark(name, len(before), len(before[-1]) + 1)
        return _unreadable(mark, "not UTF-8 from here on", data.decode("utf-8", "replace"))
    except OSError as error:
        return _unreadable(Mark(name, 1, 1), str(error.strerror))


def read_bytes(path: Path, most: int | None = None) -> bytes:
    """What is in a file that somebody named, which may be anything: a pipe would be waited for for ever.

    Raises:
        OSError: it cannot be read, is no regular file, or has more than `most` bytes.
    """
    found = path.stat()
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "that is a folder", str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "that is no regular file", str(path))
    if most is not None and found.st_size > most:
        raise OSError(errno.EFBIG, f"{found.st_size:,} bytes; at most {most:,} are read", str(path))
    return path.read_bytes()


def _unreadable(mark: Mark, why: str, text: str = "") -> Source:
    return Source(mark.file, text, None, [Finding(mark, "unreadable-file", f"cannot be read: {why}")])


def read_text(text: str, name: str) -> Source:
    """Parse YAML text; mistakes are in ``findings`` of the result."""
    source = Source(name, text)
    try:
        source.root = _Composer(source).compose(yaml.parse(text, Loader=_FAST))
    except yaml.YAMLError as error:
        _explain_syntax(source, error)
    except _TooMuchError as error:
        source.findings.append(Finding(error.mark, "yaml-too-large", str(error)))
    return source


def _explain_syntax(source: Source, error: yaml.YAMLError) -> None:
    """Parse again with the pure parser, whose messages are better and the same on every machine."""
    try:
        for _ in yaml.parse(source.text, Loader=yaml.SafeLoader):
            pass
    except yaml.YAMLError as better:
        error = better
    line, column = _place_of(error, source.text)
    parts = [getattr(error, "context", None), getattr(error, "problem", None)]
    what = ", ".join(part for part in parts if part) or "a character that YAML does not allow"
    hint = ""
    if source.text[: _offset(source.text, line, column)].rpartition("\n")[2].strip("\t") == "" and (
        "\t" in _line(source.text, line)
    ):
        hint = "; indent with spaces, not with tabs"
    source.findings.append(
        Finding(Mark(source.file, line, column), "yaml-syntax", f"not readable as YAML: {what}{hint}")
    )


def _place_of(error: yaml.YAMLError, text: str) -> tuple[int, int]:
    mark = getattr(error, "problem_mark", None)
    if mark:
        return mark.line + 1, mark.column + 1
    before = text[: getattr(error, "position", 0)].splitlines() or [""]  # a forbidden character has no mark
    return len(before), len(before[-1]) + 1


def _line(text: str, number: int) -> str:
    lines = text.splitlines()
    return lines[number - 1] if number <= len(lines) else ""


def _offset(text: str, line: int, column: int) -> int:
    return sum(len(part) for part in text.splitlines(keepends=True)[: line - 1]) + column - 1


class _TooMuchError(Exception):
    def __init__(self, mark: Mark, message: str) -> None:
        self.mark = mark
        super().__init__(message)


class _Composer:
    """Builds the tree from PyYAML's event stream, so that the fast and the pure parser serve alike."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._count = 0

    def compose(self, events: Iterator[yaml.Event]) -> Node | None:
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    self._report(
                        self._mark(event, 3), "yaml-documents", "one document per file: no '---' here"
                    )
                    break
            elif isinstance(event, yaml.NodeEvent):
                root = self._node(event, events, 0)
        return root

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node:
        self._count += 1
        mark = self._mark(event, 1)
        if self._count > MAX_NODES:
            raise _TooMuchError(mark, f"more than {MAX_NODES} values in one file")
        if depth > MAX_DEPTH:
            raise _TooMuchError(mark, f"nested more than {MAX_DEPTH} levels deep")
        self._refuse_extras(event, mark)
        if isinstance(event, yaml.SequenceStartEvent):
            return Sequence(mark, tuple(self._items(events, depth)))
        if isinstance(event, yaml.MappingStartEvent):
            return Mapping(mark, tuple(self._pairs(events, depth)))
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        name = f"*{event.anchor}"  # type: ignore[attr-defined]
        return Scalar(mark, name, name)  # an alias, refused above

    def _items(self, events: Iterator[yaml.Event], depth: int) -> Iterator[Node]:
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                return
            yield self._node(event, events, depth + 1)

    def _pairs(self, events: Iterator[yaml.Event], depth: int) -> Iterator[tuple[Scalar, Node]]:
        seen: dict[str, Mark] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                return
            key = self._node(event, events, depth + 1)
            value = self._node(next(events), events, depth + 1)
            if not isinstance(key, Scalar) or (key.value is None and not key.raw):
                self._report(key.mark, "key-not-text", "a key is one word or a quoted text")
                continue
            text = key.raw
            if text == "<<":
                self._report(key.mark, "yaml-merge", "merge keys are not part of the language: write it out")
            elif text in seen:
                first = seen[text].line
                self._report(key.mark, "duplicate-key", f"key '{text}' is already defined at line {first}")
            else:
                seen[text] = key.mark
                yield Scalar(key.mark, text, text, key.quoted), value

    def _scalar(self, event: Any) -> Scalar:
        raw: str = event.value
        quoted: bool = event.style not in (None, "")
        same_line = event.end_mark.line == event.start_mark.line
        length = event.end_mark.column - event.start_mark.column if same_line else len(raw)
        mark = self._mark(event, max(1, length))
        if event.style in ("'", '"'):
            mark = Mark(mark.file, mark.line, mark.column + 1, max(1, mark.length - 2))
        if quoted:
            return Scalar(mark, raw, raw, quoted=True)
        if _ODD_NUMBER.match(raw):
            self._report(mark, "odd-number", f"'{raw}': no leading zeros; quote it if it is text")
        return Scalar(mark, _plain(raw), raw)

    def _refuse_extras(self, event: yaml.Event, mark: Mark) -> None:
        anchor = getattr(event, "anchor", None)
        if isinstance(event, yaml.AliasEvent):
            self._report(mark, "yaml-alias", f"alias '*{anchor}' is not part of the language: write it out")
        elif anchor:
            self._report(mark, "yaml-alias", f"anchor '&{anchor}' is not part of the language: write it out")
        tag = getattr(event, "tag", None)
        if tag:
            shown = tag.replace("tag:yaml.org,2002:", "!!")
            self._report(mark, "yaml-tag", f"tag '{shown}' is not part of the language: remove it")

    def _report(self, mark: Mark, rule: str, message: str) -> None:
        self._source.findings.append(Finding(mark, rule, message))

    def _mark(self, event: Any, length: int) -> Mark:
        start = event.start_mark
        return Mark(self._source.file, start.line + 1, start.column + 1, length)


def _plain(raw: str) -> str | int | float | bool | None:
    if raw in ("true", "false"):
        return raw == "true"
    if raw in ("", "null", "~"):
        return None
    if len(raw) > MAX_DIGITS:
        return raw
    if _INTEGER.match(raw):
        return int(raw)
    if _DECIMAL.match(raw):
        return float(raw)
    return raw
