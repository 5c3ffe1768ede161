"""Many rows at once: PostgreSQL's COPY through the session's own connection, in its transaction.

Rows are mappings of column names to values as the tables hold them; geometry comes as hexadecimal EWKB.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from psycopg import sql
from sqlalchemy import Enum, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from gis.crs import STORAGE_SRID
from grids.tables import Base

__all__ = ["Ids", "Sheets", "ewkb", "reserve", "write"]

_BLOCK = 1000

_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def ewkb(shapes: NDArray[np.object_]) -> list[str]:
    """Return shapes as PostGIS reads them, with the storage SRID."""
    with_srid = shapely.set_srid(shapes, STORAGE_SRID)
    return [str(one) for one in shapely.to_wkb(with_srid, hex=True, include_srid=True)]


def reserve(session: Session, table: type[Base], count: int) -> list[int]:
    """Take `count` ids of a table for oneself, so that rows may name each other before they are written."""
    statement = text(
        "select nextval(pg_get_serial_sequence(:name, 'id')) from generate_series(1, :count) order by 1"
    )
    return list(session.scalars(statement, {"name": table.__tablename__, "count": count}))


class Ids(Iterator[int]):
    """Ids of a table, one by one; they are taken in blocks, so some at the end stay unused."""

    def __init__(self, session: Session, table: type[Base]) -> None:
        self._session, self._table = session, table
        self._taken: Iterator[int] = iter(())

    def __next__(self) -> int:
        """Return the next id."""
        found = next(self._taken, None)
        if found is None:
            self._taken = iter(reserve(self._session, self._table, _BLOCK))
            found = next(self._taken)
        return found


def write(session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Append rows that all have the columns of the first one; columns left out take the database's default."""
    if not rows:
        return
    session.flush()
    columns = list(rows[0])
    convert = [_converter(table.__table__.columns[name].type) for name in columns]
    connection: Any = session.connection().connection.driver_connection
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table.__tablename__), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(
                [
                    value if value is None or change is None else change(value)
                    for value, change in zip(row.values(), convert, strict=True)
                ]
            )


def _converter(kind: TypeEngine[Any]) -> Callable[[Any], Any] | None:
    if isinstance(kind, JSONB):
        return _compact
    if isinstance(kind, Enum):
        return lambda member: member.value
    return None


class Sheets:
    """Rows of several tables, gathered and written together in the order in which they refer to each other."""

    def __init__(self, *tables: type[Base]) -> None:
        self._rows: dict[type[Base], list[dict[str, Any]]] = {table: [] for table in tables}

    def add(self, table: type[Base], row: dict[str, Any]) -> None:
        """Put a row on its sheet; it may still be changed until `write`."""
        self._rows[table].append(row)

    def write(self, session: Session) -> None:
        """Write all sheets and empty them."""
        for table, rows in self._rows.items():
            write(session, table, rows)
            rows.clear()
