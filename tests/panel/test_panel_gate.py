"""Who may talk to the panel."""

from __future__ import annotations

import asyncio

import pytest
from panel_fake import FakeStation, address, ask, running

from charger.errors import UsageError
from charger.panel.gate import is_loopback, names_us
from charger.panel.server import Panel

TOKEN = "correct horse; battery=stäple"


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]", "LOCALHOST"])
def test_our_own_names_pass(name):
    async def main():
        async with running(FakeStation()) as panel:
            _, port = address(panel)
            assert (await ask(panel, "GET", "/status", Host=f"{name}:{port}"))[0] == 200

    asyncio.run(main())


@pytest.mark.parametrize(
    "host", ["evil.example:{}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:{}", "", ":{}"]
)
def test_another_host_is_refused_whatever_is_asked(host):
    async def main():
        station = FakeStation()
        async with running(station) as panel:
            _, port = address(panel)
            for method, path in [
                ("GET", "/"),
                ("GET", "/status"),
                ("POST", "/sim/connectors/1/plug"),
                ("GET", "/no"),
            ]:
                status, headers, answer = await ask(panel, method, path, Host=host.format(port))
                assert (status, list(answer)) == (403, ["error"])
                assert "default-src 'none'" in headers["content-security-policy"]
        assert station.acts == []

    asyncio.run(main())


@pytest.mark.parametrize(
    ("header", "bound", "port", "ours"),
    [
        ("192.168.1.5:8016", "192.168.1.5", 8016, True),
        ("192.168.1.6:8016", "192.168.1.5", 8016, False),
        ("localhost:8016", "192.168.1.5", 8016, False),
        ("charger.lan:8016", "charger.lan", 8016, True),
        ("CHARGER.lan", "charger.lan", 80, True),
        ("charger.lan", "charger.lan", 8016, False),
        ("10.0.0.7:8016", "0.0.0.0", 8016, True),
        ("[fd00::7]:8016", "::", 8016, True),
        ("evil.example:8016", "0.0.0.0", 8016, False),
        ("evil.example:8016", "::", 8016, False),
        ("[::1]:8016", "::1", 8016, True),
        ("127.0.0.2:8016", "127.0.0.2", 8016, True),
        ("a:b:8016", "127.0.0.1", 8016, False),
        ("localhost:80a", "127.0.0.1", 80, False),
    ],
)
def test_host_header_names_the_bound_address(header, bound, port, ours):
    assert names_us(header, bound, port) is ours


def test_on_every_address_the_name_of_the_machine_will_do(monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "Wallbox")
    assert names_us("wallbox:8016", "0.0.0.0", 8016)
    assert names_us("wallbox.local:8016", "0.0.0.0", 8016)
    assert not names_us("other:8016", "0.0.0.0", 8016)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_is_what_only_this_machine_reaches(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "wallbox", "localhost.evil.example"])
def test_everything_else_others_may_reach(host):
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1", "https://127.0.0.1:{}", "http://localhost:{}", ""],
)
def test_the_pages_of_other_sites_may_not_act(origin):
    async def main():
        station = FakeStation()
        async with running(station) as panel:
            _, port = address(panel)
            foreign = origin.format(port)
            for method, path in [
                ("POST", "/sim/connectors/1/plug"),
                ("DELETE", "/sim/connectors/1/fault"),
                ("GET", "/events"),
            ]:
                status, _, answer = await ask(panel, method, path, Origin=foreign)
                assert (status, list(answer)) == (403, ["error"])
        assert station.acts == []

    asyncio.run(main())


def test_our_own_page_may_act():
    async def main():
        station = FakeStation()
        async with running(station) as panel:
            host, port = address(panel)
            assert (await ask(panel, "POST", "/sim/connectors/1/plug", Origin=f"http://{host}:{port}"))[
                0
            ] == 200
            named = {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"}
            assert (await ask(panel, "POST", "/sim/connectors/1/plug", **named))[0] == 200
        assert len(station.acts) == 2

    asyncio.run(main())


# -- the token -------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "wallbox.example"])
@pytest.mark.parametrize("token", [None, ""])
def test_off_the_loopback_it_does_not_start_without_a_token(host, token):
    async def main():
        panel = Panel(FakeStation().source(), host=host, port=0, token=token)
        with pytest.raises(UsageError, match="a token is needed"):
            await panel.start()
        await panel.close()

    asyncio.run(main())


def test_with_a_token_nothing_is_told_without_it():
    async def main():
        station = FakeStation()
        async with running(station, token=TOKEN) as panel:
            for method, path in [
                ("GET", "/"),
                ("GET", "/page.js"),
                ("GET", "/status"),
                ("GET", "/events"),
                ("POST", "/sim/swipe"),
            ]:
                status, headers, answer = await ask(panel, method, path)
                assert (status, headers["www-authenticate"]) == (401, "Bearer")
                assert "token" in answer["error"]
        assert station.acts == []

    asyncio.run(main())


def test_a_bearer_token_opens_everything():
    async def main():
        station = FakeStation()
        async with running(station, token=TOKEN) as panel:
            bearer = f"Bearer {TOKEN}".encode()
            assert (await ask(panel, "GET", "/status", Authorization=bearer))[0] == 200
            assert (await ask(panel, "POST", "/sim/connectors/1/plug", Authorization=bearer))[0] == 200
        assert len(station.acts) == 1

    asyncio.run(main())


@pytest.mark.parametrize("wrong", ["Bearer nonsense", "Bearer ", "Basic correct", "correct", "Bearer \xfc"])
def test_another_token_opens_nothing(wrong):
    async def main():
        async with running(FakeStation(), token="correct") as panel:
            assert (await ask(panel, "GET", "/status", Authorization=wrong))[0] == 401
            assert (await ask(panel, "GET", "/?token=nonsense"))[0] == 401
            assert (await ask(panel, "GET", "/?token=%FF"))[0] == 401
            _, port = address(panel)
            assert (await ask(panel, "GET", "/status", Cookie=f"charger_{port}=nonsense"))[0] == 401

    asyncio.run(main())


def test_the_address_of_the_page_may_carry_the_token_once():
    async def main():
        async with running(FakeStation(), token=TOKEN) as panel:
            query = "token=correct+horse%3B+battery%3Dst%C3%A4ple"
            assert (await ask(panel, "GET", f"/status?{query}"))[0] == 401
            status, headers, _ = await ask(panel, "GET", f"/?{query}")
            assert status == 200
            cookie, *rules = headers["set-cookie"].split("; ")
            assert rules == ["Path=/", "HttpOnly", "SameSite=Strict"]
            assert (await ask(panel, "GET", "/status", Cookie=f"other=1; {cookie}"))[0] == 200
            assert (await ask(panel, "POST", "/sim/connectors/1/plug", Cookie=cookie))[0] == 200
            foreign = {"Cookie": cookie, "Origin": "http://evil.example"}
            assert (await ask(panel, "POST", "/sim/connectors/1/plug", **foreign))[0] == 403

    asyncio.run(main())
