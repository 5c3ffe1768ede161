"""Editions of the grid: store a checked plan as a draft, publish it from a day on, list and export.

A publication that takes the place of another is a heavy act: whoever drew it does not decide it (OWASP ASVS 5.0,
2.3.5). It locks out reports that are being placed, so that none is placed by a grid that is no longer in force.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import geopandas as gpd
import pandas as pd
import shapely
from geoalchemy2.shape import from_shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session, object_session

from gis.crs import STORAGE_SRID
from gis.errors import Conflict, CoverageBroken, Forbidden, InvalidInput, NotFound
from gis.faults import CoverageReport
from gis.plane import areas_m2
from grids import atlas
from grids.founding import ensure_defaults
from grids.ground import succession
from grids.ground.impact import Impact
from grids.ground.impact import impact as look_at
from grids.ground.plan import GridSet
from grids.rules.levels import GridLevel
from grids.tables import Edition, EditionStatus, Grid, OpenCases

__all__ = [
    "Entry",
    "areas_of",
    "bounds_of",
    "districts_of",
    "drawn_by",
    "entries",
    "get",
    "have_held",
    "impact",
    "listing",
    "load",
    "publish",
    "store_areas",
    "to_count_on",
]

_PUBLISH_LOCK = 7_301_001  # any constant: one publication at a time, whoever runs it
_BATCH = 500


def load(
    session: Session,
    plan: GridSet,
    report: CoverageReport,
    *,
    name: str,
    effective_from: date,
    now: datetime,
    by: str | None = None,
) -> Edition:
    """Store a plan as a draft with what the gate said of it; return the edition.

    by : who loads it, and so cannot be the one who publishes it; None where nobody is named.
    A draft with faults is stored too, so that they can be looked at; it cannot be published. An area whose
    code another area has already, or that has no shape, is not stored: the report lists it as an error.
    Raises `InvalidInput` ("empty_grid") when nothing is left to store.
    """
    frame = plan.frame[plan.frame.geometry.notna()].drop_duplicates("code")
    if frame.empty:
        raise InvalidInput("empty_grid", "the file holds no area that could be stored", field="file")
    edition = Edition(
        name=name,
        status=EditionStatus.DRAFT,
        source="; ".join(f"{source.name} sha256:{source.sha256}" for source in plan.sources),
        frame=", ".join(dict.fromkeys(source.native_frame for source in plan.sources)),
        leaf_level=plan.leaf_level,
        effective_from=effective_from,
        loaded_at=now,
        loaded_by=by,
        report=report.to_dict(),
    )
    session.add(edition)
    session.flush()
    store_areas(session, edition.id, frame)
    return edition


def store_areas(session: Session, edition_id: int, frame: gpd.GeoDataFrame) -> None:
    """Store areas of an edition; columns as in `grids.ground.plan.GridSet`, none without a shape."""
    if "size_reason" not in frame:
        frame = frame.assign(size_reason=None)
    rows = [
        {
            "edition_id": edition_id,
            "code": row.code,
            "level": GridLevel(row.level),
            "name": row.name if isinstance(row.name, str) else row.code,
            "source_code": None if pd.isna(row.source_code) else row.source_code,
            "households": None if pd.isna(row.households) else int(row.households),
            "population": None if pd.isna(row.population) else int(row.population),
            "size_reason": None if pd.isna(row.size_reason) else str(row.size_reason),
            "area_m2": float(area),
            "boundary": from_shape(row.geometry, srid=STORAGE_SRID),
        }
        for row, area in zip(
            (_Row(*values) for values in frame[list(_Row._fields)].itertuples(index=False, name=None)),
            areas_m2(frame),
            strict=True,
        )
    ]
    for start in range(0, len(rows), _BATCH):
        session.execute(insert(Grid), rows[start : start + _BATCH])


class _Row(NamedTuple):
    """One area of the plan; pandas' own `itertuples` would hide the column `name`."""

    code: str
    level: str
    name: Any
    source_code: Any
    households: Any
    population: Any
    size_reason: Any
    geometry: BaseGeometry


