from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import combinations

import numpy as np
import pytest

from gis.errors import InvalidInput
from gis.near import circles
from grids.rules import centres
from grids.rules.rain import NO_RAIN, Rain, RainEpisode, rain_starts
from grids.rules.recurrence import RecurrenceKind, RecurrentPoint, find_recurrences

PARKING, WATER, FRAUD = "07-001", "01-002", "11-002"
RADII = {PARKING: 100.0, WATER: 100.0, "02-001": 30.0}
START = datetime(2026, 3, 1, tzinfo=UTC)

Happening = tuple[float, float, float, str]  # x, y, days after the start, category


def found(happenings: list[Happening], **rule: object) -> list[RecurrentPoint]:
    closed = rule.pop("closed", None)
    return find_recurrences(
        np.array([h[0] for h in happenings], dtype=float),
        np.array([h[1] for h in happenings], dtype=float),
        moments([h[2] for h in happenings]),
        [h[3] for h in happenings],
        RADII,
        closed_at=None if closed is None else moments(closed),  # type: ignore[arg-type]
        **rule,  # type: ignore[arg-type]
    )


def moments(days: list[float | None]) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    start = np.datetime64("2026-03-01T00:00:00", "us")
    return np.array(
        [
            np.datetime64("NaT") if d is None else start + np.timedelta64(round(d * 86_400_000_000), "us")
            for d in days
        ],
        dtype="datetime64[us]",
    )


def at(*days: float, x: float = 0.0, y: float = 0.0, category: str = PARKING) -> list[Happening]:
    return [(x, y, day, category) for day in days]


def test_three_times_in_ninety_days_at_one_place_make_a_recurrent_point() -> None:
    (point,) = found(at(0, 30, 60))

    assert (point.category, point.times, point.members) == (PARKING, 3, (0, 1, 2))
    assert (point.x_m, point.y_m) == (0.0, 0.0)
    assert point.first_at == START
    assert point.last_at == START + timedelta(days=60)
    assert point.mean_gap_days == 30.0
    assert point.kind is RecurrenceKind.INCIDENTS


@pytest.mark.parametrize(
    ("happenings", "times"),
    [
        (at(0, 30), 0),  # twice is not enough
        (at(0, 45, 90), 3),  # the ninetieth day counts
        (at(0, 45, 90.001), 0),
        (at(0, 1, 2), 3),  # a day between is enough
        (at(0, 0.99, 1.98), 0),  # less than a day is the same trouble
        (at(0, 0.5, 1, 1.5, 2), 3),  # those between do not count, the others do
        (at(0, 60, 120, 180), 0),  # never three within ninety days
        (at(0, 60, 120, 150, 180), 5),  # three within ninety days, five in all
        (at(0, 30, x=0) + at(60, x=100), 3),  # on the circle
        (at(0, 30, x=0) + at(60, x=100.1), 0),
        (at(0, 30) + at(60, category="02-001"), 0),  # another trouble
        (at(0, 30, 60, category=FRAUD), 0),  # a matter without a place
        ([], 0),
    ],
)
def test_what_comes_back_often_enough_is_found(happenings: list[Happening], times: int) -> None:
    assert [point.times for point in found(happenings)] == ([times] if times else [])


def test_each_category_has_its_own_radius() -> None:
    spread = [(0.0, 0.0, 0.0), (50.0, 0.0, 10.0), (0.0, 50.0, 20.0)]

    assert len(found([(x, y, day, PARKING) for x, y, day in spread])) == 1
    assert found([(x, y, day, "02-001") for x, y, day in spread]) == []


def test_two_places_apart_are_two_points_the_more_frequent_first() -> None:
    points = found(at(0, 10, 20, x=1000) + at(0, 10, 20, 30))

    assert [(point.x_m, point.times) for point in points] == [(0.0, 4), (1000.0, 3)]


def test_an_incident_belongs_to_one_point_only() -> None:
    line = [(x * 60.0, 0.0, float(day), PARKING) for x in range(8) for day in (x, x + 20, x + 40)]

    points = found(line)

    members = [member for point in points for member in point.members]
    assert len(members) == len(set(members))
    assert len(points) >= 2


def test_members_too_close_in_time_are_kept_but_not_counted() -> None:
    (point,) = found(at(0, 0.1, 10, 20))

    assert point.members == (0, 1, 2, 3)
    assert point.times == 3
    assert point.mean_gap_days == 10.0


