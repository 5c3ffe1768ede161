"""What the commands ask about frames: which are let in, and the evidence that a declared one is held against."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from gis.crs import AnyFrame
    from gis.faults import CoverageReport
    from grids.ground.framing import ControlPoints, Reference
    from grids.ground.plan import GridSet

__all__ = [
    "AcceptFrame",
    "ControlFile",
    "Evidence",
    "ReferenceFile",
    "admitted",
    "evidence",
    "warn_of_frame",
]

ReferenceFile = Annotated[
    Path | None,
    typer.Option(
        "--reference",
        help="A file with the outline or the cells of the same district, in a frame that is sure: "
        "tells whether the declared frame fits.",
    ),
]
ControlFile = Annotated[
    Path | None,
    typer.Option(
        "--control-points",
        help="A CSV file with the columns x, y (as in the file), lon, lat (the true place) and, if not WGS84, frame.",
    ),
]
AcceptFrame = Annotated[
    str | None,
    typer.Option(
        "--accept-frame",
        metavar="REASON",
        help="Take the declared frame although another one fits; the reason is kept.",
    ),
]


def admitted(frame: AnyFrame | str) -> AnyFrame:
    """Return the frame that is named. Raises `UnknownFrame`, `InvalidInput` ("frame_forbidden") by the settings."""
    from api.settings import read_settings
    from gis.crs import admit_frame

    return admit_frame(frame, forbid_gcj_inverse=read_settings().forbid_gcj_inverse)


@dataclass(frozen=True)
class Evidence:
    """What a declared frame is held against."""

    references: tuple[Reference, ...] = ()
    control: ControlPoints | None = None
    accepted: str | None = None

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Add, to a refusal of numbers that are no place in their frame, in which frame they would fit."""
        from gis.errors import InvalidInput
        from grids.ground.framing import with_fitting_frames

        try:
            yield
        except InvalidInput as refused:
            explained = with_fitting_frames(refused, self.references)
            if explained is refused:
                raise
            raise explained from refused

    def judge(
        self, report: CoverageReport, plan: GridSet, session: Session | None = None, on: date | None = None
    ) -> CoverageReport:
        """Return the report with what the evidence says, and the edition in force on a day where there is a session."""
        from grids.ground.framing import judge_frame, references_in_force

        in_force = [] if session is None or on is None else references_in_force(session, plan, on=on)
        references = [*in_force, *self.references]
        return judge_frame(report, plan, references=references, control=self.control, accepted=self.accepted)


def evidence(reference: Path | None, control_points: Path | None, accepted: str | None) -> Evidence:
    """Read the evidence that a command was given."""
    from grids.ground.framing import read_control_points, read_reference

    return Evidence(
        references=() if reference is None else (read_reference(reference),),
        control=None if control_points is None else read_control_points(control_points, admitted),
        accepted=accepted,
    )


def warn_of_frame(doubt: dict[str, Any] | None) -> None:
    """Say on standard error that another frame fits a table better, if one does."""
    if doubt is None:
        return
    away = "" if doubt["shift_m"] is None else f", {doubt['shift_m']:,} m off"
    typer.echo(
        f"warning: the coordinates are taken as {doubt['declared']}, but look like {doubt['fits']}{away}: "
        f"{doubt['reason']}",
        err=True,
    )
