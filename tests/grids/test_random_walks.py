"""Cases driven at random through what their people are offered, with time moving on: nothing may come apart."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from gis.errors import CityError
from grids import casefile, deadlines, trace
from grids.acts import (
    callbacks,
    confirming,
    disputes,
    extensions,
    incidents,
    intake,
    joint,
    ladder,
    ledger,
    pauses,
    presence,
    regrading,
    returns,
    scores,
    slips,
    tasks,
    together,
    whistles,
)
from grids.acts.callbacks import CallbackAnswer
from grids.acts.case import Case
from grids.acts.disputes import Filing
from grids.acts.joint import Draft
from grids.acts.returns import Verdict
from grids.offers import Action, actions
from grids.rules.calendar import local_day
from grids.rules.deadlines import DeadlineKind, Outcome
from grids.rules.grading import Grade
from grids.rules.lifecycle import INCIDENT, Channel, IncidentStatus, Inspection, RejectReason
from grids.rules.limits import Limit
from grids.rules.pauses import SuspensionReason
from grids.rules.permissions import SYSTEM, Actor, Role
from grids.rules.returns import ReturnReason
from grids.rules.slips import SlipKind
from grids.rules.tasks import DONE_STATUSES, LET_GO, TASK, CheckInMethod, TaskRole, TaskStatus
from grids.rules.whistles import WHISTLE, WhistleLevel, WhistleStatus, WhistleType
from grids.standing import standings
from grids.tables import Deadline, Incident, Post, Solved, Task, Trace, Whistle

pytestmark = pytest.mark.database

CASES, MOST, STEPS = 12, 60, (8, 60)
CELLS = ("990101001001001", "990101001001002")  # each has a grid worker, who checks what the town has solved
CATEGORIES = ("10-001", "02-001", "01-001", "01-003", "08-001")  # from green to red, for each level
BODIES = ("SCJG", "CG", "GA")

ENDING = {("incident", "cancel"), ("incident", "merge"), ("incident", "reject")}
BESIDE = {
    (machine.name, row.action)
    for machine in (INCIDENT, WHISTLE, TASK)
    for row in machine.transitions
    if row.target is None
}
"""What is done beside the states: it never brings a case on."""
BACK = {
    ("incident", "suspend"),
    ("incident", "ledger"),
    ("whistle", "solve"),
    ("whistle", "hand_back"),
    ("whistle", "refuse"),
    ("whistle", "withdraw"),
    ("task", "request_return"),
    ("task", "rework"),
}
"""What holds a case up or turns it back; done as seldom, else too few come to their end."""
ENDED = (IncidentStatus.REJECTED, IncidentStatus.MERGED, IncidentStatus.CANCELLED)

_K, _I, _W, _T = DeadlineKind, IncidentStatus, WhistleStatus, TaskStatus
OWED_WHILE: dict[DeadlineKind, frozenset[Any]] = {
    _K.ACCEPT: frozenset({_I.REPORTED, _I.TO_VERIFY}),
    _K.INSPECT: frozenset({_I.TO_VERIFY}),
    _K.HANDLE: frozenset({_I.HANDLING}),
    _K.VERIFY: frozenset({_I.RESOLVED}),
    _K.CALLBACK: frozenset({_I.VERIFIED}),
    _K.COMMUNITY: frozenset({_W.BLOWN, _W.HANDLING}),
    _K.LIAISON: frozenset({_W.BLOWN, _W.FILED, _W.TASKED}),
    _K.FILE: frozenset({_W.BLOWN}),
    _K.ASSIGN: frozenset({_W.FILED}),
    _K.DRAFT: frozenset({_W.DRAFTED}),
    _K.CONFIRM: frozenset({_W.PENDING_CONFIRM}),
    _K.WRITTEN: frozenset(WhistleStatus) - {_W.DRAFTED, _W.PENDING_CONFIRM, _W.WITHDRAWN},
    # a return that is asked for stops no clock
    _K.RESPOND: frozenset({_T.PENDING_RESPONSE, _T.RETURN_REQUESTED}),
    _K.CHECK_IN: frozenset({_T.PENDING_RESPONSE, _T.RESPONDED, _T.RETURN_REQUESTED}),
    _K.RETURN_DECISION: frozenset({_T.RETURN_REQUESTED}),
    _K.COMPLETE: frozenset(TaskStatus) - DONE_STATUSES - LET_GO,
    _K.SCORE: frozenset({_T.ACCEPTED_OK}),
    _K.APPRAISAL: frozenset({_T.ACCEPTED_OK}),
    _K.APPEAL_DECISION: frozenset({_T.SCORED}),
    _K.PROGRESS: frozenset(TaskStatus) - DONE_STATUSES - LET_GO,
    _K.LONG_OVERDUE: frozenset(TaskStatus) - DONE_STATUSES - LET_GO,
    # a paper is answered, and a dispute settled, whatever has become of the case
    _K.SLIP_ANSWER: frozenset(IncidentStatus) | frozenset(TaskStatus),
    _K.DISPUTE: frozenset(IncidentStatus),
    _K.SUSPENSION: frozenset({_I.SUSPENDED}),
    _K.LEDGER_REVIEW: frozenset({_I.LEDGER}),
    _K.EXTENSION_DECISION: frozenset(TaskStatus) - DONE_STATUSES - LET_GO,
}
"""The states of its subject in which a clock runs, as the reference tells them."""

OUTLIVE = {_K.SCORE, _K.APPRAISAL, _K.APPEAL_DECISION, _K.WRITTEN, _K.SLIP_ANSWER, _K.DISPUTE}
"""Clocks of what is still owed when a case is closed."""


@dataclass
class Walk:
    """One town, a source of chance, and what has been read of each case's history so far."""

    city: Any
    chance: random.Random
    read: dict[int, int] = field(default_factory=dict)
    replayed: dict[str, str] = field(default_factory=dict)
    done: dict[tuple[str, str], int] = field(default_factory=dict)

    def begin(self) -> Incident:
        where: dict[str, Any] = {"code": self.chance.choice(CELLS)}
        by = self.chance.choice(("hotline", "hotline", "worker", "worker2"))
        if by == "hotline" and self.chance.random() < 0.3:
            where = {"lon": 117.2, "lat": 36.01}
        if self.chance.random() < 0.3:
            where |= {"reporter_name": None, "reporter_phone": None}
        channel = Channel.GRID_WORKER
        if by == "hotline":
            channel = self.chance.choice((Channel.HOTLINE, Channel.CITIZEN))
        incident: Incident = self.city.report(
            by=by, channel=channel, category=self.chance.choice(CATEGORIES), **where
        )
        return incident

    def offered(self, incident: Incident) -> list[tuple[Actor, Action]]:
        """Return every act that anybody is offered on a case."""
        session = self.city.session
        blown = session.scalars(
            select(Whistle).where(Whistle.incident_id == incident.id).order_by(Whistle.id)
        ).all()
        parts = session.scalars(select(Task).where(Task.incident_id == incident.id).order_by(Task.id)).all()
        standing = standings(session, [incident.id])[incident.id]
        return [
            (actor, action)
            for actor in self.city.people.values()
            for action in actions(actor, incident, blown, parts, standing, self.city.clock())
        ]

    def step(self, incident: Incident) -> None:
        if self.chance.random() < 0.15:
            spans = ({"minutes": 7}, {"minutes": 40}, {"hours": 3}, {"hours": 30})
            self.city.clock.advance(**self.chance.choice(spans))
            assert not deadlines.fire_due(self.city.session, self.city.clock()).stuck
            return
        offered = self.offered(incident)
        assert offered, f"nobody can do anything with {incident.number}, which is {incident.status}"
        if self.chance.random() < 0.5:
            self.probe(incident, offered)
        acts = sorted({(action.machine, action.action) for _, action in offered})
        moving = [act for act in acts if act not in ENDING | BESIDE | BACK]
        beside = [act for act in acts if act in BESIDE | BACK]
        kinds = (moving, beside, acts)
        (of_these,) = self.chance.choices(kinds, [16 * bool(moving), 4 * bool(beside), 1])
        new = [act for act in acts if act not in self.done]
        # what nobody has done yet comes first, else a rare act is waited for through a hundred cases
        wanted = self.chance.choice(new if new and self.chance.random() < 0.5 else of_these)
        actor, action = self.chance.choice(
            [(one, act) for one, act in offered if (act.machine, act.action) == wanted]
        )
        self.city.clock.advance(seconds=self.chance.randint(1, 300))
        self.act(actor, action)
        self.done[wanted] = self.done.get(wanted, 0) + 1

    def probe(self, incident: Incident, offered: list[tuple[Actor, Action]]) -> None:
        """Try one act that is not offered: it is refused, and nothing is written."""
        session = self.city.session
        keys = {
            "incident": [incident.number],
            "whistle": session.scalars(
                select(Whistle.number).where(Whistle.incident_id == incident.id)
            ).all(),
            "task": [str(n) for n in session.scalars(select(Task.id).where(Task.incident_id == incident.id))],
        }
        # a dispute is filed for a case: whoever holds one part may, whichever part is named here
        machine, verb = self.chance.choice(sorted(ACTS.keys() - {("task", "dispute")}))
        if not keys[machine]:
            return
        actor = self.chance.choice(list(self.city.people.values()))
        action = Action(machine, self.chance.choice(keys[machine]), verb)
        if (actor, action) in offered:
            return
        before = incident.trace_seq
        try:
            with session.begin_nested():
                self.act(actor, action)
        except CityError:
            pass
        else:
            pytest.fail(f"{actor.role} may do what is not offered: {action}, {incident.status}")
        assert incident.trace_seq == before

    def act(self, actor: Actor, action: Action) -> None:
        said = {"by": actor, "now": self.city.clock()}
        ACTS[action.machine, action.action](self, action.key, said)

    def check(self, incident: Incident) -> None:
        """Hold what is stored against the history, and the clocks that run against the states."""
        session = self.city.session
        session.flush()
        new = session.scalars(
            select(Trace)
            .where(Trace.incident_id == incident.id, Trace.seq > self.read.get(incident.id, 0))
            .order_by(Trace.seq)
        ).all()
        for number, step in enumerate(new, start=self.read.get(incident.id, 0) + 1):
            assert step.seq == number
            assert step.from_state == self.replayed.get(step.subject)
            self.replayed[step.subject] = step.to_state
        self.read[incident.id] = incident.trace_seq
        assert not new or new[-1].seq == incident.trace_seq

        blown = {
            row.id: row for row in session.scalars(select(Whistle).where(Whistle.incident_id == incident.id))
        }
        parts = {row.id: row for row in session.scalars(select(Task).where(Task.incident_id == incident.id))}
        states = {incident.number: incident.status.value}
        states |= {row.number: row.status.value for row in blown.values()}
        states |= {row.letter_number: row.status.value for row in parts.values()}
        assert states == {subject: self.replayed[subject] for subject in states}

        clocks = session.scalars(
            select(Deadline).where(Deadline.incident_id == incident.id).order_by(Deadline.id)
        ).all()
        running = [clock for clock in clocks if clock.settled_at is None]
        assert len({(clock.kind, clock.whistle_id, clock.task_id) for clock in running}) == len(running)
        for clock in running:
            subject: Any = incident
            if clock.whistle_id is not None:
                subject = parts[clock.task_id] if clock.task_id else blown[clock.whistle_id]
            assert subject.status in OWED_WHILE[clock.kind], (clock.kind, subject.status)
        if incident.status is IncidentStatus.CLOSED:
            assert {clock.kind for clock in running} <= OUTLIVE
        if incident.status is IncidentStatus.HANDLING:
            last = [c for c in clocks if c.kind is DeadlineKind.HANDLE and c.round == incident.round][-1]
            assert last.settled_at is None or last.outcome is Outcome.MISSED
        late = {c.kind for c in clocks if c.outcome is Outcome.MISSED}
        assert (incident.first_overdue_at is not None) == (DeadlineKind.HANDLE in late)


