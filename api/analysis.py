"""What the analysis shows: the choices of a reader, the figures that answer them, and the map of those figures.

The page with its table, the map in its frame, the command line and the files all answer the same question, so they
all read and draw it here. Knows no HTTP.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, TypeVar

import geopandas as gpd
from sqlalchemy.orm import Session

from api.i18n import Words
from gis.errors import InvalidInput
from grids import measures
from grids.ground.gaps import gaps
from grids.measures import Density, HotspotMetric, Rate, ResponseMetric, TimeKind, Weekly, Window
from grids.rules.calendar import SHANGHAI, local_day
from grids.rules.codes import level_of
from grids.rules.levels import is_above
from grids.rules.permissions import Scope
from maps import GridMap, Weeks, change_map, coverage_map, density_map, hotspot_map, rate_map, response_map
from maps.choropleth import number, percent, signed
from maps.hotspots import Layer as CellLayer
from maps.hotspots import indicator_names
from maps.palette import Method
from maps.responses import rate_names, step_names, time_writer

__all__ = [
    "MOST_CELLS",
    "MOST_LISTED",
    "Against",
    "Classes",
    "Found",
    "Gap",
    "Layer",
    "Links",
    "Needs",
    "Statistic",
    "TimeKind",
    "View",
    "Wish",
    "change_said",
    "drawn",
    "earlier",
    "found",
    "indicator",
    "metrics_of",
    "needs_of",
    "require_begun",
    "require_drawable",
    "wished",
    "writer",
]

MOST_CELLS = 10_000
"""Areas that one map draws: on one canvas, in a second, from a page below 3 MB."""
MOST_LISTED = 200
"""Recurrent places that the table beside a map lists, as many as one page of any list."""
_BANDWIDTH_M, _SQUARE_M = 300.0, 100.0  # a few minutes' walk; squares a third of it

_Code = TypeVar("_Code", bound=StrEnum)


class View(StrEnum):
    """The sets of indicators."""

    HOTSPOTS = "hotspots"
    RESPONSES = "responses"
    RECURRENCES = "recurrences"
    COVERAGE = "coverage"


class Layer(StrEnum):
    """What is shown of the hot spots beside the counts."""

    GI = "gi"
    MORAN = "moran"
    DENSITY = "density"
    EMERGING = "emerging"


class Classes(StrEnum):
    """How values become classes."""

    FIXED = "fixed"
    QUANTILE = "quantile"


class Statistic(StrEnum):
    """Which figure of a time is coloured."""

    MEDIAN = "median"
    P90 = "p90"
    OVERDUE = "overdue"


class Against(StrEnum):
    """With which period one is compared."""

    PREVIOUS = "previous"
    LAST_YEAR = "last_year"
    OWN = "own"


class Gap(StrEnum):
    """What may be missing."""

    POSTS = "posts"
    LEADS = "leads"


@dataclass(frozen=True)
class Wish:
    """What to show of a window.

    metric : a code of HotspotMetric, of ResponseMetric or Rate, or of Gap, by the view; "" for recurrences.
    against : the period to compare with, None for no comparison. span, week : where the slider stands.
    """

    view: View
    metric: str = ""
    layer: Layer = Layer.GI
    classes: Classes = Classes.FIXED
    statistic: Statistic = Statistic.MEDIAN
    time: TimeKind = TimeKind.NATURAL
    compare: Against | None = None
    against: tuple[datetime, datetime] | None = None
    span: int | None = None
    week: date | None = None


@dataclass(frozen=True)
class Found:
    """The figures of a wish. cells : one row an area. total : the same figure of the whole area, one row, or None.

    weekly : for the slider, where there is one. density : for that layer. default_points : one row each.
    usual : round what fixed classes of counts are set (`grids.measures.usual`). count : of recurrences, which are
    points, how many there are; cells holds the most frequent `MOST_LISTED`.
    """

    cells: gpd.GeoDataFrame
    total: Mapping[str, Any] | None = None
    weekly: Weekly | None = None
    density: Density | None = None
    default_points: gpd.GeoDataFrame | None = None
    usual: float | None = None
    count: int = 0


@dataclass(frozen=True)
class Links:
    """Where a map leads, each with {code}; None for nowhere."""

    drill: str | None = None
    cases: str | None = None


def metrics_of(view: View) -> tuple[str, ...]:
    """Return the codes that a view can show, the one to begin with first."""
    return {
        View.HOTSPOTS: tuple(HotspotMetric),
        View.RESPONSES: (ResponseMetric.HANDLE, *(m for m in ResponseMetric if m != "handle"), *Rate),
        View.RECURRENCES: (),
        View.COVERAGE: tuple(Gap),
    }[view]


@dataclass(frozen=True)
class Needs:
    """That a choice means something only while another one has one of some values, "" for none."""

    choice: str
    among: tuple[str, ...]

    def met(self, given: Mapping[str, str | None]) -> bool:
        """Tell whether it means something beside what was chosen."""
        return (given.get(self.choice) or "") in self.among


def needs_of(view: View) -> Mapping[str, Needs]:
    """Return what choices of a view depend on: a rate has no median, and a change no classes and no hot spots.

    One that means nothing is left out of account, and kept for when it means something again.
    """
    whole = Needs("compare", ("",))
    times = Needs("metric", ("", *ResponseMetric))
    return {
        View.HOTSPOTS: {"layer": whole, "classes": whole},
        View.RESPONSES: {"stat": times, "time": times, "classes": whole},
        View.RECURRENCES: {},
        View.COVERAGE: {},
    }[view]


def wished(view: View, given: Mapping[str, str | None], since: datetime, until: datetime) -> Wish:
    """Return what an address or a command asks to be shown; what it leaves out is filled in.

    given : metric, layer, classes, stat, time, compare, before_from, before_to (days), span (weeks), week (a Monday).
    Raises `InvalidInput` ("unknown_choice", "bad_time", "bad_period") naming the field.
    """
    known = metrics_of(view)
    metric = given.get("metric") or (known[0] if known else "")
    if metric and metric not in known:
        raise _unknown("metric", metric, known)
    compare = _code(Against, given, "compare")
    against = None
    if compare is Against.OWN:
        first, last = _day(given, "before_from"), _day(given, "before_to")
        if first is None or last is None:
            field = "before_from" if first is None else "before_to"
            raise InvalidInput("missing_field", "the period to compare with has two days", field=field)
        against = (_midnight(first), _midnight(last + timedelta(days=1)))
        if against[1] <= against[0]:
            raise InvalidInput("bad_period", "the period ends before it begins", field="before_to")
    elif compare:
        against = earlier(compare, since, until)
    span = given.get("span")
    return Wish(
        view=view,
        metric=str(metric),
        layer=_code(Layer, given, "layer") or Layer.GI,
        classes=_code(Classes, given, "classes") or Classes.FIXED,
        statistic=_code(Statistic, given, "stat") or Statistic.MEDIAN,
        time=_code(TimeKind, given, "time") or TimeKind.NATURAL,
        compare=compare,
        against=against if view in (View.HOTSPOTS, View.RESPONSES) else None,
        span=int(span) if span and span.isdecimal() and len(span) < 4 else None,
        week=_day(given, "week"),
    )


def earlier(kind: Against, since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """Return the period before one that is as long, or the same days of the year before (28 for 29 February)."""
    if kind is Against.PREVIOUS:
        return since - (until - since), since
    return _year_before(since), _year_before(until)


def found(session: Session, scope: Scope, window: Window, wish: Wish, *, now: datetime) -> Found:
    """Return the figures of a wish, read from the facts.

    Raises what `grids.measures` raises, and `InvalidInput`: "too_many_cells" for more areas than a map draws,
    "period_to_come", "no_cells".
    """
    if wish.view is View.COVERAGE:
        return Found(
            require_drawable(gaps(session, window.area or "", on=local_day(now), level=window.level))
        )
    require_begun(window, now)
    if wish.against is not None:
        require_begun(replace(window, since=wish.against[0], until=wish.against[1]), now, field="before_from")
    if wish.view is View.RECURRENCES:
        places = measures.recurrent_places(session, scope, window, most=MOST_LISTED)
        return Found(places.places, count=places.total)
    cells = require_drawable(_figures(session, scope, window, wish, now))
    whole = replace(window, level=level_of(window.area)) if window.area else None
    total = None
    if whole is not None:
        total = _figures(session, scope, whole, replace(wish, layer=Layer.GI), now).iloc[0].to_dict()
    if wish.against is not None or wish.view is not View.HOTSPOTS:
        return Found(cells, total)
    weekly = density = points = None
    if wish.layer in (Layer.GI, Layer.EMERGING):
        weekly = measures.weekly(session, scope, window)
    if wish.layer is Layer.DENSITY:
        density = measures.density(session, scope, window, bandwidth_m=_BANDWIDTH_M, cell_m=_SQUARE_M)
    if wish.layer is Layer.EMERGING:
        patterns = measures.emerging(session, scope, window).set_index("code")["pattern"]
        cells = cells.assign(pattern=cells["code"].map(patterns).fillna(""))
    points = measures.default_points(session, scope, window)
    usual = None
    if wish.classes is Classes.FIXED and wish.layer is not Layer.MORAN:
        usual = measures.usual(session, scope, window, now=now)
    return Found(cells, total, weekly, density, points, usual)


def require_begun(window: Window, now: datetime, *, field: str = "from") -> None:
    """Raise `InvalidInput` for what no figure can be of; the pages, the command line and /api/measures ask here.

    "period_to_come" where the period begins after `now`: that nothing is known of it is not that nothing happened.
    "no_cells" for a level above the area's own. field : what the first day is asked by.
    """
    if window.since > now:
        first = local_day(window.since).isoformat()
        said = f"the period begins on {first}, which is still to come: choose days up to today"
        raise InvalidInput("period_to_come", said, field=field, got=first)
    if window.area and is_above(window.level, level_of(window.area)):
        said = f"{window.area} lies within one {window.level}: choose its own level or one below"
        raise InvalidInput("no_cells", said, field="level", got=window.level.value)


def require_drawable(cells: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return areas that one map can draw. Raises `InvalidInput` ("too_many_cells") for more than `MOST_CELLS`."""
    if len(cells) > MOST_CELLS:
        raise InvalidInput(
            "too_many_cells",
            f"{len(cells)} areas are too many for one map, which draws {MOST_CELLS}: choose a level above, or a part "
            "of the area, such as one town",
            field="level",
            got=len(cells),
            wanted=MOST_CELLS,
        )
    return cells


