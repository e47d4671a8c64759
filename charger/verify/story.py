"""From an abstract way to a story: acts that bring a real station to the same broken promise.

The way names what has to happen; data, timing and the hardware's own reactions are tried out in the
laboratory, always in the same way. Then every act that is not needed is left out. A way that no try brings
about may be an artefact of the abstraction, and is reported as such.
"""

from __future__ import annotations

import json
import random
import re
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from charger.errors import Defect
from charger.functions.status import FOLLOWS
from charger.settings import Settings
from charger.statechart.checks import Checked
from charger.stories.language import StoryError, read_story
from charger.stories.play import UNASKED, play
from charger.stories.stage import Heard
from charger.stories.virtual import VirtualStage
from charger.verify.explore import Breach
from charger.verify.laboratory import Act, Course, Laboratory, Watch
from charger.verify.verify import Seen, Told

TRIES: Final = 60
"""Courses tried for one broken promise."""
GAPS: Final = ("100ms", "500ms", "2s", "7s", "12s", "70s")
ACTS: Final[dict[str, Act]] = {
    "cable.plugged": {"plug": 1},
    "cable.unplugged": {"unplug": 1},
    "ev.unplugged": {"unplug": 1, "side": "ev"},
    "ev.ready": {"ev": "ready", "at": 1},
    "ev.paused": {"ev": "suspended", "at": 1},
    "lock.failed": {"lock": "stuck", "at": 1},
    "fault.raised": {"fault": "GroundFailure", "at": 1},
    "fault.cleared": {"repair": 1},
    "link.lost": {"network": "down"},
    "link.opened": {"network": "up"},
    "card.presented": {"swipe": "$tag", "at": 1},
    "connector.authorized": {"swipe": "$tag", "at": 1},
    "connector.cancel": {"swipe": "$tag", "at": 1},
    "connector.release": {"swipe": "$tag", "at": 1},
    "transaction.stop": {"swipe": "$tag", "at": 1},
}
"""What brings an event about."""
HARDWARE: Final = ("cable.", "contactor.", "emergency.", "ev.", "lock.", "storage.")
"""Events that a station can be told as they are, whatever the simulated world is like."""
WIRES: Final = {
    ("contactor.is_closed", True): "contactor.closed",
    ("contactor.is_closed", False): "contactor.opened",
    ("ev.asks", True): "ev.ready",
    ("lock.is_engaged", True): "lock.engaged",
    ("lock.is_engaged", False): "lock.released",
}
"""A fact that must be so → the event that reports it."""
PAYLOADS: Final[dict[str, dict[str, Any]]] = {
    "ChangeAvailability": {"connectorId": 1, "type": "Inoperative"},
    "ChangeConfiguration": {"key": "ConnectionTimeOut", "value": "60"},
    "ClearCache": {},
    "DataTransfer": {"vendorId": "com.example"},
    "GetConfiguration": {},
    "RemoteStartTransaction": {"connectorId": 1, "idTag": "$tag"},
    "RemoteStopTransaction": {"transactionId": "$tx"},
    "Reset": {"type": "Soft"},
    "TriggerMessage": {"requestedMessage": "StatusNotification", "connectorId": 1},
    "UnlockConnector": {"connectorId": 1},
    "CancelReservation": {"reservationId": 1},
    "ClearChargingProfile": {"connectorId": 1},
    "GetCompositeSchedule": {"connectorId": 1, "duration": 60},
    "GetDiagnostics": {"location": "ftp://example.com/"},
    "GetLocalListVersion": {},
    "ReserveNow": {
        "connectorId": 1,
        "expiryDate": "2030-01-01T00:00:00Z",
        "idTag": "$tag",
        "reservationId": 1,
    },
    "SendLocalList": {"listVersion": 1, "updateType": "Full"},
    "UpdateFirmware": {"location": "ftp://example.com/", "retrieveDate": "2030-01-01T00:00:00Z"},
}
POOL: Final[tuple[Act, ...]] = (
    {"plug": 1},
    {"swipe": "$tag", "at": 1},
    {"ev": "suspended", "at": 1},
    {"ev": "ready", "at": 1},
    {"unplug": 1},
    {"unplug": 1, "side": "ev"},
    {"call": {"UnlockConnector": {"connectorId": 1}}},
    {"call": {"ChangeAvailability": {"connectorId": 1, "type": "Inoperative"}}},
    {"call": {"ChangeAvailability": {"connectorId": 1, "type": "Operative"}}},
    {"fault": "GroundFailure", "at": 1},
    {"repair": 1},
    {"lock": "stuck", "at": 1},
    {"lock": "free", "at": 1},
    {"report": "contactor.closed", "at": 1},
    {"report": "contactor.opened", "at": 1},
    {"report": "lock.released", "at": 1},
    {"report": "emergency.pressed"},
    {"report": "emergency.released"},
    {"network": "down"},
    {"network": "up"},
)
"""What may be missing between the acts of a way."""


