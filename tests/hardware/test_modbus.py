"""The bus against real servers of pymodbus, over TCP and over a serial line."""

import logging
import queue
import socket
import threading
from contextlib import ExitStack, contextmanager
from itertools import pairwise

import pytest
from modbus_kit import PATIENCE, Device, hurry, served
from pymodbus.constants import ExcCodes

from charger.board import ModbusBus
from charger.hardware import modbus
from charger.hardware.modbus import Bus

NEVER = 3600.0


@pytest.fixture(params=["tcp", "rtu"])
def kind(request):
    return request.param


class Line:
    """A bus, and what its jobs found: results and errors in their order."""

    def __init__(self, plan):
        self.bus = Bus(plan)
        self.found = queue.Queue()

    def soon(self, ask):
        self.bus.soon(lambda registers: self.found.put(ask(registers)), self.found.put)

    def every(self, period, ask):
        return self.bus.every(period, lambda registers: self.found.put(ask(registers)), self.found.put)

    def ask(self, ask):
        self.soon(ask)
        return self.next()

    def next(self):
        return self.found.get(timeout=PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.bus.close()


def meter(unit=1):
    return Device(unit, holding={0x10: 7, 0x11: 8}, inputs={0x10: 3, 0x11: 4, 0x12: 5})


# -- what a job may do ------------------------------------------------------------------------------------


def test_a_job_reads_and_writes_registers(kind):
    device = meter()
    with served(kind, device) as server, Line(server.plan) as line:
        assert line.ask(lambda registers: registers.read_input(1, 0x10, 3)) == [3, 4, 5]
        assert line.ask(lambda registers: registers.read_holding(1, 0x11, 1)) == [8]
        assert line.ask(lambda registers: registers.write(1, 0x11, 99)) is None
        assert line.ask(lambda registers: registers.read_holding(1, 0x10, 2)) == [7, 99]
    assert device.written == [(0x11, 99)]


def test_units_of_one_bus_answer_for_themselves(kind):
    with served(kind, Device(1, inputs={0: 11}), Device(2, inputs={0: 22})) as server:
        with Line(server.plan) as line:
            assert line.ask(
                lambda registers: (registers.read_input(1, 0, 1), registers.read_input(2, 0, 1))
            ) == (
                [11],
                [22],
            )


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (1, "unit 1 does not know this function (exception 1 to reading input register 0x0010)"),
        (2, "unit 1 has no such register (exception 2 to reading input register 0x0010)"),
        (11, "unit 1 does not answer the gateway (exception 11 to reading input register 0x0010)"),
        (6, "unit 1 is busy (exception 6 to reading input register 0x0010)"),
        (8, "unit 1 refuses (exception 8 to reading input register 0x0010)"),
    ],
)
def test_an_exception_code_is_an_error_in_words(kind, code, says):
    device = meter()
    device.refuses = ExcCodes(code)
    with served(kind, device) as server, Line(server.plan) as line:
        error = line.ask(lambda registers: registers.read_input(1, 0x10, 1))
        assert isinstance(error, OSError)
        assert str(error) == says
        device.refuses = None
        assert line.ask(lambda registers: registers.read_input(1, 0x10, 1)) == [3]


def test_a_unit_that_is_not_there_is_named():
    with served("rtu", meter()) as server, Line(server.plan) as line:
        hurry()
        error = line.ask(lambda registers: registers.read_input(7, 0x10, 2))
        hurry(PATIENCE)
        assert str(error) == "unit 7 does not answer reading input registers 0x0010 to 0x0011"
        assert line.ask(lambda registers: registers.read_input(1, 0x10, 1)) == [3]


# -- the line is bad ----------------------------------------------------------------------------------------


def spoil(data):
    return data[:-1] + bytes([data[-1] ^ 0xFF])


def test_an_answer_with_a_wrong_checksum_is_none():
    with served("rtu", meter()) as server, Line(server.plan) as line:
        server.answers = spoil
        hurry(0.2)
        error = line.ask(lambda registers: registers.read_input(1, 0x10, 1))
        assert "bytes that are no answer to reading input register 0x0010: check baud, parity" in str(error)
        server.answers = bytes
        hurry(PATIENCE)
        assert line.ask(lambda registers: registers.read_input(1, 0x10, 1)) == [3]


