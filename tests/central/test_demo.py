"""The demo Central System: with our own link as the charge point, and with a browser that is none."""

import asyncio
import base64
import json
import logging
import re
from contextlib import asynccontextmanager
from html.parser import HTMLParser

import pytest
from link_harness import PATIENCE, Mailbox, link_to, run, server_context
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from charger.central import demo as demo_module
from charger.central.demo import NO_ANSWER, CallError, DemoCentralSystem, serve
from charger.central.link import CentralLink
from charger.errors import UsageError
from charger.ports import Call, Connect, Disconnect, Reply, ReplyError

BOOT = {"chargePointVendor": "JS Tech", "chargePointModel": "IMKEV7"}
START = {"connectorId": 1, "idTag": "TAG1", "meterStart": 1000, "timestamp": "2026-01-01T00:00:00Z"}


class Station:
    """A charge point that does what the test says."""

    def __init__(self, link, mailbox):
        self.link = link
        self.mailbox = mailbox
        self._token = 0

    async def ask(self, action, payload, within=PATIENCE):
        self._token += 1
        self.link.perform(Call(token=self._token, action=action, payload=payload, timeout=within))
        fields = (await self.mailbox.expect("ocpp.answered")).fields
        assert fields["token"] == self._token
        return fields["outcome"], fields["payload"]


@asynccontextmanager
async def station(central, identity="CP001", **options):
    async with link_to(central.url, identity=identity, **options) as (link, mailbox):
        link.perform(Connect())
        await mailbox.expect("link.opened")
        await central.until(lambda: identity in central.stations)
        yield Station(link, mailbox)


def demo(**options):
    return DemoCentralSystem(port=0, **options)


# -- what it answers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "payload", "answer"),
    [
        ("BootNotification", BOOT, {"status": "Accepted", "interval": 300}),
        ("Authorize", {"idTag": "TAG1"}, {"idTagInfo": {"status": "Accepted"}}),
        ("Authorize", {"idTag": "bad1"}, {"idTagInfo": {"status": "Invalid"}}),
        ("Heartbeat", {}, {}),
        ("StartTransaction", START, {"transactionId": 1, "idTagInfo": {"status": "Accepted"}}),
        (
            "StartTransaction",
            {**START, "idTag": "BAD"},
            {"transactionId": 1, "idTagInfo": {"status": "Invalid"}},
        ),
        ("StopTransaction", {"transactionId": 9, "meterStop": 1, "timestamp": "now"}, {}),
        (
            "StopTransaction",
            {"transactionId": 9, "meterStop": 1, "timestamp": "now", "idTag": "T"},
            {"idTagInfo": {"status": "Accepted"}},
        ),
        ("StatusNotification", {"connectorId": 0, "errorCode": "NoError", "status": "Available"}, {}),
        (
            "MeterValues",
            {"connectorId": 1, "meterValue": [{"timestamp": "now", "sampledValue": [{"value": "1"}]}]},
            {},
        ),
        ("DataTransfer", {"vendorId": "x"}, {"status": "Accepted"}),
        ("DiagnosticsStatusNotification", {"status": "Idle"}, {}),
        ("FirmwareStatusNotification", {"status": "Idle"}, {}),
        ("SecurityEventNotification", {"type": "InvalidMessages", "timestamp": "now"}, {}),
        ("SignCertificate", {"csr": "x"}, {"status": "Accepted"}),
    ],
)
def test_it_says_yes_to_everything_in_valid_answers(action, payload, answer):
    async def scenario():
        async with demo() as central, station(central) as it:
            outcome, payload_back = await it.ask(action, payload)
            assert outcome == "result"
            payload_back.pop("currentTime", None)
            assert payload_back == answer

    run(scenario())


def test_transaction_ids_count_up():
    async def scenario():
        async with demo() as central, station(central) as it, station(central, "CP002") as other:
            ids = [
                (await each.ask("StartTransaction", START))[1]["transactionId"] for each in (it, other, it)
            ]
            assert ids == [1, 2, 3]

    run(scenario())


def test_interval_and_refused_tags_can_be_chosen():
    async def scenario():
        async with demo(interval=7, refused=lambda id_tag: id_tag == "NO") as central, station(central) as it:
            assert (await it.ask("BootNotification", BOOT))[1]["interval"] == 7
            assert (await it.ask("Authorize", {"idTag": "NO"}))[1] == {"idTagInfo": {"status": "Invalid"}}
            assert (await it.ask("Authorize", {"idTag": "BAD"}))[1] == {"idTagInfo": {"status": "Accepted"}}

    run(scenario())


