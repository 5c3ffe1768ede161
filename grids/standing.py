"""What is on record of a case beside its states, as far as it decides what a person may do next."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import CompoundSelect, and_, func, select
from sqlalchemy.orm import Session

from grids import calendars
from grids.rules.deadlines import DeadlineKind, Outcome
from grids.rules.disputes import RUNNING_DISPUTES
from grids.rules.limits import due
from grids.rules.pauses import Decision, level_at_work
from grids.rules.profiles import kept_by
from grids.rules.tasks import DONE_STATUSES, LET_GO, TASK, TaskStatus
from grids.rules.whistles import WhistleLevel, WhistleStatus
from grids.tables import (
    Appeal,
    Appraisal,
    Deadline,
    Dispute,
    Extension,
    Incident,
    JointAction,
    PeerScore,
    ReturnRequest,
    Suspension,
    Task,
    Trace,
    Whistle,
)

__all__ = ["Standing", "hands_in", "standings"]

# the calendar around the newest result holds no older days; any appeal is too late then
_LONG_AGO = timedelta(days=370)


@dataclass
class Standing:
    """Of one case. Sets hold ids of tasks.

    returns_asked, extensions_asked, appeals_asked : wait for a decision. appealed : an appeal was made, decided or
    not. peer_marked : the lead has given its mark. suspension_asked : somebody asked, nobody decided yet.
    dispute : number of the dispute that runs, None where there is none. joint : it is not settled,
    and all its parties are responsible. hands : people who handled it in this
    round, or did a department's part. joined : other reports were merged into it. overdue : handling of this round
    is late, or an open part is. level : at which it is worked on. parts : departments with an open part in it.
    extended : how many extensions each task was given. appeal_until : by task, until when its result may be appealed
    against. confirms_late : ids of whistles that the town's leader did not
    confirm in time.
    """

    returns_asked: set[int] = field(default_factory=set)
    extensions_asked: set[int] = field(default_factory=set)
    appeals_asked: set[int] = field(default_factory=set)
    appealed: set[int] = field(default_factory=set)
    peer_marked: set[int] = field(default_factory=set)
    suspension_asked: bool = False
    dispute: str | None = None
    joint: bool = False
    hands: set[int] = field(default_factory=set)
    joined: bool = False
    acting: set[int] = field(default_factory=set)
    acted: set[int] = field(default_factory=set)
    overdue: bool = False
    level: WhistleLevel = WhistleLevel.FIRST
    parts: set[int] = field(default_factory=set)
    confirms_late: set[int] = field(default_factory=set)
    extended: Counter[int] = field(default_factory=Counter)
    appeal_until: dict[int, datetime] = field(default_factory=dict)


def standings(session: Session, incident_ids: Collection[int]) -> dict[int, Standing]:
    """Return the standing of each of these cases."""
    found: defaultdict[int, Standing] = defaultdict(Standing)
    for incident_id in incident_ids:
        found[incident_id] = Standing()
    asked = Decision.ASKED
    for table, name in ((ReturnRequest, "returns_asked"), (Extension, "extensions_asked")):
        rows = select(table.incident_id, table.task_id).where(
            table.incident_id.in_(incident_ids), table.decision == asked
        )
        for incident_id, task_id in session.execute(rows):
            getattr(found[incident_id], name).add(task_id)
    for incident_id, task_id, decision in session.execute(
        select(Appeal.incident_id, Appeal.task_id, Appeal.decision).where(
            Appeal.incident_id.in_(incident_ids), Appeal.decision != Decision.LAPSED
        )
    ):
        found[incident_id].appealed.add(task_id)
        if decision is asked:
            found[incident_id].appeals_asked.add(task_id)
    for incident_id, task_id in session.execute(
        select(Task.incident_id, PeerScore.task_id)
        .join(Task, Task.id == PeerScore.task_id)
        .where(Task.incident_id.in_(incident_ids))
    ):
        found[incident_id].peer_marked.add(task_id)
    for incident_id in session.scalars(
        select(Suspension.incident_id).where(
            Suspension.incident_id.in_(incident_ids), Suspension.decision == asked
        )
    ):
        found[incident_id].suspension_asked = True
    for incident_id, number, status in session.execute(
        select(Dispute.incident_id, Dispute.number, Dispute.status).where(
            Dispute.incident_id.in_(incident_ids), Dispute.status.not_in(("closed", "withdrawn"))
        )
    ):
        found[incident_id].dispute = number
        found[incident_id].joint = status in RUNNING_DISPUTES
    _together(session, incident_ids, found)
    _hands_and_reports(session, incident_ids, found)
    for incident_id, called_by, outcome in session.execute(
        select(Deadline.incident_id, Deadline.whistle_id, Deadline.outcome)
        .where(Deadline.incident_id.in_(incident_ids), Deadline.kind == DeadlineKind.CONFIRM)
        .order_by(Deadline.id)
    ):
        # of several, one after the other, the last says
        late = found[incident_id].confirms_late
        late.discard(called_by or 0)
        if outcome is Outcome.MISSED:
            late.add(called_by or 0)
    _at_work(session, incident_ids, found)
    _appealable(session, incident_ids, found)
    return dict(found)


def _appealable(session: Session, incident_ids: Collection[int], found: Mapping[int, Standing]) -> None:
    """Find until when results without an appeal may be appealed against, counted from the newest of each part."""
    made = session.execute(
        select(Task.incident_id, Task.id, Incident.limits, func.max(Appraisal.made_at))
        .join(Incident, Incident.id == Task.incident_id)
        .join(Appraisal, Appraisal.task_id == Task.id)
        .where(Task.incident_id.in_(incident_ids), Task.status == TaskStatus.SCORED)
        .group_by(Task.id, Incident.id)
    ).all()
    open_ones = [row for row in made if row[1] not in found[row[0]].appealed]
    if not open_ones:
        return
    newest = max(made_at for *_, made_at in open_ones)
    calendar = calendars.around(session, newest)
    for incident_id, task_id, limits, made_at in open_ones:
        long_ago = newest - made_at > _LONG_AGO
        until = made_at if long_ago else due(made_at, kept_by(limits).appeal_window, calendar)
        found[incident_id].appeal_until[task_id] = until


def _together(session: Session, incident_ids: Collection[int], found: Mapping[int, Standing]) -> None:
    """Find under which whistles a joint action runs, or was begun."""
    for incident_id, whistle_id, ended_at in session.execute(
        select(JointAction.incident_id, JointAction.whistle_id, JointAction.ended_at).where(
            JointAction.incident_id.in_(incident_ids)
        )
    ):
        found[incident_id].acted.add(whistle_id)
        if ended_at is None:
            found[incident_id].acting.add(whistle_id)


def _at_work(session: Session, incident_ids: Collection[int], found: Mapping[int, Standing]) -> None:
    """Find at which level a case is worked on in its round, who has an open part in it, and whether it is late."""
    this_round = and_(Incident.id == Whistle.incident_id, Incident.round == Whistle.round)
    blown: defaultdict[int, list[tuple[int, WhistleStatus]]] = defaultdict(list)
    for incident_id, level, status in session.execute(
        select(Whistle.incident_id, Whistle.level, Whistle.status)
        .join(Incident, this_round)
        .where(Whistle.incident_id.in_(incident_ids))
    ):
        blown[incident_id].append((level, status))
    for incident_id, running in blown.items():
        found[incident_id].level = level_at_work(running)
    for incident_id, department_id, overdue_at in session.execute(
        select(Task.incident_id, Task.department_id, Task.first_overdue_at)
        .join(Whistle, Whistle.id == Task.whistle_id)
        .join(Incident, this_round)
        .where(Task.incident_id.in_(incident_ids), Task.status.not_in(DONE_STATUSES | LET_GO))
    ):
        found[incident_id].parts.add(department_id)
        found[incident_id].overdue |= overdue_at is not None
    for incident_id in session.scalars(
        select(Deadline.incident_id)
        .join(Incident, and_(Incident.id == Deadline.incident_id, Incident.round == Deadline.round))
        .where(
            Deadline.incident_id.in_(incident_ids),
            Deadline.kind == DeadlineKind.HANDLE,
            Deadline.outcome == Outcome.MISSED,
        )
    ):
        found[incident_id].overdue = True
    for incident_id, task_id in session.execute(
        select(Extension.incident_id, Extension.task_id).where(
            Extension.incident_id.in_(incident_ids), Extension.decision == Decision.GRANTED
        )
    ):
        found[incident_id].extended[task_id] += 1


def _hands_and_reports(
    session: Session, incident_ids: Collection[int], found: Mapping[int, Standing]
) -> None:
    for incident_id, person_id in session.execute(_hands(incident_ids)):
        if person_id is not None:
            found[incident_id].hands.add(person_id)
    for master_id in session.scalars(
        select(Incident.master_id).where(Incident.master_id.in_(incident_ids)).distinct()
    ):
        if master_id is not None:
            found[master_id].joined = True


def hands_in(session: Session, incident: Incident) -> set[int]:
    """Return who handled a case in this round, or did a department's part in it: none of them verifies it."""
    rows = session.execute(_hands([incident.id]))
    return {person_id for _, person_id in rows if person_id is not None}


def _hands(incident_ids: Collection[int]) -> CompoundSelect[int, int | None]:
    handled = select(Incident.id, Incident.handler_id).where(
        Incident.id.in_(incident_ids), Incident.handler_id.is_not(None)
    )
    did = (
        select(Incident.id, Trace.actor_id)
        .join(Whistle, and_(Whistle.incident_id == Incident.id, Whistle.round == Incident.round))
        .join(Task, Task.whistle_id == Whistle.id)
        .join(
            Trace,
            and_(
                Trace.incident_id == Incident.id,
                Trace.machine == TASK.name,
                Trace.subject == Task.letter_number,
                Trace.action == "complete",
            ),
        )
        .where(Incident.id.in_(incident_ids), Trace.actor_id.is_not(None))
    )
    return handled.union(did)
