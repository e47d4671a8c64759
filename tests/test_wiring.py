"""The wiring of a board: a table and a drawing, of nothing but what station.yaml says."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from charger import board, wiring

BOARD = board.Board(
    outlets=(
        board.OutletPlan(
            contactor=23,
            mirror=board.Contact(24),
            pilot=board.ModbusPilot("rs485", 1),
            meter=board.MeterPlan("sdm630", "rs485", 2),
            lock=board.LockPlan(16, 20, board.Contact(21, "open", "down")),
            residual_current=board.ResidualCurrentPlan(board.Contact(25, pull="none"), 12),
            light=board.LightPlan(17, 27, 22),
            inputs={"bollard": board.Contact(13)},
        ),
        board.OutletPlan(18, None, board.KernelPilot(0, 1, 0, 0, 1), outputs={"fan": 40}),
        board.OutletPlan(19, None, board.SimulatedPilot()),
    ),
    life=26,
    emergency_stop=board.Contact(5),
    door=board.Contact(6, "open"),
    temperature=board.TemperaturePlan("28-0316a2795cff"),
    buzzer=11,
    buses={"rs485": board.ModbusBus("/dev/ttyUSB0"), "lan": board.ModbusBus(host="meter.local")},
    readers=(board.ReaderPlan("keyboard", "/dev/input/by-id/x"), board.ReaderPlan("pn532", "/dev/ttyS0", 2)),
    inputs={"sunshine": board.Contact(9)},
    outputs={"siren & horn": 10},
)


def test_the_header_is_that_of_a_raspberry_pi() -> None:
    assert len(wiring.PLACES) == 28
    assert set(wiring.PLACES) == set(range(28))
    # Some that everybody knows by heart.
    assert {pin: wiring.PLACES[pin] for pin in (2, 4, 14, 17, 18, 26, 21)} == {
        2: 3,
        4: 7,
        14: 8,
        17: 11,
        18: 12,
        26: 37,
        21: 40,
    }


def test_every_pin_in_use_has_a_line_in_the_order_of_the_header() -> None:
    lines = [" ".join(line.split()) for line in wiring.as_text(BOARD).splitlines()]
    assert lines == [
        "place GPIO part rest how",
        "7 4 in 1-wire high 28-0316a2795cff, 4.7 kΩ to 3.3 V",
        "11 17 out lamp 1, red low transistor",
        "12 18 out contactor 2 low driver of the coil, 10 kΩ to GND: high closes",
        "13 27 out lamp 1, green low transistor",
        "15 22 out lamp 1, blue low transistor",
        "16 23 out contactor 1 low driver of the coil, 10 kΩ to GND: high closes",
        "18 24 in mirror contact 1 low NC contact to GND, pull-up",
        "19 10 out siren & horn low driver",
        "21 9 in sunshine low NC contact to GND, pull-up",
        "22 25 in residual current 1 low NC contact to GND, resistor to 3.3 V on the board",
        "23 11 out buzzer low transistor",
        "29 5 in emergency stop low NC contact to GND, pull-up; a second contact in series with the coils",
        "31 6 in door high NO contact to GND, pull-up",
        "32 12 out residual current test 1 low test input",
        "33 13 in bollard 1 low NC contact to GND, pull-up",
        "35 19 out contactor 3 low driver of the coil, 10 kΩ to GND: high closes",
        "36 16 out lock 1, engage low H-bridge, input 1; 10 kΩ to GND",
        "37 26 out sign of life low monostable that enables the coils",
        "38 20 out lock 1, release low H-bridge, input 2; 10 kΩ to GND",
        "40 21 in bolt of lock 1 low NO contact to 3.3 V, pull-down",
        "- 40 out fan 2 low driver",
        "",
        "bus rs485: /dev/ttyUSB0, 9600 baud, 8N1",
        "bus lan: meter.local port 502",
        "control pilot 1: board on bus rs485, unit 1",
        "meter 1: sdm630 on bus rs485, unit 2",
        "control pilot 2: PWM 1 of pwmchip0, MCP3008 on chip select 0",
        "control pilot 3: simulated, for trying things without a car",
        "card reader (keyboard): /dev/input/by-id/x",
        "card reader (pn532): /dev/ttyS0, connector 2",
    ]


def test_the_drawing_shows_them_all() -> None:
    drawing = wiring.draw(BOARD, "CP001 <1>")
    assert drawing == wiring.draw(BOARD, "CP001 <1>")
    texts = {text.text for text in ET.fromstring(drawing).iter("{http://www.w3.org/2000/svg}text")}
    on_header = [wire for wire in wiring.wires(BOARD) if wire.pin in wiring.PLACES]
    assert texts >= {wire.part for wire in on_header} | {wire.how for wire in on_header} | set(
        wiring.elsewhere(BOARD)
    )
    assert texts >= {"CP001 <1>", "not on the header: GPIO 40, fan 2: driver", "5 V", "GND", "GPIO 2"}


def test_the_pins_of_a_contact_say_what_it_is() -> None:
    levels = {
        (normally, pull): board.Contact(1, normally, pull).active_low
        for normally in ("closed", "open")
        for pull in ("up", "down", "none")
    }
    # A contact to ground pulls the pin low while it is closed, one to 3.3 V high.
    assert levels == {
        ("closed", "up"): False, ("closed", "none"): False, ("closed", "down"): True,
        ("open", "up"): True, ("open", "none"): True, ("open", "down"): False,
    }  # fmt: skip
