"""What people say in made-up cases: reports, results, reasons, orders. Chinese, as in the field."""

from __future__ import annotations

from grids.rules.lifecycle import RejectReason

__all__ = [
    "INSTRUCTIONS",
    "LEADER_RESULTS",
    "NOT_THERE",
    "OFFICES",
    "PART_RESULTS",
    "REASONS",
    "REJECTED",
    "REWORK",
    "SLIP_ANSWERS",
    "TOLD",
    "result_of",
]

TOLD: dict[str, tuple[str, ...]] = {
    "01-001": ("{place}路面坑洼,电动车摔了一跤", "{place}人行道砖松动翘起", "{place}路面破损有一个大坑"),
    "01-002": (
        "{place}积水没过脚面,行人无法通过",
        "{place}下雨后积水,车辆熄火",
        "{place}积水二十多厘米,请尽快抽排",
    ),
    "01-004": ("{place}下水道堵塞,污水外溢", "{place}污水井返水,气味很大"),
    "01-005": ("{place}自来水管破裂,水流到路上",),
    "01-009": ("{place}井盖破损,有人踩空风险", "{place}井盖缺失,已放置警示物"),
    "01-010": ("{place}雨水箅子被落叶堵住",),
    "01-011": ("{place}路灯不亮,晚上一片漆黑", "{place}连续三盏路灯不亮"),
    "01-012": ("{place}有人在楼顶搭建彩钢房", "{place}院内私搭棚子占用公共通道"),
    "02-001": ("{place}有暴露垃圾无人清理", "{place}垃圾堆在路边,苍蝇很多", "{place}绿化带旁成了垃圾点"),
    "02-002": ("{place}堆了一车建筑垃圾没人管", "{place}装修垃圾积存多日"),
    "02-003": ("{place}路面有泥土和落叶", "{place}路面油污未清洗"),
    "02-004": ("{place}河道漂浮垃圾较多",),
    "02-005": ("{place}垃圾桶满溢", "{place}垃圾箱满了两天没清运"),
    "02-007": ("{place}有人丢弃旧沙发", "{place}旧床垫堆在单元门口"),
    "02-008": ("{place}有人焚烧落叶,烟雾呛人",),
    "02-009": ("{place}有住户在楼下养鸡", "{place}地下室养鸽子,气味大"),
    "02-010": ("{place}沿街晾晒被褥",),
    "03-001": ("{place}流动商贩占道经营,人流拥堵", "{place}每晚有无照摊贩叫卖"),
    "03-002": ("{place}店铺桌椅摆到人行道上", "{place}商户把货物摆出店外"),
    "03-003": ("{place}摊位占用非机动车道",),
    "03-004": ("{place}楼道堆放杂物,影响通行",),
    "03-005": ("{place}露天烧烤油烟和噪音扰民",),
    "03-007": ("{place}消防通道被私家车堵住",),
    "04-001": ("{place}墙面贴满小广告", "{place}电线杆上有小广告"),
    "04-003": ("{place}店招松动,大风天有坠落危险",),
    "05-001": ("{place}工地夜间施工,吵得睡不着",),
    "05-002": ("{place}工地扬尘大,没有洒水",),
    "05-005": ("{place}渣土车一路遗撒",),
    "06-001": ("{place}绿地里有垃圾和枯枝", "{place}草坪里宠物粪便多"),
    "06-003": ("{place}大风刮倒一棵行道树,压在路上",),
    "07-001": ("{place}机动车乱停,公交车进不来", "{place}两侧停满车,早晚高峰堵死", "{place}车辆停在盲道上"),
    "07-002": ("{place}共享单车堆在人行道", "{place}电动车乱停,挡住出入口"),
    "07-005": ("{place}护栏被撞坏",),
    "07-006": ("{place}路面结冰,老人滑倒",),
    "08-001": ("{place}有明火冒烟,已拨119",),
    "08-005": ("{place}从楼上拉线给电动车充电", "{place}楼道内给电动车充电"),
    "09-001": ("{place}饭店油烟直排,窗户不敢开",),
    "09-002": ("{place}夜里音响声音太大", "{place}广场舞音乐到十点还不停", "{place}KTV噪音扰民"),
    "10-001": ("{place}有人无照经营烧烤", "{place}无证小饭馆夜间营业"),
    "12-001": ("{place}邻居因漏水发生争吵,请求调解", "{place}两家因停车位起纠纷"),
    "13-003": ("{place}家里暖气只有十五度", "{place}整个单元暖气不热"),
    "13-004": ("{place}健身器材松动,孩子玩有危险",),
    "13-005": ("{place}独居老人申请助餐服务",),
    "14-003": ("{place}地里有人烧秸秆", "{place}田间冒浓烟,疑似焚烧秸秆"),
    "15-001": ("{place}物业不及时维修电梯门禁", "{place}物业费收了保洁不到位"),
    "16-001": ("{place}工地拖欠农民工工资",),
}
"""What a report says, by category; every other category says its own name."""

