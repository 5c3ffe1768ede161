"""One whistle, one assessment (一哨一考核): the town's marks, the lead's, the record's, and what follows from them.

Every result is a row of its own (`Appraisal`): a mark that comes later, or an appeal that is upheld, makes a new
version and leaves the old one to be read. Each penalty names the steps of the history that it rests on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from gis.errors import Conflict, Forbidden, InvalidInput
from grids.acts.case import Case, said
from grids.acts.ladder import tasks_of
from grids.rules.assessment import (
    FORMULA,
    AppraisedBecause,
    PenaltyKind,
    Record,
    Result,
    appraise,
    part_record,
    score_town,
    shown,
)
from grids.rules.deadlines import DeadlineKind
from grids.rules.limits import due
from grids.rules.pauses import Decision
from grids.rules.permissions import SYSTEM, Actor, Role, require_department
from grids.rules.presence import stands
from grids.rules.tasks import LET_GO, TASK, TaskRole, TaskStatus
from grids.rules.whistles import WhistleStatus, WhistleType
from grids.tables import (
    Appeal,
    Appraisal,
    Deadline,
    PeerScore,
    Post,
    ReturnRequest,
    Score,
    Task,
    Trace,
    Whistle,
)

__all__ = [
    "Marks",
    "appeal",
    "decide_appeal",
    "marks_of",
    "penalty_rows",
    "score",
    "score_peer",
    "window_over",
]


@dataclass(frozen=True, slots=True)
class Marks:
    """What a reader may see of a department's marks. versions : of the result, the newest last."""

    score: Score | None = None
    peer: PeerScore | None = None
    versions: Sequence[Appraisal] = ()
    appeal: Appeal | None = None

    @property
    def result(self) -> Appraisal | None:
        """The result that holds, None while there is none."""
        return self.versions[-1] if self.versions else None


@dataclass
class _Found:
    score: Score | None = None
    peer: PeerScore | None = None
    versions: list[Appraisal] = field(default_factory=list)
    appeal: Appeal | None = None


def marks_of(session: Session, actor: Actor, tasks: Sequence[Task]) -> dict[int, Marks]:
    """Return by task id what this reader may see of the marks of tasks.

    A department sees its own, once there is a result, and what it gave as the lead. Whoever has still to give
    marks does not see what others gave for the same part.
    """
    found = {task.id: _Found() for task in tasks}
    for score in _rows(session, Score, found):
        found[score.task_id].score = score
    for peer in _rows(session, PeerScore, found):
        found[peer.task_id].peer = peer
    for version in _rows(session, Appraisal, found):
        found[version.task_id].versions.append(version)
    for row in session.scalars(select(Appeal).where(Appeal.task_id.in_(found)).order_by(Appeal.id)):
        found[row.task_id].appeal = row
    leads = {(task.whistle_id, task.department_id) for task in tasks if task.role is TaskRole.LEAD}
    seen: dict[int, Marks] = {}
    for task in tasks:
        marks = found[task.id]
        if actor.department_id is None:
            ungiven = actor.role is Role.TOWN_OFFICE and marks.score is None and not marks.versions
            seen[task.id] = Marks(
                marks.score, None if ungiven else marks.peer, tuple(marks.versions), marks.appeal
            )
        elif actor.department_id == task.department_id:
            done = bool(marks.versions)
            seen[task.id] = Marks(
                marks.score if done else None,
                marks.peer if done else None,
                tuple(marks.versions),
                marks.appeal,
            )
        else:
            seen[task.id] = Marks(
                peer=marks.peer if (task.whistle_id, actor.department_id) in leads else None
            )
    return seen


def _rows(session: Session, table: type[Any], task_ids: Collection[int]) -> Sequence[Any]:
    return session.scalars(
        select(table).where(table.task_id.in_(task_ids)).order_by(table.task_id, table.version_no)
    ).all()


def score(
    session: Session,
    task_id: int,
    *,
    response: int,
    handling: int,
    result: int,
    comment: str | None = None,
    by: Actor,
    now: datetime,
) -> Score:
    """Score a department for this whistle as the town that blew it (row T10), 0 to 100 on three points.

    When every department is scored, so is the whistle. Raises `Forbidden` ("own_score") for somebody who holds a
    post in the department that is scored.
    """
    case, whistle, task = Case.of_task(session, task_id, by, now)
    given = _give(case, whistle, task, (response, handling, result), comment, action="score")
    session.flush()
    return given


