"""A station as the panel sees one, without anything behind it: status, pictures, and a list of acts."""

from __future__ import annotations

import asyncio
import http.client
import json
from contextlib import asynccontextmanager
from copy import deepcopy

from charger.panel.server import Panel, PanelSource

SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="300pt" height="90pt" viewBox="0 0 300 90">
<g id="graph0" class="graph">
<g id="state-Charging" class="cluster"><path d="M110,5H290V85H110z" fill="#fafafa" stroke="#888"/></g>
<g id="state-Available" class="node"><path d="M10,30H90V60H10z" fill="#d5f0d5" stroke="black"/>
<text x="50" y="48" text-anchor="middle" font-size="12">Available</text></g>
<g id="state-Energised" class="node"><path d="M140,30H240V60H140z" fill="#cfe2ff" stroke="black"/>
<text x="190" y="48" text-anchor="middle" font-size="12">Energised</text></g>
</g></svg>"""

AVAILABLE = {
    "number": 1,
    "status": "Available",
    "charts": {
        "connector": {"state": "Available", "path": ["Available"]},
        "power": {"state": "Open", "path": ["Open"]},
        "lock": {"state": "Released", "path": ["Released"]},
    },
    "transaction": None,
    "meter": {"energy_wh": 1234.5, "power_w": 0.0},
    "cable": {"present": False, "fixed": False},
    "ev": None,
    "contactor": "open",
    "lock": "released",
    "light": "green",
    "interlocks": {"emergency stop": True, "residual current": True},
    "offer_amps": None,
    "faults": [],
}

CHARGING = {
    "number": 1,
    "status": "Charging",
    "charts": {
        "connector": {"state": "Energised", "path": ["Charging", "Energised"]},
        "power": {"state": "Closed", "path": ["Closed"]},
        "lock": {"state": "Engaged", "path": ["Engaged"]},
    },
    "transaction": {
        "id": 12,
        "id_tag": "CARD-4711",
        "started": "2026-11-22T11:18:00.000Z",
        "meter_start_wh": 1234,
        "energy_wh": 5180,
    },
    "meter": {"energy_wh": 6414.5, "power_w": 7400.0},
    "cable": {"present": True, "fixed": False},
    "ev": "ready",
    "contactor": "closed",
    "lock": "engaged",
    "light": "blue breathing",
    "interlocks": {"emergency stop": True, "residual current": True},
    "offer_amps": 32.0,
    "faults": [],
}


class FakeStation:
    """Remembers what it was told to do; its status is whatever a test writes into it."""

    def __init__(self, *, connectors=2, simulated=True):
        self.acts = []
        self.refusal = None
        self.simulated = simulated
        self.acted = asyncio.Event()
        self.posted = []
        self.state = {
            "id": "CP001",
            "vendor": "JS Tech",
            "model": "IMKEV7",
            "version": "0.1.0",
            "time": "2026-11-22T12:00:00.000Z",
            "link": {"state": "Up", "url": "ws://127.0.0.1:9000/ocpp/CP001"},
            "registration": "Accepted",
            "charts": {
                "link": {"state": "Up", "path": ["Up"]},
                "registration": {"state": "Accepted", "path": ["Accepted"]},
            },
            "status": "Available",
            "faults": [],
            "queue": {"waiting": 0, "transmissions": 0},
            "display": "Plug in or show your card",
            "connectors": [deepcopy(AVAILABLE) | {"number": n} for n in range(1, connectors + 1)],
        }

    def status(self):
        return self.state

    def diagram(self, name):
        return SVG if name == "connector" else None

    def simulate(self, act, connector, body):
        if self.refusal is not None:
            raise self.refusal
        self.acts.append((act, connector, body))
        self.acted.set()

    def source(self):
        return PanelSource(
            status=self.status,
            diagram=self.diagram,
            post=self.posted.append,
            simulated=self.simulated,
            connectors=len(self.state["connectors"]),
            simulate=self.simulate if self.simulated else None,
            trace=lambda: iter(['{"trace":1}\n', '{"event":"x"}\n']),
        )


@asynccontextmanager
async def running(station, **options):
    """Serve a station on a free port of the loopback; afterwards no task may be left."""
    panel = Panel(station.source(), **{"host": "127.0.0.1", "port": 0, **options})
    before = asyncio.all_tasks()
    await panel.start()
    try:
        yield panel
    finally:
        await asyncio.wait_for(panel.close(), 10)
        assert asyncio.all_tasks() <= before


async def ask(panel, method, path, body=None, **headers):
    """Send one request with a plain client; returns status, headers and body, decoded when it is JSON."""

    def talk():
        connection = http.client.HTTPConnection(*address(panel), timeout=10)
        try:
            payload = body if body is None or isinstance(body, bytes) else json.dumps(body)
            connection.request(method, path, payload, {k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    status, fields, content = await asyncio.to_thread(talk)
    if fields["content-type"] == "application/json" and content:
        content = json.loads(content)
    return status, fields, content


def address(panel):
    host, port = panel.url.removeprefix("http://").strip("/").rsplit(":", 1)
    return host, int(port)


class Stream:
    """The event stream as a client sees it."""

    def __init__(self, reader):
        self._reader = reader

    async def block(self):
        """Return the next block of lines; empty when the stream has ended."""
        try:
            found = await asyncio.wait_for(self._reader.readuntil(b"\n\n"), 10)
        except asyncio.IncompleteReadError as error:
            found = error.partial
        return found.decode().strip()

    async def event(self):
        """Return name and data of the next event, past comments and settings."""
        while not (block := await self.block()).startswith("event: "):
            assert block
        name, data = block.split("\n")
        return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


@asynccontextmanager
async def listening(panel):
    """Open /events; what is published from here on arrives."""
    reader, writer = await asyncio.open_connection(*address(panel))
    host, port = address(panel)
    try:
        # HTTP/1.0, so that the blocks are not wrapped in chunks.
        writer.write(f"GET /events HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n".encode())
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode()
        assert head.startswith("HTTP/1.1 200 ")
        assert "content-type: text/event-stream" in head
        yield Stream(reader)
    finally:
        writer.close()
        await writer.wait_closed()
