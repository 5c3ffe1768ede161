"""What a town thinks of a department's work on one whistle (一哨一考核), as a number.

    T = 0.3 response + 0.4 handling + 0.3 result, each 0 to 100

The three items are published practice (towns score response, handling and satisfaction with the result); the
weights are a default of ours. Scores are exact decimals; rounding is for showing only.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from gis.errors import InvalidInput

__all__ = ["REASON_BELOW", "TOWN_WEIGHTS", "TownScore", "TownWeights", "score_town", "shown"]

REASON_BELOW = Decimal(60)
"""A score under this needs a reason in words."""


@dataclass(frozen=True, slots=True)
class TownWeights:
    """Weights of the three items; together exactly 1, none below 0, else `InvalidInput("bad_weights")`."""

    response: Decimal = Decimal("0.3")
    handling: Decimal = Decimal("0.4")
    result: Decimal = Decimal("0.3")

    def __post_init__(self) -> None:
        weights = (self.response, self.handling, self.result)
        if any(not weight.is_finite() or weight < 0 for weight in weights) or sum(weights) != 1:
            raise InvalidInput(
                "bad_weights",
                f"weights are 0 or more and add up to 1, got {' + '.join(map(str, weights))}",
                field="weights",
            )


TOWN_WEIGHTS = TownWeights()


@dataclass(frozen=True, slots=True)
class TownScore:
    """The three items as given, and their weighted total, exact."""

    response: Decimal
    handling: Decimal
    result: Decimal
    total: Decimal
    reason: str | None


def score_town(
    response: Decimal | int | str,
    handling: Decimal | int | str,
    result: Decimal | int | str,
    *,
    reason: str | None = None,
    weights: TownWeights = TOWN_WEIGHTS,
) -> TownScore:
    """Return a town's score of one department on one whistle.

    response, handling, result : 0 to 100, with at most two decimals.
    Raises `InvalidInput("score_out_of_range")` for an item outside, `InvalidInput("reason_needed")` when the
    total is under 60 and no reason is given.
    """
    items = [_item("response", response), _item("handling", handling), _item("result", result)]
    total = items[0] * weights.response + items[1] * weights.handling + items[2] * weights.result
    words = (reason or "").strip()
    if total < REASON_BELOW and not words:
        raise InvalidInput(
            "reason_needed",
            f"a score of {shown(total)} is under {REASON_BELOW} and needs a reason",
            field="reason",
            total=str(total),
        )
    return TownScore(items[0], items[1], items[2], total, words or None)


def shown(score: Decimal) -> Decimal:
    """Return a score as people read it: two places, half up."""
    return score.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def _item(name: str, value: Decimal | int | str) -> Decimal:
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if (
        isinstance(value, bool | float)
        or not number.is_finite()
        or not 0 <= number <= 100
        or number != shown(number)
    ):
        raise InvalidInput(
            "score_out_of_range",
            f"{name} is a score from 0 to 100 with at most two decimals, got {value}",
            field=name,
            got=str(value),
        )
    return number
