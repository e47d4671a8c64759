"""GPIO on gpiozero's mock; the chip and lgpio below it, as far as they go without one."""

import errno
import fcntl
import os
import struct
import sys

import pytest
from gpiozero.pins.mock import MockFactory

from charger.board import Contact
from charger.errors import HardwareError
from charger.hardware import gpio
from charger.hardware.gpio import ChipFound, GpioLines, chips, choose, open_chip

PI4 = ChipFound(0, "pinctrl-bcm2711", 58)
EXPANDER = ChipFound(1, "raspberrypi-exp-gpio", 8)


@pytest.fixture
def factory():
    found = MockFactory()
    yield found
    found.reset()


@pytest.fixture
def lines(factory):
    return GpioLines(factory)


# -- inputs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("normally", "pull", "level_of_active"),
    [
        ("closed", "up", 1),
        ("open", "up", 0),
        ("closed", "down", 0),
        ("open", "down", 1),
        ("closed", "none", 1),
    ],
)
def test_a_contact_is_active_while_it_is_not_as_it_is_normally(
    lines, factory, normally, pull, level_of_active
):
    contact = lines.input(Contact(17, normally, pull))
    pin = factory.pin(17)
    assert pin.pull == {"none": "floating"}.get(pull, pull)
    pin.drive_high()
    assert contact.active() is bool(level_of_active)
    pin.drive_low()
    assert contact.active() is not bool(level_of_active)


def test_a_broken_wire_of_a_contact_that_is_normally_closed_reads_as_active(lines, factory):
    contact = lines.input(Contact(17))
    factory.pin(17).drive_low()
    assert not contact.active()
    factory.pin(17).drive_high()  # nothing holds it down any more
    assert contact.active()


@pytest.mark.parametrize("pull", ["up", "down", "none"])
def test_every_edge_is_told_and_none_is_held_back(lines, factory, pull):
    edges = []
    contact = lines.input(Contact(17, "closed", pull))
    pin = factory.pin(17)
    pin.drive_low()
    contact.watch(lambda: edges.append(contact.active()))
    assert pin.bounce is None
    for _ in range(3):
        pin.drive_high()
        pin.drive_low()
    assert len(edges) == 6
    assert edges[:2] in ([True, False], [False, True])


def test_a_level_that_is_there_already_makes_no_edge(lines, factory):
    edges = []
    contact = lines.input(Contact(17))
    factory.pin(17).drive_high()
    contact.watch(lambda: edges.append(1))
    assert edges == []
    assert contact.active()


def test_whoever_raises_on_an_edge_hears_the_next_one(lines, factory, caplog):
    edges = []

    def changed():
        edges.append(1)
        raise RuntimeError("the loop is closed")

    lines.input(Contact(17)).watch(changed)
    pin = factory.pin(17)
    pin.drive_low()
    pin.drive_high()  # without the net this would have raised here, and ended the thread of lgpio
    assert edges == [1, 1]
    assert caplog.text.count("GPIO 17: an edge was not heard") == 2


def test_a_device_that_nobody_else_keeps_is_kept(lines, factory):
    import gc

    edges = []
    lines.input(Contact(17)).watch(lambda: edges.append(1))
    gc.collect()
    factory.pin(17).drive_low()
    assert edges == [1]


# -- outputs -----------------------------------------------------------------------------------------------


def test_an_output_is_low_from_the_moment_it_is_claimed(lines, factory):
    output = lines.output(17)
    pin = factory.pin(17)
    assert pin.function == "output"
    assert [state.state for state in pin.states] == [False]  # it never was anything else
    output.switch(on=True)
    assert pin.state
    output.switch(on=False)
    assert not pin.state


# -- pins that cannot be had -------------------------------------------------------------------------------


def test_a_pin_has_one_use(lines):
    lines.output(17)
    with pytest.raises(HardwareError, match="GPIO 17 has another use in this program"):
        lines.input(Contact(17))


def test_a_pin_that_is_none_is_told(lines):
    with pytest.raises(HardwareError, match="GPIO 28: there are GPIO 0 to 27"):
        lines.output(28)


def test_a_pull_that_the_board_does_not_allow_is_told(lines):
    with pytest.raises(HardwareError, match=r"GPIO 2: .*fixed pull resistor"):
        lines.input(Contact(2, "closed", "down"))


# -- the end -----------------------------------------------------------------------------------------------


def test_closing_switches_everything_off_and_lets_go(lines, factory):
    outputs = [lines.output(number) for number in (17, 27)]
    contact = lines.input(Contact(22))
    pin = factory.pin(17)
    for output in outputs:
        output.switch(on=True)
    pin.clear_states()
    lines.close()
    assert [state.state for state in pin.states] == [True, False]
    assert pin.function == "input"
    assert factory.pins == {}
    for use in (contact.active, lambda: outputs[0].switch(on=True)):
        with pytest.raises(OSError, match="GPIO"):
            use()
    lines.close()  # once more does no harm
    GpioLines(factory).output(17)


