"""ChangeAvailability (OCPP 1.6 §5.2; digest §2.10)."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig

ACCEPTED, REJECTED, SCHEDULED = ({"status": status} for status in ("Accepted", "Rejected", "Scheduled"))


def change(rig: Rig, connector: int, kind: str = "Inoperative") -> Any:
    answer = rig.call("ChangeAvailability", connectorId=connector, type=kind)
    rig.after(0.1)
    return answer


def test_a_free_connector_is_unavailable_at_once() -> None:
    """A8, H1: Accepted, then the status; state F keeps cars from waiting."""
    rig = Rig()
    assert change(rig, 1) == ACCEPTED
    assert rig.told() == ["Available", "Unavailable"]
    assert (rig.status(0), rig.status(2)) == ("Available", "Available")
    rig.after(1)
    assert rig.hardware.describe(1)["pilot_amps"] is None
    assert change(rig, 1, "Operative") == ACCEPTED
    assert rig.told() == ["Available", "Unavailable", "Available"]
    rig.after(1)
    assert rig.hardware.describe(1)["pilot_amps"] == 0


def test_the_answer_comes_before_the_status() -> None:
    """§5.2: StatusNotification after the .conf."""
    rig = Rig()
    change(rig, 1)
    step = next(step for step in rig.steps if step.event.name == "ocpp.ChangeAvailability")
    names = [type(command).__name__ for command in step.commands]
    assert names.index("Store") < names.index("Reply") < names.index("Call")


@pytest.mark.parametrize("kind", ["Inoperative", "Operative"])
def test_the_same_again_is_accepted(kind: str) -> None:
    """§5.2: already in that state; nothing is told."""
    rig = Rig()
    change(rig, 1, kind)
    rig.forget()
    assert change(rig, 1, kind) == ACCEPTED
    assert rig.log() == []


def test_during_a_transaction_it_is_scheduled() -> None:
    """§5.2, C8/F8: executed at its end."""
    rig = Rig()
    rig.session()
    assert change(rig, 1) == SCHEDULED
    assert rig.status() == "Charging"
    rig.swipe()
    rig.after(5)
    assert rig.told()[-2:] == ["Charging", "Unavailable"]
    assert rig.hardware.describe(1)["lock"] == "released"
    rig.unplug()
    rig.after(2)
    assert rig.status() == "Unavailable"


@pytest.mark.parametrize("connector", [1, 0])
def test_during_a_transaction_on_a_connector_with_a_fault_it_is_scheduled(connector: int) -> None:
    """§5.2: a transaction in progress is one, whatever the status shows."""
    rig = Rig()
    rig.session()
    rig.act("fault", 1, error_code="GroundFailure")
    assert rig.facts.transactions.on(1)
    assert change(rig, connector) == SCHEDULED


def test_operative_cancels_what_was_scheduled() -> None:
    """Digest §2.10."""
    rig = Rig()
    rig.session()
    change(rig, 1)
    assert change(rig, 1, "Operative") == ACCEPTED
    rig.swipe()
    rig.after(5)
    rig.unplug()
    assert rig.told()[-1] == "Available"


def test_preparing_reaches_unavailable_through_available() -> None:
    """§4.9: there is no way from Preparing to Unavailable; Available is told in between, for a second."""
    rig = Rig()
    rig.plug()
    begun = rig.clock.now().monotonic
    assert change(rig, 1) == ACCEPTED
    rig.until(lambda: rig.status() == "Unavailable", step=0.01)
    assert rig.clock.now().monotonic - begun == pytest.approx(1.0, abs=0.05)
    rig.after(1)
    assert rig.told() == ["Available", "Preparing", "Available", "Unavailable"]


@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("asks", [False, True])
def test_a_transaction_that_ends_before_it_charges_reaches_unavailable_through_finishing(
    *, fixed: bool, asks: bool
) -> None:
    """B6, F8: Preparing is still shown, and B8 does not exist. Found by `forbidden-status`."""
    rig = Rig(1, fixed=fixed, simulation={"contactor_delay": 0.4})
    rig.plug()
    if not asks:
        rig.act("ev", 1, state="suspended")
    rig.hardware.simulate("swipe", None, {"id_tag": "TAG"})
    rig.until(lambda: rig.state("connector", 1) == ("Starting" if asks else "Beginning"))
    assert change(rig, 1) == SCHEDULED
    rig.swipe()
    rig.after(20)
    assert rig.told() == ["Available", "Preparing", "Finishing", "Unavailable"]


def test_a_transaction_that_ends_before_it_charges_is_seen_as_finishing() -> None:
    """B6, with nothing scheduled."""
    rig = Rig(1)
    rig.plug()
    rig.act("ev", 1, state="suspended")
    rig.swipe()
    rig.swipe()
    assert rig.told() == ["Available", "Preparing", "Finishing"]


def test_a_card_that_waits_for_its_plug_is_forgotten() -> None:
    """B1 and A8: no transaction runs, so nothing is put off."""
    rig = Rig(1, ConnectionTimeOut="20")
    rig.swipe()
    assert change(rig, 1) == ACCEPTED
    rig.after(2)
    rig.plug()
    rig.after(2)
    assert rig.log("StartTransaction") == []
    assert rig.told() == ["Available", "Preparing", "Available", "Unavailable"]


def test_the_passing_second_ends_when_it_becomes_operative_again() -> None:
    """Nothing is told twice."""
    rig = Rig()
    rig.plug()
    change(rig, 1)
    rig.after(0.5)
    change(rig, 1, "Operative")
    rig.after(2)
    assert rig.told() == ["Available", "Preparing", "Available", "Preparing"]


def test_an_unavailable_connector_starts_nothing() -> None:
    """§4.9: no charging there."""
    rig = Rig()
    change(rig, 1)
    rig.plug()
    rig.swipe("TAG", 1)
    rig.after(5)
    assert rig.status() == "Unavailable"
    assert rig.log("StartTransaction") == []


@pytest.mark.parametrize("state", ["Plugged", "Released"])
def test_without_a_transaction_it_leaves_operation_at_once(state: str) -> None:
    """§5.2, F8: a plug that is in puts nothing off."""
    rig = Rig(1, ConnectionTimeOut="20")
    rig.plug()
    rig.after(1 if state == "Plugged" else 25)
    assert rig.state("connector", 1) == state
    assert change(rig, 1) == ACCEPTED
    rig.after(2)
    assert rig.status() == "Unavailable"
    rig.swipe()
    rig.after(5)
    assert rig.call("RemoteStartTransaction", idTag="TAG", connectorId=1) == REJECTED
    rig.after(5)
    assert rig.log("StartTransaction") == []
    rig.unplug()
    rig.after(2)
    assert rig.status() == "Unavailable"


def test_where_a_transaction_is_about_to_begin_it_is_scheduled() -> None:
    """§5.2: the plug is being locked for it."""
    rig = Rig(1, simulation={"lock_delay": 2.0})
    rig.plug()
    rig.swipe()
    assert rig.state("connector", 1) == "Locking"
    assert change(rig, 1) == SCHEDULED
    rig.after(5)
    assert rig.status() == "Charging"


def test_a_connector_out_of_operation_does_not_take_a_card_away_from_another() -> None:
    """§4.9: connector 1 is plugged and Unavailable; the card is for connector 2."""
    rig = Rig(2, ConnectionTimeOut="0")
    rig.plug(1)
    change(rig, 1)
    rig.after(2)
    rig.plug(2)
    rig.swipe()
    rig.after(5)
    assert (rig.status(1), rig.status(2)) == ("Unavailable", "Charging")


def test_operative_with_a_plug_in_is_preparing() -> None:
    """H2."""
    rig = Rig()
    change(rig, 1)
    rig.plug()
    change(rig, 1, "Operative")
    assert rig.told() == ["Available", "Unavailable", "Preparing"]


def test_the_whole_station() -> None:
    """Test TC_034: connector 0 means the station and every connector; one status for each."""
    rig = Rig()
    assert change(rig, 0) == ACCEPTED
    assert [rig.told(number)[-1] for number in range(3)] == ["Unavailable"] * 3
    assert change(rig, 0, "Operative") == ACCEPTED
    assert [rig.told(number)[-1] for number in range(3)] == ["Available"] * 3


def test_the_whole_station_with_a_transaction() -> None:
    """Digest §2.10: Scheduled; idle connectors at once."""
    rig = Rig()
    rig.session()
    assert change(rig, 0) == SCHEDULED
    assert (rig.status(1), rig.status(2)) == ("Charging", "Unavailable")
    rig.swipe()
    rig.after(5)
    rig.unplug()
    assert rig.status(1) == "Unavailable"


def test_operative_for_the_station_is_for_all_its_connectors() -> None:
    """Digest §2.10: a later Operative on 0 clears every flag."""
    rig = Rig()
    change(rig, 1)
    change(rig, 2)
    change(rig, 0, "Operative")
    assert (rig.status(1), rig.status(2)) == ("Available", "Available")


def test_inoperative_for_the_station_outlasts_operative_for_a_connector() -> None:
    """Digest §2.10: Unavailable if either flag says so."""
    rig = Rig()
    change(rig, 0)
    change(rig, 1, "Operative")
    assert rig.status(1) == "Unavailable"


@pytest.mark.parametrize("connector", [3, -1])
def test_an_unknown_connector(connector: int) -> None:
    """Digest §2.10: Rejected."""
    assert change(Rig(), connector) == REJECTED


def test_it_survives_a_power_cut() -> None:
    """§4.9: Unavailable persists, also what was scheduled."""
    rig = Rig(3)
    rig.session(2)
    for number in (1, 2):
        change(rig, number)
    rig = rig.power_cut()
    assert [rig.told(number) for number in (1, 2, 3)] == [["Unavailable"], ["Unavailable"], ["Available"]]
    rig = rig.power_cut()
    change(rig, 0)
    rig = rig.power_cut()
    assert {rig.status(number) for number in range(4)} == {"Unavailable"}


def test_a_fault_shows_through_and_goes_back() -> None:
    """H9, I8; and for connector 0."""
    rig = Rig()
    change(rig, 0)
    rig.act("fault", 0, error_code="HighTemperature")
    assert [rig.told(number)[-1] for number in range(3)] == ["Faulted"] * 3
    rig.act("clear_fault", 0)
    assert [rig.told(number)[-1] for number in range(3)] == ["Unavailable"] * 3
