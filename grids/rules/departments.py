"""The bodies of a district that answer whistles, and those of them with people stationed in the towns.

The shipped table names a district's usual bodies without any real place; a city loads its own in its stead.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from grids.rules.sheets import read_sheet

__all__ = [
    "DEPARTMENT_CODE",
    "DEPARTMENT_COLUMNS",
    "DepartmentKind",
    "DepartmentRule",
    "Seat",
    "StationKind",
    "read_departments",
    "shipped_departments",
]

DEPARTMENT_CODE = r"[A-Z]{2,8}"

DEPARTMENT_COLUMNS = ("code", "name_zh", "name_en", "kind", "seat", "station", "station_zh", "station_en")


class DepartmentKind(StrEnum):
    """Bureaux are ranked; enterprises and property managers get tasks but are not; the town is informed."""

    BUREAU = "bureau"
    ENTERPRISE = "enterprise"
    TOWN = "town"


class Seat(StrEnum):
    """Where a body sits: once in the district, once in every town, or on its own premises."""

    DISTRICT = "district"
    TOWN = "town"
    PREMISES = "premises"


class StationKind(StrEnum):
    """The 1+5+N of stationed enforcement: one squad, five fixed stations, further staff on call."""

    ENFORCEMENT_SQUAD = "enforcement_squad"
    FIXED = "fixed"
    FURTHER = "further"


@dataclass(frozen=True, slots=True)
class DepartmentRule:
    """One body; `station` is what it keeps in the towns, None for nothing, with the station's own name."""

    code: str
    name_zh: str
    name_en: str
    kind: DepartmentKind
    seat: Seat
    station: StationKind | None
    station_zh: str
    station_en: str

    @property
    def ranked(self) -> bool:
        """Whether it takes part in the ranking of departments."""
        return self.kind is DepartmentKind.BUREAU


def read_departments(source: Path | str) -> list[DepartmentRule]:
    """Read the table of bodies from a file or its text, with the columns of `DEPARTMENT_COLUMNS`.

    Raises `InvalidInput("bad_sheet")` naming row and column.
    """
    bodies = []
    for row in read_sheet(source, "departments", DEPARTMENT_COLUMNS):
        stationed = row.cells["station"] != ""
        for column in ("station_zh", "station_en"):
            if stationed != bool(row.cells[column]):
                row.refuse(column, "a name where there is a station, empty where there is none")
        bodies.append(
            DepartmentRule(
                code=row.matching("code", DEPARTMENT_CODE, "2 to 8 capital letters"),
                name_zh=row.text("name_zh"),
                name_en=row.text("name_en"),
                kind=row.member("kind", DepartmentKind),
                seat=row.member("seat", Seat),
                station=row.member("station", StationKind) if stationed else None,
                station_zh=row.cells["station_zh"],
                station_en=row.cells["station_en"],
            )
        )
    return bodies


@cache
def shipped_departments() -> tuple[DepartmentRule, ...]:
    """Return the bodies that come with the product."""
    return tuple(read_departments(Path(__file__).parents[1] / "data" / "departments.csv"))
