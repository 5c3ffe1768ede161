"""The way of one made-up case from its report to its end: who does what, and how long they take.

Times to react are log-normal; a case is resolved after a share of its limit, about one in twenty-five too
late. Whatever the chance, a case ends before the year does: each wait takes at most a part of what is left.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

import numpy as np

from gis.borders import degree_in_metres
from grids.demo import acts, parts, slips
from grids.demo.chronicle import Chronicle, Thing
from grids.demo.luck import Luck
from grids.demo.names import mobile
from grids.demo.words import (
    INSTRUCTIONS,
    LEADER_RESULTS,
    NOT_THERE,
    OFFICES,
    PART_RESULTS,
    REASONS,
    REJECTED,
    REWORK,
    SLIP_ANSWERS,
    result_of,
)
from grids.rules.calendar import SHANGHAI
from grids.rules.deadlines import DeadlineKind
from grids.rules.grading import Grade
from grids.rules.lifecycle import Channel, IncidentStatus, Inspection, RejectReason
from grids.rules.permissions import SYSTEM, Actor, Role
from grids.rules.tasks import TaskRole
from grids.rules.whistles import WhistleStatus
from grids.tables import Solved

__all__ = ["Plan", "live"]

_MOST_OF_REST = 0.35  # of the time until the year ends that one wait may take
_FIRST_INSTEAD = (
    0.62  # of the town's cases that the list would send to the town and the centre to the community
)
_OVERDUE = 0.028
_SILENT = 0.02  # of level-1 whistles that nobody answers
_PASSED_UP = 0.05  # of level-1 whistles that the community passes up
_TO_DEPARTMENTS = 0.01  # of level-2 whistles that the town passes up
_NOT_DONE = 0.025  # of resolved cases that the check on the spot sends back
_UNREACHED = 0.02
_SATISFACTION = ((5, 0.63), (4, 0.25), (3, 0.075), (2, 0.03), (1, 0.015))
_ROOM = timedelta(days=6)  # less time than this is left: nothing that takes days
_DAY_BEGINS, _DAY_ENDS = time(8, 30), time(19, 30)
_CITIZEN = Actor(None, "市民", Role.CITIZEN)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is known of a case before it is lived.

    place : where it is, in words. reporter_id : who is called back. master : the earlier report it repeats.
    """

    channel: Channel
    place: str
    reporter_id: int | None
    master: Mapping[str, Any] | None
    rejected: bool


def live(case: Chronicle, plan: Plan, luck: Luck, until: datetime) -> None:
    """Take a case from its report to its end, all before `until`."""
    life = _Life(case, plan, luck, until)
    life.begin()
    if case.incident.status is IncidentStatus.HANDLING:
        life.handle()
        life.check()
        life.call_back()
        life.put_away()
    case.close_book()


