"""What a district begins with, and that its own choices are never overwritten."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import func, select

from grids import calendars, directory
from grids.duty import duties
from grids.founding import ensure_defaults
from grids.rules.categories import shipped_categories
from grids.rules.departments import shipped_departments
from grids.tables import Category, Department, Responsibility

pytestmark = pytest.mark.database


def test_a_first_grid_brings_categories_bodies_duties_and_the_calendar(session, clock):
    ensure_defaults(session, ["990101"], now=clock())

    assert len(directory.categories(session)) == len(shipped_categories()) == 80
    assert len(directory.departments(session, "990101")) == len(shipped_departments())
    assert duties.duty_for(session, "10-001", "990101001001001", on=date(2026, 3, 2)).lead == "SCJG"
    assert calendars.known_until(session) == date(2026, 12, 31)


def test_a_second_grid_changes_nothing_and_a_new_district_gets_its_bodies(session, clock):
    ensure_defaults(session, ["990101"], now=clock())
    session.scalars(select(Category).limit(1)).one().name = "自己的名称"
    session.delete(session.scalars(select(Responsibility).limit(1)).one())
    session.flush()

    ensure_defaults(session, ["990101", "990102"], now=clock())

    counts = [session.scalar(select(func.count()).select_from(t)) for t in (Category, Responsibility)]
    assert counts == [80, 79]
    assert session.scalar(select(func.count()).where(Category.name == "自己的名称")) == 1
    assert session.scalar(select(func.count()).select_from(Department)) == 2 * len(shipped_departments())