def acts_of(told: Sequence[Told], *, raw: bool = False) -> list[Act]:
    """The acts that a way names; `raw`: what the hardware reports is reported, instead of brought about."""
    acts: list[Act] = []
    for step in told:
        acts += _before(step)
        acts += _wires(step) if raw else ()
        if raw and step.kind == "event" and step.name.startswith(HARDWARE):
            acts.append({"report": step.name, **({"at": 1} if step.connector else {})})
        else:
            acts += _act(step)
    return acts


def _before(step: Told) -> Iterator[Act]:
    """What must be so for the step to go this way."""
    for name, _, value in step.answers:
        match name, value:
            case "cable.present", True:
                yield ACTS["cable.plugged"]
            case "ev.asks", False:
                yield ACTS["ev.paused"]
            case "availability.inoperative", True:
                yield {"call": {"ChangeAvailability": PAYLOADS["ChangeAvailability"]}}
            case "fault.present", True:
                yield ACTS["fault.raised"]
            case "queue.waiting", True:
                yield from ({"plug": 1}, {"swipe": "$tag", "at": 1}, {"wait": "3s"}, {"network": "down"})
                yield from ({"swipe": "$tag", "at": 1}, {"wait": "3s"}, {"power": "off"}, {"network": "up"})
                yield {"power": "on"}
            case "transaction.open", True if step.kind == "start":
                yield from ({"plug": 1}, {"swipe": "$tag", "at": 1}, {"wait": "3s"})
                yield from ({"power": "off"}, {"power": "on"}, {"wait": "100ms"})


def _wires(step: Told) -> Iterator[Act]:
    """What the wires must say for it."""
    for name, _, value in step.answers:
        if event := WIRES.get((name, value)):
            yield {"report": event, "at": 1}


def _act(step: Told) -> Iterator[Act]:
    name = step.name
    if step.kind == "timer":
        yield {"wait": _delay(name)}
    elif name == "transaction.refused":
        yield {"central": {"StartTransaction": {"idTagInfo": {"status": "Invalid"}}}}
    elif name == "transaction.begin":
        yield from ({"plug": 1}, {"swipe": "$tag", "at": 1}, {"wait": "3s"})
    elif name == "ocpp.BootNotification.refused":
        told = {key: value for key, _, value in step.answers}
        status = "Pending" if told.get("event.status") == "Pending" else "Rejected"
        yield {"central": {"BootNotification": {"status": status, "interval": 5}}}
        yield from ({"power": "off"}, {"network": "up"}, {"power": "on"})
    elif name in ACTS and step.kind != "next":
        place = {"at": 0} if name == "fault.raised" and step.connector == 0 else {}
        yield {**ACTS[name], **place}
    elif name.startswith(HARDWARE):
        yield {"report": name, **({"at": 1} if step.connector else {})}
    elif name == "availability.set":
        yield {"call": {"ChangeAvailability": {"connectorId": 0, "type": "Inoperative"}}}
    elif name.startswith("ocpp.") and (action := name.removeprefix("ocpp.")) in PAYLOADS:
        told = {
            key.removeprefix("event."): value for key, _, value in step.answers if key.startswith("event.")
        }
        payload = {key: value for key, value in {**PAYLOADS[action], **told}.items() if value is not None}
        if not step.connector and "connectorId" in payload:
            payload["connectorId"] = told.get("connectorId", 0)
            payload = {key: value for key, value in payload.items() if value is not None}
        yield {"call": {action: payload}}


