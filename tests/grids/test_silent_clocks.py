"""No due moment ever moves silently: cases driven at random through everything that stops or moves a clock."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from gis.errors import CityError
from grids import casefile, deadlines, trace
from grids.acts import extensions, incidents, joint, ledger, pauses, presence, tasks, whistles
from grids.acts.joint import Draft
from grids.offers import actions
from grids.rules.calendar import local_day
from grids.rules.deadlines import DeadlineKind, Outcome
from grids.rules.lifecycle import IncidentStatus
from grids.rules.limits import Limit
from grids.rules.pauses import WAITING, SuspensionReason
from grids.rules.tasks import DONE_STATUSES, LET_GO, CheckInMethod, TaskRole
from grids.rules.whistles import WhistleLevel
from grids.standing import standings
from grids.tables import Deadline, Incident, Task, Trace, Whistle

pytestmark = pytest.mark.database

STEPS, ALL_STEPS = 300, 600
JUDGED = (DeadlineKind.HANDLE, DeadlineKind.COMPLETE)
"""The clocks by whose due moment somebody is late: within a round it is one promise, moved or not."""


def silent(session: Session) -> list[str]:
    """Return every due moment that is another one than before, and does not say so; empty when all is well."""
    faults: list[str] = []
    clocks = session.scalars(select(Deadline).order_by(Deadline.id)).all()
    letters = dict(session.execute(select(Task.id, Task.letter_number)).all())
    noted = defaultdict(list)
    for step in session.scalars(select(Trace).where(Trace.action == "clock_moved")):
        said = step.payload
        noted[step.incident_id, said["clock"], said["letter"]].append(
            (said["due_before"], said["due_at"], said["clock_move"])
        )
    by_id = {clock.id: clock for clock in clocks}
    heirs = {clock.replaces_id: clock for clock in clocks if clock.replaces_id is not None}
    before: dict[Any, Deadline] = {}
    for clock in clocks:
        about = (clock.incident_id, clock.whistle_id, clock.task_id, clock.kind, clock.round)
        last = before.get(about)
        other = clock.kind in JUDGED and last is not None and clock.due_at != last.due_at
        if other and (clock.replaces_id != last.id or clock.because is None):
            faults.append(f"clock {clock.id} is due at another moment than {last.id} and names no cause")
        if clock.replaces_id is not None:
            old = by_id[clock.replaces_id]
            if about != (old.incident_id, old.whistle_id, old.task_id, old.kind, old.round):
                faults.append(f"clock {clock.id} replaces one about another thing")
            rows = noted[clock.incident_id, clock.kind.value, letters.get(clock.task_id)]
            if not any(_same(row, old, clock) for row in rows):
                faults.append(f"clock {clock.id} has no step of the history that says so")
        elif clock.outcome is Outcome.MOVED and clock.id not in heirs and not _waits(session, clock):
            faults.append(f"clock {clock.id} stands still in a case that goes on")
        before[about] = clock
    faults += _shown_otherwise(session)
    return faults


def _same(row: tuple[str, str, str], old: Deadline, new: Deadline) -> bool:
    first, second = (datetime.fromisoformat(moment) for moment in row[:2])
    return (first, second, row[2]) == (old.due_at, new.due_at, new.because)


def _waits(session: Session, clock: Deadline) -> bool:
    return session.get_one(Incident, clock.incident_id).status in WAITING


def _shown_otherwise(session: Session) -> list[str]:
    """Return where what is shown as due is not what the clock says."""
    faults = []
    for incident in session.scalars(select(Incident)):
        handled = [
            clock
            for clock in session.scalars(
                select(Deadline).where(
                    Deadline.incident_id == incident.id, Deadline.kind == DeadlineKind.HANDLE
                )
            )
            if clock.round == incident.round
        ]
        if handled and max(handled, key=lambda one: one.id).due_at != incident.due_effective:
            faults.append(f"{incident.number} shows another due moment than its clock has")
    for task in session.scalars(select(Task).where(Task.status.not_in(DONE_STATUSES | LET_GO))):
        last = session.scalars(
            select(Deadline.due_at)
            .where(Deadline.task_id == task.id, Deadline.kind == DeadlineKind.COMPLETE)
            .order_by(Deadline.id.desc())
        ).first()
        if last != task.due_at:
            faults.append(f"{task.letter_number} shows another due moment than its clock has")
    return faults


# -- the walk

_Act = Callable[["Walk", str, dict[str, Any]], object]


class Walk:
    """A town in which people suspend, extend, put on the ledger and work, as chance has it."""

    def __init__(self, city: Any, seed: int) -> None:
        self.city, self.chance = city, random.Random(seed)
        self.done: dict[str, int] = defaultdict(int)

    def begin(self) -> Incident:
        level = self.chance.choice(list(WhistleLevel))
        case: Incident = self.city.accepted(
            min(level, WhistleLevel.SECOND), category=self.chance.choice(("07-001", "10-001", "02-001"))
        )
        if level is WhistleLevel.THIRD:
            now = self.city.clock()
            draft = Draft(
                reason="街道无执法权",
                departments=(("SCJG", TaskRole.LEAD), ("CG", TaskRole.COOPERATING)),
                appointed_at=now + timedelta(hours=1),
                appointed_place="居委会",
            )
            said: dict[str, Any] = {"by": self.city["centre"], "now": now}
            number = self.city.whistle(case, 2).number
            whistles.file(self.city.session, number, liaison_name="李芳", liaison_phone="13912345678", **said)
            said["by"] = self.city["office"]
            third = joint.blow(self.city.session, case.number, level=WhistleLevel.THIRD, draft=draft, **said)
            joint.confirm(self.city.session, third.number, by=self.city["town"], now=now)
        return case

    def offered(self, incident: Incident) -> list[tuple[Any, Any]]:
        session = self.city.session
        session.flush()
        blown = session.scalars(select(Whistle).where(Whistle.incident_id == incident.id)).all()
        parts = session.scalars(select(Task).where(Task.incident_id == incident.id)).all()
        standing = standings(session, [incident.id])[incident.id]
        return [
            (actor, action)
            for actor in self.city.people.values()
            for action in actions(actor, incident, blown, parts, standing, self.city.clock())
            if (action.machine, action.action) in ACTS
        ]

    def step(self, incident: Incident) -> None:
        span = self.chance.choice(({"minutes": 7}, {"minutes": 40}, {"hours": 3}, {"hours": 20}))
        self.city.clock.advance(**span)
        assert not deadlines.fire_due(self.city.session, self.city.clock()).stuck
        offered = self.offered(incident)
        if not offered:
            return
        wanted = self.chance.choice(sorted({(one.machine, one.action) for _, one in offered}))
        actor, action = self.chance.choice(
            [(who, one) for who, one in offered if (one.machine, one.action) == wanted]
        )
        ACTS[wanted](self, action.key, {"by": actor, "now": self.city.clock()})
        self.done[action.action] += 1


def _until(walk: Walk) -> Any:
    return walk.city.clock() + timedelta(hours=walk.chance.choice((1, 17, 60, 400)))


def _waiting(walk: Walk) -> dict[str, Any]:
    return {
        "reason": walk.chance.choice(list(SuspensionReason)),
        "note": "等待",
        "until": _until(walk),
    }


def _suspend(walk: Walk, key: str, said: dict[str, Any]) -> object:
    return pauses.suspend(walk.city.session, key, **_waiting(walk), **said)


def _extend(walk: Walk, key: str, said: dict[str, Any]) -> object:
    amount = walk.chance.choice((Limit(2, "work_day"), Limit(5, "work_hour"), Limit(1, "natural_day")))
    return extensions.extend(
        walk.city.session, int(key), amount=amount, reason="复杂", citizen_told=True, **said
    )


def _decide(granted: bool) -> _Act:
    return lambda walk, key, said: extensions.decide(
        walk.city.session, int(key), granted=granted, note="定了", **said
    )


def _review_day(walk: Walk) -> Any:
    return local_day(walk.city.clock()) + timedelta(days=walk.chance.choice((1, 3, 40)))


def _put(walk: Walk, key: str, said: dict[str, Any]) -> object:
    return ledger.put(
        walk.city.session,
        key,
        plan="分步解决",
        lead="CG",
        review_on=_review_day(walk),
        public_reply="已列入计划",
        **said,
    )


def _complete(walk: Walk, key: str, said: dict[str, Any]) -> object:
    category = casefile.show_task(walk.city.session, said["by"], int(key)).category
    evidence = category.evidence if category else ()
    return tasks.complete(walk.city.session, int(key), result="好了", evidence=evidence, **said)


ACTS: dict[tuple[str, str], _Act] = {
    ("incident", "ask_suspension"): lambda w, k, s: pauses.ask_suspension(
        w.city.session, k, **_waiting(w), **s
    ),
    ("incident", "suspend"): _suspend,
    ("incident", "refuse_suspension"): lambda w, k, s: pauses.refuse_suspension(
        w.city.session, k, note="不必", **s
    ),
    ("incident", "resume"): lambda w, k, s: pauses.resume(w.city.session, k, **s),
    ("incident", "ledger"): _put,
    ("incident", "review_ledger"): lambda w, k, s: ledger.review(
        w.city.session, k, note="在做", review_on=_review_day(w), **s
    ),
    ("incident", "take_up"): lambda w, k, s: ledger.take_up(w.city.session, k, note="可以办了", **s),
    ("incident", "rework"): lambda w, k, s: incidents.verify(
        w.city.session, k, passed=False, comment="没好", **s
    ),
    ("whistle", "solve"): lambda w, k, s: whistles.solve(w.city.session, k, result="好了", **s),
    ("task", "respond"): lambda w, k, s: tasks.respond(
        w.city.session, int(k), staff_name="赵某", staff_phone="13612345678", **s
    ),
    ("task", "check_in"): lambda w, k, s: presence.check_in(
        w.city.session, int(k), presence.CheckIn(CheckInMethod.MANUAL, reason="手机没电"), **s
    ),
    ("task", "start"): lambda w, k, s: tasks.start(w.city.session, int(k), **s),
    ("task", "complete"): _complete,
    ("task", "rework"): lambda w, k, s: tasks.rework(w.city.session, int(k), comment="没好", **s),
    ("task", "extend"): _extend,
    ("task", "grant_extension"): _decide(granted=True),
    ("task", "refuse_extension"): _decide(granted=False),
}


@pytest.mark.parametrize("seed", [1])
def test_every_due_moment_that_is_another_one_says_why(committed_city, seed, soak, publish):
    steps = ALL_STEPS if soak else STEPS
    city = committed_city
    walk = Walk(city, random.Random(seed).randint(0, 10**6))
    cases: list[Incident] = []
    for number in range(steps):
        if number % 20 == 0:
            cases.append(walk.begin())
        walk.step(walk.chance.choice(cases[-3:]))
        city.session.commit()
        if number % 50 == 0:
            assert silent(city.session) == []

    assert silent(city.session) == []
    assert all(trace.first_broken(city.session, case) is None for case in cases)
    assert set(walk.done) == {action for _, action in ACTS}
    moved = city.session.scalars(select(Deadline).where(Deadline.replaces_id.is_not(None))).all()
    assert {clock.because.value for clock in moved} == {"suspension", "extension", "ledger"}
    assert len(moved) > 50
    publish("B6", steps=steps, cases=len(cases), moved=len(moved), silent=0)


def test_a_due_moment_that_moved_in_silence_is_found(city):
    incident = city.accepted(category="07-001")
    assert silent(city.session) == []
    clock = city.session.scalars(select(Deadline).where(Deadline.kind == DeadlineKind.HANDLE)).one()

    clock.settled_at, clock.outcome = city.clock(), Outcome.VOID
    city.session.flush()
    city.session.add(
        Deadline(
            incident_id=incident.id,
            kind=clock.kind,
            round=clock.round,
            started_at=clock.started_at,
            due_at=clock.due_at + timedelta(hours=1),
        )
    )

    assert len(silent(city.session)) == 2


def test_the_database_itself_refuses_another_due_moment(committed_city):
    city = committed_city
    incident = city.accepted(category="07-001")
    city.session.commit()
    later = text("update deadline set due_at = due_at + interval '1 hour' where incident_id = :id")

    with pytest.raises(DBAPIError, match="a clock keeps its due moment"), city.session.begin_nested():
        city.session.execute(later, {"id": incident.id})

    assert silent(city.session) == []
    assert incident.status is IncidentStatus.HANDLING


def test_without_its_guard_the_database_would_let_it_pass(make_database):
    engine = create_engine(make_database())
    later = text("update deadline set due_at = due_at + interval '1 hour'")
    try:
        with engine.begin() as connection:
            connection.execute(text("set session_replication_role = replica"))  # no foreign keys to fill
            connection.execute(
                text(
                    "insert into deadline (incident_id, kind, round, started_at, due_at)"
                    " values (1, 'handle', 1, now(), now())"
                )
            )
            connection.execute(text("set session_replication_role = origin"))
        with pytest.raises(DBAPIError, match="a clock keeps its due moment"), engine.begin() as connection:
            connection.execute(later)
        with engine.begin() as connection:
            connection.execute(text("drop trigger keep_due_moment on deadline"))
            assert connection.execute(later).rowcount == 1
    finally:
        engine.dispose()


def test_an_act_that_is_refused_moves_nothing(city):
    incident = city.accepted(category="07-001")
    city.clock.set(incident.due_at + timedelta(seconds=1))

    with pytest.raises(CityError), city.session.begin_nested():
        pauses.suspend(
            city.session,
            incident.number,
            reason=SuspensionReason.WEATHER,
            note="雨",
            until=city.clock() + timedelta(days=1),
            by=city["centre"],
            now=city.clock(),
        )

    assert silent(city.session) == []
