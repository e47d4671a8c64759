"""Every configuration key of Core and of the transport: access, type, values, durability, effect.

`TABLE` is written from the digest (§4 with §2.12), not from the program's own list of keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from rig import MemoryStorage, Rig

from charger.clock import VirtualClock
from charger.functions.times import to_seconds
from charger.ports import Change

ENERGY = "Energy.Active.Import.Register"
CANNOT = "Temperature"
"""A measurand of OCPP that the meter does not have."""
ROTATIONS = ("NotApplicable", "Unknown", "RST", "RTS", "SRT", "STR", "TRS", "TSR")
WRITTEN = {status: {"status": status} for status in ("Accepted", "Rejected", "NotSupported")}


@dataclass(frozen=True)
class Row:
    """One key of the digest's table."""

    kind: str
    """bool, int, measurands, rotation, or list."""
    writable: bool = True
    required: bool = True
    low: int = 0
    high: int | None = None


TABLE = {
    "AllowOfflineTxForUnknownId": Row("bool", required=False),
    "AuthorizationCacheEnabled": Row("bool", required=False),
    "AuthorizeRemoteTxRequests": Row("bool"),
    "BlinkRepeat": Row("int", required=False),
    "ClockAlignedDataInterval": Row("int"),
    "ConnectionTimeOut": Row("int"),
    "ConnectorPhaseRotation": Row("rotation"),
    "ConnectorPhaseRotationMaxLength": Row("int", writable=False, required=False),
    "GetConfigurationMaxKeys": Row("int", writable=False),
    "HeartbeatInterval": Row("int"),
    "LightIntensity": Row("int", required=False, high=100),
    "LocalAuthorizeOffline": Row("bool"),
    "LocalPreAuthorize": Row("bool"),
    "MaxEnergyOnInvalidId": Row("int", required=False),
    "MessageTimeout": Row("int", required=False, low=1),
    "MeterValuesAlignedData": Row("measurands"),
    "MeterValuesAlignedDataMaxLength": Row("int", writable=False, required=False),
    "MeterValuesSampledData": Row("measurands"),
    "MeterValuesSampledDataMaxLength": Row("int", writable=False, required=False),
    "MeterValueSampleInterval": Row("int"),
    "MinimumStatusDuration": Row("int", required=False),
    "NumberOfConnectors": Row("int", writable=False),
    "ResetRetries": Row("int"),
    "StopTransactionMaxMeterValues": Row("int", writable=False, required=False),
    "StopTransactionOnEVSideDisconnect": Row("bool", required=False),
    "StopTransactionOnInvalidId": Row("bool"),
    "StopTxnAlignedData": Row("measurands"),
    "StopTxnAlignedDataMaxLength": Row("int", writable=False, required=False),
    "StopTxnSampledData": Row("measurands"),
    "StopTxnSampledDataMaxLength": Row("int", writable=False, required=False),
    "SupportedFeatureProfiles": Row("list", writable=False),
    "SupportedFeatureProfilesMaxLength": Row("int", writable=False, required=False),
    "TransactionMessageAttempts": Row("int", low=1),
    "TransactionMessageRetryInterval": Row("int"),
    "UnlockConnectorOnEVSideDisconnect": Row("bool"),
    "WebSocketPingInterval": Row("int", required=False),
}
WRITABLE = [name for name, row in TABLE.items() if row.writable]
OPTIONAL = [name for name, row in TABLE.items() if not row.required]
PROFILES = {
    *("Core", "FirmwareManagement", "LocalAuthListManagement", "Reservation", "SmartCharging"),
    "RemoteTrigger",
}


def write(rig: Rig, key: str, value: str) -> Any:
    return rig.call("ChangeConfiguration", key=key, value=value)


def entries(rig: Rig, *names: str) -> dict[str, dict[str, Any]]:
    answer = rig.call("GetConfiguration", key=list(names)) if names else rig.call("GetConfiguration")
    return {entry["key"]: entry for entry in answer["configurationKey"]}


def read(rig: Rig, key: str) -> str:
    return str(entries(rig, key)[key]["value"])


def quiet_boot(rig: Rig) -> Rig:
    """A Central System that leaves HeartbeatInterval to the station (interval 0, digest §2.2)."""
    boot = {"status": "Accepted", "currentTime": "2027-01-15T08:00:00Z", "interval": 0}
    rig.cs.answers["BootNotification"] = boot
    return rig


def written(rig: Rig) -> dict[str, Any]:
    """What is on disk of the configuration."""
    return {key: value for (subject, key), value in rig.storage.facts.items() if subject == "configuration"}


@cache
def default(name: str) -> str:
    return read(Rig(), name)