def test_closing_goes_on_when_a_pin_does_not_answer(lines, factory, caplog):
    lines.output(17)
    second = lines.output(27)
    second.switch(on=True)
    first, pin = factory.pin(17), factory.pin(27)

    def dead(value):
        raise ValueError("bad handle")

    first._set_state = dead
    pin.clear_states()
    lines.close()
    assert "while closing: GPIO 17: bad handle" in caplog.text
    assert [state.state for state in pin.states] == [True, False]


def test_a_mock_is_always_alive(lines):
    assert lines.alive()


# -- the chip ----------------------------------------------------------------------------------------------


def test_the_chip_of_a_pi_is_found_by_its_label():
    assert choose("", [EXPANDER, PI4]) == PI4
    # On a Pi 5 with an older kernel, the header is chip 4.
    five = [ChipFound(0, "gpio-brcmstb@107d508500", 32), ChipFound(4, "pinctrl-rp1", 54)]
    assert choose("", five).number == 4


def test_any_other_chip_is_found_when_it_is_named():
    assert choose("raspberrypi-exp-gpio", [PI4, EXPANDER]) == EXPANDER


def test_no_chip_of_a_pi_is_told_with_those_there_are():
    other = ChipFound(0, "9030000.pl061", 8)
    with pytest.raises(HardwareError) as wrong:
        choose("", [other])
    assert str(wrong.value) == (
        "board.chip: no GPIO chip is of a Raspberry Pi (pinctrl-bcm2711, pinctrl-bcm2835, pinctrl-rp1): "
        "there is gpiochip0 '9030000.pl061' (8 lines)"
    )
    with pytest.raises(HardwareError, match="labelled 'sim': there is no /dev/gpiochip"):
        choose("sim", [])


def test_two_chips_with_one_label_are_told():
    with pytest.raises(
        HardwareError, match=r"several GPIO chips are labelled 'x': there are gpiochip0 .*, gpiochip2"
    ):
        choose("x", [ChipFound(0, "x", 8), PI4, ChipFound(2, "x", 8)])


def test_chips_are_read_from_the_kernel(tmp_path, monkeypatch):
    for number in (0, 1, 2, 10):
        (tmp_path / f"gpiochip{number}").touch()
    (tmp_path / "gpiochip4").symlink_to("gpiochip0")
    (tmp_path / "gpiochips").touch()

    def ioctl(file, request, room):
        assert (request, len(room)) == (0x8044B401, 68)
        number = int(file.name.rpartition("gpiochip")[2])
        if number == 1:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        if number == 2:
            raise PermissionError(errno.EPERM, "no")
        return struct.pack("32s32sI", b"gpiochip0", b"pinctrl-bcm2711", 58)

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    assert [str(chip) for chip in chips(tmp_path)] == [
        "gpiochip0 'pinctrl-bcm2711' (58 lines)",
        "gpiochip1 does not answer: No such device",
        "gpiochip2 may not be opened: add the user to the group gpio",
        "gpiochip10 'pinctrl-bcm2711' (58 lines)",
    ]


def test_what_is_no_chip_does_not_answer(tmp_path):
    (tmp_path / "gpiochip0").write_text("x")
    (chip,) = chips(tmp_path)
    assert chip.trouble.startswith("does not answer: ")


# -- lgpio -------------------------------------------------------------------------------------------------


@pytest.fixture
def lgpio(tmp_path, monkeypatch):
    """The real library with its real thread, and below it lines that a test drives."""
    monkeypatch.chdir(tmp_path)
    import lgpio as library

    levels, busy = {}, {}

    def claim(_handle, pin, *_flags):
        if pin in busy:
            raise library.error("GPIO busy")
        if pin >= 8:
            raise library.error("GPIO operation not permitted")
        return 0

    monkeypatch.setattr(gpio, "chips", lambda: [ChipFound(3, "9030000.pl061", 8)])
    monkeypatch.setattr(library, "gpiochip_open", lambda chip: {3: 7}[chip])
    for name in ("gpio_claim_input", "gpio_claim_output", "gpio_claim_alert"):
        monkeypatch.setattr(library, name, claim)
    monkeypatch.setattr(library, "gpio_free", lambda *_: 0)
    monkeypatch.setattr(library, "gpiochip_close", lambda _: 0)
    monkeypatch.setattr(library, "gpio_get_mode", lambda _handle, pin: 2 if pin in levels else 0)
    monkeypatch.setattr(library, "gpio_read", lambda _handle, pin: levels.get(pin, 0))
    monkeypatch.setattr(library, "gpio_write", lambda _handle, pin, level: levels.update({pin: level}))
    monkeypatch.setattr(library, "gpio_set_debounce_micros", lambda *_: 0)
    monkeypatch.setattr(library, "gpio_get_line_info", lambda _handle, pin: [0, pin, 0, "", busy[pin]])
    library.levels, library.busy = levels, busy
    return library


