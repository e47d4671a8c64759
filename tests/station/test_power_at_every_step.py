"""The power goes before and after every commit and every command of a whole session (digest §1.5, §2.15).

A scene is played once, and each of its moments is kept: what is on disk, what the Central System heard, how
the world stands. From each of them a new life begins, with the car still there or gone, and in the end the
books of the Central System must be right. Moments are judged by what was visible, not by what the disk says.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from rig import MemoryStorage, Rig

from charger import ports
from charger.clock import VirtualClock
from charger.functions.times import to_seconds
from charger.ports import Change

pytestmark = pytest.mark.no_cover  # looking at every line would take longer than the test

REGISTERS = {1: 1000.4, 2: 2000.7}
"""Wh on the meters when a scene begins."""
SAMPLES = 20
"""MeterValueSampleInterval, s: so old may the last knowledge of a transaction be."""
KEYS = {
    "AllowOfflineTxForUnknownId": "true",
    "MeterValueSampleInterval": str(SAMPLES),
    "StopTxnSampledData": "Energy.Active.Import.Register",
    "MeterValuesSampledData": "Energy.Active.Import.Register",
}
TAGS = {1: "ONE", 2: "TWO"}


# -- an honest Central System ---------------------------------------------------------------------------------


@dataclass
class Books:
    """What the Central System heard; the same StartTransaction again gets the same transactionId."""

    status: str = "Accepted"
    calls: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    """Unique id, action and payload of every transaction message it heard."""

    def open(self, rig: Rig) -> None:
        """It is the Central System of this station."""
        transmit = rig.cs._transmit

        def hear() -> None:
            call = rig.cs._pending[0]
            if call.id is not None:  # of the queue: what may come again
                self.calls.append((call.id, call.action, dict(call.payload)))
            transmit()

        rig.cs._transmit = hear  # type: ignore[method-assign]
        rig.cs.answers["StartTransaction"] = lambda _request: {
            "transactionId": self.number(self.calls[-1][0]),
            "idTagInfo": {"status": self.status},
        }

    def number(self, unique_id: str) -> int:
        """The transactionId that belongs to a StartTransaction."""
        return 1000 - 7 * [*self.messages("StartTransaction")].index(unique_id)

    def messages(self, *actions: str) -> dict[str, dict[str, Any]]:
        """By unique id; a message that came again is the same message, word for word."""
        found: dict[str, dict[str, Any]] = {}
        for unique_id, action, payload in self.calls:
            if action in actions:
                assert found.setdefault(unique_id, payload) == payload
        words = [repr(sorted(payload.items())) for payload in found.values()]
        assert len(words) == len(set(words)), "the same words under another id"
        return found

    def check(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Every start has one stop with its id, and values in between; gives start and stop of each."""
        order = [*self.messages("StartTransaction", "MeterValues", "StopTransaction").values()]
        starts = self.messages("StartTransaction")
        ids = {self.number(unique_id): start for unique_id, start in starts.items()}
        stops = [*self.messages("StopTransaction").values()]
        assert sorted(stop["transactionId"] for stop in stops) == sorted(ids)
        values = [*self.messages("MeterValues").values()]
        assert {value["transactionId"] for value in values} <= set(ids)
        pairs = []
        for number, start in ids.items():
            stop = next(stop for stop in stops if stop["transactionId"] == number)
            of_this = [value for value in values if value["transactionId"] == number]
            assert {value["connectorId"] for value in of_this} <= {start["connectorId"]}
            chain = [start, *of_this, stop]
            assert [order.index(message) for message in chain] == sorted(order.index(one) for one in chain)
            registers = [start["meterStart"], *map(_register, of_this), stop["meterStop"]]
            assert registers == sorted(registers)
            times = [start["timestamp"], *map(_time, of_this), stop["timestamp"]]
            assert times == sorted(times)
            contexts = [one["sampledValue"][0]["context"] for one in stop["transactionData"]]
            assert (contexts[0], contexts[-1]) == ("Transaction.Begin", "Transaction.End")
            assert contexts[1:-1] == ["Sample.Periodic"] * len(of_this)
            pairs.append((start, stop))
        return pairs


def _register(message: dict[str, Any]) -> int:
    return int(message["meterValue"][0]["sampledValue"][0]["value"])


def _time(message: dict[str, Any]) -> str:
    return str(message["meterValue"][0]["timestamp"])


