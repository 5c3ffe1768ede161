"""Figures by grid as JSON: each with its n, its denominator, its definition and the way to the cases behind it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

import numpy as np
import pandas as pd
from fastapi import APIRouter, Query, Response

from api.analysis import require_begun
from api.deps import Me, Now, ReadOnly, Words
from api.problems import answers
from api.routes.query import Cursor, Limit
from api.routes.tables import FigureTable
from api.routes.window import Chosen, Figures
from api.schemas.base import moment_from
from api.schemas.measures import (
    ChangeRow,
    CountRow,
    DefaultPointRow,
    DensityOut,
    EmergingRow,
    HotspotRow,
    MeasureOut,
    RateRow,
    RecurrenceRow,
    RecurrentPlacesOut,
    ResponseRow,
    WeeklyOut,
)
from gis.errors import InvalidInput
from grids import measures
from grids.measures import Figure, HotspotMetric, Rate, ResponseMetric, TimeKind

__all__ = ["router"]

router = APIRouter(prefix="/api/measures", tags=["measures"])

_Kind = TypeVar("_Kind", bound=StrEnum)

ANSWERS = answers(401, 404, 409, 422, 503)

Metric = Annotated[HotspotMetric, Query()]
Times = Annotated[TimeKind, Query(description="all minutes, or office hours on working days alone")]


class DefaultPoints(StrEnum):
    """What becomes of incidents at default points."""

    KEEP = "keep"
    LEAVE_OUT = "leave_out"


class Compared(StrEnum):
    """The figures that two periods are compared by."""

    COUNTS = "counts"
    RESPONSES = "responses"
    RATES = "rates"


def _rows(frame: pd.DataFrame, chosen: Figures | None = None) -> list[dict[str, Any]]:
    """Return a frame as JSON values: what is not a number becomes null; with the list of the cases of each grid."""
    columns = {str(name): _values(frame[name]) for name in frame.columns if name != "geometry"}
    if chosen is not None:
        columns["incidents"] = _cases(chosen, columns["code"])
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _values(column: pd.Series[Any]) -> list[Any]:
    if column.dtype.kind == "f":
        return [round(value, 4) if math.isfinite(value) else None for value in column.tolist()]
    return [None if value is pd.NaT or value is pd.NA else _finite(value) for value in column.tolist()]


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cases(chosen: Figures, codes: Sequence[str]) -> list[str | None]:
    """Return the addresses of the lists of cases; none on another grid, as they are listed by their own."""
    window = chosen.window
    if window.edition is not None:
        return [None] * len(codes)
    asked = {
        "from": window.since.isoformat(),
        "to": window.until.isoformat(),
        "category": window.category,
        "grade": window.grade,
        "channel": window.channel,
    }
    walls = [(name, str(value)) for name, value in asked.items() if value is not None]
    rest = urlencode([*walls, *(("status", status.value) for status in measures.COUNTED)])
    return [f"/api/incidents?area={code}&{rest}" for code in codes]


def _head(
    chosen: Figures, words: Words, metric: str | None, *figures: Figure, time: TimeKind | None = None
) -> dict[str, Any]:
    window = chosen.window
    said = [words.of("definition", figure) for figure in figures]
    return {
        "area": chosen.area,
        "level": window.level,
        "since": window.since,
        "until": window.until,
        "category": window.category,
        "grade": window.grade,
        "channel": window.channel,
        "metric": metric,
        "time": time,
        "edition": window.edition,
        "definition": (" " if words.language == "en" else "").join(said),
    }


def _of_time(metric: ResponseMetric, time: TimeKind) -> list[Figure]:
    working = [Figure.WORKING] if time is TimeKind.WORKING else []
    return [Figure(metric.value), *working]


@router.get("/counts", response_model=MeasureOut[CountRow], responses=ANSWERS)
def counts(
    me: Me,
    session: ReadOnly,
    words: Words,
    chosen: Chosen,
    table: FigureTable,
    metric: Metric = HotspotMetric.COUNT,
) -> MeasureOut[CountRow] | Response:
    """Return how many incidents each grid had; merged duplicates count once."""
    cells = measures.counts(session, me.scope, chosen.window, metric)
    head = _head(chosen, words, metric, Figure(metric.value))
    return table(cells, "counts", chosen, head) or MeasureOut[CountRow].model_validate(
        {**head, "rows": _rows(cells, chosen)}
    )


@router.get("/hotspots", response_model=MeasureOut[HotspotRow], responses=ANSWERS)
def hotspots(
    me: Me,
    session: ReadOnly,
    words: Words,
    chosen: Chosen,
    table: FigureTable,
    metric: Metric = HotspotMetric.COUNT,
    default_points: Annotated[DefaultPoints, Query()] = DefaultPoints.KEEP,
) -> MeasureOut[HotspotRow] | Response:
    """Return where incidents gather, and which grids are hot beyond chance (Gi*, false discoveries controlled)."""
    left_out = default_points is DefaultPoints.LEAVE_OUT
    cells = measures.hotspots(session, me.scope, chosen.window, metric, without_default_points=left_out)
    head = _head(chosen, words, metric, Figure(metric.value), Figure.GATHERING)
    return table(cells, "hotspots", chosen, head) or MeasureOut[HotspotRow].model_validate(
        {**head, "rows": _rows(cells, chosen)}
    )


@router.get("/responses", response_model=MeasureOut[ResponseRow], responses=ANSWERS)
def responses(
    me: Me,
    session: ReadOnly,
    now: Now,
    words: Words,
    chosen: Chosen,
    table: FigureTable,
    metric: Annotated[ResponseMetric, Query()] = ResponseMetric.HANDLE,
    time: Times = TimeKind.NATURAL,
) -> MeasureOut[ResponseRow] | Response:
    """Return how long a step took in each grid: median and 90th percentile in minutes, n, share overdue."""
    cells = measures.responses(session, me.scope, chosen.window, metric, now=now, time=time)
    head = _head(chosen, words, metric, *_of_time(metric, time), time=time)
    return table(cells, "responses", chosen, head) or MeasureOut[ResponseRow].model_validate(
        {**head, "rows": _rows(cells, chosen)}
    )


@router.get("/rates", response_model=MeasureOut[RateRow], responses=ANSWERS)
def rates(
    me: Me,
    session: ReadOnly,
    now: Now,
    words: Words,
    chosen: Chosen,
    table: FigureTable,
    metric: Annotated[Rate, Query()] = Rate.OVERDUE,
) -> MeasureOut[RateRow] | Response:
    """Return a share of the cases of each grid; late open cases are in every denominator."""
    cells = measures.rates(session, me.scope, chosen.window, metric, now=now)
    head = _head(chosen, words, metric, Figure(metric.value))
    return table(cells, "rates", chosen, head) or MeasureOut[RateRow].model_validate(
        {**head, "rows": _rows(cells, chosen)}
    )


@router.get("/compare", response_model=MeasureOut[ChangeRow], responses=ANSWERS)
def compare(
    me: Me,
    session: ReadOnly,
    now: Now,
    words: Words,
    chosen: Chosen,
    table: FigureTable,
    of: Annotated[Compared, Query()] = Compared.COUNTS,
    metric: Annotated[
        str | None, Query(max_length=32, description="of the figure; by default its first")
    ] = None,
    time: Times = TimeKind.NATURAL,
    before_from: Annotated[
        str | None, Query(max_length=40, description="the period before; by default as long, right before")
    ] = None,
    before_to: Annotated[str | None, Query(max_length=40)] = None,
) -> MeasureOut[ChangeRow] | Response:
    """Return a figure of each grid in two periods, and the change."""
    window = chosen.window
    until = moment_from(before_to, "before_to", end=True) or window.since
    since = moment_from(before_from, "before_from") or until - (window.until - window.since)
    earlier = replace(window, since=since, until=until)
    require_begun(earlier, now, field="before_from")
    frames: list[pd.DataFrame] = []
    figures: list[Figure] = []
    name = ""
    for one in (window, earlier):
        if of is Compared.COUNTS:
            count = _choice(HotspotMetric, metric)
            frames.append(measures.counts(session, me.scope, one, count))
            figures, name = [Figure(count.value)], count.value
        elif of is Compared.RESPONSES:
            step = _choice(ResponseMetric, metric)
            frames.append(measures.responses(session, me.scope, one, step, now=now, time=time))
            figures, name = _of_time(step, time), step.value
        else:
            rate = _choice(Rate, metric)
            frames.append(measures.rates(session, me.scope, one, rate, now=now))
            figures, name = [Figure(rate.value)], rate.value
    head = _head(
        chosen, words, name, *figures, Figure.CHANGE, time=time if of is Compared.RESPONSES else None
    )
    cells = measures.compare(frames[0], frames[1])
    return table(cells, "compare", chosen, head) or MeasureOut[ChangeRow].model_validate(
        {**head, "rows": _rows(cells, chosen)}
    )


@router.get("/recurrences", response_model=MeasureOut[RecurrenceRow], responses=ANSWERS)
def recurrences(
    me: Me, session: ReadOnly, words: Words, chosen: Chosen, table: FigureTable
) -> MeasureOut[RecurrenceRow] | Response:
    """Return how much of what happens in each grid happens where the same trouble comes back."""
    cells = measures.recurrences(session, me.scope, chosen.window)
    head = _head(chosen, words, None, Figure.RECURRENCES)
    return table(cells, "recurrences", chosen, head) or MeasureOut[RecurrenceRow].model_validate(
        {**head, "rows": _rows(cells, chosen)}
    )


@router.get("/recurrent-places", response_model=RecurrentPlacesOut, responses=ANSWERS)
def recurrent_places(
    me: Me,
    session: ReadOnly,
    words: Words,
    chosen: Chosen,
    table: FigureTable,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> RecurrentPlacesOut | Response:
    """Return the places where one category came back at least three times within 90 days; a file holds all of them."""
    most, begin = (limit, cursor) if table.json else (None, None)
    found = measures.recurrent_places(session, me.scope, chosen.window, most=most, cursor=begin)
    where = found.places.geometry.get_coordinates()
    rows = _rows(found.places.assign(lon=where["x"].to_numpy(), lat=where["y"].to_numpy()))
    head = _head(chosen, words, None, Figure.RECURRENT_PLACES)
    return table(found.places, "recurrent-places", chosen, head) or RecurrentPlacesOut.model_validate(
        {**head, "total": found.total, "next_cursor": found.next_cursor, "rows": rows}
    )


@router.get("/weekly", response_model=WeeklyOut, responses=ANSWERS)
def weekly(
    me: Me, session: ReadOnly, words: Words, chosen: Chosen, table: FigureTable
) -> WeeklyOut | Response:
    """Return how many incidents each grid had by week, Monday to Sunday."""
    found = measures.weekly(session, me.scope, chosen.window)
    rows = [
        {"code": code, "name": name, "n": sum(line), "counts": line}
        for code, name, line in zip(found.codes, found.names, found.counts.tolist(), strict=True)
    ]
    told = {"weeks": found.weeks, "whole": found.whole.tolist(), "rows": rows}
    head = _head(chosen, words, None, Figure.WEEKLY)
    wide = pd.DataFrame(found.counts, columns=[week.isoformat() for week in found.weeks])
    wide.insert(0, "n", wide.sum(axis=1))
    wide.insert(0, "name", found.names)
    wide.insert(0, "code", found.codes)
    return table(wide, "weekly", chosen, head) or WeeklyOut.model_validate({**head, **told})


@router.get("/emerging", response_model=MeasureOut[EmergingRow], responses=ANSWERS)
def emerging(
    me: Me, session: ReadOnly, words: Words, chosen: Chosen, table: FigureTable
) -> MeasureOut[EmergingRow] | Response:
    """Return which grids are becoming hot or cold; needs 20 grids and 10 whole weeks."""
    cells = measures.emerging(session, me.scope, chosen.window)
    head = _head(chosen, words, None, Figure.EMERGING)
    return table(cells, "emerging", chosen, head) or MeasureOut[EmergingRow].model_validate(
        {**head, "rows": _rows(cells, chosen)}
    )


@router.get("/density", responses=ANSWERS)
def density(
    me: Me,
    session: ReadOnly,
    words: Words,
    chosen: Chosen,
    bandwidth_m: Annotated[float, Query(ge=50, le=5000, description="standard deviation of the curve")] = 300,
    cell_m: Annotated[float, Query(ge=25, le=2000, description="side of the squares")] = 100,
) -> DensityOut:
    """Return the incidents as a surface that knows no borders, those at default points left out."""
    found = measures.density(session, me.scope, chosen.window, bandwidth_m=bandwidth_m, cell_m=cell_m)
    surface = found.surface
    told: Mapping[str, Any] = {
        "crs": found.crs.to_string(),
        "x0": surface.x0,
        "y0": surface.y0,
        "cell_m": surface.cell_m,
        "bandwidth_m": bandwidth_m,
        "n": surface.n,
        "left_out": found.left_out,
        "per_km2": np.round(surface.per_km2, 4).tolist(),
    }
    return DensityOut.model_validate({**_head(chosen, words, None, Figure.DENSITY), **told})


@router.get("/default-points", response_model=MeasureOut[DefaultPointRow], responses=ANSWERS)
def default_points(
    me: Me, session: ReadOnly, words: Words, chosen: Chosen, table: FigureTable
) -> MeasureOut[DefaultPointRow] | Response:
    """Return the coordinates that hold many unrelated incidents, such as that of a city hall."""
    found = measures.default_points(session, me.scope, chosen.window)
    head = _head(chosen, words, None, Figure.DEFAULT_POINTS)
    return table(found, "default-points", chosen, head) or MeasureOut[DefaultPointRow].model_validate(
        {**head, "rows": _rows(found)}
    )


def _choice(kind: type[_Kind], code: str | None) -> _Kind:
    members = list(kind)
    if code is None:
        return members[0]
    try:
        return kind(code)
    except ValueError:
        message = f"metric {code!r} is not known"
        raise InvalidInput(
            "unknown_choice", message, field="metric", wanted=[one.value for one in members]
        ) from None
