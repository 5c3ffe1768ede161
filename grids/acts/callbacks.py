"""After a case is verified: everybody who reported it is called back, then it is closed; and taken up again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gis.errors import Conflict, Forbidden, InvalidInput
from grids import limits
from grids.acts import ladder
from grids.acts.case import Case
from grids.acts.reporters import belonging, reporters
from grids.ground import succession
from grids.rules import explanation
from grids.rules.deadlines import DeadlineKind
from grids.rules.lifecycle import INCIDENT, may_reopen
from grids.rules.permissions import SYSTEM, Actor, Role
from grids.rules.whistles import WhistleLevel
from grids.tables import Callback, Category, Incident, Placement, Reporter, Solved

__all__ = ["CallbackAnswer", "ask_or_close", "callback", "reopen", "to_call"]


@dataclass(frozen=True, slots=True)
class CallbackAnswer:
    """What came of one call: reached or not and, if reached, solved or not and how satisfied (1 to 5)."""

    reached: bool
    solved: Solved | None = None
    satisfaction: int | None = None
    comment: str | None = None
    reporter_id: int | None = None


def ask_or_close(case: Case, category: Category) -> None:
    """Have the reporters of a verified case called back, or close it where there is nobody to call."""
    if category.callback_required and reporters(case.session, case.incident.id):
        case.start_clock(DeadlineKind.CALLBACK)
        case.tell((Role.CALLBACK_OFFICER,), "incident.call_back")
    else:
        _close(case, {"callback": "none to call"}, by=SYSTEM)


def callback(session: Session, number: str, answer: CallbackAnswer, *, by: Actor, now: datetime) -> Incident:
    """Record one call to a reporter (row I11); the last one closes the case, or reopens it.

    Everybody who reported it is called, those of merged reports too, and each person once. One who cannot be
    reached three times on two days counts as called. "Not solved", or a satisfaction of 1 or 2, reopens the case at
    once when all were called (row I12).
    """
    case = Case.open(session, number, by, now)
    _check_answer(answer)
    incident = case.incident
    INCIDENT.decide(incident.status, "callback", by.role)
    reporter_id = _whom(session, incident, answer.reporter_id)
    facts = {
        "reporter": reporter_id,
        "reached": answer.reached,
        "solved": answer.solved.value if answer.solved else None,
        "satisfaction": answer.satisfaction,
    }
    case.move(incident, "callback", facts)
    session.add(
        Callback(
            incident_id=incident.id,
            reporter_id=reporter_id,
            round=incident.round,
            called_at=now,
            called_by_id=by.person_id,
            reached=answer.reached,
            solved=answer.solved,
            satisfaction=answer.satisfaction,
            comment=answer.comment,
        )
    )
    session.flush()
    if not to_call(session, incident):
        case.stop_clock(DeadlineKind.CALLBACK)
        _close(case, {"callback": "done"}, by=by)
        if _dissatisfied(session, incident):
            _reopen(case, "callback", by=by)
    session.flush()
    return incident


def _whom(session: Session, incident: Incident, wanted: int | None) -> int:
    """Return who of those that wait was called: the first of them where nobody is named."""
    waiting = to_call(session, incident)
    if wanted is None and waiting:
        return waiting[0].id
    phone = session.scalar(
        select(Reporter.phone).where(Reporter.id == wanted, Reporter.incident_id.in_(belonging(incident.id)))
    )
    for one in waiting:  # a person may have reported it twice: any of their reports names them
        if phone is not None and one.phone == phone:
            return one.id
    raise InvalidInput(
        "no_such_reporter",
        "this reporter is not waiting for a call about this incident",
        field="reporter_id",
        got=wanted,
        wanted=[one.id for one in waiting],
    )


def to_call(session: Session, incident: Incident) -> list[Reporter]:
    """Return who has still to be called in this round, each person once, the first reporter first."""
    calls = session.execute(
        select(
            Reporter.phone,
            func.bool_or(Callback.reached),
            func.count(),
            func.count(func.distinct(func.date(func.timezone("Asia/Shanghai", Callback.called_at)))),
        )
        .join(Reporter, Reporter.id == Callback.reporter_id)
        .where(Callback.incident_id == incident.id, Callback.round == incident.round)
        .group_by(Reporter.phone)
    ).all()
    rules = limits.of_case(session, incident, incident.received_at)
    done = {
        phone
        for phone, reached, tries, days in calls
        if reached or (tries >= rules.callback_tries and days >= rules.callback_days)
    }
    return [one for one in reporters(session, incident.id) if one.phone not in done]


def _dissatisfied(session: Session, incident: Incident) -> bool:
    return bool(
        session.scalar(
            select(func.count()).where(
                Callback.incident_id == incident.id,
                Callback.round == incident.round,
                Callback.reached,
                (Callback.solved == Solved.NO) | (Callback.satisfaction <= 2),
            )
        )
    )


def _close(case: Case, facts: dict[str, Any], *, by: Actor) -> None:
    case.move(case.incident, "close", facts, by=by)
    case.incident.closed_at = case.now


def reopen(session: Session, number: str, *, reason: str, by: Actor, now: datetime) -> Incident:
    """Take a closed case up again (row I12): a new round with a limit of its own; the first due date is kept.

    Within 15 days of closing, by a desk, or by a citizen whose report it was; the governance centre, which
    inspects, may later too. Raises `Conflict` ("too_late_to_reopen") and `Forbidden` ("not_your_report").
    """
    if not reason.strip():
        raise InvalidInput("reason_needed", "say why the case is taken up again", field="reason")
    case = Case.open(session, number, by, now)
    incident = case.incident
    INCIDENT.decide(incident.status, "reopen", by.role)
    if by.role is Role.CITIZEN and incident.reported_by_id != by.person_id:
        raise Forbidden("not_your_report", "only who reported it may have it taken up again")
    days = case.rules.reopen_days
    if not may_reopen(by.role, incident.closed_at, now, timedelta(days=days)):
        raise Conflict(
            "too_late_to_reopen",
            f"a case is taken up again within {days} days: report what is wrong now",
            wanted=days,
        )
    _reopen(case, reason, by=by)
    session.flush()
    return incident


def _reopen(case: Case, reason: str, *, by: Actor) -> None:
    incident = case.incident
    _check_reopen(incident)
    level = ladder.last_level(case)
    case.move(incident, "reopen", {"reason": reason, "round": incident.round + 1}, by=by)
    incident.round += 1
    incident.rework_count = 0
    incident.closed_at = incident.verified_at = incident.resolved_at = None
    incident.verified_how = None
    succession.catch_up(case)
    again = case.rules.second_handling
    due_at = case.start_clock(DeadlineKind.HANDLE, again)
    case.explain(explanation.second_due(due_at, again, case.now, case.calendar))
    # the town looks again before departments are called a second time
    ladder.begin(case, min(level, WhistleLevel.SECOND), "reopened", round=incident.round)


def _check_reopen(incident: Incident) -> None:
    """Refuse a case of another system that could never be closed again here."""
    if incident.placement is Placement.OUTSIDE:
        raise Conflict("not_placed", "this case lies in no grid cell: report it anew", number=incident.number)
    if incident.category_code is None:
        raise Conflict(
            "category_needed", "this case came without a category: report it anew", number=incident.number
        )


def _check_answer(answer: CallbackAnswer) -> None:
    if answer.reached and (answer.solved is None or answer.satisfaction is None):
        raise InvalidInput(
            "answer_incomplete",
            "a reporter who was reached says whether it is solved and how satisfied they are (1 to 5)",
            field="solved" if answer.solved is None else "satisfaction",
        )
    if answer.satisfaction is not None and not 1 <= answer.satisfaction <= 5:
        raise InvalidInput(
            "satisfaction_range",
            "satisfaction runs from 1 to 5",
            field="satisfaction",
            got=answer.satisfaction,
        )
