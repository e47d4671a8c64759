"""The command line: one function per sub-command. The only module that prints.

Exit codes: 0 fine, 1 findings (of `diff`: differences), 2 wrong usage or something unreadable. What a command
needs is imported by the command: `charger check` does not wait for a web server.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from charger import __version__
from charger.errors import ChargerError, UsageError

if TYPE_CHECKING:
    from charger.revisions import Side
    from charger.settings import Settings
    from charger.statechart.checks import Checked
    from charger.statechart.exchange import Converted
    from charger.statechart.findings import Finding
    from charger.statechart.model import ChartSet
    from charger.statechart.words import Vocabulary
    from charger.stories.language import Story
    from charger.stories.play import Played
    from charger.stories.simulate import Line

FINE, FINDINGS, WRONG = 0, 1, 2
FORMATS = ("text", "json", "github")
FORMATS_WRITTEN, FORMATS_READ = ("xstate", "scxml", "mermaid", "plantuml", "dot"), ("xstate", "scxml")
CLEAR = "\r\033[K"
"""What empties a line of a terminal."""
LINES = 10.0
"""s between two lines that tell how far something has come."""


def main() -> None:
    """Entry point of `charger`."""
    sys.exit(run_command(sys.argv[1:]))


def run_command(words: Sequence[str]) -> int:
    """Run one command and give its exit code."""
    arguments = _parser().parse_args(words)
    try:
        code: int = arguments.command(arguments)
    except UsageError as error:
        print(f"charger: {error}", file=sys.stderr)
        return WRONG
    except ChargerError as error:
        print(f"charger: {error}", file=sys.stderr)
        return FINDINGS
    except BrokenPipeError:
        sys.stderr.close()  # whoever read us has gone
        return FINE
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="charger",
        description="An OCPP 1.6J charge point whose behaviour is declared in YAML statecharts.",
    )
    parser.add_argument("--version", action="version", version=f"charger {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")

    init = commands.add_parser("init", help="make a station folder: station.yaml, charts, schema")
    init.add_argument("folder", type=Path)
    init.set_defaults(command=init_folder)

    run = commands.add_parser("run", help="run a station")
    _station_argument(run)
    run.add_argument("--quiet", action="store_true", help="say only what is wrong")
    run.add_argument("--trace", type=Path, metavar="FILE", help="write every step to this file, for `replay`")
    run.set_defaults(command=run_station)

    check = commands.add_parser("check", help="check charts, or a station with its charts")
    check.add_argument(
        "path", type=Path, nargs="?", help="a folder of charts, or a station.yaml; left out: ./charts"
    )
    check.add_argument("--format", choices=FORMATS, default="text")
    check.set_defaults(command=check_charts)

    verify = commands.add_parser("verify", help="walk every situation that charts can come into")
    verify.add_argument("charts", type=Path, nargs="?", help="a folder of charts; left out: ./charts")
    verify.add_argument(
        "--out", type=Path, default=Path("verify"), help="where stories go; left out: ./verify"
    )
    verify.add_argument("--format", choices=FORMATS, default="text")
    verify.add_argument(
        "--limit", type=int, default=400_000, metavar="N", help="stop a view after so many situations"
    )
    verify.add_argument(
        "--resume", type=Path, metavar="FILE", help="keep a walk that was stopped there, and go on from there"
    )
    verify.set_defaults(command=verify_charts)

    diagram = commands.add_parser("diagram", help="draw the charts")
    diagram.add_argument("charts", type=Path, nargs="?", help="a folder of charts; left out: ./charts")
    diagram.add_argument("--out", type=Path, help="where to; left out: diagrams beside the charts")
    what = diagram.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="draw nothing, tell what is stale (exit code 1)")
    what.add_argument(
        "--coverage",
        type=Path,
        metavar="FILE",
        help="draw what a coverage.json has seen of them, beside it or into --out",
    )
    diagram.set_defaults(command=draw)

    diff = commands.add_parser(
        "diff",
        help="tell what two sets of charts do differently",
        description="Tell what two sets of charts do differently. Exit code 0: nothing; 1: something; 2: they"
        " cannot be compared.",
    )
    diff.add_argument("old", help="a folder of charts, a git revision, or REV:path")
    diff.add_argument("new", nargs="?", default="charts", help="likewise; left out: ./charts")
    diff.add_argument("--format", choices=("text", "markdown", "json"), default="text")
    diff.add_argument("--out", type=Path, metavar="DIR", help="also draw every chart that differs")
    diff.set_defaults(command=diff_charts)
    replay = commands.add_parser("replay", help="run a trace again, on its own charts or on others")
    replay.add_argument("trace", type=Path, help="a file of GET /trace, of `run --trace`, or of a defect")
    replay.add_argument("--charts", type=Path, metavar="DIR", help="what would these charts have done?")
    replay.add_argument("--quiet", action="store_true", help="only the verdict")
    replay.set_defaults(command=replay_trace)

    why = commands.add_parser("why", help="why a transition of a trace was taken, or was not, guard by guard")
    why.add_argument("step", metavar="TRACE@N", help="a trace, and the number of a step in `charger replay`")
    why.add_argument(
        "chart", nargs="?", metavar="CHART[/CONNECTOR]", help="everything that this one was asked"
    )
    why.set_defaults(command=explain_step)

    schema = commands.add_parser("schema", help="write the schema for editors, with the charts' own words")
    schema.add_argument("charts", type=Path, nargs="?", help="a folder of charts; left out: ./charts")
    schema.add_argument(
        "--check", action="store_true", help="write nothing, tell if it is stale (exit code 1)"
    )
    schema.set_defaults(command=write_schema)

    explain = commands.add_parser("explain", help="what a word is, where the charts use it, an example")
    explain.add_argument(
        "name", help="an event, fact, action, state, tag, guard, key, rule, … as it is written"
    )
    _charts_option(explain)
    explain.set_defaults(command=explain_word)

    convert = commands.add_parser("convert", help="charts in the formats of other tools, and back")
    convert.add_argument(
        "path", type=Path, nargs="?", help="a folder of charts (left out: ./charts); with --from, a file"
    )
    way = convert.add_mutually_exclusive_group(required=True)
    way.add_argument("--to", choices=FORMATS_WRITTEN)
    way.add_argument("--from", choices=FORMATS_READ, dest="origin")
    convert.add_argument("--chart", metavar="NAME", help="only this chart")
    convert.add_argument("--out", type=Path, metavar="DIR", help="a file per chart; left out: to the screen")
    convert.set_defaults(command=convert_charts)

    config = commands.add_parser("config", help="show the effective settings and where each came from")
    _station_argument(config)
    config.set_defaults(command=show_config)

    certify = commands.add_parser("certify", help="play the certification stories against a station")
    _station_argument(certify)
    certify.add_argument(
        "--profile",
        action="append",
        choices=("Core", "RemoteTrigger"),
        help="only the stories of this profile; may be repeated",
    )
    certify.add_argument(
        "--story",
        action="append",
        default=[],
        metavar="NAME",
        help="only this story, or that in a .yaml file; may be repeated",
    )
    certify.add_argument(
        "--report", type=Path, metavar="FILE", help="write the report to a .md, .json or .txt file"
    )
    certify.add_argument(
        "--virtual", action="store_true", help="play in virtual time: fast, but no process and no socket"
    )
    certify.add_argument(
        "--coverage",
        type=Path,
        metavar="FILE",
        help="with --virtual: write what the stories took of the charts, for `charger diagram --coverage`",
    )
    certify.set_defaults(command=certify_station)

    simulate = commands.add_parser("simulate", help="play with a station in virtual time, or watch a story")
    simulate.add_argument("story", type=Path, nargs="?", help="a story to play; left out: you do")
    simulate.add_argument("--station", type=Path, help="left out: ./station.yaml, else the simulated one")
    simulate.add_argument("--interactive", action="store_true", help="go on where the story ends")
    simulate.add_argument("--trace", type=Path, metavar="FILE", help="write what happened, for `replay`")
    simulate.set_defaults(command=simulate_station)

    csms = commands.add_parser("csms", help="run the small demo Central System")
    csms.add_argument("--host", default="127.0.0.1")
    csms.add_argument("--port", type=int, default=9000)
    csms.add_argument("--quiet", action="store_true", help="do not show the conversation")
    csms.set_defaults(command=run_csms)
    return parser


def _charts_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--charts", type=Path, metavar="DIR", help="a folder of charts; left out: ./charts")


def _station_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "station",
        type=Path,
        nargs="?",
        help="a station.yaml; left out: ./station.yaml, else the simulated one",
    )


# -- commands ------------------------------------------------------------------------------------------


def init_folder(arguments: argparse.Namespace) -> int:
    """`charger init DIR`."""
    from charger.settings import shipped

    folder: Path = arguments.folder
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty; name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(shipped("charts"), folder / "charts")
    _write_schema(folder / "charts")
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
    from charger.app import App
    from charger.trace import TraceFile

    settings, checked = _load(_station_path(arguments.station))
    trace = TraceFile(arguments.trace) if arguments.trace else None
    _log(quiet=arguments.quiet)
    if not arguments.quiet:
        print(f"charger {__version__}  {settings.id}  {checked.summary()}, no findings", flush=True)
    if asyncio.run(App(settings, checked, trace).run()):
        os.execv(sys.executable, [sys.executable, "-m", "charger", *sys.argv[1:]])  # noqa: S606 - ourselves
    return FINE


def check_charts(arguments: argparse.Namespace) -> int:
    """`charger check`."""
    from charger.loading import check_charts_in, read_station

    path: Path = arguments.path or _charts_here()
    if path.is_dir():
        checked = check_charts_in(path)
        return _report(checked.findings, checked.charts.sources, arguments.format, checked.summary())
    found = read_station(path)
    summary = found.checked.summary() if found.checked else ""
    return _report(found.findings, found.sources, arguments.format, summary)


def verify_charts(arguments: argparse.Namespace) -> int:
    """`charger verify`: every promise, in every situation."""
    from charger.loading import check_charts_in, shown
    from charger.settings import shipped
    from charger.verify import report, verify

    charts: Path = arguments.charts or _charts_here()
    if arguments.limit < 1:
        raise UsageError(f"--limit {arguments.limit}: at least 1")
    checked = check_charts_in(charts)
    if checked.errors:
        return _report(checked.findings, checked.charts.sources, arguments.format, "")
    resume: Path | None = arguments.resume
    before = verify.load(checked, resume) if resume and resume.exists() else None
    bar = _Bar(arguments.format == "text")
    result = verify.verify(checked, limit=arguments.limit, progress=bar.shows, before=before)
    bar.clear()
    if resume:
        verify.save(result, resume)
    settings, _ = _load(shipped("stations") / "simulated.yaml")
    logging.disable(logging.CRITICAL)  # what breaks is told by the report
    broken = report.replay(result, settings, arguments.out)
    if arguments.format == "text":
        print(report.as_text(result, broken, shown(charts)), end="")
    else:
        print(report.as_machine_readable(result, broken, arguments.format))
    return FINE if result.complete and not broken else FINDINGS


def draw(arguments: argparse.Namespace) -> int:
    """`charger diagram [--check]`."""
    from charger.loading import check_charts_in, shown
    from charger.statechart import diagram

    charts: Path = arguments.charts or _charts_here()
    checked = check_charts_in(charts)
    if checked.errors:
        return _report(checked.findings, checked.charts.sources, "text", "")
    if arguments.coverage:
        return _draw_coverage(arguments.coverage, checked.charts, arguments.out)
    out: Path = arguments.out or charts.resolve().parent / "diagrams"
    if arguments.check:
        stale = diagram.stale(checked.charts, checked.vocabulary, out)
        for name in stale:
            print(f"{shown(out / name)}.svg  stale")
        if stale:
            given = f" {arguments.charts}" if arguments.charts else ""
            print(f"draw them again: charger diagram{given}")
        return FINDINGS if stale else FINE
    out.mkdir(parents=True, exist_ok=True)
    try:
        changed = diagram.write(checked.charts, checked.vocabulary, out)
    except diagram.DotMissingError as error:
        raise UsageError(str(error)) from error
    for name in changed:
        print(f"{shown(out / name)}.svg  changed")
    if not changed:
        print(f"{shown(out)}: nothing changed")
    return FINE


def _draw_coverage(file: Path, charts: ChartSet, out: Path | None) -> int:
    """`charger diagram --coverage FILE`."""
    from charger.loading import shown
    from charger.statechart import diagram
    from charger.statechart.coverage import Coverage, OtherChartsError

    try:
        coverage = Coverage.from_json(file.read_text(encoding="utf-8"), charts)
        files = diagram.write_sheets(coverage.sheets(charts), out or file.parent)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    except OtherChartsError as error:
        raise UsageError(f"{file} was recorded with other charts: {error}") from error
    except ValueError as error:
        raise UsageError(f"{file} is no record of coverage, as the tests write it") from error
    except diagram.DotMissingError as error:
        raise UsageError(str(error)) from error
    print(f"{shown(out or file.parent)}: {_count(len(files), 'picture')}")
    return FINE


def diff_charts(arguments: argparse.Namespace) -> int:
    """`charger diff OLD [NEW]`."""
    from charger.loading import shown
    from charger.statechart import diagram, diff_report
    from charger.statechart.diff import compare
    from charger.statechart.diff_picture import diff_sheets

    old = _side("OLD", arguments.old, arguments.new)
    new = _side("NEW", arguments.new, arguments.old)
    diff = compare(old.charts, new.charts)
    pictures = {}
    if arguments.out and diff.facts:
        sheets = {f"{name}.diff": sheet for name, sheet in diff_sheets(diff, old.name, new.name).items()}
        try:
            files = diagram.write_sheets(sheets, arguments.out)
        except diagram.DotMissingError as error:
            raise UsageError(str(error)) from error
        pictures = {file.name.removesuffix(".diff.svg"): shown(file) for file in files}
    match arguments.format:
        case "json":
            print(diff_report.as_json(diff, old.name, new.name, pictures))
        case "markdown":
            print(diff_report.as_markdown(diff, old.name, new.name, pictures))
        case _:
            print(diff_report.as_text(diff), *pictures.values(), sep="\n")
    return FINDINGS if diff.facts else FINE


def replay_trace(arguments: argparse.Namespace) -> int:
    """`charger replay`."""
    from charger.loading import check_charts_in
    from charger.replay import report
    from charger.statechart.findings import as_text
    from charger.trace import read

    parts = read(arguments.trace)
    if arguments.charts:
        checked = check_charts_in(arguments.charts)
        if checked.errors:
            print(as_text(checked.findings, checked.charts.sources), file=sys.stderr)
            raise ChargerError(f"{_count(len(checked.errors), 'error')}: these charts do not run")
        told = report.with_charts(parts, checked)
    else:
        told = report.as_recorded(parts)
    for line in told.lines[-1:] if arguments.quiet else told.lines:
        print(line)
    return FINE if told.same else FINDINGS


def explain_step(arguments: argparse.Namespace) -> int:
    """`charger why`."""
    from charger.replay import run, why
    from charger.trace import read

    file, _, number = arguments.step.rpartition("@")
    if not file or not number.isdigit():
        raise UsageError(
            f"'{arguments.step}': write the trace, an @, and the number of a step: trace.jsonl@12"
        )
    part, step = why.find(read(Path(file)), int(number))
    for line in why.why(part, run.charts_of(part), step, arguments.chart):
        print(line)
    return FINE


def write_schema(arguments: argparse.Namespace) -> int:
    """`charger schema [--check]`."""
    from charger.loading import shown
    from charger.statechart.schema import FILE

    folder: Path = arguments.charts or _charts_here()
    changed = _write_schema(folder, only_look=arguments.check)
    what = ("stale" if arguments.check else "changed") if changed else "nothing changed"
    print(f"{shown(folder / FILE)}: {what}")
    if changed and arguments.check:
        print(f"write it again: charger schema{f' {arguments.charts}' if arguments.charts else ''}")
    return FINDINGS if changed and arguments.check else FINE


def explain_word(arguments: argparse.Namespace) -> int:
    """`charger explain NAME`."""
    from charger.loading import shown
    from charger.statechart.lookup import Lookup

    folder: Path = arguments.charts or _charts_here()
    charts, vocabulary = _read(folder)
    lookup = Lookup(charts, vocabulary)
    text = lookup.explain(arguments.name)
    if not text:
        near = lookup.nearest(arguments.name)
        hint = f"; nearest are {', '.join(near)}" if near else ""
        raise UsageError(
            f"no word '{arguments.name}' in the vocabulary, the language or {shown(folder)}{hint}"
        )
    print(text)
    return FINE


def convert_charts(arguments: argparse.Namespace) -> int:
    """`charger convert`: what could not be carried is told on stderr, with exit code 1."""
    from charger.loading import shown

    converted = _foreign_chart(arguments) if arguments.origin else _own_charts_as(arguments)
    if arguments.out:
        _make_folder("--out", arguments.out)
    for name, text in converted.texts.items():
        if arguments.out:
            _write("--out", arguments.out / name, text)
            print(shown(arguments.out / name))
        else:
            print(text, end="")
    for finding in converted.findings:
        print(finding, file=sys.stderr)
    if not converted.texts:
        return WRONG
    return FINDINGS if converted.findings else FINE


def _foreign_chart(arguments: argparse.Namespace) -> Converted:
    from charger.loading import shown
    from charger.statechart import exchange

    if arguments.path is None or arguments.chart or arguments.out:
        raise UsageError("--from takes a file, and prints the chart: --from scxml FILE")
    return exchange.read(arguments.origin, arguments.path, shown(arguments.path))


def _own_charts_as(arguments: argparse.Namespace) -> Converted:
    from charger.loading import check_charts_in, shown
    from charger.statechart import exchange

    folder: Path = arguments.path or _charts_here()
    checked = check_charts_in(folder)
    if checked.errors:
        _report(checked.findings, checked.charts.sources, "text", "")
        raise ChargerError("charts with mistakes in them are not converted")
    charts = checked.charts
    chosen = [chart for chart in charts.charts.values() if arguments.chart in (None, chart.name)]
    if not chosen:
        raise UsageError(f"no chart '{arguments.chart}' in {shown(folder)}: {', '.join(charts.charts)}")
    if len(chosen) > 1 and not arguments.out:
        raise UsageError("several charts: name one with --chart, or a folder with --out")
    return exchange.write(arguments.to, charts, chosen)


def show_config(arguments: argparse.Namespace) -> int:
    """`charger config`: every setting, its value, and where it came from; secrets hidden."""
    from charger.functions.records import Records
    from charger.settings import effective
    from charger.station import configuration_of
    from charger.storage import peek

    settings, checked = _load(_station_path(arguments.station))
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


def certify_station(arguments: argparse.Namespace) -> int:
    """`charger certify`: every story on a station of its own, then the report."""
    from charger.statechart.coverage import Coverage
    from charger.stories import certify, report

    file: Path | None = arguments.report
    if file is not None and file.suffix not in report.FORMATS:
        raise UsageError(f"--report {file}: name a file that ends in {', '.join(report.FORMATS)}")
    if file is not None and not file.resolve().parent.is_dir():
        raise UsageError(f"--report {file}: there is no folder {file.parent}")
    if arguments.coverage and not arguments.virtual:
        raise UsageError("--coverage needs --virtual: nobody can look into a process that runs")
    stories = certify.read_stories(arguments.profile or certify.FOLDERS)
    chosen = certify.choose(stories, arguments.story)
    settings, checked = _load(_station_path(arguments.station))
    if settings.hardware != "simulated":
        raise UsageError(
            f"{settings.file} has `hardware: {settings.hardware}`: stories plug cars in and cut the power,"
            " which works with `hardware: simulated` only"
        )
    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # what breaks a link is told by the story
    progress, coverage = _Progress(len(chosen)), Coverage()
    theatre = certify.Theatre(settings, checked, arguments.virtual, coverage.observe)
    run = certify.Run(theatre, chosen, report.KEYS)
    with _interruptible():
        try:
            run.play(progress.begins, progress.ended)
        except KeyboardInterrupt:
            print(f"\ninterrupted: {len(run.played)} of {_count(len(chosen), 'story', 'stories')} played")
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
        _write("--report", file, report.FORMATS[file.suffix](found))
    if arguments.coverage:
        _write("--coverage", arguments.coverage, coverage.as_json(checked.charts))
    return FINE if found.passed and len(run.played) == len(chosen) else FINDINGS


def _write(what: str, file: Path, text: str) -> None:
    """Write a text; `what` names the option, or the thing."""
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{what} {file}: {error.strerror}") from error


def _make_folder(what: str, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{what} {folder}: {error.strerror}") from error


def simulate_station(arguments: argparse.Namespace) -> int:
    """`charger simulate`."""
    from charger.stories.needs import keys_of, why_not
    from charger.stories.simulate import Simulation

    if arguments.trace and not arguments.trace.resolve().parent.is_dir():
        raise UsageError(f"--trace {arguments.trace}: there is no folder {arguments.trace.parent}")
    story = _story(arguments.story) if arguments.story else None
    settings, checked = _load(_station_path(arguments.station))
    if story and (why := why_not(story, settings, keys_of(settings, checked))):
        print(f"N/A  {story.name}  {why}")
        return FINE
    with _silent("charger.driver"), Simulation(settings, checked, _paint) as simulation:
        failure = None
        if story is None:
            print(f"{settings.id}, {checked.summary()}; virtual time. Type help, ? or quit.\n")
            simulation.begin()
        else:
            failure = simulation.play(story)
            print(f"\nFail  {failure}" if failure else f"\nPass  {story.name}  {story.title}")
        if story is None or arguments.interactive:
            simulation.command("?")
            with suppress(KeyboardInterrupt):  # time may be long
                for line in _typed():
                    if not simulation.command(line):
                        break
        if arguments.trace:
            simulation.write_trace(arguments.trace)
    return FINDINGS if failure else FINE


def run_csms(arguments: argparse.Namespace) -> int:
    """`charger csms`."""
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


# -- what they share -----------------------------------------------------------------------------------


def _charts_here() -> Path:
    from charger.settings import shipped

    return Path("charts") if Path("charts/index.yaml").exists() else shipped("charts")


def _station_path(given: Path | None) -> Path:
    from charger.settings import shipped

    if given is not None:
        return given
    return Path("station.yaml") if Path("station.yaml").exists() else shipped("stations") / "simulated.yaml"


def _side(which: str, word: str, other: str) -> Side:
    """One side of a comparison; prints what is wrong with it."""
    from charger.revisions import read_side
    from charger.statechart.findings import as_text

    side = read_side(word, Path(other) if Path(other).is_dir() else Path("charts"))
    if side.findings:
        print(f"{which}, {side.name}, has findings:", file=sys.stderr)
        print(as_text(side.findings, side.charts.sources), file=sys.stderr)
    if not side.comparable:
        raise UsageError(f"{which}, {side.name}, cannot be compared before that is mended")
    return side


def _read(folder: Path) -> tuple[ChartSet, Vocabulary]:
    """Charts as they are, mistakes and all."""
    from charger.loading import shown
    from charger.statechart.reader import read_set
    from charger.vocabulary import build

    charts, findings = read_set(folder, shown(folder))
    if not charts.charts:
        raise UsageError(f"no chart can be read: {findings[0]}")
    return charts, build(charts)


def _write_schema(folder: Path, *, only_look: bool = False) -> bool:
    """Bring the schema of a folder of charts up to date; tells whether it was not."""
    from charger.statechart.schema import FILE, schema_text

    text = schema_text(*_read(folder))
    file = folder / FILE
    changed = not file.exists() or file.read_text(encoding="utf-8") != text
    if changed and not only_look:
        _write("the schema", file, text)
    return changed


def _load(path: Path) -> tuple[Settings, Checked]:
    """A station and its charts, both without errors; prints every finding and refuses otherwise."""
    from charger.loading import read_station
    from charger.statechart.findings import as_text

    found = read_station(path)
    if found.findings:
        print(as_text(found.findings, found.sources), file=sys.stderr)
    if found.errors or found.settings is None or found.checked is None:
        raise ChargerError(f"{_count(len(found.errors), 'error')}: the station does not start")
    return found.settings, found.checked


def _report(findings: list[Finding], sources: Mapping[str, str], form: str, summary: str) -> int:
    from charger.statechart.findings import as_github, as_json, as_text, tidy

    findings = tidy(findings)
    match form:
        case "json":
            print(as_json(findings))
        case "github":
            print(as_github(findings), end="\n" if findings else "")
        case _:
            if findings:
                print(as_text(findings, sources))
                errors = sum(finding.severity == "error" for finding in findings)
                print(f"{_count(errors, 'error')}, {_count(len(findings) - errors, 'warning')}.")
            else:
                print(f"{summary}: no findings.")
    return FINDINGS if findings else FINE


def _count(number: int, what: str, several: str | None = None) -> str:
    return f"{number} {what if number == 1 else several or f'{what}s'}"


def _story(path: Path) -> Story:
    from charger.statechart.findings import as_text
    from charger.stories.language import StoryError, read_story

    if not path.is_file():
        raise UsageError(f"there is no story {path}")
    try:
        return read_story(path)
    except StoryError as error:
        print(as_text(error.findings, error.sources), file=sys.stderr)
        raise ChargerError(f"{_count(len(error.findings), 'mistake')}: this is no story") from error


def _typed() -> Iterator[str]:
    """Lines that somebody types; from a file or a pipe they are shown as if."""
    if sys.stdin.isatty():
        import readline  # noqa: F401 - lets people edit what they type, and repeat it
    while True:
        try:
            line = input("> ")
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if not sys.stdin.isatty():
            print(line)
        yield line


COLOURS = {"act": "1", "said": "32", "told": "36", "moved": "2", "plain": "", "wrong": "31"}
"""Kind of a line → how a terminal shows it."""


def _paint(line: Line) -> None:
    """Show a line of a simulation, in colour where a terminal is and nobody minds (no-color.org)."""
    colour = COLOURS[line.kind]
    plain = not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    print(line.text if plain or not colour else f"\033[{colour}m{line.text}\033[0m")


class _Progress:
    """The story that is played, in place on a terminal; elsewhere a line for each that was."""

    def __init__(self, of: int) -> None:
        self._of = of
        self._done = 0
        self._in_place = sys.stdout.isatty()

    def begins(self, what: str) -> None:
        """Something is played now."""
        if self._in_place:
            told = f"{self._place()}  {what} …"[: shutil.get_terminal_size().columns - 1]
            print(f"{CLEAR}{told}", end="", flush=True)

    def ended(self, played: Played) -> None:
        """A story was played; a failure stays on the screen."""
        self._done += 1
        story = played.story
        told = f"{self._place()}  {story.name}  {story.title}  "
        if played.failure:
            told += f"Fail  {played.failure.splitlines()[0]}"
        else:
            told += f"N/A  {played.skipped}" if played.skipped else f"Pass  {played.duration:.1f} s"
        if played.failure or not self._in_place:
            print(f"{CLEAR if self._in_place else ''}{told}", flush=True)

    def clear(self) -> None:
        """Nothing is played any more."""
        if self._in_place:
            print(CLEAR, end="", flush=True)

    def _place(self) -> str:
        return f"{self._done:>{len(str(self._of))}}/{self._of}"


class _Bar:
    """How far a walk has come: in place on a terminal, elsewhere a line every ten seconds."""

    def __init__(self, wanted: bool) -> None:
        self._in_place = wanted and sys.stdout.isatty()
        self._wanted = wanted
        self._next = time.monotonic() + LINES

    def shows(self, views: Sequence[tuple[str, int, int]]) -> None:
        """It has come so far."""
        from charger.verify.report import bar

        if self._in_place:
            print(f"{CLEAR}{bar(views)[: shutil.get_terminal_size().columns - 1]}", end="", flush=True)
        elif self._wanted and time.monotonic() >= self._next:
            self._next += LINES
            print(bar(views), flush=True)

    def clear(self) -> None:
        """It is over."""
        if self._in_place:
            print(CLEAR, end="", flush=True)


@contextmanager
def _silent(name: str) -> Iterator[None]:
    """What that part would log is told in another way."""
    log = logging.getLogger(name)
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(before)


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
