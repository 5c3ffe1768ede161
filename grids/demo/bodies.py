"""The bodies of a made-up district: departments, their stations in the towns, and who answers for what."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
import shapely.affinity
from shapely.geometry import MultiPolygon
from shapely.geometry.base import BaseGeometry
from sqlalchemy.orm import Session

from gis.crs import STORAGE_SRID
from gis.geometry import as_multipolygon
from gis.plane import areas_m2
from grids import catalogue
from grids.demo.copying import ewkb, reserve, write
from grids.demo.ground import Ground
from grids.demo.names import DISTRICTS, landline, mobile, people_names
from grids.duty.duties import Duty, duty_from
from grids.rules.categories import shipped_categories
from grids.rules.departments import DepartmentRule, shipped_departments
from grids.rules.levels import GridLevel
from grids.rules.responsibilities import Place, Rule, RuleKind, choose
from grids.tables import Department, DutyBasis, Responsibility, Station

__all__ = ["Body", "Duties", "found_bodies", "list_duties"]


@dataclass(frozen=True, slots=True)
class Body:
    """A department of one district."""

    id: int
    code: str
    name: str


@dataclass
class Duties:
    """The responsibility list, held in memory as it stands all year; answers as `grids.duty.duties.duty_for` does."""

    on: date
    _rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    _rules: dict[str | None, list[Rule]] = field(default_factory=dict)
    _polygons: dict[int, tuple[str, MultiPolygon]] = field(default_factory=dict)
    _known: dict[tuple[str, tuple[str, ...], tuple[int, ...]], Duty] = field(default_factory=dict)

    def add(self, row: dict[str, Any], polygon: MultiPolygon | None) -> None:
        """Take a row of the list, with its polygon where it has one."""
        rule = Rule(
            id=row["id"],
            kind=row["kind"],
            area=row["area_code"],
            category=row["category_code"],
            lead=row["lead"],
            since=row["effective_from"],
            name=row["name"],
            polygon_m2=None if polygon is None else _size_m2(polygon),
        )
        self._rows[rule.id] = row
        self._rules.setdefault(rule.category, []).append(rule)
        if polygon is not None:
            self._polygons[rule.id] = (rule.area, polygon)

    def of(self, category: str, code: str, point: tuple[float, float]) -> Duty:
        """Return who answers for a category at a point (lon, lat) of a cell."""
        rules = [*self._rules.get(category, ()), *self._rules.get(None, ())]
        inside = tuple(
            number
            for number, (area, polygon) in self._polygons.items()
            if code.startswith(area) and shapely.intersects_xy(polygon, *point)
        )
        # cells without rules of their own share the answers of what lies above them
        areas = tuple(sorted({rule.area for rule in rules if code.startswith(rule.area)}))
        known = self._known.get((category, areas, inside))
        if known is None:
            held = [
                rule if rule.polygon_m2 is None else replace(rule, holds=rule.id in inside) for rule in rules
            ]
            choice = choose(held, Place(category, code, self.on))
            if choice is None:
                raise ValueError(f"the made-up list names nobody for {category} at {code}")
            known = self._known[category, areas, inside] = duty_from(choice, self._rows[choice.rule.id])
        return known


def _size_m2(polygon: MultiPolygon) -> float:
    return float(areas_m2(gpd.GeoDataFrame(geometry=[polygon], crs=STORAGE_SRID))[0])


def found_bodies(
    session: Session, ground: Ground, random: np.random.Generator
) -> dict[tuple[str, str], Body]:
    """Write departments and stations of all districts; return the departments by district and code."""
    rules = shipped_departments()
    districts = ground.of(GridLevel.DISTRICT)["code"].tolist()
    ids = iter(reserve(session, Department, len(rules) * len(districts)))
    rows: list[dict[str, Any]] = []
    found: dict[tuple[str, str], Body] = {}
    for place, district in enumerate(districts):
        for rule in rules:
            body_id = next(ids)
            row = _department(rule, body_id, district, *DISTRICTS[place])
            rows.append(row)
            found[district, rule.code] = Body(body_id, rule.code, row["name"])
    write(session, Department, rows)
    write(session, Station, _stations(ground, rules, found, random))
    return found


def _department(rule: DepartmentRule, body_id: int, district: str, name: str, latin: str) -> dict[str, Any]:
    return {
        "id": body_id,
        "district_code": district,
        "code": rule.code,
        # the shipped names begin with "district" where they mean the district's own body
        "name": name + rule.name_zh[1:] if rule.name_zh.startswith("区") else rule.name_zh,
        "name_en": rule.name_en.replace("District", latin, 1),
        "kind": rule.kind,
        "phone": landline(body_id),
    }


def _stations(
    ground: Ground,
    rules: tuple[DepartmentRule, ...],
    bodies: dict[tuple[str, str], Body],
    random: np.random.Generator,
) -> list[dict[str, Any]]:
    towns = ground.of(GridLevel.TOWN)
    stationed = [rule for rule in rules if rule.station is not None]
    names = people_names(len(towns) * len(stationed), random)
    rows: list[dict[str, Any]] = []
    for town in towns.itertuples():
        # near the middle of the town, where its office is
        middle = np.array(shapely.point_on_surface(town.geometry).coords[0])
        reach = np.sqrt(town.area_m2) / 111_000 / 8
        around = middle + random.normal(0, reach, (len(stationed), 2))
        inside = shapely.contains_xy(town.geometry, *around.T)
        places = ewkb(np.asarray(shapely.points(np.where(inside[:, None], around, middle)), dtype=object))
        for rule, place in zip(stationed, places, strict=True):
            number = len(rows)
            rows.append(
                {
                    "department_id": bodies[town.code[:6], rule.code].id,
                    "town_code": town.code,
                    "kind": rule.station,
                    "name": f"{town.name}{rule.station_zh}",
                    "contact_name": names[number],
                    "contact_phone": mobile(10_000_000 + number),
                    "place": place,
                }
            )
    return rows


def list_duties(
    session: Session, since: date, ground: Ground, *, town: str, estate: str, market: str
) -> Duties:
    """Write the shipped categories and the responsibility list; a few rules hold in one town only.

    town : its code; it agreed on rules of its own. estate, market : codes of the cells of it that a planning red
    line and a market lie in; a school is beside the market.
    """
    catalogue.ensure_categories(session)
    rows: list[dict[str, Any]] = [
        _duty(rule.code, "", rule.lead, rule.cooperating, DutyBasis.DEFAULT, "categories.csv", since)
        for rule in shipped_categories()
    ]
    for code, lead, cooperating, basis, source in _LOCAL:
        rows.append(_duty(code, town, lead, cooperating, basis, source, since))
    polygons: list[MultiPolygon | None] = [None] * len(rows)
    cells = ground.of(GridLevel.BUILDING_GROUP).set_index("code").geometry
    beside = next(
        code for code in cells.index if code.startswith(market[:12]) and code not in (estate, market)
    )
    for cell, place in zip((estate, market, beside), _PLACES, strict=True):
        own = _duty(place.category, cell, place.lead, place.cooperating, place.basis, place.source, since)
        own |= {"kind": place.kind, "name": place.name}
        own |= {"contact_name": place.contact, "contact_phone": place.phone}
        rows.append(own)
        polygons.append(_inside(cells[cell], place.share))
    duties = Duties(on=since)
    for row, polygon, row_id in zip(rows, polygons, reserve(session, Responsibility, len(rows)), strict=True):
        row["id"] = row_id
        row["boundary"] = None if polygon is None else ewkb(np.array([polygon], dtype=object))[0]
        duties.add(row, polygon)
    write(session, Responsibility, rows)
    return duties


def _inside(cell: BaseGeometry, share: float) -> MultiPolygon:
    """Return the cell's own outline, smaller: a share of its ground that lies wholly in it."""
    middle = shapely.point_on_surface(cell)
    for shrink in (1.0, 0.8, 0.6, 0.4, 0.2):
        size = share**0.5 * shrink
        drawn = shapely.affinity.scale(cell, size, size, origin=middle)
        if cell.covers(drawn):
            return as_multipolygon(drawn)
    raise ValueError("a cell of this shape holds no smaller one of its own outline")


