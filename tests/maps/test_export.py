from __future__ import annotations

import re
from datetime import date

import folium
import folium.plugins
import pytest

from gis.errors import InvalidInput, Unavailable
from maps import Assets, hotspot_map, page, safe_text, save_html

PERIOD = (date(2026, 6, 1), date(2026, 9, 30))
REMOTE = re.compile(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""")


@pytest.fixture
def m(cells, words, now):
    return hotspot_map(
        cells,
        "per_1000_households",
        level="building_group",
        period=PERIOD,
        words=words,
        as_of=now,
        list_url="/dispatch?area={code}",
        tile_url="/tiles/{z}/{x}/{y}.png",
    )


def scripts(html):
    return re.findall(r"<script([^>]*)>", html)


def test_a_page_asks_only_for_our_own_files(m, assets):
    html = page(m, assets)

    assert not REMOTE.search(html)
    addresses = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert [re.sub(r"\?v=\w+", "", address) for address in addresses] == [
        "/static/vendor/leaflet@1.9.4/leaflet.js",
        "/static/map.js",
        "/static/vendor/leaflet@1.9.4/leaflet.css",
        "/static/map.css",
    ]
    assert all(
        (assets.folder / address.removeprefix("/static/").split("?")[0]).is_file() for address in addresses
    )


def test_nothing_of_folium_that_the_map_does_not_use_is_loaded(m, assets):
    html = page(m, assets)

    assert not re.search("jquery|bootstrap|awesome|glyphicon", html, re.IGNORECASE)


def test_every_script_carries_the_nonce(m, assets):
    found = scripts(page(m, assets, nonce="n0n'ce"))

    assert len(found) == 4
    assert all(' nonce="n0n&#x27;ce"' in script for script in found)


def test_without_a_nonce_there_is_none(m, assets):
    assert not any("nonce" in script for script in scripts(page(m, assets)))


def test_our_own_files_change_their_address_when_they_change(m, assets, tmp_path):
    for name in ("map.js", "map.css"):
        (tmp_path / name).write_text("one")
    (tmp_path / "vendor").symlink_to(assets.folder / "vendor")
    other = Assets(tmp_path, prefix="/assets/")
    first = other.url("map.js")

    (tmp_path / "map.js").write_text("two")

    assert first.startswith("/assets/map.js?v=")
    assert other.url("map.js") != first


def test_the_page_says_its_language_and_title(m, assets):
    m.drawing.language = "zh-CN"

    html = page(m, assets)

    assert '<html lang="zh-CN">' in html
    assert "<title>Cases per 1&#44;000 households</title>" in html


def test_a_saved_file_holds_everything_and_forbids_itself_any_request(m, assets, tmp_path):
    path = save_html(m, tmp_path / "map.html", assets)

    html = path.read_text("utf-8")
    assert not re.search(r"<script[^>]* src=|<link[^>]* href=", html)
    assert "default-src 'none'" in html
    assert "L.map(" in html
    assert "/tiles/" not in html
    assert "/dispatch" not in html


def test_a_layer_that_needs_another_host_is_refused(m, assets):
    folium.plugins.MarkerCluster([[36.15, 117.65]]).add_to(m)

    with pytest.raises(InvalidInput) as refusal:
        page(m, assets)

    assert refusal.value.code == "remote_asset"


def test_raw_html_that_points_to_another_host_is_refused(m, assets):
    m.get_root().html.add_child(folium.Element('<img src="//evil.example/x.png">'))

    with pytest.raises(InvalidInput) as refusal:
        page(m, assets)

    assert refusal.value.code == "remote_asset"


def test_an_address_that_a_reporter_wrote_is_not_taken_for_an_asset(cells, words, assets):
    cells.loc[0, "name"] = '<img src="//evil.example/x.png"> href=https://evil.example'
    m = hotspot_map(cells, "count", level="town", period=PERIOD, words=words)

    assert "evil.example" in page(m, assets)


@pytest.mark.parametrize(
    "text",
    ["{{ 7 * 7 }}", "{% raw %}", "{{ cycler.__init__.__globals__ }}", "{# note", "@the-data-of-the-map@"],
)
def test_text_is_not_a_template_on_the_server(text, cells, words, assets):
    cells.loc[0, "name"] = text
    m = hotspot_map(cells, "count", level="town", period=PERIOD, category=text, attribution=text, words=words)
    m.get_root().title = safe_text(text)

    html = page(m, assets)

    assert html.count(text) == 3
    assert "49" not in html[html.index("<title>") : html.index("</title>")]


def test_a_map_of_plain_folium_is_refused(assets):
    with pytest.raises(InvalidInput) as refusal:
        page(folium.Map(tiles=None), assets)

    assert refusal.value.code == "map_kind"


def test_assets_that_set_up_has_not_copied_are_named(m, tmp_path):
    with pytest.raises(Unavailable) as refusal:
        page(m, Assets(tmp_path))

    assert refusal.value.code == "assets_missing"
    assert "manifest.json" in str(refusal.value)


def test_an_asset_that_no_map_may_use_is_refused(assets):
    for name in ("../settings.py", "htmx.org/../../x", "jquery/jquery.js", "map.py", "leaflet/../x"):
        with pytest.raises(InvalidInput):
            assets.file(name)


def test_a_district_of_727_grids_stays_light(make_cells, words, now, assets, tmp_path):
    cells = make_cells(727)
    m = hotspot_map(
        cells, "per_1000_households", level="building_group", period=PERIOD, words=words, as_of=now
    )

    assert len(page(m, assets).encode()) < 400_000
    assert save_html(m, tmp_path / "map.html", assets).stat().st_size < 600_000
