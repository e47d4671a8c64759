"""Energy meters against real Modbus servers: what they say, what of it can be true, and what happens when they fail."""

import queue
import threading
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import pytest
from meter_kit import EASTRON_3, METERS, words
from modbus_kit import PATIENCE, Device, hurry, served
from pymodbus.constants import ExcCodes
from rig import Rig

from charger.board import MeterPlan, ModbusBus
from charger.clock import VirtualClock
from charger.hardware.meter import ImplausibleError, ModbusMeter, Register, read, read_once
from charger.hardware.modbus import Bus
from charger.hardware.parts import MeterSaid
from charger.meter_map import read_map, shipped_maps

SDM630 = read_map("sdm630", Path())[0]
UNIT = 3
FAST = 0.005
"""s between two reads."""


def plan(name="sdm630", period=FAST):
    return MeterPlan(map=name, bus="rs485", unit=UNIT, period=period)


def device(name="sdm630"):
    function, registers, *_ = METERS[name]
    return Device(UNIT, **{"holding" if function == 3 else "inputs": registers})


def put(device, address, number):
    """A float32 into input registers."""
    for offset, word in enumerate(words("f", number)):
        device.registers[4][address + offset] = word


VOLTAGE, CURRENT, POWER, ENERGY = 0x00, 0x06, 0x34, 0x48


class Watched:
    """A meter that is read, on a clock that stands still, and what it reports."""

    def __init__(self, server, meter=SDM630, phases=3, period=FAST):
        self.clock = VirtualClock()
        self.bus = Bus(server.plan)
        self.part = ModbusMeter(self.bus, plan(period=period), meter, phases, self.clock)
        self.reports = queue.Queue()

    def __enter__(self):
        self.part.start(self.reports.put)
        return self

    def __exit__(self, *_error):
        self.part.close()
        self.bus.close()

    def next(self):
        return self.reports.get(timeout=PATIENCE)

    def live(self, seconds):
        """Let time pass while the meter is read."""
        for _ in range(round(seconds / 5)):
            self.clock.advance(5.0)
            self.settle()

    def settle(self):
        """Wait until everything that is in the registers now has been read, and judged."""
        done = threading.Event()
        rounds = iter(range(3))
        end = self.bus.every(FAST, lambda _registers: next(rounds, None) is None and done.set(), print)
        assert done.wait(PATIENCE)
        end()


# -- what they say -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tcp", "rtu"])
@pytest.mark.parametrize("name", METERS)
def test_each_meter_says_what_its_maker_wrote_in_its_registers(name, kind):
    found, _, _ = read_map(name, Path())
    _, _, energy, power, currents, voltages = METERS[name]
    with served(kind, device(name)) as server:
        said = read_once(server.plan, plan(name), found, 3)
    assert isinstance(said, MeterSaid), said
    assert said.energy == pytest.approx(energy)
    assert said.power == pytest.approx(power)
    assert said.currents == pytest.approx(currents)
    assert said.voltages == pytest.approx(voltages)


def test_every_shipped_map_is_tried():
    assert sorted(METERS) == shipped_maps()


def test_a_connector_of_one_phase_hears_of_one_phase():
    with served("tcp", device()) as server:
        said = read_once(server.plan, plan(), SDM630, 1)
    assert said.currents == (16.0,)
    assert said.voltages == (pytest.approx(230.2),)


def test_phases_that_are_not_connected_are_left_out():
    found, _, _ = read_map("abb-b23", Path())
    one = device("abb-b23")
    for address in (0x5B02, 0x5B04, 0x5B0E, 0x5B10):
        one.registers[3][address] = one.registers[3][address + 1] = 0xFFFF
    with served("tcp", one) as server:
        said = read_once(server.plan, plan("abb-b23"), found, 3)
    assert (said.currents, said.voltages) == ((16.0,), (pytest.approx(230.2),))


