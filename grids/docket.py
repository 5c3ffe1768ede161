"""The docket: disputes about duty as one person may see them, with every paper and what they may do now."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import and_, literal, or_, select, tuple_
from sqlalchemy.orm import Session, joinedload

from gis.errors import NotFound
from grids.cursors import read_cursor, write_cursor
from grids.offers import Action, on_dispute
from grids.rules.disputes import (
    DisputeStatus,
    DisputeStepKind,
    Matter,
    Stand,
    party_of,
    same_matter,
    signers,
)
from grids.rules.permissions import Actor
from grids.scope import disputes_in, incidents_in, under
from grids.tables import Category, Department, Dispute, DisputeStep, Incident, Responsibility, Task, Whistle

__all__ = [
    "DisputeFile",
    "DisputeRow",
    "cursor_of",
    "find_disputes",
    "led_before",
    "seat_of",
    "show_dispute",
    "stand_of",
]

LONGEST_PAGE = 200


@dataclass(frozen=True, slots=True)
class DisputeRow:
    """A dispute in a list, with its case."""

    dispute: Dispute
    incident: Incident
    category: Category | None


@dataclass(frozen=True, slots=True)
class DisputeFile:
    """A dispute whole. incident : may be opened by the reader only where `case_open`; papers : in their order.

    signs_for : as whom the reader may sign now.
    """

    dispute: Dispute
    incident: Incident
    category: Category | None
    whistle: Whistle | None
    tasks: Sequence[Task]
    papers: Sequence[DisputeStep]
    rule: Responsibility | None
    stand: Stand
    case_open: bool
    signs_for: tuple[str, ...]
    actions: tuple[Action, ...]

    def papers_of(self, *kinds: DisputeStepKind) -> list[DisputeStep]:
        """Return the papers of some kinds, in their order."""
        return [paper for paper in self.papers if paper.kind in kinds]

    @property
    def positions(self) -> Mapping[str, DisputeStep | None]:
        """What each party holds last, None for one that has said nothing; a desk that filed speaks too."""
        said = {paper.party: paper for paper in self.papers_of(DisputeStepKind.POSITION)}
        named = dict.fromkeys((*self.stand.parties, self.dispute.filed_by_party))
        return {party: said.get(party) for party in named}


def cursor_of(row: DisputeRow) -> str:
    """Return the cursor of the page that begins after this row."""
    return write_cursor(row.dispute.filed_at, row.dispute.id)


def find_disputes(
    session: Session,
    actor: Actor,
    *,
    area: str | None = None,
    statuses: Collection[DisputeStatus] = (),
    cursor: str | None = None,
    limit: int = 50,
) -> list[DisputeRow]:
    """Return disputes in sight, newest first, after a cursor; at most 201, one more than a page holds."""
    query = (
        select(Dispute, Incident, Category)
        .join(Incident, Incident.id == Dispute.incident_id)
        .outerjoin(Category, Category.code == Incident.category_code)
        .where(disputes_in(actor.scope))
        .order_by(Dispute.filed_at.desc(), Dispute.id.desc())
        .limit(min(limit, LONGEST_PAGE + 1))
    )
    if area:
        query = query.where(under(Dispute.area_code, area))
    if statuses:
        query = query.where(Dispute.status.in_(statuses))
    if cursor is not None:
        at, last, _ = read_cursor(cursor)
        query = query.where(tuple_(Dispute.filed_at, Dispute.id) < tuple_(literal(at), literal(last)))
    return [DisputeRow(*row) for row in session.execute(query)]


def show_dispute(session: Session, actor: Actor, number: str) -> DisputeFile:
    """Return a dispute whole. Raises `NotFound` ("dispute_not_found") where it is missing or out of sight."""
    found = session.execute(
        select(Dispute, Incident, Category, Whistle, Responsibility, incidents_in(actor.scope))
        .join(Incident, Incident.id == Dispute.incident_id)
        .outerjoin(Category, Category.code == Incident.category_code)
        .outerjoin(Whistle, Whistle.id == Dispute.whistle_id)
        .outerjoin(Responsibility, Responsibility.id == Dispute.rule_id)
        .where(Dispute.number == number, disputes_in(actor.scope))
    ).first()
    if found is None:
        raise NotFound("dispute_not_found", f"there is no dispute {number} that you may see", number=number)
    dispute, incident, category, whistle, rule, case_open = found
    papers = _papers(session, dispute)
    stand = _stand(dispute, papers)
    if dispute.status is DisputeStatus.JOINT_MEETING:
        stand = replace(stand, led=led_before(session, dispute, incident))
    party = seat_of(session, actor, dispute.area_code)
    tasks = session.scalars(
        select(Task)
        .where(Task.whistle_id == dispute.whistle_id)
        .options(joinedload(Task.department))
        .order_by(Task.letter_number)
    ).all()
    return DisputeFile(
        dispute=dispute,
        incident=incident,
        category=category,
        whistle=whistle,
        tasks=tasks,
        papers=papers,
        rule=rule,
        stand=stand,
        case_open=bool(case_open),
        signs_for=signers(stand, actor.role, party),
        actions=on_dispute(actor, party, dispute.number, stand),
    )


def stand_of(session: Session, dispute: Dispute) -> Stand:
    """Return what counts of a dispute for whoever acts on it; whether the leader was asked before is not in it."""
    return _stand(dispute, _papers(session, dispute))


def _papers(session: Session, dispute: Dispute) -> Sequence[DisputeStep]:
    return session.scalars(
        select(DisputeStep).where(DisputeStep.dispute_id == dispute.id).order_by(DisputeStep.id)
    ).all()


def _stand(dispute: Dispute, papers: Sequence[DisputeStep]) -> Stand:
    views: dict[str, str] = {}
    opinion: str | None = None
    signed: set[str] = set()
    for paper in papers:
        if paper.kind is DisputeStepKind.POSITION and paper.party:
            views.pop(paper.party, None)  # what a party says last counts, also where it names nobody
            if paper.lead:
                views[paper.party] = paper.lead
        elif paper.kind is DisputeStepKind.OPINION:
            opinion = paper.lead
        elif paper.kind is DisputeStepKind.SIGN_OFF and paper.party:
            signed.add(paper.party)
        elif paper.kind is DisputeStepKind.MEETING:
            signed.clear()  # signatures are under the minutes of the last meeting
    return Stand(
        status=dispute.status,
        parties=tuple(dispute.parties),
        provisional_lead=dispute.provisional_lead,
        filer=dispute.filed_by_party,
        views=views,
        opinion=opinion,
        signed=frozenset(signed),
        lead=dispute.lead,
        cooperating=tuple(dispute.cooperating or ()),
    )


def led_before(session: Session, dispute: Dispute, incident: Incident) -> bool:
    """Tell whether the leader has coordinated this matter before: on this case, or a dispute like it."""
    alike = and_(Dispute.area_code == dispute.area_code, Incident.category_code == incident.category_code)
    rows = session.execute(
        select(Dispute, Incident.category_code)
        .join(Incident, Incident.id == Dispute.incident_id)
        .where(Dispute.leader_at.is_not(None), or_(Dispute.incident_id == incident.id, alike))
    )
    this = _matter(dispute, incident.category_code)
    return any(same_matter(this, _matter(other, category)) for other, category in rows)


def _matter(dispute: Dispute, category: str | None) -> Matter:
    stand = Stand(dispute.status, tuple(dispute.parties))
    return Matter(dispute.incident_id, category, dispute.area_code, frozenset(stand.departments))


def seat_of(session: Session, actor: Actor, area_code: str) -> str | None:
    """Return as whom the actor speaks in disputes of a place (`party_of`), None where as nobody."""
    body = session.get(Department, actor.department_id) if actor.department_id else None
    own = body is not None and body.district_code == area_code[:6]
    return party_of(actor.role, body.code if body is not None and own else None)
