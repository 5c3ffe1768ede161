"""Two editions side by side: which areas came, which went, and which were cut or named anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

__all__ = ["AreaChange", "Difference", "compare"]

_LEAST_SHARE = 1e-6  # of an area; what is less is rounding of coordinates
_LEAST_AREA = 1e-15  # square degrees: so that a shape without area divides nothing by zero


@dataclass(frozen=True, slots=True)
class AreaChange:
    """One area that both editions have, and that is not the same in both.

    lost, gained : shares of its old size that it gave away and got (0 to 1, gained may be more).
    households_before, households_after : None where unknown.
    """

    code: str
    level: str
    name_before: str
    name_after: str
    lost: float
    gained: float
    households_before: int | None
    households_after: int | None

    def line(self) -> str:
        """Return the change as one line of text."""
        said = []
        if self.lost or self.gained:
            said.append(f"-{self.lost:.2%} +{self.gained:.2%} of its area")
        if self.households_before != self.households_after:
            before, after = ("?" if n is None else n for n in (self.households_before, self.households_after))
            said.append(f"households {before} -> {after}")
        if self.name_before != self.name_after:
            said.append(f"named {self.name_before} -> {self.name_after}")
        return f"{self.code} {self.name_after} ({self.level}): {', '.join(said)}"


@dataclass(frozen=True)
class Difference:
    """What differs: codes that came and went, with their names, and the areas that changed; by code."""

    added: dict[str, str]
    removed: dict[str, str]
    changed: tuple[AreaChange, ...]
    unchanged: int


def compare(before: gpd.GeoDataFrame, after: gpd.GeoDataFrame) -> Difference:
    """Compare two editions as `grids.editions.areas_of` returns them."""
    old, new = before.set_index("code"), after.set_index("code")
    common = old.index.intersection(new.index).sort_values()
    lost, gained = _moved(old.loc[common].geometry.to_numpy(), new.loc[common].geometry.to_numpy())
    changes = []
    for row, code in enumerate(common):
        was, now = old.loc[code], new.loc[code]
        change = AreaChange(
            code=code,
            level=str(now["level"]),
            name_before=str(was["name"]),
            name_after=str(now["name"]),
            lost=float(lost[row]),
            gained=float(gained[row]),
            households_before=_count(was["households"]),
            households_after=_count(now["households"]),
        )
        same = (change.name_before, change.households_before) == (change.name_after, change.households_after)
        if not same or change.lost or change.gained:
            changes.append(change)
    return Difference(
        added={code: str(new.at[code, "name"]) for code in new.index.difference(old.index)},
        removed={code: str(old.at[code, "name"]) for code in old.index.difference(new.index)},
        changed=tuple(changes),
        unchanged=len(common) - len(changes),
    )


def _moved(
    old: NDArray[np.object_], new: NDArray[np.object_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return which share of each old area the new one lacks, and which share it has besides; (n,) each."""
    lost, gained = np.zeros(len(old)), np.zeros(len(old))
    differs = np.flatnonzero(~shapely.equals_identical(old, new))
    if not differs.size:
        return lost, gained
    # A share of one small area is the same in degrees and in metres, and straight edges stay straight. A draft
    # may hold shapes with faults, which have no difference before they are mended.
    was, now = shapely.make_valid(old[differs]), shapely.make_valid(new[differs])
    size = np.maximum(shapely.area(was), _LEAST_AREA)
    lost[differs] = shapely.area(shapely.difference(was, now)) / size
    gained[differs] = shapely.area(shapely.difference(now, was)) / size
    return np.where(lost > _LEAST_SHARE, lost, 0.0), np.where(gained > _LEAST_SHARE, gained, 0.0)


def _count(value: Any) -> int | None:
    return None if pd.isna(value) else int(value)