def _delay(key: str) -> str:
    delay = key.rpartition(":")[2]
    if re.fullmatch(r"\d+(ms|s|m|h)", delay):
        return delay
    word = re.match(r"[A-Z]\w*", delay)
    return word[0] if word else "70s"


def find_course(laboratory: Laboratory, breach: Breach, told: Sequence[Told], watch: Watch) -> Course | None:
    """Acts that break the promise on a real station, none of them needless; None when no try does."""
    chance = random.Random(zlib.crc32(f"{breach.rule}{breach.mark.line}".encode()))  # noqa: S311 - repeatable
    ways = [acts_of(told), acts_of(told, raw=True)]
    for number in range(TRIES):
        course = laboratory.run(_variant(ways[number % 2], number // 2, chance), watch)
        if course.found:
            return _shortened(laboratory, course, watch)
    return None


def _variant(named: list[Act], number: int, chance: random.Random) -> list[Act]:
    """First as it is told, with every gap; then with something left out, or put in between."""
    if number < len(GAPS):
        return [one for act in named for one in (act, {"wait": GAPS[number]})]
    acts: list[Act] = []
    if chance.random() < 0.5:
        acts += [{"plug": 1}, {"wait": "500ms"}]
        acts += [{"ev": "suspended", "at": 1}] * (chance.random() < 0.5)
        acts += [{"swipe": "$tag", "at": 1}, {"wait": chance.choice(GAPS)}]
    for act in named:
        if chance.random() < 0.35:
            acts += [chance.choice(POOL), {"wait": chance.choice(GAPS)}]
        if chance.random() < 0.85:
            acts += [act, {"wait": chance.choice(GAPS)}]
    if chance.random() < 0.5:
        acts += [chance.choice(POOL), {"wait": chance.choice(GAPS)}]
    return acts


def _shortened(laboratory: Laboratory, course: Course, watch: Watch) -> Course:
    """Leave out one act after the other, as long as the promise stays broken."""
    position = 0
    while position < len(course.acts):
        fewer = [*course.acts[:position], *course.acts[position + 1 :]]
        shorter = laboratory.run(fewer, watch)
        if shorter.found and len(shorter.acts) < len(course.acts):
            course = shorter
        else:
            position += 1
    return course


# -- the file --------------------------------------------------------------------------------------------


def watch_of(breach: Breach, seen: Seen) -> Watch:
    """What the laboratory looks for."""
    stuck: dict[str, Any] = {}
    number = 1 if seen.view.connector else 0
    if breach.rule == "home":
        found = re.search(r"back to (\w+)\.(\w+)", breach.text)
        if found:
            stuck = {"kind": "home", "chart": found[1], "state": found[2], "number": number}
    elif breach.rule == "no-way-out":
        found = re.search(r"'(\w+)\.(\w+)'", breach.text)
        if found:
            stuck = {"kind": "trap", "chart": found[1], "state": found[2], "number": number}
    elif breach.rule == "always-over":
        stuck = {"open": True}
    elif breach.rule == "left-open":
        stuck = {"open": True, "ending": True}
    if stuck:
        stuck["text"] = f"broken: {breach.text}"
    return Watch(breach.rule, breach.mark, stuck)


def story_text(name: str, breach: Breach, course: Course, *, fixed: bool) -> str:
    """The story: every act with what the station says to it; the last line is where it breaks its promise."""
    lines = [
        f"# {breach.mark.file}:{breach.mark.line}: {breach.text}",
        f"# {course.found}",
        f"story: {name}",
        f"title: {json.dumps('Broken: ' + breach.text, ensure_ascii=False)}",
        f"needs: {{cable: {'fixed' if fixed else 'socket'}}}",
        "given: []",
        "steps:",
        "  - power: on",
        *(["  - boots: Available", "  - wait: 1s"] if course.booted else ["  - wait: 6s"]),
    ]
    pending: list[Heard] = []
    for number, act in enumerate(course.acts):
        last = number == len(course.acts) - 1
        waits = "wait" in act and not last
        pending += [heard for heard in course.said[number] if heard.action not in UNASKED]
        if waits and pending:
            rest = course.ends[number] - max(heard.at for heard in pending)
            lines += ["  - expect:", *(f"      - {_frame(heard)}" for heard in pending)]
            lines += [f"    within: {act['wait']} + 10s", f"  - wait: {max(0.1, rest):.1f}s"]
            pending = []
        else:
            lines += _step(act)
        answer = course.answers.get(number)
        if last and breach.rule == "call-unanswered":
            lines.append("    answer: {status: any}")
        elif answer is not None and "call" in act and not last:
            shown = {"error": "any"} if answer.payload is None else _status(answer.payload)
            lines.append(f"    answer: {json.dumps(shown)}" if shown else "    answer: {}")
    lines += _ending(breach, course, pending)
    return "\n".join(lines) + "\n"


def _ending(breach: Breach, course: Course, pending: list[Heard]) -> list[str]:
    """The last expectation is the promise."""
    watch = course.watch
    if breach.rule == "status-matrix":
        wrong = {"connectorId": watch.connector, "status": watch.now}
        told = [f"      - {_frame(heard)}" for heard in pending if not wrong.items() <= heard.payload.items()]
        pattern = f"{{connectorId: {watch.connector}, status: [{', '.join(sorted(FOLLOWS[watch.after]))}]}}"
        return ["  - expect:", *told, f"      - {{StatusNotification: {pattern}}}"]
    if watch.stuck:
        return [*(line for act in course.friendly for line in _step(act)), *_way_back(watch)]
    return ["  - wait: 1s"]


def _way_back(watch: Watch) -> list[str]:
    stuck = watch.stuck
    if "open" in stuck:
        return ["  - expect: {StopTransaction: {}}"]
    word = "state" if stuck["kind"] == "home" else "left"
    quiet = ["  - nothing: 1s", "    of: [DataTransfer]"]  # whatever else was said is of no interest
    return [*quiet, f"  - {word}: {stuck['chart']}.{stuck['state']}", f"    at: {stuck['number']}"]


def _status(payload: Any) -> dict[str, Any]:
    return {"status": payload["status"]} if "status" in payload else {}


def _step(act: Act) -> list[str]:
    (first, *rest) = act.items()
    shown = [f"{key}: {_value(value)}" for key, value in (first, *rest)]
    return [f"  - {shown[0]}", *(f"    {line}" for line in shown[1:])]


def _value(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict) else str(value)


def _frame(heard: Heard) -> str:
    keys = {
        "StatusNotification": ("connectorId", "status"),
        "StartTransaction": ("connectorId",),
        "StopTransaction": ("reason",),
    }.get(heard.action, ())
    told = ", ".join(f"{key}: {heard.payload[key]}" for key in keys if key in heard.payload)
    return f"{{{heard.action}: {{{told}}}}}"


def plays_as_told(file: Path, settings: Settings, checked: Checked) -> str | None:
    """Play the story on a station of these charts; what fails, or None when nothing does."""
    try:
        story = read_story(file)
    except StoryError as error:
        return str(error)
    with tempfile.TemporaryDirectory(prefix="charger-verify-") as folder:
        try:
            return play(story, VirtualStage(settings, checked, Path(folder))).failure
        except Defect as defect:  # one after the other, until the program would have given up
            return f"a defect, contactors opened: {defect}"
