"""The player against a station that says what the test wants: what it lets pass, and what it says of the rest."""

from collections import deque

import pytest
from rig import checked
from test_language import written

from charger.functions.situation import ConnectorPlan
from charger.settings import load
from charger.stories.language import Needs, Story, read_story
from charger.stories.match import UnknownNameError, filled, mismatch
from charger.stories.needs import keys_of, why_not
from charger.stories.play import play
from charger.stories.stage import SILENCE, Answered, Heard, Refusal

START = {"connectorId": 1, "idTag": "04A1B2C3", "meterStart": 5, "timestamp": "2026-01-01T00:00:00Z"}
STOP = {"transactionId": 1001, "meterStop": 6, "timestamp": "2026-01-01T00:01:00Z"}


def status(value, connector=1, error="NoError"):
    return ("StatusNotification", {"connectorId": connector, "errorCode": error, "status": value})


def sample(second, connector=1, **extra):
    value = {"value": "1", **extra}
    stamp = f"2026-01-01T00:{second // 60:02}:{second % 60:02}Z"
    return (
        "MeterValues",
        {"connectorId": connector, "meterValue": [{"timestamp": stamp, "sampledValue": [value]}]},
    )


class Fake:
    """A stage on which everything that will be said is known beforehand: second, action, payload, perhaps id."""

    connectors = 1
    own_readers = False
    defect = None

    def __init__(self, said=(), answers=()):
        self.time = 100.0
        self.said = deque((100.0 + at, *rest) for at, rest in said)
        self.answers = deque(answers)
        self.replies = []
        self.acts = []
        self.asked = []

    def now(self):
        return self.time

    def wall(self):
        return 1.8e9 + self.time

    def setting(self, key):
        return {"ConnectionTimeOut": 10.0}[key]

    def power(self, on):
        self.acts.append(("power", on))

    def report(self, event, connector):
        self.acts.append((event, connector))

    def states(self, number):
        path = ("Unlocking", "Moving") if self.time < 103 else ("Unlocked",)
        return {"lock": path} if number == 1 else {}

    def network(self, up):
        self.acts.append(("network", up))

    def act(self, act, connector, body):
        if body.get("id_tag") == "bent":
            raise ValueError("the card is bent")
        self.acts.append((act, connector, dict(body)))

    def status(self):
        """The lamp turns blue after 20 s."""
        look = "blue" if self.time >= 120 else "green"
        return {
            "display": "plug in",
            "outputs": {"fan": "off"},
            "connectors": [{"light": look, "outputs": {}}],
        }

    def call(self, action, payload):
        self.asked.append((action, dict(payload)))
        delay, payload, error = self.answers.popleft()
        due = self.time + delay
        return lambda: Answered(due, payload, error) if self.time >= due else None

    def wait(self, seconds, done):
        end = self.time + seconds
        while not done():
            if self.said and self.said[0][0] <= end:
                at, action, payload, *unique = self.said.popleft()
                self.time = max(self.time, at)
                name = unique[0] if unique else f"id-{len(self.replies)}"
                self.replies.append(self.ears(Heard(at, name, action, payload)))
            elif self.time < end:
                self.time = min(end, self.time + 0.05)
            else:
                return False
        return True


def told(tmp_path, steps, said=(), answers=(), head="", stage=None):
    """The failure of a story of these steps, without the place and the log; None when it does not fail."""
    path = written(tmp_path, f"story: X_1\n{head}steps:\n{steps}\n")
    played = play(read_story(path), stage or Fake(said, answers))
    if played.failure is None:
        return None
    what, _, log = played.failure.partition("\n  what happened before:\n")
    assert what.startswith(f"{path}:")
    assert log
    return what.removeprefix(f"{path}:")


