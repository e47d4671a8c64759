"""The charts' engine beside python-statemachine as it is, sismic and transitions: one event, cold and warm.

Two charts (engines_charts/) are translated for the others from what our reader made of them, so that all run the same
states, guards, actions and events; before anything is measured, all must have done the same commands after
every event. One of the size of charts/lock.yaml and one of the size of charts/connector.yaml, driven by events alone,
since transitions knows no `always`. Beside them the shipped charts, all of them, on a station of one connector.

sismic and transitions are measured when they are installed; they are no dependency of ours:

    python3 -m venv /tmp/engines && /tmp/engines/bin/pip install -q -e . sismic transitions
    /tmp/engines/bin/python bench/engines.py
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import os
import platform
import re
import statistics
import time
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from run import cpu_model
from statemachine.io import create_machine_class_from_definition

import charts as station_bench
from charger.statechart import model, reader
from charger.statechart.checks import check
from charger.statechart.ensemble import Ensemble
from charger.statechart.event import Event, Moment
from charger.statechart.machine import Entered, Exited, Machine
from charger.statechart.words import ActionWord, FactWord, Vocabulary
from charger.vocabulary import build

HERE = Path(__file__).parent
LOCK_SCRIPT: list[tuple[str, dict[str, bool]]] = [
    ("cable.plugged", {"lock.wanted": True, "cable.present": True, "session.open": True}),
    ("lock.engaged", {}),
    ("unlock.asked", {"contactor.closed": True}),  # the guard says no
    ("session.ended", {"contactor.closed": False, "session.open": False}),  # stays
    ("card.shown", {}),  # nobody listens
    ("unlock.asked", {"lock.wanted": False}),
    ("lock.released", {}),
    ("fault.cleared", {}),  # inherited, the guard says no
]
CONNECTOR_SCRIPT: list[tuple[str, dict[str, bool]]] = [
    ("cable.plugged", {"business.open": True, "energy.allowed": True}),
    ("card.accepted", {}),
    ("lock.engaged", {}),  # the second of three
    ("ev.ready", {}),
    ("contactor.closed", {}),
    *[("meter.sampled", {})] * 4,  # two actions, stays
    *[("clock.ticked", {})] * 2,  # nobody listens
    ("fault.came", {}),  # inherited, the guard says no
    ("cable.moved", {}),  # inherited, stays
    ("ev.paused", {}),
    ("ev.ready", {}),
    ("contactor.closed", {}),
    ("transaction.stop", {}),
    ("contactor.opened", {}),
    ("connector.release", {}),
    ("cable.unplugged", {}),
]
FURTHER = 200
"""Instances made to measure one."""
CYCLES = 25
"""Of the script in one measurement."""
TOP = "Top"
"""The chart itself as a state, for the others."""
STEPS = 200
"""Of the shipped charts, in one measurement."""


class Sheet:
    """One chart with its events, and the world it acts on."""

    def __init__(self, name, script):
        read, findings = reader.read_set(HERE / "engines_charts", "engines_charts")
        assert not findings, [str(finding) for finding in findings]
        self.chart = read.charts[name]
        self.set = replace(read, charts={name: self.chart})
        self.script = script
        self.facts = dict.fromkeys(set(re.findall(r"\w+\.\w+", " ".join(self.guards()))), False)
        self.facts |= dict.fromkeys((name for _, facts in script for name in facts), False)
        self.commands = []

    def guards(self):
        return {transition.guard_text for transition in self.chart.transitions()}

    def perform(self, name):
        self.commands.append(name)


def in_python(guard_text):
    """``not a.b and c.d`` as Python over the dictionary `facts`."""
    return re.sub(r"\w+\.\w+", lambda match: f'facts["{match[0]}"]', guard_text)


class Told:
    """A guard or an action as a callable. A class, since python-statemachine tells closures by their names."""

    def __init__(self, sheet, what):
        self.sheet, self.what = sheet, what
        self.code = eval(f"lambda facts: {in_python(what) or None}")

    def ask(self):
        return self.code(self.sheet.facts)

    def perform(self):
        self.sheet.perform(self.what)


# -- the engines: each is compiled for a sheet, makes instances, and sends events to one ---------------


class OurMachine:
    """`Machine` with the least around it: guards as above, actions by name, no trace."""

    def __init__(self, sheet):
        self.machine = Machine(sheet.chart)
        self.first = self.machine.initial().leaf
        self.asks = {
            id(t): Told(sheet, t.guard_text).ask for t in sheet.chart.transitions() if t.guard is not None
        }
        self.sheet = sheet

    def instance(self):
        return self.first  # nothing else: guards and actions have no memory

    def sender(self):
        machine, states, perform = self.machine, self.sheet.chart.states, self.sheet.perform
        asks = self.asks
        leaf = self.instance()

        def ask(transition):
            return asks[id(transition)]()

        def send(key):
            nonlocal leaf
            move = machine.step(leaf, key, ask)
            if move is None:
                return
            leaf = move.leaf
            for part in move.parts:
                match part:
                    case Exited(state=name):
                        uses = states[name].exit
                    case Entered(state=name):
                        uses = states[name].entry
                    case _:
                        uses = part.transition.actions
                for use in uses:
                    perform(use.name)

        return lambda event: partial(send, f"on {event}"), lambda: leaf


class World:
    """The host of an ensemble, and of words that do nothing but note down."""

    def __init__(self, sheet):
        self.sheet = sheet

    def rested(self):
        pass


class OurEnsemble:
    """`Ensemble` with one chart: guards and actions through the vocabulary, statuses, timers, moves as a trace."""

    def __init__(self, sheet):
        self.sheet = sheet
        facts = sheet.facts
        self.vocabulary = Vocabulary(
            facts={
                name: FactWord(name, "", lambda _world, _here, _event, name=name: facts[name])
                for name in facts
            },
            actions={
                use.name: ActionWord(use.name, "", self.performing(use.name))
                for use in model.uses(sheet.chart)
            },
        )
        self.ensemble = self.started(1)

    def performing(self, name):
        perform = self.sheet.perform
        return lambda _world, _here, _event: perform(name)

    def started(self, connectors):
        ensemble = Ensemble(self.sheet.set, self.vocabulary, connectors, World(self.sheet))
        ensemble.start(Event("station.started"))
        return ensemble

    def further(self):
        """Bytes."""
        few, many = grown(lambda: self.started(1)), grown(lambda: self.started(1 + FURTHER))
        return (many - few) / FURTHER

    def sender(self):
        ensemble = self.started(1)
        moment = Moment()
        leaves = ensemble.leaves[self.sheet.chart.name]

        def sending(event):
            return lambda: ensemble.step(Event(event, 1, moment=moment))

        return sending, lambda: leaves[1]


class Stock:
    """python-statemachine as its manual says: a class from a definition, an object for each instance."""

    def __init__(self, sheet):
        self.sheet = sheet
        self.made = create_machine_class_from_definition(
            "Stock",
            {f"s_{TOP}": self.state("") | {"initial": True}},
            catch_errors_as_events=False,
            validate_disconnected_states=False,
            validate_trap_states=False,
            validate_final_reachability=False,
        )

    def state(self, name):
        written = self.sheet.chart.states[name]
        made = {"enter": self.performing(written.entry), "exit": self.performing(written.exit), "on": {}}
        if written.children:
            made["states"] = {f"s_{child}": self.state(child) for child in written.children}
            made["states"][f"s_{written.initial}"]["initial"] = True
        for t in written.transitions:
            one = {"target": f"s_{t.target}" if t.target else None, "on": self.performing(t.actions)}
            if t.target and t.source in ("", *self.sheet.chart.path(t.target)[:-1]):
                one["internal"] = True
            if t.guard is not None:
                one["cond"] = [Told(self.sheet, t.guard_text).ask]
            made["on"].setdefault(t.trigger.replace(".", "_"), []).append(one)
        return made

    def performing(self, uses):
        return [Told(self.sheet, use.name).perform for use in uses]

    def instance(self):
        return self.made()

    def sender(self):
        machine = self.instance()

        def leaf():
            active = {value.removeprefix("s_") for value in machine.configuration_values}
            return next(leaf for leaf in self.sheet.chart.leaves if leaf in active)

        return lambda event: partial(machine.send, event.replace(".", "_")), leaf


class Sismic:
    """sismic's interpreter; guards and actions are the code it evaluates; contracts are off."""

    def __init__(self, sheet):
        from sismic.io.datadict import import_from_dict

        self.sheet = sheet
        top = self.state("") | {"name": TOP}
        self.statechart = import_from_dict({"statechart": {"name": sheet.chart.name, "root state": top}})

    def state(self, name):
        written = self.sheet.chart.states[name]
        made = {"name": name, "on entry": self.code(written.entry), "on exit": self.code(written.exit)}
        if written.children:
            made |= {"initial": written.initial, "states": [self.state(child) for child in written.children]}
        made["transitions"] = [self.transition(t, -number) for number, t in enumerate(written.transitions)]
        return {key: value for key, value in made.items() if value}

    def transition(self, t, priority):
        made = {"event": t.trigger, "action": self.code(t.actions), "priority": priority}
        made |= {"target": t.target} if t.target else {}
        made |= {"guard": in_python(t.guard_text)} if t.guard is not None else {}
        return made

    def code(self, uses):
        return "\n".join(f'commands.append("{use.name}")' for use in uses)

    def instance(self):
        from sismic.interpreter import Interpreter

        context = {"facts": self.sheet.facts, "commands": self.sheet.commands}
        interpreter = Interpreter(self.statechart, initial_context=context, ignore_contract=True)
        interpreter.execute()
        return interpreter

    def sender(self):
        interpreter = self.instance()

        def leaf():
            return next(leaf for leaf in self.sheet.chart.leaves if leaf in interpreter.configuration)

        def send(event):
            interpreter.queue(event)
            interpreter.execute()

        return lambda event: partial(send, event), leaf


