"""The one-wire thermometer on files as the kernel shows them."""

import queue

import pytest

from charger.board import TemperaturePlan
from charger.hardware import thermometer
from charger.hardware.thermometer import OneWireThermometer

PATIENCE = 10.0
SENSOR = "28-0417a2f4c1ff"


@pytest.fixture
def sensor(tmp_path):
    """The file of a sensor; whoever reads it sees the next of its values, and the last one for ever."""
    return Sensor(tmp_path)


class Sensor:
    def __init__(self, folder):
        self.folder = folder
        self.file = folder / SENSOR / "temperature"
        self.file.parent.mkdir()
        self.said = queue.Queue()
        self.part = OneWireThermometer(TemperaturePlan(SENSOR), folder, 0.001)

    def read(self, *texts):
        """What is reported of readings of these texts; None: the file is not there."""
        reported = []
        for text in texts:
            if text is None:
                self.file.unlink(missing_ok=True)
            else:
                self.file.write_text(f"{text}\n")
            try:
                report = self.part._measured(self.part._read())
            except (OSError, ValueError) as error:
                report = self.part._missed(error)
            if report:
                reported.append(self.part._reported)
        return reported


def test_it_reports_what_has_changed_by_half_a_degree(sensor):
    assert sensor.read("23125", "23500", "23687", "23187", "22687") == [23.125, 23.687, 23.187, 22.687]
    assert sensor.read("-4062") == [-4.062]


def test_one_disturbed_reading_is_nothing_three_are_no_answer(sensor):
    assert sensor.read("20000", None, None, "20000") == [20.0]
    assert sensor.read(None, None, None, None, None) == [None]


@pytest.mark.parametrize("text", ["", "nonsense", "126000", "-55062", "85000"])
def test_what_is_no_temperature_counts_as_no_answer(sensor, text):
    assert sensor.read("20000", text, text) == [20.0]
    assert sensor.read(text) == [None]


def test_after_a_failure_the_first_temperature_is_told_even_if_it_is_the_old_one(sensor):
    assert sensor.read("20000", None, None, None, "20100") == [20.0, None, 20.1]


def test_a_sensor_that_has_not_measured_yet_says_85(sensor):
    assert sensor.read("85000", "85000", "19500") == [19.5]


def test_85_degrees_are_a_temperature_when_it_was_nearly_as_hot_before(sensor):
    assert sensor.read("80000", "85000", "86000") == [80.0, 85.0, 86.0]


def test_a_sensor_that_was_never_there_does_not_answer(sensor):
    assert sensor.read(None, None, None) == [None]


def test_it_reads_on_a_thread_of_its_own_until_it_is_closed(sensor, caplog):
    sensor.file.write_text("21000\n")
    sensor.part.start(sensor.said.put)
    assert sensor.said.get(timeout=PATIENCE) == 21.0
    sensor.file.unlink()
    assert sensor.said.get(timeout=PATIENCE) is None
    sensor.file.write_text("30000\n")
    assert sensor.said.get(timeout=PATIENCE) == 30.0
    sensor.part.close()
    sensor.file.write_text("40000\n")
    assert sensor.said.empty()
    assert "does not answer" in caplog.text
    assert "answers again" in caplog.text


def test_nothing_is_reported_after_the_end_not_even_what_was_being_read(sensor, monkeypatch):
    reading, go_on = thermometer.Event(), thermometer.Event()

    def slow():
        reading.set()
        assert go_on.wait(PATIENCE)
        return 50.0

    monkeypatch.setattr(sensor.part, "_read", slow)
    ended = queue.Queue()
    run = sensor.part._run
    monkeypatch.setattr(sensor.part, "_run", lambda said: (run(said), ended.put("ended")))
    sensor.part.start(sensor.said.put)
    assert reading.wait(PATIENCE)
    sensor.part.close()
    go_on.set()
    assert ended.get(timeout=PATIENCE) == "ended"
    assert sensor.said.empty()
