"""Disputes about duty: the list, and one with its positions side by side, its papers and what was decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from api.deps import ReadOnly, UnitOfWork
from api.pages.acts import act_for
from api.pages.forms import Filled, tried
from api.pages.layout import see_other
from api.pages.visit import Sent, Visit, Visiting
from gis.errors import CityError
from grids import docket
from grids.docket import DisputeFile
from grids.rules.calendar import local_day
from grids.rules.disputes import (
    DISPUTE,
    RUNNING_DISPUTES,
    STAGES,
    DisputeStatus,
    DisputeStepKind,
    missing_signatures,
)

__all__ = ["dispute_page", "router"]

router = APIRouter(include_in_schema=False)

_MOST = 100
_S, _K = DisputeStatus, DisputeStepKind


@dataclass(frozen=True, slots=True)
class _Stage:
    """One stage of the way: passed, the one that it is at, or still to come."""

    status: DisputeStatus
    passed: bool
    here: bool


@router.get("/disputes")
def list_disputes(session: ReadOnly, visit: Visiting, every: bool = False) -> HTMLResponse:
    """Show the disputes in sight: those that run, or all."""
    open_ones = [status for status in DisputeStatus if status not in (_S.CLOSED, _S.WITHDRAWN)]
    rows = docket.find_disputes(session, visit.me, statuses=() if every else open_ones, limit=_MOST)
    return visit.show(
        session,
        "disputes.html",
        rows=rows,
        every=every,
        most=_MOST,
        day=lambda row: (
            (local_day(row.dispute.ended_at or visit.now) - local_day(row.dispute.filed_at)).days + 1
        ),
    )


@router.get("/disputes/{number}")
def show_dispute(number: str, session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show a dispute to somebody who may see it."""
    return dispute_page(session, visit, number)


def dispute_page(
    session: ReadOnly, visit: Visit, number: str, *, sent: Filled = Filled(), problem: CityError | None = None
) -> HTMLResponse:
    """Return the page of a dispute; with a form that came back, that form open and its problem named."""
    file = docket.show_dispute(session, visit.me, number)
    names = visit.names(session)
    dispute = file.dispute
    district = dispute.area_code[:6]
    return visit.show(
        session,
        "dispute.html",
        names=names,
        problem=problem,
        here=f"/disputes/{number}",
        file=file,
        dispute=dispute,
        incident=file.incident,
        acts=file.actions,
        sent=sent,
        district=district,
        running=dispute.status in RUNNING_DISPUTES,
        stages=_stages(file),
        named=_proposed(file),
        papers=file.papers_of(_K.MINUTES, _K.OPINION, _K.MEETING, _K.LEADER, _K.REFUSAL),
        signed=_signed(file),
        missing=missing_signatures(file.stand.signed) if dispute.status is _S.JOINT_MEETING else (),
        frames=visit.frames(),
        whistle_of={},
        task_of={},
        at="dispute",
    )


def _stages(file: DisputeFile) -> Sequence[_Stage]:
    """Return the way of a dispute; the leader's stage only where it came to that."""
    dispute = file.dispute
    at = _S(dispute.suspended_from or _S.COORDINATION) if dispute.status is _S.SUSPENDED else dispute.status
    way = [one for one in STAGES if one is not _S.LEADER or dispute.leader_at is not None]
    if at is _S.WITHDRAWN:
        way = [_S.FILED, _S.WITHDRAWN]
    place = way.index(at) if at in way else 0
    seen = _been(file)
    return [_Stage(one, number < place and one in seen, number == place) for number, one in enumerate(way)]


def _been(file: DisputeFile) -> set[DisputeStatus]:
    """Return the stages that a dispute went through, by the papers that they leave."""
    left = {
        _K.MINUTES: _S.NEGOTIATING,
        _K.OPINION: _S.COORDINATION,
        _K.MEETING: _S.JOINT_MEETING,
        _K.LEADER: _S.LEADER,
    }
    found = {left[paper.kind] for paper in file.papers if paper.kind in left}
    if _S.JOINT_MEETING in found or file.dispute.status in (_S.COORDINATION, _S.JOINT_MEETING, _S.LEADER):
        found.add(_S.COORDINATION)
    return found | {_S.FILED, _S.EXECUTING, _S.DECIDED}


def _proposed(file: DisputeFile) -> str:
    """Return whom a decision would most likely name, "" for nobody: the last paper that names a lead."""
    agreed = file.stand.agreed
    named = [paper.lead for paper in file.papers if paper.lead and paper.kind is not _K.POSITION]
    return (named[-1] if named else agreed) or ""


def _signed(file: DisputeFile) -> list[tuple[str, str]]:
    """Return as whom and by whom the last joint opinion was signed."""
    last = max((n for n, paper in enumerate(file.papers) if paper.kind is _K.MEETING), default=-1)
    return [(paper.party or "", paper.text) for paper in file.papers[last + 1 :] if paper.kind is _K.SIGN_OFF]


@router.post("/disputes/{number}/{action}")
def act_on_dispute(number: str, action: str, session: UnitOfWork, visit: Visiting, data: Sent) -> Response:
    """Carry out one act on a dispute, then show it again."""
    act = act_for(DISPUTE.name, action)
    done = tried(session, lambda: act(session, visit, number, data))
    if isinstance(done, CityError):
        sent = Filled.of(f"dispute-{number}-{action}", data, done)
        return dispute_page(session, visit, number, sent=sent, problem=done)
    return see_other(f"/disputes/{number}")