class Transitions:
    """transitions' hierarchical machine; the further instances are further models of it."""

    def __init__(self, sheet):
        from transitions.extensions import HierarchicalMachine

        self.sheet = sheet
        self.machine = HierarchicalMachine(
            model=None,
            states=[self.state("") | {"name": TOP}],
            transitions=[self.transition(t) for t in sheet.chart.transitions()],
            initial=self.named(""),
            auto_transitions=False,
            ignore_invalid_triggers=True,
        )
        known = {t.trigger for t in sheet.chart.transitions()}
        for event, _ in sheet.script:  # what nobody ever listens to is an error there
            if event not in known:
                self.machine.add_transition(event.replace(".", "_"), self.named(""), None, conditions=[bool])

    def named(self, name):
        return "_".join((TOP, *self.sheet.chart.path(name)))

    def state(self, name):
        written = self.sheet.chart.states[name]
        made = {
            "name": name,
            "on_enter": self.performing(written.entry),
            "on_exit": self.performing(written.exit),
        }
        if written.children:
            made |= {
                "initial": written.initial,
                "children": [self.state(child) for child in written.children],
            }
        return made

    def transition(self, t):
        return {
            "trigger": t.trigger.replace(".", "_"),
            "source": self.named(t.source),
            "dest": self.named(t.target) if t.target else None,
            "conditions": [Told(self.sheet, t.guard_text).ask] if t.guard is not None else [],
            "before": self.performing(t.actions),
        }

    def performing(self, uses):
        return [Told(self.sheet, use.name).perform for use in uses]

    def instance(self):
        class Model:
            pass

        made = Model()
        self.machine.add_model(made)
        return made

    def sender(self):
        made = self.instance()
        return lambda event: getattr(made, event.replace(".", "_")), lambda: made.state.rpartition("_")[2]


