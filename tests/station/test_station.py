"""The core itself: events before the start, answers, routing of calls, the picture for people."""

from __future__ import annotations

import pytest
from rig import Rig, checked

from charger import ports
from charger.errors import Defect
from charger.functions.situation import ConnectorPlan, Identity
from charger.statechart.event import Event, Moment
from charger.station import Station


def station(*plans: ConnectorPlan, stored: tuple[ports.Change, ...] = ()) -> Station:
    found = checked()
    return Station(found.charts, found.vocabulary, Identity("V", "M"), plans or (ConnectorPlan(),), stored)


def test_before_the_start_events_only_change_facts() -> None:
    """The charts find the world as it is."""
    core = station()
    for event in (
        Event("cable.plugged", 1),
        Event("link.opened"),  # a word without a report
        Event("nobody.knows", 1),
        Event("contactor.opened", 1),
    ):
        assert core.handle(event).moves == ()
    assert core.situation.connectors[1].cable is True
    core.handle(Event("station.started"))
    assert core.ensemble.leaves["connector"][1] == "Plugged"
    assert core.status()["connectors"][0]["status"] == "Preparing"


def test_a_step_tells_its_event_its_moves_and_its_commands() -> None:
    """For the trace, and for whoever asks what happened; the answer under the name that charts know."""
    rig = Rig()
    rig.plug()
    step = next(step for step in rig.steps if step.event.name == "cable.plugged")
    assert ("connector", "Available", "Plugged") in [(m.chart, m.source, m.target) for m in step.moves]
    assert ports.ShowLight(1, "yellow") in step.commands
    names = {step.event.name for step in rig.steps}
    assert {"ocpp.StatusNotification.accepted", "ocpp.BootNotification.accepted"} <= names
    assert "ocpp.answered" not in names


def test_an_unexpected_exception_is_a_defect() -> None:
    """errors.py: never swallowed; it names the event."""
    core = station()
    with pytest.raises(Defect, match=r"^cable\.plugged: 7"):
        core.handle(Event("cable.plugged", 7))


def test_a_call_goes_to_the_connector_it_names() -> None:
    """By itself, or by its running transaction; everything else to the station."""
    rig = Rig()
    rig.session(2)
    for name, fields, expected in (
        ("UnlockConnector", {"connectorId": 1}, 1),
        ("UnlockConnector", {"connectorId": 3}, None),
        ("ChangeAvailability", {"connectorId": 0, "type": "Operative"}, None),
        ("GetConfiguration", {}, None),
        ("RemoteStopTransaction", {"transactionId": 102}, None),
        ("RemoteStopTransaction", {"transactionId": 101}, 2),
    ):
        rig.steps.clear()
        rig.call(name, **fields)
        assert rig.steps[0].event.connector == expected


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        ({}, "accepted"),
        ({"status": "Accepted"}, "accepted"),
        ({"status": "Blocked"}, "refused"),
        ({"idTagInfo": {"status": "Accepted"}}, "accepted"),
        ({"idTagInfo": {"status": "Blocked"}}, "refused"),
        ({"idTagInfo": None}, "accepted"),
    ],
)
def test_an_answer_is_accepted_or_refused(payload: dict[str, object], name: str) -> None:
    """chart-language: .conf with status Accepted or without a status at all, any other status."""
    rig = Rig()
    rig.facts.asked[999] = "Authorize"
    rig.wires("ocpp.answered", token=999, outcome="result", payload=payload)
    assert rig.steps[-1].event.name == f"ocpp.Authorize.{name}"


@pytest.mark.parametrize("cause", ["error", "timeout", "offline"])
@pytest.mark.parametrize(
    ("asked", "name"), [("Authorize", "ocpp.Authorize.failed"), ("queue", "queue.failed")]
)
def test_a_failure_tells_its_cause(cause: str, asked: str, name: str) -> None:
    """chart-language: CALLERROR or unreadable, no answer in time, no link."""
    rig = Rig()
    rig.facts.asked[999] = asked
    rig.wires("ocpp.answered", token=999, outcome=cause, payload=None)
    assert (rig.steps[-1].event.name, dict(rig.steps[-1].event.fields)) == (name, {"cause": cause})


