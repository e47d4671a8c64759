"""Register maps: the shipped ones are right, wrong ones are explained, and few requests fetch everything."""

import re
from pathlib import Path

import pytest

from charger import folders
from charger.board import ModbusBus
from charger.meter_map import Register, read_map, shipped_maps
from charger.settings import load
from charger.settings_values import WrongError
from charger.statechart.findings import as_text

OWN = """\
meter: Example 100
phases: 3
max_current: 63
function: 3
type: uint32
registers:
  energy: {address: 100, unit: Wh}
  power: {address: 102, unit: W}
"""


def read(tmp_path, text):
    (tmp_path / "own.yaml").write_text(text)
    return read_map("own.yaml", tmp_path)


def right(tmp_path, text):
    found, findings, sources = read(tmp_path, text)
    assert not findings, as_text(findings, sources)
    return found


def wrong(tmp_path, text):
    """The findings as ``line:column message [rule]``."""
    found, findings, sources = read(tmp_path, text)
    assert found is None
    assert sources == {str(tmp_path / "own.yaml"): text}
    return [f"{one.mark.line}:{one.mark.column} {one.message} [{one.rule}]" for one in findings]


def changed(old, new):
    assert old in OWN
    return OWN.replace(old, new)


# -- what is shipped -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped_maps())
def test_a_shipped_map_is_right(name):
    found, findings, sources = read_map(name, Path())
    assert not findings, as_text(findings, sources)
    assert found.meter


def test_the_shipped_maps_are_these_and_lie_in_the_package_once_it_is_installed(tmp_path, monkeypatch):
    assert shipped_maps() == ["abb-b23", "em340", "sdm120", "sdm230", "sdm630", "sdm72", "sdm72-v2"]
    installed = tmp_path / "shipped" / "meters"
    installed.mkdir(parents=True)
    (installed / "x.yaml").write_text(OWN)
    monkeypatch.setattr(folders, "__file__", str(tmp_path / "folders.py"))
    assert shipped_maps() == ["x"]
    assert read_map("x", Path())[0].meter == "Example 100"


# -- one of one's own ----------------------------------------------------------------------------------------


def test_a_map_of_ones_own_needs_no_more_than_this(tmp_path):
    found = right(tmp_path, OWN)
    assert (found.meter, found.phases, found.max_current, found.factory) == ("Example 100", 3, 63.0, None)
    assert found.registers == (
        Register("energy", 0, 3, 100, "uint32", high_first=True, factor=1.0),
        Register("power", 0, 3, 102, "uint32", high_first=True, factor=1.0),
    )


def test_one_register_may_be_otherwise_than_the_others(tmp_path):
    text = OWN + (
        "  currents: {address: [0x10, 0x11, 0x12], function: 4, type: uint16, scale: 10, unit: mA}\n"
        "  voltages: {address: [0, 2, 4], word_order: low, scale: 0.1, unit: V}\n"
    )
    registers = {(one.quantity, one.phase): one for one in right(tmp_path, text).registers}
    assert registers["currents", 3] == Register(
        "currents", 3, 4, 0x12, "uint16", high_first=True, factor=0.01
    )
    assert registers["voltages", 1] == Register("voltages", 1, 3, 0, "uint32", high_first=False, factor=0.1)


@pytest.mark.parametrize(
    ("written", "is_"),
    [
        ("{baud: 19200}", ModbusBus(baud=19200)),
        ("{baud: 2400, parity: even, stop_bits: 1}", ModbusBus(baud=2400, parity="E")),
        ("{baud: 9600, parity: odd, stop_bits: 2}", ModbusBus(baud=9600, parity="O", stop_bits=2)),
    ],
)
def test_a_map_may_say_how_the_meter_leaves_its_factory(tmp_path, written, is_):
    assert right(tmp_path, f"factory: {written}\n{OWN}").factory == is_


def test_the_page_about_meters_lists_those_that_are_shipped_and_shows_one_that_is_right(tmp_path):
    page = (Path(__file__).parent.parent / "docs" / "meters.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(.+)` \| (.+) \| (.) \| (yes|no) \|$", page, re.MULTILINE)
    maps = {name: read_map(name, Path())[0] for name in shipped_maps()}
    told = {
        name: any(register.quantity == "currents" for register in one.registers) for name, one in maps.items()
    }
    assert rows == [
        (name, one.meter, str(one.phases), "yes" if told[name] else "no") for name, one in maps.items()
    ]
    example = re.search(r"```yaml\n# grid.yaml\n(.*?)```", page, re.DOTALL)[1]
    assert asked(right(tmp_path, example)) == [
        *((3, 0x100, 4), (3, 0x110, 2), (3, 0x120, 6), (3, 0x130, 6)),
    ]


