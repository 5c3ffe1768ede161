"""Figures by grid as JSON: how many, how long, what comes back, with n and the denominator."""

from __future__ import annotations

import math
from typing import Annotated, Any

import pandas as pd
from fastapi import APIRouter, Query

from api.deps import Me, Now, ReadOnly
from api.problems import answers
from api.routes.window import Chosen, Figures
from api.schemas.measures import CountRow, HotspotRow, MeasureOut, RecurrenceRow, ResponseRow
from grids import measures
from grids.measures import HotspotMetric, ResponseMetric

__all__ = ["router"]

router = APIRouter(prefix="/api/measures", tags=["measures"])

ANSWERS = answers(401, 404, 409, 422, 503)


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame as JSON values: what is not a number becomes null."""
    plain = frame.drop(columns="geometry")
    return [{str(name): _value(value) for name, value in row.items()} for row in plain.to_dict("records")]


def _value(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return None if value is None or value is pd.NaT or value is pd.NA else value


def _head(chosen: Figures, metric: str | None) -> dict[str, Any]:
    window = chosen.window
    return {
        "area": chosen.area,
        "level": window.level,
        "since": window.since,
        "until": window.until,
        "category": window.category,
        "metric": metric,
        "edition": window.edition,
    }


@router.get("/counts", responses=ANSWERS)
def counts(me: Me, session: ReadOnly, chosen: Chosen) -> MeasureOut[CountRow]:
    """Return how many incidents each grid had; merged duplicates count once."""
    cells = measures.hotspots(session, me.scope, chosen.window, HotspotMetric.COUNT)
    return MeasureOut[CountRow].model_validate({**_head(chosen, None), "rows": _rows(cells)})


@router.get("/hotspots", responses=ANSWERS)
def hotspots(
    me: Me,
    session: ReadOnly,
    chosen: Chosen,
    metric: Annotated[HotspotMetric, Query()] = HotspotMetric.COUNT,
) -> MeasureOut[HotspotRow]:
    """Return where incidents gather, and which grids are hot beyond chance (Gi*, false discoveries controlled)."""
    cells = measures.hotspots(session, me.scope, chosen.window, metric)
    return MeasureOut[HotspotRow].model_validate({**_head(chosen, metric), "rows": _rows(cells)})


@router.get("/responses", responses=ANSWERS)
def responses(
    me: Me,
    session: ReadOnly,
    now: Now,
    chosen: Chosen,
    metric: Annotated[ResponseMetric, Query()] = ResponseMetric.HANDLE,
) -> MeasureOut[ResponseRow]:
    """Return how long a step took in each grid: median and 90th percentile in minutes, n, share overdue."""
    cells = measures.responses(session, me.scope, chosen.window, metric, now=now)
    return MeasureOut[ResponseRow].model_validate({**_head(chosen, metric), "rows": _rows(cells)})


@router.get("/recurrences", responses=ANSWERS)
def recurrences(me: Me, session: ReadOnly, chosen: Chosen) -> MeasureOut[RecurrenceRow]:
    """Return the places where one category came back at least three times within 90 days."""
    places = measures.recurrences(session, me.scope, chosen.window)
    where = places.geometry.get_coordinates() if len(places) else pd.DataFrame({"x": [], "y": []})
    rows = _rows(places.assign(lon=where["x"].to_numpy(), lat=where["y"].to_numpy()))
    return MeasureOut[RecurrenceRow].model_validate({**_head(chosen, None), "rows": rows})
