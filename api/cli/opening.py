"""What the commands share: the database for the length of one, a bar on a screen, JSON for a program."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sqlalchemy.orm import Session
    from tqdm import tqdm

    from api.database import Database

__all__ = [
    "FRAMES",
    "AsJson",
    "Category",
    "Day",
    "Encoding",
    "FrameName",
    "From",
    "Mapping",
    "To",
    "day_begins",
    "day_ends",
    "keep_apart",
    "opened",
    "patient",
    "print_json",
    "progress",
    "reading",
    "rejects_beside",
    "writing",
]

_SHOW_AFTER_SECONDS = 2.0

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for a program to read.")]
Mapping = Annotated[
    Path | None, typer.Option(help="A TOML file that says which columns of the file hold what.")
]
FRAMES = "WGS84, CGCS2000, GCJ02, BD09 or a system of the EPSG register, such as EPSG:4548"
FrameName = Annotated[str | None, typer.Option("--frame", help=f"What coordinates are counted in: {FRAMES}.")]
Encoding = Annotated[str | None, typer.Option(help="Of the text in the file, such as utf-8 or gb18030.")]
Category = Annotated[str | None, typer.Option(help="The code of one category, such as 07-001.")]
Day = "%Y-%m-%d"
From = Annotated[
    datetime | None,
    typer.Option("--from", formats=[Day], help="The first day, by the time of the report (Asia/Shanghai)."),
]
To = Annotated[datetime | None, typer.Option("--to", formats=[Day], help="The last day, included.")]


@contextmanager
def opened() -> Iterator[Database]:
    """Open the database that the settings name, with the schema of this release, for the length of a command."""
    from api.database import busy_is_unavailable, make_ready, open_database
    from api.settings import read_settings

    with open_database(read_settings()) as database:
        make_ready(database)
        with busy_is_unavailable():
            yield database


@contextmanager
def reading() -> Iterator[Session]:
    """Open a session that only reads."""
    with opened() as database, database.readers() as session:
        patient(session)
        yield session


@contextmanager
def writing() -> Iterator[Session]:
    """Open a session whose work is kept when the block ends well, and all of it undone when it does not."""
    with opened() as database, database.sessions() as session:
        patient(session)
        yield session
        session.commit()


def patient(session: Session) -> None:
    """Give the session's transaction the time it takes: the limits are meant for pages that somebody waits for."""
    connection = session.connection()
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")


def progress(total: float | None, unit: str, what: str) -> tqdm[Any]:
    """Return a bar on standard error, shown on a screen once the work has taken 2 s; use it in a `with`."""
    from tqdm import tqdm

    return tqdm(
        total=total,
        unit=unit,
        unit_scale=True,
        desc=what,
        delay=_SHOW_AFTER_SECONDS,
        leave=False,
        disable=None,  # where standard error is no screen
        dynamic_ncols=True,
    )


def keep_apart(outputs: Iterable[Path | None], inputs: Iterable[Path | None]) -> None:
    """Refuse to write over a file that is read: nobody gets that back. Raises `InvalidInput` ("output_is_input")."""
    from gis.errors import InvalidInput

    read = {one.resolve() for one in inputs if one is not None}
    for made in outputs:
        if made is not None and made.resolve() in read:
            raise InvalidInput(
                "output_is_input",
                f"{made} is read here and is never written over: name another file",
                field="output",
            )


def print_json(value: object) -> None:
    """Print a value of plain JSON on one line."""
    typer.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))


def rejects_beside(output: Path) -> Path:
    """Return where rows that cannot be used go when nobody says: placed.csv -> placed.rejects.csv."""
    name = output.name.removesuffix(".gz").removesuffix(".csv")
    return output.with_name(f"{name}.rejects.csv")


def day_begins(day: date | datetime | None) -> datetime | None:
    """Return the first moment of a day in the city, None for None."""
    from grids.rules.calendar import SHANGHAI

    if day is None:
        return None
    plain = date(day.year, day.month, day.day)
    return datetime.combine(plain, time(), SHANGHAI).astimezone(UTC)


def day_ends(day: date | datetime | None) -> datetime | None:
    """Return the first moment of the day after, None for None."""
    return None if day is None else day_begins(day + timedelta(days=1))
