"""The vocabulary: every word is declared well, and charts of one's own can use what they declare themselves.

Changes of behaviour as an engineer would make them: the shipped charts, and a few lines of YAML (DESIGN §1).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rig import CHARTS, Rig, checked

from charger import ports
from charger.clock import VirtualClock
from charger.functions import times
from charger.functions.delivery import Message
from charger.statechart import checks
from charger.statechart.effects import DEBTS, KEYS
from charger.statechart.event import Event
from charger.statechart.timing import minute_of_day
from charger.statechart.words import Scope
from charger.vocabulary import ERROR_CODES, build

Edit = Callable[[str, str, str], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shipped charts, to be changed."""
    copied = tmp_path / "charts"
    shutil.copytree(CHARTS, copied)
    return copied


@pytest.fixture
def edit(folder: Path) -> Edit:
    """Change a file: the first place that matches."""

    def change(file: str, old: str, new: str) -> None:
        path = folder / f"{file}.yaml"
        text = path.read_text()
        assert re.search(old, text), (file, old)
        path.write_text(re.sub(old, new, text, count=1))

    return change


# -- the words ---------------------------------------------------------------------------------------------


def test_every_word_has_one_sentence() -> None:
    """docs and diagrams show it."""
    words = build()
    for kind in (words.events, words.facts, words.actions, words.answers):
        for name, word in kind.items():
            assert name == word.name
            assert word.description.strip(), name
            assert word.description[0].isupper() or word.description[0] == "`", name


def test_every_answer_of_an_action_is_an_event() -> None:
    """An action with answers promises that one of them follows."""
    words = build()
    for action in words.actions.values():
        assert set(action.answers) <= set(words.events), action.name


def test_every_call_of_core_is_an_event_with_its_statuses() -> None:
    """OCPP 1.6 §6: the calls of the Central System, and what their .conf may say."""
    calls = build().calls()
    assert calls["ocpp.Reset"].replies == {"Accepted", "Rejected"}
    assert calls["ocpp.UnlockConnector"].replies == {"Unlocked", "UnlockFailed", "NotSupported"}
    assert calls["ocpp.ChangeAvailability"].replies == {"Accepted", "Rejected", "Scheduled"}
    assert calls["ocpp.GetConfiguration"].replies == frozenset()
    core = [
        "ChangeAvailability",
        "ChangeConfiguration",
        "ClearCache",
        "DataTransfer",
        "GetConfiguration",
        "Reset",
        "RemoteStartTransaction",
        "RemoteStopTransaction",
        "UnlockConnector",
    ]
    assert {f"ocpp.{name}" for name in core} <= set(calls)
    assert len(calls) == 19  # all of OCPP 1.6, so that each gets its right error


def test_error_codes_are_spelt_as_in_the_document() -> None:
    """OCPP-J §4.2.3, errata 5.1 and 5.2."""
    assert {"OccurenceConstraintViolation", "FormationViolation"} <= ERROR_CODES
    assert build().errors == ERROR_CODES


def test_statuses_of_the_station_and_of_a_connector() -> None:
    """§4.9, §7.7."""
    statuses = build().statuses
    assert statuses[Scope.STATION] == ("Available", "Unavailable", "Faulted")
    assert len(statuses[Scope.CONNECTOR]) == 9


def test_every_fact_can_be_asked_of_an_idle_station() -> None:
    """A guard may ask for it in any situation: nothing raises, and the type is right."""
    rig = Rig()
    kinds: dict[str, tuple[type, ...]] = {
        "bool": (bool,),
        "number": (int, float),
        "duration": (int, float),
        "instant": (int, float),
        "text": (str,),
        "word": (str,),
        "connector": (int,),
        "any": (object,),
    }
    for fact in rig.charts.vocabulary.facts.values():
        for here in (0,) if fact.scope is Scope.STATION else (1,):
            value = fact.read(rig.facts, here, Event("nothing"))
            assert value is None or isinstance(value, kinds[fact.type]), fact.name
            assert not fact.words or value is None or value in fact.words, fact.name


