"""What is wrong with a set of areas, one fault a defect, each with its place, its size and plain words; and what
was done about it.

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

__all__ = ["CoverageReport", "Fault", "FaultKind", "Repair", "Severity"]


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
    MISDECLARED_FRAME = "misdeclared_frame"  # places or borders that are known show it
    CONTRADICTED_FRAME = "contradicted_frame"  # a text in the file names another one


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
    reason : why somebody accepted it, where somebody did.
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
    reason: str | None = None

    def accepted(self, reason: str) -> Fault:
        """Return the same fault as a warning that says why somebody accepted it."""
        words = f"{self.message} (accepted: {reason})"
        return replace(self, severity=Severity.WARNING, message=words, reason=reason)

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
            "accepted": self.reason,
            "geometry": None if self.geometry is None else mapping(self.geometry),
        }


@dataclass(frozen=True)
class Repair:
    """What was done about one fault, or why nothing was.

    fault : the fault as it was before; its geometry is the ground that changed hands.
    words : who has the ground now, or the reason why the areas were left as they are.
    sizes : of each area whose ground changed, by code, the square metres before and after.
    """

    fault: Fault
    words: str
    sizes: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """True when areas were changed."""
        return bool(self.sizes)

    def line(self) -> str:
        """Return the repair as one line of text."""
        fault = self.fault
        place = "" if fault.lon is None or fault.lat is None else f" at {fault.lon:.6f}, {fault.lat:.6f}"
        sizes = "; ".join(
            f"{code} {before:,.1f} m2 before, {after:,.1f} m2 after"
            for code, (before, after) in self.sizes.items()
        )
        verb = "repaired" if self.done else "left"
        return f"{verb} {fault.kind.value}: {self.words}{place}" + (f" ({sizes})" if sizes else "")

    def to_dict(self) -> dict[str, object]:
        """Return the repair as plain values that can be written as JSON."""
        fault = self.fault.to_dict()
        kept = {name: fault[name] for name in ("kind", "level", "codes", "area_m2", "lon", "lat", "geometry")}
        return {
            "done": self.done,
            "message": self.words,
            "areas": [
                {"code": code, "before_m2": round(before, 2), "after_m2": round(after, 2)}
                for code, (before, after) in self.sizes.items()
            ],
            **kept,
        }


@dataclass(frozen=True)
class CoverageReport:
    """What the gate found.

    counts : areas looked at, by level.
    tolerance : the allowances under which it looked, by name.
    notes : what was not looked at and why, in plain sentences.
    repairs : what was done before it looked, where somebody asked for that.
    """

    counts: Mapping[str, int]
    faults: tuple[Fault, ...] = ()
    tolerance: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    repairs: tuple[Repair, ...] = ()

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
        head += [repair.line() for repair in self.repairs]
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
            "repairs": [repair.to_dict() for repair in self.repairs],
        }
