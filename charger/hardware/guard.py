"""The guard between charts and contactor: it closes only while every interlock holds, and opens by itself.

Charts ask, the guard decides; charts are told afterwards. It knows neither charts nor chips, only the parts
it is given. What makes it safe, and what its tests hold it to:

* `Guard.close` is the only way to closed, and it looks at everything first and once more afterwards. What
  was opened stays open until the next `close`.
* What cannot be read is lost. What has not been tested does not close.
* Nothing raises out of it: the thread of the GPIO library would die of that, in silence.
* The lock is never held while anybody is called, so nobody can wait for us who is waited for.
* Whoever shows life again looks first, so a pause cannot be covered up, and nothing closes after it.

Three look: the thread of the GPIO library at an edge, the `Patrol` every 50 ms, and the event loop when it
shows life. Each of them opens, in its own thread, and when one of them has stopped the others notice.
Should all stop, the pulses of the life output stop too, and a monostable outside cuts the coils.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from math import inf
from typing import Final

from charger.hardware.parts import Input, Output

ROUND: Final = 0.05
"""s between two looks of the patrol, and two edges of the life output."""
SETTLE: Final = 0.5
"""s for which the mirror contact may contradict the coil; a contactor moves within a tenth of it."""
BOUNCE: Final = 0.02
"""s for which the mirror contact must stay before it is told."""

Interlocks = Mapping[str, Callable[[], bool]]
"""Word → whether that interlock is lost now. To raise is to be lost."""


def lost(interlocks: Interlocks) -> str:
    """The word of the first interlock that is lost; empty while all hold."""
    for word, is_lost in interlocks.items():
        try:
            if is_lost():
                return word
        except Exception:  # noqa: BLE001 - whatever it is: it could not be read
            return word
    return ""


class Sign:
    """A sign of life, which has to be given again and again. Missing until it is given first."""

    def __init__(self, patience: float, now: Callable[[], float]) -> None:
        """Miss it when it was not given for `patience` s; `now` is monotonic."""
        self._patience = patience
        self._now = now
        self._given = -inf

    def give(self) -> None:
        """I am alive."""
        self._given = self._now()

    def missing(self) -> bool:
        """Whether it is overdue."""
        return self._now() - self._given > self._patience


class Guard:
    """The only one who switches one contactor. Every method may be called on any thread, and none raises.

    It tells ``closed`` and ``opened`` when the mirror contact says so; ``welded`` when it still says closed
    `SETTLE` after the coil was switched off; and otherwise the word for which it has opened, or not closed:
    that of an interlock, ``dry`` (the mirror contact says open although the coil is on), ``mirror`` (it
    cannot be read), ``coil`` (the chip does not do what it is told), ``moving`` (not open again yet),
    ``untested``. Of the interlocks that every guard has, ``silent`` is the core, ``asleep`` the patrol,
    ``deaf`` the thread of the GPIO library. Without a mirror contact the coil is believed.
    """

    def __init__(
        self,
        coil: Output,
        mirror: Input | None,
        interlocks: Interlocks,
        told: Callable[[str], None],
        now: Callable[[], float],
    ) -> None:
        """Watch over one contactor, which is open.

        Args:
            coil: what closes it.
            mirror: active while the contactor is closed; None: there is none.
            interlocks: without which it is never closed.
            told: hears what happened, on the thread on which it did.
            now: monotonic time, s.
        """
        self._coil = coil
        self._mirror = mirror
        self._interlocks = interlocks
        self._told = told
        self._now = now
        self._lock = threading.Lock()
        self._tested = False
        self._stuck = False
        """The coil could not be switched off."""
        self._closed = False
        """What is decided; the coil follows."""
        self._agreed = now()
        """When coil and mirror contact agreed last, or the coil was switched."""
        self._welded = False
        self._seen: bool | None = False
        """What the mirror contact said at the last look, …"""
        self._since = -inf
        """… and since when."""
        self._said = False
        """What was told of it."""
        self._left = -inf
        """When the coil was switched off, unless the mirror contact has been seen to open since."""

    @property
    def says_closed(self) -> bool:
        """Whether the mirror contact says closed, as it was told."""
        return self._said

    @property
    def rests(self) -> bool:
        """Whether it is open and stays so: nothing will be told of it unless somebody closes.

        One that was told to close and at once to open may do both yet.
        """
        moves = self._closed or self._said or self._seen
        return not moves and self._now() - self._left > SETTLE

    @property
    def well(self) -> bool:
        """Whether the guard can open: tested, and the coil does as it is told."""
        return self._tested and not self._stuck

    def self_test(self) -> tuple[str, ...]:
        """Try what can be tried without closing: the coil reads off, every input can be read.

        To be called once, before the first `close`. A contactor that is closed is not judged here, it may be
        opening still after a crash: `close` refuses until it is open, and `look` calls it welded in time.

        Returns:
            the words of what failed; empty when the guard is ready.
        """
        failed = [word for word, is_lost in self._interlocks.items() if _read(is_lost) is None]
        contact = self._contact()
        if contact is None:
            failed.append("mirror")
        if _read(self._coil.driven) is not False:
            failed.append("coil")
        self._seen, self._said = contact, bool(contact)
        self._tested = not failed
        return tuple(failed)

    def close(self) -> None:
        """Close, if every interlock holds and the contactor is open; otherwise tell why not."""
        if not self._closed:
            if word := self._obstacle():
                self._tell(word)
                return
            now = self._now()
            with self._lock:
                self._closed, self._agreed = True, now
            self._drive()
        self.look()

    def open(self) -> None:
        """Open, whatever else is the case."""
        self._open()
        self._drive()

    def look(self) -> None:
        """Open if anything is lost, and tell what is new."""
        word = lost(self._interlocks)
        contact = self._contact()
        now = self._now()
        news = []
        with self._lock:
            if contact is self._closed:
                self._agreed = now
            contradicts = now - self._agreed > SETTLE
            word = word or ("mirror" if contact is None else "dry" if contradicts else "")
            if self._closed and word:
                self._closed, self._agreed, self._left = False, now, now
                news.append(word)
            welded = contact is True and contradicts
            if welded and not self._welded:
                news.append("welded")
            self._welded = welded
            if contact is not self._seen:
                self._seen, self._since = contact, now
                if contact is False:
                    self._left = -inf
            elif contact not in (self._said, None) and now - self._since >= BOUNCE:
                self._said = contact is True
                news.append("closed" if contact else "opened")
        if not self._closed:
            self._drive()
        for word in news:
            self._tell(word)

    # -- what they are made of -------------------------------------------------------------------------------

    def _obstacle(self) -> str:
        """Why it may not be closed now; empty when it may."""
        if not self._tested:
            return "untested"
        if self._stuck:
            return "coil"  # what cannot be opened is not closed
        if word := lost(self._interlocks):
            return word
        contact = self._contact()
        if contact is None:
            return "mirror"
        return "" if not contact else "welded" if self._welded else "moving"

    def _contact(self) -> bool | None:
        """Whether the contactor is closed; None when nobody can say."""
        return self._closed if self._mirror is None else _read(self._mirror.active)

    def _open(self) -> None:
        now = self._now()
        with self._lock:
            if self._closed:  # a coil that is off already does not begin to be: the time until welded runs
                self._closed, self._agreed, self._left = False, now, now

    def _drive(self) -> None:
        """Bring the coil to what is decided, however often it is decided otherwise meanwhile.

        Two threads may come here together, and the one that knows less may write last. Both look again after
        they wrote, so the last to leave leaves the coil right.
        """
        known, failed = self._stuck, False
        while True:
            wanted = self._closed
            try:
                self._coil.switch(wanted)
            except Exception:  # noqa: BLE001 - whatever it is: the chip did not do it
                failed = True
                self._stuck = not wanted
                self._open()
            else:
                self._stuck = False
            if wanted is self._closed:
                break
        if failed and not known:
            self._tell("coil")

    def _tell(self, word: str) -> None:
        with suppress(Exception):  # at the end of the program there is nobody to be told
            self._told(word)


class Patrol:
    """Keeps everybody looking: it makes the guards, and their interlock is that all who look are alive."""

    def __init__(
        self,
        patience: float,
        edges: Callable[[], bool],
        life: Output | None,
        now: Callable[[], float],
    ) -> None:
        """Begin without guards.

        Args:
            patience: s for which the core, or the patrol, may be silent.
            edges: whether the thread of the GPIO library lives.
            life: pulses while all is well; None: there is no monostable. Its time must not be less than
                `patience`: after a longer pause the guards open before it pulses again.
            now: monotonic time, s.
        """
        self._now = now
        self._life = life
        self._core, self._own = Sign(patience, now), Sign(patience, now)
        self._vital: Interlocks = {
            "silent": self._core.missing,
            "asleep": self._own.missing,
            "deaf": lambda: not edges(),
        }
        self._guards: list[Guard] = []
        self._high = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="guard", daemon=True)

    def guard(
        self, coil: Output, mirror: Input | None, interlocks: Interlocks, told: Callable[[str], None]
    ) -> Guard:
        """Make the guard of one contactor."""
        guard = Guard(coil, mirror, {**interlocks, **self._vital}, told, self._now)
        self._guards.append(guard)
        return guard

    @property
    def dead(self) -> str:
        """``asleep`` or ``deaf``, if that is so; empty while everybody looks who should."""
        return lost({word: self._vital[word] for word in ("asleep", "deaf")})

    def look(self) -> None:
        """Let every guard look. Any thread."""
        for guard in self._guards:
            guard.look()

    def alive(self) -> None:
        """The core lives: called again and again by its event loop, and by nobody else."""
        self.look()  # first: a silence that was too long is over only after it has opened
        self._core.give()

    def round(self) -> None:
        """One turn of the patrol's own thread."""
        self.look()
        self._own.give()
        # What is vital last: a pause since `give` is seen, and what is left for one to hide in is a few µs.
        if self._life and all(guard.well for guard in self._guards) and not lost(self._vital):
            self._high = not self._high
            with suppress(Exception):  # that there is no edge says it all
                self._life.switch(self._high)

    def start(self) -> None:
        """Go round now, and every `ROUND` s on a thread of its own."""
        self.round()
        self._thread.start()

    def close(self) -> None:
        """End the thread. The life output rests as it is."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join(1)

    def _run(self) -> None:
        while not self._ended.wait(ROUND):
            self.round()


def _read(contact: Callable[[], bool]) -> bool | None:
    """What it says; None when it cannot be read."""
    try:
        return contact()
    except Exception:  # noqa: BLE001 - whatever it is: it could not be read
        return None
