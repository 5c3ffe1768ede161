"""A department's work on one whistle as a number (一哨一考核): the town's marks, the record's, the lead's.

    T  = 0.3 response + 0.4 handling + 0.3 result            the town, each 0 to 100
    T' = 0.8 T + 0.2 P                                       where the lead has marked a cooperating department
    Y  = 100 - penalties, not under 0                        what the record itself says
    W  = 0.6 T' + 0.4 Y                                      the result; Y alone where the town gave no marks

That towns score response, handling and satisfaction with the result is published practice, and so is joining the
town's score with the system's; that the lead evaluates those who work with it is a county's rule. All weights and
points are defaults of ours. Scores are exact decimals; rounding is for showing only.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from enum import StrEnum

from gis.errors import InvalidInput

__all__ = [
    "FORMULA",
    "POINTS",
    "REASON_BELOW",
    "TOWN_WEIGHTS",
    "WEIGHTS",
    "AppraisedBecause",
    "Penalty",
    "PenaltyKind",
    "Points",
    "Record",
    "Result",
    "TownScore",
    "TownWeights",
    "Weights",
    "appraise",
    "part_record",
    "penalties",
    "score_town",
    "shown",
]

FORMULA = "whistle 1"
"""The version of all that this module says; a change of a weight or of a point is a new version."""

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


class AppraisedBecause(StrEnum):
    """Why a version of a result was made."""

    SCORED = "scored"
    PEER = "peer"
    WINDOW_OVER = "window_over"
    APPEAL = "appeal"


class PenaltyKind(StrEnum):
    """What the record holds against a department."""

    NO_RESPONSE = "no_response"
    LATE_RESPONSE = "late_response"
    NO_NAME_OR_PHONE = "no_name_or_phone"
    NO_SHOW = "no_show"
    LATE_ARRIVAL = "late_arrival"
    OVERDUE = "overdue"
    REWORK = "rework"
    UNFOUNDED_RETURN = "unfounded_return"


@dataclass(frozen=True, slots=True)
class Points:
    """How many points each costs. overdue : at once; overdue_day : for each further 24 h; overdue_most : together."""

    no_response: Decimal = Decimal(20)
    late_response: Decimal = Decimal(10)
    no_name_or_phone: Decimal = Decimal(5)
    no_show: Decimal = Decimal(25)
    late_arrival: Decimal = Decimal(5)
    overdue: Decimal = Decimal(15)
    overdue_day: Decimal = Decimal(5)
    overdue_most: Decimal = Decimal(30)
    rework: Decimal = Decimal(10)
    unfounded_return: Decimal = Decimal(10)


@dataclass(frozen=True, slots=True)
class Weights:
    """town : share of the marks that people gave, the rest is the record's. peer : share of the lead's mark in them.

    emergency : how much an emergency counts in the year, where any other whistle counts 1.
    """

    town: Decimal = Decimal("0.6")
    peer: Decimal = Decimal("0.2")
    emergency: Decimal = Decimal("1.5")


POINTS, WEIGHTS = Points(), Weights()


@dataclass(frozen=True, slots=True)
class Record:
    """What the trace says of one department's part.

    responded_late : None when it never responded. late_minutes : of its coming; None when it did not come.
    must_come : False where the town agreed that nobody had to. overdue : how long after the due moment the
    accepted result came, None when in time. named : a name and a phone were given with the response.
    """

    responded_late: bool | None
    named: bool
    must_come: bool
    late_minutes: int | None
    overdue: timedelta | None
    reworks: int
    unfounded_returns: int


@dataclass(frozen=True, slots=True)
class Penalty:
    """Points off, how many times the thing happened, and whether an appeal took it back."""

    kind: PenaltyKind
    points: Decimal
    times: int = 1
    waived: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one department for one whistle, exact. town : None where the town gave no marks in its time."""

    town: Decimal | None
    peer: Decimal | None
    system: Decimal
    total: Decimal
    weight: Decimal
    penalties: tuple[Penalty, ...]


def part_record(
    *,
    responded_at: datetime | None,
    response_due_at: datetime,
    named: bool,
    remote: bool,
    came: bool,
    minutes_late: int | None,
    grace: timedelta,
    completed_at: datetime | None,
    due_at: datetime,
    reworks: int,
    unfounded_returns: int,
) -> Record:
    """Return the record of a part from its moments: what is exactly on time is in time.

    minutes_late : after the appointed time; up to `grace` it is no lateness. completed_at : of the accepted result.
    """
    late = minutes_late or 0
    return Record(
        responded_late=None if responded_at is None else responded_at > response_due_at,
        named=named,
        must_come=not remote,
        late_minutes=(late if timedelta(minutes=late) > grace else 0) if came else None,
        overdue=completed_at - due_at if completed_at is not None and completed_at > due_at else None,
        reworks=reworks,
        unfounded_returns=unfounded_returns,
    )


def penalties(record: Record, points: Points = POINTS) -> tuple[Penalty, ...]:
    """Return what the record costs, in the order of `PenaltyKind`."""
    found: list[Penalty] = []
    if record.responded_late is None:
        found.append(Penalty(PenaltyKind.NO_RESPONSE, points.no_response))
    else:
        if record.responded_late:
            found.append(Penalty(PenaltyKind.LATE_RESPONSE, points.late_response))
        if not record.named:
            found.append(Penalty(PenaltyKind.NO_NAME_OR_PHONE, points.no_name_or_phone))
    if record.must_come and record.late_minutes is None:
        found.append(Penalty(PenaltyKind.NO_SHOW, points.no_show))
    elif record.must_come and record.late_minutes:
        found.append(Penalty(PenaltyKind.LATE_ARRIVAL, points.late_arrival))
    if record.overdue is not None:
        days = record.overdue // timedelta(hours=24)
        off = min(points.overdue + days * points.overdue_day, points.overdue_most)
        found.append(Penalty(PenaltyKind.OVERDUE, off))
    if record.reworks:
        found.append(Penalty(PenaltyKind.REWORK, record.reworks * points.rework, record.reworks))
    if record.unfounded_returns:
        off = record.unfounded_returns * points.unfounded_return
        found.append(Penalty(PenaltyKind.UNFOUNDED_RETURN, off, record.unfounded_returns))
    return tuple(found)


def appraise(
    town: Decimal | None,
    peer: Decimal | None,
    record: Record,
    *,
    emergency: bool = False,
    waived: Collection[PenaltyKind] = (),
    points: Points = POINTS,
    weights: Weights = WEIGHTS,
) -> Result:
    """Return a department's result for one whistle.

    town : the town's total, None where it gave none in its time: then the record alone counts, and the lead's mark
    does not. peer : the lead's mark of a cooperating department, None for the lead itself or where it gave none.
    waived : penalties that an upheld appeal took back; they stay in the list and cost nothing.
    """
    off = tuple(replace(one, waived=one.kind in waived) for one in penalties(record, points))
    lost = sum((penalty.points for penalty in off if not penalty.waived), Decimal(0))
    system = max(Decimal(0), 100 - lost)
    if town is None:
        total = system
    else:
        people = town if peer is None else (1 - weights.peer) * town + weights.peer * peer
        total = weights.town * people + (1 - weights.town) * system
    return Result(town, peer, system, total, weights.emergency if emergency else Decimal(1), off)


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
