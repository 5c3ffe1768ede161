"""What the topology gate found, in the words of the reader, and which of it is listed.

A fault keeps what it is about (`gis.faults.Fault.to_dict`): a sentence is made of that. Where a fault tells more in
its English message than in its facts, the message stands beside the sentence.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from api.i18n import Words
from gis.faults import FaultKind, Severity
from grids.ground.editions import Entry
from grids.ground.gate import CELL_HOUSEHOLDS, MOST_CELL_PEOPLE
from grids.rules.levels import CODE_LENGTH, GridLevel

__all__ = ["MOST_LISTED", "FaultList", "FaultRow", "FaultWords", "listed"]

MOST_LISTED = 300
"""Faults in one list; who has more, chooses a kind or takes the file."""

_BESIDE = 3  # neighbours of a gap that are named
_FRAMES = re.compile(
    r"declared as (?P<declared>\S+), but fit .+? as (?P<fits>[^:]+?)(?:, (?P<metres>[\d,]+) m away)?:"
)


@dataclass(frozen=True, slots=True)
class FaultRow:
    """One fault of a list. index : its place among all faults of the report, as `/api/editions/{n}/faults` has it."""

    index: int
    kind: str
    severity: str
    codes: tuple[str, ...]
    sentence: str
    detail: str
    lon: float | None
    lat: float | None


@dataclass(frozen=True)
class FaultList:
    """What is listed of a report. options : (value, words with a count) of what can be chosen."""

    rows: tuple[FaultRow, ...]
    left_out: int
    options: tuple[tuple[str, str], ...]
    chosen: str


def listed(report: Mapping[str, Any], chosen: str | None, words: FaultWords) -> FaultList:
    """Return the faults of a stored report of one kind or severity, all where none is chosen; errors come first."""
    faults = list(enumerate(report.get("faults", ())))
    kinds = Counter(fault["kind"] for _, fault in faults)
    severities = Counter(fault["severity"] for _, fault in faults)
    known = {**dict.fromkeys(severities, "severity"), **dict.fromkeys(kinds, "kind")}
    if chosen in known:
        faults = [(index, fault) for index, fault in faults if fault[known[chosen]] == chosen]
    by_severity = [(one.value, words.words.of("severity", one), severities[one.value]) for one in Severity]
    by_kind = [(one.value, words.words.of("fault", one), kinds[one.value]) for one in FaultKind]
    return FaultList(
        rows=tuple(_row(index, fault, words) for index, fault in faults[:MOST_LISTED]),
        left_out=max(len(faults) - MOST_LISTED, 0),
        options=tuple((value, f"{text} {count}") for value, text, count in (*by_severity, *by_kind) if count),
        chosen=chosen if chosen is not None and chosen in known else "",
    )


def _row(index: int, fault: Mapping[str, Any], words: FaultWords) -> FaultRow:
    sentence, whole = words.sentence(fault)
    return FaultRow(
        index=index,
        kind=words.words.of("fault", fault["kind"]),
        severity=fault["severity"],
        codes=tuple(dict.fromkeys(fault["codes"])),
        sentence=sentence,
        detail="" if whole else fault["message"],
        lon=fault["lon"],
        lat=fault["lat"],
    )


class FaultWords:
    """Says faults in one language. name : code -> name of an area; entries : the areas as they are stored."""

    def __init__(self, words: Words, name: Callable[[str], str], entries: Iterable[Entry]) -> None:
        self.words = words
        self.name = name
        self._entries = {entry.code: entry for entry in entries}

    def sentence(self, fault: Mapping[str, Any]) -> tuple[str, bool]:
        """Return a fault as a sentence, and whether that says all that the gate said."""
        said = self._said(fault)
        reason = fault.get("accepted")
        if said is not None and reason:
            said = self.words("{fault} Accepted: {reason}", fault=said, reason=reason)
        if said is None:
            return "", False
        return said, fault["kind"] != FaultKind.MISDECLARED_FRAME

    def _said(self, fault: Mapping[str, Any]) -> str | None:
        words, codes, name = self.words, list(fault["codes"]), self.name
        kind, size = FaultKind(fault["kind"]), _size(fault["area_m2"])
        first = name(codes[0]) if codes else ""
        match kind:
            case FaultKind.OVERLAP if len(codes) == 2:
                return words(
                    "{first} and {second} overlap by {size}.",
                    first=first,
                    second=name(codes[1]),
                    size=size,
                )
            case FaultKind.GAP if codes:
                return self._gap(codes, size)
            case FaultKind.CHILD_OUTSIDE_PARENT if len(codes) == 2:
                return words(
                    "{area} sticks out of {parent} by {size}.",
                    area=first,
                    parent=name(codes[1]),
                    size=size,
                )
            case FaultKind.PARENT_NOT_COVERED if codes and size:
                return words(
                    "{size} of {area} is not divided into areas of the level below.", area=first, size=size
                )
            case FaultKind.INVALID_RING if codes:
                return words(
                    "{area} is not a sound shape: {reason}.", area=first, reason=self._ring(fault["message"])
                )
            case FaultKind.DUPLICATE_CODE if codes:
                return words("Several areas have the code {code}; only one was kept.", code=codes[0])
            case FaultKind.WRONG_CODE if codes:
                level = GridLevel(fault["level"])
                return words(
                    "{code} is not a code of this level: {digits} digits, each part of three from 001 on.",
                    code=codes[0],
                    digits=CODE_LENGTH[level],
                )
            case FaultKind.SIZE_RULE if codes and codes[0] in self._entries:
                return self._rule(self._entries[codes[0]])
            case FaultKind.EMPTY_GEOMETRY if codes:
                return words("{area} has no shape.", area=first)
            case FaultKind.MISDECLARED_FRAME:
                return self._frame(fault["message"])
            case _:
                return None

    def _gap(self, codes: list[str], size: str) -> str:
        words = self.words
        inside = len(codes) > 1 and len(codes[0]) < len(codes[1])
        beside = [self.name(code) for code in dict.fromkeys(codes[1:] if inside else codes)]
        near = words.listed(beside[:_BESIDE])
        if inside:
            return words(
                "{size} of {parent} lies in no area, beside {areas}.",
                size=size,
                parent=self.name(codes[0]),
                areas=near,
            )
        return words("{size} beside {areas} lies in no area.", size=size, areas=near)

    def _rule(self, entry: Entry) -> str:
        words, (least, most) = self.words, CELL_HOUSEHOLDS
        said = []
        if entry.households is not None and not least <= entry.households <= most:
            said.append(
                words(
                    "{count} households (rule: {least} to {most})",
                    count=entry.households,
                    least=least,
                    most=most,
                )
            )
        if entry.population is not None and entry.population > MOST_CELL_PEOPLE:
            said.append(
                words("{count} people (rule: at most {most})", count=entry.population, most=MOST_CELL_PEOPLE)
            )
        return words("{area}: {sizes}.", area=entry.name, sizes=words.listed(said))

    def _ring(self, message: str) -> str:
        words, found = self.words, message.rpartition(": ")[2].partition(",")[0]
        match found:  # what GEOS says of a shape
            case "Self-intersection":
                return words("its border crosses itself")
            case "Ring Self-intersection":
                return words("its border touches itself")
            case "Hole lies outside shell" | "Nested holes":
                return words("a hole in it lies where none can be")
            case "Nested shells" | "Duplicate Rings":
                return words("its parts lie over each other")
            case "Interior is disconnected":
                return words("its holes cut it apart")
            case _:
                return found

    def _frame(self, message: str) -> str | None:
        found = _FRAMES.search(message)
        if found is None:
            return None
        words, facts = self.words, found.groupdict()
        if facts["metres"]:
            return words(
                "Declared as {declared}, but it lies {metres} m off; it fits the edition in force as {fits}.",
                **facts,
            )
        return words("Declared as {declared}, but it fits the edition in force as {fits}.", **facts)


def _size(square_metres: float | None) -> str:
    if square_metres is None:
        return ""
    return f"{square_metres:,.1f} m²" if square_metres < 100 else f"{square_metres:,.0f} m²"
