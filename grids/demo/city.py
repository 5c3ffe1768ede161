"""Making a made-up city: every part in its order, in the caller's transaction, so it is there whole or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from gis.coverage import check_coverage
from gis.crs import Frame
from gis.errors import Conflict, CoverageBroken
from grids import atlas
from grids.accounts import hash_password
from grids.demo.almanac import load_calendar, make_almanac
from grids.demo.bodies import found_bodies, list_duties
from grids.demo.chronicle import Book
from grids.demo.copying import Ids, Sheets, ewkb, write
from grids.demo.ground import PREFIX, Ground, make_ground
from grids.demo.happenings import Terrain, happen
from grids.demo.incidents import write_numbers, write_year
from grids.demo.names import name_areas
from grids.demo.people import DemoLogin, Staff, hire
from grids.demo.places import GARAGE, Gazetteer, spot_names
from grids.demo.points import tell_of_points
from grids.demo.rain import write_rain
from grids.demo.scales import SIZES, UNFINISHED, Scale
from grids.demo.scenes import other_cell
from grids.demo.sendings import send
from grids.demo.setbacks import stuck_stories
from grids.demo.slips import fired
from grids.demo.stage import Stage, play
from grids.demo.stories import closed_stories
from grids.demo.waiting import open_stories
from grids.outbox import Render
from grids.rules.calendar import SHANGHAI, local_day
from grids.rules.categories import shipped_categories
from grids.rules.levels import GridLevel
from grids.rules.lifecycle import OPEN_STATUSES, IncidentStatus
from grids.scope import under
from grids.tables import (
    Appraisal,
    Attendance,
    Callback,
    Deadline,
    Edition,
    EditionStatus,
    Grid,
    Incident,
    JointAction,
    Message,
    Reporter,
    Score,
    Slip,
    Task,
    Trace,
    Whistle,
)

__all__ = ["PASSWORD", "DemoFacts", "make"]

PASSWORD = "gridwhistle-demo"  # noqa: S105 - the password of people who do not exist, printed at each start
"""What every demo login is opened with."""

_YEAR = timedelta(days=365)
_UNREAD = timedelta(days=1)
_QUIET = timedelta(hours=8)  # before now: whatever was reported earlier has ended, but for the stories


@dataclass(frozen=True)
class DemoFacts:
    """What was made.

    since, until : the year, by the moment of the report. incidents : all of it; finished : closed, merged or
    rejected ones; the rest are open or on the ledger. statuses : incidents by status. logins : one person per role and
    department, all opened with `PASSWORD`. barbecue : the number of the case to look at first.
    vacant : name of the community whose grid leader is off duty.
    """

    scale: Scale
    seed: int
    edition_id: int
    since: datetime
    until: datetime
    districts: int
    towns: int
    communities: int
    cells: int
    workers: int
    party_members: int
    people: int
    incidents: int
    finished: int
    statuses: dict[str, int]
    logins: tuple[DemoLogin, ...]
    barbecue: str
    vacant: str


def make(
    session: Session,
    *,
    scale: Scale,
    seed: int,
    now: datetime,
    progress: Callable[[int, int, str], None] | None = None,
    render: Render | None = None,
) -> DemoFacts:
    """Make a city of a size, with a year of cases that ends at `now`, in the caller's transaction.

    progress : called with (done, total, what): incidents written so far, of how many, what is being made.
    render : words messages for those who are told elsewhere too; without it nobody is.
    Raises `Conflict` ("demo_exists") where the made-up district is there already.
    """
    exists = session.scalar(select(Grid.id).where(Grid.code.startswith(PREFIX)).limit(1))
    if exists is not None:
        raise Conflict("demo_exists", "the made-up district is in this database already")
    size = SIZES[scale]
    tell = progress or (lambda _done, _total, _what: None)
    tell(0, size.incidents, "ground")
    on_ground, in_posts, in_year, in_rain = (
        np.random.default_rng(part) for part in np.random.SeedSequence(seed).spawn(4)
    )
    calendar = load_calendar(session, now)
    ground = make_ground(size, on_ground)
    name_areas(ground, on_ground)
    first = local_day(now - _YEAR)
    edition = _publish(session, ground, f"demo:{scale}:{seed}", since=first, now=now)
    tell(0, size.incidents, "people")
    bodies = found_bodies(session, ground, in_posts)
    gazetteer = Gazetteer(ground, in_posts)
    staff = hire(session, ground, bodies, size, in_posts, password_hash=hash_password(PASSWORD))
    stage = Stage(session, staff, ground, gazetteer, calendar, now)
    duties = list_duties(session, first, ground, town=staff.town, estate=other_cell(stage), market=staff.cell)
    closed, still_open = closed_stories(stage), [*open_stories(stage), *stuck_stories(stage)]
    told = len(closed) + len(still_open)
    book = Book(
        calendar=calendar,
        staff=staff,
        duties=duties,
        bodies=bodies,
        sheets=Sheets(
            Incident,
            Reporter,
            Callback,
            Whistle,
            Task,
            Attendance,
            JointAction,
            Score,
            Appraisal,
            Slip,
            Deadline,
            Trace,
        ),
        supervise=fired,
        ids={table.__tablename__: Ids(session, table) for table in (Incident, Reporter, Whistle, Task)},
    )
    count = size.incidents - told
    _live_year(session, book, ground, gazetteer, count, size.incidents, in_year, in_rain, now, tell)
    write_numbers(session, book)
    for table in (Incident, Trace, Deadline, Whistle, Task):
        session.execute(text(f"analyze {table.__tablename__}"))
    tell(size.incidents - told, size.incidents, "stories")
    play(session, [*closed, *still_open], now)
    tell(size.incidents, size.incidents, "places")
    tell_of_points(session, staff, ground.of(GridLevel.DISTRICT)["code"].tolist(), now)
    _read_old_messages(session, now)
    if render is not None:
        send(session, staff, now, render)
    tell(size.incidents, size.incidents, "done")
    return _facts(session, scale, seed, ground, staff, edition, first, now)


def _publish(session: Session, ground: Ground, source: str, *, since: date, now: datetime) -> Edition:
    """Put the ground into force from the first day of the year on; the gate looks at it as at any other."""
    report = check_coverage(ground.areas)
    if not report.ok:
        raise CoverageBroken(
            "edition_has_faults",
            f"the made-up ground has {len(report.errors)} faults",
            errors=len(report.errors),
        )
    edition = Edition(
        name=f"{ground.areas['name'].iloc[0]}网格",
        status=EditionStatus.PUBLISHED,
        source=source,
        frame=Frame.CGCS2000.value,
        leaf_level=GridLevel.BUILDING_GROUP,
        effective_from=since,
        loaded_at=now,
        published_at=now,
        published_by="demo",
        report=report.to_dict(),
    )
    session.add(edition)
    session.flush()
    areas = ground.areas
    columns = ("code", "level", "name", "households", "population", "area_m2")
    shapes = ewkb(areas.geometry.to_numpy())
    rows = [
        {
            "edition_id": edition.id,
            **dict(zip(columns, values, strict=True)),
            "level": GridLevel(values[1]),
            "boundary": shape,
        }
        for values, shape in zip(
            zip(*(areas[name].tolist() for name in columns), strict=True), shapes, strict=True
        )
    ]
    write(session, Grid, rows)
    return edition


def _live_year(
    session: Session,
    book: Book,
    ground: Ground,
    gazetteer: Gazetteer,
    count: int,
    total: int,
    random: np.random.Generator,
    in_rain: np.random.Generator,
    now: datetime,
    tell: Callable[[int, int, str], None],
) -> None:
    """Write the finished cases of all districts, those of a district in the order of their reports."""
    inside = atlas.current(session, on=local_day(now))
    first = local_day(now - _YEAR)
    districts = ground.of(GridLevel.DISTRICT)["code"].tolist()
    done = 0

    def written(more: int) -> None:
        nonlocal done
        done += more
        tell(done, total, "incidents")

    for place, district in enumerate(districts):
        almanac = make_almanac(first, 366, book.calendar, random)
        write_rain(session, district, almanac, now, in_rain)
        terrain = _terrain(ground, inside, district, book.staff.town)
        own = count * (place + 1) // len(districts) - count * place // len(districts)
        happened = happen(own, terrain, almanac, shipped_categories(), now - _QUIET, random)
        spots = spot_names(happened.spots, terrain, gazetteer)
        write_year(
            session,
            book,
            happened,
            shipped_categories(),
            inside,
            gazetteer,
            spots,
            random,
            until=now - timedelta(minutes=1),
            progress=written,
        )


def _terrain(ground: Ground, inside: atlas.Atlas, district: str, old_town: str) -> Terrain:
    cells = ground.of(GridLevel.BUILDING_GROUP)
    own = cells[cells["code"].str.startswith(district)]
    return Terrain(
        codes=own["code"].tolist(),
        bounds=own.geometry.bounds.to_numpy(),
        people=own["population"].to_numpy(dtype=float),
        urban=own["urban"].to_numpy(dtype=bool),
        old_town=own["code"].str.startswith(old_town).to_numpy(dtype=bool),
        locator=inside.locator,
        first=int(np.searchsorted(inside.codes.astype(str), own["code"].iloc[0])),
    )


def _read_old_messages(session: Session, now: datetime) -> None:
    """Take what the stories of past days told people as read: only today's waits in the inbox."""
    session.execute(
        update(Message)
        .where(Message.posted_at < now - _UNREAD, Message.read_at.is_(None))
        .values(read_at=Message.posted_at + timedelta(minutes=20))
    )


