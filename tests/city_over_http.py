"""A small city behind the real application, for tests over HTTP: one district, two towns, six cells.

Loaded by the conftest modules of tests/api and tests/journeys. The city is built once and committed to a
database of its own; each test gets a clone of it, so that every request commits for real.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from unittest.mock import patch

from anyio.from_thread import BlockingPortal, start_blocking_portal
from argon2 import PasswordHasher
from fastapi import FastAPI
from geoalchemy2.shape import from_shape
from psycopg import connect
from shapely import box
from shapely.geometry import MultiPolygon
from sqlalchemy import make_url, select, text
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from api import worker
from api.app import create_app
from api.cluster import Cluster
from api.database import Database, make_engine, make_sessionmaker
from api.settings import Settings
from grids import accounts, calendars, trace
from grids.deadlines import Fired
from grids.rules.categories import shipped_categories
from grids.rules.departments import shipped_departments
from grids.rules.levels import GridLevel
from grids.rules.permissions import Role
from grids.rules.responsibilities import RuleKind
from grids.tables import (
    Category,
    Department,
    DutyBasis,
    Edition,
    EditionStatus,
    Grid,
    Incident,
    Message,
    Person,
    Post,
    Responsibility,
)

__all__ = [
    "AREAS",
    "CELLS",
    "DISTRICT",
    "MORNING",
    "PASSWORD",
    "PEOPLE",
    "HttpCity",
    "StillClock",
    "build_template",
    "open_city",
]

DISTRICT = "990101"
PASSWORD = "一个很长的口令 2026"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # twenty people sign in for each test
MORNING = datetime(2026, 6, 3, 1, 0, tzinfo=UTC)  # a Wednesday, nine o'clock in the city

CELLS = {  # code: west edge in degrees; every cell is 0.01 wide and 0.02 high, its southern edge at 36.0
    "990101001001001": 117.00,
    "990101001001002": 117.01,
    "990101001002001": 117.02,
    "990101001002002": 117.03,
    "990101002001001": 117.04,
    "990101002001002": 117.05,
}
AREAS = {
    "990101": "莱城区",
    "990101001": "凤城街道",
    "990101001001": "升平社区",
    "990101001002": "胜利社区",
    "990101002": "口镇",
    "990101002001": "下水河村",
}
PEOPLE: dict[str, tuple[Role, str]] = {  # login: role and area, or the code of a department
    "worker": (Role.GRID_WORKER, "990101001001001"),
    "neighbour": (Role.GRID_WORKER, "990101001001002"),
    "leader": (Role.GRID_LEADER, "990101001001"),
    "leader2": (Role.GRID_LEADER, "990101001002"),
    "centre": (Role.TOWN_GRID_CENTRE, "990101001"),
    "office": (Role.TOWN_OFFICE, "990101001"),
    "town": (Role.TOWN_LEADER, "990101001"),
    "sibling": (Role.TOWN_GRID_CENTRE, "990101002"),
    "sibling_office": (Role.TOWN_OFFICE, "990101002"),
    "sibling_leader": (Role.GRID_LEADER, "990101002001"),
    "sibling_town": (Role.TOWN_LEADER, "990101002"),
    "hotline": (Role.HOTLINE_DESK, DISTRICT),
    "callback": (Role.CALLBACK_OFFICER, DISTRICT),
    "platform": (Role.DISTRICT_PLATFORM, DISTRICT),
    "governance": (Role.GOVERNANCE_CENTRE, DISTRICT),
    "auditor": (Role.AUDITOR, DISTRICT),
    "scjg": (Role.DEPARTMENT_DUTY, "SCJG"),
    "cg": (Role.DEPARTMENT_DUTY, "CG"),
    "sthj": (Role.DEPARTMENT_DUTY, "STHJ"),
    "ga": (Role.DEPARTMENT_DUTY, "GA"),
    "jj": (Role.DEPARTMENT_DUTY, "JJ"),
}


class StillClock:
    """A clock for a city that many tests share."""

    def __init__(self) -> None:
        self.now = MORNING

    def __call__(self) -> datetime:
        return self.now

    def set(self, moment: datetime) -> None:
        """Stand at another moment."""
        self.now = moment


def build(session: Session) -> None:
    """Put the city on record: its grid, its list of categories and duties, its people and its calendar."""
    edition = Edition(
        name="first",
        status=EditionStatus.PUBLISHED,
        source="test",
        frame="CGCS2000",
        leaf_level=GridLevel.BUILDING_GROUP,
        effective_from=date(2020, 1, 1),
        loaded_at=MORNING,
        report={},
    )
    session.add(edition)
    session.flush()
    spans: dict[str, list[float]] = {}
    for code, west in CELLS.items():
        for length in (6, 9, 12, 15):
            spans.setdefault(code[:length], []).append(west)
    levels = {6: "district", 9: "town", 12: "community", 15: "building_group"}
    for code, wests in spans.items():
        shape = MultiPolygon([box(min(wests), 36.0, max(wests) + 0.01, 36.02)])
        session.add(
            Grid(
                edition_id=edition.id,
                code=code,
                level=GridLevel(levels[len(code)]),
                name=AREAS.get(code) or f"第{int(code[-3:])}网格",
                households=400 if len(code) == 15 else None,
                area_m2=2.0e6,
                boundary=from_shape(shape, srid=4490),
            )
        )
    _duties(session)
    calendars.load_years(session, [2025, 2026])
    _people(session)


def _duties(session: Session) -> None:
    for body in shipped_departments():
        session.add(
            Department(
                district_code=DISTRICT,
                code=body.code,
                name=body.name_zh,
                name_en=body.name_en,
                kind=body.kind,
            )
        )
    for rule in shipped_categories():
        session.add(
            Category(
                code=rule.code,
                field_code=rule.field_code,
                field_name=rule.field_zh,
                field_name_en=rule.field_en,
                kind=rule.kind,
                name=rule.name_zh,
                name_en=rule.name_en,
                grade=rule.grade,
                response_minutes=rule.response_limit_min,
                arrive_hours=rule.arrive_limit_h,
                handle_value=rule.handle_limit.value,
                handle_unit=rule.handle_limit.unit,
                whistle_level=rule.whistle_level,
                callback_required=rule.callback_required,
                long_process=rule.long_process,
                recurrence_radius_m=rule.recurrence_radius_m,
                evidence=list(rule.evidence),
            )
        )
        session.add(
            Responsibility(
                kind=RuleKind.DEFAULT,
                category_code=rule.code,
                area_code="",
                lead=rule.lead,
                cooperating=list(rule.cooperating),
                basis=DutyBasis.DEFAULT,
                source="test",
                effective_from=date(2020, 1, 1),
            )
        )
    session.flush()


def _people(session: Session) -> None:
    password = QUICK.hash(PASSWORD)
    bodies = {body.code: body.id for body in session.scalars(select(Department))}
    for place, (login, (role, where)) in enumerate(PEOPLE.items()):
        person = Person(login=login, name=f"{login}同志", phone=f"1390000{place:04d}", password_hash=password)
        session.add(person)
        session.flush()
        department = bodies.get(where)
        session.add(
            Post(
                person_id=person.id,
                role=role,
                area_code=None if department else where,
                department_id=department,
                title=role.value,
            )
        )
    session.flush()


@dataclass
class HttpCity:
    """The city as its people meet it: over HTTP, with a clock that the test moves and a worker on call."""

    app: FastAPI
    database: Database
    clock: Any
    portal: BlockingPortal | None = None
    _clients: dict[str, TestClient] = field(default_factory=dict)

    def stranger(self) -> TestClient:
        """Return a client that has not signed in."""
        client = TestClient(self.app, raise_server_exceptions=False)
        client.portal = self.portal  # one loop for all requests; by itself it makes one for each (2 ms)
        return client

    def as_(self, login: str) -> TestClient:
        """Return the client of one of PEOPLE, signed in."""
        if login not in self._clients:
            client = self.stranger()
            answer = client.post("/api/login", json={"login": login, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
            self._clients[login] = client
        return self._clients[login]

    def fire(self) -> Fired:
        """Let the worker fire everything that is due."""
        return worker.fire_all(self.database, self.clock)

    def said(self, cell: str = "990101001001001", **changes: Any) -> dict[str, Any]:
        """Return the body of a report from the middle of a cell."""
        report = {
            "channel": "hotline",
            "lon": CELLS[cell] + 0.005,
            "lat": 36.01,
            "frame": "CGCS2000",
            "text": "车库里有人烧烤",
            "category": "10-001",
            "reporter": {"name": "王某", "phone": "13812345678"},
        }
        return {name: value for name, value in (report | changes).items() if value is not None}

    def report(self, by: str = "hotline", cell: str = "990101001001001", **changes: Any) -> str:
        """File a report; return the incident's number."""
        answer = self.as_(by).post("/api/incidents", json=self.said(cell, **changes))
        assert answer.status_code == 201, answer.text
        number: str = answer.json()["number"]
        return number

    def act(self, by: str, path: str, body: dict[str, Any] | None = None, status: int = 200) -> Any:
        """Let one of PEOPLE do something; return the answer's JSON."""
        answer = self.as_(by).post(f"/api/{path}", json=body)
        assert answer.status_code == status, f"{path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def see(self, by: str, path: str, /, **params: Any) -> Any:
        """Let one of PEOPLE look at something; return the answer's JSON."""
        answer = self.as_(by).get(f"/api/{path}", params=params)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def whistle(self, number: str, level: int) -> str:
        """Return the number of an incident's newest whistle of a level."""
        whistles = self.see("platform", f"incidents/{number}")["whistles"]
        found: str = [one["number"] for one in whistles if one["level"] == level][-1]
        return found

    def status(self, number: str) -> str:
        """Return where an incident stands."""
        found: str = self.see("platform", f"incidents/{number}")["status"]
        return found

    def steps(self, number: str) -> list[str]:
        """Return the history of an incident as "machine.action"."""
        rows = self.see("platform", f"incidents/{number}/trace")
        return [f"{row['machine']}.{row['action']}" for row in rows]

    def told(self, login: str) -> list[str]:
        """Return the templates of the messages that one of PEOPLE got, oldest first."""
        with self.database.readers() as session:
            rows = session.scalars(
                select(Message)
                .join(Person, Person.id == Message.person_id)
                .where(Person.login == login)
                .order_by(Message.id)
            )
            return [row.template for row in rows]

    def first_broken(self, number: str) -> int | None:
        """Return the first step of a history that is not as it was written."""
        with self.database.readers() as session:
            incident = session.scalars(select(Incident).where(Incident.number == number)).one()
            return trace.first_broken(session, incident)

    def count(self, *tables: str) -> dict[str, int]:
        """Return how many rows each table holds."""
        with self.database.readers() as session:
            return {name: session.scalar(text(f"SELECT count(*) FROM {name}")) or 0 for name in tables}

    def vacate(self, login: str) -> None:
        """Let the post of one of PEOPLE stand empty."""
        with self.database.sessions.begin() as session:
            person = session.scalars(select(Person).where(Person.login == login)).one()
            for post in session.scalars(select(Post).where(Post.person_id == person.id)):
                post.on_duty = False


