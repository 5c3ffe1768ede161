"""`gridwhistle grids plan`: propose the cells of a community from its buildings, as drafts to choose from."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.framing import admitted
from api.cli.opening import AsJson, Encoding, FrameName, Mapping, keep_apart, print_json, progress, reading

if TYPE_CHECKING:
    import geopandas as gpd

    from gis.partition import Draft
    from grids.ground.planner import Buildings

__all__ = ["plan"]

_STATIC = Path(__file__).resolve().parents[1] / "static"
_MOST_DRAFTS = 8
_SHOWN = 10  # rows that are listed on a screen; --json has all


class Language(StrEnum):
    """The languages that a plan speaks."""

    CHINESE = "zh-CN"
    ENGLISH = "en"


def plan(
    buildings: Annotated[
        Path, typer.Argument(help="Points or footprints with households: a CSV table, or a file of shapes.")
    ],
    community: Annotated[str, typer.Option(help="The code of the community, 12 digits.")],
    edition: Annotated[int | None, typer.Option(help="The edition that has the community.")] = None,
    grids: Annotated[
        Path | None, typer.Option(help="Or a file of areas that has it; needs no database.")
    ] = None,
    mapping: Mapping = None,
    frame: FrameName = None,
    layer: Annotated[str | None, typer.Option(help="Which layer of a file of buildings.")] = None,
    encoding: Encoding = None,
    households_column: Annotated[str | None, typer.Option(help="By default households or 户数.")] = None,
    people_column: Annotated[
        str | None, typer.Option(help="By default people, population, 人口 or 人数, where there is such.")
    ] = None,
    lon_column: Annotated[
        str | None, typer.Option(help="Of a table; by default lon, longitude or 经度.")
    ] = None,
    lat_column: Annotated[
        str | None, typer.Option(help="Of a table; by default lat, latitude or 纬度.")
    ] = None,
    barriers: Annotated[
        Path | None, typer.Option(help="Lines that borders should follow: roads, rivers, railways.")
    ] = None,
    barriers_frame: Annotated[str | None, typer.Option(help="What the barriers are counted in.")] = None,
    barriers_layer: Annotated[str | None, typer.Option(help="Which layer of a file of barriers.")] = None,
    drafts: Annotated[int, typer.Option(min=1, max=_MOST_DRAFTS, help="How many drafts to propose.")] = 3,
    seed: Annotated[
        int, typer.Option(min=0, help="Another number gives other drafts, the same the same.")
    ] = 1,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A .gpkg file with a layer for each draft.")
    ] = None,
    page: Annotated[Path | None, typer.Option(help="A .html map of the drafts and their numbers.")] = None,
    draft: Annotated[int | None, typer.Option(min=1, help="The draft that --into takes.")] = None,
    into: Annotated[
        Path | None,
        typer.Option(
            help="Write the whole grid with the draft in it, for `grids load`: .gpkg, .geojson, .zip, ..."
        ),
    ] = None,
    language: Annotated[
        Language, typer.Option(help="Of the map, and of reasons in the files.")
    ] = Language.CHINESE,
    as_json: AsJson = False,
) -> None:
    """Propose cells of 300 to 500 households and at most 1,000 people for a community; nothing is loaded.

    Each draft is made for something else once the rule holds: compact cells, few cells, households alike, or
    borders along barriers. Exit 1 when what is needed is missing or wrong.
    """
    from api.i18n import words_in
    from grids.exports import kind_of, write_areas
    from grids.ground import planner
    from maps.plan import size_reason

    keep_apart((output, page, into), (buildings, grids, barriers))
    if (edition is None) == (grids is None):
        raise typer.BadParameter("give either --edition or --grids", param_hint="--grids")
    if (draft is None) != (into is None):
        raise typer.BadParameter("--draft and --into belong together", param_hint="--into")
    if draft is not None and draft > drafts:
        raise typer.BadParameter(f"there will be {drafts} drafts only", param_hint="--draft")
    if page is not None:
        kind_of(page, {".html": "html"})
    for declared in (frame, barriers_frame):
        if declared is not None:
            admitted(declared)
    words = words_in(language.value)
    columns = planner.Columns(households_column, people_column, lon_column, lat_column)
    with progress(4, "step", "planning") as bar:
        areas = _areas(edition, grids, mapping)
        outline = planner.community_outline(areas, community)
        name = str(areas.loc[areas["code"] == community, "name"].iloc[0])
        bar.update()
        homes = planner.read_buildings(
            buildings, columns=columns, frame=frame, layer=layer, encoding=encoding
        )
        lines, problems = None, homes.problems
        if barriers is not None:
            lines, more = planner.read_barriers(barriers, frame=barriers_frame, layer=barriers_layer)
            problems += more
        bar.update()
        found = planner.propose(outline, homes, lines, drafts=drafts, seed=seed)
        bar.update()
        coded = [
            planner.coded(one, community, name, lambda reason: size_reason(reason, words)) for one in found
        ]
        bar.update()
    if output is not None:
        planner.write_drafts(coded, output)
    if page is not None:
        _write_page(page, list(zip(found, coded, strict=True)), areas, community, homes, lines, words)
    errors = None
    if into is not None and draft is not None:
        chosen = _chosen(draft, len(found))
        whole = planner.whole_grid(areas, community, coded[chosen], found[chosen])
        write_areas(whole, into, layer="grids")
        errors = _errors(into)
    told = {
        "community": community,
        "drafts": [
            _told(number, one, cells) for number, (one, cells) in enumerate(zip(found, coded, strict=True), 1)
        ],
        "outside": [name for name, cell in zip(homes.names, found[0].cell, strict=True) if cell < 0],
        "problems": list(problems),
        "written": [str(path) for path in (output, page, into) if path is not None],
        "errors": errors,
    }
    if as_json:
        print_json(told)
    else:
        _say(told)


def _areas(edition: int | None, grids: Path | None, mapping: Path | None) -> gpd.GeoDataFrame:
    from api.cli.grids import planned
    from grids.exports import edition_areas

    if grids is not None:
        return planned(grids, mapping).frame
    with reading() as session:
        return edition_areas(session, edition or 0)


def _chosen(draft: int, count: int) -> int:
    from gis.errors import NotFound

    if draft > count:
        raise NotFound(
            "no_such_draft",
            f"there is no draft {draft}: {count} were found that differ",
            got=draft,
            wanted=count,
        )
    return draft - 1


def _errors(into: Path) -> int:
    """Return how many faults the gate finds in the written file that would stop a publication."""
    from api.cli.grids import planned
    from grids.ground.plan import check_plan

    return len(check_plan(planned(into, None)).errors)


def _write_page(
    page: Path,
    drafts: list[tuple[Draft, gpd.GeoDataFrame]],
    areas: gpd.GeoDataFrame,
    community: str,
    homes: Buildings,
    lines: Any,
    words: Any,
) -> None:
    import geopandas as gpd
    import shapely

    from grids.csvtables import partial
    from maps import Assets
    from maps import page as finished
    from maps.plan import plan_map

    own = areas[areas["code"] == community].iloc[0]
    level = areas["level"] == own["level"]
    near = areas[level & (areas["code"] != community) & areas.intersects(own.geometry)]
    inside = drafts[0][0].cell >= 0
    points = gpd.GeoDataFrame(
        {"households": homes.households[inside]},
        geometry=shapely.points(homes.lon[inside], homes.lat[inside]),
        crs=areas.crs,
    )
    drawn: list[Any] = (
        [] if lines is None else list(shapely.get_parts(shapely.intersection(lines, own.geometry.envelope)))
    )
    barriers = gpd.GeoDataFrame(
        geometry=[line for line in drawn if line.geom_type.endswith("String")], crs=areas.crs
    )
    made = plan_map(drafts, near, points, barriers, title=str(own["name"]), words=words)
    with partial(page) as temporary:
        temporary.write_text(finished(made, Assets(_STATIC), standalone=True), "utf-8")


def _told(number: int, draft: Draft, cells: gpd.GeoDataFrame) -> dict[str, Any]:
    own = draft.numbers
    return {
        "draft": number,
        "style": draft.style.value,
        "cells": own.cells,
        "households": {"least": own.households[0], "median": own.households[1], "most": own.households[2]},
        "within_rule": round(own.within_rule, 4),
        "most_people": own.most_people,
        "compactness": {"mean": round(own.compactness[0], 2), "least": round(own.compactness[1], 2)},
        "barrier_m": round(own.barrier_m),
        "walk_m": round(own.walk_m),
        "outside": own.outside,
        "against_the_rule": [
            {"code": code, "households": int(homes), "reason": reason, "words": said}
            for code, homes, reason, said in zip(
                cells["code"], cells["households"], cells["reason"], cells["size_reason"], strict=True
            )
            if isinstance(reason, str)
        ],
    }


def _say(told: dict[str, Any]) -> None:
    row = "{:>5}  {:<9} {:>5}  {:>16}  {:>8}  {:>6}  {:>11}  {:>9}  {:>7}"
    typer.echo(
        row.format(
            "draft", "style", "cells", "households", "in rule", "people", "compactness", "barrier m", "way m"
        )
    )
    for one in told["drafts"]:
        least, median, most = one["households"].values()
        mean, worst = one["compactness"].values()
        typer.echo(
            row.format(
                one["draft"],
                one["style"],
                one["cells"],
                f"{least} / {median:g} / {most}",
                f"{one['within_rule']:.0%}",
                "-" if one["most_people"] is None else one["most_people"],
                f"{mean:.2f} ({worst:.2f})",
                one["barrier_m"],
                one["walk_m"],
            )
        )
    for one in told["drafts"]:
        for cell in one["against_the_rule"]:
            typer.echo(
                f"draft {one['draft']}: {cell['code']} has {cell['households']} households. {cell['words']}"
            )
    _list("buildings lie outside the community and take no part", told["outside"])
    _list("things could not be read as they are meant", told["problems"])
    for path in told["written"]:
        typer.echo(f"written to {path}")
    if told["errors"]:
        typer.echo(f"the whole grid has {told['errors']} faults; see `grids check`", err=True)


def _list(words: str, entries: list[str]) -> None:
    if entries:
        more = f", and {len(entries) - _SHOWN} more (--json lists all)" if len(entries) > _SHOWN else ""
        typer.echo(f"{len(entries)} {words}: {'; '.join(entries[:_SHOWN])}{more}")
