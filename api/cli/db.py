"""`gridwhistle db`: the database, ours or the one that GRID_DATABASE_URL names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.opening import AsJson, print_json
from gis.errors import Conflict

if TYPE_CHECKING:
    from api.cluster import Cluster
    from api.database import Database
    from api.settings import Settings

__all__ = ["commands"]

commands = typer.Typer(no_args_is_help=True, help="The database: start, stop, migrate, back up, restore.")


@commands.command()
def up() -> None:
    """Start the private PostGIS and leave it up until `db down`; other commands start it by themselves."""
    cluster = _private()
    cluster.keep()
    cluster.release()
    typer.echo(_shown(cluster.url()))


@commands.command()
def down() -> None:
    """Stop the private PostGIS, whoever is using it."""
    _private().stop()


@commands.command()
def status(as_json: AsJson = False) -> None:
    """Say what the database is and whether it is up to date; exit 1 when one elsewhere does not answer."""
    found = _status()
    if as_json:
        print_json(found)
        return
    for name, value in found.items():
        typer.echo(f"{name:<10} {'-' if value is None else value}")


@commands.command()
def url() -> None:
    """Print the database's address, as psql and GRID_DATABASE_URL take it; a password is left out."""
    settings = _settings()
    typer.echo(_shown(settings.database_url or _private().url()))


@commands.command()
def migrate() -> None:
    """Bring the schema to this release; safe to repeat, and to run from several places at once."""
    from api.database import migrate as bring_up

    with _opened() as database:
        typer.echo(f"schema at revision {bring_up(database.engine) or 'none'}")


@commands.command()
def backup(file: Annotated[Path, typer.Argument(help="The file to make; it must not exist yet.")]) -> None:
    """Write the whole database into one file, while the service runs."""
    from api.backup import back_up

    with _opened() as database:
        size = back_up(_full(database), file, _programs(database))
    typer.echo(f"{file}: {size / 1e6:.1f} MB")


@commands.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `db backup` made.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Replace the database by a backup; the present one is kept beside it, once, under another name."""
    from api.backup import restore as bring_back
    from api.database import schema_revisions

    if not yes:
        typer.confirm(f"Replace the database by {file}?", abort=True)
    with _opened() as database:
        before = bring_back(_full(database), file, _programs(database))
        current, newest = schema_revisions(database.engine)
    typer.echo(f"restored; what was there before is kept in the database {before}")
    if current != newest:
        typer.echo("its schema is of another release: run gridwhistle db migrate")


def _settings() -> Settings:
    """Read the settings."""
    from api.settings import read_settings

    return read_settings()


@contextmanager
def _opened() -> Iterator[Database]:
    """Open the database for the length of a command."""
    from api.database import open_database

    with open_database(_settings()) as database:
        yield database


def _private() -> Cluster:
    """Return the private cluster, not started; raises `Conflict` when the database is somebody else's."""
    from api.cluster import Cluster, default_root

    settings = _settings()
    if settings.database_url is not None:
        message = "GRID_DATABASE_URL names a database elsewhere: start and stop it where it runs"
        raise Conflict("database_elsewhere", message)
    return Cluster(default_root(settings.data_dir), programs=settings.pg_bin)


def _status() -> dict[str, object]:
    """Return what is known about the database, as plain values."""
    if _settings().database_url is not None:
        with _opened() as database:
            return {"kind": "external", "running": True} | _facts(database)
    cluster = _private()
    found = {"kind": "private"} | cluster.status()
    if found["running"]:
        with _opened() as database:
            found |= _facts(database)
    return found


def _facts(database: Database) -> dict[str, object]:
    """Return what the server says of itself, and how its schema stands to this release."""
    from sqlalchemy import text

    from api.database import busy_is_unavailable, schema_revisions

    current, newest = schema_revisions(database.engine)
    with busy_is_unavailable(), database.engine.connect() as connection:
        version = connection.scalar(text("SHOW server_version"))
        size = connection.scalar(text("SELECT pg_database_size(current_database())"))
    return {
        "address": _shown(_full(database)),
        "server": version,
        "megabytes": round((size or 0) / 1e6, 1),
        "schema": current,
        "newest": newest,
        "up_to_date": current == newest,
    }


def _full(database: Database) -> str:
    """Return SQLAlchemy's address of a database, with its password."""
    return database.engine.url.render_as_string(hide_password=False)


def _programs(database: Database) -> Path | None:
    """Return where pg_dump of the private cluster's own version lies, None for a database elsewhere."""
    return None if database.cluster is None else database.cluster.programs


def _shown(address: str) -> str:
    """Return an address as libpq's programs take it, without its password."""
    from sqlalchemy import make_url

    return make_url(address)._replace(drivername="postgresql", password=None).render_as_string()
