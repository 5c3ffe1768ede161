"""One edition of the grid: its map, its faults, and for a draft what can be drawn in it and what that changes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData
from starlette.responses import Response

from api.deps import ReadOnly, UnitOfWork
from api.i18n import Words
from api.names import Names
from api.pages.faults import FaultWords, listed
from api.pages.forms import Filled, text_of, tried, whole_of
from api.pages.layout import see_other
from api.pages.visit import Sent, Visit, Visiting
from api.uploads import opened
from gis.errors import CityError, Conflict, InvalidInput, NotFound
from grids import atlas
from grids.ground import drafts, editions
from grids.ground.editions import Entry
from grids.ground.redraw import Operation, OperationKind
from grids.rules.calendar import local_day
from grids.rules.levels import TOP_DOWN, GridLevel
from grids.rules.permissions import signature
from grids.tables import Edition, EditionStatus, OpenCases

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_WHOLE = 1500  # so many areas are drawn at once; of a larger grid one town at a time
_BY_FORM = tuple(kind for kind in OperationKind if kind is not OperationKind.REPLACE_CHILDREN)


@router.get("/grids/{number:int}")
def show(number: int, session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show one edition: its map, its faults and, for a draft, what can be done with it."""
    return _show(session, visit, number)


def _show(
    session: ReadOnly,
    visit: Visit,
    number: int,
    sent: Filled = Filled(),
    problem: CityError | None = None,
) -> HTMLResponse:
    edition = opened(session, visit.me, number)
    entries = editions.entries(session, number)
    names = _names(session, visit, entries)
    codes = {entry.code for entry in entries}
    asked = visit.request.query_params
    is_draft = edition.status is EditionStatus.DRAFT
    before = _held_before(session, edition, entries) if is_draft else None
    steps = _steps(edition, names, codes)
    return visit.show(
        session,
        "edition.html",
        names=names,
        problem=problem,
        here=f"/grids/{number}",
        edition=edition,
        today=local_day(visit.now),
        sent=sent,
        is_draft=is_draft,
        drawable=is_draft and edition.based_on_id is not None,
        before=edition.based_on_id or before,
        replaces=before,
        base_is_draft=_base_is_draft(session, edition),
        bounds=editions.bounds_of(session, number),
        counts=_counts(entries),
        small=len(entries) <= _WHOLE,
        towns=[(entry.code, entry.name) for entry in entries if entry.level is GridLevel.TOWN],
        levels=[level for level in reversed(TOP_DOWN[1:]) if any(entry.level is level for entry in entries)],
        faults=listed(edition.report, asked.get("fault"), FaultWords(visit.words, names.area, entries)),
        errors=int(edition.report.get("errors", 0)),
        warnings=int(edition.report.get("warnings", 0)),
        steps=steps,
        changed=[code for code in (steps[-1]["touched"] if is_draft and steps else ()) if code in codes],
        kinds=[(kind.value, visit.words.of("operation", kind)) for kind in _BY_FORM],
        mine=signature(visit.me) in editions.drawn_by(edition),
        open_cases=list(OpenCases),
        **(_impact(session, visit, number) if is_draft and asked.get("impact") else {"impact": None}),
    )


def _names(session: ReadOnly, visit: Visit, entries: Sequence[Entry]) -> Names:
    return Names(session, visit.words, visit.now, {entry.code: entry.name for entry in entries})


def _counts(entries: Sequence[Entry]) -> list[tuple[GridLevel, int]]:
    counted = Counter(entry.level for entry in entries)
    return [(level, counted[level]) for level in TOP_DOWN if counted[level]]


def _held_before(session: ReadOnly, edition: Edition, entries: Sequence[Entry]) -> int | None:
    """Return the edition in force on the day from which a draft is to hold, None where there is none."""
    for entry in entries:
        if entry.level is GridLevel.DISTRICT:
            try:
                return atlas.grid(session, entry.code, on=edition.effective_from).edition_id
            except NotFound:
                continue
    return None


def _base_is_draft(session: ReadOnly, edition: Edition) -> bool:
    base = edition.based_on_id
    return base is not None and editions.get(session, base).status is EditionStatus.DRAFT


def _steps(edition: Edition, names: Names, there: Collection[str]) -> list[dict[str, Any]]:
    """Return the operations of a draft in words. new : areas that a step made; touched : codes it drew anew."""
    found = []
    for step in edition.operations:
        operation = Operation.from_json(step["operation"])
        codes = list(operation.arguments.get("codes") or [operation.arguments.get("code", "")])
        new = step["used"]
        notes = [_note(names.words, note["kind"], names.area(note["code"])) for note in step["notes"]]
        found.append(
            {
                "by": step["by"],
                "kind": operation.kind,
                "areas": [(names.area(code), code) for code in codes],
                "new": [(names.area(code), code) for code in new if code in there],
                "notes": list(dict.fromkeys(notes)),
                "touched": [*codes, *new],
            }
        )
    return found


