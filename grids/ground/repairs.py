"""A planned grid repaired as somebody wishes, and held against all its rules again.

What has been accepted in the mapping stays as it is. The repaired areas can be written to a file of our own form,
which loads without a mapping, or stored as a draft.
"""

from __future__ import annotations

from dataclasses import replace

import geopandas as gpd

from gis.faults import CoverageReport
from gis.repair import Wishes, repair
from grids.ground.plan import GridSet, check_plan

__all__ = ["FILE_COLUMNS", "file_areas", "repair_plan"]

FILE_COLUMNS = (
    "code",
    "level",
    "name",
    "source_code",
    "households",
    "population",
    "size_reason",
    "geometry",
)
"""Columns of a file with the areas of a plan: those of an exported edition."""


def repair_plan(plan: GridSet, wishes: Wishes) -> tuple[GridSet, CoverageReport]:
    """Return a plan with what was wished for repaired, and what the gate says of it then; `repairs` lists the rest."""
    areas, repairs = repair(
        plan.frame,
        plan.tolerance,
        wishes,
        problems=plan.problems,
        hidden=plan.left_out,
        keep=lambda fault: any(one.covers(fault) for one in plan.accepted),
    )
    mended = replace(plan, frame=areas)
    return mended, replace(check_plan(mended), repairs=tuple(repairs))


def file_areas(plan: GridSet) -> gpd.GeoDataFrame:
    """Return the areas of a plan as a file of our own form has them; those that have no code are not among them."""
    areas = plan.frame[list(FILE_COLUMNS)].copy()
    for column in ("source_code", "size_reason"):  # a column without any value is text too
        areas[column] = areas[column].astype("string")
    return areas
