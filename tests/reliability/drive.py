"""The use cases as the model's acts: each act by the model's name, done to the real case; and what the case is then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from grids import calendars, deadlines
from grids.acts import (
    callbacks,
    confirming,
    disputes,
    extensions,
    incidents,
    intake,
    joint,
    ledger,
    pauses,
    presence,
    regrading,
    returns,
    scores,
    slips,
    tasks,
    together,
    verdicts,
    whistles,
)
from grids.acts.callbacks import CallbackAnswer
from grids.acts.case import Case
from grids.acts.disputes import Filing
from grids.acts.joint import Draft
from grids.acts.presence import CheckIn
from grids.acts.returns import Verdict
from grids.acts.verdicts import Settlement
from grids.rules.calendar import local_day
from grids.rules.disputes import DISPUTE, Ground, GroundKind
from grids.rules.grading import Grade
from grids.rules.lifecycle import INCIDENT, Channel, Inspection, RejectReason
from grids.rules.limits import Limit, Unit, due
from grids.rules.pauses import SuspensionReason, due_after_extension
from grids.rules.permissions import SYSTEM, Actor, Role
from grids.rules.returns import ReturnReason
from grids.rules.slips import SlipKind
from grids.rules.tasks import TASK, CheckInMethod, TaskRole
from grids.rules.whistles import WHISTLE, WhistleLevel, WhistleType
from grids.tables import (
    Appraisal,
    Category,
    Deadline,
    Department,
    Incident,
    Person,
    Post,
    Slip,
    Solved,
    Task,
    Trace,
    Whistle,
)

__all__ = ["ACTS", "CATEGORIES", "MACHINES", "Real", "people_of", "table_rows"]

MACHINES = (INCIDENT, WHISTLE, TASK, DISPUTE)
CATEGORIES = ("10-001", "10-001", "10-001", "02-001", "01-001", "08-001")  # from green to red, for each level
MORE = {"district": (Role.DISTRICT_LEADER, "990101"), "house": (Role.BUILDING_LEADER, "990101001001001")}


def table_rows() -> list[tuple[str, str, int | None, frozenset[str], str | None, frozenset[str]]]:
    """Return the state tables as plain rows: machine, act, level, from, to, roles."""
    return [
        (
            machine.name,
            row.action,
            row.level,
            frozenset(str(one) for one in row.sources),
            None if row.target is None else str(row.target),
            frozenset(str(one) for one in row.roles),
        )
        for machine in MACHINES
        for row in machine.transitions
    ]


def people_of(session: Session) -> dict[str, Actor]:
    """Return everybody in the city by login, as they act; put the posts on record that it lacks."""
    for login, (role, area) in MORE.items():
        if session.scalar(select(Person.id).where(Person.login == login)) is None:
            person = Person(login=login, name=login)
            session.add(person)
            session.flush()
            session.add(Post(person_id=person.id, role=role, area_code=area, title=login))
    session.flush()
    bodies = {one.id: one.code for one in session.scalars(select(Department))}
    found = {}
    for person, post in session.execute(select(Person, Post).join(Post, Post.person_id == Person.id)):
        unit = bodies.get(post.department_id or 0, post.area_code or "")
        found[person.login] = Actor(
            person.id, person.login, post.role, unit, post.area_code, post.department_id
        )
    return found


@dataclass
class Real:
    """A case in the database, whose whistles, tasks and disputes are called W1, T1, D1 as they come."""

    session: Session
    people: dict[str, Actor]
    now: datetime
    number: str = ""
    id: int = 0
    seq: int = 0
    keys: dict[str, Any] = field(default_factory=dict)  # W1: its number; T1: its id; D1: its number

    def report(self, login: str, *, category: str, citizen: bool, inside: bool, reporter: bool) -> None:
        """File the report that the case begins with."""
        channel = Channel.CITIZEN if citizen else Channel.HOTLINE
        said = incidents.Report(
            channel=channel,
            lon=117.005 if inside else 117.2,
            lat=36.01,
            frame="CGCS2000",
            text="车库里有人烧烤",
            category=category,
            reporter_name="王某" if reporter else None,
            reporter_phone="13812345678" if reporter else None,
        )
        made = incidents.report(self.session, said, by=self.people[login], now=self.now)
        self.number, self.id = made.number, made.id

    def do(self, login: str, act: tuple[str, str], name: str, said: Mapping[str, Any]) -> None:
        """Let somebody do an act on what has this name."""
        key = self.keys.get(name, self.number)
        ACTS[act](self, key, dict(said), {"by": self.people[login], "now": self.now})
        self.session.flush()

    def fire(self) -> list[tuple[str, str]]:
        """Let the sweeper fire what is due now; return which clocks ran out, in their order."""
        before, found = self.head(), []
        fired = deadlines.fire_due(self.session, self.now)
        assert not fired.stuck, fired.stuck
        names = {str(key): name for name, key in self.keys.items() if name[0] == "W"}
        letters = dict(
            self.session.execute(select(Task.letter_number, Task.id).where(Task.incident_id == self.id)).all()
        )
        tasks_by = {key: name for name, key in self.keys.items() if name[0] == "T"}
        for facts in self.session.scalars(
            select(Trace.payload)
            .where(Trace.incident_id == self.id, Trace.seq > before, Trace.action == "clock_ran_out")
            .order_by(Trace.seq)
        ):
            of = "case"
            if facts.get("letter"):
                of = tasks_by[letters[facts["letter"]]]
            elif facts.get("whistle"):
                of = names[facts["whistle"]]
            found.append((facts["clock"], of))
        return found

    def next_due(self) -> datetime | None:
        """Return when the next clock of the case runs out."""
        return self.session.scalar(
            select(Deadline.due_at)
            .where(Deadline.incident_id == self.id, Deadline.settled_at.is_(None))
            .order_by(Deadline.due_at)
            .limit(1)
        )

    def head(self) -> int:
        """Return how many steps the history has."""
        found: int = self.session.execute(
            text("select trace_seq from incident where id = :i"), {"i": self.id}
        ).scalar_one()
        return found

    def seen(self) -> tuple[dict[str, Any], set[tuple[str, str]], dict[str, datetime]]:
        """Return states by name, the clocks that run, and when the case and its parts are due."""
        self.session.flush()
        rows = self.session.execute(_SEEN, {"i": self.id}).all()
        states: dict[str, Any] = {}
        clocks: set[tuple[str, str]] = set()
        due_at: dict[str, datetime] = {}
        names: dict[tuple[str, int], str] = {}
        for what, row_id, state, of, number, moment, _place in rows:
            if what == "I":
                states["case"] = state
            elif what in "WTD":
                name = names[what, row_id] = f"{what}{sum(one[0] == what for one in names) + 1}"
                self.keys[name] = row_id if what == "T" else number
                states[name] = f"{state}, disputed" if of else state
                if what == "T":
                    due_at[name] = moment
            elif what == "H":
                due_at["case"] = moment
            elif state != "progress":  # a reminder at a share of the time: no state follows from it
                clocks.add((state, names.get((number, of), "case")))
        return states, clocks, due_at


# one question for all that is compared: rows (what, id, state, of, number, moment)
_SEEN = text(
    """
    select 'I' as what, id, status as state, null::bigint as of, number, null::timestamptz as moment, 0 as place
    from incident where id = :i
    union all select 'W', id, status, null, number, null, 1 from whistle where incident_id = :i
    union all select 'T', id, status, case when disputed then 1 end, letter_number, due_at, 1
    from task where incident_id = :i
    union all select 'D', id, status, null, number, null, 1 from dispute where incident_id = :i
    union all (select 'H', id, kind, null, null, due_at, 1 from deadline
     where incident_id = :i and kind = 'handle' order by id desc limit 1)
    union all select 'C', id, kind, coalesce(task_id, whistle_id),
    case when task_id is not null then 'T' when whistle_id is not null then 'W' else '' end, null, 2
    from deadline where incident_id = :i and settled_at is null
    order by place, id
    """
)

_Act = Callable[[Real, Any, dict[str, Any], dict[str, Any]], object]
_WAIT = {"reason": SuspensionReason.WEATHER, "note": "等雨停"}
_GROUNDS = (Ground(GroundKind.SAN_DING, "三定规定"),)


def _case(real: Real, key: str, by: dict[str, Any]) -> Case:
    found = real.session.scalars(
        select(Incident).join(Whistle, Whistle.incident_id == Incident.id).where(Whistle.number == key)
    ).one()
    return Case(real.session, found, SYSTEM, by["now"])


def _submit(real: Real, key: str, said: dict[str, Any], by: dict[str, Any]) -> object:
    until = joint.departments_due(_case(real, key, by), None)
    draft = Draft(
        type=WhistleType.EMERGENCY if said["emergency"] else WhistleType.COMPREHENSIVE,
        reason="街道无执法权",
        departments=_pairs(said["called"]),
        chosen_reason="现场另有情况",
        appointed_at=min(real.now + timedelta(hours=1), until),
        appointed_place="居委会",
    )
    return joint.submit(real.session, key, draft, **by)


def _pairs(called: Mapping[str, bool]) -> tuple[tuple[str, TaskRole], ...]:
    return tuple((code, TaskRole.LEAD if lead else TaskRole.COOPERATING) for code, lead in called.items())


def _merge(real: Real, key: str, _said: dict[str, Any], by: dict[str, Any]) -> object:
    """Merge it into another report of the same thing, which the hotline takes down just now."""
    own = real.session.scalars(select(Incident).where(Incident.number == key)).one()
    other = incidents.report(
        real.session,
        incidents.Report(
            channel=Channel.HOTLINE,
            lon=own.native_lon,
            lat=own.native_lat,
            frame="CGCS2000",
            text="又来了",
            category=own.category_code,
            reporter_phone="13812345678",
        ),
        by=real.people["hotline"],
        now=real.now,
    )
    other.received_at = own.received_at
    real.session.flush()
    return intake.merge(real.session, key, master=other.number, **by)


def _complete(real: Real, key: int, _said: dict[str, Any], by: dict[str, Any]) -> object:
    task = real.session.get_one(Task, key)
    own = real.session.get_one(Incident, task.incident_id)
    evidence = real.session.get_one(Category, own.category_code or "").evidence
    return tasks.complete(real.session, key, result="已处理", evidence=evidence, **by)


def _callback(real: Real, key: str, said: dict[str, Any], by: dict[str, Any]) -> object:
    reached, happy = said["reached"], said["happy"]
    answer = CallbackAnswer(
        reached,
        (Solved.YES if happy else Solved.NO) if reached else None,
        (4 if happy else 1) if reached else None,
    )
    return callbacks.callback(real.session, key, answer, **by)


def _extend(real: Real, key: int, _said: dict[str, Any], by: dict[str, Any]) -> object:
    return extensions.extend(
        real.session, key, amount=Limit(2, Unit.WORK_DAY), reason="复杂", citizen_told=True, **by
    )


def _settle(how: str) -> _Act:
    def act(real: Real, key: str, said: dict[str, Any], by: dict[str, Any]) -> object:
        settled = Settlement(said["lead"], tuple(said["others"]), _GROUNDS, minutes="纪要")
        return getattr(verdicts, how)(real.session, key, settled, **by)

    return act


def _slip(real: Real, _key: Any, said: dict[str, Any], by: dict[str, Any]) -> object:
    """Answer the oldest slip of the part, or of the case itself, that waits."""
    task = real.keys.get(said["of"])
    number = real.session.scalar(
        select(Slip.number)
        .where(
            Slip.incident_id == real.id,
            Slip.task_id == task if task else Slip.task_id.is_(None),
            Slip.answered_at.is_(None),
            Slip.answer_due_at.is_not(None),
        )
        .order_by(Slip.id)
        .limit(1)
    )
    return slips.answer(real.session, number or "none", text="已安排", **by)


def _day_on(real: Real) -> Any:
    return local_day(real.now + timedelta(days=30))


_S: Mapping[str, Any] = MappingProxyType({})
ACTS: dict[tuple[str, str], _Act] = {
    ("incident", "place"): lambda r, k, s, b: incidents.place(r.session, k, code=s["cell"], **b),
    ("incident", "inspect"): lambda r, k, s, b: intake.inspect(
        r.session, k, found=Inspection(s["found"]), note="看过", **b
    ),
    ("incident", "accept"): lambda r, k, s, b: incidents.accept(
        r.session, k, level=s["level"] and WhistleLevel(s["level"]), reason="派单员定", **b
    ),
    ("incident", "reject"): lambda r, k, _, b: intake.reject(
        r.session, k, reason=RejectReason.NO_CONTENT, reply="没有具体事项", **b
    ),
    ("incident", "merge"): _merge,
    ("incident", "cancel"): lambda r, k, _, b: intake.cancel(r.session, k, reason="撤回", **b),
    ("incident", "regrade"): lambda r, k, s, b: regrading.regrade(
        r.session, k, grade=Grade(s["grade"]), reason="情况有变", **b
    ),
    ("incident", "ask_suspension"): lambda r, k, _, b: pauses.ask_suspension(
        r.session, k, **_WAIT, until=r.now + timedelta(days=3), **b
    ),
    ("incident", "suspend"): lambda r, k, _, b: pauses.suspend(
        r.session, k, **_WAIT, until=r.now + timedelta(days=3), **b
    ),
    ("incident", "refuse_suspension"): lambda r, k, _, b: pauses.refuse_suspension(
        r.session, k, note="不必", **b
    ),
    ("incident", "resume"): lambda r, k, _, b: pauses.resume(r.session, k, **b),
    ("incident", "verify"): lambda r, k, _, b: incidents.verify(r.session, k, passed=True, **b),
    ("incident", "rework"): lambda r, k, _, b: incidents.verify(
        r.session, k, passed=False, comment="没好", **b
    ),
    ("incident", "callback"): _callback,
    ("incident", "reopen"): lambda r, k, _, b: callbacks.reopen(r.session, k, reason="复发", **b),
    ("incident", "ledger"): lambda r, k, _, b: ledger.put(
        r.session, k, plan="分步", lead="CG", review_on=_day_on(r), public_reply="已列入", **b
    ),
    ("incident", "review_ledger"): lambda r, k, _, b: ledger.review(
        r.session, k, note="在做", review_on=_day_on(r), **b
    ),
    ("incident", "take_up"): lambda r, k, _, b: ledger.take_up(r.session, k, note="可以办了", **b),
    ("incident", "close_ledger"): lambda r, k, _, b: ledger.close(r.session, k, public_reply="终结", **b),
    ("incident", "dispute"): lambda r, k, s, b: disputes.file(
        r.session, k, Filing("谁管", "不是我局", lead=s["lead"], also=s["also"]), **b
    ),
    ("incident", "answer_slip"): _slip,
    ("whistle", "answer"): lambda r, k, _, b: whistles.answer(r.session, k, **b),
    ("whistle", "solve"): lambda r, k, _, b: whistles.solve(r.session, k, result="好了", **b),
    ("whistle", "escalate"): lambda r, k, _, b: whistles.escalate(r.session, k, reason="管不了", **b),
    ("whistle", "name_liaison"): lambda r, k, _, b: whistles.name_liaison(
        r.session, k, liaison_name="周强", liaison_phone="13912345678", **b
    ),
    ("whistle", "file"): lambda r, k, _, b: whistles.file(
        r.session, k, liaison_name="李芳", liaison_phone="13912345678", **b
    ),
    ("whistle", "assign"): lambda r, k, _, b: whistles.assign(
        r.session, k, office="执法办", instruction="去", **b
    ),
    ("whistle", "hand_back"): lambda r, k, _, b: whistles.hand_back(r.session, k, reason="社区可办", **b),
    ("whistle", "submit"): _submit,
    ("whistle", "confirm"): lambda r, k, _, b: joint.confirm(r.session, k, **b),
    ("whistle", "confirm_by_phone"): lambda r, k, _, b: confirming.confirm_by_phone(
        r.session, k, heard_by="李芳", **b
    ),
    ("whistle", "write_confirmation"): lambda r, k, _, b: confirming.write_confirmation(r.session, k, **b),
    ("whistle", "confirm_instead"): lambda r, k, _, b: confirming.confirm_instead(
        r.session, k, reason="无人确认", **b
    ),
    ("whistle", "refuse"): lambda r, k, _, b: joint.refuse(r.session, k, reason="先自行处置", **b),
    ("whistle", "issue"): lambda r, k, _, b: joint.issue(r.session, k, **b),
    ("whistle", "change_departments"): lambda r, k, s, b: returns.change_departments(
        r.session, k, _pairs(s["called"]), reason="经协调", **b
    ),
    ("whistle", "end_action"): lambda r, k, _, b: together.end_action(r.session, k, measures="取缔", **b),
    ("whistle", "follow_up"): lambda r, k, _, b: together.follow_up(r.session, k, text="另寻场地", **b),
    ("whistle", "verify"): lambda r, k, _, b: joint.verify(r.session, k, **b),
    ("whistle", "archive"): lambda r, k, _, b: joint.archive(r.session, k, **b),
    ("whistle", "withdraw"): lambda r, k, _, b: confirming.withdraw(r.session, k, reason="已解决", **b),
    ("task", "respond"): lambda r, k, _, b: tasks.respond(
        r.session, k, staff_name="赵某", staff_phone="13612345678", **b
    ),
    ("task", "request_return"): lambda r, k, _, b: returns.request_return(
        r.session, k, reason=ReturnReason.NOT_OUR_DUTY, legal_basis="三定规定", **b
    ),
    ("task", "return"): lambda r, k, s, b: returns.decide(
        r.session, k, Verdict(s["granted"], "经查", s["hand_to"], s["lead"]), **b
    ),
    ("task", "check_in"): lambda r, k, _, b: presence.check_in(
        r.session, k, CheckIn(CheckInMethod.MANUAL, reason="没电"), **b
    ),
    ("task", "confirm_presence"): lambda r, k, _, b: presence.confirm_presence(r.session, k, **b),
    ("task", "deny_presence"): lambda r, k, _, b: presence.deny_presence(
        r.session, k, comment="没见到人", **b
    ),
    ("task", "start"): lambda r, k, _, b: tasks.start(r.session, k, **b),
    ("task", "start_remote"): lambda r, k, _, b: presence.start_remote(r.session, k, reason="线上", **b),
    ("task", "complete"): _complete,
    ("task", "rework"): lambda r, k, _, b: tasks.rework(r.session, k, comment="没好", **b),
    ("task", "extend"): _extend,
    ("task", "grant_extension"): lambda r, k, _, b: extensions.decide(r.session, k, granted=True, **b),
    ("task", "refuse_extension"): lambda r, k, _, b: extensions.decide(
        r.session, k, granted=False, note="不必", **b
    ),
    ("task", "score"): lambda r, k, _, b: scores.score(
        r.session, k, response=90, handling=80, result=70, **b
    ),
    ("task", "score_peer"): lambda r, k, _, b: scores.score_peer(r.session, k, mark=80, **b),
    ("task", "appeal"): lambda r, k, _, b: scores.appeal(r.session, k, grounds="有误", **b),
    ("task", "decide_appeal"): lambda r, k, _, b: scores.decide_appeal(
        r.session, k, upheld=True, note="属实", marks=(95, 95, 95), **b
    ),
    ("task", "nudge"): lambda r, k, s, b: slips.nudge(
        r.session, k, kind=SlipKind(s["kind"]), note="请抓紧", **b
    ),
    ("dispute", "state_position"): lambda r, k, s, b: disputes.state_position(
        r.session, k, position="应由其负责", lead=s["lead"], **b
    ),
    ("dispute", "negotiate"): lambda r, k, _, b: disputes.negotiate(r.session, k, minutes="已谈", **b),
    ("dispute", "coordinate"): lambda r, k, s, b: disputes.coordinate(
        r.session, k, opinion="意见" if s["lead"] else None, lead=s["lead"], **b
    ),
    ("dispute", "give_opinion"): lambda r, k, s, b: disputes.give_opinion(
        r.session, k, opinion="意见", lead=s["lead"], **b
    ),
    ("dispute", "meet"): lambda r, k, s, b: disputes.meet(r.session, k, minutes="会", lead=s["lead"], **b),
    ("dispute", "sign_off"): lambda r, k, s, b: disputes.sign_off(
        r.session, k, party=s["sign"], name="张某", **b
    ),
    ("dispute", "put_to_leader"): lambda r, k, _, b: disputes.put_to_leader(r.session, k, reason="难定", **b),
    ("dispute", "agree"): _settle("agree"),
    ("dispute", "decide"): _settle("decide"),
    ("dispute", "refuse"): lambda r, k, _, b: verdicts.refuse(r.session, k, reason="不服", **b),
    ("dispute", "close"): lambda r, k, _, b: verdicts.close(r.session, k, **b),
    ("dispute", "withdraw"): lambda r, k, _, b: disputes.withdraw(r.session, k, reason="说清了", **b),
    ("dispute", "suspend"): lambda r, k, _, b: disputes.suspend(
        r.session, k, reason="等文件", until=r.now + timedelta(days=2), **b
    ),
    ("dispute", "resume"): lambda r, k, _, b: disputes.resume(r.session, k, **b),
}


def moments(real: Real, name: str, act: str) -> dict[str, Any]:
    """Return what of an act is a question of time, which the model does not count itself."""
    session = real.session
    if act == "request_return":
        issued = session.get_one(Task, real.keys[name]).issued_at
        until = due(issued, Limit(1, Unit.WORK_DAY), calendars.around(session, real.now))
        return {"in_time": real.now <= until}
    if act == "grant_extension":
        own = session.get_one(Task, real.keys[name]).due_at
        calendar = calendars.around(session, real.now)
        return {"until": due_after_extension(own, Limit(2, Unit.WORK_DAY), calendar)}
    if act == "appeal":
        made = session.scalar(
            select(Appraisal.made_at)
            .where(Appraisal.task_id == real.keys[name])
            .order_by(Appraisal.version_no.desc())
            .limit(1)
        )
        calendar = calendars.around(session, real.now)
        window = Limit(5, Unit.WORK_DAY)
        return {"in_time": made is not None and real.now <= due(made, window, calendar)}
    return {}


BEGIN = datetime(2026, 6, 3, 1, 0, tzinfo=UTC)  # a Wednesday, nine o'clock in the city
