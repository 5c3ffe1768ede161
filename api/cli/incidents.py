"""`gridwhistle incidents`: bring in the history of another system, take incidents out for a spreadsheet or map."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.framing import admitted, warn_of_frame
from api.cli.opening import (
    AsJson,
    Category,
    Encoding,
    From,
    To,
    day_begins,
    day_ends,
    print_json,
    progress,
    reading,
    rejects_beside,
    writing,
)
from grids.rules.lifecycle import IncidentStatus

if TYPE_CHECKING:
    from grids.exchange import Imported

__all__ = ["commands"]

commands = typer.Typer(no_args_is_help=True, help="Incidents: import a history, export to a file.")

_WORDS_SHOWN = 10


@commands.command("import")
def import_table(
    table: Annotated[Path, typer.Argument(help="A CSV file with a header, plain or .gz.")],
    profile: Annotated[Path, typer.Option(help="A TOML file that says which columns hold what, and how.")],
    encoding: Encoding = None,
    rejects: Annotated[
        Path | None,
        typer.Option(help="Where rows that cannot be used go; by default here, after the table's name."),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN=VALUE", help="Import the rows alone that hold this value in this column."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Look at every row; only the rejects are written.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import the incidents of another system, all of them or none; the same file again adds nothing.

    Each becomes a closed case, or an open report where it has no closing time, in the grid in force today. No
    clock runs for it and nobody is messaged. Rows that cannot be used go to another file, with their line, the
    column at fault and a reason. Exit 0 also when there were such rows.
    A warning tells when the coordinates look as if they were counted in another frame.
    """
    from api.clock import system_clock
    from grids.csvtables import CsvSource, Rejects
    from grids.exchange import import_incidents
    from grids.profile import read_profile

    column, given, value = (only or "").partition("=")
    if only is not None and not (given and column.strip()):
        raise typer.BadParameter("must be COLUMN=VALUE, such as source=hotline", param_hint="--only")
    chosen = (column.strip(), value.strip()) if given else None
    known = read_profile(profile)
    admitted(known.frame)
    size = table.stat().st_size if table.is_file() else None
    with progress(size, "B", "importing") as bar, writing() as session:
        source = CsvSource(table, encoding or known.encoding or "utf-8", bar.update)
        with Rejects(rejects or rejects_beside(Path(table.name)), source) as turned_away:
            done = import_incidents(
                session, source, known, turned_away, now=system_clock(), only=chosen, dry_run=dry_run
            )
    warn_of_frame(done.frame_doubt)
    where = turned_away.path if turned_away.count else None
    if as_json:
        print_json({**vars(done), "dry_run": dry_run, "rejects": None if where is None else str(where)})
    else:
        _print(done, where, dry_run)


@commands.command()
def export(
    output: Annotated[Path, typer.Option("--output", "-o", help="A .csv, .xlsx, .geojson or .gpkg file.")],
    area: Annotated[
        str | None, typer.Option(help="The code of an area, such as 990101 or 990101001.")
    ] = None,
    since: From = None,
    until: To = None,
    status: Annotated[list[IncidentStatus] | None, typer.Option(help="May be given several times.")] = None,
    category: Category = None,
) -> None:
    """Write incidents to a file, without those who reported them.

    In a CSV file (UTF-8 with a byte-order mark) text that a spreadsheet would compute begins with an apostrophe.
    """
    from grids.exports import export_incidents
    from grids.register import Filters

    filters = Filters(
        area=area,
        statuses=tuple(status or ()),
        category=category,
        since=day_begins(since),
        until=day_ends(until),
    )
    with reading() as session, progress(None, " incidents", "exporting") as bar:
        count = export_incidents(session, filters, output, advance=bar.update)
    typer.echo(f"{output}: {count:,} incidents")


def _print(done: Imported, rejects: Path | None, dry_run: bool) -> None:
    said: list[tuple[Any, str]] = [
        (done.read, "rows read"),
        (done.imported, "would be imported" if dry_run else "imported"),
        (done.closed, "  closed"),
        (done.open, "  open"),
        (done.already_there, "already there"),
        *([(done.left_out, "left out")] if done.left_out else []),
        (sum(done.rejected.values()), "rejected"),
        *((count, f"  {reason}") for reason, count in sorted(done.rejected.items(), key=lambda one: -one[1])),
    ]
    for how, words in (
        ("inside", "inside a grid"),
        ("border", "within 30 m of a border"),
        ("outside", "outside"),
    ):
        said.append((done.placed[how], f"placed {words}"))
    for count, words in said:
        typer.echo(f"{count:>12,}  {words}")
    if done.unmapped:
        words = ", ".join(f"{word!r} {count:,}" for word, count in done.unmapped.most_common(_WORDS_SHOWN))
        rows = sum(done.unmapped.values())
        typer.echo(f"{rows:>12,}  in {len(done.unmapped)} categories that the profile does not list: {words}")
    if rejects is not None:
        typer.echo(f"rejects written to {rejects}")
