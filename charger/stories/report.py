"""The report of a self-test, in the shape of an OCPP 1.6 Subset Certificate.

Data first, then three ways to write it. Takes what was played and what the station told; plays nothing, asks
nothing and prints nothing.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Final

from charger import __version__
from charger.settings import Settings
from charger.stories.certify import Asked
from charger.stories.language import Story
from charger.stories.play import Played

WIDTH: Final = 110
"""Columns of the report as text."""
PASS, FAIL, NOT_APPLICABLE, INCOMPLETE = "Pass", "Fail", "N/A", "Incomplete"
FUNCTIONALITIES: Final = (
    ("Core", "Core", "Booting, authorization (with any cache), configuration, transactions, remote control."),
    ("FirmwareManagement", "Firmware Management", "Remote firmware update, upload of a diagnostics file."),
    ("SmartCharging", "Smart Charging", "Charging profiles of every kind, stacked, that limit a charge."),
    ("Reservation", "Reservation", "Reservation of a connector."),
    (
        "LocalAuthListManagement",
        "Local Authorization List Management",
        "A list of known idTags, kept by the Central System.",
    ),
    ("RemoteTrigger", "Remote Trigger", "Messages that the Central System asks for, again or as of now."),
)
"""Feature profile, its name in the certificate, what it is; in the certificate's order."""
KEYS: Final = (
    "AllowOfflineTxForUnknownId", "AuthorizationCacheEnabled", "AuthorizeRemoteTxRequests", "BlinkRepeat",
    "ClockAlignedDataInterval", "ConnectionTimeOut", "ConnectorPhaseRotation",
    "ConnectorPhaseRotationMaxLength", "GetConfigurationMaxKeys", "HeartbeatInterval", "LightIntensity",
    "LocalAuthorizeOffline", "LocalPreAuthorize", "MaxEnergyOnInvalidId", "MessageTimeout",
    "MeterValuesAlignedData", "MeterValuesAlignedDataMaxLength", "MeterValuesSampledData",
    "MeterValuesSampledDataMaxLength", "MeterValueSampleInterval", "MinimumStatusDuration",
    "NumberOfConnectors", "ResetRetries", "StopTransactionMaxMeterValues",
    "StopTransactionOnEVSideDisconnect", "StopTransactionOnInvalidId", "StopTxnAlignedData",
    "StopTxnAlignedDataMaxLength", "StopTxnSampledData", "StopTxnSampledDataMaxLength",
    "SupportedFeatureProfiles", "SupportedFeatureProfilesMaxLength", "TransactionMessageAttempts",
    "TransactionMessageRetryInterval", "UnlockConnectorOnEVSideDisconnect", "WebSocketPingInterval",
    "LocalAuthListEnabled", "LocalAuthListMaxLength", "SendLocalListMaxLength",
    "ReserveConnectorZeroSupported", "ChargeProfileMaxStackLevel", "ChargingScheduleAllowedChargingRateUnit",
    "ChargingScheduleMaxPeriods", "ConnectorSwitch3to1PhaseSupported", "MaxChargingProfilesInstalled",
    "SupportedFileTransferProtocols",
)  # fmt: skip
"""Every key of OCPP 1.6 §9, in the certificate's order."""
TRIGGERED, RESPONSE, REMOTE_START = 90.0, 20.0, 5.0
"""PICS values of the certificate, s."""


# -- data --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Functionality:
    """One line of the summary."""

    name: str
    result: str
    stories: str
    """How many passed, or why there were none."""
    description: str


