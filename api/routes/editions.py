"""Editions of the grid: load a file, draw in a draft, look at what it would change, publish it."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, Response, UploadFile
from fastapi import Path as PathParameter

from api.deps import AdmitFrame, Me, Now, ReadOnly, UnitOfWork
from api.idempotency import Once
from api.problems import answers
from api.schemas.base import FrameCode, Line
from api.schemas.editions import (
    BeginIn,
    EditionOut,
    ImpactOut,
    LoadedIn,
    OperationIn,
    PublishIn,
    ReportOut,
)
from api.uploads import Upload, load_upload, opened
from grids.ground import drafts, editions
from grids.ground.redraw import Operation
from grids.rules.permissions import require_grid_keeper, signature

__all__ = ["router"]

router = APIRouter(prefix="/api/editions", tags=["editions"])

ACT = answers(401, 403, 404, 409, 422)
EditionNumber = Annotated[int, PathParameter(ge=1, le=2**31 - 1)]


@router.get("", responses=answers(401, 403))
def list_editions(me: Me, session: ReadOnly) -> list[EditionOut]:
    """Return the editions of one's district, newest first."""
    require_grid_keeper(me)
    return [
        EditionOut.of(edition)
        for edition, _ in editions.listing(session)
        if all(me.scope.covers(code) for code in editions.districts_of(session, edition.id))
    ]


@router.post("", status_code=201, response_model=EditionOut, responses=answers(401, 403, 413, 422))
def load_edition(
    me: Me,
    session: UnitOfWork,
    now: Now,
    once: Once,
    admit: AdmitFrame,
    file: UploadFile,
    effective: Annotated[date, Form(description="the day from which it is to hold")],
    frame: Annotated[
        FrameCode | None,
        Form(description="what the coordinates are really counted in; needed unless the mapping says it"),
    ] = None,
    accept_frame: Annotated[
        Line | None, Form(description="why that frame is taken although another one fits better")
    ] = None,
    name: Annotated[Line | None, Form()] = None,
    layer: Annotated[Line | None, Form()] = None,
    encoding: Annotated[Line | None, Form()] = None,
    mapping: Annotated[
        UploadFile | None, Form(description="a TOML file that says which column holds what")
    ] = None,
) -> Response:
    """Store a file of areas as a draft; it is stored with its faults too, so that they can be looked at.

    Its frame is held against the edition in force on that day, where one holds the district.

    GeoPackage, GeoJSON, zipped Shapefile, KML, FlatGeobuf or GeoParquet.
    """
    require_grid_keeper(me)
    data = file.file.read()
    wish = mapping.file.read() if mapping else None
    said = LoadedIn(
        sha256=hashlib.sha256(data).hexdigest(),
        name=name or Path(file.filename or "grid").stem,
        effective=effective,
        frame=frame,
        accept_frame=accept_frame,
        layer=layer,
        encoding=encoding,
        mapping=None if wish is None else hashlib.sha256(wish).hexdigest(),
    )

    def make() -> tuple[EditionOut, str]:
        sent = Upload(
            filename=file.filename or "grid",
            data=data,
            mapping=wish,
            frame=frame,
            layer=layer,
            encoding=encoding,
            accept_frame=accept_frame,
        )
        edition = load_upload(session, sent, name=said.name, effective=effective, by=me, now=now, admit=admit)
        return EditionOut.of(edition), f"/api/editions/{edition.id}"

    return once.create(said, make)


@router.post("/drafts", status_code=201, response_model=EditionOut, responses=ACT)
def begin_draft(body: BeginIn, me: Me, session: UnitOfWork, now: Now, once: Once) -> Response:
    """Begin a draft with the areas of an edition, to be drawn anew."""

    def make() -> tuple[EditionOut, str]:
        opened(session, me, body.based_on)
        draft = drafts.begin(
            session,
            body.based_on,
            name=body.name,
            effective_from=body.effective,
            by=signature(me),
            now=now,
        )
        return EditionOut.of(draft), f"/api/editions/{draft.id}"

    return once.create(body, make)


@router.get("/{edition}", responses=answers(401, 403, 404))
def show_edition(edition: EditionNumber, me: Me, session: ReadOnly) -> EditionOut:
    """Return one edition, with what was drawn in it."""
    return EditionOut.of(opened(session, me, edition))


@router.get("/{edition}/report", responses=answers(401, 403, 404))
def show_report(edition: EditionNumber, me: Me, session: ReadOnly) -> ReportOut:
    """Return what the topology gate said of an edition, each fault with its place."""
    return ReportOut.of(opened(session, me, edition))


@router.get(
    "/{edition}/faults",
    response_class=Response,
    responses={200: {"content": {"application/geo+json": {}}}, **answers(401, 403, 404)},
)
def show_faults(edition: EditionNumber, me: Me, session: ReadOnly) -> Response:
    """Return the faults of an edition as a GeoJSON FeatureCollection."""
    found = ReportOut.of(opened(session, me, edition)).faults
    features = [
        {
            "type": "Feature",
            "geometry": fault.get("geometry"),
            "properties": {key: value for key, value in fault.items() if key != "geometry"},
        }
        for fault in found
    ]
    body = json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False)
    return Response(body, media_type="application/geo+json")


@router.get("/{edition}/impact", responses=ACT)
def show_impact(edition: EditionNumber, me: Me, session: ReadOnly, now: Now) -> ImpactOut:
    """Return what publishing a draft would change: areas, open incidents, people."""
    opened(session, me, edition)
    return ImpactOut.of(editions.impact(session, edition, now=now))


@router.post("/{edition}/operations", responses=ACT)
def operate(edition: EditionNumber, body: OperationIn, me: Me, session: UnitOfWork, now: Now) -> EditionOut:
    """Carry out one operation on a draft: split, merge, move_edge, reassign, rename, set_size."""
    opened(session, me, edition)
    drafts.operate(session, edition, Operation.from_json(body.operation), by=signature(me), now=now)
    return EditionOut.of(editions.get(session, edition))


@router.post("/{edition}/undo", responses=ACT)
def undo(edition: EditionNumber, me: Me, session: UnitOfWork) -> EditionOut:
    """Undo the last operation of a draft."""
    opened(session, me, edition)
    return EditionOut.of(drafts.undo(session, edition))


@router.post("/{edition}/check", responses=ACT)
def check(edition: EditionNumber, me: Me, session: UnitOfWork) -> ReportOut:
    """Hold a draft against all rules again."""
    opened(session, me, edition)
    return ReportOut.of(drafts.check(session, edition))


@router.post("/{edition}/publish", responses=ACT)
def publish(edition: EditionNumber, body: PublishIn, me: Me, session: UnitOfWork, now: Now) -> EditionOut:
    """Put a draft into force from its day; over another edition only somebody who did not draw it may.

    The worker brings open incidents over when the day has come.
    """
    opened(session, me, edition)
    done = editions.publish(session, edition, by=signature(me), now=now, open_cases=body.open_cases)
    return EditionOut.of(done)


@router.delete("/{edition}", status_code=204, responses=ACT)
def discard(edition: EditionNumber, me: Me, session: UnitOfWork) -> None:
    """Throw a draft away."""
    opened(session, me, edition)
    drafts.discard(session, edition)
