"""Campaigns: work on several recurrent problem points at once, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData
from starlette.responses import Response

from api.deps import ReadOnly, UnitOfWork
from api.pages.forms import Filled, date_of, text_of, tried
from api.pages.layout import query_of, see_other
from api.pages.points import lines_of, spots_of, unit_name
from api.pages.visit import Sent, Visit, Visiting
from gis.errors import CityError
from grids.places import campaigns, ledger
from grids.places.campaigns import BEGINNERS, CampaignPlan
from grids.places.ledger import PlaceRow
from grids.rules.calendar import local_day
from grids.rules.permissions import require_role
from grids.tables import Campaign

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_PAGE = 50
_MOST_CHOSEN = 100
_USUAL_DAYS = 30


@router.get("/campaigns")
def list_campaigns(session: ReadOnly, visit: Visiting, every: bool = False) -> HTMLResponse:
    """Show the campaigns in sight: those that run, or all."""
    found, cursor = campaigns.find_campaigns(
        session,
        visit.me.scope,
        running_only=not every,
        cursor=text_of(visit.request.query_params, "cursor"),
        limit=_PAGE,
    )
    names = visit.names(session)
    return visit.show(
        session,
        "campaigns.html",
        names=names,
        found=found,
        every=every,
        next_page=query_of(visit.request, cursor=cursor, lang=None) if cursor else None,
        unit=lambda one: unit_name(names, one.area_code, one.lead),
        today=local_day(visit.now),
        begins=visit.me.role in BEGINNERS,
    )


@router.get("/campaigns/new")
def new_campaign(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show the form that begins a campaign on the places that the address names."""
    return _beginning(session, visit, visit.request.query_params.getlist("place"), Filled("campaign"))


def _beginning(
    session: ReadOnly,
    visit: Visit,
    chosen: Sequence[str],
    form: Filled,
    problem: CityError | None = None,
) -> HTMLResponse:
    require_role(visit.me, BEGINNERS)
    names = visit.names(session)
    today = local_day(visit.now)
    rows = _chosen(session, visit, chosen)
    district = (visit.me.area_code or "")[:6]
    return visit.show(
        session,
        "campaign_new.html",
        names=names,
        problem=problem,
        here="/campaigns/new"
        + "".join(f"{'&' if n else '?'}place={row.place.number}" for n, row in enumerate(rows)),
        form=form,
        lines=lines_of(rows, names, today),
        bodies=[
            (body.code, visit.words.name(body)) for body in names.departments(district) if body.code != "TOWN"
        ],
        today=today.isoformat(),
        until=(today + timedelta(days=_USUAL_DAYS)).isoformat(),
    )


def _chosen(session: ReadOnly, visit: Visit, numbers: Sequence[str]) -> list[PlaceRow]:
    """Return the places of these numbers that the reader may see, in their order."""
    rows = []
    for number in dict.fromkeys(numbers[:_MOST_CHOSEN]):
        page = ledger.find_places(
            session, visit.me.scope, ledger.PlaceFilters(text=number), now=visit.now, limit=1
        )
        rows += [row for row in page.items if row.place.number == number]
    return rows


@router.post("/campaigns")
def begin_campaign(session: UnitOfWork, visit: Visiting, data: Sent) -> Response:
    """Begin a campaign and show it."""
    numbers = [str(one) for one in data.getlist("place")]
    done = tried(session, lambda: _begin(session, visit, data, numbers))
    if isinstance(done, CityError):
        return _beginning(session, visit, numbers, Filled.of("campaign", data, done), done)
    return see_other(f"/campaigns/{done.number}")


def _begin(session: UnitOfWork, visit: Visit, data: FormData, numbers: Sequence[str]) -> Campaign:
    kinds = {row.category.code for row in _chosen(session, visit, numbers)}
    wanted = CampaignPlan(
        name=text_of(data, "name") or "",
        area=visit.me.area_code or "",
        goal=text_of(data, "goal") or "",
        lead=text_of(data, "lead") or "",
        from_on=date_of(data, "from_on"),
        until_on=date_of(data, "until_on"),
        category=kinds.pop() if len(kinds) == 1 else None,
    )
    return campaigns.begin(session, wanted, places=numbers, by=visit.me, now=visit.now)


@router.get("/campaigns/{number}")
def show_campaign(number: str, session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show a campaign to somebody who may see it."""
    return _page(session, visit, number)


def _page(
    session: ReadOnly, visit: Visit, number: str, sent: Filled = Filled(), problem: CityError | None = None
) -> HTMLResponse:
    file = campaigns.show_campaign(session, visit.me, number, now=visit.now)
    names = visit.names(session)
    lines = lines_of(file.places, names, local_day(visit.now))
    return visit.show(
        session,
        "campaign.html",
        names=names,
        problem=problem,
        here=f"/campaigns/{number}",
        file=file,
        campaign=file.campaign,
        lines=lines,
        spots=spots_of(lines, visit),
        lead=unit_name(names, file.campaign.area_code, file.campaign.lead),
        form=sent.form("end"),
        today=local_day(visit.now),
    )


@router.post("/campaigns/{number}/end")
def end_campaign(number: str, session: UnitOfWork, visit: Visiting, data: Sent) -> Response:
    """End a campaign with what came of it, and show it."""

    def act() -> Campaign:
        return campaigns.end(
            session, number, result=text_of(data, "result") or "", by=visit.me, now=visit.now
        )

    done = tried(session, act)
    if isinstance(done, CityError):
        return _page(session, visit, number, Filled.of("end", data, done), done)
    return see_other(f"/campaigns/{number}")
