"""What a stage is: a world with a station in it, as a player sees it; and what passes between both."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from charger.functions import times

SILENCE: Final = object()
"""The Central System does not answer."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A CALL of the station, as it arrived."""

    at: float
    """Seconds on the stage's clock."""
    id: str
    action: str
    payload: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.action} {json.dumps(dict(self.payload), ensure_ascii=False)}"


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of a CALL of ours: a payload, or an error code."""

    at: float
    payload: Mapping[str, Any] | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A CALLERROR that the Central System answers."""

    code: str


Ears = Callable[[Heard], Any]
"""Told every CALL; gives the payload of the answer, a `Refusal`, or `SILENCE`."""


class Stage(Protocol):
    """A world with a station in it."""

    connectors: int
    own_readers: bool
    """Every connector has a card reader of its own; a card that is shown anywhere is shown at connector 1."""
    ears: Ears
    defect: str | None
    """What went wrong inside of the station, if anybody can tell."""

    def now(self) -> float:
        """Seconds that passed; never jumps."""

    def wall(self) -> float:
        """Epoch s."""

    def setting(self, key: str) -> float:
        """The number that the station has for a configuration key."""

    def power(self, on: bool) -> None:
        """Give the station power, or cut it off."""

    def network(self, up: bool) -> None:
        """Let it reach the Central System, or not."""

    def act(self, act: str, connector: int | None, body: Mapping[str, Any]) -> None:
        """Do something to the simulated hardware.

        Raises:
            ValueError: it cannot be done now.
        """

    def status(self) -> Mapping[str, Any]:
        """What `GET /status` tells of the station.

        Raises:
            ValueError: it has no power.
        """

    def report(self, event: str, connector: int | None) -> None:
        """Let the station hear an event of its hardware, whatever the simulated world is like.

        Raises:
            ValueError: it cannot be done on this stage.
        """

    def states(self, number: int) -> Mapping[str, tuple[str, ...]]:
        """For every chart of a connector (0: the station) the active states, from the outermost."""

    def call(self, action: str, payload: Mapping[str, Any]) -> Callable[[], Answered | None]:
        """Send a CALL; what is given back tells the answer, once there is one.

        Raises:
            ConnectionError: the station is not connected.
        """

    def wait(self, seconds: float, done: Callable[[], bool]) -> bool:
        """Let time pass until something is done, at most so long; whether it is."""


def usual_answer(action: str, now: float, transaction: Callable[[], int]) -> dict[str, Any]:
    """What a kind Central System answers.

    Args:
        action: of the station's CALL.
        now: epoch s.
        transaction: gives the id of a transaction that begins.
    """
    match action:
        case "BootNotification":
            return {"status": "Accepted", "currentTime": times.to_text(now), "interval": 300}
        case "Heartbeat":
            return {"currentTime": times.to_text(now)}
        case "Authorize":
            return {"idTagInfo": {"status": "Accepted"}}
        case "StartTransaction":
            return {"transactionId": transaction(), "idTagInfo": {"status": "Accepted"}}
        case "DataTransfer":
            return {"status": "Accepted"}
        case _:
            return {}
