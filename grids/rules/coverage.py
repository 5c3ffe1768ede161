"""Whether everything has somebody: who leads for each category in each cell, and where nobody or several do.

Only rules for whole areas are judged here; what holds inside a polygon is an exception to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from grids.rules.levels import CODE_LENGTH
from grids.rules.responsibilities import Place, Rule, choose

__all__ = ["Hole", "Leads", "holes", "leads_by_cell", "shared", "worst"]

Leads = tuple[str, ...]
"""Who leads for one category in one cell: nobody, one, or several that nothing tells apart."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A category without a lead, or with several, in all cells of an area; nothing wider is alike."""

    area: str
    category: str
    leads: Leads


def leads_by_cell(
    rules: Iterable[Rule], cells: Sequence[str], categories: Sequence[str], on: date
) -> dict[str, list[Leads]]:
    """Return by category who leads in each cell, by the rules without a polygon."""
    own: dict[str | None, list[Rule]] = {}
    for rule in rules:
        own.setdefault(rule.category, []).append(rule)
    found = {}
    for category in categories:
        asked = own.get(category, [])
        lengths = sorted({len(rule.area) for rule in asked}, reverse=True)
        areas = {rule.area for rule in asked}
        known: dict[str, Leads] = {}
        found[category] = [
            known[nearest]
            if nearest in known
            else known.setdefault(nearest, _leads(asked, category, nearest, on))
            for nearest in (_nearest(cell, areas, lengths) for cell in cells)
        ]
    return found


def _nearest(cell: str, areas: set[str], lengths: Sequence[int]) -> str:
    """Return the smallest area with a rule that holds a cell: whatever else it lies under, so does the area."""
    return next((cell[:n] for n in lengths if cell[:n] in areas), "")


def _leads(rules: Iterable[Rule], category: str, code: str, on: date) -> Leads:
    choice = choose(rules, Place(category, code, on))
    return choice.leads if choice else ()


def worst(leads: Sequence[Leads], places: Sequence[int]) -> int:
    """Return how many lead in the worst of some cells: 0 before any conflict, a conflict before 1."""
    counts = {len(leads[place]) for place in places}
    return 0 if 0 in counts else max(counts)


def shared(leads: Sequence[Leads], places: Sequence[int]) -> str | None:
    """Return the lead in some cells, None where they differ, or nobody or several lead."""
    among = {leads[place] for place in places}
    (only,) = among if len(among) == 1 else ((),)
    return only[0] if len(only) == 1 else None


def holes(found: Mapping[str, Sequence[Leads]], cells: Sequence[str], area: str) -> Iterator[Hole]:
    """Yield what has no lead or several, each for the widest area inside `area` in whose cells it is alike."""
    for category, leads in found.items():
        if any(len(one) != 1 for one in leads):
            yield from _alike(category, dict(zip(cells, leads, strict=True)), area)


def _alike(category: str, leads: Mapping[str, Leads], area: str) -> Iterator[Hole]:
    among = set(leads.values())
    if len(among) == 1:
        (only,) = among
        if len(only) != 1:
            yield Hole(area, category, only)
        return
    deeper = min(length for length in CODE_LENGTH.values() if length > len(area))
    for part in sorted({cell[:deeper] for cell in leads}):
        yield from _alike(category, {c: one for c, one in leads.items() if c.startswith(part)}, part)
