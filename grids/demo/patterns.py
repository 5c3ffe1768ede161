"""How things go wrong: how often each category comes about, when and where, and the places it comes back to.

All shares are ours; they make a year that looks like one: rubbish and parking most of all, water in summer,
straw smoke in June and October, cold flats in winter.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["BRIDGE", "PATTERNS", "REST", "SPOTS", "Pattern", "SpotKind"]


class Pattern(NamedTuple):
    """How a category comes about away from the spots: how often, and when and where it gathers."""

    weight: float
    season: str = "even"
    week: str = "even"
    hours: str = "day"
    where: str = "people"  # people, urban or rural


PATTERNS: dict[str, Pattern] = {
    "01-001": Pattern(2.2, "building"),
    "01-002": Pattern(0.9, "rain", hours="evening", where="urban"),
    "01-003": Pattern(0.05, "rain"),
    "01-004": Pattern(1.0, "rain"),
    "01-005": Pattern(0.15, "cold", hours="even"),
    "01-006": Pattern(0.03),
    "01-007": Pattern(0.08, "heating", hours="even", where="urban"),
    "01-008": Pattern(0.12, "warm"),
    "01-009": Pattern(1.1),
    "01-010": Pattern(0.8, "rain"),
    "01-011": Pattern(2.0, "cold", hours="evening"),
    "01-012": Pattern(0.35, "building", "office"),
    "02-001": Pattern(15.0, "warm"),
    "02-002": Pattern(1.6, "building"),
    "02-003": Pattern(9.0),
    "02-004": Pattern(0.9, "warm"),
    "02-005": Pattern(6.5, "warm"),
    "02-007": Pattern(4.5),
    "02-008": Pattern(0.5, "leaves"),
    "02-009": Pattern(0.8),
    "02-010": Pattern(3.0, where="urban"),
    "03-001": Pattern(1.3, "warm", "leisure", "evening", "urban"),
    "03-002": Pattern(1.5, "warm", "leisure", "evening", "urban"),
    "03-003": Pattern(0.9, "warm", "leisure", "evening", "urban"),
    "03-004": Pattern(1.2),
    "03-005": Pattern(0.12, "warm", "leisure", "night", "urban"),
    "03-007": Pattern(0.22, hours="evening", where="urban"),
    "04-001": Pattern(5.5, where="urban"),
    "04-003": Pattern(0.3, "rain", where="urban"),
    "05-001": Pattern(1.0, "building", hours="night", where="urban"),
    "05-002": Pattern(0.6, "building"),
    "05-005": Pattern(0.7, "building", hours="night"),
    "06-001": Pattern(5.0, "warm"),
    "06-003": Pattern(0.5, "rain"),
    "07-001": Pattern(4.5, "even", "office", "commute", "urban"),
    "07-002": Pattern(5.5, "warm", "even", "commute", "urban"),
    "07-005": Pattern(0.5),
    "07-006": Pattern(0.5, "snow", hours="commute"),
    "08-001": Pattern(0.08, "cold", hours="even"),
    "08-002": Pattern(0.2, "even", "office", "office"),
    "08-004": Pattern(0.12, "rain"),
    "08-005": Pattern(1.4, hours="evening", where="urban"),
    "09-001": Pattern(0.2, "warm", "leisure", "evening", "urban"),
    "09-002": Pattern(2.4, "warm", "leisure", "night", "urban"),
    "09-003": Pattern(0.1, hours="night"),
    "10-001": Pattern(0.15, "warm", "leisure", "night", "urban"),
    "10-002": Pattern(0.18, "warm"),
    "10-003": Pattern(0.25, "even", "office", "office"),
    "10-004": Pattern(0.15, hours="commute", where="urban"),
    "11-001": Pattern(0.1, hours="even"),
    "12-001": Pattern(5.0, "even", "leisure", "evening"),
    "12-002": Pattern(0.7, "even", "office", "office"),
    "13-001": Pattern(0.12, "warm", hours="even"),
    "13-003": Pattern(0.8, "heating", hours="evening", where="urban"),
    "13-004": Pattern(1.1, "warm"),
    "13-005": Pattern(0.9, "cold", "office", "office"),
    "14-001": Pattern(0.9, "even", "office", "office", "rural"),
    "14-002": Pattern(0.15, "rain", where="rural"),
    "14-003": Pattern(1.1, "harvest", hours="evening", where="rural"),
    "14-004": Pattern(0.08, "building", "office", where="rural"),
    "15-001": Pattern(1.5, "even", "office", "office", "urban"),
    "16-001": Pattern(0.25, "pay", "office", "office"),
    "16-002": Pattern(0.15, "pay", "office", "office"),
}
REST = Pattern(0.04)  # every other category


class SpotKind(NamedTuple):
    """Places of one kind where the same things come back.

    share : of the year's incidents. times : how often it comes back in each place, about.
    what : categories and how much of each. spread_m : how far around the place it is reported.
    """

    name: str
    share: float
    times: float
    what: tuple[tuple[str, float], ...]
    season: str
    week: str
    hours: str
    spread_m: float


BRIDGE = SpotKind("桥下", 0.016, 13, (("01-002", 1.0),), "rain", "even", "even", 18.0)
SPOTS = (
    SpotKind("东门", 0.030, 17, (("07-001", 1.0),), "even", "office", "commute", 15.0),
    SpotKind("垃圾收集点", 0.022, 13, (("02-001", 0.7), ("02-005", 0.3)), "warm", "even", "day", 8.0),
    SpotKind(
        "夜市",
        0.045,
        190,
        (
            ("03-001", 0.32),
            ("03-002", 0.28),
            ("02-001", 0.2),
            ("09-002", 0.13),
            ("03-005", 0.03),
            ("09-001", 0.04),
        ),
        "warm",
        "leisure",
        "evening",
        70.0,
    ),
    SpotKind("实验小学", 0.018, 75, (("07-001", 0.7), ("07-002", 0.3)), "even", "school", "school", 35.0),
    SpotKind(
        "站前广场",
        0.026,
        110,
        (("07-002", 0.6), ("03-001", 0.25), ("04-001", 0.15)),
        "even",
        "leisure",
        "commute",
        60.0,
    ),
)
