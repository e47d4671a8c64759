"""station.yaml and the environment: right ones are understood, wrong ones are explained, all at once."""

import re
from pathlib import Path

import pytest

from charger import folders
from charger import settings as module
from charger.folders import shipped
from charger.functions.configuration import KEYS, Configuration
from charger.functions.records import Records
from charger.functions.situation import ConnectorPlan
from charger.ports import Change
from charger.settings import PanelSettings, check_configuration, effective, load
from charger.statechart.findings import as_text

ROOT = Path(__file__).parent.parent

MINIMAL = """\
id: CP001
vendor: JS Tech
model: IMKEV7
central:
  url: ws://127.0.0.1:9000/ocpp
"""

FULL = """\
id: RDAM 123
vendor: JS Tech
model: IMKEV7
serial_number: "0001"
firmware_version: 1.10
iccid: 89310410106543789301
imsi: "204046622122514"
meter_type: DZG
meter_serial_number: M-1
charge_box_serial_number: B-1
central:
  url: wss://csms.example:443/ocpp/
  password: from the file
  ca_file: root.pem
  verify_hostname: false
charts: my charts
data: ../data
panel: off
hardware: simulated
connectors:
  - {cable: fixed, phases: 1, max_current: 16.5, reader: own}
  - {cable: socket, reader: own}
  - {reader: own}
simulation:
  power: 11000
  contactor_delay: 0
  lock_delay: 0.5
  car_delay: 1
  plugged: [3, 1]
  seed: 7
configuration:
  HeartbeatInterval: 15
  LocalPreAuthorize: true
  AuthorizeRemoteTxRequests: FALSE
  MeterValuesSampledData: [Energy.Active.Import.Register, Current.Import.L1]
  StopTxnSampledData: []
  BlinkRepeat: null
  GetConfigurationMaxKeys: 1
"""


@pytest.fixture
def here(tmp_path):
    """A folder with charts and a certificate in it."""
    charts(tmp_path / "my charts")
    (tmp_path / "root.pem").write_text("")
    return tmp_path


def charts(folder, settings="{}"):
    folder.mkdir()
    (folder / "index.yaml").write_text(f"language: 1\ncharts: []\nsettings: {settings}\n")
    return folder


def read(folder, text=MINIMAL, environ=None, extra_keys=None):
    file = folder / "station.yaml"
    file.write_text(text)
    return load(file, environ or {}, extra_keys)


def right(folder, text=MINIMAL, environ=None):
    settings, findings, _ = read(folder, text, environ)
    assert [str(finding) for finding in findings] == []
    return settings


def wrong(folder, text, environ=None, extra_keys=None):
    """The findings, as `line:column: message [rule]`."""
    settings, findings, _ = read(folder, text, environ, extra_keys)
    assert settings is None
    return [
        f"{one.mark.line}:{one.mark.column}: {one.message} [{one.rule}]".replace(str(folder), "HERE")
        for one in findings
    ]


# -- right -------------------------------------------------------------------------------------------------


def test_a_minimal_station_has_believable_defaults(tmp_path):
    settings = right(tmp_path)
    assert settings.id == "CP001"
    assert settings.identity.payload() == {"chargePointVendor": "JS Tech", "chargePointModel": "IMKEV7"}
    assert settings.central == module.CentralSettings("ws://127.0.0.1:9000/ocpp", None, None, True)
    assert settings.charts == shipped("charts")
    assert settings.data == tmp_path / "data"
    assert settings.panel == PanelSettings("127.0.0.1", 8016)
    assert settings.hardware == "simulated"
    assert settings.plans == (ConnectorPlan(),)
    assert settings.simulation == module.Simulation(7400.0, 0.1, 0.3, 0.2, (), None)
    assert settings.configuration == {}


