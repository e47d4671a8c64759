"""The command line: one function per sub-command. The only package that prints.

Exit codes: 0 fine, 1 findings (of `diff`: differences), 2 wrong usage or something unreadable. What a command
needs is imported by the command: `charger check` does not wait for a web server.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from charger import __version__
from charger.cli import board, charts, playing, station
from charger.cli.say import FINDINGS, FINE, INTERRUPTED, WRONG, exit_code
from charger.errors import ChargerError, SourceError, UsageError

MAX_PORT = 65_535
FORMATS = ("text", "json", "github")
FORMATS_WRITTEN, FORMATS_READ = ("xstate", "scxml", "mermaid", "plantuml", "dot"), ("xstate", "scxml")


def main() -> None:
    """Entry point of `charger`. What a terminal cannot show, or somebody cannot type, is shown as a `?`."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.exit(run_command(sys.argv[1:]))


def run_command(words: Sequence[str]) -> int:
    """Run one command and give its exit code."""
    arguments = _parser().parse_args(words)
    try:
        code: int = arguments.command(arguments)
    except UsageError as error:
        print(f"charger: {error}", file=sys.stderr)
        return WRONG
    except SourceError as error:
        print(f"charger: {error}", file=sys.stderr)
        return exit_code(error.findings)
    except ChargerError as error:
        print(f"charger: {error}", file=sys.stderr)
        return FINDINGS
    except BrokenPipeError:
        sys.stderr.close()  # whoever read us has gone
        return FINE
    except OSError as error:
        if error.filename is None:
            raise  # no path that somebody typed
        print(f"charger: {error.filename}: {error.strerror}", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
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
    init.set_defaults(command=station.init_folder)

    run = commands.add_parser("run", help="run a station")
    _station_argument(run)
    run.add_argument("--quiet", action="store_true", help="say only what is wrong")
    run.add_argument("--trace", type=Path, metavar="FILE", help="write every step to this file, for `replay`")
    run.set_defaults(command=station.run_station)

    check = commands.add_parser("check", help="check charts, or a station with its charts")
    check.add_argument(
        "path",
        type=Path,
        nargs="?",
        help="a folder of charts, a station.yaml or its folder, or one chart, which means all of its folder;"
        " left out: ./station.yaml, else ./charts",
    )
    check.add_argument("--format", choices=FORMATS, default="text")
    check.set_defaults(command=charts.check_charts)

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
    verify.set_defaults(command=charts.verify_charts)

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
    diagram.set_defaults(command=charts.draw)

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
    diff.set_defaults(command=charts.diff_charts)
    replay = commands.add_parser("replay", help="run a trace again, on its own charts or on others")
    replay.add_argument("trace", type=Path, help="a file of GET /trace, of `run --trace`, or of a defect")
    replay.add_argument("--charts", type=Path, metavar="DIR", help="what would these charts have done?")
    replay.add_argument("--quiet", action="store_true", help="only the verdict")
    replay.set_defaults(command=playing.replay_trace)

    why = commands.add_parser("why", help="why a transition of a trace was taken, or was not, guard by guard")
    why.add_argument("step", metavar="TRACE@N", help="a trace, and the number of a step in `charger replay`")
    why.add_argument(
        "chart", nargs="?", metavar="CHART[/CONNECTOR]", help="everything that this one was asked"
    )
    why.set_defaults(command=playing.explain_step)

    schema = commands.add_parser("schema", help="write the schema for editors, with the charts' own words")
    schema.add_argument("charts", type=Path, nargs="?", help="a folder of charts; left out: ./charts")
    schema.add_argument(
        "--check", action="store_true", help="write nothing, tell if it is stale (exit code 1)"
    )
    schema.set_defaults(command=charts.write_schema)

    explain = commands.add_parser("explain", help="what a word is, where the charts use it, an example")
    explain.add_argument(
        "name", help="an event, fact, action, state, tag, guard, key, rule, … as it is written"
    )
    _charts_option(explain)
    explain.set_defaults(command=charts.explain_word)

    convert = commands.add_parser("convert", help="charts in the formats of other tools, and back")
    convert.add_argument(
        "path", type=Path, nargs="?", help="a folder of charts (left out: ./charts); with --from, a file"
    )
    way = convert.add_mutually_exclusive_group(required=True)
    way.add_argument("--to", choices=FORMATS_WRITTEN)
    way.add_argument("--from", choices=FORMATS_READ, dest="origin")
    convert.add_argument("--chart", metavar="NAME", help="only this chart")
    convert.add_argument("--out", type=Path, metavar="DIR", help="a file per chart; left out: to the screen")
    convert.set_defaults(command=charts.convert_charts)

    config = commands.add_parser("config", help="show the effective settings and where each came from")
    _station_argument(config)
    config.set_defaults(command=station.show_config)

    wiring = commands.add_parser("wiring", help="show which pin of a real board goes where")
    _station_argument(wiring)
    wiring.add_argument("--out", type=Path, metavar="FILE.svg", help="draw the header instead")
    wiring.set_defaults(command=board.show_wiring)

    clear = commands.add_parser(
        "clear",
        help="clear what waits for service, at a station that runs",
        description="Tell a station that runs that somebody has looked at what was wrong: latched faults are"
        " cleared, those too that wait for service. What is still wrong is raised again.",
    )
    clear.add_argument("station", type=Path, help="the station, by its station.yaml or its folder")
    clear.add_argument("error", nargs="?", metavar="ERROR", help="an errorCode; left out: all")
    clear.add_argument(
        "--connector", type=int, metavar="N", help="0: the station itself; left out: it and every connector"
    )
    clear.set_defaults(command=station.clear_faults)

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
    certify.set_defaults(command=station.certify_station)

    simulate = commands.add_parser("simulate", help="play with a station in virtual time, or watch a story")
    simulate.add_argument("story", type=Path, nargs="?", help="a story to play; left out: you do")
    simulate.add_argument("--station", type=Path, help="left out: ./station.yaml, else the simulated one")
    simulate.add_argument("--interactive", action="store_true", help="go on where the story ends")
    simulate.add_argument("--trace", type=Path, metavar="FILE", help="write what happened, for `replay`")
    simulate.set_defaults(command=playing.simulate_station)

    doctor = commands.add_parser("doctor", help="check a board before mains is connected")
    doctor.add_argument(
        "station",
        type=Path,
        nargs="?",
        help="a station.yaml; left out: ./station.yaml, else that of /etc/charger, else the simulated one",
    )
    doctor.add_argument("--simulated", action="store_true", help="it has no board, and that is meant so")
    doctor.add_argument("--format", choices=("text", "json"), default="text")
    doctor.set_defaults(command=board.examine_board)

    off = commands.add_parser("outputs-off", help="drive every output of a board low; for ExecStopPost=")
    off.add_argument("station", type=Path, help="a station.yaml")
    off.set_defaults(command=board.switch_off)

    csms = commands.add_parser("csms", help="run the small demo Central System")
    csms.add_argument("--host", default="127.0.0.1")
    csms.add_argument("--port", type=_port, default=9000)
    csms.add_argument("--quiet", action="store_true", help="do not show the conversation")
    csms.set_defaults(command=station.run_csms)
    return parser


def _port(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > MAX_PORT:
        raise argparse.ArgumentTypeError(f"'{text}' is no port: a number from 0 to {MAX_PORT}")
    return int(text)


def _charts_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--charts", type=Path, metavar="DIR", help="a folder of charts; left out: ./charts")


def _station_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "station",
        type=Path,
        nargs="?",
        help="a station.yaml; left out: ./station.yaml, else the simulated one",
    )
