"""`charger clear`: talks to a station that runs."""

import asyncio
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent / "panel"))
from panel_fake import FakeStation, address, running

from charger.cli import run_command

STATION = "id: CP1\nvendor: V\nmodel: M\ncentral: {{url: 'ws://127.0.0.1:9/'}}\ndata: ./data\nhardware: simulated\n{}\n"


@pytest.fixture
def clear(tmp_path, capsys):
    """Run the command against a fake station; gives exit code, what was printed, and what the station heard."""

    def run(*words, panel=None, token=None):
        async def main():
            station = FakeStation()
            async with running(station, token=token) as served:
                place = panel or "{}:{}".format(*address(served))
                file = tmp_path / "station.yaml"
                file.write_text(STATION.format(f"panel: {place}"))
                code = await asyncio.to_thread(run_command, ["clear", str(file), *words])
            return code, "".join(capsys.readouterr()), [(e.connector, dict(e.fields)) for e in station.posted]

        return asyncio.run(main())

    return run


@pytest.mark.parametrize(
    ("words", "heard", "said"),
    [
        ((), (None, {}), "cleared: every latched fault of the station and every connector"),
        (("--connector", "0"), (0, {}), "cleared: every latched fault of the station\n"),
        (
            ("PowerSwitchFailure", "--connector", "2"),
            (2, {"error": "PowerSwitchFailure"}),
            "cleared: PowerSwitchFailure of connector 2\n",
        ),
    ],
)
def test_the_station_hears_what_was_looked_at(clear, words, heard, said):
    code, printed, events = clear(*words)
    assert (code, events) == (0, [heard])
    assert printed.startswith(said)


def test_the_token_is_that_of_the_station(clear, monkeypatch):
    monkeypatch.setenv("CHARGER_PANEL_TOKEN", "secret")
    assert clear(token="secret")[0] == 0
    assert "the station refuses: a token is needed" in clear(token="another")[1]


@pytest.mark.parametrize(
    ("words", "panel", "said"),
    [
        (("Welded",), None, "the station refuses: error must be one of ConnectorLockFailure, "),
        (("--connector", "9"), None, "the station refuses: there is no connector 9"),
        ((), "off", "has `panel: off`: nobody can talk to the station"),
        ((), "127.0.0.1:0", "has `panel: 127.0.0.1:0`: nobody can talk to the station"),
        ((), "127.0.0.1:1", "nobody answers at http://127.0.0.1:1/"),
    ],
)
def test_what_went_wrong_is_said(clear, words, panel, said):
    code, printed, events = clear(*words, panel=panel)
    assert (code, events) == (2, [])
    assert said in printed


def test_another_program_at_that_port_is_no_station(tmp_path, capsys):
    async def other(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nConnection: close\r\n\r\nnope\n")
        await writer.drain()
        writer.close()

    async def main():
        server = await asyncio.start_server(other, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        file = tmp_path / "station.yaml"
        file.write_text(STATION.format(f"panel: 127.0.0.1:{port}"))
        async with server:
            return await asyncio.to_thread(run_command, ["clear", str(file)])

    assert asyncio.run(main()) == 2
    assert "HTTP status 404; is this another program?" in capsys.readouterr().err