def test_answers_can_be_replaced():
    async def scenario():
        async with demo() as central, station(central) as it:
            central.answers["Heartbeat"] = lambda _: {"currentTime": "then"}
            assert await it.ask("Heartbeat", {}) == ("result", {"currentTime": "then"})
            central.answers["Heartbeat"] = lambda _: CallError("InternalError", "sorry")
            assert await it.ask("Heartbeat", {}) == ("error", {})

            def refuse(payload):
                raise CallError("SecurityError", payload["idTag"])

            central.answers["Authorize"] = refuse
            assert await it.ask("Authorize", {"idTag": "x"}) == ("error", {})
            assert json.loads(central.conversation[-1].frame)[2:] == ["SecurityError", "x", {}]
            central.answers["Heartbeat"] = lambda _: NO_ANSWER
            assert await it.ask("Heartbeat", {}, within=0.05) == ("timeout", {})
            del central.answers["Heartbeat"]
            assert await it.ask("Heartbeat", {}) == ("error", {})
            assert json.loads(central.conversation[-1].frame)[2] == "NotImplemented"
            central.answers["StartTransaction"] = lambda _: {}
            assert await it.ask("StartTransaction", START) == ("error", {})
            assert not central.transactions

    run(scenario())


def test_bad_frames_are_answered_or_ignored():
    async def scenario():
        async with (
            demo() as central,
            connect(f"{central.url}/RAW", subprotocols=["ocpp1.6"]) as raw,
        ):
            for text in (
                "nonsense",
                b"binary",
                '[3,"never asked",{}]',
                '[4,"never asked","GenericError","",{}]',
            ):
                await raw.send(text)
            await raw.send('[2,"a","Reset",{"type":"Soft"}]')
            assert json.loads(await raw.recv())[:3] == [4, "a", "NotImplemented"]
            await raw.send('[2,"b","Heartbeat",{"x":1}]')
            assert json.loads(await raw.recv())[:3] == [4, "b", "FormationViolation"]
            assert [entry.direction for entry in central.conversation] == ["in"] * 4 + ["out", "in", "out"]

    run(scenario())


# -- what it asks ----------------------------------------------------------------------------------


async def answering(it, command):
    event = await it.mailbox.next()
    it.link.perform(command(event))
    return event


def test_it_asks_and_gets_answers():
    async def scenario():
        async with demo() as central, station(central) as it:
            asked = asyncio.create_task(central.call("CP001", "Reset", {"type": "Soft"}))
            event = await answering(it, lambda event: Reply(event.call, "Reset", {"status": "Accepted"}))
            assert (event.name, event.fields) == ("ocpp.Reset", {"type": "Soft"})
            assert await asked == {"status": "Accepted"}

            asked = asyncio.create_task(central.call("CP001", "ClearCache"))
            await answering(it, lambda event: ReplyError(event.call, "NotSupported", "no"))
            with pytest.raises(CallError, match="NotSupported no") as raised:
                await asked
            assert (raised.value.code, raised.value.description) == ("NotSupported", "no")

    run(scenario())


def test_it_asks_one_thing_at_a_time():
    async def scenario():
        async with demo() as central, station(central) as it:
            asked = [
                asyncio.create_task(central.call("CP001", "GetConfiguration", {"key": [k]})) for k in "ab"
            ]
            first = await it.mailbox.next()
            assert it.mailbox.rest() == []
            it.link.perform(Reply(first.call, "GetConfiguration", {}))
            second = await it.mailbox.next()
            it.link.perform(Reply(second.call, "GetConfiguration", {}))
            assert [first.fields, second.fields] == [{"key": ["a"]}, {"key": ["b"]}]
            assert await asyncio.gather(*asked) == [{}, {}]

    run(scenario())


def test_a_station_that_is_not_there_goes_away_or_says_nothing(monkeypatch):
    async def scenario():
        async with demo() as central:
            with pytest.raises(ConnectionError, match="CP001 is not connected"):
                await central.call("CP001", "ClearCache")
            async with station(central) as it:
                asked = [asyncio.create_task(central.call("CP001", "ClearCache")) for _ in range(2)]
                await it.mailbox.next()
                it.link.perform(Disconnect())
                for each in asked:
                    with pytest.raises(ConnectionError, match="CP001 has gone"):
                        await each
            async with station(central):
                monkeypatch.setattr(demo_module, "PATIENCE", 0.02)
                with pytest.raises(TimeoutError):
                    await central.call("CP001", "ClearCache")

    run(scenario())


