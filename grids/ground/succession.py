"""One edition takes the place of another: what moves, and bringing it over when its day comes.

Areas are followed by their ground (`gis.lineage`). Open incidents follow the new grid or stay with the cell that
they were placed in, as whoever publishes chooses; closed ones keep what they hit for good. A mark of being
overdue stays where it arose. Bringing over is done by the worker, a few cases at a time: each case is locked,
moved and traced in one transaction, so that it may stop anywhere and go on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import shapely
from sqlalchemy import ColumnElement, and_, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from gis.crs import Frame
from gis.errors import CityError, Conflict
from gis.lineage import LEAST_SHARE, heir, lineage
from grids import atlas, directory
from grids.acts import ladder
from grids.acts.case import Case
from grids.rules import explanation
from grids.rules.calendar import local_day
from grids.rules.explanation import What
from grids.rules.levels import CODE_LENGTH, GridLevel
from grids.rules.lifecycle import IncidentStatus
from grids.rules.permissions import SYSTEM, Role
from grids.rules.whistles import WhistleLevel, WhistleStatus
from grids.scope import under
from grids.tables import (
    IS_OPEN,
    Edition,
    Grid,
    Incident,
    Lineage,
    OpenCases,
    Placement,
    Post,
    Responsibility,
)

__all__ = [
    "Brought",
    "Heritage",
    "bring_over",
    "catch_up",
    "cell_for",
    "heritage_between",
    "in_districts",
    "record_lineage",
]

_YEAR = timedelta(days=365)
_PASSED_ON = (
    WhistleStatus.ESCALATED,
    WhistleStatus.RETURNED_TO_COMMUNITY,
    WhistleStatus.REFUSED,
    WhistleStatus.WITHDRAWN,
)
_CHOSEN = (Placement.MANUAL, Placement.CONFIRMED)  # a person said which cell: its point alone does not decide


@dataclass(frozen=True)
class Heritage:
    """Who follows an older area.

    heirs : take all of it over, None where nobody does. most : where most of its ground went.
    whole : areas that lost nothing.
    """

    heirs: Mapping[str, str | None]
    most: Mapping[str, str]
    whole: frozenset[str]

    @classmethod
    def of(cls, link: pd.DataFrame) -> Heritage:
        """Return it from a lineage: before_code, after_code, area_share."""
        shares: dict[str, dict[str, float]] = {}
        for before, after, share in zip(
            link["before_code"], link["after_code"], link["area_share"], strict=True
        ):
            shares.setdefault(before, {})[after] = float(share)
        return cls(
            heirs={code: heir(found) for code, found in shares.items()},
            most={code: max(sorted(found), key=lambda c: found[c]) for code, found in shares.items()},
            whole=frozenset(
                code for code, found in shares.items() if found.get(code, 0.0) >= 1 - LEAST_SHARE
            ),
        )


_NOBODY = Heritage({}, {}, frozenset())


def cell_for(code: str, placement: Placement, by_point: str | None, heritage: Heritage) -> str | None:
    """Return the cell of the new grid for an incident that lay in `code`."""
    if code in heritage.whole:
        return code
    if placement in _CHOSEN:
        return heritage.most.get(code, by_point)
    return by_point


def in_districts(session: Session, edition_id: int) -> ColumnElement[bool]:
    """Return the condition that an incident lies in a district that an edition holds."""
    codes = session.scalars(
        select(Grid.code).where(Grid.edition_id == edition_id, Grid.level == GridLevel.DISTRICT)
    ).all()
    return or_(*(under(Incident.grid_code, code) for code in codes))


def record_lineage(session: Session, edition: Edition, before: Edition, *, now: datetime) -> None:
    """Store how the areas of an older edition went into those of a newer one, at every level."""
    after = atlas.whole(session, edition)
    link = lineage(atlas.whole(session, before), after)
    shares = _incident_shares(session, edition, before, now)
    rows = []
    columns = ("before_code", "after_code", "level", "area_share", "households")
    for old, new, level, share, homes in link[list(columns)].itertuples(index=False, name=None):
        total = shares.get((old, None), 0)
        rows.append(
            {
                "before_id": before.id,
                "before_code": old,
                "after_id": edition.id,
                "after_code": new,
                "level": GridLevel(level),
                "area_share": float(share),
                "households": None if pd.isna(homes) else round(homes),
                "incident_share": shares.get((old, new), 0) / total if total else None,
            }
        )
    if rows:
        session.execute(insert(Lineage), rows)


def _incident_shares(
    session: Session, edition: Edition, before: Edition, now: datetime
) -> dict[tuple[str, str | None], int]:
    """Count the last year's incidents by (older area, newer area), and by (older area, None) in all."""
    rows = session.execute(
        select(
            Incident.grid_code,
            func.ST_X(Incident.point).label("lon"),
            func.ST_Y(Incident.point).label("lat"),
        ).where(
            Incident.edition_id == before.id,
            Incident.received_at >= now - _YEAR,
            Incident.placement != Placement.OUTSIDE,
        )
    ).all()
    counts: Counter[tuple[str, str | None]] = Counter()
    if not rows:
        return counts
    there = atlas.of_edition(session, edition.id)
    at = there.locator.locate(np.array([row.lon for row in rows]), np.array([row.lat for row in rows]))
    for row, index in zip(rows, at.tolist(), strict=True):
        new = str(there.codes[index]) if index >= 0 else None
        for length in CODE_LENGTH.values():
            if length <= len(row.grid_code):
                old = row.grid_code[:length]
                counts[(old, None)] += 1
                if new is not None:
                    counts[(old, new[:length])] += 1
    return counts


