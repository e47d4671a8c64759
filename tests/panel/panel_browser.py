"""A real browser for a test: headless Chromium, spoken to over a pair of pipes.

``--dump-dom`` and ``--screenshot`` look at the page when it has loaded, which is before it knows anything,
and virtual time never passes while an event stream is open. Over the pipes a test waits for what it expects.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import sys
from contextlib import asynccontextmanager
from itertools import count
from tempfile import TemporaryDirectory

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)

# Chromium reads commands from descriptor 3 and writes answers to 4, whatever else may be there.
LAUNCH = """
import os, sys
from fcntl import F_DUPFD_CLOEXEC, fcntl
pipes = [fcntl(int(number), F_DUPFD_CLOEXEC, 10) for number in sys.argv[1:3]]
os.dup2(pipes[0], 3)
os.dup2(pipes[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Page:
    """One tab."""

    def __init__(self, reader, out):
        self._reader = reader
        self._out = out
        self._ids = count(1)
        self._session = None
        self.complaints = []

    async def command(self, method, **params):
        """Send one command and return its result; what the console says meanwhile is collected."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = json.loads((await self._reader.readuntil(b"\0"))[:-1])
            if answer.get("method") in {"Log.entryAdded", "Runtime.exceptionThrown"}:
                self.complaints.append(answer["params"])
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    async def open(self, url, width=1400, height=1000, *, dark=False):
        target = await self.command("Target.createTarget", url="about:blank")
        attached = await self.command("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        await self.command("Log.enable")
        await self.command("Runtime.enable")
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        await self.command("Emulation.setEmulatedMedia", features=scheme)
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        await self.command("Emulation.setDeviceMetricsOverride", **size)
        await self.command("Page.navigate", url=url)

    async def evaluate(self, expression):
        """Return the value of a JavaScript expression; waits for it when it is a promise."""
        answer = await self.command(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def until(self, condition):
        """Wait until a JavaScript expression is true: asked on every frame that the browser draws."""
        await self.evaluate(
            "new Promise(done => { const look = () => {"
            f" let ok = false; try {{ ok = {condition}; }} catch {{}}"
            " ok ? done(true) : requestAnimationFrame(look); }; look(); })"
        )

    async def screenshot(self, path):
        options = {"format": "png", "captureBeyondViewport": True}
        shot = await self.command("Page.captureScreenshot", **options)
        path.write_bytes(base64.b64decode(shot["data"]))


@asynccontextmanager
async def browser():
    """Start Chromium and yield a `Page`; ends it afterwards."""
    from_us, to_us = os.pipe(), os.pipe()
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", LAUNCH, str(from_us[0]), str(to_us[1])),
            *(CHROMIUM, *FLAGS, f"--user-data-dir={folder}"),
            pass_fds=(from_us[0], to_us[1]),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        os.close(from_us[0])
        os.close(to_us[1])
        reader = asyncio.StreamReader(limit=2**26)
        pipe = os.fdopen(to_us[0], "rb", buffering=0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        page = Page(reader, from_us[1])
        try:
            yield page
            page._session = None
            await page.command("Browser.close")
            await asyncio.wait_for(process.wait(), 10)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            transport.close()
            os.close(from_us[1])
