"""The map of a plan: drafts to choose between, their numbers, buildings and barriers."""

from __future__ import annotations

import json
import re

import geopandas as gpd
import numpy as np
import pytest
import shapely
from shapely.geometry import LineString, box

from gis.cells.refining import SizeRule
from gis.errors import InvalidInput
from gis.partition import SizeReason, Style, Wishes, partition
from maps import Words, page
from maps.plan import plan_map, size_reason, style_name

OUTLINE = box(117.60, 36.10, 117.61, 36.11)
NAME = "景远社区 {{ 7 * 7 }}<script>window.ran=1</script>"


@pytest.fixture(scope="module")
def plan():
    """Two drafts of one community, with the buildings and the road that they were made of."""
    places = np.random.default_rng(2).uniform((117.6002, 36.1002), (117.6098, 36.1098), (120, 2))
    homes = np.array([10] * 119 + [800])
    road = LineString([(117.59, 36.104), (117.62, 36.106)])
    found = partition(
        OUTLINE, *places.T, homes, 2 * homes, barriers=road, wishes=Wishes(SizeRule(300, 500, 1000), drafts=2)
    )
    drafts = [
        (
            draft,
            draft.cells.assign(
                code=[f"990101001001{n:03d}" for n in range(1, len(draft.cells) + 1)],
                name=[f"第{n}网格" for n in range(1, len(draft.cells) + 1)],
                level="building_group",
            ),
        )
        for draft in found
    ]
    buildings = gpd.GeoDataFrame({"households": homes}, geometry=shapely.points(places), crs="EPSG:4490")
    barriers = gpd.GeoDataFrame(geometry=[road], crs="EPSG:4490")
    around = gpd.GeoDataFrame(
        {"code": ["990101001002"], "name": ["升平社区"], "level": ["community"]},
        geometry=[box(117.61, 36.10, 117.62, 36.11)],
        crs="EPSG:4490",
    )
    return drafts, around, buildings, barriers


def drawing_of(html):
    return json.loads(re.search(r'id="map_grid_data">(.*?)</script>', html, re.DOTALL)[1])


def test_one_draft_is_shown_and_the_numbers_of_all(plan, assets):
    drawing = drawing_of(page(plan_map(*plan, title="景远社区", words=Words()), assets, standalone=True))

    hidden = {layer["id"]: layer["hidden"] for layer in drawing["layers"] if "hidden" in layer}
    assert {name: shown for name, shown in hidden.items() if "size" not in name} == {
        "draft-1": False,
        "draft-2": True,
    }
    choices = drawing["legend"][0]["choices"]
    assert [column["title"] for column in choices["columns"]] == ["1", "2"]
    assert {len(row) for row in choices["rows"]} == {3}
    numbers = [draft.numbers for draft, _ in plan[0]]
    assert choices["rows"][0] == ["Cells", *(str(one.cells) for one in numbers)]
    assert len(next(layer for layer in drawing["layers"] if layer["kind"] == "dots")["dots"]) == 120
    assert len(next(layer for layer in drawing["layers"] if layer["kind"] == "lines")["lines"]) == 1


def test_a_cell_against_the_rule_is_outlined_and_says_why(plan):
    drawing = plan_map(*plan, title="景远社区", words=Words()).drawing

    assert [layer["look"] for layer in drawing.layers if layer["id"] == "draft-1-size"] == ["hot"]
    said = [row[8][-1] for row in drawing.layers[1]["rows"]]
    assert size_reason(SizeReason.LARGE_BUILDING, Words()) in said
    assert "" in said


def test_every_style_and_reason_has_words():
    words = Words()

    assert len({style_name(style, words) for style in Style}) == len(Style)
    assert len({size_reason(reason, words) for reason in SizeReason}) == len(SizeReason)


def test_a_map_without_drafts_is_refused(plan):
    with pytest.raises(InvalidInput) as refused:
        plan_map([], *plan[1:], title="", words=Words())

    assert refused.value.code == "map_empty"


@pytest.mark.browser
def test_a_click_shows_another_draft_and_no_text_runs(plan, assets, show):
    opened = show(page(plan_map(*plan, title=NAME, words=Words()), assets, nonce="n0nce"))
    seen = opened.page

    assert (opened.complaints, opened.strangers) == ([], [])
    assert seen.evaluate("window.ran") is None
    assert seen.inner_text("h1") == NAME
    shown = "() => [...document.querySelectorAll('.gw-choices .gw-chosen')].map((one) => one.textContent)[0]"
    drawn = "() => document.querySelectorAll('.leaflet-overlay-pane path').length"
    assert seen.evaluate(shown).startswith("1")
    before = seen.evaluate(drawn)
    seen.click(".gw-choices th:nth-child(3) input")
    assert seen.evaluate(shown).startswith("2")
    cells = [len(cells) for _, cells in plan[0]]
    assert seen.evaluate(drawn) - before == cells[1] - cells[0]
