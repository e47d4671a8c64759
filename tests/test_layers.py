"""Imports point down, and each third-party library has one importing package (ARCHITECTURE.md)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "charger"

LAYERS = [
    {"__main__"},
    {"cli"},
    {"verify"},
    {"stories"},
    {"replay"},
    {"app", "doctor"},
    {"loading"},
    {
        "central",
        "hardware",
        "panel",
        "storage",
        "clock",
        "settings",
        "driver",
        "pictures",
        "revisions",
        "wiring",
    },
    {"settings_board"},
    {"settings_board_rules"},
    {"meter_map"},
    {"settings_reader"},
    {"settings_values"},
    {"board", "folders"},
    {"trace"},
    {"station"},
    {"vocabulary"},
    {"functions"},
    {"ports"},
    {"errors"},
    {"notify"},
    {"statechart"},
]
"""From the top: a module imports its own layer's package and what lies below."""
ONLY_IN = {
    "yaml": "statechart/source.py",
    "statemachine": "statechart/machine.py",
    "graphviz": "statechart",
    "websockets": "central",
    "ocpp": "central",
    "starlette": "panel",
    "uvicorn": "panel",
    "gpiozero": "hardware",
    "lgpio": "hardware",
    "pymodbus": "hardware",
    "serial": "hardware",
    "sqlite3": "storage.py",
}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def part(name: str) -> str | None:
    """``charger.statechart.model`` → ``statechart``; None for what is not ours or the package itself."""
    words = name.split(".")
    return words[1] if words[0] == "charger" and len(words) > 1 and not words[1].startswith("_") else None


def layer(name: str) -> int:
    return next((number for number, names in enumerate(LAYERS) if name in names), -1)


MODULES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_lies_below(path: Path) -> None:
    own = path.relative_to(ROOT).parts[0].removesuffix(".py")
    if own == "__init__":
        return
    assert layer(own) >= 0, f"{own} has no layer"
    # A type that only statecharts' findings need may be named for the type checker.
    for name in imports(path):
        other = part(name)
        if other is None or other == own or layer(other) < 0:
            continue
        if own == "errors" and other == "statechart":
            continue
        assert layer(other) > layer(own), f"{path.name} imports {name}, which does not lie below it"


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_has_one_importing_package(library: str) -> None:
    allowed = ONLY_IN[library]
    users = {
        str(path.relative_to(ROOT))
        for path in MODULES
        if any(name.split(".")[0] == library for name in imports(path))
    }
    assert all(user.startswith(allowed) for user in users), users
