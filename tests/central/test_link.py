"""The link against a real WebSocket server on the loopback interface."""

import asyncio
import base64
import hashlib
import json
import logging
import socket
import ssl
import time
from dataclasses import replace
from itertools import pairwise

import pytest
from link_harness import NOW, PATIENCE, heartbeat, link_to, linked, peer, run, server_context, tcp

from charger.central import link as link_module
from charger.central.link import MAX_OVERDUE, CentralLink
from charger.ports import Call, Connect, Disconnect, Ping, Reply, ReplyError
from charger.statechart.event import Event


def answered(token, outcome, payload=None):
    return Event("ocpp.answered", fields={"token": token, "outcome": outcome, "payload": payload or {}})


# -- connecting ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "identity", "path"),
    [
        ("/ocpp", "CP001", "/ocpp/CP001"),
        ("/ocpp/", "CP001", "/ocpp/CP001"),
        ("", "RDAM 123", "/RDAM%20123"),
        ("/a/b", "x/y%20?#ü", "/a/b/x%2Fy%2520%3F%23%C3%BC"),
    ],
)
def test_the_identity_is_appended_encoded_once(endpoint, identity, path):
    async def scenario():
        async with (
            peer() as it,
            link_to(f"ws://127.0.0.1:{it.port}{endpoint}", identity=identity) as (link, mailbox),
        ):
            link.perform(Connect())
            await mailbox.expect("link.opened")
            request = (await it.connections.get()).request
            assert request.path == path
            assert request.headers["Sec-WebSocket-Protocol"] == "ocpp1.6"
            assert "Authorization" not in request.headers
            assert "Sec-WebSocket-Extensions" not in request.headers

    run(scenario())


@pytest.mark.parametrize(
    ("password", "sent"),
    [
        ("secret", b"CP 1:secret"),
        ("schlüssel:", "CP 1:schlüssel:".encode()),
        (b"\x00\xff:\n", b"CP 1:\x00\xff:\n"),
        ("", b"CP 1:"),
    ],
)
def test_basic_authentication_is_sent_without_being_asked(password, sent):
    async def scenario():
        async with peer() as it, link_to(it.url, identity="CP 1", password=password) as (link, mailbox):
            link.perform(Connect())
            await mailbox.expect("link.opened")
            header = (await it.connections.get()).request.headers["Authorization"]
            assert header == "Basic " + base64.b64encode(sent).decode()

    run(scenario())


def test_a_new_password_counts_from_the_next_connect():
    async def scenario():
        async with peer() as it, link_to(it.url, password="old") as (link, mailbox):
            for password in ("old", "new"):
                link.password = password
                link.perform(Connect())
                await mailbox.expect("link.opened")
                header = (await it.connections.get()).request.headers["Authorization"]
                assert base64.b64decode(header[6:]) == b"CP001:" + password.encode()
                link.perform(Disconnect())
                await mailbox.expect("link.lost")

    run(scenario())


def test_connect_does_nothing_when_open_or_opening():
    async def scenario():
        async with peer() as it, link_to(it.url) as (link, mailbox):
            link.perform(Connect())
            link.perform(Connect())
            await mailbox.expect("link.opened")
            link.perform(Connect())
            link.perform(heartbeat(1))
            await it.heard()
            assert it.opened == 1
            assert mailbox.rest() == []

    run(scenario())


def refuse(status):
    return lambda connection, _: connection.respond(status, "no")


@pytest.mark.parametrize(("status", "reason"), [(401, "HTTP 401 Unauthorized"), (404, "HTTP 404 Not Found")])
def test_a_refused_upgrade_says_why_and_may_be_tried_again(status, reason):
    async def scenario():
        async with peer(process_request=refuse(status)) as it, link_to(it.url) as (link, mailbox):
            for _ in range(2):
                link.perform(Connect())
                assert (await mailbox.expect("link.refused")).fields == {"reason": reason}

    run(scenario())


def test_a_server_that_does_not_speak_ocpp_is_left():
    async def scenario():
        async with peer(subprotocols=None) as it, link_to(it.url) as (link, mailbox):
            link.perform(Connect())
            refused = await mailbox.expect("link.refused")
            assert refused.fields == {"reason": "the server does not speak ocpp1.6"}
            await (await it.connections.get()).wait_closed()
            link.perform(heartbeat(1))
            assert await mailbox.next() == answered(1, "offline")

    run(scenario())


def test_a_server_that_picks_what_was_not_offered_is_left():
    async def scenario():
        async with (
            peer(subprotocols=None, select_subprotocol=lambda *_: "ocpp2.0.1") as it,
            link_to(it.url) as (link, mailbox),
        ):
            link.perform(Connect())
            assert "ocpp2.0.1" in (await mailbox.expect("link.refused")).fields["reason"]

    run(scenario())


