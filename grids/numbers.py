"""Numbers of papers: series without gaps, one number to each paper."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from grids.tables import NumberSeries

__all__ = ["NUMBERS", "claim_day", "day_claimed", "next_number", "take_turns"]

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


def take_turns(session: Session, districts: Iterable[str]) -> None:
    """Wait until no other round of the sweeper draws numbers of these districts; the turn ends with the transaction.

    A round draws from several series of a district in whatever order its clocks run out, so two rounds that drew
    at once could each wait for a series that the other holds.
    """
    for district in sorted(set(districts)):
        key = func.hashtextextended(f"numbers of {district}", 0)
        session.execute(select(func.pg_advisory_xact_lock(key)))


def claim_day(session: Session, series: str, day: date) -> bool:
    """Take a day of what is done once a day; False where it, or a later one, was taken before.

    The last day taken stands as a number in the series, in the transaction of what is done: undone, it is free again.
    """
    statement = (
        insert(NumberSeries)
        .values(name=series, last=day.toordinal())
        .on_conflict_do_update(
            index_elements=["name"],
            set_={"last": day.toordinal()},
            where=NumberSeries.last < day.toordinal(),
        )
        .returning(NumberSeries.last)
    )
    return session.execute(statement).first() is not None


def day_claimed(session: Session, series: Iterable[str], day: date) -> set[str]:
    """Return those series of which a day, or a later one, is taken."""
    rows = session.scalars(
        select(NumberSeries.name).where(
            NumberSeries.name.in_(list(series)), NumberSeries.last >= day.toordinal()
        )
    )
    return set(rows)
