"""The way to the Central System, step by step, against a real one."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tls_kit import server_context

from charger.central.demo import DemoCentralSystem
from charger.doctor import link
from charger.doctor.check import Check
from charger.settings import CentralSettings


def looked_at(
    central: DemoCentralSystem, url: str | None = None, identity: str = "CP001", **more: Any
) -> list[Check]:
    """What is found while the Central System runs; nothing of it may be left connected."""

    async def story() -> list[Check]:
        async with central:
            settings = CentralSettings(url or central.url, **more)
            found = await asyncio.to_thread(link.check_link, settings, identity)
            async with asyncio.timeout(10):
                await central.until(lambda: not central.stations)
            assert not central.conversation  # nothing of OCPP was said
            return found

    return asyncio.run(story())


def verdicts(found: list[Check]) -> list[tuple[str, str]]:
    return [(check.verdict, check.fact.split(":")[0]) for check in found]


def test_a_central_system_that_takes_us() -> None:
    found = looked_at(DemoCentralSystem(port=0))
    assert verdicts(found) == [("ok", "TCP"), ("ok", "WebSocket")]
    assert found[1].fact.endswith("/ocpp/CP001 takes us, without a password")


def test_a_name_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    central = DemoCentralSystem(host="localhost", port=0)
    assert verdicts(looked_at(central))[0] == ("ok", "DNS")


def test_a_name_that_nobody_knows() -> None:
    [found] = link.check_link(CentralSettings("ws://nowhere.invalid/ocpp"), "CP001")
    assert (found.verdict, found.fact.startswith("DNS: nowhere.invalid: ")) == ("warn", True)


def test_a_port_that_nobody_listens_to() -> None:
    with socket.socket() as taken:  # bound, but it does not listen
        taken.bind(("127.0.0.1", 0))
        [found] = link.check_link(CentralSettings(f"ws://127.0.0.1:{taken.getsockname()[1]}/ocpp"), "CP001")
    assert found.verdict == "warn"
    assert found.fact.endswith(": Connection refused")


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: Any) -> None:
        raise TimeoutError

    monkeypatch.setattr("socket.create_connection", silent)
    [found] = link.check_link(CentralSettings("ws://192.0.2.1/ocpp"), "CP001")
    assert found.fact == "TCP: 192.0.2.1 port 80: no answer"


@pytest.mark.parametrize(("password", "verdict"), [("right", "ok"), ("wrong", "fail"), (None, "fail")])
def test_id_and_password_are_tried(password: str | None, verdict: str) -> None:
    found = looked_at(DemoCentralSystem(port=0, passwords={"CP001": "right"}), password=password)
    assert verdicts(found) == [("ok", "TCP"), (verdict, "WebSocket")]
    if verdict == "fail":
        assert "HTTP 401" in found[1].fact
        assert "/etc/charger/environment" in found[1].remedy


def test_a_path_that_is_wrong() -> None:
    central = DemoCentralSystem(port=0)

    async def story() -> list[Check]:
        async with central:
            settings = CentralSettings(central.url.replace("/ocpp", "/nothing"))
            return await asyncio.to_thread(link.check_link, settings, "CP001")

    found = asyncio.run(story())
    assert found[-1].verdict == "fail"
    assert "HTTP 404" in found[-1].fact
    assert "path of central.url" in found[-1].remedy


# -- TLS ---------------------------------------------------------------------------------------------------


def secured(folder: Path) -> DemoCentralSystem:
    return DemoCentralSystem(host="localhost", port=0, tls=server_context(folder))


def test_tls_with_the_right_root(certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = looked_at(secured(certificates), ca_file=certificates / "root.pem")
    assert verdicts(found) == [("ok", "DNS"), ("ok", "TCP"), ("warn", "TLS"), ("ok", "WebSocket")]
    assert found[2].fact == "TLS: TLSv1.3, certificate good for 2 days"
    monkeypatch.setattr(link, "SOON", 1)
    found = looked_at(secured(certificates), ca_file=certificates / "root.pem")
    assert {check.verdict for check in found} == {"ok"}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (lambda _folder: {}, "unable to get local issuer certificate"),
        (lambda folder: {"ca_file": folder / "server.key"}, "TLS: "),
    ],
)
def test_a_server_that_is_not_trusted(
    certificates: Path, more: Callable[[Path], dict[str, Any]], words: str
) -> None:
    found = looked_at(secured(certificates), **more(certificates))
    assert verdicts(found)[-1] == ("fail", "TLS")
    assert words in found[-1].fact


def test_no_tls_where_it_is_expected() -> None:
    async def story() -> list[Check]:
        async with DemoCentralSystem(port=0) as central:
            settings = CentralSettings(central.url.replace("ws:", "wss:"))
            return await asyncio.to_thread(link.check_link, settings, "CP001")

    found = asyncio.run(story())
    assert verdicts(found) == [("ok", "TCP"), ("fail", "TLS")]