_Act = Callable[[Walk, str, dict[str, Any]], object]


def _accept(walk: Walk, key: str, said: dict[str, Any]) -> object:
    level = walk.chance.choice((None, *WhistleLevel))
    return incidents.accept(walk.city.session, key, level=level, reason="派单员定", **said)


def _callback(walk: Walk, key: str, said: dict[str, Any]) -> object:
    reached = walk.chance.random() < 0.7
    answer = CallbackAnswer(
        reached,
        walk.chance.choice(list(Solved)) if reached else None,
        walk.chance.randint(1, 5) if reached else None,
    )
    return callbacks.callback(walk.city.session, key, answer, **said)


def _inspect(walk: Walk, key: str, said: dict[str, Any]) -> object:
    found = walk.chance.choice(list(Inspection))
    return intake.inspect(walk.city.session, key, found=found, note="看过", **said)


def _merge(walk: Walk, key: str, said: dict[str, Any]) -> object:
    """Merge it into another report of the same thing, which comes in for it."""
    session = walk.city.session
    incident = session.scalars(select(Incident).where(Incident.number == key)).one()
    if incident.grid_code not in CELLS:  # a probe: it lies in no cell
        return intake.merge(session, key, master=key, **said)
    master = walk.city.report(
        code=incident.grid_code,
        category=incident.category_code,
        lon=incident.native_lon,
        lat=incident.native_lat,
        reporter_phone="13812345678",
    )
    if master.grid_code != incident.grid_code:  # its place was told, for its point lies outside
        incidents.place(
            session, master.number, code=incident.grid_code, by=walk.city["hotline"], now=said["now"]
        )
    master.received_at = incident.received_at
    incident = intake.merge(session, key, master=master.number, **said)
    assert master.number in {one.subject for one in trace.of_incident(session, master.id)}
    return incident


