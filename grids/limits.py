"""Limit profiles in the database: drafted by one person, compared, published by another, in force from a day on.

A case keeps the profile that it was accepted under (`Incident.limits`), so that a publication changes no clock that
runs. Shedding overdue cases by new limits is not possible, and who changed what stays to be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gis.errors import Conflict, Forbidden, InvalidInput, NotFound
from grids.rules.calendar import local_day
from grids.rules.profiles import DEFAULT, LimitProfile, from_snapshot, parse_profile
from grids.scope import under
from grids.tables import IS_OPEN, Department, DraftStatus, Incident
from grids.tables import LimitProfile as Row

__all__ = [
    "districts",
    "draft",
    "get",
    "in_force",
    "in_force_row",
    "listing",
    "of_case",
    "profile_of",
    "publish",
    "running_cases",
    "withdraw",
]

_PUBLISH_LOCK = 7_301_005  # any constant: one publication at a time, whoever runs it


def in_force(session: Session, district: str, day: date) -> LimitProfile:
    """Return the limits of a district on a day: what it published last for it, else our default."""
    row = in_force_row(session, district, day)
    return DEFAULT if row is None else profile_of(row)


def in_force_row(session: Session, district: str, day: date) -> Row | None:
    """Return the row of `in_force`, None where the default holds."""
    return session.scalar(
        select(Row)
        .where(
            Row.district_code == district[:6],
            Row.status == DraftStatus.PUBLISHED,
            Row.effective_from <= day,
        )
        .order_by(Row.effective_from.desc(), Row.published_at.desc(), Row.id.desc())
        .limit(1)
    )


def of_case(session: Session, incident: Incident, now: datetime) -> LimitProfile:
    """Return the limits that a case began with; one that has not begun has those in force at `now`."""
    kept = (incident.limits or {}).get("profile")
    if kept is not None:
        return from_snapshot(kept)
    # accepted before cases kept their profile, or brought in from elsewhere: what held on its first day
    return in_force(session, incident.grid_code, local_day(incident.accepted_at or now))


def profile_of(row: Row) -> LimitProfile:
    """Return the limits that a row holds."""
    head = {"code": row.code, "name": row.name, "name_en": row.name_en, "source": row.source}
    return parse_profile({**head, **row.rules}, version=row.version_no)


def get(session: Session, profile_id: int, *, lock: bool = False) -> Row:
    """Return a stored profile. Raises `NotFound` ("no_such_profile")."""
    row = session.get(Row, profile_id, with_for_update=lock, populate_existing=lock)
    if row is None:
        raise NotFound("no_such_profile", f"there is no limit profile {profile_id}", id=profile_id)
    return row


def districts(session: Session) -> list[str]:
    """Return the districts that have bodies, and so cases, in order of their codes."""
    code = Department.district_code
    return list(session.scalars(select(code).distinct().order_by(code)))


def listing(session: Session, districts: Sequence[str] = ()) -> Sequence[Row]:
    """Return the stored profiles of some districts, of all where none is named; the newest first."""
    rows = select(Row).order_by(Row.effective_from.desc(), Row.id.desc())
    if districts:
        rows = rows.where(Row.district_code.in_([code[:6] for code in districts]))
    return session.scalars(rows).all()


def draft(
    session: Session,
    profile: LimitProfile,
    *,
    district: str,
    effective_from: date,
    by: str,
    now: datetime,
) -> Row:
    """Store limits for a district as a draft: the next version of their code there.

    Raises `InvalidInput` ("past_day") for a day that is over: running cases keep what they began with.
    """
    _not_past(effective_from, now)
    session.execute(select(func.pg_advisory_xact_lock(_PUBLISH_LOCK)))
    last = session.scalar(
        select(func.max(Row.version_no)).where(Row.district_code == district, Row.code == profile.code)
    )
    row = Row(
        district_code=district,
        code=profile.code,
        version_no=(last or 0) + 1,
        name=profile.name,
        name_en=profile.name_en,
        source=profile.source,
        rules=profile.rules(),
        effective_from=effective_from,
        status=DraftStatus.DRAFT,
        drafted_at=now,
        drafted_by=by,
    )
    session.add(row)
    session.flush()
    return row


def publish(session: Session, profile_id: int, *, by: str, now: datetime) -> Row:
    """Put a draft into force from its day on; cases that have begun keep their limits.

    Raises `Conflict` ("not_a_draft"), `InvalidInput` ("past_day") for a day that is over meanwhile, and
    `Forbidden` ("second_person_needed") when `by` drafted it.
    """
    session.execute(select(func.pg_advisory_xact_lock(_PUBLISH_LOCK)))
    row = _draft_row(session, profile_id)
    if row.drafted_by == by:
        raise Forbidden(
            "second_person_needed",
            f"{by} drafted limit profile {profile_id}: somebody else has to publish it",
            profile=profile_id,
            drafted_by=row.drafted_by,
        )
    _not_past(row.effective_from, now)
    row.status, row.published_at, row.published_by = DraftStatus.PUBLISHED, now, by
    session.flush()
    return row


def withdraw(session: Session, profile_id: int) -> Row:
    """Put a draft away. Raises `Conflict` ("not_a_draft") for what was published."""
    row = _draft_row(session, profile_id)
    row.status = DraftStatus.WITHDRAWN
    session.flush()
    return row


def running_cases(session: Session, district: str) -> int:
    """Return how many open cases of a district have begun, and so keep their limits whatever is published."""
    found = session.scalar(
        select(func.count()).where(
            IS_OPEN, Incident.accepted_at.is_not(None), under(Incident.grid_code, district)
        )
    )
    return found or 0


def _draft_row(session: Session, profile_id: int) -> Row:
    row = get(session, profile_id, lock=True)
    if row.status is not DraftStatus.DRAFT:
        raise Conflict("not_a_draft", f"limit profile {profile_id} is {row.status.value}, not a draft")
    return row


def _not_past(day: date, now: datetime) -> None:
    today = local_day(now)
    if day < today:
        raise InvalidInput(
            "past_day",
            f"limits hold from today, {today}, on or later; {day} is over",
            field="effective_from",
            got=day.isoformat(),
            wanted=today.isoformat(),
        )