def test_a_report_while_the_first_is_open_is_no_return() -> None:
    days = [0.0, 10.0, 20.0]

    assert found(at(*days), closed=[5.0, 15.0, 25.0])[0].times == 3
    assert found(at(*days), closed=[12.0, 15.0, 25.0]) == []
    assert found(at(*days), closed=[5.0, 15.0, None])[0].times == 3  # the last may still be open
    assert found(at(*days), closed=[None, 15.0, 25.0]) == []


def test_waterlogging_is_counted_by_rain() -> None:
    one_rain = [0.0, 0.1, 0.2]
    second, third = [0.5], [0.76, 0.9]  # more than six dry hours before each

    (point,) = found(at(*one_rain, *second, *third, category=WATER))

    assert point.times == 3
    assert point.kind is RecurrenceKind.RAIN_EPISODES
    assert len(point.members) == 6


def test_a_report_that_belongs_to_another_point_still_tells_that_it_rained() -> None:
    # five rains around x = 0, of which the report at x = 80 is one; around x = 150 it joins the last two reports
    around_0 = at(0, 10, 30, x=-60, category=WATER) + at(20, category=WATER) + at(40, x=60, category=WATER)
    between = at(20.2, x=80, category=WATER)
    around_150 = at(1, 20.0, 20.4, x=150, category=WATER)

    assert [point.times for point in found(around_0 + between + around_150)] == [5]
    assert [point.times for point in found(around_0 + around_150)] == [5, 3]


@pytest.mark.parametrize(("gap_hours", "times"), [(6.0, 3), (5.99, 0)])
def test_six_dry_hours_part_two_rains(gap_hours: float, times: int) -> None:
    points = found(at(0, gap_hours / 24, 2 * gap_hours / 24, category=WATER))

    assert sum(point.times for point in points) == times


def test_for_waterlogging_the_state_of_the_case_does_not_matter() -> None:
    assert found(at(0, 10, 20, category=WATER), closed=[None, None, None])[0].times == 3


def test_the_rule_can_be_set() -> None:
    assert len(found(at(0, 3), min_times=2)) == 1
    assert len(found(at(0, 0.5, 1), min_gap=timedelta(hours=12))) == 1
    assert found(at(0, 10, 20), window_days=19) == []
    assert found(at(0, 0.3, 0.6, category=WATER), rain_categories=()) == []


def test_the_order_of_the_input_does_not_matter() -> None:
    happenings = random_happenings(random.Random(1), 120)
    shuffled = list(happenings)
    random.Random(2).shuffle(shuffled)

    def places(
        points: list[RecurrentPoint], rows: list[Happening]
    ) -> list[tuple[float, float, list[Happening]]]:
        return [(p.x_m, p.y_m, sorted(rows[m] for m in p.members)) for p in points]

    assert places(found(happenings), happenings) == places(found(shuffled), shuffled)


def random_happenings(chance: random.Random, n: int) -> list[Happening]:
    return [
        (
            round(chance.uniform(0, 400), 1),
            round(chance.uniform(0, 400), 1),
            round(chance.uniform(0, 200), 2),
            chance.choice([PARKING, WATER, "02-001"]),
        )
        for _ in range(n)
    ]


def greedy_by_hand(
    rows: list[tuple[float, float, float]], radius: float, ends: list[float], rain: Rain | None
) -> list[tuple[float, float, int, list[tuple[float, float, float]]]]:
    """The definition, taken literally and slowly: every centre again in every round, chains by dynamic programming."""
    order = sorted(range(len(rows)), key=lambda i: (rows[i][2], rows[i][0], rows[i][1]))
    free = set(order)
    points: list[tuple[float, float, int, list[tuple[float, float, float]]]] = []
    while True:
        best: tuple[int, list[int]] | None = None
        centre = -1
        for i in order:
            near = [j for j in order if np.hypot(rows[i][0] - rows[j][0], rows[i][1] - rows[j][1]) <= radius]
            members = [j for j in near if j in free]
            spans = [(rows[j][2], ends[j]) for j in members]
            if rain is not None:
                # when the rain of each report began, as all reports round the centre tell it
                began = rain_starts([moment(rows[j][2]) for j in near], rain)
                told = [one for one, j in zip(began, near, strict=True) if j in free]
                days = [(one - START) / timedelta(days=1) for one in dict.fromkeys(told)]
                spans = [(day, day) for day in days]
            longest: list[int] = []
            for k, (start, _) in enumerate(spans):
                fits = [longest[m] for m in range(k) if spans[m][1] <= start + 1e-9 and spans[m] != spans[k]]
                longest.append(1 + max(fits, default=0))
            times = max(longest, default=0)
            recurrent = any(
                a[1] <= b[0] + 1e-9 and b[1] <= c[0] + 1e-9 and c[0] - a[0] <= 90
                for a, b, c in combinations(spans, 3)
            )
            if i in free and recurrent and (best is None or times > best[0]):
                best, centre = (times, members), i
        if best is None:
            return points
        free -= set(best[1])
        points.append((rows[centre][0], rows[centre][1], best[0], [rows[j] for j in best[1]]))


