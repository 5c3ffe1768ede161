"""`gridwhistle bench`: our own speed beside that of our peers, measured here and now."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.opening import AsJson, print_json, progress
from gis.errors import NotFound

__all__ = ["bench"]

_CHECKOUT = Path(__file__).resolve().parents[2]


def bench(
    names: Annotated[
        list[str] | None, typer.Argument(help="Which of benchmarks/*.py, such as locate; by default all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the benchmarks and print one table; needs a checkout with the packages for development."""
    found = _scripts()
    unknown = [name for name in names or () if name not in found]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]!r} is not one of {', '.join(found)}")
    rows: list[Any] = []
    with progress(len(names or found), " benchmarks", "measuring") as bar:
        for name in names or found:
            rows += _run(name)
            bar.update()
    if as_json:
        print_json([row._asdict() for row in rows])
        return
    from benchmarks.table import render

    typer.echo(render(rows))


def _scripts() -> list[str]:
    """Return the names of the benchmarks. Raises `NotFound` ("no_benchmarks") where this is no checkout."""
    scripts = sorted((_CHECKOUT / "benchmarks").glob("*.py"))
    found = [path.stem for path in scripts if "\ndef main(" in path.read_text("utf-8")]
    if not found:
        raise NotFound(
            "no_benchmarks",
            "the benchmarks are not installed with the service: run this from a checkout, after ./gridwhistle test",
        )
    if str(_CHECKOUT) not in sys.path:
        sys.path.insert(0, str(_CHECKOUT))
    return found


def _run(name: str) -> list[Any]:
    try:
        rows: list[Any] = importlib.import_module(f"benchmarks.{name}").main()
    except ModuleNotFoundError as missing:
        raise NotFound(
            "no_benchmarks",
            f"benchmark {name} needs the package {missing.name}: ./gridwhistle test installs those for development",
            package=missing.name,
        ) from missing
    return rows