# -- when the day has come


@dataclass
class Brought:
    """What one round did: cases that moved, and by id those that could not, with the reason."""

    moved: int = 0
    stuck: dict[int, CityError] = field(default_factory=dict)


def bring_over(session: Session, now: datetime, *, limit: int = 100) -> Brought:
    """Bring posts, rules and up to `limit` open incidents over to the editions in force.

    Skips what somebody else holds; called again until nothing moves. The caller commits. Incidents that were
    reported while an edition was published are caught too, for every open incident in the wrong edition counts.
    A case that cannot move is left as it is and does not hold up the others.
    """
    done = Brought()
    strays: list[tuple[int, str, Edition]] = []
    for edition in session.scalars(
        select(Edition)
        .where(atlas.in_force(local_day(now)), Edition.open_cases.is_not(None))
        .order_by(Edition.id)
    ).all():
        fresh = _take_effect(session, edition, now) if edition.took_effect_at is None else ()
        found = [*fresh, *_strays(session, edition, limit - len(strays))]
        strays += [(row.id, row.grid_code, edition) for row in found]
        if len(strays) >= limit:
            break
    heritages: dict[tuple[int, int], Heritage] = {}
    # a whistle that climbs takes a number of its district: in the order in which `grids.deadlines` takes them
    for incident_id, _, edition in sorted(strays, key=lambda stray: stray[1][:6]):
        try:
            with session.begin_nested():
                case = Case.open_by_id(session, incident_id, SYSTEM, now)
                before = case.incident.edition_id
                if before is not None and (before, edition.id) not in heritages:
                    heritages[before, edition.id] = _heritage(session, before, edition)
                _follow(case, edition, _NOBODY if before is None else heritages[before, edition.id])
                session.flush()
            done.moved += 1
        except CityError as reason:
            done.stuck[incident_id] = reason
        except (IntegrityError, StaleDataError):
            done.stuck[incident_id] = Conflict("stale_version", "somebody changed this case at the same time")
    return done


def catch_up(case: Case) -> None:
    """Bring one case over that is taken up again, as `bring_over` would soon: before anybody is called for it."""
    incident, session = case.incident, case.session
    districts = select(Grid.edition_id).where(
        Grid.level == GridLevel.DISTRICT, Grid.code == incident.grid_code[: CODE_LENGTH[GridLevel.DISTRICT]]
    )
    edition = session.scalar(
        select(Edition).where(
            atlas.in_force(case.today), Edition.open_cases.is_not(None), Edition.id.in_(districts)
        )
    )
    if edition is None or incident.edition_id in (None, edition.id):
        return
    there = select(Grid.id).where(Grid.edition_id == edition.id, Grid.code == incident.grid_code)
    if edition.open_cases is OpenCases.STAY and session.scalar(there) is not None:
        return
    _follow(case, edition, _heritage(session, incident.edition_id, edition))


