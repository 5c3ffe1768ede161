"""Whether everything has somebody: for each area and category how many departments lead, and which posts are empty.

What has a polygon is left out of the counts: it holds for a part of an area, and stands in a list of its own. An
area above the cells counts as its worst cell does, so that a hole in one cell shows at every level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from gis.errors import InvalidInput
from grids import atlas
from grids.duty.duties import in_force, rule_of
from grids.rules.codes import level_of
from grids.rules.coverage import Hole, holes, leads_by_cell, shared, worst
from grids.rules.levels import CODE_LENGTH, TOP_DOWN, GridLevel, child_level
from grids.rules.permissions import Role
from grids.rules.responsibilities import Rule
from grids.scope import under
from grids.tables import Category, Edition, Grid, Person, Post, Responsibility

__all__ = [
    "Coverage",
    "EmptyPost",
    "SpatialRule",
    "coverage",
    "empty_posts",
    "spatial_rules",
    "touching",
]

_POSTS = {
    Role.GRID_WORKER: GridLevel.BUILDING_GROUP,
    Role.GRID_LEADER: GridLevel.COMMUNITY,
    Role.TOWN_GRID_CENTRE: GridLevel.TOWN,
}
"""The posts without which a place has nobody to answer, and the level that each is for."""


@dataclass(frozen=True, slots=True)
class EmptyPost:
    """A post that nobody on duty holds."""

    role: Role
    area: str


@dataclass(frozen=True, slots=True)
class SpatialRule:
    """A rule that holds inside its polygon only."""

    rule: int
    kind: str
    name: str | None
    area: str
    category: str | None
    lead: str | None
    since: date
    until: date | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many lead for each category in each area of a level, inside `area`.

    rows : codes of the areas. columns : codes of the categories. counts[i][j] : leads of the j-th category in the
    i-th area: 0 nobody, 1 as it should be, more a conflict; of an area with several cells that of its worst cell.
    leads[i][j] : the lead where all cells of the area agree on one, else None.
    """

    area: str
    level: GridLevel
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    leads: tuple[tuple[str | None, ...], ...]
    holes: tuple[Hole, ...]
    polygons: tuple[SpatialRule, ...]
    posts: tuple[EmptyPost, ...]


def coverage(
    session: Session,
    area: str,
    *,
    on: date,
    level: GridLevel | None = None,
    category_field: str | None = None,
) -> Coverage:
    """Return the coverage of an area on a day.

    level : of the rows; by default the one below the area, or its own for a cell. category_field : two digits of a
    field of categories; all where None.
    Raises `NotFound` ("grid_not_found") and `InvalidInput`: "no_cells" where no area of the level lies in
    this one, "unknown_choice" for a field without categories.
    """
    atlas.grid(session, area, on=on)
    own = level_of(area)
    areas = _areas(session, area, on)
    cells = _cells(areas)
    wanted = level or child_level(own) or own
    rows = tuple(code for code in areas if len(code) == CODE_LENGTH[wanted])
    if not rows and level is None:
        rows = (area,)  # the cell itself
    if not rows:
        raise InvalidInput(
            "no_cells",
            f"no area of level {wanted.value} lies in {area}",
            field="level",
            got=wanted.value,
            wanted=[one.value for one in TOP_DOWN if any(len(code) == CODE_LENGTH[one] for code in areas)],
        )
    columns = _columns(session, category_field)
    found = leads_by_cell(_rules(session, area, on), cells, columns, on)
    below = {row: [place for place, cell in enumerate(cells) if cell.startswith(row)] for row in rows}
    return Coverage(
        area=area,
        level=level_of(rows[0]),
        rows=rows,
        columns=columns,
        counts=tuple(tuple(worst(found[c], below[row]) for c in columns) for row in rows),
        leads=tuple(tuple(shared(found[c], below[row]) for c in columns) for row in rows),
        holes=tuple(holes(found, cells, area)),
        polygons=spatial_rules(session, area, on=on),
        posts=empty_posts(session, area, on=on),
    )


def empty_posts(session: Session, area: str, *, on: date) -> tuple[EmptyPost, ...]:
    """Return the grid workers, grid leaders and town centres that are missing in an area, from the town down."""
    held = {
        (role, code)
        for role, code in session.execute(
            select(Post.role, Post.area_code)
            .join(Person, Person.id == Post.person_id)
            .where(
                Post.role.in_(_POSTS),
                under(Post.area_code, area[:6]),  # type: ignore[arg-type]
                Post.on_duty,
                Person.disabled_at.is_(None),
            )
        )
    }
    areas = _areas(session, area, on)
    cells = set(_cells(areas))
    missing = []
    for code in areas:
        level = level_of(code)
        for role, needed in _POSTS.items():
            # where the grid has no building groups, the community is the cell
            at = code in cells if role is Role.GRID_WORKER else level is needed
            above = {(role, code), (role, code[: CODE_LENGTH[GridLevel.COMMUNITY]])}
            if at and not above & held:
                missing.append(EmptyPost(role, code))
    return tuple(sorted(missing, key=lambda post: (len(post.area), post.area, post.role.value)))


def spatial_rules(session: Session, area: str, *, on: date) -> tuple[SpatialRule, ...]:
    """Return the rules with a polygon that hold in an area or in what it lies in, by area and number."""
    rows = session.scalars(
        select(Responsibility)
        .where(Responsibility.boundary.is_not(None), touching(area), in_force(on))
        .order_by(Responsibility.area_code, Responsibility.id)
    )
    return tuple(
        SpatialRule(
            rule=row.id,
            kind=row.kind.value,
            name=row.name,
            area=row.area_code,
            category=row.category_code,
            lead=row.lead,
            since=row.effective_from,
            until=row.effective_to,
        )
        for row in rows
    )


def touching(area: str) -> ColumnElement[bool]:
    """Return the condition that a rule is for an area, for something in it or for something that it lies in."""
    above = [area[:n] for n in (0, *CODE_LENGTH.values()) if n < len(area)]
    return or_(under(Responsibility.area_code, area), Responsibility.area_code.in_(above))


def _areas(session: Session, area: str, on: date) -> list[str]:
    return list(
        session.scalars(
            select(Grid.code)
            .join(Edition, Edition.id == Grid.edition_id)
            .where(atlas.in_force(on), under(Grid.code, area))
            .order_by(Grid.code)
        )
    )


def _cells(areas: Sequence[str]) -> list[str]:
    deepest = max(len(code) for code in areas)
    return [code for code in areas if len(code) == deepest]


def _columns(session: Session, category_field: str | None) -> tuple[str, ...]:
    wanted: list[ColumnElement[bool]] = [Category.retired_on.is_(None)]
    if category_field is not None:
        wanted.append(Category.field_code == category_field)
    found = tuple(session.scalars(select(Category.code).where(and_(*wanted)).order_by(Category.code)))
    if not found and category_field is not None:
        raise InvalidInput(
            "unknown_choice",
            f"there is no category in a field '{category_field}'; fields have two digits, such as 07",
            field="category_field",
            got=category_field,
        )
    return found


def _rules(session: Session, area: str, on: date) -> list[Rule]:
    rows = session.scalars(
        select(Responsibility).where(Responsibility.boundary.is_(None), touching(area), in_force(on))
    )
    return [rule_of(row) for row in rows]