def publish(
    session: Session,
    edition_id: int,
    *,
    by: str,
    now: datetime,
    open_cases: OpenCases = OpenCases.FOLLOW,
) -> Edition:
    """Put a draft into force from its effective date; what it replaces ends on that day.

    open_cases : what becomes of open incidents of the editions that it replaces; the worker brings them over when
    the day has come (`grids.ground.succession`). A district's first publication also brings the shipped defaults
    (`grids.founding`).
    Raises `CoverageBroken` ("edition_has_faults") for a draft with errors, `Forbidden` ("second_person_needed") when
    it replaces another and `by` drew it, `Conflict` for an edition that is no draft, that would begin before the
    one it replaces, that lacks a district of it or that was drawn before it was published. Then nothing is changed.
    """
    session.execute(select(func.pg_advisory_xact_lock(_PUBLISH_LOCK)))
    edition = get(session, edition_id, lock=True)
    if edition.status is not EditionStatus.DRAFT:
        raise Conflict("not_a_draft", f"edition {edition_id} is {edition.status.value}, not a draft")
    errors = int(edition.report.get("errors", 0))
    if errors:
        raise CoverageBroken(
            "edition_has_faults",
            f"edition {edition_id} has {errors} faults and cannot be published; mend the file and load it again",
            edition=edition_id,
            errors=errors,
        )
    districts = districts_of(session, edition_id)
    replaced = _in_the_way(session, districts)
    if replaced and by in drawn_by(edition):
        raise Forbidden(
            "second_person_needed",
            f"{by} drew edition {edition_id}, which takes the place of edition {replaced[0].id}: somebody else has "
            "to publish it",
            edition=edition_id,
            drawn_by=sorted(drawn_by(edition)),
        )
    for other in replaced:
        _check_turn(session, edition, other, districts)
    for other in replaced:
        succession.record_lineage(session, edition, other, now=now)
    ensure_defaults(session, districts, now=now)
    # only now, after all that takes time: reports wait from here to the commit
    atlas.change_editions(session)
    for other in replaced:
        other.status, other.effective_to = EditionStatus.SUPERSEDED, edition.effective_from
    edition.status, edition.published_at, edition.published_by = EditionStatus.PUBLISHED, now, by
    edition.open_cases = open_cases if replaced else None
    edition.took_effect_at = None if replaced else now
    session.flush()
    return edition


def _check_turn(session: Session, edition: Edition, other: Edition, districts: Sequence[str]) -> None:
    if other.effective_from > edition.effective_from:
        raise Conflict(
            "earlier_than_current",
            f"edition {other.id} is in force from {other.effective_from}; a new one cannot begin before it",
            edition=other.id,
            got=edition.effective_from.isoformat(),
        )
    _, base = _origin(edition)
    if base is not None and other is not base:
        raise Conflict(
            "drawn_from_older",
            f"edition {edition.id} was drawn from edition {base.id}, and edition {other.id} was published since: "
            "begin again from that, else what it changed is lost (to go back on purpose, export the older one and load "
            "the file)",
            edition=other.id,
            based_on=base.id,
        )
    left_out = sorted(set(districts_of(session, other.id)) - set(districts))
    if left_out:
        raise Conflict(
            "districts_left_out",
            f"edition {other.id} would end and leave {', '.join(left_out)} without a grid: load one that holds "
            "these districts too",
            edition=other.id,
            districts=left_out,
        )


def drawn_by(edition: Edition) -> frozenset[str]:
    """Return the names of those who loaded an edition or drew in it, or in a draft that it was begun from."""
    drafts, _ = _origin(edition)
    steps = {str(step["by"]) for draft in drafts for step in draft.operations}
    return frozenset(steps | {draft.loaded_by for draft in drafts if draft.loaded_by})


def _origin(edition: Edition) -> tuple[list[Edition], Edition | None]:
    """Return an edition with the drafts that it was begun from, and the one once in force that these go back to."""
    session, found = object_session(edition), [edition]
    base = edition
    while session is not None and base.based_on_id is not None:
        base = session.get_one(Edition, base.based_on_id)
        if base.status is not EditionStatus.DRAFT:
            return found, base
        found.append(base)
    return found, None


def impact(session: Session, edition_id: int, *, now: datetime) -> Impact:
    """Look at what publishing a draft would change. Raises `NotFound`, `Conflict` ("not_a_draft")."""
    edition = get(session, edition_id)
    if edition.status is not EditionStatus.DRAFT:
        raise Conflict("not_a_draft", f"edition {edition_id} is {edition.status.value}, not a draft")
    replaced = _in_the_way(session, districts_of(session, edition_id), lock=False)
    return look_at(session, edition, replaced, now=now)


