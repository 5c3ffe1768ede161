"""One incident: what was said, where it lies, who answers for it, what runs out when, what may be done now."""

from __future__ import annotations

from collections.abc import Sequence

import shapely
from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from api.deps import ReadOnly, UnitOfWork
from api.names import Names
from api.pages.acts import act_for
from api.pages.forms import Filled, tried
from api.pages.layout import see_other
from api.pages.near import keepers_of, near_incident
from api.pages.timeline import before_of, limit_words, steps
from api.pages.visit import Sent, Visit, Visiting
from api.pages.why import choices
from gis.errors import CityError, Conflict, Forbidden, NotFound
from grids import atlas, casefile
from grids.acts import onekey
from grids.acts.onekey import Proposal
from grids.casefile import CaseFile
from grids.duty import powers
from grids.offers import Action
from grids.places.marks import mark_of
from grids.rules.calendar import local_day
from grids.rules.grading import STATED, RaiseReason
from grids.rules.lifecycle import INCIDENT
from grids.rules.phones import mask_phone
from grids.rules.whistles import WHISTLE, WhistleLevel
from grids.tables import Incident

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
    before = before_of(visit.request.query_params)
    case = casefile.show_incident(
        session, visit.me, number, now=visit.now, steps=casefile.STEPS, before=before
    )
    incident = case.incident
    names = visit.names(session)
    district = incident.grid_code[:6]
    made = _proposal(session, visit, case)
    return visit.show(
        session,
        "incident.html",
        names=names,
        problem=problem,
        here=f"/incidents/{number}",
        case=case,
        incident=incident,
        acts=_acts(case.actions, one_key=made is not None),
        made=made,
        sent=sent,
        district=district,
        departments=_departments(case, names, district),
        steps=steps(case.trace, names, district),
        before=before,
        choices=choices(incident.explanation, names, district),
        limits=[limit_words(limit, visit.words) for limit in (incident.limits or {}).get("handle", [])],
        profile=(incident.limits or {}).get("profile"),
        place=_place(session, visit, incident),
        keepers=keepers_of(session, visit, incident),
        near=near_incident(session, visit, incident),
        recurs=mark_of(session, visit.me.scope, incident),
        mask=mask_phone,
        powers=powers.of_case(session, incident.category_code, incident.grid_code, on=local_day(visit.now)),
        whistle_of={key: w for w in case.whistles for key in (w.id, w.number)},
        task_of={str(task.id): task for task in case.tasks},
        more_time=case.extensions,
        sent_back=case.returns,
        evidence_of=lambda _task: case.category.evidence if case.category else [],
        cells=_cells(names, case),
        stated=[reason.value for reason in RaiseReason if reason in STATED],
        at="incident",
    )


def _proposal(session: ReadOnly, visit: Visit, case: CaseFile) -> Proposal | None:
    """Return the whistle for departments that one press would blow, None where this person blows none now."""
    levels = {whistle.number: whistle.level for whistle in case.whistles}
    blows = any(
        action.machine == WHISTLE.name and (action.action, levels[action.key]) in _BLOWS
        for action in case.actions
    )
    if not blows:
        return None
    try:
        return onekey.proposal(session, case.incident.number, by=visit.me, now=visit.now)
    except (Conflict, Forbidden):
        return None


# taking the town's whistle up, and sending a draft to the leader: the one-key whistle does both
_BLOWS = frozenset({("escalate", WhistleLevel.SECOND), ("submit", WhistleLevel.THIRD)})


def _acts(actions: Sequence[Action], *, one_key: bool) -> list[Action]:
    """Return the acts to offer: a result is accepted from the departments before the incident is verified."""
    parts_first = any((action.machine, action.action) == (WHISTLE.name, "verify") for action in actions)
    return [
        action
        for action in actions
        if not (parts_first and (action.machine, action.action) == (INCIDENT.name, "verify"))
        and not (one_key and action.machine == WHISTLE.name and action.action in ("escalate", "submit"))
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


@router.post("/incidents/{number}/{action}")
def act_on_incident(number: str, action: str, session: UnitOfWork, visit: Visiting, data: Sent) -> Response:
    """Carry out one act on a case, then show the case again."""
    act = act_for(INCIDENT.name, action)
    done = tried(session, lambda: act(session, visit, number, data))
    if isinstance(done, CityError):
        sent = Filled.of(f"incident-{number}-{action}", data, done)
        return incident_page(session, visit, number, sent=sent, problem=done)
    return see_other(f"/incidents/{number}")
