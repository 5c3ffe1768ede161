"""The analysis pages: where incidents gather, how long things take, what comes back, who is missing.

The map is a page of its own in a frame; beside it the same numbers stand as a table, which is the accessible
twin. The whole state is in the address, and map and table answer the same question (`api.analysis`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import numpy as np
from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api import analysis
from api.analysis import Against, Classes, Found, Gap, Layer, Statistic, View, Wish
from api.deps import ReadOnly
from api.ledgerlinks import LedgerLink, ledger_links
from api.names import Names
from api.pages.analysistable import Numbers, numbers
from api.pages.forms import Filled, day_of, text_of
from api.pages.visit import Visit, Visiting
from api.tablefiles import MOST_ROWS
from gis.errors import CityError, InvalidInput
from grids import directory
from grids.ground import editions
from grids.measures import HotspotMetric, Rate, ResponseMetric, TimeKind, Window, lately
from grids.rules.calendar import local_day
from grids.rules.codes import level_of
from grids.rules.grading import Grade
from grids.rules.levels import CODE_LENGTH, TOP_DOWN, GridLevel, child_level, is_above
from grids.rules.lifecycle import Channel
from grids.rules.permissions import DUTY_KEEPERS, require_area, require_role
from maps.choropleth import number
from maps.hotspots import indicator_names
from maps.palette import FEW_CASES
from maps.responses import rate_names

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_LOOKS = ("layer", "classes", "stat", "time", "compare", "before_from", "before_to", "span", "week")


@dataclass(frozen=True)
class Asked:
    """What an analysis page was asked for. `query` is the same as the map's and the links' address."""

    window: Window
    wish: Wish
    area: str
    query: Mapping[str, str]

    def link(self, path: str, **changes: str | None) -> str:
        """Return an address with the same question, some of it changed."""
        values = {key: value for key, value in {**self.query, **changes}.items() if value}
        return f"{path}?{urlencode(values)}"

    def cases(self, code: str, **changes: str) -> str:
        """Return the address of the list of what an area's figure counts, "" where cells are not those of the time."""
        if self.wish.view is View.COVERAGE:
            return f"/coverage?area={code}"
        if self.window.edition is not None:
            return ""
        kept = ("category", "grade", "channel", "from", "to")
        given = {key: self.query[key] for key in kept if self.query.get(key)}
        values = {"area": code, **given, **changes, "counted": "1"}
        return f"/dispatch?{urlencode(values)}"

    def down(self, code: str) -> str:
        """Return where the name of an area leads: the same question a level below, or the cell's own page."""
        below = child_level(level_of(code))
        if below is None:
            return f"/my?area={code}"
        return self.link(f"/map/{self.wish.view.value}", area=code, level=below.value, span=None, week=None)


@dataclass(frozen=True)
class Place:
    """One recurrent place, as the table lists it. href : of its last case; ledger : where it leads in the ledger."""

    name: str
    where: str
    href: str
    cells: tuple[str, ...]
    cases: str
    ledger: LedgerLink | None


@dataclass(frozen=True)
class _Shown:
    """What a page was found to show."""

    asked: Asked | None = None
    found: Found | None = None
    table: Numbers | None = None
    places: list[Place] = field(default_factory=list)
    problem: CityError | None = None


