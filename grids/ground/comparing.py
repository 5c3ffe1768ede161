"""Two editions side by side: which areas came, which went, and what became of their ground (`gis.lineage`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gis.lineage import LEAST_SHARE, ChangeKind, changes_of, lineage
from gis.plane import areas_m2

__all__ = ["AreaChange", "Difference", "compare"]

_SHOWN = 5


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
    """What differs: codes that came and went, with their names, and the areas that changed; by code.

    kinds : what happened to each area that is not the same (a `ChangeKind` value), by code.
    ground : where the ground of a new or changed area came from, and where that of one that went has gone, in
        words, for those areas of which it is worth saying.
    """

    added: dict[str, str]
    removed: dict[str, str]
    changed: tuple[AreaChange, ...]
    unchanged: int
    kinds: dict[str, str]
    ground: dict[str, str]

    def lines(self) -> list[str]:
        """Return what differs as lines of text: + came, - went, ~ changed."""
        came = [f"+ {code} {name}{self._told(code)}" for code, name in self.added.items()]
        went = [f"- {code} {name}{self._told(code)}" for code, name in self.removed.items()]
        return [*came, *went, *(f"~ {change.line()}{self._told(change.code)}" for change in self.changed)]

    def _told(self, code: str) -> str:
        return f" ({self.ground[code]})" if code in self.ground else ""


def compare(before: gpd.GeoDataFrame, after: gpd.GeoDataFrame) -> Difference:
    """Compare two editions as `grids.ground.editions.areas_of` returns them."""
    before, after = _mended(before), _mended(after)
    links = lineage(before, after)
    old, new = before.set_index("code"), after.set_index("code")
    common = old.index.intersection(new.index).sort_values()
    lost, gained = _moved(links, before, after)
    changes = []
    for code in common:
        was, now = old.loc[code], new.loc[code]
        change = AreaChange(
            code=code,
            level=str(now["level"]),
            name_before=str(was["name"]),
            name_after=str(now["name"]),
            lost=lost[code],
            gained=gained[code],
            households_before=_count(was["households"]),
            households_after=_count(now["households"]),
        )
        same = (change.name_before, change.households_before) == (change.name_after, change.households_after)
        if not same or change.lost or change.gained:
            changes.append(change)
    found = changes_of(links)
    kinds = {
        str(code): str(kind)
        for code, kind in zip(found["code"], found["kind"], strict=True)
        if kind != ChangeKind.SAME
    }
    return Difference(
        added={code: str(new.at[code, "name"]) for code in new.index.difference(old.index)},
        removed={code: str(old.at[code, "name"]) for code in old.index.difference(new.index)},
        changed=tuple(changes),
        unchanged=len(common) - len(changes),
        kinds=kinds,
        ground=_ground(links, kinds),
    )


def _mended(areas: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return areas that can be laid over each other: a draft may hold shapes with faults."""
    shapes = np.asarray(areas.geometry.array, dtype=object)
    broken = ~shapely.is_valid(shapes)
    if not broken.any():
        return areas
    shapes = shapes.copy()
    shapes[broken] = shapely.make_valid(shapes[broken])
    return areas.set_geometry(shapes, crs=areas.crs)


def _moved(
    links: pd.DataFrame, before: gpd.GeoDataFrame, after: gpd.GeoDataFrame
) -> tuple[dict[str, float], dict[str, float]]:
    """Return which share of each old area its namesake lacks, and which share of it that has besides."""
    size, size_new = (dict(zip(areas["code"], areas_m2(areas), strict=True)) for areas in (before, after))
    kept = links[links["before_code"] == links["after_code"]]
    shares = dict(
        zip(kept["before_code"], zip(kept["area_share"], kept["after_share"], strict=True), strict=True)
    )
    lost, gained = {}, {}
    for code in size.keys() & size_new.keys():
        given, got = shares.get(code, (0.0, 0.0))
        lost[code] = _share(1 - given)
        gained[code] = _share((1 - got) * size_new[code] / size[code]) if size[code] else 0.0
    return lost, gained


def _share(value: float) -> float:
    return float(value) if value >= LEAST_SHARE else 0.0


def _ground(links: pd.DataFrame, kinds: Mapping[str, str]) -> dict[str, str]:
    targets = links.groupby("before_code", sort=True)["after_code"].agg(list).to_dict()
    sources = links.groupby("after_code", sort=True)["before_code"].agg(list).to_dict()
    told = {code: _words(code, kind, targets.get(code), sources.get(code)) for code, kind in kinds.items()}
    return {code: words for code, words in told.items() if words}


def _words(code: str, kind: str, into: Sequence[str] | None, out_of: Sequence[str] | None) -> str:
    """Return where the ground of an area is from, or has gone; nothing where its border only moved."""
    split = into is not None and (out_of is None or len(into) > 1)
    match kind:
        case ChangeKind.SPLIT:
            return f"split into {_listed(into)}" if split else f"split from {_listed(out_of)}"
        case ChangeKind.MERGED:
            return f"merged from {_listed(out_of)}" if out_of else f"merged into {_listed(into)}"
        case ChangeKind.RENAMED:
            return f"was {_listed(out_of)}" if out_of else f"now {_listed(into)}"
        case ChangeKind.CUT if not (into and code in into):
            return f"cut from {_listed(out_of)}" if out_of else f"cut up among {_listed(into)}"
    return ""


def _listed(codes: Sequence[str] | None) -> str:
    codes = sorted(codes or [])
    if len(codes) > _SHOWN:
        codes = [*codes[: _SHOWN - 1], f"{len(codes) - _SHOWN + 1} more"]
    return codes[0] if len(codes) == 1 else f"{', '.join(codes[:-1])} and {codes[-1]}"


def _count(value: Any) -> int | None:
    return None if pd.isna(value) else int(value)