def test_nobody_listens():
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]

        async def scenario():
            async with link_to(f"ws://127.0.0.1:{port}") as (link, mailbox):
                link.perform(Connect())
                refused = await mailbox.expect("link.refused")
                assert refused.fields == {"reason": "Connection refused"}

        run(scenario())


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "DNS: Name or service not known"),
        (OSError(113, "Connect call failed ('10.0.0.1', 80)"), "No route to host"),
        (
            OSError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 9), [Errno 111] …"),
            "Connection refused",
        ),
        (ssl.SSLError(1, "[SSL] no shared cipher"), "TLS: [SSL] no shared cipher"),
        (OSError("Multiple exceptions: this, that"), "Multiple exceptions: this, that"),
        (UnicodeError("label too long"), "label too long"),
        (RuntimeError("a defect"), "internal error"),
    ],
)
def test_what_goes_wrong_before_there_is_a_socket(problem, reason, monkeypatch, caplog):
    async def scenario():
        async def broken(*_, **__):
            raise problem

        monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", broken)
        async with link_to("ws://central.example/") as (link, mailbox):
            link.perform(Connect())
            assert (await mailbox.expect("link.refused")).fields == {"reason": reason}

    run(scenario())
    assert ("Traceback" in caplog.text) == isinstance(problem, RuntimeError)


@pytest.mark.parametrize("url", ["http://127.0.0.1", "ws://", "ws://127.0.0.1:notaport"])
def test_a_url_that_is_none(url):
    async def scenario():
        async with link_to(url) as (link, mailbox):
            link.perform(Connect())
            assert (await mailbox.expect("link.refused")).fields["reason"]

    run(scenario())


def test_a_server_that_says_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr(link_module, "OPEN_TIMEOUT", 0.05)

    async def scenario():
        async def silence(reader, _):
            await reader.read()

        async with tcp(silence) as port, link_to(f"ws://127.0.0.1:{port}") as (link, mailbox):
            link.perform(Connect())
            refused = await mailbox.expect("link.refused")
            assert refused.fields == {"reason": "no answer within 0.05 s"}

    run(scenario())


def test_a_server_that_speaks_something_else():
    async def scenario():
        async def smtp(_, writer):
            writer.write(b"220 mail.example ESMTP\r\n")
            await writer.drain()
            writer.close()

        async with tcp(smtp) as port, link_to(f"ws://127.0.0.1:{port}") as (link, mailbox):
            link.perform(Connect())
            assert "HTTP" in (await mailbox.expect("link.refused")).fields["reason"]

    run(scenario())


# -- TLS -------------------------------------------------------------------------------------------


def test_tls_with_a_root_of_ones_own(certificates):
    async def scenario():
        async with (
            peer(ssl=server_context(certificates)) as it,
            link_to(f"wss://localhost:{it.port}", ca_file=str(certificates / "root.pem")) as (link, mailbox),
        ):
            link.perform(Connect())
            await mailbox.expect("link.opened")
            link.perform(heartbeat(1))
            _, unique_id, *_ = await it.heard()
            await it.say([3, unique_id, NOW])
            assert await mailbox.next() == answered(1, "result", NOW)
            link.perform(Disconnect())
            await mailbox.expect("link.lost")

    run(scenario())


@pytest.mark.parametrize("verify", [True, False])
def test_the_host_name_is_verified_unless_told_otherwise(certificates, verify):
    async def scenario():
        async with (
            peer(ssl=server_context(certificates)) as it,
            link_to(
                f"wss://127.0.0.1:{it.port}", ca_file=str(certificates / "root.pem"), verify_hostname=verify
            ) as (link, mailbox),
        ):
            link.perform(Connect())
            event = await mailbox.next()
            assert event.name == ("link.refused" if verify else "link.opened")
            if verify:
                assert event.fields["reason"].startswith("TLS: IP address mismatch")

    run(scenario())


def test_a_certificate_of_an_unknown_root_is_refused(certificates):
    async def scenario():
        async with (
            peer(ssl=server_context(certificates)) as it,
            link_to(f"wss://localhost:{it.port}", verify_hostname=False) as (link, mailbox),
        ):
            link.perform(Connect())
            reason = (await mailbox.expect("link.refused")).fields["reason"]
            assert reason.startswith("TLS: ")
            assert "certificate" in reason

    run(scenario())


def test_a_server_without_tls():
    async def scenario():
        async with peer() as it, link_to(f"wss://127.0.0.1:{it.port}") as (link, mailbox):
            link.perform(Connect())
            assert (await mailbox.expect("link.refused")).fields["reason"] == "the server hung up"

    run(scenario())


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_root_file_that_cannot_be_read(tmp_path, content):
    ca_file = tmp_path / "root.pem"
    if content is not None:
        ca_file.write_text(content)

    async def scenario():
        async with link_to("wss://127.0.0.1:1", ca_file=str(ca_file)) as (link, mailbox):
            link.perform(Connect())
            reason = (await mailbox.expect("link.refused")).fields["reason"]
            assert reason.startswith(f"TLS: no root certificates in {ca_file}: ")

    run(scenario())


