"""History alone tells where everything stands: replayed, it leads to the rows that are stored.

The cases of the random runs are replayed there; here, those of the made-up district, and histories that are not whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from grids import demo
from grids.tables import Incident, Trace

pytestmark = [pytest.mark.database, pytest.mark.timeout(1800)]

NOW = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def demo_engine(made_up: Any, make_database: Any, soak: bool) -> Iterator[Engine]:
    """A made-up district with a year of cases."""
    from api.database import make_engine

    engine = make_engine(make_database() if soak else made_up(NOW)[0])
    if soak:
        with Session(engine) as session, session.begin():
            demo.make(session, scale=demo.Scale.DISTRICT, seed=1, now=NOW)
    yield engine
    engine.dispose()


def test_a_year_of_cases_is_rebuilt_from_its_history(demo_engine: Engine, parts: Any, publish: Any) -> None:
    replay = parts("replay")
    with Session(demo_engine) as session:
        cases = session.scalars(select(Incident.id)).all()
        steps = session.execute(text("select count(*) from trace")).scalar_one()

        rows = sum(replay.check(session, one) for one in cases)

    assert rows > len(cases) > 50
    publish("C4", cases=len(cases), steps=steps, rows=rows, differ=0)


def test_a_row_that_history_does_not_know_is_found(demo_engine: Engine, parts: Any) -> None:
    replay = parts("replay")
    with Session(demo_engine) as session:
        one = session.scalars(select(Incident.id).where(Incident.status == "closed").limit(1)).one()
        session.execute(text("update incident set status = 'handling' where id = :i"), {"i": one})

        with pytest.raises(replay.Broken, match="history, row"):
            replay.check(session, one)
        session.rollback()


@pytest.mark.parametrize("fault", ["left out", "twice", "elsewhere"])
def test_a_history_with_a_step_left_out_doubled_or_changed_is_found(
    demo_engine: Engine, parts: Any, fault: str
) -> None:
    replay = parts("replay")
    with Session(demo_engine) as session:
        longest = session.scalars(select(Incident.id).order_by(Incident.trace_seq.desc()).limit(1)).one()
        found = session.scalars(select(Trace).where(Trace.incident_id == longest).order_by(Trace.seq)).all()
        columns = ("seq", "machine", "subject", "from_state", "to_state")
        steps = [SimpleNamespace(**{name: getattr(step, name) for name in columns}) for step in found]
    replay.replay(steps)
    middle = next(n for n, step in enumerate(steps) if n and step.from_state != step.to_state)
    if fault == "left out":
        del steps[middle]
    elif fault == "twice":
        steps.insert(middle, steps[middle])
    else:
        steps[middle].from_state = "nowhere"

    with pytest.raises(replay.Broken):
        replay.replay(steps)
