"""An answer that arrives at the moment at which its time runs out, while the sweeper looks: one of them is right."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from grids import deadlines, trace
from grids.acts import joint, tasks, whistles
from grids.acts.joint import Draft
from grids.rules.deadlines import DeadlineKind, Outcome
from grids.rules.tasks import TaskRole
from grids.rules.whistles import WhistleLevel
from grids.tables import Deadline, Incident, Task

pytestmark = pytest.mark.database

BODIES = ("SCJG", "CG", "GA")
ARRIVES = dict(zip(BODIES, (-1, 0, 1), strict=True))  # microseconds after the due moment
PAIRS, ALL_PAIRS = 150, 5_001


def called_out(city, session):
    """Call three departments at once; all have to answer by the same moment."""
    city.session = session
    incident = city.accepted(WhistleLevel.SECOND)
    second, now = city.whistle(incident, 2), city.clock()
    whistles.file(
        session, second.number, liaison_name="李", liaison_phone="13912345678", by=city["centre"], now=now
    )
    whistles.assign(session, second.number, office="办", instruction="去", by=city["centre"], now=now)
    draft = Draft(
        reason="街道无执法权",
        departments=tuple((c, TaskRole.COOPERATING if n else TaskRole.LEAD) for n, c in enumerate(BODIES)),
        appointed_at=now + timedelta(hours=9),
        appointed_place="居委会",
    )
    third = joint.blow(
        session, incident.number, level=WhistleLevel.THIRD, draft=draft, by=city["office"], now=now
    )
    joint.confirm(session, third.number, by=city["town"], now=now)
    parts = {code: (task.id, task.response_due_at) for code, task in city.tasks(incident).items()}
    session.commit()
    return incident.id, parts


def answer(engine, city, code, task_id, received, start=None):
    with Session(engine) as session:
        if start is not None:
            start.wait()
        tasks.respond(
            session, task_id, staff_name="赵", staff_phone="13612345678", by=city[code], now=received
        )
        session.commit()


def sweep(engine, now, start=None):
    with Session(engine) as session:
        if start is not None:
            start.wait()
        assert not deadlines.fire_due(session, now, grace=timedelta(0)).stuck  # the worst case: no grace
        session.commit()


def verdicts(session, incident_id):
    """Return by department every end that its clock of response came to, and whether the sweeper was first."""
    found = {}
    for code, outcome, fired in session.execute(
        select(Task, Deadline.outcome, Deadline.fired_at)
        .join(Deadline, Deadline.task_id == Task.id)
        .where(Task.incident_id == incident_id, Deadline.kind == DeadlineKind.RESPOND)
    ):
        found.setdefault(code.id, []).append((outcome, fired is not None))
    return found


def judge(session, incident_id, parts):
    """Hold one case to the rule; return for how many of its answers the sweeper was there first."""
    ends, first = verdicts(session, incident_id), 0
    for code, (task_id, due) in parts.items():
        ((outcome, fired),) = ends[task_id]
        task = session.get_one(Task, task_id)
        assert task.status == "responded"
        assert task.responded_at == due + timedelta(microseconds=ARRIVES[code])
        assert outcome is (Outcome.MET if task.responded_at <= due else Outcome.MISSED), code
        first += fired
    assert trace.first_broken(session, session.get_one(Incident, incident_id)) is None
    return first


@pytest.mark.parametrize("sweeper_first", [True, False])
def test_whoever_is_first_at_the_lock_the_moment_of_arrival_decides(committed_city, engine, sweeper_first):
    city = committed_city
    city.session.commit()
    with Session(engine, expire_on_commit=False) as session:
        incident_id, parts = called_out(city, session)
    due = parts["CG"][1]
    acts = [lambda: sweep(engine, due + timedelta(milliseconds=1))]
    acts += [
        lambda code=code: answer(
            engine, city, code, parts[code][0], due + timedelta(microseconds=ARRIVES[code])
        )
        for code in BODIES
    ]

    for act in acts if sweeper_first else reversed(acts):
        act()

    with Session(engine) as session:
        first = judge(session, incident_id, parts)
    # what would judge by who was first calls answers late that were not: this is what the rule is for
    assert first == (3 if sweeper_first else 0)


@pytest.mark.timeout(1800)
def test_an_answer_and_the_sweeper_at_the_same_moment_never_both_win(committed_city, engine, soak, publish):
    city, first, pairs = committed_city, 0, 0
    city.session.commit()
    while pairs < (ALL_PAIRS if soak else PAIRS):
        with Session(engine, expire_on_commit=False) as session:
            incident_id, parts = called_out(city, session)
        due = parts["CG"][1]
        start = threading.Barrier(len(parts) + 1)
        failed = []

        def run(act, *args, failed=failed, start=start):
            try:
                act(engine, *args, start)
            except BaseException as reason:
                failed.append(reason)

        racers = [threading.Thread(target=run, args=(sweep, due + timedelta(milliseconds=1)))]
        racers += [
            threading.Thread(
                target=run,
                args=(answer, city, code, parts[code][0], due + timedelta(microseconds=ARRIVES[code])),
            )
            for code in parts
        ]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
        assert not failed, failed
        sweep(engine, due + timedelta(seconds=5))  # a sweeper skips what somebody holds, and comes again
        with Session(engine) as session:
            first += judge(session, incident_id, parts)
        pairs += len(parts)
        city.clock.advance(minutes=1)

    assert 0 < first < pairs  # both have been first, else nothing was raced
    publish("B3", pairs=pairs, sweeper_first=first, double_verdicts=0)
