"""Whether the coordinates of a planned edition, or of a table of points, are in the frame that was declared.

Evidence is what there is: control points, the edition in force or another reference, and what the file itself
says in words. What is found becomes faults of the report, so that a misdeclared grid can be looked at, and cannot
be published before somebody mends or accepts it. `gis.frames` judges; here its evidence is put together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely.geometry.base import BaseGeometry
from sqlalchemy.orm import Session

from gis.areas import AreaFile, read_areas
from gis.crs import SHIFTED, AnyFrame, Frame, from_storage, is_place, parse_frame, to_storage
from gis.errors import InvalidInput, UnknownFrame
from gis.faults import CoverageReport, Fault, FaultKind, Severity
from gis.framenames import contradicted_by, frames_named, notes_in
from gis.frames import Verdict, examine_borders, examine_control_points, examine_points
from gis.readings import Reading, explained
from grids import atlas
from grids.csvtables import CsvSource
from grids.ground.plan import GridSet
from grids.rules.levels import TOP_DOWN, GridLevel

__all__ = [
    "ControlPoints",
    "PointSample",
    "Reference",
    "judge_frame",
    "read_control_points",
    "read_reference",
    "references_in_force",
    "with_fitting_frames",
]

Floats = NDArray[np.float64]

_CONTROL_COLUMNS = ("x", "y", "lon", "lat")
_LEAST_OUTSIDE = 8  # fewer points outside the district tell nothing


@dataclass(frozen=True)
class Reference:
    """What an edition's borders are compared with: areas in the storage frame, and what they are called.

    areas : with a column `level` where the levels are known.
    """

    name: str
    areas: gpd.GeoDataFrame


@dataclass(frozen=True)
class ControlPoints:
    """Pairs of a place in a file's own numbers (x, y) and the true one (lon, lat, storage frame), each (n,)."""

    name: str
    x: Floats
    y: Floats
    lon: Floats
    lat: Floats


def read_control_points(path: Path, admit: Callable[[str], AnyFrame] = parse_frame) -> ControlPoints:
    """Read control points from a CSV file: x, y as the other file has them, lon, lat the true place, and `frame`,
    what lon and lat are counted in (WGS84 where the column or the cell is empty).

    admit : names a frame or refuses it. Raises what `CsvSource` raises, `UnknownFrame`, and `InvalidInput`
    ("bad_table") for a cell that is no number.
    """
    source = CsvSource(path, "utf-8")
    for column in _CONTROL_COLUMNS:
        source.require(column, "control_points")
    cells = pd.concat([block.rows for block in source.blocks()])
    values = {}
    for column in _CONTROL_COLUMNS:
        values[column] = pd.to_numeric(cells[column], errors="coerce").to_numpy(dtype=np.float64, copy=True)
        broken = ~np.isfinite(values[column])
        if broken.any():
            raise InvalidInput(
                "bad_table",
                f"{path.name} has no number in column {column} in {broken.sum()} of {len(cells)} rows, such as "
                f"{cells[column][broken].iloc[0]!r}",
                field="control_points",
                column=column,
            )
    names = cells["frame"].str.strip() if "frame" in cells else pd.Series("", index=cells.index)
    lon, lat = values["lon"], values["lat"]
    for name in names.unique():
        rows = (names == name).to_numpy()
        lon[rows], lat[rows] = to_storage(lon[rows], lat[rows], admit(name or Frame.WGS84))
    return ControlPoints(path.name, values["x"], values["y"], lon, lat)


def read_reference(path: Path) -> Reference:
    """Read the outline or the cells of a district from a file of areas that states its frame."""
    file = read_areas(path)
    return Reference(file.name, file.frame[file.frame.geometry.notna()])


def references_in_force(session: Session, plan: GridSet, *, on: date) -> list[Reference]:
    """Return the areas in force on a day of the districts that a plan is for; none where nothing holds them."""
    districts = sorted({str(code)[:6] for code in plan.frame["code"]})
    found = [atlas.areas(session, parent=code, on=on) for code in districts]
    held = [areas for areas in found if len(areas)]
    if not held:
        return []
    areas = pd.concat(held)
    editions = ", ".join(str(number) for number in sorted(areas["edition_id"].unique()))
    return [Reference(f"edition {editions} in force", areas)]