ENGINES: dict[str, type] = {
    "our Machine": OurMachine,
    "our Ensemble": OurEnsemble,
    "python-statemachine": Stock,
    "sismic": Sismic,
    "transitions": Transitions,
}
BASELINE = "python-statemachine"


# -- measuring -----------------------------------------------------------------------------------------


class Run:
    """One engine at work on one sheet."""

    def __init__(self, engine, sheet):
        begun = time.process_time()
        self.engine = engine(sheet)
        self.compiled = 1000 * (time.process_time() - begun)
        self.sheet = sheet
        sending, self.leaf = self.engine.sender()
        self.sends = [(sending(event), facts) for event, facts in sheet.script]
        sheet.commands.clear()

    def cycle(self):
        facts = self.sheet.facts
        for send, changed in self.sends:
            if changed:
                facts.update(changed)
            send()

    def traced(self):
        """Leaf and commands after every event."""
        seen = []
        for send, changed in self.sends:
            self.sheet.facts.update(changed)
            send()
            seen.append((self.leaf(), *self.sheet.commands))
            self.sheet.commands.clear()
        return seen

    def microseconds(self, cycles):
        """An event."""
        gc.disable()
        begun = time.process_time()
        for _ in range(cycles):
            self.cycle()
        spent = time.process_time() - begun
        gc.enable()
        self.sheet.commands.clear()
        return 1e6 * spent / cycles / len(self.sends)


def grown(make):
    """Bytes that are in use after `make`, and were not before."""
    gc.collect()
    tracemalloc.start()
    kept = make()
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return size


