"""Commands about charts: check, verify, diagram, diff, explain, schema, convert."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from charger.cli.paths import charts_folder, what_to_check, writable
from charger.cli.say import (
    FINDINGS,
    FINE,
    INTERRUPTED,
    WRONG,
    Bar,
    count,
    load_station,
    make_folder,
    read_charts,
    refusal,
    report_findings,
    told_to_stop,
    update_schema,
    write_text,
)
from charger.errors import UsageError

if TYPE_CHECKING:
    from charger.revisions import Side
    from charger.statechart.exchange import Converted
    from charger.statechart.model import ChartSet


def check_charts(arguments: argparse.Namespace) -> int:
    """`charger check`."""
    from charger.loading import check_charts_in, read_station

    path = what_to_check(arguments.path)
    if path.is_dir():
        if arguments.path and arguments.path.is_file():
            print(
                f"{arguments.path} is one of the charts in {path}: all of them are checked", file=sys.stderr
            )
        checked = check_charts_in(path)
        return report_findings(checked, arguments.format, checked.summary())
    found = read_station(path)
    summary = found.checked.summary() if found.checked else ""
    return report_findings(found, arguments.format, summary)


def verify_charts(arguments: argparse.Namespace) -> int:
    """`charger verify`: every promise, in every situation."""
    from charger.folders import shipped
    from charger.loading import check_charts_in, shown
    from charger.verify import report, verify

    charts = charts_folder(arguments.charts)
    if arguments.limit < 1:
        raise UsageError(f"--limit {arguments.limit}: at least 1")
    checked = check_charts_in(charts)
    if checked.errors:
        return report_findings(checked, arguments.format, "")
    resume: Path | None = arguments.resume
    if resume:
        writable("--resume", resume)
    if arguments.out.exists() and not arguments.out.is_dir():
        raise UsageError(f"--out {arguments.out}: that is a file; stories go into a folder")
    before = verify.load(checked, resume) if resume and resume.exists() else None
    bar = Bar(arguments.format == "text")
    with told_to_stop() as stopped:
        result = verify.verify(
            checked, limit=arguments.limit, progress=bar.shows, before=before, stopped=stopped
        )
    bar.clear()
    if resume:
        verify.save(result, resume)
    if stopped() and not result.complete:
        print(report.how_far(result, resume), file=sys.stderr)
        return INTERRUPTED
    settings, _ = load_station(shipped("stations") / "simulated.yaml")
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

    charts = charts_folder(arguments.charts)
    checked = check_charts_in(charts)
    if checked.errors:
        return report_findings(checked, "text", "")
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
    from charger.statechart.source import read_bytes

    try:
        coverage = Coverage.from_json(read_bytes(file).decode("utf-8"), charts)
        files = diagram.write_sheets(coverage.sheets(charts), out or file.parent)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    except OtherChartsError as error:
        raise UsageError(f"{file} was recorded with other charts: {error}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is no record of coverage, as the tests write it") from error
    except diagram.DotMissingError as error:
        raise UsageError(str(error)) from error
    print(f"{shown(out or file.parent)}: {count(len(files), 'picture')}")
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


def explain_word(arguments: argparse.Namespace) -> int:
    """`charger explain NAME`."""
    from charger.loading import shown
    from charger.statechart.lookup import Lookup

    folder = charts_folder(arguments.charts)
    charts, vocabulary = read_charts(folder)
    lookup = Lookup(charts, vocabulary)
    text = lookup.explain(arguments.name)
    if not text:
        near = lookup.nearest(arguments.name)
        hint = f"; nearest {'are' if near[1:] else 'is'} {', '.join(map(repr, near))}" if near else ""
        raise UsageError(
            f"no word '{arguments.name}' in the vocabulary, the language or {shown(folder)}{hint}"
        )
    print(text)
    return FINE


def write_schema(arguments: argparse.Namespace) -> int:
    """`charger schema [--check]`."""
    from charger.loading import shown
    from charger.statechart.schema import FILE

    folder = charts_folder(arguments.charts)
    changed = update_schema(folder, only_look=arguments.check)
    what = ("stale" if arguments.check else "changed") if changed else "nothing changed"
    print(f"{shown(folder / FILE)}: {what}")
    if changed and arguments.check:
        print(f"write it again: charger schema{f' {arguments.charts}' if arguments.charts else ''}")
    return FINDINGS if changed and arguments.check else FINE


def convert_charts(arguments: argparse.Namespace) -> int:
    """`charger convert`: what could not be carried is told on stderr, with exit code 1."""
    from charger.loading import shown

    converted = _foreign_chart(arguments) if arguments.origin else _own_charts_as(arguments)
    if arguments.out:
        make_folder("--out", arguments.out)
    for name, text in converted.texts.items():
        if arguments.out:
            write_text("--out", arguments.out / name, text)
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

    folder = charts_folder(arguments.path)
    checked = check_charts_in(folder)
    if checked.errors:
        report_findings(checked, "text", "")
        raise refusal(checked.findings, "charts with mistakes in them are not converted")
    charts = checked.charts
    chosen = [chart for chart in charts.charts.values() if arguments.chart in (None, chart.name)]
    if not chosen:
        raise UsageError(f"no chart '{arguments.chart}' in {shown(folder)}: {', '.join(charts.charts)}")
    if len(chosen) > 1 and not arguments.out:
        raise UsageError("several charts: name one with --chart, or a folder with --out")
    return exchange.write(arguments.to, charts, chosen)
