"""One incident: what was said, where it lies, who answers for it, what runs out when, what may be done now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import shapely
from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData
from starlette.responses import Response

from api.deps import ReadOnly, UnitOfWork
from api.pages.forms import Filled, text_of, tried, whole_of
from api.pages.layout import see_other
from api.pages.names import Names
from api.pages.near import keepers_of, near_incident
from api.pages.timeline import limit_words, steps
from api.pages.visit import Sent, Visit, Visiting
from api.pages.why import choices
from gis.errors import CityError, InvalidInput, NotFound
from grids import atlas, register
from grids.acts import incidents
from grids.acts.incidents import CallbackAnswer
from grids.register import Action, CaseFile
from grids.rules.calendar import local_day
from grids.rules.grading import Grade
from grids.rules.lifecycle import INCIDENT
from grids.rules.phones import mask_phone
from grids.rules.whistles import WHISTLE, WhistleLevel
from grids.tables import Incident, Solved

__all__ = ["incident_page", "router"]

router = APIRouter(include_in_schema=False)

_FINEST = 1e-5  # degrees, about a metre: what the small map can show


@router.get("/incidents/{number}")
def show_incident(number: str, session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show a case to somebody who may see it."""
    return incident_page(session, visit, number)


def incident_page(
    session: ReadOnly, visit: Visit, number: str, *, sent: Filled = Filled(), problem: CityError | None = None
) -> HTMLResponse:
    """Return the page of a case; with a form that came back, that form open and its problem named."""
    case = register.show_incident(session, visit.me, number)
    incident = case.incident
    names = visit.names(session)
    district = incident.grid_code[:6]
    return visit.show(
        session,
        "incident.html",
        names=names,
        problem=problem,
        here=f"/incidents/{number}",
        case=case,
        incident=incident,
        acts=_acts(case.actions),
        sent=sent,
        district=district,
        departments=_departments(case, names, district),
        steps=steps(case.trace, names, district),
        choices=choices(incident.explanation, names, district),
        limits=[limit_words(limit, visit.words) for limit in (incident.limits or {}).get("handle", [])],
        place=_place(session, visit, incident),
        keepers=keepers_of(session, visit, incident),
        near=near_incident(session, visit, incident),
        mask=mask_phone,
        whistle_of={key: w for w in case.whistles for key in (w.id, w.number)},
        task_of={str(task.id): task for task in case.tasks},
        evidence_of=lambda _task: case.category.evidence if case.category else [],
        cells=_cells(names, case),
        at="incident",
    )


def _acts(actions: Sequence[Action]) -> list[Action]:
    """Return the acts to offer: a result is accepted from the departments before the incident is verified."""
    parts_first = any((action.machine, action.action) == (WHISTLE.name, "verify") for action in actions)
    return [
        action
        for action in actions
        if not (parts_first and (action.machine, action.action) == (INCIDENT.name, "verify"))
    ]


def _departments(case: CaseFile, names: Names, district: str) -> list[tuple[str, str]]:
    """Return (name, role) of the departments that answered for the case when it was accepted."""
    named = (case.incident.responsible or {}).get("departments", [])
    return [
        (names.department(district, item["code"]), names.words.of("task_role", item["role"]))
        for item in named
    ]


def _place(session: ReadOnly, visit: Visit, incident: Incident) -> dict[str, object]:
    """Return what the small map draws: the point and the outline of its cell, in degrees."""
    (lon, lat), *_ = shapely.from_wkb(bytes(incident.point.data)).coords
    drawn: dict[str, object] = {
        "lon": lon,
        "lat": lat,
        "grade": incident.grade.value if incident.grade else None,
        "cell": None,
    }
    try:
        cell = atlas.grid(session, incident.grid_code, on=local_day(visit.now))
    except NotFound:
        return drawn  # a cell of an edition that is no longer in force: the point alone is shown
    shape = shapely.simplify(shapely.from_wkb(bytes(cell.boundary.data)), _FINEST)
    drawn["cell"] = shapely.geometry.mapping(shape)
    return drawn


def _cells(names: Names, case: CaseFile) -> list[tuple[str, str]]:
    """Return the cells of the district where somebody has to place the case by hand, else none."""
    if not any(action.action == "place" for action in case.actions):
        return []
    district = case.incident.grid_code[:6]
    return sorted((c, names.place(c)) for c in names.areas if len(c) == 15 and c.startswith(district))


_Act = Callable[[UnitOfWork, Visit, str, FormData], object]


@router.post("/incidents/{number}/{action}")
def act_on_incident(number: str, action: str, session: UnitOfWork, visit: Visiting, data: Sent) -> Response:
    """Carry out one act on a case, then show the case again."""
    act = _ACTS.get(action)
    if act is None:
        raise NotFound("no_such_address", f"there is no act '{action}' on an incident")
    done = tried(session, lambda: act(session, visit, number, data))
    if isinstance(done, CityError):
        sent = Filled.of(f"incident-{number}-{action}", data, done)
        return incident_page(session, visit, number, sent=sent, problem=done)
    return see_other(f"/incidents/{number}")


def _accept(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> object:
    grade, level = text_of(data, "grade"), whole_of(data, "level")
    try:
        chosen = Grade(grade) if grade else None
        first = WhistleLevel(level) if level else None
    except ValueError:
        raise InvalidInput(
            "unknown_choice", "the grade or the level is not one of the list", field="grade"
        ) from None
    return incidents.accept(
        session,
        number,
        category=text_of(data, "category"),
        grade=chosen,
        level=first,
        reason=text_of(data, "reason"),
        by=visit.me,
        now=visit.now,
    )


def _place_by_hand(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> object:
    code = text_of(data, "code") or ""
    return incidents.place(session, number, code=code, by=visit.me, now=visit.now)


def _verify(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> object:
    comment = text_of(data, "comment")
    return incidents.verify(session, number, passed=True, comment=comment, by=visit.me, now=visit.now)


def _rework(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> object:
    comment = text_of(data, "comment")
    return incidents.verify(session, number, passed=False, comment=comment, by=visit.me, now=visit.now)


def _callback(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> object:
    reached = data.get("reached") == "1"
    solved = text_of(data, "solved") if reached else None
    try:
        said = Solved(solved) if solved else None
    except ValueError:
        raise InvalidInput("unknown_choice", "solved is yes, partly or no", field="solved") from None
    answer = CallbackAnswer(
        reached=reached,
        solved=said,
        satisfaction=whole_of(data, "satisfaction") if reached else None,
        comment=text_of(data, "comment"),
        reporter_id=whole_of(data, "reporter_id"),
    )
    return incidents.callback(session, number, answer, by=visit.me, now=visit.now)


def _reopen(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> object:
    reason = text_of(data, "reason") or ""
    return incidents.reopen(session, number, reason=reason, by=visit.me, now=visit.now)


_ACTS: Mapping[str, _Act] = {
    "accept": _accept,
    "callback": _callback,
    "place": _place_by_hand,
    "reopen": _reopen,
    "rework": _rework,
    "verify": _verify,
}