FAILURES = {
    "another status": (
        "  - expect: {StatusNotification: {status: Charging}}",
        [(1, status("Finishing"))],
        """3: expected StatusNotification {"status": "Charging"} (status is 'Finishing', not 'Charging')
  and got StatusNotification {"connectorId": 1, "errorCode": "NoError", "status": "Finishing"}""",
    ),
    "another message": (
        "  - expect: [{StatusNotification: {}}, {Authorize: {}}]",
        [
            (1, status("Finishing")),
            (2, ("BootNotification", {"chargePointVendor": "v", "chargePointModel": "m"})),
        ],
        """3: expected Authorize
  and got BootNotification {"chargePointVendor": "v", "chargePointModel": "m"}""",
    ),
    "nothing": (
        "  - expect: {StatusNotification: {status: Charging}}\n    within: 3s",
        [],
        """3: expected StatusNotification {"status": "Charging"} within 3 s, and nothing came""",
    ),
    "too late": (
        "  - wait: 1s\n  - expect: {StatusNotification: {}}\n    within: ConnectionTimeOut",
        [(11.5, status("Available"))],
        "4: expected StatusNotification within 10 s, and nothing came",
    ),
    "too early": (
        "  - expect: {StatusNotification: {}}\n    after: 2 * ConnectionTimeOut\n    within: 30s",
        [(12, status("Available"))],
        "3: StatusNotification came 8.0 s too early",
    ),
    "not in silence": (
        "  - nothing: 5s",
        [(1, ("Heartbeat", {})), (2, status("Available"))],
        '3: nothing was expected, and StatusNotification {"connectorId": 1, "errorCode": "NoError", "status": "Available"} came',
    ),
    "another look": ("  - light: red\n    within: 5s", [], "3: the light is 'green', not 'red', after 5 s"),
    "a look too early": (
        "  - light: green\n  - light: blue\n    after: 3 * ConnectionTimeOut\n    within: 1m",
        [],
        "4: the light is 'blue' 10.0 s too early",
    ),
    "another text": ('  - display: ""', [], "3: the display is 'plug in', not '', after 10 s"),
    "another output": ("  - output: {fan: on}", [], "3: the output 'fan' is 'off', not 'on', after 10 s"),
    "an output that is not there": (
        "  - output: {fan: off}\n    at: 1",
        [],
        "3: the output 'fan' is 'None', not 'off', after 10 s",
    ),
    "what was forbidden": (
        "  - nothing: 5s\n    of: Heartbeat",
        [(1, status("Available")), (2, ("Heartbeat", {}))],
        "3: nothing was expected, and Heartbeat {} came",
    ),
    "after the end": (
        "  - wait: 1s",
        [(1.5, ("Authorize", {"idTag": "A"}))],
        '1: nothing was expected, and Authorize {"idTag": "A"} came',
    ),
    "a broken schema": (
        "  - wait: 3s",
        [(1, ("Authorize", {"idTag": 7}))],
        '3: Authorize {"idTag": 7} breaks its schema: idTag: must be a string',
    ),
    "a broken schema after the end": (
        "  - wait: 1s",
        [(1.5, ("Heartbeat", {"x": 1}))],
        '1: Heartbeat {"x": 1} breaks its schema: unknown property x',
    ),
    "an old id": (
        "  - expect: [{Heartbeat: {}}, {Authorize: {}}]",
        [(1, ("Heartbeat", {}, "a")), (2, ("Authorize", {"idTag": "A"}, "a"))],
        '3: Authorize {"idTag": "A"} has the id of an earlier message: a',
    ),
    "a stop without a start": (
        "  - expect: {StopTransaction: {}}",
        [(1, ("StopTransaction", STOP))],
        (
            '3: StopTransaction {"transactionId": 1001, "meterStop": 6, "timestamp": "2026-01-01T00:01:00Z"}'
            " stops a transaction that does not run"
        ),
    ),
    "a meter that runs backwards": (
        "  - expect: [{StartTransaction: {}}, {StopTransaction: {}}]",
        [(1, ("StartTransaction", START)), (2, ("StopTransaction", STOP | {"meterStop": 4}))],
        (
            '3: StopTransaction {"transactionId": 1001, "meterStop": 4, "timestamp": "2026-01-01T00:01:00Z"}:'
            " the meter ran backwards from 5 Wh"
        ),
    ),
    "an end before the beginning": (
        "  - expect: [{StartTransaction: {}}, {StopTransaction: {}}]",
        [
            (1, ("StartTransaction", START)),
            (2, ("StopTransaction", STOP | {"timestamp": "2025-12-31T23:59:59Z"})),
        ],
        (
            '3: StopTransaction {"transactionId": 1001, "meterStop": 6, "timestamp": "2025-12-31T23:59:59Z"}'
            " is stamped before its start, 2026-01-01T00:00:00Z"
        ),
    ),
    "another transaction": (
        "  - expect: {StartTransaction: {}}\n  - expect: {StopTransaction: {transactionId: $tx}}",
        [(1, ("StartTransaction", START)), (2, ("StopTransaction", STOP | {"transactionId": -1}))],
        """4: expected StopTransaction {"transactionId": "$tx"} (transactionId is -1, not 1001)
  and got StopTransaction {"transactionId": -1, "meterStop": 6, "timestamp": "2026-01-01T00:01:00Z"}""",
    ),
    "an act that cannot be": (
        "  - swipe: bent",
        [],
        "3: 'swipe' cannot be done: the card is bent",
    ),
    "a name that nobody knows": ("  - swipe: $nobody", [], "3: 'swipe' cannot be done: $nobody"),
    "samples that do not come": (
        "  - samples: 2\n    every: ConnectionTimeOut",
        [(1, sample(0)), (11, sample(0, connector=2))],
        "3: expected 2 MeterValues, and 1 came",
    ),
    "something between samples": (
        "  - samples: 2\n    every: 10s",
        [(1, sample(0)), (5, status("Faulted"))],
        (
            "3: expected MeterValues, and got"
            ' StatusNotification {"connectorId": 1, "errorCode": "NoError", "status": "Faulted"}'
        ),
    ),
    "samples unevenly spaced": (
        "  - samples: 3\n    every: 10s",
        [(1, sample(0)), (11, sample(10)), (21, sample(25))],
        "3: the samples are 10.0, 15.0 s apart, not 10",
    ),
    "a sample missing between two steps": (
        "  - samples: 1\n    every: 10s\n  - samples: 1\n    every: 10s\n    follows: true",
        [(1, sample(0)), (21, sample(20))],
        "5: the samples are 20.0 s apart, not 10",
    ),
    "samples not aligned": (
        "  - samples: 2\n    every: 10s\n    aligned: true\n    context: Sample.Clock",
        [(1, sample(1, context="Sample.Clock")), (11, sample(11, context="Sample.Clock"))],
        "3: the samples are not aligned to 10 s",
    ),
}
SAMPLES = {
    "context": ({"context": "Sample.Clock"}, "the context is Sample.Clock"),
    "format": ({"format": "SignedData"}, "the format is SignedData"),
    "location": ({"location": "EV"}, "the location is EV"),
    "measurand": ({"measurand": "Voltage"}, "Energy.Active.Import.Register is missing"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_story_fails_with_a_reason(case, tmp_path):
    steps, said, failure = FAILURES[case]
    assert told(tmp_path, steps, said) == failure


@pytest.mark.parametrize("case", SAMPLES)
def test_a_sample_is_looked_at(case, tmp_path):
    extra, why = SAMPLES[case]
    failure = told(tmp_path, "  - samples: 1\n    every: 10s", [(1, sample(0, **extra))])
    assert failure.startswith("3: MeterValues {")
    assert failure.endswith(f": {why}")


def test_each_sample_is_held_against_a_pattern(tmp_path):
    steps = "  - samples: 1\n    every: 10s\n    each: {transactionId: 7}"
    assert told(tmp_path, steps, [(1, sample(0))]).endswith("transactionId is absent")


def test_only_soc_is_measured_in_the_car(tmp_path):
    steps = "  - samples: 1\n    every: 10s\n    measurands: SoC"
    assert told(tmp_path, steps, [(1, sample(0, measurand="SoC", location="EV"))]) is None


def test_samples_from_before_do_not_count_unless_they_follow(tmp_path):
    steps = "  - samples: 1\n    every: 10s\n  - wait: 15s\n  - samples: 1\n    every: 10s"
    said = [(1, sample(0)), (11, sample(10)), (21, sample(20))]
    assert told(tmp_path, steps, said) is None
    assert told(tmp_path, f"{steps}\n    follows: true\n    within: 1s", said) is None
    assert told(tmp_path, f"{steps}\n    within: 1s", said) == "6: expected 1 MeterValues, and 0 came"


def test_heartbeats_are_let_pass_unless_they_are_asked_for(tmp_path):
    said = [(1, ("Heartbeat", {})), (2, status("Available"))]
    assert told(tmp_path, "  - expect: {StatusNotification: {}}", said) is None
    assert told(tmp_path, "  - expect: [{Heartbeat: {}}, {StatusNotification: {}}]", said) is None
    old = "  - wait: 3s\n  - expect: {Heartbeat: {}}"
    assert (
        told(tmp_path, old, [(1, ("Heartbeat", {}))]) == "4: expected Heartbeat within 10 s, and nothing came"
    )


def test_what_may_come_may_come_once(tmp_path):
    steps = "  - expect: {Heartbeat: {}}\n    maybe: [{StatusNotification: {}}]"
    end = (3, ("Heartbeat", {}))
    assert told(tmp_path, steps, [end]) is None
    assert told(tmp_path, steps, [(1, status("Preparing")), end]) is None
    twice = [(1, status("Preparing")), (2, status("Charging")), end]
    assert told(tmp_path, steps, twice).startswith("3: expected Heartbeat\n  and got StatusNotification")


def test_what_was_not_forbidden_is_of_no_interest(tmp_path):
    steps = "  - nothing: 3s\n    of: [StartTransaction]"
    assert told(tmp_path, steps, [(1, status("Available"))]) is None


BOOT = ("BootNotification", {"chargePointVendor": "v", "chargePointModel": "m"})


@pytest.mark.parametrize("at", [0.5, 1.5, 3.5])
def test_a_boot_with_something_that_must_come_too(at, tmp_path):
    steps = "  - boots: {1: Unavailable}\n    also: {DataTransfer: {}}\n    after: 1s\n    within: 3s"
    said = sorted(
        [
            (1, BOOT),
            (2, status("Available", 0)),
            (3, status("Unavailable")),
            (at, ("DataTransfer", {"vendorId": "v"})),
        ],
        key=lambda one: one[0],
    )
    assert told(tmp_path, steps, said) is None
    without = [one for one in said if one[1][0] != "DataTransfer"]
    assert told(tmp_path, steps, without) == "3: expected DataTransfer within 20 s, and nothing came"


def test_every_status(tmp_path):
    said = [(1, status("Unavailable")), (2, status("Unavailable", 0))]
    assert told(tmp_path, "  - statuses: Unavailable", said) is None
    assert "status is 'Unavailable', not 'Faulted'" in told(
        tmp_path, "  - statuses: {0: Available, 1: Faulted}", said
    )


# -- the Central System ------------------------------------------------------------------------------------

CALL = "  - call: {ClearCache: {}}\n    answer: {status: Accepted}"


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        ((0.0, {"status": "Accepted"}, None), None),
        (
            (0.0, {"status": "Rejected"}, None),
            '3: ClearCache was answered {"status": "Rejected"}, not {"status": "Accepted"}',
        ),
        ((0.0, None, "NotSupported"), '3: ClearCache was answered NotSupported, not {"status": "Accepted"}'),
        ((11.0, {"status": "Accepted"}, None), "3: no answer to ClearCache within 10 s"),
    ],
)
def test_the_answer_to_a_call(answer, failure, tmp_path):
    assert told(tmp_path, CALL, answers=[answer]) == failure


