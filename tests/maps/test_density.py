from __future__ import annotations

import base64
import io
from datetime import date

import numpy as np
import pytest
from PIL import Image
from pyproj import CRS, Transformer

from gis.crs import metric_crs
from maps import density_map

PERIOD = (date(2026, 6, 1), date(2026, 6, 30))
SPOT = (117.70, 36.13)  # east and south of the middle


@pytest.fixture
def drawn(cells, words):
    crs = CRS.from_user_input(metric_crs(117.67, 36.15))
    flat = Transformer.from_crs("EPSG:4490", crs, always_xy=True)
    west, south, east, north = flat.transform_bounds(*cells.total_bounds)
    x = west + (np.arange(int((east - west) / 100)) + 0.5) * 100
    y = south + (np.arange(int((north - south) / 100)) + 0.5) * 100
    at = flat.transform(*SPOT)
    values = 40e-6 * np.exp(-(((x - at[0]) / 900) ** 2) - ((y[:, None] - at[1]) / 900) ** 2)
    return density_map(
        values,
        (west, south),
        100.0,
        crs,
        cells,
        bandwidth_m=300,
        level="building_group",
        period=PERIOD,
        method="fixed",
        words=words,
    )


def picture(m):
    layer = m.drawing.layers[0]
    data = layer["image"].removeprefix("data:image/png;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA")), layer["box"]


def test_the_darkest_place_of_the_picture_lies_where_the_cases_are(drawn):
    pixels, (west, south, east, north) = picture(drawn)

    seen = pixels[..., 3] > 0
    shade = np.where(seen, pixels[..., :3].sum(axis=2).astype(float), np.inf)
    dark = np.argwhere(shade == shade.min())
    row, column = dark.mean(axis=0)
    lon = west + (column + 0.5) / pixels.shape[1] * (east - west)
    lat = north - (row + 0.5) / pixels.shape[0] * (north - south)
    assert lon == pytest.approx(SPOT[0], abs=0.002)
    assert lat == pytest.approx(SPOT[1], abs=0.002)


def test_outside_of_the_grid_the_picture_is_clear(drawn, cells):
    pixels, (west, south, east, north) = picture(drawn)

    share = (pixels[..., 3] > 0).mean()
    inside = cells.union_all().area / ((east - west) * (north - south))
    assert share == pytest.approx(inside, abs=0.02)


def test_the_legend_says_the_unit_the_classes_and_how_wide_a_case_spreads(drawn, cells):
    (part,) = drawn.drawing.legend

    assert part["title"] == f"Unit: cases per km²; n = {cells['n'].sum()}"
    assert [item["text"] for item in part["items"]] == ["0", "< 1", "1 – 4", "4 – 15", "≥ 15"]
    assert any("bandwidth 300 m, on squares of 100 m" in note for note in drawn.drawing.notes)
