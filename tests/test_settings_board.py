"""The section `board` of station.yaml: right ones are understood, wrong ones explained with place and reason."""

import re
from pathlib import Path

import pytest

from charger.board import (
    Board,
    Contact,
    KernelPilot,
    LightPlan,
    LockPlan,
    MeterPlan,
    ModbusBus,
    ModbusPilot,
    OutletPlan,
    ReaderPlan,
    ResidualCurrentPlan,
    SimulatedPilot,
    TemperaturePlan,
)
from charger.loading import read_station
from charger.settings import check_board, effective, load, shipped
from charger.statechart.findings import as_text
from charger.statechart.reader import read_set

ROOT = Path(__file__).parent.parent

STATION = """\
id: CP001
vendor: Example
model: Board
central: {url: "ws://127.0.0.1:9000/ocpp"}
charts: charts
hardware: gpio
"""
INDEX = "language: 1\ncharts: []\n"
FIXED = "connectors: [{cable: fixed}]\n"
LEAST = """\
board:
  connectors:
    - contactor: 17
      mirror: none
      pilot: {type: simulated}
"""
FULL = """\
connectors:
  - {cable: socket, reader: own}
  - {cable: fixed, reader: own}
board:
  chip: pinctrl-rp1
  patience: 1.5
  life: 16
  emergency_stop: {pin: 6}
  door: {pin: 13, normally: closed, pull: down}
  temperature: {sensor: 28-0123456789ab}
  buzzer: 26
  buses:
    rs485: {port: /dev/ttyUSB0, baud: 19200, parity: E, stop_bits: 2}
    lan: {host: 192.168.1.20, tcp_port: 1502}
  readers:
    - {type: keyboard, device: /dev/input/event0, connector: 1}
    - {type: pn532, device: /dev/ttyUSB1, connector: 2, id_tag: "{decimal}"}
  connectors:
    - contactor: 17
      mirror: {pin: 27}
      pilot: {type: modbus, bus: rs485, unit: 1}
      meter: {map: sdm630, bus: rs485, unit: 2, period: 0.5}
      lock: {engage: 24, release: 25, feedback: {pin: 5, normally: open}, pulse: 0.3}
      residual_current: {contact: {pin: 22}, test: 23}
      light: {red: 15, green: 20, blue: 21}
      inputs: {key_switch: {pin: 2}}
      outputs: {heater: 14}
    - contactor: 1O
      mirror: {pin: 3, normally: closed, pull: up}
      pilot: {type: modbus, bus: lan, unit: 1}
      inputs: {key_switch: {pin: 12, normally: open, pull: none}}
      outputs: {heater: 18}
  inputs: {main_switch: {pin: 7, normally: open}}
  outputs: {fan: 19}
""".replace("1O", "10")
PINS = """\
inputs:
  main_switch: {scope: station}
  key_switch: {scope: connector}
outputs:
  fan: {scope: station}
  heater: {scope: connector}
"""


@pytest.fixture
def here(tmp_path):
    (tmp_path / "charts").mkdir()
    declare(tmp_path, "")
    return tmp_path


def declare(folder, pins):
    (folder / "charts" / "index.yaml").write_text(INDEX + pins)


def judged(folder, text):
    """The settings, and every finding as the whole program has it."""
    file = folder / "station.yaml"
    file.write_text(text)
    settings, findings, sources = load(file, {})
    if settings:
        findings = check_board(settings, read_set(settings.charts)[0])
    return settings, findings, sources


def right(folder, text):
    settings, findings, _ = judged(folder, text)
    assert [str(finding) for finding in findings] == []
    return settings


def wrong(folder, text):
    """The findings, as `word of the file: message`."""
    _, findings, _ = judged(folder, text)
    lines = text.splitlines()
    told = []
    for finding in findings:
        mark = finding.mark
        word = lines[mark.line - 1][mark.column - 1 :]
        told.append(f"{word} ~ {finding.message}")
    return told


def told(folder, text, word, *messages):
    """Exactly these findings, each at the place that begins with `word`."""
    found = wrong(folder, text)
    assert [line.partition(" ~ ")[2] for line in found] == list(messages)
    for line in found:
        assert line.startswith(word), line


# -- right -------------------------------------------------------------------------------------------------


def test_the_least_that_a_board_is(here):
    settings = right(here, STATION + FIXED + LEAST)
    assert settings.hardware == "gpio"
    assert settings.board == Board((OutletPlan(17, None, SimulatedPilot()),), folder=here)