@dataclass(frozen=True, slots=True)
class _OwnPlace:
    """A place by its polygon; `share` of the cell that it lies in."""

    kind: RuleKind
    name: str
    share: float
    category: str | None
    lead: str | None
    cooperating: tuple[str, ...]
    basis: DutyBasis
    source: str
    contact: str | None = None
    phone: str | None = None


_PLACES = (
    _OwnPlace(
        RuleKind.EXCEPTION,
        "锦绣苑小区规划红线",
        0.6,
        "07-001",
        "ZRZY",
        ("ZJ", "PMC", "CG", "JJ", "TOWN"),
        DutyBasis.AGREED,
        "示范:小区停车职责会商纪要第3号",
    ),
    _OwnPlace(
        RuleKind.SPECIAL_GRID,
        "升平农贸市场",
        0.3,
        "03-003",
        "SCJG",
        ("CG", "TOWN"),
        DutyBasis.DESIGNATED,
        "示范:专属网格名册第2号",
        "市场管理处值班室",
        mobile(30_000_001),
    ),
    _OwnPlace(
        RuleKind.SPECIAL_GRID,
        "实验小学",
        0.25,
        None,
        None,
        (),
        DutyBasis.DESIGNATED,
        "示范:专属网格名册第5号",
        "学校保卫科",
        mobile(30_000_002),
    ),
)
"""The places of one town that are no areas of the grid: inside the red line the planners mark the bays."""

_LOCAL: tuple[tuple[str, str, tuple[str, ...], DutyBasis, str], ...] = (
    ("07-002", "JJ", ("CG", "JT", "UTIL", "TOWN"), DutyBasis.AGREED, "示范:站前秩序会商纪要第1号"),
    ("01-002", "ZJ", ("SW", "CG", "JJ", "YJ", "TOWN"), DutyBasis.DESIGNATED, "示范:积水点整治专题会议纪要"),
    ("09-001", "STHJ", ("CG", "SCJG", "PMC", "TOWN"), DutyBasis.STATUTORY, "示范:餐饮油烟职责边界清单第7项"),
)
"""Rules of one town: category, lead, cooperating, basis, source."""


def _duty(
    category: str | None,
    area: str,
    lead: str | None,
    cooperating: tuple[str, ...],
    basis: DutyBasis,
    source: str,
    since: date,
) -> dict[str, Any]:
    return {
        "kind": RuleKind.DEFAULT if basis is DutyBasis.DEFAULT else RuleKind.LISTED,
        "name": None,
        "category_code": category,
        "area_code": area,
        "lead": lead,
        "cooperating": list(cooperating),
        "contact_name": None,
        "contact_phone": None,
        "basis": basis,
        "source": source,
        "effective_from": since,
        "effective_to": None,
    }
