"""The window of a figure over HTTP: what no figure can be of is refused by /api/measures as the pages refuse it."""

from __future__ import annotations

from typing import Any

import pytest

FIGURES = (
    "counts",
    "hotspots",
    "responses",
    "rates",
    "compare",
    "recurrences",
    "weekly",
    "emerging",
    "density",
    "default-points",
)


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize(
    ("asked", "code", "field"),
    [
        ({"from": "2026-06-04", "to": "2026-06-30"}, "period_to_come", "from"),  # the city's clock: 3 June
        ({"from": "2035-01-01", "to": "2035-01-31", "format": "csv"}, "period_to_come", "from"),
        ({"area": "990101001", "level": "district"}, "no_cells", "level"),
        ({"area": "990101001001", "level": "town"}, "no_cells", "level"),
    ],
)
def test_what_no_figure_can_be_of_is_no_zero(
    still_city: Any, figure: str, asked: dict[str, str], code: str, field: str
) -> None:
    answer = still_city.as_("platform").get(f"/api/measures/{figure}", params=asked)

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["field"] == field


def test_a_period_that_has_begun_is_answered_however_far_it_reaches(still_city: Any) -> None:
    asked = {"from": "2026-06-03", "to": "2026-12-31"}

    assert still_city.see("platform", "measures/counts", **asked)["rows"]


@pytest.mark.parametrize("view", ["map", "maps"])
def test_no_change_is_shown_from_a_period_that_is_still_to_come(still_city: Any, view: str) -> None:
    asked = "compare=own&before_from=2035-01-01&before_to=2035-01-31"

    answer = still_city.as_("platform").get(f"/{view}/hotspots?{asked}")

    assert answer.status_code == 422
    assert "period_to_come" in answer.text


def test_nothing_is_compared_with_a_period_that_is_still_to_come(still_city: Any) -> None:
    asked = {"before_from": "2035-01-01", "before_to": "2035-01-31"}

    answer = still_city.as_("platform").get("/api/measures/compare", params=asked)

    assert (answer.status_code, answer.json()["code"]) == (422, "period_to_come")
    assert answer.json()["field"] == "before_from"
