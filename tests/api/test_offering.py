"""What is offered first, and what stands behind the fold."""

from __future__ import annotations

import pytest

from api.pages.offering import arranged
from grids.offers import Action


def task(key: str, *acts: str) -> list[Action]:
    return [Action("task", key, act) for act in acts]


def shown(actions: list[Action]) -> tuple[list[tuple[str | None, list[str]]], list[str]]:
    """Return the groups that are open, and the acts behind the fold."""
    first, more = arranged(actions)
    return (
        [(group.task, [act.action for act in group.actions]) for group in first],
        [act.action for group in more for act in group.actions],
    )


def test_acts_stand_by_department_and_what_is_rare_behind_the_fold() -> None:
    actions = [
        Action("whistle", "W1", "withdraw"),
        *task("1", "dispute", "check_in", "nudge"),
        *task("2", "check_in", "nudge", "start_remote"),
    ]

    assert shown(actions) == (
        [("1", ["check_in"]), ("2", ["check_in"])],
        ["withdraw", "dispute", "nudge", "nudge", "start_remote"],
    )


@pytest.mark.parametrize(
    ("actions", "first", "more"),
    [
        # a department that is called: the answer first, then the way out
        (
            task("1", "request_return", "respond", "dispute", "extend"),
            ["respond", "request_return"],
            ["dispute", "extend"],
        ),
        # somebody claims to be there: both words of the town; one of them alone takes back what was said
        (task("1", "deny_presence", "confirm_presence"), ["confirm_presence", "deny_presence"], []),
        (task("1", "score", "deny_presence"), ["score"], ["deny_presence"]),
        # sending back belongs to looking at the result
        ([Action("whistle", "W1", "verify"), *task("1", "rework")], ["verify", "rework"], []),
        (task("1", "score", "rework"), ["score"], ["rework"]),
        # a request to wait is granted or not; without one, letting a case wait is rare
        (
            [Action("incident", "1", act) for act in ("refuse_suspension", "suspend", "cancel")],
            ["suspend", "refuse_suspension"],
            ["cancel"],
        ),
        ([Action("incident", "1", act) for act in ("accept", "suspend")], ["accept"], ["suspend"]),
        # where nothing is needed, nothing is hidden
        (task("1", "nudge", "dispute"), ["nudge", "dispute"], []),
    ],
)
def test_what_a_decision_needs_stands_together(
    actions: list[Action], first: list[str], more: list[str]
) -> None:
    groups, folded = shown(actions)

    assert [act for _, acts in groups for act in acts] == first
    assert folded == more