# -- moments ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Moment:
    """What is left when the power goes now."""

    facts: dict[tuple[str, str], Any]
    heard: int
    """So many transaction messages the Central System had heard."""
    acknowledged: tuple[tuple[str, dict[str, Any]], ...]
    """Calls of the Central System that were answered Accepted or Scheduled."""
    asked: tuple[str, ...]
    """Calls that were made, answered or not."""
    plugged: tuple[int, ...]
    locked: tuple[int, ...]
    offered: tuple[int, ...]
    """Connectors with an offer to the car: something has begun there."""
    ends: dict[int, tuple[str, bool]]
    """Connector → why its transaction is to end, and whether that was visible already."""
    wall: float = field(compare=False)
    energies: dict[int, float] = field(compare=False)


@dataclass
class Scene:
    """Plays, and keeps every moment."""

    rig: Rig
    books: Books
    moments: list[Moment] = field(default_factory=list)
    ends: dict[int, tuple[str, bool]] = field(default_factory=dict)
    acknowledged: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def record(self) -> None:
        """From now on every commit and every command is between two moments."""
        rig = self.rig
        commit, hardware, central = rig.storage.commit, rig.hardware.perform, rig.cs.perform

        def committing(changes: tuple[Change, ...]) -> None:
            self.keep()
            commit(changes)
            self.keep()

        def moving(command: Any) -> None:
            self.keep()
            hardware(command)
            if (
                isinstance(command, ports.OfferCurrent)
                and not command.amps
                and command.connector in self.ends
            ):
                self.ends[command.connector] = (self.ends[command.connector][0], True)
            self.keep()

        def speaking(command: Any) -> None:
            self.keep()
            central(command)
            if isinstance(command, ports.Reply) and command.payload.get("status") in {
                "Accepted",
                "Scheduled",
            }:
                request = next(one for one in reversed(self.asked) if one[0] == command.action)
                self.acknowledged.append(request)
            self.keep()

        rig.storage.commit = committing  # type: ignore[method-assign]
        rig.hardware.perform = moving  # type: ignore[method-assign]
        rig.cs.perform = speaking  # type: ignore[method-assign]
        self.keep()

    def keep(self) -> None:
        """Now. Of moments that differ in time only the first and the last are kept."""
        numbers = self.numbers()
        wires = {number: self.rig.hardware.describe(number) for number in numbers}
        moment = Moment(
            dict(self.rig.storage.facts),
            len(self.books.calls),
            tuple(self.acknowledged),
            tuple(action for action, _ in self.asked),
            tuple(number for number in numbers if wires[number]["cable"]["present"]),
            tuple(number for number in numbers if wires[number]["lock"] == "engaged"),
            tuple(number for number in numbers if wires[number]["pilot_amps"]),
            dict(self.ends),
            self.rig.clock.now().wall,
            {number: wires[number]["meter"]["energy_wh"] for number in numbers},
        )
        if self.moments[-2:] == [moment, moment]:
            self.moments.pop()
        self.moments.append(moment)

    def numbers(self) -> range:
        return range(1, len(self.rig.plans) + 1)

    def call(self, action: str, **payload: Any) -> Any:
        self.asked.append((action, payload))
        return self.rig.call(action, **payload)

    def ending(self, reason: str, *connectors: int) -> None:
        """What comes now ends the transactions there."""
        for connector in connectors or self.numbers():
            self.ends[connector] = (reason, False)

    def begin(self) -> None:
        """A car and a card at every connector, one after the other."""
        for number in self.numbers():
            self.rig.plug(number)
            self.rig.swipe(TAGS[number])
            self.rig.after(3)

    def leave(self) -> None:
        """The books are closed; the cars go."""
        self.rig.after(4)
        for number in self.numbers():
            if self.rig.hardware.describe(number)["cable"]["present"]:
                self.rig.unplug(number)
        self.rig.after(3)


def world(
    connectors: int,
    *,
    fixed: bool,
    plugged: tuple[int, ...] = (),
    locked: tuple[int, ...] = (),
    energies: dict[int, float] = REGISTERS,
    facts: dict[tuple[str, str], Any] | None = None,
    wall: float = 1_800_000_000.0,
) -> Rig:
    """A station that is about to start, in that world."""
    storage = MemoryStorage()
    storage.facts = dict(facts or {})
    rig = Rig(
        connectors,
        fixed=fixed,
        storage=storage,
        clock=VirtualClock(wall),
        start=False,
        simulation={"plugged": plugged},
        **KEYS,
    )
    for number in range(1, connectors + 1):
        rig.hardware._outlets[number].energy = energies[number]
        rig.hardware._outlets[number].locked = number in locked
    return rig


