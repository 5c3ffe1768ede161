"""The command line: `gridwhistle NOUN VERB`, one module a noun.

Exit codes: 0 done, 1 refused or found faults, 2 used wrongly. What the service refuses is one plain line on
standard error. Each command imports what it needs when it runs, so that --help is there at once.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from api.cli import (
    bench,
    calendar,
    db,
    demo,
    grids,
    incidents,
    limits,
    locate,
    maps,
    messages,
    openapi,
    rain,
    responsibilities,
    serve,
    trace,
    users,
)
from gis.errors import CityError

__all__ = ["main"]


class _PlainErrors(TyperGroup):
    """A group of commands that says in one line what the city refuses."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a `CityError` becomes its sentence and exit code 1."""
        try:
            return super().invoke(ctx)
        except CityError as error:
            typer.echo(f"gridwhistle: {error} [{error.code}]", err=True)
            raise typer.Exit(1) from error


main = typer.Typer(
    cls=_PlainErrors,
    name="gridwhistle",
    help="Incidents, whistles and deadlines on the four-level grid of a district.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
main.command()(demo.demo)
main.add_typer(db.commands, name="db")
main.command()(serve.serve)
main.command()(serve.work)
main.add_typer(grids.commands, name="grids")
main.command()(locate.locate)
main.add_typer(incidents.commands, name="incidents")
main.add_typer(limits.commands, name="limits")
main.add_typer(calendar.commands, name="calendar")
main.add_typer(maps.commands, name="maps")
main.add_typer(messages.commands, name="messages")
main.add_typer(rain.commands, name="rain")
main.add_typer(responsibilities.commands, name="responsibilities")
main.add_typer(trace.commands, name="trace")
main.add_typer(users.commands, name="users")
main.command()(openapi.openapi)
main.command()(bench.bench)


def _say_version(wanted: bool) -> None:
    """Print the version and end, when asked to."""
    if wanted:
        typer.echo(version("gridwhistle"))
        raise typer.Exit


@main.callback()
def _every_command(
    _version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that come before the command."""