def _give(
    case: Case, whistle: Whistle, task: Task, items: tuple[int, int, int], comment: str | None, *, action: str
) -> Score:
    marks = score_town(*items, reason=comment)
    _not_their_own(case, task)
    names = dict(zip(("response", "handling", "result"), items, strict=True))
    facts = {**names, "total": marks.total, "formula": FORMULA, "comment": marks.reason}
    if action == "score":
        case.move(task, "score", {key: value for key, value in facts.items() if key != "comment"})
    given = Score(
        task_id=task.id,
        version_no=_next_version(case.session, Score, task),
        **names,
        total=shown(marks.total),
        formula=FORMULA,
        comment=marks.reason,
        scored_at=case.now,
        scored_by_id=case.actor.person_id,
    )
    case.session.add(given)
    case.session.flush()
    if action == "score":
        case.stop_clock(DeadlineKind.SCORE, task=task)
        case.stop_clock(DeadlineKind.APPRAISAL, task=task, void=True)
        _settle(case, whistle, task, AppraisedBecause.SCORED)
    return given


def score_peer(
    session: Session, task_id: int, *, mark: int, comment: str | None = None, by: Actor, now: datetime
) -> PeerScore:
    """Mark a cooperating department as the lead of the same whistle (row T10), 0 to 100; under 60 with a reason.

    Once: raises `Conflict` ("already_marked"). A result that stands already gets a new version.
    """
    if isinstance(mark, bool) or not 0 <= mark <= 100:
        raise InvalidInput(
            "score_out_of_range", f"mark is a whole number from 0 to 100, got {mark}", field="mark", got=mark
        )
    if mark < 60 and not (comment or "").strip():
        raise InvalidInput(
            "reason_needed", f"a mark of {mark} is under 60 and needs a reason", field="comment"
        )
    # a department sees the tasks beside its own for this alone; everybody else is told that it is not theirs
    opened = Case.of_task if by.department_id is None else Case.of_task_beside
    case, whistle, task = opened(session, task_id, by, now)
    TASK.decide(task.status, "score_peer", by.role)
    lead = next(
        (t for t in tasks_of(session, whistle.id) if t.role is TaskRole.LEAD and t.status not in LET_GO), None
    )
    if lead is None or task.role is TaskRole.LEAD or by.department_id != lead.department_id:
        raise Forbidden("not_the_lead", "the lead marks those who worked with it, and nobody else does")
    if _next_version(session, PeerScore, task) > 1:
        raise Conflict("already_marked", "the lead has marked this department already", task=task_id)
    case.move(task, "score_peer", {"mark": mark})
    given = PeerScore(
        task_id=task.id,
        version_no=1,
        mark=mark,
        comment=(comment or "").strip() or None,
        scored_at=now,
        scored_by_id=by.person_id,
    )
    session.add(given)
    session.flush()
    if task.status is TaskStatus.SCORED:
        _settle(case, whistle, task, AppraisedBecause.PEER)
    session.flush()
    return given


def window_over(case: Case, _clock: Deadline, whistle: Whistle | None, task: Task | None) -> None:
    """Make the result of the record alone: the town gave no marks in its time (effect of the APPRAISAL clock)."""
    if whistle is None or task is None or task.status is not TaskStatus.ACCEPTED_OK:
        return
    case.move(task, "appraise", {"reason": "window_over"}, by=SYSTEM)
    case.stop_clock(DeadlineKind.SCORE, task=task)
    _settle(case, whistle, task, AppraisedBecause.WINDOW_OVER)
    case.tell(
        (Role.TOWN_OFFICE, Role.GOVERNANCE_CENTRE), "task.no_marks", whistle=whistle.number, task=task.id
    )