@pytest.mark.parametrize(
    "answer",
    [
        bytes.fromhex("02 04 02 00 03 bd 31"),  # another unit
        bytes.fromhex("01 03 02 00 03 f8 45"),  # another function
        bytes.fromhex("01 04 04 00 03 00 04 0a 47"),  # more registers than were asked for
        bytes.fromhex("01 06 00 01 00 03 98 0b"),
        b"\x00" * 40,
        bytes(range(256)),
    ],
)
def test_what_is_no_answer_to_the_request_is_refused(answer):
    with served("rtu", meter()) as server, Line(server.plan) as line:
        server.answers = lambda _data: answer
        hurry(0.2)
        assert isinstance(line.ask(lambda registers: registers.read_input(1, 0x10, 1)), OSError)
        server.answers = bytes
        hurry(PATIENCE)
        assert line.ask(lambda registers: registers.read_input(1, 0x10, 1)) == [3]


def test_a_write_that_is_echoed_differently_is_refused():
    with served("rtu", meter()) as server, Line(server.plan) as line:
        server.answers = lambda _data: bytes.fromhex("01 06 00 11 00 05 19 cc")
        error = line.ask(lambda registers: registers.write(1, 0x11, 6))
        assert str(error) == "unit 1 answers another request than writing 6 to holding register 0x0011"


@contextmanager
def late(server, line):
    """An answer, of 3, is held back, and comes in front of the next one."""
    held = queue.Queue()
    hurry()
    server.answers = lambda data: (held.put(data), b"")[1]
    error = line.ask(lambda registers: registers.read_input(1, 0x10, 1))
    assert str(error) == "unit 1 does not answer reading input register 0x0010"
    first = held.get(timeout=PATIENCE)
    server.answers = lambda data: (server.__setattr__("answers", bytes), first + data)[1]
    hurry(PATIENCE)
    yield


def test_an_answer_that_comes_too_late_is_not_taken_for_one_to_another_request():
    """The answer to 0x0010 would do for 0x0011: it is as long, and does not say what it is for."""
    with served("rtu", meter()) as server, Line(server.plan) as line, late(server, line):
        error = line.ask(lambda registers: registers.read_input(1, 0x11, 1))
        assert str(error) == "unit 1 may still answer what it was asked before"


def test_an_answer_that_comes_too_late_will_do_for_the_same_request():
    with served("rtu", meter()) as server, Line(server.plan) as line, late(server, line):
        _, until = line.bus._line._late[1]
        assert line.ask(lambda registers: registers.read_input(1, 0x10, 1)) == [3]
        # and now the answer to this one may be under way
        assert line.bus._line._late[1][1] > until
        assert isinstance(line.ask(lambda registers: registers.read_input(1, 0x11, 1)), OSError)


def test_an_answer_that_comes_too_late_is_in_nobodys_way_who_asks_otherwise():
    device = meter()
    with served("rtu", device) as server, Line(server.plan) as line, late(server, line):
        assert line.ask(lambda registers: registers.read_input(1, 0x11, 2)) != [3, 4]  # it is too short
        assert line.ask(lambda registers: registers.write(1, 0x11, 9)) is None
        assert line.ask(lambda registers: registers.read_holding(1, 0x11, 1)) == [9]


def test_after_a_second_no_answer_is_waited_for_any_more(monkeypatch):
    monkeypatch.setattr(modbus, "LATE", 0.0)
    with served("rtu", meter()) as server, Line(server.plan) as line, late(server, line):
        server.answers = bytes
        assert line.ask(lambda registers: registers.read_input(1, 0x11, 1)) == [4]
        assert line.bus._line._late == {}