def _regrade(walk: Walk, key: str, said: dict[str, Any]) -> object:
    session = walk.city.session
    now = session.scalars(select(Incident.grade).where(Incident.number == key)).one()
    worse = [grade for grade in Grade if now is None or grade.rank < now.rank]
    lower = [grade for grade in Grade if now is not None and grade.rank > now.rank]
    either = worse + (lower if said["by"].role is Role.DISTRICT_PLATFORM else [])
    return regrading.regrade(
        session, key, grade=walk.chance.choice(either or list(Grade)), reason="情况有变", **said
    )


def _draft(walk: Walk, incident: Incident) -> Draft:
    bodies = walk.chance.sample(BODIES, walk.chance.randint(1, 3))
    pairs = [(code, TaskRole.COOPERATING if n else TaskRole.LEAD) for n, code in enumerate(bodies)]
    now = walk.city.clock()
    done_by = joint.departments_due(Case(walk.city.session, incident, SYSTEM, now), None)
    return Draft(
        type=walk.chance.choice((WhistleType.COMPREHENSIVE, WhistleType.EMERGENCY)),
        reason="街道无执法权",
        departments=tuple(pairs),
        chosen_reason="现场另有情况",
        appointed_at=min(now + timedelta(hours=walk.chance.choice((1, 20))), done_by),
        appointed_place="居委会",
    )


