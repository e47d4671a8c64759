"""What words declare to do to facts, and that they do just that."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import rig as rigs
from observing import SEEN, Observer
from rig import Rig

from charger.errors import Defect
from charger.statechart.effects import Effect, allowed_values, parse_effects
from charger.statechart.event import Event
from charger.vocabulary import build


def test_a_declaration_reads_like_a_sentence() -> None:
    assert parse_effects("cable.present, not ev.asks, perhaps a.b, perhaps not c.d, any tag.*") == (
        Effect("cable.present", "true"),
        Effect("ev.asks", "false"),
        Effect("a.b", "perhaps true"),
        Effect("c.d", "perhaps false"),
        Effect("tag.*", "any"),
    )
    assert parse_effects("x.y if transaction.open, z.z if error == GroundFailure") == (
        Effect("x.y", "true", fact_before="transaction.open"),
        Effect("z.z", "true", argument=("error", "GroundFailure")),
    )


def test_a_declaration_that_is_none() -> None:
    with pytest.raises(ValueError, match="'cable present' is no effect"):
        parse_effects("cable present")


@pytest.mark.parametrize(
    ("effects", "before", "values"),
    [
        ("a.b", False, {True}),
        ("not a.b", True, {False}),
        ("perhaps a.b", False, {False, True}),
        ("perhaps a.b", True, {True}),
        ("perhaps not a.b", True, {False, True}),
        ("any a.*", True, {False, True}),
        ("c.d", True, {True}),
        ("a.b if c.d", False, {False}),
        ("a.b if c.c", False, {True}),
        ("a.b if error == X", False, {True}),
        ("a.b if error == Y", False, {False}),
    ],
)
def test_what_a_fact_may_be_afterwards(effects: str, before: bool, values: set[bool]) -> None:
    effects = parse_effects(effects)
    held = {"c.c": True, "c.d": False}
    assert allowed_values(effects, "a.b", before, held.__getitem__, {"error": "X"}.get) == values


def test_every_declaration_can_be_read_and_names_facts() -> None:
    words = build()
    for word in (*words.events.values(), *words.actions.values()):
        for effect in parse_effects(word.effects):
            known = any(effect.concerns(fact) for fact in words.facts) or effect.fact in ("keys", "debts")
            assert known, (word.name, effect)
            if effect.fact_before:
                assert effect.fact_before in words.facts, word.name


# -- held against what the code does -----------------------------------------------------------------------

HARDWARE = (
    *("contactor.closed", "contactor.opened", "lock.engaged", "lock.released", "lock.failed", "ev.ready"),
    *("ev.paused", "ev.unplugged", "cable.plugged", "cable.unplugged"),
)
CALLS = (
    ("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"}),
    ("ChangeAvailability", {"connectorId": 0, "type": "Operative"}),
    ("ChangeAvailability", {"connectorId": 0, "type": "Inoperative"}),
    ("UnlockConnector", {"connectorId": 1}),
    ("RemoteStartTransaction", {"connectorId": 2, "idTag": "OTHER"}),
    ("RemoteStopTransaction", {"transactionId": 101}),
    ("ClearCache", {}),
    ("ChangeConfiguration", {"key": "AuthorizationCacheEnabled", "value": "true"}),
    ("ChangeConfiguration", {"key": "LocalPreAuthorize", "value": "false"}),
    ("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 1}),
    ("TriggerMessage", {"requestedMessage": "StatusNotification"}),
)


MISHAPS: tuple[tuple[str, int | None, dict[str, Any]], ...] = (
    *(("residual_current", 1, {"tripped": tripped}) for tripped in (True, False)),
    *(("contactor", 1, {"fails": how}) for how in ("open", "closed", None)),
    *(("pilot", 1, {"wrong": wrong}) for wrong in ("diode", "ventilation", "cable", "silent", None)),
    *(("cable", 1, {"amps": amps}) for amps in (20, None)),
    *(("meter", 1, {"silent": silent}) for silent in (True, False)),
    *(("voltage", 1, {"volts": volts}) for volts in (190, None)),
    *(("door", None, {"open": is_open}) for is_open in (True, False)),
    *(("temperature", None, {"celsius": celsius}) for celsius in (66, 80, 20, None)),
    *(("reader", None, {"dead": dead}) for dead in (True, False)),
)


@pytest.fixture
def observed(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every station of the test has words that watch themselves."""
    checked = rigs.checked()
    watching = replace(checked, vocabulary=Observer(checked.vocabulary).words)
    monkeypatch.setattr(rigs, "checked", lambda _folder=rigs.CHARTS: watching)
    monkeypatch.setattr(Rig, "_stepped", lambda _rig, _step: None)
    return rigs.CHARTS


