"""What happens in several stories: the town takes a whistle up, departments answer and come, a caller is asked."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from datetime import datetime, timedelta

from grids.acts import callbacks, incidents, joint, ladder, presence, tasks, whistles
from grids.acts.callbacks import CallbackAnswer
from grids.acts.joint import Draft
from grids.acts.presence import CheckIn
from grids.demo.names import mobile
from grids.demo.stage import Stage, Story
from grids.rules.permissions import Role
from grids.rules.tasks import CheckInMethod, TaskRole
from grids.rules.whistles import WhistleLevel, WhistleType
from grids.tables import Incident, Solved, Task

__all__ = [
    "accepted",
    "answers",
    "arrivals",
    "called",
    "issued",
    "minutes",
    "other_cell",
    "solved_by_town",
    "to_town",
]

_R, _L = Role, WhistleLevel


def minutes(count: float) -> timedelta:
    """Return so many minutes."""
    return timedelta(minutes=count)


def accepted(
    stage: Stage, cell: str, category: str, text: str, caller: tuple[str, int], now: datetime
) -> Incident:
    """Take a call to the hotline, and accept it in the same minute as the town's centre on duty."""
    by = stage.district(_R.HOTLINE_DESK, cell)
    incident = stage.report(now, by=by, cell=cell, category=category, text=text, caller=caller)
    centre = stage.town(_R.TOWN_GRID_CENTRE, cell)
    return incidents.accept(stage.session, incident.number, by=centre, now=now + timedelta(seconds=50))


def issued(
    stage: Stage, incident: Incident, kind: WhistleType, now: datetime, appointed: datetime
) -> Generator[datetime, None, list[Task]]:
    """Send a drafted level-3 whistle to the main leader and let them confirm it; return its tasks."""
    s, cell = stage.session, incident.grid_code
    third = stage.whistle(incident, _L.THIRD)
    draft = Draft(
        type=kind,
        reason="需要多部门联合处置,街道无法单独解决",
        appointed_at=appointed,
        appointed_place=incident.address,
    )
    joint.submit(s, third.number, draft, by=stage.town(_R.TOWN_OFFICE, cell), now=now)
    now += minutes(12)
    yield now
    joint.confirm(s, third.number, by=stage.town(_R.TOWN_LEADER, cell), now=now)
    return ladder.tasks_of(s, third.id)


def to_town(stage: Stage, incident: Incident, now: datetime) -> Story:
    """File a level-2 whistle and give it to an office, from `now` on; the last act is 25 minutes later."""
    cell = incident.grid_code
    centre = stage.town(_R.TOWN_GRID_CENTRE, cell)
    liaison = stage.staff.holders[_R.TOWN_OFFICE, cell[:9]][1]
    yield now
    number = stage.whistle(incident, _L.SECOND).number
    whistles.file(
        stage.session,
        number,
        liaison_name=liaison.name,
        liaison_phone=mobile(31_000_000),
        by=centre,
        now=now,
    )
    now += minutes(25)
    yield now
    whistles.assign(
        stage.session,
        number,
        office="综合行政执法办公室",
        instruction="会同社区到现场处置,今日内反馈",
        by=centre,
        now=now,
    )


def answers(stage: Stage, parts: Sequence[Task], now: datetime, after: Sequence[float]) -> Story:
    """Let departments answer, the first so many minutes after `now`, and so on; the rest stay silent."""
    district = stage.staff.town[:6]
    for part, wait in zip(parts, after, strict=False):
        moment = now + minutes(wait)
        yield moment
        duty = stage.staff.department(district, part.department.code)
        tasks.respond(
            stage.session,
            part.id,
            staff_name=duty.name,
            staff_phone=mobile(41_000_000 + part.id % 1000),
            by=duty,
            now=moment,
        )


def arrivals(stage: Stage, incident: Incident, parts: Sequence[Task], at: datetime) -> Story:
    """Let departments check in around the appointed time, then begin: all with the lead, else the first."""
    lon, lat = stage.point(incident.grid_code)
    district = incident.grid_code[:6]
    for number, part in enumerate(parts):
        moment = at + minutes(2 * number - 5)
        yield moment
        how = CheckIn(CheckInMethod.GPS, lon + 0.0003 * number, lat - 0.0002, "CGCS2000")
        duty = stage.staff.department(district, part.department.code)
        presence.check_in(stage.session, part.id, how, by=duty, now=moment)
    moment = at + minutes(8)
    yield moment
    lead = next((part for part in parts if part.role is TaskRole.LEAD), parts[0])
    duty = stage.staff.department(district, lead.department.code)
    tasks.start(stage.session, lead.id, by=duty, now=moment)


def called(stage: Stage, incident: Incident, now: datetime, satisfaction: int) -> None:
    """Call the reporter and write down how content they are, 1 to 5."""
    solved = Solved.YES if satisfaction >= 4 else Solved.NO
    answer = CallbackAnswer(reached=True, solved=solved, satisfaction=satisfaction)
    officer = stage.district(_R.CALLBACK_OFFICER, incident.grid_code)
    callbacks.callback(stage.session, incident.number, answer, by=officer, now=now)


def solved_by_town(stage: Stage, incident: Incident, result: str, now: datetime) -> None:
    """Let an office of the town report a level-2 whistle as solved."""
    second = stage.whistle(incident, _L.SECOND)
    office = stage.town(_R.TOWN_OFFICE, incident.grid_code)
    whistles.solve(stage.session, second.number, result=result, by=office, now=now)


def other_cell(stage: Stage) -> str:
    """Return a cell of the same street office outside the community of the logins, with all its posts held."""
    cells = [code for code in stage.cells(stage.staff.town) if not code.startswith(stage.staff.community)]
    return cells[len(cells) // 2]
