"""`gridwhistle locate`: find the grid of every row of a table."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.framing import admitted, warn_of_frame
from api.cli.opening import (
    FRAMES,
    AsJson,
    Encoding,
    Mapping,
    keep_apart,
    opened,
    print_json,
    progress,
    rejects_beside,
)

if TYPE_CHECKING:
    from gis.crs import AnyFrame
    from grids.atlas import Atlas
    from grids.csvtables import CsvSource
    from grids.rules.levels import GridLevel

__all__ = ["locate"]

_LON_NAMES = ("lon", "lng", "longitude", "经度")
_LAT_NAMES = ("lat", "latitude", "纬度")


def locate(
    table: Annotated[Path, typer.Argument(help="A CSV file with a header, plain or .gz.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The CSV file to make, plain or .gz.")],
    edition: Annotated[
        int | None, typer.Option(help="The number of an edition; by default those in force today.")
    ] = None,
    grids: Annotated[
        Path | None, typer.Option("--grids", help="A file of areas to use instead of the database.")
    ] = None,
    mapping: Mapping = None,
    lon_column: Annotated[str | None, typer.Option(help="By default lon, lng or longitude.")] = None,
    lat_column: Annotated[str | None, typer.Option(help="By default lat or latitude.")] = None,
    frame: Annotated[
        str,
        typer.Option(
            help=f"What the coordinates are counted in: {FRAMES}, whose easting and northing they then are. "
            "WGS84 by default."
        ),
    ] = "WGS84",
    encoding: Encoding = None,
    rejects: Annotated[
        Path | None,
        typer.Option(help="Where rows without a usable place go; by default beside the output."),
    ] = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=LEVEL", help="Tell how often a column agrees with the areas of a level."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find the grid of every row of a table with coordinates, and write the table with what was found.

    Added are grid_code, code and name of each level, how (inside; border: within 30 m of one; outside),
    border_distance_m, edition, and storage_lon and storage_lat (CGCS2000). Rows without a usable place go to another
    file, with their line and a reason. Exit 0 also when there were such rows.
    A warning tells when the coordinates look as if they were counted in another frame.
    """
    from api.clock import system_clock
    from grids.csvtables import CsvSource, Rejects

    if grids is not None and edition is not None:
        raise typer.BadParameter("give either --edition or --grids", param_hint="--grids")
    keep_apart((output, rejects), (table, grids, mapping))
    pairs = _pairs(compare or ())
    known = admitted(frame)
    size = table.stat().st_size if table.is_file() else None
    with progress(size, "B", "locating") as bar:
        source = CsvSource(table, encoding or "utf-8", bar.update)
        lon = lon_column or _guess(source, _LON_NAMES, "lon_column")
        lat = lat_column or _guess(source, _LAT_NAMES, "lat_column")
        for column in (lon, lat, *(column for column, _ in pairs)):
            source.require(column, "column")
        atlas = _atlas(edition, grids, mapping, system_clock())
        with Rejects(rejects or rejects_beside(output), source) as turned_away:
            found = _place(source, atlas, (lon, lat, known), output, turned_away, pairs)
    found["rejects"] = str(turned_away.path) if turned_away.count else None
    warn_of_frame(found["frame_doubt"])
    if as_json:
        print_json(found)
    else:
        _print(found)


def _place(
    source: CsvSource,
    atlas: Atlas,
    where: tuple[str, str, AnyFrame],
    output: Path,
    turned_away: Any,
    pairs: Sequence[tuple[str, GridLevel]],
) -> dict[str, Any]:
    import pandas as pd

    from grids.csvtables import partial
    from grids.ground.framing import PointSample
    from grids.locating import Placed, agreement, place_table

    lon, lat, frame = where
    sample = PointSample(frame, (source.path.stem, lon, lat))
    counts: dict[str, int] = dict.fromkeys(("read", "inside", "border", "outside", "rejected"), 0)
    kept = []
    with partial(output) as temporary:
        packed = output.suffix.lower() == ".gz"
        opening = gzip.open if packed else open
        with opening(temporary, "wt", encoding=source.written_as, newline="") as file:
            first = True
            for block in source.blocks():
                turned_away.add_malformed(block.malformed)
                sample.add(block.rows[lon], block.rows[lat])
                placed = place_table(block.rows, atlas, lon=lon, lat=lat, frame=frame)
                turned_away.add(placed.rejects, placed.rejects["reason"].tolist())
                placed.rows.to_csv(file, index=False, header=first)
                first = False
                for name, count in placed.counts().items():
                    counts[name] += count
                counts["read"] += len(block.malformed)
                counts["rejected"] += len(block.malformed)
                if pairs:
                    levels = {name for _, level in pairs for name in _level_columns(level)}
                    wanted = ["grid_code", *levels, *{column for column, _ in pairs}]
                    kept.append(placed.rows[[name for name in wanted if name in placed.rows.columns]])
        rows = pd.concat(kept) if pairs else pd.DataFrame()
        all_rows = Placed(rows, rows[:0], names=atlas.names)
        return {
            **counts,
            "frame": frame.value,
            "frame_doubt": sample.doubt(atlas),
            "reasons": dict(sorted(turned_away.reasons.items(), key=lambda item: -item[1])),
            "agreement": [dict(agreement(all_rows, column, level)) for column, level in pairs],
            "output": str(output),
        }


def _level_columns(level: GridLevel) -> tuple[str, str]:
    return f"{level.value}_code", f"{level.value}_name"


def _atlas(edition: int | None, file: Path | None, mapping: Path | None, now: datetime) -> Atlas:
    from api.cli.grids import planned
    from grids import atlas
    from grids.ground import editions
    from grids.rules.calendar import local_day

    if file is not None:
        plan = planned(file, mapping)
        return atlas.Atlas.of(plan.frame, plan.leaf_level)
    with opened() as database, database.readers() as session:
        if edition is None:
            return atlas.current(session, on=local_day(now))
        editions.get(session, edition)
        return atlas.of_edition(session, edition)


def _pairs(given: Sequence[str]) -> list[tuple[str, GridLevel]]:
    from grids.rules.levels import GridLevel

    pairs = []
    for pair in given:
        column, separator, level = pair.rpartition("=")
        if not separator or not column or level not in list(GridLevel):
            raise typer.BadParameter(
                f"{pair!r} must be COLUMN=LEVEL, with a level of {', '.join(GridLevel)}",
                param_hint="--compare",
            )
        pairs.append((column, GridLevel(level)))
    return pairs


def _guess(source: CsvSource, names: Sequence[str], field: str) -> str:
    found = next((column for column in source.columns if column.strip().casefold() in names), names[0])
    source.require(found, field)
    return found


def _print(found: dict[str, Any]) -> None:
    typer.echo(f"read {found['read']:,} rows, coordinates taken as {found['frame']}")
    for how, words in (
        ("inside", "inside a grid"),
        ("border", "inside, within 30 m of a border"),
        ("outside", "outside every grid"),
        ("rejected", "rejected"),
    ):
        typer.echo(f"{found[how]:>12,}  {words}")
    for reason, count in found["reasons"].items():
        typer.echo(f"{count:>12,}    {reason}")
    for said in found["agreement"]:
        share = "no row to compare" if not said["compared"] else f"{said['share']:.2%}"
        typer.echo(
            f"{said['column']} agrees with {said['level']} in {share} ({said['agree']:,} of {said['compared']:,}, "
            f"{said['left_out']:,} left out; compared {said['how']})"
        )
    typer.echo(
        f"written to {found['output']}" + (f", rejects to {found['rejects']}" if found["rejects"] else "")
    )
