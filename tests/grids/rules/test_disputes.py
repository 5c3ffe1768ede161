"""What a dispute about duty needs at each step, and who may take it."""

from __future__ import annotations

import pytest

from gis.errors import InvalidInput
from grids.rules.disputes import (
    BODIES_THAT_SIGN,
    DISPUTE,
    RUNNING_DISPUTES,
    STAGE_LIMITS,
    TOTAL,
    Body,
    DisputeStatus,
    Ground,
    GroundKind,
    Matter,
    Stand,
    check_basis,
    missing_signatures,
    obstacle,
    party_of,
    ranked,
    same_matter,
    signers,
)
from grids.rules.permissions import Role

S, R = DisputeStatus, Role


def stand(status: DisputeStatus = S.FILED, **said: object) -> Stand:
    told = {"parties": ("JJ", "CG", "TOWN"), "provisional_lead": "JJ", "filer": "JJ"} | said
    return Stand(status, **told)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("role", "department", "party"),
    [
        (R.DEPARTMENT_DUTY, "JJ", "JJ"),
        (R.TOWN_OFFICE, None, "TOWN"),
        (R.TOWN_GRID_CENTRE, None, "TOWN"),
        (R.HOTLINE_DESK, None, Body.HOTLINE_CENTRE),
        (R.GOVERNANCE_CENTRE, None, Body.BIANBAN),
        (R.DISTRICT_PLATFORM, None, Body.BIANBAN),
        (R.DISTRICT_LEADER, None, Body.LEADER),
        (R.AUDITOR, None, None),
        (R.GRID_WORKER, None, None),
    ],
)
def test_everybody_speaks_as_the_body_that_they_serve(role, department, party):
    assert party_of(role, department) == party


@pytest.mark.parametrize(
    ("action", "given", "role", "party", "code"),
    [
        ("state_position", {}, R.DEPARTMENT_DUTY, "CG", None),
        ("state_position", {}, R.TOWN_OFFICE, "TOWN", None),
        ("state_position", {}, R.DEPARTMENT_DUTY, "ZJ", "not_a_party"),
        ("state_position", {"filer": Body.HOTLINE_CENTRE}, R.HOTLINE_DESK, Body.HOTLINE_CENTRE, None),
        ("state_position", {}, R.HOTLINE_DESK, Body.HOTLINE_CENTRE, "not_a_party"),
        ("negotiate", {}, R.DEPARTMENT_DUTY, "JJ", None),
        ("negotiate", {}, R.DEPARTMENT_DUTY, "CG", "lead_convenes"),
        ("negotiate", {"provisional_lead": "TOWN"}, R.TOWN_OFFICE, "TOWN", None),
        ("agree", {"views": {"JJ": "CG", "CG": "CG"}}, R.DEPARTMENT_DUTY, "CG", None),
        ("agree", {"views": {"JJ": "CG", "CG": "JJ"}}, R.DEPARTMENT_DUTY, "CG", "positions_differ"),
        ("agree", {"views": {"JJ": "CG"}}, R.DEPARTMENT_DUTY, "JJ", "positions_differ"),
        ("agree", {"views": {"JJ": "CG", "CG": "CG"}}, R.DEPARTMENT_DUTY, "ZJ", "not_a_party"),
        ("agree", {"views": {"JJ": "CG", "CG": "CG"}}, R.GOVERNANCE_CENTRE, Body.BIANBAN, None),
        ("decide", {"status": S.COORDINATION}, R.GOVERNANCE_CENTRE, Body.BIANBAN, "opinion_needed"),
        ("decide", {"status": S.COORDINATION, "opinion": "CG"}, R.GOVERNANCE_CENTRE, Body.BIANBAN, None),
        ("decide", {"status": S.JOINT_MEETING}, R.GOVERNANCE_CENTRE, Body.BIANBAN, "signatures_missing"),
        (
            "decide",
            {"status": S.JOINT_MEETING, "signed": frozenset({"bianban", "justice", "CG"})},
            R.GOVERNANCE_CENTRE,
            Body.BIANBAN,
            "signatures_missing",
        ),
        (
            "decide",
            {"status": S.JOINT_MEETING, "signed": frozenset(BODIES_THAT_SIGN)},
            R.GOVERNANCE_CENTRE,
            Body.BIANBAN,
            None,
        ),
        ("decide", {"status": S.LEADER}, R.DISTRICT_LEADER, Body.LEADER, None),
        ("put_to_leader", {"status": S.JOINT_MEETING}, R.GOVERNANCE_CENTRE, Body.BIANBAN, None),
        ("put_to_leader", {"led": True}, R.GOVERNANCE_CENTRE, Body.BIANBAN, "leader_once"),
        ("sign_off", {"signed": frozenset({"CG"})}, R.DEPARTMENT_DUTY, "CG", "already_signed"),
        ("sign_off", {}, R.DEPARTMENT_DUTY, "ZJ", "not_a_party"),
        ("sign_off", {}, R.DEPARTMENT_DUTY, "SF", None),
        ("refuse", {"lead": "CG"}, R.DEPARTMENT_DUTY, "CG", None),
        ("refuse", {"lead": "CG"}, R.DEPARTMENT_DUTY, "JJ", "not_a_party"),
        ("withdraw", {}, R.DEPARTMENT_DUTY, "JJ", None),
        ("withdraw", {}, R.DEPARTMENT_DUTY, "CG", "not_the_filer"),
        ("withdraw", {}, R.SYSTEM, None, None),
        ("close", {"status": S.EXECUTING}, R.GOVERNANCE_CENTRE, Body.BIANBAN, None),
    ],
)
def test_an_act_is_refused_for_what_is_missing(action, given, role, party, code):
    refusal = obstacle(action, stand(**given), role, party)

    assert (refusal.code if refusal else None) == code