def test_every_fact_can_be_asked_of_a_charging_station() -> None:
    """The same with a transaction."""
    rig = Rig()
    rig.session()
    known = {name: fact.read(rig.facts, 1, Event("x")) for name, fact in rig.charts.vocabulary.facts.items()}
    assert known["transaction.tag"] == "TAG"
    assert known["transaction.open"] is True
    assert known["transaction.valid"] is True
    assert known["transaction.ending"] is False
    assert known["offer.amps"] == 32
    assert known["lock.is_engaged"] is True
    assert 0 <= known["clock.minute_of_day"] < 1440


# -- actions that the shipped charts do not need, or only in one way -----------------------------------------


def perform(rig: Rig, name: str, here: int = 0, **arguments: Any) -> list[Any]:
    """Perform one action, as a chart would."""
    rig.facts.outbox.clear()
    rig.charts.vocabulary.actions[name].perform(rig.facts, here, Event("test"), **arguments)
    return list(rig.facts.outbox)


def test_a_lamp_may_be_set_by_hand_and_follow_again() -> None:
    """light.show overrides the table of light.follow until that is said again."""
    rig = Rig()
    assert perform(rig, "light.show", 1, look="white flashing") == [ports.ShowLight(1, "white flashing")]
    assert perform(rig, "light.show", 1, look="white flashing") == []
    rig.facts.outbox.clear()
    rig.facts.status_changed(1, "Preparing", Event("test"))
    assert not [command for command in rig.facts.outbox if isinstance(command, ports.ShowLight)]
    assert perform(rig, "light.follow", 1, Available="green") == [ports.ShowLight(1, "green")]


def test_clearing_a_fault_that_is_not_latched_says_nothing() -> None:
    """fault.clear is an order, not a wish."""
    rig = Rig()
    perform(rig, "fault.clear", 1, error="ConnectorLockFailure")
    rig.wires("ev.paused", 1)
    assert rig.status() == "Available"


def test_a_fault_latched_by_a_chart_of_the_station_is_one_of_every_connector() -> None:
    """fault.raise with scope station: connector 0."""
    rig = Rig()
    perform(rig, "fault.raise", 0, error="HighTemperature", info="cabinet")
    rig.wires("ev.paused", 1)
    rig.after(1)
    assert [rig.told(number)[-1] for number in range(3)] == ["Faulted"] * 3
    perform(rig, "fault.clear", 0, error="HighTemperature")
    rig.wires("ev.paused", 1)
    rig.after(1)
    assert [rig.told(number)[-1] for number in range(3)] == ["Available"] * 3


def test_nothing_is_learnt_without_a_tag_under_consideration() -> None:
    """tag.learn is for an answer to a question."""
    rig = Rig()
    perform(rig, "tag.learn")
    assert rig.storage.facts.keys() & {("cache", "none")} == set()


def test_writing_a_key_that_is_not_there_does_nothing() -> None:
    """configuration.set after configuration.known."""
    rig = Rig()
    assert perform(rig, "configuration.set", key="Nonsense", value="1") == []


def test_nothing_is_sent_from_an_empty_queue() -> None:
    """queue.send after queue.waiting."""
    rig = Rig()
    assert perform(rig, "queue.send", token=4711) == []


def test_a_transaction_that_is_not_there_is_neither_ended_nor_noted() -> None:
    """Orders without an object do nothing."""
    rig = Rig()
    facts = dict(rig.storage.facts)
    perform(rig, "transaction.ending", 1, reason="Local")
    perform(rig, "transaction.close", 1)
    perform(rig, "transaction.note", 1)
    assert rig.facts.records.take_changes() == ()
    assert rig.storage.facts == facts


def test_a_refusal_of_a_transaction_that_has_ended_changes_nothing() -> None:
    """transaction.refused may come late."""
    rig = Rig()
    rig.wires("transaction.refused", 1, status="Invalid")
    assert rig.facts.transactions.all() == []


