"""A hostile Central System and a hostile world against a whole station in virtual time.

`Hostile` is a state machine of hypothesis: each rule is something that people, cars, wires, the disk, the
power, the network or the Central System may do. What must hold is in `promises.py`. At the end of every
example the world becomes quiet and the Central System honest, and the station has to find home.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import payloads
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from promises import Watch
from rig import MemoryStorage, Rig

from charger.central import messages
from charger.errors import StorageFull
from charger.hardware import simulated
from charger.statechart.event import Event

ERRORS = ("GroundFailure", "OverVoltage", "HighTemperature", "ReaderFailure")
SECONDS = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 40.0, 200.0, 3600.0, 86_400.0)
MOST_EXPIRIES = 1500
"""Timers that may run out in one go: a day is shorter for a station that reports every second."""
ACCEPTED = ("station", "accepted")
"""The fact that stays for good."""
RUN: Counter[str] = Counter()
"""Examples and steps of this process, for the summary."""
USED = (
    *("ChangeAvailability", "ChangeConfiguration", "RemoteStartTransaction", "RemoteStopTransaction"),
    *("Reset", "UnlockConnector", "GetConfiguration", "ClearCache", "DataTransfer", "TriggerMessage"),
)
"""What the charts have an opinion on; the rest only has to be refused."""
ANSWERED = (
    *("Authorize", "BootNotification", "Heartbeat", "MeterValues", "StartTransaction"),
    *("StatusNotification", "StopTransaction"),
)
LIES = (
    *("contactor.closed", "contactor.opened", "lock.engaged", "lock.released", "lock.failed"),
    *("ev.ready", "ev.paused", "ev.unplugged", "cable.plugged", "cable.unplugged"),
)
"""What wires may say without any reason."""

connectors = st.sampled_from((1, 2, 3))
booleans = st.booleans()
flags = st.sampled_from(("true", "false"))
calls = st.one_of(
    *[st.tuples(st.just(action), payloads.of(action)) for action in USED],
    st.sampled_from(sorted(messages.FROM_CENTRAL_SYSTEM - set(USED))).flatmap(
        lambda action: st.tuples(st.just(action), payloads.of(action))
    ),
)
answers = st.sampled_from(ANSWERED).flatmap(
    lambda action: st.tuples(
        st.just(action),
        st.one_of(
            st.just("usual"), st.sampled_from(("error", "timeout")), payloads.of(action, response=True)
        ),
    )
)


class PowerCut(Exception):
    """The power goes, in the middle of a step."""


class Disk(MemoryStorage):
    """Keeps what JSON keeps; may lose its power before or after it has written."""

    def __init__(self) -> None:
        super().__init__()
        self.doom = ""

    def commit(self, changes: Any) -> None:
        doom, self.doom = self.doom, ""
        if doom == "before":
            raise PowerCut
        written = json.dumps([change.value for change in changes], allow_nan=False)
        for change, value in zip(changes, json.loads(written), strict=True):
            assert change.value == value, change
        super().commit(changes)
        if doom == "after":
            raise PowerCut


class Hostile(RuleBasedStateMachine):
    """One station, and nobody who wishes it well."""

    @initialize(
        count=connectors,
        fixed=st.sampled_from((False, False, True)),
        car=st.sampled_from((0.2, 2.0, 8.0)),
        lock=st.sampled_from((0.3, 1.0, 2.5)),
        boot=st.one_of(st.just("usual"), payloads.of("BootNotification", response=True)),
        keys=st.fixed_dictionaries(
            {
                "AllowOfflineTxForUnknownId": flags,
                "AuthorizeRemoteTxRequests": flags,
                "ConnectionTimeOut": st.sampled_from(("30", "5", "0")),
                "LocalPreAuthorize": flags,
                "MaxEnergyOnInvalidId": st.sampled_from(("0", "20")),
                "MessageTimeout": st.sampled_from(("5", "30")),
                "MeterValueSampleInterval": st.sampled_from(("20", "0")),
                "MinimumStatusDuration": st.sampled_from(("0", "0", "3")),
                "StopTransactionOnEVSideDisconnect": flags,
                "StopTransactionOnInvalidId": flags,
                "StopTxnSampledData": st.sampled_from(("", "Energy.Active.Import.Register")),
                "TransactionMessageRetryInterval": st.sampled_from(("1", "0", "5")),
                "UnlockConnectorOnEVSideDisconnect": flags,
            }
        ),
    )
    def begin(
        self, count: int, fixed: bool, car: float, lock: float, boot: Any, keys: dict[str, str]
    ) -> None:
        self.rig = Rig(
            count,
            fixed=fixed,
            start=False,
            storage=Disk(),
            simulation={"car_delay": car, "lock_delay": lock},
            **keys,
        )
        self.fixed = fixed
        self.numbers = tuple(range(1, count + 1))
        self.watch = Watch(self.numbers)
        self.delay = 0.02
        self.called = self.ids = 0
        with self.act():
            self.live()
            self.answer(("BootNotification", boot))
            self.rig.driver.start()
            self.pass_time(3.0)

    # -- the course of things ------------------------------------------------------------------------------

    sound = True
    """Nothing has failed so far, so the end is worth judging."""

    @contextmanager
    def act(self) -> Iterator[None]:
        """An act; the power may go while it is under way."""
        self.sound = False
        RUN["steps"] += 1
        try:
            yield
            self.rig.driver.pump()
        except PowerCut:
            self.restart(1.0)
        self.reborn()
        self.watch.look()
        self.sound = True

    def live(self) -> None:
        """Watch a new program, and answer it as the old one was answered."""
        rig, cs = self.rig, self.rig.cs
        transmit = cs._transmit

        def paced() -> None:
            cs.delay = min(self.delay, cs._pending[0].timeout * 0.9)
            transmit()

        cs._transmit = paced
        self.watch.attach(rig)

    def reborn(self) -> None:
        """A program that wants to start anew does; one that was told to end is started by somebody."""
        while self.rig.driver.restart or self.rig.driver.ended:
            try:
                self.rig.driver.pump()
                self.restart(3.0)
            except PowerCut:
                self.restart(1.0)

    def restart(self, seconds: float, swapped: tuple[int, ...] = (), *, locked: bool = False) -> None:
        """What is left is what was stored, and the world, where cars may have come and gone."""
        old = self.rig
        old.storage.doom, old.storage.broken = "", None
        there = {n for n in self.numbers if old.hardware.describe(n)["cable"]["present"]}
        plugged = tuple(sorted(there ^ set(swapped)))
        self.rig = old.power_cut(seconds, start=False, simulation={"plugged": plugged})
        for number in plugged:
            self.rig.hardware._outlets[number].locked = locked and old.hardware._outlets[number].locked
        cs = self.rig.cs
        cs.reachable, cs.answers, cs._transactions = old.cs.reachable, old.cs.answers, old.cs._transactions
        self.live()
        self.rig.driver.start()
        self.rig.driver.pump()

    def pass_time(self, seconds: float, most: int = MOST_EXPIRIES) -> None:
        rig, clock = self.rig, self.rig.clock
        end = clock.now().monotonic + seconds
        rig.driver.pump()
        while (due := clock.next_due()) is not None and due <= end and most:
            clock.advance(max(0.0, due - clock.now().monotonic))
            rig.driver.pump()
            most -= 1
            if rig.driver.restart or rig.driver.ended:
                return
        if most:
            clock.advance(max(0.0, end - clock.now().monotonic))
            rig.driver.pump()

    @rule(seconds=st.sampled_from(SECONDS))
    def time(self, seconds: float) -> None:
        with self.act():
            simulated.SAMPLE_PERIOD = 1.0 if seconds < 100 else seconds / 40
            try:
                self.pass_time(seconds)
            finally:
                simulated.SAMPLE_PERIOD = 1.0

    # -- the world -----------------------------------------------------------------------------------------

    def world(self, act: str, connector: int | None = None, /, **body: Any) -> None:
        """The world refuses what cannot be, such as plugging in twice."""
        try:
            self.rig.hardware.simulate(act, connector, body)
        except ValueError:
            return

    @rule(number=connectors, tag=st.sampled_from(payloads.TAGS), seconds=st.sampled_from((3.0, 12.0, 0.3)))
    def visit(self, number: int, tag: str, seconds: float) -> None:
        """What most people do: plug in and show a card."""
        with self.act():
            self.world("plug", number)
            self.pass_time(1.0)
            self.world("swipe", None, id_tag=tag, connector=None)
            self.pass_time(seconds)

    @rule(number=connectors, side=st.sampled_from(("both", "ev")), wait=st.sampled_from((0.5, 2.0, 0.0)))
    def cable(self, number: int, side: str, wait: float) -> None:
        """Plugged in if it was not, else unplugged."""
        with self.act():
            if number in self.numbers and self.rig.hardware.describe(number)["cable"]["present"]:
                self.world("unplug", number, side=side)
            else:
                self.world("plug", number)
            self.pass_time(wait)

    @rule(
        tag=st.one_of(st.sampled_from(payloads.TAGS), st.text("aB\x7f é", min_size=1, max_size=20)),
        number=st.sampled_from((None, None, 1, 2, 3)),
        wait=st.sampled_from((2.0, 0.1, 0.0)),
    )
    def card(self, tag: str, number: int | None, wait: float) -> None:
        with self.act():
            self.world("swipe", None, id_tag=tag, connector=number)
            self.pass_time(wait)

    @rule(number=connectors, state=st.sampled_from(("ready", "suspended")))
    def car(self, number: int, state: str) -> None:
        with self.act():
            self.world("ev", number, state=state)

    @rule(
        what=st.one_of(
            st.tuples(st.just("disk"), booleans),
            st.tuples(st.just("emergency"), booleans),
            st.tuples(st.just("fault"), st.sampled_from((0, 1, 2, 3)), st.sampled_from((*ERRORS, None))),
            st.tuples(st.just("lie"), st.sampled_from(LIES), connectors),
            st.tuples(st.just("limit"), connectors, st.sampled_from((0, 5, 6, 16, 32))),
            st.tuples(st.just("lock"), connectors, booleans),
            st.tuples(
                st.just("power"),
                st.sampled_from(("now", "before", "after")),
                st.sampled_from((1.0, 60.0, 90_000.0)),
                st.sampled_from(((), (1,), (2,), (1, 2, 3))),
                booleans,
            ),
            st.tuples(st.just("set_clock"), st.sampled_from((-86_400.0, -5.0, 5.0, 86_400.0))),
            st.tuples(st.just("stop")),
        )
    )
    def misfortune(self, what: tuple[Any, ...]) -> None:
        """One of the methods below."""
        name, *given = what
        getattr(self, name)(*given)

    def lock(self, number: int, fail: bool) -> None:
        with self.act():
            self.world("lock", number, fail=fail)

    def fault(self, place: int, error: str | None) -> None:
        """Raised, or all cleared."""
        with self.act():
            if error:
                self.world("fault", place, error_code=error, info="hostile " * 9)
            else:
                self.world("clear_fault", place)

    def emergency(self, pressed: bool) -> None:
        with self.act():
            self.rig.driver.post(Event("emergency.pressed" if pressed else "emergency.released"))

    def lie(self, name: str, number: int) -> None:
        """The wires say what is not so. What they say is all that anybody knows."""
        if number in self.numbers and not (self.fixed and name.startswith("lock")):
            with self.act():
                self.rig.driver.post(Event(name, number))

    def limit(self, number: int, amps: int) -> None:
        if number in self.numbers:
            with self.act():
                self.rig.limit(number, amps)

    def disk(self, full: bool) -> None:
        with self.act():
            self.rig.storage.broken = StorageFull("hostile") if full else None

    def power(self, moment: str, seconds: float, swapped: tuple[int, ...], locked: bool) -> None:
        """The power goes: now, or around the next time that something is written."""
        with self.act():
            if moment == "now":
                self.restart(seconds, tuple(n for n in swapped if n in self.numbers), locked=locked)
            else:
                self.rig.storage.doom = moment

    def stop(self) -> None:
        """Somebody ends the program."""
        with self.act():
            self.rig.driver.post(Event("station.stopping"))

    def set_clock(self, seconds: float) -> None:
        """Somebody sets the machine's clock."""
        with self.act():
            self.rig.clock.jump_wall(seconds)

    @rule()
    def mend(self) -> None:
        """What is broken is repaired after a while, or there would be little to see."""
        with self.act():
            self.repair()
            self.pass_time(3.0)

    def repair(self) -> None:
        rig = self.rig
        rig.storage.broken = None
        rig.cs.reachable, rig.cs.deaf = True, False
        rig.cs.answers.clear()
        self.delay = 0.02
        rig.driver.post(Event("emergency.released"))
        for number in self.numbers:
            rig.limit(number, 32)
            self.world("lock", number, fail=False)
        for place in (0, *self.numbers):
            self.world("clear_fault", place)

    # -- the Central System --------------------------------------------------------------------------------

    @rule(what=answers)
    def answer(self, what: tuple[str, Any]) -> None:
        """From now on it answers so: as usual, with an error, not at all, or with anything a schema allows."""
        action, answer = what
        known = self.rig.cs.answers
        if answer == "usual":
            known.pop(action, None)
        elif action == "StartTransaction" and isinstance(answer, dict):
            known[action] = lambda _: {**answer, "transactionId": self.identifier(answer["transactionId"])}
        else:
            known[action] = answer

    def identifier(self, drawn: int) -> int:
        """A Central System may be mad, but it does not give one id twice."""
        self.ids += 1
        return 1000 * drawn + self.ids if abs(drawn) < 2**40 else drawn - self.ids * (drawn // abs(drawn))

    @rule(seconds=st.sampled_from((0.02, 0.0, 2.0, 25.0)))
    def pace(self, seconds: float) -> None:
        """From now on it takes so long to answer."""
        self.delay = seconds

    @rule(connection=st.sampled_from(("drop", "away", "deaf", "back")), wait=st.sampled_from((0.0, 5.0)))
    def link(self, connection: str, wait: float) -> None:
        with self.act():
            cs = self.rig.cs
            cs.reachable, cs.deaf = connection in ("drop", "back"), connection == "deaf"
            if connection != "back":
                self.watch.cut_off()
                cs.lose()
            self.pass_time(wait)

    @precondition(lambda self: self.rig.cs.linked)
    @rule(several=st.lists(calls, min_size=1, max_size=5), wait=st.sampled_from((0.01, 0.0, 2.0)))
    def call(self, several: list[tuple[str, dict[str, Any]]], wait: float) -> None:
        """Several at once, without waiting for the answers."""
        with self.act():
            given = [identifier for identifier in self.watch.given.values() if identifier is not None]
            for action, fields in several:
                drawn = fields.get("transactionId", -1)
                if given and 0 <= drawn < 4:  # the newest one, the one before …
                    self.ask(action, **{**fields, "transactionId": given[-1 - drawn % len(given)]})
                else:
                    self.ask(action, **fields)
            self.pass_time(wait)

    def ask(self, action: str, **fields: Any) -> str:
        self.called += 1
        identifier = f"call-{self.called}"
        self.watch.called(identifier, action, fields)
        self.rig.driver.post(Event(f"ocpp.{action}", fields=fields, call=identifier))
        return identifier

    # -- home ----------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        RUN["examples"] += 1
        if self.sound and hasattr(self, "rig"):
            RUN["calls answered"] += self.watch.answered
            RUN["transactions"] += len(self.watch.starts)
            self.home()

    def home(self) -> None:
        """The world is quiet, the Central System honest; the station settles, and owes nobody anything."""
        self.quiet()
        self.empty()
        self.settles(self.expected)
        for place in (0, *self.numbers):
            self.world("clear_fault", place)
        self.rig.driver.post(Event("emergency.released"))
        self.wait(5.0)
        self.request("ChangeAvailability", connectorId=0, type="Operative")
        self.wait(100.0)
        self.settles(lambda _: "Available")
        self.judge()

    def expected(self, number: int) -> str:
        facts = self.rig.facts
        if facts.faults_at(number) or facts.emergency:
            return "Faulted"
        return "Unavailable" if facts.inoperative(number) else "Available"

    def wait(self, seconds: float) -> None:
        with self.act():
            self.pass_time(seconds, most=100_000)

    def request(self, action: str, **fields: Any) -> Any:
        """An honest call, and its answer."""
        with self.act():
            identifier = self.ask(action, **fields)
            self.pass_time(0.01)
        for _ in range(150):
            if identifier in self.rig.cs.replies:
                break
            self.wait(0.1)
        return self.rig.cs.replies[identifier]

    def quiet(self) -> None:
        with self.act():
            faults, emergency = dict(self.rig.facts.faults), self.rig.facts.emergency
            self.repair()
            self.rig.storage.doom = ""
            for error in faults:
                self.world("fault", 0, error_code=error, info="left")
            if emergency:
                self.rig.driver.post(Event("emergency.pressed"))
            self.pass_time(70.0)
        for _ in range(2):  # an ending program, a Reset that is under way
            self.wait(70.0)
        if not self.watch.accepted:  # told to wait for ever: somebody switches it off and on
            with self.act():
                self.restart(3.0)
            self.wait(10.0)
        assert self.watch.accepted, self.rig.states()
        for key, value in {
            "ClockAlignedDataInterval": "0",
            "ConnectionTimeOut": "5",
            "HeartbeatInterval": "300",
            "MessageTimeout": "5",
            "MeterValueSampleInterval": "0",
            "MinimumStatusDuration": "0",
            "TransactionMessageAttempts": "3",
            "TransactionMessageRetryInterval": "1",
            "WebSocketPingInterval": "30",
        }.items():
            assert self.request("ChangeConfiguration", key=key, value=value) == {"status": "Accepted"}, key
        self.wait(40.0)

    def empty(self) -> None:
        """Whoever charges is asked to stop, every plug is pulled."""
        for running in self.rig.facts.transactions.all():
            given = self.rig.facts.queue.bound(running.number)
            if given in (None, -1):
                with self.act():
                    self.world("swipe", None, id_tag=running.tag, connector=None)
            else:
                self.request("RemoteStopTransaction", transactionId=given)
            self.wait(15.0)
        for number in self.numbers:
            if not self.fixed:
                self.request("UnlockConnector", connectorId=number)
            with self.act():
                self.world("unplug", number)
            wires, plug = self.rig.facts.connectors[number], self.rig.hardware.describe(number)["cable"]
            if wires.cable != plug["present"]:  # a lie that nobody has taken back
                with self.act():
                    self.rig.driver.post(Event("cable.unplugged", number))
        self.wait(100.0)

    def settles(self, expected: Callable[[int], str]) -> None:
        for number in (0, *self.numbers):
            states = self.rig.states(number)
            assert self.rig.status(number) == expected(number), (number, states)
            last = [one for one in self.rig.sent("StatusNotification") if one["connectorId"] == number][-1:]
            assert [one["status"] for one in last] == [expected(number)], (number, last)

    def judge(self) -> None:
        rig, watch = self.rig, self.watch
        for number in self.numbers:
            states = rig.states(number)
            resting = {
                "link": "Up",
                "registration": "Accepted",
                "authorization": "Idle",
                "reset": "Idle",
                "delivery": "Idle",
                "transaction": "Idle",
                "connector": "Available",
                "pilot": "Silent",
                "power": "Open",
                "lock": "Fixed" if self.fixed else "Released",
                "metering": "Idle",
                "notification": "Quiet",
            }
            assert {chart: states[chart] for chart in resting} == resting
        assert sorted(watch.starts) == sorted(watch.stops), "a transaction without an end"
        left = Counter(subject for subject, key in rig.storage.facts if (subject, key) != ACCEPTED)
        assert left["sequence"] <= 5, left
        assert left["session"] <= len(self.numbers), left
        kept = {"cache", "configuration", "sequence", "session"}
        assert not left.keys() - kept, left
        told = {notice["connectorId"] for notice in rig.sent("StatusNotification")}
        assert told == {0, *self.numbers}
