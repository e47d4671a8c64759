"""Illegal frames, and links that end in the middle of one: the real `CentralLink` against a raw server.

After every act the link must still do its work: a legal CALL comes through and is answered, and nothing else
was said or reported than what the act deserves. Frames are labelled by how they are made, not by our parser.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import payloads
from hostile import RUN
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from link_harness import Mailbox
from profiles import profile
from promises import CODES
from socket_peer import BINARY, CLOSE, PING, PONG, TEXT, SocketPeer, frame

from charger.central import messages
from charger.central.link import MAX_FRAME, CentralLink
from charger.ports import Call, Connect, Disconnect, Reply, ReplyError

PATIENCE = 3.0
ACTIONS = sorted(messages.FROM_CENTRAL_SYSTEM)
ids = st.one_of(st.integers(1, 9).map(str), st.sampled_from(("x" * 36, "y" * 37, "z" * 4000, "é\x00\n", " ")))
legal = st.sampled_from(ACTIONS).flatmap(lambda a: payloads.of(a).map(lambda fields: [a, fields]))
broken = st.sampled_from(
    (
        *(["Reset", {}], ["Reset", {"type": "Warm"}], ["Reset", {"type": 1}], ["Reset", {"type": None}]),
        *(["Reset", {"type": "Hard", "more": 1}], ["Reset", []], ["Reset", "Hard"], ["Reset", 7]),
        *(["reset", {"type": "Hard"}], ["Heartbeat", {}], ["", {}], [7, {}], [None, None], [{}, {}]),
        *(["UnlockConnector", {"connectorId": "1"}], ["UnlockConnector", {"connectorId": 1.5}]),
        *(["UnlockConnector", {"connectorId": 10**400}], ["UnlockConnector", {"connectorId": True}]),
        *(["ChangeConfiguration", {"key": "k" * 51, "value": ""}], ["GetConfiguration", {"key": "text"}]),
        *(["ChangeConfiguration", {"key": "k", "value": "\ud800"}], ["Reset"], [], ["Reset", {}, {}]),
        *(["SendLocalList", {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [{}]}],),
    )
)
"""What may follow a message type and an id in a CALL, and deserves a CALLERROR."""
junk = st.sampled_from(
    (
        *("", " ", "{}", "[]", "null", "7", '"text"', "[2]", "[2,", "[2,7,8,9]", '[2,"","Reset",{}]'),
        *('[2,null,"Reset",{"type":"Hard"}]', '[2,["a"],"Reset",{}]', '[5,"a",{}]', '["2","a","Reset",{}]'),
        *('[true,"a","Reset",{}]', '[2.5,"a","Reset",{}]', "[NaN]", '[2,"a","Reset",{"type":NaN}]'),
        *("[" * 5000, "[" * 5000 + "]" * 5000, '{"a":' * 3000, "[2,\x00]", '[2,"\\ud800","Reset",{}]'),
        *('[3,"never asked",{}]', '[4,"never asked","","",{}]', '[3,"never asked"]', '[4,"never asked"]'),
        *('[2,"a","Reset",{"type":"Hard"}' + " " * MAX_FRAME + "]", "é" * MAX_FRAME + "x", '[1e999,"a"]'),
    )
)
"""Nobody can be answered: silence, and the link stays."""
fatal = st.sampled_from(
    (
        frame(TEXT, b"\xff\xfe"),
        frame(TEXT, b"[]", reserved=4),
        frame(3, b"unknown opcode"),
        frame(CLOSE, b"\x03\xe8bye"),
        frame(CLOSE, b""),
        frame(CLOSE, b"\x00"),
        frame(PING, b"p" * 126),
        frame(PING, b"p", final=False),
        frame(0, b"continues nothing"),
        frame(TEXT, b"[2,", final=False) + frame(TEXT, b"[2,"),
        frame(TEXT, b"x" * (1024 * 1024 + 1)),
        b"\x81\x7f" + b"\xff" * 8,
        b"\x81\x82\x00\x00\x00\x00[]",
        b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9,
    )
)
"""No WebSocket: the link ends."""
asked = st.sampled_from(("Authorize", "BootNotification", "Heartbeat", "StartTransaction", "StopTransaction"))
REQUESTS: dict[str, dict[str, Any]] = {
    "Authorize": {"idTag": "T"},
    "BootNotification": {"chargePointVendor": "V", "chargePointModel": "M"},
    "Heartbeat": {},
    "StartTransaction": {
        "connectorId": 1,
        "idTag": "T",
        "meterStart": 0,
        "timestamp": "2027-01-01T00:00:00Z",
    },
    "StopTransaction": {"transactionId": 1, "meterStop": 1, "timestamp": "2027-01-01T00:00:00Z"},
}
wrong = st.sampled_from(
    ({"surprise": 1}, {"currentTime": 7}, {"idTagInfo": {"status": "Perhaps"}}, [], "text", 7)
)


class _Errors(logging.Handler):
    """A defect of the link is logged, and must not be missed."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record.getMessage())


