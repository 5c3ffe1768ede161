"""What is wrong with a set of areas: one fault a defect, each with its place, its size and plain words.

A fault is an error (the areas may not be published) or a warning (they may; somebody should look). A report
is what the topology gate returns: rendered as text for a person, as plain values for a machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

__all__ = ["CoverageReport", "Fault", "FaultKind", "Severity"]


class FaultKind(StrEnum):
    """The ways in which areas can be wrong; the value is stable, scripts and pages select by it."""

    EMPTY_GEOMETRY = "empty_geometry"
    WRONG_GEOMETRY_TYPE = "wrong_geometry_type"
    UNREADABLE_GEOMETRY = "unreadable_geometry"
    TOO_MANY_VERTICES = "too_many_vertices"
    INVALID_RING = "invalid_ring"
    OVERLAP = "overlap"
    GAP = "gap"
    CHILD_OUTSIDE_PARENT = "child_outside_parent"
    PARENT_NOT_COVERED = "parent_not_covered"
    DUPLICATE_CODE = "duplicate_code"
    WRONG_CODE = "wrong_code"
    NOT_CHILD_OF_PARENT = "not_child_of_parent"
    WRONG_VALUE = "wrong_value"
    SIZE_RULE = "size_rule"


class Severity(StrEnum):
    """Whether a fault stops a publication."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Fault:
    """One defect.

    codes : the areas concerned; of an overlap the pair, of a gap the parent and then its neighbours.
    area_m2 : size of the defect in square metres, where it has one.
    lon, lat : a place on the defect in EPSG:4490 degrees, where it has one.
    geometry : the defect itself in EPSG:4490, to show on a map.
    """

    kind: FaultKind
    codes: tuple[str, ...]
    message: str
    severity: Severity = Severity.ERROR
    level: str | None = None
    area_m2: float | None = None
    lon: float | None = None
    lat: float | None = None
    geometry: BaseGeometry | None = field(default=None, repr=False, compare=False)

    def accepted(self, reason: str) -> Fault:
        """Return the same fault as a warning that says why somebody accepted it."""
        return replace(self, severity=Severity.WARNING, message=f"{self.message} (accepted: {reason})")

    def line(self) -> str:
        """Return the fault as one line of text."""
        place = "" if self.lon is None or self.lat is None else f" at {self.lon:.6f}, {self.lat:.6f}"
        return f"{self.severity.value} {self.kind.value}: {self.message}{place}"

    def to_dict(self) -> dict[str, object]:
        """Return the fault as plain values that can be written as JSON; the geometry as GeoJSON."""
        return {
            "kind": self.kind.value,
            "severity": self.severity.value,
            "level": self.level,
            "codes": list(self.codes),
            "area_m2": None if self.area_m2 is None else round(self.area_m2, 2),
            "lon": self.lon,
            "lat": self.lat,
            "message": self.message,
            "geometry": None if self.geometry is None else mapping(self.geometry),
        }


@dataclass(frozen=True)
class CoverageReport:
    """What the gate found.

    counts : areas looked at, by level.
    tolerance : the allowances under which it looked, by name.
    notes : what was not looked at and why, in plain sentences.
    """

    counts: Mapping[str, int]
    faults: tuple[Fault, ...] = ()
    tolerance: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """True when nothing stops a publication; there may still be warnings."""
        return not self.errors

    @property
    def errors(self) -> tuple[Fault, ...]:
        """The faults that stop a publication."""
        return tuple(fault for fault in self.faults if fault.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Fault, ...]:
        """The faults that somebody should look at, and that stop nothing."""
        return tuple(fault for fault in self.faults if fault.severity is Severity.WARNING)

    def with_faults(self, faults: Iterable[Fault], notes: Iterable[str] = ()) -> CoverageReport:
        """Return the report with these faults instead of its own, and with further notes."""
        return replace(self, faults=tuple(faults), notes=(*self.notes, *notes))

    def lines(self) -> list[str]:
        """Return the report as lines of text: what was looked at, the faults, the verdict."""
        looked = ", ".join(f"{count} {level}" for level, count in self.counts.items()) or "nothing"
        allowed = ", ".join(f"{name} {value:g}" for name, value in self.tolerance.items())
        head = [f"Looked at {looked}."]
        if allowed:
            head.append(f"Allowed: {allowed}.")
        kinds = Counter(f"{fault.kind.value} ({fault.severity.value})" for fault in self.faults)
        verdict = f"{len(self.errors)} errors, {len(self.warnings)} warnings"
        if kinds:
            verdict += ": " + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        return [*head, *(fault.line() for fault in self.faults), *self.notes, verdict + "."]

    def to_dict(self) -> dict[str, object]:
        """Return the report as plain values that can be written as JSON."""
        return {
            "ok": self.ok,
            "counts": dict(self.counts),
            "tolerance": dict(self.tolerance),
            "errors": len(self.errors),
            "warnings": len(self.warnings),
            "faults": [fault.to_dict() for fault in self.faults],
            "notes": list(self.notes),
        }
