"""Who answers for what: departments with the rule that chose them, special grids, people and stations near a place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from pydantic import Field

from api.schemas.base import Answer, AreaCode
from grids.duty.duties import Duty, SpecialGrid
from grids.ground.coverage import Coverage
from grids.nearby import Nearby, NearPerson, NearStation
from grids.rules.departments import StationKind
from grids.rules.levels import GridLevel
from grids.rules.permissions import Role
from grids.rules.phones import mask_phone
from grids.rules.responsibilities import RuleKind
from grids.rules.tasks import TaskRole
from grids.tables import Department, DutyBasis

__all__ = [
    "CoverageOut",
    "DecidedByOut",
    "DutyDepartmentOut",
    "NearPersonOut",
    "NearStationOut",
    "NearbyOut",
    "SpecialGridOut",
]


class DutyDepartmentOut(Answer):
    """A department that a category calls for; its number is an office's and shown as it is."""

    code: str
    role: TaskRole
    name: str | None = Field(description="null where the district has no such department")
    name_en: str | None
    phone: str | None

    @classmethod
    def of(cls, duty: Duty, known: Mapping[str, Department]) -> list[DutyDepartmentOut]:
        """Return the departments of a duty, lead first; known : the district's departments by code."""
        return [
            cls(
                code=one["code"],
                role=TaskRole(one["role"]),
                name=body.name if body else None,
                name_en=body.name_en if body else None,
                phone=body.phone if body else None,
            )
            for one in duty.departments()
            for body in [known.get(one["code"])]
        ]


class DecidedByOut(Answer):
    """The rule that chose the departments."""

    rule: int
    kind: RuleKind
    name: str | None = Field(description="of a spatial exception or a special grid")
    basis: DutyBasis
    source: str = Field(description="the paper or list that it comes from")
    since: date
    conflict: list[str] = Field(
        description="the leads of several rules that nothing tells apart: the first decides, the list needs mending"
    )

    @classmethod
    def of(cls, duty: Duty) -> DecidedByOut:
        """Return the rule behind a duty."""
        return cls(
            rule=duty.rule_id,
            kind=duty.kind,
            name=duty.name,
            basis=DutyBasis(duty.basis),
            source=duty.source,
            since=duty.since,
            conflict=list(duty.conflict),
        )


class SpecialGridOut(Answer):
    """A market, a school, a station that holds the point, with its keeper."""

    name: str
    contact_name: str | None
    contact_phone: str | None = Field(description="masked")
    source: str
    since: date

    @classmethod
    def of(cls, grid: SpecialGrid) -> SpecialGridOut:
        """Return a special grid."""
        return cls(
            name=grid.name,
            contact_name=grid.contact_name,
            contact_phone=mask_phone(grid.contact_phone) if grid.contact_phone else None,
            source=grid.source,
            since=grid.since,
        )


class NearPersonOut(Answer):
    """Somebody on duty near a place."""

    name: str
    role: Role
    title: str
    area: AreaCode
    phone: str | None = Field(description="masked")
    distance_m: float = Field(description="metres to the area of the post, 0 inside it")
    load: int = Field(description="open cases in the areas of the posts that the person holds on duty")

    @classmethod
    def of(cls, near: NearPerson) -> NearPersonOut:
        """Return a person."""
        return cls(
            name=near.name,
            role=near.role,
            title=near.title,
            area=near.area,
            phone=mask_phone(near.phone) if near.phone else None,
            distance_m=round(near.distance_m, 1),
            load=near.load,
        )


class NearStationOut(Answer):
    """A station near a place."""

    name: str
    kind: StationKind
    town: AreaCode
    department: str
    department_name: str
    department_name_en: str
    duty: TaskRole | None = Field(description="what its department does for the category; null for nothing")
    contact_name: str
    contact_phone: str = Field(description="masked")
    distance_m: float
    load: int = Field(
        description="open cases in its town for which its department holds a task that is not done"
    )

    @classmethod
    def of(cls, near: NearStation) -> NearStationOut:
        """Return a station."""
        return cls(
            name=near.name,
            kind=near.kind,
            town=near.town,
            department=near.department.code,
            department_name=near.department.name,
            department_name_en=near.department.name_en,
            duty=near.duty,
            contact_name=near.contact_name,
            contact_phone=mask_phone(near.contact_phone),
            distance_m=round(near.distance_m, 1),
            load=near.load,
        )


class NearbyOut(Answer):
    """Who could be sent to a place, each list in the order in which one would send them."""

    people: list[NearPersonOut] = Field(description="on duty, in the reader's own area")
    stations: list[NearStationOut] = Field(description="1+5+N, in the reader's district")
    within_m: float = Field(description="how far was looked")
    nobody: bool = Field(description="there is nobody on duty and no station so near")

    @classmethod
    def of(cls, found: Nearby) -> NearbyOut:
        """Return people and stations."""
        return cls(
            people=[NearPersonOut.of(one) for one in found.people],
            stations=[NearStationOut.of(one) for one in found.stations],
            within_m=found.within_m,
            nobody=found.nobody,
        )


class CoverageRowOut(Answer):
    """One area; both lists are in the order of `categories`."""

    area: AreaCode
    name: str
    counts: list[int] = Field(description="how many departments lead: 0 nobody, 1 good, more a conflict")
    leads: list[str | None] = Field(
        description="the lead; null for nobody, several, or different ones inside"
    )


class HoleOut(Answer):
    """A category without a lead or with several, for the widest area in all of which it is alike."""

    area: AreaCode
    category: str
    leads: list[str]


class SpatialRuleOut(Answer):
    """A rule that holds inside its polygon only, and is not counted."""

    rule: int
    kind: RuleKind
    name: str | None
    area: str
    category: str | None = Field(description="null: any")
    lead: str | None = Field(description="null: the departments stay as they are")
    since: date
    until: date | None


class EmptyPostOut(Answer):
    """A post that nobody on duty holds."""

    role: Role
    area: AreaCode
    name: str = Field(description="of the area")


class CoverageOut(Answer):
    """For each area and category how many departments lead; an area counts as its worst cell does."""

    area: AreaCode
    level: GridLevel
    categories: list[str]
    rows: list[CoverageRowOut]
    holes: list[HoleOut]
    polygons: list[SpatialRuleOut]
    empty_posts: list[EmptyPostOut]

    @classmethod
    def of(cls, found: Coverage, names: Mapping[str, str]) -> CoverageOut:
        """Return the matrix; names : of areas, by code."""
        return cls.model_validate(
            {
                "area": found.area,
                "level": found.level,
                "categories": list(found.columns),
                "rows": [
                    {"area": row, "name": names.get(row, row), "counts": list(counts), "leads": list(leads)}
                    for row, counts, leads in zip(found.rows, found.counts, found.leads, strict=True)
                ],
                "holes": list(found.holes),
                "polygons": list(found.polygons),
                "empty_posts": [
                    {"role": post.role, "area": post.area, "name": names.get(post.area, post.area)}
                    for post in found.posts
                ],
            }
        )
