"""Forms of the acts on a department's task."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import FormData

from api.deps import UnitOfWork
from api.pages.forms import moment_of, text_of
from api.pages.visit import Act, Visit
from grids import casefile
from grids.acts import tasks
from grids.rules.evidence import named_evidence
from grids.rules.tasks import TASK
from grids.tables import Task

__all__ = ["ACTS"]

_TICK = "evidence_"


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


def _start(session: UnitOfWork, visit: Visit, key: str, _data: FormData) -> Task:
    return tasks.start(session, int(key), by=visit.me, now=visit.now)


def _complete(session: UnitOfWork, visit: Visit, key: str, data: FormData) -> Task:
    row = casefile.show_task(session, visit.me, int(key))
    ticked = {name.removeprefix(_TICK) for name in data if name.startswith(_TICK)}
    others = (text_of(data, "other_evidence") or "").splitlines()
    # one reason for all that nobody has ticked here or shown before
    reason, asked = text_of(data, "without"), row.category.evidence if row.category else []
    file = casefile.show_whistle(session, visit.me, row.whistle.number)
    shown = ticked.union(*(named_evidence(task.evidence) for task in file.tasks))
    return tasks.complete(
        session,
        int(key),
        result=text_of(data, "result") or "",
        evidence=[*(name for name in asked if name in ticked), *filter(None, map(str.strip, others))],
        without={name: reason for name in asked if name not in shown} if reason else {},
        by=visit.me,
        now=visit.now,
    )


def _rework(session: UnitOfWork, visit: Visit, key: str, data: FormData) -> Task:
    return tasks.rework(session, int(key), comment=text_of(data, "comment") or "", by=visit.me, now=visit.now)


ACTS: Mapping[tuple[str, str], Act] = {
    (TASK.name, "complete"): _complete,
    (TASK.name, "respond"): _respond,
    (TASK.name, "rework"): _rework,
    (TASK.name, "start"): _start,
}
