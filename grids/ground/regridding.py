"""Past incidents on another grid than the one that they hit, or on their own where some of its cells are no more.

Only what lay in cells that the wanted edition has not, or has with another border, is looked up by its point; all
else keeps its code. So a year of a city is moved in about the time that the points of the changed cells take to
be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, ColumnElement, FromClause, String, bindparam, exists, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session, aliased

from grids import atlas
from grids.tables import Edition, Grid, Incident

__all__ = ["Moved", "as_it_was", "moved_to"]


@dataclass(frozen=True)
class Moved:
    """Where incidents count.

    code : the cell as SQL, "" for what lies in no cell of the wanted edition.
    source : what to join `Incident` with, by `on`, so that `code` can be asked; None where nothing moved.
    """

    code: ColumnElement[str]
    source: FromClause | None = None
    on: ColumnElement[bool] | None = None


def as_it_was(
    session: Session, on: date, walls: Sequence[ColumnElement[bool]], code: ColumnElement[str] | None = None
) -> Moved:
    """Return the cell that each incident inside the walls hit; of those that are no more on a day, the one there now.

    So the cells of an area add up to it. code : what stands for the cell that it hit, if not `Incident.grid_code`.
    """
    hit = Incident.grid_code.expression if code is None else code
    cells = select(Grid.code).join(Edition, Edition.id == Grid.edition_id)
    there = set(session.scalars(cells.where(atlas.in_force(on), Grid.level == Edition.leaf_level)))
    gone = set(session.scalars(select(hit).where(*walls).distinct())) - there
    if not gone or not there:
        return Moved(hit)
    rows = _points(session, *walls, hit.in_(gone))
    return _looked_up(hit, rows, atlas.current(session, on=on, keep=False))


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
    rows = _points(session, *walls, Incident.edition_id != edition_id, ~same)
    if not rows:
        return Moved(Incident.grid_code.expression)
    return _looked_up(Incident.grid_code.expression, rows, atlas.of_edition(session, edition_id))


def _points(session: Session, *walls: ColumnElement[bool]) -> Sequence[Any]:
    x, y = func.ST_X(Incident.point), func.ST_Y(Incident.point)
    return session.execute(select(Incident.id, x.label("lon"), y.label("lat")).where(*walls)).all()


def _looked_up(code: ColumnElement[str], rows: Sequence[Any], there: atlas.Atlas) -> Moved:
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
