"""A made-up city and a real one never share a database, and only a made-up one is ever emptied."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, update

from gis.errors import Conflict
from grids.accounts import hash_password
from grids.ground.contents import Contents, contents_of, empty_demo, shared_logins
from grids.rules.permissions import Role
from grids.tables import Edition, Incident, Person, Trace


@pytest.fixture
def made_up(city):
    """The town of these tests as if the demo had made it."""
    city.session.execute(update(Edition).values(source="demo:tiny:1"))
    return city


def test_a_new_database_holds_nothing(session):
    assert contents_of(session) == Contents(None, own=False)
    empty_demo(session)


def test_a_city_of_somebodys_own_is_never_emptied(city):
    city.report()

    assert contents_of(city.session) == Contents(None, own=True)
    with pytest.raises(Conflict) as refused:
        empty_demo(city.session)
    assert refused.value.code == "not_a_demo"
    assert city.session.scalar(select(func.count()).select_from(Incident)) == 1


def test_people_without_any_grid_are_somebodys_own(session):
    session.add(Person(login="zhao", name="赵"))
    session.flush()

    assert contents_of(session) == Contents(None, own=True)


def test_a_made_up_city_is_emptied_whole(made_up):
    made_up.accepted()
    assert contents_of(made_up.session) == Contents("demo:tiny:1", own=False)

    empty_demo(made_up.session)

    assert contents_of(made_up.session) == Contents(None, own=False)
    assert made_up.session.scalar(select(func.count()).select_from(Trace)) == 0


def test_an_edition_that_somebody_loaded_beside_it_keeps_it_from_being_emptied(made_up):
    own = made_up.session.scalars(select(Edition)).one()
    made_up.session.add(
        Edition(
            name="own",
            status="draft",
            source="grid.gpkg sha256:00",
            frame="WGS84",
            leaf_level=own.leaf_level,
            effective_from=own.effective_from,
            loaded_at=made_up.clock(),
            report={},
        )
    )
    made_up.session.flush()

    with pytest.raises(Conflict):
        empty_demo(made_up.session)


def test_those_with_the_shared_password_are_listed_and_nobody_else(made_up):
    shared, own = hash_password("shared-password"), hash_password("own-password")
    for login, password in (("worker", shared), ("centre", shared), ("SCJG", shared), ("leader", own)):
        made_up.session.execute(update(Person).where(Person.login == login).values(password_hash=password))
    made_up.session.execute(
        update(Person).where(Person.login == "centre").values(disabled_at=made_up.clock())
    )

    logins = [(known.login, known.role, known.department) for known in shared_logins(made_up.session)]

    assert logins == [("worker", Role.GRID_WORKER, None), ("SCJG", Role.DEPARTMENT_DUTY, "SCJG")]
