"""What the control pilot says, as the events that charts hear."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charger.hardware.car import Car
from charger.hardware.parts import PilotSaid

A, B, C, D, E, F = (PilotSaid(state) for state in "ABCDEF")
SILENT = PilotSaid("F", wrong="silent")


def plugged(state, amps=32.0, wrong=""):
    return PilotSaid(state, amps, wrong)


def heard(car, *said):
    events = []
    for one in said:
        events += car.hear(one)
    return [name if not fields else (name, *fields.values()) for name, fields in events]


FIXED = [
    ("nothing", [A], []),
    ("a car comes", [A, B], ["cable.plugged"]),
    ("a car asks at once", [C], ["cable.plugged", "ev.ready"]),
    ("a session", [A, B, C, B, A], ["cable.plugged", "ev.ready", "ev.paused", "cable.unplugged"]),
    ("it tears itself off", [B, C, A], ["cable.plugged", "ev.ready", "cable.unplugged"]),
    (
        "it wants a fan",
        [B, D, C],
        ["cable.plugged", ("pilot.failed", "ventilation"), "ev.ready", "pilot.recovered"],
    ),
    (
        "a short circuit while it charges",
        [B, C, E, A],
        [
            *("cable.plugged", "ev.ready", ("pilot.failed", "short"), "ev.paused"),
            *("cable.unplugged", "pilot.recovered"),
        ],
    ),
    ("we refuse", [B, F, B], ["cable.plugged"]),
    ("we refuse while it asks", [C, F, B], ["cable.plugged", "ev.ready", "ev.paused"]),
    (
        "no diode",
        [B, PilotSaid("C", wrong="diode"), B],
        ["cable.plugged", ("pilot.failed", "diode"), "ev.ready", "ev.paused", "pilot.recovered"],
    ),
    (
        "the board falls silent",
        [C, SILENT, C],
        [
            *("cable.plugged", "ev.ready", ("pilot.failed", "silent"), "ev.paused"),
            *("ev.ready", "pilot.recovered"),
        ],
    ),
    (
        "one thing after the other",
        [PilotSaid("B", wrong="diode"), E, B],
        [("pilot.failed", "diode"), "cable.plugged", ("pilot.failed", "short"), "pilot.recovered"],
    ),
]
SOCKET = [
    ("nothing", [A], []),
    ("a cable comes alone", [plugged("A")], ["cable.plugged", ("cable.rated", 32.0)]),
    (
        "a session",
        [A, plugged("A"), plugged("B"), plugged("C"), plugged("B"), plugged("A"), A],
        [
            *("cable.plugged", ("cable.rated", 32.0), "ev.ready", "ev.paused", "ev.unplugged"),
            *("cable.unplugged", ("cable.rated", None)),
        ],
    ),
    (
        "all at once",
        [plugged("C"), A],
        ["cable.plugged", ("cable.rated", 32.0), "ev.ready", "cable.unplugged", ("cable.rated", None)],
    ),
    (
        "the car tears itself off, the cable stays",
        [plugged("C"), plugged("A")],
        ["cable.plugged", ("cable.rated", 32.0), "ev.ready", "ev.unplugged"],
    ),
    (
        "another cable",
        [plugged("B", 13.0), A, plugged("B", 20.0)],
        [
            *("cable.plugged", ("cable.rated", 13.0), "cable.unplugged", ("cable.rated", None)),
            *("cable.plugged", ("cable.rated", 20.0)),
        ],
    ),
    (
        "a cable that nobody knows",
        [PilotSaid("A", wrong="cable"), A],
        [("pilot.failed", "cable"), "cable.plugged", "cable.unplugged", "pilot.recovered"],
    ),
    (
        "a short circuit hides the cable",
        [plugged("B"), E, plugged("B")],
        [
            *("cable.plugged", ("cable.rated", 32.0), ("pilot.failed", "short"), ("cable.rated", None)),
            *(("cable.rated", 32.0), "pilot.recovered"),
        ],
    ),
    (
        "the cable is pulled while we refuse",
        [plugged("B"), plugged("F"), F, A],
        ["cable.plugged", ("cable.rated", 32.0), "cable.unplugged", ("cable.rated", None)],
    ),
    (
        "a part that sees no cable: while we refuse, nobody knows",
        [B, F, B, A],
        ["cable.plugged", "cable.unplugged"],
    ),
    ("a short circuit with no cable", [E], [("pilot.failed", "short")]),
    (
        "silence hides the cable",
        [plugged("B"), SILENT, plugged("B")],
        ["cable.plugged", ("cable.rated", 32.0), ("pilot.failed", "silent"), "pilot.recovered"],
    ),
]


@pytest.mark.parametrize(("said", "events"), [row[1:] for row in FIXED], ids=[row[0] for row in FIXED])
def test_a_fixed_cable(said, events):
    assert heard(Car(fixed=True), *said) == events


@pytest.mark.parametrize(("said", "events"), [row[1:] for row in SOCKET], ids=[row[0] for row in SOCKET])
def test_a_socket(said, events):
    assert heard(Car(fixed=False), *said) == events


SAID = st.builds(
    PilotSaid,
    st.sampled_from("ABCDEF"),
    st.sampled_from([None, 13.0, 32.0]),
    st.sampled_from(["", "", "", "diode", "cable", "silent"]),
)


@given(st.booleans(), st.lists(SAID, max_size=12))
def test_the_events_together_make_the_situation(fixed, said):
    """Whoever heard every event knows what a station hears that begins now."""
    car, known = Car(fixed), {}
    for one in said:
        take(known, car.hear(one))
    told = {}
    take(told, car.situation())
    assert known == told
    assert not (car.asks and not car.plug)


@given(st.booleans(), st.lists(SAID, max_size=12))
def test_what_was_said_already_is_no_news(fixed, said):
    car = Car(fixed)
    for one in said:
        car.hear(one)
        assert car.hear(one) == []


def take(known, events):
    """As the vocabulary's reports have it."""
    for name, fields in events:
        match name:
            case "cable.plugged":
                assert "plug" not in known
                known["plug"] = True
            case "cable.unplugged":
                del known["plug"]
                known.pop("asks", None)
            case "ev.unplugged" | "ev.paused":
                known.pop("asks", None)
            case "ev.ready":
                assert "asks" not in known
                known["asks"] = True
            case "pilot.failed":
                known["wrong"] = fields["reason"]
            case "pilot.recovered":
                del known["wrong"]
            case "cable.rated":
                known["amps"] = fields["amps"]
                if fields["amps"] is None:
                    del known["amps"]
