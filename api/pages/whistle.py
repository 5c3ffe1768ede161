"""One whistle: who was called, who has answered, come and finished, and what may be done now.

The acts on whistles and on departments' tasks are here; each goes back to the page that it was started from.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData
from starlette.responses import Response

from api.deps import ReadOnly, UnitOfWork
from api.pages.acts import act_for
from api.pages.forms import Filled, text_of, tried
from api.pages.inbox import inbox_page
from api.pages.incident import incident_page
from api.pages.layout import see_other
from api.pages.timeline import before_of, steps
from api.pages.visit import Sent, Visit, Visiting
from api.schemas.tasks import masked, may_call
from gis.errors import CityError, NotFound
from grids import casefile, directory
from grids.acts.presence import SHOWS_CODE
from grids.casefile import WhistleFile
from grids.rules.deadlines import DeadlineKind
from grids.rules.evidence import named_evidence, reasons_without
from grids.rules.lifecycle import INCIDENT
from grids.rules.tasks import TASK
from grids.rules.whistles import WHISTLE, WhistleStatus
from grids.tables import Person, Whistle

__all__ = ["router", "whistle_page"]

router = APIRouter(include_in_schema=False)


@router.get("/whistles/{number}")
def show_whistle(number: str, session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show a whistle to somebody who may see it."""
    return whistle_page(session, visit, number)


def whistle_page(
    session: ReadOnly, visit: Visit, number: str, *, sent: Filled = Filled(), problem: CityError | None = None
) -> HTMLResponse:
    """Return the page of a whistle; with a form that came back, that form open and its problem named."""
    before = before_of(visit.request.query_params)
    file = casefile.show_whistle(session, visit.me, number, now=visit.now, before=before)
    names = visit.names(session)
    district = file.incident.grid_code[:6]
    departments = {task.department_id for task in file.tasks}
    due_of = {(clock.task_id, clock.kind): clock.due_at for clock in file.clocks}
    return visit.show(
        session,
        "whistle.html",
        names=names,
        problem=problem,
        here=f"/whistles/{number}",
        file=file,
        whistle=file.whistle,
        incident=file.incident,
        # the incident's own acts stand on its page
        acts=[action for action in file.actions if action.machine != INCIDENT.name],
        sent=sent,
        district=district,
        # the draft's list is shown until each department has its task
        called=file.whistle.departments or [],
        steps=steps(file.trace, names, district),
        before=before,
        whistle_of=dict.fromkeys((file.whistle.id, number), file.whistle),
        task_of={str(task.id): task for task in file.tasks},
        more_time=file.extensions,
        sent_back=file.returns,
        instead=_instead(session, visit, file),
        # a number is whole for those who have to call it, while the whistle is open
        contact_phone=masked(file.whistle.contact_phone, shown=may_call(visit.me, file.whistle, departments)),
        phone_of=lambda task: masked(task.staff_phone, shown=may_call(visit.me, file.whistle, departments)),
        come_by=lambda task: due_of.get((task.id, DeadlineKind.CHECK_IN)) or file.whistle.appointed_at,
        evidence_shown=lambda task: named_evidence(task.evidence),
        evidence_without=lambda task: reasons_without(task.evidence),
        shows_code=visit.me.role in SHOWS_CODE
        and file.whistle.code_secret is not None
        and file.whistle.ended_at is None,
        evidence_of=lambda _task: file.category.evidence if file.category else [],
        at="whistle",
    )


_INSTEAD = frozenset(role for row in WHISTLE.rows("confirm_instead") for role in row.roles)


def _instead(session: ReadOnly, visit: Visit, file: WhistleFile) -> Sequence[Person] | None:
    """Return who may confirm now because the town's leader did not in time, None where the leader has time."""
    whistle = file.whistle
    late = whistle.id in file.standing.confirms_late
    if whistle.status is not WhistleStatus.PENDING_CONFIRM or not late:
        return None
    return directory.on_duty(session, _INSTEAD, whistle.area_code, visit.now)


def _again(
    session: UnitOfWork,
    visit: Visit,
    data: FormData,
    form_id: str,
    problem: CityError,
    numbers: tuple[str, str],
) -> HTMLResponse:
    """Show the page that a form was sent from once more, with its problem; numbers: incident, whistle."""
    sent = Filled.of(form_id, data, problem)
    at = data.get("at")
    if at == "incident":
        return incident_page(session, visit, numbers[0], sent=sent, problem=problem)
    if at == "inbox":
        return inbox_page(session, visit, sent=sent, problem=problem)
    return whistle_page(session, visit, numbers[1], sent=sent, problem=problem)


def _back(data: FormData, incident_number: str, whistle_number: str) -> Response:
    """Return to the page that a form was sent from."""
    places = {"incident": f"/incidents/{incident_number}", "inbox": "/inbox"}
    return see_other(places.get(str(data.get("at")), f"/whistles/{whistle_number}"))


@router.post("/whistles/{number}/{action}")
def act_on_whistle(number: str, action: str, session: UnitOfWork, visit: Visiting, data: Sent) -> Response:
    """Carry out one act on a whistle; what climbs is shown as the new whistle."""
    act = act_for(WHISTLE.name, action)
    incident = casefile.show_whistle(session, visit.me, number).incident.number
    done = tried(session, lambda: act(session, visit, number, data))
    if isinstance(done, CityError):
        return _again(session, visit, data, f"whistle-{number}-{action}", done, (incident, number))
    shown = done.number if isinstance(done, Whistle) else number  # what climbs is shown as the new whistle
    return _back(data, incident, shown)


@router.post("/tasks/{task_id}/{action}")
def act_on_task(task_id: int, action: str, session: UnitOfWork, visit: Visiting, data: Sent) -> Response:
    """Carry out one act on a department's task."""
    act = act_for(TASK.name, action)
    file = casefile.show_whistle(session, visit.me, text_of(data, "whistle") or "")
    if all(task.id != task_id for task in file.tasks):
        raise NotFound("task_not_found", f"there is no task {task_id} under this whistle", id=task_id)
    numbers = (file.incident.number, file.whistle.number)
    done = tried(session, lambda: act(session, visit, str(task_id), data))
    if isinstance(done, CityError):
        return _again(session, visit, data, f"task-{task_id}-{action}", done, numbers)
    return _back(data, *numbers)
