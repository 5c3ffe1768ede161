"""The analysis: one question in the address, answered alike by the page, its map and its table."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest

from api import analysis
from api.analysis import Against, View, earlier, wished
from api.pages import analysistable
from gis.errors import InvalidInput

JUNE = (datetime(2026, 5, 31, 16, tzinfo=UTC), datetime(2026, 6, 30, 16, tzinfo=UTC))
PERIOD = "from=2026-05-25&to=2026-06-07"
SHARED = ["hotspots", "responses", "coverage"]


def wish(view: str, **given: str) -> Any:
    return wished(View(view), given, *JUNE)


def test_what_an_address_leaves_out_is_filled_in() -> None:
    plain = wish("hotspots")

    assert (plain.metric, plain.layer, plain.classes, plain.against) == ("count", "gi", "fixed", None)
    assert wish("responses").metric == "handle"
    assert wish("coverage").metric == "posts"


@pytest.mark.parametrize(
    ("view", "field", "text"),
    [
        ("hotspots", "metric", "handle"),
        ("responses", "metric", "count"),
        ("coverage", "metric", "count"),
        ("hotspots", "layer", "x"),
        ("hotspots", "classes", "x"),
        ("responses", "stat", "mean"),
        ("responses", "time", "lunar"),
        ("hotspots", "compare", "x"),
        ("hotspots", "week", "soon"),
    ],
)
def test_a_choice_that_there_is_not_is_named(view: str, field: str, text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        wish(view, **{field: text})

    assert refusal.value.facts["field"] == field


def test_the_period_before_is_as_long_and_the_year_before_has_the_same_days() -> None:
    assert earlier(Against.PREVIOUS, *JUNE) == (datetime(2026, 5, 1, 16, tzinfo=UTC), JUNE[0])
    assert earlier(Against.LAST_YEAR, *JUNE) == (
        datetime(2025, 5, 31, 16, tzinfo=UTC),
        datetime(2025, 6, 30, 16, tzinfo=UTC),
    )
    leap = (datetime(2028, 2, 28, 16, tzinfo=UTC), datetime(2028, 3, 1, 16, tzinfo=UTC))
    assert earlier(Against.LAST_YEAR, *leap)[0] == datetime(2027, 2, 27, 16, tzinfo=UTC)


def test_a_period_of_ones_own_has_two_days_in_their_order() -> None:
    own = wish("hotspots", compare="own", before_from="2026-01-01", before_to="2026-01-31")
    assert own.against == (datetime(2025, 12, 31, 16, tzinfo=UTC), datetime(2026, 1, 31, 16, tzinfo=UTC))
    for given in (
        {"before_from": "2026-01-01"},
        {"before_from": "2026-02-01", "before_to": "2026-01-01"},
        {"before_from": "soon", "before_to": "2026-01-01"},
    ):
        with pytest.raises(InvalidInput):
            wish("hotspots", compare="own", **given)


class _Clock:
    now = JUNE[0]

    def __call__(self) -> datetime:
        return self.now

    def set(self, moment: datetime) -> None:
        self.now = moment


@pytest.fixture(scope="module")
def lively(http: Any, cluster: Any, city_template: str, worker_id: str) -> Iterator[Any]:
    """A city with five cases in two communities, in two weeks; read only."""
    clock = _Clock()
    with http.open_city(cluster, city_template, f"city_analysis_{worker_id}", clock) as city:
        clock.set(datetime(2026, 5, 27, 2, tzinfo=UTC))
        city.report()
        city.report()
        clock.set(datetime(2026, 6, 3, 2, tzinfo=UTC))
        city.report()
        city.report(cell="990101002001001")
        city.report(cell="990101002001001", category="07-001")
        yield city


def see(city: Any, path: str, login: str = "platform", status: int = 200) -> str:
    answer = city.as_(login).get(path, headers={"accept": "text/html"})
    assert answer.status_code == status, answer.text[:400]
    return str(answer.text)


def drawing(city: Any, path: str) -> Any:
    data = re.search(r'<script[^>]*type="application/json"[^>]*>(.*?)</script>', see(city, path), re.DOTALL)
    assert data is not None
    return json.loads(data[1])


def frame_of(page: str) -> str:
    found = re.search(r'<iframe[^>]*src="([^"]+)"', page)
    assert found is not None
    return unescape(found[1])


def listed(page: str) -> dict[str, int]:
    rows = re.findall(r'<tr data-code="(\d+)">.*?data-n>([\d,]+)<', page, re.DOTALL)
    return {code: int(n.replace(",", "")) for code, n in rows}


@pytest.mark.parametrize("level", ["district", "town", "community", "building_group"])
def test_at_every_level_the_list_the_map_and_the_total_say_the_same(lively: Any, level: str) -> None:
    page = see(lively, f"/map/hotspots?level={level}&{PERIOD}")
    drawn = drawing(lively, frame_of(page))

    rows = listed(page)
    total = re.search(r"<tfoot>.*?data-n>(\d+)<", page, re.DOTALL)
    assert sum(rows.values()) == 5
    assert total is not None
    assert int(total[1]) == 5
    assert {row[0]: int(row[8][0]) for row in drawn["layers"][0]["rows"]} == rows


def test_the_slider_has_every_week_of_the_period_and_begins_where_the_address_says(lively: Any) -> None:
    page = see(lively, f"/map/hotspots?level=community&{PERIOD}&span=1&week=2026-05-25")
    weeks = drawing(lively, frame_of(page))["weeks"]

    assert (weeks["first"], weeks["count"], weeks["span"], weeks["at"]) == ("2026-05-25", 2, 1, 0)
    assert sorted(filter(None, weeks["rows"])) == ["02", "21"]


def test_filters_stay_when_one_goes_a_level_down_and_up_again(lively: Any) -> None:
    asked = (
        f"level=town&{PERIOD}&category=10-001&grade=orange&metric=per_km2&classes=quantile&compare=previous"
    )
    page = see(lively, f"/map/hotspots?{asked}")

    (down, *_) = map(unescape, re.findall(r'<th scope="row"><a href="([^"]+)"', page))
    (drill,) = {layer["drill"] for layer in drawing(lively, frame_of(page))["layers"] if layer.get("drill")}
    below = see(lively, down)
    crumbs = re.findall(r'<nav class="crumbs".*?</nav>', below, re.DOTALL)[0]
    kept = ["category=10-001", "grade=orange", "metric=per_km2", "classes=quantile", "compare=previous"]
    for address in (down, drill, unescape(crumbs)):
        assert [part for part in kept if part not in address] == []
    assert "level=community" in down
    assert "level=community" in drill


@pytest.mark.parametrize(
    "asked",
    [
        "metric=per_km2",
        "metric=per_1000_households&classes=quantile",
        "layer=moran",
        "layer=density",
        "compare=previous",
        "compare=last_year&metric=per_1000_households",
        "compare=own&before_from=2026-01-01&before_to=2026-01-31",
        "grade=orange&channel=hotline",
    ],
)
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_every_look_of_the_hot_spots_is_drawn(lively: Any, asked: str, language: str) -> None:
    page = see(lively, f"/map/hotspots?level=community&{PERIOD}&{asked}&lang={language}")

    drawn = drawing(lively, frame_of(page))
    assert drawn["legend"][0]["items"]
    assert listed(page) or "data-n>" in page


@pytest.mark.parametrize(
    "metric",
    [
        "accept",
        "arrive",
        "close",
        "handle",
        "respond",
        "overdue",
        "on_time",
        "rework",
        "returned",
        "reopened",
    ],
)
@pytest.mark.parametrize(
    "asked", ["", "&compare=previous", "&time=working", "&stat=p90&time=working", "&stat=overdue"]
)
def test_every_time_and_every_rate_is_drawn(lively: Any, metric: str, asked: str) -> None:
    page = see(lively, f"/map/responses?level=community&{PERIOD}&metric={metric}{asked}")

    assert drawing(lively, frame_of(page))["layers"][0]["rows"]


def offered(page: str) -> set[str]:
    """Return the names of the choices of the form, without those in a part that is hidden."""
    form = page[page.index('class="card filters') :].partition("</form>")[0]
    shown = re.sub(r'(?s)<div class="depends"[^>]* hidden>.*?</select>', "", form)
    return set(re.findall(r'<select[^>]* name="([a-z_]+)"', shown))


@pytest.mark.parametrize(
    ("view", "asked", "apply"),
    [
        ("responses", "metric=handle", {"stat", "time", "classes"}),
        ("responses", "", {"stat", "time", "classes"}),
        ("responses", "metric=overdue", {"classes"}),
        ("responses", "metric=reopened&compare=previous", set()),
        ("hotspots", "layer=moran", {"layer", "classes"}),
        ("hotspots", "layer=moran&compare=previous", set()),
    ],
)
def test_the_form_offers_only_choices_that_mean_something(
    lively: Any, view: str, asked: str, apply: set[str]
) -> None:
    page = see(lively, f"/map/{view}?{PERIOD}&{asked}")

    assert offered(page) & {"stat", "time", "layer", "classes"} == apply


@pytest.mark.parametrize("rate", ["overdue", "on_time"])
def test_what_a_rate_has_none_of_changes_nothing(lively: Any, rate: str) -> None:
    asked = f"/map/responses?level=community&{PERIOD}&metric={rate}"
    plain, more = see(lively, asked), see(lively, f"{asked}&stat=p90&time=working&lang=zh-CN")

    first, second = (drawing(lively, frame_of(page)) for page in (plain, more))
    assert first["title"] == second["title"]
    assert first["legend"] == second["legend"]
    assert [row[3] for row in first["layers"][0]["rows"]] == [row[3] for row in second["layers"][0]["rows"]]


def test_two_periods_are_compared_with_triangle_and_sign(lively: Any) -> None:
    page = see(lively, "/map/hotspots?level=community&from=2026-06-01&to=2026-06-07&compare=previous")

    drawn = drawing(lively, frame_of(page))
    labels = {row[0]: row[3] for row in drawn["layers"][0]["rows"]}
    assert labels["990101001001"] == "▼ −1"  # two in the week before, one now
    assert labels["990101002001"] == "▲ +2"
    assert "▼ −1" in page
    assert "▲ +2" in page


def test_too_few_weeks_for_a_pattern_are_said_and_nothing_is_drawn(lively: Any) -> None:
    page = see(lively, f"/map/hotspots?{PERIOD}&layer=emerging", status=422)

    assert "<iframe" not in page
    assert "too_few_" in page


@pytest.mark.parametrize("view", ["hotspots", "responses", "recurrences"])
@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("from=2035-01-01&to=2035-01-31", "period_to_come"),  # nothing is known of it, and none is no zero
        ("area=990101001&level=district", "no_cells"),
    ],
)
def test_what_no_figure_can_be_of_is_refused_in_a_sentence(
    lively: Any, view: str, asked: str, code: str
) -> None:
    page = see(lively, f"/map/{view}?{asked}", status=422)

    assert code in page
    assert "<iframe" not in page
    assert code in see(lively, f"/maps/{view}?{asked}", status=422)


@pytest.mark.parametrize("view", ["hotspots", "responses"])
def test_where_nothing_is_counted_page_and_map_say_so(lively: Any, view: str) -> None:
    page = see(lively, f"/map/{view}?from=2001-01-01&to=2001-01-31&lang=en")

    assert "Not one case is counted here" in page
    assert "Not one case is counted here" in "".join(drawing(lively, frame_of(page))["notes"])


@pytest.mark.parametrize("metric", ["posts", "leads"])
def test_what_is_missing_where_is_a_map_for_those_who_keep_duties(lively: Any, metric: str) -> None:
    page = see(lively, f"/map/coverage?level=community&metric={metric}")

    assert drawing(lively, frame_of(page))["layers"][0]["rows"]
    assert "/coverage?area=" in page
    assert "/map/coverage" not in see(lively, "/map/hotspots", login="worker")
    see(lively, "/map/coverage", login="worker", status=403)
    see(lively, "/maps/coverage", login="worker", status=403)


@pytest.mark.parametrize(
    "address", [f"{kind}/{view}" for view in (*SHARED, "recurrences") for kind in ("map", "maps")]
)
def test_more_areas_than_a_map_draws_are_refused_with_what_to_do(
    still_city: Any, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(analysis, "MOST_CELLS", 1)

    answer = still_city.as_("platform").get(f"/{address}?level=building_group&lang=en")

    if address == "map/recurrences":  # the page lists places; its map says so in its frame
        assert answer.status_code == 200
        return
    assert "choose a level above, or a part of the area, such as one town" in unescape(answer.text)


def test_a_long_table_says_that_it_is_not_all(still_city: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    platform = still_city.as_("platform")
    whole = platform.get("/map/hotspots?level=building_group&lang=en").text
    areas = whole.count("<tr data-code=")
    assert areas > 1
    assert "the files hold all of them" not in whole

    monkeypatch.setattr(analysistable, "MOST_LINES", 1)
    page = platform.get("/map/hotspots?level=building_group&lang=en").text

    assert f"The first 1 of {areas} areas by this figure; the files hold all of them." in page
    assert page.count("<tr data-code=") == 1
