"""Edits of the guard, each of which must make one of its tests fail (test_guard_mutants.py, `make mutants`).

They run in this process, in seconds: a mutant is a module made of the edited text, put in the place of the
guard in test_guard.py, and every test there is a function that can be called.
"""

from __future__ import annotations

import functools
import itertools
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from guard_kit import Endless, runs

TEXT = (Path(__file__).parents[2] / "charger" / "hardware" / "guard.py").read_text(encoding="utf-8")
MUTATIONS: list[tuple[str, str, str]] = [
    ("another round", "ROUND: Final = 0.05", "ROUND: Final = 50"),
    ("welded and dry are told at once", "SETTLE: Final = 0.5", "SETTLE: Final = 0.4"),
    ("welded and dry are told late", "SETTLE: Final = 0.5", "SETTLE: Final = 0.6"),
    ("a bounce is told", "BOUNCE: Final = 0.02", "BOUNCE: Final = 0.018"),
    ("a contact is told late", "BOUNCE: Final = 0.02", "BOUNCE: Final = 0.022"),
    ("what cannot be read holds", "                return word\n        except Exception:  # noqa: BLE001 - whatever it is: it could not be read\n            return word", "                return word\n        except Exception:  # noqa: BLE001 - whatever it is: it could not be read\n            continue"),
    ("an interlock means the contrary", "            if is_lost():", "            if not is_lost():"),
    ("only the first interlock counts", '    return ""\n\n\nclass Sign', '        break\n    return ""\n\n\nclass Sign'),
    ("a sign is there before it is given", "self._given = -inf", "self._given = self._now()"),
    ("a sign is not noted", "        self._given = self._now()", "        pass"),
    ("a sign is never missed", "self._now() - self._given > self._patience", "False"),
    ("patience is not what is declared", "self._given > self._patience", "self._given > 2.0"),
    ("it need not be tested", "        self._tested = False", "        self._tested = True"),
    ("the coil is on from the beginning", '        self._closed = False\n        """What is', '        self._closed = True\n        """What is'),
    ("the beginning is long ago", "        self._agreed = now()", "        self._agreed = -inf"),
    ("what is said is what is decided", "        return self._said", "        return self._closed"),
    ("the one about to close rests", "moves = self._closed or self._said or self._seen", "moves = self._said or self._seen"),
    ("the one told closed rests", "moves = self._closed or self._said or self._seen", "moves = self._closed or self._seen"),
    ("the one seen closed rests", "moves = self._closed or self._said or self._seen", "moves = self._closed or self._said"),
    ("who sleeps is not dead", 'for word in ("asleep", "deaf")', 'for word in ("deaf",)'),
    ("who is deaf is not dead", 'for word in ("asleep", "deaf")', 'for word in ("asleep",)'),
    ("a silent core is dead", 'for word in ("asleep", "deaf")', 'for word in ("asleep", "silent", "deaf")'),
    ("the first round is late", "        self.round()\n        self._thread", "        self._thread"),
    ("an untested guard is well", "return self._tested and not self._stuck", "return not self._stuck"),
    ("a guard that cannot open is well", "return self._tested and not self._stuck", "return self._tested"),
    ("the test reads no interlock", "if _read(is_lost) is None]", "if False]"),
    ("the test refuses a lost interlock", "if _read(is_lost) is None]", "if _read(is_lost) is not False]"),
    ("the test reads no mirror contact", "        if contact is None:\n            failed", "        if False:\n            failed"),
    ("the test does not name the mirror contact", 'failed.append("mirror")', "pass"),
    ("the test reads no coil", "if _read(self._coil.driven) is not False:", "if False:"),
    ("the test passes a coil that cannot be read", "if _read(self._coil.driven) is not False:", "if _read(self._coil.driven):"),
    ("the test passes a live coil", "if _read(self._coil.driven) is not False:", "if _read(self._coil.driven) is None:"),
    ("the test does not look at the contactor", "        self._seen, self._said = contact, bool(contact)\n", ""),
    ("the test is passed anyway", "self._tested = not failed", "self._tested = True"),
    ("the test is never passed", "self._tested = not failed", "self._tested = False"),
    ("a closed one is closed again", "        if not self._closed:\n            if word", "        if True:\n            if word"),
    ("nothing is an obstacle", "            if word := self._obstacle():", "            if False:"),
    ("the obstacle is not told", "                self._tell(word)\n                return\n", "                return\n"),
    ("the obstacle is told and overcome", "                self._tell(word)\n                return\n", "                self._tell(word)\n"),
    ("the time of closing is not noted", "                self._closed, self._agreed = True, now", "                self._closed = True"),
    ("it does not close", "                self._closed, self._agreed = True, now", "                self._agreed = now"),
    ("the coil is left alone at closing", "self._closed, self._agreed = True, now\n            self._drive()\n", "self._closed, self._agreed = True, now\n"),
    ("it does not look after it closed", "            self._drive()\n        self.look()\n", "            self._drive()\n"),
    ("it opens nothing when asked", "        self._open()\n        self._drive()\n", "        self._drive()\n"),
    ("the coil is left alone at opening", "        self._open()\n        self._drive()\n", "        self._open()\n"),
    ("a look sees no interlock", "        word = lost(self._interlocks)\n", "        word = ''\n"),
    ("agreement is not noted", "            if contact is self._closed:\n                self._agreed = now\n", ""),
    ("agreement is always noted", "            if contact is self._closed:\n", "            if True:\n"),
    ("contact and coil never contradict", "contradicts = now - self._agreed > SETTLE", "contradicts = False"),
    ("contact and coil always contradict", "contradicts = now - self._agreed > SETTLE", "contradicts = contact is not self._closed"),
    ("dry hides the interlock", 'word = word or ("mirror" if contact is None else "dry" if contradicts else "")', 'word = ("mirror" if contact is None else "dry" if contradicts else "") or word'),
    ("the mirror contact is not looked at", "            word = word or (", '            word = word or "" and ('),
    ("a mirror contact that cannot be read is no reason", '"mirror" if contact is None else "dry"', '"dry"'),
    ("dry is no reason", '"dry" if contradicts else ""', '""'),
    ("it stays closed", "            if self._closed and word:\n", "            if False:\n"),
    ("what is lost while it is open is told", "            if self._closed and word:\n", "            if word:\n"),
    ("it decides to open, and stays closed", "                self._closed, self._agreed, self._left = False, now, now\n                news.append(word)", "                self._agreed, self._left = now, now\n                news.append(word)"),
    ("the time of its own opening is not noted", "                self._closed, self._agreed, self._left = False, now, now\n                news.append(word)", "                self._closed, self._left = False, now\n                news.append(word)"),
    ("its own opening is not told", "                news.append(word)\n            welded", "            welded"),
    ("nothing is welded", "            welded = contact is True and contradicts", "            welded = False"),
    ("what cannot be read is welded", "welded = contact is True and", "welded = contact is not False and"),
    ("the open one is welded", "welded = contact is True and", "welded ="),
    ("welded a moment early", "contradicts = now - self._agreed > SETTLE", "contradicts = now - self._agreed >= SETTLE"),
    ("missed a moment early", "self._given > self._patience", "self._given >= self._patience"),
    ("stuck from the beginning", '        self._stuck = False\n        """The coil', '        self._stuck = True\n        """The coil'),
    ("welded from the beginning", "        self._welded = False", "        self._welded = True"),
    ("closing is welding", "welded = contact is True and contradicts", "welded = contact is True"),
    ("welded is told at every look", "if welded and not self._welded:", "if welded:"),
    ("welded is told once for ever", "            self._welded = welded\n", "            self._welded = welded or self._welded\n"),
    ("welded is not noted", "            self._welded = welded\n", ""),
    ("every level is new", "            if contact is not self._seen:\n", "            if True:\n"),
    ("no level is new", "            if contact is not self._seen:\n", "            if False:\n"),
    ("what cannot be read is told", "elif contact not in (self._said, None)", "elif contact is not self._said"),
    ("the contact is told at every look", "elif contact not in (self._said, None)", "elif contact is not None"),
    ("the contact is told as it bounces", " and now - self._since >= BOUNCE:", ":"),
    ("what was told is not noted", "                self._said = contact is True\n", ""),
    ("closed is opened", '"closed" if contact else "opened"', '"opened" if contact else "closed"'),
    ("the coil is left alone at a look", "        if not self._closed:\n            self._drive()\n", ""),
    ("it tells before it opens", "        if not self._closed:\n            self._drive()\n        for word in news:\n            self._tell(word)\n", "        for word in news:\n            self._tell(word)\n        if not self._closed:\n            self._drive()\n"),
    ("it does not tell", "        for word in news:\n            self._tell(word)\n", ""),
    ("an untested guard closes", '        if not self._tested:\n            return "untested"\n', ""),
    ("what cannot be opened is closed", '        if self._stuck:\n            return "coil"  # what cannot be opened is not closed\n', ""),
    ("it closes over an interlock", "        if word := lost(self._interlocks):\n            return word\n", ""),
    ("it closes without seeing the contactor", '        if contact is None:\n            return "mirror"\n', ""),
    ("it closes what is closed", 'return "" if not contact else "welded" if self._welded else "moving"', 'return ""'),
    ("welded is moving", '"welded" if self._welded else "moving"', '"moving"'),
    ("moving is welded", '"welded" if self._welded else "moving"', '"welded"'),
    ("without a mirror contact it is open", "return self._closed if self._mirror is None else", "return False if self._mirror is None else"),
    ("opening again begins the time anew", "            if self._closed:  # a coil", "            if True:  # a coil"),
    ("the time of opening is not noted", "                self._closed, self._agreed, self._left = False, now, now\n\n    def _drive", "                self._closed, self._left = False, now\n\n    def _drive"),
    ("one that may be moving rests, opened", "                self._closed, self._agreed, self._left = False, now, now\n\n    def _drive", "                self._closed, self._agreed = False, now\n\n    def _drive"),
    ("one that may be moving rests, opened by itself", "                self._closed, self._agreed, self._left = False, now, now\n                news.append(word)", "                self._closed, self._agreed = False, now\n                news.append(word)"),
    ("one that may be moving rests", "return not moves and self._now() - self._left > SETTLE", "return not moves"),
    ("one that has opened does not rest", "                if contact is False:\n                    self._left = -inf\n", ""),
    ("one that closes rests", "                if contact is False:\n                    self._left", "                if contact is not False:\n                    self._left"),
    ("the one who wrote last is right", "            if wanted is self._closed:\n                break\n", "            break\n"),
    ("the coil follows what was decided once", "        while True:\n            wanted = self._closed\n", "        wanted = self._closed\n        while True:\n"),
    ("the coil gets the contrary", "self._coil.switch(wanted)", "self._coil.switch(not wanted)"),
    ("a coil that does not answer raises", "            except Exception:  # noqa: BLE001 - whatever it is: the chip did not do it", "            except ZeroDivisionError:"),
    ("a coil that does not answer is not told", "                failed = True\n", ""),
    ("a coil that cannot close is stuck", "                self._stuck = not wanted\n", "                self._stuck = True\n                break\n"),
    ("a coil that cannot open is not stuck", "                self._stuck = not wanted\n", ""),
    ("a coil that cannot close stays decided closed", "                self._stuck = not wanted\n                self._open()\n", "                self._stuck = not wanted\n                break\n"),
    ("a coil that is stuck is stuck for ever", "            else:\n                self._stuck = False\n", ""),
    ("a stuck coil is told at every look", "        if failed and not known:", "        if failed:"),
    ("a listener that raises stops it", "        with suppress(Exception):  # at the end", "        with suppress(ZeroDivisionError):  # at the end"),
    ("core and patrol have one sign", "self._core, self._own = Sign(patience, now), Sign(patience, now)", "self._core = self._own = Sign(patience, now)"),
    ("a silent core is no matter", '            "silent": self._core.missing,\n', ""),
    ("a patrol that died is no matter", '            "asleep": self._own.missing,\n', ""),
    ("a dead GPIO thread is no matter", '            "deaf": lambda: not edges(),\n', ""),
    ("a living GPIO thread is dead", "lambda: not edges()", "edges"),
    ("a guard has its own interlocks only", "{**interlocks, **self._vital}", "interlocks"),
    ("a guard has the common interlocks only", "{**interlocks, **self._vital}", "self._vital"),
    ("the patrol forgets a guard", "        self._guards.append(guard)\n", ""),
    ("only the last guard looks", "        for guard in self._guards:\n            guard.look()", "        for guard in self._guards[-1:]:\n            guard.look()"),
    ("the core lives before it looks", "        self.look()  # first: a silence that was too long is over only after it has opened\n        self._core.give()\n", "        self._core.give()\n        self.look()\n"),
    ("the core lives without looking", "        self.look()  # first: a silence that was too long is over only after it has opened\n", ""),
    ("the core's life is not noted", "        self._core.give()\n", ""),
    ("the patrol lives before it looks", "        self.look()\n        self._own.give()\n", "        self._own.give()\n        self.look()\n"),
    ("the patrol does not look", "        self.look()\n        self._own.give()\n", "        self._own.give()\n"),
    ("the patrol does not live", "        self._own.give()\n", ""),
    ("it pulses whatever is lost", " and not lost(self._vital):", ":"),
    ("it pulses although a guard cannot open", "all(guard.well for guard in self._guards) and ", ""),
    ("it pulses if any guard can open", "all(guard.well for", "any(guard.well for"),
    ("there is no life output", "        if self._life and", "        if False and"),
    ("it pulses once", "            self._high = not self._high\n", "            self._high = True\n"),
    ("a life output that does not answer stops it", "            with suppress(Exception):  # that", "            with suppress(ZeroDivisionError):  # that"),
    ("the thread goes round once", "        while not self._ended.wait(ROUND):\n            self.round()", "        self.round()"),
    ("the thread does not end", "        self._ended.set()\n", ""),
    ("the thread is not waited for", "            self._thread.join(1)", "            pass"),
    ("a thread that never was is waited for", "        if self._thread.ident is not None:\n            self._thread.join(1)", "        self._thread.join(1)"),
    ("what raises is active", "        return None\n", "        return True\n"),
]  # fmt: skip