def test_over_the_network_answers_have_numbers(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as peer:
        peer.settimeout(PATIENCE)
        monkeypatch.setattr(modbus, "NETWORK", 0.02)
        with Line(ModbusBus(host="127.0.0.1", tcp_port=peer.getsockname()[1])) as line:
            assert isinstance(line.ask(lambda registers: registers.read_input(1, 0x10, 1)), OSError)
            monkeypatch.setattr(modbus, "NETWORK", PATIENCE)
            line.soon(lambda registers: registers.read_input(1, 0x11, 1))
            connection, _ = peer.accept()
            with connection:
                asked = b""
                while len(asked) < 24:
                    asked += connection.recv(24 - len(asked))
                for number, value in ((asked[:2], 3), (asked[12:14], 4)):
                    connection.sendall(number + bytes.fromhex("0000 0005 01 04 02 00") + bytes([value]))
                assert line.next() == [4]


def test_a_silent_device_costs_little_time_on_a_serial_line():
    line = modbus._Line(ModbusBus(port="/dev/none", baud=9600))
    few = modbus.ReadInputRegistersRequest(dev_id=1, address=0, count=8)
    many = modbus.ReadInputRegistersRequest(dev_id=1, address=0, count=60)
    assert line._patience(few) < 0.25
    assert 0.3 < line._patience(many) < 0.4  # 125 characters take 0.15 s


# -- the bus is gone, and comes back -------------------------------------------------------------------------


def test_a_bus_that_cannot_be_opened_says_why(tmp_path):
    with Line(ModbusBus(port=str(tmp_path / "ttyUSB0"))) as line:
        error = line.ask(lambda registers: registers.read_input(1, 0, 1))
        assert str(error) == f"{tmp_path}/ttyUSB0 cannot be opened: No such file or directory"


def test_what_is_no_serial_device_is_an_error_of_the_bus(tmp_path):
    (tmp_path / "file").touch()
    with Line(ModbusBus(port=str(tmp_path / "file"))) as line:
        error = line.ask(lambda registers: registers.read_input(1, 0, 1))
        assert isinstance(error, OSError)
        assert str(error).startswith(f"{tmp_path}/file cannot be opened: ")


def test_permission_is_what_people_lack_most_often():
    assert modbus._words(PermissionError(13, "Permission denied")) == (
        "permission denied: its user must be in the group that owns it (dialout)"
    )


def test_a_line_that_another_program_uses_is_told():
    with served("rtu", meter()) as server, Line(server.plan) as line, Line(server.plan) as other:
        assert line.ask(lambda registers: registers.read_input(1, 0x10, 1)) == [3]
        error = other.ask(lambda registers: registers.read_input(1, 0x10, 1))
        assert str(error) == f"{server.plan.port} cannot be opened: another program uses it"


def test_a_host_that_nobody_knows_is_told():
    assert (
        modbus._words(socket.gaierror(-2, "Name or service not known"))
        == "[Errno -2] Name or service not known"
    )
    assert modbus._words(TimeoutError("timed out")) == "timed out"


def test_an_adapter_that_is_pulled_out_and_put_in_again_is_found_again(monkeypatch, tmp_path):
    monkeypatch.setattr(modbus, "BACK_OFF", (0.01, 0.02))
    link = tmp_path / "usb-FTDI-if00"  # as under /dev/serial/by-id
    with ExitStack() as stack:
        with served("rtu", meter()) as server:
            link.symlink_to(server.plan.port)
            line = stack.enter_context(Line(ModbusBus(port=str(link), baud=115200)))
            line.every(0.01, lambda registers: registers.read_input(1, 0x10, 1))
            assert line.next() == [3]
            link.unlink()
        while "cannot be opened" not in str(line.next()):
            pass
        server = stack.enter_context(served("rtu", meter()))
        link.symlink_to(server.plan.port)
        while line.next() != [3]:
            pass


def test_a_bus_is_not_tried_more_often_than_it_should(monkeypatch):
    monkeypatch.setattr(modbus, "BACK_OFF", (NEVER, NEVER))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        plan = ModbusBus(host="127.0.0.1", tcp_port=taken.getsockname()[1])
        with Line(plan) as line:
            first = line.ask(lambda registers: registers.read_input(1, 0, 1))
            assert str(first) == f"127.0.0.1:{plan.tcp_port} cannot be opened: Connection refused"
            monkeypatch.setattr(modbus._Line, "_open", None)
            assert str(line.ask(lambda registers: registers.read_input(1, 0, 1))) == str(first)


def test_the_back_off_grows_to_its_limit(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(modbus.time, "monotonic", lambda: now[0])
    tried = []
    line = modbus._Line(ModbusBus(port="/dev/none"))
    monkeypatch.setattr(line, "_open", lambda: (tried.append(now[0]), 1 / 0))
    for hundredth in range(2000):
        now[0] = hundredth / 100
        with pytest.raises(OSError, match="/dev/none cannot be opened: division by zero"):
            line.exchange(None, "")
    pauses = [later - before for before, later in pairwise(tried)]
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0], abs=0.011)


