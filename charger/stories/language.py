"""The story language: YAML in, a `Story` out, and every mistake as a finding.

A story is a list of steps: acts of the world (a plug, a card, a power cut), acts of the Central System (a
CALL and the answer it must get), what the station must say, and how long it may take. docs/stories.md tells
the whole language; `VERBS` below is it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from charger.central.messages import ACTIONS
from charger.folders import shipped
from charger.statechart import expressions, source
from charger.statechart.findings import Finding, Mark, nearest
from charger.stories import mishaps

_KEY = re.compile(r"[A-Z][A-Za-z0-9]*\Z")
MOST: Final = 9999
"""Of anything that a story counts."""
PATIENCE: Final = 10.0
"""s that the station has to say what is expected, unless told otherwise."""
FRAGMENTS: Final = "given"
"""The folder, beside that of a story, with the situations that stories begin in; what it has not is ours."""


@dataclass(frozen=True, slots=True)
class Duration:
    """So many times a configuration key (in s), plus so many s."""

    seconds: float = 0.0
    key: str | None = None
    times: float = 1.0


@dataclass(frozen=True, slots=True)
class Frame:
    """A message with the part of its payload that matters."""

    mark: Mark
    action: str
    pattern: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a story: a verb, what it is about, and the rest."""

    mark: Mark
    verb: str
    what: Any
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Needs:
    """What a station must have for a story to say anything about it."""

    cable: str | None = None
    """``fixed`` or ``socket``."""
    connectors: int = 1
    keys: Mapping[str, str | None] = field(default_factory=dict)
    """Keys it must offer; with the value that a read-only one must have."""
    reader: str | None = None
    """``shared``: one that serves several connectors."""


@dataclass(frozen=True, slots=True)
class Story:
    """A story, ready to be played."""

    file: str
    name: str
    title: str = ""
    profile: str = ""
    source: str = ""
    """Where this is required."""
    needs: Needs = Needs()
    configuration: Mapping[str, str] = field(default_factory=dict)
    """Written by the Central System before the first step."""
    steps: tuple[Step, ...] = ()


class StoryError(Exception):
    """A file that is no story. Carries its findings, and the texts they point into."""

    def __init__(self, findings: list[Finding], sources: Mapping[str, str]) -> None:
        self.findings = findings
        self.sources = sources
        super().__init__("\n".join(str(finding) for finding in findings))


def stories_folder() -> Path:
    """The stories that come with the program; in a checkout they are among its tests."""
    installed = shipped("stories")
    return installed if installed.is_dir() else installed.parent / "tests" / "stories"


Read: TypeAlias = "Callable[[_Reader, source.Node], Any]"


@dataclass(frozen=True, slots=True)
class Verb:
    """How a step is written."""

    read: Read
    options: Mapping[str, Read] = field(default_factory=dict)
    required: str | None = None
    """An option that must be there."""


def read_story(path: Path) -> Story:
    """A story, with the situations that it is built on.

    Raises:
        StoryError: it cannot be understood.
    """
    reader = _Reader(path)
    story = reader.story()
    if reader.findings:
        raise StoryError(sorted(set(reader.findings)), reader.sources)
    return story


def read_line(text: str) -> tuple[Step, ...]:
    """A step as people type it: ``plug 1``, ``swipe $tag at 1``, ``call Reset {type: Soft}``.

    Raises:
        StoryError: it cannot be understood.
    """
    reader = _Reader(Path("line"))
    steps = reader.line(text)
    if reader.findings:
        raise StoryError(sorted(set(reader.findings)), reader.sources)
    return steps


def _as_yaml(text: str) -> str:
    """The members of the mapping that the step would be in a file."""
    verb, *words = _pieces(text)
    options = VERBS[verb].options if verb in VERBS else ()
    members: list[tuple[str, list[str]]] = [(verb, [])]
    for word in words:
        if word in options and members[-1][1]:
            members.append((word, []))
        else:
            members[-1][1].append(word)
    return ", ".join(f"{name}: {_value(parts)}" for name, parts in members)


def _pieces(text: str) -> list[str]:
    """Words, and whatever stands in brackets or quotes as one."""
    pieces, depth, quote = [""], 0, ""
    for char in text:
        quote = ("" if char == quote else quote) if quote else char if char in "\"'" else ""
        depth += 0 if quote else (char in "{[") - (char in "}]")
        if char == " " and not quote and depth <= 0:
            pieces.append("")
        else:
            pieces[-1] += char
    return [piece for piece in pieces if piece] or [""]