def appeal(session: Session, task_id: int, *, grounds: str, by: Actor, now: datetime) -> Appeal:
    """Object to a result as the department that it is of (row T10), once, within the window of the case's rules.

    Raises `Conflict`: "already_appealed", "appeal_too_late".
    """
    said(grounds, "grounds", "say what is wrong with the result, and what shows it")
    case, whistle, task = Case.of_task(session, task_id, by, now)
    require_department(by, task.department_id)
    TASK.decide(task.status, "appeal", by.role)
    made_before = select(Appeal.id).where(Appeal.task_id == task.id, Appeal.decision != Decision.LAPSED)
    if session.scalar(made_before) is not None:
        raise Conflict("already_appealed", "a result is appealed against once", task=task_id)
    latest = _latest(session, task)
    until = None if latest is None else due(latest.made_at, case.rules.appeal_window, case.calendar)
    if until is None or now > until:
        raise Conflict(
            "appeal_too_late",
            "the time for an appeal is over"
            + ("" if until is None else f": it could be made until {until.isoformat()}"),
            task=task_id,
        )
    case.move(task, "appeal", {"grounds": grounds})
    made = Appeal(
        incident_id=case.incident.id,
        task_id=task.id,
        grounds=grounds.strip(),
        asked_at=now,
        asked_by_id=by.person_id,
        decision=Decision.ASKED,
    )
    session.add(made)
    case.start_clock(DeadlineKind.APPEAL_DECISION, whistle=whistle, task=task)
    case.tell((Role.GOVERNANCE_CENTRE,), "task.appealed", whistle=whistle.number, task=task.id)
    session.flush()
    return made


def decide_appeal(
    session: Session,
    task_id: int,
    *,
    upheld: bool,
    note: str,
    marks: tuple[int, int, int] | None = None,
    waived: Collection[PenaltyKind] = (),
    by: Actor,
    now: datetime,
) -> Appeal:
    """Decide a department's appeal as the governance centre (row T10).

    marks : response, handling, result in place of the town's. waived : penalties that do not count. Upheld needs
    one of the two, and nobody who gave the marks decides on them. Raises `Conflict` ("no_appeal").
    """
    said(note, "note", "say why the appeal is upheld or not")
    if upheld and marks is None and not waived:
        raise InvalidInput(
            "nothing_changed", "an upheld appeal changes marks or waives penalties", field="marks"
        )
    case, whistle, task = Case.of_task(session, task_id, by, now)
    row = session.scalar(select(Appeal).where(Appeal.task_id == task.id, Appeal.decision == Decision.ASKED))
    if row is None:
        raise Conflict("no_appeal", "there is no appeal to decide on this part", task=task_id)
    given = session.scalar(
        select(Score).where(Score.task_id == task.id).order_by(Score.version_no.desc()).limit(1)
    )
    if given is not None and given.scored_by_id == by.person_id:
        raise Forbidden("own_score", "somebody else than who gave the marks decides on the appeal")
    _not_their_own(case, task)
    case.move(
        task,
        "decide_appeal",
        {"upheld": upheld, "reason": note, "waived": sorted(kind.value for kind in waived)},
    )
    row.decision = Decision.GRANTED if upheld else Decision.REFUSED
    row.decided_at, row.decided_by_id, row.decision_note = now, by.person_id, note.strip()
    case.stop_clock(DeadlineKind.APPEAL_DECISION, task=task)
    if upheld:
        if marks is not None:
            _give(case, whistle, task, marks, note, action="correct")
        _settle(case, whistle, task, AppraisedBecause.APPEAL, waived=waived)
    case.tell_department(
        task.department_id, "task.appeal_decided", whistle=whistle.number, task=task.id, upheld=upheld
    )
    session.flush()
    return row


def _not_their_own(case: Case, task: Task) -> None:
    """Refuse somebody who serves the department that they would judge."""
    holds = select(Post.id).where(
        Post.person_id == case.actor.person_id, Post.department_id == task.department_id
    )
    if case.actor.department_id == task.department_id or case.session.scalar(holds.limit(1)) is not None:
        raise Forbidden("own_score", "nobody scores their own department")


def _settle(
    case: Case, whistle: Whistle, task: Task, because: AppraisedBecause, waived: Collection[PenaltyKind] = ()
) -> None:
    """Make the result of a part from what is on record now, and finish the whistle when every part has one."""
    session = case.session
    marks = session.scalar(
        select(Score).where(Score.task_id == task.id).order_by(Score.version_no.desc()).limit(1)
    )
    peer = session.scalar(
        select(PeerScore).where(PeerScore.task_id == task.id).order_by(PeerScore.version_no.desc()).limit(1)
    )
    latest = _latest(session, task)
    dropped = set(waived) | {
        PenaltyKind(off["kind"]) for off in (latest.penalties if latest else ()) if off.get("waived")
    }
    record = _record(case, task)
    result = appraise(
        None if marks is None else _exact(marks),
        None if peer is None else Decimal(peer.mark),
        record,
        emergency=whistle.type is WhistleType.EMERGENCY,
        waived=dropped,
    )
    steps = _steps(case, task)
    made = Appraisal(
        task_id=task.id,
        version_no=1 if latest is None else latest.version_no + 1,
        town=None if result.town is None else shown(result.town),
        peer=result.peer,
        system=shown(result.system),
        total=shown(result.total),
        weight=result.weight,
        penalties=penalty_rows(result, steps),
        formula=FORMULA,
        because=because.value,
        made_at=case.now,
    )
    session.add(made)
    case.note(
        "appraised",
        "T10",
        {
            "letter": task.letter_number,
            "whistle": whistle.number,
            "town": result.town,
            "peer": result.peer,
            "system": result.system,
            "overall": result.total,
            "formula": FORMULA,
            "because": because.value,
        },
    )
    if whistle.status is WhistleStatus.VERIFIED and all(
        other.status is TaskStatus.SCORED or other.status in LET_GO for other in tasks_of(session, whistle.id)
    ):
        case.move(whistle, "score", by=SYSTEM)


