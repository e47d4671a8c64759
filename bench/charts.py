"""Events per second through the charts alone: `Station.handle`, in virtual time, without socket, disk or page.

The station is real: shipped charts, vocabulary, driver and simulated hardware. Played are the clock, the
Central System, which accepts at once, and the storage, which keeps nothing. Cold is the first session of a
fresh station, whose charts have not decided anything yet; warm is every later one. Prints one JSON object.

    python bench/charts.py CHARTS SECONDS
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

from charger import ports
from charger.clock import VirtualClock
from charger.driver import Driver
from charger.functions.situation import ConnectorPlan, Identity
from charger.functions.times import to_text
from charger.hardware.simulated import SimulatedHardware
from charger.statechart.checks import check
from charger.statechart.event import Event
from charger.station import Station
from charger.vocabulary import build

SIMULATION = {
    "power": 7400.0,
    "contactor_delay": 0.0,
    "lock_delay": 0.0,
    "car_delay": 0.0,
    "plugged": [1],
    "register": None,
}
COLD = 5
"""Fresh stations, at least."""


class Nowhere:
    """Storage."""

    def load(self):
        return []

    def commit(self, changes):
        pass

    def close(self):
        pass


class Central:
    """Says yes in the same instant."""

    def __init__(self, post, clock):
        self.post, self.clock = post, clock
        self.transactions = 0
        self.refused = []

    def perform(self, command):
        match command:
            case ports.Connect():
                self.post(Event("link.opened"))
            case ports.Call():
                fields = {"token": command.token, "outcome": "result", "payload": self.answer(command.action)}
                self.post(Event("ocpp.answered", fields=fields))
            case ports.Reply() if command.payload != {"status": "Accepted"}:
                self.refused.append(command)
            case _:
                pass

    def answer(self, action):
        match action:
            case "BootNotification":
                now = to_text(self.clock.now().wall)
                return {"status": "Accepted", "currentTime": now, "interval": 3600}
            case "Authorize":
                return {"idTagInfo": {"status": "Accepted"}}
            case "StartTransaction":
                self.transactions += 1
                return {"transactionId": self.transactions, "idTagInfo": {"status": "Accepted"}}
            case _:
                return {}


class Bench:
    """One station at work, and the time its charts took."""

    def __init__(self, checked):
        self.checked = checked
        self.clock = VirtualClock()
        self.spent = 0.0
        self.events = 0
        hardware = SimulatedHardware((ConnectorPlan(fixed=True),), clock=self.clock, **SIMULATION)
        self.driver = Driver(self.station, Nowhere(), hardware, self.link, self.clock)
        self.driver.start()
        self.pass_time(5)

    def station(self, stored):
        plans = (ConnectorPlan(fixed=True),)
        identity = Identity("Bench", "Charts")
        station = Station(self.checked.charts, self.checked.vocabulary, identity, plans, stored)
        handle = station.handle

        def timed(event):
            begun = time.perf_counter()
            step = handle(event)
            self.spent += time.perf_counter() - begun
            self.events += 1
            return step

        station.handle = timed
        return station

    def link(self, post):
        self.central = Central(post, self.clock)
        return self.central

    def pass_time(self, seconds):
        end = self.clock.now().monotonic + seconds
        self.driver.pump()
        while (due := self.clock.next_due()) is not None and due <= end:
            self.clock.advance(max(0.0, due - self.clock.now().monotonic))
            self.driver.pump()
        self.clock.advance(end - self.clock.now().monotonic)

    def call(self, action, **fields):
        self.driver.post(Event(f"ocpp.{action}", call="bench", fields=fields))

    def session(self):
        """Gives events per second."""
        self.spent, self.events = 0.0, 0
        self.call("RemoteStartTransaction", idTag="BENCH", connectorId=1)
        self.pass_time(2)
        assert self.driver.station.ensemble.status(1) == "Charging"
        self.call("RemoteStopTransaction", transactionId=self.central.transactions)
        self.pass_time(4)
        assert self.driver.station.ensemble.status(1) == "Finishing"
        assert not self.central.refused, self.central.refused
        return self.events / self.spent


def main():
    checked = check(Path(sys.argv[1]), build)
    seconds = float(sys.argv[2])
    end = time.monotonic() + seconds
    cold, warm = [], []
    while len(cold) < COLD or time.monotonic() < end:
        bench = Bench(checked)
        cold.append(bench.session())
        bench.session()
        warm += [bench.session() for _ in range(20)]
    result = {"events": bench.events, "cold": statistics.median(cold), "warm": statistics.median(warm)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
