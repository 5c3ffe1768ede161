"""Rain as gauges read it: import a series, and read it as the episodes that waterlogging is counted by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Boolean, literal_column, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from gis.errors import InvalidInput
from grids import directory
from grids.csvtables import CsvSource, Rejects
from grids.rules.calendar import SHANGHAI
from grids.rules.codes import check_code
from grids.rules.levels import GridLevel
from grids.rules.permissions import Actor
from grids.rules.rain import DRAINS, NO_RAIN, Rain, rain_of
from grids.tables import RainReading

__all__ = ["MINUTES", "RainImported", "import_rain", "rain_seen_by", "read_rain"]

MINUTES = 60
"""For how long a reading was collected where the table does not say."""

_MOST_MM = 2000.0  # in one reading: more than has ever fallen in a day
_LONGEST = 24 * 60  # minutes of one reading
_BLOCK = 10_000
_MARGIN = timedelta(days=2)  # an episode that runs into the span asked for began before it
_TIME_NAMES = ("time", "at", "时间", "监测时间")
_MM_NAMES = ("mm", "rain_mm", "rain", "雨量", "降雨量")
_MINUTE_NAMES = ("minutes", "时段", "时段长")


_FRESH = literal_column("(xmax = 0)", Boolean)  # whether an upsert put the row there


@dataclass
class RainImported:
    """What became of the rows: read = added + changed + already_there + the sum of rejected (reason -> rows)."""

    read: int = 0
    added: int = 0
    changed: int = 0
    already_there: int = 0
    rejected: dict[str, int] = field(default_factory=dict)


def import_rain(
    session: Session,
    source: CsvSource,
    rejects: Rejects,
    *,
    district: str,
    gauge: str,
    zone: tzinfo = SHANGHAI,
    now: datetime,
) -> RainImported:
    """Import the readings of one gauge; the same file again changes nothing, a corrected one corrects.

    Columns: time (or at, 时间; when a reading began, with an offset or in `zone`), mm (or rain, 雨量), and if it is
    there minutes (时段; else 60). Rows without a time or an amount that can be, readings of the future and a second
    row of the same time go to `rejects`. The caller commits all of it or nothing.
    Raises `InvalidInput` ("bad_code", "bad_gauge", "unknown_column") and what `CsvSource.blocks` raises.
    """
    check_code(district, GridLevel.DISTRICT)
    named = gauge.strip()
    if not 0 < len(named) <= 80:
        raise InvalidInput(
            "bad_gauge", "the name of a gauge has 1 to 80 characters", field="gauge", got=gauge
        )
    time_column = _column(source, _TIME_NAMES, "time")
    mm_column = _column(source, _MM_NAMES, "mm")
    minute_column = next((name for name in _MINUTE_NAMES if name in source.columns), None)
    done = RainImported()
    seen: set[pd.Timestamp] = set()
    for block in source.blocks(_BLOCK):
        done.read += len(block.rows) + len(block.malformed)
        rejects.add_malformed(block.malformed)
        table = pd.DataFrame(index=block.rows.index)
        table["at"] = _moments(block.rows[time_column], zone)
        table["mm"] = pd.to_numeric(block.rows[mm_column].str.strip(), errors="coerce")
        table["minutes"] = (
            MINUTES
            if minute_column is None
            else pd.to_numeric(block.rows[minute_column].str.strip(), errors="coerce")
        )
        reasons = _reasons(table, now, seen)
        turned = reasons != ""
        if turned.any():
            rejects.add(block.rows[turned], reasons[turned].tolist())
        good = table[~turned]
        seen.update(good["at"])
        _write(session, good, district, named, done)
    done.rejected = dict(rejects.reasons)
    return done


def _column(source: CsvSource, names: Sequence[str], field_name: str) -> str:
    found = next((name for name in names if name in source.columns), None)
    if found is None:
        raise InvalidInput(
            "unknown_column",
            f"{source.path.name} has no column for {field_name}: name it {' or '.join(names)}; it has "
            + ", ".join(source.columns),
            field=field_name,
            got=list(source.columns),
            wanted=list(names),
        )
    return found


def _moments(texts: pd.Series[Any], zone: tzinfo) -> pd.Series[Any]:
    """Return texts as moments in UTC, NaT where they are none; those without an offset are told by the zone's clock."""
    plain = texts.str.strip()
    offset = plain.str.contains(r"(?:Z|[+-]\d{2}:?\d{2})$", regex=True) & plain.str.contains(":", regex=False)
    moments = pd.to_datetime(plain.where(offset), format="ISO8601", errors="coerce", utc=True)
    bare = pd.to_datetime(plain.where(~offset), format="mixed", errors="coerce")
    local = bare.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT").dt.tz_convert("UTC")
    return moments.fillna(local)