# -- our calls -------------------------------------------------------------------------------------


def test_a_call_and_its_answer():
    async def scenario():
        async with linked() as (it, link, mailbox):
            link.perform(Call(token=7, action="Authorize", payload={"idTag": "Ä1"}, timeout=PATIENCE))
            kind, unique_id, action, payload = await it.heard()
            assert (kind, action, payload) == (2, "Authorize", {"idTag": "Ä1"})
            assert len(unique_id) == 36
            await it.say([3, unique_id, {"idTagInfo": {"status": "Accepted"}}])
            assert await mailbox.next() == answered(7, "result", {"idTagInfo": {"status": "Accepted"}})

    run(scenario())


def test_one_call_at_a_time_in_the_order_given():
    async def scenario():
        async with linked() as (it, link, mailbox):
            for token in range(1, 4):
                link.perform(heartbeat(token))
            ids = set()
            for token in range(1, 4):
                _, unique_id, *_ = await it.heard()
                ids.add(unique_id)
                await it.asks(
                    f"in-between-{token}"
                )  # an incoming CALL meanwhile does not let the next one out
                await mailbox.expect("ocpp.GetConfiguration")
                assert it.received.empty()
                await it.say([3, unique_id, NOW])
                assert await mailbox.next() == answered(token, "result", NOW)
            assert len(ids) == 3

    run(scenario())


def test_calls_of_the_central_system_are_answered_while_ours_is_pending():
    async def scenario():
        async with linked() as (it, link, mailbox):
            link.perform(heartbeat(1))
            _, ours, *_ = await it.heard()
            await it.asks("theirs")
            assert (await mailbox.next()).call == "theirs"
            link.perform(Reply("theirs", "GetConfiguration", {}))
            assert await it.heard() == [3, "theirs", {}]
            await it.say([3, ours, NOW])
            assert await mailbox.next() == answered(1, "result", NOW)

    run(scenario())


def test_frames_leave_in_the_order_of_the_commands():
    async def scenario():
        async with linked() as (it, link, mailbox):
            for unique_id in ("a", "b", "c"):
                await it.asks(unique_id)
                await mailbox.next()
            link.perform(Reply("b", "GetConfiguration", {"unknownKey": ("x",)}))
            link.perform(heartbeat(1))
            link.perform(ReplyError("a", "NotSupported", "no"))
            link.perform(heartbeat(2))
            link.perform(Reply("c", "GetConfiguration", {}))
            assert await it.heard() == [3, "b", {"unknownKey": ["x"]}]
            assert (await it.heard())[0] == 2
            assert await it.heard() == [4, "a", "NotSupported", "no", {}]
            assert await it.heard() == [3, "c", {}]

    run(scenario())


@pytest.mark.parametrize(
    "answer",
    [
        [4, "id", "InternalError", "sorry", {}],
        [4, "id", "InternalError"],
        [4, "id", 1, 2, 3],
        [3, "id", {}],
        [3, "id", {"currentTime": 7}],
        [3, "id", {**NOW, "extra": 1}],
        [3, "id", []],
        [3, "id"],
        [3, "id", NOW, {}],
    ],
)
def test_an_error_and_a_broken_answer_are_the_same(answer):
    async def scenario():
        async with linked() as (it, link, mailbox):
            link.perform(heartbeat(1))
            link.perform(heartbeat(2))
            _, unique_id, *_ = await it.heard()
            await it.say([answer[0], unique_id, *answer[2:]])
            assert await mailbox.next() == answered(1, "error")
            _, unique_id, *_ = await it.heard()  # the next one leaves
            await it.say([3, unique_id, NOW])
            assert await mailbox.next() == answered(2, "result", NOW)

    run(scenario())


def test_an_empty_answer_may_be_null():
    async def scenario():
        async with linked() as (it, link, mailbox):
            payload = {"connectorId": 0, "errorCode": "NoError", "status": "Available"}
            link.perform(Call(token=1, action="StatusNotification", payload=payload, timeout=PATIENCE))
            _, unique_id, *_ = await it.heard()
            await it.say([3, unique_id, None])
            assert await mailbox.next() == answered(1, "result", {})

    run(scenario())


def test_the_time_is_up_and_the_late_answer_is_dropped(caplog):
    async def scenario():
        async with linked() as (it, link, mailbox):
            link.perform(heartbeat(1, timeout=0.02))
            link.perform(heartbeat(2))
            _, late, *_ = await it.heard()
            assert await mailbox.next() == answered(1, "timeout")
            _, unique_id, *_ = await it.heard()
            await it.say([3, late, NOW])
            await it.say([3, unique_id, NOW])
            assert await mailbox.next() == answered(2, "result", NOW)

    run(scenario())
    assert "dropped an answer" in caplog.text


