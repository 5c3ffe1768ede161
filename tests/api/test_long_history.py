"""A case with a long history opens at once, shows its last steps, and leads to the older ones."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import select

from grids import trace
from grids.rules.permissions import SYSTEM
from grids.tables import Incident


def lengthen(city: Any, number: str, whistle: str, steps: int) -> None:
    """Write many steps about a whistle into the history of its case."""
    with city.database.sessions.begin() as session:
        incident = session.scalars(select(Incident).where(Incident.number == number).with_for_update()).one()
        session.add_all(
            trace.append(
                session,
                incident,
                actor=SYSTEM,
                at=city.clock(),
                machine="incident",
                subject=number,
                row="clock",
                action="clock_ran_out",
                from_state="handling",
                to_state="handling",
                payload={"clock": "community", "whistle": whistle, "reason": f"step {step}"},
            )
            for step in range(steps)
        )


def test_a_whistle_with_ten_thousand_steps_opens_at_once_and_leads_to_the_older_ones(city: Any) -> None:
    number = city.report()
    city.act("centre", f"incidents/{number}/accept", {"level": 1})
    whistle = city.whistle(number, 1)
    lengthen(city, number, whistle, 10_000)
    leader = city.as_("leader")
    leader.get(f"/whistles/{whistle}")

    taken = []
    for _ in range(5):
        begun = time.perf_counter()
        page = leader.get(f"/whistles/{whistle}")
        taken.append(time.perf_counter() - begun)

    assert page.status_code == 200
    assert "step 9999" in page.text
    assert "step 9899" not in page.text
    assert min(taken) < 0.2
    older = leader.get(
        f"/whistles/{whistle}", params={"before": page.text.split("?before=")[1].split("#")[0]}
    )
    assert "step 9899" in older.text
    assert "step 9900" not in older.text
    assert "step 9999" in leader.get(f"/incidents/{number}").text
    assert leader.get(f"/whistles/{whistle}", params={"before": "x"}).status_code == 200
