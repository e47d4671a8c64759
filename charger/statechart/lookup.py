"""`charger explain NAME`: what a word is, where the charts use it, and three lines that show it.

A name may be several things; each is a block. The example is taken from the charts: real use beats an
invented one, which stands in where there is none.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

from charger.statechart import describe, examples, language, model, usage
from charger.statechart.checks_reference import WHY
from charger.statechart.lookup_text import Block, layout
from charger.statechart.model import Chart, ChartSet
from charger.statechart.reader import RESERVED
from charger.statechart.usage import Place
from charger.statechart.words import Field, Vocabulary, shown


class Lookup:
    """Looks names up in a vocabulary and in a set of charts."""

    def __init__(self, charts: ChartSet, vocabulary: Vocabulary) -> None:
        self._charts = charts
        self._vocabulary = vocabulary
        self._kinds: tuple[Callable[[str], Iterator[Block]], ...] = (
            *(self._chart, self._state, self._tag, self._status, self._event, self._signal),
            *(self._fact, self._action, self._answer, self._guard, self._key, self._output),
            *(self._word, self._field, self._language, self._reserved, self._rule),
        )

    def explain(self, name: str) -> str:
        """Everything that `name` is, as text of at most a screen; empty when it is nothing."""
        blocks = [block for kind in self._kinds for block in kind(name)]
        return layout(blocks, self._charts.sources)

    def nearest(self, name: str) -> list[str]:
        """The known names that are most like this one, the likest first."""
        folded: dict[str, str] = {}
        for known in sorted(self.names()):
            folded.setdefault(known.casefold(), known)
        found = difflib.get_close_matches(name.casefold(), folded, n=4, cutoff=0.6)
        return [folded[one] for one in found]

    def names(self) -> set[str]:
        """Every name that can be explained."""
        vocabulary, charts = self._vocabulary, self._charts
        states = {name for chart in charts.charts.values() for name in chart.states if name}
        guards = {name for chart in charts.charts.values() for name in chart.guards}
        kinds = (vocabulary.events, vocabulary.facts, vocabulary.actions, vocabulary.answers)
        words = {word for fields in self._fields.values() for one in fields.values() for word in one.words}
        return {
            *(name for kind in kinds for name in kind),
            *(*vocabulary.keys, *vocabulary.errors, *charts.charts, *charts.signals(), *charts.guards),
            *(status for statuses in vocabulary.statuses.values() for status in statuses),
            *(*states, *guards, *self._tags, *words, *charts.outputs, *language.WORDS, *RESERVED),
            *self._rules,
        }

    # -- charts ----------------------------------------------------------------------------------------

    def _chart(self, name: str) -> Iterator[Block]:
        chart = self._charts.charts.get(name)
        if chart is None:
            return
        heard = {t.trigger for t in chart.transitions() if t.kind == "on"}
        raised = {use.name for use in model.uses(chart) if use.raises}
        notes = [
            chart.description,
            f"{len(chart.states) - 1} states: {', '.join(one for one in chart.states if one)}",
            f"hears: {', '.join(sorted(heard))}" if heard else "",
            f"raises: {', '.join(sorted(raised))}" if raised else "",
        ]
        whose = " and ".join(
            {"station": "of the station", "connector": "of a connector"}[one] for one in chart.scopes
        )
        yield Block(
            f"{name}: a chart {whose}",
            notes,
            Place(name, usage.WRITTEN, chart.mark),
            {"asked": self._asked(f"{name}.")},
        )

    def _state(self, name: str) -> Iterator[Block]:
        chart_name, _, only = name.rpartition(".")
        for chart in self._charts.charts.values():
            if only in chart.states and only and chart_name in ("", chart.name):
                yield self._state_of(chart, chart.states[only])

    def _state_of(self, chart: Chart, state: model.State) -> Block:
        lineage = list(chart.lineage(state.name))
        status = next((one.status for one in lineage if one.status), None)
        facts = [
            f"status {status}" if status else "",
            f"tags {', '.join(sorted(chart.tags(state.name)))}" if chart.tags(state.name) else "",
            f"inside {', '.join(reversed(chart.path(state.name)[:-1]))}" if state.parent else "",
            f"holds {', '.join(state.children)}" if state.children else "",
            "final" if state.final else "",
        ]
        ways_in = [place for place in self._of(state.name, usage.TARGET) if place.chart == chart.name]
        ways_out = [
            Place(state.name, "out", one.mark, _guarded(one), chart.name)
            for around in lineage
            for one in around.transitions
            if one.target and one.target != state.name
        ]
        return Block(
            f"{state.name}: a state of chart {chart.name}",
            [state.description, "; ".join(filter(None, facts))],
            Place(state.name, usage.WRITTEN, state.mark),
            {
                "way in": ways_in,
                "way out": ways_out,
                "asked": self._of(f"{chart.name}.{state.name}", usage.ASKED),
            },
            shows=("itself",),
        )

    def _tag(self, name: str) -> Iterator[Block]:
        if name in self._tags:
            yield Block(
                f"{name}: a tag",
                ["States have it, and so have the states inside; other charts ask `in(" + name + ")`."],
                places={"had by": self._of(name, usage.TAGGED), "asked": self._of(name, usage.ASKED)},
            )

    def _status(self, name: str) -> Iterator[Block]:
        scopes = [
            describe.SCOPES[scope] for scope, known in self._vocabulary.statuses.items() if name in known
        ]
        if scopes:
            yield Block(
                f"{name}: an OCPP status {' and '.join(sorted(scopes))}",
                places={"told in": self._of(name, usage.STATUS)},
                example=f"Somewhere:\n  status: {name}",
            )

    def _guard(self, name: str) -> Iterator[Block]:
        owners: list[Chart | None] = [None, *self._charts.charts.values()]
        for chart in owners:
            guards = chart or self._charts
            if name not in guards.guards:
                continue
            asked = [
                place
                for place in self._of(name, usage.ASKED)
                if place.chart == (chart.name if chart else place.chart)
            ]
            mark = guards.guards[name].mark
            yield Block(
                f"{name}: a named guard of {f'chart {chart.name}' if chart else 'all charts'}",
                [guards.guard_texts[name]],
                Place(name, usage.WRITTEN, mark),
                {"asked": asked},
            )

    def _signal(self, name: str) -> Iterator[Block]:
        fields = self._charts.signals().get(name)
        if fields is not None:
            yield Block(
                f"{name}: a signal",
                [f"fields: {', '.join(sorted(fields))}" if fields else ""],
                places={"raised": self._of(name, usage.RAISED), "heard": self._of(name, usage.HEARD)},
                shows=("heard",),
            )

    # -- vocabulary ------------------------------------------------------------------------------------

    def _event(self, name: str) -> Iterator[Block]:
        word = self._vocabulary.events.get(name)
        if word is None:
            return
        what, *notes = describe.event(word, self._vocabulary)
        heard = self._of(name, usage.HEARD)
        places = {"heard": heard, "paid": self._of(name, usage.REPLIED)}
        for action, one in self._vocabulary.actions.items():
            if name in one.answers:
                places[f"after {action}"] = self._of(action, usage.PERFORMED)
        if word.replies is not None and not heard:
            places["heard as ocpp.*"] = self._of("ocpp.*", usage.HEARD)
        example = examples.event(word, describe.made_for(word, self._vocabulary))
        yield Block(f"{name}: {what}", notes, places=places, example=example, shows=("heard",))

    def _fact(self, name: str) -> Iterator[Block]:
        word = self._vocabulary.facts.get(name)
        if word is not None:
            what, *notes = describe.fact(word)
            places = {"asked": self._of(name, usage.ASKED), "delay": self._of(name, usage.DELAY)}
            yield Block(f"{name}: {what}", notes, places=places, example=examples.fact(word))

    def _action(self, name: str) -> Iterator[Block]:
        word = self._vocabulary.actions.get(name)
        if word is not None:
            what, *notes = describe.action(word)
            performed, watched = (self._of(name, role) for role in (usage.PERFORMED, usage.WATCHED))
            places = {"performed": performed, "watched": watched}
            example = examples.action(word)
            yield Block(f"{name}: {what}", notes, places=places, example=example, shows=("performed",))

    def _answer(self, name: str) -> Iterator[Block]:
        word = self._vocabulary.answers.get(name)
        if word is not None:
            what, *notes = describe.answer(word)
            places = {"replied": self._of(name, usage.REPLIED)}
            yield Block(f"{name}: {what}", notes, places=places, example=examples.answer(word))

    def _key(self, name: str) -> Iterator[Block]:
        key = self._vocabulary.keys.get(name)
        if key is not None:
            what, *notes = describe.key(key)
            mark = self._charts.setting_marks.get(name)
            places = {"delay": self._of(name, usage.DELAY), "asked": self._of(name, usage.ASKED)}
            at = Place(name, usage.WRITTEN, mark) if mark else None
            yield Block(f"{name}: {what}", notes, at, places, examples.key(key))

    def _output(self, name: str) -> Iterator[Block]:
        pin = self._charts.outputs.get(name)
        if pin is not None:
            actions = [f"{name}.{state}" for state in ("on", "off", "blink")]
            yield Block(
                f"{name}: an output of the {pin.scope}",
                [pin.description, f"actions: {', '.join(actions)}"],
                Place(name, usage.WRITTEN, pin.mark),
                {"performed": [place for one in actions for place in self._of(one, usage.PERFORMED)]},
            )

    def _word(self, name: str) -> Iterator[Block]:
        """A word of OCPP: what a field, a fact or an answer may be."""
        where = [
            f"{key} of {owner}"
            for owner, fields in self._fields.items()
            for key, one in fields.items()
            if name in one.words
        ]
        where += [f"fact {one.name}" for one in self._vocabulary.facts.values() if name in one.words]
        calls = self._vocabulary.calls().values()
        where += [f"answer to {one.name}" for one in calls if name in (one.replies or ())]
        where += ["reply: {error: …}"] if name in self._vocabulary.errors else []
        if where:
            more = f" and {len(where) - 6} more" if len(where) > 6 else ""
            used = [*self._of(name, usage.ARGUMENT), *self._of(name, usage.ASKED)]
            yield Block(
                f"{name}: a word of the protocol",
                [f"may be {', '.join(where[:6])}{more}"],
                places={"used": used, "replied": self._of(name, usage.REPLIED)},
            )

    def _field(self, name: str) -> Iterator[Block]:
        prefix, _, word = name.partition(".")
        events = [one for one in self._vocabulary.events.values() if word in one.fields]
        asked = self._of(name, usage.ASKED)
        if prefix == "event" and word and (events or asked):
            notes = [f"{one.name}: {shown({word: one.fields[word]})}" for one in events[:6]]
            yield Block(f"{name}: a field of the event at hand", notes, places={"asked": asked})

    # -- the language ----------------------------------------------------------------------------------

    def _language(self, name: str) -> Iterator[Block]:
        word = language.WORDS.get(name)
        if word is not None:
            others = () if name == "ocpp.*" else _NAMES
            found = [place for place in self._places.get(name, []) if place.role not in others]
            yield Block(
                f"{name}: a word of the language, {word.place}",
                [word.description],
                places={"written": found[:3]},
                example=word.example,
            )

    def _reserved(self, name: str) -> Iterator[Block]:
        if name in RESERVED:
            yield Block(f"{name}: not in the language", [RESERVED[name]])

    def _rule(self, name: str) -> Iterator[Block]:
        says = self._rules.get(name)
        if says is not None:
            yield Block(f"{name}: a rule of `charger check`", [says])

    # -- looking up ------------------------------------------------------------------------------------

    @cached_property
    def _places(self) -> dict[str, list[Place]]:
        found: dict[str, list[Place]] = {}
        for place in usage.places(self._charts):
            found.setdefault(place.name, []).append(place)
        return found

    @cached_property
    def _rules(self) -> dict[str, str]:
        return {rule: why for section in WHY.values() for rule, why in section.items()}

    @cached_property
    def _tags(self) -> set[str]:
        charts = self._charts.charts.values()
        return {tag for chart in charts for state in chart.states.values() for tag, _ in state.tags}

    @cached_property
    def _fields(self) -> dict[str, Mapping[str, Field]]:
        vocabulary = self._vocabulary
        events = {word.name: word.fields for word in vocabulary.events.values()}
        actions = {word.name: word.arguments for word in vocabulary.actions.values()}
        return events | actions

    def _of(self, name: str, role: str) -> list[Place]:
        return [place for place in self._places.get(name, []) if place.role == role]

    def _asked(self, prefix: str) -> list[Place]:
        return [
            place
            for name, found in self._places.items()
            for place in found
            if place.role == usage.ASKED and name.startswith(prefix) and f"{place.chart}." != prefix
        ]


_NAMES = (usage.HEARD, usage.RAISED, usage.ARGUMENT, usage.TAGGED, usage.TARGET, usage.STATUS)
"""Roles in which a word is somebody's name, and not the language's."""


def _guarded(one: model.Transition) -> str:
    return usage.trigger(one) + (f" [{one.guard_text}]" if one.guard else "") + f" → {one.target}"