def _value(parts: list[str]) -> str:
    """``Reset {type: Soft}`` is a message with its payload."""
    if len(parts) == 2 and parts[1].startswith("{"):
        return f"{{{parts[0]}: {parts[1]}}}"
    return " ".join(parts) or "[]"


class _Reader:
    """Reads one file, and the fragments it names."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.findings: list[Finding] = []
        self.sources: dict[str, str] = {}
        self._within: list[Path] = []
        """The situations being read, each part of the one before."""

    def report(self, mark: Mark, rule: str, message: str) -> None:
        """Something is wrong there."""
        self.findings.append(Finding(mark, rule, message))

    def _root(self, path: Path) -> source.Mapping | None:
        text = source.read_file(path)
        self.sources[text.file] = text.text
        self.findings += text.findings
        if isinstance(text.root, source.Mapping):
            return text.root
        if not text.findings:
            self.report(Mark(text.file, 1, 1), "wrong-kind", "a story is a mapping that begins with 'story:'")
        return None

    def story(self) -> Story:
        """The whole file."""
        root = self._root(self.path)
        name = self.path.stem
        if root is None:
            return Story(str(self.path), name)
        found: dict[str, Any] = self._members(root, _STORY, "a story")
        steps = found.pop("steps", None)
        given = found.pop("given", (("booted", root.mark),))
        name = found.pop("story", name)
        before = tuple(step for fragment, mark in given for step in self._fragment(fragment, mark))
        happens = steps if steps is not None else before or found.get("configuration")
        if not happens and not self.findings:
            told = "nothing happens in this story, so it would pass with any station: write its steps"
            self.report((root.get("steps") or root).mark, "empty-story", told)
        return Story(str(self.path), name, steps=(*before, *(steps or ())), **found)

    def _fragment(self, name: str, mark: Mark) -> Iterator[Step]:
        folders = [self.path.parent.parent / FRAGMENTS, stories_folder() / FRAGMENTS]
        fragment = next((file for folder in folders if (file := folder / f"{name}.yaml").exists()), None)
        if fragment is None:
            known = sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})
            hint = nearest(name, known) or f": there are {', '.join(known)}"
            self.report(mark, "unknown-situation", f"no situation '{name}'{hint}")
            return
        if fragment in self._within:
            self.report(mark, "endless", f"the situation '{name}' begins with itself")
            return
        root = self._root(fragment)
        if root is not None:
            self._within.append(fragment)
            found = self._members(root, _FRAGMENT, "a situation")
            for other, place in found.get("given", ()):
                yield from self._fragment(other, place)
            yield from found.get("steps", ())
            self._within.pop()

    def _members(self, root: source.Mapping, known: Mapping[str, Read], what: str) -> dict[str, Any]:
        found = {}
        for key, node in root.items:
            name = str(key.value)
            if name not in known:
                self.report(key.mark, "unknown-key", f"{what} has no '{name}'{nearest(name, known)}")
            else:
                found[name] = known[name](self, node)
        return found

    # -- values ------------------------------------------------------------------------------------------

    def plain(self, node: source.Node) -> Any:
        """The node as Python has it."""
        match node:
            case source.Mapping(items=items):
                return {str(key.value): self.plain(value) for key, value in items}
            case source.Sequence(items=items):
                return [self.plain(item) for item in items]
            case _:
                return node.value

    def text(self, node: source.Node) -> str:
        """One text."""
        if isinstance(node, source.Scalar):
            return node.raw
        self.report(node.mark, "wrong-kind", "a text should stand here")
        return ""

    def texts(self, node: source.Node) -> tuple[str, ...]:
        """One text or a list of them."""
        items = node.items if isinstance(node, source.Sequence) else (node,)
        return tuple(self.text(item) for item in items)

    def situations(self, node: source.Node) -> tuple[tuple[str, Mark], ...]:
        """Names of situations, and where they stand."""
        items = node.items if isinstance(node, source.Sequence) else (node,)
        return tuple((self.text(item), item.mark) for item in items)

    def number(self, node: source.Node) -> int:
        """A whole number, such as that of a connector, or how many samples are looked for."""
        if (
            isinstance(node, source.Scalar)
            and isinstance(node.value, int)
            and not isinstance(node.value, bool)
        ):
            if 0 <= node.value <= MOST:
                return node.value
            told = f"{node.value} is out of range: from 0 to {MOST}"
            self.report(node.mark, "bad-number", told)
            return 0
        self.report(node.mark, "wrong-kind", "a whole number should stand here")
        return 0

    def state_of_pin(self, node: source.Node) -> tuple[str, str]:
        """``{door: on}``: one input or output of index.yaml, and how it is."""
        match node:
            case source.Mapping(items=((key, source.Scalar() as value),)):
                return str(key.value), _words("on", "off", "blink")(self, value)
            case _:
                self.report(
                    node.mark, "wrong-kind", "one of them should stand here, and how it is: {door: on}"
                )
                return "", ""

    def truth(self, node: source.Node) -> bool:
        """A yes or no."""
        if isinstance(node, source.Scalar) and isinstance(node.value, bool):
            return node.value
        self.report(node.mark, "wrong-kind", "true or false should stand here")
        return False

    def pairs(self, node: source.Node) -> dict[str, Any]:
        """A mapping."""
        if isinstance(node, source.Mapping):
            return dict(self.plain(node))
        self.report(node.mark, "wrong-kind", "a mapping should stand here")
        return {}

    def duration(self, node: source.Node) -> Duration:
        """``10s``, ``ConnectionTimeOut``, ``3 * MeterValueSampleInterval + 5s``."""
        text = self.text(node)
        key, times, seconds = None, 1.0, 0.0
        for part in (part.strip() for part in text.split("+")):
            factor, star, rest = part.partition("*")
            if (fixed := expressions.seconds(part)) is not None:
                seconds += fixed
            elif star and factor.strip().isdecimal() and _KEY.match(rest.strip()) and key is None:
                key, times = rest.strip(), float(factor)
            elif _KEY.match(part) and key is None:
                key = part
            else:
                told = f"'{text}' is no duration: 10s, ConnectionTimeOut, or 3 * ConnectionTimeOut + 5s"
                self.report(node.mark, "bad-duration", expressions.too_long(part) or told)
                break
        return Duration(seconds, key, times)

    def frame(self, node: source.Node) -> Frame:
        """``Heartbeat``, or ``{StatusNotification: {status: Charging}}``."""
        match node:
            case source.Scalar():
                return Frame(node.mark, self._action(node))
            case source.Mapping(items=((key, value),)):
                return Frame(node.mark, self._action(key), self.pairs(value))
            case _:
                self.report(node.mark, "wrong-kind", "one message should stand here: {Heartbeat: {}}")
                return Frame(node.mark, "")

    def _action(self, node: source.Scalar) -> str:
        name = str(node.value)
        if name not in ACTIONS:
            told = f"OCPP 1.6 has no message '{name}'{nearest(name, ACTIONS)}"
            self.report(node.mark, "unknown-message", told)
        return name

    def frames(self, node: source.Node) -> tuple[Frame, ...]:
        """One message, or several in any order."""
        items = node.items if isinstance(node, source.Sequence) else (node,)
        return tuple(self.frame(item) for item in items)

    def answers(self, node: source.Node) -> tuple[Any, ...]:
        """The answer a CALL must get, or several of which one will do."""
        items = node.items if isinstance(node, source.Sequence) else (node,)
        return tuple(self.plain(item) for item in items)

    def needs(self, node: source.Node) -> Needs:
        """What a station must have."""
        known: dict[str, Read] = {
            "cable": _words("fixed", "socket"),
            "connectors": _Reader.number,
            "keys": _Reader._keys,
            "reader": _words("shared"),
        }
        if not isinstance(node, source.Mapping):
            self.report(node.mark, "wrong-kind", f"a mapping should stand here: {', '.join(known)}")
            return Needs()
        return Needs(**self._members(node, known, "'needs'"))

    def _keys(self, node: source.Node) -> dict[str, str | None]:
        return (
            dict(self.configuration(node))
            if isinstance(node, source.Mapping)
            else dict.fromkeys(self.texts(node))
        )

    def configuration(self, node: source.Node) -> dict[str, str]:
        """Keys and their values."""
        if isinstance(node, source.Mapping):
            return {str(key.value): self.text(value) for key, value in node.items}
        self.report(node.mark, "wrong-kind", "a mapping should stand here")
        return {}

    # -- steps -------------------------------------------------------------------------------------------

    def line(self, text: str) -> tuple[Step, ...]:
        """One step as people type it."""
        found = source.read_text(f"[{{{_as_yaml(text)}}}]", str(self.path))
        self.findings += found.findings
        return self.steps(found.root) if found.root is not None else ()

    def steps(self, node: source.Node) -> tuple[Step, ...]:
        """What happens, in order."""
        if not isinstance(node, source.Sequence):
            self.report(node.mark, "wrong-kind", "a list of steps should stand here")
            return ()
        return tuple(step for item in node.items for step in self._step(item))

    def _step(self, node: source.Node) -> Iterator[Step]:
        if not isinstance(node, source.Mapping) or not node.items:
            self.report(node.mark, "wrong-kind", "a step is a mapping: - plug: 1")
            return
        (key, value), *rest = node.items
        name = str(key.value)
        verb = VERBS.get(name)
        if verb is None:
            self.report(key.mark, "unknown-step", f"no step begins with '{name}'{nearest(name, VERBS)}")
            return
        if name == "do":
            yield from self._fragment(self.text(value), value.mark)
            return
        what = verb.read(self, value)
        options = {}
        for word, option in rest:
            read = verb.options.get(str(word.value))
            if read is None:
                told = f"'{name}' has no '{word.value}'{nearest(str(word.value), verb.options)}"
                self.report(word.mark, "unknown-key", told)
            else:
                options[str(word.value)] = read(self, option)
        if verb.required and verb.required not in options:
            self.report(key.mark, "missing-key", f"'{name}' needs '{verb.required}'")
        yield Step(key.mark, name, what, options)


def _words(*words: str) -> Read:
    """One of these words."""

    def read(reader: _Reader, node: source.Node) -> str:
        text = reader.text(node)
        if text not in words:
            hint = nearest(text, words) or f": one of {', '.join(words)}"
            reader.report(node.mark, "unknown-word", f"'{text}' cannot stand here{hint}")
        return text

    return read


def _number_or(word: str) -> Read:
    """A whole number, or this word."""

    def read(reader: _Reader, node: source.Node) -> int | str:
        if isinstance(node, source.Scalar) and node.raw == word:
            return word
        return reader.number(node)

    return read


_AT: Final[dict[str, Read]] = {"at": _Reader.number}
_WHEN: Final[dict[str, Read]] = {"after": _Reader.duration, "within": _Reader.duration}
VERBS: Final[dict[str, Verb]] = {
    "plug": Verb(_Reader.number),
    "unplug": Verb(_Reader.number, {"side": _words("ev", "both")}),
    "ev": Verb(_words("ready", "suspended"), _AT),
    "swipe": Verb(_Reader.text, _AT),
    "fault": Verb(_Reader.text, {**_AT, "info": _Reader.text}),
    "repair": Verb(_Reader.number),
    "lock": Verb(_words("stuck", "free"), _AT),
    **{act: Verb(_words(*words), _AT) for act, words in mishaps.WORDS.items()},
    **{act: Verb(_number_or(none), _AT) for act, (_, none) in mishaps.NUMBERS.items()},
    "service": Verb(_Reader.number, {"error": _Reader.text}),
    "input": Verb(_Reader.state_of_pin, _AT),
    "report": Verb(_Reader.text, _AT),
    "network": Verb(_words("down", "up")),
    "power": Verb(_words("off", "on")),
    "central": Verb(_Reader.pairs),
    "call": Verb(_Reader.frame, {"answer": _Reader.answers, "within": _Reader.duration}),
    "expect": Verb(_Reader.frames, {**_WHEN, "maybe": _Reader.frames}),
    "boots": Verb(_Reader.plain, {**_WHEN, "also": _Reader.frames, "maybe": _Reader.frames}),
    "statuses": Verb(_Reader.plain, _WHEN),
    "output": Verb(_Reader.state_of_pin, {**_AT, **_WHEN}),
    "light": Verb(_Reader.text, {**_AT, **_WHEN}),
    "display": Verb(_Reader.text, _WHEN),
    "nothing": Verb(_Reader.duration, {"of": _Reader.texts}),
    "wait": Verb(_Reader.duration),
    "state": Verb(_Reader.text, {**_AT, "within": _Reader.duration}),
    "left": Verb(_Reader.text, {**_AT, "within": _Reader.duration}),
    "samples": Verb(
        _Reader.number,
        {
            **_AT,
            "every": _Reader.duration,
            "context": _Reader.texts,
            "measurands": _Reader.text,
            "aligned": _Reader.truth,
            "follows": _Reader.truth,
            "each": _Reader.pairs,
            "within": _Reader.duration,
        },
        required="every",
    ),
    "do": Verb(_Reader.text),
}
"""What a step may begin with, and what else it may say."""

_FRAGMENT: Final[dict[str, Read]] = {
    "description": _Reader.text,
    "given": _Reader.situations,
    "steps": _Reader.steps,
}
_STORY: Final[dict[str, Read]] = {
    "story": _Reader.text,
    "title": _Reader.text,
    "profile": _words("Core", "RemoteTrigger"),
    "source": _Reader.text,
    "needs": _Reader.needs,
    "configuration": _Reader.configuration,
    "given": _Reader.situations,
    "steps": _Reader.steps,
}
