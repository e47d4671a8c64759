"""The reader of stories: what it makes of a file, and what it says of mistakes."""

from pathlib import Path

import pytest

from charger.stories.language import VERBS, Duration, Needs, StoryError, read_story

HEAD = "story: X_1\ntitle: t\n"


def written(folder: Path, text: str, **situations: str) -> Path:
    """A story in its folder, with situations beside it; without `given` it begins with none."""
    for name in ("core", "given"):
        (folder / name).mkdir(exist_ok=True)
    for name, content in situations.items():
        (folder / "given" / f"{name}.yaml").write_text(content)
    path = folder / "core" / "X_1-a-story.yaml"
    path.write_text(text if "given:" in text else f"{text}given: []\n")
    return path


def findings(path: Path) -> list[str]:
    with pytest.raises(StoryError) as caught:
        read_story(path)
    return [f"{f.mark.line}:{f.mark.column} {f.message} [{f.rule}]" for f in caught.value.findings]


def test_a_whole_story(tmp_path):
    path = written(
        tmp_path,
        """
story: X_1
title: A story
profile: Core
source: OCPP 1.6 §4
needs: {cable: socket, connectors: 2, keys: {LocalPreAuthorize: "true"}}
configuration: {ConnectionTimeOut: 5, "MinimumStatusDuration?": 0}
given: rest
steps:
  - plug: 2
  - do: rest
  - expect:
      - {StatusNotification: {connectorId: 2}}
      - Heartbeat
    after: 3 * ConnectionTimeOut + 500ms
    maybe: {Authorize: {idTag: $tag}}
  - call: {Reset: {type: Hard}}
    answer: [{status: Accepted}, {error: any}]
  - samples: 2
    every: 1m
    aligned: true
""",
        rest="description: nothing happens\nsteps: [{wait: 1h}]",
    )
    story = read_story(path)
    assert (story.name, story.title, story.profile, story.source) == ("X_1", "A story", "Core", "OCPP 1.6 §4")
    assert story.needs == Needs("socket", 2, {"LocalPreAuthorize": "true"})
    assert story.configuration == {"ConnectionTimeOut": "5", "MinimumStatusDuration?": "0"}
    assert [step.verb for step in story.steps] == ["wait", "plug", "wait", "expect", "call", "samples"]
    expect, call, samples = story.steps[3:]
    assert [(frame.action, frame.pattern) for frame in expect.what] == [
        ("StatusNotification", {"connectorId": 2}),
        ("Heartbeat", {}),
    ]
    assert expect.options["after"] == Duration(0.5, "ConnectionTimeOut", 3.0)
    assert expect.options["maybe"][0].pattern == {"idTag": "$tag"}
    assert expect.mark.line == 12
    assert call.what.pattern == {"type": "Hard"}
    assert call.options["answer"] == ({"status": "Accepted"}, {"error": "any"})
    assert samples.options == {"every": Duration(60.0), "aligned": True}
    assert story.steps[0].what == Duration(3600.0)


def test_a_story_without_a_name_has_that_of_its_file_and_begins_booted(tmp_path):
    path = written(tmp_path, "title: t\ngiven: booted\n", booted="steps: [{power: on}, {boots: Available}]")
    path.write_text("title: t\n")
    story = read_story(path)
    assert story.name == "X_1-a-story"
    assert [(step.verb, step.what) for step in story.steps] == [("power", "on"), ("boots", "Available")]


def test_needs_may_be_a_list_of_keys(tmp_path):
    assert read_story(
        written(tmp_path, f"{HEAD}needs: {{keys: [A or B, C]}}\nsteps: [{{plug: 1}}]\n")
    ).needs.keys == {
        "A or B": None,
        "C": None,
    }