@dataclass(frozen=True, slots=True)
class Case:
    """One story."""

    id: str
    title: str
    result: str
    duration: float
    """s"""
    source: str
    """Where it is required."""
    reason: str = ""
    """Why it failed, or why it says nothing about this station."""
    log: tuple[str, ...] = ()
    """Of a failed one."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """The longest time of its kind, s."""

    name: str
    pics: float
    measured: float | None
    """None: no story made it happen."""
    description: str

    @property
    def result(self) -> str:
        """A time above its PICS value is a failure."""
        if self.measured is None:
            return NOT_APPLICABLE
        return FAIL if self.measured > self.pics else PASS


@dataclass(frozen=True, slots=True)
class Report:
    """What the self-test found."""

    head: Mapping[str, str]
    functionalities: tuple[Functionality, ...]
    cases: tuple[Case, ...]
    performance: tuple[Measurement, ...]
    hardware: Mapping[str, str]
    configuration: Mapping[str, str]
    """Every key; ``-`` for one that the station does not offer, ``?`` when it could not be asked."""
    unasked: str | None
    """Why the station could not be asked for its configuration."""

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        results = [case.result for case in self.cases] + [time.result for time in self.performance]
        return FAIL not in results and self.unasked is None


def make_report(
    played: Sequence[Played],
    stories: Sequence[Story],
    settings: Settings,
    asked: Asked,
    *,
    virtual: bool,
    day: date,
) -> Report:
    """Put it together.

    Args:
        played: what was played, in order.
        stories: everything that belongs to the profiles, played or not.
        settings: the station.
        asked: what it told.
        virtual: in virtual time, not as a process.
        day: of the test.
    """
    cases = tuple(map(_case, played))
    performance = _performance(played, asked)
    return Report(
        head=_head(settings, day, virtual=virtual),
        functionalities=tuple(_functionalities(played, stories, asked, performance)),
        cases=cases,
        performance=performance,
        hardware=_hardware(settings),
        configuration={key: asked.values.get(key, "?" if asked.failure else "-") for key in KEYS},
        unasked=asked.failure,
    )


def _head(settings: Settings, day: date, *, virtual: bool) -> dict[str, str]:
    told = settings.identity
    return {
        "Product type": "Charging Station",
        "Product designation": told.model,
        "Vendor": told.vendor,
        "Identity": settings.id,
        "OCPP Software version": told.extra.get("firmwareVersion") or f"charger {__version__}",
        "Communication": "JSON",
        "Date": day.isoformat(),
        "Played": (
            "in virtual time, without process, socket and database"
            if virtual
            else "in real time, with the station as a process, over a WebSocket"
        ),
        "Made by": f"self-test with charger certify {__version__};"
        " not a certificate of the Open Charge Alliance",
    }


def _case(played: Played) -> Case:
    story = played.story
    result = FAIL if played.failure else NOT_APPLICABLE if played.skipped else PASS
    log = tuple(played.log) if played.failure else ()
    reason = played.failure or played.skipped or ""
    if log:
        reason = reason.partition("\n  what happened before:")[0]  # the log has it
    return Case(story.name, story.title, result, played.duration, story.source, reason, log)


def _performance(played: Sequence[Played], asked: Asked) -> tuple[Measurement, ...]:
    measured = [one.measured for one in played if not one.skipped]
    starts = [one.remote_start for one in measured if one.remote_start is not None]
    patience = asked.values.get("ConnectionTimeOut", "")
    # A station that may wait longer for a plug than that of the certificate (60 s) has as much room as that.
    triggered = max(TRIGGERED, float(patience) + 30.0 if patience.isdigit() else 0.0)
    return (
        Measurement(
            "OCPP triggered function timeout",
            triggered,
            max((one.triggered for one in measured), default=None),
            "From an act, or a message, to the message that has to follow. Restarts are excluded.",
        ),
        Measurement(
            "OCPP response timeout",
            RESPONSE,
            max((one.response for one in measured), default=None),
            "From a call of the Central System to its answer.",
        ),
        Measurement(
            "Response time RemoteStartTransaction",
            REMOTE_START,
            max(starts, default=None),
            "From RemoteStartTransaction to its answer.",
        ),
    )


def _functionalities(
    played: Sequence[Played],
    stories: Sequence[Story],
    asked: Asked,
    performance: Sequence[Measurement],
) -> Iterator[Functionality]:
    for profile, name, description in FUNCTIONALITIES:
        here = [one for one in played if one.story.profile == profile]
        of = [story for story in stories if story.profile == profile]
        if not of and not asked.failure and asked.offers(profile):
            yield Functionality(name, NOT_APPLICABLE, "not played", description)
        elif not asked.offers(profile) or not of:
            yield Functionality(name, NOT_APPLICABLE, "not offered", description)
        else:
            results = [_case(one).result for one in here]
            if profile == "Core":  # the times are those of Core
                result = _together([*results, *(time.result for time in performance)])
            else:
                result = _together(results)
            if result != FAIL and len(here) < len(of):
                result = INCOMPLETE
            yield Functionality(name, result, _counted(results, len(of)), description)


def _together(results: Sequence[str]) -> str:
    return FAIL if FAIL in results else PASS if PASS in results else NOT_APPLICABLE


def _counted(results: Sequence[str], of: int) -> str:
    counts = [(results.count(PASS), "passed"), (results.count(FAIL), "failed")]
    counts += [(results.count(NOT_APPLICABLE), NOT_APPLICABLE), (of - len(results), "not played")]
    return ", ".join(f"{number} {what}" for number, what in counts if number)


def _readers(settings: Settings) -> str:
    readers = sum(plan.own_reader for plan in settings.plans)
    return str(readers) if readers > 1 else "Single"


def _hardware(settings: Settings) -> dict[str, str]:
    plans = settings.plans
    fixed = [plan.fixed for plan in plans]
    cables = "yes" if all(fixed) else "no"
    if len(set(fixed)) > 1:
        cables = ", ".join(f"{number}: {'yes' if one else 'no'}" for number, one in enumerate(fixed, start=1))
    return {
        "Socket(s) / connector(s)": "Single" if len(plans) == 1 else str(len(plans)),
        "Fixed cable": cables,
        "Communication technology": "WebSocket, OCPP-J 1.6" + (
            ", Basic authentication" if settings.central.password is not None else ""
        ),
        "RFID readers": f"{_readers(settings)} ({settings.hardware})",
    }  # fmt: skip


# -- writing -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Table:
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def _tables(report: Report) -> tuple[_Table, ...]:
    return (
        _Table(
            "Test Result Summary for the tested functionalities",
            ("Functionality", "Result", "Stories", "Description"),
            tuple((one.name, one.result, one.stories, one.description) for one in report.functionalities),
        ),
        _Table(
            "Test Cases",
            ("Case", "Title", "Result", "Duration", "Remark"),
            tuple((case.id, case.title, case.result, _length(case), _remark(case)) for case in report.cases),
        ),
        _Table(
            "Performance Measurement Results",
            ("Name", "PICS value", "Measured value", "Result", "Description"),
            tuple(
                (time.name, f"{time.pics:g} s", clock(time.measured), time.result, time.description)
                for time in report.performance
            ),
        ),
        _Table("Hardware feature set", ("Feature", "Configuration"), tuple(report.hardware.items())),
        _Table(
            "OCPP Charging Station Configuration",
            ("Configuration key", "Value"),
            tuple(report.configuration.items()),
        ),
    )


def _length(case: Case) -> str:
    return "-" if case.result == NOT_APPLICABLE else f"{case.duration:.1f} s"


def _remark(case: Case) -> str:
    return "see Failures" if case.result == FAIL else case.reason


def clock(seconds: float | None) -> str:
    """``00:01:03.250``; ``-`` for no time at all."""
    if seconds is None:
        return "-"
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}.{milliseconds:03}"


def _failures(report: Report) -> Iterator[tuple[str, list[str]]]:
    """Title and text of each."""
    if report.unasked is not None:
        yield "The configuration could not be asked", report.unasked.splitlines()
    for case in report.cases:
        if case.result == FAIL:
            required = [f"Required by {case.source}.", ""] if case.source else []
            log = ["", "What happened (s):", *case.log] if case.log else []
            yield f"{case.id} {case.title}".strip(), [*required, *case.reason.splitlines(), *log]
    for time in report.performance:
        if time.result == FAIL:
            yield time.name, [f"It took {clock(time.measured)}, and {time.pics:g} s are allowed."]


TITLE: Final = "OCPP 1.6 Self-Test Report"


def as_text(report: Report) -> str:
    """For people, at most `WIDTH` columns wide."""
    lines = [TITLE, "=" * len(TITLE), ""]
    wide = max(map(len, report.head))
    lines += [f"{name:<{wide}}   {value}" for name, value in report.head.items()]
    for table in _tables(report):
        lines += ["", *_heading(table.title), *_as_columns(table)]
    failures = list(_failures(report))
    if failures:
        lines += ["", *_heading("Failures")]
    for title, text in failures:
        lines += ["", title, *(part for line in text for part in _wrapped(line, WIDTH - 2, "  "))]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _heading(title: str) -> list[str]:
    return [title, "-" * len(title)]


def _as_columns(table: _Table) -> Iterator[str]:
    rows = [table.columns, *table.rows]
    widths = [max(len(row[number]) for row in rows) for number in range(len(table.columns))]
    gap = 3
    while sum(widths) + gap * (len(widths) - 1) > WIDTH:
        widths[widths.index(max(widths))] -= 1
    for row in rows:
        cells = [_wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
        for number in range(max(map(len, cells))):
            parts = [cell[number] if number < len(cell) else "" for cell in cells]
            padded = (f"{part:<{width}}" for part, width in zip(parts, widths, strict=True))
            yield (" " * gap).join(padded)


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Lines of at most so many characters, plus the indent; what is carried over begins further in."""
    deeper = indent and indent + "    "
    lines = textwrap.wrap(
        text,
        width + len(indent),
        initial_indent=indent,
        subsequent_indent=deeper,
        break_on_hyphens=False,
        drop_whitespace=True,
        replace_whitespace=False,
    )
    return lines or [""]


def as_markdown(report: Report) -> str:
    """For a repository."""
    lines = [f"# {TITLE}", "", *_as_rows(("", ""), tuple(report.head.items()))]
    for table in _tables(report):
        lines += ["", f"## {table.title}", "", *_as_rows(table.columns, table.rows)]
    failures = list(_failures(report))
    if failures:
        lines += ["", "## Failures"]
    for title, text in failures:
        lines += ["", f"### {title}", "", "```", *text, "```"]
    return "\n".join(lines) + "\n"


def _as_rows(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield _row(columns)
    yield _row(["---"] * len(columns))
    yield from map(_row, rows)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_SPECIAL.sub(_ESCAPED, cell) for cell in cells)} |"


_SPECIAL: Final = re.compile(r"([|<*])")
_ESCAPED: Final = r"\\\1"


def as_json(report: Report) -> str:
    """For programs."""
    found = asdict(report)
    for entry, time in zip(found["performance"], report.performance, strict=True):
        entry["result"] = time.result
    return json.dumps({"passed": report.passed, **found}, indent=1, ensure_ascii=False) + "\n"


FORMATS: Final = {".md": as_markdown, ".json": as_json, ".txt": as_text}
"""Suffix of a file → how a report is written into it."""
