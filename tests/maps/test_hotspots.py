from __future__ import annotations

from datetime import date
from functools import partial

import numpy as np
import pytest

from gis.errors import InvalidInput
from maps import hotspot_map

PERIOD = (date(2026, 6, 1), date(2026, 9, 30))
BREAKS = (10, 20, 40, 70)


@pytest.fixture
def draw(cells, words):
    return partial(hotspot_map, cells, "per_1000_households", level="community", period=PERIOD, words=words)


def rows(m):
    """Return the drawn cells by name."""
    return {row[1]: row for row in m.drawing.layers[0]["rows"]}


def legend(m):
    (part,) = m.drawing.legend
    return part


def test_each_grid_is_filled_by_the_step_its_rate_falls_in(cells, draw):
    m = draw(breaks=BREAKS)

    for name, value in zip(cells["name"], cells["value"], strict=True):
        expected = -1 if np.isnan(value) else int(np.searchsorted(BREAKS, value, side="right"))
        assert rows(m)[name][6] == expected


def test_the_legend_names_steps_unit_count_method_and_every_mark_on_the_map(cells, draw):
    m = draw(breaks=BREAKS, category="道路积水")

    assert m.drawing.title == "Cases per 1,000 households"
    assert m.drawing.subtitle == "2026-06-01 to 2026-09-30\n道路积水 · Community"
    assert legend(m)["title"] == f"Unit: cases per 1,000 households; n = {cells['n'].sum()}"
    assert [item["text"] for item in legend(m)["items"]] == [
        "0 – 10",
        "10 – 20",
        "20 – 40",
        "40 – 70",
        "≥ 70",
        "Small sample (n < 10)",
        "No data",
        "Hot spot beyond chance (Gi*, 95 %, false discoveries controlled)",
    ]
    assert legend(m)["note"] == "Fixed classes, lower edge included"
    assert m.drawing.notes == ["Cases / households x 1,000; merged duplicates count once."]


def test_a_grid_without_data_is_hatched_and_one_without_cases_is_zero(draw):
    drawn = list(rows(draw(breaks=BREAKS)).values())

    assert drawn[0][6] == -1
    assert drawn[0][3] is None
    assert drawn[1][6] == 0
    assert drawn[1][3] == "0"


def test_a_rate_on_few_cases_is_dotted_and_a_count_never_is(cells, draw, words):
    few = set(cells["name"][(cells["n"] > 0) & (cells["n"] < 10)])

    rated = rows(draw(breaks=BREAKS))
    cells["value"] = cells["n"].astype(float)
    counted = rows(hotspot_map(cells, "count", level="community", period=PERIOD, words=words))

    assert {name for name, row in rated.items() if row[7] & 1} == few
    assert few
    assert not [row for row in counted.values() if row[7] & 1]


def test_hot_grids_are_outlined_together(cells, draw):
    m = draw()

    assert {row[1] for row in rows(m).values() if row[7] & 2} == set(cells["name"][cells["hot"]])
    assert m.drawing.layers[1]["look"] == "hot"


def test_marks_that_the_map_does_not_show_are_not_in_the_legend(cells, words):
    cells = cells.iloc[2:].drop(columns="hot").assign(n=50, value=50.0)

    m = hotspot_map(cells, "count", level="town", period=PERIOD, words=words)

    assert [item["swatch"] for item in legend(m)["items"]] == ["fill"]
    assert len(m.drawing.layers) == 1


def test_the_card_of_a_grid_gives_its_number_with_the_denominator(draw):
    m = draw()
    layer = m.drawing.layers[0]

    assert layer["columns"] == ["Cases", "Per 1,000 households", "Households", "Note", "Hot spot"]
    assert layer["rows"][0][8] == ["0", "-", "-", "", ""]


def test_a_grid_leads_to_the_level_below_and_to_its_cases(draw):
    m = draw(drill_url="/map/hotspots?area={code}&level=building_group", list_url="/dispatch?area={code}")

    assert m.drawing.layers[0]["links"] == [
        {"href": "/map/hotspots?area={code}&level=building_group", "text": "Open the level below"},
        {"href": "/dispatch?area={code}", "text": "See these cases"},
    ]


