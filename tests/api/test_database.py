"""Engine, sessions and migrations against a real PostGIS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from alembic import command
from psycopg import sql
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import InternalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from api.backup import back_up, restore
from api.cluster import Cluster
from api.database import (
    busy_is_unavailable,
    make_engine,
    make_sessionmaker,
    migrate,
    migrations,
    open_database,
    require_schema,
    schema_revisions,
)
from api.settings import Settings
from gis.errors import Conflict, Unavailable


@pytest.fixture
def empty(cluster: Cluster, worker_id: str) -> Iterator[Engine]:
    """A database with PostGIS and nothing else."""
    name = f"test_empty_{worker_id}"
    cluster.create_database(name)
    engine = create_engine(cluster.url(name), poolclass=NullPool)
    yield engine
    with closing(
        psycopg.connect(cluster.url("postgres").replace("+psycopg", ""), autocommit=True)
    ) as connection:
        connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


def test_the_database_speaks_utc(session: Session) -> None:
    assert session.scalar(text("SHOW timezone")) == "UTC"


def test_a_statement_without_end_is_given_up(make_database: Callable[[], str]) -> None:
    engine = make_engine(make_database(), statement_timeout_seconds=1)

    with pytest.raises(Unavailable) as refused, busy_is_unavailable(), engine.connect() as connection:
        connection.execute(text("SELECT pg_sleep(5)"))

    assert refused.value.code == "database_busy"
    assert refused.value.facts["retry_after"] == 5
    engine.dispose()


def test_a_database_that_is_not_there_is_unavailable_not_a_crash() -> None:
    engine = make_engine("postgresql+psycopg://nobody@localhost:1/nothing")

    with pytest.raises(Unavailable, match="nothing was changed"):
        schema_revisions(engine)


def test_a_read_only_session_refuses_to_write(engine: Engine) -> None:
    with (
        make_sessionmaker(engine, readonly=True)() as session,
        pytest.raises(InternalError, match="read-only"),
    ):
        session.execute(text("CREATE TABLE written (n int)"))


def test_a_connection_that_only_read_may_write_again(engine: Engine) -> None:
    with make_sessionmaker(engine, readonly=True)() as session:
        session.execute(text("SELECT 1"))

    with make_sessionmaker(engine)() as session:
        session.execute(text("CREATE TEMPORARY TABLE written (n int)"))


def test_a_test_leaves_nothing_behind_even_when_it_commits(engine: Engine, session: Session) -> None:
    session.execute(text("CREATE TABLE left_behind (n int)"))
    session.commit()

    with engine.connect() as other:
        assert other.scalar(text("SELECT to_regclass('left_behind')")) is None


def test_migrating_twice_is_migrating_once(empty: Engine) -> None:
    first = migrate(empty)

    assert migrate(empty) == first
    require_schema(empty)


def test_processes_that_migrate_at_once_wait_for_each_other(empty: Engine) -> None:
    with ThreadPoolExecutor(4) as pool:
        revisions = list(pool.map(lambda _: migrate(empty), range(4)))

    assert revisions == [schema_revisions(empty)[1]] * 4


def test_an_empty_database_is_not_served(empty: Engine) -> None:
    with pytest.raises(Unavailable, match="gridwhistle db migrate") as refused:
        require_schema(empty)

    assert refused.value.code == "schema_differs"


def test_the_revisions_make_exactly_the_schema_of_the_tables(engine: Engine) -> None:
    config = migrations()

    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.check(config)


def test_every_revision_can_be_undone(empty: Engine) -> None:
    migrate(empty)
    config = migrations()

    with empty.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")

    with empty.connect() as connection:
        left = connection.scalars(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
        ).all()
    assert left == ["alembic_version", "spatial_ref_sys"]


def test_settings_that_name_a_database_start_none(make_database: Callable[[], str]) -> None:
    url = make_database()

    with open_database(Settings(database_url=url)) as database, database.sessions() as session:
        assert session.scalar(text("SELECT current_database()")) == url.split("/")[3].split("?")[0]

    assert database.cluster is None


def test_a_backup_brings_back_what_was_changed_since(
    make_database: Callable[[], str], tmp_path: Path
) -> None:
    url = make_database()
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept AS SELECT 1 AS n, st_makepoint(114.9, 25.8) AS place"))
    size = back_up(url, tmp_path / "district.backup")
    with engine.begin() as connection:
        connection.execute(text("UPDATE kept SET n = 2"))

    before = restore(url, tmp_path / "district.backup")

    with engine.connect() as connection:
        assert connection.scalar(text("SELECT n FROM kept")) == 1
    with create_engine(
        url.replace(engine.url.database or "", before), poolclass=NullPool
    ).connect() as connection:
        assert connection.scalar(text("SELECT n FROM kept")) == 2
    assert size == (tmp_path / "district.backup").stat().st_size


def test_a_broken_backup_leaves_the_living_data_alone(
    make_database: Callable[[], str], tmp_path: Path
) -> None:
    url = make_database()
    back_up(url, tmp_path / "whole.backup")
    whole = (tmp_path / "whole.backup").read_bytes()
    (tmp_path / "half.backup").write_bytes(whole[: len(whole) // 2])

    with pytest.raises(Unavailable, match="pg_restore failed"):
        restore(url, tmp_path / "half.backup")

    with create_engine(url, poolclass=NullPool).connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM pg_extension WHERE extname = 'postgis'")) == 1


def test_a_backup_is_never_written_over(make_database: Callable[[], str], tmp_path: Path) -> None:
    (tmp_path / "district.backup").write_text("last week's")

    with pytest.raises(Conflict, match="exists already"):
        back_up(make_database(), tmp_path / "district.backup")

    assert (tmp_path / "district.backup").read_text() == "last week's"
