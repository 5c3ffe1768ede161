"""Vector tiles over HTTP: who sees what, what is refused, and what a browser may keep."""

from __future__ import annotations

from typing import Any

import pyogrio
import pytest

TILE = "/api/tiles/incidents/14/13517/6433.mvt"  # round the middle of the cell in the west
GRIDS = "/api/tiles/grids/14/13517/6433.mvt"


@pytest.fixture(scope="module")
def reported(still_city: Any) -> str:
    return str(still_city.report())


def read(tmp_path: Any, tile: bytes, layer: str) -> Any:
    path = tmp_path / "0.mvt"
    path.write_bytes(tile)
    return pyogrio.read_dataframe(path, layer=layer)


@pytest.mark.parametrize("login", ["worker", "leader", "centre", "town", "platform", "hotline", "auditor"])
def test_those_whose_case_it_is_see_it_on_their_map(
    still_city: Any, reported: str, login: str, tmp_path: Any
) -> None:
    answer = still_city.as_(login).get(TILE)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    assert read(tmp_path, answer.content, "incidents")["number"].tolist() == [reported]


@pytest.mark.parametrize("login", ["neighbour", "leader2", "sibling", "sibling_town", "jj"])
@pytest.mark.parametrize("zoom", ["14/13517/6433", "10/844/402"])
def test_a_case_out_of_sight_is_on_no_tile(still_city: Any, reported: str, login: str, zoom: str) -> None:
    answer = still_city.as_(login).get(f"/api/tiles/incidents/{zoom}.mvt")

    assert (answer.status_code, answer.content) == (204, b"")


def test_by_default_a_tile_shows_what_is_open_and_with_a_period_all_of_it(
    still_city: Any, reported: str, tmp_path: Any
) -> None:
    ended = still_city.report()
    still_city.act("hotline", f"incidents/{ended}/cancel", {"reason": "说错了"})
    centre = still_city.as_("centre")

    for asked in ("", "?open=true", "?from=2026-06-03", "?open=false"):
        answer = centre.get(TILE + asked)
        assert read(tmp_path, answer.content, "incidents")["number"].tolist() == [reported], asked
    assert centre.get(TILE + "?to=2026-06-02").status_code == 204


def test_the_grid_is_the_same_for_everybody_who_is_signed_in(still_city: Any, tmp_path: Any) -> None:
    tiles = {still_city.as_(login).get(GRIDS).content for login in ("worker", "sibling", "jj", "auditor")}

    assert len(tiles) == 1
    assert "990101001001001" in read(tmp_path, tiles.pop(), "grids")["code"].tolist()


def test_a_level_may_be_named(still_city: Any, tmp_path: Any) -> None:
    answer = still_city.as_("worker").get(GRIDS + "?level=town")

    assert read(tmp_path, answer.content, "grids")["name"].tolist() == ["凤城街道"]


def test_a_browser_keeps_a_tile_and_asks_whether_it_still_holds(still_city: Any, reported: str) -> None:
    centre = still_city.as_("centre")
    for address, keep in ((TILE, "private, no-cache"), (GRIDS, "private, max-age=60")):
        first = centre.get(address)
        again = centre.get(address, headers={"If-None-Match": first.headers["etag"]})
        other = centre.get(address, headers={"If-None-Match": '"another"'})

        assert first.headers["cache-control"] == keep
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert (other.status_code, other.content) == (200, first.content)


@pytest.mark.parametrize("layer", ["grids", "incidents"])
@pytest.mark.parametrize(
    ("tile", "code", "field"),
    [
        ("3/8/0", "bad_tile", "x"),
        ("3/0/8", "bad_tile", "y"),
        ("23/0/0", "invalid_field", "z"),
        ("-1/0/0", "invalid_field", "z"),
        ("3/-1/0", "invalid_field", "x"),
        ("3/a/0", "invalid_field", "x"),
        ("3/0/0.5", "invalid_field", "y"),
        ("3/99999999999999999999/0", "invalid_field", "x"),
    ],
)
def test_a_tile_that_no_map_has_is_refused(
    still_city: Any, layer: str, tile: str, code: str, field: str
) -> None:
    answer = still_city.as_("centre").get(f"/api/tiles/{layer}/{tile}.mvt")

    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, code, field)


def test_an_edition_that_is_not_there_is_not_found(still_city: Any) -> None:
    answer = still_city.as_("centre").get(GRIDS + "?edition=77")

    assert (answer.status_code, answer.json()["code"]) == (404, "edition_not_found")


@pytest.mark.parametrize("address", [TILE, GRIDS])
def test_a_stranger_sees_no_tile(still_city: Any, address: str) -> None:
    assert still_city.stranger().get(address).status_code == 401
