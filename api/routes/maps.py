"""Maps as pages: the figures of `grids.measures` drawn by `maps`, one document that asks only for our files.

A map is shown in a frame of a page of ours. Its policy puts it into a sandbox, so that nothing in it could read
a cookie or act for the reader even if something ran that should not; and because a sandbox has no origin of its
own, the policy names ours.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlencode

import geopandas as gpd
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse

from api.deps import Now, PageMe, ReadOnly, Words
from api.problems import BadRequest, answers
from api.routes.query import Area
from api.routes.window import Figures, MapChosen
from gis.errors import InvalidInput
from grids import atlas, measures
from grids.ground import editions
from grids.measures import HotspotMetric, ResponseMetric
from grids.rules.calendar import local_day
from grids.rules.levels import child_level
from grids.rules.permissions import require_area
from maps import Assets, GridMap, area_map, hotspot_map, page, recurrence_map, response_map, say_grid

__all__ = ["router"]

router = APIRouter(prefix="/maps", tags=["maps"], default_response_class=HTMLResponse)

ASSETS = Assets(Path(__file__).resolve().parents[1] / "static")
ANSWERS = answers(404, 422, 503)

_HOST = re.compile(r"[A-Za-z0-9._-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?")


def _sheet(request: Request, download: bool = False) -> Callable[[GridMap, str], HTMLResponse]:
    """Return what makes a page of a map, or with `download` a file that opens from a disk."""

    def make(drawn: GridMap, name: str) -> HTMLResponse:
        if download:
            response = HTMLResponse(page(drawn, ASSETS, standalone=True))
            response.headers["Content-Disposition"] = _attachment(f"{name}.html")
            response.headers["Content-Security-Policy"] = "sandbox allow-scripts"
            return response
        nonce = secrets.token_urlsafe(16)
        response = HTMLResponse(page(drawn, ASSETS, nonce=nonce))
        response.headers["Content-Security-Policy"] = policy(_origin(request), nonce)
        return response

    return make


Sheet = Annotated[Callable[[GridMap, str], HTMLResponse], Depends(_sheet)]


def policy(origin: str, nonce: str) -> str:
    """Return the policy of a map's page."""
    return (
        "sandbox allow-scripts allow-popups allow-top-navigation-by-user-activation; default-src 'none'; "
        f"script-src 'nonce-{nonce}' {origin}; style-src {origin} 'unsafe-inline'; img-src {origin} data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )


def _origin(request: Request) -> str:
    """Return our own address as the reader wrote it; what is no host never gets into a header."""
    host = request.url.netloc
    if not _HOST.fullmatch(host):
        raise BadRequest("bad_host", "the Host of this request is not the name of one")
    return f"{request.url.scheme}://{host}"


def _attachment(name: str) -> str:
    """Return the header by which a browser keeps a file under a name of any letters (RFC 6266)."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


@router.get("/area", responses=ANSWERS)
def area(
    me: PageMe, session: ReadOnly, now: Now, words: Words, sheet: Sheet, area: Area = None
) -> HTMLResponse:
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
        _named(view.recurrences, words),
        words=words,
        as_of=now,
        title=atlas.grid(session, code, on=local_day(now)).name,
    )
    return sheet(drawn, f"area-{code}")


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
    metric: Annotated[HotspotMetric, Query()] = HotspotMetric.COUNT,
) -> HTMLResponse:
    """Draw where incidents gather, and which grids are hot beyond chance."""
    cells = measures.hotspots(session, me.scope, chosen.window, metric)
    drawn = hotspot_map(
        cells,
        metric.value,
        level=chosen.window.level.value,
        period=chosen.days,
        category=words.name(chosen.category) or None,
        drill_url=_drill(chosen, "/map/hotspots", metric.value),
        list_url=_cases(chosen),
        words=words,
        as_of=now,
    )
    _say_grid(drawn, session, chosen, words)
    return sheet(drawn, f"hotspots-{chosen.area}")


@router.get("/responses", responses=ANSWERS)
def responses(
    me: PageMe,
    session: ReadOnly,
    now: Now,
    words: Words,
    sheet: Sheet,
    chosen: MapChosen,
    metric: Annotated[ResponseMetric, Query()] = ResponseMetric.HANDLE,
) -> HTMLResponse:
    """Draw how long a step took: the median by grid."""
    cells = measures.responses(session, me.scope, chosen.window, metric, now=now)
    drawn = response_map(
        cells,
        metric.value,
        level=chosen.window.level.value,
        period=chosen.days,
        category=words.name(chosen.category) or None,
        drill_url=_drill(chosen, "/map/responses", metric.value),
        list_url=_cases(chosen),
        words=words,
        as_of=now,
    )
    _say_grid(drawn, session, chosen, words)
    return sheet(drawn, f"responses-{chosen.area}")


@router.get("/recurrences", responses=ANSWERS)
def recurrences(
    me: PageMe, session: ReadOnly, now: Now, words: Words, sheet: Sheet, chosen: MapChosen
) -> HTMLResponse:
    """Draw the places where the same trouble comes back."""
    drawn = recurrence_map(
        _named(measures.recurrences(session, me.scope, chosen.window), words),
        atlas.areas(
            session,
            level=chosen.window.level,
            parent=chosen.area,
            edition_id=chosen.window.edition,
            on=local_day(now),
        ),
        period=chosen.days,
        category=words.name(chosen.category) or None,
        words=words,
        as_of=now,
    )
    _say_grid(drawn, session, chosen, words)
    return sheet(drawn, f"recurrences-{chosen.area}")


def _say_grid(drawn: GridMap, session: ReadOnly, chosen: Figures, words: Words) -> None:
    number = chosen.window.edition
    say_grid(drawn, words, number, editions.get(session, number).name if number else "")


def _cases(chosen: Figures) -> str | None:
    """Return the address of the list of the cases behind a grid's figure; none counts on another grid."""
    if chosen.window.edition is not None:
        return None
    return f"/dispatch?area={{code}}&{urlencode(_period(chosen))}"


def _drill(chosen: Figures, path: str, metric: str) -> str | None:
    """Return the address of the same map one level below a grid, None at the lowest level."""
    below = child_level(chosen.window.level)
    if below is None:
        return None
    asked = {"level": below.value, "metric": metric, **_period(chosen)}
    return f"{path}?area={{code}}&{urlencode(asked)}"


def _period(chosen: Figures) -> dict[str, str]:
    first, last = chosen.days
    asked = {"from": first.isoformat(), "to": last.isoformat()}
    window = chosen.window
    further = {"category": window.category, "edition": window.edition}
    return asked | {name: str(value) for name, value in further.items() if value is not None}