def test_a_gateway_that_goes_and_comes_back_is_found_again(monkeypatch):
    monkeypatch.setattr(modbus, "BACK_OFF", (0.01, 0.02))
    with served("tcp", meter()) as server, Line(server.plan) as line:
        line.every(0.01, lambda registers: registers.read_input(1, 0x10, 1))
        assert line.next() == [3]
        server.stop()
        while "cannot be opened" not in str(line.next()):
            pass
        assert line.bus._line._delay > 0
        server.start()
        while line.next() != [3]:
            pass
        assert line.bus._line._delay == 0  # the next time it begins with the shortest


def test_a_connection_that_nobody_answers_any_more_is_made_anew(monkeypatch):
    monkeypatch.setattr(modbus, "NETWORK", 0.02)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(PATIENCE)
        with Line(ModbusBus(host="127.0.0.1", tcp_port=silent.getsockname()[1])) as line:
            for _ in range(modbus.PATIENCE + 1):
                error = line.ask(lambda registers: registers.read_input(1, 0, 1))
                assert str(error) == "unit 1 does not answer reading input register 0x0000"
            with silent.accept()[0], silent.accept()[0]:
                pass


def test_a_peer_that_hangs_up_is_a_lost_connection():
    with socket.create_server(("127.0.0.1", 0)) as peer:
        peer.settimeout(PATIENCE)
        place = f"127.0.0.1:{peer.getsockname()[1]}"
        with Line(ModbusBus(host="127.0.0.1", tcp_port=peer.getsockname()[1])) as line:
            line.soon(lambda registers: registers.read_input(1, 0, 1))
            connection, _ = peer.accept()
            connection.recv(100)
            connection.close()
            assert str(line.next()).startswith(
                f"{place}: connection lost while reading input register 0x0000"
            )


def test_a_peer_that_speaks_another_protocol_is_an_error_and_no_more():
    with socket.create_server(("127.0.0.1", 0)) as peer:
        peer.settimeout(PATIENCE)
        with Line(ModbusBus(host="127.0.0.1", tcp_port=peer.getsockname()[1])) as line:
            line.soon(lambda registers: registers.read_input(1, 0, 1))
            connection, _ = peer.accept()
            request = connection.recv(100)
            connection.sendall(request[:2] + bytes.fromhex("0000 0003 01 04 09"))
            assert isinstance(line.next(), OSError)
            connection.close()


# -- who goes first ------------------------------------------------------------------------------------------


def test_what_is_urgent_goes_before_what_is_due(kind):
    device = meter()
    order = []
    with served(kind, device) as server, Line(server.plan) as line:
        started, go_on, done = threading.Event(), threading.Event(), threading.Event()
        line.bus.soon(lambda _registers: (started.set(), go_on.wait(PATIENCE)), line.found.put)
        assert started.wait(PATIENCE)
        for name in ("first meter", "second meter"):
            line.bus.every(NEVER, lambda _registers, name=name: order.append(name), line.found.put)
        for name in ("urgent", "urgent too"):
            line.bus.soon(lambda _registers, name=name: order.append(name), line.found.put)
        line.bus.every(NEVER, lambda _registers: done.set(), line.found.put)
        go_on.set()
        assert done.wait(PATIENCE)
    assert order == ["urgent", "urgent too", "first meter", "second meter"]


