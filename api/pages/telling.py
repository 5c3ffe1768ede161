"""How one is told: one's addresses, one's hours, and for those who keep the service the log of what was sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData
from starlette.responses import Response

from api.deps import ReadOnly, UnitOfWork
from api.i18n import LANGUAGES
from api.outside import code_sender, reachable_ways, require_reachable
from api.pages.forms import Filled, text_of, tried, whole_of
from api.pages.layout import LANGUAGE_NAMES, query_of, see_other
from api.pages.visit import Sent, Visit, Visiting
from gis.errors import CityError, InvalidInput
from grids import accounts, contacts, deliveries, roster
from grids.rules.messages import DeliveryStatus, Way
from grids.rules.roster import Hours, keepers

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_LOGGED = 50


# -- addresses


@router.get("/my/contacts")
def show_contacts(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show where one is told besides the inbox."""
    return _contacts(session, visit)


def _contacts(session: ReadOnly, visit: Visit, sent: Filled = Filled()) -> HTMLResponse:
    mine = contacts.mine(session, visit.signed.person.id)
    taken = {contact.way for contact in mine}
    ways = [way for way in reachable_ways(visit.request) if way not in taken]
    return visit.show(
        session,
        "contacts.html",
        problem=sent.problem,
        here="/my/contacts",
        sent=sent,
        contacts=mine,
        ways=[(way.value, visit.words.of("way", way)) for way in ways],
        tongues=_languages(),
    )


def _languages() -> list[tuple[str, str]]:
    return [(tag, LANGUAGE_NAMES[tag]) for tag in LANGUAGES]


@router.post("/my/contacts")
def add_contact(session: UnitOfWork, visit: Visiting, data: Sent) -> Response:
    """Add an address, which gets a code."""

    def add() -> None:
        way, address = _way(data), text_of(data, "address") or ""
        require_reachable(visit.request, way, address)
        contacts.add(
            session,
            way,
            address,
            language=_language(data),
            urgent_only="urgent_only" in data,
            by=visit.me,
            now=visit.now,
            words=code_sender(),
        )

    problem = tried(session, add)
    if isinstance(problem, CityError):
        return _contacts(session, visit, Filled.of("add", data, problem))
    return see_other("/my/contacts")


@router.post("/my/contacts/{contact}/{act}")
def act_on_contact(contact: int, act: str, session: UnitOfWork, visit: Visiting, data: Sent) -> Response:
    """Confirm an address, have a new code sent, change how one is told, or take it off."""

    def carry_out() -> None:
        if act == "confirm":
            code = text_of(data, "code") or ""
            right.append(contacts.confirm(session, contact, code, by=visit.me, now=visit.now))
        elif act == "code":
            contacts.send_code(session, contact, by=visit.me, now=visit.now, words=code_sender())
        elif act == "change":
            urgent = "urgent_only" in data
            contacts.change(session, contact, language=_language(data), urgent_only=urgent, by=visit.me)
        elif act == "remove":
            contacts.remove(session, contact, by=visit.me, now=visit.now)
        else:
            raise InvalidInput("unknown_act", "this cannot be done with an address", field="act")

    right: list[bool] = []
    problem = tried(session, carry_out)
    if right == [False]:
        problem = InvalidInput("wrong_address_code", "this is not the code that was sent", field="code")
    if isinstance(problem, CityError):
        return _contacts(session, visit, Filled.of(f"{act}-{contact}", data, problem))
    return see_other("/my/contacts")


def _way(data: FormData) -> Way:
    said = text_of(data, "way")
    if said not in {way.value for way in Way}:
        raise InvalidInput("missing_field", "way is missing", field="way")
    return Way(said)


def _language(data: FormData) -> str:
    said = text_of(data, "language")
    if said not in LANGUAGES:
        raise InvalidInput("missing_field", "language is missing", field="language")
    return str(said)


# -- hours


