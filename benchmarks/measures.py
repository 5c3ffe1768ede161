"""How long a figure takes over HTTP, with all cases of a district in the tables: facts in memory beside plain SQL.

On a throw-away PostGIS with a district of 8 towns and 800 cells, filled by one statement a table: incidents spread
evenly over the last years (by default five, so that the window of one year holds a fifth of them), a tenth of them
with tasks of departments, open ones among them; one of fifty lies where its cell was written down for its place.
Each figure is asked as a client does, through the whole service; its peer is the same figure by one SQL query over
the same rows, in the same run, and both answers are asserted equal. Warm: the months of the window were read before.
The first reading, and a question right after a case has changed, stand beside it.

    python benchmarks/measures.py [INCIDENTS [YEARS]]
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it also runs alone

import numpy as np
from fastapi.testclient import TestClient
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from api.app import create_app
from api.cluster import Cluster
from api.database import Database, make_engine, make_sessionmaker, migrate
from api.settings import Settings
from benchmarks.table import Row, render
from grids.accounts import hash_password
from grids.founding import ensure_defaults
from grids.rules.permissions import Role
from grids.tables import Person, Post

__all__ = ["main"]

INCIDENTS = 300_000
YEARS = 5
RUNS = 25
PASSWORD = "benchmark-of-figures"
NOW = datetime(2026, 6, 30, 16, 0, tzinfo=UTC)  # the first of July in the city
SINCE = datetime(2025, 6, 30, 16, 0, tzinfo=UTC)
OURS = "grids.measures, over HTTP"
PEER = "one SQL query over the rows"

DISTRICT = "990101"
CELL = "building_group"
_EDITION = """
insert into edition (name, status, source, frame, leaf_level, effective_from, loaded_at, report)
values ('bench', 'published', 'bench', 'CGCS2000', 'building_group', '2015-01-01', :now, '{}')
"""
# cells of 0.005 degrees, 40 from west to east and 20 from south to north; towns are 10 by 10, communities a row of 10
_AREAS = """
insert into grid (edition_id, code, level, name, households, area_m2, boundary)
select max(edition.id), area.code, :level, max(area.code), case when :digits = 15 then 150 + min(area.n) % 700 end, 1,
    st_multi(st_makeenvelope(
        min(area.x), min(area.y), min(area.x) + :columns * 0.005, min(area.y) + :rows * 0.005, 4490))
from edition, (
    select n, 117 + (n % 40) * 0.005 as x, 36 + (n / 40) * 0.005 as y,
        left('990101' || lpad((1 + (n % 40) / 10 + 4 * (n / 400))::text, 3, '0')
            || lpad((1 + n / 40 % 10)::text, 3, '0') || lpad((1 + n % 10)::text, 3, '0'), :digits) as code
    from generate_series(0, 799) as n) as area
group by area.code
"""
_FILL = """
insert into incident (number, status, round, channel, text, category_code, grade, point, native_lon, native_lat,
    native_frame, edition_id, grid_code, placement, received_at, accepted_at, resolved_at, closed_at, due_at,
    due_effective, first_overdue_at, explanation, rework_count, trace_seq, trace_hash, version)
select to_char(made.at, 'YYYYMMDD') || lpad(made.n::text, 11, '0'),
    case when made.kind < 0.02 then 'rejected' when made.kind < 0.04 then 'merged' when made.open then 'handling'
         else 'closed' end,
    case when made.kind > 0.97 then 2 else 1 end,
    (array['hotline', 'citizen', 'grid_worker', 'patrol'])[1 + made.n % 4],
    'a case of the benchmark', kind.code, (array['green', 'yellow', 'orange', 'red'])[1 + made.n % 4],
    st_setsrid(st_makepoint(cell.x + made.off * (made.a - 0.5) / 250, cell.y + made.off * (made.b - 0.5) / 250), 4490),
    cell.x, cell.y, 'CGCS2000', cell.edition_id, cell.code, 'inside', made.at, made.at + made.took * interval '1 hour',
    case when made.open then null else made.at + (1 + made.took * 40) * interval '1 hour' end,
    case when made.open then null else made.at + (30 + made.took * 40) * interval '1 hour' end,
    made.at + interval '48 hours', made.at + interval '48 hours',
    case when made.took * 40 > 47 or (made.open and made.at < :now - interval '48 hours')
         then made.at + interval '48 hours' end,
    '[]', case when made.kind > 0.95 then 1 else 0 end, 1, null, 1
from (select n, random() as kind, random() as a, random() as b, -ln(1 - random()) as took, random() < 0.02 as open,
          1 + floor(power(random(), 1.5) * :cells)::int as cell, 1 + floor(power(random(), 2) * :kinds)::int as kind_of,
          sign(n % 50) as off,
          :begin + (n::float8 / :many) * (:now - :begin) as at
      from generate_series(1, :many) as n) as made
