from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grids.rules.slips import HANDLING, SlipCause, SlipKind, kind_for, long_overdue_at, progress_at

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = 24 * HOUR


@pytest.mark.parametrize(
    ("hours", "share", "after"),
    [(4, "0.75", 3), (48, "0.75", 36), (10, "0.5", 5), (1, "1", 1)],
)
def test_a_reminder_goes_out_when_a_share_of_the_time_is_used_up(hours, share, after) -> None:
    assert progress_at(START, START + hours * HOUR, Decimal(share)) == START + after * HOUR


@pytest.mark.parametrize(
    ("limit", "least", "after"),
    [(4 * HOUR, DAY, DAY), (3 * DAY, DAY, 3 * DAY), (DAY, DAY, DAY), (4 * HOUR, 2 * HOUR, 4 * HOUR)],
)
def test_long_overdue_is_the_limit_once_again_and_a_day_at_least(limit, least, after) -> None:
    assert long_overdue_at(START, START + limit, least) == START + limit + after


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (SlipCause.PROGRESS, SlipKind.REMIND),
        (SlipCause.NO_RESPONSE, SlipKind.REMIND),
        (SlipCause.OVERDUE, SlipKind.SUPERVISE),
        (SlipCause.REWORK, SlipKind.SUPERVISE),
        (SlipCause.LONG_OVERDUE, SlipKind.WARN),
        (SlipCause.IGNORED, SlipKind.WARN),
    ],
)
def test_what_happened_says_which_slip(cause, kind) -> None:
    assert kind_for(cause) is kind


def test_by_hand_says_its_kind_itself() -> None:
    with pytest.raises(KeyError):
        kind_for(SlipCause.BY_HAND)


def test_only_a_reminder_needs_no_answer_and_a_warning_goes_to_the_districts_leaders() -> None:
    assert [kind for kind in SlipKind if not HANDLING[kind].answered] == [SlipKind.REMIND]
    assert "district_leader" in HANDLING[SlipKind.WARN].copies
    assert len({handling.letter for handling in HANDLING.values()}) == len(SlipKind)


@given(
    minutes=st.integers(1, 500_000), more=st.integers(0, 500_000), share=st.decimals("0.05", "0.95", places=2)
)
def test_more_time_never_brings_the_reminder_forward(minutes, more, share) -> None:
    due = START + timedelta(minutes=minutes)
    later = due + timedelta(minutes=more)

    assert START <= progress_at(START, due, share) <= progress_at(START, later, share) <= later