def test_everything_can_be_said(here):
    settings = right(here, FULL)
    assert settings.file == here / "station.yaml"
    assert settings.id == "RDAM 123"
    assert settings.identity.payload() == {
        "chargePointVendor": "JS Tech",
        "chargePointModel": "IMKEV7",
        "chargePointSerialNumber": "0001",
        "firmwareVersion": "1.10",
        "iccid": "89310410106543789301",
        "imsi": "204046622122514",
        "meterType": "DZG",
        "meterSerialNumber": "M-1",
        "chargeBoxSerialNumber": "B-1",
    }
    assert settings.central == module.CentralSettings(
        "wss://csms.example:443/ocpp/", "from the file", here / "root.pem", False
    )
    assert settings.charts == here / "my charts"
    assert settings.data == here / ".." / "data"
    assert settings.panel is None
    assert settings.plans == (
        ConnectorPlan(fixed=True, phases=1, max_current=16.5, own_reader=True),
        ConnectorPlan(fixed=False, phases=3, max_current=32.0, own_reader=True),
        ConnectorPlan(own_reader=True),
    )
    assert settings.simulation == module.Simulation(11000.0, 0.0, 0.5, 1.0, (3, 1), 7)
    assert settings.configuration == {
        "HeartbeatInterval": "15",
        "LocalPreAuthorize": "true",
        "AuthorizeRemoteTxRequests": "FALSE",
        "MeterValuesSampledData": "Energy.Active.Import.Register,Current.Import.L1",
        "StopTxnSampledData": "",
        "BlinkRepeat": None,
        "GetConfigurationMaxKeys": "1",
    }
    assert check_configuration(settings, {}) == []


def test_sections_may_be_empty_and_connectors_a_number(tmp_path):
    settings = right(tmp_path, MINIMAL + "connectors: 3\nsimulation:\nconfiguration:\n")
    assert settings.plans == (ConnectorPlan(),) * 3
    assert settings.configuration == {}


@pytest.mark.parametrize(
    ("text", "panel"),
    [
        ("localhost:80", PanelSettings("localhost", 80)),
        ('"[::1]:0"', PanelSettings("::1", 0)),
        ("off", None),
    ],
)
def test_the_panel_listens_where_it_is_told(tmp_path, text, panel):
    settings = right(tmp_path, f"{MINIMAL}panel: {text}\n")
    assert settings.panel == panel
    shown = {name: value for name, value, _ in effective(settings)}["panel"]
    assert shown == text.strip('"')


def test_the_environment_wins_over_the_file(here):
    environ = {
        "CHARGER_ID": "CP-9",
        "CHARGER_CENTRAL_URL": "ws://elsewhere/x",
        "CHARGER_PASSWORD": "from outside",
        "CHARGER_DATA": "/var/lib/charger",
        "CHARGER_PANEL": "0.0.0.0:8080",
        "CHARGER_PANEL_TOKEN": "let me in",
        "CHARGER_SOMETHING": "else",
    }
    settings = right(here, FULL, environ)
    assert settings.id == "CP-9"
    assert settings.central.url == "ws://elsewhere/x"
    assert settings.central.password == "from outside"
    assert settings.data == Path("/var/lib/charger")
    assert settings.panel == PanelSettings("0.0.0.0", 8080, "let me in")
    assert right(here, FULL, dict.fromkeys(environ, "")) == right(here, FULL)


def test_what_the_environment_gives_need_not_be_in_the_file(tmp_path):
    text = "vendor: V\nmodel: M\n"
    settings = right(tmp_path, text, {"CHARGER_ID": "A", "CHARGER_CENTRAL_URL": "ws://x"})
    assert (settings.id, settings.central.url) == ("A", "ws://x")


def test_secrets_are_not_in_the_repr(here):
    environ = {"CHARGER_PASSWORD": "sesame", "CHARGER_PANEL": "127.0.0.1:1", "CHARGER_PANEL_TOKEN": "sesame"}
    assert "sesame" not in repr(right(here, FULL, environ))


# -- wrong -------------------------------------------------------------------------------------------------


