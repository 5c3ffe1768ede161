"""`gridwhistle responsibilities`: check the list of who answers for what, load rules into it, list them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from api.cli.framing import admitted
from api.cli.opening import AsJson, Category, Day, FrameName, Mapping, print_json, reading, writing

__all__ = ["commands"]

commands = typer.Typer(no_args_is_help=True, help="The responsibility list: check, load, list.")

Area = Annotated[str | None, typer.Option(help="The code of one area; by default everything.")]


@commands.command()
def check(area: Area = None, as_json: AsJson = False) -> None:
    """List what is wrong with the responsibility list; exit 1 when anything is.

    Categories without a lead or with several, departments, categories and areas that do not exist, polygons
    outside their area, rules of one kind that share days.
    """
    from api.clock import system_clock
    from grids.duty import dutycheck
    from grids.rules.calendar import local_day

    with reading() as session:
        found = dutycheck.check(session, on=local_day(system_clock()), area=area)
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        for one in found:
            typer.echo(f"{one.fault.value}: {one.message}")
        typer.echo(f"{len(found)} faults" if found else "every category has one lead everywhere")
    if found:
        raise typer.Exit(1)


@commands.command()
def load(
    file: Annotated[
        Path,
        typer.Argument(help="A CSV table of items, or a file of areas with exceptions and special grids."),
    ],
    mapping: Mapping = None,
    frame: FrameName = None,
    as_json: AsJson = False,
) -> None:
    """Store rules from a file: all of them, or none where a single cell cannot be used.

    Columns of a table: kind (listed, decided or default; empty is listed), category, area, lead, cooperating
    (separated by semicolons), basis (statutory, agreed, designated or default), source, effective_from and
    effective_to (the first day on which the rule no longer holds). Features have kind (exception or special_grid),
    name, contact_name and contact_phone as well; their area is found. A special grid may do without a lead. A
    mapping names other columns under [columns] and what holds for every row under [values].
    """
    from api.clock import system_clock
    from grids.duty import responsibilities
    from grids.duty.responsibilities import DutyMapping, read_duty_mapping
    from grids.rules.calendar import local_day

    known = DutyMapping() if mapping is None else read_duty_mapping(mapping)
    stated = frame or known.frame
    with writing() as session:
        loaded = responsibilities.load(
            session,
            file,
            on=local_day(system_clock()),
            mapping=known,
            frame=admitted(stated).value if stated else None,
        )
    if as_json:
        print_json(asdict(loaded))
        return
    ended = f"; {len(loaded.ended)} older ones end where these begin" if loaded.ended else ""
    typer.echo(f"{len(loaded.added)} rules stored{ended}")


@commands.command("list")
def list_rules(
    area: Area = None,
    category: Category = None,
    day: Annotated[
        datetime | None,
        typer.Option(formats=[Day], help="Rules that hold on this day; by default all that ever did."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List rules by area and category: those for an area, for what lies in it and for what it lies in."""
    from grids.duty import responsibilities

    with reading() as session:
        found = [
            {
                "rule": rule.id,
                "kind": rule.kind.value,
                "area": rule.area_code,
                "category": rule.category_code,
                "lead": rule.lead,
                "cooperating": rule.cooperating,
                "from": rule.effective_from.isoformat(),
                "to": rule.effective_to.isoformat() if rule.effective_to else None,
                "basis": rule.basis.value,
                "source": rule.source,
                "name": rule.name,
                "polygon": rule.boundary is not None,
            }
            for rule in responsibilities.listing(
                session, area=area, category=category, on=day.date() if day else None
            )
        ]
    if as_json:
        print_json(found)
        return
    row = "{:>6}  {:<12}  {:<15}  {:<8}  {:<6}  {:<10}  {:<10}  {}"
    typer.echo(row.format("rule", "kind", "area", "category", "lead", "from", "to", "name or source"))
    for one in found:
        area_code, said = one["area"] or "everywhere", one["name"] or one["source"]
        cells = (
            one["rule"],
            one["kind"],
            area_code,
            one["category"],
            one["lead"],
            one["from"],
            one["to"],
            said,
        )
        typer.echo(row.format(*("" if cell is None else str(cell) for cell in cells)))
