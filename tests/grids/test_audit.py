"""Whoever changes the history of a case is found out, and the step is named."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, text, update

from gis.errors import NotFound
from grids.audit import count_incidents, verify_traces
from grids.tables import Incident, Trace


def test_histories_that_nobody_touched_are_whole(city):
    for _ in range(3):
        city.accepted()
    checked = []

    audit = verify_traces(city.session, advance=checked.append)

    assert audit.broken == {}
    assert (audit.incidents, audit.steps) == (3, 12)
    assert count_incidents(city.session) == sum(checked) == 3


def test_a_step_that_was_changed_is_named(city):
    first, second = city.accepted(), city.accepted()
    city.session.execute(
        update(Trace)
        .where(Trace.incident_id == second.id, Trace.seq == 2)
        .values(payload=text('payload || \'{"grade": "green"}\''))
    )

    assert verify_traces(city.session).broken == {second.number: 2}
    assert verify_traces(city.session, first.number).broken == {}


@pytest.mark.parametrize("seq", [1, 2, 4])
def test_a_step_that_was_taken_out_is_named(city, seq):
    incident = city.accepted()
    city.session.execute(delete(Trace).where(Trace.incident_id == incident.id, Trace.seq == seq))

    assert verify_traces(city.session).broken == {incident.number: seq}


def test_a_case_without_any_step_is_broken_at_the_first(city):
    incident = city.report()
    city.session.execute(delete(Trace))
    city.session.execute(update(Incident).values(trace_seq=0, trace_hash=None))

    assert verify_traces(city.session).broken == {incident.number: 1}


def test_a_case_that_is_not_there_is_named(city):
    with pytest.raises(NotFound):
        verify_traces(city.session, "2026060399010199999")