def bytes_of_one(engine):
    """A further instance."""
    if hasattr(engine, "further"):
        return engine.further()
    engine.instance()
    return grown(lambda: [engine.instance() for _ in range(FURTHER)]) / FURTHER


def measure_sheet(sheet, engines, rounds):
    """By engine: warm and first µs an event, compiling ms, bytes of a further instance."""
    results = {name: {"warm": [], "first": [], "compile": []} for name in engines}
    expected = Run(OurMachine, sheet).traced()
    for name, engine in engines.items():
        run = Run(engine, sheet)
        for _ in range(2):
            seen = run.traced()
            assert seen == expected, f"{name} did {seen} instead of {expected}"
    runs = {name: Run(engine, sheet) for name, engine in engines.items()}
    for run in runs.values():
        run.microseconds(3)
    for turn in range(rounds):
        names = list(engines)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            fresh = Run(engines[name], sheet)
            results[name]["compile"].append(fresh.compiled)
            results[name]["first"].append(fresh.microseconds(1))
            results[name]["warm"].append(runs[name].microseconds(CYCLES))
    for name, run in runs.items():
        results[name]["bytes"] = [bytes_of_one(run.engine)]
    return results


def measure_shipped(rounds):
    """µs a step of all shipped charts in the middle of a transaction: what nobody hears, and what moves one chart."""
    checked = check(HERE.parent / "charts", build)
    bench = station_bench.Bench(checked)
    bench.call("RemoteStartTransaction", idTag="BENCH", connectorId=1)
    bench.pass_time(2)
    station, moment = bench.driver.station, bench.clock.now()
    ensemble = station.ensemble
    assert ensemble.status(1) == "Charging"
    nobody = Event("lock.engaged", 1, moment=moment)  # the cable is fixed: no chart waits for its lock
    one = Event("ocpp.Heartbeat.accepted", moment=moment)  # goes through a state and starts its timer anew
    assert not ensemble.step(nobody)
    assert {move.chart for move in ensemble.step(one)} == {"registration"}
    results = {nobody.name: [], one.name: []}
    for _ in range(rounds):
        for event in (nobody, one):
            begun = time.process_time()
            for _ in range(STEPS):
                ensemble.step(event)
            results[event.name].append(1e6 * (time.process_time() - begun) / STEPS)
            station.situation.outbox.clear()
    return results[nobody.name], results[one.name]


# -- telling -------------------------------------------------------------------------------------------

ROWS = (
    ("warm", "an event, warm, µs", 2),
    ("first", "an event of the first round, µs", 0),
    ("compile", "compiling the chart, ms", 2),
    ("bytes", "a further instance, bytes", 0),
)


def table(sheet, results):
    """Medians, and how many times as much as the baseline."""
    names = list(results)
    lines = [f"| {sheet.chart.name}.yaml | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for key, label, digits in ROWS:
        base = statistics.median(results[BASELINE][key])
        values = [statistics.median(results[name][key]) for name in names]
        cells = [
            f"{value:.{digits}f}" + (f" ({ratio(value / base)})" if name != BASELINE else "")
            for name, value in zip(names, values, strict=True)
        ]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def ratio(value):
    """``×0.25`` or ``÷230``: how the value compares with the baseline."""
    return f"÷{1 / value:.0f}" if 0 < value < 0.1 else f"×{value:.2f}"


def header(load):
    libraries = [name for name in ("python-statemachine", "sismic", "transitions") if version_of(name)]
    return (
        f"- {datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {cpu_model()}, {os.cpu_count()} cores; load average "
        f"{load[0]:.2f} before, {os.getloadavg()[0]:.2f} after\n"
        f"- {platform.python_implementation()} {platform.python_version()}, "
        + ", ".join(f"{name} {version_of(name)}" for name in libraries)
    )


def version_of(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=25)
    rounds = parser.parse_args().rounds
    load = os.getloadavg()
    engines = {
        name: engine
        for name, engine in ENGINES.items()
        if name not in ("sismic", "transitions") or version_of(name)
    }
    tables = [
        table(sheet, measure_sheet(sheet, engines, rounds))
        for sheet in (Sheet("lock", LOCK_SCRIPT), Sheet("connector", CONNECTOR_SCRIPT))
    ]
    nobody, one = (statistics.median(values) for values in measure_shipped(rounds))
    shipped = (
        f"All shipped charts, one connector, charging: {nobody:.1f} µs for an event that nobody hears, "
        f"{one:.1f} µs for one that moves one chart."
    )
    print(header(load), *tables, shipped, sep="\n\n")


if __name__ == "__main__":
    main()