def _facts(
    session: Session,
    scale: Scale,
    seed: int,
    ground: Ground,
    staff: Staff,
    edition: Edition,
    first: date,
    until: datetime,
) -> DemoFacts:
    mine = under(Incident.grid_code, PREFIX)
    rows = session.execute(select(Incident.status, func.count()).where(mine).group_by(Incident.status))
    statuses = {status.value: count for status, count in rows}
    total = sum(statuses.values())
    still_open = sum(statuses.get(status.value, 0) for status in OPEN_STATUSES | {IncidentStatus.LEDGER})
    if (total, still_open) != (SIZES[scale].incidents, UNFINISHED):
        raise ValueError(f"{total} incidents with {still_open} open were made: the demo is broken")
    levels = ground.areas["level"].value_counts()
    return DemoFacts(
        scale=scale,
        seed=seed,
        edition_id=edition.id,
        since=datetime.combine(first, time(), SHANGHAI).astimezone(UTC),
        until=until,
        districts=int(levels[GridLevel.DISTRICT.value]),
        towns=int(levels[GridLevel.TOWN.value]),
        communities=int(levels[GridLevel.COMMUNITY.value]),
        cells=int(levels[GridLevel.BUILDING_GROUP.value]),
        workers=staff.workers,
        party_members=staff.party_members,
        people=staff.people,
        incidents=total,
        finished=total - still_open,
        statuses=statuses,
        logins=tuple(staff.logins),
        barbecue=session.scalars(
            select(Incident.number).where(
                mine, Incident.address == GARAGE, Incident.category_code == "10-001"
            )
        ).one(),
        vacant=str(ground.areas.set_index("code").at[staff.vacant, "name"]),
    )
