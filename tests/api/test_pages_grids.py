"""The pages of the grid's editions over HTTP: who may see them, and that every form works without a script."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest
from shapely import box, to_geojson

FIRST, SECOND, THIRD = "990101001001001", "990101001001002", "990101001002001"
TOMORROW = "2026-06-04"
ACROSS = "[[117.004, 35.999], [117.004, 36.021]]"
KEEPERS = ("platform", "governance")
OTHERS = ("worker", "leader", "centre", "town", "hotline", "auditor", "scjg")


def see(city: Any, who: str, path: str, status: int = 200) -> str:
    answer = city.as_(who).get(path, headers={"accept": "text/html"})
    assert answer.status_code == status, answer.text
    return str(answer.text)


def words_of(page: str) -> str:
    """Return the text of a page, as it is read."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


def send(city: Any, who: str, path: str, files: Any = None, **fields: str) -> Any:
    headers = {"accept": "text/html"}
    return city.as_(who).post(path, data=fields, files=files, headers=headers, follow_redirects=False)


def done(city: Any, who: str, path: str, files: Any = None, **fields: str) -> str:
    """Send a form that is carried out; return where it leads."""
    answer = send(city, who, path, files, **fields)
    assert answer.status_code == 303, words_of(answer.text)
    return str(answer.headers["location"])


def refused(city: Any, who: str, path: str, status: int, code: str, files: Any = None, **fields: str) -> str:
    """Send a form that comes back with a problem; return the page."""
    answer = send(city, who, path, files, **fields)
    assert (answer.status_code, code in answer.text) == (status, True), words_of(answer.text)
    return str(answer.text)


def begin(city: Any, who: str = "platform") -> str:
    base = next(one["edition"] for one in city.see(who, "editions") if one["status"] == "published")
    return done(city, who, "/grids/drafts", based_on=str(base), effective=TOMORROW, name="改划")


def grid_file(http: Any, overlap: float = 0.0, name: str = "区") -> bytes:
    """Return GeoJSON of the city's areas, its cells reaching over the next ones by some degrees."""
    spans: dict[str, list[float]] = {}
    for code, west in http.CELLS.items():
        for length in (6, 9, 12, 15):
            spans.setdefault(code[:length], []).append(west)
    rows = [
        {
            "type": "Feature",
            "properties": {"code": code, "name": f"{name}{code[-3:]}", "households": 400},
            "geometry": json.loads(
                to_geojson(
                    box(min(wests), 36.0, max(wests) + 0.01 + (overlap if len(code) == 15 else 0), 36.02)
                )
            ),
        }
        for code, wests in spans.items()
    ]
    return json.dumps({"type": "FeatureCollection", "features": rows}).encode()


def load(city: Any, data: bytes, name: str = "网格.geojson", **form: str) -> str:
    files = {"file": (name, data)}
    return done(city, "platform", "/grids", files, **{"effective": TOMORROW, "frame": "CGCS2000", **form})


@pytest.mark.parametrize("login", KEEPERS)
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_who_keeps_the_grid_sees_its_editions_in_both_languages(city: Any, login: str, language: str) -> None:
    (one,) = city.see(login, "editions")

    listed = see(city, login, f"/grids?lang={language}")
    shown = see(city, login, f"/grids/{one['edition']}?lang={language}")

    assert f'href="/grids/{one["edition"]}"' in listed
    assert ("现行" if language == "zh-CN" else "In force") in words_of(listed)
    assert ("网格 6" if language == "zh-CN" else "Building group 6") in words_of(shown)


@pytest.mark.parametrize("login", OTHERS)
def test_nobody_else_sees_or_touches_them(city: Any, login: str) -> None:
    (one,) = city.see("platform", "editions")
    path = f"/grids/{one['edition']}"

    seen = [city.as_(login).get(where).status_code for where in ("/grids", path, f"{path}/impact")]
    acts = ("/grids", "/grids/drafts", *(f"{path}/{act}" for act in ("undo", "check", "publish", "discard")))
    done_ = [send(city, login, act, based_on="1", effective=TOMORROW).status_code for act in acts]

    assert seen == [403] * 3
    assert done_ == [403] * 6
    assert 'href="/grids"' not in see(city, login, "/home")


