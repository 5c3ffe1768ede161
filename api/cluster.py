"""The PostGIS that comes with the service: one private cluster, run from the machine's PostgreSQL programs.

Lifetime is a lease that the kernel keeps. Every process that uses the cluster holds a *shared* flock on
`users.lock`; a tiny reaper waits for the *exclusive* lock and then stops the server. A flock goes away
however its holder dies (kill -9, out of memory, Ctrl-C), so there is no server left behind, no count of
users in a file, and no signal handling in the service.

PostgreSQL refuses to run as root; started by root, it runs as the system user `postgres` of its package.
It listens on a Unix socket only, and the kernel tells it who is calling (peer authentication): there is no
password and no port.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import re
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from api.programs import ServerUser, choose_programs
from gis.errors import InvalidInput, Unavailable

__all__ = ["DATABASE", "EXTENSIONS", "OWNER", "TEMPLATE", "Cluster", "default_root"]

DATABASE = "gridwhistle"
OWNER = "gridwhistle"
TEMPLATE = "template_postgis"
EXTENSIONS = ("postgis", "pg_trgm", "btree_gist")

# wal_level replica and data checksums: a base backup with archived WAL can be restored to a point in time.
# log_min_error_statement: a statement that failed may hold what a citizen wrote; the log is no place for it.
_SETTINGS = """\
# Written by gridwhistle at each start; settings of your own go into postgresql.conf, below the include.
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 60
shared_buffers = 256MB
effective_cache_size = 1GB
work_mem = 16MB
maintenance_work_mem = 128MB
wal_level = replica
max_wal_size = 1GB
max_wal_senders = 3
max_logical_replication_workers = 0
wal_compression = on
random_page_cost = 1.1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
log_checkpoints = off
log_min_messages = warning
log_min_error_statement = panic
"""
_DURABLE = "fsync = on\nfull_page_writes = on\nsynchronous_commit = on\n"
_FAST = "fsync = off\nfull_page_writes = off\nsynchronous_commit = off\nautovacuum = off\n"

# The reaper, for machines that lack util-linux's flock(1), such as macOS: two locks, then it becomes pg_ctl.
_REAPER = """\
import fcntl, os, signal, sys
def lock(path):
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(file, True)
    fcntl.flock(file, fcntl.LOCK_EX)