def test_the_late_answer_to_a_message_that_may_be_sent_again_is_told(caplog):
    """Digest §1.2: a StartTransaction.conf that comes too late is honoured while the message is unresolved."""

    async def scenario():
        async with linked() as (it, link, mailbox):
            call = Call(token=1, action="Heartbeat", payload={}, timeout=0.02, id="again")
            link.perform(call)
            assert (await it.heard())[1] == "again"
            assert await mailbox.next() == answered(1, "timeout")
            await it.say([3, "again", {"currentTime": 7}])  # no answer at all
            link.perform(heartbeat(9))
            _, unique_id, *_ = await it.heard()
            await it.say([3, unique_id, NOW])
            assert await mailbox.next() == answered(9, "result", NOW)
            link.perform(replace(call, token=2))
            assert (await it.heard())[1] == "again"
            assert await mailbox.next() == answered(2, "timeout")
            for _ in range(2):
                await it.say([3, "again", NOW])
            assert await mailbox.next() == Event("ocpp.answered_late", fields={"id": "again", "payload": NOW})
            link.perform(heartbeat(3))
            _, unique_id, *_ = await it.heard()
            await it.say([3, unique_id, NOW])
            assert await mailbox.next() == answered(3, "result", NOW)

    run(scenario())
    assert caplog.text.count("dropped an answer") == 2


def test_only_so_many_late_answers_are_waited_for(caplog):
    async def scenario():
        async with linked() as (it, link, mailbox):
            for number in range(MAX_OVERDUE + 1):
                call = Call(token=number, action="Heartbeat", payload={}, timeout=0.01, id=f"id-{number}")
                link.perform(call)
                await it.heard()
                assert await mailbox.next() == answered(number, "timeout")
            await it.say([3, "id-0", NOW])
            await it.say([3, "id-1", NOW])
            assert (await mailbox.next()).fields["id"] == "id-1"

    run(scenario())
    assert caplog.text.count("dropped an answer") == 1


def test_the_time_runs_from_the_writing_of_the_frame():
    async def scenario():
        async with linked() as (_, link, mailbox):
            begin = asyncio.get_running_loop().time()
            link.perform(heartbeat(1, timeout=0.1))
            link.perform(heartbeat(2, timeout=0.1))
            assert await mailbox.next() == answered(1, "timeout")
            assert await mailbox.next() == answered(2, "timeout")
            assert asyncio.get_running_loop().time() - begin >= 0.19

    run(scenario())


@pytest.mark.parametrize("nonsense", [[3, "never-asked", {}], [4, "never-asked", "GenericError", "", {}]])
def test_answers_nobody_waits_for_are_dropped(nonsense, caplog):
    async def scenario():
        async with linked() as (it, link, mailbox):
            await it.say(nonsense)
            link.perform(heartbeat(1))
            _, unique_id, *_ = await it.heard()
            await it.say(nonsense)
            await it.say([3, unique_id, NOW])
            await it.say([3, unique_id, NOW])
            await it.say([4, unique_id, "GenericError", "", {}])
            await it.asks("last")
            assert await mailbox.next() == answered(1, "result", NOW)
            await mailbox.expect("ocpp.GetConfiguration")

    run(scenario())
    assert caplog.text.count("dropped an answer") == 4


def test_a_call_that_breaks_its_schema_is_our_defect(caplog):
    async def scenario():
        async with linked() as (it, link, mailbox):
            link.perform(Call(token=1, action="Authorize", payload={"idTag": "x" * 21}, timeout=1))
            link.perform(Call(token=2, action="Teleport", payload={}, timeout=1))
            link.perform(heartbeat(3))
            assert await mailbox.next() == answered(1, "error")
            assert await mailbox.next() == answered(2, "error")
            assert (await it.heard())[2] == "Heartbeat"

    run(scenario())
    assert "our Authorize breaks its schema: idTag: longer than 20" in caplog.text


def test_a_call_without_a_link_is_offline_at_once():
    async def scenario():
        async with peer() as it, link_to(it.url) as (link, mailbox):
            link.perform(heartbeat(1))
            assert mailbox.rest() == [answered(1, "offline")]
            link.perform(Connect())
            link.perform(heartbeat(2))  # still opening
            assert mailbox.rest() == [answered(2, "offline")]
            await mailbox.expect("link.opened")

    run(scenario())


# -- their calls -----------------------------------------------------------------------------------


def test_a_call_of_the_central_system_is_an_event_and_gets_its_answer():
    async def scenario():
        async with linked() as (it, link, mailbox):
            await it.asks("a", "ChangeAvailability", {"connectorId": 1, "type": "Operative"})
            event = await mailbox.next()
            assert event == Event(
                "ocpp.ChangeAvailability", call="a", fields={"connectorId": 1, "type": "Operative"}
            )
            link.perform(Reply("a", "ChangeAvailability", {"status": "Accepted"}))
            assert await it.heard() == [3, "a", {"status": "Accepted"}]

    run(scenario())


