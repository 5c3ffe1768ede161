"""The gate that a grid passes before it is published: its topology, its codes, and the size of its cells.

Errors stop a publication. A published outline may have defects that its makers know and nobody will mend (an
airfield that belongs to no village): such a defect is accepted one by one, with its place and a reason, and
stays in the report as a warning. A wide tolerance instead would accept defects that nobody has looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import geopandas as gpd
import pandas as pd
import shapely
from shapely.geometry import Point

from gis.coverage import Tolerance, check_coverage
from gis.crs import metres_between
from gis.faults import CoverageReport, Fault, FaultKind, Severity
from grids.rules.codes import follows
from grids.rules.levels import CODE_LENGTH, GridLevel, parent_level

__all__ = ["CELL_HOUSEHOLDS", "MOST_CELL_PEOPLE", "Accepted", "check_grid"]

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
        if fault.kind is not self.kind or fault.geometry is None:
            return False
        line = shapely.shortest_line(Point(self.lon, self.lat), fault.geometry)
        (lon1, lat1), (lon2, lat2) = shapely.get_coordinates(line)
        return metres_between(float(lon1), float(lat1), float(lon2), float(lat2)) <= self.within_m


def check_grid(
    frame: gpd.GeoDataFrame,
    *,
    tolerance: Tolerance = Tolerance(),
    accepted: Iterable[Accepted] = (),
    problems: Mapping[int, tuple[FaultKind, str]] | None = None,
    faults: Iterable[Fault] = (),
) -> CoverageReport:
    """Hold a whole grid against all its rules.

    frame : one row an area, as `grids.plan.plan_edition` returns it: code, level, parent_code, geometry, and
        where known source_code, households, population, derived.
    problems : by row, why an area has no shape. faults : what was found wrong before, taken over.
    Returns the report; `report.ok` says whether the grid may be published.
    """
    report = check_coverage(frame, tolerance=tolerance, problems=problems)
    found = [*faults, *_code_faults(frame), *report.faults, *_size_faults(frame)]
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


def _code_faults(frame: gpd.GeoDataFrame) -> Iterator[Fault]:
    level_of = dict(zip(frame["code"], frame["level"], strict=True))
    columns = (frame["code"], frame["level"], frame["parent_code"])
    for code, value, parent in zip(*columns, strict=True):
        level = GridLevel(value)
        upper = parent_level(level)
        if not follows(code, level):
            yield Fault(
                FaultKind.WRONG_CODE,
                (code,),
                f"{code} is not written as {level.value} codes are: {CODE_LENGTH[level]} digits, "
                "each three-digit part from 001 on",
                level=value,
            )
        if pd.isna(parent):
            if upper is not None:
                yield _misplaced(code, value, f"{code} is of level {value}, but lies in no {upper.value}")
        elif parent in level_of and level_of[parent] != upper:
            yield _misplaced(code, value, f"{code} ({value}) cannot lie in {parent} ({level_of[parent]})")
        elif not code.startswith(parent):
            yield _misplaced(
                code, value, f"{code} lies in {parent}, but its code does not start with that code"
            )


def _misplaced(code: str, level: str, words: str) -> Fault:
    return Fault(FaultKind.NOT_CHILD_OF_PARENT, (code,), words, level=level)


def _size_faults(frame: gpd.GeoDataFrame) -> Iterator[Fault]:
    """Warn of cells that are much larger or smaller than one grid worker can look after."""
    if not {"households", "population"} <= set(frame.columns):
        return
    cells = frame[frame["level"] == GridLevel.BUILDING_GROUP]
    least, most = CELL_HOUSEHOLDS
    for cell in cells.itertuples():
        said = []
        if not pd.isna(cell.households) and not least <= cell.households <= most:
            said.append(f"{cell.households} households (the rule is {least} to {most})")
        if not pd.isna(cell.population) and cell.population > MOST_CELL_PEOPLE:
            said.append(f"{cell.population} people (the rule is at most {MOST_CELL_PEOPLE})")
        if said:
            spot = None if cell.geometry is None else cell.geometry.centroid
            yield Fault(
                FaultKind.SIZE_RULE,
                (cell.code,),
                f"{cell.code} has {' and '.join(said)}",
                Severity.WARNING,
                cell.level,
                lon=None if spot is None or spot.is_empty else round(spot.x, 7),
                lat=None if spot is None or spot.is_empty else round(spot.y, 7),
            )
