"""What goes wrong in the simulated world, and is repaired: leaks, welded contacts, greedy cars.

====================  ==================================================================================
``residual_current``  ``{"tripped": true}``: current leaks, the monitor trips; ``false``: no more.
                      ``{"test_fails": true}``: from now on it does not pass its self-test
``contactor``         ``{"fails": "closed"}``: once closed it does not open any more; ``"open"``: it does
                      not close, and falls off if it is closed; ``null``: it does as it is told
``current``           ``{"percent": 125}``: the car draws so much of what is offered; ``null``: what it may
``voltage``           ``{"volts": 190}`` to neutral, on every phase; ``null``: as usual
``meter``             ``{"silent": true}``: it does not answer; ``false``: it does
``pilot``             ``{"wrong": "diode"}``, or ``short``, ``ventilation``, ``cable``, ``silent``;
                      ``null``: nothing is. All but ``silent`` go with the car
``cable``             ``{"amps": 20}``: what the plugged cable carries; ``null``: nobody can tell
``emergency``         ``{"pressed": true}`` or ``false``; of the station, as are those below
``door``              ``{"open": true}`` or ``false``
``temperature``       ``{"celsius": 70}`` inside of the housing; ``null``: the thermometer does not answer
``reader``            ``{"dead": true}`` or ``false``; with ``connector`` where each has its own
``hardware``          ``{"info": "…"}``: the board cannot be relied on any more, until the next start
====================  ==================================================================================
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from charger.functions.situation import ConnectorPlan
from charger.ports import Clock, Post
from charger.statechart.event import Event

SILENCE: Final = 10.0
"""Seconds without a reading until the meter counts as failed."""
COOL: Final = 25.0
"""°C."""


@dataclass(slots=True)
class Outlet:
    """One connector, its cable, and the car at the other end."""

    number: int
    plan: ConnectorPlan
    energy: float
    """The meter's register, Wh, as last reported."""
    since: float = 0.0
    """Monotonic s of that report."""
    power: float = 0.0
    """W since then."""
    coil: bool = False
    closed: bool = False
    locked: bool = False
    lock_fails: bool = False
    plug: bool = False
    """A plug is in our socket; with a fixed cable: in the car."""
    car: bool = False
    """The cable is connected to a car."""
    willing: bool = True
    """The car would charge if it might."""
    asks: bool = False
    """It does: S2 is closed, control pilot in state C."""
    leaving: bool = False
    """The driver pulls at a plug that is locked."""
    offered: float | None = 0.0
    light: str = "off"
    stuck: Literal["open", "closed"] | None = None
    """The contactor does not close, or does not open."""
    tripped: bool = False
    """Current leaks: the monitor has tripped."""
    test_fails: bool = False
    percent: float | None = None
    """Of what is offered the car draws so much; None: what it may and can."""
    volts: float | None = None
    """To neutral, on every phase; None: as usual."""
    silent: bool = False
    """The meter does not answer."""
    wrong: str | None = None
    """What is wrong with the control pilot, as `pilot.failed` has it."""

    @property
    def wants(self) -> bool:
        """Whether the car should close S2: connected, willing, and current is offered."""
        return self.car and self.willing and bool(self.offered)


