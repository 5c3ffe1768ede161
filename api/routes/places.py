"""Recurrent problem points: the ledger, one whole, the acts of their state table, and their photos."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Form, Path, Query, Response, UploadFile

from api.deps import AdmitFrame, Me, Now, ReadOnly, UnitOfWork
from api.idempotency import Once
from api.problems import answers
from api.routes.query import Area, Bbox, Category, Cursor, Limit, Text
from api.schemas.base import Passage, ShortCode
from api.schemas.recurring import (
    ChangedPlanIn,
    FinishIn,
    NameIn,
    PhotoOut,
    PlaceBrief,
    PlaceListOut,
    PlaceWholeOut,
    PlanIn,
    SentPhoto,
)
from api.schemas.whistles import NoteIn, ReasonIn
from grids.places import acts, ledger, photos
from grids.places.ledger import PlaceFilters
from grids.rules.permissions import Actor
from grids.rules.places import PhotoSide, PlaceStatus

__all__ = ["router"]

router = APIRouter(prefix="/api/places", tags=["places"])

ACT = answers(401, 403, 404, 409, 422)
Number = Annotated[str, Path(max_length=24, pattern=r"^P[0-9]{14,23}$")]
PhotoId = Annotated[int, Path(ge=1, le=2**63 - 1)]


def _shown(session: ReadOnly, me: Actor, number: str, now: Now) -> PlaceWholeOut:
    return PlaceWholeOut.of(ledger.show_place(session, me, number, now=now))


@router.get("", responses=answers(401, 422))
def list_places(
    me: Me,
    session: ReadOnly,
    now: Now,
    area: Area = None,
    status: Annotated[list[PlaceStatus] | None, Query(max_length=10)] = None,
    category: Category = None,
    lead: Annotated[ShortCode | None, Query(description="who leads: a department's code, or TOWN")] = None,
    campaign: Annotated[str | None, Query(max_length=24, description="a campaign's number")] = None,
    overdue: Annotated[bool, Query(description="only those whose plan is late")] = False,
    bbox: Bbox = None,
    q: Text = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> PlaceListOut:
    """Return recurrent problem points in sight, those found last first; a department sees those that it works on."""
    filters = PlaceFilters(
        area=area,
        statuses=tuple(status or ()),
        category=category,
        lead=lead,
        campaign=campaign,
        text=q,
        bbox=bbox,
        overdue_only=overdue,
    )
    page = ledger.find_places(session, me.scope, filters, now=now, cursor=cursor, limit=limit)
    return PlaceListOut(items=[PlaceBrief.brief(row) for row in page.items], next_cursor=page.next_cursor)


@router.post("", status_code=201, response_model=PlaceWholeOut, responses=answers(401, 403, 404, 409, 422))
def name_place(
    body: NameIn, me: Me, admit: AdmitFrame, once: Once, session: UnitOfWork, now: Now
) -> Response:
    """Name a place before the rule finds it; what happened there in the last half year joins it."""

    def make() -> tuple[PlaceWholeOut, str]:
        place = acts.name(
            session,
            category=body.category,
            lon=body.lon,
            lat=body.lat,
            frame=admit(body.frame),
            name=body.name,
            note=body.note,
            by=me,
            now=now,
        )
        return _shown(session, me, place.number, now), f"/api/places/{place.number}"

    return once.create(body, make)


@router.get("/{number}", responses=answers(401, 404, 422))
def show_place(number: Number, me: Me, session: ReadOnly, now: Now) -> PlaceWholeOut:
    """Return a place with its incidents, its history and what the reader may do now."""
    return _shown(session, me, number, now)


@router.post("/{number}/confirm", responses=ACT)
def confirm(number: Number, me: Me, session: UnitOfWork, now: Now, body: NoteIn = NoteIn()) -> PlaceWholeOut:
    """Say that it is one."""
    acts.confirm(session, number, note=body.comment, by=me, now=now)
    return _shown(session, me, number, now)


@router.post("/{number}/dismiss", responses=ACT)
def dismiss(number: Number, body: ReasonIn, me: Me, session: UnitOfWork, now: Now) -> PlaceWholeOut:
    """Say that it is none; only what comes back from now on finds it again."""
    acts.dismiss(session, number, reason=body.reason, by=me, now=now)
    return _shown(session, me, number, now)


@router.post("/{number}/plan", responses=ACT)
def plan(number: Number, body: PlanIn, me: Me, session: UnitOfWork, now: Now) -> PlaceWholeOut:
    """Say what is done about it, by whom and by when."""
    acts.plan(session, number, body.to_plan(), by=me, now=now)
    return _shown(session, me, number, now)


@router.post("/{number}/change-plan", responses=ACT)
def change_plan(number: Number, body: ChangedPlanIn, me: Me, session: UnitOfWork, now: Now) -> PlaceWholeOut:
    """Put another plan in its place."""
    acts.change_plan(session, number, body.to_plan(), reason=body.reason, by=me, now=now)
    return _shown(session, me, number, now)


@router.post("/{number}/finish", responses=ACT)
def finish(number: Number, body: FinishIn, me: Me, session: UnitOfWork, now: Now) -> PlaceWholeOut:
    """Say that the measure is done: its quiet period begins."""
    acts.finish(session, number, result=body.result, by=me, now=now)
    return _shown(session, me, number, now)


@router.post(
    "/{number}/photos",
    status_code=201,
    response_model=PhotoOut,
    responses=answers(401, 403, 404, 409, 413, 422),
)
def add_photo(
    number: Number,
    me: Me,
    session: UnitOfWork,
    now: Now,
    once: Once,
    file: UploadFile,
    side: Annotated[PhotoSide, Form(description="before or after the treatment")],
    note: Annotated[Passage | None, Form()] = None,
) -> Response:
    """Put a photo with a place: JPEG, PNG or WebP of at most 15 MB, kept upright, small and without its tags."""
    content = file.file.read(photos.LARGEST_BYTES + 1)
    said = SentPhoto(sha256=hashlib.sha256(content).hexdigest(), side=side, note=note)

    def make() -> tuple[PhotoOut, str]:
        photo = photos.add_photo(session, number, content, side=side, note=note, by=me, now=now)
        shown = PhotoOut.of(number, photo)
        return shown, shown.url

    return once.create(said, make)


@router.get(
    "/{number}/photos/{photo_id}",
    responses={**answers(401, 404, 422), 200: {"content": {"image/jpeg": {}}, "description": "the picture"}},
    response_class=Response,
)
def show_photo(number: Number, photo_id: PhotoId, me: Me, session: ReadOnly) -> Response:
    """Return the picture of a photo."""
    photo = photos.read_photo(session, me.scope, number, photo_id)
    return Response(
        photo.content,
        media_type="image/jpeg",
        headers={"Cache-Control": "private, max-age=86400", "ETag": f'"{photo.sha256.hex()}"'},
    )
