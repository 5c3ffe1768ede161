"""`gridwhistle calendar`: which days are worked, year by year, drafted by one person and published by another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.limits import By, hand
from api.cli.opening import AsJson, print_json, reading, writing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grids.calendars import DayChange

__all__ = ["commands"]

commands = typer.Typer(no_args_is_help=True, help="The working calendar: list, draft a year, publish it.")


@commands.command("list")
def list_years(as_json: AsJson = False) -> None:
    """List the years that are loaded, and the drafts of years, the newest first."""
    from grids import calendars

    with reading() as session:
        years = {year: calendars.days_of(session, year) for year in calendars.known_years(session)}
        drafts = [
            {
                "id": row.id,
                "year": row.year,
                "status": row.status.value,
                "days": len(row.days),
                "changes": len(calendars.changes(session, row)) if row.status.value == "draft" else None,
                "drafted_by": row.drafted_by,
                "published_by": row.published_by,
                "source": row.source,
            }
            for row in calendars.drafts(session)
        ]
    counts = [
        {"year": year, "days": len(days), "worked": sum(day.working for day in days)}
        for year, days in years.items()
    ]
    if as_json:
        print_json({"years": counts, "drafts": drafts})
        return
    for one in counts:
        typer.echo("{year}: {days} days, {worked} of them worked".format(**one))
    if not counts:
        typer.echo("no year is loaded")
    for row in drafts:
        by = f", published by {row['published_by']}" if row["published_by"] else ""
        typer.echo(
            f"draft {row['id']}: {row['year']}, {row['status']}, {row['days']} days named, "
            f"drafted by {row['drafted_by']}{by}; {row['source']}"
        )


@commands.command()
def draft(
    year: Annotated[int, typer.Argument(help="The year that the notice is for.")],
    file: Annotated[
        Path | None,
        typer.Argument(
            help="A .csv or .json table of the days that differ from their weekday: day, working, name. "
            "Without one, what the library chinesecalendar carries."
        ),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="The paper that the days follow; needed with a file.")
    ] = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Store the notice of a year as a draft, print its number and the days that it would change."""
    from api.clock import system_clock
    from gis.errors import NotFound
    from grids import calendars
    from grids.rules.notices import library_notice, read_notice

    if file is None:
        notice, paper = list(library_notice(year)), source or "chinesecalendar"
    else:
        try:
            content = file.read_bytes()
        except OSError as wrong:
            raise NotFound(
                "file_not_found", f"{file} cannot be read: {wrong.strerror}", field="file"
            ) from wrong
        notice, paper = read_notice(content, file.name), source or ""
    with writing() as session:
        row = calendars.draft(session, year, notice, source=paper, by=hand(by), now=system_clock())
        number, found = row.id, calendars.changes(session, row)
    if as_json:
        print_json({"id": number, "year": year, "changes": _plain(found)})
        return
    _tell(found)
    typer.echo(f"calendar draft {number}: {year}, {len(found)} days would change")


@commands.command()
def publish(
    number: Annotated[
        int, typer.Argument(metavar="DRAFT", help="The number of a draft, as `calendar list` shows it.")
    ],
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Put a drafted year into the calendar. Days that are over stay, and no running clock is counted anew."""
    from api.clock import system_clock
    from grids import calendars

    with writing() as session:
        found = calendars.publish(session, number, by=hand(by), now=system_clock())
        clocks = calendars.running_clocks(session)
    if as_json:
        print_json({"id": number, "changes": _plain(found), "running_clocks": clocks})
        return
    _tell(found)
    typer.echo(
        f"calendar draft {number} is published: {len(found)} days changed; {clocks} running clocks stay"
    )


def _plain(found: Sequence[DayChange]) -> list[dict[str, object]]:
    return [{**one._asdict(), "day": one.day.isoformat()} for one in found]


def _tell(found: Sequence[DayChange]) -> None:
    said = {None: "not loaded", True: "worked", False: "off"}
    for one in found:
        name = f" ({one.name})" if one.name else ""
        typer.echo(f"{one.day:%Y-%m-%d %a}: {said[one.before]} -> {said[one.after]}{name}")
