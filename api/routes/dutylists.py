"""Versions of the responsibility list: drafted from a table, compared, tried out on last year, published."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Form, Path, Response, UploadFile

from api.deps import Me, Now, ReadOnly, UnitOfWork
from api.dutylists import district_of, drafts_of, keeper_opens, readers_open, table_of
from api.idempotency import Once
from api.problems import answers
from api.schemas.base import Line
from api.schemas.dutylists import ComparisonOut, DryRunOut, DutyListOut, SentTable, WholeListOut
from grids.duty import dryrun, lists
from grids.rules.permissions import RULE_KEEPERS, require_role, signature

__all__ = ["router"]

router = APIRouter(prefix="/api/duty-lists", tags=["duties"])

ACT = answers(401, 403, 404, 409, 422)
ListId = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("", responses=answers(401))
def list_duty_lists(me: Me, session: ReadOnly) -> list[DutyListOut]:
    """Return the versions of one's district, the newest first; drafts only to those who keep and check them."""
    rows = lists.listing(session, [district_of(session, me)], drafts_of(me))
    return [DutyListOut.of(row) for row in rows]


@router.post("", status_code=201, response_model=DutyListOut, responses=answers(401, 403, 409, 413, 422))
def draft_duty_list(
    me: Me,
    session: UnitOfWork,
    now: Now,
    once: Once,
    name: Annotated[Line, Form(description="of the list")],
    source: Annotated[Line, Form(description="the paper that issues it")],
    effective_from: Annotated[date, Form(description="the day from which it is to hold")],
    file: Annotated[
        UploadFile | None,
        Form(description="a CSV table, UTF-8 or GB 18030; without one the list in force is copied"),
    ] = None,
) -> Response:
    """Store a table as a draft, the next version of one's district's list: all of it, or nothing."""
    require_role(me, RULE_KEEPERS)
    content = None if file is None else table_of(file.file)
    said = SentTable(
        sha256=hashlib.sha256(content or b"").hexdigest(),
        name=name,
        source=source,
        effective_from=effective_from,
    )
    head = {"district": district_of(session, me), "name": name, "source": source, "by": signature(me)}

    def make() -> tuple[DutyListOut, str]:
        if content is None:
            row = lists.copy(session, effective_from=effective_from, now=now, **head)
        else:
            row = lists.draft(session, content, effective_from=effective_from, now=now, **head)
        return DutyListOut.of(row), f"/api/duty-lists/{row.id}"

    return once.create(said, make)


@router.get("/{list_id}", responses=answers(401, 404))
def show_duty_list(list_id: ListId, me: Me, session: ReadOnly) -> WholeListOut:
    """Return one version with its items."""
    row = readers_open(session, me, list_id)
    return WholeListOut.whole(row, lists.items_of(session, list_id))


@router.get("/{list_id}/compare", responses=answers(401, 404))
def compare_duty_list(list_id: ListId, me: Me, session: ReadOnly) -> ComparisonOut:
    """Return what a version changes against the items that it replaces."""
    readers_open(session, me, list_id)
    return ComparisonOut.of(lists.compare(session, list_id))


@router.get(
    "/{list_id}/items.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}}, **answers(401, 404)},
)
def export_duty_list(list_id: ListId, me: Me, session: ReadOnly) -> Response:
    """Return the items of a version as a table that can be changed and handed in again."""
    row = readers_open(session, me, list_id)
    name = f"duties-{row.district_code}-v{row.version_no}.csv"
    return Response(
        "\ufeff" + lists.as_csv(session, list_id),
        media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.post("/{list_id}/dry-run", responses=ACT)
def try_duty_list(list_id: ListId, me: Me, session: UnitOfWork, now: Now) -> DryRunOut:
    """Give out the incidents of the last 365 days by a draft and by what it would replace."""
    keeper_opens(session, me, list_id)
    return DryRunOut.model_validate(dryrun.dry_run(session, list_id, by=signature(me), now=now))


@router.post("/{list_id}/publish", responses=ACT)
def publish_duty_list(list_id: ListId, me: Me, session: UnitOfWork, now: Now) -> DutyListOut:
    """Put a draft into force from its day on; somebody else than who drafted it. Cases keep the list they have."""
    keeper_opens(session, me, list_id)
    return DutyListOut.of(lists.publish(session, list_id, by=signature(me), now=now))


@router.delete("/{list_id}", status_code=204, responses=ACT)
def discard_duty_list(list_id: ListId, me: Me, session: UnitOfWork) -> None:
    """Put a draft away with its items."""
    keeper_opens(session, me, list_id)
    lists.discard(session, list_id)