def test_it_can_say_anything(caplog):
    async def scenario():
        async with demo() as central, station(central) as it:
            await central.send("CP001", "nonsense")
            await central.send("CP001", '[2,"x","ClearCache",{}]')
            assert (await it.mailbox.next()).call == "x"
            with pytest.raises(ConnectionError):
                await central.send("CP002", "nonsense")

    run(scenario())
    assert "ignored a frame" in caplog.text


# -- connections -----------------------------------------------------------------------------------


def test_stations_come_and_go():
    async def scenario():
        async with demo() as central:
            async with station(central, "RDAM 123"):
                assert list(central.stations) == ["RDAM 123"]
            await central.until(lambda: not central.stations)

    run(scenario())


def test_the_second_link_of_a_station_replaces_the_first():
    async def scenario():
        async with demo() as central, station(central) as old:
            before = central.stations["CP001"]
            async with station(central) as new:
                await central.until(lambda: central.stations["CP001"] is not before)
                await old.mailbox.expect("link.lost")
                assert (await new.ask("Heartbeat", {}))[0] == "result"
            await central.until(lambda: not central.stations)

    run(scenario())


def test_passwords_are_checked():
    async def scenario():
        async with demo(passwords={"CP001": "geheim", "CP002": b"\xff"}) as central:
            for identity, password, admitted in [
                ("CP001", "geheim", True),
                ("CP002", b"\xff", True),
                ("CP001", "Geheim", False),
                ("CP001", None, False),
                ("CP003", "geheim", False),
            ]:
                async with link_to(central.url, identity=identity, password=password) as (link, mailbox):
                    link.perform(Connect())
                    event = await mailbox.next()
                    assert event.name == ("link.opened" if admitted else "link.refused")
                    assert admitted or event.fields == {"reason": "HTTP 401 Unauthorized"}

    run(scenario())


def test_tls(certificates):
    async def scenario():
        async with demo(tls=server_context(certificates)) as central:
            assert central.url.startswith("wss://127.0.0.1:")
            assert central.page.startswith("https://127.0.0.1:")
            options = {"ca_file": certificates / "root.pem", "verify_hostname": False}
            async with station(central, **options) as it:
                assert (await it.ask("Heartbeat", {}))[0] == "result"

    run(scenario())


def test_without_the_subprotocol_the_link_is_closed():
    async def scenario():
        async with demo() as central:
            async with connect(f"{central.url}/CP001", subprotocols=["ocpp2.0.1"]) as raw:
                with pytest.raises(ConnectionClosed) as raised:
                    await raw.recv()
                assert raised.value.rcvd.code == 1002
            assert not central.stations

    run(scenario())


def test_a_browser_is_no_charge_point():
    async def scenario():
        async with demo() as central:
            with pytest.raises(InvalidStatus) as raised:
                await connect(f"{central.url}/CP001", subprotocols=["ocpp1.6"], origin="http://evil.example")
            assert raised.value.response.status_code == 403

    run(scenario())


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org", ""])
def test_it_listens_on_loopback_only(host):
    with pytest.raises(UsageError, match="loopback"):
        DemoCentralSystem(host=host)


def test_it_listens_on_ipv6_too():
    async def scenario():
        try:
            await (central := demo(host="::1")).start()
        except OSError:
            pytest.skip("no IPv6 here")
        async with station(central):
            assert re.fullmatch(r"ws://\[::1\]:\d+/ocpp", central.url)
        await central.stop()
        await central.stop()

    run(scenario())


# -- the record ------------------------------------------------------------------------------------


def test_the_conversation_is_recorded():
    async def scenario():
        heard = []
        async with demo() as central, station(central) as it:
            central.listeners.append(heard.append)
            await it.ask("BootNotification", BOOT)
            await it.ask("Authorize", {"idTag": "BAD"})
            asked = asyncio.create_task(central.call("CP001", "UnlockConnector", {"connectorId": 1}))
            await answering(it, lambda event: ReplyError(event.call, "NotSupported", "no lock"))
            with pytest.raises(CallError):
                await asked
            assert central.said("CP001", "BootNotification") == [BOOT]
            assert central.said("CP001", "UnlockConnector") == []
            assert central.said("CP002", "BootNotification") == []
        assert list(central.conversation) == heard
        assert [(entry.direction, entry.action) for entry in heard] == [
            ("in", "BootNotification"),
            ("out", "BootNotification"),
            ("in", "Authorize"),
            ("out", "Authorize"),
            ("out", "UnlockConnector"),
            ("in", "UnlockConnector"),
        ]
        assert all(entry.identity == "CP001" and entry.time > 1.7e9 for entry in heard)

    run(scenario())