@router.get("/map/hotspots")
def hotspots(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show how many incidents each area had, and where they gather."""
    return _page(session, visit, View.HOTSPOTS)


@router.get("/map/responses")
def responses(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show how long each area waited, and how often something went wrong."""
    return _page(session, visit, View.RESPONSES)


@router.get("/map/recurrences")
def recurrences(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show the places where the same thing happens again and again."""
    return _page(session, visit, View.RECURRENCES)


@router.get("/map/coverage")
def coverage(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show where posts are empty and categories without a lead."""
    require_role(visit.me, DUTY_KEEPERS)
    return _page(session, visit, View.COVERAGE)


def _page(session: ReadOnly, visit: Visit, view: View) -> HTMLResponse:
    names = visit.names(session)
    home = directory.district_of(session, visit.me) or ""
    shown = _answered(session, visit, view, home, names)
    asked, words = shown.asked, visit.words
    area = asked.area if asked else visit.me.area_code or home
    here = f"/map/{view.value}"
    given = dict(asked.query if asked else visit.request.query_params)
    return visit.show(
        session,
        "analysis.html",
        names=names,
        problem=shown.problem,
        view=view.value,
        asked=asked,
        area=area,
        form=Filled("filter", given, shown.problem),
        table=shown.table,
        places=shown.places,
        others=_others(shown, words),
        all_places=_all_places(shown),
        nothing=_nothing(shown, words=visit.words),
        default_points=_default_points(shown.found),
        frame=asked.link(f"/maps/{view.value}") if asked and not shown.problem else None,
        crumbs=[
            (asked.link(here, area=code, level=_below(code).value, span=None, week=None), name)
            for code, name in names.above(area)
            if asked and (visit.me.area_code is None or visit.me.scope.covers(code))
        ],
        levels=[
            (asked.link(here, level=level.value, span=None, week=None), words.of("level", level), level.value)
            for level in _levels(names, area)
            if asked
        ],
        views=_views(visit, view),
        choices=_choices(words, view),
        needs=analysis.needs_of(view),
        grids=_grids(session, visit, area, asked),
        folded=any(given.get(name) for name in ("grade", "channel", "edition", "before_from", "classes")),
        few=FEW_CASES,
    )


def _answered(session: ReadOnly, visit: Visit, view: View, home: str, names: Names) -> _Shown:
    asked: Asked | None = None
    try:
        asked = _asked(session, visit, view, home)
        found = analysis.found(session, visit.me.scope, asked.window, asked.wish, now=visit.now)
    except InvalidInput as wrong:
        return _Shown(asked=asked, problem=wrong)
    if view is View.RECURRENCES:
        return _Shown(asked, found, places=_places(session, visit, found, asked, names))
    return _Shown(asked, found, numbers(found, asked.wish, visit.words))


def _places(session: ReadOnly, visit: Visit, found: Found, asked: Asked, names: Names) -> list[Place]:
    words = names.words
    places = []
    links = ledger_links(session, visit.me, found.cells, words)
    for row, link in zip(found.cells.to_dict("records"), links, strict=True):
        gap = row["mean_gap_days"]
        cells = (
            f"×{int(row['times'])}",
            local_day(row["first_at"]).isoformat(),
            local_day(row["last_at"]).isoformat(),
            "-" if np.isnan(gap) else words("{days} days", days=_number(gap)),
            str(int(row["open"])),
        )
        places.append(
            Place(
                names.category(row["category"]),
                names.place(row["grid_code"]),
                f"/incidents/{row['numbers'][-1]}",
                cells,
                asked.cases(row["grid_code"], category=row["category"]),
                link,
            )
        )
    return places


def _others(shown: _Shown, words: Any) -> str:
    """Return that there are more places than the table lists, else ""."""
    count = shown.found.count if shown.found else 0
    if count <= len(shown.places):
        return ""
    return str(
        words(
            "The {shown} most frequent of {all} places; a category or a smaller area shows the others.",
            shown=number(len(shown.places)),
            all=number(count),
        )
    )


def _all_places(shown: _Shown) -> str:
    """Return the address of a table of all places, "" where one file does not hold them."""
    if shown.asked is None or shown.found is None or shown.found.count > MOST_ROWS:
        return ""
    return shown.asked.link("/api/measures/recurrent-places", format="xlsx")


def _nothing(shown: _Shown, words: Any) -> str:
    """Return what to say where no case is counted, else ""."""
    counts = shown.found is not None and shown.table is not None and "n" in shown.found.cells
    return analysis.nothing_said(words) if counts and shown.found and analysis.nothing_in(shown.found) else ""


def _default_points(found: Found | None) -> list[tuple[str, int]]:
    """Return (name or coordinate, incidents) of the points that hold many unrelated incidents."""
    if found is None or found.default_points is None:
        return []
    rows = found.default_points.drop(columns="geometry").to_dict("records")
    return [(row["name"] or f"{row['lon']:.5f}, {row['lat']:.5f}", int(row["n"])) for row in rows]


def _views(visit: Visit, view: View) -> list[tuple[str, str, bool]]:
    words = visit.words
    known = [
        (View.HOTSPOTS, words("Hotspots")),
        (View.RESPONSES, words("Response times")),
        (View.RECURRENCES, words("Recurrent places")),
    ]
    if visit.me.role in DUTY_KEEPERS:
        known.append((View.COVERAGE, words("Coverage")))
    return [(f"/map/{one.value}", text, one is view) for one, text in known]


def _choices(words: Any, view: View) -> dict[str, list[tuple[str, str]]]:
    """Return the options of each choice that a view offers, as (value, words)."""
    classes = [(Classes.FIXED, words("Fixed classes")), (Classes.QUANTILE, words("Quantile classes"))]
    against = [
        (Against.PREVIOUS, words("with the period before")),
        (Against.LAST_YEAR, words("with the year before")),
        (Against.OWN, words("with a period of one's own")),
    ]
    cases = {"grade": words.options("grade"), "channel": words.options("channel")}
    if view is View.HOTSPOTS:
        names = indicator_names(words)
        layers = [
            (Layer.GI, words("Hot and cold spots (Gi*)")),
            (Layer.MORAN, words("Clusters and outliers (local Moran)")),
            (Layer.DENSITY, words("Density surface")),
            (Layer.EMERGING, words("Emerging hot spots")),
        ]
        metrics = [(metric, names[metric]) for metric in HotspotMetric]
        return {"metric": metrics, "layer": layers, "classes": classes, "compare": against, **cases}
    if view is View.RESPONSES:
        rates = rate_names(words)
        steps: list[tuple[str, str]] = [
            (metric.value, words.of("response", metric)) for metric in ResponseMetric
        ]
        stats = [
            (Statistic.MEDIAN, words("Median")),
            (Statistic.P90, words("P90")),
            (Statistic.OVERDUE, words("Overdue share")),
        ]
        times = [(TimeKind.NATURAL, words("Natural time")), (TimeKind.WORKING, words("Working time"))]
        return {
            "metric": [*steps, *((rate.value, rates[rate]) for rate in Rate)],
            "stat": stats,
            "time": times,
            "classes": classes,
            "compare": against,
            **cases,
        }
    if view is View.COVERAGE:
        return {
            "metric": [(Gap.POSTS, words("Empty posts")), (Gap.LEADS, words("Categories without a lead"))]
        }
    return cases


def _levels(names: Names, area: str) -> list[GridLevel]:
    """Return the levels that an area can be shown at: its own and those below that the grid has."""
    lengths = {len(code) for code in names.areas if code.startswith(area)}
    return [
        level
        for level in TOP_DOWN
        if area and not is_above(level, level_of(area)) and CODE_LENGTH[level] in lengths
    ]


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


def _asked(session: ReadOnly, visit: Visit, view: View, district: str) -> Asked:
    """Return what the address asks for, defaults filled in. Raises `InvalidInput` naming the field.

    A department sees its own cases wherever in its district they lie.
    """
    given = visit.request.query_params
    area = text_of(given, "area") or visit.me.area_code or district
    if visit.me.department_id is None or not area.startswith(district):
        require_area(visit.me, area)
    today = local_day(visit.now)
    since, until = lately(visit.now, since=day_of(given, "from"), until=day_of(given, "to", after=1))
    level = _choice(GridLevel, text_of(given, "level") or _below(area).value, "level")
    grade, channel = text_of(given, "grade"), text_of(given, "channel")
    wish = analysis.wished(view, {name: text_of(given, name) for name in ("metric", *_LOOKS)}, since, until)
    query = {"area": area, "level": level.value, "metric": wish.metric}
    if view is not View.COVERAGE:
        query |= {
            "category": text_of(given, "category") or "",
            "from": local_day(since).isoformat(),
            "to": local_day(until - timedelta(microseconds=1)).isoformat(),
            "grade": grade or "",
            "channel": channel or "",
        }
        query |= {name: text_of(given, name) or "" for name in _LOOKS}
    wanted = text_of(given, "edition")
    on = editions.to_count_on(session, wanted, area, on=today)
    if wanted and on is not None:
        query["edition"] = wanted
    window = Window(
        area,
        level,
        since,
        until,
        query.get("category") or None,
        on,
        grade=_choice(Grade, grade, "grade") if grade else None,
        channel=_choice(Channel, channel, "channel") if channel else None,
    )
    return Asked(window, wish, area, query)


def _choice(kind: Any, code: str, name: str) -> Any:
    try:
        return kind(code)
    except ValueError:
        raise InvalidInput(
            "unknown_choice", f"{name} {code[:40]!r} is not known", field=name, wanted=[m.value for m in kind]
        ) from None


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"
