from __future__ import annotations

import html
import json

import folium
import pytest

from gis.errors import InvalidInput
from maps.base import base_map, data_block, own_link, safe_text

BOX = (117.6, 36.1, 117.74, 36.21)
HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "${alert(1)}",
    "\\\\`+alert(1)+`",
    '"><svg onload=alert(1)>',
    "';alert(1);//",
    "{{ 7 * 7 }}{% raw %}",
    "\u2028alert(1)\u2029",
    "升平巷8号 & <b>东门</b>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_safe_text_leaves_nothing_that_any_language_reads_as_code(text):
    safe = safe_text(text)

    assert html.unescape(safe) == text
    assert set(safe) <= {char for char in safe if char.isalnum() or char in " &#;"}


@pytest.mark.parametrize("text", HOSTILE)
def test_the_data_block_gives_text_back_unchanged_and_cannot_end_its_element(text):
    block = data_block({"text": [text]})

    assert json.loads(block) == {"text": [text]}
    assert "<" not in block


def test_half_a_character_from_a_broken_phone_does_not_break_the_page():
    assert json.loads(data_block("烧烤\ud83d")) == "烧烤\ufffd"
    assert safe_text("\ud83d") == "&#65533;"
    data_block("烧烤\ud83d").encode()


def test_a_number_that_json_does_not_know_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        data_block(float("nan"))


@pytest.mark.parametrize("url", ["/incidents/2026112199000100001", "/dispatch?area=990001&st=open#top", "/"])
def test_a_path_on_our_own_host_may_be_linked(url):
    assert own_link(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "//evil.example/x",
        "/\\evil.example",
        "/\t/evil.example",
        "https://evil.example/",
        "incidents/1",
        "",
        None,
        7,
        float("nan"),
    ],
)
def test_any_other_address_is_left_out(url):
    assert own_link(url) is None


def test_a_bare_map_is_a_folium_map_without_remote_tiles(words, now):
    m = base_map(BOX, title="升平社区", words=words, as_of=now, attribution="2026 edition")

    assert isinstance(m, folium.Map)
    assert not [child for child in m._children.values() if isinstance(child, folium.TileLayer)]
    assert m.drawing.credits == ["Data as of 2026-11-21 14:30", "2026 edition"]
    west, south, east, north = m.drawing.limits
    assert west < BOX[0] < BOX[2] < east
    assert south < BOX[1] < BOX[3] < north


def test_the_same_data_makes_the_same_page(words, now):
    pages = {base_map(BOX, title="升平社区", words=words, as_of=now).get_root().render() for _ in range(2)}

    assert len(pages) == 1


@pytest.mark.parametrize(
    "bounds", [(118, 36, 117, 37), (117, 37, 118, 36), (517, 36, 518, 37), (117, 36, float("nan"), 37)]
)
def test_bounds_that_are_no_box_on_the_earth_are_refused(bounds, words):
    with pytest.raises(InvalidInput) as refusal:
        base_map(bounds, title="", words=words)

    assert refusal.value.code == "map_bounds"


@pytest.mark.parametrize("tiles", ["/tiles/{z}/{x}/{y}.png", "https://tiles.example/{z}/{x}/{y}.png"])
def test_a_tile_address_may_be_configured(tiles, words):
    assert base_map(BOX, title="", words=words, tile_url=tiles).drawing.tiles == tiles


@pytest.mark.parametrize(
    "tiles", ["javascript:{z}{x}{y}", "//host/{z}/{x}/{y}", "/tiles.png", "", "/a b/{z}{x}{y}"]
)
def test_a_tile_address_of_another_form_is_refused(tiles, words):
    with pytest.raises(InvalidInput) as refusal:
        base_map(BOX, title="", words=words, tile_url=tiles)

    assert refusal.value.code == "map_tiles"
