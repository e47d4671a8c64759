"""Months of ordinary use in minutes: does anything grow, does anything get lost?

The whole station in virtual time, with its real database in a temporary folder, two connectors, some hundred
cards, and what months bring: offline hours, power cuts, faults, resets, other settings, corrected clocks, a
Central System that is late or refuses. After each period the world is quiet for a while and everything is
counted. Ends with 1 when a message or an energy was lost, or memory or database grew from period to period.

    python tests/soak.py [--days 240] [--period 30] [--seed 1]
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rig import Rig

from charger.functions.times import to_text
from charger.hardware import simulated
from charger.storage import FILE, LOG_LIMIT, SqliteStorage

DAY = 86_400.0
CARDS = 250
SAMPLE_PERIOD = 10.0
"""s between two readings of the simulated meter; one per second would be most of the work."""
CONFIGURATION = {
    "HeartbeatInterval": "3600",
    "StopTxnSampledData": "Energy.Active.Import.Register",
    "TransactionMessageAttempts": "20",
    "TransactionMessageRetryInterval": "5",
    "WebSocketPingInterval": "300",
}
SLACK = {"rss": 8_000, "objects": 8_000, "database": 256 * 1024}
"""By so much it may rise after the second period. Decisions of charts are remembered when they are first made, a
file keeps the size of its fullest day, and allocators take memory in big pieces."""
SETTINGS = (
    ("MeterValueSampleInterval", ("60", "120", "300")),
    ("ConnectionTimeOut", ("30", "60", "120")),
    ("LocalPreAuthorize", ("true", "false")),
    ("MinimumStatusDuration", ("0", "2")),
    ("ClockAlignedDataInterval", ("0", "900")),
)


@dataclass(slots=True)
class Bill:
    """One transaction as the Central System has it."""

    connector: int
    start: int
    stop: int | None = None


@dataclass(slots=True)
class Books:
    """What the Central System has taken, by content: what is sent twice counts once."""

    chance: random.Random
    honest: bool = False
    given: int = 0
    """The newest transactionId."""
    ids: dict[str, int] = field(default_factory=dict)
    bills: dict[int, Bill] = field(default_factory=dict)
    delivered: set[str] = field(default_factory=set)
    """Unique ids of transaction messages that were answered well."""

    def mood(self, answer: Any) -> Any:
        """Mostly it answers; sometimes too late, or with an error."""
        luck = 1.0 if self.honest else self.chance.random()
        return "timeout" if luck < 0.02 else "error" if luck < 0.04 else answer

    def authorize(self, _: dict[str, Any]) -> Any:
        status = "Accepted" if self.honest or self.chance.random() < 0.97 else "Blocked"
        return self.mood({"idTagInfo": {"status": status}})

    def start(self, request: dict[str, Any]) -> Any:
        answer = self.mood({})
        if answer == "error":
            return answer
        content = repr(sorted(request.items()))
        if content not in self.ids:
            self.given += 1
        number = self.ids.setdefault(content, self.given)
        self.bills.setdefault(number, Bill(request["connectorId"], request["meterStart"]))
        status = "Invalid" if number % 50 == 0 else "Accepted"
        return answer or {"transactionId": number, "idTagInfo": {"status": status}}

    def stop(self, request: dict[str, Any]) -> Any:
        answer = self.mood({})
        bill = self.bills.get(request["transactionId"])
        if answer != "error" and bill:
            assert bill.stop in (None, request["meterStop"]), "stopped twice, with another energy"
            bill.stop = request["meterStop"]
        return answer

    def wire(self, rig: Rig) -> None:
        """Answer a program from its first message."""
        cs = rig.cs
        cs.answers |= {"Authorize": self.authorize, "StartTransaction": self.start}
        cs.answers |= {"StopTransaction": self.stop, "MeterValues": lambda _: self.mood({})}
        cs.answers["Heartbeat"] = lambda _: {"currentTime": self.wrong_by_a_little(rig)}
        answered = cs._answered

        def noted(call: Any, outcome: str, payload: Any) -> None:
            if call.id and outcome == "result":
                self.delivered.add(call.id)
            answered(call, outcome, payload)

        cs._answered = noted

    def wrong_by_a_little(self, rig: Rig) -> str:
        return to_text(rig.clock.now().wall + self.chance.choice((0.0, 0.0, -3.0, 2.0, 20.0)))


@dataclass(frozen=True, slots=True)
class Row:
    """One period."""

    day: int
    sessions: int
    delivered: int
    """Wh that the meters counted; billed likewise."""
    billed: int
    lost: int
    """Messages, and transactions without an end or with a wrong energy."""
    rss: int
    """KiB."""
    objects: int
    database: int
    log: int
    """Bytes."""
    facts: Counter[str]


class Soak:
    """One station and its neighbourhood."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.books = Books(self.chance)
        self.folder = folder
        self.cuts = 0
        self.cards = 0
        self.there: dict[int, str] = {}
        self.billed = dict.fromkeys((1, 2), 0)
        """Wh of the meter up to which the books are checked."""
        self.messages = 0
        storage: Any = SqliteStorage(folder / "0")
        self.rig = Rig(2, storage=storage, start=False, **CONFIGURATION)
        self.live()

    def live(self) -> None:
        self.rig.driver._on_step = lambda _: None
        self.books.wire(self.rig)
        self.rig.driver.start()
        self.rig.driver.pump()

    @property
    def now(self) -> float:
        return self.rig.clock.now().wall

    # -- what happens ----------------------------------------------------------------------------------

    def until(self, moment: float) -> None:
        """Up to a wall time; a station that restarts does."""
        while self.now < moment:
            clock, driver = self.rig.clock, self.rig.driver
            end = clock.now().monotonic + moment - self.now
            while (due := clock.next_due()) is not None and due <= end and not driver.restart:
                clock.advance(max(0.0, due - clock.now().monotonic))
                driver.pump()
            if driver.restart:
                self.restart(5.0)
            else:
                clock.advance(max(0.0, end - clock.now().monotonic))
                driver.pump()

    def restart(self, seconds: float) -> None:
        """Without warning: what the next program finds is a copy of the files as they are."""
        self.cuts += 1
        old, left = self.folder / str(self.cuts - 1), self.folder / str(self.cuts)
        shutil.copytree(old, left)
        self.rig.storage.close()
        shutil.rmtree(old)
        storage: Any = SqliteStorage(left)
        assert storage.recovered is None, storage.recovered
        self.rig.storage = storage
        reachable = self.rig.cs.reachable
        self.rig = self.rig.power_cut(seconds, start=False)
        self.rig.before = []
        self.rig.cs.reachable = reachable
        self.live()

    def come(self, number: int) -> None:
        self.cards += 1
        card = f"CARD{self.cards % CARDS if self.cards < 2 * CARDS else self.chance.randrange(CARDS):06}"
        self.there[number] = card
        self.world("plug", number)
        self.until(self.now + self.chance.choice((2, 5, 20)))
        self.world("swipe", None, id_tag=card, connector=None)

    def leave(self, number: int) -> None:
        how = self.chance.random()
        if how < 0.5:
            self.world("swipe", None, id_tag=self.there[number], connector=None)
        elif how < 0.7:
            for running in self.rig.facts.transactions.all():
                if running.connector == number and self.rig.cs.linked:
                    given = self.rig.facts.queue.bound(running.number)
                    self.rig.call("RemoteStopTransaction", transactionId=given or 0)
        self.until(self.now + 15)
        self.world("unplug", number)
        self.until(self.now + 20)
        if self.rig.hardware.describe(number)["cable"]["present"]:  # held, until somebody helps
            self.rig.call("UnlockConnector", connectorId=number)
            self.until(self.now + 20)

    def world(self, act: str, connector: int | None = None, /, **body: Any) -> None:
        try:
            self.rig.hardware.simulate(act, connector, body)
        except ValueError:
            return
        self.rig.driver.pump()

    def pause(self, away: bool) -> None:
        self.rig.cs.reachable = not away
        if away:
            self.rig.cs.lose()
            self.rig.driver.pump()

    def reconnect(self) -> None:
        self.rig.cs.lose()
        self.rig.driver.pump()

    def configure(self) -> None:
        key, values = self.chance.choice(SETTINGS)
        self.rig.call("ChangeConfiguration", key=key, value=self.chance.choice(values))

    def fault(self, number: int, raised: bool) -> None:
        if raised:
            self.world("fault", number, error_code="GroundFailure", info="soak")
        else:
            self.world("clear_fault", number)

    def correct(self) -> None:
        self.rig.clock.jump_wall(self.chance.choice((-30.0, -2.0, 2.0, 45.0)))

    def agenda(self, begin: float) -> Iterator[tuple[float, Callable[[], None]]]:
        """What happens on a day."""
        chance = self.chance
        for number in (1, 2):
            moment = begin + chance.uniform(600, 7200)
            while moment < begin + DAY - 7200:
                length = chance.uniform(300, 3000)
                yield moment, lambda number=number: self.come(number)
                yield moment + length, lambda number=number: self.leave(number)
                moment += length + chance.uniform(1800, 9000)
        some = begin + chance.uniform(3600, DAY - 5 * 3600)
        yield begin + chance.uniform(0, DAY), self.reconnect
        yield begin + chance.uniform(0, DAY), self.configure
        rare: list[tuple[float, Callable[[], None], Callable[[], None]]] = [
            (0.3, lambda: self.pause(True), lambda: self.pause(False)),
            (0.2, lambda: self.restart(chance.choice((1, 90, 7000))), lambda: None),
            (0.2, lambda: self.fault(1, True), lambda: self.fault(1, False)),
            (0.1, lambda: self.fault(0, True), lambda: self.fault(0, False)),
            (0.1, lambda: self.reset("Soft"), lambda: None),
            (0.1, lambda: self.reset("Hard"), lambda: None),
            (0.2, self.correct, self.correct),
        ]
        for chances, first, then in rare:
            if chance.random() < chances:
                moment = some + chance.uniform(-3000, 3000)
                yield moment, first
                yield moment + chance.uniform(600, 3 * 3600), then

    def reset(self, kind: str) -> None:
        if self.rig.cs.linked:
            self.rig.call("Reset", type=kind)

    def day(self) -> None:
        begin = self.now
        for moment, act in sorted(self.agenda(begin), key=lambda one: one[0]):
            self.until(moment)
            act()
            self.until(self.now + 0.01)
        self.until(begin + DAY)
        cs = self.rig.cs
        self.rig.forget()  # what the tests keep must not pass for what the station keeps
        for kept in (cs.replies, cs.answered, cs.pings, cs.attempts):
            kept.clear()

    # -- the count -------------------------------------------------------------------------------------

    def count(self, day: int) -> Row:
        """After a quiet while: what there is, what is owed."""
        self.books.honest = True
        self.pause(False)
        for number in (1, 2):
            self.fault(number, False)
            if self.rig.hardware.describe(number)["cable"]["present"]:
                self.leave(number)
        self.fault(0, False)
        for _ in range(120):
            self.until(self.now + 60)
            if not self.rig.facts.queue.length() and not self.rig.facts.transactions.all():
                break
        lost, sessions, billed, delivered = self.audit()
        self.books.honest = False
        gc.collect()
        folder = self.folder / str(self.cuts)
        facts = Counter(change.subject for change in self.rig.storage.load())
        return Row(
            day=day,
            sessions=sessions,
            delivered=delivered,
            billed=billed,
            lost=lost,
            rss=int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024,
            objects=len(gc.get_objects()),
            database=(folder / FILE).stat().st_size,
            log=(folder / f"{FILE}-wal").stat().st_size,
            facts=facts,
        )

    def audit(self) -> tuple[int, int, int, int]:
        """Lost messages and transactions, sessions, Wh billed, Wh delivered since the last time.

        Energy flows in transactions only, so each begins at the register at which the one before ended.
        """
        made = int(self.rig.facts.records.get("sequence", "message") or 0)
        lost = made - self.messages - len(self.books.delivered)
        self.messages = made
        self.books.delivered.clear()
        sessions, billed, delivered = len(self.books.bills), 0, 0
        for number, before in self.billed.items():
            at = before
            for bill in (one for one in self.books.bills.values() if one.connector == number):
                if bill.start != at or bill.stop is None:
                    lost += 1
                at = bill.stop if bill.stop is not None else bill.start
                billed += at - bill.start
            register = int(self.rig.hardware.describe(number)["meter"]["energy_wh"])
            delivered += register - before
            self.billed[number] = register
        self.books.bills.clear()
        self.books.ids.clear()
        return lost, sessions, billed, delivered

    def close(self) -> None:
        self.rig.storage.close()


