"""Where a recurrence on a map leads in the ledger: to the place that it belongs to, or to naming one there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import geopandas as gpd
from sqlalchemy.orm import Session

from api.i18n import Words
from grids.places.belonging import belongings
from grids.rules.permissions import Actor
from grids.rules.places import LONGEST_NAME, PLACE

__all__ = ["LedgerLink", "ledger_links", "with_links"]

_NAMERS = frozenset(role for row in PLACE.rows("name") for role in row.roles)


@dataclass(frozen=True, slots=True)
class LedgerLink:
    """An address on our host, and the words that lead there."""

    href: str
    text: str


def ledger_links(
    session: Session, me: Actor, recurrences: gpd.GeoDataFrame, words: Words
) -> list[LedgerLink | None]:
    """Return where each recurrence leads; None where it is in no ledger and the reader names no places.

    recurrences : as `grids.measures.recurrences` gives them.
    """
    numbers: Sequence[Sequence[str]] = recurrences["numbers"].tolist()
    links: list[LedgerLink | None] = []
    for place, category, known in zip(
        recurrences.geometry,
        recurrences["category"].tolist(),
        belongings(session, me.scope, numbers),
        strict=True,
    ):
        if known.number is not None:
            links.append(LedgerLink(f"/points/{known.number}", words("Open in the ledger")))
        elif me.role in _NAMERS:
            asked = {
                "category": category,
                "lon": f"{place.x:.6f}",
                "lat": f"{place.y:.6f}",
                "name": (known.address or "")[:LONGEST_NAME],
            }
            links.append(LedgerLink(f"/points/new?{urlencode(asked)}", words("Put it into the ledger")))
        else:
            links.append(None)
    return links


def with_links(session: Session, me: Actor, recurrences: gpd.GeoDataFrame, words: Words) -> gpd.GeoDataFrame:
    """Return recurrences with the columns that `maps.recurrence_map` takes their links from."""
    links = ledger_links(session, me, recurrences, words)
    return recurrences.assign(
        url=[link.href if link else None for link in links],
        url_text=[link.text if link else None for link in links],
    )