def test_a_null_payload_is_an_empty_one():
    async def scenario():
        async with linked() as (it, _, mailbox):
            await it.say('[2,"a","ClearCache",null]')
            assert await mailbox.next() == Event("ocpp.ClearCache", call="a", fields={})

    run(scenario())


def test_an_answer_of_ours_that_breaks_its_schema_is_our_defect(caplog):
    async def scenario():
        async with linked() as (it, link, mailbox):
            await it.asks("a", "Reset", {"type": "Soft"})
            await mailbox.expect("ocpp.Reset")
            link.perform(Reply("a", "Reset", {"status": "Perhaps"}))
            assert await it.heard() == [4, "a", "InternalError", "", {}]

    run(scenario())
    assert "our answer to Reset breaks its schema: status: must be one of Accepted, Rejected" in caplog.text


def test_only_the_first_answer_leaves():
    async def scenario():
        async with linked() as (it, link, mailbox):
            await it.asks("a")
            await mailbox.next()
            link.perform(Reply("a", "GetConfiguration", {}))
            link.perform(Reply("a", "GetConfiguration", {}))
            link.perform(ReplyError("a", "GenericError"))
            link.perform(ReplyError("never asked", "GenericError"))
            link.perform(heartbeat(1))
            assert await it.heard() == [3, "a", {}]
            assert (await it.heard())[0] == 2

    run(scenario())


def test_an_id_that_is_still_unanswered_is_refused_and_may_be_used_again_later():
    async def scenario():
        async with linked() as (it, link, mailbox):
            await it.asks("a", "ClearCache")
            await it.asks("a", "GetConfiguration")
            assert (await it.heard())[:3] == [4, "a", "GenericError"]
            await mailbox.expect("ocpp.ClearCache")
            link.perform(Reply("a", "ClearCache", {"status": "Accepted"}))
            assert await it.heard() == [3, "a", {"status": "Accepted"}]
            await it.asks("a", "GetConfiguration")
            await mailbox.expect("ocpp.GetConfiguration")

    run(scenario())


def test_calls_that_are_never_answered_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(link_module, "MAX_OWED", 3)

    async def scenario():
        async with linked() as (it, link, mailbox):
            for unique_id in "abcd":
                await it.asks(unique_id)
                await mailbox.next()
            for unique_id in "abcd":
                link.perform(Reply(unique_id, "GetConfiguration", {}))
            assert [(await it.heard())[1] for _ in range(3)] == ["b", "c", "d"]

    run(scenario())


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ([2, "a"], "FormationViolation"),
        ([2, "a", "Reset"], "FormationViolation"),
        ([2, "a", "Reset", 7], "FormationViolation"),
        ([2, "a", "Reset", {"type": "Soft", "x": 1}], "FormationViolation"),
        ([2, "a", "Reset", {}], "OccurenceConstraintViolation"),
        ([2, "a", "Reset", {"type": 1}], "TypeConstraintViolation"),
        ([2, "a", "Reset", {"type": "Cold"}], "PropertyConstraintViolation"),
        ([2, "a", "Teleport", {}], "NotImplemented"),
        ([2, "a", "Heartbeat", {}], "NotImplemented"),
    ],
)
def test_a_call_with_bad_content_is_reported_to_be_refused(frame, code):
    """The station knows whether it answers at all (§4.2)."""

    async def scenario():
        async with linked() as (it, link, mailbox):
            await it.say(frame)
            event = await mailbox.next()
            assert (event.name, event.call, event.fields["code"]) == ("call.unreadable", "a", code)
            link.perform(ReplyError("a", **event.fields))
            assert await it.heard() == [4, "a", code, event.fields["description"], {}]

    run(scenario())


def test_the_tolerant_link_drops_extra_properties():
    async def scenario():
        async with linked(tolerant=True) as (it, link, mailbox):
            await it.asks("a", "Reset", {"type": "Soft", "x": 1})
            assert (await mailbox.next()).fields == {"type": "Soft"}
            link.perform(heartbeat(1))
            _, unique_id, *_ = await it.heard()
            await it.say([3, unique_id, {**NOW, "x": 1}])
            assert await mailbox.next() == answered(1, "result", NOW)

    run(scenario())


# -- nonsense --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "hello",
        "{}",
        "[]",
        "[2]",
        '[2,7,"ClearCache",{}]',
        '[2,"","ClearCache",{}]',
        '[2,"\\ud800","ClearCache",{}]',
        '[6,"a",{}]',
        '[2,"a","ClearCache",{"x":NaN}]',
        '[2,"a","UnlockConnector",{"connectorId":' + "9" * 5000 + "}]",
        "[" * 60_000,
        "x" * (64 * 1024 + 1),
        "[" + " " * (900 * 1024) + "]",
        b'[2,"a","ClearCache",{}]',
        b"\xff",
    ],
)
def test_nonsense_is_logged_and_ignored_and_the_link_stays_up(frame, caplog):
    async def scenario():
        async with linked() as (it, _, mailbox):
            await it.say(frame)
            await it.asks("after")
            assert (await mailbox.next()).call == "after"
            assert it.received.empty()

    run(scenario())
    record = next(record for record in caplog.records if record.name == "charger.central.link")
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("ignored a")
    assert len(record.getMessage()) < 200