@pytest.mark.parametrize(
    ("frame", "direction", "action", "line"),
    [
        ('[2,"a","Heartbeat",{}]', "in", "Heartbeat", "CP001 → Heartbeat {}"),
        ('[3,"a",{"x":"\\u00fc"}]', "out", "Heartbeat", 'CP001 ← Heartbeat answer {"x": "ü"}'),
        ('[4,"a","GenericError","no",{}]', "out", "", "CP001 ← ? error GenericError no"),
        ("\x1b[31m", "in", "", "CP001 → ? '\\x1b[31m'"),
        ("[7]", "in", "", "CP001 → ? '[7]'"),
        ("[" * 100_000, "in", "", f"CP001 → ? '{'[' * 200}'"),
    ],
)
def test_an_entry_is_one_line(frame, direction, action, line):
    text = str(demo_module.Entry(1_700_000_000.123, "CP001", direction, frame, action))
    assert re.fullmatch(r"\d\d:\d\d:20\.123", text[:12])
    assert text[13:] == line


def test_serve_prints_line_by_line():
    async def scenario():
        lines = []
        news = asyncio.Event()

        def print_line(line):
            lines.append(line)
            news.set()

        async def printed(count):
            async with asyncio.timeout(PATIENCE):
                while len(lines) < count:
                    news.clear()
                    await news.wait()

        task = asyncio.create_task(serve("127.0.0.1", 0, print_line))
        await printed(1)
        url = re.search(r"ws://127\.0\.0\.1:\d+/ocpp", lines[0])[0]
        assert f"page at http://{url[5:].removesuffix('/ocpp')}/" in lines[0]
        mailbox = Mailbox()
        link = CentralLink(url=url, identity="CP001", post=mailbox.post)
        link.perform(Connect())
        await mailbox.expect("link.opened")
        link.perform(Call(token=1, action="DataTransfer", payload={"vendorId": "x"}, timeout=PATIENCE))
        await mailbox.expect("ocpp.answered")
        await printed(3)
        assert lines[1].endswith('CP001 → DataTransfer {"vendorId": "x"}')
        assert lines[2].endswith('CP001 ← DataTransfer answer {"status": "Accepted"}')
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await mailbox.expect("link.lost")
        await link.close()

    run(scenario())


# -- the page --------------------------------------------------------------------------------------


