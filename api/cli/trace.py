"""`gridwhistle trace`: are the histories of the cases still as they were written?"""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.opening import AsJson, print_json, progress, reading

__all__ = ["commands"]

commands = typer.Typer(no_args_is_help=True, help="The histories of cases: verify that nobody changed them.")


@commands.callback()
def _noun() -> None:
    """Keep `trace verify` a command of its own; typer would call a single one `trace`."""


@commands.command()
def verify(
    incident: Annotated[str | None, typer.Option(help="The number of one incident; by default all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check the hash chain of every case and recurrent problem point; name the first step that is not as written.

    Exit 1 when there is one.
    """
    from grids.audit import Audit, count_incidents, verify_places, verify_traces

    with reading() as session:
        total = 1 if incident else count_incidents(session)
        with progress(total, " cases", "verifying") as bar:
            audit = verify_traces(session, incident, advance=bar.update)
        places = Audit() if incident else verify_places(session)
    broken = audit.broken | places.broken
    if as_json:
        found = {**vars(audit), "places": places.incidents, "place_steps": places.steps, "broken": broken}
        print_json({**found, "ok": not broken})
    else:
        for number, seq in broken.items():
            typer.echo(f"{number}: broken at step {seq}")
        typer.echo(f"{audit.incidents:,} cases, {audit.steps:,} steps, {len(audit.broken):,} broken.")
        if places.incidents:
            said = f"{places.incidents:,} recurrent problem points, {places.steps:,} steps"
            typer.echo(f"{said}, {len(places.broken):,} broken.")
    if broken:
        raise typer.Exit(1)
