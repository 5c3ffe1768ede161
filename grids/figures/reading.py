"""Cases and tasks as arrays: one statement of PostgreSQL, read without a Python object a row.

Every row that `COPY ... (FORMAT BINARY)` sends has the same length here: no column is missing (a moment that is not
there is -infinity, the least number), texts have a fixed width. So the answer is one block of memory that numpy
reads as it lies: a million cases a second or so, most of it spent in the database.

Header, cases and tasks come in one statement, and so from one snapshot.
Source: PostgreSQL's documentation, COPY, "Binary Format"; "date/time types" (int64 microseconds since 2000-01-01).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Float,
    Integer,
    Select,
    SmallInteger,
    String,
    case,
    cast,
    func,
    literal,
    literal_column,
    null,
    select,
    union_all,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from gis.errors import Unavailable
from grids.rules.grading import Grade
from grids.rules.lifecycle import Channel, IncidentStatus
from grids.rules.profiles import DEFAULT
from grids.rules.tasks import TaskStatus
from grids.tables import Incident, LedgerItem, Placement, Task, Trace, Whistle

__all__ = [
    "CHANNELS",
    "GRADES",
    "MISSING",
    "STATUSES",
    "TASK_STATUSES",
    "Columns",
    "Head",
    "Rows",
    "changed_since",
    "codes_of",
    "head",
    "received_in",
]

Columns = Mapping[str, NDArray[Any]]

MISSING: Final = np.iinfo(np.int64).min
"""A moment that is not there; as datetime64 it is NaT."""

STATUSES: Final = {member: number for number, member in enumerate(IncidentStatus, start=1)}
GRADES: Final = {member: number for number, member in enumerate(Grade, start=1)}
CHANNELS: Final = {member: number for number, member in enumerate(Channel, start=1)}
TASK_STATUSES: Final = {member: number for number, member in enumerate(TaskStatus, start=1)}
_PLACEMENTS: Final = {member: number for number, member in enumerate(Placement, start=1)}

_EPOCH = 946_684_800_000_000  # 2000-01-01 in microseconds of Unix time
_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_CODE_DIGITS, _CATEGORY_WIDTH = 15, 8

# what a row is made of, in order: name, SQL type, how numpy reads it
_MOMENTS = tuple(f"t{number}" for number in range(8))
_SMALL = tuple(f"e{number}" for number in range(6))
_SLOTS: tuple[tuple[str, Any, str], ...] = (
    ("kind", SmallInteger(), ">i2"),
    ("id", BigInteger(), ">i8"),
    *((name, DateTime(timezone=True), ">i8") for name in _MOMENTS),
    ("a", BigInteger(), ">i8"),
    ("b", BigInteger(), ">i8"),
    ("c", Integer(), ">i4"),
    ("d", Integer(), ">i4"),
    ("label", String(), f"S{_CATEGORY_WIDTH}"),
    *((name, SmallInteger(), ">i2") for name in _SMALL),
    ("x", Float(53), ">f8"),
    ("y", Float(53), ">f8"),
)
_ROW = np.dtype(
    [("fields", ">i2")]
    + [part for name, _, kind in _SLOTS for part in ((f"{name}_length", ">i4"), (name, kind))]
)
_HEAD, _CASE, _TASK = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Head:
    """What a snapshot of the database says of itself.

    last_step : the highest id of a trace row in it. settled : every transaction with a lower number is over.
    upcoming : no transaction had this number yet when the snapshot was taken. transaction : whose it is, as
    (process, beginning). home : what changes when the trace is another table. wrote : the transaction has written.
    """

    last_step: int
    settled: int
    upcoming: int
    transaction: tuple[int, int]
    home: int
    wrote: bool


@dataclass(frozen=True, slots=True)
class Rows:
    """What one statement read.

    cases : id, received, accepted, resolved, closed, due, overdue_at (int64 microseconds of Unix time, `MISSING`),
    grid, overdue_grid (int64, see `codes_of`; 0 for none), edition (0 for none), category (bytes), status, grade,
    channel (0 for none), outside (bool), round, reworks, from_ledger (bool), lon, lat.
    tasks : id, case (the id of its case), issued, responded, response_due, came, appointed, completed, due, overdue_at,
    department, grace (minutes), status, reworks.
    """

    head: Head
    cases: Columns
    tasks: Columns


def head(session: Session) -> Head:
    """Return what the database says of itself now."""
    return _read(session, _head_sql()).head


def received_in(session: Session, since: datetime, until: datetime) -> Rows:
    """Return the cases that came in from `since` on and before `until`, with their tasks."""
    return _read(session, _filled(_received_sql(), since=_moment(since), until=_moment(until)))


def changed_since(session: Session, step: int, most: int) -> Rows:
    """Return the cases that have a step with an id above `step`, with their tasks.

    most : when more than this have changed, the cases of only some of them come, more than `most`.
    """
    return _read(session, _filled(_changed_sql(), step=str(step), most=str(most + 1)))


def codes_of(packed: NDArray[np.int64]) -> list[str]:
    """Return grid codes of the numbers that stand for them: the digits, filled up with zeros, and how many count."""
    return [f"{number >> 4:0{_CODE_DIGITS}d}"[: number & 15] for number in packed.tolist()]


# -- the statements, as text: COPY takes no parameters, and SQLAlchemy would take longer to write one than PostgreSQL
# takes to answer it


@cache
def _head_sql() -> str:
    return _text(_head())


@cache
def _received_sql() -> str:
    since: ColumnElement[datetime] = literal_column("'<since>'::timestamptz")
    until: ColumnElement[datetime] = literal_column("'<until>'::timestamptz")
    within = (Incident.received_at >= since) & (Incident.received_at < until)
    return _text(_head(), _cases().where(within), _tasks().where(within))


@cache
def _changed_sql() -> str:
    changed = (
        select(Trace.incident_id.label("id"))
        .where(Trace.id > literal_column("<step>", BigInteger))
        .distinct()
        .limit(literal_column("<most>", Integer))
        .cte("changed")
        .prefix_with("MATERIALIZED")
    )
    these = Incident.id.in_(select(changed.c.id))
    return _text(_head(), _cases().where(these), _tasks().where(these))


def _text(*parts: Select[Any]) -> str:
    compiled = union_all(*parts).compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})  # type: ignore[no-untyped-call]
    return str(compiled)


def _filled(statement: str, **values: str) -> str:
    """Return a statement with numbers and moments of ours in the places that wait for them."""
    for name, value in values.items():
        statement = statement.replace(f"<{name}>", value)
    return statement


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _row(kind: int, said: Mapping[str, Any]) -> Select[Any]:
    """Return a SELECT with every slot filled."""
    given = {"kind": kind, **said}
    columns: list[ColumnElement[Any]] = []
    for name, sql_type, _ in _SLOTS:
        value = given.get(name, _nothing(name))
        if name in _MOMENTS:
            value = func.coalesce(value, literal_column("'-infinity'::timestamptz"))
        elif not isinstance(value, ColumnElement):
            value = literal(value)
        columns.append(cast(value, sql_type).label(name))
    return select(*columns)


def _nothing(name: str) -> Any:
    if name in _MOMENTS:
        return null()
    return " " * _CATEGORY_WIDTH if name == "label" else 0


def _head() -> Select[Any]:
    # age() tells the next number that a transaction will get; xmax is but the first after those that ended, and
    # a transaction with a higher one may be running and hold a lower id of the trace
    return _row(
        _HEAD,
        {
            "id": func.coalesce(select(func.max(Trace.id)).scalar_subquery(), 0),
            "a": literal_column("pg_snapshot_xmin(pg_current_snapshot())::text::int8"),
            "b": literal_column("pg_snapshot_xmax(pg_current_snapshot())::text::int8"),
            "c": literal_column("age('3'::xid)"),
            "d": literal_column("pg_backend_pid()"),
            "t0": literal_column("transaction_timestamp()"),
            "x": literal_column("pg_relation_filenode('trace')::int8"),
            "e0": literal_column("(pg_current_xact_id_if_assigned() is not null)::int"),
        },
    )


def _cases() -> Select[Any]:
    from_ledger = (
        select(LedgerItem.id)
        .where(
            LedgerItem.incident_id == Incident.id,
            LedgerItem.round == Incident.round,
            LedgerItem.ended_how == "closed",
        )
        .correlate(Incident)
        .exists()
    )
    return _row(
        _CASE,
        {
            "id": Incident.id.expression,
            "t0": Incident.received_at,
            "t1": Incident.accepted_at,
            "t2": Incident.resolved_at,
            "t3": Incident.closed_at,
            "t4": Incident.due_effective,
            "t5": Incident.first_overdue_at,
            "a": _packed(Incident.grid_code.expression),
            "b": func.coalesce(_packed(Incident.overdue_grid_code.expression), 0),
            "c": func.coalesce(Incident.edition_id, 0),
            "d": cast(from_ledger, Integer),
            "label": func.rpad(func.coalesce(Incident.category_code, ""), _CATEGORY_WIDTH),
            "e0": _numbered(Incident.status.expression, STATUSES),
            "e1": _numbered(Incident.grade.expression, GRADES),
            "e2": _numbered(Incident.channel.expression, CHANNELS),
            "e3": _numbered(Incident.placement.expression, _PLACEMENTS),
            "e4": func.least(Incident.round, _MOST),
            "e5": func.least(Incident.rework_count, _MOST),
            "x": func.ST_X(Incident.point),
            "y": func.ST_Y(Incident.point),
        },
    ).select_from(Incident)


def _tasks() -> Select[Any]:
    grace = Incident.limits[("profile", "rules", "check_in_grace")].astext.cast(Integer)
    return (
        _row(
            _TASK,
            {
                "id": Task.id.expression,
                "t0": Task.issued_at,
                "t1": Task.responded_at,
                "t2": Task.response_due_at,
                "t3": Task.checked_in_at,
                "t4": func.coalesce(Whistle.appointed_at, Task.issued_at),
                "t5": Task.completed_at,
                "t6": Task.due_at,
                "t7": Task.first_overdue_at,
                "a": Task.incident_id.expression,
                "c": Task.department_id.expression,
                # a case that keeps no limits is older than they are, and was judged by what is our default
                "d": func.coalesce(grace, int(DEFAULT.check_in_grace.total_seconds() // 60)),
                "e0": _numbered(Task.status.expression, TASK_STATUSES),
                "e1": func.least(Task.rework_count, _MOST),
            },
        )
        .select_from(Task)
        .join(Incident, Incident.id == Task.incident_id)
        .join(Whistle, Whistle.id == Task.whistle_id)
    )


_MOST = np.iinfo(np.int16).max


def _packed(code: ColumnElement[Any]) -> ColumnElement[int]:
    digits = cast(func.rpad(code, _CODE_DIGITS, "0"), BigInteger)
    return digits * 16 + func.length(code)


def _numbered(column: ColumnElement[Any], numbers: Mapping[Any, int]) -> ColumnElement[int]:
    return case(*((column == member, number) for member, number in numbers.items()), else_=0)


# -- its answer


def _read(session: Session, statement: str) -> Rows:
    session.flush()
    driver: Any = session.connection().connection.driver_connection
    blocks = bytearray()
    with driver.cursor() as cursor, cursor.copy(f"COPY ({statement}) TO STDOUT (FORMAT BINARY)") as copy:
        for block in copy:
            blocks += block
    return _decoded(blocks)


def _decoded(answer: bytearray) -> Rows:
    body = len(answer) - len(_SIGNATURE) - 2
    if not answer.startswith(_SIGNATURE) or body % _ROW.itemsize:
        raise Unavailable("database_busy", "the database sent facts in a form that is not known here")
    rows = np.frombuffer(answer, dtype=_ROW, count=body // _ROW.itemsize, offset=len(_SIGNATURE))
    kind = rows["kind"]
    (at,) = np.flatnonzero(kind == _HEAD)
    cases, tasks = rows[kind == _CASE], rows[kind == _TASK]
    return Rows(_head_of(rows[at]), _case_columns(cases), _task_columns(tasks))


def _head_of(row: Any) -> Head:
    highest, age = int(row["b"]), int(row["c"])
    # age counts in 32 bits from transaction 3 on; the transactions are numbered in 64
    upcoming = highest + ((age + 3 - highest) & 0xFFFFFFFF)
    return Head(
        last_step=int(row["id"]),
        settled=int(row["a"]),
        upcoming=upcoming,
        transaction=(int(row["d"]), int(row["t0"])),
        home=int(row["x"]),
        wrote=bool(row["e0"]),
    )


def _case_columns(rows: NDArray[Any]) -> Columns:
    names = ("received", "accepted", "resolved", "closed", "due", "overdue_at")
    return {
        "id": rows["id"].astype(np.int64),
        **{name: _moments(rows[slot]) for name, slot in zip(names, _MOMENTS, strict=False)},
        "grid": rows["a"].astype(np.int64),
        "overdue_grid": rows["b"].astype(np.int64),
        "edition": rows["c"].astype(np.int32),
        "category": np.ascontiguousarray(rows["label"]),
        "status": rows["e0"].astype(np.int8),
        "grade": rows["e1"].astype(np.int8),
        "channel": rows["e2"].astype(np.int8),
        "outside": rows["e3"] == _PLACEMENTS[Placement.OUTSIDE],
        "round": rows["e4"].astype(np.int16),
        "reworks": rows["e5"].astype(np.int16),
        "from_ledger": rows["d"] != 0,
        "lon": rows["x"].astype(np.float64),
        "lat": rows["y"].astype(np.float64),
    }


def _task_columns(rows: NDArray[Any]) -> Columns:
    names = ("issued", "responded", "response_due", "came", "appointed", "completed", "due", "overdue_at")
    return {
        "id": rows["id"].astype(np.int64),
        "case": rows["a"].astype(np.int64),
        **{name: _moments(rows[slot]) for name, slot in zip(names, _MOMENTS, strict=True)},
        "department": rows["c"].astype(np.int32),
        "grace": rows["d"].astype(np.int32),
        "status": rows["e0"].astype(np.int8),
        "reworks": rows["e1"].astype(np.int16),
    }


def _moments(column: NDArray[Any]) -> NDArray[np.int64]:
    since = column.astype(np.int64)
    return np.where(since == MISSING, MISSING, since + _EPOCH)
