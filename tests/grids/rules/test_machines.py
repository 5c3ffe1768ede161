"""The three state tables, walked whole: every allowed and every forbidden pair of state and act."""

from __future__ import annotations

from enum import StrEnum
from itertools import product
from typing import Any

import pytest

from gis.errors import Conflict, Forbidden
from grids.rules.lifecycle import INCIDENT, IncidentStatus
from grids.rules.machine import Machine
from grids.rules.permissions import Role
from grids.rules.tasks import TASK, TaskStatus
from grids.rules.whistles import WHISTLE, WhistleStatus

MACHINES: list[tuple[Machine[Any], type[StrEnum], set[str]]] = [
    (INCIDENT, IncidentStatus, {f"I{n}" for n in range(1, 15)}),
    (WHISTLE, WhistleStatus, {f"W{n}" for n in range(1, 10)}),
    (TASK, TaskStatus, {f"T{n}" for n in range(1, 14)} | {"W7"}),
]
ENDS = {
    IncidentStatus.REJECTED,
    IncidentStatus.MERGED,
    IncidentStatus.CANCELLED,
    WhistleStatus.ESCALATED,
    WhistleStatus.RETURNED_TO_COMMUNITY,
    WhistleStatus.REFUSED,
    WhistleStatus.WITHDRAWN,
    TaskStatus.RETURNED,
}


def allowed(machine: Machine[Any], state: Any, action: str, role: Role, level: int | None) -> bool:
    return any(
        row.action == action
        and (state in row.sources)
        and role in row.roles
        and row.offered
        and (row.level is None or row.level == level)
        for row in machine.transitions
    )


@pytest.mark.parametrize(("machine", "states", "rows"), MACHINES, ids=lambda m: getattr(m, "name", ""))
def test_every_row_of_the_domain_is_in_the_table(machine, states, rows):
    assert {row.row for row in machine.transitions} == rows


@pytest.mark.parametrize(("machine", "states", "rows"), MACHINES, ids=lambda m: getattr(m, "name", ""))
def test_every_pair_of_state_act_and_role_is_decided_as_the_table_says(machine, states, rows):
    acts = sorted({row.action for row in machine.transitions})
    levels = sorted({row.level for row in machine.transitions}, key=str)
    decided = 0

    for state, action, role, level in product(states, acts, Role, levels):
        if allowed(machine, state, action, role, level):
            row = machine.decide(state, action, role, level=level)
            assert (row.action, row.target) == (action, row.target)
            assert action in machine.actions(state, role, level=level)
        else:
            with pytest.raises((Conflict, Forbidden)):
                machine.decide(state, action, role, level=level)
            assert action not in machine.actions(state, role, level=level)
        decided += 1

    assert decided == len(list(states)) * len(acts) * len(Role) * len(levels)


@pytest.mark.parametrize(("machine", "states", "rows"), MACHINES, ids=lambda m: getattr(m, "name", ""))
def test_every_state_can_be_reached_and_only_ends_have_no_way_on(machine, states, rows):
    reached = {row.target for row in machine.transitions if not row.sources}
    while True:
        further = {row.target for row in machine.transitions if row.sources & reached} - reached
        if not further:
            break
        reached |= further

    assert reached == set(states)
    assert {state for state in states if not any(state in row.sources for row in machine.transitions)} == {
        end for end in ENDS if isinstance(end, states)
    }


def test_one_act_from_one_state_never_leads_two_ways():
    for machine, states, _ in MACHINES:
        levels = {row.level for row in machine.transitions}
        for state, level in product([*states, None], levels):
            targets: dict[str, set[Any]] = {}
            for row in machine.transitions:
                starts = state in row.sources if state else not row.sources
                if starts and row.level in (None, level):
                    targets.setdefault(row.action, set()).add(row.target)
            assert all(len(found) == 1 for found in targets.values()), (machine.name, state, targets)


def test_a_forbidden_act_says_what_is_allowed_instead():
    with pytest.raises(Conflict) as refusal:
        INCIDENT.decide(IncidentStatus.CLOSED, "accept", Role.TOWN_GRID_CENTRE)

    assert refusal.value.code == "illegal_transition"
    assert refusal.value.facts["allowed"] == ["reopen"]


def test_an_act_of_somebody_elses_role_names_whose_it_is():
    with pytest.raises(Forbidden, match="town_leader"):
        WHISTLE.decide(WhistleStatus.PENDING_CONFIRM, "confirm", Role.TOWN_OFFICE, level=3)


def test_a_planned_act_has_a_code_of_its_own():
    with pytest.raises(Conflict) as refusal:
        INCIDENT.decide(IncidentStatus.HANDLING, "suspend", Role.TOWN_GRID_CENTRE)

    assert refusal.value.code == "not_offered_yet"


def test_a_duty_dispute_never_changes_a_state():
    for row in TASK.rows("dispute"):
        assert row.sources == {row.target}
