"""Who is called under a level-3 whistle, changed while it runs (row T12): exactly one lead at every moment.

Used wherever somebody decides that others answer for a case. Nothing here touches the case's own clocks: who comes
new gets clocks of their own, who goes loses theirs, and what was late by then stays late.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from gis.errors import InvalidInput
from grids import directory
from grids.acts import together
from grids.acts.case import Case
from grids.acts.joint import issue_task
from grids.acts.ladder import NOT_WHISTLED, resolve_incident, tasks_of
from grids.rules.deadlines import Outcome
from grids.rules.lifecycle import IncidentStatus
from grids.rules.pauses import Decision
from grids.rules.permissions import SYSTEM, Actor
from grids.rules.tasks import DONE_STATUSES, LET_GO, TaskRole
from grids.rules.whistles import WhistleStatus
from grids.tables import Deadline, ReturnRequest, Task, Whistle

__all__ = ["check_bodies", "let_go", "switch"]

_DRAFT = frozenset({WhistleStatus.DRAFTED, WhistleStatus.PENDING_CONFIRM})
_OUT = frozenset({WhistleStatus.ISSUED, WhistleStatus.IN_PROGRESS})


def check_bodies(case: Case, lead: str, cooperating: Sequence[str]) -> None:
    """Raise `InvalidInput` where a body cannot be called: "unknown_department", "not_whistled", "one_lead"."""
    codes = (lead, *cooperating)
    if len(set(codes)) != len(codes):
        raise InvalidInput(
            "one_lead", "each department is named once, and one of them leads", field="cooperating", got=codes
        )
    for field, code in (("lead", lead), *(("cooperating", code) for code in cooperating)):
        if code in NOT_WHISTLED:
            raise InvalidInput("not_whistled", f"'{code}' is informed, not whistled", field=field, got=code)
        directory.department(case.session, case.incident.grid_code[:6], code)


def switch(
    case: Case,
    whistle: Whistle,
    lead: str,
    cooperating: Sequence[str],
    reason: str,
    *,
    by: Actor = SYSTEM,
) -> bool:
    """Let these departments, and no others, answer for a whistle from now on; tell whether anything changed.

    A draft names them. Under a whistle that is out, whoever is not among them is let go (what is done already
    stays done), the lead changes hands, and whoever comes new gets a task. A whistle that is over stays as it is.
    Raises what `check_bodies` does. The case is under lock; nothing is committed.
    """
    check_bodies(case, lead, cooperating)
    wanted = {lead: TaskRole.LEAD} | dict.fromkeys(cooperating, TaskRole.COOPERATING)
    named = [{"code": code, "role": role.value} for code, role in wanted.items()]
    facts = {"departments": named, "reason": reason}
    if whistle.status in _DRAFT:
        if whistle.departments == named:
            return False
        whistle.departments = named
        case.move(whistle, "change_departments", facts, by=by)
        return True
    if whistle.status not in _OUT:
        return False
    tasks = tasks_of(case.session, whistle.id)
    held = {task.department.code: task for task in tasks if task.status not in LET_GO}
    if {code: task.role for code, task in held.items() if _counts(task, code in wanted)} == wanted:
        return False
    case.move(whistle, "change_departments", facts, by=by)
    whistle.departments = named
    for code, task in held.items():
        if code not in wanted and task.status not in DONE_STATUSES:
            let_go(case, whistle, task, reason, by=by)
    # who steps back goes first: the table of tasks holds one lead at a time
    for role in (TaskRole.COOPERATING, TaskRole.LEAD):
        for code, task in held.items():
            if task.status not in LET_GO and wanted.get(code, TaskRole.COOPERATING) is role:
                _give_role(case, whistle, task, role, reason, by=by)
        case.session.flush()
    number = len(tasks)
    for code, role in wanted.items():
        if code not in held:
            number += 1
            body = directory.department(case.session, case.incident.grid_code[:6], code)
            issue_task(case, whistle, body, role, f"{whistle.number}-{number:02d}")
    case.session.flush()
    _finish(case, whistle)
    return True


def _counts(task: Task, wanted: bool) -> bool:
    """Tell whether a part has a say in who is called: one that is done and wanted no more has none."""
    return wanted or task.status not in DONE_STATUSES or task.role is TaskRole.LEAD


def let_go(case: Case, whistle: Whistle, task: Task, reason: str, *, by: Actor) -> None:
    """Let a department go that owes something still (row T12): its clocks and what it asked for end with it."""
    case.move(task, "withdraw", {"department": task.department.code, "reason": reason}, by=by)
    task.disputed = False
    for clock in case.session.scalars(
        select(Deadline).where(Deadline.task_id == task.id, Deadline.settled_at.is_(None))
    ):
        # being let go does not make good what was late already
        case.settle(clock, Outcome.VOID if case.now <= clock.due_at else Outcome.MISSED)
    for asked in case.session.scalars(
        select(ReturnRequest).where(
            ReturnRequest.task_id == task.id, ReturnRequest.decision == Decision.ASKED
        )
    ):
        asked.decision, asked.decided_at, asked.decision_note = Decision.LAPSED, case.now, reason
    case.session.flush()
    case.tell_department(
        task.department_id, "task.withdrawn", whistle=whistle.number, task=task.id, reason=reason
    )


def _give_role(case: Case, whistle: Whistle, task: Task, role: TaskRole, reason: str, *, by: Actor) -> None:
    if task.role is role:
        return
    facts = {"department": task.department.code, "role": role.value, "reason": reason}
    case.move(task, "change_role", facts, by=by)
    task.role = role
    about = {"whistle": whistle.number, "task": task.id}
    if role is TaskRole.LEAD:
        case.tell_department(task.department_id, "task.leads", **about)
    else:
        case.tell_department(task.department_id, "task.cooperates", **about)


def _finish(case: Case, whistle: Whistle) -> None:
    """Resolve the case (row I9) where whoever is left has done every part: nobody else would."""
    parts = [task for task in tasks_of(case.session, whistle.id) if task.status not in LET_GO]
    if case.incident.status is not IncidentStatus.HANDLING or any(
        task.status not in DONE_STATUSES for task in parts
    ):
        return
    lead = next(task for task in parts if task.role is TaskRole.LEAD)
    if whistle.status is WhistleStatus.ISSUED:
        case.move(whistle, "progress", by=SYSTEM)
    whistle.result = lead.result
    together.conclude(case, whistle, lead.result or "")
    resolve_incident(case, lead.result or "", by=SYSTEM)