def test_one_of_several_answers(tmp_path):
    steps = "  - call: {ClearCache: {}}\n    answer: [{status: Rejected}, {error: NotSupported}]"
    assert told(tmp_path, steps, answers=[(0, {"status": "Rejected"}, None)]) is None
    assert told(tmp_path, steps, answers=[(0, None, "NotSupported")]) is None
    failure = told(tmp_path, steps, answers=[(0, None, "InternalError")])
    assert (
        failure
        == '3: ClearCache was answered InternalError, not {"status": "Rejected"} or {"error": "NotSupported"}'
    )
    either = "  - call: {ClearCache: {}}\n    answer: {error: any}"
    assert told(tmp_path, either, answers=[(0, None, "InternalError")]) is None
    assert told(tmp_path, "  - call: {ClearCache: {}}", answers=[(0, None, "InternalError")]) is None


def test_the_answer_comes_before_what_it_brings_about(tmp_path):
    steps = f"{CALL}\n  - expect: {{StatusNotification: {{}}}}"
    answers = [(1.0, {"status": "Accepted"}, None)]
    assert (
        told(tmp_path, steps, [(0.5, status("Available"))], answers)
        == "3: StatusNotification came before the answer to ClearCache"
    )
    assert told(tmp_path, steps, [(1.5, status("Available"))], answers) is None


