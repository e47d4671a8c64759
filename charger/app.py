"""The composition root: builds every part of a running station, wires them, and owns the event loop's task.

Reads top to bottom: storage, charts, hardware, link, page, then one consumer of one queue until the station
wants to restart or somebody ends the program. Imports adapters; nothing imports it but the command line.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import signal
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from charger import __version__, notify
from charger.central.link import CentralLink
from charger.clock import MonotonicClock
from charger.driver import Driver
from charger.errors import ChargerError
from charger.folders import shipped
from charger.functions import times
from charger.hardware.simulated import SimulatedHardware
from charger.hardware.wired import WiredHardware
from charger.loading import read_station
from charger.ports import Central, Change, Clock, Post, Restart
from charger.settings import Settings
from charger.statechart.checks import Checked
from charger.statechart.event import Event
from charger.statechart.model import ChartSet
from charger.station import Station, Step
from charger.storage import SqliteStorage
from charger.trace import Trace, TraceFile, keep

LOG = logging.getLogger(__name__)

CHUNK = 50
"""Events taken before the loop may do something else."""
FAREWELL = 2.0
"""s for the last commands of a step to take effect when the program ends."""


class App:
    """One station as a program."""

    def __init__(self, settings: Settings, checked: Checked, trace: TraceFile | None = None) -> None:
        """Set it up.

        Args:
            settings: the station.
            checked: its charts.
            trace: takes every step as it happens.
        """
        self._trace = Trace(settings.id, trace)
        self._settings = settings
        self._checked = checked
        self._wake = asyncio.Event()
        self._stopping = False
        self._failure: BaseException | None = None
        self._panel: Any = None
        self._pictures: Any = None

    async def run(self) -> Restart | None:
        """Work until told to end; gives what kind of restart is wanted, if any.

        Raises:
            ChargerError: it cannot start, or had one defect too many.
        """
        settings = self._settings
        storage = SqliteStorage(settings.data)
        if storage.recovered:
            LOG.error("%s", storage.recovered)
        self._clock = MonotonicClock()
        try:
            self._hardware = self._build_hardware()
        except ChargerError:
            storage.close()
            raise
        try:
            self._driver = Driver(
                self._station,
                storage,
                self._hardware,
                self._central,
                self._clock,
                self._stepped,
                self._wake.set,
                self._obstacle,
                self._trace,
                self._keep_trace,
            )
            self._listen_to_signals()
            self._driver.start()
            gc.freeze()  # the charts stay for ever: no need to look through them again and again
            watchdog = asyncio.create_task(notify.feed(self._hardware.alive))
            panel = asyncio.create_task(self._start_panel())
            panel.add_done_callback(self._panel_started)
            try:
                await self._consume()
            finally:
                await self._close(panel)
                watchdog.cancel()
        finally:
            self._hardware.make_safe()
            storage.close()
        return None if self._stopping else self._driver.restart

    # -- parts -------------------------------------------------------------------------------------------

    def _station(self, stored: list[Change]) -> Station:
        return Station(
            self._checked.charts,
            self._checked.vocabulary,
            self._settings.identity,
            self._settings.plans,
            stored,
            self._settings.configuration,
            seed=self._seed(),
        )

    def _build_hardware(self) -> SimulatedHardware | WiredHardware:
        settings = self._settings
        if settings.board is None:
            return simulated_hardware(settings, self._checked.charts, settings.data / "meters", self._clock)
        from charger.hardware.build import build  # noqa: PLC0415 - a simulated station needs no chip
        from charger.hardware.gpio import open_chip  # noqa: PLC0415

        return build(
            settings.board,
            settings.plans,
            open_chip(settings.board.chip),
            clock=self._clock,
            soon=asyncio.get_running_loop().call_soon_threadsafe,
            car_delay=settings.simulation.car_delay,
        )

    def _obstacle(self) -> str | None:
        """What a new program would stumble over: it does not start with charts that are wrong."""
        errors = read_station(self._settings.file).errors
        return next((f"{Path(one.mark.file).name}:{one.mark.line}: {one.message}" for one in errors), None)

    def _seed(self) -> int:
        """Spreads stations that lost the same Central System; each comes back at its own moment."""
        seed = self._settings.simulation.seed
        return zlib.crc32(self._settings.id.encode()) if seed is None else seed

    def _central(self, post: Post) -> Central:
        settings = self._settings
        return CentralLink(
            url=settings.central.url,
            identity=settings.id,
            password=settings.central.password,
            ca_file=settings.central.ca_file,
            verify_hostname=settings.central.verify_hostname,
            tolerant=settings.central.tolerant,
            post=post,
            on_frame=self._frame,
        )

    async def _start_panel(self) -> None:
        """The page comes up beside the link, so that neither waits for the other."""
        settings = self._settings
        if settings.panel is None:
            return
        # Half the memory of the program, and seconds on a small board, in which the wires want to be heard.
        await asyncio.to_thread(importlib.import_module, "charger.panel.server")
        from charger.panel.server import Panel, PanelSource  # noqa: PLC0415

        source = PanelSource(
            status=self.status,
            diagram=self._diagram,
            post=self._driver.post,
            simulated=self._hardware.simulated,
            connectors=len(settings.plans),
            simulate=self._hardware.simulate,
            trace=self._trace.lines,
        )
        where = settings.panel
        self._panel = Panel(source, host=where.host, port=where.port, token=where.token)
        await self._panel.start()
        LOG.info("page and API at http://%s:%s/", where.host, where.port)

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        numbers = [signal.SIGTERM, signal.SIGINT]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
            numbers.append(signal.SIGHUP)  # the terminal is gone: outputs are to be low all the same
        for number in numbers:
            loop.add_signal_handler(number, self._stop)

    def _stop(self) -> None:
        """The charts end what is going on; whoever asks twice gets his way."""
        if self._stopping:
            self._driver.ended = True
        self._stopping = True
        notify.tell("STOPPING=1")
        self._driver.post(Event("station.stopping"))

    def _panel_started(self, task: asyncio.Task[None]) -> None:
        """The last part is up. A page that cannot come up is no station that anybody can use."""
        if task.cancelled():
            return
        self._failure = task.exception()
        if self._failure:
            self._wake.set()
        else:
            notify.tell("READY=1")

    # -- the loop ----------------------------------------------------------------------------------------

    async def _consume(self) -> None:
        while not (self._driver.restart or self._driver.ended):
            await self._wake.wait()
            if self._failure:
                raise self._failure
            if not self._driver.pump(CHUNK):
                self._wake.clear()
            await asyncio.sleep(0)  # frames and edges have their turn between two chunks
        self._driver.pump()

    async def _close(self, panel: asyncio.Task[None]) -> None:
        await self._hardware.close()
        await asyncio.wait_for(self._driver.central.close(), FAREWELL)
        panel.cancel()
        await asyncio.gather(panel, return_exceptions=True)
        if self._panel:
            await self._panel.close()

    # -- what people see ---------------------------------------------------------------------------------

    def _stepped(self, step: Step) -> None:
        moves = [
            f"{move.chart}{f' {move.number}' if move.number else ''} {move.source} -> {move.target}"
            for move in step.moves
            if move.source and move.source != move.target
        ]
        if moves:
            LOG.info("%s: %s", step.event.name, ", ".join(moves))
        if self._panel and self._panel.watched and (step.moves or step.commands):
            self._panel.published(step_as_json(step, times.to_text(self._driver.station.situation.time)))

    def _keep_trace(self) -> None:
        """After a defect. A disk that does not take it keeps nobody from starting anew."""
        try:
            LOG.error("the trace is kept: %s", keep(self._settings.data, self._trace.lines()))
        except OSError as error:
            LOG.error("the trace cannot be kept: %s", error.strerror)  # noqa: TRY400 - the defect has its own

    def _frame(self, direction: str, text: str) -> None:
        if self._panel:
            self._panel.frame(direction, text)

    def status(self) -> Mapping[str, Any]:
        """`GET /status`, see docs/api.md."""
        settings, status = self._settings, self._driver.station.status()
        for connector in status["connectors"]:
            wires = self._hardware.describe(connector["number"])
            connector |= {"ev": wires.get("ev"), "cable": wires.get("cable", connector["cable"])}
            connector |= {"meter": wires.get("meter", connector["meter"])}
        link = status["charts"].get("link", {"state": "", "path": []})
        registration = status["charts"].get("registration", {"state": ""})
        return {
            "id": settings.id,
            "vendor": settings.identity.vendor,
            "model": settings.identity.model,
            "version": __version__,
            "link": {"state": (link["path"] or [""])[0], "url": settings.central.url},
            "registration": registration["state"],
            **status,
        }

    def _diagram(self, name: str) -> str | None:
        if self._pictures is None:
            from charger.pictures import Pictures  # noqa: PLC0415 - not before somebody looks

            self._pictures = Pictures(self._checked.charts, self._checked.vocabulary, self._picture_folders())
        found: str | None = self._pictures.find(name)
        return found

    def _picture_folders(self) -> list[Path]:
        charts = self._settings.charts
        return [charts.parent / "diagrams", charts / "diagrams", shipped("diagrams")]


def simulated_hardware(
    settings: Settings, charts: ChartSet, register: Path, clock: Clock
) -> SimulatedHardware:
    """The world that station.yaml and index.yaml describe; `register` is the file of its meters."""
    world = settings.simulation
    return SimulatedHardware(
        settings.plans,
        power=world.power,
        contactor_delay=world.contactor_delay,
        lock_delay=world.lock_delay,
        car_delay=world.car_delay,
        plugged=world.plugged,
        register=register,
        clock=clock,
        inputs={pin.name: pin.scope for pin in charts.inputs.values()},
    )


def step_as_json(step: Step, time: str) -> dict[str, Any]:
    """A step as the page and `GET /events` have it."""
    return {
        "time": time,
        "event": step.event.name,
        "connector": step.event.connector,
        "moves": [
            {"chart": move.chart, "connector": move.number, "from": move.source, "to": move.target}
            for move in step.moves
            if move.source != move.target
        ],
        "commands": [repr(command) for command in step.commands],
    }
