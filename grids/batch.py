"""What a round of the sweeper knows of its cases and what it writes of them: read in few queries, written in few.

Beside the rows of its clocks a round needs to know who is on duty, the calendar, and when each case was last written
to. It asks once for all its cases. Messages, and the steps of cases in which nothing but a clock ends, are gathered
and copied in at the end, in the transaction of everything else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import cached_property
from typing import Any, TypeVar

from psycopg import sql
from sqlalchemy import bindparam, inspect, or_, select, text, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from grids import calendars, roster
from grids.rules.calendar import WorkCalendar
from grids.rules.permissions import Role
from grids.rules.roster import Hours, keepers
from grids.rules.trace import plain
from grids.tables import Base, Deadline, Incident, Message, Person, Post, Slip, Task, Trace, Whistle

__all__ = ["Batch"]

_T = TypeVar("_T")
_IDS = 50  # taken at a time; some stay unused

_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass
class Batch:
    """What one round has looked up, and what it will write.

    incidents : ids of its cases. areas : codes of their cells. last_at : when each case was last written to, by
        incident id.
    """

    session: Session
    now: datetime
    incidents: Collection[int]
    areas: Collection[str]
    departments: Collection[int]
    last_at: Mapping[int, datetime]
    steps: list[dict[str, Any]] = field(default_factory=list)
    messages: list[tuple[int, int, str, str]] = field(default_factory=list)
    new: dict[type[Base], list[Any]] = field(default_factory=dict)
    made: dict[Hashable, Any] = field(default_factory=dict)

    @cached_property
    def calendar(self) -> WorkCalendar:
        """Return the working calendar around now."""
        return calendars.around(self.session, self.now)

    def once(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """Return what `make` returns, made once for a key in this round."""
        if key not in self.made:
            self.made[key] = make()
        found: _T = self.made[key]
        return found

    def next_id(self, table: type[Base]) -> int:
        """Return an id of a table for oneself, so that rows may name each other before they are written."""
        taken: list[int] = self.once(("ids", table), list)
        if not taken:
            statement = text(
                "select nextval(pg_get_serial_sequence(:name, 'id')) from generate_series(1, :count) order by 1 desc"
            )
            taken += self.session.scalars(statement, {"name": table.__tablename__, "count": _IDS})
        return taken.pop()

    def on_duty(self, roles: Iterable[Role], code: str) -> list[int]:
        """Return the ids of those whom `directory.on_duty` returns."""
        found: dict[int, None] = {}
        wanted = list(roles)
        for area in (code[:digits] for digits in (15, 12, 9, 6) if digits <= len(code)):
            for role in wanted:
                found.update(dict.fromkeys(self._kept.get((role, area), ())))
        return list(found)

    def department_duty(self, department_id: int) -> list[int]:
        """Return the ids of those whom `directory.department_duty` returns."""
        return list(dict.fromkeys(self._kept.get((Role.DEPARTMENT_DUTY, department_id), ())))

    @cached_property
    def _kept(self) -> dict[tuple[Role, str | int], list[int]]:
        """Return who keeps a post now, by role and place (or department)."""
        above = sorted(
            {code[:digits] for code in self.areas for digits in (6, 9, 12, 15) if digits <= len(code)}
        )
        of_departments = (Post.role == Role.DEPARTMENT_DUTY) & Post.department_id.in_(
            sorted(self.departments)
        )
        posts = self.session.execute(
            select(Post.id, Post.role, Post.area_code, Post.department_id, Post.person_id, Person.disabled_at)
            .join(Person, Person.id == Post.person_id)
            .where(Post.on_duty, or_(Post.area_code.in_(above), of_departments))
            .order_by(Post.id)
        ).all()
        hours = roster.hours_of(self.session, [post.id for post in posts])
        gone = {post.person_id for post in posts if post.disabled_at is not None} | self._gone(hours)
        kept: dict[tuple[Role, str | int], list[int]] = {}
        for post in posts:
            own = hours.get(post.id, ())
            reached = keepers(post.person_id, own, self.now) if own else (post.person_id,)
            places = [place for place in (post.area_code, post.department_id) if place is not None]
            for place in places:
                kept.setdefault((post.role, place), []).extend(one for one in reached if one not in gone)
        return kept

    def _gone(self, hours: Mapping[int, Sequence[Hours]]) -> set[int]:
        stand_ins = {row.stands_in for rows in hours.values() for row in rows if row.stands_in is not None}
        if not stand_ins:
            return set()
        return set(
            self.session.scalars(
                select(Person.id).where(Person.id.in_(stand_ins), Person.disabled_at.is_not(None))
            )
        )

    def post(
        self, person_ids: Iterable[int], template: str, facts: Mapping[str, Any], *, incident_id: int
    ) -> None:
        """Gather one message to each person, as `outbox.post` posts them."""
        written = _compact(plain(facts))
        self.messages += [
            (incident_id, person_id, template, written) for person_id in sorted(set(person_ids))
        ]

    def gather(self, row: Deadline | Slip) -> None:
        """Gather a new row that nobody reads in this round: it gets its id where it is written."""
        self.new.setdefault(type(row), []).append(row)

    def write_new(self) -> None:
        """Copy the gathered rows in; what they are of is written already."""
        for kind, rows in self.new.items():
            columns = [column.name for column in kind.__table__.columns if column.name != "id"]
            self._copy(kind, columns, ([_stored(getattr(row, name)) for name in columns] for row in rows))
        self.new.clear()

    def write_changes(self, things: Iterable[Incident | Whistle | Task]) -> None:
        """Write what has changed of rows under our lock, many in one statement.

        The session would write them one by one, to see that nobody else changed them: the lock says so.
        """
        alike: dict[tuple[type[Base], tuple[str, ...]], list[Any]] = {}
        for thing in things:
            state: Any = inspect(thing)
            changed = tuple(sorted(state.committed_state))
            if changed:
                alike.setdefault((type(thing), changed), []).append(thing)
        for (kind, names), some in alike.items():
            table: Any = kind.__table__
            statement = (
                update(table)
                .where(table.c.id == bindparam("its_id"))
                .values({name: bindparam(f"its_{name}") for name in names} | {"version": table.c.version + 1})
            )
            rows = [
                {"its_id": one.id} | {f"its_{name}": getattr(one, name) for name in names} for one in some
            ]
            self.session.connection().execute(statement, rows)
            for one in some:
                for name in names:
                    set_committed_value(one, name, getattr(one, name))
                set_committed_value(one, "version", one.version + 1)

    def write(self) -> None:
        """Copy what was gathered into the database."""
        self.session.flush()
        columns = [*(name for name in self.steps[0])] if self.steps else []
        convert: dict[str, Callable[[Any], Any]] = {"payload": _compact}
        self._copy(
            Trace,
            columns,
            (
                [convert[name](value) if name in convert else value for name, value in step.items()]
                for step in self.steps
            ),
        )
        self._copy(
            Message,
            ["incident_id", "person_id", "template", "facts", "posted_at"],
            ((*message, self.now) for message in self.messages),
        )
        self.steps.clear()
        self.messages.clear()

    def _copy(self, table: type[Base], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        if not columns:
            return
        connection: Any = self.session.connection().connection.driver_connection
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(table.__tablename__), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)


def _stored(value: Any) -> Any:
    """Return a value as COPY takes it."""
    if isinstance(value, Enum):
        return value.value
    return _compact(value) if isinstance(value, dict | list) else value
