"""Past incidents on another grid than the one that they hit.

Only what lay in cells that the wanted edition has not, or has with another border, is looked up by its point; all
else keeps its code. So a year of a city is moved in about the time that the points of the changed cells take to
be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import BigInteger, ColumnElement, FromClause, String, bindparam, exists, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session, aliased

from grids import atlas
from grids.tables import Grid, Incident

__all__ = ["Moved", "moved_to"]


@dataclass(frozen=True)
class Moved:
    """Where incidents count.

    code : the cell as SQL, "" for what lies in no cell of the wanted edition.
    source : what to join `Incident` with, by `on`, so that `code` can be asked; None where nothing moved.
    """

    code: ColumnElement[str]
    source: FromClause | None = None
    on: ColumnElement[bool] | None = None


def moved_to(session: Session, edition_id: int, walls: Sequence[ColumnElement[bool]]) -> Moved:
    """Find the cell of an edition for each incident inside the walls.

    A cell is the same in both editions when code and border are. Raises `Unavailable` ("no_grid") for an edition
    without cells.
    """
    hit, wanted = aliased(Grid), aliased(Grid)
    same = exists(
        select(hit.id)
        .join(wanted, (wanted.code == hit.code) & func.ST_OrderingEquals(wanted.boundary, hit.boundary))
        .where(
            wanted.edition_id == edition_id,
            hit.edition_id == Incident.edition_id,
            hit.code == Incident.grid_code,
        )
    )
    rows = session.execute(
        select(
            Incident.id, func.ST_X(Incident.point).label("lon"), func.ST_Y(Incident.point).label("lat")
        ).where(*walls, Incident.edition_id != edition_id, ~same)
    ).all()
    code: ColumnElement[str] = Incident.grid_code.expression
    if not rows:
        return Moved(code)
    there = atlas.of_edition(session, edition_id)
    index = there.locator.locate(np.array([row.lon for row in rows]), np.array([row.lat for row in rows]))
    cells = ["" if at < 0 else str(there.codes[at]) for at in index.tolist()]
    pairs = (
        func.unnest(
            bindparam("moved_ids", [row.id for row in rows], ARRAY(BigInteger)),
            bindparam("moved_cells", cells, ARRAY(String)),
        )
        .table_valued("id", "cell", name="moved")
        .render_derived()
    )
    return Moved(func.coalesce(pairs.c.cell, code), pairs, pairs.c.id == Incident.id)