def calls(tests: types.ModuleType) -> Iterator[tuple[str, Callable[[], None]]]:
    """Every test of the module, once for each of its parameters."""
    for name, test in vars(tests).items():
        if not name.startswith("test_"):
            continue
        marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
        rows = []
        for mark in marks:
            names = [mark.args[0]] if isinstance(mark.args[0], str) else mark.args[0]
            values = [row if len(names) > 1 else (row,) for row in mark.args[1]]
            rows.append([dict(zip(names, row, strict=True)) for row in values])
        for row in itertools.product(*rows):
            given = {name: value for part in row for name, value in part.items()}
            yield name, functools.partial(test, **given)


def found_by(mutant: types.ModuleType, tests: types.ModuleType) -> str:
    """The first test that fails with that guard; empty when none does."""
    whole, tests.module = tests.module, mutant
    try:
        for name, call in calls(tests):
            try:
                call()
            except (Exception, Endless, pytest.fail.Exception):  # noqa: BLE001 - whatever it is: noticed
                return name
    finally:
        tests.module = whole
        runs[0] += 1
    return ""


def mutant(old: str, new: str) -> types.ModuleType:
    """The guard with one edit."""
    assert TEXT.count(old) == 1, f"guard.py has {old!r} {TEXT.count(old)} times"
    module = types.ModuleType("mutant")
    exec(compile(TEXT.replace(old, new), "mutant", "exec"), vars(module))
    return module
