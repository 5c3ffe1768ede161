"""Who came, and who says so: a check-in (签到) has two sides, and where they disagree that is on record.

The department says that it came, with its position, with the code that the town shows at the place, or by hand
with a reason; the town says whether it saw them. Nothing here turns anyone away: what makes a check-in doubtful
is a flag, for the town and for the auditor to look at.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import pyotp

from gis.errors import InvalidInput

__all__ = [
    "CLOCK_SLACK",
    "CODE_DIGITS",
    "CODE_STEP",
    "FASTEST_KMH",
    "NEAR_M",
    "SYNC_SLACK",
    "Code",
    "Presence",
    "PresenceFlag",
    "Seen",
    "Way",
    "Witness",
    "Word",
    "check_code",
    "code_at",
    "flags_of",
    "is_far",
    "minutes_late",
    "new_secret",
    "presence_of",
    "stands",
]

NEAR_M = 200.0
"""Farther than this from the place a check-in needs a reason."""

FASTEST_KMH = 150.0
SYNC_SLACK = timedelta(minutes=2)  # sent later than this after it was made: there was no network
CLOCK_SLACK = timedelta(minutes=5)
CODE_STEP = timedelta(minutes=10)
CODE_DIGITS = 6


class Witness(StrEnum):
    """Whose word a record of presence is."""

    DEPARTMENT = "department"
    TOWN = "town"


class Presence(StrEnum):
    """What the two sides together say of a department's coming."""

    CLAIMED = "claimed"  # the department says it came; the town has not said yet
    CONFIRMED = "confirmed"  # both say so, or the town itself registered it
    CONTRADICTED = "contradicted"  # the town says it did not come
    NO_SHOW = "no_show"  # the appointed time passed and nobody said it came


class PresenceFlag(StrEnum):
    """What makes a check-in doubtful. A flag is shown to the town and the auditor; it never turns anyone away."""

    FAR = "far"  # farther than 200 m from the place
    COARSE = "coarse"  # the position is less exact than that
    NO_POINT = "no_point"
    FAST = "fast"  # faster from this person's last place than anybody travels
    SAME_DEVICE = "same_device"  # one device for several people
    LATE_SYNCED = "late_synced"  # made without a network, sent later
    CLOCK_OFF = "clock_off"  # the device's clock and ours do not agree


# -- the two sides


@dataclass(frozen=True, slots=True)
class Word:
    """One side's word on whether the department came."""

    witness: Witness
    came: bool


def presence_of(words: Iterable[Word], *, over: bool = False) -> Presence | None:
    """Return what the words, oldest first, say together; None where nobody has said anything.

    over : the appointed time and its grace are over, so that silence means that nobody came. The town's last
    word stands over the department's: where it denies what the department claims, that is a contradiction and
    stays one until the town says otherwise. Who comes after all, when silence had been noted, has come.
    """
    found = Presence.NO_SHOW if over else None
    claimed = False
    for word in words:
        if word.witness is Witness.DEPARTMENT:
            claimed = claimed or word.came
            if word.came and found in (None, Presence.NO_SHOW):
                found = Presence.CLAIMED
        elif word.came:
            found = Presence.CONFIRMED
        else:
            found = Presence.CONTRADICTED if claimed else Presence.NO_SHOW
    return found


def stands(presence: Presence | None) -> bool:
    """Tell whether a department counts as having come: it says so, and the town does not say otherwise."""
    return presence not in (None, Presence.CONTRADICTED, Presence.NO_SHOW)


# -- one record


@dataclass(frozen=True, slots=True)
class Way:
    """How a person came from where they were last seen: metres as the crow flies, exact to `slack_m`, and how long."""

    metres: float
    slack_m: float
    took: timedelta


@dataclass(frozen=True, slots=True)
class Seen:
    """One check-in as it came in.

    distance_m : from the place, None without a position. accuracy_m : of the position, as the device says.
    claimed_at : when it was made, by the device's clock; None where it is made and sent at once. sent_at : when
    it was sent, by the same clock. way : from the same person's record before this, where both have a position.
    others_on_device : people besides this one who used the same device lately. earliest : before this it cannot
    have been made.
    """

    recorded_at: datetime
    distance_m: float | None = None
    accuracy_m: float | None = None
    claimed_at: datetime | None = None
    sent_at: datetime | None = None
    way: Way | None = None
    others_on_device: int = 0
    earliest: datetime | None = None