def test_all_mistakes_are_told_at_once(tmp_path):
    text = """\
id: a/b
vendro: JS Tech
model: 23
serial_number: 12345678901234567890123456
firmware_version: {}
iccid:
central:
  url: http://127.0.0.1/ocpp
  pasword: x
  ca_file: nowhere.pem
  verify_hostname: "yes"
charts: nowhere
data: station.yaml
panel: 8016
hardware: gpio
connectors:
  - {cable: fixde, phases: 2, max_current: 5}
  - {cable: socket, phases: [3], max_current: 80.1, lock: true}
  - both
simulation:
  power: 7.4 kW
  lock_delay: -1
  plugged: [1, 4, true, x, [2]]
  seed: 0.5
configuration:
  HeartbetInterval: 15
  ConnectionTimeOut: soon
  MeterValuesSampledData: {a: b}
  StopTxnSampledData: [Voltage, [Voltage]]
  NumberOfConnectors: 2
  ResetRetries: null
"""
    assert wrong(tmp_path, text) == [
        "1:1: the key 'vendor' is missing: add for example `vendor: Example Inc.` [missing-key]",
        "1:5: id: 'a/b' cannot be the last part of a URL: no '/', no '.' alone [bad-setting]",
        "2:1: a station has no key 'vendro' — did you mean 'vendor'? [unknown-key]",
        "4:16: serial_number: 26 characters; at most 25 are allowed [bad-setting]",
        "5:19: firmware_version: a text should stand here [wrong-kind]",
        "6:7: iccid: no value: write one, or remove the line [wrong-kind]",
        (
            "8:8: central.url: 'http://127.0.0.1/ocpp' is no WebSocket address: "
            "it begins with ws:// or wss:// [bad-setting]"
        ),
        "9:3: central has no key 'pasword' — did you mean 'password'? [unknown-key]",
        "10:12: central.ca_file: there is no file HERE/nowhere.pem [missing-file]",
        "11:21: central.verify_hostname: true or false should stand here [wrong-kind]",
        "12:9: charts: there is no HERE/nowhere/index.yaml: name the folder that holds it [missing-file]",
        "13:7: data: HERE/station.yaml is a file; a folder is needed [bad-setting]",
        "14:8: panel: '8016' is no address with a port: write it like 127.0.0.1:8016, or off [bad-setting]",
        ("15:11: hardware: gpio needs to know what is wired to what: add a section `board` [missing-key]"),
        (
            "17:13: connectors.1.cable: 'fixde' is neither fixed nor socket "
            "— did you mean 'fixed'? [bad-setting]"
        ),
        "17:28: connectors.1.phases: '2' is neither 1 nor 3 [bad-setting]",
        "17:44: connectors.1.max_current: 5 A is out of range: from 6 to 80 A [bad-setting]",
        "18:29: connectors.2.phases: a text should stand here [wrong-kind]",
        "18:47: connectors.2.max_current: 80.1 A is out of range: from 6 to 80 A [bad-setting]",
        "18:53: connectors.2 has no key 'lock': known are cable, phases, max_current, reader [unknown-key]",
        "19:5: connectors.3 is written as `key: value` pairs [wrong-kind]",
        "21:10: simulation.power: a number should stand here, in W and without the unit [wrong-kind]",
        "22:15: simulation.lock_delay: -1 s is out of range: from 0 to 60 s [bad-setting]",
        "23:16: simulation.plugged: no connector; they are numbered 1 to 3 [bad-setting]",
        "23:19: simulation.plugged: no connector; they are numbered 1 to 3 [bad-setting]",
        "23:25: simulation.plugged: no connector; they are numbered 1 to 3 [bad-setting]",
        "23:28: simulation.plugged: no connector; they are numbered 1 to 3 [bad-setting]",
        "24:9: simulation.seed: a whole number should stand here [wrong-kind]",
        "27:22: ConnectionTimeOut: 'soon' is not a whole number from 0 to 999999999 [bad-setting]",
        (
            "28:27: MeterValuesSampledData: true, false, a number, a text or a list of them "
            "should stand here [wrong-kind]"
        ),
        (
            "29:23: StopTxnSampledData: true, false, a number, a text or a list of them "
            "should stand here [wrong-kind]"
        ),
        "30:23: NumberOfConnectors: follows from `connectors`, 3 here: remove the line [bad-setting]",
        "31:17: ResetRetries: every station has this key; null is for optional ones [bad-setting]",
    ]


