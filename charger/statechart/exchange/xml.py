"""XML as a tree whose elements know their line: the standard library's trees do not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from charger.statechart.findings import Finding, Mark
from charger.statechart.source import MAX_DEPTH


@dataclass(slots=True)
class Element:
    """One element; names are ``{namespace}local``, or plain without a namespace."""

    mark: Mark
    name: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)

    def get(self, name: str) -> str:
        """An attribute; empty when it is not there."""
        return self.attributes.get(name, "")

    def every(self, name: str) -> Iterator[Element]:
        """The children of that name."""
        return (child for child in self.children if child.name == name)


class _RefusedError(Exception):
    pass


def parse(text: str, file: str) -> tuple[Element | None, list[Finding]]:
    """The root, or what is wrong with the text. A DOCTYPE is refused: its entities may grow without end."""
    parser = expat.ParserCreate(namespace_separator="}")
    stack: list[Element] = []
    roots: list[Element] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        mark = Mark(file, parser.CurrentLineNumber, parser.CurrentColumnNumber + 1)
        element = Element(
            mark, _qualified(name), {_qualified(key): value for key, value in attributes.items()}
        )
        (stack[-1].children if stack else roots).append(element)
        stack.append(element)
        if len(stack) > MAX_DEPTH:
            raise _RefusedError(f"nested more than {MAX_DEPTH} levels deep")

    def refuse(*_: object) -> None:
        raise _RefusedError("a DOCTYPE is not read")

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _name: stack.pop()
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        mark = Mark(file, error.lineno, error.offset + 1)
        return None, [
            Finding(mark, "unreadable-file", f"not readable as XML: {expat.ErrorString(error.code)}")
        ]
    except _RefusedError as refused:
        mark = Mark(file, parser.CurrentLineNumber, 1)
        return None, [Finding(mark, "unreadable-file", str(refused))]
    return roots[0], []


def _qualified(name: str) -> str:
    return f"{{{name}" if "}" in name else name
