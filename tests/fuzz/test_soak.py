"""A few days of `make soak`, so that the script does not rot."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import soak


def test_some_days_of_ordinary_use() -> None:
    said: list[str] = []
    assert soak.run(days=3, period=1, seed=2, tell=said.append) == []
    assert len(said) == 5, said
    assert all(int(line.split()[1]) > 5 for line in said[1:4]), said


def test_what_is_lost_or_grows_is_said() -> None:
    row = soak.Row(30, 9, 5000, 5000, 0, 50_000, 70_000, 40_960, 262_144, Counter(cache=3))
    rows = [row] * 5
    assert soak.complaints(rows) == []
    assert soak.complaints([replace(row, lost=1)]) == ["day 30: 1 messages, ends or energies lost"]
    assert soak.complaints([replace(row, billed=4999)]) == ["day 30: 5000 Wh delivered, 4999 Wh billed"]
    assert "reading" in soak.complaints([replace(row, facts=Counter(reading=1))])[0]
    assert "log" in soak.complaints([replace(row, log=2_000_000)])[0]
    for name in ("rss", "objects", "database"):
        grown = [replace(row, **{name: getattr(row, name) * (1 + 10 * number)}) for number in range(5)]
        assert [complaint.split()[0] for complaint in soak.complaints(grown)] == [name]
