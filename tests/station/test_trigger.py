"""TriggerMessage (OCPP 1.6 §5.17, digest §3.5): the answer first, then the message."""

from __future__ import annotations

from typing import Any

import pytest
from rig import Rig

ACCEPTED = {"status": "Accepted"}
REJECTED = {"status": "Rejected"}
NOT_IMPLEMENTED = {"status": "NotImplemented"}


def pending(**settings: Any) -> Rig:
    """A station whose registration is pending."""
    rig = Rig(start=False, **settings)
    rig.cs.answers["BootNotification"] = {
        "status": "Pending",
        "currentTime": "2027-01-15T08:00:00Z",
        "interval": 600,
    }
    rig.driver.start()
    rig.after(5)
    assert rig.state("registration") == "Pending"
    rig.forget()
    return rig


def asked(rig: Rig, message: str, connector: int | None = None) -> Any:
    """Ask for a message; what was sent since is in `rig.cs.sent`."""
    rig.after(5)
    rig.forget()
    where = {} if connector is None else {"connectorId": connector}
    answer = rig.call("TriggerMessage", requestedMessage=message, **where)
    rig.after(2)
    return answer


def test_a_heartbeat_that_is_asked_for_comes() -> None:
    rig = Rig()
    assert asked(rig, "Heartbeat") == ACCEPTED
    assert rig.log() == ["Heartbeat"]


def test_a_connector_means_nothing_to_a_heartbeat() -> None:
    """Digest §3.5: a connectorId that is irrelevant to the message is ignored."""
    rig = Rig()
    for connector in (0, 1, 9):
        assert asked(rig, "Heartbeat", connector) == ACCEPTED
        assert rig.log() == ["Heartbeat"]


def test_the_answer_leaves_before_the_message() -> None:
    """§5.17."""
    rig = Rig()
    asked(rig, "StatusNotification", 1)
    step = next(step for step in rig.steps if step.event.name == "ocpp.TriggerMessage")
    kinds = [type(command).__name__ for command in step.commands]
    assert kinds.index("Reply") < kinds.index("Call")


def test_without_a_connector_every_status_is_told() -> None:
    """Digest §3.5: StatusNotification of 0 to N."""
    rig = Rig(2)
    rig.plug(2)
    assert asked(rig, "StatusNotification") == ACCEPTED
    told = {notice["connectorId"]: notice["status"] for notice in rig.sent("StatusNotification")}
    assert told == {0: "Available", 1: "Available", 2: "Preparing"}
    assert len(rig.sent("StatusNotification")) == 3


@pytest.mark.parametrize("connector", [0, 1, 2])
def test_the_status_of_one_connector(connector: int) -> None:
    rig = Rig(2)
    assert asked(rig, "StatusNotification", connector) == ACCEPTED
    assert [notice["connectorId"] for notice in rig.sent("StatusNotification")] == [connector]


def test_a_status_is_stamped_with_the_time_of_the_question() -> None:
    """Digest §2.9: report time on trigger."""
    rig = Rig()
    asked(rig, "StatusNotification", 1)
    (first,) = rig.notices()
    rig.after(100)
    asked(rig, "StatusNotification", 1)
    (second,) = rig.notices()
    assert second["timestamp"] > first["timestamp"]


def test_a_fault_is_told_with_its_code() -> None:
    """Digest §6, row 9: the errorCode is in triggered messages too."""
    rig = Rig()
    rig.act("fault", 1, error_code="GroundFailure")
    asked(rig, "StatusNotification", 1)
    assert [notice["errorCode"] for notice in rig.notices()] == ["GroundFailure"]


def test_a_status_that_has_not_lasted_yet_is_told_once_when_asked_for() -> None:
    rig = Rig(MinimumStatusDuration="10")
    rig.after(30)
    rig.plug()
    assert rig.told()[-1] == "Available"
    rig.forget()
    assert rig.call("TriggerMessage", requestedMessage="StatusNotification", connectorId=1) == ACCEPTED
    rig.after(60)
    assert rig.told() == ["Preparing"]


def test_asked_twice_at_once_it_is_told_twice() -> None:
    """The second question comes while the first answer is under way."""
    rig = Rig()
    rig.after(5)
    rig.forget()
    for _ in range(2):
        rig.call("TriggerMessage", requestedMessage="StatusNotification", connectorId=1)
    rig.after(2)
    assert rig.told() == ["Available", "Available"]