def test_everything_can_be_said(here):
    declare(here, PINS)
    assert right(here, STATION + FULL).board == Board(
        outlets=(
            OutletPlan(
                contactor=17,
                mirror=Contact(27),
                pilot=ModbusPilot("rs485", 1),
                meter=MeterPlan("sdm630", "rs485", 2, 0.5),
                lock=LockPlan(24, 25, Contact(5, "open"), 0.3),
                residual_current=ResidualCurrentPlan(Contact(22), 23),
                light=LightPlan(15, 20, 21),
                inputs={"key_switch": Contact(2)},
                outputs={"heater": 14},
            ),
            OutletPlan(
                contactor=10,
                mirror=Contact(3),
                pilot=ModbusPilot("lan", 1),
                inputs={"key_switch": Contact(12, "open", "none")},
                outputs={"heater": 18},
            ),
        ),
        chip="pinctrl-rp1",
        patience=1.5,
        life=16,
        emergency_stop=Contact(6),
        door=Contact(13, "closed", "down"),
        temperature=TemperaturePlan("28-0123456789ab"),
        buzzer=26,
        buses={
            "rs485": ModbusBus("/dev/ttyUSB0", 19200, "E", 2),
            "lan": ModbusBus(host="192.168.1.20", tcp_port=1502),
        },
        readers=(
            ReaderPlan("keyboard", "/dev/input/event0", 1),
            ReaderPlan("pn532", "/dev/ttyUSB1", 2, "{decimal}"),
        ),
        inputs={"main_switch": Contact(7, "open")},
        outputs={"fan": 19},
        folder=here,
    )


def test_the_kernels_pwm_with_an_adc(here):
    text = LEAST.replace(
        "{type: simulated}",
        "{type: kernel, chip: 2, channel: 1, adc: 1, high: 3, low: 4, divider: [9, -1.5]}",
    )
    (outlet,) = right(here, STATION + FIXED + text).board.outlets
    assert outlet.pilot == KernelPilot(2, 1, 1, 3, 4, None, (9.0, -1.5))
    socket = text.replace("low: 4", "low: 4, proximity: 5") + "      lock: {engage: 24, release: 25}\n"
    (outlet,) = right(here, STATION + "connectors: 1\n" + socket).board.outlets
    assert outlet.pilot.proximity == 5
    free = socket.replace("low: 4", "low: 3").replace(", divider: [9, -1.5]", "")  # nothing holds the peaks
    (outlet,) = right(here, STATION + "connectors: 1\n" + free).board.outlets
    assert outlet.pilot == KernelPilot(2, 1, 1, 3, 3, 5, (14.3, -15.0))


def test_the_shipped_board_is_right_with_the_shipped_charts():
    found = read_station(shipped("stations") / "raspberry-pi.yaml", {})
    assert found.findings == []
    assert found.settings.board.outlets[0].pilot == ModbusPilot("rs485", 1)


SHIPPED = (shipped("stations") / "raspberry-pi.yaml").read_text()
CHOICES = re.findall(r"^ +# ((?:chip|gateway|pilot|id_tag): .*)$", SHIPPED, re.MULTILINE)


@pytest.mark.parametrize("choice", CHOICES, ids=[choice[:20] for choice in CHOICES])
def test_what_the_shipped_board_offers_in_comments_is_right(here, choice):
    key = choice.partition(":")[0]
    text = re.sub(rf"^ +{key}:.*\n", "", SHIPPED, flags=re.MULTILINE).replace(f"# {choice}", choice)
    if "kernel" in choice:  # whose PWM needs the pins of door and lamp
        text = text.replace("{pin: 13}", "{pin: 14}").replace("red: 19", "red: 15")
    right(here, text)


def test_the_pins_for_charts_that_the_shipped_board_offers_are_right(here):
    declare(here, PINS.replace("  fan: {scope: station}\n", "").replace("heater", "fan"))
    text = SHIPPED.replace("data: ./data\n", "data: ./data\ncharts: charts\n")
    for name in ("inputs: {key_switch", "outputs: {fan", "inputs: {main_switch"):
        text = text.replace(f"# {name}", name)
    board = right(here, text).board
    assert board.inputs == {"main_switch": Contact(14)}
    assert board.outlets[0].inputs == {"key_switch": Contact(18)}
    assert board.outlets[0].outputs == {"fan": 12}


