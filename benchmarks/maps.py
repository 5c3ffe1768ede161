"""A hot-spot map of a district of 727 cells as a finished page, beside a plain folium map of the same cells.

Ours has the choropleth with its legend, hatches, outlines and labels, a year of weeks for the slider, and every link;
the peer is folium's own `Choropleth` with a `GeoJson` of tooltips over it, as its documentation shows, of the same
polygons as they are. Both pages hold the same number of polygons with the same numbers, which is checked.
"""

from __future__ import annotations

import json
import re
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it also runs alone

import folium
import geopandas as gpd
import numpy as np
import shapely

from benchmarks.table import Row, median_seconds, render
from benchmarks.tessellation import tessellation
from maps import Assets, Weeks, Words, hotspot_map, page

__all__ = ["district", "main"]

CELLS, WEEKS = 727, 52
_ASSETS = Assets(Path(__file__).resolve().parents[1] / "api" / "static")
_PERIOD = (date(2025, 6, 2), date(2026, 5, 31))
_TASK = f"a page of {CELLS} cells"


def district(cells: int = CELLS, seed: int = 0) -> tuple[gpd.GeoDataFrame, Weeks]:
    """Return cells with a year of cases, and the same cases by week."""
    random = np.random.default_rng(seed)
    metres = tessellation(cells, width=25_000, halvings=4, uneven=True, seed=seed)
    degrees = shapely.transform(metres, lambda xy: xy / (90_000, 111_000) + (117.6, 36.1))
    counts = random.poisson(random.gamma(0.8, 0.14, cells)[:, None], (cells, WEEKS))
    households = random.integers(300, 501, cells).astype(float)
    n = counts.sum(axis=1)
    frame = gpd.GeoDataFrame(
        {
            "code": [f"990101{place // 25 + 1:03d}{place % 25 + 1:03d}001" for place in range(cells)],
            "name": [f"升平社区第{place + 1}网格" for place in range(cells)],
            "n": n,
            "denominator": households,
            "households": households,
            "value": n / households * 1000,
            "hot": n > np.quantile(n, 0.97),
        },
        geometry=degrees,
        crs="EPSG:4490",
    )
    mondays = [_PERIOD[0] + timedelta(weeks=week) for week in range(WEEKS)]
    return frame, Weeks(list(frame["code"]), mondays, counts)


def _ours(cells: gpd.GeoDataFrame, weekly: Weeks) -> str:
    drawn = hotspot_map(
        cells,
        "per_1000_households",
        level="building_group",
        period=_PERIOD,
        method="fixed",
        weekly=weekly,
        drill_url="/map/hotspots?area={code}",
        list_url="/dispatch?area={code}",
        words=Words("zh-CN"),
    )
    return page(drawn, _ASSETS, nonce="n")


def _plain(cells: gpd.GeoDataFrame) -> str:
    data = cells.to_crs("EPSG:4326")
    west, south, east, north = data.total_bounds
    m = folium.Map([(south + north) / 2, (west + east) / 2], zoom_start=11, tiles=None)
    known: Any = data
    folium.Choropleth(
        known, data=data, columns=["code", "value"], key_on="feature.properties.code", fill_color="PuRd"
    ).add_to(m)
    folium.GeoJson(known, tooltip=folium.GeoJsonTooltip(["name", "n", "households", "value"])).add_to(m)
    html: str = m.get_root().render()
    return html


def main() -> list[Row]:
    """Time both, and weigh their pages."""
    cells, weekly = district()
    ours, plain = _ours(cells, weekly), _plain(cells)
    found = re.search(r'<script[^>]*type="application/json"[^>]*>(.*?)</script>', ours, re.DOTALL)
    drawing = json.loads(found[1] if found else "{}")
    counted = {row[0]: int(row[8][0].replace(",", "")) for row in drawing["layers"][0]["rows"]}
    assert counted == dict(zip(cells["code"], cells["n"], strict=True))
    assert all(code in plain for code in counted)
    programs = {"ours": lambda: _ours(cells, weekly), "folium": lambda: _plain(cells)}
    seconds = median_seconds(programs, clock=time.process_time)
    kilobytes = {"ours": len(ours.encode()) / 1000, "folium": len(plain.encode()) / 1000}
    named = {"ours": "gridwhistle, with slider and legend", "folium": "folium Choropleth + GeoJson"}
    rows = []
    for unit, measured in (("s", seconds), ("kB", kilobytes)):
        task = f"{_TASK}: {'processor time to make' if unit == 's' else 'size'}"
        for program in ("ours", "folium"):
            ratio = None if program == "ours" else measured["folium"] / measured["ours"]
            rows.append(Row(task, named[program], measured[program], unit, ratio))
    return rows


if __name__ == "__main__":
    print(render(main()))