join (select row_number() over (order by code) as place, code, edition_id, st_x(st_pointonsurface(boundary)) as x,
          st_y(st_pointonsurface(boundary)) as y from grid where length(code) = 15) as cell on cell.place = made.cell
join (select row_number() over (order by code) as place, code from category) as kind on kind.place = made.kind_of
"""
_TRACE = """
insert into trace (incident_id, seq, at, actor, unit, machine, subject, row, action, to_state, payload, hash)
select id, 1, received_at, 'bench', '', 'incident', number, 'I1', 'report', status, '{}', '\\x00' from incident
"""
_WHISTLES = """
insert into whistle (number, incident_id, level, round, status, area_code, type, blown_at, appointed_at, issued_at,
    version)
select number || '-3', id, 3, 1, 'issued', left(grid_code, 9), 'comprehensive', accepted_at,
    accepted_at + interval '3 hours', accepted_at, 1
from incident where id % 10 = 0
"""
_TASKS = """
insert into task (incident_id, whistle_id, department_id, role, status, disputed, letter_number, issued_at,
    response_due_at, due_at, responded_at, checked_in_at, completed_at, rework_count, version)
select incident.id, whistle.id, body.id, 'lead', 'pending_response', false, whistle.number, whistle.issued_at,
    whistle.issued_at + interval '1 hour', whistle.issued_at + interval '48 hours',
    case when incident.id % 30 > 0 then whistle.issued_at + (incident.id % 97) * interval '1 minute' end,
    case when incident.id % 30 > 0 then whistle.appointed_at + (incident.id % 41) * interval '1 minute' end,
    incident.resolved_at, 0, 1
from whistle join incident on incident.id = whistle.incident_id
cross join (select min(id) as id from department) as body
"""
_WALLS = """incident.status not in ('merged', 'rejected', 'cancelled') and incident.placement != 'outside'
    and incident.received_at >= :since and incident.received_at < :now"""
_IN_RATE = """incident.status not in ('suspended', 'ledger') and not exists (select 1 from ledger_item where
    ledger_item.incident_id = incident.id and ledger_item.round = incident.round and ended_how = 'closed')"""
_AT = "left(coalesce(incident.overdue_grid_code, incident.grid_code), :digits)"
_COUNT = f"select left(grid_code, :digits) as code, count(*) as n from incident where {_WALLS} group by 1"
_LATE = f"""select {_AT} as code, count(*) filter (where late) as n, count(*) as denominator
from (select incident.*, first_overdue_at is not null or (resolved_at is null and due_effective < :now) as late
      from incident where {_WALLS} and accepted_at is not null and {_IN_RATE}) as incident
where resolved_at is not null or late group by 1"""
_TIMES = f"""select {_AT} as code, count(*) as n, count(*) filter (where resolved_at is null) as open,
    percentile_cont(0.5) within group (order by extract(epoch from resolved_at - accepted_at) / 60) as median,
    percentile_cont(0.9) within group (order by extract(epoch from resolved_at - accepted_at) / 60) as p90
from incident where {_WALLS} and accepted_at is not null and accepted_at <= :now and {_IN_RATE} group by 1"""
_ANSWERS = f"""select left(grid_code, :digits) as code, count(*) as n,
    count(*) filter (where responded_at is null) as open,
    avg((coalesce(responded_at, :now) > response_due_at)::int) as late