def _reasons(table: pd.DataFrame, now: datetime, seen: set[pd.Timestamp]) -> pd.Series[Any]:
    reasons = pd.Series("", index=table.index, dtype=object)
    checks = (
        (table["at"].isna(), "its time cannot be read"),
        (table["mm"].isna() | ~np.isfinite(table["mm"]), "its rain is no number"),
        ((table["mm"] < 0) | (table["mm"] > _MOST_MM), "its rain is below 0 mm or beyond what can fall"),
        (
            ~table["minutes"].between(1, _LONGEST) | (table["minutes"] % 1 != 0),
            "its minutes are no whole number from 1 to 1440",
        ),
        (table["at"] > now, "its time lies in the future"),
        (table["at"].duplicated() | table["at"].isin(seen), "its time came earlier in the file"),
    )
    for wrong, reason in checks:
        reasons[wrong.fillna(True).astype(bool) & (reasons == "")] = reason
    return reasons


def _write(session: Session, rows: pd.DataFrame, district: str, gauge: str, done: RainImported) -> None:
    if rows.empty:
        return
    values = [
        {
            "district_code": district,
            "gauge": gauge,
            "at": at.to_pydatetime(),
            "minutes": int(minutes),
            "mm": round(float(mm), 2),
        }
        for at, mm, minutes in zip(rows["at"], rows["mm"], rows["minutes"], strict=True)
    ]
    written = 0
    fresh = 0
    for begin in range(0, len(values), 1000):
        statement = insert(RainReading).values(values[begin : begin + 1000])
        new = statement.excluded
        result = session.scalars(
            statement.on_conflict_do_update(
                index_elements=["district_code", "gauge", "at"],
                set_={"minutes": new.minutes, "mm": new.mm},
                where=(RainReading.minutes != new.minutes) | (RainReading.mm != new.mm),
            ).returning(_FRESH)
        )
        for is_new in result:
            written += 1
            fresh += bool(is_new)
    done.added += fresh
    done.changed += written - fresh
    done.already_there += len(values) - written


def read_rain(
    session: Session, district: str, since: datetime, until: datetime, *, drains: timedelta = DRAINS
) -> Rain:
    """Return what the gauges of a district tell of the rain between two moments.

    An episode that runs into the span is whole in it, and so is one whose water may still stand as the span begins:
    it ended no longer than `drains` before. Nothing is known where nothing was imported.
    """
    rows = session.execute(
        select(RainReading.at, RainReading.minutes, RainReading.mm, RainReading.gauge).where(
            RainReading.district_code == district, RainReading.at >= since - _MARGIN, RainReading.at < until
        )
    ).all()
    if not rows:
        return NO_RAIN
    at, minutes, mm, gauge = zip(*rows, strict=True)
    found = rain_of(
        np.array([moment.astimezone(UTC).replace(tzinfo=None) for moment in at], dtype="datetime64[us]"),
        np.array(minutes, dtype=np.int64),
        np.array(mm, dtype=np.float64),
        gauge,
    )
    return Rain(
        tuple(one for one in found.episodes if one.ended_at + drains > since),
        tuple((max(begin, since), end) for begin, end in found.known if end > since),
    )


def rain_seen_by(session: Session, actor: Actor, since: datetime, until: datetime) -> Rain:
    """Return the rain of the district that a person works in; everybody there may know it."""
    district = directory.district_of(session, actor)
    return NO_RAIN if district is None else read_rain(session, district, since, until, drains=timedelta(0))