def judge_frame(
    report: CoverageReport,
    plan: GridSet,
    *,
    references: Sequence[Reference] = (),
    control: ControlPoints | None = None,
    accepted: str | None = None,
) -> CoverageReport:
    """Return the report with what is to be said of the frame of a plan: faults where it is not the declared one.

    accepted : why somebody takes the declared frame all the same; the faults then become warnings that say so.
    Raises `InvalidInput` ("too_few_control_points").
    """
    declared = _declared(plan.sources)
    if declared is None:
        return report.with_faults(report.faults, ["The frame was not examined: the files are in several."])
    verdicts = list(_verdicts(plan, declared, references, control))
    confirmed = any(verdict.fits == Reading(declared) for _, verdict in verdicts)
    faults = [_fault(name, verdict) for name, verdict in verdicts if verdict.misdeclared]
    faults += _contradictions(plan.sources, declared, Severity.WARNING if confirmed else Severity.ERROR)
    if accepted is not None:
        faults = [fault.accepted(accepted) for fault in faults]
    notes = [
        f"Frame {declared}, {name}: {verdict.reason}."
        for name, verdict in verdicts
        if not verdict.misdeclared
    ]
    if not verdicts:
        notes = [f"Frame {declared}: no control points and no reference to examine it with."]
    merged = sorted([*faults, *report.faults], key=lambda fault: fault.severity is Severity.WARNING)
    return report.with_faults(merged, notes)


def with_fitting_frames(refused: InvalidInput, references: Sequence[Reference]) -> InvalidInput:
    """Return a refusal of numbers that are no place in their frame, saying in which they would fit a reference."""
    for reference in references:
        told = explained(refused, reference.areas.total_bounds.tolist(), reference.name)
        if told is not refused:
            return told
    return refused


@dataclass
class PointSample:
    """An even sample of the coordinates of a long table, as it has them, block after block.

    declared : what they are said to be counted in. texts : names that may tell of another frame.
    """

    declared: AnyFrame
    texts: Sequence[str] = ()
    most: int = 50_000
    _numbers: Floats = field(default_factory=lambda: np.zeros((0, 2)))
    _lots: Floats = field(default_factory=lambda: np.zeros(0))
    _random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def add(self, x: ArrayLike, y: ArrayLike) -> None:
        """Take a block of coordinates, texts or numbers; what is no number is left out."""
        numbers = np.column_stack([pd.to_numeric(pd.Series(one), errors="coerce") for one in (x, y)])
        numbers = numbers[np.isfinite(numbers).all(axis=1)]
        self._numbers = np.vstack([self._numbers, numbers])
        self._lots = np.concatenate([self._lots, self._random.random(len(numbers))])
        if len(self._lots) > 2 * self.most:
            self._keep()

    def doubt(self, cells: atlas.Atlas) -> dict[str, object] | None:
        """Return why the declared frame is doubted, None where it is not.

        cells : the grid that most of the points should lie in. The keys are declared, fits, confidence, shift_m
        and reason.
        """
        named = frozenset(frame for text in self.texts for frame in frames_named(text))
        against = contradicted_by(self.declared, named)
        if against is not None:
            reason = f"a name ({', '.join(self.texts)}) says {against}"
            return self._said(str(against), 0.0, None, reason)
        self._keep()
        x, y = self._numbers.T
        good = is_place(x, y, self.declared)
        index = cells.locator.locate(*to_storage(x[good], y[good], self.declared))
        if len(x) - int((index >= 0).sum()) < _LEAST_OUTSIDE:
            return None
        verdict = examine_points(x, y, self.declared, _outline(cells.locator.polygons))
        if not verdict.misdeclared:
            return None
        return self._said(str(verdict.fits), verdict.confidence, verdict.shift_m, verdict.reason)

    def _keep(self) -> None:
        if len(self._lots) > self.most:
            kept = np.argpartition(self._lots, self.most)[: self.most]
            self._numbers, self._lots = self._numbers[kept], self._lots[kept]

    def _said(self, fits: str, confidence: float, shift_m: float | None, reason: str) -> dict[str, object]:
        return {
            "declared": self.declared.value,
            "fits": fits,
            "confidence": round(confidence, 3),
            "shift_m": None if shift_m is None else round(shift_m),
            "reason": reason,
        }