def test_a_stranger_is_sent_to_the_login_and_back(city: Any) -> None:
    answer = city.stranger().get("/grids/1", headers={"accept": "text/html"}, follow_redirects=False)

    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/grids/1")


def test_a_file_becomes_a_draft_whose_faults_are_listed_in_the_reader_s_words(city: Any, http: Any) -> None:
    path = load(city, grid_file(http, overlap=0.0005), name="新网格.geojson")

    page = see(city, "platform", path)

    said = words_of(page)
    assert "新网格" in said  # called as its file
    assert "重叠 区001与区002重叠" in said
    assert re.search(r'data-fault="\d+" data-lon="117\.01\d*" data-lat="36\.01\d*"', page)
    assert "存在错误，不能发布" in said
    assert 'action="' + path + '/publish"' in page
    refused(city, "governance", f"{path}/publish", 422, "edition_has_faults")
    refused(
        city, "platform", f"{path}/operations", 409, "not_drawn_here", kind="rename", codes=FIRST, name="东"
    )


def test_faults_are_chosen_by_kind_or_severity_without_a_script(city: Any, http: Any) -> None:
    path = load(city, grid_file(http, overlap=0.0005))
    kinds = [fault["kind"] for fault in city.see("platform", f"editions/{path[7:]}/report")["faults"]]

    def rows(query: str) -> int:
        return see(city, "platform", f"{path}{query}").count('class="fault fault-')

    assert rows("") == rows("?fault=error") == rows("?fault=nonsense") == len(kinds)
    assert 0 < rows("?fault=overlap") == kinds.count("overlap") < len(kinds)


@pytest.mark.parametrize(
    ("name", "data", "form", "code", "field"),
    [
        ("grid.pdf", b"%PDF-1.4", {}, "unknown_file_type", "file"),
        ("grid.geojson", b"<html>", {}, "file_not_what_its_name_says", "file"),
        ("grid.geojson", None, {"effective": "soon"}, "bad_time", "effective"),
        ("grid.geojson", None, {"frame": "XX"}, "unknown_frame", "frame"),
    ],
)
def test_a_file_that_cannot_be_loaded_says_why_beside_its_field(
    city: Any, http: Any, name: str, data: bytes | None, form: dict[str, str], code: str, field: str
) -> None:
    files = {"file": (name, data or grid_file(http))}

    told = {"effective": TOMORROW, "frame": "CGCS2000", "name": "改过的名称", **form}
    page = refused(city, "platform", "/grids", 422, code, files, **told)

    assert f'id="load-{field}-wrong"' in page
    assert 'value="改过的名称"' in page
    assert len(city.see("platform", "editions")) == 1


def test_no_file_and_a_file_that_is_too_large_are_said_plainly(city: Any) -> None:
    refused(city, "platform", "/grids", 422, "file_needed", effective=TOMORROW)

    answer = send(
        city, "platform", "/grids", {"file": ("grid.geojson", b" " * 52_000_001)}, effective=TOMORROW
    )

    assert answer.status_code == 413
    assert "52 MB" in words_of(answer.text)


def test_a_draft_is_drawn_by_forms_alone_and_published_by_another(city: Any) -> None:
    path = begin(city)
    assert done(city, "platform", f"{path}/operations", kind="split", codes=FIRST, line=ACROSS) == path
    done(city, "platform", f"{path}/operations", kind="rename", codes=FIRST, name="升平社区东格")
    done(
        city,
        "platform",
        f"{path}/operations",
        kind="set_size",
        codes=FIRST,
        households="333",
        size_reason="学校",
    )
    done(city, "platform", f"{path}/operations", kind="merge", codes=f"{FIRST} 990101001001003", name="")
    done(city, "platform", f"{path}/undo")
    done(city, "platform", f"{path}/check")

    page = words_of(see(city, "platform", path))
    assert "已改划 3 步" in page
    assert "户数人口 升平社区东格" in page
    assert "须由另一人发布" in page
    refused(city, "platform", f"{path}/publish", 403, "second_person_needed", open_cases="follow")
    assert done(city, "governance", f"{path}/publish", open_cases="stay") == path
    (edition, *_) = city.see("governance", "editions")
    assert (edition["status"], edition["open_cases"]) == ("published", "stay")
    assert "2026-06-04 起生效" in words_of(see(city, "governance", path))
    refused(city, "platform", f"{path}/operations", 409, "not_a_draft", kind="rename", codes=FIRST, name="东")


