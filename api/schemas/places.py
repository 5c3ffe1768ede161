"""Places: where a point lies, who answers for it, categories and departments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import Field

from api.schemas.base import Answer, AreaCode, ShortCode
from api.schemas.duties import DecidedByOut, DutyDepartmentOut, SpecialGridOut
from grids import atlas
from grids.atlas import Place, levels_of
from grids.duty.duties import Duty, SpecialGrid
from grids.rules.departments import DepartmentKind
from grids.rules.grading import Grade
from grids.rules.levels import GridLevel
from grids.rules.limits import Unit
from grids.rules.permissions import Role
from grids.rules.phones import mask_phone
from grids.rules.tasks import TaskRole
from grids.tables import Category, Department, Incident, Person, Placement, Post

__all__ = [
    "AskedOut",
    "Candidate",
    "CategoryOut",
    "DepartmentOut",
    "LocationOut",
    "Named",
    "PersonOut",
    "PlacementOut",
    "ResponsibleOut",
]


class PlacementOut(Answer):
    """The cell of a point, and how it was found."""

    code: AreaCode | None = Field(description="the cell; null for a point in no cell")
    levels: dict[GridLevel, AreaCode] = Field(description="the areas that hold it, by level")
    how: Placement = Field(
        description="border: inside, within 30 m of a border; confirmed: near one, and the reporter said that it "
        "is this cell; manual: put there by a person; outside: in no cell, a person has to place it"
    )
    border_distance_m: float | None = Field(description="metres to the nearest border of a cell")
    edition: int | None = Field(description="the edition of the grid that answered")

    @classmethod
    def of(cls, incident: Incident) -> PlacementOut:
        """Return where an incident was placed."""
        outside = incident.placement is Placement.OUTSIDE
        code = None if outside else incident.grid_code
        return cls.model_validate(
            {
                "code": code,
                "levels": levels_of(code) if code else {},
                "how": incident.placement,
                "border_distance_m": _metres(incident.border_distance_m),
                "edition": incident.edition_id,
            }
        )


def _metres(distance: float | None) -> float | None:
    return None if distance is None else round(distance, 1)


class Candidate(Answer):
    """A cell that the position may lie in."""

    code: AreaCode
    name: str
    share: float = Field(description="of a circle of `accuracy_m` round the point, of 30 m at least; 0 to 1")
    distance_m: float = Field(description="metres from the point to the cell, 0 for the one that holds it")


class AskedOut(PlacementOut):
    """The cell of a point, and whether whoever reports should be asked which cell it is."""

    confirm: bool = Field(
        description="the circle reaches into another cell: ask which it is, and send the answer as `cell`"
    )
    candidates: list[Candidate] = Field(
        description="the cells that the circle touches, the largest share first"
    )

    @staticmethod
    def asked(confirm: bool, candidates: Iterable[atlas.Candidate]) -> dict[str, object]:
        """Return the two fields as plain values."""
        return {
            "confirm": confirm,
            "candidates": [
                Candidate(
                    code=one.code,
                    name=one.name,
                    share=one.share,
                    distance_m=round(one.distance_m, 1),
                )
                for one in candidates
            ],
        }

    @classmethod
    def answered(
        cls, incident: Incident, *, confirm: bool, candidates: Iterable[atlas.Candidate]
    ) -> AskedOut:
        """Return where a report was placed, and where else it may lie."""
        placed = PlacementOut.of(incident).model_dump()
        return cls.model_validate(placed | cls.asked(confirm, candidates))


class ResponsibleOut(Answer):
    """A post that answers for a place; `name` is null while nobody holds it."""

    role: Role
    area: AreaCode
    name: str | None


class Named(Answer):
    """A department that a category calls for."""

    code: str
    role: TaskRole


class LocationOut(AskedOut):
    """Where a point lies, and who answers for it."""

    responsible: list[ResponsibleOut]
    departments: list[DutyDepartmentOut] | None = Field(
        default=None, description="for the category that was asked for; null when none was or nobody is named"
    )
    rule: str | None = Field(default=None, description="the rule by which these departments answer, in words")
    decided_by: DecidedByOut | None = Field(default=None, description="the same rule in its parts")
    special_grids: list[SpecialGridOut] = Field(
        description="markets, schools, stations that hold the point, the smallest first"
    )

    @classmethod
    def at(
        cls,
        place: Place,
        responsible: list[dict[str, object]],
        special_grids: Sequence[SpecialGrid] = (),
        duty: Duty | None = None,
        departments: Sequence[Department] = (),
    ) -> LocationOut:
        """Return what the atlas and the lists say of a point; departments : all of the district."""
        named = DutyDepartmentOut.of(duty, {body.code: body for body in departments}) if duty else None
        return cls.model_validate(
            {
                "code": place.code,
                "levels": place.levels,
                "how": place.how,
                "border_distance_m": _metres(place.border_distance_m),
                "edition": place.edition_id,
                **cls.asked(place.confirm, place.candidates),
                "responsible": responsible,
                "departments": named,
                "rule": duty.rule if duty else None,
                "decided_by": DecidedByOut.of(duty) if duty else None,
                "special_grids": [SpecialGridOut.of(one) for one in special_grids],
            }
        )


class CategoryOut(Answer):
    """One kind of incident."""

    code: str
    field_code: str
    field_name: str
    field_name_en: str
    name: str
    name_en: str
    kind: str
    grade: Grade
    whistle_level: int
    response_minutes: int
    arrive_hours: int
    handle_value: float
    handle_unit: Unit
    callback_required: bool
    evidence: list[str]

    @classmethod
    def of(cls, category: Category) -> CategoryOut:
        """Return a category from its row."""
        return cls.model_validate(category)


class DepartmentOut(Answer):
    """A body that answers level-3 whistles."""

    code: ShortCode
    name: str
    name_en: str
    kind: DepartmentKind
    phone: str | None

    @classmethod
    def of(cls, department: Department) -> DepartmentOut:
        """Return a department from its row; its number is an office's and shown as it is."""
        return cls.model_validate(department)


class PersonOut(Answer):
    """Somebody who holds a post in an area."""

    name: str
    role: Role
    title: str
    area: AreaCode | None
    phone: str | None = Field(description="masked")
    party_member: bool
    on_duty: bool

    @classmethod
    def of(cls, post: Post, person: Person) -> PersonOut:
        """Return a person in a post."""
        return cls(
            name=person.name,
            role=post.role,
            title=post.title,
            area=post.area_code,
            phone=mask_phone(person.phone) if person.phone else None,
            party_member=person.party_member,
            on_duty=post.on_duty,
        )
