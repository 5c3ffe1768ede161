"""People are put on record with a post, sign in with their password, and are struck off without being forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from gis.errors import CityError
from grids import staff
from grids.accounts import Refused, SessionRules, SignedIn, actor_of, sign_in
from grids.rules.permissions import Role
from grids.staff import NewPerson
from grids.tables import Person, WebSession

WORKER = {"login": "zhao", "name": "赵敏", "role": Role.GRID_WORKER, "area": "990101001001001"}
PASSWORD = "correct horse"
RULES = SessionRules(timedelta(minutes=30), timedelta(hours=12))


def add(city, password=PASSWORD, **other):
    return staff.add(city.session, NewPerson(**{**WORKER, **other}), password, now=city.clock())


def test_a_person_on_record_may_sign_in_and_act_from_the_post(city):
    add(city)

    signed = sign_in(city.session, "zhao", PASSWORD, rules=RULES, now=city.clock())

    assert isinstance(signed, SignedIn)
    assert (signed.signed.actor.role, signed.signed.actor.area_code) == (Role.GRID_WORKER, "990101001001001")


def test_duty_in_a_department_is_for_the_department(city):
    add(city, role=Role.DEPARTMENT_DUTY, area="990101", department="SCJG")

    found = next(posts for person, posts in staff.everybody(city.session) if person.login == "zhao")

    assert [(post.department.code, post.area_code) for post in found] == [("SCJG", None)]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"login": "worker"}, "login_taken"),
        ({"login": "two words"}, "bad_login"),
        ({"login": "x" * 65}, "bad_login"),
        ({"login": "bell\a"}, "bad_login"),
        ({"name": " "}, "bad_login"),
        ({"password": "short"}, "bad_password"),
        ({"password": "x" * 257}, "bad_password"),
        ({"area": "990109"}, "grid_not_found"),
        ({"role": Role.SYSTEM}, "bad_post"),
        ({"role": Role.DEPARTMENT_DUTY}, "bad_post"),
        ({"department": "SCJG"}, "bad_post"),
        ({"role": Role.TOWN_LEADER, "area": "990101"}, "bad_post"),
        ({"role": Role.HOTLINE_DESK}, "bad_post"),
        ({"role": Role.DEPARTMENT_DUTY, "department": "XX"}, "unknown_department"),
        ({"phone": "110"}, "bad_phone"),
    ],
)
def test_what_is_wrong_with_a_person_is_named_and_nobody_is_added(city, wrong, code):
    before = city.session.scalar(select(func.count()).select_from(Person))

    with pytest.raises(CityError) as refused:
        add(city, **wrong)

    assert refused.value.code == code
    assert city.session.scalar(select(func.count()).select_from(Person)) == before


def test_somebody_who_is_disabled_is_out_at_once_and_stays_on_record(city):
    add(city)
    signed = sign_in(city.session, "zhao", PASSWORD, rules=RULES, now=city.clock())

    staff.disable(city.session, "zhao", now=city.clock())

    assert actor_of(city.session, signed.token, rules=RULES, now=city.clock()) is None
    assert isinstance(sign_in(city.session, "zhao", PASSWORD, rules=RULES, now=city.clock()), Refused)
    assert city.session.scalar(select(func.count()).select_from(WebSession)) == 0
    assert "zhao" in {person.login for person, _ in staff.everybody(city.session)}


def test_nobody_is_disabled_by_a_login_that_is_not_there(city):
    with pytest.raises(CityError) as refused:
        staff.disable(city.session, "nobody", now=city.clock())

    assert refused.value.code == "person_not_found"