def test_pins_of_other_chips_mean_nothing_to_the_rules_of_a_pi(here):
    text = LEAST.replace("17", "0").replace("board:\n", "board:\n  chip: 9030000.pl061\n")
    text += "  emergency_stop: {pin: 2, pull: none}\n"
    assert right(here, STATION + FIXED + text).board.outlets[0].contactor == 0


# -- hardware, board, simulation ---------------------------------------------------------------------------


def test_gpio_needs_a_board(here):
    message = "hardware: gpio needs to know what is wired to what: add a section `board`"
    told(here, STATION, "gpio", message)


def test_a_board_needs_gpio(here):
    text = STATION.replace("hardware: gpio\n", "")
    message = "board: only for real wires: write `hardware: gpio`, or remove the section"
    told(here, text + FIXED + LEAST, "connectors:", message)
    told(here, STATION.replace("gpio", "simulated") + FIXED + LEAST, "connectors:", message)


def test_simulation_is_for_what_is_simulated(here):
    settings = right(here, STATION + FIXED + LEAST + "simulation: {car_delay: 3}\n")
    assert settings.simulation.car_delay == 3
    real = LEAST.replace("{type: simulated}", "{type: modbus, bus: b, unit: 1}") + "  buses: {b: {host: x}}\n"
    message = "simulation: nothing is simulated here, since every connector of the board has a pilot"
    told(here, STATION + FIXED + real + "simulation: {}\n", "{}", f"{message}: remove the section")


def test_a_board_is_written_as_pairs_and_lists(here):
    assert wrong(here, STATION + FIXED + "board: here\n") == [
        "here ~ board.connectors: 0 are wired here, and `connectors` has 1",
        "here ~ board is written as `key: value` pairs",
    ]
    text = STATION + FIXED + LEAST + "  readers: {type: pn532}\n  door: 5\n  buses: none\n  life: [1]\n"
    assert wrong(here, text) == [
        "{type: pn532} ~ board.readers is written as a list, each item with a '-'",
        "5 ~ board.door is written as `key: value` pairs",
        "none ~ board.buses is written as `key: value` pairs",
        "[1] ~ board.life: a whole number should stand here",
    ]


def test_what_must_not_be_left_out_is_missed_with_an_example(here):
    text = """\
board:
  emergency_stop: {}
  temperature: {}
  readers: [{}]
  connectors:
    - meter: {}
      lock: {}
      residual_current: {}
      light: {}
    - pilot: {}
    - pilot: {type: modbus}
    - pilot: {type: kernel}
"""
    found = wrong(here, STATION + "connectors: 4\n" + text)
    missing = re.findall(r"the key 'board\.(\S+)' is missing: add for example `", "\n".join(found))
    assert sorted(missing) == sorted(
        """emergency_stop.pin temperature.sensor readers.1.type readers.1.device
        connectors.1.contactor connectors.1.mirror connectors.1.pilot
        connectors.1.meter.map connectors.1.meter.bus connectors.1.meter.unit
        connectors.1.lock.engage connectors.1.lock.release connectors.1.residual_current.contact
        connectors.1.light.red connectors.1.light.green connectors.1.light.blue
        connectors.2.contactor connectors.2.mirror connectors.2.pilot.type
        connectors.3.contactor connectors.3.mirror connectors.3.pilot.bus connectors.3.pilot.unit
        connectors.4.contactor connectors.4.mirror connectors.4.pilot.chip connectors.4.pilot.channel
        connectors.4.pilot.adc connectors.4.pilot.high connectors.4.pilot.low""".split()
    )


