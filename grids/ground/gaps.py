"""How much is missing in each area of a level, for a map: posts that nobody holds, categories that nobody leads."""

from __future__ import annotations

from datetime import date

import geopandas as gpd
from sqlalchemy.orm import Session

from grids import atlas
from grids.ground.coverage import coverage
from grids.rules.levels import CODE_LENGTH, GridLevel

__all__ = ["gaps"]


def gaps(session: Session, area: str, *, on: date, level: GridLevel | None = None) -> gpd.GeoDataFrame:
    """Return the areas of a level inside `area` with what is missing in them on a day.

    level : by default the one below the area. Columns: code, name, level, geometry (EPSG:4490), posts (nobody on duty
    holds them), posts_needed (grid worker a cell, grid leader a community, centre a town), nobody and several
    (categories without a lead, or with more than one, in the worst cell), categories (how many there are).
    Raises as `grids.ground.coverage.coverage` does.
    """
    found = coverage(session, area, on=on, level=level)
    everything = atlas.areas(session, parent=area, on=on)
    codes = [str(code) for code in everything["code"]]
    deepest = max(len(code) for code in codes)
    posted = {deepest, CODE_LENGTH[GridLevel.COMMUNITY], CODE_LENGTH[GridLevel.TOWN]}
    needed = [
        # where the grid has no building groups a community is a cell as well, and needs both
        (code, 1 + (len(code) == deepest == CODE_LENGTH[GridLevel.COMMUNITY]))
        for code in codes
        if len(code) in posted
    ]
    empty = [post.area for post in found.posts]
    rows = (
        everything[everything["code"].isin(found.rows)].set_index("code").loc[list(found.rows)].reset_index()
    )
    rows["posts"] = [sum(code.startswith(row) for code in empty) for row in found.rows]
    rows["posts_needed"] = [sum(many for code, many in needed if code.startswith(row)) for row in found.rows]
    rows["nobody"] = [sum(count == 0 for count in counts) for counts in found.counts]
    rows["several"] = [sum(count > 1 for count in counts) for counts in found.counts]
    rows["categories"] = len(found.columns)
    return rows