@pytest.mark.parametrize("seed", range(4))
def test_words_do_what_they_declare_and_nothing_else(observed: Path, seed: int) -> None:
    """Sessions, cards, faults, lies of the hardware, calls, answers, power cuts, by a chance that repeats."""
    chance = random.Random(seed)
    rig = Rig(2, fixed=seed % 3 == 2, MeterValueSampleInterval="20", AuthorizationCacheEnabled="true")
    for _ in range(100):
        match chance.randrange(12):
            case 0 | 1:
                _try(rig, chance.choice(["plug", "unplug"]), chance.choice([1, 2]))
            case 2 | 3:
                rig.swipe(chance.choice(["TAG", "OTHER"]))
            case 4:
                rig.wires(chance.choice(HARDWARE), chance.choice([1, 2]))
            case 5:
                place = chance.choice([0, 1])
                _try(rig, chance.choice(["fault", "clear_fault"]), place, error_code="GroundFailure")
            case 6 | 7:
                action, payload = chance.choice(CALLS)
                rig.call(action, **payload)
            case 8:
                status = {"status": chance.choice(["Accepted", "Invalid"]), "parentIdTag": "GROUP"}
                rig.cs.answers["Authorize"] = {"idTagInfo": status}
                start = {"transactionId": 101, "idTagInfo": status}
                rig.cs.answers["StartTransaction"] = chance.choice([start, "error"])
            case 9:
                rig.wires(chance.choice(["emergency.pressed", "emergency.released"]))
            case 10:
                rig.cut() if chance.random() < 0.5 else rig.mend()
            case _:
                if chance.random() < 0.2:
                    rig = rig.power_cut()
        rig.after(chance.choice([0.1, 1.0, 20.0]))
    assert {"cable.plugged", "transaction.begin"} <= set(SEEN)


@pytest.mark.parametrize("seed", range(2))
def test_what_goes_wrong_with_the_hardware_does_what_it_declares(observed: Path, seed: int) -> None:
    """Mishaps of every kind before, in and after sessions; and repairs."""
    chance = random.Random(seed)
    rig = Rig(2, fixed=seed % 2 == 1)
    for _ in range(40):
        for act, place, body in chance.sample(MISHAPS, 2):
            _try(rig, chance.choice(["plug", "unplug"]), 1)
            rig.act(act, place, **body)
            rig.swipe()
            rig.after(chance.choice([0.1, 3.0, 20.0, 400.0]))
        if chance.random() < 0.5:
            rig.act("clear_fault", 0)
            rig.act("clear_fault", 1)
        if chance.random() < 0.1:
            rig = rig.power_cut()
    words = {"residual_current.tripped", "pilot.failed", "door.opened", "meter.failed", "service.cleared"}
    assert words <= set(SEEN)


def _try(rig: Rig, act: str, *place: int, **body: str) -> None:
    try:
        rig.act(act, *place, **body)
    except ValueError:
        pass  # a car is there already, or none


def test_a_word_that_does_something_else_is_noticed(observed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = rigs.checked()
    actions = dict(build().actions)
    actions["light.follow"] = replace(
        actions["light.follow"],
        perform=lambda at, here, _event, **_looks: at.records.put("fault", f"{here}/X", ""),
    )
    words = Observer(replace(build(), actions=actions)).words
    monkeypatch.setattr(rigs, "checked", lambda _folder=rigs.CHARTS: replace(checked, vocabulary=words))
    rig = Rig(start=False)
    with pytest.raises(Defect, match=r"light\.follow made fault\.present True at 1"):
        rig.driver.station.handle(Event("station.started"))
