"""The report form: a place on the map, from the phone or by coordinates, and what is wrong there."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData
from starlette.responses import Response

from api.deps import ReadOnly, UnitOfWork
from api.names import Names
from api.pages.forms import Filled, moment_of, number_of, text_of, tried
from api.pages.layout import see_other
from api.pages.near import answering_at
from api.pages.visit import Sent, Visit, Visiting
from gis.errors import CityError, InvalidInput, NotFound
from grids import atlas, casefile, directory, repeats
from grids.acts import incidents
from grids.acts.incidents import Report
from grids.atlas import BORDER_M, Place
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
COARSE_M = 50.0  # a position that is less sure than this has to be looked at on the map
_NONE = "none"  # the answer of who knows that it is none of the cells
_CALLED = frozenset({Role.HOTLINE_DESK, Role.CITIZEN})
"""Those who report what somebody told them, or for themselves: they are asked for a name and a phone."""


@router.get("/report/new")
def new_report(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show the empty form."""
    return _form(session, visit, Filled("report"))


@router.get("/report/place")
def show_place(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show where a point lies, who answers there and what to ask, as a part of the form that is being filled in."""
    problem: CityError | None = None
    place = None
    try:
        place = _located(session, visit, visit.request.query_params)
    except InvalidInput as wrong:
        problem = wrong
    form = Filled("report", dict(visit.request.query_params))
    told = _place(session, visit, place, form)
    return visit.part(session, "place.html", form=form, place_problem=problem, **told)


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
        try:
            place = _located(session, visit, data)
        except InvalidInput:
            place = None
        return _form(session, visit, Filled.of("report", data, done), place=place, problem=done)
    return see_other(f"/incidents/{done}" if _may_read(session, visit, done) else f"/report/new?filed={done}")


def _may_read(session: UnitOfWork, visit: Visit, number: str) -> bool:
    """Tell whether the case is in sight of who reported it: what lies in another area is theirs to handle."""
    try:
        casefile.show_incident(session, visit.me, number, steps=1)
    except NotFound:
        return False
    return True


def _file(session: UnitOfWork, visit: Visit, data: FormData) -> str:
    """File what the form says and return its number; the same form sent twice files it once."""
    lon, lat = number_of(data, "lon"), number_of(data, "lat")
    place = _located(session, visit, data)
    if lon is None or lat is None or place is None:
        raise InvalidInput(
            "place_needed",
            "choose the place on the map, or give longitude and latitude",
            field="lon" if lon is None else "lat",
        )
    said = Report(
        channel=_CHANNELS.get(visit.me.role, Channel.PATROL),
        lon=lon,
        lat=lat,
        frame=visit.frame(text_of(data, "frame")),
        accuracy_m=_accuracy(data),
        address=text_of(data, "address"),
        text=text_of(data, "text") or "",
        category=text_of(data, "category"),
        reporter_name=text_of(data, "name"),
        reporter_phone=text_of(data, "phone"),
        occurred_at=moment_of(data, "occurred_at"),
        cell=_answer(place, data),
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


def _answer(place: Place, data: FormData) -> str | None:
    """Return which cell was said, None where there was nothing to ask or it is none of them.

    Raises `InvalidInput` ("pin_not_confirmed", "cell_needed") for a question that has no answer yet.
    """
    if _coarse(data):
        raise InvalidInput(
            "pin_not_confirmed",
            f"the position is coarser than {COARSE_M:g} m: choose the place on the map, or say that it is right",
            field="pin",
        )
    if not place.confirm:
        return None  # an answer that came along was about another point
    cell = text_of(data, "cell")
    if cell is None:
        raise InvalidInput(
            "cell_needed",
            "the place may lie in several cells: say which it is",
            field="cell",
            wanted=[one.code for one in place.candidates],
        )
    return None if cell == _NONE else cell


def _accuracy(data: FormData | Mapping[str, str]) -> float | None:
    """Return how sure the position is, None where a person has chosen the point or said that it is right."""
    accuracy_m = number_of(data, "accuracy_m")
    if accuracy_m is not None and accuracy_m > COARSE_M and text_of(data, "pin") is not None:
        return None
    return accuracy_m


def _coarse(data: FormData | Mapping[str, str]) -> int | None:
    """Return the accuracy in whole metres where somebody has to look at the point first."""
    accuracy_m = _accuracy(data)
    return round(accuracy_m) if accuracy_m is not None and accuracy_m > COARSE_M else None


@dataclass(frozen=True, slots=True)
class Ask:
    """Which cell is it? options : (value, name or "" for none of them, share in percent, metres away)."""

    options: Sequence[tuple[str, str, int, int]]
    chosen: str

    @classmethod
    def about(cls, place: Place | None, names: Names, answer: str) -> Ask | None:
        """Return the question about a place, with the most likely cell chosen beforehand; None without one."""
        if place is None or not place.confirm:
            return None
        options = [
            (one.code, names.place(one.code), round(one.share * 100), round(one.distance_m))
            for one in place.candidates
        ]
        if place.code is None:
            outside = 1 - sum(one.share for one in place.candidates)
            options.append((_NONE, "", round(outside * 100), 0))
        likely = max(options, key=lambda option: option[2])[0]
        return cls(options, answer if any(answer == value for value, *_ in options) else likely)


def _located(session: ReadOnly, visit: Visit, data: FormData | Mapping[str, str]) -> Place | None:
    lon, lat = number_of(data, "lon"), number_of(data, "lat")
    if lon is None or lat is None:
        return None
    return atlas.locate(
        session,
        lon,
        lat,
        visit.frame(text_of(data, "frame")),
        accuracy_m=_accuracy(data),
        on=local_day(visit.now),
    )


def _place(session: ReadOnly, visit: Visit, place: Place | None, form: Filled) -> dict[str, Any]:
    people = directory.responsible_people(session, place.code) if place is not None and place.code else []
    try:
        coarse = _coarse(form.values)
    except InvalidInput:
        coarse = None  # not from our map
    # first the point, then the cell: a coarse position may lie in any number of them
    ask = None if coarse else Ask.about(place, visit.names(session), form.get("cell"))
    names = visit.names(session)
    answering = answering_at(session, visit, names, place, form.get("category") or None)
    return {
        "place": place,
        "people": people,
        "answering": answering,
        "ask": ask,
        "coarse": coarse,
        "near_m": BORDER_M,
    }


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
        filed=filed if (filed := text_of(visit.request.query_params, "filed") or "").isdecimal() else None,
        bounds=bounds,
        frames=visit.frames(),
        place_problem=None,
        **_place(session, visit, place, form),
    )
