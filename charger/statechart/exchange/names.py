"""Names of other tools as names of ours: states are CapitalWords, and unique within a chart."""

from __future__ import annotations

import re
from itertools import chain, count

from charger.statechart.reader import YAML_WORDS


class Names:
    """The states of a chart that is read, by where they are."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, ...], str] = {}

    def add(self, path: tuple[str, ...]) -> None:
        """Give a state a name: its own, with those around it in front until nobody else has it."""
        taken = {*self._names.values(), *YAML_WORDS, ""}
        longer = ("".join(map(_capital, path[-depth:])) for depth in range(1, len(path) + 1))
        plain = _capital(path[-1]) or "State"
        numbered = (f"{plain}{number}" for number in count(2))
        name = next(one for one in chain(longer, [plain], numbered) if one not in taken)
        self._names[path] = name

    def of(self, path: tuple[str, ...]) -> str:
        """The name of a state."""
        return self._names[path]


def _capital(word: str) -> str:
    parts = re.findall(r"[A-Za-z0-9]+", word)
    name = "".join(part[:1].upper() + part[1:] for part in parts)
    return f"S{name}" if name[:1].isdigit() else name


def as_name(word: str) -> str:
    """The name of a chart: in lower case."""
    name = re.sub(r"[^a-z0-9]+", "_", word.lower()).strip("_")
    return name if name[:1].isalpha() else f"chart_{name}".rstrip("_")


def delay_text(seconds: float) -> str:
    """A delay as it is written: 500ms, 30s, 2m, 1h."""
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{decimal(seconds / size)}{unit}"
    return f"{decimal(seconds)}s" if seconds >= 1 else f"{decimal(seconds * 1000)}ms"


def decimal(number: float) -> str:
    """A number without an exponent, to the microsecond."""
    return f"{number:.6f}".rstrip("0").rstrip(".")