def build_template(cluster: Cluster, make_database: Callable[[], str]) -> str:
    """Build the city once; return the name of the database that clones are made of."""
    url = make_database()
    engine = make_engine(url)
    with Session(engine) as session:
        build(session)
        session.commit()
    engine.dispose()
    name = make_url(url).database
    assert name is not None
    return name


@contextmanager
def open_city(
    cluster: Cluster, template: str, name: str, clock: Any, settings: Settings | None = None
) -> Iterator[HttpCity]:
    """Open a clone of the city under a name of its own; it is dropped afterwards."""
    cluster.create_database(name, template=template)
    engine = make_engine(cluster.url(name), pool_size=10)
    database = Database(engine, make_sessionmaker(engine), make_sessionmaker(engine, readonly=True), None)
    # people stay signed in however far a story moves the clock
    settings = settings or Settings(session_idle_minutes=10**6, session_hours=10**4)
    clock.set(MORNING)
    try:
        with patch.object(accounts, "_hasher", QUICK), start_blocking_portal() as portal:
            yield HttpCity(create_app(settings, clock=clock, database=database), database, clock, portal)
    finally:
        engine.dispose()
        address = make_url(cluster.url("postgres")).set(drivername="postgresql")
        # not through an engine, which asks the server a dozen things before its first statement
        with connect(address.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
