"""A whole station in virtual time, as `rig.Rig`, on a board of mock pins."""

from __future__ import annotations

from board_kit import BOARD, World
from rig import Rig


class BoardRig(Rig):
    """One socket, wired."""

    def __init__(self, plan=BOARD, breaks=lambda world: None, **given):
        self._plan, self._breaks = plan, breaks
        super().__init__(1, **given)

    def _hardware(self):
        self.world = World(self._plan, clock=self.clock)
        self._breaks(self.world)
        return self.world.hardware
