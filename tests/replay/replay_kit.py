"""What tests of traces share."""

from __future__ import annotations

from collections.abc import Callable

from rig import Rig

from charger.statechart.checks import Checked
from charger.trace import Part, parse

Edit = Callable[..., Checked]
"""``edited(chart, (old, new), …)``: see conftest.py."""


def parts_of(rig: Rig) -> list[Part]:
    """What a station remembers, as a file has it."""
    return parse(rig.driver.trace.lines(), "trace")
