"""Maps: the figures of `grids.measures` drawn by `maps`, given as `api.routes.mapsheet` tells."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

import geopandas as gpd
from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import HTMLResponse

from api import analysis
from api.analysis import Against, Classes, Gap, Layer, Links, Statistic, View
from api.deps import Now, PageMe, ReadOnly, Words
from api.filenames import map_detail
from api.i18n import Words as InWords
from api.ledgerlinks import with_links
from api.problems import answers
from api.routes.mapsheet import Sheet
from api.routes.query import Area
from api.routes.window import Figures, MapChosen
from gis.errors import InvalidInput
from grids import atlas, measures
from grids.ground import editions
from grids.measures import HotspotMetric, ResponseMetric, TimeKind
from grids.rules.calendar import local_day
from grids.rules.levels import child_level
from grids.rules.permissions import DUTY_KEEPERS, Actor, require_area, require_role
from maps import GridMap, area_map, recurrence_map, say_grid

__all__ = ["router"]

router = APIRouter(prefix="/maps", tags=["maps"], default_response_class=HTMLResponse)

ANSWERS = answers(404, 422, 503)

_STEPS = "accept, respond, arrive, handle or close; or a rate: overdue, on_time, rework, returned or reopened"
_Day = Annotated[str | None, Query(max_length=10, description="a day, such as 2026-11-21")]


def _shown(
    layer: Annotated[Layer | None, Query(description="beside the counts")] = None,
    classes: Annotated[Classes | None, Query(description="fixed ones compare over time")] = None,
    stat: Annotated[Statistic | None, Query(description="of a time")] = None,
    time: Annotated[TimeKind | None, Query(description="all minutes, or those of office hours")] = None,
    compare: Annotated[Against | None, Query(description="draw the change from that period")] = None,
    before_from: _Day = None,
    before_to: _Day = None,
    span: Annotated[
        str | None, Query(pattern="^[0-9]{1,3}$", description="weeks of the slider's window")
    ] = None,
    week: _Day = None,
) -> dict[str, str | None]:
    """Return how a map looks, as far as the address says."""
    return {
        "layer": layer,
        "classes": classes,
        "stat": stat,
        "time": time,
        "compare": compare,
        "before_from": before_from,
        "before_to": before_to,
        "span": span,
        "week": week,
    }


Shown = Annotated[dict[str, str | None], Depends(_shown)]


@router.get("/area", responses=ANSWERS)
def area(me: PageMe, session: ReadOnly, now: Now, words: Words, sheet: Sheet, area: Area = None) -> Response:
    """Draw an area: its grids, what is open in them, and what keeps coming back."""
    code = area or me.area_code
    if code is None:
        raise InvalidInput("missing_field", "area is missing", field="area")
    require_area(me, code)
    view = measures.area_view(session, me.scope, code, now=now)
    cases = _named(view.incidents, words)
    drawn = area_map(
        view.own,
        view.neighbours,
        cases.assign(status_text=[words.of("status", status) for status in cases["status"]]),
        _named(view.recurrences.places, words),
        words=words,
        as_of=now,
        title=atlas.grid(session, code, on=local_day(now)).name,
        recurrent=view.recurrences.total,
    )
    return sheet(drawn, "area", code, cases.drop(columns="url"))


def _named(rows: gpd.GeoDataFrame, words: Words) -> gpd.GeoDataFrame:
    """Return rows with the name of their category in the reader's language."""
    if words.language == "en":
        return rows.assign(category_name=rows["category_name_en"])
    return rows


@router.get("/hotspots", responses=ANSWERS)
def hotspots(
    me: PageMe,
    session: ReadOnly,
    now: Now,
    words: Words,
    sheet: Sheet,
    chosen: MapChosen,
    shown: Shown,
    metric: Annotated[HotspotMetric, Query()] = HotspotMetric.COUNT,
) -> Response:
    """Draw where incidents gather, and which grids are beyond chance; with a slider over the weeks."""
    drawn, cells, detail = _drawn(session, me, now, words, chosen, View.HOTSPOTS, {**shown, "metric": metric})
    return sheet(drawn, "hotspots", chosen.area, cells, detail)