def _exact(marks: Score) -> Decimal:
    return score_town(marks.response, marks.handling, marks.result, reason=marks.comment or "as given").total


def _record(case: Case, task: Task) -> Record:
    unfounded = case.session.scalar(
        select(func.count()).where(
            ReturnRequest.task_id == task.id, ReturnRequest.decision == Decision.REFUSED
        )
    )
    return part_record(
        responded_at=task.responded_at,
        response_due_at=task.response_due_at,
        named=bool(task.staff_name and task.staff_phone),
        remote=task.remote_reason is not None,
        came=task.checked_in_at is not None and stands(task.presence),
        minutes_late=task.minutes_late,
        grace=case.rules.check_in_grace,
        completed_at=task.completed_at,
        due_at=task.due_at,
        reworks=task.rework_count,
        unfounded_returns=unfounded or 0,
    )


def _steps(case: Case, task: Task) -> Mapping[tuple[str, str | None], list[int]]:
    """Return the numbers of the steps on a task by (act, clock), for the penalties that rest on them."""
    rows = case.session.execute(
        select(Trace.seq, Trace.action, Trace.payload["clock"].astext)
        .where(
            Trace.incident_id == case.incident.id,
            or_(Trace.subject == task.letter_number, Trace.payload["letter"].astext == task.letter_number),
        )
        .order_by(Trace.seq)
    )
    found: dict[tuple[str, str | None], list[int]] = {}
    for seq, action, clock in rows:
        found.setdefault((action, clock if action == "clock_ran_out" else None), []).append(seq)
    return found


# which steps of the history show a penalty
_SHOWN_BY: Mapping[PenaltyKind, tuple[tuple[str, str | None], ...]] = {
    PenaltyKind.NO_RESPONSE: (("clock_ran_out", DeadlineKind.RESPOND),),
    PenaltyKind.LATE_RESPONSE: (("clock_ran_out", DeadlineKind.RESPOND), ("respond", None)),
    PenaltyKind.NO_NAME_OR_PHONE: (("respond", None),),
    PenaltyKind.NO_SHOW: (("clock_ran_out", DeadlineKind.CHECK_IN),),
    PenaltyKind.LATE_ARRIVAL: (("check_in", None),),
    PenaltyKind.OVERDUE: (("clock_ran_out", DeadlineKind.COMPLETE), ("complete", None)),
    PenaltyKind.REWORK: (("rework", None),),
    PenaltyKind.UNFOUNDED_RETURN: (("send_back", None), ("send_back_responded", None)),
}


def penalty_rows(
    result: Result, steps: Mapping[tuple[str, str | None], Sequence[int]]
) -> list[dict[str, Any]]:
    """Return penalties as a result keeps them; steps : numbers of the steps on the part by (act, clock)."""
    return [
        {
            "kind": penalty.kind.value,
            "points": str(penalty.points),
            "times": penalty.times,
            "seq": sorted(seq for shown_by in _SHOWN_BY[penalty.kind] for seq in steps.get(shown_by, ())),
            "waived": penalty.waived,
        }
        for penalty in result.penalties
    ]


def _latest(session: Session, task: Task) -> Appraisal | None:
    return session.scalar(
        select(Appraisal).where(Appraisal.task_id == task.id).order_by(Appraisal.version_no.desc()).limit(1)
    )


def _next_version(session: Session, table: type[Score] | type[PeerScore], task: Task) -> int:
    return 1 + (session.scalar(select(func.max(table.version_no)).where(table.task_id == task.id)) or 0)
