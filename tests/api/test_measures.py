"""Figures and maps over HTTP: one row a grid, drawn in a sandbox that asks for our own files only."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote

import pytest

HOSTILE = "</script><script>alert(1)</script>${alert(2)}`\"'<img src=x onerror=alert(3)>"


@pytest.fixture(scope="module")
def lively(still_city: Any) -> Any:
    """A city in which some things have happened."""
    for _ in range(3):
        still_city.report()
    still_city.report(cell="990101001002001", text=HOSTILE, address="${alert(4)}")
    number = still_city.report(cell="990101002001001", category="02-007")
    still_city.act("sibling", f"incidents/{number}/accept", {})
    return still_city


def by_code(figure: dict[str, Any]) -> dict[str, Any]:
    return {row["code"]: row for row in figure["rows"]}


def test_counts_are_of_the_level_and_area_that_was_asked_for(lively: Any) -> None:
    towns = lively.see("platform", "measures/counts")
    cells = lively.see("platform", "measures/counts", area="990101001", level="building_group")

    assert (towns["area"], towns["level"]) == ("990101", "town")
    assert {code: row["n"] for code, row in by_code(towns).items()} == {"990101001": 4, "990101002": 1}
    assert {code: row["n"] for code, row in by_code(cells).items()} == {
        "990101001001001": 3,
        "990101001001002": 0,
        "990101001002001": 1,
        "990101001002002": 0,
    }


def test_a_rate_names_its_denominator(lively: Any) -> None:
    figure = lively.see("platform", "measures/hotspots", metric="per_1000_households")

    assert by_code(figure)["990101001"]["denominator"] == 1600
    assert by_code(figure)["990101001"]["value"] == pytest.approx(2.5)


def test_a_time_says_how_many_it_stands_on(lively: Any) -> None:
    figure = lively.see("platform", "measures/responses", metric="handle")

    rows = by_code(figure)
    assert (rows["990101002"]["n"], rows["990101002"]["open"]) == (1, 1)
    assert (rows["990101001"]["n"], rows["990101001"]["value"]) == (0, None)


def test_a_department_counts_its_own_cases_wherever_they_lie(lively: Any) -> None:
    figure = lively.see("scjg", "measures/counts")

    assert figure["area"] == "990101"
    assert sum(row["n"] for row in figure["rows"]) == 0


@pytest.mark.parametrize(
    ("asked", "field"), [("cursor=x", "cursor"), ("limit=201", "limit"), ("limit=0", "limit")]
)
def test_a_page_of_places_that_there_cannot_be_is_refused(lively: Any, asked: str, field: str) -> None:
    answer = lively.as_("platform").get(f"/api/measures/recurrent-places?{asked}")

    assert answer.status_code == 422
    assert field in answer.text


ROUTES = [
    "counts?metric=per_km2",
    "hotspots?metric=per_1000_households",
    "hotspots?default_points=leave_out",
    "responses?metric=respond",
    "responses?metric=accept&time=working",
    "rates?metric=overdue",
    "rates?metric=on_time",
    "rates?metric=rework",
    "rates?metric=returned",
    "rates?metric=reopened",
    "compare?of=counts",
    "compare?of=responses&metric=accept",
    "compare?of=rates&metric=overdue&before_from=2026-01-01&before_to=2026-02-01",
    "recurrences",
    "weekly",
    "emerging?from=2026-01-01",
    "density",
    "default-points",
]


@pytest.mark.parametrize("asked", ROUTES)
def test_every_figure_says_what_it_is_and_where_its_cases_are(lively: Any, asked: str) -> None:
    path, _, query = asked.partition("?")
    told = dict(pair.split("=") for pair in query.split("&") if pair)

    figure = lively.see("platform", f"measures/{path}", grade="yellow", channel="hotline", **told)
    english = lively.see("platform", f"measures/{path}", lang="en", **told)

    assert (figure["grade"], figure["channel"]) == ("yellow", "hotline")
    assert "definition." not in figure["definition"] + english["definition"]
    assert english["definition"] > ""
    assert figure["definition"] != english["definition"]
    for row in figure.get("rows", []):
        assert "n" in row
        if "incidents" in row:
            assert row["incidents"].startswith(f"/api/incidents?area={row['code']}&from=")
            assert lively.as_("platform").get(row["incidents"]).status_code == 200


def test_the_cases_behind_a_figure_are_as_many_as_it_says(lively: Any) -> None:
    figure = lively.see("platform", "measures/counts", channel="hotline")

    for row in figure["rows"]:
        listed = lively.as_("platform").get(row["incidents"]).json()["items"]
        assert len(listed) == row["n"]


def test_a_metric_that_is_none_of_a_figure_is_refused(lively: Any) -> None:
    answer = lively.as_("platform").get("/api/measures/compare?of=rates&metric=handle")

    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_choice")


def test_a_surface_holds_its_incidents(lively: Any) -> None:
    figure = lively.see("platform", "measures/density", bandwidth_m=400, cell_m=200)

    held = sum(map(sum, figure["per_km2"])) * (figure["cell_m"] / 1000) ** 2
    assert figure["n"] == 5
    assert held == pytest.approx(5, abs=0.05)


MAPS = ["area", "hotspots", "responses", "recurrences"]


@pytest.mark.parametrize("kind", MAPS)
def test_a_map_is_shut_into_a_sandbox_that_knows_only_our_origin(lively: Any, kind: str) -> None:
    answer = lively.as_("platform").get(f"/maps/{kind}")

    policy = answer.headers["content-security-policy"]
    assert answer.status_code == 200
    assert policy.startswith("sandbox allow-scripts allow-popups allow-top-navigation-by-user-activation;")
    assert "allow-same-origin" not in policy
    assert "default-src 'none'" in policy
    nonce = re.search(r"'nonce-([\w-]+)' http://testserver;", policy)
    assert nonce is not None
    scripts = re.findall(r"<script[^>]*>", answer.text)
    assert scripts
    assert all(f'nonce="{nonce[1]}"' in script for script in scripts)
    assert not re.findall(r"(?:src|href)=[\"'](?:https?:)?//", answer.text)
    again = lively.as_("platform").get(f"/maps/{kind}").headers["content-security-policy"]
    assert again != policy


@pytest.mark.parametrize("kind", MAPS)
def test_what_people_wrote_reaches_a_map_as_data_only(lively: Any, kind: str) -> None:
    html = lively.as_("platform").get(f"/maps/{kind}").text

    data = re.search(r'<script[^>]*type="application/json"[^>]*>(.*?)</script>', html, re.DOTALL)
    assert data is not None
    outside = html.replace(data[1], "")
    for part in ("alert(", "onerror"):
        assert part not in outside
    assert "<" not in data[1]
    drawing = json.loads(data[1])
    if kind == "area":
        assert HOSTILE in json.dumps(drawing, ensure_ascii=False).replace('\\"', '"')


@pytest.mark.parametrize("kind", MAPS)
def test_a_map_can_be_kept_as_one_file(lively: Any, kind: str) -> None:
    answer = lively.as_("platform").get(f"/maps/{kind}?download=1")

    disposition = answer.headers["content-disposition"]
    (name,) = re.findall('filename="([^"]+)"', disposition)
    assert re.fullmatch(f"{kind}-990101(-(count|handle))?(-20260306-20260603)?\\.html", name)
    assert disposition == f"attachment; filename=\"{name}\"; filename*=UTF-8''{name}"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert not re.findall(r"<(?:script|link)[^>]+(?:src|href)=", answer.text)


@pytest.mark.parametrize("metric", ["accept", "respond", "arrive", "handle"])
def test_every_step_that_is_measured_can_be_drawn(lively: Any, metric: str) -> None:
    assert lively.as_("platform").get(f"/maps/responses?metric={metric}").status_code == 200
    assert lively.see("platform", "measures/responses", metric=metric)["metric"] == metric


def test_a_host_that_is_none_never_reaches_the_policy(lively: Any) -> None:
    answer = lively.as_("platform").get("/maps/hotspots", headers={"host": "x; script-src *"})

    assert answer.status_code in (200, 400)
    assert "script-src *" not in answer.headers["content-security-policy"]


def test_a_map_speaks_the_readers_language(lively: Any) -> None:
    chinese = lively.as_("platform").get("/maps/area").text
    english = lively.as_("platform").get("/maps/area?lang=en").text

    assert 'lang="zh-CN"' in chinese
    assert 'lang="en"' in english
    assert "Unlicensed business" in english
    assert "无照" in chinese


def test_cells_lead_to_the_level_below_and_to_their_cases(lively: Any) -> None:
    html = lively.as_("platform").get("/maps/hotspots?from=2026-05-01&to=2026-06-03&category=10-001").text

    data = re.search(r'<script[^>]*type="application/json"[^>]*>(.*?)</script>', html, re.DOTALL)
    assert data is not None
    links = [link["href"] for layer in json.loads(data[1])["layers"] for link in layer.get("links", [])]
    period = "from=2026-05-01&to=2026-06-03&category=10-001"
    assert f"/map/hotspots?area={{code}}&level=community&metric=count&{period}" in links
    assert f"/dispatch?area={{code}}&{period}&counted=1" in links
    assert all(unquote(link).startswith("/") for link in links)
