"""What the HTTP API answers, and what it makes of a body."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from panel_fake import SVG, FakeStation, address, ask, running

from charger.panel import acts, api


def asked(method, path, body=None, *, connectors=2, simulated=True, **headers):
    """Ask a fresh station one question; returns status, answer, and the acts that it led to."""

    async def main():
        station = FakeStation(connectors=connectors, simulated=simulated)
        async with running(station) as panel:
            status, _, answer = await ask(panel, method, path, body, **headers)
        return status, answer, station.acts

    return asyncio.run(main())


# -- what can be asked -----------------------------------------------------------------------------


def test_status_is_that_of_the_station_with_the_frames():
    async def main():
        station = FakeStation()
        async with running(station) as panel:
            panel.frame("out", '[2,"1","Heartbeat",{}]')
            status, headers, answer = await ask(panel, "GET", "/status")
            assert status == 200
            assert headers["content-type"] == "application/json"
            (frame,) = answer.pop("frames")
            assert (frame["direction"], frame["text"]) == ("out", '[2,"1","Heartbeat",{}]')
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", frame["time"])
            assert answer == {**station.state, "simulated": True}

    asyncio.run(main())


def test_the_trace_is_a_file_to_keep():
    async def main():
        async with running(FakeStation()) as panel:
            status, headers, text = await ask(panel, "GET", "/trace")
            assert (status, headers["content-type"]) == (200, "application/x-ndjson")
            assert re.fullmatch(
                r'attachment; filename="trace-\d{8}T\d{6}Z\.jsonl"', headers["content-disposition"]
            )
            assert text == b'{"trace":1}\n{"event":"x"}\n'

    asyncio.run(main())


def test_status_is_that_of_the_moment():
    async def main():
        station = FakeStation()
        async with running(station) as panel:
            station.state["display"] = "occupied"
            _, _, answer = await ask(panel, "GET", "/status")
            assert answer["display"] == "occupied"

    asyncio.run(main())


def test_only_the_last_frames_are_kept_and_long_ones_are_cut():
    async def main():
        async with running(FakeStation()) as panel:
            for number in range(60):
                panel.frame("in", f"frame {number}")
            panel.frame("in", "x" * 100_000)
            _, _, answer = await ask(panel, "GET", "/status")
            texts = [frame["text"] for frame in answer["frames"]]
            assert len(texts) == 50
            assert texts[:2] == ["frame 11", "frame 12"]
            assert len(texts[-1]) < 9000
            assert texts[-1].endswith("(100000 characters)")

    asyncio.run(main())


def test_the_password_that_the_central_system_sets_is_not_shown():
    async def main():
        async with running(FakeStation()) as panel:
            call = [2, "7", "ChangeConfiguration", {"key": "authorizationKey", "value": 'se"cret'}]
            panel.frame("in", json.dumps(call))
            _, _, answer = await ask(panel, "GET", "/status")
            shown = answer["frames"][0]["text"]
            assert "cret" not in shown
            assert json.loads(shown)[3] == {"key": "authorizationKey", "value": "***"}

    asyncio.run(main())


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
    ],
)
def test_the_page_comes_with_its_type_and_a_strict_policy(path, kind):
    async def main():
        async with running(FakeStation()) as panel:
            status, headers, content = await ask(panel, "GET", path)
            assert (status, headers["content-type"]) == (200, kind)
            assert len(content) > 1000
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"

    asyncio.run(main())


def test_nothing_on_the_page_comes_from_elsewhere():
    folder = Path(api.__file__).parent
    text = "".join((folder / name).read_text() for name in ("page.html", "page.css", "page.js"))
    assert not re.search(r"https?://|//[a-z]+\.|@import|innerHTML|outerHTML|insertAdjacentHTML|eval\(", text)
    assert not re.search(r"\s(style|on[a-z]+)=", (folder / "page.html").read_text())


def test_the_page_offers_every_fault():
    page = (Path(api.__file__).parent / "page.html").read_text()
    for select in re.findall(r'<select name="error_code".*?</select>', page, re.DOTALL):
        assert sorted(re.findall(r"<option>(\w+)", select)) == sorted(acts.FAULTS)


def test_a_picture_is_svg():
    async def main():
        async with running(FakeStation()) as panel:
            status, headers, content = await ask(panel, "GET", "/diagrams/connector.svg")
            assert (status, headers["content-type"], content.decode()) == (200, "image/svg+xml", SVG)

    asyncio.run(main())


@pytest.mark.parametrize("name", ["power", "..%2F..%2Fconnector", "..", "connector.svg", "a" * 65])
def test_no_picture_is_404(name):
    status, answer, _ = asked("GET", f"/diagrams/{name}.svg")
    assert status == 404
    assert list(answer) == ["error"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/healthz", 404),
        ("GET", "/status/", 404),
        ("POST", "/sim/connectors/1/dance", 404),
        ("POST", "/status", 405),
        ("GET", "/sim/connectors/1/plug", 405),
        ("DELETE", "/sim/connectors/1/plug", 405),
        ("GET", "/sim/connectors/1/fault", 405),
    ],
)
def test_what_does_not_exist_is_refused_in_json(method, path, status):
    found, answer, acts = asked(method, path)
    assert (found, list(answer), acts) == (status, ["error"], [])


def test_a_defect_of_the_station_is_500_and_logged(caplog):
    async def main():
        station = FakeStation()
        station.refusal = RuntimeError("a defect")
        async with running(station) as panel:
            status, _, answer = await ask(panel, "POST", "/sim/connectors/1/plug")
            assert (status, list(answer)) == (500, ["error"])
            assert "a defect" not in answer["error"]
            assert (await ask(panel, "GET", "/status"))[0] == 200

    asyncio.run(main())
    assert "a defect" in caplog.text


# -- what can be done to simulated hardware --------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "act"),
    [
        ("POST", "/sim/connectors/1/plug", None, ("plug", 1, {})),
        ("POST", "/sim/connectors/2/plug", {}, ("plug", 2, {})),
        ("POST", "/sim/connectors/2/unplug", None, ("unplug", 2, {})),
        ("POST", "/sim/connectors/1/ev", {"state": "ready"}, ("ev", 1, {"state": "ready"})),
        ("POST", "/sim/connectors/1/ev", {"state": "suspended"}, ("ev", 1, {"state": "suspended"})),
        ("POST", "/sim/connectors/1/lock", {"fail": True}, ("lock", 1, {"fail": True})),
        ("POST", "/sim/connectors/1/lock", {"fail": False}, ("lock", 1, {"fail": False})),
        (
            "POST",
            "/sim/connectors/1/fault",
            {"error_code": "GroundFailure", "info": "6 mA DC"},
            ("fault", 1, {"error_code": "GroundFailure", "info": "6 mA DC"}),
        ),
        (
            "POST",
            "/sim/connectors/0/fault",
            {"error_code": "OtherError"},
            ("fault", 0, {"error_code": "OtherError"}),
        ),
        ("DELETE", "/sim/connectors/1/fault", None, ("clear_fault", 1, {})),
        ("DELETE", "/sim/connectors/0/fault", None, ("clear_fault", 0, {})),
        ("POST", "/sim/swipe", {"id_tag": "CARD 1"}, ("swipe", None, {"id_tag": "CARD 1"})),
        ("POST", "/sim/swipe", {"id_tag": "ä" * 20, "connector": 2}, ("swipe", 2, {"id_tag": "ä" * 20})),
        ("POST", "/sim/swipe", {"id_tag": "<b>'\"&"}, ("swipe", None, {"id_tag": "<b>'\"&"})),
        ("POST", "/sim/input", {"name": "door", "on": True}, ("input", None, {"name": "door", "on": True})),
        (
            *("POST", "/sim/input", {"name": "button", "on": False, "connector": 2}),
            ("input", 2, {"name": "button", "on": False}),
        ),
        *(
            ("POST", f"/sim/connectors/1/{act}", body, (act, 1, body))
            for act, body in (
                ("residual_current", {"tripped": True}),
                ("residual_current", {"test_fails": False}),
                ("contactor", {"fails": "closed"}),
                ("contactor", {"fails": None}),
                ("current", {"percent": 112.5}),
                ("voltage", {"volts": None}),
                ("meter", {"silent": True}),
                ("pilot", {"wrong": "diode"}),
                ("cable", {"amps": 13}),
            )
        ),
        *(
            ("POST", f"/sim/{act}", body, (act, None, body))
            for act, body in (
                ("emergency", {"pressed": True}),
                ("door", {"open": False}),
                ("temperature", {"celsius": -5}),
                ("reader", {"dead": True}),
                ("hardware", {"info": "chip silent"}),
            )
        ),
        ("POST", "/sim/reader", {"dead": True, "connector": 2}, ("reader", 2, {"dead": True})),
    ],
)
def test_an_act_reaches_the_station(method, path, body, act):
    assert asked(method, path, body) == (200, {"ok": True}, [act])


# -- on every hardware -----------------------------------------------------------------------------


@pytest.mark.parametrize("simulated", [True, False])
@pytest.mark.parametrize(
    ("body", "place", "fields"),
    [
        (None, None, {}),
        ({"connector": 2}, 2, {}),
        ({"connector": 0, "error": "OtherError"}, 0, {"error": "OtherError"}),
    ],
)
def test_whoever_has_looked_at_it_says_so(body, place, fields, simulated):
    async def main():
        station = FakeStation(simulated=simulated)
        async with running(station) as panel:
            assert (await ask(panel, "POST", "/service/clear", body))[0] == 200
        assert [(event.name, event.connector, event.fields) for event in station.posted] == [
            ("service.cleared", place, fields)
        ]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({"connector": 3}, 404, "there is no connector 3"),
        ({"connector": "all"}, 400, "connector must be a whole number, 0 for the station"),
        ({"error": "NoError"}, 400, "error must be one of ConnectorLockFailure, "),
    ],
)
def test_what_cannot_be_cleared_is_refused_with_a_sentence(body, status, sentence):
    async def main():
        station = FakeStation()
        async with running(station) as panel:
            found, _, answer = await ask(panel, "POST", "/service/clear", body)
            assert (found, station.posted) == (status, [])
            assert sentence in answer["error"]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("act", "body", "sentence"),
    [
        ("ev", None, 'state is missing; it must be "ready" or "suspended"'),
        ("ev", {"state": "asleep"}, 'state must be "ready" or "suspended", not the text "asleep"'),
        ("ev", {"state": ["ready"]}, 'state must be "ready" or "suspended", not a list'),
        ("ev", {"state": "ready", "sate": 1}, 'unknown member "sate"; known are: state'),
        ("plug", {"connector": 1}, 'unknown member "connector"; none is needed here'),
        ("lock", {"fail": 1}, "fail must be true or false, not the number 1"),
        ("lock", {"fail": "true"}, 'fail must be true or false, not the text "true"'),
        ("fault", {"error_code": "NoError"}, 'not the text "NoError"'),
        (
            "fault",
            {"error_code": {}},
            "error_code must be one of ConnectorLockFailure, EVCommunicationError, ",
        ),
        ("fault", {"error_code": "OtherError", "info": None}, "at most 50 printable characters, not null"),
        (
            "fault",
            {"error_code": "OtherError", "info": "x" * 51},
            "at most 50 printable characters, not the text",
        ),
        ("contactor", {"fails": "half"}, 'fails must be "open", "closed" or null, not the text "half"'),
        ("voltage", {"volts": 501}, "volts must be a number from 0 to 500, or null, not the number 501"),
        ("current", {"percent": True}, "percent must be a number from 0 to 1000, or null"),
        (
            "pilot",
            {"wrong": "bent"},
            "wrong must be one of cable, diode, short, silent, ventilation, or null",
        ),
        ("plug", [], "the body must be a JSON object, not a list"),
        ("plug", b"null", "the body must be a JSON object, not null"),
        ("ev", b'{"state": ready}', "the body is not JSON: line 1 column 11"),
        ("ev", b"\xff\xfe", "the body is not UTF-8"),
        ("plug", b"[" * 50_000, "the body is JSON of a size or depth that nobody needs"),
        ("plug", b"1" * 5_000, "the body is JSON of a size or depth that nobody needs"),
    ],
)
def test_a_bad_body_is_refused_with_a_sentence(act, body, sentence):
    status, answer, acts = asked("POST", f"/sim/connectors/1/{act}", body)
    assert (status, acts) == (400, [])
    assert sentence in answer["error"]


@pytest.mark.parametrize(
    "id_tag", ["", "x" * 21, 4711, True, None, "a\nb", "a\x00b", "\ud800", ["x"], {"id": "x"}, "x" * 60_000]
)
def test_an_id_tag_is_1_to_20_printable_characters(id_tag):
    status, answer, acts = asked("POST", "/sim/swipe", {"id_tag": id_tag})
    assert (status, acts) == (400, [])
    assert answer["error"].startswith("id_tag must be a text of 1 to 20 printable characters, not ")
    assert len(answer["error"]) < 200


@pytest.mark.parametrize("connector", ["1", 1.0, True, [1]])
def test_the_connector_of_a_swipe_is_a_whole_number(connector):
    status, answer, acts = asked("POST", "/sim/swipe", {"id_tag": "CARD", "connector": connector})
    assert (status, acts) == (400, [])
    assert answer["error"].startswith("connector must be a whole number, not ")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/sim/connectors/3/plug", None),
        ("POST", "/sim/connectors/0/plug", None),
        ("POST", "/sim/connectors/one/plug", None),
        ("POST", "/sim/connectors/-1/unplug", None),
        ("POST", "/sim/connectors/%D9%A1/plug", None),  # a digit, but none of ours
        ("POST", "/sim/connectors/99999999999999999999/ev", {"state": "ready"}),
        ("DELETE", "/sim/connectors/3/fault", None),
        ("POST", "/sim/swipe", {"id_tag": "CARD", "connector": 3}),
        ("POST", "/sim/swipe", {"id_tag": "CARD", "connector": 0}),
    ],
)
def test_an_unknown_connector_is_404_and_told_how_many_there_are(method, path, body):
    status, answer, acts = asked(method, path, body)
    assert (status, acts) == (404, [])
    assert answer["error"].endswith("; this station has 2 connectors, numbered from 1")


def test_a_single_connector_is_named():
    _, answer, _ = asked("POST", "/sim/connectors/2/plug", connectors=1)
    assert answer["error"] == "there is no connector 2; this station has 1 connector, number 1"


def test_what_the_simulation_cannot_do_is_refused_with_its_sentence():
    async def main():
        station = FakeStation()
        station.refusal = ValueError("there is no cable to unplug at connector 1")
        async with running(station) as panel:
            status, _, answer = await ask(panel, "POST", "/sim/connectors/1/unplug")
            assert (status, answer) == (400, {"error": "there is no cable to unplug at connector 1"})

    asyncio.run(main())


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_more_than_64_kib_is_refused(chunked):
    body = b'{"id_tag": "CARD"' + b" " * (64 * 1024) + b"}"
    headers = {"Transfer_Encoding": "chunked"} if chunked else {}
    content = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    status, answer, acts = asked("POST", "/sim/swipe", content, **headers)
    assert (status, answer, acts) == (400, {"error": "the body is longer than 64 KiB"}, [])


def test_a_body_of_64_kib_is_read():
    body = b'{"id_tag": "CARD"}'.ljust(64 * 1024)
    assert asked("POST", "/sim/swipe", body)[0] == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/sim/connectors/1/plug"),
        ("POST", "/sim/swipe"),
        ("DELETE", "/sim/connectors/1/fault"),
        ("POST", "/sim/connectors/9/plug"),
    ],
)
def test_with_real_hardware_there_is_nothing_to_simulate(method, path):
    status, answer, acts = asked(method, path, {"id_tag": "CARD"}, simulated=False)
    assert (status, acts) == (404, [])
    assert answer == {"error": f"there is nothing at {path}"}


def test_acts_take_effect_in_the_order_in_which_they_are_posted():
    async def main():
        station = FakeStation()
        async with running(station) as panel:
            host, port = address(panel)
            reader, writer = await asyncio.open_connection(host, port)
            acts = ["plug", "unplug", "unplug", "plug", "plug"] * 10
            for act in acts:
                writer.write(f"POST /sim/connectors/1/{act} HTTP/1.1\r\nHost: {host}:{port}\r\n".encode())
                writer.write(b"Content-Length: 2\r\n\r\n{}")
            for _ in acts:
                await asyncio.wait_for(reader.readuntil(b'{"ok":true}'), 10)
            writer.close()
            await writer.wait_closed()
            assert [act for act, _, _ in station.acts] == acts

    asyncio.run(main())
