"""The grid: where a point lies, the areas and their borders, and who answers for them."""

from __future__ import annotations

import json
from typing import Annotated, Any

import geopandas as gpd
import numpy as np
import shapely
from fastapi import APIRouter, Query
from fastapi.responses import Response

from api.deps import AdmitFrame, Me, Now, ReadOnly
from api.problems import answers
from api.routes.query import Area, Bbox, Category
from api.schemas.base import AreaCode, FrameCode
from api.schemas.places import LocationOut, PersonOut
from grids import atlas, directory
from grids.duty import duties
from grids.rules.calendar import local_day
from grids.rules.levels import GridLevel
from grids.rules.permissions import require_area
from maps.words import short_name

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["grids"])

GEOJSON = "application/geo+json"
_MOST = 2000


@router.get("/locate", responses=answers(401, 422, 503))
def locate(
    _me: Me,
    session: ReadOnly,
    now: Now,
    lon: Annotated[
        float, Query(allow_inf_nan=False, ge=-1e9, le=1e9, description="in a projected system the easting")
    ],
    lat: Annotated[
        float, Query(allow_inf_nan=False, ge=-1e9, le=1e9, description="in a projected system the northing")
    ],
    frame: FrameCode,
    admit: AdmitFrame,
    accuracy_m: Annotated[float | None, Query(allow_inf_nan=False, ge=0, le=10_000)] = None,
    category: Category = None,
) -> LocationOut:
    """Return the cell of a point, how sure that is, and who answers there, for a category if one is named.

    A position stands for a circle of `accuracy_m`, of 30 m at least. Where it reaches into another cell, `confirm` is
    true and `candidates` has the cells to choose from.
    """
    today = local_day(now)
    place = atlas.locate(session, lon, lat, admit(frame), accuracy_m=accuracy_m, on=today)
    if category is not None:
        directory.category(session, category)
    if place.code is None:
        return LocationOut.at(place, [])
    point = (place.lon, place.lat)
    return LocationOut.at(
        place,
        directory.responsible_people(session, place.code),
        duties.special_grids(session, place.code, point, on=today),
        duties.find_duty(session, category, place.code, on=today, point=point) if category else None,
        directory.departments(session, place.code[:6]) if category else (),
    )


@router.get(
    "/grids", response_class=Response, responses={200: {"content": {GEOJSON: {}}}, **answers(401, 422, 503)}
)
def list_grids(
    _me: Me,
    session: ReadOnly,
    now: Now,
    level: GridLevel | None = None,
    parent: Area = None,
    edition: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    bbox: Bbox = None,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 1000,
) -> Response:
    """Return areas as a GeoJSON FeatureCollection by code; `numberReturned` and `truncated` say if that is all."""
    found = atlas.areas(
        session,
        level=level,
        parent=parent,
        bbox=bbox,
        edition_id=edition,
        on=local_day(now),
        limit=limit + 1,
    )
    truncated = len(found) > limit
    features = ",".join(_features(found.iloc[:limit]))
    facts = f'"numberReturned":{min(len(found), limit)},"truncated":{json.dumps(truncated)}'
    return Response(f'{{"type":"FeatureCollection",{facts},"features":[{features}]}}', media_type=GEOJSON)


@router.get(
    "/grids/{code}",
    response_class=Response,
    responses={200: {"content": {GEOJSON: {}}}, **answers(401, 404, 422)},
)
def show_grid(code: AreaCode, _me: Me, session: ReadOnly, now: Now) -> Response:
    """Return one area in force as a GeoJSON Feature."""
    today = local_day(now)
    found = atlas.areas(session, parent=code, level=atlas.grid(session, code, on=today).level, on=today)
    (feature,) = _features(found)
    return Response(feature, media_type=GEOJSON)


def _features(areas: gpd.GeoDataFrame) -> list[str]:
    """Return GeoJSON features; CGCS2000 equals the WGS 84 of RFC 7946 within a metre."""
    # 7 decimals are a centimetre, and half the size; a vertex that neighbours share is rounded alike for both
    rounded = shapely.transform(areas.geometry.to_numpy(), lambda xy: np.round(xy, 7))
    shapes = shapely.to_geojson(shapely.orient_polygons(rounded))
    return [
        f'{{"type":"Feature","id":"{row["code"]}","properties":{json.dumps(row, ensure_ascii=False)},'
        f'"geometry":{shape}}}'
        for row, shape in zip(_properties(areas), shapes, strict=True)
    ]


def _properties(areas: gpd.GeoDataFrame) -> list[dict[str, Any]]:
    plain = areas.drop(columns="geometry").astype(object)
    rows: list[dict[str, Any]] = plain.where(plain.notna(), None).to_dict("records")
    return [
        {**row, "short_name": short_name(row["name"]), "area_m2": round(row["area_m2"], 1)} for row in rows
    ]


@router.get("/grids/{code}/people", responses=answers(401, 404, 422))
def list_people(code: AreaCode, me: Me, session: ReadOnly) -> list[PersonOut]:
    """Return who holds which post in an area and all that lies in it; only inside one's own area."""
    require_area(me, code)
    return [PersonOut.of(post, person) for post, person in directory.people_of(session, code)]