def test_a_start_that_belongs_to_no_transaction_is_learnt_from() -> None:
    """A message of a chart's own: its answer teaches the cache, and binds nothing."""
    rig = Rig()
    payload = {"connectorId": 1, "idTag": "TAG", "meterStart": 0, "timestamp": "2027-01-15T08:00:00Z"}
    rig.facts.queue.append(Message("StartTransaction", payload))
    rig.after(1)
    rig.wires("ev.paused", 1)
    rig.after(1)
    assert rig.log("StartTransaction") == ["StartTransaction"]
    assert rig.facts.known("TAG").status == "Accepted"
    assert not [key for key in rig.storage.facts if key[0] == "bound"]


# -- charts of one's own -------------------------------------------------------------------------------------


def test_no_charging_while_the_cabinet_door_is_open(folder: Path, edit: Edit) -> None:
    """An input is declared, and one line of guard is added."""
    edit("index", r"\Z", "inputs: {door: {description: cabinet door}}\n")
    edit("connector", r"  energy_allowed:\n", "  energy_allowed:\n    - not door\n")
    rig = Rig(charts=folder)
    rig.session()
    rig.wires("door.on")
    rig.after(5)
    assert rig.status() == "SuspendedEVSE"
    rig.wires("door.off")
    rig.after(10)
    assert rig.status() == "Charging"


def test_charging_only_at_certain_times(folder: Path, edit: Edit) -> None:
    """clock.between in a guard: local time; the station wakes up at both edges."""
    now = minute_of_day(VirtualClock().now().wall)
    edges = [f"{(now + minutes) // 60 % 24:02}:{(now + minutes) % 60:02}" for minutes in (1, 3)]
    window = f"clock.between({', '.join(edges)})"
    edit("connector", r"  energy_allowed:\n", f"  energy_allowed:\n    - {window}\n")
    rig = Rig(charts=folder, MeterValueSampleInterval="0", WebSocketPingInterval="0")
    rig.plug()
    rig.swipe()
    rig.after(40)
    assert rig.status() == "SuspendedEVSE"
    rig.after(20)
    assert rig.status() == "Charging"
    rig.after(100)
    assert rig.status() == "Charging"
    rig.after(20)
    assert rig.status() == "SuspendedEVSE"


def test_free_vending(folder: Path, edit: Edit) -> None:
    """A setting is a configuration key; the Central System may switch it off."""
    edit("index", r"settings:\n", "settings:\n  FreeVending: true\n  Greeting: hello\n")
    edit(
        "connector",
        r"      Plugged:\n",
        "      Plugged:\n        always: {guard: FreeVending and Greeting == 'hello', target: Locking,"
        " actions: [session.open: {tag: FREE}]}\n",
    )
    rig = Rig(charts=folder)
    rig.plug()
    rig.after(3)
    assert rig.sent("StartTransaction")[0]["idTag"] == "FREE"
    answer = rig.call("GetConfiguration", key=["FreeVending"])
    assert answer["configurationKey"] == [{"key": "FreeVending", "readonly": False, "value": "true"}]
    assert rig.call("ChangeConfiguration", key="FreeVending", value="perhaps") == {"status": "Rejected"}
    assert rig.call("ChangeConfiguration", key="FreeVending", value="false") == {"status": "Accepted"}
    rig.plug(2)
    rig.after(3)
    assert rig.status(2) == "Preparing"


