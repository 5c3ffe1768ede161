"""Numbers of papers: series without gaps, one number to each paper; and those of many incidents at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import ARRAY, Integer, Text, cast, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from gis.errors import InvalidInput
from grids.rules.calendar import SHANGHAI
from grids.tables import NumberSeries

__all__ = ["NUMBERS", "Names", "Numbering", "claim_day", "day_claimed", "next_number", "take_turns"]

NUMBERS = "numbers drawn"
"""Key in `Session.info` of the last number drawn of each series, while a round of the sweeper counts them itself."""

_MOST_A_DAY = 99_999  # five digits of an incident's number


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


# -- of an import, whose incidents come by the thousand


@dataclass(frozen=True, slots=True)
class Names:
    """The id and the number of each row that is to be written, in its order."""

    ids: Sequence[int]
    numbers: Sequence[str]


class Numbering:
    """What one import gives out: a series a county and local day, each asked of the database once and counted on here.

    A series that was asked stays locked until the transaction ends, so nobody else counts on in it. Before that,
    `settle` writes back how far each has come.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._last: dict[str, int] = {}

    def give(self, rows: pd.DataFrame) -> Names:
        """Give ids and numbers to rows with `received` and `grid_code`.

        Raises `InvalidInput` ("too_many_numbers").
        """
        sequence = select(func.nextval(func.pg_get_serial_sequence("incident", "id")).label("id"))
        drawn = sequence.select_from(func.generate_series(1, len(rows))).subquery()
        # as one array: a row each would take longer to read than the ids to draw
        ids = self._session.scalar(select(func.array_agg(drawn.c.id)))
        return Names(ids or [], self._numbers(_series(rows)))

    def settle(self) -> None:
        """Write back the last number of each series; after it, nothing more is to be given."""
        if self._last:
            upto = _table(list(self._last), list(self._last.values()))
            self._session.execute(
                update(NumberSeries)
                .where(NumberSeries.name == literal("incident ") + upto.c.name)
                .values(last=upto.c.last)
                .execution_options(synchronize_session=False)
            )

    def _numbers(self, series: list[str]) -> list[str]:
        last = self._last
        self._ask(set(series) - last.keys())
        numbers = []
        for name in series:
            last[name] = number = last[name] + 1
            numbers.append(f"{name}{number:05d}")
        full = [name for name in set(series) if last[name] > _MOST_A_DAY]
        if full:
            raise InvalidInput(
                "too_many_numbers",
                f"more than {_MOST_A_DAY} incidents of {full[0][:8]} in district {full[0][8:]}: is the time of receipt "
                "in the right column?",
                field="columns.received",
                got=full[0],
            )
        return numbers

    def _ask(self, names: set[str]) -> None:
        """Lock series and remember where they stand."""
        if not names:
            return
        # in one order for everybody, so that two imports wait for each other instead of locking each other out
        asked = _table(sorted(names), [0] * len(names))
        start = insert(NumberSeries).from_select(
            ["name", "last"], select(literal("incident ") + asked.c.name, asked.c.last)
        )
        locked = start.on_conflict_do_update(index_elements=["name"], set_={"last": NumberSeries.last})
        found = self._session.execute(locked.returning(NumberSeries.name, NumberSeries.last))
        self._last |= {name.removeprefix("incident "): number for name, number in found}


def _table(names: list[str], numbers: list[int]) -> Any:
    lists = func.unnest(cast(names, ARRAY(Text)), cast(numbers, ARRAY(Integer)))
    return lists.table_valued("name", "last").render_derived()


def _series(rows: pd.DataFrame) -> list[str]:
    """Return the series that each row takes its number from: its local day and its county."""
    local = rows["received"].dt.tz_convert(SHANGHAI).dt.tz_localize(None).to_numpy(dtype="datetime64[D]")
    days, of_row = np.unique(local, return_inverse=True)
    texts = np.datetime_as_string(days).tolist()
    stems = [text.replace("-", "") for text in texts]
    return [stems[day] + code[:6] for day, code in zip(of_row.tolist(), rows["grid_code"], strict=True)]