@router.get("/responses", responses=ANSWERS)
def responses(
    me: PageMe,
    session: ReadOnly,
    now: Now,
    words: Words,
    sheet: Sheet,
    chosen: MapChosen,
    shown: Shown,
    metric: Annotated[str, Query(max_length=20, description=_STEPS)] = ResponseMetric.HANDLE,
) -> Response:
    """Draw how long a step took, or how often something went wrong, by grid."""
    drawn, cells, detail = _drawn(
        session, me, now, words, chosen, View.RESPONSES, {**shown, "metric": metric}
    )
    return sheet(drawn, "responses", chosen.area, cells, detail)


@router.get("/coverage", responses=ANSWERS)
def coverage(
    me: PageMe,
    session: ReadOnly,
    now: Now,
    words: Words,
    sheet: Sheet,
    chosen: MapChosen,
    metric: Annotated[Gap, Query(description="what is missing")] = Gap.POSTS,
) -> Response:
    """Draw which posts nobody holds, or which categories nobody leads, by grid."""
    require_role(me, DUTY_KEEPERS)
    drawn, cells, detail = _drawn(session, me, now, words, chosen, View.COVERAGE, {"metric": metric})
    return sheet(drawn, "coverage", chosen.area, cells, detail)


def _drawn(
    session: ReadOnly,
    me: Actor,
    now: datetime,
    words: InWords,
    chosen: Figures,
    view: View,
    given: Mapping[str, str | None],
) -> tuple[GridMap, gpd.GeoDataFrame, str]:
    window = chosen.window
    wish = analysis.wished(view, given, window.since, window.until)
    answer = analysis.found(session, me.scope, window, wish, now=now)
    drawn = analysis.drawn(
        answer,
        window,
        wish,
        category=words.name(chosen.category) or None,
        words=words,
        as_of=now,
        links=_links(chosen, view, given),
    )
    if view is not View.COVERAGE:
        _say_grid(drawn, session, chosen, words)
    return drawn, answer.cells, map_detail(window, wish)


@router.get("/recurrences", responses=ANSWERS)
def recurrences(
    me: PageMe, session: ReadOnly, now: Now, words: Words, sheet: Sheet, chosen: MapChosen
) -> Response:
    """Draw the places where the same trouble comes back."""
    analysis.require_begun(chosen.window, now)
    found = measures.recurrent_places(session, me.scope, chosen.window, most=measures.MOST_ON_A_MAP)
    places = found.places
    drawn = recurrence_map(
        with_links(session, me, _named(places, words), words),
        analysis.require_drawable(
            atlas.areas(
                session,
                level=chosen.window.level,
                parent=chosen.area,
                edition_id=chosen.window.edition,
                on=local_day(now),
            )
        ),
        period=chosen.days,
        category=words.name(chosen.category) or None,
        words=words,
        as_of=now,
        recurrent=found.total,
    )
    _say_grid(drawn, session, chosen, words)
    detail = map_detail(chosen.window, analysis.Wish(View.RECURRENCES))
    return sheet(drawn, "recurrences", chosen.area, places, detail)


def _say_grid(drawn: GridMap, session: ReadOnly, chosen: Figures, words: Words) -> None:
    number = chosen.window.edition
    say_grid(drawn, words, number, editions.get(session, number).name if number else "")


def _links(chosen: Figures, view: View, given: Mapping[str, str | None]) -> Links:
    """Return where a grid leads: the same map a level below, and the list of the cases behind its figure."""
    window = chosen.window
    if view is View.COVERAGE:
        period: dict[str, str] = {}
        cases: str | None = "/coverage?area={code}"
    else:
        period = _period(chosen)
        # cases are listed by the cells of their time
        cases = f"/dispatch?area={{code}}&{urlencode(period)}&counted=1" if window.edition is None else None
    below = child_level(window.level)
    if below is None:
        return Links(None, cases)
    further = {name: str(value) for name, value in given.items() if value and name not in _OF_THE_SLIDER}
    asked = {"level": below.value, **further, **period}
    return Links(f"/map/{view.value}?area={{code}}&{urlencode(asked)}", cases)


_OF_THE_SLIDER = ("span", "week")


def _period(chosen: Figures) -> dict[str, str]:
    first, last = chosen.days
    asked = {"from": first.isoformat(), "to": last.isoformat()}
    window = chosen.window
    further = {
        "category": window.category,
        "edition": window.edition,
        "grade": window.grade,
        "channel": window.channel,
    }
    return asked | {name: str(value) for name, value in further.items() if value is not None}
