"""Lists touch what they show: open cases come from their own index, however many have ended."""

from __future__ import annotations

import pytest
from sqlalchemy import event, text

from grids import register
from grids.register import Filters
from grids.rules.lifecycle import IncidentStatus

pytestmark = pytest.mark.database


@pytest.mark.parametrize(
    "filters",
    [Filters(open_only=True), Filters(statuses=(IncidentStatus.REPORTED, IncidentStatus.RESOLVED))],
)
def test_open_cases_are_read_from_the_index_of_open_cases(city, filters):
    open_case = city.report()
    city.report().status = IncidentStatus.CLOSED
    city.session.flush()
    said: list[tuple[str, dict[str, object]]] = []

    def listen(_connection, _cursor, statement, parameters, _context, _many):
        said.append((statement, parameters))

    connection = city.session.connection()
    event.listen(connection, "before_cursor_execute", listen)
    page = register.find_incidents(city.session, city["centre"].scope, filters)
    event.remove(connection, "before_cursor_execute", listen)

    assert [incident.number for incident in page.items] == [open_case.number]
    city.session.execute(text("set local enable_seqscan = off"))
    city.session.execute(text("set local enable_indexscan = on"))
    for order in ("ix_incident_received", "ix_incident_grid_received"):
        city.session.execute(text(f"drop index {order}"))
    plan = connection.exec_driver_sql(f"explain {said[-1][0]}", said[-1][1]).scalars().all()
    assert any("ix_incident_open" in line for line in plan), plan
