"""Slips of supervision in a made-up case, named as in `grids.acts.slips`: what clocks issue, and what units answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from grids.demo.chronicle import Chronicle, Thing
from grids.demo.people import Staff
from grids.rules.calendar import SHANGHAI
from grids.rules.deadlines import RULES, DeadlineKind, Effect
from grids.rules.permissions import Actor, Role
from grids.rules.profiles import DEFAULT
from grids.rules.slips import HANDLING, SlipCause, SlipKind, kind_for, long_overdue_at, progress_at
from grids.rules.tasks import DONE_STATUSES
from grids.tables import Slip

__all__ = ["answer", "fired", "watch"]


def watch(case: Chronicle, task: Thing) -> None:
    """Start the clock that reminds a department before its time is over."""
    at = progress_at(task.row["issued_at"], task.row["due_at"], DEFAULT.progress_share)
    if at > case.now:
        case.start_clock(DeadlineKind.PROGRESS, due_at=at, whistle=case.third, task=task)


def fired(case: Chronicle, clock: dict[str, Any], whistle: Thing | None, task: Thing | None) -> None:
    """Issue the slip that a clock leads to that ran out, if any."""
    kind = clock["kind"]
    if RULES[kind].effect is Effect.SLIP:
        _by_clock(case, kind, whistle, task)
    elif kind is DeadlineKind.RESPOND and task is not None:
        _issue(case, SlipCause.NO_RESPONSE, whistle, task)
    elif kind is DeadlineKind.COMPLETE and task is not None:
        _issue(case, SlipCause.OVERDUE, whistle, task)
        least = timedelta(hours=DEFAULT.long_overdue_hours)
        at = long_overdue_at(task.row["issued_at"], clock["due_at"], least)
        case.start_clock(DeadlineKind.LONG_OVERDUE, due_at=max(at, case.now), whistle=whistle, task=task)
    elif kind is DeadlineKind.HANDLE and not case.tasks:
        _issue(case, SlipCause.OVERDUE, whistle, None)


def _by_clock(case: Chronicle, kind: DeadlineKind, whistle: Thing | None, task: Thing | None) -> None:
    if kind is DeadlineKind.SLIP_ANSWER:
        waiting = _unanswered(case, task)
        if waiting and all(slip["kind"] is not SlipKind.WARN for slip in waiting):
            _issue(case, SlipCause.IGNORED, whistle, task, step=len(waiting))
    elif task is not None and task.status not in DONE_STATUSES:
        cause = SlipCause.PROGRESS if kind is DeadlineKind.PROGRESS else SlipCause.LONG_OVERDUE
        _issue(case, cause, whistle, task)


def answer(case: Chronicle, slip: dict[str, Any], by: Actor, text: str) -> None:
    """Answer a slip as the unit that it is addressed to."""
    slip |= {"answered_at": case.now, "answered_by_id": by.person_id, "answer": text}
    facts = {"slip_number": slip["number"], "slip": slip["kind"].value, "comment": text}
    case.note("slip_answered", "T11", facts, by=by)
    task = next((one for one in case.tasks if one.row["id"] == slip["task_id"]), None)
    if not _unanswered(case, task):
        case.stop_clock(DeadlineKind.SLIP_ANSWER, task=task)


def _unanswered(case: Chronicle, task: Thing | None) -> list[dict[str, Any]]:
    about = task.row["id"] if task is not None else None
    return [one for one in case.unanswered() if one["task_id"] == about]


def _issue(
    case: Chronicle, cause: SlipCause, whistle: Thing | None, task: Thing | None, *, step: int = 1
) -> None:
    kind, number = kind_for(cause), case.incident.row["round"]
    same = (kind, cause, number, step, task.row["id"] if task else None)
    if any(tuple(one[name] for name in _ONCE) == same for one in case.slips):
        return
    handling = HANDLING[kind]
    staff, town = case.book.staff, case.cell[:9]
    stem = f"{handling.letter}{case.now.astimezone(SHANGHAI):%Y%m%d}{town[:6]}"
    due_at = task.row["due_at"] if task is not None else case.incident.row["due_effective"]
    row: dict[str, Any] = {
        **dict.fromkeys(_COLUMNS),
        "number": f"{stem}{case.book.next_number(f'slip {stem}'):05d}",
        "kind": kind,
        "cause": cause,
        "incident_id": case.incident.row["id"],
        "whistle_id": whistle.row["id"] if whistle else None,
        "task_id": task.row["id"] if task else None,
        "round": number,
        "step": step,
        "area_code": town,
        "unit": task.body.code if task is not None and task.body else town,
        "facts": {
            "due_at": due_at.isoformat(),
            "note": None,
            "reworks": (task or case.incident).row["rework_count"],
        },
        "recipients": _named(staff, _addressed(case, task)),
        "copies": _named(staff, _holders(staff, handling.copies, town)),
        "issued_at": case.now,
    }
    case.note(
        "slip",
        "T11",
        {
            "slip": kind.value,
            "slip_cause": cause.value,
            "slip_number": row["number"],
            "unit": row["unit"],
            "letter": task.subject if task else None,
            "whistle": whistle.subject if whistle else None,
        },
    )
    if handling.answered:
        case.stop_clock(DeadlineKind.SLIP_ANSWER, task=task, void=True)
        row["answer_due_at"] = case.start_clock(DeadlineKind.SLIP_ANSWER, whistle=whistle, task=task)
    case.slips.append(row)
    case.book.sheets.add(Slip, row)


def _addressed(case: Chronicle, task: Thing | None) -> list[Actor]:
    staff, town = case.book.staff, case.cell[:9]
    if task is not None and task.body is not None:
        return [staff.department(town[:6], task.body.code)]
    return _holders(staff, (Role.TOWN_OFFICE, Role.TOWN_GRID_CENTRE), town)


def _holders(staff: Staff, roles: Sequence[Role], town: str) -> list[Actor]:
    """Return who holds these roles, the town's before the district's."""
    return [one for area in (town, town[:6]) for role in roles for one in staff.holders.get((role, area), ())]


def _named(staff: Staff, people: Sequence[Actor]) -> list[dict[str, Any]]:
    return [{"name": one.name, "post": staff.titles.get(one.person_id or 0, "")} for one in people]


_ONCE = ("kind", "cause", "round", "step", "task_id")
_COLUMNS = tuple(column.key for column in Slip.__table__.columns if column.key != "id")