def test_how_long_it_took_is_measured(tmp_path):
    steps = """
  - call: {RemoteStartTransaction: {idTag: $tag}}
  - expect: {StatusNotification: {}}
  - call: {Reset: {type: Hard}}
  - expect: {StatusNotification: {}}
"""
    path = written(tmp_path, f"story: X_1\nsteps:{steps}")
    stage = Fake(
        [(3.0, status("Preparing")), (8.0, status("Available"))],
        [(2.0, {"status": "Accepted"}, None), (1.0, {"status": "Accepted"}, None)],
    )
    played = play(read_story(path), stage)
    assert played.failure is None
    assert stage.asked[0] == ("RemoteStartTransaction", {"idTag": "04A1B2C3"})
    measured = played.measured
    assert measured.remote_start == measured.response == pytest.approx(2.0)
    assert measured.triggered == pytest.approx(0.9)  # the restart does not count
    assert played.duration == pytest.approx(9.0)


def test_what_the_central_system_answers(tmp_path):
    steps = """  - central: {Authorize: silence, DataTransfer: {error: InternalError}}
  - expect: [{Authorize: {}}, {DataTransfer: {}}, {BootNotification: {}}, {Heartbeat: {}}]
  - central: {Authorize: null, DataTransfer: null, StartTransaction: {idTagInfo: {status: Blocked, parentIdTag: $group}}}
  - expect: [{Authorize: {}}, {DataTransfer: {}}, {StartTransaction: {}}, {StatusNotification: {}}]"""
    said = [
        *[
            (1, ("Authorize", {"idTag": "A"})),
            (2, ("DataTransfer", {"vendorId": "v"})),
            (3, BOOT),
            (4, ("Heartbeat", {})),
        ],
        *[
            (5, ("Authorize", {"idTag": "A"})),
            (6, ("DataTransfer", {"vendorId": "v"})),
            (7, ("StartTransaction", START)),
        ],
        (8, status("Charging")),
    ]
    stage = Fake(said)
    assert told(tmp_path, steps, stage=stage) is None
    replies = stage.replies
    assert replies[0] is SILENCE
    assert replies[1] == Refusal("InternalError")
    assert (replies[2]["status"], replies[2]["interval"]) == ("Accepted", 300)
    assert set(replies[3]) == {"currentTime"}
    assert replies[4:] == [
        {"idTagInfo": {"status": "Accepted"}},
        {"status": "Accepted"},
        {"transactionId": 1001, "idTagInfo": {"status": "Blocked", "parentIdTag": "GROUP-1"}},
        {},
    ]