def like(key: str, value: str) -> str:
    """A value as it is compared: the case of true and false is free."""
    return value.casefold() if TABLE[key].kind == "bool" else value


# -- what is offered ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def offered() -> dict[str, dict[str, Any]]:
    return entries(Rig())


@pytest.mark.parametrize("name", TABLE)
def test_a_key_is_offered_with_its_access_and_a_value_of_its_type(
    name: str, offered: dict[str, dict[str, Any]]
) -> None:
    """Digest §4: access, type; required RW keys are not read-only."""
    row, entry = TABLE[name], offered[name]
    assert set(entry) == {"key", "readonly", "value"}
    assert entry["readonly"] is not row.writable
    assert isinstance(entry["value"], str)
    assert len(entry["value"]) <= 500
    if row.kind == "bool":
        assert entry["value"] in {"true", "false"}
    elif row.kind == "int":
        assert entry["value"].isdecimal()
        assert row.low <= int(entry["value"]) <= (row.high or 2_147_483_647)


def test_nothing_else_of_ocpp_is_offered(offered: dict[str, dict[str, Any]]) -> None:
    """Digest §2.12: a key that is there means that its feature is there. Write-only keys are not told."""
    others = {
        *("LocalAuthListEnabled", "LocalAuthListMaxLength", "SendLocalListMaxLength", "AuthorizationKey"),
        *("ReserveConnectorZeroSupported", "ChargeProfileMaxStackLevel", "MaxChargingProfilesInstalled"),
        *("ChargingScheduleAllowedChargingRateUnit", "ChargingScheduleMaxPeriods", "SecurityProfile"),
        *("SupportedFileTransferProtocols", "CpoName", "CertificateStoreMaxLength"),
    }
    profiles = set(offered["SupportedFeatureProfiles"]["value"].split(","))
    if profiles <= {"Core", "RemoteTrigger"}:
        assert not others & set(offered)


def test_values_that_describe_the_station(offered: dict[str, dict[str, Any]]) -> None:
    """Digest §4: connectors without connector 0; profiles by their names, Core among them; limits that hold."""
    assert offered["NumberOfConnectors"]["value"] == "2"
    assert entries(Rig(5))["NumberOfConnectors"]["value"] == "5"
    profiles = offered["SupportedFeatureProfiles"]["value"].split(",")
    assert "Core" in profiles
    assert set(profiles) <= PROFILES
    assert len(profiles) <= int(offered["SupportedFeatureProfilesMaxLength"]["value"])
    assert len(offered) <= int(offered["GetConfigurationMaxKeys"]["value"])
    for name in (
        "MeterValuesAlignedData",
        "MeterValuesSampledData",
        "StopTxnAlignedData",
        "StopTxnSampledData",
    ):
        items = [item for item in offered[name]["value"].split(",") if item]
        assert len(items) <= int(offered[f"{name}MaxLength"]["value"])


def test_no_key_is_told_twice() -> None:
    answer = Rig().call("GetConfiguration")["configurationKey"]
    names = [entry["key"].casefold() for entry in answer]
    assert len(names) == len(set(names))


# -- reading -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [{}, {"key": []}])
def test_without_names_every_key_of_the_table_is_told(asked: dict[str, Any]) -> None:
    """Digest §2.12."""
    answer = Rig().call("GetConfiguration", **asked)
    assert set(TABLE) <= {entry["key"] for entry in answer["configurationKey"]}
    assert not answer.get("unknownKey")


def test_names_known_unknown_and_in_any_case() -> None:
    """Digest §2.12: CiString50; each name asked for is answered once, as a key or as unknown."""
    asked = ["HEARTBEATINTERVAL", "Nonsense", "connectiontimeout", "nonsense2", "LocalPreAuthorize"]
    answer = Rig().call("GetConfiguration", key=asked)
    found = {entry["key"].casefold() for entry in answer["configurationKey"]}
    assert found == {"heartbeatinterval", "connectiontimeout", "localpreauthorize"}
    assert answer["unknownKey"] == ["Nonsense", "nonsense2"]


def test_unknown_names_only() -> None:
    """Digest §2.12: they are told back; no key is."""
    answer = Rig().call("GetConfiguration", key=["A", "B"])
    assert not answer.get("configurationKey")
    assert answer["unknownKey"] == ["A", "B"]


