"""Who a person is when they act, what they may read, and the roles that the state tables name."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from gis.errors import Forbidden, NotFound

__all__ = [
    "DUTY_KEEPERS",
    "GRID_KEEPERS",
    "OPERATORS",
    "POST_DIGITS",
    "RULE_KEEPERS",
    "RULE_READERS",
    "SYSTEM",
    "Actor",
    "Role",
    "Scope",
    "require_area",
    "require_department",
    "require_grid_keeper",
    "require_role",
    "signature",
]


class Role(StrEnum):
    """A post's role. Codes live here and in the database; words live in the catalogues."""

    CITIZEN = "citizen"
    GRID_WORKER = "grid_worker"
    BUILDING_LEADER = "building_leader"
    GRID_LEADER = "grid_leader"
    TOWN_OFFICE = "town_office"
    TOWN_GRID_CENTRE = "town_grid_centre"
    TOWN_LEADER = "town_leader"
    HOTLINE_DESK = "hotline_desk"
    CALLBACK_OFFICER = "callback_officer"
    DISTRICT_PLATFORM = "district_platform"
    DISTRICT_LEADER = "district_leader"
    GOVERNANCE_CENTRE = "governance_centre"
    DEPARTMENT_DUTY = "department_duty"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"
    SYSTEM = "system"


POST_DIGITS: dict[Role, tuple[int, ...]] = {
    # where the grid has no building groups, the community is the cell
    Role.GRID_WORKER: (15, 12),
    Role.BUILDING_LEADER: (15, 12),
    Role.GRID_LEADER: (12,),
    Role.TOWN_OFFICE: (9,),
    Role.TOWN_GRID_CENTRE: (9,),
    Role.TOWN_LEADER: (9,),
}
"""Digits of the code of the area that a post is for; posts that are not named here are the district's, with 6."""


GRID_KEEPERS = frozenset({Role.DISTRICT_PLATFORM, Role.GOVERNANCE_CENTRE, Role.ADMINISTRATOR})
"""Who may load, draw and publish the grid of their district."""

RULE_KEEPERS = frozenset({Role.DISTRICT_PLATFORM, Role.GOVERNANCE_CENTRE, Role.ADMINISTRATOR})
"""Who may draft and publish the limits and the calendar that cases of their district run by."""

RULE_READERS = RULE_KEEPERS | {Role.DISTRICT_LEADER, Role.AUDITOR}
"""Who may look at what is drafted of them, and by whom."""

OPERATORS = frozenset({Role.DISTRICT_PLATFORM, Role.GOVERNANCE_CENTRE, Role.ADMINISTRATOR, Role.AUDITOR})
"""Who watches over the work itself: workers, clocks that are late, the calendar."""

DUTY_KEEPERS = frozenset(
    {
        Role.TOWN_GRID_CENTRE,
        Role.TOWN_OFFICE,
        Role.TOWN_LEADER,
        Role.DISTRICT_PLATFORM,
        Role.DISTRICT_LEADER,
        Role.GOVERNANCE_CENTRE,
        Role.AUDITOR,
        Role.ADMINISTRATOR,
    }
)
"""Those who see to it that everything has somebody: they read where a lead or a post is missing."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a person may read: areas by code prefix, and the tasks of departments.

    areas : code prefixes (6, 9, 12 or 15 digits); an incident is inside when its code starts with one.
    departments : department ids; a department reads the incidents for which it holds a task.
    everything : the system itself and nobody else.
    """

    areas: tuple[str, ...] = ()
    departments: tuple[int, ...] = ()
    everything: bool = False

    def covers(self, code: str) -> bool:
        """Tell whether an area code lies inside this scope."""
        return self.everything or any(code.startswith(area) for area in self.areas)


@dataclass(frozen=True, slots=True)
class Actor:
    """The person behind one act, in the post they act from. `person_id` is None for the system alone."""

    person_id: int | None
    name: str
    role: Role
    unit: str = ""
    area_code: str | None = None
    department_id: int | None = None

    @property
    def scope(self) -> Scope:
        """Return what this actor may read."""
        if self.role is Role.SYSTEM:
            return Scope(everything=True)
        return Scope(
            areas=(self.area_code,) if self.area_code else (),
            departments=(self.department_id,) if self.department_id else (),
        )


SYSTEM = Actor(person_id=None, name="system", role=Role.SYSTEM)


def require_area(actor: Actor, code: str) -> None:
    """Raise `NotFound` unless the area is in the actor's scope: out of sight and missing answer alike."""
    if not actor.scope.covers(code):
        raise NotFound("area_not_found", f"there is no area {code} that you may see", code=code)


def signature(actor: Actor) -> str:
    """Return how a person signs an act that a second person has to confirm: no two people sign alike."""
    return f"{actor.name} ({actor.person_id})"


def require_grid_keeper(actor: Actor, districts: Iterable[str] = ()) -> None:
    """Raise `Forbidden` unless the actor keeps the grid, `NotFound` for a district out of their sight."""
    if actor.role not in GRID_KEEPERS:
        raise Forbidden(
            "not_a_grid_keeper",
            "the grid is kept by the district's platform, its governance centre and the administrator",
            wanted=sorted(GRID_KEEPERS),
        )
    for district in districts:
        require_area(actor, district)


def require_department(actor: Actor, department_id: int) -> None:
    """Raise `Forbidden` unless the actor serves this department (or is the system)."""
    if actor.role is not Role.SYSTEM and actor.department_id != department_id:
        raise Forbidden(
            "not_your_department", "this task belongs to another department", wanted_department=department_id
        )


def require_role(actor: Actor, roles: Collection[Role]) -> None:
    """Raise `Forbidden` unless the actor holds one of these posts (or is the system)."""
    if actor.role is not Role.SYSTEM and actor.role not in roles:
        wanted = sorted(role.value for role in roles)
        raise Forbidden(
            "not_your_role", f"this is for {', '.join(wanted)}", got=actor.role.value, wanted=wanted
        )