def _of_whistle(walk: Walk, key: str) -> Incident:
    session = walk.city.session
    case = select(Incident).join(Whistle, Whistle.incident_id == Incident.id).where(Whistle.number == key)
    found: Incident = session.scalars(case).one()
    return found


def _submit(walk: Walk, key: str, said: dict[str, Any]) -> object:
    return joint.submit(walk.city.session, key, _draft(walk, _of_whistle(walk, key)), **said)


def _held(walk: Walk, whistle_id: int) -> list[Task]:
    rows = ladder.tasks_of(walk.city.session, whistle_id)
    return [task for task in rows if task.status not in LET_GO]


def _change(walk: Walk, key: str, said: dict[str, Any]) -> object:
    """Let somebody else come in, and everybody else stay."""
    session = walk.city.session
    whistle = session.scalars(select(Whistle).where(Whistle.number == key)).one()
    called = [(task.department.code, task.role) for task in _held(walk, whistle.id)]
    have = {code for code, _ in called}
    new = [(code, TaskRole.COOPERATING) for code in (*BODIES, "STHJ", "JJ") if code not in have][:1]
    owing = {task.department.code for task in _held(walk, whistle.id) if task.status not in DONE_STATUSES}
    gone = [one for one in called if one[1] is TaskRole.COOPERATING and one[0] in owing][:1]
    gone = gone if not new else []
    wanted = [one for one in called if one not in gone] + new
    return returns.change_departments(session, key, wanted, reason="经协调", **said)