def test_a_fan_that_runs_on(folder: Path, edit: Edit) -> None:
    """An output is declared, and a chart of its own is added."""
    edit("index", r"indicator\]", "indicator, fan]")
    edit("index", r"\Z", "outputs: {fan: {description: cabinet fan}}\n")
    (folder / "fan.yaml").write_text(
        """chart: fan
scope: station
description: Runs while anybody charges, and two minutes longer.
initial: Still
states:
  Still:
    entry: [fan.off]
    always: {guard: any(energy), target: Running}
  Running:
    entry: [fan.on]
    always: {guard: not any(energy), target: Cooling}
  Cooling:
    after: {2m: Still}
    always: {guard: any(energy), target: Running}
"""
    )
    rig = Rig(charts=folder)
    assert rig.hardware.outputs["fan", 0] == "off"
    rig.session()
    assert rig.hardware.outputs["fan", 0] == "on"
    rig.swipe()
    rig.after(60)
    assert rig.hardware.outputs["fan", 0] == "on"
    rig.after(70)
    assert rig.hardware.outputs["fan", 0] == "off"


def test_a_stop_button_at_each_connector(folder: Path, edit: Edit) -> None:
    """Three seconds, so that nobody leans on it by accident; its lamp blinks meanwhile."""
    edit("index", r"indicator\]", "indicator, button]")
    edit(
        "index",
        r"\Z",
        "inputs: {stop_button: {scope: connector, description: stop button beside the socket}}\n"
        "outputs: {stop_lamp: {scope: connector, description: lamp in it}}\n",
    )
    (folder / "button.yaml").write_text(
        """chart: button
scope: connector
description: The stop button.
initial: Up
states:
  Up:
    entry: [stop_lamp.off]
    on: {stop_button.on: Down}
  Down:
    entry: [stop_lamp.blink]
    on: {stop_button.off: Up}
    after: {3s: {target: Up, actions: [raise: {transaction.stop: {reason: Local}}]}}
"""
    )
    rig = Rig(charts=folder)
    rig.session(1, "ONE")
    rig.session(2, "TWO")
    rig.wires("stop_button.on", 2)
    assert (rig.hardware.outputs["stop_lamp", 1], rig.hardware.outputs["stop_lamp", 2]) == ("off", "blink")
    rig.after(2)
    rig.wires("stop_button.off", 2)
    assert rig.hardware.outputs["stop_lamp", 2] == "off"
    rig.wires("stop_button.on", 2)
    rig.after(10)
    assert (rig.status(1), rig.status(2)) == ("Charging", "Finishing")
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["Local"]


def test_a_vendor_call_that_flashes_the_lights(folder: Path, edit: Edit) -> None:
    """DataTransfer answered by a chart; the lamp is set by hand, and follows the status again."""
    edit("indicator", r"  Showing:\n", "  Showing:\n    on: {indicator.flash: Flashing}\n")
    edit(
        "indicator",
        r"\Z",
        "  Flashing:\n    entry: [light.show: {look: white flashing}]\n    after: {10s: Showing}\n",
    )
    edit(
        "requests",
        r"      ocpp.DataTransfer: \{reply: UnknownVendorId\}\n",
        """      ocpp.DataTransfer:
        - guard: event.vendorId == 'com.example' and event.messageId == 'flash'
          reply: Accepted
          actions: [raise: indicator.flash]
        - {guard: event.vendorId == 'com.example', reply: UnknownMessageId}
        - {reply: UnknownVendorId}
""",
    )
    rig = Rig(charts=folder)
    transfer = {"vendorId": "com.example", "messageId": "flash"}
    assert rig.call("DataTransfer", **transfer) == {"status": "Accepted"}
    assert rig.hardware.describe(1)["light"] == "white flashing"
    rig.plug()
    assert rig.hardware.describe(1)["light"] == "white flashing"
    rig.after(10)
    assert rig.hardware.describe(1)["light"] == "yellow"
    assert rig.call("DataTransfer", **(transfer | {"messageId": "x"})) == {"status": "UnknownMessageId"}
    assert rig.call("DataTransfer", vendorId="other") == {"status": "UnknownVendorId"}


