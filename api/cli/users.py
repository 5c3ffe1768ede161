"""`gridwhistle users`: who may sign in."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from api.cli.opening import AsJson, print_json, reading, writing
from grids.rules.permissions import Role

__all__ = ["commands"]

commands = typer.Typer(no_args_is_help=True, help="People who sign in: put on record, list, disable.")

Login = Annotated[str, typer.Argument(help="The name that the person signs in with.")]


@commands.command()
def add(
    login: Login,
    name: Annotated[str, typer.Option(help="The person's name.")],
    role: Annotated[Role, typer.Option(help="The post that the person takes up.")],
    area: Annotated[str, typer.Option(help="The code of the place that the post is for.")],
    department: Annotated[
        str | None, typer.Option(help="The department's code, for the post department_duty.")
    ] = None,
    title: Annotated[str, typer.Option(help="What the post is called.")] = "",
    phone: Annotated[
        str | None, typer.Option(help="A mobile number or a landline with its area code.")
    ] = None,
    party_member: Annotated[bool, typer.Option("--party-member", help="A member of the party.")] = False,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input, one line.")
    ] = False,
) -> None:
    """Put a person on record who may sign in; the password is asked for twice."""
    from api.clock import system_clock
    from grids import staff

    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    new = staff.NewPerson(
        login=login,
        name=name,
        role=role,
        area=area,
        department=department,
        title=title,
        phone=phone,
        party_member=party_member,
    )
    with writing() as session:
        staff.add(session, new, password, now=system_clock())
    typer.echo(f"{login} may sign in as {role.value} of {department or area}")


@commands.command("list")
def list_people(as_json: AsJson = False) -> None:
    """List people with their posts."""
    from grids import staff

    with reading() as session:
        found: list[dict[str, Any]] = [
            {
                "login": person.login,
                "name": person.name,
                "may_sign_in": person.password_hash is not None and person.disabled_at is None,
                "posts": [
                    {
                        "role": post.role.value,
                        "area": post.area_code,
                        "department": post.department.code if post.department else None,
                        "on_duty": post.on_duty,
                    }
                    for post in posts
                ],
            }
            for person, posts in staff.everybody(session)
        ]
    if as_json:
        print_json(found)
        return
    for person in found:
        posts = ", ".join(f"{post['role']} {post['department'] or post['area']}" for post in person["posts"])
        closed = "" if person["may_sign_in"] else " (may not sign in)"
        typer.echo(f"{person['login']}  {person['name']}  {posts or 'no post'}{closed}")


@commands.command()
def disable(login: Login) -> None:
    """Let a person sign in no more; sessions that are open end, and what the person did stays on record."""
    from api.clock import system_clock
    from grids import staff

    with writing() as session:
        staff.disable(session, login, now=system_clock())
    typer.echo(f"{login} may not sign in any more")
