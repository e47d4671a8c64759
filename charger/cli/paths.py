"""What a path means that somebody typed, or left out: a station, or a folder of charts.

A path that is not there, or is something else, is refused here with what to type instead, so that commands
need not ask. What no command foresees, `OSError`, is told by `run_command`.
"""

from __future__ import annotations

from pathlib import Path

from charger.errors import UsageError

INDEX, STATION = "index.yaml", "station.yaml"


def charts_folder(given: Path | None) -> Path:
    """The charts that are named, else those of this folder, else the shipped ones.

    Raises:
        UsageError: there are none.
    """
    from charger.folders import shipped

    if given is None:
        return Path("charts") if Path("charts", INDEX).exists() else shipped("charts")
    if not _there(given).is_dir():
        raise UsageError(f"{given} is a file: name a folder of charts{_or(_set_around(given))}")
    if not (given / INDEX).exists():
        raise UsageError(f"no charts in {given}: there is no {INDEX}{_or(_charts_inside(given))}")
    return given


def station_file(given: Path | None) -> Path:
    """The station that is named, by its file or folder; else that of this folder, else the simulated one.

    Raises:
        UsageError: there is none.
    """
    from charger.folders import shipped

    if given is None:
        return Path(STATION) if Path(STATION).exists() else shipped("stations") / "simulated.yaml"
    if _there(given).is_dir():
        if not (given / STATION).exists():
            raise UsageError(f"no station in {given}: there is no {STATION}; `charger init DIR` makes one")
        return given / STATION
    if _set_around(given):
        raise UsageError(f"{given} is a chart: name a {STATION}; `charger init DIR` makes one")
    return given


def what_to_check(given: Path | None) -> Path:
    """A folder of charts or a station.yaml; of a chart its folder, since charts are right or wrong together.

    Raises:
        UsageError: it is neither, or nothing is here to be checked.
    """
    if given is None:
        for path in (Path(STATION), Path("charts"), Path()):
            if (path / INDEX).exists() or path.is_file():
                return path
        raise UsageError(
            f"nothing to check here, neither ./{STATION} nor ./charts: name one of them,"
            " or make both with `charger init DIR`"
        )
    if not _there(given).is_dir():
        return _set_around(given) or given
    if (given / INDEX).exists():
        return given
    if (given / STATION).exists():
        return given / STATION
    raise UsageError(
        f"nothing to check in {given}: there is neither {STATION} nor {INDEX}{_or(_charts_inside(given))}"
    )


def writable(what: str, file: Path) -> None:
    """Refuse at once what could not be written after a long run; `what` is the option that named it.

    Raises:
        UsageError: it cannot be written.
    """
    if not file.resolve().parent.is_dir():
        raise UsageError(f"{what} {file}: there is no folder {file.parent}")
    there = file.exists()
    if there and not file.is_file():
        raise UsageError(f"{what} {file}: that is no regular file")
    try:
        file.open("ab").close()
    except OSError as error:
        raise UsageError(f"{what} {file}: {error.strerror}") from error
    if not there:
        file.unlink()


def _there(path: Path) -> Path:
    if not path.exists():
        raise UsageError(f"{path}: there is no such file or folder")
    return path


def _set_around(file: Path) -> Path | None:
    """The folder of charts that a file is in."""
    return file.parent if (file.parent / INDEX).exists() else None


def _charts_inside(folder: Path) -> Path | None:
    """The charts of a station folder."""
    return folder / "charts" if (folder / "charts" / INDEX).exists() else None


def _or(folder: Path | None) -> str:
    return f"; you may mean {folder}" if folder else ""