def _figures(session: Session, scope: Scope, window: Window, wish: Wish, now: datetime) -> gpd.GeoDataFrame:
    later = _of_window(session, scope, window, wish, now)
    if wish.against is None:
        return later
    since, until = wish.against
    before = replace(window, since=since, until=until)
    column = _coloured(wish)
    first = _of_window(session, scope, before, wish, now)
    return measures.compare(later.assign(value=later[column]), first.assign(value=first[column]))


def _of_window(session: Session, scope: Scope, window: Window, wish: Wish, now: datetime) -> gpd.GeoDataFrame:
    if wish.view is View.HOTSPOTS:
        return measures.hotspots(session, scope, window, HotspotMetric(wish.metric))
    if wish.metric in tuple(Rate):
        return measures.rates(session, scope, window, Rate(wish.metric), now=now)
    return measures.responses(session, scope, window, ResponseMetric(wish.metric), now=now, time=wish.time)


def _coloured(wish: Wish) -> str:
    if wish.view is View.RESPONSES and wish.metric not in tuple(Rate):
        return {"median": "value", "p90": "p90", "overdue": "overdue_share"}[wish.statistic]
    return "value"


def indicator(wish: Wish, words: Words) -> str:
    """Return what the coloured figure is called."""
    if wish.view is View.HOTSPOTS:
        return indicator_names(words)[wish.metric]
    if wish.metric in tuple(Rate):
        return rate_names(words)[wish.metric]
    return step_names(words)[wish.metric][tuple(Statistic).index(wish.statistic)]


