"""`gridwhistle limits`: the limits that cases run by, drafted by one person and published by another."""

from __future__ import annotations

import getpass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.opening import AsJson, Day, print_json, reading, writing

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from grids.rules.profiles import Change, LimitProfile

__all__ = ["By", "District", "Effective", "commands", "district_in", "hand"]

commands = typer.Typer(
    no_args_is_help=True, help="The limits of cases: list, check, draft, publish, compare."
)

By = Annotated[str | None, typer.Option(help="Whose act it is. Who drafted something does not publish it.")]
Effective = Annotated[datetime, typer.Option(formats=[Day], help="The day from which it is to hold.")]
District = Annotated[
    str | None, typer.Option(help="Six digits; needed only where there are several districts.")
]
Which = Annotated[
    str,
    typer.Argument(
        metavar="PROFILE",
        help="The number of a stored profile, the name of a shipped one, or a .toml or .json file.",
    ),
]


def hand(by: str | None) -> str:
    """Return who acts: the one who is named, else whoever has the right to run this on the machine."""
    return by or f"operator {getpass.getuser()}"


@commands.command("list")
def list_profiles(as_json: AsJson = False) -> None:
    """List the stored profiles, the newest first, and the shipped ones."""
    from api.clock import system_clock
    from grids import limits
    from grids.rules.calendar import local_day
    from grids.rules.profiles import SHIPPED, shipped_profile

    with reading() as session:
        today = local_day(system_clock())
        rows = limits.listing(session)
        holding = {limits.in_force_row(session, row.district_code, today) for row in rows}
        found = [
            {
                "id": row.id,
                "district": row.district_code,
                "status": row.status.value,
                "in_force": row in holding,
                "effective_from": row.effective_from.isoformat(),
                "code": row.code,
                "version": row.version_no,
                "drafted_by": row.drafted_by,
                "published_by": row.published_by,
                "name": row.name,
                "source": row.source,
            }
            for row in rows
        ]
    shipped = [shipped_profile(code) for code in SHIPPED]
    if as_json:
        print_json({"stored": found, "shipped": [{"code": p.code, "source": p.source} for p in shipped]})
        return
    line = "{:>4}  {:<8}  {:<9}  {:<10}  {}"
    if found:
        typer.echo(line.format("id", "district", "status", "from", "profile"))
    for one in found:
        status = "in force" if one["in_force"] else str(one["status"])
        told = f"{one['code']} version {one['version']}, {one['name']}"
        typer.echo(line.format(one["id"], one["district"], status, one["effective_from"], told))
    if not found:
        typer.echo("no district has published limits: the shipped default holds")
    typer.echo("shipped: " + ", ".join(f"{profile.code} ({profile.name_en})" for profile in shipped))


@commands.command()
def show(profile: Which) -> None:
    """Print a profile as a file: a shipped one with its comments, ready to be copied and changed."""
    import json

    from grids.rules.profiles import SHIPPED, shipped_text

    if profile in SHIPPED:
        typer.echo(shipped_text(profile), nl=False)
        return
    found = _any(profile)
    head = {"code": found.code, "name": found.name, "name_en": found.name_en, "source": found.source}
    typer.echo(json.dumps({**head, **found.rules()}, ensure_ascii=False, indent=2))


@commands.command()
def check(
    file: Annotated[Path, typer.Argument(help="A .toml or .json file of limits.")], as_json: AsJson = False
) -> None:
    """Read a file of limits and say in what it differs from the default. Needs no database; exit 1 for a fault."""
    from grids.rules.profiles import DEFAULT, compare

    profile = _file(file)
    _tell(profile.code, compare(DEFAULT, profile), as_json)


@commands.command()
def diff(before: Which, after: Which, as_json: AsJson = False) -> None:
    """Compare two profiles, limit by limit."""
    from grids.rules.profiles import compare

    old, new = _any(before), _any(after)
    _tell(new.code, compare(old, new), as_json)


@commands.command()
def draft(
    profile: Which,
    effective: Effective,
    district: District = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Store limits for a district as a draft and print its number. Nothing changes yet."""
    from api.clock import system_clock
    from grids import limits
    from grids.rules.profiles import compare

    found = _any(profile)
    with writing() as session:
        place = district_in(session, district)
        now = system_clock()
        row = limits.draft(
            session, found, district=place, effective_from=effective.date(), by=hand(by), now=now
        )
        changed = compare(limits.in_force(session, place, effective.date()), found)
        number, version = row.id, row.version_no
    if as_json:
        changes = [change._asdict() for change in changed]
        print_json({"id": number, "district": place, "version": version, "changes": changes})
        return
    _tell(found.code, changed, as_json)
    typer.echo(
        f"limit profile {number}: draft of {found.code} version {version} for {place}, from {effective:{Day}}"
    )


@commands.command()
def publish(
    profile: Annotated[int, typer.Argument(help="The number of a draft, as `limits list` shows it.")],
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Put a draft into force from its day on. Cases that have begun keep the limits that they began with."""
    from api.clock import system_clock
    from grids import limits

    with writing() as session:
        row = limits.publish(session, profile, by=hand(by), now=system_clock())
        kept = limits.running_cases(session, row.district_code)
        told = {
            "id": row.id,
            "district": row.district_code,
            "code": row.code,
            "version": row.version_no,
            "effective_from": row.effective_from.isoformat(),
            "running_cases": kept,
        }
    if as_json:
        print_json(told)
        return
    typer.echo(
        f"limit profile {profile}: {told['code']} version {told['version']} holds in {told['district']} from "
        f"{told['effective_from']}; {kept} running cases keep their limits"
    )


def _tell(code: str, changes: list[Change], as_json: bool) -> None:
    if as_json:
        print_json({"code": code, "changes": [change._asdict() for change in changes]})
        return
    for change in changes:
        typer.echo(f"{change.field}: {change.before or '(none)'} -> {change.after or '(none)'}")
    typer.echo(f"{code}: 1 limit differs" if len(changes) == 1 else f"{code}: {len(changes)} limits differ")


def _any(which: str) -> LimitProfile:
    from grids import limits
    from grids.rules.profiles import SHIPPED, shipped_profile

    if which in SHIPPED:
        return shipped_profile(which)
    if not which.isdecimal():
        return _file(Path(which))
    with reading() as session:
        return limits.profile_of(limits.get(session, int(which)))


def _file(path: Path) -> LimitProfile:
    from gis.errors import NotFound
    from grids.rules.profiles import read_profile

    try:
        content = path.read_bytes()
    except OSError as wrong:
        raise NotFound("file_not_found", f"{path} cannot be read: {wrong.strerror}", field="file") from wrong
    return read_profile(content, path.name)


def district_in(session: Session, said: str | None) -> str:
    """Return the district that was said, or the only one. Raises `InvalidInput` ("unknown_district")."""
    from gis.errors import InvalidInput
    from grids import limits

    known = limits.districts(session)
    if said is None and len(known) == 1:
        return known[0]
    if said not in known:
        raise InvalidInput(
            "unknown_district",
            f"say --district with one of {', '.join(known) or 'none: publish a grid first'}",
            field="district",
            got=said,
            wanted=known,
        )
    return said
