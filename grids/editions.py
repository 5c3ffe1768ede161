"""Editions of the grid: store a checked plan as a draft, publish it from a day on, list and export."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import geopandas as gpd
import pandas as pd
import shapely
from geoalchemy2.shape import from_shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from gis.crs import STORAGE_SRID
from gis.errors import Conflict, CoverageBroken, InvalidInput, NotFound
from gis.faults import CoverageReport
from gis.plane import areas_m2
from grids import atlas
from grids.founding import ensure_defaults
from grids.plan import GridSet
from grids.rules.levels import GridLevel
from grids.tables import Edition, EditionStatus, Grid

__all__ = ["areas_of", "districts_of", "get", "listing", "load", "publish"]

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
) -> Edition:
    """Store a plan as a draft with what the gate said of it; return the edition.

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
        report=report.to_dict(),
    )
    session.add(edition)
    session.flush()
    rows = [
        {
            "edition_id": edition.id,
            "code": row.code,
            "level": GridLevel(row.level),
            "name": row.name if isinstance(row.name, str) else row.code,
            "source_code": None if pd.isna(row.source_code) else row.source_code,
            "households": None if pd.isna(row.households) else int(row.households),
            "population": None if pd.isna(row.population) else int(row.population),
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
    return edition


class _Row(NamedTuple):
    """One area of the plan; pandas' own `itertuples` would hide the column `name`."""

    code: str
    level: str
    name: Any
    source_code: Any
    households: Any
    population: Any
    geometry: BaseGeometry


def publish(session: Session, edition_id: int, *, by: str, now: datetime) -> Edition:
    """Put a draft into force from its effective date; what it replaces ends on that day.

    A district's first publication also brings the shipped defaults (`grids.founding`).
    Raises `CoverageBroken` ("edition_has_faults") for a draft with errors, `Conflict` for an edition that is
    no draft, that would begin before the one it replaces or that lacks a district of it. Then nothing is changed.
    """
    session.execute(select(func.pg_advisory_xact_lock(_PUBLISH_LOCK)))
    edition = get(session, edition_id)
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
    for other in _in_the_way(session, districts):
        if other.effective_from > edition.effective_from:
            raise Conflict(
                "earlier_than_current",
                f"edition {other.id} is in force from {other.effective_from}; a new one cannot begin before it",
                edition=other.id,
                got=edition.effective_from.isoformat(),
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
        other.status, other.effective_to = EditionStatus.SUPERSEDED, edition.effective_from
    edition.status, edition.published_at, edition.published_by = EditionStatus.PUBLISHED, now, by
    ensure_defaults(session, districts, now=now)
    session.flush()
    return edition


def _in_the_way(session: Session, districts: Sequence[str]) -> Sequence[Edition]:
    """Return the published editions without an end that hold one of these districts."""
    return session.scalars(
        select(Edition)
        .where(
            Edition.status == EditionStatus.PUBLISHED,
            Edition.effective_to.is_(None),
            Edition.id.in_(
                select(Grid.edition_id).where(Grid.level == GridLevel.DISTRICT, Grid.code.in_(districts))
            ),
        )
        .with_for_update()
    ).all()


def get(session: Session, edition_id: int) -> Edition:
    """Return an edition. Raises `NotFound` ("edition_not_found")."""
    edition = session.get(Edition, edition_id)
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


def areas_of(session: Session, edition_id: int) -> gpd.GeoDataFrame:
    """Return all areas of an edition; columns as `grids.atlas.areas`."""
    edition = get(session, edition_id)
    frame = atlas.areas(session, edition_id=edition.id, on=edition.effective_from)
    frame.geometry = shapely.force_2d(frame.geometry.to_numpy())
    return frame