def test_charts_may_limit_what_is_offered(folder: Path, edit: Edit) -> None:
    """The smallest limit counts; one below 6 A is no energy at all, and the limit can be taken back."""
    edit("index", r"connector, pilot", "connector, limiter, pilot")
    edit("index", r"\Z", "inputs: {dimmed: {description: 10 A}, dark: {description: 5 A}}\n")
    (folder / "limiter.yaml").write_text(
        """chart: limiter
scope: connector
initial: Full
states:
  Full:
    entry: [offer.unlimit: {by: limiter}]
    always: [{guard: dark, target: Dark}, {guard: dimmed, target: Dimmed}]
  Dimmed: {entry: [offer.limit: {by: limiter, amps: 10}], always: {guard: not dimmed, target: Full}}
  Dark: {entry: [offer.limit: {by: limiter, amps: 5}], always: {guard: not dark, target: Full}}
"""
    )
    rig = Rig(charts=folder)
    rig.session()
    assert rig.hardware.describe(1)["pilot_amps"] == 32
    rig.wires("dimmed.on")
    rig.after(6)
    assert (rig.status(), rig.hardware.describe(1)["pilot_amps"]) == ("Charging", 10)
    assert rig.hardware.describe(1)["meter"]["power_w"] == 10 * 3 * 230
    rig.limit(1, 8)
    rig.after(6)
    assert rig.hardware.describe(1)["pilot_amps"] == 8
    rig.limit(1, 32)
    rig.wires("dimmed.off")
    rig.wires("dark.on")
    rig.after(6)
    assert (rig.status(), rig.hardware.describe(1)["pilot_amps"]) == ("SuspendedEVSE", 0)
    rig.wires("dark.off")
    rig.after(6)
    assert (rig.status(), rig.hardware.describe(1)["pilot_amps"]) == ("Charging", 32)


def test_of_several_limits_the_smallest_counts_and_each_is_taken_back_by_itself() -> None:
    rig, words, event = Rig(), build(), Event("any")
    limit, unlimit = words.actions["offer.limit"].perform, words.actions["offer.unlimit"].perform
    unlimit(rig.facts, 1, event, by="grid")  # there is none
    limit(rig.facts, 1, event, by="grid", amps=6)
    limit(rig.facts, 1, event, by="sharing", amps=16)
    read = words.facts["offer.amps"].read
    assert (read(rig.facts, 1, event), read(rig.facts, 2, event)) == (6, 32)
    unlimit(rig.facts, 1, event, by="grid")
    assert read(rig.facts, 1, event) == 16
    unlimit(rig.facts, 1, event, by="sharing")
    assert read(rig.facts, 1, event) == 32


def test_the_energy_of_a_transaction_counts_from_its_start() -> None:
    rig = Rig()
    read = build().facts["transaction.energy"].read
    event = Event("any")
    rig.session()
    rig.after(360)
    assert read(rig.facts, 1, event) == pytest.approx(740, abs=5)
    rig.swipe()
    rig.after(2)
    assert read(rig.facts, 1, event) == 0
    rig.session(2)
    rig.after(180)
    assert read(rig.facts, 2, event) == pytest.approx(370, abs=5)


def test_a_transaction_that_goes_on_after_a_power_cut_ends_like_any_other(folder: Path, edit: Edit) -> None:
    """With the time and the register of its real end, not those of the last note before the cut."""
    edit(
        "transaction",
        r"\{guard: transaction.open, target: Idle, actions: \[.*\]\}",
        "{guard: transaction.open, target: Idle, actions: [transaction.resume]}",
    )
    rig = Rig(charts=folder)
    rig.session()
    rig.after(300)
    rig = rig.power_cut(3600)
    rig.after(600)
    assert rig.status() == "Charging"
    begun, ended = rig.facts.transactions.on(1), rig.clock.now().wall
    rig.swipe()
    rig.after(3)
    (stop,) = rig.sent("StopTransaction")
    assert times.to_seconds(stop["timestamp"]) == pytest.approx(ended, abs=2)
    assert stop["meterStop"] - begun.meter_start == pytest.approx(7400 * 900 / 3600, abs=30)
    assert stop["reason"] == "Local"