VALUES = {
    "  door:": "board.door: no value: write one, or remove the line",
    "  chip: [x]": "board.chip: a text should stand here",
    "  patience: 20": "board.patience: 20 s is out of range: from 0.5 to 10 s",
    "  life: 28": "board.life: 28 is out of range: from 0 to 27",
    "  buzzer: GPIO5": "board.buzzer: a whole number should stand here",
    "  door: {pin: 5, normaly: open}": "board.door has no key 'normaly' — did you mean 'normally'?",
    "  door: {pin: 5, pull: sideways}": "board.door.pull: 'sideways' is neither up nor down nor none",
    "  door: {pin: 5, normally: shut}": "board.door.normally: 'shut' is neither closed nor open",
    "  temperature: {sensor: 10-0123456789ab}": "board.temperature.sensor: '10-0123456789ab' is no DS18B20: "
    "`ls /sys/bus/w1/devices` shows it as 28-0123456789ab",
    "  temprature: {}": "board has no key 'temprature' — did you mean 'temperature'?",
    "  buses: {b: {port: ttyUSB0}}": "board.buses.b.port: 'ttyUSB0' is no device: "
    "write it like /dev/serial/by-id/… or /dev/input/by-id/…",
    "  buses: {b: {host: x, parity: X}}": "board.buses.b.parity: 'X' is neither N nor E nor O",
    "  buses: {b: {host: x, stop_bits: 3}}": "board.buses.b.stop_bits: 3 is out of range: from 1 to 2",
    "  buses: {b: {host: x, tcp_port: 0}}": "board.buses.b.tcp_port: 0 is out of range: from 1 to 65535",
    "  buses: {b: {host: x, baud: 9601}}": "board.buses.b.baud: '9601' is neither 1200 nor 2400 nor 4800 nor "
    "9600 nor 19200 nor 38400 nor 57600 nor 115200 — did you mean '9600'?",
    "  buses: {b: {}}": "board.buses.b: write either `port`, a serial line, or `host`, a gateway on the network",
    "  buses: {b: {host: x, port: /dev/ttyUSB0}}": "board.buses.b: write either `port`, a serial line, "
    "or `host`, a gateway on the network",
    "  readers: [{type: keybord, device: /dev/x}]": "board.readers.1.type: 'keybord' is neither pn532 nor "
    "keyboard — did you mean 'keyboard'?",
    "  readers: [{type: pn532, device: /dev/x, id_tag: {hex}}]": 'board.readers.1.id_tag: quote it, like "{hex}"',
    "  readers: [{type: pn532, device: /dev/x, id_tag: hex}]": "board.readers.1.id_tag: 'hex' should name one of "
    "{hex}, {hex_reversed}, {decimal}, {decimal_reversed}, once",
}  # fmt: skip


@pytest.mark.parametrize(("line", "message"), VALUES.items(), ids=range(len(VALUES)))
def test_one_wrong_value_is_one_finding(here, line, message):
    (found,) = wrong(here, f"{STATION}{FIXED}{LEAST}{line}\n")
    assert found.partition(" ~ ")[2] == message


IN_CONNECTOR = {
    "meter: {map: sdm, bus: b, unit: 1}": "meter.map: no register map 'sdm' — did you mean 'sdm72'?; the file of "
    "one of your own ends in .yaml",
    "meter: {map: sdm630, bus: b, unit: 248}": "meter.unit: 248 is out of range: from 1 to 247",
    "meter: {map: sdm630, bus: b, unit: 1, period: 10}": "meter.period: 10 s is out of range: from 0.2 to 5 s",
    "meter: {map: sdm630, bus: c, unit: 1}": "meter.bus: there is no bus 'c': there are b",
    "meter: {map: sdm630, bus: bb, unit: 1}": "meter.bus: there is no bus 'bb' — did you mean 'b'?",
    "pilot: {type: modbuss}": "pilot.type: 'modbuss' is neither simulated nor modbus nor kernel "
    "— did you mean 'modbus'?",
    "pilot: {type: simulated, unit: 1}": "pilot has no key 'unit': known are type",
    "pilot: {type: kernel, chip: 0, channel: 0, adc: 2, high: 0, low: 1}": "pilot.adc: 2 is out of range: "
    "from 0 to 1",
    "pilot: {type: kernel, chip: 0, channel: 0, adc: 0, high: 0, low: 1, divider: [1]}": "pilot.divider: "
    "two numbers should stand here, like [14.3, -15]",
    "pilot: {type: kernel, chip: 0, channel: 0, adc: 0, high: 0, low: 1, divider: 1}": "pilot.divider: "
    "two numbers should stand here, like [14.3, -15]",
    "pilot: {type: kernel, chip: 0, channel: 0, adc: 0, high: 0, low: 1, divider: [1, true]}": "pilot.divider: "
    "two numbers should stand here, like [14.3, -15]",
    "pilot: {type: kernel, chip: 0, channel: 0, adc: 0, high: 0, low: 1, divider: [2, 2]}": "pilot.divider: "
    "two different numbers, please",
}  # fmt: skip


