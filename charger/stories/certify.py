"""Which stories a station has to pass, and playing them, each on a station of its own.

Every story begins with an empty data folder and nothing plugged in. What the station offers is asked of the
station. Prints nothing and judges nothing: `report.py` makes the report.
"""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from charger.errors import SourceError, UsageError
from charger.functions.configuration import Configuration, split
from charger.settings import Settings
from charger.statechart.checks import Checked
from charger.statechart.ensemble import Observer
from charger.statechart.findings import Mark, nearest
from charger.stories.language import PATIENCE, Step, Story, StoryError, read_story, stories_folder
from charger.stories.needs import keys_of, why_not
from charger.stories.play import Played, play
from charger.stories.real import RealStage
from charger.stories.stage import Stage
from charger.stories.virtual import VirtualStage

FOLDERS: Final = {"Core": "core", "RemoteTrigger": "remote-trigger"}
"""Feature profile → the folder of its stories."""


def read_stories(profiles: Iterable[str]) -> list[Story]:
    """The stories of these profiles, in the order of their names.

    Raises:
        SourceError: one is no story.
    """
    stories = []
    for profile in profiles:
        paths = sorted((stories_folder() / FOLDERS[profile]).glob("*.yaml"))
        stories += [replace(_read(path), profile=profile) for path in paths]
    return stories


def _read(path: Path) -> Story:
    try:
        return read_story(path)
    except StoryError as error:
        raise SourceError(error.findings) from error


def choose(stories: Sequence[Story], names: Sequence[str]) -> list[Story]:
    """Those of these names, and those in files of one's own; all of the shipped ones when there are no names.

    Raises:
        UsageError: there is no story of such a name.
        SourceError: a file is no story.
    """
    files = [name for name in names if _is_file(name)]
    known = [story.name for story in stories]
    for name in names:
        if name not in known and name not in files:
            raise UsageError(f"there is no story '{name}'{nearest(name, known)}")
    own = [_read(Path(name)) for name in files]
    return [
        *(story for story in stories if story.name in names or not names),
        *(replace(story, profile=story.profile or "Core") for story in own),
    ]


def only_own(names: Sequence[str]) -> bool:
    """Whether these are all files of one's own, which have nothing to do with a certificate."""
    return bool(names) and all(map(_is_file, names))


def _is_file(name: str) -> bool:
    return name.endswith(".yaml")


# -- playing -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Theatre:
    """Where stories are played."""

    settings: Settings
    checked: Checked
    virtual: bool = False
    observer: Observer | None = None
    """Told of guards and transitions; in virtual time only."""

    @contextmanager
    def stage(self) -> Iterator[Stage]:
        """A new station without power, and without a car."""
        settings = self.settings
        settings = replace(settings, simulation=replace(settings.simulation, plugged=()))
        if self.virtual:
            with tempfile.TemporaryDirectory(prefix="charger-story-") as folder:
                yield VirtualStage(settings, self.checked, Path(folder), self.observer)
        else:
            with RealStage(settings, self.checked) as stage:
                yield stage

    def play(self, story: Story) -> Played:
        """Play one story; whatever goes wrong on the way is its failure."""
        try:
            with self.stage() as stage:
                played = play(story, stage)
        except ConnectionError as error:
            played = Played(story, failure=f"{story.file}: {error}")
        except Exception as error:  # noqa: BLE001 - the other stories are still to be played
            trace = traceback.format_exc().splitlines()
            played = Played(story, failure=f"{story.file}: {type(error).__name__}: {error}", log=trace)
        if played.failure:
            played.failure = played.failure.replace(f"{stories_folder()}/", "")
        return played


@dataclass(frozen=True, slots=True)
class Asked:
    """What the station told of its configuration."""

    values: dict[str, str]
    """Key → value; a key that it does not offer is left out."""
    failure: str | None = None
    """Why there are none, or not all of them."""

    def offers(self, profile: str) -> bool:
        """Whether it has a feature profile; a station that told nothing is believed to."""
        offered = split(self.values.get("SupportedFeatureProfiles", ""))
        return profile == "Core" or profile in offered or self.failure is not None


def ask_keys(theatre: Theatre, keys: Sequence[str]) -> Asked:
    """Boot a station and ask for each of these keys with GetConfiguration, one at a time.

    One at a time because GetConfigurationMaxKeys may be 1 (OCPP 1.6 §9.1).
    """
    mark = Mark("the configuration", 1, 1)
    steps = (
        Step(mark, "central", {"BootNotification": {"interval": 0}}),  # HeartbeatInterval stays as it is
        Step(mark, "power", "on"),
        Step(mark, "boots", "Available"),
    )
    values: dict[str, str] = {}
    try:
        with theatre.stage() as stage:
            failure = play(Story(mark.file, "", steps=steps), stage).failure
            if failure is None:
                for key in keys:
                    value = _ask(stage, key)
                    if value is not None:
                        values[key] = value
    except (OSError, ValueError) as error:
        failure = str(error)
    return Asked(values, failure)


def _ask(stage: Stage, key: str) -> str | None:
    answer_of = stage.call("GetConfiguration", {"key": [key]})
    stage.wait(PATIENCE, lambda: answer_of() is not None)
    answer = answer_of()
    if answer is None or answer.payload is None:
        raise ConnectionError(f"GetConfiguration of {key}: {answer.error if answer else 'no answer'}")
    found = answer.payload.get("configurationKey")
    return str(found[0].get("value", "")) if found else None


@dataclass(slots=True)
class Run:
    """One self-test. What was done stays in it, should it be interrupted."""

    theatre: Theatre
    stories: Sequence[Story]
    keys: Sequence[str]
    """Asked of the station before the first story."""
    asked: Asked = field(default_factory=lambda: Asked({}, "interrupted before"))
    played: list[Played] = field(default_factory=list)

    def play(self, begins: Callable[[str], None], ended: Callable[[Played], None]) -> None:
        """Play one story after the other.

        Args:
            begins: told what is played now, for people.
            ended: told of every story that was played.
        """
        begins("the configuration of the station")
        self.asked = ask_keys(self.theatre, self.keys)
        keys = keys_of(self.theatre.settings, self.theatre.checked)
        for story in self.stories:
            begins(f"{story.name}  {story.title}")
            why = self._why_not(story, keys)
            played = Played(story, skipped=why) if why else self.theatre.play(story)
            self.played.append(played)
            ended(played)

    def _why_not(self, story: Story, keys: Configuration) -> str | None:
        if not self.asked.offers(story.profile):
            return f"The station does not offer {story.profile}."
        return why_not(story, self.theatre.settings, keys)
