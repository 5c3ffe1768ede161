from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import InvalidInput
from grids.rules.assessment import TownWeights, score_town, shown

SCORES = st.decimals(0, 100, places=2)


@pytest.mark.parametrize(
    ("items", "total"),
    [
        ((100, 100, 100), "100"),  # four full marks, as in the barbecue case
        ((0, 0, 0), "0"),
        ((100, 0, 0), "30"),
        ((0, 100, 0), "40"),
        ((0, 0, 100), "30"),
        ((90, 80, 70), "80"),
        (("87.35", "92.10", "78.05"), "86.46"),
        ((60, 60, 60), "60"),
    ],
)
def test_a_town_score_weighs_response_handling_and_result(
    items: tuple[int | str, int | str, int | str], total: str
) -> None:
    assert score_town(*items, reason="as seen on site").total == Decimal(total)


def test_a_score_under_60_needs_a_reason() -> None:
    with pytest.raises(InvalidInput, match=r"a score of 59\.99 is under 60") as caught:
        score_town("59.99", "59.99", "59.99", reason="  ")

    assert caught.value.code == "reason_needed"
    assert score_town("59.99", "59.99", "59.99", reason=" came late ").reason == "came late"
    assert score_town(60, 60, 60).reason is None


@pytest.mark.parametrize("bad", [-1, "100.01", "99.999", "NaN", "Infinity", "good", "", True, 99.5])
@pytest.mark.parametrize("item", [0, 1, 2])
def test_an_item_outside_0_to_100_is_refused_by_name(bad: int | str, item: int) -> None:
    items: list[int | str] = [80, 80, 80]
    items[item] = bad

    with pytest.raises(InvalidInput) as caught:
        score_town(items[0], items[1], items[2])

    assert caught.value.code == "score_out_of_range"
    assert caught.value.facts["field"] == ["response", "handling", "result"][item]


@pytest.mark.parametrize(
    ("exact", "read"),
    [("93.725", "93.73"), ("93.715", "93.72"), ("93.7149", "93.71"), ("0.005", "0.01"), ("60", "60.00")],
)
def test_a_score_is_shown_with_two_places_half_up(exact: str, read: str) -> None:
    assert str(shown(Decimal(exact))) == read


@pytest.mark.parametrize("weights", [("0.3", "0.4", "0.4"), ("-0.1", "0.6", "0.5"), ("NaN", "0.5", "0.5")])
def test_weights_that_do_not_make_one_are_refused(weights: tuple[str, str, str]) -> None:
    with pytest.raises(InvalidInput, match="add up to 1"):
        TownWeights(*map(Decimal, weights))


@settings(deadline=None)
@given(SCORES, SCORES, SCORES)
def test_a_score_lies_between_its_items_and_is_exact(a: Decimal, b: Decimal, c: Decimal) -> None:
    total = score_town(a, b, c, reason="x").total

    assert min(a, b, c) <= total <= max(a, b, c)
    assert total * 10 == a * 3 + b * 4 + c * 3
