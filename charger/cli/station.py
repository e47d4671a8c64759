"""Commands about a station: init, run, config, certify; and the demo Central System."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from charger import __version__
from charger.cli.paths import station_file, writable
from charger.cli.say import (
    FINDINGS,
    FINE,
    Progress,
    count,
    load_station,
    make_folder,
    update_schema,
    write_text,
)
from charger.errors import UsageError


def init_folder(arguments: argparse.Namespace) -> int:
    """`charger init DIR`."""
    from charger.folders import shipped

    folder: Path = arguments.folder
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty; name a new folder")
    make_folder("init", folder)
    shutil.copytree(shipped("charts"), folder / "charts")
    update_schema(folder / "charts")
    pictures = shipped("diagrams")
    if pictures.is_dir():
        shutil.copytree(pictures, folder / "diagrams")
    text = (shipped("stations") / "simulated.yaml").read_text(encoding="utf-8")
    (folder / "station.yaml").write_text(_own_charts(text), encoding="utf-8")
    print(f"{folder}/station.yaml   the station: identity, Central System, connectors")
    print(f"{folder}/charts/        the behaviour, with chart.schema.json for your editor")
    print(f"\nNow: charger run {folder}/station.yaml")
    return FINE


def _own_charts(text: str) -> str:
    """The station file with the charts of its own folder."""
    return (
        "\n".join(line for line in text.splitlines() if not line.startswith("charts:")) + "\ncharts: charts\n"
    )


def run_station(arguments: argparse.Namespace) -> int:
    """`charger run`: checks first, and refuses on errors."""
    import asyncio

    from charger.app import App
    from charger.trace import TraceFile

    if arguments.trace:
        writable("--trace", arguments.trace)
    settings, checked = load_station(station_file(arguments.station))
    trace = TraceFile(arguments.trace) if arguments.trace else None
    _log(quiet=arguments.quiet)
    if not arguments.quiet:
        print(f"charger {__version__}  {settings.id}  {checked.summary()}, no findings", flush=True)
    if asyncio.run(App(settings, checked, trace).run()):
        os.execv(sys.executable, [sys.executable, "-m", "charger", *sys.argv[1:]])  # noqa: S606 - ourselves
    return FINE


def show_config(arguments: argparse.Namespace) -> int:
    """`charger config`: every setting, its value, and where it came from; secrets hidden."""
    from charger.functions.records import Records
    from charger.settings import effective
    from charger.station import configuration_of
    from charger.storage import peek

    settings, checked = load_station(station_file(arguments.station))
    stored = peek(settings.data)
    if stored is None:
        print("the station runs: what the Central System wrote is in its GetConfiguration, not here\n")
    records = Records(stored or [])
    configuration = configuration_of(checked.charts, settings.plans, records, settings.configuration)
    rows = effective(settings, configuration)
    wide, wider = max(len(row[0]) for row in rows), min(48, max(len(row[1]) for row in rows))
    for name, value, origin in rows:
        print(f"{name:<{wide}}  {value:<{wider}}  {origin}")
    return FINE


def clear_faults(arguments: argparse.Namespace) -> int:
    """`charger clear`: somebody has looked at what waits for service."""
    from charger.panel.ask import post

    settings, _ = load_station(station_file(arguments.station))
    if settings.panel is None or not settings.panel.port:
        told = f"`panel: {settings.panel or 'off'}`"
        raise UsageError(f"{settings.file} has {told}: nobody can talk to the station")
    asked = {"connector": arguments.connector, "error": arguments.error}
    body = {name: value for name, value in asked.items() if value is not None}
    post(settings.panel.host, settings.panel.port, settings.panel.token, "/service/clear", body)
    where = {None: "the station and every connector", 0: "the station"}.get(
        arguments.connector, f"connector {arguments.connector}"
    )
    print(f"cleared: {arguments.error or 'every latched fault'} of {where}")
    print("what is still so is raised again: GET /status, or the page, shows it")
    return FINE


def certify_station(arguments: argparse.Namespace) -> int:
    """`charger certify`: every story on a station of its own, then the report."""
    from charger.statechart.coverage import Coverage
    from charger.stories import certify, report

    file: Path | None = arguments.report
    if file is not None and file.suffix not in report.FORMATS:
        raise UsageError(f"--report {file}: name a file that ends in {', '.join(report.FORMATS)}")
    if arguments.coverage and not arguments.virtual:
        raise UsageError("--coverage needs --virtual: nobody can look into a process that runs")
    for what, wanted in (("--report", file), ("--coverage", arguments.coverage)):
        if wanted is not None:
            writable(what, wanted)
    stories = certify.read_stories(arguments.profile or certify.FOLDERS)
    chosen = certify.choose(stories, arguments.story)
    settings, checked = load_station(station_file(arguments.station))
    if settings.hardware != "simulated":
        raise UsageError(
            f"{settings.file} has `hardware: {settings.hardware}`: stories plug cars in and cut the power,"
            " which works with `hardware: simulated` only"
        )
    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # what breaks a link is told by the story
    progress, coverage = Progress(len(chosen)), Coverage()
    theatre = certify.Theatre(settings, checked, arguments.virtual, coverage.observe)
    run = certify.Run(theatre, chosen, report.KEYS)
    with _interruptible():
        try:
            run.play(progress.begins, progress.ended)
        except KeyboardInterrupt:
            print(f"\ninterrupted: {len(run.played)} of {count(len(chosen), 'story', 'stories')} played")
    found = report.make_report(
        run.played,
        stories,
        settings,
        run.asked,
        virtual=arguments.virtual,
        day=datetime.now(UTC).date(),
    )
    progress.clear()
    if certify.only_own(arguments.story):
        print("".join(f"\n{one.failure}\n" for one in run.played if one.failure), end="")
    else:
        print(f"\n{report.as_text(found)}", end="", flush=True)
    if file is not None:
        write_text("--report", file, report.FORMATS[file.suffix](found))
    if arguments.coverage:
        write_text("--coverage", arguments.coverage, coverage.as_json(checked.charts))
    return FINE if found.passed and len(run.played) == len(chosen) else FINDINGS


def run_csms(arguments: argparse.Namespace) -> int:
    """`charger csms`."""
    import asyncio

    from charger.central import demo

    def say(line: str) -> None:
        if not arguments.quiet:
            print(line, flush=True)

    try:
        asyncio.run(demo.serve(arguments.host, arguments.port, say))
    except KeyboardInterrupt:
        return FINE
    except OSError as error:
        raise UsageError(f"port {arguments.port}: {error.strerror}; choose another with --port") from error
    return FINE


@contextmanager
def _interruptible() -> Iterator[None]:
    """Being told to end is the same as Ctrl-C, so that nothing that was started is left behind."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _log(*, quiet: bool) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING if quiet else logging.INFO)
    logging.getLogger("websockets").setLevel(logging.WARNING)
    # Nobody is told these, and looking them up costs more than the line (Python's logging howto).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