def test_a_repeated_message_is_the_same_message(tmp_path):
    steps = """  - expect: {StartTransaction: {}}
  - expect: {StartTransaction: {}}
  - expect: {StopTransaction: {transactionId: -1}}
  - expect: {StopTransaction: {transactionId: $tx}}"""
    said = [
        *[(1, ("StartTransaction", START, "a")), (2, ("StartTransaction", START, "a"))],
        *[(3, ("StopTransaction", STOP | {"transactionId": -1}, "b")), (4, ("StopTransaction", STOP, "b"))],
    ]
    stage = Fake(said)
    assert told(tmp_path, steps, stage=stage) is None
    assert [reply["transactionId"] for reply in stage.replies[:2]] == [1001, 1001]


# -- configuration -----------------------------------------------------------------------------------------


def answered(value):
    return (0, {"status": value}, None)


def key(value, readonly):
    return (0, {"configurationKey": [{"key": "A", "readonly": readonly, "value": value}]}, None)


@pytest.mark.parametrize(
    ("name", "answers", "failure"),
    [
        ("A", [answered("Accepted")], None),
        ("A", [answered("Rejected"), key("5", True)], None),
        ("A", [answered("Rejected"), key("5", False)], 'A cannot be set to \'5\': {"status": "Rejected"}'),
        ("A", [answered("Rejected"), key("6", True)], 'A cannot be set to \'5\': {"status": "Rejected"}'),
        (
            "A",
            [answered("NotSupported"), (0, None, "InternalError")],
            'A cannot be set to \'5\': {"status": "NotSupported"}',
        ),
        ("A", [(0, None, "InternalError"), (0, {}, None)], "A cannot be set to '5': InternalError"),
        ('"A?"', [answered("NotSupported")], None),
        ('"A?"', [answered("Accepted")], None),
    ],
)
def test_the_configuration_is_written(name, answers, failure, tmp_path):
    stage = Fake(answers=answers)
    found = told(tmp_path, "  - wait: 1s", head=f"configuration: {{{name}: 5}}\n", stage=stage)
    assert stage.asked[0] == ("ChangeConfiguration", {"key": "A", "value": "5"})
    assert found == (failure and f"1: {failure}")


