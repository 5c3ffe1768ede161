"""The private PostGIS survives whatever happens to its users, its server and its machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from api.cluster import DATABASE, OWNER, Cluster, default_root
from api.programs import ServerUser
from gis.errors import InvalidInput, Unavailable

pytestmark = pytest.mark.database

HOLD = """
import signal, sys, time
from pathlib import Path
from api.cluster import Cluster
signal.signal(signal.SIGINT, signal.default_int_handler)
Cluster(Path(sys.argv[1])).start()
print("ready", flush=True)
time.sleep(60)
"""


class Holder:
    """A process of its own that uses the cluster until somebody ends it."""

    def __init__(self, root: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(root)],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def wait_until_ready(self) -> Holder:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        return self

    def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        self.process.send_signal(how)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """A cluster's directory that the server's user can reach (tmp_path is closed to it)."""
    place = Path(tempfile.mkdtemp(prefix="gridwhistle-cluster-"))
    place.chmod(0o755)
    yield place / "pg"
    for pid in processes_of(place):
        with_luck(pid, signal.SIGKILL)
    shutil.rmtree(place)


@pytest.fixture
def hold(root: Path) -> Iterator[Callable[[], Holder]]:
    """Start users of the cluster; those still there at the end are ended."""
    holders: list[Holder] = []

    def start() -> Holder:
        holders.append(Holder(root).wait_until_ready())
        return holders[-1]

    yield start
    for holder in holders:
        if holder.process.poll() is None:
            holder.end()
    assert servers(root, want=0) == 0


def processes_of(root: Path, *marks: str) -> list[int]:
    """Processes whose command line names something below this cluster's directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if (
            str(root) in command
            and all(mark in command for mark in marks)
            and int(process.name) != os.getpid()
        ):
            found.append(int(process.name))
    return found


def servers(root: Path, want: int) -> int:
    """Count the servers of this cluster, giving them 5 s to become as many as wanted."""
    for _ in range(100):
        if len(postmasters(root)) == want:
            break
        time.sleep(0.05)
    return len(postmasters(root))


def settle(root: Path) -> None:
    """Wait until the last server and its reaper have gone."""
    assert servers(root, want=0) == 0
    for _ in range(100):
        if not reapers(root):
            return
        time.sleep(0.05)


def postmasters(root: Path) -> list[int]:
    return processes_of(root, "/postgres\0", "-D\0", "-k\0")


def reapers(root: Path) -> list[int]:
    return processes_of(root, "users.lock", "pg_ctl")


def with_luck(pid: int, how: signal.Signals) -> None:
    """Signal a process that may have gone by itself."""
    with suppress(ProcessLookupError):
        os.kill(pid, how)


def ask(root: Path, question: str) -> object:
    with psycopg.connect(host=str(root / "socket"), user=OWNER, dbname=DATABASE) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda how: how.name)
def test_the_server_goes_when_its_only_user_ends(
    root: Path, hold: Callable[[], Holder], how: signal.Signals
) -> None:
    only = hold()
    assert servers(root, want=1) == 1

    only.end(how)

    assert servers(root, want=0) == 0


def test_the_server_stays_for_the_second_user(root: Path, hold: Callable[[], Holder]) -> None:
    first, second = hold(), hold()

    first.end()
    time.sleep(0.5)

    assert ask(root, "SELECT 1") == 1
    second.end()
    assert servers(root, want=0) == 0


def test_a_killed_server_is_started_again_by_the_next_user(root: Path, hold: Callable[[], Holder]) -> None:
    first = hold()
    os.kill(postmasters(root)[0], signal.SIGKILL)

    hold()

    assert ask(root, "SELECT 1") == 1
    first.end()
    time.sleep(0.3)
    assert ask(root, "SELECT 1") == 1


def test_queries_that_outlive_a_killed_server_do_not_keep_the_next_one_out(
    root: Path, hold: Callable[[], Holder]
) -> None:
    hold()
    connection = psycopg.connect(host=str(root / "socket"), user=OWNER, dbname=DATABASE)
    connection.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 2000000000)")
    time.sleep(0.2)
    os.kill(postmasters(root)[0], signal.SIGKILL)

    hold()

    assert ask(root, "SELECT 1") == 1
    connection.close()


def test_what_was_committed_outlives_a_power_cut(root: Path, hold: Callable[[], Holder]) -> None:
    user = hold()
    with psycopg.connect(host=str(root / "socket"), user=OWNER, dbname=DATABASE) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
        connection.execute("INSERT INTO kept VALUES (7)")

    for pid in [*reapers(root), *postmasters(root)]:  # the reaper first: nobody may stop it in good order
        with_luck(pid, signal.SIGKILL)
    user.end()
    assert (root / "data" / "postmaster.pid").exists()
    hold()

    assert ask(root, "SELECT max(n) FROM kept") == 7