def writer(wish: Wish, words: Words) -> Callable[[float], str]:
    """Return what writes the coloured figure, or a change of it."""
    if wish.view is View.HOTSPOTS:
        return number if wish.metric == HotspotMetric.COUNT else _one_decimal
    if wish.metric in tuple(Rate) or wish.statistic is Statistic.OVERDUE:
        return percent
    return time_writer(words, working=wish.time is TimeKind.WORKING)[0]


def drawn(
    answer: Found,
    window: Window,
    wish: Wish,
    *,
    category: str | None,
    words: Words,
    as_of: datetime,
    links: Links = Links(),
) -> GridMap:
    """Draw the figures of any view but the recurrences, which are points; where nothing is counted it says so."""
    level = window.level.value
    ways: dict[str, Any] = {"drill_url": links.drill, "list_url": links.cases, "words": words, "as_of": as_of}
    if wish.view is View.COVERAGE:
        return coverage_map(answer.cells, Gap(wish.metric).value, level=level, on=local_day(as_of), **ways)
    about = {"level": level, "period": _days(window.since, window.until), "category": category, **ways}
    m = _of_cases(answer, wish, about, words)
    if nothing_in(answer):
        m.drawing.notes.insert(0, nothing_said(words))
    return m


def nothing_in(answer: Found) -> bool:
    """Tell whether not one case is counted."""
    counted = answer.cells["n"].sum() + (answer.cells["n_before"].sum() if "n_before" in answer.cells else 0)
    return not counted


