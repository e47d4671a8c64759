"""What the core asks of the world, and how the world answers.

The core (`station.py`) turns an `Event` into `Command` objects. Adapters perform commands and post
events; nothing else passes between them. Every command is a frozen value, so a step can be recorded,
compared and replayed.

Order inside one step: `OpenContactor` first (opening is always safe and never waits for a disk), then
`Store`, then hardware, replies, messages, timers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from charger.statechart.event import Event, Moment

Post = Callable[[Event], None]
"""Puts an event into the one queue. Call it on the event loop's thread only; from any other thread use
``loop.call_soon_threadsafe(post, event)``."""


# -- storage ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """One durable fact: written when `value` is a JSON-able object, deleted when it is None."""

    subject: str
    key: str
    value: Any


@dataclass(frozen=True, slots=True)
class Store:
    """Make these facts durable, all or none, before anything of this step becomes visible."""

    changes: tuple[Change, ...]


# -- hardware --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenContactor:
    """De-energise the coil. Answered by `contactor.opened` when the mirror contact says so."""

    connector: int


@dataclass(frozen=True, slots=True)
class CloseContactor:
    """Energise the coil. Answered by `contactor.closed` when the mirror contact says so."""

    connector: int


@dataclass(frozen=True, slots=True)
class EngageLock:
    """Lock the plug into the socket. Answered by `lock.engaged` or `lock.failed`."""

    connector: int


@dataclass(frozen=True, slots=True)
class ReleaseLock:
    """Unlock the plug. Answered by `lock.released` or `lock.failed`."""

    connector: int


@dataclass(frozen=True, slots=True)
class OfferCurrent:
    """Set the control pilot.

    ``amps`` > 0: PWM, offering that current per phase in A (6 to 80, IEC 61851-1 Annex A);
    0: steady +12 V level (state x1: connected, not offered); None: state F, not available.
    """

    connector: int
    amps: float | None


@dataclass(frozen=True, slots=True)
class TestResidualCurrent:
    """Ask the residual-current monitor for its self-test.

    Answered by `residual_current.test_passed` or `residual_current.test_failed`; a monitor that has no test
    passes. The trip that the test provokes is not reported.
    """

    __test__ = False  # pytest: not a class of tests
    connector: int


@dataclass(frozen=True, slots=True)
class ShowLight:
    """Colour, pattern and period of a connector's lamp: ``blue breathing``, ``red blinking 200ms``."""

    connector: int
    look: str


@dataclass(frozen=True, slots=True)
class ShowText:
    """One line for the person in front of the station; empty clears it."""

    text: str


@dataclass(frozen=True, slots=True)
class SwitchOutput:
    """An output declared in charts/index.yaml: `on`, `off` or `blink`."""

    name: str
    connector: int
    """0 for an output of the station as a whole."""
    state: Literal["on", "off", "blink"]


HardwareCommand = (
    OpenContactor
    | CloseContactor
    | EngageLock
    | ReleaseLock
    | OfferCurrent
    | TestResidualCurrent
    | ShowLight
    | ShowText
    | SwitchOutput
)


# -- Central System --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connect:
    """Open the WebSocket. Answered by `link.opened` or `link.refused`; nothing when it is open or opening."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Close the WebSocket and forget what waits for it. Every pending `Call` is answered `offline`."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Send a WebSocket ping; without a pong within `timeout` seconds the link is lost (`link.lost`)."""

    timeout: float = 5.0


@dataclass(frozen=True, slots=True)
class Call:
    """Send a CALL. Calls leave in the order given, one unanswered at a time (OCPP-J 4.1.1).

    Answered exactly once by an event `ocpp.answered` with the fields ``token`` (this one), ``outcome``
    (``result``, ``error``, ``timeout`` or ``offline``) and ``payload`` (of the CALLRESULT, else empty).
    An answer that breaks its schema is an ``error``. Without a link: ``offline``, at once.

    A good answer that comes after its time to a call with an `id` is an event `ocpp.answered_late` with the
    fields ``id`` and ``payload``.
    """

    token: int
    action: str
    payload: Mapping[str, Any]
    timeout: float
    """Seconds from the moment at which the frame is written (MessageTimeout)."""
    id: str | None = None
    """The unique id of the frame (at most 36 characters) of what may be sent again; None: a new one."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer a CALL from the Central System with a CALLRESULT. Dropped when its link has gone."""

    call: str
    action: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReplyError:
    """Answer a CALL from the Central System with a CALLERROR (OCPP-J 4.2.3)."""

    call: str
    code: str
    description: str = ""