def test_more_names_than_get_configuration_max_keys() -> None:
    """Digest §2.12, decision: all are answered."""
    rig = Rig()
    most = int(read(rig, "GetConfigurationMaxKeys"))
    asked = [*TABLE, *(f"Unknown{number}" for number in range(most))]
    answer = rig.call("GetConfiguration", key=asked)
    assert {entry["key"] for entry in answer["configurationKey"]} == set(TABLE)
    assert answer["unknownKey"] == asked[len(TABLE) :]


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_optional_key_may_be_taken_away(name: str) -> None:
    """Digest §2.12: null in station.yaml; it is unknown to GetConfiguration and NotSupported to a write."""
    rig = Rig(**{name: None})
    assert name not in entries(rig)
    assert rig.call("GetConfiguration", key=[name.upper()])["unknownKey"] == [name.upper()]
    assert write(rig, name, "1") == WRITTEN["NotSupported"]
    rig.session()  # and the station works without it
    rig.swipe()
    rig.after(5)
    assert rig.log("StartTransaction", "StopTransaction") == ["StartTransaction", "StopTransaction"]
    assert name not in entries(rig.power_cut())


# -- writing -----------------------------------------------------------------------------------------------

GOOD = {
    "bool": ["true", "false", "TRUE", "False", "tRuE"],
    "int": ["1", "7", "60", "100"],
    "measurands": [
        ENERGY,
        "Power.Active.Import",
        "Current.Import",
        "Voltage",
        "Current.Offered",
        "Current.Import.L1,Current.Import.L2,Current.Import.L3",
        "Voltage.L2",
        f"{ENERGY}, Power.Active.Import , Voltage",
        "",
    ],
    "rotation": [
        "0.RST,1.RST,2.RTS",
        "0.RST, 1.RTS, 2.SRT",
        "2.Unknown",
        *(f"1.{rotation}" for rotation in ROTATIONS),
    ],
}
NO_NUMBERS = ["-1", "-2147483648", "2147483648", "99999999999999999999", "+1", "1.0", "1,0", "1e3", "0x10"]
NO_NUMBERS += ["ten", "", "   ", "1 0", "1_0", "true", "None", "٣", "--1", "∞"]
BAD = {
    "bool": ["0", "1", "yes", "no", "on", "off", "", "   ", "truefalse", "true,false", "t", "null", "wahr"],
    "int": NO_NUMBERS,
    "measurands": [
        CANNOT,
        f"{ENERGY},{CANNOT}",
        f"{CANNOT},{ENERGY}",
        "Nonsense",
        "Voltage.L4",
        "Voltage.N.N",
        f"{ENERGY}.L1.L2",
        "energy",
        "true",
        "Voltage;Current.Import",
        ",".join([ENERGY, "Power.Active.Import", "Current.Offered"] + ["Voltage"] * 6),
        ",".join(["Voltage.L1"] * 100),
    ],
    "rotation": [
        *("3.RST", "0.RST,3.RST", "-1.RST", "1.RRR", "1.", ".RST", "1", "1:RST", "1.RST;2.RST", "x.RST"),
        *("1.2.RST", "1.R S T", "true", "1.RST,2", "1.RST 2.RST"),
    ],
}


def values(table: dict[str, list[str]]) -> Iterator[Any]:
    for name in WRITABLE:
        for value in table[TABLE[name].kind]:
            yield pytest.param(name, value, id=f"{name}={value!a}")


@pytest.fixture(scope="module")
def writers() -> Rig:
    """One station for all values: each test puts back what it wrote."""
    return Rig()


@pytest.mark.parametrize(("name", "value"), [*values(GOOD)])
def test_a_good_value_is_accepted_read_back_and_stored(writers: Rig, name: str, value: str) -> None:
    """Digest §2.12, §4: none of these needs a restart."""
    before = read(writers, name)
    assert write(writers, name, value) == WRITTEN["Accepted"]
    assert like(name, read(writers, name)) == like(name, value)
    again = Rig(storage=writers.storage, start=False)
    assert again.facts.configuration.text(name) == read(writers, name)
    write(writers, name, before)


@pytest.mark.parametrize(("name", "value"), [*values(BAD)])
def test_a_bad_value_is_rejected_and_changes_nothing(writers: Rig, name: str, value: str) -> None:
    """Digest §2.12, §4: Rejected; neither the value nor the disk changes."""
    before, stored = entries(writers), written(writers)
    answer = write(writers, name, value)
    found = entries(writers), written(writers)
    if answer != WRITTEN["Rejected"]:
        write(writers, name, before[name]["value"])  # the next test begins with what was there
    assert answer == WRITTEN["Rejected"]
    assert found == (before, stored)


@pytest.mark.parametrize("name", [name for name in TABLE if name not in WRITABLE])
def test_a_read_only_key_is_rejected(name: str) -> None:
    """Digest §2.12: also with the value that it has."""
    rig = Rig()
    value = read(rig, name)
    for attempt in (value, "1", "Core", ""):
        assert write(rig, name, attempt) == WRITTEN["Rejected"]
        assert write(rig, name.lower(), attempt) == WRITTEN["Rejected"]
    assert read(rig, name) == value