def test_a_finding_points_at_the_word(tmp_path):
    _, findings, sources = read(tmp_path, MINIMAL.replace("vendor", "vendro"))
    assert as_text(findings, sources).splitlines()[-4:] == [
        (
            f"{tmp_path}/station.yaml:2:1: error: a station has no key 'vendro' — did you mean 'vendor'? "
            "[unknown-key]"
        ),
        "  |",
        "2 | vendro: JS Tech",
        "  | ^~~~~~",
    ]


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}\n"])
def test_an_empty_file_lacks_what_every_station_needs(tmp_path, text):
    missing = [line.partition(" is missing")[0] for line in wrong(tmp_path, text)]
    assert missing == [f"1:1: the key '{key}'" for key in ("central.url", "id", "model", "vendor")]


def test_a_missing_address_is_missed_where_its_section_is(tmp_path):
    text = MINIMAL.replace("url: ws://127.0.0.1:9000/ocpp", "password: x")
    message = "add for example `url: ws://127.0.0.1:9000/ocpp` [missing-key]"
    assert wrong(tmp_path, text) == [f"5:3: the key 'central.url' is missing: {message}"]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("just words\n", "1:1: a station is written as `key: value` pairs [wrong-kind]"),
        ("id: [\n", "2:1: not readable as YAML"),
        ("id: A\nid: B\n", "2:1: key 'id' is already defined at line 1 [duplicate-key]"),
    ],
)
def test_what_is_no_station_is_told(tmp_path, text, first):
    assert any(line.startswith(first) for line in wrong(tmp_path, text))


def test_a_file_that_is_not_there_is_told(tmp_path):
    settings, (finding,), _ = load(tmp_path / "station.yaml", {})
    assert settings is None
    assert finding.rule == "unreadable-file"


ONE_LINE = {
    "id: ''": "id: empty: write a value, or remove the line [bad-setting]",
    "id: ' '": "id: empty: write a value, or remove the line [bad-setting]",
    "id: '..'": "id: '..' cannot be the last part of a URL: no '/', no '.' alone [bad-setting]",
    "id: true": "id: a text should stand here; quote it if you mean 'true' [wrong-kind]",
    "id: [A]": "id: a text should stand here [wrong-kind]",
    'id: "a\\tb"': "id: one line of printable characters, please [bad-setting]",
    f"id: {'x' * 256}": "id: 256 characters; at most 255 are allowed [bad-setting]",
    f"vendor: {'x' * 21}": "vendor: 21 characters; at most 20 are allowed [bad-setting]",
    f"model: {'x' * 21}": "model: 21 characters; at most 20 are allowed [bad-setting]",
    f"firmware_version: {'x' * 51}": "firmware_version: 51 characters; at most 50 are allowed [bad-setting]",
    "hardware: arduino": "hardware: 'arduino' is neither simulated nor gpio [bad-setting]",
    "connectors: 0": "connectors: 0 is out of range: from 1 to 99 [bad-setting]",
    "connectors: 100": "connectors: 100 is out of range: from 1 to 99 [bad-setting]",
    "connectors: true": "connectors: a whole number should stand here [wrong-kind]",
    "connectors: 1.5": "connectors: a whole number should stand here [wrong-kind]",
    "connectors: {cable: fixed}": "connectors: a whole number should stand here [wrong-kind]",
    "connectors: []": "connectors: a station has 1 to 99 [bad-setting]",
    "panel: 127.0.0.1:65536": "panel: '127.0.0.1:65536' is no address with a port: "
    "write it like 127.0.0.1:8016, or off [bad-setting]",
    "panel: 0.0.0.0:8016": "panel: others can reach 0.0.0.0: set CHARGER_PANEL_TOKEN, "
    "or use 127.0.0.1 [bad-setting]",
    "panel: box.local:8016": "panel: others can reach box.local: set CHARGER_PANEL_TOKEN, "
    "or use 127.0.0.1 [bad-setting]",
    "simulation: fast": "simulation is written as `key: value` pairs [wrong-kind]",
    "simulation: {power: true}": "simulation.power: a number should stand here, "
    "in W and without the unit [wrong-kind]",
    "simulation: {plugged: 1}": "simulation.plugged: a list of connectors, like [1] [wrong-kind]",
    "simulation: {seed: -1}": "simulation.seed: -1 is out of range: from 0 to 2147483648 [bad-setting]",
    "configuration: fast": "configuration is written as `key: value` pairs [wrong-kind]",
}


