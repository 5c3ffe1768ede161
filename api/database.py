"""The way to the database: the engine, its sessions, the private cluster where there is one, the migrations."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from typing import Self

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as NoFreeConnection
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import NullPool

from api.cluster import EXTENSIONS, Cluster, default_root
from api.settings import Settings
from gis.errors import Unavailable

__all__ = [
    "Database",
    "busy_is_unavailable",
    "database_busy",
    "make_engine",
    "make_ready",
    "make_sessionmaker",
    "migrate",
    "migrations",
    "open_database",
    "require_schema",
    "schema_revisions",
]

# Alembic tells at INFO, at every look at the revision, which kind of database it found.
logging.getLogger("alembic").setLevel(logging.WARNING)

_MIGRATING = 0x67726964  # the advisory lock of whoever migrates: "grid", in the database that is migrated


@dataclass(frozen=True)
class Database:
    """An open database; close it, or use it in a `with`, to give everything back."""

    engine: Engine
    sessions: sessionmaker[Session]
    readers: sessionmaker[Session]
    cluster: Cluster | None

    def close(self) -> None:
        """Close the connections and give the lease of a private cluster back."""
        self.engine.dispose()
        if self.cluster is not None:
            self.cluster.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


def open_database(settings: Settings) -> Database:
    """Open the database that the settings name, starting the private cluster where they name none.

    Connects lazily to a database elsewhere; raises `Unavailable` when the private one cannot be started.
    """
    cluster = None
    url = settings.database_url
    if url is None:
        cluster = Cluster(default_root(settings.data_dir), programs=settings.pg_bin).start()
        url = cluster.url()
    timeout = settings.statement_timeout_seconds
    engine = make_engine(url, pool_size=settings.pool_size, statement_timeout_seconds=timeout)
    return Database(engine, make_sessionmaker(engine), make_sessionmaker(engine, readonly=True), cluster)


def make_engine(url: str, *, pool_size: int = 5, statement_timeout_seconds: int = 30) -> Engine:
    """Return an engine whose connections speak UTC and give up on a statement in time.

    A request that finds no free connection waits 10 s, then `busy_is_unavailable` tells the caller.
    """
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        pool_pre_ping=True,
        connect_args={
            "application_name": "gridwhistle",
            "connect_timeout": 10,
            "options": f"-c timezone=UTC -c statement_timeout={statement_timeout_seconds}s "
            "-c lock_timeout=10s -c idle_in_transaction_session_timeout=60s",
        },
    )


def make_sessionmaker(engine: Engine, *, readonly: bool = False) -> sessionmaker[Session]:
    """Return the maker of sessions on an engine; a read-only session's transaction refuses to write."""
    bind = engine.execution_options(postgresql_readonly=True) if readonly else engine
    return sessionmaker(bind, expire_on_commit=False)


def database_busy() -> Unavailable:
    """Return our error for a database that did not answer: gone, full, locked, or too slow.

    Nothing of the database's own message is in it: that may hold an address or what somebody wrote.
    """
    message = "the database is busy or does not answer: nothing was changed, try again"
    return Unavailable("database_busy", message, retry_after=5)


@contextmanager
def busy_is_unavailable() -> Iterator[None]:
    """Turn the errors of a database that did not answer into `Unavailable`."""
    try:
        yield
    except (OperationalError, NoFreeConnection) as error:
        raise database_busy() from error


def migrations() -> Config:
    """Return Alembic's configuration; there is no alembic.ini. `attributes["connection"]` is to be set."""
    config = Config()
    place = str(resources.files("migrations"))
    config.set_main_option("script_location", place.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def migrate(engine: Engine) -> str | None:
    """Bring the schema to the newest revision and return it; does nothing when it is there.

    Several processes may call this at once: one migrates, the others wait. Each revision is one
    transaction and waits at most 5 s for a lock, so that it never stands in the way of the running service.
    Raises `Unavailable` when an extension is missing and this user may not create it.
    """
    patient = create_engine(engine.url, poolclass=NullPool, connect_args={"options": "-c timezone=UTC"})
    with busy_is_unavailable(), patient.connect() as guard:
        guard.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _MIGRATING})
        with patient.connect() as connection:
            _create_extensions(connection)
            connection.execute(text("SET lock_timeout = '5s'"))
            connection.commit()
            config = migrations()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    return schema_revisions(engine)[0]


def schema_revisions(engine: Engine) -> tuple[str | None, str | None]:
    """Return the revision of the schema in the database, None for an empty one, and the newest we know."""
    with busy_is_unavailable(), engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    return current, ScriptDirectory.from_config(migrations()).get_current_head()


def make_ready(database: Database) -> None:
    """Make sure that the schema is this release's: a private database is migrated, one elsewhere only checked.

    Elsewhere several releases may meet during an upgrade, and whoever upgrades decides when to migrate.
    """
    if database.cluster is not None:
        migrate(database.engine)
    else:
        require_schema(database.engine)


def require_schema(engine: Engine) -> None:
    """Raise `Unavailable` unless the schema in the database is the one that this release works with."""
    current, newest = schema_revisions(engine)
    if current != newest:
        message = (
            f"the database's schema is at revision {current or 'none'}, this release works with {newest}: "
            "run gridwhistle db migrate"
        )
        raise Unavailable("schema_differs", message, got=current, wanted=newest)


def _create_extensions(connection: Connection) -> None:
    """Create the extensions that the schema uses, where they are missing."""
    have = set(connection.scalars(text("SELECT extname FROM pg_extension")))
    for extension in [name for name in EXTENSIONS if name not in have]:
        try:
            connection.execute(text(f"CREATE EXTENSION IF NOT EXISTS {extension}"))
        except (OperationalError, ProgrammingError) as error:
            message = (
                f"the database lacks the extension {extension} and this user may not create it: "
                f"as its administrator, run CREATE EXTENSION {extension}"
            )
            raise Unavailable("postgis_missing", message, extension=extension) from error
    connection.commit()
