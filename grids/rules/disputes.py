"""A dispute about whose duty something is, as one table: a flag beside the case, never a state of it.

While it lasts nobody stops working, every clock runs on, and all parties are jointly responsible (a county's
published coordination rule). It goes from the departments' own talk to the establishment office (编办), then to a
joint meeting, then at most once to the leader, whose minutes end it. What is decided becomes a rule of the
responsibility list from that day on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gis.errors import CityError, Conflict, Forbidden, InvalidInput
from grids.rules.lifecycle import IncidentStatus
from grids.rules.limits import Limit, Unit
from grids.rules.machine import Machine, Transition
from grids.rules.permissions import Role

__all__ = [
    "BODIES_THAT_SIGN",
    "DISPUTABLE",
    "DISPUTE",
    "DISPUTE_READERS",
    "EXECUTION",
    "LONGEST_SUSPENSION",
    "RUNNING_DISPUTES",
    "STAGES",
    "STAGE_LIMITS",
    "TOTAL",
    "TOWN",
    "Body",
    "DisputeStatus",
    "DisputeStepKind",
    "Ground",
    "GroundKind",
    "Matter",
    "Stand",
    "check_basis",
    "missing_signatures",
    "obstacle",
    "party_of",
    "ranked",
    "same_matter",
    "signers",
]


class DisputeStatus(StrEnum):
    """Where the coordination of a dispute stands."""

    FILED = "filed"
    NEGOTIATING = "negotiating"
    COORDINATION = "coordination"
    JOINT_MEETING = "joint_meeting"
    LEADER = "leader"
    SUSPENDED = "suspended"  # the coordination only: duties and clocks go on
    DECIDED = "decided"
    EXECUTING = "executing"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


class DisputeStepKind(StrEnum):
    """What is on record of a dispute besides its state."""

    POSITION = "position"  # what a party holds, and on what basis
    MINUTES = "minutes"  # of the parties' talk
    OPINION = "opinion"  # of the establishment office
    MEETING = "meeting"  # minutes of the joint meeting
    SIGN_OFF = "sign_off"  # 会签: a body signs the joint opinion
    LEADER = "leader"  # the leader's one coordination
    REFUSAL = "refusal"  # a party refuses what was decided: for accountability


class Body(StrEnum):
    """Who speaks or signs in a dispute besides departments and the town."""

    BIANBAN = "bianban"  # the establishment office (编办)
    JUSTICE = "justice"  # the justice bureau (司法局)
    GOVERNMENT_OFFICE = "government_office"  # 政府办
    HOTLINE_CENTRE = "hotline_centre"  # the desk that gave the order out
    LEADER = "leader"  # the district's


class GroundKind(StrEnum):
    """What a decision rests on, the strongest first (the order of the joint meeting)."""

    LAW = "law"  # laws and regulations (法律法规)
    SAN_DING = "san_ding"  # the bodies' own charters (三定规定)
    LISTS = "lists"  # lists of powers and of the borders of duties
    POLICY = "policy"  # papers of policy


@dataclass(frozen=True, slots=True)
class Ground:
    """One text that a decision rests on, such as an article of a law."""

    kind: GroundKind
    text: str


TOWN = "TOWN"
"""The town as a party: the code under which the list of departments has it."""

_S = DisputeStatus
_R = Role
_TOWN_ROLES = {_R.TOWN_OFFICE, _R.TOWN_GRID_CENTRE}
_PARTIES = {_R.DEPARTMENT_DUTY, *_TOWN_ROLES, _R.HOTLINE_DESK}
# the establishment office and the joint meeting's secretariat sit with the governance centre
_BOARD = {_R.GOVERNANCE_CENTRE, _R.DISTRICT_PLATFORM}
_TALKING = {_S.FILED, _S.NEGOTIATING, _S.COORDINATION, _S.JOINT_MEETING}

RUNNING_DISPUTES = frozenset(
    {_S.FILED, _S.NEGOTIATING, _S.COORDINATION, _S.JOINT_MEETING, _S.LEADER, _S.SUSPENDED}
)
"""Those in which the parties are jointly responsible."""

DISPUTE_READERS = frozenset({*_PARTIES, *_BOARD, _R.TOWN_LEADER, _R.DISTRICT_LEADER, _R.AUDITOR})
"""Who looks into the list of disputes: those who may be party to one, those above, and those who look back."""

DISPUTABLE = frozenset({IncidentStatus.HANDLING, IncidentStatus.SUSPENDED})
"""The states of a case in which somebody has a duty in it to dispute."""

STAGES = (
    _S.FILED,
    _S.NEGOTIATING,
    _S.COORDINATION,
    _S.JOINT_MEETING,
    _S.LEADER,
    _S.EXECUTING,
    _S.CLOSED,
)
"""The way of a dispute, as people see it from one end to the other."""


def _row(
    row: str, action: str, sources: set[DisputeStatus], target: DisputeStatus | None, roles: set[Role]
) -> Transition[DisputeStatus]:
    return Transition(row, action, frozenset(sources), target, frozenset(roles))


DISPUTE: Machine[DisputeStatus] = Machine(
    "dispute",
    (
        _row("D1", "file", set(), _S.FILED, _PARTIES),
        _row("D1", "state_position", _TALKING, None, _PARTIES),
        _row("D2", "negotiate", {_S.FILED}, _S.NEGOTIATING, _PARTIES),
        _row("D3", "coordinate", {_S.FILED, _S.NEGOTIATING}, _S.COORDINATION, _BOARD | {_R.SYSTEM}),
        # the office takes it up first and gives its opinion when it has heard everybody
        _row("D3", "give_opinion", {_S.COORDINATION}, None, _BOARD),
        _row("D4", "meet", {_S.COORDINATION}, _S.JOINT_MEETING, _BOARD | {_R.SYSTEM}),
        _row("D4", "sign_off", {_S.JOINT_MEETING}, None, _BOARD | {_R.DEPARTMENT_DUTY} | _TOWN_ROLES),
        _row("D5", "put_to_leader", {_S.JOINT_MEETING}, _S.LEADER, _BOARD),
        _row("D6", "agree", {_S.FILED, _S.NEGOTIATING}, _S.DECIDED, {_R.DEPARTMENT_DUTY} | _BOARD),
        _row("D6", "decide", {_S.COORDINATION, _S.JOINT_MEETING}, _S.DECIDED, _BOARD),
        _row("D6", "decide", {_S.LEADER}, _S.DECIDED, {_R.DISTRICT_LEADER}),
        _row("D7", "execute", {_S.DECIDED}, _S.EXECUTING, {_R.SYSTEM}),
        _row("D7", "refuse", {_S.EXECUTING}, None, {_R.DEPARTMENT_DUTY}),
        _row("D8", "close", {_S.EXECUTING}, _S.CLOSED, _BOARD | {_R.SYSTEM}),
        _row("D9", "withdraw", _TALKING, _S.WITHDRAWN, _PARTIES | {_R.SYSTEM}),
        # the case itself ended: then there is nothing left to decide, however far it has come
        _row("D9", "withdraw", {_S.SUSPENDED, _S.LEADER}, _S.WITHDRAWN, {_R.SYSTEM}),
        _row("D10", "suspend", _TALKING, _S.SUSPENDED, _BOARD),
        _row("D10", "resume", {_S.SUSPENDED}, _S.COORDINATION, _BOARD | {_R.SYSTEM}),
    ),
)

TOTAL = Limit(5, Unit.WORK_DAY)
"""From filing to the end of the joint meeting."""

EXECUTION = Limit(4, Unit.WORK_HOUR)
"""From the decision until it is carried out."""

STAGE_LIMITS: Mapping[DisputeStatus, Limit] = {
    # talk begins with filing: convening it late does not make it longer
    _S.FILED: Limit(1, Unit.WORK_DAY),
    _S.COORDINATION: Limit(2, Unit.WORK_DAY),
    _S.EXECUTING: EXECUTION,
}
"""How long a stage may take, counted from its beginning; the joint meeting ends by the `TOTAL` from filing, and what
the leader does has no time of its own: that of the meeting runs on."""

LONGEST_SUSPENSION = Limit(30, Unit.NATURAL_DAY)

BODIES_THAT_SIGN = (Body.BIANBAN, Body.JUSTICE, Body.GOVERNMENT_OFFICE)
"""Without these a joint opinion decides nothing. Parties sign too; one that will not does not hold it up."""


def party_of(role: Role, department: str | None) -> str | None:
    """Return as whom somebody speaks in a dispute: a department's code, `TOWN` or a body; None for nobody."""
    if role is _R.DEPARTMENT_DUTY:
        return department
    if role in _TOWN_ROLES:
        return TOWN
    if role is _R.HOTLINE_DESK:
        return Body.HOTLINE_CENTRE
    if role in _BOARD:
        return Body.BIANBAN
    return Body.LEADER if role is _R.DISTRICT_LEADER else None


