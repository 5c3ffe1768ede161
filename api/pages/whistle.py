"""One whistle: who was called, who has answered, come and finished, and what may be done now.

The acts on whistles and on departments' tasks are here; each goes back to the page that it was started from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData
from starlette.responses import Response

from api.deps import ReadOnly, UnitOfWork
from api.pages.forms import Filled, moment_of, number_of, text_of, tried, whole_of
from api.pages.inbox import inbox_page
from api.pages.incident import incident_page
from api.pages.layout import see_other
from api.pages.timeline import steps
from api.pages.visit import Sent, Visit, Visiting
from gis.errors import CityError, InvalidInput, NotFound
from grids import register
from grids.acts import joint, tasks, whistles
from grids.acts.joint import Draft
from grids.acts.tasks import CheckIn
from grids.rules.lifecycle import INCIDENT
from grids.rules.limits import Limit
from grids.rules.tasks import CheckInMethod, TaskRole
from grids.rules.whistles import WhistleType
from grids.tables import Task, Whistle

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
    file = register.show_whistle(session, visit.me, number)
    names = visit.names(session)
    district = file.incident.grid_code[:6]
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
        whistle_of=dict.fromkeys((file.whistle.id, number), file.whistle),
        task_of={str(task.id): task for task in file.tasks},
        evidence_of=lambda _task: file.category.evidence if file.category else [],
        at="whistle",
    )


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


_WhistleAct = Callable[[UnitOfWork, Visit, str, FormData], Whistle]
_TaskAct = Callable[[UnitOfWork, Visit, int, FormData], object]


@router.post("/whistles/{number}/{action}")
def act_on_whistle(number: str, action: str, session: UnitOfWork, visit: Visiting, data: Sent) -> Response:
    """Carry out one act on a whistle; what climbs is shown as the new whistle."""
    act = _WHISTLE_ACTS.get(action)
    if act is None:
        raise NotFound("no_such_address", f"there is no act '{action}' on a whistle")
    incident = register.show_whistle(session, visit.me, number).incident.number
    done = tried(session, lambda: act(session, visit, number, data))
    if isinstance(done, CityError):
        return _again(session, visit, data, f"whistle-{number}-{action}", done, (incident, number))
    return _back(data, incident, done.number)


@router.post("/tasks/{task_id}/{action}")
def act_on_task(task_id: int, action: str, session: UnitOfWork, visit: Visiting, data: Sent) -> Response:
    """Carry out one act on a department's task."""
    act = _TASK_ACTS.get(action)
    if act is None:
        raise NotFound("no_such_address", f"there is no act '{action}' on a task")
    file = register.show_whistle(session, visit.me, text_of(data, "whistle") or "")
    if all(task.id != task_id for task in file.tasks):
        raise NotFound("task_not_found", f"there is no task {task_id} under this whistle", id=task_id)
    numbers = (file.incident.number, file.whistle.number)
    done = tried(session, lambda: act(session, visit, task_id, data))
    if isinstance(done, CityError):
        return _again(session, visit, data, f"task-{task_id}-{action}", done, numbers)
    return _back(data, *numbers)


def _answer(session: UnitOfWork, visit: Visit, number: str, _data: FormData) -> Whistle:
    return whistles.answer(session, number, by=visit.me, now=visit.now)


