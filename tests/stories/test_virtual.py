"""The stage in virtual time: the edges that stories seldom come to."""

import asyncio
from shutil import copytree

import pytest
from rig import CHARTS, checked
from test_player import told

from charger import ports
from charger.settings import load
from charger.statechart.checks import check
from charger.statechart.event import Event
from charger.stories.stage import SILENCE
from charger.stories.virtual import VirtualStage
from charger.vocabulary import build

BOOTED = "  - power: on\n  - boots: Available\n"


@pytest.fixture
def stage(tmp_path):
    file = tmp_path / "station.yaml"
    file.write_text(
        "id: A\nvendor: V\nmodel: M\ncentral: {url: 'ws://127.0.0.1:9/'}\ndata: ./data\nhardware: simulated\n"
        "connectors: 1\nconfiguration: {MessageTimeout: 10, WebSocketPingInterval: 7}\n"
    )
    settings, findings, _ = load(file, {})
    assert settings, findings
    return VirtualStage(settings, checked(), tmp_path)


def test_nothing_can_be_done_without_power(stage, tmp_path):
    stage.power(on=False)
    stage.settle()
    stage.network(up=False)
    stage.network(up=True)
    assert told(tmp_path, "  - plug: 1", stage=stage) == "3: 'plug' cannot be done: the station has no power"


def test_nothing_can_be_called_without_a_connection(stage, tmp_path):
    steps = f"{BOOTED}  - network: down\n  - call: {{ClearCache: {{}}}}"
    assert told(tmp_path, steps, stage=stage) == "6: 'call' cannot be done: the station is not connected"


def test_a_call_may_be_answered_with_an_error(stage, tmp_path):
    steps = f"""{BOOTED}
  - call: {{GetLocalListVersion: {{}}}}
    answer: {{error: NotSupported}}
  - call: {{Reset: {{type: Warm}}}}
    answer: {{error: PropertyConstraintViolation}}
"""
    assert told(tmp_path, steps, stage=stage) is None


def test_silence_is_a_timeout_and_a_broken_answer_an_error(stage, tmp_path):
    steps = f"""
  - central: {{BootNotification: silence}}
{BOOTED.replace("boots: Available", "expect: {BootNotification: {}}")}
  - central: {{BootNotification: {{status: Perhaps}}}}
  - expect: {{BootNotification: {{}}}}
    after: 20s                          # 10 s until the answer is given up, 10 s until the next attempt
    within: 40s
  - central: {{BootNotification: {{error: InternalError}}}}
  - expect: {{BootNotification: {{}}}}
    within: 60s
  - central: {{BootNotification: null}}
  - boots: Available
    within: 90s
"""
    assert told(tmp_path, steps, stage=stage) is None


def test_what_is_on_its_way_when_the_link_breaks_is_lost(stage, tmp_path):
    steps = f"{BOOTED}  - central: {{Authorize: silence}}\n  - swipe: $tag\n  - expect: {{Authorize: {{}}}}"
    assert told(tmp_path, steps, stage=stage) is None
    stage.network(up=False)  # with an Authorize that is not answered
    stage.wait(30, lambda: False)
    stage.network(up=False)  # it is gone already
    stage.network(up=True)
    assert stage.wait(100, lambda: stage._link.open)


def test_a_defect_is_one_defect_and_the_station_is_built_anew(stage, tmp_path):
    """What the link has to say of it is for nobody: the old station is gone."""
    assert told(tmp_path, BOOTED, stage=stage) is None
    why = []
    stage.broke_down = why.append
    stage.driver.post(Event("meter.sampled", 1))
    stage.wait(5, lambda: False)
    assert why == ["meter.sampled: 'energy'"]
    assert stage.linked
    assert stage.driver.station.status()["status"] == "Faulted"


def test_pings_are_answered(stage, tmp_path):
    assert told(tmp_path, f"{BOOTED}  - nothing: 60s", stage=stage) is None
    assert stage._link.open


PINS = """
inputs: {door: {description: cabinet door}, button: {scope: connector, description: a button}}
outputs: {horn: {description: a horn}, lamp: {scope: connector, description: a lamp}}
"""
WATCH = {
    "watch": "chart: watch\nscope: station\ninitial: Shut\nstates:\n"
    "  Shut: {entry: [horn.off], always: {guard: door, target: Open}}\n"
    "  Open: {entry: [horn.on], always: {guard: not door, target: Shut}}\n",
    "press": "chart: press\nscope: connector\ninitial: Up\nstates:\n"
    "  Up: {entry: [lamp.off], on: {button.on: Down}}\n"
    "  Down: {entry: [lamp.blink], on: {button.off: Up}}\n",
}
SWITCHED = f"""{BOOTED}
  - output: {{horn: off}}
  - input: {{door: on}}
  - output: {{horn: on}}
    within: 1s
  - input: {{button: on}}
    at: 1
  - output: {{lamp: blink}}
    at: 1
  - power: off
  - power: on
  - boots: Available
  - output: {{horn: on}}
  - input: {{button: off}}
    at: 1
  - output: {{lamp: off}}
    at: 1
  - light: green
  - display: ""
"""


def with_pins(folder):
    """The shipped charts with a door that sounds a horn, and buttons with a lamp."""
    charts = folder / "charts"
    copytree(CHARTS, charts)
    index = charts / "index.yaml"
    index.write_text(index.read_text().replace("indicator]", f"indicator, {', '.join(WATCH)}]") + PINS)
    for name, text in WATCH.items():
        (charts / f"{name}.yaml").write_text(text)
    found = check(charts, build)
    assert not found.findings, found.findings
    return found


def test_inputs_are_switched_and_outputs_lamp_and_display_looked_at(stage, tmp_path):
    stage = VirtualStage(stage._settings, with_pins(tmp_path), tmp_path)
    assert told(tmp_path, SWITCHED, stage=stage) is None
    wrong = "  - input: {button: on}"
    assert (
        told(tmp_path, wrong, stage=stage)
        == "3: 'input' cannot be done: every connector has an input 'button': name the connector"
    )
    stage.power(on=False)
    assert (
        told(tmp_path, "  - light: green", stage=stage)
        == "3: 'light' cannot be done: the station has no power"
    )


def test_the_port_keeps_its_contract(stage, tmp_path):
    assert told(tmp_path, BOOTED, stage=stage) is None
    link, heard = stage._link, []
    stage.ears = lambda call: heard.append(call.action) or SILENCE
    link.perform(ports.Connect())  # already there
    stage.wait(1, lambda: False)
    assert link.open
    link.perform(ports.Disconnect())
    assert not link.open
    link.perform(ports.Call(99, "Heartbeat", {}, 10.0))
    assert heard == []
    stage.wait(30, lambda: link.open)
    assert link.open
    asyncio.run(link.close())


def test_an_answer_that_breaks_its_schema_is_told(stage, tmp_path):
    assert told(tmp_path, BOOTED, stage=stage) is None
    answer = stage._link.receive("c", "ClearCache", {})
    assert answer() is None
    stage._link.perform(ports.Reply("c", "ClearCache", {"status": "Perhaps"}))
    assert answer().error.startswith("its answer breaks the schema: status")
