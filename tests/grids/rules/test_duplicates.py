from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from gis.errors import Conflict, InvalidInput
from grids.rules.calendar import SHANGHAI
from grids.rules.duplicates import (
    WITHIN,
    Candidate,
    Pair,
    metres_from,
    propose_duplicates,
    require_mergeable,
)

NOW = datetime(2026, 3, 11, 9, 0, tzinfo=SHANGHAI)


def a_candidate(
    number: str = "A",
    category: str = "02-001",
    x_m: float = 0.0,
    y_m: float = 0.0,
    reported_at: datetime = NOW,
    open: bool = True,  # noqa: A002 - the field's own name
) -> Candidate:
    return Candidate(number, category, x_m, y_m, reported_at, open)


def numbers(*candidates: Candidate, radius_m: float | None = 30) -> list[str]:
    found = propose_duplicates(0.0, 0.0, "02-001", NOW, candidates, radius_m=radius_m)
    return [proposal.number for proposal in found]


@pytest.mark.parametrize(
    ("candidate", "proposed"),
    [
        (a_candidate(), True),
        (a_candidate(x_m=30.0), True),  # on the circle
        (a_candidate(x_m=30.001), False),
        (a_candidate(x_m=24.0, y_m=18.0), True),  # 30 m as the crow flies
        (a_candidate(x_m=24.0, y_m=18.1), False),
        (a_candidate(category="02-002"), False),
        (a_candidate(open=False), False),
        (a_candidate(reported_at=NOW - timedelta(days=7)), True),
        (a_candidate(reported_at=NOW - timedelta(days=7, seconds=1)), False),
        (a_candidate(reported_at=NOW + timedelta(hours=3)), True),  # ours was written offline and came late
        (a_candidate(reported_at=NOW + timedelta(days=8)), False),
    ],
)
def test_a_duplicate_is_the_same_trouble_near_by_lately_and_still_open(
    candidate: Candidate, proposed: bool
) -> None:
    assert bool(numbers(candidate)) is proposed


def test_the_nearest_comes_first_and_of_equals_the_older() -> None:
    assert numbers(
        a_candidate("far", x_m=20),
        a_candidate("young", x_m=10),
        a_candidate("old", x_m=10, reported_at=NOW - timedelta(days=2)),
        a_candidate("here"),
    ) == ["here", "old", "young", "far"]


def test_a_proposal_says_how_far_and_how_long_ago() -> None:
    candidate = a_candidate(x_m=3, y_m=4, reported_at=NOW - timedelta(hours=5))

    (proposal,) = propose_duplicates(0.0, 0.0, "02-001", NOW, [candidate], radius_m=30)

    assert (proposal.distance_m, proposal.apart) == (5.0, timedelta(hours=5))


def test_a_matter_without_a_place_has_no_duplicates() -> None:
    assert numbers(a_candidate(), radius_m=None) == []


def test_a_moment_without_offset_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no offset"):
        propose_duplicates(0, 0, "02-001", datetime(2026, 3, 11), [], radius_m=30)  # noqa: DTZ001 - the point


# -- merging


def pair(**changes):
    same = {
        "category": "02-001",
        "master_category": "02-001",
        "distance_m": 12.0,
        "radius_m": 30.0,
        "apart": timedelta(days=2),
        "master_open": True,
        "resolved_first": False,
        "same_reporter": False,
    }
    return Pair(**(same | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"distance_m": 30.0},
        {"apart": WITHIN},
        {"category": None},
        {"master_category": None},
        {"radius_m": None, "distance_m": 9000.0, "same_reporter": True},
    ],
)
def test_the_same_thing_twice_is_merged(changes):
    require_mergeable(pair(**changes))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"master_open": False}, "master_ended"),
        ({"resolved_first": True}, "master_resolved"),
        ({"category": "07-001"}, "another_category"),
        ({"category": None, "master_category": None}, "category_needed"),
        ({"apart": WITHIN + timedelta(seconds=1)}, "too_long_apart"),
        ({"distance_m": 30.1}, "too_far_apart"),
        ({"radius_m": None}, "no_merge_radius"),
        ({"distance_m": 30.1, "same_reporter": True}, "too_far_apart"),
    ],
)
def test_what_is_not_the_same_thing_is_refused_by_name(changes, code):
    with pytest.raises(Conflict) as refusal:
        require_mergeable(pair(**changes))

    assert refusal.value.code == code


def test_metres_run_east_and_north_from_a_point():
    east, north = metres_from(117.0, 36.0, 117.001, 36.002)

    assert east == pytest.approx(90.16, abs=0.05)
    assert north == pytest.approx(221.9, abs=0.1)
