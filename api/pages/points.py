"""The ledger of recurrent problem points: by kind, with what is due and what came back, beside its map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.datastructures import QueryParams

from api.deps import ReadOnly
from api.names import Names
from api.pages.forms import Filled, text_of, whole_of
from api.pages.layout import query_of
from api.pages.visit import Visit, Visiting
from gis.errors import CityError, InvalidInput
from grids.places import ledger
from grids.places.campaigns import BEGINNERS
from grids.places.ledger import PlaceFilters, PlacePage, PlaceRow
from grids.rules.calendar import local_day
from grids.rules.categories import WATERLOGGING
from grids.rules.disputes import TOWN
from grids.rules.permissions import require_area
from grids.rules.places import LIVE_PLACES, PARKING, PLACE, PlaceKind, PlaceStatus, kind_of

__all__ = ["Line", "asked_of", "lines_of", "router", "spots_of", "unit_name"]

router = APIRouter(include_in_schema=False)

_PAGE = 50
_SOON_DAYS = 7
_NAMERS = frozenset(role for row in PLACE.rows("name") for role in row.roles)


_WALLS: Mapping[PlaceKind, PlaceFilters] = MappingProxyType(
    {
        PlaceKind.WATER: PlaceFilters(among=tuple(sorted(WATERLOGGING))),
        PlaceKind.PARKING: PlaceFilters(among=tuple(sorted(PARKING))),
        PlaceKind.OTHER: PlaceFilters(beside=tuple(sorted(WATERLOGGING | PARKING))),
    }
)


@dataclass(frozen=True, slots=True)
class Line:
    """A place as a list shows it. days : until the plan is due, below 0 when it is late; None without a day."""

    row: PlaceRow
    kind: PlaceKind
    where: str
    lead: str
    others: str
    days: int | None

    @property
    def soon(self) -> bool:
        """Whether the plan is due within a week."""
        return self.days is not None and 0 <= self.days <= _SOON_DAYS


def unit_name(names: Names, grid_code: str, unit: str | None) -> str:
    """Return the name of whoever leads at a place: a department, or the town itself."""
    if unit is None:
        return ""
    return names.area(grid_code[:9]) if unit == TOWN else names.department(grid_code[:6], unit)


def lines_of(rows: Sequence[PlaceRow], names: Names, today: date) -> list[Line]:
    """Return places as lines of a list."""
    return [
        Line(
            row=row,
            kind=kind_of(row.category.code),
            where=names.place(row.place.grid_code),
            lead=unit_name(names, row.place.grid_code, row.place.lead),
            others=names.words.listed(
                unit_name(names, row.place.grid_code, code) for code in row.place.cooperating
            ),
            days=(row.place.due_on - today).days
            if row.place.due_on and row.place.status is PlaceStatus.TREATING
            else None,
        )
        for row in rows
    ]


def spots_of(lines: Sequence[Line], visit: Visit) -> list[dict[str, Any]]:
    """Return what the map of a list draws: each place with its sign and how often it came back."""
    words = visit.words
    return [
        {
            "number": line.row.place.number,
            "name": line.row.place.name,
            "lon": line.row.lon,
            "lat": line.row.lat,
            "sign": words.of("place_sign", line.kind),
            "times": line.row.place.times,
            "status": words.of("place_status", line.row.place.status),
            "look": _look(line),
        }
        for line in lines
    ]


def _look(line: Line) -> str:
    status = line.row.place.status
    if status is PlaceStatus.RETURNED or line.row.overdue:
        return "alert"
    if status in (PlaceStatus.CURED, PlaceStatus.DISMISSED):
        return "done"
    return "guess" if status is PlaceStatus.SUSPECTED else "live"


@router.get("/points")
def list_points(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show the recurrent problem points in sight of one kind, those found last first, with their map."""
    query = visit.request.query_params
    kind = PlaceKind(query["kind"]) if query.get("kind") in set(PlaceKind) else PlaceKind.WATER
    problem: CityError | None = None
    found, counts = PlacePage((), None), dict.fromkeys(PlaceStatus, 0)
    try:
        filters = _filters(query)
        if filters.area:
            require_area(visit.me, filters.area)
        inside = replace(filters, among=_WALLS[kind].among, beside=_WALLS[kind].beside)
        found = ledger.find_places(
            session, visit.me.scope, inside, now=visit.now, cursor=text_of(query, "cursor"), limit=_PAGE
        )
        counts = ledger.count_places(session, visit.me.scope, inside, now=visit.now)
    except InvalidInput as wrong:
        problem = wrong
    names = visit.names(session)
    lines = lines_of(found.items, names, local_day(visit.now))
    area = text_of(query, "area") or visit.me.area_code
    return visit.show(
        session,
        "points.html",
        names=names,
        problem=problem,
        form=Filled("filter", dict(query), problem),
        kind=kind,
        tabs=_tabs(session, visit, kind),
        lines=lines,
        spots=spots_of(lines, visit),
        counts=counts,
        exported=query_of(visit.request, cursor=None, lang=None, format=None),
        returned=query_of(visit.request, status="returned", cursor=None, lang=None),
        next_page=query_of(visit.request, cursor=found.next_cursor, lang=None) if found.next_cursor else None,
        filtered=any(key not in ("cursor", "lang", "kind") and value for key, value in query.items()),
        areas=[
            (code, "\u3000" * step + name)
            for step, (code, name) in enumerate(
                one for one in names.above(area) if visit.me.scope.covers(one[0])
            )
        ]
        + [(code, "\u3000" * 2 + name) for code, name in names.below(area) if visit.me.scope.covers(code)]
        if area
        else [],
        units=_units(names, visit),
        names_places=visit.me.role in _NAMERS,
        begins=visit.me.role in BEGINNERS,
    )