def test_a_frame_over_a_mebibyte_ends_the_link():
    async def scenario():
        async with linked() as (it, link, mailbox):
            link.perform(heartbeat(1))
            await it.say("x" * (1024 * 1024 + 1))
            assert "1009" in (await mailbox.expect("link.lost")).fields["reason"]
            assert await mailbox.next() == answered(1, "offline")

    run(scenario())


def test_a_flood_lets_others_have_their_turn():
    async def scenario():
        async with linked() as (it, _, mailbox):
            turns = []

            def turn():
                turns.append(len(mailbox.events))
                if len(mailbox.events) < 1000:
                    asyncio.get_running_loop().call_soon(turn)

            turn()
            for number in range(1000):
                it.connection.protocol.send_text(f'[2,"{number}","ClearCache",{{}}]'.encode())
            it.connection.send_data()
            for number in range(1000):
                assert (await mailbox.next()).call == str(number)
            return turns

    seen = []

    async def watched():
        seen.extend(await scenario())

    run(watched())
    assert 0 < max(after - before for before, after in pairwise(seen)) <= link_module.FRAMES_PER_TURN


# -- the end of a link -----------------------------------------------------------------------------


def test_a_lost_link_answers_all_that_waits_in_order():
    async def scenario():
        async with linked() as (it, link, mailbox):
            for token in (1, 2, 3):
                link.perform(heartbeat(token))
            await it.heard()
            it.connection.transport.abort()
            lost = await mailbox.expect("link.lost")
            assert lost.fields["reason"].startswith("connection lost")
            assert [await mailbox.next() for _ in range(3)] == [answered(n, "offline") for n in (1, 2, 3)]

    run(scenario())


def test_a_close_by_the_central_system_is_reported_after_what_it_said_before():
    async def scenario():
        async with linked() as (it, link, mailbox):
            link.perform(heartbeat(1))
            _, unique_id, *_ = await it.heard()
            await it.asks("a")
            await it.say([3, unique_id, NOW])
            await it.connection.close(1012, "restart")
            await mailbox.expect("ocpp.GetConfiguration")
            assert await mailbox.next() == answered(1, "result", NOW)
            lost = await mailbox.expect("link.lost")
            assert lost.fields == {"reason": "closed by the Central System: 1012 restart"}

    run(scenario())


def test_an_answer_for_a_gone_link_is_dropped():
    async def scenario():
        async with linked() as (it, link, mailbox):
            await it.asks("a")
            await mailbox.next()
            await it.connection.close()
            await mailbox.expect("link.lost")
            link.perform(Reply("a", "GetConfiguration", {}))
            link.perform(Connect())
            await mailbox.expect("link.opened")
            link.perform(Reply("a", "GetConfiguration", {}))
            link.perform(ReplyError("a", "GenericError"))
            link.perform(heartbeat(1))
            assert (await it.heard())[2] == "Heartbeat"

    run(scenario())


def test_after_a_loss_nothing_happens_until_told():
    async def scenario():
        async with linked() as (it, link, mailbox):
            it.connection.transport.abort()
            await mailbox.expect("link.lost")
            link.perform(heartbeat(1))
            assert await mailbox.next() == answered(1, "offline")
            assert it.opened == 1
            link.perform(Connect())
            await mailbox.expect("link.opened")

    run(scenario())


def test_disconnect_says_goodbye_and_reports_once():
    async def scenario():
        async with linked() as (it, link, mailbox):
            await it.asks("a", "Reset", {"type": "Hard"})
            await mailbox.next()
            link.perform(heartbeat(1))
            link.perform(Reply("a", "Reset", {"status": "Accepted"}))
            link.perform(Disconnect())
            link.perform(Disconnect())
            assert mailbox.rest() == [
                Event("link.lost", fields={"reason": "disconnected"}),
                answered(1, "offline"),
            ]
            await it.heard()
            assert await it.heard() == [3, "a", {"status": "Accepted"}]  # not lost on the way out
            await it.connection.wait_closed()
            assert it.connection.close_code == 1000
            await link.close()
            assert mailbox.rest() == []

    run(scenario())


def test_disconnect_without_a_link_is_silent():
    async def scenario():
        async with link_to("ws://127.0.0.1:1") as (link, mailbox):
            link.perform(Disconnect())
            link.perform(Ping())
            link.perform(Reply("a", "Reset", {"status": "Accepted"}))
            assert mailbox.rest() == []

    run(scenario())