@router.get("/my/hours")
def show_own_hours(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show when one's posts are kept."""
    return _hours_page(session, visit)


@router.get("/posts/{post}/hours")
def show_hours(post: int, session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show when a post is kept: one's own, or as an administrator any of the district."""
    return _hours_page(session, visit, post)


def _hours_page(
    session: ReadOnly, visit: Visit, post_id: int | None = None, sent: Filled = Filled()
) -> HTMLResponse:
    ids = [one.id for one in accounts.posts_of(session, visit.signed.person.id)]
    posts = [roster.post_for(session, one, visit.me) for one in (ids if post_id is None else [post_id])]
    hours = roster.hours_of(session, [post.id for post in posts])
    people = {post.id: roster.stand_ins(session, post) for post in posts}
    return visit.show(
        session,
        "hours.html",
        problem=sent.problem,
        here="/my/hours",
        sent=sent,
        posts=posts,
        hours=hours,
        people=people,
        called={
            **{post.person_id: post.person.name for post in posts},
            **{i: n for p in people.values() for i, n in p},
        },
        on_duty={
            post.id: keepers(post.person_id, hours.get(post.id, ()), visit.now) if post.on_duty else ()
            for post in posts
        },
        own=post_id is None,
    )


@router.post("/posts/{post}/hours/{act}")
def act_on_hours(post: int, act: str, session: UnitOfWork, visit: Visiting, data: Sent) -> Response:
    """Add a row to a post's hours, or take one off."""

    def carry_out() -> None:
        now = roster.hours_of(session, [post]).get(post, [])
        if act == "add":
            roster.set_hours(session, post, [*now, *_rows(data)], by=visit.me)
        elif act == "remove":
            at = whole_of(data, "row")
            roster.set_hours(session, post, [row for n, row in enumerate(now) if n != at], by=visit.me)
        else:
            raise InvalidInput("unknown_act", "this cannot be done with hours", field="act")

    own = post in {one.id for one in accounts.posts_of(session, visit.signed.person.id)}
    problem = tried(session, carry_out)
    if isinstance(problem, CityError):
        sent = Filled.of(f"add-{post}", data, problem)
        return _hours_page(session, visit, None if own else post, sent)
    return see_other("/my/hours" if own else f"/posts/{post}/hours")


def _rows(data: FormData) -> list[Hours]:
    """Return the rows that a form says: one a weekday that was ticked, or one of a day."""
    times = [_time(data, name) for name in ("opens", "closes")]
    stretch = Hours(times[0], times[1], stands_in=whole_of(data, "stands_in"))
    day = text_of(data, "day")
    if day is not None:
        try:
            return [replace(stretch, day=date.fromisoformat(day))]
        except ValueError:
            raise InvalidInput("bad_time", "this is not a day", field="day", got=day[:40]) from None
    days = [int(str(one)) for one in data.getlist("weekday") if str(one) in "0123456" and one]
    if not days:
        raise InvalidInput("missing_field", "say weekdays or a day", field="weekday")
    return [replace(stretch, weekday=one) for one in days]


def _time(data: FormData, name: str) -> time | None:
    text = text_of(data, name)
    try:
        return time.fromisoformat(text) if text else None
    except ValueError:
        raise InvalidInput("bad_time", f"{name} is not a time", field=name, got=(text or "")[:40]) from None


# -- the log


@router.get("/messages/log")
def show_log(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show what was sent to whom, and what became of it."""
    asked = visit.request.query_params
    status, way = asked.get("status"), asked.get("way")
    before = asked.get("before", "")
    rows = deliveries.log(
        session,
        visit.me,
        status=DeliveryStatus(status) if status in set(DeliveryStatus) else None,
        way=Way(way) if way in set(Way) else None,
        name=(asked.get("person") or "").strip()[:100] or None,
        before=int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else None,
        limit=_LOGGED + 1,
    )
    older = query_of(visit.request, before=str(rows[_LOGGED - 1].id)) if len(rows) > _LOGGED else None
    return visit.show(
        session,
        "deliveries.html",
        here="/messages/log",
        rows=rows[:_LOGGED],
        older=older,
        counts=deliveries.counts(session, visit.me),
        asked=Filled("log", {"status": status or "", "way": way or "", "person": asked.get("person") or ""}),
    )