@pytest.mark.parametrize(("line", "message"), ONE_LINE.items(), ids=range(len(ONE_LINE)))
def test_one_wrong_line_is_one_finding(tmp_path, line, message):
    key = line.partition(":")[0]
    kept = [other for other in MINIMAL.splitlines() if not other.startswith(f"{key}:")]
    (finding,) = wrong(tmp_path, "\n".join([*kept, line]))
    assert finding.split(": ", 1)[1] == message
    assert finding.startswith(f"{len(kept) + 1}:")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ws://", "is no address: write it like ws://127.0.0.1:9000/ocpp"),
        ("ws:///ocpp", "is no address: write it like"),
        ("ws://a b/ocpp", "is no address: write it like"),
        ("ws://host:0/ocpp", "is no address: write it like"),
        ("ws://host:70000/ocpp", "the host or the port is wrong; a port is a number up to 65535"),
        ("ws://host:http/ocpp", "the host or the port is wrong"),
        ("ws://[::1/ocpp", "the host or the port is wrong"),
        ("127.0.0.1:9000/ocpp", "is no WebSocket address"),
        ("https://host/ocpp", "is no WebSocket address"),
        ("ws://host/ocpp?id=1", "nothing after '?' or '#', since the id is appended to it"),
        ('"ws://host/ocpp#1"', "nothing after '?' or '#', since the id is appended to it"),
        ("ws://me:secret@host/ocpp", "no user or password in it: the id is the user"),
    ],
)
def test_wrong_addresses_are_told(tmp_path, url, message):
    (finding,) = wrong(tmp_path, MINIMAL.replace("ws://127.0.0.1:9000/ocpp", url))
    assert finding.startswith("5:")
    assert message in finding
    assert "secret" not in finding


@pytest.mark.parametrize("url", ["ws://host", "wss://host/", "ws://[::1]:9000/a/b", "WS://HOST/x"])
def test_right_addresses_are_taken_as_they_are(tmp_path, url):
    assert right(tmp_path, MINIMAL.replace("ws://127.0.0.1:9000/ocpp", url)).central.url == url


def test_a_user_name_has_no_colon(tmp_path):
    text = MINIMAL.replace("CP001", "CP:001")
    assert right(tmp_path, text).id == "CP:001"
    (finding,) = wrong(tmp_path, text, {"CHARGER_PASSWORD": "x"})
    assert (
        finding == "1:5: id: no ':' together with a password, whose user name it is (RFC 7617) [bad-setting]"
    )


def test_a_wrong_variable_is_shown_and_a_secret_one_is_not(tmp_path):
    environ = {"CHARGER_CENTRAL_URL": "http://x", "CHARGER_PASSWORD": "se\tsame"}
    settings, findings, sources = read(tmp_path, MINIMAL, environ)
    assert settings is None
    text = as_text(findings, sources)
    assert "environment CHARGER_CENTRAL_URL:1:1: error: central.url: 'http://x' is no WebSocket" in text
    assert "1 | http://x" in text
    assert "environment CHARGER_PASSWORD:1:1: error: central.password: one line of printable" in text
    assert "sesame" not in text.replace("\t", "")


def test_the_shipped_charts_may_be_missing_too(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "shipped", lambda name: tmp_path / "gone" / name)
    (finding,) = wrong(tmp_path, MINIMAL)
    assert finding == (
        "1:1: charts: there is no HERE/gone/charts/index.yaml: name the folder that holds it [missing-file]"
    )


# -- configuration keys ------------------------------------------------------------------------------------


