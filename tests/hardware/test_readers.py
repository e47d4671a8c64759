"""Card readers: what they type or send, and what becomes of an idTag; a reader that dies, and comes back."""

from __future__ import annotations

import errno
import os
import queue
import struct
import threading
import tty

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charger.functions import tags
from charger.hardware import keyboard, pn532
from charger.hardware.keyboard import Keyboard
from charger.hardware.pn532 import Pn532
from charger.hardware.reader import DeviceReader

# -- idTags --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "uid", "tag"),
    [
        ("{hex}", b"\x04\xa1\xb2\xc3", "04A1B2C3"),
        ("{hex_reversed}", b"\x04\xa1\xb2\xc3", "C3B2A104"),
        ("{decimal}", b"\x00\x00\x01\x00", "256"),
        ("{decimal_reversed}", b"\x00\x00\x01\x00", "65536"),
        ("DE-{hex}", b"\x04\xa1\xb2\xc3", "DE-04A1B2C3"),
        ("{typed}", "0009012345", "0009012345"),
        ("{hex}", bytes(10), "0" * 20),
    ],
)
def test_an_id_tag_is_made_by_the_template(template: str, uid: bytes | str, tag: str) -> None:
    assert tags.wrong(template, "keyboard" if isinstance(uid, str) else "pn532") is None
    assert tags.id_tag(template, uid) == tag


@pytest.mark.parametrize(
    ("template", "reader", "sentence"),
    [
        (
            "{hexa}",
            "pn532",
            "'{hexa}': {hexa} is not known; a pn532 reader has {hex}, {hex_reversed}, {decimal}, {decimal_reversed}",
        ),
        ("{hex}", "keyboard", "'{hex}': {hex} is not known; a keyboard reader has {typed}"),
        (
            "{hex:>40}",
            "pn532",
            "'{hex:>40}': {hex} is not known; a pn532 reader has {hex}, {hex_reversed}, {decimal}, {decimal_reversed}",
        ),
        ("{hex", "pn532", "'{hex': every { needs its }, as in {hex}"),
        ("CARD", "keyboard", "'CARD' should name one of {typed}, once"),
        (
            "{hex}{hex}",
            "pn532",
            "'{hex}{hex}' should name one of {hex}, {hex_reversed}, {decimal}, {decimal_reversed}, once",
        ),
        ("ä{hex}", "pn532", "'ä{hex}': an idTag is plain ASCII"),
    ],
)
def test_a_wrong_template_is_explained(template: str, reader: str, sentence: str) -> None:
    assert tags.wrong(template, reader) == sentence


def test_the_usual_templates_are_right() -> None:
    assert {reader: tags.wrong(template, reader) for reader, template in tags.USUAL.items()} == {
        "pn532": None,
        "keyboard": None,
    }


def test_what_is_no_id_tag_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'X0{20}' has 21 characters; an idTag has 1 to 20"):
        tags.id_tag("X{hex}", bytes(10))


# -- keyboards -----------------------------------------------------------------------------------------


class Bench:
    """A reader at work, and what it has said."""

    def __init__(self, connect, template: str) -> None:
        self.said: queue.Queue = queue.Queue()
        self.reader = DeviceReader("the device", connect, template, retry=0.01)
        self.reader.start(self.said.put, self.said.put)

    def next(self):
        return self.said.get(timeout=20)


def typed(text: str) -> bytes:
    codes = {key: code for code, key in reversed(keyboard.KEYS.items())} | {"\n": 28}
    keys = [struct.pack("@llHHi", 0, 0, 1, codes[key], value) for key in text for value in (1, 2, 0)]
    return struct.pack("@llHHi", 0, 0, 4, 4, 458792).join(keys)  # scan codes in between


