"""Whether everything in an area has somebody: categories without a lead or with several, posts that are empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.deps import ReadOnly
from api.names import Names
from api.pages.forms import Filled, text_of
from api.pages.layout import query_of
from api.pages.visit import Visit, Visiting
from gis.errors import CityError, InvalidInput
from grids.ground.coverage import Coverage, EmptyPost, coverage
from grids.rules.calendar import local_day
from grids.rules.levels import CODE_LENGTH, GridLevel
from grids.rules.permissions import DUTY_KEEPERS, Role, require_area, require_role

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the table. nobody, several : categories with a hole. lead : of a single category, if they agree."""

    nobody: int
    several: int
    lead: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """A category that nobody leads for, or several, in some areas."""

    category: str
    leads: tuple[str, ...]
    areas: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One area: its cells in the order of the columns."""

    code: str
    name: str
    href: str | None
    cells: tuple[Cell, ...]

    @property
    def whole(self) -> bool:
        """Whether every category has one lead."""
        return not any(cell.nobody or cell.several for cell in self.cells)


@router.get("/coverage")
def show_coverage(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show an area, the reader's own unless they choose one inside it."""
    require_role(visit.me, DUTY_KEEPERS)
    query = visit.request.query_params
    area = text_of(query, "area") or visit.me.area_code or ""
    require_area(visit.me, area)
    names = visit.names(session)
    problem: CityError | None = None
    asked = text_of(query, "level"), text_of(query, "category_field")
    try:
        found = _found(session, visit, area, *asked)
    except InvalidInput as wrong:
        problem = wrong
        found = _found(session, visit, area, None, None)
    fields = _fields(names)
    by_field = asked[1] is None or problem is not None
    lines = _lines(found, names, visit, by_field=by_field)
    shown = [line for line in lines if not line.whole] if query.get("only") == "1" else lines
    return visit.show(
        session,
        "coverage.html",
        names=names,
        problem=problem,
        form=Filled("filter", dict(query), problem),
        area=area,
        found=found,
        crumbs=[
            (query_of(visit.request, area=code, level=None, lang=None), name)
            for code, name in names.above(area)
            if visit.me.scope.covers(code)
        ],
        below=names.below(area),
        levels=_levels(area, names, visit),
        fields=fields,
        headings=_headings(found, fields, names, by_field=by_field),
        by_field=by_field,
        lines=shown,
        hidden=len(lines) - len(shown),
        leads=_leads(shown, names, area),
        problems=_problems(found),
        posts=_posts(found.posts),
    )


def _found(
    session: ReadOnly, visit: Visit, area: str, level: str | None, category_field: str | None
) -> Coverage:
    try:
        wanted = GridLevel(level) if level else None
    except ValueError:
        raise InvalidInput(
            "unknown_choice",
            "this is no level of the grid",
            field="level",
            wanted=[one.value for one in GridLevel],
        ) from None
    return coverage(session, area, on=local_day(visit.now), level=wanted, category_field=category_field)


def _fields(names: Names) -> list[tuple[str, str]]:
    """Return (code, name) of the fields of categories."""
    groups = [(options[0][0][:2], heading) for heading, options in names.categories() if options]
    return sorted(groups)


def _levels(area: str, names: Names, visit: Visit) -> list[tuple[str, str]]:
    lengths = {len(code) for code in names.areas if code.startswith(area)}
    return [
        (level.value, visit.words.of("level", level))
        for level, length in CODE_LENGTH.items()
        if length > len(area) and length in lengths
    ]


def _headings(
    found: Coverage, fields: Sequence[tuple[str, str]], names: Names, *, by_field: bool
) -> list[tuple[str, str, int]]:
    """Return (code, words, how many categories) of the columns: fields of categories, or those of one field."""
    if not by_field:
        return [(code, names.category(code), 1) for code in found.columns]
    counts = {code: len(list(group)) for code, group in groupby(found.columns, key=lambda c: c[:2])}
    return [(code, words, counts[code]) for code, words in fields if code in counts]


def _lines(found: Coverage, names: Names, visit: Visit, *, by_field: bool) -> list[Line]:
    lines = []
    for row, counts, leads in zip(found.rows, found.counts, found.leads, strict=True):
        single = [
            Cell(int(count == 0), int(count > 1), lead) for count, lead in zip(counts, leads, strict=True)
        ]
        cells = single
        if by_field:
            both = zip(found.columns, single, strict=True)
            cells = [
                Cell(sum(c.nobody for _, c in some), sum(c.several for _, c in some))
                for some in (list(group) for _, group in groupby(both, key=lambda one: one[0][:2]))
            ]
        href = query_of(visit.request, area=row, level=None, lang=None) if names.below(row) else None
        lines.append(Line(row, names.area(row), href, tuple(cells)))
    return lines


def _leads(lines: Sequence[Line], names: Names, area: str) -> list[tuple[str, str]]:
    """Return (code, name) of the departments that the table names."""
    codes = sorted({cell.lead for line in lines for cell in line.cells if cell.lead})
    return [(code, names.department(area[:6], code)) for code in codes]


def _problems(found: Coverage) -> list[Problem]:
    """Return the holes, those of one category that are alike as one."""
    areas: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for hole in found.holes:
        areas.setdefault((hole.category, hole.leads), []).append(hole.area)
    return [Problem(category, leads, tuple(where)) for (category, leads), where in areas.items()]


def _posts(posts: Sequence[EmptyPost]) -> Mapping[Role, list[str]]:
    found: dict[Role, list[str]] = {}
    for post in posts:
        found.setdefault(post.role, []).append(post.area)
    return found
