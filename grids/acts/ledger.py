"""Hard cases kept on a ledger (挂账, row I13): with a plan, who leads it, a day of review and a reply to the public.

A case on the ledger stands still like a suspended one, but without a day on which it goes on by itself: the day of
review reminds those who put it there. It counts in no rate of its period and is listed apart, so that it is not
forgotten. It is taken up again with the time that it had left, or closed with what the public is told.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from grids import directory
from grids.acts.case import Case, said
from grids.acts.ladder import NOT_WHISTLED, drop_clocks, tasks_of
from grids.acts.parties import let_go
from grids.acts.pauses import go_on, stand_still
from grids.rules.deadlines import DeadlineKind
from grids.rules.lifecycle import INCIDENT
from grids.rules.pauses import STANDS_STILL, ClockMove, check_review_day, review_due
from grids.rules.permissions import SYSTEM, Actor, Role
from grids.rules.tasks import DONE_STATUSES, LET_GO
from grids.rules.whistles import WHISTLE, WhistleLevel
from grids.tables import Deadline, Incident, LedgerItem

__all__ = ["close", "put", "review", "take_up"]

_KEEPERS = (Role.DISTRICT_PLATFORM, Role.DISTRICT_LEADER)
_BELOW = (Role.GRID_LEADER, Role.TOWN_OFFICE, Role.TOWN_GRID_CENTRE)


def put(
    session: Session,
    number: str,
    *,
    plan: str,
    lead: str,
    review_on: date,
    public_reply: str,
    by: Actor,
    now: datetime,
) -> LedgerItem:
    """Put a running case on the ledger.

    lead : code of the department that carries the plan out, or TOWN. review_on : after today, as the case's limits
    allow (90 days). Raises `InvalidInput` ("text_needed", "bad_review_day"), `NotFound` ("unknown_department").
    """
    said(plan, "plan", "say how it will be solved, step by step")
    said(public_reply, "public_reply", "say what those who reported it are told")
    case = Case.open(session, number, by, now)
    INCIDENT.decide(case.incident.status, "ledger", by.role)
    directory.department(session, case.incident.grid_code[:6], lead)
    check_review_day(review_on, now, most_days=case.rules.ledger_days)
    case.move(
        case.incident,
        "ledger",
        {"plan": plan, "lead": lead, "review_on": review_on.isoformat(), "reply": public_reply},
    )
    item = LedgerItem(
        incident_id=case.incident.id,
        round=case.incident.round,
        plan=plan.strip(),
        lead=lead,
        review_on=review_on,
        public_reply=public_reply.strip(),
        opened_at=now,
        opened_by_id=by.person_id,
        reviews=[],
    )
    session.add(item)
    case.incident.reply = item.public_reply
    stand_still(case)
    case.start_clock(DeadlineKind.LEDGER_REVIEW, due_at=review_due(review_on))
    _tell(case, item, "ledger.opened", review_on=review_on.isoformat())
    session.flush()
    return item


def review(
    session: Session, number: str, *, note: str, review_on: date, by: Actor, now: datetime
) -> LedgerItem:
    """Look at a case on the ledger again: how far it is, and when it is looked at next."""
    said(note, "note", "say how far it is")
    case, item = _opened(session, number, "review_ledger", by, now)
    check_review_day(review_on, now, most_days=case.rules.ledger_days)
    case.move(case.incident, "review_ledger", {"comment": note, "review_on": review_on.isoformat()})
    seen = {
        "on": case.today.isoformat(),
        "by": by.name,
        "note": note.strip(),
        "next": review_on.isoformat(),
    }
    item.reviews = [*item.reviews, seen]
    item.review_on = review_on
    case.stop_clock(DeadlineKind.LEDGER_REVIEW)
    case.start_clock(DeadlineKind.LEDGER_REVIEW, due_at=review_due(review_on))
    session.flush()
    return item


def take_up(session: Session, number: str, *, note: str, by: Actor, now: datetime) -> Incident:
    """Take a case from the ledger to work again, each clock with the time that it had left."""
    said(note, "note", "say why it can be worked on now")
    case, item = _opened(session, number, "take_up", by, now)
    case.stop_clock(DeadlineKind.LEDGER_REVIEW)
    item.ended_at, item.ended_how = now, "taken_up"
    case.move(case.incident, "take_up", {"comment": note})
    go_on(case, ClockMove.LEDGER, since=item.opened_at)
    _tell(case, item, "ledger.taken_up")
    session.flush()
    return case.incident


def close(session: Session, number: str, *, public_reply: str, by: Actor, now: datetime) -> Incident:
    """Close a case from the ledger: whoever still had a part in it is let go, and the public is told."""
    said(public_reply, "public_reply", "say what those who reported it are told")
    case, item = _opened(session, number, "close_ledger", by, now)
    for level in WhistleLevel:
        whistle = case.whistle_at(level)
        if whistle is None:
            continue
        for task in tasks_of(session, whistle.id):
            if task.status not in DONE_STATUSES | LET_GO:
                let_go(case, whistle, task, public_reply, by=SYSTEM)
        if "withdraw" in WHISTLE.actions(whistle.status, Role.SYSTEM, level=whistle.level):
            case.move(whistle, "withdraw", {"reason": public_reply}, by=SYSTEM)
            whistle.ended_at = now
            drop_clocks(case, Deadline.whistle_id == whistle.id)
    case.stop_clock(*STANDS_STILL, void=True)
    case.stop_clock(DeadlineKind.LEDGER_REVIEW)
    item.ended_at, item.ended_how = now, "closed"
    case.move(case.incident, "close_ledger", {"reply": public_reply})
    case.incident.closed_at, case.incident.reply = now, public_reply.strip()
    _tell(case, item, "ledger.closed")
    session.flush()
    return case.incident


def _opened(session: Session, number: str, action: str, by: Actor, now: datetime) -> tuple[Case, LedgerItem]:
    case = Case.open(session, number, by, now)
    INCIDENT.decide(case.incident.status, action, by.role)
    item = session.scalars(
        select(LedgerItem).where(LedgerItem.incident_id == case.incident.id, LedgerItem.ended_at.is_(None))
    ).one()
    return case, item


def _tell(case: Case, item: LedgerItem, template: str, **facts: object) -> None:
    """Let those hear of it who handled the case, those who keep the ledger, and the department that leads."""
    case.tell((*_BELOW, *_KEEPERS, Role.HOTLINE_DESK), template, **facts)
    if item.lead not in NOT_WHISTLED:
        body = directory.department(case.session, case.incident.grid_code[:6], item.lead)
        case.tell_department(body.id, template, **facts)
