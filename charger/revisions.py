"""Charts to compare: a folder, or what a git revision has of it. Only module that runs `git`."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from charger.errors import UsageError
from charger.statechart.checks import check
from charger.statechart.findings import Finding, nearest
from charger.statechart.model import ChartSet
from charger.statechart.reader import read_set
from charger.vocabulary import build


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison."""

    name: str
    """A folder, or `REV:path`."""
    charts: ChartSet
    findings: list[Finding]
    comparable: bool
    """Everything could be read and leads somewhere. Words that the vocabulary of today lacks do no harm."""


def read_side(word: str, beside: Path) -> Side:
    """The charts that a person means by a word: a folder, `REV` or `REV:path`.

    Args:
        word: a folder is taken before a revision of that name. As in git, the path of `REV:path` begins at
            the top of the repository, that of `REV:./path` here.
        beside: the folder whose earlier self a bare `REV` is.

    Raises:
        UsageError: there is neither, no git, or no charts there.
    """
    with _folder(word, beside) as (name, folder):
        checked = check(folder, build, name)
        _, unreadable = read_set(folder)
    lost = any(finding.rule == "unknown-target" for finding in checked.findings)
    return Side(name, checked.charts, checked.findings, not unreadable and not lost)


@contextmanager
def _folder(word: str, beside: Path) -> Iterator[tuple[str, Path]]:
    """Its name, and where it can be read."""
    folder = Path(word)
    if folder.is_dir():
        _must_have_index(folder, word)
        yield word, folder
    elif folder.is_file():
        raise UsageError(f"{word} is a file: name the folder of charts it is in")
    else:
        with tempfile.TemporaryDirectory(prefix="charger-diff-") as scratch:
            shown = _extract(word, beside, Path(scratch))
            _must_have_index(Path(scratch), shown)
            yield shown, Path(scratch)


def _must_have_index(folder: Path, shown: str) -> None:
    if not (folder / "index.yaml").is_file():
        raise UsageError(f"no charts in {shown}: there is no index.yaml")


def _extract(word: str, beside: Path, into: Path) -> str:
    """Write the charts of a revision into a folder, and give their full name."""
    revision, colon, path = word.partition(":")
    here = Path() if colon else beside.absolute().parent
    code, top, error = _git(here, "rev-parse", "--show-toplevel")
    if code:
        raise UsageError(f"'{word}' is no folder, and no revision either, since git says: {error}")
    if (
        not revision
        or _git(here, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")[0]
    ):
        known = _git(here, "for-each-ref", "--format=%(refname:short)")[1].split()
        raise UsageError(f"'{revision or word}' is neither a folder nor a revision{nearest(revision, known)}")
    if not colon:
        path = _git(here, "rev-parse", "--show-prefix")[1] + beside.absolute().name
    code, tree, _ = _git(here, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}:{path}")
    if code or _git(here, "cat-file", "-t", tree)[1] != "tree":
        raise UsageError(
            f"no charts in {revision}: there is no folder {path}; name it: {revision}:path/of/charts"
        )
    archive = subprocess.run(["git", "archive", tree], cwd=top, capture_output=True, check=True)  # noqa: S603, S607
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        for member in tar:
            name = Path(member.name)
            content = tar.extractfile(member) if member.isfile() and name.suffix == ".yaml" else None
            if content and name.name == member.name:
                (into / name).write_bytes(content.read())
    return f"{revision}:{path}"


def _git(folder: Path, *words: str) -> tuple[int, str, str]:
    """Exit code, and what it says on either stream."""
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603, S607
    except FileNotFoundError as error:
        raise UsageError("there is no program `git`, which reads revisions: apt install git") from error
    return done.returncode, done.stdout.strip(), done.stderr.strip()