signal.alarm(5)
lock(sys.argv[1])
signal.alarm(0)
lock(sys.argv[2])
os.execv(sys.argv[3], sys.argv[3:])
"""
# Ends what a killed server left at work: its processes, and no others, have the data directory as theirs.
_END_ORPHANS = 'for p in /proc/[0-9]*; do [ "$p/cwd" -ef "$1" ] && kill -QUIT "${p#/proc/}"; done; true'
_SOCKET_FILE = ".s.PGSQL.5432"
_SUN_PATH = 100  # bytes of a socket's path that both Linux (107) and macOS (103) take
_LOCALE = "C.UTF-8" if sys.platform == "linux" else "en_US.UTF-8"  # with plain C, trigrams ignore Chinese


def default_root(data_dir: Path | None = None) -> Path:
    """Return where the cluster lives: below `data_dir`, or in the usual place of this user.

    Root's is /var/lib/gridwhistle/pg, not root's home, which the user `postgres` may not enter.
    """
    if data_dir is not None:
        return data_dir / "pg"
    if os.geteuid() == 0:
        return Path("/var/lib/gridwhistle/pg")
    share = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(share) / "gridwhistle" / "pg"


class Cluster:
    """One private PostgreSQL server with PostGIS, shared by all processes that name the same `root`."""

    def __init__(self, root: Path, fast: bool = False, programs: Path | None = None) -> None:
        """Describe the cluster below `root`; nothing is started or written yet.

        fast : give up durability for speed; for throw-away test databases only.
        programs : the bin directory to use; by default the newest that holds PostGIS, or for a
            cluster that exists already the one of its version.
        Raises `Unavailable` when no PostGIS is installed, or its system user is missing.
        """
        self.root = root.resolve()
        self.fast = fast
        self.data = self.root / "data"
        self.log = self.root / "postgres.log"
        self.programs = choose_programs(programs, self._made_by())
        self._user = ServerUser()
        self.socket = self.root / "socket"
        if len(os.fsencode(self.socket / _SOCKET_FILE)) > _SUN_PATH:
            name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
            self.socket = Path(tempfile.gettempdir()) / f"gridwhistle-{self._user.uid}-{name}"
        self._lease: int | None = None

    def url(self, database: str = DATABASE) -> str:
        """Return SQLAlchemy's address of one database of this cluster."""
        return f"postgresql+psycopg://{OWNER}@/{database}?host={quote(str(self.socket))}"

    def start(self) -> Cluster:
        """Take a lease and return with the server up and the service's database in it.

        Makes the cluster the first time (about 2 s), starts or joins it later. Repairs what a crash left.
        Raises `Unavailable` with the end of the server's log when it cannot.
        """
        if self._lease is not None:
            return self
        self._user.make_directory(self.root)
        self._user.make_directory(self.socket)
        lease = os.open(self.root / "users.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._user.give(lease)
            fcntl.flock(lease, fcntl.LOCK_SH)  # waits while a reaper is stopping the server
            with self._one_at_a_time():
                self._initialise()
                if not self._answers():
                    self._boot()
                self._set_reaper()
                self._make_databases()
        except BaseException:
            os.close(lease)
            raise
        self._lease = lease
        return self

    def release(self) -> None:
        """Give the lease back; when it was the last one the reaper stops the server."""
        if self._lease is not None:
            os.close(self._lease)
            self._lease = None

    def keep(self) -> None:
        """Leave the server up after this process, until somebody calls `stop`. Takes a lease first."""
        self.start()
        # The waiting shell inherits our lease: a flock lives as long as any copy of its descriptor.
        descriptor, mark = tempfile.mkstemp(prefix="keep-", dir=self.root)
        os.close(descriptor)
        self._detach(["sh", "-c", 'while [ -e "$1" ]; do sleep 1; done', "sh", mark], pass_fds=[self._lease])

    def stop(self) -> None:
        """Stop the server for everybody and wait until it is down; does nothing when it is."""
        for mark in self.root.glob("keep-*"):
            mark.unlink()
        stop = ["stop", "-m", "fast", "-s", "-w", "-D", str(self.data)]
        if self._made_by() is None or not self._is_up():
            return
        if self._run("pg_ctl", *stop, check=False) and self._is_up():  # unless the reaper was quicker
            self._run("pg_ctl", *stop)

    def status(self) -> dict[str, object]:
        """Return what is known without starting anything, as plain values that can be written as JSON."""
        made_by = self._made_by()
        return {
            "running": made_by is not None and self._is_up(),
            "postgresql": made_by,
            "programs": str(self.programs),
            "data": str(self.data),
            "socket": str(self.socket),
            "log": str(self.log),
        }

    def create_database(self, name: str, template: str = TEMPLATE) -> None:
        """Make a database as a copy of another of this cluster, unless it is there already.

        Nobody may be connected to the template. Files are copied (0.07 s), not logged page by page (0.2 s).
        """
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name):
            message = f"database name {name!r} is not of lower-case letters, digits and underscores"
            raise InvalidInput("database_name_refused", message, field="name", got=name)
        with closing(self._connect()) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                return
            # The strategy has a name since PostgreSQL 15; before, copying files was the only one.
            strategy = sql.SQL("STRATEGY file_copy" if connection.info.server_version >= 150000 else "")
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} {}")
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template), strategy))

    def _made_by(self) -> int | None:
        """Return the major version that made the cluster, None when there is none yet."""
        with suppress(OSError):
            return int((self.data / "PG_VERSION").read_text())
        return None

    def _initialise(self) -> None:
        """Make the cluster unless there is one, under another name first: a killed initdb leaves no half."""
        if self._made_by() is not None:
            return
        if self._run("test", "-x", self.root, check=False):
            message = (
                f"the user {self._user.name}, who runs the database, may not enter {self.root}: "
                "set GRID_DATA_DIR to a place outside of private home directories"
            )
            raise Unavailable("data_dir_refused", message, got=str(self.root))
        for half in self.root.glob("data.new*"):
            shutil.rmtree(half, ignore_errors=True)
        # under a name of its own: the initdb of a start that was killed goes on writing for a while
        new = self.root / f"data.new.{os.getpid()}"
        options = [f"--locale={_LOCALE}", "--encoding=UTF8", "--data-checksums", "--auth=peer"]
        if self.fast:
            options.append("--no-sync")
        self._run("initdb", "-D", new, "-U", OWNER, *options)
        with (new / "postgresql.conf").open("a") as settings:
            settings.write("\ninclude 'gridwhistle.conf'\n")
        new.rename(self.data)

    def _boot(self) -> None:
        """Start the server, with today's settings of ours whichever release made the cluster."""
        callers = {"root", self._user.name, pwd.getpwuid(os.geteuid()).pw_name}
        self._user.write(self.data / "pg_hba.conf", "local all all peer map=gridwhistle\n")
        idents = "".join(f'gridwhistle "{name}" {OWNER}\n' for name in sorted(callers))
        self._user.write(self.data / "pg_ident.conf", idents)
        self._user.write(self.data / "gridwhistle.conf", _SETTINGS + (_FAST if self.fast else _DURABLE))
        self._user.write(self.log, "", append=True)
        where = f"-k {shlex.quote(str(self.socket))}"
        start = ["start", "-w", "-t", "120", "-s", "-D", str(self.data), "-l", str(self.log), "-o", where]
        if self._run("pg_ctl", *start, check=False):
            # When the server was killed, a query that still computes goes on, and keeps the next one out.
            self._run("sh", "-c", _END_ORPHANS, "sh", self.data)
            time.sleep(0.5)
            self._run("pg_ctl", *start)

    def _make_databases(self) -> None:
        """Make the template with the extensions and our database; a kill between two steps does no harm."""
        with closing(self._connect()) as connection:
            have = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
            if TEMPLATE not in have:
                connection.execute("DROP DATABASE IF EXISTS building")
                connection.execute("CREATE DATABASE building")
                with closing(self._connect("building")) as inside:
                    for extension in EXTENSIONS:
                        inside.execute(sql.SQL("CREATE EXTENSION {}").format(sql.Identifier(extension)))
                rename = sql.SQL("ALTER DATABASE building RENAME TO {}")
                connection.execute(rename.format(sql.Identifier(TEMPLATE)))
        if DATABASE not in have:
            self.create_database(DATABASE)

    def _answers(self) -> bool:
        """Return whether a server of ours runs; one that is just dying or recovering gets a minute."""
        patience = time.monotonic() + 60
        while self._is_up():
            with suppress(Unavailable), closing(self._connect()):
                return True
            if time.monotonic() > patience:
                return True
            time.sleep(0.1)
        return False

    def _is_up(self) -> bool:
        """Return whether a server of ours runs, after clearing lock files that only look alive."""
        self._drop_stale_locks()
        return self._run("pg_ctl", "status", "-D", self.data, check=False) == 0

    def _drop_stale_locks(self) -> None:
        """Remove lock files whose process is a zombie, or by now another program of the same user.

        PostgreSQL asks with kill(pid, 0), which succeeds on both, and would refuse to start; zombies stay
        where process 1 of a container does not reap. Without /proc (macOS) the question is left to it.
        """
        for lock in (self.data / "postmaster.pid", self.socket / f"{_SOCKET_FILE}.lock"):
            with suppress(OSError, ValueError):
                process = Path("/proc") / str(int(lock.read_text().split("\n", 1)[0]))
                zombie = re.search(r"^State:\s+Z", (process / "status").read_text(), re.MULTILINE)
                arguments = (process / "cmdline").read_bytes().split(b"\0")
                if zombie or os.fsencode(self.data) not in arguments:
                    lock.unlink()

    def _set_reaper(self) -> None:
        """Leave a process behind that stops the server after the last user; a second one soon leaves."""
        locks = [str(self.root / name) for name in ("reaper.lock", "users.lock")]
        stop = [str(self.programs / "pg_ctl"), "stop", "-m", "fast", "-s", "-w", "-t", "120", "-D"]
        stop.append(str(self.data))
        if shutil.which("flock"):
            self._detach(["flock", "-w", "5", "-x", locks[0], "flock", "-x", locks[1], *stop])
        else:
            self._detach([sys.executable, "-I", "-S", "-c", _REAPER, *locks, *stop])

    def _detach(self, command: list[str], **how: Any) -> None:
        """Run a command that outlives us: its shell ends at once, and process 1 inherits it."""
        shell = ["sh", "-c", '"$@" </dev/null >/dev/null 2>&1 &', "sh"]
        self._run(*shell, *command, start_new_session=True, **how)

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """Hold the lock of whoever starts the server."""
        with (self.root / "start.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _connect(self, database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        """Open a connection that commits each statement; raises `Unavailable` when nobody answers."""
        try:
            return psycopg.connect(host=str(self.socket), user=OWNER, dbname=database, autocommit=True)
        except psycopg.OperationalError as error:
            raise Unavailable("cluster_failed", f"the database does not answer: {error}") from error

    def _run(self, program: str, *arguments: str | Path, check: bool = True, **how: Any) -> int:
        """Run a program as the server's user and return its exit code; when checked, raise unless it is 0."""
        done = self._user.run(self.programs, program, *arguments, locale=_LOCALE, **how)
        if check and done.returncode:
            log = self.log.read_text(errors="replace")[-1500:] if self.log.exists() else ""
            message = f"{program} failed: {(done.stderr or done.stdout).strip()}\n{log}".strip()
            raise Unavailable("cluster_failed", message, program=program, exit_code=done.returncode)
        return done.returncode