@pytest.mark.parametrize(
    "name", ["Nonsense", "", "HeartbeatInterval ", "Heartbeat.Interval", "AuthorizationKey"]
)
def test_a_key_that_is_none_is_not_supported(name: str) -> None:
    """Digest §2.12."""
    rig = Rig()
    assert write(rig, name, "1") == WRITTEN["NotSupported"]
    assert name not in written(rig)


@pytest.mark.parametrize("name", WRITABLE)
def test_the_name_may_be_written_in_any_case(name: str) -> None:
    """Digest §2.12: CiString50; one value, whatever the case."""
    rig = Rig()
    value = {"bool": "true", "int": "77", "measurands": "Voltage", "rotation": "1.RTS"}[TABLE[name].kind]
    assert write(rig, name.upper(), value) == WRITTEN["Accepted"]
    assert read(rig, name) == value
    assert write(rig, name.lower(), default(name)) == WRITTEN["Accepted"]
    assert read(rig, name) == default(name)


@pytest.mark.parametrize(
    ("name", "edge"),
    [
        *(("LightIntensity", value) for value in ("0", "100")),
        *((name, "0") for name, row in TABLE.items() if row.writable and row.kind == "int" and not row.low),
        *((name, "1") for name, row in TABLE.items() if row.writable and row.low == 1),
    ],
)
def test_the_limits_themselves_are_good(name: str, edge: str) -> None:
    """Digest §4."""
    rig = Rig()
    assert write(rig, name, edge) == WRITTEN["Accepted"]
    assert read(rig, name) == edge


@pytest.mark.parametrize(("name", "value"), [("LightIntensity", "101"), ("MessageTimeout", "0")])
def test_just_beyond_the_limits(name: str, value: str) -> None:
    """Digest §4: 0-100; more than 0."""
    assert write(Rig(), name, value) == WRITTEN["Rejected"]


@pytest.mark.parametrize(
    "name", ["MeterValuesAlignedData", "MeterValuesSampledData", "StopTxnAlignedData", "StopTxnSampledData"]
)
@pytest.mark.parametrize("most", [1, 3])
def test_a_list_has_as_many_items_as_its_max_length(name: str, most: int) -> None:
    """Digest §2.7: enforced; a missing …MaxLength means one item (§2.12)."""
    items = ["Voltage.L1", "Voltage.L2", "Voltage.L3", ENERGY]
    for length in (str(most), None) if most == 1 else (str(most),):
        rig = Rig(**{name: "", f"{name}MaxLength": length})
        assert write(rig, name, ",".join(items[: most + 1])) == WRITTEN["Rejected"]
        assert read(rig, name) == ""
        assert write(rig, name, ",".join(items[:most])) == WRITTEN["Accepted"]


@pytest.mark.parametrize("connectors", [1, 2, 3])
def test_phase_rotation_of_connectors_that_exist(connectors: int) -> None:
    """Digest §4: n from 0 to N."""
    rig = Rig(connectors)
    for number in range(connectors + 2):
        status = "Accepted" if number <= connectors else "Rejected"
        assert write(rig, "ConnectorPhaseRotation", f"{number}.TSR") == WRITTEN[status], number
    everything = ",".join(f"{number}.RST" for number in range(connectors + 1))
    assert write(rig, "ConnectorPhaseRotation", everything) == WRITTEN["Accepted"]


def test_duplicated_measurands_make_no_message_that_breaks_its_schema() -> None:
    """Digest §2.7: whatever is answered, a MeterValues has its values as strings, each with its measurand."""
    rig = Rig(MeterValueSampleInterval="10")
    answer = write(rig, "MeterValuesSampledData", "Voltage.L1,Voltage.L1,Voltage")
    assert answer in (WRITTEN["Accepted"], WRITTEN["Rejected"])
    rig.session()
    rig.after(15)
    sampled = rig.sent("MeterValues")[0]["meterValue"][0]["sampledValue"]
    assert sampled
    assert all(isinstance(one["value"], str) and one["measurand"] for one in sampled)
    if answer == WRITTEN["Accepted"]:
        assert {(one["measurand"], one["phase"]) for one in sampled} == {
            ("Voltage", f"L{phase}-N") for phase in (1, 2, 3)
        }


def test_the_same_measurand_twice_counts_as_two_items() -> None:
    """Digest §2.7: the number of items is limited, not that of different ones."""
    rig = Rig(MeterValuesSampledDataMaxLength="2")
    assert write(rig, "MeterValuesSampledData", "Voltage,Voltage,Voltage") == WRITTEN["Rejected"]


# -- durable ------------------------------------------------------------------------------------------------