@pytest.mark.parametrize(("line", "message"), IN_CONNECTOR.items(), ids=range(len(IN_CONNECTOR)))
def test_one_wrong_value_of_a_connector_is_one_finding(here, line, message):
    kept = [one for one in LEAST.splitlines() if one.split(":")[0].strip() != line.split(":")[0]]
    text = "\n".join([*kept[:2], "  buses: {b: {host: x}}", *kept[2:], f"      {line}", ""])
    text = text.replace("  connectors:\n  buses: {b: {host: x}}", "  buses: {b: {host: x}}\n  connectors:")
    (found,) = wrong(here, STATION + FIXED + text)
    assert found.partition(" ~ ")[2] == f"board.connectors.1.{message}"


# -- polarity ----------------------------------------------------------------------------------------------

REASON = (
    "an output is the number of a pin, and high switches it on. Active-low drivers are refused: a pin is low as it "
    "is claimed, which would be ON; take a driver that high switches on, pulled down on the board"
)


def test_an_active_low_contactor_is_refused_with_the_reason(here):
    text = LEAST.replace("contactor: 17", "contactor: {pin: 17, active: low}")
    told(here, STATION + FIXED + text, "{pin: 17", f"board.connectors.1.contactor: {REASON}")
    for key in ("active: low", "active_low: true", "inverted: true", "polarity: low"):
        text = LEAST.replace("contactor: 17", f"contactor: 17\n      {key}")
        told(here, STATION + FIXED + text, key, f"board.connectors.1: {REASON}")


def test_the_polarity_of_a_contact_follows_from_what_it_is(here):
    (found,) = wrong(here, f"{STATION}{FIXED}{LEAST}  door: {{pin: 5, active_low: true}}\n")
    assert found.startswith("active_low: true} ~ board.door: write what the contact is while nothing happens")


@pytest.mark.parametrize(
    ("line", "name", "hidden"),
    [
        ("  emergency_stop: {pin: 5, normally: open}", "emergency_stop", "a pressed button"),
        ("  door: {pin: 5, normally: open}", "door", "an open door"),
        ("      residual_current: {contact: {pin: 5, normally: open}}", "connectors.1.residual_current.contact",
         "a residual current"),
        ("      mirror: {pin: 5, normally: open}", "connectors.1.mirror", "a welded contactor"),
    ],
)  # fmt: skip
def test_a_contact_whose_broken_wire_nobody_would_notice_is_refused(here, line, name, hidden):
    text = LEAST.replace("      mirror: none\n", "") if "mirror" in line else LEAST
    message = (
        f"board.{name}.normally: open is refused here: with a broken wire nobody would notice {hidden}; "
        "take a contact that is normally closed"
    )
    told(here, f"{STATION}{FIXED}{text}{line}\n", "open", message)


@pytest.mark.parametrize("feedback", ["{pin: 5}", "{pin: 5, normally: closed}"])
def test_a_lock_whose_broken_wire_would_be_a_locked_plug_is_refused(here, feedback):
    text = f"{LEAST}      lock: {{engage: 24, release: 25, feedback: {feedback}}}\n"
    message = (
        "board.connectors.1.lock.feedback: with a broken wire a plug that is free would count as locked: "
        "take a contact that closes when the bolt is in, and write `normally: open`"
    )
    told(here, STATION + text, feedback, message)


# -- pins --------------------------------------------------------------------------------------------------


def test_a_pin_has_one_use_and_both_places_are_named(here):
    text = LEAST + "  door: {pin: 17}\n  buzzer: 17\n"
    taken = "GPIO 17 is board.connectors.1.contactor already (line 10, column 18)"
    assert wrong(here, STATION + FIXED + text) == [
        f"{{pin: 17}} ~ board.door: {taken}",
        f"17 ~ board.buzzer: {taken}",
    ]


def test_the_second_use_in_the_file_is_the_one_that_is_told(here):
    text = LEAST.replace("board:\n", "board:\n  emergency_stop: {pin: 17}\n")
    taken = "GPIO 17 is board.emergency_stop already (line 9, column 19)"
    told(here, STATION + FIXED + text, "17", f"board.connectors.1.contactor: {taken}")


KERNEL = LEAST.replace("{type: simulated}", "{type: kernel, chip: 0, channel: 0, adc: 0, high: 0, low: 1}")


