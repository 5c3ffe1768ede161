"""The cases that a figure is of, and the cell that each counts in.

Duplicates that were merged count once, with their master. Rejected and cancelled reports and reports that lie
in no cell do not count. Areas are those of the grid in force at the end of the window, and an incident counts
where the code lies that it hit ("as it was"), or in the cell that holds its point where that code is no more; or
both are those of an edition that the window names, and an incident counts where its point lies on that grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from grids.facts import Facts, facts
from grids.figures.asking import Window
from grids.figures.ground import Ground, ground
from grids.figures.reading import CHANNELS, GRADES, STATUSES
from grids.rules.lifecycle import UNCOUNTED_STATUSES, IncidentStatus
from grids.rules.moments import micros
from grids.rules.permissions import Scope
from grids.tables import IS_OPEN, Incident

__all__ = ["COUNTED", "Taken", "seen", "take"]

COUNTED = tuple(status for status in IncidentStatus if status not in UNCOUNTED_STATUSES)
"""The states of cases that figures count."""


@dataclass(frozen=True)
class Taken:
    """The cases of a window that a reader may see.

    rows : (m,) their positions in the facts. cell : (m,) the position of the cell that each counts in; a case that
    counts in none of the window's area is not among them. leaf : (m,) the position in `codes` of the cell of the
    lowest level that each counts in.
    """

    facts: Facts
    ground: Ground
    rows: NDArray[np.int64]
    cell: NDArray[np.int32]
    codes: list[str]
    leaf: NDArray[np.int32]

    def case(self, name: str) -> NDArray[Any]:
        """Return a column of the cases, (m,)."""
        column: NDArray[Any] = self.facts.case(name)[self.rows]
        return column

    @property
    def cells(self) -> gpd.GeoDataFrame:
        """A copy of the areas, to which a figure adds its columns."""
        return self.ground.cells.copy()

    def counted(self, which: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """Return how many cases each cell has; of those alone that `which` (m,) names."""
        cell = self.cell if which is None else self.cell[which]
        return np.bincount(cell, minlength=len(self.ground.cells)).astype(np.int64)

    def tasks(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return the positions of the tasks of these cases, and the cell that each counts in."""
        place = np.full(self.facts.n, -1, dtype=np.int32)
        place[self.rows] = self.cell
        cell = place[self.facts.task("row")]
        mine = np.flatnonzero(cell >= 0)
        return mine, cell[mine]


def take(session: Session, scope: Scope, window: Window, *, where_late: bool = False) -> Taken:
    """Return the cases of a window inside a scope.

    where_late : what became overdue counts where it did, also when it lies in another grid by now.
    Raises `InvalidInput` ("no_cells") for a level that the area has not.
    """
    found = facts(session, window.since, window.until)
    land = ground(session, window, own=found.own)
    rows = np.flatnonzero(_inside(found, scope, window))
    codes, leaf = _leaf_of(session, found, land, rows, where_late=where_late)
    cell = land.cells_of(codes)[leaf] if rows.size else np.zeros(0, dtype=np.int32)
    placed = cell >= 0
    return Taken(found, land, rows[placed], cell[placed], codes, leaf[placed])


def _inside(found: Facts, scope: Scope, window: Window) -> NDArray[np.bool_]:
    received = found.case("received")
    inside = (received >= micros(window.since)) & (received < micros(window.until))
    counts = np.zeros(max(STATUSES.values()) + 1, dtype=np.bool_)
    counts[[STATUSES[status] for status in COUNTED]] = True
    inside &= counts[found.case("status")] & ~found.case("outside")
    if window.category is not None:
        kinds = found.categories
        wanted = kinds.index(window.category) if window.category in kinds else -1
        inside &= found.case("category") == wanted
    if window.grade is not None:
        inside &= found.case("grade") == GRADES[window.grade]
    if window.channel is not None:
        inside &= found.case("channel") == CHANNELS[window.channel]
    if not scope.everything:
        inside &= seen(found, scope)
    return inside


def seen(found: Facts, scope: Scope) -> NDArray[np.bool_]:
    """Tell which cases (n,) a reader who does not see everything may see, as `grids.scope.incidents_in` does."""
    in_area = np.array([code.startswith(scope.areas) for code in found.codes], dtype=np.bool_)
    visible: NDArray[np.bool_] = np.zeros(found.n, dtype=np.bool_)
    if scope.areas:
        visible = in_area[found.case("grid")]
    if scope.departments:
        theirs = np.isin(found.task("department"), scope.departments)
        visible[found.task("row")[theirs]] = True
    return visible


def _leaf_of(
    session: Session, found: Facts, land: Ground, rows: NDArray[np.int64], *, where_late: bool
) -> tuple[list[str], NDArray[np.int32]]:
    """Return codes, and the position among them of the cell of the lowest level that each case counts in."""
    hit: NDArray[np.int32] = found.case("grid")[rows]
    if land.edition is None:
        if where_late:
            late = found.case("overdue_grid")[rows]
            hit = np.where(late >= 0, late, hit)
        gone = np.array([code not in land.leaves for code in found.codes], dtype=np.bool_)
        moved = gone[hit] if land.leaves else np.zeros(rows.shape, dtype=np.bool_)
    else:
        moved = _on_another_grid(session, found, land, rows, hit)
    if not moved.any():
        return found.codes, hit
    there = land.atlas(session)
    at = there.locator.locate(found.case("lon")[rows[moved]], found.case("lat")[rows[moved]])
    codes = [*found.codes, *(str(code) for code in there.codes), ""]  # the last for a point in no cell
    hit = hit.copy()
    hit[moved] = np.where(at < 0, len(codes) - 1, len(found.codes) + at)
    return codes, hit


def _on_another_grid(
    session: Session, found: Facts, land: Ground, rows: NDArray[np.int64], hit: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Tell which cases hit a cell that the wanted edition has not, or has with another border."""
    editions = _editions_now(session, found, rows)
    moved = np.zeros(rows.shape, dtype=np.bool_)
    for edition in np.unique(editions).tolist():
        if edition in (0, land.edition):
            continue
        same = land.same_cells(session, edition)
        elsewhere = np.array([code not in same for code in found.codes], dtype=np.bool_)
        of_it = editions == edition
        moved[of_it] = elsewhere[hit[of_it]]
    return moved


def _editions_now(session: Session, found: Facts, rows: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the edition whose cell each case hit.

    An open case whose cell is the same on a new grid gets the number of the new edition without a step of its own
    (`grids.ground.succession`): the one change that the trace does not tell. So of open cases it is read anew.
    """
    editions: NDArray[np.int32] = found.case("edition").copy()
    now = session.execute(select(Incident.id, Incident.edition_id).where(IS_OPEN)).all()
    if now:
        ids = np.array([row.id for row in now], dtype=np.int64)
        numbers = np.array([row.edition_id or 0 for row in now], dtype=np.int32)
        order = np.argsort(ids)
        ids, numbers = ids[order], numbers[order]
        held = found.case("id")
        at = np.minimum(np.searchsorted(ids, held), ids.size - 1)
        same = ids[at] == held
        editions[same] = numbers[at[same]]
    return editions[rows]
