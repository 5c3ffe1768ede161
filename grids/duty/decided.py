"""What a dispute decided, written into the responsibility list: later cases are given out by it from that day on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import shapely
from geoalchemy2 import Geography
from geoalchemy2.shape import from_shape
from shapely.geometry import MultiPolygon
from sqlalchemy import cast, func, select
from sqlalchemy.orm import Session

from gis.crs import STORAGE_SRID, to_storage
from gis.errors import InvalidInput
from gis.geometry import from_geojson
from grids import atlas
from grids.duty.duties import Duty, find_duty, in_force
from grids.duty.responsibilities import OUTSIDE_M2
from grids.rules.disputes import Ground
from grids.rules.responsibilities import RuleKind
from grids.tables import DutyBasis, Grid, Incident, Responsibility

__all__ = ["Extent", "check_extent", "write_rule"]


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a decision holds: the town of the case, or its whole district; inside it, a polygon if it has one.

    area : code, None for the town. boundary : a GeoJSON geometry counted in `frame`.
    """

    area: str | None = None
    boundary: Mapping[str, object] | None = None
    frame: str = "CGCS2000"


def check_extent(
    session: Session, incident: Incident, extent: Extent, *, on: date
) -> tuple[str, MultiPolygon | None]:
    """Return the area and the polygon, in the storage frame, that a rule from this case holds for.

    Raises `InvalidInput`: "category_needed", "rule_area", "polygon_outside", "rule_misses_case", and what reading
    the polygon raises.
    """
    if incident.category_code is None:
        raise InvalidInput(
            "category_needed", "a case without a category cannot become a rule", field="category"
        )
    town, district = incident.grid_code[:9], incident.grid_code[:6]
    area = extent.area or town
    if area not in (town, district):
        raise InvalidInput(
            "rule_area",
            f"a decision holds for the town of the case or for its district, not for '{area}'",
            field="area",
            got=area,
            wanted=[town, district],
        )
    if extent.boundary is None:
        return area, None
    shape = shapely.transform(
        from_geojson(extent.boundary, field="boundary"),
        lambda xy: _moved(xy, extent.frame),
    )
    drawn = from_shape(shape, srid=STORAGE_SRID)
    own = atlas.grid(session, area, on=on)
    outside = func.ST_Area(
        cast(
            func.ST_Difference(drawn, select(Grid.boundary).where(Grid.id == own.id).scalar_subquery()),
            _METRES,
        )
    )
    beyond, holds = session.execute(select(outside, func.ST_Covers(drawn, incident.point))).one()
    if beyond > OUTSIDE_M2:
        raise InvalidInput(
            "polygon_outside", f"{beyond:,.0f} m² of the polygon lie outside {area}", field="boundary"
        )
    if not holds:
        raise InvalidInput(
            "rule_misses_case", "the polygon does not hold the place of the case itself", field="boundary"
        )
    return area, shape


_METRES = Geography(srid=STORAGE_SRID)


def _moved(xy: Any, frame: str) -> Any:
    lon, lat = to_storage(xy[:, 0], xy[:, 1], frame)
    return np.column_stack([lon, lat])


def write_rule(
    session: Session,
    incident: Incident,
    where: tuple[str, MultiPolygon | None],
    *,
    lead: str,
    cooperating: Sequence[str],
    basis: DutyBasis,
    grounds: Sequence[Ground],
    source: str,
    on: date,
) -> tuple[Responsibility, Duty]:
    """Write a decision into the list and return the rule, and the duty that it makes at the place of the case.

    where : of `check_extent`. source : number of the dispute. Earlier decisions that it replaces end on the day:
    those for the same area, and those that would go before it at the place of the case.
    """
    area, shape = where
    category = incident.category_code
    same = select(Responsibility).where(
        Responsibility.kind == RuleKind.DECIDED,
        Responsibility.category_code == category,
        Responsibility.area_code == area,
        in_force(on),
    )
    drawn = None if shape is None else from_shape(shape, srid=STORAGE_SRID)
    if drawn is None:
        same = same.where(Responsibility.boundary.is_(None))
    else:
        same = same.where(func.ST_Equals(Responsibility.boundary, drawn))
    for older in session.scalars(same):
        older.effective_to = on
    rule = Responsibility(
        kind=RuleKind.DECIDED,
        name=source,
        category_code=category,
        area_code=area,
        boundary=drawn,
        lead=lead,
        cooperating=list(cooperating),
        legal_basis="\n".join(one.text for one in grounds),
        basis=basis,
        source=source,
        effective_from=on,
        draft=False,
    )
    session.add(rule)
    session.flush()
    while True:
        duty = find_duty(session, category or "", incident.grid_code, on=on, point=incident.point)
        if duty is None:
            raise ValueError(f"rule {rule.id} does not hold at the place of the case that it came from")
        if duty.rule_id == rule.id:
            return rule, duty
        session.get_one(Responsibility, duty.rule_id).effective_to = on
        session.flush()
