"""The responsibility lists of a district: the one in force, those drafted, and what a draft changes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from api.deps import ReadOnly, UnitOfWork
from api.dutylists import district_of, drafts_of, keeper_opens, readers_open, table_of
from api.names import Names
from api.pages.forms import Filled, date_of, text_of, tried
from api.pages.layout import see_other
from api.pages.visit import Sent, Visit, Visiting
from gis.errors import CityError, InvalidInput
from grids.duty import dryrun, lists
from grids.rules.calendar import local_day
from grids.rules.dutylists import CELLS, Comparison, Item
from grids.rules.permissions import RULE_KEEPERS, require_role, signature
from grids.tables import DraftStatus, DutyList, Responsibility

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


async def _with_file(request: Request) -> AsyncIterator[FormData]:
    async with request.form(max_files=1, max_fields=20) as data:  # closes the file
        yield data


WithFile = Annotated[FormData, Depends(_with_file)]
ListId = Annotated[int, Path(ge=1, le=2**31 - 1)]
RuleId = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("/duties")
def show_lists(session: ReadOnly, visit: Visiting) -> HTMLResponse:
    """Show the versions of one's district."""
    return _index(session, visit)


@router.post("/duties")
def draft(session: UnitOfWork, visit: Visiting, data: WithFile) -> Response:
    """Store a table, or a copy of the list in force, as a draft and show what it changes."""
    require_role(visit.me, RULE_KEEPERS)
    done = tried(session, lambda: _draft(session, visit, data))
    if isinstance(done, CityError):
        return _index(session, visit, Filled.of("draft", data, done), done)
    return see_other(f"/duties/{done.id}")


@router.get("/duties/{list_id}")
def show_list(session: ReadOnly, visit: Visiting, list_id: ListId) -> HTMLResponse:
    """Show one version: its items, what it changes and what it would have changed."""
    return _page(session, visit, list_id)


@router.post("/duties/{list_id}/dry-run")
def try_out(session: UnitOfWork, visit: Visiting, list_id: ListId) -> Response:
    """Give out last year's incidents by a draft."""
    keeper_opens(session, visit.me, list_id)
    done = tried(session, lambda: dryrun.dry_run(session, list_id, by=signature(visit.me), now=visit.now))
    if isinstance(done, CityError):
        return _page(session, visit, list_id, problem=done)
    return see_other(f"/duties/{list_id}#dry-run")


@router.post("/duties/{list_id}/publish")
def publish(session: UnitOfWork, visit: Visiting, list_id: ListId) -> Response:
    """Put a draft into force from its day on."""
    keeper_opens(session, visit.me, list_id)
    done = tried(session, lambda: lists.publish(session, list_id, by=signature(visit.me), now=visit.now))
    if isinstance(done, CityError):
        return _page(session, visit, list_id, problem=done)
    return see_other(f"/duties/{list_id}")


@router.post("/duties/{list_id}/discard")
def discard(session: UnitOfWork, visit: Visiting, list_id: ListId) -> Response:
    """Put a draft away."""
    keeper_opens(session, visit.me, list_id)
    done = tried(session, lambda: lists.discard(session, list_id))
    if isinstance(done, CityError):
        return _page(session, visit, list_id, problem=done)
    return see_other("/duties")


@router.post("/duties/{list_id}/items/{rule_id}")
def change(session: UnitOfWork, visit: Visiting, list_id: ListId, rule_id: RuleId, data: Sent) -> Response:
    """Change the cells of one item of a draft."""
    keeper_opens(session, visit.me, list_id)
    cells = {name: text_of(data, name) or "" for name in CELLS}
    done = tried(
        session,
        lambda: lists.change_item(session, list_id, rule_id, cells, by=signature(visit.me), now=visit.now),
    )
    if isinstance(done, CityError):
        return _page(session, visit, list_id, Filled.of("item", data, done), done, item=rule_id)
    return see_other(f"/duties/{list_id}#changes-title")


