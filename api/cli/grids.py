"""`gridwhistle grids`: check a file of areas, load it as an edition, put it into force, take it out again."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.drawing import By, discard, impact, publish, redraw, undo
from api.cli.framing import AcceptFrame, ControlFile, Evidence, ReferenceFile, admitted, evidence
from api.cli.maps import In, Language
from api.cli.mending import Clip, Gaps, Page, Slivers, wished, write_fixed, write_page
from api.cli.opening import (
    FRAMES,
    AsJson,
    Day,
    Encoding,
    FrameName,
    Mapping,
    keep_apart,
    print_json,
    progress,
    reading,
    writing,
)
from api.cli.plan import plan

if TYPE_CHECKING:
    from gis.faults import CoverageReport
    from gis.repair import Wishes
    from grids.ground.plan import GridSet

__all__ = ["commands", "planned"]

commands = typer.Typer(no_args_is_help=True, help="The grid: check, load, publish, list, export, compare.")

AreaFile = Annotated[
    Path,
    typer.Argument(
        help="GeoPackage, GeoJSON, Shapefile, KML, FlatGeobuf, GeoParquet; or a directory or zip of them."
    ),
]
Layer = Annotated[str | None, typer.Option(help="Which layer of a GeoPackage, or folder of a KML file.")]
EditionId = Annotated[int, typer.Argument(help="The number of an edition, as `grids list` shows it.")]


@commands.command()
def check(
    file: AreaFile,
    layer: Layer = None,
    frame: FrameName = None,
    mapping: Mapping = None,
    encoding: Encoding = None,
    reference: ReferenceFile = None,
    control_points: ControlFile = None,
    accept_frame: AcceptFrame = None,
    faults: Annotated[
        Path | None, typer.Option(help="Write the faults as shapes to this .gpkg or .geojson file.")
    ] = None,
    page: Page = None,
    language: In = Language.CHINESE,
    fix: Annotated[
        Path | None,
        typer.Option(help="Repair what is small, list each repair, and write the areas to this file."),
    ] = None,
    slivers: Slivers = 2.0,
    clip: Clip = 2.0,
    gaps: Gaps = 0.0,
    as_json: AsJson = False,
) -> None:
    """List every fault in a file of areas: rings, overlaps, gaps, codes, nesting. Needs no database.

    With --fix, what is left after the repairs is what counts. An invalid ring is never repaired.
    Exit 1 when there are faults that would stop a publication.
    """
    from grids.exports import write_faults

    keep_apart((fix, faults, page), (file, mapping, reference, control_points))
    known = evidence(reference, control_points, accept_frame)
    wishes = None if fix is None else wished(slivers, clip, gaps)
    plan, report = _checked(file, mapping, layer, frame, encoding, known, wishes)
    report = known.judge(report, plan)
    if fix is not None:
        write_fixed(plan, fix)
    if faults is not None:
        write_faults(report, faults)
    if page is not None:
        write_page(plan, report, page, language)
    if as_json:
        print_json(report.to_dict())
    else:
        typer.echo("\n".join(report.lines()))
    if not report.ok:
        raise typer.Exit(1)


@commands.command()
def load(
    file: AreaFile,
    effective: Annotated[
        datetime, typer.Option(formats=[Day], help="The day from which the edition is to hold.")
    ],
    frame: FrameName = None,
    mapping: Mapping = None,
    layer: Layer = None,
    encoding: Encoding = None,
    reference: ReferenceFile = None,
    control_points: ControlFile = None,
    accept_frame: AcceptFrame = None,
    name: Annotated[str | None, typer.Option(help="What to call it; by default the file's name.")] = None,
    by: By = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Store the areas as `grids check --fix` repairs them.")
    ] = False,
    slivers: Slivers = 2.0,
    clip: Clip = 2.0,
    gaps: Gaps = 0.0,
    as_json: AsJson = False,
) -> None:
    """Store a file of areas as a draft edition and print its number; --frame, or the mapping, says the frame.

    The frame is held against the edition in force on that day, where one holds the district.
    A grid with faults is stored too, so that they can be looked at, but cannot be published: exit 1.
    """
    from api.clock import system_clock
    from grids.ground import editions
    from grids.ground.mapping import read_mapping

    if frame is None and (mapping is None or read_mapping(mapping).frame is None):
        raise typer.BadParameter(f"say what the coordinates are counted in: {FRAMES}", param_hint="--frame")
    known = evidence(reference, control_points, accept_frame)
    wishes = wished(slivers, clip, gaps) if fix else None
    plan, report = _checked(file, mapping, layer, frame, encoding, known, wishes)
    with writing() as session:
        report = known.judge(report, plan, session, effective.date())
        edition = editions.load(
            session,
            plan,
            report,
            name=name or file.resolve().stem,
            effective_from=effective.date(),
            now=system_clock(),
            by=by,
        )
        number = edition.id
    if as_json:
        print_json({"edition": number, "status": "draft", **report.to_dict()})
    else:
        typer.echo("\n".join(report.lines()))
        typer.echo(f"edition {number}: draft, to hold from {effective.date()}")
    if not report.ok:
        typer.echo(f"edition {number} cannot be published before its faults are mended", err=True)
        raise typer.Exit(1)


@commands.command("list")
def list_editions(as_json: AsJson = False) -> None:
    """List all editions, the newest first."""
    from grids.ground import editions

    with reading() as session:
        found = [
            {
                "edition": one.id,
                "status": one.status.value,
                "effective_from": one.effective_from.isoformat(),
                "effective_to": one.effective_to.isoformat() if one.effective_to else None,
                "areas": areas,
                "leaf_level": one.leaf_level.value,
                "errors": int(one.report.get("errors", 0)),
                "name": one.name,
                "source": one.source,
            }
            for one, areas in editions.listing(session)
        ]
    if as_json:
        print_json(found)
        return
    row = "{:>7}  {:<10}  {:<10}  {:<10}  {:>7}  {:<14}  {:>6}  {}"
    typer.echo(row.format("edition", "status", "from", "to", "areas", "lowest level", "errors", "name"))
    for one in found:
        cells = ["" if value is None else value for name, value in one.items() if name != "source"]
        typer.echo(row.format(*cells))


@commands.command()
def export(
    edition: EditionId,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="A .gpkg, .geojson, .zip (Shapefile), .kml, .fgb or .parquet file."
        ),
    ],
) -> None:
    """Write an edition to a file that `grids load` takes back without a mapping."""
    from grids.exports import export_edition

    with reading() as session:
        done = export_edition(session, edition, output)
        typer.echo(f"{output}: edition {done.id}, {done.name}")


@commands.command()
def diff(
    before: Annotated[int, typer.Argument(help="The number of the older edition.")],
    after: Annotated[int, typer.Argument(help="The number of the newer edition.")],
    as_json: AsJson = False,
) -> None:
    """Compare two editions: areas that came, went, were cut or named anew, and their households."""
    from dataclasses import asdict

    from grids.ground import comparing, editions

    with reading() as session:
        found = comparing.compare(editions.areas_of(session, before), editions.areas_of(session, after))
    if as_json:
        print_json(asdict(found))
        return
    for line in found.lines():
        typer.echo(line)
    typer.echo(
        f"{len(found.added)} added, {len(found.removed)} removed, {len(found.changed)} changed, "
        f"{found.unchanged} the same."
    )


commands.command()(plan)
for act in (impact, redraw, undo, discard, publish):
    commands.command()(act)


def planned(
    file: Path,
    mapping: Path | None,
    *,
    layer: str | None = None,
    frame: str | None = None,
    encoding: str | None = None,
) -> GridSet:
    """Read a file of areas, as its mapping says, into a plan of an edition."""
    from grids.ground.mapping import read_mapping
    from grids.ground.plan import plan_edition

    known = None if mapping is None else read_mapping(mapping)
    declared = frame or (None if known is None else known.frame)
    if declared is not None:
        admitted(declared)
    return plan_edition(file, known, layer=layer, frame=frame, encoding=encoding)


def _checked(
    file: Path,
    mapping: Path | None,
    layer: str | None,
    frame: str | None,
    encoding: str | None,
    known: Evidence,
    wishes: Wishes | None,
) -> tuple[GridSet, CoverageReport]:
    from grids.ground.plan import check_plan
    from grids.ground.repairs import repair_plan

    with progress(2, "step", "reading and checking") as bar:
        with known.explaining():
            plan = planned(file, mapping, layer=layer, frame=frame, encoding=encoding)
        bar.update()
        plan, report = (plan, check_plan(plan)) if wishes is None else repair_plan(plan, wishes)
        bar.update()
    return plan, report