def _request_return(walk: Walk, key: str, said: dict[str, Any]) -> object:
    told = {"reason": walk.chance.choice(list(ReturnReason)), "legal_basis": "三定规定"}
    return returns.request_return(walk.city.session, int(key), **told, **said)


def _decide_return(walk: Walk, key: str, said: dict[str, Any]) -> object:
    session = walk.city.session
    task = session.get_one(Task, int(key))
    others = [one for one in _held(walk, task.whistle_id) if one.id != task.id]
    free = [one for one in others if one.status in (_T.PENDING_RESPONSE, _T.RESPONDED, _T.CHECKED_IN)]
    verdict = Verdict(granted=False, note="属本单位")
    if walk.chance.random() < 0.7:
        lead = free[0].department.code if free and task.role is TaskRole.LEAD else None
        hand_to = None
        if (lead is None and walk.chance.random() < 0.5) or (
            others and task.role is TaskRole.LEAD and not free
        ):
            have = {one.department.code for one in (task, *others)}
            hand_to = next((code for code in (*BODIES, "STHJ", "JJ") if code not in have), None)
        dead_end = others and task.role is TaskRole.LEAD and lead is None and hand_to is None
        many = hand_to is not None and returns.hops(session, task.incident_id) >= 2
        if not dead_end and not many:
            verdict = Verdict(granted=True, note="经查属实", hand_to=hand_to, lead=lead)
    return returns.decide(session, int(key), verdict, **said)


def _escalate(walk: Walk, key: str, said: dict[str, Any]) -> object:
    session = walk.city.session
    if walk.chance.random() < 0.5:
        return whistles.escalate(session, key, reason="管不了", **said)
    level, number = session.execute(
        select(Whistle.level, Incident.number)
        .join(Incident, Incident.id == Whistle.incident_id)
        .where(Whistle.number == key)
    ).one()
    if level == 3:
        return whistles.escalate(session, key, reason="管不了", **said)
    draft = _draft(walk, _of_whistle(walk, key))
    return joint.blow(session, number, level=WhistleLevel(level + 1), draft=draft, **said)


def _score(walk: Walk, key: str, said: dict[str, Any]) -> object:
    marks = {item: walk.chance.randint(0, 100) for item in ("response", "handling", "result")}
    return scores.score(walk.city.session, int(key), **marks, comment="据实", **said)


def _decide_appeal(walk: Walk, key: str, said: dict[str, Any]) -> object:
    upheld = walk.chance.random() < 0.5
    marks = (80, 90, 100) if upheld else None
    return scores.decide_appeal(walk.city.session, int(key), upheld=upheld, marks=marks, note="查实", **said)


def _nudge(walk: Walk, key: str, said: dict[str, Any]) -> object:
    by_centre = said["by"].role is Role.GOVERNANCE_CENTRE
    kind = walk.chance.choice(list(SlipKind)) if by_centre else SlipKind.REMIND
    slip = slips.nudge(walk.city.session, int(key), kind=kind, note="请抓紧", **said)
    if kind is not SlipKind.REMIND and walk.chance.random() < 0.5:
        answered = {"by": walk.city[slip.unit], "now": said["now"]}
        slips.answer(walk.city.session, slip.number, text="马上去", **answered)
    return slip


def _respond(walk: Walk, key: str, said: dict[str, Any]) -> object:
    return tasks.respond(walk.city.session, int(key), staff_name="赵某", staff_phone="13612345678", **said)


def _check_in(walk: Walk, key: str, said: dict[str, Any]) -> object:
    how = presence.CheckIn(CheckInMethod.MANUAL, reason="手机没电")
    return presence.check_in(walk.city.session, int(key), how, **said)


def _complete(walk: Walk, key: str, said: dict[str, Any]) -> object:
    session = walk.city.session
    asked = casefile.show_task(session, said["by"], int(key)).category
    evidence = asked.evidence if asked else ()
    return tasks.complete(session, int(key), result="已处理", evidence=evidence, **said)


def _file(walk: Walk, key: str, said: dict[str, Any]) -> object:
    return whistles.file(walk.city.session, key, liaison_name="李芳", liaison_phone="13912345678", **said)


