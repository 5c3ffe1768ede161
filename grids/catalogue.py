"""The list of categories in the database: begun with the one that is shipped, then a district's own."""

from __future__ import annotations

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from grids.rules.categories import CategoryRule, shipped_categories
from grids.tables import Category

__all__ = ["ensure_categories"]


def ensure_categories(session: Session) -> int:
    """Store the shipped categories where the database has none at all; return how many were stored.

    A district that has changed its list, or taken categories off it, keeps it as it is.
    """
    if session.scalar(select(func.count()).select_from(Category)):
        return 0
    rows = [_row(rule) for rule in shipped_categories()]
    session.execute(insert(Category), rows)
    return len(rows)


def _row(rule: CategoryRule) -> dict[str, object]:
    return {
        "code": rule.code,
        "field_code": rule.field_code,
        "field_name": rule.field_zh,
        "field_name_en": rule.field_en,
        "kind": rule.kind,
        "name": rule.name_zh,
        "name_en": rule.name_en,
        "grade": rule.grade,
        "response_minutes": rule.response_limit_min,
        "arrive_hours": rule.arrive_limit_h,
        "handle_value": rule.handle_limit.value,
        "handle_unit": rule.handle_limit.unit,
        "whistle_level": rule.whistle_level,
        "callback_required": rule.callback_required,
        "long_process": rule.long_process,
        "recurrence_radius_m": rule.recurrence_radius_m,
        "evidence": list(rule.evidence),
    }