# -- mistakes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "sdm63O",
            "no register map 'sdm63O' — did you mean 'sdm630'?; the file of one of your own ends in .yaml",
        ),
        (
            "x",
            "no register map 'x': there are abb-b23, em340, sdm120, sdm230, sdm630, sdm72, sdm72-v2; the file of one of your own ends in .yaml",
        ),
        (
            "../sdm630",
            "no register map '../sdm630' — did you mean 'sdm630'?; the file of one of your own ends in .yaml",
        ),
        ("gone.yaml", "there is no file /etc/charger/gone.yaml"),
    ],
)
def test_a_map_that_is_not_there(name, says):
    with pytest.raises(WrongError) as wrong:
        read_map(name, Path("/etc/charger"))
    assert str(wrong.value) == says


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", ["1:1 the key 'phases' is missing: add for example `phases: 3` [missing-key]"]),
        ("- 1", ["1:1 a register map is written as `key: value` pairs [wrong-kind]"]),
        ("a: b: c", ["1:5 not readable as YAML: mapping values are not allowed here [yaml-syntax]"]),
        (changed("max_current", "max_curent"), [
            "1:1 the key 'max_current' is missing: add for example `max_current: 100` [missing-key]",
            "3:1 a register map has no key 'max_curent' — did you mean 'max_current'? [unknown-key]",
        ]),
        (changed("phases: 3", "phases: 2"), ["2:9 phases: '2' is neither 1 nor 3 [bad-setting]"]),
        (changed("function: 3", "function: 6"), [
            "4:11 function: 3 (holding registers) or 4 (input registers) should stand here [bad-setting]"
        ]),
        (changed("type: uint32", "type: unit32"), [
            "5:7 type: 'unit32' is neither int16 nor uint16 nor int32 nor uint32 nor int64 nor uint64 nor float32 nor float64 — did you mean 'uint32'? [bad-setting]"
        ]),
        (changed("type: uint32\n", ""), ["1:1 the key 'type' is missing: add for example `type: float32` [missing-key]"]),
        (changed("  power: {address: 102, unit: W}\n", ""), [
            "7:3 the key 'registers.power' is missing: add for example `power: {address: 0x0034, unit: W}` [missing-key]"
        ]),
        (changed("unit: Wh", "unit: kwh"), [
            "7:32 registers.energy.unit: 'kwh' is neither Wh nor kWh nor MWh — did you mean 'kWh'? [bad-setting]"
        ]),
        (changed(", unit: Wh", ""), [
            "7:11 the key 'registers.energy.unit' is missing: add for example `unit: Wh` [missing-key]"
        ]),
        (changed("address: 100, ", ""), [
            "7:11 the key 'registers.energy.address' is missing: add for example `address: 0x0000` [missing-key]"
        ]),
        (changed("address: 100", "address: 0x123456"), [
            "7:21 registers.energy.address: a whole number should stand here [wrong-kind]"
        ]),
        (changed("address: 100", "address: 70000"), [
            "7:21 registers.energy.address: 70000 is out of range: from 0 to 65535 [bad-setting]"
        ]),
        (changed("address: 100", "address: [100, 101]"), [
            "7:21 registers.energy.address: 2 addresses stand here; one address should [bad-setting]"
        ]),
        (changed("address: 102", "address: 102, scale: 0"), [
            "8:32 registers.power.scale: 0 would make nothing of everything [bad-setting]"
        ]),
        (OWN + "  currents: {address: [0, 2], unit: A}\n", [
            "9:23 registers.currents.address: 2 addresses stand here; one of each of 3 phases should [bad-setting]"
        ]),
        (OWN + "  voltage: {address: [0, 2, 4], unit: V}\n", [
            "9:3 registers has no key 'voltage' — did you mean 'voltages'? [unknown-key]"
        ]),
        (changed("address: 102", "address: 101"), [
            "8:3 power: 0x0065 is a register of energy already, whose uint32 begins at 0x0064 [bad-setting]"
        ]),
        (changed("address: 100", "address: 65535"), ["7:3 energy: uint32 at 0xffff ends beyond 0xffff [bad-setting]"]),
        ("registers_per_request: 2\n" + changed("unit: Wh", "unit: Wh, type: uint64").replace("102", "104"), [
            "8:3 energy: uint64 is in 4 registers, and a request asks for 2 [bad-setting]"
        ]),
        ("registers_per_request: 126\n" + OWN, [
            "1:24 registers_per_request: 126 is out of range: from 1 to 125 [bad-setting]"
        ]),
        ("factory: {parity: even}\n" + OWN, [
            "1:10 the key 'factory.baud' is missing: add for example `baud: 9600` [missing-key]"
        ]),
        ("factory: {baud: 9600, parity: E}\n" + OWN, [
            "1:31 factory.parity: 'E' is neither none nor even nor odd [bad-setting]"
        ]),
        (changed("registers:", "registers: 7\nregister:"), [
            "6:12 registers is written as `key: value` pairs [wrong-kind]"
        ]),
        ("word_order: middle\n" + OWN, ["1:13 word_order: 'middle' is neither high nor low [bad-setting]"]),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(tmp_path, text, says):
    found = wrong(tmp_path, text)
    assert [line for line in says if line not in found] == [], found


def test_the_environment_of_a_station_has_no_say_in_a_map(tmp_path, monkeypatch):
    monkeypatch.setenv("CHARGER_DATA", "7")
    right(tmp_path, OWN)


# -- in station.yaml -----------------------------------------------------------------------------------------