# -- scenes -------------------------------------------------------------------------------------------------


def by_card(scene: Scene) -> None:
    scene.begin()
    scene.rig.after(25)
    for number in scene.numbers():
        scene.ending("Local", number)
        scene.rig.swipe(TAGS[number])
    scene.leave()


def card_first(scene: Scene) -> None:
    for number in scene.numbers():
        scene.rig.swipe(TAGS[number], number)
        scene.rig.plug(number)
        scene.rig.after(2)
    for number in scene.numbers():
        scene.ending("EVDisconnected", number)
        scene.rig.act("unplug", number, side="ev")
    scene.leave()


def remotely(scene: Scene) -> None:
    for number in scene.numbers():
        scene.call("RemoteStartTransaction", idTag=TAGS[number], connectorId=number)
        scene.rig.plug(number)
        scene.rig.after(2)
    scene.rig.after(22)
    for number in scene.numbers():
        scene.ending("Remote", number)
        assert scene.call("RemoteStopTransaction", transactionId=1000 - 7 * (number - 1)) == {
            "status": "Accepted"
        }
    scene.leave()


def offline(scene: Scene) -> None:
    scene.rig.cut()
    by_card(scene)
    scene.rig.mend()


def offline_in_between(scene: Scene) -> None:
    scene.begin()
    scene.rig.cut()
    scene.rig.after(42)
    scene.rig.cs.reachable = True
    scene.rig.until(lambda: scene.rig.cs.linked, 70, 1)
    scene.rig.after(2)
    scene.ending("Local", 1)
    scene.rig.swipe("ONE")
    scene.rig.cut()
    for number in scene.numbers()[1:]:
        scene.ending("Local", number)
        scene.rig.swipe(TAGS[number])
    scene.leave()
    scene.rig.mend()


def refused(scene: Scene) -> None:
    scene.books.status = "Invalid"
    for number in scene.numbers():
        scene.rig.plug(number)
        scene.ending("DeAuthorized", number)
        scene.rig.swipe(TAGS[number])
        scene.rig.after(10)
        if not scene.rig.plans[0].fixed:
            scene.rig.swipe(TAGS[number])  # the cable is held: now it may go
    scene.leave()


def refused_later(scene: Scene) -> None:
    scene.books.status = "Blocked"
    scene.rig.cut()
    scene.begin()
    scene.rig.after(22)
    scene.ending("DeAuthorized")
    scene.rig.mend()
    for number in () if scene.rig.plans[0].fixed else scene.numbers():
        scene.rig.swipe(TAGS[number])
    scene.leave()


def reset(kind: str) -> Callable[[Scene], None]:
    def play(scene: Scene) -> None:
        scene.begin()
        scene.rig.after(22)
        scene.ending(f"{kind}Reset")
        assert scene.call("Reset", type=kind) == {"status": "Accepted"}
        scene.rig.until(lambda: scene.rig.driver.restart is not None)
        scene.keep()

    play.__name__ = f"{kind.lower()} reset"
    return play


def unlocked(scene: Scene) -> None:
    scene.begin()
    for number in scene.numbers():
        if scene.rig.plans[0].fixed:  # nothing to unlock: the transaction goes on
            assert scene.call("UnlockConnector", connectorId=number) == {"status": "NotSupported"}
            scene.rig.after(3)
            scene.ending("Local", number)
            scene.rig.swipe(TAGS[number])
        else:
            scene.ending("UnlockCommand", number)
            scene.call("UnlockConnector", connectorId=number)
            scene.rig.after(3)
    scene.leave()


def administered(scene: Scene) -> None:
    scene.rig.swipe("OTHER", 1)
    scene.rig.swipe("OTHER", 1)
    scene.begin()
    for value in ("7", "9"):
        scene.call("ChangeConfiguration", key="BlinkRepeat", value=value)
    scene.call("ClearCache")
    scene.call("ChangeAvailability", connectorId=0, type="Inoperative")
    scene.call("ChangeAvailability", connectorId=0, type="Operative")
    for number in scene.numbers():
        scene.call("ChangeAvailability", connectorId=number, type="Inoperative")
    scene.call("ChangeConfiguration", key="LightIntensity", value="50")
    for number in scene.numbers():
        scene.ending("Local", number)
        scene.rig.swipe(TAGS[number])
    scene.leave()