MISTAKES = {
    "colour: red": "3:1 a story has no 'colour' [unknown-key]",
    "titel: t": "3:1 a story has no 'titel' — did you mean 'title'? [unknown-key]",
    "profile: Cor": "3:10 'Cor' cannot stand here — did you mean 'Core'? [unknown-word]",
    "profile: Reservation": "3:10 'Reservation' cannot stand here: one of Core, RemoteTrigger [unknown-word]",
    "source: [a]": "3:9 a text should stand here [wrong-kind]",
    "given: nowhere": "3:8 no situation 'nowhere': there are authorized, booted, charging, charging-from-here, circle, known, refused [unknown-situation]",
    "given: chargin": "3:8 no situation 'chargin' — did you mean 'charging'? [unknown-situation]",
    "given: [booted, booked]": "3:17 no situation 'booked' — did you mean 'booted'? [unknown-situation]",
    "steps: []": "3:8 nothing happens in this story, so it would pass with any station: write its steps [empty-story]",
    "source: me": "1:1 nothing happens in this story, so it would pass with any station: write its steps [empty-story]",
    "needs: socket": "3:8 a mapping should stand here: cable, connectors, keys, reader [wrong-kind]",
    "needs: {cables: socket}": "3:9 'needs' has no 'cables' — did you mean 'cable'? [unknown-key]",
    "needs: {connectors: two}": "3:21 a whole number should stand here [wrong-kind]",
    "needs: {connectors: true}": "3:21 a whole number should stand here [wrong-kind]",
    "configuration: [a]": "3:16 a mapping should stand here [wrong-kind]",
    "steps: 5": "3:8 a list of steps should stand here [wrong-kind]",
    "steps: [plug]": "3:9 a step is a mapping: - plug: 1 [wrong-kind]",
    "steps: [{}]": "3:9 a step is a mapping: - plug: 1 [wrong-kind]",
    "steps: [{plugg: 1}]": "3:10 no step begins with 'plugg' — did you mean 'plug'? [unknown-step]",
    "steps: [{shout: 1}]": "3:10 no step begins with 'shout' [unknown-step]",
    "steps: [{plug: one}]": "3:16 a whole number should stand here [wrong-kind]",
    "steps: [{plug: -1}]": "3:16 -1 is out of range: from 0 to 9999 [bad-number]",
    "steps: [{samples: 123456, every: 1s}]": "3:19 123456 is out of range: from 0 to 9999 [bad-number]",
    "steps: [{wait: 99999999999999999999h}]": "3:16 '99999999999999999999h' is more than 366 days, the longest time that can be waited for [bad-duration]",
    "steps: [{unplug: 1, sied: ev}]": "3:21 'unplug' has no 'sied' — did you mean 'side'? [unknown-key]",
    "steps: [{wait: soon}]": "3:16 'soon' is no duration: 10s, ConnectionTimeOut, or 3 * ConnectionTimeOut + 5s [bad-duration]",
    "steps: [{wait: A + B}]": "3:16 'A + B' is no duration: 10s, ConnectionTimeOut, or 3 * ConnectionTimeOut + 5s [bad-duration]",
    "steps: [{wait: A + 2 * B}]": "3:16 'A + 2 * B' is no duration: 10s, ConnectionTimeOut, or 3 * ConnectionTimeOut + 5s [bad-duration]",
    "steps: [{expect: {Hartbeat: {}}}]": "3:19 OCPP 1.6 has no message 'Hartbeat' — did you mean 'Heartbeat'? [unknown-message]",
    "steps: [{expect: {Heartbeat: {}, Reset: {}}}]": "3:18 one message should stand here: {Heartbeat: {}} [wrong-kind]",
    "steps: [{expect: {Heartbeat: 1}}]": "3:30 a mapping should stand here [wrong-kind]",
    "steps: [{input: door}]": "3:17 one of them should stand here, and how it is: {door: on} [wrong-kind]",
    "steps: [{output: {fan: fast}}]": "3:24 'fast' cannot stand here: one of on, off, blink [unknown-word]",
    "steps: [{light: green, where: 1}]": "3:24 'light' has no 'where' [unknown-key]",
    "steps: [{samples: 1, every: 5s, aligned: 1}]": "3:42 true or false should stand here [wrong-kind]",
    "steps: [{samples: 1}]": "3:10 'samples' needs 'every' [missing-key]",
    "steps: [{do: circle}]": "2:14 the situation 'circle' begins with itself [endless]",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_told_with_its_place(line, tmp_path):
    path = written(
        tmp_path,
        f"{HEAD}{line}\n",
        booted="steps: []",
        circle="description: d\nsteps: [{do: circle}]",
    )
    assert findings(path) == [MISTAKES[line]]


def test_situations_beside_a_story_come_before_ours(tmp_path):
    path = written(tmp_path, f"{HEAD}given: [booted, known]\n", booted="steps: [{wait: 1s}]")
    steps = read_story(path).steps
    assert [step.verb for step in steps] == ["wait", "wait", "swipe", "expect", "swipe", "expect"]
    assert Path(steps[-1].mark.file) == SITUATIONS / "known.yaml"


def test_every_mistake_is_told_at_once(tmp_path):
    assert (
        len(findings(written(tmp_path, f"{HEAD}colour: red\nsteps: [{{plugg: 1}}, {{wait: soon}}]\n"))) == 3
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- a", ["1:1 a story is a mapping that begins with 'story:' [wrong-kind]"]),
        ("a: [", None),
    ],
)
def test_what_is_no_story_at_all(text, told, tmp_path):
    path = written(tmp_path, "given: []")
    path.write_text(text)
    found = findings(path)
    assert found == told if told else len(found) == 1 and "not readable as YAML" in found[0]


def test_a_situation_that_cannot_be_read_is_told_with_its_own_place(tmp_path):
    path = written(tmp_path, f"{HEAD}given: [odd, broken]\n", odd="- a", broken="stepps: []")
    with pytest.raises(StoryError) as caught:
        read_story(path)
    assert [Path(f.mark.file).name for f in caught.value.findings] == ["broken.yaml", "odd.yaml"]
    assert set(caught.value.sources) == {
        str(path),
        *(str(tmp_path / "given" / f"{n}.yaml") for n in ("odd", "broken")),
    }
    assert "a situation has no 'stepps' — did you mean 'steps'?" in str(caught.value)


def test_the_player_knows_every_verb():
    from charger.stories.play import Player

    assert [verb for verb in VERBS if verb != "do" and not hasattr(Player, f"_{verb}")] == []


PAGE = Path(__file__).parents[2] / "docs" / "stories.md"
SITUATIONS = Path(__file__).parent / "given"
EXAMPLES = [part.partition("```")[0] for part in PAGE.read_text().split("```yaml\n")[1:]]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.split("\n", 2)[1].strip("- ")[:20])
def test_the_examples_of_the_page_are_understood(example, tmp_path):
    situations = {path.stem: path.read_text() for path in SITUATIONS.glob("*.yaml")}
    path = written(tmp_path, example, **situations)
    story = read_story(path)
    assert story.steps or story.configuration


def test_the_page_shows_every_verb_and_every_option(tmp_path):
    shown = {
        (step.verb, option)
        for example in EXAMPLES
        for step in read_story(
            written(tmp_path, example, booted="steps: [{power: on}]", **{"charging-from-here": "steps: []"})
        ).steps
        for option in (None, *step.options)
    }
    text = PAGE.read_text()
    for name, verb in VERBS.items():
        assert name == "do" or (name, None) in shown, name
        for option in verb.options:
            assert (name, option) in shown or f"`{option}`" in text, f"{name}: {option}"
