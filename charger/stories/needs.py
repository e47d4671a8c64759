"""Whether a story says anything about a station: its cable, its connectors, the keys it has.

A station that has not got what a story is about is not tested by it. One that has it and misbehaves is: only
settings are looked at here, never a running station.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Final

from charger.functions.configuration import Configuration, Key
from charger.functions.records import Records
from charger.ports import Change
from charger.settings import Settings
from charger.statechart.checks import Checked
from charger.station import configuration_of
from charger.stories.language import Story

CABLES: Final = {"fixed": "fixed cable", "socket": "socket"}


def keys_of(settings: Settings, checked: Checked, stored: Iterable[Change] = ()) -> Configuration:
    """The configuration keys of a station with these facts; without any, before its first start."""
    return configuration_of(checked.charts, settings.plans, Records(stored), settings.configuration)


def why_not(story: Story, settings: Settings, configuration: Configuration) -> str | None:
    """Why the story says nothing about this station, as a sentence; None when it does.

    Args:
        story: it.
        settings: the station; the cable is that of connector 1, where stories take place.
        configuration: its keys before the first start, as `keys_of` has them.
    """
    needs, plans = story.needs, settings.plans
    cable = "fixed" if plans[0].fixed else "socket"
    if needs.cable not in (None, cable):
        return f"It needs a {CABLES[str(needs.cable)]}, and connector 1 has a {CABLES[cable]}."
    if len(plans) < needs.connectors:
        return f"It needs {needs.connectors} connectors, and the station has {len(plans)}."
    if needs.reader == "shared" and all(plan.own_reader for plan in plans):
        return "It needs a reader for several connectors, and every connector has one of its own."
    return _missing(needs.keys, configuration) or _unwritable(story.configuration, configuration)


def _missing(keys: Mapping[str, str | None], configuration: Configuration) -> str | None:
    """Of the keys that the station must offer; ``A or B`` is one of the two."""
    for names, value in keys.items():
        found = [key for name in names.split(" or ") if (key := configuration.find(name))]
        if not found:
            return f"It needs {names}, which the station does not offer."
        wrong = [key for key in found if value is not None and _stuck(key, value, configuration)]
        if len(wrong) == len(found):
            return _told(wrong[0], value, configuration)
    return None


def _unwritable(wanted: Mapping[str, str], configuration: Configuration) -> str | None:
    """Of the keys that the story writes; a name with a question mark is written where it is offered."""
    for name, value in wanted.items():
        key = configuration.find(name.removesuffix("?"))
        if key is None and not name.endswith("?"):
            return f"It writes {name}, which the station does not offer."
        if key and _stuck(key, value, configuration):
            return _told(key, value, configuration)
    return None


def _stuck(key: Key, value: str, configuration: Configuration) -> bool:
    """It has another value, and cannot be written."""
    return not configuration.writable(key) and not fnmatchcase(
        configuration.text(key.name).casefold(), value.casefold()
    )


def _told(key: Key, value: str | None, configuration: Configuration) -> str:
    return f"It needs {key.name} to be {value}, and here it is always '{configuration.text(key.name)}'."
