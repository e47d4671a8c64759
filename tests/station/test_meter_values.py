"""MeterValues: sampled and clock-aligned (OCPP 1.6 §3.16, §4.7, §7.31 ff.; digest §2.7)."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from rig import Rig

from charger.functions import metering
from charger.functions.metering import Reading
from charger.functions.times import to_seconds

ENERGY = "Energy.Active.Import.Register"


def stamps(rig: Rig, connector: int = 1) -> list[float]:
    return [
        to_seconds(payload["meterValue"][0]["timestamp"]) or 0.0
        for payload in rig.sent("MeterValues")
        if payload["connectorId"] == connector
    ]


def values(payload: dict[str, Any]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = payload["meterValue"][0]["sampledValue"]
    return found


# -- sampled -----------------------------------------------------------------------------------------------


def test_samples_count_from_the_start_of_the_transaction() -> None:
    """§9.1.19: start + n times MeterValueSampleInterval, without drift."""
    rig = Rig(MeterValueSampleInterval="30")
    rig.session()
    start = to_seconds(rig.sent("StartTransaction")[0]["timestamp"]) or 0.0
    rig.after(200)
    assert [stamp - start for stamp in stamps(rig)] == pytest.approx([30, 60, 90, 120, 150, 180], abs=0.01)


def test_samples_carry_the_transaction_and_their_context() -> None:
    """§7.31, §7.33: context Sample.Periodic, location Outlet, values as text."""
    rig = Rig(MeterValueSampleInterval="60", MeterValuesSampledData=ENERGY)
    rig.session()
    rig.after(60)
    payload = rig.sent("MeterValues")[0]
    assert payload["transactionId"] == 101
    assert values(payload) == [
        {
            "value": str(int(rig.facts.transactions.on(1).last_energy)),
            "context": "Sample.Periodic",
            "measurand": ENERGY,
            "location": "Outlet",
            "unit": "Wh",
        }
    ]


def test_no_samples_outside_a_transaction() -> None:
    """§9.1.19: only during transactions."""
    rig = Rig(MeterValueSampleInterval="30")
    rig.plug()
    rig.after(200)
    rig.session(2)
    rig.swipe()
    rig.after(200)
    assert rig.log("MeterValues") == []


def test_interval_0_takes_no_samples() -> None:
    """§9.1.19: 0 means none."""
    rig = Rig(MeterValueSampleInterval="0")
    rig.session()
    rig.after(1000)
    assert rig.log("MeterValues") == []


def test_a_new_interval_counts_at_once() -> None:
    """Digest §2.12: timers are re-armed, from the start of the transaction."""
    rig = Rig(MeterValueSampleInterval="600")
    rig.session()
    start = to_seconds(rig.sent("StartTransaction")[0]["timestamp"]) or 0.0
    rig.after(100)
    rig.call("ChangeConfiguration", key="MeterValueSampleInterval", value="60")
    rig.after(100)
    assert [stamp - start for stamp in stamps(rig)] == pytest.approx([120, 180], abs=0.01)


def test_every_phase_that_can_be_measured_is_reported() -> None:
    """§3.16.3: a separate sampledValue for each phase."""
    rig = Rig(MeterValuesSampledData="Current.Import,Voltage,Current.Offered,Power.Active.Import")
    rig.session()
    rig.after(60)
    found = [(v["measurand"], v.get("phase"), v["unit"]) for v in values(rig.sent("MeterValues")[0])]
    assert found == [
        *[("Current.Import", phase, "A") for phase in ("L1", "L2", "L3")],
        *[("Voltage", phase, "V") for phase in ("L1-N", "L2-N", "L3-N")],
        ("Current.Offered", None, "A"),
        ("Power.Active.Import", None, "W"),
    ]
    assert values(rig.sent("MeterValues")[0])[6]["value"] == "32.0"


def test_one_phase_may_be_asked_for() -> None:
    """§9.1.17: measurand.phase is a legal item."""
    reading = Reading(1.0, 2.0, (1.0, 2.0, 3.0), (230.0, 231.0, 232.0))
    value = metering.sampled(reading, ["Current.Import.L2", "Voltage.L3"], "Sample.Periodic", 0.0)
    assert value is not None
    assert [(one["phase"], one["value"]) for one in value["sampledValue"]] == [
        *(("L2", "2.00"), ("L3-N", "232.0")),
    ]


def test_nothing_asked_for_is_no_value() -> None:
    """An empty list makes no MeterValue, rather than one without sampledValue."""
    assert metering.sampled(Reading(), [], "Sample.Periodic", 0.0) is None


@pytest.mark.parametrize(
    ("measurand", "has"),
    [
        (ENERGY, True),
        ("Current.Import.L1", True),
        ("Voltage.L3", True),
        ("Power.Active.Import.L1", False),
        ("Temperature", False),
        ("Voltage.L4", False),
        ("voltage", False),
    ],
)
def test_what_the_meter_has(measurand: str, *, has: bool) -> None:
    """§3.16.4: what cannot be measured must be refused."""
    assert metering.supported(measurand) is has


def test_empty_sampled_data_means_energy() -> None:
    """Test TC_070: with MeterValuesSampledData empty, Energy.Active.Import.Register."""
    rig = Rig(MeterValuesSampledData="")
    rig.session()
    rig.after(60)
    assert [value["measurand"] for value in values(rig.sent("MeterValues")[0])] == [ENERGY]


def test_samples_are_kept_over_a_lost_link() -> None:
    """Test TC_036: no sample missing, spacing equal to the interval, older ones first."""
    rig = Rig(MeterValueSampleInterval="20")
    rig.session()
    rig.after(30)
    rig.cut()
    rig.after(200)
    rig.mend()
    rig.after(40)
    found = stamps(rig)
    assert len(found) >= 12
    assert [later - earlier for earlier, later in itertools.pairwise(found)] == pytest.approx(
        [20] * (len(found) - 1), abs=0.01
    )


def test_registers_are_monotonic() -> None:
    """Digest §2.7: over several sessions, un-rebased."""
    rig = Rig(MeterValuesSampledData=ENERGY, MeterValueSampleInterval="20")
    for _ in range(2):
        rig.session()
        rig.after(60)
        rig.swipe()
        rig.after(5)
        rig.unplug()
    found = [int(values(payload)[0]["value"]) for payload in rig.sent("MeterValues")]
    assert found == sorted(found)
    assert found[-1] > found[0] > 0
    assert rig.sent("StartTransaction")[1]["meterStart"] == rig.sent("StopTransaction")[0]["meterStop"]


# -- clock-aligned -----------------------------------------------------------------------------------------


def test_aligned_values_are_stamped_with_the_boundary() -> None:
    """Test TC_071: timestamps on the boundary, apart by exactly the interval; context Sample.Clock."""
    rig = Rig(1, ClockAlignedDataInterval="300", MeterValuesAlignedData=ENERGY)
    rig.after(1000)
    assert [stamp % 300 for stamp in stamps(rig)] == [0, 0, 0]
    payload = rig.sent("MeterValues")[0]
    assert "transactionId" not in payload
    assert {value["context"] for value in values(payload)} == {"Sample.Clock"}


def test_aligned_values_of_every_connector() -> None:
    """§9.1.4: in and outside transactions."""
    rig = Rig(3, ClockAlignedDataInterval="300")
    rig.after(300)
    assert [payload["connectorId"] for payload in rig.sent("MeterValues")] == [1, 2, 3]


def test_aligned_values_carry_the_transaction_that_runs_then() -> None:
    """Errata 3.16: transactionId only when one runs on that connector at the sampling moment."""
    rig = Rig(ClockAlignedDataInterval="100", MeterValueSampleInterval="0")
    rig.session()
    rig.after(100)
    rig.swipe()
    rig.after(100)
    ids = [payload.get("transactionId") for payload in rig.sent("MeterValues") if payload["connectorId"] == 1]
    assert ids == [101, None]


def test_aligned_values_begin_anew_at_midnight() -> None:
    """Digest §2.7: every midnight restarts the count, even if the interval does not divide the day."""
    rig = Rig(1, ClockAlignedDataInterval="25000", HeartbeatInterval="0")
    midnight = 1_800_000_000 // 86_400 * 86_400
    rig.after(2.5 * 86_400)
    assert [stamp - midnight for stamp in stamps(rig)] == [
        *(50_000, 75_000, 86_400),
        *(86_400 + 25_000, 86_400 + 50_000, 86_400 + 75_000, 172_800),
        *(172_800 + 25_000, 172_800 + 50_000, 172_800 + 75_000),
    ][: len(stamps(rig))]
    assert len(stamps(rig)) >= 7


def test_aligned_interval_0_sends_none_and_a_written_one_counts_at_once() -> None:
    """§9.1.4 with digest §2.12."""
    rig = Rig(1)
    rig.after(2000)
    assert rig.log("MeterValues") == []
    rig.call("ChangeConfiguration", key="ClockAlignedDataInterval", value="60")
    rig.after(120)
    assert len(stamps(rig)) == 2
    rig.call("ChangeConfiguration", key="ClockAlignedDataInterval", value="0")
    rig.after(500)
    assert len(stamps(rig)) == 2


def test_aligned_values_without_measurands_are_energy() -> None:
    """An interval is configured, so sending is compulsory (errata 3.15)."""
    rig = Rig(1, ClockAlignedDataInterval="60", MeterValuesAlignedData="")
    rig.after(60)
    assert [value["measurand"] for value in values(rig.sent("MeterValues")[0])] == [ENERGY]


def test_a_fixed_reading_is_rounded_down() -> None:
    """§7.31: whole Wh; down, so that a stop never falls below a later start."""
    assert metering.whole(17.999) == 17


def test_a_phase_that_no_meter_has_is_refused() -> None:
    """§3.16.4: what cannot be measured is Rejected."""
    rig = Rig(1, fixed=True, phases=1)
    for value in ("Current.Import.L2", "Voltage.L3"):
        answer = rig.call("ChangeConfiguration", key="MeterValuesSampledData", value=value)
        assert answer == {"status": "Rejected"}
    assert rig.call("ChangeConfiguration", key="MeterValuesSampledData", value="Voltage.L1") == {
        "status": "Accepted"
    }


def test_a_meter_that_has_nothing_of_what_is_asked_for_tells_its_register() -> None:
    """A message without values could never be delivered, and the queue would stand still behind it."""
    rig = Rig(1, MeterValueSampleInterval="10", MeterValuesSampledData="Current.Import.L3")
    rig.session()
    rig.wires("meter.sampled", 1, energy=100.0, power=7000.0, currents=(30.0,), voltages=(230.0,))
    rig.facts.connectors[1].reading = replace(rig.facts.connectors[1].reading, currents=(30.0,))
    rig.forget()
    rig.call("TriggerMessage", requestedMessage="MeterValues", connectorId=1)
    rig.after(1)
    (payload,) = rig.sent("MeterValues")
    assert [value["measurand"] for value in values(payload)] == [ENERGY]
