"""The hostile machine, bounded for every day; `make fuzz` lets it run far longer (see profiles.py)."""

from __future__ import annotations

from hostile import Hostile
from profiles import profile

TestHostile = Hostile.TestCase
TestHostile.settings = profile(examples=50, steps=40)