def test_an_edge_is_moved_and_a_cell_goes_to_another_community(city: Any) -> None:
    path = begin(city)
    line = "[[117.01, 36.0], [117.008, 36.01], [117.01, 36.02]]"

    done(city, "platform", f"{path}/operations", kind="move_edge", codes=f"{FIRST}, {SECOND}", line=line)
    assert "户数、人口按面积估算" in words_of(see(city, "platform", path))
    done(city, "platform", f"{path}/operations", kind="reassign", codes=SECOND, to_parent="990101001002")

    page = see(city, "platform", path)
    assert "划归" in words_of(page)
    assert "990101001002003" in page


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"kind": "split", "codes": FIRST, "line": ""}, "line_unreadable", "line"),
        ({"kind": "split", "codes": FIRST, "line": "[" * 5000}, "line_unreadable", "line"),
        ({"kind": "split", "codes": f"{FIRST} {SECOND}", "line": ACROSS}, "one_area_needed", "codes"),
        ({"kind": "rename", "codes": "", "name": "东"}, "one_area_needed", "codes"),
        ({"kind": "merge", "codes": f"{FIRST} 990101002001001"}, "different_parents", "codes"),
        ({"kind": "set_size", "codes": FIRST, "households": "many"}, "bad_number", "households"),
        ({"kind": "explode", "codes": FIRST}, "unusable_operation", "kind"),
    ],
)
def test_what_cannot_be_drawn_comes_back_with_what_was_typed(
    city: Any, fields: dict[str, str], code: str, field: str
) -> None:
    path = begin(city)

    page = refused(city, "platform", f"{path}/operations", 422, code, **fields)

    assert fields["codes"] in page
    if field != "kind":
        assert f'id="operation-{field}-wrong"' in page
    assert "已改划" not in words_of(page)


def test_what_a_draft_would_change_stands_on_its_page_also_without_a_script(city: Any) -> None:
    city.report(lon=117.002, lat=36.01)
    path = begin(city)
    assert "与现行网格没有任何不同" in words_of(see(city, "platform", f"{path}?impact=1"))
    done(city, "platform", f"{path}/operations", kind="split", codes=FIRST, line=ACROSS)

    whole, part = see(city, "platform", f"{path}?impact=1"), see(city, "platform", f"{path}/impact")

    for page in (whole, part):
        assert "在办 1 件中有 1 件换格" in words_of(page)
        assert "第1网格 → 第1网格-2" in words_of(page)
    assert "<html" in whole
    assert "<html" not in part


def test_of_broken_shapes_it_is_said_that_nothing_can_be_told(city: Any, http: Any) -> None:
    broken = json.loads(grid_file(http))
    for row in broken["features"]:
        if row["properties"]["code"] == FIRST:
            row["geometry"]["coordinates"][0] = [
                [117.0, 36],
                [117.01, 36.02],
                [117.01, 36],
                [117.0, 36.02],
                [117.0, 36],
            ]
    path = load(city, json.dumps(broken).encode())

    assert "修正错误后可见" in words_of(see(city, "platform", path))
    assert "note-warn" in see(city, "platform", f"{path}/impact")
    assert "边界自相交" in words_of(see(city, "platform", path))


def test_a_draft_is_thrown_away_and_then_there_is_none(city: Any) -> None:
    path = begin(city)
    other = done(city, "platform", "/grids/drafts", based_on=path[7:], effective=TOMORROW)
    refused(city, "platform", f"{path}/discard", 409, "draft_is_a_base")

    assert done(city, "platform", f"{other}/discard") == "/grids"
    assert done(city, "platform", f"{path}/discard") == "/grids"

    see(city, "platform", path, 404)
    refused(city, "platform", f"{path}/undo", 404, "edition_not_found")