@pytest.mark.parametrize(
    ("board", "pin", "reason"),
    [
        (LEAST, 0, "the EEPROM that tells the Pi what is plugged on it"),
        (LEAST, 1, "the EEPROM that tells the Pi what is plugged on it"),
        (
            LEAST + "  temperature: {sensor: 28-0123456789ab}\n",
            4,
            "the one-wire bus, on which board.temperature is",
        ),
        *[
            (f"{LEAST}  buses: {{b: {{port: {path}}}}}\n", pin, f"the serial line of board.buses.b, {path}")
            for path, pin in (("/dev/serial0", 14), ("/dev/ttyAMA0", 15), ("/dev/ttyS0", 14))
        ],
        (
            LEAST + "  readers: [{type: pn532, device: /dev/ttyAMA0}]\n",
            15,
            "the serial line of board.readers.1, /dev/ttyAMA0",
        ),
        *[
            (KERNEL, pin, "the SPI bus, on which the ADC of board.connectors.1.pilot is")
            for pin in range(7, 12)
        ],
        *[(KERNEL, pin, "the PWM of board.connectors.1.pilot") for pin in (12, 13, 18, 19)],
    ],
)
def test_a_pin_that_the_pi_needs_is_refused_with_the_reason(here, board, pin, reason):
    text = f"{board}  buzzer: {pin}\n"
    told(
        here, STATION + FIXED + text, str(pin), f"board.buzzer: GPIO {pin} is for {reason}: take another one"
    )


def test_a_pin_is_free_when_nothing_on_the_board_needs_it(here):
    pins = (4, 7, 8, 9, 10, 11, 12, 13, 14, 15, 18, 19)
    contacts = ", ".join(f"in_{pin}: {{pin: {pin}}}" for pin in pins)
    declare(here, "inputs: {" + ", ".join(f"in_{pin}: {{scope: station}}" for pin in pins) + "}\n")
    right(here, f"{STATION}{FIXED}{LEAST}  inputs: {{{contacts}}}\n")


@pytest.mark.parametrize("pin", [2, 8])
def test_nothing_that_moves_is_on_a_pin_that_is_pulled_up_at_power_on(here, pin):
    why = "is pulled up from power-on until it is claimed, so what it drives may switch on by itself"
    what = f"GPIO {pin} {why}: take one of GPIO 9 to 27, which are pulled down"
    text = LEAST.replace("17", str(pin))
    told(here, STATION + FIXED + text, str(pin), f"board.connectors.1.contactor: {what}")
    text = f"{LEAST}      lock: {{engage: 24, release: {pin}}}\n"
    told(here, STATION + text, str(pin), f"board.connectors.1.lock.release: {what}")
    right(here, f"{STATION}{FIXED}{LEAST}  buzzer: {pin}\n")


@pytest.mark.parametrize("pull", ["down", "none"])
def test_two_pins_have_a_resistor_of_their_own(here, pull):
    text = f"{LEAST}  door: {{pin: 3, pull: {pull}}}\n"
    what = "GPIO 3 has a resistor to 3.3 V on the Pi's board: write `pull: up`, with the contact to ground"
    told(here, STATION + FIXED + text, pull, f"board.door.pull: {what}")


# -- buses, devices ----------------------------------------------------------------------------------------


def test_a_device_has_one_use(here):
    text = (
        LEAST
        + """\
  buses:
    a: {port: /dev/ttyUSB0}
    b: {port: /dev/ttyUSB0}
    c: {host: gateway}
    d: {host: gateway, tcp_port: 502}
    e: {host: gateway, tcp_port: 503}
  readers:
    - {type: pn532, device: /dev/ttyUSB0}
    - {type: keyboard, device: /dev/input/event1}
    - {type: keyboard, device: /dev/input/event1}
"""
    )
    assert [line.partition(" ~ ")[2] for line in wrong(here, STATION + FIXED + text)] == [
        "board.buses.b: /dev/ttyUSB0 is board.buses.a already (line 14, column 8)",
        "board.buses.d: gateway:502 is board.buses.c already (line 16, column 8)",
        "board.readers.1: /dev/ttyUSB0 is board.buses.a already (line 14, column 8)",
        "board.readers.3: /dev/input/event1 is board.readers.2 already (line 21, column 7)",
    ]


def test_a_unit_is_one_device_on_its_bus(here):
    text = """\
board:
  buses: {a: {host: x}, b: {host: y}}
  connectors:
    - contactor: 17
      mirror: none
      pilot: {type: modbus, bus: a, unit: 1}
      meter: {map: sdm630, bus: b, unit: 1}
    - contactor: 27
      mirror: none
      pilot: {type: modbus, bus: a, unit: 2}
      meter: {map: sdm630, bus: a, unit: 1}
"""
    taken = "unit 1 of a is board.connectors.1.pilot.unit already (line 13, column 43)"
    told(here, STATION + "connectors: [{cable: fixed}, {cable: fixed}]\n" + text, "1}",
         f"board.connectors.2.meter.unit: {taken}")  # fmt: skip