def complaints(rows: list[Row]) -> list[str]:
    """What is wrong. Growth is looked for when there is enough to see: the first periods warm up, the cache fills."""
    found = []
    for row in rows:
        if row.lost:
            found.append(f"day {row.day}: {row.lost} messages, ends or energies lost")
        if row.delivered != row.billed:
            found.append(f"day {row.day}: {row.delivered} Wh delivered, {row.billed} Wh billed")
        if row.log > 2 * LOG_LIMIT:
            found.append(f"day {row.day}: the log of the database has {row.log} bytes")
        left = {name: row.facts[name] for name in ("message", "bound", "reading", "transaction", "fault")}
        if any(left.values()):
            found.append(f"day {row.day}: left over: {left}")
    for name, slack in SLACK.items():
        values = [getattr(row, name) for row in rows[2:]]
        if len(values) > 1 and min(values[-2:]) > values[0] + slack:
            found.append(f"{name} grew from {values[0]} to {values[-1]}")
    return found


def run(days: int, period: int, seed: int, tell: Callable[[str], None]) -> list[str]:
    """The whole thing; what is wrong."""
    rows: list[Row] = []
    begun = time.monotonic()
    usual, simulated.SAMPLE_PERIOD = simulated.SAMPLE_PERIOD, SAMPLE_PERIOD
    tell(
        f"{'day':>5}{'sessions':>10}{'delivered kWh':>15}{'billed kWh':>12}{'lost':>6}{'RSS KiB':>10}"
        f"{'objects':>10}{'db KiB':>8}{'WAL KiB':>9}  facts"
    )
    try:
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            soak = Soak(Path(folder), seed)
            for day in range(1, days + 1):
                soak.day()
                if day % period == 0:
                    row = soak.count(day)
                    rows.append(row)
                    facts = " ".join(f"{name} {count}" for name, count in sorted(row.facts.items()))
                    tell(
                        f"{row.day:>5}{row.sessions:>10}{row.delivered / 1000:>15.3f}{row.billed / 1000:>12.3f}"
                        f"{row.lost:>6}{row.rss:>10}{row.objects:>10}{row.database // 1024:>8}"
                        f"{row.log // 1024:>9}  {facts}"
                    )
            soak.close()
    finally:
        simulated.SAMPLE_PERIOD = usual
    tell(f"{days} days in {time.monotonic() - begun:.0f} s, {soak.cuts} restarts")
    return complaints(rows)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description="Months of ordinary use in minutes.")
    parser.add_argument("--days", type=int, default=240)
    parser.add_argument("--period", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    found = run(chosen.days, chosen.period, chosen.seed, say)
    for complaint in found:
        say(f"soak: {complaint}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