def test_disconnect_while_opening_answers_the_connect():
    async def scenario():
        reached, left = asyncio.Event(), asyncio.Event()

        async def silence(reader, _):
            reached.set()
            await reader.read()
            left.set()

        async with tcp(silence) as port, link_to(f"ws://127.0.0.1:{port}") as (link, mailbox):
            link.perform(Connect())
            await asyncio.wait_for(reached.wait(), PATIENCE)
            link.perform(Disconnect())
            assert mailbox.rest() == [Event("link.refused", fields={"reason": "disconnected"})]
            await asyncio.wait_for(left.wait(), PATIENCE)
            link.perform(Disconnect())
            assert mailbox.rest() == []

    run(scenario())


def test_disconnect_and_connect_in_one_step():
    async def scenario():
        async with linked() as (it, link, mailbox):
            link.perform(Disconnect())
            link.perform(Connect())
            await mailbox.expect("link.lost")
            await mailbox.expect("link.opened")
            await asyncio.wait_for(it.connections.get(), PATIENCE)
            link.perform(heartbeat(1))
            _, unique_id, *_ = await it.heard()
            await it.say([3, unique_id, NOW])
            assert await mailbox.next() == answered(1, "result", NOW)

    run(scenario())


def test_what_arrives_after_disconnect_is_not_for_us():
    async def scenario():
        async with linked() as (it, link, mailbox):
            await it.asks("a")
            await mailbox.next()
            link.perform(Disconnect())
            await it.asks("b")
            await it.asks("c")
            await link.close()
            assert [event.name for event in mailbox.rest()] == ["link.lost"]

    run(scenario())


def dead(connection):
    """Let the peer neither read nor answer, as after a cut cable."""
    connection.transport.pause_reading()


def test_a_dead_peer_does_not_hold_up_a_disconnect(monkeypatch):
    monkeypatch.setattr(link_module, "CLOSE_TIMEOUT", 0.05)

    async def scenario():
        async with linked() as (it, link, mailbox):
            dead(it.connection)
            begin = time.monotonic()
            link.perform(Disconnect())
            assert mailbox.rest() == [Event("link.lost", fields={"reason": "disconnected"})]
            await link.close()
            assert time.monotonic() - begin < 2
            it.connection.transport.abort()

    run(scenario())


def test_a_peer_that_does_not_read_is_cut_off():
    async def scenario():
        async with linked() as (it, link, mailbox):
            dead(it.connection)
            payload = {"vendorId": "x", "data": "x" * 16 * 1024 * 1024}
            link.perform(Call(token=1, action="DataTransfer", payload=payload, timeout=PATIENCE))
            assert mailbox.rest() == [
                Event("link.lost", fields={"reason": "the Central System does not read"}),
                answered(1, "offline"),
            ]
            it.connection.transport.abort()

    run(scenario())


def test_a_disconnect_with_a_full_socket_ends(monkeypatch):
    monkeypatch.setattr(link_module, "CLOSE_TIMEOUT", 0.05)
    monkeypatch.setattr(link_module, "MAX_UNSENT", 2**30)

    async def scenario():
        async with linked() as (it, link, mailbox):
            dead(it.connection)
            payload = {"vendorId": "x", "data": "x" * 16 * 1024 * 1024}
            link.perform(Call(token=1, action="DataTransfer", payload=payload, timeout=PATIENCE))
            link.perform(Ping(timeout=PATIENCE))
            link.perform(Disconnect())
            await link.close()
            assert [event.name for event in mailbox.rest()] == ["link.lost", "ocpp.answered"]
            it.connection.transport.abort()

    run(scenario())


async def accept_by_hand(reader, writer):
    """The upgrade of RFC 6455, for a server that then does as it likes."""
    request = (await reader.readuntil(b"\r\n\r\n")).decode()
    key = next(line.split(": ")[1] for line in request.split("\r\n") if line.startswith("Sec-WebSocket-Key"))
    digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Protocol: ocpp1.6\r\nSec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )
    await writer.drain()


def test_a_peer_that_says_close_but_keeps_the_socket():
    async def scenario():
        closing, seen = asyncio.Event(), asyncio.Event()

        async def stubborn(reader, writer):
            await accept_by_hand(reader, writer)
            await closing.wait()
            writer.write(b"\x88\x02\x03\xe8")  # Close 1000
            await reader.readexactly(8)  # our Close, masked
            seen.set()
            await reader.read()

        async with tcp(stubborn) as port, link_to(f"ws://127.0.0.1:{port}") as (link, mailbox):
            link.perform(Connect())
            await mailbox.expect("link.opened")
            closing.set()
            await asyncio.wait_for(seen.wait(), PATIENCE)
            assert mailbox.rest() == []
            link.perform(heartbeat(1))
            lost = await mailbox.expect("link.lost")
            assert lost.fields == {"reason": "closed by the Central System: 1000"}
            assert await mailbox.next() == answered(1, "offline")

    run(scenario())


def test_text_that_is_no_utf8_ends_the_link():
    async def scenario():
        async def garbage(reader, writer):
            await accept_by_hand(reader, writer)
            writer.write(b"\x81\x02\xff\xff")
            await reader.read()

        async with tcp(garbage) as port, link_to(f"ws://127.0.0.1:{port}") as (link, mailbox):
            link.perform(Connect())
            await mailbox.expect("link.opened")
            assert "1007" in (await mailbox.expect("link.lost")).fields["reason"]

    run(scenario())