@dataclass(frozen=True, slots=True)
class Stand:
    """What counts of a dispute when somebody wants to act on it. Codes of departments and bodies throughout.

    filer : who filed it. views : whom each party last held to be the lead, of those who named one. opinion : whom
    the establishment office named last. signed : who signed. led : the leader coordinated this matter before.
    """

    status: DisputeStatus
    parties: tuple[str, ...]
    provisional_lead: str | None = None
    filer: str | None = None
    views: Mapping[str, str] = field(default_factory=dict)
    opinion: str | None = None
    signed: frozenset[str] = frozenset()
    lead: str | None = None
    cooperating: tuple[str, ...] = ()
    led: bool = False

    @property
    def departments(self) -> tuple[str, ...]:
        """The parties that are departments."""
        return tuple(party for party in self.parties if party != TOWN)

    @property
    def agreed(self) -> str | None:
        """Whom all departments that are parties name as the lead, None while they differ or one is silent."""
        named = {self.views.get(party) for party in self.departments}
        return named.pop() if len(named) == 1 else None


def obstacle(action: str, stand: Stand, role: Role, party: str | None) -> CityError | None:
    """Return why an act that the table allows is refused to this person now, None where it is not.

    What is written on pages, what the use cases refuse: both ask here.
    """
    outside = Forbidden(
        "not_a_party", "this is for the parties of the dispute", got=party, wanted=list(stand.parties)
    )
    if action == "state_position" and party not in (*stand.parties, stand.filer):
        return outside
    if action == "negotiate" and party != stand.provisional_lead:
        return Forbidden(
            "lead_convenes",
            "whoever leads for now calls the others together",
            got=party,
            wanted=stand.provisional_lead,
        )
    if action == "agree":
        if role is _R.DEPARTMENT_DUTY and party not in stand.parties:
            return outside
        if stand.agreed is None:
            return Conflict(
                "positions_differ",
                "the departments do not all name the same lead: each says in its position whom it holds to lead",
                views=dict(stand.views),
                wanted=list(stand.departments),
            )
    if action == "decide":
        return _undecided(stand)
    if action == "sign_off" and not signers(stand, role, party):
        if role is _R.DEPARTMENT_DUTY and party not in (*stand.parties, _JUSTICE):
            return outside
        return Conflict("already_signed", "whoever may sign here has done so", signed=sorted(stand.signed))
    if action == "put_to_leader" and stand.led:
        return Conflict(
            "leader_once",
            "the leader has coordinated this matter before: that happens once, and its minutes stand",
        )
    if action == "refuse" and party not in (stand.lead, *stand.cooperating):
        return outside
    if action == "withdraw" and role is not _R.SYSTEM and party != stand.filer:
        return Forbidden("not_the_filer", "whoever filed a dispute takes it back", wanted=stand.filer)
    return None