def test_what_each_phase_says_stands_in_meter_values():
    """OCPP 1.6 §3.16.3: real currents and voltages, phase by phase."""
    with served("rtu", device()) as server:
        said = read_once(server.plan, plan(), SDM630, 3)
    rig = Rig(
        MeterValuesSampledData="Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage"
    )
    rig.wires("meter.sampled", 1, **asdict(said))
    rig.call("TriggerMessage", requestedMessage="MeterValues", connectorId=1)
    rig.after(1)
    (payload,) = rig.sent("MeterValues")
    found = payload["meterValue"][0]["sampledValue"]
    assert [(one["measurand"], one.get("phase"), one["value"], one["unit"]) for one in found] == [
        ("Energy.Active.Import.Register", None, "12345625", "Wh"),
        ("Power.Active.Import", None, "10875.0", "W"),
        ("Current.Import", "L1", "16.00", "A"),
        ("Current.Import", "L2", "15.50", "A"),
        ("Current.Import", "L3", "15.75", "A"),
        ("Voltage", "L1-N", "230.2", "V"),
        ("Voltage", "L2-N", "229.5", "V"),
        ("Voltage", "L3-N", "231.0", "V"),
    ]


def test_a_current_that_a_meter_gives_a_direction_is_a_current():
    one = device()
    put(one, CURRENT, -16.0)
    put(one, POWER, -3680.0)
    with served("tcp", one) as server:
        said = read_once(server.plan, plan(), SDM630, 3)
    assert said.currents[0] == 16.0
    assert said.power == -3680.0


def test_a_map_that_an_integrator_wrote_is_as_good(tmp_path):
    (tmp_path / "grid.yaml").write_text(
        "meter: Example 100\nphases: 1\nmax_current: 40\nfunction: 3\ntype: int16\nregisters:\n"
        "  energy: {address: 4001, type: uint32, word_order: low, unit: kWh}\n"
        "  power: {address: 4003, scale: 10, unit: W}\n"
        "  currents: {address: 0x0100, function: 4, unit: mA}\n"
    )
    found, _, _ = read_map("grid.yaml", tmp_path)
    one = Device(UNIT, holding={4001: 7, 4002: 1, 4003: 230}, inputs={0x100: 9999})
    with served("rtu", one) as server:
        said = read_once(server.plan, plan("grid.yaml"), found, 1)
    assert said == MeterSaid(energy=65_543_000.0, power=2300.0, currents=(pytest.approx(9.999),))
    assert one.asked == [(3, 4001, 3), (4, 0x100, 1)]


# -- what cannot be true -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "number", "says"),
    [
        (ENERGY, float("nan"), "energy: the meter says that it has no value"),
        (ENERGY, float("inf"), "energy: the meter says that it has no value"),
        (ENERGY, -1.0, "energy: -1000 Wh cannot be"),
        (ENERGY, 2e8, "energy: 200000000000 Wh cannot be"),
        (POWER, float("nan"), "power: the meter says that it has no value"),
        (POWER, 90001.0, "power: 90001 W, of a meter for 90000 W at most"),
        (POWER, -90001.0, "power: -90001 W, of a meter for 90000 W at most"),
        (CURRENT + 4, 100.5, "currents: 100.5 A at L3, of a meter for 100 A"),
        (CURRENT + 2, float("nan"), "currents: L2 has no value, and L3 has one"),
        (VOLTAGE, 501.0, "voltages: 501.0 V at L1 cannot be"),
        (VOLTAGE + 2, -1.0, "voltages: -1.0 V at L2 cannot be"),
    ],
)
def test_a_reading_that_cannot_be_true_is_none(address, number, says):
    one = device()
    put(one, address, number)
    with served("tcp", one) as server:
        assert read_once(server.plan, plan(), SDM630, 3) == says


def test_far_too_much_voltage_and_none_at_all_are_plausible():
    one = device()
    put(one, VOLTAGE, 400.0)
    put(one, VOLTAGE + 2, 0.0)
    with served("tcp", one) as server:
        assert read_once(server.plan, plan(), SDM630, 3).voltages == (400.0, 0.0, pytest.approx(231.0))


class Counted:
    """The register of a meter that counts 90 kW at most: 25 Wh/s, and 1500 Wh that it may be late with."""

    def __init__(self):
        self.register = Register(SDM630)

    def says(self, energy, now, failed=False):
        try:
            self.register.check(energy, now, failed)
        except ImplausibleError as error:
            return str(error)
        return ""