def moment(day: float) -> datetime:
    return START + timedelta(microseconds=round(day * 86_400_000_000))


def showers(chance: random.Random) -> Rain:
    """Gauges over the first five of ten days: rains of up to a day, with dry spells between them."""
    episodes, dry_until = [], 0.0
    while dry_until < 5:
        began = dry_until + chance.uniform(0.25, 1)
        dry_until = began + chance.uniform(0.01, 1)
        episodes.append(RainEpisode(moment(began), moment(dry_until), 10.0))
    return Rain(tuple(episodes))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("category", [PARKING, WATER])
@pytest.mark.parametrize("closing", [False, True])
@pytest.mark.parametrize("gauged", [False, True])
def test_random_cities_agree_with_the_definition_taken_literally(
    seed: int, category: str, closing: bool, gauged: bool
) -> None:
    chance = random.Random(seed)
    pace = 0.05 if category == WATER else 1.0  # reports of rain crowd, so that many are of one episode
    rows = [(x, y, day * pace) for x, y, day, _ in random_happenings(chance, 45)]
    closed = [day + round(chance.uniform(0, 25), 2) if chance.random() < 0.9 else None for _, _, day in rows]
    ends = [day + 1 for _, _, day in rows]
    if closing:
        ends = [max(end, 1e9 if c is None else c) for end, c in zip(ends, closed, strict=True)]

    rain = showers(chance) if gauged else NO_RAIN

    points = found([(*row, category) for row in rows], closed=closed if closing else None, rain=rain)

    by_hand = greedy_by_hand(rows, 100.0, ends, rain if category == WATER else None)
    ours = [(p.x_m, p.y_m, p.times, [rows[m] for m in p.members]) for p in points]
    assert sorted(ours) == sorted(by_hand)
    assert len(ours) > 0


@pytest.mark.parametrize(
    "rule",
    [
        {"window_days": 0},
        {"window_days": float("inf")},
        {"min_times": 1},
        {"min_gap": timedelta(0)},
        {"rain_gap": -timedelta(1)},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rule: dict[str, object]) -> None:
    with pytest.raises(InvalidInput) as caught:
        found(at(0, 1, 2), **rule)

    assert caught.value.code == "bad_recurrence_rule"


@pytest.mark.parametrize("radius", [0.0, -1.0, float("nan"), float("inf")])
def test_a_radius_above_zero_is_wanted(radius: float) -> None:
    none = np.array([])
    with pytest.raises(InvalidInput, match="above 0 metres"):
        find_recurrences(none, none, np.array([], dtype="datetime64[us]"), [], {PARKING: radius})


@pytest.mark.parametrize("bad", [(np.nan, 0.0, 1.0), (0.0, np.inf, 1.0), (0.0, 0.0, None)])
def test_an_incident_without_place_or_time_is_refused_by_its_position(
    bad: tuple[float, float, float | None],
) -> None:
    x, y, day = bad
    with pytest.raises(InvalidInput, match="incident 1 has no place or no time") as caught:
        find_recurrences(np.array([0, x]), np.array([0, y]), moments([0, day]), [PARKING] * 2, RADII)

    assert caught.value.code == "bad_incidents"


def test_arrays_of_different_lengths_are_refused() -> None:
    with pytest.raises(InvalidInput, match="different lengths"):
        find_recurrences(np.zeros(2), np.zeros(3), moments([0, 1]), [PARKING] * 2, RADII)


@pytest.mark.parametrize("kept", [0, 1_000])
@pytest.mark.parametrize("at_once", [1, 2_000])
def test_where_memory_is_short_the_places_are_the_same(
    kept: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(4)
    happenings = [
        (chance.randrange(0, 900, 20), chance.randrange(0, 900, 20), chance.uniform(0, 300), category)
        for category in (PARKING, WATER, "02-001")
        for _ in range(250)
    ]
    roomy = found(happenings)
    monkeypatch.setattr(centres, "_KEPT", kept)
    monkeypatch.setattr(centres, "circles", partial(circles, at_once=at_once))

    assert found(happenings) == roomy
    assert len(roomy) > 20