def administered_idle(scene: Scene) -> None:
    scene.rig.swipe("OTHER", 1)
    scene.rig.swipe("OTHER", 1)
    scene.call("ClearCache")
    scene.call("ChangeAvailability", connectorId=1, type="Inoperative")
    scene.call("ChangeConfiguration", key="BlinkRepeat", value="7")
    scene.call("ChangeAvailability", connectorId=0, type="Inoperative")
    scene.call("Reset", type="Soft")
    scene.rig.after(2)


SCENES = [
    *(by_card, card_first, remotely, offline, offline_in_between, refused, refused_later),
    *(reset("Soft"), reset("Hard"), unlocked, administered, administered_idle),
]


# -- afterwards -----------------------------------------------------------------------------------------------


def another_life(scene: Scene, moment: Moment, *, gone: bool) -> tuple[Rig, Books]:
    """The power is back after 90 s; the cars are still there, or gone."""
    rig = world(
        len(scene.rig.plans),
        fixed=scene.rig.plans[0].fixed,
        plugged=() if gone else moment.plugged,
        locked=() if gone else moment.locked,
        energies=moment.energies,
        facts=moment.facts,
        wall=moment.wall + 90,
    )
    books = Books(scene.books.status, scene.books.calls[: moment.heard])
    books.open(rig)
    return rig, books


def settle(rig: Rig, *, gone: bool, plugged: tuple[int, ...]) -> None:
    """The station starts; whoever is still there goes."""
    rig.driver.start()
    rig.after(6)
    for number in () if gone else plugged:
        assert rig.hardware.describe(number)["cable"]["present"]
        if rig.state("connector", number) == "Held":  # the cut has not freed it (errata 3.5); the card does
            rig.swipe(TAGS[number])
            rig.after(1)
        rig.unplug(number)
        assert not rig.hardware.describe(number)["cable"]["present"]
    rig.after(3)


def judge(moment: Moment, rig: Rig, books: Books) -> None:
    """One truth, whenever the power went."""
    numbers = range(1, len(rig.plans) + 1)
    pairs = books.check()
    begun = {start["connectorId"] for start, _ in pairs}
    assert len(begun) == len(pairs)
    assert set(moment.offered) <= begun
    assert len(pairs) == moment.facts.get(("sequence", "transaction"), 0)
    for start, stop in pairs:
        number = start["connectorId"]
        reason, visible = moment.ends.get(number, ("PowerLoss", True))
        assert stop["reason"] in ({reason} if visible else {reason, "PowerLoss"})
        assert stop.get("idTag") == (TAGS[number] if stop["reason"] == "Local" else None)
        assert start["idTag"] == TAGS[number]
        assert start["meterStart"] == int(REGISTERS[number])
        assert stop["meterStop"] == int(moment.energies[number])
        began, ended = (to_seconds(one["timestamp"]) or 0.0 for one in (start, stop))
        assert began <= ended <= moment.wall + 0.001
        if stop["reason"] == "PowerLoss":
            assert ended >= moment.wall - SAMPLES - 1
    assert rig.log()[0] == "BootNotification"
    assert rig.facts.queue.length() == 0
    left = {subject for subject, _ in rig.storage.facts}
    assert not left & {"transaction", "message", "reading", "bound", "fault"}
    assert rig.driver.restart is None
    for number in numbers:
        wires = rig.hardware.describe(number)
        assert (wires["contactor"], wires["pilot_amps"] or 0) == ("open", 0)
        assert wires["lock"] in {None, "released"}
        assert wires["meter"]["energy_wh"] == moment.energies[number]
    kept(moment, rig)


def kept(moment: Moment, rig: Rig) -> None:
    """What was acknowledged holds; what was only asked may hold or not."""
    inoperative: set[int] = set()
    written: dict[str, str] = {}
    for action, request in moment.acknowledged:
        match action:
            case "ChangeAvailability" if request["type"] == "Inoperative":
                inoperative.add(request["connectorId"])
            case "ChangeAvailability" if request["connectorId"]:
                inoperative.discard(request["connectorId"])
            case "ChangeAvailability":
                inoperative.clear()
            case "ChangeConfiguration":
                written[request["key"]] = request["value"]
            case "ClearCache":
                assert rig.facts.cache.find("OTHER", rig.facts.time) is None
    answered = [action for action, _ in moment.acknowledged]
    for number in range(len(rig.plans) + 1):
        expected = {"Unavailable"} if inoperative & {0, number} else {"Available"}
        if moment.asked.count("ChangeAvailability") != answered.count("ChangeAvailability"):
            expected = {"Available", "Unavailable"}
        assert rig.status(number) in expected
        assert rig.told(number)[-1] == rig.status(number)
    if written and moment.asked.count("ChangeConfiguration") == answered.count("ChangeConfiguration"):
        found = rig.call("GetConfiguration", key=[*written])["configurationKey"]
        assert {entry["key"]: entry["value"] for entry in found} == written