def test_energy_goes_on_and_stands_still():
    one = Counted()
    assert [one.says(*value) for value in [(0.0, 0), (0.0, 1), (1500.0, 2), (4500.0, 62)]] == ["", "", "", ""]


def test_energy_does_not_go_back_nor_forward_faster_than_the_meter_counts():
    one = Counted()
    one.says(10_000.0, 0)
    assert one.says(9_999.9, 1) == "energy: went back from 10000.0 to 9999.9 Wh"
    assert one.says(11_526.0, 1) == "energy: jumped from 10000.0 to 11526.0 Wh in 1 s"
    assert one.says(11_525.0, 1) == ""


def test_after_a_long_silence_much_may_have_been_counted():
    one = Counted()
    one.says(0.0, 0)
    assert one.says(90_000.0, 3540) == ""
    assert one.says(180_001.0, 2 * 3540) != ""


def test_a_replaced_meter_is_believed_once_it_has_failed_and_goes_on_for_a_while(caplog):
    one = Counted()
    one.says(5_000_000.0, 0)
    assert all("went back" in one.says(12.0 + now, now, failed=now >= 10) for now in range(1, 11))
    assert one.says(23.0, 11, failed=True) == ""
    assert one.says(24.0, 12) == ""
    assert "it has gone on from there for 10 s, and is believed" in caplog.text


def test_a_replaced_meter_is_not_believed_before_its_failure_was_told():
    one = Counted()
    one.says(5_000_000.0, 0)
    assert all(one.says(12.0, now) for now in range(1, 60))


def test_values_that_do_not_go_on_from_each_other_never_become_a_register():
    one = Counted()
    one.says(5_000_000.0, 0)
    assert all(one.says(energy, now, failed=True) for now, energy in enumerate([7.0, 3.0] * 50, start=1))
    assert one.says(5_000_100.0, 102) == ""


def test_one_good_value_in_between_makes_the_others_begin_anew():
    one = Counted()
    one.says(5_000_000.0, 0)
    assert all(one.says(12.0, now, failed=True) for now in range(1, 9))
    assert one.says(5_000_000.0, 9, failed=True) == ""
    assert all(one.says(12.0, now, failed=True) for now in range(10, 20))
    assert one.says(12.0, 20, failed=True) == ""


# -- what is reported ----------------------------------------------------------------------------------------


def test_readings_are_reported_when_they_have_changed_or_a_second_is_over():
    one = device()
    with served("tcp", one) as server, Watched(server) as watched:
        first = watched.next()
        assert first.power == 10875.0
        watched.settle()
        put(one, POWER, 10900.0)  # not much
        put(one, ENERGY, 12345.630)
        watched.settle()
        assert watched.reports.empty()
        for address, number in (
            (POWER, 11000.0),
            (CURRENT + 2, 16.0),
            (VOLTAGE + 4, 236.0),
            (CURRENT + 4, float("nan")),
        ):
            put(one, address, number)
            watched.next()
            watched.settle()
            assert watched.reports.empty()
        watched.clock.advance(1.0)
        assert watched.next().power == 11000.0
        watched.settle()
        assert watched.reports.empty()


def test_while_nothing_flows_a_minute_is_often_enough():
    one = device()
    put(one, POWER, 3.0)
    with served("tcp", one) as server, Watched(server) as watched:
        watched.next()
        put(one, VOLTAGE, 231.0)
        watched.live(55.0)
        assert watched.reports.empty()
        watched.live(5.0)
        assert watched.next().voltages[0] == 231.0
        watched.live(5.0)
        assert watched.reports.empty()
        put(one, ENERGY, 12345.650)
        watched.clock.advance(1.0)
        assert watched.next().energy == pytest.approx(12345650.0)


def test_a_phase_that_is_lost_is_a_change():
    one = device()
    with served("tcp", one) as server, Watched(server) as watched:
        assert len(watched.next().voltages) == 3
        put(one, VOLTAGE + 4, float("nan"))
        assert len(watched.next().voltages) == 2