def is_far(distance_m: float, accuracy_m: float | None = None) -> bool:
    """Tell whether a position lies farther than 200 m from the place, wherever in its circle it truly is.

    A position is a circle: 250 m away and exact to 80 m may be 170 m away. A circle wider than 200 m excuses no
    more than one of 200 m, so that nobody comes near by being vague.
    """
    return distance_m - min(accuracy_m or 0.0, NEAR_M) > NEAR_M


def flags_of(seen: Seen) -> tuple[PresenceFlag, ...]:
    """Return what is doubtful about a check-in, in the order of `PresenceFlag`."""
    accuracy = seen.accuracy_m or 0.0
    found = {
        PresenceFlag.FAR: seen.distance_m is not None and is_far(seen.distance_m, seen.accuracy_m),
        PresenceFlag.COARSE: seen.distance_m is not None and accuracy > NEAR_M,
        PresenceFlag.NO_POINT: seen.distance_m is None,
        PresenceFlag.FAST: seen.way is not None and _too_fast(seen.way),
        PresenceFlag.SAME_DEVICE: seen.others_on_device > 0,
        PresenceFlag.LATE_SYNCED: _late_synced(seen),
        PresenceFlag.CLOCK_OFF: _clock_off(seen),
    }
    return tuple(flag for flag in PresenceFlag if found[flag])


def _too_fast(way: Way) -> bool:
    metres = way.metres - way.slack_m
    if metres <= NEAR_M:  # two positions of one place differ by so much
        return False
    hours = way.took.total_seconds() / 3600
    return hours <= 0 or metres / 1000 / hours > FASTEST_KMH


def _late_synced(seen: Seen) -> bool:
    return seen.claimed_at is not None and seen.recorded_at - seen.claimed_at > SYNC_SLACK


def _clock_off(seen: Seen) -> bool:
    if seen.sent_at is not None and abs(seen.sent_at - seen.recorded_at) > CLOCK_SLACK:
        return True
    if seen.claimed_at is None:
        return False
    too_early = seen.earliest is not None and seen.claimed_at < seen.earliest
    return too_early or seen.claimed_at - seen.recorded_at > SYNC_SLACK


def minutes_late(appointed_at: datetime | None, came_at: datetime) -> int:
    """Return by how many whole minutes somebody came after the appointed time; 0 for in time."""
    if appointed_at is None:
        return 0
    return max(0, int((came_at - appointed_at).total_seconds() // 60))


# -- the code that the town shows at the place


@dataclass(frozen=True, slots=True)
class Code:
    """Six digits that show that somebody stood where the town showed them, and until when they are shown."""

    digits: str
    until: datetime


def new_secret() -> str:
    """Return a fresh secret of a whistle's code, 160 bits in base 32."""
    return pyotp.random_base32()


def code_at(secret: str, now: datetime) -> Code:
    """Return the code that is shown now: a time-based one-time password in steps of ten minutes.

    Source: RFC 6238, with SHA-1 and six digits.
    """
    counter = _counter(now)
    until = datetime.fromtimestamp((counter + 1) * int(CODE_STEP.total_seconds()), UTC)
    return Code(_digits(secret, counter), until)


def check_code(secret: str, said: str, at: datetime) -> None:
    """Raise `InvalidInput` ("wrong_code") unless these are the digits of a moment, or of the step before it.

    The step before, because somebody reads the digits just before they change. A later one can nobody have read:
    we both make and check it.
    """
    digits = "".join(one for one in said if not one.isspace())
    shown = [_digits(secret, _counter(at) - back) for back in (0, 1)]
    if not any(hmac.compare_digest(digits.encode(), one.encode()) for one in shown):
        raise InvalidInput(
            "wrong_code",
            "these are not the six digits that the town shows at the place now; they change every ten minutes",
            field="code",
        )


def _counter(at: datetime) -> int:
    return int(at.timestamp()) // int(CODE_STEP.total_seconds())


def _digits(secret: str, counter: int) -> str:
    # a time-based password is a counter-based one whose counter is the time (RFC 6238, 4.2); the library's own
    # class of the former takes no steps longer than two minutes
    return pyotp.HOTP(secret, digits=CODE_DIGITS).at(counter)