class Mishaps(ABC):
    """The outlets, and all that may be wrong with them and with the station."""

    def __init__(self, outlets: dict[int, Outlet], clock: Clock) -> None:
        self._outlets = outlets
        self._clock = clock
        self._post: Post = nobody
        self._warm = self._pressed = self._open = False
        self._dead_readers: set[int | None] = set()

    @abstractmethod
    def _sample(self, outlet: Outlet) -> None:
        """Report the meter."""

    @abstractmethod
    def _adjust(self, outlet: Outlet) -> None:
        """Report the meter if another power flows now."""

    def happen(self, act: str, connector: int | None, body: Mapping[str, Any]) -> None:
        """Let one of these happen.

        Raises:
            ValueError: there is no such act, or no such connector.
        """
        match act:
            case "residual_current":
                self._leak(self._outlet(connector), body)
            case "contactor":
                self._stick(self._outlet(connector), body["fails"])
            case "current":
                outlet = self._outlet(connector)
                outlet.percent = body["percent"]
                self._adjust(outlet)
            case "voltage":
                outlet = self._outlet(connector)
                outlet.volts = body["volts"]
                self._sample(outlet)
            case "meter":
                self._silence(self._outlet(connector), silent=body["silent"])
            case "pilot":
                self._spoil(self._outlet(connector), body["wrong"])
            case "cable":
                self._report("cable.rated", self._outlet(connector), amps=body["amps"])
            case _:
                self._happen_to_all(act, connector, body)

    def _happen_to_all(self, act: str, connector: int | None, body: Mapping[str, Any]) -> None:
        match act:
            case "emergency":
                self._press(pressed=body["pressed"])
            case "door":
                self._swing(is_open=body["open"])
            case "temperature":
                self._heat(body["celsius"])
            case "reader":
                place = body.get("connector", connector)
                self._break_reader(None if place is None else self._outlet(place).number, dead=body["dead"])
            case "hardware":
                self._post(Event("hardware.failed", fields={"info": body.get("info", "")}))
            case _:
                raise ValueError(f"nobody knows how to {act}")

    def repair(self, place: int) -> None:
        """Somebody makes all well that is wrong at a connector, or with the station (0), and says so."""
        if place:
            outlet = self._outlets[place]
            outlet.test_fails, outlet.percent = False, None
            self._leak(outlet, {"tripped": False})
            self._stick(outlet, None)
            self._spoil(outlet, None)
            if outlet.silent or outlet.volts is not None:
                outlet.volts = None
                self._silence(outlet, silent=False)
        else:
            self._press(pressed=False)
            self._swing(is_open=False)
            if self._warm:
                self._heat(COOL)
            for reader in list(self._dead_readers):
                self._break_reader(reader, dead=False)
        self._post(Event("fault.cleared", place))
        self._post(Event("service.cleared", place))

    def gone(self, outlet: Outlet) -> None:
        """The car is, and what was wrong with it."""
        if outlet.wrong != "silent":
            self._spoil(outlet, None)

    # -- at a connector ------------------------------------------------------------------------------------

    def _leak(self, outlet: Outlet, body: Mapping[str, Any]) -> None:
        outlet.test_fails = body.get("test_fails", outlet.test_fails)
        tripped = body.get("tripped", outlet.tripped)
        if tripped != outlet.tripped:
            outlet.tripped = tripped
            self._report(f"residual_current.{'tripped' if tripped else 'cleared'}", outlet)

    def _test(self, outlet: Outlet) -> None:
        failed = outlet.test_fails or outlet.tripped
        self._report(f"residual_current.test_{'failed' if failed else 'passed'}", outlet)

    def _stick(self, outlet: Outlet, how: Literal["open", "closed"] | None) -> None:
        outlet.stuck = how
        if outlet.closed and (how == "open" or (how is None and not outlet.coil)):
            self._sample(outlet)
            outlet.closed = False
            self._report("contactor.opened", outlet)
            self._adjust(outlet)

    def _silence(self, outlet: Outlet, *, silent: bool) -> None:
        outlet.silent = silent
        if silent:
            self._after(SILENCE, outlet, "silence", lambda outlet: self._report("meter.failed", outlet))
        else:
            self._clock.cancel(timer(outlet, "silence"))
            self._sample(outlet)

    def _spoil(self, outlet: Outlet, wrong: str | None) -> None:
        if wrong == outlet.wrong:
            return
        outlet.wrong = wrong
        if wrong:
            self._report("pilot.failed", outlet, reason=wrong)
        else:
            self._report("pilot.recovered", outlet)

    # -- at the station ------------------------------------------------------------------------------------

    def _press(self, *, pressed: bool) -> None:
        if pressed != self._pressed:
            self._pressed = pressed
            self._post(Event(f"emergency.{'pressed' if pressed else 'released'}"))

    def _swing(self, *, is_open: bool) -> None:
        if is_open != self._open:
            self._open = is_open
            self._post(Event(f"door.{'opened' if is_open else 'closed'}"))

    def _heat(self, celsius: float | None) -> None:
        self._warm = celsius != COOL
        if celsius is None:
            self._post(Event("temperature.failed"))
        else:
            self._post(Event("temperature.sampled", fields={"celsius": celsius}))

    def _break_reader(self, place: int | None, *, dead: bool) -> None:
        if dead != (place in self._dead_readers):
            (self._dead_readers.add if dead else self._dead_readers.discard)(place)
            name = f"reader.{'failed' if dead else 'recovered'}"
            self._post(Event(name, fields={"connector": place}))

    def _place(self, number: int | None) -> int:
        return 0 if number == 0 else self._outlet(number).number

    def _outlet(self, number: int | None) -> Outlet:
        if number not in self._outlets:
            raise ValueError(f"there is no connector {number}")
        return self._outlets[number]

    # -- helpers -------------------------------------------------------------------------------------------

    def _report(self, name: str, outlet: Outlet, **fields: Any) -> None:
        self._post(Event(name, outlet.number, fields))

    def _after(self, seconds: float, outlet: Outlet, what: str, then: Callable[[Outlet], None]) -> None:
        due = self._clock.now().monotonic + seconds
        self._clock.start(timer(outlet, what), due, lambda _key: then(outlet))


def nobody(_event: Event) -> None:
    """Listens before the start and after the end."""


def timer(outlet: Outlet, what: str) -> str:
    """The key of a timer."""
    return f"simulated/{outlet.number}/{what}"