def _waiting(walk: Walk) -> dict[str, Any]:
    hours = walk.chance.choice((2, 30, 200))
    reason = walk.chance.choice(list(SuspensionReason))
    return {"reason": reason, "note": "等待", "until": walk.city.clock() + timedelta(hours=hours)}


def _put_on_ledger(walk: Walk, key: str, said: dict[str, Any]) -> object:
    day = local_day(walk.city.clock() + timedelta(days=walk.chance.choice((1, 60))))
    plan = {"plan": "分步解决", "lead": "CG", "review_on": day, "public_reply": "已列入计划"}
    return ledger.put(walk.city.session, key, **plan, **said)


def _review(walk: Walk, key: str, said: dict[str, Any]) -> object:
    day = local_day(walk.city.clock() + timedelta(days=walk.chance.choice((1, 60))))
    return ledger.review(walk.city.session, key, note="在做", review_on=day, **said)


def _extend(walk: Walk, key: str, said: dict[str, Any]) -> object:
    return extensions.extend(
        walk.city.session, int(key), amount=Limit(2, "work_day"), reason="复杂", citizen_told=True, **said
    )


def _decide_extension(*, granted: bool) -> _Act:
    return lambda w, k, s: extensions.decide(w.city.session, int(k), granted=granted, note="定了", **s)


def _dispute(walk: Walk, key: str, said: dict[str, Any]) -> object:
    """Dispute a part; nobody of the walk settles it, so whoever filed it takes it back at times."""
    session = walk.city.session
    number = session.get_one(Incident, session.get_one(Task, int(key)).incident_id).number
    filed = disputes.file(session, number, Filing("谁管", "不是我局"), **said)
    if walk.chance.random() < 0.5:
        disputes.withdraw(session, filed.number, reason="说清了", **said)
    return filed