@pytest.fixture
def wedge(tmp_path):
    """A keyboard's device file, and a bench with it."""
    path = tmp_path / "event-kbd"
    os.mkfifo(path)
    bench = Bench(lambda: Keyboard(str(path), grab=lambda _device: None), "{typed}")
    writer = os.open(path, os.O_WRONLY)
    yield bench, writer, path
    bench.reader.close()
    os.close(writer)


def test_a_keyboard_reader_types_a_card_number_and_enter(wedge) -> None:
    bench, writer, _ = wedge
    os.write(writer, typed("0009012345\nQWZ\n"))
    assert [bench.next(), bench.next()] == ["0009012345", "QWZ"]


def test_a_card_number_that_is_none_is_not_used(wedge, caplog) -> None:
    bench, writer, _ = wedge
    os.write(writer, typed("\n" + "1" * 21 + "\n22\n"))
    assert bench.next() == "22"
    assert caplog.messages == [
        "reader the device: card not used: '111111111111111111111' has 21 characters; an idTag has 1 to 20"
    ]


def test_a_keyboard_that_is_pulled_out_is_told_and_revived(tmp_path) -> None:
    path = tmp_path / "event-kbd"
    os.mkfifo(path)
    bench = Bench(lambda: Keyboard(str(path), grab=lambda _device: None), "{typed}")
    writer = os.open(path, os.O_WRONLY)
    os.write(writer, typed("1\n"))
    assert bench.next() == "1"
    path.unlink()
    os.close(writer)
    assert bench.next() is False
    os.mkfifo(path)
    assert bench.next() is True
    writer = os.open(path, os.O_WRONLY)
    os.write(writer, typed("2\n"))
    found = [bench.next()]
    while found[-1] != "2":  # a pipe without a writer reads as gone, a moment ago
        found.append(bench.next())
    bench.reader.close()
    os.close(writer)