def test_each_signs_for_itself_and_the_board_for_the_bodies():
    assert signers(stand(), R.GOVERNANCE_CENTRE, Body.BIANBAN) == ("bianban", "justice", "government_office")
    assert signers(stand(), R.DEPARTMENT_DUTY, "CG") == ("CG",)
    assert signers(stand(), R.TOWN_OFFICE, "TOWN") == ("TOWN",)
    assert signers(stand(parties=("SF", "CG", "TOWN")), R.DEPARTMENT_DUTY, "SF") == ("SF", "justice")
    assert signers(stand(signed=frozenset({"CG"})), R.DEPARTMENT_DUTY, "CG") == ()


def test_a_party_that_will_not_sign_does_not_hold_a_joint_opinion_up():
    assert missing_signatures({"bianban", "justice"}) == (Body.GOVERNMENT_OFFICE,)
    assert missing_signatures(BODIES_THAT_SIGN) == ()


def test_the_strongest_ground_comes_first_and_equals_stay_as_they_came():
    told = [
        Ground(GroundKind.POLICY, "d"),
        Ground(GroundKind.LISTS, "c"),
        Ground(GroundKind.LAW, "a"),
        Ground(GroundKind.SAN_DING, "b"),
        Ground(GroundKind.LAW, "z"),
        Ground(GroundKind.LAW, "  "),
    ]

    assert [one.text for one in ranked(told)] == ["a", "z", "b", "c", "d"]


def test_a_decision_rests_on_something_and_one_by_law_on_a_law():
    with pytest.raises(InvalidInput) as nothing:
        ranked([Ground(GroundKind.LAW, " ")])
    with pytest.raises(InvalidInput) as no_law:
        check_basis(True, [Ground(GroundKind.POLICY, "会议纪要")])
    check_basis(True, [Ground(GroundKind.POLICY, "会议纪要"), Ground(GroundKind.LAW, "条例第五条")])
    check_basis(False, [Ground(GroundKind.POLICY, "会议纪要")])

    assert (nothing.value.code, no_law.value.code) == ("grounds_needed", "law_needed")


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (Matter(1, "07-001", "990101002", frozenset({"ZJ"})), True),
        (Matter(2, "07-001", "990101001", frozenset({"JJ", "CG"})), True),
        (Matter(2, "07-001", "990101001", frozenset({"JJ", "CG", "ZJ"})), True),
        (Matter(2, "07-001", "990101001", frozenset({"JJ", "ZJ"})), False),
        (Matter(2, "07-001", "990101002", frozenset({"JJ", "CG"})), False),
        (Matter(2, "07-002", "990101001", frozenset({"JJ", "CG"})), False),
    ],
)
def test_a_matter_is_a_case_or_a_category_in_a_town_between_two_departments(other, same):
    this = Matter(1, "07-001", "990101001", frozenset({"JJ", "CG"}))

    assert same_matter(this, other) is same
    assert same_matter(other, this) is same


def test_cases_without_a_category_are_never_alike():
    assert not same_matter(
        Matter(1, None, "990101001", frozenset({"A", "B"})),
        Matter(2, None, "990101001", frozenset({"A", "B"})),
    )


def test_no_stage_is_longer_than_the_whole():
    assert all(one.value <= TOTAL.value for one in STAGE_LIMITS.values())
    assert set(STAGE_LIMITS) <= set(S)


def test_what_is_rested_is_the_coordination_and_nothing_ends_from_there_but_by_going_on():
    leading_on = {row.action: row.roles for row in DISPUTE.transitions if S.SUSPENDED in row.sources}
    assert set(leading_on) == {"resume", "withdraw"}
    assert leading_on["withdraw"] == {Role.SYSTEM}  # where the case itself is over
    assert S.DECIDED not in RUNNING_DISPUTES
