"""Place whole tables of points: which rows have a point, which cell each lies in, and why others have none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.crs import AnyFrame, EpsgFrame, is_place, parse_frame, to_storage
from gis.errors import InvalidInput
from grids.atlas import BORDER_M, Atlas
from grids.rules.levels import CODE_LENGTH, GridLevel
from grids.tables import Placement

__all__ = ["Placed", "agreement", "place_table"]


@dataclass
class Placed:
    """A table with places, and the rows that have no usable point.

    rows : the source columns and grid_code, one code and one name column a level, how, border_distance_m, edition
        (missing for a grid that is in no database), lon and lat in the storage frame. A point outside every cell is
        kept: how is "outside", its code empty, its edition missing.
    rejects : the source columns and `reason`. reasons : reason -> rows.
    names : of all areas of the grid, also of those that no row lies in.
    """

    rows: pd.DataFrame
    rejects: pd.DataFrame
    reasons: dict[str, int] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """Return how many rows ended how."""
        how = self.rows["how"].value_counts()
        return {
            "read": len(self.rows) + len(self.rejects),
            "inside": int(how.get("inside", 0)),
            "border": int(how.get("border", 0)),
            "outside": int(how.get("outside", 0)),
            "rejected": len(self.rejects),
        }


def place_table(
    table: pd.DataFrame, atlas: Atlas, *, lon: str, lat: str, frame: AnyFrame | str, levels: bool = True
) -> Placed:
    """Place every row of a table that has a longitude and a latitude, or an easting and a northing.

    lon, lat : names of the columns, text or numbers in `frame`. levels : False leaves away the codes and names of
    the areas above a cell. Raises `InvalidInput` ("unknown_column").
    """
    for column in (lon, lat):
        if column not in table.columns:
            raise InvalidInput(
                "unknown_column",
                f"the table has no column '{column}'; it has {', '.join(map(str, table.columns))}",
                field="lon_column" if column == lon else "lat_column",
                got=column,
            )
    known = parse_frame(frame)
    projected = isinstance(known, EpsgFrame) and known.crs.is_projected
    names = ("easting", "northing") if projected else ("longitude", "latitude")
    x, reason_x = _numbers(table[lon], names[0], np.inf if projected else 180)
    y, reason_y = _numbers(table[lat], names[1], np.inf if projected else 90)
    reason = np.where(reason_x != "", reason_x, reason_y).astype(object)
    reason[(reason_x == f"no {names[0]}") & (reason_y == f"no {names[1]}")] = "no coordinates"
    reason[(reason == "") & ~is_place(x, y, known)] = f"no place in {known}"
    good = reason == ""
    rows, given_x, given_y = table[good].copy(), x, y
    x, y = to_storage(x[good], y[good], known)
    index = atlas.locator.locate(x, y)
    inside = index >= 0
    codes = np.full(len(rows), "", dtype=object)
    codes[inside] = atlas.codes[index[inside]]
    distance = atlas.locator.border_distance_m(x, y, index)
    rows["grid_code"] = codes
    deepest = max(map(len, atlas.codes))  # the columns depend on the grid, so that blocks of a table agree
    for level, length in CODE_LENGTH.items():
        if levels and length <= deepest:
            part = np.array([code[:length] if len(code) >= length else "" for code in codes], dtype=object)
            rows[f"{level.value}_code"] = part
            rows[f"{level.value}_name"] = [atlas.names.get(code, "") for code in part]
    near = inside & (distance <= BORDER_M)
    rows["how"] = np.select(
        [near, inside], [Placement.BORDER.value, Placement.INSIDE.value], Placement.OUTSIDE.value
    )
    rows["border_distance_m"] = np.round(distance, 1)
    edition = np.where(inside, atlas.editions[index], 0)
    rows["edition"] = pd.array(edition, dtype="Int64")
    rows["edition"] = rows["edition"].mask(edition == 0)
    rows["storage_lon"], rows["storage_lat"] = x, y
    rejects = table[~good].copy()
    rejects["reason"] = reason[~good]
    reasons = {str(text): int(n) for text, n in rejects["reason"].value_counts().items()}
    off = np.isfinite(given_x) & np.isfinite(given_y)
    count = int(off.sum())
    off[good] = ~inside
    swapped = _in_bounds(given_y[off], given_x[off], known, atlas.bounds)
    if swapped > max(10, 0.5 * count):
        raise InvalidInput(
            "axes_swapped",
            f"{swapped} of {count} points lie outside the grid and inside it the other way round: "
            f"are {lon} and {lat} swapped?",
            field="lon_column",
            got=lon,
        )
    return Placed(rows, rejects, reasons, atlas.names)


def _in_bounds(
    x: NDArray[np.float64], y: NDArray[np.float64], frame: AnyFrame, bounds: tuple[float, float, float, float]
) -> int:
    """Return how many coordinates lie within west, south, east, north."""
    places = is_place(x, y, frame)
    lon, lat = to_storage(x[places], y[places], frame)
    west, south, east, north = bounds
    return int(((lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)).sum())


def _numbers(column: pd.Series, name: str, most: float) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    text = column.astype("string").str.strip().fillna("")
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    reason = np.select(
        [
            (text == "").to_numpy(),
            ~np.isfinite(values),
            np.abs(values) > most,
        ],
        [f"no {name}", f"{name} is not a number", f"{name} is beyond {most:g} degrees"],
        "",
    )
    return values, reason


def agreement(placed: Placed, column: str, level: GridLevel) -> Mapping[str, float | int | str]:
    """Compare the assigned areas of a level with a column that says where rows lie.

    Where values of the column are names of areas (case ignored), rows agree when the names do. Else each value
    stands for the area that most of its rows fall in, and rows agree when they fall in it. Rows without a cell
    or with a value that is no name are left out and counted. Raises `InvalidInput` ("unknown_column").
    """
    for wanted in (column, f"{level.value}_code"):
        if wanted not in placed.rows.columns:
            raise InvalidInput(
                "unknown_column",
                f"{column} cannot be compared with {level.value}: there is no column '{wanted}'",
                field="compare",
                got=wanted,
            )
    rows = placed.rows[placed.rows["grid_code"] != ""]
    said = rows[column].astype("string").str.strip().str.casefold().fillna("")
    names = rows[f"{level.value}_name"].astype("string").str.strip().str.casefold()
    # also areas that no row was placed in: a row that names one of those does not agree
    length = CODE_LENGTH[level]
    areas = {name.strip().casefold() for code, name in placed.names.items() if len(code) == length}
    by_name = said.isin(areas | set(names.unique()))
    if by_name.any():
        compared, agree = int(by_name.sum()), int((said[by_name] == names[by_name]).sum())
        how = "by name"
    else:
        known = said != ""
        codes = rows.loc[known, f"{level.value}_code"]
        most = codes.groupby(said[known]).agg(lambda found: found.value_counts().index[0])
        compared, agree = int(known.sum()), int((codes == said[known].map(most)).sum())
        how = "each value with the area that most of its rows fall in"
    return {
        "column": column,
        "level": level.value,
        "how": how,
        "compared": compared,
        "left_out": len(placed.rows) - compared,
        "agree": agree,
        "share": agree / compared if compared else float("nan"),
    }
