"""Cases that are stuck, contested, late or doubtful, one for each page that such cases are shown on.

Like those of `grids.demo.waiting` they run through the real use cases and are still open; each of them waits for
somebody whom a visitor may log in as.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from grids.acts import (
    disputes,
    extensions,
    incidents,
    joint,
    ledger,
    pauses,
    returns,
    scores,
    slips,
    tasks,
    verdicts,
)
from grids.acts.disputes import Filing
from grids.acts.verdicts import Settlement
from grids.demo.scenes import accepted, answers, arrivals, issued, minutes, other_cell, to_town
from grids.demo.stage import Stage, Story
from grids.rules.calendar import local_day
from grids.rules.categories import shipped_categories
from grids.rules.disputes import Ground, GroundKind
from grids.rules.limits import Limit, Unit
from grids.rules.pauses import SuspensionReason
from grids.rules.permissions import Actor, Role
from grids.rules.returns import ReturnReason
from grids.rules.slips import SlipKind
from grids.rules.tasks import TaskRole
from grids.rules.whistles import WhistleLevel, WhistleType
from grids.tables import DutyBasis, Task

__all__ = ["stuck_stories"]

_R, _L = Role, WhistleLevel


def stuck_stories(stage: Stage) -> list[Story]:
    """Return the stories that are open at the end because something is in their way."""
    return [
        _called_twice(stage),
        _suspended(stage),
        _on_the_ledger(stage),
        _sent_back(stage),
        _more_time(stage),
        _contested(stage),
        _decided(stage),
        _let_slip(stage),
        _appealed(stage),
    ]


def _called_twice(stage: Stage) -> Story:
    """A second caller on what waits for the centre already: the two are proposed as one."""
    cell, now = stage.staff.cell, stage.ago(minutes=12)
    yield now
    stage.report(
        now,
        by=stage.district(_R.HOTLINE_DESK, cell),
        cell=cell,
        category="09-002",
        text="商铺外放音乐一直不停,孩子没法写作业",
        caller=("余女士", 53_000_001),
        east=-28,
        north=6,
    )


def _suspended(stage: Stage) -> Story:
    """The town's office waits for calm weather, and the centre let the case stand still."""
    s, cell = stage.session, stage.cells(stage.staff.town)[1]
    now = stage.ago(hours=20)
    yield now
    text = "楼顶店招钢架锈蚀松动,需高空拆除"
    incident = accepted(stage, cell, "04-002", text, ("雷先生", 53_000_002), now)
    yield from to_town(stage, incident, now + minutes(20))
    now = stage.ago(hours=7)
    yield now
    pauses.ask_suspension(
        s,
        incident.number,
        reason=SuspensionReason.WEATHER,
        note="大风黄色预警,高空作业车不能上,已设围挡",
        until=now + timedelta(days=4),
        by=stage.town(_R.TOWN_OFFICE, cell),
        now=now,
    )
    now = stage.ago(hours=6)
    yield now
    pauses.suspend(s, incident.number, by=stage.town(_R.TOWN_GRID_CENTRE, cell), now=now)


def _on_the_ledger(stage: Stage) -> Story:
    """What nobody can solve within a limit, with a plan, who leads it and the day of its review."""
    s, cell = stage.session, stage.cells(stage.staff.town)[2]
    now = stage.ago(hours=50)
    yield now
    text = "小区交房六年未办不动产证,开发商失联"
    incident = accepted(stage, cell, "15-002", text, ("万女士", 53_000_003), now)
    now += timedelta(hours=5)
    yield now
    ledger.put(
        s,
        incident.number,
        plan="一、核查土地和规划手续;二、由平台公司代缴税费;三、分批办证,每季度公布进度",
        lead="ZRZY",
        review_on=local_day(now) + timedelta(days=60),
        public_reply="已列入历史遗留问题台账,由自然资源部门牵头,六十日内公布办证安排。",
        by=stage.district(_R.DISTRICT_PLATFORM, cell),
        now=now,
    )


def _sent_back(stage: Stage) -> Story:
    """A department holds that the task is not its own; the decision waits, and every clock runs on."""
    s, cell = stage.session, stage.cells(stage.staff.town)[3]
    now = stage.ago(minutes=150)
    yield now
    text = "道路开挖后只用碎石回填,车辆颠簸扬尘"
    incident = accepted(stage, cell, "05-004", text, ("章先生", 53_000_004), now)
    now = stage.ago(minutes=110)
    yield now
    parts = yield from issued(stage, incident, WhistleType.COMPREHENSIVE, now, stage.ago(minutes=-90))
    keeps = [part for part in parts if part.department.code != "SW"]
    yield from answers(stage, keeps, stage.ago(minutes=97), _one_by_one(keeps))
    now = stage.ago(minutes=75)
    yield now
    duty = _duty(stage, parts, "SW")
    returns.request_return(
        s,
        _part(parts, "SW").id,
        reason=ReturnReason.NOT_OUR_DUTY,
        legal_basis="《城市道路管理条例》第三十三条:挖掘城市道路由市政工程行政主管部门批准和验收",
        suggested="CG",
        by=duty,
        now=now,
    )