@pytest.mark.parametrize(
    "address", ["https://evil.example/{code}", "//evil.example/{code}", "/dispatch", "javascript:{code}"]
)
def test_a_link_to_anywhere_else_is_refused(address, draw):
    with pytest.raises(InvalidInput) as refusal:
        draw(drill_url=address)

    assert refusal.value.code == "map_link"


def test_an_unknown_indicator_or_level_is_refused(cells, words):
    with pytest.raises(InvalidInput) as indicator:
        hotspot_map(cells, "per_mile", level="town", period=PERIOD, words=words)
    with pytest.raises(InvalidInput) as level:
        hotspot_map(cells, "count", level="street", period=PERIOD, words=words)

    assert indicator.value.code == "unknown_indicator"
    assert level.value.code == "unknown_level"


def test_a_rate_needs_its_denominator(cells, words):
    with pytest.raises(InvalidInput) as refusal:
        hotspot_map(
            cells.drop(columns="denominator"), "per_1000_households", level="town", period=PERIOD, words=words
        )

    assert refusal.value.code == "map_columns"


def test_a_district_without_any_data_is_all_hatched(cells, words):
    m = hotspot_map(cells.assign(value=np.nan, n=0), "count", level="town", period=PERIOD, words=words)

    assert {row[6] for row in rows(m).values()} == {-1}
    assert [item["swatch"] for item in legend(m)["items"]] == ["nodata", "hot"]


def test_cold_grids_have_an_outline_of_their_own(cells, draw):
    m = draw(breaks=BREAKS)
    assert [layer["id"] for layer in m.drawing.layers] == ["cells", "hot"]
    cells["cold"] = cells["n"] == 1

    looks = [layer.get("look") for layer in draw().drawing.layers]

    assert looks == ["area", "cold", "hot"]
    assert "Cold spot beyond chance" in legend(draw())["items"][-1]["text"]


def test_a_local_moran_fills_by_neighbourhood_and_names_it(cells, draw):
    cells["quadrant"] = [place % 5 for place in range(len(cells))]

    m = draw(layer="moran")

    assert [row[6] for row in m.drawing.layers[0]["rows"][:6]] == [-1, 1, 2, 3, 4, 0]  # the first has no data
    texts = [item["text"] for item in legend(m)["items"]]
    assert texts[1] == "High among high (a cluster)"
    assert texts[3] == "Low among low (a quiet part)"


def test_emerging_patterns_are_signs_with_their_count_in_the_legend(cells, draw):
    cells["pattern"] = ["new", "cold_new", *[""] * (len(cells) - 2)]

    m = draw(layer="emerging")

    signs = m.drawing.layers[-1]
    assert [spot[2:] for spot in signs["spots"]] == [["new", 1], ["new", 0]]
    assert [item["text"] for item in m.drawing.legend[1]["items"]] == [
        "New hot spot (1)",
        "New cold spot (1)",
    ]
    assert m.drawing.layers[0]["rows"][0][8][-1] == "New hot spot"
    assert "dot" not in m.drawing.legend[1]["note"]  # there is room for all signs


def test_signs_that_may_have_no_room_are_explained_as_dots(make_cells, words):
    cells = make_cells(400).assign(pattern="new")

    m = hotspot_map(cells, "count", level="building_group", period=PERIOD, layer="emerging", words=words)

    assert m.drawing.legend[1]["note"].endswith("dark for hot, light for cold.")


def test_fixed_classes_give_zero_a_step_and_say_so(draw):
    m = draw(method="fixed")

    assert [item["text"] for item in legend(m)["items"]][:2] == ["0", "< 4"]
    assert legend(m)["note"] == "Fixed classes, lower edge included"


def test_a_saved_map_has_no_address_to_click(draw):
    m = draw(drill_url="/map/hotspots?area={code}")

    assert m.drawing.layers[0]["drill"] == "/map/hotspots?area={code}"
    assert m.drawing.as_json(links=False, tiles=False)["layers"][0]["drill"] is None
