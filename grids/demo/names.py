"""Names that nobody bears: of places, roads, people and telephones.

Single names may exist somewhere, as short Chinese names do; no county is called as these are, and no operator
has the numbers.
"""

from __future__ import annotations

import numpy as np

from grids.demo.ground import Ground
from grids.rules.levels import GridLevel

__all__ = ["CENTRE_STREET", "DISTRICTS", "landline", "mobile", "name_areas", "people_names", "road_names"]

DISTRICTS: tuple[tuple[str, str], ...] = (
    ("澄原示范区", "Chengyuan"),
    ("汀澜示范区", "Tinglan"),
    ("禾岚示范区", "Helan"),
    ("砚澄示范区", "Yancheng"),
    ("枫屿示范区", "Fengyu"),
    ("栖霁示范区", "Qiji"),
    ("岫岭示范区", "Xiuling"),
    ("穗野示范区", "Suiye"),
    ("望汀示范区", "Wangting"),
    ("锦霁示范区", "Jinji"),
)
"""Districts of the made-up city, with their names in Latin letters."""

CENTRE_STREET = "升平"
"""The street office and the community in the very middle of the first district."""

_OFFICES = ["鹿鸣", "鹏翔", "胜华", "长和", "文澜", "锦安", "东篱", "云桥", "清晏", "永宁", "嘉禾"]
_TOWNS = ["青禾", "石桥", "白杨", "柳泉", "红枫", "双河", "南岭", "枣园", "芦泉", "松峪"]
_FIRST = "鹿鹏锦文永长新和安景华康兴嘉福瑞春明德翠"
_SECOND = "鸣泉绣澜宁苑园庆乐庭桥湖泰阳远盛林汀坊"
_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
_GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红梅鹏飞慧宁晨雨欣怡浩然子轩思远文博嘉诚立新建国"
)
_VILLAGES = ("家庄", "家峪", "家沟", "家泉", "家河", "家岭", "家洼", "家店")
_ROAD_KINDS = ("路", "街", "巷", "大道")
_MIDDLE = f"{CENTRE_STREET}街道"


def mobile(number: int) -> str:
    """Return a mobile number of a made-up person; the segment 154 is, as far as is known, no operator's."""
    return f"154{number % 100_000_000:08d}"


def landline(number: int) -> str:
    """Return a landline of a made-up office; there is no area with the code 0300."""
    return f"0300-{2_000_000 + number % 7_000_000}"


def people_names(count: int, random: np.random.Generator) -> list[str]:
    """Return names of made-up people; some come twice, as in life."""
    # common surnames come first in the list and are drawn more often
    weight = 1.0 / (np.arange(len(_SURNAMES)) + 4)
    surnames = random.choice(len(_SURNAMES), count, p=weight / weight.sum())
    given = random.integers(0, len(_GIVEN), (count, 2))
    two = random.uniform(size=count) < 0.72
    return [
        _SURNAMES[surname] + _GIVEN[first] + (_GIVEN[second] if both else "")
        for surname, (first, second), both in zip(
            surnames.tolist(), given.tolist(), two.tolist(), strict=True
        )
    ]


def road_names(town: str, count: int, random: np.random.Generator) -> list[str]:
    """Return names of roads of a town; the first is named after it."""
    pairs = _pairs(random)[: count - 1]
    kinds = random.choice(len(_ROAD_KINDS), len(pairs), p=[0.45, 0.3, 0.2, 0.05])
    stem = town.removesuffix("街道").removesuffix("镇")
    return [
        f"{stem}路",
        *(f"{pair}{_ROAD_KINDS[kind]}" for pair, kind in zip(pairs, kinds.tolist(), strict=True)),
    ]


def name_areas(ground: Ground, random: np.random.Generator) -> None:
    """Fill the column `name` of the areas: each name once among its siblings."""
    areas = ground.areas
    names: dict[str, str] = {}
    for place, district in enumerate(ground.of(GridLevel.DISTRICT)["code"]):
        names[district] = DISTRICTS[place][0]
        middle = _middle_street(ground, district) if place == 0 else ""
        names |= _town_names(ground, district, middle, random)
        names |= _community_names(ground, district, names, middle, random)
    for code in ground.of(GridLevel.BUILDING_GROUP)["code"]:
        names[code] = f"{names[code[:12]]}第{int(code[12:])}网格"
    areas["name"] = [names[code] for code in areas["code"]]


def _middle_street(ground: Ground, district: str) -> str:
    """Return the code of the street office whose people live nearest to each other: the old town."""
    towns = ground.of(GridLevel.TOWN)
    own = towns[towns["code"].str.startswith(district) & towns["urban"]]
    return str(own.loc[(own["population"] / own["area_m2"]).idxmax(), "code"])


def _town_names(ground: Ground, district: str, middle: str, random: np.random.Generator) -> dict[str, str]:
    offices, towns = random.permutation(_OFFICES).tolist(), random.permutation(_TOWNS).tolist()
    own = ground.of(GridLevel.TOWN)
    own = own[own["code"].str.startswith(district)]
    return {
        code: _MIDDLE if code == middle else f"{offices.pop()}街道" if urban else f"{towns.pop()}镇"
        for code, urban in zip(own["code"], own["urban"], strict=True)
    }


def _community_names(
    ground: Ground, district: str, towns: dict[str, str], middle: str, random: np.random.Generator
) -> dict[str, str]:
    own = ground.of(GridLevel.COMMUNITY)
    own = own[own["code"].str.startswith(district)]
    pairs = _pairs(random)
    villages = [f"{_SURNAMES[s]}{kind}村" for s in range(len(_SURNAMES)) for kind in _VILLAGES]
    villages = random.permutation(villages).tolist()
    named: dict[str, str] = {}
    for code in own["code"]:
        if code[9] != "0":
            named[code] = villages.pop()
        else:
            named[code] = f"{pairs.pop()}社区"
    for town in own["parent_code"].unique():
        # a town's first residents' community bears the town's name
        first = min(code for code in named if code.startswith(town))
        named[first] = towns[town].removesuffix("街道").removesuffix("镇") + "社区"
    if middle:
        centre = own[own["parent_code"] == middle]
        dense = str(centre.loc[(centre["population"] / centre["area_m2"]).idxmax(), "code"])
        first = min(code for code in named if code.startswith(middle))
        named[first], named[dense] = named[dense], named[first]
    return named


def _pairs(random: np.random.Generator) -> list[str]:
    taken = {CENTRE_STREET, *_OFFICES, *_TOWNS}
    pairs = [first + second for first in _FIRST for second in _SECOND if first + second not in taken]
    return [str(pair) for pair in random.permutation(pairs)]