# -- ping ------------------------------------------------------------------------------------------


def test_a_pong_keeps_the_link():
    async def scenario():
        async with linked() as (it, link, mailbox):
            link.perform(Ping(timeout=PATIENCE))
            link.perform(Ping(timeout=PATIENCE))
            while len(link._tasks) > 1:  # the reader stays
                await asyncio.wait(link._tasks, return_when=asyncio.FIRST_COMPLETED)
            assert mailbox.rest() == []
            link.perform(heartbeat(1))
            await it.heard()

    run(scenario())


def test_without_a_pong_the_link_is_lost_at_once():
    async def scenario():
        async with linked() as (it, link, mailbox):
            dead(it.connection)
            link.perform(heartbeat(1))
            begin = time.monotonic()
            link.perform(Ping(timeout=0.05))
            lost = await mailbox.expect("link.lost")
            assert time.monotonic() - begin < 1
            assert lost.fields == {"reason": "no pong within 0.05 s"}
            assert await mailbox.next() == answered(1, "offline")
            it.connection.transport.resume_reading()
            await asyncio.wait_for(it.connection.wait_closed(), PATIENCE)
            link.perform(Connect())
            await mailbox.expect("link.opened")
            assert mailbox.rest() == []

    run(scenario())


def test_a_link_lost_during_a_ping_is_reported_once():
    async def scenario():
        async with linked() as (it, link, mailbox):
            dead(it.connection)
            link.perform(Ping(timeout=PATIENCE))
            await asyncio.wait(link._tasks, timeout=0.01)
            it.connection.transport.abort()
            await mailbox.expect("link.lost")
            await link.close()
            assert mailbox.rest() == []

    run(scenario())


# -- defects and the end ---------------------------------------------------------------------------


def test_a_defect_in_the_reader_is_logged_and_ends_the_link(caplog):
    async def scenario():
        def watch(direction, text):
            if direction == "in" and "boom" in text:
                raise RuntimeError("boom")

        async with linked(on_frame=watch) as (it, link, mailbox):
            link.perform(heartbeat(1))
            await it.asks("boom")
            assert (await mailbox.expect("link.lost")).fields == {"reason": "internal error"}
            assert await mailbox.next() == answered(1, "offline")
            await asyncio.wait_for(it.connection.wait_closed(), PATIENCE)

    run(scenario())
    assert "RuntimeError: boom" in caplog.text


def test_a_defect_while_reporting_a_loss_is_logged(caplog):
    async def scenario():
        def post(event):
            if event.name == "link.lost":
                raise RuntimeError("boom")
            opened.set()

        opened = asyncio.Event()
        async with peer() as it:
            link = CentralLink(url=it.url, identity="CP001", post=post)
            link.perform(Connect())
            await asyncio.wait_for(opened.wait(), PATIENCE)
            (await asyncio.wait_for(it.connections.get(), PATIENCE)).transport.abort()
            await asyncio.wait(link._tasks)
            await link.close()

    run(scenario())
    assert "RuntimeError: boom" in caplog.text


def test_the_panel_sees_every_frame_that_is_handled():
    async def scenario():
        seen = []
        async with linked(on_frame=lambda *frame: seen.append(frame)) as (it, link, mailbox):
            link.perform(heartbeat(1))
            sent = await it.received.get()
            reply = json.dumps([3, json.loads(sent)[1], NOW])
            await it.say(b"binary")
            await it.say("x" * 70_000)
            await it.say("nonsense")
            await it.say(reply)
            await mailbox.next()
            assert seen == [("out", sent), ("in", "nonsense"), ("in", reply)]

    run(scenario())


def test_close_ends_everything_and_connect_stays_without_effect():
    async def scenario():
        async with linked() as (it, link, mailbox):
            link.perform(Ping(timeout=PATIENCE))
            link.perform(heartbeat(1))
            await link.close()
            await link.close()
            assert not link._tasks
            assert [event.name for event in mailbox.rest()] == ["link.lost", "ocpp.answered"]
            link.perform(Connect())
            assert not link._tasks
            assert it.opened == 1

    run(scenario())


def test_close_while_opening():
    async def scenario():
        async def silence(reader, _):
            await reader.read()

        async with tcp(silence) as port, link_to(f"ws://127.0.0.1:{port}") as (link, mailbox):
            link.perform(Connect())
            await asyncio.wait(link._tasks, timeout=0.01)
            await link.close()
            assert not link._tasks
            assert [event.name for event in mailbox.rest()] == ["link.refused"]

    run(scenario())


def test_close_of_a_link_that_was_never_used():
    async def scenario():
        await CentralLink(url="ws://127.0.0.1:1", identity="x", post=print).close()

    run(scenario())