async def get(port, path="/", host=None, **headers):
    """One plain HTTP request, as a browser sends it."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{port}'}", "Connection: keep-alive"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write("\r\n".join([*lines, "", ""]).encode())
    head, _, body = (await asyncio.wait_for(reader.read(), PATIENCE)).decode().partition("\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), head, body


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.outside = []
        self.ids = set()

    def handle_starttag(self, tag, attrs):
        self.outside += [value for name, value in attrs if name in {"src", "href", "action"}]
        self.ids |= {value for name, value in attrs if name == "id"}


def test_the_page_is_served_and_needs_nothing_from_elsewhere():
    async def scenario():
        async with demo() as central:
            status, head, body = await get(central.port)
            assert status == 200
            assert "Content-Type: text/html; charset=utf-8" in head
            assert head.count("Content-Type") == 1
            assert "default-src 'none'" in head
            page = Page()
            page.feed(body)
            assert page.outside == []
            assert set(re.findall(r'at\("(\w+)"\)', body)) <= page.ids  # every element the script asks for
            assert (await get(central.port, host=f"localhost:{central.port}"))[0] == 200

    run(scenario())


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [
        ("/", "evil.example", 403),
        ("/", "127.0.0.1", 403),
        ("/control", "evil.example", 403),
        ("/control", None, 403),
        ("/favicon.ico", None, 404),
        ("/ocpp", None, 404),
        ("/ocpp/", None, 404),
        ("/ocpp/CP001", None, 426),
        ("/../etc/passwd", None, 404),
    ],
)
def test_other_requests_are_turned_away(path, host, status):
    async def scenario():
        async with demo() as central:
            assert (await get(central.port, path, host))[0] == status

    logging.getLogger("websockets.server").setLevel(logging.CRITICAL)
    try:
        run(scenario())
    finally:
        logging.getLogger("websockets.server").setLevel(logging.NOTSET)


@asynccontextmanager
async def browser(central, origin=None):
    origin = origin or central.page.rstrip("/")
    url = central.url.removesuffix("/ocpp") + "/control"
    async with connect(url, subprotocols=["demo-control"], origin=origin) as page:
        yield page


async def told(page, condition):
    """The next message that fulfils the condition."""
    async with asyncio.timeout(PATIENCE):
        while not condition(message := json.loads(await page.recv())):
            pass
    return message


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:1", "null", "https://127.0.0.1"])
def test_a_foreign_page_cannot_drive_it(origin):
    async def scenario():
        async with demo() as central:
            with pytest.raises(InvalidStatus) as raised:
                async with browser(central, origin):
                    pass
            assert raised.value.response.status_code == 403

    run(scenario())


def test_the_page_sees_the_past_and_what_happens():
    async def scenario():
        async with demo() as central, station(central) as it:
            await it.ask("BootNotification", BOOT)
            async with browser(central) as page:
                first = json.loads(await page.recv())
                assert [line["in"] for line in first["lines"]] == [True, False]
                assert first["stations"] == [{"identity": "CP001", "boot": BOOT, "connectors": {}}]
                await it.ask(
                    "StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Charging"}
                )
                await it.ask("StartTransaction", START)
                picture = await told(page, lambda message: message["transactions"])
                assert picture["stations"][0]["connectors"] == {"1": "Charging"}
                assert picture["transactions"] == [
                    {"id": 1, "identity": "CP001", "connector": 1, "idTag": "TAG1", "energy": 0}
                ]
                for value, unit, energy in [
                    ("1500", "Wh", 500),
                    ("2.5", "kWh", 1500),
                    ("signed", "Wh", 1500),
                ]:
                    sample = {"value": value, "unit": unit}
                    await it.ask(
                        "MeterValues",
                        {
                            "connectorId": 1,
                            "transactionId": 1,
                            "meterValue": [{"timestamp": "now", "sampledValue": [sample]}],
                        },
                    )
                    assert central.transactions[1].energy == energy
                other = {"value": "16", "measurand": "Current.Import"}
                await it.ask(
                    "MeterValues",
                    {
                        "connectorId": 1,
                        "transactionId": 1,
                        "meterValue": [{"timestamp": "now", "sampledValue": [other]}],
                    },
                )
                await it.ask("StopTransaction", {"transactionId": 1, "meterStop": 2500, "timestamp": "now"})
                await told(page, lambda message: not message["transactions"])

    run(scenario())


def test_the_page_commands():
    async def scenario():
        async with demo() as central, station(central) as it, browser(central) as page:

            async def press(number, identity, action, payload):
                command = {"id": number, "identity": identity, "action": action, "payload": payload}
                await page.send(json.dumps(command))

            async def answer():
                return await told(page, lambda message: "stations" not in message)

            await press(1, "CP001", "RemoteStartTransaction", {"idTag": "TAG1", "connectorId": 1})
            await press(2, "CP009", "Reset", {"type": "Soft"})
            assert await answer() == {"id": 2, "error": "CP009 is not connected"}  # the first still waits
            event = await answering(
                it, lambda event: Reply(event.call, "RemoteStartTransaction", {"status": "Accepted"})
            )
            assert event.fields == {"idTag": "TAG1", "connectorId": 1}
            assert await answer() == {"id": 1, "payload": {"status": "Accepted"}}
            await press(3, "CP001", "Reset", {"type": "Cold"})
            await answering(it, lambda event: ReplyError(event.call, **event.fields))
            assert (await answer())["error"].startswith("PropertyConstraintViolation type: must be one of")
            for text in (
                "nonsense",
                "[" * 100_000,
                "{}",
                '{"id":"1","identity":"x","action":"x","payload":{}}',
            ):
                await page.send(text)
                assert await answer() == {"error": "a command has id, identity, action and payload"}
            await page.send('{"id":4,"identity":"CP001","action":"Reset","payload":{"x":NaN}}')
            assert "JSON" in (await answer())["error"]

    run(scenario())


def test_a_page_that_is_closed_leaves_nothing_behind():
    async def scenario():
        async with demo() as central, station(central) as it:
            async with browser(central) as page:
                command = {"id": 1, "identity": "CP001", "action": "ClearCache", "payload": {}}
                await page.send(json.dumps(command))
                await it.mailbox.expect("ocpp.ClearCache")
                page.transport.abort()
            while central._pages._open:
                await it.ask("Heartbeat", {})

    run(scenario())


def test_basic_header_of_the_check_is_the_one_of_rfc_7617():
    async def scenario():
        async with demo(passwords={"CP001": "pass"}) as central:
            header = {"Authorization": "Basic " + base64.b64encode(b"CP001:pass").decode()}
            async with connect(
                f"{central.url}/CP001?x=1", subprotocols=["ocpp1.6"], additional_headers=header
            ):
                await asyncio.wait_for(central.until(lambda: "CP001" in central.stations), PATIENCE)

    run(scenario())
