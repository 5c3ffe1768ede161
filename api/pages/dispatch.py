"""The list of incidents: filters in the address, a page at a time."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.datastructures import QueryParams

from api.deps import ReadOnly
from api.pages.forms import Filled, day_of, text_of
from api.pages.layout import query_of
from api.pages.visit import Visiting
from gis.errors import CityError, InvalidInput
from grids import register
from grids.register import Filters, Page
from grids.rules.grading import Grade
from grids.rules.lifecycle import Channel, IncidentStatus
from grids.rules.permissions import require_area

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_PAGE = 50
_E = TypeVar("_E", bound=StrEnum)


@router.get("/dispatch")
def dispatch(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show the incidents that fit the filters, newest first."""
    query = visit.request.query_params
    problem: CityError | None = None
    found = Page((), None)
    try:
        filters = _filters(query)
        if filters.area:
            require_area(visit.me, filters.area)
        found = register.find_incidents(
            session, visit.me.scope, filters, cursor=text_of(query, "cursor"), limit=_PAGE
        )
    except InvalidInput as wrong:
        problem = wrong
    names = visit.names(session)
    area = text_of(query, "area") or visit.me.area_code
    return visit.show(
        session,
        "dispatch.html",
        names=names,
        problem=problem,
        form=Filled("filter", dict(query), problem),
        incidents=found.items,
        next_page=query_of(visit.request, cursor=found.next_cursor, lang=None) if found.next_cursor else None,
        first_page=query_of(visit.request, cursor=None, lang=None) or "?" if query.get("cursor") else None,
        filtered=any(key not in ("cursor", "lang") and value for key, value in query.items()),
        areas=_areas(names.above(area) if area else [], names.below(area), visit.me.scope.covers),
        statuses=[(status.value, visit.words.of("status", status)) for status in IncidentStatus],
        grades=[(grade.value, visit.words.of("grade", grade)) for grade in Grade],
    )


def _areas(
    above: list[tuple[str, str]], below: list[tuple[str, str]], seen: Callable[[str], bool]
) -> list[tuple[str, str]]:
    """Return the areas to choose from: those above the chosen one, and those right inside it, indented."""
    shown = [(code, name) for code, name in above if seen(code)]
    lines = [(code, "\u3000" * step + name) for step, (code, name) in enumerate(shown)]
    return lines + [(code, "\u3000" * len(shown) + name) for code, name in below if seen(code)]


def _filters(query: QueryParams) -> Filters:
    """Return the filters of an address. Raises `InvalidInput` naming the field that cannot be used."""
    status, grade, channel = (text_of(query, name) for name in ("status", "grade", "channel"))
    return Filters(
        area=text_of(query, "area"),
        statuses=(_member(IncidentStatus, status, "status"),) if status else (),
        category=text_of(query, "category"),
        grade=_member(Grade, grade, "grade") if grade else None,
        channel=_member(Channel, channel, "channel") if channel else None,
        since=day_of(query, "from"),
        until=day_of(query, "to", after=1),
        text=text_of(query, "q"),
        open_only=query.get("open") == "1",
        overdue_only=query.get("overdue") == "1",
        counted_only=query.get("counted") == "1",
    )


def _member(kind: type[_E], code: str, name: str) -> _E:
    try:
        return kind(code)
    except ValueError:
        raise InvalidInput(
            "unknown_choice", f"{name} {code[:40]!r} is not known", field=name, wanted=[m.value for m in kind]
        ) from None