def _take_effect(session: Session, edition: Edition, now: datetime) -> Sequence[Any]:
    """Bring posts and rules of areas that go over to the areas that took them over whole, once.

    Returns the open reports that lay in no cell before and do now, locked: id, grid_code.
    """
    held = session.scalar(
        select(Edition)
        .where(Edition.id == edition.id, Edition.took_effect_at.is_(None))
        .with_for_update(skip_locked=True, key_share=True)
        .execution_options(populate_existing=True)
    )
    if held is None:
        return ()
    kept = set(session.scalars(select(Grid.code).where(Grid.edition_id == edition.id)))
    heirs: dict[str, str | None] = {}
    for before in _last_held(session, edition):
        heirs |= _heritage(session, before.id, edition).heirs
    moves = {old: new for old, new in heirs.items() if new is not None and new != old and old not in kept}
    holds = or_(Responsibility.effective_to.is_(None), Responsibility.effective_to > local_day(now))
    for old, new in moves.items():
        session.execute(update(Post).where(Post.area_code == old).values(area_code=new))
        session.execute(
            update(Responsibility).where(Responsibility.area_code == old, holds).values(area_code=new)
        )
    held.took_effect_at = now
    session.flush()
    return _found_at_last(session, edition)


def _last_held(session: Session, edition: Edition) -> list[Edition]:
    """Return the editions before one that people were brought over to, the oldest first.

    One that was replaced before it came into force, or before the worker came to it, is passed over.
    """
    found: dict[int, Edition] = {}
    replaced = (
        select(Edition)
        .where(Edition.id.in_(select(Lineage.before_id).where(Lineage.after_id == edition.id)))
        .order_by(Edition.id)
    )
    for before in session.scalars(replaced).all():
        settled = before.took_effect_at is not None or before.open_cases is None
        found |= {one.id: one for one in ([before] if settled else _last_held(session, before))}
    return [found[number] for number in sorted(found)]


def _found_at_last(session: Session, edition: Edition) -> Sequence[Any]:
    rows = session.execute(
        select(
            Incident.id,
            Incident.grid_code,
            func.ST_X(Incident.point).label("lon"),
            func.ST_Y(Incident.point).label("lat"),
        )
        .where(IS_OPEN, Incident.placement == Placement.OUTSIDE, in_districts(session, edition.id))
        .with_for_update(skip_locked=True)
    ).all()
    if not rows:
        return ()
    there = atlas.of_edition(session, edition.id)
    at = there.locator.locate(np.array([row.lon for row in rows]), np.array([row.lat for row in rows]))
    return [row for row, index in zip(rows, at.tolist(), strict=True) if index >= 0]


def _heritage(session: Session, before_id: int, edition: Edition) -> Heritage:
    """Return who follows the areas of an older edition: as stored, or for one that was not the last, found anew."""
    columns = ("before_code", "after_code", "level", "area_share", "households")
    rows = session.execute(
        select(*(getattr(Lineage, name) for name in columns)).where(
            Lineage.after_id == edition.id, Lineage.before_id == before_id
        )
    ).all()
    if rows:
        return Heritage.of(pd.DataFrame([tuple(row) for row in rows], columns=list(columns)))
    return heritage_between(session, session.get_one(Edition, before_id), edition)


def heritage_between(session: Session, before: Edition, after: Edition) -> Heritage:
    """Return who follows the areas of one edition in another, whatever lay between them."""
    return Heritage.of(lineage(atlas.whole(session, before), atlas.whole(session, after)))


def _elsewhere(session: Session, edition: Edition) -> ColumnElement[bool]:
    return and_(IS_OPEN, in_districts(session, edition.id), Incident.edition_id != edition.id)