def _in_the_way(session: Session, districts: Sequence[str], *, lock: bool = True) -> Sequence[Edition]:
    """Return the published editions without an end that hold one of these districts."""
    wanted = (
        select(Edition)
        .where(
            Edition.status == EditionStatus.PUBLISHED,
            Edition.effective_to.is_(None),
            Edition.id.in_(
                select(Grid.edition_id).where(Grid.level == GridLevel.DISTRICT, Grid.code.in_(districts))
            ),
        )
        .order_by(Edition.id)
    )
    return session.scalars(wanted.with_for_update(key_share=True) if lock else wanted).all()


def get(session: Session, edition_id: int, *, lock: bool = False) -> Edition:
    """Return an edition, locked if it is to be changed. Raises `NotFound` ("edition_not_found").

    The lock leaves the key free: a report that is being placed holds on to that, and need not wait.
    """
    edition = session.get(Edition, edition_id, with_for_update={"key_share": True} if lock else None)
    if edition is None:
        raise NotFound("edition_not_found", f"there is no edition {edition_id}", id=edition_id)
    return edition


def districts_of(session: Session, edition_id: int) -> Sequence[str]:
    """Return the codes of an edition's districts."""
    return session.scalars(
        select(Grid.code)
        .where(Grid.edition_id == edition_id, Grid.level == GridLevel.DISTRICT)
        .order_by(Grid.code)
    ).all()


def listing(session: Session) -> Sequence[tuple[Edition, int]]:
    """Return all editions, newest first, with how many areas each has."""
    count = select(func.count()).where(Grid.edition_id == Edition.id).correlate(Edition).scalar_subquery()
    return session.execute(select(Edition, count).order_by(Edition.id.desc())).all()


def have_held(session: Session, district: str, *, by: date) -> Sequence[Edition]:
    """Return the editions that a district had in force on some day up to this one, newest first."""
    return session.scalars(
        select(Edition)
        .where(
            Edition.status != EditionStatus.DRAFT,
            Edition.effective_from <= by,
            Edition.id.in_(select(Grid.edition_id).where(Grid.code == district)),
        )
        .order_by(Edition.effective_from.desc(), Edition.id.desc())
    ).all()


def to_count_on(session: Session, asked: str | None, area: str, *, on: date) -> int | None:
    """Return the edition on whose grid figures of an area are asked for; None for the cells of their time.

    asked : "as_was" or nothing, "today" for the grid in force on this day, or the number of an edition.
    Raises `InvalidInput` ("unknown_choice") for other words, `NotFound` for an edition that lacks the area.
    """
    if asked is None or asked == "as_was":
        return None
    if asked == "today":
        return atlas.grid(session, area, on=on).edition_id
    if not re.fullmatch("[1-9][0-9]{0,8}", asked):
        raise InvalidInput(
            "unknown_choice",
            f"edition {asked[:40]!r} is not known",
            field="edition",
            wanted=["as_was", "today", "the number of an edition"],
        )
    return atlas.grid(session, area, edition_id=int(asked), on=on).edition_id


class Entry(NamedTuple):
    """One area of an edition without its shape: what a list says of it."""

    code: str
    level: GridLevel
    name: str
    households: int | None
    population: int | None
    size_reason: str | None


def entries(session: Session, edition_id: int) -> list[Entry]:
    """Return all areas of an edition by code, without their shapes: quick also for the grid of a city."""
    columns = (getattr(Grid, name) for name in Entry._fields)
    rows = session.execute(select(*columns).where(Grid.edition_id == edition_id).order_by(Grid.code))
    return [Entry(*row) for row in rows]


def bounds_of(session: Session, edition_id: int) -> tuple[float, float, float, float]:
    """Return west, south, east and north of an edition in degrees (EPSG:4490).

    Raises `NotFound` ("edition_not_found") for one without areas.
    """
    extent = func.ST_Extent(Grid.boundary)
    edges = (func.ST_XMin(extent), func.ST_YMin(extent), func.ST_XMax(extent), func.ST_YMax(extent))
    west, south, east, north = session.execute(select(*edges).where(Grid.edition_id == edition_id)).one()
    if west is None:
        raise NotFound("edition_not_found", f"edition {edition_id} has no areas", id=edition_id)
    return float(west), float(south), float(east), float(north)


def areas_of(session: Session, edition_id: int) -> gpd.GeoDataFrame:
    """Return all areas of an edition; columns as `grids.atlas.areas`, and parent_code (None for districts)."""
    frame = atlas.whole(session, get(session, edition_id))
    parents = [None if len(code) == 6 else code[:-3] for code in frame["code"]]
    frame["parent_code"] = pd.Series(parents, index=frame.index, dtype=object)
    frame.geometry = shapely.force_2d(frame.geometry.to_numpy())
    return frame
