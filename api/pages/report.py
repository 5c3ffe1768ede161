"""The report form: a place on the map, from the phone or by coordinates, and what is wrong there."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData
from starlette.responses import Response

from api.deps import ReadOnly, UnitOfWork
from api.pages.forms import Filled, moment_of, number_of, text_of, tried
from api.pages.layout import see_other
from api.pages.visit import Sent, Visit, Visiting
from gis.errors import CityError, InvalidInput
from grids import atlas, directory, incidents, repeats
from grids.atlas import Place
from grids.incidents import Report
from grids.rules.calendar import local_day
from grids.rules.lifecycle import Channel
from grids.rules.permissions import Role

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_CHANNELS: Mapping[Role, Channel] = MappingProxyType(
    {
        Role.CITIZEN: Channel.CITIZEN,
        Role.GRID_WORKER: Channel.GRID_WORKER,
        Role.BUILDING_LEADER: Channel.BUILDING_LEADER,
        Role.HOTLINE_DESK: Channel.HOTLINE,
    }
)
_CALLED = frozenset({Role.HOTLINE_DESK, Role.CITIZEN})
"""Those who report what somebody told them, or for themselves: they are asked for a name and a phone."""


@router.get("/report/new")
def new_report(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show the empty form."""
    return _form(session, visit, Filled("report"))


@router.get("/report/place")
def show_place(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show where a point lies and who answers there, as a part of the form that is being filled in."""
    problem: CityError | None = None
    place = None
    try:
        place = _located(session, visit, visit.request.query_params)
    except InvalidInput as wrong:
        problem = wrong
    return visit.part(session, "place.html", **_place(session, place), place_problem=problem)


@router.post("/report/new")
def report(session: UnitOfWork, visit: Visiting, data: Sent) -> Response:
    """File the report and show its case; or, for the button "Check the place", only say where it lies."""
    if data.get("do") == "locate":
        try:
            place = _located(session, visit, data)
        except InvalidInput as wrong:
            return _form(session, visit, Filled.of("report", data, wrong), problem=wrong)
        return _form(session, visit, Filled.of("report", data), place=place)
    done = tried(session, lambda: _file(session, visit, data))
    if isinstance(done, CityError):
        return _form(session, visit, Filled.of("report", data, done), problem=done)
    return see_other(f"/incidents/{done}")


def _file(session: UnitOfWork, visit: Visit, data: FormData) -> str:
    """File what the form says and return its number; the same form sent twice files it once."""
    lon, lat = number_of(data, "lon"), number_of(data, "lat")
    if lon is None or lat is None:
        raise InvalidInput(
            "place_needed",
            "choose the place on the map, or give longitude and latitude",
            field="lon" if lon is None else "lat",
        )
    said = Report(
        channel=_CHANNELS.get(visit.me.role, Channel.PATROL),
        lon=lon,
        lat=lat,
        frame=text_of(data, "frame") or "",
        accuracy_m=number_of(data, "accuracy_m"),
        address=text_of(data, "address"),
        text=text_of(data, "text") or "",
        category=text_of(data, "category"),
        reporter_name=text_of(data, "name"),
        reporter_phone=text_of(data, "phone"),
        occurred_at=moment_of(data, "occurred_at"),
    )
    key = text_of(data, "key")
    if key is None:
        return incidents.report(session, said, by=visit.me, now=visit.now).number
    person = visit.signed.person.id
    kept = repeats.claim(
        session, person, f"page {key}", hashlib.sha256(repr(said).encode()).digest(), now=visit.now
    )
    if kept is None:
        number = incidents.report(session, said, by=visit.me, now=visit.now).number
        kept = {"number": number}
        repeats.keep(session, person, f"page {key}", 303, kept)
    return str(kept["number"])


def _located(session: ReadOnly, visit: Visit, data: FormData | Mapping[str, str]) -> Place | None:
    lon, lat = number_of(data, "lon"), number_of(data, "lat")
    if lon is None or lat is None:
        return None
    return atlas.locate(
        session,
        lon,
        lat,
        text_of(data, "frame") or "",
        accuracy_m=number_of(data, "accuracy_m"),
        on=local_day(visit.now),
    )


def _place(session: ReadOnly, place: Place | None) -> dict[str, Any]:
    people = directory.responsible_people(session, place.code) if place is not None and place.code else []
    return {"place": place, "people": people}


def _form(
    session: ReadOnly,
    visit: Visit,
    form: Filled,
    *,
    place: Place | None = None,
    problem: CityError | None = None,
) -> HTMLResponse:
    today = local_day(visit.now)
    area = visit.me.area_code or directory.district_of(session, visit.me)
    bounds = atlas.current(session, on=today).bounds
    if area:
        own = atlas.areas(session, parent=area, on=today)
        if len(own):
            west, south, east, north = (float(edge) for edge in own.total_bounds)
            bounds = (west, south, east, north)
    return visit.show(
        session,
        "report.html",
        problem=problem,
        here="/report/new",
        form=form,
        key=form.get("key") or secrets.token_urlsafe(16),
        called=visit.me.role in _CALLED,
        bounds=bounds,
        place_problem=None,
        **_place(session, place),
    )