CentralCommand = Connect | Disconnect | Ping | Call | Reply | ReplyError


# -- time and process ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Post `timer.expired` with the field ``key`` once the monotonic clock reaches `due` (s).

    A second start of the same key replaces the first.
    """

    key: str
    due: float


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """Forget a timer; nothing when it is not running."""

    key: str


@dataclass(frozen=True, slots=True)
class Restart:
    """End the process orderly and start it anew.

    Answered by `restart.refused` (field ``reason``) when the new one could not start.
    """

    hard: bool
    """True: everything, as after a power cut; False: the program."""


@dataclass(frozen=True, slots=True)
class End:
    """End the process orderly."""


Command = Store | HardwareCommand | CentralCommand | StartTimer | CancelTimer | Restart | End


# -- the ports -------------------------------------------------------------------------------------


class Clock(Protocol):
    """Time. Real, or virtual in tests."""

    def now(self) -> Moment:
        """Both clocks, read together."""

    def start(self, key: str, due: float, expired: Callable[[str], None]) -> None:
        """Call ``expired(key)`` once monotonic time reaches `due`; replaces a timer of the same key."""

    def cancel(self, key: str) -> None:
        """Forget the timer; nothing when it is not running."""


class Storage(Protocol):
    """The durable facts of one station."""

    def load(self) -> list[Change]:
        """Every stored fact, ordered by subject and key."""

    def commit(self, changes: tuple[Change, ...]) -> None:
        """Make all of them durable, or none.

        Raises:
            StorageFull: no room, or the disk refuses to write; nothing was changed.
        """

    def close(self) -> None:
        """Release the folder."""


class Hardware(Protocol):
    """Everything with a wire. Safety clauses are part of the contract.

    * A contactor is closed only between `CloseContactor` and the next `OpenContactor` or `make_safe`.
    * It is closed only while every interlock that is wired holds and the event loop lives. Otherwise it opens
      by itself, before `interlock.lost` is told, and stays open until the next `CloseContactor`.
    * `make_safe` opens every contactor at once, from any state, and does not raise.
    * Hardware reports what happened as events and never assumes that a command succeeded.
    * Every callback ends in `Post` and in nothing else.
    """

    simulated: bool
    """Whether acts of the world (plug, swipe …) may be posted through the panel."""

    def start(self, post: Post, known: Callable[[], None]) -> None:
        """Report the present situation as events, call `known`, then report every change.

        After a defect, once more. A pilot that has to be asked takes a moment, in which nobody knows whether
        a car is there. Charts must not begin in it: many a fault is over when the cable is out.
        """

    def perform(self, command: HardwareCommand) -> None:
        """Carry out one command; returns at once, the outcome comes as an event."""

    def make_safe(self) -> None:
        """Open every contactor. Never raises."""

    def alive(self) -> bool:
        """Whether those who watch the wires still do: the guard's poller, the thread that reports edges.

        The watchdog of the system is fed only then. Loop's thread; returns at once and never raises.
        """

    def describe(self, connector: int) -> Mapping[str, Any]:
        """What the wires say now, for `/status`: contactor, lock, cable, pilot, lamp."""

    async def close(self) -> None:
        """Make safe and let go of every wire."""


class Central(Protocol):
    """The link to the Central System.

    Posts `link.opened`, `link.refused` (field ``reason``), `link.lost` (field ``reason``), one event
    `ocpp.<Action>` per valid CALL (``call`` set, ``fields`` the payload as received, camelCase), one
    `call.unreadable` per other CALL (fields ``code`` and ``description`` of the CALLERROR it deserves), and
    `ocpp.answered` per `Call`. Frames are handled strictly in the order of arrival.
    """

    def perform(self, command: CentralCommand) -> None:
        """Carry out one command; returns at once."""

    async def close(self) -> None:
        """Close the link, if any, and end every task."""
