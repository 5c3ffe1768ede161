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
    """Check the hash chain of every case; name the first step of each that is not as it was written.

    Exit 1 when there is one.
    """
    from grids.audit import count_incidents, verify_traces

    with reading() as session:
        total = 1 if incident else count_incidents(session)
        with progress(total, " cases", "verifying") as bar:
            audit = verify_traces(session, incident, advance=bar.update)
    if as_json:
        print_json({**vars(audit), "ok": not audit.broken})
    else:
        for number, seq in audit.broken.items():
            typer.echo(f"{number}: broken at step {seq}")
        typer.echo(f"{audit.incidents:,} cases, {audit.steps:,} steps, {len(audit.broken):,} broken.")
    if audit.broken:
        raise typer.Exit(1)
