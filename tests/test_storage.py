"""SQLite storage: what was committed is there afterwards, whatever happened in between."""

import os
import resource
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest

from charger.errors import FolderInUse, StorageError, StorageFull
from charger.ports import Change
from charger.storage import CHECKPOINT_PAGES, SqliteStorage, peek

PATIENCE = 30


def stored(folder):
    with closing(SqliteStorage(folder)) as storage:
        assert storage.recovered is None
        return {(fact.subject, fact.key): fact.value for fact in storage.load()}


def fact(number, size=300):
    return Change("transaction", f"{number:06}", {"tag": "x" * size, "number": number})


def filled(folder, count=120):
    """A database of a dozen pages, closed; returns its file."""
    with closing(SqliteStorage(folder)) as storage:
        for number in range(count):
            storage.commit((fact(number),))
    return folder / "charger.db"


def start(code, *arguments):
    """Run Python in another process; what it prints is read by the caller."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    )


# -- facts -------------------------------------------------------------------------------------------------


def test_facts_come_back_ordered_by_subject_and_key(tmp_path):
    changes = (
        Change("transaction", "2", {"tag": "Æ\n", "meter": [1, 2.5, None, True]}),
        Change("transaction", "1", "text"),
        Change("availability", "0", True),
    )
    with closing(SqliteStorage(tmp_path / "new" / "folder")) as storage:
        assert storage.load() == []
        storage.commit(changes)
        expected = [changes[2], changes[1], changes[0]]
        assert storage.load() == expected
    with closing(SqliteStorage(tmp_path / "new" / "folder")) as storage:
        assert storage.load() == expected


def test_a_fact_is_replaced_and_deleted(tmp_path):
    with closing(SqliteStorage(tmp_path)) as storage:
        storage.commit((Change("a", "1", "old"), Change("a", "2", 2)))
        storage.commit((Change("a", "1", "new"), Change("a", "2", None), Change("never", "was", None)))
        assert storage.load() == [Change("a", "1", "new")]


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (Change("a", "2", object()), TypeError),
        (Change("a", "2", float("nan")), ValueError),
        (Change("a", "\ud800", 1), UnicodeEncodeError),
    ],
)
def test_a_commit_is_all_or_nothing(tmp_path, bad, error):
    with closing(SqliteStorage(tmp_path)) as storage:
        storage.commit((Change("a", "1", "old"),))
        with pytest.raises(error):
            storage.commit((Change("a", "1", "new"), bad))
        assert storage.load() == [Change("a", "1", "old")]
        storage.commit((Change("a", "1", "newer"),))
    assert stored(tmp_path) == {("a", "1"): "newer"}


def test_after_close_everything_is_refused(tmp_path):
    storage = SqliteStorage(tmp_path)
    storage.close()
    storage.close()
    with pytest.raises(StorageError, match="cannot be used"):
        storage.commit((fact(1),))
    with pytest.raises(StorageError, match="cannot be read"):
        storage.load()


# -- wear --------------------------------------------------------------------------------------------------


def written():
    """Bytes that this process has handed to the kernel."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["wchar"])


def test_a_step_that_changes_nothing_writes_nothing(tmp_path):
    with closing(SqliteStorage(tmp_path)) as storage:
        storage.commit((fact(1),))
        before = written()
        storage.commit(())
        assert written() == before


def test_commits_are_small_and_so_is_the_log(tmp_path):
    with closing(SqliteStorage(tmp_path)) as storage:
        storage.commit((fact(0),))
        before = written()
        for number in range(1000):
            storage.commit((fact(number % 50, size=600),))
        each = (written() - before) / 1000
        log = (tmp_path / "charger.db-wal").stat().st_size
        assert each < 10_000, f"{each:.0f} bytes for a fact of 600"
        assert log <= (CHECKPOINT_PAGES + 4) * (4096 + 24)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 100_000


