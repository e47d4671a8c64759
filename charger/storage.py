"""The durable facts of one station in one SQLite file: the port `Storage`.

A commit is one transaction in write-ahead mode, on the disk (fsync) when it returns. It is small, because SD
cards wear out, and all or nothing, because a step is. A lock on the folder keeps a second station out. What
cannot be read is never thrown away: it is moved aside, and the station starts with a clean file.
Knows nothing of what the facts mean.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from charger.errors import FolderInUse, StorageError, StorageFull
from charger.ports import Change

FILE: Final = "charger.db"
LOCK: Final = "lock"
VERSION: Final = 1
"""Of the schema, in ``PRAGMA user_version``. A higher one belongs to a later program: hands off."""
CHECKPOINT_PAGES: Final = 64
"""Pages of 4 KiB that the write-ahead log collects before they go into the file."""
LOG_LIMIT: Final = CHECKPOINT_PAGES * 4096
"""Bytes to which the log is cut back once it has grown further."""

_SCHEMA: Final = """
CREATE TABLE fact (
    subject TEXT NOT NULL,
    key     TEXT NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (subject, key)
) WITHOUT ROWID, STRICT
"""
_WRITE: Final = "REPLACE INTO fact VALUES (?, ?, ?)"
_DELETE: Final = "DELETE FROM fact WHERE subject = ? AND key = ?"
_COLUMNS: Final = ("subject", "key", "value")
_REFUSALS: Final = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
}
_DAMAGE: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
_NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}


class _DamagedError(Exception):
    """The file is no database of ours."""


class SqliteStorage:
    """Owns the folder from construction to `close`."""

    def __init__(self, folder: Path) -> None:
        """Open, creating what is missing.

        Raises:
            FolderInUse: another station runs on this folder.
            StorageFull: no room, or the disk refuses to write.
            StorageError: the folder cannot be used, or a later program wrote the file.
        """
        self.recovered: str | None = None
        """When the file was damaged: a sentence that names where it was kept. Worth logging."""
        self._path = folder / FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(folder / LOCK)
        except OSError as error:
            raise _unusable(self._path, error) from error
        try:
            self._database = self._open_or_replace()
        except BaseException as error:
            os.close(self._lock)
            if isinstance(error, OSError):
                raise _unusable(self._path, error) from error
            raise

    # -- the port ------------------------------------------------------------------------------------------

    def load(self) -> list[Change]:
        """Every stored fact, ordered by subject and key.

        Raises:
            StorageError: the file cannot be read any more.
        """
        try:
            return _facts(self._database)
        except (sqlite3.Error, ValueError) as error:
            raise StorageError(f"{self._path} cannot be read: {error}") from error

    def commit(self, changes: tuple[Change, ...]) -> None:
        """Make all changes durable, or none. No changes: nothing is written.

        Raises:
            StorageFull: no room, or the disk refuses to write; nothing was changed. May be called again:
                it works once there is room.
            StorageError: anything else that SQLite says; nothing was changed.
        """
        if not changes:
            return
        values = [None if change.value is None else _encode(change.value) for change in changes]
        with _errors_explained(self._path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                for change, value in zip(changes, values, strict=True):
                    if value is None:
                        self._database.execute(_DELETE, (change.subject, change.key))
                    else:
                        self._database.execute(_WRITE, (change.subject, change.key, value))
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:  # SQLite rolls back by itself after some errors
                    self._database.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Release the folder. A second call does nothing."""
        if self._lock < 0:
            return
        self._database.close()
        os.close(self._lock)
        self._lock = -1

    # -- opening -------------------------------------------------------------------------------------------

    def _open_or_replace(self) -> sqlite3.Connection:
        if not self._path.exists() and not self._path.with_name(f"{FILE}-wal").exists():
            _create(self._path)
        try:
            return _opened(self._path)
        except _DamagedError as damage:
            kept = _set_aside(self._path)
            self.recovered = (
                f"{self._path} was damaged ({damage}): it was kept as {kept.name}, "
                "and the station starts without its facts"
            )
        _create(self._path)
        return _opened(self._path)


def peek(folder: Path) -> list[Change] | None:
    """The facts in a folder, for people to look at; None while a station runs on it. Repairs nothing.

    Raises:
        StorageError: they cannot be read.
    """
    path = folder / FILE
    if not path.exists():
        return []
    try:
        lock = _locked(folder / LOCK)
    except FolderInUse:
        return None
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        with closing(_opened(path)) as database:
            return _facts(database)
    except _DamagedError as damage:
        raise StorageError(
            f"{path} is damaged ({damage}): the next start of the station sets it aside"
        ) from damage
    finally:
        os.close(lock)


