"""What a check-in shows, what makes it doubtful, and what two sides' words come to: as tables of cases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gis.errors import InvalidInput
from grids.rules.presence import (
    Presence,
    PresenceFlag,
    Seen,
    Way,
    Witness,
    Word,
    check_code,
    code_at,
    flags_of,
    is_far,
    minutes_late,
    new_secret,
    presence_of,
    stands,
)

SEVEN = datetime(2026, 6, 3, 11, 0, tzinfo=UTC)
_F, _P = PresenceFlag, Presence


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


DEPARTMENT = Word(Witness.DEPARTMENT, True)
SEEN, NOT_SEEN = Word(Witness.TOWN, True), Word(Witness.TOWN, False)


@pytest.mark.parametrize(
    ("words", "over", "presence"),
    [
        ([], False, None),
        ([], True, _P.NO_SHOW),
        ([DEPARTMENT], False, _P.CLAIMED),
        ([DEPARTMENT], True, _P.CLAIMED),  # who comes after all has come
        ([SEEN], False, _P.CONFIRMED),
        ([DEPARTMENT, SEEN], False, _P.CONFIRMED),
        ([SEEN, DEPARTMENT], False, _P.CONFIRMED),
        ([DEPARTMENT, NOT_SEEN], False, _P.CONTRADICTED),
        ([DEPARTMENT, NOT_SEEN], True, _P.CONTRADICTED),
        ([DEPARTMENT, NOT_SEEN, DEPARTMENT], False, _P.CONTRADICTED),  # saying it again changes nothing
        ([DEPARTMENT, NOT_SEEN, SEEN], False, _P.CONFIRMED),
        ([DEPARTMENT, SEEN, NOT_SEEN], False, _P.CONTRADICTED),
        ([SEEN, NOT_SEEN], False, _P.NO_SHOW),  # the town takes back what it alone had said
        ([NOT_SEEN], False, _P.NO_SHOW),
        ([NOT_SEEN, DEPARTMENT], False, _P.CLAIMED),
    ],
)
def test_two_sides_words_come_to_one_presence(words, over, presence):
    assert presence_of(words, over=over) is presence


@pytest.mark.parametrize(
    ("presence", "counts"),
    [
        (None, False),
        (_P.CLAIMED, True),
        (_P.CONFIRMED, True),
        (_P.CONTRADICTED, False),
        (_P.NO_SHOW, False),
    ],
)
def test_whoever_says_they_came_has_come_unless_the_town_says_otherwise(presence, counts):
    assert stands(presence) is counts


@pytest.mark.parametrize(
    ("distance", "accuracy", "far"),
    [
        (0, None, False),
        (200, None, False),
        (200.1, None, True),
        (250, 49, True),
        (250, 50, False),  # may be 200 m away
        (400, 200, False),
        (401, 200, True),
        (401, 5000, True),  # nobody comes near by being vague
    ],
)
def test_distance_and_accuracy_are_judged_together(distance, accuracy, far):
    assert is_far(distance, accuracy) is far


@pytest.mark.parametrize(
    ("seen", "flags"),
    [
        ({"distance_m": 14, "accuracy_m": 9}, ()),
        ({}, (_F.NO_POINT,)),
        ({"distance_m": 900}, (_F.FAR,)),
        ({"distance_m": 150, "accuracy_m": 201}, (_F.COARSE,)),
        ({"distance_m": 150, "accuracy_m": 200}, ()),
        ({"distance_m": 5000, "accuracy_m": 3000}, (_F.FAR, _F.COARSE)),
        # 30 km in 12 minutes is 150 km/h, and a metre more is faster
        ({"distance_m": 5, "way": Way(30_000, 0, minutes(12))}, ()),
        ({"distance_m": 5, "way": Way(30_001, 0, minutes(12))}, (_F.FAST,)),
        ({"distance_m": 5, "way": Way(30_050, 60, minutes(12))}, ()),
        ({"distance_m": 5, "way": Way(180, 0, minutes(0))}, ()),
        ({"distance_m": 5, "way": Way(900, 0, minutes(0))}, (_F.FAST,)),
        ({"distance_m": 5, "others_on_device": 1}, (_F.SAME_DEVICE,)),
        ({"distance_m": 5, "claimed_at": SEVEN - minutes(2)}, ()),
        ({"distance_m": 5, "claimed_at": SEVEN - minutes(3)}, (_F.LATE_SYNCED,)),
        ({"distance_m": 5, "claimed_at": SEVEN + minutes(2)}, ()),
        ({"distance_m": 5, "claimed_at": SEVEN + minutes(3)}, (_F.CLOCK_OFF,)),
        ({"distance_m": 5, "sent_at": SEVEN - minutes(5)}, ()),
        ({"distance_m": 5, "sent_at": SEVEN - minutes(6)}, (_F.CLOCK_OFF,)),
        (
            {"distance_m": 5, "claimed_at": SEVEN - minutes(60), "earliest": SEVEN - minutes(50)},
            (_F.LATE_SYNCED, _F.CLOCK_OFF),
        ),
    ],
)
def test_what_is_doubtful_about_a_check_in_is_a_flag(seen, flags):
    assert flags_of(Seen(recorded_at=SEVEN, **seen)) == flags


@pytest.mark.parametrize(
    ("came", "late"),
    [(minutes(-30), 0), (minutes(0), 0), (minutes(0.99), 0), (minutes(1), 1), (minutes(20.5), 20)],
)
def test_lateness_is_whole_minutes_after_the_appointed_time(came, late):
    assert minutes_late(SEVEN, SEVEN + came) == late


def test_nobody_is_late_where_no_time_was_appointed():
    assert minutes_late(None, SEVEN) == 0


RFC = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # "12345678901234567890", the secret of RFC 6238's own examples


def test_the_code_is_that_of_the_standard():
    # appendix B of RFC 6238 gives eight digits for counter 1 (at 59 s in steps of 30 s): 94287082
    first_step = datetime.fromtimestamp(600, UTC)

    assert code_at(RFC, first_step).digits == "287082"


def test_a_code_is_shown_until_its_ten_minutes_are_over():
    code = code_at(RFC, SEVEN + minutes(3.5))

    assert code.until == SEVEN + minutes(10)
    assert code_at(RFC, SEVEN + minutes(9.99)) == code
    assert code_at(RFC, code.until).digits != code.digits


@pytest.mark.parametrize(
    ("after", "taken"), [(-0.1, False), (0, True), (9.9, True), (19.9, True), (20, False)]
)
def test_a_code_is_taken_in_its_step_and_the_one_after(after, taken):
    digits = code_at(RFC, SEVEN).digits
    if taken:
        check_code(RFC, f" {digits[:3]} {digits[3:]} ", SEVEN + minutes(after))
        return

    with pytest.raises(InvalidInput) as refusal:
        check_code(RFC, digits, SEVEN + minutes(after))

    assert (refusal.value.code, refusal.value.facts["field"]) == ("wrong_code", "code")
    assert digits not in str(refusal.value)


@pytest.mark.parametrize("said", ["", "000000", "一二三四五六", "2870822", "28708"])
def test_other_digits_are_refused(said):
    with pytest.raises(InvalidInput):
        check_code(RFC, said, datetime.fromtimestamp(600, UTC))


def test_every_whistle_has_a_secret_of_its_own():
    assert new_secret() != new_secret()
