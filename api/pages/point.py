"""One recurrent problem point: what happened there, what is done about it, photos before and after, its rhythm."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData
from starlette.responses import Response

from api.deps import ReadOnly, UnitOfWork
from api.names import Names
from api.pages.acts import act_for
from api.pages.forms import Filled, text_of, tried
from api.pages.layout import see_other
from api.pages.points import lines_of, spots_of, unit_name
from api.pages.visit import Sent, Visit, Visiting
from gis.errors import CityError, InvalidInput
from grids import atlas
from grids.offers import Action
from grids.places import ledger, photos
from grids.places.ledger import AtPlace, PlaceFile
from grids.rules.calendar import local_day
from grids.rules.permissions import require_role
from grids.rules.places import LONGEST_NAME, PLACE, PhotoSide, PlaceStatus
from grids.tables import Place, PlaceStep

__all__ = ["point_page", "router"]

router = APIRouter(include_in_schema=False)

_S = PlaceStatus
_NUMBERED = 3  # a step names so many incidents; more are counted, and the table above has them all
_FEW = 10  # below this a pattern may be chance, and the page says so
_HOUR_PX, _DAY_PX = 20, 24
_NAMERS = frozenset(role for row in PLACE.rows("name") for role in row.roles)


async def _with_photo(request: Request) -> AsyncIterator[FormData]:
    async with request.form(max_files=1, max_fields=80, max_part_size=1_000_000) as data:  # closes the file
        yield data


WithPhoto = Annotated[FormData, Depends(_with_photo)]


@dataclass(frozen=True, slots=True)
class Visited:
    """An incident at a place, the days since the one before, and whether it began a new time."""

    one: AtPlace
    since: float | None
    counted: bool


@dataclass(frozen=True, slots=True)
class Told:
    """A step of the history as it is shown: who, as what, and what they said."""

    step: PlaceStep
    who: str
    role: str
    facts: Sequence[tuple[str, str]]


@router.get("/points/new")
def new_point(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show the form that names a place before the rule finds it; an address may bring category and position."""
    asked = {
        name: str(visit.request.query_params.get(name, ""))[:LONGEST_NAME]
        for name in ("category", "lon", "lat", "name")
    }
    return _naming(session, visit, Filled("name", {"frame": "CGCS2000", **asked}))


def _naming(session: ReadOnly, visit: Visit, form: Filled, problem: CityError | None = None) -> HTMLResponse:
    require_role(visit.me, _NAMERS)
    names = visit.names(session)
    own = visit.me.area_code or ""
    found = atlas.grid(session, own, on=local_day(visit.now)) if own else None
    return visit.show(
        session,
        "point_new.html",
        names=names,
        problem=problem,
        here="/points/new",
        form=form,
        bounds=_bounds(session, visit, own) if found else None,
        frames=visit.frames(),
        longest_name=LONGEST_NAME,
    )


def _bounds(session: ReadOnly, visit: Visit, code: str) -> list[float]:
    day = local_day(visit.now)
    level = atlas.grid(session, code, on=day).level
    shown = atlas.areas(session, level=level, parent=code, on=day)
    return [float(edge) for edge in shown.total_bounds]


@router.post("/points")
def name_point(session: UnitOfWork, visit: Visiting, data: Sent) -> Response:
    """Put a place on the ledger that a person names, and show it."""
    act = act_for(PLACE.name, "name")
    done = tried(session, lambda: act(session, visit, "", data))
    if isinstance(done, CityError):
        return _naming(session, visit, Filled.of("name", data, done), done)
    return see_other(f"/points/{done.number}" if isinstance(done, Place) else "/points")


