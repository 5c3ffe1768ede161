"""`gridwhistle rain`: bring in what gauges read, which waterlogging is counted by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.opening import AsJson, Encoding, print_json, progress, rejects_beside, writing

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = ["commands"]

commands = typer.Typer(no_args_is_help=True, help="Rain: import the readings of gauges.")


@commands.callback()
def _noun() -> None:
    """Keep `rain import` a command of its own; typer would call a single one `rain`."""


@commands.command("import")
def import_table(
    table: Annotated[Path, typer.Argument(help="A CSV file with columns time and mm, plain or .gz.")],
    district: Annotated[str, typer.Option(help="The code of the district, 6 digits.")],
    gauge: Annotated[str, typer.Option(help="The name of the gauge.")],
    timezone: Annotated[
        str, typer.Option(help="Whose clock times without an offset are told by.")
    ] = "Asia/Shanghai",
    encoding: Encoding = None,
    rejects: Annotated[
        Path | None,
        typer.Option(help="Where rows that cannot be used go; by default here, after the table's name."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Import the readings of one gauge, all of them or none; the same file again changes nothing.

    Columns: time (时间), when the reading began; mm (雨量); and if it is there minutes (时段), 60 by default. Hours
    without rain belong into the file too: what was not read is not dry. A corrected file corrects what is there.
    Rows that cannot be used go to another file, with their line and a reason. Exit 0 also when there were such rows.
    """
    from api.clock import system_clock
    from grids.csvtables import CsvSource, Rejects
    from grids.rain import import_rain

    zone = _zone(timezone)
    size = table.stat().st_size if table.is_file() else None
    with progress(size, "B", "importing") as bar, writing() as session:
        source = CsvSource(table, encoding or "utf-8", bar.update)
        with Rejects(rejects or rejects_beside(Path(table.name)), source) as turned_away:
            done = import_rain(
                session, source, turned_away, district=district, gauge=gauge, zone=zone, now=system_clock()
            )
    where = turned_away.path if turned_away.count else None
    if as_json:
        print_json({**vars(done), "rejects": None if where is None else str(where)})
        return
    for count, words in (
        (done.read, "rows read"),
        (done.added, "added"),
        (done.changed, "corrected"),
        (done.already_there, "already there"),
        (sum(done.rejected.values()), "rejected"),
        *(
            (number, f"  {reason}")
            for reason, number in sorted(done.rejected.items(), key=lambda one: -one[1])
        ),
    ):
        typer.echo(f"{count:>12,}  {words}")
    if where is not None:
        typer.echo(f"rejects written to {where}")


def _zone(name: str) -> ZoneInfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from gis.errors import InvalidInput

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(
            "unknown_timezone",
            f"there is no time zone {name!r}: name one such as Asia/Shanghai",
            field="timezone",
        ) from None
