"""Forms of the acts on a department's task."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import FormData

from api.deps import UnitOfWork
from api.pages.forms import moment_of, number_of, text_of, whole_of
from api.pages.visit import Act, Visit
from gis.errors import InvalidInput
from grids.acts import tasks
from grids.acts.tasks import CheckIn
from grids.rules.tasks import TASK, CheckInMethod
from grids.tables import Task

__all__ = ["ACTS"]


def _respond(session: UnitOfWork, visit: Visit, key: str, data: FormData) -> Task:
    return tasks.respond(
        session,
        int(key),
        staff_name=text_of(data, "staff_name") or "",
        staff_phone=text_of(data, "staff_phone") or "",
        arrives_at=moment_of(data, "arrives_at"),
        by=visit.me,
        now=visit.now,
    )


def _check_in(session: UnitOfWork, visit: Visit, key: str, data: FormData) -> Task:
    lon, lat = number_of(data, "lon"), number_of(data, "lat")
    how = CheckIn(
        # by hand where no position came with it; then the reason says what was seen
        method=CheckInMethod.MANUAL if data.get("method") == "manual" else CheckInMethod.GPS,
        lon=lon,
        lat=lat,
        frame=visit.frame(text_of(data, "frame") or "WGS84"),
        reason=text_of(data, "reason"),
    )
    return tasks.check_in(session, int(key), how, by=visit.me, now=visit.now)


def _start(session: UnitOfWork, visit: Visit, key: str, _data: FormData) -> Task:
    return tasks.start(session, int(key), by=visit.me, now=visit.now)


def _complete(session: UnitOfWork, visit: Visit, key: str, data: FormData) -> Task:
    evidence = [name.removeprefix("evidence_") for name in data if name.startswith("evidence_")]
    evidence += [line.strip() for line in (text_of(data, "evidence") or "").splitlines() if line.strip()]
    return tasks.complete(
        session,
        int(key),
        result=text_of(data, "result") or "",
        evidence=evidence,
        by=visit.me,
        now=visit.now,
    )


def _rework(session: UnitOfWork, visit: Visit, key: str, data: FormData) -> Task:
    return tasks.rework(session, int(key), comment=text_of(data, "comment") or "", by=visit.me, now=visit.now)


def _score(session: UnitOfWork, visit: Visit, key: str, data: FormData) -> object:
    marks = {name: whole_of(data, name) for name in ("response", "handling", "result")}
    missing = [name for name, mark in marks.items() if mark is None]
    if missing:
        raise InvalidInput("missing_field", f"{missing[0]} is missing", field=missing[0])
    return tasks.score(
        session,
        int(key),
        response=marks["response"] or 0,
        handling=marks["handling"] or 0,
        result=marks["result"] or 0,
        comment=text_of(data, "comment"),
        by=visit.me,
        now=visit.now,
    )


ACTS: Mapping[tuple[str, str], Act] = {
    (TASK.name, "check_in"): _check_in,
    (TASK.name, "complete"): _complete,
    (TASK.name, "respond"): _respond,
    (TASK.name, "rework"): _rework,
    (TASK.name, "score"): _score,
    (TASK.name, "start"): _start,
}
