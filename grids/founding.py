"""What a district begins with when its first grid is published: categories, bodies, duties, the calendar.

All of it is a default that the district then makes its own; what is there already is never touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from grids import calendars
from grids.catalogue import ensure_categories
from grids.rules.calendar import local_day
from grids.rules.categories import shipped_categories
from grids.rules.departments import shipped_departments
from grids.rules.holidays import known_years
from grids.rules.responsibilities import RuleKind
from grids.tables import CalendarDay, Department, DutyBasis, Responsibility

__all__ = ["ensure_defaults"]

_SINCE = date(2000, 1, 1)  # a default holds until somebody decides otherwise, for old cases too


def ensure_defaults(session: Session, districts: Sequence[str], *, now: datetime) -> None:
    """Store the shipped defaults that are missing.

    Categories and responsibilities where the database has none at all; departments for each district that has
    none; the calendar of last year and of every later year that is known and not loaded.
    """
    ensure_categories(session)
    if not session.scalar(select(func.count()).select_from(Responsibility)):
        duties = [
            {
                "kind": RuleKind.DEFAULT,
                "category_code": rule.code,
                "area_code": "",
                "lead": rule.lead,
                "cooperating": list(rule.cooperating),
                "basis": DutyBasis.DEFAULT,
                "source": "shipped with gridwhistle",
                "effective_from": _SINCE,
            }
            for rule in shipped_categories()
        ]
        session.execute(insert(Responsibility), duties)
    have = set(session.scalars(select(Department.district_code).distinct()))
    bodies = [
        {
            "district_code": district,
            "code": rule.code,
            "name": rule.name_zh,
            "name_en": rule.name_en,
            "kind": rule.kind,
        }
        for district in districts
        if district not in have
        for rule in shipped_departments()
    ]
    if bodies:
        session.execute(insert(Department), bodies)
    loaded = set(session.scalars(select(func.extract("year", CalendarDay.day)).distinct()))
    first = local_day(now).year - 1
    calendars.load_years(session, [year for year in known_years() if year >= first and year not in loaded])