def judged(folder, lines, extra_keys=None, connectors=2):
    text = f"{MINIMAL}connectors: {connectors}\nconfiguration:\n" + "".join(f"  {line}\n" for line in lines)
    return [str(one).partition("error: ")[2] for one in check_configuration(right(folder, text), extra_keys)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("LocalPreAuthorize: 1", "LocalPreAuthorize: '1' is not true or false"),
        ("HeartbeatInterval: -1", "HeartbeatInterval: '-1' is not a whole number from 0 to 999999999"),
        ("LightIntensity: 101", "LightIntensity: '101' is not a whole number from 0 to 100"),
        ("TransactionMessageAttempts: 0", "'0' is not a whole number from 1 to"),
        ("MeterValuesSampledData: Voltag", "'Voltag' is not a list of at most 8 of Energy.Active.Import"),
        ("ConnectorPhaseRotation: 3.RST", "items like NotApplicable or 1.RST, for connectors up to 2"),
        ("NumberOfConnectors: 3", "follows from `connectors`, 2 here"),
        ("NumberOfConnectors: null", "every station has this key; null is for optional ones"),
        ("heartbeatInterval: 15", "there is no configuration key 'heartbeatInterval' — did you mean 'Heart"),
        ("FreeVending: true", "'FreeVending': OCPP 1.6 §9 and the settings of the charts have none"),
    ],
)
def test_wrong_keys_and_values_are_told(tmp_path, line, message):
    (finding,) = judged(tmp_path, [line], {})
    assert message in finding


@pytest.mark.parametrize(
    "line",
    [
        "NumberOfConnectors: 2",
        "ConnectorPhaseRotation: [0.RST, 2.RST]",
        "GetConfigurationMaxKeys: 1",
        "SupportedFeatureProfiles: Core",
        "MessageTimeout: null",
    ],
)
def test_right_keys_are_silent_and_may_be_read_only(tmp_path, line):
    assert judged(tmp_path, [line], {}) == []


def test_a_list_is_measured_with_its_own_length_wherever_that_stands(tmp_path):
    lines = ["StopTxnSampledData: [Voltage, Current.Import]", "StopTxnSampledDataMaxLength: 1"]
    (finding,) = judged(tmp_path, lines, {})
    assert "is not a list of at most 1 of" in finding
    (finding,) = judged(tmp_path, [lines[0], "StopTxnSampledDataMaxLength: many"], {})
    assert "'many' is not a whole number" in finding
    assert judged(tmp_path, [lines[0], "StopTxnSampledDataMaxLength: 2"], {}) == []


def test_settings_of_the_charts_are_keys_too(tmp_path):
    extra = {"FreeVending": False, "Patience": 5, "Greeting": "Hello"}
    lines = ["FreeVending: true", "Patience: 7", "Greeting: null"]
    assert judged(tmp_path, lines, extra) == []
    assert len(judged(tmp_path, lines, {})) == 3
    assert judged(tmp_path, lines, None) == []  # the charts cannot be asked
    (finding,) = judged(tmp_path, ["FreeVending: maybe"], extra)
    assert finding.startswith("FreeVending: 'maybe' is not true or false")


def test_with_another_mistake_the_keys_are_judged_at_once(here):
    charts(here / "others", "{FreeVending: false}")
    text = MINIMAL + "hardware: gpio\ncharts: others\nconfiguration: {FreeVending: maybe, FreeBeer: true}\n"
    assert [line.partition(" ")[0] for line in wrong(here, text)] == ["6:11:", "8:30:", "8:37:"]


def test_load_judges_the_keys_if_it_is_told_the_settings_of_the_charts(tmp_path):
    text = MINIMAL + "configuration: {FreeVending: true}\n"
    assert len(wrong(tmp_path, text, extra_keys={})) == 1
    settings, findings, _ = read(tmp_path, text, extra_keys={"FreeVending": False})
    assert (settings.configuration, findings) == ({"FreeVending": "true"}, [])


