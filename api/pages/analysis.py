"""The analysis pages: where incidents gather, how long things take, what comes back.

The map is a page of its own in a frame; beside it the same numbers stand as a table, which is the accessible
twin. The whole state is in the address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

import geopandas as gpd
import numpy as np
from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.deps import ReadOnly
from api.names import Names
from api.pages.forms import Filled, day_of, text_of
from api.pages.visit import Visit, Visiting
from gis.errors import CityError, InvalidInput
from grids import directory, measures
from grids.ground import editions
from grids.measures import HotspotMetric, ResponseMetric, Window
from grids.rules.calendar import SHANGHAI, local_day
from grids.rules.codes import level_of
from grids.rules.levels import TOP_DOWN, GridLevel, child_level, is_above
from grids.rules.permissions import require_area
from maps.palette import FEW_ANSWERS, FEW_CASES

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_FIRST: Mapping[Any, str] = {HotspotMetric: HotspotMetric.COUNT, ResponseMetric: ResponseMetric.HANDLE}
_DAYS = 90  # what is shown where the address names no period


@dataclass(frozen=True)
class Asked:
    """What an analysis page was asked for. `query` is the same as the map's and the links' address."""

    window: Window
    area: str
    query: Mapping[str, str]

    def link(self, path: str, **changes: str | None) -> str:
        """Return an address with the same question, some of it changed."""
        values = {key: value for key, value in {**self.query, **changes}.items() if value}
        return f"{path}?{urlencode(values)}"

    def cases(self, code: str, **changes: str) -> str:
        """Return the address of the list of what an area's figure counts, "" where cells are not those of the time."""
        if self.window.edition is not None:
            return ""
        return self.link("/dispatch", area=code, level=None, metric=None, **changes)


@dataclass(frozen=True)
class Row:
    """One line of the table: a name and where it leads, then cells, of which one is a count.

    counted : the place of the count in `cells`; it leads to `cases`, the list of what it counts, "" where there is
    none: cases are listed by the cells in which they lay.
    """

    name: str
    href: str
    cells: tuple[str, ...]
    counted: int
    cases: str
    note: str = ""