def test_a_commit_is_on_the_disk_when_it_returns(tmp_path):
    with closing(SqliteStorage(tmp_path)) as storage:
        asked = ("journal_mode", "synchronous", "wal_autocheckpoint", "user_version")
        told = [storage._database.execute(f"PRAGMA {name}").fetchone()[0] for name in asked]
        assert told == ["wal", 2, CHECKPOINT_PAGES, 1]  # 2: FULL, an fsync per commit


# -- power -------------------------------------------------------------------------------------------------

COMMITTER = """
import sys
from pathlib import Path
from charger.ports import Change
from charger.storage import SqliteStorage
storage = SqliteStorage(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    left, right = Change("left", "n", number), Change("right", "n", number)
    storage.commit((left, Change("log", str(number), "x" * 500), right))
    print(number, flush=True)
"""


@pytest.mark.parametrize("lines", [1, 2, 17, 80, 200])
def test_kill_9_loses_nothing_committed_and_splits_nothing(tmp_path, lines):
    with start(COMMITTER, tmp_path) as process:
        told = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)  # it is somewhere in the next commits
        told += process.stdout.read().splitlines()
        assert process.wait(PATIENCE) == -signal.SIGKILL
    last = int([line for line in told if line.strip()][-1])
    facts = stored(tmp_path)
    assert facts["left", "n"] == facts["right", "n"]
    assert last <= facts["left", "n"] <= last + 1
    assert all(("log", str(number)) in facts for number in range(1, facts["left", "n"] + 1))