def test_half_a_card_number_is_forgotten(tmp_path) -> None:
    path, time = tmp_path / "event-kbd", [0.0]
    path.write_bytes(typed("12") + typed("34\n"))
    device = Keyboard(str(path), grab=lambda _device: None, now=lambda: time[0])
    for _ in range(len(typed("12")) // 24):
        assert device.read(0) is None
    time[0] = keyboard.PAUSE + 0.1
    lines = [device.read(0) for _ in range(len(typed("34\n")) // 24)]
    assert [line for line in lines if line] == ["34"]
    device.close()


def test_nothing_typed_is_nothing(wedge, tmp_path) -> None:
    _, _, path = wedge
    device = Keyboard(str(path), grab=lambda _device: None)
    assert device.read(0) is None
    device.close()


def test_what_is_no_keyboard_is_said(tmp_path) -> None:
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(OSError, match=r"it is no keyboard \(EVIOCGRAB is refused\)"):
        Keyboard(str(path))


def test_a_keyboard_that_another_program_has_is_said(tmp_path, monkeypatch) -> None:
    def busy(*_args) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(keyboard.fcntl, "ioctl", busy)
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(OSError, match="another program has grabbed it"):
        Keyboard(str(path))


# -- PN532 ---------------------------------------------------------------------------------------------


class Chip:
    """A PN532 at the other end of a pseudo-terminal."""

    def __init__(self) -> None:
        self.line, other = os.openpty()
        tty.setraw(other)
        tty.setraw(self.line)
        self.path = os.ttyname(other)
        self._other = other
        self.card: bytes | None = None
        self.asked: queue.Queue = queue.Queue()
        self.answers = True
        self.noise = b""
        self.damage = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        buffer = b""
        try:
            while chunk := os.read(self.line, 200):
                buffer += chunk
                while (start := buffer.find(b"\x00\xff")) >= 0 and len(buffer) > start + 2:
                    length = buffer[start + 2]
                    if len(buffer) < start + length + 6:
                        break
                    body, buffer = buffer[start + 4 : start + 4 + length], buffer[start + length + 6 :]
                    if self.answers:
                        self._answer(body)
        except OSError:
            return

    def _answer(self, body: bytes) -> None:
        self.asked.put(body[1:].hex())
        data = bytes([0xD5, body[1] + 1])
        if body[1] == 0x4A:
            data += bytes([0]) if self.card is None else bytes([1, 1, 0, 4, 8, len(self.card)]) + self.card
        check = (-sum(data) & 255) ^ self.damage
        whole = b"\x00\x00\xff" + bytes([len(data), -len(data) & 255]) + data + bytes([check, 0])
        os.write(self.line, pn532.ACK + self.noise + whole)

    def close(self) -> None:
        for end in (self.line, self._other):
            os.close(end)


@pytest.fixture
def chip():
    chip = Chip()
    yield chip
    chip.close()


def test_a_card_is_told_once_while_it_lies_there_and_again_when_it_comes_back(chip) -> None:
    time = [0.0]
    device = Pn532(chip.path, now=lambda: time[0])
    assert [chip.asked.get(timeout=20), chip.asked.get(timeout=20)] == ["14011401", "3205ff0102"]
    assert device.read(0) is None
    chip.card = b"\x04\xa1\xb2\xc3"
    assert [device.read(0), device.read(0)] == [b"\x04\xa1\xb2\xc3", None]
    chip.card = None
    assert device.read(0) is None
    chip.card = b"\x04\xa1\xb2\xc3"
    assert device.read(0) is None, "away for a moment: the same visit"
    chip.card = None
    time[0] += pn532.GONE + 0.1
    assert device.read(0) is None
    chip.card = b"\x04\xa1\xb2\xc3"
    assert device.read(0) == b"\x04\xa1\xb2\xc3"
    chip.card = bytes(7)
    assert device.read(0) == bytes(7), "another card needs no pause"
    device.close()


def test_noise_and_old_answers_are_passed_over(chip) -> None:
    device = Pn532(chip.path)
    chip.noise = b"\x00\xff\x12\x34" + pn532.ACK + b"\x00\x00\xff\x02\xfe\xd5\x15\x16\x00"
    chip.card = b"\x01\x02\x03\x04"
    assert device.read(0) == b"\x01\x02\x03\x04"
    device.close()


def test_a_damaged_frame_is_an_error(chip) -> None:
    device = Pn532(chip.path)
    chip.damage = True
    with pytest.raises(OSError, match="a frame of the PN532 is damaged"):
        device.read(0)
    device.close()


def test_a_card_without_a_number_is_an_error(chip) -> None:
    device = Pn532(chip.path)
    chip.card = b""
    with pytest.raises(OSError, match="a card without a number"):
        device.read(0)
    device.close()


def test_a_line_without_a_chip_is_said(chip) -> None:
    chip.answers = False
    time = iter(range(1000))
    with pytest.raises(OSError, match="no PN532 answers"):
        Pn532(chip.path, now=lambda: float(next(time)))


def test_a_chip_that_dies_is_told_and_revived(chip) -> None:
    time = [0.0]

    def passing() -> float:
        time[0] += 0.0 if chip.answers else 0.2
        return time[0]

    bench = Bench(lambda: Pn532(chip.path, now=passing), "{hex}")
    chip.card = b"\x04\xa1\xb2\xc3"
    assert bench.next() == "04A1B2C3"
    chip.answers = False
    assert bench.next() is False
    chip.card = b"\x01\x02\x03\x04"
    chip.answers = True
    assert [bench.next(), bench.next()] == [True, "01020304"]
    bench.reader.close()


@given(st.binary(min_size=1, max_size=10))
def test_any_uid_goes_over_the_line_as_it_is(uid: bytes) -> None:
    sent = pn532.frame(b"\x4a" + uid)
    start = sent.index(pn532.START) + 2
    assert sent[start] + sent[start + 1] in (0, 256)
    body = sent[start + 2 : start + 2 + sent[start]]
    assert body == bytes([0xD4, 0x4A]) + uid
    assert (sum(body) + sent[start + 2 + len(body)]) & 255 == 0