def test_a_bus_that_nobody_declared(here):
    text = LEAST.replace("{type: simulated}", "{type: modbus, bus: rs485, unit: 1}")
    message = "board.connectors.1.pilot.bus: there is no bus 'rs485': declare it below `buses`"
    told(here, STATION + FIXED + text, "rs485", message)


def test_a_channel_has_one_use(here):
    both = "board:\n  connectors:\n" + "".join(
        KERNEL.partition("connectors:\n")[2].replace("17", pin) for pin in ("17", "27")
    )
    found = wrong(here, STATION + "connectors: [{cable: fixed}, {cable: fixed}]\n" + both)
    assert [line.partition(" ~ ")[2].partition(" already")[0] for line in found] == [
        "board.connectors.2.pilot.channel: channel 0 of pwmchip0 is board.connectors.1.pilot.channel",
        "board.connectors.2.pilot.high: channel 0 of ADC 0 is board.connectors.1.pilot.high",
        "board.connectors.2.pilot.low: channel 1 of ADC 0 is board.connectors.1.pilot.low",
    ]


# -- against connectors ------------------------------------------------------------------------------------


def test_every_connector_is_wired(here):
    lock = "      lock: {engage: 24, release: 25}\n"
    message = "board.connectors: 1 is wired here, and `connectors` has 2"
    told(here, STATION + "connectors: 2\n" + LEAST + lock, "- contactor", message)
    message = "board.connectors: 0 are wired here, and `connectors` has 1"
    told(here, STATION + "board: {chip: pinctrl-rp1}\n", "{chip", message)


def test_a_socket_has_a_lock_and_a_fixed_cable_has_none(here):
    why = "a socket needs a lock, since a plug must not be pulled under load"
    message = f"board.connectors.1: {why}: add `lock`, or write `cable: fixed` below `connectors`"
    told(here, STATION + LEAST, "contactor", message)
    text = LEAST + "      lock: {engage: 24, release: 25}\n"
    message = "board.connectors.1.lock: connector 1 has a fixed cable, and so no lock: remove it"
    told(here, STATION + FIXED + text, "{engage", message)


def test_the_plug_in_a_socket_is_seen_by_its_proximity_contact(here):
    lock = "      lock: {engage: 24, release: 25}\n"
    why = "the plug in a socket is seen by its proximity contact"
    message = f"board.connectors.1.pilot: {why}: add `proximity`, a channel of the ADC"
    told(here, STATION + KERNEL + lock, "{type", message)
    text = KERNEL.replace("low: 1", "low: 1, proximity: 2")
    message = (
        "board.connectors.1.pilot.proximity: a fixed cable has no proximity contact here: remove the line"
    )
    told(here, STATION + FIXED + text, "2", message)


OWN = "connectors: [{cable: fixed, reader: own}]\n"
ONE = "  readers: [{type: keyboard, device: /dev/x}]\n"


def test_readers_are_where_connectors_say(here):
    right(here, STATION + FIXED + LEAST + ONE)
    right(here, STATION + FIXED + LEAST)  # no card reader: nobody needs one
    here_only = ONE.replace("}]", ", connector: 1}]")
    right(here, STATION + OWN + LEAST + here_only)
    message = "every connector has `reader: own`: say whose it is, like `connector: 1`"
    told(here, STATION + OWN + LEAST + ONE, "{type: keyboard", f"board.readers.1: {message}")
    message = "connector 1 shares its reader: write `reader: own` below `connectors`, or remove this line"
    told(here, STATION + FIXED + LEAST + here_only, "1}", f"board.readers.1.connector: {message}")
    message = "connector 1 has `reader: own`, and none of these serves it"
    told(here, STATION + OWN + LEAST, "connectors", f"board.readers: {message}")
    two = ONE.replace("}]", ", connector: 2}]")
    message = "board.readers.1.connector: there is no connector 2; they are numbered 1 to 1"
    told(here, STATION + FIXED + LEAST + two, "2}", message)


# -- against the charts ------------------------------------------------------------------------------------


def test_what_the_charts_declare_is_wired(here):
    declare(here, PINS)
    missing = "charts/index.yaml declares '{}', and it is wired to no pin here"
    found = sorted(line.partition(" ~ ")[2] for line in wrong(here, STATION + FIXED + LEAST))
    assert found == [
        f"board.connectors.1.inputs: {missing.format('key_switch')}",
        f"board.connectors.1.outputs: {missing.format('heater')}",
        f"board.inputs: {missing.format('main_switch')}",
        f"board.outputs: {missing.format('fan')}",
    ]


