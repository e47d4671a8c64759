"""A whole station in virtual time, as `rig.Rig`, on a board of mock pins."""

from __future__ import annotations

from board_kit import BOARD, World
from rig import Rig


class BoardRig(Rig):
    """One socket, wired."""

    def __init__(self, **given):
        super().__init__(1, **given)

    def _hardware(self):
        self.world = World(BOARD, clock=self.clock)
        return self.world.hardware
