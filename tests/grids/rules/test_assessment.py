from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import InvalidInput
from grids.rules.assessment import (
    PenaltyKind,
    Record,
    TownWeights,
    appraise,
    penalties,
    score_town,
    shown,
)

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


SPOTLESS = Record(
    responded_late=False,
    named=True,
    must_come=True,
    late_minutes=0,
    overdue=None,
    reworks=0,
    unfounded_returns=0,
)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("change", "off"),
    [
        ({}, []),
        ({"responded_late": True}, [(PenaltyKind.LATE_RESPONSE, 10)]),
        ({"responded_late": None, "named": False}, [(PenaltyKind.NO_RESPONSE, 20)]),
        ({"named": False}, [(PenaltyKind.NO_NAME_OR_PHONE, 5)]),
        ({"late_minutes": 1}, [(PenaltyKind.LATE_ARRIVAL, 5)]),
        ({"late_minutes": None}, [(PenaltyKind.NO_SHOW, 25)]),
        ({"late_minutes": None, "must_come": False}, []),
        ({"overdue": timedelta(seconds=1)}, [(PenaltyKind.OVERDUE, 15)]),
        ({"overdue": 24 * HOUR - timedelta(microseconds=1)}, [(PenaltyKind.OVERDUE, 15)]),
        ({"overdue": 24 * HOUR}, [(PenaltyKind.OVERDUE, 20)]),
        ({"overdue": 72 * HOUR}, [(PenaltyKind.OVERDUE, 30)]),
        ({"overdue": 2400 * HOUR}, [(PenaltyKind.OVERDUE, 30)]),
        ({"reworks": 3}, [(PenaltyKind.REWORK, 30)]),
        ({"unfounded_returns": 1}, [(PenaltyKind.UNFOUNDED_RETURN, 10)]),
        (
            {"responded_late": True, "late_minutes": 40, "overdue": HOUR, "reworks": 1},
            [
                (PenaltyKind.LATE_RESPONSE, 10),
                (PenaltyKind.LATE_ARRIVAL, 5),
                (PenaltyKind.OVERDUE, 15),
                (PenaltyKind.REWORK, 10),
            ],
        ),
    ],
)
def test_what_the_record_costs(change, off) -> None:
    found = penalties(replace(SPOTLESS, **change))

    assert [(penalty.kind, penalty.points) for penalty in found] == off


@pytest.mark.parametrize(
    ("town", "peer", "change", "system", "total"),
    [
        (100, None, {}, 100, "100"),
        (80, None, {}, 100, "88"),  # 0.6 * 80 + 0.4 * 100
        (80, 60, {}, 100, "85.6"),  # 0.6 * (0.8 * 80 + 0.2 * 60) + 40
        (None, None, {"reworks": 2}, 80, "80"),  # the town gave no marks: the record alone
        (None, 10, {}, 100, "100"),  # and then the lead's mark does not count either
        (
            100,
            None,
            {"responded_late": None, "late_minutes": None, "overdue": 99 * HOUR, "reworks": 9},
            0,
            "60",
        ),
    ],
)
def test_marks_and_record_make_the_result(town, peer, change, system, total) -> None:
    result = appraise(
        None if town is None else Decimal(town),
        None if peer is None else Decimal(peer),
        replace(SPOTLESS, **change),
    )

    assert (result.system, result.total) == (system, Decimal(total))


def test_an_emergency_counts_half_as_much_again() -> None:
    assert appraise(Decimal(90), None, SPOTLESS, emergency=True).weight == Decimal("1.5")
    assert appraise(Decimal(90), None, SPOTLESS).weight == 1


@given(
    town=st.none() | SCORES,
    peer=st.none() | SCORES,
    late=st.none() | st.booleans(),
    minutes=st.none() | st.integers(0, 10_000),
    hours=st.none() | st.integers(0, 10_000),
    reworks=st.integers(0, 20),
    returns=st.integers(0, 5),
)
@settings(max_examples=300)
def test_a_result_lies_between_0_and_100_and_more_penalties_never_raise_it(
    town, peer, late, minutes, hours, reworks, returns
) -> None:
    record = Record(
        responded_late=late,
        named=True,
        must_come=True,
        late_minutes=minutes,
        overdue=None if hours is None else hours * HOUR,
        reworks=reworks,
        unfounded_returns=returns,
    )
    result = appraise(town, peer, record)

    assert 0 <= result.total <= 100
    assert appraise(town, peer, replace(record, reworks=reworks + 1)).total <= result.total
    assert result.total <= appraise(town, peer, SPOTLESS).total