def test_after_the_end_nothing_is_reported():
    one = device()
    with served("tcp", one) as server, Watched(server) as watched:
        watched.next()
        watched.part.close()
        put(one, POWER, 0.0)
        watched.settle()
        watched.clock.advance(100.0)
        assert watched.reports.empty()
        assert watched.clock.next_due() is None


def test_a_meter_that_was_never_started_can_be_closed():
    ModbusMeter(None, plan(), SDM630, 3, VirtualClock()).close()


# -- failing, and recovering ---------------------------------------------------------------------------------


def fails(watched):
    """Nothing good comes any more: it is told once, after 10 s."""
    watched.settle()
    while not watched.reports.empty():
        watched.next()
    watched.clock.advance(9.9)
    watched.settle()
    assert watched.reports.empty()
    watched.clock.advance(0.1)
    assert watched.next() is None
    watched.clock.advance(600.0)
    watched.settle()
    assert watched.reports.empty()


@pytest.mark.parametrize("kind", ["tcp", "rtu"])
def test_a_meter_that_refuses_fails_and_works_again(kind, caplog):
    one = device()
    with served(kind, one) as server, Watched(server) as watched:
        assert watched.next().power == 10875.0
        one.refuses = ExcCodes.DEVICE_BUSY
        fails(watched)
        assert "Eastron SDM630, unit 3 of bus rs485: nothing good for 10 s: unit 3 is busy" in caplog.text
        one.refuses = None
        assert watched.next().power == 10875.0
        assert "works again" in caplog.text
        one.refuses = ExcCodes.DEVICE_BUSY
        fails(watched)


def test_a_meter_that_works_again_says_so_at_once_though_nothing_has_changed():
    one = device()
    put(one, POWER, 0.0)
    with served("tcp", one) as server, Watched(server) as watched:
        before = watched.next()
        one.refuses = ExcCodes.DEVICE_BUSY
        watched.settle()
        watched.clock.advance(10.0)
        assert watched.next() is None
        one.refuses = None
        assert watched.next() == before


def test_a_wire_that_is_cut_is_a_failure_until_it_is_mended():
    with served("rtu", device()) as server, Watched(server) as watched:
        watched.next()
        hurry()
        watched.settle()  # what is asked already waits as long as it was told
        server.answers = lambda _data: b""
        fails(watched)
        server.answers = bytes
        hurry(PATIENCE)
        assert watched.next().power == 10875.0


def test_wrong_checksums_are_a_failure_too():
    with served("rtu", device()) as server, Watched(server) as watched:
        watched.next()
        hurry()
        watched.settle()  # what is asked already waits as long as it was told
        server.answers = lambda data: data[:-1] + bytes([data[-1] ^ 1])
        fails(watched)


def test_a_gateway_that_goes_and_comes_back(monkeypatch):
    monkeypatch.setattr("charger.hardware.modbus.BACK_OFF", (0.01, 0.02))
    with served("tcp", device()) as server, Watched(server) as watched:
        watched.next()
        server.stop()
        fails(watched)
        server.start()
        assert watched.next().power == 10875.0


def test_a_meter_that_was_never_there_fails(caplog):
    with served("rtu", Device(UNIT + 1)) as server:
        hurry()
        with Watched(server) as watched:
            fails(watched)
    assert "unit 3 does not answer reading input registers 0x0000 to 0x000b" in caplog.text


def test_a_bus_that_never_comes_back_is_a_failure_all_the_same():
    """A hung driver, a name that is not resolved: the thread of the bus stands, the loop does not."""
    hung, go_on = threading.Event(), threading.Event()
    with served("tcp", device()) as server:
        watched = Watched(server)
        watched.bus.soon(lambda _registers: (hung.set(), go_on.wait(PATIENCE)), print)
        assert hung.wait(PATIENCE)
        with watched:
            watched.clock.advance(10.0)
            assert watched.next() is None
            go_on.set()
            assert watched.next().power == 10875.0