def sample(name: str) -> str:
    """A value that is not the default."""
    row = TABLE[name]
    if row.kind == "bool":
        return "false" if default(name) == "true" else "true"
    return {"int": "43", "measurands": "Voltage,Current.Import.L1", "rotation": "0.RST,1.RTS"}[row.kind]


class Kill(Exception):
    """The process is gone."""


@pytest.mark.parametrize("name", WRITABLE)
def test_an_accepted_value_survives_a_power_cut(name: str) -> None:
    """Digest §2.12: durable before the answer."""
    rig = Rig()
    value = sample(name)
    assert value != read(rig, name)
    assert write(rig, name, value) == WRITTEN["Accepted"]
    rig = quiet_boot(rig.power_cut(1, start=False))
    rig.driver.start()
    rig.after(5)
    assert read(rig, name) == value
    rig = rig.power_cut(1, start=False, **{name: default(name)})  # what station.yaml says comes first
    quiet_boot(rig).driver.start()
    rig.after(5)
    assert read(rig, name) == value


def killed(name: str, value: str, where: str) -> tuple[MemoryStorage, list[Any]]:
    """What is left on disk, and what was answered, when the process dies there in a ChangeConfiguration."""
    rig = Rig()
    commit, perform = rig.storage.commit, rig.cs.perform
    answers: list[Any] = []

    def committing(changes: tuple[Change, ...]) -> None:
        if where == "before the commit":
            raise Kill
        commit(changes)
        if where == "after the commit":
            raise Kill

    def performing(command: Any) -> None:
        if type(command).__name__ == "Reply":
            if where == "before the reply":
                raise Kill
            perform(command)
            answers.append(dict(command.payload))
            if where == "after the reply":
                raise Kill
        else:
            perform(command)

    rig.storage.commit = committing  # type: ignore[method-assign]
    rig.cs.perform = performing  # type: ignore[method-assign]
    with pytest.raises(Kill):
        write(rig, name, value)
    rig.storage.commit = commit  # type: ignore[method-assign]
    return rig.storage, answers


@pytest.mark.parametrize(
    "where", ["before the commit", "after the commit", "before the reply", "after the reply"]
)
@pytest.mark.parametrize("name", WRITABLE)
def test_a_kill_in_the_middle_of_a_change(name: str, where: str) -> None:
    """Digest §2.12: answered means kept; not kept means not answered; the same again is accepted."""
    value, old = sample(name), default(name)
    storage, answers = killed(name, value, where)
    assert answers == ([WRITTEN["Accepted"]] if where == "after the reply" else [])
    rig = quiet_boot(Rig(storage=storage, clock=VirtualClock(1_800_000_100), start=False))
    rig.driver.start()
    rig.after(5)
    assert rig.state("registration") == "Accepted"
    assert read(rig, name) == (old if where == "before the commit" else value)
    assert write(rig, name, value) == WRITTEN["Accepted"]
    assert read(rig, name) == value


def test_what_was_rejected_is_not_there_after_a_power_cut() -> None:
    """Digest §2.12."""
    rig = Rig()
    before = entries(rig)
    for name in WRITABLE:
        write(rig, name, BAD[TABLE[name].kind][0])
    assert entries(rig.power_cut()) == before | {
        "HeartbeatInterval": before["HeartbeatInterval"] | {"value": "300"}  # BootNotification.conf
    }


# -- effective at once --------------------------------------------------------------------------------------


def charging(**keys: str) -> Rig:
    """In the middle of a transaction, everything quiet."""
    rig = Rig(**{"MeterValueSampleInterval": "0", "WebSocketPingInterval": "0"} | keys)
    rig.session()
    rig.after(20)
    rig.forget()
    return rig


def change(rig: Rig, name: str, value: str) -> float:
    """Write it; the monotonic time of that."""
    assert write(rig, name, value) == WRITTEN["Accepted"]
    return rig.clock.now().monotonic


def begun(rig: Rig) -> float:
    """When the transaction began, epoch s."""
    return float(rig.facts.transactions.on(1).started)


def samples(rig: Rig, context: str) -> list[float]:
    """Timestamps, epoch s, of the values of connector 1 with that context."""
    values = [payload["meterValue"][0] for payload in rig.sent("MeterValues") if payload["connectorId"] == 1]
    return [
        to_seconds(value["timestamp"]) or 0.0
        for value in values
        if value["sampledValue"][0]["context"] == context
    ]


