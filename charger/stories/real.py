"""A station as a process of its own, spoken to over a WebSocket and its local API, in real time.

The same station.yaml, but for the address of the Central System (this one), the data folder (an empty one)
and the port of the page (a free one). The power is cut by SIGKILL, the network by tearing every connection.
No process outlives the stage: not after an exception, not after Ctrl-C, not when this process is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
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
from charger.central.demo_page import Entry
from charger.settings import IDENTITY, Settings
from charger.settings_reader import VARIABLES
from charger.statechart.checks import Checked
from charger.stories.needs import keys_of
from charger.stories.stage import SILENCE, Answered, Ears, Heard, Refusal

T = TypeVar("T")
START: Final = 30.0
"""s that a process has until its page answers; for a slow machine."""
HOST: Final = "127.0.0.1"
LOOK: Final = 0.5
"""s after which a station that died is noticed."""
LAST_LINES: Final = 12
"""Of what a station printed before it died."""


class RealStage:
    """A station without power yet; ``with`` ends whatever was started.

    Every method raises ConnectionError when the station's process ended by itself, with its last words.
    """

    def __init__(self, settings: Settings, checked: Checked) -> None:
        self.connectors = len(settings.plans)
        self.own_readers = all(plan.own_reader for plan in settings.plans)
        self.defect: str | None = None
        self.ears: Ears = lambda _heard: SILENCE
        self._settings = settings
        self._checked = checked
        self._plugged = set(settings.simulation.plugged)
        self._inputs: dict[tuple[str, int | None], Mapping[str, Any]] = {}
        """The inputs that were switched: a door stays open while the power is off."""
        self._written: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._happened = threading.Condition()
        self._answered: dict[str, float] = {}
        """Action of a CALL of ours → when its last answer arrived."""
        self._defect: Exception | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="laboratory", daemon=True)
        self._central = _Laboratory(self._heard, settings)
        self._begun = time.monotonic()

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="charger-story-")
        self._place = Path(self._folder.name)
        self._panel = _free_port()
        self._thread.start()
        try:
            self._do(self._central.start())
        except BaseException:
            self.close()
            raise
        self._central.listeners.append(self._tell)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process first, then everything else."""
        self._kill()
        try:
            self._do(self._finish())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._folder.cleanup()

    async def _finish(self) -> None:
        await self._central.cut()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(START)

    # -- time --------------------------------------------------------------------------------------------

    def now(self) -> float:
        """See `Stage`."""
        return time.monotonic() - self._begun

    def wall(self) -> float:
        """See `Stage`."""
        return time.time()

    def wait(self, seconds: float, done: Callable[[], bool]) -> bool:
        """See `Stage`."""
        end = time.monotonic() + seconds
        with self._happened:
            while True:
                left = end - time.monotonic()
                if self._happened.wait_for(lambda: self._defect is not None or done(), min(left, LOOK)):
                    if self._defect:
                        raise self._defect
                    return True
                self._look()
                if left <= LOOK:
                    return False

    def _look(self) -> None:
        code = self._process.poll() if self._process else None
        if code is not None:
            raise ConnectionError(f"the station's process ended with exit code {code}{self._last_words()}")

    def _last_words(self) -> str:
        lines = (self._place / "output.txt").read_text(errors="replace").splitlines()[-LAST_LINES:]
        return "".join(["; its last output:", *(f"\n    {line}" for line in lines)]) if lines else ""

    # -- the Central System ------------------------------------------------------------------------------

    def _heard(self, call: messages.Call) -> Any:
        with self._happened:
            try:
                said = self.ears(Heard(self.now(), call.id, call.action, call.payload))
            except Exception as error:  # noqa: BLE001 - raised again where the story waits
                self._defect = error
                said = SILENCE
            if call.action == "BootNotification" and isinstance(said, Mapping) and said.get("interval"):
                self._written["heartbeatinterval"] = str(said["interval"])  # OCPP 1.6 §4.2
            self._happened.notify_all()
        if said is SILENCE:
            return NO_ANSWER
        return CallError(said.code) if isinstance(said, Refusal) else said

    def _tell(self, entry: Entry) -> None:
        """A frame came or went. Answers are stamped here: who asked hears of them after the next frames."""
        with self._happened:
            if entry.direction == "in" and entry.frame.lstrip("[ ").startswith(("3", "4")):
                self._answered[entry.action] = self.now()
            self._happened.notify_all()

    def call(self, action: str, payload: Mapping[str, Any]) -> Callable[[], Answered | None]:
        """See `Stage`."""
        identity = self._settings.id
        if identity not in self._central.stations:
            self._look()
            raise ConnectionError("the station is not connected")
        answers: list[Answered] = []

        async def ask() -> None:
            found: Answered | None = None
            defect: Exception | None = None
            try:
                found = Answered(0.0, await self._central.call(identity, action, payload))
            except CallError as error:
                found = Answered(0.0, None, error.code)
            except (ConnectionError, TimeoutError):
                return  # no answer: the player waits for it as long as the story says
            except Exception as error:  # noqa: BLE001 - raised again where the story waits
                defect = error
            with self._happened:
                self._defect = defect or self._defect
                if found is not None:
                    self._note(action, payload, found)
                    answers.append(Answered(self._answered[action], found.payload, found.error))
                self._happened.notify_all()

        asyncio.run_coroutine_threadsafe(ask(), self._loop)
        return lambda: answers[0] if answers else None

    def _note(self, action: str, payload: Mapping[str, Any], answer: Answered) -> None:
        if action == "ChangeConfiguration" and (answer.payload or {}).get("status") in (
            "Accepted",
            "RebootRequired",
        ):
            self._written[str(payload["key"]).casefold()] = str(payload["value"])

    def network(self, up: bool) -> None:
        """See `Stage`."""
        self._do(self._central.start() if up else self._central.cut())

    # -- the station -------------------------------------------------------------------------------------

    def setting(self, key: str) -> float:
        """See `Stage`."""
        station = keys_of(self._settings, self._checked).value(key)
        return float(self._written.get(key.casefold(), station))

    def power(self, on: bool) -> None:
        """See `Stage`."""
        if not on:
            self._kill()
            return
        if self._process is not None:
            raise ValueError("the station has power")
        self._write_station()
        with (self._place / "output.txt").open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                [*_leash(), sys.executable, "-m", "charger", "run", str(self._place / "station.yaml")],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment(),
                start_new_session=True,  # Ctrl-C is for us
            )
        for body in self._inputs.values():
            self._request("POST", "/sim/input", body)

    def _kill(self) -> None:
        process = self._process
        if process is not None:
            process.kill()
            process.wait()
            self._process = None

    def _environment(self) -> dict[str, str]:
        """Ours, without what would overrule the file; the password stays out of the file."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CHARGER_")}
        password = self._settings.central.password
        return environment | ({VARIABLES["central.password"]: password} if password else {})

    def _write_station(self) -> None:
        settings = self._settings
        world = settings.simulation
        station = {
            "id": settings.id,
            **_identity(settings),
            "central": {"url": self._central.url, "tolerant": settings.central.tolerant},
            "charts": str(settings.charts.resolve()),
            "data": str(self._place / "data"),
            "panel": f"{HOST}:{self._panel}",
            "hardware": "simulated",
            "connectors": [
                {
                    "cable": "fixed" if plan.fixed else "socket",
                    "phases": plan.phases,
                    "max_current": plan.max_current,
                    "reader": "own" if plan.own_reader else "shared",
                }
                for plan in settings.plans
            ],
            "simulation": {
                "power": world.power,
                "contactor_delay": world.contactor_delay,
                "lock_delay": world.lock_delay,
                "car_delay": world.car_delay,
                "plugged": sorted(self._plugged),
                **({} if world.seed is None else {"seed": world.seed}),
            },
            "configuration": dict(settings.configuration),
        }
        # JSON is YAML too. Renamed into place: the station may read it at this moment.
        draft = self._place / "station.new"
        draft.write_text(json.dumps(station, indent=1), encoding="utf-8")
        draft.rename(self._place / "station.yaml")

    def act(self, act: str, connector: int | None, body: Mapping[str, Any]) -> None:
        """See `Stage`."""
        if self._process is None:
            raise ValueError("the station has no power")
        path = f"/sim/{act}" if connector is None else f"/sim/connectors/{connector}/{act}"
        if act == "service":
            self._request("POST", "/service/clear", body)
        elif act == "clear_fault":
            self._request("DELETE", f"/sim/connectors/{connector}/fault", None)
        else:
            self._request("POST", path, body)
        if connector is not None and act in ("plug", "unplug"):
            (self._plugged.add if act == "plug" else self._plugged.discard)(connector)
            self._write_station()  # so that the car is still there when the station restarts itself
        if act == "input":
            self._inputs[body["name"], body.get("connector")] = body

    def status(self) -> Mapping[str, Any]:
        """See `Stage`."""
        if self._process is None:
            raise ValueError("the station has no power")
        return dict(json.loads(self._request("GET", "/status", None)))

    def report(self, event: str, _connector: int | None) -> None:
        """See `Stage`; the simulated hardware of a process reports what it does, nothing else."""
        raise ValueError(f"{event} can be reported in virtual time only")

    def states(self, number: int) -> dict[str, tuple[str, ...]]:
        """See `Stage`; a Central System cannot see them."""
        raise ValueError(f"the charts of connector {number} can be looked at in virtual time only")

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None) -> bytes:
        data = json.dumps(dict(body)).encode() if body else None
        address = f"http://{HOST}:{self._panel}{path}"
        headers = {"Content-Type": "application/json"} if data else {}
        request = urllib.request.Request(address, data, headers, method=method)
        end = time.monotonic() + START
        while True:
            try:
                with _DIRECT.open(request, timeout=START) as answer:
                    return bytes(answer.read())
            except urllib.error.HTTPError as error:
                with error:
                    raise ValueError(_reason(error)) from error
            except urllib.error.URLError as error:
                # The page comes up a moment after the link.
                self._look()
                if time.monotonic() > end:
                    told = f"the station's page cannot be reached: {error.reason}{self._last_words()}"
                    raise ConnectionError(told) from error
            time.sleep(0.05)


class _Laboratory(DemoCentralSystem):
    """A Central System that asks somebody else what to say."""

    def __init__(self, heard: Callable[[messages.Call], Any], settings: Settings) -> None:
        password = settings.central.password
        super().__init__(
            host=HOST,
            port=_free_port(),
            passwords=None if password is None else {settings.id: password},
        )
        self._heard = heard

    def answer(self, call: messages.Call) -> Any:
        """Whatever the player says."""
        return self._heard(call)

    async def cut(self) -> None:
        """Tear every connection, without a Close, and stop listening; `start` takes the same port again."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close(close_connections=False)
        for connection in list(server.connections):
            connection.transport.abort()
        await server.wait_closed()


def _identity(settings: Settings) -> dict[str, str]:
    """The members of station.yaml that BootNotification tells."""
    told = settings.identity.payload()
    return {name: told[wire] for name, (wire, _) in IDENTITY.items() if wire in told}


def _reason(error: urllib.error.HTTPError) -> str:
    text = error.read().decode(errors="replace")
    with contextlib.suppress(ValueError):
        found = json.loads(text)
        if isinstance(found, dict):
            return str(found.get("error", text))
    return f"{error}: {text[:200]}"


def _leash() -> list[str]:
    """What makes the kernel end a station whose laboratory died (Linux)."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_PORTS: Final = range(20000, 32000)
"""Below those that the kernel gives to outgoing connections: a port is still free when its owner is back."""


def _free_port() -> int:
    for port in random.sample(_PORTS, 50):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return port
    raise OSError("no free port on this machine")