_DONE: dict[str, tuple[str, ...]] = {
    "01": ("已现场处置并恢复通行", "已维修完成,现场恢复原状", "已设置围挡并完成修复"),
    "02": ("已清理干净并复查", "已清运完毕,安排保洁员每日巡查"),
    "03": ("已劝离并清理现场", "已责令整改,现场恢复秩序"),
    "04": ("已清除并复查", "已拆除并登记业主信息"),
    "05": ("已责令停工整改", "已要求落实降尘措施并复查"),
    "06": ("已清理补植", "已清理并恢复"),
    "07": ("已劝离车辆并加强巡逻", "已清理规整,增设提示牌", "已修复"),
    "08": ("隐患已消除,已复查", "已整改到位"),
    "09": ("已责令整改,噪音、油烟达标", "已现场劝止并复查"),
    "10": ("已责令停业整改并复查", "已调解达成一致"),
    "11": ("已依法处置并回复", "已移交办理并回复"),
    "12": ("已调解,双方达成一致", "已上门沟通,当事人表示理解"),
    "13": ("已恢复正常", "已上门办理,居民已知晓"),
    "14": ("已扑灭并教育当事人", "已现场核查整改", "已公开公示并答复"),
    "15": ("已约谈物业并整改", "已协调办理"),
    "16": ("工资已支付到位", "已协调双方签订协议"),
}

LEADER_RESULTS = ("网格员现场处理完毕", "组织志愿者清理完成", "联系物业处理完毕")
"""What a grid leader may add when the community solved it alone."""

REASONS = (
    "涉及多家单位,社区无执法权",
    "多次劝导无效,需要街镇协调",
    "需要专业设备,社区无法处理",
    "权属不清,需上级认定",
)
"""Why a level cannot solve it alone."""

INSTRUCTIONS = ("今日内现场处理并反馈", "会同社区现场处置,留存照片", "限时整改,结果报中心")
"""What a town tells its office to do."""

OFFICES = ("综合行政执法办公室", "社会治理办公室", "城市管理办公室", "应急管理办公室", "农业农村办公室")
"""The offices of a town."""

PART_RESULTS = ("已按职责完成处置", "已现场执法并固定证据", "已下达整改通知并复查", "已配合联合行动到位")
"""What a cooperating department reports."""

REWORK = ("现场仍未清理干净", "问题仍然存在,请继续处理", "照片与现场不符,请返工")
"""Why something is sent back."""

REJECTED: dict[RejectReason, str] = {
    RejectReason.NOT_EXIST: "经现场核实,未发现您反映的情况",
    RejectReason.OUT_OF_AREA: "该地点不属本区管辖,已告知属地热线",
    RejectReason.IN_LITIGATION: "此事已进入诉讼程序,请依法律途径解决",
    RejectReason.DUPLICATE_CLOSED: "您反映的问题此前已办结,处理情况已向您说明",
    RejectReason.NO_CONTENT: "您的来件没有具体事项,请补充地点和情况",
}
"""Why a report is turned down, and what the reporter is told."""

NOT_THERE = ("到现场查看,未见所述情况", "询问周边居民,均称没有此事")
"""What a worker notes who did not find what was reported."""

SLIP_ANSWERS = (
    "人手集中在防汛一线,已调整力量,今日办结",
    "材料到货延误,已办结并补拍照片",
    "与权属单位协调用时较长,已处置完毕",
)
"""What units say when a slip asks them."""


def result_of(category: str, number: int) -> str:
    """Return a result that fits a category; the same number gives the same words."""
    options = _DONE[category[:2]]
    return options[number % len(options)]