@pytest.mark.parametrize("before", ["0", "25", "600"])
def test_meter_value_sample_interval_in_a_running_transaction(before: str) -> None:
    """Digest §2.12, §2.7: at once, and counted from the start of the transaction; 0 ends it."""
    rig = charging(MeterValueSampleInterval=before)
    change(rig, "MeterValueSampleInterval", "15")
    rig.after(60)
    start = begun(rig)
    assert [stamp - start for stamp in samples(rig, "Sample.Periodic")] == pytest.approx(
        [30, 45, 60, 75], abs=0.01
    )
    change(rig, "MeterValueSampleInterval", "0")
    rig.forget()
    rig.after(100)
    assert samples(rig, "Sample.Periodic") == []


@pytest.mark.parametrize("before", ["0", "70", "900"])
def test_clock_aligned_data_interval_in_a_running_transaction(before: str) -> None:
    """Digest §2.12, §2.7: from the next boundary on, with the transaction's id."""
    rig = charging(ClockAlignedDataInterval=before)
    change(rig, "ClockAlignedDataInterval", "30")
    at = rig.clock.now().wall
    rig.after(95)
    due = [second for second in range(int(at) + 1, int(at + 95) + 1) if second % 30 == 0]
    assert len(due) >= 3
    assert samples(rig, "Sample.Clock") == due
    ids = {p.get("transactionId") for p in rig.sent("MeterValues") if p["connectorId"] == 1}
    assert ids == {101}
    change(rig, "ClockAlignedDataInterval", "0")
    rig.forget()
    rig.after(200)
    assert rig.sent("MeterValues") == []


def test_heartbeat_interval_in_a_running_transaction() -> None:
    """Digest §2.12: re-armed at once; 0: none; counted from the write or from the last one."""
    rig = charging()
    at = change(rig, "HeartbeatInterval", "20")
    rig.after(61)
    found = rig.when("Heartbeat")
    assert found
    assert found[0] - at <= 20
    assert [later - earlier for earlier, later in pairwise(found)] == pytest.approx([20] * (len(found) - 1))
    change(rig, "HeartbeatInterval", "0")
    rig.forget()
    rig.after(1000)
    assert rig.when("Heartbeat") == []
    at = change(rig, "HeartbeatInterval", "50")
    rig.after(51)
    assert len(rig.when("Heartbeat")) == 1


def test_web_socket_ping_interval_in_a_running_transaction() -> None:
    """Digest §2.12, §1.4: re-armed at once, up and down, without losing the link."""
    rig = charging(WebSocketPingInterval="1000")
    at = change(rig, "WebSocketPingInterval", "5")
    rig.after(26)
    assert rig.cs.pings
    assert rig.cs.pings[0] - at <= 5.01
    assert [later - earlier for earlier, later in pairwise(rig.cs.pings)] == pytest.approx(
        [5] * (len(rig.cs.pings) - 1)
    )
    count = len(rig.cs.pings)
    change(rig, "WebSocketPingInterval", "0")
    rig.after(500)
    assert len(rig.cs.pings) == count
    assert rig.log("BootNotification") == []
    assert rig.status() == "Charging"


def test_minimum_status_duration_in_a_running_transaction() -> None:
    """Digest §2.9: the next change of status is told after so long, or not at all; 0: at once again."""
    rig = charging()
    change(rig, "MinimumStatusDuration", "10")
    rig.act("ev", 1, state="suspended")
    rig.after(5)
    assert rig.told() == []
    rig.after(5)
    assert rig.told() == ["SuspendedEV"]
    rig.act("ev", 1, state="ready")
    rig.after(3)
    rig.act("ev", 1, state="suspended")
    rig.after(20)
    assert rig.told() == ["SuspendedEV"]
    change(rig, "MinimumStatusDuration", "0")
    rig.act("ev", 1, state="ready")
    assert rig.told() == ["SuspendedEV", "Charging"]


def test_connection_time_out_while_a_tag_waits() -> None:
    """Digest §2.9, §2.12: shorter, longer and none, for the tag that waits now."""
    rig = Rig(1, ConnectionTimeOut="60")
    rig.swipe()
    rig.after(4)
    change(rig, "ConnectionTimeOut", "10")
    rig.after(7)
    assert rig.status() == "Available"
    rig.swipe()
    rig.after(5)
    change(rig, "ConnectionTimeOut", "100")
    rig.after(50)
    assert rig.status() == "Preparing"
    change(rig, "ConnectionTimeOut", "0")
    rig.after(500)
    assert rig.status() == "Preparing"
    change(rig, "ConnectionTimeOut", "5")
    rig.after(6)
    assert rig.status() == "Available"