def _solve(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Whistle:
    return whistles.solve(session, number, result=text_of(data, "result") or "", by=visit.me, now=visit.now)


def _escalate(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Whistle:
    return whistles.escalate(
        session, number, reason=text_of(data, "reason") or "", by=visit.me, now=visit.now
    )


def _file(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Whistle:
    return whistles.file(
        session,
        number,
        liaison_name=text_of(data, "liaison_name") or "",
        liaison_phone=text_of(data, "liaison_phone") or "",
        by=visit.me,
        now=visit.now,
    )


def _assign(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Whistle:
    return whistles.assign(
        session,
        number,
        office=text_of(data, "office") or "",
        instruction=text_of(data, "instruction") or "",
        by=visit.me,
        now=visit.now,
    )


def _submit(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Whistle:
    return joint.submit(session, number, _draft(data), by=visit.me, now=visit.now)


def _draft(data: FormData) -> Draft:
    """Return the draft that a form holds: one field `role_CODE` for each department that is called."""
    try:
        kind = WhistleType(str(data.get("type")))
        chosen = tuple(
            (name.removeprefix("role_"), TaskRole(str(role)))
            for name, role in data.items()
            if name.startswith("role_") and role
        )
    except ValueError:
        raise InvalidInput("unknown_choice", "choose one of the list", field="type") from None
    value, unit = text_of(data, "limit"), text_of(data, "unit")
    return Draft(
        type=kind,
        reason=text_of(data, "reason"),
        departments=chosen,
        appointed_at=moment_of(data, "appointed_at"),
        appointed_place=text_of(data, "appointed_place"),
        limit=Limit(value, unit or "") if value else None,
    )


def _confirm(session: UnitOfWork, visit: Visit, number: str, _data: FormData) -> Whistle:
    return joint.confirm(session, number, by=visit.me, now=visit.now)


def _refuse(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Whistle:
    return joint.refuse(session, number, reason=text_of(data, "reason") or "", by=visit.me, now=visit.now)


def _verify(session: UnitOfWork, visit: Visit, number: str, data: FormData) -> Whistle:
    return joint.verify(session, number, comment=text_of(data, "comment"), by=visit.me, now=visit.now)


def _archive(session: UnitOfWork, visit: Visit, number: str, _data: FormData) -> Whistle:
    return joint.archive(session, number, by=visit.me, now=visit.now)


_WHISTLE_ACTS: Mapping[str, _WhistleAct] = {
    "answer": _answer,
    "archive": _archive,
    "assign": _assign,
    "confirm": _confirm,
    "escalate": _escalate,
    "file": _file,
    "refuse": _refuse,
    "solve": _solve,
    "submit": _submit,
    "verify": _verify,
}


def _respond(session: UnitOfWork, visit: Visit, task_id: int, data: FormData) -> Task:
    return tasks.respond(
        session,
        task_id,
        staff_name=text_of(data, "staff_name") or "",
        staff_phone=text_of(data, "staff_phone") or "",
        arrives_at=moment_of(data, "arrives_at"),
        by=visit.me,
        now=visit.now,
    )


def _check_in(session: UnitOfWork, visit: Visit, task_id: int, data: FormData) -> Task:
    lon, lat = number_of(data, "lon"), number_of(data, "lat")
    how = CheckIn(
        # by hand where no position came with it; then the reason says what was seen
        method=CheckInMethod.MANUAL if data.get("method") == "manual" else CheckInMethod.GPS,
        lon=lon,
        lat=lat,
        frame=visit.frame(text_of(data, "frame") or "WGS84"),
        reason=text_of(data, "reason"),
    )
    return tasks.check_in(session, task_id, how, by=visit.me, now=visit.now)


def _start(session: UnitOfWork, visit: Visit, task_id: int, _data: FormData) -> Task:
    return tasks.start(session, task_id, by=visit.me, now=visit.now)


def _complete(session: UnitOfWork, visit: Visit, task_id: int, data: FormData) -> Task:
    evidence = [name.removeprefix("evidence_") for name in data if name.startswith("evidence_")]
    evidence += [line.strip() for line in (text_of(data, "evidence") or "").splitlines() if line.strip()]
    return tasks.complete(
        session,
        task_id,
        result=text_of(data, "result") or "",
        evidence=evidence,
        by=visit.me,
        now=visit.now,
    )


def _rework(session: UnitOfWork, visit: Visit, task_id: int, data: FormData) -> Task:
    return tasks.rework(session, task_id, comment=text_of(data, "comment") or "", by=visit.me, now=visit.now)


def _score(session: UnitOfWork, visit: Visit, task_id: int, data: FormData) -> object:
    marks = {name: whole_of(data, name) for name in ("response", "handling", "result")}
    missing = [name for name, mark in marks.items() if mark is None]
    if missing:
        raise InvalidInput("missing_field", f"{missing[0]} is missing", field=missing[0])
    return tasks.score(
        session,
        task_id,
        response=marks["response"] or 0,
        handling=marks["handling"] or 0,
        result=marks["result"] or 0,
        comment=text_of(data, "comment"),
        by=visit.me,
        now=visit.now,
    )


_TASK_ACTS: Mapping[str, _TaskAct] = {
    "check_in": _check_in,
    "complete": _complete,
    "respond": _respond,
    "rework": _rework,
    "score": _score,
    "start": _start,
}
