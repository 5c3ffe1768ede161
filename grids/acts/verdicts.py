"""How a dispute about duty ends: agreed or decided, made a rule for later cases, carried out at once.

Whoever is named answers for the case from that moment on. No clock of the case moves by it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from gis.errors import Conflict, InvalidInput
from grids import directory
from grids.acts import parties
from grids.acts.case import Case, said
from grids.acts.coordination import begin_stage, end, opened, paper, running_whistle, tell_all, unmark
from grids.duty.decided import Extent, check_extent, write_rule
from grids.rules import explanation
from grids.rules.disputes import Body, DisputeStatus, DisputeStepKind, Ground, check_basis, ranked
from grids.rules.permissions import SYSTEM, Actor, Role
from grids.tables import Dispute, DutyBasis

__all__ = ["Settlement", "agree", "close", "decide", "refuse"]

_S, _K = DisputeStatus, DisputeStepKind


@dataclass(frozen=True, slots=True)
class Settlement:
    """What was agreed or decided, on which grounds, and where it holds from now on.

    minutes : the leader's; else what there is to add.
    """

    lead: str
    cooperating: tuple[str, ...] = ()
    grounds: tuple[Ground, ...] = ()
    basis: DutyBasis = DutyBasis.DESIGNATED
    extent: Extent = field(default_factory=Extent)
    minutes: str | None = None


def agree(session: Session, number: str, settlement: Settlement, *, by: Actor, now: datetime) -> Dispute:
    """Settle a dispute as its parties agreed (row D6): each department has named the same lead in its position.

    Raises `Conflict` ("positions_differ") where they have not, or the settlement names another.
    """
    case, dispute, stand, _ = opened(session, number, "agree", by, now)
    if settlement.lead != stand.agreed:
        raise Conflict(
            "positions_differ",
            f"the departments agreed on {stand.agreed}, not on {settlement.lead}",
            field="lead",
            got=settlement.lead,
            wanted=stand.agreed,
        )
    if settlement.minutes:
        paper(case, dispute, _K.MINUTES, stand.provisional_lead, settlement.minutes, lead=settlement.lead)
    _settle(case, dispute, "agree", "agreed", settlement)
    return dispute


def decide(session: Session, number: str, settlement: Settlement, *, by: Actor, now: datetime) -> Dispute:
    """Decide a dispute (row D6): by the opinion, by the signed joint opinion, or by the leader's minutes.

    Raises `Conflict` ("opinion_needed", "opinion_differs", "signatures_missing").
    """
    case, dispute, stand, _ = opened(session, number, "decide", by, now)
    if dispute.status is _S.COORDINATION and settlement.lead != stand.opinion:
        raise Conflict(
            "opinion_differs",
            f"the opinion names {stand.opinion}; another lead needs a joint meeting",
            field="lead",
            got=settlement.lead,
            wanted=stand.opinion,
        )
    how = dispute.status.value
    if dispute.status is _S.LEADER:
        said(settlement.minutes or "", "minutes", "the leader's coordination has one set of minutes")
    if settlement.minutes:
        kind = _K.LEADER if dispute.status is _S.LEADER else _K.MINUTES
        body = Body.LEADER if dispute.status is _S.LEADER else Body.BIANBAN
        paper(case, dispute, kind, body, settlement.minutes, lead=settlement.lead)
    _settle(case, dispute, "decide", how, settlement)
    return dispute


def _settle(case: Case, dispute: Dispute, action: str, how: str, settlement: Settlement) -> None:
    """Write the decision down, make it a rule, and let those whom it names answer for the case at once."""
    session, incident = case.session, case.incident
    if settlement.basis is DutyBasis.DEFAULT:
        raise InvalidInput(
            "unknown_choice",
            "a duty is settled by law, by agreement or by designation",
            field="basis",
            wanted=[basis.value for basis in DutyBasis if basis is not DutyBasis.DEFAULT],
        )
    grounds = ranked(settlement.grounds)
    check_basis(settlement.basis is DutyBasis.STATUTORY, grounds)
    parties.check_bodies(case, settlement.lead, settlement.cooperating)
    where = check_extent(session, incident, settlement.extent, on=case.today)
    dispute.lead, dispute.cooperating = settlement.lead, list(settlement.cooperating)
    dispute.basis = settlement.basis
    dispute.grounds = [{"kind": one.kind.value, "text": one.text.strip()} for one in grounds]
    dispute.decided_at, dispute.decided_by_id = case.now, case.actor.person_id
    case.move(
        dispute,
        action,
        {
            "lead": settlement.lead,
            "cooperating": settlement.cooperating,
            "basis": settlement.basis.value,
            "rests_on": dispute.grounds,
            "area": where[0],
            "polygon": where[1] is not None,
        },
    )
    rule, duty = write_rule(
        session,
        incident,
        where,
        lead=settlement.lead,
        cooperating=settlement.cooperating,
        basis=settlement.basis,
        grounds=grounds,
        source=dispute.number,
        on=case.today,
    )
    dispute.rule_id = rule.id
    case.explain(explanation.dispute(dispute.number, settlement.lead, how, at=case.now, rule=rule.id))
    unmark(case, dispute)
    whistle = running_whistle(case)
    changed = whistle is not None and parties.switch(
        case, whistle, settlement.lead, settlement.cooperating, dispute.number
    )
    if whistle is not None and changed:
        case.explain(explanation.departments(duty.departments(), duty, at=case.now, whistle=whistle.number))
    case.move(dispute, "execute", {"changed": changed, "rule_no": rule.id}, by=SYSTEM)
    begin_stage(case, dispute)
    lead = directory.department(session, incident.grid_code[:6], settlement.lead).name
    tell_all(
        case,
        dispute,
        "dispute.decided",
        Role.TOWN_LEADER,
        Role.GOVERNANCE_CENTRE,
        also=(settlement.lead, *settlement.cooperating),
        lead=lead,
    )
    if whistle is None:
        end(case, dispute, "close", _S.CLOSED, {}, by=SYSTEM)  # nobody is at work: the rule is all
    session.flush()


def refuse(session: Session, number: str, *, reason: str, by: Actor, now: datetime) -> Dispute:
    """Record that a department will not do what was decided (row D7): for accountability, nothing else changes."""
    said(reason, "reason", "say why what was decided is not done")
    case, dispute, _, party = opened(session, number, "refuse", by, now)
    case.move(dispute, "refuse", {"party": party, "reason": reason})
    paper(case, dispute, _K.REFUSAL, party, reason)
    case.tell(
        (Role.GOVERNANCE_CENTRE, Role.DISTRICT_LEADER, Role.DISTRICT_PLATFORM),
        "dispute.refused",
        dispute=dispute.number,
        by=by.unit or by.name,
        reason=reason,
    )
    session.flush()
    return dispute


def close(session: Session, number: str, *, note: str | None = None, by: Actor, now: datetime) -> Dispute:
    """Close a dispute whose decision is carried out (row D8)."""
    case, dispute, _, _ = opened(session, number, "close", by, now)
    end(case, dispute, "close", _S.CLOSED, {"note": note})
    session.flush()
    return dispute
