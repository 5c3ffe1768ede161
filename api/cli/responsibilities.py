"""`gridwhistle responsibilities`: check the list of who answers for what, load rules into it, and its versions."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from api.cli.framing import admitted
from api.cli.limits import By, District, Effective, district_in, hand
from api.cli.opening import AsJson, Category, Day, FrameName, Mapping, print_json, reading, writing

__all__ = ["commands"]

commands = typer.Typer(
    no_args_is_help=True,
    help="The responsibility list: check, load, list; draft, compare, try out and publish a version.",
)

ListId = Annotated[int, typer.Argument(metavar="LIST", help="The number of a version, as `lists` shows it.")]
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


@commands.command("lists")
def list_versions(as_json: AsJson = False) -> None:
    """List the versions of responsibility lists, the newest first."""
    from api.clock import system_clock
    from grids.duty import lists
    from grids.rules.calendar import local_day

    with reading() as session:
        today = local_day(system_clock())
        rows = lists.listing(session)
        holding = {lists.in_force(session, row.district_code, today) for row in rows}
        found = [
            {
                "id": row.id,
                "district": row.district_code,
                "version": row.version_no,
                "status": row.status.value,
                "in_force": row in holding,
                "effective_from": row.effective_from.isoformat(),
                "name": row.name,
                "source": row.source,
                "drafted_by": row.drafted_by,
                "published_by": row.published_by,
            }
            for row in rows
        ]
    if as_json:
        print_json(found)
        return
    if not found:
        typer.echo("no district has drafted a list: the shipped default holds, and rules that were loaded")
        return
    line = "{:>4}  {:<8}  {:>7}  {:<9}  {:<10}  {}"
    typer.echo(line.format("id", "district", "version", "status", "from", "name"))
    for one in found:
        status = "in force" if one["in_force"] else str(one["status"])
        told = f"{one['name']} ({one['source']})"
        cells = (one["id"], one["district"], one["version"], status, one["effective_from"], told)
        typer.echo(line.format(*cells))


@commands.command()
def draft(
    effective: Effective,
    source: Annotated[str, typer.Option(help="The paper that issues the list.")],
    file: Annotated[
        Path | None,
        typer.Argument(help="A CSV table of items; without one the list in force is copied."),
    ] = None,
    name: Annotated[str, typer.Option(help="What the list is called.")] = "职责清单",
    district: District = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Store a table of items as the next version of a district's list, a draft. Nothing changes yet.

    Columns: category, area, lead, basis; cooperating, item_no, town_duty, process, legal_basis, demarcation and source
    as needed. A demarcation makes an item one of the boundary list: it says which department does which part.
    """
    from api.clock import system_clock
    from gis.errors import NotFound
    from grids.duty import lists

    content = None
    if file is not None:
        try:
            content = file.read_bytes()
        except OSError as wrong:
            raise NotFound(
                "file_not_found", f"{file} cannot be read: {wrong.strerror}", field="file"
            ) from wrong
    with writing() as session:
        place = district_in(session, district)
        head = {"district": place, "name": name, "source": source, "by": hand(by)}
        day, now = effective.date(), system_clock()
        if content is None:
            row = lists.copy(session, effective_from=day, now=now, **head)
        else:
            row = lists.draft(session, content, effective_from=day, now=now, **head)
        told = {"id": row.id, "district": place, "version": row.version_no}
        told |= {"items": len(lists.rules_of(session, row.id)), "effective_from": day.isoformat()}
    if as_json:
        print_json(told)
        return
    typer.echo(
        f"responsibility list {told['id']}: draft of version {told['version']} for {place}, {told['items']} items, "
        f"from {effective:{Day}}"
    )


@commands.command()
def compare(list_id: ListId, as_json: AsJson = False) -> None:
    """Say what a version changes against the items that it replaces."""
    from grids.duty import lists

    with reading() as session:
        found = lists.compare(session, list_id)
    if as_json:
        changed = [
            {
                "area": one.after.area,
                "category": one.after.category,
                "changes": [cell._asdict() for cell in one.changes],
            }
            for one in found.changed
        ]
        print_json(asdict(found) | {"changed": changed})
        return
    for sign, items in (("+", found.added), ("-", found.dropped)):
        for item in items:
            typer.echo(f"{sign} {item.category} in {item.area}: {item.lead}")
    for one in found.changed:
        for cell in one.changes:
            what = f"{one.after.category} in {one.after.area}: {cell.field}"
            typer.echo(f"  {what}: {cell.before or '(none)'} -> {cell.after or '(none)'}")
    typer.echo(
        f"{len(found.added)} new, {len(found.dropped)} dropped, {len(found.changed)} changed, {found.same} the same"
    )


@commands.command("dry-run")
def try_out(list_id: ListId, by: By = None, as_json: AsJson = False) -> None:
    """Give out the incidents of the last 365 days by a draft, and say for how many another department would lead."""
    from api.clock import system_clock
    from grids.duty import dryrun

    with writing() as session:
        told = dryrun.dry_run(session, list_id, by=hand(by), now=system_clock())
    if as_json:
        print_json(told)
        return
    for one in told["rows"]:
        before, after = one["before"] or "nobody", one["after"] or "nobody"
        such = ", ".join(one["examples"][:2])
        typer.echo(f"{one['category']}: {before} -> {after}, {one['count']} incidents, such as {such}")
    typer.echo(
        f"{told['incidents']} incidents of the last 365 days: {told['match']} match, {told['change']} change lead"
    )


@commands.command()
def publish(list_id: ListId, by: By = None, as_json: AsJson = False) -> None:
    """Put a draft into force from its day on. Cases that have begun keep the list that they began with."""
    from api.clock import system_clock
    from grids.duty import lists

    with writing() as session:
        row = lists.publish(session, list_id, by=hand(by), now=system_clock())
        told = {"id": row.id, "district": row.district_code, "version": row.version_no}
        told |= {"effective_from": row.effective_from.isoformat()}
        told |= {"ended": len(lists.replaced_by(session, row))}
    if as_json:
        print_json(told)
        return
    typer.echo(
        f"responsibility list {list_id}: version {told['version']} holds in {told['district']} from "
        f"{told['effective_from']}; {told['ended']} items of the list before end that day"
    )
