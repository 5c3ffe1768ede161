"""`gridwhistle grids`: check a file of areas, load it as an edition, put it into force, take it out again."""

from __future__ import annotations

import getpass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.opening import (
    AsJson,
    Day,
    Encoding,
    FrameName,
    Mapping,
    print_json,
    progress,
    reading,
    writing,
)

if TYPE_CHECKING:
    from gis.faults import CoverageReport
    from grids.plan import GridSet

__all__ = ["commands", "planned"]

commands = typer.Typer(no_args_is_help=True, help="The grid: check, load, publish, list, export, compare.")

AreaFile = Annotated[
    Path, typer.Argument(help="GeoPackage, GeoJSON or zipped Shapefile; or a directory or zip of such files.")
]
Layer = Annotated[str | None, typer.Option(help="Which layer of a GeoPackage that has several.")]
EditionId = Annotated[int, typer.Argument(help="The number of an edition, as `grids list` shows it.")]


@commands.command()
def check(
    file: AreaFile,
    layer: Layer = None,
    frame: FrameName = None,
    mapping: Mapping = None,
    encoding: Encoding = None,
    faults: Annotated[
        Path | None, typer.Option(help="Write the faults as shapes to this .gpkg or .geojson file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List every fault in a file of areas: rings, overlaps, gaps, codes, nesting. Needs no database.

    Exit 1 when there are faults that would stop a publication.
    """
    from grids.exports import write_faults

    _, report = _checked(file, mapping, layer, frame, encoding)
    if faults is not None:
        write_faults(report, faults)
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
    name: Annotated[str | None, typer.Option(help="What to call it; by default the file's name.")] = None,
    as_json: AsJson = False,
) -> None:
    """Store a file of areas as a draft edition and print its number; --frame, or the mapping, says the frame.

    A grid with faults is stored too, so that they can be looked at, but cannot be published: exit 1.
    """
    from api.clock import system_clock
    from grids import editions
    from grids.mapping import read_mapping

    if frame is None and (mapping is None or read_mapping(mapping).frame is None):
        raise typer.BadParameter(
            "say what the coordinates are counted in: WGS84, CGCS2000, GCJ02 or BD09", param_hint="--frame"
        )
    plan, report = _checked(file, mapping, layer, frame, encoding)
    with writing() as session:
        edition = editions.load(
            session,
            plan,
            report,
            name=name or file.resolve().stem,
            effective_from=effective.date(),
            now=system_clock(),
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


@commands.command()
def publish(
    edition: EditionId,
    by: Annotated[str | None, typer.Option(help="Who decides it; by default the user of the system.")] = None,
) -> None:
    """Put a draft edition into force from its effective day; it takes the place of those before it.

    An edition with faults is refused, and what is in force stays as it is.
    """
    from api.clock import system_clock
    from grids import editions

    with writing() as session:
        done = editions.publish(session, edition, by=by or getpass.getuser(), now=system_clock())
        districts = ", ".join(editions.districts_of(session, edition))
        ended = [
            str(other.id)
            for other, _ in editions.listing(session)
            if other.id != edition and other.effective_to == done.effective_from
        ]
        words = f"edition {edition} holds from {done.effective_from} for {districts}"
    typer.echo(words + (f"; editions that end there: {', '.join(ended)}" if ended else ""))


@commands.command("list")
def list_editions(as_json: AsJson = False) -> None:
    """List all editions, the newest first."""
    from grids import editions

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
        Path, typer.Option("--output", "-o", help="A .gpkg, .geojson or .zip (Shapefile) file.")
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

    from grids import comparing, editions

    with reading() as session:
        found = comparing.compare(editions.areas_of(session, before), editions.areas_of(session, after))
    if as_json:
        print_json(asdict(found))
        return
    for sign, codes in (("+", found.added), ("-", found.removed)):
        for code, name in codes.items():
            typer.echo(f"{sign} {code} {name}")
    for change in found.changed:
        typer.echo(f"~ {change.line()}")
    typer.echo(
        f"{len(found.added)} added, {len(found.removed)} removed, {len(found.changed)} changed, "
        f"{found.unchanged} the same."
    )


def planned(
    file: Path,
    mapping: Path | None,
    *,
    layer: str | None = None,
    frame: str | None = None,
    encoding: str | None = None,
) -> GridSet:
    """Read a file of areas, as its mapping says, into a plan of an edition."""
    from grids.mapping import read_mapping
    from grids.plan import plan_edition

    known = None if mapping is None else read_mapping(mapping)
    return plan_edition(file, known, layer=layer, frame=frame, encoding=encoding)


def _checked(
    file: Path, mapping: Path | None, layer: str | None, frame: str | None, encoding: str | None
) -> tuple[GridSet, CoverageReport]:
    from grids.plan import check_plan

    with progress(2, "step", "reading and checking") as bar:
        plan = planned(file, mapping, layer=layer, frame=frame, encoding=encoding)
        bar.update()
        report = check_plan(plan)
        bar.update()
    return plan, report
