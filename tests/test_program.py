"""The whole program as its users meet it: a process, a socket, a disk, a page."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from program import ROOT, Program, running


def test_a_session_by_plug_and_card(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(tmp_path) as station:
            await station.session("TAG")
            [start] = station.said("StartTransaction")
            assert (start["connectorId"], start["idTag"], start["meterStart"]) == (1, "TAG", 0)
            await station.status_until(lambda status: status["connectors"][0]["meter"]["energy_wh"] > 1)
            await station.swipe("TAG")
            await station.connector_until("Finishing")
            [stop] = await station.until(lambda: station.said("StopTransaction"))
            assert (stop["transactionId"], stop["reason"], stop["idTag"]) == (1, "Local", "TAG")
            assert stop["meterStop"] >= 1
            await station.act("unplug")
            await station.connector_until("Available")
            told = [n["status"] for n in station.said("StatusNotification") if n["connectorId"] == 1]
            assert told == ["Available", "Preparing", "Charging", "Finishing", "Available"]

    asyncio.run(story())


def test_a_session_by_remote_start(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(tmp_path) as station:
            assert await station.call("RemoteStartTransaction", idTag="REMOTE", connectorId=2) == {
                "status": "Accepted"
            }
            await station.connector_until("Preparing", 2)
            await station.act("plug", 2)
            charging = await station.connector_until("Charging", 2)
            assert charging["transaction"]["id_tag"] == "REMOTE"
            assert await station.call("RemoteStopTransaction", transactionId=1) == {"status": "Accepted"}
            await station.connector_until("Finishing", 2)
            [stop] = await station.until(lambda: station.said("StopTransaction"))
            assert stop["reason"] == "Remote"

    asyncio.run(story())


async def _in_preparing(station: Program) -> None:
    await station.act("plug")
    await station.connector_until("Preparing")


async def _in_charging(station: Program) -> None:
    await station.session()
    await station.until(lambda: station.said("StartTransaction"))


async def _in_finishing(station: Program) -> None:
    await _in_charging(station)
    await station.swipe("TAG")
    await station.connector_until("Finishing")
    await station.until(lambda: station.said("StopTransaction"))


async def _with_a_stop_queued(station: Program) -> None:
    """The Central System answers StopTransaction with an error, so it waits in the queue."""
    station.central.answers["StopTransaction"] = lambda _payload: _fail()
    await _in_charging(station)
    await station.swipe("TAG")
    await station.until(lambda: station.said("StopTransaction"))
    await station.status_until(lambda status: status["charts"]["delivery"]["state"] == "Waiting")
    station.central.answers["StopTransaction"] = lambda _payload: {}


def _fail() -> Any:
    from charger.central.demo import CallError

    raise CallError("InternalError")


KILLS = {
    "in Preparing": (_in_preparing, 0, None),
    "in Charging": (_in_charging, 1, "PowerLoss"),
    "with a StopTransaction queued": (_with_a_stop_queued, 1, "Local"),
    "in Finishing": (_in_finishing, 1, "Local"),
}


@pytest.mark.parametrize("moment", KILLS)
def test_kill_9_loses_nothing(tmp_path: Path, moment: str) -> None:
    """Each transaction is started once and stopped once, with the right reason, meter and id."""
    prepare, transactions, reason = KILLS[moment]

    async def story() -> None:
        async with running(tmp_path, configuration={"TransactionMessageRetryInterval": 600}) as station:
            await prepare(station)
            await station.kill()
            await station.start()
            await station.status_until(lambda status: status["queue"]["waiting"] == 0)
            assert len(station.said("StartTransaction")) == transactions
            stops = station.said("StopTransaction")
            truths = {json.dumps(stop, sort_keys=True) for stop in stops}
            assert len(truths) == transactions, stops
            if transactions:
                assert (stops[-1]["transactionId"], stops[-1]["reason"]) == (1, reason)
                [start] = station.said("StartTransaction")
                assert stops[-1]["meterStop"] >= start["meterStart"]
            status = await station.status()
            assert all(one["transaction"] is None for one in status["connectors"])
            assert status["connectors"][0]["contactor"] == "open"

    asyncio.run(story())


def test_a_reset_does_not_end_a_station_whose_charts_were_spoilt_meanwhile(tmp_path: Path) -> None:
    """A new program would refuse to start, and somebody would have to drive there."""
    charts = tmp_path / "charts"
    shutil.copytree(ROOT / "charts", charts)

    async def story() -> None:
        configuration = {"ResetRetries": 0}
        async with running(tmp_path, charts=str(charts), configuration=configuration) as station:
            lock = charts / "lock.yaml"
            right = lock.read_text()
            lock.write_text(right.replace("initial: Starting", "initial: Startin"))
            assert await station.call("Reset", type="Hard") == {"status": "Accepted"}
            notice = await station.until(
                lambda: [n for n in station.said("StatusNotification") if n["errorCode"] == "ResetFailure"]
            )
            assert (notice[0]["connectorId"], notice[0]["status"]) == (0, "Available")
            assert "lock.yaml:5" in notice[0]["info"]
            await station.session()
            lock.write_text(right)
            await station.call("Reset", type="Hard")
            await station.until(lambda: len(station.said("BootNotification")) == 2)
            [stop] = await station.until(lambda: station.said("StopTransaction"))
            assert stop["reason"] == "HardReset"

    asyncio.run(story())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_being_told_to_end_is_an_orderly_end(tmp_path: Path, number: signal.Signals) -> None:
    async def story() -> None:
        async with running(tmp_path) as station:
            await _in_charging(station)
            assert await station.kill(number) == 0
            await station.start()
            [stop] = await station.until(lambda: station.said("StopTransaction"))
            assert stop["reason"] == "Reboot"

    asyncio.run(story())


@pytest.mark.parametrize("kind", ["Soft", "Hard"])
def test_reset_starts_the_program_anew(tmp_path: Path, kind: str) -> None:
    async def story() -> None:
        async with running(tmp_path) as station:
            await _in_charging(station)
            assert await station.call("Reset", type=kind) == {"status": "Accepted"}
            await station.until(lambda: len(station.said("BootNotification")) == 2)
            [stop] = await station.until(lambda: station.said("StopTransaction"))
            assert stop["reason"] == f"{kind}Reset"
            await station.status_until(lambda status: status["registration"] == "Accepted")

    asyncio.run(story())


def test_a_corrupt_database_is_kept_aside_and_reported(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(tmp_path) as station:
            await station.kill()
            (tmp_path / "data" / "charger.db").write_bytes(b"no database at all" * 100)
            await station.start()
            await station.session()
            await station.kill()

    asyncio.run(story())
    assert list((tmp_path / "data").glob("charger.db.corrupt-*"))
    assert "corrupt" in (tmp_path / "output.txt").read_text()
    with sqlite3.connect(tmp_path / "data" / "charger.db") as database:
        assert database.execute("SELECT count(*) FROM fact").fetchone()[0] > 0
    database.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_stops_charging_safely_and_service_resumes(tmp_path: Path) -> None:
    """Nothing is acknowledged that is not stored."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)], check=True)

    async def story() -> None:
        async with running(tmp_path / "station", data=str(disk / "data")) as station:
            await _in_charging(station)
            filler = disk / "filler"
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(1024))
            await station.swipe("TAG")
            await station.connector_until("Faulted")
            status = await station.status_until(lambda status: status["connectors"][0]["contactor"] == "open")
            assert status["faults"] == [{"error_code": "InternalError", "info": "storage"}]
            assert not station.said("StopTransaction")
            filler.unlink()
            [stop] = await station.until(lambda: station.said("StopTransaction"))
            assert (stop["transactionId"], stop["reason"]) == (1, "Local")
            await station.connector_until("Preparing")

    try:
        asyncio.run(story())
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_second_station_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    async def story() -> str:
        async with running(tmp_path) as station:
            second = Program(tmp_path / "second", station.central, data=str(tmp_path / "data"))
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "charger", "run", str(second.file)),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            output, _ = await asyncio.wait_for(process.communicate(), 30)
            assert process.returncode == 1
            return output.decode()

    assert "another station" in asyncio.run(story())