STATION = """\
id: CP1
vendor: A
model: B
central: {url: "ws://127.0.0.1:9000/ocpp"}
hardware: gpio
connectors:
  - {cable: fixed, phases: 3}
board:
  buses: {rs485: {port: /dev/serial/by-id/usb-FTDI}}
  connectors:
    - contactor: 17
      mirror: {pin: 27}
      pilot: {type: simulated}
      meter: {map: MAP, bus: rs485, unit: 2}
"""


def station(tmp_path, name):
    """What is found in a station with such a meter, without what its simulated pilot is warned of."""
    (tmp_path / "station.yaml").write_text(STATION.replace("MAP", name))
    _, findings, sources = load(tmp_path / "station.yaml", {}, {})
    return [one for one in findings if one.severity == "error"], sources


@pytest.mark.parametrize("name", ["sdm630", "own.yaml"])
def test_a_station_may_name_a_map_of_ours_or_of_its_own(tmp_path, name):
    (tmp_path / "own.yaml").write_text(OWN)
    assert station(tmp_path, name)[0] == []


def test_a_map_that_is_not_there_is_wrong_where_it_is_named(tmp_path):
    ((finding,), _) = station(tmp_path, "sdm63")
    assert (finding.mark.line, finding.mark.column) == (14, 20)
    assert finding.message.startswith(
        "board.connectors.1.meter.map: no register map 'sdm63' — did you mean 'sdm630'?"
    )


def test_what_is_wrong_in_a_map_is_wrong_in_its_file(tmp_path):
    (tmp_path / "own.yaml").write_text(changed("unit: Wh", "unit: kwh"))
    findings, sources = station(tmp_path, "own.yaml")
    assert as_text(findings, sources) == (
        f"{tmp_path}/own.yaml:7:32: error: registers.energy.unit: 'kwh' is neither Wh nor kWh nor MWh"
        " — did you mean 'kWh'? [bad-setting]\n  |\n7 |   energy: {address: 100, unit: kwh}\n"
        "  |                                ^~~"
    )


def test_a_meter_of_one_phase_is_not_enough_for_three(tmp_path):
    ((finding,), _) = station(tmp_path, "sdm120")
    assert finding.mark.line == 14
    assert finding.message == (
        "board.connectors.1.meter.map: Eastron SDM120 measures one phase, and the connector has 3"
    )


# -- requests ------------------------------------------------------------------------------------------------


def asked(found, phases=3):
    return [(request.function, request.address, request.count) for request in found.requests(phases)]


def test_registers_without_a_gap_are_fetched_together():
    assert asked(read_map("sdm630", Path())[0]) == [(4, 0x00, 12), (4, 0x34, 2), (4, 0x48, 2)]
    assert asked(read_map("abb-b23", Path())[0]) == [
        (3, 0x5000, 4),
        (3, 0x5B00, 6),
        (3, 0x5B0C, 6),
        (3, 0x5B14, 2),
    ]


def test_of_phases_that_the_connector_has_not_nothing_is_fetched():
    assert asked(read_map("sdm630", Path())[0], 1) == [(4, 0x00, 2), (4, 0x06, 2), (4, 0x34, 2), (4, 0x48, 2)]


def test_no_request_is_longer_than_the_meter_allows(tmp_path):
    text = "registers_per_request: 4\n" + OWN + "  voltages: {address: [104, 106, 108], unit: V}\n"
    assert asked(right(tmp_path, text)) == [(3, 100, 4), (3, 104, 4), (3, 108, 2)]


def test_function_codes_do_not_mix_in_a_request(tmp_path):
    text = changed("address: 102", "address: 102, function: 4")
    assert asked(right(tmp_path, text)) == [(3, 100, 2), (4, 102, 2)]


# -- numbers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "words", "is_"),
    [
        ("uint16", [0xFFFE], 65534),
        ("int16", [0xFFFE], -2),
        ("uint32", [0x0001, 0x0002], 65538),
        ("int32", [0xFFFF, 0xFFFE], -2),
        ("uint64", [0, 0, 0x0001, 0x0002], 65538),
        ("int64", [0xFFFF] * 3 + [0xFFFE], -2),
        ("float32", [0x4366, 0x3333], 230.2),
        ("float64", [0x406C, 0xC666, 0x6666, 0x6666], 230.2),
        # the makers' words for "no value"
        ("uint16", [0xFFFF], None),
        ("int16", [0x7FFF], None),
        ("int16", [0x8000], None),
        ("uint32", [0xFFFF, 0xFFFF], None),
        ("int32", [0x7FFF, 0xFFFF], None),
        ("uint64", [0xFFFF] * 4, None),
        ("int64", [0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF], None),
        ("float32", [0x7FC0, 0x0000], None),  # NaN
        ("float32", [0xFF80, 0x0000], None),  # -infinity
        ("float64", [0x7FF0, 0, 0, 0], None),
    ],
)
def test_words_become_a_number_in_either_order(kind, words, is_):
    for order in (True, False):
        register = Register("power", 0, 4, 0, kind, high_first=order, factor=1.0)
        assert register.count == len(words)
        assert register.value(words if order else words[::-1]) == (is_ if is_ is None else pytest.approx(is_))
