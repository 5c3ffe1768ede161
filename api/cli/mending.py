"""What the commands share about faults: which repairs are wished for, the repaired file, the page of the faults."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from api.cli.maps import Language
    from gis.faults import CoverageReport
    from gis.repair import Wishes
    from grids.ground.plan import GridSet

__all__ = ["Clip", "Gaps", "Page", "Slivers", "wished", "write_fixed", "write_page"]

Slivers = Annotated[
    float,
    typer.Option(
        min=0, metavar="METRES", help="With --fix: close overlaps and gaps that are up to this wide."
    ),
]
Clip = Annotated[
    float,
    typer.Option(
        min=0, metavar="METRES", help="With --fix: cut off areas that leave their parent by up to this."
    ),
]
Gaps = Annotated[
    float,
    typer.Option(
        min=0,
        metavar="M2",
        help="With --fix: give wider gaps of up to this size to the neighbour along them.",
    ),
]
Page = Annotated[
    Path | None,
    typer.Option(help="Draw the faults on a map, with a list that leads to each, in this .html file."),
]

_STATIC = Path(__file__).resolve().parents[1] / "static"


def wished(slivers: float, clip: float, gaps: float) -> Wishes:
    """Return which repairs are wished for."""
    from gis.repair import Wishes

    return Wishes(sliver_m=slivers, clip_m=clip, gap_m2=gaps)


def write_fixed(plan: GridSet, path: Path) -> None:
    """Write the areas of a repaired plan to a file that loads without a mapping."""
    from grids.exports import write_areas
    from grids.ground.repairs import file_areas

    write_areas(file_areas(plan), path, layer="grids")
    left_out = f"; {len(plan.left_out)} areas without a code are not in it" if plan.left_out else ""
    typer.echo(f"{path}: {len(plan.frame):,} areas{left_out}", err=True)


def write_page(plan: GridSet, report: CoverageReport, path: Path, language: Language) -> None:
    """Write a page of the faults of a plan: one file that asks for nothing."""
    from api.i18n import words_in
    from grids.csvtables import partial
    from grids.exports import fault_table, kind_of
    from maps import Assets, fault_map, page

    kind_of(path, {".html": "html"})
    words = words_in(language.value)
    faults = fault_table([fault.to_dict() for fault in report.faults])
    drawn = fault_map(
        plan.frame,
        faults.assign(kind_text=[words.of("fault", kind) for kind in faults["kind"]]),
        words=words,
        title=words("Faults of {file}", file=", ".join(source.name for source in plan.sources)),
    )
    with partial(path) as temporary:
        temporary.write_text(page(drawn, Assets(_STATIC), standalone=True), "utf-8")
    typer.echo(f"{path}: {path.stat().st_size / 1000:,.0f} kB", err=True)