def test_what_is_implausible_is_a_failure_and_the_reason_is_told(caplog):
    one = device()
    with served("tcp", one) as server, Watched(server) as watched:
        watched.next()
        put(one, CURRENT, 1000.0)
        fails(watched)
        assert "nothing good for 10 s: currents: 1000.0 A at L1, of a meter for 100 A" in caplog.text
        put(one, CURRENT, 16.0)
        put(one, ENERGY, 12345.75)
        assert watched.next().energy == 12345750.0


def test_a_replaced_meter_is_told_to_have_failed_before_it_is_believed():
    one = device()
    with served("tcp", one) as server, Watched(server) as watched:
        assert watched.next().energy == 12345625.0
        put(one, ENERGY, 0.5)
        watched.settle()
        for _ in range(9):
            watched.clock.advance(1.0)
            watched.settle()
        assert watched.reports.empty()
        watched.clock.advance(1.0)
        assert watched.next() is None
        watched.clock.advance(1.0)
        assert watched.next().energy == 500.0


@pytest.mark.parametrize(("period", "patience"), [(0.2, 10.0), (1.0, 10.0), (5.0, 17.5), (60.0, 210.0)])
def test_a_meter_that_is_read_seldom_may_miss_three_times(period, patience):
    with served("tcp", device()) as server, Watched(server, period=period) as watched:
        assert watched.part._patience == patience
        watched.next()


def test_energy_that_is_reported_never_falls_whatever_the_meter_says():
    one = device()
    seen = []
    with served("tcp", one) as server, Watched(server) as watched:
        seen.append(watched.next())
        for energy in (12345.7, 3.0, 12346.0, float("nan"), 12345.9, 99999.0, 12346.5):
            put(one, ENERGY, energy)
            watched.clock.advance(1.0)
            watched.settle()
            while not watched.reports.empty():
                seen.append(watched.next())
    energies = [said.energy for said in seen]
    assert all(before <= after for before, after in pairwise(energies))
    assert energies[-1] == 12346500.0


# -- for whoever has just wired it ---------------------------------------------------------------------------


def test_a_meter_that_does_not_answer_may_be_set_to_another_line():
    sdm120, _, _ = read_map("sdm120", Path())
    with served("rtu", Device(9)) as server:
        hurry()
        says = read_once(server.plan, plan("sdm120"), sdm120, 1)
        assert says == (
            "unit 3 does not answer reading input registers 0x0000 to 0x0001; "
            "a new Eastron SDM120 is set to 2400 baud 8N1, and the bus to 115200 baud 8N1"
        )
        line = server.plan
        as_new = ModbusBus(port=line.port, baud=2400)
        assert "is set to" not in read_once(as_new, plan("sdm120"), sdm120, 1)


def test_of_a_meter_whose_line_is_not_known_nothing_is_said():
    abb, _, _ = read_map("abb-b23", Path())
    with served("rtu", Device(9)) as server:
        hurry()
        assert "is set to" not in read_once(server.plan, plan("abb-b23"), abb, 3)


def test_over_the_network_the_line_is_somebody_elses_business():
    one = device()
    one.refuses = ExcCodes.GATEWAY_NO_RESPONSE
    with served("tcp", one) as server:
        says = read_once(server.plan, plan(), SDM630, 3)
    assert (
        says
        == "unit 3 does not answer the gateway (exception 11 to reading input registers 0x0000 to 0x000b)"
    )


def test_a_bus_that_cannot_be_opened_is_told():
    says = read_once(ModbusBus(port="/nowhere/tty"), plan(), SDM630, 3)
    assert says.startswith("/nowhere/tty cannot be opened: ")


def test_a_meter_that_has_not_the_registers_of_the_map_is_told():
    found, _, _ = read_map("abb-b23", Path())
    with served("tcp", Device(UNIT, holding=EASTRON_3)) as server:
        says = read_once(server.plan, plan("abb-b23"), found, 3)
    assert says.startswith(
        "unit 3 has no such register (exception 2 to reading holding registers 0x5000 to 0x5003)"
    )


def test_reading_needs_nothing_but_registers():
    class Registers:
        def read_input(self, unit, address, count):
            assert unit == UNIT
            return [EASTRON_3[address + offset] for offset in range(count)]

    assert read(Registers(), UNIT, SDM630, 3).power == 10875.0