def _more_time(stage: Stage) -> Story:
    """A lead that asks for two more days before its time is over."""
    s, cell = stage.session, stage.cells(stage.staff.town)[4]
    now = stage.ago(hours=14)
    yield now
    text = "工地拖欠二十三名工人三个月工资"
    incident = accepted(stage, cell, "16-001", text, ("农先生", 53_000_005), now)
    now += minutes(35)
    yield now
    appointed = stage.ago(hours=10)
    parts = yield from issued(stage, incident, WhistleType.COMPREHENSIVE, now, appointed)
    yield from answers(stage, parts, now + minutes(14), _one_by_one(parts))
    yield from arrivals(stage, incident, parts, appointed)
    now = stage.ago(minutes=80)
    yield now
    lead = _lead(parts)
    extensions.extend(
        s,
        lead.id,
        amount=Limit(2, Unit.WORK_DAY),
        reason="总包单位需从外地银行调取工资流水",
        citizen_told=True,
        by=_duty(stage, parts, lead.department.code),
        now=now,
    )


def _contested(stage: Stage) -> Story:
    """Whose duty it is: the departments talk, and all of them work on meanwhile."""
    s, cell = stage.session, stage.cells(stage.staff.town)[5]
    now = stage.ago(hours=9)
    yield now
    text = "空地自设停车场无证收费,出入口堵路"
    incident = accepted(stage, cell, "07-003", text, ("盛先生", 53_000_006), now)
    now += minutes(40)
    yield now
    appointed = stage.ago(hours=5)
    parts = yield from issued(stage, incident, WhistleType.COMPREHENSIVE, now, appointed)
    yield from answers(stage, parts, now + minutes(14), _one_by_one(parts))
    yield from arrivals(stage, incident, parts, appointed)
    now = stage.ago(hours=4)
    yield now
    dispute = disputes.file(
        s,
        incident.number,
        Filing(
            matter="经营性停车场由谁牵头监管",
            position="我单位负责路面秩序,停车场备案和收费不在我单位职责之内",
            basis="区公安局交警大队三定规定第三条",
            lead="CG",
        ),
        by=_duty(stage, parts, "JJ"),
        now=now,
    )
    now += minutes(35)
    yield now
    position = "收费属市场监管,用地属自然资源;我单位可牵头,不能代替收费检查"
    disputes.state_position(
        s, dispute.number, position=position, lead="SCJG", by=_duty(stage, parts, "CG"), now=now
    )
    now += minutes(50)
    yield now
    talk = "五部门视频会商:出入口先由交警疏导;备案和收费由谁牵头未取得一致"
    disputes.negotiate(s, dispute.number, minutes=talk, by=_duty(stage, parts, "CG"), now=now)


def _decided(stage: Stage) -> Story:
    """A dispute that was decided: whoever it names has the case, and the list has a new rule."""
    s, cell = stage.session, stage.cells(stage.staff.town)[6]
    board = stage.district(_R.GOVERNANCE_CENTRE, cell)
    now = stage.ago(hours=8)
    yield now
    text = "消火栓被撞漏水,无人维修"
    incident = accepted(stage, cell, "08-006", text, ("申女士", 53_000_007), now)
    now += minutes(30)
    yield now
    parts = yield from issued(stage, incident, WhistleType.COMPREHENSIVE, now, stage.ago(hours=4))
    yield from answers(stage, parts, now + minutes(14), _one_by_one(parts))
    yield from arrivals(stage, incident, parts, stage.ago(hours=4))
    now = stage.ago(hours=3, minutes=30)
    yield now
    filing = Filing(
        matter="市政消火栓由谁维护",
        position="我单位负责检查和使用,建设和维护应由供水主管部门负责",
        basis="《中华人民共和国消防法》第二十九条",
        lead="SW",
    )
    dispute = disputes.file(s, incident.number, filing, by=_duty(stage, parts, "XF"), now=now)
    now = stage.ago(hours=2, minutes=10)
    yield now
    opinion = "维护由供水主管部门牵头,消防救援机构查验"
    disputes.coordinate(s, dispute.number, opinion=opinion, lead="SW", by=board, now=now)
    now = stage.ago(minutes=65)
    yield now
    settlement = Settlement(
        lead="SW",
        cooperating=("XF",),
        grounds=(
            Ground(GroundKind.LAW, "《中华人民共和国消防法》第二十九条"),
            Ground(GroundKind.LISTS, "部门职责边界清单第27项"),
        ),
        basis=DutyBasis.STATUTORY,
    )
    verdicts.decide(s, dispute.number, settlement, by=board, now=now)


