"""GetConfiguration, ChangeConfiguration, other questions (OCPP 1.6 §5.3, §5.6, §5.8, §9; digest §2.12)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rig import Rig, checked

from charger.functions.configuration import KEYS, setting_key

ACCEPTED, REJECTED, NOT_SUPPORTED = (
    {"status": status} for status in ("Accepted", "Rejected", "NotSupported")
)


def write(rig: Rig, key: str, value: str) -> Any:
    return rig.call("ChangeConfiguration", key=key, value=value)


def read(rig: Rig, *names: str) -> dict[str, Any]:
    answer = rig.call("GetConfiguration", key=list(names))
    return {one["key"]: one["value"] for one in answer["configurationKey"]}


# -- reading -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [{}, {"key": []}])
def test_without_names_all_keys_are_told(asked: dict[str, Any]) -> None:
    """§5.8: no list and an empty list mean all; each with its access."""
    answer = Rig().call("GetConfiguration", **asked)
    told = {one["key"]: one for one in answer["configurationKey"]}
    assert set(told) == set(KEYS) | set(checked().charts.settings)
    assert "unknownKey" not in answer
    assert told["NumberOfConnectors"] == {"key": "NumberOfConnectors", "readonly": True, "value": "2"}
    assert told["ConnectionTimeOut"] == {"key": "ConnectionTimeOut", "readonly": False, "value": "60"}
    assert len(told) <= int(told["GetConfigurationMaxKeys"]["value"])


def test_every_required_key_of_core_is_there() -> None:
    """§9.1: the keys that are not optional."""
    required = [
        "AuthorizeRemoteTxRequests",
        "ClockAlignedDataInterval",
        "ConnectionTimeOut",
        "ConnectorPhaseRotation",
        "GetConfigurationMaxKeys",
        "HeartbeatInterval",
        "LocalAuthorizeOffline",
        "LocalPreAuthorize",
        "MeterValuesAlignedData",
        "MeterValuesSampledData",
        "MeterValueSampleInterval",
        "NumberOfConnectors",
        "ResetRetries",
        "StopTransactionOnInvalidId",
        "StopTxnAlignedData",
        "StopTxnSampledData",
        "SupportedFeatureProfiles",
        "TransactionMessageAttempts",
        "TransactionMessageRetryInterval",
        "UnlockConnectorOnEVSideDisconnect",
    ]
    assert set(required) <= set(read(Rig()))
    assert {name for name in required if KEYS[name].optional} == set()


def test_names_are_read_in_any_case_and_unknown_ones_named() -> None:
    """Digest §2.12: CiString50; what is not known is unknownKey."""
    answer = Rig().call("GetConfiguration", key=["heartbeatINTERVAL", "Nonsense", "AuthorizationKey"])
    assert [one["key"] for one in answer["configurationKey"]] == ["HeartbeatInterval"]
    assert answer["unknownKey"] == ["Nonsense", "AuthorizationKey"]


def test_a_key_taken_away_in_station_yaml_does_not_exist() -> None:
    """§9: an optional key that is absent means that the feature is missing."""
    rig = Rig(MinimumStatusDuration=None)
    assert rig.call("GetConfiguration", key=["MinimumStatusDuration"])["unknownKey"] == [
        "MinimumStatusDuration"
    ]
    assert write(rig, "MinimumStatusDuration", "5") == NOT_SUPPORTED
    assert "MinimumStatusDuration" not in read(rig)


# -- writing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("LocalPreAuthorize", "true"),
        ("LocalPreAuthorize", "FALSE"),
        ("localpreauthorize", " True "),
        ("ConnectionTimeOut", "0"),
        ("ConnectionTimeOut", "86400"),
        ("TransactionMessageAttempts", "1"),
        ("LightIntensity", "100"),
        ("MeterValuesSampledData", ""),
        ("MeterValuesSampledData", "Voltage, Current.Import.L1"),
        ("StopTxnSampledData", "Energy.Active.Import.Register"),
        ("ConnectorPhaseRotation", "0.RST,1.RTS, 2.Unknown"),
        ("ConnectorPhaseRotation", "NotApplicable"),
    ],
)
def test_a_value_that_fits_is_accepted(key: str, value: str) -> None:
    """§5.3: effective at once."""
    rig = Rig()
    assert write(rig, key, value) == ACCEPTED
    written = value.strip().lower() if key.lower() == "localpreauthorize" else value.strip()
    assert list(read(rig, key).values()) == [written]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("LocalPreAuthorize", "1"),
        ("LocalPreAuthorize", "yes"),
        ("LocalPreAuthorize", ""),
        ("ConnectionTimeOut", "-1"),  # TC_040_2
        ("ConnectionTimeOut", "ten"),
        ("ConnectionTimeOut", "1.5"),
        ("ConnectionTimeOut", "1e2"),
        ("ConnectionTimeOut", ""),
        ("ConnectionTimeOut", "99999999999"),
        ("TransactionMessageAttempts", "0"),
        ("MessageTimeout", "0"),
        ("LightIntensity", "101"),
        ("WebSocketPingInterval", "-5"),  # §9.1.34
        ("MeterValuesSampledData", "Temperature"),
        ("MeterValuesSampledData", "Voltage,Nonsense"),
        ("MeterValuesAlignedData", ",".join(["Voltage"] * 9)),
        ("ConnectorPhaseRotation", "3.RST"),
        ("ConnectorPhaseRotation", "1.RRR"),
        ("ConnectorPhaseRotation", ""),
        ("ConnectorPhaseRotation", ",".join(["1.RST"] * 17)),
        ("NumberOfConnectors", "3"),
        ("SupportedFeatureProfiles", "Core"),
        ("GetConfigurationMaxKeys", "5"),
    ],
)
def test_a_value_that_does_not_fit_and_a_read_only_key_are_rejected(key: str, value: str) -> None:
    """§5.3: Rejected, and nothing has changed."""
    rig = Rig()
    before = read(rig, key)
    assert write(rig, key, value) == REJECTED
    assert read(rig, key) == before


def test_an_unknown_key_is_not_supported() -> None:
    """§5.3."""
    assert write(Rig(), "Nonsense", "1") == NOT_SUPPORTED


def test_a_list_without_a_maximum_has_one_item() -> None:
    """§9: a missing …MaxLength means one item."""
    rig = Rig(StopTxnAlignedDataMaxLength=None)
    assert write(rig, "StopTxnAlignedData", "Voltage") == ACCEPTED
    assert write(rig, "StopTxnAlignedData", "Voltage,Voltage.L1") == REJECTED


def test_a_key_that_needs_a_restart_says_so() -> None:
    """§5.3: RebootRequired; it is stored, and the station does not restart by itself."""
    rig = Rig()
    keys = rig.facts.configuration._keys
    keys["BlinkRepeat"] = replace(keys["BlinkRepeat"], reboot=True)
    assert write(rig, "BlinkRepeat", "5") == {"status": "RebootRequired"}
    assert read(rig, "BlinkRepeat") == {"BlinkRepeat": "5"}
    assert rig.driver.restart is None


def test_a_value_is_durable_before_it_is_acknowledged() -> None:
    """Digest §2.12."""
    rig = Rig()
    write(rig, "BlinkRepeat", "7")
    step = next(step for step in rig.steps if step.event.name == "ocpp.ChangeConfiguration")
    assert [type(command).__name__ for command in step.commands] == ["Store", "Reply"]
    rig = rig.power_cut()
    assert read(rig, "BlinkRepeat") == {"BlinkRepeat": "7"}


def test_a_written_value_wins_over_station_yaml() -> None:
    """station.yaml gives the value at the first start."""
    rig = Rig(BlinkRepeat="4")
    configuration = rig.facts.configuration
    assert read(rig, "BlinkRepeat") == {"BlinkRepeat": "4"}
    assert configuration.origin("BlinkRepeat") == "station.yaml"
    write(rig, "BlinkRepeat", "6")
    assert configuration.origin("BlinkRepeat") == "written by the Central System"
    assert configuration.origin("LightIntensity") == "default"
    assert configuration.origin("NumberOfConnectors") == "hardware"
    assert read(rig.power_cut(), "BlinkRepeat") == {"BlinkRepeat": "6"}


def test_station_yaml_may_write_names_in_any_case() -> None:
    """Key names are CiStrings there too."""
    assert read(Rig(blinkrepeat="9"), "BlinkRepeat") == {"BlinkRepeat": "9"}


def test_with_fixed_cables_only_there_is_nothing_to_unlock() -> None:
    """Errata 3.84, 3.85: UnlockConnectorOnEVSideDisconnect is false and read-only."""
    rig = Rig(fixed=True)
    answer = rig.call("GetConfiguration", key=["UnlockConnectorOnEVSideDisconnect"])["configurationKey"]
    assert answer == [{"key": "UnlockConnectorOnEVSideDisconnect", "readonly": True, "value": "false"}]
    assert write(rig, "UnlockConnectorOnEVSideDisconnect", "true") == REJECTED


def test_message_timeout_is_the_patience_with_the_central_system() -> None:
    """Errata 3.83."""
    rig = Rig(MessageTimeout="7")
    rig.cs.answers["Authorize"] = "timeout"
    rig.plug()
    rig.swipe()
    rig.after(5.5)
    assert rig.state("authorization") == "Asking"
    rig.after(1)
    assert rig.state("authorization") == "Idle"


def test_settings_of_the_charts_are_keys_too() -> None:
    """index.yaml: settings appear in GetConfiguration with the type of their default."""
    assert (setting_key("A", True).type, setting_key("A", True).default) == ("bool", "true")
    assert (setting_key("A", 5).type, setting_key("A", 5).default) == ("int", "5")
    assert (setting_key("A", "x").type, setting_key("A", "x").default) == ("text", "x")


# -- other questions ---------------------------------------------------------------------------------------


def test_data_transfer_of_an_unknown_vendor() -> None:
    """§5.6, test TC_062: UnknownVendorId without data."""
    answer = Rig().call("DataTransfer", vendorId="com.example", messageId="x", data="y")
    assert answer == {"status": "UnknownVendorId"}


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("ReserveNow", {"connectorId": 1, "expiryDate": "2030-01-01T00:00:00Z", "idTag": "T"}),
        ("ReserveNow", {"connectorId": 0, "expiryDate": "2030-01-01T00:00:00Z", "idTag": "T"}),
        ("CancelReservation", {"reservationId": 1}),
        ("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": {}}),
        ("ClearChargingProfile", {}),
        ("GetCompositeSchedule", {"connectorId": 2, "duration": 60}),
        ("GetDiagnostics", {"location": "ftp://x"}),
        ("UpdateFirmware", {"location": "ftp://x", "retrieveDate": "2030-01-01T00:00:00Z"}),
        ("GetLocalListVersion", {}),
        ("SendLocalList", {"listVersion": 1, "updateType": "Full"}),
    ],
)
def test_calls_of_other_profiles_are_not_supported(action: str, payload: dict[str, Any]) -> None:
    """OCPP-J §4.2.3: the action is known, but not supported here; with a connector or without."""
    assert Rig().call(action, **payload) == "NotSupported"


def test_calls_that_nobody_knows_are_not_implemented() -> None:
    """OCPP-J §4.2.3."""
    assert Rig().call("MakeCoffee") == "NotImplemented"
