"""Nine cases that ran through the real use cases and are still open, one in each stage of the plain way.

What is in the way of others is in `grids.demo.setbacks`.
"""

from __future__ import annotations

from datetime import timedelta

from grids.acts import confirming, incidents, joint, ladder, presence, whistles
from grids.acts.joint import Draft
from grids.demo.scenes import accepted, answers, arrivals, issued, minutes, other_cell, to_town
from grids.demo.stage import Stage, Story
from grids.rules.permissions import Role
from grids.rules.whistles import WhistleLevel, WhistleType

__all__ = ["open_stories"]

_R, _L = Role, WhistleLevel


def open_stories(stage: Stage) -> list[Story]:
    """Return the stories that are open at the end, each in another stage."""
    return [
        _reported(stage),
        _first_blown(stage),
        _second_blown(stage),
        _second_overdue(stage),
        _to_confirm(stage),
        _half_answered(stage),
        _in_action(stage),
        _to_verify(stage),
        _to_call_back(stage),
    ]


def _reported(stage: Stage) -> Story:
    """A report that waits for the town's centre."""
    cell, now = stage.staff.cell, stage.ago(minutes=25)
    yield now
    stage.report(
        now,
        by=stage.district(_R.HOTLINE_DESK, cell),
        cell=cell,
        category="09-002",
        text="楼下商铺音响声音太大,影响休息",
        caller=("程先生", 52_000_001),
        east=-40,
    )


def _first_blown(stage: Stage) -> Story:
    """A level-1 whistle that waits for the grid leader."""
    cell, now = stage.staff.cell, stage.ago(minutes=40)
    yield now
    stage.report(
        now, by=stage.worker(cell), cell=cell, category="02-005", text="分类垃圾桶满溢,需要加桶", north=-35
    )


def _second_blown(stage: Stage) -> Story:
    """A level-2 whistle that waits for the town's centre."""
    s, cell = stage.session, stage.staff.cell
    now = stage.ago(hours=3)
    yield now
    incident = stage.report(
        now, by=stage.worker(cell), cell=cell, category="02-007", text="楼道口堆放废旧沙发三组", east=45
    )
    first = stage.whistle(incident, _L.FIRST)
    now += minutes(20)
    yield now
    whistles.answer(s, first.number, by=stage.leader(cell), now=now)
    now = stage.ago(minutes=50)
    yield now
    reason = "无主废旧家具,社区没有清运车辆"
    whistles.escalate(s, first.number, reason=reason, by=stage.leader(cell), now=now)


def _second_overdue(stage: Stage) -> Story:
    """A level-2 whistle that an office of the town has had for too long."""
    cell = other_cell(stage)
    now = stage.working_day(16, 14, 30)
    yield now
    incident = stage.report(
        now,
        by=stage.district(_R.HOTLINE_DESK, cell),
        cell=cell,
        category="01-011",
        text="背街小巷三盏路灯不亮",
        caller=("陆女士", 52_000_002),
    )
    now += minutes(11)
    yield now
    centre = stage.town(_R.TOWN_GRID_CENTRE, cell)
    incidents.accept(stage.session, incident.number, by=centre, now=now)
    yield from to_town(stage, incident, now + minutes(15))


def _to_confirm(stage: Stage) -> Story:
    """A level-3 whistle that waits for the town's main leader."""
    s, cell = stage.session, stage.cells(stage.staff.town)[-1]
    now = stage.ago(hours=2)
    yield now
    incident = accepted(stage, cell, "09-003", "罐车向雨水井倾倒污水", ("覃先生", 52_000_003), now)
    third = stage.whistle(incident, _L.THIRD)
    now = stage.ago(minutes=30)
    yield now
    draft = Draft(
        type=WhistleType.JOINT_ENFORCEMENT,
        reason="涉嫌偷排污水,街道无检测和执法权",
        appointed_at=now + timedelta(hours=2, minutes=30),
        appointed_place=incident.address,
    )
    joint.submit(s, third.number, draft, by=stage.town(_R.TOWN_OFFICE, cell), now=now)


def _half_answered(stage: Stage) -> Story:
    """An emergency that the leader confirmed by telephone, to be written yet: the lead has answered, others not."""
    s, cell = stage.session, stage.cells(stage.staff.town)[0]
    now = stage.ago(minutes=70)
    yield now
    incident = accepted(stage, cell, "01-005", "主管道爆裂,路面冒水", ("白女士", 52_000_004), now)
    third = stage.whistle(incident, _L.THIRD)
    now = stage.ago(minutes=26)
    yield now
    draft = Draft(
        type=WhistleType.EMERGENCY,
        reason="主管道爆裂,街道无关阀和抢修能力",
        appointed_at=stage.ago(minutes=-40),
        appointed_place=incident.address,
    )
    joint.submit(s, third.number, draft, by=stage.town(_R.TOWN_OFFICE, cell), now=now)
    now = stage.ago(minutes=14)
    yield now
    centre = stage.town(_R.TOWN_GRID_CENTRE, cell)
    confirming.confirm_by_phone(s, third.number, heard_by=centre.name, by=centre, now=now)
    yield from answers(stage, ladder.tasks_of(s, third.id)[:1], stage.ago(minutes=12), (5,))


def _in_action(stage: Stage) -> Story:
    """A joint action that is going on: one department never came, and what another says the town did not see."""
    s, cell = stage.session, other_cell(stage)
    now = stage.ago(hours=7)
    yield now
    incident = accepted(stage, cell, "08-002", "小作坊内焊接,旁边堆放易燃物", ("侯先生", 52_000_005), now)
    now += timedelta(hours=1)
    yield now
    appointed = stage.ago(hours=2)
    parts = yield from issued(stage, incident, WhistleType.JOINT_ENFORCEMENT, now, appointed)
    yield from answers(stage, parts, now + minutes(14), (6, 11, 17, 22, 25))
    yield from arrivals(stage, incident, parts[:-1], appointed)
    now = appointed + minutes(25)
    office = stage.town(_R.TOWN_OFFICE, cell)
    for part in parts[:-1]:
        now += minutes(1)
        yield now
        if part is parts[-2]:
            seen = "现场点名无人应到,定位在单位楼下"
            presence.deny_presence(s, part.id, comment=seen, by=office, now=now)
        else:
            presence.confirm_presence(s, part.id, by=office, now=now)


def _to_verify(stage: Stage) -> Story:
    """A resolved case that waits for the check on the spot."""
    s, cell = stage.session, stage.staff.cell
    now = stage.ago(hours=9)
    yield now
    incident = stage.report(
        now,
        by=stage.worker(cell),
        cell=cell,
        category="04-001",
        text="单元门上张贴多张小广告",
        east=-20,
        north=25,
    )
    now = stage.ago(hours=2)
    yield now
    first = stage.whistle(incident, _L.FIRST)
    whistles.solve(s, first.number, result="组织志愿者清除完毕", by=stage.leader(cell), now=now)


def _to_call_back(stage: Stage) -> Story:
    """A verified case whose caller has still to be asked."""
    s, cell = stage.session, stage.staff.cell
    now = stage.ago(hours=30)
    yield now
    incident = accepted(stage, cell, "12-001", "楼上漏水,邻里争执不下", ("薛女士", 52_000_006), now)
    now = stage.ago(hours=20)
    yield now
    first = stage.whistle(incident, _L.FIRST)
    result = "网格长上门调解,双方签订维修协议"
    whistles.solve(s, first.number, result=result, by=stage.leader(cell), now=now)
    now = stage.ago(hours=3)
    yield now
    incidents.verify(s, incident.number, passed=True, by=stage.worker(cell), now=now)