def played(play: Callable[[Scene], None], connectors: int, *, fixed: bool) -> Scene:
    """The scene without any cut, recorded."""
    rig = world(connectors, fixed=fixed)
    scene = Scene(rig, Books())
    scene.books.open(rig)
    rig.driver.start()
    rig.after(5)
    scene.record()
    play(scene)
    scene.keep()
    return scene


@pytest.mark.parametrize("fixed", [False, True], ids=["socket", "fixed"])
@pytest.mark.parametrize("connectors", [1, 2])
@pytest.mark.parametrize("play", SCENES, ids=lambda play: play.__name__)
def test_a_cut_at_every_step(play: Callable[[Scene], None], connectors: int, *, fixed: bool) -> None:
    """Digest §2.15, §1.5: started once, stopped once, for the right reason, with the right id and register."""
    scene = played(play, connectors, fixed=fixed)
    found = []
    for index, moment in enumerate(scene.moments):
        both = (False, True) if connectors == 1 and not fixed else (index % 2 == 0,)
        for gone in both if moment.plugged else (True,):
            rig, books = another_life(scene, moment, gone=gone)
            settle(rig, gone=gone, plugged=moment.plugged)
            try:
                judge(moment, rig, books)
            except AssertionError as error:
                found.append(f"{index}/{len(scene.moments)} gone={gone}: {error}")
    assert found == []
    assert len(scene.moments) >= (8 if play is administered_idle else 20)


# -- cut after cut ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fixed", [False, True], ids=["socket", "fixed"])
@pytest.mark.parametrize(
    "play", [by_card, offline_in_between, refused, reset("Hard")], ids=lambda p: p.__name__
)
def test_a_cut_at_every_step_of_the_recovery(play: Callable[[Scene], None], *, fixed: bool) -> None:
    """Digest §2.15: the stop that a start makes for the last life is made once, though the power goes again."""
    first = played(play, 1, fixed=fixed)
    begun = next(index for index, moment in enumerate(first.moments) if moment.offered)
    lives = 0
    for moment in first.moments[begun::5]:
        rig, books = another_life(first, moment, gone=False)
        second = Scene(rig, books)
        second.record()
        settle(rig, gone=False, plugged=moment.plugged)
        judge(moment, rig, books)
        for again in second.moments:
            rig, books = another_life(second, again, gone=False)
            settle(rig, gone=False, plugged=again.plugged)
            judge(moment, rig, books)
            lives += 1
    assert lives >= 20


@pytest.mark.parametrize("seed", range(6))
def test_cut_after_cut_after_cut(seed: int) -> None:
    """Digest §2.15: with several sessions, also while the books of the last one are being closed."""
    chance = random.Random(seed)
    scene = Scene(world(2, fixed=bool(seed % 2)), Books())
    scene.books.open(scene.rig)
    scene.rig.driver.start()
    for _ in range(8):
        number = chance.choice([1, 2])
        if not scene.rig.hardware.describe(number)["cable"]["present"]:
            scene.rig.hardware.simulate("plug", number, {})
        for pause in ([0.05, 0.2, 0.5, 2, 30], [0.05, 0.2, 0.5, 2]):
            scene.rig.hardware.simulate("swipe", None, {"id_tag": TAGS[number], "connector": number})
            scene.rig.after(chance.choice(pause))
        scene.keep()
        rig, books = another_life(scene, scene.moments[-1], gone=False)
        scene = Scene(rig, books)
        rig.driver.start()
        rig.after(chance.choice([0, 0.03, 3]))
    scene.rig.after(10)
    scene.leave()
    pairs = scene.books.check()
    assert len(pairs) >= 3
    assert {stop["reason"] for _, stop in pairs} <= {"PowerLoss", "Local"}
    assert scene.rig.facts.queue.length() == 0
    assert {scene.rig.status(number) for number in range(3)} == {"Available"}
    for number in (1, 2):
        here = [pair for pair in pairs if pair[0]["connectorId"] == number]
        registers = [value for start, stop in here for value in (start["meterStart"], stop["meterStop"])]
        assert registers == sorted(registers)
