"""The areas that figures stand on, with their sizes and who neighbours whom, kept in memory.

Editions that are published never change, so what was made of them holds for as long as their ids are those asked for.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased
from sqlalchemy.pool import Pool

from gis.errors import InvalidInput
from gis.plane import areas_m2
from gis.weights import contiguity
from grids import atlas
from grids.facts import pool_of
from grids.figures.asking import Window
from grids.rules.levels import CODE_LENGTH
from grids.tables import Edition, EditionStatus, Grid

__all__ = ["Ground", "Shelf", "ground"]

_T = TypeVar("_T")
_MOST_KEPT = 96


class Shelf:
    """Things made of published editions, the ones used last; several threads may ask.

    most : of all that is kept, as `weight` tells of each thing; by default how many they are.
    """

    def __init__(self, most: int = _MOST_KEPT, weight: Callable[[Any], int] = lambda _: 1) -> None:
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()
        self._most, self._weight, self._held = most, weight, 0

    def get(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """Return what is kept under a key, else what `make` returns, and keep that."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                found: _T = self._kept[key]
                return found
        made = make()  # two that ask at once both make it, and make the same
        with self._lock:
            self._held += self._weight(made) - (self._weight(self._kept[key]) if key in self._kept else 0)
            self._kept[key] = made
            while self._held > self._most:
                _, oldest = self._kept.popitem(last=False)
                self._held -= self._weight(oldest)
        return made


_shelves: WeakKeyDictionary[Pool, Shelf] = WeakKeyDictionary()


@dataclass(frozen=True)
class Ground:
    """The areas of a window.

    cells : code, name, level, households (NaN unknown), km2, geometry (EPSG:4490), by code; never changed, copied
    before columns are added. shelf : what is kept of their editions, which `key` names. leaves : the codes of the
    cells of which these editions are made, everywhere.
    """

    cells: gpd.GeoDataFrame
    key: tuple[int, ...]
    day: date
    edition: int | None
    leaves: frozenset[str]
    shelf: Shelf

    @cached_property
    def weights(self) -> csr_array:
        """Who touches whom among the cells; 0 on the diagonal."""
        return contiguity(self.cells.geometry.to_numpy())

    @cached_property
    def places(self) -> dict[str, int]:
        """The position of each cell by its code."""
        return {code: place for place, code in enumerate(self.cells["code"])}

    def cells_of(self, codes: list[str]) -> NDArray[np.int32]:
        """Return the position of the cell that each code lies in, -1 for one that lies in none."""
        digits = CODE_LENGTH[self.cells["level"].iloc[0]]
        found = [self.places.get(code[:digits], -1) for code in codes]
        return np.array(found, dtype=np.int32)

    def atlas(self, session: Session) -> atlas.Atlas:
        """Return the atlas of these editions."""

        def make() -> atlas.Atlas:
            if self.edition is not None:
                return atlas.of_edition(session, self.edition)
            return atlas.current(session, on=self.day, keep=False)

        return self.shelf.get(("atlas", self.key), make)

    def same_cells(self, session: Session, other: int) -> frozenset[str]:
        """Return the codes of the areas that another edition has too, with the same border."""

        def make() -> frozenset[str]:
            mine, theirs = aliased(Grid), aliased(Grid)
            rows = session.scalars(
                select(mine.code)
                .join(
                    theirs,
                    (theirs.code == mine.code) & func.ST_OrderingEquals(theirs.boundary, mine.boundary),
                )
                .where(mine.edition_id == self.edition, theirs.edition_id == other)
            )
            return frozenset(rows)

        return self.shelf.get(("same", self.key, other), make)


def ground(session: Session, window: Window, *, own: bool = False) -> Ground:
    """Return the areas of a window: in force on its last day, or of its edition.

    own : look at the rows as this session sees them, and keep nothing.
    Raises `InvalidInput` ("no_cells") for a level that the area has not.
    """
    day = atlas.day_with_grid(session, window.last_day)
    chosen = Edition.id == window.edition if window.edition else atlas.in_force(day)
    editions = session.execute(select(Edition.id, Edition.status).where(chosen).order_by(Edition.id)).all()
    key = tuple(edition.id for edition in editions)
    final = all(one.status in (EditionStatus.PUBLISHED, EditionStatus.SUPERSEDED) for one in editions)
    shelf = Shelf() if own or not final else _shelves.setdefault(pool_of(session), Shelf())

    def make() -> Ground:
        return Ground(
            cells=_cells(session, window, day),
            key=key,
            day=day,
            edition=window.edition,
            leaves=shelf.get(("leaves", key), lambda: _leaves(session, key)),
            shelf=shelf,
        )

    return shelf.get(("ground", key, window.edition is None, window.level, window.area), make)


def _leaves(session: Session, editions: tuple[int, ...]) -> frozenset[str]:
    cells = select(Grid.code).join(Edition, Edition.id == Grid.edition_id)
    return frozenset(session.scalars(cells.where(Edition.id.in_(editions), Grid.level == Edition.leaf_level)))


def _cells(session: Session, window: Window, day: date) -> gpd.GeoDataFrame:
    areas = atlas.areas(session, level=window.level, parent=window.area, edition_id=window.edition, on=day)
    if areas.empty:
        raise InvalidInput(
            "no_cells",
            f"there is no {window.level} in area {window.area or 'of the city'}: choose a level below the area's own",
            field="level",
            got=window.level.value,
        )
    homes = areas["households"].astype(float)
    if homes.isna().any():
        homes = homes.fillna(areas["code"].map(_households_below(session, window, day)).astype(float))
    cells = areas[["code", "name", "level"]].copy()
    cells["households"] = homes
    cells["km2"] = areas_m2(areas) / 1e6
    return gpd.GeoDataFrame(cells, geometry=areas.geometry.to_numpy(), crs=areas.crs)


def _households_below(session: Session, window: Window, day: date) -> dict[str, float]:
    leaves = atlas.areas(session, parent=window.area, edition_id=window.edition, on=day)
    leaves = leaves[leaves["households"].notna()]
    length = CODE_LENGTH[window.level]
    if leaves.empty:
        return {}
    deepest = leaves[leaves["code"].str.len() == leaves["code"].str.len().max()]
    homes = deepest.groupby(deepest["code"].str[:length])["households"].sum()
    return {str(code): float(number) for code, number in homes.items()}