@pytest.mark.parametrize("ended", [False, True], ids=["another program", "a zombie"])
def test_a_lock_file_that_names_no_server_is_cleared(
    root: Path, hold: Callable[[], Holder], ended: bool
) -> None:
    hold().end()
    settle(root)
    user = ServerUser()
    stranger = subprocess.Popen(["sleep", "30"], user=user.uid)
    if ended:
        stranger.kill()  # and nobody asks how it ended: its number stays taken
    lock = root / "data" / "postmaster.pid"
    lock.write_text(f"{stranger.pid}\n{root}/data\n1700000000\n5432\n/x\n\n  0 0\nready\n")
    os.chown(lock, user.uid, -1)
    lock.chmod(0o600)

    hold()

    assert ask(root, "SELECT 1") == 1
    stranger.kill()
    stranger.wait()


def test_a_killed_reaper_is_replaced_by_the_next_user(root: Path, hold: Callable[[], Holder]) -> None:
    first = hold()
    for pid in reapers(root):
        with_luck(pid, signal.SIGKILL)

    second = hold()
    first.end()
    second.end()

    assert servers(root, want=0) == 0


def test_four_users_that_start_at_once_share_one_server(root: Path) -> None:
    together = [Holder(root) for _ in range(4)]

    for one in together:
        one.wait_until_ready()

    assert len(postmasters(root)) == 1
    for one in together:
        one.end()
    assert servers(root, want=0) == 0


def test_an_interrupted_first_start_leaves_nothing_half_made() -> None:
    place = Path(tempfile.mkdtemp(prefix="gridwhistle-cluster-"))
    place.chmod(0o755)
    first = Holder(place / "pg")
    while not list((place / "pg").glob("data.new*")):
        time.sleep(0.01)
    first.end()

    again = Holder(place / "pg").wait_until_ready()

    assert ask(place / "pg", "SELECT count(*) FROM pg_extension WHERE extname = 'postgis'") == 1
    again.end()
    assert servers(place, want=0) == 0
    shutil.rmtree(place)


def test_a_kept_server_stays_without_users_until_it_is_stopped(root: Path) -> None:
    cluster = Cluster(root)
    cluster.keep()
    cluster.release()
    time.sleep(0.5)
    assert cluster.status()["running"] is True

    cluster.stop()

    assert cluster.status()["running"] is False
    assert servers(root, want=0) == 0


def test_nothing_is_written_that_a_power_cut_could_tear(root: Path, hold: Callable[[], Holder]) -> None:
    hold()

    answers = {
        name: ask(root, f"SHOW {name}") for name in ("fsync", "full_page_writes", "synchronous_commit")
    }

    assert answers == {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
    assert ask(root, "SHOW data_checksums") == "on"
    assert ask(root, "SHOW wal_level") == "replica"


def test_the_server_listens_on_no_network(root: Path, hold: Callable[[], Holder]) -> None:
    hold()

    assert ask(root, "SHOW listen_addresses") == ""


def test_a_directory_with_a_long_name_still_gets_a_socket() -> None:
    place = Path(tempfile.mkdtemp(prefix="gridwhistle-" + "long-" * 20))

    cluster = Cluster(place / "pg")

    assert len(str(cluster.socket)) < 80
    place.rmdir()


def test_a_database_name_with_an_odd_character_is_refused(root: Path) -> None:
    with pytest.raises(InvalidInput, match="lower-case") as refused:
        Cluster(root).create_database('x"; DROP DATABASE gridwhistle; --')

    assert refused.value.code == "database_name_refused"


def test_a_place_without_postgis_programs_is_named_in_the_error(root: Path, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=str(tmp_path)) as refused:
        Cluster(root, programs=tmp_path)

    assert refused.value.code == "postgis_missing"


def test_a_cluster_of_another_postgresql_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").write_text("9\n")

    with pytest.raises(Unavailable, match="PostgreSQL 9") as refused:
        Cluster(tmp_path)

    assert refused.value.code == "cluster_other_version"


def test_the_cluster_lies_where_the_settings_say() -> None:
    assert default_root(Path("/srv/grid")) == Path("/srv/grid/pg")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a second user to be kept out by")
def test_a_private_directory_is_refused_with_the_reason(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)

    with pytest.raises(Unavailable, match="may not enter") as refused:
        Cluster(tmp_path / "pg").start()

    assert refused.value.code == "data_dir_refused"