def _undecided(stand: Stand) -> CityError | None:
    if stand.status is _S.COORDINATION and stand.opinion is None:
        return Conflict("opinion_needed", "the establishment office has not yet said who should lead")
    missing = missing_signatures(stand.signed)
    if stand.status is _S.JOINT_MEETING and missing:
        return Conflict(
            "signatures_missing",
            "the joint opinion is not signed by " + ", ".join(missing),
            wanted=[body.value for body in missing],
        )
    return None


_JUSTICE = "SF"  # the department that is the justice bureau, and signs as such


def signers(stand: Stand, role: Role, party: str | None) -> tuple[str, ...]:
    """Return as whom somebody may still sign: a department or the town for itself, the board for the bodies."""
    if role in _BOARD:
        mine: Iterable[str] = BODIES_THAT_SIGN
    else:
        own = (party,) if party in stand.parties else ()
        mine = (*own, *((Body.JUSTICE,) if party == _JUSTICE else ()))
    return tuple(str(one) for one in mine if one not in stand.signed)


def missing_signatures(signed: Collection[str]) -> tuple[Body, ...]:
    """Return the bodies without whose signature a joint opinion decides nothing."""
    return tuple(body for body in BODIES_THAT_SIGN if body not in signed)


def ranked(grounds: Iterable[Ground]) -> tuple[Ground, ...]:
    """Return grounds with the strongest first; of one kind as they came. Raises `InvalidInput` ("grounds_needed")."""
    rank = {kind: place for place, kind in enumerate(GroundKind)}
    found = sorted((one for one in grounds if one.text.strip()), key=lambda one: rank[one.kind])
    if not found:
        raise InvalidInput(
            "grounds_needed",
            "name what the decision rests on: laws, charters, lists or papers of policy",
            field="grounds",
        )
    return tuple(found)


def check_basis(statutory: bool, grounds: Iterable[Ground]) -> None:
    """Raise `InvalidInput` ("law_needed") where a duty is said to be by law and no law is named."""
    if statutory and all(one.kind is not GroundKind.LAW for one in grounds):
        raise InvalidInput(
            "law_needed", "a duty by law (法定) names the law among its grounds", field="grounds"
        )


@dataclass(frozen=True, slots=True)
class Matter:
    """What a dispute is about, as far as it decides whether two are about the same."""

    incident: int
    category: str | None
    town: str
    departments: frozenset[str]


def same_matter(one: Matter, other: Matter) -> bool:
    """Tell whether two disputes are about the same matter.

    They are on the same case; or on the same category in the same town between the same two departments, whoever
    else takes part: the leader coordinates a matter once.
    """
    if one.incident == other.incident:
        return True
    return (
        one.category is not None
        and (one.category, one.town) == (other.category, other.town)
        and len(one.departments & other.departments) >= 2
    )