def _declared(sources: Sequence[AreaFile]) -> AnyFrame | None:
    """Return the one frame that the files are in; the storage frame for a system that has no name in the register."""
    names = {source.native_frame for source in sources}
    if len(names) != 1:
        return None
    try:
        return parse_frame(names.pop())
    except UnknownFrame:
        return Frame.CGCS2000


def _verdicts(
    plan: GridSet, declared: AnyFrame, references: Sequence[Reference], control: ControlPoints | None
) -> Iterator[tuple[str, Verdict]]:
    if control is not None:
        yield (
            control.name,
            examine_control_points(control.x, control.y, control.lon, control.lat, declared),
        )
    if not references:
        return
    leaves = plan.frame[(plan.frame["level"] == plan.leaf_level) & plan.frame.geometry.notna()]
    shapes = shapely.transform(
        np.asarray(leaves.geometry.array, dtype=object),
        lambda places: np.column_stack(from_storage(places[:, 0], places[:, 1], declared)),
    )
    for reference in references:
        verdict = None
        for areas in _from_the_lowest(reference.areas, plan.leaf_level):
            verdict = examine_borders(shapes, declared, areas)
            if verdict.fits is not None:
                break
        if verdict is not None:
            yield reference.name, verdict


def _from_the_lowest(areas: gpd.GeoDataFrame, leaf_level: GridLevel) -> Iterator[NDArray[np.object_]]:
    """Return the areas of a reference whose borders a file may hold: of its lowest level, then of those above.

    Cells are drawn anew more often than the outlines of towns.
    """
    shapes = np.asarray(areas.geometry.array, dtype=object)
    if "level" not in areas or not areas["level"].isin(list(GridLevel)).all():
        yield shapes
        return
    for level in reversed(TOP_DOWN[: TOP_DOWN.index(leaf_level) + 1]):
        chosen = (areas["level"] == level.value).to_numpy()
        if chosen.any():
            yield shapes[chosen]


def _fault(name: str, verdict: Verdict) -> Fault:
    away = "" if verdict.shift_m is None else f", {verdict.shift_m:,.0f} m away"
    return Fault(
        FaultKind.MISDECLARED_FRAME,
        (),
        f"the coordinates are declared as {verdict.declared}, but fit {name} as {verdict.fits}{away}: "
        f"{verdict.reason}; or that is in a wrong frame itself",
    )


def _contradictions(sources: Sequence[AreaFile], declared: AnyFrame, severity: Severity) -> Iterator[Fault]:
    """Return a fault for each note in a file that names another frame; for its mere names, a warning."""
    for source in sources:
        columns = {
            str(name): source.frame[name].tolist() for name in source.frame.columns if name != "geometry"
        }
        for column, text, named in notes_in(columns):
            against = contradicted_by(declared, named)
            if against is not None:
                yield Fault(
                    FaultKind.CONTRADICTED_FRAME,
                    (),
                    f"column {column!r} of {source.name} says {text[:100]!r}, which names {against}; "
                    f"the coordinates are declared as {declared}",
                    severity,
                )
        said = f"{Path(source.name).stem} {source.layer or ''} {_shifted(source.stated_frame)}"
        against = contradicted_by(declared, frames_named(said))
        if against is not None:
            yield Fault(
                FaultKind.CONTRADICTED_FRAME,
                (),
                f"{source.name}: the name of the file, its layer or its coordinate system says {against}; "
                f"the coordinates are declared as {declared}",
                Severity.WARNING,
            )


def _shifted(stated: str) -> str:
    """Return what a file states of itself where that tells anything: most claim to be WGS84, whatever they are."""
    return stated if frames_named(stated) & SHIFTED else ""


def _outline(polygons: NDArray[np.object_]) -> BaseGeometry:
    exact = shapely.coverage_is_valid(polygons)
    return shapely.coverage_union_all(polygons) if exact else shapely.union_all(polygons)