def _strays(session: Session, edition: Edition, limit: int) -> Sequence[Any]:
    """Return open incidents that are to move to an edition, locked: id, grid_code."""
    wanted = [_elsewhere(session, edition)]
    if edition.open_cases is OpenCases.STAY:
        there = exists(select(Grid.id).where(Grid.edition_id == edition.id, Grid.code == Incident.grid_code))
        wanted.append(~there)  # the people of a cell that is no more went with its ground: so does the case
    return session.execute(
        select(Incident.id, Incident.grid_code)
        .where(*wanted)
        .order_by(Incident.id)
        .limit(max(limit, 0))
        .with_for_update(skip_locked=True)
    ).all()


def _follow(case: Case, edition: Edition, heritage: Heritage) -> None:
    """Move one open incident to its cell on the new grid, with its running whistles; its clocks run on."""
    incident = case.incident
    before, edition_before = incident.grid_code, incident.edition_id
    found = _found(case, before, heritage)
    incident.grid_code = found.code or found.nearest_district
    incident.edition_id = edition.id if found.code else None
    if found.code == before:
        return  # the ground round it is what it was: only the edition has another number
    incident.placement, incident.border_distance_m = found.how, found.border_distance_m
    case.note(
        "follow",
        "I1",
        {
            "from": before,
            "to": incident.grid_code,
            "placement": found.how.value,
            "edition_from": edition_before,
            "edition": edition.id,
        },
    )
    case.explain(
        explanation.entry(
            What.CELL,
            found.code,
            "new_edition" if found.code else "outside",
            at=case.now,
            edition=edition.id,
            edition_name=edition.name,
            before=before,
            border_m=None if found.code else f"{found.border_distance_m:.1f}",
        )
    )
    if incident.responsible is not None:  # departments are at work on it: only the people of the place change
        people = directory.responsible_people(case.session, incident.grid_code)
        incident.responsible = {**incident.responsible, "people": people}
        case.explain(explanation.people(people, at=case.now))
    if incident.grid_code[:12] != before[:12]:
        _hand_over(case)


def _found(case: Case, before: str, heritage: Heritage) -> atlas.Place:
    """Return where an incident lies on the grid in force."""
    incident = case.incident
    point = shapely.from_wkb(bytes(incident.point.data))
    lon, lat = shapely.get_x(point), shapely.get_y(point)
    there = atlas.current(case.session, on=case.today)
    place = there.place(lon, lat, Frame.CGCS2000)
    code = cell_for(before, incident.placement, place.code, heritage)
    if code is None and incident.status is not IncidentStatus.REPORTED:
        # somebody is at work on it already: the nearest cell answers for it, nobody places it anew
        nearest, _ = there.locator.nearest(lon, lat)
        code = str(there.codes[int(nearest[0])])
    if code is None or code == place.code:
        return place
    return replace(place, code=code, how=incident.placement, border_distance_m=incident.border_distance_m)


def _hand_over(case: Case) -> None:
    """Give running whistles to the community or town that answers now, and tell the people there."""
    incident = case.incident
    for level in WhistleLevel:
        whistle = case.whistle_at(level)
        if whistle is None or whistle.status in _PASSED_ON:
            continue
        length = 12 if level is WhistleLevel.FIRST else 9
        if whistle.area_code == incident.grid_code[:length]:
            continue
        whistle.area_code = incident.grid_code[:length]
        role = Role.GRID_LEADER if level is WhistleLevel.FIRST else Role.TOWN_GRID_CENTRE
        told = case.tell((role,), "incident.moved", whistle=whistle.number)
        if not told and level is WhistleLevel.FIRST and whistle.status is WhistleStatus.BLOWN:
            ladder.climb(case, whistle, "empty_post")
            return
    if incident.placement is Placement.OUTSIDE:
        case.tell((Role.HOTLINE_DESK, Role.DISTRICT_PLATFORM), "incident.outside")
    elif incident.status in (IncidentStatus.REPORTED, IncidentStatus.TO_VERIFY):
        case.tell((Role.TOWN_GRID_CENTRE, Role.GRID_WORKER), "incident.reported")