def nothing_said(words: Words) -> str:
    """Return what to say and to do where nothing is counted."""
    return words("Not one case is counted here: choose a longer period, or fewer filters.")


def _of_cases(answer: Found, wish: Wish, about: Mapping[str, Any], words: Words) -> GridMap:
    if wish.against is not None:
        return change_map(
            answer.cells,
            indicator=indicator(wish, words),
            write=writer(wish, words),
            whole=wish.metric == HotspotMetric.COUNT,
            few=0 if wish.metric == HotspotMetric.COUNT else 10,
            before=_days(*wish.against),
            **about,
        )
    method: Method = "fixed" if wish.classes is Classes.FIXED else "quantile"
    if wish.view is View.RESPONSES:
        if wish.metric in tuple(Rate):
            return rate_map(answer.cells, Rate(wish.metric).value, method=method, **about)
        return response_map(
            answer.cells,
            ResponseMetric(wish.metric).value,
            statistic=wish.statistic.value,
            working=wish.time is TimeKind.WORKING,
            method=method,
            **about,
        )
    if answer.density is not None:
        return _density(answer, answer.density, method, about, words)
    slider = None
    if answer.weekly is not None:
        weekly = answer.weekly
        slider = Weeks(weekly.codes, weekly.weeks, weekly.counts, wish.span, wish.week)
    return hotspot_map(
        answer.cells,
        HotspotMetric(wish.metric).value,
        method=method,
        usual=answer.usual,
        layer=_CELL_LAYERS[wish.layer],
        weekly=slider,
        **about,
    )


_CELL_LAYERS: Mapping[Layer, CellLayer] = {
    Layer.GI: "gi",
    Layer.MORAN: "moran",
    Layer.EMERGING: "emerging",
    Layer.DENSITY: "gi",
}


def _density(
    answer: Found, density: Density, method: Method, about: Mapping[str, Any], words: Words
) -> GridMap:
    surface, crs, left_out = density
    m = density_map(
        surface.values,
        (surface.x0, surface.y0),
        surface.cell_m,
        crs,
        answer.cells,
        bandwidth_m=_BANDWIDTH_M,
        method=method,
        usual=answer.usual,
        **about,
    )
    if left_out:
        said = words("{count} cases at default points are left out of the surface.", count=left_out)
        m.drawing.notes.append(said)
    return m


def change_said(change: float, wish: Wish, words: Words) -> str:
    """Return a change with its triangle and sign."""
    return signed(change, writer(wish, words))


def _one_decimal(value: float) -> str:
    return "-" if math.isnan(value) else "0" if value == 0 else f"{value:,.1f}"


def _days(since: datetime, until: datetime) -> tuple[date, date]:
    return local_day(since), local_day(until - timedelta(microseconds=1))


def _year_before(moment: datetime) -> datetime:
    local = moment.astimezone(SHANGHAI)
    day = 28 if (local.month, local.day) == (2, 29) else local.day
    return local.replace(year=local.year - 1, day=day).astimezone(moment.tzinfo)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), SHANGHAI).astimezone(UTC)


def _day(given: Mapping[str, str | None], name: str) -> date | None:
    text = given.get(name)
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if not 2000 <= day.year < 2100:
        message = f"{name} is not a day such as 2026-11-21"
        raise InvalidInput("bad_time", message, field=name, got=text[:40])
    return day


def _code(kind: type[_Code], given: Mapping[str, str | None], name: str) -> _Code | None:
    text = given.get(name)
    if not text:
        return None
    try:
        return kind(text)
    except ValueError:
        raise _unknown(name, text, tuple(kind)) from None


def _unknown(name: str, text: str, known: tuple[str, ...]) -> InvalidInput:
    message = f"{name} {text[:40]!r} is not known"
    return InvalidInput("unknown_choice", message, field=name, wanted=[str(code) for code in known])