def test_a_draft_that_would_undo_another_s_changes_says_so(city: Any) -> None:
    mine, other = begin(city), begin(city)
    done(city, "platform", f"{mine}/operations", kind="split", codes=FIRST, line=ACROSS)
    assert "将被撤销" not in words_of(see(city, "platform", other))

    done(city, "governance", f"{mine}/publish")

    assert "它以第 1 版为底，而届时现行的是第 2 版" in words_of(see(city, "platform", other))


def test_stored_names_are_shown_as_text_and_never_run(city: Any, http: Any) -> None:
    evil = '<img src=x onerror="alert(1)">{{7*7}}</script>'
    path = load(city, grid_file(http, overlap=0.0005, name=evil), effective=TOMORROW)
    drawn = begin(city)
    done(city, "platform", f"{drawn}/operations", kind="rename", codes=FIRST, name=evil)
    done(
        city,
        "platform",
        f"{drawn}/operations",
        kind="set_size",
        codes=FIRST,
        households="9",
        size_reason=evil,
    )

    for page in (
        see(city, "platform", path),
        see(city, "platform", drawn),
        see(city, "platform", f"{drawn}/impact"),
        see(city, "platform", "/grids"),
    ):
        assert "<img" not in page
        assert "49" not in re.sub(r"\d{6,}", "", words_of(page)).replace("{{7*7}}", "")
    assert evil in unescape(see(city, "platform", drawn))


def test_with_one_edition_nobody_is_asked_on_which_grid_to_count(city: Any) -> None:
    for view in ("hotspots", "responses", "recurrences"):
        assert 'name="edition"' not in see(city, "platform", f"/map/{view}")
        assert "按当时网格" in see(city, "platform", f"/maps/{view}")


def test_figures_are_shown_on_the_grid_of_their_time_or_of_today(city: Any, clock: Any) -> None:
    for lon in (117.001, 117.002, 117.008):
        city.report(lon=lon, lat=36.01)
    path = begin(city)
    done(city, "platform", f"{path}/operations", kind="split", codes=FIRST, line=ACROSS)
    done(city, "governance", f"{path}/publish", open_cases="stay")
    clock.advance(days=1)

    def counts(query: str) -> list[tuple[str, str]]:
        page = see(city, "platform", f"/map/hotspots?area=990101001001&level=building_group{query}")
        assert 'name="edition"' in page
        rows = re.findall(r'<th scope="row"><a[^>]*>([^<]*)</a>.*?<td class="n">(.*?)</td>', page, re.DOTALL)
        rows = [(name, count.removeprefix("<span data-n>").removesuffix("</span>")) for name, count in rows]
        return [(name, count) for name, count in rows if not re.search(r">0<|^0$", count)]

    ((name, linked),) = counts("")
    assert (name, re.sub("<[^>]+>", "", linked)) == ("第1网格", "3")
    assert "/dispatch?" in linked
    # on another grid the list of cases would count differently: it is not offered
    assert (
        counts("&edition=today") == counts(f"&edition={path[7:]}") == [("第1网格-2", "2"), ("第1网格", "1")]
    )
    for view in ("hotspots", "responses", "recurrences"):
        frame = see(city, "platform", f"/map/{view}?area=990101001001&edition=today")
        assert "edition=today" in unescape(re.findall(r'<iframe[^>]+src="([^"]+)"', frame)[0])
        drawn = see(city, "platform", f"/maps/{view}?area=990101001001&level=building_group&edition=today")
        assert "改划（第 2 版）" in drawn
    assert "edition=2" in see(
        city, "platform", "/maps/hotspots?area=990101001&edition=today"
    )  # a level down, too
    see(city, "platform", "/map/hotspots?edition=nonsense", 422)
    see(city, "platform", "/map/hotspots?edition=99", 404)