ACTS: dict[tuple[str, str], _Act] = {
    ("incident", "ask_suspension"): lambda w, k, s: pauses.ask_suspension(
        w.city.session, k, **_waiting(w), **s
    ),
    ("incident", "suspend"): lambda w, k, s: pauses.suspend(w.city.session, k, **_waiting(w), **s),
    ("incident", "refuse_suspension"): lambda w, k, s: pauses.refuse_suspension(
        w.city.session, k, note="不必", **s
    ),
    ("incident", "resume"): lambda w, k, s: pauses.resume(w.city.session, k, **s),
    ("incident", "ledger"): _put_on_ledger,
    ("incident", "review_ledger"): _review,
    ("incident", "take_up"): lambda w, k, s: ledger.take_up(w.city.session, k, note="可以办了", **s),
    ("incident", "close_ledger"): lambda w, k, s: ledger.close(
        w.city.session, k, public_reply="依法终结", **s
    ),
    ("task", "dispute"): _dispute,
    ("task", "extend"): _extend,
    ("task", "grant_extension"): _decide_extension(granted=True),
    ("task", "refuse_extension"): _decide_extension(granted=False),
    ("incident", "place"): lambda w, k, s: incidents.place(
        w.city.session, k, code=w.chance.choice(CELLS), **s
    ),
    ("incident", "accept"): _accept,
    ("incident", "inspect"): _inspect,
    ("incident", "merge"): _merge,
    ("incident", "regrade"): _regrade,
    ("incident", "cancel"): lambda w, k, s: intake.cancel(w.city.session, k, reason="撤回", **s),
    ("incident", "reject"): lambda w, k, s: intake.reject(
        w.city.session, k, reason=RejectReason.NO_CONTENT, reply="没有具体事项", **s
    ),
    ("incident", "verify"): lambda w, k, s: incidents.verify(w.city.session, k, passed=True, **s),
    ("incident", "rework"): lambda w, k, s: incidents.verify(
        w.city.session, k, passed=False, comment="没好", **s
    ),
    ("incident", "callback"): _callback,
    ("incident", "reopen"): lambda w, k, s: callbacks.reopen(w.city.session, k, reason="复发", **s),
    ("whistle", "answer"): lambda w, k, s: whistles.answer(w.city.session, k, **s),
    ("whistle", "solve"): lambda w, k, s: whistles.solve(w.city.session, k, result="好了", **s),
    ("whistle", "escalate"): _escalate,
    ("whistle", "file"): _file,
    ("whistle", "assign"): lambda w, k, s: whistles.assign(
        w.city.session, k, office="执法办", instruction="去现场", **s
    ),
    ("whistle", "name_liaison"): lambda w, k, s: whistles.name_liaison(
        w.city.session, k, liaison_name="周强", liaison_phone="13912345678", **s
    ),
    ("whistle", "hand_back"): lambda w, k, s: whistles.hand_back(
        w.city.session, k, reason="社区可以协调", **s
    ),
    ("whistle", "submit"): _submit,
    ("whistle", "confirm_by_phone"): lambda w, k, s: confirming.confirm_by_phone(
        w.city.session, k, heard_by="李芳", **s
    ),
    ("whistle", "write_confirmation"): lambda w, k, s: confirming.write_confirmation(w.city.session, k, **s),
    ("whistle", "confirm_instead"): lambda w, k, s: confirming.confirm_instead(
        w.city.session, k, reason="无人确认", **s
    ),
    ("whistle", "withdraw"): lambda w, k, s: confirming.withdraw(w.city.session, k, reason="已解决", **s),
    ("whistle", "change_departments"): _change,
    ("task", "request_return"): _request_return,
    ("task", "return"): _decide_return,
    ("whistle", "confirm"): lambda w, k, s: joint.confirm(w.city.session, k, **s),
    ("whistle", "refuse"): lambda w, k, s: joint.refuse(w.city.session, k, reason="先自行处置", **s),
    ("whistle", "verify"): lambda w, k, s: joint.verify(w.city.session, k, **s),
    ("whistle", "archive"): lambda w, k, s: joint.archive(w.city.session, k, **s),
    ("task", "respond"): _respond,
    ("task", "check_in"): _check_in,
    ("task", "confirm_presence"): lambda w, k, s: presence.confirm_presence(w.city.session, int(k), **s),
    ("task", "deny_presence"): lambda w, k, s: presence.deny_presence(
        w.city.session, int(k), comment="没见到人", **s
    ),
    ("task", "start_remote"): lambda w, k, s: presence.start_remote(
        w.city.session, int(k), reason="线上核查", **s
    ),
    ("whistle", "end_action"): lambda w, k, s: together.end_action(w.city.session, k, measures="取缔", **s),
    ("whistle", "follow_up"): lambda w, k, s: together.follow_up(w.city.session, k, text="另寻场地", **s),
    ("task", "start"): lambda w, k, s: tasks.start(w.city.session, int(k), **s),
    ("task", "complete"): _complete,
    ("task", "rework"): lambda w, k, s: tasks.rework(w.city.session, int(k), comment="没好", **s),
    ("task", "score"): _score,
    ("task", "score_peer"): lambda w, k, s: scores.score_peer(
        w.city.session, int(k), mark=w.chance.randint(60, 100), **s
    ),
    ("task", "appeal"): lambda w, k, s: scores.appeal(w.city.session, int(k), grounds="已按时到场", **s),
    ("task", "decide_appeal"): _decide_appeal,
    ("task", "nudge"): _nudge,
}


@pytest.mark.parametrize("seed", [2])
def test_cases_that_wander_through_what_is_offered_stay_whole(committed_city, seed):
    city = committed_city
    walk = Walk(city, random.Random(seed))
    leader = city.session.scalars(
        select(Post).where(Post.role == Role.GRID_LEADER, Post.area_code == "990101001001")
    ).one()
    cases = []
    # as many cases as it takes to have done everything once
    while len(cases) < CASES or (set(ACTS) - set(walk.done) and len(cases) < MOST):
        leader.on_duty = walk.chance.random() < 0.8  # else an empty post: its whistles climb at once
        incident = walk.begin()
        walk.check(incident)
        cases.append(incident)
        for _ in range(walk.chance.randint(*STEPS)):
            if incident.status in ENDED:
                break
            walk.step(incident)
            walk.check(incident)
            if walk.chance.random() < 0.2:
                assert city.untold() == []
            city.session.commit()

    for incident in cases:  # what the clocks did to those that were left alone
        walk.check(incident)
        assert trace.first_broken(city.session, incident) is None
    assert set(walk.done) == set(ACTS)