def _note(words: Words, kind: str, area: str) -> str:
    if kind == "estimated":
        return words(
            "{area}: households and people are estimated by ground; set them if you know them.", area=area
        )
    if kind == "in_parts":
        return words("{area} lies in several separate parts now.", area=area)
    return words("{area}: households or people are not known any more; set them.", area=area)


@router.get("/grids/{number:int}/impact")
def show_impact(number: int, session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show what publishing a draft would change, as a part of its page."""
    opened(session, visit.me, number)
    names = _names(session, visit, editions.entries(session, number))
    return visit.part(session, "impact.html", names=names, **_impact(session, visit, number))


def _impact(session: ReadOnly, visit: Visit, number: int) -> dict[str, Any]:
    """Return what a draft would change, or why that cannot be told: broken shapes hold nothing."""
    try:
        return {"impact": editions.impact(session, number, now=visit.now), "impact_problem": None}
    except (InvalidInput, Conflict) as problem:
        return {"impact": None, "impact_problem": problem}


@router.post("/grids/{number:int}/operations")
def operate(number: int, session: UnitOfWork, visit: Visiting, data: Sent) -> Response:
    """Carry out one operation on a draft."""
    opened(session, visit.me, number)
    by = signature(visit.me)
    return _done(
        session,
        visit,
        number,
        Filled.of("operation", data),
        lambda: drafts.operate(session, number, _operation(data), by=by, now=visit.now),
    )


def _operation(data: FormData) -> Operation:
    """Return the operation that the form says; each kind takes the fields that it knows."""
    kind = text_of(data, "kind") or ""
    codes = (text_of(data, "codes") or "").replace(",", " ").split()
    told: dict[str, Any] = {"kind": kind}
    if kind in (OperationKind.MERGE, OperationKind.MOVE_EDGE):
        told["codes"] = codes
    else:
        if len(codes) != 1:
            raise InvalidInput(
                "one_area_needed",
                f"choose one area for this, not {len(codes)}",
                field="codes",
                got=len(codes),
            )
        told["code"] = codes[0]
    if kind in (OperationKind.SPLIT, OperationKind.MOVE_EDGE):
        told["line"] = _line(text_of(data, "line"))
    if kind == OperationKind.REASSIGN:
        told["to_parent"] = text_of(data, "to_parent") or ""
    if kind == OperationKind.RENAME or (kind == OperationKind.MERGE and text_of(data, "name")):
        told["name"] = text_of(data, "name") or ""
    if kind == OperationKind.SET_SIZE:
        sizes = {field: whole_of(data, field) for field in ("households", "population")}
        told |= {field: size for field, size in sizes.items() if size is not None}
        if text_of(data, "size_reason"):
            told["size_reason"] = text_of(data, "size_reason")
    return Operation.from_json(told)


def _line(text: str | None) -> Any:
    try:
        return json.loads(text or "")
    except (ValueError, RecursionError):
        raise InvalidInput(
            "line_unreadable", "draw the line on the map, or give [[lon, lat], ...]", field="line"
        ) from None


@router.post("/grids/{number:int}/undo")
def undo(number: int, session: UnitOfWork, visit: Visiting) -> Response:
    """Undo the last operation of a draft."""
    opened(session, visit.me, number)
    return _done(session, visit, number, Filled("undo"), lambda: drafts.undo(session, number))


@router.post("/grids/{number:int}/check")
def check(number: int, session: UnitOfWork, visit: Visiting) -> Response:
    """Hold a draft against all rules again."""
    opened(session, visit.me, number)
    return _done(session, visit, number, Filled("check"), lambda: drafts.check(session, number))


@router.post("/grids/{number:int}/publish")
def publish(number: int, session: UnitOfWork, visit: Visiting, data: Sent) -> Response:
    """Put a draft into force from its day."""
    opened(session, visit.me, number)
    by = signature(visit.me)
    chosen = OpenCases.STAY if text_of(data, "open_cases") == OpenCases.STAY else OpenCases.FOLLOW
    return _done(
        session,
        visit,
        number,
        Filled.of("publish", data),
        lambda: editions.publish(session, number, by=by, now=visit.now, open_cases=chosen),
    )


@router.post("/grids/{number:int}/discard")
def discard(number: int, session: UnitOfWork, visit: Visiting) -> Response:
    """Throw a draft away and show the list."""
    opened(session, visit.me, number)
    return _done(session, visit, number, Filled("discard"), lambda: drafts.discard(session, number), "/grids")


def _done(
    session: UnitOfWork,
    visit: Visit,
    number: int,
    sent: Filled,
    act: Callable[[], Any],
    to: str | None = None,
) -> Response:
    done = tried(session, act)
    if isinstance(done, CityError):
        session.expire_all()
        return _show(session, visit, number, Filled(sent.id, sent.values, done), done)
    return see_other(to or f"/grids/{number}")