def test_the_configuration_is_written_once_the_station_is_up(tmp_path):
    stage = Fake([(1, BOOT), (2, status("Available", 0)), (3, status("Available"))], [answered("Accepted")])
    steps = (
        "  - power: on\n  - boots: Available\n  - network: down\n  - power: off\n  - ev: suspended\n    at: 1"
    )
    assert told(tmp_path, steps, head="configuration: {A: 5}\n", stage=stage) is None
    assert stage.acts == [
        ("power", True),
        ("network", False),
        ("power", False),
        ("ev", 1, {"state": "suspended"}),
    ]


def test_hardware_reports_reach_the_stage(tmp_path):
    stage = Fake()
    steps = "  - report: contactor.closed\n    at: 2\n  - report: emergency.pressed"
    assert told(tmp_path, steps, stage=stage) is None
    assert stage.acts == [("contactor.closed", 2), ("emergency.pressed", None)]


@pytest.mark.parametrize(
    ("step", "failure"),
    [
        ("state: lock.Moving", None),
        ("state: lock.Unlocking", None),
        ("state: lock.Unlocked", "lock is in 'Unlocking.Moving', not in 'Unlocked'"),
        ("state: lock.Unlocked\n    within: 5s", None),
        ("left: lock.Moving", "lock is in 'Unlocking.Moving' still"),
        ("left: lock.Moving\n    within: 5s", None),
        ("left: lock.Moving\n    within: 1s", "lock is in 'Unlocking.Moving' still"),
        ("state: lick.Moving", "there is no chart 'lick' at connector 1"),
        ("state: lock.Moving\n    at: 0", "there is no chart 'lock' at connector 0"),
    ],
)
def test_states_of_charts_are_looked_at(tmp_path, step, failure):
    found = told(tmp_path, f"  - {step}")
    assert found is None if failure is None else failure in found


