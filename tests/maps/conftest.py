"""A made-up district of curved cells, incidents in it, and a Chromium to look at the maps with."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from maps import Assets, Words
from maps.area import INCIDENT_COLUMNS
from maps.recurrences import POINT_COLUMNS

STATIC = Path(__file__).parents[2] / "api" / "static"
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SANDBOX = "allow-scripts allow-popups allow-top-navigation-by-user-activation"
FRAMED = (
    f'<!DOCTYPE html><title>Framed</title><iframe src="{{address}}" sandbox="{SANDBOX}"'
    ' style="position:fixed;inset:0;width:100%;height:100%;border:0"></iframe>'
)
NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)
FRAME = "EPSG:4490"
BOX = (117.60, 36.10, 117.74, 36.21)
_FIRST, _SECOND = "升胜鹏东凤鹿锦汶莱嘉长文", "平利泉风城鸣绣阳芜祥兴昌"


def names(count: int) -> list[str]:
    """Return names as the district has them: 升平社区第1网格, 升平社区第2网格, 升利社区第1网格, ..."""
    places = [first + second for second in _SECOND for first in _FIRST]
    return [f"{places[place // 5 % len(places)]}社区第{place % 5 + 1}网格" for place in range(count)]


def curved(count: int, seed: int = 7) -> list[Any]:
    """Return `count` cells that tile the box, with curved edges that neighbours share."""
    rng = np.random.default_rng(seed)
    west, south, east, north = BOX
    seeds = shapely.points(rng.uniform((west, south), (east, north), (count, 2)))
    cells = shapely.get_parts(
        shapely.voronoi_polygons(shapely.multipoints(seeds), extend_to=shapely.box(*BOX))
    )
    cells = shapely.segmentize(shapely.intersection(cells, shapely.box(*BOX)), 0.0008)

    def bend(xy: Any) -> Any:
        x, y = xy[:, 0], xy[:, 1]
        step = 0.0009
        return np.column_stack(
            [
                x + step * np.sin(y * 620) + step * np.sin(y * 210),
                y + step * np.sin(x * 590) + step * np.sin(x * 190),
            ]
        )

    return list(shapely.transform(cells, bend))


def cell_frame(count: int = 40, seed: int = 7) -> gpd.GeoDataFrame:
    """Return cells with every column that the choropleths read; the first has no data, the second no case."""
    rng = np.random.default_rng(seed)
    shapes = curved(count, seed)
    households = rng.integers(280, 520, count).astype(float)
    centre = np.array([117.66, 36.16])
    away = np.hypot(*(np.array([[p.centroid.x, p.centroid.y] for p in shapes]) - centre).T)
    n = rng.poisson(2 + 26 * np.exp(-((away / 0.025) ** 2)))
    n[:2] = 0
    households[0] = np.nan
    minutes = np.where(n > 0, rng.lognormal(5, 0.8, count).round(), np.nan)
    return gpd.GeoDataFrame(
        {
            "code": [
                f"990001{place // 25 + 1:03d}{place // 5 % 999 + 1:03d}{place % 5 + 1:03d}"
                for place in range(count)
            ],
            "name": names(count),
            "level": "building_group",
            "households": households,
            "n": n,
            "value": n / households * 1000,
            "denominator": households,
            "hot": n > 16,
            "minutes": minutes,
            "p90": minutes * 2.6,
            "overdue_share": np.where(n > 0, rng.uniform(0, 0.3, count), np.nan),
        },
        geometry=shapes,
        crs=FRAME,
    )


def pointed(
    rows: list[dict[str, Any]], columns: Sequence[str], points: list[tuple[float, float]]
) -> gpd.GeoDataFrame:
    """Return rows with a point each; without rows, the columns all the same."""
    table: Any = {column: [row[column] for row in rows] for column in (rows[0] if rows else columns)}
    shapes = [shapely.Point(spot) for spot in points]
    return gpd.GeoDataFrame(table, geometry=shapes, crs=FRAME)


def incident_frame(points: list[tuple[float, float]], **changes: object) -> gpd.GeoDataFrame:
    """Return one incident at each point, walking through grades and states."""
    kinds = ["路面塌陷", "无照经营烧烤", "乱停车", "夜间噪声", "井盖破损", "道路积水"]
    grades = ["red", "orange", "yellow", "blue", "green", "orange"]
    states = [("handling", "处置中"), ("reported", "待受理"), ("handling", "处置中"), ("closed", "已办结")]
    rows = [
        {
            "number": f"2026112199000100{place:03d}",
            "category_name": kinds[place % 6],
            "grade": grades[place % 6],
            "status": states[place % 4][0],
            "status_text": states[place % 4][1],
            "due_at": NOW + timedelta(hours=3 * (place % 7) - 5, minutes=20),
            "address": "升平巷8号东门",
            "text": "车库里夜间烧烤，油烟很大，影响居民休息。",
            "url": f"/incidents/2026112199000100{place:03d}",
            **changes,
        }
        for place in range(len(points))
    ]
    return pointed(rows, INCIDENT_COLUMNS, points)


def place_frame(points: list[tuple[float, float]], **changes: object) -> gpd.GeoDataFrame:
    """Return one recurrent point at each place."""
    kinds = [
        ("道路积水", "waterlogging"),
        ("乱停车", "parking"),
        ("垃圾堆放", "garbage"),
        ("夜间噪声", "noise"),
    ]
    rows = [
        {
            "category_name": kinds[place % 4][0],
            "kind": kinds[place % 4][1],
            "times": 3 + place * 2,
            "first_at": NOW - timedelta(days=80 - place),
            "last_at": NOW - timedelta(days=2 + place),
            "mean_gap_days": 21.5,
            "open": place % 2,
            "address": "鹿鸣路桥下",
            **changes,
        }
        for place in range(len(points))
    ]
    return pointed(rows, POINT_COLUMNS, points)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def words() -> Words:
    return Words()


@pytest.fixture
def cells() -> gpd.GeoDataFrame:
    return cell_frame()


@pytest.fixture
def make_cells() -> Callable[..., gpd.GeoDataFrame]:
    return cell_frame


@pytest.fixture
def make_incidents() -> Callable[..., gpd.GeoDataFrame]:
    return incident_frame


@pytest.fixture
def make_places() -> Callable[..., gpd.GeoDataFrame]:
    return place_frame


@pytest.fixture
def assets() -> Assets:
    return Assets(STATIC)


@dataclass
class Seen:
    """What a browser did with a page: complaints on its console, requests to other hosts."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Yield a headless Chromium, or skip where none is installed."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def show(chromium: Any) -> Iterator[Callable[..., Seen]]:
    """Yield a function that serves a page as the application does, sandboxed, and opens it in Chromium."""
    pages: dict[str, bytes] = {}
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(_Sandboxed, pages, directory=str(STATIC.parent))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    origin = f"http://127.0.0.1:{server.server_port}"
    contexts = []

    def open_page(
        html: str, *, width: int = 1200, height: int = 800, touch: bool = False, framed: bool = False
    ) -> Seen:
        address = f"/page{len(pages)}"
        pages[address] = html.encode()
        context = chromium.new_context(viewport={"width": width, "height": height}, has_touch=touch)
        contexts.append(context)
        seen = Seen(context.new_page())
        seen.page.on(
            "console",
            lambda line: seen.complaints.append(line.text) if line.type in ("error", "warning") else None,
        )
        seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        seen.page.on(
            "request",
            lambda call: None if call.url.startswith((origin, "data:")) else seen.strangers.append(call.url),
        )
        if framed:
            pages["/framed"] = FRAMED.format(address=address).encode()
        seen.page.goto(origin + ("/framed" if framed else address))
        inner = seen.page.frame_locator("iframe") if framed else seen.page
        inner.locator('[data-ready="yes"]').wait_for(timeout=15_000)
        return seen

    yield open_page
    for context in contexts:
        context.close()
    server.shutdown()
    server.server_close()


class _Sandboxed(http.server.SimpleHTTPRequestHandler):
    """Serve pages out of a dictionary under the policy of map pages, and our static files."""

    def __init__(self, pages: dict[str, bytes], *arguments: Any, **options: Any) -> None:
        self.pages = pages
        super().__init__(*arguments, **options)

    def do_GET(self) -> None:
        body = self.pages.get(self.path)
        if body is None:
            if self.path == "/favicon.ico":
                self.send_response(204)
                self.end_headers()
                return
            super().do_GET()
            return
        origin = f"http://127.0.0.1:{self.server.server_address[1]}"
        policy = (
            f"sandbox {SANDBOX}; default-src 'none'; script-src 'nonce-n0nce' {origin}; "
            f"style-src {origin} 'unsafe-inline'; img-src {origin} data:; connect-src 'none'; base-uri 'none'"
        )
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        if self.path != "/framed":
            self.send_header("Content-Security-Policy", policy)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Stay quiet."""
