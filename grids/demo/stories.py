"""Cases that ran through the real use cases and are closed: one that the mechanism was praised for, and some that
went wrong on the way and ended well."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from grids.acts import incidents, joint, ladder, scores, tasks, whistles
from grids.acts.joint import Draft
from grids.demo.places import GARAGE
from grids.demo.scenes import answers, arrivals, called, minutes, other_cell, solved_by_town, to_town
from grids.demo.stage import Stage, Story
from grids.rules.permissions import Role
from grids.rules.whistles import WhistleLevel, WhistleType
from grids.tables import Deadline

__all__ = ["closed_stories"]

_R, _L = Role, WhistleLevel


def closed_stories(stage: Stage) -> list[Story]:
    """Return the stories that end closed."""
    return [
        _barbecue(stage),
        _empty_post(stage),
        _silence(stage),
        _rework(stage),
        _discontent(stage),
        _refused(stage),
    ]


def _barbecue(stage: Stage) -> Story:
    """Laiwu's case: an unlicensed barbecue in a garage, four departments called by one whistle for 19:00."""
    s, cell = stage.session, stage.staff.cell
    centre, office = stage.town(_R.TOWN_GRID_CENTRE, cell), stage.town(_R.TOWN_OFFICE, cell)
    now = stage.working_day(4, 13, 40)
    yield now
    incident = stage.report(
        now,
        by=stage.district(_R.HOTLINE_DESK, cell),
        cell=cell,
        category="10-001",
        text="车库无照经营烧烤,夜间扰民,油烟污染环境",
        address=GARAGE,
        caller=("于女士", 51_000_001),
    )
    now += minutes(6)
    yield now
    incidents.accept(s, incident.number, by=centre, now=now, level=_L.FIRST)
    now += minutes(9)
    yield now
    first = stage.whistle(incident, _L.FIRST)
    whistles.answer(s, first.number, by=stage.leader(cell), now=now)
    now += minutes(20)
    yield now
    reason = "社区多次劝离无效,夜间照常经营"
    whistles.escalate(s, first.number, reason=reason, by=stage.leader(cell), now=now)
    yield from to_town(stage, incident, now + minutes(5))
    now += minutes(40)
    yield now
    draft = Draft(
        type=WhistleType.JOINT_ENFORCEMENT,
        reason="车库无照经营烧烤,夜间扰民,污染环境,街道无法单独解决",
        appointed_at=stage.working_day(4, 19),
        appointed_place=GARAGE,
    )
    third = joint.blow(s, incident.number, level=_L.THIRD, draft=draft, by=office, now=now)
    now += minutes(10)
    yield now
    joint.confirm(s, third.number, by=stage.town(_R.TOWN_LEADER, cell), now=now)
    parts = ladder.tasks_of(s, third.id)
    yield from answers(stage, parts, now, (8, 13, 19, 26))
    yield from arrivals(stage, incident, parts, stage.working_day(4, 19))
    lead, *others = parts
    results = ("已拆除占道设施,清理油污", "已检测油烟排放并固定证据", "已维持现场秩序,做好询问笔录")
    for number, (part, result) in enumerate(zip(others, results, strict=True)):
        now = stage.working_day(4, 19, 40 + 5 * number)
        yield now
        duty = stage.staff.department(cell[:6], part.department.code)
        tasks.complete(s, part.id, result=result, evidence=["after_photo"], by=duty, now=now)
    now = stage.working_day(4, 20, 20)
    yield now
    duty = stage.staff.department(cell[:6], lead.department.code)
    before = ["far_photo", "near_photo", "reference_photo"]
    evidence = [*before, "licence_check", "joint_action_record", "legal_document", "after_photo"]
    tasks.complete(s, lead.id, result="联合行动,予以取缔并依法处罚", evidence=evidence, by=duty, now=now)
    now = stage.working_day(4, 21, 10)
    yield now
    joint.verify(s, third.number, comment="现场已恢复,街道协调商户入驻合法门店", by=office, now=now)
    for part in parts:
        now += minutes(2)
        yield now
        scores.score(s, part.id, response=100, handling=100, result=100, by=office, now=now)
    now += timedelta(hours=12)
    yield now
    incidents.verify(
        s, incident.number, passed=True, comment="夜间复查无经营", by=stage.worker(cell), now=now
    )
    now += timedelta(hours=1)
    yield now
    called(stage, incident, now, 5)
    now += timedelta(hours=4)
    yield now
    joint.archive(s, third.number, by=centre, now=now)


def _empty_post(stage: Stage) -> Story:
    """Nobody is on duty in the community: the whistle climbs at once, and the town solves it."""
    s, cell = stage.session, stage.cells(stage.staff.vacant)[0]
    now = stage.working_day(10, 9, 20)
    yield now
    incident = stage.report(
        now, by=stage.worker(cell), cell=cell, category="02-001", text="村口垃圾外溢,需要清运车"
    )
    yield from to_town(stage, incident, now + minutes(30))
    now += timedelta(hours=3, minutes=10)
    yield now
    second = stage.whistle(incident, _L.SECOND)
    office = stage.town(_R.TOWN_OFFICE, cell)
    whistles.solve(s, second.number, result="镇环卫车清运两车,增设垃圾桶", by=office, now=now)
    now += timedelta(hours=2)
    yield now
    incidents.verify(s, incident.number, passed=True, by=stage.worker(cell), now=now)