def test_connection_time_out_while_a_plug_waits() -> None:
    """Digest §2.9, §2.12: the same for the plug, and at a shared reader."""
    rig = Rig(2, ConnectionTimeOut="0")
    rig.plug(1)
    rig.after(30)
    change(rig, "ConnectionTimeOut", "40")
    assert rig.status(1) == "Preparing"
    rig.after(11)
    assert rig.status(1) == "Finishing"
    rig.swipe()
    change(rig, "ConnectionTimeOut", "8")
    rig.after(8)
    rig.plug(2)
    rig.after(5)
    assert rig.log("StartTransaction") == []


def test_a_change_of_connection_time_out_does_not_touch_a_transaction() -> None:
    """Digest §2.9: it is about Preparing."""
    rig = charging()
    change(rig, "ConnectionTimeOut", "1")
    rig.after(30)
    assert rig.status() == "Charging"


@pytest.mark.parametrize("before", ["", "Voltage"])
def test_meter_values_sampled_data_in_a_running_transaction(before: str) -> None:
    """Digest §2.12: the next sample has what is asked for now."""
    rig = charging(MeterValuesSampledData=before, MeterValueSampleInterval="30")
    change(rig, "MeterValuesSampledData", "Current.Offered")
    rig.after(30)
    sampled = rig.sent("MeterValues")[-1]["meterValue"][0]["sampledValue"]
    assert {one["measurand"] for one in sampled} == {"Current.Offered"}


def test_meter_values_aligned_data_in_a_running_transaction() -> None:
    """Digest §2.12."""
    rig = charging(MeterValuesAlignedData=ENERGY, ClockAlignedDataInterval="30")
    change(rig, "MeterValuesAlignedData", "Voltage.L1")
    rig.after(30)
    sampled = rig.sent("MeterValues")[-1]["meterValue"][0]["sampledValue"]
    assert {(one["measurand"], one["phase"]) for one in sampled} == {("Voltage", "L1-N")}


def stopped(rig: Rig) -> dict[str, Any]:
    rig.swipe()
    rig.after(8)
    return rig.sent("StopTransaction")[0]


def contexts(stop: dict[str, Any], measurand: str) -> list[str]:
    return [
        one["context"]
        for value in stop.get("transactionData", [])
        for one in value["sampledValue"]
        if one["measurand"] == measurand
    ]


def test_stop_txn_sampled_data_in_a_running_transaction() -> None:
    """Digest §2.6: kept from now on, Transaction.End among it."""
    rig = charging(MeterValueSampleInterval="30")
    change(rig, "StopTxnSampledData", ENERGY)
    rig.after(60)
    found = contexts(stopped(rig), ENERGY)
    assert found == ["Sample.Periodic", "Sample.Periodic", "Transaction.End"]


def test_stop_txn_aligned_data_in_a_running_transaction() -> None:
    """Digest §2.6: the other list follows the other clock."""
    rig = charging(MeterValueSampleInterval="30", ClockAlignedDataInterval="60")
    change(rig, "StopTxnAlignedData", ENERGY)
    rig.after(125)
    found = contexts(stopped(rig), ENERGY)
    assert found == ["Sample.Clock", "Sample.Clock", "Transaction.End"]


def test_stop_txn_data_that_was_asked_for_no_longer_has_no_end() -> None:
    """Digest §2.6: nothing is taken for a list that is empty."""
    rig = charging(MeterValueSampleInterval="30", StopTxnSampledData=ENERGY)
    rig.after(30)
    change(rig, "StopTxnSampledData", "")
    rig.after(60)
    assert set(contexts(stopped(rig), ENERGY)) <= {"Transaction.Begin", "Sample.Periodic"}


@pytest.mark.parametrize("value", ["true", "false"])
def test_stop_transaction_on_invalid_id_between_start_and_answer(value: str) -> None:
    """Digest §2.5: what holds when StartTransaction.conf comes."""
    rig = Rig(StopTransactionOnInvalidId="false" if value == "true" else "true")
    rig.cs.answers["StartTransaction"] = "error"
    rig.session()
    change(rig, "StopTransactionOnInvalidId", value)
    rig.cs.answers["StartTransaction"] = {"transactionId": 3, "idTagInfo": {"status": "Blocked"}}
    rig.after(70)
    assert [stop["reason"] for stop in rig.sent("StopTransaction")] == ["DeAuthorized"] * (value == "true")
    assert rig.status() == ("Finishing" if value == "true" else "SuspendedEVSE")


def test_max_energy_on_invalid_id_in_a_running_transaction() -> None:
    """Digest §2.5: more is allowed, so it charges again; until that is delivered."""
    rig = Rig(StopTransactionOnInvalidId="false")
    rig.cs.answers["StartTransaction"] = {"transactionId": 3, "idTagInfo": {"status": "Blocked"}}
    rig.plug()
    rig.swipe()
    rig.after(30)
    assert rig.status() == "SuspendedEVSE"
    before = rig.hardware.describe(1)["meter"]["energy_wh"]
    change(rig, "MaxEnergyOnInvalidId", "50")
    rig.after(15)
    assert rig.status() == "Charging"
    rig.after(120)
    assert rig.status() == "SuspendedEVSE"
    assert 45 <= rig.hardware.describe(1)["meter"]["energy_wh"] - before <= 60


