"""`gridwhistle openapi`: what the JSON interface takes and answers, for programs that are made from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["openapi"]


def openapi(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; by default standard output.")
    ] = None,
) -> None:
    """Print the OpenAPI document of the JSON interface, as /openapi.json answers it. Needs no database."""
    from api.app import create_app
    from api.database import Database, make_engine, make_sessionmaker
    from api.settings import Settings
    from grids.csvtables import partial

    # an engine connects when it is first used, and a description of the interface uses none
    engine = make_engine("postgresql+psycopg://")
    database = Database(engine, make_sessionmaker(engine), make_sessionmaker(engine), None)
    document = create_app(Settings(), database=database).openapi()
    text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    if output is None:
        typer.echo(text, nl=False)
        return
    with partial(output) as temporary:
        temporary.write_text(text, "utf-8")
