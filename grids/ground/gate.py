"""The gate that a grid passes before it is published: its topology, its codes, and the size of its cells.

Errors stop a publication. A published outline may have defects that its makers know and nobody will mend (an
airfield that belongs to no village): such a defect is accepted one by one, with its place and a reason, and
stays in the report as a warning. A wide tolerance instead would accept defects that nobody has looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely
from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry

from gis.coverage import Tolerance, check_coverage
from gis.crs import metres_between
from gis.faults import CoverageReport, Fault, FaultKind, Severity
from grids.rules.codes import follows
from grids.rules.levels import CODE_LENGTH, GridLevel, parent_level

__all__ = ["ACCEPTABLE", "CELL_HOUSEHOLDS", "MOST_CELL_PEOPLE", "Accepted", "accepted_in", "check_grid"]

ACCEPTABLE = (
    FaultKind.OVERLAP,
    FaultKind.GAP,
    FaultKind.CHILD_OUTSIDE_PARENT,
    FaultKind.PARENT_NOT_COVERED,
)
"""What may be accepted: a point still has one cell at most. With a broken shape or code nothing works."""

CELL_HOUSEHOLDS = (300, 500)
"""Households of an urban cell, from and to: the division rule of Zhanggong district."""

MOST_CELL_PEOPLE = 1000
"""People of an urban cell at most: the division rule of Zhanggong district."""


@dataclass(frozen=True)
class Accepted:
    """One defect that somebody has looked at and accepts.

    lon, lat : a place on it or near it, in EPSG:4490 degrees.
    within_m : how far from the defect that place may be.
    """

    kind: FaultKind
    lon: float
    lat: float
    reason: str
    within_m: float = 50.0

    def covers(self, fault: Fault) -> bool:
        """Tell whether `fault` is the defect that is meant."""
        if fault.kind is not self.kind or fault.kind not in ACCEPTABLE or fault.geometry is None:
            return False
        line = shapely.shortest_line(Point(self.lon, self.lat), fault.geometry)
        (lon1, lat1), (lon2, lat2) = shapely.get_coordinates(line)
        return metres_between(float(lon1), float(lat1), float(lon2), float(lat2)) <= self.within_m


def accepted_in(report: Mapping[str, Any]) -> list[Accepted]:
    """Return what was accepted in a report that was kept as `CoverageReport.to_dict` writes it."""
    return [
        Accepted(FaultKind(fault["kind"]), fault["lon"], fault["lat"], fault["accepted"])
        for fault in report.get("faults", ())
        if fault.get("accepted") and fault["kind"] in ACCEPTABLE and fault["lon"] is not None
    ]


def check_grid(
    frame: gpd.GeoDataFrame,
    *,
    tolerance: Tolerance = Tolerance(),
    accepted: Iterable[Accepted] = (),
    problems: Mapping[int, tuple[FaultKind, str]] | None = None,
    faults: Iterable[Fault] = (),
    hidden: Iterable[BaseGeometry] = (),
) -> CoverageReport:
    """Hold a whole grid against all its rules.

    frame : one row an area, as `grids.ground.plan.plan_edition` returns it: code, level, parent_code, geometry, and
        where known source_code, households, population, size_reason, derived.
    problems : by row, why an area has no shape. faults : what was found wrong before, taken over.
    hidden : areas that could not become rows (one of `faults` says why), so that they make no gap besides.
    Returns the report; `report.ok` says whether the grid may be published.
    """
    report = check_coverage(frame, tolerance=tolerance, problems=problems, hidden=hidden)
    wrong = list(_code_faults(frame))
    malformed = {fault.codes[0] for fault in wrong if fault.kind is FaultKind.WRONG_CODE}
    placed = [fault for fault in report.faults if not _follows_from(fault, malformed)]
    found = [*faults, *wrong, *placed, *_size_faults(frame)]
    allowances = list(accepted)
    judged, used = [], set()
    for fault in found:
        match = next((one for one in allowances if one.covers(fault)), None)
        if match is not None:
            used.add(match)
        judged.append(fault if match is None else fault.accepted(match.reason))
    stale = [
        f"The accepted {one.kind.value} at {one.lon:g}, {one.lat:g} ({one.reason}) matches no fault any more."
        for one in allowances
        if one not in used
    ]
    judged.sort(key=lambda fault: fault.severity is Severity.WARNING)
    return report.with_faults(judged, stale)


def _follows_from(fault: Fault, malformed: set[str]) -> bool:
    """Tell whether a fault says no more than that a code is malformed: whose child it is cannot be told then."""
    if fault.kind is FaultKind.NOT_CHILD_OF_PARENT:
        return malformed.issuperset(fault.codes)
    return fault.kind is FaultKind.PARENT_NOT_COVERED and fault.codes[0] in malformed


def _code_faults(frame: gpd.GeoDataFrame) -> Iterator[Fault]:
    level_of = dict(zip(frame["code"], frame["level"], strict=True))
    columns = (frame["code"], frame["level"], frame["parent_code"], frame.geometry)
    for code, value, parent, shape in zip(*columns, strict=True):
        level = GridLevel(value)
        upper = parent_level(level)
        if not follows(code, level):
            words = (
                f"{code} is not written as {level.value} codes are: {CODE_LENGTH[level]} digits, "
                "each three-digit part from 001 on"
            )
            yield _placed(FaultKind.WRONG_CODE, code, value, shape, words)
        elif pd.isna(parent):
            if upper is not None:
                words = f"{code} is of level {value}, but lies in no {upper.value}"
                yield _placed(FaultKind.NOT_CHILD_OF_PARENT, code, value, shape, words)
        elif parent not in level_of:
            continue  # check_coverage has said that there is no such area
        elif level_of[parent] != upper:
            words = f"{code} ({value}) cannot lie in {parent} ({level_of[parent]})"
            yield _placed(FaultKind.NOT_CHILD_OF_PARENT, code, value, shape, words)
        elif not code.startswith(parent):
            words = f"{code} lies in {parent}, but its code does not start with that code"
            yield _placed(FaultKind.NOT_CHILD_OF_PARENT, code, value, shape, words)


def _size_faults(frame: gpd.GeoDataFrame) -> Iterator[Fault]:
    """Warn of cells that are much larger or smaller than one grid worker can look after.

    There may be a good reason, a school or a market in one cell: whoever drew it says so in `size_reason`.
    """
    if not {"households", "population"} <= set(frame.columns):
        return
    cells = frame[frame["level"] == GridLevel.BUILDING_GROUP]
    reasons = cells["size_reason"] if "size_reason" in cells else [None] * len(cells)
    least, most = CELL_HOUSEHOLDS
    columns = (cells["code"], cells["households"], cells["population"], reasons, cells.geometry)
    for code, households, population, reason, shape in zip(*columns, strict=True):
        said = []
        if not pd.isna(households) and not least <= households <= most:
            said.append(f"{households} households (the rule is {least} to {most})")
        if not pd.isna(population) and population > MOST_CELL_PEOPLE:
            said.append(f"{population} people (the rule is at most {MOST_CELL_PEOPLE})")
        if not said:
            continue
        words, level = f"{code} has {' and '.join(said)}", GridLevel.BUILDING_GROUP.value
        if pd.isna(reason):
            words += "; no reason is given (size_reason)"
        fault = _placed(FaultKind.SIZE_RULE, code, level, shape, words, Severity.WARNING)
        yield fault if pd.isna(reason) else fault.accepted(reason)


def _placed(
    kind: FaultKind,
    code: str,
    level: str,
    shape: BaseGeometry | None,
    words: str,
    severity: Severity = Severity.ERROR,
) -> Fault:
    """Return a fault of one whole area, placed in it; the area itself is no defect to be shown."""
    if shape is None or shape.is_empty:
        return Fault(kind, (code,), words, severity, level)
    spot = shapely.point_on_surface(shape) if shape.is_valid else shape.centroid
    return Fault(kind, (code,), words, severity, level, lon=round(spot.x, 7), lat=round(spot.y, 7))
