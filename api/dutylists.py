"""What the routes and the pages of responsibility lists share: who may see and change which, and uploaded tables."""

from __future__ import annotations

from typing import BinaryIO

from api.deps import ReadOnly
from gis.errors import InvalidInput, NotFound
from grids import directory
from grids.duty import lists
from grids.rules.permissions import RULE_KEEPERS, RULE_READERS, Actor, require_area, require_role
from grids.tables import DraftStatus, DutyList

__all__ = ["MOST_BYTES", "district_of", "drafts_of", "keeper_opens", "readers_open", "table_of"]

MOST_BYTES = 4 * 1024 * 1024
"""Of an uploaded table."""


def district_of(session: ReadOnly, me: Actor) -> str:
    """Return the district of somebody's post, for a department its own; "" for who has none."""
    return directory.district_of(session, me) or ""


def drafts_of(me: Actor) -> tuple[DraftStatus, ...]:
    """Return the states of lists that somebody may see: what is published binds all, drafts are their keepers'."""
    return tuple(DraftStatus) if me.role in RULE_READERS else (DraftStatus.PUBLISHED,)


def readers_open(session: ReadOnly, me: Actor, list_id: int) -> DutyList:
    """Return a list that somebody may see. Raises `NotFound` ("no_such_list") for any other."""
    row = lists.get(session, list_id)
    if row.district_code != district_of(session, me) or row.status not in drafts_of(me):
        raise NotFound("no_such_list", f"there is no responsibility list {list_id}", id=list_id)
    return row


def keeper_opens(session: ReadOnly, me: Actor, list_id: int) -> DutyList:
    """Return a list that somebody may change or publish. Raises `Forbidden`, `NotFound`."""
    require_role(me, RULE_KEEPERS)
    row = readers_open(session, me, list_id)
    require_area(me, row.district_code)
    return row


def table_of(file: BinaryIO) -> bytes:
    """Return an uploaded table. Raises `InvalidInput` ("bad_sheet") for one that is too large."""
    content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise InvalidInput("bad_sheet", f"a table has at most {MOST_BYTES // 1024**2} MB", field="file")
    return content
