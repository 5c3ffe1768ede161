"""A town small enough to hold in one's head: one district, two towns, three communities, six cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import pytest
from geoalchemy2.shape import from_shape
from shapely import box
from shapely.geometry import MultiPolygon, Point
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from grids import directory
from grids.acts import incidents, ladder
from grids.acts.incidents import Report
from grids.figures import reading
from grids.founding import ensure_defaults
from grids.rules.levels import GridLevel
from grids.rules.lifecycle import Channel
from grids.rules.permissions import Actor, Role
from grids.rules.whistles import WhistleLevel
from grids.tables import (
    Base,
    Deadline,
    Department,
    Edition,
    EditionStatus,
    Grid,
    Incident,
    Message,
    Person,
    Post,
    Trace,
    Whistle,
)

DISTRICT = "990101"
MORNING = datetime(2026, 6, 3, 1, 0, tzinfo=UTC)  # a Wednesday, nine o'clock in the city
CELLS = {
    # code: west edge; every cell is 0.01 degrees wide and 0.02 high
    "990101001001001": 117.00,
    "990101001001002": 117.01,
    "990101001002001": 117.02,
    "990101001002002": 117.03,
    "990101002001001": 117.04,
    "990101002001002": 117.05,
}


@dataclass
class City:
    """The town, its people by role and place, and shortcuts to what tests do all the time."""

    session: Session
    clock: Any
    people: dict[str, Actor] = field(default_factory=dict)
    told_of: dict[tuple[str, int], tuple[Any, ...]] = field(default_factory=dict)

    def __getitem__(self, login: str) -> Actor:
        return self.people[login]

    def centre_of(self, code: str) -> tuple[float, float]:
        return CELLS[code] + 0.005, 36.01

    def report(self, *, by: str = "hotline", code: str = "990101001001001", **said: Any) -> Incident:
        lon, lat = self.centre_of(code)
        told = {
            "channel": Channel.HOTLINE,
            "lon": lon,
            "lat": lat,
            "frame": "CGCS2000",
            "text": "车库里有人烧烤",
            "category": "10-001",
            "reporter_name": "王某",
            "reporter_phone": "13812345678",
        } | said
        return incidents.report(self.session, Report(**told), by=self[by], now=self.clock())

    def stand_at(self, number: str, lon: float, lat: float, **facts: Any) -> None:
        """Add the bare row of an incident at a point of CGCS2000; facts : its other columns."""
        place = from_shape(Point(lon, lat), srid=4490)
        row = Incident(
            number=number, point=place, native_lon=lon, native_lat=lat, native_frame="CGCS2000", **facts
        )
        self.session.add(row)

    def accepted(self, level: WhistleLevel = WhistleLevel.FIRST, **said: Any) -> Incident:
        incident = self.report(**said)
        town = incident.grid_code[:9]
        return incidents.accept(
            self.session,
            incident.number,
            by=self["centre" if town.endswith("001") else "centre2"],
            now=self.clock(),
            level=level,
            reason="开始的级别由派单员定",
        )

    def whistle(self, incident: Incident, level: int) -> Whistle:
        return self.session.scalars(
            select(Whistle)
            .where(Whistle.incident_id == incident.id, Whistle.level == level)
            .order_by(Whistle.id.desc())
        ).first()

    def clocks(self, incident: Incident) -> dict[str, datetime]:
        running = self.session.scalars(
            select(Deadline).where(Deadline.incident_id == incident.id, Deadline.settled_at.is_(None))
        )
        return {clock.kind.value: clock.due_at for clock in running}

    def outcomes(self, incident: Incident, kind: str) -> list[str | None]:
        rows = self.session.scalars(
            select(Deadline)
            .where(Deadline.incident_id == incident.id, Deadline.kind == kind)
            .order_by(Deadline.id)
        )
        return [row.outcome.value if row.outcome else None for row in rows]

    def steps(self, incident: Incident) -> list[str]:
        rows = self.session.scalars(select(Trace).where(Trace.incident_id == incident.id).order_by(Trace.seq))
        return [f"{row.machine}.{row.action}" for row in rows]

    def told(self, login: str) -> list[str]:
        rows = self.session.scalars(
            select(Message).where(Message.person_id == self[login].person_id).order_by(Message.id)
        )
        return [row.template for row in rows]

    def tasks(self, incident: Incident) -> dict[str, Any]:
        whistle = self.whistle(incident, 3)
        return {task.department.code: task for task in ladder.tasks_of(self.session, whistle.id)}

    def untold(self) -> list[str]:
        """Return what became of cases since the last call without a step of the trace that tells of it.

        Figures follow the trace (`grids.facts`). The edition is not asked for: see `grids.figures.taking`.
        """
        rows = reading.received_in(
            self.session, datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
        )
        steps = dict(self.session.execute(select(Incident.id, Incident.trace_seq)).all())
        now: dict[tuple[str, int], tuple[Any, ...]] = {}
        for kind, columns, owner in (("case", rows.cases, "id"), ("task", rows.tasks, "case")):
            told = {name: column.tolist() for name, column in columns.items() if name != "edition"}
            for place, key in enumerate(told["id"]):
                facts = tuple((name, column[place]) for name, column in told.items())
                now[kind, key] = (steps[told[owner][place]], facts)
        before, self.told_of = self.told_of, now
        return [
            f"{key}: {set(facts) - set(before[key][1])}"
            for key, (step, facts) in now.items()
            if key in before and facts != before[key][1] and step <= before[key][0]
        ]

    def vacate(self, role: Role, area: str) -> None:
        for post in self.session.scalars(select(Post).where(Post.role == role, Post.area_code == area)):
            post.on_duty = False
        self.session.flush()


@pytest.fixture
def committed_city(engine: Engine, clock: Any) -> Iterator[City]:
    """The same town, committed, for tests that need several transactions at once; emptied afterwards."""
    clock.set(MORNING)
    with Session(engine, expire_on_commit=False) as session:
        yield _found(session, clock)
    with engine.begin() as connection:
        names = ", ".join(table.name for table in Base.metadata.sorted_tables)
        # ids go on: a grid that is kept in memory is known by the ids of its editions
        connection.execute(text(f"TRUNCATE {names} CASCADE"))


@pytest.fixture(scope="session")
def founded(make_database: Callable[[], str]) -> Iterator[tuple[Engine, dict[str, Actor]]]:
    """A database in which the town stands already, made once for all tests in it (0.15 s), and its people."""
    from api.database import make_engine

    engine = make_engine(make_database())
    with Session(engine) as session:
        made = _found(session, lambda: MORNING)
        session.commit()
    yield engine, made.people
    engine.dispose()


@pytest.fixture
def home(request: pytest.FixtureRequest) -> Engine:
    """The database that `session` works on: for a test in the town, the one where it stands."""
    if "city" not in request.fixturenames:
        engine: Engine = request.getfixturevalue("engine")
        return engine
    town: Engine = request.getfixturevalue("founded")[0]
    return town


@pytest.fixture
def city(session: Session, founded: tuple[Engine, dict[str, Actor]], clock: Any) -> City:
    """The town above, with one person in every post, on the morning of a working day."""
    clock.set(MORNING)
    return City(session, clock, dict(founded[1]))


def _found(session: Session, clock: Any) -> City:
    made = City(session, clock)
    edition = Edition(
        name="first",
        status=EditionStatus.PUBLISHED,
        source="test",
        frame="CGCS2000",
        leaf_level=GridLevel.BUILDING_GROUP,
        effective_from=date(2020, 1, 1),
        loaded_at=clock(),
        report={},
    )
    session.add(edition)
    session.flush()
    areas: dict[str, list[float]] = {}
    for code, west in CELLS.items():
        for length in (6, 9, 12, 15):
            areas.setdefault(code[:length], []).append(west)
    for code, wests in areas.items():
        shape = MultiPolygon([box(min(wests), 36.0, max(wests) + 0.01, 36.02)])
        session.add(
            Grid(
                edition_id=edition.id,
                code=code,
                level={6: "district", 9: "town", 12: "community", 15: "building_group"}[len(code)],
                name=f"第{code[-3:]}",
                households=400 if len(code) == 15 else None,
                area_m2=1.0,
                boundary=from_shape(shape, srid=4490),
            )
        )
    ensure_defaults(session, [DISTRICT], now=clock())
    _people(made)
    session.flush()
    return made


def _people(city: City) -> None:
    places: list[tuple[str, Role, str]] = [
        ("worker", Role.GRID_WORKER, "990101001001001"),
        ("worker2", Role.GRID_WORKER, "990101001001002"),
        ("leader", Role.GRID_LEADER, "990101001001"),
        ("leader2", Role.GRID_LEADER, "990101001002"),
        ("leader3", Role.GRID_LEADER, "990101002001"),
        ("centre", Role.TOWN_GRID_CENTRE, "990101001"),
        ("centre2", Role.TOWN_GRID_CENTRE, "990101002"),
        ("office", Role.TOWN_OFFICE, "990101001"),
        ("town", Role.TOWN_LEADER, "990101001"),
        ("hotline", Role.HOTLINE_DESK, DISTRICT),
        ("callback", Role.CALLBACK_OFFICER, DISTRICT),
        ("platform", Role.DISTRICT_PLATFORM, DISTRICT),
        ("governance", Role.GOVERNANCE_CENTRE, DISTRICT),
        ("district", Role.DISTRICT_LEADER, DISTRICT),
        ("auditor", Role.AUDITOR, DISTRICT),
    ]
    for login, role, area in places:
        city.people[login] = _person(city, login, role, area=area)
    for code in ("SCJG", "CG", "STHJ", "GA", "JJ"):
        body = directory.department(city.session, DISTRICT, code)
        city.people[code] = _person(city, code, Role.DEPARTMENT_DUTY, department=body)


def _person(
    city: City, login: str, role: Role, *, area: str | None = None, department: Department | None = None
) -> Actor:
    person = Person(login=login, name=login)
    city.session.add(person)
    city.session.flush()
    unit = department.name if department else area or ""
    department_id = department.id if department else None
    city.session.add(
        Post(person_id=person.id, role=role, area_code=area, department_id=department_id, title=unit)
    )
    return Actor(person.id, login, role, unit, area, department_id)
