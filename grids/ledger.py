"""The ledger (挂账) as a list: hard cases that stand apart from their period's rates, the next review on top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from grids.rules.permissions import Scope
from grids.scope import incidents_in, under
from grids.tables import Category, Incident, LedgerItem

__all__ = ["LedgerRow", "on_ledger"]


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A case with the item that holds it on the ledger, or held it."""

    item: LedgerItem
    incident: Incident
    category: Category | None


def on_ledger(
    session: Session, scope: Scope, *, area: str | None = None, ended: bool = False, limit: int = 200
) -> Sequence[LedgerRow]:
    """Return what is on the ledger in a scope, what is to be reviewed first on top.

    area : a code above the cases. ended : with those that were taken up again or closed, the last ones below.
    """
    query = (
        select(LedgerItem, Incident, Category)
        .join(Incident, Incident.id == LedgerItem.incident_id)
        .outerjoin(Category, Category.code == Incident.category_code)
        .where(incidents_in(scope))
        .order_by(LedgerItem.ended_at.desc().nulls_first(), LedgerItem.review_on, LedgerItem.id)
        .limit(limit)
    )
    if not ended:
        query = query.where(LedgerItem.ended_at.is_(None))
    if area:
        query = query.where(under(Incident.grid_code, area))
    return [LedgerRow(*row) for row in session.execute(query)]
