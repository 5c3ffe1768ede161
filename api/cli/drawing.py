"""`gridwhistle grids impact|redraw|undo|discard|publish`: from a draft to an edition in force."""

from __future__ import annotations

import getpass
import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from api.cli.opening import AsJson, Day, opened, patient, print_json, reading, writing
from grids.tables import OpenCases

__all__ = ["discard", "impact", "publish", "redraw", "undo"]

EditionId = Annotated[int, typer.Argument(help="The number of an edition, as `grids list` shows it.")]
By = Annotated[
    str | None,
    typer.Option(help="Whose act it is. Who drew an edition does not put it in the place of another."),
]
_AT_ONCE = 100


def impact(edition: EditionId, as_json: AsJson = False) -> None:
    """Tell what publishing a draft would change: areas, open incidents, people. Changes nothing."""
    from dataclasses import asdict

    from api.clock import system_clock
    from grids.ground import editions

    with reading() as session:
        seen = editions.impact(session, edition, now=system_clock())
    if as_json:
        print_json({**asdict(seen), "sentence": seen.sentence()})
        return
    if not seen.replaces:
        typer.echo(f"edition {edition} takes the place of no other: nothing moves")
        return
    for level, kinds in seen.changes.items():
        told = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
        typer.echo(f"{level}: {told}")
    typer.echo(f"takes the place of edition {', '.join(map(str, seen.replaces))}: {seen.sentence()}")
    if seen.moving:
        typer.echo(f"to another community {seen.to_other_community}, to another town {seen.to_other_town}")
    typer.echo(f"{seen.incidents_year} incidents of the last year lie in areas that change")
    for area, heir, people in seen.posts:
        typer.echo(f"{people} people of {area}: {'to ' + heir if heir else 'left without an area'}")
    if seen.rules:
        typer.echo(f"{seen.rules} rules of the responsibility list name areas that go")


def redraw(
    edition: EditionId,
    steps: Annotated[
        Path, typer.Argument(help="A JSON file: a list of operations, each with its kind and its arguments.")
    ],
    effective: Annotated[
        datetime, typer.Option(formats=[Day], help="The day from which the edition is to hold.")
    ],
    name: Annotated[str | None, typer.Option(help="What to call it; by default as the edition.")] = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Begin a draft from an edition, carry out operations on it, and print its number.

    Operations: split, merge, move_edge, reassign, replace_children, rename, set_size. All are done, or none.
    """
    from api.clock import system_clock
    from gis.errors import InvalidInput
    from grids.ground import drafts
    from grids.ground.redraw import Operation

    try:
        given = json.loads(steps.read_text("utf-8"))
    except (OSError, ValueError) as wrong:
        raise InvalidInput("bad_steps", f"{steps} is no JSON file: {wrong}", field="steps") from wrong
    if not isinstance(given, list) or not given:
        raise InvalidInput("bad_steps", f"{steps} has to hold a list of operations", field="steps")
    operations = [Operation.from_json(step) for step in given]
    hand = by or f"operator {getpass.getuser()}"
    with writing() as session:
        now = system_clock()
        draft = drafts.begin(session, edition, name=name, effective_from=effective.date(), by=hand, now=now)
        notes = [
            note
            for operation in operations
            for note in drafts.operate(session, draft.id, operation, by=hand, now=now).notes
        ]
        number, errors = draft.id, int(draft.report.get("errors", 0))
    if as_json:
        told = [{"code": note.code, "kind": note.kind.value, "message": note.message} for note in notes]
        print_json({"edition": number, "status": "draft", "errors": errors, "notes": told})
    else:
        for operation in operations:
            typer.echo(operation.line())
        for note in notes:
            typer.echo(f"note: {note.message}")
        typer.echo(f"edition {number}: draft, to hold from {effective.date()}, {errors} errors")
    if errors:
        raise typer.Exit(1)


def undo(edition: EditionId) -> None:
    """Undo the last operation of a draft."""
    from grids.ground import drafts

    with writing() as session:
        left = len(drafts.undo(session, edition).operations)
    typer.echo(f"edition {edition}: the last operation is undone, {left} are left")


def discard(edition: EditionId) -> None:
    """Throw a draft away."""
    from grids.ground import drafts

    with writing() as session:
        drafts.discard(session, edition)
    typer.echo(f"edition {edition} is thrown away")


def publish(
    edition: EditionId,
    by: By = None,
    open_cases: Annotated[
        OpenCases,
        typer.Option(help="Open incidents go to the cell that their point lies in now, or stay with theirs."),
    ] = OpenCases.FOLLOW,
) -> None:
    """Put a draft edition into force from its effective day; it takes the place of those before it.

    An edition with faults is refused, and what is in force stays as it is. Without --by it is the act of whoever
    has the right to run this on the machine, and noted as such.
    """
    from api.clock import system_clock
    from grids.ground import editions, succession

    now = system_clock()
    with opened() as database:
        with database.sessions() as session:
            patient(session)
            drawn = editions.drawn_by(editions.get(session, edition))
            done = editions.publish(
                session, edition, by=by or f"operator {getpass.getuser()}", now=now, open_cases=open_cases
            )
            districts = ", ".join(editions.districts_of(session, edition))
            ended = [
                str(other.id)
                for other, _ in editions.listing(session)
                if other.id != edition and other.effective_to == done.effective_from
            ]
            words = f"edition {edition} holds from {done.effective_from} for {districts}"
            alone = bool(ended) and by is None and not drawn
            session.commit()
        moved = 0
        while True:  # a few at a time, so that nobody waits long for a case
            with database.sessions() as session:
                step = succession.bring_over(session, now, limit=_AT_ONCE).moved
                session.commit()
            moved += step
            if not step:
                break
    typer.echo(words + (f"; editions that end there: {', '.join(ended)}" if ended else ""))
    if moved:
        typer.echo(f"{moved} open incidents were brought over")
    if alone:
        typer.echo("nobody is named as having drawn or decided it: use --by to keep them apart", err=True)
