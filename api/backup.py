"""Backups: the whole database in one file of PostgreSQL's own format, and back.

A restore fills a second database and changes the two over only when it is complete, so that a broken file
or a full disk leaves the living data as they were.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import closing, suppress
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from api.programs import client_programs
from gis.errors import Conflict, InvalidInput, Unavailable

__all__ = ["back_up", "restore"]


def back_up(url: str, file: Path, programs: Path | None = None) -> int:
    """Write a backup of the database at `url` into `file`, and return its size in bytes.

    The file appears when it is complete and on disk. It holds what people reported: keep it as closely as
    the database. `programs` is the bin directory of pg_dump, which must not be older than the server.
    Raises `Conflict` when the file exists, `Unavailable` when pg_dump cannot do it.
    """
    if file.exists():
        raise Conflict("file_exists", f"{file} exists already: a backup is never written over", got=str(file))
    programs = programs or _programs_like(url)
    unfinished = file.with_name(f".{file.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as output:
            options = ["--format=custom", "--no-owner", "--no-privileges"]
            _run("pg_dump", [*options, f"--dbname={_open_part(url)}"], url, programs, output.fileno())
            os.fsync(output.fileno())
        unfinished.rename(file)
    finally:
        unfinished.unlink(missing_ok=True)
    return file.stat().st_size


def restore(url: str, file: Path, programs: Path | None = None) -> str:
    """Replace the database at `url` by the backup in `file`; return the name that the old one has now.

    The old database is kept, once, as NAME_before_restore. Whoever is connected is disconnected at the
    change-over. The user at `url` must be allowed to create databases and the extension PostGIS.
    Raises `InvalidInput` when the file is no backup, `Unavailable` when pg_restore cannot do it.
    """
    if not file.is_file():
        raise InvalidInput("no_backup", f"there is no backup file {file}", field="file", got=str(file))
    programs = programs or _programs_like(url)
    name = str(conninfo_to_dict(_plain(url))["dbname"])
    coming, before = f"{name}_restoring", f"{name}_before_restore"
    _run("pg_restore", ["--list", str(file)], url, programs)
    with closing(_administer(url)) as connection:
        _drop(connection, coming)
        connection.execute(_named("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'", coming))
        try:
            target = make_conninfo(_open_part(url), dbname=coming)
            options = ["--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges"]
            _run("pg_restore", [*options, f"--dbname={target}", str(file)], url, programs)
        except BaseException:
            _drop(connection, coming)
            raise
        _drop(connection, before)
        _change_over(connection, name, before, coming)
    return before


def _administer(url: str) -> psycopg.Connection:
    """Open a connection beside the database that is to be replaced."""
    try:
        return psycopg.connect(_plain(url), dbname="postgres", autocommit=True)
    except psycopg.OperationalError as error:
        raise Unavailable("database_busy", "the database does not answer: nothing was changed") from error


def _programs_like(url: str) -> Path | None:
    """Return the programs of the server's own version, None (whatever is in PATH) when they are not here.

    pg_dump refuses a server newer than itself, and what a newer pg_restore says an older server refuses.
    """
    with closing(_administer(url)) as connection:
        return client_programs(connection.info.server_version // 10000)


def _named(statement: str, *names: str) -> sql.Composed:
    """Put names of databases into a statement, quoted."""
    return sql.SQL(statement).format(*map(sql.Identifier, names))


def _drop(connection: psycopg.Connection, name: str) -> None:
    """Drop a database, whoever is connected to it, if it is there."""
    connection.execute(_named("DROP DATABASE IF EXISTS {} WITH (FORCE)", name))


def _change_over(connection: psycopg.Connection, name: str, before: str, coming: str) -> None:
    """Rename both databases in one transaction, closing everybody's connections; raises when they come back."""
    close = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
    for _ in range(5):
        connection.execute(close, [name])
        with suppress(psycopg.errors.ObjectInUse), connection.transaction():
            connection.execute(_named("ALTER DATABASE {} RENAME TO {}", name, before))
            connection.execute(_named("ALTER DATABASE {} RENAME TO {}", coming, name))
            return
    _drop(connection, coming)
    message = (
        "others keep connecting to the database: stop the service and restore again; nothing was changed"
    )
    raise Unavailable("database_busy", message, retry_after=60)


def _plain(url: str) -> str:
    """Return SQLAlchemy's address as libpq takes it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def _open_part(url: str) -> str:
    """Return what of an address may be seen in the list of processes: all but the password."""
    return make_conninfo(_plain(url), password=None)


def _run(
    program: str, arguments: list[str], url: str, programs: Path | None, output: int | None = None
) -> None:
    """Run one of PostgreSQL's programs; raises `Unavailable` with its last words unless it succeeds."""
    found = shutil.which(program, path=None if programs is None else str(programs))
    if found is None:
        message = f"{program} is not installed: on Debian and Ubuntu, apt-get install postgresql-client"
        raise Unavailable("program_missing", message, program=program)
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}
    if password := conninfo_to_dict(_plain(url)).get("password"):
        environment["PGPASSWORD"] = str(password)
    into = subprocess.DEVNULL if output is None else output
    done = subprocess.run(
        [found, *arguments], env=environment, stdout=into, stderr=subprocess.PIPE, text=True
    )
    if done.returncode:
        message = f"{program} failed: {done.stderr.strip()[-1500:]}"
        raise Unavailable("backup_failed", message, program=program, exit_code=done.returncode)