def test_between_the_requests_of_a_job_what_is_urgent_or_more_frequent_is_let_in():
    device = meter()
    with served("tcp", device) as server, Line(server.plan) as line:
        done = threading.Event()

        def slow(registers):
            line.bus.every(0.001, lambda registers: registers.read_input(1, 0x12, 1), line.found.put)
            line.bus.every(2 * NEVER, lambda registers: registers.read_holding(1, 0x10, 1), line.found.put)
            registers.read_input(1, 0x10, 1)
            line.bus.soon(lambda registers: registers.write(1, 0x11, 1), line.found.put)
            registers.read_input(1, 0x11, 1)
            device.asked.append("end")
            done.set()

        line.bus.every(NEVER, slow, line.found.put)
        assert done.wait(PATIENCE)
    asked = device.asked[: device.asked.index("end")]
    # The one that comes round all the time is let in once before each request; the rarer one waits.
    assert asked[:2] == [(4, 0x12, 1), (4, 0x10, 1)]
    assert asked[-1] == (4, 0x11, 1)
    assert (3, 0x10, 1) not in asked
    assert device.written == [(0x11, 1)]


def test_a_periodic_job_comes_again_until_it_is_ended():
    with served("tcp", meter()) as server, Line(server.plan) as line:
        end = line.every(0.001, lambda registers: registers.read_input(1, 0x10, 1))
        assert [line.next() for _ in range(5)] == [[3]] * 5
        end()
        end()  # once is enough, twice does no harm
        assert line.ask(lambda _registers: "last") in ([3], "last")
        while not line.found.empty():
            line.next()
        line.soon(lambda _registers: "nothing but this")
        assert line.next() == "nothing but this"


# -- nothing kills the thread --------------------------------------------------------------------------------


def test_a_job_that_raises_is_told_so_and_the_others_go_on():
    with served("tcp", meter()) as server, Line(server.plan) as line:
        assert repr(line.ask(lambda _registers: 1 / 0)) == "ZeroDivisionError('division by zero')"
        assert line.ask(lambda registers: registers.read_input(1, 0x10, 1)) == [3]


def test_even_a_callback_that_raises_is_survived(caplog):
    def broken(_error):
        raise RuntimeError("nobody takes it")

    with served("tcp", meter()) as server, Line(server.plan) as line:
        line.bus.soon(lambda _registers: 1 / 0, broken)
        assert line.ask(lambda registers: registers.read_input(1, 0x10, 1)) == [3]
    assert "what a job told of its failure could not be taken" in caplog.text
    assert "nobody takes it" in caplog.text


def test_the_log_is_not_filled_by_a_device_that_is_silent(caplog):
    caplog.set_level(logging.DEBUG)
    with served("rtu", meter()) as server, Line(server.plan) as line:
        hurry()
        line.ask(lambda registers: registers.read_input(9, 0, 1))
    assert "No response" not in caplog.text


# -- the end -------------------------------------------------------------------------------------------------


def test_closing_says_what_is_urgent_still_and_ends_the_thread():
    device = meter()
    with served("tcp", device) as server:
        line = Line(server.plan)
        inside = threading.Event()
        errors = []

        def slow(registers):
            inside.set()
            line.bus._thread.name  # noqa: B018
            while True:
                registers.read_input(1, 0x10, 1)

        line.bus.every(NEVER, slow, errors.append)
        assert inside.wait(PATIENCE)
        line.bus.soon(lambda registers: registers.write(1, 0x11, 5), errors.append)
        line.bus.close()
        assert device.written == [(0x11, 5)]
        assert [str(error) for error in errors] == [f"127.0.0.1:{server.plan.tcp_port} is being closed"]
        assert not line.bus._thread.is_alive()
        line.bus.soon(lambda _registers: 1 / 0, errors.append)  # too late: forgotten
        line.bus.close()
        assert len(errors) == 1