class _Life:
    """A case being lived."""

    def __init__(self, case: Chronicle, plan: Plan, luck: Luck, until: datetime) -> None:
        self.case, self.plan, self.luck, self.until = case, plan, luck, until
        self.staff = case.book.staff
        self.tempo = 1.0
        self.handler: Actor = SYSTEM

    # -- time

    def wait(self, span: timedelta, *, by_day: bool = False) -> None:
        """Let time pass, but only a part of what is left."""
        most = (self.until - self.case.now) * _MOST_OF_REST
        to = self.case.now + min(span, most)
        if by_day:
            morning = self._by_day(to)
            to = morning if morning - self.case.now <= most else to
        self.case.advance(to.replace(microsecond=0))

    def to(self, moment: datetime, *, by_day: bool = False) -> None:
        """Let time pass until a moment, at least some minutes."""
        self.wait(max(moment - self.case.now, self.luck.minutes(6) * self.tempo), by_day=by_day)

    def _by_day(self, moment: datetime) -> datetime:
        local = moment.astimezone(SHANGHAI)
        if _DAY_BEGINS <= local.time() <= _DAY_ENDS:
            return moment
        day = local.date() + timedelta(days=local.time() > _DAY_ENDS)
        return datetime.combine(day, _DAY_BEGINS, SHANGHAI).astimezone(moment.tzinfo) + self.luck.minutes(50)

    @property
    def roomy(self) -> bool:
        """Whether enough of the year is left for what takes days."""
        return self.until - self.case.now > _ROOM

    # -- people

    def town(self, role: Role) -> Actor:
        """Return who holds a role of the town."""
        return self.staff.one(role, self.case.cell[:9])

    def district(self, role: Role) -> Actor:
        """Return who holds a role of the district."""
        return self.staff.one(role, self.case.cell[:6])

    def checker(self) -> Actor:
        """Return who checks on the spot: the cell's worker, else an office of the town, never the handler."""
        worker = self.staff.at(Role.GRID_WORKER, self.case.cell)
        if worker is not None and worker.person_id != self.handler.person_id:
            return worker
        offices = self.staff.holders[Role.TOWN_OFFICE, self.case.cell[:9]]
        return next(one for one in offices if one.person_id != self.handler.person_id)

    def reporter(self) -> Actor:
        """Return who enters the report."""
        match self.plan.channel:
            case Channel.GRID_WORKER:
                found = self.staff.at(Role.GRID_WORKER, self.case.cell)
            case Channel.BUILDING_LEADER:
                found = self.staff.at(Role.BUILDING_LEADER, self.case.cell)
            case Channel.HOTLINE:
                found = self.district(Role.HOTLINE_DESK)
            case _:
                found = _CITIZEN
        return found or self.district(Role.HOTLINE_DESK)

    # -- the way

    def begin(self) -> None:
        """Report, then accept, merge or reject."""
        case, by = self.case, self.reporter()
        acts.report(case, by)
        rule = case.category
        level = 3 if case.grade is Grade.RED else rule.whistle_level
        if by.role is not Role.GRID_WORKER:
            by = self.town(Role.TOWN_GRID_CENTRE)
            reason = self.luck.pick(tuple(REJECTED)) if self.plan.rejected else None
            worker = self.staff.at(Role.GRID_WORKER, case.cell)
            if case.incident.status is IncidentStatus.TO_VERIFY and worker is not None:
                self.wait(self.luck.minutes(26, 0.6))
                if reason is RejectReason.NOT_EXIST:
                    acts.inspect(case, worker, Inspection.NOT_EXIST, self.luck.pick(NOT_THERE))
                else:
                    acts.inspect(case, worker, Inspection.EXIST, None)
            self.wait(self.luck.minutes(14, 0.9))
            if reason is not None:
                acts.reject(case, by, reason, REJECTED[reason])
                return
            if self.plan.master is not None and _open(self.plan.master, case):
                acts.merge(case, by, self.plan.master)
                return
            if level == 2 and self.luck.chance(_FIRST_INSTEAD):
                level = 1
        acts.accept(case, by, level)

    def handle(self) -> None:
        """Work on the case at the level it has reached, until it is resolved."""
        case = self.case
        ends = case.running_until(DeadlineKind.HANDLE) or case.due_at
        limit = ends - case.now
        self.tempo = min(1.0, max(0.12, limit / timedelta(days=1)))
        late = self.luck.chance(_OVERDUE)
        share = self.luck.between(1.05, 1.8) if late else min(0.92, self.luck.lognormal(0.3, 0.6))
        goal = case.now + limit * share
        if case.third is None and case.second is None:
            self._community(goal)
        if case.third is None and case.second is not None:
            self._town(goal)
        if case.third is not None:
            self._departments(goal)
        self.answer_slips()

    def _community(self, goal: datetime) -> None:
        case, luck = self.case, self.luck
        ends = case.running_until(DeadlineKind.COMMUNITY)
        leader = self.staff.at(Role.GRID_LEADER, case.cell[:12])
        if leader is None or ends is None:
            return
        if self.roomy and luck.chance(_SILENT):
            case.advance(ends + timedelta(minutes=1))
            return
        self.wait(luck.minutes(22, 0.8) * self.tempo)
        if case.second is not None:
            return
        acts.answer(case, leader)
        if luck.chance(_PASSED_UP):
            self.wait(luck.minutes(80, 0.6) * self.tempo)
            if case.second is None:
                acts.escalate(case, leader, luck.pick(REASONS))
            return
        self.to(min(goal, ends - timedelta(minutes=5)))
        if case.second is None:
            self._solve(leader)

    def _town(self, goal: datetime) -> None:
        case, luck = self.case, self.luck
        centre = self.town(Role.TOWN_GRID_CENTRE)
        office, other = self.staff.holders[Role.TOWN_OFFICE, case.cell[:9]][:2]
        self.wait(luck.minutes(32, 0.8) * self.tempo)
        acts.file(case, centre, other.name, mobile(30_000_000 + (other.person_id or 0)))
        self.wait(luck.minutes(24, 0.8) * self.tempo)
        acts.assign(case, centre, luck.pick(OFFICES), luck.pick(INSTRUCTIONS))
        if self.roomy and luck.chance(_TO_DEPARTMENTS):
            self.wait(luck.minutes(90, 0.5) * self.tempo)
            acts.escalate(case, office, luck.pick(REASONS))
            return
        self.to(goal)
        self._solve(office)

    def _solve(self, by: Actor) -> None:
        self.handler = by
        number = self.luck.number(60)
        by_leader = by.role is Role.GRID_LEADER and number % 3 == 0
        words = LEADER_RESULTS[number % len(LEADER_RESULTS)] if by_leader else ""
        acts.solve(self.case, by, words or result_of(self.case.category.code, number))

    def _departments(self, goal: datetime) -> None:
        case, luck = self.case, self.luck
        office = self.town(Role.TOWN_OFFICE)
        self.wait(luck.minutes(25, 0.6) * self.tempo)
        ahead = timedelta(hours=luck.between(1.5, 4.0)) * self.tempo + timedelta(minutes=25)
        appointed = _quarter(case.now + min(ahead, (self.until - case.now) * _MOST_OF_REST / 2))
        parts.submit(case, office, reason=luck.pick(REASONS), appointed_at=appointed, place=self.plan.place)
        self.wait(min(luck.minutes(14, 0.6) * self.tempo, (appointed - case.now) / 2))
        parts.confirm(case, self.town(Role.TOWN_LEADER))
        self._come(appointed)
        lead = next(task for task in case.tasks if task.row["role"] is TaskRole.LEAD)
        self.wait(luck.minutes(8, 0.4))
        parts.start(case, self._duty(lead))
        for task in case.tasks:
            if task is not lead:
                self.wait(luck.minutes(35, 0.5) * self.tempo)
                parts.complete(case, task, self._duty(task), luck.pick(PART_RESULTS))
        if goal > case.due_at:
            self.to(goal)
        else:
            self.wait(luck.minutes(30, 0.5) * self.tempo)
        self.handler = self._duty(lead)
        result = result_of(case.category.code, luck.number(60))
        parts.complete(case, lead, self.handler, f"联合行动完成:{result}")

    def _come(self, appointed: datetime) -> None:
        """Let every department answer and come."""
        case, luck = self.case, self.luck
        limit = case.incident.row["limits"]["response_minutes"]
        events: list[tuple[datetime, int, Thing]] = []
        for task in case.tasks:
            answered = case.now + luck.minutes(0.38 * limit, 0.55)
            late = timedelta(minutes=luck.between(20, 70) if luck.chance(0.05) else luck.between(-15, 10))
            events += [(answered, 0, task), (max(answered + timedelta(minutes=2), appointed + late), 1, task)]
        for moment, step, task in sorted(events, key=lambda event: event[:2]):
            self.wait(max(moment - case.now, timedelta(0)))
            if step == 0:
                name = self._duty(task).name
                number = mobile(40_000_000 + luck.number(9_000_000))
                parts.respond(case, task, self._duty(task), staff_name=name, staff_phone=number)
            else:
                self._check_in(task)

    def _check_in(self, task: Thing) -> None:
        at_lon, at_lat = self.case.point
        away, angle = self.luck.between(4, 120), self.luck.between(0, 2 * math.pi)
        along, up = degree_in_metres(np.array([at_lat]))
        lon = at_lon + away * math.cos(angle) / float(along[0])
        lat = at_lat + away * math.sin(angle) / float(up[0])
        parts.check_in(self.case, task, self._duty(task), lon=lon, lat=lat, distance_m=away)
        parts.confirm_presence(self.case, task, self.town(Role.TOWN_OFFICE))

    def _duty(self, task: Thing) -> Actor:
        if task.body is None:
            raise ValueError("a task without a department")
        return self.staff.department(self.case.cell[:6], task.body.code)

    def answer_slips(self) -> None:
        """Let each unit answer the slips that ask for it, when the work is done."""
        case = self.case
        while case.unanswered():
            self.wait(self.luck.minutes(25, 0.5))
            slip = case.unanswered()[0]
            task = next((one for one in case.tasks if one.row["id"] == slip["task_id"]), None)
            by = self._duty(task) if task is not None else self.town(Role.TOWN_OFFICE)
            slips.answer(case, slip, by, self.luck.pick(SLIP_ANSWERS))

    def check(self) -> None:
        """Check on the spot what was resolved; score the departments."""
        case, luck = self.case, self.luck
        office = self.town(Role.TOWN_OFFICE)
        if case.third is not None:
            self.wait(luck.minutes(150, 0.6), by_day=True)
            parts.verify(case, office, None)
        self.wait(luck.minutes(240, 0.7), by_day=True)
        if case.third is None and luck.chance(_NOT_DONE):
            acts.send_back(case, self.checker(), luck.pick(REWORK))
            self.wait(luck.minutes(120, 0.6) * self.tempo)
            self._solve(self.handler)
            self.answer_slips()
            self.wait(luck.minutes(200, 0.6), by_day=True)
        acts.verify(case, self.checker(), None)
        if case.third is not None:
            self.wait(luck.minutes(300, 0.5), by_day=True)
            for task in case.tasks:
                self.wait(luck.minutes(3))
                parts.score(case, task, office, *self._marks(task))

    def _marks(self, task: Thing) -> tuple[tuple[int, int, int], str | None]:
        late = bool(task.row["minutes_late"]) or task.row["responded_at"] > task.row["response_due_at"]
        marks = [
            round(max(45, min(100, 94 - penalty + 7 * self.luck.normal())))
            for penalty in (18 if late else 0, 2, 15 if task.row["first_overdue_at"] else 0)
        ]
        low = min(marks) < 70
        return (marks[0], marks[1], marks[2]), "响应或办理不及时" if low else None

    def call_back(self) -> None:
        """Call the reporter and close the case; one who is not content reopens it once."""
        case, luck = self.case, self.luck
        reporter = self.plan.reporter_id
        if reporter is None or not case.category.callback_required:
            acts.close(case, SYSTEM, "none to call")
            return
        officer = self.district(Role.CALLBACK_OFFICER)
        case.start_clock(DeadlineKind.CALLBACK)
        self.wait(luck.minutes(900, 0.6), by_day=True)
        if self.roomy and luck.chance(_UNREACHED):
            for pause in (timedelta(hours=4), timedelta(days=1), timedelta(0)):
                acts.callback(case, officer, reporter, solved=None, satisfaction=None)
                self.wait(pause)
            acts.close(case, officer, "done")
            return
        satisfaction = self._satisfaction()
        if not self.roomy:
            satisfaction = max(satisfaction, 4)
        solved = Solved.YES if satisfaction > 3 else Solved.PARTLY if satisfaction > 1 else Solved.NO
        acts.callback(case, officer, reporter, solved=solved, satisfaction=satisfaction)
        acts.close(case, officer, "done")
        if satisfaction <= 2:
            self.put_away()
            acts.reopen(case, officer)
            self.handle()
            self.check()
            case.start_clock(DeadlineKind.CALLBACK)
            self.wait(luck.minutes(900, 0.6), by_day=True)
            acts.callback(case, officer, reporter, solved=Solved.YES, satisfaction=4)
            acts.close(case, officer, "done")

    def _satisfaction(self) -> int:
        draw = self.luck.share()
        for mark, share in _SATISFACTION:
            draw -= share
            if draw < 0:
                return mark
        return 3

    def put_away(self) -> None:
        """Put a scored whistle away."""
        third = self.case.third
        if third is not None and third.status is WhistleStatus.SCORED:
            parts.archive(self.case, self.town(Role.TOWN_GRID_CENTRE))


def _open(master: Mapping[str, Any], case: Chronicle) -> bool:
    """Tell whether an earlier report was open still, and not resolved before this one came in."""
    return (
        master["status"] is IncidentStatus.CLOSED
        and master["closed_at"] > case.now
        and master["resolved_at"] > case.incident.row["received_at"]
    )


def _quarter(moment: datetime) -> datetime:
    """Return the next full quarter of an hour."""
    whole = moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0)
    return whole + timedelta(minutes=15)