@router.get("/map/hotspots")
def hotspots(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show how many incidents each area had."""

    def table(asked: Asked, names: Names) -> tuple[list[str], list[Row]]:
        metric = _choice(HotspotMetric, asked.query["metric"])
        frame = measures.hotspots(session, visit.me.scope, asked.window, metric)
        rate = metric is HotspotMetric.PER_1000_HOUSEHOLDS
        words = visit.words
        headings = [words("Area"), words("Cases")]
        headings += [words("Per 1,000 households"), words("Households")] if rate else []
        rows = []
        for row in _sorted(frame):
            notes = [words("significant")] if row["hot"] else []
            notes += [words("small sample")] if rate and 0 < row["n"] < FEW_CASES else []
            cells = [str(int(row["n"]))]
            cells += [_number(row["value"]), _number(row["denominator"])] if rate else []
            rows.append(_row(asked, "/map/hotspots", names, row, tuple(cells), 0, notes))
        return headings, rows

    return _page(session, visit, "hotspots", HotspotMetric, table)


@router.get("/map/responses")
def responses(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show how long each area waited."""

    def table(asked: Asked, names: Names) -> tuple[list[str], list[Row]]:
        metric = _choice(ResponseMetric, asked.query["metric"])
        frame = measures.responses(session, visit.me.scope, asked.window, metric, now=visit.now)
        words = visit.words
        headings = [words("Area"), "n", words("Median"), words("P90"), words("Overdue")]
        rows = []
        for row in _sorted(frame):
            share = row["overdue_share"]
            cells = (
                str(int(row["n"])),
                words.duration(row["value"]),
                words.duration(row["p90"]),
                "-" if np.isnan(share) else f"{share:.0%}",
            )
            notes = [words("small sample")] if 0 < row["n"] < FEW_ANSWERS else []
            rows.append(_row(asked, "/map/responses", names, row, cells, 0, notes))
        return headings, rows

    return _page(session, visit, "responses", ResponseMetric, table)


@router.get("/map/recurrences")
def recurrences(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show the places where the same thing happens again and again."""

    def table(asked: Asked, names: Names) -> tuple[list[str], list[Row]]:
        frame = measures.recurrences(session, visit.me.scope, asked.window)
        words = visit.words
        headings = [
            words("Place"),
            words("Cases"),
            words("First case"),
            words("Last case"),
            words("Mean interval"),
            words("Still open"),
        ]
        rows = []
        for row in frame.to_dict("records"):
            gap = row["mean_gap_days"]
            rows.append(
                Row(
                    name=names.category(row["category"]),
                    note=names.place(row["grid_code"]),
                    href=f"/incidents/{row['numbers'][-1]}",
                    cells=(
                        f"×{int(row['times'])}",
                        _day(row["first_at"]),
                        _day(row["last_at"]),
                        "-" if np.isnan(gap) else words("{days} days", days=_number(gap)),
                        str(int(row["open"])),
                    ),
                    counted=0,
                    cases=asked.cases(row["grid_code"], category=row["category"]),
                )
            )
        return headings, rows

    return _page(session, visit, "recurrences", None, table)


def _row(
    asked: Asked,
    path: str,
    names: Names,
    row: Mapping[str, Any],
    cells: tuple[str, ...],
    counted: int,
    notes: list[str],
) -> Row:
    code, level = str(row["code"]), asked.window.level
    below = child_level(level)
    href = asked.link(path, area=code, level=below.value) if below else f"/my?area={code}"
    name = str(row["name"])
    return Row(name, href, cells, counted, asked.cases(code), names.words.listed(notes))


def _sorted(frame: gpd.GeoDataFrame) -> list[dict[str, Any]]:
    """Return the rows, the largest value first, those without data last."""
    plain = frame.drop(columns="geometry")
    ordered = plain.sort_values(["value", "n", "code"], ascending=[False, False, True], na_position="last")
    rows: list[dict[str, Any]] = ordered.to_dict("records")
    return rows


def _page(session: ReadOnly, visit: Visit, view: str, metrics: Any, table: Any) -> HTMLResponse:
    names = visit.names(session)
    asked: Asked | None = None
    problem: CityError | None = None
    headings: list[str] = []
    rows: list[Row] = []
    home = directory.district_of(session, visit.me) or ""
    try:
        asked = _asked(session, visit, metrics, home)
        headings, rows = table(asked, names)
    except InvalidInput as wrong:
        problem = wrong
    area = asked.area if asked else visit.me.area_code or home
    here = f"/map/{view}"
    return visit.show(
        session,
        "analysis.html",
        names=names,
        problem=problem,
        view=view,
        asked=asked,
        area=area,
        form=Filled("filter", dict(asked.query if asked else visit.request.query_params), problem),
        headings=headings,
        rows=rows,
        frame=asked.link(f"/maps/{view}") if asked and not problem else None,
        crumbs=[
            (asked.link(here, area=code, level=_below(code).value), name)
            for code, name in names.above(area)
            if asked and (visit.me.area_code is None or visit.me.scope.covers(code))
        ],
        levels=[
            (level.value, visit.words.of("level", level))
            for level in TOP_DOWN
            if area and not is_above(level, level_of(area))
        ],
        views=[
            (f"/map/{name}", words, name == view)
            for name, words in (
                ("hotspots", visit.words("Hotspots")),
                ("responses", visit.words("Response times")),
                ("recurrences", visit.words("Recurrent places")),
            )
        ],
        grids=_grids(session, visit, area, asked),
        metrics=visit.words.options({"hotspots": "hotspot", "responses": "response"}[view])
        if metrics
        else [],
        few=FEW_CASES if view == "hotspots" else FEW_ANSWERS,
    )


def _below(code: str) -> GridLevel:
    level = level_of(code)
    return child_level(level) or level


def _grids(session: ReadOnly, visit: Visit, area: str, asked: Asked | None) -> list[tuple[str, str]]:
    """Return (value, words) of the grids to count on; none where the district has had but one."""
    held = editions.have_held(session, area[:6], by=local_day(visit.now))
    if len(held) < 2:
        return []
    words = visit.words
    chosen = asked.query.get("edition") if asked else None
    known = [("", words("as it was")), ("today", words("today's grid"))]
    older = [
        (str(one.id), words.noted(one.name, words("Edition {number}", number=one.id)))
        for one in held
        if str(one.id) == chosen
    ]
    return [*known, *older]


def _asked(session: ReadOnly, visit: Visit, metrics: Any, district: str) -> Asked:
    """Return what the address asks for, defaults filled in. Raises `InvalidInput` naming the field.

    A department sees its own cases wherever in its district they lie.
    """
    given = visit.request.query_params
    area = text_of(given, "area") or visit.me.area_code or district
    if visit.me.department_id is None or not area.startswith(district):
        require_area(visit.me, area)
    today = local_day(visit.now)
    since = day_of(given, "from")
    until = day_of(given, "to", after=1)
    until = until or datetime.combine(today + timedelta(days=1), time(), SHANGHAI).astimezone(UTC)
    since = since or until - timedelta(days=_DAYS)
    level = _choice(GridLevel, text_of(given, "level") or _below(area).value, "level")
    query = {
        "area": area,
        "level": level.value,
        "category": text_of(given, "category") or "",
        "from": local_day(since).isoformat(),
        "to": local_day(until - timedelta(microseconds=1)).isoformat(),
    }
    if metrics is not None:
        query["metric"] = _choice(metrics, text_of(given, "metric") or _FIRST[metrics]).value
    wanted = text_of(given, "edition")
    on = editions.to_count_on(session, wanted, area, on=today)
    if wanted and on is not None:
        query["edition"] = wanted
    return Asked(Window(area, level, since, until, query["category"] or None, on), area, query)


def _choice(kind: Any, code: str, name: str = "metric") -> Any:
    try:
        return kind(code)
    except ValueError:
        raise InvalidInput(
            "unknown_choice", f"{name} {code[:40]!r} is not known", field=name, wanted=[m.value for m in kind]
        ) from None


def _number(value: float) -> str:
    if np.isnan(value):
        return "-"
    return f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"


def _day(at: datetime) -> str:
    return local_day(at).isoformat()