def test_what_is_wired_is_declared_where_it_is(here):
    text = (
        LEAST
        + """\
      inputs: {key_swich: {pin: 5}, key_switch: {pin: 6}}
      outputs: {fan: 12, heater: 13}
  inputs: {key_switch: {pin: 16}, main_switch: {pin: 20}}
  outputs: {fan: 21, siren: 22}
"""
    )
    declare(here, PINS)
    found = [line.partition(" ~ ")[2] for line in wrong(here, STATION + FIXED + text)]
    assert sorted(found) == [
        (
            "board.connectors.1.inputs.key_swich: charts/index.yaml declares no such input "
            "— did you mean 'key_switch'?"
        ),
        (
            "board.connectors.1.outputs.fan: charts/index.yaml declares this output for the station: "
            "move it to `board`"
        ),
        (
            "board.inputs.key_switch: charts/index.yaml declares this input for every connector: "
            "move it to `board.connectors`"
        ),
        "board.outputs.siren: charts/index.yaml declares no such output: there are fan",
    ]
    declare(here, "")
    text = LEAST + "  inputs: {bell: {pin: 5}}\n"
    message = "board.inputs.bell: charts/index.yaml declares no such input"
    told(here, STATION + FIXED + text, "{pin: 5}", message)


def test_check_and_run_hold_the_board_against_the_charts(tmp_path):
    file = tmp_path / "station.yaml"
    file.write_text(SHIPPED.replace("  buzzer: 26\n", "  buzzer: 26\n  inputs: {bell: {pin: 18}}\n"))
    (finding,) = read_station(file, {}).findings
    assert finding.message == "board.inputs.bell: charts/index.yaml declares no such input"
    # Together with another mistake, too: people want to hear of all of them at once.
    file.write_text(file.read_text().replace("patience: 2", "patience: 99"))
    assert len(read_station(file, {}).findings) == 2


# -- shown -------------------------------------------------------------------------------------------------


def test_a_finding_points_at_the_word(here):
    _, findings, sources = judged(here, STATION + FIXED + LEAST + "  door: {pin: 5, normally: open}\n")
    assert as_text(findings, sources).splitlines()[1:] == [
        "   |",
        "13 |   door: {pin: 5, normally: open}",
        "   |                            ^~~~",
    ]


def test_every_wire_is_shown_with_its_origin(here):
    declare(here, PINS)
    rows = {name: (value, origin) for name, value, origin in effective(right(here, STATION + FULL))}
    assert rows["hardware"] == ("gpio", "station.yaml:6")
    assert rows["board.chip"] == ("pinctrl-rp1", "station.yaml:11")
    assert rows["board.emergency_stop"] == ("GPIO 6, normally closed, pull up", "station.yaml:14")
    assert rows["board.buses.rs485.baud"] == ("19200", "station.yaml:19")
    assert rows["board.buses.lan.port"] == ("not set", "default")
    assert rows["board.readers.2.id_tag"] == ("{decimal}", "station.yaml:23")
    assert rows["board.connectors.1.contactor"] == ("17", "station.yaml:25")
    assert rows["board.connectors.1.pilot.type"] == ("modbus", "station.yaml:27")
    assert rows["board.connectors.1.meter.period"] == ("0.5", "station.yaml:28")
    assert rows["board.connectors.1.inputs.key_switch"] == (
        "GPIO 2, normally closed, pull up",
        "station.yaml:32",
    )
    assert rows["board.connectors.1.outputs.heater"] == ("14", "station.yaml:33")
    assert rows["board.connectors.2.lock"] == ("not set", "default")
    assert rows["board.connectors.2.meter"] == ("not set", "default")
    assert not any(name.startswith("simulation") for name in rows)


def test_simulated_pilots_are_shown_with_their_cars(here):
    rows = {name: (value, origin) for name, value, origin in effective(right(here, STATION + FIXED + LEAST))}
    assert rows["board.connectors.1.pilot.type"] == ("simulated", "station.yaml:12")
    assert rows["board.readers"] == ("none", "default")
    assert rows["board.connectors.1.mirror"] == ("not set", "station.yaml:11")
    assert rows["simulation.car_delay"] == ("0.2", "default")
