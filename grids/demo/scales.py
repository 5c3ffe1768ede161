"""How big a made-up city is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["SIZES", "UNFINISHED", "Scale", "Size"]

UNFINISHED = 18
"""Cases that are not closed when the year ends, one for each stage and setback that a page has to show."""


class Scale(StrEnum):
    """The sizes on offer: for tests, for looking around, and for load."""

    TINY = "tiny"
    DISTRICT = "district"
    CITY = "city"


@dataclass(frozen=True, slots=True)
class Size:
    """What a scale counts; all but `districts` and `incidents` are per district.

    offices, towns : street offices in the middle, towns around them.
    workers, party_members : grid workers, and how many of them are party members.
    incidents : of the whole year and city, merged and rejected reports included.
    width_m : side of a district, about.
    """

    districts: int
    offices: int
    towns: int
    communities: int
    cells: int
    workers: int
    party_members: int
    incidents: int
    width_m: float


# The district is as large as Zhanggong, whose grid and year were published: 143 communities, 727 cells, 691
# grid workers of whom 359 party members, 4,649 problems. There 9 were not closed; here some more, so that every
# page has something to show. The city's 290,000 matters a year are Rongcheng's.
SIZES: dict[Scale, Size] = {
    Scale.TINY: Size(1, 1, 1, 6, 24, 22, 12, 84, 6_000.0),
    Scale.DISTRICT: Size(1, 6, 4, 143, 727, 691, 359, 4_649, 25_000.0),
    Scale.CITY: Size(10, 6, 4, 143, 727, 691, 359, 290_000, 25_000.0),
}