def test_a_page_that_cannot_come_up_is_told(tmp_path: Path) -> None:
    """Without it nobody could use the station, and a test rig would wait for ever."""

    async def story() -> str:
        async with running(tmp_path) as station:
            second = Program(tmp_path / "second", station.central, panel=f"127.0.0.1:{station.port}")
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "charger", "run", str(second.file)),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            output, _ = await asyncio.wait_for(process.communicate(), 30)
            assert process.returncode == 2
            return output.decode()

    assert "port" in asyncio.run(story())


def test_hostile_frames_leave_the_link_up(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(tmp_path) as station:
            central = station.central
            for frame in (
                "{",
                "[]",
                "[9]",
                '[3,"nobody",{}]',
                '[2,"x","Nonsense",{}]',
                "[" * 3000,
                '"',
                "x" * 70_000,
            ):
                await central.send("CP001", frame)
            await central.stations["CP001"].connection.send(b"\x00\x01binary")
            assert (await station.call("ClearCache"))["status"] == "Accepted"
            assert len(station.said("BootNotification")) == 1
            assert (await station.status())["link"]["state"] == "Up"

    asyncio.run(story())


def test_a_chart_edit_changes_behaviour(tmp_path: Path) -> None:
    """README, "Change a behaviour": no card is asked for any more. No Python."""
    from charger.cli import run_command

    assert run_command(["init", str(tmp_path / "mine")]) == 0
    charts = tmp_path / "mine" / "charts"
    connector = (charts / "connector.yaml").read_text()
    old = "        tags: [free]\n        after: {ConnectionTimeOut: Released}\n"
    assert old in connector
    new = (
        old + "        always: {guard: FreeVending, target: Locking, actions: [session.open: {tag: FREE}]}\n"
    )
    (charts / "connector.yaml").write_text(connector.replace(old, new))
    index = (charts / "index.yaml").read_text()
    (charts / "index.yaml").write_text(index.replace("settings:\n", "settings:\n  FreeVending: true\n"))
    assert run_command(["check", str(charts)]) == 0

    async def story() -> None:
        async with running(tmp_path / "run", charts=str(charts)) as station:
            await station.act("plug")
            await station.connector_until("Charging")
            [start] = station.said("StartTransaction")
            assert start["idTag"] == "FREE"
            assert (await station.call("ChangeConfiguration", key="FreeVending", value="false"))[
                "status"
            ] == "Accepted"
            await station.act("plug", 2)
            await station.connector_until("Preparing", 2)

    asyncio.run(story())


def test_its_trace_is_replayed_bit_exactly_elsewhere(tmp_path: Path) -> None:
    """By another process: what a step gives depends on nothing but the trace."""

    async def story() -> None:
        async with running(tmp_path) as station:
            await station.session("TAG")
            await station.call("GetConfiguration")
            status, text = await station.http("GET", "/trace")
            assert status == 200
            (tmp_path / "trace.jsonl").write_bytes(text if isinstance(text, bytes) else text.encode())

    asyncio.run(story())
    replay = subprocess.run(
        [sys.executable, "-m", "charger", "replay", str(tmp_path / "trace.jsonl")],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert replay.stdout.splitlines()[-1].startswith("Bit-exact: "), replay.stdout + replay.stderr
    assert "calls StartTransaction" in replay.stdout