def test_a_defect_fails_a_story(tmp_path):
    stage = Fake()
    stage.defect = "cable.plugged: never in(Closed)"
    assert "a defect, contactors opened: cable.plugged: never in(Closed)" in told(
        tmp_path, "  - wait: 1s", stage=stage
    )


def test_acts_reach_the_stage(tmp_path):
    steps = """  - plug: 2
  - unplug: 2
  - unplug: 2
    side: ev
  - unplug: 2
    side: both
  - ev: ready
  - swipe: $tag
  - swipe: X
    at: 2
  - fault: GroundFailure
    at: 0
    info: wet
  - fault: OtherError
  - repair: 0
  - lock: stuck
  - lock: free
    at: 2"""
    stage = Fake()
    assert told(tmp_path, steps, stage=stage) is None
    assert stage.acts == [
        ("plug", 2, {}),
        ("unplug", 2, {}),
        ("unplug", 2, {"side": "ev"}),
        ("unplug", 2, {}),
        ("ev", 1, {"state": "ready"}),
        ("swipe", None, {"id_tag": "04A1B2C3"}),
        ("swipe", None, {"id_tag": "X", "connector": 2}),
        ("fault", 0, {"error_code": "GroundFailure", "info": "wet"}),
        ("fault", 1, {"error_code": "OtherError", "info": ""}),
        ("clear_fault", 0, {}),
        ("lock", 1, {"fail": True}),
        ("lock", 2, {"fail": False}),
    ]


def test_the_log_tells_acts_and_frames(tmp_path):
    path = written(
        tmp_path,
        "story: X_1\nsteps:\n  - swipe: A\n    at: 2\n  - wait: 2 * ConnectionTimeOut + 1s\n  - wait: ConnectionTimeOut\n",
    )
    played = play(read_story(path), Fake([(1, ("Heartbeat", {}))]))
    assert [line.strip() for line in played.log] == [
        "100.10  swipe A at 2",
        "100.10  wait 2 * ConnectionTimeOut + 1 s",
        "101.00  <- Heartbeat {}",
        "121.10  wait 1 * ConnectionTimeOut",
    ]


# -- patterns ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "found", "why"),
    [
        ({}, {"a": 1}, None),
        ({"a": 1}, {"a": 1, "b": 2}, None),
        ({"a": 1}, {"a": 2}, "a is 2, not 1"),
        ({"a": 1}, {}, "a is absent"),
        ({"a": "absent"}, {}, None),
        ({"a": "absent"}, {"a": 1}, "a is 1"),
        ({"a": "any"}, {"a": None}, None),
        ({"a": "any"}, {}, "a is absent"),
        ({"a": [1, "absent"]}, {}, None),
        ({"a": [1, 2]}, {"a": 2}, None),
        ({"a": [1, 2]}, {"a": 3}, "a is 3, not 1 or 2"),
        ({"a": [1, 2]}, {}, "a is absent, not 1 or 2"),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "a.b is 2, not 1"),
        ({"a": {"b": 1}}, {"a": 5}, "a is 5"),
        ({"a": 1}, 5, "the payload is 5"),
        (1, 2, "it is 2, not 1"),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}, {"b": 1}]}, None),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, "nothing in a is {'b': 1}"),
        ({"a": "Co*"}, {"a": "Core,X"}, None),
        ({"a": "Co*"}, {"a": "X"}, "a is 'X', not 'Co*'"),
        ({"a": "Co*"}, {"a": 1}, "a is 1, not 'Co*'"),
        ({"a": "$old"}, {"a": 7}, None),
        ({"a": "$old"}, {"a": 8}, "a is 8, not 7"),
        ({"a": "$new", "b": "$new"}, {"a": 1, "b": 1}, None),
        ({"a": "$new", "b": "$new"}, {"a": 1, "b": 2}, "b is 2, not 1"),
    ],
)
def test_a_payload_against_a_pattern(pattern, found, why):
    assert mismatch(pattern, found, {"old": 7}) == why