def test_there_is_nothing_to_resume_without_a_transaction() -> None:
    rig = Rig()
    build().actions["transaction.resume"].perform(rig.facts, 1, Event("any"))
    assert rig.facts.transactions.on(1) is None


def test_a_word_that_nobody_declared_is_refused(folder: Path, edit: Edit) -> None:
    """DESIGN §1: a chart that is wrong does not start."""
    edit("connector", r"  energy_allowed:\n", "  energy_allowed:\n    - not dor\n")
    edit("index", r"\Z", "inputs: {door: {description: cabinet door}}\n")
    found = checks.check(folder, build)
    assert any("'dor'" in str(finding) for finding in found.findings)


def test_the_shipped_charts_are_without_findings() -> None:
    """Not even a warning."""
    assert not checked().findings


# -- what the checks are told about words ---------------------------------------------------------------


def _true_facts(rig: Rig, connector: int) -> dict[str, Any]:
    facts = rig.charts.vocabulary.facts.items()
    kept = {
        name: word for name, word in facts if word.type == "bool" and not name.startswith(("tag.", "card."))
    }
    here = {name: 0 if word.scope is Scope.STATION else connector for name, word in kept.items()}
    return {name: word.read(rig.facts, here[name], Event("x")) for name, word in kept.items()}


@pytest.mark.parametrize("before", [(), ("cable.plugged", "ev.ready", "lock.engaged", "contactor.closed")])
@pytest.mark.parametrize("name", sorted(name for name, word in build().events.items() if word.report))
def test_an_event_makes_of_the_facts_what_it_says_it_does(name: str, before: tuple[str, ...]) -> None:
    """What the checks rely on (`EventWord.makes`): no fact is something else, and no other one changes."""
    rig = Rig(1, start=False)
    words = build().events
    status = "Accepted" if name.endswith(".accepted") else "Invalid"
    fields = {"error": "GroundFailure", "status": status, "energy": 5, "power": 0}
    fields |= {"reason": "diode", "amps": 20, "celsius": 70}
    for event in before:
        words[event].report(rig.facts, Event(event, 1, fields))  # type: ignore[misc]
    old = _true_facts(rig, 1)
    words[name].report(rig.facts, Event(name, 1, fields))  # type: ignore[misc]
    new = _true_facts(rig, 1)
    makes = words[name].makes
    told = {fact: value for fact, value in makes.items() if value is not None and fact in new}
    assert {fact: new[fact] for fact in told} == told
    accounted = {fact for word in words.values() for fact in word.makes}
    assert {fact for fact in accounted & set(new) if new[fact] != old[fact]} <= set(makes)


@pytest.mark.parametrize("name", ["transaction.begin", "transaction.close"])
def test_an_action_makes_of_the_facts_what_it_says_it_does(name: str) -> None:
    """The rest is held in random runs by tests/verify/test_effects.py."""
    rig = Rig(1)
    actions = build().actions
    for action in dict.fromkeys(("transaction.begin", name)):
        actions[action].perform(rig.facts, 1, Event("x"))
    new = _true_facts(rig, 1)
    told = {fact: value for fact, value in actions[name].makes.items() if value is not None and fact in new}
    assert {fact: new[fact] for fact in told} == told


def test_words_that_name_words_name_existing_ones() -> None:
    words = build()
    named = {event for action in words.actions.values() for event in (*action.watches, *action.answers)}
    named |= {action.lost for action in words.actions.values() if action.lost} | set(words.watches)
    assert named <= set(words.events)
    assert {name for event in words.events.values() for name in event.promises} <= set(words.actions)
    told = {fact for word in (*words.events.values(), *words.actions.values()) for fact in word.makes}
    assert told <= {*words.facts, KEYS, DEBTS}
    assert (
        set(words.follows)
        == set(words.statuses[Scope.CONNECTOR])
        >= {status for later in words.follows.values() for status in later}
    )
