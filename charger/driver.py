"""Brings events to the station, one at a time, and performs what it commands.

One queue, one consumer. Durable before visible: what a step changed is on disk before its other commands
are performed, except that contactors open first. While the disk takes nothing, nothing leaves that it should
know of. After a defect the contactors open and the station is built anew from the durable facts. Runs on any
clock: the same code is driven by a real loop and by tests in virtual time.
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable

from charger import ports
from charger.errors import Defect, StorageError, StorageFull
from charger.ports import Change
from charger.statechart.event import Event
from charger.station import Station, Step
from charger.trace import Trace

LOG = logging.getLogger(__name__)

RETRY_STORAGE = 5.0
"""s between attempts to write when the disk took nothing."""
_RETRY = "storage.retry"
MOST_DEFECTS = 3
"""So many defects in `DEFECT_WINDOW` seconds end the process: building anew does not help."""
DEFECT_WINDOW = 600.0

_MAY_NOT_WAIT = (
    *(ports.EngageLock, ports.ReleaseLock, ports.OfferCurrent, ports.ShowLight, ports.ShowText),
    *(
        ports.TestResidualCurrent,
        ports.SwitchOutput,
        ports.Connect,
        ports.Disconnect,
        ports.Ping,
        ports.StartTimer,
        ports.CancelTimer,
    ),
    ports.End,
)
"""Performed although the disk takes nothing: they acknowledge nothing. To close a contactor is not here."""


class Driver:
    """One station at work.

    Args:
        build: makes a station from the stored facts.
        storage: where they are.
        hardware: the wires.
        central: the link.
        clock: the time.
        on_step: told of every step, after its commands were performed.
        wake: told that an event waits; the owner calls `pump` soon.
        trace: told of every event and what it brought about; left out: one of our own.
        on_defect: told of a defect, once the trace has it and the contactors are open.
    """

    def __init__(
        self,
        build: Callable[[list[Change]], Station],
        storage: ports.Storage,
        hardware: ports.Hardware,
        central: Callable[[ports.Post], ports.Central],
        clock: ports.Clock,
        on_step: Callable[[Step], None] = lambda _step: None,
        wake: Callable[[], None] = lambda: None,
        obstacle: Callable[[], str | None] = lambda: None,
        trace: Trace | None = None,
        on_defect: Callable[[], None] = lambda: None,
    ) -> None:
        self._build = build
        self._storage = storage
        self._hardware = hardware
        self._clock = clock
        self._on_step = on_step
        self._wake = wake
        self._obstacle = obstacle
        self._on_defect = on_defect
        self.trace = trace or Trace()
        self._queue: deque[Event] = deque()
        self._timers: set[str] = set()
        self._held: list[ports.Command] | None = None
        self._defects: deque[float] = deque(maxlen=MOST_DEFECTS)
        self.restart: ports.Restart | None = None
        """Set when the station wants the program to start anew."""
        self.ended = False
        """Whether the station wants the program to end."""
        self._broken: StorageError | None = None
        self.station = self._begin(storage.load())
        self.central = central(self.post)

    def _begin(self, facts: list[Change]) -> Station:
        station = self._build(facts)
        self.trace.begin(station, facts)
        return station

    def start(self) -> None:
        """Report the situation of the hardware, then start the charts."""
        self._hardware.start(self.post, lambda: self.post(Event("station.started")))

    def post(self, event: Event) -> None:
        """Put an event into the queue."""
        self._queue.append(event)
        self._wake()

    def pump(self, most: int = 1_000_000) -> bool:
        """Take up to so many events; True when more wait.

        Raises:
            Defect: too many in a short time.
            StorageError: the facts cannot be written for another reason than a full disk.
        """
        for _ in range(most):
            if self._broken:
                raise self._broken
            if not self._queue:
                return False
            self.take(self._queue.popleft())
        return bool(self._queue)

    def take(self, event: Event) -> None:
        """One event: step, store, perform.

        Raises:
            Defect: too many in a short time.
        """
        event = event.at(self._clock.now())
        try:
            step = self.station.handle(event)
        except Defect as error:
            self._recover(event, error)
            return
        self._perform(step.commands)
        self.trace.add(event, step)
        self._on_step(step)

    # -- commands ----------------------------------------------------------------------------------------

    def _perform(self, commands: tuple[ports.Command, ...]) -> None:
        for position, command in enumerate(commands):
            if isinstance(command, ports.OpenContactor):
                self._hardware.perform(command)
            elif self._held is not None:
                self._hold(command)
            elif isinstance(command, ports.Store):
                try:
                    self._storage.commit(command.changes)
                except StorageFull as error:
                    self._storage_failed(error)
                    for held in commands[position:]:
                        self._hold(held)
                    return
            else:
                self._dispatch(command)

    def _dispatch(self, command: ports.Command) -> None:
        match command:
            case ports.StartTimer(key=key, due=due):
                self._timers.add(key)
                self._clock.start(key, due, self._expired)
            case ports.CancelTimer(key=key):
                self._timers.discard(key)
                self._clock.cancel(key)
            case ports.Restart():
                if obstacle := self._obstacle():
                    LOG.error("the restart is put off: %s", obstacle)
                    self.post(Event("restart.refused", fields={"reason": obstacle}))
                else:
                    self.restart = command
                    self._wake()
            case ports.End():
                self.ended = True
                self._wake()
            case (
                ports.Connect()
                | ports.Disconnect()
                | ports.Ping()
                | ports.Call()
                | ports.Reply()
                | ports.ReplyError()
            ):
                self.central.perform(command)
            case ports.Store(changes=changes):
                self._storage.commit(changes)
            case _:
                self._hardware.perform(command)

    def _expired(self, key: str) -> None:
        self._timers.discard(key)
        self.post(Event("timer.expired", fields={"key": key}))

    # -- a disk that takes nothing -----------------------------------------------------------------------

    def _hold(self, command: ports.Command) -> None:
        """Keep for later what says something that is not on disk; the rest goes on."""
        if isinstance(command, _MAY_NOT_WAIT):
            self._dispatch(command)
        elif self._held is not None and not isinstance(command, ports.CloseContactor):
            self._held.append(command)  # a contactor is never closed later than it was decided

    def _storage_failed(self, error: StorageFull) -> None:
        LOG.error("nothing can be stored: %s; charging stops until it can", error)
        self._held = []
        self._clock.start(_RETRY, self._clock.now().monotonic + RETRY_STORAGE, self._retry_storage)
        self.post(Event("storage.failed"))

    def _retry_storage(self, key: str) -> None:
        held = self._held or []
        merged = {(c.subject, c.key): c for one in held if isinstance(one, ports.Store) for c in one.changes}
        try:
            self._storage.commit(tuple(merged.values()))
        except StorageFull:
            self._clock.start(key, self._clock.now().monotonic + RETRY_STORAGE, self._retry_storage)
            return
        except StorageError as error:  # a timer has nobody to tell: the next turn of the loop has
            self._broken = error
            self._wake()
            return
        LOG.warning("storing works again")
        self._held = None
        for command in held:
            if not isinstance(command, ports.Store):
                self._dispatch(command)
        self.post(Event("storage.recovered"))

    # -- a defect ----------------------------------------------------------------------------------------

    def _recover(self, event: Event, error: Defect) -> None:
        """Fail safe, then begin again with what is on disk. A fault stays to be seen until the next start."""
        self._hardware.make_safe()
        LOG.critical("defect, contactors opened: %s", error, exc_info=error)
        self.trace.add(event, error)
        self._on_defect()
        now = self._clock.now().monotonic
        self._defects.append(now)
        if len(self._defects) == MOST_DEFECTS and now - self._defects[0] < DEFECT_WINDOW:
            raise error
        for key in self._timers:
            self._clock.cancel(key)
        self._timers.clear()
        self._clock.cancel(_RETRY)
        self._queue.clear()
        self._held = None
        with contextlib.suppress(StorageFull):  # the reason is worth less than the start
            self._storage.commit((Change("station", "restart", "Reboot"),))
        self.central.perform(ports.Disconnect())
        self._queue.clear()  # what the link had to say was for the old station
        facts = self._storage.load()
        self.station = self._begin([*facts, *self.station.noted(facts)])
        self.post(Event("fault.raised", fields={"error": "InternalError", "info": str(error)[:50]}))
        self.start()