def test_connectors_share_one_reader_or_each_has_its_own(here):
    """A card at the shared reader would have to know which of them it may speak for."""
    text = FULL.replace("{cable: socket, reader: own}", "{cable: socket}")
    _, findings, _ = read(here, text)
    assert [str(finding.mark.line) + " " + finding.message for finding in findings] == [
        "21 connectors: give each of them `reader: own`, or none: they share one reader"
    ]


# -- where values come from --------------------------------------------------------------------------------


def test_every_setting_tells_where_it_came_from(here):
    settings = right(here, FULL, {"CHARGER_PASSWORD": "sesame"})
    rows = {name: (value, origin) for name, value, origin in effective(settings)}
    assert rows["id"] == ("RDAM 123", "station.yaml:1")
    assert rows["central.url"] == ("wss://csms.example:443/ocpp/", "station.yaml:12")
    assert rows["central.password"] == ("********", "environment CHARGER_PASSWORD")
    assert rows["central.verify_hostname"] == ("false", "station.yaml:15")
    assert rows["panel"] == ("off", "station.yaml:18")
    assert rows["panel_token"] == ("not set", "default")
    assert rows["connectors.1"] == ("fixed cable, 1 phase, 16.5 A, a reader of its own", "station.yaml:21")
    assert rows["connectors.2"] == (
        "socket with a lock, 3 phases, 32 A, a reader of its own",
        "station.yaml:22",
    )
    assert rows["simulation.power"] == ("11000", "station.yaml:25")
    assert rows["simulation.plugged"] == ("3, 1", "station.yaml:29")
    assert rows["configuration.HeartbeatInterval"] == ("15", "station.yaml:32")
    assert rows["configuration.BlinkRepeat"] == ("not offered", "station.yaml:37")
    assert rows["configuration.ConnectionTimeOut"] == ("60", "default")
    assert rows["configuration.NumberOfConnectors"] == ("3", "hardware")
    assert {name.partition(".")[2] for name in rows if name.startswith("configuration.")} == set(KEYS)


def test_counted_connectors_come_from_their_count(tmp_path):
    rows = {name: origin for name, _, origin in effective(right(tmp_path, MINIMAL + "connectors: 2\n"))}
    assert rows["connectors.2"] == "station.yaml:6"
    rows = {name: (value, origin) for name, value, origin in effective(right(tmp_path))}
    assert rows["connectors.1"][1] == rows["simulation.power"][1] == rows["charts"][1] == "default"
    assert rows["simulation.plugged"] == ("none", "default")


def test_the_running_configuration_shows_what_the_central_system_wrote(tmp_path):
    text = MINIMAL + "configuration: {HeartbeatInterval: 15, ConnectionTimeOut: 30, FreeVending: true}\n"
    settings = right(tmp_path, text)
    records = Records([Change("configuration", "HeartbeatInterval", "99")])
    extra = {"FreeVending": False, "Patience": 5}
    live = Configuration(records, extra, settings.configuration, {"NumberOfConnectors": "1"})
    rows = {name: (value, origin) for name, value, origin in effective(settings, live)}
    assert rows["configuration.HeartbeatInterval"] == ("99", "written by the Central System")
    assert rows["configuration.ConnectionTimeOut"] == ("30", "station.yaml:6")
    assert rows["configuration.FreeVending"] == ("true", "station.yaml:6")
    assert rows["configuration.Patience"] == ("5", "charts/index.yaml")
    first = {name: (value, origin) for name, value, origin in effective(settings)}
    assert first["configuration.FreeVending"] == ("true", "station.yaml:6")


# -- what is shipped ---------------------------------------------------------------------------------------


def test_shipped_folders_are_in_the_package_once_it_is_installed(tmp_path, monkeypatch):
    assert shipped("stations") == ROOT / "stations"
    installed = tmp_path / "site-packages" / "charger"
    (installed / "shipped" / "charts").mkdir(parents=True)
    monkeypatch.setattr(folders, "__file__", str(installed / "folders.py"))
    assert shipped("charts") == installed / "shipped" / "charts"
    assert shipped("diagrams") == tmp_path / "site-packages" / "diagrams"


