"""Rain as the gauges of a made-up district read it: every hour of the year, as much a day as the almanac says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from grids.demo.almanac import Almanac
from grids.demo.copying import write
from grids.rules.calendar import SHANGHAI
from grids.tables import RainReading

__all__ = ["write_rain"]

_GAUGES = ("老城站", "水库站")
_SHAPE = (0.35, 0.3, 0.2, 0.1, 0.05)  # how a rain falls, hour by hour: hard at first


def write_rain(
    session: Session, district: str, almanac: Almanac, until: datetime, random: np.random.Generator
) -> None:
    """Write the readings of a district's gauges until a moment; hours without rain are read too.

    The first gauge reads what the almanac says, the second something near it: showers are patchy.
    """
    days = len(almanac.rain_mm)
    midnight = datetime.combine(almanac.first, datetime.min.time(), SHANGHAI).astimezone(UTC)
    fallen = np.zeros(24 * days + len(_SHAPE))
    for day in np.flatnonzero(almanac.rain_mm >= _LEAST_MM).tolist():
        begin = 24 * day + int(almanac.rain_hour[day])
        fallen[begin : begin + len(_SHAPE)] += almanac.rain_mm[day] * np.array(_SHAPE)
    hours = min(24 * days, int((until - midnight) / timedelta(hours=1)))
    rows: list[dict[str, Any]] = []
    for place, gauge in enumerate(_GAUGES):
        share = 1.0 if place == 0 else random.uniform(0.7, 1.1, len(fallen))
        read = np.round(fallen * share, 1)[:hours]
        rows += [
            {
                "district_code": district,
                "gauge": gauge,
                "at": midnight + timedelta(hours=hour),
                "minutes": 60,
                "mm": Decimal(f"{mm:.1f}"),
            }
            for hour, mm in enumerate(read.tolist())
        ]
    write(session, RainReading, rows)


_LEAST_MM = 0.5  # a day with less is one with a few drops
