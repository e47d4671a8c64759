"""A station as a process of its own, spoken to over a WebSocket and its local API, in real time.

The same station.yaml, but for the address of the Central System (this one), the data folder (an empty one)
and the port of the page (a free one). The power is cut by SIGKILL.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from charger.central import messages
from charger.central.demo import NO_ANSWER, CallError, DemoCentralSystem
from charger.errors import ChargerError
from charger.functions.records import Records
from charger.settings import IDENTITY, Settings
from charger.statechart.checks import Checked
from charger.station import configuration_of
from charger.stories.play import SILENCE, Answered, Ears, Heard, Refusal

T = TypeVar("T")
START: Final = 30.0
"""s that a process has until its page answers; for a slow machine."""
HOST: Final = "127.0.0.1"


class RealStage:
    """A station without power yet; ``with`` ends whatever was started."""

    def __init__(self, settings: Settings, checked: Checked) -> None:
        self.connectors = len(settings.plans)
        self.ears: Ears = lambda _heard: SILENCE
        self._settings = settings
        self._checked = checked
        self._plugged = set(settings.simulation.plugged)
        self._written: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._happened = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="central", daemon=True)
        self._central = _Laboratory(self._heard)
        self._begun = time.monotonic()

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="charger-story-")
        self._place = Path(self._folder.name)
        self._panel = _free_port()
        self._thread.start()
        self._central.listeners.append(self._tell)
        self._do(self._central.start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.power(on=False)
        self._do(self._central.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._folder.cleanup()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    # -- time --------------------------------------------------------------------------------------------

    def now(self) -> float:
        """See `Stage`."""
        return time.monotonic() - self._begun

    def wall(self) -> float:
        """See `Stage`."""
        return time.time()

    def wait(self, seconds: float, done: Callable[[], bool]) -> bool:
        """See `Stage`."""
        with self._happened:
            return self._happened.wait_for(done, seconds)

    # -- the Central System ------------------------------------------------------------------------------

    def _heard(self, call: messages.Call) -> Any:
        with self._happened:
            said = self.ears(Heard(self.now(), call.id, call.action, call.payload))
            self._happened.notify_all()
        if said is SILENCE:
            return NO_ANSWER
        return CallError(said.code) if isinstance(said, Refusal) else said

    def _tell(self, _entry: object) -> None:
        with self._happened:
            self._happened.notify_all()

    def call(self, action: str, payload: Mapping[str, Any]) -> Callable[[], Answered | None]:
        """See `Stage`."""
        identity = self._settings.id
        if identity not in self._central.stations:
            raise ConnectionError("the station is not connected")
        if action == "ChangeConfiguration":
            self._written[str(payload["key"])] = str(payload["value"])
        answers: list[Answered] = []

        async def ask() -> None:
            try:
                found = Answered(0.0, await self._central.call(identity, action, payload))
            except CallError as error:
                found = Answered(0.0, None, error.code)
            except (ConnectionError, TimeoutError):
                return
            with self._happened:
                answers.append(Answered(self.now(), found.payload, found.error))
                self._happened.notify_all()

        asyncio.run_coroutine_threadsafe(ask(), self._loop)
        return lambda: answers[0] if answers else None

    def network(self, up: bool) -> None:
        """See `Stage`."""
        if up:
            self._do(self._central.start())
        else:
            self._do(self._central.stop())

    # -- the station -------------------------------------------------------------------------------------

    def setting(self, key: str) -> float:
        """See `Stage`."""
        records = Records()
        charts, settings = self._checked.charts, self._settings
        station = configuration_of(charts, settings.plans, records, settings.configuration)
        return float(self._written.get(key, station.value(key)))

    def power(self, on: bool) -> None:
        """See `Stage`."""
        if on:
            self._write_station()
            output = (self._place / "output.txt").open("ab")
            with output:
                self._process = subprocess.Popen(  # noqa: S603 - ourselves
                    [sys.executable, "-m", "charger", "run", str(self._place / "station.yaml")],
                    stdout=output,
                    stderr=output,
                    env={key: value for key, value in os.environ.items() if not key.startswith("CHARGER_")},
                )
        elif self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _write_station(self) -> None:
        settings = self._settings
        world = settings.simulation
        station = {
            "id": settings.id,
            **_identity(settings),
            "central": {"url": self._central.url},
            "charts": str(settings.charts.resolve()),
            "data": str(self._place / "data"),
            "panel": f"{HOST}:{self._panel}",
            "hardware": "simulated",
            "connectors": [
                {
                    "cable": "fixed" if plan.fixed else "socket",
                    "phases": plan.phases,
                    "max_current": plan.max_current,
                }
                for plan in settings.plans
            ],
            "simulation": {
                "power": world.power,
                "contactor_delay": world.contactor_delay,
                "lock_delay": world.lock_delay,
                "car_delay": world.car_delay,
                "plugged": sorted(self._plugged),
            },
            "configuration": dict(settings.configuration),
        }
        # JSON is YAML too. Renamed into place: the station may read it at this moment.
        draft = self._place / "station.new"
        draft.write_text(json.dumps(station, indent=1), encoding="utf-8")
        draft.rename(self._place / "station.yaml")

    def act(self, act: str, connector: int | None, body: Mapping[str, Any]) -> None:
        """See `Stage`."""
        path = f"/sim/{act}" if connector is None else f"/sim/connectors/{connector}/{act}"
        if act == "clear_fault":
            self._request("DELETE", f"/sim/connectors/{connector}/fault", None)
        else:
            self._request("POST", path, body)
        if connector is not None and act in ("plug", "unplug"):
            (self._plugged.add if act == "plug" else self._plugged.discard)(connector)
            self._write_station()

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None) -> None:
        data = json.dumps(dict(body)).encode() if body else None
        address = f"http://{HOST}:{self._panel}{path}"
        headers = {"Content-Type": "application/json"} if data else {}
        request = urllib.request.Request(address, data, headers, method=method)
        end = time.monotonic() + START
        while True:
            try:
                with urllib.request.urlopen(request, timeout=START):  # noqa: S310 - our own page
                    return
            except urllib.error.HTTPError as error:
                raise ValueError(json.loads(error.read()).get("error", str(error))) from error
            except urllib.error.URLError as error:
                # The page comes up a moment after the link.
                gone = self._process is None or self._process.poll() is not None
                if gone or time.monotonic() > end:
                    raise ChargerError(f"the station does not run: {error.reason}\n{self._said()}") from error
            time.sleep(0.05)

    def _said(self) -> str:
        return (self._place / "output.txt").read_text(errors="replace")[-2000:]


class _Laboratory(DemoCentralSystem):
    """A Central System that asks somebody else what to say."""

    def __init__(self, heard: Callable[[messages.Call], Any]) -> None:
        super().__init__(host=HOST, port=0)
        self._heard = heard

    def answer(self, call: messages.Call) -> Any:
        """Whatever the player says."""
        return self._heard(call)


def _identity(settings: Settings) -> dict[str, str]:
    """The members of station.yaml that BootNotification tells."""
    told = settings.identity.payload()
    return {name: told[wire] for name, (wire, _) in IDENTITY.items() if wire in told}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
