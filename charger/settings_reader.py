"""Reading station.yaml value by value: every mistake a finding, every value with its origin.

Knows how settings are written, and which variable of the environment stands for which; what settings there
are and what they mean stands in `settings.py` and `settings_board.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from charger import settings_values as values
from charger.statechart.findings import Finding, Mark, nearest
from charger.statechart.source import Mapping as MappingNode
from charger.statechart.source import Node, Scalar

VARIABLES: Final[Mapping[str, str]] = {
    "id": "CHARGER_ID",
    "central.url": "CHARGER_CENTRAL_URL",
    "central.password": "CHARGER_PASSWORD",
    "data": "CHARGER_DATA",
    "panel": "CHARGER_PANEL",
    "panel_token": "CHARGER_PANEL_TOKEN",
}
"""Setting → the variable that wins over the file."""
SECRETS: Final = {"central.password", "panel_token"}


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping in the file: what its settings are called, where it stands, what is in it."""

    prefix: str
    mark: Mark
    nodes: Mapping[str, Node]
    broken: bool = False
    """It is no mapping at all, which was told: nothing in it is missed as well."""


class Reader:
    """One file and its environment; what is read is noted in `findings`, and in `origins` where it stands."""

    def __init__(
        self,
        path: Path,
        environ: Mapping[str, str],
        findings: list[Finding],
        sources: dict[str, str],
        whole: str = "a station",
    ) -> None:
        """Read a station.

        Args:
            path: station.yaml.
            environ: the variables of the process.
            findings: what is wrong is added there.
            sources: the texts that it is wrong in are added there.
            whole: what the file as a whole is, with its article.
        """
        self.findings = findings
        self.path = path
        self._environ = environ
        self.sources = sources
        self._whole = whole
        self.origins: dict[str, str] = {}

    # -- one value -----------------------------------------------------------------------------------------

    def report(self, mark: Mark, message: str, rule: str = "bad-setting") -> None:
        """Note a mistake."""
        self.findings.append(Finding(mark, rule, message))

    def section(self, node: Node | None, name: str, known: tuple[str, ...], above: Mark) -> Section:
        """The values of a mapping by key; an empty one is left out."""
        prefix = f"{name}." if name else ""
        if node is None or (isinstance(node, Scalar) and node.value is None):
            return Section(prefix, above, {})
        self.origins[name] = self.origin(node.mark)
        if not isinstance(node, MappingNode):
            self.report(node.mark, f"{name or self._whole} is written as `key: value` pairs", "wrong-kind")
            return Section(prefix, node.mark, {}, broken=True)
        nodes = {}
        for key, value in node.items:
            if key.raw in known:
                nodes[key.raw] = value
            else:
                hint = nearest(key.raw, known) or f": known are {', '.join(known)}"
                self.report(key.mark, f"{name or self._whole} has no key '{key.raw}'{hint}", "unknown-key")
        return Section(prefix, node.mark, nodes)

    def node(self, section: Section, key: str) -> Node | None:
        """The value of a key, from the environment if it is there."""
        name = section.prefix + key
        variable = VARIABLES.get(name, "")
        text = self._environ.get(variable, "") if variable else ""
        if not text:
            return section.nodes.get(key)
        mark = Mark(f"environment {variable}", 1, 1, len(text))
        if name not in SECRETS:
            self.sources[mark.file] = text
        return Scalar(mark, text, text, quoted=True)

    def take(self, section: Section, key: str, parse: Callable[[Node], T], default: T) -> T:
        """The value of a key as `parse` understands it; the default when it is left out, or wrong."""
        name, node = section.prefix + key, self.node(section, key)
        if node is None:
            self.origins[name] = "default"
            return default
        self.origins[name] = self.origin(node.mark)
        try:
            if isinstance(node, Scalar) and node.value is None:
                raise values.WrongError("no value: write one, or remove the line", "wrong-kind")
            return parse(node)
        except values.WrongError as wrong:
            self.report(node.mark, f"{name}: {wrong}", wrong.rule)
            return default

    def need(self, section: Section, key: str, parse: Callable[[Node], T], default: T, example: str) -> T:
        """As `take`, of a key that must not be left out."""
        if self.node(section, key) is None and not section.broken:
            message = f"the key '{section.prefix}{key}' is missing: add for example `{key}: {example}`"
            self.report(section.mark, message, "missing-key")
        return self.take(section, key, parse, default)

    def origin(self, mark: Mark) -> str:
        """The place as it is shown beside a value."""
        return mark.file if mark.file.startswith("environment ") else f"{self.path.name}:{mark.line}"