from incident join task on task.incident_id = incident.id
where {_WALLS} and task.issued_at <= :now and not (task.status in ('returned', 'withdrawn') and responded_at is null)
group by 1"""
_WEEKS = f"""select left(grid_code, :digits) as code, count(*) as n, (extract(epoch from date_trunc('week',
    received_at at time zone 'Asia/Shanghai')) / 604800)::int as week from incident where {_WALLS} group by 1, 3"""


def main(incidents: int = INCIDENTS, years: float = YEARS) -> list[Row]:
    """Return the 95th percentile of each figure over HTTP, and its peer's.

    years : over how many the incidents are spread, the last of them the window of every question.
    """
    root = Path(tempfile.mkdtemp(prefix="gridwhistle-bench-"))
    root.chmod(0o755)
    cluster = Cluster(root / "pg", fast=True).start()
    try:
        cluster.create_database("measures")
        return _measure(cluster.url("measures"), incidents, years)
    finally:
        cluster.stop()
        shutil.rmtree(root)


def _measure(url: str, incidents: int, years: float) -> list[Row]:
    engine = make_engine(url, statement_timeout_seconds=3600)
    migrate(engine)
    with Session(engine) as session:
        session.execute(text(_EDITION), {"now": NOW})
        for level, digits, columns, rows in (
            ("district", 6, 40, 20),
            ("town", 9, 10, 10),
            ("community", 12, 10, 1),
        ):
            session.execute(
                text(_AREAS), {"level": level, "digits": digits, "columns": columns, "rows": rows}
            )
        session.execute(text(_AREAS), {"level": "building_group", "digits": 15, "columns": 1, "rows": 1})
        ensure_defaults(session, [DISTRICT], now=NOW)
        person = Person(login="bench", name="bench", password_hash=hash_password(PASSWORD))
        session.add(person)
        session.flush()
        session.add(Post(person_id=person.id, role=Role.DISTRICT_PLATFORM, area_code=DISTRICT, title="bench"))
        session.commit()
    with engine.begin() as connection:
        _fill(connection, incidents, years)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze"))
    database = Database(engine, make_sessionmaker(engine), make_sessionmaker(engine, readonly=True), None)
    app = create_app(Settings(warm_months=0), clock=lambda: NOW, database=database, warm=True)
    with TestClient(app, base_url="https://testserver") as client, engine.connect() as connection:
        client.post("/api/login", json={"login": "bench", "password": PASSWORD}).raise_for_status()
        found = _Figures(client, connection, DISTRICT, incidents, years).rows()
    engine.dispose()
    return found


def _fill(connection: Connection, incidents: int, years: float) -> None:
    begin = NOW - timedelta(days=365.25 * years)
    cells = connection.scalar(text("select count(*) from grid where length(code) = 15"))
    kinds = connection.scalar(text("select count(*) from category"))
    connection.execute(text("select setseed(0.5)"))
    told = {"many": incidents, "cells": cells, "kinds": kinds, "now": NOW, "begin": begin}
    for statement in (_FILL, _TRACE, _WHISTLES, _TASKS):
        wanted = {name: value for name, value in told.items() if f":{name}" in statement}
        connection.execute(text(statement), wanted)


class _Figures:
    """The questions, each with its peer and what has to be equal."""

    def __init__(
        self, client: TestClient, connection: Connection, district: str, incidents: int, years: float
    ) -> None:
        self.client, self.connection, self.district = client, connection, district
        self.incidents, self.years = incidents, years

    def rows(self) -> list[Row]:
        begun = time.perf_counter()
        self._ask("counts")
        first = time.perf_counter() - begun
        task = f"a figure of one year, {self.incidents:,} incidents over {self.years:g} years"
        held = self.connection.scalar(
            text("select count(*) from incident where received_at >= :since"), {"since": SINCE}
        )
        rows = [Row(task, "the first question reads the year", first, "s", None, f"{held:,} incidents")]
        rows += self._pair("counts by town", _COUNT, 9, self._same_counts, "counts")
        rows += self._pair("counts by cell", _COUNT, 15, self._same_counts, "counts", level=CELL)
        rows += self._pair(
            "hotspots per 1,000 households by cell",
            _COUNT,
            15,
            self._same_counts,
            "hotspots",
            level=CELL,
            metric="per_1000_households",
        )
        rows += self._pair(
            "handling times by town", _TIMES, 9, self._same_times, "responses", metric="handle"
        )
        rows += self._pair("handling times by cell", _TIMES, 15, self._same_times, "responses", level=CELL)
        rows += self._pair("answers by town", _ANSWERS, 9, self._same_answers, "responses", metric="respond")
        rows += self._pair("overdue rate by town", _LATE, 9, self._same_rates, "rates", metric="overdue")
        rows += self._pair("weeks by cell", _WEEKS, 15, self._same_weeks, "weekly", level=CELL)
        rows += [self._alone("handling times in office hours", "responses", metric="handle", time="working")]
        rows += [self._alone("emerging hotspots by cell", "emerging", level=CELL)]
        rows += [self._alone("a density surface", "density", bandwidth_m="500", cell_m="200")]
        rows += [
            self._alone("hotspots without default points", "hotspots", level=CELL, default_points="leave_out")
        ]
        rows += [self._alone("default points", "default-points")]
        rows += [self._alone("handling times, two years compared", "compare", of="responses")]
        rows += [
            self._alone("cases at recurrent places by cell", "recurrences", level=CELL),
            self._alone("recurrent places, the first page", "recurrent-places"),
            self._alone("recurrent places of a period that nobody asked for", "recurrent-places", fresh=True),
        ]
        rows += [
            self._alone(f"{path} right after a case changed", path, change=True)
            for path in ("counts", "recurrences")
        ]
        return rows

    def _pair(
        self,
        task: str,
        sql: str,
        digits: int,
        same: Callable[[list[Any], list[Any]], None],
        path: str,
        **asked: str,
    ) -> list[Row]:
        told = {"since": SINCE, "now": NOW, "digits": digits}
        seconds: dict[str, list[float]] = {OURS: [], PEER: []}
        for number in range(RUNS):
            begun = time.perf_counter()
            ours = self._ask(path, **asked)
            seconds[OURS].append(time.perf_counter() - begun)
            if number % 5 == 0:
                begun = time.perf_counter()
                theirs = list(self.connection.execute(text(sql), told).mappings())
                self.connection.rollback()
                seconds[PEER].append(time.perf_counter() - begun)
                same(ours["rows"], theirs)
        worst = _p95(seconds[OURS])
        peer = statistics.median(seconds[PEER])
        median = statistics.median(seconds[OURS])
        return [
            Row(task, OURS, worst * 1000, "ms, p95", None, f"median {median * 1000:,.0f} ms"),
            Row(task, PEER, peer * 1000, "ms", peer / median, "answers equal; ratio of medians"),
        ]

    def _alone(self, task: str, path: str, *, change: bool = False, fresh: bool = False, **asked: str) -> Row:
        """Ask again and again: right after a change of a case of the last year, or each time of another period."""
        taken = []
        rows = len(self._ask(path, **asked).get("rows", ()))
        for number in range(RUNS):
            if change:
                self._change(self.incidents - number * 7919 % int(self.incidents / self.years))
            if fresh:
                asked["from"] = (SINCE + timedelta(hours=number + 1)).isoformat()
            begun = time.perf_counter()
            self._ask(path, **asked)
            taken.append(time.perf_counter() - begun)
        return Row(
            task,
            OURS,
            _p95(taken) * 1000,
            "ms, p95",
            None,
            f"median {statistics.median(taken) * 1000:,.0f} ms" + (f", {rows:,} rows" if rows else ""),
        )

    def _change(self, incident: int) -> None:
        step = (
            "update incident set trace_seq = trace_seq + 1, rework_count = rework_count + 1,"
            " closed_at = closed_at + interval '1 minute' where id = :id"
        )
        self.connection.execute(text(step), {"id": incident})
        written = _TRACE.replace("select id, 1,", "select id, trace_seq,") + " where id = :id"
        self.connection.execute(text(written), {"id": incident})
        self.connection.commit()

    def _ask(self, path: str, **asked: str) -> Any:
        period = {"area": self.district, "from": SINCE.isoformat(), "to": NOW.isoformat()}
        answer = self.client.get(f"/api/measures/{path}", params=period | asked)
        if answer.status_code != 200:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.text[:300]}")
        return answer.json()

    @staticmethod
    def _same_counts(ours: list[Any], theirs: list[Any]) -> None:
        assert {row["code"]: row["n"] for row in ours if row["n"]} == {
            row["code"]: row["n"] for row in theirs
        }

    @staticmethod
    def _same_times(ours: list[Any], theirs: list[Any]) -> None:
        found = {row["code"]: row for row in ours}
        for row in theirs:
            mine = found[row["code"]]
            assert (mine["n"], mine["open"]) == (row["n"], row["open"])
            # where nothing runs any more, the percentiles are PostgreSQL's
            if row["open"] == 0:
                wanted = (float(row["median"]), float(row["p90"]))
                np.testing.assert_allclose((mine["value"], mine["p90"]), wanted, atol=1e-3)

    @staticmethod
    def _same_answers(ours: list[Any], theirs: list[Any]) -> None:
        found = {row["code"]: row for row in ours}
        for row in theirs:
            mine = found[row["code"]]
            assert (mine["n"], mine["open"]) == (row["n"], row["open"])
            np.testing.assert_allclose(mine["overdue_share"], float(row["late"]), atol=1e-4)

    @staticmethod
    def _same_rates(ours: list[Any], theirs: list[Any]) -> None:
        wanted = {row["code"]: (row["n"], row["denominator"]) for row in theirs}
        assert {row["code"]: (row["n"], row["denominator"]) for row in ours if row["denominator"]} == wanted

    @staticmethod
    def _same_weeks(ours: list[Any], theirs: list[Any]) -> None:
        wanted: dict[str, dict[int, int]] = {}
        for row in theirs:
            wanted.setdefault(row["code"], {})[row["week"]] = row["n"]
        for mine in ours:
            there = [n for _, n in sorted(wanted.get(mine["code"], {}).items())]
            assert [n for n in mine["counts"] if n] == there


def _p95(taken: list[float]) -> float:
    return sorted(taken)[max(0, round(0.95 * len(taken)) - 1)]


if __name__ == "__main__":
    told = sys.argv[1:]
    print(render(main(int(told[0]) if told else INCIDENTS, float(told[1]) if len(told) > 1 else YEARS)))
