"""Every event, fact and action that a chart may use, by subject.

`build` puts them together with what a set of charts declares itself: settings become configuration keys,
inputs become events and facts, outputs become actions.
"""

from __future__ import annotations

from typing import Any, Literal

from charger import ports
from charger.functions.configuration import KEYS, NO_LIMIT, Key, setting_key
from charger.functions.situation import Situation
from charger.functions.status import FOLLOWS
from charger.statechart.event import Event
from charger.statechart.model import ChartSet, Pin
from charger.statechart.words import (
    ActionWord,
    EventWord,
    FactWord,
    KeyWord,
    Scope,
    Type,
    Vocabulary,
)
from charger.vocabulary import charging, hardware, protection, station

_STATION_STATUSES = ("Available", "Unavailable", "Faulted")
_CONNECTOR_STATUSES = (
    *("Available", "Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing", "Reserved"),
    *("Unavailable", "Faulted"),
)
_WELL = frozenset({*_STATION_STATUSES, *_CONNECTOR_STATUSES} - {"Faulted"})
_WATCHES = {
    "fault.raised": _WELL,
    "emergency.pressed": _WELL,
    "cable.unplugged": frozenset({"Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing"}),
}
"""What no state may ignore while it shows one of these (A9 to H9, B1 to F1 of OCPP 1.6 §4.9)."""
ERROR_CODES = frozenset(
    {
        *("NotImplemented", "NotSupported", "InternalError", "ProtocolError", "SecurityError"),
        *("FormationViolation", "PropertyConstraintViolation", "OccurenceConstraintViolation"),
        *("TypeConstraintViolation", "GenericError"),
    }
)
"""CALLERROR codes, spelt as in OCPP-J 4.2.3 (errata 5.1 and 5.2 keep the misspellings)."""
_TYPES: dict[str, Type] = {"bool": "bool", "int": "number", "list": "text", "text": "text"}


def build(chart_set: ChartSet | None = None) -> Vocabulary:
    """The vocabulary, with the inputs, outputs and settings of a set of charts."""
    parts = (hardware.WORDS, protection.WORDS, charging.WORDS, station.WORDS)
    events = {name: word for part in parts for name, word in part.events.items()}
    facts = {name: word for part in parts for name, word in part.facts.items()}
    actions = {name: word for part in parts for name, word in part.actions.items()}
    answers = {name: word for part in parts for name, word in part.answers.items()}
    keys = {name: _key_word(key) for name, key in KEYS.items()}
    if chart_set:
        for name, default in chart_set.settings.items():
            keys[name] = _key_word(setting_key(name, default))
        for pin in chart_set.inputs.values():
            facts[pin.name] = _input_fact(pin)
            for value in (True, False):
                word = _input_event(pin, value)
                events[word.name] = word
        for pin in chart_set.outputs.values():
            actions |= {word.name: word for word in _output_actions(pin)}
    names = [*events, *facts, *actions, *answers]
    return Vocabulary(
        events=events,
        facts=facts,
        actions=actions,
        answers=answers,
        keys=keys,
        read_key=_read_key,
        statuses={Scope.STATION: _STATION_STATUSES, Scope.CONNECTOR: _CONNECTOR_STATUSES},
        follows=FOLLOWS,
        watches=_WATCHES,
        errors=ERROR_CODES,
        laws=tuple(law for part in parts for law in part.laws),
        subjects=frozenset(name.partition(".")[0] for name in names) | {"clock"},
    )


def _key_word(key: Key) -> KeyWord:
    number = key.type == "int"
    return KeyWord(
        key.name,
        key.description,
        _TYPES[key.type],
        key.default,
        key.unit,
        low=key.low if number else None,
        high=key.high if number and key.high < NO_LIMIT else None,
        writable=key.writable,
        optional=key.optional,
        reboot=key.reboot,
    )


def _read_key(at: Situation, name: str) -> Any:
    return at.configuration.value(name)


def _number(pin: Pin, here: int) -> int:
    return here if pin.scope == "connector" else 0


def _input_fact(pin: Pin) -> FactWord:
    def read(at: Situation, here: int, _event: Event) -> bool:
        return at.inputs.get((pin.name, _number(pin, here)), False)

    return FactWord(pin.name, f"Input: {pin.description}", read, "bool", Scope(pin.scope))


def _input_event(pin: Pin, value: bool) -> EventWord:
    def report(at: Situation, event: Event) -> None:
        at.inputs[pin.name, event.connector or 0] = value

    name = f"{pin.name}.{'on' if value else 'off'}"
    return EventWord(
        name,
        f"Input: {pin.description}",
        Scope(pin.scope),
        {},
        report,
        effects=f"{'' if value else 'not '}{pin.name}",
    )


def _output_actions(pin: Pin) -> list[ActionWord]:
    states: tuple[Literal["on", "off", "blink"], ...] = ("on", "off", "blink")

    def action(state: Literal["on", "off", "blink"]) -> ActionWord:
        def perform(at: Situation, here: int, _event: Event) -> None:
            number = _number(pin, here)
            at.outputs[pin.name, number] = state
            at.send(ports.SwitchOutput(pin.name, number, state))

        name, text = f"{pin.name}.{state}", f"Output: {pin.description}"
        return ActionWord(name, text, perform, Scope(pin.scope), steers=pin.name)

    return [action(state) for state in states]