def test_the_picture_of_an_idle_station() -> None:
    """GET /status: everything that charts and facts say."""
    rig = Rig(2, fixed=True)
    told = rig.driver.station.status()
    assert told["status"] == "Available"
    assert told["charts"]["registration"] == {"state": "Accepted", "path": ["Accepted"]}
    assert told["charts"]["link"]["state"] == "Up"
    assert told["queue"] == {"waiting": 0, "transmissions": 0}
    assert (told["faults"], told["display"]) == ([], "")
    assert told["time"].startswith("2027-01-15T08:00:0")
    one = told["connectors"][0]
    assert (one["number"], one["status"], one["transaction"], one["lock"]) == (1, "Available", None, None)
    assert one["cable"] == {"present": False, "fixed": True}
    assert one["interlocks"] == {"no_fault": True, "no_emergency_stop": True}
    assert one["charts"]["connector"] == {"state": "Available", "path": ["Available"]}


def test_the_picture_of_a_charging_station() -> None:
    """With its transaction, its meter, its faults."""
    rig = Rig()
    rig.session()
    rig.after(60)
    one = rig.driver.station.status()["connectors"][0]
    assert one["status"] == "Charging"
    assert one["charts"]["connector"]["path"] == ["Charging", "Energised"]
    assert one["transaction"]["id"] == 101
    assert one["transaction"]["id_tag"] == "TAG"
    assert one["transaction"]["energy_wh"] == pytest.approx(one["meter"]["energy_wh"], abs=0.2)
    assert (one["contactor"], one["lock"], one["light"]) == ("closed", "engaged", "blue breathing")
    assert one["offer_amps"] == 32
    assert one["meter"]["power_w"] == 7400
    rig.cut()
    rig.act("fault", 1, error_code="GroundFailure", info="RCD")
    rig.wires("emergency.pressed")
    told = rig.driver.station.status()
    one = told["connectors"][0]
    assert one["faults"] == [
        {"error_code": "OtherError", "info": "emergency stop", "vendor_error_code": "CX008"},
        {"error_code": "GroundFailure", "info": "RCD"},
    ]
    assert one["interlocks"] == {"no_fault": False, "no_emergency_stop": False}
    rig.after(1)
    assert rig.driver.station.status()["queue"]["waiting"] == 1


def test_the_picture_before_the_first_step() -> None:
    """The API answers as soon as the process runs."""
    told = station(ConnectorPlan(), ConnectorPlan()).status()
    assert told["status"] == ""
    assert told["charts"]["link"] == {"state": "", "path": []}
    assert len(told["connectors"]) == 2


def test_latched_faults_are_in_the_picture_from_the_beginning() -> None:
    """They are durable facts."""
    stored = (
        ports.Change("fault", "1/PowerSwitchFailure", "welded"),
        ports.Change("fault", "2/PowerSwitchFailure/CX017", {"info": "welded", "service": True}),
        ports.Change("fault", "0/OtherError", ""),
    )
    told = station(ConnectorPlan(), ConnectorPlan(), stored=stored).status()
    assert told["faults"] == [{"error_code": "OtherError", "info": ""}]
    old, new = (one["faults"] for one in told["connectors"])
    assert old == [{"error_code": "PowerSwitchFailure", "info": "welded"}]  # as version 0.1 kept it
    assert new == [{**old[0], "vendor_error_code": "CX017", "service": True}]


def test_all_cables_fixed_or_not() -> None:
    """Errata 3.84: one socket is enough for the key to matter."""
    name = "UnlockConnectorOnEVSideDisconnect"
    mixed = station(ConnectorPlan(fixed=True), ConnectorPlan()).configuration
    assert mixed.text(name) == "true"
    assert station(ConnectorPlan(fixed=True)).configuration.text(name) == "false"


def test_moments_are_those_of_the_event() -> None:
    """The core reads no clock."""
    core = station()
    step = core.handle(Event("station.started", moment=Moment(5.0, 1000.0)))
    assert core.situation.time == 1000.0
    timers = [command for command in step.commands if isinstance(command, ports.StartTimer)]
    assert min(timer.due for timer in timers) == 5.5
