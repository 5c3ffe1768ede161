"""The bodies of a made-up district: departments, their stations in the towns, and who answers for what."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import shapely
from sqlalchemy.orm import Session

from grids import catalogue
from grids.demo.copying import ewkb, reserve, write
from grids.demo.ground import Ground
from grids.demo.names import DISTRICTS, landline, mobile, people_names
from grids.directory import Duty
from grids.rules.categories import shipped_categories
from grids.rules.departments import DepartmentRule, shipped_departments
from grids.rules.levels import GridLevel
from grids.rules.responsibilities import RuleKind
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
    """The responsibility list, held in memory: the rule of the smallest area that covers a place wins.

    The same answer as `grids.directory.duty_for`, which asks the database each time.
    """

    rules: dict[str, dict[str, Duty]] = field(default_factory=dict)

    def add(self, row: dict[str, Any]) -> None:
        """Take a row of the list."""
        where = f"area {row['area_code']}" if row["area_code"] else "the whole list"
        self.rules.setdefault(row["category_code"], {})[row["area_code"]] = Duty(
            lead=row["lead"],
            cooperating=tuple(row["cooperating"]),
            basis=row["basis"].value,
            rule=f"responsibility {row['id']} for {where} since {row['effective_from'].isoformat()}",
        )

    def of(self, category: str, code: str) -> Duty:
        """Return who answers for a category at a place."""
        rules = self.rules[category]
        return next(rules[code[:length]] for length in (15, 12, 9, 6, 0) if code[:length] in rules)


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


def list_duties(session: Session, since: date, centre_town: str) -> Duties:
    """Write the shipped categories and the responsibility list; a few rules hold for one town only.

    centre_town : code of the town that agreed on rules of its own.
    """
    catalogue.ensure_categories(session)
    rows: list[dict[str, Any]] = [
        _duty(rule.code, "", rule.lead, rule.cooperating, DutyBasis.DEFAULT, "categories.csv", since)
        for rule in shipped_categories()
    ]
    for code, lead, cooperating, basis, source in _LOCAL:
        rows.append(_duty(code, centre_town, lead, cooperating, basis, source, since))
    duties = Duties()
    for row, row_id in zip(rows, reserve(session, Responsibility, len(rows)), strict=True):
        row["id"] = row_id
        duties.add(row)
    write(session, Responsibility, rows)
    return duties


_LOCAL: tuple[tuple[str, str, tuple[str, ...], DutyBasis, str], ...] = (
    ("07-002", "JJ", ("CG", "JT", "UTIL", "TOWN"), DutyBasis.AGREED, "示范:站前秩序会商纪要第1号"),
    ("01-002", "ZJ", ("SW", "CG", "JJ", "YJ", "TOWN"), DutyBasis.DESIGNATED, "示范:积水点整治专题会议纪要"),
    ("09-001", "STHJ", ("CG", "SCJG", "PMC", "TOWN"), DutyBasis.STATUTORY, "示范:餐饮油烟职责边界清单第7项"),
)
"""Rules of one town: category, lead, cooperating, basis, source."""


def _duty(
    category: str,
    area: str,
    lead: str,
    cooperating: tuple[str, ...],
    basis: DutyBasis,
    source: str,
    since: date,
) -> dict[str, Any]:
    return {
        "kind": RuleKind.DEFAULT if basis is DutyBasis.DEFAULT else RuleKind.LISTED,
        "category_code": category,
        "area_code": area,
        "lead": lead,
        "cooperating": list(cooperating),
        "basis": basis,
        "source": source,
        "effective_from": since,
        "effective_to": None,
    }