def _silence(stage: Stage) -> Story:
    """The community does not answer: its clock runs out and the whistle climbs by itself."""
    s, cell = stage.session, other_cell(stage)
    now = stage.working_day(22, 15, 5)
    yield now
    incident = stage.report(
        now, by=stage.worker(cell), cell=cell, category="02-010", text="沿街绿篱上晾晒被褥,劝导后反复"
    )
    first = stage.whistle(incident, _L.FIRST)
    ends = stage.session.scalars(select(Deadline.due_at).where(Deadline.whistle_id == first.id)).one()
    now = ends + timedelta(hours=15)
    yield from to_town(stage, incident, now)
    now += timedelta(hours=2)
    yield now
    solved_by_town(stage, incident, "办公室上门劝导,居民已自行收回", now)
    now += timedelta(hours=5)
    yield now
    incidents.verify(s, incident.number, passed=True, by=stage.worker(cell), now=now)


def _rework(stage: Stage) -> Story:
    """What was reported as done is not: the check on the spot sends it back, and the second time it is."""
    s, cell = stage.session, stage.staff.cell
    now = stage.working_day(8, 8, 50)
    yield now
    incident = stage.report(
        now, by=stage.worker(cell), cell=cell, category="02-002", text="楼后积存一堆装修垃圾", east=25
    )
    yield from to_town(stage, incident, now + minutes(20))
    now += timedelta(hours=3)
    yield now
    solved_by_town(stage, incident, "已清运", now)
    now += timedelta(hours=2)
    yield now
    comment = "只清运了一半,墙角仍有砖块"
    incidents.verify(s, incident.number, passed=False, comment=comment, by=stage.worker(cell), now=now)
    now += timedelta(hours=2)
    yield now
    solved_by_town(stage, incident, "已全部清运并冲洗地面", now)
    now += timedelta(hours=1)
    yield now
    incidents.verify(s, incident.number, passed=True, by=stage.worker(cell), now=now)


def _discontent(stage: Stage) -> Story:
    """The caller is not content: the case is taken up again at once, and the second round ends well."""
    s, cell = stage.session, stage.staff.cell
    leader, centre = stage.leader(cell), stage.town(_R.TOWN_GRID_CENTRE, cell)
    now = stage.working_day(15, 10, 10)
    yield now
    incident = stage.report(
        now,
        by=stage.district(_R.HOTLINE_DESK, cell),
        cell=cell,
        category="02-005",
        text="单元门口垃圾桶满溢,异味大",
        caller=("孟先生", 51_000_002),
        north=30,
    )
    now += minutes(12)
    yield now
    incidents.accept(s, incident.number, by=centre, now=now)
    for wait, satisfaction in ((minutes(70), 1), (timedelta(hours=2), 5)):
        now += wait
        yield now
        first = stage.whistle(incident, _L.FIRST)
        whistles.solve(s, first.number, result="已清运并消杀", by=leader, now=now)
        now += minutes(50)
        yield now
        incidents.verify(s, incident.number, passed=True, by=stage.worker(cell), now=now)
        now += timedelta(hours=22)
        yield now
        called(stage, incident, now, satisfaction)


def _refused(stage: Stage) -> Story:
    """The town's main leader refuses to call the departments: the town finds a way itself."""
    s, cell = stage.session, other_cell(stage)
    office = stage.town(_R.TOWN_OFFICE, cell)
    now = stage.working_day(12, 9, 0)
    yield now
    incident = stage.report(
        now,
        by=stage.district(_R.HOTLINE_DESK, cell),
        cell=cell,
        category="07-001",
        text="小区东门两侧乱停车,早高峰堵死",
        caller=("魏女士", 51_000_003),
    )
    now += minutes(9)
    yield now
    incidents.accept(s, incident.number, by=stage.town(_R.TOWN_GRID_CENTRE, cell), now=now)
    yield from to_town(stage, incident, now + minutes(15))
    now += minutes(75)
    yield now
    draft = Draft(
        reason="缺少停车位,需规划、交警共同划线",
        appointed_at=now + timedelta(hours=4),
        appointed_place="小区东门",
    )
    third = joint.blow(s, incident.number, level=_L.THIRD, draft=draft, by=office, now=now)
    now += minutes(30)
    yield now
    leader = stage.town(_R.TOWN_LEADER, cell)
    joint.refuse(s, third.number, reason="先由街道协调物业开放地下车位", by=leader, now=now)
    now += timedelta(hours=3)
    yield now
    solved_by_town(stage, incident, "协调物业开放地下车位46个,安排志愿者疏导", now)
    now += timedelta(hours=1)
    yield now
    incidents.verify(s, incident.number, passed=True, by=stage.worker(cell), now=now)
    now += timedelta(hours=20)
    yield now
    called(stage, incident, now, 4)