def asked_of(query: QueryParams) -> tuple[PlaceKind, PlaceFilters]:
    """Return the kind and all filters of an address. Raises `InvalidInput`."""
    kind = PlaceKind(query["kind"]) if query.get("kind") in set(PlaceKind) else PlaceKind.WATER
    walls = _WALLS[kind]
    return kind, replace(_filters(query), among=walls.among, beside=walls.beside)


def _filters(query: QueryParams) -> PlaceFilters:
    """Return the filters of an address: by default what is not cured. Raises `InvalidInput`."""
    asked = text_of(query, "status")
    statuses = tuple(sorted(LIVE_PLACES))
    if asked == "all":
        statuses = ()
    elif asked:
        if asked not in set(PlaceStatus):
            raise InvalidInput(
                "unknown_choice",
                f"status {asked[:40]!r} is not known",
                field="status",
                wanted=list(PlaceStatus),
            )
        statuses = (PlaceStatus(asked),)
    return PlaceFilters(
        area=text_of(query, "area"),
        statuses=statuses,
        lead=text_of(query, "lead"),
        text=text_of(query, "q"),
        least_times=max(0, min(whole_of(query, "times") or 0, 1000)),
        overdue_only=query.get("overdue") == "1",
    )


def _tabs(session: ReadOnly, visit: Visit, kind: PlaceKind) -> list[tuple[str, str, int, bool]]:
    """Return (address, words, how many are not cured, whether it is open) of each tab; filters go along."""
    tabs = []
    for one in PlaceKind:
        counts = ledger.count_places(session, visit.me.scope, _WALLS[one], now=visit.now)
        address = query_of(visit.request, kind=one.value, cursor=None, lang=None)
        live = sum(counts[status] for status in LIVE_PLACES)
        tabs.append((f"/points{address}", visit.words.of("place_kind", one), live, one is kind))
    return tabs


def _units(names: Names, visit: Visit) -> list[tuple[str, str]]:
    district = (visit.me.area_code or "")[:6]
    if not district:
        return []
    return [(TOWN, visit.words("The town itself"))] + [
        (body.code, names.words.name(body)) for body in names.departments(district) if body.code != TOWN
    ]