def ship(name):
    settings, findings, sources = load(ROOT / "stations" / f"{name}.yaml", {}, {})
    assert not findings, as_text(findings, sources)
    return settings


def test_the_simulated_station_is_right():
    settings = ship("simulated")
    assert (settings.id, settings.central.url) == ("CP001", "ws://127.0.0.1:9000/ocpp")
    assert settings.plans == (ConnectorPlan(), ConnectorPlan())
    assert settings.panel == PanelSettings("127.0.0.1", 8016)


def test_every_commented_line_of_the_simulated_station_is_right_too(here):
    """Take away the `# ` of the examples: each is a setting."""
    lines = (ROOT / "stations" / "simulated.yaml").read_text().splitlines()
    examples = [line for line in lines if re.match(r" *# [A-Za-z_]+: ", line)]
    assert len(examples) == 10
    lines.remove(next(line for line in lines if line.startswith("connectors: 2")))
    (here / "charts").mkdir()
    (here / "charts" / "index.yaml").write_text("language: 1\ncharts: []\n")
    (here / "stations").mkdir()
    (here / "stations" / "root.pem").write_text("")
    text = "\n".join(line.replace("# ", "", 1) if line in examples else line for line in lines)
    settings, findings, sources = read(here / "stations", text, extra_keys={})
    assert not findings, as_text(findings, sources)
    assert settings.simulation.plugged == (1,)
    assert [plan.fixed for plan in settings.plans] == [False, True]
    assert settings.central.password == "secret"
    assert settings.configuration["LightIntensity"] is None


CERTIFICATE = {
    "AllowOfflineTxForUnknownId": None,
    "AuthorizationCacheEnabled": None,
    "AuthorizeRemoteTxRequests": False,
    "BlinkRepeat": None,
    "ClockAlignedDataInterval": 20,
    "ConnectionTimeOut": 60,
    "ConnectorPhaseRotation": ["NotApplicable"],
    "ConnectorPhaseRotationMaxLength": None,
    "GetConfigurationMaxKeys": 1,
    "HeartbeatInterval": 15,
    "LightIntensity": 15,
    "LocalAuthorizeOffline": False,
    "LocalPreAuthorize": False,
    "MaxEnergyOnInvalidId": None,
    "MessageTimeout": None,
    "MeterValuesAlignedData": ["Energy.Active.Import.Register"],
    "MeterValuesAlignedDataMaxLength": 4,
    "MeterValuesSampledData": ["Energy.Active.Import.Register"],
    "MeterValuesSampledDataMaxLength": 4,
    "MeterValueSampleInterval": 20,
    "MinimumStatusDuration": None,
    "NumberOfConnectors": 1,
    "ResetRetries": 0,
    "StopTransactionMaxMeterValues": 4,
    "StopTransactionOnEVSideDisconnect": True,
    "StopTransactionOnInvalidId": False,
    "StopTxnAlignedData": ["Energy.Active.Import.Register"],
    "StopTxnAlignedDataMaxLength": 4,
    "StopTxnSampledData": ["Energy.Active.Import.Register"],
    "StopTxnSampledDataMaxLength": 4,
    "SupportedFeatureProfiles": ["Core"],
    "SupportedFeatureProfilesMaxLength": None,
    "TransactionMessageAttempts": 10,
    "TransactionMessageRetryInterval": 2,
    "UnlockConnectorOnEVSideDisconnect": False,
    "WebSocketPingInterval": 20,
}


def test_the_certified_product_is_as_its_certificate_says():
    settings = ship("imkev7")
    assert settings.identity.payload() == {
        "chargePointVendor": "JS Tech CO.,LTD",
        "chargePointModel": "IMKEV7",
        "firmwareVersion": "v1.0",
    }
    assert [plan.fixed for plan in settings.plans] == [True]
    configuration = Configuration(Records(), {}, settings.configuration, {"NumberOfConnectors": "1"})
    told = {name: configuration.value(name) if configuration.find(name) else None for name in CERTIFICATE}
    assert told == CERTIFICATE
    assert set(settings.configuration) == set(CERTIFICATE)
