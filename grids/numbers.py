"""Numbers of papers: series without gaps, one number to each paper."""

from __future__ import annotations

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from grids.tables import NumberSeries

__all__ = ["NUMBERS", "next_number"]

NUMBERS = "numbers drawn"
"""Key in `Session.info` of the last number drawn of each series, while a round of the sweeper counts them itself."""


def next_number(session: Session, series: str) -> int:
    """Return the next number of a series, from 1; the series stays locked until the transaction ends.

    Within a round of the sweeper each series is asked once, counted on here, and written back at the end.
    """
    drawn: dict[str, int] | None = session.info.get(NUMBERS)
    if drawn is not None and series in drawn:
        drawn[series] += 1
        return drawn[series]
    statement = (
        insert(NumberSeries)
        .values(name=series, last=1)
        .on_conflict_do_update(index_elements=["name"], set_={"last": NumberSeries.last + 1})
        .returning(NumberSeries.last)
    )
    number = session.execute(statement).scalar_one()
    if drawn is not None:
        drawn[series] = number
    return number