def test_a_name_is_learnt_only_from_what_matches():
    names = {}
    mismatch({"a": "$x", "b": 1}, {"a": 5, "b": 2}, names)
    assert names == {}
    mismatch({"a": ["$x", "absent"], "b": 2}, {"a": 5, "b": 2}, names)
    assert names == {"x": 5}


def test_names_are_filled_in():
    assert filled({"a": ["$x", 1], "b": "text"}, {"x": 5}) == {"a": [5, 1], "b": "text"}
    with pytest.raises(UnknownNameError, match="y"):
        filled({"a": "$y"}, {"x": 5})


# -- needs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("needs", "configuration", "reason"),
    [
        (Needs(), {}, None),
        (Needs(cable="fixed"), {}, "It needs a fixed cable, and connector 1 has a socket."),
        (Needs(cable="socket", connectors=2), {}, None),
        (Needs(connectors=3), {}, "It needs 3 connectors, and the station has 2."),
        (
            Needs(keys={"LightIntensity": None}),
            {},
            "It needs LightIntensity, which the station does not offer.",
        ),
        (Needs(keys={"LightIntensity or BlinkRepeat": None}), {}, None),
        (Needs(keys={"NumberOfConnectors": "2"}), {}, None),
        (
            Needs(keys={"NumberOfConnectors": "3"}),
            {},
            "It needs NumberOfConnectors to be 3, and here it is always '2'.",
        ),
        (Needs(keys={"SupportedFeatureProfiles": "*core*"}), {}, None),
        (Needs(keys={"ConnectionTimeOut": "7"}), {}, None),
        (Needs(), {"ConnectionTimeOut": "7"}, None),
        (Needs(), {"LightIntensity": "7"}, "It writes LightIntensity, which the station does not offer."),
        (Needs(), {"LightIntensity?": "7"}, None),
        (
            Needs(),
            {"NumberOfConnectors": "3"},
            "It needs NumberOfConnectors to be 3, and here it is always '2'.",
        ),
        (Needs(), {"NumberOfConnectors?": "2"}, None),
        (Needs(reader="shared"), {}, None),
    ],
)
def test_why_a_story_says_nothing_about_a_station(needs, configuration, reason, tmp_path):
    file = tmp_path / "station.yaml"
    file.write_text(
        "id: A\nvendor: V\nmodel: M\ncentral: {url: 'ws://127.0.0.1:9/'}\ndata: ./data\nhardware: simulated\n"
        "connectors: 2\nconfiguration: {LightIntensity: null}\n"
    )
    settings, findings, _ = load(file, {})
    assert settings, findings
    assert settings.plans[0] == ConnectorPlan(fixed=False)
    keys = keys_of(settings, checked())
    assert why_not(Story("f", "X_1", needs=needs, configuration=configuration), settings, keys) == reason


def test_a_story_of_one_reader_says_nothing_where_nobody_shares_one(tmp_path):
    file = tmp_path / "station.yaml"
    file.write_text(
        "id: A\nvendor: V\nmodel: M\ncentral: {url: 'ws://127.0.0.1:9/'}\nconnectors: [{reader: own}, {reader: own}]\n"
    )
    settings, findings, _ = load(file, {})
    assert settings, findings
    keys = keys_of(settings, checked())
    told = "It needs a reader for several connectors, and every connector has one of its own."
    assert why_not(Story("f", "X_1", needs=Needs(reader="shared")), settings, keys) == told


def test_a_card_anywhere_is_at_connector_1_where_nobody_shares_a_reader(tmp_path):
    stage = Fake()
    stage.own_readers = True
    assert told(tmp_path, "  - {swipe: A}\n  - {swipe: B, at: 2}", stage=stage) is None
    assert [body.get("connector") for _, _, body in stage.acts] == [1, 2]