def test_lgpio_works_on_boards_that_are_no_raspberry_pi(lgpio):
    lines = GpioLines(open_chip("9030000.pl061"))
    assert lines.input(Contact(2)).active() is False
    lgpio.levels[3] = 0
    output = lines.output(3)
    output.switch(on=True)
    assert lgpio.levels == {3: True}
    lines.close()
    assert lgpio.levels == {3: False}


def test_a_line_that_somebody_else_has_is_told_with_his_name(lgpio):
    lgpio.busy[5] = "lg"
    lines = GpioLines(open_chip("9030000.pl061"))
    with pytest.raises(HardwareError) as wrong:
        lines.output(5)
    assert str(wrong.value) == "GPIO 5: 'lg' has it: another program (a second charger?), or the kernel"
    with pytest.raises(HardwareError, match="GPIO 9: the chip has lines 0 to 7"):
        lines.output(9)
    lines.close()


def test_lines_are_alive_as_long_as_lgpios_thread_is(lgpio):
    lines = GpioLines(open_chip("9030000.pl061"))
    assert lines.alive()

    class Dead:
        def is_alive(self):
            return False

    lines._factory.threads = (Dead(),)
    assert not lines.alive()
    lines.close()


def test_a_line_that_does_not_answer_is_an_os_error(lgpio, monkeypatch):
    lines = GpioLines(open_chip("9030000.pl061"))
    contact = lines.input(Contact(2))

    def broken(*_):
        raise lgpio.error("bad handle")

    monkeypatch.setattr(lgpio, "gpio_read", broken)
    with pytest.raises(OSError, match="GPIO 2: bad handle"):
        contact.active()

    def gone(*_):
        raise OSError(5, "gone")

    monkeypatch.setattr(lgpio, "gpio_read", gone)
    with pytest.raises(OSError, match="gone"):
        contact.active()
    lines.close()


def test_a_line_that_cannot_be_let_go_is_logged(lgpio, monkeypatch, caplog):
    lines = GpioLines(open_chip("9030000.pl061"))
    lines.input(Contact(2))

    def broken(*_):
        raise lgpio.error("bad handle")

    with monkeypatch.context() as patch:
        patch.setattr(lgpio, "gpio_claim_input", broken)
        with pytest.raises(OSError, match="the chip: bad handle"):
            lines.close()
    assert "while closing: GPIO 2: bad handle" in caplog.text
    lines.close()


def test_software_spi_is_refused(lgpio):
    factory = open_chip("9030000.pl061")
    with pytest.raises(HardwareError, match="SPI does not answer: `dtparam=spi=on`"):
        factory._get_spi_class(shared=False, hardware=False)
    assert factory._get_spi_class(shared=False, hardware=True).__name__ == "LGPIOHardwareSPI"
    GpioLines(factory).close()


def test_the_revision_of_a_pi_is_not_invented(lgpio, monkeypatch):
    from gpiozero.pins import local

    monkeypatch.setattr(local, "get_pi_revision", lambda: 0xD04171)
    factory = open_chip("9030000.pl061")
    assert factory.board_info.model == "5B"
    GpioLines(factory).close()


def test_a_chip_that_cannot_be_opened_is_told(lgpio, monkeypatch):
    def refused(_chip):
        raise lgpio.error("can not open gpiochip")

    monkeypatch.setattr(lgpio, "gpiochip_open", refused)
    with pytest.raises(HardwareError, match=r"gpiochip3 .*: cannot be opened: can not open gpiochip"):
        open_chip("9030000.pl061")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            ImportError("No module named 'lgpio'"),
            "lgpio is missing: .*; Raspberry Pi OS has it as python3-lgpio",
        ),
        (FileNotFoundError(2, "No such file", ".lgd-nfy-3"), "lgpio must write to the working directory"),
    ],
)
def test_a_library_that_cannot_be_used_is_told(lgpio, monkeypatch, error, told):
    class Refuses:
        def find_spec(self, name, *_):
            if name == "lgpio":
                raise error

    monkeypatch.delitem(sys.modules, "lgpio")
    monkeypatch.setattr(sys, "meta_path", [Refuses(), *sys.meta_path])
    with pytest.raises(HardwareError, match=told):
        open_chip("9030000.pl061")
