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
from grids import deadlines, register, trace
from grids.acts import incidents, joint, tasks, whistles
from grids.acts.incidents import CallbackAnswer
from grids.acts.joint import Draft
from grids.register import Action
from grids.rules.deadlines import DeadlineKind, Outcome
from grids.rules.lifecycle import Channel, IncidentStatus
from grids.rules.permissions import Actor, Role
from grids.rules.tasks import DONE_STATUSES, CheckInMethod, TaskRole, TaskStatus
from grids.rules.whistles import WhistleLevel, WhistleStatus
from grids.tables import Deadline, Incident, Post, Solved, Task, Trace, Whistle

pytestmark = pytest.mark.database

CASES, STEPS = 60, (8, 30)
CELLS = ("990101001001001", "990101001001002")  # each has a grid worker, who checks what the town has solved
CATEGORIES = ("10-001", "02-001", "01-001", "01-003", "08-001")  # from green to red, for each level
BODIES = ("SCJG", "CG", "GA")

_K, _I, _W, _T = DeadlineKind, IncidentStatus, WhistleStatus, TaskStatus
OWED_WHILE: dict[DeadlineKind, frozenset[Any]] = {
    _K.ACCEPT: frozenset({_I.REPORTED}),
    _K.HANDLE: frozenset({_I.HANDLING}),
    _K.VERIFY: frozenset({_I.RESOLVED}),
    _K.CALLBACK: frozenset({_I.VERIFIED}),
    _K.COMMUNITY: frozenset({_W.BLOWN, _W.HANDLING}),
    _K.LIAISON: frozenset({_W.BLOWN}),
    _K.ASSIGN: frozenset({_W.BLOWN, _W.FILED}),
    _K.CONFIRM: frozenset({_W.PENDING_CONFIRM}),
    _K.RESPOND: frozenset({_T.PENDING_RESPONSE}),
    _K.CHECK_IN: frozenset({_T.PENDING_RESPONSE, _T.RESPONDED}),
    _K.COMPLETE: frozenset(TaskStatus) - DONE_STATUSES,
    _K.SCORE: frozenset({_T.ACCEPTED_OK}),
}
"""The states of its subject in which a clock runs, as the reference tells them."""


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
        channel = Channel.HOTLINE if by == "hotline" else Channel.GRID_WORKER
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
        return [
            (actor, action)
            for actor in self.city.people.values()
            for action in register.actions(actor, incident, blown, parts)
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
        wanted = self.chance.choice(acts)
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
        machine, verb = self.chance.choice(sorted(ACTS))
        if not keys[machine]:
            return
        actor = self.chance.choice(list(self.city.people.values()))
        action = Action(machine, self.chance.choice(keys[machine]), verb)
        if (actor, action) in offered:
            return
        before = incident.trace_seq
        with pytest.raises(CityError), session.begin_nested():
            self.act(actor, action)
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
            assert {clock.kind for clock in running} <= {DeadlineKind.SCORE}
        if incident.status is IncidentStatus.HANDLING:
            last = [c for c in clocks if c.kind is DeadlineKind.HANDLE and c.round == incident.round][-1]
            assert last.settled_at is None or last.fired_at is not None
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
    return incidents.callback(walk.city.session, key, answer, **said)


def _draft(walk: Walk) -> Draft:
    bodies = walk.chance.sample(BODIES, walk.chance.randint(1, 3))
    pairs = [(code, TaskRole.COOPERATING if n else TaskRole.LEAD) for n, code in enumerate(bodies)]
    return Draft(
        reason="街道无执法权",
        departments=tuple(pairs),
        appointed_at=walk.city.clock() + timedelta(hours=walk.chance.choice((1, 20))),
        appointed_place="居委会",
    )


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
    return joint.blow(session, number, level=WhistleLevel(level + 1), draft=_draft(walk), **said)


def _score(walk: Walk, key: str, said: dict[str, Any]) -> object:
    marks = {item: walk.chance.randint(0, 100) for item in ("response", "handling", "result")}
    return tasks.score(walk.city.session, int(key), **marks, comment="据实", **said)


def _respond(walk: Walk, key: str, said: dict[str, Any]) -> object:
    return tasks.respond(walk.city.session, int(key), staff_name="赵某", staff_phone="13612345678", **said)


def _check_in(walk: Walk, key: str, said: dict[str, Any]) -> object:
    how = tasks.CheckIn(CheckInMethod.MANUAL, reason="手机没电")
    return tasks.check_in(walk.city.session, int(key), how, **said)


def _file(walk: Walk, key: str, said: dict[str, Any]) -> object:
    return whistles.file(walk.city.session, key, liaison_name="李芳", liaison_phone="13912345678", **said)


ACTS: dict[tuple[str, str], _Act] = {
    ("incident", "place"): lambda w, k, s: incidents.place(
        w.city.session, k, code=w.chance.choice(CELLS), **s
    ),
    ("incident", "accept"): _accept,
    ("incident", "verify"): lambda w, k, s: incidents.verify(w.city.session, k, passed=True, **s),
    ("incident", "rework"): lambda w, k, s: incidents.verify(
        w.city.session, k, passed=False, comment="没好", **s
    ),
    ("incident", "callback"): _callback,
    ("incident", "reopen"): lambda w, k, s: incidents.reopen(w.city.session, k, reason="复发", **s),
    ("whistle", "answer"): lambda w, k, s: whistles.answer(w.city.session, k, **s),
    ("whistle", "solve"): lambda w, k, s: whistles.solve(w.city.session, k, result="好了", **s),
    ("whistle", "escalate"): _escalate,
    ("whistle", "file"): _file,
    ("whistle", "assign"): lambda w, k, s: whistles.assign(
        w.city.session, k, office="执法办", instruction="去现场", **s
    ),
    ("whistle", "submit"): lambda w, k, s: joint.submit(w.city.session, k, _draft(w), **s),
    ("whistle", "confirm"): lambda w, k, s: joint.confirm(w.city.session, k, **s),
    ("whistle", "refuse"): lambda w, k, s: joint.refuse(w.city.session, k, reason="先自行处置", **s),
    ("whistle", "verify"): lambda w, k, s: joint.verify(w.city.session, k, **s),
    ("whistle", "archive"): lambda w, k, s: joint.archive(w.city.session, k, **s),
    ("task", "respond"): _respond,
    ("task", "check_in"): _check_in,
    ("task", "start"): lambda w, k, s: tasks.start(w.city.session, int(k), **s),
    ("task", "complete"): lambda w, k, s: tasks.complete(w.city.session, int(k), result="已处理", **s),
    ("task", "rework"): lambda w, k, s: tasks.rework(w.city.session, int(k), comment="没好", **s),
    ("task", "score"): _score,
}


@pytest.mark.parametrize("seed", [1])
def test_cases_that_wander_through_what_is_offered_stay_whole(committed_city, seed):
    city = committed_city
    walk = Walk(city, random.Random(seed))
    leader = city.session.scalars(
        select(Post).where(Post.role == Role.GRID_LEADER, Post.area_code == "990101001001")
    ).one()
    cases = []
    for _ in range(CASES):
        leader.on_duty = walk.chance.random() < 0.8  # else an empty post: its whistles climb at once
        incident = walk.begin()
        walk.check(incident)
        cases.append(incident)
        for _ in range(walk.chance.randint(*STEPS)):
            walk.step(incident)
            walk.check(incident)
            city.session.commit()

    for incident in cases:  # what the clocks did to those that were left alone
        walk.check(incident)
        assert trace.first_broken(city.session, incident) is None
    assert set(walk.done) == set(ACTS)
