"""Where the harness of the link is, and how much the machines did."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent.parent / "central"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    from hostile import RUN

    did = ", ".join(f"{count} {name}" for name, count in sorted(RUN.items()))
    terminalreporter.write_line(f"fuzz: {did or 'nothing'}")
