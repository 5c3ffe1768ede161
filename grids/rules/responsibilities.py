"""Which rule decides who answers for a category at a place, when several fit."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["RuleKind"]


class RuleKind(StrEnum):
    """What a rule of the responsibility list comes from, the strongest first."""

    DECIDED = "decided"  # a dispute was decided so
    EXCEPTION = "exception"  # a place by its polygon, such as inside a planning red line
    SPECIAL_GRID = "special_grid"  # a market, a school, a station: a place with a keeper of its own
    LISTED = "listed"  # an item of the district's responsibility list
    DEFAULT = "default"  # what came with the product
