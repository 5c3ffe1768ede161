"""Which rule decides who answers for a category at a place, when several fit.

    decided > exception > special grid > listed > default, and inside one kind, in this order:
    the smaller area, a polygon before the whole area, the smaller polygon, this very category before any,
    the later beginning, the lower id.

Two rules that only their ids tell apart, and that name different leads, are a conflict: the lower id decides,
and whoever keeps the list is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

__all__ = ["Choice", "Place", "Rule", "RuleKind", "Why", "choose", "fits"]


class RuleKind(StrEnum):
    """What a rule of the responsibility list comes from, the strongest first."""

    DECIDED = "decided"  # a dispute was decided so
    EXCEPTION = "exception"  # a place by its polygon, such as inside a planning red line
    SPECIAL_GRID = "special_grid"  # a market, a school, a station: a place with a keeper of its own
    LISTED = "listed"  # an item of the district's responsibility list
    DEFAULT = "default"  # what came with the product


class Why(StrEnum):
    """Why a rule that fits gave way to the one that decides: in what it is first found to be weaker."""

    KIND = "kind"  # of a weaker kind
    AREA = "area"  # for a larger area
    POLYGON = "polygon"  # without a polygon, or with a larger one
    CATEGORY = "category"  # for any category
    OLDER = "older"  # it began earlier
    REPEATED = "repeated"  # it says the same again
    CONFLICT = "conflict"  # nothing tells it apart, but it names another lead


_BY_RANK = (Why.KIND, Why.AREA, Why.POLYGON, Why.CATEGORY, Why.OLDER)
_STRENGTH = {kind: place for place, kind in enumerate(RuleKind)}
_BY_POLYGON = frozenset({RuleKind.EXCEPTION, RuleKind.SPECIAL_GRID})

_Key = tuple[int, int, tuple[bool, float], bool, int]


@dataclass(frozen=True, slots=True)
class Place:
    """What is asked for: a category at the cell or area `code`, on a day."""

    category: str
    code: str
    on: date


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the list.

    area : code of the area that it is for, "" everywhere. category : None for any. lead : None for a special
    grid that has a keeper and leaves the departments as they are. since, until : it holds from the first day on
    and no longer on the last (None: until further notice).
    polygon_m2 : how large its polygon is, None where it is for the whole area. holds : the polygon holds the
    point that is asked for; what has no polygon holds every point of its area.
    """

    id: int
    kind: RuleKind
    area: str
    category: str | None
    lead: str | None
    since: date
    until: date | None = None
    name: str | None = None
    polygon_m2: float | None = None
    holds: bool = True


@dataclass(frozen=True, slots=True)
class Choice:
    """The rule that decides, and the others that fit, the strongest first, each with why it gave way."""

    rule: Rule
    others: tuple[tuple[Rule, Why], ...] = ()

    @property
    def leads(self) -> tuple[str, ...]:
        """Return the leads between which nothing but ids decides; more than one is a conflict."""
        equals = [rule for rule, why in self.others if why in (Why.CONFLICT, Why.REPEATED)]
        return tuple(dict.fromkeys(rule.lead for rule in (self.rule, *equals) if rule.lead is not None))


def fits(rule: Rule, place: Place) -> bool:
    """Tell whether a rule holds for a category at a place on a day.

    Exceptions and special grids are places by their polygon: without one they fit nowhere.
    """
    return (
        place.code.startswith(rule.area)
        and rule.category in (None, place.category)
        and rule.since <= place.on
        and (rule.until is None or place.on < rule.until)
        and rule.holds
        and (rule.polygon_m2 is not None or rule.kind not in _BY_POLYGON)
    )


def choose(rules: Iterable[Rule], place: Place) -> Choice | None:
    """Return the rule that decides who leads, with all others that fit; None where nobody is named.

    rules : any; what does not fit the place, and what names no lead, has no say.
    """
    ranked = sorted(
        ((_key(rule), rule) for rule in rules if rule.lead is not None and fits(rule, place)),
        key=lambda one: (one[0], one[1].id),
    )
    if not ranked:
        return None
    (best, rule), *rest = ranked
    return Choice(rule, tuple((other, _why(best, rule, key, other)) for key, other in rest))


def _key(rule: Rule) -> _Key:
    """Return what rules are compared by, the strongest first, step by step as `_BY_RANK` names the steps."""
    return (
        _STRENGTH[rule.kind],
        -len(rule.area),
        (rule.polygon_m2 is None, rule.polygon_m2 or 0.0),
        rule.category is None,
        -rule.since.toordinal(),
    )


def _why(best: _Key, rule: Rule, key: _Key, other: Rule) -> Why:
    for step, mine, theirs in zip(_BY_RANK, best, key, strict=True):
        if mine != theirs:
            return step
    return Why.REPEATED if rule.lead == other.lead else Why.CONFLICT
