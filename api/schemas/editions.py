"""Editions of the grid, as they come in and go out."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Annotated, Any

from pydantic import Field

from api.schemas.base import Answer, Body, Line, Shown
from grids.ground.impact import Impact
from grids.ground.redraw import NoteKind
from grids.rules.levels import GridLevel
from grids.tables import Edition, EditionStatus, OpenCases

__all__ = [
    "BeginIn",
    "EditionOut",
    "ImpactOut",
    "LoadedIn",
    "OperationIn",
    "PublishIn",
    "ReportOut",
    "StepOut",
]


class BeginIn(Body):
    """A draft to be drawn from an edition that is there."""

    based_on: Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
    effective: date = Field(description="the day from which it is to hold")
    name: Line | None = None


class LoadedIn(Body):
    """What came with a file of areas; the file by its hash."""

    sha256: str
    name: str
    effective: date
    frame: str | None
    accept_frame: str | None = None
    layer: str | None
    encoding: str | None
    mapping: str | None


class OperationIn(Body):
    """One operation on a draft, such as {"kind": "split", "code": "...", "line": [[lon, lat], ...]}."""

    operation: dict[str, Any] = Field(max_length=20)


class PublishIn(Body):
    """How a draft is put into force."""

    open_cases: OpenCases = Field(
        default=OpenCases.FOLLOW,
        description="follow: open incidents go to the cell that their point lies in now; stay: they keep theirs",
    )


class NoteOut(Answer):
    """What somebody should know about an area that was drawn anew."""

    kind: NoteKind
    code: str
    message: str


class StepOut(Answer):
    """One operation that was done to a draft."""

    operation: dict[str, Any]
    by: str
    at: str
    notes: list[NoteOut]


class ReportOut(Answer):
    """What the topology gate said; `faults` as `gridwhistle grids check --json` writes them."""

    ok: bool
    errors: int
    warnings: int
    counts: dict[str, int]
    tolerance: dict[str, float]
    notes: list[str]
    faults: list[dict[str, Any]]

    @classmethod
    def of(cls, edition: Edition) -> ReportOut:
        """Return the report that an edition was stored with; an empty one where it has none."""
        bare = {"errors": 0, "warnings": 0, "counts": {}, "tolerance": {}, "notes": [], "faults": []}
        report = {**bare, **edition.report}
        return cls.model_validate({**report, "ok": not report["errors"]})


class EditionOut(Answer):
    """One edition of the grid."""

    edition: int
    name: str
    status: EditionStatus
    effective_from: date
    effective_to: date | None = Field(description="the first day on which it no longer holds")
    leaf_level: GridLevel
    source: str
    frame: str = Field(description="what the coordinates of its file were counted in")
    loaded_at: Shown
    loaded_by: str | None
    based_on: int | None
    operations: list[StepOut]
    published_at: Shown | None
    published_by: str | None
    open_cases: OpenCases | None
    took_effect_at: Shown | None
    errors: int
    warnings: int

    @classmethod
    def of(cls, edition: Edition) -> EditionOut:
        """Return an edition from its row."""
        known = {
            name: getattr(edition, name)
            for name in cls.model_fields
            if name not in ("edition", "based_on", "errors", "warnings")
        }
        return cls.model_validate(
            {
                **known,
                "edition": edition.id,
                "based_on": edition.based_on_id,
                "errors": edition.report.get("errors", 0),
                "warnings": edition.report.get("warnings", 0),
            }
        )


class MovingOut(Answer):
    """An open incident that would lie in another cell; `to` is null outside every cell."""

    number: str
    before: str
    to: str | None
    overdue: bool


class LeftOut(Answer):
    """People whose area goes, and the area that takes it over whole; null where somebody has to decide."""

    area: str
    to: str | None
    people: int


class ImpactOut(Answer):
    """What publishing a draft would change; nothing is changed by asking."""

    sentence: str
    replaces: list[int]
    changes: dict[str, dict[str, int]] = Field(description="level -> kind of change -> areas")
    open: int
    moving: int
    moving_overdue: int
    to_other_community: int
    to_other_town: int
    to_nowhere: int
    shown: list[MovingOut] = Field(description="the first of those that move")
    incidents_year: int
    households: int | None
    posts: list[LeftOut]
    rules: int

    @classmethod
    def of(cls, impact: Impact) -> ImpactOut:
        """Return what the preview says."""
        posts = [{"area": area, "to": to, "people": people} for area, to, people in impact.posts]
        return cls.model_validate({**asdict(impact), "posts": posts, "sentence": impact.sentence()})