# -- no room -----------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, 512 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting needs root; the limit on file sizes covers the essentials")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill(path):
    """Write until there is no room left."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    assert os.statvfs(path).f_bavail == 0


def test_a_full_disk_changes_nothing_and_is_left_behind(small_disk):
    with closing(SqliteStorage(small_disk / "data")) as storage:
        storage.commit((fact(1), Change("queue", "1", "first")))
        before = storage.load()
        fill(small_disk / "filler")
        for _ in range(3):
            with pytest.raises(StorageFull, match=r"charger\.db"):
                storage.commit((Change("queue", "1", None), fact(2, size=40_000)))
            assert storage.load() == before
        (small_disk / "filler").unlink()
        storage.commit((Change("queue", "1", None), fact(2)))
        after = storage.load()
        assert after == [fact(1), fact(2)]
    assert stored(small_disk / "data") == {(one.subject, one.key): one.value for one in after}


def committed_until_full(storage):
    """Commit facts until there is no room; returns how many there was room for."""
    for number in range(10_000):
        try:
            storage.commit((fact(number),))
        except StorageFull:
            return number
    pytest.fail("the disk takes everything")


def test_many_small_commits_until_the_disk_is_full(small_disk):
    data = small_disk / "data"
    with closing(SqliteStorage(data)) as storage:
        done = committed_until_full(storage)
        assert done > 100
        assert storage.load() == [fact(number) for number in range(done)]
        subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
        storage.commit((fact(done),))
    assert len(stored(data)) == done + 1


def test_a_start_on_a_full_disk_is_refused_and_leaves_no_trace(small_disk):
    data = small_disk / "data"
    data.mkdir()
    fill(small_disk / "filler")
    with pytest.raises(StorageFull):
        SqliteStorage(data)
    (small_disk / "filler").unlink()
    assert stored(data) == {}


def test_a_start_without_room_for_the_database_is_refused(small_disk):
    data = small_disk / "data"
    filled(data, count=1)
    (data / "charger.db").unlink()
    fill(small_disk / "filler")
    with pytest.raises(StorageFull):  # the lock file has its room already
        SqliteStorage(data)
    (small_disk / "filler").unlink()
    assert stored(data) == {}


def test_a_file_system_mounted_read_only_is_refused(small_disk):
    filled(small_disk / "data", count=3)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StorageFull, match="cannot be used: Read-only file system"):
        SqliteStorage(small_disk / "data")
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert len(stored(small_disk / "data")) == 3


LIMITED = """
import resource, signal, sys
from pathlib import Path
from charger.errors import StorageFull
from charger.ports import Change
from charger.storage import SqliteStorage
storage = SqliteStorage(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
done, refused = 0, 0
while refused < 3:
    try:
        storage.commit((Change("a", str(done), "x" * 500), Change("last", "n", done)))
        done += 1
    except StorageFull:
        refused += 1
        assert len(storage.load()) == done + 1, len(storage.load())
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
storage.commit((Change("after", "n", done),))
storage.close()
print(done)
"""


def test_a_disk_that_refuses_to_write_changes_nothing(tmp_path):
    if resource.getrlimit(resource.RLIMIT_FSIZE)[1] != resource.RLIM_INFINITY:
        pytest.skip("file sizes are limited here already")
    with start(LIMITED, tmp_path) as process:
        done = int(process.communicate(timeout=PATIENCE)[0])
    facts = stored(tmp_path)
    assert done > 10
    assert facts["after", "n"] == done
    assert facts["last", "n"] == done - 1
    assert len(facts) == done + 2


# -- a second station --------------------------------------------------------------------------------------

HOLDER = """
import signal, sys
from pathlib import Path
from charger.storage import SqliteStorage
storage = SqliteStorage(Path(sys.argv[1]))
print("ready", flush=True)
signal.pause()
"""


def test_a_second_process_is_refused_and_told_who_is_first(tmp_path):
    with start(HOLDER, tmp_path) as process:
        assert process.stdout.readline() == "ready\n"
        with pytest.raises(FolderInUse, match=rf"process {process.pid}\) runs on the data folder {tmp_path}"):
            SqliteStorage(tmp_path)
        process.kill()
    assert stored(tmp_path) == {}  # a killed process keeps no lock


def test_the_folder_is_free_again_after_close_and_after_a_failed_start(tmp_path):
    storage = SqliteStorage(tmp_path)
    with pytest.raises(FolderInUse, match=f"process {os.getpid()}"):
        SqliteStorage(tmp_path)
    storage.close()
    (tmp_path / "charger.db").unlink()
    (tmp_path / "charger.db.new").mkdir()
    with pytest.raises(StorageError, match=f"{tmp_path} cannot be used: Is a directory"):
        SqliteStorage(tmp_path)
    (tmp_path / "charger.db.new").rmdir()
    assert stored(tmp_path) == {}


def test_a_lock_without_a_pid_is_a_lock(tmp_path):
    with closing(SqliteStorage(tmp_path)):
        (tmp_path / "lock").write_text("")
        with pytest.raises(FolderInUse, match="process unknown"):
            SqliteStorage(tmp_path)


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(StorageError, match="cannot be used: File exists") as refusal:
        SqliteStorage(tmp_path / "data")
    assert not isinstance(refusal.value, StorageFull)


def test_a_database_that_is_a_folder_is_refused(tmp_path):
    (tmp_path / "charger.db").mkdir()
    with pytest.raises(StorageError, match="unable to open"):
        SqliteStorage(tmp_path)


# -- damage ------------------------------------------------------------------------------------------------


def overwrite(file, offset, data):
    with file.open("r+b") as stream:
        stream.seek(offset)
        stream.write(data)


def noise(size):
    return bytes((position * 181 + 7) % 251 for position in range(size))


def foreign(file, *statements):
    file.unlink()
    with closing(sqlite3.connect(file)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def execute(file, statement):
    with closing(sqlite3.connect(file)) as database:
        database.execute(statement)
        database.commit()


DAMAGES = {
    "zero bytes": lambda file: os.truncate(file, 0),
    "cut short in the header": lambda file: os.truncate(file, 50),
    "cut in half": lambda file: os.truncate(file, file.stat().st_size // 2),
    "cut within a page": lambda file: os.truncate(file, file.stat().st_size - 1000),
    "garbage header": lambda file: overwrite(file, 0, noise(100)),
    "header says read-only": lambda file: overwrite(file, 18, b"\xff"),
    "header says another schema format": lambda file: overwrite(file, 44, noise(4)),
    "garbage page in the middle": lambda file: overwrite(file, 4096 * 5, noise(4096)),
    "garbage in a text": lambda file: overwrite(file, 4096 * 5 + 3000, b"\xff" * 40),
    "no database at all": lambda file: file.write_text("station.yaml" * 1000),
    "somebody else's database": lambda file: foreign(file, "CREATE TABLE music (title)"),
    "an empty database": lambda file: foreign(file, "PRAGMA user_version = 1", "VACUUM"),
    "our version, another table": lambda file: foreign(
        file, "CREATE TABLE fact (id, text)", "PRAGMA user_version = 1"
    ),
    "our table, no version": lambda file: execute(file, "PRAGMA user_version = 0"),
    "a value that is not JSON": lambda file: execute(file, "INSERT INTO fact VALUES ('a', 'b', '{')"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_database_is_kept_and_a_clean_one_started(tmp_path, damage):
    file = filled(tmp_path)
    damage(file)
    content = file.read_bytes()
    with closing(SqliteStorage(tmp_path)) as storage:
        (kept,) = tmp_path.glob("charger.db.corrupt-*")  # and no log: the file was closed before it was moved
        assert f"{file} was damaged (" in storage.recovered
        assert kept.name in storage.recovered
        assert "\n" not in storage.recovered
        assert kept.read_bytes() == content
        assert storage.load() == []
        storage.commit((fact(7),))
    assert stored(tmp_path) == {("transaction", "000007"): fact(7).value}


def test_the_log_is_kept_with_the_database_it_belongs_to(tmp_path):
    with start(COMMITTER, tmp_path) as process:
        process.stdout.readline()
        process.kill()
    log = (tmp_path / "charger.db-wal").read_bytes()
    (tmp_path / "charger.db").unlink()  # the log alone must not be played into a new file
    with closing(SqliteStorage(tmp_path)) as storage:
        assert "empty or gone" in storage.recovered
        assert storage.load() == []
        (kept,) = tmp_path.glob("charger.db.corrupt-*-wal")
        assert kept.read_bytes() == log
    assert stored(tmp_path) == {}


def test_the_database_of_a_later_program_is_left_alone(tmp_path):
    file = filled(tmp_path, count=3)
    execute(file, "PRAGMA user_version = 2")
    content = file.read_bytes()
    with pytest.raises(StorageError, match=r"later version .* \(schema 2, known is 1\)"):
        SqliteStorage(tmp_path)
    assert file.read_bytes() == content
    execute(file, "PRAGMA user_version = 1")
    assert len(stored(tmp_path)) == 3


def test_a_half_made_file_of_a_first_start_does_not_matter(tmp_path):
    (tmp_path / "charger.db.new").write_bytes(noise(5000))
    assert stored(tmp_path) == {}
    assert {file.name for file in tmp_path.iterdir()} == {"charger.db", "lock"}


# -- looking -----------------------------------------------------------------------------------------------


def test_people_may_look_at_the_facts_unless_a_station_runs_on_them(tmp_path):
    assert peek(tmp_path / "nowhere") == []
    assert not (tmp_path / "nowhere").exists()
    with closing(SqliteStorage(tmp_path)) as storage:
        storage.commit((fact(1),))
        assert peek(tmp_path) is None
    assert peek(tmp_path) == [fact(1)]
    assert stored(tmp_path) == {("transaction", "000001"): fact(1).value}


def test_looking_at_damage_does_not_tidy_it_away(tmp_path):
    file = filled(tmp_path)
    overwrite(file, 0, noise(100))
    content = file.read_bytes()
    with pytest.raises(StorageError, match=r"charger\.db is damaged \(.*\): the next start"):
        peek(tmp_path)
    assert file.read_bytes() == content
    with closing(SqliteStorage(tmp_path)) as storage:
        assert storage.recovered


def test_looking_without_a_lock_is_refused(tmp_path):
    filled(tmp_path, count=1)
    (tmp_path / "lock").unlink()
    (tmp_path / "lock").mkdir()
    with pytest.raises(StorageError, match="cannot be used: Is a directory"):
        peek(tmp_path)