def test_meter_values_of_a_connector() -> None:
    """Errata 3.46: what MeterValuesSampledData names, context Trigger, with the transaction that runs."""
    rig = Rig(MeterValuesSampledData="Energy.Active.Import.Register,Voltage")
    assert asked(rig, "MeterValues", 1) == ACCEPTED
    (values,) = rig.sent("MeterValues")
    assert "transactionId" not in values
    rig.session()
    assert asked(rig, "MeterValues", 1) == ACCEPTED
    (values,) = rig.sent("MeterValues")
    assert values["transactionId"] == 101
    sampled = values["meterValue"][0]["sampledValue"]
    assert {value["context"] for value in sampled} == {"Trigger"}
    assert {value["measurand"] for value in sampled} == {"Energy.Active.Import.Register", "Voltage"}


def test_without_a_connector_every_meter_is_told() -> None:
    rig = Rig(3)
    assert asked(rig, "MeterValues") == ACCEPTED
    assert [values["connectorId"] for values in rig.sent("MeterValues")] == [1, 2, 3]


def test_triggered_meter_values_do_not_wait_in_the_queue() -> None:
    """Digest §1.5: they are not transaction-related."""
    rig = Rig(TransactionMessageRetryInterval="1000")
    rig.cs.answers["StartTransaction"] = "error"
    rig.session()
    assert asked(rig, "MeterValues", 1) == ACCEPTED
    (values,) = rig.sent("MeterValues")
    assert "transactionId" not in values
    assert rig.facts.queue.length() == 1


def test_there_is_no_main_meter() -> None:
    assert asked(rig := Rig(), "MeterValues", 0) == REJECTED
    assert rig.log() == []


@pytest.mark.parametrize("message", ["StatusNotification", "MeterValues"])
def test_a_connector_that_does_not_exist(message: str) -> None:
    """TC_055."""
    rig = Rig(2)
    assert asked(rig, message, 3) == REJECTED
    assert rig.log() == []


@pytest.mark.parametrize("message", ["DiagnosticsStatusNotification", "FirmwareStatusNotification"])
@pytest.mark.parametrize("connector", [None, 1, 9])
def test_messages_that_the_station_does_not_have(message: str, connector: int | None) -> None:
    assert asked(Rig(), message, connector) == NOT_IMPLEMENTED


def test_once_accepted_nobody_boots_again() -> None:
    """Errata 3.35."""
    rig = Rig()
    assert asked(rig, "BootNotification") == REJECTED
    assert rig.log() == []


def test_while_pending_it_boots_when_asked() -> None:
    """§4.2: not before the interval, unless triggered."""
    rig = pending()
    del rig.cs.answers["BootNotification"]
    assert asked(rig, "BootNotification") == ACCEPTED
    assert rig.log()[0] == "BootNotification"
    assert rig.state("registration") == "Accepted"


def test_while_pending_only_what_is_asked_for_is_sent() -> None:
    """§4.2."""
    rig = pending()
    assert asked(rig, "Heartbeat") == ACCEPTED
    assert rig.log() == ["Heartbeat"]
    assert asked(rig, "StatusNotification", 2) == ACCEPTED
    assert [notice["connectorId"] for notice in rig.sent("StatusNotification")] == [2]
    assert asked(rig, "MeterValues", 1) == ACCEPTED
    assert rig.log() == ["MeterValues"]
    rig.after(60)
    assert rig.log() == ["MeterValues"]


def test_a_status_asked_for_while_pending_is_told_again_at_boot() -> None:
    """Errata 3.22: after Accepted connector 0 and every connector."""
    rig = pending()
    asked(rig, "StatusNotification")
    del rig.cs.answers["BootNotification"]
    asked(rig, "BootNotification")
    assert sorted(notice["connectorId"] for notice in rig.sent("StatusNotification")) == [0, 1, 2]


def test_a_status_asked_for_twice_while_pending_is_told_twice() -> None:
    """§5.17: an accepted TriggerMessage is kept, though the message asked for first has no answer yet."""
    rig = pending()
    rig.cs.delay = 5
    for _ in range(2):
        assert rig.call("TriggerMessage", requestedMessage="StatusNotification", connectorId=1) == ACCEPTED
    rig.after(20)
    assert rig.told() == ["Available", "Available"]
    assert rig.state("notification", 1) == "Offline"


def test_a_status_asked_for_while_pending_may_get_lost() -> None:
    rig = pending()
    rig.cs.answers["StatusNotification"] = "error"
    asked(rig, "StatusNotification", 1)
    assert rig.state("notification", 1) == "Offline"


def test_a_station_that_has_no_answer_to_its_boot_yet_sends_nothing() -> None:
    """§4.2: only BootNotification."""
    rig = Rig(start=False)
    rig.cs.answers["BootNotification"] = "error"
    rig.driver.start()
    rig.after(5)
    assert asked(rig, "Heartbeat") == REJECTED