def _locked(path: Path) -> int:
    """Take the lock, and leave our pid in it for whoever comes second."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    except BlockingIOError as error:
        pid = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
        os.close(lock)
        raise FolderInUse(
            f"another station (process {pid or 'unknown'}) runs on the data folder {path.parent}: "
            "stop it, or give this one a folder of its own (data: in station.yaml)"
        ) from error
    except BaseException:
        os.close(lock)
        raise
    return lock


def _create(path: Path) -> None:
    """Put a new file in place, complete or not at all: an empty one means that its content was lost."""
    draft = path.with_name(f"{FILE}.new")
    draft.unlink(missing_ok=True)
    with _errors_explained(draft), closing(sqlite3.connect(draft, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = MEMORY")
        database.execute("BEGIN IMMEDIATE")
        database.execute(_SCHEMA)
        database.execute(f"PRAGMA user_version = {VERSION}")
        database.execute("COMMIT")
    draft.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name is on the disk before anything depends on it
    finally:
        os.close(folder)


def _opened(path: Path) -> sqlite3.Connection:
    """Open a file that exists, make its commits durable and small.

    Raises:
        _DamagedError: it is not sound, or not ours.
    """
    if not path.exists() or path.stat().st_size == 0:
        # SQLite would take it for a new one, and might play the log of the lost one into it.
        raise _DamagedError("the file is empty or gone")
    try:
        database = sqlite3.connect(path, isolation_level=None, timeout=1.0)
        try:
            _prepare(database, path)
        except BaseException:
            database.close()
            raise
    except sqlite3.Error as error:
        if _tells_of_damage(error, path):
            raise _DamagedError(str(error)[:100]) from error
        raise _explained(error, path) from error
    return database


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    # Nobody else has business in the file, so its lock is kept and no shared-memory file is needed.
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    _check(database, path)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    database.execute(f"PRAGMA journal_size_limit = {LOG_LIMIT}")
    # A damaged header may say "read-only", which only an attempt to write brings to light.
    database.execute("BEGIN IMMEDIATE")
    database.execute(f"PRAGMA user_version = {VERSION}")
    database.execute("ROLLBACK")


def _check(database: sqlite3.Connection, path: Path) -> None:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise StorageError(
            f"{path} was written by a later version of this program (schema {version}, known is {VERSION}): "
            "install that version, or give this one another data folder"
        )
    (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise _DamagedError(str(verdict).splitlines()[-1])
    columns = tuple(row[1] for row in database.execute("PRAGMA table_info(fact)"))
    if version != VERSION or columns != _COLUMNS:
        raise _DamagedError("an unknown schema")
    try:
        _facts(database)
    except ValueError as error:
        raise _DamagedError(f"a value that is not JSON: {error}") from error


def _set_aside(path: Path) -> Path:
    """Rename the file; its log goes with it under a matching name, so that SQLite's tools find both."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    kept = path.with_name(f"{FILE}.corrupt-{now}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(FILE + suffix)
        if part.exists():
            part.rename(kept.with_name(kept.name + suffix))
    return kept


def _facts(database: sqlite3.Connection) -> list[Change]:
    # Closed at once: a statement that is still open would keep the file open past `close`.
    with closing(database.execute("SELECT subject, key, value FROM fact ORDER BY subject, key")) as cursor:
        rows = cursor.fetchall()
    return [Change(subject, key, json.loads(value)) for subject, key, value in rows]


def _encode(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _code(error: sqlite3.Error) -> int:
    """SQLite's extended result code; SQLITE_ERROR for an error of the Python module itself."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)


def _tells_of_damage(error: sqlite3.Error, path: Path) -> bool:
    """Whether an error while opening is the fault of the file's content.

    What is asked while opening is always the same, so SQLITE_ERROR comes from what is in the file; so does
    "read-only", said of a file that may be written.
    """
    code = _code(error)
    return code & 0xFF in _DAMAGE or (code == sqlite3.SQLITE_READONLY and os.access(path, os.W_OK))


def _explained(error: sqlite3.Error, path: Path) -> StorageError:
    kind = StorageFull if _code(error) & 0xFF in _REFUSALS else StorageError
    return kind(f"{path} cannot be used: {error}")


def _unusable(path: Path, error: OSError) -> StorageError:
    kind = StorageFull if error.errno in _NO_ROOM else StorageError
    return kind(f"the data folder {path.parent} cannot be used: {error.strerror}")


@contextmanager
def _errors_explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _explained(error, path) from error
