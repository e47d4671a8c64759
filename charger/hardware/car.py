"""What the control pilot of one connector says, as the events that charts hear. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from charger.hardware.parts import PilotSaid

Told = tuple[str, Mapping[str, Any]]
"""Name and fields of an event of the connector."""
NOTHING: Final = PilotSaid("A")


class Car:
    """The plug, and the car at the other end of it, as far as the pilot has told."""

    def __init__(self, fixed: bool) -> None:
        """Nothing is plugged in.

        Args:
            fixed: the cable belongs to the charger, so its plug is in the car or nowhere.
        """
        self.fixed = fixed
        self.plug = False
        """In our socket; with a fixed cable: in the car."""
        self.connected = False
        """A car is at the other end."""
        self.asks = False
        """For energy: state C or D."""
        self.wrong = ""
        """The reason of `pilot.failed`."""
        self.rated: float | None = None
        """A that the plugged cable carries."""
        self.said = NOTHING

    def hear(self, said: PilotSaid) -> list[Told]:
        """Take what the pilot says now; gives what is new, in the order in which it comes about."""
        before = (self.plug, self.connected, self.asks, self.wrong, self.rated)
        self.said = said
        self._understand(said)
        return list(self._news(*before))

    def situation(self) -> list[Told]:
        """How things are, for a station that has just begun."""
        return list(self._news(plug=False, connected=False, asks=False, wrong="", rated=None))

    def _understand(self, said: PilotSaid) -> None:
        car = said.state in ("B", "C", "D")
        self.asks = said.state in ("C", "D")
        self.wrong = said.wrong or {"E": "short", "D": "ventilation"}.get(said.state, "")
        if said.wrong == "silent":
            return  # whether there is a plug, nobody can see now
        if car or said.state == "A":  # E and F hide the car
            self.connected = car
        if self.fixed:
            self.plug = self.connected
        else:
            # In F the proximity contact is seen as ever, if there is one; a short circuit may hide it too.
            hidden = self.plug and (said.state == "E" or (said.state == "F" and self.rated is None))
            self.plug = car or said.cable is not None or said.wrong == "cable" or hidden
            self.connected = self.connected and self.plug
        self.rated = said.cable if self.plug else None

    def _news(
        self, plug: bool, connected: bool, asks: bool, wrong: str, rated: float | None
    ) -> Iterator[Told]:
        """What has happened since it was so."""
        if self.wrong and self.wrong != wrong:
            yield "pilot.failed", {"reason": self.wrong}
        if plug and not self.plug:
            yield "cable.unplugged", {}
        elif connected and not self.connected:
            yield "ev.unplugged", {}
        elif asks and not self.asks:
            yield "ev.paused", {}
        if self.plug and not plug:
            yield "cable.plugged", {}
        if self.rated != rated:
            yield "cable.rated", {"amps": self.rated}
        if self.asks and not asks:
            yield "ev.ready", {}
        if wrong and not self.wrong:
            yield "pilot.recovered", {}
