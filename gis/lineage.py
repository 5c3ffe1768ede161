"""How areas of one grid went into those of the next: by their ground, level by level.

Most areas of a new edition are those of the old one, shape for shape, and are told by that alone; only the
others are laid over each other. From the shares follows what happened to each area: it stayed, was cut, was
split, was joined with others.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gis.plane import Plane, plane_of

__all__ = ["HEIR_SHARE", "LEAST_SHARE", "ChangeKind", "changes_of", "heir", "lineage"]

LEAST_SHARE = 1e-4
"""Of an area; what is less is rounding of drawing."""

HEIR_SHARE = 0.9
"""Of an area; who has that much of it takes over its people."""

_KEPT = 1e-3  # of an area that may be missing in all newer ones together while its ground counts as kept

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Shapes = NDArray[np.object_]


class ChangeKind(StrEnum):
    """What became of an area, or where it came from; the value is stable."""

    SAME = "same"  # the same ground under the same code
    RENAMED = "renamed"  # the same ground under another code
    CUT = "cut"  # its border moved: it gave ground or got some
    MERGED = "merged"  # whole areas became one
    SPLIT = "split"  # one area became several
    NEW = "new"  # ground that was in no area before
    GONE = "gone"  # ground that is in no area any more


def lineage(before: gpd.GeoDataFrame, after: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return which share of each older area went into which newer one, of the same level.

    before, after : areas in one coordinate system, with the columns code (used once), level, geometry, and
        where known households. Shapes that are missing or invalid share ground with nothing, unless they are
        the same in both.
    Returns one row a pair, by level as in `before` and then by code, with the columns
        before_code, after_code, level,
        area_share : of the older area, 0 to 1. Shares under `LEAST_SHARE` are left out as rounding, and those of
            an area that lost no ground to the outside add up to 1.
        after_share : the same ground as a share of the newer area.
        households : of the older area by share of ground (Int64), <NA> where unknown; they add up too.
    `attrs` names all areas, "before" and "after", as code -> level, for `changes_of`.
    Raises `UnknownFrame` when `before` does not state its coordinate system.
    """
    plane = plane_of(before)
    levels = dict.fromkeys([*before["level"].astype(str), *after["level"].astype(str)])
    found = [
        _of_level(before[before["level"] == level], after[after["level"] == level], plane) for level in levels
    ]
    columns = ("before_code", "after_code", "level", "area_share", "after_share", "households")
    links = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=list(columns))
    links["households"] = links["households"].astype("Int64")
    for name, areas in (("before", before), ("after", after)):
        links.attrs[name] = dict(zip(areas["code"].astype(str), areas["level"].astype(str), strict=True))
    return links[list(columns)]


def heir(shares: Mapping[str, float]) -> str | None:
    """Return who takes over an area that its ground went into by these shares, or None: nobody by himself."""
    return next((code for code, share in shares.items() if share >= HEIR_SHARE), None)


def changes_of(links: pd.DataFrame) -> pd.DataFrame:
    """Return what happened to each area, from a `lineage` with its `attrs`.

    One row a code, by code, with the columns code, level and kind (a `ChangeKind` value). A code that both
    grids have stands once, for what it is in the newer one.
    """
    targets: dict[str, dict[str, float]] = {code: {} for code in links.attrs["before"]}
    sources: dict[str, dict[str, float]] = {code: {} for code in links.attrs["after"]}
    columns = ("before_code", "after_code", "area_share", "after_share")
    for old, new, given, got in links[list(columns)].itertuples(index=False, name=None):
        targets[old][new], sources[new][old] = given, got
    rows = [
        {"code": code, "level": level, "kind": _newer(code, targets, sources).value}
        for code, level in links.attrs["after"].items()
    ]
    rows += [
        {"code": code, "level": level, "kind": _older(code, targets, sources).value}
        for code, level in links.attrs["before"].items()
        if code not in sources
    ]
    return pd.DataFrame(rows, columns=["code", "level", "kind"]).sort_values("code", ignore_index=True)


_Shares = Mapping[str, Mapping[str, float]]


