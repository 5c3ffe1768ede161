"""The state tables, walked whole: every allowed and every forbidden pair of state and act."""

from __future__ import annotations

from enum import StrEnum
from itertools import product
from typing import Any

import pytest

from gis.errors import Conflict, Forbidden
from grids.rules.disputes import DISPUTE, RUNNING_DISPUTES, DisputeStatus
from grids.rules.lifecycle import INCIDENT, IncidentStatus
from grids.rules.machine import Machine
from grids.rules.permissions import Role
from grids.rules.places import PLACE, PlaceStatus
from grids.rules.tasks import TASK, TaskStatus
from grids.rules.whistles import WHISTLE, WhistleStatus

MACHINES: list[tuple[Machine[Any], type[StrEnum], set[str]]] = [
    (INCIDENT, IncidentStatus, {f"I{n}" for n in range(1, 15)}),
    (WHISTLE, WhistleStatus, {f"W{n}" for n in range(1, 10)} | {"I5", "I13", "T6", "T12"}),
    (TASK, TaskStatus, {f"T{n}" for n in range(1, 14)} | {"W7", "I8"}),
    (DISPUTE, DisputeStatus, {f"D{n}" for n in range(1, 11)}),
    (PLACE, PlaceStatus, {f"P{n}" for n in range(1, 11)}),
]
ENDS: tuple[StrEnum, ...] = (  # no set: members of two enums with one code are equal
    IncidentStatus.REJECTED,
    IncidentStatus.MERGED,
    IncidentStatus.CANCELLED,
    WhistleStatus.ESCALATED,
    WhistleStatus.RETURNED_TO_COMMUNITY,
    WhistleStatus.REFUSED,
    WhistleStatus.WITHDRAWN,
    TaskStatus.RETURNED,
    TaskStatus.WITHDRAWN,
    DisputeStatus.CLOSED,
    DisputeStatus.WITHDRAWN,
)


def allowed(machine: Machine[Any], state: Any, action: str, role: Role, level: int | None) -> bool:
    return any(
        row.action == action
        and (state in row.sources)
        and role in row.roles
        and (row.level is None or row.level == level)
        for row in machine.transitions
    )


def targets(machine: Machine[Any], state: Any, action: str, level: int | None) -> set[Any]:
    """Return the states that an act leads to; a row without a target stays where it is."""
    return {
        row.target or state
        for row in machine.transitions
        if row.action == action
        and (state in row.sources if state else not row.sources)
        and (row.level is None or row.level == level)
    }


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
            step = machine.decide(state, action, role, level=level)
            assert step.target in targets(machine, state, action, level)
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
        further = {
            row.target for row in machine.transitions if row.target and row.sources & reached
        } - reached
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
        acts = {row.action for row in machine.transitions}
        for state, level, act in product([*states, None], levels, acts):
            assert len(targets(machine, state, act, level)) <= 1, (machine.name, state, act)


def test_every_act_that_makes_a_thing_names_its_first_state():
    for machine, _, _ in MACHINES:
        assert all(row.target for row in machine.transitions if not row.sources), machine.name


def test_a_forbidden_act_says_what_is_allowed_instead():
    with pytest.raises(Conflict) as refusal:
        INCIDENT.decide(IncidentStatus.CLOSED, "accept", Role.TOWN_GRID_CENTRE)

    assert refusal.value.code == "illegal_transition"
    assert refusal.value.facts["allowed"] == ["reopen"]


def test_an_act_of_somebody_elses_role_names_whose_it_is():
    with pytest.raises(Forbidden, match="town_leader"):
        WHISTLE.decide(WhistleStatus.PENDING_CONFIRM, "confirm", Role.TOWN_OFFICE, level=3)


def test_a_duty_dispute_never_changes_a_state():
    for action in ("dispute", "settle"):
        assert {row.target for row in TASK.rows(action)} == {None}


def test_while_parties_are_jointly_responsible_a_dispute_can_still_be_decided_or_withdrawn():
    for state in RUNNING_DISPUTES:
        ways = {row.action for row in DISPUTE.transitions if state in row.sources}
        assert ways & {"decide", "agree", "resume"}, state
