"""Every story on every kind of station, in virtual time; and proof that the stories can fail."""

from functools import cache
from pathlib import Path
from shutil import copytree

import pytest
from rig import CHARTS, checked, observe_story

from charger.settings import Settings, load
from charger.statechart.checks import check
from charger.stories.language import FRAGMENTS, read_story
from charger.stories.needs import keys_of, why_not
from charger.stories.play import play
from charger.stories.virtual import VirtualStage
from charger.vocabulary import build

HERE = Path(__file__).parent
SHIPPED = HERE.parent.parent / "stations"
FILES = sorted(path for path in HERE.glob("*/*.yaml") if path.parent.name != FRAGMENTS)
REST = """
id: CP001
vendor: Example
model: Simulated
central: {url: "ws://127.0.0.1:9000/ocpp"}
data: ./data
hardware: simulated
"""
STATIONS = {
    "two sockets": (SHIPPED / "simulated.yaml").read_text(),
    "one cable": (SHIPPED / "imkev7.yaml").read_text(),
    "two cables": f"""{REST}
connectors: [{{cable: fixed, phases: 3, max_current: 16}}, {{cable: fixed, phases: 1, max_current: 32}}]
configuration: {{AuthorizationCacheEnabled: null, ConnectionTimeOut: 20, HeartbeatInterval: 15}}
""",
    "three connectors": f"""{REST}
connectors: [{{cable: socket}}, {{cable: fixed}}, {{cable: socket}}]
configuration:
  {{AllowOfflineTxForUnknownId: null, MinimumStatusDuration: null, LightIntensity: null, MeterValueSampleInterval: 10}}
""",
    "readers of their own": f"""{REST}
connectors: [{{cable: socket, reader: own}}, {{cable: fixed, reader: own}}]
""",
}
DEFECTS: dict[tuple[str, str], str] = {}
"""Story and station → what the station does wrong, until it is mended."""


@pytest.fixture(scope="session")
def station(tmp_path_factory):
    """The settings of one of `STATIONS`, by name."""

    @cache
    def settings(name: str) -> Settings:
        file = tmp_path_factory.mktemp("station") / "station.yaml"
        file.write_text(STATIONS[name])
        found, findings, _ = load(file, {})
        assert found, findings
        return found

    return settings


@pytest.mark.parametrize("name", STATIONS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_station_does_as_the_story_tells(path, name, station, tmp_path, request):
    story, settings = read_story(path), station(name)
    keys = keys_of(settings, checked())
    if reason := why_not(story, settings, keys):
        pytest.skip(reason)
    if defect := DEFECTS.get((story.name, name)):
        request.applymarker(pytest.mark.xfail(strict=True, reason=defect))
    played = play(story, VirtualStage(settings, checked(), tmp_path, observe_story))
    assert played.failure is None, played.failure


def test_every_defect_is_of_a_story_and_a_station():
    assert {story for story, _ in DEFECTS} <= {read_story(path).name for path in FILES}
    assert {name for _, name in DEFECTS} <= set(STATIONS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_story_tells_who_wants_it_and_applies_somewhere(path, station):
    story = read_story(path)
    assert path.stem.startswith(f"{story.name}-")
    assert story.title
    assert "OCPP" in story.source or "OCTT" in story.source
    assert (story.profile == "RemoteTrigger") == (path.parent.name == "remote-trigger")
    everywhere = [
        why_not(
            story,
            settings,
            keys_of(settings, checked()),
        )
        for settings in map(station, STATIONS)
    ]
    assert None in everywhere


def test_no_case_of_the_certification_is_missing():
    core = """
        001 002 003 004_1 004_2 005_1 005_2 005_3 007_1 007_2 010 011_1 011_2 012 013 014 015 016 017_1 017_2
        018_1 018_2 019 021 023_4 023_5 024 026 027 028 030 031 032_2 034 036 037_1 037_2 037_3 038 039 040_1
        040_2 041 061_1 061_2 062 068 069 070 071 054 055
    """
    names = [read_story(path).name for path in FILES]
    assert {f"TC_{number}" for number in core.split()} == {name for name in names if name.startswith("TC_")}
    assert len(set(names)) == len(names)


# -- a story that cannot fail says nothing -----------------------------------------------------------------

BROKEN = {
    "the wrong reason": (
        "TC_012",
        "transaction",
        "transaction.ending: {reason: Remote}",
        "transaction.ending: {reason: Local}",
        "reason is 'Local', not 'Remote'",
    ),
    "a refused card starts": (
        "TC_023_4",
        "authorization",
        "ocpp.Authorize.refused: {target: Idle, ",
        "ocpp.Authorize.refused: {target: Granted, ",
        "StatusNotification",
    ),
    "impatient after Rejected": (
        "TC_001",
        "registration",
        "exit: [ocpp.answer_calls]\n    after: {registration.interval: Unregistered}",
        "exit: [ocpp.answer_calls]\n    after: {2s: Unregistered}",
        "BootNotification came 3.0 s too early",
    ),
    "the plug may come later": (
        "TC_004_2",
        "connector",
        "after: {ConnectionTimeOut: {target: Passing",
        "after: {66s: {target: Passing",
        'expected StatusNotification {"connectorId": 1, "status": "Available", "errorCode": "NoError"} within 65 s',
    ),
    "Unavailable is only said": (
        "TC_034",
        "availability",
        "- {reply: Accepted, actions: [availability.set: {type: event.type}]}",
        "- {reply: Accepted}",
        "and nothing came",
    ),
    "what is offline is lost": (
        "TC_036",
        "metering",
        "MeterValueSampleInterval: {actions",
        "MeterValueSampleInterval: {guard: online, actions",
        "s apart, not 5",
    ),
    "not aligned": (
        "TC_071",
        "metering",
        "      1m: {actions: [transaction.note]}",
        "      1m: {actions: [transaction.note]}\n      7s: {actions: [meter.report: {context: Sample.Periodic}]}",
        "the context is Sample.Periodic",
    ),
    "the unlocked plug goes on charging": (
        "TC_018_1",
        "lock",
        "    entry: [raise: {transaction.stop: {reason: UnlockCommand}}]\n",
        "",
        "UnlockConnector",
    ),
    "an unknown transaction is stopped": (
        "TC_028",
        "authorization",
        "ocpp.RemoteStopTransaction: {reply: Rejected}",
        "ocpp.RemoteStopTransaction: {reply: Accepted}",
        'RemoteStopTransaction was answered {"status": "Accepted"}, not {"status": "Rejected"}',
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_story_fails_when_the_behaviour_is_broken(case, station, tmp_path):
    name, chart, right, wrong, told = BROKEN[case]
    charts = tmp_path / "charts"
    copytree(CHARTS, charts)
    file = charts / f"{chart}.yaml"
    text = file.read_text()
    assert text.count(right) == 1, f"{case}: {file.name} has changed; break it in another way"
    file.write_text(text.replace(right, wrong))
    found = check(charts, build)
    assert not found.findings, found.findings
    path = next(path for path in FILES if path.stem.startswith(f"{name}-"))
    played = play(read_story(path), VirtualStage(station("two sockets"), found, tmp_path))
    assert played.failure is not None
    assert told in played.failure.splitlines()[0] + played.failure.splitlines()[1], played.failure