def _draft(session: UnitOfWork, visit: Visit, data: FormData) -> DutyList:
    file = data.get("file")
    head = {
        "district": district_of(session, visit.me),
        "name": text_of(data, "name") or "",
        "source": text_of(data, "source") or "",
        "by": signature(visit.me),
    }
    day = date_of(data, "effective_from")
    if isinstance(file, UploadFile) and file.filename:
        content = table_of(file.file)
        return lists.draft(session, content, effective_from=day, now=visit.now, **head)
    if text_of(data, "copy") is None:
        raise InvalidInput("file_needed", "choose a table, or copy the list in force", field="file")
    return lists.copy(session, effective_from=day, now=visit.now, **head)


def _index(
    session: ReadOnly, visit: Visit, sent: Filled = Filled(), problem: CityError | None = None
) -> HTMLResponse:
    district, today = district_of(session, visit.me), local_day(visit.now)
    rows = [
        row
        for row in lists.listing(session, [district], drafts_of(visit.me))
        if row.status is not DraftStatus.WITHDRAWN
    ]
    held = lists.in_force(session, district, today)
    return visit.show(
        session,
        "duties.html",
        problem=problem,
        here="/duties",
        sent=sent,
        held=held,
        drafts=[row for row in rows if row.status is DraftStatus.DRAFT],
        others=[row for row in rows if row.status is DraftStatus.PUBLISHED and row is not held],
        today=today,
        tomorrow=(today + timedelta(days=1)).isoformat(),
        may_change=visit.me.role in RULE_KEEPERS,
    )


def _page(
    session: ReadOnly,
    visit: Visit,
    list_id: int,
    sent: Filled = Filled(),
    problem: CityError | None = None,
    *,
    item: int | None = None,
) -> HTMLResponse:
    row = readers_open(session, visit.me, list_id)
    names, query = visit.names(session), visit.request.query_params
    rules = lists.rules_of(session, list_id)
    may_change = visit.me.role in RULE_KEEPERS and row.status is DraftStatus.DRAFT
    chosen = str(item) if item else text_of(query, "item")
    opened = next((rule for rule in rules if str(rule.id) == chosen), None) if may_change else None
    only = query.get("shared") == "1"
    found = lists.compare(session, list_id)
    return visit.show(
        session,
        "duty_list.html",
        names=names,
        problem=problem,
        here=f"/duties/{list_id}",
        sent=sent,
        row=row,
        district=row.district_code,
        found=found,
        moved=_moved(found, names, row.district_code),
        tried=_tried(row, names),
        rules=[rule for rule in rules if rule.demarcation] if only else rules,
        count=len(rules),
        shared=sum(rule.demarcation is not None for rule in rules),
        only=only,
        opened=opened,
        opened_cells=_cells(opened) if opened else {},
        bodies=[(body.code, names.words.name(body)) for body in names.departments(row.district_code)],
        may_change=may_change,
        signed_as=signature(visit.me),
        today=local_day(visit.now),
    )


def _cells(rule: Responsibility) -> dict[str, str]:
    """Return the cells of an item as its form has them."""
    return {
        name: ";".join(value) if isinstance(value := getattr(rule, name), list) else str(value or "")
        for name in CELLS
    }


def _moved(found: Comparison, names: Names, district: str) -> list[tuple[Item, list[tuple[str, str, str]]]]:
    """Return the items that changed, each with (column, before, after) in words."""
    words = names.words

    def told(field: str, value: str | None) -> str:
        if value is None:
            return words("(none)")
        if field in ("lead", "cooperating"):
            return words.listed(names.department(district, code) for code in value.split(";"))
        return words.of("basis", value) if field == "basis" else value

    return [
        (
            one.after,
            [
                (words.of("duty_column", c.field), told(c.field, c.before), told(c.field, c.after))
                for c in one.changes
            ],
        )
        for one in found.changed
    ]


def _tried(row: DutyList, names: Names) -> list[tuple[str, str, str, int, Sequence[str]]]:
    """Return (category, lead before, lead after, count, numbers) of what a draft would have changed."""
    nobody = names.words("Nobody")

    def lead(code: str | None) -> str:
        return names.department(row.district_code, code) if code else nobody

    return [
        (
            names.category(one["category"]),
            lead(one["before"]),
            lead(one["after"]),
            one["count"],
            one["examples"],
        )
        for one in (row.dry_run or {}).get("rows", ())
    ]