class HostileLink(RuleBasedStateMachine):
    """One link, and a server that knows what hurts."""

    def __init__(self) -> None:
        super().__init__()
        self.errors = _Errors()
        logging.getLogger("charger.central.link").addHandler(self.errors)
        self.runner = asyncio.Runner()
        self.token = self.fences = 0
        self.owed: Counter[str] = Counter()
        """Ids of CALLs that were reported and not answered yet."""
        self.up = False
        self.run(self.begin())

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        RUN["link steps"] += 1

        async def bounded() -> None:
            async with asyncio.timeout(PATIENCE):
                await work

        self.runner.run(bounded())
        assert not self.errors.seen

    async def begin(self) -> None:
        self.peer, self.mailbox = SocketPeer(), Mailbox()
        url = await self.peer.start()
        self.link = CentralLink(url=url, identity="CP", post=self.mailbox.post)
        await self.connect()

    async def connect(self) -> None:
        self.link.perform(Connect())
        await self.mailbox.expect("link.opened")
        self.up = True
        await self.fence()

    async def heard(self) -> Any:
        """The next frame of the station, which is always an array of the right shape."""
        text = await self.peer.texts.get()
        assert text is not None, "the link has gone"
        said = json.loads(text)
        assert isinstance(said[1], str)
        match said[0]:
            case 2:
                assert len(said) == 4
                assert len(said[1]) <= 36
                assert messages.find_fault(said[2], said[3]) is None
            case 3:
                assert len(said) == 3
            case _:
                assert said[0] == 4
                assert len(said) == 5
                assert said[2] in CODES
                assert len(said[3]) <= 255
                assert said[4] == {}
        return said

    async def fence(self) -> None:
        """A legal CALL comes through, so whatever was said before has been dealt with."""
        self.fences += 1
        name = f"fence-{self.fences}"
        self.peer.say(json.dumps([2, name, "ClearCache", {}]))
        event = await self.mailbox.expect("ocpp.ClearCache")
        assert event.call == name
        self.link.perform(Reply(name, "ClearCache", {"status": "Accepted"}))
        assert await self.heard() == [3, name, {"status": "Accepted"}]

    async def gone(self) -> None:
        """The link is reported lost, once; another one does as well as the first."""
        await self.mailbox.expect("link.lost")
        self.owed.clear()
        self.up = False
        while await self.peer.texts.get() is not None:
            pass
        assert not self.mailbox.rest()

    # -- what a server may say -----------------------------------------------------------------------------

    @precondition(lambda self: not self.up)
    @rule()
    def again(self) -> None:
        self.run(self.connect())

    @precondition(lambda self: self.up)
    @rule(identifier=ids, what=legal, times=st.sampled_from((1, 1, 2)))
    def legal_call(self, identifier: str, what: list[Any], times: int) -> None:
        """Comes through as it is, once; the same id again is refused while the first waits; too long is ignored."""
        text = json.dumps([2, identifier, *what])

        async def work() -> None:
            for _ in range(times):
                self.peer.say(text)
                if len(text) > MAX_FRAME:
                    continue
                if self.owed[identifier]:
                    assert (await self.heard())[:2] == [4, identifier]
                else:
                    event = await self.mailbox.expect(f"ocpp.{what[0]}")
                    assert (event.call, event.fields) == (identifier, what[1])
                    self.owed[identifier] += 1
            await self.fence()

        self.run(work())

    @precondition(lambda self: self.up and any(self.owed.values()))
    @rule(refuse=st.booleans(), times=st.sampled_from((1, 2)))
    def pay(self, refuse: bool, times: int) -> None:
        """However often the station answers, one answer leaves."""

        async def work() -> None:
            identifier = min(+self.owed)
            del self.owed[identifier]
            for _ in range(times):
                if refuse:
                    self.link.perform(ReplyError(identifier, "NotSupported", "x" * 300))
                else:
                    self.link.perform(Reply(identifier, "ClearCache", {"status": "Rejected"}))
            assert (await self.heard())[:2] == [4 if refuse else 3, identifier]
            await self.fence()

        self.run(work())

    @precondition(lambda self: self.up)
    @rule(identifier=ids, rest=broken)
    def broken_call(self, identifier: str, rest: list[Any]) -> None:
        async def work() -> None:
            self.peer.say(json.dumps([2, identifier, *rest]))
            if not self.owed[identifier]:
                event = await self.mailbox.expect("call.unreadable")
                self.link.perform(ReplyError(str(event.call), **event.fields))
            assert (await self.heard())[:2] == [4, identifier]
            await self.fence()

        self.run(work())

    @precondition(lambda self: self.up)
    @rule(text=junk)
    def nonsense(self, text: str) -> None:
        async def work() -> None:
            self.peer.say(text)
            await self.fence()

        self.run(work())

    @precondition(lambda self: self.up)
    @rule(
        data=st.sampled_from(
            (
                *(frame(BINARY, b"\x00\xff"), frame(PONG, b"unasked"), frame(TEXT, b"[5", final=False)),
                *(frame(PING, b"p" * 125), frame(BINARY, b'[2,"a","Reset",{"type":"Hard"}]')),
            )
        )
    )
    def harmless(self, data: bytes) -> None:
        """Binary, pongs nobody asked for, a text in two parts."""

        async def work() -> None:
            self.peer.write(data)
            if data[0] == TEXT:
                self.peer.write(frame(0, b"]"))
            await self.fence()

        self.run(work())

    @precondition(lambda self: self.up)
    @rule(
        action=asked,
        answer=st.sampled_from(
            ("right", "wrong", "error", "null", "shape", "late", "twice", "another", "cut")
        ),
        content=wrong,
        data=st.data(),
    )
    def our_call(self, action: str, answer: str, content: Any, data: Any) -> None:
        """Answered exactly once, whatever the Central System makes of it."""
        payload = data.draw(payloads.of(action, response=True))

        async def work() -> None:
            self.token += 1
            timeout = 0.02 if answer == "late" else PATIENCE
            self.link.perform(Call(self.token, action, REQUESTS[action], timeout))
            said = await self.heard()
            assert said[2:] == [action, REQUESTS[action]]
            right = json.dumps([3, said[1], payload])
            outcome = "result"
            match answer:
                case "wrong":
                    self.peer.say(json.dumps([3, said[1], content]))
                    outcome = "error"
                case "error":
                    self.peer.say(json.dumps([4, said[1], "GenericError", "x" * 9999, {}]))
                    outcome = "error"
                case "null":
                    self.peer.say(json.dumps([3, said[1], None]))
                    outcome = "result" if action == "StopTransaction" else "error"
                case "shape":
                    self.peer.say(json.dumps([3, said[1]]))
                    outcome = "error"
                case "late":
                    outcome = "timeout"
                case "another":
                    self.peer.say(json.dumps([3, "another", payload]))
                    self.peer.say(right)
                case "cut":
                    self.peer.write(frame(TEXT, right.encode())[:-1])
                    self.peer.cut()
                    await self.mailbox.expect("link.lost")
                    outcome = "offline"
                case _:
                    self.peer.say(right)
            event = await self.mailbox.expect("ocpp.answered")
            assert (event.fields["token"], event.fields["outcome"]) == (self.token, outcome)
            if outcome == "result":
                assert event.fields["payload"] == (payload if answer != "null" else {})
            if answer == "cut":
                await self.forgotten()
                return
            if answer in ("late", "twice"):
                self.peer.say(right)
            await self.fence()

        self.run(work())

    async def forgotten(self) -> None:
        self.owed.clear()
        self.up = False
        while await self.peer.texts.get() is not None:
            pass
        assert not self.mailbox.rest()

    # -- how a link may end --------------------------------------------------------------------------------

    @precondition(lambda self: self.up)
    @rule(data=fatal)
    def no_websocket(self, data: bytes) -> None:
        async def work() -> None:
            self.peer.write(data)
            await self.gone()

        self.run(work())

    @precondition(lambda self: self.up)
    @rule(what=legal, share=st.sampled_from((0.0, 0.1, 0.5, 0.99)))
    def cut_in_mid_frame(self, what: list[Any], share: float) -> None:
        async def work() -> None:
            whole = frame(TEXT, json.dumps([2, "never", *what]).encode())
            self.peer.write(whole[: int(len(whole) * share)])
            self.peer.cut()
            await self.gone()

        self.run(work())

    @precondition(lambda self: self.up)
    @rule()
    def disconnect(self) -> None:
        async def work() -> None:
            self.link.perform(Disconnect())
            await self.gone()

        self.run(work())

    def teardown(self) -> None:
        RUN["link examples"] += 1

        async def work() -> None:
            await self.link.close()
            await self.peer.close()
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert len(left) <= 1, left  # `bounded` runs in a task of its own

        try:
            self.runner.run(work())
        finally:
            self.runner.close()
            logging.getLogger("charger.central.link").removeHandler(self.errors)


TestHostileLink = HostileLink.TestCase
TestHostileLink.settings = profile(examples=50, steps=30)