def _newer(code: str, targets: _Shares, sources: _Shares) -> ChangeKind:
    came = sources[code]
    if not came:
        return ChangeKind.NEW
    whole = all(len(targets[old]) == 1 for old in came) and sum(came.values()) >= 1 - _KEPT
    if whole and len(came) > 1:
        return ChangeKind.MERGED
    (old, *_) = came
    if len(came) > 1 or sum(came.values()) < 1 - _KEPT:
        return ChangeKind.CUT
    if len(targets[old]) > 1:
        alone = all(len(sources[new]) == 1 for new in targets[old])
        return ChangeKind.SPLIT if alone else ChangeKind.CUT
    if sum(targets[old].values()) < 1 - LEAST_SHARE:
        return ChangeKind.CUT
    return ChangeKind.SAME if old == code else ChangeKind.RENAMED


def _older(code: str, targets: _Shares, sources: _Shares) -> ChangeKind:
    went = targets[code]
    if not went:
        return ChangeKind.GONE
    if len(went) > 1:
        alone = all(len(sources[new]) == 1 for new in went)
        return ChangeKind.SPLIT if alone else ChangeKind.CUT
    (new,) = went
    return _newer(new, targets, sources)


def _of_level(before: gpd.GeoDataFrame, after: gpd.GeoDataFrame, plane: Plane) -> pd.DataFrame:
    old, new = (np.asarray(areas.geometry.array, dtype=object) for areas in (before, after))
    same_old, same_new = _alike(old, new)
    left = np.setdiff1d(np.arange(len(old)), same_old)
    right = np.setdiff1d(np.arange(len(new)), same_new)
    first, second, share, part = _laid_over(plane.flat(old[left]), plane.flat(new[right]))
    ones = np.ones(len(same_old))
    rows = np.concatenate([same_old, left[first]])
    columns = np.concatenate([same_new, right[second]])
    shares, parts = np.concatenate([ones, share]), np.concatenate([ones, part])
    codes, newer = before["code"].to_numpy(dtype=object)[rows], after["code"].to_numpy(dtype=object)[columns]
    order = np.lexsort((newer.astype(str), codes.astype(str)))
    return pd.DataFrame(
        {
            "before_code": codes[order],
            "after_code": newer[order],
            "level": before["level"].to_numpy(dtype=object)[rows[order]],
            "area_share": shares[order],
            "after_share": parts[order],
            "households": _shared_out(before, rows[order], shares[order]),
        }
    )


def _alike(old: Shapes, new: Shapes) -> tuple[Ints, Ints]:
    """Return the rows of the shapes that both have, pair by pair."""

    def keys(shapes: Shapes) -> list[bytes | None]:
        return list(shapely.to_wkb(shapely.normalize(shapes), byte_order=1))

    row_of = {key: row for row, key in enumerate(keys(old)) if key is not None}
    pairs = [(row_of.pop(key), row) for row, key in enumerate(keys(new)) if key in row_of]
    return tuple(np.array(pairs, dtype=np.intp).reshape(-1, 2).T)  # type: ignore[return-value]


def _laid_over(old: Shapes, new: Shapes) -> tuple[Ints, Ints, Floats, Floats]:
    """Return the pairs that share ground, as rows, with the shares of the older and of the newer area."""
    old, new = old.copy(), new.copy()
    old[~shapely.is_valid(old)], new[~shapely.is_valid(new)] = None, None
    first, second = shapely.STRtree(new).query(old, predicate="intersects")
    size, size_new = shapely.area(old), shapely.area(new)
    common = shapely.area(shapely.intersection(old[first], new[second]))
    share, part = common / size[first], common / size_new[second]
    kept = np.bincount(first, share, len(old)) >= 1 - _KEPT
    counts = (share >= LEAST_SHARE) | (part >= 0.5)
    first, second, share, part = first[counts], second[counts], share[counts], part[counts]
    total = np.bincount(first, share, len(old))
    share = np.where(kept[first], share / total[first], share)
    return first, second, np.minimum(share, 1.0), np.minimum(part, 1.0)


def _shared_out(before: gpd.GeoDataFrame, rows: Ints, shares: Floats) -> list[Any]:
    """Return whole households by share, those of one area adding up; `rows` are in runs of one area."""
    if "households" not in before:
        return [pd.NA] * len(rows)
    homes = before["households"].to_numpy(dtype=object)
    found: list[Any] = []
    given, share, last = 0, 0.0, -1
    for row, part in zip(rows.tolist(), shares.tolist(), strict=True):
        if row != last:
            given, share, last = 0, 0.0, row
        if pd.isna(homes[row]):
            found.append(pd.NA)
            continue
        share += part
        till = round(int(homes[row]) * min(share, 1.0))
        found.append(till - given)
        given = till
    return found