@pytest.mark.parametrize(
    ("stop", "unlock", "status", "lock"),
    [
        ("true", "true", "Finishing", "released"),
        ("true", "false", "Finishing", "engaged"),
        ("false", "true", "SuspendedEV", "engaged"),
        ("false", "false", "SuspendedEV", "engaged"),
    ],
)
def test_ev_side_disconnect_keys_in_a_running_transaction(
    stop: str, unlock: str, status: str, lock: str
) -> None:
    """Digest §2.6: the matrix holds with what was written last."""
    opposite = {"true": "false", "false": "true"}
    rig = charging(
        StopTransactionOnEVSideDisconnect=opposite[stop], UnlockConnectorOnEVSideDisconnect=opposite[unlock]
    )
    change(rig, "StopTransactionOnEVSideDisconnect", stop)
    change(rig, "UnlockConnectorOnEVSideDisconnect", unlock)
    rig.act("unplug", 1, side="ev")
    rig.after(8)
    assert rig.status() == status
    assert rig.hardware.describe(1)["lock"] == lock
    assert len(rig.sent("StopTransaction")) == (1 if stop == "true" else 0)


def _pre_authorize(rig: Rig) -> bool:
    rig.plug(2)
    rig.swipe("KNOWN")
    return rig.log("Authorize") == []


def _starts_offline(tag: str) -> Callable[[Rig], bool]:
    def starts(rig: Rig) -> bool:
        rig.cut()
        rig.plug(2)
        rig.swipe(tag)
        rig.after(3)
        return rig.status(2) == "Charging"

    return starts


def _remote_is_authorized(rig: Rig) -> bool:
    rig.call("RemoteStartTransaction", idTag="SOMEBODY", connectorId=2)
    rig.after(2)
    return rig.log("Authorize") == ["Authorize"]


@pytest.mark.parametrize(
    ("name", "looks_true"),
    [
        ("LocalPreAuthorize", _pre_authorize),
        ("AllowOfflineTxForUnknownId", _starts_offline("STRANGER")),
        ("LocalAuthorizeOffline", _starts_offline("KNOWN")),
        ("AuthorizationCacheEnabled", _starts_offline("KNOWN")),
        ("AuthorizeRemoteTxRequests", _remote_is_authorized),
    ],
)
@pytest.mark.parametrize("value", ["true", "false"])
def test_keys_of_authorization_count_from_the_next_card(
    name: str, looks_true: Callable[[Rig], bool], value: str
) -> None:
    """Digest §2.4, §2.12: while somebody charges at the other connector."""
    rig = Rig(**{name: "true"})
    rig.swipe("KNOWN", 2)
    rig.swipe("KNOWN", 2)
    rig.session(1)
    rig.forget()
    change(rig, name, "false")
    change(rig, name, value)
    assert looks_true(rig) is (value == "true")
    assert rig.status(1) == "Charging"


def test_message_timeout_and_attempts_count_from_the_next_message() -> None:
    """Digest §1.5, §4: patience and the number of transmissions, while a transaction runs."""
    rig = charging(
        TransactionMessageAttempts="5", TransactionMessageRetryInterval="1000", MessageTimeout="200"
    )
    for name, value in (
        ("MessageTimeout", "4"),
        ("TransactionMessageAttempts", "2"),
        ("TransactionMessageRetryInterval", "10"),
    ):
        change(rig, name, value)
    rig.cs.answers["StopTransaction"] = "timeout"
    rig.swipe()
    rig.after(100)
    first, second = rig.when("StopTransaction")
    assert second - first == pytest.approx(4 + 10, abs=0.1)


def test_keys_of_the_queue_count_while_a_message_waits() -> None:
    """Digest §1.5: a shorter interval, and fewer attempts, for the message that has failed already."""
    rig = Rig(TransactionMessageAttempts="9", TransactionMessageRetryInterval="1000")
    rig.cs.answers["StartTransaction"] = "error"
    rig.session()
    rig.after(20)
    change(rig, "TransactionMessageRetryInterval", "30")
    rig.after(15)
    assert len(rig.when("StartTransaction")) == 2
    change(rig, "TransactionMessageAttempts", "3")
    rig.after(300)
    first, second, third = rig.when("StartTransaction")
    assert (second - first, third - second) == (pytest.approx(30, abs=0.1), pytest.approx(60, abs=0.1))