@router.get("/points/{number}")
def show_point(number: str, session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show a place to somebody who may see it."""
    return point_page(session, visit, number)


def point_page(
    session: ReadOnly, visit: Visit, number: str, *, sent: Filled = Filled(), problem: CityError | None = None
) -> HTMLResponse:
    """Return the page of a place; with a form that came back, that form open and its problem named."""
    file = ledger.show_place(session, visit.me, number, now=visit.now)
    names = visit.names(session)
    (line,) = lines_of([file.row], names, local_day(visit.now))
    return visit.show(
        session,
        "point.html",
        names=names,
        problem=problem,
        here=f"/points/{number}",
        file=file,
        place=file.place,
        line=line,
        district=file.place.grid_code[:6],
        unit=lambda code: unit_name(names, file.place.grid_code, code),
        acts=[Action(PLACE.name, number, action) for action in file.actions],
        sent=sent,
        stages=_stages(file),
        visited=_visited(file),
        heat=_heat(file) if not file.row.rainy else None,
        few=_FEW,
        told=[_told(step, visit, names, file) for step in reversed(file.steps)],
        sides=[(side, file.photos_of(side)) for side in PhotoSide],
        spots=spots_of([line], visit),
        today=local_day(visit.now),
        largest=photos.LARGEST_BYTES,
        whistle_of={},
        task_of={},
        at="place",
    )


def _stages(file: PlaceFile) -> list[tuple[PlaceStatus, bool, bool]]:
    """Return (status, passed, here) along the life of the place."""
    status = file.place.status
    way = [_S.SUSPECTED, _S.CONFIRMED, _S.TREATING, _S.TREATED, _S.CURED]
    if status is _S.DISMISSED:
        way = [_S.SUSPECTED, _S.DISMISSED]
    elif status is _S.RETURNED:
        way = [_S.SUSPECTED, _S.CONFIRMED, _S.TREATING, _S.TREATED, _S.RETURNED]
    here = way.index(status)
    return [(one, number < here, number == here) for number, one in enumerate(way)]


def _visited(file: PlaceFile) -> list[Visited]:
    """Return the incidents of a place, the newest first, each with the days since the one before that counts."""
    counted = [member for member in file.members if member.counts]
    since = {
        after.number: (after.received_at - before.received_at).total_seconds() / 86_400
        for before, after in pairwise(counted)
    }
    times = sorted(file.times)
    seen: set[int] = set()
    rows = []
    for member in file.members:
        # the first report of a time began it; a rain begins before its first report
        time = bisect_right(times, member.received_at) - 1
        new = member.counts and time >= 0 and time not in seen
        if new:
            seen.add(time)
        rows.append(Visited(member, since.get(member.number), new))
    return rows[::-1]


def _heat(file: PlaceFile) -> dict[str, Any]:
    """Return the hours of the week as squares: (day, hour, count, class 0 to 4, x, y)."""
    hours = file.hours
    most = int(hours.max())
    squares = [
        (day, hour, count, math.ceil(4 * count / most) if most else 0, hour * _HOUR_PX, day * _DAY_PX)
        for day, row in enumerate(hours.tolist())
        for hour, count in enumerate(row)
    ]
    return {"squares": squares, "n": int(hours.sum()), "most": most, "rows": hours.tolist()}


def _told(step: PlaceStep, visit: Visit, names: Names, file: PlaceFile) -> Told:
    who, _, role = step.actor.removesuffix(")").rpartition(" (")
    words = visit.words
    said = {
        "note": words.of("fact", "note"),
        "reason": words.of("fact", "reason"),
        "result": words.of("fact", "result"),
        "cause": words("Cause"),
        "measure": words("Measure"),
    }
    facts = [(text, str(step.payload[name])) for name, text in said.items() if step.payload.get(name)]
    if step.payload.get("lead"):
        facts.append((words("Leads"), unit_name(names, file.place.grid_code, str(step.payload["lead"]))))
    if others := step.payload.get("cooperating"):
        helping = words.listed(unit_name(names, file.place.grid_code, str(code)) for code in others)
        facts.append((words("Cooperate"), helping))
    if step.payload.get("due_on"):
        facts.append((words("Due"), str(step.payload["due_on"])))
    if step.payload.get("side"):
        facts.append((words("Photo"), words.of("photo_side", str(step.payload["side"]))))
    if step.payload.get("campaign"):
        facts.insert(0, (words("Campaign"), str(step.payload.get("name") or step.payload["campaign"])))
    joined = step.payload.get("incidents")
    if isinstance(joined, list):
        facts.append(
            (words("Incidents"), ", ".join(joined) if len(joined) <= _NUMBERED else str(len(joined)))
        )
    if step.action == "cure":
        facts.append((words("Days quiet"), str(step.payload["days"])))
        if step.payload.get("rains") is not None:
            facts.append((words("Rains without water"), str(step.payload["rains"])))
    return Told(step, who or step.actor, words.of("role", role) if who else "", facts)


@router.get("/points/{number}/photos/{photo_id}.jpg")
def show_photo(number: str, photo_id: int, session: ReadOnly, visit: Visiting) -> Response:
    """Return a photo to somebody who may see its place; it never changes, and only this browser keeps it."""
    photo = photos.read_photo(session, visit.me.scope, number, photo_id)
    headers = {"Cache-Control": "private, max-age=86400", "Vary": "Cookie"}
    return Response(photo.content, media_type="image/jpeg", headers=headers)


@router.post("/points/{number}/{action}")
def act_on_point(number: str, action: str, session: UnitOfWork, visit: Visiting, data: WithPhoto) -> Response:
    """Carry out one act on a place, then show it again."""
    if action == "name":
        raise InvalidInput("unknown_choice", "a place is named once", field="action", got=action)
    act = act_for(PLACE.name, action)
    ledger.show_place(
        session, visit.me, number, now=visit.now
    )  # what is out of sight is missing, before all else
    done = tried(session, lambda: act(session, visit, number, data))
    if isinstance(done, CityError):
        sent = Filled.of(f"place-{number}-{action}", data, done)
        return point_page(session, visit, number, sent=sent, problem=done)
    return see_other(f"/points/{number}{'#photos-title' if text_of(data, 'side') else ''}")
