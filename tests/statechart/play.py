"""Charts at play: an ensemble in a recording world, in virtual time; the charts bring their vocabulary along.

Every action that a chart uses exists and is written down as ``name@connector``; every fact that it asks
exists and is what the test says, False until then. A few words do something: see `_special`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from chart_kit import read_charts

from charger.statechart import model
from charger.statechart.ensemble import Ensemble, Observer
from charger.statechart.evaluate import MINUTE_OF_DAY
from charger.statechart.event import Event, Moment
from charger.statechart.timing import minute_of_day
from charger.statechart.words import ActionWord, AnswerWord, EventWord, FactWord, KeyWord, Vocabulary

T0 = 1_700_006_400.0
"""2023-11-15T00:00:00Z, when every play begins."""
CALLS = ("ocpp.Reset", "ocpp.Unlock", "ocpp.Other")


class World:
    """The host: facts, keys and timers, and a list of everything that was done."""

    def __init__(self, facts: Mapping[str, Any], keys: Mapping[str, Any]) -> None:
        self.facts: dict[Any, Any] = dict(facts)
        self.keys = dict(keys)
        self.log: list[str] = []
        self.timers: dict[str, float] = {}
        self.ahead = 0.0
        """How far the station's own idea of the time is ahead of the operating system's, s."""
        self.luck = 0.0
        self.tokens: list[int] = []
        self.posts_at_rest: list[str] = []
        """Events that come of the situation itself, one for each time that everything rests."""
        self.charts: Ensemble

    def fact(self, name: str, here: int) -> Any:
        return self.facts.get((name, here), self.facts.get(name, False))

    def start_timer(self, key: str, due: float) -> None:
        self.timers[key] = due

    def cancel_timer(self, key: str) -> None:
        self.timers.pop(key, None)

    def reply(self, call: str, name: str, payload: dict[str, Any]) -> None:
        self.log.append(f"{call}: {name} {payload}")

    def reply_error(self, call: str, code: str) -> None:
        self.log.append(f"{call}: {code}!")

    def status_changed(self, number: int, status: str, event: Event) -> None:
        self.log.append(f"status {number} {status} ({event.name})")

    def rested(self) -> None:
        if self.posts_at_rest:
            self.charts.post(Event(self.posts_at_rest.pop(0)))

    def wall(self, moment: Moment) -> Moment:
        return Moment(moment.monotonic, moment.wall + self.ahead)

    def random(self) -> float:
        return self.luck


class Play:
    """A set of charts, running."""

    def __init__(
        self,
        folder: Path,
        charts: Mapping[str, str],
        index: str = "",
        *,
        connectors: int = 1,
        facts: Mapping[str, Any] | None = None,
        keys: Mapping[str, Any] | None = None,
        reports: Mapping[str, str] | None = None,
        observer: Observer | None = None,
        start: bool = True,
        engine: Callable[..., Any] = Ensemble,
    ) -> None:
        """`reports`: event → fact that it makes true at its connector, before any chart hears it.

        `engine`: what runs the charts, if not the ensemble.
        """
        self.charts = read_charts(folder, charts, index)
        self.world = World(facts or {}, keys or {})
        self.now = 0.0
        self.vocabulary = _vocabulary(self.charts, self.world, reports or {})
        self.ensemble = engine(self.charts, self.vocabulary, connectors, self.world, observer)
        self.world.charts = self.ensemble
        if start:
            self.begin()

    def begin(self) -> None:
        self.ensemble.start(Event("station.started", moment=self.moment()))

    def moment(self) -> Moment:
        return Moment(self.now, T0 + self.now)

    def send(
        self,
        name: str,
        connector: int | None = None,
        *,
        call: str | None = None,
        token: int | None = None,
        **fields: Any,
    ) -> list[str]:
        """Step; gives what was done."""
        begin = len(self.world.log)
        self.ensemble.step(Event(name, connector, fields, call, token, self.moment()))
        return self.world.log[begin:]

    def after(self, seconds: float) -> list[str]:
        """Let time pass; gives what was done, each with the time it was done at (s since the start)."""
        end, done = self.now + seconds, []
        while self.world.timers:
            key, due = min(self.world.timers.items(), key=lambda item: (item[1], item[0]))
            if due > end:
                break
            del self.world.timers[key]
            self.now = max(self.now, due)
            done += [f"{self.now:g} {line}" for line in self.send("timer.expired", key=key)]
        self.now = end
        return done

    def state(self, chart: str, number: int = 0) -> str:
        return self.ensemble.leaves[chart][number]

    def set(self, **facts: Any) -> None:
        """Facts, with `__` for the dot."""
        self.world.facts |= {name.replace("__", "."): value for name, value in facts.items()}


def _vocabulary(charts: model.ChartSet, world: World, reports: Mapping[str, str]) -> Vocabulary:
    uses = [use for chart in charts.charts.values() for use in model.uses(chart) if not use.raises]
    exprs = [expr for chart in charts.charts.values() for expr in model.guards_of(chart)]
    exprs += charts.guards.values()
    exprs += [one for inv in charts.invariants for one in (inv.never, inv.then) if one is not None]
    exprs += [value for use in uses for _, value in use.arguments]
    named = {part.name for expr in exprs for part in model.parts(expr) if isinstance(part, model.Name)}
    for chart in charts.charts.values():
        for delay in (transition.delay for transition in chart.transitions()):
            named |= {delay.fact} if isinstance(delay, model.OfFact) else set()
            named |= {delay.factor} if isinstance(delay, model.OfKey) and delay.factor else set()
    facts = {name: _fact(name) for name in named if "." in name} | {
        MINUTE_OF_DAY: FactWord(
            MINUTE_OF_DAY, "", lambda at, _here, event: minute_of_day(at.wall(event.moment).wall)
        )
    }
    return Vocabulary(
        events={call: EventWord(call, "", replies=frozenset({"Accepted"})) for call in CALLS}
        | {name: _event(name, fact) for name, fact in reports.items()},
        facts=facts,
        actions={use.name: _action(use.name) for use in uses},
        answers={
            "answer.make": AnswerWord(
                *("answer.make", "", lambda _at, here, _event, **given: {"made": here, **given}),
                frozenset({"ocpp.Other"}),
            )
        },
        keys={name: KeyWord(name, "", "number") for name in world.keys},
        read_key=lambda at, name: at.keys[name],
    )


def _fact(name: str) -> FactWord:
    return FactWord(name, "", lambda at, here, _event: at.fact(name, here))


def _event(name: str, fact: str) -> EventWord:
    def report(at: World, event: Event) -> None:
        at.facts[(fact, event.connector) if event.connector else fact] = True

    return EventWord(name, "", report=report)


def _action(name: str) -> ActionWord:
    def perform(at: World, here: int, event: Event, /, **given: Any) -> None:
        token = given.pop("token", None)
        at.log.append(f"{name}@{here}" + "".join(f" {key}={value}" for key, value in given.items()))
        if token is not None:
            at.tokens.append(token)
        _special(name, at, here, event, given)

    return ActionWord(name, "", perform, correlated=name.startswith("ask."))


def _special(name: str, at: World, here: int, event: Event, given: dict[str, Any]) -> None:
    """Actions that do something to the world, besides being written down."""
    match name:
        case "fact.set" | "fact.clear":
            at.facts[given["fact"], here] = name == "fact.set"
        case "post.it":
            at.charts.post(Event(given["event"], here or None, {"by": event.name}))
        case "key.write":
            at.keys[given["key"]] = given["value"]
            at.charts.key_written(given["key"])
        case "clock.set":
            at.ahead = given["ahead"]
            at.charts.clock_set()
        case "debts.forget":
            at.charts.forget_debts()
        case "raise.error":
            raise ZeroDivisionError
        case _:
            pass