def _let_slip(stage: Stage) -> Story:
    """A lead that promised and never came: a reminder, a supervision that it answered, and a warning."""
    s, cell = stage.session, other_cell(stage)
    now = stage.ago(days=10)
    yield now
    text = "弱电线缆脱落垂到路面,多次反映"
    incident = accepted(stage, cell, "01-008", text, ("庄先生", 53_000_008), now)
    now += minutes(40)
    yield now
    appointed = now + timedelta(hours=4)
    parts = yield from issued(stage, incident, WhistleType.COMPREHENSIVE, now, appointed)
    yield from answers(stage, parts, now + minutes(14), _one_by_one(parts))
    lead, others = _lead(parts), [part for part in parts if part.role is not TaskRole.LEAD]
    yield from arrivals(stage, incident, others, appointed)
    now = appointed + timedelta(hours=2)
    for part in others:
        now += minutes(10)
        yield now
        duty = _duty(stage, parts, part.department.code)
        if part is not others[0]:
            tasks.start(s, part.id, by=duty, now=now)
        result = "已设警戒并临时绑扎,等待牵头部门整理"
        tasks.complete(s, part.id, result=result, evidence=["hazard_isolation_photo"], by=duty, now=now)
    now = lead.due_at + timedelta(hours=3)
    yield now
    duty = _duty(stage, parts, lead.department.code)
    first = next(row.slip for row in slips.find(s, duty, kind=SlipKind.SUPERVISE) if row.may_answer)
    text = "已催运营商排期,因抢修任务集中延误"
    slips.answer(s, first.number, text=text, by=duty, now=now)


def _appealed(stage: Stage) -> Story:
    """A department objects to its result; the governance centre has to decide."""
    s, cell = stage.session, stage.cells(stage.staff.town)[7]
    office = stage.town(_R.TOWN_OFFICE, cell)
    now = stage.ago(hours=60)
    yield now
    text = "企业未按实际工资缴纳社保"
    incident = accepted(stage, cell, "16-002", text, ("晏女士", 53_000_009), now)
    now += minutes(40)
    yield now
    appointed = stage.ago(hours=54)
    parts = yield from issued(stage, incident, WhistleType.COMPREHENSIVE, now, appointed)
    yield from answers(stage, parts, now + minutes(14), (8, 75))
    yield from arrivals(stage, incident, parts, appointed)
    lead, other = _lead(parts), next(part for part in parts if part.role is not TaskRole.LEAD)
    shown = next(rule.evidence for rule in shipped_categories() if rule.code == "16-002")
    for part, hours, result in ((other, 50, "已核对医保缴费基数"), (lead, 49, "企业补缴差额并书面承诺")):
        now = stage.ago(hours=hours)
        yield now
        duty = _duty(stage, parts, part.department.code)
        tasks.complete(s, part.id, result=result, evidence=list(shown), by=duty, now=now)
    third = stage.whistle(incident, _L.THIRD)
    now = stage.ago(hours=47)
    yield now
    joint.verify(s, third.number, comment="企业已补缴", by=office, now=now)
    now = stage.ago(hours=26)
    yield now
    incidents.verify(s, incident.number, passed=True, by=stage.worker(cell), now=now)
    marks = ((lead, (95, 90, 90), None), (other, (40, 60, 60), "应答迟到四十分钟,到场后未带资料"))
    for part, (response, handling, outcome), comment in marks:
        now += minutes(4)
        yield now
        scores.score(
            s,
            part.id,
            response=response,
            handling=handling,
            result=outcome,
            comment=comment,
            by=office,
            now=now,
        )
    now = stage.ago(hours=5)
    yield now
    grounds = "应答系统当日维护,有值班电话记录;资料已于当日下午补送"
    scores.appeal(s, other.id, grounds=grounds, by=_duty(stage, parts, other.department.code), now=now)


def _one_by_one(parts: Sequence[Task]) -> list[int]:
    """Return after how many minutes each department answers: all within half an hour."""
    return [4 + 4 * number for number in range(len(parts))]


def _part(parts: Sequence[Task], code: str) -> Task:
    return next(part for part in parts if part.department.code == code)


def _lead(parts: Sequence[Task]) -> Task:
    return next(part for part in parts if part.role is TaskRole.LEAD)


def _duty(stage: Stage, parts: Sequence[Task], code: str) -> Actor:
    """Return who is on duty in a department that has a part."""
    return stage.staff.department(stage.staff.town[:6], _part(parts, code).department.code)
