"""Wires for the guard that break, and a bench with one contactor, all in virtual time."""

from __future__ import annotations

import threading

from charger.hardware import guard as original

runs = [0]
"""How many guards have been tried; whoever is done with one adds 1."""


class Endless(BaseException):
    """The guard does not come to an end. Not an Exception: those are none of its business."""


class Wire:
    """An input: what it says, or that it cannot be read."""

    def __init__(self, call=lambda: None):
        self.on = False
        self.broken = False
        self.call = call

    def active(self):
        self.call()
        if self.broken:
            raise OSError("the chip does not answer")
        return self.on


class Coil:
    """An output that remembers, and may refuse to be driven high, low, or to be read."""

    def __init__(self, call=lambda: None):
        self.on = False
        self.levels = []
        self.tries = 0
        self.run = runs[0]
        self.refuses = set()
        self.call = call

    def switch(self, on):
        self.tries += 1
        if threading.current_thread() is not threading.main_thread():
            if self.run != runs[0]:
                threading.Event().wait()  # a thread that an edit of the guard has left behind: for good
        elif self.tries > 5000:
            raise Endless
        self.call()
        if on in self.refuses:
            raise OSError("the chip does not answer")
        self.on = on
        self.levels.append(on)
        self.call()

    def driven(self):
        self.call()
        if "read" in self.refuses:
            raise OSError("the chip does not answer")
        return self.on


class Bench:
    """One contactor and all that its guard looks at."""

    def __init__(self, module=original, *, mirror=True, tested=True, started=True, patience=2.0, life=True):
        self.module = module
        self.time = 100.0
        self.words = []
        self.edges = True
        self.coil, self.stop, self.residual = Coil(self.call), Wire(self.call), Wire(self.call)
        self.mirror = Wire(self.call)
        self.life = Coil(self.call)
        self.follows = True
        """The contactor does what the coil says."""
        self.hook = None
        """Called at the next call out of the guard: what another thread does meanwhile."""
        self.patrol = module.Patrol(patience, self.are_edges, self.life if life else None, self.now)
        self.guard = self.patrol.guard(
            self.coil,
            self.mirror if mirror else None,
            {"emergency_stop": self.stop.active, "residual_current": self.residual.active},
            self.tell,
        )
        if tested:
            assert self.guard.self_test() == ()
        if started:
            self.patrol.alive()
            self.patrol.round()

    # -- what the guard calls --------------------------------------------------------------------------------

    def call(self):
        assert not self.guard._lock.locked(), "the guard calls somebody with its lock in the hand"
        if self.hook:
            self.hook()

    def now(self):
        return self.time

    def are_edges(self):
        self.call()
        return self.edges

    def tell(self, word):
        self.call()
        self.words.append(word)

    # -- what happens ----------------------------------------------------------------------------------------

    def wait(self, seconds, *, core=True, patrol=True):
        """Let time pass in rounds of 50 ms; the contactor follows its coil within one."""
        for _ in range(round(seconds / 0.05)):
            self.time += 0.05
            if self.follows:
                self.mirror.on = self.coil.on
            if core:
                self.patrol.alive()
            if patrol:
                self.patrol.round()

    def closed(self):
        """Close, and wait until the mirror contact has said so."""
        self.guard.close()
        self.wait(0.2)
        assert self.coil.on
        assert self.told() == ["closed"]
        return self

    def told(self):
        words, self.words = self.words, []
        return words

    def edge(self, wire, on=True):
        """A contact moves, and the thread of the GPIO library looks."""
        wire.on = on
        self.guard.look()
